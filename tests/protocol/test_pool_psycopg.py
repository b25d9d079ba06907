"""%%pool --compare psycopg: the same load through psycopg_pool in the notebook's Python. What both count is the same where it
must be, an interrupt cancels it on the server, errors have their SQLSTATE, and the token is nowhere to be seen."""
import json
from pathlib import Path

import pytest
from jupyter_wire import Kernel, streams
from test_pool import connected, fails, ok

from conftest import KERNEL, program, wait_until

SESSIONS = "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'lakebase-psycopg'{}"
ACTIVE = " AND state = 'active' AND query LIKE '%pg_sleep%'"


@pytest.fixture(scope="module")
def instance(workspace):
    with Kernel(program(KERNEL), workspace.state_dir) as kernel:
        assert kernel.client().run("%instance create pooled")[0]["content"]["status"] == "ok"
    return workspace


@pytest.fixture
def kernel(instance):
    with Kernel(program(KERNEL), instance.state_dir) as started:
        yield started


@pytest.fixture
def client(kernel):
    return connected(kernel)


@pytest.fixture
def watcher(instance):
    with Kernel(program(KERNEL), instance.state_dir) as other:
        yield connected(other)


def sessions(client, more=""):
    return int(ok(client, SESSIONS.format(more))[1][0][0]["n"])


def counters(rows):
    return {row["counter"]: (int(row["pool"]), int(row["psycopg_pool"])) for row in rows}


def test_both_do_the_same(client):
    ok(client, "DROP TABLE IF EXISTS calls; CREATE TABLE calls (n text)")
    ok(client, "%pool open same --min 2 --max 2")
    rows, counts = ok(client, "%%pool same --clients 6 --calls 5 --compare psycopg\n"
                              "INSERT INTO calls VALUES (current_setting('application_name'))")[1]
    assert [row["way"] for row in rows] == ["pool", "psycopg_pool"]
    assert [(row["clients"], row["calls"], row["failed"]) for row in rows] == [("6", "30", "0")] * 2
    assert all(1 <= int(row["backends"]) <= 2 and float(row["p50 ms"]) <= float(row["p99 ms"]) <= float(row["max ms"]) for row in rows)
    assert rows[1]["most waiting"] == ""
    both = counters(counts)
    assert both["requests for a connection"] == (30, 30)
    assert both["requests without one"] == both["connections made"] == both["connections that failed"] == (0, 0)
    assert all(0 <= n <= 30 for n in both["requests that waited"])
    assert ok(client, "SELECT n, count(*) AS c FROM calls GROUP BY n ORDER BY n")[1][0] == [
        {"n": "lakebase-pool", "c": "30"}, {"n": "lakebase-psycopg", "c": "30"}]
    verdict = {row["of the last run"]: row["holds"] for row in ok(client, "%pool verdict same")[1][0]}
    assert verdict["psycopg_pool did all calls too"] == verdict["psycopg_pool: backends <= max"] == "yes"
    assert wait_until(lambda: sessions(client) == 0)


def test_the_queue_is_the_same(client):
    """Both have one connection for three calls that block each other, so two wait in vain."""
    ok(client, "%pool open slow --min 1 --max 1 --timeout 300ms")
    rows, *more = ok(client, "%%pool slow --clients 3 --calls 1 --compare psycopg\nSELECT pg_sleep(3)")[1]
    assert [(row["calls"], row["failed"], row["waited"]) for row in rows] == [("1", "2", "0")] * 2
    assert [(table[0]["error"], table[0]["count"]) for table in more[:2]] == [("PoolTimeout", "2")] * 2
    both = counters(more[2])
    assert both["requests for a connection"] == (3, 3) and both["requests that waited"] == both["requests without one"] == (2, 2)
    ok(client, "%pool open short --min 1 --max 1 --max-waiting 1")
    rows, *more = ok(client, "%%pool short --clients 4 --calls 1 --compare psycopg\nSELECT pg_sleep(2)")[1]
    assert [(row["calls"], row["failed"], row["waited"]) for row in rows] == [("2", "2", "1")] * 2
    assert [table[0]["error"] for table in more[:2]] == ["PoolFull", "TooManyRequests"]
    assert counters(more[2])["requests without one"] == (2, 2)


def test_errors_have_their_sqlstate(client):
    ok(client, "%pool open wrong --min 1 --max 2")
    for sql, code in (("SELECT 1/0", "22012 DivisionByZero"), ("SELEC 1", "42601 SyntaxError"),
                      ("SELECT * FROM nothing_there", "42P01 UndefinedTable")):
        rows, ours, theirs, _ = ok(client, f"%%pool wrong --clients 3 --calls 2 --compare psycopg\n{sql}")[1]
        assert [(row["calls"], row["failed"]) for row in rows] == [("0", "6")] * 2
        assert ours == theirs and [(row["error"], row["count"]) for row in theirs] == [(code, "6")], (ours, theirs)
    rows = {row["of the last run"]: row["holds"] for row in ok(client, "%pool verdict wrong")[1][0]}
    assert rows["psycopg_pool did all calls too"] == "no"


