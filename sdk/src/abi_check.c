/* abi_check.c - see abi_check.h. Every pointer may be NULL and every string anything: the module's
 * author may have made any mistake. */
#include "pie/abi_check.h"

#include "pie/backend.h"
#include "pie/compiler.h"
#include "pie/metric.h"
#include "pie/prompt.h"
#include "pie/uarch.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_PLUGINS = 256,
    MAX_OPTIONS = 256,
    MAX_REQUIREMENTS = 64,
    MAX_COUNTERS = 1024,
    MAX_TEXT = 4096
};

/* Where the one message goes; the first complaint ends the check. */
typedef struct report {
    char *text;
    size_t n;
} report;

static pie_status refuse(const report *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static pie_status refuse(const report *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (out->n)
        vsnprintf(out->text, out->n, format, args);
    va_end(args);
    return PIE_ERR_ABI;
}

/* ---- text ---- */

size_t pie_utf8_span(const char *text, size_t n_bytes)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t i = 0;
    while (i < n_bytes) {
        const unsigned char lead = at[i];
        const size_t more = lead < 0x80                   ? 0
                            : lead >= 0xc2 && lead < 0xe0 ? 1
                            : lead >= 0xe0 && lead < 0xf0 ? 2
                            : lead >= 0xf0 && lead < 0xf5 ? 3
                                                          : 9;
        if (more > 3 || more >= n_bytes - i)
            return i;
        for (size_t k = 1; k <= more; k++)
            if ((at[i + k] & 0xc0) != 0x80)
                return i;
        /* overlong forms, surrogates, beyond U+10FFFF */
        if ((lead == 0xe0 && at[i + 1] < 0xa0) || (lead == 0xed && at[i + 1] >= 0xa0) ||
            (lead == 0xf0 && at[i + 1] < 0x90) || (lead == 0xf4 && at[i + 1] >= 0x90))
            return i;
        i += more + 1;
    }
    return i;
}

/* Present, not empty, printable UTF-8 of a sane length. */
static int is_text(const char *text)
{
    if (!text || !*text)
        return 0;
    const size_t n = strnlen(text, MAX_TEXT);
    if (n == MAX_TEXT || pie_utf8_span(text, n) != n)
        return 0;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return 0;
    return 1;
}

static int is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_id(const char *id)
{
    int n_components = 0;
    const char *at = id;
    if (!is_text(id) || strlen(id) > 128)
        return 0;
    for (;;) {
        if (!is_lower(*at) && !is_digit(*at))
            return 0;
        while (is_lower(*at) || is_digit(*at) || *at == '-')
            at++;
        n_components++;
        if (!*at)
            return n_components >= 2;
        if (*at++ != '.')
            return 0;
    }
}

static int is_option_name(const char *name)
{
    if (!is_text(name) || strlen(name) > 64 || !is_lower(name[0]))
        return 0;
    for (const char *at = name; *at; at++)
        if (!is_lower(*at) && !is_digit(*at) && *at != '_')
            return 0;
    return 1;
}

static int is_version(const char *version)
{
    if (!is_text(version) || strlen(version) > 64 || !is_digit(version[0]))
        return 0;
    for (const char *at = version; *at; at++)
        if (!is_digit(*at) && !is_lower(*at) && !(*at >= 'A' && *at <= 'Z') &&
            !strchr(".+-~_", *at))
            return 0;
    return 1;
}

/* ---- options ---- */

int pie_option_in_range(const pie_option *option, double value)
{
    return (option->min == 0 && option->max == 0) || (value >= option->min && value <= option->max);
}

int pie_option_is_choice(const pie_option *option, const char *text)
{
    const size_t n = strlen(text);
    for (const char *at = option->choices; at;) {
        const char *end = strchr(at, '|');
        if ((end ? (size_t)(end - at) : strlen(at)) == n && memcmp(at, text, n) == 0)
            return 1;
        at = end ? end + 1 : NULL;
    }
    return !option->choices;
}

