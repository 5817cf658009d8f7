/* scan.h - what a report needs of one result record, read without building a JSON tree: a million
 * records are read twice within seconds. */
#ifndef PIE_REPORT_SCAN_H
#define PIE_REPORT_SCAN_H

#include "base/buf.h"
#include "pie/metric.h"

#include <stdbool.h>

/* A JSON string as it stands between its quotes; @text NULL: null or absent. */
typedef struct pie_slice {
    const char *text;
    size_t n;
    bool escaped; /* holds backslashes: see pie_slice_text() */
} pie_slice;

typedef struct pie_scanned_test {
    pie_test_info info;
    int32_t verdict;
    /* Infinite: unknown. */
    double cycles, startup_cycles, os_cycles, instructions, peak_bytes, seconds;
} pie_scanned_test;

typedef struct pie_scanned {
    bool is_result; /* false: a record of another type; nothing else is set */
    int64_t row, index;
    int32_t role, verdict;
    pie_slice problem_id, src_id, id, reference_role;
    pie_slice source, key; /* digests */
    double text_bytes;     /* 0: unknown */
    bool has_tests;        /* false: it never ran */
    pie_scanned_test *tests;
    size_t n_tests, capacity;
} pie_scanned;

/* @scanned: all zero the first time; its memory is used again. Slices point into @text.
 * PIE_ERR_DATA: no result record of this format; PIE_ERR_NOMEM. */
pie_status pie_record_scan(const char *text, size_t n, pie_scanned *scanned);
void pie_scanned_free(pie_scanned *scanned);

/* The string's real text, appended. PIE_ERR_DATA: a malformed escape. */
pie_status pie_slice_text(const pie_slice *slice, pie_buf *buf);
bool pie_slice_is(const pie_slice *slice, const char *text);

#endif
