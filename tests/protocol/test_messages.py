"""Requests that need no session: their replies, their status messages, their place in the protocol."""
import json

import pytest
import zmq
from jupyter_wire import connection, streams
from tiny_kernel import client, kernel, launch, tiny  # noqa: F401 (fixtures)


def states(messages):
    return [m["content"]["execution_state"] for m in messages if m["msg_type"] == "status"]


@pytest.mark.parametrize("channel", ["shell", "control"])
def test_kernel_info(client, channel):
    info = client.request("kernel_info_request", channel=channel)
    language = info["language_info"]
    assert info["protocol_version"] == "5.5" and info["implementation"] == "lakebase-kernel"
    assert language["name"] == "sql" and language["file_extension"] == ".sql"
    assert language["mimetype"] == language["codemirror_mode"] == "text/x-pgsql"
    assert language["pygments_lexer"] == "postgresql"
    assert info["supported_features"] == [] and "Lakebase" in info["banner"]
    assert all(link["url"].startswith("https://") and link["text"] for link in info["help_links"])


@pytest.mark.parametrize("kind, reply", [
    ("kernel_info_request", True), ("comm_info_request", True), ("connect_request", True),
    ("interrupt_request", True), ("comm_msg", False), ("comm_close", False), ("comm_open", False),
    ("debug_request", False), ("create_subshell_request", False), ("no_such_request", False), ("x", False)])
@pytest.mark.parametrize("channel", ["shell", "control"])
def test_busy_and_idle_around_every_request(client, kind, reply, channel):
    msg_id = client.send(kind, channel=channel)
    assert states(client.outputs(msg_id)) == ["busy", "idle"]
    if reply:
        client.reply(msg_id, channel)
    client.nothing(channel)


def test_parent_header_is_the_request_header_unchanged(client):
    header = client.header("kernel_info_request", extra={"b": [1, None, "ä"], "a": 1.5}, subshell_id=None)
    msg_id = client.send("kernel_info_request", header=header)
    assert client.reply(msg_id)["parent_header"] == header


def test_message_ids_differ_and_the_session_is_one(client):
    ids = []
    for _ in range(3):
        msg_id = client.send("kernel_info_request")
        ids += [client.reply(msg_id)["header"]["msg_id"]] + [m["header"]["msg_id"] for m in client.outputs(msg_id)]
    assert len(set(ids)) == 9  # one session: checked on every message by the client


def test_starting_is_sent_once_and_never_before_the_welcome(launch):
    for _ in range(5):
        client = launch().client()
        msg_id = client.send("kernel_info_request")
        seen = []
        while not seen or seen[-1]["parent_header"].get("msg_id") != msg_id:
            seen.append(client.receive("iopub"))
        assert states(seen).count("starting") <= 1
        assert all(m["parent_header"] == {} for m in seen if m["content"].get("execution_state") == "starting")


def test_the_first_subscriber_loses_nothing(kernel):
    """A client connects its sockets one by one: what it asked for before its subscription arrived is kept for it."""
    early = kernel.client(subscribe=None)
    info, cell = early.send("kernel_info_request"), early.execute("echo early")
    early.reply(info)
    early.reply(cell)
    late = kernel.client()  # checks that the welcome comes first
    starting = late.receive("iopub")
    assert starting["content"] == {"execution_state": "starting"} and starting["parent_header"] == {}
    assert states(late.outputs(info)) == ["busy", "idle"]
    assert streams(late.outputs(cell)) == "early"


def test_what_is_kept_for_the_first_subscriber_has_an_end(kernel):
    early = kernel.client(subscribe=None)
    for _ in range(100):
        early.reply(early.execute("echo x"))
    last = early.execute("echo the last")
    early.reply(last)
    late = kernel.client()
    kept = [late.receive("iopub") for _ in range(256)]
    assert states([m for m in kept if m["parent_header"].get("msg_id") == last]) == ["busy", "idle"]
    assert kept[-1]["parent_header"]["msg_id"] == last


