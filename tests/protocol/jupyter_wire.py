"""A raw client of Jupyter's wire protocol, for tests that must see and send every byte.

Every message that comes in is checked: frame count, signature, header, and the content against the message
specification (the schemas of jupyter_kernel_test, and of this file where it has none).
"""
import hashlib
import hmac
import json
import os
import re
import subprocess
import time
import uuid
from datetime import datetime, timezone
from pathlib import Path

import zmq
from jupyter_kernel_test import msgspec_v5 as spec
from jupyter_kernel_test.msgspec_v5 import validate_message

DELIMITER = b"<IDS|MSG>"
PORTS = ("shell", "iopub", "stdin", "control", "hb")
PATIENCE = 20  # seconds until a test gives up waiting; never part of what is tested
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")

# The specification has these, jupyter_kernel_test does not.
spec.schema_fragments["iopub_welcome"] = {"properties": {"subscription": {"type": "string"}}}
spec.schema_fragments["comm_close"] = {"properties": {"comm_id": {"type": "string"}, "data": {"type": "object"}}}
spec.schema_fragments["input_request"] = {
    "properties": {"prompt": {"type": "string"}, "password": {"type": "boolean"}}}
ABORTED = {"status": "aborted"}


def connection(transport="tcp", ip="127.0.0.1", key=None, **more):
    return {"transport": transport, "ip": ip, "key": os.urandom(16).hex() if key is None else key,
            "signature_scheme": "hmac-sha256", **{f"{name}_port": 0 for name in PORTS}, **more}


def check(message, parts, session):
    """A message from the kernel is what the specification wants."""
    header = message["header"]
    assert STAMP.fullmatch(header["date"]), header
    assert header["version"] == "5.5"
    assert header["session"] == session or session is None, "one session id on everything the kernel sends"
    assert parts[1] in (b"{}",) or "msg_id" in message["parent_header"]
    if message["content"].get("status") == "aborted":
        assert set(message["content"]) == {"status", "execution_count"}
        return
    validate_message({**message, "header": {**header, "date": None}})


