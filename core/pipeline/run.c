/* run.c - the coordinator: one loop over the channels of its processes. It opens rows of the
 * dataset in order, a window at a time, hands programs to workers, and writes every record itself,
 * so a record is there exactly when its sample is finished. Whatever a plugin does happens in
 * another process. */
#include "pipeline/coordinator.h"

#include "base/file.h"
#include "pipeline/identity.h"
#include "pipeline/index.h"
#include "pipeline/pipeline.h"
#include "pipeline/process.h"
#include "pipeline/record.h"
#include "pipeline/survey.h"
#include "pipeline/work.h"
#include "trace/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

pie_status pie_coordinator_nomem(const pie_coordinator *self)
{
    return pie_log_nomem(self->log);
}

pie_status pie_coordinator_not_started(const pie_coordinator *self, const char *what,
                                       const json_t *message)
{
    const json_int_t status = json_integer_value(json_object_get(message, "status"));
    /* The reason was logged there, unless a plugin kept it to itself. */
    pie_log_error(self->log, "%s could not start", what);
    return status < 0 && status > INT32_MIN ? (pie_status)status : PIE_ERR_CRASHED;
}

/* ---- progress ---- */

static double seconds_between(const struct timespec *from, const struct timespec *to)
{
    return (double)(to->tv_sec - from->tv_sec) + (double)(to->tv_nsec - from->tv_nsec) * 1e-9;
}

static void show_progress(pie_coordinator *self, bool last)
{
    if (!self->options->progress)
        return;
    const bool terminal = isatty(STDERR_FILENO);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!last && seconds_between(&self->shown, &now) < (terminal ? 0.2 : 10.0))
        return;
    self->shown = now;
    const size_t done = self->summary.n_measured + self->summary.n_infra;
    const double elapsed = seconds_between(&self->started, &now);
    const double rate = elapsed > 0 ? (double)(done - self->summary.n_reused) / elapsed : 0;
    char left[48] = "";
    if (rate > 0 && done < self->summary.n_programs)
        snprintf(left, sizeof left, ", %.0f s left",
                 (double)(self->summary.n_programs - done) / rate);
    fprintf(stderr, "%spie: %zu of %zu programs measured, %.1f/s%s%s", terminal ? "\r\x1b[K" : "",
            done, self->summary.n_programs, rate, left, terminal && !last ? "" : "\n");
    fflush(stderr);
}

/* ---- start and end ---- */

static pie_status take_record(void *context, const char *text, size_t n,
                              const pie_record_place *place)
{
    pie_coordinator *self = context;
    json_t *record = json_loadb(text, n, 0, NULL);
    const char *type = pie_text_of(record, "type"), *verdict = pie_text_of(record, "verdict");
    pie_status status = PIE_OK;
    if (type && strcmp(type, "result") == 0 && verdict && strcmp(verdict, "infra_error") != 0 &&
        pie_text_of(record, "problem_id") && pie_text_of(record, "src_id") &&
        pie_text_of(record, "role"))
        status = pie_coordinator_index_record(self, record, *place);
    json_decref(record);
    return status;
}

/* The first worker knows the toolchain: now the folder can be claimed and work begin. */
pie_status pie_coordinator_begin(pie_coordinator *self, const json_t *ready)
{
    size_t torn = 0;
    pie_status status =
        pie_identity_make(self->config, &self->survey, pie_text_of(ready, "compiler"),
                          pie_text_of(ready, "engine"), self->log, &self->run_json);
    if (status == PIE_OK)
        status = pie_identity_claim(self->store, self->config, self->run_json, self->log);
    if (status == PIE_OK)
        status = pie_store_scan(self->store, take_record, self, &torn);
    if (status == PIE_OK && torn > 0)
        pie_log_info(self->log, "%zu torn records of an interrupted run are measured again", torn);
    if (status == PIE_OK)
        status = pie_store_writer_new(self->store, "run", &self->writer);
    if (status != PIE_OK)
        return status;
    const json_t *identity = json_object_get(self->run_json, "identity"),
                 *config = json_object_get(identity, "config");
    json_t *context =
        json_pack("[O,O,O?,O?,b]", json_object_get(identity, "engine"),
                  json_object_get(identity, "environment"), json_object_get(config, "uarch"),
                  json_object_get(config, "limits"), pie_coordinator_runs_all_tests(self));
    self->simulation_context =
        context ? json_dumps(context, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17))
                : NULL;
    json_decref(context);
    clock_gettime(CLOCK_MONOTONIC, &self->started);
    return self->simulation_context ? PIE_OK : pie_coordinator_nomem(self);
}

