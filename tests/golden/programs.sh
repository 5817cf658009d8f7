# The figures of committed machine code, per CPU model: tests/golden/programs/figures.csv.
. "$(dirname "$0")/../integration/lib.sh"
folder=$PIE_SOURCE/tests/golden/programs
{
    echo "program,uarch,cycles,instructions,startup_instructions,branches,loads,stores,syscalls"
    for hex in "$folder"/*.hex; do
        name=$(basename "$hex" .hex)
        xxd -r -p "$hex" "$work/$name"
        for uarch in null; do
            "$PIE" stat --json --uarch $uarch "$work/$name" </dev/null |
                jq -r --arg name "$name" --arg uarch $uarch '[$name, $uarch, .cycles, .instructions,
                    .startup.instructions, .counters.branches, .counters.loads, .counters.stores,
                    .counters.syscalls] | map(tostring) | join(",")'
        done
    done
} >"$work/figures.csv"
[ -z "${PIE_UPDATE_GOLDEN:-}" ] || cp "$work/figures.csv" "$folder/figures.csv"
check "the figures are the committed ones" diff "$folder/figures.csv" "$work/figures.csv"
check "every program is in them" test "$(wc -l <"$work/figures.csv")" -eq $(($(ls "$folder"/*.hex | wc -l) + 1))
finish
