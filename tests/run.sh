#!/usr/bin/env bash
# All tests of `make test`, one stage after the other; the closing lines of every runner come last.
# A stage that fails, runs out of its time or runs nothing fails the whole; the others still run, as long as the whole
# has time left (TEST_MINUTES): closing lines that say what is missing are worth more than a run that is cut off.
# Usage: tests/run.sh [STAGE...]      logs: build/test/STAGE.log
set -u
cd "$(dirname "$0")/.." || exit 1
make=${MAKE:-make}
python=.venv/bin/python
logs=build/test
mkdir -p "$logs"

# timeout puts a stage into a process group of its own: hand a signal on, so that nothing runs on alone
stage_pid=
trap '[ -z "$stage_pid" ] || kill -INT "$stage_pid"; wait "$stage_pid"; exit 143' TERM INT

stages=("$@")
if [ $# = 0 ]; then
    stages=(lint docs unit asan)
    for file in tests/*/test_*.py; do
        area=$(basename "$(dirname "$file")")
        case " ${stages[*]} bench fresh soak " in *" $area "*) ;; *) stages+=("$area") ;; esac
    done
fi

failed=()
closing=()
deadline=$((SECONDS + ${TEST_MINUTES:-80} * 60))
for stage in "${stages[@]}"; do
    log=$logs/$stage.log
    echo "==== $stage"
    limit=$((deadline - SECONDS))
    if [ "$limit" -lt 10 ]; then
        closing+=("$(printf '%-10s not run: the %s minutes of the whole are over' "$stage" "${TEST_MINUTES:-80}")")
        failed+=("$stage")
        continue
    fi
    case $stage in
        docs) run=("$python" tests/docs.py README.md build/bin/lakebase-kernel --check) ;;
        lint | unit | asan) run=("$make" -j"$(nproc)" "$stage") ;;
        *) run=("$python" -m pytest "tests/$stage") ;;
    esac
    timeout -s INT -k 60 $((limit < 1500 ? limit : 1500)) env --default-signal=INT "${run[@]}" >"$log" 2>&1 </dev/null &
    stage_pid=$!
    wait "$stage_pid"
    status=$?
    stage_pid=
    case $stage in
        # cmocka prints a page for each program: its closing lines are enough, unless one failed
        unit | asan)
            if [ $status = 0 ]; then grep -E '^(==|\[  (PASSED|SKIPPED))' "$log"; else cat "$log"; fi
            last=$(grep -E '^unit \(' "$log" | tail -n 1)
            cases=$(awk '/^\[  PASSED/ { sum += $4 } END { print sum + 0 }' "$log")
            [ -n "$last" ] && last="$last ($cases cases)"
            ;;
        lint | docs)
            cat "$log"
            last=$(grep "^$stage:" "$log" | tail -n 1)
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
