/* registry.c - see registry.h. Everything known about a plugin stays in the JSON that the probe
 * sent; the infos borrow from it. */
#include "registry/registry.h"

#include "base/buf.h"
#include "base/file.h"
#include "config/tree.h"
#include "config/values.h"
#include "pie/uarch.h"
#include "registry/module.h"
#include "registry/probe.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef PIE_INSTALLED_PLUGINS
#define PIE_INSTALLED_PLUGINS "../lib/pie/plugins" /* from the folder of the executable */
#endif

enum {
    LOAD_TIMEOUT_MS = 10000,
    MAX_ENTRIES = 4096, /* of one folder: more is no plugin folder but a mistake */
    MODULE_DEPTH = 1,   /* folders below a plugin folder where modules are looked for */
    MODEL_DEPTH = 2     /* same for model.cfg */
};

typedef struct entry {
    pie_plugin_info info;
    json_t *data;        /* what info borrows from */
    pie_option *options; /* what info->options is */
    pie_requirement *requires;
    char *path, *folder, *unavailable;
    const struct entry *twin; /* another file with the same kind and id */
} entry;

typedef struct candidate {
    char *path;
    dev_t device;
    ino_t inode;
    bool is_model, is_read;
} candidate;

typedef struct note {
    char *path, *text;
} note;

struct pie_registry {
    const pie_log *log;
    candidate *files;
    size_t n_files;
    entry **entries; /* by kind, id, path once scanned */
    size_t n_entries;
    note *notes;
    size_t n_notes;
};

pie_status pie_registry_new(const pie_log *log, pie_registry **ret_registry)
{
    pie_registry *registry = calloc(1, sizeof *registry);
    if (!registry)
        return pie_log_nomem(log);
    registry->log = log;
    *ret_registry = registry;
    return PIE_OK;
}

static void entry_free(entry *entry_)
{
    if (!entry_)
        return;
    json_decref(entry_->data);
    free(entry_->options);
    free(entry_->requires);
    free(entry_->path);
    free(entry_->folder);
    free(entry_->unavailable);
    free(entry_);
}

void pie_registry_free(pie_registry *registry)
{
    if (!registry)
        return;
    for (size_t i = 0; i < registry->n_files; i++)
        free(registry->files[i].path);
    for (size_t i = 0; i < registry->n_entries; i++)
        entry_free(registry->entries[i]);
    for (size_t i = 0; i < registry->n_notes; i++) {
        free(registry->notes[i].path);
        free(registry->notes[i].text);
    }
    free(registry->files);
    free(registry->entries);
    free(registry->notes);
    free(registry);
}

/* @text is taken over; NULL: out of memory. */
static pie_status add_note(pie_registry *registry, const char *path, char *text)
{
    char *copy = strdup(path);
    note *more = realloc(registry->notes, (registry->n_notes + 1) * sizeof *more);
    if (more)
        registry->notes = more;
    if (!more || !copy || !text) {
        free(copy);
        free(text);
        return PIE_ERR_NOMEM;
    }
    more[registry->n_notes++] = (note){copy, text};
    return PIE_OK;
}

/* ---- finding files ---- */

