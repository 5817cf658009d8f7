# pie stat says where the time went: slots, ports, fallbacks, functions, blocks, instructions.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
mkdir models
ln -s "$PIE_BUILD/tests/plugins/test-slots.so" "$PIE_BUILD/tests/modules/good/fixed-cpi.so" models
export PIE_PLUGIN_PATH=$work/models

# Every figure of this one is known: 3 + 1000 * 4 + 2 + 3 instructions, 1000 loads, 2 multiplications.
cat >known.s <<'S'
    .globl _start
    .type _start, @function
_start:
    mov $1000, %ecx
    lea word(%rip), %rsi
    xor %eax, %eax
again:
    add (%rsi), %rax
    test %rax, %rax
    dec %ecx
    jnz again
    imul $3, %rax, %rax
    call last
    .size _start, . - _start
    .type last, @function
last:
    imul $5, %rax, %rdi
    xor %edi, %edi
    mov $60, %eax
    syscall
    .size last, . - last
    .data
word: .quad 1
S
gcc -nostdlib -static -o known known.s || skip "gcc cannot make a static program"
cp known stripped && strip stripped
gcc -nostdlib -static-pie -o placed known.s

# slots, ports, forms that are not known
expect 0 "" "$PIE" stat --uarch slots --json known
check "the fields of the contract" jq -e '.cycles == 6009 and .instructions == 4009 and .uops == 4009 and
    (.ipc | type) == "number" and .seconds > 0 and (.startup.cycles | type) == "number" and
    .counters.uops == 4009 and .unknown_forms == 2 and (.host.mips | type) == "number"' out
check "slots" jq -e '.topdown == {retiring: 4009, bad_speculation: 0, frontend_bound: 0, core_bound: 12027,
    memory_bound: 8000} and ([.topdown[]] | add) == 4 * .cycles and (.counters | has("topdown_retiring") | not)' out
check "ports" jq -e '[.ports[] | [.name, .uops]] == [["slots.port1", 2], ["slots.port10", 4007]] and
    .ports[1].per_cycle == 4007 / 6009' out
check "forms that are not known" jq -e '.fallbacks == [{form: "IMUL", executions: 2}]' out
expect 0 "" "$PIE" stat --uarch slots known
check "slots for people" bash -c "grep -Fq 'issue slots went, 4 in every cycle' out &&
    grep -Eq '^ +4,009  retiring +16.7 %  #{5}$' out && grep -Eq '^ +0  front-end bound +0.0 %$' out &&
    grep -Eq '^ +12,027  core bound +50.0 %  #{15}$' out && grep -Eq '^ +8,000  memory bound +33.3 %  #{10}$' out"
check "ports for people" bash -c "grep -Eq '^ +2  port 1 +0.00$' out && grep -Eq '^ +4,007  port 10 +0.67  #{20}$' out"
check "and nothing twice" bash -c "! grep -Eq 'topdown_|port1 ' out"
check "the model's own counters" bash -c "grep -q 'counters of slots alone' out && grep -Eq '^ +7  ports  +no port$' out"
check "forms for people" bash -c "grep -q 'slots does not know these forms' out && grep -Eq '^ +2  IMUL$' out"
check "80 columns" bash -c "! grep -Eq '.{81}' out"
expect 0 "" "$PIE" stat --uarch null known
check "no slots, ports and forms where there are none" bash -c "! grep -Eq 'slots|ports? |fallback' out"

# two programs
sed 's/\$1000/$500/' known.s >half.s && gcc -nostdlib -static -o half half.s
expect 0 "" "$PIE" stat --uarch slots known half
check "side by side" bash -c "grep -Eq '^ +6,009 +3,009 +1.997  cycles$' out &&
    grep -Eq '^ +33.3 % +33.2 % +1000  memory bound$' out && grep -Eq '^ +0.67 +0.67 +port 10$' out &&
    grep -q '(1) known on slots: passed' out && grep -Fq 'half is 1.9970 times as fast as known' out"
check "80 columns" bash -c "! grep -Eq '.{81}' out"
expect 0 "" "$PIE" stat --uarch null --profile known half
check "a profile each" bash -c "test \$(grep -c 'hottest functions' out) = 2"

# profile: null charges a cycle per instruction
expect 0 "" "$PIE" stat --uarch null --json --top 0 --annotate known
cp out first
check "everything is charged" jq -e '.profiled_cycles == .cycles and ([.functions[].cycles] | add) == .cycles and
    ([.blocks[].cycles] | add) == .cycles and ([.functions[].instructions] | add) == .instructions' out
check "functions" jq -e '[.functions[] | [.name, .cycles]] == [["_start", 4005], ["last", 4]]' out
check "basic blocks" jq -e '[.blocks[] | [.name, .offset, .executions, .instructions]] ==
    [["_start", 14, 1000, 4000], ["last", 0, 1, 4], ["_start", 0, 1, 3], ["_start", 24, 1, 2]]' out
check "instructions" jq -e '.annotation.name == "_start" and ([.annotation.instructions[].cycles] | add) == 4005 and
    [.annotation.instructions[].text][2:7] == ["xor eax, eax", "add rax, [rsi]", "test rax, rax", "dec ecx",
    "jnz _start+0xe"] and .annotation.instructions[3].bytes == "480306" and .annotation.instructions[3].cpi == 1' out
