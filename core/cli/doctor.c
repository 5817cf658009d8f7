/* doctor.c - pie doctor: what is installed, what is missing and how to get it. */
#include "cli/cli.h"

#include "base/file.h"
#include "sandbox/sandbox.h"
#include "trace/guest.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: pie doctor [--json]\n"
    "\n"
    "Says what pie found on this machine, what is missing and how to get it.\n"
    "\n"
    "exit status: 0 pie can run, 4 something that every run needs is missing\n";

enum { FINE = 0, OPTIONAL = 1, NEEDED = 2 }; /* what the absence of a thing means */

typedef struct doctor_report {
    json_t *findings;
    bool needed_missing;
} doctor_report;

static void add(doctor_report *report, const char *what, int need, const char *text)
{
    static const char *const states[] = {"ok", "optional", "missing"};
    report->needed_missing |= need == NEEDED;
    json_array_append_new(report->findings, json_pack("{s:s,s:s,s:s}", "what", what, "state",
                                                      states[need], "detail", text));
}

static void look_for_program(doctor_report *report, const char *name, int need, const char *hint)
{
    char *path = pie_path_find_program(name);
    add(report, name, path ? FINE : need, path ? path : hint);
    free(path);
}

static void look_for_plugins(doctor_report *report, const pie_registry *registry)
{
    for (size_t i = 0; i < pie_registry_count(registry); i++) {
        const pie_plugin_info *info = pie_registry_at(registry, i);
        add(report, info->id, info->unavailable ? OPTIONAL : FINE,
            info->unavailable ? info->unavailable : info->summary);
    }
    for (size_t i = 0; i < pie_registry_note_count(registry); i++)
        add(report, "plugin file", OPTIONAL, pie_registry_note(registry, i));
    if (pie_registry_count(registry) == 0)
        add(report, "plugins", NEEDED, "none found beside the executable; is the build complete?");
}

static void look_for_protections(doctor_report *report)
{
    bool present = false;
    const char *line;
    for (size_t i = 0; (line = pie_sandbox_protection(i, &present)); i++)
        add(report, "protection", present ? FINE : OPTIONAL, line);
}

static void print_text(const doctor_report *report, pie_buf *out)
{
    size_t i;
    const json_t *one;
    json_array_foreach(report->findings, i, one)
    {
        pie_buf_printf(out, "%-9s %-24s %s\n", json_string_value(json_object_get(one, "state")),
                       json_string_value(json_object_get(one, "what")),
                       json_string_value(json_object_get(one, "detail")));
    }
    pie_buf_puts(out, report->needed_missing
                          ? "\npie cannot run until what is missing is installed.\n"
                          : "\npie can run.\n");
}

int pie_cli_doctor(int argc, char **argv)
{
    static const struct option longs[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    bool json = false;
    for (int option; (option = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        if (option == 'h')
            return pie_cli_print(help);
        if (option != 'j')
            return PIE_EXIT_USER;
        json = true;
    }
    if (optind < argc)
        return pie_cli_usage("doctor", "takes no '%s'", argv[optind]);
    doctor_report report = {.findings = json_array()};
    pie_registry *registry = NULL;
    if (!report.findings)
        return pie_exit_of(pie_log_nomem(&pie_log_stderr));
    const char *engine = pie_guest_engine_version(NULL);
    add(&report, "qemu-user", engine ? FINE : NEEDED,
        engine ? engine : "apt-get install qemu-user");
    look_for_program(&report, "g++", NEEDED, "apt-get install g++");
    look_for_program(&report, "gcc", NEEDED, "apt-get install gcc");
    look_for_program(&report, "clang++", OPTIONAL, "apt-get install clang");
    if (pie_cli_registry(&pie_log_none, &registry) == PIE_OK)
        look_for_plugins(&report, registry);
    else
        add(&report, "plugins", NEEDED, "the plugin folders cannot be read");
    look_for_protections(&report);
    int code;
    if (json) {
        code = pie_cli_print_json(
            json_pack("{s:b,s:O}", "can_run", !report.needed_missing, "findings", report.findings));
    } else {
        pie_buf out = {0};
        print_text(&report, &out);
        code = pie_cli_print(pie_buf_text(&out));
        pie_buf_free(&out);
    }
    json_decref(report.findings);
    pie_registry_free(registry);
    return report.needed_missing ? pie_exit_worse(code, PIE_EXIT_INSTALL) : code;
}
