/* report_private.h - what build and render share. */
#ifndef PIE_REPORT_PRIVATE_H
#define PIE_REPORT_PRIVATE_H

#include "report/census.h"
#include "report/report.h"

struct pie_report {
    json_t *head; /* all but "problems" */
    pie_census *census;
    size_t *dataset_order; /* [n_rows] positions in census->rows */
    int64_t n_samples;     /* of every row */
    pie_report_state state;
    char *name; /* of the run: the path of its folder as given */
};

/* Source over program; NaN unless both were measured. */
double pie_report_ratio(double source_cycles, double cycles);
/* Of the part after start-up; NaN when it is not known. */
double pie_report_ratio_after_startup(const pie_counted *source, const pie_counted *program);

/* A number as JSON: whole ones below 2^53 without a point, others so that they read back the same;
 * null when it is not finite. */
pie_status pie_report_number(double value, pie_buf *out);

pie_status pie_report_json_text(const pie_report *report, pie_buf *out);

#endif
