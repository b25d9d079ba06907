"""OPTIMIZE, RESTORE and VACUUM: no row is lost, deltalake reads the same, and who follows the change feed sees what it should."""
import json
import os
import random
import time
from pathlib import Path

import pytest
from deltalake import DeltaTable, write_deltalake

import duckdb
import vectors
from engine import Engine, SqlError
from test_engine import engine, history, our_feed, people, their_feed, theirs  # noqa: F401 (fixtures)


def files_of(engine, name):  # noqa: F811
    return [Path(path.removeprefix("file://")) for path in DeltaTable(engine.location(name)).file_uris()]


def on_disk(engine, name):  # noqa: F811
    return sorted(p for p in Path(engine.location(name)).rglob("*.parquet") if "_delta_log" not in p.parts)


def age(paths, hours):
    then = time.time() - hours * 3600
    for path in paths:
        os.utime(path, (then, then))


@pytest.fixture
def many(engine):  # noqa: F811
    """Twelve commits of one row, in three partitions, with the change feed."""
    engine.run("CREATE TABLE many (id BIGINT, part STRING, at DATE) USING DELTA PARTITIONED BY (part) "
               "TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    for i in range(12):
        part = ["'a/b c'", "'ü'", "NULL"][i % 3]
        engine.run(f"INSERT INTO many VALUES ({i}, {part}, DATE'2024-01-{i + 1:02}')")
    return engine


# ---- OPTIMIZE

def test_small_files_become_one_for_each_partition(many):
    before, version = theirs(many, "many"), DeltaTable(many.location("many")).version()
    done = many.run("OPTIMIZE many")
    assert done.names == ["path", "metrics"] and done.rows[0][0] == many.location("many")
    said = json.loads(done.rows[0][1])
    assert (said["numFilesAdded"], said["numFilesRemoved"], said["partitionsOptimized"]) in [(3, 12, 3), ("3", "12", "3")]
    assert theirs(many, "many") == before and len(files_of(many, "many")) == 3
    assert history(many, "many")[0] == "OPTIMIZE" and done.done.get("target") is None
    assert sorted(row[0] for row in our_feed(many, "many", "id", 1)) == list(range(12))  # deltalake finds no encoded folders in a feed
    assert many.rows(f"SELECT count(*) FROM table_changes('many', {version + 1})") == [["0"]]
    assert theirs(many, "many", version=version) == before
    many.run("INSERT INTO many VALUES (99, 'ü', NULL)")
    again = many.run("OPTIMIZE many")
    assert len(files_of(many, "many")) == 3 and json.loads(again.rows[0][1])["partitionsOptimized"] in (1, "1")


def test_nothing_to_do_is_no_commit(many):
    many.run("OPTIMIZE many")
    version = DeltaTable(many.location("many")).version()
    assert json.loads(many.rows("OPTIMIZE many")[0][1])["numFilesAdded"] in (0, "0")
    assert DeltaTable(many.location("many")).version() == version


def test_optimize_leaves_masked_rows_out(engine):  # noqa: F811
    root = str(engine.root / "masked")
    write_deltalake(root, duckdb.sql("SELECT i AS id FROM range(1000) t(i)"), configuration={"delta.enableChangeDataFeed": "true"})
    add = vectors.allow(root)
    vectors.mask(root, 1, add, vectors.in_line([1, 5, 7]))
    engine.tables[("main", "default", "masked")] = {"location": root, "columns": []}
    try:
        engine.run("OPTIMIZE masked")
    except SqlError as error:
        assert error.error_class == "DELTA_UNSUPPORTED_FEATURES_FOR_WRITE"
        return
    assert engine.rows("SELECT count(*), sum(id) FROM masked") == [["997", str(sum(range(1000)) - 13)]]
    adds = [json.loads(line)["add"] for line in sorted(Path(root, "_delta_log").glob("*.json"))[-1].read_text().splitlines() if '"add"' in line]
    assert len(adds) == 1 and "deletionVector" not in adds[0] and not adds[0]["dataChange"]
    assert engine.rows("SELECT count(*) FROM table_changes('masked', 2)") == [["0"]]


@pytest.mark.parametrize("sql, name", [
    ("OPTIMIZE many WHERE id > 1", "UNSUPPORTED_FEATURE"), ("OPTIMIZE many ZORDER BY (id)", "UNSUPPORTED_FEATURE"),
    ("OPTIMIZE many FULL", "UNSUPPORTED_FEATURE"), ("OPTIMIZE", "PARSE_SYNTAX_ERROR"), ("OPTIMIZE none", "TABLE_OR_VIEW_NOT_FOUND"),
    ("RESTORE TABLE many", "INVALID_TIME_TRAVEL_SPEC"), ("RESTORE many TO VERSION AS OF", "INVALID_TIME_TRAVEL_SPEC"),
    ("RESTORE many TO VERSION AS OF -1", "INVALID_TIME_TRAVEL_SPEC"), ("RESTORE many TO VERSION AS OF 99", "DELTA_CANNOT_RESTORE_TABLE_VERSION"),
    ("RESTORE many TO TIMESTAMP AS OF '2001-01-01'", "DELTA_TIMESTAMP_EARLIER_THAN_COMMIT_RETENTION"),
    ("VACUUM many RETAIN 0 HOURS", "DELTA_VACUUM_RETENTION_PERIOD_TOO_SHORT"), ("VACUUM many RETAIN 1e9 HOURS", "DELTA_INVALID_INTERVAL"),
    ("VACUUM many RETAIN HOURS", "PARSE_SYNTAX_ERROR"), ("VACUUM many DRY", "PARSE_SYNTAX_ERROR"),
])
def test_refused(many, sql, name):
    version = DeltaTable(many.location("many")).version()
    with pytest.raises(SqlError) as error:
        many.run(sql)
    assert error.value.error_class == name
    assert DeltaTable(many.location("many")).version() == version and len(on_disk(many, "many")) == 12


# ---- RESTORE

def test_restore_brings_rows_columns_and_properties_back(people):  # noqa: F811
    before = theirs(people, "people")
    people.run("ALTER TABLE people ADD COLUMN more STRING")
    people.run("ALTER TABLE people SET TBLPROPERTIES ('mine' = 'yes')")
    people.run("INSERT INTO people VALUES (4, 'Dee', 1, 'x')")
    people.run("DELETE FROM people WHERE id = 1")
    done = people.run("RESTORE TABLE people TO VERSION AS OF 1")
    assert done.names == ["table_size_after_restore", "num_of_files_after_restore", "num_removed_files", "num_restored_files",
                          "removed_files_size", "restored_files_size"]
    assert int(done.rows[0][1]) == 1 and int(done.rows[0][3]) == 1 and int(done.rows[0][2]) >= 1
    assert theirs(people, "people") == before and history(people, "people")[0] == "RESTORE"
    assert [c["name"] for c in people.tables[("main", "default", "people")]["columns"]] == ["id", "name", "age"]
    assert "mine" not in DeltaTable(people.location("people")).metadata().configuration
    people.run("INSERT INTO people VALUES (5, 'Eve', 2)")
    assert len(theirs(people, "people")) == 4


def test_restore_is_in_the_change_feed(people):  # noqa: F811
    people.run("UPDATE people SET age = 1 WHERE id = 1")
    people.run("INSERT INTO people VALUES (4, 'Dee', 1)")
    version = DeltaTable(people.location("people")).version()
    people.run("RESTORE people VERSION AS OF 1")
    changes = people.rows(f"SELECT _change_type, id, age FROM table_changes('people', {version + 1})")
    balance = {}
    for kind, *row in changes:
        balance[tuple(row)] = balance.get(tuple(row), 0) + (1 if kind in ("insert", "update_postimage") else -1)
    assert {row: n for row, n in balance.items() if n} == {("1", "30"): 1, ("1", "1"): -1, ("4", "1"): -1}
    assert our_feed(people, "people", "id", version + 1) == their_feed(people, "people", "id", version + 1)


def test_restore_to_a_moment_and_to_now(people):  # noqa: F811
    at = DeltaTable(people.location("people")).history(1)[0]["timestamp"]
    people.run("DELETE FROM people WHERE id > 1")
    stamp = duckdb.sql(f"SELECT strftime(make_timestamp({at} * 1000), '%Y-%m-%dT%H:%M:%S.%gZ')").fetchall()[0][0]
    people.run(f"RESTORE TABLE people TO TIMESTAMP AS OF '{stamp}'")
    assert len(theirs(people, "people")) == 3
    version = DeltaTable(people.location("people")).version()
    people.run(f"RESTORE TABLE people TO VERSION AS OF {version}")
    assert DeltaTable(people.location("people")).version() == version  # nothing to do, no commit


# ---- VACUUM

def test_vacuum_takes_what_no_version_of_the_week_needs(many):
    many.run("OPTIMIZE many")
    stray = Path(many.location("many")) / "stray.parquet"
    stray.write_bytes(b"left by a crash")
    assert many.rows("VACUUM many") == [[many.location("many")]] and len(on_disk(many, "many")) == 16  # all are new
    age(on_disk(many, "many"), 200)
    assert many.rows("VACUUM many DRY RUN") == [[str(stray)]]  # the others went out of the table a moment ago
    many.run("VACUUM many")
    assert not stray.exists() and len(on_disk(many, "many")) == 15
    assert history(many, "many")[:2] == ["VACUUM END", "VACUUM START"]
    before = theirs(many, "many")
    many.run("ALTER TABLE many SET TBLPROPERTIES ('delta.deletedFileRetentionDuration' = 'interval 0 hours')")
    assert len(many.rows("VACUUM many RETAIN 0 HOURS DRY RUN")) == 12
    many.run("VACUUM many RETAIN 0 HOURS")
    assert theirs(many, "many") == before and sorted(files_of(many, "many")) == on_disk(many, "many")
    with pytest.raises(SqlError) as error:
        many.run("RESTORE TABLE many TO VERSION AS OF 3")
    assert error.value.error_class == "DELTA_FILE_NOT_FOUND_DETAILED" and theirs(many, "many") == before
    many.run("INSERT INTO many VALUES (100, 'ü', NULL)")
    assert len(theirs(many, "many")) == 13


def test_vacuum_knows_what_a_checkpoint_says(many):
    """Removes of long ago are in checkpoints only; they decide just as those in commits."""
    many.run("OPTIMIZE many")
    for i in range(9):
        many.run(f"UPDATE many SET at = NULL WHERE id = {i}")
    assert list(Path(many.location("many"), "_delta_log").glob("*.checkpoint.parquet"))
    age([p for p in on_disk(many, "many") if "_change_data" not in p.parts], 200)
    assert many.rows("VACUUM many DRY RUN") == []
    before = theirs(many, "many", version=13)
    assert len(before) == 12


def test_change_files_go_with_the_rows(many):
    many.run("UPDATE many SET at = NULL")
    changes = [p for p in on_disk(many, "many") if "_change_data" in p.parts]
    assert changes
    many.run("ALTER TABLE many SET TBLPROPERTIES ('delta.deletedFileRetentionDuration' = 'interval 2 hours')")
    age(changes, 3)
    many.run("VACUUM many")
    assert not [p for p in changes if p.exists()]
    with pytest.raises(SqlError):
        many.rows("SELECT * FROM table_changes('many', 13)")


# ---- all together

@pytest.mark.parametrize("seed", range(3))
def test_random_maintenance(engine, seed):  # noqa: F811
    """Whatever comes between, the table is what a dictionary says, for us and for deltalake; RESTORE goes to any version."""
    dice = random.Random(seed)
    engine.run("CREATE TABLE t (id BIGINT, v INT) USING DELTA TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    versions = {0: {}}
    rows = {}
    for step in range(40):
        kind = dice.choice(["insert", "insert", "update", "delete", "optimize", "restore", "vacuum"])
        if kind == "insert":
            new = {dice.randrange(1000) * 1000 + step: dice.randrange(99) for _ in range(dice.randrange(1, 5))}
            engine.run("INSERT INTO t VALUES " + ", ".join(f"({k}, {v})" for k, v in new.items()))
            rows = {**rows, **new}
        elif kind == "update":
            engine.run("UPDATE t SET v = v + 1 WHERE id % 2 = 0")
            rows = {k: v + (k % 2 == 0) for k, v in rows.items()}
        elif kind == "delete":
            engine.run("DELETE FROM t WHERE id % 5 = 1")
            rows = {k: v for k, v in rows.items() if k % 5 != 1}
        elif kind == "restore":
            version = dice.choice(sorted(versions))
            engine.run(f"RESTORE TABLE t TO VERSION AS OF {version}")
            rows = dict(versions[version])
        else:
            engine.run("OPTIMIZE t" if kind == "optimize" else "VACUUM t")
        versions[DeltaTable(engine.location("t")).version()] = dict(rows)
        assert theirs(engine, "t") == sorted(rows.items(), key=repr), (step, kind)
    for version, was in versions.items():
        assert sorted((int(a), int(b)) for a, b in engine.rows(f"SELECT * FROM t VERSION AS OF {version}")) == sorted(was.items())
    now = {}
    for kind, key, value in engine.rows("SELECT _change_type, id, v FROM table_changes('t', 0) ORDER BY _commit_version, "
                                        "_change_type IN ('insert', 'update_postimage')"):
        if kind in ("insert", "update_postimage"):
            now[int(key)] = int(value)
        else:
            now.pop(int(key), None)
    assert now == rows
