"""The Statement Execution API over HTTP: states, waits, cancel, results, limits, parameters, errors."""
import threading
import time
import uuid

import pytest

from api import Api
from lake import STATEMENTS, Warehouse, app_of

LONG = "SELECT count(*) FROM range(100000000000) WHERE id % 7 = 3"  # minutes


@pytest.fixture(scope="module")
def api(workspace):
    return Api.of(workspace)


@pytest.fixture(scope="module")
def sql(api):
    return Warehouse(api)


def test_a_row(sql):
    seen = sql.run("SELECT 1 AS one, 'x' AS text, CAST(NULL AS INT) AS nothing, true AS yes, 1.50 AS price")
    assert seen["status"] == {"state": "SUCCEEDED"}
    manifest = seen["manifest"]
    assert manifest["format"] == "JSON_ARRAY" and manifest["total_row_count"] == 1 and not manifest["truncated"]
    assert manifest["total_chunk_count"] == 1 and manifest["schema"]["column_count"] == 5
    columns = [(c["name"], c["position"], c["type_name"], c["type_text"]) for c in manifest["schema"]["columns"]]
    assert columns == [("one", 0, "INT", "INT"), ("text", 1, "STRING", "STRING"), ("nothing", 2, "INT", "INT"),
                       ("yes", 3, "BOOLEAN", "BOOLEAN"), ("price", 4, "DECIMAL", "DECIMAL(3,2)")]
    assert seen["result"]["data_array"] == [["1", "x", None, "true", "1.50"]]


def test_no_rows(sql):
    seen = sql.run("SELECT 1 AS n WHERE false")
    assert seen["status"]["state"] == "SUCCEEDED"
    assert seen["manifest"]["total_row_count"] == 0 and seen["manifest"]["total_chunk_count"] == 0
    assert seen["manifest"]["schema"]["columns"][0]["name"] == "n" and seen["result"] == {}


def test_the_answer_of_execute_with_0s_does_not_wait(sql):
    seen = sql.start(LONG)
    assert seen["status"]["state"] in ("PENDING", "RUNNING")
    assert "manifest" not in seen and "result" not in seen
    sql.api.ok("POST", f"{STATEMENTS}/{seen['statement_id']}/cancel")
    assert sql.end(seen["statement_id"])["status"] == {"state": "CANCELED"}


def test_cancel_of_what_has_ended_changes_nothing(sql):
    done = sql.run("SELECT 1")["statement_id"]
    assert sql.api.ok("POST", f"{STATEMENTS}/{done}/cancel") == {}
    assert sql.look(done)["status"]["state"] == "SUCCEEDED"


def test_on_wait_timeout_cancel(sql):
    seen = sql.start(LONG, wait="5s", on_wait_timeout="CANCEL")
    assert seen["status"] == {"state": "CANCELED"}
    assert sql.look(seen["statement_id"])["status"]["state"] == "CANCELED"


def test_parameters_are_bound(sql):
    rows = sql.rows("SELECT :a, :b + 1, :c, :none", parameters=[
        {"name": "a", "value": "it's; DROP TABLE x"}, {"name": "b", "value": "41", "type": "INT"},
        {"name": "c", "value": "2026-01-02", "type": "DATE"}, {"name": "none", "type": "INT"}])
    assert rows == [["it's; DROP TABLE x", "42", "2026-01-02", None]]


def test_catalog_and_schema_are_the_current_ones(sql):
    assert sql.rows("SELECT current_catalog(), current_schema()") == [["main", "default"]]
    sql.rows("CREATE SCHEMA IF NOT EXISTS main.names")
    sql.rows("CREATE TABLE main.names.t (id INT)")
    assert sql.rows("SELECT count(*) FROM t", catalog="main", schema="names") == [["0"]]
    assert sql.refused("SELECT count(*) FROM t")[1] == "42P01"
    sql.rows("DROP SCHEMA main.names CASCADE")


