/* gauge.c - see gauge.h */
#include "throughput/gauge.h"

#include "pie/uarch.h"

#include <stdlib.h>

/* A model keeps what it was told of blocks; a new one is made when that is about so many. */
enum { MAX_IDS = 4096 };

struct pie_gauge {
    const pie_plugin_info *info;
    const pie_uarch_trace_ops *ops;
    pie_host *host;
    void *fresh; /* never fed; copied from */
    void *instance;
    uint32_t n_ids; /* that it was told of */
    const pie_log *log;
};

static pie_status create(const pie_gauge *gauge, void **ret_instance)
{
    const pie_uarch_setup setup = {
        .isa = PIE_ISA_X86_64, .page_map = PIE_PAGE_MAP_ONE_FRAME, .folder = gauge->info->folder};
    return gauge->ops->create(gauge->host, &setup, ret_instance);
}

pie_status pie_gauge_new(const pie_choice *uarch, const pie_log *log, pie_gauge **ret_gauge)
{
    const pie_plugin *plugin = NULL;
    pie_status status = pie_plugin_open(uarch->info, log, &plugin);
    if (status != PIE_OK)
        return status;
    const pie_uarch_ops *ops = plugin->ops;
    if (ops->style != PIE_UARCH_TRACE) {
        pie_log_error(log,
                      "CPU model %s measures whole programs; pie throughput needs one that takes "
                      "traces, e.g. --uarch " PIE_DEFAULT_UARCH,
                      uarch->info->id);
        return PIE_ERR_CONFIG;
    }
    pie_gauge *gauge = calloc(1, sizeof *gauge);
    if (!gauge)
        return pie_log_nomem(log);
    gauge->info = uarch->info;
    gauge->ops = ops->trace;
    gauge->log = log;
    status = pie_host_new(uarch->settings, uarch->info->short_name, log, &gauge->host);
    if (status == PIE_OK)
        status = create(gauge, &gauge->instance);
    if (status == PIE_OK && gauge->ops->copy)
        status = create(gauge, &gauge->fresh);
    if (status == PIE_OK) {
        *ret_gauge = gauge;
        gauge = NULL;
    }
    pie_gauge_free(gauge);
    return status;
}

void pie_gauge_free(pie_gauge *gauge)
{
    if (!gauge)
        return;
    if (gauge->instance)
        gauge->ops->destroy(gauge->instance);
    if (gauge->fresh)
        gauge->ops->destroy(gauge->fresh);
    pie_host_free(gauge->host);
    free(gauge);
}

uint32_t pie_gauge_first_id(const pie_gauge *gauge)
{
    return gauge->n_ids;
}

static pie_status renew(pie_gauge *gauge)
{
    void *instance = NULL;
    const pie_status status = create(gauge, &instance);
    if (status != PIE_OK)
        return status;
    gauge->ops->destroy(gauge->instance);
    gauge->instance = instance;
    gauge->n_ids = 0;
    return PIE_OK;
}

static pie_status feed(pie_gauge *gauge, const uint64_t *words, size_t n_words,
                       uint64_t *ret_cycles)
{
    size_t used = 0;
    int32_t reason = PIE_CONSUMED_ALL;
    const pie_status status =
        gauge->ops->consume(gauge->instance, words, n_words, UINT64_MAX, &used, &reason);
    if (status != PIE_OK)
        return status;
    if (used != n_words) {
        pie_log_error(gauge->log, "CPU model %s took %zu of %zu words without a reason",
                      gauge->info->id, used, n_words);
        return PIE_ERR_CRASHED;
    }
    pie_uarch_mark mark;
    gauge->ops->mark(gauge->instance, &mark);
    *ret_cycles = mark.cycles;
    return PIE_OK;
}

pie_status pie_gauge_time(pie_gauge *gauge, const pie_gauge_stream *stream, uint64_t *ret_cycles,
                          size_t *ret_n_fallbacks)
{
    uint64_t before = 0, after = 0, executions = 0;
    pie_status status = feed(gauge, stream->words, stream->first, &before);
    if (status == PIE_OK)
        status = feed(gauge, stream->words + stream->first, stream->last - stream->first, &after);
    if (status != PIE_OK)
        return status;
    size_t n = 0;
    while (gauge->ops->unknown_form && gauge->ops->unknown_form(gauge->instance, n, &executions))
        n++;
    gauge->n_ids += stream->n_ids;
    status = gauge->fresh && gauge->n_ids < MAX_IDS
                 ? gauge->ops->copy(gauge->instance, gauge->fresh)
                 : renew(gauge);
    if (status != PIE_OK)
        return status;
    *ret_cycles = after - before;
    *ret_n_fallbacks = n;
    return PIE_OK;
}
