"""Deletion vectors as deltalake understands them, and as we do: which rows are there, and which changed."""
import uuid

import duckdb
import pytest
from deltalake import DeltaTable, write_deltalake

import parquet
import vectors
from delta_tool import Refused, delta  # noqa: F401

ROWS = 200_000
STEPS = [[3, 4, 7, 11], [3, 4, 7, 11, 70_000, 199_999], [4, 150_000], None, [0]]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """One file of 200,000 rows; each version after the first masks other rows."""
    root = str(tmp_path_factory.mktemp("vectors") / "t")
    write_deltalake(root, duckdb.sql(f"SELECT i AS id FROM range({ROWS}) t(i)"), configuration={"delta.enableChangeDataFeed": "true"})
    add = vectors.allow(root)
    for version, rows in enumerate(STEPS, 1):
        make = vectors.in_line if version % 2 else lambda r: vectors.stored(root, r)
        add = vectors.mask(root, version, add, make(rows) if rows else None)
    return root


def test_masked_rows(table, delta):  # noqa: F811
    for version, rows in enumerate(STEPS, 1):
        [file] = delta.snapshot(table, version)["files"]
        assert file["masked"] == (rows or [])
        assert file["rows"] == ROWS


def test_deltalake_agrees(table, delta):  # noqa: F811
    [file] = delta.snapshot(table)["files"]
    at = duckdb.sql(f"SELECT id, file_row_number FROM read_parquet('{file['path']}', file_row_number = true)").fetchall()
    place = dict(at)  # its writer need not keep the order of the rows
    for version in range(1, len(STEPS) + 1):
        [file] = delta.snapshot(table, version)["files"]
        relation = parquet.arrow(DeltaTable(table, version=version).scan().read_all())
        seen = {row[0] for row in relation.fetchall()}
        assert sorted(place[i] for i in set(range(ROWS)) - seen) == file["masked"]


def test_changes(table, delta):  # noqa: F811
    got = [(f["version"], f["kind"], f["changed"]) for f in delta.changes(table, 1)["files"]]
    assert got == [
        (1, "delete", [3, 4, 7, 11]), (2, "delete", [70_000, 199_999]), (3, "delete", [150_000]),
        (3, "insert", [3, 7, 11, 70_000, 199_999]), (4, "insert", [4, 150_000]), (5, "delete", [0])]


@pytest.mark.parametrize("folder", ["", "ab"])
@pytest.mark.parametrize("first", vectors.Z85[:83])  # what 32 bits can begin with
def test_every_name(first, folder, delta, tmp_path):  # noqa: F811
    """A name in Z85 may begin with any of these characters: '.' and '/' are no folders there."""
    root = str(tmp_path / "t")
    write_deltalake(root, duckdb.sql("SELECT i AS id FROM range(10) t(i)"))
    add = vectors.allow(root)
    name = uuid.UUID(int=vectors.Z85.index(first) * 85**4 << 96)
    vector = vectors.stored(root, [3], name, folder)
    assert vector["pathOrInlineDv"][len(folder)] == vectors.z85(name.bytes)[0]
    vectors.mask(root, 1, add, vector)
    assert delta.snapshot(root)["files"][0]["masked"] == [3]


def test_no_folder_above(delta, tmp_path):  # noqa: F811
    root = str(tmp_path / "t")
    write_deltalake(root, duckdb.sql("SELECT i AS id FROM range(10) t(i)"))
    add = vectors.allow(root)
    for folder in ("..", ".", "a/../b"):
        vectors.mask(root, 1, add, vectors.stored(root, [3]) | {"pathOrInlineDv": folder + "0" * 20})
        with pytest.raises(Refused, match="stored in an unknown way"):
            delta.snapshot(root)


def test_broken_vector(table, delta, tmp_path):  # noqa: F811
    root = str(tmp_path / "t")
    write_deltalake(root, duckdb.sql("SELECT i AS id FROM range(10) t(i)"), configuration={"delta.enableChangeDataFeed": "true"})
    add = vectors.allow(root)
    vectors.mask(root, 1, add, vectors.in_line([10]))
    with pytest.raises(Refused, match="MALFORMED.*rows that the file does not have"):
        delta.snapshot(root)
    with pytest.raises(Refused, match="MALFORMED.*rows that the file does not have"):
        delta.changes(root, 1)
    vectors.mask(root, 1, add, vectors.in_line([1]) | {"cardinality": 2})
    with pytest.raises(Refused, match="MALFORMED.*another number of rows"):
        delta.snapshot(root)
