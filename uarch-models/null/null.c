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

/* What is kept of one block description. The hot loop reads @whole and @n_counted, no more. */
typedef struct block {
    totals whole; /* of the whole block; of one iteration for a repeated string instruction */
    uint32_t n_insns;
    uint32_t n_counted; /* operands with a run-time number of accesses, see below */
    pie_block *detail;  /* the description itself, owned: for CUT, COUNTED operands and profiles */
    uint64_t *executions; /* [n_insns], only when a profile is wanted */
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

static void null_destroy(void *instance)
{
    null *self = instance;
    if (!self)
        return;
    for (size_t i = 0; i < self->n_blocks; i++) {
        free(self->blocks[i].detail);
        free(self->blocks[i].executions);
    }
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

/* Does memory operand @mem access memory a number of times that only the stream knows? Its first
 * slot then holds that number; all others access exactly once. */
static int is_counted(const pie_mem *mem)
{
    return (mem->flags & PIE_MEM_COUNTED) != 0;
}

static void add_insn(totals *sum, const pie_block *detail, const pie_insn *insn)
{
    sum->instructions++;
    sum->branches += insn->branch != PIE_BRANCH_NONE && insn->branch != PIE_BRANCH_SYSCALL;
    for (size_t i = 0; i < insn->n_mems; i++) {
        const pie_mem *mem = pie_block_mem(detail, insn, i);
        if (mem->n_slots == 0 || is_counted(mem))
            continue;
        sum->loads += (mem->flags & PIE_MEM_READ) != 0;
        sum->stores += (mem->flags & PIE_MEM_WRITE) != 0;
    }
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
    block fresh = {.n_insns = description->n_insns};
    fresh.detail = malloc(description->size);
    if (self->with_profile)
        fresh.executions = calloc(fresh.n_insns, sizeof *fresh.executions);
    if (!fresh.detail || (self->with_profile && !fresh.executions)) {
        free(fresh.detail);
        free(fresh.executions);
        return PIE_ERR_NOMEM;
    }
    memcpy(fresh.detail, description, description->size); /* the stream's memory is the caller's */
    for (size_t i = 0; i < fresh.n_insns; i++) {
        const pie_insn *insn = pie_block_insn(fresh.detail, i);
        add_insn(&fresh.whole, fresh.detail, insn);
        for (size_t k = 0; k < insn->n_mems; k++)
            fresh.n_counted += is_counted(pie_block_mem(fresh.detail, insn, k)) != 0;
    }
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

/* COUNTED operands of the first @n_insns instructions: those that accessed memory at all. */
static void add_counted(null *self, const block *entry, size_t n_insns, const uint64_t *slots)
{
    for (size_t i = 0; i < n_insns; i++) {
        const pie_insn *insn = pie_block_insn(entry->detail, i);
        for (size_t k = 0; k < insn->n_mems; k++) {
            const pie_mem *mem = pie_block_mem(entry->detail, insn, k);
            if (!is_counted(mem) || slots[mem->first_slot] == 0)
                continue;
            self->sum.loads += (mem->flags & PIE_MEM_READ) != 0;
            self->sum.stores += (mem->flags & PIE_MEM_WRITE) != 0;
        }
    }
}

static void count_executions(block *entry, size_t n_insns)
{
    for (size_t i = 0; i < n_insns; i++)
        entry->executions[i]++;
}

/* What most blocks do not need: operands counted at run time, and the profile. */
static void run_block_slowly(null *self, block *entry, const uint64_t *slots)
{
    if (entry->n_counted)
        add_counted(self, entry, entry->n_insns, slots);
    if (entry->executions)
        count_executions(entry, entry->n_insns);
}

/* The first @n_insns instructions of a block; the next one did not complete. */
static void run_cut(null *self, block *entry, size_t n_insns, const uint64_t *slots)
{
    for (size_t i = 0; i < n_insns; i++)
        add_insn(&self->sum, entry->detail, pie_block_insn(entry->detail, i));
    if (entry->n_counted)
        add_counted(self, entry, n_insns, slots);
    if (entry->executions)
        count_executions(entry, n_insns);
}

/* A repeated string instruction: one instruction, its operands once per iteration. */
static void run_rep(null *self, block *entry, uint64_t iterations)
{
    self->sum.instructions++;
    self->sum.loads += entry->whole.loads * iterations;
    self->sum.stores += entry->whole.stores * iterations;
    if (entry->executions)
        count_executions(entry, 1);
}

static void take_event(null *self, uint32_t type, const uint64_t *words)
{
    if (type != PIE_EVENT_SYSCALL)
        return; /* memory and signals cost nothing here */
    self->syscalls++;
    self->write_calls += words[3] > 0; /* header, number, bytes in, bytes out */
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
            if (entry->n_counted || entry->executions)
                run_block_slowly(self, entry, at + 1);
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
