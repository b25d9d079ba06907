"""500 clients, each with a connection of its own and 20 mixed calls: no 5xx, nothing that was said to be done is lost."""
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "workspace"))
from api import Api  # noqa: E402
from storm import check, prepare, storm  # noqa: E402


def test_mixed_calls(own_workspace):
    api = Api.of(own_workspace)
    prepare(api)
    threads = storm(api, 500, 20)
    check(api, threads)
    took = sorted(t for thread in threads for t in thread.took)
    print(f"{len(took)} calls, p50 {took[len(took) // 2] * 1000:.0f} ms, p99 {took[len(took) * 99 // 100] * 1000:.0f} ms")
