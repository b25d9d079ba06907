"""%set NAME = python EXPRESSION: a value of the notebook's Python becomes a variable of SQL, and comes back as it was."""
import pytest
from jupyter_wire import Kernel, streams

from conftest import KERNEL, program

# What comes back by SELECT and _sqldf must be equal; a list of Python for each array.
VALUES = [
    "None", "True", "False", "0", "-1", "2**31 - 1", "2**31", "-2**63", "2**63", "10**30", "1.5", "-0.0", "1e300", "float('inf')",
    "Decimal('1.50')", "Decimal('-1E+5')", "'it''s'", r"'quotes \' \" back\\slash\n tab\t'", "'ü€𝄞 中'", "''", "' '", "'NULL'", "'{}'",
    "b''", "bytes(range(256))", "bytearray(b'x')", "date(2026, 1, 31)", "date(1, 1, 1)", "time(23, 59, 59, 999999)",
    "datetime(2026, 1, 31, 10, 20, 30, 5)", "datetime(2026, 1, 31, tzinfo=timezone.utc)", "timedelta(days=-1, microseconds=7)",
    "timedelta(hours=30)", "UUID(int=7)", "{'k': [1, None, 'ü\"']}", "{}",
    "[1, 2**40, None]", "[1, 2.5]", "['a', None, '', 'NULL', 'x,y', '\"', '\\\\', '{}']", "[True, False]", "[date(2026, 1, 31)]", "(1, 2)",
    "[Decimal('1.10'), Decimal('2')]", "[UUID(int=1)]", "[b'\\x00', b'\\\\']",
]
REFUSED = {
    "nothing_of_that_name": "NameError", "1 +": "SyntaxError", "object()": "a value of type object", "[1, 'a']": "of one kind",
    "[[1]]": "a list in a list", "'a\\0b'": "the character NUL", "'\\ud800'": "UnicodeEncodeError", "1j": "a value of type complex",
    "time(1, tzinfo=timezone.utc)": "time zone", "late()": "must be awaited", "{'x': float('nan')}": "ValueError", "x := 5": "SyntaxError",
    "raise_it()": "ZeroDivisionError", "exit": "has no counterpart",
}


@pytest.fixture(scope="module")
def started(workspace):
    with Kernel(program(KERNEL), workspace.state_dir) as kernel:
        client = kernel.client()
        for cell in ("%instance create values --capacity CU_1", "%connect values",
                     "%%python\nfrom datetime import date, datetime, time, timedelta, timezone\nfrom decimal import Decimal\n"
                     "from uuid import UUID\nasync def late(): return 1\ndef raise_it(): 1 / 0"):
            ok(client, cell)
        yield kernel


@pytest.fixture
def client(started):
    return started.client()


def ok(client, code):
    reply, outputs = client.run(code)
    assert reply["content"]["status"] == "ok", (code, reply["content"])
    return streams(outputs)


@pytest.mark.parametrize("expression", VALUES)
def test_there_and_back(client, expression):
    ok(client, f"%set v = python {expression}")
    ok(client, "SELECT :v AS v" if expression not in ("None",) else "SELECT :v::text AS v")
    said = ok(client, f"%%python\nback, sent = _sqldf[0]['v'], {expression}\nsent = list(sent) if isinstance(sent, tuple) else sent\n"
                      "print(back == sent or (back, sent))")
    assert said == "True\n"


@pytest.mark.parametrize("expression", REFUSED)
def test_what_has_no_counterpart(client, expression):
    ok(client, "%set v = 'before'")
    content = client.run(f"%set v = python {expression}")[0]["content"]
    assert content["ename"] == "UsageError" and REFUSED[expression] in content["evalue"], content
    assert "before" in str(client.run("SELECT :v AS v")[1])


def test_a_variable_keeps_its_rules(client):
    assert client.run("%set rows = python 1")[0]["content"]["ename"] == "UsageError"
    assert client.run("%set 1x = python 1")[0]["content"]["ename"] == "UsageError"
    ok(client, "%set v = python 'x' * (8 << 20)")
    content = client.run("%set v = python 'x' * ((8 << 20) + 1)")[0]["content"]
    assert "larger than 8 MiB" in content["evalue"]
    assert ok(client, "%set v = python print('said on the way') or 5") == "said on the way\n"
    ok(client, "%set python = 3")  # a name like any other
    assert client.run("%set v = pythonic")[0]["content"]["ename"] == "UsageError"


def test_an_interrupt(client):
    ok(client, "%set v = 'before'")
    ok(client, "%%python\nimport os\nbegan = []\ndef slow():\n    import time\n    print('begun', flush=True)\n    time.sleep(600)")
    cell = client.execute("%set v = python slow()")
    client.until(cell, "stream", "begun")
    assert client.request("interrupt_request", channel="control")["status"] == "ok"
    assert client.reply(cell)["content"]["ename"] == "KeyboardInterrupt"
    assert "before" in str(client.run("SELECT :v AS v")[1])
    ok(client, "%set v = python 1")


def test_an_end_of_python(client):
    content = client.run("%set v = python __import__('os')._exit(3)")[0]["content"]
    assert content["ename"] == "ProcessEnded", content
    ok(client, "%set v = python 2 * 21")
    assert "42" in str(client.run("SELECT :v AS v")[1])
