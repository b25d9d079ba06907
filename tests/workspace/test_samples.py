"""The catalog `samples`: there for everybody, made at first use, the same everywhere, and nobody's to change."""
import threading

import duckdb
import pytest
from deltalake import DeltaTable

from api import Api
from lake import UC, Warehouse, app_of

TABLES = {"nyctaxi.trips": 21932, "tpch.region": 5, "tpch.nation": 25, "tpch.supplier": 1000, "tpch.customer": 15000, "tpch.part": 20000,
          "tpch.partsupp": 80000, "tpch.orders": 150000}


@pytest.fixture(scope="module")
def api(workspace):
    return Api.of(workspace)


@pytest.fixture(scope="module")
def sql(api):
    return Warehouse(api)


@pytest.fixture(scope="module")
def app(workspace):
    return app_of(workspace)


def test_it_is_shown(api, app, sql):
    assert ["samples"] in sql.rows("SHOW CATALOGS") and ["samples"] in Warehouse(app).rows("SHOW CATALOGS")
    assert [r[0] for r in sql.rows("SHOW SCHEMAS IN samples")] == ["nyctaxi", "tpch"]
    seen = api.ok("GET", f"{UC}/tables?catalog_name=samples&schema_name=tpch")["tables"]
    assert {t["full_name"] for t in seen} == {f"samples.{n}" for n in TABLES if n.startswith("tpch")} | {"samples.tpch.lineitem"}
    table = app.ok("GET", f"{UC}/tables/samples.nyctaxi.trips")
    assert [(c["name"], c["type_text"]) for c in table["columns"]] == [
        ("tpep_pickup_datetime", "timestamp"), ("tpep_dropoff_datetime", "timestamp"), ("trip_distance", "double"), ("fare_amount", "double"),
        ("pickup_zip", "int"), ("dropoff_zip", "int")]


def test_every_principal_reads_every_table(app):
    """Counts, and the columns that Unity Catalog says."""
    sql = Warehouse(app)
    for name, rows in TABLES.items():
        assert sql.rows(f"SELECT count(*) FROM samples.{name}") == [[str(rows)]]
        shown = [c["name"] for c in sql.run(f"SELECT * FROM samples.{name} LIMIT 1")["manifest"]["schema"]["columns"]]
        assert shown == [r[0] for r in sql.rows(f"DESCRIBE samples.{name}")]


def test_tpch_holds_together(sql):
    """What TPC-H promises: every key has its row, an order's total is that of its lines, dates are in order."""
    t = "samples.tpch."
    for child, key, parent, to in [("nation", "n_regionkey", "region", "r_regionkey"), ("customer", "c_nationkey", "nation", "n_nationkey"),
                                   ("orders", "o_custkey", "customer", "c_custkey"), ("lineitem", "l_orderkey", "orders", "o_orderkey"),
                                   ("partsupp", "ps_partkey", "part", "p_partkey"), ("partsupp", "ps_suppkey", "supplier", "s_suppkey")]:
        assert sql.rows(f"SELECT count(*) FROM {t}{child} WHERE {key} NOT IN (SELECT {to} FROM {t}{parent})") == [["0"]], child
    assert sql.rows(f"SELECT count(*) FROM {t}lineitem AS l LEFT JOIN {t}partsupp AS p ON l_partkey = ps_partkey AND l_suppkey = ps_suppkey "
                    "WHERE ps_partkey IS NULL") == [["0"]]
    assert sql.rows(f"SELECT max(abs(o_totalprice - total)) < 0.1, count(*) FROM {t}orders JOIN (SELECT l_orderkey, sum(l_extendedprice * "
                    f"(1 - l_discount) * (1 + l_tax)) AS total FROM {t}lineitem GROUP BY l_orderkey) AS s ON o_orderkey = l_orderkey") == [["true", "150000"]]
    assert sql.rows(f"SELECT count(*) FROM {t}lineitem JOIN {t}orders ON l_orderkey = o_orderkey WHERE l_shipdate <= o_orderdate OR "
                    "l_receiptdate <= l_shipdate OR l_quantity < 1 OR l_discount > 0.1 OR l_tax > 0.08") == [["0"]]
    for column in ("l_orderkey, l_linenumber",):
        assert sql.rows(f"SELECT count(*) - count(DISTINCT ({column})) FROM {t}lineitem") == [["0"]]
    assert int(sql.rows(f"SELECT count(*) FROM {t}lineitem")[0][0]) > 550_000
    assert [r[0] for r in sql.rows(f"SELECT o_orderstatus FROM {t}orders GROUP BY 1 ORDER BY 1")] == ["F", "O", "P"]
    assert sql.rows(f"SELECT count(*) FROM {t}customer WHERE c_custkey NOT IN (SELECT o_custkey FROM {t}orders)")[0][0] >= "5000"


