"""Tab and Shift-Tab in SQL, on the kernel as it is shipped: names of the real database, also while a cell runs and in a failed
transaction. A bar in the code is the cursor."""
import pytest
from jupyter_wire import Kernel

from conftest import KERNEL, program

ZOO = """
CREATE SCHEMA shop;
CREATE TABLE shop.customers (id bigint PRIMARY KEY, email text NOT NULL, "Full Name" text);
CREATE TABLE shop.orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES shop.customers, total numeric(10,2) DEFAULT 0);
CREATE INDEX orders_by_total ON shop.orders (total);
CREATE TABLE "Odd Table" (a int, zeta int);
CREATE VIEW public.paid AS SELECT id, total FROM shop.orders;
CREATE TYPE public.mood AS ENUM ('sad', 'happy');
CREATE FUNCTION public.double_it(x int, y text DEFAULT 'a') RETURNS int LANGUAGE sql AS 'SELECT 2 * x';
COMMENT ON TABLE shop.orders IS 'what was <b>ordered</b>';
COMMENT ON COLUMN shop.orders.total IS 'in EUR';
COMMENT ON FUNCTION public.double_it IS 'twice as much';
"""


@pytest.fixture(scope="module")
def kernel(workspace):
    with Kernel(program(KERNEL), workspace.state_dir) as started:
        client = started.client()
        for cell in ("%instance create tab", "%connect tab", ZOO):
            reply, _ = client.run(cell)
            assert reply["content"]["status"] == "ok", reply["content"]
        yield started


@pytest.fixture
def client(kernel):
    connected = kernel.client()
    assert connected.run("ROLLBACK;\nSET search_path = public")[0]["content"]["status"] == "ok"
    return connected


def tab(client, text):
    """{match: type} at the bar, and what the line would be with the first match."""
    cursor = text.index("|")
    code = text.replace("|", "", 1)
    reply = client.request("complete_request", {"code": code, "cursor_pos": cursor})
    types = reply["metadata"]["_jupyter_types_experimental"]
    assert [t["text"] for t in types] == reply["matches"]
    assert reply["cursor_end"] == cursor
    found = {t["text"]: t["type"] for t in types}
    first = reply["matches"][0] if found else ""
    return found, code[:reply["cursor_start"]] + first + code[reply["cursor_end"]:]


def about(client, text, detail=0):
    cursor = text.index("|")
    reply = client.request("inspect_request", {"code": text.replace("|", "", 1), "cursor_pos": cursor, "detail_level": detail})
    return reply["data"].get("text/plain", ""), reply["data"].get("text/markdown", "")


@pytest.mark.parametrize("text, match, kind, becomes", [
    ("SELECT * FROM shop.|", "customers", "table", "SELECT * FROM shop.customers"),
    ("SELECT * FROM sho|", "shop.", "schema", "SELECT * FROM shop."),
    ("SELECT * FROM pa|", "paid", "view", "SELECT * FROM paid"),
    ("SELECT * FROM odd|", '"Odd Table"', "table", 'SELECT * FROM "Odd Table"'),
    ('SELECT * FROM "Odd T|', '"Odd Table"', "table", 'SELECT * FROM "Odd Table"'),
    ("SELECT | FROM shop.customers", '"Full Name"', "column", None),
    ("SELECT o.to| FROM shop.customers c JOIN shop.orders o ON true", "total", "column", None),
    ("SELECT customers.em| FROM shop.customers", "email", "column", None),
    ("SELECT * FROM shop.orders o JOIN shop.customers c ON |", "c.id = o.customer_id", "join",
     "SELECT * FROM shop.orders o JOIN shop.customers c ON c.id = o.customer_id"),
    ("SELECT q.| FROM (SELECT id AS number, total FROM paid) q", "number", "column", None),
    ("SELECT q.| FROM (SELECT * FROM paid) q", "total", "column", None),
    ("WITH recent AS (SELECT 1 AS one) SELECT * FROM rec|", "recent", "table", None),
    ("INSERT INTO shop.orders (|", "customer_id", "column", None),
    ("UPDATE shop.orders SET to|", "total", "column", "UPDATE shop.orders SET total"),
    ("SELECT double|(1)", "double_it(", "function", None),
    ("SELECT lowe|", "lower(", "function", "SELECT lower("),
    ("SELECT * FROM generate_ser|", "generate_series(", "function", None),
    ("SELECT 1::mo|", "mood", "type", None),
    ("SELECT 1::numer|", "numeric", "type", None),
    ("SET statement_t|", "statement_timeout", "setting", None),
    ("SET bytea_output = |", "hex", "value", None),
    ("DROP INDEX shop.|", "orders_by_total", "index", None),
    ("DROP SCHEMA sh|", "shop", "schema", "DROP SCHEMA shop"),
    ("CREATE EXTENSION pg_tr|", "pg_trgm", "extension", None),
    ("ALTER TABLE shop.orders DROP COLUMN to|", "total", "column", None),
    ("%%sql --limit 5\nSELECT to| FROM shop.orders", "total", "column", None),
    ("%version\nSELECT 1;\nSELECT to| FROM shop.orders;\nSELECT 2", "total", "column", None),
    ("\\d shop.or|", "orders", "table", "\\d shop.orders"),
    ("\\dn sh|", "shop", "schema", None),
    ("SELECT sel|", "select", "keyword", None)])
