/* pie/plugin.h - the binary contract between pie and a plugin module.
 *
 * A module is a shared object that exports ONE constant, `pie_module_entry`. Everything that pie
 * needs to list, describe and configure a plugin is data reachable from it; pie calls nothing in
 * the module for that. A plugin links against nothing of pie: services arrive through a host table.
 *
 * ABI history. Until 1.0 the layout may change with every minor, so a module loads only when major
 * AND minor are equal to pie's; a refusal prints both and says which side to rebuild.
 *   0.1  first layout: five kinds
 *
 * Threads: pie runs every plugin in a process that it forked for the purpose, and never overlaps
 * two calls on one instance. Members marked [any-thread] may be called from threads that the plugin
 * itself started.
 *
 * State lives in an instance made by create(); a plugin has no mutable globals.
 */
#ifndef PIE_PLUGIN_H
#define PIE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PIE_ABI_MAGIC UINT32_C(0x31454950) /* "PIE1" in memory order */
#define PIE_ABI_MAJOR 0
#define PIE_ABI_MINOR 1

/* Fixed width: the size of an enum is the compiler's choice. */
typedef int32_t pie_status;
enum {
    PIE_OK = 0,
    PIE_ERR_NOMEM = -1,       /* an allocation failed */
    PIE_ERR_CONFIG = -2,      /* what the user wrote or named is wrong */
    PIE_ERR_DATA = -3,        /* input data (dataset, record, stream) is malformed */
    PIE_ERR_ABI = -4,         /* a module is not one, or is for another ABI */
    PIE_ERR_EXISTS = -5,      /* an id or a file is taken */
    PIE_ERR_IO = -6,          /* the operating system refused; errno was logged */
    PIE_ERR_UNAVAILABLE = -7, /* something that is needed is not installed here */
    PIE_ERR_LIMIT = -8,       /* a limit of the caller was reached */
    PIE_ERR_AGAIN = -9,       /* nothing ready yet, or no room now; call again later */
    PIE_ERR_CRASHED = -10     /* a child process died */
};

enum { PIE_LOG_ERROR = 0, PIE_LOG_WARNING = 1, PIE_LOG_INFO = 2, PIE_LOG_DEBUG = 3 };

/* ---- options ------------------------------------------------------------------------------- */

/* Types of an option, as written in the config file. */
enum {
    PIE_OPTION_BOOL = 1,
    PIE_OPTION_INT = 2,   /* 64 bit */
    PIE_OPTION_FLOAT = 3, /* integers are accepted too */
    PIE_OPTION_STRING = 4,
    PIE_OPTION_PATH = 5,        /* a string; relative to the config file that holds it */
    PIE_OPTION_STRING_LIST = 6, /* [ "a", "b" ]; one string is a list of one */
    PIE_OPTION_FLOAT_LIST = 7,  /* [ 1.1, 2 ]; one number is a list of one */
    PIE_OPTION_PATH_LIST = 8    /* like STRING_LIST, each relative to the config file */
};

enum {
    PIE_OPTION_REQUIRED = 1u << 0,  /* no default: the user must write it */
    PIE_OPTION_EXECUTION = 1u << 1, /* cannot change a figure (paths, threads, verbosity): it stands
                                       in no report, fingerprint or resume check */
    PIE_OPTION_SECRET = 1u << 2     /* never printed, recorded or accepted by --set */
};

typedef struct pie_option {
    const char *name;     /* key in the plugin's config group; [a-z][a-z0-9_]* */
    int32_t type;         /* PIE_OPTION_BOOL .. */
    uint32_t flags;       /* PIE_OPTION_REQUIRED .. */
    const char *fallback; /* default as one would write it in the config file: "true", "1.10",
                             "[ \"-O3\" ]"; NULL = unset (numbers 0, strings NULL, lists empty) */
    const char *help;     /* one line */
    const char *choices;  /* for strings: "tokens|exact|pie"; NULL = any */
    double min, max;      /* for numbers; both 0 = any */
} pie_option;

/* Something that a plugin needs on the machine. pie checks it and prints @hint; the plugin still
 * lists, as unavailable, with the reason. */
