"""The Delta log under test: a small program over kernel/lakehouse, built here, and tables to point it at."""
import json
import os
import subprocess

import pytest

from conftest import ROOT, VARIANT

LIB = ROOT / "build" / VARIANT / "lib"
SANITIZE = {"asan": ["-fsanitize=address,undefined"], "tsan": ["-fsanitize=thread"]}.get(VARIANT, [])


class Refused(Exception):
    """What the program says on stderr: CODE: text."""

    def __init__(self, line):
        super().__init__(line)
        self.code, _, self.text = line.partition(": ")


class DeltaTool:
    def __init__(self, program, engine_root=None):
        self.program = program
        self.environ = {**os.environ, "VIRTUAL_ENV": str(ROOT / ".venv")}
        if engine_root:
            self.environ["DELTA_TOOL_ROOT"] = str(engine_root)

    def with_engine(self, root):
        """The same with the engine open over tables below a folder."""
        return DeltaTool(self.program, root)

    def __call__(self, *words, stdin=None):
        done = subprocess.run([self.program, *map(str, words)], text=True, capture_output=True, timeout=60, env=self.environ,
                              input=json.dumps(stdin) if stdin is not None else "")
        if done.returncode:
            assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
            raise Refused(done.stderr.strip())
        return json.loads(done.stdout)

    def snapshot(self, root, version=-1):
        return self("snapshot", root, version)

    def history(self, root, limit=0):
        return self("history", root, limit)

    def changes(self, root, start, end=-1):
        return self("changes", root, start, end)

    def commit(self, root, **what):
        return self("commit", root, stdin=what)["version"]


@pytest.fixture(scope="session")
def delta(tmp_path_factory):
    program = tmp_path_factory.mktemp("tool") / "delta_tool"
    libraries = subprocess.run(["pkg-config", "--libs", "jansson", "uuid"], check=True, text=True, capture_output=True).stdout
    archives = [str(LIB / "lakehouse.a"), str(LIB / "base.a")]
    subprocess.run([os.environ.get("CC", "cc"), "-std=c11", "-D_GNU_SOURCE", "-g", "-Wall", "-Wextra", "-Werror", *SANITIZE,
                    "-Ikernel", "tests/lakehouse/delta_tool.c", "-o", str(program), *archives, *libraries.split(), "-ldl",
                    "-lpthread"], cwd=ROOT, check=True)
    return DeltaTool(program)
