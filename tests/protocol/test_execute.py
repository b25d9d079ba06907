"""Cells: counter, outputs and their order, errors, aborts, interrupts, prompts."""
import os
import re
import signal

import pytest
from jupyter_wire import streams
from tiny_kernel import client, kernel, launch, tiny  # noqa: F401 (fixtures)


def kinds(messages):
    return [m["msg_type"] for m in messages]


def interrupt_by_message(kernel, client):
    assert client.request("interrupt_request", channel="control") == {"status": "ok"}


def interrupt_by_signal(kernel, client):
    os.kill(kernel.process.pid, signal.SIGINT)


def interrupt_by_group(kernel, client):
    os.killpg(kernel.process.pid, signal.SIGINT)


INTERRUPTS = [interrupt_by_message, interrupt_by_signal, interrupt_by_group]


def test_order_of_a_cell(client):
    msg_id = client.execute("mixed")
    reply, messages = client.reply(msg_id), client.outputs(msg_id)
    assert kinds(messages) == (["status", "execute_input"] + ["stream", "stream", "display_data"] * 3 + ["status"])
    assert [m["content"]["name"] for m in messages if m["msg_type"] == "stream"] == ["stdout", "stderr"] * 3
    assert reply["content"] == {"status": "ok", "execution_count": 1, "user_expressions": {}, "payload": []}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z", reply["metadata"]["started"])
    assert messages[1]["content"] == {"code": "mixed", "execution_count": 1}


def test_counter_rises_with_stored_cells_only(client):
    def count(code="echo x", **options):
        reply, outputs = client.run(code, **options)
        counts = {m["content"]["execution_count"] for m in outputs if "execution_count" in m["content"]}
        assert counts <= {reply["content"]["execution_count"]}
        return reply["content"]["execution_count"]

    assert count(store_history=False) == 0
    assert count() == 1
    assert count("result 5") == 2
    assert count(store_history=False) == 2
    assert count(silent=True) == 2
    assert count(silent=True, store_history=True) == 2
    assert count("fail x") == 3
    assert count("") == 4


def test_silent_shows_nothing(client):
    for code in ("mixed", "result 1", "lines 10"):
        reply, outputs = client.run(code, silent=True)
        assert reply["content"]["status"] == "ok" and outputs == []
    reply, outputs = client.run("fail quietly", silent=True)
    assert reply["content"]["evalue"] == "quietly" and outputs == []


def test_result_display_and_update(client):
    _, (given, shown) = client.run("result 42")
    assert shown["msg_type"] == "execute_result"
    assert shown["content"] == {"execution_count": 1, "data": {"text/plain": "42"}, "metadata": {}, "transient": {}}
    _, (_, first, second) = client.run("update 43")
    assert kinds([first, second]) == ["display_data", "update_display_data"]
    assert first["content"]["transient"] == second["content"]["transient"] == {"display_id": "the-id"}
    assert second["content"]["data"] == {"text/plain": "43"}


def test_interactive_is_allow_stdin(client):
    assert streams(client.run("interactive", allow_stdin=True)[1]) == "yes"
    assert streams(client.run("interactive", allow_stdin=False)[1]) == "no"


def test_streams_are_joined_and_complete(client):
    _, outputs = client.run("lines 2000")
    assert "".join(m["content"]["text"] for m in outputs[1:] if m["content"]["name"] == "stdout").count("\n") == 1000
    assert streams(outputs, "stderr").splitlines()[-1] == "line 1999"
    _, outputs = client.run("bytes 3000000")
    assert len(streams(outputs)) == 3000000
    assert len(outputs) < 100


def test_streams_of_a_silent_moment_are_sent_before_the_cell_ends(client):
    msg_id = client.execute("wait")
    assert client.until(msg_id, "stream")["content"]["text"] == "waiting\n"
    client.request("interrupt_request", channel="control")
    client.reply(msg_id)


def test_code_points_are_not_torn(client):
    assert streams(client.run("torn")[1]) == "ä\ufffd."


def test_an_endless_printer_is_cut_with_a_note(client):
    cap = 64 << 20
    _, outputs = client.run(f"bytes {cap}")
    assert len(streams(outputs)) == cap and streams(outputs, "stderr") == ""
    _, outputs = client.run(f"bytes {cap + 1}")
    assert len(streams(outputs)) == cap and "rest is not shown" in streams(outputs, "stderr")


