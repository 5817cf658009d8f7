/* fuzz_dataset.c - the dataset reader on any file. */
#include "dataset/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A row has what its type promises. */
static void check_row(const pie_dataset_row *row)
{
    if (!row->problem_id || !*row->problem_id || strchr(row->problem_id, '/') ||
        strcmp(row->problem_id, "..") == 0 || !row->src_id || !*row->src_id || !row->src_code ||
        !*row->src_code || !row->language || row->n_tests == 0)
        abort();
    for (size_t i = 0; i < row->n_tests; i++)
        if (row->tests[i].number < 0 || !(row->tests[i].weight >= 0) || row->tests[i].level < 0 ||
            (i > 0 && row->tests[i].number <= row->tests[i - 1].number))
            abort();
    for (size_t i = 0; i < row->n_references; i++)
        if (!row->references[i].id || !row->references[i].role || !row->references[i].code)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char path[64];
    pie_dataset *dataset = NULL;
    const pie_dataset_row *row = NULL;
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (pie_dataset_open(path, &pie_log_none, &dataset) == PIE_OK) {
        for (pie_status status = PIE_OK; status == PIE_OK || status == PIE_ERR_DATA;) {
            status = pie_dataset_next(dataset, &row);
            if (status == PIE_OK)
                check_row(row);
        }
        pie_dataset_close(dataset);
    }
    char spelling[65];
    const size_t n_spelling = n < 64 ? n : 64;
    memcpy(spelling, bytes, n_spelling);
    spelling[n_spelling] = '\0';
    pie_language_of(spelling);
    close(fd);
    return 0;
}
