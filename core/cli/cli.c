/* cli.c */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int pie_exit_of(pie_status status)
{
    switch (status) {
    case PIE_OK:
        return PIE_EXIT_DONE;
    case PIE_ERR_NOMEM:
    case PIE_ERR_ABI:
    case PIE_ERR_UNAVAILABLE:
    case PIE_ERR_CRASHED:
        return PIE_EXIT_INSTALL;
    default:
        return PIE_EXIT_USER;
    }
}

int pie_exit_worse(int a, int b)
{
    static const int order[] = {PIE_EXIT_NONDETERMINISM, PIE_EXIT_INSTALL, PIE_EXIT_NOTHING,
                                PIE_EXIT_INCOMPLETE, PIE_EXIT_FAILED};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (a == order[i] || b == order[i])
            return order[i];
    return a ? a : b;
}

int pie_cli_print_bytes(const void *bytes, size_t n)
{
    if (fwrite(bytes, 1, n, stdout) != n || fflush(stdout) != 0) {
        if (errno == EPIPE) { /* `| head` has seen enough: end like every other tool */
            signal(SIGPIPE, SIG_DFL);
            raise(SIGPIPE);
        }
        pie_log_errno(&pie_log_stderr, "standard output");
        return PIE_EXIT_INSTALL;
    }
    return PIE_EXIT_DONE;
}

int pie_cli_print(const char *text)
{
    return pie_cli_print_bytes(text, strlen(text));
}

int pie_cli_print_json(json_t *json)
{
    char *text = json ? json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(json);
    if (!text)
        return pie_exit_of(pie_log_nomem(&pie_log_stderr));
    int code = pie_cli_print(text);
    if (code == PIE_EXIT_DONE)
        code = pie_cli_print("\n");
    free(text);
    return code;
}

int pie_cli_usage(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "pie %s: ", command);
    vfprintf(stderr, format, args);
    fprintf(stderr, "; see `pie %s --help`\n", command);
    va_end(args);
    return PIE_EXIT_USER;
}

bool pie_cli_number(const char *text, int64_t *ret_number)
{
    int64_t number = 0;
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9' || number > (INT64_MAX - 9) / 10)
            return false;
        number = 10 * number + (*c - '0');
    }
    if (*text)
        *ret_number = number;
    return *text != '\0';
}

/* @source NULL: no folders of a config. */
static pie_status open_registry(const pie_config_source *source, const pie_log *log,
                                pie_registry **ret_registry)
{
    pie_registry *registry = NULL;
    pie_status status = pie_registry_new(log, &registry);
    if (status == PIE_OK)
        status = pie_registry_add_standard_folders(registry);
    if (status == PIE_OK && source)
        status = pie_config_add_plugin_folders(source, registry, log);
    if (status == PIE_OK)
        status = pie_registry_scan(registry);
    if (status == PIE_OK)
        *ret_registry = registry;
    else
        pie_registry_free(registry);
    return status;
}

pie_status pie_cli_registry(const pie_log *log, pie_registry **ret_registry)
{
    return open_registry(NULL, log, ret_registry);
}

pie_status pie_cli_config(const pie_config_source *source, const pie_log *log,
                          pie_registry **ret_registry, pie_config **ret_config)
{
    pie_registry *registry = NULL;
    pie_status status = open_registry(source, log, &registry);
    if (status == PIE_OK)
        status = pie_config_load(source, registry, log, ret_config);
    if (status == PIE_OK)
        *ret_registry = registry;
    else
        pie_registry_free(registry);
    return status;
}
