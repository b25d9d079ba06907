"""SOAK_ROTATION seconds (300) of load on a pool whose tokens live for 20 s and whose connections live for 5: no call fails."""
import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "protocol"))
from test_pool_tokens import rotate  # noqa: E402


def test_rotation():
    rotate(life=20, lifetime=5, seconds=int(os.environ.get("SOAK_ROTATION", "300")))
