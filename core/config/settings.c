/* settings.c - see settings.h and values.h. */
#include "config/settings.h"

#include "base/file.h"
#include "config/values.h"
#include "pie/abi_check.h"
#include "registry/registry.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The public setting is constant to its readers; the strings behind it are owned here. */
typedef struct slot {
    pie_setting setting;
    char **strings; /* [setting.n] or the one of a plain string, then NULL: absolute for paths */
    char **written; /* the same, paths as recorded */
    double *numbers;
    char *where;
} slot;

struct pie_settings {
    const pie_option *options;
    size_t n;
    slot values[];
};

enum { CLASS_BOOL, CLASS_INT, CLASS_FLOAT, CLASS_STRING };

static int class_of(const pie_option *option)
{
    switch (option->type) {
    case PIE_OPTION_BOOL:
        return CLASS_BOOL;
    case PIE_OPTION_INT:
        return CLASS_INT;
    case PIE_OPTION_FLOAT:
    case PIE_OPTION_FLOAT_LIST:
        return CLASS_FLOAT;
    default:
        return CLASS_STRING;
    }
}

static bool is_list(const pie_option *option)
{
    return option->type == PIE_OPTION_STRING_LIST || option->type == PIE_OPTION_PATH_LIST ||
           option->type == PIE_OPTION_FLOAT_LIST;
}

static bool is_path(const pie_option *option)
{
    return option->type == PIE_OPTION_PATH || option->type == PIE_OPTION_PATH_LIST;
}

static void free_strings(char **strings)
{
    for (char **at = strings; at && *at; at++)
        free(*at);
    free(strings);
}

static void value_clear(slot *value)
{
    free_strings(value->strings);
    free_strings(value->written);
    free(value->numbers);
    free(value->where);
    *value = (slot){.setting.option = value->setting.option};
}

/* ---- filling a value ---- */

char *pie_path_absolute(const char *folder, const char *path)
{
    char *joined = *path ? pie_path_join(folder, path) : strdup("");
    if (!joined || !*joined || *joined == '/')
        return joined;
    char current[PATH_MAX];
    char *full = getcwd(current, sizeof current) ? pie_path_join(current, joined) : NULL;
    free(joined);
    return full;
}

/* How a path stands in records: relative to the main config's folder if it is below it. */
static char *recorded_path(const char *main_folder, const char *folder, const char *path)
{
    if (*path == '/' || strcmp(folder, main_folder) == 0)
        return strdup(path);
    char *full = pie_path_absolute(folder, path),
         *base = pie_path_absolute("", *main_folder ? main_folder : ".");
    char *recorded = NULL;
    if (full && base) {
        size_t n = strlen(base);
        if (n >= 2 && strcmp(base + n - 2, "/.") == 0)
            n -= 2;
        recorded = strdup(strncmp(full, base, n) == 0 && full[n] == '/' ? full + n + 1 : full);
    }
    free(full);
    free(base);
    return recorded;
}

/* Append a string or a number; the first one sizes nothing, lists are short. */
static pie_status push_string(slot *value, const char *text, const char *main_folder,
                              const char *folder)
{
    const bool path = is_path(value->setting.option);
    const size_t n = value->setting.n;
    char **strings = realloc(value->strings, (n + 2) * sizeof *strings);
    if (strings)
        value->strings = strings;
    char **written = realloc(value->written, (n + 2) * sizeof *written);
    if (written)
        value->written = written;
    if (!strings || !written)
        return PIE_ERR_NOMEM;
    strings[n] = path ? pie_path_absolute(folder, text) : strdup(text);
    strings[n + 1] = NULL;
    written[n] = path ? recorded_path(main_folder, folder, text) : strdup(text);
    written[n + 1] = NULL;
    if (!strings[n] || !written[n])
        return PIE_ERR_NOMEM;
    value->setting.n = n + 1;
    return PIE_OK;
}

