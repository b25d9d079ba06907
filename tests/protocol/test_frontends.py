"""Front ends of other people run a session: papermill and `jupyter console` (nbclient and nbval have tests of their own)."""
import os
import sys

import nbformat
import papermill
import pexpect
import pytest
from jupyter_wire import PATIENCE

KEYS = {"TERM": "xterm", "COLUMNS": "120", "LINES": "60"}


@pytest.fixture
def environ(workspace, kernelspec, monkeypatch):
    monkeypatch.setenv("LAKEBASE_STATE_DIR", str(workspace.state_dir))
    for key, value in KEYS.items():
        monkeypatch.setenv(key, value)


def notebook(path, *cells):
    metadata = {"kernelspec": {"name": "lakebase", "display_name": "Lakebase"}, "language_info": {"name": "sql"}}
    nbformat.write(nbformat.v4.new_notebook(metadata=metadata, cells=[nbformat.v4.new_code_cell(c) for c in cells]), path)
    return str(path)


def test_papermill(environ, tmp_path):
    done = papermill.execute_notebook(
        notebook(tmp_path / "in.ipynb", "%instance create frontends --if-not-exists", "%connect frontends", "SELECT 6 * 7 AS answer;"),
        str(tmp_path / "out.ipynb"), progress_bar=False)
    assert "42" in done.cells[-1].outputs[0].data["text/plain"]
    with pytest.raises(papermill.PapermillExecutionError) as failed:
        papermill.execute_notebook(notebook(tmp_path / "bad.ipynb", "%connect frontends", "SELECT 1 / 0;", "SELECT 'never';"),
                                   str(tmp_path / "bad_out.ipynb"), progress_bar=False)
    assert failed.value.ename == "DivisionByZero"
    assert nbformat.read(tmp_path / "bad_out.ipynb", 4).cells[-1].outputs == []


def test_jupyter_console(environ, tmp_path):
    console = pexpect.spawn(sys.executable, ["-m", "jupyter_console", "--kernel", "lakebase", "--simple-prompt"],
                            env=dict(os.environ), cwd=tmp_path, timeout=PATIENCE, encoding="utf-8")
    try:
        console.expect(r"In \[1\]: ")
        console.sendline("%instance create frontends --if-not-exists")
        console.expect(r"AVAILABLE")
        console.expect(r"In \[2\]: ")
        console.sendline("%connect frontends")
        console.expect("Connected to instance frontends")
        console.expect(r"In \[3\]: ")
        console.sendline("SELECT 6 * 7 AS answer;")
        console.expect("42")
        console.expect(r"In \[4\]: ")
        console.sendline("SELECT 1 / 0;")
        console.expect("DivisionByZero: 22012: division by zero")
        console.expect(r"In \[5\]: ")
        console.sendline("SELECT 'begun' AS x; SELECT pg_sleep(600);")
        console.expect(r"\n begun")  # its result, not the echo of what was typed
        console.sendintr()
        console.expect("interrupted")
        console.expect(r"In \[6\]: ")
        console.sendeof()
        console.expect("really want to exit")
        console.sendline("y")
        console.expect(pexpect.EOF)
    finally:
        console.close(force=True)
