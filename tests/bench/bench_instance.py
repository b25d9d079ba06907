"""How long a new instance takes until it answers, against initdb + start of the same PostgreSQL in the same run; and a
token login against a password login to the same server. Medians of ROUNDS."""
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "workspace")]
from api import Api  # noqa: E402
from conftest import Workspace, end_leftovers, short_dir, wait_until  # noqa: E402

ROUNDS = 7
LOGINS = 40


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
        logins(ours)
    finally:
        with contextlib.suppress(Exception):
            space.run("reset", "--yes")
        end_leftovers(state)
        shutil.rmtree(state, ignore_errors=True)
        shutil.rmtree(other, ignore_errors=True)


main()
