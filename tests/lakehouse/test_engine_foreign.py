"""Tables of a real PostgreSQL queried beside Delta tables: values, types, joins, and that only wanted columns are fetched."""
import os
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest

from conftest import short_dir
from engine import Engine, SqlError

COLUMNS = [("id", "BIGINT"), ("name", "STRING"), ("ok", "BOOLEAN"), ("n", "DECIMAL(12,2)"), ("d", "DATE"), ("at", "TIMESTAMP"),
           ("local", "TIMESTAMP_NTZ"), ("f", "DOUBLE"), ("raw", "BINARY"), ("doc", "STRING"), ("Odd Name", "INT")]


@pytest.fixture(scope="module")
def postgres():
    """conninfo of a private server."""
    folder = short_dir("lake-pg-")
    user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    if user:
        shutil.chown(folder, "postgres", "postgres")
    bindir = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))

    def run(*args):
        subprocess.run(args, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, cwd="/", **user)

    run(bindir / "initdb", "-D", folder / "data", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8")
    run(bindir / "pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log", "-o",
        f"-c listen_addresses='' -c shared_buffers=16MB -c log_statement=all -k {folder}", "start")
    try:
        conninfo = f"host={folder} user=postgres dbname=postgres"
        with psycopg.connect(conninfo) as conn:
            conn.execute('CREATE TABLE orders (id bigint, name text, ok boolean, n numeric(12,2), d date, at timestamptz, '
                         'local timestamp, f float8, raw bytea, doc jsonb, "Odd Name" int)')
            conn.execute("INSERT INTO orders SELECT i, 'name ' || i, i % 2 = 0, i * 1.25, date '2026-01-01' + (i % 10)::int, "
                         "'2026-01-01 01:02:03.5+01', '2026-01-01 00:00', i / 8.0, '\\x00ff', '{\"a\": [1]}', i FROM "
                         "generate_series(1, 10000) i")
            conn.execute("INSERT INTO orders (id) VALUES (0)")
        yield conninfo, folder / "log"
    finally:
        run(bindir / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture
def engine(postgres):
    engine = Engine()
    engine.foreign[("pg", "public", "orders")] = {
        "kind": "postgres", "full_name": "pg.public.orders", "schema": "public", "table": "orders", "conninfo": postgres[0],
        "columns": [{"name": n, "type_text": t} for n, t in COLUMNS]}
    yield engine
    engine.close()


def test_values_and_types(engine):
    result = engine.run("SELECT * FROM pg.public.orders WHERE id <= 1 ORDER BY id")
    assert list(zip(result.names, result.types)) == COLUMNS
    assert result.rows == [
        ["0"] + [None] * 10,
        ["1", "name 1", "false", "1.25", "2026-01-02", "2026-01-01T00:02:03.500Z", "2026-01-01T00:00:00.000", "0.125", "AP8=",
         '{"a": [1]}', "1"]]
    assert result.done["sources"] == ["pg.public.orders"]


def test_join_with_a_delta_table(engine):
    engine.run("CREATE TABLE seen AS SELECT id AS order_id FROM range(1, 6)")
    assert engine.rows("SELECT count(*), sum(o.n), max(o.`Odd Name`) FROM seen s JOIN pg.public.orders o ON o.id = s.order_id") == [
        ["5", "18.75", "5"]]
    assert engine.rows("CREATE TABLE kept AS SELECT id, name FROM pg.public.orders WHERE ok") == [["5000", "5000"]]
    assert engine.rows("MERGE INTO kept k USING pg.public.orders o ON k.id = o.id WHEN MATCHED THEN DELETE "
                       "WHEN NOT MATCHED THEN INSERT (id) VALUES (o.id)") == [["10001", "0", "5000", "5001"]]


def test_only_wanted_columns_are_fetched(engine, postgres):
    before = postgres[1].stat().st_size
    assert engine.rows("SELECT max(id) FROM pg.public.orders") == [["10000"]]
    assert engine.rows("SELECT count(*) FROM pg.public.orders") == [["10001"]]
    with open(postgres[1]) as log:
        log.seek(before)
        selects = [line.partition("SELECT ")[2].strip() for line in log if "DECLARE" in line]
    assert selects[0] == '"id" FROM "public"."orders"'
    assert "name" not in selects[1]


def asked(postgres, before):
    """The cursors since then: what stands behind FROM."""
    with open(postgres[1]) as log:
        log.seek(before)
        return [line.partition(' FROM ')[2].strip() for line in log if "DECLARE lakebase_scan" in line]


@pytest.mark.parametrize("where, sent", [
    ("id = 5", '("id" = (5)::bigint)'),
    ("id IN (3, 4, 5) AND name IS NOT NULL", None),
    ("n > 100.5 AND upper(name) LIKE 'NAME 9%'", '("n" > (100.50)::numeric)'),
    ("d >= '2026-01-03' AND d < DATE'2026-01-05'", None),
    ("at > TIMESTAMP'2026-01-01 00:00:00' OR at IS NULL", None),
    ("name = 'name 17'", '("name"::text = \'name 17\')'),
    ("name <> 'name 17' AND NOT (id BETWEEN 5 AND 9000)", None),
    ("`Odd Name` < 10 AND ok", '("Odd Name" < (10)::bigint)'),
    ("local = TIMESTAMP_NTZ'2026-01-01 00:00:00' AND id < 3", None),
    ("n = (SELECT 12.5)", None), ("id = :key", None), ("doc = '{\"a\": [1]}' AND id < 100", None), ("id / 0 IS NULL AND id < 4", None)])
def test_conditions_are_asked_of_postgresql(engine, postgres, where, sent):
    """The rows are those without any push (a column through a function is never pushed), and PostgreSQL filters."""
    parameters = [{"name": "key", "value": "77", "type": "BIGINT"}]
    before = postgres[1].stat().st_size
    rows = engine.rows(f"SELECT id, name FROM pg.public.orders WHERE {where} ORDER BY id", parameters)
    clause = asked(postgres, before)[0]
    assert not sent or sent in clause
    engine.run("CREATE TABLE copied AS SELECT id, name, ok, n, d, at, local, doc, `Odd Name` AS odd FROM pg.public.orders")
    assert rows == engine.rows(f"SELECT id, name FROM copied WHERE {where.replace('`Odd Name`', 'odd')} ORDER BY id", parameters)


def test_conditions_of_joins_and_of_writes(engine, postgres):
    engine.run("CREATE TABLE seen AS SELECT id AS order_id FROM range(1, 6)")
    before = postgres[1].stat().st_size
    assert engine.rows("SELECT count(*) FROM seen s JOIN pg.public.orders o ON o.id = s.order_id WHERE o.id <= 3 AND o.ok") == [["1"]]
    assert engine.rows("SELECT count(*) FROM seen s LEFT JOIN pg.public.orders o ON o.id = s.order_id AND o.id > 4") == [["5"]]
    assert engine.rows("SELECT count(*) FROM pg.public.orders a JOIN pg.public.orders b ON a.id = b.id WHERE a.id = 3 AND b.name = 'name 3'") == [["1"]]
    assert engine.rows("CREATE TABLE few AS SELECT id FROM pg.public.orders WHERE id < 10") == [["10", "10"]]
    clauses = asked(postgres, before)
    assert '("id" <= (3)::bigint)' in clauses[0] and '"id" > (4)::bigint' in clauses[1]
    assert "(\"name\"::text = 'name 3')" in " ".join(clauses[2:4]) and '("id" < (10)::bigint)' in clauses[-1]


def test_explain_shows_what_postgresql_is_asked_for(engine):
    engine.run("CREATE TABLE seen AS SELECT id AS order_id FROM range(1, 6)")
    result = engine.run("EXPLAIN SELECT name FROM pg.public.orders o JOIN seen s ON s.order_id = o.id WHERE o.n > 3 AND upper(name) <> 'X'")
    assert result.names == ["plan"] and "== Physical Plan ==" in result.rows[0][0] and "join" in result.rows[0][0].lower()
    assert result.rows[0][0].splitlines()[-1] == 'PostgreSQL: pg.public.orders WHERE (("n" > (3.00)::numeric))'
    assert engine.rows("EXPLAIN SELECT count(*) FROM pg.public.orders")[0][0].splitlines()[-1] == "PostgreSQL: pg.public.orders, every row"
    for sql in ("EXPLAIN DROP TABLE seen", "EXPLAIN", "EXPLAIN SELECT nothing FROM seen"):
        with pytest.raises(SqlError):
            engine.run(sql)


def test_it_is_only_read(engine):
    for sql in ("INSERT INTO pg.public.orders (id) VALUES (1)", "DELETE FROM pg.public.orders",
                "SELECT * FROM pg.public.orders VERSION AS OF 1"):
        with pytest.raises(SqlError):
            engine.run(sql)


def test_a_lost_server_is_an_error_without_secrets(engine):
    engine.foreign[("pg", "public", "gone")] = dict(
        engine.foreign[("pg", "public", "orders")], full_name="pg.public.gone",
        conninfo="host=/nowhere user=u password=hush dbname=x")
    with pytest.raises(SqlError) as error:
        engine.run("SELECT * FROM pg.public.gone")
    assert "public" in str(error.value) and "hush" not in str(error.value)
    with pytest.raises(SqlError) as error:
        engine.run("SELECT name FROM pg.public.orders WHERE 1 / (SELECT id FROM pg.public.gone) = 1")
    assert engine.rows("SELECT count(*) FROM pg.public.orders") == [["10001"]]
