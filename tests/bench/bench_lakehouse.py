#!/usr/bin/env python3
"""The lakehouse beside deltalake and plain DuckDB on the same files, in one run: `name ours unit peer theirs unit ratio`. Ours are statements
over the API, with the parse, the check of rights and the answer in the time; the peers are calls in a process that is warm. They take
turns, medians of ROUNDS. Usage: bench_lakehouse.py [SHARE of the sizes, 1]
"""
import contextlib
import shutil
import statistics
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import duckdb
from deltalake import DeltaTable, write_deltalake

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/workspace"), str(ROOT / "tests/sync")]
from conftest import Workspace, end_leftovers, short_dir  # noqa: E402
from syncs import many_commits  # noqa: E402
from api import Api  # noqa: E402
from lake import UC, Warehouse  # noqa: E402

SHARE = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
COMMITS, SCANNED, TARGET, CHANGES = (int(n * SHARE) for n in (10_000, 10_000_000, 2_000_000, 100_000))
ROUNDS, APPENDS = 5, 40
COLUMNS = "id, CAST(id % 1000 AS INT) AS a, concat('name ', id) AS name, CAST(id % 100000 AS DOUBLE) AS amount"


def line(name, ours, unit, peer, theirs):
    print(f"{name} {ours:.2f} {unit} {peer} {theirs:.2f} {unit} ratio {ours / theirs:.3f}", flush=True)


def ms(work):
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def turns(name, peer, ours, theirs, rounds=ROUNDS):
    pairs = [(ms(ours), ms(theirs)) for _ in range(rounds)]
    line(name, statistics.median(p[0] for p in pairs), "ms", peer, statistics.median(p[1] for p in pairs))


class Lake:
    def __init__(self, space, folder):
        self.api, self.folder = Api.of(space), folder
        self.warehouse = Warehouse(self.api)
        self.sql("CREATE SCHEMA IF NOT EXISTS main.bench")

    def sql(self, statement):
        seen = self.warehouse.run(statement)
        if seen["status"]["state"] in ("PENDING", "RUNNING"):
            seen = self.warehouse.end(seen["statement_id"], 600)
        assert seen["status"]["state"] == "SUCCEEDED", seen["status"]
        return seen["result"].get("data_array")

    def table(self, name, rows, properties=""):
        """Made by us; its folder."""
        self.sql(f"CREATE TABLE main.bench.{name} {properties} AS SELECT {COLUMNS} FROM range({rows})")
        return self.api.ok("GET", f"{UC}/tables/main.bench.{name}")["storage_location"].removeprefix("file://")

    def copy(self, root, name, **configuration):
        """The same rows in a table that a peer made: it does not write to ours (in-commit timestamps)."""
        write_deltalake(str(self.folder / name), duckdb.sql(f"SELECT * FROM read_parquet({DeltaTable(root).file_uris()})"), configuration=configuration)
        return str(self.folder / name)


def opening(lake):
    """Until the number of files is known."""
    root = lake.table("commits", 10)
    many_commits(root, 1, COMMITS, lambda version: f"SELECT {version}::BIGINT AS id, 1::INT AS a, 'v' AS name, 1.0::DOUBLE AS amount")

    def ours():
        assert lake.sql("DESCRIBE DETAIL main.bench.commits")

    def theirs():
        assert len(DeltaTable(root).file_uris()) == COMMITS + 1

    turns("open_commits", "deltalake", ours, theirs)
    DeltaTable(root).create_checkpoint()
    turns("open_commits_checkpoint", "deltalake", ours, theirs)


def scanning(lake):
    files = DeltaTable(lake.table("scanned", SCANNED)).file_uris()
    query = "SELECT sum(amount), count(DISTINCT a), max(name) FROM {}"
    with duckdb.connect() as plain:
        plain.execute("SET threads = 2")
        turns("scan", "duckdb", lambda: lake.sql(query.format("main.bench.scanned")),
              lambda: plain.execute(query.format(f"read_parquet({files})")).fetchall())


def merging(lake):
    root = lake.table("target", TARGET, "TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    lake.sql(f"CREATE TABLE main.bench.source AS SELECT id * 30 AS id, 7 AS a, 'changed' AS name, CAST(1.5 AS DOUBLE) AS amount FROM range({CHANGES})")
    theirs = lake.copy(root, "target", **{"delta.enableChangeDataFeed": "true"})
    rows = duckdb.sql(f"SELECT (range * 30)::BIGINT AS id, 7::INT AS a, 'changed' AS name, 1.5::DOUBLE AS amount FROM range({CHANGES})")

    def merge():
        (DeltaTable(theirs).merge(rows, "t.id = s.id", source_alias="s", target_alias="t").when_matched_update_all()
         .when_not_matched_insert_all().execute())

    turns("merge", "deltalake", lambda: lake.sql("MERGE INTO main.bench.target t USING main.bench.source s ON t.id = s.id WHEN MATCHED THEN UPDATE SET * "
                                                 "WHEN NOT MATCHED THEN INSERT *"), merge, rounds=3)


def changes(lake):
    root = lake.table("fed", TARGET, "TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    lake.sql(f"UPDATE main.bench.fed SET a = a + 1 WHERE id < {CHANGES // 2}")
    version = DeltaTable(root).version()

    def theirs():
        reader = DeltaTable(root).load_cdf(starting_version=version, ending_version=version)
        assert sum(batch.num_rows for batch in reader) == CHANGES

    def ours():
        assert lake.sql(f"SELECT count(*), sum(amount), max(name) FROM table_changes('main.bench.fed', {version}, {version})")[0][0] == str(CHANGES)

    turns("changes", "deltalake", ours, theirs)


def appending(lake):
    root = lake.table("small", 10)
    theirs = lake.copy(root, "small")
    row = duckdb.sql("SELECT 1::BIGINT AS id, 1::INT AS a, 'v' AS name, 1.5::DOUBLE AS amount")
    turns("append_row", "deltalake", lambda: lake.sql("INSERT INTO main.bench.small VALUES (1, 1, 'v', 1.5)"),
          lambda: write_deltalake(theirs, row, mode="append"), rounds=APPENDS)


def main():
    state, folder = short_dir("lbb-"), short_dir("lbp-")
    space = Workspace(state)
    print(f"# {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, {COMMITS} commits, {SCANNED} rows scanned, {CHANGES} changes into {TARGET} rows", flush=True)
    try:
        lake = Lake(space.start(), folder)
        for part in (appending, opening, scanning, changes, merging):
            part(lake)
    finally:
        with contextlib.suppress(Exception):
            space.run("reset", "--yes")
        end_leftovers(state)
        shutil.rmtree(state, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


main()
