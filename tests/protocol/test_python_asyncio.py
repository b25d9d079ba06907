"""An interrupt of %%python ends what asyncio waits for, and cancels what the server does for it."""
import pytest
from jupyter_wire import Kernel, streams

from conftest import KERNEL, program, wait_until

BUSY = [{"content": {"execution_state": "busy"}}]  # was read before
ENDED = ("KeyboardInterrupt", "CancelledError")
SETUP = """%%python
import asyncio, psycopg, lakebase, os
from psycopg_pool import AsyncConnectionPool
os.environ["PGAPPNAME"] = "awaited"
conn = await psycopg.AsyncConnection.connect(autocommit=True)
pids = [conn.info.backend_pid]
cleaned = []
async def sleeper(name):
    try:
        await asyncio.sleep(600)
    finally:
        cleaned.append(name)
async def query():
    async with await psycopg.AsyncConnection.connect(autocommit=True) as own:
        await own.execute("SELECT pg_sleep(600)")
async def late():
    print("begun", flush=True)
"""
SLEEPING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'awaited' AND state = 'active'"


@pytest.fixture(scope="module")
def started(workspace):
    with Kernel(program(KERNEL), workspace.state_dir) as kernel:
        client = kernel.client()
        for cell in ("%instance create awaited", "%connect awaited", SETUP):
            reply, _ = client.run(cell)
            assert reply["content"]["status"] == "ok", reply["content"]
        yield kernel


@pytest.fixture
def client(started):
    return started.client()


@pytest.fixture(scope="module")
def watcher(workspace, started):
    """Another kernel, which asks the server while the first one is busy."""
    with Kernel(program(KERNEL), workspace.state_dir) as other:
        assert other.client().run("%connect awaited")[0]["content"]["status"] == "ok"
        yield other


def active(watcher):
    """How many statements of the notebook's Python run on the server."""
    outputs = watcher.client().run(SLEEPING)[1]
    return int(next(m for m in outputs if "data" in m["content"])["content"]["data"]["text/plain"].splitlines()[2])


def said(client, code):
    reply, outputs = client.run("%%python\n" + code)
    assert reply["content"]["status"] == "ok", reply["content"]
    return streams(outputs).rstrip("\n")


def interrupted(client, code, ready=None):
    """Run code, interrupt it once it has begun (and the server does what it asks); the name of the error."""
    cell = client.execute("%%python\n" + code)
    client.until(cell, "stream", "begun")
    if ready:
        assert wait_until(ready)
    client.send("interrupt_request", channel="control")
    content = client.reply(cell)["content"]
    client.outputs(cell, BUSY)
    assert content["status"] == "error" and content["ename"] in ENDED, content
    return content["ename"]


@pytest.mark.parametrize("code", [
    "await late()\nawait asyncio.sleep(600)",
    "asyncio.get_running_loop().call_later(0.2, print, 'begun')\nawait asyncio.sleep(600)",
    "await late()\nawait sleeper('one')",
    "await late()\nawait asyncio.gather(sleeper('a'), sleeper('b'), sleeper('c'))",
    "await late()\nawait asyncio.Event().wait()",
    "await late()\nawait asyncio.wait_for(asyncio.sleep(600), 600)",
    "await late()\nimport time\nprint('begun', flush=True)\ntime.sleep(600)",
    "await late()\nwhile True:\n    pass"])
def test_what_awaits_is_interrupted(client, code):
    said(client, "cleaned.clear()")
    interrupted(client, code)
    wanted = sorted(name for name in ("one", "a", "b", "c") if f"'{name}'" in code)
    assert said(client, "for _ in range(100):\n    await asyncio.sleep(0)\nprint(sorted(cleaned))") == str(wanted)
    assert said(client, "print(await asyncio.sleep(0, 42))") == "42"


def test_an_awaited_query_is_cancelled_and_its_session_lives(client, watcher):
    for _ in range(3):
        interrupted(client, "print('begun', flush=True)\nawait conn.execute('SELECT pg_sleep(600)')", lambda: active(watcher) == 1)
        assert wait_until(lambda: active(watcher) == 0)
        assert said(client, "print(conn.closed, (await (await conn.execute('SELECT 6 * 7')).fetchone())[0])") == "False 42"


def test_gathered_queries_are_cancelled(client, watcher):
    interrupted(client, "print('begun', flush=True)\nawait asyncio.gather(query(), query(), query())", lambda: active(watcher) == 3)
    assert wait_until(lambda: active(watcher) == 0)
    assert said(client, "print((await (await conn.execute('SELECT 1')).fetchone())[0])") == "1"


def test_who_waits_for_a_pool_is_interrupted(client, watcher):
    said(client, "pool = AsyncConnectionPool('', min_size=1, max_size=1, open=False)\nawait pool.open(wait=True)\n"
                 "held = await pool.getconn()")
    interrupted(client, "async def borrow():\n    async with pool.connection(timeout=600):\n        pass\n"
                        "print('begun', flush=True)\nawait borrow()")
    assert said(client, "await pool.putconn(held)\nasync with pool.connection(timeout=20) as c:\n"
                        "    print((await (await c.execute('SELECT 6 * 7')).fetchone())[0])") == "42"
    interrupted(client, "async def work():\n    async with pool.connection() as c:\n        await c.execute('SELECT pg_sleep(600)')\n"
                        "print('begun', flush=True)\nawait asyncio.gather(work(), work())", lambda: active(watcher) == 1)
    assert wait_until(lambda: active(watcher) == 0)
    assert said(client, "async with pool.connection(timeout=20) as c:\n"
                        "    print((await (await c.execute('SELECT 6 * 7')).fetchone())[0])\nawait pool.close()") == "42"


def test_code_may_clean_up_and_go_on(client):
    cell = client.execute("%%python\ntry:\n    print('begun', flush=True)\n    await asyncio.sleep(600)\n"
                          "except (asyncio.CancelledError, KeyboardInterrupt) as why:\n    print('caught')")
    client.until(cell, "stream", "begun")
    client.send("interrupt_request", channel="control")
    client.reply(cell)
    client.outputs(cell, BUSY)
    assert said(client, "print(await asyncio.sleep(0, 42))") == "42"


def test_an_interrupt_at_once_is_not_lost(client):
    for _ in range(30):
        cell = client.execute("%%python\nawait asyncio.sleep(600)")
        client.until(cell, "execute_input")
        client.send("interrupt_request", channel="control")
        assert client.reply(cell)["content"]["ename"] in ENDED
        client.outputs(cell, BUSY)
    assert said(client, "print(await asyncio.sleep(0, 42))") == "42"