static const char *skip_blank(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

static int is_list(const pie_option *option)
{
    return option->type == PIE_OPTION_STRING_LIST || option->type == PIE_OPTION_FLOAT_LIST ||
           option->type == PIE_OPTION_PATH_LIST;
}

static int hex_value(char c)
{
    const char lower = (char)(c | 0x20);
    return is_digit(c) ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The quoted string at @at into @ret_text; returns what follows it, NULL if it is malformed. */
static const char *parse_quoted(const char *at, char *ret_text, size_t n_text)
{
    size_t n = 0;
    for (at++; *at != '"'; at++) {
        char c = *at;
        if (c == '\0' || n + 1 >= n_text)
            return NULL;
        if (c == '\\') {
            static const char names[] = "nrtf\"\\", values[] = "\n\r\t\f\"\\";
            c = *++at;
            const char *known = c ? strchr(names, c) : NULL;
            if (known)
                c = values[known - names];
            else if (c == 'x' && hex_value(at[1]) >= 0 && hex_value(at[2]) >= 0) {
                c = (char)(hex_value(at[1]) * 16 + hex_value(at[2]));
                at += 2;
            } else
                return NULL;
        }
        ret_text[n++] = c;
    }
    ret_text[n] = '\0';
    return at + 1;
}

/* A decimal or hexadecimal integer, perhaps with libconfig's L. */
static const char *parse_integer(const char *at, int64_t *ret_value)
{
    const char *digits = at + (*at == '-' || *at == '+');
    if (!is_digit(*digits))
        return NULL;
    char *end;
    errno = 0;
    const int is_hex = digits[0] == '0' && (digits[1] | 0x20) == 'x';
    const long long value = strtoll(at, &end, is_hex ? 16 : 10);
    if (errno != 0)
        return NULL;
    end += strspn(end, "L");
    *ret_value = value;
    return end;
}

static const char *parse_number(const char *at, double *ret_value)
{
    const size_t n = strspn(at, "0123456789+-.eE");
    char *end;
    errno = 0;
    const double value = strtod(at, &end);
    if (n == 0 || end != at + n || errno != 0)
        return NULL;
    *ret_value = value;
    return end;
}

/* One value at @at; returns what follows it, NULL if it is malformed or not of the option's type.
 */
static const char *parse_item(const pie_option *option, const char *at, pie_default_item *ret_item)
{
    switch (option->type) {
    case PIE_OPTION_BOOL:
        ret_item->boolean = strncmp(at, "true", 4) == 0;
        return ret_item->boolean ? at + 4 : strncmp(at, "false", 5) == 0 ? at + 5 : NULL;
    case PIE_OPTION_INT:
        at = parse_integer(at, &ret_item->integer);
        return at && pie_option_in_range(option, (double)ret_item->integer) ? at : NULL;
    case PIE_OPTION_FLOAT:
    case PIE_OPTION_FLOAT_LIST:
        at = parse_number(at, &ret_item->number);
        return at && pie_option_in_range(option, ret_item->number) ? at : NULL;
    case PIE_OPTION_STRING:
    case PIE_OPTION_PATH:
    case PIE_OPTION_STRING_LIST:
    case PIE_OPTION_PATH_LIST:
        if (*at == '"')
            at = parse_quoted(at, ret_item->string, sizeof ret_item->string);
        else { /* bare: all there is */
            const size_t n = strlen(at);
            if (n >= sizeof ret_item->string)
                return NULL;
            memcpy(ret_item->string, at, n + 1);
            at += n;
        }
        return at && pie_option_is_choice(option, ret_item->string) ? at : NULL;
    default:
        return NULL;
    }
}

pie_status pie_option_default(const pie_option *option, size_t index, pie_default_item *ret_item)
{
    const char *at = option->fallback ? skip_blank(option->fallback) : NULL;
    if (!at)
        return PIE_ERR_AGAIN;
    if (!is_list(option) || !*at || !strchr("[(", *at)) {
        at = parse_item(option, at, ret_item);
        if (!at || *skip_blank(at))
            return PIE_ERR_CONFIG;
        return index == 0 ? PIE_OK : PIE_ERR_AGAIN;
    }
    const char close = *at == '[' ? ']' : ')';
    at = skip_blank(at + 1);
    for (size_t i = 0; *at != close; i++) {
        if (option->type != PIE_OPTION_FLOAT_LIST && *at != '"')
            return PIE_ERR_CONFIG; /* bare strings only outside of lists */
        at = parse_item(option, at, ret_item);
        if (!at)
            return PIE_ERR_CONFIG;
        if (i == index)
            return PIE_OK;
        at = skip_blank(at);
        if (*at == ',')
            at = skip_blank(at + 1);
        else if (*at != close)
            return PIE_ERR_CONFIG;
    }
    return *skip_blank(at + 1) ? PIE_ERR_CONFIG : PIE_ERR_AGAIN;
}

static pie_status check_option(const report *out, const pie_plugin *plugin,
                               const pie_option *options, size_t index)
{
    const pie_option *option = &options[index];
    const char *id = plugin->id, *name = option->name;
    if (!is_option_name(name))
        return refuse(out, "%s: name of option %zu is not of the form [a-z][a-z0-9_]*", id, index);
    if (option->type < PIE_OPTION_BOOL || option->type > PIE_OPTION_PATH_LIST)
        return refuse(out, "%s: option '%s' has the unknown type %d", id, name, (int)option->type);
    if (!is_text(option->help))
        return refuse(out, "%s: option '%s' has no line of help", id, name);
    for (const char *const *taken = pie_abi_reserved_options(plugin->kind); *taken; taken++)
        if (strcmp(*taken, name) == 0)
            return refuse(out, "%s: option '%s' has a name that pie itself uses; rename it", id,
                          name);
    for (size_t i = 0; i < index; i++)
        if (strcmp(options[i].name, name) == 0)
            return refuse(out, "%s: option '%s' stands twice in the schema", id, name);
    if (!(option->min <= option->max))
        return refuse(out, "%s: option '%s' has a minimum above its maximum", id, name);
    if (option->choices && (!is_text(option->choices) || (option->type != PIE_OPTION_STRING &&
                                                          option->type != PIE_OPTION_STRING_LIST)))
        return refuse(out, "%s: option '%s': choices are for strings, as \"a|b\"", id, name);
    if (option->fallback && (option->flags & (PIE_OPTION_REQUIRED | PIE_OPTION_SECRET)))
        return refuse(out, "%s: option '%s' is required or secret and may have no default", id,
                      name);
    if (option->fallback && strnlen(option->fallback, MAX_TEXT) == MAX_TEXT)
        return refuse(out, "%s: option '%s': the default is too long", id, name);
    pie_default_item item;
    pie_status status = PIE_OK;
    for (size_t i = 0; status == PIE_OK; i++)
        status = pie_option_default(option, i, &item);
    if (status != PIE_ERR_AGAIN)
        return refuse(out, "%s: option '%s': the default is malformed, out of range or no choice",
                      id, name);
    return PIE_OK;
}

const char *const *pie_abi_reserved_options(const char *kind)
{
    static const char *const compiler[] = {"plugin", "version", "engine", "language", NULL};
    static const char *const backend[] = {"plugin", "version", "engine", "samples", NULL};
    static const char *const other[] = {"plugin", "version", "engine", NULL};
    if (strcmp(kind, PIE_KIND_COMPILER) == 0)
        return compiler;
    if (strcmp(kind, PIE_KIND_BACKEND) == 0)
        return backend;
    for (const char *const *known = pie_abi_kinds(); *known; known++)
        if (strcmp(*known, kind) == 0)
            return other;
    return NULL;
}

/* ---- tables of functions ---- */

#define NEED(function)                                                                     \
    do {                                                                                   \
        if (!ops->function)                                                                \
            return refuse(out, "%s: the function '%s' of %s is missing; implement it", id, \
                          #function, kind);                                                \
    } while (0)

static pie_status check_compiler(const report *out, const char *kind, const char *id,
                                 const void *table)
{
    const pie_compiler_ops *ops = table;
    if (ops->product != PIE_PRODUCT_ELF && ops->product != PIE_PRODUCT_LLVM_IR)
        return refuse(out, "%s: unknown kind of product %d", id, (int)ops->product);
    NEED(create);
    NEED(destroy);
    NEED(identify);
    NEED(plan);
    return PIE_OK;
}

/* A name from pie/counters.h, or "<short name>.<own>". */
static int is_counter_name(const char *name, const char *id)
{
#define PIE_COUNTER_NAME(counter, unit, meaning) counter,
    static const char *const known[] = {PIE_COUNTERS(PIE_COUNTER_NAME)};
#undef PIE_COUNTER_NAME
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i], name) == 0)
            return 1;
    const char *own = strrchr(id, '.') + 1; /* an id has a dot */
    const size_t n = strlen(own);
    return strncmp(name, own, n) == 0 && name[n] == '.' && is_option_name(name + n + 1);
}

