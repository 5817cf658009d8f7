/* fuzz_check.c - the comparators on any two outputs. The first byte is mode and tolerance, the
 * second the length of the expected output. */
#include "dataset/check.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const double tolerances[] = {0, 1e-9, 1e-3, 1e300};
    if (n < 2)
        return 0;
    const int32_t mode = PIE_CHECK_TOKENS + bytes[0] % 3;
    const double tolerance = tolerances[bytes[0] / 3 % 4];
    const char *text = (const char *)bytes + 2;
    const size_t n_text = n - 2, n_expected = bytes[1] < n_text ? bytes[1] : n_text;
    pie_difference difference;
    const bool same = pie_check_output(mode, tolerance, text, n_expected, text + n_expected,
                                       n_text - n_expected, &difference);
    if (same != (difference.line == 0) || same != (difference.column == 0))
        abort();
    if (memchr(difference.expected, '\0', sizeof difference.expected) == NULL ||
        memchr(difference.actual, '\0', sizeof difference.actual) == NULL)
        abort();
    for (const char *c = difference.actual; *c; c++)
        if (*c < 0x20 || *c > 0x7e)
            abort();
    for (const char *c = difference.expected; *c; c++)
        if (*c < 0x20 || *c > 0x7e)
            abort();
    /* what equals itself under every rule but PIE's, which passes neither blanks nor broken UTF-8
     */
    if (mode != PIE_CHECK_PIE &&
        !pie_check_output(mode, tolerance, text, n_text, text, n_text, NULL))
        abort();
    return 0;
}
