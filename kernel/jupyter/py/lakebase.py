"""Python's side of %%python: starts the notebook's Python (an ipykernel), and is the module `lakebase` in it.

    lakebase.token()      a fresh token for the instance of the current connection, asked from the workspace
    lakebase.conninfo()   where that connection goes, without its password

psycopg.connect() without arguments works as well: PGHOST, PGUSER and so on are set before each cell, and the
password is in the file that PGPASSFILE names. WorkspaceClient() of databricks-sdk finds its profile.

What the kernel has to tell comes with each cell, in the metadata of the request; no code of ours runs as a cell.
"""
import asyncio
import contextlib
import importlib.util
import inspect
import json
import os
import re
import signal
import sys
import threading
import traceback
import uuid
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from time import perf_counter_ns as time_ns

__all__ = ["conninfo", "token"]
_before = dict(os.environ)  # what a variable goes back to when the connection that set it is gone
_current = {"instance": None}


def token(instance=None):
    """A fresh token (a password that is good for logins within the next hour), asked from the workspace.

    Without a name it is for the instance of the notebook's current connection. For a pool that opens connections later:
    class Fresh(psycopg.Connection): override connect() and pass password=lakebase.token().
    """
    name = instance or _current["instance"]
    if not name:
        raise ValueError("which instance? The notebook is not connected to one: token('NAME'), or %connect NAME before")
    from databricks.sdk import WorkspaceClient

    answer = WorkspaceClient().database.generate_database_credential(request_id=str(uuid.uuid4()),
                                                                     instance_names=[name])
    return answer.token


def conninfo(**more):
    """The notebook's current connection as a conninfo string, without a password: libpq reads it from PGPASSFILE.

    Keywords add to it or replace what it says: conninfo(dbname="shop", application_name="lab 4").
    """
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE", "sslmode": "PGSSLMODE",
             "sslrootcert": "PGSSLROOTCERT"}
    words = {key: os.environ[name] for key, name in names.items() if os.environ.get(name)}
    words.update({key: str(value) for key, value in more.items() if value is not None})
    if "host" not in words:
        raise ValueError("the notebook has no connection: %connect INSTANCE before")
    return " ".join(f"{key}={_quoted(value)}" for key, value in words.items())


def _quoted(value):
    if value and not re.search(r"[\s'\\]", value):
        return value
    return "'" + re.sub(r"(['\\])", r"\\\1", value) + "'"


# ---- the last SQL result as _sqldf ----

INTERVAL = 1186
ISO_INTERVAL = re.compile(r"P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)W)?(?:(-?\d+)D)?"
                          r"(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?\d+)(?:\.(\d+))?S)?)?")


def _interval(text):
    """An interval in ISO 8601 (SET IntervalStyle); a month is 30 days and a year 365, as in psycopg."""
    match = ISO_INTERVAL.fullmatch(text)
    if not match:
        return text
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[:7])
    micros = int((match[8] or "0").ljust(6, "0")[:6])
    if (match[7] or "").startswith("-"):
        micros = -micros
    return timedelta(days=365 * years + 30 * months + 7 * weeks + days, hours=hours, minutes=minutes, seconds=seconds,
                     microseconds=micros)


def _loaders(oids):
    """For each column: text of PostgreSQL to the value that psycopg gives; the text itself where it knows no better."""
    try:
        from psycopg.adapt import Transformer
        from psycopg.pq import Format
    except ImportError:
        return [str for _ in oids]
    transformer = Transformer()

    def loader(oid):
        load = transformer.get_loader(oid, Format.TEXT).load

        def value(text):
            if oid == INTERVAL and text.startswith("P"):  # psycopg reads the other styles
                return _interval(text)
            try:
                return load(text.encode())
            except Exception:  # a value outside of Python's range, such as the date 'infinity'
                return text
        return value

    return [loader(oid) for oid in oids]


class Rows(list):
    """The last SQL result where pandas is not installed: a list with one dict for each row."""

    def __init__(self, names, rows, truncated):
        super().__init__(dict(zip(names, row)) for row in rows)
        self.columns, self.truncated = names, truncated


def _distinct(names):
    """Column names that a dict can hold: the second "id" becomes "id_2"."""
    found = []
    for name in names:
        number, new = 2, name
        while new in found:
            number, new = number + 1, f"{name}_{number}"
        found.append(new)
    return found


