/* coordinator.h - what the files of the coordinator share: run.c (start, loop, end), schedule.c
 * (queue, reuse, rows), ledger.c (keys and records), workers.c, dialogues.c (the generator's side).
 */
#ifndef PIE_PIPELINE_COORDINATOR_H
#define PIE_PIPELINE_COORDINATOR_H

#include "pipeline/index.h"
#include "pipeline/pipeline.h"
#include "pipeline/process.h"
#include "pipeline/survey.h"
#include "pipeline/work.h"

#include <time.h>

enum {
    OPEN_ROWS_MAX = 256,
    GENERATING_MAX =
        64, /* samples at the generator; a backend bounds its own requests below that */
    WORKERS_MAX = 1024,
    WORKER_DEATHS_MAX = 1000 /* of one run: beyond it something is wrong with the machine */
};

typedef struct pie_worker_slot {
    pie_process process;
    char name[32];
    bool ready, measuring;
    pie_work *work;
} pie_worker_slot;

typedef struct pie_coordinator {
    const pie_config *config;
    const pie_run_options *options;
    const pie_log *log;
    pie_run_summary summary;
    pie_selection selection;
    pie_survey survey;
    pie_dataset *dataset;
    bool dataset_ended;
    pie_store *store;
    pie_store_writer *writer;
    char *scratch;
    json_t *run_json;
    char *simulation_context; /* what a simulation depends on beside program, input and budget */
    pie_pipeline pipeline;
    int lock_fd, signal_fd;
    sigset_t old_signals;
    pie_worker_slot *workers;
    size_t n_workers, n_worker_deaths;
    pie_process generator;
    bool generator_ready;
    pie_index done;     /* program of a row -> its final record */
    pie_index builds;   /* language and source -> a record with its build */
    pie_index measures; /* problem and simulation key -> a record with its result */
    pie_work_row *rows; /* open, oldest first */
    size_t n_open_rows, n_programs;
    pie_work *ready, **ready_end;
    size_t n_ready;
    uint64_t next_job;
    struct timespec started, shown;
} pie_coordinator;

/* ---- ledger.c: keys, and the records under them ---- */

pie_status pie_coordinator_program_key(const char *problem_id, const char *src_id, size_t row,
                                       const char *role, int64_t index, pie_key *ret_key);
pie_status pie_coordinator_build_key(const char *language, const char *code, pie_key *ret_key);
/* Tests that @work runs on: all of its row, or the public ones for a dialogue. Borrowed. */
const json_t *pie_coordinator_tests(const pie_work *work);
/* @work is measured within a budget, if its source passed. */
bool pie_coordinator_has_budget(const pie_coordinator *self, const pie_work *work);
/* Budget per test: limits.cycles_ratio times the source on that test. NULL: none. New reference. */
json_t *pie_coordinator_cycle_limits(const pie_coordinator *self, const pie_work *work);
/* Tests go on after a failed one. */
bool pie_coordinator_runs_all_tests(const pie_coordinator *self);
/* Once @work is built: which measurement it is. */
pie_status pie_coordinator_set_measure_key(const pie_coordinator *self, pie_work *work);
/* The record of @work. @result: what the worker measured, NULL without. New reference, NULL = no
 * memory. */
json_t *pie_coordinator_make_record(const pie_coordinator *self, const pie_work *work,
                                    const char *verdict, const json_t *result, const char *reason);
/* Make a written record findable by all of its keys. */
pie_status pie_coordinator_index_record(pie_coordinator *self, const json_t *record,
                                        pie_record_place place);

/* ---- schedule.c: what is done next, what need not be done, what it means that something is done
 * ---- */

pie_work *pie_coordinator_take_ready(pie_coordinator *self);
/* Into the queue; everything but the source first waits for the source, which sets the budget. */
void pie_coordinator_ready_or_wait(pie_coordinator *self, pie_work *work);
/* Park @work until @leader is done. */
void pie_coordinator_follow(pie_work *leader, pie_work *work);
/* Write the record, let go who waited for it. */
pie_status pie_coordinator_finish(pie_coordinator *self, pie_work *work, const char *verdict,
                                  const json_t *result, const char *reason);
/* Pie's own failure: once more, then infra_error for this program alone. */
pie_status pie_coordinator_fail(pie_coordinator *self, pie_work *work, const char *why);
/* A program with the same source or the same binary that is at a worker, or NULL. */
pie_work *pie_coordinator_find_leader(const pie_coordinator *self, const pie_work *work);
/* The record with the measurement that @work would make; *@ret_record NULL: none. New reference. */
pie_status pie_coordinator_find_measured(pie_coordinator *self, const pie_work *work,
                                         json_t **ret_record);
/* Finish or park @work without a worker, from what is known. *@ret_settled: that was done. */
pie_status pie_coordinator_settle(pie_coordinator *self, pie_work *work, bool *ret_settled);
/* There is room for more rows, and there may be more. */
bool pie_coordinator_wants_rows(const pie_coordinator *self);
pie_status pie_coordinator_open_rows(pie_coordinator *self);
/* Forget the rows that are done. */
void pie_coordinator_close_rows(pie_coordinator *self);

/* ---- workers.c ---- */

pie_status pie_coordinator_start_worker(pie_coordinator *self, pie_worker_slot *slot);
/* Give the worker something to do, if it is idle and there is something. */
pie_status pie_coordinator_dispatch(pie_coordinator *self, pie_worker_slot *slot);
/* Hear what the worker has to say; replace it when it died. */
pie_status pie_coordinator_serve_worker(pie_coordinator *self, pie_worker_slot *slot);

/* ---- dialogues.c: the generator's side ---- */

pie_status pie_coordinator_start_generator(pie_coordinator *self);
/* Ask for samples of the open rows, as many as it may have under way. */
pie_status pie_coordinator_feed_generator(pie_coordinator *self);
pie_status pie_coordinator_serve_generator(pie_coordinator *self);

/* ---- run.c ---- */

/* The first worker is ready and says which toolchain there is: claim the folder, read its records.
 */
pie_status pie_coordinator_begin(pie_coordinator *self, const json_t *ready);
/* @what told why it cannot start: the status to end with, never PIE_OK. */
pie_status pie_coordinator_not_started(const pie_coordinator *self, const char *what,
                                       const json_t *message);
/* Log "out of memory"; PIE_ERR_NOMEM. */
pie_status pie_coordinator_nomem(const pie_coordinator *self);
/* String member of an object, NULL if it is none. Borrowed. */
const char *pie_text_of(const json_t *object, const char *key);

#endif
