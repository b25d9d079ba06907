"""A PostgreSQL server of the workspace from outside: TLS, who may reach its files and its socket, what it shows."""
import os
import shutil
import socket
import ssl
import stat
import struct
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from api import Api
from conftest import ROOT, entries_below, running_workspace

USER, DATABASE = "learner@example.com", "databricks_postgres"


@pytest.fixture(scope="module")
def space(workspace):
    Api.of(workspace).create("demo")
    return workspace


@pytest.fixture(scope="module")
def demo(space):
    return Api.of(space).get("demo")


@pytest.fixture(scope="module")
def token(space):
    return Api.of(space).credential("demo")


def postmaster(space, uid):
    return int((space.state_dir / "instances" / uid / "data/postmaster.pid").read_text().split()[0])


def connect(host, password, **more):
    return psycopg.connect(**{"host": host, "user": USER, "password": password, "dbname": DATABASE,
                              "sslmode": "require", **more})


def test_the_certificate_is_verified_by_address(space, demo, token):
    ca = space.env["PGSSLROOTCERT"]
    with connect(demo["read_write_dns"], token, sslmode="verify-full", sslrootcert=ca) as conn:
        assert conn.execute("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()[0] >= "TLSv1.2"


def test_a_ca_of_somebody_else_does_not_verify_it(demo, token, tmp_path):
    other = tmp_path / "other.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                    "-subj", "/CN=Lakebase local workspace CA", "-keyout", tmp_path / "k", "-out", other],
                   check=True, capture_output=True)
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        connect(demo["read_write_dns"], token, sslmode="verify-full", sslrootcert=str(other))


def start_tls(host, context):
    """PostgreSQL's SSLRequest, then the handshake."""
    with socket.create_connection((host, 5432), timeout=10) as raw:
        raw.sendall(struct.pack("!ii", 8, 80877103))
        assert raw.recv(1) == b"S"
        with context.wrap_socket(raw, server_hostname=host) as tls:
            return tls.version(), tls.getpeercert()


def test_names_in_the_certificate(space, demo):
    _, cert = start_tls(demo["read_write_dns"], ssl.create_default_context(cafile=space.env["PGSSLROOTCERT"]))
    host = demo["read_write_dns"]  # as a name, too, for libpq before 15
    assert sorted(cert["subjectAltName"]) == [("DNS", host), ("DNS", "localhost"), ("IP Address", host)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls_before_1_2_is_refused(demo):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        start_tls(demo["read_write_dns"], context)


@pytest.mark.parametrize("change", [
    lambda t: t[:-1], lambda t: t + "A", lambda t: t[:40] + ("A" if t[40] != "A" else "B") + t[41:],
    lambda t: ".".join(t.split(".")[:2]) + ".", lambda t: "x", lambda t: " " + t])
def test_a_tampered_token_is_refused(demo, token, change):
    with pytest.raises(psycopg.OperationalError, match="LDAP authentication failed"):
        connect(demo["read_write_dns"], change(token))


def test_the_login_of_the_api_is_no_password(space, demo):
    with pytest.raises(psycopg.OperationalError, match="LDAP authentication failed"):
        connect(demo["read_write_dns"], space.token)


def test_without_tls_the_message_says_why(demo, token):
    with pytest.raises(psycopg.OperationalError, match="rejects connection .* no encryption"):
        connect(demo["read_write_dns"], token, sslmode="disable")


def test_a_session_outlives_the_workspace_and_is_found_again(space, demo, token):
    pid = postmaster(space, demo["uid"])
    with connect(demo["read_write_dns"], token) as conn:
        space.run("stop", "--keep-servers")
        assert conn.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError, match="LDAP"):
            connect(demo["read_write_dns"], token)
        space.start()
        assert postmaster(space, demo["uid"]) == pid
        assert conn.execute("SELECT 1").fetchone() == (1,)
    connect(demo["read_write_dns"], token).close()


