"""All of PostgreSQL's regression files through the kernel and through psql; what differs is printed with its reason."""
import sys
from collections import Counter
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "regress"))
from regress import files_of, reason  # noqa: E402
from test_regress import bench, compare, corpus  # noqa: E402,F401 (fixtures)


def test_all_files(corpus, bench):  # noqa: F811
    report, unexplained = compare(files_of(corpus), corpus, bench)
    for why, n in Counter(reason(d) for d in report.differences).most_common():
        print(f"{n:5} {why or 'no known reason'}")
    for d in unexplained:
        print(f"=== {d.file}\n{d.statement[:500]}\n--- ours\n{d.ours[:500]}\n--- psql\n{d.theirs[:500]}")
    assert report.compared > 30000 and report.share() >= 0.99
