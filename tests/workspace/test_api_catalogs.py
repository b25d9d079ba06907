"""Catalogs over databases, and what Unity Catalog says about them, against real databases."""
import psycopg
import pytest

from api import Api

CATALOGS = "/api/2.0/database/catalogs"
UC = "/api/2.1/unity-catalog"


@pytest.fixture(scope="module")
def api(workspace):
    api = Api.of(workspace)
    api.create("demo")
    return api


def sql(api, *statements, dbname="databricks_postgres"):
    with psycopg.connect(host=api.get("demo")["read_write_dns"], user="learner@example.com", dbname=dbname,
                         password=api.credential("demo"), sslmode="require", autocommit=True) as conn:
        for statement in statements:
            conn.execute(statement)


def body(name, database="databricks_postgres", instance="demo", **more):
    return {"name": name, "database_instance_name": instance, "database_name": database, **more}


@pytest.fixture
def shop(api):
    sql(api, "DROP SCHEMA IF EXISTS shop CASCADE", "CREATE SCHEMA shop")
    api.ok("POST", CATALOGS, body("shop"))
    yield "shop"
    api.ok("DELETE", f"{CATALOGS}/shop")


@pytest.mark.parametrize("fields, status, code", [
    ({"name": ""}, 400, "INVALID_PARAMETER_VALUE"),
    ({"name": "a.b"}, 400, "INVALID_PARAMETER_VALUE"),
    ({"name": "a b"}, 400, "INVALID_PARAMETER_VALUE"),
    ({"name": "a/b"}, 400, "INVALID_PARAMETER_VALUE"),
    ({"name": "a\tb"}, 400, "INVALID_PARAMETER_VALUE"),
    ({"name": "x" * 256}, 400, "INVALID_PARAMETER_VALUE"),
    ({"name": "main"}, 409, "CATALOG_ALREADY_EXISTS"),
    ({"database_name": ""}, 400, "INVALID_PARAMETER_VALUE"),
    ({"database_name": "x" * 64}, 400, "INVALID_PARAMETER_VALUE"),
    ({"database_name": "template1"}, 400, "INVALID_PARAMETER_VALUE"),
    ({"database_name": "nowhere"}, 404, "NOT_FOUND"),
    ({"database_name": "robert'); DROP TABLE students;--"}, 404, "NOT_FOUND"),
    ({"database_instance_name": "none"}, 404, "NOT_FOUND"),
])
def test_what_is_refused(api, fields, status, code):
    assert api.refused("POST", CATALOGS, {**body("fine"), **fields})[:2] == (status, code)


def test_names_are_stored_in_lower_case_and_found_in_any(api):
    assert api.ok("POST", CATALOGS, body("MixedCase"))["name"] == "mixedcase"
    assert api.ok("GET", f"{CATALOGS}/MIXEDcase")["name"] == "mixedcase"
    assert api.ok("GET", f"{UC}/catalogs/MixedCase")["full_name"] == "mixedcase"
    assert api.refused("POST", CATALOGS, body("mixedCASE", "postgres"))[1] == "CATALOG_ALREADY_EXISTS"
    assert api.ok("DELETE", f"{UC}/catalogs/MixedCase?force=true") == {}
    assert api.refused("DELETE", f"{CATALOGS}/mixedcase")[:2] == (404, "CATALOG_DOES_NOT_EXIST")


def test_one_database_one_catalog(api, shop):
    status, code, message = api.refused("POST", CATALOGS, body("second"))
    assert (status, code) == (409, "ALREADY_EXISTS")
    assert "registered" in message
    api.ok("POST", CATALOGS, body("second", "postgres"))
    listed = api.ok("GET", "/api/2.0/database/instances/demo/catalogs?page_size=1")
    assert [c["name"] for c in listed["database_catalogs"]] == ["second"]
    rest = api.ok("GET", f"/api/2.0/database/instances/demo/catalogs?page_token={listed['next_page_token']}")
    assert [c["name"] for c in rest["database_catalogs"]] == ["shop"]
    api.ok("DELETE", f"{CATALOGS}/second")


def test_create_database_if_not_exists(api):
    odd = 'Grün "quoted" \'db\''
    doc = api.ok("POST", CATALOGS, body("odd", odd, create_database_if_not_exists=True))
    assert doc["database_name"] == odd and "create_database_if_not_exists" not in doc
    sql(api, "CREATE TABLE t (i int)", dbname=odd)
    assert api.ok("GET", f"{UC}/tables/odd.public.t")["columns"][0]["type_name"] == "INT"
    # deleting the catalog keeps the database; it can be registered again
    api.ok("DELETE", f"{CATALOGS}/odd")
    api.ok("POST", CATALOGS, body("odd2", odd))
    assert api.ok("GET", f"{UC}/tables/odd2.public.t/exists") == {"table_exists": True}
    api.ok("DELETE", f"{CATALOGS}/odd2")


