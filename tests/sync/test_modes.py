"""Each mode, each kind of change, and what is refused: source and target compared by deltalake and psycopg."""
from pathlib import Path

import psycopg
import pytest

from syncs import LEARNER, SYNCED, Lab, many_commits


@pytest.fixture(scope="module")
def lab(workspace):
    return Lab(workspace)


def changes(lab, source):
    """One commit of each kind, key changes among them."""
    yield lab.sql(f"INSERT INTO {source} VALUES (4, 'four'), (5, NULL)")
    yield lab.sql(f"UPDATE {source} SET v = 'TWO' WHERE id = 2")
    yield lab.sql(f"DELETE FROM {source} WHERE id = 1")
    yield lab.sql(f"UPDATE {source} SET id = id + 100 WHERE id IN (4, 5)")
    yield lab.sql(f"MERGE INTO {source} t USING (SELECT 2 AS id, 'merged' AS v UNION ALL SELECT 7, 'seven') s ON t.id = s.id "
                  "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *")
    yield lab.sql(f"DELETE FROM {source} WHERE id = 7")
    yield lab.sql(f"INSERT INTO {source} VALUES (7, 'again')")


@pytest.mark.parametrize("mode", ["SNAPSHOT", "TRIGGERED"])
def test_equal_after_every_change(lab, mode):
    name = f"each_{mode.lower()}"
    source = lab.source(name, feed=mode != "SNAPSHOT")
    lab.sql(f"INSERT INTO {source} VALUES (1, 'one'), (2, 'two'), (3, 'three')")
    state, status = lab.create(source, name, mode)
    assert state == "ONLINE_NO_PENDING_UPDATE", status
    assert lab.assert_equal(source, name) == 3
    for _ in changes(lab, source):
        assert lab.run(name)[0] == "COMPLETED"
        lab.assert_equal(source, name)
    assert lab.run(name)[0] == "COMPLETED"  # nothing new
    assert lab.assert_equal(source, name, version=8) == 5


def test_a_sample_is_a_source(lab):
    """Nobody has read it yet: its files are made for the sync."""
    state, status = lab.create("samples.tpch.nation", "nations", "SNAPSHOT", key=("n_nationkey",))
    assert state == "ONLINE_NO_PENDING_UPDATE", status
    assert lab.assert_equal("samples.tpch.nation", "nations", version=0, key="n_nationkey") == 25
    status, doc = lab.api.call("POST", SYNCED, lab.body("samples.tpch.region", "regions", "TRIGGERED", key=("r_regionkey",)))
    assert status == 400 and "no change data feed" in doc["message"], doc


def test_a_batch_of_commits_at_once(lab):
    source = lab.source("batch")
    lab.sql(f"INSERT INTO {source} VALUES (1, 'one'), (2, 'two'), (3, 'three')")
    lab.create(source, "batch", "TRIGGERED")
    for _ in changes(lab, source):
        pass
    state, status = lab.run("batch")
    assert state == "COMPLETED" and "incremental" in status["message"], status
    assert lab.assert_equal(source, "batch", version=8) == 5


def steps_of(lab, name):
    """The versions at which the events of a pipeline say that something was committed."""
    pipeline = lab.look(name)[1]["pipeline_id"]
    events = lab.api.ok("GET", f"/api/2.0/pipelines/{pipeline}/events")["events"]
    return sorted(int(e["message"].split(": version ")[1].split(",")[0]) for e in events if ", incremental: " in e["message"])


def test_a_step_reads_no_commit_before_the_checkpoint(lab):
    """Else each step of a table with 100,000 commits would read them all."""
    source = lab.source("old")
    lab.sql(f"INSERT INTO {source} VALUES (1, 'v')")
    many_commits(lab.root(source), 2, 1200, lambda version: f"SELECT {version}::BIGINT AS id, 'v' AS v")
    log = Path(lab.root(source).removeprefix("file://"), "_delta_log")
    for i in range(12):
        lab.sql(f"INSERT INTO {source} VALUES ({-i}, 'v')")
    assert list(log.glob("*.checkpoint.parquet"))
    lab.create(source, "old", "TRIGGERED")
    lab.sql(f"UPDATE {source} SET v = 'w' WHERE id = 3")
    (log / f"{4:020}.json").write_text('no "metaData" and no "protocol"')
    state, status = lab.run("old")
    assert state == "COMPLETED" and "incremental" in status["message"], status
    lab.assert_equal(source, "old")


