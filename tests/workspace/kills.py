"""kill -9 of the workspace or of a PostgreSQL server at a random moment of create, stop, start, resize and delete.

After every kill the next call must find a consistent state: each instance reaches the state it was asked for, its
data are there, every server process belongs to an instance, and every instance folder too.
"""
import os
import random
import signal
import threading
import time
from pathlib import Path

import psycopg

from api import Api
from conftest import processes_of, wait_until

OWNER = "learner@example.com"


def workspace_pids(space):
    return [pid for pid, command in processes_of(space.state_dir).items() if "lakebase-workspace" in command]


def postmasters(space):
    """{uid: pid} of the PostgreSQL servers of the state folder, from their data folders."""
    found = {}
    for pid, command in processes_of(space.state_dir).items():
        if command.startswith("postgres:"):
            continue  # a process of the server's own
        try:
            parts = Path(os.readlink(f"/proc/{pid}/cwd")).parts
        except OSError:
            continue
        if "instances" in parts and parts[-1] == "data":
            found[parts[-2]] = pid
    return found


class Victim:
    """A workspace, what was asked of each instance, and what must therefore hold."""

    def __init__(self, space, seed):
        self.space, self.random = space, random.Random(seed)
        space.run("start")
        self.api = Api.of(space)
        self.rows = {}  # name: rows written so far
        self.stopped = {}  # name: as asked last
        self.kills = 0

    def connect(self, name):
        return psycopg.connect(host=self.api.get(name)["read_write_dns"], user=OWNER, dbname="databricks_postgres",
                               sslmode="require", password=self.api.credential(name))

    def ask(self, action, name):
        """One request; its answer may be lost with the workspace."""
        path = f"/api/2.0/database/instances/{name}"
        calls = {
            "create": ("POST", "/api/2.0/database/instances", {"name": name, "capacity": "CU_1"}),
            "stop": ("PATCH", f"{path}?update_mask=stopped", {"name": name, "stopped": True}),
            "start": ("PATCH", f"{path}?update_mask=stopped", {"name": name, "stopped": False}),
            "resize": ("PATCH", f"{path}?update_mask=capacity",
                       {"name": name, "capacity": self.random.choice(["CU_1", "CU_2", "CU_4"])}),
            "delete": ("DELETE", f"{path}?purge=true", None),
        }
        try:
            return self.api.call(*calls[action])[0]
        except OSError:
            return None  # the connection ended with the workspace
        except Exception as error:  # http.client raises its own family for a cut answer
            if type(error).__module__ != "http.client":
                raise
            return None

    def choose(self):
        names = sorted(self.rows)
        if not names or (len(names) < 3 and self.random.random() < 0.4):
            return "create", next(f"i{n}" for n in range(10) if f"i{n}" not in self.rows)
        name = self.random.choice(names)
        return self.random.choice(["start" if self.stopped[name] else "stop", "resize", "delete"]), name

    def kill_workspace(self):
        for pid in workspace_pids(self.space):
            os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: not workspace_pids(self.space))
        self.kills += 1

    def kill_a_server(self):
        servers = sorted(postmasters(self.space).items())
        if servers:
            os.kill(self.random.choice(servers)[1], signal.SIGKILL)
            self.kills += 1

    def strike(self):
        """One request and one kill at once."""
        action, name = self.choose()
        answer = []
        caller = threading.Thread(target=lambda: answer.append(self.ask(action, name)))
        caller.start()
        time.sleep(self.random.uniform(0, 0.15))  # the moment of the kill is what this test varies
        (self.kill_a_server if self.random.random() < 0.25 else self.kill_workspace)()
        caller.join()
        self.space.run("start")
        self.settle(action, name, answer[0])

    def settle(self, action, name, status):
        doc = self.final_state(name)
        if action == "create":
            assert doc or status != 200, f"{name} was created, and is gone"
            if doc:
                self.rows.setdefault(name, 0)
                self.stopped[name] = False
        elif action == "delete":
            assert not doc or status != 200, f"{name} was deleted, and is there"
            if not doc:
                del self.rows[name], self.stopped[name]
        elif status == 200 and action in ("stop", "start"):
            assert doc["effective_stopped"] == (action == "stop")
        if doc and name in self.stopped:
            self.stopped[name] = doc["effective_stopped"]
        self.check()

    def final_state(self, name):
        """The instance once nothing is under way, None when it does not exist."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            status, doc = self.api.call("GET", f"/api/2.0/database/instances/{name}")
            if status == 404:
                return None
            assert status == 200, doc
            if doc["state"] in ("AVAILABLE", "STOPPED"):
                assert doc["state"] == ("STOPPED" if doc["effective_stopped"] else "AVAILABLE")
                return doc
        raise AssertionError(f"{name} stays {doc['state']}")

    def check(self):
        listed = {doc["name"]: doc for doc in
                  self.api.ok("GET", "/api/2.0/database/instances").get("database_instances", [])}
        assert sorted(listed) == sorted(self.rows)
        for name in listed:
            listed[name] = self.final_state(name)
        running = {doc["uid"] for doc in listed.values() if doc["state"] == "AVAILABLE"}
        assert wait_until(lambda: set(postmasters(self.space)) == running), (postmasters(self.space), running)
        folders = {path.name for path in (self.space.state_dir / "instances").iterdir()}
        assert folders == {doc["uid"] for doc in listed.values()}
        for name in sorted(listed):
            if listed[name]["state"] == "AVAILABLE":
                self.write_one(name)

    def write_one(self, name):
        with self.connect(name) as conn:
            conn.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
            assert conn.execute("SELECT count(*) FROM kept").fetchone()[0] == self.rows[name]
            conn.execute("INSERT INTO kept VALUES (1)")
        self.rows[name] += 1


def rounds(space, count, seed):
    victim = Victim(space, seed)
    while victim.kills < count:
        try:
            victim.strike()
        except BaseException:
            print(f"after {victim.kills} kills, seed {seed}\n{space.log_tail()}")
            raise
    return victim
