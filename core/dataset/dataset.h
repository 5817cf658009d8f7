/* dataset.h - PIE's dataset layout, streamed row by row. See docs/dataset.md.
 *
 * JSONL rows: problem_id, src_id, src_code, tgt_id, tgt_code, tests (list of integers), language in
 * any spelling; optional public_tests, test_levels, test_weights, references, description. Tests as
 * TESTS/<problem_id>/input.<N>.txt and output.<N>.txt. One row in memory at a time. */
#ifndef PIE_DATASET_H
#define PIE_DATASET_H

#include "base/buf.h"
#include "base/log.h"

#include <stdbool.h>

typedef struct pie_dataset_test {
    int64_t number;
    int32_t level;  /* 0 unless test_levels says otherwise */
    bool is_public; /* named in public_tests */
    double weight;  /* 1 unless test_weights says otherwise */
} pie_dataset_test;

typedef struct pie_dataset_reference {
    const char *id, *role, *code; /* never NULL */
} pie_dataset_reference;

/* Owned by the reader; valid until the next row. Strings that a row may leave out are NULL. */
typedef struct pie_dataset_row {
    size_t line;      /* in the file, from 1 */
    size_t ordinal;   /* of the well-formed row, from 0 */
    const char *text; /* the line as it stands in the file, without its line end */
    size_t n_text;
    const char *problem_id, *src_id, *src_code; /* never NULL or "" */
    const char *tgt_id, *tgt_code;
    const char *language; /* "c++" or "c" */
    const char *description;
    const pie_dataset_test *tests; /* ascending number, no doubles, at least one */
    size_t n_tests;
    const pie_dataset_reference *references;
    size_t n_references;
} pie_dataset_row;

typedef struct pie_dataset pie_dataset;
/* PIE_ERR_IO logged. @log is borrowed and must outlive the reader. */
pie_status pie_dataset_open(const char *path, const pie_log *log, pie_dataset **ret_dataset);
void pie_dataset_close(pie_dataset *dataset); /* NULL is allowed */
/* PIE_ERR_AGAIN: end of the file. PIE_ERR_DATA: this row is malformed, "FILE:LINE: what" was
 * logged; the reader goes on behind it. PIE_ERR_NOMEM, PIE_ERR_IO. A problem_id or src_id that is
 * no plain file name component ("..", "/", control characters, more than 200 bytes) is malformed.
 */
pie_status pie_dataset_next(pie_dataset *dataset, const pie_dataset_row **ret_row);
/* Line of the row, or of the malformed row, that was read last. */
size_t pie_dataset_line(const pie_dataset *dataset);
/* Back to the first row. What cannot be rewound (a pipe) gives PIE_ERR_IO at the next row. */
void pie_dataset_rewind(pie_dataset *dataset);

/* Any spelling ("C++", "cpp", "GNU C++17", "c", "C11") to "c++" or "c"; NULL if it is neither. */
const char *pie_language_of(const char *spelling);

/* Path of input or output of a test, in fresh memory; NULL = no memory. */
char *pie_dataset_test_path(const char *tests_folder, const char *problem_id, int64_t number,
                            bool output);

#endif