static pie_status push_number(slot *value, double number)
{
    double *numbers = realloc(value->numbers, (value->setting.n + 1) * sizeof *numbers);
    if (!numbers)
        return PIE_ERR_NOMEM;
    value->numbers = numbers;
    numbers[value->setting.n++] = number + 0.0; /* -0.0 becomes 0.0 */
    return PIE_OK;
}

/* The public face of what was filled in. */
static pie_status seal(slot *value, bool is_default, const char *where)
{
    pie_setting *setting = &value->setting;
    const pie_option *option = setting->option;
    setting->is_set = true;
    setting->is_default = is_default;
    value->where = strdup(where);
    if (is_list(option) && class_of(option) == CLASS_STRING && !value->strings &&
        (!(value->strings = calloc(1, sizeof *value->strings)) ||
         !(value->written = calloc(1, sizeof *value->written))))
        return PIE_ERR_NOMEM;
    setting->where = value->where;
    setting->numbers = value->numbers;
    if (class_of(option) == CLASS_STRING) {
        setting->strings = (const char *const *)value->strings;
        if (!is_list(option))
            setting->string = value->strings[0];
    } else if (class_of(option) == CLASS_FLOAT && !is_list(option))
        setting->number = value->numbers[0];
    return value->where ? PIE_OK : PIE_ERR_NOMEM;
}

static pie_status fill_default(slot *value, const char *folder)
{
    const pie_option *option = value->setting.option;
    pie_default_item item;
    pie_status status = PIE_OK;
    value->setting.where = "default";
    if (!option->fallback)
        return PIE_OK;
    for (size_t i = 0; (status = pie_option_default(option, i, &item)) == PIE_OK; i++) {
        switch (class_of(option)) {
        case CLASS_BOOL:
            value->setting.boolean = item.boolean != 0;
            break;
        case CLASS_INT:
            value->setting.integer = item.integer;
            break;
        case CLASS_FLOAT:
            status = push_number(value, item.number);
            break;
        default:
            status = push_string(value, item.string, folder, folder);
        }
        if (status != PIE_OK)
            return status;
    }
    return status == PIE_ERR_AGAIN ? seal(value, true, "default") : status;
}

pie_status pie_settings_new(const pie_option *options, const char *folder,
                            pie_settings **ret_settings)
{
    size_t n = 0;
    while (options[n].name)
        n++;
    pie_settings *settings = calloc(1, sizeof *settings + n * sizeof settings->values[0]);
    if (!settings)
        return PIE_ERR_NOMEM;
    settings->options = options;
    settings->n = n;
    pie_status status = PIE_OK;
    for (size_t i = 0; status == PIE_OK && i < n; i++) {
        settings->values[i].setting.option = &options[i];
        status = fill_default(&settings->values[i], folder);
    }
    if (status == PIE_OK)
        *ret_settings = settings;
    else
        pie_settings_free(settings);
    return status;
}

void pie_settings_free(pie_settings *settings)
{
    if (!settings)
        return;
    for (size_t i = 0; i < settings->n; i++)
        value_clear(&settings->values[i]);
    free(settings);
}

const pie_option *pie_option_find(const pie_option *options, const char *name)
{
    for (; options->name; options++)
        if (strcmp(options->name, name) == 0)
            return options;
    return NULL;
}

/* ---- what the user wrote ---- */

static const char *type_name(const pie_option *option)
{
    switch (option->type) {
    case PIE_OPTION_BOOL:
        return "true or false";
    case PIE_OPTION_INT:
        return "an integer";
    case PIE_OPTION_FLOAT:
        return "a number";
    case PIE_OPTION_STRING:
        return "a string (\"...\")";
    case PIE_OPTION_PATH:
        return "a path (a string, \"...\")";
    case PIE_OPTION_STRING_LIST:
        return "a list of strings ([ \"a\", \"b\" ])";
    case PIE_OPTION_FLOAT_LIST:
        return "a list of numbers ([ 1.0, 2.0 ])";
    default:
        return "a list of paths ([ \"a\", \"b\" ])";
    }
}

