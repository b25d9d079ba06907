"""A sample of PostgreSQL's regression files, statement by statement beside psql (regress.py). All of them: tests/soak."""
import shutil
import subprocess

import pytest
from regress import HERE, ROOT, Clusters, Report, bindir, build_splitter, compare_file, files_of, reason
from jupyter_wire import Kernel

from conftest import KERNEL, program, short_dir

SAMPLE = ("test_setup boolean char varchar text enum int8 numeric money strings timestamptz interval rangetypes "
          "multirangetypes insert copy copy2 domain select_having transactions arrays temp with plancache jsonb_jsonpath "
          "xmlmap polymorphism").split()


@pytest.fixture(scope="module")
def corpus():
    folder = ROOT / f"build/regress-{bindir().parent.name}"
    done = subprocess.run(["bash", HERE / "fetch.sh", bindir().parent.name, folder], capture_output=True, text=True)
    if done.returncode == 3:
        pytest.skip(f"PostgreSQL's source package cannot be had here: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def bench():
    """(splitter, clusters, kernel) of this file's tests."""
    work = short_dir("lb-")
    (work / "pg").mkdir(mode=0o755)
    (work / "state").mkdir(mode=0o700)
    work.chmod(0o755)
    try:
        with Clusters(work / "pg") as clusters, Kernel(program(KERNEL), work / "state") as kernel:
            yield build_splitter(work), clusters, kernel
    finally:
        shutil.rmtree(work, ignore_errors=True)


def compare(names, corpus, bench):
    report = Report()
    for name in names:
        compare_file(name, corpus, *bench, report)
    unexplained = [d for d in report.differences if not reason(d)]
    print(f"{report.compared} statements compared, {report.left_out} left out, {len(report.differences)} differ, "
          f"{len(unexplained)} of them without a known reason: {report.share():.4f} agree")
    return report, unexplained


def test_a_sample(corpus, bench):
    names = [name for name in SAMPLE if name in files_of(corpus)]
    assert len(names) > 20
    report, unexplained = compare(names, corpus, bench)
    assert report.compared > 5000 and report.share() >= 0.99
    assert not unexplained, unexplained[:5]
