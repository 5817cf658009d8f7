/* fixed_cpi.c - a CPU model for tests: simple enough to know the right figure by hand, and with
 * every part of the contract in it that a real model needs.
 *
 *   each instruction     the cycles of its form in `cycles_of`, else 1; forms that are not in the
 * table are named by unknown_form each access          `line_cycles` if it is to another 64-byte
 * line than the access before: state that goes on across blocks conditional branches `miss_cycles`
 * when the branch does not do what it did the last time (first: not taken). Charged when the next
 * block tells the outcome: state that waits first touch of pages counted, by map and unmap events,
 * and charged to os_cycles
 */
#include "pie/uarch.h"

#include <stdlib.h>
#include <string.h>

enum { N_PREDICTORS = 1024, N_PAGES = 4096, NO_BRANCH = 0 };

typedef struct insn_row {
    uint64_t cycles; /* of one execution, without accesses */
    uint64_t executions, charged, branch_misses;
    const char *form; /* into the description; NULL = it is in the table */
} insn_row;

typedef struct block {
    pie_block *detail; /* owned */
    insn_row *insns;
} block;

typedef struct model {
    const pie_host *host;
    const char *const *table; /* "FORM=CYCLES", borrowed from the host */
    size_t n_table;
    int64_t line_cycles, miss_cycles, fault_cycles;
    block *blocks;
    size_t n_blocks;
    /* what copy() carries over, apart from the rows */
    struct state {
        uint64_t cycles, instructions, branches, branch_misses, loads, stores, line_changes,
            page_faults, syscalls;
        uint64_t last_line;
        uint64_t branch_end; /* end of the branch that waits for its outcome; NO_BRANCH = none */
        uint32_t branch_block, branch_insn;
        uint8_t taken[N_PREDICTORS]; /* by address of the branch */
        uint8_t touched[N_PAGES];    /* by page number, modulo */
    } now;
} model;

static const pie_counter counters[] = {
    {"cycles", "cycles", "by the table"},
    {"instructions", "instructions", "retired"},
    {"branches", "instructions", "retired branches"},
    {"branch_misses", "instructions", "did not do what they did before"},
    {"loads", "accesses", "operands read"},
    {"stores", "accesses", "operands written"},
    {"page_faults", "pages", "first touches"},
    {"syscalls", "calls", "system calls"},
    {"os_cycles", "cycles", "of page faults"},
    {"fixed-cpi.line_changes", "accesses", "to another line than before"},
    {NULL, NULL, NULL}};

static void model_destroy(void *instance)
{
    model *self = instance;
    if (!self)
        return;
    for (size_t i = 0; i < self->n_blocks; i++) {
        free(self->blocks[i].detail);
        free(self->blocks[i].insns);
    }
    free(self->blocks);
    free(self);
}

static pie_status model_create(const pie_host *host, const pie_uarch_setup *setup, void **ret_self)
{
    (void)setup;
    model *self = calloc(1, sizeof *self);
    if (!self)
        return PIE_ERR_NOMEM;
    self->host = host;
    pie_status status = host->get_strings(host, "cycles_of", &self->table, &self->n_table);
    if (status == PIE_OK)
        status = host->get_int(host, "line_cycles", &self->line_cycles);
    if (status == PIE_OK)
        status = host->get_int(host, "miss_cycles", &self->miss_cycles);
    if (status == PIE_OK)
        status = host->get_int(host, "fault_cycles", &self->fault_cycles);
    if (status == PIE_OK)
        *ret_self = self;
    else
        model_destroy(self);
    return status;
}

static uint64_t cycles_of(const model *self, const char *form, int *ret_known)
{
    const size_t n = strlen(form);
    for (size_t i = 0; i < self->n_table; i++)
        if (strncmp(self->table[i], form, n) == 0 && self->table[i][n] == '=') {
            *ret_known = 1;
            return strtoull(self->table[i] + n + 1, NULL, 10);
        }
    *ret_known = 0;
    return 1;
}

