/* machine.c - the reference from outside: stream in, records out; cycle by cycle, and back. */
#include "reference/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ref_panic(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: reference model: %s does not hold\n", file, line, what);
    abort();
}

static void *need_memory(void *memory)
{
    REF_CHECK(memory != NULL);
    return memory;
}

ref_model *ref_model_new(const ref_params *params, const ooo_table *table)
{
    ref_model *model = need_memory(calloc(1, sizeof *model));
    model->params = *params;
    model->table = table;
    model->program = need_memory(calloc(REF_PROGRAM, sizeof *model->program));
    model->records = need_memory(calloc(REF_RECORDS, sizeof *model->records));
    model->state = need_memory(calloc(1, sizeof *model->state));
    model->begin = need_memory(calloc(1, sizeof *model->begin));
    return model;
}

void ref_model_free(ref_model *model)
{
    if (!model)
        return;
    for (size_t i = 0; i < model->n_blocks; i++)
        free(model->blocks[i]);
    for (size_t i = 0; i < REF_SAVED; i++)
        free(model->saved[i].state);
    free(model->blocks);
    free(model->program);
    free(model->records);
    free(model->state);
    free(model->begin);
    free(model);
}

/* ---- records ----------------------------------------------------------------------------------
 */

void ref_record_add(ref_model *model, const ref_record *record)
{
    REF_CHECK(model->state->n_records - model->records_taken < REF_RECORDS);
    model->records[model->state->n_records++ % REF_RECORDS] = *record;
}

bool ref_model_next(ref_model *model, ref_record *ret_record)
{
    const ref_state *sure = model->n_saved > 0 ? model->saved[0].state : model->state;
    if (model->records_taken >= sure->n_records)
        return false;
    *ret_record = model->records[model->records_taken++ % REF_RECORDS];
    return true;
}

/* ---- back in time -----------------------------------------------------------------------------
 */

void ref_save(ref_model *model, const ref_reserved *reason)
{
    REF_CHECK(model->n_saved < REF_SAVED && model->begin->cycle == model->state->cycle);
    struct ref_saved *saved = &model->saved[model->n_saved++];
    if (!saved->state)
        saved->state = need_memory(malloc(sizeof *saved->state));
    *saved->state = *model->begin;
    saved->reason = *reason;
    saved->blamed = 0;
}

/* Whether an entry can be needed no more. */
static bool is_settled(const ref_model *model, const struct ref_saved *saved)
{
    if (saved->blamed == 0)
        return saved->reason.until <= model->state->cycle;
    if (!ref_is_dispatched(model->state, saved->blamed))
        return false;
    for (uint32_t i = 0; i < model->n_saved; i++)
        if (model->saved[i].blamed == 0 && model->saved[i].reason.uop <= saved->blamed)
            return false;
    return true;
}

static void drop_saved(ref_model *model)
{
    for (uint32_t i = 0; i < model->n_saved;) {
        const struct ref_saved saved = model->saved[i];
        if (!is_settled(model, &saved)) {
            i++;
            continue;
        }
        memmove(&model->saved[i], &model->saved[i + 1],
                (--model->n_saved - i) * sizeof *model->saved);
        model->saved[model->n_saved] = saved; /* its memory is used again */
        i = 0;
    }
}

/* What was concluded from when @reason's uop and younger ones went is not true any more, so the
 * state is one from before all such conclusions. */
void ref_return(ref_model *model, const ref_reserved *reason, uint64_t older)
{
    const uint64_t younger = reason->uop;
    uint32_t i = 0;
    while (i < model->n_saved &&
           !(model->saved[i].blamed == 0 ? model->saved[i].reason.uop == younger
                                         : model->saved[i].blamed >= younger))
        i++;
    REF_CHECK(i < model->n_saved);
    *model->state = *model->saved[i].state;
    model->saved[i].blamed = older;
    model->n_saved = i + 1;
    model->n_returns++;
    ref_state *s = model->state;
    REF_CHECK(s->n_bans < REF_BANS);
    s->bans[s->n_bans++] = (ref_ban){.younger = younger, .older = older};
}

/* ---- cycles -----------------------------------------------------------------------------------
 */

enum { STUCK = 1 << 20 }; /* cycles without a retirement */

static void drop_bans(ref_state *s)
{
    for (uint32_t i = 0; i < s->n_bans;)
        if (ref_is_dispatched(s, s->bans[i].older))
            s->bans[i] = s->bans[--s->n_bans];
        else
            i++;
}

