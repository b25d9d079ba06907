#!/usr/bin/env python3
"""Synced tables beside what else brings Delta rows into PostgreSQL, in one run on one server: `name ours unit peer theirs unit
ratio`. A table of ROWS rows and 8 mixed columns. Snapshot: a refresh from its start over the API to COMPLETED, against COPY of the
same rows from a ready binary file and the key (floor), deltalake → pgpq → binary COPY, and deltalake → ADBC. Incremental: CHANGES
mixed changes (a twentieth of ROWS), against load_cdf → ADBC staging → MERGE. Medians of ROUNDS; they take turns. Memory is the worker's beyond what it
has when it has answered one small statement. Usage: bench_sync.py [ROWS]
"""
import contextlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import psycopg

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/workspace"), str(ROOT / "tests/sync")]
from conftest import Workspace, end_leftovers, short_dir  # noqa: E402
from syncs import Lab  # noqa: E402

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
CHANGES, ROUNDS = ROWS // 20, 3
PEERS = ROOT / "build/bench-venv"
SOURCE = """CREATE TABLE main.lab.{name} TBLPROPERTIES (delta.enableChangeDataFeed = true) AS
SELECT id, CAST(id % 1000 AS INT) AS a, concat('name ', id) AS name, concat('user', id, '@example.com') AS email,
       CAST(id % 100000 AS DECIMAL(12, 2)) AS amount, TIMESTAMP'2026-01-01 00:00:00' + (id % 100000) * INTERVAL '1' SECOND AS at,
       DATE'2026-01-01' + CAST(id % 365 AS INT) AS day, id % 2 = 0 AS flag FROM range({rows})"""


def line(name, ours, unit, peer, theirs):
    print(f"{name} {ours:.2f} {unit} {peer} {theirs:.2f} {unit} ratio {ours / theirs:.3f}", flush=True)


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class Worker:
    """The workspace's worker process: its memory since the last look."""

    def __init__(self, space):
        self.space = space

    def process(self):
        home = str(self.space.state_dir)
        for p in psutil.process_iter(["cmdline"]):
            with contextlib.suppress(psutil.Error):
                if (p.info["cmdline"] or [])[1:2] == ["worker"] and p.environ().get("LAKEBASE_STATE_DIR") == home:
                    yield p

    def forget(self):
        for p in self.process():
            Path(f"/proc/{p.pid}/clear_refs").write_text("5")

    def peak(self):
        """MiB"""
        lines = (row for p in self.process() for row in Path(f"/proc/{p.pid}/status").read_text().splitlines())
        return max(int(row.split()[1]) for row in lines if row.startswith("VmHWM")) / 1024


class Floor:
    """COPY of a ready file, and the key."""

    def __init__(self, conninfo, file):
        self.conninfo, self.file = conninfo, file

    def once(self):
        with psycopg.connect(self.conninfo) as conn:
            conn.execute("DROP SCHEMA IF EXISTS floor CASCADE; CREATE SCHEMA floor; CREATE TABLE floor.rows (LIKE lab.bench)")
            with open(self.file, "rb") as file, conn.cursor().copy("COPY floor.rows FROM STDIN (FORMAT binary, FREEZE)") as copy:
                while block := file.read(1 << 18):
                    copy.write(block)
            conn.execute("ALTER TABLE floor.rows ADD PRIMARY KEY (id)")


def peer(*words):
    """(seconds, MiB)"""
    said = subprocess.run([PEERS / "bin/python", ROOT / "tests/bench/sync_peers.py", *map(str, words)], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    return tuple(map(float, said.split()))


def snapshot(lab, worker, conninfo, folder):
    lab.sql("SELECT 1")
    own = worker.peak()
    state, status = lab.create("main.lab.bench", "bench", "SNAPSHOT")
    assert state == "ONLINE_NO_PENDING_UPDATE", status
    with psycopg.connect(conninfo) as conn, open(folder / "rows", "wb") as out:
        with conn.cursor().copy("COPY lab.bench TO STDOUT (FORMAT binary)") as copy:
            for block in copy:
                out.write(block)
    floor, root = Floor(conninfo, folder / "rows"), lab.root("main.lab.bench")
    ours, least, pgpq, adbc, memory = [], [], [], [], []
    for _ in range(ROUNDS):
        worker.forget()
        ours.append(seconds(lambda: lab.run("bench")))
        memory.append(worker.peak() - own)
        least.append(seconds(floor.once))
        pgpq.append(peer("pgpq", root, conninfo))
        adbc.append(peer("adbc", root, conninfo))
    took, rate = statistics.median(ours), lambda runs: ROWS / statistics.median(runs) / 1000
    line("sync_snapshot", took, "s", "copy_and_key", statistics.median(least))
    for name, runs in (("pgpq", pgpq), ("adbc", adbc)):
        line("sync_snapshot_rate", ROWS / took / 1000, "krows/s", name, rate([run[0] for run in runs]))
        line("sync_snapshot_memory", statistics.median(memory), "MiB", name, statistics.median(run[1] for run in runs))


def incremental(lab, conninfo):
    """Both tables have all rows; both get the same commits."""
    root, ours, theirs = lab.root("main.lab.bench"), [], []
    state, status = lab.create("main.lab.bench", "follows", "TRIGGERED")
    assert state == "ONLINE_NO_PENDING_UPDATE", status
    tenth = CHANGES // 10
    for turn in range(ROUNDS):
        version, low = lab.applied("follows"), turn * 10 * CHANGES // 7
        lab.sql(f"UPDATE main.lab.bench SET a = a + 1, name = concat(name, '!') WHERE id % 2 = 0 AND id >= {low} AND id < {low + 14 * tenth}")
        lab.sql(f"DELETE FROM main.lab.bench WHERE id % 2 = 1 AND id >= {low} AND id < {low + 3 * tenth}")
        lab.sql(f"INSERT INTO main.lab.bench SELECT {ROWS} + {turn * 10 * CHANGES} + id, 1, 'new', 'new', 1, TIMESTAMP'2026-02-02 00:00:00', "
                f"DATE'2026-02-02', true FROM range({CHANGES - 7 * tenth - 3 * tenth // 2})")
        ours.append(seconds(lambda: lab.run("follows")))
        assert "incremental" in lab.look("follows")[1]["message"], lab.look("follows")
        theirs.append(peer("cdf", root, conninfo, version + 1)[0])
    line("sync_incremental_rate", CHANGES / statistics.median(ours) / 1000, "kchanges/s", "load_cdf_adbc_merge",
         CHANGES / statistics.median(theirs) / 1000)


def main():
    subprocess.run(["sh", ROOT / "docker/python/venv.sh", PEERS, "bench"], check=True, stdout=sys.stderr)
    state, folder = short_dir("lbs-"), Path(tempfile.mkdtemp(prefix="lbs-", dir="/tmp"))
    space = Workspace(state)
    try:
        lab = Lab(space.start())
        lab.sql(SOURCE.format(name="bench", rows=ROWS))
        conninfo = f"host={state / 'instances' / lab.api.get('workshop')['uid']} user=cloud_admin dbname=databricks_postgres"
        snapshot(lab, Worker(space), conninfo, folder)
        incremental(lab, conninfo)
    finally:
        with contextlib.suppress(Exception):
            space.run("reset", "--yes")
        end_leftovers(state)
        shutil.rmtree(state, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


main()
