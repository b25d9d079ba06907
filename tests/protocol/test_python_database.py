"""%%python and the current connection: environment, tokens and the last SQL result, against a real instance; and that no
secret is where it does not belong."""
import re
import stat
from pathlib import Path

import pytest
from jupyter_wire import Kernel, streams

from conftest import KERNEL, program, wait_until

BUSY = [{"content": {"execution_state": "busy"}}]  # was read before
RUNNING = ("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep%' "
           "AND pid <> pg_backend_pid()")


@pytest.fixture(scope="module")
def instances(workspace):
    """A workspace with two instances."""
    with Kernel(program(KERNEL), workspace.state_dir) as kernel:
        for name in ("alpha", "beta"):
            reply, _ = kernel.client().run(f"%instance create {name}")
            assert reply["content"]["status"] == "ok", reply["content"]
    return workspace


@pytest.fixture
def kernel(instances):
    with Kernel(program(KERNEL), instances.state_dir) as own:
        yield own


@pytest.fixture
def client(kernel):
    connected = kernel.client()
    assert connected.run("%connect alpha")[0]["content"]["status"] == "ok"
    return connected


def python(client, code, **options):
    return client.run("%%python\n" + code, **options)


def said(client, code):
    reply, outputs = python(client, code)
    assert reply["content"]["status"] == "ok", reply["content"]
    assert not streams(outputs, "stderr"), streams(outputs, "stderr")
    return streams(outputs).rstrip("\n")


WHO = "import psycopg\nwith psycopg.connect() as c:\n    print(*c.execute('SELECT current_user, current_database(), ssl " \
      "FROM pg_stat_ssl WHERE pid = pg_backend_pid()').fetchone(), c.info.host)"


def test_psycopg_connects_without_arguments(client):
    user, database, tls, host = said(client, WHO).split()
    assert (user, database, tls) == ("learner@example.com", "databricks_postgres", "True")
    assert said(client, "import os\nprint(os.environ['PGHOST'], os.environ['PGPORT'], os.environ['PGSSLMODE'])") == \
        f"{host} 5432 verify-full"


def test_the_environment_follows_the_current_connection(client):
    first = said(client, WHO)
    client.run("%connect beta/postgres as b")
    second = said(client, WHO)
    assert second.split()[1] == "postgres" and first.split()[3] != second.split()[3]
    client.run("%use alpha")
    assert said(client, WHO) == first
    for name in ("alpha", "b"):
        client.run(f"%disconnect {name}")
    assert said(client, "import os\nprint([n for n in os.environ if n.startswith('PG')])") == "[]"


def test_connections_that_are_open_live_on(client):
    said(client, "import psycopg\nopened = psycopg.connect()\nopened.execute('CREATE TEMP TABLE here AS SELECT 5 AS n')")
    client.run("%connect beta")
    assert said(client, "print(opened.execute('SELECT n FROM here').fetchone()[0])") == "5"


def test_a_pool_works(client):
    assert said(client, "from psycopg_pool import ConnectionPool\nimport psycopg\n"
                        "with ConnectionPool('', min_size=1, max_size=3, open=True) as pool:\n"
                        "    with pool.connection() as c:\n        print(c.execute('SELECT 6 * 7').fetchone()[0])") == "42"


def test_the_sdk_finds_the_workspace(client):
    assert said(client, "from databricks.sdk import WorkspaceClient\nw = WorkspaceClient()\n"
                        "print(w.current_user.me().user_name, *sorted(i.name for i in w.database.list_database_instances()))"
                ) == "learner@example.com alpha beta"


