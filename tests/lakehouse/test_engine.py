"""Databricks SQL on Delta tables: what each statement answers, and that deltalake (another implementation) reads the same
rows, history and change feed from what it wrote."""
import datetime
import os

import duckdb
import pytest
from deltalake import DeltaTable, QueryBuilder

from engine import Engine, SqlError


@pytest.fixture
def engine():
    engine = Engine()
    yield engine
    engine.close()


def theirs(engine, name, columns="*", version=None):
    """The table's rows as deltalake reads them, sorted."""
    table = DeltaTable(engine.location(name), version=version)
    reader = QueryBuilder().register("t", table).execute(f"SELECT {columns} FROM t")
    found = reader.read_all() if hasattr(reader, "read_all") else reader
    return sorted((tuple(r) for r in duckdb.from_arrow(found).fetchall()), key=repr)


def their_feed(engine, name, columns, start):
    feed = duckdb.from_arrow(DeltaTable(engine.location(name)).load_cdf(starting_version=start))
    return sorted(feed.project(f"{columns}, _change_type, _commit_version").fetchall(), key=repr)


def our_feed(engine, name, columns, start):
    rows = engine.rows(f"SELECT {columns}, _change_type, _commit_version FROM table_changes('{name}', {start})")
    return sorted(((int(r[0]), *r[1:-1], int(r[-1])) for r in rows), key=repr)


def history(engine, name):
    return [h["operation"] for h in DeltaTable(engine.location(name)).history()]


