# Sourced by the integration scripts. PIE, PIE_BUILD, PIE_SOURCE come from ctest; standalone, from here.
set -u
PIE_SOURCE=${PIE_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
PIE_BUILD=${PIE_BUILD:-$PIE_SOURCE/build}
PIE=${PIE:-$PIE_BUILD/pie}
PIE_SHARED=${PIE_SHARED:-$PIE_SOURCE/../shared}
# A plugin that dies of a signal must die of it under sanitizers too.
export ASAN_OPTIONS=${ASAN_OPTIONS:-handle_segv=0}
work=$(mktemp -d "${TMPDIR:-/tmp}/pie-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
n_checks=0 n_failed=0

# A CPU model under sanitizers takes twenty times as long: what is not about timing then runs on `null`.
sanitized()
{
    nm -D "$PIE" 2>/dev/null | grep -q __asan
}

# The config of the examples.
example_config()
{
    if ! sanitized; then
        echo "$PIE_SOURCE/examples/run.cfg"
        return
    fi
    mkdir "$work/examples"
    ln -s "$PIE_SOURCE"/examples/* "$work/examples/"
    rm "$work/examples/run.cfg"
    sed 's/plugin = "skylake"/plugin = "null"/' "$PIE_SOURCE/examples/run.cfg" >"$work/examples/run.cfg"
    echo "$work/examples/run.cfg"
}

# check NAME COMMAND...: the command must succeed.
check()
{
    local name=$1
    shift
    n_checks=$((n_checks + 1))
    if "$@"; then
        echo "ok   $name"
    else
        n_failed=$((n_failed + 1))
        echo "FAIL $name"
    fi
}

# expect CODE PATTERN COMMAND...: exit status is CODE, and standard error has a line that matches PATTERN
# (extended regular expression; empty = whatever). Standard output goes to $work/out, error to $work/err.
expect()
{
    local code=$1 pattern=$2 got=0
    shift 2
    n_checks=$((n_checks + 1))
    "$@" >"$work/out" 2>"$work/err" </dev/null || got=$?
    if [ "$got" -ne "$code" ]; then
        n_failed=$((n_failed + 1))
        echo "FAIL exit status $got instead of $code: $*"
        tail -5 "$work/err"
    elif [ -n "$pattern" ] && ! grep -Eq -- "$pattern" "$work/err"; then
        n_failed=$((n_failed + 1))
        echo "FAIL no line like '$pattern': $*"
        tail -5 "$work/err"
    else
        echo "ok   $code: ${*/#$work/WORK}"
    fi
}

skip()
{
    echo "skipped: $1"
    exit 77
}

finish()
{
    echo "$n_checks checks, $n_failed failed"
    [ "$n_checks" -gt 0 ] && [ "$n_failed" -eq 0 ]
    exit
}