def test_tokens_and_conninfo(client):
    code = ("import lakebase, psycopg\n"
            "with psycopg.connect(lakebase.conninfo(dbname='postgres'), password=lakebase.token()) as c:\n"
            "    print(c.info.dbname, c.info.host)\nprint(lakebase.token('beta') != lakebase.token('beta'))\n"
            "print('password' in lakebase.conninfo())")
    assert said(client, code).split()[0] == "postgres"
    assert said(client, code).split()[2:] == ["True", "False"]
    client.run("%disconnect alpha")
    for call in ("token()", "conninfo()"):
        assert python(client, f"lakebase.{call}")[0]["content"]["ename"] == "ValueError"
    assert said(client, "print(len(lakebase.token('beta')) > 100)") == "True"


def test_a_connection_by_conninfo(client):
    token = said(client, "import lakebase\nprint(lakebase.token('beta'))")
    host = said(client, "from databricks.sdk import WorkspaceClient\n"
                        "print(WorkspaceClient().database.get_database_instance('beta').read_write_dns)")
    reply, _ = client.run(f"%connect host={host} user=learner@example.com dbname=postgres sslmode=require password={token}")
    assert reply["content"]["status"] == "ok", reply["content"]
    user, database, tls, where = said(client, WHO).split()
    assert (user, database, where) == ("learner@example.com", "postgres", host)
    assert said(client, "import os\nprint(os.environ['PGSSLMODE'], os.environ.get('PGSSLROOTCERT'))").startswith("require")


# ---- interrupts

def test_an_interrupted_query_is_cancelled_and_its_session_lives(kernel, client):
    watcher = kernel.client()
    said(client, "import psycopg\nc = psycopg.connect(autocommit=True)\nc.execute('CREATE TEMP TABLE mine AS SELECT 9 AS n')")
    for _ in range(3):
        cell = client.execute("%%python\nprint('begun', flush=True)\nc.execute('SELECT pg_sleep(1000)')")
        client.until(cell, "stream", "begun")
        assert wait_until(lambda: said_by_server(client, "active") == 1)
        client.send("interrupt_request", channel="control")
        assert client.reply(cell)["content"]["ename"] == "KeyboardInterrupt"
        client.outputs(cell, BUSY)
        assert said_by_server(client, "active") == 0
        assert said(watcher, "print(c.closed, c.execute('SELECT n FROM mine').fetchone()[0])") == "False 9"


def said_by_server(client, state):
    """How many sessions sleep on the server: asked beside the kernel, which is busy."""
    import psycopg
    environ = dict(line.split("=", 1) for line in Path(client.environ_file).read_text().splitlines())
    with psycopg.connect(environ["conninfo"], password=environ["password"], autocommit=True) as own:
        return own.execute(RUNNING).fetchone()[0]


@pytest.fixture(autouse=True)
def _beside(request, tmp_path):
    """For said_by_server: a login of its own, made by the cell."""
    if "client" not in request.fixturenames:
        return
    client = request.getfixturevalue("client")
    client.environ_file = tmp_path / "login"
    if "interrupted" in request.node.name:
        said(client, f"import lakebase\nopen({str(client.environ_file)!r}, 'w').write("
                     "'conninfo=' + lakebase.conninfo() + '\\npassword=' + lakebase.token())")


# ---- the last SQL result

@pytest.mark.parametrize("style", ["postgres", "iso_8601"])
def test_the_last_result_has_the_types_of_psycopg(client, style):
    query = ("SELECT 7 AS i, 1.50::numeric AS n, 2.5::float8 AS f, true AS b, NULL::int AS z, 'é' AS t, "
             "date '2026-02-03' AS d, timestamptz '2026-02-03 04:05:06+00' AS ts, interval '1 day 02:03:04.5' AS iv, "
             "ARRAY[1,2] AS a, '{\"k\": [1]}'::jsonb AS j, '\\x00ff'::bytea AS y, "
             "'6f9619ff-8b86-d011-b42d-00c04fc964ff'::uuid AS u, interval '-1 mon -1 hour' AS neg, 'infinity'::date AS inf")
    client.run(f"SET IntervalStyle = {style};")
    client.run(query + ";")
    assert said(client, "row = _sqldf[0]\nprint(repr(list(row.values())))") == \
        said(client, "import psycopg\nwith psycopg.connect(options='-c TimeZone=UTC') as c:\n"
                     f"    got = list(c.execute({query.replace(', ' + chr(39) + 'infinity' + chr(39) + '::date AS inf', '')!r}).fetchone())\n"
                     "print(repr(got + ['infinity']))")