static pie_status add_file(pie_registry *registry, const char *path, const struct stat *info,
                           bool is_model)
{
    for (size_t i = 0; i < registry->n_files; i++)
        if (registry->files[i].device == info->st_dev && registry->files[i].inode == info->st_ino)
            return PIE_OK; /* the same file by another way */
    candidate *more = realloc(registry->files, (registry->n_files + 1) * sizeof *more);
    if (!more)
        return PIE_ERR_NOMEM;
    registry->files = more;
    char *copy = strdup(path);
    if (!copy)
        return PIE_ERR_NOMEM;
    more[registry->n_files++] = (candidate){copy, info->st_dev, info->st_ino, is_model, false};
    return PIE_OK;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

static int is_visible(const struct dirent *entry_)
{
    return entry_->d_name[0] != '.';
}

/* Order of bytes, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static pie_status look_into(pie_registry *registry, const char *folder, int depth)
{
    struct dirent **found = NULL;
    pie_status status = PIE_OK;
    const int n = scandir(folder, &found, is_visible, by_name);
    if (n < 0) {
        if (errno == ENOMEM)
            return PIE_ERR_NOMEM;
        return add_note(registry, folder, pie_strf("%s: %s", folder, strerror(errno)));
    }
    if (n > MAX_ENTRIES)
        status =
            add_note(registry, folder,
                     pie_strf("%s: not searched: more than %d entries are too many for a folder of "
                              "plugins",
                              folder, MAX_ENTRIES));
    for (int i = 0; i < n; i++) {
        const char *name = found[i]->d_name;
        char *path = status == PIE_OK && n <= MAX_ENTRIES ? pie_path_join(folder, name) : NULL;
        struct stat info;
        if (path && stat(path, &info) == 0) {
            const bool is_model = strcmp(name, "model.cfg") == 0;
            if (S_ISDIR(info.st_mode)) {
                if (depth < MODEL_DEPTH)
                    status = look_into(registry, path, depth + 1);
            } else if (is_model || (depth <= MODULE_DEPTH && ends_with(name, ".so")))
                status = add_file(registry, path, &info, is_model);
        } else if (!path && status == PIE_OK && n <= MAX_ENTRIES)
            status = PIE_ERR_NOMEM;
        free(path);
        free(found[i]);
    }
    free(found);
    return status;
}

pie_status pie_registry_add_folder(pie_registry *registry, const char *path, bool must_exist)
{
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        if (!must_exist)
            return PIE_OK;
        pie_log_error(registry->log, "%s: no such folder of plugins", path);
        return PIE_ERR_CONFIG;
    }
    const pie_status status = look_into(registry, path, 0);
    return status == PIE_ERR_NOMEM ? pie_log_nomem(registry->log) : status;
}

pie_status pie_registry_add_standard_folders(pie_registry *registry)
{
    static const char *const beside[] = {"plugins", PIE_INSTALLED_PLUGINS};
    pie_status status = PIE_OK;
    char *home = pie_path_of_executable();
    for (size_t i = 0; home && status == PIE_OK && i < sizeof beside / sizeof *beside; i++) {
        char *folder = pie_path_join(home, beside[i]);
        char *plain = folder ? realpath(folder, NULL) : NULL; /* without the "..", for messages */
        if (!folder)
            status = pie_log_nomem(registry->log);
        else if (plain)
            status = pie_registry_add_folder(registry, plain, false);
        free(plain);
        free(folder);
    }
    free(home);
    const char *rest = getenv("PIE_PLUGIN_PATH");
    while (rest && status == PIE_OK) {
        const size_t n = strcspn(rest, ":");
        char *folder = n ? strndup(rest, n) : NULL;
        if (n && !folder)
            status = pie_log_nomem(registry->log);
        else if (folder)
            status = pie_registry_add_folder(registry, folder, false);
        free(folder);
        rest = rest[n] == ':' ? rest + n + 1 : NULL;
    }
    return status;
}

/* ---- modules ---- */

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static double double_of(const json_t *object, const char *key)
{
    const char *text = text_of(object, key);
    return text ? strtod(text, NULL) : 0.0;
}

static pie_option *options_of(const json_t *list)
{
    const size_t n = json_array_size(list);
    pie_option *options = calloc(n + 1, sizeof *options);
    for (size_t i = 0; options && i < n; i++) {
        const json_t *item = json_array_get(list, i);
        options[i] = (pie_option){
            .name = text_of(item, "name"),
            .type = (int32_t)json_integer_value(json_object_get(item, "type")),
            .flags = (uint32_t)json_integer_value(json_object_get(item, "flags")),
            .fallback = text_of(item, "default"),
            .help = text_of(item, "help"),
            .choices = text_of(item, "choices"),
            .min = double_of(item, "min"),
            .max = double_of(item, "max"),
        };
    }
    return options;
}

static pie_requirement *requires_of(const json_t *list)
{
    const size_t n = json_array_size(list);
    pie_requirement *requires = calloc(n + 1, sizeof *requires);
    for (size_t i = 0; requires && i < n; i++) {
        const json_t *item = json_array_get(list, i);
        requires[i] =
            (pie_requirement){.type = (int32_t)json_integer_value(json_object_get(item, "type")),
                              .name = text_of(item, "name"),
                              .hint = text_of(item, "hint")};
    }
    return requires;
}

