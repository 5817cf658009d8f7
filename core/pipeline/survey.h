/* survey.h - one pass over the dataset before anything runs: is it whole, how much is it, what is
 * its digest. One row in memory at a time. */
#ifndef PIE_PIPELINE_SURVEY_H
#define PIE_PIPELINE_SURVEY_H

#include "base/digest.h"
#include "dataset/dataset.h"

/* Which rows a run takes: --only and --limit. */
typedef struct pie_selection {
    const char *only; /* comma-separated problem_id or problem_id/src_id; NULL = all */
    int64_t limit;    /* rows of the dataset, counted before --only; -1 = all */
} pie_selection;

bool pie_selection_takes(const pie_selection *selection, const pie_dataset_row *row);

typedef struct pie_survey {
    pie_digest digest; /* over all rows and the contents of their tests, selected or not */
    size_t n_rows;     /* selected */
    size_t n_targets, n_references; /* of them */
    size_t n_tests;                 /* sum over selected rows */
    size_t n_all_rows;
} pie_survey;

/* PIE_ERR_CONFIG: malformed rows or missing tests (each logged, ten at most, then how to list them
 * all).
 * @tests_folder NULL: logged, PIE_ERR_CONFIG. */
pie_status pie_survey_take(const char *path, const char *tests_folder,
                           const pie_selection *selection, const pie_log *log,
                           pie_survey *ret_survey);

#endif