def test_the_last_result_is_the_last_that_went_well(client):
    client.run("SELECT 1 AS a UNION ALL SELECT 2;")
    assert said(client, "print(_sqldf, _sqldf.columns, _sqldf.truncated)") == "[{'a': 1}, {'a': 2}] ['a'] False"
    client.run("SELECT 1/0;")
    client.run("CREATE TEMP TABLE nothing_to_show (x int);")
    assert said(client, "print(len(_sqldf))") == "2"
    client.run("SELECT 3 AS b; SELECT 4 AS c, 5 AS c;")
    assert said(client, "print(_sqldf)") == "[{'c': 4, 'c_2': 5}]"
    client.run("SELECT 1 WHERE false;")
    assert said(client, "print(_sqldf)") == "[]"


def test_the_last_result_is_a_dataframe_with_pandas(client, tmp_path):
    """A package of that name stands in for pandas, which is not part of the lab: what it is called with counts."""
    (tmp_path / "pandas.py").write_text("class DataFrame:\n    def __init__(self, rows, columns):\n"
                                        "        self.rows, self.columns, self.attrs = rows, columns, {}\n")
    client.run("SELECT 1 AS a, 'x' AS b;")
    assert said(client, f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n_sqldf_wanted = 1") == ""
    client.run("SELECT 2 AS a, 'y' AS b;")
    assert said(client, "print(type(_sqldf).__name__, _sqldf.rows, _sqldf.columns, _sqldf.attrs)") == \
        "DataFrame [[2, 'y']] ['a', 'b'] {'truncated': False}"


@pytest.mark.parametrize("query, rows", [("SELECT g FROM generate_series(1, 10001) AS g;", 10000),
                                         ("SELECT repeat('x', 1 << 20) AS t FROM generate_series(1, 9);", 7)])
def test_the_last_result_is_capped_and_says_so(client, query, rows):
    client.run("%set fetch_limit 20000")
    client.run(query)
    reply, outputs = python(client, "print(len(_sqldf), _sqldf.truncated)")
    assert streams(outputs) == f"{rows} True\n"
    assert f"_sqldf holds the first {rows} rows" in streams(outputs, "stderr")
    assert not streams(python(client, "1")[1], "stderr")


# ---- secrets

def family(kernel):
    """The kernel and all that it started."""
    found, todo = [], [kernel.process.pid]
    while todo:
        pid = todo.pop()
        found.append(pid)
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            todo += [int(child) for child in task.read_text().split()]
    return found


@pytest.mark.parametrize("target", ["local", "env"])
def test_no_secret_is_in_an_environment_or_a_command_line(instances, target):
    environ = {**instances.env, "PGPASSWORD": "top-secret-word", "MY_API_TOKEN": "top-secret-word"}
    with Kernel(program(KERNEL), instances.state_dir, environ=environ) as kernel:
        client = kernel.client()
        client.run(f"%workspace {target}")
        client.run("%connect alpha")
        assert said(client, WHO).split()[0] == "learner@example.com"
        assert said(client, "from databricks.sdk import WorkspaceClient\nprint(WorkspaceClient().current_user.me().user_name)"
                    ) == "learner@example.com"
        token = said(client, "import lakebase, subprocess\nprint(lakebase.token())\n"
                             "running = subprocess.Popen(['sleep', '1000'])")
        inside = said(client, "import os\nprint(dict(os.environ))")
        passwords = said(client, "print(open(os.environ['PGPASSFILE']).read())").rsplit(":", 1)[1]
        seen = 0
        for pid in family(kernel):
            if pid == kernel.process.pid:
                continue  # got them from us, in this test
            text = Path(f"/proc/{pid}/cmdline").read_text()
            text += Path(f"/proc/{pid}/environ").read_text() if "lakebase-guard" not in Path(f"/proc/{pid}/comm").read_text() \
                else ""
            seen += "sleep" in text or "lakebase.py" in text
            for secret in (token, passwords.strip(), instances.token, "top-secret-word"):
                assert len(secret) > 10 and secret not in text and secret not in inside
        assert seen >= 2


def test_files_with_secrets_are_private_and_go(kernel, client):
    places = said(client, "import os, lakebase\nprint(os.environ['PGPASSFILE'], lakebase.__file__)").split()
    folder = Path(places[1]).parent
    assert Path(places[0]).parent == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.iterdir() if path.is_file()} == {
        "pgpass": "0o600", "kernel.json": "0o600", "lakebase.py": "0o600", "lock": "0o600"}
    client.send("shutdown_request", {"restart": False}, channel="control")
    assert kernel.ended() == 0 and not folder.exists()


