/* schedule.c - what is done next, what need not be done at all, and what it means that something is
 * done. */
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

/* ---- the queue ---- */

static void make_ready(pie_coordinator *self, pie_work *work)
{
    work->state = PIE_PROGRAM_READY;
    work->next_ready = NULL;
    *self->ready_end = work;
    self->ready_end = &work->next_ready;
    self->n_ready++;
}

pie_work *pie_coordinator_take_ready(pie_coordinator *self)
{
    pie_work *work = self->ready;
    if (!work)
        return NULL;
    self->ready = work->next_ready;
    if (!self->ready)
        self->ready_end = &self->ready;
    self->n_ready--;
    return work;
}

/* Everything but the source waits for the source, which sets the budget. */
void pie_coordinator_ready_or_wait(pie_coordinator *self, pie_work *work)
{
    if (work->role == PIE_ROLE_SOURCE || work->row->source_done)
        make_ready(self, work);
    else
        work->state = PIE_PROGRAM_WAITING;
}

void pie_coordinator_follow(pie_work *leader, pie_work *work)
{
    work->state = PIE_PROGRAM_FOLLOWING;
    work->next_follower = leader->followers;
    leader->followers = work;
}

/* Back into the queue, in the order in which they came. */
static void release_followers(pie_coordinator *self, pie_work *leader)
{
    pie_work *reversed = NULL;
    while (leader->followers) {
        pie_work *one = leader->followers;
        leader->followers = one->next_follower;
        one->next_follower = reversed;
        reversed = one;
    }
    while (reversed) {
        pie_work *one = reversed;
        reversed = one->next_follower;
        one->next_follower = NULL;
        make_ready(self, one);
    }
}

/* ---- finishing a program ---- */

/* Cycles of a source per test, when it passed all of them. */
static void set_source_cycles(pie_coordinator *self, pie_work_row *row, const char *verdict,
                              const json_t *tests)
{
    row->source_done = true;
    if (strcmp(verdict, "passed") != 0)
        return;
    self->summary.baseline_passed = true;
    json_t *cycles = json_array();
    size_t i;
    const json_t *test;
    json_array_foreach(tests, i, test)
    {
        const json_t *one = json_object_get(test, "cycles");
        if (!json_is_integer(one)) {
            json_decref(cycles);
            return;
        }
        json_array_append_new(cycles, json_integer(json_integer_value(one)));
    }
    row->source_cycles = cycles;
}

static void release_waiting(pie_coordinator *self, pie_work_row *row)
{
    for (size_t i = 0; i < row->n_programs; i++)
        if (row->programs[i]->state == PIE_PROGRAM_WAITING)
            make_ready(self, row->programs[i]);
}

/* The first failed test among those that a dialogue may see, else NULL. */
static const json_t *first_failed(const pie_work_row *row, const json_t *tests)
{
    size_t i;
    const json_t *test;
    if (json_array_size(row->public_tests) > 0)
        json_array_foreach(tests, i, test)
        {
            const char *verdict = pie_text_of(test, "verdict");
            if (verdict && strcmp(verdict, "passed") != 0 && strcmp(verdict, "none") != 0)
                return test;
        }
    return NULL;
}

/* Of the row's source on test number @n; 0 = unknown. */
static double source_cycles_of(const pie_work_row *row, const json_t *n)
{
    size_t i;
    const json_t *test;
    json_array_foreach(row->tests, i, test)
    {
        if (json_equal(json_object_get(test, "n"), n))
            return (double)json_integer_value(json_array_get(row->source_cycles, i));
    }
    return 0;
}

/* Tell the dialogue what it asked for. */
static pie_status answer_probe(pie_coordinator *self, const pie_work *work, const char *verdict,
                               const json_t *result)
{
    double cycles = 0, source_cycles = 0;
    size_t i;
    const json_t *test;
    json_array_foreach(json_object_get(result, "tests"), i, test)
    {
        cycles += json_number_value(json_object_get(test, "cycles"));
        source_cycles += source_cycles_of(work->row, json_object_get(test, "n"));
    }
    const json_t *difference = json_object_get(result, "difference"),
                 *failed = json_object_get(
                     first_failed(work->row, json_object_get(result, "tests")), "n");
    const bool shown = failed && json_equal(json_object_get(difference, "test"), failed);
    return pie_channel_send(self->generator.channel,
                            json_pack("{s:s,s:I,s:s,s:f,s:f,s:I,s:s?,s:s?}", "do", "submitted",
                                      "job", (json_int_t)work->asked_by, "verdict", verdict,
                                      "cycles", cycles, "source_cycles", source_cycles, "test",
                                      failed ? json_integer_value(failed) : (json_int_t)-1,
                                      "output", shown ? pie_text_of(difference, "actual") : NULL,
                                      "messages", pie_text_of(work->build, "messages")));
}

