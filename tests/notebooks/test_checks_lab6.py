"""Each `%lab check` of lab 6 is red, with a message that says why, for wrong answers that a learner may well give, and green for
the solution and for other right answers."""
import pytest

import notebook_tools as tools
from conftest import running_workspace
from lab_kernel import Kernel, Walk, goes_red

NOTEBOOK = tools.NOTEBOOKS / "06_lab_sync_tables.ipynb"
RECOMMENDATIONS = "workshop_catalog.analytics.recommendations"


def lake(*statements):
    return "%%warehouse\n" + ";\n".join(statements)


def again(name, rest):
    return f"%sync delete --purge --yes --if-exists workshop_catalog.analytics.{name}\n%sync create workshop_catalog.analytics.{name} from main.analytics.{rest}"


KEYS = "recommendations --key sku,place --mode"
ROWS = "INSERT INTO main.analytics.recommendations VALUES ('MUG-01', 1, 'NOTE-A5'), ('MUG-01', 2, 'PEN-BLUE'), ('NOTE-A5', 1, 'MUG-01')"
# check, a wrong answer, words of the message, a right answer (another one than the notebook's where there is one)
CASES = [
    ("6-source", lake("DROP TABLE main.analytics.recommendations",
                      "CREATE TABLE main.analytics.recommendations (sku STRING, place INT, other STRING)", ROWS), "change data feed",
     lake("ALTER TABLE main.analytics.recommendations SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')")),
    ("6-source", lake("INSERT INTO main.analytics.recommendations VALUES ('NOTE-A5', 2, 'MUG-01')"), "rows should be",
     lake("DELETE FROM main.analytics.recommendations", ROWS)),
    ("6-source", lake("DROP TABLE main.analytics.recommendations"), "CREATE TABLE",
     lake("CREATE TABLE main.analytics.recommendations TBLPROPERTIES (delta.enableChangeDataFeed = true) AS "
          "SELECT 'MUG-01' AS sku, 1 AS place, 'NOTE-A5' AS other UNION ALL SELECT 'MUG-01', 2, 'PEN-BLUE' "
          "UNION ALL SELECT 'NOTE-A5', 1, 'MUG-01'")),
    ("6-snapshot", again("recommendations", f"{KEYS} TRIGGERED"), "SNAPSHOT", again("recommendations", f"{KEYS} SNAPSHOT")),
    ("6-snapshot", f"%sync delete --purge --yes {RECOMMENDATIONS}", "SNAPSHOT", again("recommendations", f"{KEYS} SNAPSHOT")),
    ("6-snapshot", again("recommendations", "recommendations --key sku,place,other"), "--key sku,place",
     again("recommendations", "recommendations -m SNAPSHOT -k place,sku")),
    ("6-modes", again("recommendations", f"{KEYS} SNAPSHOT"), "TRIGGERED", again("recommendations", f"{KEYS} TRIGGERED")),
    ("6-use", "CREATE OR REPLACE VIEW shop.customer_profiles AS SELECT c.name, c.email, s.segment, s.score "
              "FROM shop.customers AS c JOIN analytics.scores_continuous AS s USING (email)", "LEFT JOIN",
     "CREATE OR REPLACE VIEW shop.customer_profiles AS SELECT c.name, c.email, s.segment, s.score "
     "FROM analytics.scores_continuous AS s RIGHT JOIN shop.customers AS c ON c.email = s.email"),
    ("6-use", "DROP VIEW shop.customer_profiles; CREATE TABLE shop.customer_profiles AS SELECT name, email, 'gold' AS segment, 1 AS score "
              "FROM shop.customers", "no view",
     "DROP TABLE shop.customer_profiles; CREATE VIEW shop.customer_profiles AS SELECT c.name, c.email, s.segment, s.score "
     "FROM shop.customers AS c LEFT JOIN analytics.scores_continuous AS s USING (email)"),
    ("6-repair", lake("DELETE FROM main.analytics.visits WHERE moment = 10") + "\n", "3 rows",
     lake("INSERT INTO main.analytics.visits VALUES (1, 'home', 10)")),
    ("6-repair", again("visits", "visits --key visitor,moment --mode TRIGGERED"), "newest",
     again("visits", "visits --key visitor --timeseries-key moment --mode TRIGGERED")),
    ("6-govern", 'REVOKE SELECT ON analytics.recommendations FROM "analyst@example.com"', "GRANT SELECT",
     'GRANT SELECT ON ALL TABLES IN SCHEMA analytics TO "analyst@example.com"'),
    ("6-govern", lake("DELETE FROM main.analytics.recommendations", ROWS.replace("PEN-BLUE", "BAG-01")), "%sync run",
     f"%sync run {RECOMMENDATIONS}"),
]


@pytest.fixture(scope="module")
def lab(kernelspec):
    """Lab 6 in a workspace where lab 2 was caught up with."""
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


def test_the_end(lab):
    lab.to_check("6-complete")
    assert lab.kernel.check("6-complete") is None
    lab.kernel.must(lake("UPDATE main.analytics.scores SET score = 1 WHERE email = 'ada@example.com'") + "\n")
    lab.kernel.must("%sync run workshop_catalog.analytics.scores_continuous")
    assert lab.kernel.check("6-complete") is None
    lab.kernel.must("%sync delete --purge --yes workshop_catalog.analytics.scores_triggered")
    assert "scores_triggered" in lab.kernel.check("6-complete").splitlines()[0]
