/* problems.h - the problems of a run as metrics see them, read again from the records one at a
 * time. */
#ifndef PIE_REPORT_PROBLEMS_H
#define PIE_REPORT_PROBLEMS_H

#include "report/census.h"

typedef struct pie_problem_reader pie_problem_reader;

/* @n_samples: every row gets that many; those without a record have verdict PIE_VERDICT_NONE. Store
 * and census are borrowed. PIE_ERR_NOMEM. */
pie_status pie_problem_reader_new(pie_store *store, const pie_census *census, int64_t n_samples,
                                  bool total_time, pie_problem_reader **ret_reader);
void pie_problem_reader_free(pie_problem_reader *reader);
/* Valid until the next call. PIE_ERR_AGAIN: that was the last one. */
pie_status pie_problem_reader_next(pie_problem_reader *reader, const pie_problem **ret_problem);

#endif
