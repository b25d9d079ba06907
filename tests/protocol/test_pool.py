"""%pool and %%pool against a real instance: counts, the queue, exhaustion, interrupts, and that no session stays behind."""
import re

import pytest
from jupyter_wire import Kernel, streams

from conftest import KERNEL, program, wait_until

SESSIONS = "SELECT count(*) AS sessions FROM pg_stat_activity WHERE application_name = 'lakebase-pool'{}"
BUSY = " AND state = 'active' AND query LIKE '%pg_sleep%'"


@pytest.fixture(scope="module")
def instance(workspace):
    with Kernel(program(KERNEL), workspace.state_dir) as kernel:
        reply, _ = kernel.client().run("%instance create pooled")
        assert reply["content"]["status"] == "ok", reply["content"]
    return workspace


@pytest.fixture
def kernel(instance):
    with Kernel(program(KERNEL), instance.state_dir) as started:
        yield started


def connected(kernel):
    client = kernel.client()
    assert client.run("%connect pooled")[0]["content"]["status"] == "ok"
    return client


@pytest.fixture
def client(kernel):
    return connected(kernel)


@pytest.fixture
def watcher(instance):
    """A session of another kernel, which sees what the first one leaves."""
    with Kernel(program(KERNEL), instance.state_dir) as other:
        yield connected(other)


def ok(client, code):
    """(stdout, tables as lists of dictionaries)"""
    reply, outputs = client.run(code)
    assert reply["content"]["status"] == "ok", reply["content"]
    return streams(outputs), [table(m["content"]["data"]["text/plain"]) for m in outputs if "data" in m["content"]]


def fails(client, code, ename, *words):
    content = client.run(code)[0]["content"]
    assert (content["status"], content["ename"]) == ("error", ename), content
    said = "\n".join(content["traceback"])
    assert all(word in said for word in words), said


def table(text):
    """The rows of a plain table; its head is the line above the rule."""
    lines = text.splitlines()
    rule = next(n for n, line in enumerate(lines) if re.fullmatch(r"-+(\+-+)*", line))
    head = [name.strip() for name in lines[rule - 1].split("|")]
    rows = [line for line in lines[rule + 1:] if line.strip() and not re.fullmatch(r"\(\d+ rows?\)", line)]
    return [dict(zip(head, (value.strip() for value in line.split("|")))) for line in rows]


def status(client, name, *options):
    rows = ok(client, f"%pool status {name} {' '.join(options)}")[1][0]
    return {row["field"]: row["value"] for row in rows}


def sessions(client, more=""):
    return int(ok(client, SESSIONS.format(more))[1][0][0]["sessions"])


def test_open_look_close(client):
    said, _ = ok(client, "%pool open one --min 2 --max 3")
    assert said == "Pool one is open: 2 to 3 connections to instance pooled.\n"
    assert sessions(client) == 2
    row = ok(client, "%pool list")[1][0][0]
    assert (row["name"], row["min"], row["max"], row["size"], row["busy"], row["waiting"]) == ("one", "2", "3", "2", "0", "0")
    fails(client, "%pool open one", "AlreadyExists", "--replace")
    fails(client, "%pool status other", "NotFound", "open pools: one")
    fails(client, "%pool open two --min 5 --max 4", "UsageError", "--min 5")
    fails(client, "%pool open two --max 101", "UsageError")
    ok(client, "%pool open one --min 1 --max 1 --replace")
    assert wait_until(lambda: sessions(client) == 1)  # the server takes a moment to end a session
    ok(client, "%pool close one")
    assert wait_until(lambda: sessions(client) == 0)
    fails(client, "%pool close one", "NotFound")
    assert ok(client, "%pool close one --if-exists")[0] == "There is no pool one.\n"


