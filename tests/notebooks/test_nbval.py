"""Every notebook under nbval: from a fresh workspace, on the used one, and from nothing at all, where the kernel
itself starts the workspace. Each cell's output must be the stored one."""
import os
import subprocess
import sys
from xml.etree import ElementTree

import pytest

import notebook_tools as tools
from conftest import Workspace, end_leftovers, running_workspace, short_dir

NOTEBOOKS = tools.notebooks()


def nbval(path, environ, tmp_path, say):
    """Run pytest --nbval; fails with the whole report. Another PostgreSQL major than the stored one says other things in
    places, so there only errors count."""
    stored, here = tools.read(path).metadata.lakebase.postgresql, tools.installed_major()
    mode = "--nbval" if here in (stored, None) else "--nbval-lax"
    report = tmp_path / "report.xml"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", mode, "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", tmp_path,
         "--nbval-cell-timeout=120", f"--junitxml={report}", path],
        env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    assert report.exists(), done.stdout
    suite = ElementTree.parse(report).getroot().find("testsuite")
    counts = {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}
    say(f"{path.stem} {mode} (stored with PostgreSQL {stored}, here {here}): {counts}")
    assert done.returncode == 0, done.stdout
    assert counts == {"tests": len(tools.code_cells(tools.read(path))), "failures": 0, "errors": 0, "skipped": 0}


@pytest.fixture
def say(capsys):
    def printed(text):
        with capsys.disabled():
            print(f"\n{text}")
    return printed


def test_fresh_and_used(kernelspec, tmp_path, say):
    """In the order of the workshop, in one workspace; then all of them once more in the same one."""
    with running_workspace() as workspace:
        for _ in ("fresh", "used"):
            for path in NOTEBOOKS:
                nbval(path, workspace.environ, tmp_path, say)


def test_kernel_starts_the_workspace(kernelspec, tmp_path, say):
    state_dir = short_dir("lb-")
    workspace = Workspace(state_dir)
    try:
        for path in NOTEBOOKS:
            nbval(path, workspace.environ, tmp_path, say)
        assert workspace.run("status").returncode == 0
    finally:
        workspace.run("reset", "--yes", check=False)
        workspace.run("stop", "--all", check=False)
        left = end_leftovers(state_dir)
    assert not left


def test_nbval_would_notice(kernelspec, tmp_path, say):
    """The proof that the tests above can fail: one changed digit in a stored output is found."""
    notebook = tools.read(tools.NOTEBOOKS / "02_lab_creating_and_exploring.ipynb")
    wanted = ("workspace", "create-instance", "connect", "settings")
    notebook.cells = [cell for cell in notebook.cells if cell["id"] in wanted]
    changed = tmp_path / "02_changed.ipynb"
    settings = notebook.cells[-1].outputs[0].data
    assert "1000" in settings["text/plain"]
    settings["text/plain"] = settings["text/plain"].replace("1000", "1001")
    tools.write(changed, notebook)
    with running_workspace() as workspace:
        with pytest.raises(AssertionError, match="1001"):
            nbval(changed, workspace.environ, tmp_path, say)