def test_a_reader_that_comes_late_loses_nothing(client):
    """Like nbval: the reply first, iopub only then."""
    msg_id = client.execute("lines 20000")
    client.reply(msg_id)
    assert streams(client.outputs(msg_id), "stderr").endswith("line 19999\n")


def test_error(client):
    reply, (_, error) = client.run("fail it broke")
    bundle = {"ename": "BadRequest", "evalue": "it broke", "traceback": ["it broke"]}
    assert error["msg_type"] == "error" and error["content"] == bundle
    assert reply["content"] == {**bundle, "status": "error", "execution_count": 1, "payload": []}
    assert reply["metadata"]["status"] == "error"


def test_user_expressions_get_an_error_each(client):
    answers = client.run("echo x", user_expressions={"a": "1+1", "b": ""})[0]["content"]["user_expressions"]
    assert set(answers) == {"a", "b"}
    for answer in answers.values():
        assert answer["status"] == "error" and answer["ename"] == "NotImplemented" and answer["traceback"] == []


# ---- aborts

def test_run_all_stops_at_the_error(client):
    """All cells are sent at once, as JupyterLab does."""
    ids = [client.execute(code) for code in ("echo 1", "fail here", "echo 3", "fail 4", "echo 5")]
    info = client.send("kernel_info_request")
    replies = {}
    while len(replies) < 6:
        message = client.receive()
        replies[message["parent_header"]["msg_id"]] = message["content"]
    assert [replies[i]["status"] for i in ids] == ["ok", "error", "aborted", "aborted", "aborted"]
    assert [replies[i]["execution_count"] for i in ids] == [1, 2, 2, 2, 2]
    assert replies[info]["status"] == "ok", "only execute requests are aborted"
    idle, between = set(), {}
    while not set(ids) <= idle:
        message = client.receive("iopub")
        parent = message["parent_header"].get("msg_id")
        between.setdefault(parent, []).append(message["content"].get("execution_state") or message["msg_type"])
        if between[parent][-1] == "idle":
            idle.add(parent)
    for aborted in ids[2:]:
        assert between[aborted] == ["busy", "idle"], "busy and idle, and nothing else, around an aborted cell"
    assert client.run("echo again")[0]["content"] == {
        "status": "ok", "execution_count": 3, "user_expressions": {}, "payload": []}


def test_cells_that_come_just_behind_the_failed_one_are_aborted_too(client):
    """The reply to a failed cell waits a moment for those that were sent together with it: a fast kernel must not
    run the second cell of "Run All" because it arrived a millisecond after the first one failed."""
    for _ in range(50):
        first = client.execute("fail fast")
        client.until(first, "error")
        second = client.execute("echo too late")
        assert client.reply(first)["content"]["status"] == "error"
        if client.reply(second)["content"]["status"] == "aborted":
            return
    pytest.fail("no cell was ever aborted that came behind the error")


def test_a_cell_sent_after_the_error_reply_runs(client):
    for _ in range(20):
        assert client.reply(client.execute("fail"))["content"]["status"] == "error"
        assert client.reply(client.execute("echo next"))["content"]["status"] == "ok"


@pytest.mark.parametrize("options", [{"stop_on_error": False}, {"silent": True}])
def test_no_abort_when_it_was_not_asked_for(client, options):
    ids = [client.execute("fail", **options), client.execute("echo goes on")]
    assert [client.reply(i)["content"]["status"] for i in ids] == ["error", "ok"]


def test_cells_run_in_the_order_of_arrival(kernel):
    one, two = kernel.client(), kernel.client()
    ids = [(c, c.execute(f"result {n}")) for n in range(50) for c in (one, two)]
    counts = [c.reply(i)["content"]["execution_count"] for c, i in ids]
    assert sorted(counts) == list(range(1, 101))
    assert counts[::2] == sorted(counts[::2]) and counts[1::2] == sorted(counts[1::2])


def test_a_thousand_cells_in_the_queue(client):
    ids = [client.execute(f"echo {n}") for n in range(1000)]
    for n, msg_id in enumerate(ids, 1):
        reply = client.reply(msg_id)["content"]
        assert (reply["status"], reply["execution_count"]) == ("ok", n)
    shown = []
    while len(shown) < 1000:
        message = client.receive("iopub")
        if message["msg_type"] == "stream":
            shown.append(message["content"]["text"])
    assert shown == [str(n) for n in range(1000)]


