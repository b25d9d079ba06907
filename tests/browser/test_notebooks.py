"""Run All of every notebook but lab 2 (test_jupyterlab.py has that one) in JupyterLab, in the order of the workshop: no cell
fails that should not, and what it shows can be read in both themes, wide and narrow."""
import sys

import pytest

from conftest import ROOT
from lab import Notebook
from test_jupyterlab import CHROMIUM, READABLE, SCRATCH, SCREENSHOTS, browser, code_cells, errors, lab, tags  # noqa: F401

sys.path.insert(0, str(ROOT / "tests/notebooks"))
import notebook_tools as tools  # noqa: E402

NAMES = [path.stem for path in tools.notebooks() if not path.stem.startswith("02_")]

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: Chromium is no Debian package here")


@pytest.fixture(scope="module")
def caught_up(lab, browser):  # noqa: F811
    """Lab 2's work is done, as by a learner who skipped it."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    notebook = Notebook(browser, lab, SCRATCH)
    cell = notebook.run_cell(0, "%lab catch-up 2", seconds=90)
    assert not errors(cell) and "All 5 hold." in notebook.measure("text", 0)
    notebook.close()


@pytest.mark.parametrize("name", NAMES)
def test_run_all(caught_up, lab, browser, name):  # noqa: F811
    notebook = Notebook(browser, lab, f"notebooks/{name}.ipynb")
    try:
        notebook.run_all(seconds=180)
        cells = code_cells(notebook)
        wrong = {cell["id"]: errors(cell) for _, cell in cells if bool(errors(cell)) != ("raises-exception" in tags(cell))}
        assert not wrong
        checks = {cell["id"]: notebook.measure("text", index) for index, cell in cells if cell["source"].startswith("%lab check")}
        assert not {check: text for check, text in checks.items() if "✗" in text or "✓" not in text}
        assert notebook.kernel_status == "idle" and not notebook.problems
        pictures = notebook.measure("pictures")
        assert not pictures["broken"], pictures
        for theme in ("light", "dark"):
            for width in (1400, 700):
                notebook.theme(theme)
                notebook.resize(width)
                notebook.shots(SCREENSHOTS, f"{name[:2]}-{theme}-{width}")
                assert not notebook.measure("overflow"), (theme, width)
                assert not notebook.measure("faint", ".jp-OutputArea-output", READABLE), (theme, width)
    finally:
        notebook.theme("light")
        notebook.close()
