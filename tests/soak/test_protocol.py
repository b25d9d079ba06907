"""The big counts of the protocol: SOAK_ABUSE malformed messages (100,000; with VARIANT=asan under the sanitizers),
SOAK_INTERRUPTS interrupts at random moments of cells on PostgreSQL (200)."""
import os
import random
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "protocol"))
from test_endurance import abuse, connected, interrupt_often  # noqa: E402,F401 (fixtures)
from tiny_kernel import client, kernel, launch, tiny  # noqa: E402,F401 (fixtures)


def test_malformed_messages(kernel, client):  # noqa: F811
    seed = random.randrange(1 << 32)
    print("seed", seed)
    abuse(kernel, client, int(os.environ.get("SOAK_ABUSE", "100000")), seed)


def test_interrupts(connected):  # noqa: F811
    seed = random.randrange(1 << 32)
    print("seed", seed)
    interrupt_often(connected, int(os.environ.get("SOAK_INTERRUPTS", "200")), seed)
