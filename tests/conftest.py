"""What the Python tests share: a private home, programs of the chosen build, a workspace, a kernelspec.

VARIANT=asan (tsan, ...) picks another build. No test can reach the state folder, the Jupyter or Databricks
settings or the PostgreSQL settings of whoever runs it. What a test leaves running is ended, and fails it.
"""
import json
import os
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
VARIANT = os.environ.get("VARIANT", "release")
BIN = ROOT / "build" / ("bin" if VARIANT == "release" else f"{VARIANT}/bin")
KERNEL, WORKSPACE = BIN / "lakebase-kernel", BIN / "lakebase-workspace"
FOREIGN = ("DATABRICKS_", "PG", "JUPYTER", "IPYTHON", "LAKEBASE_", "XDG_")


def program(path):
    if not path.exists():
        pytest.fail(f"{path.relative_to(ROOT)} is not built: make build VARIANT={VARIANT}", pytrace=False)
    return path


def short_dir(prefix):
    """A temp folder with a short path (unix sockets end at 107 bytes) that the server user of root mode can enter."""
    path = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    path.chmod(0o711 if os.geteuid() == 0 else 0o700)
    return path


def lock_holders(folder):
    """Pids of the workspaces whose state folder is this one or one right inside it."""
    inodes = {str(lock.stat().st_ino) for lock in [*Path(folder).glob("workspace.lock"), *Path(folder).glob("*/workspace.lock")]}
    rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return {int(row[4]) for row in rows if row[1] == "POSIX" and row[5].rpartition(":")[2] in inodes}


def processes_of(folder):
    """{pid: command} of all that runs inside the folder or was told to keep its state there. Our own programs do not let
    an ordinary user look at their folder and environment (no core dumps): the lock tells which server it is, and its
    children are its own."""
    found, closed, told = {}, {}, f"\0LAKEBASE_STATE_DIR={folder}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:120]
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            if state == "Z":
                continue
            inside = Path(os.readlink(entry / "cwd")).is_relative_to(folder)
            environ = b"\0" + (entry / "environ").read_bytes() + b"\0"
        except PermissionError:
            if "lakebase-workspace" in command:
                closed[int(entry.name)] = (int(parent), command)
            continue
        except (OSError, ValueError):
            continue  # it ended meanwhile
        if inside or told + b"\0" in environ or told + b"/" in environ:
            found[int(entry.name)] = command
    holders = lock_holders(folder) if closed else ()
    found.update({pid: command for pid, (parent, command) in closed.items() if pid in holders or parent in holders})
    return found


def wait_until(ask, seconds=20, step=0.02):
    """Poll until ask() is true; its last answer."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()) and time.monotonic() < deadline:
        time.sleep(step)
    return answer


def end_leftovers(folder):
    """Kill what still belongs to the folder; what that was."""
    wait_until(lambda: not processes_of(folder), seconds=5)
    left = processes_of(folder)
    for pid in left:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    wait_until(lambda: not processes_of(folder), seconds=5)
    return left


def entries_below(folder):
    """(path, its lstat) of all below a folder that others are at work in: what goes away meanwhile is left out.
    (Path.rglob fails on it.)"""
    for parent, folders, files in os.walk(folder):
        for name in folders + files:
            path = Path(parent, name)
            try:
                yield path, path.lstat()
            except FileNotFoundError:
                continue


def files_below(folder):
    """The readable regular files of such a folder, each with its content."""
    for path, info in entries_below(folder):
        if stat.S_ISREG(info.st_mode):
            try:
                yield path, path.read_bytes()
            except (FileNotFoundError, PermissionError):
                continue


class Workspace:
    """A workspace server with a state folder of its own."""

    def __init__(self, state_dir):
        self.state_dir = Path(state_dir)
        self.environ = {**os.environ, "LAKEBASE_STATE_DIR": str(state_dir)}
        self.environ["PATH"] = f"{BIN}:{ROOT / '.venv/bin'}:{os.environ['PATH']}"

    def run(self, *args, check=True, timeout=60, **more):
        """lakebase-workspace ARGS; a CompletedProcess with text. Output goes through files: a server that the
        command leaves running must not keep a pipe, and this call, open."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            done = subprocess.run([program(WORKSPACE), *args], env=self.environ, stdin=subprocess.DEVNULL,
                                  stdout=out, stderr=err, timeout=timeout, **more)
            for stream in (out, err):
                stream.seek(0)
            done.stdout, done.stderr = out.read(), err.read()
        if check and done.returncode:
            raise AssertionError(f"lakebase-workspace {' '.join(args)}: exit status {done.returncode}\n"
                                 f"{done.stdout}{done.stderr}{self.log_tail()}")
        return done

    def log_tail(self):
        logs = sorted((path, content) for path, content in files_below(self.state_dir) if path.suffix == ".log")
        return "".join(f"--- {log}\n{content[-2000:].decode(errors='replace')}" for log, content in logs)

    def start(self):
        self.run("start")
        return self

    @property
    def env(self):
        """What `lakebase-workspace env` exports, as a dict."""
        words = shlex.split(self.run("env").stdout, comments=True)
        return dict(word.split("=", 1) for word in words if "=" in word)

    @property
    def host(self):
        return self.env["DATABRICKS_HOST"]

    @property
    def token(self):
        return self.env["DATABRICKS_TOKEN"]

    @property
    def client_environ(self):
        """The environment of an official client (or kernel) that talks to this workspace."""
        return {**self.environ, **self.env}


