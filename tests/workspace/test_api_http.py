"""HTTP as it comes from outside: who may call, what is too big, what is no JSON, what is no route."""
import base64
import http.client
import json
import socket
import threading
from pathlib import Path

import pytest

from api import Api

LIST = "/api/2.0/database/instances"


@pytest.fixture(scope="module")
def api(workspace):
    return Api.of(workspace)


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


@pytest.mark.parametrize("headers, why", [
    ({}, "no Authorization header"),
    ({"Authorization": ""}, "no Authorization header"),
    ({"Authorization": "Basic dXNlcjpwYXNz"}, "only Bearer tokens"),
    ({"Authorization": "Bearer "}, "empty or too long"),
    ({"Authorization": "Bearer " + "x" * 9000}, "empty or too long"),
    (bearer("dapi" + "0" * 32), "Invalid access token."),
    (bearer("nonsense"), "not a token of this workspace"),
    (bearer("eyJhbGciOiJub25lIn0.e30."), "not a token of this workspace"),
])
def test_without_a_valid_token_nothing_is_answered(api, headers, why):
    for method, path in (("GET", LIST), ("POST", LIST), ("GET", "/nothing"), ("GET", "/api/2.0/preview/scim/v2/Me")):
        status, got, text = api.raw(method, path, headers=headers)
        doc = json.loads(text)
        assert (status, doc["error_code"]) == (401, "UNAUTHENTICATED"), (method, path)
        assert why in doc["message"]
        assert got["WWW-Authenticate"].startswith("Bearer")


def test_a_database_credential_is_no_bearer(api):
    api.create("bearer-test", wait=None)
    token = api.credential("bearer-test")
    status, _, text = api.raw("GET", LIST, headers=bearer(token))
    assert status == 401
    assert "database credential" in json.loads(text)["message"]


def test_public_documents_need_no_token(api):
    status, _, text = api.raw("GET", "/.well-known/databricks-config")
    doc = json.loads(text)
    assert status == 200
    assert doc["oidc_endpoint"] == f"http://{api.address}/oidc"
    assert doc["workspace_id"].isdigit()
    port = api.address.split(":")[1]
    _, _, text = api.raw("GET", "/oidc/.well-known/oauth-authorization-server", headers={"Host": f"localhost:{port}"})
    assert json.loads(text)["token_endpoint"] == f"http://localhost:{port}/oidc/v1/token"
    assert api.raw("GET", "/health")[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "169.254.1.1", "localhost.evil.example:80",
                                  "127.0.0.1:80@evil.example", ""])
def test_a_foreign_host_header_is_refused_everywhere(api, host):
    for path in (LIST, "/health", "/.well-known/databricks-config"):
        status, _, text = api.raw("GET", path, headers={"Host": host, **bearer(api.token)})
        assert status == 403, text
        assert json.loads(text)["error_code"] == "PERMISSION_DENIED"


def token_call(api, form, headers=(), method="POST"):
    status, _, text = api.raw(method, "/oidc/v1/token", form,
                              {"Content-Type": "application/x-www-form-urlencoded", **dict(headers)})
    return status, json.loads(text)


@pytest.fixture(scope="module")
def app(workspace):
    done = workspace.run("env", "--app", "--json")
    return json.loads(done.stdout)


def basic(user, secret):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}


def test_client_credentials_give_a_bearer(api, app):
    ident, secret = app["DATABRICKS_CLIENT_ID"], app["DATABRICKS_CLIENT_SECRET"]
    form = "grant_type=client_credentials&scope=all-apis"
    for status, doc in (token_call(api, form, basic(ident, secret)),
                        token_call(api, f"{form}&client_id={ident}&client_secret={secret}")):
        assert status == 200
        assert (doc["token_type"], doc["expires_in"], doc["scope"]) == ("Bearer", 3600, "all-apis")
        status, me = Api("http://" + api.address, doc["access_token"]).call("GET", "/api/2.0/preview/scim/v2/Me")
        assert (status, me["userName"], me["displayName"]) == (200, ident, "lakebase-app")


def test_wrong_client_credentials(api, app):
    ident = app["DATABRICKS_CLIENT_ID"]
    form = "grant_type=client_credentials"
    for headers in ({}, basic(ident, "wrong"), basic("nobody", app["DATABRICKS_CLIENT_SECRET"]),
                    basic("learner@example.com", api.token), {"Authorization": "Basic !!!!"}):
        status, doc = token_call(api, form, headers)
        assert (status, doc["error"]) == (401, "invalid_client"), headers
        assert "error_description" in doc
    status, doc = token_call(api, "grant_type=password", basic(ident, "x"))
    assert (status, doc["error"]) == (400, "unsupported_grant_type")


