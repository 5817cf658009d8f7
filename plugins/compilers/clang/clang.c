/* clang.c - Clang, with the system's linker and C++ library. */
#include "driver.h"

/* gcc takes the build's date from SOURCE_DATE_EPOCH; clang learned that in version 16. */
static const char *const fixed[] = {"-Wno-builtin-macro-redefined", "-D__DATE__=\"Jan  1 1970\"",
                                    "-D__TIME__=\"00:00:00\"", "-fno-crash-diagnostics", NULL};
static const char *const link_only[] = {"-Wno-unused-command-line-argument", NULL};
static const char *const identity[] = {"ld", NULL};
static const pie_driver driver = {.fixed = fixed, .link = link_only, .identity = identity};

static pie_status clang_create(const pie_host *host, void **ret_self)
{
    return pie_driver_create(host, &driver, ret_self);
}

static const pie_option options[] = {PIE_DRIVER_OPTIONS("clang++", "clang"), {0}};

static const pie_requirement needs[] = {{PIE_NEEDS_PROGRAM, "clang++", "apt-get install clang"},
                                        {PIE_NEEDS_PROGRAM, "clang", "apt-get install clang"},
                                        {PIE_NEEDS_PROGRAM, "ld", "apt-get install binutils"},
                                        {0}};

/* No prepare(): see docs/decisions/0003-precompiled-header.md. */
static const pie_compiler_ops ops = {.product = PIE_PRODUCT_ELF,
                                     .create = clang_create,
                                     .destroy = pie_driver_destroy,
                                     .identify = pie_driver_identify,
                                     .plan = pie_driver_plan};

static const pie_plugin clang = {
    .kind = PIE_KIND_COMPILER,
    .id = "org.pie.clang",
    .version = "1.0.0",
    .summary = "Clang C and C++: static programs, the same bytes in any folder.",
    .licence = "MIT",
    .options = options,
    .requires = needs,
    .ops = &ops};
PIE_MODULE(&clang);
