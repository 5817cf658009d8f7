/* null.c - the CPU model that models nothing: every retired instruction takes one cycle.
 *
 * It measures what everything around a model costs, and it is the one to copy from. A model is an
 * instance (`null`), a table of blocks filled at DESCRIBE, and a loop over records that only adds
 * up what the table says. What is counted:
 *
 *   cycles = instructions    a repeated string instruction is one
 *   branches                 branch instructions, system calls not among them
 *   loads, stores            memory operands read, written; an operand that is both counts in both,
 *                            one that was masked out entirely in neither; a repeated string
 *                            instruction counts its operands once per iteration
 *   syscalls, write_calls    from events
 */
#include "pie/uarch.h"

#include <stdlib.h>
#include <string.h>

/* What one execution of a run of instructions adds. */
typedef struct totals {
    uint64_t instructions, branches, loads, stores;
} totals;

/* A memory operand whose number of accesses only the stream knows: its first slot holds the number.
 */
typedef struct counted {
    uint32_t insn, slot;
    uint8_t is_load, is_store;
} counted;

/* What is kept of one block description. The hot loop reads @whole and @is_plain, no more. */
typedef struct block {
    totals whole;     /* of the whole block; of one iteration for a repeated string instruction */
    int32_t is_plain; /* @whole says it all: no counted operands, no profile */
    uint32_t n_insns, n_counted;
    counted *counted;     /* [n_counted], owned */
    uint64_t *executions; /* [n_insns], owned, only when a profile is wanted */
    pie_block *detail;    /* the description itself, owned: for CUT and copy() */
} block;

typedef struct null {
    const pie_host *host; /* borrowed */
    totals sum;
    uint64_t syscalls, write_calls;
    block *blocks; /* by id; ids are small numbers, given in order */
    size_t n_blocks, capacity;
    int32_t with_profile;
} null;

/* The order of the values that null_counters_read() writes. */
static const pie_counter null_counters[] = {
    {"cycles", "cycles", "one per retired instruction"},
    {"instructions", "instructions", "retired instructions; a repeated string instruction is one"},
    {"branches", "instructions", "retired branch instructions"},
    {"loads", "accesses", "memory operands read"},
    {"stores", "accesses", "memory operands written"},
    {"syscalls", "calls", "system calls"},
    {"write_calls", "calls", "system calls that write output"},
    {NULL, NULL, NULL}};

/* ---- an instance ---- */

static void free_block(block *entry)
{
    free(entry->counted);
    free(entry->executions);
    free(entry->detail);
}

static void null_destroy(void *instance)
{
    null *self = instance;
    if (!self)
        return;
    for (size_t i = 0; i < self->n_blocks; i++)
        free_block(&self->blocks[i]);
    free(self->blocks);
    free(self);
}

static pie_status null_create(const pie_host *host, const pie_uarch_setup *setup, void **ret_self)
{
    if (setup->isa != PIE_ISA_X86_64) {
        host->log(host, PIE_LOG_ERROR, "unknown instruction set; this model knows x86-64");
        return PIE_ERR_CONFIG;
    }
    null *self = calloc(1, sizeof *self);
    if (!self)
        return PIE_ERR_NOMEM;
    self->host = host;
    self->with_profile = setup->profile;
    *ret_self = self;
    return PIE_OK;
}

/* ---- what a block adds: worked out once, when it is described ---- */

/* All but the operands that are counted at run time. */
static void add_insn(totals *sum, const pie_block *detail, const pie_insn *insn)
{
    sum->instructions++;
    sum->branches += insn->branch != PIE_BRANCH_NONE && insn->branch != PIE_BRANCH_SYSCALL;
    for (size_t i = 0; i < insn->n_mems; i++) {
        const pie_mem *mem = pie_block_mem(detail, insn, i);
        if (mem->n_slots == 0 || mem->flags & PIE_MEM_COUNTED)
            continue;
        sum->loads += (mem->flags & PIE_MEM_READ) != 0;
        sum->stores += (mem->flags & PIE_MEM_WRITE) != 0;
    }
}

/* Writes the counted operands of a block to @ret_list unless it is NULL; returns how many. */
static uint32_t list_counted(const pie_block *detail, counted *ret_list)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < detail->n_insns; i++) {
        const pie_insn *insn = pie_block_insn(detail, i);
        for (size_t k = 0; k < insn->n_mems; k++) {
            const pie_mem *mem = pie_block_mem(detail, insn, k);
            if (!(mem->flags & PIE_MEM_COUNTED))
                continue;
            if (ret_list)
                ret_list[n] = (counted){.insn = i,
                                        .slot = mem->first_slot,
                                        .is_load = (mem->flags & PIE_MEM_READ) != 0,
                                        .is_store = (mem->flags & PIE_MEM_WRITE) != 0};
            n++;
        }
    }
    return n;
}

