"""Privileges: granted, inherited, revoked, shown, and enforced for the second principal by API and warehouse alike."""
import pytest

from api import Api
from lake import LEARNER, UC, Warehouse, app_of

EVERYBODY = "account users"


@pytest.fixture(scope="module")
def api(workspace):
    return Api.of(workspace)


@pytest.fixture(scope="module")
def app(workspace):
    return app_of(workspace)


@pytest.fixture
def sales(api):
    api.ok("POST", f"{UC}/catalogs", {"name": "sales"})
    api.ok("POST", f"{UC}/schemas", {"name": "shop", "catalog_name": "sales"})
    yield "sales"
    api.ok("DELETE", f"{UC}/catalogs/sales?force=true")


def change(api, kind, name, principal, add=(), remove=()):
    doc = api.ok("PATCH", f"{UC}/permissions/{kind}/{name}",
                 {"changes": [{"principal": principal, "add": list(add), "remove": list(remove)}]})
    return {one["principal"]: one["privileges"] for one in doc.get("privilege_assignments", [])}


def direct(api, kind, name, **query):
    extra = "".join(f"?{key}={value}" for key, value in query.items())
    doc = api.ok("GET", f"{UC}/permissions/{kind}/{name}{extra}")
    return {one["principal"]: one["privileges"] for one in doc.get("privilege_assignments", [])}


def effective(api, kind, name):
    doc = api.ok("GET", f"{UC}/effective-permissions/{kind}/{name}")
    return {(one["principal"], p["privilege"], p.get("inherited_from_type"), p.get("inherited_from_name"))
            for one in doc.get("privilege_assignments", []) for p in one["privileges"]}


def test_grant_show_revoke(api, app, sales):
    assert change(api, "catalog", "sales", app.name, ["USE_CATALOG", "SELECT"]) == {app.name: ["SELECT", "USE_CATALOG"]}
    assert change(api, "CATALOG", "SALES", app.name, ["USE_CATALOG"]) == {app.name: ["SELECT", "USE_CATALOG"]}
    change(api, "schema", "sales.shop", EVERYBODY, ["USE_SCHEMA"])
    assert direct(api, "catalog", "sales") == {app.name: ["SELECT", "USE_CATALOG"]}
    assert direct(api, "catalog", "sales", principal=LEARNER) == {}
    assert effective(api, "schema", "sales.shop") == {
        (EVERYBODY, "USE_SCHEMA", None, None), (app.name, "SELECT", "CATALOG", "sales"),
        (app.name, "USE_CATALOG", "CATALOG", "sales")}
    assert change(api, "catalog", "sales", app.name, remove=["SELECT"]) == {app.name: ["USE_CATALOG"]}
    assert change(api, "catalog", "sales", app.name, remove=["SELECT", "USE_CATALOG"]) == {}


def test_all_privileges_takes_all_back(api, app, sales):
    change(api, "schema", "sales.shop", app.name, ["SELECT", "MODIFY", "USE_SCHEMA"])
    assert change(api, "schema", "sales.shop", app.name, remove=["ALL_PRIVILEGES"]) == {}


@pytest.mark.parametrize("kind, name, body, status, code", [
    ("catalog", "sales", {"changes": [{"principal": "nobody@example.com", "add": ["SELECT"]}]}, 404, "PRINCIPAL_DOES_NOT_EXIST"),
    ("catalog", "sales", {"changes": [{"principal": LEARNER, "add": ["FLY"]}]}, 400, "INVALID_PARAMETER_VALUE"),
    ("schema", "sales.shop", {"changes": [{"principal": LEARNER, "add": ["USE_CATALOG"]}]}, 400, "INVALID_PARAMETER_VALUE"),
    ("catalog", "sales", {"changes": [{"add": ["SELECT"]}]}, 400, "INVALID_PARAMETER_VALUE"),
    ("catalog", "sales", {"changes": [{"principal": LEARNER, "add": ["SELECT"] * 1001}]}, 413, "REQUEST_TOO_LARGE"),
    ("catalog", "none", {"changes": []}, 404, "CATALOG_DOES_NOT_EXIST"),
    ("schema", "sales.none", {"changes": []}, 404, "SCHEMA_DOES_NOT_EXIST"),
    ("table", "sales.shop.none", {"changes": []}, 404, "TABLE_DOES_NOT_EXIST"),
    ("table", "sales.shop", {"changes": []}, 400, "INVALID_PARAMETER_VALUE"),
    ("volume", "sales.shop.v", {"changes": []}, 404, "VOLUME_DOES_NOT_EXIST"),
    ("function", "sales.shop.f", {"changes": []}, 400, "INVALID_PARAMETER_VALUE"),
    ("metastore", "00000000-0000-0000-0000-000000000000", {"changes": []}, 404, "NOT_FOUND"),
])
def test_refused_changes_change_nothing(api, sales, kind, name, body, status, code):
    # A good change beside the bad one is not made either.
    body["changes"].insert(0, {"principal": LEARNER, "add": ["SELECT"]})
    assert api.refused("PATCH", f"{UC}/permissions/{kind}/{name}", body)[:2] == (status, code)
    assert direct(api, "catalog", "sales") == {} and direct(api, "schema", "sales.shop") == {}


