# The figures of committed machine code, per CPU model: tests/golden/programs/figures.csv.
. "$(dirname "$0")/../integration/lib.sh"
folder=$PIE_SOURCE/tests/golden/programs
{
    echo "program,uarch,cycles,instructions,startup_instructions,branches,loads,stores,syscalls"
    for hex in "$folder"/*.hex; do
        name=$(basename "$hex" .hex)
        xxd -r -p "$hex" "$work/$name"
        for uarch in null skylake; do
            "$PIE" stat --json --uarch $uarch "$work/$name" </dev/null |
                jq -r --arg name "$name" --arg uarch $uarch '[$name, $uarch, .cycles, .instructions,
                    .startup.instructions, .counters.branches, .counters.loads, .counters.stores,
                    .counters.syscalls] | map(tostring) | join(",")'
        done
    done
} >"$work/figures.csv"
# what the core did: its cycles change only with its version (uarch-models/skylake/model.cfg)
{
    echo "program,cycles,instructions,uops,port0,port1,port2,port3,port4,port5,port6,port7,unknown_forms"
    for hex in "$folder"/*.hex; do
        name=$(basename "$hex" .hex)
        "$PIE" stat --json --uarch skylake "$work/$name" </dev/null |
            jq -r --arg name "$name" '.counters as $c | [$name, .cycles, .instructions, $c.uops,
                (range(8) | $c["ooo.port\(.)"]), $c.unknown_forms] | map(tostring) | join(",")'
    done
} >"$work/skylake.csv"
[ -z "${PIE_UPDATE_GOLDEN:-}" ] || cp "$work/figures.csv" "$work/skylake.csv" "$folder"
check "the core's figures are the committed ones" diff "$folder/skylake.csv" "$work/skylake.csv"
check "the figures are the committed ones" diff "$folder/figures.csv" "$work/figures.csv"
check "every program is in them" test "$(wc -l <"$work/figures.csv")" -eq $((2 * $(ls "$folder"/*.hex | wc -l) + 1))
finish
