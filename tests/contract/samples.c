/* samples.c - a module with plugins of all kinds that do nothing, for tests of registry and config.
 * The options of `replay` have every type and trait. */
#include "pie/backend.h"
#include "pie/compiler.h"
#include "pie/metric.h"
#include "pie/prompt.h"
#include "pie/uarch.h"

#include <math.h>
#include <stdlib.h>

static char instance; /* what create() hands out: it has no state */

static pie_status create(const pie_host *host, void **ret_self)
{
    (void)host;
    *ret_self = &instance;
    return PIE_OK;
}

static void destroy(void *self)
{
    (void)self;
}

/* ---- compiler ---- */

static pie_status plan_nothing(void *self, pie_compile_plan *ret_plan)
{
    (void)self;
    *ret_plan = (pie_compile_plan){0};
    return PIE_OK;
}

static pie_status plan(void *self, const pie_compile_request *request, pie_compile_plan *ret_plan)
{
    (void)request;
    return plan_nothing(self, ret_plan);
}

static const pie_compiler_ops compiler_ops = {.product = PIE_PRODUCT_ELF,
                                              .create = create,
                                              .destroy = destroy,
                                              .identify = plan_nothing,
                                              .plan = plan};
static const pie_option compiler_options[] = {
    {.name = "flags",
     .type = PIE_OPTION_STRING_LIST,
     .fallback = "[ \"-O3\", \"-std=c++17\" ]",
     .help = "flags of every compilation"},
    {.name = "include", .type = PIE_OPTION_PATH_LIST, .help = "folders of header libraries"},
    {.name = NULL}};
static const pie_plugin gcc = {.kind = PIE_KIND_COMPILER,
                               .id = "org.test.gcc",
                               .version = "1.2.0",
                               .summary = "A compiler for tests.",
                               .licence = "MIT",
                               .options = compiler_options,
                               .ops = &compiler_ops};
static const pie_requirement rare_needs[] = {
    {PIE_NEEDS_PROGRAM, "pie-test-no-such-program", "apt-get install nothing"},
    {PIE_NEEDS_FILE, "/nonexistent/file", "make one"},
    {0, NULL, NULL}};
static const pie_plugin rare = {.kind = PIE_KIND_COMPILER,
                                .id = "org.test.rare",
                                .version = "1.0",
                                .summary = "A compiler that is never installed.",
                                .requires = rare_needs,
                                .ops = &compiler_ops};

/* ---- CPU models ---- */

static pie_status uarch_create(const pie_host *host, const pie_uarch_setup *setup, void **ret_self)
{
    (void)setup;
    return create(host, ret_self);
}

static pie_status consume(void *self, const uint64_t *words, size_t n_words, uint64_t cycle_limit,
                          size_t *ret_used, int32_t *ret_reason)
{
    (void)self, (void)words, (void)cycle_limit;
    *ret_used = n_words;
    *ret_reason = PIE_CONSUMED_ALL;
    return PIE_OK;
}

static void mark(const void *self, pie_uarch_mark *ret_mark)
{
    (void)self;
    *ret_mark = (pie_uarch_mark){0};
}

static void counters_read(const void *self, uint64_t *ret_values)
{
    (void)self;
    ret_values[0] = 0;
}

static const pie_counter counters[] = {{"cycles", "cycles", "none"}, {NULL, NULL, NULL}};
static const pie_uarch_trace_ops trace_ops = {.counters = counters,
                                              .create = uarch_create,
                                              .destroy = destroy,
                                              .consume = consume,
                                              .mark = mark,
                                              .counters_read = counters_read};
static const pie_uarch_ops uarch_ops = {
    .style = PIE_UARCH_TRACE, .flags = PIE_UARCH_DETERMINISTIC, .trace = &trace_ops};
static const pie_plugin null_model = {.kind = PIE_KIND_UARCH,
                                      .id = "org.test.null",
                                      .version = "1.0.0",
                                      .summary = "A CPU model for tests.",
                                      .ops = &uarch_ops};
static const pie_uarch_ops noisy_ops = {.style = PIE_UARCH_TRACE, .trace = &trace_ops};
static const pie_plugin noisy = {.kind = PIE_KIND_UARCH,
                                 .id = "org.test.noisy",
                                 .version = "1.0.0",
                                 .summary = "A CPU model that is not deterministic.",
                                 .ops = &noisy_ops};

/* ---- metrics ---- */

static pie_status metric_create(const pie_host *host, int64_t max_samples, void **ret_self)
{
    (void)max_samples;
    return create(host, ret_self);
}

static pie_status outputs(void *self, const pie_metric_output **ret_outputs, size_t *ret_n)
{
    (void)self;
    *ret_outputs = NULL;
    *ret_n = 0;
    return PIE_OK;
}

static size_t n_columns(void *self)
{
    (void)self;
    return 0;
}

static pie_status problem(void *self, const pie_problem *problem_, double *ret_columns)
{
    (void)self, (void)problem_, (void)ret_columns;
    return PIE_OK;
}

static pie_status total(void *self, const double *columns, const uint32_t *multiplicity,
                        size_t n_problems, double *ret_totals)
{
    (void)self, (void)columns, (void)multiplicity, (void)n_problems, (void)ret_totals;
    return PIE_OK;
}