def test_more_cells_than_the_queue_holds_are_refused(client):
    running = client.execute("wait")
    client.until(running, "stream")
    for _ in range(10000):
        client.execute("echo x", store_history=False)
    refused = client.execute("one too many")
    reply = client.reply(refused)["content"]
    assert reply["status"] == "error" and reply["ename"] == "TooManyRequests"
    client.send("interrupt_request", channel="control")
    assert client.reply(running)["content"]["ename"] == "KeyboardInterrupt"
    assert {client.receive()["content"]["status"] for _ in range(10000)} == {"aborted"}


def test_more_bytes_than_the_queue_holds_are_refused(client):
    running = client.execute("wait")
    client.until(running, "stream")
    waiting = client.execute("echo " + "x" * (40 << 20), store_history=False)
    refused = client.execute("echo " + "x" * (40 << 20), store_history=False)
    reply = client.reply(refused)["content"]
    assert reply["status"] == "error" and reply["ename"] == "TooManyRequests"
    fits = client.execute("echo y")
    client.send("interrupt_request", channel="control")
    assert client.reply(running)["content"]["ename"] == "KeyboardInterrupt"
    assert [client.reply(m)["content"]["status"] for m in (waiting, fits)] == ["aborted"] * 2


# ---- interrupts

def test_an_interrupt_reaches_a_cell_that_writes_without_end(client):
    """Long before its output is cut off (64 MiB): the sockets are looked at between two looks at the output."""
    cell = client.execute("flood")
    client.until(cell, "stream")
    client.send("interrupt_request", channel="control")
    reply = client.reply(cell)["content"]
    assert reply["ename"] == "KeyboardInterrupt" and int(reply["evalue"]) < 64 << 20


@pytest.mark.parametrize("interrupt", INTERRUPTS)
def test_interrupt_ends_the_cell_and_keeps_the_kernel(kernel, client, interrupt):
    for _ in range(3):
        msg_id = client.execute("wait")
        client.until(msg_id, "stream")
        interrupt(kernel, client)
        reply = client.reply(msg_id)["content"]
        assert (reply["status"], reply["ename"]) == ("error", "KeyboardInterrupt")
        assert client.run("echo alive")[0]["content"]["status"] == "ok"


@pytest.mark.parametrize("interrupt", INTERRUPTS)
def test_an_interrupt_while_idle_does_nothing(kernel, client, interrupt):
    for _ in range(3):
        interrupt(kernel, client)
    client.request("kernel_info_request")
    reply, outputs = client.run("wait 1")
    assert reply["content"]["status"] == "ok" and streams(outputs) == "waiting\n"


def test_an_interrupt_aborts_what_waits_behind_the_cell(client):
    ids = [client.execute("wait"), client.execute("echo 2"), client.execute("echo 3")]
    client.until(ids[0], "stream")
    client.send("interrupt_request", channel="control")
    assert [client.reply(i)["content"]["status"] for i in ids] == ["error", "aborted", "aborted"]


# ---- stdin

def prompt(client, code, **options):
    msg_id = client.execute(code, allow_stdin=True, **options)
    request = client.receive("stdin")
    assert request["msg_type"] == "input_request" and request["parent_header"]["msg_id"] == msg_id
    return msg_id, request


def answer(client, value, parent=None, **content):
    client.send("input_reply", {"value": value, **content}, channel="stdin", parent=parent)


@pytest.mark.parametrize("code, password", [("ask Your name:", False), ("secret Password:", True)])
@pytest.mark.parametrize("lab", [True, False])
def test_prompt(client, code, password, lab):
    """JupyterLab names the request it answers, jupyter_client sends an empty parent."""
    msg_id, request = prompt(client, code)
    assert request["content"] == {"prompt": code.partition(" ")[2], "password": password}
    answer(client, "grüße \U0001F600", request["header"] if lab else None)
    assert client.reply(msg_id)["content"]["status"] == "ok"
    expected = "got 12 bytes" + ("" if password else "grüße \U0001F600")
    assert streams(client.outputs(msg_id)) == expected