def test_trips_make_sense(sql):
    assert sql.rows("SELECT count(*) FROM samples.nyctaxi.trips WHERE tpep_dropoff_datetime <= tpep_pickup_datetime OR trip_distance <= 0 OR "
                    "fare_amount < 2.5 OR pickup_zip < 10001 OR year(tpep_pickup_datetime) <> 2016") == [["0"]]
    fares = sql.rows("SELECT corr(trip_distance, fare_amount) > 0.9, count(DISTINCT pickup_zip), "
                     "datediff(max(tpep_pickup_datetime), min(tpep_pickup_datetime)) FROM samples.nyctaxi.trips")
    assert fares == [["true", "30", "59"]]


def digest(api):
    """Sums over columns of every type, by another reader: what must be the same in every workspace."""
    found = {}
    for name, column in {"tpch.orders": "o_totalprice", "tpch.part": "p_size", "nyctaxi.trips": "fare_amount"}.items():
        Warehouse(api).rows(f"SELECT 1 FROM samples.{name} LIMIT 1")
        root = api.ok("GET", f"{UC}/tables/samples.{name}")["storage_location"].removeprefix("file://")
        files = DeltaTable(root).file_uris()
        found[name] = duckdb.sql(f"SELECT count(*), sum({column})::VARCHAR, md5(string_agg(t::VARCHAR, '' ORDER BY t)) FROM read_parquet({files}) AS t").fetchall()
    return found


def test_the_same_in_every_workspace(api, own_workspace):
    assert digest(api) == digest(Api.of(own_workspace))


def test_made_once_by_many_at_once(own_workspace):
    api, failed = Api.of(own_workspace), []

    def one():
        try:
            assert Warehouse(api).rows("SELECT count(*) FROM samples.tpch.customer") == [["15000"]]
        except AssertionError as error:
            failed.append(error)

    threads = [threading.Thread(target=one) for _ in range(5)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failed
    root = api.ok("GET", f"{UC}/tables/samples.tpch.customer")["storage_location"].removeprefix("file://")
    assert DeltaTable(root).version() == 0


@pytest.mark.parametrize("statement", [
    "INSERT INTO samples.tpch.region VALUES (9, 'x', 'y')", "UPDATE samples.tpch.region SET r_name = 'x'", "DELETE FROM samples.tpch.region",
    "MERGE INTO samples.tpch.region AS t USING samples.tpch.region AS s ON t.r_regionkey = s.r_regionkey WHEN MATCHED THEN DELETE",
    "TRUNCATE TABLE samples.tpch.region", "DROP TABLE samples.tpch.region", "DROP SCHEMA samples.tpch CASCADE", "DROP CATALOG samples CASCADE",
    "ALTER TABLE samples.tpch.region SET TBLPROPERTIES ('a' = 'b')", "OPTIMIZE samples.tpch.region", "VACUUM samples.tpch.region",
    "CREATE TABLE samples.tpch.mine (a INT)", "CREATE SCHEMA samples.mine", "CREATE VOLUME samples.tpch.v", "CREATE CATALOG samples",
    "CREATE OR REPLACE TABLE samples.tpch.region (a INT)", "RESTORE TABLE samples.tpch.region TO VERSION AS OF 0",
    "GRANT MODIFY ON CATALOG samples TO `account users`", "REVOKE SELECT ON CATALOG samples FROM `account users`"])
def test_nobody_changes_it(sql, app, statement):
    for who in (sql, Warehouse(app)):
        message, _ = who.refused(statement)
        assert message.startswith(("[INSUFFICIENT_PERMISSIONS]", "[CATALOG_ALREADY_EXISTS]")), message
    assert sql.rows("SELECT count(*) FROM samples.tpch.region") == [["5"]]


def test_nor_by_the_api(api):
    assert api.refused("DELETE", f"{UC}/catalogs/samples?force=true")[0] == 403
    assert api.refused("DELETE", f"{UC}/tables/samples.tpch.region")[0] == 403
    assert api.refused("PATCH", f"{UC}/catalogs/samples", {"comment": "mine"})[0] == 403
    assert api.refused("POST", f"{UC}/schemas", {"name": "x", "catalog_name": "samples"})[0] == 403
    assert api.refused("PATCH", f"{UC}/permissions/catalog/samples", {"changes": [{"principal": "account users", "remove": ["SELECT"]}]})[0] == 403


def test_a_copy_is_the_learners(sql):
    sql.run("CREATE TABLE main.default.nations AS SELECT * FROM samples.tpch.nation")
    assert sql.rows("DELETE FROM main.default.nations WHERE n_regionkey = 1") == [["5"]]
    sql.run("DROP TABLE main.default.nations")
