"""Runs the checks on this tree, then their self-test, and says how many passed. Exit status 1 if any failed."""
import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import checks  # noqa: E402
import selftest  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


def main():
    failed = 0
    for check in checks.CHECKS:
        findings = check(ROOT)
        failed += bool(findings)
        print(f"{'FAIL' if findings else 'ok':5}{check.__name__[6:]:11}{check.__doc__.splitlines()[0]}")
        for finding in findings:
            print(f"     {finding}")
    # The self-test has its own small trees and wants plain flags.
    os.environ.pop("LINT_CFLAGS", None)
    blind = selftest.failures()
    failed += bool(blind)
    print(f"{'FAIL' if blind else 'ok':5}{'self-test':11}{len(selftest.PLANTS)} planted violations are found, "
          f"{len(checks.CHECKS) + len(selftest.FINE)} clean cases pass")
    for line in blind:
        print(f"     {line}")
    print(f"lint: {len(checks.CHECKS) + 1 - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
