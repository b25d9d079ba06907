"""The program lakebase-workspace: start, stop, status, env, reset, run; races; wrong usage."""
import json
import os
import shlex
import signal
import socket
import stat
import subprocess
import threading
from pathlib import Path

import psycopg
import pytest

from api import Api
from conftest import WORKSPACE, Workspace, files_below, processes_of, wait_until


@pytest.fixture
def space(state_dir):
    space = Workspace(state_dir)
    yield space
    space.run("reset", "--yes", check=False)


def servers(space):
    """pids of the workspace's own processes (not of PostgreSQL)."""
    return [pid for pid, command in processes_of(space.state_dir).items() if "lakebase-workspace" in command]


def card(space):
    return json.loads((space.state_dir / "workspace.json").read_text())


def test_start_is_idempotent(space):
    first = space.run("start").stdout
    assert first.startswith("started http://127.0.0.1:")
    assert space.run("start").stdout == first.replace("started", "running")
    assert len(servers(space)) == 1
    assert space.run("stop").stdout == "stopped\n"
    assert servers(space) == []
    assert space.run("stop").stdout == "not running\n"


def test_starts_at_once_end_with_one_server(space):
    outcomes = []

    def start():
        outcomes.append(space.run("start").stdout.split()[1])

    threads = [threading.Thread(target=start) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(set(outcomes)) == 1 and len(outcomes) == 6
    assert len(servers(space)) == 1


def test_the_port_is_remembered(space):
    space.run("start")
    url = card(space)["url"]
    space.run("stop")
    space.run("start")
    assert card(space)["url"] == url
    space.run("stop")
    with socket.create_server(("127.0.0.1", int(url.rpartition(":")[2]))):
        space.run("start")
        moved = card(space)["url"]
        assert moved != url
        assert space.env["DATABRICKS_HOST"] == moved
        api = Api.of(space)
        assert api.ok("GET", "/api/2.0/preview/scim/v2/Me")["userName"] == "learner@example.com"


def test_a_port_asked_for(space):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = space.run("start", "--port", str(port), check=False)
        assert done.returncode == 1
        assert f"cannot listen on 127.0.0.1:{port}" in done.stderr and done.stderr.count("\n") == 1
    space.run("start", "--port", str(port))
    assert card(space)["url"].endswith(f":{port}")
    assert space.run("start", "--port", str(port)).stdout.startswith("running")
    done = space.run("start", "--port", str(port % 60000 + 1), check=False)
    assert done.returncode == 1 and f"not on port {port % 60000 + 1}" in done.stderr and done.stdout == ""
    assert f"runs on {card(space)['url']} (pid {card(space)['pid']})" in done.stderr


def test_env(space):
    env = space.env  # starts it
    assert env["DATABRICKS_HOST"] == card(space)["url"]
    assert env["DATABRICKS_TOKEN"].startswith("dapi") and len(env["DATABRICKS_TOKEN"]) == 36
    assert Path(env["PGSSLROOTCERT"]).read_text().startswith("-----BEGIN CERTIFICATE")
    assert env["NODE_EXTRA_CA_CERTS"] == env["PGSSLROOTCERT"]
    lines = space.run("env", "--app").stdout
    assert "unset DATABRICKS_TOKEN" in lines and env["DATABRICKS_TOKEN"] not in lines
    as_json = json.loads(space.run("env", "--json").stdout)
    assert as_json == env
    # the same after a restart: clients keep working
    space.run("stop")
    assert space.env == env


def test_shell_words_are_quoted(tmp_path, state_dir):
    odd = state_dir / "it's $HOME `x` [x]*"
    odd.mkdir(mode=0o711)
    space = Workspace(odd)
    try:
        script = 'eval "$(lakebase-workspace env)"; printf %s "$PGSSLROOTCERT"'
        done = subprocess.run(["sh", "-c", script], env=space.environ, text=True, capture_output=True)
        assert done.stdout == f"{odd}/ca.crt", done.stderr
    finally:
        space.run("reset", "--yes")


def test_secrets_are_private_and_only_where_they_must_be(space):
    space.run("start")
    Api.of(space).create("demo")
    env, app = space.env, json.loads(space.run("env", "--app", "--json").stdout)
    secrets = [env["DATABRICKS_TOKEN"], app["DATABRICKS_CLIENT_SECRET"], Api.of(space).credential("demo")]
    holders = {path.name for path, content in files_below(space.state_dir) if any(s.encode() in content for s in secrets)}
    assert holders == {"databrickscfg"}
    for name in ("databrickscfg", "workspace.log", "workspace.json"):
        assert stat.S_IMODE((space.state_dir / name).stat().st_mode) == 0o600, name
    private = space.state_dir / "private"
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(p.stat().st_mode) & 0o077 == 0 for p in private.iterdir())
    commands = " ".join(processes_of(space.state_dir).values())
    assert not any(s in commands for s in secrets)


