"""Each `%lab check` of lab 2 is green on the finished lab, also for another right answer than ours, and red, with a message
that says what is missing, on a state that is wrong. The kernel is driven as JupyterLab drives it."""
import json

import pytest

import notebook_tools as tools
from conftest import running_workspace
from lab_kernel import Kernel

NOTEBOOK = tools.NOTEBOOKS / "02_lab_creating_and_exploring.ipynb"


@pytest.fixture(scope="module")
def finished(kernelspec):
    """A kernel that has run the whole lab, and its workspace."""
    with running_workspace() as workspace:
        kernel = Kernel(workspace.environ)
        try:
            for cell in tools.code_cells(tools.read(NOTEBOOK)):
                error, _ = kernel.run(cell.source)
                assert bool(error) == ("raises-exception" in tools.tags(cell)), (cell["id"], error)
            yield kernel
        finally:
            kernel.close()


CASES = [
    # check, what breaks the state, words of the message, what repairs it
    ("2-create-instance", "%instance resize workshop --capacity CU_4\n%connect workshop", "CU_2", None),
    ("2-look-around", "DROP EXTENSION pg_trgm", "pg_trgm", "CREATE EXTENSION pg_trgm"),
    ("2-tables", "DROP INDEX shop.orders_customer_id_idx", "index",
     "CREATE INDEX my_own_name ON shop.orders USING btree (customer_id, id)"),
    ("2-tables", "DROP INDEX shop.my_own_name; CREATE INDEX wrong ON shop.orders (id, customer_id)", "customer_id",
     "DROP INDEX shop.wrong; CREATE INDEX orders_customer_id_idx ON shop.orders (customer_id)"),
    ("2-tables", "ALTER TABLE shop.order_items RENAME TO items", "order_items", "ALTER TABLE shop.items RENAME TO order_items"),
    ("2-rows-and-rules", "DELETE FROM shop.customers WHERE email = 'mary@example.com'", "Mary",
     "INSERT INTO shop.customers (name, email, points) VALUES ('Mary Jackson', 'mary@example.com', 50)"),
    ("2-rows-and-rules", "UPDATE shop.customers SET points = 49 WHERE email = 'mary@example.com'", "50",
     "UPDATE shop.customers SET points = 50 WHERE email = 'mary@example.com'"),
    ("2-rows-and-rules", "ALTER TABLE shop.orders DROP CONSTRAINT orders_status_known", "payed",
     "ALTER TABLE shop.orders ADD CONSTRAINT another_name CHECK (status = ANY ('{new,paid,shipped,cancelled}'))"),
    ("2-rows-and-rules", "ALTER TABLE shop.orders DROP CONSTRAINT another_name;"
     "ALTER TABLE shop.orders ADD CONSTRAINT too_strict CHECK (status <> 'payed' AND status <> 'cancelled')", "cancelled",
     "ALTER TABLE shop.orders DROP CONSTRAINT too_strict;"
     "ALTER TABLE shop.orders ADD CONSTRAINT orders_status_known CHECK (status IN ('new', 'paid', 'shipped', 'cancelled'))"),
    ("2-stop-and-start", "%instance stop workshop", "AVAILABLE", "%instance start workshop\n%connect workshop"),
    ("2-stop-and-start", "%instance resize workshop --capacity CU_2\n%connect workshop", "CU_1",
     "%instance resize workshop --capacity CU_1\n%connect workshop"),
    ("2-unity-catalog", "DROP TABLE shop.reviews", "reviews",
     "CREATE TABLE shop.reviews (product_id int REFERENCES shop.products, stars int CHECK (stars > 0 AND stars < 6), comment text)"),
    ("2-unity-catalog", "ALTER TABLE shop.reviews DROP CONSTRAINT reviews_stars_check", "stars",
     "ALTER TABLE shop.reviews ADD CHECK (stars BETWEEN 1 AND 5)"),
    ("2-roles-and-grants", 'REVOKE SELECT (name) ON shop.customers FROM "analyst@example.com"', "name",
     'GRANT SELECT (name) ON shop.customers TO "analyst@example.com"'),
    ("2-roles-and-grants", 'GRANT SELECT ON shop.customers TO "analyst@example.com"', "email",
     'REVOKE SELECT ON shop.customers FROM "analyst@example.com";'
     'GRANT SELECT (id, name) ON shop.customers TO "analyst@example.com"'),
    ("2-complete", "ALTER SCHEMA shop RENAME TO store", "shop", "ALTER SCHEMA store RENAME TO shop"),
]


@pytest.mark.parametrize("name, harm, words, repair", CASES, ids=[f"{n}-{case[0]}" for n, case in enumerate(CASES)])
def test_red_and_green_again(finished, name, harm, words, repair):
    finished.must(harm)
    try:
        said = finished.check(name)
        assert said, f"{name} is green although: {harm}"
        assert words in said.splitlines()[0], said
        assert "None" not in said and "{" not in said.splitlines()[0], said
    finally:
        finished.must(repair or "%instance resize workshop --capacity CU_1\n%connect workshop")
    if repair:
        assert finished.check(name) is None


def test_red_in_a_fresh_workspace(kernelspec):
    """Nothing is there: every check says what to do and none of them breaks."""
    with running_workspace() as workspace:
        kernel = Kernel(workspace.environ)
        try:
            for cell in tools.code_cells(tools.read(NOTEBOOK)):
                if "check" in tools.tags(cell):
                    said = kernel.check(cell.source.split()[-1])
                    assert said and "workshop" in said, said
        finally:
            kernel.close()


