"""Tokens at a real login, by their age and by who signed them. Tokens are made here with the workspace's own key, so that
their times can be chosen; the first test proves that such a token is as good as one of the API."""
import base64
import json
import subprocess
import time

import psycopg
import pytest

from api import Api
from conftest import wait_until

USER = "learner@example.com"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


@pytest.fixture(scope="module")
def demo(workspace):
    return Api.of(workspace).create("demo")


@pytest.fixture
def forge(workspace, demo, tmp_path):
    """forge(claim=value, ...): the claims of a real token, changed, signed with the key of the workspace (or another)."""
    claims = unb64(Api.of(workspace).credential("demo").split(".")[1])

    def make(key=workspace.state_dir / "private/token-key.pem", header=None, **changes):
        merged = {k: v for k, v in {**claims, **changes}.items() if v is not None}
        head = header or {"alg": "RS256", "typ": "JWT"}
        text = ".".join(b64(json.dumps(part, separators=(",", ":")).encode()) for part in (head, merged))
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text.encode(), check=True,
                                   stdout=subprocess.PIPE).stdout
        return f"{text}.{b64(signature)}"

    make.claims = claims
    return make


def login(demo, token, user=USER):
    return psycopg.connect(host=demo["read_write_dns"], user=user, dbname="databricks_postgres", password=token,
                           sslmode="require")


def refused(demo, token, user=USER):
    with pytest.raises(psycopg.OperationalError, match="authentication failed") as caught:
        login(demo, token, user)
    assert token[40:80] not in str(caught.value) or not token[40:80]


def test_a_token_made_here_is_as_good(demo, forge):
    with login(demo, forge()) as conn:
        assert conn.execute("SELECT current_user").fetchone() == (USER,)


def test_what_a_token_says(demo, forge):
    claims = forge.claims
    assert claims["sub"] == USER and claims["exp"] - claims["iat"] == 3600
    assert claims["instances"] == {"demo": demo["uid"]}
    assert set(claims) == {"iss", "sub", "aud", "iat", "exp", "jti", "instances"}


@pytest.mark.parametrize("changes", [
    {"exp": 1}, {"exp": None}, {"exp": "soon"}, {"exp": -1}, {"iat": None}, {"iat": 1 << 40},
    {"iss": "lakebase-workspace:2"}, {"iss": None}, {"sub": "other@example.com"}, {"sub": None}, {"aud": "other"},
    {"aud": None}, {"instances": {}}, {"instances": None}, {"instances": {"demo": "1"}}, {"instances": "demo"},
    {"instances": {"demo": {"demo": 1}}},
])
def test_claims_that_are_refused(demo, forge, changes):
    refused(demo, forge(**changes))


def test_expired_by_a_second(demo, forge):
    refused(demo, forge(exp=int(time.time()) - 1))


def test_headers_that_are_refused(demo, forge):
    for header in ({"alg": "none"}, {"alg": "HS256", "typ": "JWT"}, {"typ": "JWT", "alg": "RS256"},
                   {"alg": "RS256", "typ": "JWT", "kid": "1"}):
        refused(demo, forge(header=header))


def test_another_key(demo, forge, tmp_path):
    key = tmp_path / "key.pem"
    subprocess.run(["openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-out", key], check=True, stderr=subprocess.DEVNULL)
    refused(demo, forge(key=key))


def test_an_open_session_outlives_its_token(demo, forge):
    token = forge(exp=int(time.time()) + 3)
    with login(demo, token) as conn:
        assert wait_until(lambda: time.time() > forge.claims["iat"] and _is_refused(demo, token))
        assert conn.execute("SELECT 'still here'").fetchone() == ("still here",)


def _is_refused(demo, token):
    try:
        login(demo, token).close()
        return False
    except psycopg.OperationalError:
        return True


def test_tokens_of_a_workspace_that_was_reset_are_refused(own_workspace):
    api = Api.of(own_workspace)
    api.create("demo")
    token = api.credential("demo")
    own_workspace.run("reset", "--yes")
    own_workspace.run("start")
    refused(Api.of(own_workspace).create("demo"), token)


def test_no_login_while_the_workspace_is_down(own_workspace):
    """Nobody else may answer in its place: the login fails, and works again afterwards."""
    api = Api.of(own_workspace)
    demo, token = api.create("demo"), api.credential("demo")
    own_workspace.run("stop", "--keep-servers")
    assert _is_refused(demo, token)
    own_workspace.run("start")
    login(Api.of(own_workspace).get("demo"), token).close()  # the token of before the restart is good
