# The committed example files are what scripts/make-examples makes from examples/sources, and small.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "needs python3"
cd "$PIE_SOURCE" || exit 1
check "the files equal the generator's" env PYTHONDONTWRITEBYTECODE=1 python3 scripts/make-examples --check
check "all together below 1 MB" test "$(find examples -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')" -lt 1000000
check "at least 14 problems" test "$(cut -d: -f2 examples/problems.jsonl | sort -u | wc -l)" -ge 14
check "8 answers a row" test "$(python3 scripts/make-examples --list | wc -l)" -eq "$((8 * $(wc -l <examples/problems.jsonl)))"
finish