def test_checks_change_nothing(finished):
    state = """SELECT (SELECT count(*) FROM shop.customers), (SELECT count(*) FROM shop.orders),
                      (SELECT string_agg(status, ',' ORDER BY id) FROM shop.orders),
                      (SELECT count(*) FROM shop.reviews), (SELECT sum(stock) FROM shop.products)"""
    before = finished.must(state)
    for cell in tools.code_cells(tools.read(NOTEBOOK)):
        if "check" in tools.tags(cell):
            finished.run(cell.source)
    assert finished.must(state) == before


def test_check_in_a_failed_transaction(finished):
    """A learner's failed transaction does not turn a check red or lose its place."""
    finished.must("BEGIN")
    error, _ = finished.run("SELECT 1/0")
    assert error
    try:
        assert finished.check("2-tables") is None
        error, _ = finished.run("SELECT 1")
        assert error and "25P02" in error["evalue"]
    finally:
        finished.must("ROLLBACK")


def test_check_in_an_open_transaction(finished):
    """A check on the learner's own session leaves an open transaction as it was."""
    finished.must("BEGIN; INSERT INTO shop.reviews (product_id, stars) SELECT id, 5 FROM shop.products WHERE sku = 'MUG-01'")
    try:
        assert finished.check("2-look-around") is None
        assert " 1\n" in finished.must("SELECT count(*) FROM shop.reviews")
    finally:
        finished.must("ROLLBACK")
    assert " 0\n" in finished.must("SELECT count(*) FROM shop.reviews")


def test_hints(finished):
    """Every check has hints; they come one after the other, the solution last."""
    for cell in tools.code_cells(tools.read(NOTEBOOK)):
        if "check" in tools.tags(cell):
            name = cell.source.split()[-1]
            first, second = finished.must(f"%lab hint {name}"), finished.must(f"%lab hint {name}")
            assert first.startswith("Hint 1 of ") and second.startswith("Hint 2 of ")


CATCH_UP = "%lab catch-up 2"


def test_catch_up(kernelspec):
    """From nothing to what lab 2 leaves; then nothing to do; and nothing destroyed without a question."""
    with running_workspace() as workspace:
        kernel = Kernel(workspace.environ)
        try:
            said = kernel.must(CATCH_UP)
            assert "cells of lab 2 were run" in said and "All 5 hold." in said
            for cell in tools.code_cells(tools.read(NOTEBOOK)):
                if "check" in tools.tags(cell) and cell["id"] != "create-check":  # part 5 undoes its size
                    assert kernel.check(cell.source.split()[-1]) is None, cell["id"]
            assert "nothing to catch up" in kernel.must(CATCH_UP)

            kernel.must("INSERT INTO shop.customers (name, email) VALUES ('Mine', 'mine@example.com'); DROP TABLE shop.order_items")
            error, _ = kernel.run(CATCH_UP)
            assert error["ename"] == "InvalidState" and "rows of your own" in error["evalue"]
            assert " 1\n" in kernel.must("SELECT count(*) FROM shop.customers WHERE name = 'Mine'")
            assert "All 5 hold." in kernel.must(f"{CATCH_UP} --yes")
            assert " 0\n" in kernel.must("SELECT count(*) FROM shop.customers WHERE name = 'Mine'")

            kernel.must("%instance stop workshop")
            error, said = kernel.run(f"{CATCH_UP} --yes")
            assert "lab 2, cell connect" in error["evalue"] and "STOPPED" in said
        finally:
            kernel.close()


def test_catch_up_says_what_is_wrong_with_a_notebook(kernelspec, tmp_path):
    """Data of others: each mistake is named with its file, and nothing is run before the notebook is whole."""
    checks = tmp_path / "checks"
    checks.mkdir()
    there = {"title": "it is there", "api": {"instance": "nothing"}, "expect": {"exists": True}, "message": "It is missing."}
    for lab in range(70, 77):
        for name in (f"{lab}-complete", f"{lab}-untouched"):
            check = {**there, "expect": {"exists": name.endswith("complete")}}
            (checks / f"{name}.json").write_text(json.dumps({"id": name, "title": name, "checks": [check]}))

    def cell(source, tag="catch-up", kind="code"):
        return {"cell_type": kind, "id": "made", "metadata": {"tags": [tag]}, "source": source}

    ran = "%connect nothing"
    notebooks = {71: "not JSON", 72: json.dumps({"cells": [cell(ran, tag="check"), cell(ran, kind="markdown")]}),
                 73: json.dumps({"cells": [cell(ran), cell(3)]}), 74: json.dumps({"cells": [cell(ran)] * 201}),
                 75: json.dumps({"cells": [cell(["%set rows 7\n", "SELECT", " 1"])]}), 76: json.dumps({"cells": [cell("%set rows 9")]})}
    for lab, text in notebooks.items():
        (tmp_path / f"{lab}_lab.ipynb").write_text(text)
    with running_workspace() as workspace:
        kernel = Kernel({**workspace.environ, "LAKEBASE_NOTEBOOKS": str(tmp_path)})
        try:
            for lab, words in {69: "lab 69 has nothing to catch up on", 70: "there is no notebook 70_*.ipynb", 71: "71_lab.ipynb",
                               72: "no cells with the tag catch-up", 73: "73_lab: cell 2 has no source", 74: "more than 200 cells",
                               75: "lab 75, cell made: "}.items():
                error, _ = kernel.run(f"%lab catch-up {lab}")
                assert error and words in error["evalue"], (lab, error)
                assert "LINE" not in "".join(error["traceback"]), "a place in a text that the learner does not see"
            error, said = kernel.run("%lab catch-up 76")
            assert "1 cell of lab 76 was run" in said and error["ename"] == "CheckFailed", "it looks whether the cells were enough"
            assert "9" in kernel.must("%set rows")
        finally:
            kernel.close()
