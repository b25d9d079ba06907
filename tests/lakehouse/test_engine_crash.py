"""Writers in each other's way, and workers killed at any moment: only whole versions are ever there."""
import random
import threading

import pytest
from deltalake import DeltaTable

from engine import Engine


@pytest.fixture
def engine():
    engine = Engine()
    engine.run("CREATE TABLE t (k INT NOT NULL, n INT) TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    engine.run("INSERT INTO t SELECT id, 0 FROM range(20)")
    yield engine
    engine.close()


def test_two_workers_lose_no_update(engine):
    """Every increment counts once, though each writer rewrites the same file; and so says the change feed."""
    other = Engine(beside=engine)
    failures = []

    def work(worker, base):
        try:
            for i in range(12):
                assert worker.rows("UPDATE t SET n = n + 1 WHERE k < 10") == [["10"]]
                worker.run(f"INSERT INTO t VALUES ({base + i}, 1)")
        except Exception as error:
            failures.append(error)

    try:
        threads = [threading.Thread(target=work, args=pair) for pair in ((engine, 1000), (other, 2000))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        other.kill()
    assert not failures, failures
    assert engine.rows("SELECT count(*), min(n), max(n) FROM t WHERE k < 10") == [["10", "24", "24"]]
    assert engine.rows("SELECT count(*), sum(n) FROM t WHERE k >= 1000") == [["24", "24"]]
    assert engine.rows("SELECT count(*) FROM table_changes('t', 2) WHERE _change_type = 'update_postimage'") == [["240"]]
    assert DeltaTable(engine.location("t")).version() == 1 + 48


@pytest.mark.parametrize("seed", range(4))
def test_killed_workers_leave_whole_versions(engine, seed):
    """n is the same in all rows of every version, and what was answered is there."""
    pick, answered = random.Random(seed), 0
    for _ in range(6):
        killer = threading.Timer(pick.uniform(0.0, 0.12), engine.process.kill)
        killer.start()
        try:
            while True:
                engine.run("UPDATE t SET n = n + 1")
                answered += 1
        except (ConnectionError, OSError):
            pass
        killer.join()
        engine.kill()
        engine.start()
        versions = DeltaTable(engine.location("t")).version()
        [[low, high, count]] = engine.rows("SELECT min(n), max(n), count(*) FROM t")
        assert low == high and count == "20"
        assert answered <= int(low) == versions - 1
        answered = int(low)
    for version in range(1, versions + 1):
        assert engine.rows(f"SELECT count(*), min(n), max(n) FROM t VERSION AS OF {version}") == [
            ["20", str(version - 1), str(version - 1)]]
    changes = engine.rows("SELECT count(*) FROM table_changes('t', 1) WHERE _change_type = 'update_postimage'")
    assert changes == [[str(20 * (versions - 1))]]


def test_one_worker_many_statements(engine):
    """Statements of one worker side by side; readers see whole versions only."""
    failures = []

    def write(base):
        try:
            for i in range(8):
                engine.run(f"INSERT INTO t SELECT {base + i * 10} + id, 5 FROM range(10)")
        except Exception as error:
            failures.append(error)

    def read():
        try:
            for _ in range(20):
                [[count]] = engine.rows("SELECT count(*) FROM t WHERE n = 5")
                assert int(count) % 10 == 0
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(100 + 1000 * i,)) for i in range(3)]
    threads += [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    assert engine.rows("SELECT count(*), count(DISTINCT k) FROM t WHERE n = 5") == [["240", "240"]]
