# pie throughput: its figures against those of pie stat over the same copies as a program, what it
# executes and what it says of the rest, and what it refuses.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
# One test model, without those that share names with built-in ones.
mkdir modules && cp "$PIE_BUILD/tests/modules/good/fixed-cpi.so" modules 2>/dev/null
export PIE_PLUGIN_PATH=$work/modules

# A column of the output for one block, or of --json.
cycles_of()
{
    printf '%s\n' "$1" | "$PIE" throughput "${@:2}" 2>/dev/null | cut -f2
}
field_of()
{
    printf '%s\n' "$1" | "$PIE" throughput --uarch null --json "${@:3}" 2>/dev/null | jq -r ".blocks[0].$2"
}
same()
{
    [ "$1" = "$2" ] || { echo "     '$1' is not '$2'"; false; }
}

# ---- the same as the slope over programs with 100 and 200 copies ----

# A static program: the state that blocks get, then copies of the block. The data page is .data.
cat >program.S <<'S'
    .section .near, "aw", @progbits
    .fill 4096, 8, 0x2324000
    .text
    .globl _start
_start:
    ldmxcsr mxcsr(%rip)
    vpbroadcastq value(%rip), %ymm0
    vzeroupper
    .irp i, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movdqa %xmm0, %xmm\i
    .endr
    .irp r, rax, rbx, rcx, rdx, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
    mov $0x2324000, %\r
    .endr
    mov $0x23247f0, %rbp
    mov $0x2324800, %rsp
    jmp code
    .balign 4096
code:
    .rept COPIES
    .byte BLOCK
    .endr
    mov $60, %eax
    xor %edi, %edi
    syscall
    .section .rodata
value:
    .quad 0x2324000
mxcsr:
    .long 0x9fc0
S

# slope HEX UARCH...: cycles per copy, with four decimals
slope()
{
    local bytes copies cycles=()
    bytes=$(sed 's/../0x&,/g; s/,$//' <<<"$1")
    for copies in 100 200; do
        gcc -c -DCOPIES="$copies" -DBLOCK="$bytes" -o program.o program.S &&
            gcc -nostdlib -static -no-pie -Wl,--section-start=.near=0x2320000 -Wl,-Ttext=0x1000000000 \
                -Wl,--build-id=none -o program program.o || return 1
        cycles+=("$("$PIE" stat --json "${@:2}" program </dev/null | jq 'select(.verdict == "passed") | .cycles')")
    done
    awk -v a="${cycles[0]}" -v b="${cycles[1]}" 'BEGIN { printf "%.4f", (b - a) / 100 }'
}

# within HEX UARCH...: 1 %, or half of the last digit printed where that is more; and one cycle of the
# hundred copies, since programs end at whole cycles
within()
{
    local of_programs of_block
    of_programs=$(slope "$@") || return 1
    of_block=$(cycles_of "$@")
    awk -v a="$of_programs" -v b="$of_block" 'BEGIN {
        d = a > b ? a - b : b - a
        ok = a > 0 && b > 0 && (d <= 0.01 * a || d <= 0.0101)
        if (!ok) print "     programs: " a ", throughput: " b
        exit !ok }'
}

blocks=(
    4801c3                               # add rbx, rax
    8d485083e17f80f905                   # lea, and, cmp
    488b03488943084883c340               # load, store, add: another line each time
    488b00                               # pointer chase on one page
    554889e55d                           # push, mov, pop
    31d2b90700000048f7f1                 # div
    660fefc1f20f58c2                     # pxor, addsd
    c5f4580366c705000000000100           # vaddps with a load
    69c1341200006669c93412               # imul, one with a length-changing prefix
    0fb6470883f801 4c8d63d04989df0f1f40004983ef304c89fa4829da498b7c1430498d57104839d7
)
unset 'blocks[7]' # it writes into its own code
blocks=("${blocks[@]}")
models=("null")
"$PIE" plugin show fixed-cpi >/dev/null 2>&1 && models+=("fixed-cpi")
"$PIE" plugin show skylake >/dev/null 2>&1 && models+=("skylake")
for model in "${models[@]}"; do
    for block in "${blocks[@]}"; do
        check "as pie stat: $model $block" within "$block" --uarch "$model"
    done
