# The report depends on what was measured, not on how: workers, kills and resumes change no byte.
. "$(dirname "$0")/lib.sh"
config=$(example_config)
limit=${PIE_TEST_ROWS:-4}

run()
{
    local out=$1
    shift
    "$PIE" run "$config" --quiet --json --limit "$limit" --out "$work/$out" "$@" >"$work/$out.json" 2>"$work/$out.err"
}
report()
{
    "$PIE" report "$work/$1" --json >"$work/$1.report.json"
}

check "one worker" run one --set run.jobs=1
check "two workers" run two --set run.jobs=2
check "something was measured" jq -e '.problems | length > 0' "$work/one.json"
check "jobs=1 and jobs=2 give the same bytes" cmp "$work/one.json" "$work/two.json"

# Kill the whole group at growing delays until a run gets to its end undisturbed.
kills=0
for delay in 0.3 0.7 1.1 1.6 2.2 3 4 5; do
    setsid "$PIE" run "$config" --quiet --json --limit "$limit" --out "$work/killed" \
        >"$work/killed.json" 2>"$work/killed.err" &
    pid=$!
    sleep "$delay"
    if kill -9 -- "-$pid" 2>/dev/null; then
        kills=$((kills + 1))
    fi
    wait "$pid" 2>/dev/null
done
records=$(cat "$work"/killed/seg/* 2>/dev/null | wc -l)
check "the run was killed at least twice ($kills times, $records records kept)" test "$kills" -ge 2
check "resumed to the end" run killed
check "killed and resumed gives the same bytes" cmp "$work/one.json" "$work/killed.json"
lines=$(cat "$work"/killed/seg/* | grep -c '"type":"result"')
programs=$(jq '[.problems[] | 1 + (.samples | length)] | add' "$work/one.json")
check "finished samples were not measured again" test "$lines" -le "$((programs * 3))"

# The same command on a finished folder measures nothing.
before=$(cat "$work"/one/seg/* | wc -l)
check "again on the finished folder" run one --set run.jobs=1
check "nothing was added" test "$(cat "$work"/one/seg/* | wc -l)" -eq "$before"
check "report of the folder" report one
check "report and run print the same" cmp "$work/one.json" "$work/one.report.json"

# Two halves, copied together, are the whole.
ids=$(jq -r '.problems[] | .problem_id + "/" + .src_id' "$work/one.json")
first=$(echo "$ids" | head -n 1)
rest=$(echo "$ids" | tail -n +2 | paste -sd,)
check "first half" run half1 --only "$first"
check "second half" run half2 --only "$rest"
cp -r "$work/half2/." "$work/half1/" 2>/dev/null
check "report of the merged halves" report half1
check "merged halves give the same bytes" cmp "$work/one.json" "$work/half1.report.json"

# Interrupted by the user.
"$PIE" run "$config" --quiet --limit "$limit" --out "$work/int" >/dev/null 2>"$work/int.err" &
pid=$!
sleep 1.5
kill -TERM "$pid"
code=0
wait "$pid" || code=$?
check "SIGTERM exits 143 (it was $code)" test "$code" -eq 143
check "and says how to go on" grep -q "same command" "$work/int.err"
finish