static pie_status open_everything(pie_coordinator *self)
{
    const pie_settings *dataset = pie_config_group(self->config, "dataset"),
                       *run = pie_config_group(self->config, "run");
    pie_status status = pie_store_open(self->options->out, true, self->log, &self->store);
    if (status != PIE_OK)
        return status;
    self->lock_fd = open(self->options->out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->lock_fd < 0)
        return pie_log_errno(self->log, self->options->out);
    if (flock(self->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        pie_log_error(self->log, "%s: another pie run is working in this folder",
                      self->options->out);
        return PIE_ERR_CONFIG;
    }
    const char *scratch = pie_settings_string(run, "scratch");
    self->scratch =
        scratch ? pie_path_join(scratch, "pie-XXXXXX") : pie_path_join(self->options->out, "tmp");
    if (!self->scratch)
        return pie_coordinator_nomem(self);
    char *absolute = NULL;
    if (scratch) { /* may be a place that others write to: a name that nobody can guess */
        status = pie_folder_make(scratch, self->log);
        if (status == PIE_OK && !mkdtemp(self->scratch))
            status = pie_log_errno(self->log, scratch);
    } else { /* left behind by a run that was killed */
        status = pie_folder_remove(self->scratch, self->log);
        if (status == PIE_OK)
            status = pie_folder_make(self->scratch, self->log);
    }
    if (status == PIE_OK && !(absolute = realpath(self->scratch, NULL)))
        status = pie_log_errno(self->log, self->scratch);
    if (status != PIE_OK)
        return status;
    free(self->scratch);
    self->scratch = absolute;
    self->pipeline = (pie_pipeline){.config = self->config,
                                    .store = self->store,
                                    .tests_folder = pie_settings_string(dataset, "tests"),
                                    .scratch = self->scratch,
                                    .log = self->log};
    return pie_dataset_open(pie_settings_string(dataset, "path"), self->log, &self->dataset);
}

static pie_status start_processes(pie_coordinator *self)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, &self->old_signals);
    self->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (self->signal_fd < 0)
        return pie_log_errno(self->log, "signalfd");
    const int64_t jobs = pie_settings_int(pie_config_group(self->config, "run"), "jobs");
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    const int64_t asked = jobs > 0 ? jobs : online;
    const size_t wanted = asked < 1 ? 1 : asked > WORKERS_MAX ? WORKERS_MAX : (size_t)asked;
    self->workers = calloc(wanted, sizeof *self->workers);
    if (!self->workers)
        return pie_coordinator_nomem(self);
    pie_status status = PIE_OK;
    for (size_t i = 0; status == PIE_OK && i < wanted; i++) {
        pie_worker_slot *slot = &self->workers[i];
        snprintf(slot->name, sizeof slot->name, "worker %zu", i + 1);
        slot->process.name = slot->name;
        status = pie_coordinator_start_worker(self, slot);
        self->n_workers += status == PIE_OK;
    }
    if (status == PIE_OK && pie_config_backend(self->config))
        status = pie_coordinator_start_generator(self);
    return status;
}

