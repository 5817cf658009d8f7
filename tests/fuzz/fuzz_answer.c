/* fuzz_answer.c - the answer parser on any bytes. */
#include "dataset/answer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    pie_answer answer, again;
    if (pie_answer_parse((const char *)bytes, n, &answer) != PIE_OK)
        return 0;
    if (!answer.how || (answer.code.n > 0) == (answer.reason != NULL))
        abort(); /* a program or a reason, never both */
    if (answer.code.n > 0 && answer.code.data[answer.code.n - 1] != '\n')
        abort();
    /* a program holds nothing that was not in the reply, but for the last end of line */
    if (answer.code.n > n + 1)
        abort();
    if (pie_answer_parse((const char *)bytes, n, &again) == PIE_OK) {
        if (again.code.n != answer.code.n || again.how != answer.how ||
            again.reason != answer.reason ||
            (again.code.n > 0 && memcmp(again.code.data, answer.code.data, again.code.n) != 0))
            abort();
        pie_answer_free(&again);
    }
    pie_answer_free(&answer);
    return 0;
}
