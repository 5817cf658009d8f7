/* ledger.c - keys, and the records under them. */
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

pie_status pie_coordinator_program_key(const char *problem_id, const char *src_id, size_t row,
                                       const char *role, int64_t index, pie_key *ret_key)
{
    char numbers[64];
    snprintf(numbers, sizeof numbers, "%zu %" PRId64, row, index);
    const char *const fields[] = {"program", problem_id, src_id, role, numbers};
    return pie_key_of(fields, sizeof fields / sizeof *fields, ret_key);
}

pie_status pie_coordinator_build_key(const char *language, const char *code, pie_key *ret_key)
{
    const char *const fields[] = {"build", language, code};
    return pie_key_of(fields, sizeof fields / sizeof *fields, ret_key);
}

static pie_status measure_key(const char *problem_id, const char *simulation, pie_key *ret_key)
{
    const char *const fields[] = {"measure", problem_id, simulation};
    return pie_key_of(fields, sizeof fields / sizeof *fields, ret_key);
}

const char *pie_text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

const json_t *pie_coordinator_tests(const pie_work *work)
{
    return work->probe_of && json_array_size(work->row->public_tests) > 0 ? work->row->public_tests
                                                                          : work->row->tests;
}

static double budget_ratio(const pie_coordinator *self)
{
    return pie_settings_float(pie_config_group(self->config, "limits"), "cycles_ratio");
}

bool pie_coordinator_has_budget(const pie_coordinator *self, const pie_work *work)
{
    return work->role != PIE_ROLE_SOURCE && !work->probe_of && budget_ratio(self) > 0;
}

/* Budget per test: limits.cycles_ratio times the source on that test. NULL: none. New reference. */
json_t *pie_coordinator_cycle_limits(const pie_coordinator *self, const pie_work *work)
{
    const double ratio = budget_ratio(self);
    if (!pie_coordinator_has_budget(self, work) || !work->row->source_cycles)
        return NULL;
    json_t *limits = json_array();
    size_t i;
    const json_t *cycles;
    json_array_foreach(work->row->source_cycles, i, cycles)
    {
        const double limit = ratio * (double)json_integer_value(cycles);
        json_array_append_new(limits, limit < 9e15 ? json_integer((json_int_t)limit) : json_null());
    }
    return limits;
}

bool pie_coordinator_runs_all_tests(const pie_coordinator *self)
{
    return strcmp(pie_settings_string(pie_config_group(self->config, "dataset"), "check"), "pie") ==
           0;
}

/* Hex of everything that decides the outcome of a simulation; the expected output is not in it. */
static pie_status simulation_key(const pie_coordinator *self, const pie_work *work,
                                 char ret_hex[PIE_DIGEST_HEX])
{
    json_t *limits = pie_coordinator_cycle_limits(self, work);
    char *limits_text = limits ? json_dumps(limits, JSON_COMPACT) : NULL;
    char *tests_text =
        json_dumps(pie_coordinator_tests(work), JSON_COMPACT | JSON_REAL_PRECISION(17));
    pie_hasher *hasher = NULL;
    pie_digest digest;
    pie_status status = tests_text ? pie_hasher_new(&hasher) : PIE_ERR_NOMEM;
    if (status == PIE_OK) {
        pie_hasher_text(hasher, "simulation");
        pie_hasher_text(hasher, self->simulation_context);
        pie_hasher_text(hasher, pie_text_of(work->build, "elf"));
        pie_hasher_text(hasher, work->row->inputs_digest);
        pie_hasher_text(hasher, tests_text);
        pie_hasher_text(hasher, limits_text);
        status = pie_hasher_finish(hasher, &digest);
    }
    if (status == PIE_OK)
        pie_digest_hex(&digest, ret_hex);
    pie_hasher_free(hasher);
    free(tests_text);
    free(limits_text);
    json_decref(limits);
    return status == PIE_OK ? PIE_OK : pie_coordinator_nomem(self);
}

pie_status pie_coordinator_set_measure_key(const pie_coordinator *self, pie_work *work)
{
    char simulation[PIE_DIGEST_HEX];
    pie_status status = simulation_key(self, work, simulation);
    if (status == PIE_OK)
        status = measure_key(work->row->problem_id, simulation, &work->measure_key);
    work->has_measure_key = status == PIE_OK;
    return status;
}

/* The record of @work. @result: what the worker measured, NULL without. New reference. */
json_t *pie_coordinator_make_record(const pie_coordinator *self, const pie_work *work,
                                    const char *verdict, const json_t *result, const char *reason)
{
    char simulation[PIE_DIGEST_HEX] = "";
    if (result && simulation_key(self, work, simulation) != PIE_OK)
        return NULL;
    const json_t *difference = json_object_get(result, "difference"),
                 *counters = json_object_get(result, "counters"),
                 *tests = json_object_get(result, "tests");
    const pie_work_row *row = work->row;
    return json_pack("{s:s,s:I,s:s,s:s,s:s,s:I,s:s,s:s?,s:s?,s:s?,s:s?,s:s?,s:s,s:I,s:I,s:I,s:O?,s:"
                     "s?,s:O?,s:O?,s:O?,"
                     "s:O?}",
                     "type", "result", "row", (json_int_t)row->ordinal, "problem_id",
                     row->problem_id, "src_id", row->src_id, "role", pie_role_name(work->role),
                     "index", (json_int_t)work->index, "id", work->id, "reference_role",
                     work->reference_role, "source", work->code[0] ? work->code : NULL, "reply",
                     work->reply[0] ? work->reply : NULL, "how", work->how, "reason",
                     reason ? reason : work->reason, "verdict", verdict, "passed",
                     json_integer_value(json_object_get(result, "passed")), "run",
                     json_integer_value(json_object_get(result, "run")), "total",
                     (json_int_t)json_array_size(row->tests), "build", work->build, "key",
                     simulation[0] ? simulation : NULL, "tests", tests, "difference", difference,
                     "counters", counters, "generation", work->generation);
}

pie_status pie_coordinator_index_record(pie_coordinator *self, const json_t *record,
                                        pie_record_place place)
{
    const char *problem_id = pie_text_of(record, "problem_id"),
               *code = pie_text_of(record, "source"), *simulation = pie_text_of(record, "key");
    const json_t *build = json_object_get(record, "build");
    pie_key key;
    pie_status status = pie_coordinator_program_key(
        problem_id, pie_text_of(record, "src_id"),
        (size_t)json_integer_value(json_object_get(record, "row")), pie_text_of(record, "role"),
        json_integer_value(json_object_get(record, "index")), &key);
    if (status == PIE_OK)
        status = pie_index_put(&self->done, key, place);
    const char *language = pie_text_of(build, "language");
    if (!pie_config_uarch(self->config)->info->deterministic)
        simulation = NULL; /* another run would give other figures: never reused */
    if (status == PIE_OK && code && language)
        status = pie_coordinator_build_key(language, code, &key);
    if (status == PIE_OK && code && language)
        status = pie_index_put(&self->builds, key, place);
    if (status == PIE_OK && simulation)
        status = measure_key(problem_id, simulation, &key);
    if (status == PIE_OK && simulation)
        status = pie_index_put(&self->measures, key, place);
    return status == PIE_ERR_NOMEM ? pie_coordinator_nomem(self) : status;
}
