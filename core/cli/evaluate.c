/* evaluate.c - see evaluate.h */
#include "cli/evaluate.h"

#include "cli/cli.h"
#include "pipeline/identity.h"
#include "report/report.h"

#include <signal.h>
#include <stdio.h>

typedef struct open_run {
    pie_registry *registry;
    pie_config *config;
} open_run;

static void close_config(open_run *opened)
{
    pie_config_free(opened->config);
    pie_registry_free(opened->registry);
}

static pie_status open_config(const pie_config_source *source, open_run *ret_opened)
{
    open_run opened = {0};
    const pie_status status =
        pie_cli_config(source, &pie_log_stderr, &opened.registry, &opened.config);
    if (status == PIE_OK)
        *ret_opened = opened;
    return status;
}

pie_status pie_evaluate_plan(const pie_config_source *source, const pie_run_options *options,
                             pie_run_summary *ret_summary)
{
    open_run opened;
    pie_status status = open_config(source, &opened);
    if (status != PIE_OK)
        return status;
    status = pie_run(opened.config, options, &pie_log_stderr, ret_summary);
    close_config(&opened);
    return status;
}

/* Build the report from the run folder and print it. */
static int print_report(const pie_config *config, const char *out, int print)
{
    const pie_log *log = &pie_log_stderr;
    pie_store *store = NULL;
    json_t *identity = NULL;
    pie_report *report = NULL;
    pie_buf text = {0};
    pie_status status = pie_store_open(out, false, log, &store);
    if (status == PIE_OK)
        status = pie_identity_read(out, log, &identity);
    if (status == PIE_OK)
        status = pie_report_build(store, config,
                                  json_string_value(json_object_get(identity, "fingerprint")),
                                  json_object_get(identity, "config"), log, &report);
    if (status == PIE_OK)
        status = pie_report_render(
            report, print == PIE_PRINT_JSON ? PIE_REPORT_JSON : PIE_REPORT_TABLE, &text);
    int code = pie_exit_of(status);
    if (status == PIE_OK) {
        code = print == PIE_PRINT_NOTHING ? PIE_EXIT_DONE : pie_cli_print(pie_buf_text(&text));
        const pie_report_state state = pie_report_get_state(report);
        if (state.nondeterministic)
            code = pie_exit_worse(code, PIE_EXIT_NONDETERMINISM);
        if (state.crashed)
            code = pie_exit_worse(code, PIE_EXIT_INSTALL);
    }
    pie_buf_free(&text);
    pie_report_free(report);
    json_decref(identity);
    pie_store_close(store);
    return code;
}

int pie_evaluate(const pie_config_source *source, const pie_run_options *options, int print,
                 pie_run_summary *ret_summary)
{
    open_run opened;
    pie_run_summary summary = {0};
    pie_status status = open_config(source, &opened);
    if (status != PIE_OK)
        return pie_exit_of(status);
    status = pie_run(opened.config, options, &pie_log_stderr, &summary);
    /* A file that the user named was read before anything ran: later it is the disk. */
    int code = status == PIE_ERR_IO && summary.n_rows > 0 ? PIE_EXIT_INSTALL : pie_exit_of(status);
    if (status == PIE_OK && summary.signal) {
        pie_log_info(&pie_log_stderr,
                     "stopped; what is measured is in %s, the same command goes on from there",
                     options->out);
        code = 128 + summary.signal;
    } else if (status == PIE_OK && summary.n_rows == 0) {
        pie_log_error(&pie_log_stderr, "nothing to measure: no row of the dataset was selected");
        code = PIE_EXIT_NOTHING;
    } else if (status == PIE_OK) {
        code = print_report(opened.config, options->out, print);
        if (summary.n_infra > 0)
            code = pie_exit_worse(code, PIE_EXIT_INCOMPLETE);
        if (summary.n_measured == 0)
            code = pie_exit_worse(code, PIE_EXIT_NOTHING);
        if (summary.n_unanswered > 0)
            pie_log_warning(&pie_log_stderr,
                            "%zu of %zu answers were not there: they count as incorrect",
                            summary.n_unanswered, summary.n_samples);
        if (print == PIE_PRINT_TABLE)
            pie_log_info(&pie_log_stderr, "run folder: %s", options->out);
    }
    close_config(&opened);
    *ret_summary = summary;
    return code;
}
