"""PostgreSQL's own regression files through the kernel and through psql, on two copies of one cluster, statement by
statement: what each one shows must be the same. Left out: psql's backslash commands, and statements with psql variables.

The kernel's splitter finds the statements; psql reads them from a file, and its log (-L) tells which queries it really sent,
so a statement that was cut in the wrong place is a difference too.
"""
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/protocol")]

from jupyter_wire import Kernel  # noqa: E402

MARK = "statement-mark-"
# What pg/params.c sets for every session.
OPTIONS = "-c DateStyle=ISO -c IntervalStyle=postgres -c TimeZone=UTC -c bytea_output=hex -c client_encoding=UTF8"


@dataclass
class Difference:
    file: str
    statement: str
    ours: str
    theirs: str


@dataclass
class Report:
    compared: int = 0
    left_out: int = 0
    differences: list = field(default_factory=list)

    def share(self):
        return 1 - len(self.differences) / max(self.compared, 1)


# Why ours may differ: (file or "", pattern in the statement, in ours, in psql's, the reason).
REASONS = [
    ("", "", r"at end of input", r'at or near ";"', "psql sends the semicolon too, the kernel the statement alone"),
    ("", r"pg_cursors|pg_prepared_statements", "", "", "psql sends the semicolon too, which these views show"),
    ("", "", r"^(WARNING|NOTICE)", r"^LINE \d+$", "psql shows the place of a warning"),
    ("", "", r"\S{400}|-{400}", "", "the kernel cuts a value that is wider than a page"),
    ("create_table", "as_select1", "", "", "it counts tables that statements with psql variables made"),
    ("", r"^EXECUTE", r"^LINE 1", "", "the kernel marks the statement"),
]


def reason(d):
    """Why this difference is as it is; None: nobody knows."""
    for file, statement, ours, theirs, why in REASONS:
        if file in ("", d.file) and all(re.search(pattern, text, flags=re.M | re.I) for pattern, text in
                                        ((statement, d.statement), (ours, d.ours), (theirs, d.theirs))):
            return why
    return None


def build_splitter(folder, variant="release"):
    build = ROOT / "build" / variant
    compile_flags, link_flags = (build / "flags").read_text().split("|")
    program = Path(folder) / "statements"
    libraries = subprocess.run(["pkg-config", "--libs", "jansson", "uuid"], check=True, capture_output=True, text=True).stdout
    subprocess.run([*shlex.split(compile_flags), *shlex.split(link_flags), "-o", str(program), str(HERE / "statements.c"),
                    str(build / "lib/cell.a"), str(build / "lib/base.a"), *shlex.split(libraries)], cwd=ROOT, check=True)
    return program


def bindir():
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))


class Clusters:
    """Clusters from one initdb, so that object ids are the same; on unix sockets. `scout` is psql's too: see without_refused_copies()."""
    PORTS = {"ours": 6001, "theirs": 6002, "scout": 6003}

    def __init__(self, folder):
        self.folder = Path(folder)
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(self.folder, self.user)
        self.run("initdb", "-D", self.data("ours"), "-U", "regress", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        with open(self.data("ours") / "postgresql.conf", "a") as conf:
            conf.write("fsync = off\nautovacuum = off\nlisten_addresses = ''\nmax_prepared_transactions = 2\n"
                       f"unix_socket_directories = '{self.folder}'\nmax_parallel_workers_per_gather = 0\n")
        for name in list(self.PORTS)[1:]:
            self.as_user(["cp", "-a", self.data("ours"), self.data(name)])
        for name, port in self.PORTS.items():
            self.run("pg_ctl", "-D", self.data(name), "-l", self.folder / f"{name}.log", "-w", "-o", f"-p {port}", "start")
            self.run("createdb", "-h", self.folder, "-p", port, "-U", "regress", "-T", "template0", "regression")

    def data(self, name):
        return self.folder / name

    def as_user(self, command):
        subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       user=self.user, cwd=self.folder, env={**os.environ, "HOME": str(self.folder)})

    def run(self, name, *words):
        self.as_user([bindir() / name, *words])

    def stop(self):
        for name in self.PORTS:
            if (self.data(name) / "postmaster.pid").exists():
                self.run("pg_ctl", "-D", self.data(name), "-m", "immediate", "stop")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def statements(splitter, text):
    """[(statement with its semicolon and data, why it is left out or "")]"""
    raw = text.encode()
    lines = subprocess.run([str(splitter)], input=raw, capture_output=True, check=True).stdout.decode().splitlines()
    found = []
    for line in lines:
        start, end, why = line.split()
        statement = raw[int(start):int(end)].decode(errors="surrogateescape").rstrip("\n")
        last = statement.rstrip().rpartition("\n")[2]
        if why == "-" and re.match(r"copy\b[^;]*\bfrom\s+stdin\b[^;]*;[^\n]*$", statement.strip(), flags=re.I):
            why = "no data"
        if why == "-" and not statement.rstrip().endswith(";") and last != "\\.":
            why = "open"
        found.append((statement, "" if why == "-" else why))
    return found


