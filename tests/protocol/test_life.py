"""Start and end of the kernel: options, connection files, transports, shutdown, signals, the death of the parent."""
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import zmq
from jupyter_wire import PATIENCE, PORTS, Kernel, connection, streams
from tiny_kernel import client, kernel, launch, tiny  # noqa: F401 (fixtures)


def run(program, *args, **more):
    return subprocess.run([str(program), *map(str, args)], capture_output=True, text=True, timeout=PATIENCE, **more)


# ---- options

def test_version_and_help(tiny):
    done = run(tiny, "--version")
    assert done.returncode == 0 and done.stdout.startswith("lakebase-kernel ")
    done = run(tiny, "--help")
    assert done.returncode == 0 and "-f FILE" in done.stdout
    done = run(tiny, "--print-docs")
    assert done.returncode == 0 and done.stdout == "the tiny interpreter\n"


def test_no_connection_file(tiny):
    done = run(tiny)
    assert done.returncode == 2 and "no connection file" in done.stderr and "usage:" in done.stderr


def test_options_of_others_are_ignored(launch):
    kernel = launch(args=["--HistoryManager.hist_file=:memory:", "--debug", "-x", "stray", "--IPKernelApp.x=1"])
    assert kernel.client().request("kernel_info_request")["status"] == "ok"


# ---- connection files

@pytest.mark.parametrize("change, says", [
    ("", "not valid JSON"), ("[]", "object"), ("{", "not valid JSON"), ('{"a":1,"a":2}', "not valid JSON"),
    ({"transport": "udp"}, "transport"), ({"transport": 1}, "transport"), ({"ip": None}, "ip is missing"),
    ({"ip": ""}, "ip is missing"), ({"ip": "x" * 201}, "ip is not"), ({"ip": "127.0.0.1/x"}, "ip is not"),
    ({"ip": "no.such.host.invalid"}, "cannot bind"), ({"ip": "192.0.2.1"}, "cannot bind"),
    ({"shell_port": None}, "shell_port"), ({"hb_port": -1}, "hb_port"), ({"hb_port": 65536}, "hb_port"),
    ({"iopub_port": "x"}, "iopub_port"), ({"iopub_port": 1.5}, "iopub_port"),
    ({"shell_port": 45001, "stdin_port": 45001}, "are both 45001"), ({"key": None}, "key"), ({"key": 5}, "key"),
    ({"key": "k" * 1025}, "longer than 1024"), ({"signature_scheme": "hmac-md5"}, "hmac-sha256"),
    ({"registration_ip": "127.0.0.1", "registration_port": 1}, "registration file"),
    ({"curve_publickey": "x" * 40, "curve_secretkey": "y" * 40}, "CurveZMQ")])
def test_a_bad_connection_file_is_refused_by_name(tiny, state_dir, change, says):
    text = change
    if isinstance(change, dict):
        info = connection(key="very-secret-key")
        info.update(change)
        text = json.dumps({k: v for k, v in info.items() if v is not None})
    path = state_dir / "kernel.json"
    path.write_text(text)
    done = run(tiny, "-f", path)
    assert done.returncode == 1 and says in done.stderr, done
    assert "very-secret-key" not in done.stderr and len(done.stderr.splitlines()) == 1
    assert path.read_text() == text, "the file is left as it was"


def test_a_connection_file_that_is_not_there_or_too_big(tiny, state_dir):
    done = run(tiny, "-f", state_dir / "none.json")
    assert done.returncode == 1 and "none.json" in done.stderr and "no file" in done.stderr
    big = state_dir / "big.json"
    big.write_text(json.dumps(connection()) + " " * (64 << 10))
    done = run(tiny, "-f", big)
    assert done.returncode == 1 and "larger than" in done.stderr
    done = run(tiny, "-f", state_dir)
    assert done.returncode == 1 and "connection file" in done.stderr


def test_chosen_ports_are_written_back(launch):
    info = connection(kernel_name="lakebase", jupyter_session="/x/y.ipynb")
    kernel = launch(info=info)
    ports = [kernel.info[f"{name}_port"] for name in PORTS]
    assert len(set(ports)) == 5 and all(ports)
    assert {k: v for k, v in kernel.info.items() if not k.endswith("_port")} == \
        {k: v for k, v in info.items() if not k.endswith("_port")}
    assert stat.S_IMODE(kernel.file.stat().st_mode) == 0o600
    assert kernel.client().request("kernel_info_request")["status"] == "ok"


