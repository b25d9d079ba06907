"""/api/2.0/postgres: an instance seen as a project, by plain HTTP and by the unmodified SDK."""
import datetime

import psycopg
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from google.protobuf.duration_pb2 import Duration

from api import Api
from lake import LEARNER, app_of

BASE = "/api/2.0/postgres"
ENDPOINT = "projects/shop/branches/production/endpoints/primary"


@pytest.fixture(scope="module")
def api(workspace):
    api = Api.of(workspace)
    api.create("shop", capacity="CU_2")
    return api


@pytest.fixture(scope="module")
def sdk(workspace, api):
    return WorkspaceClient(host=workspace.env["DATABRICKS_HOST"], token=workspace.env["DATABRICKS_TOKEN"])


def connect(api, user, password):
    return psycopg.connect(host=api.get("shop")["read_write_dns"], user=user, password=password, dbname="databricks_postgres", sslmode="require")


def test_what_the_sdk_reads(api, sdk):
    project, = sdk.postgres.list_projects()
    assert project == sdk.postgres.get_project("projects/shop") and project.name == "projects/shop"
    assert project.uid == api.get("shop")["uid"] and project.status.owner == LEARNER and project.spec is None
    assert project.status.pg_version == int(api.get("shop")["pg_version"].removeprefix("PG_VERSION_"))
    assert project.status.history_retention_duration.ToSeconds() == 7 * 86400
    branch, = sdk.postgres.list_branches(project.name)
    assert branch == sdk.postgres.get_branch(project.status.default_branch)
    assert branch.status.default and branch.status.current_state.value == "READY" and branch.parent == project.name
    endpoint, = sdk.postgres.list_endpoints(branch.name)
    assert endpoint == sdk.postgres.get_endpoint(ENDPOINT) and endpoint.name == ENDPOINT
    status = endpoint.status
    assert (status.endpoint_type.value, status.current_state.value, status.disabled) == ("ENDPOINT_TYPE_READ_WRITE", "ACTIVE", False)
    assert status.autoscaling_limit_min_cu == status.autoscaling_limit_max_cu == 16  # CU_2 has 32 GB, an autoscaling CU 2
    assert status.hosts.host == api.get("shop")["read_write_dns"]


def test_the_path_of_an_app(sdk):
    """Project, branch, endpoint, its host, a credential for it: then a login."""
    host = sdk.postgres.get_endpoint(ENDPOINT).status.hosts.host
    credential = sdk.postgres.generate_database_credential(endpoint=ENDPOINT)
    assert 3500 < credential.expire_time.ToSeconds() - datetime.datetime.now().timestamp() <= 3600
    with psycopg.connect(host=host, user=LEARNER, password=credential.token, dbname="databricks_postgres", sslmode="require") as pg:
        assert pg.execute("SELECT current_user").fetchone() == (LEARNER,)


def test_a_shorter_life(api, sdk):
    credential = sdk.postgres.generate_database_credential(endpoint=ENDPOINT, ttl=Duration(seconds=300))
    assert 290 < credential.expire_time.ToSeconds() - datetime.datetime.now().timestamp() <= 300
    connect(api, LEARNER, credential.token).close()
    soon = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=600)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert api.ok("POST", f"{BASE}/credentials", {"endpoint": ENDPOINT, "expire_time": soon})["expire_time"] == soon


def test_a_stopped_instance(api):
    api.create("rest", stopped=True, wait="STOPPED", capacity="CU_1")
    status = api.ok("GET", f"{BASE}/projects/rest/branches/production/endpoints/primary")["status"]
    assert status["disabled"] is True and status["current_state"] == "IDLE" and "pending_state" not in status
    api.delete("rest")
    assert "projects/rest" not in [p["name"] for p in api.ok("GET", f"{BASE}/projects")["projects"]]


def test_pages(api):
    api.create("second", capacity="CU_1")
    first = api.ok("GET", f"{BASE}/projects?page_size=1")
    rest = api.ok("GET", f"{BASE}/projects?page_size=1&page_token={first['next_page_token']}")
    assert [p["project_id"] for p in first["projects"] + rest["projects"]] == ["second", "shop"] and "next_page_token" not in rest


