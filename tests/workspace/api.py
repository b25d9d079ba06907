"""Plain HTTP calls to a workspace, one connection each: no client library may smooth anything over."""
import http.client
import json
import time
from urllib.parse import urlsplit


class Api:
    def __init__(self, url, token):
        self.address = urlsplit(url).netloc
        self.token = token

    @classmethod
    def of(cls, workspace):
        env = workspace.env
        return cls(env["DATABRICKS_HOST"], env["DATABRICKS_TOKEN"])

    def raw(self, method, path, body=None, headers=()):
        """(status, headers, body bytes); nothing is added to the headers but what http.client must."""
        conn = http.client.HTTPConnection(self.address, timeout=30)
        try:
            conn.request(method, path, body, dict(headers))
            answer = conn.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            conn.close()

    def call(self, method, path, body=None, **headers):
        """(status, JSON document) with the token; a dict as body becomes JSON."""
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        status, got, text = self.raw(method, path, body, {"Authorization": f"Bearer {self.token}", **headers})
        assert got["Content-Type"] == "application/json"
        return status, json.loads(text)

    def ok(self, method, path, body=None):
        status, doc = self.call(method, path, body)
        assert status == 200, doc
        return doc

    def refused(self, method, path, body=None, **headers):
        """(status, error_code, message) of a call that must fail in Databricks' form."""
        status, doc = self.call(method, path, body, **headers)
        assert status >= 400, doc
        assert set(doc) == {"error_code", "message"}, doc
        return status, doc["error_code"], doc["message"]

    # ---- instances ----
    def create(self, name, wait="AVAILABLE", **fields):
        doc = self.ok("POST", "/api/2.0/database/instances", {"name": name, **fields})
        return self.wait(name, wait) if wait else doc

    def get(self, name):
        return self.ok("GET", f"/api/2.0/database/instances/{name}")

    def wait(self, name, state, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            doc = self.get(name)
            if doc["state"] == state:
                return doc
        raise AssertionError(f"{name} is {doc['state']}, not {state}")

    def update(self, name, mask, **fields):
        return self.ok("PATCH", f"/api/2.0/database/instances/{name}?update_mask={mask}", {"name": name, **fields})

    def delete(self, name, seconds=60):
        self.ok("DELETE", f"/api/2.0/database/instances/{name}?purge=true")
        deadline = time.monotonic() + seconds
        while self.call("GET", f"/api/2.0/database/instances/{name}")[0] == 200:
            assert time.monotonic() < deadline, f"{name} is still there"

    def credential(self, *names):
        return self.ok("POST", "/api/2.0/database/credentials", {"instance_names": list(names), "request_id": "r"})["token"]