done
check "null takes a cycle per instruction" same "$(cycles_of 8d485083e17f80f905 --uarch null)" 3.00

# ---- what blocks meet ----

check "a page is mapped where a block touches one" same "$(field_of 488b8700100040 executed)" true
check "all pages are one frame: what is stored in one is loaded from another" \
    same "$(field_of 48c78700100000000000004c8b870020000031d249f7f0 reason)" "it faults: Floating point exception"
check "... and not where it was not stored" same "$(field_of 48c78700100000000000004c8b870820000031d249f7f0 executed)" true
check "general registers are 0x2324000" same "$(field_of 4829d8490f45e431d248f7f1 executed)" true
check "... but rsp" same "$(field_of 4c29ec4881ec0008000048f7d44883e401b90100000031d24829e148f7f1 executed)" false
check "data are 0x2324000" same "$(field_of 488b08482b0f48ffc131d248f7f1 executed)" true
check "fs and gs are mapped" same "$(field_of 64488b04252800000065488b042528000000 executed)" true
check "x87 starts empty each time" same "$(field_of d9e8d9e8d9e8 executed)" true
check "the direction flag is cleared again" same \
    "$(printf 'fd\n48ab\n' | "$PIE" throughput --uarch null --json 2>/dev/null | jq -c '[.blocks[].executed]')" '[true,true]'

# Each of these ends the guest or a block; those between them must not notice.
cat >killers <<'LIST'
0f0b                        it faults: Illegal instruction
f4                          it faults: Segmentation fault
48f7f1                      it faults: Floating point exception
cc                          it faults: Trace/breakpoint trap
0f05                        a system call
cd80                        a system call
c3                          it faults: Segmentation fault
ffe0                        it faults: Segmentation fault
ebfe                        it does not end
48c7c0ffffffff488b00        it faults: Segmentation fault
48b80000000080550000488900  the program touched memory outside its address space
48b80000000060000000488900  it faults: Segmentation fault
488905f9ffffff              it faults: Segmentation fault
4831e450                    it faults: Segmentation fault
f3aa                        limit of iterations of repeated string instructions reached
06                          an undefined instruction
LIST
while read -r code _; do
    printf '%s\n4801c3\n' "$code"
done <killers >mixed
expect 0 "16 of 32 blocks could not be executed" "$PIE" throughput --uarch null --json mixed
check "what cannot be executed is said, and why" diff <(sed 's/^[0-9a-f]*  *//' killers) \
    <(jq -r '.blocks[] | select(.executed | not) | .reason' out)
check "what stands between is executed" same \
    "$(jq -c '[.blocks[] | select(.hex == "4801c3") | .executed and .cycles == 1] | [all, length]' out)" "[true,16]"
check "all get a figure" jq -e '[.blocks[].cycles > 0] | all' out
"$PIE" throughput --uarch null mixed >text 2>err
check "they are flagged in the third column" same "$(cut -f3 text | grep -c '^static$')" 16
check "the order of the input" diff mixed <(cut -f1 text)

# The page frame is for the guest of pie throughput alone.
cat >frame.c <<'C'
#include <sys/mman.h>
int main(void)
{
    return mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 6, 0) == MAP_FAILED ? 0 : 1;
}
C
expect 0 "" "$PIE" stat --uarch null frame.c

# ---- loops ----

check "a counted loop" same "$(cycles_of 4801c349ffcf75f8 --uarch null --loop)" 3.00
check "... is executed" same "$(field_of 4801c349ffcf75f8 executed --loop)" true
check "a loop that never ends" same "$(field_of 4801c3ebfb executed --loop)" true
check "... takes what it takes" same "$(cycles_of 4801c3ebfb --uarch null --loop)" 2.00
check "one that counts by a register it uses" same "$(cycles_of 4d01fb49ffcf75f8 --uarch null --loop)" 3.00
check "one that ends at once" same "$(field_of 31c075fc reason --loop)" "a branch leaves it"
check "one that faults" same "$(field_of 0f0bebfc reason --loop)" "it faults: Illegal instruction"
check "guests that were stopped do not matter to those that follow" same \
    "$(printf '4801c3ebfb\n4801c349ffcf75f8\n4801c3ebfb\n' | "$PIE" throughput --uarch null --loop | cut -f2 | tr '\n' ' ')" \
    "2.00 3.00 2.00 "