def test_a_long_range_is_applied_in_steps(lab):
    source = lab.source("long")
    lab.sql(f"INSERT INTO {source} VALUES (1, 'one')")
    lab.create(source, "long", "TRIGGERED")
    many_commits(lab.root(source), 2, 2300, lambda version: f"SELECT {version}::BIGINT AS id, 'v{version}' AS v")
    lab.sql(f"UPDATE {source} SET v = 'last' WHERE id = 2300")
    assert lab.run("long")[0] == "COMPLETED"
    assert steps_of(lab, "long") == [1001, 2001, 2302]
    assert lab.assert_equal(source, "long", version=2302) == 2301
    assert lab.look("long")[1]["detailed_state"] == "SYNCED_TABLE_ONLINE_NO_PENDING_UPDATE"


def test_a_long_range_is_cut_by_rows_at_versions(lab):
    source = lab.source("heavy", "id BIGINT, v BIGINT")
    lab.sql(f"INSERT INTO {source} VALUES (-1, 1)")
    lab.create(source, "heavy", "TRIGGERED")
    with lab.connect() as pg:  # something depends on it: else so many rows would be a new heap
        pg.execute("CREATE VIEW lab.heavy_view AS SELECT count(*) FROM lab.heavy")
    many_commits(lab.root(source), 2, 4, lambda version: f"SELECT range + 600000 * {version} AS id, 1::BIGINT AS v FROM range(600000)")
    assert lab.run("heavy")[0] == "COMPLETED"
    assert steps_of(lab, "heavy") == [3, 5]
    with lab.connect() as pg:
        assert pg.execute("SELECT count(*), count(DISTINCT id) FROM lab.heavy").fetchone() == (2400001, 2400001)
        pg.execute("DROP VIEW lab.heavy_view")
    many_commits(lab.root(source), 6, 3, lambda version: f"SELECT range + 600000 * {version} AS id, 1::BIGINT AS v FROM range(600000)")
    state, status = lab.run("heavy")  # a large share already in its first step: all of it is read at the newest version
    assert state == "COMPLETED" and "version 8, swap: 4200001 rows written" in status["message"], status


def test_a_key_that_is_double_on_the_way_does_not_stop_a_long_range(lab):
    """At the cut there are two rows for a key, at the end there is one."""
    source = lab.source("midway")
    lab.sql(f"INSERT INTO {source} VALUES (1, 'one')")
    lab.create(source, "midway", "TRIGGERED")
    many_commits(lab.root(source), 2, 1200, lambda version: f"SELECT {-7 if version in (900, 901) else version}::BIGINT AS id, "
                                                            f"'v{version}' AS v")
    lab.sql(f"DELETE FROM {source} WHERE v = 'v900'")
    state, status = lab.run("midway")
    assert state == "COMPLETED", status
    lab.assert_equal(source, "midway", version=1202)


def test_continuous_follows_by_itself(lab):
    source = lab.source("follows")
    lab.sql(f"INSERT INTO {source} VALUES (1, 'one'), (2, 'two'), (3, 'three')")
    assert lab.create(source, "follows", "CONTINUOUS")[0] == "ONLINE_CONTINUOUS_UPDATE"
    for version, _ in enumerate(changes(lab, source), 2):
        wait_applied(lab, "follows", version)
        lab.assert_equal(source, "follows", version)


def stopped(lab, yes):
    from conftest import wait_until
    lab.api.update("workshop", "stopped", stopped=yes)
    assert wait_until(lambda: lab.api.get("workshop")["state"] == ("STOPPED" if yes else "AVAILABLE"))


def test_continuous_waits_for_a_stopped_instance_and_says_so(lab):
    from conftest import wait_until
    source = lab.source("patient")
    lab.sql(f"INSERT INTO {source} VALUES (1, 'one')")
    lab.create(source, "patient", "CONTINUOUS")
    stopped(lab, True)
    try:
        lab.sql(f"INSERT INTO {source} VALUES (2, 'two')")
        assert wait_until(lambda: lab.look("patient")[1]["message"].startswith("The sync waits")), lab.look("patient")
        assert lab.look("patient")[1]["detailed_state"] == "SYNCED_TABLE_ONLINE_CONTINUOUS_UPDATE"
    finally:
        stopped(lab, False)
    wait_applied(lab, "patient", 2)
    lab.assert_equal(source, "patient", 2)
    assert "version 2, incremental" in lab.look("patient")[1]["message"]


