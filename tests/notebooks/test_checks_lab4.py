"""Each `%lab check` of lab 4 is red, with a message that says why, for wrong answers that a learner may well give, and green for
the solution and for other right answers."""
import pytest

import notebook_tools as tools
from conftest import running_workspace
from lab_kernel import Kernel, Walk, goes_red

NOTEBOOK = tools.NOTEBOOKS / "04_lab_single_connection.ipynb"
LOG_IN = """%%python
conn.close()
conn = psycopg.connect(**login, password=credential.token, application_name="lab-4", row_factory=dict_row, autocommit=True)"""
ROBERT = """Robert'); DROP TABLE shop.customers; --"""


def python(*lines):
    return "\n".join(("%%python", *lines))


def rounding(*lines):
    """The state before exercise 6, and then these lines instead of again(round_up)."""
    return python("bookings = [40, 70]", "conn.execute(set_points, (5,))", *lines)


ONCE = ("try: round_up()", "except psycopg.errors.SerializationFailure: pass")
NOT_COUNTED = """DELETE FROM shop.products WHERE sku IN ('L4-GLUE', 'L4-TAPE');
    UPDATE shop.products SET stock = 60 WHERE sku = 'L4-CARD';"""
ONE_BY_ONE = """%%python
import csv
with conn.transaction():
    for row in csv.DictReader(stocktaking.splitlines()):
        conn.execute("DELETE FROM shop.products WHERE sku = %(sku)s", row)
        conn.execute("INSERT INTO shop.products (sku, name, price, stock) VALUES (%(sku)s, %(name)s, %(price)s, %(stock)s)", row)"""


