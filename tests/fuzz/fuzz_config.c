/* fuzz_config.c - any text as a config: no crash, and what is taken survives being written and
 * read. The first line, if it starts with "--", is a list of --set, split at tabs.
 * The plugins are those in tests/modules/good of the build folder, where the target stands in
 * fuzz/. */
#include "config/config.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* libconfig 1.5 itself leaks the string before a syntax error. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static pie_registry *registry;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    char *home = pie_path_of_executable();
    char *folder = home ? pie_path_join(home, "../tests/modules/good") : NULL;
    if (!folder || pie_registry_new(&pie_log_none, &registry) != PIE_OK ||
        pie_registry_add_folder(registry, folder, true) != PIE_OK ||
        pie_registry_scan(registry) != PIE_OK)
        abort();
    free(folder);
    free(home);
    return 0;
}

static void check_round_trip(const pie_config *config)
{
    char *text = pie_config_text(config);
    const pie_config_source source = {.path = "/elsewhere/a.cfg", .text = text};
    pie_config *again = NULL;
    if (!text || pie_config_load(&source, registry, &pie_log_stderr, &again) != PIE_OK)
        abort();
    json_t *a = pie_config_json(config, PIE_CONFIG_ALL),
           *b = pie_config_json(again, PIE_CONFIG_ALL);
    if (!a || !json_equal(a, b))
        abort();
    json_decref(a);
    json_decref(b);
    free(text);
    pie_config_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    enum { MAX_SETS = 8 };
    char *text = malloc(n + 1);
    if (!text)
        return 0;
    memcpy(text, data, n);
    text[n] = '\0';
    const char *sets[MAX_SETS + 1] = {NULL}, *body = text;
    char *line_end = strncmp(text, "--", 2) == 0 ? strchr(text, '\n') : NULL;
    if (line_end) {
        *line_end = '\0';
        body = line_end + 1;
        char *rest = NULL;
        size_t n_sets = 0;
        for (char *set = strtok_r(text + 2, "\t", &rest); set && n_sets < MAX_SETS;
             set = strtok_r(NULL, "\t", &rest))
            sets[n_sets++] = set;
    }
    const pie_config_source source = {.path = "/conf/a.cfg", .text = body, .sets = sets};
    pie_config *config = NULL;
    if (pie_config_load(&source, registry, &pie_log_none, &config) == PIE_OK)
        check_round_trip(config);
    pie_config_free(config);
    free(text);
    return 0;
}