/* Why the plugin cannot work here, in fresh memory; NULL in *@ret_text: it can. */
static pie_status check_requirements(const pie_requirement *need, char **ret_text)
{
    pie_buf text = {0};
    pie_status status = PIE_OK;
    for (; need->type && status == PIE_OK; need++) {
        const bool is_program = need->type == PIE_NEEDS_PROGRAM;
        char *program = is_program ? pie_path_find_program(need->name) : NULL;
        const bool is_there = is_program ? program != NULL : access(need->name, R_OK) == 0;
        free(program);
        if (!is_there)
            status = pie_buf_printf(&text, "%s%s %s: %s", text.n ? "; " : "", need->name,
                                    is_program ? "is not on PATH" : "cannot be read", need->hint);
    }
    if (status == PIE_OK)
        *ret_text = text.n ? pie_buf_steal(&text) : NULL;
    pie_buf_free(&text);
    return status;
}

/* @entry_ is taken over, even on failure. */
static pie_status add_entry(pie_registry *registry, entry *entry_)
{
    const size_t n_bytes = (registry->n_entries + 1) * sizeof(entry *); /* NOLINT: pointers */
    entry **more = realloc(registry->entries, n_bytes);
    if (!more) {
        entry_free(entry_);
        return PIE_ERR_NOMEM;
    }
    registry->entries = more;
    more[registry->n_entries++] = entry_;
    return PIE_OK;
}

static pie_status add_plugin(pie_registry *registry, const char *path, json_t *data)
{
    entry *added = calloc(1, sizeof *added);
    if (!added)
        return PIE_ERR_NOMEM;
    added->data = json_incref(data);
    added->path = strdup(path);
    added->options = options_of(json_object_get(data, "options"));
    const char *id = text_of(data, "id");
    added->requires = requires_of(json_object_get(data, "requires"));
    pie_status status = added->path && added->options && added->requires
                            ? check_requirements(added->requires, &added->unavailable)
                            : PIE_ERR_NOMEM;
    if (status != PIE_OK) {
        entry_free(added);
        return status;
    }
    added->info = (pie_plugin_info){
        .kind = text_of(data, "kind"),
        .id = id,
        .short_name = strrchr(id, '.') + 1,
        .version = text_of(data, "version"),
        .summary = text_of(data, "summary"),
        .licence = text_of(data, "licence"),
        .path = added->path,
        .options = added->options,
        .requires = added->requires,
        .unavailable = added->unavailable,
        .deterministic = json_is_true(json_object_get(data, "deterministic")),
        .capabilities = (uint32_t)json_integer_value(json_object_get(data, "capabilities")),
        .style = (int32_t)json_integer_value(json_object_get(data, "style")),
    };
    return add_entry(registry, added);
}

typedef struct reading {
    pie_registry *registry;
    const char *const *paths;
    pie_status refused; /* the last refusal */
} reading;

static pie_status found(void *context, size_t index, json_t *module)
{
    const reading *read = context;
    size_t i;
    json_t *plugin;
    json_array_foreach(module, i, plugin)
    {
        const pie_status status = add_plugin(read->registry, read->paths[index], plugin);
        if (status != PIE_OK)
            return status;
    }
    return PIE_OK;
}

static pie_status refused(void *context, size_t index, pie_status status, const char *why)
{
    reading *read = context;
    read->refused = status;
    return add_note(read->registry, read->paths[index],
                    pie_strf("%s: %s", read->paths[index], why));
}

static pie_status read_modules(pie_registry *registry, const char *const *paths, size_t n,
                               pie_status *ret_refused)
{
    reading read = {registry, paths, PIE_OK};
    const pie_probe probe = {&read, found, refused, LOAD_TIMEOUT_MS};
    const pie_status status = pie_probe_run(&probe, paths, n);
    *ret_refused = read.refused;
    return status;
}

/* ---- models: a model.cfg over an engine ---- */

/* Collects what would be logged about a model.cfg as notes. */
typedef struct collector {
    pie_registry *registry;
    const char *path;
    pie_status status;
} collector;

