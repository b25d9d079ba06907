"""Delta tables as Unity Catalog shows them, made and changed by SQL."""
import pytest

from api import Api
from lake import LEARNER, UC, Warehouse


@pytest.fixture(scope="module")
def api(workspace):
    return Api.of(workspace)


@pytest.fixture(scope="module")
def sql(api):
    warehouse = Warehouse(api)
    warehouse.rows("CREATE SCHEMA main.shop COMMENT 'what we sell'")
    return warehouse


def names(doc):
    return [one["name"] for one in doc.get("tables", [])]


def test_a_table_as_it_was_made(api, sql):
    sql.rows("CREATE TABLE main.shop.Orders (id BIGINT NOT NULL COMMENT 'key', name STRING, price DECIMAL(10,2), day DATE)"
             " USING DELTA COMMENT 'one row each' TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')")
    seen = api.ok("GET", f"{UC}/tables/main.shop.ORDERS")
    assert seen["full_name"] == "main.shop.orders" and seen["name"] == "orders"
    assert (seen["table_type"], seen["data_source_format"], seen["owner"]) == ("MANAGED", "DELTA", LEARNER)
    assert seen["comment"] == "one row each" and seen["properties"]["delta.enableChangeDataFeed"] == "true"
    assert seen["storage_location"].endswith(f"/lakehouse/tables/{seen['table_id']}")
    columns = [(c["name"], c["type_name"], c["type_text"], c["position"], c["nullable"]) for c in seen["columns"]]
    assert columns == [("id", "LONG", "bigint", 0, False), ("name", "STRING", "string", 1, True),
                       ("price", "DECIMAL", "decimal(10,2)", 2, True), ("day", "DATE", "date", 3, True)]
    assert seen["columns"][0]["comment"] == "key"
    assert api.ok("GET", f"{UC}/tables/main.shop.orders/exists") == {"table_exists": True}
    assert names(api.ok("GET", f"{UC}/tables?catalog_name=main&schema_name=shop")) == ["orders"]
    bare = api.ok("GET", f"{UC}/tables?catalog_name=main&schema_name=shop&omit_columns=true&omit_properties=true")
    assert "columns" not in bare["tables"][0] and "properties" not in bare["tables"][0]


def test_comment_and_owner_are_changed_by_the_api(api, sql):
    sql.rows("CREATE TABLE main.shop.c (id INT)")
    assert api.ok("PATCH", f"{UC}/tables/main.shop.c", {"comment": "new"}) == {}
    assert api.ok("GET", f"{UC}/tables/main.shop.c")["comment"] == "new"
    assert api.refused("PATCH", f"{UC}/tables/main.shop.c", {"owner": "nobody"})[:2] == (404, "PRINCIPAL_DOES_NOT_EXIST")


def test_a_table_is_dropped_by_api_and_sql(api, sql):
    for drop in (lambda: api.ok("DELETE", f"{UC}/tables/main.shop.d"), lambda: sql.rows("DROP TABLE main.shop.d")):
        sql.rows("CREATE TABLE main.shop.d (id INT)")
        drop()
        assert api.refused("GET", f"{UC}/tables/main.shop.d")[:2] == (404, "TABLE_DOES_NOT_EXIST")
        assert sql.refused("SELECT * FROM main.shop.d")[1] == "42P01"
    sql.rows("DROP TABLE IF EXISTS main.shop.d")


@pytest.mark.parametrize("statement, begins, state", [
    ("CREATE TABLE main.shop.twice (id INT)", "[TABLE_OR_VIEW_ALREADY_EXISTS]", "42P07"),
    ("CREATE TABLE main.none.t (id INT)", "[SCHEMA_NOT_FOUND]", "42704"),
    ("CREATE TABLE none.s.t (id INT)", "[NO_SUCH_CATALOG_EXCEPTION]", "42704"),
    ("DROP TABLE main.shop.none", "[TABLE_OR_VIEW_NOT_FOUND]", "42P01"),
    ("CREATE SCHEMA main.shop", "[SCHEMA_ALREADY_EXISTS]", "42P06"),
    ("DROP SCHEMA main.shop", "[SCHEMA_NOT_EMPTY]", "2BP01"),
    ("DROP SCHEMA main.none", "[SCHEMA_NOT_FOUND]", "42704"),
    ("CREATE CATALOG main", "[CATALOG_ALREADY_EXISTS]", "42710"),
    ("DROP CATALOG none", "[NO_SUCH_CATALOG_EXCEPTION]", "42704"),
])
def test_errors_as_databricks_words_them(sql, statement, begins, state):
    sql.rows("CREATE TABLE IF NOT EXISTS main.shop.twice (id INT)")
    message, sql_state = sql.refused(statement)
    assert message.startswith(begins) and sql_state == state, message