def wait_applied(lab, name, version):
    from conftest import wait_until
    assert wait_until(lambda: lab.applied(name) >= version), lab.look(name)


def test_types(lab):
    columns = ("id BIGINT, b BOOLEAN, y TINYINT, s SMALLINT, i INT, f FLOAT, d DOUBLE, n DECIMAL(38,10), m DECIMAL(5,2), t STRING, "
               "x BINARY, da DATE, ts TIMESTAMP")
    source = lab.source("types", columns)
    lab.sql(f"INSERT INTO {source} VALUES (1, true, -128, -32768, -2147483648, 1.5, -0.1, -1234567890123456789012345678.0123456789, "
            "999.99, 'ž€ 🐘 ''quoted''', X'00FF', DATE'0001-01-01', TIMESTAMP'1969-12-31 23:59:59.999999'), "
            "(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)")
    assert lab.create(source, "types", "TRIGGERED")[0] == "ONLINE_NO_PENDING_UPDATE"
    lab.assert_equal(source, "types")
    lab.sql(f"UPDATE {source} SET n = n + 1, t = '' WHERE id = 1")
    assert lab.run("types")[0] == "COMPLETED"
    lab.assert_equal(source, "types")


def test_the_target_is_read_only(lab):
    source = lab.source("locked")
    lab.sql(f"INSERT INTO {source} VALUES (1, 'one')")
    lab.create(source, "locked", "SNAPSHOT")
    with lab.connect() as pg:
        for write in ("INSERT INTO lab.locked VALUES (2, 'two')", "UPDATE lab.locked SET v = ''", "DELETE FROM lab.locked"):
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction, match="only the sync writes"):
                pg.execute(write)
        for write in ("TRUNCATE lab.locked", "UPDATE databricks_sync.tables SET version = 0",
                      "DELETE FROM databricks_sync.tables", "ALTER TABLE lab.locked DISABLE TRIGGER ALL"):
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
                pg.execute(write)
        pg.execute("DROP TABLE lab.locked")  # the owner of the schema may, as on the service
    assert lab.run("locked")[0] == "COMPLETED"
    lab.assert_equal(source, "locked")


def test_null_keys_are_left_out_and_told(lab):
    source = lab.source("nulls")
    lab.sql(f"INSERT INTO {source} VALUES (1, 'one'), (NULL, 'nobody')")
    _, status = lab.create(source, "nulls", "SNAPSHOT")
    assert "1 rows with a NULL in the key were left out" in status["message"]
    assert lab.assert_equal(source, "nulls") == 1


def test_duplicate_keys_fail_and_keep_the_old_rows(lab):
    source = lab.source("twice")
    lab.sql(f"INSERT INTO {source} VALUES (1, 'a'), (1, 'b')")
    state, status = lab.create(source, "twice", "TRIGGERED")
    assert state == "OFFLINE_FAILED" and "PRIMARY_KEY_CONSTRAINT_VIOLATION" in status["message"], status
    lab.sql(f"DELETE FROM {source} WHERE v = 'b'")
    assert lab.run("twice")[0] == "COMPLETED"
    lab.sql(f"INSERT INTO {source} VALUES (1, 'c')")
    state, status = lab.run("twice")
    assert state == "FAILED" and status["detailed_state"] == "SYNCED_TABLE_ONLINE_PIPELINE_FAILED"
    assert "PRIMARY_KEY_CONSTRAINT_VIOLATION" in status["message"] and "Key (id)=(1) is duplicated" in status["message"], status
    lab.assert_equal(source, "twice", version=2)
    lab.sql(f"DELETE FROM {source} WHERE v = 'a'")
    assert lab.run("twice")[0] == "COMPLETED"
    lab.assert_equal(source, "twice")