# ---- psql

def run_psql(folder, socket, port, all_statements):
    """[(what it showed, what it sent)] for each statement."""
    script, log = folder / "script.sql", folder / "psql.log"
    log.unlink(missing_ok=True)
    with open(script, "w", errors="surrogateescape") as f:
        for i, statement in enumerate(all_statements):
            f.write(f"\\echo {MARK}{i}\n\\warn {MARK}{i}\n{statement}\n")
        f.write(f"\\echo {MARK}{len(all_statements)}\n\\warn {MARK}{len(all_statements)}\n")
    environ = {**os.environ, "PGOPTIONS": OPTIONS, "PGTZ": "UTC", "PGCLIENTENCODING": "UTF8", "LC_ALL": "C.UTF-8", "PGAPPNAME": "lakebase"}
    done = subprocess.run([str(bindir() / "psql"), "-X", "-h", str(socket), "-p", str(port), "-U", "regress", "-d", "regression",
                           "-v", "VERBOSITY=verbose", "-P", "null=NULL", "-P", "pager=off", "-L", str(log), "-f", str(script)],
                          capture_output=True, env=environ, timeout=900)
    parts = []
    for stream in (done.stdout, done.stderr):
        text = stream.decode(errors="surrogateescape")
        found = re.split(rf"^(?:psql:[^\n]*?: )?{MARK}(\d+)\n", text, flags=re.M)
        parts.append({int(found[k]): found[k + 1] for k in range(1, len(found) - 1, 2)})
    sent = re.findall(r"^\*{8,} QUERY \*{8,}\n(.*?)\n\*{26}\n", log.read_text(errors="surrogateescape"), flags=re.M | re.S)
    return parts, sent


PREFIX = re.compile(r"^psql:[^\n]*?script\.sql:\d+: ", flags=re.M)


def normal_psql(out, err):
    err = PREFIX.sub("", err)
    err = re.sub(r"^(LOCATION|(SCHEMA|TABLE|COLUMN|DATATYPE|CONSTRAINT) NAME):.*\n?", "", err, flags=re.M)
    err = re.sub(r"^(NOTICE|WARNING|INFO|LOG|DEBUG\d?):  [0-9A-Z]{5}: ", r"\1:  ", err, flags=re.M)
    err = re.sub(r"^LINE (\d+): .*\n *\^\n?", r"LINE \1\n", err, flags=re.M)
    if re.search(r"^QUERY:  ", err, flags=re.M):  # a place in a query of the server's own
        err = re.sub(r"^(LINE \d+|QUERY:  (?:.*\n)+?(?=CONTEXT:|\Z))\n?", "", err, flags=re.M)
    return squeeze(out), squeeze(err)


# ---- the kernel

def normal_kernel(reply, outputs):
    out, err = [], []
    for m in outputs:
        content = m["content"]
        if m["msg_type"] == "stream":
            (out if content["name"] == "stdout" else err).append(content["text"])
        elif m["msg_type"] in ("execute_result", "display_data"):
            out.append(content["data"]["text/plain"] + "\n")
        elif m["msg_type"] == "error":
            lines = "\n".join(content["traceback"])
            lines = re.sub(r"^\w+: ([0-9A-Z]{5}: )", r"ERROR:  \1", lines)
            lines = re.sub(r"^LINE (\d+): .*\n *\^+", r"LINE \1", lines, flags=re.M)
            lines = re.sub(r"^ADVICE:.*\n?", "", lines, flags=re.M)
            lines = re.sub(r"^LINE \d+\n(?=(?:.*\n)*CONTEXT:  COPY )", "", lines, flags=re.M)  # the place in the data is ours
            lines = re.sub(r"^(?:CONTEXT:  )?QUERY:  (?:.*\n?)+?(?=CONTEXT:|\Z)", "", lines, flags=re.M)
            err.append(lines + "\n")
    text = "".join(out)
    text = re.sub(r"^(A transaction is open|The transaction has failed).*\n?", "", text, flags=re.M)
    return squeeze(text), squeeze("".join(re.sub(r"^(A transaction is open|The transaction has failed|Nothing of the transaction).*\n?",
                                                 "", e, flags=re.M) for e in err))