# check, a wrong answer, words of the message, a right answer (another one than the notebook's where there is one)
CASES = [
    ("4-log-in", python("conn.close()", "conn = psycopg.connect(**login, password=credential.token)"), "application_name", LOG_IN),
    ("4-log-in", python("conn.close()", "with psycopg.connect(**login, password=credential.token, application_name='lab-4') as conn:",
                        "    conn.execute('SELECT 1')"), "with", LOG_IN),
    ("4-log-in", python("other = psycopg.connect(**login, password=credential.token, application_name='lab-4')"), "Close",
     python("other.close()")),
    ("4-log-in", python("conn.close()", "conn = psycopg.connect(**login, password=credential.token, application_name='lab-4')",
                        "conn.execute('SELECT 1').fetchone()"), "autocommit", LOG_IN),
    ("4-read", python("conn.execute(\"DELETE FROM shop.customers WHERE email = 'robert@lab4.example'\")",
                      f'name = "{ROBERT}"',
                      "conn.execute(f\"INSERT INTO shop.customers (name, email) VALUES ('{name}', 'robert@lab4.example')\")"),
     "robert@lab4.example", python(f'name = "{ROBERT}"', "with conn.cursor() as cur:",
                                   "    cur.execute('INSERT INTO shop.customers (email, name) VALUES (%(e)s, %(n)s)', "
                                   "{'n': name, 'e': 'robert@lab4.example'})")),
    ("4-read", python("conn.execute('UPDATE shop.customers SET name = %s WHERE email = %s', "
                      "(\"Robert''); DROP TABLE shop.customers; --\", 'robert@lab4.example'))"), "escape",
     python(f"conn.execute('UPDATE shop.customers SET name = %s WHERE email = %s', (\"{ROBERT}\", 'robert@lab4.example'))")),
    ("4-write", python("conn.execute('UPDATE shop.products SET price = 1 WHERE sku = %s', ('L4-CARD',))"), "2.80",
     python("conn.execute('UPDATE shop.products SET price = 2.8 WHERE sku = %s', ('L4-CARD',))")),
    ("4-write", python("conn.execute(\"UPDATE shop.products SET price = 1 WHERE sku <> 'L4-CARD'\")"), "WHERE",
     """UPDATE shop.products AS p SET price = v.price
        FROM (VALUES ('BAG-01', 14.00), ('LAMP-01', 34.90), ('MUG-01', 9.50), ('NOTE-A5', 4.20), ('PEN-BLUE', 1.10), ('L4-KEYB', 49))
             AS v (sku, price) WHERE v.sku = p.sku"""),
    ("4-write", python("conn.execute(\"UPDATE shop.products SET price = price * 2 WHERE sku LIKE 'L4-K%'\")"), "L4-KEYB",
     "UPDATE shop.products SET price = 49 WHERE sku = 'L4-KEYB'"),
    ("4-transactions", python("conn.execute(\"UPDATE shop.products SET stock = stock + 2 WHERE sku = 'L4-KEYB'\")"), "found: 5",
     python("conn.execute(\"UPDATE shop.products SET stock = 3 WHERE sku = 'L4-KEYB'\")")),
    ("4-transactions", python("conn.autocommit = False",
                              "conn.execute(\"UPDATE shop.orders SET status = 'new' WHERE id = %s\", (number,))", "conn.commit()",
                              "conn.execute(\"UPDATE shop.orders SET status = 'cancelled' WHERE id = %s\", (number,))"), "new",
     python("conn.commit()", "conn.autocommit = True")),
    ("4-transactions", python("conn.execute('DELETE FROM shop.orders WHERE id = %s', (number,))"), "stays",
     """INSERT INTO shop.orders (customer_id, status)
        SELECT id, 'cancelled' FROM shop.customers WHERE email = 'katherine@lab4.example'"""),
    ("4-errors", python("conn.execute(\"DELETE FROM shop.customers WHERE email IN ('annie@lab4.example', 'joan@lab4.example', "
                        "'valerie@lab4.example')\")", "with conn.transaction():", "    for name, email in signups:",
                        "        conn.execute('INSERT INTO shop.customers (name, email) VALUES (%s, %s)', (name, email))"),
     "Annie Easley",
     python("with conn.transaction():", "    for name, email in signups:", "        if name and 'ada' not in email:",
            "            conn.execute('INSERT INTO shop.customers (name, email) VALUES (%s, %s)', (name, email))")),
    ("4-errors", python("conn.execute(\"INSERT INTO shop.customers (name, email) VALUES ('', 'nobody@lab4.example')\")"), "invent",
     "DELETE FROM shop.customers WHERE email = 'nobody@lab4.example'"),
    ("4-errors", "UPDATE shop.customers SET name = 'Ada Again' WHERE email = 'ada@example.com'", "Ada Lovelace",
     "UPDATE shop.customers SET name = 'Ada Lovelace' WHERE email = 'ada@example.com'"),
    ("4-errors", python("conn.autocommit = False", "conn.execute('SELECT 1').fetchone()"), "commit",
     python("conn.rollback()", "conn.autocommit = True")),
    ("4-again", rounding(*ONCE), "not called again",
     rounding("for attempt in range(5):", "    try:", "        round_up()", "        break",
              "    except psycopg.OperationalError as error:", "        assert error.sqlstate in ('40001', '40P01')")),
    ("4-again", rounding(*ONCE, *ONCE), "a third one", python("again(round_up)")),
    ("4-again", rounding("points = find('katherine@lab4.example')[0]['points']", "somebody_else_books()",
                         "conn.execute(set_points, (math.ceil(points / 50) * 50,))"), "written over", rounding("again(round_up)")),
    ("4-again", python("conn.autocommit = False", "conn.execute('SELECT 1').fetchone()"), "commit",
     python("conn.rollback()", "conn.autocommit = True")),
    ("4-many-rows", python(f"conn.execute('''{NOT_COUNTED}''')", "try:",
                           "    with conn.cursor().copy('COPY shop.products (sku, name, price, stock) FROM STDIN (FORMAT csv, HEADER)') as copy:",
                           "        copy.write(stocktaking)", "except psycopg.errors.UniqueViolation: pass"), "23505", ONE_BY_ONE),
    ("4-many-rows", "UPDATE shop.products SET name = '\"Tape' WHERE sku = 'L4-TAPE'", "inside quotes", ONE_BY_ONE),
    ("4-many-rows", "UPDATE shop.products SET stock = stock + 60 WHERE sku = 'L4-CARD'", "found: 104", ONE_BY_ONE),
    ("4-many-rows", "UPDATE shop.products SET stock = 3, price = 40 WHERE sku = 'L4-GLUE'", "same order", ONE_BY_ONE),
    ("4-many-rows", python("conn.autocommit = False", "conn.execute('SELECT 1').fetchone()"), "commit",
     python("conn.rollback()", "conn.autocommit = True")),
    ("4-close", python("shop.connect()"), "shop.conn", python("shop.conn.close()")),
]


@pytest.fixture(scope="module")
def lab(kernelspec):
    """Lab 4 in a workspace where lab 2 was caught up with."""
    with running_workspace() as workspace:
        kernel = Kernel(workspace.environ)
        try:
            kernel.must("%lab catch-up 2")
            yield Walk(kernel, NOTEBOOK)
        finally:
            kernel.close()


@pytest.mark.parametrize("name, wrong, words, right", CASES, ids=[f"{n}-{case[0]}" for n, case in enumerate(CASES)])
def test_wrong_and_right(lab, name, wrong, words, right):
    lab.to_check(name)
    goes_red(lab.kernel, name, wrong, words, right)


def test_every_check_is_red_before(lab):
    """After the end the lab's own rows and sessions are gone: the checks of its rows are red, lab 2's is green."""
    lab.to("finish-check")
    for name in ("4-read", "4-write", "4-transactions", "4-errors", "4-again", "4-many-rows"):
        assert lab.kernel.check(name), name
    assert lab.kernel.check("2-complete") is None
    assert " 0\n" in lab.kernel.must("SELECT count(*) FROM shop.customers WHERE email LIKE '%lab4.example'")