static pie_status describe(model *self, const pie_block *description)
{
    const size_t id = description->id;
    if (id >= self->n_blocks) {
        block *more = realloc(self->blocks, (id + 1) * sizeof *more);
        if (!more)
            return PIE_ERR_NOMEM;
        memset(more + self->n_blocks, 0, (id + 1 - self->n_blocks) * sizeof *more);
        self->blocks = more;
        self->n_blocks = id + 1;
    }
    block *entry = &self->blocks[id];
    if (entry->detail)
        return PIE_OK;
    pie_block *detail = malloc(description->size);
    insn_row *insns = calloc(description->n_insns, sizeof *insns);
    if (!detail || !insns) {
        free(detail);
        free(insns);
        return PIE_ERR_NOMEM;
    }
    memcpy(detail, description, description->size);
    for (size_t i = 0; i < detail->n_insns; i++) {
        const pie_insn *insn = pie_block_insn(detail, i);
        const char *form = pie_block_string(detail, insn->form);
        int known;
        insns[i].cycles = cycles_of(self, form, &known);
        insns[i].form = known ? NULL : form;
    }
    *entry = (block){detail, insns};
    return PIE_OK;
}

static void touch(model *self, insn_row *row, uint64_t address)
{
    const uint64_t line = address >> 6;
    if (line != self->now.last_line) {
        self->now.line_changes++;
        self->now.cycles += (uint64_t)self->line_cycles;
        row->charged += (uint64_t)self->line_cycles;
    }
    self->now.last_line = line;
    uint8_t *page = &self->now.touched[(address >> 12) % N_PAGES];
    self->now.page_faults += !*page;
    *page = 1;
}

static void run_insn(model *self, block *entry, uint32_t i, const uint64_t *slots)
{
    const pie_insn *insn = pie_block_insn(entry->detail, i);
    insn_row *row = &entry->insns[i];
    row->executions++;
    row->charged += row->cycles;
    self->now.cycles += row->cycles;
    self->now.instructions++;
    self->now.branches += insn->branch != PIE_BRANCH_NONE && insn->branch != PIE_BRANCH_SYSCALL;
    for (size_t k = 0; k < insn->n_mems; k++) {
        const pie_mem *mem = pie_block_mem(entry->detail, insn, k);
        const uint64_t *at = slots + mem->first_slot;
        const size_t first = mem->flags & PIE_MEM_COUNTED ? 1 : 0;
        if (mem->n_slots == 0 || (first && at[0] == 0))
            continue;
        self->now.loads += (mem->flags & PIE_MEM_READ) != 0;
        self->now.stores += (mem->flags & PIE_MEM_WRITE) != 0;
        for (size_t slot = first; slot < mem->n_slots; slot++)
            if (at[slot] != PIE_NO_ACCESS)
                touch(self, row, at[slot]);
    }
    if (insn->branch == PIE_BRANCH_CONDITIONAL) {
        self->now.branch_end = entry->detail->address + insn->offset + insn->length;
        self->now.branch_block = entry->detail->id;
        self->now.branch_insn = i;
    }
}

/* The next block tells what the waiting branch did. */
static void resolve_branch(model *self, uint64_t next_address)
{
    if (self->now.branch_end == NO_BRANCH)
        return;
    const uint8_t taken = next_address != self->now.branch_end;
    uint8_t *predictor = &self->now.taken[self->now.branch_end % N_PREDICTORS];
    if (*predictor != taken) {
        insn_row *row = &self->blocks[self->now.branch_block].insns[self->now.branch_insn];
        row->branch_misses++;
        row->charged += (uint64_t)self->miss_cycles;
        self->now.branch_misses++;
        self->now.cycles += (uint64_t)self->miss_cycles;
    }
    *predictor = taken;
    self->now.branch_end = NO_BRANCH;
}

