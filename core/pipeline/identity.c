/* identity.c - see identity.h */
#include "pipeline/identity.h"

#include "base/file.h"
#include "sandbox/sandbox.h"
#include "trace/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pie_status checker_digest(const pie_config *config, const pie_log *log,
                                 char ret_hex[PIE_DIGEST_HEX])
{
    const pie_settings *dataset = pie_config_group(config, "dataset");
    const char *checker = pie_settings_string(dataset, "checker");
    ret_hex[0] = '\0';
    if (!checker || strcmp(pie_settings_string(dataset, "check"), "program") != 0)
        return PIE_OK;
    pie_buf buf = {0};
    pie_digest digest;
    pie_status status = pie_file_read(checker, 256 << 20, log, &buf);
    if (status == PIE_OK)
        status = pie_digest_bytes(buf.data, buf.n, &digest);
    if (status == PIE_OK)
        pie_digest_hex(&digest, ret_hex);
    pie_buf_free(&buf);
    return status;
}

/* Digests of the files that the options of @choice name: it is the content that counts, not the
 * name. */
static pie_status add_inputs(const pie_choice *choice, const char *group, const pie_log *log,
                             json_t *inputs)
{
    pie_status status = PIE_OK;
    for (const pie_option *option = choice ? choice->info->options : NULL;
         status == PIE_OK && option && option->name; option++) {
        const pie_setting *setting = pie_settings_get(choice->settings, option->name);
        struct stat info;
        if (option->type != PIE_OPTION_PATH || !setting || !setting->string ||
            option->flags & PIE_OPTION_SECRET || stat(setting->string, &info) != 0 ||
            !S_ISREG(info.st_mode))
            continue;
        char hex[PIE_DIGEST_HEX];
        pie_digest digest;
        const int fd = open(setting->string, O_RDONLY | O_CLOEXEC);
        status = fd < 0 ? pie_log_errno(log, setting->string) : pie_digest_fd(fd, &digest);
        if (fd >= 0)
            close(fd);
        char *key = pie_strf("%s.%s", group, option->name);
        if (status == PIE_OK)
            pie_digest_hex(&digest, hex);
        if (status == PIE_OK && (!key || json_object_set_new(inputs, key, json_string(hex)) != 0))
            status = PIE_ERR_NOMEM;
        free(key);
    }
    return status;
}

static json_t *protections_json(void)
{
    json_t *list = json_array();
    bool present = false;
    const char *line;
    for (size_t i = 0; list && (line = pie_sandbox_protection(i, &present)); i++)
        json_array_append_new(list, json_string(line));
    return list;
}

pie_status pie_identity_make(const pie_config *config, const pie_survey *survey,
                             const char *compiler, const char *engine, const pie_log *log,
                             json_t **ret_run_json)
{
    char dataset[PIE_DIGEST_HEX], checker[PIE_DIGEST_HEX], fingerprint[PIE_DIGEST_HEX];
    pie_digest digest;
    pie_digest_hex(&survey->digest, dataset);
    pie_status status = checker_digest(config, log, checker);
    if (status != PIE_OK)
        return status;
    json_t *identity = json_pack("{s:s,s:s,s:s,s:s,s:s?,s:o}", "dataset", dataset, "compiler",
                                 compiler, "engine", engine, "environment", PIE_GUEST_ENVIRONMENT,
                                 "checker", checker[0] ? checker : NULL, "config",
                                 pie_config_json(config, PIE_CONFIG_FINGERPRINT));
    char *text = identity
                     ? json_dumps(identity, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17))
                     : NULL;
    status = text ? pie_digest_bytes(text, strlen(text), &digest) : PIE_ERR_NOMEM;
    free(text);
    json_t *run_json = NULL, *inputs = json_object();
    if (status == PIE_OK)
        status = inputs ? PIE_OK : PIE_ERR_NOMEM;
    if (status == PIE_OK)
        status = add_inputs(pie_config_prompt(config), "prompt", log, inputs);
    if (status == PIE_OK)
        status = add_inputs(pie_config_backend(config), "backend", log, inputs);
    if (status == PIE_OK) {
        pie_digest_hex(&digest, fingerprint);
        run_json = json_pack("{s:i,s:s,s:O,s:o,s:O,s:I,s:o}", "format", 1, "fingerprint",
                             fingerprint, "identity", identity, "config",
                             pie_config_json(config, PIE_CONFIG_RESULT), "inputs", inputs, "rows",
                             (json_int_t)survey->n_all_rows, "protections", protections_json());
    }
    json_decref(identity);
    json_decref(inputs);
    if (status != PIE_OK && status != PIE_ERR_NOMEM)
        return status;
    if (!run_json)
        return pie_log_nomem(log);
    *ret_run_json = run_json;
    return PIE_OK;
}

