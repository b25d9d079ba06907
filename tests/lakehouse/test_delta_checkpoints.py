"""Checkpoints both ways: what deltalake wrote, what we wrote, parts and v2, and logs whose first commits are gone."""
import json
import os
import uuid
from pathlib import Path

import duckdb
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

import parquet
from delta_tool import Refused, delta  # noqa: F401

FEED = {"delta.enableChangeDataFeed": "true"}


def name(version, rest="json"):
    return f"{version:020}.{rest}"


def forget(root, versions):
    """As log clean-up does."""
    for version in versions:
        os.unlink(f"{root}/_delta_log/{name(version)}")


def same(a, b):
    """Two snapshots in everything but the order of files."""
    def sorted_files(snapshot):
        return {**snapshot, "files": sorted(snapshot["files"], key=lambda f: f["uri"])}

    assert sorted_files(a) == sorted_files(b)


@pytest.fixture
def root(tmp_path):
    return str(tmp_path / "t")


@pytest.fixture
def engine(delta, tmp_path):  # noqa: F811
    return delta.with_engine(tmp_path)


@pytest.fixture
def theirs(root):
    """Versions 0 to 5 by deltalake, no checkpoint yet."""
    for i in range(4):
        rows = duckdb.sql(f"SELECT {i}::BIGINT AS id, 'p {i % 2}' AS p, [{i}] AS list")
        write_deltalake(root, rows, mode="append", partition_by=["p"], configuration=FEED if i == 0 else None,
                        commit_properties=CommitProperties(app_transactions=[Transaction("app", i)]))
    DeltaTable(root).delete("id = 1")
    write_deltalake(root, duckdb.sql("SELECT 9::BIGINT AS id, NULL::VARCHAR AS p, [9] AS list"), mode="append")
    return root


def test_checkpoint_of_deltalake(theirs, engine, delta):  # noqa: F811
    table = DeltaTable(theirs, version=4)
    before = delta.snapshot(theirs)
    at_four = delta.snapshot(theirs, 4)
    table.create_checkpoint()
    forget(theirs, range(4))
    same(engine.snapshot(theirs), before)
    same(engine.snapshot(theirs, 4), at_four)
    assert before["transactions"] == {"app": 3}
    with pytest.raises(Refused, match=r"NOT_IMPLEMENTED.*begins with a checkpoint \(version 4\)"):
        delta.snapshot(theirs)
    with pytest.raises(Refused, match="INVALID_STATE.*commit of version 0 is missing"):
        engine.snapshot(theirs, 2)
    assert [f["version"] for f in engine.changes(theirs, 5)["files"]] == [5]
    with pytest.raises(Refused, match="INVALID_STATE.*version 3 is gone: its commit"):
        engine.changes(theirs, 3)
    assert [h["version"] for h in engine.history(theirs)] == [5, 4]
    forget(theirs, [4])
    same(engine.snapshot(theirs), before)


def lines_of(theirs, version):
    """The newest checkpoint of deltalake as JSON lines."""
    DeltaTable(theirs, version=version).create_checkpoint()
    path = f"{theirs}/_delta_log/{name(version, 'checkpoint.parquet')}"
    rows = duckdb.sql(f"SELECT CAST(to_json(t) AS VARCHAR) FROM read_parquet('{path}') t").fetchall()
    return path, [{k: v for k, v in json.loads(row[0]).items() if v is not None} for row in rows]


def test_parts(theirs, engine, delta):  # noqa: F811
    before = delta.snapshot(theirs)
    path, lines = lines_of(theirs, 4)
    for part in (1, 2):
        target = f"{theirs}/_delta_log/{name(4, f'checkpoint.{part:010}.{2:010}.parquet')}"
        duckdb.sql(f"COPY (SELECT * FROM read_parquet('{path}') QUALIFY row_number() OVER () % 2 = {part - 1}) TO '{target}' (FORMAT parquet)")
    os.unlink(path)
    forget(theirs, range(5))
    same(engine.snapshot(theirs), before)
    os.unlink(target)
    with pytest.raises(Refused, match="commit of version 0 is missing"):
        engine.snapshot(theirs)