def test_prompt_is_refused_where_nobody_can_answer(client):
    reply, (_, error) = client.run("ask x", allow_stdin=False)
    assert reply["content"]["ename"] == "InvalidState" and "cannot be asked" in reply["content"]["evalue"]
    assert client.sockets["stdin"].poll(0) == 0


@pytest.mark.parametrize("value", ["\x04", None, 5, ["x"]])
def test_a_closed_prompt_ends_the_cell(client, value):
    msg_id, _ = prompt(client, "ask x")
    answer(client, value)
    reply = client.reply(msg_id)["content"]
    assert reply["status"] == "error" and reply["ename"] == "KeyboardInterrupt" and "closed" in reply["evalue"]


@pytest.mark.parametrize("interrupt", INTERRUPTS)
def test_a_prompt_can_be_interrupted(kernel, client, interrupt):
    msg_id, old = prompt(client, "ask x")
    interrupt(kernel, client)
    assert client.reply(msg_id)["content"]["ename"] == "KeyboardInterrupt"
    # what is typed into the old box answers nothing, before or after the next prompt
    answer(client, "stale 1")
    msg_id, new = prompt(client, "ask y")
    answer(client, "stale 2", old["header"])
    answer(client, "good", new["header"])
    client.reply(msg_id)
    assert streams(client.outputs(msg_id)).endswith("good")


def test_a_prompt_waits_for_a_client_whose_stdin_connects_late(kernel):
    client = kernel.client(stdin=False)
    msg_id = client.execute("ask x", allow_stdin=True)
    client.until(msg_id, "execute_input")
    client.request("kernel_info_request", channel="control")  # by now the prompt was tried
    client.connect_stdin()
    request = client.receive("stdin")
    answer(client, "late", request["header"])
    assert client.reply(msg_id)["content"]["status"] == "ok"
    assert streams(client.outputs(msg_id)).endswith("late")
    assert client.sockets["stdin"].poll(0) == 0  # it came once


def test_a_prompt_that_nobody_sees_can_be_interrupted(kernel):
    client = kernel.client(stdin=False)
    msg_id = client.execute("ask x", allow_stdin=True)
    client.until(msg_id, "execute_input")
    client.send("interrupt_request", channel="control")
    assert client.reply(msg_id)["content"]["ename"] == "KeyboardInterrupt"
    client.outputs(msg_id)
    client.connect_stdin()
    msg_id, request = prompt(client, "ask y")  # and that one is not shown afterwards
    assert request["content"]["prompt"] == "y"
    answer(client, "here", request["header"])
    client.reply(msg_id)


def test_only_the_client_that_was_asked_can_answer(kernel):
    one, two = kernel.client(), kernel.client()
    msg_id, request = prompt(one, "ask x")
    answer(two, "intruder", request["header"])
    two.send("input_request", channel="stdin")
    two.request("kernel_info_request")
    answer(one, "owner", request["header"])
    assert one.reply(msg_id)["content"]["status"] == "ok"
    assert streams(one.outputs(msg_id)).endswith("owner")


def test_an_answer_at_the_cap_and_over_it(client):
    for size, ename in ((1000, None), (1001, "TooBig")):  # the tiny interpreter takes 1,000 bytes
        msg_id, _ = prompt(client, "secret x")
        answer(client, "x" * size)
        assert client.reply(msg_id)["content"].get("ename") == ename


def test_an_unasked_answer_is_ignored(client):
    answer(client, "nobody asked")
    assert client.run("echo fine")[0]["content"]["status"] == "ok"


# ---- end of the client

def test_a_client_that_leaves_in_the_middle(kernel):
    gone = kernel.client()
    msg_id = gone.execute("wait 300")
    gone.until(msg_id, "stream")
    gone.close()
    stays = kernel.client()
    assert stays.run("echo still here")[0]["content"]["status"] == "ok"


def test_a_client_that_reconnects_with_its_identity_gets_the_reply(kernel):
    """jupyter_server does so when a browser tab comes back (ROUTER_HANDOVER)."""
    for _ in range(5):
        before = kernel.client(session="the-same-identity")
        msg_id = before.execute("wait")
        before.until(msg_id, "stream")
        after = kernel.client(session="the-same-identity")  # the old one is not closed
        after.request("interrupt_request", channel="control")
        assert after.reply(msg_id)["content"]["ename"] == "KeyboardInterrupt"
        before.close()
