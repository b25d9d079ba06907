"""The kernel as it is shipped, with real SQL and real processes below it: what interrupts and the end of the kernel leave
behind, what it loads, and nbclient as a front end."""
import os
import re
import signal
from pathlib import Path

import nbformat
import pytest
from jupyter_wire import PATIENCE, Kernel, streams
from nbclient import NotebookClient

from conftest import KERNEL, processes_of, program, wait_until

COUNT = "SELECT count(*) AS sleepers FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid();"


@pytest.fixture(scope="module")
def instance(workspace):
    """A workspace with an instance of the name jupyter."""
    with Kernel(program(KERNEL), workspace.state_dir) as kernel:
        reply, _ = kernel.client().run("%instance create jupyter")
        assert reply["content"]["status"] == "ok", reply["content"]
    return workspace


@pytest.fixture
def kernel(instance):
    with Kernel(program(KERNEL), instance.state_dir) as started:
        yield started


@pytest.fixture
def client(kernel):
    connected = kernel.client()
    assert connected.run("%connect jupyter")[0]["content"]["status"] == "ok"
    return connected


def maps(kernel):
    return Path(f"/proc/{kernel.process.pid}/maps").read_text()


def started_by(kernel):
    """Commands of the living children of the kernel."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == kernel.process.pid and state != "Z":
                found.append((stat.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def text_of(outputs):
    return "\n".join(m["content"]["data"]["text/plain"] for m in outputs if "data" in m["content"])


def test_it_starts_without_libpq_and_libcurl(kernel):
    client = kernel.client()
    client.run("-- nothing")
    assert "libzmq" in maps(kernel) and "libpq" not in maps(kernel) and "libcurl" not in maps(kernel)
    client.run("%connect jupyter")
    assert "libpq" in maps(kernel) and "libcurl" in maps(kernel)


@pytest.mark.parametrize("how", ["message", "signal", "group"])
def test_an_interrupt_cancels_the_query_on_the_server_and_keeps_the_session(kernel, client, how):
    client.run("CREATE TEMP TABLE IF NOT EXISTS mine AS SELECT 1 AS here;")
    other = kernel.client()
    cell = client.execute("SELECT pg_sleep(1000);")
    client.until(cell, "execute_input")
    if how == "message":
        client.send("interrupt_request", channel="control")
    else:
        (os.kill if how == "signal" else os.killpg)(kernel.process.pid, signal.SIGINT)
    assert client.reply(cell)["content"]["ename"] == "KeyboardInterrupt"
    reply, outputs = other.run("SELECT here FROM mine;")
    assert reply["content"]["status"] == "ok" and "1" in text_of(outputs)
    assert re.search(r"^ +0$", text_of(other.run(COUNT)[1]), re.M)


@pytest.mark.parametrize("end", ["shutdown", "sigterm"])
def test_the_end_of_the_kernel_ends_its_query_and_its_processes(instance, kernel, client, end):
    with Kernel(program(KERNEL), instance.state_dir) as watcher:
        watching = watcher.client()
        watching.run("%connect jupyter")
        cell = client.execute("SELECT pg_sleep(1000);")
        client.until(cell, "execute_input")
        assert wait_until(lambda: re.search(r"^ +1$", text_of(watching.run(COUNT)[1]), re.M))
        if end == "shutdown":
            client.send("shutdown_request", {"restart": False}, channel="control")
        else:
            kernel.process.terminate()
        assert kernel.ended() == 0
        assert wait_until(lambda: re.search(r"^ +0$", text_of(watching.run(COUNT)[1]), re.M))


def sleeping(kernel):
    return {pid for pid, command in processes_of(kernel.file.parent).items() if "sleep 1000" in command}


@pytest.mark.parametrize("end", ["interrupt", "shutdown", "sigterm", "sigkill", "sigkill to the group"])
def test_no_process_of_a_cell_stays(kernel, end):
    client = kernel.client()
    # A job in a process group of its own: an interrupt leaves such a one alone, as a terminal does.
    job = "set -m; (sleep 1000; true) & set +m" if "kill" in end else ""
    cell = client.execute(f"%%bash\n{job}\necho started; sleep 1000 | sleep 1000")
    client.until(cell, "stream")
    assert started_by(kernel)
    before = wait_until(lambda: len(found := sleeping(kernel)) == 2 + bool(job) and found)
    assert before, processes_of(kernel.file.parent)
    if end == "interrupt":
        client.send("interrupt_request", channel="control")
        assert client.reply(cell)["content"]["ename"] == "KeyboardInterrupt"
    elif end == "shutdown":
        client.send("shutdown_request", {"restart": False}, channel="control")
        assert kernel.ended() == 0
    elif end == "sigterm":
        kernel.process.terminate()
        assert kernel.ended() == 0
    else:
        (os.killpg if "group" in end else os.kill)(kernel.process.pid, signal.SIGKILL)
        kernel.ended()
    assert wait_until(lambda: not [p for p in before if Path(f"/proc/{p}").exists()]), processes_of(kernel.file.parent)


def test_a_daemon_of_a_cell_stays(kernel):
    client = kernel.client()
    client.run("%%bash\nsetsid sleep 1000 </dev/null >/dev/null 2>&1 &\n")
    cell = client.execute("%%bash\nsetsid sleep 1000 </dev/null >/dev/null 2>&1 &\necho started; sleep 1000")
    client.until(cell, "stream")
    assert wait_until(lambda: len(sleeping(kernel)) == 3)
    kernel.process.kill()
    assert wait_until(lambda: len(sleeping(kernel)) == 2)
    for pid in sleeping(kernel):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("end", ["shutdown", "sigterm"])
def test_a_program_that_ignores_signals_ends_with_the_kernel(kernel, end):
    client = kernel.client()
    cell = client.execute("%%bash\ntrap '' INT TERM\necho $$\nsleep 1000; sleep 1000")
    pid = int(client.until(cell, "stream")["content"]["text"])
    if end == "shutdown":
        client.send("shutdown_request", {"restart": False}, channel="control")
    else:
        kernel.process.terminate()
    assert kernel.ended() == 0
    assert wait_until(lambda: not Path(f"/proc/{pid}").exists())


def test_a_killed_kernel_leaves_no_session_on_the_server(instance, kernel, client):
    client.run("BEGIN; CREATE TABLE IF NOT EXISTS half_done (x int);")
    kernel.process.kill()
    kernel.process.wait()
    with Kernel(program(KERNEL), instance.state_dir) as again:
        watching = again.client()
        watching.run("%connect jupyter")
        mine = "SELECT count(*) AS n FROM pg_stat_activity WHERE state LIKE 'idle in transaction%';"
        assert wait_until(lambda: re.search(r"^ 0$", text_of(watching.run(mine)[1]), re.M))
        assert watching.run("SELECT * FROM half_done;")[0]["content"]["status"] == "error"


def matches(client, code):
    return client.request("complete_request", {"code": code, "cursor_pos": len(code)})["matches"]


def test_tab_knows_the_names_of_the_workspace(kernel):
    """In a fresh kernel, before any cell; and at once while a cell runs."""
    client = kernel.client()
    assert wait_until(lambda: matches(client, "%connect ju")) == ["jupyter"]
    assert "main" in matches(client, "%catalog show ")
    assert matches(client, "%use ") == []
    client.run("%connect jupyter as mine")
    assert matches(client, "%use m") == ["mine"]
    cell = client.execute("SELECT pg_sleep(1000);")
    client.until(cell, "execute_input")
    assert matches(client, "%sql --on ") == ["mine"] and matches(client, "%connect j") == ["jupyter"]
    client.send("interrupt_request", channel="control")
    client.reply(cell)


def test_tab_does_not_start_a_workspace(state_dir):
    with Kernel(program(KERNEL), state_dir) as kernel:
        assert matches(kernel.client(), "%connect ") == []
    assert not (state_dir / "databrickscfg").exists()


def test_long_output_of_a_program_arrives_whole(client):
    reply, outputs = client.run("%%bash\nseq 1 200000; seq 5 >&2")
    assert reply["content"]["status"] == "ok"
    assert streams(outputs).split() == [str(n) for n in range(1, 200001)]
    assert streams(outputs, "stderr").split() == list("12345")


def test_signals_of_a_program_are_as_usual(client):
    """The kernel's blocked and ignored signals are not handed down."""
    _, outputs = client.run("%%bash\nyes | head -1; grep -E '^Sig(Blk|Ign)' /proc/self/status")
    words = streams(outputs).split()
    assert words[0] == "y" and words[1::2] == ["SigBlk:", "SigIgn:"]
    assert [int(mask, 16) & 0x7FFFFFFF for mask in words[2::2]] == [0, 0]  # above are those of libc


