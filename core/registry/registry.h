/* registry.h - which plugins there are. Descriptors only: the registry reads modules in a child
 * process and keeps copies of their data, so that a module which crashes when loaded is a note in a
 * list. The calling process never has plugin code in it until pie_plugin_open(). */
#ifndef PIE_REGISTRY_H
#define PIE_REGISTRY_H

#include "base/log.h"
#include "pie/plugin.h"

#include <jansson.h>
#include <stdbool.h>

typedef struct pie_registry pie_registry;

/* A plugin, or a CPU model made of a model.cfg. All borrowed until pie_registry_free(). */
typedef struct pie_plugin_info {
    const char *kind, *id, *short_name, *version, *summary, *licence;
    const char *path;          /* of the .so, or of the model.cfg */
    const pie_option *options; /* ended by name NULL; never NULL. For a model.cfg: its engine's */
    const char *unavailable;   /* NULL = usable; else the reason and what to do, one line */
    bool deterministic;        /* uarch: PIE_UARCH_DETERMINISTIC; true for other kinds */
    uint32_t capabilities;     /* backend: capability bits */
    int32_t style;             /* uarch: PIE_UARCH_TRACE ..; compiler: product; else 0 */
    /* model.cfg only: */
    const struct pie_plugin_info *engine; /* the .so behind it, NULL for a .so */
    const char *folder;                   /* of the model.cfg, NULL for a .so */
    const pie_requirement *requires;      /* ended by type 0; never NULL */
} pie_plugin_info;

pie_status pie_registry_new(const pie_log *log, pie_registry **ret_registry);
void pie_registry_free(pie_registry *registry);

/* Folders are searched in the order added: `*.so` and `*`/model.cfg in them and one level below.
 * The standard folders: beside the executable (build tree and installed layout), then
 * PIE_PLUGIN_PATH (colon-separated). A missing folder is an error only when @must_exist. */
pie_status pie_registry_add_standard_folders(pie_registry *registry);
pie_status pie_registry_add_folder(pie_registry *registry, const char *path, bool must_exist);
/* Read all modules in the folders added since the last scan. Broken ones become notes. */
pie_status pie_registry_scan(pie_registry *registry);
/* Read one module by path and refuse loudly: PIE_ERR_ABI with one line that says what is wrong (no
 * such file, not an ELF file, not a pie plugin, wrong magic, both ABI versions, missing function),
 * PIE_ERR_CRASHED when it crashes or hangs. On success its plugins are in the registry. */
pie_status pie_registry_check_file(pie_registry *registry, const char *path);

/* By id, or by short name when unique. PIE_ERR_CONFIG: none (message with the nearest name and the
 * names there are), or several match. PIE_ERR_ABI: two files hold the id (both named), or the file
 * that was found is broken (the note is logged). PIE_ERR_UNAVAILABLE: it cannot work here (reason
 * logged).
 * @where prefixes messages ("run.cfg:7"), may be NULL. */
pie_status pie_registry_find(const pie_registry *registry, const char *kind, const char *name,
                             const char *where, const pie_plugin_info **ret_info);

/* The same, but a plugin that cannot work here is found too: see info->unavailable. */
pie_status pie_registry_lookup(const pie_registry *registry, const char *kind, const char *name,
                               const char *where, const pie_plugin_info **ret_info);

size_t pie_registry_count(const pie_registry *registry);
const pie_plugin_info *pie_registry_at(const pie_registry *registry,
                                       size_t i); /* by kind, then id */
/* Broken files and duplicates: one line each. */
size_t pie_registry_note_count(const pie_registry *registry);
const char *pie_registry_note(const pie_registry *registry, size_t i);

/* Nearest of @names (NULL-terminated) to @name by edit distance, NULL if none is near. Borrowed. */
const char *pie_nearest_name(const char *name, const char *const *names);

/* ---- in the process that will run the plugin ---- */

typedef struct pie_loaded_plugin pie_loaded_plugin;
/* dlopen and check again. PIE_ERR_ABI logged. Never unloaded before the process ends. */
pie_status pie_plugin_open(const pie_plugin_info *info, const pie_log *log,
                           const pie_plugin **ret_plugin);

#endif