def test_a_lost_config_file_gives_new_secrets_and_ends_the_old(space):
    before = space.env
    old_app = json.loads(space.run("env", "--app", "--json").stdout)
    space.run("stop")
    (space.state_dir / "databrickscfg").unlink()
    after = space.env
    assert before["DATABRICKS_TOKEN"] != after["DATABRICKS_TOKEN"]
    assert Api(after["DATABRICKS_HOST"], before["DATABRICKS_TOKEN"]).refused("GET", "/api/2.0/preview/scim/v2/Me")[0] == 401
    app = json.loads(space.run("env", "--app", "--json").stdout)
    assert app["DATABRICKS_CLIENT_ID"] == old_app["DATABRICKS_CLIENT_ID"]  # roles are named after it
    assert app["DATABRICKS_CLIENT_SECRET"] != old_app["DATABRICKS_CLIENT_SECRET"]


def test_status(space):
    done = space.run("status", check=False)
    assert done.returncode == 3 and "not running" in done.stdout
    space.run("start")
    Api.of(space).create("demo", capacity="CU_4")
    text = space.run("status").stdout
    assert card(space)["url"] in text and "demo" in text and "64 GiB" in text
    assert "differs from the service" in text
    doc = json.loads(space.run("status", "--json").stdout)
    demo, = doc["instances"]
    assert doc["running"] and doc["pid"] == card(space)["pid"]
    assert (demo["state"], demo["port"], demo["service_ram"]) == ("AVAILABLE", 5432, 64 << 30)
    assert Path(f"/proc/{demo['pid']}/cwd").readlink().is_relative_to(space.state_dir)
    api = Api.of(space)
    api.create("rests")
    api.update("rests", "stopped", stopped=True)
    api.wait("rests", "STOPPED")
    space.run("stop")
    demo, rests = json.loads(space.run("status", "--json", check=False).stdout)["instances"]
    assert (demo["state"], demo["pid"], rests["state"]) == ("DOWN", 0, "STOPPED")
    text = space.run("status", check=False).stdout
    assert "AVAILABLE" not in text and "starts with the workspace" in text


def test_status_of_servers_that_go_on_alone(space):
    space.run("start")
    Api.of(space).create("demo")
    space.run("stop", "--keep-servers")
    demo, = json.loads(space.run("status", "--json", check=False).stdout)["instances"]
    assert demo["state"] == "AVAILABLE" and demo["pid"]
    assert "no token can log in" in space.run("status", check=False).stdout


def test_a_clean_start_is_no_warning_and_a_killed_server_is(space):
    space.run("start")
    Api.of(space).create("demo")
    log = space.state_dir / "workspace.log"
    space.run("stop")
    space.run("start")
    Api.of(space).wait("demo", "AVAILABLE")
    assert log.read_text() == ""
    pid, = pg_pids(space)
    space.run("stop", "--keep-servers")
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not pg_pids(space))
    space.run("start")
    Api.of(space).wait("demo", "AVAILABLE")
    assert "demo: the PostgreSQL server is gone; starting it again" in log.read_text()