static void run_block(model *self, uint32_t id, uint64_t n_insns, const uint64_t *slots)
{
    block *entry = &self->blocks[id];
    resolve_branch(self, entry->detail->address);
    for (uint32_t i = 0; i < n_insns; i++)
        run_insn(self, entry, i, slots);
}

/* One instruction whatever the iterations; further ones take a cycle each and one more line. */
static void run_rep(model *self, uint32_t id, uint64_t iterations, const uint64_t *slots)
{
    block *entry = &self->blocks[id];
    const pie_insn *insn = pie_block_insn(entry->detail, 0);
    resolve_branch(self, entry->detail->address);
    const uint64_t loads = self->now.loads, stores = self->now.stores;
    run_insn(self, entry, 0, slots);
    self->now.loads = loads;
    self->now.stores = stores;
    for (size_t k = 0; k < insn->n_mems; k++) {
        const pie_mem *mem = pie_block_mem(entry->detail, insn, k);
        self->now.loads += mem->flags & PIE_MEM_READ ? iterations : 0;
        self->now.stores += mem->flags & PIE_MEM_WRITE ? iterations : 0;
    }
    self->now.cycles += iterations;
    entry->insns[0].charged += iterations;
}

static void take_event(model *self, uint32_t type, const uint64_t *words)
{
    switch (type) {
    case PIE_EVENT_SYSCALL:
        self->now.syscalls++;
        break;
    case PIE_EVENT_MAP:
    case PIE_EVENT_UNMAP:
        for (uint64_t page = words[1] >> 12, n = 0;
             page <= (words[1] + words[2] - 1) >> 12 && n < N_PAGES; page++, n++)
            self->now.touched[page % N_PAGES] = 0;
        break;
    case PIE_EVENT_SIGNAL:
        self->now.branch_end = NO_BRANCH; /* its outcome will never be known */
        break;
    default:
        break;
    }
}

static pie_status model_consume(void *instance, const uint64_t *words, size_t n_words,
                                uint64_t cycle_limit, size_t *ret_used, int32_t *ret_reason)
{
    model *self = instance;
    const uint64_t *at = words, *const end = words + n_words;
    int32_t reason = PIE_CONSUMED_ALL;
    while (at < end) {
        const uint64_t header = *at;
        const uint32_t argument = pie_record_argument(header);
        pie_status status = PIE_OK;
        switch (pie_record_kind(header)) {
        case PIE_RECORD_DESCRIBE:
            status = describe(self, (const pie_block *)(const void *)(at + 1));
            break;
        case PIE_RECORD_BLOCK:
            run_block(self, argument, self->blocks[argument].detail->n_insns, at + 1);
            break;
        case PIE_RECORD_CUT:
            run_block(self, argument, at[1], at + 2);
            break;
        case PIE_RECORD_REP:
            run_rep(self, argument, at[1], at + 3);
            break;
        case PIE_RECORD_EVENT:
            take_event(self, argument, at);
            break;
        default:
            break;
        }
        if (status != PIE_OK)
            return status;
        at += pie_record_words(header);
        if (self->now.cycles > cycle_limit) {
            reason = PIE_CONSUMED_TO_LIMIT;
            break;
        }
    }
    *ret_used = (size_t)(at - words);
    *ret_reason = reason;
    return PIE_OK;
}

static void model_mark(const void *instance, pie_uarch_mark *ret_mark)
{
    const model *self = instance;
    *ret_mark =
        (pie_uarch_mark){.cycles = self->now.cycles, .instructions = self->now.instructions};
}

static void model_counters_read(const void *instance, uint64_t *ret_values)
{
    const model *self = instance;
    const struct state *now = &self->now;
    const uint64_t values[] = {
        now->cycles,        now->instructions, now->branches,
        now->branch_misses, now->loads,        now->stores,
        now->page_faults,   now->syscalls,     now->page_faults * (uint64_t)self->fault_cycles,
        now->line_changes};
    memcpy(ret_values, values, sizeof values);
}