def test_files_are_private(space, demo):
    """Nothing below the instance's folder is for anybody but the server's user; of the rest only programs and the CA."""
    folder = space.state_dir / "instances" / demo["uid"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path, info in entries_below(folder):
        if not stat.S_ISSOCK(info.st_mode) and not stat.S_ISLNK(info.st_mode):
            assert stat.S_IMODE(info.st_mode) & 0o077 == 0, path
    for name in ("private", "private/ca.key"):
        assert stat.S_IMODE((space.state_dir / name).stat().st_mode) & 0o077 == 0
    owner = folder.stat().st_uid
    assert owner == (os.geteuid() or owner) and owner != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_other_users_reach_neither_socket_nor_files(space, demo):
    """Not another user of the machine; and the user of the servers itself is no cloud_admin at the socket."""
    folder = space.state_dir / "instances" / demo["uid"]
    tried = ["psql", "-w", "-h", folder, "-U", "cloud_admin", "-d", "postgres", "-Atc", "SELECT 1"]
    assert subprocess.run(tried, capture_output=True, text=True).stdout == "1\n"  # as root: the workspace's own way
    for user, why in (("nobody", "Permission denied"), ("postgres", "Peer authentication failed")):
        done = subprocess.run(tried, capture_output=True, text=True, user=user, group="nogroup", extra_groups=[], cwd="/")
        assert done.returncode == 2 and why in done.stderr
    read = subprocess.run(["cat", folder / "data/PG_VERSION"], capture_output=True, user="nobody", group="nogroup",
                          extra_groups=[], cwd="/")
    assert read.returncode != 0


def test_processes_run_as_the_server_user_and_show_no_secret(space, demo, token):
    pid = postmaster(space, demo["uid"])
    secrets = {space.token, token, *token.split(".")[2:]}
    connect(demo["read_write_dns"], token).close()
    environ = Path(f"/proc/{pid}/environ").read_text()
    shown = environ + Path(f"/proc/{pid}/cmdline").read_text()
    shown += (space.state_dir / "instances" / demo["uid"] / "log").read_text()
    assert not [s for s in secrets if s in shown]
    assert "DATABRICKS_TOKEN" not in environ and "LDAPTLS_REQCERT=demand" in environ
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    assert "0" not in status["Uid"].split() and "0" not in status["Gid"].split() and "0" not in status["Groups"].split()
    assert int(status["CapEff"], 16) == 0


def test_two_workspaces_side_by_side(demo, token):
    with running_workspace() as other:
        api = Api.of(other)
        mine = api.create("demo")
        assert mine["read_write_dns"] != demo["read_write_dns"]
        with connect(mine["read_write_dns"], api.credential("demo")) as conn:
            assert conn.execute("SHOW cluster_name").fetchone() == ("demo",)
        with pytest.raises(psycopg.OperationalError, match="LDAP authentication failed"):
            connect(mine["read_write_dns"], token)
        with pytest.raises(psycopg.OperationalError, match="LDAP authentication failed"):
            connect(demo["read_write_dns"], api.credential("demo"))


PORT_5432_TAKEN = """
import re, socket, subprocess, sys
sys.path[:0] = sys.argv[1:3]
import psycopg
import api, conftest
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
taken = socket.create_server(("0.0.0.0", 5432))
with conftest.running_workspace() as space:
    client = api.Api.of(space)
    host = client.create("demo")["read_write_dns"]
    port = int(re.search(re.escape(host) + r":([0-9]+)", space.run("status").stdout)[1])
    assert port != 5432, port
    psycopg.connect(host=host, port=port, user="learner@example.com", password=client.credential("demo"),
                    dbname="databricks_postgres", sslmode="verify-full", sslrootcert=space.env["PGSSLROOTCERT"]).close()
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"),
                    reason="needs root, unshare and ip for a network of its own")
def test_another_port_when_5432_is_taken_everywhere():
    """In a network namespace, where somebody listens on 0.0.0.0:5432."""
    done = subprocess.run(["unshare", "-n", sys.executable, "-c", PORT_5432_TAKEN, ROOT / "tests", ROOT / "tests/workspace"],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
