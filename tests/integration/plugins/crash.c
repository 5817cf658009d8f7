/* crash.c - plugins that crash, for tests/integration/run_crash.sh. */
#include "pie/backend.h"
#include "pie/metric.h"
#include "pie/uarch.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* ---- a backend that answers with the slow program, and dies over sample 1 ---- */

enum { IN_FLIGHT_MAX = 16 };

typedef struct crash_backend {
    struct {
        uint64_t id;
        char *text;
    } queue[IN_FLIGHT_MAX];
    size_t n;
    char *last;
} crash_backend;

static pie_status backend_create(const pie_host *host, void **ret_self)
{
    (void)host;
    *ret_self = calloc(1, sizeof(crash_backend));
    return *ret_self ? PIE_OK : PIE_ERR_NOMEM;
}

static void backend_destroy(void *self)
{
    crash_backend *backend = self;
    for (size_t i = 0; i < backend->n; i++)
        free(backend->queue[i].text);
    free(backend->last);
    free(backend);
}

static pie_status backend_submit(void *self, const pie_request *request)
{
    crash_backend *backend = self;
    if (request->context.sample_index == 1)
        raise(SIGSEGV);
    if (backend->n == IN_FLIGHT_MAX)
        return PIE_ERR_AGAIN;
    char *text = strdup(request->context.source);
    if (!text)
        return PIE_ERR_NOMEM;
    backend->queue[backend->n].id = request->id;
    backend->queue[backend->n++].text = text;
    return PIE_OK;
}

static pie_status backend_poll(void *self, pie_completion *ret_completion)
{
    crash_backend *backend = self;
    if (backend->n == 0)
        return PIE_ERR_AGAIN;
    backend->n--;
    free(backend->last);
    backend->last = backend->queue[backend->n].text;
    *ret_completion = (pie_completion){.id = backend->queue[backend->n].id,
                                       .finish = PIE_FINISH_STOP,
                                       .has = PIE_COMPLETION_IS_CODE,
                                       .attempts = 1,
                                       .text = backend->last,
                                       .text_bytes = strlen(backend->last)};
    return PIE_OK;
}

static pie_status backend_cancel(void *self, uint64_t id)
{
    (void)self, (void)id;
    return PIE_OK;
}

static int backend_wait_fd(void *self, int32_t *ret_timeout_ms)
{
    (void)self;
    *ret_timeout_ms = 0;
    return -1;
}

static const pie_option backend_options[] = {
    {.name = "path", .type = PIE_OPTION_STRING, .help = "ignored"},
    {.name = "field", .type = PIE_OPTION_STRING, .help = "ignored"},
    {.name = "strict", .type = PIE_OPTION_BOOL, .help = "ignored"},
    {.name = NULL}};
static const pie_backend_ops backend_ops = {.capabilities = PIE_BACKEND_CHAT | PIE_BACKEND_OFFLINE,
                                            .create = backend_create,
                                            .destroy = backend_destroy,
                                            .submit = backend_submit,
                                            .poll = backend_poll,
                                            .cancel = backend_cancel,
                                            .wait_fd = backend_wait_fd};
static const pie_plugin backend_plugin = {.kind = PIE_KIND_BACKEND,
                                          .id = "org.pie.test.crash-backend",
                                          .version = "1.0.0",
                                          .summary = "Crashes over sample 1; for tests.",
                                          .licence = "MIT",
                                          .options = backend_options,
                                          .ops = &backend_ops};

/* ---- a CPU model that dies over the first batch ---- */

static pie_status uarch_create(const pie_host *host, const pie_uarch_setup *setup, void **ret_self)
{
    (void)host, (void)setup;
    *ret_self = malloc(1);
    return *ret_self ? PIE_OK : PIE_ERR_NOMEM;
}

static pie_status uarch_consume(void *self, const uint64_t *words, size_t n_words,
                                uint64_t cycle_limit, size_t *ret_used, int32_t *ret_reason)
{
    (void)self, (void)words, (void)cycle_limit;
    raise(SIGSEGV);
    *ret_used = n_words;
    *ret_reason = PIE_CONSUMED_ALL;
    return PIE_OK;
}

static void uarch_mark(const void *self, pie_uarch_mark *ret_mark)
{
    (void)self;
    *ret_mark = (pie_uarch_mark){0};
}

static void uarch_counters(const void *self, uint64_t *ret_values)
{
    (void)self, (void)ret_values;
}

static const pie_counter no_counters[] = {{.name = NULL}};
static const pie_uarch_trace_ops uarch_trace = {.counters = no_counters,
                                                .create = uarch_create,
                                                .destroy = free,
                                                .consume = uarch_consume,
                                                .mark = uarch_mark,
                                                .counters_read = uarch_counters};
static const pie_uarch_ops uarch_ops = {
    .style = PIE_UARCH_TRACE, .flags = PIE_UARCH_DETERMINISTIC, .trace = &uarch_trace};
static const pie_plugin uarch_plugin = {.kind = PIE_KIND_UARCH,
                                        .id = "org.pie.test.crash-uarch",
                                        .version = "1.0.0",
                                        .summary = "Crashes over the first batch; for tests.",
                                        .licence = "MIT",
                                        .ops = &uarch_ops};

/* ---- a metric that dies over the first problem ---- */

static pie_status metric_create(const pie_host *host, int64_t max_samples, void **ret_self)
{
    (void)host, (void)max_samples;
    *ret_self = malloc(1);
    return *ret_self ? PIE_OK : PIE_ERR_NOMEM;
}

static pie_status metric_outputs(void *self, const pie_metric_output **ret_outputs, size_t *ret_n)
{
    static const pie_metric_output output = {
        .name = "crash", .column = "crash", .unit = "", .rule = "never computed"};
    (void)self;
    *ret_outputs = &output;
    *ret_n = 1;
    return PIE_OK;
}

static size_t metric_columns(void *self)
{
    (void)self;
    return 1;
}

static pie_status metric_problem(void *self, const pie_problem *problem, double *ret_columns)
{
    (void)self, (void)problem;
    raise(SIGSEGV);
    *ret_columns = 0;
    return PIE_OK;
}

static pie_status metric_total(void *self, const double *columns, const uint32_t *multiplicity,
                               size_t n_problems, double *ret_totals)
{
    (void)self, (void)columns, (void)multiplicity, (void)n_problems;
    *ret_totals = 0;
    return PIE_OK;
}

static const pie_metric_ops metric_ops = {.create = metric_create,
                                          .destroy = free,
                                          .outputs = metric_outputs,
                                          .n_columns = metric_columns,
                                          .problem = metric_problem,
                                          .total = metric_total};
static const pie_plugin metric_plugin = {.kind = PIE_KIND_METRIC,
                                         .id = "org.pie.test.crash-metric",
                                         .version = "1.0.0",
                                         .summary = "Crashes over the first problem; for tests.",
                                         .licence = "MIT",
                                         .ops = &metric_ops};

PIE_MODULE(&backend_plugin, &uarch_plugin, &metric_plugin);
