"""JupyterLab with our kernel in headless Chromium: what a learner sees when lab 2 runs, and what the keys do.

Pictures of the notebook (both themes, wide and narrow) are left in build/screenshots/.
"""
import json
import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from conftest import BIN, ROOT, Workspace, end_leftovers, short_dir
from lab import CHROMIUM_ARGS, Lab, Notebook

CHROMIUM = Path("/usr/bin/chromium")
LAB2 = "notebooks/02_lab_creating_and_exploring.ipynb"
SCRATCH = "notebooks/scratch.ipynb"
SCREENSHOTS = ROOT / "build/screenshots"
READABLE = 4.5  # WCAG AA: contrast of text of normal size

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: Chromium is no Debian package here")


def scratch_notebook(cells=6):
    empty = [{"cell_type": "code", "id": f"cell-{n}", "metadata": {}, "source": "", "outputs": [],
              "execution_count": None} for n in range(cells)]
    spec = {"name": "lakebase", "display_name": "Lakebase (SQL)", "language": "sql"}
    return {"cells": empty, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture(scope="module")
def lab(kernelspec):
    """`make lab` over a copy of notebooks/ and images/; the workspace is the one that the kernel starts."""
    home = short_dir("lbb-")
    state = home / "state"
    state.mkdir(mode=0o711)
    root = home / "root"
    for folder in ("notebooks", "images", "docker"):
        shutil.copytree(ROOT / folder, root / folder)
    (root / ".venv").symlink_to(ROOT / ".venv")
    (root / "build").mkdir()
    (root / "build/bin").symlink_to(BIN)
    (root / SCRATCH).write_text(json.dumps(scratch_notebook()))
    server = Lab(home, root, {**os.environ, "LAKEBASE_STATE_DIR": str(state)})
    try:
        yield server.start()
    finally:
        server.stop()
        workspace = Workspace(state)
        workspace.run("reset", "--yes", check=False)
        workspace.run("stop", check=False)
        left = end_leftovers(home)
        shutil.rmtree(home, ignore_errors=True)
    assert not left, f"still running after the end: {left}"


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def lab2(lab, browser):
    """Notebook 2 after Run All."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for old in SCREENSHOTS.glob("*.png"):
        old.unlink()
    notebook = Notebook(browser, lab, LAB2)
    notebook.stored, notebook.stored_tables = json.loads(notebook.path.read_text()), notebook.measure("tables")
    notebook.run_all()
    yield notebook
    notebook.close()


@pytest.fixture(scope="module")
def scratch(lab2, lab, browser):
    """Empty cells and a session in the instance that lab 2 has made."""
    notebook = Notebook(browser, lab, SCRATCH)
    assert not errors(notebook.run_cell(0, "%connect workshop"))
    yield notebook
    notebook.shots(SCREENSHOTS, "cells-light-1400", height=1000)
    notebook.close()


def code_cells(notebook):
    """[(index, cell)] of the cells with code in them."""
    return [(index, cell) for index, cell in enumerate(notebook.cells())
            if cell["cell_type"] == "code" and cell["source"].strip()]


def tags(cell):
    return cell["metadata"].get("tags", [])


def errors(cell):
    return ["\n".join(output["traceback"]) for output in cell["outputs"] if output["output_type"] == "error"]


# ---- lab 2 after Run All ------------------------------------------------------------------------------

def test_run_all_ends_without_an_unexpected_error(lab2):
    unexpected = {cell["id"]: errors(cell) for _, cell in code_cells(lab2)
                  if errors(cell) and "raises-exception" not in tags(cell)}
    assert not unexpected
    missed = {cell["id"]: cell["outputs"] for _, cell in code_cells(lab2)
              if "raises-exception" in tags(cell) and not errors(cell)}
    assert not missed, "these cells should show an error"
    assert all(cell["execution_count"] for _, cell in code_cells(lab2))
    assert lab2.kernel_status == "idle"
    assert not lab2.problems, "errors in the page's own scripts"


def test_every_check_is_green(lab2):
    checks = {cell["id"]: lab2.measure("text", index) for index, cell in code_cells(lab2)
              if cell["source"].startswith("%lab check")}
    assert len(checks) >= 7
    assert not {name: text for name, text in checks.items() if "✗" in text or "✓" not in text}


def test_pictures_are_shown(lab2):
    pictures = lab2.measure("pictures")
    assert pictures["all"] and not pictures["broken"], pictures


def test_progress_has_given_way_to_its_result(lab2):
    assert lab2.page.locator(".jp-OutputArea-output progress").count() == 0
    for index, cell in code_cells(lab2):
        if cell["source"].startswith(("%instance create", "%instance start", "%instance resize")):
            text = lab2.measure("text", index)
            assert "workshop" in text and "AVAILABLE" in text, f"{cell['id']}: {text!r}"


def test_stored_tables_are_drawn_before_any_run(lab2):
    """A notebook that was never run here is not trusted: JupyterLab cleans its HTML, and the tables must survive it."""
    html = [output for cell in lab2.stored["cells"] for output in cell.get("outputs", [])
            if "text/html" in output.get("data", {})]
    assert len(html) > 5, "notebook 2 is stored without its outputs"
    assert len(lab2.stored_tables) == sum("".join(output["data"]["text/html"]).count("<table") for output in html)
    now = {tuple(table["head"]): table["align"] for table in lab2.measure("tables")}
    for table in lab2.stored_tables:
        assert now.get(tuple(table["head"]), table["align"]) == table["align"], table


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 700])
def test_readable_and_inside_the_page(lab2, theme, width):
    lab2.theme(theme)
    lab2.resize(width)
    try:
        lab2.shots(SCREENSHOTS, f"lab2-{theme}-{width}")
        assert not lab2.measure("overflow")
        assert lab2.measure("textsUnder", ".jp-OutputArea-output table") > 100
        assert not lab2.measure("faint", ".jp-OutputArea-output", READABLE)
    finally:
        lab2.theme("light")
        lab2.resize(1400)


def test_picture_of_the_readme(lab2):
    """README.md shows images/jupyterlab.png. Each run leaves a new one to copy when the notebook looks different."""
    lab2.resize(1200, 985)
    try:
        lab2.measure("blur")
        lab2.measure("bring", next(index for index, cell in code_cells(lab2) if cell["id"] == "create-instance"))
        lab2.page.screenshot(path=SCREENSHOTS / "jupyterlab.png", animations="disabled")
    finally:
        lab2.resize(1400)
    for picture in (SCREENSHOTS / "jupyterlab.png", ROOT / "images/jupyterlab.png"):
        head = picture.read_bytes()
        assert head[:8] == b"\x89PNG\r\n\x1a\n" and int.from_bytes(head[16:20], "big") == 1200
        assert len(head) < 300 * 1024
    assert "images/jupyterlab.png" in (ROOT / "README.md").read_text()


def test_control_s_saves_the_outputs(lab2):
    saved = lab2.save()
    empty = [cell["id"] for cell in saved["cells"] if cell["cell_type"] == "code" and "check" in tags(cell)
             and not cell["outputs"]]
    assert not empty
    assert "<progress" not in json.dumps(saved["cells"])


# ---- keys and looks, cell by cell ---------------------------------------------------------------------

def test_null_is_not_an_empty_string_nor_the_word(scratch):
    scratch.run_cell(1, "SELECT NULL AS nothing, 'NULL' AS word, '' AS empty;")
    nothing, word, empty = scratch.measure("look", 1)[:3]
    assert nothing["text"] == word["text"] == "NULL" and empty["text"] == ""
    assert (nothing["slant"], nothing["tag"]) != (word["slant"], word["tag"])


def test_markup_in_data_stays_text(scratch):
    scratch.run_cell(1, "SELECT '<b id=\"bold\">&amp;</b><script>window.hacked = 1</script>' AS t;")
    assert scratch.measure("look", 1)[0]["text"] == '<b id="bold">&amp;</b><script>window.hacked = 1</script>'
    assert scratch.page.evaluate("window.hacked") is None


def test_tab_completes_magics(scratch):
    offered = scratch.complete(2, "%in")
    assert "%instance" in offered, offered
    offered = scratch.complete(2, "%instance ")
    assert {"create", "list", "show", "stop", "start"} <= set(offered), offered


def test_tab_completes_options_checks_and_key_words(scratch):
    offered = scratch.complete(2, "%instance create mine --")
    assert {"--capacity", "--if-not-exists"} <= set(offered), offered
    assert "2-tables" in scratch.complete(2, "%lab check ")
    assert "SELECT" in scratch.complete(2, "SEL")


def test_tab_completes_names_of_the_workspace(scratch):
    assert "workshop" in scratch.complete(2, "%connect wor")
    assert "workshop" in scratch.complete(2, "%use w")


def test_tab_completes_names_of_the_database(scratch):
    assert "products" in scratch.complete(2, "SELECT * FROM shop.pro")
    offered = scratch.complete(2, "SELECT * FROM shop.products p WHERE p.")
    assert {"sku", "price"} <= set(offered)


def test_shift_tab_shows_a_table(scratch):
    scratch.type(2, "SELECT * FROM shop.products")
    assert "CREATE TABLE shop.products" in scratch.tooltip()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_chart_is_drawn(scratch, theme):
    scratch.theme(theme)
    scratch.run_cell(1, "%plot bar --title 'Three towns' SELECT * FROM (VALUES ('Oslo', 3), ('Bergen', 5), ('Moss', 1)) t (town, shops)")
    drawn = scratch.page.locator(".jp-RenderedVegaCommon5 canvas, .jp-RenderedVegaCommon5 svg").first
    drawn.wait_for(state="visible")
    box = drawn.bounding_box()
    assert box["width"] > 400 and box["height"] > 250
    drawn.scroll_into_view_if_needed()
    scratch.page.screenshot(path=SCREENSHOTS / f"chart-{theme}.png", animations="disabled")
    scratch.theme("light")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_pool_has_a_timeline(scratch, theme):
    scratch.theme(theme)
    scratch.run_cell(0, "%pool open drawn --max 3 --replace")
    scratch.run_cell(1, "%%pool drawn --clients 6 --calls 5 --think 5ms --timeline\nSELECT pg_sleep(0.01)")
    drawn = scratch.page.locator(".jp-RenderedVegaCommon5 canvas, .jp-RenderedVegaCommon5 svg").first
    drawn.wait_for(state="visible")
    assert drawn.bounding_box()["width"] > 400 and drawn.bounding_box()["height"] > 150
    drawn.scroll_into_view_if_needed()
    scratch.page.screenshot(path=SCREENSHOTS / f"timeline-{theme}.png", animations="disabled")
    scratch.run_cell(0, "%pool close drawn")
    scratch.theme("light")


def test_a_large_result_does_not_freeze_the_page(scratch):
    """100,000 rows are read and 10,000 drawn, as many as can be asked for; then keys, Tab and scrolling go on as ever."""
    assert not errors(scratch.run_cell(0, "%connect workshop\n%set rows 10000\n%set fetch_limit 1000000"))
    rows = scratch.run_cell(1, "SELECT i, md5(i::text) AS hash, i * 1.5 AS price, now() AS at, 'text ' || i AS t FROM generate_series(1, 100000) i;", 120)
    shown = [output["data"].get("text/plain", "") for output in rows["outputs"]]  # a slow machine shows progress first
    assert "(10000 of 100000 rows shown)" in "".join(shown)
    assert scratch.page.locator(".jp-RenderedHTMLCommon tbody tr").count() >= 10000
    scratch.page.mouse.wheel(0, 3000)
    assert "products" in scratch.complete(2, "SELECT * FROM shop.pro")
    assert "7" in scratch.run_cell(2, "SELECT 3 + 4 AS sum;")["outputs"][0]["data"]["text/plain"]
    scratch.page.screenshot(path=SCREENSHOTS / "large.png", animations="disabled")
    scratch.run_cell(0, "%set rows 50\n%set fetch_limit 10000")
    scratch.run_cell(1, "SELECT 1;")


def test_a_plan_is_a_tree(scratch):
    scratch.run_cell(1, "%explain SELECT * FROM shop.products p JOIN shop.products q ON p.sku = q.sku ORDER BY p.price")
    text = scratch.measure("text", 1)
    assert "└─ " in text and "Sort Key: p.price" in text and "share" in text
    scratch.page.screenshot(path=SCREENSHOTS / "plan.png", animations="disabled")


def test_a_long_statement_shows_what_it_does(scratch):
    before = scratch.start_cell(1, "SELECT pg_sleep(60)")
    scratch.page.wait_for_function(r"() => /workshop\s+running \(/.test(document.body.innerText)")
    scratch.page.screenshot(path=SCREENSHOTS / "waiting.png", animations="disabled")
    for key in ("Escape", "i", "i"):
        scratch.page.keyboard.press(key)
    scratch.wait_cell(1, before)
    assert "running" not in scratch.measure("text", 1)


def test_progress_leaves_nothing_behind(scratch):
    """The first cell of Python shows that Python starts; afterwards neither the page nor the notebook has it."""
    cell = scratch.run_cell(1, "%%python\nprint('one')")
    assert [output.get("text") for output in cell["outputs"] if output.get("data") != {}] == ["one\n"]
    assert scratch.measure("text", 1).strip() == "one"


def test_shift_tab_shows_help(scratch):
    scratch.type(2, "%instance")
    help_text = scratch.tooltip()
    assert "create" in help_text and "resize" in help_text, help_text


def test_interrupt_stops_the_query_and_keeps_the_session(scratch):
    backend = scratch.run_cell(1, "SELECT pg_backend_pid() AS pid;")
    before = scratch.start_cell(2, "SELECT pg_sleep(60);")
    scratch.page.wait_for_function("() => labTest.kernelStatus() === 'busy'")
    for key in ("Escape", "i", "i"):
        scratch.page.keyboard.press(key)
    stopped = scratch.wait_cell(2, before)
    assert "57014" in errors(stopped)[0]
    after = scratch.run_cell(3, "SELECT pg_backend_pid() AS pid;")
    assert after["outputs"][0]["data"] == backend["outputs"][0]["data"]


@pytest.mark.parametrize("cell, wrong", [
    ("SELECT id,\n       nmae\nFROM   shop.customers;", "nmae"),
    ("SELECT 1;\n\nSELECT 'größer ✓', stokc FROM shop.products;", "stokc FROM shop.products;"),
])
def test_the_caret_stands_under_the_wrong_word(scratch, cell, wrong):
    assert errors(scratch.run_cell(4, cell))
    caret = scratch.measure("caret", 4)
    assert caret, "no line with a caret in the output"
    assert caret["widths"] == 1, f"not a monospace font: {caret}"
    assert caret["from"] == wrong, caret


@pytest.mark.parametrize("fault, html, found", [
    ("faint", '<p style="color:#999;background:#fff">faint</p>', lambda nb: nb.measure("faint", ".planted", READABLE)),
    ("faint", '<p style="opacity:0.3">faint</p>', lambda nb: nb.measure("faint", ".planted", READABLE)),
    ("wide", '<style>.planted { overflow: visible !important }</style><div style="width:3000px">far</div>',
     lambda nb: nb.measure("overflow")),
    ("cut", '<div style="overflow:hidden;width:20px;white-space:nowrap">a long text</div>',
     lambda nb: nb.measure("overflow")),
    ("caret", "<pre>SELECT nmae\n      ^</pre>", lambda nb: nb.measure("caret", 5)["from"] != "nmae"),
    ("caret", '<pre style="font-family:serif">SELECT iiii, nmae\n             ^</pre>',
     lambda nb: nb.measure("caret", 5)["widths"] > 1),
])
def test_the_measurements_find_a_planted_fault(scratch, fault, html, found):
    """The proof that the tests above can fail."""
    scratch.measure("plant", 5, html)
    try:
        assert found(scratch), fault
    finally:
        scratch.measure("plant", 5, "")
    assert not scratch.measure("overflow") and scratch.measure("caret", 5) is None
