"""What the lakehouse's tests share: the service principal's calls, and statements in the warehouse."""
import base64
import json
import time

from api import Api

UC = "/api/2.1/unity-catalog"
STATEMENTS = "/api/2.0/sql/statements"
LEARNER = "learner@example.com"


def app_of(workspace):
    """The workspace as its second principal sees it; .name is its client id."""
    env = json.loads(workspace.run("env", "--app", "--json").stdout)
    api = Api(env["DATABRICKS_HOST"], "")
    basic = base64.b64encode(f"{env['DATABRICKS_CLIENT_ID']}:{env['DATABRICKS_CLIENT_SECRET']}".encode()).decode()
    status, _, text = api.raw("POST", "/oidc/v1/token", "grant_type=client_credentials&scope=all-apis",
                              {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"})
    assert status == 200, text
    api.token, api.name = json.loads(text)["access_token"], env["DATABRICKS_CLIENT_ID"]
    return api


class Warehouse:
    """SQL as one principal."""

    def __init__(self, api):
        self.api = api
        self.id = api.ok("GET", "/api/2.0/sql/warehouses")["warehouses"][0]["id"]

    def start(self, statement, wait="0s", **more):
        return self.api.ok("POST", STATEMENTS, {"statement": statement, "warehouse_id": self.id, "wait_timeout": wait, **more})

    def look(self, statement_id):
        return self.api.ok("GET", f"{STATEMENTS}/{statement_id}")

    def end(self, statement_id, seconds=60):
        """The statement once it has ended; a GET is held by the server, so this does not spin."""
        deadline = time.monotonic() + seconds
        while (seen := self.look(statement_id))["status"]["state"] in ("PENDING", "RUNNING"):
            assert time.monotonic() < deadline, seen
        return seen

    def run(self, statement, **more):
        seen = self.start(statement, wait="50s", **more)
        return seen if seen["status"]["state"] not in ("PENDING", "RUNNING") else self.end(seen["statement_id"])

    def rows(self, statement, **more):
        seen = self.run(statement, **more)
        assert seen["status"]["state"] == "SUCCEEDED", seen["status"]
        rows, part = [], seen["result"]
        while part:
            rows += part.get("data_array", [])
            link = part.get("next_chunk_internal_link")
            part = self.api.ok("GET", link) if link else None
        assert len(rows) == seen["manifest"]["total_row_count"]
        return rows

    def refused(self, statement, **more):
        """(message, sql_state) of a statement that must fail."""
        status = self.run(statement, **more)["status"]
        assert status["state"] == "FAILED", status
        return status["error"]["message"], status.get("sql_state")
