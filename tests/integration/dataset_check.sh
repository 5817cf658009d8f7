# pie dataset check: every kind of finding, one line each, and the usable rest.
. "$(dirname "$0")/lib.sh"
tests=$work/tests
file=$work/problems.jsonl
mkdir -p "$tests/p" "$tests/q"
for n in 0 1; do
    echo "$n" >"$tests/p/input.$n.txt"
    echo "$n" >"$tests/p/output.$n.txt"
done
echo 0 >"$tests/q/input.0.txt"
mkdir "$tests/q/output.0.txt"

# row PROBLEM SOURCE TESTS CODE
row()
{
    jq -nc --arg p "$1" --arg s "$2" --argjson t "$3" --arg c "$4" \
        '{problem_id: $p, src_id: $s, tests: $t, language: "GNU C++17", src_code: $c}'
}
echo_program='#include <cstdio>
int main() { int n; if (scanf("%d", &n) == 1) printf("%d\n", n); }'
{
    row p good '[0,1]' "$echo_program"
    echo '{"problem_id":"p","src_id":"cut'
    echo
    row p missing '[0,7,8]' "$echo_program"
    row q folder '[0]' "$echo_program"
    row p good2 '[1]' "$echo_program"
    echo '{"problem_id":"p","src_id":"none","src_code":"int main(){}"}'
} >"$file"

# ---- on paper ----
paper()
{
    "$PIE" dataset check "$file" --tests "$tests" --no-compile "$@"
}
says()
{
    grep -Eq -- "$1" "$work/out"
}
expect 1 "" paper --write "$work/usable.jsonl"
cp "$work/out" "$work/paper"
check "a malformed row" says "problems.jsonl:2: not a JSON object: "
check "missing tests" says "problems.jsonl:4: problem p, source missing: test 7: there is no .*/p/input.7.txt \(and 3 more\)"
check "a test that is a folder" says "problems.jsonl:5: problem q, source folder: test 0: .*/q/output.0.txt is no regular file"
check "a row without tests" says "problems.jsonl:7: the row has no tests"
check "the summary" says "problems.jsonl: 6 rows, 2 usable, 2 malformed, 1 without all their test files, 1 with unreadable test files; nothing was compiled"
check "five lines" test "$(wc -l <"$work/out")" -eq 5
sed -n '1p;6p' "$file" >"$work/want.jsonl"
check "usable rows, byte for byte" cmp "$work/want.jsonl" "$work/usable.jsonl"
expect 0 "" "$PIE" dataset check "$work/usable.jsonl" --tests "$tests" --no-compile
expect 1 "" paper --json
check "JSON" jq -e '.rows == 6 and .usable == 2 and .compiled == false and .counts.malformed == 2
    and (.findings | map(.kind)) == ["malformed", "missing_test", "unreadable_test", "malformed"]
    and (.findings | map(.line)) == [2, 4, 5, 7] and .findings[1].src_id == "missing"
    and (.findings[3].message | startswith("the row has no tests")) and .written == null' "$work/out"
expect 0 "" paper --limit 1
expect 0 "" paper --limit 0
mkfifo "$tests/q/input.9.txt"
row q fifo '[9]' x >"$work/fifo.jsonl"
expect 1 "" timeout 10 "$PIE" dataset check "$work/fifo.jsonl" --tests "$tests" --no-compile

# ---- wrongly used ----
expect 2 "dataset: what is to be done" "$PIE" dataset
expect 2 "no subcommand 'chekc'" "$PIE" dataset chekc
expect 2 "which file" "$PIE" dataset check --tests "$tests"
expect 2 "one file, not also 'x'" "$PIE" dataset check "$file" x --tests "$tests"
expect 2 "no folder of tests" "$PIE" dataset check "$file" --no-compile
expect 2 "nowhere: No such file" "$PIE" dataset check "$file" --tests "$work/nowhere" --no-compile
expect 2 "absent.jsonl: No such file" "$PIE" dataset check "$work/absent.jsonl" --tests "$tests" --no-compile
expect 2 "absent.cfg" "$PIE" dataset check "$file" --tests "$tests" --config "$work/absent.cfg"
expect 2 "jobs: 'many' is no number" paper --jobs many
expect 2 "jobs: '0' is no number" paper --jobs 0
expect 2 "limit: '-3' is no number" paper --limit -3
expect 2 "would replace the dataset itself" paper --write "$file"
expect 2 "nowhere/x" paper --write "$work/nowhere/x"
expect 2 "unrecognized option" paper --no-such-option
check "nothing is left behind" test -z "$(find "$work" -name '*.jsonl.??????' -o -name 'x.??????')"
expect 0 "" "$PIE" dataset check --help

# ---- compiled and run ----
{
    row p good '[0,1]' "$echo_program"
    row p broken '[0]' 'int main() { return x; }'
    row p wrong '[0,1]' '#include <cstdio>
int main() { puts("0"); }'
    echo nonsense
    row p crash '[0]' 'int main() { __builtin_trap(); }'
    row p missing '[5]' "$echo_program"
    row p status '[0]' '#include <cstdio>
int main() { puts("0"); return 3; }'
    row p good2 '[1]' "$echo_program"
} >"$file"
if ! "$PIE" doctor >/dev/null 2>&1; then
    [ "$n_failed" -eq 0 ] || finish
    skip "this machine cannot compile and run guests; the rest passed"
fi
run()
{
    "$PIE" dataset check "$file" --tests "$tests" "$@"
}
expect 1 "" run --jobs 1 --write "$work/usable.jsonl"
cp "$work/out" "$work/one"
check "does not compile" says "problems.jsonl:2: problem p, source broken: does not compile: compile_error: "
check "wrong output" says "problems.jsonl:3: problem p, source wrong: fails its own test 1: line 1, column 1: expected \"1\", got \"0\""
check "malformed among them" says "problems.jsonl:4: not a JSON object"
check "crash" says "problems.jsonl:5: problem p, source crash: fails its own test 0: runtime_error: "
check "missing among them" says "problems.jsonl:6: problem p, source missing: test 5: there is no "
check "exit status" says "problems.jsonl:7: problem p, source status: fails its own test 0: runtime_error"
sed -n '1p;8p' "$file" >"$work/want.jsonl"
check "usable rows, byte for byte" cmp "$work/want.jsonl" "$work/usable.jsonl"
expect 1 "" run --jobs 3
check "three at a time find the same" diff <(sed '$d' "$work/one") <(sed '$d' "$work/out")
mkdir "$work/scratch"
expect 0 "" env TMPDIR="$work/scratch" "$PIE" dataset check "$file" --tests "$tests" --limit 1
check "no scratch folder is left" test -z "$(ls "$work/scratch")"
finish
