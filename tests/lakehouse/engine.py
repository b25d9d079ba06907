"""The lakehouse worker alone: its protocol spoken from Python, with a small Unity Catalog of the test's own.

The catalog keeps what the worker tells it and checks nothing: rights and names are the server's affair.
"""
import ctypes
import json
import os
import shutil
import socket
import struct
import subprocess
import uuid

from conftest import WORKSPACE, program, short_dir


def end_with_us():
    """As the server does it: the worker dies with whoever started it, however that ends."""
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL


class SqlError(Exception):
    def __init__(self, error):
        super().__init__(error["message"])
        self.code, self.sqlstate, self.position = error["code"], error["sqlstate"], error["position"]

    @property
    def error_class(self):
        return str(self).partition("]")[0].lstrip("[")


class Refusal(Exception):
    """What a call answers instead of a result."""

    def __init__(self, code, message, sqlstate=""):
        super().__init__(message)
        self.error = {"code": code, "message": message, "sqlstate": sqlstate, "position": 0}


class Result:
    def __init__(self, columns, rows, done):
        self.columns, self.rows, self.done = columns, rows, done
        self.names = [c["name"] for c in columns]
        self.types = [c["type_text"] for c in columns]

    @property
    def dicts(self):
        return [dict(zip(self.names, row)) for row in self.rows]


