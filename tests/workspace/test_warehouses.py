"""The one SQL warehouse: its states are those of its process, which may be killed at any time."""
import os
import shutil
import signal

import pytest

from api import Api
from conftest import ROOT, processes_of, running_workspace, wait_until
from lake import Warehouse
from test_statements import LONG

WAREHOUSES = "/api/2.0/sql/warehouses"


@pytest.fixture
def api(own_workspace):
    return Api.of(own_workspace)


def workers(workspace):
    return [pid for pid, command in processes_of(workspace.state_dir).items() if " worker " in command]


def state(api):
    return api.ok("GET", WAREHOUSES)["warehouses"][0]["state"]


def test_list_get_start_stop(own_workspace, api):
    doc = api.ok("GET", f"{WAREHOUSES}?page_size=10")
    assert len(doc["warehouses"]) == 1 and "next_page_token" not in doc
    seen = doc["warehouses"][0]
    assert seen["name"] == "Serverless Starter Warehouse" and seen["enable_serverless_compute"] is True
    assert (seen["state"], seen["num_clusters"], workers(own_workspace)) == ("STOPPED", 0, [])
    one = f"{WAREHOUSES}/{seen['id']}"
    assert api.ok("POST", f"{one}/start") == {}
    assert api.ok("GET", one)["state"] == "RUNNING" and len(workers(own_workspace)) == 1
    assert api.ok("POST", f"{one}/start") == {} and len(workers(own_workspace)) == 1
    assert api.ok("POST", f"{one}/stop") == {}
    assert api.ok("GET", one)["state"] == "STOPPED" and workers(own_workspace) == []
    assert api.ok("POST", f"{one}/stop") == {}
    # As on the service, a statement starts it.
    assert Warehouse(api).rows("SELECT 1") == [["1"]]
    assert state(api) == "RUNNING"


def test_the_id_stays(own_workspace, api):
    before = api.ok("GET", WAREHOUSES)["warehouses"][0]["id"]
    own_workspace.run("stop")
    own_workspace.start()
    assert Api.of(own_workspace).ok("GET", WAREHOUSES)["warehouses"][0]["id"] == before


def test_others_are_not_made(api):
    assert api.refused("GET", f"{WAREHOUSES}/none") == (400, "INVALID_PARAMETER_VALUE", "none is not a valid endpoint id.")
    one = f"{WAREHOUSES}/{Warehouse(api).id}"
    for method, path in (("POST", WAREHOUSES), ("POST", f"{one}/edit"), ("DELETE", one)):
        assert api.refused(method, path, {"name": "x"})[:2] == (501, "NOT_IMPLEMENTED")


def test_stop_cancels_what_runs(api):
    sql = Warehouse(api)
    running = sql.start(LONG)["statement_id"]
    api.ok("POST", f"{WAREHOUSES}/{sql.id}/stop")
    assert sql.look(running)["status"]["state"] == "CANCELED"
    assert state(api) == "STOPPED"


def test_a_killed_worker(own_workspace, api):
    """kill -9: what ran fails and says why, the next statement has a new process, and what was committed is there."""
    sql = Warehouse(api)
    sql.rows("CREATE TABLE main.default.t (id INT)")
    sql.rows("INSERT INTO main.default.t VALUES (1)")
    running = sql.start(LONG)["statement_id"]
    assert wait_until(lambda: sql.look(running)["status"]["state"] == "RUNNING")
    before = workers(own_workspace)
    os.kill(before[0], signal.SIGKILL)
    status = sql.end(running)["status"]
    assert status["state"] == "FAILED" and status["error"]["error_code"] == "TEMPORARILY_UNAVAILABLE"
    assert "signal 9" in status["error"]["message"]
    assert sql.rows("SELECT * FROM main.default.t") == [["1"]]
    assert workers(own_workspace) != before and len(workers(own_workspace)) == 1


def test_the_worker_dies_with_the_server(own_workspace, api):
    Warehouse(api).start(LONG)
    assert wait_until(lambda: workers(own_workspace))
    server = [pid for pid, command in processes_of(own_workspace.state_dir).items() if " run " in command]
    os.kill(server[0], signal.SIGKILL)
    assert wait_until(lambda: not workers(own_workspace))
    own_workspace.start()
    assert Warehouse(Api.of(own_workspace)).rows("SELECT 1") == [["1"]]


