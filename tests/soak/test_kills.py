"""300 kills of the workspace and its servers, at random moments of create, stop, start, resize and delete."""
import random

import pytest

from conftest import Workspace
from kills import rounds


@pytest.fixture
def space(state_dir):
    space = Workspace(state_dir)
    yield space
    space.run("reset", "--yes", check=False)


def test_three_hundred_kills(space):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    assert rounds(space, 300, seed).kills >= 300