static pie_status check_counters(const report *out, const char *id, const pie_counter *counters)
{
    if (!counters)
        return refuse(out, "%s: the list of counters is missing", id);
    for (size_t i = 0; counters[i].name; i++) {
        if (i == MAX_COUNTERS)
            return refuse(out, "%s: the list of counters has no end (an entry with name NULL)", id);
        if (!is_text(counters[i].name) || !is_counter_name(counters[i].name, id))
            return refuse(out, "%s: counter %zu is neither in pie/counters.h nor named '%s.<own>'",
                          id, i, strrchr(id, '.') + 1);
        if (!is_text(counters[i].unit) || !is_text(counters[i].help))
            return refuse(out, "%s: counter '%s' has no unit or no help", id, counters[i].name);
        for (size_t k = 0; k < i; k++)
            if (strcmp(counters[k].name, counters[i].name) == 0)
                return refuse(out, "%s: counter '%s' stands twice in the list", id,
                              counters[i].name);
    }
    return PIE_OK;
}

static pie_status check_uarch_trace(const report *out, const char *kind, const char *id,
                                    const pie_uarch_trace_ops *ops)
{
    if (!ops)
        return refuse(out, "%s: style is PIE_UARCH_TRACE but the table 'trace' is missing", id);
    NEED(create);
    NEED(destroy);
    NEED(consume);
    NEED(mark);
    NEED(counters_read);
    return check_counters(out, id, ops->counters);
}

