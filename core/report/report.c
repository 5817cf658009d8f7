/* report.c - what a run came to. */
#include "report/report_private.h"

#include "base/file.h"
#include "pipeline/identity.h"
#include "pipeline/record.h"
#include "report/metric_run.h"
#include "report/problems.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* An answer that is faster at all: PIE's threshold of %Opt. */
static const double faster_ratio = 1.10;

double pie_report_ratio(double source_cycles, double cycles)
{
    return isfinite(source_cycles) && isfinite(cycles) && cycles > 0 ? source_cycles / cycles : NAN;
}

double pie_report_ratio_after_startup(const pie_counted *source, const pie_counted *program)
{
    const double rest = program->cycles - program->startup_cycles;
    return rest > 0 ? pie_report_ratio(source->cycles - source->startup_cycles, rest) : NAN;
}

/* ---- counting ------------------------------------------------------------------------------- */

typedef struct run_tally {
    size_t n_samples, n_humans;    /* programs that should have a result */
    size_t n_missing;              /* of them: no record, or pie's own failure */
    size_t n_sources_not_measured; /* did not pass, or their cycles are unknown */
    size_t n_targets_failed;
    size_t n_measured;               /* programs with a final verdict */
    size_t n_censored;               /* samples */
    size_t n_faster;                 /* samples at least faster_ratio times faster */
    size_t n_only_startup;           /* of them: not so after start-up */
    size_t n_only_user, n_only_os;   /* verdict "faster" only without, only with the OS's share */
    size_t verdicts[PIE_N_VERDICTS]; /* of samples */
} run_tally;

static bool is_final(const pie_counted *program)
{
    return program && program->verdict != PIE_VERDICT_INFRA_ERROR &&
           program->verdict != PIE_VERDICT_NONE;
}

static bool is_faster(double ratio)
{
    return ratio >= faster_ratio; /* NaN: no */
}

static void count_sample(run_tally *tally, const pie_counted *source, const pie_counted *sample)
{
    tally->n_samples++;
    tally->n_missing += !is_final(sample);
    tally->n_measured += is_final(sample);
    tally->verdicts[sample ? sample->verdict : PIE_VERDICT_NONE]++;
    if (!sample)
        return;
    tally->n_censored += sample->censored;
    if (!source)
        return;
    const bool user = is_faster(pie_report_ratio(source->user_cycles, sample->user_cycles));
    const bool total = is_faster(pie_report_ratio(source->total_cycles, sample->total_cycles));
    const double rest = pie_report_ratio_after_startup(source, sample);
    const bool faster = is_faster(pie_report_ratio(source->cycles, sample->cycles));
    const bool total_known = isfinite(source->total_cycles) && isfinite(sample->total_cycles);
    tally->n_faster += faster;
    tally->n_only_startup += faster && !isnan(rest) && !is_faster(rest);
    tally->n_only_user += user && total_known && !total;
    tally->n_only_os += !user && total;
}

static void count_rows(const pie_report *report, run_tally *tally)
{
    const pie_census *census = report->census;
    for (size_t r = 0; r < census->n_rows; r++) {
        const pie_counted_row *row = &census->rows[r];
        const pie_counted *source = pie_census_find(census, row, PIE_ROLE_SOURCE, 0);
        if (!source || !isfinite(source->cycles))
            tally->n_sources_not_measured++;
        if (!source) {
            tally->n_humans++;
            tally->n_missing++;
        }
        size_t at = row->first;
        const size_t end = row->first + row->n_programs;
        for (; at < end && census->programs[at].role != PIE_ROLE_SAMPLE; at++) {
            const pie_counted *human = &census->programs[at];
            tally->n_humans++;
            tally->n_missing += !is_final(human);
            tally->n_measured += is_final(human);
            tally->n_targets_failed += human->role == PIE_ROLE_TARGET && is_final(human) &&
                                       human->verdict != PIE_VERDICT_PASSED;
        }
        for (int64_t i = 0; i < report->n_samples; i++) {
            const bool there = at < end && census->programs[at].index == i;
            count_sample(tally, source, there ? &census->programs[at] : NULL);
            at += there;
        }
    }
}

/* ---- notes ---------------------------------------------------------------------------------- */