def test_a_timeseries_key_keeps_the_newest(lab):
    source = lab.source("newest", "id BIGINT, at INT, v STRING")
    lab.sql(f"INSERT INTO {source} VALUES (1, 10, 'old'), (1, 20, 'new'), (2, 5, 'two')")
    assert lab.create(source, "newest", "TRIGGERED", timeseries_key="at")[0] == "ONLINE_NO_PENDING_UPDATE"

    def rows():
        with lab.connect() as pg:
            return pg.execute("SELECT * FROM lab.newest ORDER BY id").fetchall()

    assert rows() == [(1, 20, "new"), (2, 5, "two")]
    lab.sql(f"INSERT INTO {source} VALUES (1, 15, 'late'), (2, 6, 'newer')")
    assert lab.run("newest")[0] == "COMPLETED" and rows() == [(1, 20, "new"), (2, 6, "newer")]
    lab.sql(f"DELETE FROM {source} WHERE v = 'new'")  # what was hidden is seen again
    assert lab.run("newest")[0] == "COMPLETED" and rows() == [(1, 15, "late"), (2, 6, "newer")]
    for values in ("(2, 30, 'newest')", "(2, 25, 'later commit')", "(3, 2, 'three')", "(3, NULL, 'no time')"):
        lab.sql(f"INSERT INTO {source} VALUES {values}")  # one update meets them all: the time counts, not the commit
    assert lab.run("newest")[0] == "COMPLETED" and rows() == [(1, 15, "late"), (2, 30, "newest"), (3, 2, "three")]


def test_partitions_that_change_do_not_hide_deletes(lab):
    """The first commit of an update takes files away that were written without partitions."""
    columns, feed = "(id BIGINT, v STRING)", "TBLPROPERTIES (delta.enableChangeDataFeed = true)"
    source = lab.source("parts")
    lab.sql(f"INSERT INTO {source} VALUES (1, 'one'), (2, 'two')")
    lab.create(source, "parts", "TRIGGERED")
    lab.sql(f"CREATE OR REPLACE TABLE {source} {columns} USING DELTA PARTITIONED BY (id) {feed}")
    lab.sql(f"INSERT INTO {source} VALUES (3, 'three')")
    state, status = lab.run("parts")
    if state == "FAILED":
        assert "full refresh" in status["message"], status
        assert lab.run("parts", full_refresh=True)[0] == "COMPLETED"
    assert lab.assert_equal(source, "parts") == 1


def test_numbers_that_json_has_not(lab):
    source = lab.source("odd", "id BIGINT, l ARRAY<DOUBLE>, s STRUCT<f: FLOAT, t: STRING>")
    lab.sql(f"INSERT INTO {source} SELECT 1, array(1.0, CAST('NaN' AS DOUBLE), CAST('Infinity' AS DOUBLE), CAST('-Infinity' AS DOUBLE)), "
            "named_struct('f', CAST('NaN' AS FLOAT), 't', 'not NaN: \"Infinity\"')")
    assert lab.create(source, "odd", "TRIGGERED")[0] == "ONLINE_NO_PENDING_UPDATE"
    with lab.connect() as pg:
        assert pg.execute("SELECT l, s FROM lab.odd").fetchone() == (
            [1.0, "NaN", "Infinity", "-Infinity"], {"f": "NaN", "t": 'not NaN: "Infinity"'})


def test_a_name_is_free_again_that_was_deleted_beside_a_stopped_instance(lab):
    source = lab.source("shut")
    lab.sql(f"INSERT INTO {source} VALUES (1, 'one')")
    lab.create(source, "shut", "SNAPSHOT")
    stopped(lab, True)
    try:
        assert lab.delete("shut", purge=False)[0] == 200
    finally:
        stopped(lab, False)
    with lab.connect() as pg:
        assert pg.execute("SELECT count(*) FROM databricks_sync.tables WHERE table_name = 'shut'").fetchone() == (0,)
        pg.execute("INSERT INTO lab.shut VALUES (2, 'an ordinary table of its creator now')")
        pg.execute("DROP TABLE lab.shut")
    assert lab.create(source, "shut", "SNAPSHOT")[0] == "ONLINE_NO_PENDING_UPDATE"
    lab.assert_equal(source, "shut")


