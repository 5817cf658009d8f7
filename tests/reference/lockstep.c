/* lockstep.c - see lockstep.h */
#include "reference/lockstep.h"

#include "core.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_FOLDER PIE_SOURCE "/uarch-models/skylake"

enum { AHEAD = 1 << 17, CONTEXT = 32 };

extern const pie_module pie_module_entry; /* of ooo.c */

struct lockstep {
    const lockstep_setup *setup;
    bench_model model;
    void *engine;
    ref_model *reference;
    ref_record *engine_records; /* ring by number */
    uint64_t n_engine, n_compared, n_uops;
    ref_record before[CONTEXT][2]; /* what was compared last: engine, reference */
    bool differs;
};

static lockstep *observed; /* the engine's observer has no context */

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "lockstep: %s\n", what);
        abort();
    }
}

static void add_engine_record(const ref_record *record)
{
    must(observed->n_engine - observed->n_compared < AHEAD, "the reference does not keep up");
    observed->engine_records[observed->n_engine++ % AHEAD] = *record;
}

static void observe_uop(const ooo_event *event)
{
    add_engine_record(&(ref_record){.kind = REF_UOP,
                                    .uop = event->uop,
                                    .address = event->address,
                                    .class = event->class,
                                    .port = event->port,
                                    .issued = event->issued,
                                    .dispatched = event->dispatched,
                                    .completed = event->completed});
}

static void observe_slot(ooo_cycle retired)
{
    add_engine_record(&(ref_record){.kind = REF_SLOT, .retired = retired});
}

/* ---- comparison -------------------------------------------------------------------------------
 */

static bool same(const ref_record *engine, const ref_record *reference)
{
    if (engine->kind != reference->kind)
        return false;
    if (engine->kind == REF_SLOT)
        return engine->retired == reference->retired;
    return engine->uop == reference->uop && engine->address == reference->address &&
           engine->class == reference->class && engine->port == reference->port &&
           engine->issued == reference->issued && engine->dispatched == reference->dispatched &&
           engine->completed == reference->completed;
}

static void print_record(const ref_record *r)
{
    if (r->kind == REF_UOP)
        printf(" %c p%u %9" PRIu64 " %9" PRIu64 " %9" PRIu64 "          |", r->class, r->port,
               r->issued, r->dispatched, r->completed);
    else if (r->kind == REF_SLOT)
        printf(" slot %37" PRIu64 " |", r->retired);
    else
        printf(" %42s |", "nothing");
}

static void print_line(lockstep *run, const ref_record pair[2])
{
    const ref_record *r = &pair[1];
    printf("%c %8" PRIx64, same(&pair[0], r) ? ' ' : '*', r->address);
    if (r->kind == REF_SLOT)
        printf("    ");
    else
        printf(" %3d", r->uop == UINT32_MAX ? -1 : (int)r->uop);
    print_record(&pair[0]);
    print_record(&pair[1]);
    printf(" %s\n", r->kind == REF_UOP || r->kind == REF_SLOT
                        ? ref_model_name(run->reference, r->address)
                        : "");
}

static void print_difference(lockstep *run)
{
    printf("first difference, after %" PRIu64 " equal records:\n", run->n_compared - 1);
    printf("  address  uop   engine: port issued dispatched complete retired |   reference\n");
    const uint64_t last = run->n_compared - 1;
    for (uint64_t i = last < CONTEXT - 1 ? 0 : last - (CONTEXT - 1); i <= last; i++)
        print_line(run, run->before[i % CONTEXT]);
    for (int i = 0; i < 6; i++) {
        ref_record pair[2] = {{0}};
        if (run->n_compared < run->n_engine)
            pair[0] = run->engine_records[run->n_compared++ % AHEAD];
        if (ref_model_next(run->reference, &pair[1]))
            print_line(run, pair);
    }
}

static bool compare(lockstep *run)
{
    ref_record record;
    while (!run->differs && run->n_compared < run->n_engine &&
           ref_model_next(run->reference, &record)) {
        const ref_record engine = run->engine_records[run->n_compared % AHEAD];
        ref_record *kept = run->before[run->n_compared % CONTEXT];
        run->n_compared++;
        kept[0] = engine;
        kept[1] = record;
        run->n_uops += record.kind == REF_UOP;
        if (!same(&engine, &record)) {
            run->differs = true;
            print_difference(run);
        }
    }
    return !run->differs;
}

/* ---- setting up -------------------------------------------------------------------------------
 */

void lockstep_open(lockstep_setup *setup)
{
    *setup = (lockstep_setup){0};
    const pie_plugin *plugin = pie_module_entry.plugins[0];
    setup->info = (pie_plugin_info){
        .options = plugin->options, .folder = MODEL_FOLDER, .short_name = "skylake"};
    setup->bench =
        (model_bench){.info = &setup->info, .ops = ((const pie_uarch_ops *)plugin->ops)->trace};
    bench_model model;
    bench_configure(&setup->bench, NULL, &model);
    must(ooo_table_load(MODEL_FOLDER "/instructions.tsv", model.host, &setup->table) == PIE_OK,
         "the table cannot be read");
    bench_release(&model);
}

void lockstep_close(lockstep_setup *setup)
{
    ooo_table_free(setup->table);
}

static void get_copies(const pie_host *host, ref_params *params)
{
    const char *const *items;
    size_t n;
    must(host->get_strings(host, "lsd_copies", &items, &n) == PIE_OK && n <= 16, "lsd_copies");
    for (size_t i = 0; i < n; i++)
        must(sscanf(items[i], "%" SCNu32 ":%" SCNu32, &params->lsd_copies[i].up_to,
                    &params->lsd_copies[i].copies) == 2,
             "lsd_copies");
    params->n_lsd_copies = n;
}

