#!/usr/bin/env python3
"""Figures of the kernel, each beside ipykernel's in the same run: `name ours unit peer theirs unit ratio`.

A raw pyzmq client, the same for both; starts alternate between the two, so that other load on the machine meets both.
Milliseconds are medians. Usage: bench_kernel.py [STARTS [CELLS]]
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import zmq
from jupyter_client.connect import write_connection_file
from jupyter_client.session import Session

ROOT = Path(__file__).resolve().parents[2]
STARTS = int(sys.argv[1]) if len(sys.argv) > 1 else 15
CELLS = int(sys.argv[2]) if len(sys.argv) > 2 else 300
WARM_UP, QUEUE, SETTLE = 30, 1000, 0.3


class Run:
    """One kernel process and a client."""

    def __init__(self, argv, folder):
        self.file, info = write_connection_file(f"{folder}/{uuid.uuid4().hex}.json", key=os.urandom(16).hex().encode(),
                                                ip="127.0.0.1")
        self.session = Session(key=info["key"].encode() if isinstance(info["key"], str) else info["key"])
        self.context = zmq.Context()
        self.shell, self.control = (self.connect(zmq.DEALER, info[f"{n}_port"]) for n in ("shell", "control"))
        self.iopub = self.connect(zmq.SUB, info["iopub_port"])
        self.poller = zmq.Poller()
        self.poller.register(self.shell, zmq.POLLIN)
        self.poller.register(self.iopub, zmq.POLLIN)
        environ = {**os.environ, "JPY_PARENT_PID": str(os.getpid()), "LAKEBASE_STATE_DIR": folder, "HOME": folder,
                   "IPYTHONDIR": f"{folder}/ipython", "LAKEBASE_PYTHON": sys.executable,
                   "LAKEBASE_WORKSPACE_PROGRAM": "/bin/false"}  # no cell here needs a workspace
        self.began = time.perf_counter()
        self.process = subprocess.Popen([a.replace("{file}", self.file) for a in argv], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ,
                                        start_new_session=True)

    def connect(self, kind, port):
        s = self.context.socket(kind)
        s.linger = 0
        s.rcvhwm = 0
        s.setsockopt(zmq.RECONNECT_IVL, 5)  # the default of 100 ms would be what is measured
        if kind == zmq.DEALER:
            s.identity = self.session.bsession
        else:
            s.subscribe(b"")
        s.connect(f"tcp://127.0.0.1:{port}")
        return s

    def send(self, kind, content, socket=None):
        message = self.session.msg(kind, content)
        self.session.send(socket or self.shell, message)
        return message["header"]["msg_id"]

    def receive(self, socket):
        return self.session.deserialize(self.session.feed_identities(socket.recv_multipart())[1])

    def wait(self, msg_id, idle=True):
        """Milliseconds since the call until the reply, and until idle."""
        start, reply, done = time.perf_counter(), None, None
        while reply is None or (idle and done is None):
            ready = dict(self.poller.poll(60000))
            if not ready:
                raise TimeoutError
            if self.iopub in ready:
                m = self.receive(self.iopub)
                if m["parent_header"].get("msg_id") == msg_id and m["content"].get("execution_state") == "idle":
                    done = time.perf_counter()
            if self.shell in ready:
                m = self.receive(self.shell)
                if m["parent_header"].get("msg_id") == msg_id:
                    reply = time.perf_counter()
        return (reply - start) * 1e3, ((done or reply) - start) * 1e3

    def cell(self, code):
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False,
                   "stop_on_error": True}
        return self.send("execute_request", content)

    def cells(self, code):
        for _ in range(WARM_UP):
            self.wait(self.cell(code))
        return statistics.median(self.wait(self.cell(code))[1] for _ in range(CELLS))

    def queue(self, code):
        start = time.perf_counter()
        for _ in range(QUEUE):
            last = self.cell(code)
        self.wait(last)
        return (time.perf_counter() - start) * 1e3

    def info(self):
        return statistics.median(self.wait(self.send("kernel_info_request", {}))[0] for _ in range(CELLS))

    def memory(self):
        """Resident MiB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024

    def stop(self):
        start = time.perf_counter()
        self.send("shutdown_request", {"restart": False}, self.control)
        self.process.wait(20)
        took = (time.perf_counter() - start) * 1e3
        self.context.destroy(0)
        return took


def measure(sides):
    """{figure: {side: value}}; the sides take turns."""
    starts, stops = ({side: [] for side in sides} for _ in range(2))
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(STARTS):
            for side, (argv, empty, line, python) in sides.items():
                run = Run(argv, folder)
                run.wait(run.send("kernel_info_request", {}), idle=False)
                starts[side].append((time.perf_counter() - run.began) * 1e3)
                if turn == 0:
                    time.sleep(SETTLE)
                    figures.setdefault("kernel_rss_after_start", {})[side] = run.memory()
                    figures.setdefault("kernel_info_to_reply", {})[side] = run.info()
                    figures.setdefault("trivial_cell_to_idle", {})[side] = run.cells(empty)
                    figures.setdefault("printing_cell_to_idle", {})[side] = run.cells(line)
                    figures.setdefault(f"queue_of_{QUEUE}_cells", {})[side] = run.queue(empty)
                    figures.setdefault("kernel_rss_after_cells", {})[side] = run.memory()
                    figures.setdefault("python_cell_to_idle", {})[side] = run.cells(python)
                stops[side].append(run.stop())
    medians = {side: statistics.median(times) for side, times in starts.items()}
    return {"kernel_start_to_kernel_info": medians, **figures,
            "kernel_shutdown_to_exit": {side: statistics.median(times) for side, times in stops.items()}}


def main():
    kernel = str(ROOT / "build/bin/lakebase-kernel")
    sides = {"ours": ([kernel, "-f", "{file}"], "-- nothing", "%version", "%%python\npass"),
             "ipykernel": ([sys.executable, "-m", "ipykernel_launcher", "-f", "{file}"], "pass", "print('x')",
                           "pass")}
    for name, values in measure(sides).items():
        unit = "MiB" if "rss" in name else "ms"
        ours, theirs = values["ours"], values["ipykernel"]
        print(f"{name} {ours:.2f} {unit} ipykernel {theirs:.2f} {unit} ratio {ours / theirs:.3f}", flush=True)


if __name__ == "__main__":
    main()