# ---- a figure depends on its block alone ----

for i in $(seq 1 120); do
    printf '4881c0%02x000000\n488b%02x%02x000000\n' "$i" $((0x80 + i % 4)) "$i"
done >many
for model in "${models[@]}"; do
    "$PIE" throughput --uarch "$model" many 2>err | sort >first
    sort -r many | "$PIE" throughput --uarch "$model" 2>err | sort >second
    check "$model: any order, the same figures" cmp first second
    check "$model: all have one" same "$(wc -l <first)" 240
done
{
    for _ in $(seq 1 2200); do
        echo 4801c3
    done
    echo 4801c34801c3
} >batches
"$PIE" throughput --uarch null batches >out 2>err
check "more blocks than one guest takes" same "$(tail -1 out) $(wc -l <out) $(cut -f2 out | sort -u | tr '\n' ' ')" \
    "4801c34801c3	2.00 2201 1.00 2.00 "

# ---- input and output ----

printf 'id\thex\tcycles\n00030a26607d\t4801C3\t1.07\n' >table
check "a header names the column" same "$("$PIE" throughput --uarch null table)" "4801C3	1.00"
check "--column" same "$(tail -1 table | "$PIE" throughput --uarch null --column 2)" "4801C3	1.00"
printf '# comment\n\n  4801c3 further columns # comment\r\n4801c34801c3' >lines
check "comments, blanks, no newline at the end" same "$("$PIE" throughput --uarch null - <lines | tr '\n' ' ')" \
    "4801c3	1.00 4801c34801c3	2.00 "
expect 0 "" "$PIE" throughput --uarch null --json lines
check "the fields of --json" jq -e '.uarch == "org.pie.null" and .mode == "unrolled" and .blocks[0] ==
    {"hex":"4801c3","cycles":1.0,"executed":true,"fallback_forms":0,"reason":""}' out
printf '4829c3\n4801c3\n' >forms # the second must not be marked for the first
expect 0 "1 of 2 blocks have instruction forms that fixed-cpi does not know" \
    "$PIE" throughput --uarch fixed-cpi --set 'uarch.cycles_of=["ADD_R64_R64=2"]' forms
check "settings of the model; fallback forms are flagged" same "$(cut -f2- out | tr '\n\t' '; ')" "1.00 fallback;2.00;"

printf '4801c3\nhello\n480\n' >bad
expect 2 "bad:2: the code 'hello' in column 1 is not hex" "$PIE" throughput bad
check "every bad line is named" grep -q "bad:3: the code '480' in column 1 has an odd number of digits" err
check "... and nothing is printed" test ! -s out
head -c 8200 /dev/zero | tr '\0' '9' >long
expect 2 "longer than 4096 bytes" "$PIE" throughput long
head -c 8192 /dev/zero | tr '\0' '9' >many-insns # 4096 times cdq
expect 2 "block 1 has more than 1024 instructions" "$PIE" throughput many-insns
expect 2 "column 3 is missing" "$PIE" throughput --column 3 lines
expect 2 "column takes a number from 1" "$PIE" throughput --column 0 lines
expect 2 "zero bytes" "$PIE" throughput program
expect 2 "No such file" "$PIE" throughput absent
expect 2 "no-such-model" "$PIE" throughput --uarch no-such-model lines
expect 2 "takes one file" "$PIE" throughput lines lines
expect 2 "unrecognized option" "$PIE" throughput --unrolled lines
PIE_PLUGIN_PATH=$PIE_BUILD/tests/plugins expect 2 "measures whole programs" \
    "$PIE" throughput --uarch org.pie.test.wc-uarch lines
: >empty
expect 5 "no block in it" "$PIE" throughput empty
mkdir programs && ln -s "$(command -v gcc)" "$(command -v g++)" "$(command -v ld)" programs
expect 4 "qemu-x86_64 is not on PATH" env PATH="$work/programs" "$PIE" throughput --uarch null lines
finish
