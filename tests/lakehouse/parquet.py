"""Parquet files and rows for the tests: written and read by Python's duckdb, never by the code under test."""
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import duckdb


def write(path, sql):
    """Rows of a SELECT as one file; what a commit wants to know of it."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    duckdb.sql(f"COPY ({sql}) TO '{path}' (FORMAT parquet)")
    return {"path": str(path), "rows": duckdb.sql(f"SELECT count(*) FROM read_parquet('{path}')").fetchall()[0][0]}


def rows(relation, *columns):
    """Rows as a multiset, times as text, so that order and time zones do not matter."""
    names = ", ".join(f'CAST("{c}" AS VARCHAR)' for c in columns)
    return Counter(relation.project(names).fetchall())


def arrow(source):
    return duckdb.from_arrow(source)


def file_rows(files, *columns, extra=lambda f: ()):
    """Rows of data files as the Delta log tells of them: partition values come from the log."""
    found = Counter()
    for f in files:
        values = f["partition_values"]
        picked = ", ".join(
            ("NULL" if values[c] in (None, "") else "'" + values[c].replace("'", "''") + "'") if c in values
            else f'CAST("{c}" AS VARCHAR)' for c in columns)
        path = f["path"].replace("'", "''")
        for row in duckdb.sql(f"SELECT {picked} FROM read_parquet('{path}', hive_partitioning = false)").fetchall():
            found[row + tuple(extra(f))] += 1
    return found


def uri_path(uri):
    """What a file's address means on the disk."""
    return unquote(uri.removeprefix("file://"))