def test_me(api):
    me = api.ok("GET", "/api/2.0/preview/scim/v2/Me")
    assert me["userName"] == "learner@example.com"
    assert me["id"].isdigit() and me["active"] is True
    assert me["emails"] == [{"value": "learner@example.com", "type": "work", "primary": True}]
    assert api.raw("GET", "/api/2.0/preview/scim/v2/Me", headers=bearer(api.token))[1]["X-Databricks-Org-Id"].isdigit()


@pytest.mark.parametrize("method, path", [
    ("POST", "/x/y"), ("GET", "/"), ("GET", "/api/2.0/database"), ("DELETE", LIST), ("PUT", LIST + "/a"),
    ("GET", "/api/2.0/clusters/list"), ("OPTIONS", LIST), ("GET", "/api/2.0//database/instances"),
    ("GET", "/api/2.0/database/instances:other"), ("GET", "/api/2.0/database/catalogs"),
])
def test_unknown_routes(api, method, path):
    assert api.refused(method, path) == (404, "ENDPOINT_NOT_FOUND", f"No API found for '{method} {path}'")


@pytest.mark.parametrize("method, path", [
    ("POST", "/api/2.0/database/tables"),
    ("POST", "/api/2.0/database/instances/a/failover"), ("POST", "/api/2.0/sql/sessions/"),
    ("POST", "/api/2.0/postgres/projects"),
])
def test_what_is_not_built_yet_says_so(api, method, path):
    status, code, message = api.refused(method, path, {} if method == "POST" else None)
    assert (status, code) == (501, "NOT_IMPLEMENTED")
    assert "not offered by this local workspace yet" in message


@pytest.mark.parametrize("body, status, code, part", [
    (None, 400, "MALFORMED_REQUEST", "missing"),
    ("", 400, "MALFORMED_REQUEST", "missing"),
    ("{", 400, "MALFORMED_REQUEST", "line 1"),
    ("[]", 400, "MALFORMED_REQUEST", "JSON object"),
    ('"x"', 400, "MALFORMED_REQUEST", ""),
    ("null", 400, "MALFORMED_REQUEST", ""),
    ('{"name": "a", "name": "b"}', 400, "MALFORMED_REQUEST", "duplicate"),
    ('{"name": "a\\u0000b"}', 400, "MALFORMED_REQUEST", ""),
    (b'{"name": "\xff"}', 400, "MALFORMED_REQUEST", "0xff"),
    ('{"name": 7}', 400, "INVALID_PARAMETER_VALUE", "'name' of DatabaseInstance must be of type string, not integer"),
    ('{"name": "a", "stopped": "true"}', 400, "INVALID_PARAMETER_VALUE", "boolean"),
    ('{"name": "a", "custom_tags": [1]}', 400, "INVALID_PARAMETER_VALUE", "custom_tags[0]"),
    ('{"name": "a", "x": ' + "[" * 100 + "]" * 100 + "}", 400, "MALFORMED_REQUEST", "nested deeper"),
    ('{"name": "a", "x": ' + "[" * 5000 + "]" * 5000 + "}", 400, "MALFORMED_REQUEST", ""),
    ("{}", 400, "INVALID_PARAMETER_VALUE", "Field 'name' is required, expected non-default value (not \"\")!"),
    ('{"name": null}', 400, "INVALID_PARAMETER_VALUE", "'name' is required"),
])
def test_bodies_that_cannot_be_read(api, body, status, code, part):
    got = api.refused("POST", LIST, body)
    assert got[:2] == (status, code), got
    assert part in got[2]


CAP = 4 << 20


def body_of(size):
    head = b'{"name": "1", "x": "'
    return head + b"y" * (size - len(head) - 2) + b'"}'


def test_a_body_at_the_cap_is_read_and_one_byte_more_is_not(api):
    assert api.refused("POST", LIST, body_of(CAP))[1] == "INVALID_PARAMETER_VALUE"
    status, code, message = api.refused("POST", LIST, body_of(CAP + 1))
    assert (status, code) == (413, "REQUEST_TOO_LARGE")
    assert str(CAP) in message


def chunked(api, size, token):
    """A body without Content-Length."""
    conn = http.client.HTTPConnection(api.address, timeout=30)
    body = body_of(size)
    try:
        conn.request("POST", LIST, iter([body[i:i + 65536] for i in range(0, size, 65536)]), bearer(token),
                     encode_chunked=True)
        answer = conn.getresponse()
        return answer.status, json.loads(answer.read())["error_code"]
    finally:
        conn.close()


