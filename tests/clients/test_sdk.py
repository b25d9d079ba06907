"""The unmodified Databricks SDK for Python and psycopg 3 against the workspace, as an application would use them."""
import json
import subprocess
import sys
import uuid

import psycopg
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import (AlreadyExists, BadRequest, DatabricksError, InvalidParameterValue, NotFound, NotImplemented, PermissionDenied,
                                   Unauthenticated)
from databricks.sdk.service.catalog import CatalogType
from databricks.sdk.service.database import (CustomTag, DatabaseCatalog, DatabaseInstance, DatabaseInstanceRef,
                                             DatabaseInstanceRole, DatabaseInstanceRoleAttributes,
                                             DatabaseInstanceRoleIdentityType, DatabaseInstanceRoleMembershipRole,
                                             DatabaseInstanceState, RequestedClaims, RequestedClaimsPermissionSet)
from databricks.sdk.service.iam import AccessControlRequest, PermissionLevel
from psycopg import sql
from psycopg_pool import ConnectionPool

AVAILABLE, STOPPED = DatabaseInstanceState.AVAILABLE, DatabaseInstanceState.STOPPED


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
def demo(w):
    instance = w.database.create_database_instance_and_wait(DatabaseInstance(name="demo", capacity="CU_1"))
    yield instance
    w.database.delete_database_instance("demo", purge=True)


def until_gone(w, name):
    while True:
        try:
            w.database.get_database_instance(name)
        except NotFound as gone:
            assert str(gone) == "Database instance is not found."
            return


def until(w, name, state):
    while (seen := w.database.get_database_instance(name)).state != state:
        assert seen.state in (DatabaseInstanceState.STARTING, DatabaseInstanceState.UPDATING)
    return seen


def token(w, *names):
    return w.database.generate_database_credential(instance_names=list(names), request_id=str(uuid.uuid4())).token


def connect(w, instance, **more):
    return psycopg.connect(**{"host": instance.read_write_dns, "port": 5432, "dbname": "databricks_postgres",
                              "user": w.current_user.me().user_name, "password": token(w, instance.name),
                              "sslmode": "require", **more})


def test_eval_env_is_all_it_takes(workspace):
    ask = ('exec "$0" -c "from databricks.sdk import WorkspaceClient as W; '
           'w = W(); print(w.current_user.me().user_name, w.config.auth_type)"')
    # the second: credentials of both kinds at once would be refused by the SDK, so each unsets the other
    for env, kind in ((["env"], "pat"), (["env", "env --app"], "oauth-m2m"), (["env --app", "env"], "pat")):
        script = "".join(f'eval "$(lakebase-workspace {e})"; ' for e in env) + ask
        done = subprocess.run(["sh", "-c", script, sys.executable], env=workspace.environ, text=True,
                              capture_output=True)
        assert done.stdout.split()[1:] == [kind], done.stderr


def test_the_config_file_is_read_by_the_sdk(workspace):
    path = str(workspace.state_dir / "databrickscfg")
    for profile, kind in ((None, "pat"), ("local", "pat"), ("app", "oauth-m2m")):
        config = Config(config_file=path, profile=profile)
        assert config.auth_type == kind
        assert WorkspaceClient(config=config).current_user.me().active


def test_who_am_i(w, app):
    me = w.current_user.me()
    assert (me.user_name, me.active, me.emails[0].value) == ("learner@example.com", True, "learner@example.com")
    assert app.current_user.me().user_name == app.config.client_id
    assert w.get_workspace_id() == app.get_workspace_id() > 0


def test_create_and_wait(w, demo):
    assert demo.state == AVAILABLE and demo.capacity == "CU_1" and demo.read_write_dns.startswith("127.")
    assert demo.effective_stopped is False and demo.effective_enable_pg_native_login is False
    assert demo.effective_node_count == 1 and demo.effective_retention_window_in_days == 7


