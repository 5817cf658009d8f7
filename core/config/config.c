/* config.c - see config.h. The schema of the core's own groups stands here, as option tables like
 * those of plugins. */
#include "config/config.h"

#include "base/buf.h"
#include "base/file.h"
#include "config/tree.h"
#include "config/values.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the schema ---- */

enum {
    /* What a run generates with, not what it measures: stays out of fingerprints, as those let two
     * language models compare. Ours alone: no plugin option carries it. */
    GENERATION = 1u << 16
};

static const pie_option top_options[] = {
    {.name = "time",
     .type = PIE_OPTION_STRING,
     .fallback = "user",
     .choices = "user|total",
     .help =
         "cycles that metrics see: user mode, or with what the operating system is charged for"},
    {.name = "plugins",
     .type = PIE_OPTION_PATH_LIST,
     .flags = PIE_OPTION_EXECUTION,
     .help = "further folders to look for plugins in"},
    {.name = NULL}};

static const pie_option dataset_options[] = {
    {.name = "path",
     .type = PIE_OPTION_PATH,
     .flags = PIE_OPTION_EXECUTION,
     .help = "JSONL file with a row per slow program; its content is part of the fingerprint"},
    {.name = "tests",
     .type = PIE_OPTION_PATH,
     .flags = PIE_OPTION_EXECUTION,
     .help = "folder with PROBLEM/input.N.txt and output.N.txt"},
    {.name = "check",
     .type = PIE_OPTION_STRING,
     .fallback = "tokens",
     .choices = "tokens|exact|pie|program",
     .help = "how output is compared with the expected one"},
    {.name = "tolerance",
     .type = PIE_OPTION_FLOAT,
     .fallback = "0",
     .min = 0,
     .max = INFINITY,
     .help = "difference allowed between numbers, absolute or relative (check = \"tokens\")"},
    {.name = "checker",
     .type = PIE_OPTION_PATH,
     .flags = PIE_OPTION_EXECUTION,
     .help = "program, or source of one, that decides (check = \"program\")"},
    {.name = NULL}};

static const pie_option prompt_options[] = {
    {.name = "plugin",
     .type = PIE_OPTION_STRING,
     .fallback = "instruction",
     .help = "strategy that turns a problem into questions"},
    {.name = NULL}};

static const pie_option sampling_options[] = {
    {.name = "temperature", .type = PIE_OPTION_FLOAT, .min = 0, .max = 100, .help = "of sampling"},
    {.name = "top_p", .type = PIE_OPTION_FLOAT, .min = 0, .max = 1, .help = "nucleus sampling"},
    {.name = "top_k",
     .type = PIE_OPTION_INT,
     .min = 0,
     .max = 1e9,
     .help = "most likely tokens kept"},
    {.name = "min_p",
     .type = PIE_OPTION_FLOAT,
     .min = 0,
     .max = 1,
     .help = "tokens less likely than this share of the likeliest are dropped"},
    {.name = "max_tokens", .type = PIE_OPTION_INT, .min = 1, .max = 1e9, .help = "of one answer"},
    {.name = "seed", .type = PIE_OPTION_INT, .help = "of the backend's sampling"},
    {.name = "stop", .type = PIE_OPTION_STRING_LIST, .help = "strings that end an answer"},
    {.name = NULL}};

static const pie_option backend_options[] = {
    {.name = "plugin",
     .type = PIE_OPTION_STRING,
     .flags = PIE_OPTION_REQUIRED,
     .help = "what serves the answers of the language model"},
    {.name = "samples",
     .type = PIE_OPTION_INT,
     .fallback = "1",
     .min = 1,
     .max = 1e6,
     .help = "answers per row of the dataset"},
    {.name = NULL}};

static const pie_option compiler_options[] = {
    {.name = "plugin", .type = PIE_OPTION_STRING, .fallback = "gcc", .help = "the compiler"},
    {.name = "language",
     .type = PIE_OPTION_STRING,
     .fallback = "c++",
     .choices = "c++|c|row",
     .help = "what sources are compiled as; row: as the dataset says"},
    {.name = NULL}};

static const pie_option uarch_options[] = {{.name = "plugin",
                                            .type = PIE_OPTION_STRING,
                                            .fallback = PIE_DEFAULT_UARCH,
                                            .help = "the CPU model"},
                                           {.name = NULL}};

