/* test_report.c - from records in a run folder to the report, and metrics that misbehave. */
#include "base/file.h"
#include "config/config.h"
#include "pipeline/record.h"
#include "report/bootstrap.h"
#include "report/census.h"
#include "report/metric_run.h"
#include "report/report.h"
#include "report/scan.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka needs the ones above first */
#include <cmocka.h>

/* ---- a run folder --------------------------------------------------------------------------- */

static char last_message[512];

static void remember(void *context, int32_t level, const char *line)
{
    (void)context, (void)level;
    snprintf(last_message, sizeof last_message, "%s", line);
}

static const pie_log log_memory = {.write = remember, .level = PIE_LOG_WARNING};

typedef struct run_fixture {
    char folder[64];
    pie_registry *registry;
    pie_config *config;
    pie_store *store;
} run_fixture;

static int open_run(void **state)
{
    run_fixture *self = calloc(1, sizeof *self);
    assert_non_null(self);
    strcpy(self->folder, "/tmp/pie-test-report.XXXXXX");
    assert_non_null(mkdtemp(self->folder));
    last_message[0] = '\0';
    const char *build = getenv("PIE_BUILD");
    char plugins[4096];
    snprintf(plugins, sizeof plugins, "%s/plugins", build ? build : PIE_BUILD);
    assert_int_equal(pie_registry_new(&pie_log_stderr, &self->registry), PIE_OK);
    assert_int_equal(pie_registry_add_folder(self->registry, plugins, true), PIE_OK);
    assert_int_equal(pie_registry_add_standard_folders(self->registry), PIE_OK);
    assert_int_equal(pie_registry_scan(self->registry), PIE_OK);
    const pie_config_source source = {
        .path = "test.cfg",
        .text = "backend = { plugin = \"replay\"; path = \"none.jsonl\"; samples = 2; };\n"
                "uarch = { plugin = \"null\"; };\n"
                "metrics = ( { plugin = \"optimized\"; }, { plugin = \"speedup\"; }, { plugin = "
                "\"correct\"; } );\n",
        .read_only = true};
    assert_int_equal(pie_config_load(&source, self->registry, &pie_log_stderr, &self->config),
                     PIE_OK);
    char *config_path = pie_path_join(self->folder, "run.cfg");
    assert_int_equal(pie_file_replace(config_path, "# test\n", 7, &pie_log_stderr), PIE_OK);
    free(config_path);
    assert_int_equal(pie_store_open(self->folder, true, &log_memory, &self->store), PIE_OK);
    *state = self;
    return 0;
}

static int close_run(void **state)
{
    run_fixture *self = *state;
    pie_store_close(self->store);
    pie_config_free(self->config);
    pie_registry_free(self->registry);
    pie_folder_remove(self->folder, &pie_log_stderr);
    free(self);
    return 0;
}

/* What a record is about; the rest is the same in all of them. */
typedef struct record_entry {
    int row;
    const char *problem_id, *role;
    int index;
    const char *verdict;
    json_int_t cycles; /* of its one test; 0: not known */
    json_int_t startup_cycles, os_cycles;
    const char *key; /* NULL: made of the other fields */
} record_entry;

static json_t *number_or_null(json_int_t value)
{
    return value ? json_integer(value) : json_null();
}