enum { PIE_NEEDS_PROGRAM = 1 /* found on PATH */, PIE_NEEDS_FILE = 2 /* a readable path */ };
typedef struct pie_requirement {
    int32_t type;     /* PIE_NEEDS_PROGRAM .. ; 0 ends the list */
    const char *name; /* "clang++" */
    const char *hint; /* "apt-get install clang" */
} pie_requirement;

/* ---- host ---------------------------------------------------------------------------------- */

/* Services lent to an instance, from create() until destroy() returns.
 *
 * get_*: value of the option @key of this plugin's config group, or its default. A key that is not
 * in the plugin's own schema, or is of another type: PIE_ERR_CONFIG, logged. An unset option
 * without default yields 0, NULL or an empty list and PIE_OK. Strings and lists are borrowed until
 * destroy(). All [any-thread]. */
typedef struct pie_host pie_host;
struct pie_host {
    void *host_data; /* the host's own */
    /* @text is one line without newline; copied before the call returns. [any-thread] */
    void (*log)(const pie_host *host, int32_t level, const char *text);
    pie_status (*get_bool)(const pie_host *host, const char *key, int32_t *ret);
    pie_status (*get_int)(const pie_host *host, const char *key, int64_t *ret);
    pie_status (*get_float)(const pie_host *host, const char *key, double *ret);
    pie_status (*get_string)(const pie_host *host, const char *key,
                             const char **ret); /* and PATH */
    pie_status (*get_strings)(const pie_host *host, const char *key, const char *const **ret_items,
                              size_t *ret_n); /* STRING_LIST, PATH_LIST */
    pie_status (*get_floats)(const pie_host *host, const char *key, const double **ret_items,
                             size_t *ret_n);
    /* A further interface of the host by "name/revision"; NULL if the host has none of it. */
    const void *(*query)(const pie_host *host, const char *interface_id);
};

/* ---- plugin and module --------------------------------------------------------------------- */

#define PIE_KIND_COMPILER "pie.compiler/1"
#define PIE_KIND_UARCH "pie.uarch/1"
#define PIE_KIND_METRIC "pie.metric/1"
#define PIE_KIND_BACKEND "pie.backend/1"
#define PIE_KIND_PROMPT "pie.prompt/1"

/* One plugin: constant data only. Every string is UTF-8 without control characters. */
typedef struct pie_plugin {
    const char *kind;          /* which table @ops is, with its revision: PIE_KIND_METRIC */
    const char *id;            /* unique within its kind, reverse DNS: "org.pie.speedup"; the last
                                  component is the short name used in config files */
    const char *version;       /* the plugin's own: "1.4.0"; part of fingerprints */
    const char *summary;       /* one sentence, printed by `pie plugin list` */
    const char *licence;       /* SPDX: "MIT" */
    const pie_option *options; /* ended by an entry with name NULL; NULL = takes none */
    const pie_requirement *requires; /* ended by an entry with type 0; NULL = needs nothing */
    const void *ops;                 /* pie_compiler_ops, pie_uarch_ops, ... by @kind */
} pie_plugin;

typedef struct pie_module {
    uint32_t magic;                   /* PIE_ABI_MAGIC */
    uint16_t abi_major, abi_minor;    /* what the module was compiled against */
    const pie_plugin *const *plugins; /* ended by NULL */
} pie_module;

#define PIE_MODULE_SYMBOL "pie_module_entry"

/* Last line of a module: PIE_MODULE(&my_plugin, &my_other_plugin); */
#ifdef __cplusplus
#define PIE_MODULE(...)                                                                  \
    static const pie_plugin *const pie_module_plugins_[] = {__VA_ARGS__, nullptr};       \
    extern "C" __attribute__((visibility("default"))) const pie_module pie_module_entry; \
    const pie_module pie_module_entry = {PIE_ABI_MAGIC, PIE_ABI_MAJOR, PIE_ABI_MINOR,    \
                                         pie_module_plugins_}
}
#else
#define PIE_MODULE(...)                                                               \
    extern __attribute__((visibility("default"))) const pie_module pie_module_entry;  \
    const pie_module pie_module_entry = {PIE_ABI_MAGIC, PIE_ABI_MAJOR, PIE_ABI_MINOR, \
                                         (const pie_plugin *const[]){__VA_ARGS__, NULL}}
#endif

#endif
