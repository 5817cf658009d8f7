/* simulate.c - see simulate.h */
#include "pipeline/simulate.h"

#include "base/buf.h"
#include "pipeline/external.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FIGURE 9007199254740992.0 /* 2^53: figures of records are below */

/* Wall clock of one command of a model of style `run`, which alone may be cut by time. */
enum { EXTERNAL_SECONDS = 600 };

struct pie_simulator {
    const pie_plugin_info *info;
    const pie_uarch_ops *uarch;
    const pie_uarch_trace_ops *ops; /* NULL for style `run` */
    pie_host *host;
    char *scratch;
    void *external; /* instance of style `run`, which measures many programs */
    size_t n_counters;
    const pie_log *log;
};

const pie_counter *pie_simulator_counters(const pie_simulator *simulator)
{
    return simulator->ops ? simulator->ops->counters : simulator->uarch->run->counters;
}

bool pie_simulator_has_profile(const pie_simulator *simulator)
{
    return simulator->ops && simulator->ops->profile;
}

static pie_status new_instance(const pie_simulator *simulator, int32_t page_map, bool profile,
                               void **ret_instance)
{
    const pie_uarch_setup setup = {.isa = PIE_ISA_X86_64,
                                   .page_map = page_map,
                                   .profile = profile,
                                   .folder = simulator->info->folder};
    return simulator->ops ? simulator->ops->create(simulator->host, &setup, ret_instance)
                          : simulator->uarch->run->create(simulator->host, &setup, ret_instance);
}

pie_status pie_simulator_new(const pie_choice *uarch, const char *scratch, const pie_log *log,
                             pie_simulator **ret_simulator)
{
    const pie_plugin *plugin = NULL;
    pie_status status = pie_plugin_open(uarch->info, log, &plugin);
    if (status != PIE_OK)
        return status;
    pie_simulator *simulator = calloc(1, sizeof *simulator);
    if (!simulator)
        return pie_log_nomem(log);
    simulator->info = uarch->info;
    simulator->uarch = plugin->ops;
    simulator->ops = simulator->uarch->style == PIE_UARCH_TRACE ? simulator->uarch->trace : NULL;
    simulator->log = log;
    simulator->scratch = strdup(scratch);
    if (!simulator->scratch)
        status = pie_log_nomem(log);
    for (const pie_counter *counter = pie_simulator_counters(simulator); counter && counter->name;
         counter++)
        simulator->n_counters++;
    if (status == PIE_OK)
        status = pie_host_new(uarch->settings, uarch->info->short_name, log, &simulator->host);
    void *instance = NULL;
    if (status == PIE_OK)
        status = new_instance(simulator, PIE_PAGE_MAP_IDENTITY, false, &instance);
    if (status != PIE_OK) {
        pie_simulator_free(simulator);
        return status;
    }
    if (simulator->ops)
        simulator->ops->destroy(instance); /* every run gets a fresh one */
    else
        simulator->external = instance;
    *ret_simulator = simulator;
    return PIE_OK;
}

void pie_simulator_free(pie_simulator *simulator)
{
    if (!simulator)
        return;
    if (simulator->external)
        simulator->uarch->run->destroy(simulator->external);
    pie_host_free(simulator->host);
    free(simulator->scratch);
    free(simulator);
}

/* Between the guest's stream and the model. */
typedef struct stream_feed {
    const pie_simulator *simulator;
    void *instance;
    uint64_t cycle_limit;
    pie_simulation *result;
    bool keep_blocks;
    pie_block **blocks; /* by id, for profiles */
    size_t n_blocks;
} stream_feed;

static pie_status keep_block(stream_feed *self, const uint64_t *record)
{
    const uint32_t id = pie_record_argument(record[0]);
    const size_t n_bytes = (pie_record_words(record[0]) - 1) * sizeof *record;
    if (id >= self->n_blocks) {
        const size_t n = (size_t)id * 2 + 64;
        pie_block **grown = realloc(self->blocks, n * sizeof *grown);
        if (!grown)
            return PIE_ERR_NOMEM;
        memset(grown + self->n_blocks, 0, (n - self->n_blocks) * sizeof *grown);
        self->blocks = grown;
        self->n_blocks = n;
    }
    free(self->blocks[id]);
    self->blocks[id] = malloc(n_bytes);
    if (!self->blocks[id])
        return PIE_ERR_NOMEM;
    memcpy(self->blocks[id], record + 1, n_bytes);
    return PIE_OK;
}