static json_t *record_of(const record_entry *entry)
{
    char src_id[32], key[128];
    snprintf(src_id, sizeof src_id, "s%d", entry->row);
    snprintf(key, sizeof key, "key of %d %s %d", entry->row, entry->role, entry->index);
    const bool ran =
        strcmp(entry->verdict, "compile_error") != 0 && strcmp(entry->verdict, "infra_error") != 0;
    json_t *test = json_pack("{s:i,s:i,s:f,s:b,s:s,s:o,s:o,s:o,s:i,s:i,s:n}", "n", 3, "level", 0,
                             "weight", 1.0, "public", 0, "verdict", entry->verdict, "cycles",
                             number_or_null(entry->cycles), "startup_cycles",
                             number_or_null(entry->startup_cycles ? entry->startup_cycles : 100),
                             "os_cycles", number_or_null(entry->os_cycles ? entry->os_cycles : 1),
                             "instructions", 5000, "peak_bytes", 4096, "seconds");
    json_t *tests = ran ? json_pack("[o]", test) : json_null();
    if (!ran)
        json_decref(test);
    return json_pack(
        "{s:s,s:i,s:s,s:s,s:s,s:i,s:s,s:n,s:s,s:s,s:{s:i},s:s?,s:o}", "type", "result", "row",
        entry->row, "problem_id", entry->problem_id, "src_id", src_id, "role", entry->role, "index",
        entry->index, "id", strcmp(entry->role, "sample") == 0 ? "" : entry->role, "reference_role",
        "source", "digest", "verdict", entry->verdict, "build", "text_bytes", 1000, "key",
        !ran         ? NULL
        : entry->key ? entry->key
                     : key,
        "tests", tests);
}

static void append(run_fixture *self, const char *segment, const record_entry *entries, size_t n)
{
    pie_store_writer *writer = NULL;
    assert_int_equal(pie_store_writer_new(self->store, segment, &writer), PIE_OK);
    for (size_t i = 0; i < n; i++) {
        json_t *record = record_of(&entries[i]);
        assert_non_null(record);
        assert_int_equal(pie_store_append(writer, record, NULL), PIE_OK);
        json_decref(record);
    }
    pie_store_writer_close(writer);
}

static pie_report *build(run_fixture *self)
{
    pie_report *report = NULL;
    assert_int_equal(pie_report_build(self->store, self->config, "abc", NULL, &log_memory, &report),
                     PIE_OK);
    return report;
}

static char *render(const pie_report *report, int32_t format)
{
    pie_buf text = {0};
    assert_int_equal(pie_report_render(report, format, &text), PIE_OK);
    char *copy = strdup(pie_buf_text(&text));
    assert_non_null(copy);
    pie_buf_free(&text);
    return copy;
}

static json_t *report_json(run_fixture *self)
{
    pie_report *report = build(self);
    char *text = render(report, PIE_REPORT_JSON);
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);
    if (!json)
        fail_msg("not JSON: line %d: %s", error.line, error.text);
    free(text);
    pie_report_free(report);
    return json;
}

static bool has_note(const json_t *report, const char *part)
{
    size_t i;
    const json_t *note;
    json_array_foreach(json_object_get(report, "notes"), i, note)
    {
        if (strstr(json_string_value(note), part))
            return true;
    }
    return false;
}

static double value_of(const json_t *report, const char *name, const char *column)
{
    size_t i;
    const json_t *figure;
    json_array_foreach(json_object_get(report, "summary"), i, figure)
    {
        if (strcmp(json_string_value(json_object_get(figure, "name")), name) == 0 &&
            strcmp(json_string_value(json_object_get(figure, "column")), column) == 0)
            return json_number_value(json_object_get(figure, "value"));
    }
    fail_msg("no figure %s %s", name, column);
    return 0;
}

static const record_entry usual[] = {
    {0, "p1", "source", 0, "passed", .cycles = 1000, .os_cycles = 100},
    {0, "p1", "target", 0, "passed", .cycles = 500},
    {0, "p1", "sample", 0, "wrong_output", .cycles = 0},
    {0, "p1", "sample", 1, "passed", .cycles = 250},
    {1, "p2", "source", 0, "passed", .cycles = 3000, .startup_cycles = 2000},
    {1, "p2", "sample", 0, "passed", .cycles = 1000, .startup_cycles = 100, .os_cycles = 5000},
    {1, "p2", "sample", 1, "compile_error", .cycles = 0},
    {2, "p1", "source", 0, "passed", .cycles = 1000},
    {2, "p1", "target", 0, "passed", .cycles = 800},
    {2, "p1", "sample", 0, "passed", .cycles = 0}, /* cut by the budget */
    {2, "p1", "sample", 1, "passed", .cycles = 2000},
};
enum { N_USUAL = sizeof usual / sizeof *usual };

/* ---- the report ----------------------------------------------------------------------------- */

