/* show.c - pie show RUN PROBLEM [SAMPLE]: everything known about one program. */
#include "cli/cli.h"

#include "pipeline/record.h"
#include "store/store.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: pie show RUN PROBLEM [SAMPLE]\n"
    "\n"
    "Without SAMPLE: a line per program of the problem. With SAMPLE (0, 1, .. or source, target):\n"
    "its prompt, the raw reply, the extracted program, what the compiler said, the tests and the\n"
    "first difference of the output.\n"
    "\n"
    "  PROBLEM   problem_id or problem_id/src_id\n"
    "  --json    the record as it stands in the run folder\n"
    "\n"
    "exit status: 0 done, 2 no such run, problem or sample\n";

typedef struct show_command {
    const char *run, *problem, *sample;
    bool json;
    pie_store *store;
    json_t *records; /* of the problem, one per program, in order of row, role and index */
} show_command;

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static json_int_t int_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* ---- finding ---- */

static bool is_problem(const char *wanted, const json_t *record)
{
    const char *problem_id = text_of(record, "problem_id"), *src_id = text_of(record, "src_id");
    if (!problem_id || !src_id)
        return false;
    const size_t n = strlen(problem_id);
    return strncmp(wanted, problem_id, n) == 0 &&
           (wanted[n] == '\0' || (wanted[n] == '/' && strcmp(wanted + n + 1, src_id) == 0));
}

static bool is_infra(const json_t *record)
{
    const char *verdict = text_of(record, "verdict");
    return verdict && strcmp(verdict, "infra_error") == 0;
}

/* Position of a program in the order of the report. */
static int compare_programs(const json_t *a, const json_t *b)
{
    const char *role_a = text_of(a, "role"), *role_b = text_of(b, "role");
    const json_int_t keys_a[] = {int_of(a, "row"), pie_role_of(role_a ? role_a : ""),
                                 int_of(a, "index")};
    const json_int_t keys_b[] = {int_of(b, "row"), pie_role_of(role_b ? role_b : ""),
                                 int_of(b, "index")};
    for (size_t i = 0; i < sizeof keys_a / sizeof *keys_a; i++)
        if (keys_a[i] != keys_b[i])
            return keys_a[i] < keys_b[i] ? -1 : 1;
    return 0;
}

static pie_status take_record(void *context, const char *text, size_t n,
                              const pie_record_place *place)
{
    show_command *self = context;
    (void)place;
    json_t *record = json_loadb(text, n, 0, NULL);
    const char *type = text_of(record, "type");
    if (!type || strcmp(type, "result") != 0 || !is_problem(self->problem, record)) {
        json_decref(record);
        return PIE_OK;
    }
    size_t at = 0;
    int order = 1;
    while (at < json_array_size(self->records) &&
           (order = compare_programs(json_array_get(self->records, at), record)) < 0)
        at++;
    if (at < json_array_size(self->records) && order == 0) {
        /* A final verdict wins over a failure of pie's own. */
        if (is_infra(json_array_get(self->records, at)))
            json_array_set_new(self->records, at, record);
        else
            json_decref(record);
        return PIE_OK;
    }
    return json_array_insert_new(self->records, at, record) == 0 ? PIE_OK : PIE_ERR_NOMEM;
}

static bool is_sample(const char *wanted, const json_t *record)
{
    const char *role = text_of(record, "role");
    int64_t index = 0;
    if (!role)
        return false;
    if (pie_cli_number(wanted, &index))
        return strcmp(role, "sample") == 0 && int_of(record, "index") == index;
    return strcmp(role, wanted) == 0;
}

/* ---- printing ---- */

static double sum_of(const json_t *record, const char *column)
{
    double sum = 0;
    size_t i;
    const json_t *test;
    json_array_foreach(json_object_get(record, "tests"), i, test) sum +=
        json_number_value(json_object_get(test, column));
    return sum;
}

static void add_name(const json_t *record, pie_buf *out)
{
    const char *role = text_of(record, "role");
    if (role && strcmp(role, "sample") == 0)
        pie_buf_printf(out, "sample %" JSON_INTEGER_FORMAT, int_of(record, "index"));
    else
        pie_buf_printf(out, "%s %s", role ? role : "?", text_of(record, "id"));
}

