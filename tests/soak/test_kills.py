"""300 kills of the workspace and its servers, at random moments of create, stop, start, resize and delete."""
import random
import sys
from pathlib import Path

import pytest

from conftest import Workspace

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workspace"))
from kills import rounds  # noqa: E402


@pytest.fixture
def space(state_dir):
    space = Workspace(state_dir)
    yield space
    space.run("reset", "--yes", check=False)


def test_three_hundred_kills(space):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    assert rounds(space, 300, seed).kills >= 300
