"""Random histories of a source, synced in random cuts, and kills: what the tests sample and the soak runs in full."""
import os
import random
import signal
import threading

from conftest import processes_of, wait_until
from syncs import Lab


class History:
    """Commits on main.lab.<name>, each with the rows that a plain dictionary says must be there."""

    def __init__(self, lab, name, rng):
        self.lab, self.rng, self.rows, self.version = lab, rng, {}, 0
        self.source = lab.source(name)
        self.fresh = 0

    def values(self, count):
        """New keys, or keys that were there before."""
        gone = [k for k in range(self.fresh) if k not in self.rows]
        keys = self.rng.sample(gone, min(len(gone), count // 2))
        keys += range(self.fresh, self.fresh + count - len(keys))
        self.fresh = max(self.fresh, max(keys, default=0) + 1)
        return {k: self.text() for k in keys}

    def text(self):
        return self.rng.choice([None, "", "x" * self.rng.randrange(40), f"ž{self.rng.random()}"])

    @staticmethod
    def sql(value):
        return "NULL" if value is None else f"'{value}'"

    def step(self):
        """One commit (or none, when nothing matched)."""
        before = dict(self.rows)
        kind = self.rng.choice(["insert", "insert", "update", "delete", "move", "merge"])
        some = self.rng.sample(sorted(self.rows), min(len(self.rows), self.rng.randrange(1, 6)))
        keys = ", ".join(map(str, some)) or "-1"
        if kind == "insert":
            new = self.values(self.rng.randrange(1, 8))
            self.rows.update(new)
            statement = "INSERT INTO {} VALUES " + ", ".join(f"({k}, {self.sql(v)})" for k, v in new.items())
        elif kind == "update":
            value = self.text()
            self.rows.update(dict.fromkeys(some, value))
            statement = f"UPDATE {{}} SET v = {self.sql(value)} WHERE id IN ({keys})"
        elif kind == "delete":
            for key in some:
                del self.rows[key]
            statement = f"DELETE FROM {{}} WHERE id IN ({keys})"
        elif kind == "move":  # every key changes, some to keys that others just left
            for key in some:
                value = self.rows.pop(key)
                self.rows[key + 100000] = value
            statement = f"UPDATE {{}} SET id = id + 100000 WHERE id IN ({keys})"
            if len(self.rows) < len(before):
                self.rows = before
                return
        else:
            new = self.values(3)
            merged = {**{k: self.text() for k in some}, **new}
            self.rows.update(merged)
            lines = " UNION ALL ".join(f"SELECT {k} AS id, {self.sql(v)} AS v" for k, v in merged.items())
            statement = (f"MERGE INTO {{}} t USING ({lines}) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET * "
                         "WHEN NOT MATCHED THEN INSERT *")
        self.lab.sql(statement.format(self.source))


def synced_rows(lab, name):
    with lab.connect() as pg:
        return dict(pg.execute(f"SELECT id, v FROM lab.{name}").fetchall())


def random_history(lab, name, steps, seed):
    """TRIGGERED and SNAPSHOT in random cuts, CONTINUOUS all the time; equal to the dictionary and to deltalake."""
    history = History(lab, name, random.Random(seed))
    for mode in ("SNAPSHOT", "TRIGGERED", "CONTINUOUS"):
        state, status = lab.create(history.source, f"{name}_{mode.lower()}", mode)
        assert "ONLINE" in state, status
    for _ in range(steps):
        history.step()
        for mode in ("snapshot", "triggered"):
            if history.rng.random() < 0.25:
                state, status = lab.run(f"{name}_{mode}")
                assert state == "COMPLETED", status
                assert synced_rows(lab, f"{name}_{mode}") == history.rows
    for mode in ("snapshot", "triggered"):
        assert lab.run(f"{name}_{mode}")[0] == "COMPLETED"
    newest = lab.applied(f"{name}_triggered")
    assert wait_until(lambda: lab.applied(f"{name}_continuous") >= newest)
    for mode in ("snapshot", "triggered", "continuous"):
        assert synced_rows(lab, f"{name}_{mode}") == history.rows
        lab.assert_equal(history.source, f"{name}_{mode}")


class Killer:
    """Syncs under way while the workspace, the worker or a PostgreSQL server is killed."""

    def __init__(self, space, seed):
        self.space, self.rng = space, random.Random(seed)
        self.lab = Lab(space)
        self.history = History(self.lab, "victim", self.rng)
        self.lab.sql(f"INSERT INTO {self.history.source} SELECT id + 1000000, 'base' FROM range(20000)")
        self.base = 20000
        for mode in ("SNAPSHOT", "TRIGGERED", "CONTINUOUS"):
            assert "ONLINE" in self.lab.create(self.history.source, f"victim_{mode.lower()}", mode)[0]

    def kill(self, what):
        words = {"workspace": ("lakebase-workspace run",), "worker": ("worker --listen-fd",), "server": ("postgres -D", "postgres -c", "/postgres")}[what]
        pids = [pid for pid, command in processes_of(self.space.state_dir).items()
                if any(word in command for word in words) and not command.startswith("postgres:")]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return bool(pids)

    def strike(self):
        """A commit, updates of both modes, and one kill somewhere in between."""
        for _ in range(self.rng.randrange(1, 4)):
            self.history.step()
        what = self.rng.choice(["workspace", "worker", "server"])
        threads = [threading.Thread(target=self.try_run, args=(f"victim_{mode}",)) for mode in ("snapshot", "triggered")]
        for thread in threads:
            thread.start()
        threading.Event().wait(self.rng.uniform(0, 0.25))  # the moment of the kill is what this test varies
        killed = self.kill(what)
        for thread in threads:
            thread.join()
        self.space.run("start")
        self.lab.open()
        self.lab.api.wait("workshop", "AVAILABLE")
        self.settle()
        return killed

    def try_run(self, name):
        try:
            self.lab.run(name)
        except Exception:  # noqa: BLE001 - the workspace is being killed under it
            pass

    def settle(self):
        """Without any help but one more update, everything is equal again."""
        for mode in ("snapshot", "triggered"):
            name = f"victim_{mode}"
            assert wait_until(lambda: self.over(name), 60), self.lab.look(name)
            state, status = self.lab.run(name)
            assert state == "COMPLETED", status
            self.lab.assert_equal(self.history.source, name)
        newest = self.lab.applied("victim_triggered")
        assert wait_until(lambda: self.lab.applied("victim_continuous") >= newest, 60), self.lab.look("victim_continuous")
        self.lab.assert_equal(self.history.source, "victim_continuous")
        with self.lab.connect() as pg:
            for mode in ("snapshot", "triggered", "continuous"):
                count = pg.execute(f"SELECT count(*) FROM lab.victim_{mode}").fetchone()[0]
                assert count == len(self.history.rows) + self.base, (mode, count)
            left = pg.execute("SELECT relname FROM pg_class WHERE relname LIKE 'load\\_%' OR relname LIKE 'sync\\_%'").fetchall()
            assert not left, left

    def over(self, name):
        pipeline = self.lab.look(name)[1]["pipeline_id"]
        return self.lab.api.ok("GET", f"/api/2.0/pipelines/{pipeline}")["state"] == "IDLE"


def kills(space, count, seed):
    killer, done = Killer(space, seed), 0
    while done < count:
        try:
            done += killer.strike()
        except BaseException:
            print(f"after {done} kills, seed {seed}\n{space.log_tail()}")
            raise
