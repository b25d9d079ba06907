"""The unmodified Databricks SDK for Python on the lakehouse: catalogs, schemas, tables, grants, warehouses, statements."""
import json

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound, PermissionDenied, ResourceConflict
from databricks.sdk.service.catalog import CatalogType, DataSourceFormat, PermissionsChange, Privilege, SecurableType, TableType
from databricks.sdk.service.sql import (ColumnInfoTypeName, ExecuteStatementRequestOnWaitTimeout, State, StatementParameterListItem,
                                        StatementState)


@pytest.fixture(scope="module")
def w(workspace):
    env = workspace.env
    return WorkspaceClient(host=env["DATABRICKS_HOST"], token=env["DATABRICKS_TOKEN"])


@pytest.fixture(scope="module")
def app(workspace):
    env = json.loads(workspace.run("env", "--app", "--json").stdout)
    return WorkspaceClient(host=env["DATABRICKS_HOST"], client_id=env["DATABRICKS_CLIENT_ID"],
                           client_secret=env["DATABRICKS_CLIENT_SECRET"])


@pytest.fixture(scope="module")
def sales(w):
    w.catalogs.create("sales", comment="what we sold", properties={"team": "blue"})
    w.schemas.create("shop", "sales")
    yield "sales"
    w.catalogs.delete("sales", force=True)


def run(client, statement, **more):
    warehouse = next(iter(client.warehouses.list()))
    return client.statement_execution.execute_statement(statement, warehouse.id, wait_timeout="50s", **more)


def rows(client, statement, **more):
    done = run(client, statement, **more)
    assert done.status.state == StatementState.SUCCEEDED, done.status
    return done.result.data_array or []


def test_warehouses(w):
    seen = next(iter(w.warehouses.list()))
    assert w.warehouses.get(seen.id).name == seen.name
    assert w.warehouses.start_and_wait(seen.id).state == State.RUNNING
    assert w.warehouses.stop_and_wait(seen.id).state == State.STOPPED
    with pytest.raises(BadRequest, match="is not a valid endpoint id"):
        w.warehouses.get("none")


def test_catalogs_and_schemas(w, sales):
    seen = w.catalogs.get("sales")
    assert (seen.catalog_type, seen.comment, seen.properties) == (CatalogType.MANAGED_CATALOG, "what we sold", {"team": "blue"})
    assert [c.name for c in w.catalogs.list()] == ["main", "sales", "samples"]
    assert w.catalogs.update("sales", comment="new").comment == "new"
    assert [s.full_name for s in w.schemas.list("sales")] == ["sales.default", "sales.shop"]
    assert w.schemas.update("sales.shop", comment="c").comment == "c"
    with pytest.raises(ResourceConflict):
        w.schemas.create("shop", "sales")
    with pytest.raises(BadRequest, match="not empty"):
        w.catalogs.delete("sales")
    with pytest.raises(NotFound):
        w.schemas.get("sales.none")


def test_tables(w, sales):
    run(w, "CREATE TABLE sales.shop.orders (id BIGINT, price DECIMAL(10,2)) COMMENT 'one row each'")
    seen = w.tables.get("sales.shop.orders")
    assert (seen.table_type, seen.data_source_format) == (TableType.MANAGED, DataSourceFormat.DELTA)
    assert [(c.name, c.type_text) for c in seen.columns] == [("id", "bigint"), ("price", "decimal(10,2)")]
    assert [t.name for t in w.tables.list("sales", "shop")] == ["orders"]
    assert w.tables.exists("sales.shop.orders").table_exists and not w.tables.exists("sales.shop.none").table_exists
    run(w, "INSERT INTO sales.shop.orders VALUES (1, 10.50), (2, 3.25)")
    run(w, "CREATE TABLE sales.shop.old AS SELECT * FROM sales.shop.orders")
    w.tables.delete("sales.shop.old")
    with pytest.raises(NotFound):
        w.tables.get("sales.shop.old")


def test_statements(w, sales):
    done = run(w, "SELECT id, price FROM orders WHERE price > :least ORDER BY id", catalog="sales", schema="shop",
               parameters=[StatementParameterListItem(name="least", value="5", type="DECIMAL(10,2)")])
    assert done.status.state == StatementState.SUCCEEDED and done.result.data_array == [["1", "10.50"]]
    assert [(c.name, c.type_name) for c in done.manifest.schema.columns] == [
        ("id", ColumnInfoTypeName.LONG), ("price", ColumnInfoTypeName.DECIMAL)]
    failed = run(w, "SELECT * FROM sales.shop.none")
    assert failed.status.state == StatementState.FAILED and failed.status.error.error_code.value == "BAD_REQUEST"
    warehouse = next(iter(w.warehouses.list()))
    slow = w.statement_execution.execute_statement("SELECT count(*) FROM range(100000000000) WHERE id % 7 = 3", warehouse.id,
                                                   wait_timeout="5s",
                                                   on_wait_timeout=ExecuteStatementRequestOnWaitTimeout.CANCEL)
    assert slow.status.state == StatementState.CANCELED
    assert w.statement_execution.get_statement(slow.statement_id).status.state == StatementState.CANCELED


def test_chunks(w):
    done = run(w, "SELECT repeat('x', 1000) FROM range(10000)")
    seen, part = 0, done.result
    while part:
        seen += len(part.data_array)
        part = part.next_chunk_index and w.statement_execution.get_statement_result_chunk_n(done.statement_id,
                                                                                            part.next_chunk_index)
    assert seen == done.manifest.total_row_count == 10000 and done.manifest.total_chunk_count > 1


def test_grants_open_the_way_for_the_second_principal(w, app, sales):
    query, me = "SELECT count(*) FROM sales.shop.orders", app.current_user.me().user_name
    with pytest.raises(PermissionDenied, match="USE CATALOG on Catalog 'sales'"):
        app.tables.get("sales.shop.orders")
    assert "INSUFFICIENT_PERMISSIONS" in run(app, query).status.error.message
    for kind, name, privilege in ((SecurableType.CATALOG, "sales", Privilege.USE_CATALOG),
                                  (SecurableType.SCHEMA, "sales.shop", Privilege.USE_SCHEMA),
                                  (SecurableType.TABLE, "sales.shop.orders", Privilege.SELECT)):
        w.grants.update(kind.value, name, changes=[PermissionsChange(principal=me, add=[privilege])])
    assert app.tables.get("sales.shop.orders").name == "orders" and rows(app, query) == [["2"]]
    shown = w.grants.get_effective(SecurableType.TABLE.value, "sales.shop.orders", principal=me)
    assert {(p.privilege, p.inherited_from_name) for p in shown.privilege_assignments[0].privileges} == {
        (Privilege.SELECT, None), (Privilege.USE_SCHEMA, "sales.shop"), (Privilege.USE_CATALOG, "sales")}
    assert w.grants.get(SecurableType.TABLE.value, "sales.shop.orders").privilege_assignments[0].principal == me
    w.grants.update(SecurableType.SCHEMA.value, "sales.shop",
                    changes=[PermissionsChange(principal=me, remove=[Privilege.USE_SCHEMA])])
    with pytest.raises(PermissionDenied, match="USE SCHEMA on Schema 'sales.shop'"):
        app.tables.get("sales.shop.orders")
    assert "USE SCHEMA" in run(app, query).status.error.message
