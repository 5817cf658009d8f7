/* annotate.c - see annotate.h */
#include "cli/annotate.h"

#include "pipeline/record.h"
#include "trace/disassemble.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 512, N_MISSES = 4 };

static const char *const miss_names[N_MISSES] = {"l1d_misses", "l2_misses", "l3_misses",
                                                 "branch_misses"};
static const char *const miss_heads[N_MISSES] = {"L1D%", "L2%", "L3%", "br%"};

static uint64_t misses_of(const pie_profile_costs *costs, size_t kind)
{
    const uint64_t misses[N_MISSES] = {costs->l1d_misses, costs->l2_misses, costs->l3_misses,
                                       costs->branch_misses};
    return misses[kind];
}

/* Is @span called @symbol: by name, or by an address in it? */
static bool is_called(const pie_profile *profile, const pie_profile_span *span, const char *symbol)
{
    const pie_profile_insn *first = &profile->insns[span->first];
    char *end, name[PIE_PROFILE_NAME_BYTES];
    if (first->symbol && (strcmp(first->symbol->name, symbol) == 0 ||
                          strcmp(pie_profile_function(first, name), symbol) == 0))
        return true;
    if (strncmp(symbol, "0x", 2) != 0)
        return false;
    const uint64_t address = strtoull(symbol, &end, 16);
    return *end == '\0' && address >= span->address && address < span->end;
}

const pie_profile_span *pie_annotate_find(const pie_profile *profile, const char *symbol)
{
    for (size_t i = 0; i < profile->n_functions; i++) /* the hottest first */
        if (!symbol || is_called(profile, &profile->functions[i], symbol))
            return &profile->functions[i];
    return NULL;
}

static double cpi_of(const pie_profile_costs *costs)
{
    return pie_ratio((double)costs->cycles, (double)costs->executions);
}

/* Targets of jumps within the function stay addresses: those are what the eye looks for. */
typedef struct naming {
    const pie_profile *profile;
    const pie_profile_span *span;
} naming;

static int name_target(const void *context, uint64_t address, char *text, size_t size)
{
    const naming *self = context;
    if (address > self->span->address && address < self->span->end)
        return 0;
    return pie_profile_name(self->profile, address, text, size);
}

static void print_share(double share, FILE *out)
{
    if (share >= 0.00005)
        fprintf(out, "%6.2f", 100 * share);
    else
        fprintf(out, "%6s", "");
}

static void print_insn(const pie_stat_run *run, const naming *names, const pie_profile_insn *insn,
                       const bool *shown_misses, FILE *out)
{
    const pie_profile_costs *costs = &insn->costs;
    char number[32], text[TEXT_BYTES];
    print_share(pie_stat_share(run, costs->cycles), out);
    fprintf(out, " %15s %6.2f", pie_grouped(costs->executions, number), cpi_of(costs));
    for (size_t k = 0; k < N_MISSES; k++) {
        if (!shown_misses[k])
            continue;
        if (misses_of(costs, k))
            fprintf(out, " %5.1f",
                    100 * pie_ratio((double)misses_of(costs, k), (double)costs->executions));
        else
            fprintf(out, " %5s", "");
    }
    pie_disassemble(insn->address, insn->bytes, insn->length, name_target, names, text,
                    sizeof text);
    fprintf(out, " %8" PRIx64 "  %s\n", insn->address, text);
}

void pie_annotate_print(const pie_stat_run *run, const pie_explain_options *options, FILE *out)
{
    const pie_profile *profile = &run->profile;
    const pie_profile_span *span = pie_annotate_find(profile, options->symbol);
    char name[PIE_PROFILE_NAME_BYTES];
    bool shown_misses[N_MISSES];
    if (!span) {
        fprintf(out, "\n no instruction of %s was executed\n",
                options->symbol ? options->symbol : "it");
        return;
    }
    const naming names = {profile, span};
    fprintf(out, "\n %s, %.1f %% of the cycles\n\n",
            pie_profile_function(&profile->insns[span->first], name),
            100 * pie_stat_share(run, span->costs.cycles));
    fprintf(out, "%6s %15s %6s", "share%", "executions", "CPI");
    for (size_t k = 0; k < N_MISSES; k++) {
        shown_misses[k] = misses_of(&span->costs, k) > 0;
        if (shown_misses[k])
            fprintf(out, " %5s", miss_heads[k]);
    }
    fprintf(out, " %8s  %s\n", "address", "instruction");
    for (size_t i = span->first; i < span->first + span->n; i++) {
        const pie_profile_insn *insn = &profile->insns[i];
        if (i > span->first && insn->address > insn[-1].address + insn[-1].length)
            fputs("   ...\n", out); /* code that was not executed */
        print_insn(run, &names, insn, shown_misses, out);
    }
}

static json_t *insn_json(const pie_stat_run *run, const pie_profile_insn *insn)
{
    static const char digits[] = "0123456789abcdef";
    const pie_profile_costs *costs = &insn->costs;
    char hex[2 * PIE_PROFILE_INSN_BYTES + 1] = "", text[TEXT_BYTES];
    for (size_t i = 0; i < insn->length && i < PIE_PROFILE_INSN_BYTES; i++) {
        hex[2 * i] = digits[insn->bytes[i] >> 4];
        hex[2 * i + 1] = digits[insn->bytes[i] & 15];
    }
    pie_disassemble(insn->address, insn->bytes, insn->length, pie_profile_name, &run->profile, text,
                    sizeof text);
    json_t *json = json_pack("{s:I,s:s,s:s,s:I,s:I,s:f,s:f}", "address", (json_int_t)insn->address,
                             "bytes", hex, "text", text, "executions",
                             (json_int_t)costs->executions, "cycles", (json_int_t)costs->cycles,
                             "share", pie_stat_share(run, costs->cycles), "cpi", cpi_of(costs));
    for (size_t k = 0; json && k < N_MISSES; k++)
        if (json_object_set_new(json, miss_names[k],
                                json_integer((json_int_t)misses_of(costs, k))) != 0) {
            json_decref(json);
            json = NULL;
        }
    return json;
}

json_t *pie_annotate_json(const pie_stat_run *run, const pie_explain_options *options)
{
    const pie_profile *profile = &run->profile;
    const pie_profile_span *span = pie_annotate_find(profile, options->symbol);
    if (!span)
        return json_null();
    const pie_profile_insn *first = &profile->insns[span->first];
    json_t *array = json_array();
    for (size_t i = 0; array && i < span->n; i++)
        if (json_array_append_new(array, insn_json(run, &first[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    return json_pack("{s:s?,s:I,s:o}", "name", first->symbol ? first->symbol->name : NULL,
                     "address", (json_int_t)span->address, "instructions", array);
}
