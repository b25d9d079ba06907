"""The big counts of synced tables: SOAK_STEPS operations (2,000), SOAK_KILLS kills (300)."""
import os
import random
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "sync"))
from model import kills, random_history  # noqa: E402
from syncs import Lab  # noqa: E402


def test_long_history(workspace):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    random_history(Lab(workspace), "model", int(os.environ.get("SOAK_STEPS", "2000")), seed)


def test_many_kills(own_workspace):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    kills(own_workspace, int(os.environ.get("SOAK_KILLS", "300")), seed)