static const pie_option metric_options[] = {{.name = "plugin",
                                             .type = PIE_OPTION_STRING,
                                             .flags = PIE_OPTION_REQUIRED,
                                             .help = "the metric"},
                                            {.name = NULL}};

static const pie_option limits_options[] = {
    {.name = "instructions",
     .type = PIE_OPTION_INT,
     .fallback = "10000000000",
     .min = 1,
     .max = 1e18,
     .help = "retired by one run of one program"},
    {.name = "memory",
     .type = PIE_OPTION_INT,
     .fallback = "1073741824",
     .min = 1 << 20,
     .max = 1e15,
     .help = "bytes of address space of one run"},
    {.name = "output",
     .type = PIE_OPTION_INT,
     .fallback = "67108864",
     .min = 1,
     .max = 1e12,
     .help = "bytes written by one run"},
    {.name = "stack",
     .type = PIE_OPTION_INT,
     .fallback = "67108864",
     .min = 1 << 16,
     .max = 1e12,
     .help = "bytes of stack of one run"},
    {.name = "cycles_ratio",
     .type = PIE_OPTION_FLOAT,
     .fallback = "3.0",
     .min = 0,
     .max = 1e9,
     .help = "answers are timed up to so many times the cycles of the slow program; 0: always to "
             "the end"},
    {.name = "compile_seconds",
     .type = PIE_OPTION_FLOAT,
     .fallback = "60.0",
     .min = 0.1,
     .max = 1e6,
     .help = "wall-clock time of one compilation, the last resort"},
    {.name = "compile_memory",
     .type = PIE_OPTION_INT,
     .fallback = "4294967296",
     .min = 1 << 24,
     .max = 1e15,
     .help = "bytes of address space of one process of a compilation"},
    {.name = "compile_output",
     .type = PIE_OPTION_INT,
     .fallback = "268435456",
     .min = 1 << 16,
     .max = 1e15,
     .help = "bytes of any one file that a compilation writes"},
    {.name = NULL}};

static const pie_option run_options[] = {
    {.name = "jobs",
     .type = PIE_OPTION_INT,
     .flags = PIE_OPTION_EXECUTION,
     .fallback = "0",
     .min = 0,
     .max = 4096,
     .help = "worker processes; 0: as many as there are processors"},
    {.name = "scratch",
     .type = PIE_OPTION_PATH,
     .flags = PIE_OPTION_EXECUTION,
     .help = "folder for temporary files; unset: the system's"},
    {.name = "seed",
     .type = PIE_OPTION_INT,
     .flags = GENERATION,
     .fallback = "0",
     .help = "of all choices that prompts make at random"},
    {.name = NULL}};

typedef struct group_schema {
    const char *name;
    const pie_option *options;
    const char *kind; /* of the plugin that the group names, NULL = none */
    bool measures;    /* part of fingerprints */
    bool is_optional; /* may be absent although it has required options */
} group_schema;

/* In the order of the canonical form. The metrics are a list and stand apart. */
enum { DATASET, PROMPT, SAMPLING, BACKEND, COMPILER, UARCH, METRICS, TOP, LIMITS, RUN, N_GROUPS };
static const group_schema schema[N_GROUPS] = {
    [DATASET] = {"dataset", dataset_options, NULL, true, false},
    [PROMPT] = {"prompt", prompt_options, PIE_KIND_PROMPT, false, false},
    [SAMPLING] = {"sampling", sampling_options, NULL, false, false},
    [BACKEND] = {"backend", backend_options, PIE_KIND_BACKEND, false, true},
    [COMPILER] = {"compiler", compiler_options, PIE_KIND_COMPILER, true, false},
    [UARCH] = {"uarch", uarch_options, PIE_KIND_UARCH, true, false},
    [METRICS] = {"metrics", metric_options, PIE_KIND_METRIC, false, false},
    [TOP] = {"", top_options, NULL, true, false},
    [LIMITS] = {"limits", limits_options, NULL, true, false},
    [RUN] = {"run", run_options, NULL, true, false},
};

static const char default_metrics[] = "( { plugin = \"optimized\"; threshold = 1.10; }, { plugin = "
                                      "\"speedup\"; }, { plugin = \"correct\"; } )";