def test_update_is_the_services_501(api, shop):
    assert api.refused("PATCH", f"{CATALOGS}/shop?update_mask=*", body("shop")) == (
        501, "NOT_IMPLEMENTED", "Update Database Catalog is not yet implemented")


def test_main(api):
    assert api.ok("GET", f"{UC}/catalogs/main")["catalog_type"] == "MANAGED_CATALOG"
    assert [s["name"] for s in api.ok("GET", f"{UC}/schemas?catalog_name=main")["schemas"]] == ["default"]
    assert api.ok("GET", f"{UC}/tables?catalog_name=main&schema_name=default") == {}
    assert api.refused("DELETE", f"{UC}/catalogs/main")[:2] == (403, "PERMISSION_DENIED")
    doc = api.ok("GET", f"{UC}/current-metastore-assignment")
    assert doc["default_catalog_name"] == "main" and isinstance(doc["workspace_id"], int)


def test_names_that_do_not_exist(api, shop):
    for path, code in ((f"{UC}/catalogs/none", "CATALOG"), (f"{UC}/schemas?catalog_name=none", "CATALOG"),
                       (f"{UC}/schemas/none.x", "CATALOG"), (f"{UC}/schemas/shop.none", "SCHEMA"),
                       (f"{UC}/schemas/shop.pg_catalog", "SCHEMA"), (f"{UC}/schemas/main.other", "SCHEMA"),
                       (f"{UC}/tables?catalog_name=shop&schema_name=none", "SCHEMA"),
                       (f"{UC}/tables/shop.none.t", "SCHEMA"), (f"{UC}/tables/shop.shop.t", "TABLE"),
                       (f"{UC}/tables/main.default.t", "TABLE"), (f"{UC}/tables/none.a.b", "CATALOG")):
        assert api.refused("GET", path)[:2] == (404, f"{code}_DOES_NOT_EXIST"), path
    for name in ("none.a.b", "shop.none.t", "shop.shop.t"):
        assert api.ok("GET", f"{UC}/tables/{name}/exists") == {"table_exists": False}
    for path in (f"{UC}/tables/shop", f"{UC}/tables/shop.shop", f"{UC}/schemas/shop", f"{UC}/tables/..a",
                 f"{UC}/tables?catalog_name=shop", f"{UC}/schemas"):
        assert api.refused("GET", path)[:2] == (400, "INVALID_PARAMETER_VALUE"), path