static void figures_and_problems_follow_from_the_records(void **state)
{
    run_fixture *self = *state;
    append(self, "a", usual, N_USUAL);
    json_t *report = report_json(self);
    assert_true(fabs(value_of(report, "best@1", "Speedup") - (1 + 3 + 1) / 3.0) < 1e-12);
    assert_true(fabs(value_of(report, "best@2", "Speedup") - (4 + 3 + 1) / 3.0) < 1e-12);
    assert_true(fabs(value_of(report, "best@2", "%Opt") - 200 / 3.0) < 1e-12);
    assert_true(fabs(value_of(report, "best@1", "%Correct") - 200 / 3.0) < 1e-12);
    assert_true(fabs(value_of(report, "same human", "Speedup") - (2 + 1.25) / 2) < 1e-12);
    assert_true(fabs(value_of(report, "best of all", "Speedup") - 2) < 1e-12);
    assert_int_equal(json_integer_value(json_object_get(report, "censored")), 1);
    assert_int_equal(json_integer_value(json_object_get(report, "incomplete")), 0);
    assert_string_equal(json_string_value(json_object_get(report, "fingerprint")), "abc");
    const json_t *verdicts = json_object_get(report, "verdicts");
    assert_int_equal(json_integer_value(json_object_get(verdicts, "passed")), 4);
    assert_int_equal(json_integer_value(json_object_get(verdicts, "compile_error")), 1);

    const json_t *problems = json_object_get(report, "problems");
    assert_int_equal(json_array_size(problems), 3); /* in order of the dataset */
    const json_t *second = json_array_get(problems, 1);
    assert_string_equal(json_string_value(json_object_get(second, "problem_id")), "p2");
    assert_true(json_is_null(json_object_get(second, "target")));
    const json_t *first = json_array_get(problems, 0), *samples = json_object_get(first, "samples");
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(first, "baseline"), "cycles")), 1000);
    assert_true(json_is_null(json_object_get(json_array_get(samples, 0), "speedup")));
    assert_true(json_number_value(json_object_get(json_array_get(samples, 1), "speedup")) == 4);
    assert_true(fabs(json_number_value(
                         json_object_get(json_array_get(samples, 1), "speedup_after_startup")) -
                     6) < 1e-12);
    json_decref(report);
}

static void notes_name_wins_by_startup_and_by_the_operating_system(void **state)
{
    run_fixture *self = *state;
    append(self, "a", usual, N_USUAL);
    json_t *report = report_json(self);
    /* row 1, sample 0: 3x faster, 1000 / 900 = 1.11x after start-up; 6000 with the system */
    assert_false(has_note(report, "start-up alone"));
    assert_true(has_note(report, "1 answer is at least 1.10x faster in user mode, which is shown"));
    assert_true(has_note(report, "1 correct answer reached the cycle budget"));
    json_decref(report);

    const record_entry more[] = {
        {3, "p3", "source", 0, "passed", .cycles = 1000, .startup_cycles = 900},
        {3, "p3", "sample", 0, "passed", .cycles = 200, .startup_cycles = 100},
        {3, "p3", "sample", 1, "no_code", .cycles = 0}};
    append(self, "b", more, 3);
    report = report_json(self);
    assert_true(has_note(report, "1 of 3 answers that are at least 1.10x faster win by start-up"));
    json_decref(report);
}

static void writers_and_order_do_not_show(void **state)
{
    run_fixture *self = *state;
    append(self, "one", usual, N_USUAL);
    pie_report *report = build(self);
    char *first = render(report, PIE_REPORT_JSON);
    pie_report_free(report);

    char *segments = pie_path_join(self->folder, "seg");
    assert_int_equal(pie_folder_remove(segments, &pie_log_stderr), PIE_OK);
    free(segments);
    pie_store_close(self->store);
    assert_int_equal(pie_store_open(self->folder, true, &log_memory, &self->store), PIE_OK);
    for (size_t i = N_USUAL; i > 0; i--) /* backwards, in two segments in turn, some twice */
        append(self, i % 2 ? "x" : "a", &usual[i - 1], 1);
    append(self, "again", usual, 3);
    report = build(self);
    char *second = render(report, PIE_REPORT_JSON);
    pie_report_free(report);
    assert_string_equal(first, second);
    free(first);
    free(second);
}