def test_big_outputs_are_not_kept_for_nobody(kernel):
    early = kernel.client(subscribe=None)
    early.reply(early.execute(f"bytes {3 << 20}"))
    late = kernel.client()
    msg_id = late.send("kernel_info_request")
    texts = []
    while (message := late.receive("iopub"))["parent_header"].get("msg_id") != msg_id:
        texts.append(message["content"].get("text", ""))
    assert 0 < sum(map(len, texts)) <= 1 << 20


def test_comm_open_is_closed_at_once(client):
    msg_id = client.send("comm_open", {"comm_id": "c1", "target_name": "jupyter.widget.control", "data": {}})
    messages = client.outputs(msg_id)
    assert [m["msg_type"] for m in messages] == ["status", "comm_close", "status"]
    assert messages[1]["content"]["comm_id"] == "c1"
    assert client.request("comm_info_request", {"target_name": "x"}) == {"status": "ok", "comms": {}}


def test_connect_request_tells_the_ports(client):
    reply = client.request("connect_request")
    assert reply.pop("status") == "ok"
    assert reply == {f"{n}_port": client.info[f"{n}_port"] for n in ("shell", "iopub", "stdin", "control", "hb")}


@pytest.mark.parametrize("code, cursor, start, end", [
    ("ec", 2, 0, 2), ("x ec", 4, 2, 4), ("ä ec", 4, 2, 4), ("\U0001F600\U0001F600 ec", 5, 3, 5), ("ec", None, 0, 2),
    ("ec", 99, 0, 2)])
def test_complete_counts_code_points(client, code, cursor, start, end):
    content = {"code": code} if cursor is None else {"code": code, "cursor_pos": cursor}
    reply = client.request("complete_request", content)
    assert (reply["matches"], reply["cursor_start"], reply["cursor_end"]) == (["echo"], start, end)
    assert reply["metadata"]["_jupyter_types_experimental"] == [{"text": "echo", "type": "magic"}]


def test_inspect(client):
    reply = client.request("inspect_request", {"code": "x echo", "cursor_pos": 4, "detail_level": 0})
    assert reply == {"status": "ok", "found": True, "data": {"text/plain": "echo"}, "metadata": {}}
    reply = client.request("inspect_request", {"code": "nothing", "cursor_pos": 3, "detail_level": 1})
    assert reply == {"status": "ok", "found": False, "data": {}, "metadata": {}}


@pytest.mark.parametrize("code, expected", [
    ("SELECT 1;", {"status": "complete"}), ("%version", {"status": "complete"}),
    ("SELECT 'a", {"status": "incomplete", "indent": ""}), ("SELECT (1,", {"status": "incomplete", "indent": ""})])
def test_is_complete(client, code, expected):
    assert client.request("is_complete_request", {"code": code}) == expected


@pytest.mark.parametrize("kind, content, word", [
    ("complete_request", {}, "code"), ("complete_request", {"code": 1}, "code"),
    ("complete_request", {"code": "a", "cursor_pos": -1}, "cursor_pos"),
    ("complete_request", {"code": "a", "cursor_pos": "0"}, "cursor_pos"),
    ("inspect_request", {"code": None}, "code"),
    ("execute_request", {}, "code"), ("execute_request", {"code": ["x"]}, "code"),
    ("history_request", {"hist_access_type": "all"}, "hist_access_type"), ("history_request", {}, "hist_access_type")])
def test_wrong_fields_get_an_error_reply_that_names_them(client, kind, content, word):
    reply = client.request(kind, content)
    assert reply["status"] == "error" and reply["ename"] == "InvalidParameterValue" and word in reply["evalue"]
    assert client.request("kernel_info_request")["status"] == "ok"


def test_a_slow_workspace_holds_up_neither_tab_nor_a_cell(kernel):
    """The names that Tab offers are asked for between cells; here that takes a minute, unless it is cancelled."""
    client = kernel.client()
    for _ in range(3):
        assert client.request("complete_request", {"code": "names", "cursor_pos": 5})["matches"] == []
        assert client.run("echo here")[0]["content"]["status"] == "ok"
    client.request("complete_request", {"code": "names", "cursor_pos": 5})
    client.send("shutdown_request", {"restart": False}, channel="control")
    assert kernel.ended() == 0