/* Written by pie_config_text: what the relative paths of the text are relative to. */
static const char base_key[] = "base";

/* ---- a checked config ---- */

/* A group that names a plugin. */
typedef struct section {
    pie_settings *core, *own; /* own: NULL when no plugin is named */
    pie_choice choice;
} section;

struct pie_config {
    section groups[N_GROUPS]; /* [METRICS] unused */
    section *metrics;
    size_t n_metrics;
    char *folder; /* what recorded paths are relative to */
};

typedef struct loader {
    const pie_config_source *source;
    const pie_registry *registry;
    const pie_log *log;
    pie_tree *tree;
    pie_config *config;
    pie_status status; /* the first serious one */
    bool moved;        /* `base` was given */
} loader;

/* Note a failure and go on, so that all problems are reported. PIE_ERR_NOMEM stops; a mistake of
 * the user counts more than what is installed. */
static void fail(loader *load, pie_status status)
{
    if (status == PIE_OK || load->status == PIE_ERR_NOMEM)
        return;
    if (load->status == PIE_OK || status == PIE_ERR_NOMEM || status == PIE_ERR_CONFIG)
        load->status = status;
}

static void place_of(const loader *load, const config_setting_t *setting, pie_place *ret_place)
{
    pie_tree_place(load->tree, setting, ret_place);
    if (load->moved && !ret_place->raw &&
        strcmp(ret_place->folder, pie_tree_folder(load->tree)) == 0)
        ret_place->folder = load->config->folder;
}

/* "WHERE: no KEY in GROUP" with the nearest of the names in the tables. */
static void refuse_unknown(loader *load, const char *where, const char *group, const char *name,
                           const pie_option *core, const pie_option *own)
{
    enum { MAX_NAMES = 400 };
    const char *names[MAX_NAMES + 1];
    size_t n = 0;
    if (!group)
        for (size_t i = 0; i < N_GROUPS; i++)
            if (schema[i].name[0])
                names[n++] = schema[i].name;
    for (; core && core->name && n < MAX_NAMES; core++)
        names[n++] = core->name;
    for (; own && own->name && n < MAX_NAMES; own++)
        names[n++] = own->name;
    names[n] = NULL;
    const char *near = pie_nearest_name(name, names);
    pie_buf list = {0};
    for (size_t i = 0; !near && i < n; i++)
        if (pie_buf_printf(&list, "%s%s", i ? ", " : "", names[i]) != PIE_OK)
            fail(load, PIE_ERR_NOMEM);
    if (near)
        pie_log_error(load->log, "%s: unknown key '%s'%s%s (did you mean '%s'?)", where, name,
                      group ? " in " : "", group ? group : "", near);
    else
        pie_log_error(load->log, "%s: unknown key '%s'%s%s; there %s %s", where, name,
                      group ? " in " : "", group ? group : "", n == 1 ? "is" : "are",
                      n ? pie_buf_text(&list) : "none");
    pie_buf_free(&list);
    fail(load, PIE_ERR_CONFIG);
}

/* Every member of @group into one of the two settings. */
static void assign_members(loader *load, const config_setting_t *group, const char *name,
                           pie_settings *core, const pie_option *core_options, pie_settings *own,
                           const pie_option *own_options)
{
    for (int i = 0; group && i < config_setting_length(group); i++) {
        const config_setting_t *member = config_setting_get_elem(group, (unsigned)i);
        const char *key = config_setting_name(member);
        pie_place place;
        place_of(load, member, &place);
        const pie_option *option = pie_option_find(core_options, key);
        const bool is_own = !option && own_options;
        if (is_own)
            option = pie_option_find(own_options, key);
        if (option)
            fail(load, pie_settings_assign(is_own ? own : core, option, member, &place,
                                           load->config->folder, load->log));
        else
            refuse_unknown(load, place.where, name, key, core_options, own_options);
    }
}