def test_tables_as_they_are(api, shop):
    sql(api, r'''
        CREATE DOMAIN shop.price AS numeric(8,3);
        CREATE TYPE shop.mood AS ENUM ('good', 'bad');
        CREATE TABLE shop.parent (a int, b text, PRIMARY KEY (b, a));
        CREATE TABLE shop.wide (
            i2 int2, i4 int4 NOT NULL, i8 int8, f4 float4, f8 float8, n numeric, n5 numeric(5), n52 numeric(5,2),
            big numeric(50,10), neg numeric(3,-2), p shop.price, t text, v varchar(3), c char(2), bo boolean, by bytea,
            d date, ts timestamp, tz timestamptz, tm time, j jsonb, u uuid, arr int[], m shop.mood, inet inet,
            fa int, fb text, CONSTRAINT to_parent FOREIGN KEY (fb, fa) REFERENCES shop.parent);
        COMMENT ON COLUMN shop.wide.i2 IS 'two bytes "quoted"';
        ALTER TABLE shop.wide DROP COLUMN i8;
        CREATE VIEW shop.a_view AS SELECT i2 FROM shop.wide;
        CREATE MATERIALIZED VIEW shop.a_mat AS SELECT 1::bigint AS one;
        CREATE TABLE shop.parts (k int) PARTITION BY RANGE (k);
        CREATE TABLE shop.parts_1 PARTITION OF shop.parts FOR VALUES FROM (0) TO (10);
        CREATE TABLE shop."Odd.name ""x""" (i int);
    ''')
    listed = api.ok("GET", f"{UC}/tables?catalog_name=shop&schema_name=shop")["tables"]
    assert [t["name"] for t in listed] == ['Odd.name "x"', "a_mat", "a_view", "parent", "parts", "wide"]
    assert all((t["table_type"], t["data_source_format"]) == ("FOREIGN", "POSTGRESQL_FORMAT") for t in listed)
    assert not any("table_constraints" in t for t in listed)
    wide = api.ok("GET", f"{UC}/tables/shop.shop.wide")
    assert {c["name"]: c["type_text"] for c in wide["columns"]} == {
        "i2": "smallint", "i4": "int", "f4": "float", "f8": "double", "n": "decimal(38,18)", "n5": "decimal(5,0)",
        "n52": "decimal(5,2)", "big": "string", "neg": "string", "p": "decimal(8,3)", "t": "string", "v": "string",
        "c": "string", "bo": "boolean", "by": "binary", "d": "date", "ts": "timestamp", "tz": "timestamp", "tm": "string",
        "j": "string", "u": "string", "arr": "string", "m": "string", "inet": "string", "fa": "int", "fb": "string"}
    assert [c["position"] for c in wide["columns"]] == list(range(26))
    assert [c["name"] for c in wide["columns"] if not c["nullable"]] == ["i4"]
    assert wide["columns"][0]["comment"] == 'two bytes "quoted"'
    assert '"type" : "short"' in wide["columns"][0]["type_json"]
    assert wide["table_constraints"] == [{"foreign_key_constraint": {
        "name": "to_parent", "child_columns": ["fb", "fa"], "parent_table": "shop.shop.parent",
        "parent_columns": ["b", "a"]}}]
    parent = api.ok("GET", f"{UC}/tables/shop.shop.parent")
    assert parent["table_constraints"][0]["primary_key_constraint"]["child_columns"] == ["b", "a"]
    odd = api.ok("GET", f"{UC}/tables/shop.shop.Odd.name%20%22x%22")
    assert odd["full_name"] == 'shop.shop.Odd.name "x"'
    assert api.ok("GET", f"{UC}/tables/shop.shop.wide")["table_id"] == wide["table_id"] != parent["table_id"]


def test_pages_of_tables(api, shop):
    sql(api, *(f"CREATE TABLE shop.t{i:03} (i int)" for i in range(120)))
    seen, token, pages = [], "", 0
    while pages == 0 or token:
        doc = api.ok("GET", f"{UC}/tables?catalog_name=shop&schema_name=shop&max_results=0&omit_columns=true"
                            f"&page_token={token}")
        seen += [t["name"] for t in doc["tables"]]
        assert not any("columns" in t for t in doc["tables"])
        token, pages = doc.get("next_page_token", ""), pages + 1
    assert seen == [f"t{i:03}" for i in range(120)] and pages == 2


def test_pages_of_schemas_and_catalogs(api, shop):
    sql(api, *(f"CREATE SCHEMA page_{i}" for i in range(3)))
    for path, key, want in ((f"{UC}/schemas?catalog_name=shop", "schemas", ["page_0", "page_1", "page_2", "public", "shop"]),
                            (f"{UC}/catalogs?x=1", "catalogs", ["main", "samples", "shop"])):
        seen, token = [], ""
        for _ in want:
            doc = api.ok("GET", f"{path}&max_results=1&page_token={token}")
            seen += [s["name"] for s in doc[key]]
            token = doc.get("next_page_token", "")
        assert seen == want and not token
    sql(api, *(f"DROP SCHEMA page_{i}" for i in range(3)))


def test_a_stopped_instance_says_so(api, shop):
    api.update("demo", "stopped", stopped=True)
    api.wait("demo", "STOPPED")
    for path in (f"{UC}/schemas?catalog_name=shop", f"{UC}/tables/shop.shop.t", f"{UC}/tables/shop.shop.t/exists"):
        status, code, message = api.refused("GET", path)
        assert (status, code) == (400, "INVALID_STATE")
        assert "STOPPED" in message
    assert api.refused("POST", CATALOGS, body("other", "postgres"))[:2] == (400, "INVALID_STATE")
    assert api.ok("GET", f"{UC}/catalogs/shop")["name"] == "shop"
    api.update("demo", "stopped", stopped=False)
    api.wait("demo", "AVAILABLE")


def test_a_database_that_was_dropped(api):
    api.ok("POST", CATALOGS, body("lost", "lost", create_database_if_not_exists=True))
    sql(api, "DROP DATABASE lost")
    status, code, message = api.refused("GET", f"{UC}/schemas?catalog_name=lost")
    assert (status, code) == (404, "NOT_FOUND")  # for good: clients retry a 503
    assert message == "Database 'lost' of catalog 'lost' does not exist on instance 'demo' any more"
    api.ok("DELETE", f"{CATALOGS}/lost")
