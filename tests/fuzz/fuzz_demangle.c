/* fuzz_demangle.c - the demangler on any name: it stays within its text. */
#include "base/demangle.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char name[512], text[64];
    const size_t n_kept = n < sizeof name - 3 ? n : sizeof name - 3;
    memcpy(name, "_Z", 2);
    if (n_kept > 0)
        memcpy(name + 2, bytes, n_kept);
    name[2 + n_kept] = '\0';
    memset(text, 'x', sizeof text);
    pie_demangle(name, text, sizeof text / 2);
    if (strnlen(text, sizeof text) >= sizeof text / 2)
        abort();
    for (size_t i = sizeof text / 2; i < sizeof text; i++)
        if (text[i] != 'x')
            abort();
    return 0;
}