expect 0 "" "$PIE" stat --uarch null --json --top 0 --annotate known
check "twice the same but for host" diff <(jq 'del(.host)' first) <(jq 'del(.host)' out)
expect 0 "" "$PIE" stat --uarch null --json known
check "a profile changes no figure" diff <(jq 'del(.host)' out) <(jq 'del(.host, .profiled_cycles, .functions, .blocks, .annotation)' first)
expect 0 "" "$PIE" stat --uarch null --top 1 --annotate=last known
check "as many as asked for" bash -c "grep -q 'hottest functions, 1 of 2' out && grep -q 'hottest basic blocks, 1 of 4' out"
check "a function by name" bash -c "grep -q '^ last, 0.1 % of the cycles$' out && grep -Eq ' syscall$' out && ! grep -q jnz out"
expect 0 "" "$PIE" stat --uarch null --annotate known
check "the hottest function; jumps within it as addresses" grep -Eq '24.94 +1,000   1.00   *[0-9a-f]+  jnz 0x[0-9a-f]+$' out
check "calls by name" grep -Eq 'call last$' out
check "objects by name" grep -Eq 'lea rsi, \[word\]$' out
check "80 columns" bash -c "! grep -Eq '.{81}' out"

# what a model says of misses has a column of its own
expect 0 "" "$PIE" stat --uarch fixed-cpi --annotate known
check "misses" bash -c "grep -q 'br%  address' out && ! grep -q L1D out && grep -Eq ' 0.2 +[0-9a-f]+  jnz' out"
check "many forms in all" bash -c "grep -q 'fixed-cpi does not know these forms' out"
expect 0 "" "$PIE" stat --uarch fixed-cpi --json --annotate known
check "misses in JSON" jq -e '.functions[0].branch_misses == 2 and .annotation.instructions[6].branch_misses == 2 and
    .unknown_forms == 4009 and .profiled_cycles == .cycles' out

# places: stripped, anywhere, with a loader
expect 0 "" "$PIE" stat --uarch null --json --top 0 stripped
check "addresses without symbols" jq -e '.functions[0].name == null and .blocks[0].executions == 1000 and
    ([.functions[].cycles] | add) == .cycles' out
address=$(jq '.blocks[0].address' out | xargs printf '0x%x')
expect 0 "" "$PIE" stat --uarch null --annotate="$address" stripped
check "a function by address" bash -c "grep -Eq '^ 0x[0-9a-f]+, 100.0 % of the cycles' out && grep -q 'jnz 0x' out && grep -q 'add rax, .rsi' out"
expect 0 "" "$PIE" stat --uarch null --json --top 0 placed
check "names wherever it is loaded" jq -e '.functions[0].name == "_start" and .functions[0].address >= 274877906944 and
    .blocks[0].offset == 14' out
expect 0 "" "$PIE" stat --uarch null --annotate=_start placed
check "for people too" bash -c "grep -Eq '40000010[0-9a-f]{2}-40000010[0-9a-f]{2} _start.0xe$' out && grep -q 'call last$' out"
cat >spin.cc <<'C'
#include <cstdio>
namespace loops { template <class T> __attribute__((noinline)) T spin(T n) { T s = 0; for (T i = 0; i < n; i++) s += i ^ s; return s; } }
int main() { std::printf("%ld\n", loops::spin<long>(100000)); return 0; }
C
expect 0 "" "$PIE" stat --uarch null --profile --annotate=loops::spin spin.cc
check "C++ names are shortened, and found so" bash -c "grep -Eq '^ loops::spin, 9[0-9]' out"
expect 0 "" "$PIE" stat --uarch null --profile --annotate=_ZN5loops4spinIlEET_S1_ --json spin.cc
check "JSON has them as they are" jq -e '.functions[0].name == .annotation.name and (.annotation.name | startswith("_ZN5loops"))' out
if g++ -O2 -o dynamic spin.cc; then
    expect 0 "" "$PIE" stat --uarch null --json --top 0 dynamic
    check "a program with a loader" jq -e '.functions[0].name == "_ZN5loops4spinIlEET_S1_" and
        ([.functions[].cycles] | add) == .cycles and ([.functions[] | select(.name == null)] | length) > 0' out
    expect 0 "" "$PIE" stat --uarch null --top 0 dynamic
    check "its libraries are told apart" grep -q '0x[0-9a-f]* (outside the program)' out
fi

# the examples of the manual
unset PIE_PLUGIN_PATH
sed -n '/^```sh/,/^```/s/^pie stat //p' "$PIE_SOURCE/docs/stat.md" >examples
check "the manual has examples" test "$(wc -l <examples)" -ge 5
while read -r line; do
    expect 0 "" bash -c "cd '$PIE_SOURCE' && '$PIE' stat ${line%%#*}"
done <examples
export PIE_PLUGIN_PATH=$work/models

# refusals
expect 2 "slots keeps no profile" "$PIE" stat --uarch slots --profile known
expect 2 "--top takes a whole number" "$PIE" stat --uarch null --top many known
expect 2 "annotate=absent: no function of that name" "$PIE" stat --uarch null --annotate=absent known
check "but its figures are there" grep -q "4,009  instructions" out
expect 2 "annotate=0x12: no function" "$PIE" stat --uarch null --annotate=0x12 --json known
check "null in JSON" jq -e '.annotation == null' out
check "a closed pipe is no error message" bash -c "'$PIE' stat --uarch null --top 0 --json spin.cc 2>err | head -1 >/dev/null; test ! -s err"
finish
