# What fails once, or says strange things, leaves no trace in the records: dialogues hear their own
# measurements, what was lost is measured again as if nothing had been.
. "$(dirname "$0")/lib.sh"
export PIE_PLUGIN_PATH=$PIE_BUILD/tests/plugins
mkdir -p "$work/tests/echo"
for n in 0 1 2; do
    echo $n >"$work/tests/echo/input.$n.txt"
    echo $n >"$work/tests/echo/output.$n.txt"
done
cat >"$work/slow.c" <<'C'
#ifndef MODE
#define MODE 0
#endif
int scanf(const char *, ...), printf(const char *, ...);
int main(void)
{
    int n;
    scanf("%d", &n);
    while (MODE == 3)
        n++;
    if (MODE == 1 && n == 2)
        __builtin_trap();
    printf("%d\n", MODE == 2 && n == 1 ? 7 : n);
    return 0;
}
C
jq -cn --rawfile code "$work/slow.c" '{problem_id: "echo", src_id: "slow", language: "C", src_code: $code,
    tests: [0, 1, 2], public_tests: [1, 2]}' >"$work/problems.jsonl"
echo '{"problem_id": "echo", "src_id": "slow", "generated_answers": ["int main() {}", "int main() {}"]}' \
    >"$work/answers.jsonl"
cat >"$work/run.cfg" <<'C'
dataset = { path = "problems.jsonl"; tests = "tests"; };
prompt = { plugin = "instruction"; };
backend = { plugin = "replay"; path = "answers.jsonl"; field = "generated_answers"; samples = 2; };
compiler = { plugin = "gcc"; language = "c"; flags = [ "-O1" ]; };
uarch = { plugin = "null"; };
limits = { instructions = 150000000L; };
run = { jobs = 1; };
C
run()
{
    "$PIE" run "$work/run.cfg" --quiet --json --out "$work/$1" "${@:2}"
}
records()
{
    cut -f1 "$work/$1"/seg/*
}

# 1 passed, 5 runtime error, 4 wrong output; the number of the failed public test; what it printed.
expect 0 "" run probes --set prompt.plugin=probe-prompt --set 'prompt.modes="012"' --set backend.samples=1
check "a dialogue hears which public test failed, and how" jq -e -s \
    'map(.reason | select(.)) == ["0:1:-1:- 1:5:2:- 2:4:1:7 ?"]' <(records probes)

# Sample 1 kills the generator while a measurement for sample 0 is under way.
expect 0 "generator .*died" run forgotten --set prompt.plugin=probe-prompt --set 'prompt.modes="03/00"' \
    --set "prompt.marker=\"$work/killed\""
check "it was killed" test -s "$work/killed"
check "a dialogue that is started again hears nothing meant for its former life" jq -e -s \
    'map(.reason | select(.)) | sort == ["0:1:-1:- 0:1:-1:- ?", "0:1:-1:- 3:6:1:- ?"]' <(records forgotten)

# No room at the backend, and nothing under way that would wake us.
expect 3 "no . UTF-8" timeout 60 "$PIE" run "$work/run.cfg" --quiet --json --out "$work/busy" \
    --set backend.plugin=busy-backend --set backend.samples=3
check "what a backend says need not be UTF-8" jq -e \
    '[.problems[0].samples[].verdict] == ["wrong_output", "no_code", "infra_error"]' "$work/out"

# The CPU model dies twice over the source: nothing can have its budget. Then all is as in a calm run.
printf xx >"$work/calm.marker"
expect 0 "" run calm --set uarch.plugin=mortal-uarch --set "uarch.marker=\"$work/calm.marker\""
cp "$work/out" "$work/calm.json"
expect 5 "worker 1 died" run mortal --set uarch.plugin=mortal-uarch --set "uarch.marker=\"$work/marker\""
expect 0 "" run mortal --set uarch.plugin=mortal-uarch --set "uarch.marker=\"$work/marker\""
check "resumed, it is as if nothing had died" cmp "$work/out" "$work/calm.json"

# A message of the linker that is cut within a character.
name=$(printf 'é%.0s' {1..100})
printf 'int a%s(void); int main(void) { return a%s(); }' "$name" "$name" >"$work/even.c"
printf 'int aa%s(void); int main(void) { return aa%s(); }' "$name" "$name" >"$work/odd.c"
expect 0 "" "$PIE" try "$work/slow.c" --tests "$work/tests/echo" --candidate "$work/even.c" \
    --candidate "$work/odd.c" --quiet --json
check "both are compile errors" jq -e \
    '[.problems[0].samples[].verdict] == ["compile_error", "compile_error"]' "$work/out"

# A full disk and a hand that kills a compiler say nothing about the program.
mkdir "$work/bin"
for name in gcc g++; do
    cat >"$work/bin/$name" <<'C'
#!/bin/sh
for word in "$@"; do
    case $word in program.*) echo "/usr/bin/ld: final link failed: No space left on device" >&2; exit 1 ;; esac
done
C
    echo "exec $(command -v $name) \"\$@\"" >>"$work/bin/$name"
done
chmod +x "$work/bin"/*
PATH=$work/bin:$PATH expect 5 "no space left for the compiler" run full
expect 0 "" run full
check "resumed with room, all is measured" jq -e '.problems[0].baseline.verdict == "passed"' "$work/out"

# A tracer killed by somebody else is no result.
"$PIE" run "$work/run.cfg" --quiet --json --out "$work/shot" --set prompt.plugin=probe-prompt \
    --set 'prompt.modes="3"' --set backend.samples=1 --set limits.instructions=1000000000L \
    >"$work/shot.json" 2>"$work/shot.err" &
pid=$!
shot=
for ((i = 0; i < 300 && ${#shot} == 0; i++)); do
    sleep 0.1
    for worker in $(pgrep -P $pid); do
        for engine in $(pgrep -x -P "$worker" qemu-x86_64); do
            sleep 0.5
            # still the same one: it runs the endless program
            [ "$(pgrep -x -P "$worker" qemu-x86_64)" = "$engine" ] && kill -9 "$engine" && shot=$engine
        done
    done
done
code=0
wait $pid || code=$?
check "a tracer was shot" test -n "$shot"
check "its program was run again (exit status $code)" test "$code" -eq 0

# stat: zero bytes in the output, a file name that is not UTF-8, nothing left behind by an interrupt.
printf '#include <stdio.h>\nint main(void) { fwrite("a\\0b\\n", 1, 4, stdout); }' >"$work/zero.c"
expect 0 "" "$PIE" stat --show-output "$work/zero.c"
check "the report stands behind a zero byte" grep -aq "on skylake: passed" "$work/out"
cp "$work/zero.c" "$work/"$'z\xff.c'
expect 0 "" "$PIE" stat --json "$work/"$'z\xff.c'
expect 2 "nowhere.c" "$PIE" stat "$work/zero.c" "$work/nowhere.c"
mkdir "$work/scratch"
printf 'int main(void) { for (volatile long i = 0;; i++); }' >"$work/spin.c"
TMPDIR=$work/scratch "$PIE" stat "$work/spin.c" >"$work/out" 2>"$work/err" &
pid=$!
sleep 1
kill -TERM $pid
code=0
wait $pid || code=$?
check "an interrupted stat exits 143 (it was $code)" test "$code" -eq 143
check "and leaves nothing behind" test -z "$(ls "$work/scratch")"
finish