class Kernel:
    """A kernel process and one client of it. Use as a context manager."""

    def __init__(self, program, folder, info=None, environ=None, args=(), user=None):
        self.file = Path(folder) / f"kernel-{uuid.uuid4().hex[:8]}.json"
        self.file.write_text(json.dumps(info or connection()))
        self.file.chmod(0o600)
        if user is not None:
            os.chown(self.file, user, -1)
            os.chown(folder, user, -1)
        self.log = self.file.with_suffix(".log")
        environ = {**os.environ, "LAKEBASE_STATE_DIR": str(folder), "LAKEBASE_DEBUGGABLE": "1",
                   "JPY_PARENT_PID": str(os.getpid()), **(environ or {})}
        environ["TSAN_OPTIONS"] = f"halt_on_error=1 suppressions={Path(__file__).parent}/tsan.supp"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([str(program), "-f", str(self.file), *args], env=environ,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=user,
                                            start_new_session=True)
        self.clients = []
        self.wait_for_ports()

    def wait_for_ports(self):
        deadline = time.monotonic() + PATIENCE
        while True:
            self.info = json.loads(self.file.read_text())
            if all(self.info[f"{name}_port"] for name in PORTS):
                return
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, "the kernel did not write its ports"
            time.sleep(0.005)

    def client(self, **more):
        client = Client(self.info, **more)
        self.clients.append(client)
        return client

    def ended(self, seconds=PATIENCE):
        """Wait for its end; the exit status."""
        return self.process.wait(seconds)

    def text(self):
        return self.log.read_text(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for client in self.clients:
            client.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        log = self.text()
        assert "Sanitizer" not in log and "runtime error" not in log, log


class Client:
    """One front end. session: its identity on all three request channels, as JupyterLab and jupyter_client do."""

    def __init__(self, info, session=None, subscribe=b"", key=None, stdin=True):
        self.info, self.key = info, (info["key"] if key is None else key).encode()
        self.session = session or uuid.uuid4().hex
        self.kernel_session, self.seen = None, set()
        self.context = zmq.Context()
        self.sockets = {}
        for name, kind in (("iopub", zmq.SUB), ("shell", zmq.DEALER), ("control", zmq.DEALER), ("stdin", zmq.DEALER)):
            s = self.sockets[name] = self.context.socket(kind)
            s.linger = 0
            s.rcvhwm = 0
            s.setsockopt(zmq.RECONNECT_IVL, 5)
            if kind == zmq.DEALER:
                s.identity = self.session.encode()
            elif subscribe is not None:
                s.subscribe(subscribe)
            if name != "stdin" or stdin:
                s.connect(self.address(name))
        if subscribe is not None:
            self.welcome = self.receive("iopub")
            assert self.welcome["header"]["msg_type"] == "iopub_welcome"
            assert self.welcome["content"]["subscription"] == subscribe.decode()
            assert self.welcome["parent_header"] == {}

    def connect_stdin(self):
        """For a client made with stdin=False: now."""
        self.sockets["stdin"].connect(self.address("stdin"))

    def address(self, name):
        separator = "-" if self.info["transport"] == "ipc" else ":"
        return f"{self.info['transport']}://{self.info['ip']}{separator}{self.info[name + '_port']}"

    def close(self):
        self.context.destroy(0)

    # -- sending
    def sign(self, parts):
        if not self.key:
            return b""
        return hmac.new(self.key, b"".join(parts), hashlib.sha256).hexdigest().encode()

    def header(self, kind, **more):
        return {"msg_id": uuid.uuid4().hex, "session": self.session, "username": "tester", "msg_type": kind,
                "date": datetime.now(timezone.utc).isoformat(), "version": "5.3", **more}

    def frames(self, kind, content=None, header=None, parent=None, metadata=None):
        """What send() sends, and the msg_id."""
        header = header or self.header(kind)
        parts = [json.dumps(part).encode() for part in (header, parent or {}, metadata or {}, content or {})]
        return [DELIMITER, self.sign(parts), *parts], header["msg_id"]

    def raw(self, frames, channel="shell"):
        self.sockets[channel].send_multipart(frames)

    def send(self, kind, content=None, channel="shell", **more):
        frames, msg_id = self.frames(kind, content, **more)
        self.raw(frames, channel)
        return msg_id

    def execute(self, code, **options):
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {},
                   "allow_stdin": False, "stop_on_error": True, **options}
        return self.send("execute_request", content)

    # -- receiving
    def receive(self, channel="shell", seconds=PATIENCE):
        """The next message of a channel, checked; TimeoutError when none comes."""
        if not self.sockets[channel].poll(int(seconds * 1000)):
            raise TimeoutError(f"no message on {channel}")
        frames = self.sockets[channel].recv_multipart()
        at = frames.index(DELIMITER)
        assert at == (1 if channel == "iopub" else 0), frames[:at]
        signature, parts = frames[at + 1], frames[at + 2:]
        assert len(parts) == 4 and signature == self.sign(parts)
        assert signature not in self.seen or not self.key, "the same message twice"
        self.seen.add(signature)
        names = ("header", "parent_header", "metadata", "content")
        message = dict(zip(names, map(json.loads, parts)))
        check(message, parts, self.kernel_session)
        self.kernel_session = message["header"]["session"]
        message["msg_type"] = message["header"]["msg_type"]
        return message

    def nothing(self, channel="shell"):
        """Nothing is there for this client: a request that is answered in order comes back first."""
        msg_id = self.send("kernel_info_request", channel="control" if channel == "iopub" else channel)
        if channel == "iopub":
            first = self.receive("iopub")
            self.reply(msg_id, "control")
        else:
            first = self.receive(channel)
        assert first["parent_header"].get("msg_id") == msg_id, first
        self.outputs(msg_id, [first] if channel == "iopub" else ())

    def reply(self, msg_id, channel="shell"):
        """The reply to a request; replies to others may not come before it."""
        message = self.receive(channel)
        assert message["parent_header"]["msg_id"] == msg_id, message
        return message

    def outputs(self, msg_id, before=()):
        """iopub messages caused by a request, from its busy to its idle; those of others are passed over."""
        found = list(before)
        while not found or found[-1]["content"].get("execution_state") != "idle":
            message = self.receive("iopub")
            if message["parent_header"].get("msg_id") == msg_id:
                found.append(message)
        assert found[0]["content"] == {"execution_state": "busy"}
        return found

    def request(self, kind, content=None, channel="shell", **more):
        """Send, and wait for reply and idle; the reply's content."""
        msg_id = self.send(kind, content, channel, **more)
        reply = self.reply(msg_id, channel)
        self.outputs(msg_id)
        return reply["content"]

    def run(self, code, **options):
        """Execute; (reply message, outputs between busy and idle)."""
        msg_id = self.execute(code, **options)
        return self.reply(msg_id), self.outputs(msg_id)[1:-1]

    def until(self, msg_id, kind, text=None):
        """Read iopub until a message of that kind (holding that text) for the request comes."""
        while True:
            message = self.receive("iopub")
            if message["parent_header"].get("msg_id") == msg_id and message["msg_type"] == kind:
                if text is None or text in json.dumps(message["content"]):
                    return message


def streams(outputs, name="stdout"):
    return "".join(m["content"]["text"] for m in outputs
                   if m["msg_type"] == "stream" and m["content"]["name"] == name)
