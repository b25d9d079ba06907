"""Much of everything: thousands of malformed messages, long queues and long outputs read late, interrupts at random moments.
The counts here are samples; tests/soak/test_protocol.py has the big ones."""
import random

import pytest
import zmq
from jupyter_wire import DELIMITER, Kernel, streams
from tiny_kernel import client, kernel, launch, tiny  # noqa: F401 (fixtures)

from conftest import KERNEL, program


def wild_json(rng, depth=0):
    kind = rng.randrange(9 if depth < 40 else 5)
    if kind == 0:
        return rng.choice(["null", "true", "NaN", "1e999", "-0", str(rng.getrandbits(200))])
    if kind == 1:
        return '"' + rng.choice(["\\ud800", "\\u0000", "a" * rng.randrange(300), "\\", "ä"]) + '"'
    if kind == 2:
        return "[" * rng.randrange(1, 3000)
    if kind == 3:
        return ""
    if kind == 4:
        return "{" + ",".join(f'"k{rng.randrange(3)}":1' for _ in range(rng.randrange(4))) + "}"
    if kind < 7:
        return "[" + ",".join(wild_json(rng, depth + 10) for _ in range(rng.randrange(4))) + "]"
    return "{" + ",".join(f'"{rng.choice(["msg_id", "msg_type", "session", "code", "x"])}":{wild_json(rng, depth + 10)}'
                          for _ in range(rng.randrange(5))) + "}"


def malformed(rng, client):
    """(frames, is it signed): never a message that the kernel may run."""
    kind = rng.choice(["execute_request", "kernel_info_request", "is_complete_request", "history_request", "x", "\0", "é" * 99])
    good, _ = client.frames(kind, {"code": "echo never"})
    what = rng.randrange(8)
    if what == 0:  # the signature
        wrong = bytes(rng.choice(b"0123456789abcdef") for _ in range(rng.choice([0, 1, 63, 64, 65, 500])))
        return [DELIMITER, wrong if wrong != good[1] else b"", *good[2:]], False
    if what == 1:  # another text under the same signature
        parts = good[2:]
        at = rng.randrange(4)
        parts[at] = parts[at][:rng.randrange(len(parts[at]))] + b"!" + parts[at][1:]
        return [DELIMITER, good[1], *parts], False
    if what == 2:  # frames are missing, or in another order
        frames = good[:]
        rng.shuffle(frames)
        frames = frames[:rng.randrange(5)]
        return frames or [b""], False
    if what == 3:
        return [rng.randbytes(rng.choice([0, 1, 10, 1000])) for _ in range(rng.randrange(1, 12))], False
    if what == 4:  # routing frames without end
        return [b"hop"] * rng.randrange(8, 200) + good, False
    if what == 5:  # a big frame under a wrong signature
        return [DELIMITER, b"0" * 64, *good[2:5], b"x" * rng.randrange(1 << 16)], False
    parts = [wild_json(rng).encode("utf-8", "surrogatepass") for _ in range(4)]
    if what == 6:  # signed, and no message
        parts[0] = rng.choice([b"", b"[]", b"1", b"{", b'{"msg_id":1}', b"\xff", parts[0] if b"msg_type" not in parts[0] else b"[]"])
        return [DELIMITER, client.sign(parts), *parts], False
    # a proper header of a type that nobody knows, and anything as its content: at most an error answers it
    parts[:3] = [good[2].replace(kind.encode("unicode_escape") if kind == "\0" else b"\0", b""), b"{}", b"{}"]
    header = client.frames("no_such_" + rng.choice("abc"))[0][2]
    return [DELIMITER, client.sign([header, b"{}", b"{}", parts[3]]), header, b"{}", b"{}", parts[3]], True


def abuse(kernel, client, count, seed):
    """Nothing of it is run or answered, but that a signed message of an unknown type shows busy and idle."""
    rng = random.Random(seed)
    for i in range(count):
        frames, signed = malformed(rng, client)
        channel = rng.choice(["shell", "control", "stdin"])
        client.raw(frames, channel if not signed else "shell")
        if i % 500 == 499:
            assert client.request("kernel_info_request", channel="control")["status"] == "ok", f"seed {seed}, message {i}"
    reply, outputs = client.run("echo alive")
    assert reply["content"]["execution_count"] == 1, f"seed {seed}: something of it was run"
    assert streams(outputs) == "alive"


