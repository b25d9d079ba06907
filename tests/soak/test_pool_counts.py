"""The big counts of the pool, without a server: SOAK_POOL_STEPS random calls against a model (1,000,000), and 1000 threads with 100
checkouts each on 8 connections, with exact totals."""
import os
import random
import subprocess

from conftest import ROOT, VARIANT, program


def test_a_million_steps_and_a_thousand_threads():
    binary = program(ROOT / "build" / VARIANT / "tests/test_pg_pool_load")
    seed = random.randrange(1, 1 << 31)
    print("seed", seed)
    done = subprocess.run([binary], capture_output=True, text=True, timeout=3000, env={
        **os.environ, "LAKEBASE_POOL_STEPS": os.environ.get("SOAK_POOL_STEPS", "1000000"), "LAKEBASE_POOL_SEED": str(seed),
        "LAKEBASE_POOL_THREADS": "1000", "LAKEBASE_POOL_CALLS": "100"})
    assert done.returncode == 0 and "FAILED" not in done.stderr, done.stdout + done.stderr
