"""Each `%lab check` of lab 5 is red, with a message that says why, for wrong answers that a learner may well give, and green for
the solution and for other right answers."""
import pytest

import notebook_tools as tools
from conftest import running_workspace
from lab_kernel import Kernel, Walk, goes_red

NOTEBOOK = tools.NOTEBOOKS / "05_lab_connection_pool.ipynb"
REPORTS = """reports = ConnectionPool(connection_class=LakebaseConnection, name="reports", open=False, {sizes},
                         kwargs=dict(login, application_name="{name}"))"""
RIGHT_SIZES = "min_size=3, max_size=3, timeout=10"
READY = "reports.open(wait=True)"
SIGN_UP = "INSERT INTO shop.customers (name, email) VALUES (%s, %s)"
FORGET_FIVE = "DELETE FROM shop.customers WHERE split_part(email, '@', 1) IN ('ann', 'bob', 'cleo', 'dan', 'eve')"
BEGIN_OFFER = """DELETE FROM shop.orders USING shop.order_items AS i, shop.products AS p
WHERE i.order_id = orders.id AND p.id = i.product_id AND p.sku IN ('L5-PEN', 'L5-PAD');
UPDATE shop.products SET stock = CASE sku WHEN 'L5-PEN' THEN 30 ELSE 6 END WHERE sku IN ('L5-PEN', 'L5-PAD')"""
OFFER_AGAIN = f"""for statement in '''{BEGIN_OFFER}'''.split(';'):
    with pool.connection() as conn:
        conn.execute(statement)"""
RIGHT_OFFER = ("with ThreadPoolExecutor() as threads:",
               "    list(threads.map(place_order, visitors[5:15], ['L5-PEN'] * 10, ['L5-PAD'] * 10))")


def python(*lines):
    return "\n".join(("%%python", *lines))


def reports(sizes=RIGHT_SIZES, name="lab-5-reports", then=READY):
    return python("reports.close()", REPORTS.format(sizes=sizes, name=name), then)