def pg_pids(space):
    return [i["pid"] for i in json.loads(space.run("status", "--json", check=False).stdout)["instances"] if i["pid"]]


def test_stop_takes_the_servers_along_and_start_brings_them_back(space):
    space.run("start")
    Api.of(space).create("demo")
    assert len(pg_pids(space)) == 1
    space.run("stop")
    assert processes_of(space.state_dir) == {}
    space.run("start")
    api = Api.of(space)
    assert api.wait("demo", "AVAILABLE")
    assert len(pg_pids(space)) == 1


def test_stop_can_keep_the_servers(space):
    space.run("start")
    Api.of(space).create("demo")
    before = pg_pids(space)
    space.run("stop", "--keep-servers")
    assert servers(space) == [] and pg_pids(space) == before
    space.run("start")
    assert Api.of(space).get("demo")["state"] == "AVAILABLE" and pg_pids(space) == before  # adopted
    space.run("stop", "--keep-servers")
    space.run("stop")  # nothing runs but the servers
    assert processes_of(space.state_dir) == {}


def test_reset(space):
    space.run("start")
    Api.of(space).create("demo")
    (space.state_dir / "mine.txt").write_text("not the workspace's")
    (space.state_dir / "history.sqlite").write_text("the kernel's")
    (space.state_dir / "lakehouse/any/_delta_log").mkdir(parents=True)
    done = space.run("reset", check=False)
    assert done.returncode == 2 and "--yes" in done.stderr
    assert Api.of(space).get("demo")
    done = space.run("reset", "--yes")
    assert done.stdout.endswith("still there: history.sqlite, mine.txt\n") and "nothing is left" not in done.stdout
    assert processes_of(space.state_dir) == {}
    assert sorted(p.name for p in space.state_dir.iterdir()) == ["history.sqlite", "mine.txt"]
    space.run("status", check=False)
    for name in ("history.sqlite", "mine.txt"):
        (space.state_dir / name).unlink()
    assert space.run("reset", "--yes").stdout == f"reset: nothing is left in {space.state_dir}\n"
    assert list(space.state_dir.iterdir()) == []
    space.run("start")
    assert Api.of(space).ok("GET", "/api/2.0/database/instances") == {}


def test_folders_of_others_among_the_instances(space):
    """Left alone, and named: at the start in the log, at a reset in its answer."""
    space.run("start")
    Api.of(space).create("demo")
    space.run("stop")
    for name in ["Not Ours", "foreign"]:
        (space.state_dir / "instances" / name).mkdir()
        (space.state_dir / "instances" / name / "x").touch()
    if os.geteuid() != 0:  # a name of ours that is not root's is a leftover of a crash
        (space.state_dir / "instances/foreign/x").unlink()
        (space.state_dir / "instances/foreign").rmdir()
        (space.state_dir / "instances/foreign").touch()
    space.run("start")
    log = (space.state_dir / "workspace.log").read_text()
    assert "left alone: " in log and "Not Ours" in log and "foreign" in log and log.count("\n") == 1
    assert Api.of(space).wait("demo", "AVAILABLE")
    done = space.run("reset", "--yes")
    assert done.stdout.endswith("still there: instances/Not Ours, instances/foreign\n")
    assert [p.name for p in space.state_dir.iterdir()] == ["instances"]


def test_starts_and_resets_at_once_end_with_one_or_no_workspace(space):
    """A reset removes the lock's file: nobody may hold a lock on a file that has no name any more."""
    def turn(*args):
        for _ in range(4):
            space.run(*args, check=False)

    threads = [threading.Thread(target=turn, args=args) for args in (["start"], ["reset", "--yes"], ["start"])]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    space.run("start")
    assert len(servers(space)) == 1


