# throughput.sh [MODEL]...: wall-clock milliseconds a block of pie throughput, execution included, on the
# development blocks of BHive (PIE_SHARED), for null and the models given (default: skylake). The row of null is
# what execution, tracing and description cost; the difference to it is the model's. PIE says which pie.
set -u
source_folder=${PIE_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
pie=${PIE:-$source_folder/build/pie}
blocks=${PIE_SHARED:-$source_folder/../shared}/data/bhive
[ -d "$blocks" ] || { echo "throughput: no $blocks; set PIE_SHARED"; exit 77; }
[ $# -gt 0 ] || set -- skylake

# row MODEL NAME FILE OPTION...: the least of three
row()
{
    local model=$1 name=$2 file=$3 least= start end
    shift 3
    for _ in 1 2 3; do
        start=$(date +%s%N)
        "$pie" throughput --uarch "$model" "$@" "$file" >/dev/null || return 1
        end=$(date +%s%N)
        [ -n "$least" ] && [ $((end - start)) -ge "$least" ] || least=$((end - start))
    done
    awk -v m="$model" -v n="$name" -v t="$least" -v l="$(grep -vc '^id' "$file")" \
        'BEGIN { printf "%-10s %-10s %6d blocks  %.3f ms a block\n", m, n, l, t * 1e-6 / l }'
}

for model in null "$@"; do
    row "$model" unrolled "$blocks/dev_5000.tsv"
    row "$model" loop "$blocks/loop_dev_2500.tsv" --loop
done