def test_get_list_find(w, demo):
    again = w.database.get_database_instance("demo")
    assert again.as_dict() == demo.as_dict()
    assert [i.name for i in w.database.list_database_instances()] == ["demo"]
    assert [i.name for i in w.database.list_database_instances(page_size=1)] == ["demo"]
    assert w.database.find_database_instance_by_uid(uid=demo.uid).name == "demo"


def test_stop_start_and_resize(w, demo):
    def update(mask, **fields):
        return w.database.update_database_instance("demo", DatabaseInstance(name="demo", **fields), mask)

    assert update("stopped", stopped=True).effective_stopped is True
    assert until(w, "demo", STOPPED).effective_stopped is True
    update("stopped", stopped=False)
    assert until(w, "demo", AVAILABLE).effective_stopped is False
    assert update("capacity", capacity="CU_2").state == DatabaseInstanceState.UPDATING
    assert until(w, "demo", AVAILABLE).effective_capacity == "CU_2"
    tagged = update("*", custom_tags=[CustomTag(key="k", value="v")])
    assert tagged.effective_custom_tags == [CustomTag(key="k", value="v")] and tagged.capacity == "CU_2"


def test_login_with_a_credential(w, demo):
    credential = w.database.generate_database_credential(instance_names=["demo"])
    assert credential.expiration_time.endswith("Z")
    with connect(w, demo, password=credential.token) as conn:
        assert conn.execute("SELECT current_user, current_database()").fetchone() == ("learner@example.com",
                                                                                      "databricks_postgres")
    with connect(w, demo, dbname="postgres") as conn:
        conn.execute("SELECT 1")


def test_verify_full_with_the_ca_of_env(w, demo, workspace):
    with connect(w, demo, sslmode="verify-full", sslrootcert=workspace.env["PGSSLROOTCERT"]) as conn:
        assert conn.pgconn.ssl_in_use


@pytest.mark.parametrize("spoil", [
    lambda t: t[:-2] + ("A" if t[-2] != "A" else "B") + t[-1],         # signature
    lambda t: t.split(".")[0] + "." + t.split(".")[1][:-1] + "." + t.split(".")[2],  # claims
    lambda t: t.rsplit(".", 1)[0] + ".",
    lambda t: "",
    lambda t: "x" * 3000,
])
def test_spoiled_tokens_are_refused(w, demo, spoil):
    with pytest.raises(psycopg.OperationalError):
        connect(w, demo, password=spoil(token(w, "demo")))


def test_a_pat_is_no_password(w, demo):
    with pytest.raises(psycopg.OperationalError):
        connect(w, demo, password=w.config.token)


def test_plain_text_connections_are_refused(w, demo):
    with pytest.raises(psycopg.OperationalError):
        connect(w, demo, sslmode="disable")


def test_the_app_logs_in_with_its_own_token(w, app, demo):
    ident = app.config.client_id
    with connect(w, demo, autocommit=True) as conn:
        conn.execute("CREATE EXTENSION IF NOT EXISTS databricks_auth")
        conn.execute("SELECT databricks_create_role(%s, 'SERVICE_PRINCIPAL')", (ident,))
    with pytest.raises(PermissionDenied, match="CAN_USE"):
        token(app, "demo")
    given = w.permissions.update("database-instances", "demo", access_control_list=[
        AccessControlRequest(service_principal_name=ident, permission_level=PermissionLevel.CAN_USE)])
    assert PermissionLevel.CAN_USE in [p.permission_level for entry in given.access_control_list
                                       if entry.service_principal_name == ident for p in entry.all_permissions]
    assert w.permissions.get("database-instances", "demo") == given
    for password in (token(app, "demo"), app.config.oauth_token().access_token):
        with connect(app, demo, user=ident, password=password) as conn:
            assert conn.execute("SELECT current_user").fetchone() == (ident,)
    with pytest.raises(psycopg.OperationalError):  # the app's token is not the learner's
        connect(w, demo, password=app.config.oauth_token().access_token)
    levels = app.permissions.get_permission_levels("database-instances", "demo").permission_levels
    assert [level.permission_level.value for level in levels] == ["CAN_USE", "CAN_MANAGE"]
    w.permissions.set("database-instances", "demo", access_control_list=[])
    with pytest.raises(PermissionDenied):
        app.database.get_database_instance("demo")


