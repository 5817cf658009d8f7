/* config.h - a libconfig file, with @include and --set, into checked settings.
 *
 * Everything is refused here, before anything runs: unknown groups and keys, wrong types, values
 * out of range, plugins that are not there. Each message has file:line and, for names, the nearest
 * valid one. The schema of the core stands in config.c; those of plugins come from the registry. */
#ifndef PIE_CONFIG_H
#define PIE_CONFIG_H

#include "config/settings.h"
#include "registry/registry.h"

/* A plugin that the config names, with its settings (already complete with defaults). */
typedef struct pie_choice {
    const pie_plugin_info *info;
    const pie_settings *settings; /* the plugin's own options */
} pie_choice;

typedef struct pie_config pie_config; /* immutable; borrows the registry */

typedef struct pie_config_source {
    const char *path;        /* of the file; NULL = no file: defaults and --set only */
    const char *text;        /* instead of a file, or NULL; named @path in messages */
    const char *const *sets; /* "path.to.key=value", NULL-terminated, or NULL. The value is
                                libconfig syntax; a bare word is taken as a string */
    bool need_backend;       /* refuse a config without dataset and backend (run); false: they are
                                optional */
    bool need_dataset;
    bool read_only; /* nothing will be run (reports): a plugin that cannot work here is no error */
} pie_config_source;

/* The CPU model of a config that names none. */
#define PIE_DEFAULT_UARCH "skylake"

/* Add the folders of the config's `plugins` to the registry and read what is in them; before
 * pie_config_load, which has the other complaints. PIE_ERR_CONFIG: a folder is not there (logged).
 */
pie_status pie_config_add_plugin_folders(const pie_config_source *source, pie_registry *registry,
                                         const pie_log *log);

/* PIE_ERR_CONFIG: every problem found is logged, one line each. PIE_ERR_UNAVAILABLE. PIE_ERR_NOMEM.
 */
pie_status pie_config_load(const pie_config_source *source, const pie_registry *registry,
                           const pie_log *log, pie_config **ret_config);
void pie_config_free(pie_config *config);

/* Core groups: "dataset", "sampling", "limits", "run", "" (top level: time ...). Never NULL. */
const pie_settings *pie_config_group(const pie_config *config, const char *group);
/* Plugin groups: their core options (compiler.language, backend.samples, ...) */
const pie_settings *pie_config_plugin_group(const pie_config *config, const char *group);
/* NULL when the config names none (backend and prompt of `pie stat`). */
const pie_choice *pie_config_compiler(const pie_config *config);
const pie_choice *pie_config_uarch(const pie_config *config);
const pie_choice *pie_config_backend(const pie_config *config);
const pie_choice *pie_config_prompt(const pie_config *config);
size_t pie_config_n_metrics(const pie_config *config);
const pie_choice *pie_config_metric(const pie_config *config, size_t i);

enum {
    PIE_CONFIG_ALL = 0,    /* what run.cfg records */
    PIE_CONFIG_RESULT = 1, /* result keys: reports, resume check */
    PIE_CONFIG_FINGERPRINT =
        2 /* result keys without backend, prompt and metrics, with plugin ids and versions */
};
/* Canonical form: groups and keys in schema order, plugins by id with version. New reference. Never
 * contains a secret. */
json_t *pie_config_json(const pie_config *config, int32_t which);
/* The resolved configuration as a libconfig file that loads again. New text, to be freed. */
char *pie_config_text(const pie_config *config);

#endif
