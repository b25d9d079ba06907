"""What a cell shows while its statement takes long, in front ends that draw updates: who holds the lock, how far the server is,
how many rows have come; and that nothing of it stays."""
import pytest
from jupyter_wire import Kernel

from conftest import KERNEL, program


@pytest.fixture(scope="module")
def kernel(workspace):
    with Kernel(program(KERNEL), workspace.state_dir) as started:
        client = started.client()
        for cell in ("%instance create waits", "%connect waits as a", "%connect waits as b",
                     "CREATE TABLE held (id int PRIMARY KEY, v int); INSERT INTO held VALUES (1, 1)"):
            reply, _ = client.run(cell)
            assert reply["content"]["status"] == "ok", reply["content"]
        yield started


@pytest.fixture
def client(kernel):
    return kernel.client()


def shown(client, msg_id, word):
    """Read until a display or its update says the word; its text and id."""
    while True:
        m = client.receive("iopub")
        if m["parent_header"].get("msg_id") == msg_id and m["msg_type"] in ("display_data", "update_display_data"):
            text = m["content"]["data"].get("text/plain", "")
            if word in text and "display_id" in m["content"]["transient"]:
                return text, m["content"]["transient"]["display_id"]


def ends_clean(client, msg_id, display):
    """The display is emptied before the cell ends."""
    last = None
    while True:
        m = client.receive("iopub")
        if m["parent_header"].get("msg_id") != msg_id:
            continue
        if m["content"].get("transient", {}).get("display_id") == display:
            last = m["content"]["data"]
        if m["content"].get("execution_state") == "idle":
            assert last == {}
            return


def test_who_holds_the_lock(kernel, client):
    other = Kernel(program(KERNEL), kernel.file.parent)
    with other:
        holder = other.client()
        assert holder.run("%connect waits")[0]["content"]["status"] == "ok"
        pid = next(m for m in holder.run("SELECT pg_backend_pid()")[1] if "data" in m["content"])["content"]["data"]["text/plain"].split()[2]
        holder.run("BEGIN; UPDATE held SET v = 2")
        msg_id = client.execute("UPDATE held SET v = 3", allow_stdin=True)
        text, display = shown(client, msg_id, "waits for")
        assert f"waits for a row of held, held by session {pid} (lakebase, idle in transaction, last: UPDATE held SET v = 2)" in text, text
        holder.run("COMMIT")
        ends_clean(client, msg_id, display)
        assert client.reply(msg_id)["content"]["status"] == "ok"
        holder.run("BEGIN; LOCK TABLE held")
        msg_id = client.execute("SELECT * FROM held", allow_stdin=True)
        assert "waits for a lock on held" in shown(client, msg_id, "waits for")[0]
        client.request("interrupt_request", channel="control")
        assert client.reply(msg_id)["content"]["ename"] == "KeyboardInterrupt"


def test_how_many_rows_have_come(client):
    client.run("%set fetch_limit 10000000")
    msg_id = client.execute("SELECT i FROM generate_series(1, 100000000) i", allow_stdin=True)
    _, display = shown(client, msg_id, " rows")
    client.request("interrupt_request", channel="control")
    client.reply(msg_id)
    ends_clean(client, msg_id, display)


def test_nothing_where_updates_are_not_drawn(client):
    client.run("%set timeout 2s")
    reply, outputs = client.run("SELECT pg_sleep(60)", allow_stdin=False)
    assert reply["content"]["status"] == "error"
    assert [m["msg_type"] for m in outputs if m["msg_type"] != "execute_input"] == ["error"]
    client.run("%set timeout 0s")


def test_a_statement_in_the_background(kernel, client):
    """%wait shows whom it waits for, Stop ends it, and it ends with the kernel."""
    for cell in ("%set timeout 0s", "BEGIN; UPDATE held SET v = 7", "%sql --on a --async UPDATE held SET v = 8"):
        assert client.run(cell)[0]["content"]["status"] == "ok", cell
    msg_id = client.execute("%wait a", allow_stdin=True)
    assert "waits for a row of held, held by session" in shown(client, msg_id, "waits for")[0]
    client.request("interrupt_request", channel="control")
    assert client.reply(msg_id)["content"]["ename"] == "KeyboardInterrupt"
    reply, outputs = client.run("%sql --on a SELECT v FROM held")
    assert reply["content"]["status"] == "ok" and "1 row" in str(outputs), "the session of the statement goes on"
    client.run("ROLLBACK")

    other = Kernel(program(KERNEL), kernel.file.parent)
    with other:
        mine = other.client()
        for cell in ("%connect waits", "%sql --async SELECT pg_sleep(1000)"):
            assert mine.run(cell)[0]["content"]["status"] == "ok", cell
    running = "SELECT count(*) AS still FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(1000)' AND state = 'active'"
    for _ in range(100):
        text = next(m["content"]["data"]["text/plain"] for m in client.run(running)[1] if "data" in m["content"])
        if text.split()[2] == "0":
            return
        client.run("SELECT pg_sleep(0.05)")
    raise AssertionError("the statement outlives its kernel")
