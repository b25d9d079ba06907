"""What a kernel must survive: everything that is not a proper message is dropped, logged once, and harms nobody."""
import json
import os
import socket

import pytest
import zmq
from jupyter_wire import DELIMITER, connection, streams
from tiny_kernel import client, kernel, launch, tiny  # noqa: F401 (fixtures)

CHANNELS = ["shell", "control", "stdin"]


def dropped(kernel, client, *many, channel="shell", logged=1, says=""):
    """These frames are dropped without an answer, and the kernel lives on."""
    for frames in many:
        client.raw(frames, channel)
    if channel == "stdin":
        assert client.request("kernel_info_request")["status"] == "ok"
        # stdin is read by the same loop: once a later message on it was seen, the earlier ones were
        msg_id = client.execute("ask x", allow_stdin=True)
        client.receive("stdin")
        client.send("input_reply", {"value": "y"}, channel="stdin")
        assert client.reply(msg_id)["content"]["status"] == "ok"
    else:
        client.nothing(channel)
    lines = [line for line in kernel.text().splitlines() if "was dropped" in line]
    assert len(lines) == logged and says in "".join(lines), kernel.text()


@pytest.mark.parametrize("channel", CHANNELS)
def test_wrong_signatures(kernel, client, channel):
    frames, _ = client.frames("execute_request", {"code": "echo x"})
    right = frames[1]
    wrong = [b"", b"0" * 64, right[:-1], right[:63] + (b"0" if right[63:] != b"0" else b"1"), right + b"0", right.upper(),
             b"\0" * 64, right[:32], b"x", b"f" * 100000]
    if right.upper() == right:  # all digits: no letter to change
        wrong.remove(right.upper())
    dropped(kernel, client, *[[DELIMITER, signature, *frames[2:]] for signature in wrong], channel=channel)


def test_replayed_messages(kernel, client):
    frames, msg_id = client.frames("execute_request", {"code": "echo once"})
    client.raw(frames)
    assert client.reply(msg_id)["content"]["execution_count"] == 1
    dropped(kernel, client, frames, frames, says="replay")
    client.raw(frames, "control")
    client.nothing("control")


@pytest.mark.parametrize("frames", [
    [b""], [b"x"], [DELIMITER], [DELIMITER] * 2, [DELIMITER, b""], [DELIMITER, b"", b"{}"],
    [DELIMITER, b"", b"{}", b"{}", b"{}"], [b"<IDS|MSG", b"", b"{}", b"{}", b"{}", b"{}"],
    [b"a", b"b", b"c"], [b""] * 6, [b"\xff" * 1000] * 6])
@pytest.mark.parametrize("channel", CHANNELS)
def test_missing_frames(kernel, client, frames, channel):
    dropped(kernel, client, frames, channel=channel)


@pytest.mark.parametrize("parts", [
    (b"", b"{}", b"{}", b"{}"), (b"null", b"{}", b"{}", b"{}"), (b"[]", b"{}", b"{}", b"{}"),
    (b'"x"', b"{}", b"{}", b"{}"), (b"{", b"{}", b"{}", b"{}"), (b"{}", b"{}", b"{}", b"{}"),
    (b'{"msg_id": 1, "msg_type": "x", "session": "s"}', b"{}", b"{}", b"{}"),
    (b'{"msg_id": "1", "msg_type": ["x"], "session": "s"}', b"{}", b"{}", b"{}"),
    (b'{"msg_id": "1", "msg_type": "x"}', b"{}", b"{}", b"{}"),
    (b'{"msg_id": "1", "msg_type": "", "session": "s"}', b"{}", b"{}", b"{}"),
    (b'{"msg_id": "1", "msg_type": "' + b"x" * 300 + b'", "session": "s"}', b"{}", b"{}", b"{}"),
    (b'{"msg_id": "1", "msg_id": "2", "msg_type": "x", "session": "s"}', b"{}", b"{}", b"{}"),
    (b'{"msg_id": "1", "msg_type": "kernel_info_request", "session": "s"}', b"null", b"{}", b"{}"),
    (b'{"msg_id": "1", "msg_type": "kernel_info_request", "session": "s"}', b"{}", b"[]", b"{}"),
    (b'{"msg_id": "1", "msg_type": "kernel_info_request", "session": "\xff"}', b"{}", b"{}", b"{}"),
    (b'{"a":' * 5000 + b"1" + b"}" * 5000, b"{}", b"{}", b"{}"),
    (b"[" * 100000, b"{}", b"{}", b"{}")])
def test_signed_but_not_a_message(kernel, client, parts):
    dropped(kernel, client, [DELIMITER, client.sign(parts), *parts])


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"1", b"{", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"\xff",
                                     b'{"code": "\\ud800"}', b'{"a":' * 5000 + b"1" + b"}" * 5000])
