"""Permissions on an instance: shown, given, taken, and enforced for the second principal on every route of the instance."""
import pytest

from api import Api
from lake import LEARNER, app_of

INSTANCES = "/api/2.0/database/instances"
PERMISSIONS = "/api/2.0/permissions/database-instances/demo"


@pytest.fixture(scope="module")
def api(workspace):
    api = Api.of(workspace)
    api.create("demo")
    yield api
    api.delete("demo")


@pytest.fixture(scope="module")
def app(workspace):
    return app_of(workspace)


@pytest.fixture(autouse=True)
def clean(api):
    yield
    api.ok("PUT", PERMISSIONS, {"access_control_list": []})


def give(api, *entries, method="PATCH"):
    return api.ok(method, PERMISSIONS, {"access_control_list": [dict(entry) for entry in entries]})


def to_app(app, level):
    return {"service_principal_name": app.name, "permission_level": level}


def shown(doc):
    """{name: level} of what was given on the instance itself."""
    return {entry.get("user_name") or entry.get("group_name") or entry.get("service_principal_name"):
            entry["all_permissions"][0]["permission_level"]
            for entry in doc["access_control_list"] if not entry["all_permissions"][0]["inherited"]}


# What needs CAN_USE, and what needs CAN_MANAGE: method, path, body, status for who may.
USE = [
    ("GET", f"{INSTANCES}/demo", None, 200),
    ("GET", f"{INSTANCES}/demo/roles", None, 200),
    ("GET", f"{INSTANCES}/demo/roles/nobody", None, 404),
    ("GET", f"{INSTANCES}/demo/catalogs", None, 200),
    ("GET", f"{INSTANCES}/demo/synced_tables", None, 200),
    ("GET", PERMISSIONS, None, 200),
    ("GET", f"{PERMISSIONS}/permissionLevels", None, 200),
    ("POST", "/api/2.0/database/credentials", {"instance_names": ["demo"], "request_id": "r"}, 200),
    ("POST", "/api/2.0/database/catalogs", {"name": "x", "database_instance_name": "demo", "database_name": "missing"}, 404),
]
MANAGE = [
    ("PATCH", f"{INSTANCES}/demo?update_mask=capacity", {"name": "demo", "capacity": "CU_9"}, 400),
    ("DELETE", f"{INSTANCES}/demo?purge=false", None, 400),
    ("POST", f"{INSTANCES}/demo/roles", {"name": "", "identity_type": "USER"}, 400),
    ("PATCH", f"{INSTANCES}/demo/roles/nobody", {"name": "nobody"}, 404),
    ("DELETE", f"{INSTANCES}/demo/roles/nobody", None, 404),
    ("PUT", PERMISSIONS, {"access_control_list": [{"user_name": "nobody@example.com", "permission_level": "CAN_USE"}]}, 404),
    ("PATCH", PERMISSIONS, {"access_control_list": [{"user_name": "nobody@example.com", "permission_level": "CAN_USE"}]}, 404),
]


@pytest.mark.parametrize("level", [None, "CAN_USE", "CAN_MANAGE"])
def test_every_route_asks(api, app, level):
    if level:
        give(api, to_app(app, level))
    for calls, enough in ((USE, ("CAN_USE", "CAN_MANAGE")), (MANAGE, ("CAN_MANAGE",))):
        for method, path, body, status in calls:
            got, doc = app.call(method, path, body)
            if level in enough:
                assert got == status, (method, path, doc)
            elif (method, path) != ("DELETE", f"{INSTANCES}/demo?purge=false"):  # its parameters are looked at first
                assert (got, doc["error_code"]) == (403, "PERMISSION_DENIED"), (method, path, doc)
                assert "demo" in doc["message"] and "CAN_" in doc["message"]
    status, code, _ = app.refused("DELETE", f"{INSTANCES}/demo?purge=true") if level != "CAN_MANAGE" else (403, "PERMISSION_DENIED", "")
    assert (status, code) == (403, "PERMISSION_DENIED")
    seen = [one["name"] for one in app.ok("GET", INSTANCES).get("database_instances", [])]
    assert seen == (["demo"] if level else [])
    uid = api.get("demo")["uid"]
    assert app.call("GET", f"{INSTANCES}:findByUid?uid={uid}")[0] == (200 if level else 403)


