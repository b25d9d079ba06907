"""What must hold for every notebook before anything runs: names, titles, tags, links, images, checks, stored outputs."""
import json
import re
from xml.etree import ElementTree

import nbformat
import pytest

import notebook_tools as tools

ALLOWED_TAGS = {tools.IGNORED, "raises-exception", "exercise", "solution", "check", "catch-up"}
IGNORED_CAP = 5  # cells of one notebook whose output nbval does not compare
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
CHECK = re.compile(r"^%lab check (\S+)\s*$", re.M)
# a password that is a variable is none: password=credential.token
SECRETS = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+|dapi[0-9a-f]{16,}|password=(?![a-z_.]+(?:\(\))?[,)])\S+|-----BEGIN", re.I)
FOR_THE_LEARNER = re.compile(r"(--.*\n?)+|%%python\n(#.*\n?)+|%%warehouse\n(--.*\n?)+")

pytestmark = pytest.mark.parametrize("path", tools.notebooks(), ids=lambda path: path.stem)


@pytest.fixture
def notebook(path):
    return tools.read(path)


def test_name_and_title(path, notebook):
    assert path.stem in tools.TITLES, f"no notebook of the workshop has this name: {path.name}"
    assert notebook.cells[0].source.splitlines()[0] == f"# {tools.TITLES[path.stem]}"


def test_format(path, notebook):
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "lakebase"
    assert notebook.metadata.language_info.name == "sql"
    ids = [cell["id"] for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    for name in ids:
        assert re.fullmatch(r"[a-z][a-z0-9-]{2,}", name), f"the id of a cell is its name, not a random one: {name}"
    stored = path.read_text()
    assert stored == json.dumps(json.loads(stored), indent=1, ensure_ascii=False, sort_keys=True) + "\n", \
        "not as tests/notebooks/execute.py writes it"


def test_tags(path, notebook, capsys):
    ignored = []
    for cell in notebook.cells:
        assert set(tools.tags(cell)) <= ALLOWED_TAGS, cell["id"]
        if tools.IGNORED in tools.tags(cell):
            ignored.append(cell["id"])
    with capsys.disabled():
        print(f"\n{path.stem}: {len(tools.code_cells(notebook))} code cells, nbval ignores the output of "
              f"{len(ignored)} (cap {IGNORED_CAP}): {', '.join(ignored)}")
    assert len(ignored) <= IGNORED_CAP


def test_executed_and_stored(path, notebook):
    counts = [cell.execution_count for cell in tools.code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1)), "run tests/notebooks/execute.py"
    assert notebook.metadata.lakebase.postgresql.isdigit()
    for cell in tools.code_cells(notebook):
        failed = [output for output in cell.outputs if output.output_type == "error"]
        assert bool(failed) == ("raises-exception" in tools.tags(cell)), cell["id"]
        assert "execution" not in cell.metadata, "timings are not stored"
        for output in cell.outputs:
            assert not output.get("metadata"), f"{cell['id']}: metadata of outputs is not stored"


def test_no_secrets(path):
    found = SECRETS.search(path.read_text())
    assert not found, f"looks like a secret: {found.group()[:12]}…"


def test_images_and_links(path, notebook):
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        for alt, target in IMAGE.findall(cell.source):
            assert len(alt.split()) >= 8, f"{cell['id']}: alt text must say what the picture says: {target}"
            image = (path.parent / target).resolve()
            assert image.is_file() and image.parent == tools.ROOT / "images", f"{cell['id']}: {target}"
        for target in LINK.findall(cell.source):
            if not re.match(r"https?://|#", target):
                assert (path.parent / target.split("#")[0]).exists(), f"{cell['id']}: {target}"


def test_first_code_cell_is_workspace(path, notebook):
    assert tools.code_cells(notebook)[0].source.startswith("%workspace")


def test_one_idea_a_cell(path, notebook):
    """Code is introduced by text, and a cell fits on a screen."""
    for cell in tools.code_cells(notebook):
        assert len(cell.source.splitlines()) <= 20, cell["id"]
    previous = 0
    for cell in notebook.cells:
        previous = previous + 1 if cell.cell_type == "code" else 0
        assert previous <= 3, f"{cell['id']}: more than three code cells without a word"