def test_is_complete_without_code_is_unknown(client):
    assert client.request("is_complete_request", {}) == {"status": "unknown"}


def test_side_requests_are_answered_while_a_cell_runs(client):
    msg_id = client.execute("wait")
    client.until(msg_id, "stream")
    for channel in ("control", "shell"):
        assert client.request("kernel_info_request", channel=channel)["status"] == "ok"
    assert client.request("complete_request", {"code": "ec", "cursor_pos": 2})["matches"] == ["echo"]
    assert client.request("inspect_request", {"code": "echo", "cursor_pos": 4, "detail_level": 0})["found"]
    assert client.request("is_complete_request", {"code": "a"})["status"] == "incomplete"
    history = client.request("history_request", {"hist_access_type": "tail", "n": 1, "output": False, "raw": True})
    assert [entry[2] for entry in history["history"]] == ["wait"]
    client.request("interrupt_request", channel="control")
    assert client.reply(msg_id)["content"]["status"] == "error"


def test_the_newest_status_is_busy_while_a_cell_runs(client):
    """JupyterLab shows the last status it saw: an answered Tab must not make a running cell look idle."""
    cell = client.execute("wait")
    client.until(cell, "stream")
    tab = client.send("complete_request", {"code": "", "cursor_pos": 0})
    client.until(tab, "status", "idle")
    after = client.receive("iopub")
    assert after["parent_header"]["msg_id"] == cell and after["content"] == {"execution_state": "busy"}
    client.request("interrupt_request", channel="control")
    client.until(cell, "status", "idle")


def test_every_frontend_gets_its_welcome_and_all_outputs(kernel):
    clients = [kernel.client() for _ in range(4)]  # each one checks its welcome
    msg_id = clients[0].execute("echo to all")
    for client in clients:
        assert streams(client.outputs(msg_id)) == "to all"


def test_subscriptions_to_a_topic(kernel):
    """A subscriber to one topic is welcomed with it and gets only what begins with it."""
    everything = kernel.client()
    only = kernel.client(subscribe=f"kernel.{everything.kernel_session}.stream".encode())
    everything.run("echo x")
    assert only.receive("iopub")["msg_type"] == "stream"
    everything.run("echo y")
    assert only.receive("iopub")["content"]["text"] == "y"


def test_a_subscriber_that_comes_and_goes(kernel):
    first = kernel.client()
    for _ in range(20):
        kernel.client().close()
    assert first.run("echo still here")[0]["content"]["status"] == "ok"


def test_heartbeat_echoes_also_while_a_cell_hangs(kernel):
    client = kernel.client()
    client.until(client.execute("hang"), "stream")
    with client.context.socket(zmq.REQ) as beat:
        beat.linger = 0
        beat.connect(client.address("hb"))
        for payload in (b"ping", b"", b"\0\xff" * 1000):
            beat.send(payload)
            assert beat.poll(20000) and beat.recv() == payload
    with client.context.socket(zmq.DEALER) as beat:
        beat.linger = 0
        beat.connect(client.address("hb"))
        beat.send_multipart([b"a", b"", b"b"])
        assert beat.poll(20000) and beat.recv_multipart() == [b"a", b"", b"b"]


def test_unsigned_connections(launch):
    info = {**connection(), "key": ""}
    client = launch(info=info).client()
    assert client.run("echo no key")[0]["content"]["status"] == "ok"


def test_a_lone_surrogate_in_the_content_gets_an_error_not_silence(client):
    header = json.dumps(client.header("execute_request")).encode()
    parts = [header, b"{}", b"{}", b'{"code": "echo \\ud83d", "silent": false}']
    client.raw([b"<IDS|MSG>", client.sign(parts), *parts])
    reply = client.receive()
    assert reply["content"]["status"] == "error" and reply["content"]["ename"] == "MalformedRequest"
    assert reply["content"]["execution_count"] == 0


def test_nul_and_odd_text_travel_unharmed(client):
    text = "a\0b \u2028 \U0001F600 \x7f \r\n"
    reply, outputs = client.run("echo " + text)
    assert outputs[0]["content"]["code"] == "echo " + text
    assert reply["content"]["status"] == "ok"
