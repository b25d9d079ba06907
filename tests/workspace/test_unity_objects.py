"""Catalogs and schemas that Unity Catalog manages: made, read, changed, dropped, and who may."""
import sqlite3

import pytest

from api import Api
from lake import LEARNER, UC, app_of


@pytest.fixture(scope="module")
def api(workspace):
    return Api.of(workspace)


@pytest.fixture(scope="module")
def app(workspace):
    return app_of(workspace)


@pytest.fixture
def sales(api):
    api.ok("POST", f"{UC}/catalogs", {"name": "Sales", "comment": "what we sold", "properties": {"team": "blue"}})
    yield "sales"
    api.call("DELETE", f"{UC}/catalogs/sales?force=true")


def names(doc, key):
    return [one["name"] for one in doc.get(key, [])]


def test_a_fresh_workspace_has_main_and_default(api):
    main = api.ok("GET", f"{UC}/catalogs/main")
    assert (main["catalog_type"], main["owner"]) == ("MANAGED_CATALOG", LEARNER)
    schema = api.ok("GET", f"{UC}/schemas/main.default")
    assert (schema["full_name"], schema["owner"]) == ("main.default", LEARNER)
    assert names(api.ok("GET", f"{UC}/tables?catalog_name=main&schema_name=default"), "tables") == []


def test_life_of_a_catalog(api, sales):
    seen = api.ok("GET", f"{UC}/catalogs/SALES")
    assert seen["name"] == seen["full_name"] == "sales"
    assert (seen["comment"], seen["properties"], seen["owner"]) == ("what we sold", {"team": "blue"}, LEARNER)
    assert seen["created_at"] == seen["updated_at"] > 1_700_000_000_000
    assert names(api.ok("GET", f"{UC}/catalogs?max_results=0"), "catalogs") == ["main", "sales", "samples"]
    assert names(api.ok("GET", f"{UC}/schemas?catalog_name=sales"), "schemas") == ["default"]
    changed = api.ok("PATCH", f"{UC}/catalogs/sales", {"comment": "new", "properties": {"a": "b"}})
    assert (changed["comment"], changed["properties"]) == ("new", {"a": "b"})
    assert changed["updated_at"] >= changed["created_at"]
    assert api.refused("POST", f"{UC}/catalogs", {"name": "sales"})[:2] == (409, "CATALOG_ALREADY_EXISTS")
    assert api.refused("POST", f"{UC}/catalogs", {"name": "MAIN"})[:2] == (409, "CATALOG_ALREADY_EXISTS")
    api.ok("DELETE", f"{UC}/catalogs/sales")  # nothing but the empty default is in it
    assert api.refused("GET", f"{UC}/catalogs/sales")[:2] == (404, "CATALOG_DOES_NOT_EXIST")


def test_life_of_a_schema(api, sales):
    made = api.ok("POST", f"{UC}/schemas", {"name": "Shop", "catalog_name": "Sales", "comment": "c", "properties": {"x": "1"}})
    assert (made["full_name"], made["comment"], made["properties"]) == ("sales.shop", "c", {"x": "1"})
    assert len(made["schema_id"]) == 36
    assert api.refused("POST", f"{UC}/schemas", {"name": "SHOP", "catalog_name": "sales"})[:2] == (409, "SCHEMA_ALREADY_EXISTS")
    assert api.ok("PATCH", f"{UC}/schemas/sales.Shop", {"comment": "d"})["comment"] == "d"
    status, code, _ = api.refused("DELETE", f"{UC}/catalogs/sales")
    assert (status, code) == (400, "CATALOG_NOT_EMPTY")
    api.ok("DELETE", f"{UC}/schemas/SALES.shop")
    assert api.refused("GET", f"{UC}/schemas/sales.shop")[:2] == (404, "SCHEMA_DOES_NOT_EXIST")
    assert api.refused("DELETE", f"{UC}/schemas/sales.shop")[:2] == (404, "SCHEMA_DOES_NOT_EXIST")


def test_force_drops_what_is_inside(api, sales):
    api.ok("POST", f"{UC}/schemas", {"name": "shop", "catalog_name": "sales"})
    api.ok("DELETE", f"{UC}/catalogs/sales?force=true")
    assert api.refused("GET", f"{UC}/schemas/sales.shop")[:2] == (404, "CATALOG_DOES_NOT_EXIST")


@pytest.mark.parametrize("name", ["", "a.b", "a b", "a/b", "a\tb", "x" * 256, "\x7f"])
def test_names_that_are_none(api, name):
    assert api.refused("POST", f"{UC}/catalogs", {"name": name})[:2] == (400, "INVALID_PARAMETER_VALUE")
    assert api.refused("POST", f"{UC}/schemas", {"name": name, "catalog_name": "main"})[:2] == (400, "INVALID_PARAMETER_VALUE")


def test_a_name_at_the_cap(api):
    name = "ü" * 127 + "x"  # 255 bytes
    api.ok("POST", f"{UC}/schemas", {"name": name, "catalog_name": "main"})
    assert name in names(api.ok("GET", f"{UC}/schemas?catalog_name=main"), "schemas")
    api.ok("DELETE", f"{UC}/schemas/main.{'%C3%BC' * 127}x")


