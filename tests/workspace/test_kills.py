"""A bounded sample of the kills; tests/soak runs 300 of them."""
import random

import pytest

from conftest import Workspace
from kills import rounds


@pytest.fixture
def space(state_dir):
    space = Workspace(state_dir)
    yield space
    space.run("reset", "--yes", check=False)


def test_fifteen_kills_at_any_moment(space):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    assert rounds(space, 15, seed).kills >= 15
