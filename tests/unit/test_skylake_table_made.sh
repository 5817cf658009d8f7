#!/usr/bin/env bash
# uarch-models/skylake/instructions.tsv is what scripts/make-skylake-table writes, and the script refuses facts
# that contradict themselves. Needs the measured facts (PIE_SHARED); skipped without them.
set -euo pipefail
source=${PIE_SOURCE:?}
facts=${PIE_SHARED:-$source/../shared}/data/skylake
if [[ ! -r $facts/skl_instr.tsv ]]; then
    echo "skipped: no PIE_SHARED data (skylake/skl_instr.tsv)"
    exit 77
fi
if ! command -v python3 >/dev/null; then
    echo "skipped: no python3"
    exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
make=$source/scripts/make-skylake-table

fail() {
    echo "FAILED: $1" >&2
    exit 1
}

PYTHONHASHSEED=1 python3 "$make" "$facts" "$scratch/a.tsv" >"$scratch/a.log"
PYTHONHASHSEED=2 python3 "$make" "$facts" "$scratch/b.tsv" >"$scratch/b.log"
cmp "$scratch/a.tsv" "$scratch/b.tsv" || fail "two runs differ"
cmp "$scratch/a.tsv" "$source/uarch-models/skylake/instructions.tsv" || fail "the committed table is another; run scripts/make-skylake-table"
cmp "$scratch/a.log" "$scratch/b.log" || fail "the reports of two runs differ"

# few forms, and none of the frequent ones, may miss their latencies
inexact=$(grep -c '^inexact' "$scratch/a.log" || true)
((inexact <= 80)) || fail "latencies of $inexact source rows are not reproduced"
! grep -E '^inexact +(ADD|ADC|MOV|LEA|SHL|IMUL|ADDSD|MULPS|CVTSI2SD) ' "$scratch/a.log" || fail "a frequent form is not exact"

# refuses NAME SED-EXPRESSION MESSAGE: facts changed that way are refused, and nothing is written
refuses() {
    mkdir -p "$scratch/$1"
    sed -E "$2" "$facts/skl_instr.tsv" >"$scratch/$1/skl_instr.tsv"
    cmp -s "$scratch/$1/skl_instr.tsv" "$facts/skl_instr.tsv" && fail "$1 changes nothing"
    if python3 "$make" "$scratch/$1" "$scratch/$1.tsv" >/dev/null 2>"$scratch/$1.err"; then
        fail "$1 is accepted"
    fi
    grep -q "$3" "$scratch/$1.err" || { cat "$scratch/$1.err"; fail "$1: not the message '$3'"; }
    [[ ! -e $scratch/$1.tsv ]] || fail "$1: a table was written"
}
refuses ambiguous 's/^(ADD \(R64, I8\)\t[^\t]*\t[^\t]*\t[^\t]*\t)1(\t.*)$/\11\2\n\12\2/' "two rows with"
refuses ports 's/^(ADD_01 \(R64, R64\)\t.*\t)1\*p0156\t/\11*p23\t/' "no decomposition"
refuses address 's/^(ADD \(M64, R64\)\t.*\t)1\*p0156\+1\*p23\+1\*p237\+1\*p4\t/\11*p0156+1*p23+2*p237+1*p4\t/' "ports differ"
refuses column 's/\toperands$/\tother/' "cannot be read"
[[ $(python3 "$make" 2>&1) == usage:* ]] || fail "no usage line"
echo "ok: $(tail -1 "$scratch/a.log")"
