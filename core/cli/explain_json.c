/* explain_json.c - the figures of `pie stat` as JSON. See explain.h */
#include "cli/annotate.h"
#include "cli/explain.h"
#include "pipeline/record.h"

#include <stdlib.h>
#include <string.h>

/* Adds @value, which may be NULL for no memory; false: no memory. */
static bool add(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

static json_t *counters_json(const pie_stat_run *run, bool topdown)
{
    json_t *object = json_object();
    for (size_t c = 0; object && c < run->simulation.n_counters; c++) {
        const pie_counter *counter = &run->counters[c];
        if (pie_counter_is_topdown(counter) == topdown &&
            !add(object, topdown ? pie_counter_topdown_name(counter) : counter->name,
                 json_integer((json_int_t)run->simulation.counters[c]))) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *ports_json(const pie_stat_run *run)
{
    json_t *array = json_array();
    for (size_t c = 0; array && c < run->simulation.n_counters; c++) {
        const uint64_t uops = run->simulation.counters[c];
        if (pie_counter_is_port(&run->counters[c]) &&
            json_array_append_new(array, json_pack("{s:s,s:I,s:f}", "name", run->counters[c].name,
                                                   "uops", (json_int_t)uops, "per_cycle",
                                                   pie_stat_share(run, uops))) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *fallbacks_json(const pie_stat_run *run)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < run->simulation.n_unknown_forms; i++) {
        const char *form = run->simulation.unknown_forms[i], *blank = strrchr(form, ' ');
        if (json_array_append_new(
                array, json_pack("{s:s%,s:I}", "form", form, (size_t)(blank - form), "executions",
                                 (json_int_t)strtoll(blank + 1, NULL, 10))) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* What functions and blocks have in common. */
static json_t *span_json(const pie_stat_run *run, const pie_profile_span *span)
{
    const pie_profile_insn *first = &run->profile.insns[span->first];
    const pie_profile_costs *costs = &span->costs;
    return json_pack("{s:s?,s:I,s:I,s:I,s:f,s:I,s:I,s:I,s:I,s:I}", "name",
                     first->symbol ? first->symbol->name : NULL, "address",
                     (json_int_t)span->address, "end", (json_int_t)span->end, "cycles",
                     (json_int_t)costs->cycles, "share", pie_stat_share(run, costs->cycles),
                     "instructions", (json_int_t)costs->executions, "l1d_misses",
                     (json_int_t)costs->l1d_misses, "l2_misses", (json_int_t)costs->l2_misses,
                     "l3_misses", (json_int_t)costs->l3_misses, "branch_misses",
                     (json_int_t)costs->branch_misses);
}

static json_t *functions_json(const pie_stat_run *run, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < n; i++)
        if (json_array_append_new(array, span_json(run, &run->profile.functions[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static json_t *blocks_json(const pie_stat_run *run, size_t n)
{
    const pie_profile *profile = &run->profile;
    json_t *array = json_array();
    for (size_t i = 0; array && i < n; i++) {
        const pie_profile_span *span = &profile->blocks[i];
        const pie_profile_insn *first = &profile->insns[span->first];
        json_t *block = span_json(run, span);
        const uint64_t offset =
            first->symbol ? first->address - profile->bias - first->symbol->address : 0;
        if (!block || !add(block, "offset", json_integer((json_int_t)offset)) ||
            !add(block, "executions", json_integer((json_int_t)first->costs.executions))) {
            json_decref(block);
            block = NULL;
        }
        if (json_array_append_new(array, block) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static bool add_profile(json_t *json, const pie_stat_run *run, const pie_explain_options *options)
{
    const pie_profile *profile = &run->profile;
    return add(json, "profiled_cycles", json_integer((json_int_t)profile->cycles)) &&
           add(json, "functions",
               functions_json(run, pie_first_of(profile->n_functions, options->top))) &&
           add(json, "blocks", blocks_json(run, pie_first_of(profile->n_blocks, options->top))) &&
           (!options->annotate || add(json, "annotation", pie_annotate_json(run, options)));
}

json_t *pie_explain_json(const pie_stat_run *run, const pie_explain_options *options)
{
    const pie_simulation *simulation = &run->simulation;
    const pie_guest_result *guest = &simulation->guest;
    json_t *json = json_pack(
        "{s:o,s:s,s:s,s:I,s:I,s:I,s:f,s:f,s:{s:I,s:I},s:o,s:o,s:o,s:I,s:o,s:{s:o,s:i,s:i,s:o,s:s,"
        "s:I,s:I}}",
        "program", pie_json_text(run->program), "uarch", run->uarch->id, "verdict",
        pie_verdict_name(guest->verdict), "cycles", (json_int_t)simulation->cycles, "instructions",
        (json_int_t)guest->instructions, "uops", (json_int_t)simulation->uops, "ipc",
        pie_stat_ipc(run), "seconds", pie_stat_seconds(run), "startup", "cycles",
        (json_int_t)simulation->startup_cycles, "instructions",
        (json_int_t)guest->startup_instructions, "counters", counters_json(run, false), "topdown",
        counters_json(run, true), "ports", ports_json(run), "unknown_forms",
        (json_int_t)pie_stat_unknown_forms(run), "fallbacks", fallbacks_json(run), "guest",
        "reason", pie_json_text(guest->reason), "exit", guest->exit_status, "signal", guest->signal,
        "function", pie_json_text(guest->function), "engine", pie_guest_engine_version(NULL),
        "peak_bytes", (json_int_t)guest->peak_bytes, "output_bytes", (json_int_t)guest->output.n);
    if (json && ((options->profile && !add_profile(json, run, options)) ||
                 !add(json, "host",
                      json_pack("{s:f,s:f}", "wall_s", run->wall_s, "mips", pie_stat_mips(run))))) {
        json_decref(json);
        return NULL;
    }
    return json;
}