/* Settings and plugin of one group; @setting NULL: not written. @name for messages. */
static void load_part(loader *load, const group_schema *group, const char *name,
                      const config_setting_t *setting, bool with_plugin, section *ret_part)
{
    pie_place place = {.where = "default"};
    if (setting)
        place_of(load, setting, &place);
    if (setting && config_setting_type(setting) != CONFIG_TYPE_GROUP) {
        pie_log_error(load->log, "%s: %s must be a group, { key = value; }", place.where, name);
        fail(load, PIE_ERR_CONFIG);
        setting = NULL;
    }
    const pie_status made = pie_settings_new(group->options, "", &ret_part->core);
    if (made != PIE_OK) {
        fail(load, made);
        return;
    }
    const pie_plugin_info *info = NULL;
    if (group->kind && with_plugin) {
        /* the plugin's name first: it decides which other keys there are */
        const config_setting_t *chosen =
            setting ? config_setting_get_member(setting, "plugin") : NULL;
        const pie_option *option = pie_option_find(group->options, "plugin");
        pie_place at = place;
        pie_status status = PIE_OK;
        if (chosen) {
            place_of(load, chosen, &at);
            status = pie_settings_assign(ret_part->core, option, chosen, &at, load->config->folder,
                                         load->log);
        }
        const char *plugin =
            status == PIE_OK ? pie_settings_string(ret_part->core, "plugin") : NULL;
        if (plugin) {
            status = pie_registry_lookup(load->registry, group->kind, plugin, at.where, &info);
            if (status == PIE_OK && info->unavailable && !load->source->read_only) {
                pie_log_error(load->log, "%s: %s cannot be used here: %s", at.where, info->id,
                              info->unavailable);
                status = PIE_ERR_UNAVAILABLE;
            }
        }
        if (!plugin && status == PIE_OK)
            pie_settings_complete(ret_part->core, name, place.where, load->log);
        fail(load, plugin || status != PIE_OK ? status : PIE_ERR_CONFIG);
        if (!info)
            return; /* which keys are valid is unknown */
        fail(load,
             pie_settings_new(info->options, info->folder ? info->folder : "", &ret_part->own));
        if (!ret_part->own)
            return;
    }
    assign_members(load, setting, name, ret_part->core, group->options, ret_part->own,
                   info ? info->options : NULL);
    if (setting || !group->is_optional)
        fail(load, pie_settings_complete(ret_part->core, name, place.where, load->log));
    if (info) {
        fail(load, pie_settings_complete(ret_part->own, name, place.where, load->log));
        ret_part->choice = (pie_choice){info, ret_part->own};
    }
}

static void load_metrics(loader *load, const config_setting_t *setting)
{
    pie_place place = {.where = "default"};
    if (!setting)
        return;
    place_of(load, setting, &place);
    if (config_setting_type(setting) != CONFIG_TYPE_LIST) {
        pie_log_error(load->log,
                      "%s: metrics must be a list of groups, ( { plugin = \"...\"; }, ... )",
                      place.where);
        fail(load, PIE_ERR_CONFIG);
        return;
    }
    const size_t n = (size_t)config_setting_length(setting);
    load->config->metrics = calloc(n ? n : 1, sizeof *load->config->metrics);
    if (!load->config->metrics) {
        fail(load, PIE_ERR_NOMEM);
        return;
    }
    load->config->n_metrics = n;
    for (size_t i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, "metrics.%zu", i);
        load_part(load, &schema[METRICS], name, config_setting_get_elem(setting, (unsigned)i), true,
                  &load->config->metrics[i]);
    }
}

/* What recorded paths are relative to. */
static void find_folder(loader *load)
{
    const config_setting_t *base = config_setting_get_member(pie_tree_root(load->tree), base_key);
    const char *folder = pie_tree_folder(load->tree);
    if (base) {
        const char *text = config_setting_get_string(base);
        if (text && *text == '/') {
            folder = text;
            load->moved = true;
        } else {
            pie_place place;
            pie_tree_place(load->tree, base, &place);
            pie_log_error(load->log, "%s: %s must be an absolute path (a string)", place.where,
                          base_key);
            fail(load, PIE_ERR_CONFIG);
        }
    }
    load->config->folder = strdup(folder);
    if (!load->config->folder)
        fail(load, PIE_ERR_NOMEM);
}