static void what_is_missing_or_failed_by_itself_makes_it_incomplete(void **state)
{
    run_fixture *self = *state;
    append(self, "a", usual, 3); /* sample 1 of row 0 is not there */
    pie_report *report = build(self);
    assert_true(pie_report_get_state(report).incomplete);
    assert_false(pie_report_get_state(report).empty);
    pie_report_free(report);
    const record_entry infra[] = {{0, "p1", "sample", 1, "infra_error", .cycles = 0}};
    append(self, "b", infra, 1);
    json_t *json = report_json(self);
    assert_int_equal(json_integer_value(json_object_get(json, "incomplete")), 1);
    json_decref(json);
    append(self, "c", &usual[3], 1); /* tried again */
    append(self, "d", infra, 1);     /* a late copy changes nothing */
    json = report_json(self);
    assert_int_equal(json_integer_value(json_object_get(json, "incomplete")), 0);
    assert_true(value_of(json, "best@2", "Speedup") == 4);
    json_decref(json);
}

static void a_run_without_results_is_empty(void **state)
{
    run_fixture *self = *state;
    pie_report *report = build(self);
    assert_true(pie_report_get_state(report).empty);
    for (int32_t format = PIE_REPORT_TABLE; format <= PIE_REPORT_JSON; format++)
        free(render(report, format));
    pie_report_free(report);
    const record_entry infra[] = {{0, "p1", "source", 0, "infra_error", .cycles = 0}};
    append(self, "a", infra, 1);
    report = build(self);
    assert_true(pie_report_get_state(report).empty);
    pie_report_free(report);
}

static void the_same_simulation_with_two_results_is_nondeterminism(void **state)
{
    run_fixture *self = *state;
    append(self, "a", usual, N_USUAL);
    record_entry other = usual[3];
    other.cycles++;
    append(self, "elsewhere", &other, 1);
    pie_report *report = build(self);
    assert_true(pie_report_get_state(report).nondeterministic);
    pie_report_free(report);
    json_t *json = report_json(self);
    const json_t *pair = json_array_get(json_object_get(json, "nondeterminism"), 0);
    const char *a = json_string_value(json_object_get(json_object_get(pair, "a"), "segment")),
               *b = json_string_value(json_object_get(json_object_get(pair, "b"), "segment"));
    assert_non_null(a);
    assert_non_null(b);
    assert_string_not_equal(a, b);
    assert_true(has_note(json, "NONDETERMINISM"));
    json_decref(json);
}

static void equal_binaries_of_two_rows_must_agree_too(void **state)
{
    run_fixture *self = *state;
    const record_entry entries[] = {
        {0, "p1", "source", 0, "passed", .cycles = 1000, .key = "same"},
        {1, "p1", "source", 0, "passed", .cycles = 1001, .key = "same"},
        {2, "p2", "source", 0, "passed", .cycles = 1002, .key = "same"}};
    append(self, "a", entries, 3); /* p2 checks the output differently: it does not count */
    json_t *json = report_json(self);
    assert_int_equal(json_array_size(json_object_get(json, "nondeterminism")), 1);
    json_decref(json);
}

static void two_different_answers_for_one_sample_are_a_note(void **state)
{
    run_fixture *self = *state;
    append(self, "a", usual, N_USUAL);
    record_entry other = usual[3];
    other.cycles = 100;
    other.key = "another answer";
    append(self, "b", &other, 1);
    json_t *json = report_json(self);
    assert_int_equal(json_array_size(json_object_get(json, "nondeterminism")), 0);
    assert_true(has_note(json, "1 program with two different results"));
    json_decref(json);
}