def test_many_clients_on_few_sessions(client):
    ok(client, "%pool open few --min 2 --max 2")
    pool, each = ok(client, "%%pool few --clients 6 --calls 5 --compare\nSELECT 1")[1][0]
    assert (pool["way"], pool["calls"], pool["failed"]) == ("pool", "30", "0")
    assert 1 <= int(pool["backends"]) <= 2
    assert (each["calls"], each["failed"], each["backends"]) == ("30", "0", "30")
    now = status(client, "few", "--all")
    assert (now["checkouts"], now["connects"], now["busy"], now["waiting"], now["closed"]) == ("30", "2", "0", "0", "0")
    assert sessions(client) == 2


def test_variables_are_bound(client):
    ok(client, "%pool open bound --min 1 --max 2")
    ok(client, "DROP TABLE IF EXISTS said; CREATE TABLE said (n int, t text)")
    ok(client, "%set n = 7")
    ok(client, "%set t = '); DROP TABLE said; --'")
    for way in ("", "--prepare", "--loop"):
        ok(client, f"%%pool bound --clients 2 --calls 3 {way}\nINSERT INTO said VALUES (:n, :t)")
    assert ok(client, "SELECT count(*), sum(n), min(t) FROM said")[1][0][0] == {"count": "18", "sum": "126", "min": "); DROP TABLE said; --"}
    fails(client, "%%pool bound --clients 2 --calls 3\nSELECT 1,\n  :nobody", "UsageError", "LINE 3")
    failed = ok(client, "%%pool bound --clients 2 --calls 3\nSELECT :n; SELECT 1")[1][1][0]
    assert failed["error"].startswith("42601") and failed["count"] == "6"
    fails(client, "%%pool bound --compare psycopg\nSELECT :n", "UsageError", ":name")
    fails(client, "%%pool bound --compare nothing\nSELECT 1", "UsageError", "--compare takes connect or psycopg")


def test_what_the_clients_do_is_real(client):
    ok(client, "DROP TABLE IF EXISTS calls; CREATE TABLE calls (n int)")
    ok(client, "%pool open real --min 1 --max 4")
    ok(client, "%%pool real --clients 8 --calls 5\nINSERT INTO calls VALUES (1)")
    ok(client, "%%pool real --clients 2 --calls 3\nBEGIN; INSERT INTO calls VALUES (2)")
    assert ok(client, "SELECT n, count(*) AS c FROM calls GROUP BY n")[1][0] == [{"n": "1", "c": "40"}]
    assert status(client, "real")["rolled back on return"] == "6"


def test_failures_are_counted_by_their_code(client):
    ok(client, "%pool open wrong --min 1 --max 2")
    result, failures = ok(client, "%%pool wrong --clients 3 --calls 2\nSELECT 1/0")[1]
    assert (result[0]["calls"], result[0]["failed"]) == ("0", "6")
    assert [(row["error"], row["count"]) for row in failures] == [("22012 DivisionByZero", "6")]


def test_exhaustion(client):
    ok(client, "%pool open slow --min 1 --max 1 --timeout 200ms")
    result, failures = ok(client, "%%pool slow --clients 3 --calls 1\nSELECT pg_sleep(3)")[1]
    assert (result[0]["calls"], result[0]["failed"]) == ("1", "2")
    assert [(row["error"], row["count"]) for row in failures] == [("PoolTimeout", "2")]
    assert "'slow'" in failures[0]["the first one said"] and "200 ms" in failures[0]["the first one said"]
    now = status(client, "slow")
    assert (now["timed out"], now["busy"], now["waiting"]) == ("2", "0", "0")
    ok(client, "%pool open short --min 1 --max 1 --max-waiting 1")
    result, failures = ok(client, "%%pool short --clients 4 --calls 1\nSELECT pg_sleep(1)")[1]
    assert (result[0]["calls"], result[0]["failed"]) == ("2", "2")
    assert [(row["error"], row["count"]) for row in failures] == [("PoolFull", "2")]


