# Real programs on the model `skylake`: every form is in its table, and no bound of the machine is beaten.
. "$(dirname "$0")/lib.sh"
command -v gcc >/dev/null && command -v g++ >/dev/null || skip "no gcc and g++"

cat >"$work/c.c" <<'END'
#include <stdio.h>
int main(void) { printf("hello %s %d %.3f\n", "world", 42, 2.5); return 0; }
END
cat >"$work/cc.cpp" <<'END'
#include <algorithm>
#include <iostream>
#include <map>
#include <string>
#include <vector>
int main()
{
    std::map<std::string, int> words;
    for (const char *word : {"hello", "world", "hello"})
        words[word]++;
    std::vector<double> numbers{3.5, 1.25, 2};
    std::sort(numbers.begin(), numbers.end());
    for (const auto &word : words)
        std::cout << word.first << ' ' << word.second << ' ' << numbers[0] << std::endl;
}
END
# what holds of every run: widths, ports, slots
bounds='.counters as $c | ([.ports[].uops] | max) as $busiest |
    .cycles * 4 >= .uops and .cycles >= $busiest and .cycles >= $c["ooo.port4"] and
    ([.topdown[]] | add) == .cycles * 4 and .topdown.retiring == .uops and $c.instructions == .instructions'
known='.unknown_forms == 0 and .fallbacks == []'

try()
{
    local name=$1
    shift
    "$@" -o "$work/$name" || skip "$1 cannot build $name here"
    check "$name runs" sh -c "'$PIE' stat --json --uarch skylake '$work/$name' </dev/null >'$work/$name.json'"
    check "$name has no unknown form" jq -e "$known" "$work/$name.json"
    check "$name stays within the machine" jq -e "$bounds" "$work/$name.json"
}
try c-dynamic gcc -O2 "$work/c.c"
try c-static gcc -O2 -static "$work/c.c"
try cc-dynamic g++ -O2 "$work/cc.cpp"
try cc-static g++ -O2 -static "$work/cc.cpp"
try cc-avx2 g++ -O3 -mavx2 -mfma -mbmi2 "$work/cc.cpp"
for hex in "$PIE_SOURCE"/tests/golden/programs/*.hex; do
    name=$(basename "$hex" .hex)
    xxd -r -p "$hex" "$work/$name"
    check "$name runs" sh -c "'$PIE' stat --json --uarch skylake '$work/$name' </dev/null >'$work/$name.json'"
    check "$name has no unknown form" jq -e "$known" "$work/$name.json"
    check "$name stays within the machine" jq -e "$bounds" "$work/$name.json"
done
finish