static void records_of_two_datasets_are_refused(void **state)
{
    run_fixture *self = *state;
    append(self, "a", usual, 2);
    const record_entry other[] = {{0, "p9", "source", 0, "passed", .cycles = 1000}};
    append(self, "b", other, 1);
    pie_report *report = NULL;
    assert_int_equal(pie_report_build(self->store, self->config, "abc", NULL, &log_memory, &report),
                     PIE_ERR_CONFIG);
    assert_null(report);
    assert_non_null(strstr(last_message, "row 0 is p1/s0 in one record and p9/s0 in another"));
}

static void malformed_records_are_counted_and_ignored(void **state)
{
    run_fixture *self = *state;
    append(self, "a", usual, N_USUAL);
    pie_store_writer *writer = NULL;
    assert_int_equal(pie_store_writer_new(self->store, "b", &writer), PIE_OK);
    json_t *records[] = {json_pack("{s:s,s:i}", "type", "result", "row", 5),
                         json_pack("{s:s,s:s}", "type", "note", "text", "of another kind"),
                         json_pack("{s:s,s:i,s:s,s:s,s:s,s:s,s:i}", "type", "result", "row", 7,
                                   "problem_id", "p", "src_id", "s", "role", "sample", "verdict",
                                   "splendid", "index", 0)};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pie_store_append(writer, records[i], NULL), PIE_OK);
        json_decref(records[i]);
    }
    pie_store_writer_close(writer);
    json_t *json = report_json(self);
    assert_true(has_note(json, "2 records malformed and ignored"));
    assert_int_equal(json_array_size(json_object_get(json, "problems")), 3);
    json_decref(json);
}

static void tables_fit_into_80_columns(void **state)
{
    run_fixture *self = *state;
    append(self, "a", usual, N_USUAL);
    pie_report *report = build(self);
    char *text = render(report, PIE_REPORT_TABLE);
    size_t width = 0;
    for (const char *at = text; *at; at++) {
        width = *at == '\n' ? 0 : width + ((*at & 0xc0) != 0x80);
        assert_true(width <= 80);
    }
    const char *human = strstr(text, "\nsame human"), *best = strstr(text, "\nbest@1");
    assert_true(human && best && human < best);
    assert_non_null(strstr(text, "verdicts"));
    assert_non_null(strstr(text, "rule "));
    free(text);
    text = render(report, PIE_REPORT_MARKDOWN);
    assert_non_null(strstr(text, "| same human | 100.0%"));
    free(text);
    pie_report_free(report);
}

static void csv_has_a_line_per_figure_and_quotes(void **state)
{
    run_fixture *self = *state;
    append(self, "a", usual, N_USUAL);
    pie_report *report = build(self);
    char *text = render(report, PIE_REPORT_CSV);
    size_t n_lines = 0;
    for (const char *at = text; *at; at++)
        n_lines += *at == '\n';
    assert_int_equal(n_lines, json_array_size(json_object_get(pie_report_json(report), "summary")));
    assert_non_null(strstr(text, ",abc,org.pie.optimized,same human,%Opt,,100,%,higher,"));
    assert_non_null(strstr(text, ",\"Arithmetic mean over"));
    assert_int_equal(strncmp(pie_report_csv_header(), "run,fingerprint,metric,", 23), 0);
    free(text);
    pie_report_free(report);
}

/* ---- records, read fast --------------------------------------------------------------------- */