static const pie_metric_ops metric_ops = {.create = metric_create,
                                          .destroy = destroy,
                                          .outputs = outputs,
                                          .n_columns = n_columns,
                                          .problem = problem,
                                          .total = total};
static const pie_option threshold[] = {{.name = "threshold",
                                        .type = PIE_OPTION_FLOAT,
                                        .fallback = "1.10",
                                        .help = "least ratio that counts",
                                        .min = 1,
                                        .max = INFINITY},
                                       {.name = NULL}};
static const pie_plugin optimized = {.kind = PIE_KIND_METRIC,
                                     .id = "org.test.optimized",
                                     .version = "1.0.0",
                                     .summary = "A metric with an option.",
                                     .options = threshold,
                                     .ops = &metric_ops};
static const pie_plugin speedup = {.kind = PIE_KIND_METRIC,
                                   .id = "org.test.speedup",
                                   .version = "1.0.0",
                                   .summary = "A metric.",
                                   .ops = &metric_ops};
static const pie_plugin correct = {.kind = PIE_KIND_METRIC,
                                   .id = "org.test.correct",
                                   .version = "1.0.0",
                                   .summary = "Another metric.",
                                   .ops = &metric_ops};

/* ---- backend and prompt ---- */

static pie_status submit(void *self, const pie_request *request)
{
    (void)self, (void)request;
    return PIE_ERR_AGAIN;
}

static pie_status poll_answer(void *self, pie_completion *ret_completion)
{
    (void)self, (void)ret_completion;
    return PIE_ERR_AGAIN;
}

static pie_status cancel(void *self, uint64_t id)
{
    (void)self, (void)id;
    return PIE_OK;
}

static int wait_fd(void *self, int32_t *ret_timeout_ms)
{
    (void)self;
    *ret_timeout_ms = -1;
    return -1;
}

static const pie_backend_ops backend_ops = {.capabilities = PIE_BACKEND_CHAT | PIE_BACKEND_OFFLINE,
                                            .create = create,
                                            .destroy = destroy,
                                            .submit = submit,
                                            .poll = poll_answer,
                                            .cancel = cancel,
                                            .wait_fd = wait_fd};
static const pie_option replay_options[] = {
    {.name = "path", .type = PIE_OPTION_PATH, .flags = PIE_OPTION_REQUIRED, .help = "the answers"},
    {.name = "field",
     .type = PIE_OPTION_STRING,
     .fallback = "generated_answers",
     .choices = "generated_answers|raw_replies",
     .help = "which field holds them"},
    {.name = "strict",
     .type = PIE_OPTION_BOOL,
     .fallback = "false",
     .help = "a missing row is an error"},
    {.name = "threads",
     .type = PIE_OPTION_INT,
     .flags = PIE_OPTION_EXECUTION,
     .fallback = "4",
     .min = 1,
     .max = 64,
     .help = "to read with"},
    {.name = "budget", .type = PIE_OPTION_INT, .help = "no default"},
    {.name = "scale",
     .type = PIE_OPTION_FLOAT,
     .fallback = "0.5",
     .min = 0,
     .max = 1,
     .help = "a number"},
    {.name = "weights", .type = PIE_OPTION_FLOAT_LIST, .fallback = "[ 1, 2.5 ]", .help = "numbers"},
    {.name = "tags", .type = PIE_OPTION_STRING_LIST, .help = "words"},
    {.name = "model", .type = PIE_OPTION_STRING, .help = "a name"},
    {.name = "api_key", .type = PIE_OPTION_STRING, .flags = PIE_OPTION_SECRET, .help = "a secret"},
    {.name = NULL}};
static const pie_plugin replay = {.kind = PIE_KIND_BACKEND,
                                  .id = "org.test.replay",
                                  .version = "1.0.0",
                                  .summary = "A backend with options of all types.",
                                  .licence = "MIT",
                                  .options = replay_options,
                                  .ops = &backend_ops};

static pie_status next(void *self, const pie_dialogue *dialogue, pie_action *ret_action)
{
    (void)self, (void)dialogue;
    *ret_action = (pie_action){.type = PIE_ACTION_STOP, .best_step = -1, .reason = "a test"};
    return PIE_OK;
}

static const pie_prompt_ops prompt_ops = {.create = create, .destroy = destroy, .next = next};
static const pie_plugin instruction = {.kind = PIE_KIND_PROMPT,
                                       .id = "org.test.instruction",
                                       .version = "1.0.0",
                                       .summary = "A prompt that gives up.",
                                       .ops = &prompt_ops};
static const pie_plugin twin = {.kind = PIE_KIND_PROMPT,
                                .id = "org.other.instruction",
                                .version = "1.0.0",
                                .summary = "A prompt whose short name is taken.",
                                .ops = &prompt_ops};

#ifdef TWIN
PIE_MODULE(&twin);
/* the rest is unused */
const void *const unused[] = {&gcc,     &rare,    &null_model, &noisy,      &optimized,
                              &speedup, &correct, &replay,     &instruction};
#else
PIE_MODULE(&gcc, &rare, &null_model, &noisy, &optimized, &speedup, &correct, &replay, &instruction);
const void *const unused[] = {&twin};
#endif
