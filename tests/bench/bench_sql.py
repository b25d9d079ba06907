#!/usr/bin/env python3
"""SQL cells beside JupySQL (SQLAlchemy and psycopg) and psycopg in a plain ipykernel, psql as the floor: `name ours unit peer
theirs unit ratio`. One PostgreSQL server of its own for all, on a unix socket; the same raw Jupyter client; the sides take
turns, figures are medians. Usage: bench_sql.py [ROUNDS]
"""
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_kernel import ROOT, Run
from bench_pool import Server

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
WARM = 200
PEERS = ROOT / "build/bench-venv"
ROWS = ("SELECT i AS id, 'name ' || i AS name, i * 1.25 AS price, timestamptz '2026-01-01' + i * interval '1 min' AS at, i % 2 = 0 AS even "
        "FROM generate_series(1, {}) i")
MILLION = ROWS.format(1000000)


def line(name, ours, unit, peer, theirs):
    print(f"{name} {ours:.2f} {unit} {peer} {theirs:.2f} {unit} ratio {ours / theirs:.3f}", flush=True)


class Side:
    """A kernel and how one says things in it."""

    def __init__(self, name, argv, setup, select, shown, million, lines, sleep):
        self.name, self.argv, self.setup = name, argv, setup
        self.select, self.shown, self.million, self.lines, self.sleep = select, shown, million, lines, sleep

    def start(self, folder):
        run = Run(self.argv, folder)
        for cell in self.setup:
            run.wait(run.cell(cell))
        return run


def sides(server):
    url = f"postgresql+psycopg://learner@/postgres?host={server.folder}"
    fetch = "cur = conn.execute({!r}); rows = cur.fetchall(); len(rows)"
    return [
        Side("ours", [str(ROOT / "build/bin/lakebase-kernel"), "-f", "{file}"],
             [f"%connect {server.conninfo}\n%set fetch_limit 10000000"], "SELECT 1",
             f"%%sql --limit 10000\n{ROWS.format(10000)}", MILLION, "%%bash\nseq 10000", "SELECT pg_sleep(600)"),
        Side("jupysql", [str(PEERS / "bin/python"), "-m", "ipykernel_launcher", "-f", "{file}"],
             ["%load_ext sql", f"%sql {url}", "%config SqlMagic.displaylimit = 0\n%config SqlMagic.feedback = 0"], "%sql SELECT 1",
             f"%%sql\n{ROWS.format(10000)}", f"r = %sql {MILLION}", "for i in range(10000): print(i)", "%sql SELECT pg_sleep(600)"),
        Side("psycopg", [str(PEERS / "bin/python"), "-m", "ipykernel_launcher", "-f", "{file}"],
             [f"import psycopg\nconn = psycopg.connect({server.conninfo!r}, autocommit=True)"], fetch.format("SELECT 1"),
             fetch.format(ROWS.format(10000)), fetch.format(MILLION), "for i in range(10000): print(i)",
             "conn.execute('SELECT pg_sleep(600)')"),
    ]


def peak(run):
    text = Path(f"/proc/{run.process.pid}/status").read_text()
    return int(next(row for row in text.splitlines() if row.startswith("VmHWM")).split()[1]) / 1024


def took(run, code, check=True):
    start = time.perf_counter()
    run.wait(run.cell(code))
    return (time.perf_counter() - start) * 1e3


def psql(server, *args):
    began = time.perf_counter()
    subprocess.run([server.bin / "psql", "-X", server.conninfo, *args], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1e3


def interrupt(run, side):
    msg_id = run.cell(side.sleep)
    time.sleep(0.2)
    start = time.perf_counter()
    if side.name == "ours":
        run.send("interrupt_request", {}, run.control)
    else:  # ipykernel is interrupted by a signal
        os.kill(run.process.pid, signal.SIGINT)
    run.wait(msg_id, idle=False)
    return (time.perf_counter() - start) * 1e3


def one_turn(side, folder, figures):
    began = time.perf_counter()
    run = side.start(folder)
    run.wait(run.cell(side.select))
    keep = figures.setdefault(side.name, {})
    add = lambda name, value: keep.setdefault(name, []).append(value)
    add("start_to_select_1", (time.perf_counter() - began) * 1e3)
    for _ in range(20):
        took(run, side.select)
    add("select_1_to_idle", statistics.median(took(run, side.select) for _ in range(WARM)))
    add("rows_10000_shown", took(run, side.shown))
    before = peak(run)
    add("rows_1000000_read", took(run, side.million))
    add("rows_1000000_peak_growth", peak(run) - before)
    add("lines_10000_to_idle", took(run, side.lines))
    if side.name == "ours":
        sleeping = run.cell(side.sleep)
        time.sleep(0.2)
        tabs = []
        for _ in range(50):
            start = time.perf_counter()
            msg_id = run.send("complete_request", {"code": "SELECT * FROM pg_cl", "cursor_pos": 19})
            run.wait(msg_id)
            tabs.append((time.perf_counter() - start) * 1e3)
        add("tab_during_a_query", statistics.median(tabs))
        run.send("interrupt_request", {}, run.control)
        run.wait(sleeping)
    else:
        start = time.perf_counter()
        run.wait(run.send("complete_request", {"code": "impor", "cursor_pos": 5}))
        add("tab_during_a_query", (time.perf_counter() - start) * 1e3)  # between cells: during one it does not answer
    add("interrupt_to_reply", interrupt(run, side))
    run.process.kill()
    run.process.wait()
    run.context.destroy(0)


def main():
    subprocess.run(["sh", str(ROOT / "docker/python/venv.sh"), str(PEERS), "bench"], check=True)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory(prefix="lb-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        (Path(folder) / "pg").mkdir()
        server = Server(Path(folder) / "pg")
        figures = {}
        try:
            floor = {"start_to_select_1": [], "rows_10000_shown": [], "rows_1000000_read": []}
            for _ in range(ROUNDS):
                for side in sides(server):
                    one_turn(side, folder, figures)
                floor["start_to_select_1"].append(psql(server, "-c", "SELECT 1"))
                floor["rows_10000_shown"].append(psql(server, "-c", ROWS.format(10000)))
                floor["rows_1000000_read"].append(psql(server, "-At", "-c", MILLION))
        finally:
            server.stop()
    median = {name: {key: statistics.median(values) for key, values in keep.items()} for name, keep in figures.items()}
    for name, ours in median["ours"].items():
        unit = "MiB" if "growth" in name else "ms"
        for peer in ("jupysql", "psycopg"):
            line(name, ours, unit, peer, max(median[peer][name], 0.01))
        if name in floor:
            line(name, ours, unit, "psql", statistics.median(floor[name]))


if __name__ == "__main__":
    main()