static void collect(void *context, int32_t level, const char *line)
{
    collector *into = context;
    if (level <= PIE_LOG_WARNING && into->status == PIE_OK)
        into->status = add_note(into->registry, into->path, strdup(line));
}

static const char *member_text(pie_tree *tree, const char *name, const char *path,
                               const pie_log *log)
{
    const config_setting_t *member = config_setting_get_member(pie_tree_root(tree), name);
    const char *text = member ? config_setting_get_string(member) : NULL;
    pie_place place;
    if (!member) {
        pie_log_error(log, "%s: '%s' is missing", path, name);
        return NULL;
    }
    pie_tree_place(tree, member, &place);
    if (!text || !*text || strlen(text) > 512) {
        pie_log_error(log, "%s: %s must be a string (\"...\"), not empty", place.where, name);
        return NULL;
    }
    return text;
}

static bool is_model_id(const char *id)
{
    const char *dot = strrchr(id, '.');
    return strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-.") == strlen(id) && dot && dot > id &&
           dot[1] && *id != '.' && *id != '-' && !strstr(id, "..") && strlen(id) <= 128;
}

static const entry *find_entry(const pie_registry *registry, const char *kind, const char *name)
{
    for (size_t i = 0; i < registry->n_entries; i++) {
        const pie_plugin_info *info = &registry->entries[i]->info;
        if (strcmp(info->kind, kind) == 0 &&
            (strcmp(info->id, name) == 0 || strcmp(info->short_name, name) == 0) && !info->engine)
            return registry->entries[i];
    }
    return NULL;
}

/* The engine's options with the model's parameters as their defaults. The texts are kept in @data.
 */
static pie_option *model_options(const pie_plugin_info *engine, const pie_settings *settings,
                                 json_t *data)
{
    size_t n = 0;
    while (engine->options[n].name)
        n++;
    pie_option *options = calloc(n + 1, sizeof *options);
    bool good = options != NULL;
    for (size_t i = 0; good && i < n; i++) {
        options[i] = engine->options[i];
        const pie_setting *setting = pie_settings_get(settings, options[i].name);
        if (!setting->is_set || setting->is_default)
            continue;
        pie_buf text = {0};
        good = pie_setting_text(settings, setting, &text) == PIE_OK &&
               json_object_set_new(data, options[i].name, json_string(pie_buf_text(&text))) == 0;
        options[i].fallback = good ? text_of(data, options[i].name) : NULL;
        options[i].flags &= ~(uint32_t)PIE_OPTION_REQUIRED;
        pie_buf_free(&text);
    }
    if (!good) {
        free(options);
        return NULL;
    }
    return options;
}

/* Parameters of the model into @settings; the log gets what is wrong. */
static pie_status read_parameters(pie_tree *tree, const pie_plugin_info *engine,
                                  pie_settings *settings, const pie_log *log)
{
    const config_setting_t *group = config_setting_get_member(pie_tree_root(tree), "parameters");
    pie_status status = PIE_OK;
    pie_place place;
    if (!group)
        return PIE_OK;
    pie_tree_place(tree, group, &place);
    if (config_setting_type(group) != CONFIG_TYPE_GROUP) {
        pie_log_error(log, "%s: parameters must be a group, { key = value; }", place.where);
        return PIE_ERR_CONFIG;
    }
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *member = config_setting_get_elem(group, (unsigned)i);
        const char *name = config_setting_name(member);
        const pie_option *option = pie_option_find(engine->options, name);
        pie_status one = PIE_ERR_CONFIG;
        pie_tree_place(tree, member, &place);
        if (option && option->flags & PIE_OPTION_SECRET)
            pie_log_error(log, "%s: %s is a secret, which a model cannot hold", place.where, name);
        else if (option)
            one = pie_settings_assign(settings, option, member, &place, pie_tree_folder(tree), log);
        else {
            enum { MAX_NAMES = 256 };
            const char *names[MAX_NAMES + 1];
            size_t n = 0;
            for (const pie_option *at = engine->options; at->name && n < MAX_NAMES; at++)
                names[n++] = at->name;
            names[n] = NULL;
            const char *near = pie_nearest_name(name, names);
            pie_log_error(log, "%s: the engine %s has no parameter '%s'%s%s%s", place.where,
                          engine->id, name, near ? " (did you mean '" : "", near ? near : "",
                          near ? "'?)" : "");
        }
        if (one != PIE_OK)
            status = one;
    }
    return status;
}

