"""Deletion vectors through the engine: rows, change feed, time travel and DML agree with deltalake."""
import duckdb
import pytest
from deltalake import DeltaTable, QueryBuilder, write_deltalake

import vectors
from engine import Engine

ROWS = 400_000
STEPS = [[3, 4, 7, 11], list(range(0, 400_000, 17)) + [399_999], [4, 50_000], None, [0]]


@pytest.fixture(scope="module")
def engine():
    """t: a masked file (others at each version) beside one that never is; p: the same, partitioned."""
    engine = Engine()
    root = str(engine.root / "t")
    write_deltalake(root, duckdb.sql(f"SELECT i AS id FROM range({ROWS}) t(i)"), configuration={"delta.enableChangeDataFeed": "true"})
    add = vectors.allow(root)
    for version, rows in enumerate(STEPS, 1):
        make = vectors.in_line if version % 2 else lambda r: vectors.stored(root, r)
        add = vectors.mask(root, version, add, make(rows) if rows else None)
    engine.tables[("main", "default", "t")] = {"location": root, "columns": []}
    yield engine
    engine.close()


def theirs(root, version):
    table = QueryBuilder().register("t", DeltaTable(root, version=version)).execute("SELECT count(*), sum(id) FROM t").read_all()
    return [[str(v) for v in duckdb.from_arrow(table).fetchall()[0]]]


def test_every_version(engine):
    root = engine.location("t")
    for version in range(len(STEPS) + 1):
        assert engine.rows(f"SELECT count(*), sum(id) FROM t VERSION AS OF {version}") == theirs(root, version), version
    assert engine.rows("SELECT a.id FROM t VERSION AS OF 0 a ANTI JOIN t b ON a.id = b.id") != []


def test_changes(engine):
    rows = engine.rows("SELECT _commit_version, _change_type, count(*) FROM table_changes('t', 1) GROUP BY ALL ORDER BY 1, 2")
    sets = [set(rows or []) for rows in [[]] + STEPS]
    expect = []
    for version, (before, after) in enumerate(zip(sets, sets[1:]), 1):
        for kind, count in (("delete", len(after - before)), ("insert", len(before - after))):
            if count:
                expect.append([str(version), kind, str(count)])
    assert rows == expect


def test_dml_is_refused_or_right(engine):
    """Whatever our writer says to the feature, no masked row comes back."""
    from engine import SqlError
    before = engine.rows("SELECT count(*), sum(id) FROM t")
    try:
        hit = engine.rows("UPDATE t SET id = id + 0 WHERE id < 10")
    except SqlError as error:
        assert error.error_class == "DELTA_UNSUPPORTED_FEATURES_FOR_WRITE"
    else:
        assert hit == [["9"]] or hit == [["10"]]
    assert engine.rows("SELECT count(*), sum(id) FROM t") == before
