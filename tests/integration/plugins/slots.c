/* slots.c - a CPU model with issue slots and ports, for tests/integration/stat_explain.sh. Figures
 * that one knows by hand, of n instructions, l of them with a load, m of them multiplications:
 *
 *   cycles           n + 2 l     slots: 4 a cycle
 *   retiring         n           port 1: m   port 10: n - m
 *   memory bound     8 l         core bound: the rest
 *   unknown forms    those called IMUL*
 *
 * It keeps no profile. */
#include "pie/uarch.h"

#include <stdlib.h>
#include <string.h>

enum { N_BLOCKS = 1 << 16 };

typedef struct block {
    uint32_t n, loads, products;
} block;

typedef struct slots {
    block blocks[N_BLOCKS];
    uint64_t n, loads, products;
} slots;

static const pie_counter counters[] = {{"cycles", "cycles", "three for a load, else one"},
                                       {"instructions", "instructions", "retired"},
                                       {"uops", "uops", "as many"},
                                       {"unknown_forms", "instructions", "multiplications"},
                                       {"topdown_retiring", "slots", "one per instruction"},
                                       {"topdown_bad_speculation", "slots", "none"},
                                       {"topdown_frontend_bound", "slots", "none"},
                                       {"topdown_core_bound", "slots", "three per instruction"},
                                       {"topdown_memory_bound", "slots", "eight per load"},
                                       {"slots.port1", "uops", "multiplications"},
                                       {"slots.port10", "uops", "all others"},
                                       {"slots.ports", "uops", "no port"},
                                       {NULL, NULL, NULL}};

static pie_status slots_create(const pie_host *host, const pie_uarch_setup *setup, void **ret_self)
{
    (void)host;
    (void)setup;
    *ret_self = calloc(1, sizeof(slots));
    return *ret_self ? PIE_OK : PIE_ERR_NOMEM;
}

static block sum_of(const pie_block *detail)
{
    block sum = {.n = detail->n_insns};
    for (size_t i = 0; i < detail->n_insns; i++) {
        const pie_insn *insn = pie_block_insn(detail, i);
        uint32_t load = 0;
        for (size_t k = 0; k < insn->n_mems; k++)
            if (pie_block_mem(detail, insn, k)->flags & PIE_MEM_READ)
                load = 1;
        sum.loads += load;
        sum.products += strncmp(pie_block_string(detail, insn->form), "IMUL", 4) == 0;
    }
    return sum;
}

/* A CUT counts as the whole block: the tests have none. */
static pie_status slots_consume(void *instance, const uint64_t *words, size_t n_words,
                                uint64_t cycle_limit, size_t *ret_used, int32_t *ret_reason)
{
    slots *self = instance;
    (void)cycle_limit;
    for (const uint64_t *at = words; at < words + n_words; at += pie_record_words(*at)) {
        const uint32_t kind = pie_record_kind(*at), id = pie_record_argument(*at);
        if (kind == PIE_RECORD_EVENT)
            continue;
        if (id >= N_BLOCKS)
            return PIE_ERR_DATA;
        if (kind == PIE_RECORD_DESCRIBE)
            self->blocks[id] = sum_of((const pie_block *)(const void *)(at + 1));
        if (kind == PIE_RECORD_BLOCK || kind == PIE_RECORD_REP) {
            self->n += self->blocks[id].n;
            self->loads += self->blocks[id].loads;
            self->products += self->blocks[id].products;
        }
    }
    *ret_used = n_words;
    *ret_reason = PIE_CONSUMED_ALL;
    return PIE_OK;
}

static void slots_mark(const void *instance, pie_uarch_mark *ret_mark)
{
    const slots *self = instance;
    *ret_mark = (pie_uarch_mark){
        .cycles = self->n + 2 * self->loads, .instructions = self->n, .uops = self->n};
}

static void slots_read(const void *instance, uint64_t *ret_values)
{
    const slots *self = instance;
    const uint64_t values[] = {self->n + 2 * self->loads,
                               self->n,
                               self->n,
                               self->products,
                               self->n,
                               0,
                               0,
                               3 * self->n,
                               8 * self->loads,
                               self->products,
                               self->n - self->products,
                               7};
    memcpy(ret_values, values, sizeof values);
}

static const char *slots_unknown(const void *instance, size_t index, uint64_t *ret_executions)
{
    const slots *self = instance;
    if (index > 0 || self->products == 0)
        return NULL;
    *ret_executions = self->products;
    return "IMUL";
}

static const pie_uarch_trace_ops trace_ops = {.counters = counters,
                                              .create = slots_create,
                                              .destroy = free,
                                              .consume = slots_consume,
                                              .mark = slots_mark,
                                              .counters_read = slots_read,
                                              .unknown_form = slots_unknown};
static const pie_uarch_ops ops = {
    .style = PIE_UARCH_TRACE, .flags = PIE_UARCH_DETERMINISTIC, .trace = &trace_ops};
static const pie_plugin plugin = {.kind = PIE_KIND_UARCH,
                                  .id = "org.test.slots",
                                  .version = "1.0.0",
                                  .summary = "Issue slots and ports that one can count by hand.",
                                  .licence = "MIT",
                                  .ops = &ops};
PIE_MODULE(&plugin);