def test_malformed_messages(kernel, client):
    abuse(kernel, client, 3000, random.randrange(1 << 32))


def queue_and_lines(kernel, cells, lines):
    """A client that reads only when all was sent sees everything, in order, as does one that reads along."""
    fast, slow = kernel.client(), kernel.client()
    ids = [fast.execute(f"echo {i}") for i in range(cells)]
    ids.append(fast.execute(f"lines {lines}"))
    for n, msg_id in enumerate(ids, 1):
        assert fast.reply(msg_id)["content"]["execution_count"] == n
    for client in (fast, slow):
        texts, order = {}, []
        while not order or order[-1] != ids[-1]:
            m = client.receive("iopub")
            parent = m["parent_header"].get("msg_id")
            if m["msg_type"] == "stream":
                texts[parent] = texts.get(parent, "") + m["content"]["text"]
            if m["content"].get("execution_state") == "idle" and parent in ids:
                order.append(parent)
        assert order == ids
        assert [texts[msg_id] for msg_id in ids[:-1]] == [str(i) for i in range(cells)]
        assert texts[ids[-1]] == "".join(f"line {i}\n" for i in range(lines))


def test_a_long_queue_and_a_long_output_reach_two_clients(kernel):
    queue_and_lines(kernel, 1000, 10000)


CELLS = ["SELECT pg_sleep(600)", "SELECT count(*) FROM generate_series(1, 100000000000)",
         "SELECT i, repeat('x', 100) FROM generate_series(1, 100000000) i",
         "INSERT INTO kept SELECT i FROM generate_series(1, 1000000000) i",
         "DO $$ BEGIN LOOP PERFORM 1; END LOOP; END $$", "COPY (SELECT generate_series(1, 10000000000)) TO STDOUT",
         "SELECT 1; SELECT pg_sleep(600); SELECT 2", "%%bash\nsleep 600"]


def interrupt_often(client, rounds, seed):
    """The cell ends as interrupted, the session lives, and its transaction is in the state that is told."""
    rng = random.Random(seed)
    assert client.run("CREATE TEMP TABLE IF NOT EXISTS kept (i int)")[0]["content"]["status"] == "ok"
    pid = streams_of(client, "SELECT pg_backend_pid()")
    for i in range(rounds):
        cell, inside = rng.choice(CELLS), rng.random() < 0.5
        if inside:
            client.run("BEGIN; INSERT INTO kept VALUES (0)")
        msg_id = client.execute(cell)
        client.until(msg_id, "execute_input")
        for _ in range(rng.randrange(1 << rng.randrange(14))):
            pass  # some microseconds to a few milliseconds
        if rng.random() < 0.3:
            client.sockets["iopub"].poll(rng.randrange(30))
        client.request("interrupt_request", channel="control")
        reply = client.reply(msg_id)
        where = f"seed {seed}, round {i}: {cell}"
        assert reply["content"]["status"] == "error" and "nterrupt" in reply["content"]["evalue"] + reply["content"]["ename"], where
        told = client.until(msg_id, "error")["content"]["traceback"]
        client.until(msg_id, "status", "idle")
        state = streams_of(client, "\\conninfo", " State")
        failed = any("transaction has failed" in line for line in told)
        assert (" failed transaction" in state) == failed, f"{where}: {told} {state}"
        assert inside == ("transaction" in state), f"{where}: {state}"
        if inside:
            client.run("ROLLBACK")
        assert streams_of(client, "SELECT pg_backend_pid()") == pid, where


def streams_of(client, code, line=""):
    """The text of its one result."""
    reply, outputs = client.run(code)
    assert reply["content"]["status"] == "ok", reply["content"]
    text = "".join(m["content"]["data"]["text/plain"] for m in outputs if "data" in m["content"])
    return "\n".join(row for row in text.splitlines() if row.startswith(line))


@pytest.fixture(scope="module")
def connected(workspace):
    """A client of the kernel as it is shipped, connected to an instance."""
    with Kernel(program(KERNEL), workspace.state_dir) as started:
        one = started.client()
        for cell in ("%instance create endure", "%connect endure"):
            assert one.run(cell)[0]["content"]["status"] == "ok"
        yield one


def test_interrupts_at_random_moments(connected):
    interrupt_often(connected, 12, random.randrange(1 << 32))