/* One turn: wait until some process has something to say, hear it, hand out work. */
static pie_status turn(pie_coordinator *self)
{
    struct pollfd waits[WORKERS_MAX + 2];
    size_t n = 0;
    waits[n++] = (struct pollfd){self->signal_fd, POLLIN, 0};
    for (size_t i = 0; i < self->n_workers; i++) {
        const pie_channel *channel = self->workers[i].process.channel;
        waits[n++] =
            (struct pollfd){pie_channel_fd(channel),
                            (short)(POLLIN | (pie_channel_wants_write(channel) ? POLLOUT : 0)), 0};
    }
    if (self->generator.channel)
        waits[n++] = (struct pollfd){
            pie_channel_fd(self->generator.channel),
            (short)(POLLIN | (pie_channel_wants_write(self->generator.channel) ? POLLOUT : 0)), 0};
    /* Rows that are all known need no worker, so nobody would wake us for the next ones. */
    const int timeout_ms = self->run_json && pie_coordinator_wants_rows(self) ? 0 : 1000;
    if (poll(waits, n, timeout_ms) < 0 && errno != EINTR)
        return pie_log_errno(self->log, "poll");
    struct signalfd_siginfo signal;
    if (read(self->signal_fd, &signal, sizeof signal) == (ssize_t)sizeof signal) {
        self->summary.signal = (int)signal.ssi_signo;
        return PIE_OK;
    }
    pie_status status = PIE_OK;
    for (size_t i = 0; status == PIE_OK && i < self->n_workers; i++) {
        pie_channel_flush(self->workers[i].process.channel);
        status = pie_coordinator_serve_worker(self, &self->workers[i]);
    }
    if (status == PIE_OK && self->generator.channel) {
        pie_channel_flush(self->generator.channel);
        status = pie_coordinator_serve_generator(self);
    }
    if (status != PIE_OK || !self->run_json)
        return status;
    status = pie_coordinator_open_rows(self);
    if (status == PIE_OK && self->generator.channel && self->generator_ready)
        status = pie_coordinator_feed_generator(self);
    for (size_t i = 0; status == PIE_OK && i < self->n_workers; i++)
        status = pie_coordinator_dispatch(self, &self->workers[i]);
    pie_coordinator_close_rows(self);
    show_progress(self, false);
    return status;
}

static void close_everything(pie_coordinator *self)
{
    for (size_t i = 0; i < self->n_workers; i++)
        pie_process_end(&self->workers[i].process, NULL, 0);
    pie_process_end(&self->generator, NULL, 0);
    free(self->workers);
    while (self->rows) {
        pie_work_row *row = self->rows;
        self->rows = row->next;
        pie_work_row_free(row);
    }
    pie_index_free(&self->done);
    pie_index_free(&self->builds);
    pie_index_free(&self->measures);
    pie_store_writer_close(self->writer);
    pie_dataset_close(self->dataset);
    if (self->scratch)
        pie_folder_remove(self->scratch, self->log);
    free(self->scratch);
    free(self->simulation_context);
    json_decref(self->run_json);
    pie_store_close(self->store);
    if (self->lock_fd >= 0)
        close(self->lock_fd);
    if (self->signal_fd >= 0) {
        close(self->signal_fd);
        sigprocmask(SIG_SETMASK, &self->old_signals, NULL);
    }
}

pie_status pie_run(const pie_config *config, const pie_run_options *options, const pie_log *log,
                   pie_run_summary *ret_summary)
{
    const pie_settings *dataset = pie_config_group(config, "dataset");
    pie_coordinator self = {.config = config,
                            .options = options,
                            .log = log,
                            .selection = {options->only, options->limit},
                            .lock_fd = -1,
                            .signal_fd = -1,
                            .next_job = 1};
    self.ready_end = &self.ready;
    pie_status status =
        pie_survey_take(pie_settings_string(dataset, "path"), pie_settings_string(dataset, "tests"),
                        &self.selection, log, &self.survey);
    if (status != PIE_OK)
        return status;
    const pie_survey *survey = &self.survey;
    const size_t samples =
        pie_config_backend(config)
            ? (size_t)pie_settings_int(pie_config_plugin_group(config, "backend"), "samples")
            : 0;
    self.summary.n_rows = survey->n_rows;
    self.summary.n_samples = survey->n_rows * samples;
    self.summary.n_programs =
        survey->n_rows * (1 + samples) + survey->n_targets + survey->n_references;
    self.summary.n_tests = survey->n_tests;
    if (!options->dry_run && survey->n_rows > 0) {
        status = open_everything(&self);
        if (status == PIE_OK)
            status = start_processes(&self);
        /* Stopped by a signal: what is finished is written. */
        while (status == PIE_OK && !self.summary.signal &&
               !(self.run_json && self.dataset_ended && !self.rows))
            status = turn(&self);
        if (self.writer)
            show_progress(&self, true);
        close_everything(&self);
    }
    *ret_summary = self.summary;
    return status;
}