static void scanning_agrees_with_a_json_parser_and_survives_any_cut(void **state)
{
    (void)state;
    json_t *record = record_of(&usual[1]);
    json_object_set_new(record, "nested", json_pack("{s:[{s:s}]}", "deep", "x", "quote \" \\ \n"));
    char *text = json_dumps(record, 0);
    const size_t n = strlen(text);
    pie_scanned scanned = {0};
    assert_int_equal(pie_record_scan(text, n, &scanned), PIE_OK);
    assert_true(scanned.is_result);
    assert_int_equal(scanned.row, 0);
    assert_int_equal(scanned.role, PIE_ROLE_TARGET);
    assert_int_equal(scanned.verdict, PIE_VERDICT_PASSED);
    assert_true(pie_slice_is(&scanned.problem_id, "p1"));
    assert_int_equal(scanned.n_tests, 1);
    assert_int_equal(scanned.tests[0].info.number, 3);
    assert_true(scanned.tests[0].cycles == 500 && scanned.text_bytes == 1000);
    assert_true(isinf(scanned.tests[0].seconds));
    for (size_t cut = 0; cut < n; cut++) {
        char *part = malloc(cut + 1); /* so that a read beyond it is seen */
        assert_non_null(part);
        memcpy(part, text, cut);
        assert_int_equal(pie_record_scan(part, cut, &scanned), PIE_ERR_DATA);
        free(part);
    }
    for (size_t i = 0; i < n; i++) { /* any byte wrong: a status, never a crash */
        const char kept = text[i];
        static const char bytes[] = "\"\\{}[],:0-en\0\xff";
        for (size_t b = 0; b < sizeof bytes; b++) {
            text[i] = bytes[b];
            pie_record_scan(text, n, &scanned);
        }
        text[i] = kept;
    }
    pie_scanned_free(&scanned);
    free(text);
    json_decref(record);
}

