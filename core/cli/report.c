/* report.c - pie report RUN...: what recorded runs came to. */
#include "cli/cli.h"

#include "base/file.h"
#include "config/config.h"
#include "pipeline/identity.h"
#include "report/report.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: pie report RUN... [--format table|markdown|csv|json] [--json]\n"
    "\n"
    "Computes the figures of run folders again from their records, with the metrics that their\n"
    "configuration names. Several runs are printed one after the other.\n"
    "\n"
    "  --format FORMAT  table (default), markdown, csv or json\n"
    "  --json           the same as --format json\n"
    "\n"
    "exit status: 0 done, 2 no such run, 3 samples are missing or could not be measured, 4 a "
    "metric\n"
    "crashed or is not installed, 5 nothing was measured, 6 nondeterminism found\n";

static const struct {
    const char *name;
    int32_t format;
} formats[] = {{"table", PIE_REPORT_TABLE},
               {"markdown", PIE_REPORT_MARKDOWN},
               {"csv", PIE_REPORT_CSV},
               {"json", PIE_REPORT_JSON}};

/* PIE_REPORT_* or 0. */
static int32_t format_of(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i].name, name) == 0)
            return formats[i].format;
    return 0;
}

static pie_status build(const char *run, pie_report **ret_report)
{
    const pie_log *log = &pie_log_stderr;
    char *config_path = pie_path_join(run, "run.cfg");
    pie_store *store = NULL;
    pie_registry *registry = NULL;
    pie_config *config = NULL;
    json_t *identity = NULL;
    pie_status status = config_path ? PIE_OK : pie_log_nomem(log);
    if (status == PIE_OK)
        status = pie_store_open(run, false, log, &store);
    if (status == PIE_OK)
        status = pie_identity_read(run, log, &identity);
    const pie_config_source source = {.path = config_path, .read_only = true};
    if (status == PIE_OK)
        status = pie_cli_config(&source, log, &registry, &config);
    if (status == PIE_OK)
        status = pie_report_build(store, config,
                                  json_string_value(json_object_get(identity, "fingerprint")),
                                  json_object_get(identity, "config"), log, ret_report);
    pie_config_free(config);
    pie_registry_free(registry);
    json_decref(identity);
    pie_store_close(store);
    free(config_path);
    return status;
}

static int exit_of(const pie_report *report)
{
    const pie_report_state state = pie_report_get_state(report);
    int code = PIE_EXIT_DONE;
    if (state.incomplete)
        code = pie_exit_worse(code, PIE_EXIT_INCOMPLETE);
    if (state.empty)
        code = pie_exit_worse(code, PIE_EXIT_NOTHING);
    if (state.crashed)
        code = pie_exit_worse(code, PIE_EXIT_INSTALL);
    if (state.nondeterministic)
        code = pie_exit_worse(code, PIE_EXIT_NONDETERMINISM);
    return code;
}

/* @first: nothing was printed before. */
static int print_run(const char *run, int32_t format, bool first)
{
    pie_report *report = NULL;
    pie_buf text = {0};
    pie_status status = build(run, &report);
    if (status == PIE_OK && format == PIE_REPORT_CSV && first)
        status = pie_buf_puts(&text, pie_report_csv_header());
    if (status == PIE_OK && !first && (format == PIE_REPORT_TABLE || format == PIE_REPORT_MARKDOWN))
        status = pie_buf_puts(&text, "\n");
    if (status == PIE_OK)
        status = pie_report_render(report, format, &text);
    int code = pie_exit_of(status);
    if (status == PIE_OK)
        code = pie_exit_worse(pie_cli_print(pie_buf_text(&text)), exit_of(report));
    pie_buf_free(&text);
    pie_report_free(report);
    return code;
}

int pie_cli_report(int argc, char **argv)
{
    static const struct option longs[] = {{"format", required_argument, NULL, 'f'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int32_t format = PIE_REPORT_TABLE;
    for (int option; (option = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        switch (option) {
        case 'f':
            format = format_of(optarg);
            if (!format)
                return pie_cli_usage("report", "--format is table, markdown, csv or json, not '%s'",
                                     optarg);
            break;
        case 'j':
            format = PIE_REPORT_JSON;
            break;
        case 'h':
            return pie_cli_print(help);
        default:
            return PIE_EXIT_USER;
        }
    }
    if (optind == argc)
        return pie_cli_usage("report", "needs a RUN folder");
    int code = PIE_EXIT_DONE;
    for (int i = optind; i < argc; i++) {
        const int one = print_run(argv[i], format, i == optind);
        if (one == PIE_EXIT_USER)
            return one;
        code = pie_exit_worse(code, one);
    }
    return code;
}
