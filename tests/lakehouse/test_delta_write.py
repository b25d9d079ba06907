"""We write, deltalake reads: rows, schema, history and the change feed of every table we make."""
import os
import signal
import subprocess
import time

import duckdb
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

import parquet
from delta_tool import Refused, delta  # noqa: F401

SCHEMA = [
    {"name": "id", "type": "BIGINT", "nullable": False, "comment": "the key"}, {"name": "name", "type": "STRING"},
    {"name": "price", "type": "DECIMAL(12,2)"}, {"name": "day", "type": "DATE"}, {"name": "at", "type": "TIMESTAMP"},
    {"name": "tags", "type": "ARRAY<STRING>"}, {"name": "more", "type": "STRUCT<a: INT, b: MAP<STRING, DOUBLE>>"}]
COLUMNS = tuple(c["name"] for c in SCHEMA)
FEED = {"delta.enableChangeDataFeed": "true"}


def select(first, last, name="'n' || i"):
    return (f"SELECT CAST(i AS BIGINT) AS id, {name} AS name, CAST(i AS DECIMAL(12,2)) AS price, DATE '2026-01-01' + CAST(i AS INT) AS day, "
            f"TIMESTAMPTZ '2026-01-01 00:00:00+00' AS at, [name] AS tags, {{'a': CAST(i AS INT), 'b': MAP {{'k': 0.5::DOUBLE}}}} AS more "
            f"FROM range({first}, {last}) t(i)")


def all_rows(root, *columns, version=None):
    return parquet.rows(parquet.arrow(DeltaTable(root, version=version).scan().read_all()), *columns)


def feed_rows(root, *columns, start=0):
    feed = parquet.arrow(DeltaTable(root).load_cdf(starting_version=start))
    return parquet.rows(feed, *columns, "_change_type", "_commit_version")


@pytest.fixture
def root(tmp_path):
    return str(tmp_path / "t")


@pytest.fixture
def table(delta, root):
    """Version 0: no rows; 1: ten rows; 2: row 3 changed and row 4 deleted, with change files."""
    delta.commit(root, operation="CREATE TABLE", metadata={"schema": SCHEMA, "configuration": FEED, "description": "ours"})
    delta.commit(root, read_version=0, add=[parquet.write(f"{root}/part-0.parquet", select(0, 10))])
    old = delta.snapshot(root)["files"][0]["uri"]
    changes = (f"SELECT *, 'update_preimage' AS _change_type FROM ({select(3, 4)}) UNION ALL "
               f"SELECT *, 'update_postimage' FROM ({select(3, 4, name=chr(39) + 'new' + chr(39))}) UNION ALL "
               f"SELECT *, 'delete' FROM ({select(4, 5)})")
    left = f"{select(0, 3)} UNION ALL {select(5, 10)} UNION ALL {select(3, 4, name=chr(39) + 'new' + chr(39))}"
    delta.commit(root, read_version=1, operation="UPDATE", remove=[old],
                 add=[parquet.write(f"{root}/part-1.parquet", left)],
                 cdc=[parquet.write(f"{root}/_change_data/cdc-1.parquet", changes)])
    return root


def test_rows(table):
    assert all_rows(table, *COLUMNS, version=0) == {}
    assert all_rows(table, *COLUMNS, version=1) == parquet.rows(duckdb.sql(select(0, 10)), *COLUMNS)
    now = all_rows(table, "id", "name")
    assert len(now) == 9 and now[("3", "new")] == 1 and ("4", "n4") not in now


def test_schema(table):
    theirs = DeltaTable(table)
    fields = {f.name: f for f in theirs.schema().fields}
    assert list(fields) == list(COLUMNS)
    assert not fields["id"].nullable and fields["name"].nullable
    assert fields["id"].metadata == {"comment": "the key"}
    assert theirs.metadata().description == "ours"
    protocol = theirs.protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 7)
    assert set(protocol.writer_features) == {"appendOnly", "invariants", "changeDataFeed", "inCommitTimestamp"}


def test_history(table, delta):
    theirs = DeltaTable(table).history()
    assert [(h["version"], h["operation"], h["userName"]) for h in theirs] == [
        (2, "UPDATE", "learner@example.com"), (1, "WRITE", "learner@example.com"), (0, "CREATE TABLE", "learner@example.com")]
    assert [h["timestamp"] for h in theirs] == [h["timestamp"] for h in delta.history(table)]


def test_change_feed(table):
    feed = feed_rows(table, "id", "name")
    assert {row for row in feed if row[3] == "2"} == {
        ("3", "n3", "update_preimage", "2"), ("3", "new", "update_postimage", "2"), ("4", "n4", "delete", "2")}
    assert sum(feed.values()) == 13


