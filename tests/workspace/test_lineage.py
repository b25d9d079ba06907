"""Lineage: recorded from the statements that really ran, and shown to those who may see the tables."""
import pytest

from api import Api
from lake import UC, Warehouse, app_of

LINEAGE = "/api/2.0/lineage-tracking/table-lineage"


@pytest.fixture(scope="module")
def api(workspace):
    return Api.of(workspace)


@pytest.fixture(scope="module")
def sql(api):
    warehouse = Warehouse(api)
    warehouse.rows("CREATE SCHEMA main.flow")
    for name in ("a", "b", "c"):
        warehouse.rows(f"CREATE TABLE main.flow.{name} (id INT, n INT)")
    return warehouse


def lineage(api, table):
    doc = api.ok("GET", f"{LINEAGE}?table_name={table}&include_entity_lineage=true")
    return tuple({".".join(one["tableInfo"][key] for key in ("catalog_name", "schema_name", "name"))
                  for one in doc.get(side, [])} for side in ("upstreams", "downstreams"))


def test_what_ran_is_recorded(api, sql):
    assert lineage(api, "main.flow.b") == (set(), set())
    sql.rows("INSERT INTO main.flow.a VALUES (1, 1)")
    assert lineage(api, "main.flow.a") == (set(), set())  # values come from nowhere
    sql.rows("INSERT INTO main.flow.b SELECT * FROM main.flow.a")
    sql.rows("CREATE TABLE main.flow.d AS SELECT a.id FROM main.flow.a a JOIN main.flow.b b ON a.id = b.id")
    assert lineage(api, "main.flow.a") == (set(), {"main.flow.b", "main.flow.d"})
    assert lineage(api, "main.flow.b") == ({"main.flow.a"}, {"main.flow.d"})
    assert lineage(api, "main.flow.d") == ({"main.flow.a", "main.flow.b"}, set())
    info = api.ok("GET", f"{LINEAGE}?table_name=main.flow.d")["upstreams"][0]["tableInfo"]
    assert info["table_type"] == "TABLE" and info["lineage_timestamp"].endswith(".0")


def test_reading_and_failing_record_nothing(api, sql):
    before = lineage(api, "main.flow.c")
    sql.rows("SELECT * FROM main.flow.a JOIN main.flow.c ON a.id = c.id")
    sql.refused("INSERT INTO main.flow.c SELECT id, nope FROM main.flow.a")
    assert lineage(api, "main.flow.c") == before == (set(), set())


def test_a_dropped_table_leaves_no_trace(api, sql):
    sql.rows("CREATE TABLE main.flow.gone AS SELECT * FROM main.flow.a")
    sql.rows("DROP TABLE main.flow.gone")
    assert "main.flow.gone" not in lineage(api, "main.flow.a")[1]
    assert api.refused("GET", f"{LINEAGE}?table_name=main.flow.gone")[:2] == (404, "TABLE_DOES_NOT_EXIST")


def test_who_may_not_see_a_table_does_not_see_its_lineage(workspace, api, sql):
    app = app_of(workspace)
    assert app.refused("GET", f"{LINEAGE}?table_name=main.flow.b")[:2] == (403, "PERMISSION_DENIED")
    for kind, name, privilege in (("catalog", "main", "USE_CATALOG"), ("schema", "main.flow", "USE_SCHEMA"),
                                  ("table", "main.flow.b", "SELECT")):
        api.ok("PATCH", f"{UC}/permissions/{kind}/{name}", {"changes": [{"principal": app.name, "add": [privilege]}]})
    sql.rows("INSERT INTO main.flow.b SELECT * FROM main.flow.a")
    assert lineage(app, "main.flow.b") == (set(), set())
    api.ok("PATCH", f"{UC}/permissions/table/main.flow.a", {"changes": [{"principal": app.name, "add": ["SELECT"]}]})
    assert lineage(app, "main.flow.b")[0] == {"main.flow.a"}


def test_what_is_not_offered_is_said(api):
    assert api.refused("GET", "/api/2.0/lineage-tracking/column-lineage?table_name=a.b.c&column_name=d") == (
        501, "NOT_IMPLEMENTED", "Column lineage is not offered by this local workspace yet")
    assert api.refused("GET", LINEAGE)[:2] == (400, "INVALID_PARAMETER_VALUE")
