"""COPY INTO and read_files: what is read is what Python's own csv and json read of the same files, and what deltalake finds in the
table; a file is loaded once, whatever happens in between; nothing outside of a volume can be named."""
import csv
import datetime
import json
import os
import random
import threading
import time

import duckdb
import pytest
from deltalake import DeltaTable

from engine import Engine, SqlError
from test_engine import theirs

AT = "/Volumes/main/default/v"


@pytest.fixture
def engine():
    engine = Engine()
    yield engine
    engine.close()


@pytest.fixture
def volume(engine):
    return engine.volume()


def refused(engine, sql):
    with pytest.raises(SqlError) as error:
        engine.run(sql)
    assert str(engine.state) not in str(error.value)  # folders of ours are nobody's business
    return error.value


def load(engine, options="'header' = 'true'", more="", path=AT, table="t", form="CSV"):
    return engine.run(f"COPY INTO {table} FROM '{path}' FILEFORMAT = {form} {more} FORMAT_OPTIONS ({options})").dicts[0]


def counts(rows, corrupt=0):
    return {"num_affected_rows": str(rows), "num_inserted_rows": str(rows), "num_skipped_corrupt_files": str(corrupt)}


# ---- read_files ----
def test_csv_as_python_reads_it(engine, volume):
    """Quotes, line feeds in fields, empty values, a byte order mark; other columns in another order in the second file."""
    (volume / "a.csv").write_text('\ufeffid,text,price,day,ok\n1,"a, ""b""\nc",1.5,2024-02-29,true\n2,,-3,2024-03-01,false\n')
    (volume / "b.csv").write_text("price,id,late\n7,3,x\n")
    result = engine.run(f"SELECT * FROM read_files('{AT}', format => 'csv', header => true) ORDER BY id")
    names = ["id", "text", "price", "day", "ok", "late"]
    assert result.names == [*names, "_rescued_data"]
    assert result.types == ["INT", "STRING", "DOUBLE", "DATE", "BOOLEAN", "STRING", "STRING"]
    expect = []
    for file in ("a.csv", "b.csv"):
        with open(volume / file, newline="", encoding="utf-8-sig") as text:
            expect += [[row.get(n) or None for n in names] + [None] for row in csv.DictReader(text)]
    assert [[f"{float(v):g}" if n == "price" else v for n, v in zip(result.names, row)] for row in result.rows] == expect


@pytest.mark.parametrize("values, type", [
    (["1", "-2", ""], "INT"), (["1", "3000000000"], "BIGINT"), (["1", "99999999999999999999"], "DOUBLE"), (["1.5", "1e3"], "DOUBLE"),
    (["2024-01-01", ""], "DATE"), (["2024-01-01 10:11:12", "2024-01-01T10:11:12Z"], "TIMESTAMP"), (["true", "FALSE"], "BOOLEAN"),
    (["1", "x"], "STRING"), (["", ""], "STRING"), (["2024-01-01", "2024-13-01"], "STRING"), (["1.5", "2024-01-01"], "STRING")])
def test_inferred_types_fit_every_value(engine, volume, values, type):
    """The last row decides as much as the first."""
    (volume / "a.csv").write_text("k,v\n" + "".join(f"{i},{v}\n" for i, v in enumerate(values)))
    assert engine.run(f"SELECT v FROM read_files('{AT}/a.csv', header => true)").types == [type]
    assert engine.run(f"SELECT v FROM read_files('{AT}/a.csv', header => true, inferSchema => false)").types == ["STRING"]


def test_json_as_python_reads_it(engine, volume):
    lines = [{"id": i, "name": f"n{i}", "at": {"x": i * 1.5, "tags": ["a", str(i)]}} for i in range(50)]
    (volume / "a.json").write_text("".join(json.dumps(x) + "\n" for x in lines))
    result = engine.run(f"SELECT * FROM read_files('{AT}/a.json') ORDER BY id")
    assert result.types == ["BIGINT", "STRING", "STRUCT<x: DOUBLE, tags: ARRAY<STRING>>", "STRING"]
    assert [(int(r[0]), r[1], json.loads(r[2])) for r in result.rows] == [(x["id"], x["name"], x["at"]) for x in lines]
    (volume / "b.json").write_text(json.dumps(lines[:3], indent=2))
    assert len(engine.rows(f"SELECT id FROM read_files('{AT}/b.json', multiLine => true)")) == 3
    assert refused(engine, f"SELECT id FROM read_files('{AT}/b.json')").error_class == "FAILED_READ_FILE.NO_HINT"


def parquet(path, query):
    duckdb.sql(f"COPY ({query}) TO '{path}' (FORMAT parquet)")


