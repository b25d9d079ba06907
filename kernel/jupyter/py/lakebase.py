"""Python's side of %%python: starts the notebook's Python (an ipykernel), and is the module `lakebase` in it.

    lakebase.token()      a fresh token for the instance of the current connection, asked from the workspace
    lakebase.conninfo()   where that connection goes, without its password

psycopg.connect() without arguments works as well: PGHOST, PGUSER and so on are set before each cell, and the
password is in the file that PGPASSFILE names. WorkspaceClient() of databricks-sdk finds its profile.

What the kernel has to tell comes with each cell, in the metadata of the request; no code of ours runs as a cell.
"""
import importlib.util
import inspect
import os
import re
import signal
import sys
import threading
import traceback
import uuid
from datetime import timedelta

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

    interrupt = {"due": False}

    def later(_signal, _frame):
        interrupt["due"] = True

    class LakebaseShell(ZMQInteractiveShell):
        """An interrupt before the first statement of a cell is kept for it: IPython's own code there swallows some."""

        async def run_code(self, code_obj, *args, **more):
            if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is later:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                if interrupt["due"]:
                    code_obj = compile("raise KeyboardInterrupt", "<interrupted>", "exec")
            return await super().run_code(code_obj, *args, **more)

    class LakebaseKernel(IPythonKernel):
        shell_class = Type(LakebaseShell)

        def pre_handler_hook(self):
            before = signal.signal(signal.SIGINT, later)  # ValueError in a subshell's thread, as in ipykernel's own
            self.saved_sigint_handler, interrupt["due"] = before, False

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
