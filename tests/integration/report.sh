#!/bin/bash
# `pie report` on synthetic run folders: formats, several runs, exit statuses, refusals.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
make_run=$PIE_BUILD/bench/make_run
[ -x "$make_run" ] || { echo "skipped: $make_run is not built"; exit 77; }

"$make_run" "$work/run" 400 4 2
expect 0 "" "$PIE" report "$work/run"
check "the table fits into 80 columns" awk 'length($0) > 80 { exit 1 }' "$work/out"
check "human lines come first" awk '/^same human/ { human = NR } /^best@1/ { best = NR } END { exit !(human && human < best) }' "$work/out"
expect 0 "" "$PIE" report --format markdown "$work/run"
check "markdown has a table" grep -q '^| best@4 |' "$work/out"
expect 0 "" "$PIE" report --format csv "$work/run" "$work/run"
check "one header over two runs" test "$(grep -c '^run,fingerprint,' "$work/out")" -eq 1
expect 0 "" "$PIE" report --json "$work/run"
cp "$work/out" "$work/one.json"
expect 0 "" "$PIE" report --format json "$work/run"
check "the same bytes again" cmp -s "$work/one.json" "$work/out"
check "valid JSON with all rows" python3 -c '
import json, sys
report = json.load(open(sys.argv[1]))
assert len(report["problems"]) == 100 and all(len(p["samples"]) == 4 for p in report["problems"])
assert report["verdicts"]["passed"] + report["verdicts"]["wrong_output"] == 400
' "$work/one.json"
if python3 -c 'import jsonschema' 2>/dev/null; then
    check "follows its schema" python3 -c '
import json, sys, jsonschema
jsonschema.validate(json.load(open(sys.argv[1])), json.load(open(sys.argv[2])))
' "$work/one.json" "$PIE_SOURCE/docs/schema/report.schema.json"
fi

# The records split over two segments, the second half first.
mkdir -p "$work/split/seg"
cp "$work/run/run.cfg" "$work/run/run.json" "$work/split"
tail -n +301 "$work/run/seg/synthetic" >"$work/split/seg/a"
head -n 300 "$work/run/seg/synthetic" >"$work/split/seg/b"
expect 0 "" "$PIE" report --json "$work/split"
check "who wrote the records does not show" cmp -s "$work/one.json" "$work/out"

# A torn last line costs its sample only.
truncate -s -20 "$work/split/seg/a"
expect 3 "" "$PIE" report "$work/split"
check "the torn record is named" grep -q 'torn by an interruption' "$work/out"

# Other results for the same simulations.
"$make_run" "$work/other" 400 4 3
cp "$work/other/seg/synthetic" "$work/run/seg/other"
expect 6 "" "$PIE" report "$work/run"
check "nondeterminism is named" grep -q NONDETERMINISM "$work/out"

mkdir -p "$work/empty/seg"
cp "$work/run/run.cfg" "$work/run/run.json" "$work/empty"
expect 5 "" "$PIE" report "$work/empty"
expect 2 "" "$PIE" report "$work/absent"
expect 2 "needs a RUN" "$PIE" report
expect 2 "--format is table" "$PIE" report --format html "$work/run"
expect 0 "" "$PIE" report --help
finish