static bool has_passed(const json_t *record)
{
    const char *verdict = text_of(record, "verdict");
    return verdict && strcmp(verdict, "passed") == 0;
}

/* How many times as fast as its row's source; 0 = cannot be said. */
static double speedup_of(const show_command *self, const json_t *record)
{
    size_t i;
    const json_t *source;
    const char *role = text_of(record, "role");
    json_array_foreach(self->records, i, source)
    {
        const char *source_role = text_of(source, "role");
        if (int_of(source, "row") != int_of(record, "row") || !source_role || !role ||
            strcmp(source_role, "source") != 0 || strcmp(role, "source") == 0)
            continue;
        const double cycles = sum_of(record, "cycles");
        return has_passed(source) && has_passed(record) &&
                       json_is_object(json_object_get(record, "counters")) && cycles > 0
                   ? sum_of(source, "cycles") / cycles
                   : 0;
    }
    return 0;
}

static void add_line(const show_command *self, const json_t *record, pie_buf *out)
{
    const double speedup = speedup_of(self, record);
    pie_buf name = {0};
    add_name(record, &name);
    const char *reason = text_of(record, "reason");
    pie_buf_printf(out, "%s/%s  %-22s %-18s", text_of(record, "problem_id"),
                   text_of(record, "src_id"), pie_buf_text(&name), text_of(record, "verdict"));
    if (json_array_size(json_object_get(record, "tests")) > 0)
        pie_buf_printf(out, " %" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT " tests, %.0f cycles",
                       int_of(record, "passed"), int_of(record, "total"), sum_of(record, "cycles"));
    if (speedup > 0)
        pie_buf_printf(out, ", %.2fx", speedup);
    const char *build_reason = text_of(json_object_get(record, "build"), "reason");
    if (build_reason && *build_reason)
        pie_buf_printf(out, " %s", build_reason);
    pie_buf_printf(out, "%s%s\n", reason ? " " : "", reason ? reason : "");
    pie_buf_free(&name);
}

/* A blob under a heading; a missing one is said, not fatal. */
static void add_blob(const show_command *self, const char *heading, const char *hex, pie_buf *out)
{
    if (!hex)
        return;
    pie_buf text = {0};
    pie_buf_printf(out, "\n--- %s ---\n", heading);
    if (pie_store_get(self->store, hex, &pie_log_stderr, &text) == PIE_OK)
        pie_buf_add(out, text.data, text.n);
    else
        pie_buf_puts(out, "(not readable)");
    if (out->n && out->data[out->n - 1] != '\n')
        pie_buf_puts(out, "\n");
    pie_buf_free(&text);
}

static void add_dialogue(const show_command *self, const char *hex, pie_buf *out)
{
    pie_buf text = {0};
    if (!hex || pie_store_get(self->store, hex, &pie_log_stderr, &text) != PIE_OK) {
        pie_buf_free(&text);
        return;
    }
    json_t *transcript = json_loadb(pie_buf_text(&text), text.n, 0, NULL);
    size_t i, m;
    const json_t *step, *message;
    json_array_foreach(transcript, i, step)
    {
        if (text_of(step, "submitted")) {
            pie_buf_printf(out, "\n--- measured: %s ---\n", text_of(step, "verdict"));
            continue;
        }
        json_array_foreach(json_object_get(step, "messages"), m, message)
        {
            pie_buf_printf(out, "\n--- prompt, %s ---\n%s\n", text_of(message, "role"),
                           text_of(message, "text"));
        }
        add_blob(self, "reply", text_of(step, "reply"), out);
    }
    json_decref(transcript);
    pie_buf_free(&text);
}

