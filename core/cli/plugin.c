/* plugin.c - `pie plugin list|show|check`: which plugins there are, what they take, is a file one.
 */
#include "cli/cli.h"

#include "pie/backend.h"
#include "pie/uarch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: pie plugin list [--kind KIND] [--json]\n"
    "       pie plugin show ID [--kind KIND] [--json]\n"
    "       pie plugin check FILE.so [--json]\n"
    "\n"
    "list   the plugins that pie finds, and one line for every broken file\n"
    "show   what a plugin is, where it is and which options it takes\n"
    "check  load a module in a process of its own and say whether pie would take it;\n"
    "       exit status 4 when it is refused\n"
    "\n"
    "KIND is compiler, uarch, metric, backend or prompt. ID may be the short name.\n"
    "Plugins are looked for beside pie itself, in the folders of PIE_PLUGIN_PATH, and in\n"
    "the folders that a config names under `plugins`.\n";

static const struct kind {
    const char *name, *id, *title;
} kinds[] = {{"compiler", PIE_KIND_COMPILER, "Compilers"},
             {"uarch", PIE_KIND_UARCH, "CPU models"},
             {"backend", PIE_KIND_BACKEND, "Backends"},
             {"prompt", PIE_KIND_PROMPT, "Prompts"},
             {"metric", PIE_KIND_METRIC, "Metrics"}};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

/* What the command line asked for. */
typedef struct request {
    const char *operand;
    const struct kind *kind; /* NULL = any */
    bool json;
} request;

static const char *const type_names[] = {[PIE_OPTION_BOOL] = "bool",
                                         [PIE_OPTION_INT] = "int",
                                         [PIE_OPTION_FLOAT] = "float",
                                         [PIE_OPTION_STRING] = "string",
                                         [PIE_OPTION_PATH] = "path",
                                         [PIE_OPTION_STRING_LIST] = "list of strings",
                                         [PIE_OPTION_FLOAT_LIST] = "list of floats",
                                         [PIE_OPTION_PATH_LIST] = "list of paths"};

/* Print what was collected in @text; @status of the collecting. */
static int print_text(pie_buf *text, pie_status status)
{
    const int code = status == PIE_OK ? pie_cli_print(pie_buf_text(text))
                                      : pie_exit_of(pie_log_nomem(&pie_log_stderr));
    pie_buf_free(text);
    return code;
}

/* ---- JSON ---- */

static bool has_range(const pie_option *option)
{
    return option->min != 0 || option->max != 0;
}

static json_t *bound_json(const pie_option *option, double bound)
{
    return has_range(option) && isfinite(bound) ? json_real(bound) : json_null();
}

static json_t *option_json(const pie_option *option)
{
    return json_pack(
        "{s:s, s:s, s:s?, s:s?, s:o, s:o, s:b, s:b, s:b, s:s}", "name", option->name, "type",
        type_names[option->type], "default", option->fallback, "choices", option->choices, "min",
        bound_json(option, option->min), "max", bound_json(option, option->max), "required",
        (option->flags & PIE_OPTION_REQUIRED) != 0, "secret",
        (option->flags & PIE_OPTION_SECRET) != 0, "changes_results",
        !(option->flags & (PIE_OPTION_EXECUTION | PIE_OPTION_SECRET)), "help", option->help);
}