@pytest.mark.parametrize("statement, state, begins", [
    ("SELECT * FROM main.default.none", "42P01", "[TABLE_OR_VIEW_NOT_FOUND]"),
    ("SELECT nope FROM range(1)", "42703", "[UNRESOLVED_COLUMN"),
    ("SELECT 1 +", "42601", "[PARSE_SYNTAX_ERROR]"),
    ("SELEC 1", None, "["),
])
def test_a_failed_statement_is_an_answer(sql, statement, state, begins):
    status = sql.run(statement)["status"]
    assert status["state"] == "FAILED" and status["error"]["error_code"] == "BAD_REQUEST"
    assert status["error"]["message"].startswith(begins)
    assert state is None or status["sql_state"] == state and f"SQLSTATE: {state}" in status["error"]["message"]


def test_errors_have_their_place(sql):
    message, _ = sql.refused("SELECT 1,\n       'ä', nope\nFROM range(1)")
    assert message.endswith("; line 2 pos 12")


@pytest.mark.parametrize("fields, status, code", [
    ({"warehouse_id": "none"}, 400, "INVALID_PARAMETER_VALUE"),
    ({"warehouse_id": None}, 400, "INVALID_PARAMETER_VALUE"),
    ({"statement": None}, 400, "INVALID_PARAMETER_VALUE"),
    ({"statement": " ;\n; "}, 400, "INVALID_PARAMETER_VALUE"),
    ({"wait_timeout": "4s"}, 400, "INVALID_PARAMETER_VALUE"),
    ({"wait_timeout": "51s"}, 400, "INVALID_PARAMETER_VALUE"),
    ({"wait_timeout": "-5s"}, 400, "INVALID_PARAMETER_VALUE"),
    ({"wait_timeout": "10"}, 400, "INVALID_PARAMETER_VALUE"),
    ({"wait_timeout": "99999999999999999999s"}, 400, "INVALID_PARAMETER_VALUE"),
    ({"on_wait_timeout": "STOP"}, 400, "INVALID_PARAMETER_VALUE"),
    ({"format": "ARROW_STREAM"}, 400, "INVALID_PARAMETER_VALUE"),
    ({"disposition": "EXTERNAL_LINKS"}, 501, "NOT_IMPLEMENTED"),
    ({"disposition": "MAIL"}, 400, "INVALID_PARAMETER_VALUE"),
    ({"row_limit": 0}, 400, "INVALID_PARAMETER_VALUE"),
    ({"byte_limit": -1}, 400, "INVALID_PARAMETER_VALUE"),
    ({"parameters": [{"name": "", "value": "1"}]}, 400, "INVALID_PARAMETER_VALUE"),
    ({"parameters": [{"name": "a"}, {"name": "a"}]}, 400, "INVALID_PARAMETER_VALUE"),
    ({"parameters": [{"name": str(i)} for i in range(1001)]}, 400, "INVALID_PARAMETER_VALUE"),
])
def test_requests_that_are_refused(sql, fields, status, code):
    body = {"statement": "SELECT 1", "warehouse_id": sql.id, **fields}
    assert sql.api.refused("POST", STATEMENTS, {k: v for k, v in body.items() if v is not None})[:2] == (status, code)


def test_a_slash_at_the_end_is_fine(sql):
    assert sql.api.ok("POST", f"{STATEMENTS}/", {"statement": "SELECT 1", "warehouse_id": sql.id})["status"]["state"]


def test_unknown_statements(sql):
    for method, path in (("GET", ""), ("POST", "/cancel"), ("GET", "/result/chunks/0")):
        status, code, _ = sql.api.refused(method, f"{STATEMENTS}/{uuid.uuid4()}{path}")
        assert (status, code) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_statement_is_its_callers_own(workspace, sql):
    done = sql.run("SELECT 'secret'")["statement_id"]
    app = app_of(workspace)
    for method, path in (("GET", ""), ("POST", "/cancel"), ("GET", "/result/chunks/0")):
        assert app.refused(method, f"{STATEMENTS}/{done}{path}")[0] == 404


