/* metric_run.h - metrics over a stream of problems, in a process of their own.
 *
 * A metric that crashes, hangs or fails is named and left out; the others are computed as if it had
 * not been there. */
#ifndef PIE_REPORT_METRIC_RUN_H
#define PIE_REPORT_METRIC_RUN_H

#include "config/config.h"
#include "pie/metric.h"

#include <jansson.h>

enum { PIE_METRIC_HANG_MS = 60000 };

/* One metric to run. */
typedef struct pie_metric_job {
    const pie_choice *choice; /* opened in the report process */
    const pie_plugin
        *plugin; /* instead of @choice: one that is here already; its create() gets no host */
} pie_metric_job;

typedef struct pie_problem_source {
    void *context;
    /* PIE_ERR_AGAIN: that was the last one. Called in the report process. */
    pie_status (*next)(void *context, const pie_problem **ret_problem);
    size_t n_problems;   /* how many there are */
    int64_t max_samples; /* of any row */
} pie_problem_source;

/* *@ret_summary: [{"metric","name","column","k","value","unit","direction","interval","rule"}], in
 * the order of @jobs. *@ret_failures: ["metric org.x.y: what happened"]. New references.
 * PIE_ERR_CRASHED (logged): the report process died outside of any metric. Other errors are the
 * source's. A metric that does not come back within @hang_ms counts as hanging. */
pie_status pie_metrics_run(const pie_metric_job *jobs, size_t n_jobs,
                           const pie_problem_source *source, int64_t hang_ms, const pie_log *log,
                           json_t **ret_summary, json_t **ret_failures);

#endif
