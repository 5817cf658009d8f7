# What the user wrote or named wrongly: one clear line, exit status 2, before anything runs.
. "$(dirname "$0")/lib.sh"
examples=$PIE_SOURCE/examples
config=$work/run.cfg

# write_config [SED-EXPRESSION]: the examples' configuration with absolute paths, edited.
write_config()
{
    sed -e "s#= \"examples/#= \"$examples/#; s#= \"problems.jsonl\"#= \"$examples/problems.jsonl\"#; \
s#= \"tests\"#= \"$examples/tests\"#; s#= \"generations.jsonl\"#= \"$examples/generations.jsonl\"#" \
        -e "${1:-}" "$examples/run.cfg" >"$config"
}
run()
{
    "$PIE" run "$config" --quiet --limit 1 --out "$work/run" "$@"
}

expect 2 "needs a CONFIG" "$PIE" run
expect 2 "No such file" "$PIE" run "$work/absent.cfg"
expect 2 "did you mean 'run'" "$PIE" rum
expect 2 "unrecognized option" "$PIE" run --no-such-option x
expect 2 "whole number" "$PIE" run "$config" --limit x
write_config 's/samples *= *[0-9]*/sampels = 8/'
expect 2 "run.cfg:[0-9]+: .*sampels.*samples" run
write_config 's/^uarch *=.*/uarch = { plugin = "nul"; };/'
expect 2 "nul.*null" run
write_config 's/jobs *= *[0-9]*/jobs = "two"/'
expect 2 "run.cfg:[0-9]+: .*jobs" run
write_config 's/instructions *= *[0-9]*L/instructions = 5000000000/'
expect 2 "run.cfg:[0-9]+: .*L" run
write_config
expect 2 "--set limits.instructons.*did you mean .instructions." run --set limits.instructons=5
expect 2 "flags.*march=native" run --set 'compiler.flags=["-O3","-march=native"]'
expect 2 "mtune=native" run --set 'compiler.flags=["-mtune=native"]'
expect 2 "absent.jsonl: No such file" run --set "dataset.path=\"$work/absent.jsonl\""
expect 5 "nothing to measure" run --only no-such-problem

printf '{"problem_id": "p"\n' >"$work/bad.jsonl"
expect 2 "bad.jsonl:1: " run --set "dataset.path=\"$work/bad.jsonl\""
printf '{"problem_id":"p","src_id":"s","src_code":"int main(){}","tests":[0],"language":"C"}\n' >"$work/notests.jsonl"
expect 2 "notests.jsonl:1: test 0 has no readable" run --set "dataset.path=\"$work/notests.jsonl\""
printf '{"problem_id":"../p","src_id":"s","src_code":"int main(){}","tests":[0],"language":"C"}\n' >"$work/dots.jsonl"
expect 2 "dots.jsonl:1: .*problem_id" run --set "dataset.path=\"$work/dots.jsonl\""

mkdir "$work/thesis"
touch "$work/thesis/chapter1.tex"
expect 2 "not a run folder" "$PIE" run "$config" --out "$work/thesis"
check "the stranger's folder is untouched" test "$(ls "$work/thesis")" = chapter1.tex

write_config
expect 0 "" run
expect 2 "holds a run of something else" run --set limits.instructions=123456789
check "the differing key is named" grep -q "limits.instructions" "$work/err"
expect 2 "no such run" "$PIE" report "$work/nowhere"
expect 2 "no record of problem" "$PIE" show "$work/run" no-such-problem
problem=$("$PIE" report "$work/run" --json | jq -r '.problems[0].problem_id')
expect 2 "no sample '99'" "$PIE" show "$work/run" "$problem" 99
expect 0 "" "$PIE" show "$work/run" "$problem" 0
check "show has the prompt, the reply and the program" grep -Eqz -- '--- prompt.*--- reply.*--- program' "$work/out"
expect 0 "" "$PIE" show "$work/run" "$problem" source
expect 0 "" run --dry-run --json
check "a dry run counts" jq -e '.calls > 0 and .compiles > 0 and .simulations > 0' "$work/out"

# Something installed is missing.
mkdir "$work/bin"
for program in bash env dirname g++ gcc ld as; do ln -s "$(command -v $program)" "$work/bin/"; done
expect 4 "qemu" env PATH="$work/bin" "$PIE" run "$config" --quiet --out "$work/noqemu"
expect 4 "" env PATH="$work/bin" "$PIE" doctor
check "doctor says how to get qemu" grep -q "apt-get install qemu-user" "$work/out"
expect 0 "" "$PIE" doctor --json
check "doctor prints JSON" jq -e '.can_run' "$work/out"
finish