def test_row_limit_truncates_and_says_so(sql):
    seen = sql.run("SELECT id FROM range(100)", row_limit=7)
    assert seen["manifest"]["total_row_count"] == 7 and seen["manifest"]["truncated"] is True
    exact = sql.run("SELECT id FROM range(7)", row_limit=7)
    assert exact["manifest"]["total_row_count"] == 7 and exact["manifest"]["truncated"] is False


def test_a_large_result_comes_in_chunks(sql):
    seen = sql.run("SELECT id, repeat('x', 1000) AS text FROM range(12000)")
    manifest, chunks = seen["manifest"], []
    assert manifest["total_row_count"] == 12000 and manifest["total_chunk_count"] == len(manifest["chunks"]) > 1
    part = seen["result"]
    while True:
        chunks.append((part["chunk_index"], part["row_offset"], part["row_count"]))
        assert len(part["data_array"]) == part["row_count"]
        assert part["data_array"][0] == [str(part["row_offset"]), "x" * 1000]
        if "next_chunk_index" not in part:
            break
        assert part["next_chunk_internal_link"].startswith(f"{STATEMENTS}/{seen['statement_id']}/result/chunks/")
        part = sql.api.ok("GET", part["next_chunk_internal_link"])
    assert chunks == [(c["chunk_index"], c["row_offset"], c["row_count"]) for c in manifest["chunks"]]
    assert sum(count for _, _, count in chunks) == 12000
    path = f"{STATEMENTS}/{seen['statement_id']}/result/chunks"
    assert sql.api.refused("GET", f"{path}/{len(chunks)}")[:2] == (400, "INVALID_PARAMETER_VALUE")
    assert sql.api.refused("GET", f"{path}/x")[:2] == (400, "INVALID_PARAMETER_VALUE")


def test_the_inline_limit(sql):
    message, _ = sql.refused("SELECT repeat('x', 10000) FROM range(3000)")
    assert message.startswith("Inline byte limit exceeded.") and "26214400" in message
    assert len(sql.rows("SELECT repeat('x', 10000) FROM range(2600)")) == 2600


def test_many_at_once(sql):
    """More than run at once: they wait, and each gets its own rows."""
    got = {}

    def one(i):
        got[i] = Warehouse(sql.api).rows(f"SELECT {i}, sum(id) FROM range({i + 1})")
    threads = [threading.Thread(target=one, args=(i,)) for i in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {i: [[str(i), str(i * (i + 1) // 2)]] for i in range(24)}


def test_too_many_at_once_are_refused(own_workspace):
    sql = Warehouse(Api.of(own_workspace))
    ids = [sql.start(LONG)["statement_id"] for _ in range(64)]
    body = {"statement": "SELECT 1", "warehouse_id": sql.id}
    assert sql.api.refused("POST", STATEMENTS, body)[:2] == (429, "REQUEST_LIMIT_EXCEEDED")
    states = [sql.look(one)["status"]["state"] for one in (ids[0], ids[-1])]
    assert set(states) <= {"RUNNING", "PENDING"}
    for one in ids:
        sql.api.ok("POST", f"{STATEMENTS}/{one}/cancel")
    assert {sql.end(one)["status"]["state"] for one in ids} == {"CANCELED"}
    assert sql.rows("SELECT 1") == [["1"]]


def test_old_results_make_room_for_new_ones(own_workspace):
    sql = Warehouse(Api.of(own_workspace))
    first, *_, last = [sql.run("SELECT repeat('x', 10000) FROM range(2000)")  # 8 x 20 MB are more than is kept
                       for _ in range(8)]
    assert sql.api.refused("GET", f"{STATEMENTS}/{first['statement_id']}")[0] == 404
    assert sql.look(last["statement_id"])["manifest"]["total_row_count"] == 2000


def test_stop_does_not_wait_for_statements(own_workspace):
    sql = Warehouse(Api.of(own_workspace))
    sql.start(LONG)
    began = time.monotonic()
    own_workspace.run("stop", timeout=60)
    assert time.monotonic() - began < 55  # it is cancelled, not waited for