/* Everything that a check of one value needs. */
typedef struct context {
    const char *where, *folder, *main_folder, *raw;
    const pie_log *log;
} context;

static pie_status refuse_type(const context *in, const pie_option *option)
{
    pie_log_error(in->log, "%s: %s must be %s", in->where, option->name, type_name(option));
    return PIE_ERR_CONFIG;
}

static pie_status check_range(const context *in, const pie_option *option, double number)
{
    if (isfinite(number) && pie_option_in_range(option, number))
        return PIE_OK;
    if (!isfinite(number))
        pie_log_error(in->log, "%s: %s is no finite number", in->where, option->name);
    else if (isfinite(option->min) && isfinite(option->max))
        pie_log_error(in->log, "%s: %s = %.10g is out of range: it may be %.10g to %.10g",
                      in->where, option->name, number, option->min, option->max);
    else
        pie_log_error(in->log, "%s: %s = %.10g is out of range: it must be %s %.10g", in->where,
                      option->name, number, isfinite(option->min) ? "at least" : "at most",
                      isfinite(option->min) ? option->min : option->max);
    return PIE_ERR_CONFIG;
}

static pie_status check_choice(const context *in, const pie_option *option, const char *text)
{
    enum { MAX_CHOICES = 64 };
    if (pie_option_is_choice(option, text))
        return PIE_OK;
    char *choices = strdup(option->choices);
    const char *names[MAX_CHOICES + 1] = {NULL};
    size_t n = 0;
    char *rest = NULL;
    for (char *name = choices ? strtok_r(choices, "|", &rest) : NULL; name && n < MAX_CHOICES;
         name = strtok_r(NULL, "|", &rest))
        names[n++] = name;
    const char *near = pie_nearest_name(text, names);
    pie_log_error(in->log, "%s: %s = \"%s\" is not one of %s%s%s%s", in->where, option->name, text,
                  option->choices, near ? " (did you mean \"" : "", near ? near : "",
                  near ? "\"?)" : "");
    free(choices);
    return PIE_ERR_CONFIG;
}

static bool is_number(const config_setting_t *setting, double *ret_number)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
        *ret_number = config_setting_get_int(setting);
        return true;
    case CONFIG_TYPE_INT64:
        *ret_number = (double)config_setting_get_int64(setting);
        return true;
    case CONFIG_TYPE_FLOAT:
        *ret_number = config_setting_get_float(setting);
        return true;
    default:
        return false;
    }
}

static pie_status fill_scalar(const context *in, slot *value, const config_setting_t *setting)
{
    const pie_option *option = value->setting.option;
    const int type = config_setting_type(setting);
    double number;
    const char *text;
    pie_status status;
    switch (class_of(option)) {
    case CLASS_BOOL:
        if (type != CONFIG_TYPE_BOOL)
            return refuse_type(in, option);
        value->setting.boolean = config_setting_get_bool(setting) != 0;
        return PIE_OK;
    case CLASS_INT:
        if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
            return refuse_type(in, option);
        value->setting.integer = type == CONFIG_TYPE_INT ? config_setting_get_int(setting)
                                                         : config_setting_get_int64(setting);
        return check_range(in, option, (double)value->setting.integer);
    case CLASS_FLOAT:
        if (!is_number(setting, &number))
            return refuse_type(in, option);
        status = check_range(in, option, number);
        return status == PIE_OK ? push_number(value, number) : status;
    default:
        /* what the shell passed is a string if that is what is wanted: --set backend.model=7 */
        text = in->raw && !config_setting_is_aggregate(setting) && type != CONFIG_TYPE_STRING
                   ? in->raw
                   : config_setting_get_string(setting);
        if (!text)
            return refuse_type(in, option);
        if (pie_utf8_span(text, strlen(text)) != strlen(text)) {
            pie_log_error(in->log, "%s: %s is not UTF-8", in->where, option->name);
            return PIE_ERR_CONFIG;
        }
        if (is_path(option) && !*text) {
            pie_log_error(in->log, "%s: %s is an empty path", in->where, option->name);
            return PIE_ERR_CONFIG;
        }
        status = check_choice(in, option, text);
        return status == PIE_OK ? push_string(value, text, in->main_folder, in->folder) : status;
    }
}