static void load_top(loader *load, const config_setting_t *root)
{
    section *top = &load->config->groups[TOP];
    fail(load, pie_settings_new(top_options, "", &top->core));
    for (int i = 0; top->core && i < config_setting_length(root); i++) {
        const config_setting_t *member = config_setting_get_elem(root, (unsigned)i);
        const char *name = config_setting_name(member);
        bool is_group = strcmp(name, base_key) == 0;
        for (size_t g = 0; g < N_GROUPS; g++)
            is_group = is_group || strcmp(schema[g].name, name) == 0;
        if (is_group)
            continue;
        pie_place place;
        place_of(load, member, &place);
        const pie_option *option = pie_option_find(top_options, name);
        if (option)
            fail(load, pie_settings_assign(top->core, option, member, &place, load->config->folder,
                                           load->log));
        else
            refuse_unknown(load, place.where, NULL, name, top_options, NULL);
    }
}

/* Text and --set into load->tree; the default metrics are written out where they may be changed. */
static void load_tree(loader *load)
{
    const pie_config_source *source = load->source;
    fail(load, pie_tree_load(source->path, source->text, load->log, &load->tree));
    bool with_metrics = source->need_backend;
    for (const char *const *set = source->sets; set && *set; set++)
        with_metrics = with_metrics || strncmp(*set, "metrics.", 8) == 0;
    if (load->tree && with_metrics)
        fail(load, pie_tree_set_default(load->tree, schema[METRICS].name, default_metrics));
    for (const char *const *set = source->sets; load->tree && set && *set; set++)
        fail(load, pie_tree_set(load->tree, *set, load->log));
}

/* Without a run over a dataset, the group may hold no more than the check. */
static void check_dataset(loader *load, const config_setting_t *group)
{
    static const char *const needed[] = {"path", "tests"};
    const pie_settings *dataset = load->config->groups[DATASET].core;
    pie_place place;
    if (!dataset || !group || !load->source->need_dataset)
        return;
    place_of(load, group, &place);
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        const pie_setting *setting = pie_settings_get(dataset, needed[i]);
        if (setting->is_set)
            continue;
        pie_log_error(load->log, "%s: dataset.%s is missing: %s", place.where, needed[i],
                      setting->option->help);
        fail(load, PIE_ERR_CONFIG);
    }
}

/* Checks that need more than one key. */
static void check_together(loader *load)
{
    const pie_settings *dataset = load->config->groups[DATASET].core;
    if (!dataset || load->status == PIE_ERR_NOMEM)
        return;
    const pie_setting *check = pie_settings_get(dataset, "check");
    const pie_setting *checker = pie_settings_get(dataset, "checker");
    const pie_setting *tolerance = pie_settings_get(dataset, "tolerance");
    const bool by_program = strcmp(check->string, "program") == 0;
    if (by_program && !checker->is_set) {
        pie_log_error(load->log,
                      "%s: check = \"program\" needs dataset.checker, the program that decides",
                      check->where);
        fail(load, PIE_ERR_CONFIG);
    }
    if (!by_program && checker->is_set) {
        pie_log_error(load->log, "%s: checker has no effect without check = \"program\"",
                      checker->where);
        fail(load, PIE_ERR_CONFIG);
    }
    if (strcmp(check->string, "tokens") != 0 && tolerance->number > 0) {
        pie_log_error(load->log, "%s: tolerance has an effect with check = \"tokens\" only",
                      tolerance->where);
        fail(load, PIE_ERR_CONFIG);
    }
}

pie_status pie_config_load(const pie_config_source *source, const pie_registry *registry,
                           const pie_log *log, pie_config **ret_config)
{
    loader load = {.source = source, .registry = registry, .log = log};
    load_tree(&load);
    if (!load.tree)
        return load.status;
    load.config = calloc(1, sizeof *load.config);
    if (!load.config)
        load.status = PIE_ERR_NOMEM;
    else
        find_folder(&load);
    const config_setting_t *root = pie_tree_root(load.tree);
    if (load.config && load.config->folder) {
        load_top(&load, root);
        for (int i = 0; i < N_GROUPS; i++) {
            const config_setting_t *setting =
                i == TOP ? NULL : config_setting_get_member(root, schema[i].name);
            const bool needed =
                (i == DATASET && source->need_dataset) || (i == BACKEND && source->need_backend);
            if (!setting && needed) {
                pie_log_error(log, "%s: the group '%s' is missing",
                              source->path ? source->path : "config", schema[i].name);
                fail(&load, PIE_ERR_CONFIG);
            }
            if (i == METRICS)
                load_metrics(&load, setting);
            else if (i != TOP) {
                /* without a run nobody is asked: no need to have what would ask */
                const bool with_plugin =
                    setting || i == COMPILER || i == UARCH || (i == PROMPT && source->need_backend);
                load_part(&load, &schema[i], schema[i].name, setting, with_plugin,
                          &load.config->groups[i]);
            }
        }
        check_dataset(&load, config_setting_get_member(root, schema[DATASET].name));
        check_together(&load);
    }
    if (load.status == PIE_ERR_NOMEM)
        pie_log_nomem(log);
    if (load.status == PIE_OK)
        *ret_config = load.config;
    else
        pie_config_free(load.config);
    pie_tree_free(load.tree);
    return load.status;
}