def test_the_cap_holds_for_chunked_bodies(api):
    assert chunked(api, CAP, api.token) == (400, "INVALID_PARAMETER_VALUE")
    assert chunked(api, CAP + 1, api.token) == (413, "REQUEST_TOO_LARGE")


def test_an_unauthenticated_huge_body_gets_its_answer(api):
    status, _, text = api.raw("POST", LIST, body_of(CAP * 2))
    assert (status, json.loads(text)["error_code"]) == (401, "UNAUTHENTICATED")


def test_addresses_have_a_cap(api):
    path = LIST + "?page_token=" + "a" * (8192 - len(LIST) - 12)
    assert len(path) == 8192
    assert api.refused("GET", path)[1] == "INVALID_PARAMETER_VALUE"
    assert api.refused("GET", path + "a")[:2] == (413, "REQUEST_TOO_LARGE")


def test_headers_have_a_cap(api):
    """Beyond it the refusal is Databricks' JSON too, as far as the HTTP library lets us answer at all."""
    own = {"Host": api.address, "Accept-Encoding": "identity", "Authorization": f"Bearer {api.token}"}
    room = (64 << 10) - sum(len(k) + len(v) + 4 for k, v in own.items()) - len("X-Long: \r\n")
    half = "a" * 40000
    more = room - len(half) - len("X-More: \r\n")
    assert api.ok("GET", LIST) is not None
    assert api.call("GET", LIST, **{"X-Long": half, "X-More": "b" * more})[0] == 200
    for extra in (1, 100_000):
        status, code, message = api.refused("GET", LIST, **{"X-Long": half, "X-More": "b" * (more + extra)})
        assert (status, code) == (413, "REQUEST_TOO_LARGE") and str(64 << 10) in message
    status, headers, _ = api.raw("GET", LIST, headers={**bearer(api.token), "X-Long": "a" * 400_000})
    assert status == 431 and headers["Content-Type"] != "application/json"  # the library's own answer


def test_queries_have_a_cap(api):
    assert api.ok("GET", LIST + "?" + "&".join(f"p{i}=1" for i in range(64))) is not None
    assert api.refused("GET", LIST + "?" + "&".join(f"p{i}=1" for i in range(65)))[1] == "BAD_REQUEST"


@pytest.mark.parametrize("path", ["/%zz", "/%4", "/a%00b", "/%"])
def test_broken_escapes_in_the_path(api, path):
    assert api.refused("GET", LIST + path)[:2] == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize("path", ["/a%2Fb", "/%2e%2e", "/learner%40x"])
def test_escapes_stay_inside_their_segment(api, path):
    assert api.refused("GET", LIST + path) == (404, "NOT_FOUND", "Database instance is not found.")


@pytest.mark.parametrize("bytes_sent", [
    b"GARBAGE\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET " + LIST.encode() + b" HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"H%d: x\r\n" % i for i in range(20000)) + b"\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
])
def test_what_is_no_http_does_no_harm(api, bytes_sent):
    host, port = api.address.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as s:
        try:
            s.sendall(bytes_sent)
            s.shutdown(socket.SHUT_WR)
            answer = s.recv(65536)
        except OSError:
            answer = b""
    assert answer == b"" or b" 4" in answer[:16] or b" 5" in answer[:16]
    api.ok("GET", LIST)


def test_many_clients_at_once(api):
    """More connections than the server has threads to give: nobody hangs, and afterwards all is well."""
    host, port = api.address.split(":")
    idle = [socket.create_connection((host, int(port)), timeout=30) for _ in range(100)]
    seen = []

    def ask():
        for _ in range(5):
            seen.append(api.call("GET", LIST)[0])

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for s in idle:
        s.close()
    assert seen == [200] * 100


def test_it_listens_on_loopback_only(api):
    port = int(api.address.split(":")[1])
    listening = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            address, hex_port = local.split(":")
            if state == "0A" and int(hex_port, 16) == port:
                listening.add(address)
    assert listening == {"0100007F"}  # 127.0.0.1, least byte first


def test_answers_are_never_cached_and_connections_stay_open(api):
    conn = http.client.HTTPConnection(api.address, timeout=30)
    for _ in range(3):
        conn.request("GET", LIST, headers=bearer(api.token))
        answer = conn.getresponse()
        answer.read()
        assert answer.headers["Cache-Control"] == "no-store"
        assert not answer.will_close
    conn.close()