def test_given_ports_and_unknown_keys_are_kept(tiny, launch, state_dir):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS]
    info = connection(**{f"{name}_port": s.getsockname()[1] for name, s in zip(PORTS, sockets)})
    path = state_dir / "taken.json"
    path.write_text(json.dumps(info))
    done = run(tiny, "-f", path)
    assert done.returncode == 1 and "Address already in use" in done.stderr
    for s in sockets:
        s.close()
    text_ports = {key: str(value) if key.endswith("_port") else value for key, value in info.items()}
    kernel = launch(info={**text_ports, "something": {"else": 1}})
    assert kernel.info["something"] == {"else": 1} and kernel.info["shell_port"] == text_ports["shell_port"]
    assert kernel.client().request("kernel_info_request")["status"] == "ok"


def test_ipv6(launch):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as e:
        pytest.skip(f"no IPv6 loopback here: {e}")
    kernel = launch(info=connection(ip="::1"))
    with zmq.Context() as context, context.socket(zmq.REQ) as s:
        s.setsockopt(zmq.IPV6, 1)
        s.linger = 0
        s.connect(f"tcp://[::1]:{kernel.info['hb_port']}")
        s.send(b"x")
        assert s.poll(20000) and s.recv() == b"x"


@pytest.mark.parametrize("first", [0, 1])
def test_ipc(launch, state_dir, first):
    prefix = str(state_dir / "k-ipc")
    ports = {f"{name}_port": first and n for n, name in enumerate(PORTS, 1)}
    kernel = launch(info=connection("ipc", prefix, **ports))
    assert sorted(kernel.info[f"{name}_port"] for name in PORTS) == [1, 2, 3, 4, 5]
    client = kernel.client()
    for n in range(1, 6):
        assert stat.S_IMODE(os.stat(f"{prefix}-{n}").st_mode) & 0o077 == 0, "nobody else may connect"
    assert streams(client.run("echo over ipc")[1]) == "over ipc"
    msg_id = client.execute("ask x", allow_stdin=True)
    client.receive("stdin")
    client.send("input_reply", {"value": "y"}, channel="stdin")
    assert client.reply(msg_id)["content"]["status"] == "ok"
    client.send("shutdown_request", {"restart": False}, channel="control")
    assert kernel.ended() == 0
    assert not list(state_dir.glob("k-ipc-*")), "the sockets are removed"


def test_a_start_that_fails_leaves_no_sockets(tiny, state_dir):
    prefix = state_dir / "k-ipc"
    (state_dir / "k-ipc-5").mkdir()
    ports = {f"{name}_port": i for i, name in enumerate(["shell", "iopub", "stdin", "control", "hb"], 1)}
    path = state_dir / "kernel.json"
    path.write_text(json.dumps(connection("ipc", str(prefix), **ports)))
    done = run(tiny, "-f", path)
    assert done.returncode == 1 and "cannot bind hb" in done.stderr, done
    assert sorted(p.name for p in state_dir.iterdir()) == ["k-ipc-5", "kernel.json"]


def test_an_ipc_path_that_is_too_long(tiny, state_dir):
    path = state_dir / "kernel.json"
    path.write_text(json.dumps(connection("ipc", f"{state_dir}/" + "x" * 100)))
    done = run(tiny, "-f", path)
    assert done.returncode == 1 and "too long" in done.stderr and "JUPYTER_RUNTIME_DIR" in done.stderr


def test_without_a_home_and_a_state_folder(launch):
    kernel = launch(environ={"LAKEBASE_STATE_DIR": "/proc/no/such/place"})
    client = kernel.client()
    client.run("echo x")
    history = client.request("history_request", {"hist_access_type": "tail", "n": 5, "output": False, "raw": True})
    assert history["history"] == [[1, 1, "echo x"]]
    assert kernel.text().count("in memory only") == 1


# ---- shutdown

@pytest.mark.parametrize("restart", [True, False])
@pytest.mark.parametrize("channel", ["control", "shell"])
def test_shutdown(kernel, restart, channel):
    clients = [kernel.client(), kernel.client()]
    msg_id = clients[0].send("shutdown_request", {"restart": restart}, channel=channel)
    assert clients[0].reply(msg_id, channel)["content"] == {"status": "ok", "restart": restart}
    for client in clients:
        kinds = [m["msg_type"] for m in client.outputs(msg_id)]
        assert kinds == ["status", "shutdown_reply", "status"]
    assert kernel.ended() == 0


@pytest.mark.parametrize("code, status", [("wait", "error"), ("hang", "aborted"), ("ask x", "error")])
def test_shutdown_during_a_cell(kernel, code, status):
    client = kernel.client()
    cell = client.execute(code, allow_stdin=True)
    waiting = client.execute("echo never")
    if code.startswith("ask"):
        client.receive("stdin")
    else:
        client.until(cell, "stream")
    msg_id = client.send("shutdown_request", {"restart": False}, channel="control")
    assert client.reply(msg_id, "control")["content"]["status"] == "ok"
    ended = client.reply(cell)["content"]
    assert ended["status"] == status and ended.get("ename") == ("KeyboardInterrupt" if status == "error" else None)
    assert client.outputs(cell)[-1]["content"]["execution_state"] == "idle"
    assert client.reply(waiting)["content"]["status"] == "aborted"
    assert kernel.ended() == 0


