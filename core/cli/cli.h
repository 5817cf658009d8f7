/* cli.h - what the subcommands share. One file per subcommand; they parse, call and print. */
#ifndef PIE_CLI_H
#define PIE_CLI_H

#include "base/buf.h"
#include "base/log.h"
#include "config/config.h"
#include "registry/registry.h"

/* Exit codes: a public contract. Several at once: the first of 6 4 5 3 1. */
enum {
    PIE_EXIT_DONE = 0,
    PIE_EXIT_FAILED = 1,     /* a gate or check failed; `stat` of a guest that failed */
    PIE_EXIT_USER = 2,       /* what the user wrote or named is wrong */
    PIE_EXIT_INCOMPLETE = 3, /* some samples could not be measured */
    PIE_EXIT_INSTALL = 4,    /* what is installed is wrong or crashed */
    PIE_EXIT_NOTHING = 5,    /* nothing was measured */
    PIE_EXIT_NONDETERMINISM = 6
};
int pie_exit_of(pie_status status);
/* The one of two that wins. */
int pie_exit_worse(int a, int b);

/* `argv[0]` is the subcommand's name. Returns an exit code. */
typedef int pie_command_run(int argc, char **argv);
typedef struct pie_command {
    const char *name;
    const char *summary;
    pie_command_run *run;
} pie_command;

/* Write all of @text to standard output; an error there (closed pipe, full disk) is
 * PIE_EXIT_INSTALL. */
int pie_cli_print(const char *text);
/* The same for text that may hold zero bytes. */
int pie_cli_print_bytes(const void *bytes, size_t n);
/* @json pretty-printed with a newline, keys in insertion order; then json_decref. */
int pie_cli_print_json(json_t *json);
/* "pie COMMAND: MESSAGE" and "Try `pie COMMAND --help`." on standard error; returns PIE_EXIT_USER.
 */
int pie_cli_usage(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A whole number >= 0 and nothing else. */
bool pie_cli_number(const char *text, int64_t *ret_number);
/* Registry over the standard folders, scanned; on failure logs and returns a status. */
pie_status pie_cli_registry(const pie_log *log, pie_registry **ret_registry);
/* The same with the folders that the config names, and the config checked against it. On failure
 * both are NULL. */
pie_status pie_cli_config(const pie_config_source *source, const pie_log *log,
                          pie_registry **ret_registry, pie_config **ret_config);

pie_command_run pie_cli_run, pie_cli_stat, pie_cli_throughput, pie_cli_try, pie_cli_report,
    pie_cli_show, pie_cli_dataset, pie_cli_plugin, pie_cli_doctor;

#endif
