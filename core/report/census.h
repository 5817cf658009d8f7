/* census.h - which programs a run folder holds records of: one entry each, small enough for a
 * million, in an order that does not depend on who wrote what when. */
#ifndef PIE_REPORT_CENSUS_H
#define PIE_REPORT_CENSUS_H

#include "report/scan.h"
#include "store/store.h"

/* A program of a row, by the record that counts. Cycles are sums over its tests, infinite when the
 * program did not pass or some are unknown. */
typedef struct pie_counted {
    double cycles;         /* by the `time` setting */
    double startup_cycles; /* user mode; part of user_cycles */
    double user_cycles,
        total_cycles;      /* without and with what the operating system is charged for */
    uint64_t key, content; /* hashes: what was simulated (0: nothing), what came of it */
    pie_record_place place;
    uint32_t row; /* position in pie_census.rows */
    int32_t index;
    uint8_t role, verdict;
    bool censored; /* passed, but some cycles are unknown */
} pie_counted;

typedef struct pie_counted_row {
    int64_t ordinal; /* in the dataset */
    const char *problem_id, *src_id;
    uint32_t problem;         /* rank by first appearance */
    size_t first, n_programs; /* in pie_census.programs */
} pie_counted_row;

/* Two records of the same simulation that differ. */
typedef struct pie_disagreement {
    pie_counted a, b;
} pie_disagreement;

enum { PIE_DISAGREEMENTS_KEPT = 20 };

typedef struct pie_census {
    pie_counted_row *rows; /* by problem, then ordinal */
    size_t n_rows, n_problems;
    pie_counted *programs; /* by row, role, index: one each */
    size_t n_programs;
    int64_t max_samples; /* greatest index of a sample + 1 */
    size_t n_torn, n_malformed;
    size_t
        n_replaced; /* programs with several results that differ and are not the same simulation */
    pie_disagreement disagreements[PIE_DISAGREEMENTS_KEPT];
    size_t n_disagreements; /* of which at most PIE_DISAGREEMENTS_KEPT are kept */
    struct pie_arena *texts;
} pie_census;

/* Scan the store. @total_time: the `time` setting is "total". PIE_ERR_CONFIG (logged): records of
 * two datasets. */
pie_status pie_census_take(pie_store *store, bool total_time, const pie_log *log,
                           pie_census **ret_census);
void pie_census_free(pie_census *census);

/* The program of @row with this role and index, or NULL. */
const pie_counted *pie_census_find(const pie_census *census, const pie_counted_row *row,
                                   int32_t role, int64_t index);

/* What metrics get as cycles of a test: infinite when unknown. */
double pie_scanned_time(const pie_scanned_test *test, bool total_time);

#endif
