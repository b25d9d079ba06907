"""`run --ephemeral`: a workspace for one run of somebody's tests. What it must show is that nothing is left, however it ends."""
import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
import threading
from pathlib import Path

import psycopg
import pytest

from api import Api
from conftest import WORKSPACE, processes_of, wait_until

ENDS_WITHIN = 30


class Ephemeral:
    def __init__(self, temp, *options, **more):
        self.temp = temp
        env = {**os.environ, "TMPDIR": str(temp), "LAKEBASE_STATE_DIR": str(temp / "not-this-one")}
        self.process = subprocess.Popen([WORKSPACE, "run", "--ephemeral", *options], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
        line = self.process.stdout.readline()
        self.env = json.loads(line) if "--json" in options else line
        if "--json" in options:
            self.state_dir = Path(self.env["LAKEBASE_STATE_DIR"])
            self.api = Api(self.env["DATABRICKS_HOST"], self.env["DATABRICKS_TOKEN"])

    def query(self, name="a"):
        """An instance and a statement in it; the server's own folder."""
        self.api.create(name, capacity="CU_1")
        with psycopg.connect(host=self.api.get(name)["read_write_dns"], user="learner@example.com", dbname="databricks_postgres",
                             sslmode="verify-full", sslrootcert=self.env["PGSSLROOTCERT"], password=self.api.credential(name)) as pg:
            return pg.execute("SHOW data_directory").fetchone()[0]

    def end(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        return self.process.wait(ENDS_WITHIN)


def assert_nothing_left(state_dir):
    assert wait_until(lambda: not state_dir.exists() and not processes_of(state_dir), ENDS_WITHIN), processes_of(state_dir)


@pytest.fixture
def temp(state_dir):
    os.chmod(state_dir, 0o755)  # the server user of root goes through
    return state_dir


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_serves_and_leaves_nothing(temp, sig):
    one = Ephemeral(temp, "--json")
    assert Path(one.query()).is_relative_to(one.state_dir) and one.state_dir.parent == temp
    assert set(one.env) == {"DATABRICKS_HOST", "DATABRICKS_TOKEN", "NODE_EXTRA_CA_CERTS", "PGSSLROOTCERT", "LAKEBASE_STATE_DIR"}
    assert one.end(sig) == 0
    assert os.listdir(temp) == [] and not processes_of(one.state_dir)
    assert one.process.stderr.read() == "" and one.process.stdout.read() == ""


def test_what_a_person_reads(temp):
    one = Ephemeral(temp)
    assert "serves on http://127.0.0.1:" in one.env
    hint = one.process.stdout.readline()
    env = subprocess.run(hint.split(": ", 1)[1], shell=True, env={**os.environ, "PATH": f"{Path(WORKSPACE).parent}:{os.environ['PATH']}"},
                         capture_output=True, text=True, check=True).stdout
    assert one.env.split()[3] in env and "DATABRICKS_TOKEN=" in env and "LAKEBASE_STATE_DIR" not in env
    assert one.end() == 0 and os.listdir(temp) == []


def test_it_ends_with_its_parent(temp):
    """The parent is killed: it can tell nobody."""
    parent = subprocess.Popen([sys.executable, "-c", "import subprocess, sys, time\n"
                               f"subprocess.Popen([{str(WORKSPACE)!r}, 'run', '--ephemeral', '--json', '--with-parent'])\ntime.sleep(600)"],
                              env={**os.environ, "TMPDIR": str(temp)}, stdout=subprocess.PIPE, text=True)
    env = json.loads(parent.stdout.readline())
    parent.kill()
    parent.wait()
    assert_nothing_left(Path(env["LAKEBASE_STATE_DIR"]))


def test_it_outlives_its_parent_unless_asked(temp):
    parent = subprocess.Popen(["sh", "-c", f"{WORKSPACE} run --ephemeral --json & echo $!"], env={**os.environ, "TMPDIR": str(temp)},
                              stdout=subprocess.PIPE, text=True)
    pid, env = int(parent.stdout.readline()), json.loads(parent.stdout.readline())
    assert parent.wait(ENDS_WITHIN) == 0
    assert Api(env["DATABRICKS_HOST"], env["DATABRICKS_TOKEN"]).ok("GET", "/api/2.0/database/instances") == {}
    os.kill(pid, signal.SIGTERM)
    assert_nothing_left(Path(env["LAKEBASE_STATE_DIR"]))


def test_a_killed_watcher_takes_its_workspace_along(temp):
    """And the files that are left go when the next one starts, which leaves those alone that are in use."""
    in_use, killed = Ephemeral(temp, "--json"), Ephemeral(temp, "--json")
    killed.query()
    killed.end(signal.SIGKILL)
    assert wait_until(lambda: not processes_of(killed.state_dir), ENDS_WITHIN)
    assert killed.state_dir.exists()
    (temp / "lakebase-ephemeral-mine").write_text("a file of somebody's")
    (temp / "lakebase-ephemeral-new").mkdir()  # as between its making and its lock
    third = Ephemeral(temp, "--json")
    assert not killed.state_dir.exists() and in_use.state_dir.exists()
    assert (temp / "lakebase-ephemeral-mine").exists() and (temp / "lakebase-ephemeral-new").exists()
    assert in_use.query() and third.query()
    assert in_use.end() == third.end() == 0


def test_a_workspace_that_dies_is_told_of(temp):
    one = Ephemeral(temp, "--json")
    one.query()
    os.kill(int(json.loads((one.state_dir / "workspace.json").read_text())["pid"]), signal.SIGKILL)
    assert one.process.wait(ENDS_WITHIN) == 1
    assert "the workspace ended by itself" in one.process.stderr.read()
    assert os.listdir(temp) == [] and not processes_of(one.state_dir)


def test_nobody_reads_the_readiness_line(temp):
    read, write = os.pipe()
    os.close(read)
    process = subprocess.run([WORKSPACE, "run", "--ephemeral", "--json"], env={**os.environ, "TMPDIR": str(temp)}, stdout=write,
                             stderr=subprocess.PIPE, text=True, timeout=ENDS_WITHIN)
    os.close(write)
    assert process.returncode == 1 and "nobody reads the output" in process.stderr
    assert os.listdir(temp) == []


def command(temp, *words, **more):
    return subprocess.Popen([WORKSPACE, "run", "--ephemeral", "--", *words], env={**os.environ, "TMPDIR": str(temp)}, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **more)


def ended(temp, process):
    """(exit status, output, errors) of a command; nothing is left of its workspace."""
    out, errors = process.communicate(timeout=ENDS_WITHIN)
    assert os.listdir(temp) == []
    return process.returncode, out, errors


def test_a_command_runs_in_its_environment(temp):
    script = "import os, sys; print(sorted(n for n in os.environ if n in sys.argv)); sys.exit(7)"
    names = ["DATABRICKS_HOST", "DATABRICKS_TOKEN", "LAKEBASE_STATE_DIR", "NODE_EXTRA_CA_CERTS", "PGSSLROOTCERT"]
    assert ended(temp, command(temp, sys.executable, "-c", script, *names)) == (7, f"{names}\n", "")
    assert ended(temp, command(temp, "sh", "-c", "kill -9 $$")) == (137, "", "")
    assert ended(temp, command(temp, "no-such-program")) == (127, "", "lakebase-workspace: cannot run 'no-such-program': No such file or directory\n")
    asks = ("import os, urllib.request as u; print(u.urlopen(u.Request(os.environ['DATABRICKS_HOST'] + '/api/2.0/database/instances', "
            "headers={'Authorization': 'Bearer ' + os.environ['DATABRICKS_TOKEN']})).read().decode())")
    assert ended(temp, command(temp, sys.executable, "-c", asks)) == (0, "{}\n", "")


def test_a_command_is_told_first(temp):
    """It has its time to tidy up, with the workspace there; from a terminal it hears of Ctrl-C once."""
    script = ("import signal, sys, time\n"
              "def told(n, _):\n    time.sleep(0.3); print('told', n, flush=True)\n    if n != signal.SIGINT: sys.exit(3)\n"
              "[signal.signal(n, told) for n in (signal.SIGTERM, signal.SIGINT)]\nprint('up', flush=True)\nwhile True: time.sleep(1)")
    process = command(temp, sys.executable, "-c", script)
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    assert ended(temp, process) == (3, f"told {signal.SIGTERM.value}\n", "")
    master, slave = os.openpty()
    process = command(temp, sys.executable, "-c", script, stdin=slave, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    assert process.stdout.readline() == "up\n"
    os.write(master, b"\x03")
    assert process.stdout.readline() == f"told {signal.SIGINT.value}\n"
    process.send_signal(signal.SIGTERM)
    assert ended(temp, process) == (3, f"told {signal.SIGTERM.value}\n", "")
    os.close(master)
    os.close(slave)


def test_a_command_whose_workspace_dies_is_ended(temp):
    kill = "import json, os, time; p = json.load(open(os.environ['LAKEBASE_STATE_DIR'] + '/workspace.json'))['pid']; os.kill(int(p), 9); time.sleep(600)"
    status, out, errors = ended(temp, command(temp, sys.executable, "-c", kill))
    assert status == 128 + signal.SIGTERM and errors == "lakebase-workspace: the workspace ended by itself\n"


def test_ten_at_once(temp):
    """Each with an instance of the same name: no address is used twice."""
    ten, folders = [None] * 10, [None] * 10

    def one(i):
        ten[i] = Ephemeral(temp, "--json")
        folders[i] = ten[i].query("same")

    threads = [threading.Thread(target=one, args=(i,)) for i in range(10)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(set(folders)) == 10 and all(folders)
    assert len({e.api.get("same")["read_write_dns"] for e in ten}) == 10
    assert [e.end() for e in ten] == [0] * 10
    assert os.listdir(temp) == []


@pytest.mark.parametrize("options, says", [
    (["--json"], "run: --json goes with --ephemeral"), (["--with-parent"], "run: --with-parent goes with --ephemeral"),
    (["--ephemeral", "--port", "x"], "run: --port takes a number"), (["more"], "run: a command goes with --ephemeral"),
    (["--ephemeral", "--json", "--", "true"], "run: the output is the command's"), (["--ephemeral", "--yes"], "run: option '--yes' is not understood"),
])
def test_wrong_usage(temp, options, says):
    process = subprocess.run([WORKSPACE, "run", *options], env={**os.environ, "TMPDIR": str(temp), "LAKEBASE_STATE_DIR": str(temp / "state")},
                             capture_output=True, text=True, timeout=ENDS_WITHIN)
    assert process.returncode == 2 and says in process.stderr
    assert os.listdir(temp) == []


def test_a_port_that_is_taken_is_named(temp, workspace):
    port = Api.of(workspace).address.rsplit(":", 1)[1]
    process = subprocess.run([WORKSPACE, "run", "--ephemeral", "--port", port], env={**os.environ, "TMPDIR": str(temp)}, capture_output=True,
                             text=True, timeout=ENDS_WITHIN)
    assert process.returncode == 1 and port in process.stderr
    assert os.listdir(temp) == []


def test_a_folder_that_is_not_there_is_named(tmp_path):
    process = subprocess.run([WORKSPACE, "run", "--ephemeral"], env={**os.environ, "TMPDIR": str(tmp_path / "none")}, capture_output=True, text=True)
    assert process.returncode == 1 and f"{tmp_path}/none" in process.stderr
