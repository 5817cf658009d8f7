#!/bin/bash
# `pie plugin list|show|check`: output, exit codes, refusals.
set -uo pipefail
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
modules=$PIE_BUILD/tests/modules

# expect NAME STATUS PATTERN COMMAND...: exit status, and a pattern in standard output and error
expect() {
    local name=$1 status=$2 pattern=$3 got
    shift 3
    "$@" > "$work/out" 2>&1
    got=$?
    if [ $got -ne "$status" ] || ! grep -qe "$pattern" "$work/out"; then
        echo "FAILED $name: status $got instead of $status, or no '$pattern' in:"
        cat "$work/out"
        failed=1
    fi
}

expect help 0 'usage: pie plugin list' "$PIE" plugin --help
expect list-help 0 'usage: pie plugin list' "$PIE" plugin list --help
expect nothing 2 'list, show or check' "$PIE" plugin
expect unknown 2 "no subcommand 'lsit'" "$PIE" plugin lsit
expect option 2 "unknown option '--jsn'" "$PIE" plugin list --jsn
expect kind 2 'kind is compiler' "$PIE" plugin list --kind cpu
expect operand 2 'takes no' "$PIE" plugin list more
expect two 2 'is too many' "$PIE" plugin show a b
expect show-nothing 2 'show which plugin' "$PIE" plugin show
expect check-nothing 2 'check which file' "$PIE" plugin check
expect list 0 '^  null ' "$PIE" plugin list
expect list-kind 0 'CPU models' "$PIE" plugin list --kind uarch
expect show 0 '^org.pie.null 1' "$PIE" plugin show org.pie.null
expect nearest 2 "did you mean 'null'" "$PIE" plugin show nul
expect check 0 'samples.so: OK: .* org.test.gcc 1.2.0 (pie.compiler/1)' "$PIE" plugin check "$modules/good/samples.so"
expect check-bare-name 0 'OK' bash -c "cd '$modules/good' && '$PIE' plugin check samples.so"
expect refused 4 'built for pie ABI 0.0, this pie has ABI' "$PIE" plugin check "$modules/broken/older_abi.so"
expect crash 4 'crashed when loaded\|ended the process' "$PIE" plugin check "$modules/broken/crashes.so"
expect not-elf 4 'not an ELF file' "$PIE" plugin check "$0"
expect missing 4 'no such file' "$PIE" plugin check "$work/none.so"

export PIE_PLUGIN_PATH=$modules/broken:$modules/good
expect notes 0 'older_abi.so: built for' "$PIE" plugin list
expect engine 0 '^engine   org.test.fixed-cpi 1.0.0' "$PIE" plugin show slow-div
expect parameters 0 'line_cycles = 3' "$PIE" plugin show slow-div
expect unavailable 0 'cannot be used here: pie-test-no-such-program' "$PIE" plugin list --kind compiler
expect needs 0 'needs    the program pie-test-no-such-program' "$PIE" plugin show rare
expect secret 0 'secret' "$PIE" plugin show org.test.replay
"$PIE" plugin list --json > "$work/list.json" || failed=1
"$PIE" plugin show slow-div --json > "$work/show.json" || failed=1
command -v python3 > /dev/null && { python3 - "$work" << 'END' || failed=1; }
import json, sys
listed = json.load(open(sys.argv[1] + "/list.json"))
ids = [p["id"] for p in listed["plugins"]]
assert "org.pie.null" in ids and "org.test.slow-div" in ids, ids
rare = next(p for p in listed["plugins"] if p["id"] == "org.test.rare")
assert rare["usable"] is False and "apt-get" in rare["unavailable"], rare
assert any("wrong_magic.so" in note for note in listed["notes"])
shown = json.load(open(sys.argv[1] + "/show.json"))
options = {o["name"]: o for o in shown["options"]}
assert options["line_cycles"]["default"] == "3" and options["line_cycles"]["max"] == 1000, options
assert shown["engine"] == "org.test.fixed-cpi" and shown["deterministic"] is True
END
# the order and text do not depend on the run or the locale
"$PIE" plugin list > "$work/a" && LC_ALL=C.UTF-8 "$PIE" plugin list > "$work/b" && cmp "$work/a" "$work/b" || failed=1
expect closed-pipe 4 'standard output' bash -c "'$PIE' plugin list > /dev/full"
[ $failed = 0 ] && echo "plugin_command: all good"
exit $failed
