#!/usr/bin/env python3
"""Figures of pg/pool.h beside no pool at all (libpq alone is the floor, no_pool is our call without the pool), psycopg_pool, and
pgxpool where Go is there, on one private PostgreSQL and in one run: `name ours unit peer theirs unit ratio`. Medians of ROUNDS;
they take turns, so that other load meets all of them.

Eight threads run SELECT 1 over a Unix socket; all let the server prepare it (pg/prepared.h; the peers' default), but for "text". The lines "one_cpu" have clients and server on one processor: there no thread is woken
across processors, which costs a virtual machine more than anything that a pool does. Usage: bench_pool.py [MS_OF_EACH_PART]
"""
import logging
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psycopg
from psycopg_pool import ConnectionPool

ROOT = Path(__file__).resolve().parents[2]
MS = int(sys.argv[1]) if len(sys.argv) > 1 else 250
ROUNDS, CLIENTS = 9, 8


def build(folder):
    program = folder / "pool_bench"
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libpq", "jansson", "uuid"], check=True, text=True,
                           capture_output=True).stdout.split()
    lib = ROOT / "build" / "release" / "lib"
    subprocess.run(["gcc", "-std=c11", "-D_GNU_SOURCE", "-O2", f"-I{ROOT / 'kernel'}", ROOT / "tests/bench/pool_bench.c",
                    lib / "pg.a", lib / "base.a", *flags, "-pthread", "-o", program], check=True)
    return program


def build_pgx(folder):
    """pgxpool's program; None without Go, or without its modules (the versions are pinned in pgx/go.sum)."""
    if not shutil.which("go"):
        return None
    done = subprocess.run(["go", "build", "-o", folder / "pgxbench", "."], cwd=ROOT / "tests/bench/pgx")
    return folder / "pgxbench" if done.returncode == 0 else None


def on(cpu):
    return (lambda: os.sched_setaffinity(0, {cpu})) if cpu is not None else None


class Server:
    """A cluster of its own, run as an ordinary user."""

    def __init__(self, folder, cpu=None):
        """cpu: the only processor that it uses."""
        self.folder, self.data, self.cpu = folder, folder / "data", cpu
        self.user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        self.bin = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
        if self.user:
            shutil.chown(folder, "postgres")
        self.run("initdb", "-D", self.data, "-U", "learner", "-A", "trust", "--no-sync")
        self.run("pg_ctl", "-D", self.data, "-w", "-l", folder / "log", "-o", f"-c listen_addresses='' -k {folder}", "start")
        self.conninfo = f"host={folder} user=learner dbname=postgres"

    def run(self, program, *args):
        subprocess.run([self.bin / program, *args], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, cwd="/",
                       preexec_fn=on(self.cpu), **self.user)

    def stop(self):
        self.run("pg_ctl", "-D", self.data, "-m", "immediate", "stop")


def ours(program, conninfo, cpu=None):
    said = subprocess.run([program, conninfo, str(MS)], check=True, text=True, capture_output=True, preexec_fn=on(cpu)).stdout
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


def psycopg_pool(conninfo):
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
    return {**figures, **recovery(conninfo, "killed_idle", True), **recovery(conninfo, "killed_busy", False)}


KILL = ("SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")