/* Looks at the records of a batch one by one: for blocks to keep, and for the end of start-up.
 * *@ret_n = words up to and including that event, or all. */
static pie_status look_at(stream_feed *self, const uint64_t *words, size_t n_words, size_t *ret_n,
                          bool *ret_startup_end)
{
    for (size_t at = 0; at < n_words; at += pie_record_words(words[at])) {
        const uint32_t kind = pie_record_kind(words[at]);
        if (kind == PIE_RECORD_DESCRIBE && self->keep_blocks &&
            keep_block(self, words + at) != PIE_OK)
            return pie_log_nomem(self->simulator->log);
        if (kind == PIE_RECORD_EVENT && pie_record_argument(words[at]) == PIE_EVENT_STARTUP_END) {
            *ret_n = at + pie_record_words(words[at]);
            *ret_startup_end = true;
            return PIE_OK;
        }
    }
    *ret_n = n_words;
    return PIE_OK;
}

static pie_status feed_consume(void *context, const uint64_t *words, size_t n_words,
                               int32_t *ret_want)
{
    stream_feed *self = context;
    pie_simulation *result = self->result;
    const pie_uarch_trace_ops *ops = self->simulator->ops;
    for (size_t at = 0; at < n_words && !result->censored;) {
        size_t n = n_words - at, used = 0;
        bool startup_end = false;
        int32_t reason = PIE_CONSUMED_ALL;
        pie_status status = PIE_OK;
        if (self->keep_blocks || !result->startup_seen)
            status = look_at(self, words + at, n_words - at, &n, &startup_end);
        if (status == PIE_OK)
            status = ops->consume(self->instance, words + at, n, self->cycle_limit, &used, &reason);
        if (status != PIE_OK)
            return status;
        if (reason == PIE_CONSUMED_TO_LIMIT) {
            result->censored = true;
        } else if (used != n) {
            pie_log_error(self->simulator->log,
                          "CPU model %s took %zu of %zu words without a reason",
                          self->simulator->info->id, used, n);
            return PIE_ERR_CRASHED;
        } else if (startup_end) {
            pie_uarch_mark mark;
            ops->mark(self->instance, &mark);
            result->startup_cycles = mark.cycles;
            result->startup_seen = true;
        }
        at += used;
    }
    *ret_want = result->censored ? PIE_SINK_UNTRACED : PIE_SINK_CONTINUE;
    return PIE_OK;
}

static pie_status read_unknown_forms(const stream_feed *self)
{
    const pie_uarch_trace_ops *ops = self->simulator->ops;
    pie_simulation *result = self->result;
    uint64_t executions = 0;
    for (size_t i = 0; ops->unknown_form; i++) {
        const char *form = ops->unknown_form(self->instance, i, &executions);
        if (!form)
            break;
        char **grown = realloc(result->unknown_forms, (i + 1) * sizeof *grown);
        if (!grown)
            return PIE_ERR_NOMEM;
        result->unknown_forms = grown;
        grown[i] = pie_strf("%s %" PRIu64, form, executions);
        if (!grown[i])
            return PIE_ERR_NOMEM;
        result->n_unknown_forms++;
    }
    return PIE_OK;
}

static pie_status read_results(const stream_feed *self, const pie_log *log)
{
    const pie_simulator *simulator = self->simulator;
    pie_simulation *result = self->result;
    pie_uarch_mark mark;
    simulator->ops->mark(self->instance, &mark);
    result->cycles = mark.cycles;
    result->uops = mark.uops;
    if (!result->censored && mark.instructions != result->guest.instructions) {
        pie_log_error(log,
                      "CPU model %s counts %" PRIu64 " retired instructions, the tracer %" PRIu64
                      ": the model is broken",
                      simulator->info->id, mark.instructions, result->guest.instructions);
        return PIE_ERR_CRASHED;
    }
    result->counters = calloc(simulator->n_counters + 1, sizeof *result->counters);
    if (!result->counters)
        return PIE_ERR_NOMEM;
    result->n_counters = simulator->n_counters;
    simulator->ops->counters_read(self->instance, result->counters);
    return read_unknown_forms(self);
}

typedef struct profile_visit {
    const stream_feed *feed;
    const pie_simulation_spec *spec;
} profile_visit;

