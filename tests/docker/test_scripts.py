"""The package list and its installer, the environment script and the container's entry point, without an engine.

apt, dpkg, sudo, jupyter are replaced by small recorders on PATH: what is tested is what the scripts ask of them.
"""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"


@pytest.fixture
def tools(tmp_path):
    """A folder first on PATH for recorders, and what they were called with."""
    return Tools(tmp_path)


class Tools:
    def __init__(self, folder):
        self.folder, self.log = folder, folder / "calls"
        (folder / "bin").mkdir()
        self.log.touch()

    def add(self, name, body=""):
        path = self.folder / "bin" / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>"{self.log}"\n{body}\n')
        path.chmod(0o755)

    def run(self, *argv, only_ours=False, **env):
        path = str(self.folder / "bin") + ("" if only_ours else ":" + os.environ["PATH"])
        return subprocess.run(argv, env={**os.environ, "PATH": path, **env}, text=True, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=60)

    @property
    def calls(self):
        return self.log.read_text().splitlines()


def install(tools, *args, **env):
    return tools.run("sh", str(DOCKER / "install-packages.sh"), *args, **env)


def dpkg_that_has(*names):
    """A dpkg-query that reports exactly these packages as installed."""
    return "".join(f"printf '{name}=installed '\n" for name in names) + "exit 1"


def all_rows(*groups):
    rows = [line.split() for line in (DOCKER / "packages.txt").read_text().splitlines()
            if line.strip() and not line.startswith("#")]
    return [row[0] for row in rows if row[1] in groups]


def test_list_gives_the_groups_asked_for(tools):
    listed = install(tools, "--list", "build", "run").stdout.split()
    assert listed == all_rows("build", "run")
    assert {"gcc", "libzmq3-dev", "postgresql", "python3-venv"} <= set(listed)
    assert "libcmocka-dev" not in listed


def test_every_row_has_a_known_group_once():
    names = all_rows("build", "run", "test")
    rows = [line for line in (DOCKER / "packages.txt").read_text().splitlines()
            if line.strip() and not line.startswith("#")]
    assert len(names) == len(rows)
    assert len(set(names)) == len(names)


def test_unknown_group_on_the_command_line(tools):
    done = install(tools, "build", "tset")
    assert done.returncode == 2 and 'no group "tset"' in done.stderr


def test_unknown_group_in_the_list(tools, tmp_path):
    bad = tmp_path / "packages.txt"
    bad.write_text("gcc biuld\n")
    done = install(tools, "build", PACKAGES_TXT=str(bad))
    assert done.returncode != 0 and 'packages.txt:1: no group "biuld"' in done.stderr


def test_nothing_missing_means_no_apt(tools):
    have = [name.split("|")[-1] for name in all_rows("build", "run")]
    tools.add("dpkg-query", dpkg_that_has(*have))
    tools.add("apt-get")
    done = install(tools, "build", "run")
    assert done.returncode == 0 and done.stdout == ""
    assert not [call for call in tools.calls if call.startswith("apt-get")]


def install_with_sudo(tools, have, **env):
    tools.add("dpkg-query", dpkg_that_has(*have))
    tools.add("id", "echo 1000")
    tools.add("sudo", 'exec "$@"')
    tools.add("apt-get")
    # a name that other packages mention is no error to apt-cache; it has nothing to show
    tools.add("apt-cache", '[ "$2" = libldap-dev ] || echo "Package: $2"')
    tools.add("tee", "cat >/dev/null")
    tools.add("mkdir")
    tools.add("ln")
    return install(tools, "build", "run", "test", **env)


def test_only_the_missing_are_installed_by_the_name_apt_knows(tools):
    have = [n.split("|")[0] for n in all_rows("build", "run", "test") if n not in ("libldap-dev|libldap2-dev", "procps")]
    done = install_with_sudo(tools, have)
    assert done.returncode == 0, done.stderr
    installs = [call for call in tools.calls if call.startswith("apt-get") and "install" in call]
    assert len(installs) == 1 and installs[0].endswith("--no-install-recommends libldap2-dev procps")
    assert any(call.startswith("sudo env DEBIAN_FRONTEND=noninteractive apt-get") for call in tools.calls)


def test_postgresql_gets_no_main_cluster(tools):
    done = install_with_sudo(tools, [n.split("|")[0] for n in all_rows("build", "run", "test") if n != "procps"])
    assert done.returncode == 0, done.stderr
    exists = Path("/etc/postgresql-common/createcluster.conf").exists()
    wrote = [call for call in tools.calls if call == "tee /etc/postgresql-common/createcluster.conf"]
    assert bool(wrote) == (not exists), "written when there is none, kept when there is one"