static pie_status fill_value(const context *in, slot *value, const config_setting_t *setting)
{
    const int type = config_setting_type(setting);
    if (!is_list(value->setting.option) || (type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST))
        return fill_scalar(in, value, setting);
    pie_status status = PIE_OK;
    const context item = {in->where, in->folder, in->main_folder, NULL, in->log};
    for (int i = 0; status == PIE_OK && i < config_setting_length(setting); i++)
        status = fill_scalar(&item, value, config_setting_get_elem(setting, (unsigned)i));
    return status;
}

pie_status pie_settings_assign(pie_settings *settings, const pie_option *option,
                               const config_setting_t *written, const pie_place *place,
                               const char *folder, const pie_log *log)
{
    const context in = {place->where, place->folder, folder, place->raw, log};
    slot *old = &settings->values[option - settings->options];
    if (option->flags & PIE_OPTION_SECRET && place->raw) {
        pie_log_error(
            log,
            "%s: a secret is not taken from the command line, where others can see it; put "
            "it into a file named by @include, or into the environment",
            place->where);
        return PIE_ERR_CONFIG;
    }
    slot fresh = {.setting.option = option};
    pie_status status = fill_value(&in, &fresh, written);
    if (status == PIE_OK)
        status = seal(&fresh, false, place->where);
    if (status == PIE_OK) {
        value_clear(old);
        *old = fresh;
    } else
        value_clear(&fresh);
    return status == PIE_ERR_NOMEM ? pie_log_nomem(log) : status;
}

pie_status pie_settings_complete(const pie_settings *settings, const char *group, const char *where,
                                 const pie_log *log)
{
    pie_status status = PIE_OK;
    for (size_t i = 0; i < settings->n; i++) {
        const pie_setting *setting = &settings->values[i].setting;
        if (!(setting->option->flags & PIE_OPTION_REQUIRED) || setting->is_set)
            continue;
        pie_log_error(log, "%s: %s.%s is missing: %s", where, group, setting->option->name,
                      setting->option->help);
        status = PIE_ERR_CONFIG;
    }
    return status;
}

/* ---- reading ---- */

const pie_setting *pie_settings_get(const pie_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->n; i++)
        if (strcmp(settings->options[i].name, name) == 0)
            return &settings->values[i].setting;
    return NULL;
}

static const pie_setting *get_known(const pie_settings *settings, const char *name, int class)
{
    static const pie_setting none;
    const pie_setting *setting = pie_settings_get(settings, name);
    assert(setting && class_of(setting->option) == class);
    (void)class;
    return setting ? setting : &none;
}

const char *pie_settings_string(const pie_settings *settings, const char *name)
{
    return get_known(settings, name, CLASS_STRING)->string;
}

int64_t pie_settings_int(const pie_settings *settings, const char *name)
{
    return get_known(settings, name, CLASS_INT)->integer;
}

double pie_settings_float(const pie_settings *settings, const char *name)
{
    return get_known(settings, name, CLASS_FLOAT)->number;
}

bool pie_settings_bool(const pie_settings *settings, const char *name)
{
    return get_known(settings, name, CLASS_BOOL)->boolean;
}

/* ---- writing ---- */