class Engine:
    """A worker process and its catalog: tables by full name."""

    def __init__(self, beside=None):
        """beside: another engine, whose folder and catalog this worker shares."""
        self.state = beside.state if beside else short_dir("lake-")
        self.root = self.state / "lakehouse"
        self.root.mkdir(exist_ok=True)
        self.tables = beside.tables if beside else {}
        self.schemas, self.calls, self.foreign = {("main", "default")}, [], {}
        self.catalog, self.schema = "main", "default"
        self.start()

    def start(self):
        self.path = self.state / f"{uuid.uuid4().hex[:8]}.sock"
        self.path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(self.path))
        listening.listen(16)
        env = dict(os.environ, LAKEBASE_STATE_DIR=str(self.state))
        self.process = subprocess.Popen([str(program(WORKSPACE)), "worker", "--listen-fd", str(listening.fileno())], env=env,
                                        stdin=subprocess.DEVNULL, pass_fds=[listening.fileno()], preexec_fn=end_with_us)
        listening.close()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.kill()
        shutil.rmtree(self.state)

    # ---- the protocol ----
    @staticmethod
    def _send(sock, frame):
        data = json.dumps(frame).encode()
        sock.sendall(struct.pack(">I", len(data)) + data)

    @staticmethod
    def _receive(sock):
        head = b""
        while len(head) < 4:
            part = sock.recv(4 - len(head))
            if not part:
                raise ConnectionError("the worker is gone")
            head += part
        size, data = struct.unpack(">I", head)[0], b""
        while len(data) < size:
            part = sock.recv(size - len(data))
            if not part:
                raise ConnectionError("the worker is gone")
            data += part
        return json.loads(data)

    def connect(self):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(120)
        sock.connect(str(self.path))
        return sock

    def run(self, sql, parameters=(), row_limit=0, byte_limit=0, sock=None, on_event=None):
        job = {"job": "statement", "sql": sql, "catalog": self.catalog, "schema": self.schema, "principal": "me@example.com",
               "parameters": list(parameters), "row_limit": row_limit, "byte_limit": byte_limit}
        columns, rows = [], []
        with sock or self.connect() as sock:
            self._send(sock, job)
            while True:
                frame = self._receive(sock)
                if "call" in frame:
                    self._send(sock, self._answer(frame))
                elif "done" in frame:
                    done = frame["done"]
                    self.catalog, self.schema = done.get("catalog", self.catalog), done.get("schema", self.schema)
                    return Result(columns, rows, done)
                elif "error" in frame:
                    raise SqlError(frame["error"])
                elif frame["event"] == "columns":
                    columns = frame["columns"]
                else:
                    rows += frame["rows"]
                    if on_event:
                        on_event(sock, frame)

    def rows(self, sql, *args, **more):
        return self.run(sql, *args, **more).rows

    # ---- Unity Catalog ----
    def _answer(self, frame):
        self.calls.append((frame["call"], frame["args"]))
        try:
            return {"answer": getattr(self, "on_" + frame["call"])(frame["args"]) or {}}
        except Refusal as refusal:
            return {"error": refusal.error}

    def find(self, name):
        table = self.tables.get(tuple(name))
        if not table:
            raise Refusal("TABLE_NOT_FOUND", f"table '{'.'.join(name)}' does not exist")
        return table

    def location(self, name):
        parts = name.split(".")
        return self.find(((self.catalog, self.schema)[: 3 - len(parts)]) + tuple(parts))["location"]

    def on_resolve(self, args):
        if tuple(args["name"]) in self.foreign:
            if args["write"]:
                raise Refusal("BAD_REQUEST", "the catalog is read-only")
            return self.foreign[tuple(args["name"])]
        return {"kind": "delta", "full_name": ".".join(args["name"]), "location": self.find(args["name"])["location"]}

    def on_allocate_table(self, args):
        if tuple(args["name"]) in self.tables:
            raise Refusal("SQL", "[TABLE_OR_VIEW_ALREADY_EXISTS] it is there", "42P07")
        if tuple(args["name"][:2]) not in self.schemas:
            raise Refusal("SCHEMA_NOT_FOUND", f"schema '{'.'.join(args['name'][:2])}' does not exist")
        id = str(uuid.uuid4())
        (self.root / id).mkdir()
        return {"location": str(self.root / id), "table_id": id}

    def on_publish_table(self, args):
        self.tables[tuple(args["name"])] = args

    def on_update_table(self, args):
        self.find(args["name"]).update(args)

    def on_drop_table(self, args):
        if self.tables.pop(tuple(args["name"]), None) is None and not args["if_exists"]:
            self.find(args["name"])

    def on_describe(self, args):
        table, name = self.find(args["name"]), args["name"]
        return dict(table, name=name[2], catalog_name=name[0], schema_name=name[1], full_name=".".join(name),
                    storage_location=table["location"], table_type="MANAGED", data_source_format="DELTA", owner="me")

    def on_create_schema(self, args):
        self.schemas.add(tuple(args["name"]))

    def on_list(self, args):
        if args["what"] == "catalogs":
            names = {s[0] for s in self.schemas}
        elif args["what"] == "schemas":
            names = {s[1] for s in self.schemas if s[0] == args["in"][0]}
        else:
            if tuple(args["in"]) not in self.schemas:
                raise Refusal("SCHEMA_NOT_FOUND", "no such schema")
            names = {t[2] for t in self.tables if t[:2] == tuple(args["in"])}
        return {"items": [{"name": n} for n in sorted(names)]}

    def on_show_grants(self, args):
        return {"items": [{"principal": "you", "action_type": "SELECT", "object_type": args["securable_type"],
                           "object_key": ".".join(args["name"])}]}

    def on_grant(self, args):
        pass

    on_revoke = on_create_catalog = on_drop_catalog = on_drop_schema = on_grant

    # ---- volumes ----
    def volume(self, name="v", schema="default"):
        """The folder of main.<schema>.<name>, made at its first use."""
        known = self.__dict__.setdefault("volumes", {})
        if (schema, name) not in known:
            known[schema, name] = self.root / "volumes" / str(uuid.uuid4())
            known[schema, name].mkdir(parents=True)
        return known[schema, name]

    def on_open_volume(self, args):
        parts = args["path"].split("/", 5)
        if parts[:2] != ["", "Volumes"] or len(parts) < 5:
            raise Refusal("SQL", "[INVALID_PARAMETER_VALUE] only /Volumes/<catalog>/<schema>/<volume>/… can be read", "22023")
        folder = getattr(self, "volumes", {}).get((parts[3], parts[4]))
        if not folder:
            raise Refusal("SQL", "[UC_VOLUME_NOT_FOUND] no such volume", "42704")
        return {"location": str(folder), "volume_id": folder.name, "volume_path": "/".join(parts[:5]),
                "path": parts[5].strip("/") if len(parts) > 5 else ""}