def test_a_pool_that_mints_its_passwords(w, demo):
    class Minting(psycopg.Connection):
        @classmethod
        def connect(cls, conninfo="", **kwargs):
            return super().connect(conninfo, **{**kwargs, "password": token(w, "demo")})

    with ConnectionPool(f"host={demo.read_write_dns} dbname=databricks_postgres user=learner@example.com sslmode=require",
                        connection_class=Minting, min_size=3, max_size=3, open=True) as pool:
        pool.wait(30)
        with pool.connection() as conn:
            assert conn.execute("SELECT 6 * 7").fetchone() == (42,)


def test_catalog_of_a_database(w, demo):
    made = w.database.create_database_catalog(DatabaseCatalog(
        name="sdk_catalog", database_instance_name="demo", database_name="sdk_db", create_database_if_not_exists=True))
    assert made.uid and made.database_name == "sdk_db" and made.create_database_if_not_exists is None
    with connect(w, demo, dbname="sdk_db", autocommit=True) as conn:
        conn.execute("CREATE SCHEMA shop")
        conn.execute("CREATE TABLE shop.orders (id bigint PRIMARY KEY, total numeric(10,2), at timestamptz NOT NULL)")
    assert w.catalogs.get("sdk_catalog").catalog_type == CatalogType.MANAGED_ONLINE_CATALOG
    assert {c.name for c in w.catalogs.list()} == {"main", "samples", "sdk_catalog"}
    assert [s.name for s in w.schemas.list("sdk_catalog")] == ["public", "shop"]
    table, = w.tables.list("sdk_catalog", "shop")
    assert (table.full_name, table.table_type.value, table.data_source_format.value) == (
        "sdk_catalog.shop.orders", "FOREIGN", "POSTGRESQL_FORMAT")
    table = w.tables.get("sdk_catalog.shop.orders")
    assert [(c.name, c.type_name.value, c.type_text, c.nullable) for c in table.columns] == [
        ("id", "LONG", "bigint", False), ("total", "DECIMAL", "decimal(10,2)", True),
        ("at", "TIMESTAMP", "timestamp", False)]
    assert table.table_constraints[0].primary_key_constraint.child_columns == ["id"]
    assert w.tables.exists("sdk_catalog.shop.orders").table_exists is True
    assert w.metastores.current().default_catalog_name == "main"
    with pytest.raises(BadRequest, match="registered in Unity Catalog as 'sdk_catalog'"):
        w.database.delete_database_instance("demo", purge=True)
    w.database.delete_database_catalog("sdk_catalog")
    with pytest.raises(NotFound, match="Catalog 'sdk_catalog' does not exist"):
        w.database.get_database_catalog("sdk_catalog")