/* One line per key whose values differ; returns how many. */
static size_t log_differences(const char *prefix, const json_t *there, const json_t *here,
                              const pie_log *log)
{
    if (there && here && json_equal(there, here))
        return 0;
    if (json_is_object(there) && json_is_object(here)) {
        size_t n = 0;
        const char *key;
        json_t *value;
        json_object_foreach((json_t *)(uintptr_t)there, key, value)
        {
            char *path = pie_strf("%s%s%s", prefix, *prefix ? "." : "", key);
            if (path)
                n += log_differences(path, value, json_object_get(here, key), log);
            free(path);
        }
        json_object_foreach((json_t *)(uintptr_t)here, key, value)
        {
            if (json_object_get(there, key))
                continue;
            char *path = pie_strf("%s%s%s", prefix, *prefix ? "." : "", key);
            if (path)
                n += log_differences(path, NULL, value, log);
            free(path);
        }
        return n;
    }
    char *old = there ? json_dumps(there, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    char *new = here ? json_dumps(here, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    pie_log_error(log, "  %s: %s in the folder, %s now", prefix, old ? old : "not set",
                  new ? new : "not set");
    free(old);
    free(new);
    return 1;
}

pie_status pie_identity_read(const char *run_folder, const pie_log *log, json_t **ret_run_json)
{
    char *path = pie_path_join(run_folder, "run.json");
    pie_buf buf = {0};
    json_t *run_json = NULL;
    pie_status status = path ? pie_file_read(path, 16 << 20, log, &buf) : pie_log_nomem(log);
    if (status == PIE_OK) {
        run_json = json_loads(pie_buf_text(&buf), 0, NULL);
        if (!json_is_object(run_json) ||
            !json_is_string(json_object_get(run_json, "fingerprint")) ||
            !json_is_object(json_object_get(run_json, "identity")) ||
            !json_is_object(json_object_get(run_json, "config"))) {
            pie_log_error(log, "%s: not what pie writes; was it edited?", path);
            status = PIE_ERR_DATA;
        }
    }
    if (status == PIE_OK)
        *ret_run_json = run_json;
    else
        json_decref(run_json);
    pie_buf_free(&buf);
    free(path);
    return status;
}

static pie_status write_file(const pie_store *store, const char *name, const char *text,
                             mode_t mode, const pie_log *log)
{
    char *path = pie_path_join(pie_store_path(store), name);
    pie_status status = path ? pie_file_replace(path, text, strlen(text), log) : pie_log_nomem(log);
    if (status == PIE_OK && chmod(path, mode) != 0)
        status = pie_log_errno(log, path);
    free(path);
    return status;
}

/* run.json last: it marks a folder whose identity is complete. */
static pie_status write_identity(pie_store *store, const pie_config *config, const json_t *run_json,
                                 const pie_log *log)
{
    char *config_text = pie_config_text(config);
    char *json_text = json_dumps(run_json, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    pie_status status = PIE_ERR_NOMEM;
    if (config_text && json_text)
        status = write_file(store, "run.cfg", config_text, 0444, log);
    if (status == PIE_OK)
        status = write_file(store, "run.json", json_text, 0444, log);
    free(config_text);
    free(json_text);
    return status == PIE_ERR_NOMEM ? pie_log_nomem(log) : status;
}

pie_status pie_identity_claim(pie_store *store, const pie_config *config, const json_t *run_json,
                              const pie_log *log)
{
    char *path = pie_path_join(pie_store_path(store), "run.json");
    if (!path)
        return pie_log_nomem(log);
    const bool present = access(path, F_OK) == 0;
    free(path);
    if (!present)
        return write_identity(store, config, run_json, log);
    json_t *there = NULL;
    pie_status status = pie_identity_read(pie_store_path(store), log, &there);
    if (status != PIE_OK)
        return status == PIE_ERR_DATA ? PIE_ERR_CONFIG : status;
    static const char *const parts[] = {"identity", "config", "inputs"};
    for (size_t i = 0; status == PIE_OK && i < sizeof parts / sizeof *parts; i++) {
        const json_t *old = json_object_get(there, parts[i]),
                     *new = json_object_get(run_json, parts[i]);
        if ((!old && !new) || json_equal(old, new))
            continue;
        pie_log_error(log, "%s holds a run of something else; choose another --out. What differs:",
                      pie_store_path(store));
        log_differences("", old, new, log);
        status = PIE_ERR_CONFIG;
    }
    json_decref(there);
    return status;
}