def test_transactions_prepared_statements_and_several_statements(client):
    ok(client, "%pool open more --min 1 --max 1")
    for options, sql in (("", "BEGIN; SELECT 1"), ("", "SELECT 1; SELECT 2"), ("--prepare", "SELECT count(*) FROM pg_class"),
                         ("--think 1ms", "SELECT 1"), ("--loop", "SELECT 1")):
        rows = ok(client, f"%%pool more --clients 2 --calls 4 {options} --compare psycopg\n{sql}")[1][0]
        assert [(row["calls"], row["failed"]) for row in rows] == [("8", "0")] * 2, (options, sql)
    reply, outputs = client.run("%%pool more --clients 2 --calls 4 --timeline --compare psycopg\nSELECT 1")
    assert reply["content"]["status"] == "ok" and "application/vnd.vegalite.v5+json" in str(outputs) and "psycopg_pool" in str(outputs)
    fails(client, "%%pool more --sizes 1,2 --compare psycopg\nSELECT 1", "UsageError", "goes without --compare")
    fails(client, "%%pool more --compare=other\nSELECT 1", "UsageError", "--compare is connect or psycopg")


@pytest.mark.parametrize("words", ["--compare", "--compare connect", "--compare=connect"])
def test_a_connection_for_each_call_as_before(client, words):
    ok(client, "%pool open each --min 1 --max 2")
    (rows,) = ok(client, f"%%pool {words} each --clients 2 --calls 2\nSELECT 1")[1]
    assert [row["way"] for row in rows] == ["pool", "connect for each call"] and rows[1]["backends"] == "4"


def test_an_interrupt_cancels_it_and_python_lives(client, watcher):
    ok(client, "%pool open big --min 2 --max 2")
    ok(client, "%%python\nkept = 5")
    # Quick for our pool, endless for the other, which is the one to be interrupted.
    sql = "SELECT pg_sleep(CASE current_setting('application_name') WHEN 'lakebase-psycopg' THEN 600 ELSE 0 END)"
    cell = client.execute(f"%%pool big --clients 5 --calls 10 --compare psycopg\n{sql}")
    assert wait_until(lambda: sessions(watcher, ACTIVE) == 2)
    assert client.request("interrupt_request", channel="control")["status"] == "ok"
    content = client.reply(cell)["content"]
    assert content["ename"] == "KeyboardInterrupt", content
    client.outputs(cell, [{"content": {"execution_state": "busy"}}])
    assert wait_until(lambda: sessions(watcher) == 0)
    assert ok(client, "%%python\nimport threading\nprint(kept, threading.active_count() < 20)")[0] == "5 True\n"
    assert ok(client, "%%pool big --clients 4 --calls 2 --compare psycopg\nSELECT 1")[1][0][1]["failed"] == "0"


def test_what_cannot_be_compared_is_told(client):
    ok(client, "%pool open odd --min 0 --max 1")
    ok(client, "%%python\nimport sys\nsys.modules['psycopg_pool'] = None")
    fails(client, "%%pool odd --compare psycopg\nSELECT 1", "ConfigError", "psycopg_pool", "pip install 'psycopg[binary,pool]'")
    ok(client, "%%python\ndel sys.modules['psycopg_pool']\nimport psycopg\nold = psycopg.connect\n"
               "def no(*a, **k):\n    raise psycopg.errors.InvalidPassword('no entry')\npsycopg.connect = no")
    fails(client, "%%pool odd --compare psycopg\nSELECT 1", "InvalidPassword", "no entry", "28P01")
    ok(client, "%%python\nimport os\npsycopg.connect = lambda *a, **k: os._exit(3)")
    fails(client, "%%pool odd --compare psycopg\nSELECT 1", "ProcessEnded", "exit status 3")
    assert ok(client, "%%pool odd --clients 1 --calls 1 --compare psycopg\nSELECT 1")[1][0][1]["failed"] == "0"


def test_the_token_is_nowhere_to_be_seen(kernel, client):
    ok(client, "%pool open quiet --min 1 --max 2")
    # It is read where it arrives: what psycopg.connect was called with.
    place = Path(ok(client, "%%python\nimport lakebase\nprint(lakebase.__file__)")[0].strip()).parent
    ok(client, "%%python\nimport psycopg\nseen, real = [], psycopg.connect\n"
               "def connect(*a, **k):\n    seen.append(k['password'])\n    return real(*a, **k)\npsycopg.connect = connect")
    reply, outputs = client.run("%%pool quiet --clients 2 --calls 2 --compare psycopg\nSELECT 1")
    assert reply["content"]["status"] == "ok"
    token = ok(client, "%%python\nprint(seen[0])")[0].strip()
    assert len(token) > 100 and token not in json.dumps(outputs)
    assert not [path.name for path in place.iterdir() if path.name.startswith("pool")]
    pid = int(ok(client, "%%python\nimport os\nprint(os.getpid())")[0])
    for who in (pid, kernel.process.pid):
        assert token not in Path(f"/proc/{who}/cmdline").read_text() and token not in Path(f"/proc/{who}/environ").read_text()
    assert ok(client, "%%python\nprint([n for n in globals() if isinstance(globals()[n], str) and n != 'seen' and seen[0] in globals()[n]])"
              )[0] == "[]\n"
    client.send("shutdown_request", {"restart": False}, channel="control")
    kernel.ended()
    history = (kernel.file.parent / "history.sqlite").read_bytes()
    assert token.encode() not in history and token not in kernel.text()
    assert streams(outputs, "stderr") == ""