def test_names_of_the_database(client, text, match, kind, becomes):
    found, line = tab(client, text)
    assert found.get(match) == kind, found
    assert becomes in (None, line)


@pytest.mark.parametrize("text", ["SELECT 'sho|", "-- sho|", "SELECT $$ sho|", "SELECT * FROM shop.nothing_l|"])
def test_nothing_where_no_name_can_be(client, text):
    assert tab(client, text)[0] == {}


def test_order_columns_first_then_functions_then_key_words(client):
    found, _ = tab(client, "SELECT t| FROM shop.orders")
    kinds = [kind for kind in found.values() if kind in ("column", "function", "keyword")]
    assert kinds == sorted(kinds) and {"column", "function", "keyword"} <= set(kinds)


def test_tab_works_while_a_cell_runs(client):
    cell = client.execute("SELECT pg_sleep(600)")
    client.until(cell, "status", "busy")
    assert tab(client, "SELECT * FROM shop.ord|")[0] == {"orders": "table"}
    assert "bigint" in about(client, "SELECT * FROM shop.or|ders")[0]
    client.request("interrupt_request", channel="control")
    assert client.reply(cell)["content"]["status"] == "error"


def test_tab_works_in_a_failed_transaction(client):
    client.run("BEGIN")
    assert client.run("SELECT 1/0")[0]["content"]["status"] == "error"
    assert tab(client, "SELECT * FROM shop.ord|")[0] == {"orders": "table"}
    reply, _ = client.run("SELECT 1")
    assert "25P02" in str(reply["content"]), "the transaction is still the failed one"


def test_search_path_is_followed(client):
    assert tab(client, "SELECT * FROM ord|")[0].get("orders") is None
    client.run("SET search_path = shop, public")
    assert tab(client, "SELECT * FROM ord|")[0]["orders"] == "table"


def test_a_new_table_is_offered_at_once(client):
    client.run("CREATE TABLE public.brand_new (x int)")
    assert tab(client, "SELECT * FROM brand|")[0] == {"brand_new": "table"}
    client.run("DROP TABLE public.brand_new")
    assert tab(client, "SELECT * FROM brand|")[0] == {}


def test_variables(client):
    client.run("%set town = 'Oslo'")
    assert tab(client, "SELECT :to|")[0] == {"town": "variable"}


def test_the_side_connection_cannot_write_and_follows_the_current_one(kernel, client):
    tab(client, "SELECT * FROM shop.|")
    _, outputs = client.run("SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'lakebase %'")
    assert "lakebase completion" in str(outputs)
    assert client.run("CREATE DATABASE other")[0]["content"]["status"] == "ok"
    reply, _ = client.run("%connect tab/other as second")
    assert reply["content"]["status"] == "ok", reply["content"]
    assert tab(client, "SELECT * FROM shop.ord|")[0] == {}
    client.run("%use tab")
    assert tab(client, "SELECT * FROM shop.ord|")[0] == {"orders": "table"}
    client.run("%disconnect second")


@pytest.mark.parametrize("text, line, more", [
    ("SELECT * FROM shop.or|ders", "table shop.orders", ["CREATE TABLE shop.orders (", "total numeric(10,2) DEFAULT 0",
                                                         "FOREIGN KEY (customer_id) REFERENCES shop.customers(id)",
                                                         "CREATE INDEX orders_by_total", "what was"]),
    ("SELECT o.tot|al FROM shop.orders o", "column shop.orders.total numeric(10,2) DEFAULT 0", ["in EUR"]),
    ("SELECT tot|al FROM shop.orders", "column shop.orders.total", []),
    ("SELECT o|.id FROM shop.orders o", "table shop.orders", []),
    ("SELECT doub|le_it(1)", "function double_it(x integer, y text DEFAULT 'a'::text) → integer", ["twice as much"]),
    ("SELECT * FROM pa|id", "view public.paid", ["CREATE VIEW public.paid AS"]),
    ("SET work_m|em = '1MB'", "setting work_mem = ", []),
    ("SELECT 'sad'::mo|od", "type mood", ["'sad', 'happy'"]),
    ("\\d shop.or|ders", "table shop.orders", [])])
def test_shift_tab(client, text, line, more):
    plain, markdown = about(client, text)
    assert plain.startswith(line), plain
    assert all(word in plain for word in more), plain
    assert "<b>" not in markdown.replace("\\<b\\>", ""), "a comment cannot make a tag"


def test_shift_tab_on_a_key_word_finds_nothing(client):
    assert about(client, "SEL|ECT 1") == ("", "")