static void escapes_become_text(void **state)
{
    (void)state;
    static const struct {
        const char *json, *text; /* NULL: malformed */
    } cases[] = {{"plain", "plain"},
                 {"\\\"\\\\\\/\\n\\t", "\"\\/\n\t"},
                 {"\\u0041\\u00e9\\u20ac", "A\xc3\xa9\xe2\x82\xac"},
                 {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
                 {"\\ud83d", NULL},
                 {"\\ude00", NULL},
                 {"\\u00", NULL},
                 {"\\x", NULL},
                 {"\\u0000", NULL},
                 {"\\", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const pie_slice slice = {cases[i].json, strlen(cases[i].json), true};
        pie_buf buf = {0};
        const pie_status status = pie_slice_text(&slice, &buf);
        print_message("  %s\n", cases[i].json);
        assert_int_equal(status, cases[i].text ? PIE_OK : PIE_ERR_DATA);
        if (cases[i].text)
            assert_string_equal(pie_buf_text(&buf), cases[i].text);
        pie_buf_free(&buf);
    }
}

/* ---- metrics that misbehave ----------------------------------------------------------------- */

/* Counts rows; @self is the address of a kind of mischief. */
enum { GOOD, FAILS, CRASHES, HANGS, EXITS, BAD_TEXT, CRASHES_IN_TOTAL, FAILS_TO_START };
static const int kinds[] = {GOOD,  FAILS,    CRASHES,          HANGS,
                            EXITS, BAD_TEXT, CRASHES_IN_TOTAL, FAILS_TO_START};

static void mischief_destroy(void *self)
{
    (void)self;
}

static pie_status mischief_outputs(void *self, const pie_metric_output **ret_outputs, size_t *ret_n)
{
    static const pie_metric_output good[] = {{"rows", "N", 0, "rows", PIE_NO_DIRECTION,
                                              "Number of rows."}},
                                   bad[] = {{"rows\xff", "N", 0, "rows", PIE_NO_DIRECTION, "?"}};
    *ret_outputs = *(int *)self == BAD_TEXT ? bad : good;
    *ret_n = 1;
    return PIE_OK;
}

static size_t mischief_n_columns(void *self)
{
    (void)self;
    return 1;
}

static pie_status mischief_problem(void *self, const pie_problem *problem, double *ret_columns)
{
    *ret_columns = (double)problem->n_rows;
    const bool second = strcmp(problem->problem_id, "p1") == 0;
    switch (second ? *(int *)self : GOOD) {
    case FAILS:
        return PIE_ERR_DATA;
    case CRASHES:
        kill(getpid(), SIGSEGV);
        pause();
        break;
    case HANGS:
        pause();
        break;
    case EXITS:
        _exit(7);
    default:
        break;
    }
    return PIE_OK;
}

static pie_status mischief_total(void *self, const double *columns, const uint32_t *multiplicity,
                                 size_t n_problems, double *ret_totals)
{
    if (*(int *)self == CRASHES_IN_TOTAL && !multiplicity)
        kill(getpid(), SIGKILL);
    *ret_totals = 0;
    for (size_t i = 0; i < n_problems; i++)
        *ret_totals += columns[i] * (multiplicity ? multiplicity[i] : 1);
    return PIE_OK;
}

#define MISCHIEF(name, kind_)                                                                   \
    static pie_status name##_create(const pie_host *host, int64_t max_samples, void **ret_self) \
    {                                                                                           \
        (void)host, (void)max_samples;                                                          \
        if (kind_ == FAILS_TO_START)                                                            \
            return PIE_ERR_CONFIG;                                                              \
        *ret_self = (void *)(uintptr_t)&kinds[kind_];                                           \
        return PIE_OK;                                                                          \
    }                                                                                           \
    static const pie_metric_ops name##_ops = {.create = name##_create,                          \
                                              .destroy = mischief_destroy,                      \
                                              .outputs = mischief_outputs,                      \
                                              .n_columns = mischief_n_columns,                  \
                                              .problem = mischief_problem,                      \
                                              .total = mischief_total};                         \
    static const pie_plugin name##_plugin = {                                                   \
        .kind = PIE_KIND_METRIC, .id = "test." #name, .version = "1", .ops = &name##_ops}

MISCHIEF(good, GOOD);
MISCHIEF(fails, FAILS);
MISCHIEF(crashes, CRASHES);
MISCHIEF(hangs, HANGS);
MISCHIEF(exits, EXITS);
MISCHIEF(bad_text, BAD_TEXT);
MISCHIEF(late, CRASHES_IN_TOTAL);
MISCHIEF(absent, FAILS_TO_START);

typedef struct three_problems {
    pie_problem problems[3];
    size_t next;
    bool dies;
} three_problems;

static pie_status next_of_three(void *context, const pie_problem **ret_problem)
{
    three_problems *self = context;
    if (self->dies)
        _exit(3);
    if (self->next == 3)
        return PIE_ERR_AGAIN;
    *ret_problem = &self->problems[self->next++];
    return PIE_OK;
}

static three_problems made_problems(void)
{
    static const char *const names[] = {"p0", "p1", "p2"};
    static const pie_program source = {.role = PIE_ROLE_SOURCE, .id = ""};
    static const pie_row rows[3] = {{.source = &source}, {.source = &source}, {.source = &source}};
    three_problems made = {0};
    for (size_t i = 0; i < 3; i++)
        made.problems[i] = (pie_problem){.problem_id = names[i], .rows = rows, .n_rows = i + 1};
    return made;
}

static void a_metric_that_misbehaves_costs_its_own_figures_only(void **state)
{
    (void)state;
    three_problems context = made_problems();
    const pie_problem_source source = {
        .context = &context, .next = next_of_three, .n_problems = 3, .max_samples = 1};
    const pie_metric_job jobs[] = {
        {.plugin = &good_plugin},  {.plugin = &crashes_plugin}, {.plugin = &fails_plugin},
        {.plugin = &hangs_plugin}, {.plugin = &exits_plugin},   {.plugin = &bad_text_plugin},
        {.plugin = &late_plugin},  {.plugin = &absent_plugin},  {.plugin = &good_plugin}};
    json_t *summary = NULL, *failures = NULL;
    assert_int_equal(pie_metrics_run(jobs, 9, &source, 300, &log_memory, &summary, &failures),
                     PIE_OK);
    assert_int_equal(json_array_size(summary), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *figure = json_array_get(summary, i);
        assert_string_equal(json_string_value(json_object_get(figure, "metric")), "test.good");
        assert_true(json_number_value(json_object_get(figure, "value")) == 6);
        assert_int_equal(json_array_size(json_object_get(figure, "interval")), 2);
    }
    static const char *const expected[] = {
        "metric test.crashes: crashed with signal 11 in problem()",
        "metric test.fails: problem() failed on p1",
        "metric test.hangs: did not come back in problem()",
        "metric test.exits: ended the process with status 7 in problem()",
        "metric test.bad_text: outputs() gave a text that is missing or not UTF-8",
        "metric test.late: crashed with signal 9 in total()",
        "metric test.absent: could not be set up"};
    char *text = json_dumps(failures, 0);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (!strstr(text, expected[i]))
            fail_msg("'%s' is not in %s", expected[i], text);
    assert_int_equal(json_array_size(failures), 7);
    free(text);
    json_decref(summary);
    json_decref(failures);
}

static void a_crash_outside_of_metrics_is_an_error(void **state)
{
    (void)state;
    three_problems context = made_problems();
    context.dies = true;
    const pie_problem_source source = {
        .context = &context, .next = next_of_three, .n_problems = 3, .max_samples = 1};
    const pie_metric_job jobs[] = {{.plugin = &good_plugin}};
    json_t *summary = NULL, *failures = NULL;
    assert_int_equal(pie_metrics_run(jobs, 1, &source, 300, &log_memory, &summary, &failures),
                     PIE_ERR_CRASHED);
    assert_null(summary);
    assert_non_null(strstr(last_message, "outside of any metric"));
}

/* ---- bootstrap ------------------------------------------------------------------------------ */

static void draws_are_the_documented_ones(void **state)
{
    (void)state;
    /* computed from the definition in bootstrap.h by an independent program */
    static const uint32_t want[] = {1, 1, 0, 2, 0, 3, 1, 1, 1, 0};
    pie_bootstrap bootstrap;
    uint32_t got[10], sum = 0;
    pie_bootstrap_start(&bootstrap);
    pie_bootstrap_draw(&bootstrap, 10, got);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(got[i], want[i]);
        sum += got[i];
    }
    assert_int_equal(sum, 10);
    assert_int_equal(pie_bootstrap_resamples(0), 0);
    assert_int_equal(pie_bootstrap_resamples(1), 0);
    assert_int_equal(pie_bootstrap_resamples(2), 1000);
    assert_int_equal(pie_bootstrap_resamples(20000), 1000);
    assert_int_equal(pie_bootstrap_resamples(40000), 500);
    assert_int_equal(pie_bootstrap_resamples(1000000), 200);
}

