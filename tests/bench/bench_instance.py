"""The workspace's calls, each against the nearest floor in the same run: a new instance until it answers, and an ephemeral workspace until
its first query, against initdb + start of the same PostgreSQL; stop and start of an instance against pg_ctl; a token login against a
password login to the same server; API calls against a plain HTTP round trip with an SQLite commit; 500 clients. Medians of ROUNDS."""
import contextlib
import http.client
import http.server
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psycopg

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "workspace")]
from api import Api  # noqa: E402
from storm import check, prepare, storm  # noqa: E402
from conftest import WORKSPACE, Workspace, end_leftovers, short_dir, wait_until  # noqa: E402

ROUNDS = 7
LOGINS = 40
CALLS = 200


def ms_of(work):
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def median_of(work, rounds):
    return statistics.median(ms_of(work) for _ in range(rounds))


def line(name, ours, peer, theirs):
    print(f"{name} {ours:.1f} ms {peer} {theirs:.1f} ms ratio {ours / theirs:.2f}", flush=True)


def bindir():
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))


class Peer:
    """What anybody would do without us: initdb, then pg_ctl start -w, as an ordinary user."""

    def __init__(self, folder):
        self.folder, self.n = folder, 0
        self.user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}

    def run(self, *args):
        subprocess.run(args, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, cwd="/", **self.user)

    def once(self):
        self.n += 1
        data = self.folder / f"data{self.n}"
        try:
            return ms_of(lambda: (
                self.run(bindir() / "initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"),
                self.run(bindir() / "pg_ctl", "-D", data, "-w", "-l", self.folder / "log", "-o",
                         f"-c listen_addresses='' -k {self.folder}", "start"),
                psycopg.connect(f"host={self.folder} user=postgres dbname=postgres").close()))
        finally:
            self.run(bindir() / "pg_ctl", "-D", data, "-m", "immediate", "stop")
            shutil.rmtree(data)


    def stop_and_start(self):
        """(ms of a fast stop, ms of a start until it takes connections) of a cluster that stays."""
        data = self.folder / "kept"
        begin = (bindir() / "pg_ctl", "-D", data, "-w", "-l", self.folder / "log", "-o", f"-c listen_addresses='' -k {self.folder}", "start")
        end = (bindir() / "pg_ctl", "-D", data, "-w", "-m", "fast", "stop")
        if not data.exists():
            self.run(bindir() / "initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
            self.run(*begin)
        return ms_of(lambda: self.run(*end)), ms_of(lambda: self.run(*begin))

    def close(self):
        if (self.folder / "kept").exists():
            self.run(bindir() / "pg_ctl", "-D", self.folder / "kept", "-m", "immediate", "stop")


class Floor:
    """The least that an API call with a lasting effect costs: an HTTP round trip and one commit in SQLite (as durable as ours)."""

    def __init__(self, folder):
        db = sqlite3.connect(folder / "floor.db", check_same_thread=False, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE t (i INTEGER PRIMARY KEY, body TEXT)")

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                db.execute("INSERT INTO t (body) VALUES (?)", (body.decode(),))
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def once(self):
        conn = http.client.HTTPConnection("127.0.0.1", self.server.server_port)
        conn.request("POST", "/", json.dumps({"a": 1}))
        conn.getresponse().read()
        conn.close()


class Ours:
    def __init__(self, space):
        self.space, self.api, self.n = space, Api.of(space), 0

    def login(self, name, address, token):
        """As far as SELECT: through TLS and the token check, to an answer."""
        with psycopg.connect(host=address, user="learner@example.com", password=token, dbname="databricks_postgres",
                             sslmode="require") as conn:
            conn.execute("SELECT 1")

    def once(self, wait_for_copy=True):
        self.n += 1
        name = f"bench-{self.n}"
        if wait_for_copy:
            wait_until(lambda: list((self.space.state_dir / "template").glob("*.warm")))
        start = time.perf_counter()
        doc = self.api.create(name)
        self.login(name, doc["read_write_dns"], self.api.credential(name))
        took = (time.perf_counter() - start) * 1000
        self.api.delete(name)
        return took


def logins(ours):
    """A token login and a password login (SCRAM) to one server."""
    doc = ours.api.create("logins")
    host, token = doc["read_write_dns"], ours.api.credential("logins")
    socket = ours.space.state_dir / "instances" / doc["uid"]
    with psycopg.connect(f"host={socket} user=cloud_admin dbname=postgres", autocommit=True) as admin:
        admin.execute("CREATE ROLE app LOGIN PASSWORD 'app-secret' IN ROLE databricks_native")
    with_token = median_of(lambda: ours.login("logins", host, token), LOGINS)
    with_password = median_of(lambda: psycopg.connect(host=host, user="app", password="app-secret", sslmode="require",
                                                      dbname="databricks_postgres").close(), LOGINS)
    line("login_token", with_token, "login_password", with_password)


def stop_and_start(ours, peer):
    """Until the state says so; the peer's until pg_ctl returns."""
    ours.api.create("restarts")

    def switched(stopped):
        return ms_of(lambda: (ours.api.update("restarts", "stopped", stopped=stopped), ours.api.wait("restarts", "STOPPED" if stopped else "AVAILABLE")))

    mine, theirs = zip(*[((switched(True), switched(False)), peer.stop_and_start()) for _ in range(ROUNDS)])
    for k, name in enumerate(("stop", "start")):
        line(f"instance_{name}", statistics.median(m[k] for m in mine), f"pg_ctl_{name}", statistics.median(t[k] for t in theirs))
    ours.api.delete("restarts")


def calls(ours, floor):
    ours.api.create("calls")
    for i in range(8):
        ours.api.create(f"rest-{i}", wait=None, stopped=True)
    least = median_of(floor.once, CALLS)
    line("call_credential", median_of(lambda: ours.api.credential("calls"), CALLS), "http_sqlite_commit", least)
    days = iter(range(10**6))
    line("call_update", median_of(lambda: ours.api.update("calls", "retention_window_in_days", retention_window_in_days=2 + next(days) % 30), CALLS),
         "http_sqlite_commit", least)
    line("call_list_10", median_of(lambda: ours.api.ok("GET", "/api/2.0/database/instances"), CALLS), "http_sqlite_commit", least)
    ours.api.delete("calls")
    for i in range(8):
        ours.api.delete(f"rest-{i}")


def ephemeral(theirs):
    def once():
        process = subprocess.Popen([WORKSPACE, "run", "--ephemeral", "--json"], stdout=subprocess.PIPE)
        try:
            env = json.loads(process.stdout.readline())
            api = Api(env["DATABRICKS_HOST"], env["DATABRICKS_TOKEN"])
            ready.append((time.perf_counter() - start) * 1000)
            doc = api.create("first")
            Ours.login(None, "first", doc["read_write_dns"], api.credential("first"))
            return (time.perf_counter() - start) * 1000
        finally:
            process.terminate()
            process.wait()

    ready, took = [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        took.append(once())
    line("ephemeral_ready", statistics.median(ready), "initdb_start", theirs)
    line("ephemeral_first_query", statistics.median(took), "initdb_start", theirs)


def many_clients(ours, floor):
    prepare(ours.api)
    least = median_of(floor.once, CALLS)
    threads = storm(ours.api, 500, 20)
    check(ours.api, threads)
    took = sorted(t for thread in threads for t in thread.took)
    line("call_p99_500_clients", took[len(took) * 99 // 100] * 1000, "http_sqlite_commit_alone", least)


def main():
    state, other = short_dir("lbb-"), Path(tempfile.mkdtemp(prefix="lbp-", dir="/tmp"))
    if os.geteuid() == 0:
        shutil.chown(other, "postgres", "postgres")
    space, peer = Workspace(state), Peer(other)
    try:
        ours = Ours(space.start())
        first = ours.once(wait_for_copy=False)
        theirs = statistics.median(peer.once() for _ in range(ROUNDS))
        line("instance_create", statistics.median(ours.once() for _ in range(ROUNDS)), "initdb_start", theirs)
        line("instance_create_at_once", statistics.median(ours.once(False) for _ in range(ROUNDS)), "initdb_start", theirs)
        line("instance_create_first_ever", first, "initdb_start", theirs)
        stop_and_start(ours, peer)
        logins(ours)
        ours.api.delete("logins")
        floor = Floor(other)
        calls(ours, floor)
        ephemeral(theirs)
        many_clients(ours, floor)
    finally:
        peer.close()
        with contextlib.suppress(Exception):
            space.run("reset", "--yes")
        end_leftovers(state)
        shutil.rmtree(state, ignore_errors=True)
        shutil.rmtree(other, ignore_errors=True)


main()