def _result(told):
    loaders = _loaders(told["oids"])
    rows = [[None if text is None else load(text) for load, text in zip(loaders, row)] for row in told["rows"]]
    names, truncated = _distinct(told["names"]), told["truncated"]
    if truncated:
        print(f"_sqldf holds the first {len(rows)} rows of the result; the kernel keeps no more.", file=sys.stderr)
    try:
        import pandas
    except ImportError:
        return Rows(names, rows, truncated)
    frame = pandas.DataFrame(rows, columns=names)
    frame.attrs["truncated"] = truncated
    return frame


# ---- values for %set NAME = python EXPRESSION ----

# pg_type.dat. bool comes before int, datetime before date: the first that fits counts.
_KINDS = (
    (bool, 16, lambda value: "t" if value else "f"),
    (int, None, str),
    (float, 701, repr),
    (Decimal, 1700, str),
    (str, 25, str),
    ((bytes, bytearray), 17, lambda value: "\\x" + bytes(value).hex()),
    (datetime, None, lambda value: value.isoformat(" ")),
    (date, 1082, date.isoformat),
    (time, 1083, time.isoformat),
    (timedelta, INTERVAL, lambda value: f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"),
    (uuid.UUID, 2950, str),
    (dict, 3802, lambda value: json.dumps(value, allow_nan=False, ensure_ascii=False)),
)
_GIVE_MOST = 8 << 20  # as the kernel's variables


def _text(value):
    """(oid of the type, the value as PostgreSQL reads it)"""
    if type(value) is time and value.tzinfo:
        raise TypeError("a time of day with a time zone has no good type in SQL: take its text, or a datetime")
    for kind, oid, text in _KINDS:
        if isinstance(value, kind):
            if kind is int:
                oid = 23 if -2**31 <= value < 2**31 else 20 if -2**63 <= value < 2**63 else 1700
            if kind is datetime:
                oid = 1184 if value.tzinfo else 1114
            said = text(value).replace("nan", "NaN").replace("inf", "Infinity") if kind is float else text(value)
            if "\0" in said:
                raise ValueError("a text with the character NUL cannot be stored in PostgreSQL")
            said.encode()  # half of a surrogate pair is no text
            return oid, said
    raise TypeError(f"a value of type {type(value).__name__} has no counterpart in SQL; numbers, texts, dates, times, bytes, "
                    "dictionaries (as JSON), None, and lists of one kind of them have")


_WIDER = {frozenset(pair): pair[1] for pair in ((23, 20), (23, 1700), (20, 1700), (23, 701), (20, 701))}


def _list(values):
    """A list of one kind becomes an array; whole numbers as wide as the widest of them."""
    found, parts = None, []
    for value in values:
        if value is None:
            parts.append("NULL")
            continue
        if isinstance(value, (list, tuple)):
            raise TypeError("a list in a list has no counterpart here")
        oid, text = _text(value)
        if found not in (None, oid):
            oid = _WIDER.get(frozenset((found, oid)))
            if oid is None:
                raise TypeError("the values of a list are of one kind")
        found = oid
        parts.append('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
    return found or 25, "{" + ",".join(parts) + "}"


def _give(expression, path):
    """Write what the expression is to a file of the kernel's: {"oid", "list", "text"} or {"error"}."""
    try:
        value = eval(compile(expression.strip(), "<%set>", "eval"), get_ipython().user_ns)  # noqa: F821 (IPython's)
        if inspect.isawaitable(value):
            getattr(value, "close", lambda: None)()
            raise TypeError("it must be awaited: do that in a cell of %%python, and name its result here")
        many = isinstance(value, (list, tuple))
        oid, text = (0, None) if value is None else _list(value) if many else _text(value)
        if text is not None and len(text.encode()) > _GIVE_MOST:
            raise ValueError(f"the value is larger than {_GIVE_MOST >> 20} MiB")
        answer = {"oid": 0 if oid == 25 and not many else oid, "list": many, "text": text}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    _tell(path, answer)


def _tell(path, answer):
    with open(path, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        json.dump(answer, file)


# ---- %%pool --compare psycopg ----

class _Load:
    """The clients of %%pool, each a thread, on a pool of psycopg_pool. What is measured is what the kernel measures."""

    def __init__(self, told, pool, queue_errors):
        self.told, self.pool, self.queue_errors = told, pool, queue_errors
        self.lock, self.stopped = threading.Lock(), threading.Event()
        self.running, self.calls, self.failures, self.in_vain = set(), [], {}, 0
        self.threads = [threading.Thread(target=self.client, daemon=True) for _ in range(told["clients"])]

    def failed(self, error):
        kind = (getattr(error, "sqlstate", None) or "", type(error).__name__)
        diag = getattr(error, "diag", None)
        text = (diag and diag.message_primary) or (str(error).splitlines() or [""])[0]
        with self.lock:
            self.failures.setdefault(kind, [0, text])[0] += 1
            self.in_vain += isinstance(error, self.queue_errors)

    def call(self):
        """(microseconds in all or None, microseconds of waiting, server process)"""
        begun, conn, backend, good = time_ns(), None, 0, False
        try:
            conn = self.pool.getconn()
            got = time_ns()
            backend = conn.info.backend_pid
            with self.lock:
                self.running.add(conn)
            if not self.stopped.is_set():
                conn.execute(self.told["sql"])
            good = True
        except Exception as error:
            self.failed(error)
        finally:
            if conn is None:
                got = time_ns()
            else:
                with self.lock:
                    self.running.discard(conn)
                self.pool.putconn(conn)
        return (time_ns() - begun) // 1000 if good else None, (got - begun) // 1000, backend

    def client(self):
        mine = []
        for number in range(self.told["calls"]):
            if number and self.told["think_ms"]:
                self.stopped.wait(self.told["think_ms"] / 1000)
            if self.stopped.is_set():
                break
            mine.append(self.call())
        with self.lock:
            self.calls += mine

    def run(self):
        begun = time_ns()
        try:
            for thread in self.threads:
                thread.start()
            for thread in self.threads:
                thread.join()
        except KeyboardInterrupt:
            self.stop()
            raise
        return (time_ns() - begun) // 1000

    def stop(self):
        """Cancel what runs on the server until all clients have gone: one may begin a statement just now."""
        self.stopped.set()
        while alive := [thread for thread in self.threads if thread.is_alive()]:
            with self.lock:
                running = list(self.running)
            for conn in running:
                with contextlib.suppress(Exception):
                    conn.cancel_safe(timeout=2)
            with contextlib.suppress(KeyboardInterrupt):
                alive[0].join(0.05)


def _rank(values, percent):
    """Nearest rank, of sorted values."""
    return values[max((len(values) * percent + 99) // 100, 1) - 1] if values else 0


def _figures(load, us, before, after):
    good = sorted(total for total, _, _ in load.calls if total is not None)
    waits = sorted(wait for _, wait, _ in load.calls)
    counts = {name: after.get(name, 0) - before.get(name, 0)
              for name in ("requests_num", "requests_queued", "requests_errors", "connections_num", "connections_errors")}
    return {"done": len(good), "us": us, "p50": _rank(good, 50), "p95": _rank(good, 95), "p99": _rank(good, 99),
            "most": _rank(good, 100), "wait_p95": _rank(waits, 95), "wait_most": _rank(waits, 100),
            "waited": counts["requests_queued"] - load.in_vain, "counts": counts,
            "backends": len({backend for _, _, backend in load.calls if backend}),
            "failures": [{"sqlstate": state, "name": name, "text": text, "count": count}
                         for (state, name), (count, text) in load.failures.items()]}


def _psycopg_load(told):
    import psycopg
    from psycopg_pool import ConnectionPool, PoolTimeout

    login = dict(told.pop("login"), autocommit=True, application_name="lakebase-psycopg",
                 prepare_threshold=1 if told["prepare"] else None)
    conninfo = login.pop("conninfo", "")
    psycopg.connect(conninfo, **login).close()  # its error says why; the pool's would be a time-out
    pool = ConnectionPool(conninfo, kwargs=login, min_size=told["min"], max_size=told["max"], open=False,
                          timeout=told["timeout_ms"] / 1000, max_waiting=told["max_waiting"])
    try:
        pool.open(wait=True)
        load, before = _Load(told, pool, PoolTimeout), pool.get_stats()
        us = load.run()
        return _figures(load, us, before, pool.get_stats())
    finally:
        pool.close()


def _pool(path):
    """Run the load that a file of the kernel's describes, and write what it took to the file named there."""
    with open(path, encoding="utf-8") as file:
        told = json.load(file)
    os.unlink(path)
    try:
        answer = _psycopg_load(told)
    except KeyboardInterrupt:  # the kernel knows; a traceback could show what is in these variables
        answer = {"error": "interrupted"}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}", "sqlstate": getattr(error, "sqlstate", None) or "",
                  "missing": isinstance(error, ImportError)}
    _tell(told["answer"], answer)


# ---- the kernel ----

def _prepare(shell, told):
    """Before a cell: its number, the environment of the current connection, the last SQL result."""
    if "count" in told:
        shell.execution_count = told["count"]  # tracebacks say "Cell In[7]" as the notebook does
    _current["instance"] = told.get("instance", _current["instance"])
    for name, value in told.get("environ", {}).items():
        value = _before.get(name) if value is None else value
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    if told.get("result"):
        shell.user_ns["_sqldf"] = _result(told["result"])


def _serve():
    try:
        from ipykernel.ipkernel import IPythonKernel
        from ipykernel.kernelapp import IPKernelApp
        from ipykernel.zmqshell import ZMQInteractiveShell
        from traitlets import Type
    except ImportError as why:
        sys.exit(f"no ipykernel: {why}")

    interrupt = {"due": False, "running": False}

    def later(_signal, _frame):
        interrupt["due"] = True

    class LakebaseShell(ZMQInteractiveShell):
        """An interrupt before the first statement of a cell is kept for it: IPython's own code there swallows some."""

        async def run_code(self, code_obj, result=None, **more):
            if threading.current_thread() is not threading.main_thread():
                return await super().run_code(code_obj, result, **more)
            if signal.getsignal(signal.SIGINT) is later:
                signal.signal(signal.SIGINT, signal.default_int_handler)
            if interrupt["due"]:
                interrupt["due"] = False
                code_obj = compile("raise KeyboardInterrupt", "<interrupted>", "exec")
            try:
                interrupt["running"] = True
                return await super().run_code(code_obj, result, **more)
            except KeyboardInterrupt as why:  # of a cell that awaits, in the steps around its code
                interrupt["running"] = False
                if result is not None:
                    result.error_in_exec = why
                self.showtraceback()
                return True
            finally:
                interrupt["running"] = False

    class LakebaseKernel(IPythonKernel):
        shell_class = Type(LakebaseShell)

        def pre_handler_hook(self):
            before = signal.signal(signal.SIGINT, later)  # ValueError in a subshell's thread, as in ipykernel's own
            self.saved_sigint_handler, interrupt["due"] = before, False

        @contextlib.contextmanager
        def _cancel_on_sigint(self, future):
            """For a cell that awaits. ipykernel's own neither wakes a loop that waits nor stops code that does not await."""
            loop = asyncio.get_running_loop()

            def stop(_signal, _frame):
                if not interrupt["running"]:
                    interrupt["due"] = True
                elif asyncio.current_task(loop) is future:
                    raise KeyboardInterrupt
                else:
                    future.cancel()
                    loop.call_soon_threadsafe(lambda: None)

            before = signal.signal(signal.SIGINT, stop)
            try:
                yield
            finally:
                signal.signal(signal.SIGINT, before)

        async def execute_request(self, stream, ident, parent):
            try:
                _prepare(self.shell, (parent.get("metadata") or {}).get("lakebase") or {})
            except Exception:
                traceback.print_exc()
            done = super().execute_request(stream, ident, parent)
            if inspect.isawaitable(done):
                await done

        async def _progressively_terminate_all_children(self):
            """Takes seconds where a child is not waited for; the kernel ends the whole process group itself."""

    # Comes behind each interrupt (python_child_wake). That it is handled, though by doing nothing, ends a system call.
    signal.signal(signal.SIGURG, lambda _signal, _frame: None)
    # The kernel keeps the history of the whole notebook itself.
    IPKernelApp.launch_instance(argv=[*sys.argv[1:], "--HistoryManager.enabled=False"], kernel_class=LakebaseKernel)


if __name__ == "__main__":
    # As the module `lakebase`, because __main__ becomes the notebook's; and not with this folder in sys.path.
    place = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder or ".") != place]
    spec = importlib.util.spec_from_file_location("lakebase", __file__)
    sys.modules["lakebase"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module._serve()