def test_the_api_asks_for_each_step(api, app, sales):
    path = f"{UC}/schemas/sales.shop"
    assert app.refused("GET", path)[2] == "User does not have USE CATALOG on Catalog 'sales'."
    change(api, "catalog", "sales", app.name, ["USE_CATALOG"])
    assert app.refused("GET", path)[2] == "User does not have USE SCHEMA on Schema 'sales.shop'."
    change(api, "schema", "sales.shop", app.name, ["USE_SCHEMA"])
    assert app.ok("GET", path)["full_name"] == "sales.shop"
    assert [one["name"] for one in app.ok("GET", f"{UC}/schemas?catalog_name=sales")["schemas"]] == ["shop"]
    change(api, "catalog", "sales", app.name, remove=["USE_CATALOG"])
    assert app.refused("GET", path)[0] == 403


def test_account_users_are_everybody(api, app, sales):
    change(api, "catalog", "sales", EVERYBODY, ["USE_CATALOG", "USE_SCHEMA"])
    assert app.ok("GET", f"{UC}/schemas/sales.shop")["name"] == "shop"


def test_who_may_grant(api, app, sales):
    body = {"changes": [{"principal": app.name, "add": ["ALL_PRIVILEGES"]}]}
    path = f"{UC}/permissions/catalog/sales"
    assert app.refused("PATCH", path, body)[:2] == (403, "PERMISSION_DENIED")
    change(api, "catalog", "sales", app.name, ["ALL_PRIVILEGES"])
    assert app.refused("PATCH", path, body)[2] == "User does not have MANAGE on Catalog 'sales'."
    change(api, "catalog", "sales", app.name, ["MANAGE"])
    app.ok("PATCH", path, {"changes": [{"principal": EVERYBODY, "add": ["BROWSE"]}]})
    assert direct(api, "catalog", "sales")[EVERYBODY] == ["BROWSE"]


def test_others_grants_are_not_shown_to_everybody(api, app, sales):
    change(api, "catalog", "sales", LEARNER, ["SELECT"])
    change(api, "catalog", "sales", app.name, ["USE_CATALOG"])
    assert direct(app, "catalog", "sales") == {app.name: ["USE_CATALOG"]}
    assert direct(api, "catalog", "sales") == {LEARNER: ["SELECT"], app.name: ["USE_CATALOG"]}


def test_create_catalog_is_the_metastores(api, app, sales):
    metastore = api.ok("GET", f"{UC}/current-metastore-assignment")["metastore_id"]
    assert app.refused("POST", f"{UC}/catalogs", {"name": "mine"})[2] == "User does not have CREATE CATALOG on Metastore."
    change(api, "metastore", metastore, app.name, ["CREATE_CATALOG"])
    assert app.ok("POST", f"{UC}/catalogs", {"name": "mine"})["owner"] == app.name
    app.ok("DELETE", f"{UC}/catalogs/mine")
    change(api, "metastore", metastore, app.name, remove=["CREATE_CATALOG"])


def test_a_dropped_object_takes_its_grants_along(api, app, sales):
    change(api, "schema", "sales.shop", app.name, ["USE_SCHEMA"])
    api.ok("DELETE", f"{UC}/schemas/sales.shop")
    api.ok("POST", f"{UC}/schemas", {"name": "shop", "catalog_name": "sales"})
    assert direct(api, "schema", "sales.shop") == {}


def test_a_registered_catalog_has_grants_too(api, app):
    api.create("demo")
    made = {"name": "shop_pg", "database_instance_name": "demo", "database_name": "databricks_postgres"}
    api.ok("POST", "/api/2.0/database/catalogs", made)
    assert app.refused("GET", f"{UC}/catalogs/shop_pg")[:2] == (403, "PERMISSION_DENIED")
    change(api, "catalog", "shop_pg", app.name, ["USE_CATALOG"])
    assert app.ok("GET", f"{UC}/catalogs/shop_pg")["catalog_type"] == "MANAGED_ONLINE_CATALOG"
    api.ok("DELETE", "/api/2.0/database/catalogs/shop_pg")
    api.ok("POST", "/api/2.0/database/catalogs", made)
    assert direct(api, "catalog", "shop_pg") == {}
    api.ok("DELETE", "/api/2.0/database/catalogs/shop_pg")
    api.delete("demo")