def test_new_columns_come_along_other_changes_stop(lab):
    source = lab.source("grows")
    lab.sql(f"INSERT INTO {source} VALUES (1, 'one')")
    lab.create(source, "grows", "TRIGGERED")
    lab.sql(f"ALTER TABLE {source} ADD COLUMN extra DOUBLE")
    lab.sql(f"INSERT INTO {source} VALUES (2, 'two', 2.5)")
    assert lab.run("grows")[0] == "COMPLETED"
    lab.assert_equal(source, "grows")
    lab.sql(f"CREATE OR REPLACE TABLE {source} (id BIGINT, v INT) TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    lab.sql(f"INSERT INTO {source} VALUES (1, 1)")
    state, status = lab.run("grows")
    assert state == "FAILED" and "full refresh" in status["message"], status
    assert lab.run("grows", full_refresh=True)[0] == "COMPLETED"
    lab.assert_equal(source, "grows")


def test_a_new_column_makes_no_queue(lab):
    """An old transaction of a reader holds the table: others go on reading until the new column can come."""
    import threading
    source = lab.source("wider")
    lab.sql(f"INSERT INTO {source} VALUES (1, 'one')")
    lab.create(source, "wider", "TRIGGERED")
    lab.sql(f"ALTER TABLE {source} ADD COLUMN extra INT")
    lab.sql(f"INSERT INTO {source} VALUES (2, 'two', 2)")
    ended = []
    with lab.connect() as old, lab.connect() as reader:
        old.execute("BEGIN")
        old.execute("SELECT * FROM lab.wider")
        run = threading.Thread(target=lambda: ended.append(lab.run("wider")[0]))
        run.start()
        reader.execute("SET statement_timeout = '8s'")
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'lab.wider'::regclass"
        while reader.execute(waits).fetchone() == (0,):
            assert not ended
        assert reader.execute("SELECT count(*) FROM lab.wider").fetchone() == (1,)
        assert not ended, "it waits for the old one"
        old.execute("COMMIT")
        run.join(60)
    assert ended == ["COMPLETED"]
    lab.assert_equal(source, "wider")


def test_views_indexes_and_grants_survive(lab):
    source = lab.source("kept")
    lab.sql(f"INSERT INTO {source} SELECT id, 'x' FROM range(60000)")
    assert lab.create(source, "kept", "SNAPSHOT")[0] == "ONLINE_NO_PENDING_UPDATE"
    with lab.connect() as pg:
        pg.execute("CREATE EXTENSION IF NOT EXISTS databricks_auth")
        pg.execute("SELECT databricks_create_role('reader@example.com', 'USER')")
        pg.execute('GRANT SELECT ON lab.kept TO "reader@example.com"')
        pg.execute('GRANT SELECT (v) ON lab.kept TO databricks_superuser')
        lab.sql(f"UPDATE {source} SET v = 'y' WHERE id < 10")
        _, status = lab.run("kept")
        assert "swap" in status["message"], status  # large, and nothing depends on it
        assert pg.execute("SELECT has_table_privilege('reader@example.com', 'lab.kept', 'SELECT')").fetchone()[0]
        assert pg.execute("SELECT count(*) FROM pg_attribute WHERE attrelid = 'lab.kept'::regclass AND attacl IS NOT NULL").fetchone()[0]
        pg.execute("CREATE VIEW lab.kept_view AS SELECT count(*) FROM lab.kept WHERE v = 'y'")
        lab.sql(f"UPDATE {source} SET v = 'y' WHERE id < 20")
        _, status = lab.run("kept")
        assert "diff" in status["message"] and pg.execute("SELECT * FROM lab.kept_view").fetchone()[0] == 20
        pg.execute("DROP VIEW lab.kept_view")
    lab.assert_equal(source, "kept")


def test_a_large_share_is_a_new_heap(lab):
    """A copy is done sooner than so many changes are; what depends on the table forbids the swap."""
    source = lab.source("share")
    lab.sql(f"INSERT INTO {source} SELECT id, 'x' FROM range(60000)")
    assert lab.create(source, "share", "TRIGGERED")[0] == "ONLINE_NO_PENDING_UPDATE"

    def run_after(change):
        lab.sql(change)
        _, status = lab.run("share")
        lab.assert_equal(source, "share")
        return status["message"]

    assert "incremental: 100 rows written" in run_after(f"UPDATE {source} SET v = 'y' WHERE id < 100")
    assert "swap" in run_after(f"UPDATE {source} SET v = 'z' WHERE id < 20000")
    lab.sql(f"ALTER TABLE {source} ADD COLUMN more STRING")
    assert "swap" in run_after(f"UPDATE {source} SET more = 'new' WHERE id < 20000")
    with lab.connect() as pg:
        pg.execute("CREATE VIEW lab.share_view AS SELECT count(*) FROM lab.share WHERE more = 'newer'")
        assert "incremental: 20000 rows written" in run_after(f"UPDATE {source} SET more = 'newer' WHERE id < 20000")
        assert pg.execute("SELECT * FROM lab.share_view").fetchone()[0] == 20000
        pg.execute("DROP VIEW lab.share_view")
    assert "incremental: 0 rows written, 5000 deleted" in run_after(f"DELETE FROM {source} WHERE id < 5000")


def test_swaps_at_once_with_one_key_name(lab):
    """The keys of these tables would all be called the same, if the first 58 characters of a name made it."""
    names = ["t" * 60 + str(i) for i in range(3)]
    for name in names:
        lab.sql(f"INSERT INTO {lab.source(name)} VALUES (1, 'one')")
        lab.create(f"main.lab.{name}", name, "SNAPSHOT")
    with lab.connect() as pg:
        keys = "SELECT conname FROM pg_constraint WHERE conrelid::regclass::text LIKE 'lab.ttt%' AND contype = 'p' ORDER BY 1"
        before = pg.execute(keys).fetchall()
        assert len(before) == 3
        updates = []
        for name in names:
            lab.sql(f"CREATE OR REPLACE TABLE main.lab.{name} AS SELECT 2 AS id, 7 AS v")
            pipeline = lab.look(name)[1]["pipeline_id"]
            updates.append((pipeline, lab.api.ok("POST", f"/api/2.0/pipelines/{pipeline}/updates", {})["update_id"]))
        for name, (pipeline, update) in zip(names, updates):
            while (state := lab.api.ok("GET", f"/api/2.0/pipelines/{pipeline}/updates/{update}")["update"]["state"]) not in (
                    "COMPLETED", "FAILED", "CANCELED"):
                pass  # the answer is held by the server
            assert state == "COMPLETED" and "swap" in lab.look(name)[1]["message"], lab.look(name)
            lab.assert_equal(f"main.lab.{name}", name)
        assert pg.execute(keys).fetchall() == before


@pytest.mark.parametrize("change, code, words", [
    ({"spec": {"scheduling_policy": "HOURLY"}}, 400, "scheduling_policy"),
    ({"spec": {"primary_key_columns": []}}, 400, "primary_key_columns"),
    ({"spec": {"primary_key_columns": ["nope"]}}, 400, "nope"),
    ({"spec": {"source_table_full_name": "main.lab.nope"}}, 404, "main.lab.nope"),
    ({"spec": {"scheduling_policy": "TRIGGERED"}}, 400, "change data feed"),
    ({"name": "ws.lab"}, 400, "three parts"),
    ({"name": "nope.lab.x"}, 404, "nope"),
    ({"name": "ws.lab.a-b"}, 400, "letters, digits and underscores"),
    ({"database_instance_name": "other"}, 400, "registered catalog"),
])
def test_wrong_requests(lab, change, code, words):
    source = "main.lab.plain"
    if lab.api.call("GET", f"/api/2.1/unity-catalog/tables/{source}")[0] != 200:
        lab.source("plain", feed=False)
    body = lab.body(source, "wrong", "SNAPSHOT")
    body["spec"].update(change.get("spec", {}))
    body.update({k: v for k, v in change.items() if k != "spec"})
    status, _, message = lab.api.refused("POST", SYNCED, body)
    assert status == code and words in message, message


def test_taken_names_and_delete(lab):
    source = lab.source("gone")
    lab.create(source, "gone", "SNAPSHOT")
    assert lab.api.refused("POST", SYNCED, lab.body(source, "gone", "SNAPSHOT"))[:2] == (409, "ALREADY_EXISTS")
    assert lab.delete("gone", purge=False)[0] == 200
    assert lab.api.refused("POST", SYNCED, lab.body(source, "gone", "SNAPSHOT"))[:2] == (409, "ALREADY_EXISTS")
    with lab.connect() as pg:
        pg.execute("INSERT INTO lab.gone VALUES (1, 'mine now')")
        pg.execute("DROP TABLE lab.gone")
    lab.create(source, "gone", "SNAPSHOT")
    assert lab.delete("gone")[0] == 200
    with lab.connect() as pg:
        assert pg.execute("SELECT to_regclass('lab.gone')").fetchone()[0] is None
    assert lab.delete("gone")[0] == 404


def test_an_update_at_a_time(lab):
    source = lab.source("busy")
    lab.create(source, "busy", "CONTINUOUS")
    pipeline = lab.look("busy")[1]["pipeline_id"]
    status, code, message = lab.api.refused("POST", f"/api/2.0/pipelines/{pipeline}/updates", {})
    assert status == 409 and "An active update" in message
    lab.api.ok("POST", f"/api/2.0/pipelines/{pipeline}/stop")
    assert lab.api.ok("GET", f"/api/2.0/pipelines/{pipeline}")["state"] == "IDLE"
    assert lab.api.ok("GET", f"/api/2.0/pipelines/{pipeline}")["latest_updates"][0]["state"] == "CANCELED"


def test_rights_on_the_target_are_needed(lab, workspace):
    from lake import app_of
    source, app = lab.source("open"), app_of(workspace)
    lab.sql(f"GRANT SELECT ON TABLE {source} TO `{app.name}`")
    lab.sql(f"GRANT USE CATALOG, USE SCHEMA ON CATALOG main TO `{app.name}`")
    body = lab.body(source, "theirs", "SNAPSHOT")
    assert lab.api.ok("GET", "/api/2.1/unity-catalog/catalogs/ws")["owner"] == LEARNER
    for privilege, next_one in (("USE_CATALOG", "USE CATALOG"), ("USE_SCHEMA", "USE SCHEMA"), ("CREATE_TABLE", "CREATE TABLE")):
        status, code, message = app.refused("POST", SYNCED, body)
        assert (status, code) == (403, "PERMISSION_DENIED") and next_one in message, message
        lab.api.ok("PATCH", "/api/2.1/unity-catalog/permissions/catalog/ws",
                   {"changes": [{"principal": app.name, "add": [privilege]}]})
    lab.api.ok("PATCH", "/api/2.1/unity-catalog/permissions/catalog/ws", {"changes": [{"principal": app.name, "add": ["CREATE_SCHEMA"]}]})
    lab.sql(f"GRANT CREATE TABLE ON CATALOG main TO `{app.name}`")
    status, code, message = app.refused("POST", SYNCED, {**body, "name": "ws.fresh.theirs"})
    assert (status, code) == (403, "PERMISSION_DENIED") and f"'{app.name}' has no role in the database" in message, message
    with lab.connect() as pg:
        assert pg.execute("SELECT to_regclass('lab.theirs'), to_regnamespace('fresh')").fetchone() == (None, None)


def test_starts_beside_a_delete(lab):
    """Whoever comes second finds nothing: no update brings back the table of a pipeline that is being deleted."""
    import threading
    source = lab.source("raced")
    lab.sql(f"INSERT INTO {source} VALUES (1, 'one')")
    for round_ in range(12):
        lab.create(source, f"raced{round_}", "SNAPSHOT")
        pipeline, gone, answers = lab.look(f"raced{round_}")[1]["pipeline_id"], threading.Event(), set()

        def start():
            while not gone.is_set():
                answers.add(lab.api.call("POST", f"/api/2.0/pipelines/{pipeline}/updates", {})[0])
        threads = [threading.Thread(target=start) for _ in range(3)]
        for thread in threads:
            thread.start()
        assert lab.delete(f"raced{round_}")[0] == 200
        gone.set()
        for thread in threads:
            thread.join(60)
        assert answers <= {200, 404, 409}, answers
    with lab.connect() as pg:
        assert pg.execute("SELECT relname FROM pg_class WHERE relname LIKE 'raced%'").fetchall() == []
        assert pg.execute("SELECT table_name FROM databricks_sync.tables WHERE table_name LIKE 'raced%'").fetchall() == []


def test_others_do_not_start_or_stop_it(lab, workspace):
    from lake import app_of
    source = lab.source("private")
    lab.create(source, "private", "TRIGGERED")
    pipeline = lab.look("private")[1]["pipeline_id"]
    app = app_of(workspace)
    for path, body in (("stop", None), ("updates", {"full_refresh": True})):
        status, code, message = app.refused("POST", f"/api/2.0/pipelines/{pipeline}/{path}", body)
        assert (status, code) == (403, "PERMISSION_DENIED") and "Manage permissions" in message
    assert lab.run("private")[0] == "COMPLETED"


def test_the_end_of_a_synced_table_is_told_everywhere(lab):
    source = lab.source("ends")
    lab.create(source, "ends", "SNAPSHOT")
    edges = lambda: [n["tableInfo"]["name"] for n in lab.api.ok(
        "GET", f"/api/2.0/lineage-tracking/table-lineage?table_name={source}").get("downstreams", [])]
    assert edges() == ["ends"]
    code, _, message = lab.api.refused("DELETE", "/api/2.0/database/instances/workshop?purge=true")
    assert code == 400 and "first" in message
    assert lab.delete("ends")[0] == 200
    assert edges() == []
