"""deltalake writes, we read: snapshots, history, changes, and what we refuse."""
import json
import shutil

import duckdb
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

import parquet
from delta_tool import Refused, delta  # noqa: F401

FEED = {"delta.enableChangeDataFeed": "true"}


def people(first, last, extra=""):
    return duckdb.sql(f"SELECT i AS id, 'name ' || i AS name, CAST(i / 4 AS DECIMAL(12,2)) AS price, i % 3 AS part{extra} "
                      f"FROM range({first}, {last}) t(i)")


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """A table with a life: appends, updates, deletes, merges, rewrites, a new column."""
    root = str(tmp_path_factory.mktemp("busy") / "a table")
    write_deltalake(root, people(0, 40), partition_by=["part"], configuration=FEED, name="people", description="of a test")
    write_deltalake(root, people(40, 50), mode="append")
    table = DeltaTable(root)
    table.update(updates={"name": "'changed'"}, predicate="id < 5")
    table.delete("id >= 45")
    source = people(48, 55)
    table.merge(source, "t.id = s.id", source_alias="s", target_alias="t").when_matched_update_all() \
        .when_not_matched_insert_all().execute()
    table.merge(people(0, 2), "t.id = s.id", source_alias="s", target_alias="t").when_matched_delete().execute()
    table.optimize.compact()
    write_deltalake(root, people(60, 62, ", 'new' AS note"), mode="append", schema_mode="merge")
    write_deltalake(root, people(70, 75, ", NULL::VARCHAR AS note"), mode="overwrite")
    write_deltalake(root, people(80, 81, ", 'z' AS note"), mode="append",
                    commit_properties=CommitProperties(app_transactions=[Transaction("loader", 7)]))
    return root


def test_every_version(delta, busy):
    newest = DeltaTable(busy).version()
    assert newest >= 9
    for version in range(newest + 1):
        theirs, ours = DeltaTable(busy, version=version), delta.snapshot(busy, version)
        assert ours["version"] == version
        assert sorted(f["path"] for f in ours["files"]) == sorted(parquet.uri_path(u) for u in theirs.file_uris())
        assert [c["name"] for c in ours["schema"]] == [f.name for f in theirs.schema().fields]
        columns = [c["name"] for c in ours["schema"] if c["name"] != "note"]
        assert parquet.file_rows(ours["files"], *columns) == parquet.rows(parquet.arrow(theirs.scan().read_all()), *columns)
    assert delta.snapshot(busy)["version"] == newest


def test_metadata(delta, busy):
    theirs, ours = DeltaTable(busy), delta.snapshot(busy)
    meta = theirs.metadata()
    assert (ours["id"], ours["name"], ours["description"]) == (str(meta.id), "people", "of a test")
    assert ours["partition_columns"] == meta.partition_columns == ["part"]
    assert ours["configuration"] == meta.configuration
    assert ours["created_time"] == meta.created_time
    assert ours["min_writer"] == theirs.protocol().min_writer_version
    assert ours["transactions"] == {"loader": 7} and theirs.transaction_version("loader") == 7
    assert [(c["name"], c["type"], c["type_name"]) for c in ours["schema"]] == [
        ("id", "BIGINT", "LONG"), ("name", "STRING", "STRING"), ("price", "DECIMAL(12,2)", "DECIMAL"),
        ("part", "BIGINT", "LONG"), ("note", "STRING", "STRING")]


def test_history(delta, busy):
    theirs, ours = DeltaTable(busy).history(), delta.history(busy)
    assert [(h["version"], h["operation"]) for h in ours] == [(h["version"], h["operation"]) for h in theirs]
    assert [h["operationParameters"] for h in ours] == [h["operationParameters"] for h in theirs]
    assert len(delta.history(busy, 3)) == 3
    for h in ours:
        assert delta("at", busy, h["timestamp"])["version"] >= h["version"]


CDF = ("id", "name", "price", "part")


def theirs_changes(root, start, end):
    feed = parquet.arrow(DeltaTable(root).load_cdf(starting_version=start, ending_version=end))
    return parquet.rows(feed, *CDF, "_change_type", "_commit_version")