# ---- the same in the warehouse ----

@pytest.fixture
def tables(api, sales):
    sql = Warehouse(api)
    sql.rows("CREATE TABLE sales.shop.orders (id INT, name STRING)")
    sql.rows("INSERT INTO sales.shop.orders VALUES (1, 'a'), (2, 'b')")
    return sql


def test_the_warehouse_asks_for_each_step(api, app, tables):
    mine, query = Warehouse(app), "SELECT id FROM sales.shop.orders ORDER BY id"
    steps = (("catalog", "sales", "USE_CATALOG", "USE CATALOG on Catalog 'sales'"),
             ("schema", "sales.shop", "USE_SCHEMA", "USE SCHEMA on Schema 'sales.shop'"),
             ("table", "sales.shop.orders", "SELECT", "SELECT on Table 'sales.shop.orders'"))
    for kind, name, privilege, missing in steps:
        message, state = mine.refused(query)
        assert message.startswith("[INSUFFICIENT_PERMISSIONS]") and f"does not have {missing}" in message
        assert state == "42501"
        change(api, kind, name, app.name, [privilege])
    assert mine.rows(query) == [["1"], ["2"]]
    assert app.ok("GET", f"{UC}/tables/sales.shop.orders")["name"] == "orders"
    message, state = mine.refused("INSERT INTO sales.shop.orders VALUES (3, 'c')")
    assert "MODIFY on Table" in message and state == "42501"
    change(api, "schema", "sales.shop", app.name, ["MODIFY"])
    mine.rows("INSERT INTO sales.shop.orders VALUES (3, 'c')")
    assert tables.rows("SELECT count(*) FROM sales.shop.orders") == [["3"]]
    change(api, "catalog", "sales", app.name, remove=["USE_CATALOG"])
    assert "USE CATALOG" in mine.refused(query)[0]


def test_what_is_made_and_dropped_needs_privileges(api, app, tables):
    mine = Warehouse(app)
    change(api, "catalog", "sales", app.name, ["USE_CATALOG", "USE_SCHEMA"])
    for statement, missing in (("CREATE TABLE sales.shop.mine (id INT)", "CREATE TABLE on Schema"),
                               ("CREATE SCHEMA sales.mine", "CREATE SCHEMA on Catalog"),
                               ("DROP TABLE sales.shop.orders", "MANAGE on Table"),
                               ("GRANT SELECT ON TABLE sales.shop.orders TO `account users`", "MANAGE on Table")):
        message, state = mine.refused(statement)
        assert missing in message and state == "42501", message
    change(api, "schema", "sales.shop", app.name, ["CREATE_TABLE"])
    mine.rows("CREATE TABLE sales.shop.mine (id INT)")
    mine.rows("INSERT INTO sales.shop.mine VALUES (1)")
    assert mine.rows("SELECT * FROM sales.shop.mine") == [["1"]]  # the owner's own
    assert api.ok("GET", f"{UC}/tables/sales.shop.mine")["owner"] == app.name
    mine.rows("DROP TABLE sales.shop.mine")


def test_sql_and_api_show_the_same(api, app, tables):
    tables.rows(f"GRANT SELECT, MODIFY ON TABLE sales.shop.orders TO `{app.name}`")
    tables.rows("GRANT USE CATALOG ON CATALOG sales TO `account users`")
    assert direct(api, "table", "sales.shop.orders") == {app.name: ["MODIFY", "SELECT"]}
    shown = tables.rows("SHOW GRANTS ON TABLE sales.shop.orders")
    by_api = effective(api, "table", "sales.shop.orders")
    assert {(row[0], row[1].replace(" ", "_")) for row in shown} == {(who, what) for who, what, _, _ in by_api}
    tables.rows(f"REVOKE MODIFY ON TABLE sales.shop.orders FROM `{app.name}`")
    assert direct(api, "table", "sales.shop.orders") == {app.name: ["SELECT"]}
    message, _ = tables.refused("GRANT SELECT ON TABLE sales.shop.orders TO `nobody@example.com`")
    assert message.startswith("[PRINCIPAL_DOES_NOT_EXIST]")


def test_lists_of_sql_leave_out_what_may_not_be_seen(api, app, tables):
    mine = Warehouse(app)
    assert [row[0] for row in mine.rows("SHOW CATALOGS")] == ["samples"]
    change(api, "catalog", "sales", app.name, ["USE_CATALOG", "USE_SCHEMA"])
    assert [row[0] for row in mine.rows("SHOW CATALOGS")] == ["sales", "samples"]
    assert mine.rows("SHOW TABLES IN sales.shop") == []
    change(api, "table", "sales.shop.orders", app.name, ["SELECT"])
    assert "orders" in mine.rows("SHOW TABLES IN sales.shop")[0]
