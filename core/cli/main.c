/* main.c - the `pie` command: finds the subcommand, nothing else. */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef PIE_VERSION
#define PIE_VERSION "0.1.0"
#endif

static const pie_command commands[] = {
    {"run", "measure the candidates of a whole dataset and print the table", pie_cli_run},
    {"try", "the same for one program, without a dataset", pie_cli_try},
    {"stat", "cycles of one or two programs, like `perf stat`", pie_cli_stat},
    {"throughput", "steady-state cycles of basic blocks, one hex string a line",
     pie_cli_throughput},
    {"report", "the figures of recorded runs: table, Markdown, CSV, JSON", pie_cli_report},
    {"show", "everything about one program of a run", pie_cli_show},
    {"dataset", "is a dataset whole, and do its programs pass their tests?", pie_cli_dataset},
    {"doctor", "what is installed, what is missing and how to get it", pie_cli_doctor},
    {"plugin", "which plugins there are, what they take, is a file one", pie_cli_plugin},
    {NULL, NULL, NULL},
};

static int print_help(void)
{
    pie_buf text = {0};
    pie_buf_puts(&text, "pie: did the language model really make the program faster?\n\n"
                        "usage: pie COMMAND [...]        (pie COMMAND --help says more)\n\n");
    for (const pie_command *command = commands; command->name; command++)
        pie_buf_printf(&text, "  %-12s %s\n", command->name, command->summary);
    const int code = pie_cli_print(pie_buf_text(&text));
    pie_buf_free(&text);
    return code;
}

/* A soft limit of the shell's becomes the hard one: pie sets its own for what it starts. */
static void raise_limits(void)
{
    static const int resources[] = {RLIMIT_FSIZE, RLIMIT_AS, RLIMIT_DATA, RLIMIT_CPU,
                                    RLIMIT_NOFILE};
    for (size_t i = 0; i < sizeof resources / sizeof *resources; i++) {
        struct rlimit limit;
        if (getrlimit((__rlimit_resource_t)resources[i], &limit) == 0 &&
            limit.rlim_cur != limit.rlim_max) {
            limit.rlim_cur = limit.rlim_max;
            setrlimit((__rlimit_resource_t)resources[i], &limit);
        }
    }
}

int main(int argc, char **argv)
{
    raise_limits();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* who started us may have ignored it: our children would go unseen */
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        const int code = print_help();
        return argc < 2 ? PIE_EXIT_USER : code;
    }
    if (strcmp(argv[1], "--version") == 0)
        return pie_cli_print("pie " PIE_VERSION "\n");
    const char *names[sizeof commands / sizeof *commands];
    size_t n = 0;
    for (const pie_command *command = commands; command->name; command++) {
        if (strcmp(command->name, argv[1]) == 0)
            return command->run(argc - 1, argv + 1);
        names[n++] = command->name;
    }
    names[n] = NULL;
    const char *near = pie_nearest_name(argv[1], names);
    pie_log_error(&pie_log_stderr, "no command '%s'%s%s%s; `pie --help` lists them", argv[1],
                  near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    return PIE_EXIT_USER;
}