static pie_status check_model_keys(pie_tree *tree, const pie_log *log)
{
    static const char *const known[] = {"id",     "version",    "summary", "licence",
                                        "engine", "parameters", NULL};
    const config_setting_t *root = pie_tree_root(tree);
    pie_status status = PIE_OK;
    for (int i = 0; i < config_setting_length(root); i++) {
        const config_setting_t *member = config_setting_get_elem(root, (unsigned)i);
        const char *name = config_setting_name(member);
        bool is_known = false;
        for (const char *const *at = known; *at; at++)
            is_known = is_known || strcmp(*at, name) == 0;
        if (is_known)
            continue;
        pie_place place;
        pie_tree_place(tree, member, &place);
        const char *near = pie_nearest_name(name, known);
        pie_log_error(log, "%s: unknown key '%s' in a model.cfg%s%s%s", place.where, name,
                      near ? " (did you mean '" : "; options of the engine belong into parameters",
                      near ? near : "", near ? "'?)" : "");
        status = PIE_ERR_CONFIG;
    }
    return status;
}

/* PIE_ERR_CONFIG: refused, the log has the reason. */
static pie_status read_model_tree(pie_registry *registry, const char *path, pie_tree *tree,
                                  const pie_log *log)
{
    pie_settings *settings = NULL;
    entry *added = NULL;
    pie_status status = check_model_keys(tree, log);
    const char *id = member_text(tree, "id", path, log);
    const char *version = member_text(tree, "version", path, log);
    const char *summary = member_text(tree, "summary", path, log);
    const char *engine_name = member_text(tree, "engine", path, log);
    const bool has_licence = config_setting_get_member(pie_tree_root(tree), "licence") != NULL;
    const char *licence = has_licence ? member_text(tree, "licence", path, log) : NULL;
    if (status != PIE_OK || !id || !version || !summary || !engine_name ||
        (has_licence && !licence))
        return PIE_ERR_CONFIG;
    pie_place place;
    pie_tree_place(tree, config_setting_get_member(pie_tree_root(tree), "id"), &place);
    if (!is_model_id(id)) {
        pie_log_error(log,
                      "%s: the id must be of the form \"org.example.name\" (lower case, [a-z0-9-])",
                      place.where);
        return PIE_ERR_CONFIG;
    }
    const entry *engine = find_entry(registry, PIE_KIND_UARCH, engine_name);
    if (!engine) {
        pie_tree_place(tree, config_setting_get_member(pie_tree_root(tree), "engine"), &place);
        pie_log_error(log, "%s: the engine '%s' is not there, or is broken", place.where,
                      engine_name);
        return PIE_ERR_CONFIG;
    }
    status = pie_settings_new(engine->info.options, "", &settings);
    if (status == PIE_OK)
        status = read_parameters(tree, &engine->info, settings, log);
    if (status != PIE_OK)
        goto cleanup;

    status = PIE_ERR_NOMEM;
    added = calloc(1, sizeof *added);
    if (!added)
        goto cleanup;
    json_t *texts = json_object();
    added->data =
        json_pack("{s:s, s:s, s:s, s:o, s:o}", "id", id, "version", version, "summary", summary,
                  "licence", licence ? json_string(licence) : json_null(), "parameters", texts);
    if (!added->data)
        goto cleanup;
    added->path = strdup(path);
    added->folder = strndup(path, (size_t)(strrchr(path, '/') - path));
    added->unavailable = engine->unavailable ? strdup(engine->unavailable) : NULL;
    added->options = model_options(&engine->info, settings, texts);
    if (!added->path || !added->folder || !added->options ||
        (engine->unavailable && !added->unavailable))
        goto cleanup;
    added->info = engine->info;
    added->info.id = text_of(added->data, "id");
    added->info.short_name = strrchr(added->info.id, '.') + 1;
    added->info.version = text_of(added->data, "version");
    added->info.summary = text_of(added->data, "summary");
    added->info.licence = text_of(added->data, "licence");
    added->info.path = added->path;
    added->info.options = added->options;
    added->info.unavailable = added->unavailable;
    added->info.engine = &engine->info;
    added->info.folder = added->folder;
    status = add_entry(registry, added);
    added = NULL;
cleanup:
    entry_free(added);
    pie_settings_free(settings);
    return status;
}

