"""Statements torn apart and put together at random: an error or a result, never the end of the worker, never a changed table
without an answer that says so."""
import random
import re

import pytest

from engine import Engine, SqlError

SEEDS = [
    "SELECT a.id, b.name FROM t a JOIN t AS b ON a.id = b.id WHERE a.id IN (SELECT id FROM t) ORDER BY 1 LIMIT 3",
    "WITH c AS (SELECT id, count(*) n FROM t VERSION AS OF 1 GROUP BY id) SELECT * FROM c, (VALUES (1, 'x')) v(k, s)",
    "SELECT CAST(id AS DECIMAL(10,2)), date_format(TIMESTAMP'2026-01-01', 'yyyy-MM-dd'), concat(name, 'x'), :p FROM t",
    "SELECT * FROM table_changes('t', 0, 1) WHERE _change_type = 'insert'",
    "INSERT INTO t (id, name) VALUES (1, 'a'), (2, \"b\")",
    "UPDATE t AS x SET x.name = CASE WHEN id > 1 THEN upper(name) ELSE NULL END WHERE id = 1",
    "DELETE FROM t WHERE name RLIKE '^a' AND NOT EXISTS (SELECT 1 FROM t u WHERE u.id = t.id + 1)",
    "MERGE INTO t USING (SELECT 1 AS id, 'n' AS name) s ON t.id = s.id WHEN MATCHED AND s.id > 0 THEN UPDATE SET * "
    "WHEN NOT MATCHED THEN INSERT (id, name) VALUES (s.id, s.name) WHEN NOT MATCHED BY SOURCE THEN DELETE",
    "CREATE OR REPLACE TABLE u (a INT NOT NULL COMMENT 'c', s STRUCT<x: ARRAY<INT>>, PRIMARY KEY (a)) USING DELTA "
    "PARTITIONED BY (a) TBLPROPERTIES ('k' = 'v', delta.enableChangeDataFeed = true)",
    "CREATE TABLE IF NOT EXISTS v COMMENT 'x' AS SELECT id % 2 AS k, count(*) AS n FROM t GROUP BY 1",
    "ALTER TABLE t ADD COLUMNS (c1 DOUBLE COMMENT 'd', c2 MAP<STRING, INT>)",
    "ALTER TABLE t SET TBLPROPERTIES ('a.b' = '1')", "DESCRIBE HISTORY t LIMIT 2", "DESCRIBE TABLE EXTENDED t", "DESCRIBE DETAIL t",
    "SHOW TABLES IN main.default LIKE 'x*'", "SHOW GRANTS `a@b` ON SCHEMA main.default", "GRANT SELECT, USE SCHEMA ON TABLE t TO `x@y`",
    "USE main.default", "DROP TABLE IF EXISTS u",
]
PIECES = re.compile(r"\s+|\w+|'[^']*'|\"[^\"]*\"|.", re.S)


@pytest.mark.parametrize("seed", range(3))
def test_random_statements(seed):
    pick, engine = random.Random(seed), Engine()
    pieces = [PIECES.findall(s) for s in SEEDS]
    everything = sorted({p for s in pieces for p in s})
    try:
        engine.run("CREATE TABLE t (id INT, name STRING) TBLPROPERTIES (delta.enableChangeDataFeed = true)")
        engine.run("INSERT INTO t VALUES (1, 'one'), (2, 'two')")
        for _ in range(400):
            words = list(pick.choice(pieces))
            for _ in range(pick.randrange(1, 5)):
                at = pick.randrange(len(words))
                change = pick.randrange(4)
                if change == 0:
                    del words[at:at + pick.randrange(1, 6)]
                elif change == 1:
                    words.insert(at, pick.choice(everything))
                elif change == 2:
                    words[at] = pick.choice(everything)
                else:
                    other = pick.choice(pieces)
                    words = words[:at] + other[pick.randrange(len(other)):]
                words = words or ["SELECT"]
            sql = "".join(words)
            try:
                engine.run(sql, [{"name": "p", "value": "1", "type": "INT"}])
            except SqlError as error:
                assert error.code in ("SQL", "TABLE_NOT_FOUND", "SCHEMA_NOT_FOUND"), (sql, str(error), error.code)
                assert str(error).startswith("["), (sql, str(error))
                assert "__lake" not in str(error), (sql, str(error))
        assert engine.rows("SELECT 1") == [["1"]]
    finally:
        engine.close()