# check, a wrong answer, words of the message, a right answer (another one than the notebook's where there is one)
CASES = [
    ("5-open", reports(sizes="min_size=1, max_size=3"), "found: 1", reports()),
    ("5-open", reports(then=""), "open(wait=True)", python(READY)),
    ("5-open", reports(name="lab-5"), "found: 0", reports(sizes="min_size=3")),
    ("5-open", python("kept = reports.getconn()", "kept.execute('SELECT 1')"), "Give back", python("reports.putconn(kept)")),
    ("5-open", python("mine, pool = pool, None", "mine.close()"), "visitors",
     python("pool = ConnectionPool(connection_class=LakebaseConnection, kwargs={**login, 'application_name': 'lab-5'},",
            "                      name='shop', open=False, **limits)", "pool.open(wait=True)")),
    ("5-borrow", python("with pool.connection() as conn:", "    conn.execute(\"UPDATE shop.products SET price = 3.20 WHERE sku = 'L5-PEN'\")",
                        "conn = pool.getconn()", "conn.execute(\"UPDATE shop.products SET price = 2.90 WHERE sku = 'L5-PEN'\")"),
     "3.20", python("conn.commit()", "pool.putconn(conn)")),
    ("5-borrow", python("with pool.connection() as conn:", "    conn.execute(\"UPDATE shop.products SET price = 2.90 WHERE sku LIKE 'L5-%'\")"),
     "WHERE", "UPDATE shop.products SET price = CASE sku WHEN 'L5-LAMP' THEN 29 ELSE 6.5 END WHERE sku IN ('L5-LAMP', 'L5-PAD')"),
    ("5-borrow", python("conn = pool.getconn()", "conn.execute(\"UPDATE shop.products SET price = 2.90 WHERE sku = 'L5-PEN'\")",
                        "conn.commit()", "conn.execute('SELECT 1').fetchone()"), "putconn", python("pool.putconn(conn)")),
    ("5-many", python("with pool.connection() as conn:", f'    conn.execute("{FORGET_FIVE}")', "try:",
                      "    with pool.connection() as conn:", "        for person in signups:", f'            conn.execute("{SIGN_UP}", person)',
                      "except psycopg.errors.UniqueViolation:", "    pass"), "own transaction",
     python("with ThreadPoolExecutor() as threads:", "    list(threads.map(sign_up, signups))")),
    ("5-many", python("with pool.connection() as conn:", f'    conn.execute("{FORGET_FIVE}")', "    with conn.cursor() as cur:",
                      f'        cur.executemany("{SIGN_UP} ON CONFLICT DO NOTHING", signups)'), "1 transactions",
     python("with pool.connection() as conn:", f'    conn.execute("{FORGET_FIVE}")', "for person in signups:", "    with pool.connection() as conn:",
            f'        conn.execute("{SIGN_UP} ON CONFLICT DO NOTHING", person)')),
    ("5-many", python("with pool.connection() as conn:",
                      f'    conn.execute("{SIGN_UP} ON CONFLICT (email) DO UPDATE SET name = excluded.name", signups[3])'), "Ada Lovelace",
     "UPDATE shop.customers SET name = 'Ada Lovelace' WHERE email = 'ada@example.com'"),
    ("5-orders", python(OFFER_AGAIN, "for sku in ('L5-PEN', 'L5-PAD'):", "    for email in visitors[:10]:", "        place_order(email, sku)"),
     "without a pad", python(OFFER_AGAIN, *RIGHT_OFFER)),
    ("5-orders", python(OFFER_AGAIN, "for email in visitors[:5]:", "    place_order(email, 'L5-PEN', 'L5-PAD')"), "found: 5",
     python("place_order(visitors[7], 'L5-PAD', 'L5-PEN')")),
    ("5-orders", "UPDATE shop.products SET stock = 20 WHERE sku = 'L5-PEN'", "0, 20", "UPDATE shop.products SET stock = 24 WHERE sku = 'L5-PEN'"),
    ("5-orders", "INSERT INTO shop.orders (customer_id) SELECT id FROM shop.customers WHERE email = 'visitor01@lab5.example'", "empty",
     "DELETE FROM shop.orders WHERE NOT EXISTS (SELECT FROM shop.order_items WHERE order_id = id)"),
    ("5-trouble", python("stuck = pool.getconn()", "stuck.execute(\"UPDATE shop.products SET stock = 7 WHERE sku = 'L5-LAMP'\")") , "pg_terminate_backend",
     python("stuck.rollback()", "pool.putconn(stuck)")),
    ("5-trouble", python("stuck = pool.getconn()", "stuck.execute(\"UPDATE shop.products SET stock = 7 WHERE sku = 'L5-LAMP'\")",
                         "with reports.connection() as conn:", "    conn.execute(\"SELECT pg_cancel_backend(pid) FROM pg_stat_activity \"",
                         "                 \"WHERE state = 'idle in transaction' AND application_name = 'lab-5'\")"), "pg_cancel_backend",
     python("stuck.rollback()", "pool.putconn(stuck)")),
    ("5-trouble", python("with pool.connection() as conn:", "    conn.execute(\"UPDATE shop.products SET stock = 99 WHERE sku = 'L5-LAMP'\")"), "99",
     "UPDATE shop.products SET stock = 0 WHERE sku = 'L5-LAMP'"),
    ("5-trouble", "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE application_name LIKE 'lab-5%'", "more than the one",
     python("for each in (pool, reports):", "    each.check()", "    each.wait(30)", "    with each.connection() as conn:", "        conn.execute('SELECT 1')")),
    ("5-close", python("reports = ConnectionPool(connection_class=LakebaseConnection, min_size=1, open=False, name='again',",
                       "                         kwargs={**login, 'application_name': 'lab-5-reports'})", "reports.open(wait=True)"),
     "lab-5-reports", python("reports.close()")),
]


@pytest.fixture(scope="module")
def lab(kernelspec):
    """Lab 5 in a workspace where lab 2 was caught up with."""
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
    for name in ("5-open", "5-borrow", "5-many", "5-orders", "5-trouble"):
        assert lab.kernel.check(name), name
    assert lab.kernel.check("2-complete") is None
    assert " 0\n" in lab.kernel.must("SELECT count(*) FROM shop.customers WHERE email LIKE '%lab5.example'")
