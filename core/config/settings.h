/* settings.h - checked values of one group of options, and the host table over them. */
#ifndef PIE_SETTINGS_H
#define PIE_SETTINGS_H

#include "base/log.h"
#include "pie/plugin.h"

#include <jansson.h>
#include <stdbool.h>

/* Value of one option. Which member counts follows from option->type. */
typedef struct pie_setting {
    const pie_option *option; /* borrowed */
    bool is_set;              /* written by the user, or has a default */
    bool is_default;
    bool boolean;
    int64_t integer;
    double number;
    const char *string;         /* absolute for PATH */
    const char *const *strings; /* NULL-terminated */
    const double *numbers;
    size_t n;          /* of strings or numbers */
    const char *where; /* "run.cfg:7", "--set", or "default" */
} pie_setting;

typedef struct pie_settings pie_settings; /* immutable once made; share freely */

/* NULL if the schema has no such option (a broken caller for core options). */
const pie_setting *pie_settings_get(const pie_settings *settings, const char *name);
/* Shorthands for options that the core's own schema has. */
const char *pie_settings_string(const pie_settings *settings, const char *name);
int64_t pie_settings_int(const pie_settings *settings, const char *name);
double pie_settings_float(const pie_settings *settings, const char *name);
bool pie_settings_bool(const pie_settings *settings, const char *name);
/* {"name": value, ...} in schema order; only result options unless @all; secrets never. New
 * reference, NULL = no memory. Paths stand as the user wrote them. */
json_t *pie_settings_json(const pie_settings *settings, bool all);

/* Host table for an instance of the plugin called @short_name. Both borrowed. Freed after
 * destroy(). */
pie_status pie_host_new(const pie_settings *settings, const char *short_name, const pie_log *log,
                        pie_host **ret_host);
void pie_host_free(pie_host *table);

#endif
