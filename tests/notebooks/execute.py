"""Run notebooks from top to bottom and store their outputs: python execute.py [--state-dir DIR] [NOTEBOOK...]

Without --state-dir the run gets a fresh workspace, which is removed afterwards. What is stored does not change
from run to run: no timings, no ids of the run, and volatile outputs stay as they are unless their form changed.
It does not judge the outputs; that is the tests' part.
"""
import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import notebook_tools as tools
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

BIN = tools.ROOT / "build/bin"
KEPT_CELL_METADATA = ("tags", "jupyter", "slideshow", "editable", "deletable")
KEPT_LANGUAGE_INFO = ("name", "file_extension", "mimetype", "codemirror_mode", "pygments_lexer")


def workspace(*args):
    """Run lakebase-workspace. A server that it leaves running must not keep our pipe open, so output goes to a file."""
    with tempfile.TemporaryFile("w+") as out:
        done = subprocess.run([BIN / "lakebase-workspace", *args], stdin=subprocess.DEVNULL, stdout=out,
                              stderr=subprocess.STDOUT, timeout=120)
        out.seek(0)
        text = out.read()
    if done.returncode:
        sys.exit(f"lakebase-workspace {' '.join(args)}: exit status {done.returncode}\n{text}")
    return text


def short_dir(prefix):
    """Short, because a unix socket's path ends at 107 bytes; open to the server user when we are root."""
    path = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    path.chmod(0o711 if os.geteuid() == 0 else 0o700)
    return path


@contextmanager
def surroundings(state_dir):
    """A private home with the kernelspec, and a workspace: the given one, or a fresh one that goes away again."""
    home = short_dir("lbx-")
    fresh = state_dir is None
    state = home / "state" if fresh else Path(state_dir).resolve()
    state.mkdir(mode=0o711, exist_ok=True)
    spec = tools.put_kernelspec(home / "spec", BIN / "lakebase-kernel")
    before = dict(os.environ)
    environ = tools.private_environ(state, home, spec)
    os.environ.clear()
    os.environ.update(environ)
    try:
        yield
    finally:
        if fresh:
            workspace("reset", "--yes")
            workspace("stop", "--all")
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(home, ignore_errors=True)


def joined(outputs):
    """Streams that stand side by side as one: how the kernel's text was cut into messages is chance."""
    whole = []
    for output in outputs:
        before = whole[-1] if whole else {}
        if output["output_type"] == "stream" == before.get("output_type") and output["name"] == before["name"]:
            before["text"] += output["text"]
        else:
            whole.append(output)
    return whole


def same_form(old, new):
    return tools.masked(old) == tools.masked(new)


def normalise_output(output):
    """Only what a reader sees: no metadata (timings live there), no count of the run."""
    if "metadata" in output:
        output["metadata"] = {}
    if "execution_count" in output:
        output["execution_count"] = None
    return output


def keep_old_traceback(old, new):
    """Tracebacks hold DETAIL lines with times in them; the old one stays when nothing else changed."""
    for before, after in zip(old, new):
        if before.get("output_type") == after.get("output_type") == "error" and same_form(before, after):
            after["traceback"] = before["traceback"]


def normalise(notebook, before):
    """Take from the run what is stable, from the stored notebook what is volatile and unchanged in form."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Lakebase (SQL)", "language": "sql", "name": "lakebase"},
        "language_info": {name: value for name, value in notebook.metadata.get("language_info", {}).items()
                          if name in KEPT_LANGUAGE_INFO},
        "lakebase": {"postgresql": tools.postgresql_major(workspace_env())},
    }
    stored = {cell["id"]: cell for cell in before.cells}
    for count, cell in enumerate(tools.code_cells(notebook), 1):
        cell.metadata = {name: value for name, value in cell.metadata.items() if name in KEPT_CELL_METADATA}
        cell.execution_count = count
        cell.outputs = [normalise_output(output) for output in joined(cell.outputs)]
        old = stored[cell["id"]].get("outputs", [])
        if tools.IGNORED in tools.tags(cell) and same_form(old, cell.outputs):
            cell.outputs = old
        else:
            keep_old_traceback(old, cell.outputs)


def workspace_env():
    words = shlex.split(workspace("env"), comments=True)
    return dict(word.split("=", 1) for word in words if "=" in word)


def execute(path, out=None):
    """Run one notebook in place (or into `out`)."""
    before = tools.read(path)
    notebook = tools.read(path)
    client = NotebookClient(notebook, kernel_name="lakebase", timeout=300, record_timing=False,
                            resources={"metadata": {"path": str(tools.NOTEBOOKS)}})
    try:
        client.execute()
    except CellExecutionError as error:
        sys.exit(f"{path.name}: {error}")
    normalise(notebook, before)
    tools.write(out or path, notebook)
    print(f"{path.name}: {len(tools.code_cells(notebook))} cells run, PostgreSQL "
          f"{notebook.metadata['lakebase']['postgresql']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--state-dir", help="use this workspace and leave it as it is then (default: a fresh one)")
    parser.add_argument("--out", type=Path, help="write there instead of in place (one notebook only)")
    parser.add_argument("notebooks", nargs="*", type=Path, default=tools.notebooks())
    args = parser.parse_args()
    if args.out and len(args.notebooks) != 1:
        parser.error("--out takes exactly one notebook")
    with surroundings(args.state_dir):
        for path in args.notebooks:
            execute(path.resolve(), args.out)


if __name__ == "__main__":
    main()