static void step(ref_model *model)
{
    const uint64_t n_returns = model->n_returns;
    drop_saved(model);
    drop_bans(model->state);
    if (ref_may_pass(model))
        *model->begin = *model->state;
    ref_rename(model);
    ref_commit(model);
    ref_retire(model);
    ref_dispatch(model);
    if (model->n_returns != n_returns)
        return;
    ref_predecode(model);
    ref_decode(model);
    ref_state *s = model->state;
    REF_CHECK(s->cycle++ < s->last_retired + STUCK);
}

static void run(ref_model *model, uint64_t ahead)
{
    while (model->n_program - model->state->front.next > ahead)
        step(model);
}

/* ---- the stream -------------------------------------------------------------------------------
 */

static void describe(ref_model *model, const pie_block *block)
{
    if (block->id >= model->n_blocks) {
        const size_t n = 2 * (size_t)block->id + 16;
        model->blocks = need_memory(realloc(model->blocks, n * sizeof(ooo_block *)));
        memset(model->blocks + model->n_blocks, 0, (n - model->n_blocks) * sizeof(ooo_block *));
        model->n_blocks = n;
    }
    const ooo_expand_options options = {.latency = true};
    REF_CHECK(!model->blocks[block->id]);
    REF_CHECK(ooo_expand(model->table, block, &options, &model->blocks[block->id]) == PIE_OK);
}

static void execute(ref_model *model, uint32_t id, uint32_t index, const uint64_t *slots,
                    bool repeated, uint64_t iterations)
{
    REF_CHECK(id < model->n_blocks && model->blocks[id]);
    const ooo_block *block = model->blocks[id];
    ref_insn *insn = ref_program(model, model->n_program++);
    *insn = (ref_insn){.block = block,
                       .insn = &block->insns[index],
                       .repeated = repeated,
                       .iterations = iterations};
    const pie_insn *detail = pie_block_insn(block->detail, index);
    bool any = false;
    for (uint32_t i = 0; i < detail->n_mems; i++) {
        const pie_mem *mem = pie_block_mem(block->detail, detail, i);
        if (mem->n_slots == 0)
            continue;
        if (!any)
            insn->first_slot = mem->first_slot;
        any = true;
        REF_CHECK(mem->first_slot - insn->first_slot + mem->n_slots <= REF_SLOTS);
        memcpy(&insn->slots[mem->first_slot - insn->first_slot], &slots[mem->first_slot],
               mem->n_slots * sizeof *slots);
    }
    run(model, REF_AHEAD);
}

void ref_model_consume(ref_model *model, const uint64_t *words, size_t n)
{
    for (size_t at = 0; at < n; at += pie_record_words(words[at])) {
        const uint64_t *word = &words[at + 1];
        const uint32_t argument = pie_record_argument(words[at]);
        switch (pie_record_kind(words[at])) {
        case PIE_RECORD_DESCRIBE:
            describe(model, (const pie_block *)(const void *)word);
            break;
        case PIE_RECORD_BLOCK:
            for (uint32_t i = 0; i < model->blocks[argument]->n_insns; i++)
                execute(model, argument, i, word, false, 0);
            break;
        case PIE_RECORD_CUT:
            for (uint32_t i = 0; i < word[0]; i++)
                execute(model, argument, i, word + 1, false, 0);
            break;
        case PIE_RECORD_REP:
            execute(model, argument, 0, word + 2, true, word[0]);
            break;
        case PIE_RECORD_EVENT:
            if (model->n_program > 0 && (argument == PIE_EVENT_SIGNAL || argument == PIE_EVENT_END))
                ref_program(model, model->n_program - 1)->last = true;
            break;
        default:
            break;
        }
    }
}

void ref_model_finish(ref_model *model)
{
    if (model->n_program > 0)
        ref_program(model, model->n_program - 1)->last = true;
    run(model, 0);
    const ref_state *s = model->state;
    while (s->front.has_unit || s->front.n_iq > 0 || s->front.ms_busy || s->front.n_queue > 0 ||
           s->first_slot < s->end_slot || model->n_saved > 0)
        step(model);
}

const char *ref_model_name(ref_model *model, uint64_t address)
{
    for (size_t id = 0; id < model->n_blocks; id++) {
        const ooo_block *block = model->blocks[id];
        for (uint32_t i = 0; block && i < block->n_insns; i++) {
            if (block->insns[i].address != address)
                continue;
            const pie_insn *insn = pie_block_insn(block->detail, i);
            int n = snprintf(model->name, sizeof model->name, "%s",
                             pie_block_string(block->detail, insn->form));
            for (uint32_t k = 0; k < insn->length && n > 0 && n < 200; k++)
                n += snprintf(model->name + n, sizeof model->name - (size_t)n, "%s%02x",
                              k ? "" : " ", pie_block_bytes(block->detail)[insn->offset + k]);
            return model->name;
        }
    }
    return "?";
}