static json_t *info_json(const pie_plugin_info *info, bool with_options)
{
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s?, s:s, s:b, s:s?, s:b}", "kind", info->kind, "id", info->id,
        "name", info->short_name, "version", info->version, "summary", info->summary, "licence",
        info->licence, "path", info->path, "usable", info->unavailable == NULL, "unavailable",
        info->unavailable, "deterministic", info->deterministic);
    if (object && info->engine &&
        json_object_set_new(object, "engine", json_string(info->engine->id)) != 0) {
        json_decref(object);
        return NULL;
    }
    json_t *needs = with_options && object ? json_array() : NULL;
    for (const pie_requirement *need = info->requires; needs && need->type; need++)
        json_array_append_new(needs, json_pack("{s:s, s:s, s:s}", "type",
                                               need->type == PIE_NEEDS_PROGRAM ? "program" : "file",
                                               "name", need->name, "hint", need->hint));
    if (needs && json_object_set_new(object, "requires", needs) != 0) {
        json_decref(object);
        return NULL;
    }
    json_t *options = with_options && object ? json_array() : NULL;
    for (const pie_option *option = info->options; options && option->name; option++)
        json_array_append_new(options, option_json(option));
    if (options && json_object_set_new(object, "options", options) != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *list_json(const pie_registry *registry, const struct kind *kind)
{
    json_t *plugins = json_array(), *notes = json_array();
    for (size_t i = 0; i < pie_registry_count(registry); i++) {
        const pie_plugin_info *info = pie_registry_at(registry, i);
        if (!kind || strcmp(kind->id, info->kind) == 0)
            json_array_append_new(plugins, info_json(info, false));
    }
    for (size_t i = 0; i < pie_registry_note_count(registry); i++)
        json_array_append_new(notes, json_string(pie_registry_note(registry, i)));
    return json_pack("{s:o, s:o}", "plugins", plugins, "notes", notes);
}

/* ---- text ---- */

static pie_status list_text(const pie_registry *registry, const struct kind *kind, pie_buf *out)
{
    pie_status status = PIE_OK;
    int width = 8;
    for (size_t i = 0; i < pie_registry_count(registry); i++) {
        const int n = (int)strnlen(pie_registry_at(registry, i)->short_name, 24);
        width = n > width ? n : width;
    }
    for (size_t k = 0; k < N_KINDS; k++) {
        bool is_first = true;
        for (size_t i = 0; i < pie_registry_count(registry) && status == PIE_OK; i++) {
            const pie_plugin_info *info = pie_registry_at(registry, i);
            if (strcmp(info->kind, kinds[k].id) != 0 || (kind && kind != &kinds[k]))
                continue;
            if (is_first)
                status = pie_buf_printf(out, "%s%s\n", out->n ? "\n" : "", kinds[k].title);
            is_first = false;
            if (status == PIE_OK)
                status =
                    pie_buf_printf(out, "  %-*s  %s\n", width, info->short_name, info->summary);
            if (status == PIE_OK && info->unavailable)
                status = pie_buf_printf(out, "  %-*s  cannot be used here: %s\n", width, "",
                                        info->unavailable);
        }
    }
    if (status == PIE_OK && out->n == 0)
        status = pie_buf_puts(out, "no plugins found\n");
    for (size_t i = 0; i < pie_registry_note_count(registry) && status == PIE_OK; i++)
        status = pie_buf_printf(out, "%s  %s\n", i ? "" : "\nNot usable\n",
                                pie_registry_note(registry, i));
    return status;
}

static pie_status range_text(const pie_option *option, pie_buf *out)
{
    if (option->choices)
        return pie_buf_printf(out, ", one of %s", option->choices);
    if (!has_range(option))
        return PIE_OK;
    if (isfinite(option->min) && isfinite(option->max))
        return pie_buf_printf(out, ", %.10g to %.10g", option->min, option->max);
    return isfinite(option->min) ? pie_buf_printf(out, ", at least %.10g", option->min)
                                 : pie_buf_printf(out, ", at most %.10g", option->max);
}

static pie_status option_text(const pie_option *option, pie_buf *out)
{
    pie_status status = pie_buf_printf(out, "  %s = %s\n", option->name,
                                       option->flags & PIE_OPTION_REQUIRED ? "(required)"
                                       : option->fallback                  ? option->fallback
                                                                           : "(unset)");
    if (status == PIE_OK)
        status = pie_buf_printf(out, "      %s  [%s", option->help, type_names[option->type]);
    if (status == PIE_OK)
        status = range_text(option, out);
    if (status == PIE_OK && option->flags & PIE_OPTION_SECRET)
        status = pie_buf_puts(out, ", secret");
    if (status == PIE_OK && option->flags & PIE_OPTION_EXECUTION)
        status = pie_buf_puts(out, ", no result depends on it");
    return status == PIE_OK ? pie_buf_puts(out, "]\n") : status;
}

static pie_status requires_text(const pie_plugin_info *info, pie_buf *out)
{
    pie_status status = PIE_OK;
    for (const pie_requirement *need = info->requires; need->type && status == PIE_OK; need++)
        status = pie_buf_printf(out, "needs    the %s %s (%s)\n",
                                need->type == PIE_NEEDS_PROGRAM ? "program" : "file", need->name,
                                need->hint);
    return status;
}

static pie_status show_text(const pie_plugin_info *info, pie_buf *out)
{
    pie_status status = pie_buf_printf(out, "%s %s (%s)\n%s\n\n", info->id, info->version,
                                       info->kind, info->summary);
    if (status == PIE_OK)
        status = pie_buf_printf(out, "file     %s\n", info->path);
    if (status == PIE_OK && info->engine)
        status = pie_buf_printf(out, "engine   %s %s\n", info->engine->id, info->engine->version);
    if (status == PIE_OK)
        status = pie_buf_printf(out, "licence  %s\n", info->licence ? info->licence : "not stated");
    if (status == PIE_OK && strcmp(info->kind, PIE_KIND_UARCH) == 0)
        status = pie_buf_printf(out, "results  %s\n",
                                info->deterministic ? "the same on every machine"
                                                    : "vary from run to run; never reused");
    if (status == PIE_OK)
        status = pie_buf_printf(out, "usable   %s%s\n", info->unavailable ? "no: " : "yes",
                                info->unavailable ? info->unavailable : "");
    if (status == PIE_OK)
        status = requires_text(info, out);
    if (status == PIE_OK)
        status = pie_buf_puts(out, info->options->name ? "\noptions\n" : "\nno options\n");
    for (const pie_option *option = info->options; option->name && status == PIE_OK; option++)
        status = option_text(option, out);
    return status;
}

/* ---- the subcommands ---- */

static int run_list(const request *asked)
{
    if (asked->operand)
        return pie_cli_usage("plugin", "list takes no '%s'", asked->operand);
    pie_registry *registry = NULL;
    pie_status status = pie_cli_registry(&pie_log_stderr, &registry);
    if (status != PIE_OK)
        return pie_exit_of(status);
    int code;
    if (asked->json)
        code = pie_cli_print_json(list_json(registry, asked->kind));
    else {
        pie_buf text = {0};
        status = list_text(registry, asked->kind, &text);
        code = print_text(&text, status);
    }
    pie_registry_free(registry);
    return code;
}

/* The kinds that hold a plugin called @name; the last of them in *ret_kind. */
static size_t kinds_with(const pie_registry *registry, const char *name, const char **ret_kind)
{
    size_t n = 0;
    for (size_t k = 0; k < N_KINDS; k++)
        for (size_t i = 0; i < pie_registry_count(registry); i++) {
            const pie_plugin_info *info = pie_registry_at(registry, i);
            if (strcmp(info->kind, kinds[k].id) == 0 &&
                (strcmp(info->id, name) == 0 || strcmp(info->short_name, name) == 0)) {
                *ret_kind = kinds[k].id;
                n++;
                break;
            }
        }
    return n;
}

/* No plugin of any kind has the name: say so, with the nearest. */
static int refuse_unknown(const pie_registry *registry, const char *name)
{
    const size_t n = pie_registry_count(registry);
    const char **names = calloc(n + 1, sizeof *names);
    if (!names)
        return pie_exit_of(pie_log_nomem(&pie_log_stderr));
    for (size_t i = 0; i < n; i++)
        names[i] = pie_registry_at(registry, i)->short_name;
    const char *near = pie_nearest_name(name, names);
    pie_log_error(&pie_log_stderr, "no plugin called '%s'%s%s%s; `pie plugin list` names them",
                  name, near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    free(names);
    return PIE_EXIT_USER;
}

static int show(const request *asked, const pie_registry *registry)
{
    const char *kind = asked->kind ? asked->kind->id : NULL;
    const size_t n = kind ? 1 : kinds_with(registry, asked->operand, &kind);
    if (n == 0)
        return refuse_unknown(registry, asked->operand);
    if (n > 1)
        return pie_cli_usage("plugin", "several kinds have a '%s': add --kind", asked->operand);
    const pie_plugin_info *info;
    pie_status status = pie_registry_lookup(registry, kind, asked->operand, NULL, &info);
    if (status != PIE_OK)
        return pie_exit_of(status);
    if (asked->json)
        return pie_cli_print_json(info_json(info, true));
    pie_buf text = {0};
    status = show_text(info, &text);
    return print_text(&text, status);
}

static int run_show(const request *asked)
{
    if (!asked->operand)
        return pie_cli_usage("plugin", "show which plugin?");
    pie_registry *registry = NULL;
    const pie_status status = pie_cli_registry(&pie_log_stderr, &registry);
    if (status != PIE_OK)
        return pie_exit_of(status);
    const int code = show(asked, registry);
    pie_registry_free(registry);
    return code;
}

static int run_check(const request *asked)
{
    if (!asked->operand)
        return pie_cli_usage("plugin", "check which file?");
    pie_registry *registry = NULL;
    pie_status status = pie_registry_new(&pie_log_stderr, &registry);
    if (status == PIE_OK)
        status = pie_registry_check_file(registry, asked->operand);
    int code = status == PIE_OK ? PIE_EXIT_DONE : PIE_EXIT_INSTALL;
    if (status == PIE_OK && asked->json)
        code = pie_cli_print_json(list_json(registry, NULL));
    else if (status == PIE_OK) {
        pie_buf text = {0};
        status = pie_buf_printf(&text, "%s: OK:", asked->operand);
        for (size_t i = 0; i < pie_registry_count(registry) && status == PIE_OK; i++) {
            const pie_plugin_info *info = pie_registry_at(registry, i);
            status = pie_buf_printf(&text, "%s %s %s (%s)", i ? "," : "", info->id, info->version,
                                    info->kind);
        }
        if (status == PIE_OK)
            status = pie_buf_puts(&text, "\n");
        code = print_text(&text, status);
    }
    pie_registry_free(registry);
    return code;
}

static const struct kind *kind_of(const char *name)
{
    for (size_t i = 0; i < N_KINDS; i++)
        if (strcmp(kinds[i].name, name) == 0 || strcmp(kinds[i].id, name) == 0)
            return &kinds[i];
    return NULL;
}

int pie_cli_plugin(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const request *asked);
    } verbs[] = {{"list", run_list}, {"show", run_show}, {"check", run_check}};
    request asked = {0};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return pie_cli_print(help);
    if (argc < 2)
        return pie_cli_usage("plugin", "list, show or check?");
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            asked.json = true;
        else if (strcmp(argv[i], "--kind") == 0) {
            asked.kind = i + 1 < argc ? kind_of(argv[++i]) : NULL;
            if (!asked.kind)
                return pie_cli_usage("plugin",
                                     "--kind is compiler, uarch, metric, backend or prompt");
        } else if (argv[i][0] == '-' && argv[i][1])
            return pie_cli_usage("plugin", "unknown option '%s'", argv[i]);
        else if (asked.operand)
            return pie_cli_usage("plugin", "one operand is enough: '%s' is too many", argv[i]);
        else
            asked.operand = argv[i];
    }
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(&asked);
    return pie_cli_usage("plugin", "no subcommand '%s'", argv[1]);
}