def test_pages_hold_what_the_caller_may_see(api, app):
    names = [f"page-{i}" for i in range(3)]
    for name in names:
        api.ok("POST", INSTANCES, {"name": name})
    for name in names[::2]:
        api.ok("PUT", f"/api/2.0/permissions/database-instances/{name}", {"access_control_list": [to_app(app, "CAN_USE")]})
    page = app.ok("GET", f"{INSTANCES}?page_size=1")
    second = app.ok("GET", f"{INSTANCES}?page_size=1&page_token={page['next_page_token']}")
    assert [one["name"] for doc in (page, second) for one in doc["database_instances"]] == names[::2]
    assert "next_page_token" not in second
    for name in names:
        api.wait(name, "AVAILABLE")
        api.delete(name)


def test_who_makes_an_instance_manages_it(api, app):
    app.create("mine")
    assert shown(app.ok("GET", "/api/2.0/permissions/database-instances/mine")) == {app.name: "CAN_MANAGE"}
    assert api.get("mine")["creator"] == app.name  # the administrator sees all
    app.update("mine", "retention_window_in_days", retention_window_in_days=9)
    app.delete("mine")


def test_patch_adds_and_put_replaces(api, app):
    doc = give(api, to_app(app, "CAN_USE"))
    assert (doc["object_id"], doc["object_type"]) == ("/database-instances/demo", "database-instances")
    admins = next(e for e in doc["access_control_list"] if e.get("group_name") == "admins")
    assert admins["all_permissions"][0]["inherited"] and admins["all_permissions"][0]["permission_level"] == "CAN_MANAGE"
    assert shown(doc) == {LEARNER: "CAN_MANAGE", app.name: "CAN_USE"}
    everybody = {"group_name": "users", "permission_level": "CAN_USE"}
    assert shown(give(api, everybody)) == {LEARNER: "CAN_MANAGE", app.name: "CAN_USE", "users": "CAN_USE"}
    assert shown(give(api, to_app(app, "CAN_MANAGE")))[app.name] == "CAN_MANAGE"
    assert shown(give(api, everybody, method="PUT")) == {LEARNER: "CAN_MANAGE", "users": "CAN_USE"}
    assert app.get("demo")["name"] == "demo"  # one of all users
    assert shown(api.ok("GET", PERMISSIONS)) == {LEARNER: "CAN_MANAGE", "users": "CAN_USE"}
    assert {one["permission_level"] for one in api.ok("GET", f"{PERMISSIONS}/permissionLevels")["permission_levels"]} == {"CAN_USE", "CAN_MANAGE"}


@pytest.mark.parametrize("entry, status, words", [
    ({"user_name": LEARNER, "permission_level": "CAN_FLY"}, 400, "CAN_FLY"),
    ({"user_name": LEARNER}, 400, "permission_level"),
    ({"permission_level": "CAN_USE"}, 400, "exactly one"),
    ({"user_name": LEARNER, "group_name": "users", "permission_level": "CAN_USE"}, 400, "exactly one"),
    ({"user_name": "nobody@example.com", "permission_level": "CAN_USE"}, 404, "nobody@example.com"),
    ({"service_principal_name": LEARNER, "permission_level": "CAN_USE"}, 404, LEARNER),
    ({"group_name": "friends", "permission_level": "CAN_USE"}, 404, "friends"),
    ({"group_name": "admins", "permission_level": "CAN_USE"}, 400, "admins"),
])
def test_wrong_entries_change_nothing(api, app, entry, status, words):
    before = give(api, to_app(app, "CAN_USE"))
    for method in ("PUT", "PATCH"):
        got = api.refused(method, PERMISSIONS, {"access_control_list": [to_app(app, "CAN_MANAGE"), entry]})
        assert got[0] == status and words in got[2], got
    assert api.ok("GET", PERMISSIONS) == before


def test_limits(api):
    entry = {"group_name": "users", "permission_level": "CAN_USE"}
    give(api, *[entry] * 100)
    assert api.refused("PATCH", PERMISSIONS, {"access_control_list": [entry] * 101})[0] == 413
    assert api.refused("GET", "/api/2.0/permissions/database-instances/nope")[0] == 404
    assert api.refused("GET", "/api/2.0/permissions/clusters/demo")[:2] == (501, "NOT_IMPLEMENTED")


def test_they_end_with_the_instance(workspace, api, app):
    api.create("gone")
    path = "/api/2.0/permissions/database-instances/gone"
    api.ok("PUT", path, {"access_control_list": [to_app(app, "CAN_MANAGE")]})
    api.delete("gone")
    api.create("gone")
    assert shown(api.ok("GET", path)) == {LEARNER: "CAN_MANAGE"}
    api.delete("gone")
