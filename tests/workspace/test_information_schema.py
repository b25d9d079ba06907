"""information_schema says what the Unity Catalog API says, to each principal what it may see; and lineage as a system table."""
import pytest

from api import Api
from lake import LEARNER, UC, Warehouse, app_of


@pytest.fixture(scope="module")
def api(workspace):
    return Api.of(workspace)


@pytest.fixture(scope="module")
def sql(api):
    return Warehouse(api)


@pytest.fixture(scope="module")
def app(workspace):
    return app_of(workspace)


@pytest.fixture(scope="module")
def sales(api, sql, app):
    for statement in ("CREATE CATALOG sales", "CREATE SCHEMA sales.shop COMMENT 'what we sell'", "CREATE SCHEMA sales.private",
                      "CREATE TABLE sales.shop.orders (id BIGINT NOT NULL COMMENT 'number', total DECIMAL(10,2), day DATE) PARTITIONED BY (day)",
                      "CREATE TABLE sales.shop.customers (id INT, name STRING)", "CREATE TABLE sales.private.secret (x INT)",
                      "CREATE TABLE sales.shop.totals AS SELECT day, sum(total) AS total FROM sales.shop.orders GROUP BY day",
                      "CREATE VOLUME sales.shop.incoming", f"GRANT USE CATALOG ON CATALOG sales TO `{app.name}`",
                      f"GRANT USE SCHEMA, SELECT ON SCHEMA sales.shop TO `{app.name}`"):
        assert sql.run(statement)["status"]["state"] == "SUCCEEDED", statement
    yield "sales"
    api.ok("DELETE", f"{UC}/catalogs/sales?force=true")


def test_tables_as_the_api_lists_them(api, sql, sales):
    rows = sql.rows("SELECT table_schema, table_name, table_type, table_owner, data_source_format, storage_path, is_insertable_into "
                    "FROM sales.information_schema.tables ORDER BY 1, 2")
    expect = [[t["schema_name"], t["name"], t["table_type"], t["owner"], t["data_source_format"], t["storage_location"], "YES"]
              for schema in ("private", "shop")
              for t in api.ok("GET", f"{UC}/tables?catalog_name=sales&schema_name={schema}")["tables"]]
    assert rows == expect and len(rows) == 4


def test_columns_with_their_types(sql, sales):
    assert sql.rows("SELECT column_name, ordinal_position, is_nullable, full_data_type, data_type, numeric_precision, numeric_scale, "
                    "partition_index, comment FROM sales.information_schema.columns WHERE table_name = 'orders' ORDER BY ordinal_position") == [
        ["id", "1", "NO", "bigint", "LONG", None, None, None, "number"],
        ["total", "2", "YES", "decimal(10,2)", "DECIMAL", "10", "2", None, None],
        ["day", "3", "YES", "date", "DATE", None, None, "0", None]]
    seen = sql.run("SELECT * FROM sales.information_schema.columns LIMIT 1")["manifest"]["schema"]["columns"]
    assert len(seen) == 33 and [c["name"] for c in seen][-2:] == ["partition_index", "comment"]


def test_seconds_are_cut_not_rounded(sql):
    assert sql.rows("SELECT unix_timestamp(TIMESTAMP'2026-01-01 00:00:00.9'), unix_timestamp(TIMESTAMP'1969-12-31 23:59:59.1')") == [
        ["1767225600", "-1"]]