@pytest.fixture
def people(engine):
    engine.run("CREATE TABLE people (id BIGINT NOT NULL, name STRING, age INT) USING DELTA "
               "TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    engine.run("INSERT INTO people VALUES (1, 'Ann', 30), (2, 'Bob', 40), (3, NULL, NULL)")
    return engine


def test_types_and_texts(engine):
    """One value of each type, as the Statement Execution API spells them."""
    result = engine.run(
        "SELECT true b, CAST(1 AS TINYINT) t, CAST(2 AS SMALLINT) s, 3 i, 4L l, CAST(1.5 AS FLOAT) f, 1e10D d, "
        "CAST(-0.05 AS DECIMAL(10,2)) n, 'x' st, X'4142' bi, DATE'1969-12-31' da, TIMESTAMP'2024-02-29 01:02:03.4' ts, "
        "CAST('1969-12-31 23:59:59.999999' AS TIMESTAMP_NTZ) nz, array(1, 2) a, CAST(NULL AS INT) z, 0.0D zero, 1e-4D small")
    assert result.rows == [["true", "1", "2", "3", "4", "1.5", "1.0E10", "-0.05", "x", "QUI=", "1969-12-31",
                            "2024-02-29T01:02:03.400Z", "1969-12-31T23:59:59.999999", "[1,2]", None, "0.0", "1.0E-4"]]
    assert result.types == ["BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL(10,2)", "STRING",
                            "BINARY", "DATE", "TIMESTAMP", "TIMESTAMP_NTZ", "ARRAY<INT>", "INT", "DOUBLE", "DOUBLE"]
    assert [c["type_name"] for c in result.columns][:5] == ["BOOLEAN", "BYTE", "SHORT", "INT", "LONG"]


def test_parameters_are_bound(engine):
    evil = "x' OR '1'='1"
    assert engine.rows("SELECT :a, :b + 1, :c", [{"name": "a", "value": evil}, {"name": "b", "value": "41", "type": "INT"},
                                                 {"name": "c"}]) == [[evil, "42", None]]
    with pytest.raises(SqlError) as error:
        engine.run("SELECT :nope")
    assert (error.value.error_class, error.value.position) == ("UNBOUND_SQL_PARAMETER", 8)


def test_insert(people):
    result = people.run("INSERT INTO people (name, id) SELECT upper(name), id + 10 FROM people WHERE name IS NOT NULL")
    assert result.dicts == [{"num_affected_rows": "2", "num_inserted_rows": "2"}]
    assert (result.done["target"], result.done["sources"]) == ("main.default.people", ["main.default.people"])
    people.run("INSERT INTO people BY NAME SELECT 4 AS id, 7 AS age")
    expect = [(1, "Ann", 30), (2, "Bob", 40), (3, None, None), (4, None, 7), (11, "ANN", None), (12, "BOB", None)]
    assert theirs(people, "people") == sorted(expect, key=repr)
    assert [(int(r[0]), r[1]) for r in people.rows("SELECT id, name FROM people ORDER BY id")] == [r[:2] for r in expect]
    assert history(people, "people") == ["WRITE", "WRITE", "WRITE", "CREATE TABLE"]


def test_insert_overwrite(people):
    people.run("INSERT OVERWRITE people VALUES (9, 'Zoe', 1)")
    assert theirs(people, "people") == [(9, "Zoe", 1)]
    assert len(theirs(people, "people", version=1)) == 3


def test_update(people):
    assert people.rows("UPDATE people AS p SET age = p.age + 1, name = upper(name) WHERE p.age >= 40") == [["1"]]
    assert theirs(people, "people") == [(1, "Ann", 30), (2, "BOB", 41), (3, None, None)]
    assert people.rows("UPDATE people SET age = 0 WHERE id = 77") == [["0"]]
    assert history(people, "people")[0] == "UPDATE" and len(history(people, "people")) == 3  # nothing hit, no commit


def test_update_with_subquery_and_parameter(people):
    people.run("UPDATE people SET age = (SELECT max(age) FROM people) WHERE id IN (SELECT id FROM people WHERE name = :n)",
               [{"name": "n", "value": "Ann"}])
    assert theirs(people, "people") == [(1, "Ann", 40), (2, "Bob", 40), (3, None, None)]


def test_delete(people):
    assert people.rows("DELETE FROM people WHERE age IS NULL") == [["1"]]
    assert theirs(people, "people") == [(1, "Ann", 30), (2, "Bob", 40)]
    assert people.rows("DELETE FROM people") == [["2"]]
    assert theirs(people, "people") == []
    assert our_feed(people, "people", "id, name", 2) == their_feed(people, "people", "id, name", 2)


def test_merge(people):
    """The shape of the workshop's own notebook, and its counts."""
    people.run("CREATE TABLE news AS SELECT * FROM (VALUES (2L, 'Bea', 41), (5L, 'Eve', 5)) AS v(id, name, age)")
    result = people.run("MERGE INTO people AS t USING news AS s ON t.id = s.id "
                        "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *")
    assert result.dicts == [{"num_affected_rows": "2", "num_updated_rows": "1", "num_deleted_rows": "0", "num_inserted_rows": "1"}]
    assert result.done["sources"] == ["main.default.news"]
    assert theirs(people, "people") == [(1, "Ann", 30), (2, "Bea", 41), (3, None, None), (5, "Eve", 5)]
    assert our_feed(people, "people", "id, name", 1) == their_feed(people, "people", "id, name", 1)
    assert [r[2:] for r in our_feed(people, "people", "id, name", 2)] == [
        ("update_postimage", 2), ("update_preimage", 2), ("insert", 2)]


def test_merge_with_every_clause(people):
    people.run("""
        MERGE INTO people t
        USING (SELECT * FROM VALUES (1, 'x', 'del'), (2, 'new', 'upd'), (7, 'seven', 'ins'), (8, 'no', 'skip') AS v(id, name, op)) s
        ON t.id = s.id
        WHEN MATCHED AND s.op = 'del' THEN DELETE
        WHEN MATCHED THEN UPDATE SET t.name = s.name, age = CASE WHEN t.age > 3 THEN t.age * 2 ELSE 0 END
        WHEN NOT MATCHED AND s.op <> 'skip' THEN INSERT (id, name) VALUES (s.id, s.name)
        WHEN NOT MATCHED BY SOURCE AND t.age IS NULL THEN UPDATE SET age = -1
        WHEN NOT MATCHED BY SOURCE THEN DELETE""")
    assert theirs(people, "people") == [(2, "new", 80), (3, None, -1), (7, "seven", None)]
    assert our_feed(people, "people", "id, name, age", 2) == [
        (r[0], r[1], None if r[2] is None else str(r[2]), *r[3:]) for r in their_feed(people, "people", "id, name, age", 2)]


def test_merge_refuses_two_sources_for_a_row(people):
    with pytest.raises(SqlError) as error:
        people.run("MERGE INTO people t USING (VALUES (1, 'a'), (1, 'b')) s(id, name) ON t.id = s.id "
                   "WHEN MATCHED THEN UPDATE SET name = s.name")
    assert error.value.error_class == "DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE"
    assert people.rows("MERGE INTO people t USING (VALUES (1, 'a'), (1, 'b')) s(id, name) ON t.id = s.id "
                       "WHEN MATCHED THEN DELETE") == [["1", "0", "1", "0"]]


def test_insert_only_commits_write_no_change_files(people):
    people.run("MERGE INTO people t USING (VALUES (6, 'Six')) s(id, name) ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id, name) "
               "VALUES (s.id, s.name)")
    assert not os.path.exists(people.location("people") + "/_change_data")
    assert our_feed(people, "people", "id", 1) == their_feed(people, "people", "id", 1)


def test_random_model(engine):
    """Random statements against a dictionary; rows, and the feed applied to an older version, always agree."""
    import random
    pick = random.Random(7)
    engine.run("CREATE TABLE m (k INT, v STRING) PARTITIONED BY (v) TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    model, versions = {}, [{}]
    for step in range(40):
        kind, v, keys = pick.choice("iudm"), pick.choice("abc"), [pick.randrange(30) for _ in range(pick.randrange(1, 8))]
        before = dict(model)
        listed = ", ".join(map(str, keys))
        if kind == "i":
            new = sorted(set(keys) - set(model))
            if new:
                engine.run("INSERT INTO m VALUES " + ", ".join(f"({k}, '{v}')" for k in new))
            model.update({k: v for k in new})
        elif kind == "u":
            engine.run(f"UPDATE m SET v = '{v}' WHERE k IN ({listed})")
            model.update({k: v for k in keys if k in model})
        elif kind == "d":
            engine.run(f"DELETE FROM m WHERE k IN ({listed})")
            model = {k: x for k, x in model.items() if k not in keys}
        else:
            values = ", ".join(f"({k}, '{v}')" for k in set(keys))
            engine.run(f"MERGE INTO m USING (VALUES {values}) s(k, v) ON m.k = s.k WHEN MATCHED THEN UPDATE SET * "
                       "WHEN NOT MATCHED THEN INSERT *")
            model.update({k: v for k in keys})
        assert sorted(engine.rows("SELECT k, v FROM m")) == sorted([str(k), x] for k, x in model.items())
        newest = int(engine.rows("DESCRIBE HISTORY m LIMIT 1")[0][0])
        versions += [before] * (newest + 1 - len(versions) - (newest >= len(versions)))
        while len(versions) <= newest:
            versions.append(dict(model))
    assert theirs(engine, "m", "k, v") == sorted(model.items(), key=repr)
    start = len(versions) // 2
    state = dict(versions[start])
    rows = engine.rows(f"SELECT k, v, _change_type, _commit_version FROM table_changes('m', {start + 1})")
    for version in range(start + 1, len(versions)):
        mine = [r for r in rows if int(r[3]) == version]
        for k, v, change, _ in mine:
            if change in ("delete", "update_preimage"):
                assert state.pop(int(k)) == v
        for k, v, change, _ in mine:
            if change in ("insert", "update_postimage"):
                state[int(k)] = v
        assert state == versions[version]
    assert sorted((int(r[0]), r[1], r[2], int(r[3])) for r in rows) == sorted(
        tuple(r) for r in their_feed(engine, "m", "k, v", start + 1))


def test_create_table_as(people):
    result = people.run("CREATE TABLE copy COMMENT 'c' PARTITIONED BY (age) AS SELECT *, now() AS at, count(*) OVER () AS n, "
                        "sum(age) OVER () AS total FROM people")
    assert result.dicts == [{"num_affected_rows": "3", "num_inserted_rows": "3"}]
    assert DeltaTable(people.location("copy")).metadata().partition_columns == ["age"]
    assert theirs(people, "copy", "id, name, age, total") == [(1, "Ann", 30, 70), (2, "Bob", 40, 70), (3, None, None, 70)]
    assert [r[1] for r in people.rows("DESCRIBE copy")][:6] == ["bigint", "string", "int", "timestamp", "bigint", "bigint"]


def test_create_or_replace(people):
    people.run("CREATE OR REPLACE TABLE people AS SELECT 'x' AS letter")
    assert theirs(people, "people") == [("x",)]
    assert people.rows("SELECT count(*) FROM people VERSION AS OF 1") == [["3"]]
    people.run("CREATE OR REPLACE TABLE fresh (a INT)")
    assert theirs(people, "fresh") == []
    people.run("CREATE TABLE IF NOT EXISTS people (b INT)")
    assert people.rows("SELECT * FROM people") == [["x"]]


def test_a_failed_create_leaves_nothing(engine):
    for sql in ("CREATE TABLE t AS SELECT CAST('x' AS INT) AS a", "CREATE TABLE t (a INT) TBLPROPERTIES (delta.columnMapping.mode = 'name')",
                "CREATE TABLE t (a INT, A INT)"):
        with pytest.raises(SqlError):
            engine.run(sql)
    assert engine.tables == {} and list(engine.root.glob("*/_delta_log")) == []


def test_alter(people):
    people.run("ALTER TABLE people ADD COLUMNS (mail STRING COMMENT 'where to', born DATE)")
    people.run("ALTER TABLE people SET TBLPROPERTIES ('owner.team' = 'core')")
    people.run("INSERT INTO people VALUES (4, 'Dan', 1, 'd@x', DATE'2020-01-01')")
    assert theirs(people, "people", "id, mail, born") == [(1, None, None), (2, None, None), (3, None, None),
                                                          (4, "d@x", datetime.date(2020, 1, 1))]
    assert people.rows("SELECT mail FROM people ORDER BY mail NULLS LAST LIMIT 1") == [["d@x"]]
    assert people.rows("SHOW TBLPROPERTIES people ('owner.team')") == [["owner.team", "core"]]
    assert history(people, "people")[:3] == ["WRITE", "SET TBLPROPERTIES", "ADD COLUMNS"]
    people.run("UPDATE people SET mail = 'a@x' WHERE id = 1")  # rewrites a file that lacks the column
    assert theirs(people, "people", "id, mail")[0] == (1, "a@x")


def test_truncate(people):
    people.run("TRUNCATE TABLE people")
    assert theirs(people, "people") == [] and history(people, "people")[0] == "TRUNCATE"


def test_names_of_columns(people):
    """What stands over a column without an alias is Databricks' spelling, never the engine's."""
    assert people.run("SELECT count(*), 'x', CAST('1' AS STRING), date_add(DATE'2026-01-01', 1) IS NULL, sum(age) FROM people").names == [
        "count(1)", "x", "CAST('1' AS STRING)", "(date_add(CAST('2026-01-01' AS DATE), 1) IS NULL)", "sum(age)"]


def test_time_travel(people):
    people.run("DELETE FROM people WHERE id = 1")
    count = "SELECT count(*) FROM people"
    assert people.rows(f"{count} VERSION AS OF 1") == [["3"]] and people.rows(count) == [["2"]]
    at = people.rows("SELECT timestamp FROM (SELECT 1) x, (SELECT max(_commit_timestamp) timestamp FROM "
                     "table_changes('people', 1, 1)) y")[0][0]
    assert people.rows(f"{count} TIMESTAMP AS OF '{at}'") == [["3"]]
    assert people.rows(f"{count} TIMESTAMP AS OF current_timestamp()") == [["2"]]
    assert people.rows(f"{count} TIMESTAMP AS OF current_timestamp() + INTERVAL 1 HOUR AS p WHERE p.id > 0") == [["2"]]
    assert people.rows(f"{count} TIMESTAMP AS OF :at", [{"name": "at", "value": at}]) == [["3"]]
    assert people.rows(f"SELECT count(*) FROM table_changes('people', '{at}')") == [["1"]]
    assert people.rows("SELECT a.id FROM people VERSION AS OF 1 a ANTI JOIN people b ON a.id = b.id") == [["1"]]
    for sql, name in ((f"{count} VERSION AS OF 9", "DELTA_VERSION_NOT_FOUND"),
                      (f"{count} TIMESTAMP AS OF '2001-01-01'", "DELTA_TIMESTAMP_EARLIER_THAN_COMMIT_RETENTION"),
                      (f"{count} VERSION AS OF 'x'", "INVALID_TIME_TRAVEL_SPEC")):
        with pytest.raises(SqlError) as error:
            people.run(sql)
        assert error.value.error_class == name


def test_joins_ctes_and_qualified_names(people):
    people.run("CREATE SCHEMA shop")
    people.run("CREATE TABLE shop.orders (person BIGINT, total DECIMAL(10,2))")
    people.run("INSERT INTO main.shop.orders VALUES (1, 10), (1, 5.5), (2, 1)")
    rows = people.rows("""
        WITH sums AS (SELECT person, sum(total) AS total FROM shop.orders GROUP BY person), -- a comment, with FROM nowhere
             big (id) AS (SELECT person FROM sums WHERE total > 5)
        SELECT p.name, s.total, "text" AS dq, `p`.`age`
        FROM people p JOIN sums AS s ON p.id = s.person, (SELECT 1) AS one
        WHERE p.id IN (SELECT id FROM big) AND EXTRACT(YEAR FROM DATE'2024-01-01') = 2024 AND p.age IS DISTINCT FROM 1
        ORDER BY 1""")
    assert rows == [["Ann", "15.50", "text", "30"]]
    assert people.rows("SELECT shop.orders.person FROM shop.orders WHERE main.shop.orders.total = 1") == [["2"]]
    people.run("USE shop")
    assert people.rows("SELECT count(*), current_schema(), current_catalog() FROM orders") == [["3", "shop", "main"]]


def test_nested_values_are_written_as_databricks_has_them(people):
    big = "12345678901234567890.123456789012345678"
    assert people.rows(f"""SELECT map('a', 1, 'b', 2), map(), map_from_arrays(array('x'), array(1)),
        named_struct('a', 'x', 'b', 'y', 'c', named_struct('d', CAST('{big}' AS DECIMAL(38,18)))), array(1, NULL)""") == [
        ['{"a":1,"b":2}', "{}", '{"x":1}', '{"a":"x","b":"y","c":{"d":' + big + "}}", "[1,null]"]]


def test_describe_and_show(people):
    detail = people.run("DESCRIBE DETAIL people").dicts[0]
    assert (detail["format"], detail["name"], detail["numFiles"]) == ("delta", "main.default.people", "1")
    first = people.run("DESCRIBE HISTORY people").dicts[0]
    assert (first["version"], first["operation"], first["userName"], first["isBlindAppend"]) == ("1", "WRITE", "me@example.com", "true")
    assert people.rows("SHOW TABLES") == [["default", "people", "false"]]
    assert people.rows("SHOW CATALOGS") == [["main"]] and people.rows("SHOW SCHEMAS IN main") == [["default"]]
    assert people.rows("SHOW COLUMNS IN people") == [["id"], ["name"], ["age"]]
    assert people.rows("SHOW GRANTS ON TABLE people") == [["you", "SELECT", "TABLE", "main.default.people"]]
    assert people.rows("DESCRIBE TABLE EXTENDED people")[0] == ["id", "bigint", None]
    people.run("GRANT SELECT, MODIFY ON TABLE people TO `you@example.com`")
    assert people.calls[-1] == ("grant", {"privileges": ["SELECT", "MODIFY"], "securable_type": "TABLE",
                                          "name": ["main", "default", "people"], "principal": "you@example.com"})
    people.run("REVOKE USE SCHEMA ON SCHEMA main.default FROM 'x'")
    assert people.calls[-1][1]["privileges"] == ["USE_SCHEMA"] and people.calls[-1][1]["name"] == ["main", "default"]


@pytest.mark.parametrize("sql, name, place", [
    ("SELECT * FROM nope", "TABLE_OR_VIEW_NOT_FOUND", 15),
    ("SELECT id, nope FROM people", "UNRESOLVED_COLUMN.WITH_SUGGESTION", 12),
    ("SELECT 'ä', nope FROM people", "UNRESOLVED_COLUMN.WITH_SUGGESTION", 13),
    ("SELEC 1", "UNSUPPORTED_STATEMENT", 1),
    ("SELECT 1 +", "PARSE_SYNTAX_ERROR", 10),
    ("SELECT (1", "PARSE_SYNTAX_ERROR", None),
    ("SELECT 'a", "PARSE_SYNTAX_ERROR", 8),
    ("SELECT 1; SELECT 2", "PARSE_SYNTAX_ERROR", 11),
    ("SELECT nofunction(1)", "UNRESOLVED_ROUTINE", 8),
    ("SELECT CAST('x' AS INT)", "CAST_INVALID_INPUT", None),
    ("UPDATE people SET nope = 1", "UNRESOLVED_COLUMN.WITH_SUGGESTION", 19),
    ("UPDATE people SET age = nope", "UNRESOLVED_COLUMN.WITH_SUGGESTION", 25),
    ("DELETE FROM people WHERE x = 1", "UNRESOLVED_COLUMN.WITH_SUGGESTION", 26),
    ("INSERT INTO people VALUES (1)", "INSERT_COLUMN_ARITY_MISMATCH.NOT_ENOUGH_DATA_COLUMNS", 20),
    ("INSERT INTO people VALUES (NULL, 'x', 1)", "DELTA_NOT_NULL_CONSTRAINT_VIOLATED", None),
    ("INSERT INTO people SELECT id, name, 'x' FROM people", "CAST_INVALID_INPUT", None),
    ("CREATE TABLE people (a INT)", "TABLE_OR_VIEW_ALREADY_EXISTS", 14),
    ("CREATE TABLE nowhere.t (a INT)", "SCHEMA_NOT_FOUND", 14),
    ("CREATE TABLE t (a WRONG)", "UNSUPPORTED_DATATYPE", 19),
    ("CREATE TABLE t (a INT) USING CSV", "UNSUPPORTED_FEATURE.TABLE_FORMAT", 30),
    ("CREATE VIEW v AS SELECT 1", "UNSUPPORTED_STATEMENT", 8),
    ("SELECT * FROM table_changes('people', 5)", "DELTA_INVALID_CDC_RANGE", 15),
    ("SELECT * FROM table_changes('people', 0, 1) WHERE nope", "UNRESOLVED_COLUMN.WITH_SUGGESTION", 51),
])
def test_errors(people, sql, name, place):
    with pytest.raises(SqlError) as error:
        people.run(sql)
    assert error.value.code == "SQL" and error.value.error_class == name and len(error.value.sqlstate) == 5
    assert place is None or error.value.position == place
    assert "__lake" not in str(error.value)


@pytest.mark.parametrize("sql", [
    "SELECT * FROM read_parquet('/etc/passwd')", "SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM \"/etc/passwd\"", "SELECT * FROM `/etc/passwd`", "SELECT * FROM glob('/*')", "COPY people TO '/tmp/x'",
    "ATTACH '/tmp/x.db'", "INSTALL httpfs", "LOAD httpfs", "PRAGMA version", "SET memory_limit = '1GB'", "EXPORT DATABASE '/tmp/x'",
    "SELECT * FROM duckdb_settings()", "SELECT * FROM information_schema.tables", "SELECT * FROM sqlite_master",
    "SELECT getenv('HOME')", "SELECT current_setting('temp_directory')", "SELECT * FROM people, read_csv('/etc/passwd')",
    "SELECT (SELECT count(*) FROM read_csv_auto('/etc/passwd'))", "SELECT * FROM query('SELECT 1')", "SELECT * FROM query_table('x')",
    "WITH a AS (SELECT 1) DELETE FROM people", "WITH a AS (SELECT 1) INSERT INTO people SELECT 1", "SELECT * FROM __lake_foreign(1)",
    "SELECT * FROM (people JOIN 'x.csv' ON true)", "SELECT * FROM people WHERE id IN (FROM 'x.csv')", "CALL pragma_version()",
    "EXPLAIN ANALYZE SELECT 1", "EXPLAIN SELECT * FROM read_csv('x.csv')", "EXPLAIN SELECT * FROM duckdb_secrets()", "SELECT * FROM duckdb_secrets()", "SELECT * FROM pg_catalog.pg_class", "SELECT e'\\\\' FROM 'x.csv' --'",
    "INSERT INTO people SELECT * FROM read_csv('/etc/passwd')", "UPDATE people SET name = (SELECT content FROM read_text('/etc/passwd'))",
    "MERGE INTO people t USING read_csv('/etc/passwd') s ON true WHEN MATCHED THEN DELETE", "SUMMARIZE people", "PIVOT people ON id",
    "SELECT * FROM people POSITIONAL JOIN 'x.csv'", "SELECT * FROM VALUES (1) a, 'x.csv'", "TABLE people",
])
def test_nothing_else_is_read(people, sql):
    """The engine's own ways to files, settings and other databases are closed."""
    before = people.rows("SELECT count(*) FROM people")
    with pytest.raises(SqlError) as error:
        people.run(sql)
    assert error.value.sqlstate in ("0A000", "42P01", "42601", "42000"), str(error.value)
    assert "root:" not in str(error.value)
    assert people.rows("SELECT count(*) FROM people") == before


def test_limits(people):
    result = people.run("SELECT * FROM range(100000)", row_limit=7)
    assert (len(result.rows), result.done["row_count"], result.done["truncated"]) == (7, 7, True)
    result = people.run("SELECT repeat('x', 1000) FROM range(100000)", byte_limit=50_500)
    assert (len(result.rows), result.done["truncated"]) == (50, True)
    assert people.run("SELECT * FROM range(7)", row_limit=7).done["truncated"] is False
    with pytest.raises(SqlError) as error:
        people.run("SELECT repeat('x', 5000000)")
    assert error.value.code == "TOO_BIG"


def test_big_result_streams(engine):
    result = engine.run("SELECT id, 'row ' || id FROM range(200000)")
    assert len(result.rows) == 200000 and result.rows[123456] == ["123456", "row 123456"]


def test_cancel(engine):
    """A statement that would run for ages ends when it is told to; the worker lives on."""
    sock = engine.connect()
    job = {"job": "statement", "sql": "SELECT count(*) FROM range(100000000000) a, range(100000) b WHERE a.id + b.id = 3",
           "catalog": "main", "schema": "default", "principal": "me", "parameters": []}
    engine._send(sock, job)
    engine._send(sock, {"cancel": True})
    frame = engine._receive(sock)
    assert frame["error"]["code"] == "CANCELLED"
    sock.close()
    assert engine.rows("SELECT 1") == [["1"]]


def test_names_with_anything(engine):
    engine.run("CREATE TABLE `a ``b``\"c` (`x-y` INT, `Ü'` STRING, `select` INT)")
    engine.run("INSERT INTO `a ``b``\"c` VALUES (1, 'it''s', 2)")
    engine.run("UPDATE `a ``b``\"c` SET `Ü'` = 'q\\'\"\\n' WHERE `x-y` = 1")
    assert engine.rows("SELECT `Ü'`, `select` FROM `a ``b``\"c`") == [["q'\"\n", "2"]]


def test_words_that_only_the_engine_reserves(engine):
    names = "at, to, table, default, column, check, only, show, binary, user, timestamp, date, value, type, analyze"
    engine.run("CREATE TABLE w (" + ", ".join(f"{n} INT" for n in names.split(", ")) + ")")
    engine.run("INSERT INTO w SELECT " + ", ".join(str(i) for i in range(15)))
    engine.run("UPDATE w SET at = at + 1, w.default = default * 2 WHERE w.to = 1 AND only <= 6")
    assert engine.rows(f"SELECT {names} FROM w ORDER BY at, show") == [["1", "1", "2", "6"] + [str(i) for i in range(4, 15)]]


def test_nested_types(engine):
    engine.run("CREATE TABLE n (id INT, tags ARRAY<STRING>, s STRUCT<a: INT, b: ARRAY<DECIMAL(5,2)>>, m MAP<STRING, BIGINT>)")
    engine.run("INSERT INTO n VALUES (1, array('a', 'b'), {'a': 1, 'b': [1.5]}, map {'k': 2})")
    result = engine.run("SELECT * FROM n")
    assert result.rows == [["1", '["a","b"]', '{"a":1,"b":[1.5]}', '{"k":2}']]
    assert result.types == ["INT", "ARRAY<STRING>", "STRUCT<a: INT, b: ARRAY<DECIMAL(5,2)>>", "MAP<STRING, BIGINT>"]
    assert theirs(engine, "n", "id, tags")[0] == (1, ["a", "b"])


def test_partition_values_of_every_type(engine):
    """Folder names get escapes, the log gets values; another reader gets the values."""
    engine.run("CREATE TABLE p (id INT, s STRING, ts TIMESTAMP, d DATE, b BOOLEAN, n DECIMAL(10,3), nz TIMESTAMP_NTZ) "
               "PARTITIONED BY (s, ts, d, b, n, nz)")
    engine.run("INSERT INTO p VALUES (1, 'a/b %c=d''é ü+&?#', TIMESTAMP'2024-01-01 10:00:00.123456', DATE'2024-02-29', true, 1.5, "
               "CAST('2024-05-05 01:02:03' AS TIMESTAMP_NTZ)), (2, NULL, NULL, NULL, NULL, NULL, NULL), "
               "(3, '', TIMESTAMP'1969-12-31 23:59:59', DATE'0001-01-01', false, -0.001, NULL)")
    expect = [["1", "a/b %c=d'é ü+&?#", "2024-01-01T10:00:00.123456Z", "2024-02-29", "true", "1.500", "2024-05-05T01:02:03.000"],
              ["2"] + [None] * 6, ["3", None, "1969-12-31T23:59:59.000Z", "0001-01-01", "false", "-0.001", None]]
    assert engine.rows("SELECT * FROM p ORDER BY id") == expect
    utc = "CAST(ts AS VARCHAR), CAST(d AS VARCHAR), CAST(b AS VARCHAR), CAST(n AS VARCHAR), CAST(nz AS VARCHAR)"
    assert theirs(engine, "p", f"CAST(id AS VARCHAR), s, {utc}") == [
        tuple(v.replace(".000", "") if v and "T" in v else v for v in row) for row in expect]
    engine.run("UPDATE p SET s = 'moved' WHERE ts = TIMESTAMP'2024-01-01 10:00:00.123456'")
    assert engine.rows("SELECT id FROM p WHERE s = 'moved' AND n = 1.5 AND d = '2024-02-29'") == [["1"]]


def test_reads_what_deltalake_writes(engine):
    """A table of another writer, partitioned, with a column that only newer files have; updated by us, read by it."""
    from deltalake import write_deltalake
    root = str(engine.root / "other")
    write_deltalake(root, duckdb.sql("SELECT i AS id, i % 2 AS part FROM range(6) t(i)"), partition_by=["part"])
    write_deltalake(root, duckdb.sql("SELECT i AS id, i % 2 AS part, 'late' AS more FROM range(6, 8) t(i)"), mode="append",
                    schema_mode="merge")
    engine.tables[("main", "default", "other")] = {"location": root, "columns": []}
    assert engine.rows("SELECT part, count(*), count(more) FROM other GROUP BY part ORDER BY part") == [["0", "4", "1"], ["1", "4", "1"]]
    engine.run("UPDATE other SET more = 'new' WHERE id = 1")
    assert theirs(engine, "other", "id, part, more")[1] == (1, 1, "new") and len(theirs(engine, "other")) == 8