def squeeze(text):
    """psql ends each table with an empty line; blanks at line ends of ours and theirs are equal."""
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


def run_kernel(client, statement):
    reply, outputs = client.run(statement)
    return normal_kernel(reply, [m for m in outputs if m["msg_type"] != "execute_input"])


# ---- both

def words(text):
    text = re.sub(r"--[^\n]*|/\*.*?\*/", " ", text, flags=re.S)
    return " ".join(text.split()).rstrip(" ;")


def has_data(statement):
    return "\n\\." in statement


def first_line(statement):
    """What psql sends of it."""
    return words(statement.split("\n")[0] if has_data(statement) else statement)


def agreement(queries, expected):
    """How many of the next dozen queries are what is expected."""
    pairs = list(zip(queries[:12], map(first_line, expected[:12])))
    return next((k for k, (sent, own) in enumerate(pairs) if sent != own), len(pairs))


def without_refused_copies(splitter, clusters, wanted):
    """(statements, how many were left out): where the server refuses a COPY, psql runs the lines below as statements, while a cell takes
    them as data. So that both go on from the same state, those lines stand as statements for both, and the COPY goes. Which ones are
    refused is found on a cluster that nothing is compared on."""
    _, sent = run_psql(clusters.folder, clusters.folder, clusters.PORTS["scout"], wanted)
    queries = [q for q in map(words, sent) if q]
    at, left_out, found, queue = 0, 0, [], list(wanted)
    while queue:
        statement = queue.pop(0)
        at = next((k + 1 for k in range(at, min(at + 200, len(queries))) if queries[k] == first_line(statement)), at)
        below = statements(splitter, statement.split("\n", 1)[1] + "\n") if has_data(statement) else []
        taken = agreement(queries[at:], queue)
        if has_data(statement) and at < len(queries) and (not taken or agreement(queries[at:], [one for one, why in below if not why] + queue) > taken):
            left_out += 1 + sum(bool(why) for _, why in below)
            queue[:0] = [one for one, why in below if not why]
        else:
            found.append(statement)
    return found, left_out


def compare_file(name, folder, splitter, clusters, kernel, report):
    text = (folder / "sql" / f"{name}.sql").read_text(encoding="utf-8", errors="surrogateescape")
    wanted = []
    for statement, why in statements(splitter, text):
        try:
            statement.encode()
        except UnicodeEncodeError:
            why = why or "bytes"
        if why:
            report.left_out += 1
        else:
            wanted.append(statement)
    wanted, refused = without_refused_copies(splitter, clusters, wanted)
    report.left_out += refused
    (outs, errs), sent = run_psql(clusters.folder, clusters.folder, clusters.PORTS["theirs"], wanted)
    queries = [words(q) for q in sent]
    at = 0
    client = kernel.client()
    client.run("%disconnect r --force")
    reply, _ = client.run(f"%connect host={clusters.folder} port=6001 user=regress dbname=regression as r\n%set rows 10000")
    assert reply["content"]["status"] == "ok", reply["content"]
    for i, statement in enumerate(wanted):
        report.compared += 1
        ours = run_kernel(client, statement)
        theirs = normal_psql(outs.get(i, ""), errs.get(i, ""))
        while at < len(queries) and queries[at] == "":
            at += 1
        split_right = at < len(queries) and queries[at] == first_line(statement)
        if split_right or has_data(statement):
            at += 1
        else:
            theirs = (theirs[0], theirs[1] + f"\n[psql sent: {queries[at][:200] if at < len(queries) else 'nothing'}]")
            at = next((k + 1 for k in range(at, min(at + 50, len(queries))) if queries[k] == words(statement)), at)
        if ours != theirs:
            report.differences.append(Difference(name, statement, "\n".join(ours), "\n".join(theirs)))
    client.close()


def files_of(folder):
    """In the order of the schedule."""
    names = []
    for line in (folder / "parallel_schedule").read_text().splitlines():
        if line.startswith("test:"):
            names += line.split(":", 1)[1].split()
    return [name for name in names if (folder / "sql" / f"{name}.sql").exists()]
