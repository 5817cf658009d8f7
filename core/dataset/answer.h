/* answer.h - takes the program out of a model's reply. Pure; no locale. The rules stand in
 * docs/dataset.md. */
#ifndef PIE_DATASET_ANSWER_H
#define PIE_DATASET_ANSWER_H

#include "base/buf.h"

/* How the program was found; a record keeps the name:
 *   "fence"       the only fenced block with a main function
 *   "fences"      the last of several such blocks
 *   "open_fence"  a fenced block whose closing fence is missing
 *   "whole"       no fences, and the reply is nothing but the program
 *   "unfenced"    the program stands in the text, outside fences
 *   "truncated"   as the two above or "open_fence", but the braces do not close: the reply was cut
 *   "none"        there is none */
typedef struct pie_answer {
    pie_buf code;       /* empty when there is none; ends with a newline, lines end with \n */
    const char *how;    /* static */
    const char *reason; /* why there is no program, one line; NULL when there is; static */
} pie_answer;

/* Linear time. @text need not be UTF-8 nor NUL-terminated. PIE_ERR_NOMEM.
 * *@ret_answer is freed with pie_answer_free(). */
pie_status pie_answer_parse(const char *text, size_t n_bytes, pie_answer *ret_answer);
void pie_answer_free(pie_answer *answer);

#endif