def test_an_interrupt_cancels_all_clients_and_keeps_the_pool(kernel, client, watcher):
    ok(client, "%pool open big --min 2 --max 2")
    msg_id = client.execute("%%pool big --clients 5 --calls 10\nSELECT pg_sleep(600)")
    assert wait_until(lambda: sessions(watcher, BUSY) == 2)
    assert client.request("interrupt_request", channel="control")["status"] == "ok"
    content = client.reply(msg_id)["content"]
    client.outputs(msg_id)
    assert content["ename"] == "KeyboardInterrupt", content
    assert sessions(watcher, BUSY) == 0
    now = status(client, "big")
    assert (now["busy"], now["waiting"], now["size"]) == ("0", "0", "2")
    assert ok(client, "%%pool big --clients 4 --calls 2\nSELECT 1")[1][0][0]["failed"] == "0"


def test_ended_sessions_are_replaced(client):
    ok(client, "%pool open cut --min 2 --max 2")
    ok(client, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'lakebase-pool'")
    assert ok(client, "%%pool cut --clients 4 --calls 5\nSELECT 1")[1][0][0]["failed"] == "0"
    now = status(client, "cut", "--all")
    assert (now["found dead"], now["closed"], now["checkouts"]) == ("2", "2", "20")
    assert wait_until(lambda: status(client, "cut")["idle"] == "2")


def test_the_end_of_the_kernel_ends_its_sessions(kernel, client, watcher):
    ok(client, "%pool open last --min 3 --max 3")
    assert sessions(watcher) == 3
    assert client.request("shutdown_request", {"restart": False}, channel="control")["status"] == "ok"
    kernel.ended()
    assert wait_until(lambda: sessions(watcher) == 0)


def test_bad_input(client):
    ok(client, "%pool open any --min 0 --max 2")
    fails(client, "%%pool any", "UsageError", "SQL")
    fails(client, "%%pool any\n   \n", "UsageError", "SQL")
    fails(client, "%%pool any --clients 201\nSELECT 1", "UsageError")
    fails(client, "%%pool any --clients 200 --calls 100000\nSELECT 1", "TooBig", "1000000")
    fails(client, "%%pool none\nSELECT 1", "NotFound")


def test_one_load_on_several_sizes(client, tmp_path):
    ok(client, "%pool open curve --min 1 --max 2")
    rows = ok(client, "%%pool curve --clients 6 --calls 3 --sizes 1,2,4\nSELECT pg_sleep(0.002)")[1][0]
    assert [row["pool size"] for row in rows] == ["1", "2", "4"]
    assert all((row["calls"], row["failed"]) == ("18", "0") for row in rows)
    assert [int(row["backends"]) <= int(row["pool size"]) for row in rows] == [True] * 3
    now = status(client, "curve")
    assert (now["min"], now["max"], now["busy"], now["most busy at once"]) == ("1", "2", "0", "4")
    fails(client, "%pool verdict curve", "InvalidState", "nothing has run")
    for wrong in ("0", "1,", ",1", "1,x", "101", "1 2", ",".join(["1"] * 21)):
        fails(client, f"%%pool curve --sizes '{wrong}'\nSELECT 1", "UsageError", "--sizes takes up to 20 numbers from 1 to 100")
    assert ok(client, f"%%pool curve --clients 1 --calls 1 --sizes {','.join(['1'] * 20)}\nSELECT 1")[1][0][19]["calls"] == "1"
    fails(client, "%%pool curve --sizes 1 --compare\nSELECT 1", "UsageError", "goes without --compare")
    failed = ok(client, "%%pool curve --clients 2 --calls 1 --sizes 1,2\nSELECT 1/0")[1]
    assert len(failed) == 3 and failed[1][0]["error"].startswith("22012")


def test_an_interrupt_leaves_the_size(kernel, client, watcher):
    ok(client, "%pool open curve --min 1 --max 3")
    msg_id = client.execute("%%pool curve --clients 2 --calls 1000 --sizes 2,1\nSELECT pg_sleep(0.05)")
    assert wait_until(lambda: sessions(watcher, BUSY) == 2)
    assert client.request("interrupt_request", channel="control")["status"] == "ok"
    assert client.reply(msg_id)["content"]["ename"] == "KeyboardInterrupt"
    now = status(client, "curve")
    assert (now["min"], now["max"], now["busy"]) == ("1", "3", "0")


def test_what_a_magic_measured_is_the_last_result(client, tmp_path):
    ok(client, "%pool open kept --min 1 --max 1")
    ok(client, "%pool status kept")
    file = tmp_path / "status.csv"
    ok(client, f"%export {file}")
    lines = file.read_text().splitlines()
    assert lines[0] == "field,value" and "max,1" in lines
    ok(client, "%%pool kept --clients 1 --calls 2 --sizes 1\nSELECT 1")
    said, _ = ok(client, "%%python\nprint(_sqldf[0]['pool size'] + 1, _sqldf[0]['calls'] * 2)")
    assert said == "2 4\n"


def test_prepared_calls(client):
    ok(client, "%pool open ready --min 1 --max 1")
    assert ok(client, "%%pool ready --clients 2 --calls 5 --prepare\nSELECT count(*) FROM pg_class")[1][0][0]["failed"] == "0"
    ok(client, "%pool checkout ready as mine")
    prepared = "%sql --on mine SELECT count(*) AS n FROM pg_prepared_statements WHERE statement LIKE '%pg_class%' AND NOT from_sql"
    assert ok(client, prepared)[1][0][0]["n"] == "1"
    ok(client, "%disconnect mine")
    assert ok(client, "%%pool ready --clients 2 --calls 5 --prepare\nSELECT 1; SELECT 2")[1][0][0]["failed"] == "0"


def test_one_thread_for_all_clients(kernel, client, watcher):
    ok(client, "%pool open loop --min 2 --max 2")
    result = ok(client, "%%pool loop --clients 100 --calls 10 --loop\nSELECT 1")[1][0][0]
    assert (result["clients"], result["calls"], result["failed"]) == ("100", "1000", "0")
    assert int(result["backends"]) <= 2 and int(result["most waiting"]) >= 90
    result, failures = ok(client, "%%pool loop --clients 3 --calls 2 --think 1ms --loop\nSELECT 1/0")[1]
    assert result[0]["failed"] == "6" and failures[0]["count"] == "6"
    result, failures = ok(client, "%%pool loop --clients 4 --calls 1 --timeout 100ms --loop\nSELECT pg_sleep(1)")[1]
    assert (result[0]["calls"], result[0]["failed"], failures[0]["error"]) == ("2", "2", "PoolTimeout")
    fails(client, "%%pool loop --loop --prepare\nSELECT 1", "UsageError", "goes without")
    msg_id = client.execute("%%pool loop --clients 5 --calls 10 --loop\nSELECT pg_sleep(600)")
    assert wait_until(lambda: sessions(watcher, BUSY) == 2)
    assert client.request("interrupt_request", channel="control")["status"] == "ok"
    assert client.reply(msg_id)["content"]["ename"] == "KeyboardInterrupt"
    now = status(client, "loop")
    assert (now["busy"], now["waiting"], now["size"]) == ("0", "0", "2")
    ok(client, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'lakebase-pool'")
    assert ok(client, "%%pool loop --clients 20 --calls 5 --loop --compare\nSELECT 1")[1][0][0]["failed"] == "0"


def test_tab_knows_the_pools(client):
    ok(client, "%pool open customers --min 0 --max 1")
    reply = client.request("complete_request", {"code": "%pool status cu", "cursor_pos": 15})
    assert reply["matches"] == ["customers"], reply
    ok(client, "%pool close customers")
    assert client.request("complete_request", {"code": "%pool status cu", "cursor_pos": 15})["matches"] == []