def test_content_that_is_not_an_object_gets_an_error(client, content):
    """The header tells whom to answer: an error, not silence, and busy and idle as always."""
    for channel in ("shell", "control"):
        header = client.header("execute_request")
        parts = [json.dumps(header).encode(), b"{}", b"{}", content]
        client.raw([DELIMITER, client.sign(parts), *parts], channel)
        reply = client.reply(header["msg_id"], channel)
        assert reply["msg_type"] == "execute_reply" and reply["content"]["ename"] == "MalformedRequest"
        client.outputs(header["msg_id"])
    assert client.run("echo ok")[0]["content"]["execution_count"] == 1


def test_execute_on_control_is_refused(client):
    msg_id = client.send("execute_request", {"code": "echo x"}, channel="control")
    assert client.reply(msg_id, "control")["content"]["ename"] == "BadRequest"


def test_buffers_and_routing_frames_are_tolerated(client):
    frames, msg_id = client.frames("kernel_info_request")
    client.raw([b"hop", b"", *frames, b"buffer", b"\0" * 1000])
    got = client.sockets["shell"].recv_multipart()
    assert got[:3] == [b"hop", b"", DELIMITER], "all routing frames come back"
    assert json.loads(got[5])["msg_id"] == msg_id
    client.outputs(msg_id)


@pytest.mark.parametrize("ids, buffers, answered", [(7, 0, True), (8, 0, False), (0, 249, True), (0, 250, False),
                                                    (0, 5000, False)])
def test_the_number_of_frames_at_its_caps(kernel, client, ids, buffers, answered):
    """8 routing frames (ROUTER's own is one of them), 256 frames in all."""
    frames, msg_id = client.frames("kernel_info_request")
    client.raw([b"id"] * ids + frames + [b"b"] * buffers)
    if answered:
        assert DELIMITER in client.sockets["shell"].recv_multipart()
        client.outputs(msg_id)
    else:
        client.nothing()
        assert "was dropped" in kernel.text()


def test_a_frame_at_the_cap_and_over_it(kernel, client):
    """64 MiB is taken; a byte more and libzmq hangs up on the sender, and on nobody else."""
    cap = 64 << 20
    head, tail = b'{"code": "', b'"}'
    other = kernel.client()

    def send(size):
        header = client.header("is_complete_request")
        parts = [json.dumps(header).encode(), b"{}", b"{}", head + b"\\u0020" * ((size - 12) // 6)]
        parts[3] += b" " * (size - len(parts[3]) - len(tail)) + tail
        assert len(parts[3]) == size
        client.raw([DELIMITER, client.sign(parts), *parts])
        return header["msg_id"]

    assert client.reply(send(cap))["content"]["status"] in ("complete", "incomplete", "invalid")
    send(cap + 1)
    assert other.request("kernel_info_request")["status"] == "ok"
    # the client is reconnected by its own libzmq; the big message is lost
    for _ in range(20):
        client.send("kernel_info_request")
        try:
            reply = client.receive(seconds=1)
            break
        except TimeoutError:
            continue
    assert reply["content"]["implementation"] == "lakebase-kernel"


def test_bytes_that_are_not_zeromq(kernel, client):
    for name in ("shell", "control", "iopub", "stdin", "hb"):
        for junk in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\xff" * 64, b"\xff\0\0\0\0\0\0\0\x01\x7f" + os.urandom(5000), b""):
            with socket.create_connection(("127.0.0.1", client.info[f"{name}_port"])) as s:
                s.sendall(junk)
    assert client.run("echo fine")[0]["content"]["status"] == "ok"


def test_a_raw_socket_without_identity_is_served(client):
    with client.context.socket(zmq.DEALER) as s:
        s.linger = 0
        s.connect(client.address("shell"))
        frames, _ = client.frames("kernel_info_request")
        s.send_multipart(frames)
        assert s.poll(20000) and s.recv_multipart()[0] == DELIMITER


def test_iopub_takes_no_orders(kernel, client):
    """A SUB socket can only subscribe; junk in a subscription is not a topic."""
    with client.context.socket(zmq.XSUB) as s:
        s.linger = 0
        s.connect(client.address("iopub"))
        for frame in (b"\x01\xff\xfe", b"\x02x", b"", b"\x01" + b"x" * 5000, b"hello", b"\x00never subscribed"):
            s.send(frame)
        s.send(b"\x01")
        assert s.poll(20000)
        assert b"iopub_welcome" in s.recv_multipart()[3]
    assert streams(client.run("echo fine")[1]) == "fine"


def test_noise_is_logged_once(kernel, client):
    dropped(kernel, client, *[[b"junk"]] * 500)


def test_nothing_secret_is_logged(launch):
    info = connection(key="the-secret-key-of-this-test")
    kernel = launch(info=info, environ={"LAKEBASE_LOG": "debug"})
    client = kernel.client()
    frames, _ = client.frames("kernel_info_request", {"password": "hunter2"})
    client.raw([DELIMITER, b"0" * 64, *frames[2:]])
    msg_id = client.execute("secret Password:", allow_stdin=True)
    client.receive("stdin")
    client.send("input_reply", {"value": "hunter2"}, channel="stdin")
    client.reply(msg_id)
    assert "hunter2" not in kernel.text() and "the-secret-key" not in kernel.text()