def test_run_in_the_foreground(space):
    for sig, left in ((signal.SIGINT, 0), (signal.SIGTERM, 0), (signal.SIGUSR1, 1)):
        process = subprocess.Popen([WORKSPACE, "run"], env=space.environ, stdout=subprocess.PIPE, text=True)
        assert "serves on http://127.0.0.1:" in process.stdout.readline()
        done = space.run("run", check=False)
        assert done.returncode == 1 and "runs in" in done.stderr
        api = Api.of(space)
        if api.call("GET", "/api/2.0/database/instances/demo")[0] == 404:
            api.create("demo")
        api.wait("demo", "AVAILABLE")
        process.send_signal(sig)
        assert process.wait(60) == 0
        process.stdout.close()
        assert len(pg_pids(space)) == left


def test_kill_9_and_start_again(space):
    space.run("start")
    api = Api.of(space)
    api.create("demo")
    before, servers_before = card(space), pg_pids(space)
    with psycopg.connect(host=api.get("demo")["read_write_dns"], user="learner@example.com", sslmode="require",
                         dbname="databricks_postgres", password=api.credential("demo")) as session:
        os.kill(before["pid"], signal.SIGKILL)
        assert wait_until(lambda: not servers(space))
        assert session.execute("SELECT 1").fetchone() == (1,)  # an open session does not notice
        done = space.run("status", check=False)
        assert done.returncode == 3
        space.run("start")
        assert card(space)["pid"] != before["pid"] and card(space)["url"] == before["url"]
        assert api.get("demo")["state"] == "AVAILABLE"
        assert pg_pids(space) == servers_before
        assert session.execute("SELECT 2").fetchone() == (2,)


@pytest.mark.parametrize("args, part", [
    ([], "a command is needed"), (["fly"], "no command 'fly'"), (["start", "--jsn"], "'--jsn'"),
    (["start", "--json"], "'--json'"), (["status", "extra"], "'extra'"), (["start", "--port", "x"], "--port takes a number"),
    (["start", "--port", "65536"], "--port"), (["start", "--port"], "--port"), (["worker"], "by itself"),
    (["env", "--app=1"], "--app"),
])
def test_wrong_usage(space, args, part):
    done = space.run(*args, check=False)
    assert done.returncode == 2
    assert part in done.stderr and done.stderr.count("\n") == 1 and done.stdout == ""
    assert servers(space) == []


def test_help_and_version(space):
    assert "usage: lakebase-workspace COMMAND" in space.run("help").stdout
    assert space.run("--help").stdout == space.run("help").stdout
    assert space.run("--version").stdout.startswith("lakebase-workspace ")


@pytest.mark.parametrize("command, options", [
    ("start", ["--port N"]), ("stop", ["--keep-servers", "--all"]), ("status", ["--json"]), ("env", ["--app", "--json"]),
    ("reset", ["--yes"]), ("run", ["--port N", "--json", "--ephemeral", "--with-parent"]), ("help", []),
])
def test_help_of_a_command(space, command, options):
    done = space.run(command, "--help")
    assert done.stdout.startswith(f"usage: lakebase-workspace {command}") and done.stderr == ""
    told = [line.split("  ")[1].strip() for line in done.stdout.splitlines() if line.startswith("  --")]
    assert sorted(told) == sorted(options)
    assert space.run(command, "-h").stdout == done.stdout
    assert list(space.state_dir.iterdir()) == []  # nothing was started or made


def test_state_folders_that_cannot_be(space, state_dir):
    def fails(path, part):
        done = Workspace(path).run("start", check=False)
        assert done.returncode == 1 and part in done.stderr and done.stderr.count("\n") == 1, done.stderr

    (state_dir / "file").write_text("")
    fails(state_dir / "file", "folder")
    fails(state_dir / "file/below", "cannot make the folder")
    (state_dir / "open").mkdir()
    (state_dir / "open").chmod(0o777)
    fails(state_dir / "open", "nobody else may write")