def test_catalogs_and_schemas_by_sql(api, sql):
    sql.rows("CREATE CATALOG IF NOT EXISTS lab COMMENT 'c'")
    sql.rows("CREATE CATALOG IF NOT EXISTS lab")
    assert api.ok("GET", f"{UC}/catalogs/lab")["comment"] == "c"
    sql.rows("CREATE SCHEMA IF NOT EXISTS lab.one")
    sql.rows("CREATE TABLE lab.one.t (id INT)")
    assert "one" in [row[0] for row in sql.rows("SHOW SCHEMAS IN lab")]
    assert "lab" in [row[0] for row in sql.rows("SHOW CATALOGS")]
    sql.rows("DROP CATALOG lab CASCADE")
    assert api.refused("GET", f"{UC}/tables/lab.one.t")[:2] == (404, "CATALOG_DOES_NOT_EXIST")


def test_pages_of_tables(api, sql):
    sql.rows("CREATE SCHEMA main.pages")
    for i in range(5):
        sql.rows(f"CREATE TABLE main.pages.t{i} (id INT)")
    seen, token = [], ""
    while True:
        doc = api.ok("GET", f"{UC}/tables?catalog_name=main&schema_name=pages&max_results=2{token}")
        seen += names(doc)
        if not (following := doc.get("next_page_token")):
            break
        token = f"&page_token={following}"
    assert seen == [f"t{i}" for i in range(5)]


def test_a_database_joins_delta_tables(workspace, api, sql):
    import psycopg
    api.create("demo")
    with psycopg.connect(host=api.get("demo")["read_write_dns"], user=LEARNER, dbname="databricks_postgres",
                         password=api.credential("demo"), sslmode="require", autocommit=True) as conn:
        conn.execute("CREATE TABLE customers (id int PRIMARY KEY, email text, secret text)")
        conn.execute("INSERT INTO customers VALUES (1, 'a@example.com', 's'), (2, 'b''@example.com', NULL)")
        conn.execute("ALTER TABLE customers ENABLE ROW LEVEL SECURITY")
        api.ok("POST", "/api/2.0/database/catalogs", {"name": "shop_pg", "database_instance_name": "demo",
                                                      "database_name": "databricks_postgres"})
        sql.rows("CREATE TABLE main.shop.sales (customer INT, total DECIMAL(10,2))")
        sql.rows("INSERT INTO main.shop.sales VALUES (1, 10.50), (1, 2.00), (2, 7.25)")
        joined = sql.rows("SELECT c.email, sum(s.total) FROM main.shop.sales s JOIN shop_pg.public.customers c ON c.id = s.customer"
                          " GROUP BY c.email ORDER BY 1")
        assert joined == [["a@example.com", "12.50"], ["b'@example.com", "7.25"]]
        for statement in ("INSERT INTO shop_pg.public.customers VALUES (3, 'x', 'y')", "DROP TABLE shop_pg.public.customers",
                          "CREATE TABLE shop_pg.public.x (id INT)"):
            assert "read-only" in sql.refused(statement)[0]
        # The reader is nobody that a user could become or give rights to others through.
        role = conn.execute("SELECT rolsuper, rolcreaterole, rolcanlogin FROM pg_roles WHERE rolname = 'databricks_reader'").fetchone()
        assert role == (False, False, True)
        with pytest.raises(psycopg.Error):
            conn.execute("SET ROLE databricks_reader")
    api.ok("DELETE", "/api/2.0/database/catalogs/shop_pg")
    api.delete("demo")