/* The program is done: write it down, let go who waited for it. */
pie_status pie_coordinator_finish(pie_coordinator *self, pie_work *work, const char *verdict,
                                  const json_t *result, const char *reason)
{
    pie_status status = PIE_OK;
    work->state = PIE_PROGRAM_DONE;
    work->row->n_open--;
    if (work->probe_of) {
        status = answer_probe(self, work, verdict, result);
        status = status == PIE_ERR_CRASHED ? PIE_OK
                                           : status; /* the generator's end is noticed elsewhere */
    } else {
        const bool infra = strcmp(verdict, "infra_error") == 0;
        json_t *record = pie_coordinator_make_record(self, work, verdict, result, reason);
        pie_record_place place = {0};
        status =
            record ? pie_store_append(self->writer, record, &place) : pie_coordinator_nomem(self);
        if (status == PIE_OK && !infra)
            status = pie_coordinator_index_record(self, record, place);
        json_decref(record);
        self->summary.n_infra += infra;
        self->summary.n_measured += !infra;
        if (infra)
            pie_log_warning(self->log, "%s/%s %s %" PRId64 ": %s", work->row->problem_id,
                            work->row->src_id, pie_role_name(work->role), work->index, reason);
        if (work->role == PIE_ROLE_SOURCE) {
            set_source_cycles(self, work->row, verdict, json_object_get(result, "tests"));
            work->row->source_lost = infra;
        }
    }
    release_followers(self, work);
    if (work->role == PIE_ROLE_SOURCE)
        release_waiting(self, work->row);
    return status;
}

/* Pie's own failure: once more, then give up on this program alone. */
pie_status pie_coordinator_fail(pie_coordinator *self, pie_work *work, const char *why)
{
    if (!work->tried) {
        work->tried = true;
        json_decref(work->build);
        work->build = NULL;
        work->has_measure_key = false;
        make_ready(self, work);
        return PIE_OK;
    }
    return pie_coordinator_finish(self, work, "infra_error", NULL, why);
}

/* ---- reuse ---- */

/* A worker that already has the same source or the same binary under way. */
pie_work *pie_coordinator_find_leader(const pie_coordinator *self, const pie_work *work)
{
    for (size_t i = 0; i < self->n_workers; i++) {
        pie_work *other = self->workers[i].work;
        if (!other || other == work)
            continue;
        if (strcmp(other->code, work->code) == 0 &&
            strcmp(other->row->language, work->row->language) == 0)
            return other;
        if (work->has_measure_key && other->has_measure_key &&
            memcmp(&other->measure_key, &work->measure_key, sizeof work->measure_key) == 0)
            return other;
    }
    return NULL;
}

/* The record with the measurement that @work would make. *@ret_record NULL: none. */
pie_status pie_coordinator_find_measured(pie_coordinator *self, const pie_work *work,
                                         json_t **ret_record)
{
    pie_record_place place;
    *ret_record = NULL;
    return work->has_measure_key && pie_index_get(&self->measures, work->measure_key, &place)
               ? pie_store_read(self->store, &place, ret_record)
               : PIE_OK;
}

/* Finish or park @work without a worker, from what is known. *@ret_settled: it is out of the queue.
 */
pie_status pie_coordinator_settle(pie_coordinator *self, pie_work *work, bool *ret_settled)
{
    pie_key key;
    pie_record_place place;
    json_t *record = NULL, *measured = NULL;
    *ret_settled = true;
    /* Without the source's cycles it would get another record than in a run where nothing fails. */
    if (work->row->source_lost && (work->probe_of || pie_coordinator_has_budget(self, work)))
        return pie_coordinator_finish(self, work, "infra_error", NULL,
                                      "its source could not be measured, which sets its budget");
    pie_status status = pie_coordinator_build_key(work->row->language, work->code, &key);
    if (status == PIE_OK && !work->build && pie_index_get(&self->builds, key, &place)) {
        status = pie_store_read(self->store, &place, &record);
        if (status == PIE_OK) {
            work->build = json_incref(json_object_get(record, "build"));
            const char *verdict = pie_text_of(work->build, "verdict");
            if (verdict && strcmp(verdict, "passed") != 0) {
                json_decref(record);
                return pie_coordinator_finish(self, work, verdict, NULL, NULL);
            }
            status = pie_coordinator_set_measure_key(self, work);
        }
        json_decref(record);
    }
    if (status == PIE_OK)
        status = pie_coordinator_find_measured(self, work, &measured);
    if (status != PIE_OK)
        return status;
    if (measured) {
        status =
            pie_coordinator_finish(self, work, pie_text_of(measured, "verdict"), measured, NULL);
        json_decref(measured);
        return status;
    }
    pie_work *leader = pie_coordinator_find_leader(self, work);
    if (leader)
        pie_coordinator_follow(leader, work);
    *ret_settled = leader != NULL;
    return PIE_OK;
}

/* ---- rows ---- */

static pie_status put_source(pie_coordinator *self, pie_work *work, const char *code)
{
    pie_digest digest;
    const pie_status status = pie_store_put(self->store, code, strlen(code), &digest);
    if (status == PIE_OK)
        pie_digest_hex(&digest, work->code);
    return status;
}

