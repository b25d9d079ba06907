#!/usr/bin/env python3
"""Figures of pg/pool.h beside no pool at all (libpq alone is the floor, pg_run is our call without the pool) and psycopg_pool, on one private PostgreSQL and in one run:
`name ours unit peer theirs unit ratio`. Medians of ROUNDS; the three take turns, so that other load meets all of them.

Eight threads run SELECT 1 over a Unix socket. Usage: bench_pool.py [MS_OF_EACH_PART]
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from psycopg_pool import ConnectionPool

ROOT = Path(__file__).resolve().parents[2]
MS = int(sys.argv[1]) if len(sys.argv) > 1 else 700
ROUNDS, CLIENTS = 3, 8


def build(folder):
    program = folder / "pool_bench"
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libpq", "jansson", "uuid"], check=True, text=True,
                           capture_output=True).stdout.split()
    lib = ROOT / "build" / "release" / "lib"
    subprocess.run(["gcc", "-std=c11", "-D_GNU_SOURCE", "-O2", f"-I{ROOT / 'kernel'}", ROOT / "tests/bench/pool_bench.c",
                    lib / "pg.a", lib / "base.a", *flags, "-pthread", "-o", program], check=True)
    return program


class Server:
    """A cluster of its own, run as an ordinary user."""

    def __init__(self, folder):
        self.folder, self.data = folder, folder / "data"
        self.user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        self.bin = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
        if self.user:
            shutil.chown(folder, "postgres")
        self.run("initdb", "-D", self.data, "-U", "learner", "-A", "trust", "--no-sync")
        self.run("pg_ctl", "-D", self.data, "-w", "-l", folder / "log", "-o", f"-c listen_addresses='' -k {folder}", "start")
        self.conninfo = f"host={folder} user=learner dbname=postgres"

    def run(self, program, *args):
        subprocess.run([self.bin / program, *args], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, cwd="/",
                       **self.user)

    def stop(self):
        self.run("pg_ctl", "-D", self.data, "-m", "immediate", "stop")


def ours(program, conninfo):
    said = subprocess.run([program, conninfo, str(MS)], check=True, text=True, capture_output=True).stdout
    return {name: float(value) for name, value in map(str.split, said.splitlines())}


def rate(pool):
    waits, calls, stop = [], [0] * CLIENTS, threading.Event()

    def work(n):
        while not stop.is_set():
            start = time.perf_counter()
            with pool.connection() as conn:
                waits.append((time.perf_counter() - start) * 1e6)
                conn.execute("SELECT 1")
            calls[n] += 1

    threads = [threading.Thread(target=work, args=(n,)) for n in range(CLIENTS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    time.sleep(MS / 1000)
    stop.set()
    for thread in threads:
        thread.join()
    waits.sort()
    return sum(calls) / (time.perf_counter() - start), waits[len(waits) // 2], waits[len(waits) * 99 // 100]


def psycopg(conninfo):
    figures = {}
    kwargs = {"conninfo": conninfo, "kwargs": {"autocommit": True}, "open": True}
    for size, name in ((8, "pool_8_on_8"), (2, "pool_8_on_2")):
        with ConnectionPool(min_size=size, max_size=size, **kwargs) as pool:
            pool.wait()
            figures[name], figures["wait_p50"], figures["wait_p99"] = rate(pool)
    with ConnectionPool(min_size=1, max_size=1, **kwargs) as pool:
        pool.wait()
        start = time.perf_counter()
        for _ in range(20000):
            pool.putconn(pool.getconn())
        figures["acquire_release_ns"] = (time.perf_counter() - start) * 1e9 / 20000
    start = time.perf_counter()
    with ConnectionPool(min_size=8, max_size=8, **kwargs) as pool:
        pool.wait()
        figures["fill_ms"] = (time.perf_counter() - start) * 1000
    return figures


def main():
    folder = Path(tempfile.mkdtemp(prefix="lbpool-", dir="/tmp"))
    folder.chmod(0o755)
    server = Server(folder)
    try:
        program = build(folder)
        mine, theirs = [], []
        for _ in range(ROUNDS):
            mine.append(ours(program, server.conninfo))
            theirs.append(psycopg(server.conninfo))
    finally:
        server.stop()
        shutil.rmtree(folder)

    def median(runs, name):
        return statistics.median(run[name] for run in runs)

    for name, floor in (("pool_8_on_8", "libpq_8"), ("pool_8_on_8", "pg_run_8"), ("pool_8_on_2", "libpq_2")):
        rate_, plain = median(mine, name), median(mine, floor)
        print(f"{name} {rate_:.0f} queries/s {floor} {plain:.0f} queries/s ratio {rate_ / plain:.2f}", flush=True)
    for name, unit in (("pool_8_on_8", "queries/s"), ("pool_8_on_2", "queries/s"), ("wait_p50", "us"), ("wait_p99", "us"),
                       ("acquire_release_ns", "ns"), ("fill_ms", "ms")):
        value, peer = median(mine, name), median(theirs, name)
        print(f"{name} {value:.0f} {unit} psycopg_pool {peer:.0f} {unit} ratio {value / peer:.3f}", flush=True)


if __name__ == "__main__":
    main()
