"""kill -9 of the workspace at many moments of create, stop, start, resize and delete; kill -9 of PostgreSQL servers.

After each, the next start must find a consistent state: what was asked for is done, servers that live on are adopted,
and nothing runs or lies about without an instance. The delays below choose the moment of the crash; nothing waits on them.
"""
import http.client
import json
import os
import signal
import threading
import time
from pathlib import Path

import psycopg
import pytest

from api import Api
from conftest import processes_of, wait_until
from kills import postmasters

MOMENTS = [0.0, 0.002, 0.005, 0.01, 0.02, 0.04, 0.07, 0.11, 0.2]
ROOT = "/api/2.0/database/instances"


@pytest.fixture(scope="module")
def space(workspace):
    Api.of(workspace).create("warm")  # the template is there: from now on the timing is that of every day
    Api.of(workspace).delete("warm")
    return workspace


def workspace_pid(space):
    return json.loads((space.state_dir / "workspace.json").read_text())["pid"]


def ended(pid):
    """It is gone, or a zombie that init has not collected yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def crash_during(space, delay, method, path, body=None):
    """Send the call and kill the workspace `delay` seconds later."""
    api, pid = Api.of(space), workspace_pid(space)

    def call():
        try:
            api.call(method, path, body)
        except (OSError, http.client.HTTPException):
            pass  # it was killed before it answered

    caller = threading.Thread(target=call)
    caller.start()
    time.sleep(delay)
    os.kill(pid, signal.SIGKILL)
    caller.join()
    assert wait_until(lambda: ended(pid))
    space.run("start")
    return Api.of(space)


def consistent(space, api):
    """Rows, folders and servers tell the same story."""
    rows = api.ok("GET", ROOT).get("database_instances", [])
    folders = sorted(p.name for p in (space.state_dir / "instances").iterdir() if not p.name.startswith("."))
    assert folders == sorted(r["uid"] for r in rows)
    assert sorted(postmasters(space)) == sorted(r["uid"] for r in rows if r["state"] == "AVAILABLE")


def works(api, name):
    with psycopg.connect(host=api.get(name)["read_write_dns"], user="learner@example.com", dbname="databricks_postgres",
                         password=api.credential(name), sslmode="require") as conn:
        return conn.execute("SELECT count(*) FROM information_schema.tables WHERE table_name = 'kept'").fetchone()[0]


@pytest.mark.parametrize("delay", MOMENTS)
def test_during_create(space, delay):
    api = crash_during(space, delay, "POST", ROOT, {"name": "victim"})
    if api.call("GET", f"{ROOT}/victim")[0] == 404:
        api.create("victim")  # it was killed before the row was written: the name is free
    api.wait("victim", "AVAILABLE")
    works(api, "victim")
    consistent(space, api)
    api.delete("victim")
    consistent(space, api)


@pytest.fixture(scope="module")
def kept(space):
    api = Api.of(space)
    host = api.create("kept")["read_write_dns"]
    with psycopg.connect(host=host, user="learner@example.com", dbname="databricks_postgres",
                         password=api.credential("kept"), sslmode="require") as conn:
        conn.execute("CREATE TABLE kept (i int)")


def change(space, delay, mask, wanted, **fields):
    api = crash_during(space, delay, "PATCH", f"{ROOT}/kept?update_mask={mask}", {"name": "kept", **fields})
    deadline = time.monotonic() + 60
    while (doc := api.get("kept"))["state"] not in ("AVAILABLE", "STOPPED"):
        assert time.monotonic() < deadline
    if not wanted(doc):  # it was killed before the row was written
        api.update("kept", mask, **fields)
        while not wanted(doc := api.get("kept")) or doc["state"] not in ("AVAILABLE", "STOPPED"):
            assert time.monotonic() < deadline
    consistent(space, api)
    return api


@pytest.mark.parametrize("delay", MOMENTS)
def test_during_stop_and_start(space, kept, delay):
    change(space, delay, "stopped", lambda d: d["state"] == "STOPPED", stopped=True)
    api = change(space, delay, "stopped", lambda d: d["state"] == "AVAILABLE", stopped=False)
    assert works(api, "kept") == 1


@pytest.mark.parametrize("delay", MOMENTS)
def test_during_resize(space, kept, delay):
    capacity = "CU_1" if Api.of(space).get("kept")["capacity"] != "CU_1" else "CU_4"
    api = change(space, delay, "capacity", lambda d: d["effective_capacity"] == capacity, capacity=capacity)
    assert works(api, "kept") == 1


@pytest.mark.parametrize("delay", MOMENTS)
def test_during_delete(space, delay):
    Api.of(space).create("victim")
    api = crash_during(space, delay, "DELETE", f"{ROOT}/victim?purge=true")
    while (seen := api.call("GET", f"{ROOT}/victim"))[0] == 200 and seen[1]["state"] == "DELETING":
        pass  # each answer is held until something changes
    if seen[0] == 200:
        api.delete("victim")
    consistent(space, api)


def test_a_killed_postgresql_server_comes_back(space, kept):
    api = Api.of(space)
    uid = api.get("kept")["uid"]
    pid = int((space.state_dir / "instances" / uid / "data/postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: ended(pid))
    api.wait("kept", "AVAILABLE")
    assert works(api, "kept") == 1
    consistent(space, api)


def test_everything_killed_at_once(space, kept):
    for pid in processes_of(space.state_dir):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    assert wait_until(lambda: not processes_of(space.state_dir))
    space.run("start")
    api = Api.of(space)
    api.wait("kept", "AVAILABLE")
    assert works(api, "kept") == 1
    consistent(space, api)


def test_a_folder_without_an_instance_is_left_alone_and_named(space, kept):
    """No crash makes one: it is what a lost store leaves. A reset takes it (see the end of the fixture)."""
    folder = space.state_dir / "instances"
    stray, foreign = folder / "00000000-0000-4000-8000-000000000000", folder / "00000000-0000-4000-8000-000000000001"
    like = (folder / Api.of(space).get("kept")["uid"]).stat()
    os.kill(workspace_pid(space), signal.SIGKILL)
    for path in (stray, stray / "data", foreign):
        path.mkdir(mode=0o700)
    for path in (stray, stray / "data"):
        os.chown(path, like.st_uid, like.st_gid)
    space.run("start")
    ours = [stray.name] if os.geteuid() == 0 else [stray.name, foreign.name]  # as root, the other is not the server user's
    assert json.loads(space.run("status", "--json").stdout)["folders_without_instance"] == ours
    assert "".join(f"  {name}\n" for name in ours) in space.run("status").stdout
    log = (space.state_dir / "workspace.log").read_text()
    assert f"left alone (a reset removes them): {', '.join(ours)}\n" in log
    assert (stray / "data").exists() and foreign.exists()
    assert works(Api.of(space), "kept") == 1
    foreign.rmdir()
    space.run("reset", "--yes")
    assert list(space.state_dir.iterdir()) == []