def test_parquet_as_duckdb_wrote_it(engine, volume):
    query = "SELECT i AS id, CASE WHEN i % 3 > 0 THEN 's' || i END AS s, {'k': [i]} AS m FROM range(1000) AS r(i)"
    parquet(volume / "a.parquet", query)
    rows = engine.rows(f"SELECT id, s, m FROM read_files('{AT}/*.parquet') ORDER BY id")
    assert [(int(a), b, json.loads(c)) for a, b, c in rows] == duckdb.sql(f"{query} ORDER BY id").fetchall()


def test_schema_and_place_in_a_query(engine, volume):
    (volume / "a.csv").write_text("1|x\n2|y\n")
    (volume / "it's *odd*.csv").write_text("3|z\n")
    engine.run("CREATE TABLE names AS SELECT 2 AS id, 'two' AS name")
    source = f"read_files('{AT}', format => 'csv', sep => '|', schema => 'id INT, letter STRING')"
    assert engine.rows(f"SELECT letter, name FROM {source} AS f JOIN names AS n ON f.id = n.id") == [["y", "two"]]
    assert engine.run(f"CREATE TABLE c AS SELECT * FROM {source}") and theirs(engine, "c") == [(1, "x"), (2, "y"), (3, "z")]
    assert engine.rows(f"WITH f AS (SELECT * FROM {source}) SELECT count(*), max(id) FROM f") == [["3", "3"]]
    assert engine.rows("SELECT count(*) FROM read_files(:p, format => 'csv', pathGlobFilter => 'a*')",
                       [{"name": "p", "value": AT}]) == [["2"]]
    assert engine.rows(f"SELECT count(*) FROM read_files('{AT}/it''s *odd*.csv')") == [["1"]]


def test_list(engine, volume):
    (volume / "b").mkdir()
    (volume / "a.csv").write_text("12345")
    (volume / "_hidden").write_text("")
    found = [(r["path"], r["name"], r["size"]) for r in engine.run(f"LIST '{AT}'").dicts]
    assert found == [(f"{AT}/_hidden", "_hidden", "0"), (f"{AT}/a.csv", "a.csv", "5"), (f"{AT}/b/", "b/", "0")]
    assert engine.rows(f"LIST '{AT}/b'") == []


# ---- nothing else of the machine ----
def test_only_volumes_are_read(engine, volume, tmp_path):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    (volume / "link.csv").symlink_to(tmp_path / "secret.csv")
    (volume / "out").symlink_to(tmp_path)
    (volume / "in").mkdir()
    (volume / "in" / "deep").symlink_to(tmp_path)
    engine.run("CREATE TABLE t (a INT)")
    location = engine.location("t")
    for path in [str(tmp_path / "secret.csv"), f"file://{tmp_path}/secret.csv", "/etc/passwd", location, f"{location}/_delta_log",
                 f"{AT}/../{volume.name}/x", f"{AT}/in/../../x", f"{AT}//etc/passwd", f"{AT}/./x", f"{AT}/link.csv", f"{AT}/out/secret.csv",
                 f"{AT}/out/*.csv", f"{AT}/in", f"{AT}/*/*/*.csv", "/Volumes/main/default/none/x", "/Volumes/main/default", "/Volumes"]:
        assert refused(engine, f"SELECT * FROM read_files('{path}', format => 'csv')").error_class in (
            "INVALID_PARAMETER_VALUE", "UC_VOLUME_NOT_FOUND", "PATH_NOT_FOUND"), path
        refused(engine, f"COPY INTO t FROM '{path}' FILEFORMAT = CSV")
        refused(engine, f"LIST '{path}/'" if path == f"{AT}/in" else f"LIST '{path}'")
    for sql in [f"SELECT * FROM '{tmp_path}/secret.csv'", f"SELECT * FROM read_csv('{tmp_path}/secret.csv')",
                f"COPY t TO '{tmp_path}/x.csv'", f"SELECT read_text('{AT}/a')", f"SELECT * FROM '{AT}/a.csv'"]:
        refused(engine, sql)
    with pytest.raises(SqlError):
        engine.run(f"COPY INTO t FROM (SELECT * FROM '{AT}/a', '{AT}/b') FILEFORMAT = CSV")


# ---- COPY INTO ----
@pytest.fixture
def table(engine, volume):
    engine.run("CREATE TABLE t (id INT, name STRING, day DATE)")
    (volume / "a.csv").write_text("id,name,day\n1,a,2024-01-01\n2,b,\n")
    return engine


def test_a_file_is_loaded_once(table, volume):
    assert load(table) == counts(2)
    assert load(table) == counts(0)
    (volume / "a.csv").write_text("id,name,day\n5,changed,\n")  # as on the service: known by its name
    (volume / "b.csv").write_text("day,id\n2024-05-05,3\n")
    assert load(table) == counts(1)
    assert theirs(table, "t") == [(1, "a", datetime.date(2024, 1, 1)), (2, "b", None), (3, None, datetime.date(2024, 5, 5))]
    newest = DeltaTable(table.location("t")).history(1)[0]
    assert (newest["operation"], newest["operationMetrics"]["numOutputRows"], newest["isBlindAppend"]) == ("COPY INTO", "1", False)
    version = DeltaTable(table.location("t")).version()
    assert load(table) == counts(0) and DeltaTable(table.location("t")).version() == version  # nothing new, no commit