def our_changes(delta, root, start, end):
    found = {}
    for f in delta.changes(root, start, end)["files"]:
        columns = CDF + ("_change_type",) if f["kind"] == "cdc" else CDF
        extra = () if f["kind"] == "cdc" else (f["kind"],)
        for row, count in parquet.file_rows([f], *columns, extra=lambda _: extra).items():  # noqa: B023
            key = row + (str(f["version"]),)
            found[key] = found.get(key, 0) + count
    return found


def test_changes(delta, busy):
    newest = DeltaTable(busy).version()
    for start, end in [(0, newest), (2, 5), (6, 6), (newest, newest), (3, 4)]:
        assert our_changes(delta, busy, start, end) == dict(theirs_changes(busy, start, end)), (start, end)


def test_rearranged_rows_are_no_changes(delta, busy):
    optimized = [h["version"] for h in delta.history(busy) if h["operation"] == "OPTIMIZE"]
    assert optimized and delta.changes(busy, optimized[0], optimized[0])["files"] == []


def test_feed_was_off(delta, tmp_path):
    root = str(tmp_path / "t")
    write_deltalake(root, people(0, 3))
    DeltaTable(root).alter.set_table_properties(FEED)
    write_deltalake(root, people(3, 4), mode="append")
    with pytest.raises(Refused, match="INVALID_STATE.*feed was off at version 0"):
        delta.changes(root, 0)
    assert [f["kind"] for f in delta.changes(root, 1)["files"]] == ["insert"]


def test_vacuumed_feed(delta, tmp_path):
    root = str(tmp_path / "t")
    write_deltalake(root, people(0, 3), configuration=FEED)
    write_deltalake(root, people(3, 5), configuration=FEED, mode="overwrite")
    DeltaTable(root).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    with pytest.raises(Refused, match="INVALID_STATE.*version 0 is gone: its file"):
        delta.changes(root, 0)
    assert len(delta.snapshot(root)["files"]) == 1


@pytest.mark.parametrize("value", ["plain", "with blank", "per%20cent", "a:b/c", "ä€", "a=b&c+d", "q'uote", None])
def test_partition_values(delta, tmp_path, value):
    root = str(tmp_path / "t")
    literal = "NULL::VARCHAR" if value is None else "'" + value.replace("'", "''") + "'"
    write_deltalake(root, duckdb.sql(f"SELECT 1 AS id, {literal} AS p UNION ALL SELECT 2, 'other'"), partition_by=["p"])
    files = delta.snapshot(root)["files"]
    assert parquet.file_rows(files, "id", "p") == {("1", value): 1, ("2", "other"): 1}


def test_types(delta, tmp_path):
    root = str(tmp_path / "t")
    write_deltalake(root, duckdb.sql(
        "SELECT true AS a, 1::TINYINT AS b, 1::SMALLINT AS c, 1::INTEGER AS d, 1::BIGINT AS e, 1::FLOAT AS f, 1::DOUBLE AS g, "
        "1::DECIMAL(38,10) AS h, 'x' AS i, 'x'::BLOB AS j, DATE '2026-01-01' AS k, TIMESTAMPTZ '2026-01-01 00:00:00+00' AS l, "
        "TIMESTAMP '2026-01-01 00:00:00' AS m, [1, 2] AS n, MAP {'k': 1} AS o, {'x': 1, 'y z': ['q']} AS p"))
    ours = delta.snapshot(root)
    assert [c["type"] for c in ours["schema"]] == [
        "BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL(38,10)", "STRING", "BINARY", "DATE",
        "TIMESTAMP", "TIMESTAMP_NTZ", "ARRAY<INT>", "MAP<STRING, INT>", "STRUCT<x: INT, `y z`: ARRAY<STRING>>"]
    assert ours["min_reader"] == 3  # timestampNtz


def test_refused_feature(delta, tmp_path):
    root = tmp_path / "t"
    write_deltalake(str(root), people(0, 1))
    first = root / "_delta_log/00000000000000000000.json"
    lines = [json.loads(line) for line in first.read_text().splitlines()]
    for line in lines:
        if "protocol" in line:
            line["protocol"] = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["catalogManaged", "typeWidening"],
                                "writerFeatures": ["catalogManaged", "typeWidening"]}
    first.write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(Refused, match="NOT_IMPLEMENTED.*catalogManaged, typeWidening"):
        delta.snapshot(root)


def test_copied_table_reads_the_same(delta, busy, tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(busy, copy)
    assert len(delta.snapshot(copy)["files"]) == len(delta.snapshot(busy)["files"])
