# Parts of the contract that the shipped plugins leave unused: dialogues that measure, CPU models of style
# run, checker programs.
. "$(dirname "$0")/lib.sh"
config=$(example_config)
export PIE_PLUGIN_PATH=$PIE_BUILD/tests/plugins
run()
{
    "$PIE" run "$config" --quiet --json --limit 2 --out "$work/$1" "${@:2}"
}

# A prompt that submits: only answers that pass and are not slower survive as the sample's program.
expect 0 "" run plain
cp "$work/out" "$work/plain.json"
expect 0 "" run submit --set prompt.plugin=submit-prompt
cp "$work/out" "$work/submit.json"
check "dialogues that measure give the good answers only" jq -e -n --slurpfile a "$work/plain.json" \
    --slurpfile b "$work/submit.json" '
    [$a[0].problems[] | .baseline.cycles as $base | .samples[]
        | .verdict == "passed" and .cycles != null and .cycles <= $base] as $good
    | [$b[0].problems[].samples[] | .verdict == "passed"] as $kept
    | ($good | length) > 0 and ($good | any) and ($good | all | not) and $good == $kept'
check "the others say why" jq -e '[.problems[].samples[] | select(.verdict == "no_code")] | length > 0' \
    "$work/submit.json"

# A CPU model that runs a program of its own.
expect 0 "" run external --set uarch.plugin=wc-uarch --set backend.samples=1
check "its time is what it measured" jq -e '.problems[0].baseline.cycles > 0' "$work/out"
problem=$(jq -r '.problems[0].problem_id' "$work/out")
bytes=$(cat "$PIE_SOURCE/examples/tests/$problem"/input.*.txt | wc -c)
check "namely the bytes of the inputs" jq -e ".problems[0].baseline.cycles == $bytes" "$work/out"

# A checker: right when the output is not empty, whatever was expected.
cat >"$work/checker.c" <<'C'
#include <stdio.h>
int main(int argc, char **argv)
{
    FILE *input = fopen(argv[1], "r"), *output = fopen(argv[2], "r"), *expected = fopen(argv[3], "r");
    if (argc != 4 || !input || !output || !expected)
        return 2;
    return fgetc(output) == EOF;
}
C
expect 0 "" run checked --set dataset.check=program --set "dataset.checker=\"$work/checker.c\""
check "a lenient checker passes at least as much" jq -e -n --slurpfile a "$work/plain.json" \
    --slurpfile b "$work/out" '
    def passed: [.problems[].samples[] | select(.verdict == "passed")] | length;
    ($b[0] | passed) > ($a[0] | passed)'
printf 'int main(void) { return 7; }\n' >"$work/broken.c"
expect 5 "checker.*failed" run broken --set dataset.check=program --set "dataset.checker=\"$work/broken.c\"" \
    --limit 1 --set backend.samples=1
expect 2 "dataset.checker" run nochecker --set dataset.check=program
finish