def test_nbclient_runs_a_notebook(instance, kernelspec, monkeypatch):
    monkeypatch.setenv("LAKEBASE_STATE_DIR", str(instance.state_dir))
    cell = nbformat.v4.new_code_cell
    fails = cell("SELECT 1/0;")
    fails.metadata["tags"] = ["raises-exception"]
    notebook = nbformat.v4.new_notebook(cells=[cell("%connect jupyter"), cell("SELECT 6 * 7 AS answer;"), fails,
                                               cell("SELECT 'after' AS word;")])
    NotebookClient(notebook, kernel_name="lakebase", timeout=60).execute()
    notebook = nbformat.from_dict(notebook)
    nbformat.validate(notebook)
    assert notebook.metadata.language_info.name == "sql"
    assert "42" in notebook.cells[1].outputs[0].data["text/plain"]
    assert notebook.cells[2].outputs[0].output_type == "error"
    assert "after" in notebook.cells[3].outputs[0].data["text/plain"]
    assert [c.execution_count for c in notebook.cells] == [1, 2, 3, 4]


def test_the_kernel_manager_can_start_interrupt_and_restart_it(instance, kernelspec, monkeypatch):
    from jupyter_client.manager import start_new_kernel
    monkeypatch.setenv("LAKEBASE_STATE_DIR", str(instance.state_dir))
    manager, client = start_new_kernel(kernel_name="lakebase")
    try:
        for _ in range(2):
            client.execute("%%bash\nsleep 1000")
            while client.get_iopub_msg(timeout=PATIENCE)["msg_type"] != "execute_input":
                pass
            manager.interrupt_kernel()
            assert client.get_shell_msg(timeout=PATIENCE)["content"]["ename"] == "KeyboardInterrupt"
            manager.restart_kernel()
            client.wait_for_ready(timeout=PATIENCE)
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
    assert not manager.is_alive()


def test_a_program_gets_none_of_the_kernels_files(client):
    """Neither its sockets to the server and to the workspace, nor those of the protocol."""
    reply, outputs = client.run("%%bash\nfor fd in /proc/$$/fd/*; do readlink $fd; done; true")
    assert reply["content"]["status"] == "ok"
    files = [line for line in streams(outputs).splitlines() if not line.startswith(("pipe:", "/memfd:input", "/proc/"))]
    assert files == ["/dev/null"], files


def test_the_environment_does_not_redirect_a_login(instance):
    elsewhere = {"PGHOSTADDR": "127.0.0.1", "PGSERVICE": "elsewhere"}
    with Kernel(program(KERNEL), instance.state_dir, environ=elsewhere) as kernel:
        reply, outputs = kernel.client().run("%connect jupyter")
        assert reply["content"]["status"] == "ok", reply["content"]