def test_no_secret_is_in_log_or_history(kernel, client):
    client.run("%%python\nimport lakebase\nkept = lakebase.token()")
    token = said(client, "print(kept)")
    assert re.fullmatch(r"[\w.-]{100,}", token)
    client.run("%disconnect alpha")
    client.send("shutdown_request", {"restart": False}, channel="control")
    kernel.ended()
    history = (kernel.file.parent / "history.sqlite").read_bytes()
    # what a cell printed itself is its output; the input and our own files hold none
    assert token.encode() not in history and token not in kernel.text()


def test_sql_alone_starts_no_python(kernel, client):
    client.run("SELECT 1;")
    assert not [pid for pid in family(kernel) if b"lakebase.py" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_a_workspace_that_does_not_start_is_told_and_python_runs(state_dir):
    with Kernel(program(KERNEL), state_dir, environ={"LAKEBASE_WORKSPACE_PROGRAM": "/bin/false"}) as kernel:
        reply, outputs = python(kernel.client(), "6 * 7")
        assert reply["content"]["status"] == "ok" and "42" in str(outputs[-1]["content"])
        assert streams(outputs, "stderr").startswith("WorkspaceClient() will not work yet: the local workspace did not start")


def test_nbclient_and_nbval_see_the_same_outputs(instances, kernelspec, monkeypatch, tmp_path):
    """A front end without input boxes: no progress, nothing that differs from run to run."""
    import nbformat
    from nbclient import NotebookClient
    monkeypatch.setenv("LAKEBASE_STATE_DIR", str(instances.state_dir))
    cell = nbformat.v4.new_code_cell
    fails = cell("%%python\nimport psycopg\nwith psycopg.connect() as c:\n    c.execute('SELECT nothing')")
    fails.metadata["tags"] = ["raises-exception"]
    runs = []
    for _ in range(2):
        notebook = nbformat.v4.new_notebook(cells=[
            cell("%connect alpha"), cell("SELECT 6 * 7 AS answer;"), cell("%%python\nprint(_sqldf[0])\n_sqldf[0]['answer']"),
            fails, cell("%%python\n'after'")])
        NotebookClient(notebook, kernel_name="lakebase", timeout=60).execute()
        nbformat.validate(nbformat.from_dict(notebook))
        runs.append(nbformat.from_dict(notebook).cells)
    assert [c.outputs for c in runs[0]][2:] == [c.outputs for c in runs[1]][2:]
    stream, result = runs[0][2].outputs
    assert stream.text == "{'answer': 42}\n" and result.data["text/plain"] == "42" and result.execution_count == 3
    assert runs[0][3].outputs[0].ename == "UndefinedColumn" and "line 4" in str(runs[0][3].outputs[0].traceback)
    assert runs[0][4].outputs[0].data["text/plain"] == "'after'"