/* Room for block @id. Ids are never reused, so a block that is there stays as it is. */
static pie_status grow(null *self, size_t id)
{
    if (id >= self->capacity) {
        const size_t capacity = id < 512 ? 1024 : 2 * (id + 1);
        block *more = realloc(self->blocks, capacity * sizeof *more);
        if (!more)
            return PIE_ERR_NOMEM;
        self->blocks = more;
        self->capacity = capacity;
    }
    for (; self->n_blocks <= id; self->n_blocks++)
        self->blocks[self->n_blocks] = (block){0};
    return PIE_OK;
}

static pie_status describe(null *self, const pie_block *description)
{
    if (grow(self, description->id) != PIE_OK)
        return PIE_ERR_NOMEM;
    block *entry = &self->blocks[description->id];
    if (entry->detail)
        return PIE_OK; /* known already, from copy() */
    block fresh = {.n_insns = description->n_insns, .n_counted = list_counted(description, NULL)};
    fresh.is_plain = fresh.n_counted == 0 && !self->with_profile;
    fresh.detail = malloc(description->size);
    fresh.counted = calloc(fresh.n_counted + 1, sizeof *fresh.counted);
    if (self->with_profile)
        fresh.executions = calloc(fresh.n_insns, sizeof *fresh.executions);
    if (!fresh.detail || !fresh.counted || (self->with_profile && !fresh.executions)) {
        free_block(&fresh);
        return PIE_ERR_NOMEM;
    }
    memcpy(fresh.detail, description, description->size); /* the stream's memory is the caller's */
    list_counted(fresh.detail, fresh.counted);
    for (size_t i = 0; i < fresh.n_insns; i++)
        add_insn(&fresh.whole, fresh.detail, pie_block_insn(fresh.detail, i));
    *entry = fresh;
    return PIE_OK;
}

/* ---- the stream ---- */

static void add(totals *sum, const totals *more)
{
    sum->instructions += more->instructions;
    sum->branches += more->branches;
    sum->loads += more->loads;
    sum->stores += more->stores;
}

/* What @whole does not say about the first @n_insns instructions. */
static void add_rest(null *self, block *entry, size_t n_insns, const uint64_t *slots)
{
    for (size_t i = 0; i < entry->n_counted && entry->counted[i].insn < n_insns; i++) {
        const counted *operand = &entry->counted[i];
        if (slots[operand->slot] == 0)
            continue; /* masked out entirely */
        self->sum.loads += operand->is_load;
        self->sum.stores += operand->is_store;
    }
    for (size_t i = 0; entry->executions && i < n_insns; i++)
        entry->executions[i]++;
}

/* The first @n_insns instructions of a block; the next one did not complete. */
static void run_cut(null *self, block *entry, size_t n_insns, const uint64_t *slots)
{
    for (size_t i = 0; i < n_insns; i++)
        add_insn(&self->sum, entry->detail, pie_block_insn(entry->detail, i));
    add_rest(self, entry, n_insns, slots);
}

/* A repeated string instruction: one instruction, its operands once per iteration. */
static void run_rep(null *self, block *entry, uint64_t iterations)
{
    self->sum.instructions++;
    self->sum.loads += entry->whole.loads * iterations;
    self->sum.stores += entry->whole.stores * iterations;
    if (entry->executions)
        entry->executions[0]++;
}

static void take_event(null *self, uint32_t type, const uint64_t *words)
{
    enum { WRITE = 1, WRITEV = 20 }; /* numbers of x86-64 Linux */
    if (type != PIE_EVENT_SYSCALL)
        return; /* memory and signals cost nothing here */
    self->syscalls++;
    self->write_calls += words[1] == WRITE || words[1] == WRITEV;
}

/* The hot path. Block records are nearly all there is, so they come first and touch one table
 * entry. */