static pie_status add_note(json_t *notes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static pie_status add_note(json_t *notes, const char *format, ...)
{
    pie_buf text = {0};
    va_list args;
    va_start(args, format);
    pie_status status = pie_buf_vprintf(&text, format, args);
    va_end(args);
    if (status == PIE_OK && json_array_append_new(notes, json_string(pie_buf_text(&text))) != 0)
        status = PIE_ERR_NOMEM;
    pie_buf_free(&text);
    return status;
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static pie_status note_counts(const run_tally *tally, const pie_census *census, bool total_time,
                              json_t *notes)
{
    /* clang-format off */
    const struct { size_t n; const char *text; } lines[] = {
        {tally->n_missing, "not measured yet, or failed by pie's own fault (infra_error); run again to complete"},
        {tally->n_sources_not_measured, "without measured source: no speedup is credited there"},
        {tally->n_targets_failed, "whose human target fails its own tests"},
        {census->n_torn, "torn by an interruption and dropped"},
        {census->n_malformed, "malformed and ignored: they may come from another version of pie"},
        {census->n_replaced, "with two different results of different inputs (merged folders?); one of them counts"},
    };
    /* clang-format on */
    static const char *const things[] = {"program", "row", "row", "record", "record", "program"};
    pie_status status = PIE_OK;
    for (size_t i = 0; status == PIE_OK && i < sizeof lines / sizeof *lines; i++)
        if (lines[i].n > 0)
            status = add_note(notes, "%zu %s%s %s", lines[i].n, things[i], plural(lines[i].n),
                              lines[i].text);
    if (status == PIE_OK && tally->n_censored > 0)
        status = add_note(notes,
                          "%zu correct answer%s reached the cycle budget: known to be slower than "
                          "the source, counted as correct with speedup 1",
                          tally->n_censored, plural(tally->n_censored));
    if (status == PIE_OK && tally->n_only_startup > 0)
        status =
            add_note(notes,
                     "%zu of %zu answers that are at least %.2fx faster win by start-up alone: "
                     "without it they gain less (speedup_after_startup in --json)",
                     tally->n_only_startup, tally->n_faster, faster_ratio);
    if (status == PIE_OK && tally->n_only_user > 0)
        status =
            add_note(notes,
                     "%zu answer%s at least %.2fx faster in user mode%s, but not with what the "
                     "operating system is charged for%s (speedup_user, speedup_total in --json)",
                     tally->n_only_user, tally->n_only_user == 1 ? " is" : "s are", faster_ratio,
                     total_time ? "" : ", which is shown", total_time ? ", which is shown" : "");
    if (status == PIE_OK && tally->n_only_os > 0)
        status =
            add_note(notes,
                     "%zu answer%s at least %.2fx faster with what the operating system is "
                     "charged for%s, but not in user mode%s (speedup_user, speedup_total in "
                     "--json)",
                     tally->n_only_os, tally->n_only_os == 1 ? " is" : "s are", faster_ratio,
                     total_time ? ", which is shown" : "", total_time ? "" : ", which is shown");
    return status;
}

/* Protections that the machine of the run did not offer, as RUN/run.json names them. */
static pie_status note_protections(const json_t *protections, json_t *notes)
{
    pie_status status = PIE_OK;
    size_t i;
    const json_t *line;
    json_array_foreach(protections, i, line)
    {
        const char *text = json_string_value(line);
        const char *colon = text ? strstr(text, ": ") : NULL;
        if (status == PIE_OK && colon && strncmp(colon, ": yes", 5) != 0)
            status = add_note(notes, "protection absent when this was measured: %s", text);
    }
    return status;
}

/* ---- nondeterminism ------------------------------------------------------------------------- */

/* One of two records that should agree. */
static json_t *side_json(const pie_report *report, const pie_store *store, const pie_counted *one)
{
    const pie_counted_row *row = &report->census->rows[one->row];
    const char *segment = pie_store_segment(store, one->place.segment);
    const char *slash = segment ? strrchr(segment, '/') : NULL;
    return json_pack("{s:s,s:s,s:s,s:i,s:s,s:o,s:s,s:I}", "problem_id", row->problem_id, "src_id",
                     row->src_id, "role", pie_role_name(one->role), "index", (int)one->index,
                     "verdict", pie_verdict_name(one->verdict), "cycles",
                     isfinite(one->cycles) ? json_integer((json_int_t)one->cycles) : json_null(),
                     "segment", slash ? slash + 1 : "", "offset", (json_int_t)one->place.offset);
}

static pie_status add_disagreements(pie_report *report, const pie_store *store, json_t *list,
                                    json_t *notes)
{
    const pie_census *census = report->census;
    for (size_t i = 0; i < census->n_disagreements && i < PIE_DISAGREEMENTS_KEPT; i++) {
        const pie_disagreement *one = &census->disagreements[i];
        json_t *pair = json_pack("{s:o,s:o}", "a", side_json(report, store, &one->a), "b",
                                 side_json(report, store, &one->b));
        if (json_array_append_new(list, pair) != 0)
            return PIE_ERR_NOMEM;
    }
    if (census->n_disagreements == 0)
        return PIE_OK;
    report->state.nondeterministic = true;
    return add_note(notes,
                    "NONDETERMINISM: %zu time%s the same simulation gave two results; "
                    "\"nondeterminism\" of --json names both places",
                    census->n_disagreements, plural(census->n_disagreements));
}

/* ---- metrics -------------------------------------------------------------------------------- */

static pie_status next_problem(void *context, const pie_problem **ret_problem)
{
    return pie_problem_reader_next(context, ret_problem);
}

static pie_status run_metrics(const pie_report *report, pie_store *store, const pie_config *config,
                              bool total_time, const pie_log *log, json_t **ret_summary,
                              json_t **ret_failures)
{
    const size_t n_jobs = pie_config_n_metrics(config);
    pie_problem_reader *reader = NULL;
    pie_metric_job *jobs = calloc(n_jobs + 1, sizeof *jobs);
    pie_status status = jobs ? PIE_OK : PIE_ERR_NOMEM;
    if (status == PIE_OK)
        status =
            pie_problem_reader_new(store, report->census, report->n_samples, total_time, &reader);
    if (status == PIE_OK) {
        for (size_t i = 0; i < n_jobs; i++)
            jobs[i].choice = pie_config_metric(config, i);
        const pie_problem_source source = {.context = reader,
                                           .next = next_problem,
                                           .n_problems = report->census->n_problems,
                                           .max_samples = report->n_samples};
        status = pie_metrics_run(jobs, n_jobs, &source, PIE_METRIC_HANG_MS, log, ret_summary,
                                 ret_failures);
    }
    pie_problem_reader_free(reader);
    free(jobs);
    return status;
}

/* ---- putting it together -------------------------------------------------------------------- */

static json_t *verdicts_json(const run_tally *tally)
{
    json_t *object = json_object();
    for (int32_t i = 0; i < PIE_N_VERDICTS; i++)
        if (tally->verdicts[i] > 0)
            json_object_set_new(object, pie_verdict_name(i),
                                json_integer((json_int_t)tally->verdicts[i]));
    return object;
}

static json_t *counts_json(const pie_report *report, const run_tally *tally)
{
    return json_pack(
        "{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "problems",
        (json_int_t)report->census->n_problems, "rows", (json_int_t)report->census->n_rows,
        "samples_per_row", (json_int_t)report->n_samples, "samples", (json_int_t)tally->n_samples,
        "sources_not_measured", (json_int_t)tally->n_sources_not_measured, "targets_failed",
        (json_int_t)tally->n_targets_failed, "faster", (json_int_t)tally->n_faster,
        "faster_only_by_startup", (json_int_t)tally->n_only_startup, "faster_only_in_user_mode",
        (json_int_t)tally->n_only_user, "faster_only_by_os_share", (json_int_t)tally->n_only_os);
}

static int by_ordinal(const void *a, const void *b, void *context)
{
    const pie_census *census = context;
    const int64_t x = census->rows[*(const size_t *)a].ordinal,
                  y = census->rows[*(const size_t *)b].ordinal;
    return (x > y) - (x < y);
}

static pie_status order_rows(pie_report *report)
{
    const size_t n = report->census->n_rows;
    report->dataset_order = calloc(n + 1, sizeof *report->dataset_order);
    if (!report->dataset_order)
        return PIE_ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        report->dataset_order[i] = i;
    qsort_r(report->dataset_order, n, sizeof *report->dataset_order, by_ordinal, report->census);
    return PIE_OK;
}

static json_t *protections_of(const pie_store *store, json_t **ret_run_json)
{
    if (pie_identity_read(pie_store_path(store), &pie_log_none, ret_run_json) != PIE_OK)
        return NULL; /* a folder without it still has figures */
    return json_object_get(*ret_run_json, "protections");
}

pie_status pie_report_build(pie_store *store, const pie_config *config, const char *fingerprint,
                            const json_t *config_json, const pie_log *log, pie_report **ret_report)
{
    const bool total_time =
        strcmp(pie_settings_string(pie_config_group(config, ""), "time"), "total") == 0;
    const pie_choice *uarch = pie_config_uarch(config);
    const bool deterministic = !uarch || uarch->info->deterministic;
    json_t *summary = NULL, *failures = NULL, *run_json = NULL;
    json_t *notes = json_array(), *disagreements = json_array();
    run_tally tally = {0};
    pie_report *report = calloc(1, sizeof *report);
    pie_status status = report && notes && disagreements ? PIE_OK : PIE_ERR_NOMEM;
    if (status == PIE_OK)
        status = pie_census_take(store, total_time, log, &report->census);
    if (status != PIE_OK)
        goto cleanup;
    report->name = strdup(pie_store_path(store));
    if (pie_config_backend(config))
        report->n_samples = pie_settings_int(pie_config_plugin_group(config, "backend"), "samples");
    if (report->n_samples < report->census->max_samples)
        report->n_samples = report->census->max_samples;
    status = report->name ? order_rows(report) : PIE_ERR_NOMEM;
    if (status == PIE_OK)
        status = run_metrics(report, store, config, total_time, log, &summary, &failures);
    if (status != PIE_OK)
        goto cleanup;
    count_rows(report, &tally);
    report->state.empty = tally.n_measured == 0;
    report->state.incomplete = tally.n_missing > 0;
    report->state.crashed = json_array_size(failures) > 0;
    if (deterministic)
        status = add_disagreements(report, store, disagreements, notes);
    else
        status = add_note(notes,
                          "the CPU model %s is not deterministic: its figures vary from run "
                          "to run",
                          uarch->info->id);
    if (status == PIE_OK && json_array_extend(notes, failures) != 0)
        status = PIE_ERR_NOMEM;
    if (status == PIE_OK)
        status = note_counts(&tally, report->census, total_time, notes);
    if (status == PIE_OK)
        status = note_protections(protections_of(store, &run_json), notes);
    const json_int_t n_dataset = json_integer_value(json_object_get(run_json, "rows"));
    if (status == PIE_OK && n_dataset > (json_int_t)report->census->n_rows)
        status = add_note(notes,
                          "%zu of the dataset's %" JSON_INTEGER_FORMAT
                          " rows are in this run: a part was chosen, or it was interrupted",
                          report->census->n_rows, n_dataset);
    if (status != PIE_OK)
        goto cleanup;
    report->head =
        json_pack("{s:s?,s:o,s:O,s:o,s:o,s:I,s:I,s:O,s:O}", "fingerprint", fingerprint, "config",
                  config_json ? json_deep_copy(config_json) : json_object(), "summary", summary,
                  "counts", counts_json(report, &tally), "verdicts", verdicts_json(&tally),
                  "censored", (json_int_t)tally.n_censored, "incomplete",
                  (json_int_t)tally.n_missing, "notes", notes, "nondeterminism", disagreements);
    if (!report->head) {
        status = PIE_ERR_NOMEM;
        goto cleanup;
    }
    *ret_report = report;
    report = NULL;
cleanup:
    if (status == PIE_ERR_NOMEM)
        pie_log_nomem(log);
    json_decref(summary);
    json_decref(failures);
    json_decref(notes);
    json_decref(disagreements);
    json_decref(run_json);
    pie_report_free(report);
    return status;
}

void pie_report_free(pie_report *report)
{
    if (!report)
        return;
    json_decref(report->head);
    pie_census_free(report->census);
    free(report->dataset_order);
    free(report->name);
    free(report);
}

const json_t *pie_report_json(const pie_report *report)
{
    return report->head;
}

pie_report_state pie_report_get_state(const pie_report *report)
{
    return report->state;
}
