/* check.h - does the output of a program match the expected one? See docs/dataset.md. */
#ifndef PIE_DATASET_CHECK_H
#define PIE_DATASET_CHECK_H

#include "pie/plugin.h"

#include <stdbool.h>

enum {
    PIE_CHECK_TOKENS =
        1,               /* whitespace-separated tokens equal; with tolerance, numbers may differ */
    PIE_CHECK_EXACT = 2, /* bytes equal */
    PIE_CHECK_PIE =
        3, /* PIE's own: both sides stripped and split into lines, paired in order, extra
              output lines ignored, a line that is one number may differ by < 1e-3 */
    PIE_CHECK_PROGRAM = 4 /* a sandboxed checker decides: not handled here */
};

/* "tokens" ..; 0 = none of them. */
int32_t pie_check_mode(const char *name);

/* The first difference, for people and for feedback. */
typedef struct pie_difference {
    size_t line, column;           /* in the actual output, from 1, in bytes; 0 = nothing differs */
    char expected[80], actual[80]; /* printable ASCII, shortened with "..."; "" = nothing there */
} pie_difference;

/* @tolerance: absolute or relative difference allowed between two finite numbers (TOKENS), unless
 * both are written as integers, which must be equal; 0 = none.
 * Linear time, no locale, no allocation. @ret_difference may be NULL; it is all zero on a match.
 * @mode is TOKENS, EXACT or PIE. [any-thread] */
bool pie_check_output(int32_t mode, double tolerance, const char *expected, size_t n_expected,
                      const char *actual, size_t n_actual, pie_difference *ret_difference);

#endif
