# Real programs with recorded answers of a real model: 130 answers, byte-identical reports with one and two
# workers and after a kill. Needs the aizu data (PIE_SHARED).
. "$(dirname "$0")/../integration/lib.sh"
data=$PIE_SHARED/data/aizu
[ -r "$data/problems.jsonl" ] || skip "no aizu data in PIE_SHARED ($PIE_SHARED)"
cat >"$work/aizu.cfg" <<END
dataset = { path = "$data/problems.jsonl"; tests = "$data/tests"; check = "tokens"; };
backend = { plugin = "replay"; path = "$data/generations/gpt4.jsonl"; field = "raw_replies"; samples = 10; };
limits = { instructions = 2000000000L; };
uarch = { plugin = "null"; };  # what is compared is the pipeline's work; run_determinism does it with skylake
END
run()
{
    "$PIE" run "$work/aizu.cfg" --quiet --json --out "$work/$1" --set "run.jobs=$2" >"$work/$1.json" 2>"$work/$1.err"
}
start=$SECONDS
check "two workers" run two 2
echo "     $((SECONDS - start)) s"
setsid "$PIE" run "$work/aizu.cfg" --quiet --out "$work/one" --set run.jobs=1 >/dev/null 2>&1 &
pid=$!
sleep 20
kill -9 -- "-$pid" 2>/dev/null
wait "$pid" 2>/dev/null
kept=$(cat "$work"/one/seg/* | wc -l)
check "killed with $kept records kept" test "$kept" -gt 0
check "one worker, resumed" run one 1
check "the same bytes" cmp "$work/one.json" "$work/two.json"
check "13 rows, 130 answers" jq -e '(.problems | length) == 13 and ([.problems[].samples[]] | length) == 130' "$work/two.json"
check "every baseline passes" jq -e '[.problems[].baseline.verdict] | all(. == "passed")' "$work/two.json"
check "nothing was left unmeasured" jq -e '[.problems[].samples[].verdict] | all(. != "infra_error")' "$work/two.json"
finish