static pie_status read_model(pie_registry *registry, const char *path)
{
    collector into = {registry, path, PIE_OK};
    const pie_log log = {collect, &into, PIE_LOG_WARNING};
    pie_tree *tree = NULL;
    pie_status status = pie_tree_load(path, NULL, &log, &tree);
    if (status == PIE_OK)
        status = read_model_tree(registry, path, tree, &log);
    pie_tree_free(tree);
    if (into.status != PIE_OK)
        return into.status;
    return status == PIE_ERR_CONFIG || status == PIE_ERR_LIMIT ? PIE_OK
                                                               : status; /* it is a note now */
}

/* ---- the scan ---- */

static int by_kind_and_id(const void *a, const void *b)
{
    const pie_plugin_info *x = &(*(entry *const *)a)->info, *y = &(*(entry *const *)b)->info;
    const int kind = strcmp(x->kind, y->kind), id = strcmp(x->id, y->id);
    return kind ? kind : id ? id : strcmp(x->path, y->path);
}

/* One note for all ids from the @first on that the same two files share. */
static pie_status note_twins(pie_registry *registry, size_t first, const bool *is_new)
{
    const entry *other = registry->entries[first], *one = other->twin;
    pie_buf text = {0};
    pie_status status =
        pie_buf_printf(&text, "%s: remove it or %s: both hold", other->path, one->path);
    for (size_t i = first, n = 0; i < registry->n_entries && status == PIE_OK; i++) {
        const entry *at = registry->entries[i];
        if (is_new[i] && strcmp(at->path, other->path) == 0 &&
            strcmp(at->twin->path, one->path) == 0)
            status = pie_buf_printf(&text, "%s %s", n++ ? "," : "", at->info.id);
    }
    if (status == PIE_OK)
        return add_note(registry, other->path, pie_buf_steal(&text));
    pie_buf_free(&text);
    return status;
}

/* Sorts, and marks who shares an id. */
static pie_status arrange(pie_registry *registry)
{
    const size_t n = registry->n_entries;
    pie_status status = PIE_OK;
    bool *is_new = calloc(n + 1, sizeof *is_new);
    if (!is_new)
        return PIE_ERR_NOMEM;
    if (n)
        qsort(registry->entries, n, sizeof(entry *), by_kind_and_id);
    for (size_t i = 1; i < n; i++) {
        entry *one = registry->entries[i - 1], *other = registry->entries[i];
        if (strcmp(one->info.kind, other->info.kind) != 0 ||
            strcmp(one->info.id, other->info.id) != 0 || other->twin)
            continue;
        other->twin = one;
        is_new[i] = true;
        if (!one->twin)
            one->twin = other;
    }
    for (size_t i = 0; i < n && status == PIE_OK; i++) {
        bool is_noted = !is_new[i];
        for (size_t k = 0; k < i && !is_noted; k++)
            is_noted =
                is_new[k] && strcmp(registry->entries[k]->path, registry->entries[i]->path) == 0 &&
                strcmp(registry->entries[k]->twin->path, registry->entries[i]->twin->path) == 0;
        if (!is_noted)
            status = note_twins(registry, i, is_new);
    }
    free(is_new);
    return status;
}

pie_status pie_registry_scan(pie_registry *registry)
{
    pie_status status = PIE_OK, refusal;
    size_t n = 0;
    const char **paths = calloc(registry->n_files + 1, sizeof *paths);
    if (!paths)
        return pie_log_nomem(registry->log);
    for (size_t i = 0; i < registry->n_files; i++)
        if (!registry->files[i].is_model && !registry->files[i].is_read)
            paths[n++] = registry->files[i].path;
    if (n)
        status = read_modules(registry, paths, n, &refusal);
    if (status == PIE_ERR_IO)
        pie_log_errno(registry->log, "a process to read plugins in");
    /* engines first: a model may come from a folder before its engine's */
    for (size_t i = 0; status == PIE_OK && i < registry->n_files; i++) {
        if (registry->files[i].is_model && !registry->files[i].is_read)
            status = read_model(registry, registry->files[i].path);
        registry->files[i].is_read = true;
    }
    if (status == PIE_OK)
        status = arrange(registry);
    free(paths);
    return status == PIE_ERR_NOMEM ? pie_log_nomem(registry->log) : status;
}

