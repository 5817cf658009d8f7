# scripts/accuracy: its figures against those worked out by hand, on tables small enough for that.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null && command -v objdump >/dev/null || skip "needs python3 and objdump"
cd "$work" || exit 1
mkdir bhive
# add; add, add; mov load, add, add; and a store: null predicts 1, 2, 3, 1
printf 'id\thex\tcycles\tflags\na\t4801c3\t0.5\t-\nb\t4801c34801c3\t2\t-\nc\t488b034801c34801c3\t4\t-\nd\t488903\t1\t-\n' \
    >bhive/dev_5000.tsv
{ cat bhive/dev_5000.tsv; printf 'e\t4829c3\t2\t-\n'; } | gzip >bhive/dev.tsv.gz
printf 'id\thex\tcycles\tflags\nl\t4801c349ffcf75f8\t3\tuica\n' >bhive/loop_dev_2500.tsv

accuracy()
{
    python3 "$PIE_SOURCE/scripts/accuracy" --pie "$PIE" --uarch null "$@"
}
# row FILE NAME: the figures of a row of the first table of a file, separated by single blanks
row()
{
    awk -v file="$1" -v name="$2" '$1 == file { on = 1 } /^[a-z]/ && $1 != file { on = 0 }
        on && index($0, "  " name " ") == 1 { sub("  " name, ""); $1 = $1; print; exit }' out
}
same()
{
    [ "$1" = "$2" ] || { echo "     '$1' is not '$2'"; false; }
}

expect 0 "no bhive/dev_inputdep_2000.tsv" accuracy --save before bhive
# errors +100, 0, -25, 0 %; pairs: 6, 1 tied in the prediction, the 5 others in order: tau = 5 / sqrt(6 * 5)
check "all blocks" same "$(row dev_5000 all)" "4 31.25 12.50 0.913 +18.75 3 8.33 1.000 -8.33"
check "a category" same "$(row dev_5000 'loads only')" "1 25.00 25.00 nan -25.00 1 25.00 nan -25.00"
check "the others of dev" same "$(row dev_rest all)" "1 50.00 50.00 nan -50.00 1 50.00 nan -50.00"
check "loops" same "$(row loop all)" "1 0.00 0.00 nan +0.00 1 0.00 nan +0.00"
check "coverage" grep -q "4 blocks, 100.00 % without a fallback form, 0 not executed" out
check "what is saved" same "$(head -1 before/dev_5000.tsv)" "4801c3	1.0000	0.5	-"
if [ -f "$PIE_SHARED/data/bhive/score.py" ]; then
    python3 "$PIE_SHARED/data/bhive/score.py" bhive/dev_5000.tsv before/dev_5000.tsv >score
    check "score.py says the same" same "$(awk '/MAPE|median|bias|tau/ { printf "%s ", $2 }' score)" "31.25% 12.50% 18.75% 0.9129 "
fi
sed -i 's/^4801c3\t1.0000/4801c3\t0.5000/' before/dev_5000.tsv
expect 0 "" accuracy --only dev_5000 --against before --worst 1 bhive
check "what moved" grep -q "0 blocks better, 1 worse, MAPE +25.000" out
check "the worst block, disassembled" grep -A2 "measured 0.50  predicted 1.00  +100.0 %" out
check "... as assembly" grep -q "add    rbx,rax" out
expect 1 "no folder absent" accuracy absent
mkdir empty
expect 1 "none of the BHive files" accuracy empty
finish
