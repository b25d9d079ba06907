"""Instances over the API: fields, names, values that are refused, states, real servers behind them."""
import json
import re
import threading
import uuid

import psycopg
import pytest

from api import Api

ROOT = "/api/2.0/database/instances"
NOT_FOUND = (404, "NOT_FOUND", "Database instance is not found.")


@pytest.fixture(scope="module")
def api(workspace):
    return Api.of(workspace)


@pytest.fixture
def demo(api):
    api.create("demo")
    yield "demo"
    api.delete("demo")


def connect(api, name, **more):
    doc = api.get(name)
    return psycopg.connect(host=doc["read_write_dns"], port=5432, user="learner@example.com", dbname="databricks_postgres",
                           password=api.credential(name), sslmode="require", **more)


def test_what_a_get_carries(api, demo):
    doc = api.get(demo)
    assert uuid.UUID(doc.pop("uid"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", doc.pop("creation_time"))
    assert re.fullmatch(r"PG_VERSION_\d+", doc.pop("pg_version"))
    assert re.fullmatch(r"127\.\d+\.\d+\.\d+", doc.pop("read_write_dns"))
    assert doc == {
        "name": "demo", "capacity": "CU_2", "effective_capacity": "CU_2", "effective_node_count": 1,
        "effective_retention_window_in_days": 7, "effective_enable_pg_native_login": False,
        "effective_enable_readable_secondaries": False, "effective_stopped": False, "state": "AVAILABLE",
        "creator": "learner@example.com",
    }


def test_create_answers_at_once_and_ignores_what_it_does_not_take(api):
    doc = api.create("early", wait=None, uid="mine", state="AVAILABLE", creator="x", never_heard_of={"a": [1]},
                     node_count=1, enable_pg_native_login=False, effective_stopped=True)
    assert doc["state"] == "STARTING"
    assert doc["uid"] != "mine" and doc["creator"] == "learner@example.com" and doc["effective_stopped"] is False
    assert not {"node_count", "enable_pg_native_login", "stopped"} & set(doc)
    api.delete("early")


@pytest.mark.parametrize("name", ["", "1a", "-a", "a_b", "a.b", "a b", "ä", "a" * 64, "a/b", "../x"])
def test_names_that_are_refused(api, name):
    status, code, message = api.refused("POST", ROOT, {"name": name})
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert "1 to 63 letters, digits and hyphens" in message or not name


def test_the_longest_name(api):
    name = "a" + "-9" * 31
    assert len(name) == 63
    api.create(name)
    api.delete(name)


@pytest.mark.parametrize("fields, status, code, part", [
    ({"capacity": "CU_3"}, 400, "INVALID_PARAMETER_VALUE", "allowed values are CU_1, CU_2, CU_4, CU_8"),
    ({"capacity": "cu_2"}, 400, "INVALID_PARAMETER_VALUE", "CU_1, CU_2, CU_4, CU_8"),
    ({"retention_window_in_days": 1}, 400, "INVALID_PARAMETER_VALUE", "2 to 35"),
    ({"retention_window_in_days": 36}, 400, "INVALID_PARAMETER_VALUE", "2 to 35"),
    ({"retention_window_in_days": 1 << 40}, 400, "INVALID_PARAMETER_VALUE", "2 to 35"),
    ({"node_count": 0}, 400, "INVALID_PARAMETER_VALUE", "at least 1"),
    ({"node_count": 2}, 501, "NOT_IMPLEMENTED", "node_count"),
    ({"enable_readable_secondaries": True}, 501, "NOT_IMPLEMENTED", "Readable secondaries"),
    ({"enable_pg_native_login": True}, 501, "NOT_IMPLEMENTED", "Native PostgreSQL login"),
    ({"parent_instance_ref": {"name": "p"}}, 501, "NOT_IMPLEMENTED", "Child instances"),
    ({"custom_tags": [{"key": "k", "value": "v"}] * 21}, 400, "INVALID_PARAMETER_VALUE", "at most 20"),
    ({"custom_tags": [{"key": "k", "value": "v" * 5000}]}, 400, "INVALID_PARAMETER_VALUE", "longer than"),
    ({"usage_policy_id": "p" * 256}, 400, "INVALID_PARAMETER_VALUE", "255"),
])
def test_values_that_are_refused(api, fields, status, code, part):
    got = api.refused("POST", ROOT, {"name": "refused", **fields})
    assert got[:2] == (status, code)
    assert part in got[2]
    assert api.refused("GET", f"{ROOT}/refused") == NOT_FOUND


def test_duplicate(api, demo):
    assert api.refused("POST", ROOT, {"name": demo}) == (409, "ALREADY_EXISTS", "Instance name is not unique")


def test_the_eleventh_instance_is_refused(api):
    names = [f"q{i}" for i in range(10)]
    for name in names:
        api.create(name, wait=None)
    status, code, message = api.refused("POST", ROOT, {"name": "q10"})
    assert (status, code) == (400, "QUOTA_EXCEEDED") and "10" in message
    for name in names:
        api.delete(name)
    api.create("q10")
    api.delete("q10")


def test_unknown_instance_everywhere(api):
    assert api.refused("GET", f"{ROOT}/none") == NOT_FOUND
    assert api.refused("DELETE", f"{ROOT}/none?purge=true") == NOT_FOUND
    assert api.refused("PATCH", f"{ROOT}/none?update_mask=stopped", {"name": "none"}) == NOT_FOUND
    assert api.refused("GET", f"{ROOT}:findByUid?uid=none") == NOT_FOUND
    assert api.refused("GET", f"{ROOT}/none/catalogs") == NOT_FOUND
    assert api.refused("POST", "/api/2.0/database/credentials", {"instance_names": ["none"]}) == NOT_FOUND


def test_find_by_uid(api, demo):
    doc = api.get(demo)
    assert api.ok("GET", f"{ROOT}:findByUid?uid={doc['uid']}") == doc
    assert api.refused("GET", f"{ROOT}:findByUid")[1] == "INVALID_PARAMETER_VALUE"


def test_pages(api):
    for name in ("p1", "p2", "p3"):
        api.create(name, wait=None)
    seen, token = [], ""
    while True:
        doc = api.ok("GET", f"{ROOT}?page_size=2&page_token={token}")
        seen.append([i["name"] for i in doc.get("database_instances", [])])
        token = doc.get("next_page_token", "")
        if not token:
            break
    assert seen == [["p1", "p2"], ["p3"]]
    assert len(api.ok("GET", f"{ROOT}?page_size=0")["database_instances"]) == 3
    for size in ("-1", "x", "1x"):
        assert api.refused("GET", f"{ROOT}?page_size={size}")[1] == "INVALID_PARAMETER_VALUE"
    for name in ("p1", "p2", "p3"):
        api.delete(name)
    assert api.ok("GET", ROOT) == {}


def test_stop_keeps_data_and_refuses_connections(api, demo):
    with connect(api, demo) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 42 AS n")
    address = api.get(demo)["read_write_dns"]
    doc = api.update(demo, "stopped", stopped=True)
    assert doc["state"] == "UPDATING" and doc["effective_stopped"] is True and "stopped" not in doc
    assert api.wait(demo, "STOPPED")["effective_stopped"] is True
    with pytest.raises(psycopg.OperationalError):
        connect(api, demo, connect_timeout=5)
    assert api.update(demo, "stopped", stopped=False)["state"] == "STARTING"
    assert api.wait(demo, "AVAILABLE")["read_write_dns"] == address
    with connect(api, demo) as conn:
        assert conn.execute("SELECT n FROM kept").fetchone() == (42,)


def test_capacity_restarts_the_server(api, demo):
    with connect(api, demo) as conn:
        started, buffers = conn.execute("SELECT pg_postmaster_start_time(), current_setting('shared_buffers')").fetchone()
    assert api.update(demo, "capacity", capacity="CU_8")["state"] == "UPDATING"
    assert api.wait(demo, "AVAILABLE")["effective_capacity"] == "CU_8"
    with connect(api, demo) as conn:
        again, more = conn.execute("SELECT pg_postmaster_start_time(), current_setting('shared_buffers')").fetchone()
    assert again > started and more != buffers
    # to the same value: nothing happens
    assert api.update(demo, "capacity", capacity="CU_8")["state"] == "AVAILABLE"


def test_masks(api, demo):
    base = f"{ROOT}/{demo}?update_mask="
    tags = [{"key": "team", "value": "a b"}]
    doc = api.update(demo, "%2A", custom_tags=tags, retention_window_in_days=10)
    assert doc["custom_tags"] == tags and doc["effective_retention_window_in_days"] == 10
    doc = api.get(demo)
    assert "custom_tags" not in doc and doc["effective_custom_tags"] == tags
    # bundles send "*" with a few fields, and a uid that is none: what is missing stays
    doc = api.update(demo, "*", capacity="CU_2", uid=demo)
    assert doc["effective_custom_tags"] == tags and doc["effective_retention_window_in_days"] == 10
    # Terraform names all its fields: what is missing is set to its default
    doc = api.update(demo, "capacity,custom_tags,enable_pg_native_login,enable_readable_secondaries,node_count,"
                           "retention_window_in_days,stopped,usage_policy_id".replace(",", "%2C"))
    assert doc["state"] == "AVAILABLE" and doc["effective_retention_window_in_days"] == 7
    assert "effective_custom_tags" not in doc
    assert api.refused("PATCH", f"{ROOT}/{demo}", {"name": demo})[1] == "INVALID_PARAMETER_VALUE"
    assert api.refused("PATCH", base + "uid", {"name": demo})[1] == "INVALID_PARAMETER_VALUE"
    assert api.refused("PATCH", base + "capacity", {"name": "other"})[1] == "INVALID_PARAMETER_VALUE"
    assert api.refused("PATCH", base + "capacity", {"name": demo, "capacity": "CU_16"})[1] == "INVALID_PARAMETER_VALUE"
    assert api.refused("PATCH", base + "node_count", {"name": demo, "node_count": 3})[1] == "NOT_IMPLEMENTED"


def test_delete_wants_purge(api, demo):
    status, code, message = api.refused("DELETE", f"{ROOT}/{demo}?purge=false")
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert message == "Purge must be set to true to delete a database instance."
    assert api.refused("DELETE", f"{ROOT}/{demo}?purge=maybe")[1] == "INVALID_PARAMETER_VALUE"
    assert api.get(demo)["state"] == "AVAILABLE"


def test_delete_frees_the_name_and_leaves_nothing(api, workspace):
    api.create("gone")
    uid = api.get("gone")["uid"]
    assert (workspace.state_dir / "instances" / uid).exists()
    api.delete("gone")
    assert not (workspace.state_dir / "instances" / uid).exists()
    assert api.create("gone")["uid"] != uid
    api.ok("DELETE", f"{ROOT}/gone?force=true")  # purge left out
    assert api.call("GET", f"{ROOT}/gone")[0] in (200, 404)
    api.create("other")
    api.delete("other")


def test_no_update_during_another(api):
    api.create("busy", wait=None)
    doc = api.call("PATCH", f"{ROOT}/busy?update_mask=stopped", {"name": "busy", "stopped": True})
    if doc[0] != 200:  # it was still STARTING
        assert (doc[0], doc[1]["error_code"]) == (409, "RESOURCE_CONFLICT")
    api.ok("DELETE", f"{ROOT}/busy")


def test_credentials(api, demo):
    doc = api.ok("POST", "/api/2.0/database/credentials", {"instance_names": [demo], "request_id": "x"})
    assert set(doc) == {"token", "expiration_time"}
    assert len(doc["token"]) < 2000 and doc["token"].count(".") == 2
    for body, code in (({"instance_names": []}, "INVALID_PARAMETER_VALUE"), ({}, "INVALID_PARAMETER_VALUE"),
                       ({"instance_names": [demo] * 11}, "INVALID_PARAMETER_VALUE"),
                       ({"instance_names": demo}, "INVALID_PARAMETER_VALUE"),
                       ({"instance_names": [demo], "claims": [{"permission_set": "READ_ONLY"}]}, "NOT_IMPLEMENTED")):
        assert api.refused("POST", "/api/2.0/database/credentials", body)[1] == code, body


def test_several_tokens_are_good_at_once(api, demo):
    host = api.get(demo)["read_write_dns"]
    for token in [api.credential(demo) for _ in range(5)]:
        with psycopg.connect(host=host, user="learner@example.com", dbname="postgres", password=token,
                             sslmode="require") as conn:
            assert conn.execute("SELECT current_user").fetchone() == ("learner@example.com",)


def test_a_token_of_another_instance_is_refused_at_login(api, demo):
    api.create("second")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host=api.get(demo)["read_write_dns"], user="learner@example.com", dbname="databricks_postgres",
                        password=api.credential("second"), sslmode="require")
    api.delete("second")


def test_creates_side_by_side(api):
    names = [f"side{i}" for i in range(4)]
    threads = [threading.Thread(target=api.create, args=(name,)) for name in names]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    docs = [api.get(name) for name in names]
    assert len({d["read_write_dns"] for d in docs}) == 4
    for name in names:
        api.delete(name)


def test_one_name_at_once_gives_one_instance(api):
    seen = []

    def create():
        seen.append(api.call("POST", ROOT, {"name": "race"})[0])

    threads = [threading.Thread(target=create) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(seen) == [200] + [409] * 7
    api.delete("race")


def test_answers_are_whole_json(api, demo):
    """Text that needs escaping survives the way in and out."""
    value = 'quote " backslash \\ newline \n grün 😀'
    api.update(demo, "custom_tags", custom_tags=[{"key": "k", "value": value}])
    assert api.get(demo)["effective_custom_tags"] == [{"key": "k", "value": value}]
    assert json.dumps(value)