static void an_interval_leaves_out_the_tails(void **state)
{
    (void)state;
    double totals[1000], ends[2];
    for (int i = 0; i < 1000; i++)
        totals[i] = (i * 389) % 1000; /* 0 .. 999 in another order */
    pie_bootstrap_interval(totals, 1000, ends);
    assert_true(ends[0] == 25 && ends[1] == 974);
    totals[500] = NAN;
    pie_bootstrap_interval(totals, 1000, ends);
    assert_true(isnan(ends[0]) && isnan(ends[1]));
    pie_bootstrap_interval(totals, 0, ends);
    assert_true(isnan(ends[0]));
}

int main(void)
{
#define RUN_TEST(test) cmocka_unit_test_setup_teardown(test, open_run, close_run)
    const struct CMUnitTest tests[] = {
        RUN_TEST(figures_and_problems_follow_from_the_records),
        RUN_TEST(notes_name_wins_by_startup_and_by_the_operating_system),
        RUN_TEST(writers_and_order_do_not_show),
        RUN_TEST(what_is_missing_or_failed_by_itself_makes_it_incomplete),
        RUN_TEST(a_run_without_results_is_empty),
        RUN_TEST(the_same_simulation_with_two_results_is_nondeterminism),
        RUN_TEST(equal_binaries_of_two_rows_must_agree_too),
        RUN_TEST(two_different_answers_for_one_sample_are_a_note),
        RUN_TEST(records_of_two_datasets_are_refused),
        RUN_TEST(malformed_records_are_counted_and_ignored),
        RUN_TEST(tables_fit_into_80_columns),
        RUN_TEST(csv_has_a_line_per_figure_and_quotes),
        cmocka_unit_test(scanning_agrees_with_a_json_parser_and_survives_any_cut),
        cmocka_unit_test(escapes_become_text),
        cmocka_unit_test(a_metric_that_misbehaves_costs_its_own_figures_only),
        cmocka_unit_test(a_crash_outside_of_metrics_is_an_error),
        cmocka_unit_test(draws_are_the_documented_ones),
        cmocka_unit_test(an_interval_leaves_out_the_tails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