def test_a_second_principal(workspace, api):
    """Permissions are those of the instance; its credential is its own."""
    app = app_of(workspace)
    assert app.ok("GET", f"{BASE}/projects") == {}
    assert app.refused("GET", f"{BASE}/projects/shop")[0] == 403
    assert app.refused("POST", f"{BASE}/credentials", {"endpoint": ENDPOINT})[0] == 403
    ident = app.ok("GET", "/api/2.0/preview/scim/v2/Me")["userName"]
    api.ok("PATCH", "/api/2.0/permissions/database-instances/shop",
           {"access_control_list": [{"service_principal_name": ident, "permission_level": "CAN_USE"}]})
    assert [p["project_id"] for p in app.ok("GET", f"{BASE}/projects")["projects"]] == ["shop"]
    token = app.ok("POST", f"{BASE}/credentials", {"endpoint": ENDPOINT})["token"]
    with pytest.raises(psycopg.OperationalError):
        connect(api, LEARNER, token)
    api.ok("PUT", "/api/2.0/permissions/database-instances/shop", {"access_control_list": []})


@pytest.mark.parametrize("body, status, code, part", [
    ({}, 400, "INVALID_PARAMETER_VALUE", "Field 'endpoint' is required"),
    ({"endpoint": "shop"}, 400, "INVALID_PARAMETER_VALUE", "'shop' is not the name of an endpoint"),
    ({"endpoint": "projects//branches/production/endpoints/primary"}, 400, "INVALID_PARAMETER_VALUE", "is not the name of an endpoint"),
    ({"endpoint": "projects/none/branches/production/endpoints/primary"}, 404, "NOT_FOUND", "project id not found"),
    ({"endpoint": "projects/shop/branches/dev/endpoints/primary"}, 404, "NOT_FOUND", "endpoint id not found"),
    ({"endpoint": ENDPOINT, "ttl": "299s"}, 400, "INVALID_PARAMETER_VALUE", "300 to 3600 seconds"),
    ({"endpoint": ENDPOINT, "ttl": "3601s"}, 400, "INVALID_PARAMETER_VALUE", "300 to 3600 seconds"),
    ({"endpoint": ENDPOINT, "ttl": "10m"}, 400, "INVALID_PARAMETER_VALUE", "ttl '10m' is not a duration"),
    ({"endpoint": ENDPOINT, "ttl": "-1s"}, 400, "INVALID_PARAMETER_VALUE", "ttl '-1s' is not a duration"),
    ({"endpoint": ENDPOINT, "ttl": "99999999999999999999s"}, 400, "INVALID_PARAMETER_VALUE", "300 to 3600 seconds"),
    ({"endpoint": ENDPOINT, "expire_time": "soon"}, 400, "INVALID_PARAMETER_VALUE", "expire_time 'soon' is not a time"),
    ({"endpoint": ENDPOINT, "expire_time": "2020-01-01T00:00:00Z"}, 400, "INVALID_PARAMETER_VALUE", "300 to 3600 seconds"),
    ({"endpoint": ENDPOINT, "ttl": "300s", "expire_time": "2020-01-01T00:00:00Z"}, 400, "INVALID_PARAMETER_VALUE", "Only one of"),
    ({"endpoint": ENDPOINT, "claims": [{"permission_set": "READ_ONLY"}]}, 501, "NOT_IMPLEMENTED", "claims"),
    ({"endpoint": ENDPOINT, "group_name": "g"}, 501, "NOT_IMPLEMENTED", "group_name"),
])
def test_credentials_that_are_refused(api, body, status, code, part):
    got = api.refused("POST", f"{BASE}/credentials", body)
    assert got[:2] == (status, code) and part in got[2]


@pytest.mark.parametrize("path, part", [
    ("projects/none", "project"), ("projects/none/branches", "project"), ("projects/shop/branches/dev", "branch"),
    ("projects/shop/branches/dev/endpoints", "branch"), ("projects/shop/branches/production/endpoints/other", "endpoint")])
def test_what_is_not_there(api, sdk, path, part):
    assert api.refused("GET", f"{BASE}/{path}") == (404, "NOT_FOUND", f"{part} id not found")
    with pytest.raises(NotFound):
        sdk.api_client.do("GET", f"{BASE}/{path}")


@pytest.mark.parametrize("method, path", [
    ("POST", "projects?project_id=x"), ("PATCH", "projects/shop?update_mask=spec"), ("DELETE", "projects/shop"),
    ("POST", "projects/shop/branches?branch_id=dev"), ("GET", "projects/shop/branches/production/roles"),
    ("GET", "projects/shop/branches/production/databases"), ("POST", "catalogs?catalog_id=c"), ("GET", "projects/shop/operations/x")])
def test_what_is_not_built_says_so(api, method, path):
    status, code, message = api.refused(method, f"{BASE}/{path}", {} if method != "GET" else None)
    assert (status, code) == (501, "NOT_IMPLEMENTED") and "more than reading projects, branches and endpoints is not offered" in message