static pie_status check_uarch_run(const report *out, const char *kind, const char *id,
                                  const pie_uarch_run_ops *ops)
{
    if (!ops)
        return refuse(out, "%s: style is PIE_UARCH_RUN but the table 'run' is missing", id);
    NEED(create);
    NEED(destroy);
    NEED(plan);
    NEED(read);
    return check_counters(out, id, ops->counters);
}

static pie_status check_uarch(const report *out, const char *kind, const char *id,
                              const void *table)
{
    const pie_uarch_ops *ops = table;
    if (ops->style == PIE_UARCH_TRACE)
        return check_uarch_trace(out, kind, id, ops->trace);
    if (ops->style == PIE_UARCH_RUN)
        return check_uarch_run(out, kind, id, ops->run);
    return refuse(out, "%s: unknown style %d", id, (int)ops->style);
}

static pie_status check_metric(const report *out, const char *kind, const char *id,
                               const void *table)
{
    const pie_metric_ops *ops = table;
    NEED(create);
    NEED(destroy);
    NEED(outputs);
    NEED(n_columns);
    NEED(problem);
    NEED(total);
    if (!ops->label != !ops->label_name)
        return refuse(out, "%s: 'label' and 'label_name' go together", id);
    return PIE_OK;
}

static pie_status check_backend(const report *out, const char *kind, const char *id,
                                const void *table)
{
    const pie_backend_ops *ops = table;
    NEED(create);
    NEED(destroy);
    NEED(submit);
    NEED(poll);
    NEED(cancel);
    NEED(wait_fd);
    if (ops->capabilities & PIE_BACKEND_EMBED) {
        NEED(embed);
        NEED(embed_dimensions);
    }
    if (!(ops->capabilities & (PIE_BACKEND_CHAT | PIE_BACKEND_RAW | PIE_BACKEND_EMBED)))
        return refuse(out, "%s: its capabilities name nothing to ask it (PIE_BACKEND_CHAT, ..)",
                      id);
    return PIE_OK;
}

static pie_status check_prompt(const report *out, const char *kind, const char *id,
                               const void *table)
{
    const pie_prompt_ops *ops = table;
    NEED(create);
    NEED(destroy);
    NEED(next);
    return PIE_OK;
}

typedef pie_status check_ops(const report *out, const char *kind, const char *id, const void *ops);

static const char *const kinds[] = {PIE_KIND_COMPILER, PIE_KIND_UARCH,  PIE_KIND_METRIC,
                                    PIE_KIND_BACKEND,  PIE_KIND_PROMPT, NULL};

const char *const *pie_abi_kinds(void)
{
    return kinds;
}