def test_roles(w, app, demo):
    """Made by the API, they are PostgreSQL's: the app logs in as its own, and what a role owns is not lost with it."""
    ident, kinds = f"role-{uuid.uuid4()}", DatabaseInstanceRoleIdentityType
    make = lambda name, kind, **more: w.database.create_database_instance_role(
        "demo", DatabaseInstanceRole(name=name, identity_type=kind, **more))
    made = make(ident, kinds.USER, membership_role=DatabaseInstanceRoleMembershipRole.DATABRICKS_SUPERUSER,
                attributes=DatabaseInstanceRoleAttributes(createdb=True))
    assert (made.name, made.identity_type, made.instance_name) == (ident, kinds.USER, "demo")
    assert made.membership_role == DatabaseInstanceRoleMembershipRole.DATABRICKS_SUPERUSER and made.effective_attributes.createdb
    make("readers", kinds.PG_ONLY)
    listed = {role.name: role for role in w.database.list_database_instance_roles("demo")}
    assert {ident, "readers", "learner@example.com"} <= set(listed) and listed["readers"].identity_type == kinds.PG_ONLY
    assert not [name for name in listed if name.startswith(("pg_", "databricks_", "cloud_admin"))]
    with connect(w, demo, autocommit=True) as conn:
        flags = "SELECT rolcanlogin, rolcreatedb, rolsuper, pg_has_role(oid, 'databricks_superuser', 'member') FROM pg_roles WHERE rolname = %s"
        assert conn.execute(flags, (ident,)).fetchone() == (True, True, False, True)
        assert conn.execute(flags, ("readers",)).fetchone()[0] is False
    change = lambda **attributes: w.api_client.do(  # this version of the SDK has no method for it
        "PATCH", f"/api/2.0/database/instances/demo/roles/{ident}", body={"name": ident, "attributes": attributes})
    assert change(createdb=False, bypassrls=True)["effective_attributes"] == {"createdb": False, "bypassrls": True, "createrole": False}
    assert w.database.get_database_instance_role("demo", ident).membership_role  # what was not named stays

    for name in ("pg_mine", "cloud_admin", "", "x" * 64, "a\nb"):
        with pytest.raises(InvalidParameterValue):
            make(name, kinds.USER)
    with pytest.raises(AlreadyExists):
        make(ident, kinds.USER)
    with pytest.raises(InvalidParameterValue, match="owns database instance"):
        w.database.delete_database_instance_role("demo", "learner@example.com")
    with pytest.raises(NotFound):
        w.database.get_database_instance_role("demo", "nobody")
    if demo.pg_version < "PG_VERSION_16":
        with pytest.raises(NotImplemented, match="PostgreSQL 16"):
            change(createrole=True)

    with connect(w, demo, autocommit=True) as conn:
        conn.execute("CREATE TABLE kept (i int); INSERT INTO kept VALUES (7)")
        conn.execute(sql.SQL("GRANT ALL ON kept TO {}").format(sql.Identifier(ident)))
    with pytest.raises(DatabricksError, match="reassign_owned_to"):
        w.database.delete_database_instance_role("demo", ident)
    w.database.delete_database_instance_role("demo", ident, reassign_owned_to="learner@example.com")
    w.database.delete_database_instance_role("demo", ident, allow_missing=True)
    w.database.delete_database_instance_role("demo", "readers")
    with connect(w, demo, autocommit=True) as conn:
        assert conn.execute("SELECT i FROM kept").fetchone() == (7,)
        conn.execute("DROP TABLE kept")


def test_errors_have_their_classes(w, demo):
    with pytest.raises(InvalidParameterValue, match="CU_1, CU_2, CU_4, CU_8"):
        w.database.create_database_instance(DatabaseInstance(name="bad", capacity="CU_3"))
    with pytest.raises(InvalidParameterValue):
        w.database.create_database_instance(DatabaseInstance(name="bad_name"))
    with pytest.raises(AlreadyExists, match="Instance name is not unique"):
        w.database.create_database_instance(DatabaseInstance(name="demo"))
    with pytest.raises(NotFound, match="Database instance is not found."):
        w.database.get_database_instance("none")
    with pytest.raises(NotImplemented):
        w.database.create_database_instance(DatabaseInstance(name="child",
                                                             parent_instance_ref=DatabaseInstanceRef(name="demo")))
    with pytest.raises(NotImplemented, match="READ_ONLY"):
        w.database.generate_database_credential(
            claims=[RequestedClaims(permission_set=RequestedClaimsPermissionSet.READ_ONLY)])
    with pytest.raises(Unauthenticated):
        WorkspaceClient(host=w.config.host, token="dapi0").current_user.me()


def test_delete_and_create_again(w):
    first = w.database.create_database_instance_and_wait(DatabaseInstance(name="twice"))
    w.database.delete_database_instance("twice", purge=True)
    until_gone(w, "twice")
    second = w.database.create_database_instance_and_wait(DatabaseInstance(name="twice"))
    assert second.uid != first.uid
    w.database.delete_database_instance("twice", purge=True, force=True)
    until_gone(w, "twice")