static void add_tests(const json_t *record, pie_buf *out)
{
    size_t i;
    const json_t *test;
    pie_buf_puts(out, "\n--- tests ---\n");
    json_array_foreach(json_object_get(record, "tests"), i, test)
    {
        const char *detail = text_of(test, "detail"), *function = text_of(test, "function");
        const json_t *cycles = json_object_get(test, "cycles");
        pie_buf_printf(out, "%4" JSON_INTEGER_FORMAT "  %-18s", int_of(test, "n"),
                       text_of(test, "verdict"));
        if (json_is_integer(cycles))
            pie_buf_printf(out,
                           " %" JSON_INTEGER_FORMAT " cycles, %" JSON_INTEGER_FORMAT " at start-up",
                           json_integer_value(cycles), int_of(test, "startup_cycles"));
        else if (json_is_null(cycles))
            pie_buf_puts(out, " beyond the cycle budget");
        else
            pie_buf_puts(out, " not run");
        if (detail && *detail)
            pie_buf_printf(out, ", %s", detail);
        if (function && *function)
            pie_buf_printf(out, " in %s", function);
        pie_buf_puts(out, "\n");
    }
    const json_t *difference = json_object_get(record, "difference");
    if (json_is_object(difference))
        pie_buf_printf(
            out,
            "\nfirst difference: test %" JSON_INTEGER_FORMAT ", line %" JSON_INTEGER_FORMAT
            ", column %" JSON_INTEGER_FORMAT "\n  expected: %s\n  actual:   %s\n",
            int_of(difference, "test"), int_of(difference, "line"), int_of(difference, "column"),
            text_of(difference, "expected"), text_of(difference, "actual"));
}

static void add_program(const show_command *self, const json_t *record, pie_buf *out)
{
    const json_t *build = json_object_get(record, "build"),
                 *generation = json_object_get(record, "generation");
    const char *how = text_of(record, "how"), *build_reason = text_of(build, "reason");
    add_line(self, record, out);
    add_dialogue(self, text_of(generation, "dialogue"), out);
    pie_buf heading = {0};
    pie_buf_printf(&heading, "program%s%s", how ? ", taken from: " : "", how ? how : "");
    add_blob(self, pie_buf_text(&heading), text_of(record, "source"), out);
    pie_buf_free(&heading);
    if (build_reason && *build_reason)
        pie_buf_printf(out, "\ncompiler: %s\n", build_reason);
    add_blob(self, "compiler messages", text_of(build, "messages"), out);
    if (json_array_size(json_object_get(record, "tests")) > 0)
        add_tests(record, out);
}

/* ---- the command ---- */

static int show(show_command *self)
{
    pie_status status = pie_store_open(self->run, false, &pie_log_stderr, &self->store);
    if (status == PIE_OK) {
        self->records = json_array();
        status = self->records ? pie_store_scan(self->store, take_record, self, NULL)
                               : pie_log_nomem(&pie_log_stderr);
    }
    if (status != PIE_OK)
        return pie_exit_of(status);
    if (json_array_size(self->records) == 0) {
        pie_log_error(&pie_log_stderr, "%s: no record of problem '%s'", self->run, self->problem);
        return PIE_EXIT_USER;
    }
    json_t *chosen = json_array();
    pie_buf out = {0};
    size_t i;
    json_t *record;
    json_array_foreach(self->records, i, record)
    {
        if (self->sample && !is_sample(self->sample, record))
            continue;
        json_array_append(chosen, record);
        if (self->json)
            continue;
        if (self->sample)
            add_program(self, record, &out);
        else
            add_line(self, record, &out);
    }
    int code = PIE_EXIT_USER;
    if (json_array_size(chosen) == 0)
        pie_log_error(&pie_log_stderr,
                      "%s: problem '%s' has no sample '%s'; `pie show %s %s` lists them", self->run,
                      self->problem, self->sample, self->run, self->problem);
    else
        code = self->json ? pie_cli_print_json(json_incref(chosen))
                          : pie_cli_print_bytes(pie_buf_text(&out), out.n);
    json_decref(chosen);
    pie_buf_free(&out);
    return code;
}

int pie_cli_show(int argc, char **argv)
{
    static const struct option longs[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    show_command self = {0};
    for (int option; (option = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        if (option == 'h')
            return pie_cli_print(help);
        if (option != 'j')
            return PIE_EXIT_USER;
        self.json = true;
    }
    if (argc - optind < 2 || argc - optind > 3)
        return pie_cli_usage("show", "needs RUN and PROBLEM, and may have a SAMPLE");
    self.run = argv[optind];
    self.problem = argv[optind + 1];
    self.sample = argv[optind + 2]; /* NULL behind the last argument */
    const int code = show(&self);
    json_decref(self.records);
    pie_store_close(self.store);
    return code;
}
