"""Starts `make lab` through the given command, waits for the server, starts our kernel there, ends everything.

Usage: serve.py LABEL SECONDS COMMAND...      COMMAND gets `lab LAB_ARGS=... LAB_PORT=...` appended
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


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, command):
        self.port, self.token = free_port(), secrets.token_hex(16)
        options = f"LAB_ARGS=--no-browser --ip=127.0.0.1 --IdentityProvider.token={self.token}"
        self.started = time.monotonic()
        self.process = subprocess.Popen([*command, "lab", options, f"LAB_PORT={self.port}"], start_new_session=True,
                                        stdin=subprocess.DEVNULL)

    def ask(self, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}",
                                         headers={"Authorization": f"token {self.token}"},
                                         data=json.dumps(body).encode() if body else None)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return json.load(answer)

    def until(self, question, deadline, what):
        """Poll question() until it is true; a server that ends first, or never answers, is an error."""
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise SystemExit(f"make lab ended with status {self.process.returncode} before {what}")
            try:
                if answer := question():
                    return answer
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                pass
            time.sleep(0.1)
        raise SystemExit(f"no {what} in time")

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


def main(label, seconds, *command):
    server = Server(command)
    try:
        deadline = server.started + float(seconds)
        version = server.until(lambda: server.ask("/api"), deadline, "answer on /api")["version"]
        served = time.monotonic() - server.started
        specs = server.ask("/api/kernelspecs")["kernelspecs"]
        if "lakebase" not in specs:
            raise SystemExit(f"the server knows no lakebase kernel, only {sorted(specs)}")
        kernel = server.ask("/api/kernels", {"name": "lakebase"})["id"]
        # "idle" comes from the kernel itself: it has answered kernel_info
        server.until(lambda: server.ask(f"/api/kernels/{kernel}")["execution_state"] == "idle",
                     time.monotonic() + 30, "idle kernel")
    finally:
        server.end()
    print(f"fresh: {label}: Jupyter server {version} after {served:.1f} s, lists lakebase, its kernel came up", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
