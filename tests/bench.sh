#!/usr/bin/env bash
# Runs the figures of tests/bench (bench_*.py, bench_*.sh), all or the named ones; each prints its own lines.
# Usage: tests/bench.sh [NAME...]      NAME: bench_kernel_start or kernel_start
set -u
cd "$(dirname "$0")/.." || exit 1
PATH=$PWD/.venv/bin:$PATH
files=()
if [ $# = 0 ]; then
    for file in tests/bench/bench_*.py tests/bench/bench_*.sh; do [ -f "$file" ] && files+=("$file"); done
    [ ${#files[@]} -gt 0 ] || { echo "bench: there is no tests/bench/bench_*.py or .sh" >&2; exit 1; }
else
    for name in "$@"; do
        file=tests/bench/bench_${name#bench_}.py
        [ -f "$file" ] || file=${file%.py}.sh
        [ -f "$file" ] || { echo "bench: no tests/bench/bench_${name#bench_}.py or .sh" >&2; exit 1; }
        files+=("$file")
    done
fi
status=0
for file in "${files[@]}"; do
    case $file in
        *.py) python "$file" ;;
        *) bash "$file" ;;
    esac || { status=1; echo "bench: $file failed" >&2; }
done
exit $status