def test_a_store_that_is_none(space):
    space.run("start")
    space.run("stop")
    path = space.state_dir / "private/workspace.db"
    kept = path.read_bytes()
    path.write_bytes(b"this is not a database" * 100)
    done = space.run("start", check=False)
    assert done.returncode == 1 and "store" in done.stderr and done.stderr.count("\n") == 1
    assert servers(space) == []
    path.write_bytes(kept)
    space.run("start")


def test_a_lost_store_costs_no_instance(space):
    space.run("start")
    api = Api.of(space)
    host = api.create("demo")["read_write_dns"]
    login = {"host": host, "user": "learner@example.com", "sslmode": "require", "dbname": "databricks_postgres"}
    with psycopg.connect(**login, password=api.credential("demo")) as session:
        session.execute("CREATE TABLE kept AS SELECT 42 AS n")
    space.run("stop")
    store, away = space.state_dir / "private/workspace.db", space.state_dir / "away.db"
    store.rename(away)
    uid, = [p.name for p in (space.state_dir / "instances").iterdir()]
    for _ in range(2):  # the new store that the first try made changes nothing
        done = space.run("start", check=False)
        assert done.returncode == 1 and "workspace.db' is new" in done.stderr and "put the old" in done.stderr, done.stderr
        assert done.stderr.count("\n") == 1 and servers(space) == []
    assert json.loads(space.run("status", "--json", check=False).stdout)["folders_without_instance"] == [uid]
    space.run("stop")
    away.rename(store)
    space.run("start")
    api = Api.of(space)
    api.wait("demo", "AVAILABLE")
    with psycopg.connect(**login, password=api.credential("demo")) as session:
        assert session.execute("SELECT n FROM kept").fetchone() == (42,)
    space.run("stop")
    store.unlink()
    space.run("reset", "--yes")
    assert list(space.state_dir.iterdir()) == []
    space.run("start")


@pytest.mark.parametrize("command", [["start"], ["stop"], ["reset", "--yes"], ["status"]])
def test_a_workspace_that_has_no_pid_here(space, command):
    """Two containers on one volume: the lock is held, and by nobody that could be ended from here."""
    apart = ["unshare", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("no pid namespaces here")
    space.run("start")
    done = subprocess.run([*apart, WORKSPACE, *command], env=space.environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "another container" in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert Api.of(space).ok("GET", "/api/2.0/database/instances") == {}


def test_the_environment_does_not_redirect_its_own_logins(space):
    space.environ |= {"PGHOSTADDR": "127.0.0.1", "PGSERVICE": "elsewhere", "PGREQUIREPEER": "nobody"}
    space.run("start")
    assert Api.of(space).create("demo")["state"] == "AVAILABLE"


def test_the_log_is_cut_while_it_runs(space):
    space.run("start")
    log = space.state_dir / "workspace.log"
    os.truncate(log, 9 << 20)  # as if it had written that
    assert wait_until(lambda: log.stat().st_size == 0)
    assert (space.state_dir / "workspace.log.1").stat().st_size == 9 << 20
    space.run("reset", "--yes")
    assert list(space.state_dir.iterdir()) == []


@pytest.mark.parametrize("command", [["env"], ["status"], ["help"], ["env", "--json"]])
def test_output_that_cannot_be_written(space, command):
    space.run("start")
    with open("/dev/full", "w") as full:
        done = subprocess.run([WORKSPACE, *command], env=space.environ, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "output cannot be written" in done.stderr and done.stderr.count("\n") == 1


def test_it_does_not_keep_the_callers_pipes(space):
    """A caller that reads the output of `start` to its end is not held by the server."""
    done = subprocess.run([WORKSPACE, "start"], env=space.environ, capture_output=True, timeout=60)
    assert done.stdout.startswith(b"started")
    server = Path(f"/proc/{card(space)['pid']}")
    assert shlex.split((server / "cmdline").read_bytes().replace(b"\0", b" ").decode())[:2] == ["lakebase-workspace", "run"]
