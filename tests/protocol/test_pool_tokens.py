"""Tokens that really expire, in a workspace whose tokens are short (LAKEBASE_TOKEN_SECONDS): a pool goes on, a session that is
open goes on, a token that has ended is refused at the login, and no token is ever shown or stored."""
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from jupyter_wire import Kernel

from conftest import KERNEL, Workspace, end_leftovers, files_below, program, running_workspace, short_dir
from test_pool import ok, status

sys.path.append(str(Path(__file__).resolve().parents[1] / "workspace"))
from api import Api  # noqa: E402

TOKEN = re.compile(rb"eyJ[\w-]{20,}\.eyJ[\w-]{20,}")


@contextmanager
def short_tokens(seconds):
    before = os.environ.get("LAKEBASE_TOKEN_SECONDS")
    os.environ["LAKEBASE_TOKEN_SECONDS"] = str(seconds)
    try:
        with running_workspace() as workspace:
            yield workspace
    finally:
        os.environ.pop("LAKEBASE_TOKEN_SECONDS")
        if before is not None:
            os.environ["LAKEBASE_TOKEN_SECONDS"] = before


def kept_tokens(folder):
    """Files that hold a token which is nobody's password any more: logs, histories. (The workspace's own settings file is
    where programs find theirs.)"""
    return [path for path, content in files_below(folder)
            if path.name != "databrickscfg" and "/private/" not in str(path) and TOKEN.search(content)]


def rotate(life, lifetime, seconds):
    """Load on a pool for so long; its connections live for `lifetime`, its tokens for `life`."""
    with short_tokens(life) as workspace, Kernel(program(KERNEL), workspace.state_dir) as kernel:
        client = kernel.client()
        shown = [ok(client, cell)[0] for cell in ("%instance create turns", "%connect turns")]
        ok(client, f"%pool open turning --min 2 --max 4 --max-lifetime {lifetime}s")
        end, calls = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            said, tables = ok(client, "%%pool turning --clients 6 --calls 50 --think 10ms\nSELECT 1")
            assert tables[0][0]["failed"] == "0", tables
            calls += int(tables[0][0]["calls"])
            shown.append(str(tables))
        now = status(client, "turning", "--all")
        shown.append(str(now))
        # The session of the start has outlived its token.
        assert ok(client, "SELECT 1 AS still")[1][0][0]["still"] == "1"
        reply, outputs = client.run("%%python\nimport os\nprint(sorted(name for name in os.environ if 'TOKEN' in name))")
        assert not TOKEN.search((" ".join(shown) + str(outputs)).encode())
        assert int(now["tokens fetched"]) >= seconds // life and now["tokens not to be had"] == "0", now
        assert int(now["closed"]) >= 2 * (seconds // lifetime) - 2, "connections were replaced"
        print(f"{calls} calls, {now['connects']} connects, {now['tokens fetched']} tokens in {seconds} s")
        assert not kept_tokens(workspace.state_dir), "a token lies in a file"
    return calls


def test_a_pool_outlives_its_tokens():
    assert rotate(life=5, lifetime=1, seconds=14) > 1000


def test_a_token_that_has_ended_is_refused():
    with short_tokens(5) as workspace:
        api = Api.of(workspace)
        host = api.create("ends")["read_write_dns"]
        token = api.credential("ends")
        login = {"host": host, "user": "learner@example.com", "dbname": "databricks_postgres", "sslmode": "require", "password": token}
        with psycopg.connect(**login, autocommit=True) as open_one:
            time.sleep(5.5)  # its life
            with pytest.raises(psycopg.OperationalError, match="LDAP authentication failed"):
                psycopg.connect(**login)
            assert open_one.execute("SELECT 1").fetchone() == (1,), "an open session goes on"


@pytest.mark.parametrize("value", ["4", "3601", "x", "10 s", "-1"])
def test_a_life_that_is_none(value):
    folder = short_dir("lbt-")
    try:
        space = Workspace(folder)
        space.environ["LAKEBASE_TOKEN_SECONDS"] = value
        done = space.run("start", check=False)
        assert done.returncode != 0 and "LAKEBASE_TOKEN_SECONDS is a number from 5 to 3600" in done.stderr, done
    finally:
        end_leftovers(folder)
        subprocess.run(["rm", "-rf", folder], check=True)