@pytest.mark.parametrize("change, status, code", [
    ({"new_name": "other"}, 501, "NOT_IMPLEMENTED"),
    ({"isolation_mode": "ISOLATED"}, 501, "NOT_IMPLEMENTED"),
    ({"owner": "nobody@example.com"}, 404, "PRINCIPAL_DOES_NOT_EXIST"),
    ({"properties": {"a": 1}}, 400, "INVALID_PARAMETER_VALUE"),
    ({"comment": "x" * 70_000}, 413, "REQUEST_TOO_LARGE"),
])
def test_changes_that_are_refused_change_nothing(api, sales, change, status, code):
    before = api.ok("GET", f"{UC}/catalogs/sales")
    assert api.refused("PATCH", f"{UC}/catalogs/sales", change)[:2] == (status, code)
    assert api.ok("GET", f"{UC}/catalogs/sales") == before


def test_main_stays(api):
    assert api.refused("DELETE", f"{UC}/catalogs/main?force=true")[:2] == (403, "PERMISSION_DENIED")


def test_storage_roots_are_refused_by_name(api):
    assert api.refused("POST", f"{UC}/catalogs", {"name": "x", "storage_root": "s3://x"})[:2] == (501, "NOT_IMPLEMENTED")
    assert api.refused("POST", f"{UC}/schemas", {"name": "x", "catalog_name": "main", "storage_root": "s3://x"})[0] == 501


def test_tables_that_are_not_there(api):
    assert api.refused("GET", f"{UC}/tables/main.default.none")[:2] == (404, "TABLE_DOES_NOT_EXIST")
    assert api.refused("DELETE", f"{UC}/tables/main.default.none")[:2] == (404, "TABLE_DOES_NOT_EXIST")
    assert api.ok("GET", f"{UC}/tables/main.default.none/exists") == {"table_exists": False}
    assert api.refused("GET", f"{UC}/tables?catalog_name=main&schema_name=none")[:2] == (404, "SCHEMA_DOES_NOT_EXIST")


def test_a_registered_database_is_not_changed_from_here(api):
    api.create("demo")
    api.ok("POST", "/api/2.0/database/catalogs", {"name": "shop", "database_instance_name": "demo",
                                                  "database_name": "databricks_postgres"})
    assert api.refused("POST", f"{UC}/catalogs", {"name": "shop"})[:2] == (409, "CATALOG_ALREADY_EXISTS")
    for method, path, body in (("POST", "schemas", {"name": "s", "catalog_name": "shop"}),
                               ("PATCH", "catalogs/shop", {"comment": "x"}), ("PATCH", "schemas/shop.public", {"comment": "x"}),
                               ("DELETE", "schemas/shop.public", None), ("DELETE", "tables/shop.public.t", None)):
        status, _, message = api.refused(method, f"{UC}/{path}", body)
        assert status == 400 and "is read-only" in message
    api.ok("DELETE", f"{UC}/catalogs/shop")
    api.delete("demo")


def test_without_a_grant_nothing_is_seen_or_made(api, app, sales):
    assert names(app.ok("GET", f"{UC}/catalogs"), "catalogs") == ["samples"]
    assert app.refused("GET", f"{UC}/catalogs/sales") == (
        403, "PERMISSION_DENIED", "User does not have USE CATALOG on Catalog 'sales'.")
    for method, path, body in (("GET", "schemas?catalog_name=sales", None), ("GET", "schemas/sales.default", None),
                               ("GET", "tables?catalog_name=sales&schema_name=default", None),
                               ("GET", "tables/sales.default.t", None), ("POST", "catalogs", {"name": "mine"}),
                               ("POST", "schemas", {"name": "mine", "catalog_name": "sales"}),
                               ("PATCH", "catalogs/sales", {"comment": "x"}), ("DELETE", "catalogs/sales?force=true", None),
                               ("DELETE", "schemas/sales.default", None)):
        assert app.refused(method, f"{UC}/{path}", body)[:2] == (403, "PERMISSION_DENIED"), path


def test_an_owner_may_do_everything(api, app, sales):
    api.ok("PATCH", f"{UC}/catalogs/sales", {"owner": app.name})
    assert names(app.ok("GET", f"{UC}/catalogs"), "catalogs") == ["sales", "samples"]
    app.ok("POST", f"{UC}/schemas", {"name": "mine", "catalog_name": "sales"})
    assert app.ok("GET", f"{UC}/schemas/sales.mine")["owner"] == app.name
    app.ok("DELETE", f"{UC}/catalogs/sales?force=true")


def test_pages_go_through_everything_once(api):
    for i in range(5):
        api.ok("POST", f"{UC}/catalogs", {"name": f"page{i}"})
    seen, token = [], ""
    while True:
        doc = api.ok("GET", f"{UC}/catalogs?max_results=2{token}")
        seen += names(doc, "catalogs")
        if not (next_token := doc.get("next_page_token")):
            break
        token = f"&page_token={next_token}"
    assert seen == sorted(seen) and seen == ["main"] + [f"page{i}" for i in range(5)] + ["samples"]
    for i in range(5):
        api.ok("DELETE", f"{UC}/catalogs/page{i}")


def test_a_store_of_the_version_before_is_brought_up(own_workspace):
    """Version 1 knew nothing of Unity Catalog: what it held stays, main comes."""
    api = Api.of(own_workspace)
    api.create("demo")
    own_workspace.run("stop")
    with sqlite3.connect(own_workspace.state_dir / "private/workspace.db") as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        for name in set(tables) - {"fact", "principal", "instance", "catalog"}:
            db.execute(f"DROP TABLE {name}")
        db.execute("DELETE FROM fact WHERE key = 'unity_main'")
        db.execute("PRAGMA user_version = 1")
    own_workspace.start()
    api = Api.of(own_workspace)
    assert api.wait("demo", "AVAILABLE")
    assert api.ok("GET", f"{UC}/schemas/main.default")["full_name"] == "main.default"
