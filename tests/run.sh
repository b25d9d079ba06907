#!/usr/bin/env bash
# All tests of `make test`, one stage after the other; the closing lines of every runner come last.
# A stage that fails, runs out of its time or runs nothing fails the whole; the others still run.
# Usage: tests/run.sh [STAGE...]      logs: build/test/STAGE.log
set -u
cd "$(dirname "$0")/.." || exit 1
make=${MAKE:-make}
python=.venv/bin/python
logs=build/test
rm -rf "$logs" && mkdir -p "$logs"

stages=("$@")
if [ $# = 0 ]; then
    stages=(lint unit asan)
    for file in tests/*/test_*.py; do
        area=$(basename "$(dirname "$file")")
        case " ${stages[*]} bench fresh soak " in *" $area "*) ;; *) stages+=("$area") ;; esac
    done
fi

failed=()
closing=()
for stage in "${stages[@]}"; do
    log=$logs/$stage.log
    echo "==== $stage"
    case $stage in
        lint | unit) timeout -k 30 600 "$make" "$stage" ;;
        asan) timeout -k 30 900 "$make" asan ;;
        *) timeout -s INT -k 60 900 "$python" -m pytest "tests/$stage" ;;
    esac >"$log" 2>&1 </dev/null
    status=$?
    case $stage in
        # cmocka prints a page for each program: its closing lines are enough, unless one failed
        unit | asan)
            if [ $status = 0 ]; then grep -E '^(==|\[  (PASSED|SKIPPED))' "$log"; else cat "$log"; fi
            last=$(grep -E '^unit \(' "$log" | tail -n 1)
            cases=$(awk '/^\[  PASSED/ { sum += $4 } END { print sum + 0 }' "$log")
            [ -n "$last" ] && last="$last ($cases cases)"
            ;;
        lint)
            cat "$log"
            last=$(grep '^lint:' "$log" | tail -n 1)
            ;;
        *)
            cat "$log"
            last=$(grep -E '(passed|failed|error|skipped|no tests ran).* in [0-9.]+' "$log" | tail -n 1)
            ;;
    esac
    if [ $status = 124 ]; then last="out of time; ${last:-no closing line}"; fi
    closing+=("$(printf '%-10s %s' "$stage" "${last:-no closing line: see $log}")")
    [ $status = 0 ] || failed+=("$stage")
done

echo "==== closing lines"
printf '%s\n' "${closing[@]}"
if [ ${#failed[@]} -gt 0 ]; then
    echo "make test: FAILED in ${failed[*]} ($logs)"
    exit 1
fi
echo "make test: all ${#stages[@]} stages passed"