def test_pgbouncer_gets_no_service(tools):
    files = {"tee /etc/default/pgbouncer": "/etc/default/pgbouncer",
             "ln -s /dev/null /etc/systemd/system/pgbouncer.service": "/etc/systemd/system/pgbouncer.service"}
    names = [n.split("|")[0] for n in all_rows("build", "run", "test")]
    assert install_with_sudo(tools, [n for n in names if n != "procps"]).returncode == 0
    assert not [call for call in tools.calls if "pgbouncer" in call and call.split()[0] in ("tee", "ln")], "it is there already"
    done = install_with_sudo(tools, [n for n in names if n != "pgbouncer"])
    assert done.returncode == 0, done.stderr
    before_apt = tools.calls[:next(i for i, call in enumerate(tools.calls) if call.startswith("apt-get") and call.endswith(" pgbouncer"))]
    for call, path in files.items():
        assert (call in before_apt) == (not os.path.exists(path)), "written when there is none, kept when there is one"


def test_neither_root_nor_sudo_is_a_clear_error(tools):
    for name in ("dirname", "awk", "sh", "tr", "grep", "cat"):
        os.symlink(subprocess.check_output(["which", name], text=True).strip(), tools.folder / "bin" / name)
    tools.add("dpkg-query", dpkg_that_has("gcc"))
    tools.add("id", "echo 1000")
    done = tools.run("/bin/sh", str(DOCKER / "install-packages.sh"), "build", only_ours=True)
    assert done.returncode == 1
    assert "needs root, and there is no sudo" in done.stderr and "libzmq3-dev" in done.stderr


def test_chromium_is_skipped_on_ubuntu_and_said(tools, tmp_path):
    release = tmp_path / "os-release"
    release.write_text("NAME=Ubuntu\nID=ubuntu\n")
    have = [n.split("|")[0] for n in all_rows("build", "run", "test") if n != "chromium"]
    done = install_with_sudo(tools, have, OS_RELEASE=str(release))
    assert done.returncode == 0 and "chromium is a snap on Ubuntu: skipped" in done.stdout
    assert not [call for call in tools.calls if call.startswith("apt-get")]


def test_failing_apt_fails(tools):
    tools.add("dpkg-query", dpkg_that_has("gcc"))
    tools.add("id", "echo 0")
    tools.add("apt-get", "exit 100")
    done = install(tools, "build")
    assert done.returncode == 1 and "apt-get update failed" in done.stderr


def venv_script(tools, folder, lock_set="lab", **env):
    return tools.run("sh", str(DOCKER / "python/venv.sh"), str(folder), lock_set, **env)


def recorded_environment(tools, folder):
    """A python whose `-m venv` makes an environment of recorders."""
    tools.add("somepython", f"""
case "$1" in
    -c) echo 3.11.2 ;;
    -m) mkdir -p "$3/bin"; for p in python pip; do
        printf '#!/bin/sh\\necho "%s $*" >>"{tools.log}"\\n' "$p" >"$3/bin/$p"; chmod +x "$3/bin/$p"; done ;;
esac""")
    return folder / "env"


def pip_calls(tools):
    return [call for call in tools.calls if "pip install" in call]


def test_environment_is_made_once_and_again_when_it_must(tools, tmp_path):
    env = recorded_environment(tools, tmp_path)
    assert venv_script(tools, env, PYTHON="somepython").returncode == 0
    assert len(pip_calls(tools)) == 1 and "--require-hashes" in pip_calls(tools)[0]
    venv_script(tools, env, PYTHON="somepython")
    assert len(pip_calls(tools)) == 1, "second run calls no pip"
    venv_script(tools, env, "test", PYTHON="somepython")
    assert len(pip_calls(tools)) == 2
    venv_script(tools, env, PYTHON="somepython")
    venv_script(tools, env, "test", PYTHON="somepython")
    assert len(pip_calls(tools)) == 2, "the test set holds the lab's"
    env.rename(tmp_path / "moved")
    venv_script(tools, tmp_path / "moved", PYTHON="somepython")
    assert len(pip_calls(tools)) == 3, "a moved environment is made again"