pie_status pie_registry_check_file(pie_registry *registry, const char *path)
{
    pie_status refusal = PIE_OK;
    const size_t n_notes = registry->n_notes;
    /* dlopen looks a bare name up elsewhere */
    char *full = strchr(path, '/') ? strdup(path) : pie_strf("./%s", path);
    if (!full)
        return pie_log_nomem(registry->log);
    const char *const paths[] = {full};
    pie_status status = read_modules(registry, paths, 1, &refusal);
    if (status == PIE_ERR_IO)
        pie_log_errno(registry->log, "a process to read plugins in");
    if (status == PIE_OK && refusal != PIE_OK)
        for (size_t i = n_notes; i < registry->n_notes; i++)
            pie_log_error(registry->log, "%s", registry->notes[i].text);
    if (status == PIE_OK)
        status = refusal == PIE_OK ? arrange(registry) : refusal;
    free(full);
    return status == PIE_ERR_NOMEM ? pie_log_nomem(registry->log) : status;
}

/* ---- asking ---- */

size_t pie_registry_count(const pie_registry *registry)
{
    return registry->n_entries;
}

const pie_plugin_info *pie_registry_at(const pie_registry *registry, size_t i)
{
    return i < registry->n_entries ? &registry->entries[i]->info : NULL;
}

size_t pie_registry_note_count(const pie_registry *registry)
{
    return registry->n_notes;
}

const char *pie_registry_note(const pie_registry *registry, size_t i)
{
    return i < registry->n_notes ? registry->notes[i].text : NULL;
}

/* Does the file look like the home of a plugin called @name: gcc.so, metric-gcc.so, gcc/model.cfg?
 */
static bool is_home_of(const char *path, const char *name)
{
    const char *dot = strrchr(name, '.'), *own = dot ? dot + 1 : name;
    const char *end = strrchr(path, '/'), *start = path;
    size_t n;
    if (end && strcmp(end, "/model.cfg") == 0) {
        for (const char *at = path; at < end; at++)
            if (*at == '/')
                start = at + 1;
        n = (size_t)(end - start);
    } else {
        start = end ? end + 1 : path;
        n = strlen(start);
        n -= ends_with(start, ".so") ? 3 : 0;
    }
    const size_t m = strlen(own);
    return n >= m && strncmp(start + n - m, own, m) == 0 &&
           (n == m || start[n - m - 1] == '-' || start[n - m - 1] == '_');
}

/* "pie.uarch/1" in words. */
static const char *kind_word(const char *kind)
{
    static const struct {
        const char *kind, *word;
    } words[] = {{PIE_KIND_COMPILER, "compiler"},
                 {PIE_KIND_UARCH, "CPU model"},
                 {PIE_KIND_METRIC, "metric"},
                 {PIE_KIND_BACKEND, "backend"},
                 {PIE_KIND_PROMPT, "prompt"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].kind, kind) == 0)
            return words[i].word;
    return kind;
}