static ref_params get_params(const pie_host *host)
{
    ref_params p = {0};
    const struct {
        const char *name;
        uint32_t *value;
    } numbers[] = {{"predecode_width", &p.predecode_width},
                   {"instruction_queue", &p.instruction_queue},
                   {"predecode_delay", &p.predecode_delay},
                   {"decoders", &p.decoders},
                   {"uop_queue", &p.uop_queue},
                   {"dsb_width", &p.dsb_width},
                   {"dsb_window", &p.dsb_window},
                   {"dsb_lines", &p.dsb_lines},
                   {"dsb_line_uops", &p.dsb_line_uops},
                   {"dsb_sets", &p.dsb_sets},
                   {"dsb_ways", &p.dsb_ways},
                   {"ms_width", &p.ms_width},
                   {"dsb_ms_stall", &p.dsb_ms_stall},
                   {"issue_width", &p.issue_width},
                   {"retire_width", &p.retire_width},
                   {"rob", &p.rob},
                   {"scheduler", &p.scheduler},
                   {"load_buffer", &p.load_buffer},
                   {"store_buffer", &p.store_buffer},
                   {"integer_registers", &p.integer_registers},
                   {"vector_registers", &p.vector_registers},
                   {"elimination_integer", &p.elimination_integer},
                   {"elimination_vector", &p.elimination_vector},
                   {"dispatch_delay", &p.dispatch_delay},
                   {"load_latency", &p.load_latency},
                   {"load_latency_pointer", &p.load_latency_pointer},
                   {"load_latency_vector", &p.load_latency_vector},
                   {"load_latency_wide", &p.load_latency_wide},
                   {"store_address_latency", &p.store_address_latency},
                   {"forward_latency", &p.forward_latency},
                   {"forward_failed", &p.forward_failed},
                   {"alias_penalty", &p.alias_penalty},
                   {"split_penalty", &p.split_penalty}};
    const struct {
        const char *name;
        bool *value;
    } switches[] = {{"fusible_last", &p.fusible_last},
                    {"dsb_both_halves", &p.dsb_both_halves},
                    {"jcc_mitigation", &p.jcc_mitigation},
                    {"lsd", &p.lsd}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        int64_t value;
        must(host->get_int(host, numbers[i].name, &value) == PIE_OK, numbers[i].name);
        *numbers[i].value = (uint32_t)value;
    }
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        int32_t value;
        must(host->get_bool(host, switches[i].name, &value) == PIE_OK, switches[i].name);
        *switches[i].value = value != 0;
    }
    get_copies(host, &p);
    return p;
}

lockstep *lockstep_begin(const lockstep_setup *setup, const char *parameters, bool one_frame)
{
    lockstep *run = calloc(1, sizeof *run);
    must(run != NULL, "no memory");
    run->setup = setup;
    bench_configure(&setup->bench, parameters, &run->model);
    run->model.subject.setup.profile = 0;
    run->model.subject.setup.page_map = one_frame ? PIE_PAGE_MAP_ONE_FRAME : PIE_PAGE_MAP_IDENTITY;
    must(setup->bench.ops->create(run->model.host, &run->model.subject.setup, &run->engine) ==
             PIE_OK,
         "the engine cannot be made");
    ref_params params = get_params(run->model.host);
    params.one_frame = one_frame;
    run->reference = ref_model_new(&params, setup->table);
    run->engine_records = malloc(AHEAD * sizeof *run->engine_records);
    must(run->engine_records != NULL, "no memory");
    return run;
}

bool lockstep_consume(lockstep *run, const uint64_t *words, size_t n)
{
    observed = run;
    ooo_observe = observe_uop;
    ooo_observe_slot = observe_slot;
    for (size_t at = 0; at < n && !run->differs;) { /* piece by piece: neither runs far ahead */
        size_t end = at;
        while (end < n && end - at < 512)
            end += pie_record_words(words[end]);
        size_t used;
        int32_t reason;
        must(run->setup->bench.ops->consume(run->engine, words + at, end - at, UINT64_MAX, &used,
                                            &reason) == PIE_OK &&
                 used == end - at,
             "the engine does not take the stream");
        ref_model_consume(run->reference, words + at, end - at);
        compare(run);
        at = end;
    }
    ooo_observe = NULL;
    ooo_observe_slot = NULL;
    return !run->differs;
}

uint64_t lockstep_uops(const lockstep *run)
{
    return run->n_uops;
}

bool lockstep_end(lockstep *run, uint64_t *ret_uops)
{
    const uint64_t end[] = {pie_record_header(PIE_RECORD_EVENT, 2, PIE_EVENT_END), 0};
    if (lockstep_consume(run, end, 2)) { /* the engine waits for what follows */
        ref_model_finish(run->reference);
        compare(run);
    }
    if (!run->differs && run->n_compared < run->n_engine) {
        printf("the reference has fewer records than the engine\n");
        run->differs = true;
    }
    ref_record rest;
    if (!run->differs && ref_model_next(run->reference, &rest)) {
        printf("the engine has fewer records than the reference\n");
        run->differs = true;
    }
    const bool equal = !run->differs;
    *ret_uops += run->n_uops;
    run->setup->bench.ops->destroy(run->engine);
    ref_model_free(run->reference);
    bench_release(&run->model);
    free(run->engine_records);
    free(run);
    return equal;
}
