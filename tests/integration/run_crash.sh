# A plugin that crashes costs what docs/internals/architecture.md says, and the run goes on.
. "$(dirname "$0")/lib.sh"
config=$(example_config)
export PIE_PLUGIN_PATH=$PIE_BUILD/tests/plugins
run()
{
    "$PIE" run "$config" --quiet --json --limit 2 --out "$work/$1" "${@:2}"
}

expect 0 "" run calm
cp "$work/out" "$work/calm.json"
# sample 1 of every row kills the backend; the others are as before
expect 3 "generator .*died.*signal 11" run backend --set backend.plugin=crash-backend --set backend.samples=3 \
    --set 'backend.path=""'
check "only the culprits were lost" jq -e \
    '[.problems[].samples[] | select(.verdict == "infra_error") | .index] == [1, 1]' "$work/out"
check "the others have results" jq -e \
    '[.problems[].samples[] | select(.index != 1) | .verdict] | all(. != "infra_error")' "$work/out"
# the CPU model crashes on every program: all are lost, the run ends
expect 5 "died.*signal 11.*CPU model" run uarch --set uarch.plugin=crash-uarch --set backend.samples=1
# a metric crashes: the others' figures stand
expect 4 "crash-metric" "$PIE" run "$config" --quiet --json --limit 2 --out "$work/metric" \
    --set 'metrics=({plugin="crash-metric";},{plugin="speedup";})'
check "the crashed metric is named" jq -e '.notes | map(test("crash-metric")) | any' "$work/out"
check "the other metric's figures are the same" bash -c \
    "diff <(jq -c '[.summary[] | select(.metric == \"org.pie.speedup\") | .value]' '$work/calm.json') \
          <(jq -c '[.summary[] | select(.metric == \"org.pie.speedup\") | .value]' '$work/out')"
# retried when the run is resumed
expect 3 "" run backend --set backend.plugin=crash-backend --set backend.samples=3 --set 'backend.path=""'
finish
