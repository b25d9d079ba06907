"""Writes the generated part of README.md: the reference of magics, printed by the kernel's own descriptors.

Usage: docs.py README.md KERNEL [--check]
The part stands between `<!-- magics: begin -->` and `<!-- magics: end -->`. --check changes nothing and exits
with 1 if the file is not up to date.
"""
import re
import subprocess
import sys
from pathlib import Path

MARKS = re.compile(r"(<!-- magics: begin[^>]*-->\n).*?(<!-- magics: end -->)", re.S)


def main(readme, kernel, check=False):
    text = Path(readme).read_text()
    if not MARKS.search(text):
        sys.exit(f"docs: {readme} has no <!-- magics: begin --> ... <!-- magics: end -->")
    printed = subprocess.run([kernel, "--print-docs"], capture_output=True, text=True)
    if printed.returncode or not printed.stdout.strip():
        sys.exit(f"docs: {kernel} --print-docs failed: {printed.stderr.strip() or 'it printed nothing'}")
    wanted = MARKS.sub(lambda m: m[1] + "\n" + printed.stdout.strip() + "\n\n" + m[2], text)
    if wanted == text:
        print(f"docs: the reference of magics in {readme} is up to date")
        return 0
    if check:
        print(f"docs: {readme} is not up to date: run make docs", file=sys.stderr)
        return 1
    Path(readme).write_text(wanted)
    print(f"docs: wrote the reference of magics in {readme}")
    return 0


if __name__ == "__main__":
    arguments = [a for a in sys.argv[1:] if a != "--check"]
    sys.exit(main(*arguments, check="--check" in sys.argv))
