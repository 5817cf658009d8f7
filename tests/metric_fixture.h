/* metric_fixture.h - a metric plugin from the build's plugin folder, and a host table for it,
 * without the rest of pie: the tests see what any host would see. */
#ifndef PIE_TESTS_METRIC_FIXTURE_H
#define PIE_TESTS_METRIC_FIXTURE_H

#include "pie/metric.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A setting as one would write it in a config file: {"k", "[ 1, 2 ]"}; ends with name NULL. */
typedef struct fixture_setting {
    const char *name, *value;
} fixture_setting;

typedef struct metric_fixture {
    pie_host host;
    const pie_plugin *plugin;
    const pie_metric_ops *ops;
    const fixture_setting *settings;
    void *self;
    void *module;
    void *kept[64]; /* lists and strings lent to the plugin */
    size_t n_kept;
    char logged[512]; /* the last line */
} metric_fixture;

static inline const char *fixture_value(const pie_host *host, const char *key, int32_t type)
{
    const metric_fixture *fixture = host->host_data;
    for (const fixture_setting *s = fixture->settings; s && s->name; s++)
        if (strcmp(s->name, key) == 0)
            return s->value;
    for (const pie_option *o = fixture->plugin->options; o && o->name; o++)
        if (strcmp(o->name, key) == 0 && o->type == type)
            return o->fallback ? o->fallback : "";
    return NULL;
}

static inline void fixture_log(const pie_host *host, int32_t level, const char *text)
{
    metric_fixture *fixture = host->host_data;
    (void)level;
    snprintf(fixture->logged, sizeof fixture->logged, "%s", text);
}

static inline pie_status fixture_bool(const pie_host *host, const char *key, int32_t *ret)
{
    const char *value = fixture_value(host, key, PIE_OPTION_BOOL);
    if (!value)
        return PIE_ERR_CONFIG;
    *ret = strcmp(value, "true") == 0;
    return PIE_OK;
}

static inline pie_status fixture_int(const pie_host *host, const char *key, int64_t *ret)
{
    const char *value = fixture_value(host, key, PIE_OPTION_INT);
    if (!value)
        return PIE_ERR_CONFIG;
    *ret = strtoll(value, NULL, 10);
    return PIE_OK;
}

static inline pie_status fixture_float(const pie_host *host, const char *key, double *ret)
{
    const char *value = fixture_value(host, key, PIE_OPTION_FLOAT);
    if (!value)
        return PIE_ERR_CONFIG;
    *ret = strtod(value, NULL);
    return PIE_OK;
}

static inline void *fixture_keep(metric_fixture *fixture, void *memory)
{
    if (!memory || fixture->n_kept == sizeof fixture->kept / sizeof *fixture->kept)
        abort();
    return fixture->kept[fixture->n_kept++] = memory;
}

static inline pie_status fixture_string(const pie_host *host, const char *key, const char **ret)
{
    const char *value = fixture_value(host, key, PIE_OPTION_STRING);
    if (!value)
        return PIE_ERR_CONFIG;
    char *text = fixture_keep(host->host_data, strdup(*value == '"' ? value + 1 : value));
    if (*value == '"')
        text[strlen(text) - 1] = '\0';
    *ret = text;
    return PIE_OK;
}

static inline pie_status fixture_strings(const pie_host *host, const char *key,
                                         const char *const **ret_items, size_t *ret_n)
{
    (void)host, (void)key, (void)ret_items, (void)ret_n;
    return PIE_ERR_CONFIG; /* no metric takes a list of strings yet */
}

static inline pie_status fixture_floats(const pie_host *host, const char *key,
                                        const double **ret_items, size_t *ret_n)
{
    const char *value = fixture_value(host, key, PIE_OPTION_FLOAT_LIST);
    if (!value)
        return PIE_ERR_CONFIG;
    double *items = fixture_keep(host->host_data, calloc(strlen(value) + 1, sizeof *items));
    size_t n = 0;
    for (const char *at = value; *at;) {
        char *end;
        items[n] = strtod(at, &end);
        n += end != at;
        at = end != at ? end : at + 1;
    }
    *ret_items = items;
    *ret_n = n;
    return PIE_OK;
}

static inline const void *fixture_query(const pie_host *host, const char *interface_id)
{
    (void)host, (void)interface_id;
    return NULL;
}

/* Loads metric @name ("correct") and makes an instance. @fixture must not move afterwards. On
 * failure of create() its status, with the plugin's line in @logged. */
static inline pie_status fixture_open(metric_fixture *fixture, const char *name,
                                      const fixture_setting *settings, int64_t max_samples)
{
    memset(fixture, 0, sizeof *fixture);
    fixture->settings = settings;
    fixture->host = (pie_host){.host_data = fixture,
                               .log = fixture_log,
                               .get_bool = fixture_bool,
                               .get_int = fixture_int,
                               .get_float = fixture_float,
                               .get_string = fixture_string,
                               .get_strings = fixture_strings,
                               .get_floats = fixture_floats,
                               .query = fixture_query};
    const char *build = getenv("PIE_BUILD");
    char path[4096];
    snprintf(path, sizeof path, "%s/plugins/metric-%s.so", build ? build : PIE_BUILD, name);
    fixture->module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const pie_module *module = fixture->module ? dlsym(fixture->module, PIE_MODULE_SYMBOL) : NULL;
    if (!module) {
        snprintf(fixture->logged, sizeof fixture->logged, "%s", dlerror());
        return PIE_ERR_ABI;
    }
    fixture->plugin = module->plugins[0];
    fixture->ops = fixture->plugin->ops;
    return fixture->ops->create(&fixture->host, max_samples, &fixture->self);
}

static inline void fixture_close(metric_fixture *fixture)
{
    if (fixture->self)
        fixture->ops->destroy(fixture->self);
    for (size_t i = 0; i < fixture->n_kept; i++)
        free(fixture->kept[i]);
    if (fixture->module)
        dlclose(fixture->module);
    memset(fixture, 0, sizeof *fixture);
}

/* All figures over @problems; *@ret_totals [*@ret_n] to be freed, in the order of *@ret_outputs. */
static inline pie_status fixture_run(metric_fixture *fixture, const pie_problem *problems,
                                     size_t n_problems, const pie_metric_output **ret_outputs,
                                     size_t *ret_n, double **ret_totals)
{
    const size_t n_columns = fixture->ops->n_columns(fixture->self);
    double *columns = calloc(n_problems * n_columns + 1, sizeof *columns), *totals = NULL;
    pie_status status = fixture->ops->outputs(fixture->self, ret_outputs, ret_n);
    if (status == PIE_OK)
        totals = calloc(*ret_n + 1, sizeof *totals);
    if (!columns || !totals)
        status = PIE_ERR_NOMEM;
    for (size_t i = 0; status == PIE_OK && i < n_problems; i++)
        status = fixture->ops->problem(fixture->self, &problems[i], columns + i * n_columns);
    if (status == PIE_OK)
        status = fixture->ops->total(fixture->self, columns, NULL, n_problems, totals);
    free(columns);
    if (status == PIE_OK)
        *ret_totals = totals;
    else
        free(totals);
    return status;
}

#endif
