/* dialogues.c - the coordinator's side of the generator. */
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

pie_status pie_coordinator_start_generator(pie_coordinator *self)
{
    int fds[WORKERS_MAX + 4];
    size_t n = 0;
    fds[n++] = self->lock_fd;
    fds[n++] = self->signal_fd;
    for (size_t i = 0; i < self->n_workers; i++)
        if (self->workers[i].process.channel)
            fds[n++] = pie_channel_fd(self->workers[i].process.channel);
    fds[n] = -1;
    self->generator.name = "generator";
    self->generator_ready = false;
    return pie_process_start(&self->generator, pie_generator_main, &self->pipeline,
                             &self->old_signals, fds, self->log);
}

/* Samples not yet at the generator have job 0. After a crash those that were there go one at a time
 * (tried), so that the one which kills it is known. */
pie_status pie_coordinator_feed_generator(pie_coordinator *self)
{
    size_t n_there = 0;
    bool careful = false;
    for (const pie_work_row *row = self->rows; row; row = row->next)
        for (size_t i = 0; i < row->n_programs; i++)
            if (row->programs[i]->state == PIE_PROGRAM_GENERATING) {
                n_there += row->programs[i]->job != 0;
                careful |= row->programs[i]->tried;
            }
    const size_t room = careful ? 1 : GENERATING_MAX;
    for (pie_work_row *row = self->rows; row && n_there < room; row = row->next)
        for (size_t i = 0; i < row->n_programs && n_there < room; i++) {
            pie_work *work = row->programs[i];
            if (work->state != PIE_PROGRAM_GENERATING || work->job != 0 ||
                (careful && !work->tried))
                continue;
            work->job = self->next_job++;
            n_there++;
            const pie_status status = pie_channel_send(
                self->generator.channel,
                json_pack("{s:s,s:I,s:s,s:s,s:s,s:s?,s:s,s:I,s:I,s:O}", "do", "sample", "job",
                          (json_int_t)work->job, "problem_id", row->problem_id, "src_id",
                          row->src_id, "language", row->language, "description", row->description,
                          "source", row->programs[0]->code, "index", (json_int_t)work->index, "n",
                          (json_int_t)pie_settings_int(
                              pie_config_plugin_group(self->config, "backend"), "samples"),
                          "public", row->public_tests));
            if (status != PIE_OK)
                return status == PIE_ERR_CRASHED ? PIE_OK : status;
        }
    return PIE_OK;
}

static pie_work *find_generating(const pie_coordinator *self, uint64_t job)
{
    for (const pie_work_row *row = self->rows; row; row = row->next)
        for (size_t i = 0; i < row->n_programs; i++)
            if (row->programs[i]->state == PIE_PROGRAM_GENERATING && row->programs[i]->job == job)
                return row->programs[i];
    return NULL;
}

static pie_status copy_text(const pie_coordinator *self, const json_t *message, const char *key,
                            char **text)
{
    const char *value = pie_text_of(message, key);
    free(*text);
    *text = value ? strdup(value) : NULL;
    return value && !*text ? pie_coordinator_nomem(self) : PIE_OK;
}

static void copy_digest(const json_t *message, const char *key, char hex[PIE_DIGEST_HEX])
{
    const char *value = pie_text_of(message, key);
    snprintf(hex, PIE_DIGEST_HEX, "%s", value ? value : "");
}

static pie_status take_sample(pie_coordinator *self, pie_work *work, const json_t *message)
{
    copy_digest(message, "code", work->code);
    copy_digest(message, "reply", work->reply);
    work->generation = json_incref(json_object_get(message, "generation"));
    const char *error = pie_text_of(work->generation, "error");
    self->summary.n_unanswered += error && strcmp(error, "no_answer") == 0;
    work->tried = false;
    pie_status status = copy_text(self, message, "how", &work->how);
    if (status == PIE_OK)
        status = copy_text(self, message, "reason", &work->reason);
    if (status != PIE_OK)
        return status;
    if (!work->code[0])
        return pie_coordinator_finish(self, work, "no_code", NULL, NULL);
    pie_coordinator_ready_or_wait(self, work);
    return PIE_OK;
}

/* The dialogue of @work wants to know how a program does. */
static pie_status take_probe(pie_coordinator *self, pie_work *work, const json_t *message)
{
    pie_work *probe = pie_work_add(work->row, PIE_ROLE_SAMPLE, work->index, "");
    if (!probe)
        return pie_coordinator_nomem(self);
    probe->probe_of = work;
    probe->asked_by = work->job;
    copy_digest(message, "source", probe->code);
    pie_coordinator_ready_or_wait(self, probe);
    return PIE_OK;
}

static pie_status take_generator_message(pie_coordinator *self, const json_t *message)
{
    const char *event = pie_text_of(message, "event");
    if (!event)
        return PIE_OK;
    if (strcmp(event, "failed") == 0)
        return pie_coordinator_not_started(self, "the generator (prompt or backend plugin)",
                                           message);
    if (strcmp(event, "ready") == 0) {
        self->generator_ready = true;
        return PIE_OK;
    }
    pie_work *work =
        find_generating(self, (uint64_t)json_integer_value(json_object_get(message, "job")));
    if (!work)
        return PIE_OK;
    if (strcmp(event, "sample") == 0)
        return take_sample(self, work, message);
    if (strcmp(event, "submit") == 0)
        return take_probe(self, work, message);
    const char *why = pie_text_of(message, "message");
    return pie_coordinator_finish(self, work, "infra_error", NULL,
                                  why ? why : "the generator failed");
}

static pie_status replace_generator(pie_coordinator *self)
{
    char how[64];
    pie_process_end(&self->generator, how, sizeof how);
    if (!self->generator_ready) {
        pie_log_error(self->log, "the generator died (%s) before it was ready", how);
        return PIE_ERR_CRASHED;
    }
    size_t n_there = 0;
    pie_work *last = NULL;
    for (pie_work_row *row = self->rows; row; row = row->next)
        for (size_t i = 0; i < row->n_programs; i++) {
            pie_work *work = row->programs[i];
            if (work->state != PIE_PROGRAM_GENERATING || work->job == 0)
                continue;
            n_there++;
            last = work;
            work->job = 0;
        }
    pie_log_warning(self->log, "the generator (prompt or backend plugin) died (%s); started again",
                    how);
    pie_status status = PIE_OK;
    if (n_there == 1 && last->tried) {
        char *why = pie_strf("the generator (prompt or backend plugin) died (%s)", how);
        status = why ? pie_coordinator_finish(self, last, "infra_error", NULL, why)
                     : pie_coordinator_nomem(self);
        free(why);
    } else {
        for (pie_work_row *row = self->rows; row; row = row->next)
            for (size_t i = 0; i < row->n_programs; i++)
                if (row->programs[i]->state == PIE_PROGRAM_GENERATING)
                    row->programs[i]->tried = true;
    }
    return status == PIE_OK ? pie_coordinator_start_generator(self) : status;
}

pie_status pie_coordinator_serve_generator(pie_coordinator *self)
{
    for (;;) {
        json_t *message = NULL;
        pie_status status = pie_channel_receive(self->generator.channel, false, &message);
        if (status == PIE_ERR_AGAIN)
            return PIE_OK;
        if (status == PIE_ERR_CRASHED || status == PIE_ERR_DATA)
            return replace_generator(self);
        if (status == PIE_OK)
            status = take_generator_message(self, message);
        json_decref(message);
        if (status != PIE_OK)
            return status;
    }
}