def test_interrupted_installation_is_done_again(tools, tmp_path):
    env = recorded_environment(tools, tmp_path)
    venv_script(tools, env, PYTHON="somepython")
    (env / "bin/python").write_text("#!/bin/sh\nexit 1\n")
    (env / "lab.stamp").unlink()
    assert venv_script(tools, env, PYTHON="somepython").returncode != 0
    assert not (env / "lab.stamp").exists(), "no stamp for what failed"


def test_python_too_old_is_named(tools, tmp_path):
    tools.add("oldpython", "echo 3.9.1")
    done = venv_script(tools, tmp_path / "env", PYTHON="oldpython")
    assert done.returncode == 1 and "3.10 or newer" in done.stderr


def test_lock_files_pin_every_package_with_hashes():
    for name in ("lab", "test"):
        entries = (DOCKER / f"python/{name}.lock").read_text().replace("\\\n", " ").splitlines()
        assert len(entries) > 50
        for entry in entries:
            assert "==" in entry and "--hash=sha256:" in entry, entry
    lab = set((DOCKER / "python/lab.lock").read_text().split())
    test = set((DOCKER / "python/test.lock").read_text().split())
    assert {word for word in lab if word.startswith("--hash")} <= test, "test.lock was not made with lab.lock"


def entrypoint(tools, *args):
    return tools.run("sh", str(DOCKER / "entrypoint.sh"), *args)


def test_entrypoint_serves_and_stops_postgresql_after(tools):
    tools.add("jupyter", "exit 3")
    tools.add("lakebase-workspace")
    done = entrypoint(tools, "--ServerApp.token=x")
    assert done.returncode == 3, "Jupyter's own status"
    assert tools.calls == ["jupyter lab --no-browser --ip=0.0.0.0 --port=8888 --ServerApp.token=x",
                           "lakebase-workspace stop --all"]


def test_entrypoint_runs_another_command_instead(tools):
    tools.add("jupyter")
    tools.add("lakebase-workspace", "echo running; exit 4")
    done = entrypoint(tools, "lakebase-workspace", "status")
    assert done.returncode == 4 and done.stdout == "running\n"
    assert tools.calls == ["lakebase-workspace status"]


def test_entrypoint_ends_on_term_and_stops_postgresql(tools):
    tools.add("jupyter", 'echo up; exec sleep 600')
    tools.add("lakebase-workspace")
    env = {**os.environ, "PATH": f"{tools.folder / 'bin'}:{os.environ['PATH']}"}
    server = subprocess.Popen(["sh", str(DOCKER / "entrypoint.sh")], env=env, stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline() == "up\n"
    server.terminate()
    assert server.wait(timeout=20) == 128 + 15, "the status of a Jupyter that TERM ended"
    assert tools.calls[-1] == "lakebase-workspace stop --all"


def test_runtime_packages_of_a_program(tools):
    done = tools.run("sh", str(DOCKER / "runtime-packages.sh"), os.path.realpath("/bin/ls"))
    assert done.returncode == 0, done.stderr
    assert "libc6" in done.stdout.split()


def test_runtime_packages_hold_the_libraries_of_first_use(tools):
    sonames = [name for source in (ROOT / "kernel").glob("*/*.c")
               for name in re.findall(r'^LAZY_LIBRARY\(\w+, "([^"]+)"', source.read_text(), re.M)]
    assert {"libcurl.so.4", "libpq.so.5"} <= set(sonames)
    packages = tools.run("sh", str(DOCKER / "runtime-packages.sh"), os.path.realpath("/bin/ls")).stdout.split()
    for soname in sonames:
        owner = subprocess.check_output(["dpkg-query", "-S", f"*/{soname}"], text=True).split(":")[0]
        assert owner in packages, soname


def test_runtime_packages_names_a_missing_library(tools):
    tools.add("ldd", "echo 'libgone.so.1 => not found'")
    done = tools.run("sh", str(DOCKER / "runtime-packages.sh"), sys.executable)
    assert done.returncode == 1 and "libgone.so.1" in done.stderr


def test_the_kernelspec_of_an_odd_path(tmp_path):
    odd = """/opt/a&b|c "d" it's \\1,x"""
    done = subprocess.run(["make", "install", f"DESTDIR={tmp_path}", f"PREFIX={odd}"], cwd=ROOT, text=True,
                          capture_output=True, timeout=600)
    assert done.returncode == 0, done.stderr
    spec = json.loads((tmp_path / odd[1:] / "share/jupyter/kernels/lakebase/kernel.json").read_text())
    assert spec["argv"] == [f"{odd}/bin/lakebase-kernel", "-f", "{connection_file}"]