static pie_status visit_row(void *context, const pie_profile_row *row)
{
    const profile_visit *self = context;
    if (row->block_id >= self->feed->n_blocks || !self->feed->blocks[row->block_id])
        return PIE_ERR_DATA;
    return self->spec->visit(self->spec->context, self->feed->blocks[row->block_id], row);
}

/* Style `run`: the tracer says what the program does, the model how long it takes. */
static pie_status run_external(const pie_simulator *simulator, const pie_simulation_spec *spec,
                               const pie_log *log, pie_simulation *ret_simulation)
{
    pie_simulation result = {0};
    const pie_guest_spec guest = {.program_fd = spec->program_fd,
                                  .args = spec->args,
                                  .input = spec->input,
                                  .input_bytes = spec->input_bytes,
                                  .limits = spec->limits};
    pie_run_result measured = {0};
    pie_status status = pie_guest_run(&guest, log, &result.guest);
    if (status == PIE_OK && result.guest.verdict == PIE_VERDICT_PASSED) {
        const pie_external_spec external = {.ops = simulator->uarch->run,
                                            .instance = simulator->external,
                                            .scratch = simulator->scratch,
                                            .program_fd = spec->program_fd,
                                            .input = spec->input,
                                            .input_bytes = spec->input_bytes,
                                            .seconds = EXTERNAL_SECONDS};
        status = pie_external_run(&external, log, &measured);
    }
    if (status == PIE_OK && result.guest.verdict == PIE_VERDICT_PASSED) {
        if (!(measured.time >= 0 && measured.time < MAX_FIGURE)) {
            pie_log_error(log, "CPU model %s read a time of %g", simulator->info->id,
                          measured.time);
            pie_simulation_free(&result);
            return PIE_ERR_CRASHED;
        }
        if (simulator->uarch->flags & PIE_UARCH_SECONDS)
            result.seconds = measured.time;
        else
            result.cycles = (uint64_t)measured.time;
        result.counters = calloc(simulator->n_counters + 1, sizeof *result.counters);
        if (!result.counters)
            status = pie_log_nomem(log);
        result.n_counters = status == PIE_OK ? simulator->n_counters : 0;
        for (size_t i = 0; i < result.n_counters; i++)
            if (measured.counters && measured.counters[i] > 0 && measured.counters[i] < MAX_FIGURE)
                result.counters[i] = (uint64_t)measured.counters[i];
    }
    if (status == PIE_OK)
        *ret_simulation = result;
    else
        pie_simulation_free(&result);
    return status;
}

pie_status pie_simulator_run(pie_simulator *simulator, const pie_simulation_spec *spec,
                             const pie_log *log, pie_simulation *ret_simulation)
{
    if (!simulator->ops)
        return run_external(simulator, spec, log, ret_simulation);
    pie_simulation result = {0};
    stream_feed feed = {.simulator = simulator,
                        .cycle_limit = spec->cycle_limit,
                        .result = &result,
                        .keep_blocks = spec->profile && spec->visit && simulator->ops->profile};
    const pie_trace_sink sink = {.context = &feed, .consume = feed_consume};
    const pie_guest_spec guest = {.program_fd = spec->program_fd,
                                  .args = spec->args,
                                  .input = spec->input,
                                  .input_bytes = spec->input_bytes,
                                  .limits = spec->limits,
                                  .sink = &sink};
    pie_status status = new_instance(simulator, spec->page_map, spec->profile, &feed.instance);
    if (status == PIE_OK)
        status = pie_guest_run(&guest, log, &result.guest);
    if (status == PIE_OK && result.guest.verdict != PIE_VERDICT_INFRA_ERROR)
        status = read_results(&feed, log);
    if (status == PIE_OK && feed.keep_blocks) {
        profile_visit visiting = {&feed, spec};
        status = simulator->ops->profile(feed.instance, visit_row, &visiting);
    }
    if (feed.instance)
        simulator->ops->destroy(feed.instance);
    for (size_t i = 0; i < feed.n_blocks; i++)
        free(feed.blocks[i]);
    free(feed.blocks);
    if (status == PIE_OK)
        *ret_simulation = result;
    else
        pie_simulation_free(&result);
    return status;
}

void pie_simulation_free(pie_simulation *simulation)
{
    pie_guest_result_free(&simulation->guest);
    free(simulation->counters);
    for (size_t i = 0; i < simulation->n_unknown_forms; i++)
        free(simulation->unknown_forms[i]);
    free(simulation->unknown_forms);
    *simulation = (pie_simulation){0};
}