def test_exercises(path, notebook):
    """exercise, then a folded solution, then a check that exists; every section of a lab ends so."""
    cells = notebook.cells
    exercises = [n for n, cell in enumerate(cells) if "exercise" in tools.tags(cell)]
    if "_lab_" in path.stem:
        sections = [cell for cell in cells if cell.cell_type == "markdown" and re.match(r"## \d ", cell.source)]
        assert sections and len(exercises) == len(sections)
    for n in exercises:
        assert cells[n - 1].cell_type == "markdown" and "### Exercise" in cells[n - 1].source
        assert FOR_THE_LEARNER.fullmatch(cells[n].source), "an exercise is for the learner"
        assert "solution" in tools.tags(cells[n + 1]) and cells[n + 1].metadata.jupyter.source_hidden is True
        assert cells[n + 1].source.startswith("-- One solution:\n"), "JupyterLab shows the first line of a folded cell"
        assert "check" in tools.tags(cells[n + 2])
    for cell in tools.code_cells(notebook):
        named = CHECK.findall(cell.source)
        assert bool(named) == ("check" in tools.tags(cell)), cell["id"]
        for check in named:
            assert check in check_ids(), f"no such check: {check}"


def test_slides(path, notebook):
    """A lecture can be presented: each cell knows its place in the slides, and no slide is a long page."""
    kinds = [cell.metadata.get("slideshow", {}).get("slide_type") for cell in notebook.cells]
    if "_lecture_" not in path.stem:
        assert not any(kinds)
        return
    assert set(kinds) <= {"slide", "subslide", "fragment", "-", "skip", "notes"} and kinds[0] == "slide"
    assert sum(cell.source.count("**Question.**") for cell in notebook.cells) >= 5, "a lecture asks before it answers"
    slides = []
    for cell, kind in zip(notebook.cells, kinds):
        if kind in ("slide", "subslide"):
            slides.append([])
        if kind in ("slide", "subslide", "fragment", "-"):
            slides[-1].append(cell)
    for cells in slides:
        lines = sum(len(cell.source.splitlines()) for cell in cells)
        assert lines <= 40, f"{cells[0]['id']}: {lines} lines on one slide"


def test_objectives(path):
    """Each of the five objectives has cells that exist and checks that exist; the table names no others."""
    text = (tools.NOTEBOOKS / "README.md").read_text().partition("## Objectives")[2].partition("\n## ")[0]
    rows = [[part.strip() for part in line.strip("|").split("|")] for line in text.splitlines() if re.match(r"\| \d", line)]
    assert [row[0][0] for row in rows] == ["1", "2", "3", "4", "5"]
    ids = {int(each.stem[:2]): {cell["id"] for cell in tools.read(each).cells} for each in tools.notebooks()}
    for objective, cells, checks in rows:
        for place in cells.split(";"):
            number, names = place.split(":")
            for name in names.split(","):
                assert name.strip() in ids[int(number)], f"{objective}: notebook {number} has no cell {name.strip()}"
        named = {name.strip() for name in checks.split(",")}
        assert named and named <= check_ids(), f"{objective}: {named - check_ids()}"


def check_ids():
    found = {path.stem: json.loads(path.read_text()) for path in tools.CHECKS.glob("*.json")}
    for name, document in found.items():
        assert document["id"] == name
        assert all({"title", "message", "expect"} <= set(check) for check in document["checks"]) and document["hints"]
    return set(found)


def test_every_check_is_used(path):
    used = {name for each in tools.notebooks() for cell in tools.code_cells(tools.read(each))
            for name in CHECK.findall(cell.source)}
    # %lab catch-up N asks this one before it runs the cells of notebook N that are tagged so
    used |= {f"{int(each.stem[:2])}-untouched" for each in tools.notebooks()
             if any("catch-up" in tools.tags(cell) for cell in tools.read(each).cells)}
    assert check_ids() == used


def test_svg(path):
    """Diagrams stand alone: well-formed, titled, described, no script, nothing fetched."""
    for image in sorted((tools.ROOT / "images").glob("*.svg")):
        root = ElementTree.parse(image).getroot()
        space = "{http://www.w3.org/2000/svg}"
        assert root.tag == f"{space}svg" and root.get("viewBox"), image.name
        assert root.find(f"{space}title").text and root.find(f"{space}desc").text, image.name
        text = image.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"<script|<image|<foreignObject|href=|http:|https:|@import|\bon\w+=", text), image.name
