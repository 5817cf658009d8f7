/* workers.c - the coordinator's side of its workers. */
#include "pipeline/coordinator.h"

#include "base/file.h"
#include "pipeline/identity.h"
#include "pipeline/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

pie_status pie_coordinator_start_worker(pie_coordinator *self, pie_worker_slot *slot)
{
    int fds[WORKERS_MAX + 4];
    size_t n = 0;
    fds[n++] = self->lock_fd;
    fds[n++] = self->signal_fd;
    if (self->generator.channel)
        fds[n++] = pie_channel_fd(self->generator.channel);
    for (size_t i = 0; i < self->n_workers; i++)
        if (self->workers[i].process.channel)
            fds[n++] = pie_channel_fd(self->workers[i].process.channel);
    fds[n] = -1;
    slot->ready = slot->measuring = false;
    slot->work = NULL;
    return pie_process_start(&slot->process, pie_worker_main, &self->pipeline, &self->old_signals,
                             fds, self->log);
}

pie_status pie_coordinator_dispatch(pie_coordinator *self, pie_worker_slot *slot)
{
    while (slot->ready && !slot->work) {
        pie_work *work = pie_coordinator_take_ready(self);
        if (!work)
            return PIE_OK;
        bool settled = false;
        pie_status status = pie_coordinator_settle(self, work, &settled);
        if (status != PIE_OK)
            return status;
        if (settled)
            continue;
        work->state = PIE_PROGRAM_RUNNING;
        work->job = self->next_job++;
        slot->work = work;
        slot->measuring = false;
        status = pie_channel_send(
            slot->process.channel,
            json_pack("{s:s,s:I,s:s,s:s,s:s,s:O}", "do", "measure", "job", (json_int_t)work->job,
                      "problem_id", work->row->problem_id, "language", work->row->language,
                      "source", work->code, "tests", pie_coordinator_tests(work)));
        return status == PIE_ERR_CRASHED ? PIE_OK : status; /* its end is seen when it is read */
    }
    return PIE_OK;
}

static pie_status take_built(pie_coordinator *self, pie_worker_slot *slot, const json_t *message)
{
    pie_work *work = slot->work;
    const char *verdict = pie_text_of(message, "verdict");
    json_decref(work->build);
    work->build = json_pack(
        "{s:s,s:O,s:O,s:O,s:O,s:O}", "language", work->row->language, "verdict",
        json_object_get(message, "verdict"), "elf", json_object_get(message, "elf"), "text_bytes",
        json_object_get(message, "text_bytes"), "messages", json_object_get(message, "messages"),
        "reason", json_object_get(message, "reason"));
    if (!work->build || !verdict)
        return pie_coordinator_nomem(self);
    if (strcmp(verdict, "infra_error") == 0) {
        slot->work = NULL;
        return pie_coordinator_fail(self, work, pie_text_of(message, "reason"));
    }
    if (strcmp(verdict, "passed") != 0) {
        slot->work = NULL;
        return pie_coordinator_finish(self, work, verdict, NULL, NULL);
    }
    json_t *measured = NULL;
    pie_status status = pie_coordinator_set_measure_key(self, work);
    if (status == PIE_OK)
        status = pie_coordinator_find_measured(self, work, &measured);
    if (status != PIE_OK)
        return status;
    pie_work *leader = measured ? NULL : pie_coordinator_find_leader(self, work);
    if (measured || leader) {
        slot->work = NULL;
        status = pie_channel_send(slot->process.channel, json_pack("{s:s}", "do", "drop"));
        if (leader)
            pie_coordinator_follow(leader, work);
        else if (status == PIE_OK || status == PIE_ERR_CRASHED)
            status = pie_coordinator_finish(self, work, pie_text_of(measured, "verdict"), measured,
                                            NULL);
        json_decref(measured);
        return status == PIE_ERR_CRASHED ? PIE_OK : status;
    }
    slot->measuring = true;
    json_t *limits = pie_coordinator_cycle_limits(self, work);
    status = pie_channel_send(slot->process.channel,
                              json_pack("{s:s,s:o,s:b}", "do", "go", "cycle_limits",
                                        limits ? limits : json_array(), "all_tests",
                                        pie_coordinator_runs_all_tests(self)));
    return status == PIE_ERR_CRASHED ? PIE_OK : status;
}

static pie_status take_worker_message(pie_coordinator *self, pie_worker_slot *slot,
                                      const json_t *message)
{
    const char *event = pie_text_of(message, "event");
    if (event && strcmp(event, "failed") == 0)
        return pie_coordinator_not_started(self, slot->name, message);
    if (event && strcmp(event, "ready") == 0) {
        slot->ready = true;
        return self->run_json ? PIE_OK : pie_coordinator_begin(self, message);
    }
    pie_work *work = slot->work;
    if (!event || !work)
        return PIE_OK;
    if (strcmp(event, "built") == 0)
        return take_built(self, slot, message);
    if (strcmp(event, "measured") == 0) {
        const json_t *result = json_object_get(message, "result");
        slot->work = NULL;
        return pie_coordinator_finish(self, work, pie_text_of(result, "verdict"), result, NULL);
    }
    slot->work = NULL;
    const char *why = pie_text_of(message, "message");
    return pie_coordinator_fail(self, work, why ? why : "the worker failed");
}

/* The worker's process is gone: one program is touched, a new worker takes its place. */
static pie_status replace_worker(pie_coordinator *self, pie_worker_slot *slot)
{
    char how[64];
    pie_process_end(&slot->process, how, sizeof how);
    if (!slot->ready || ++self->n_worker_deaths > WORKER_DEATHS_MAX) {
        pie_log_error(self->log, "%s died (%s) %s", slot->name, how,
                      slot->ready ? "too often" : "before it was ready");
        return PIE_ERR_CRASHED;
    }
    pie_work *work = slot->work;
    slot->work = NULL;
    char *why = pie_strf("%s died (%s) while %s", slot->name, how,
                         slot->measuring ? "running the CPU model" : "compiling");
    pie_status status = why ? PIE_OK : pie_coordinator_nomem(self);
    /* The name of a worker would differ between runs. */
    if (why && work)
        status = pie_coordinator_fail(self, work, strstr(why, "died"));
    pie_log_warning(self->log, "%s; started again", why ? why : slot->name);
    free(why);
    return status == PIE_OK ? pie_coordinator_start_worker(self, slot) : status;
}

pie_status pie_coordinator_serve_worker(pie_coordinator *self, pie_worker_slot *slot)
{
    for (;;) {
        json_t *message = NULL;
        pie_status status = pie_channel_receive(slot->process.channel, false, &message);
        if (status == PIE_ERR_AGAIN)
            return PIE_OK;
        if (status == PIE_ERR_CRASHED || status == PIE_ERR_DATA)
            return replace_worker(self, slot);
        if (status == PIE_OK)
            status = take_worker_message(self, slot, message);
        json_decref(message);
        if (status != PIE_OK)
            return status;
    }
}
