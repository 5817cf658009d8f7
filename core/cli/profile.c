/* profile.c - see profile.h */
#include "cli/profile.h"

#include "base/demangle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

pie_status pie_profile_init(pie_profile *profile, pie_buf *elf, const pie_log *log)
{
    *profile = (pie_profile){.elf = *elf};
    *elf = (pie_buf){0};
    if (pie_symbols_new(pie_buf_text(&profile->elf), profile->elf.n, &profile->symbols) == PIE_OK)
        return PIE_OK;
    pie_profile_free(profile);
    return pie_log_nomem(log);
}

void pie_profile_free(pie_profile *profile)
{
    pie_symbols_free(profile->symbols);
    pie_buf_free(&profile->elf);
    free(profile->insns);
    free(profile->functions);
    free(profile->blocks);
    *profile = (pie_profile){0};
}

static void add_costs(pie_profile_costs *sum, const pie_profile_costs *more)
{
    sum->executions += more->executions;
    sum->cycles += more->cycles;
    sum->l1d_misses += more->l1d_misses;
    sum->l2_misses += more->l2_misses;
    sum->l3_misses += more->l3_misses;
    sum->branch_misses += more->branch_misses;
}

pie_status pie_profile_visit(void *context, const pie_block *block, const pie_profile_row *row)
{
    pie_profile *self = context;
    if (row->insn >= block->n_insns)
        return PIE_ERR_DATA;
    if (!self->entry_seen) /* blocks come in the order of their first execution */
        self->entry_seen = pie_symbols_is_entry(
            self->symbols, block->address, pie_block_bytes(block), block->n_bytes, &self->bias);
    if (self->n_insns == self->capacity) {
        const size_t capacity = self->capacity ? 2 * self->capacity : 4096;
        pie_profile_insn *grown = realloc(self->insns, capacity * sizeof *grown);
        if (!grown)
            return PIE_ERR_NOMEM;
        self->insns = grown;
        self->capacity = capacity;
    }
    const pie_insn *insn = pie_block_insn(block, row->insn);
    pie_profile_insn *to = &self->insns[self->n_insns++];
    *to = (pie_profile_insn){.address = block->address + insn->offset,
                             .length = insn->length,
                             .is_branch = insn->branch != PIE_BRANCH_NONE,
                             .costs = {row->executions, row->cycles, row->l1d_misses,
                                       row->l2_misses, row->l3_misses, row->branch_misses}};
    const size_t n = insn->length < sizeof to->bytes ? insn->length : sizeof to->bytes;
    memcpy(to->bytes, pie_block_bytes(block) + insn->offset, n);
    self->cycles += row->cycles;
    return PIE_OK;
}

/* ---- sums ---- */

/* Changed code has several instructions at one address: they stay apart. */
static int by_address(const void *a, const void *b)
{
    const pie_profile_insn *x = a, *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    if (x->length != y->length)
        return x->length < y->length ? -1 : 1;
    return memcmp(x->bytes, y->bytes, sizeof x->bytes);
}

static int by_cycles(const void *a, const void *b)
{
    const pie_profile_span *x = a, *y = b;
    if (x->costs.cycles != y->costs.cycles)
        return x->costs.cycles > y->costs.cycles ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

static void merge(pie_profile *self)
{
    size_t n = 0;
    if (self->n_insns > 0)
        qsort(self->insns, self->n_insns, sizeof *self->insns, by_address);
    for (size_t i = 0; i < self->n_insns; i++) {
        if (n > 0 && by_address(&self->insns[n - 1], &self->insns[i]) == 0)
            add_costs(&self->insns[n - 1].costs, &self->insns[i].costs);
        else
            self->insns[n++] = self->insns[i];
    }
    self->n_insns = n;
    for (size_t i = 0; i < n; i++) {
        pie_profile_insn *insn = &self->insns[i];
        const uint64_t linked = insn->address - self->bias;
        insn->is_outside = !pie_symbols_is_code(self->symbols, linked);
        insn->symbol = insn->is_outside ? NULL : pie_symbols_find(self->symbols, linked);
    }
}

static bool is_adjacent(const pie_profile_insn *before, const pie_profile_insn *insn)
{
    return before->address + before->length == insn->address;
}

static bool is_same_function(const pie_profile_insn *before, const pie_profile_insn *insn)
{
    return before->symbol == insn->symbol && before->is_outside == insn->is_outside &&
           (insn->symbol || is_adjacent(before, insn));
}

static bool is_same_block(const pie_profile_insn *before, const pie_profile_insn *insn)
{
    return is_same_function(before, insn) && is_adjacent(before, insn) && !before->is_branch &&
           before->costs.executions == insn->costs.executions;
}

/* Runs of instructions each of which is the @is_same as the one before. NULL: no memory. */
static pie_profile_span *spans_of(const pie_profile *self, size_t *ret_n,
                                  bool (*is_same)(const pie_profile_insn *,
                                                  const pie_profile_insn *))
{
    pie_profile_span *spans = calloc(self->n_insns + 1, sizeof *spans);
    size_t n = 0;
    if (!spans)
        return NULL;
    for (size_t i = 0; i < self->n_insns; i++) {
        const pie_profile_insn *insn = &self->insns[i];
        if (i == 0 || !is_same(&self->insns[i - 1], insn))
            spans[n++] = (pie_profile_span){.first = i, .address = insn->address};
        pie_profile_span *span = &spans[n - 1];
        span->n++;
        span->end = insn->address + insn->length;
        add_costs(&span->costs, &insn->costs);
    }
    if (n > 0)
        qsort(spans, n, sizeof *spans, by_cycles);
    *ret_n = n;
    return spans;
}

pie_status pie_profile_finish(pie_profile *profile, const pie_log *log)
{
    merge(profile);
    profile->functions = spans_of(profile, &profile->n_functions, is_same_function);
    profile->blocks = spans_of(profile, &profile->n_blocks, is_same_block);
    return profile->functions && profile->blocks ? PIE_OK : pie_log_nomem(log);
}

/* ---- names ---- */

int pie_profile_name(const void *profile, uint64_t address, char *text, size_t size)
{
    const pie_profile *self = profile;
    const pie_symbol *symbol = pie_symbols_find(self->symbols, address - self->bias);
    if (!symbol)
        return 0;
    pie_demangle(symbol->name, text, size);
    const size_t n = strlen(text);
    const uint64_t offset = address - self->bias - symbol->address;
    if (offset)
        snprintf(text + n, size - n, "+0x%" PRIx64, offset);
    return 1;
}

const char *pie_profile_function(const pie_profile_insn *insn, char text[PIE_PROFILE_NAME_BYTES])
{
    if (insn->symbol)
        pie_demangle(insn->symbol->name, text, PIE_PROFILE_NAME_BYTES);
    else
        snprintf(text, PIE_PROFILE_NAME_BYTES, "0x%" PRIx64 "%s", insn->address,
                 insn->is_outside ? " (outside the program)" : "");
    return text;
}
