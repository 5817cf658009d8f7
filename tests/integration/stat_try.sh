# pie stat and pie try, as one uses them; and what must not pass in silence.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
cat >slow.c <<'C'
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
    int n;
    long sum = 0;
    if (scanf("%d", &n) != 1)
        return 3;
    int *values = malloc(sizeof *values * n); /* C, not C++ */
    for (int i = 0; i < n; i++) {
        values[i] = i;
        for (int j = 0; j <= i; j++)
            sum += values[j] % 3;
    }
    printf("%ld\n", sum);
    return 0;
}
C
sed 's/for (int j = 0; j <= i; j++)/static long run; run += i % 3;/; s/sum += values\[j\] % 3/sum += run/' slow.c >fast.c
sed 's/%ld/%ld!/' slow.c >wrong.c
mkdir -p tests/sums
echo 400 >tests/sums/input.0.txt
gcc -w slow.c -o native && ./native <tests/sums/input.0.txt >tests/sums/output.0.txt

# stat
expect 0 "" "$PIE" stat --json --input tests/sums/input.0.txt slow.c
check "the fields of the contract" jq -e '.cycles > 0 and .instructions > 0 and .ipc > 0 and .seconds > 0 and
    .startup.cycles > 0 and .startup.instructions > 0 and (.counters | type) == "object" and
    (.topdown | type) == "object" and .unknown_forms == 0 and .host.wall_s > 0' out
jq 'del(.host)' out >first
expect 0 "" "$PIE" stat --json --input tests/sums/input.0.txt slow.c
check "twice the same but for host" diff first <(jq 'del(.host)' out)
check "standard input from a file" bash -c "'$PIE' stat --json slow.c <tests/sums/input.0.txt | jq 'del(.host)' | diff first -"
expect 0 "" "$PIE" stat --json --input tests/sums/input.0.txt slow.c fast.c
check "two programs and their ratio" jq -e '.programs[0].cycles / .programs[1].cycles == .speedup and .speedup > 1' out
expect 1 "" "$PIE" stat --json slow.c fast.c
check "no ratio when one failed" jq -e '.speedup == null and .programs[0].guest.exit == 3' out
expect 1 "" "$PIE" stat --set limits.instructions=100000 --input tests/sums/input.0.txt slow.c
check "a limit names its setting" grep -q "limits.instructions = 100000" out
printf '#include <stdio.h>\nint main(int n, char **a) { printf("%%d %%s\\n", n, a[n - 1]); return 0; }\n' >args.c
expect 0 "" "$PIE" stat --show-output args.c -- one --json
check "arguments behind -- are the guest's" grep -qx "3 --json" out
echo 'int main( {' >broken.c
expect 1 "broken.c: compile_error" "$PIE" stat broken.c
expect 2 "neither an ELF file nor a source" "$PIE" stat tests/sums/input.0.txt
expect 2 "No such file" "$PIE" stat absent.c
expect 2 "Is a directory|directory" "$PIE" stat tests
expect 2 "no-such-model" "$PIE" stat --uarch no-such-model slow.c
expect 2 "march=native" "$PIE" stat --flags "-O2 -march=native" slow.c
check "a closed pipe is no error message" bash -c "'$PIE' plugin list 2>err | head -1 >/dev/null; test ! -s err"

# try
expect 0 "" "$PIE" try slow.c --tests tests/sums --candidate fast.c --candidate wrong.c --quiet
check "a line per program" bash -c "grep -q 'source slow .*passed' out && grep -Eq 'sample 0 .*passed.*[0-9]x' out &&
    grep -q 'sample 1 .*wrong_output' out"
expect 1 "does not pass its own tests" "$PIE" try wrong.c --tests tests/sums --candidate fast.c --quiet
expect 0 "" "$PIE" try slow.c --tests tests/sums --candidate fast.c --quiet --out kept --json
check "its report" jq -e '.problems[0].samples[0].speedup > 1' out
expect 0 "" "$PIE" try slow.c --tests tests/sums --candidate fast.c --quiet --out kept
expect 2 "backend.path" "$PIE" try slow.c --tests tests/sums --candidate wrong.c --quiet --out kept
expect 2 "no tests" "$PIE" try slow.c --tests . --candidate fast.c
expect 2 "needs --candidate" "$PIE" try slow.c --tests tests/sums

# changed answers on an old folder are noticed, however the file is called
cat >row.py <<'P'
import json, sys
code = open(sys.argv[1]).read()
print(json.dumps({"problem_id": "sums", "src_id": "s", "generated_answers": [code, None]}))
P
python3 -c 'import json; print(json.dumps({"problem_id": "sums", "src_id": "s", "language": "C",
    "src_code": open("slow.c").read(), "tests": [0]}))' >problems.jsonl
python3 row.py fast.c >answers.jsonl
cat >run.cfg <<'C'
dataset = { path = "problems.jsonl"; tests = "tests"; };
backend = { plugin = "replay"; path = "answers.jsonl"; samples = 2; };
compiler = { language = "row"; };
metrics = ( { plugin = "optimized"; }, { plugin = "optimized"; threshold = 2.0; } );
C
expect 0 "1 of 2 answers were not there" "$PIE" run run.cfg --quiet --out run
check "a metric named twice has columns of its own" grep -Eq '%Opt +%Opt( 2)? #2' out
python3 row.py wrong.c >answers.jsonl
expect 2 "backend.path" "$PIE" run run.cfg --quiet --out run
python3 row.py fast.c >renamed.jsonl
expect 0 "" "$PIE" run run.cfg --quiet --out run --set 'backend.path="renamed.jsonl"'

# limits of the shell
check "a soft limit is raised" bash -c "ulimit -S -f 100; '$PIE' try slow.c --tests tests/sums --candidate fast.c --quiet >/dev/null"
expect 4 "ulimit -f unlimited" bash -c "ulimit -f 100; '$PIE' try slow.c --tests tests/sums --candidate fast.c --quiet"
finish