def recovery(conninfo, name, idle):
    """Every backend is ended: errors that clients saw, and milliseconds until each was served again. With the check on."""
    admin, stop, killed = psycopg.connect(conninfo, autocommit=True), threading.Event(), [0.0]
    errors, back = [0] * CLIENTS, [0.0] * CLIENTS
    pool = ConnectionPool(conninfo, min_size=CLIENTS, max_size=CLIENTS, kwargs={"autocommit": True}, open=True,
                          check=ConnectionPool.check_connection)

    def work(n):
        while not stop.is_set() and not (idle and back[n]):
            began, after = time.perf_counter(), killed[0]
            try:
                with pool.connection() as conn:
                    conn.execute("SELECT 1")
                if after and began > after and not back[n]:
                    back[n] = time.perf_counter()
            except psycopg.Error:
                errors[n] += 1

    with pool:
        pool.wait()
        if idle:
            admin.execute(KILL, (5000,))
            killed[0] = time.perf_counter()
        threads = [threading.Thread(target=work, args=(n,)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        if not idle:
            time.sleep(MS / 2000)
            admin.execute(KILL, (0,))
            killed[0] = time.perf_counter()
            time.sleep(MS / 1000)
            stop.set()
        for thread in threads:
            thread.join()
    admin.close()
    return {f"{name}_errors": sum(errors), f"{name}_back_ms": (max(back) - killed[0]) * 1000}


def main():
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # it warns of each lost connection
    folder = Path(tempfile.mkdtemp(prefix="lbpool-", dir="/tmp"))
    folder.chmod(0o755)
    (folder / "all").mkdir()
    (folder / "one").mkdir()
    cpu = min(os.sched_getaffinity(0))
    server, alone = Server(folder / "all"), Server(folder / "one", cpu)
    try:
        program = build(folder)
        pgx = build_pgx(folder)
        mine, theirs, gos, mine_alone, gos_alone = [], [], [], [], []
        for _ in range(ROUNDS):
            mine.append(ours(program, server.conninfo))
            mine_alone.append(ours(program, alone.conninfo, cpu))
            theirs.append(psycopg_pool(server.conninfo))
            if pgx:
                gos.append(ours(pgx, server.conninfo))
                gos_alone.append(ours(pgx, alone.conninfo, cpu))
    finally:
        server.stop()
        alone.stop()
        shutil.rmtree(folder)

    def median(runs, name):
        return statistics.median(run[name] for run in runs)

    for name, floor in (("pool_8_on_8", "libpq_8"), ("pool_8_on_8", "no_pool_8"), ("pool_8_on_8_text", "libpq_8_text"),
                        ("pool_8_on_2", "libpq_2")):
        rate_, plain = median(mine, name), median(mine, floor)
        print(f"{name} {rate_:.0f} queries/s {floor} {plain:.0f} queries/s ratio {rate_ / plain:.2f}", flush=True)
    unchecked, checked = median(mine, "acquire_release_unchecked_ns"), median(mine, "acquire_release_ns")
    print(f"acquire_release_unchecked_ns {unchecked:.0f} ns checked {checked:.0f} ns ratio {unchecked / checked:.2f}", flush=True)
    for name, unit in (("pool_8_on_8", "queries/s"), ("pool_8_on_2", "queries/s"), ("wait_p50", "us"), ("wait_p99", "us"),
                       ("acquire_release_ns", "ns"), ("fill_ms", "ms"), ("killed_idle_errors", "errors"), ("killed_idle_back_ms", "ms"),
                       ("killed_busy_errors", "errors"), ("killed_busy_back_ms", "ms")):
        value = median(mine, name)
        for peer, runs in (("psycopg_pool", theirs), ("pgxpool", gos)):
            if runs:
                other = median(runs, name)
                ratio = f"{value / other:.3f}" if other else "-"
                print(f"{name} {value:.0f} {unit} {peer} {other:.0f} {unit} ratio {ratio}", flush=True)
    if gos:
        plain, other = median(mine, "libpq_8"), median(gos, "pool_8_on_8")
        print(f"libpq_8 {plain:.0f} queries/s pgxpool_8_on_8 {other:.0f} queries/s ratio {plain / other:.3f}", flush=True)
    one_thread = median(mine, "pool_8_on_2_one_thread")
    for peer, runs in (("pool_8_on_2", mine), ("pgxpool", gos)):
        if runs:
            other = median(runs, "pool_8_on_2")
            print(f"pool_8_on_2_one_thread {one_thread:.0f} queries/s {peer} {other:.0f} queries/s ratio {one_thread / other:.3f}", flush=True)
    for name, floor in (("pool_8_on_8", "libpq_8"), ("pool_8_on_2", "libpq_2")):
        rate_, plain = median(mine_alone, name), median(mine_alone, floor)
        print(f"{name}_one_cpu {rate_:.0f} queries/s {floor} {plain:.0f} queries/s ratio {rate_ / plain:.2f}", flush=True)
        if gos_alone:
            other = median(gos_alone, name)
            print(f"{name}_one_cpu {rate_:.0f} queries/s pgxpool {other:.0f} queries/s ratio {rate_ / other:.3f}", flush=True)
    print(f"killed_idle_pings {median(mine, 'killed_idle_pings'):.0f} round trips floor 0 round trips ratio -", flush=True)
    if not gos:
        print("pgxpool was not run: it needs Go", file=sys.stderr)


if __name__ == "__main__":
    main()