pie_status pie_config_add_plugin_folders(const pie_config_source *source, pie_registry *registry,
                                         const pie_log *log)
{
    /* all complaints but those about folders come from pie_config_load */
    loader load = {.source = source, .registry = registry, .log = &pie_log_none};
    load_tree(&load);
    if (!load.tree)
        return PIE_OK;
    pie_config config = {0};
    load.config = &config;
    find_folder(&load);
    if (config.folder)
        load_top(&load, pie_tree_root(load.tree));
    pie_status status = load.status == PIE_ERR_NOMEM ? pie_log_nomem(log) : PIE_OK;
    const pie_settings *top = config.groups[TOP].core;
    const pie_setting *plugins = top ? pie_settings_get(top, "plugins") : NULL;
    for (size_t i = 0; plugins && status == PIE_OK && i < plugins->n; i++)
        status = pie_registry_add_folder(registry, plugins->strings[i], true);
    if (status == PIE_OK && plugins && plugins->n)
        status = pie_registry_scan(registry);
    pie_settings_free(config.groups[TOP].core);
    free(config.folder);
    pie_tree_free(load.tree);
    return status;
}

static void part_free(section *part)
{
    pie_settings_free(part->core);
    pie_settings_free(part->own);
}

void pie_config_free(pie_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < N_GROUPS; i++)
        part_free(&config->groups[i]);
    for (size_t i = 0; i < config->n_metrics; i++)
        part_free(&config->metrics[i]);
    free(config->metrics);
    free(config->folder);
    free(config);
}

/* ---- reading ---- */

const pie_settings *pie_config_group(const pie_config *config, const char *group)
{
    for (size_t i = 0; i < N_GROUPS; i++)
        if (i != METRICS && strcmp(schema[i].name, group) == 0)
            return config->groups[i].core;
    assert(false);
    return NULL;
}

const pie_settings *pie_config_plugin_group(const pie_config *config, const char *group)
{
    return pie_config_group(config, group);
}

static const pie_choice *choice_of(const section *part)
{
    return part->choice.info ? &part->choice : NULL;
}

const pie_choice *pie_config_compiler(const pie_config *config)
{
    return choice_of(&config->groups[COMPILER]);
}

const pie_choice *pie_config_uarch(const pie_config *config)
{
    return choice_of(&config->groups[UARCH]);
}

const pie_choice *pie_config_backend(const pie_config *config)
{
    return choice_of(&config->groups[BACKEND]);
}

const pie_choice *pie_config_prompt(const pie_config *config)
{
    return choice_of(&config->groups[PROMPT]);
}

size_t pie_config_n_metrics(const pie_config *config)
{
    return config->n_metrics;
}

const pie_choice *pie_config_metric(const pie_config *config, size_t i)
{
    return i < config->n_metrics ? choice_of(&config->metrics[i]) : NULL;
}

/* ---- canonical form ---- */

