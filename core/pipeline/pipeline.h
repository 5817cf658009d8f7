/* pipeline.h - the whole way of an evaluation, and what its processes share.
 *
 *   coordinator  reads the dataset, hands out work, writes all records; calls no plugin
 *   generator    prompts and backends (one process)
 *   workers      compiler, tracer, CPU model, output check (run.jobs processes)
 *   report       metrics (core/report)
 *
 * The processes are forked from the coordinator, so they share its settings by inheritance and talk
 * over channels. Texts travel as blobs of the run folder. */
#ifndef PIE_PIPELINE_H
#define PIE_PIPELINE_H

#include "config/config.h"
#include "store/store.h"

typedef struct pie_run_options {
    const char *out;  /* run folder */
    const char *only; /* comma-separated problem_ids or problem_id/src_id; NULL = all */
    int64_t limit;    /* rows of the dataset; -1 = all */
    bool dry_run;
    bool progress;
} pie_run_options;

/* What a run came to, for exit codes. */
typedef struct pie_run_summary {
    size_t n_rows;        /* selected */
    size_t n_programs;    /* sources, targets, references and samples of them */
    size_t n_samples;     /* of n_programs: what a backend is asked for */
    size_t n_tests;       /* tests of one program per row, summed over rows */
    size_t n_measured;    /* of them with a result that is final */
    size_t n_reused;      /* were already recorded when the run started */
    size_t n_infra;       /* could not be measured */
    size_t n_unanswered;  /* of n_samples, in this call: the backend had no answer */
    bool baseline_passed; /* some source passed all of its tests */
    int signal;           /* stopped by SIGINT or SIGTERM, else 0 */
} pie_run_summary;

/* Measure everything that is not recorded yet. PIE_ERR_CONFIG: bad dataset, another configuration
 * in the folder (differing keys logged). PIE_ERR_UNAVAILABLE: compiler or qemu missing. Returns
 * PIE_OK when it came to its end, however many samples failed. */
pie_status pie_run(const pie_config *config, const pie_run_options *options, const pie_log *log,
                   pie_run_summary *ret_summary);

/* ---- inside the pipeline ---- */

/* What the processes inherit. All borrowed. */
typedef struct pie_pipeline {
    const pie_config *config;
    pie_store *store;
    const char *tests_folder;
    const char *scratch; /* private folder for work files */
    const pie_log *log;
} pie_pipeline;

/* Main functions of the processes: they own @fd, return an exit status and never free what is
 * shared. A worker answers "ready" (or "failed" with status and message) first. */
int pie_worker_main(const pie_pipeline *pipeline, int fd);
int pie_generator_main(const pie_pipeline *pipeline, int fd);

#endif