def test_schemata_volumes_and_the_name(api, sql, sales):
    schema = api.ok("GET", f"{UC}/schemas/sales.shop")
    [row] = sql.rows("SELECT schema_owner, comment, unix_timestamp(created), created_by FROM sales.information_schema.schemata WHERE schema_name = 'shop'")
    assert row == [LEARNER, "what we sell", str(schema["created_at"] // 1000), LEARNER]
    assert sql.rows("SELECT volume_schema, volume_name, volume_type FROM sales.information_schema.volumes") == [["shop", "incoming", "MANAGED"]]
    assert sql.rows("SELECT * FROM sales.information_schema.information_schema_catalog_name") == [["sales"]]


def test_privileges_direct_and_inherited(sql, app, sales):
    assert sql.rows("SELECT grantee, privilege_type, inherited_from FROM sales.information_schema.catalog_privileges") == [[app.name, "USE_CATALOG", "NONE"]]
    assert sorted(sql.rows("SELECT privilege_type, inherited_from FROM sales.information_schema.schema_privileges WHERE schema_name = 'shop'")) == [
        ["SELECT", "NONE"], ["USE_CATALOG", "CATALOG"], ["USE_SCHEMA", "NONE"]]
    assert sql.rows("SELECT grantor, grantee, inherited_from FROM sales.information_schema.table_privileges WHERE table_name = 'orders' AND "
                    "privilege_type = 'SELECT'") == [[LEARNER, app.name, "SCHEMA"]]


def test_a_second_principal_sees_its_own(app, sales):
    mine = Warehouse(app)
    assert mine.rows("SELECT table_name FROM sales.information_schema.tables ORDER BY 1") == [["customers"], ["orders"], ["totals"]]
    assert mine.rows("SELECT DISTINCT table_schema FROM sales.information_schema.columns") == [["shop"]]
    assert mine.rows("SELECT schema_name FROM sales.information_schema.schemata") == [["shop"]]
    assert mine.rows("SELECT count(*) FROM sales.information_schema.volumes") == [["0"]]
    assert "USE CATALOG" in mine.refused("SELECT * FROM main.information_schema.tables")[0]


def test_it_is_joined_filtered_and_copied_like_a_table(sql, sales):
    assert sql.rows("SELECT t.table_name, count(*) FROM sales.information_schema.tables AS t JOIN sales.information_schema.columns AS c "
                    "ON t.table_name = c.table_name WHERE t.table_schema = :s GROUP BY 1 ORDER BY 1",
                    parameters=[{"name": "s", "value": "shop"}]) == [["customers", "2"], ["orders", "3"], ["totals", "2"]]
    assert sql.rows("SELECT count(*) FROM information_schema.tables WHERE table_name = 'none'", catalog="sales") == [["0"]]
    sql.run("CREATE TABLE sales.private.copied AS SELECT table_name FROM sales.information_schema.tables")
    assert sql.rows("SELECT count(*) FROM sales.private.copied") == [["4"]]
    sql.run("DROP TABLE sales.private.copied")
    assert sql.rows("DESCRIBE sales.information_schema.catalog_privileges")[0][:2] == ["grantor", "string"]


def test_a_registered_database_too(api, sql):
    api.create("demo")
    api.ok("POST", "/api/2.0/database/catalogs", {"name": "pg", "database_instance_name": "demo", "database_name": "databricks_postgres"})
    assert ["public"] in sql.rows("SELECT schema_name FROM pg.information_schema.schemata")
    assert sql.rows("SELECT count(*) FROM pg.information_schema.tables") == [["0"]]
    api.ok("DELETE", f"{UC}/catalogs/pg")
    api.delete("demo")


@pytest.mark.parametrize("statement, word", [
    ("INSERT INTO sales.information_schema.tables VALUES (1)", "read-only"), ("DELETE FROM sales.information_schema.tables", "read-only"),
    ("SELECT * FROM sales.information_schema.routines", "tables"), ("SELECT * FROM none.information_schema.tables", "TABLE_OR_VIEW_NOT_FOUND"),
    ("SELECT * FROM sales.information_schema.tables VERSION AS OF 1", "TIME_TRAVEL"), ("SELECT * FROM system.information_schema.tables", "system"),
    ("SELECT * FROM system.access.audit", "table_lineage"), ("CREATE SCHEMA sales.information_schema", "SCHEMA_ALREADY_EXISTS"),
    ("CREATE TABLE sales.information_schema.x (a INT)", "SCHEMA_NOT_FOUND")])
def test_refused(sql, sales, statement, word):
    assert word in sql.refused(statement)[0]


def test_lineage_as_a_system_table(sql, app, sales):
    wanted = "SELECT source_table_full_name, target_table_name, created_by FROM system.access.table_lineage WHERE target_table_catalog = 'sales'"
    assert sql.rows(wanted) == [["sales.shop.orders", "totals", LEARNER]] == Warehouse(app).rows(wanted)
    assert sql.rows("SELECT DISTINCT event_date = CAST(event_time AS DATE) FROM system.access.table_lineage") == [["true"]]
    sql.run("CREATE TABLE sales.shop.leak AS SELECT x FROM sales.private.secret")
    assert len(sql.rows(wanted)) == 2 and len(Warehouse(app).rows(wanted)) == 1