static pie_status hash_inputs(pie_coordinator *self, pie_work_row *row)
{
    pie_hasher *hasher = NULL;
    pie_digest digest;
    pie_status status = pie_hasher_new(&hasher);
    size_t i;
    const json_t *test;
    json_array_foreach(row->tests, i, test)
    {
        if (status != PIE_OK)
            break;
        char *path = pie_dataset_test_path(self->pipeline.tests_folder, row->problem_id,
                                           json_integer_value(json_object_get(test, "n")), false);
        const int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
        if (fd < 0)
            status = path ? pie_log_errno(self->log, path) : PIE_ERR_NOMEM;
        else
            status = pie_digest_fd(fd, &digest);
        if (status == PIE_OK)
            pie_hasher_field(hasher, digest.bytes, sizeof digest.bytes);
        if (fd >= 0)
            close(fd);
        free(path);
    }
    if (status == PIE_OK)
        status = pie_hasher_finish(hasher, &digest);
    if (status == PIE_OK) {
        row->inputs_digest = malloc(PIE_DIGEST_HEX);
        if (row->inputs_digest)
            pie_digest_hex(&digest, row->inputs_digest);
        else
            status = PIE_ERR_NOMEM;
    }
    pie_hasher_free(hasher);
    return status == PIE_ERR_NOMEM ? pie_coordinator_nomem(self) : status;
}

/* A program that an earlier run finished needs nothing; its source's cycles are needed again. */
static pie_status reuse_done(pie_coordinator *self, pie_work *work, bool *ret_done)
{
    pie_key key;
    pie_record_place place;
    pie_status status =
        pie_coordinator_program_key(work->row->problem_id, work->row->src_id, work->row->ordinal,
                                    pie_role_name(work->role), work->index, &key);
    *ret_done = status == PIE_OK && pie_index_get(&self->done, key, &place);
    if (status != PIE_OK || !*ret_done)
        return status == PIE_OK ? PIE_OK : pie_coordinator_nomem(self);
    if (work->role == PIE_ROLE_SOURCE) {
        json_t *record = NULL;
        status = pie_store_read(self->store, &place, &record);
        if (status == PIE_OK)
            set_source_cycles(self, work->row, pie_text_of(record, "verdict"),
                              json_object_get(record, "tests"));
        json_decref(record);
    }
    work->state = PIE_PROGRAM_DONE;
    work->row->n_open--;
    self->summary.n_measured++;
    self->summary.n_reused++;
    return status;
}

static const char *language_of(const pie_coordinator *self, const pie_dataset_row *row)
{
    const char *language =
        pie_settings_string(pie_config_plugin_group(self->config, "compiler"), "language");
    return strcmp(language, "row") == 0 ? row->language : strcmp(language, "c") == 0 ? "c" : "c++";
}

static pie_status open_row(pie_coordinator *self, const pie_dataset_row *data)
{
    pie_work_row *row = NULL;
    const int64_t samples =
        pie_config_backend(self->config)
            ? pie_settings_int(pie_config_plugin_group(self->config, "backend"), "samples")
            : 0;
    pie_status status = pie_work_row_new(data, language_of(self, data), samples, &row);
    if (status != PIE_OK)
        return pie_coordinator_nomem(self);
    pie_work_row **end = &self->rows;
    while (*end)
        end = &(*end)->next;
    *end = row;
    self->n_open_rows++;
    status = hash_inputs(self, row);
    for (size_t i = 0; status == PIE_OK && i < row->n_programs; i++) {
        pie_work *work = row->programs[i];
        bool done = false;
        const char *code = work->role == PIE_ROLE_SOURCE      ? data->src_code
                           : work->role == PIE_ROLE_TARGET    ? data->tgt_code
                           : work->role == PIE_ROLE_REFERENCE ? data->references[work->index].code
                                                              : NULL;
        if (code)
            status = put_source(self, work, code);
        if (status == PIE_OK)
            status = reuse_done(self, work, &done);
        if (status != PIE_OK || done)
            continue;
        if (work->role == PIE_ROLE_SAMPLE)
            work->state = PIE_PROGRAM_GENERATING;
        else
            pie_coordinator_ready_or_wait(self, work);
    }
    return status;
}

bool pie_coordinator_wants_rows(const pie_coordinator *self)
{
    return !self->dataset_ended && self->n_open_rows < OPEN_ROWS_MAX &&
           (self->n_ready < 4 * self->n_workers || self->n_open_rows < 2 * self->n_workers);
}

pie_status pie_coordinator_open_rows(pie_coordinator *self)
{
    pie_status status = PIE_OK;
    while (status == PIE_OK && pie_coordinator_wants_rows(self)) {
        const pie_dataset_row *row = NULL;
        status = pie_dataset_next(self->dataset, &row);
        if (status == PIE_ERR_AGAIN) {
            self->dataset_ended = true;
            return PIE_OK;
        }
        if (status == PIE_OK && pie_selection_takes(&self->selection, row))
            status = open_row(self, row);
    }
    return status;
}

void pie_coordinator_close_rows(pie_coordinator *self)
{
    for (pie_work_row **at = &self->rows; *at;) {
        pie_work_row *row = *at;
        if (row->n_open > 0) {
            at = &row->next;
            continue;
        }
        *at = row->next;
        pie_work_row_free(row);
        self->n_open_rows--;
    }
}
