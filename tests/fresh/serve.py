"""Starts `make lab` in the fresh root, waits for the server, asks it for our kernel, runs a cell, ends everything.

Usage: serve.py LABEL SECONDS PROJECT COMMAND...      COMMAND runs what is appended to it inside the root
Prints one line: what was seen and how long it took. Exit status 1 if the server or the kernel did not come.
"""
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request


# Runs with the project's own Python: a client of the installed kernelspec, as a notebook is.
RUN_A_CELL = """
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="lakebase")
client.execute_interactive("%version", timeout=30)
client.stop_channels()
manager.shutdown_kernel()
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, project, command):
        self.port, self.token = free_port(), secrets.token_hex(16)
        options = f"LAB_ARGS=--no-browser --ip=127.0.0.1 --IdentityProvider.token={self.token}"
        self.started = time.monotonic()
        self.process = subprocess.Popen([*command, "make", "-C", project, "lab", options, f"LAB_PORT={self.port}"], start_new_session=True,
                                        stdin=subprocess.DEVNULL)

    def ask(self, path):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}",
                                         headers={"Authorization": f"token {self.token}"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return json.load(answer)

    def answer(self, path, deadline):
        """Poll until the server answers; one that ends first, or never answers, is an error."""
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise SystemExit(f"make lab ended with status {self.process.returncode} and never answered")
            try:
                return self.ask(path)
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.1)
        raise SystemExit(f"no answer on {path} in time")

    def end(self):
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, sign)
                self.process.wait(timeout=30)
                return
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue


def main(label, seconds, project, *command):
    server = Server(project, command)
    try:
        version = server.answer("/api", server.started + float(seconds))["version"]
        served = time.monotonic() - server.started
        specs = server.ask("/api/kernelspecs")["kernelspecs"]
        if "lakebase" not in specs:
            raise SystemExit(f"the server knows no lakebase kernel, only {sorted(specs)}")
        cell = subprocess.run([*command, f"{project}/.venv/bin/python", "-c", RUN_A_CELL], text=True, timeout=120,
                              capture_output=True)
    finally:
        server.end()
    if cell.returncode or not cell.stdout.strip():
        raise SystemExit(f"the kernel does not run a cell: {cell.stderr}")
    print(f"fresh: {label}: Jupyter server {version} after {served:.1f} s; a cell of its kernel: "
          f"{cell.stdout.strip().splitlines()[0]}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