/* {"plugin", "version", ("engine", "engine_version",) core options, own options} */
static json_t *part_json(const section *part, int32_t which)
{
    const bool all = which == PIE_CONFIG_ALL;
    const pie_plugin_info *info = part->choice.info;
    json_t *object = json_object();
    json_t *core = part->core ? pie_settings_json(part->core, all) : json_object();
    json_t *own = part->own ? pie_settings_json(part->own, all) : json_object();
    bool good = object && core && own;
    if (good && info) {
        good = json_object_set_new(object, "plugin", json_string(info->id)) == 0 &&
               json_object_set_new(object, "version", json_string(info->version)) == 0;
        if (good && info->engine)
            good = json_object_set_new(object, "engine", json_string(info->engine->id)) == 0 &&
                   json_object_set_new(object, "engine_version",
                                       json_string(info->engine->version)) == 0;
        json_object_del(core, "plugin");
    }
    const pie_option *options = run_options; /* the only group with options of this kind */
    for (; good && which == PIE_CONFIG_FINGERPRINT && options->name; options++)
        if (options->flags & GENERATION)
            json_object_del(core, options->name);
    good = good && json_object_update(object, core) == 0 && json_object_update(object, own) == 0;
    json_decref(core);
    json_decref(own);
    if (!good) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* A group that is not there at all: nobody will be asked. */
static bool is_absent(const pie_config *config, int group)
{
    return schema[group].kind && !config->groups[group].choice.info;
}

json_t *pie_config_json(const pie_config *config, int32_t which)
{
    json_t *object = json_object();
    bool good = object != NULL;
    for (int i = 0; good && i < N_GROUPS; i++) {
        if (which == PIE_CONFIG_FINGERPRINT && !schema[i].measures)
            continue;
        if (i == METRICS) {
            json_t *list = json_array();
            for (size_t k = 0; list && good && k < config->n_metrics; k++)
                good = json_array_append_new(list, part_json(&config->metrics[k], which)) == 0;
            good = json_object_set_new(object, schema[i].name, list) == 0 && good;
        } else if (i == TOP) {
            json_t *top = part_json(&config->groups[i], which);
            good = top && json_object_update(object, top) == 0;
            json_decref(top);
        } else if (!is_absent(config, i))
            good = json_object_set_new(object, schema[i].name,
                                       part_json(&config->groups[i], which)) == 0;
    }
    if (!good) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static pie_status part_text(const section *part, const char *indent, pie_buf *out)
{
    const pie_plugin_info *info = part->choice.info;
    pie_status status = PIE_OK;
    if (info)
        status = pie_buf_printf(out, "%splugin = \"%s\"; # %s\n", indent, info->id, info->version);
    if (status == PIE_OK && part->core)
        status = pie_settings_text(part->core, indent, info ? "plugin" : NULL, out);
    if (status == PIE_OK && part->own)
        status = pie_settings_text(part->own, indent, NULL, out);
    return status;
}

/* The text may be loaded from another folder, so it says what its relative paths belong to. */
static pie_status base_text(const pie_config *config, pie_buf *out)
{
    char *folder = pie_path_absolute("", *config->folder ? config->folder : ".");
    pie_status status = folder ? pie_buf_printf(out, "%s = ", base_key) : PIE_ERR_NOMEM;
    if (status == PIE_OK)
        status = pie_text_quote(folder, out);
    free(folder);
    return status == PIE_OK ? pie_buf_puts(out, ";\n") : status;
}

char *pie_config_text(const pie_config *config)
{
    pie_buf out = {0};
    pie_status status = base_text(config, &out);
    for (int i = 0; status == PIE_OK && i < N_GROUPS; i++) {
        if (i == TOP)
            status = part_text(&config->groups[i], "", &out);
        else if (i == METRICS) {
            status = pie_buf_puts(&out, "metrics = (");
            for (size_t k = 0; status == PIE_OK && k < config->n_metrics; k++) {
                status = pie_buf_puts(&out, k ? ", {\n" : "{\n");
                if (status == PIE_OK)
                    status = part_text(&config->metrics[k], "    ", &out);
                if (status == PIE_OK)
                    status = pie_buf_puts(&out, "}");
            }
            if (status == PIE_OK)
                status = pie_buf_puts(&out, ");\n");
        } else if (!is_absent(config, i)) {
            status = pie_buf_printf(&out, "%s = {\n", schema[i].name);
            if (status == PIE_OK)
                status = part_text(&config->groups[i], "    ", &out);
            if (status == PIE_OK)
                status = pie_buf_puts(&out, "};\n");
        }
    }
    if (status == PIE_OK)
        return pie_buf_steal(&out);
    pie_buf_free(&out);
    return NULL;
}
