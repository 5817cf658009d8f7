# The bundled problems: every answer comes to the verdict that its author wrote down beside it.
. "$(dirname "$0")/lib.sh"
expect 0 "programs measured" "$PIE" run "$(example_config)" --out "$work/run"
check "the table has the human rows first" bash -c "grep -E '^(same human|best of all|best@1) ' '$work/out' | head -3 |
    cut -c1-10 | paste -sd, | grep -qx 'same human,best of al,best@1    '"
check "no line of the table is wider than 80 columns" bash -c "! grep -qE '^.{81}' '$work/out'"
expect 0 "" "$PIE" report "$work/run" --json
cp "$work/out" "$work/report.json"
jq -r '.problems[] | .problem_id as $p | .src_id as $s | .samples[] | [$p, $s, .index, .verdict] | @tsv' \
    "$work/report.json" | sort >"$work/verdicts"
"$PIE_SOURCE/scripts/make-examples" --list | sort >"$work/expected"
check "all answers are there" test "$(wc -l <"$work/verdicts")" -eq "$(wc -l <"$work/expected")"
# problem, source, index, kind, verdict|verdict
wrong=$(join -t '	' <(awk -F'\t' '{print $1"/"$2"/"$3"\t"$4}' "$work/verdicts" | sort) \
    <(awk -F'\t' '{print $1"/"$2"/"$3"\t"$4"\t"$5}' "$work/expected" | sort) |
    awk -F'\t' '{n = split($4, any, "|"); ok = 0; for (i = 1; i <= n; i++) ok = ok || any[i] == $2; if (!ok) print}')
[ -z "$wrong" ] || echo "$wrong"
check "every answer has the verdict that its author expects" test -z "$wrong"
check "identical answers and identical binaries were measured once" bash -c "
    cut -f1 '$work'/run/seg/* | jq -s -e 'map(select(.role == \"sample\" and .key != null)) |
        group_by(.key) | map(map(.tests) | unique | length) | all(. == 1)' >/dev/null"
for format in table markdown csv; do
    expect 0 "" "$PIE" report "$work/run" --format $format
    check "$format is not empty" test -s "$work/out"
done
# README.md shows the beginning of this table. Another toolchain has another fingerprint and other figures.
sed -n '/<!-- demo: begin -->/,/<!-- demo: end -->/p' "$PIE_SOURCE/README.md" | grep -v -e '^<!--' -e '^```' >"$work/shown"
"$PIE" report "$work/run" | "$PIE_SOURCE/scripts/readme-result" >"$work/now"
if grep -qxF "$(grep '^fingerprint' "$work/now")" "$work/shown"; then
    check "README.md shows this table" diff "$work/shown" "$work/now"
else
    echo "skipped: README.md was written with another compiler; scripts/demo | scripts/readme-result gives the new text"
fi
"$PIE" report "$work/run" --json >"$work/again.json"
check "the report again is the same" cmp "$work/report.json" "$work/again.json"
finish
