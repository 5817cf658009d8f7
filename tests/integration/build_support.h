/* build_support.h - a builder from the text of a config, through the real registry and plugins. */
#ifndef PIE_TESTS_BUILD_SUPPORT_H
#define PIE_TESTS_BUILD_SUPPORT_H

#include "base/file.h"
#include "pie/verdict.h"
#include "pipeline/build.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct bench {
    pie_registry *registry;
    pie_config *config;
    pie_builder *builder;
    char scratch[64];
    pie_status status; /* of whatever failed first */
} bench;

static const pie_build_limits usual_limits = {
    .memory_bytes = 4ull << 30, .output_bytes = 256u << 20, .seconds = 60, .processes = 64};

/* @settings: the inside of the compiler group, as "plugin = \"gcc\";". A folder of its own unless
 * @scratch names one. */
static inline bool bench_open(bench *b, const char *settings, const pie_build_limits *limits,
                              const char *scratch, const pie_log *log)
{
    *b = (bench){.scratch = "/tmp/pie-test-build.XXXXXX"};
    if (!scratch && !mkdtemp(b->scratch))
        return false;
    char *text = pie_strf("compiler = { %s };\n", settings);
    const pie_config_source source = {.path = "test.cfg", .text = text};
    b->status = pie_registry_new(log, &b->registry);
    if (b->status == PIE_OK)
        b->status = pie_registry_add_folder(b->registry, PIE_BUILD "/plugins", true);
    if (b->status == PIE_OK)
        b->status = pie_registry_scan(b->registry);
    if (b->status == PIE_OK)
        b->status = pie_config_load(&source, b->registry, log, &b->config);
    if (b->status == PIE_OK)
        b->status = pie_builder_new(pie_config_compiler(b->config), limits ? limits : &usual_limits,
                                    scratch ? scratch : b->scratch, log, &b->builder);
    free(text);
    return b->status == PIE_OK;
}

static inline void bench_close(bench *b)
{
    pie_builder_free(b->builder);
    if (b->config)
        pie_config_free(b->config);
    pie_registry_free(b->registry);
    if (strcmp(b->scratch, "/tmp/pie-test-build.XXXXXX") != 0)
        pie_folder_remove(b->scratch, &pie_log_none);
    b->builder = NULL;
    b->config = NULL;
    b->registry = NULL;
}

#endif