@contextmanager
def running_workspace():
    state_dir = short_dir("lb-")
    workspace = Workspace(state_dir)
    try:
        yield workspace.start()
    finally:
        try:
            workspace.run("reset", "--yes", check=False)
            workspace.run("stop", "--all", check=False)
        finally:
            left = end_leftovers(state_dir)
            shutil.rmtree(state_dir, ignore_errors=True)
        assert not left, f"still running after stop --all: {left}"


@pytest.fixture(scope="session", autouse=True)
def private_home():
    """HOME and state of the whole run in a temp folder; nothing of the user's is read or written."""
    home, before = short_dir("lbh-"), dict(os.environ)
    for name in list(os.environ):
        if name.startswith(FOREIGN):
            del os.environ[name]
    state = home / "state"
    state.mkdir(mode=0o711)
    os.environ.update(HOME=str(home), LAKEBASE_STATE_DIR=str(state), JUPYTER_PLATFORM_DIRS="1",
                      JUPYTER_CONFIG_DIR=f"{home}/jupyter/config", JUPYTER_DATA_DIR=f"{home}/jupyter/data",
                      JUPYTER_RUNTIME_DIR=f"{home}/jupyter/run", IPYTHONDIR=f"{home}/ipython",
                      PATH=f"{ROOT / '.venv/bin'}:{before['PATH']}")
    yield home
    if any(state.iterdir()) and WORKSPACE.exists():
        Workspace(state).run("stop", "--all", check=False)
    left = end_leftovers(home)
    os.environ.clear()
    os.environ.update(before)
    shutil.rmtree(home, ignore_errors=True)
    assert not left, f"the tests left running: {left}"


@pytest.fixture
def state_dir():
    """An empty state folder with a short path; what still runs in it at the end fails the test."""
    path = short_dir("lb-")
    yield path
    left = end_leftovers(path)
    shutil.rmtree(path, ignore_errors=True)
    assert not left, f"the test left running: {left}"


@pytest.fixture(scope="module")
def workspace():
    """A started workspace, shared by the tests of one file."""
    with running_workspace() as started:
        yield started


@pytest.fixture
def own_workspace():
    """A started workspace for one test alone (one that kills, stops or fills it)."""
    with running_workspace() as started:
        yield started


@pytest.fixture(scope="session")
def kernelspec(private_home):
    """Installs the kernelspec `lakebase` where only these tests look (JUPYTER_PATH is set); its folder."""
    folder = private_home / "spec/kernels/lakebase"
    folder.mkdir(parents=True)
    spec = (ROOT / "kernelspec/kernel.json.in").read_text().replace("@KERNEL@", str(program(KERNEL)))
    json.loads(spec)
    (folder / "kernel.json").write_text(spec)
    for logo in (ROOT / "kernelspec").glob("logo-*"):
        shutil.copy(logo, folder)
    os.environ["JUPYTER_PATH"] = str(private_home / "spec")
    return folder