static pie_status model_profile(const void *instance,
                                pie_status (*visit)(void *context, const pie_profile_row *row),
                                void *context)
{
    const model *self = instance;
    for (size_t id = 0; id < self->n_blocks; id++)
        for (uint32_t i = 0; self->blocks[id].detail && i < self->blocks[id].detail->n_insns; i++) {
            const insn_row *insn = &self->blocks[id].insns[i];
            const pie_profile_row row = {.block_id = (uint32_t)id,
                                         .insn = i,
                                         .executions = insn->executions,
                                         .cycles = insn->charged,
                                         .branch_misses = insn->branch_misses};
            const pie_status status = insn->executions ? visit(context, &row) : PIE_OK;
            if (status != PIE_OK)
                return status;
        }
    return PIE_OK;
}

static pie_status model_copy(void *destination, const void *source)
{
    model *dst = destination;
    const model *src = source;
    for (size_t id = 0; id < src->n_blocks; id++) {
        const pie_status status =
            src->blocks[id].detail ? describe(dst, src->blocks[id].detail) : PIE_OK;
        if (status != PIE_OK)
            return status;
    }
    for (size_t id = 0; id < dst->n_blocks; id++)
        for (size_t i = 0; dst->blocks[id].detail && i < dst->blocks[id].detail->n_insns; i++) {
            insn_row *to = &dst->blocks[id].insns[i];
            const insn_row *from =
                id < src->n_blocks && src->blocks[id].detail ? &src->blocks[id].insns[i] : NULL;
            to->executions = from ? from->executions : 0;
            to->charged = from ? from->charged : 0;
            to->branch_misses = from ? from->branch_misses : 0;
        }
    dst->now = src->now;
    return PIE_OK;
}

/* The @index-th instruction that ran and whose form is in no table. */
static const char *model_unknown_form(const void *instance, size_t index, uint64_t *ret_executions)
{
    const model *self = instance;
    for (size_t id = 0; id < self->n_blocks; id++)
        for (size_t i = 0; self->blocks[id].detail && i < self->blocks[id].detail->n_insns; i++) {
            const insn_row *insn = &self->blocks[id].insns[i];
            if (!insn->form || insn->executions == 0 || index-- > 0)
                continue;
            *ret_executions = insn->executions;
            return insn->form;
        }
    return NULL;
}

static const pie_option options[] = {
    {.name = "cycles_of", .type = PIE_OPTION_STRING_LIST, .help = "table: \"FORM=CYCLES\""},
    {.name = "line_cycles",
     .type = PIE_OPTION_INT,
     .fallback = "5",
     .min = 0,
     .max = 1000,
     .help = "of an access to another line"},
    {.name = "miss_cycles",
     .type = PIE_OPTION_INT,
     .fallback = "16",
     .min = 0,
     .max = 1000,
     .help = "of a wrong guess"},
    {.name = "fault_cycles",
     .type = PIE_OPTION_INT,
     .fallback = "500",
     .min = 0,
     .max = 100000,
     .help = "of the first touch of a page"},
    {.name = "table", .type = PIE_OPTION_PATH, .help = "a file beside a model.cfg; not read"},
    {.name = NULL}};

static const pie_uarch_trace_ops trace_ops = {.counters = counters,
                                              .create = model_create,
                                              .destroy = model_destroy,
                                              .consume = model_consume,
                                              .mark = model_mark,
                                              .counters_read = model_counters_read,
                                              .profile = model_profile,
                                              .copy = model_copy,
                                              .unknown_form = model_unknown_form};

static const pie_uarch_ops ops = {
    .style = PIE_UARCH_TRACE, .flags = PIE_UARCH_DETERMINISTIC, .trace = &trace_ops};

static const pie_plugin fixed_cpi = {.kind = PIE_KIND_UARCH,
                                     .id = "org.test.fixed-cpi",
                                     .version = "1.0.0",
                                     .summary = "Cycles by a table, for tests of the contract.",
                                     .licence = "MIT",
                                     .options = options,
                                     .ops = &ops};

PIE_MODULE(&fixed_cpi);
