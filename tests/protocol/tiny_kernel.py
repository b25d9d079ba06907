"""Fixtures (imported by name where they are used): the kernel with the tiny interpreter of this folder."""
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from jupyter_wire import Kernel

ROOT = Path(__file__).resolve().parents[2]
VARIANT = os.environ.get("VARIANT", "release")
LIBRARIES = "libzmq jansson libcrypto sqlite3 uuid"


@pytest.fixture(scope="session")
def tiny(private_home):
    """Path of the kernel that runs tests/protocol/tiny_interp.c."""
    build = ROOT / "build" / VARIANT
    compile_flags, link_flags = (build / "flags").read_text().split("|")
    archives = [str(build / f"lib/{folder}.a") for folder in ("jupyter", "wire", "magics", "render", "cell", "base")]
    program = private_home / "kernel-tiny"
    if program.exists():  # made for another file of tests
        return program
    libraries = subprocess.run(["pkg-config", "--libs", *LIBRARIES.split()], check=True, capture_output=True, text=True)
    subprocess.run([*shlex.split(compile_flags), *shlex.split(link_flags), "-o", str(program),
                    "tests/protocol/tiny_interp.c", str(build / "obj/bin/kernel_main.o"), "-Wl,--start-group",
                    *archives, "-Wl,--end-group", *shlex.split(libraries.stdout)], cwd=ROOT, check=True)
    return program


@pytest.fixture
def launch(tiny, state_dir):
    """launch(**options of Kernel): a tiny kernel that is gone after the test."""
    running = []

    def starter(**options):
        running.append(Kernel(tiny, state_dir, **options))
        return running[-1]

    yield starter
    for kernel in running:
        kernel.__exit__()


@pytest.fixture
def kernel(launch):
    return launch()


@pytest.fixture
def client(kernel):
    return kernel.client()