def test_no_cell_begins_after_a_shutdown(kernel, state_dir):
    """Neither the one that waits behind a cell that ends well, nor one that comes along with the request."""
    client = kernel.client()
    client.until(client.execute("calm"), "stream")
    waiting = client.execute(f"touch {state_dir}/waited", stop_on_error=False)
    client.send("shutdown_request", {"restart": False}, channel="control")
    client.execute(f"touch {state_dir}/late", stop_on_error=False)
    assert client.receive("shell")["content"]["status"] == "ok"
    assert client.reply(waiting)["content"]["status"] == "aborted"
    assert kernel.ended() == 0
    assert not (state_dir / "waited").exists() and not (state_dir / "late").exists()


def test_shutdown_with_a_reader_that_does_not_read(kernel):
    """A subscriber that stopped reading cannot hold the kernel."""
    lazy, client = kernel.client(), kernel.client()
    lazy.sockets["iopub"].rcvhwm = 1
    client.until(client.execute("bytes 50000000"), "status", "idle")
    client.send("shutdown_request", {"restart": False}, channel="control")
    assert kernel.ended() == 0


def test_shutdown_right_after_an_interrupt(kernel):
    """jupyter_client sends both at once."""
    client = kernel.client()
    client.until(client.execute("wait"), "stream")
    client.send("interrupt_request", channel="control")
    client.send("shutdown_request", {"restart": True}, channel="control")
    assert kernel.ended() == 0


@pytest.mark.parametrize("code", [None, "wait", "hang"])
def test_sigterm(kernel, code):
    client = kernel.client()
    if code:
        client.until(client.execute(code), "stream")
    kernel.process.terminate()
    assert kernel.ended() == 0


def test_restart_gets_a_new_session_and_the_old_ports(launch):
    kernel = launch()
    client = kernel.client()
    old = client.kernel_session
    client.send("shutdown_request", {"restart": True}, channel="control")
    assert kernel.ended() == 0
    again = launch(info=kernel.info)
    assert {k: v for k, v in again.info.items()} == kernel.info
    assert again.client().kernel_session != old


# ---- the parent

PARENT = """
import os, subprocess, sys, time
environ = dict(os.environ, JPY_PARENT_PID=sys.argv[1].replace("self", str(os.getpid())))
kernel = subprocess.Popen(sys.argv[2:], env=environ, stdin=subprocess.DEVNULL, start_new_session=True)
print(kernel.pid, flush=True)
time.sleep(1000)
"""


def gone(pid):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("code", [None, "wait", "hang"])
def test_the_kernel_does_not_outlive_its_parent(tiny, state_dir, code):
    path = state_dir / "kernel.json"
    path.write_text(json.dumps(connection()))
    parent = subprocess.Popen([sys.executable, "-c", PARENT, "self", tiny, "-f", path], stdout=subprocess.PIPE,
                              text=True, env={**os.environ, "LAKEBASE_STATE_DIR": str(state_dir)})
    pid = int(parent.stdout.readline())
    try:
        watch = Kernel.__new__(Kernel)
        watch.file, watch.process, watch.clients = path, parent, []
        watch.wait_for_ports()
        client = watch.client()
        if code:
            client.until(client.execute(code), "stream")
        else:
            client.request("kernel_info_request")
        parent.kill()
        parent.wait()
        assert gone(pid), "the kernel lives on"
        client.close()
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
        if not gone(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("said", [None, "", "1", "junk", "999999999"])
def test_other_parents_do_not_end_it(launch, said):
    """Without JPY_PARENT_PID, with 1 (a container) or with one that is not ours, a living parent is enough."""
    kernel = launch(environ={"JPY_PARENT_PID": said or ""})
    client = kernel.client()
    assert client.run("wait 1300")[0]["content"]["status"] == "ok"  # longer than one look at the parent
    assert kernel.process.poll() is None


# ---- secrets in memory

@pytest.mark.parametrize("debuggable", ["", "1"])
def test_memory_is_closed_to_others(launch, debuggable):
    """No core dump, no debugger of the same user (unless asked for): the kernel then owns no /proc/PID of its own."""
    user = 65534 if os.geteuid() == 0 else os.geteuid()
    kernel = launch(environ={"LAKEBASE_DEBUGGABLE": debuggable}, user=user)
    assert kernel.client().request("kernel_info_request")["status"] == "ok"
    owner = os.stat(f"/proc/{kernel.process.pid}/status").st_uid
    assert owner == (user if debuggable else 0)