static json_t *value_json(const slot *value)
{
    const pie_setting *setting = &value->setting;
    const pie_option *option = setting->option;
    const int class = class_of(option);
    if (!is_list(option))
        return class == CLASS_BOOL    ? json_boolean(setting->boolean)
               : class == CLASS_INT   ? json_integer(setting->integer)
               : class == CLASS_FLOAT ? json_real(setting->number)
                                      : json_string(value->written[0]);
    json_t *list = json_array();
    for (size_t i = 0; list && i < setting->n; i++)
        if (json_array_append_new(list, class == CLASS_FLOAT
                                            ? json_real(value->numbers[i])
                                            : json_string(value->written[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

json_t *pie_settings_json(const pie_settings *settings, bool all)
{
    json_t *object = json_object();
    for (size_t i = 0; object && i < settings->n; i++) {
        const slot *value = &settings->values[i];
        const uint32_t flags = value->setting.option->flags;
        if (!value->setting.is_set || flags & PIE_OPTION_SECRET ||
            (flags & PIE_OPTION_EXECUTION && !all))
            continue;
        if (json_object_set_new(object, value->setting.option->name, value_json(value)) != 0) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}

pie_status pie_text_quote(const char *text, pie_buf *out)
{
    pie_status status = pie_buf_puts(out, "\"");
    for (const char *at = text; status == PIE_OK && *at; at++) {
        const char *escape = *at == '\n'   ? "\\n"
                             : *at == '\r' ? "\\r"
                             : *at == '\t' ? "\\t"
                             : *at == '"'  ? "\\\""
                             : *at == '\\' ? "\\\\"
                                           : NULL;
        if (escape)
            status = pie_buf_puts(out, escape);
        else if ((unsigned char)*at < 0x20 || *at == 0x7f)
            status = pie_buf_printf(out, "\\x%02x", (unsigned)*at);
        else
            status = pie_buf_add(out, at, 1);
    }
    return status == PIE_OK ? pie_buf_puts(out, "\"") : status;
}

/* The shortest of the forms that read back as the same number, with a point: libconfig takes 1 for
 * an integer and lists must be of one type. */
static pie_status put_number(double number, pie_buf *out)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    if (strpbrk(text, ".e"))
        return pie_buf_puts(out, text);
    return pie_buf_printf(out, "%s.0", text);
}

static pie_status put_item(const slot *value, size_t i, pie_buf *out)
{
    return class_of(value->setting.option) == CLASS_FLOAT ? put_number(value->numbers[i], out)
                                                          : pie_text_quote(value->written[i], out);
}

pie_status pie_setting_text(const pie_settings *settings, const pie_setting *setting, pie_buf *out)
{
    const slot *value = &settings->values[setting->option - settings->options];
    const pie_option *option = setting->option;
    if (class_of(option) == CLASS_BOOL)
        return pie_buf_puts(out, setting->boolean ? "true" : "false");
    if (class_of(option) == CLASS_INT)
        return pie_buf_printf(out, "%lld%s", (long long)setting->integer,
                              setting->integer > INT32_MAX || setting->integer < INT32_MIN ? "L"
                                                                                           : "");
    if (!is_list(option))
        return put_item(value, 0, out);
    pie_status status = pie_buf_puts(out, "[");
    for (size_t i = 0; status == PIE_OK && i < setting->n; i++) {
        status = pie_buf_puts(out, i ? ", " : " ");
        if (status == PIE_OK)
            status = put_item(value, i, out);
    }
    return status == PIE_OK ? pie_buf_puts(out, setting->n ? " ]" : "]") : status;
}

pie_status pie_settings_text(const pie_settings *settings, const char *indent, const char *except,
                             pie_buf *out)
{
    pie_status status = PIE_OK;
    for (size_t i = 0; status == PIE_OK && i < settings->n; i++) {
        const pie_setting *setting = &settings->values[i].setting;
        if (!setting->is_set || setting->option->flags & PIE_OPTION_SECRET ||
            (except && strcmp(except, setting->option->name) == 0))
            continue;
        status = pie_buf_printf(out, "%s%s = ", indent, setting->option->name);
        if (status == PIE_OK)
            status = pie_setting_text(settings, setting, out);
        if (status == PIE_OK)
            status = pie_buf_puts(out, ";\n");
    }
    return status;
}

/* ---- the host table ---- */

typedef struct host {
    pie_host table; /* first: pie_host_free gets a pointer to it */
    const pie_settings *settings;
    const pie_log *log;
    char *name;
} host;

static void host_log(const pie_host *table, int32_t level, const char *text)
{
    const host *self = table->host_data;
    const int32_t shown = level < PIE_LOG_ERROR   ? PIE_LOG_ERROR
                          : level > PIE_LOG_DEBUG ? PIE_LOG_DEBUG
                                                  : level;
    pie_log_write(self->log, shown, "%s: %s", self->name, text ? text : "");
}

/* The setting @key of one of two types (0: none), or NULL: logged. */
static const pie_setting *host_get(const pie_host *table, const char *key, int32_t type,
                                   int32_t other)
{
    const host *self = table->host_data;
    const pie_setting *setting = key ? pie_settings_get(self->settings, key) : NULL;
    if (setting && (setting->option->type == type || setting->option->type == other))
        return setting;
    pie_log_error(self->log, "%s: the plugin asked for its option '%s', which %s", self->name,
                  key ? key : "",
                  setting ? "is of another type in its schema" : "is not in its schema");
    return NULL;
}

static pie_status host_get_bool(const pie_host *table, const char *key, int32_t *ret)
{
    const pie_setting *setting = host_get(table, key, PIE_OPTION_BOOL, 0);
    if (!setting)
        return PIE_ERR_CONFIG;
    *ret = setting->boolean;
    return PIE_OK;
}

static pie_status host_get_int(const pie_host *table, const char *key, int64_t *ret)
{
    const pie_setting *setting = host_get(table, key, PIE_OPTION_INT, 0);
    if (!setting)
        return PIE_ERR_CONFIG;
    *ret = setting->integer;
    return PIE_OK;
}

static pie_status host_get_float(const pie_host *table, const char *key, double *ret)
{
    const pie_setting *setting = host_get(table, key, PIE_OPTION_FLOAT, 0);
    if (!setting)
        return PIE_ERR_CONFIG;
    *ret = setting->number;
    return PIE_OK;
}

static pie_status host_get_string(const pie_host *table, const char *key, const char **ret)
{
    const pie_setting *setting = host_get(table, key, PIE_OPTION_STRING, PIE_OPTION_PATH);
    if (!setting)
        return PIE_ERR_CONFIG;
    *ret = setting->string;
    return PIE_OK;
}

static pie_status host_get_strings(const pie_host *table, const char *key,
                                   const char *const **ret_items, size_t *ret_n)
{
    static const char *const none[] = {NULL};
    const pie_setting *setting = host_get(table, key, PIE_OPTION_STRING_LIST, PIE_OPTION_PATH_LIST);
    if (!setting)
        return PIE_ERR_CONFIG;
    *ret_items = setting->strings ? setting->strings : none;
    *ret_n = setting->n;
    return PIE_OK;
}

static pie_status host_get_floats(const pie_host *table, const char *key, const double **ret_items,
                                  size_t *ret_n)
{
    const pie_setting *setting = host_get(table, key, PIE_OPTION_FLOAT_LIST, 0);
    if (!setting)
        return PIE_ERR_CONFIG;
    *ret_items = setting->numbers;
    *ret_n = setting->n;
    return PIE_OK;
}

static const void *host_query(const pie_host *table, const char *interface_id)
{
    (void)table, (void)interface_id; /* none yet */
    return NULL;
}

pie_status pie_host_new(const pie_settings *settings, const char *short_name, const pie_log *log,
                        pie_host **ret_host)
{
    host *self = calloc(1, sizeof *self);
    if (!self || !(self->name = strdup(short_name))) {
        free(self);
        return pie_log_nomem(log);
    }
    self->settings = settings;
    self->log = log;
    self->table = (pie_host){.host_data = self,
                             .log = host_log,
                             .get_bool = host_get_bool,
                             .get_int = host_get_int,
                             .get_float = host_get_float,
                             .get_string = host_get_string,
                             .get_strings = host_get_strings,
                             .get_floats = host_get_floats,
                             .query = host_query};
    *ret_host = &self->table;
    return PIE_OK;
}

void pie_host_free(pie_host *table)
{
    if (!table)
        return;
    host *self = table->host_data;
    free(self->name);
    free(self);
}