static pie_status null_consume(void *instance, const uint64_t *words, size_t n_words,
                               uint64_t cycle_limit, size_t *ret_used, int32_t *ret_reason)
{
    null *self = instance;
    const uint64_t *at = words, *const end = words + n_words;
    int32_t reason = PIE_CONSUMED_ALL;
    while (at < end) {
        const uint64_t header = *at;
        const uint32_t argument = pie_record_argument(header);
        switch (pie_record_kind(header)) {
        case PIE_RECORD_BLOCK: {
            block *entry = &self->blocks[argument]; /* known: the core checks every id */
            add(&self->sum, &entry->whole);
            if (!entry->is_plain)
                add_rest(self, entry, entry->n_insns, at + 1);
            break;
        }
        case PIE_RECORD_CUT:
            run_cut(self, &self->blocks[argument], at[1], at + 2);
            break;
        case PIE_RECORD_REP:
            run_rep(self, &self->blocks[argument], at[1]);
            break;
        case PIE_RECORD_EVENT:
            take_event(self, argument, at);
            break;
        case PIE_RECORD_DESCRIBE: {
            const pie_status status = describe(self, (const pie_block *)(const void *)(at + 1));
            if (status != PIE_OK)
                return status;
            break;
        }
        default: /* a kind of a later pie: nothing that this model needs */
            break;
        }
        at += pie_record_words(header);
        if (self->sum.instructions > cycle_limit) { /* one cycle each */
            reason = PIE_CONSUMED_TO_LIMIT;
            break;
        }
    }
    *ret_used = (size_t)(at - words);
    *ret_reason = reason;
    return PIE_OK;
}

/* ---- figures ---- */

static void null_mark(const void *instance, pie_uarch_mark *ret_mark)
{
    const null *self = instance;
    *ret_mark =
        (pie_uarch_mark){.cycles = self->sum.instructions, .instructions = self->sum.instructions};
}

static void null_counters_read(const void *instance, uint64_t *ret_values)
{
    const null *self = instance;
    const uint64_t values[] = {self->sum.instructions, self->sum.instructions, self->sum.branches,
                               self->sum.loads,        self->sum.stores,       self->syscalls,
                               self->write_calls};
    memcpy(ret_values, values, sizeof values);
}

static pie_status null_profile(const void *instance,
                               pie_status (*visit)(void *context, const pie_profile_row *row),
                               void *context)
{
    const null *self = instance;
    for (size_t id = 0; id < self->n_blocks; id++) {
        const block *entry = &self->blocks[id];
        for (uint32_t i = 0; entry->executions && i < entry->n_insns; i++) {
            if (entry->executions[i] == 0)
                continue;
            const pie_profile_row row = {.block_id = (uint32_t)id,
                                         .insn = i,
                                         .executions = entry->executions[i],
                                         .cycles = entry->executions[i]};
            const pie_status status = visit(context, &row);
            if (status != PIE_OK)
                return status;
        }
    }
    return PIE_OK;
}

/* Blocks first, as only they can fail: @dst is then either ready or as it was. */
static pie_status null_copy(void *destination, const void *source)
{
    null *dst = destination;
    const null *src = source;
    for (size_t id = 0; id < src->n_blocks; id++) {
        const pie_status status =
            src->blocks[id].detail ? describe(dst, src->blocks[id].detail) : PIE_OK;
        if (status != PIE_OK)
            return status;
    }
    for (size_t id = 0; id < dst->n_blocks; id++) {
        block *entry = &dst->blocks[id];
        const uint64_t *from = id < src->n_blocks ? src->blocks[id].executions : NULL;
        if (!entry->executions)
            continue;
        if (from)
            memcpy(entry->executions, from, entry->n_insns * sizeof *from);
        else /* a block that @src has not met */
            memset(entry->executions, 0, entry->n_insns * sizeof *entry->executions);
    }
    dst->sum = src->sum;
    dst->syscalls = src->syscalls;
    dst->write_calls = src->write_calls;
    return PIE_OK;
}

/* ---- tables ---- */

static const pie_uarch_trace_ops null_trace = {
    .counters = null_counters,
    .create = null_create,
    .destroy = null_destroy,
    .consume = null_consume,
    .mark = null_mark,
    .counters_read = null_counters_read,
    .profile = null_profile,
    .copy = null_copy,
};

static const pie_uarch_ops null_ops = {
    .style = PIE_UARCH_TRACE,
    .flags = PIE_UARCH_DETERMINISTIC,
    .trace = &null_trace,
};

static const pie_plugin null_plugin = {
    .kind = PIE_KIND_UARCH,
    .id = "org.pie.null",
    .version = "1.0.0",
    .summary =
        "No microarchitecture: one cycle per retired instruction, to measure overhead and to copy.",
    .licence = "MIT",
    .ops = &null_ops,
};

PIE_MODULE(&null_plugin);
