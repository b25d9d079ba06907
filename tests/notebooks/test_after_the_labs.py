"""What must hold once the labs have run: the lakehouse's tables are what an independent Delta reader sees, synced tables equal
their sources, and no secret is anywhere it should not be."""
import os
import re
import sys
from pathlib import Path

import pytest

import notebook_tools as tools
from conftest import files_below, processes_of, running_workspace
from lab_kernel import Kernel

sys.path += [str(Path(__file__).resolve().parents[1] / "sync"), str(Path(__file__).resolve().parents[1] / "workspace")]
from syncs import SYNCED, Lab, delta_rows, plain  # noqa: E402

TOKEN = re.compile(rb"eyJ[\w-]{16,}\.[\w-]{16,}\.[\w-]{16,}|dapi[0-9a-f]{16,}")
LABS = [path for path in tools.notebooks() if "_lab_" in path.stem]


@pytest.fixture(scope="module")
def done(kernelspec):
    """Every lab has run in one workspace, each in its own kernel as in JupyterLab; the kernels are still there."""
    with running_workspace() as workspace:
        kernels, shown = [], []
        try:
            for path in LABS:
                kernels.append(Kernel(workspace.environ))
                for cell in tools.code_cells(tools.read(path)):
                    error, text = kernels[-1].run(cell.source)
                    shown.append((path.stem, cell["id"], text + str(error)))
                    assert bool(error) == ("raises-exception" in tools.tags(cell)), (path.stem, cell["id"], error)
            yield workspace, shown
        finally:
            for kernel in kernels:
                kernel.close()


class Look(Lab):
    """A Lab that makes nothing."""

    def __init__(self, space):
        self.space = space
        self.open()


def test_synced_tables_equal_their_sources(done):
    lab = Look(done[0])
    tables = lab.api.ok("GET", "/api/2.0/database/instances/workshop/synced_tables").get("synced_tables", [])
    assert len(tables) >= 5
    for table in tables:
        status, spec = table["data_synchronization_status"], table["spec"]
        source, key = spec["source_table_full_name"], spec["primary_key_columns"]
        theirs = delta_rows(lab.root(source), status["last_sync"]["delta_table_sync_info"]["delta_commit_version"])
        if spec.get("timeseries_key"):
            newest = {}
            for row in sorted(theirs, key=lambda row: row[spec["timeseries_key"]]):
                newest[tuple(row[k] for k in key)] = row
            theirs = list(newest.values())
        with lab.connect() as pg:
            cursor = pg.execute("SELECT * FROM " + table["name"].partition(".")[2])
            names = [c.name for c in cursor.description]
            ours = [dict(zip(names, map(plain, row))) for row in cursor.fetchall()]
        assert sorted(map(repr, ours)) == sorted(map(repr, theirs)), table["name"]


def test_deltalake_reads_the_tables(done):
    """Rows, history and change feed of every Delta table that the labs made, as the warehouse tells of them."""
    from deltalake import DeltaTable
    import duckdb
    lab = Look(done[0])
    found = lab.api.ok("GET", "/api/2.1/unity-catalog/tables?catalog_name=main&schema_name=analytics")["tables"]
    assert {table["name"] for table in found} >= {"scores", "recommendations", "visits"}
    for table in found:
        name, delta = table["full_name"], DeltaTable(lab.root(table["full_name"]))
        history = lab.sql(f"DESCRIBE HISTORY {name}")
        theirs = [entry for entry in delta.history()]
        assert [int(row[0]) for row in history] == [entry["version"] for entry in theirs]
        assert [row[3] for row in history] == [entry["operation"] for entry in theirs]
        assert int(lab.sql(f"SELECT count(*) FROM {name}")[0][0]) == len(delta_rows(lab.root(name), delta.version()))
        if name.endswith(".visits"):
            continue  # its feed was off at first
        ours = lab.sql(f"SELECT _change_type, _commit_version FROM table_changes('{name}', 0)")
        feed = duckdb.from_arrow(delta.load_cdf(starting_version=0)).project("_change_type, _commit_version::VARCHAR").fetchall()
        assert sorted(map(tuple, ours)) == sorted(feed), name


def test_no_secret_was_shown(done):
    for notebook, cell, text in done[1]:
        assert not TOKEN.search(text.encode()), f"{notebook}: {cell}"


def test_no_secret_lies_around(done):
    """Logs, history and the environment of every process; the two files that hold secrets for clients are theirs alone."""
    workspace = done[0]
    allowed = {"databrickscfg", "workspace.db", "workspace.db-wal", "pgpass", "token-key.pem"}
    looked = 0
    folders = [workspace.state_dir, Path(os.environ["HOME"])]
    for path, content in (found for folder in folders for found in files_below(folder)):
        if path.name in allowed or "lakehouse/tables" in str(path):
            continue
        if path.suffix in (".log", ".sqlite", ".json", ".sqlite-wal", "") and len(content) < 50_000_000:
            looked += 1
            assert not TOKEN.search(content), path
    for pid in processes_of(workspace.state_dir):
        for name in ("environ", "cmdline"):
            looked += 1
            try:
                content = Path(f"/proc/{pid}/{name}").read_bytes()
            except OSError:
                continue
            assert not TOKEN.search(content), (pid, name)
    assert looked > 50