def test_v2_with_sidecar(theirs, engine, delta):  # noqa: F811
    before = delta.snapshot(theirs)
    path, lines = lines_of(theirs, 4)
    sidecar = f"{uuid.uuid4()}.parquet"
    Path(f"{theirs}/_delta_log/_sidecars").mkdir()
    duckdb.sql(f"COPY (SELECT add, remove FROM read_parquet('{path}') WHERE add IS NOT NULL OR remove IS NOT NULL) TO "
               f"'{theirs}/_delta_log/_sidecars/{sidecar}' (FORMAT parquet)")
    os.unlink(path)
    top = [x for x in lines if "add" not in x and "remove" not in x]
    top += [{"checkpointMetadata": {"version": 4}}, {"sidecar": {"path": sidecar, "sizeInBytes": 1, "modificationTime": 1}}]
    v2 = Path(f"{theirs}/_delta_log/{name(4, f'checkpoint.{uuid.uuid4()}.json')}")
    v2.write_text("\n".join(map(json.dumps, top)) + "\n")
    forget(theirs, range(5))
    same(engine.snapshot(theirs), before)
    with pytest.raises(Refused, match="NOT_IMPLEMENTED.*only the lakehouse engine reads"):
        delta.snapshot(theirs)
    top[-1]["sidecar"]["path"] = "../../elsewhere.parquet"
    v2.write_text("\n".join(map(json.dumps, top)) + "\n")
    with pytest.raises(Refused, match="not in _sidecars"):
        engine.snapshot(theirs)


def test_broken_checkpoint(theirs, engine, delta):  # noqa: F811
    before = delta.snapshot(theirs)
    Path(f"{theirs}/_delta_log/{name(5, 'checkpoint.parquet')}").write_bytes(b"PAR1 no, it is not PAR1")
    same(engine.snapshot(theirs), before)  # the commits are all there
    forget(theirs, [0])
    with pytest.raises(Refused, match="checkpoint.parquet"):
        engine.snapshot(theirs)


@pytest.fixture
def ours(root, engine):
    """Versions 0 to 23 by us; every tenth wrote a checkpoint."""
    engine.commit(root, metadata={"configuration": FEED, "description": "d", "partition_columns": ["p"],
                                  "schema": [{"name": "id", "type": "INT"}, {"name": "p", "type": "STRING"}]})
    for i in range(23):
        value = [None, "a", 'with "quotes" and blank'][i % 3]
        add = {**parquet.write(f"{root}/f{i}.parquet", f"SELECT CAST({i} AS INT) AS id"), "partition_values": {"p": value}}
        old = [engine.snapshot(root)["files"][0]["uri"]] if i % 5 == 4 else []
        engine.commit(root, read_version=i, add=[add], remove=old)
    return root


def test_our_checkpoints(ours, engine, delta):  # noqa: F811
    log = f"{ours}/_delta_log"
    assert sorted(n for n in os.listdir(log) if "checkpoint" in n) == [
        name(10, "checkpoint.parquet"), name(20, "checkpoint.parquet"), "_last_checkpoint"]
    assert json.loads(Path(f"{log}/_last_checkpoint").read_text())["version"] == 20
    before, at_ten = delta.snapshot(ours), delta.snapshot(ours, 10)
    rows = parquet.rows(parquet.arrow(DeltaTable(ours).scan().read_all()), "id", "p")
    assert sum(rows.values()) == 19
    os.unlink(f"{log}/_last_checkpoint")
    forget(ours, range(10))
    same(engine.snapshot(ours), before)
    same(engine.snapshot(ours, 10), at_ten)
    theirs = DeltaTable(ours)
    assert theirs.version() == 23
    assert parquet.rows(parquet.arrow(theirs.scan().read_all()), "id", "p") == rows
    assert theirs.metadata().description == "d" and theirs.metadata().partition_columns == ["p"]
    assert sorted(theirs.protocol().writer_features) == sorted(before["writer_features"])
    feed = parquet.rows(parquet.arrow(theirs.load_cdf(starting_version=21)), "id", "_change_type", "_commit_version")
    assert feed == {("20", "insert", "21"): 1, ("21", "insert", "22"): 1, ("22", "insert", "23"): 1}
    assert not [n for n in os.listdir(log) if n.endswith(".tmp")]


def test_we_go_on_after_a_checkpoint(theirs, engine, delta):  # noqa: F811
    """A checkpoint of ours holds what commits of deltalake said."""
    for version in range(5, 10):
        engine.commit(theirs, read_version=version, add=[])
    before = delta.snapshot(theirs)
    assert os.path.exists(f"{theirs}/_delta_log/{name(10, 'checkpoint.parquet')}")
    forget(theirs, range(10))
    same(engine.snapshot(theirs), before)
    now = DeltaTable(theirs)
    assert now.transaction_version("app") == 3
    assert sum(parquet.rows(parquet.arrow(now.scan().read_all()), "id", "p").values()) == 4