def test_what_was_loaded_outlives_checkpoints_and_other_writers(table, volume):
    load(table)
    for i in range(12):
        table.run(f"INSERT INTO t VALUES ({i + 10}, 'x', NULL)")
    DeltaTable(table.location("t")).create_checkpoint()
    table.run("DELETE FROM t")
    for name in os.listdir(f"{table.location('t')}/_delta_log"):
        if name.endswith(".json") and int(name[:20]) < 10:
            os.remove(f"{table.location('t')}/_delta_log/{name}")
    assert load(table) == counts(0)
    assert load(table, more="COPY_OPTIONS ('force' = 'true')") == counts(2)


def test_empty_files_count_as_loaded(table, volume):
    load(table)
    (volume / "empty.csv").write_text("")
    (volume / "head.csv").write_text("id,name\n")
    assert load(table) == counts(0)
    (volume / "empty.csv").write_text("id\n9\n")
    assert load(table) == counts(0)


def test_files_pattern_and_columns(table, volume):
    for name, row in {"x1.csv": "7,g", "x2.csv": "8,h", "y1.csv": "9,i"}.items():
        (volume / name).write_text(row + "\n")
    assert table.run(f"COPY INTO t (id, name) FROM '{AT}' FILEFORMAT = CSV FILES = ('x1.csv')").dicts == [counts(1)]
    assert table.run(f"COPY INTO t (id, name) FROM '{AT}' FILEFORMAT = CSV PATTERN = '{{x,y}}[0-9].csv'").dicts == [counts(2)]
    assert table.run(f"COPY INTO t FROM (SELECT _c0::INT * 10 AS id, upper(_c1) AS name FROM '{AT}/y1.csv') FILEFORMAT = CSV "
                     "COPY_OPTIONS ('force' = 'true')").dicts == [counts(1)]
    assert [r[0] for r in theirs(table, "t")] == [7, 8, 9, 90]
    (volume / "z.csv").write_text("4,d,2024-04-04\n")
    assert table.run(f"COPY INTO t BY POSITION FROM '{AT}/z.csv' FILEFORMAT = CSV").dicts == [counts(1)]


def test_new_columns_only_when_asked_for(table, volume):
    (volume / "b.csv").write_text("id,extra\n3,1.5\n")
    error = refused(table, f"COPY INTO t FROM '{AT}' FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true')")
    assert (error.error_class, error.sqlstate, error.position) == ("DELTA_METADATA_MISMATCH.SCHEMA_MISMATCH", "42KDG", 18)
    assert DeltaTable(table.location("t")).version() == 0
    assert load(table, "'header' = 'true', 'inferSchema' = 'true'", "COPY_OPTIONS ('mergeSchema' = 'true')") == counts(3)
    delta = DeltaTable(table.location("t"))
    assert [f.name for f in delta.schema().fields] == ["id", "name", "day", "extra"]
    assert theirs(table, "t", "id, extra") == [(1, None), (2, None), (3, 1.5)]
    assert [c["name"] for c in table.tables["main", "default", "t"]["columns"]][-1] == "extra"  # Unity Catalog was told


def test_json_and_parquet(engine, volume):
    engine.run("CREATE TABLE t (id INT, tags ARRAY<STRING>, m STRUCT<k: BIGINT>) PARTITIONED BY (id)")
    (volume / "a.json").write_text('{"id": 1, "tags": ["x"], "m": {"k": 5}}\n{"id": 2}\n')
    parquet(volume / "b.parquet", "SELECT 3::BIGINT AS id, ['p', 'q'] AS tags")
    assert load(engine, "'mergeSchema' = 'true'", path=f"{AT}/a.json", form="JSON") == counts(2)
    assert load(engine, "'mergeSchema' = 'true'", path=f"{AT}/b.parquet", form="PARQUET") == counts(1)
    assert theirs(engine, "t", "id, tags, m") == [(1, ["x"], {"k": 5}), (2, None, None), (3, ["p", "q"], None)]


@pytest.mark.parametrize("text, place", [
    ("id,name,day\n1,a,\nx,b,\n", "line 3: Error when converting column \"id\""),
    ("id,name,day\n1,a,\n2,b\n", "line 3: Expected Number of Columns: 3 Found: 2"),
    ("id,name,day\n1,a,2024-02-30\n", "line 2: Error when converting column \"day\""),
    ("id,id,day\n1,a,\n", "its header names the column 'id' twice"),
    ("id,\"na", "the quote in its first record is not closed"),
    ("id,\udce9\n1,2\n", "its first line is no UTF-8 text")])
