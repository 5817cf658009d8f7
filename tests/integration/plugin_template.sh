#!/bin/bash
# The template, built by itself against an installed SDK, is a plugin that pie takes.
set -euo pipefail
die() { echo "plugin_template: $*" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$PIE_BUILD" --component sdk --prefix "$work/sdk" > "$work/install.log" ||
    die "the SDK does not install: $(cat "$work/install.log")"
[ ! -e "$work/sdk/include/pie/abi_check.h" ] || die "an internal header was installed"

# by CMake
cp -r "$PIE_SOURCE/sdk/template" "$work/template"
cmake -S "$work/template" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/sdk" > "$work/log" 2>&1 || die "$(cat "$work/log")"
cmake --build "$work/build" > "$work/log" 2>&1 || die "$(cat "$work/log")"
! grep -q warning "$work/log" || die "warnings: $(cat "$work/log")"
"$PIE" plugin check "$work/build/wins.so" | grep 'wins.so: OK: org.example.wins 1.0.0 (pie.metric/1)' > /dev/null ||
    die "pie refuses the template"
cmake --install "$work/build" --prefix "$work/sdk" > "$work/log" 2>&1 || die "$(cat "$work/log")"

# it exports one symbol, and needs none of pie's
symbols=$(nm -D --defined-only "$work/build/wins.so" | awk '{print $3}')
[ "$symbols" = pie_module_entry ] || die "exports: $symbols"
! nm -D --undefined-only "$work/build/wins.so" | grep 'pie_' > /dev/null || die "it needs symbols of pie"

# found by PIE_PLUGIN_PATH, shown with its options
PIE_PLUGIN_PATH="$work/build" "$PIE" plugin list --kind metric | grep '^  wins ' > /dev/null || die "not listed"
PIE_PLUGIN_PATH="$work/build" "$PIE" plugin show wins --json | grep '"margin"' > /dev/null || die "not shown"

# by pkg-config, in C and in C++
export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$work/sdk" -name pie.pc)")
cc -shared -fPIC $(pkg-config --cflags pie) "$work/template/wins.c" -o "$work/by-pkg-config.so"
"$PIE" plugin check "$work/by-pkg-config.so" > /dev/null || die "built with pkg-config it is refused"
[ -d "$(pkg-config --variable=plugindir pie)" ] || die "plugindir of pie.pc is not where the plugin went"
for header in metric uarch compiler backend prompt; do
    echo "#include \"pie/$header.h\"" > "$work/header.cpp"
    c++ -std=c++17 -Wall -Wextra -Werror -fsyntax-only $(pkg-config --cflags pie) "$work/header.cpp" ||
        die "pie/$header.h is no C++"
done
cat > "$work/plus.cpp" << 'END'
#include "pie/prompt.h"
static pie_status create(const pie_host *, void **) { return PIE_ERR_UNAVAILABLE; }
static void destroy(void *) {}
static pie_status next(void *, const pie_dialogue *, pie_action *) { return PIE_ERR_UNAVAILABLE; }
static const pie_prompt_ops ops = {create, destroy, next};
static const pie_plugin plugin = {PIE_KIND_PROMPT, "org.example.plus", "1.0.0", "In C++.", "MIT",
                                  nullptr, nullptr, &ops};
PIE_MODULE(&plugin);
END
c++ -std=c++17 -Wall -shared -fPIC $(pkg-config --cflags pie) "$work/plus.cpp" -o "$work/plus.so"
"$PIE" plugin check "$work/plus.so" | grep 'org.example.plus' > /dev/null || die "a plugin in C++ is refused"
echo "plugin_template: all good"
