/* run.c - pie run CONFIG: the whole way, from slow programs to the table. */
#include "cli/cli.h"

#include "base/file.h"
#include "cli/evaluate.h"
#include "config/config.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: pie run CONFIG [--set PATH=VALUE]... [--out RUN] [--limit N] [--only IDS] [--dry-run]\n"
    "\n"
    "Takes the slow programs of the configured dataset, gets candidates from the backend, "
    "compiles\n"
    "and runs everything on the simulated CPU, checks the outputs and prints the table. The same\n"
    "command again resumes an interrupted run.\n"
    "\n"
    "  --set PATH=VALUE  override one setting, e.g. --set run.jobs=4 --set "
    "metrics.0.threshold=1.25\n"
    "  --out RUN         run folder (default: runs/<name of the config file>)\n"
    "  --limit N         only the first N rows of the dataset\n"
    "  --only IDS        only these: problem_id or problem_id/src_id, separated by commas\n"
    "  --dry-run         count calls, compilations and simulations; run nothing\n"
    "  --json            print the report as JSON\n"
    "  --quiet           no progress line\n"
    "\n"
    "exit status: 0 done, 2 wrong input, 3 some samples could not be measured, 4 something "
    "installed\n"
    "is missing or crashed, 5 nothing was measured, 6 nondeterminism found\n";

/* "runs/pie" for "configs/pie.cfg". NULL = no memory. */
static char *default_out(const char *config_path)
{
    const char *slash = strrchr(config_path, '/');
    const char *name = slash ? slash + 1 : config_path;
    const char *dot = strrchr(name, '.');
    return pie_strf("runs/%.*s", dot && dot != name ? (int)(dot - name) : (int)strlen(name), name);
}

static int print_plan(const pie_run_summary *plan, bool json)
{
    const size_t n_programs = plan->n_programs;
    if (json)
        return pie_cli_print_json(json_pack(
            "{s:I,s:I,s:I,s:I}", "rows", (json_int_t)plan->n_rows, "calls",
            (json_int_t)plan->n_samples, "compiles", (json_int_t)n_programs, "simulations",
            (json_int_t)(plan->n_rows ? n_programs * plan->n_tests / plan->n_rows : 0)));
    char *text =
        pie_strf("rows         %zu\n"
                 "calls        %zu to the backend, at most; tokens are not known beforehand\n"
                 "compiles     %zu, at most: equal programs are compiled once\n"
                 "simulations  about %zu, at most: equal binaries run once\n",
                 plan->n_rows, plan->n_samples, n_programs,
                 plan->n_rows ? n_programs * plan->n_tests / plan->n_rows : 0);
    const int code = text ? pie_cli_print(text) : pie_exit_of(pie_log_nomem(&pie_log_stderr));
    free(text);
    return code;
}

int pie_cli_run(int argc, char **argv)
{
    static const struct option longs[] = {{"set", required_argument, NULL, 's'},
                                          {"out", required_argument, NULL, 'o'},
                                          {"limit", required_argument, NULL, 'l'},
                                          {"only", required_argument, NULL, 'y'},
                                          {"dry-run", no_argument, NULL, 'n'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    const char **sets = calloc((size_t)argc + 1, sizeof *sets);
    if (!sets)
        return pie_exit_of(pie_log_nomem(&pie_log_stderr));
    pie_run_options options = {.limit = -1, .progress = true};
    size_t n_sets = 0;
    bool json = false;
    int code = -1;
    for (int option; code < 0 && (option = getopt_long(argc, argv, "ho:", longs, NULL)) != -1;) {
        switch (option) {
        case 's':
            sets[n_sets++] = optarg;
            break;
        case 'o':
            options.out = optarg;
            break;
        case 'l':
            if (!pie_cli_number(optarg, &options.limit))
                code = pie_cli_usage("run", "--limit needs a whole number, not '%s'", optarg);
            break;
        case 'y':
            options.only = optarg;
            break;
        case 'n':
            options.dry_run = true;
            break;
        case 'j':
            json = true;
            break;
        case 'q':
            options.progress = false;
            break;
        case 'h':
            code = pie_cli_print(help);
            break;
        default:
            code = PIE_EXIT_USER;
        }
    }
    if (code < 0 && argc - optind != 1)
        code = pie_cli_usage("run", argc == optind ? "needs a CONFIG" : "takes one CONFIG");
    char *out = NULL;
    if (code < 0) {
        const pie_config_source source = {
            .path = argv[optind], .sets = sets, .need_backend = true, .need_dataset = true};
        out = default_out(argv[optind]);
        if (!options.out)
            options.out = out;
        pie_run_summary summary = {0};
        if (!options.out)
            code = pie_exit_of(pie_log_nomem(&pie_log_stderr));
        else if (options.dry_run) {
            const pie_status status = pie_evaluate_plan(&source, &options, &summary);
            code = status == PIE_OK ? print_plan(&summary, json) : pie_exit_of(status);
        } else
            code =
                pie_evaluate(&source, &options, json ? PIE_PRINT_JSON : PIE_PRINT_TABLE, &summary);
    }
    free(out);
    free(sets);
    return code;
}