static pie_status refuse_name(const pie_registry *registry, const char *kind, const char *name,
                              const char *where)
{
    const char *colon = where ? ": " : "";
    where = where ? where : "";
    for (size_t i = 0; i < registry->n_notes; i++)
        if (is_home_of(registry->notes[i].path, name)) {
            pie_log_error(registry->log, "%s%sthe %s '%s' is broken: %s", where, colon,
                          kind_word(kind), name, registry->notes[i].text);
            return PIE_ERR_ABI;
        }
    const char **names = calloc(2 * registry->n_entries + 1, sizeof *names);
    pie_buf list = {0};
    size_t n = 0;
    pie_status status = names ? PIE_OK : PIE_ERR_NOMEM;
    for (size_t i = 0; status == PIE_OK && i < registry->n_entries; i++) {
        const pie_plugin_info *info = &registry->entries[i]->info;
        if (strcmp(info->kind, kind) != 0)
            continue;
        status = pie_buf_printf(&list, "%s%s", n ? ", " : "", info->short_name);
        names[n++] = info->short_name;
        names[n++] = info->id;
    }
    if (status == PIE_OK) {
        const char *near = pie_nearest_name(name, names);
        pie_log_error(registry->log, "%s%sno %s called '%s'%s%s%s; there %s %s", where, colon,
                      kind_word(kind), name, near ? " (did you mean '" : "", near ? near : "",
                      near ? "'?)" : "", n == 2 ? "is" : "are",
                      n ? pie_buf_text(&list) : "none: `pie plugin list` says why");
    }
    pie_buf_free(&list);
    free(names);
    if (status == PIE_OK)
        return PIE_ERR_CONFIG;
    pie_log_nomem(registry->log);
    return PIE_ERR_NOMEM;
}

pie_status pie_registry_lookup(const pie_registry *registry, const char *kind, const char *name,
                               const char *where, const pie_plugin_info **ret_info)
{
    const entry *match = NULL;
    const char *colon = where ? ": " : "", *place = where ? where : "";
    for (size_t i = 0; i < registry->n_entries; i++) {
        const entry *at = registry->entries[i];
        if (strcmp(at->info.kind, kind) != 0)
            continue;
        if (strcmp(at->info.id, name) == 0) {
            match = at;
            break;
        }
        if (strcmp(at->info.short_name, name) != 0)
            continue;
        if (match && strcmp(match->info.id, at->info.id) != 0) {
            pie_log_error(registry->log, "%s%s'%s' may be %s or %s; write the whole id", place,
                          colon, name, match->info.id, at->info.id);
            return PIE_ERR_CONFIG;
        }
        match = match ? match : at;
    }
    if (!match) {
        const pie_status refusal = refuse_name(registry, kind, name, where);
        assert(refusal != PIE_OK);
        return refusal;
    }
    const entry *engine_twin = NULL;
    for (size_t i = 0; match->info.engine && i < registry->n_entries; i++)
        if (&registry->entries[i]->info == match->info.engine)
            engine_twin = registry->entries[i]->twin ? registry->entries[i] : NULL;
    const entry *doubled = match->twin ? match : engine_twin;
    if (doubled) {
        pie_log_error(registry->log, "%s%stwo files hold %s: %s and %s; remove one of them", place,
                      colon, doubled->info.id, doubled->path, doubled->twin->path);
        return PIE_ERR_ABI;
    }
    *ret_info = &match->info;
    return PIE_OK;
}

pie_status pie_registry_find(const pie_registry *registry, const char *kind, const char *name,
                             const char *where, const pie_plugin_info **ret_info)
{
    const pie_plugin_info *info = NULL;
    const pie_status status = pie_registry_lookup(registry, kind, name, where, &info);
    if (!info) /* written on success only */
        return status;
    if (info->unavailable) {
        pie_log_error(registry->log, "%s%s%s cannot be used here: %s", where ? where : "",
                      where ? ": " : "", info->id, info->unavailable);
        return PIE_ERR_UNAVAILABLE;
    }
    *ret_info = info;
    return PIE_OK;
}

pie_status pie_plugin_open(const pie_plugin_info *info, const pie_log *log,
                           const pie_plugin **ret_plugin)
{
    const pie_plugin_info *file = info->engine ? info->engine : info;
    char message[PIE_MODULE_MESSAGE_BYTES];
    const pie_module *module;
    const pie_status status = pie_module_load(file->path, message, &module);
    if (status != PIE_OK) {
        pie_log_error(log, "%s: %s", file->path, message);
        return status;
    }
    for (const pie_plugin *const *plugin = module->plugins; *plugin; plugin++)
        if (strcmp((*plugin)->kind, file->kind) == 0 && strcmp((*plugin)->id, file->id) == 0 &&
            strcmp((*plugin)->version, file->version) == 0) {
            *ret_plugin = *plugin;
            return PIE_OK;
        }
    pie_log_error(log, "%s: no longer holds %s %s: the file has changed since pie started",
                  file->path, file->id, file->version);
    return PIE_ERR_ABI;
}