def test_the_worker_is_nobody_special(own_workspace, api):
    """As root it runs as the servers' user; it has no secret of the server's environment, and the socket is closed to others."""
    api.ok("POST", f"{WAREHOUSES}/{Warehouse(api).id}/start")
    pid = workers(own_workspace)[0]
    uid = os.stat(f"/proc/{pid}").st_uid
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status") if ":\t" in line)
    if os.geteuid() == 0:
        assert status["Uid"].split()[0] != "0"
        environ = open(f"/proc/{pid}/environ", "rb").read()
        assert b"TOKEN" not in environ and b"SECRET" not in environ
    assert oct(os.stat(own_workspace.state_dir / "lakehouse").st_mode)[-3:] == "700"
    assert oct(os.stat(own_workspace.state_dir / "private").st_mode)[-3:] == "700"
    assert uid is not None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's worker runs as another user")
def test_the_engine_may_lie_where_the_worker_cannot_go(monkeypatch, tmp_path):
    """A clone in /root: its environment is closed to the server user, and so is what LAKEBASE_DUCKDB names."""
    engine = next(ROOT.glob(".venv/lib/python3*/site-packages/_duckdb.cpython-*.so"))
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    shutil.copy(engine, closed)
    monkeypatch.setenv("LAKEBASE_DUCKDB", str(closed / engine.name))
    with running_workspace() as started:
        assert Warehouse(Api.of(started)).rows("SELECT 1 AS n") == [["1"]]


def test_an_engine_that_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("LAKEBASE_DUCKDB", str(tmp_path / "nothing.so"))
    with running_workspace() as started:
        status = Warehouse(Api.of(started)).run("SELECT 1")["status"]
    assert status["state"] == "FAILED" and "nothing.so" in status["error"]["message"]


def test_what_is_left_of_tables_is_swept(own_workspace, api):
    """A crash after a folder was made or a table dropped leaves it; the next start removes it, and only it."""
    sql = Warehouse(api)
    sql.rows("CREATE TABLE main.default.kept (id INT)")
    tables = own_workspace.state_dir / "lakehouse/tables"
    kept = os.listdir(tables)
    assert len(kept) == 1
    orphan = tables / "11111111-2222-3333-4444-555555555555"
    (orphan / "_delta_log").mkdir(parents=True)
    dropped = tables / "21111111-2222-3333-4444-555555555555.dropped"
    shutil.copytree(tables / kept[0], dropped)
    if os.geteuid() == 0:
        for path in (orphan, dropped, *orphan.rglob("*"), *dropped.rglob("*")):
            os.chown(path, os.stat(tables).st_uid, os.stat(tables).st_gid)
    own_workspace.run("stop")
    own_workspace.start()
    assert os.listdir(tables) == kept
    sql = Warehouse(Api.of(own_workspace))
    sql.rows("DROP TABLE main.default.kept")
    assert os.listdir(tables) == []


def test_a_table_that_the_store_does_not_know_is_kept(own_workspace, api):
    """As after an older store was put back: its rows may be the only ones."""
    Warehouse(api).rows("CREATE TABLE main.default.kept (id INT)")
    tables = own_workspace.state_dir / "lakehouse/tables"
    stray = tables / "11111111-2222-3333-4444-555555555555"
    shutil.copytree(tables / os.listdir(tables)[0], stray)
    if os.geteuid() == 0:
        for path in (stray, *stray.rglob("*")):
            os.chown(path, os.stat(tables).st_uid, os.stat(tables).st_gid)
    own_workspace.run("stop")
    own_workspace.start()
    assert stray.exists() and len(os.listdir(tables)) == 2
    assert f"{stray}; it is kept" in (own_workspace.state_dir / "workspace.log").read_text()


def test_a_lost_store_does_not_cost_the_tables(own_workspace, api):
    """Without its store the workspace knows no table: it does not start, so that it sweeps none."""
    Warehouse(api).rows("CREATE TABLE main.default.kept (id INT)")
    private, tables = own_workspace.state_dir / "private", own_workspace.state_dir / "lakehouse/tables"
    kept = os.listdir(tables)
    own_workspace.run("stop")
    (private / "workspace.db").rename(private / "lost.db")
    assert own_workspace.run("start", check=False).returncode == 1
    assert os.listdir(tables) == kept
    (private / "lost.db").rename(private / "workspace.db")
    own_workspace.start()
    assert Warehouse(Api.of(own_workspace)).rows("SELECT count(*) FROM main.default.kept") == [["0"]]


def test_a_create_that_fails_leaves_no_folder(own_workspace, api):
    sql = Warehouse(api)
    sql.refused("CREATE TABLE main.default.bad AS SELECT * FROM main.default.none")
    sql.refused("CREATE TABLE main.default.bad AS SELECT CAST('x' AS INT) AS n")
    assert os.listdir(own_workspace.state_dir / "lakehouse/tables") == []
    assert api.refused("GET", "/api/2.1/unity-catalog/tables/main.default.bad")[0] == 404
