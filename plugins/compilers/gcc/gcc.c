/* gcc.c - GNU C and C++. */
#include "driver.h"

/* The seed names internal symbols, which otherwise are random; a pipe needs no file with a random
 * name. */
static const char *const fixed[] = {"-frandom-seed=pie", "-fmax-errors=50", "-pipe", NULL};
static const char *const link_only[] = {NULL};
static const char *const identity[] = {"as", "ld", NULL};
static const pie_driver driver = {
    .fixed = fixed, .link = link_only, .identity = identity, .precompiles = 1};

static pie_status gcc_create(const pie_host *host, void **ret_self)
{
    return pie_driver_create(host, &driver, ret_self);
}

static const pie_option options[] = {
    PIE_DRIVER_OPTIONS("g++", "gcc"),
    {.name = "pch",
     .type = PIE_OPTION_BOOL,
     .flags = PIE_OPTION_EXECUTION, /* docs/decisions/0003-precompiled-header.md */
     .fallback = "true",
     .help = "precompile the header that sources include first; the program stays the same"},
    {0}};

static const pie_requirement needs[] = {{PIE_NEEDS_PROGRAM, "g++", "apt-get install g++"},
                                        {PIE_NEEDS_PROGRAM, "gcc", "apt-get install gcc"},
                                        {PIE_NEEDS_PROGRAM, "ld", "apt-get install binutils"},
                                        {0}};

static const pie_compiler_ops ops = {.product = PIE_PRODUCT_ELF,
                                     .create = gcc_create,
                                     .destroy = pie_driver_destroy,
                                     .identify = pie_driver_identify,
                                     .prepare = pie_driver_prepare,
                                     .plan = pie_driver_plan};

static const pie_plugin gcc = {.kind = PIE_KIND_COMPILER,
                               .id = "org.pie.gcc",
                               .version = "1.0.0",
                               .summary =
                                   "GNU C and C++: static programs, the same bytes in any folder.",
                               .licence = "MIT",
                               .options = options,
                               .requires = needs,
                               .ops = &ops};
PIE_MODULE(&gcc);