def test_commit_times_survive_a_copy(table, delta, tmp_path):
    before = [h["timestamp"] for h in delta.history(table)]
    for name in os.listdir(f"{table}/_delta_log"):
        os.utime(f"{table}/_delta_log/{name}", (1, 1))
    assert [h["timestamp"] for h in delta.history(table)] == before
    assert delta("at", table, before[1])["version"] == 1


def test_ntz(delta, root):
    delta.commit(root, metadata={"schema": [{"name": "n", "type": "TIMESTAMP_NTZ"}], "configuration": FEED})
    delta.commit(root, read_version=0, add=[parquet.write(f"{root}/a.parquet", "SELECT TIMESTAMP '2026-01-02 03:04:05' AS n")])
    assert all_rows(root, "n") == {("2026-01-02 03:04:05",): 1}
    assert feed_rows(root, "n") == {("2026-01-02 03:04:05", "insert", "1"): 1}
    assert DeltaTable(root).protocol().reader_features == ["timestampNtz"]


def test_partitions(delta, root):
    delta.commit(root, metadata={"schema": [{"name": "id", "type": "INT"}, {"name": "p", "type": "STRING"}],
                                 "partition_columns": ["p"], "configuration": FEED})
    values = ["one", "with blank", None]
    files = [{**parquet.write(f"{root}/p={i}/a b.parquet", f"SELECT CAST({i} AS INT) AS id"), "partition_values": {"p": v}}
             for i, v in enumerate(values)]
    delta.commit(root, read_version=0, add=files)
    assert all_rows(root, "id", "p") == {(str(i), v): 1 for i, v in enumerate(values)}
    assert feed_rows(root, "id", "p") == {(str(i), v, "insert", "1"): 1 for i, v in enumerate(values)}


def test_deltalake_writes_none_of_ours(table, delta):
    """It has no in-commit timestamps, and says so instead of writing a commit without."""
    with pytest.raises(CommitFailedError, match="InCommitTimestamp"):
        write_deltalake(table, duckdb.sql(select(20, 22)), mode="append")
    assert delta.snapshot(table)["version"] == 2


def test_both_write_a_table_of_deltalake(delta, root):
    write_deltalake(root, duckdb.sql("SELECT 1::BIGINT AS id"), configuration=FEED)
    delta.commit(root, read_version=0, add=[parquet.write(f"{root}/ours.parquet", "SELECT 2::BIGINT AS id")])
    write_deltalake(root, duckdb.sql("SELECT 3::BIGINT AS id"), mode="append")
    late = parquet.write(f"{root}/late.parquet", "SELECT 4::BIGINT AS id")
    with pytest.raises(Refused, match="CONFLICT.*version 2"):
        delta.commit(root, read_version=1, add=[late])
    delta.commit(root, read_version=2, add=[late])
    DeltaTable(root).delete("id = 2")
    assert all_rows(root, "id") == {("1",): 1, ("3",): 1, ("4",): 1}
    assert parquet.file_rows(delta.snapshot(root)["files"], "id") == all_rows(root, "id")
    assert feed_rows(root, "id") == {("1", "insert", "0"): 1, ("2", "insert", "1"): 1, ("3", "insert", "2"): 1,
                                     ("4", "insert", "3"): 1, ("2", "delete", "4"): 1}
    assert [f["version"] for f in delta.changes(root, 0)["files"]] == [0, 1, 2, 3, 4]


def test_killed_writers_lose_and_break_nothing(table, delta):
    """kill -9 anywhere: the log stays readable and contiguous, and what was answered is there. The delay chooses the moment of
    the kill, spread over what one commit takes; nothing waits on it."""
    path = parquet.write(f"{table}/k.parquet", select(50, 51))["path"]
    started = time.monotonic()
    delta.commit(table, read_version=2, add=[{"path": path}])
    takes, answered, killed = time.monotonic() - started, 0, 0
    for i in range(40):
        version = delta.snapshot(table)["version"]
        process = subprocess.Popen([delta.program, "commit", table], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdin.write(b'{"read_version": %d, "add": [{"path": "%s"}]}' % (version, path.encode()))
        process.stdin.close()
        if i % 4:  # the others end by themselves
            time.sleep(takes * i / 40)
            process.send_signal(signal.SIGKILL)
        said = process.stdout.read()
        process.stdout.close()
        killed += process.wait() != 0
        after = delta.snapshot(table)["version"]
        assert after in (version, version + 1)
        if said:
            assert after == version + 1
            answered += 1
    assert answered >= 10 and killed > 0
    assert DeltaTable(table).version() == delta.snapshot(table)["version"]