static pie_status check_plugin(const report *out, const pie_plugin *plugin, size_t index)
{
    static check_ops *const checks[] = {check_compiler, check_uarch, check_metric, check_backend,
                                        check_prompt};
    if (!is_text(plugin->kind))
        return refuse(out, "plugin %zu of the module has no kind", index);
    size_t kind = 0;
    while (kinds[kind] && strcmp(kinds[kind], plugin->kind) != 0)
        kind++;
    if (!is_id(plugin->id))
        return refuse(
            out,
            "plugin %zu of the module: the id is not of the form \"org.example.name\" (reverse "
            "DNS, lower case, [a-z0-9-])",
            index);
    const char *id = plugin->id;
    if (!kinds[kind])
        return refuse(out, "%s: unknown kind '%.64s'; this pie knows %s, %s, %s, %s and %s", id,
                      plugin->kind, kinds[0], kinds[1], kinds[2], kinds[3], kinds[4]);
    if (!is_version(plugin->version))
        return refuse(out, "%s: the version is missing or not like \"1.4.0\"", id);
    if (!is_text(plugin->summary))
        return refuse(out, "%s: the summary is missing or no printable line", id);
    if (plugin->licence && !is_text(plugin->licence))
        return refuse(out, "%s: the licence is no printable text", id);
    for (size_t i = 0; plugin->options && plugin->options[i].name; i++) {
        if (i == MAX_OPTIONS)
            return refuse(out, "%s: the options have no end (an entry with name NULL)", id);
        const pie_status status = check_option(out, plugin, plugin->options, i);
        if (status != PIE_OK)
            return status;
    }
    for (size_t i = 0; plugin->requires && plugin->requires[i].type; i++) {
        const pie_requirement *need = &plugin->requires[i];
        if (i == MAX_REQUIREMENTS)
            return refuse(out, "%s: the requirements have no end (an entry with type 0)", id);
        if ((need->type != PIE_NEEDS_PROGRAM && need->type != PIE_NEEDS_FILE) ||
            !is_text(need->name) || !is_text(need->hint))
            return refuse(out, "%s: requirement %zu has an unknown type, no name or no hint", id,
                          i);
    }
    if (!plugin->ops)
        return refuse(out, "%s: the table of functions (ops) is missing", id);
    return checks[kind](out, plugin->kind, id, plugin->ops);
}

pie_status pie_abi_check_module(const pie_module *module, char *ret_message, size_t n_message)
{
    const report out = {ret_message, n_message};
    if (!module)
        return refuse(&out, "no pie plugin: it exports no '" PIE_MODULE_SYMBOL
                            "'; end the module with PIE_MODULE(...)");
    if (module->magic != PIE_ABI_MAGIC)
        return refuse(&out,
                      "'" PIE_MODULE_SYMBOL
                      "' starts with 0x%08x instead of 0x%08x; end the module with "
                      "PIE_MODULE(...)",
                      (unsigned)module->magic, (unsigned)PIE_ABI_MAGIC);
    if (module->abi_major != PIE_ABI_MAJOR || module->abi_minor != PIE_ABI_MINOR) {
        const uint32_t theirs = (uint32_t)module->abi_major << 16 | module->abi_minor;
        const uint32_t ours = (uint32_t)PIE_ABI_MAJOR << 16 | PIE_ABI_MINOR;
        return refuse(&out, "built for pie ABI %u.%u, this pie has ABI %u.%u: %s",
                      module->abi_major, module->abi_minor, PIE_ABI_MAJOR, PIE_ABI_MINOR,
                      theirs < ours
                          ? "rebuild the plugin against the headers of this pie"
                          : "update pie, or rebuild the plugin against the headers of this pie");
    }
    if (!module->plugins || !module->plugins[0])
        return refuse(&out, "the module holds no plugin; name them in PIE_MODULE(...)");
    for (size_t i = 0; module->plugins[i]; i++) {
        if (i == MAX_PLUGINS)
            return refuse(&out, "the list of plugins has no end (NULL)");
        const pie_status status = check_plugin(&out, module->plugins[i], i);
        if (status != PIE_OK)
            return status;
        for (size_t k = 0; k < i; k++)
            if (strcmp(module->plugins[k]->id, module->plugins[i]->id) == 0 &&
                strcmp(module->plugins[k]->kind, module->plugins[i]->kind) == 0)
                return refuse(&out, "the module holds two plugins with the id %s",
                              module->plugins[i]->id);
    }
    return PIE_OK;
}
