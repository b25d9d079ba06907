"""A bounded sample of random histories and of kills; tests/soak runs the big counts."""
import random

from model import kills, random_history
from syncs import Lab


def test_random_history(workspace):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    random_history(Lab(workspace), "model", 40, seed)


def test_kills_at_random_moments(own_workspace):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    kills(own_workspace, 6, seed)