def test_an_error_says_file_and_line_and_writes_nothing(table, volume, text, place):
    load(table)
    (volume / "bad.csv").write_bytes(text.encode(errors="surrogateescape"))
    (volume / "good.csv").write_text("id,name,day\n8,h,\n")
    error = refused(table, f"COPY INTO t FROM '{AT}' FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true')")
    assert (error.error_class, error.sqlstate) == ("FAILED_READ_FILE.NO_HINT", "KD001")
    assert f"Error while reading file {AT}/bad.csv: {place}" in str(error)
    assert len(theirs(table, "t")) == 2
    (volume / "bad.csv").unlink()
    assert load(table) == counts(1)


def test_corrupt_files_are_skipped_when_asked(engine, volume):
    engine.run("CREATE TABLE t (id INT)")
    parquet(volume / "a.parquet", "SELECT 1 AS id")
    whole = (volume / "a.parquet").read_bytes()
    (volume / "b.parquet").write_bytes(whole[:40] + b"\0" * (len(whole) - 40))
    (volume / "c.parquet").write_bytes(b"")
    assert "b.parquet" in str(refused(engine, f"COPY INTO t FROM '{AT}/b.parquet' FILEFORMAT = PARQUET"))
    assert load(engine, "'ignoreCorruptFiles' = 'true'", form="PARQUET") == counts(1, 2)
    (volume / "b.parquet").write_bytes(whole)
    assert load(engine, "'ignoreCorruptFiles' = 'true'", form="PARQUET") == counts(1, 1)
    (volume / "x.csv").write_text("id\n1\nx\n2\n")
    assert load(engine, "'header' = 'true', 'mode' = 'DROPMALFORMED'", path=f"{AT}/x.csv") == counts(2)


@pytest.mark.parametrize("tail, word", [
    ("FILEFORMAT = AVRO", "AVRO"), ("FILEFORMAT = CSV FORMAT_OPTIONS ('dateFormat' = 'yyyy')", "dateFormat"),
    ("FILEFORMAT = PARQUET FORMAT_OPTIONS ('header' = 'true')", "header"), ("FILEFORMAT = CSV VALIDATE 5 ROWS", "VALIDATE"),
    ("FILEFORMAT = CSV FORMAT_OPTIONS ('mode' = 'PERMISSIVE')", "FAILFAST"), ("FILEFORMAT = CSV COPY_OPTIONS ('purge' = 'true')", "purge"),
    ("FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'perhaps')", "header"), ("FILEFORMAT = CSV FORMAT_OPTIONS ('encoding' = 'latin1')", "UTF-8"),
    ("WITH (CREDENTIAL c) FILEFORMAT = CSV", "CREDENTIAL"), ("", "FILEFORMAT"), ("FILEFORMAT = CSV FILES = ('a') PATTERN = 'b'", "together"),
    ("FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true', 'HEADER' = 'false')", "twice")])
def test_what_is_not_there_is_refused_by_name(table, tail, word):
    assert word in str(refused(table, f"COPY INTO t FROM '{AT}' {tail}"))


# ---- exactly once ----
def test_two_loads_at_once_load_once(engine, volume):
    engine.run("CREATE TABLE t (id INT)")
    for i in range(6):
        (volume / f"{i}.csv").write_text("id\n" + "".join(f"{i * 100 + k}\n" for k in range(100)))
    loaded, failed = [], []

    def one():
        try:
            loaded.append(int(load(engine)["num_inserted_rows"]))
        except SqlError as error:
            failed.append(error)

    threads = [threading.Thread(target=one) for _ in range(6)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failed and sum(loaded) == 600
    assert sorted(r[0] for r in theirs(engine, "t")) == list(range(600))


def test_killed_at_any_moment_no_row_is_lost_or_doubled(engine, volume):
    """Files come one after the other; the worker dies somewhere in each load, and the load is run again."""
    engine.run("CREATE TABLE t (id BIGINT)")
    seed = random.Random(7)
    (volume / "warm.csv").write_text("id\n-1\n")
    started = time.monotonic()
    load(engine)
    usual = time.monotonic() - started
    rows = 500
    for i in range(int(os.environ.get("COPY_ROUNDS", 25))):
        (volume / f"{i}.csv").write_text("id\n" + "".join(f"{i * rows + k}\n" for k in range(rows)))
        timer = threading.Timer(seed.uniform(0, 1.3 * usual), engine.process.kill)
        timer.start()
        try:
            load(engine)
        except (ConnectionError, SqlError):
            pass
        timer.join()
        engine.process.wait()
        engine.start()
        load(engine)
        assert sorted(r[0] for r in theirs(engine, "t")) == [-1, *range((i + 1) * rows)], f"round {i}"
