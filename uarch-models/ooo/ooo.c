/* ooo.c - the plugin: an out-of-order engine whose cores are folders with a model.cfg and a table.
 *
 * Records become instructions; an instruction waits until its successor is known, since that says
 * whether a branch was taken, whether two instructions fuse, and what the decoders may do. So the
 * borders of blocks mean nothing. */
#include "core.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SAVED_SLOTS = 160 };

typedef struct unknown_form {
    char *form; /* owned */
    uint64_t executions;
} unknown_form;

/* The instruction that waits. Ids and numbers, so that a copy can find its own. */
typedef struct waiting {
    bool active, has_branch;
    uint32_t block, insn, branch_block, branch_insn;
    ooo_step step; /* pointers are valid while the records are; see keep_waiting() */
    uint64_t saved[MAX_SAVED_SLOTS];
} waiting;

typedef struct ooo {
    const pie_host *host;
    ooo_table *table;
    ooo_params params;
    ooo_expand_options expansion;
    int32_t page_map;
    ooo_block **blocks; /* by id */
    size_t n_blocks, capacity;
    unknown_form *unknown;
    size_t n_unknown;
    ooo_core *core;
    waiting waiting;
    uint64_t expected; /* address behind the last instruction */
} ooo;

/* ---- options ----------------------------------------------------------------------------------
 */

#define INT(NAME, FALLBACK, MIN, MAX, HELP)                                                   \
    {                                                                                         \
        .name = NAME, .type = PIE_OPTION_INT, .fallback = FALLBACK, .help = HELP, .min = MIN, \
        .max = MAX                                                                            \
    }
#define BOOL(NAME, FALLBACK, HELP)                                                \
    {                                                                             \
        .name = NAME, .type = PIE_OPTION_BOOL, .fallback = FALLBACK, .help = HELP \
    }

static const pie_option ooo_options[] = {
    {.name = "table",
     .type = PIE_OPTION_STRING,
     .fallback = "\"instructions.tsv\"",
     .help = "instruction table, relative to the folder of the model.cfg"},
    INT("predecode_width", "5", 1, 16, "instructions predecoded a cycle"),
    INT("instruction_queue", "25", 17, 48, "instructions between predecoder and decoders"),
    INT("predecode_delay", "3", 0, 16, "cycles from predecode to decode"),
    INT("decoders", "4", 1, 8, "one complex and the others simple"),
    BOOL("fusible_last", "true", "an instruction that may fuse can take the last decoder"),
    INT("uop_queue", "64", 16, 192, "uops between decode and rename"),
    INT("dsb_width", "6", 1, 8, "uops a cycle from the uop cache"),
    INT("dsb_window", "32", 32, 64, "bytes of code that a window of the uop cache covers"),
    INT("dsb_lines", "3", 1, 6, "lines a window may take"),
    INT("dsb_line_uops", "6", 1, 8, "uops in a line"),
    INT("dsb_sets", "32", 1, 64, "sets of the uop cache; a power of two"),
    INT("dsb_ways", "8", 1, 16, "lines in a set"),
    BOOL("dsb_both_halves", "true",
         "a window is cached only if the other half of its 64-byte line can be"),
    BOOL("jcc_mitigation", "true",
         "jumps that cross or end on a 32-byte boundary stay out of the uop cache"),
    INT("ms_width", "4", 1, 8, "uops a cycle from the microcode sequencer"),
    INT("dsb_ms_stall", "2", 0, 16, "cycles lost from uop cache to microcode sequencer"),
    BOOL("lsd", "false", "loop stream detector (off on Skylake with current microcode)"),
    {.name = "lsd_copies",
     .type = PIE_OPTION_STRING_LIST,
     .fallback = "[]",
     .help = "\"N:C\": loops of up to N uops are in the queue C times; the first that fits"},
    INT("issue_width", "4", 1, 16, "fused uops renamed a cycle"),
    INT("retire_width", "4", 1, 16, "fused uops retired a cycle"),
    INT("rob", "224", 32, 512, "reorder buffer, fused uops"),
    INT("scheduler", "97", 16, 256, "uops that wait for a port"),
    INT("load_buffer", "72", 8, 192, "loads between rename and retirement"),
    INT("store_buffer", "56", 8, 192, "stores between rename and commit"),
    INT("integer_registers", "180", 48, 512, "physical registers, 17 of them architectural"),
    INT("vector_registers", "168", 48, 512, "physical registers, 16 of them architectural"),
    INT("elimination_integer", "4", 0, 64, "slots of move elimination"),
    INT("elimination_vector", "4", 0, 64, "slots of move elimination"),
    INT("dispatch_delay", "5", 1, 16, "cycles from rename to the earliest dispatch"),
    {.name = "port_binding",
     .type = PIE_OPTION_STRING,
     .fallback = "\"counters\"",
     .help = "how rename chooses a port",
     .choices = "counters|lowest"},
    INT("load_latency", "5", 1, 32, "cycles of a load into a general register"),
    INT("load_latency_pointer", "4", 1, 32, "the same when base comes from a load, no index"),
    INT("load_latency_vector", "6", 1, 32, "cycles of a load into a vector register"),
    INT("load_latency_wide", "7", 1, 32, "cycles of a 32-byte load"),
    INT("store_address_latency", "5", 1, 32, "cycles until loads can compare with an address"),
    INT("forward_latency", "3", 1, 32, "cycles from data in the store buffer to a load's result"),
    INT("forward_failed", "11", 0, 64, "cycles from commit to a load that could not be forwarded"),
    INT("alias_penalty", "5", 0, 64, "cycles of a load whose low 12 bits equal a store's"),
    INT("split_penalty", "5", 0, 64, "cycles more of a load over two lines"),
    {.name = "without",
     .type = PIE_OPTION_STRING_LIST,
     .fallback = "[]",
     .help = "parts to leave out, for ablations: predecode, decode, ports, latency, fusion, "
             "elimination, forwarding, stack-sync"},
    {.name = NULL}};

static pie_status get_int(const pie_host *host, const char *name, uint32_t *ret)
{
    int64_t value = 0;
    const pie_status status = host->get_int(host, name, &value);
    *ret = (uint32_t)value;
    return status;
}

static pie_status get_bool(const pie_host *host, const char *name, bool *ret)
{
    int32_t value = 0;
    const pie_status status = host->get_bool(host, name, &value);
    *ret = value != 0;
    return status;
}

static pie_status read_without(const pie_host *host, ooo_params *params)
{
    const struct {
        const char *name;
        bool *flag;
    } parts[] = {{"predecode", &params->no_predecode},   {"decode", &params->no_decode},
                 {"ports", &params->no_ports},           {"latency", &params->no_latency},
                 {"fusion", &params->no_fusion},         {"elimination", &params->no_elimination},
                 {"forwarding", &params->no_forwarding}, {"stack-sync", &params->no_sync}};
    const char *const *names = NULL;
    size_t n = 0;
    const pie_status status = host->get_strings(host, "without", &names, &n);
    for (size_t i = 0; status == PIE_OK && i < n; i++) {
        bool found = false;
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
            if (strcmp(parts[k].name, names[i]) == 0)
                found = *parts[k].flag = true;
        if (!found) {
            char text[256];
            snprintf(text, sizeof text, "without: no part '%.60s'; see `pie plugin show ooo`",
                     names[i]);
            host->log(host, PIE_LOG_ERROR, text);
            return PIE_ERR_CONFIG;
        }
    }
    return status;
}

static pie_status read_lsd_copies(const pie_host *host, ooo_params *params)
{
    const char *const *items = NULL;
    size_t n = 0;
    const pie_status status = host->get_strings(host, "lsd_copies", &items, &n);
    for (size_t i = 0; i < 256; i++)
        params->lsd_copies[i] = 1;
    for (size_t i = n; status == PIE_OK && i-- > 0;) {
        unsigned uops, copies;
        char end;
        if (sscanf(items[i], "%u:%u%c", &uops, &copies, &end) != 2 || uops > 255 || copies < 1 ||
            copies > 64) {
            char text[256];
            snprintf(text, sizeof text, "lsd_copies: '%.60s' is not of the form \"12:3\"",
                     items[i]);
            host->log(host, PIE_LOG_ERROR, text);
            return PIE_ERR_CONFIG;
        }
        for (size_t k = 0; k <= uops; k++)
            params->lsd_copies[k] = (uint8_t)copies;
    }
    return status;
}

static pie_status read_params(const pie_host *host, ooo_params *p)
{
    const struct {
        const char *name;
        uint32_t *value;
    } ints[] = {{"predecode_width", &p->predecode_width},
                {"instruction_queue", &p->iq_entries},
                {"predecode_delay", &p->iq_delay},
                {"decoders", &p->decoders},
                {"uop_queue", &p->idq_entries},
                {"dsb_width", &p->dsb_width},
                {"dsb_window", &p->dsb_window},
                {"dsb_lines", &p->dsb_lines},
                {"dsb_line_uops", &p->dsb_line_uops},
                {"dsb_sets", &p->dsb_sets},
                {"dsb_ways", &p->dsb_ways},
                {"ms_width", &p->ms_width},
                {"dsb_ms_stall", &p->dsb_ms_stall},
                {"issue_width", &p->issue_width},
                {"retire_width", &p->retire_width},
                {"rob", &p->rob_entries},
                {"scheduler", &p->scheduler_entries},
                {"load_buffer", &p->load_entries},
                {"store_buffer", &p->store_entries},
                {"integer_registers", &p->integer_registers},
                {"vector_registers", &p->vector_registers},
                {"elimination_integer", &p->elim_integer},
                {"elimination_vector", &p->elim_vector},
                {"dispatch_delay", &p->dispatch_delay},
                {"load_latency", &p->load_latency},
                {"load_latency_pointer", &p->load_latency_pointer},
                {"load_latency_vector", &p->load_latency_vector},
                {"load_latency_wide", &p->load_latency_wide},
                {"store_address_latency", &p->store_address_latency},
                {"forward_latency", &p->forward_latency},
                {"forward_failed", &p->forward_failed},
                {"alias_penalty", &p->alias_penalty},
                {"split_penalty", &p->split_penalty}};
    const struct {
        const char *name;
        bool *value;
    } bools[] = {{"fusible_last", &p->fusible_last},
                 {"dsb_both_halves", &p->dsb_both_halves},
                 {"jcc_mitigation", &p->jcc_erratum},
                 {"lsd", &p->lsd}};
    pie_status status = PIE_OK;
    for (size_t i = 0; i < sizeof ints / sizeof *ints && status == PIE_OK; i++)
        status = get_int(host, ints[i].name, ints[i].value);
    for (size_t i = 0; i < sizeof bools / sizeof *bools && status == PIE_OK; i++)
        status = get_bool(host, bools[i].name, bools[i].value);
    const char *binding = NULL;
    if (status == PIE_OK)
        status = host->get_string(host, "port_binding", &binding);
    if (status == PIE_OK)
        p->binding = strcmp(binding, "lowest") == 0 ? OOO_BIND_LOWEST : OOO_BIND_COUNTERS;
    if (status == PIE_OK)
        status = read_without(host, p);
    if (status == PIE_OK)
        status = read_lsd_copies(host, p);
    if (status == PIE_OK &&
        (p->dsb_sets & (p->dsb_sets - 1) || p->dsb_window & (p->dsb_window - 1))) {
        host->log(host, PIE_LOG_ERROR, "dsb_sets and dsb_window must be powers of two");
        status = PIE_ERR_CONFIG;
    }
    for (p->dsb_shift = 0; 1u << p->dsb_shift < p->dsb_window;)
        p->dsb_shift++;
    return status;
}

/* ---- an instance ------------------------------------------------------------------------------
 */

static void ooo_destroy(void *instance)
{
    ooo *self = instance;
    if (!self)
        return;
    for (size_t i = 0; i < self->n_blocks; i++)
        free(self->blocks[i]);
    for (size_t i = 0; i < self->n_unknown; i++)
        free(self->unknown[i].form);
    free(self->blocks);
    free(self->unknown);
    free(self->core);
    ooo_table_free(self->table);
    free(self);
}

static pie_status load_table(ooo *self, const char *folder)
{
    const char *name = NULL;
    char path[4096];
    pie_status status = self->host->get_string(self->host, "table", &name);
    if (status != PIE_OK)
        return status;
    const int n = snprintf(path, sizeof path, "%s%s%s", *name == '/' || !folder ? "" : folder,
                           *name == '/' || !folder ? "" : "/", name);
    if (n < 0 || (size_t)n >= sizeof path) {
        self->host->log(self->host, PIE_LOG_ERROR, "table: the path is too long");
        return PIE_ERR_CONFIG;
    }
    return ooo_table_load(path, self->host, &self->table);
}

static pie_status ooo_create(const pie_host *host, const pie_uarch_setup *setup, void **ret_self)
{
    if (setup->isa != PIE_ISA_X86_64) {
        host->log(host, PIE_LOG_ERROR, "unknown instruction set; this engine knows x86-64");
        return PIE_ERR_CONFIG;
    }
    ooo *self = calloc(1, sizeof *self);
    if (!self)
        return PIE_ERR_NOMEM;
    self->host = host;
    self->page_map = setup->page_map;
    pie_status status = read_params(host, &self->params);
    if (status == PIE_OK)
        status = load_table(self, setup->folder);
    if (status == PIE_OK) {
        self->expansion = (ooo_expand_options){.profile = setup->profile != 0,
                                               .latency = !self->params.no_latency};
        self->core = malloc(sizeof *self->core);
        if (!self->core)
            status = PIE_ERR_NOMEM;
    }
    if (status != PIE_OK) {
        ooo_destroy(self);
        return status;
    }
    ooo_core_init(self->core, &self->params, self->page_map);
    *ret_self = self;
    return PIE_OK;
}

/* ---- blocks -----------------------------------------------------------------------------------
 */

static pie_status grow(ooo *self, size_t id)
{
    if (id >= self->capacity) {
        const size_t capacity = id < 512 ? 1024 : 2 * (id + 1);
        ooo_block **more = realloc(self->blocks, capacity * sizeof *more);
        if (!more)
            return PIE_ERR_NOMEM;
        self->blocks = more;
        self->capacity = capacity;
    }
    while (self->n_blocks <= id)
        self->blocks[self->n_blocks++] = NULL;
    return PIE_OK;
}

static pie_status number_unknown(ooo *self, const char *form, uint32_t *ret_number)
{
    size_t i = 0;
    while (i < self->n_unknown && strcmp(self->unknown[i].form, form) != 0)
        i++;
    if (i == self->n_unknown) {
        unknown_form *more = realloc(self->unknown, (i + 1) * sizeof *more);
        if (!more)
            return PIE_ERR_NOMEM;
        self->unknown = more;
        more[i] = (unknown_form){.form = strdup(form)};
        if (!more[i].form)
            return PIE_ERR_NOMEM;
        self->n_unknown++;
    }
    *ret_number = (uint32_t)i;
    return PIE_OK;
}

static pie_status describe(ooo *self, const pie_block *description)
{
    ooo_block *block = NULL;
    if (grow(self, description->id) != PIE_OK)
        return PIE_ERR_NOMEM;
    if (self->blocks[description->id])
        return PIE_OK; /* known already, from copy() */
    pie_status status = ooo_expand(self->table, description, &self->expansion, &block);
    for (size_t i = 0; status == PIE_OK && i < block->n_insns; i++)
        if (block->insns[i].flags & OOO_INSN_UNKNOWN)
            status = number_unknown(
                self, pie_block_string(block->detail, pie_block_insn(block->detail, i)->form),
                &block->insns[i].row);
    if (status != PIE_OK) {
        free(block);
        return status;
    }
    self->blocks[description->id] = block;
    return PIE_OK;
}

/* ---- instructions -----------------------------------------------------------------------------
 */

static void point_step(ooo *self, waiting *w)
{
    w->step.block = self->blocks[w->block];
    w->step.insn = &w->step.block->insns[w->insn];
    w->step.branch = w->has_branch ? &self->blocks[w->branch_block]->insns[w->branch_insn] : NULL;
}

static void execute_waiting(ooo *self, ooo_cycle next_predecoded)
{
    waiting *w = &self->waiting;
    const ooo_cycle before = self->core->last_retire;
    ooo_core_execute(self->core, &w->step, next_predecoded);
    if (self->expansion.profile) {
        ooo_block *block = self->blocks[w->block];
        block->executions[w->insn]++;
        block->cycles[w->insn] += self->core->last_retire - before;
        if (w->has_branch)
            self->blocks[w->branch_block]->executions[w->branch_insn]++;
    }
    w->active = false;
}

/* The stream says nothing of what comes next: the outcome of a branch is unknown. */
static void flush_waiting(ooo *self)
{
    waiting *w = &self->waiting;
    if (!w->active)
        return;
    w->step.taken = false;
    ooo_front_structure(self->core, &w->step);
    execute_waiting(self, 0);
}

/* What the first @n instructions of a block add to the counters of instructions and accesses; a
 * repetition accesses its operands @times. */
static void count_insns(ooo *self, const ooo_block *block, uint32_t n, const uint64_t *slots,
                        uint64_t times)
{
    ooo_totals *totals = &self->core->totals;
    if (n == block->n_insns && block->is_plain && times == 1) {
        totals->instructions += n;
        totals->branches += block->n_branches;
        totals->loads += block->n_reads;
        totals->stores += block->n_writes;
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        const ooo_insn *insn = &block->insns[i];
        totals->instructions++;
        totals->branches += (insn->flags & OOO_INSN_BRANCH) != 0;
        totals->loads += insn->n_reads * times;
        totals->stores += insn->n_writes_mem * times;
        for (size_t k = 0; insn->has_counted && k < insn->n_mems; k++) {
            const ooo_mem *mem = &block->mems[insn->first_mem + k];
            if (!(mem->flags & OOO_MEM_COUNTED) || slots[mem->first_slot] == 0)
                continue;
            totals->loads += (mem->flags & OOO_MEM_READ) != 0;
            totals->stores += (mem->flags & OOO_MEM_WRITE) != 0;
        }
        if (insn->flags & OOO_INSN_UNKNOWN) {
            totals->unknown++;
            self->unknown[insn->row].executions++;
        }
    }
}

/* An instruction comes; the one before it can go. @sequential: it follows that one in memory. */
static inline void arrive(ooo *self, const ooo_block *block, uint32_t index, const uint64_t *slots,
                          uint64_t iterations, bool sequential)
{
    waiting *w = &self->waiting;
    ooo_core *core = self->core;
    const ooo_insn *insn = &block->insns[index];
    if (w->active && !w->has_branch && w->step.insn->fuse && sequential &&
        !self->params.no_fusion && ooo_fuses(w->step.insn, insn)) {
        w->has_branch = true;
        w->branch_block = block->id;
        w->branch_insn = index;
        w->step.branch = insn;
        if (w->step.source == OOO_FROM_MITE)
            w->step.branch_predecoded = ooo_front_predecode(core, insn);
        return;
    }
    const bool was_active = w->active;
    if (was_active) {
        w->step.taken = !sequential;
        ooo_front_structure(core, &w->step);
    }
    const uint8_t source = ooo_front_source(core, insn->address, sequential);
    const bool is_decoded = source == OOO_FROM_MITE;
    uint64_t number = core->front.n_predecoded;
    ooo_cycle predecoded = 0;
    if (was_active && is_decoded && w->step.source == OOO_FROM_MITE) {
        predecoded = ooo_front_predecode(core, insn);
        execute_waiting(self, predecoded);
    } else {
        if (was_active)
            execute_waiting(self, 0);
        number = core->front.n_predecoded;
        if (is_decoded)
            predecoded = ooo_front_predecode(core, insn);
    }
    w->active = true;
    w->has_branch = false;
    w->block = block->id;
    w->insn = index;
    w->step = (ooo_step){.block = block,
                         .insn = insn,
                         .slots = slots,
                         .number = number,
                         .predecoded = predecoded,
                         .iterations = iterations,
                         .source = source,
                         .boundary = source == OOO_FROM_LSD && core->front.lsd_boundary};
    core->front.lsd_boundary = false;
}

/* The first @n instructions of a block, or a repetition. */
static void run_block(ooo *self, const ooo_block *block, uint32_t n, const uint64_t *slots,
                      uint64_t iterations)
{
    if (n == 0)
        return;
    count_insns(self, block, n, slots, iterations);
    arrive(self, block, 0, slots, iterations, block->address == self->expected);
    for (uint32_t i = 1; i < n; i++)
        arrive(self, block, i, slots, 0, true);
    self->expected = block->insns[n - 1].address + block->insns[n - 1].length;
}

/* The records that hold the waiting instruction's addresses are the caller's: keep them. */
static void keep_waiting(ooo *self)
{
    waiting *w = &self->waiting;
    if (!w->active || w->step.insn->n_mems == 0)
        return;
    const ooo_mem *mems = w->step.block->mems + w->step.insn->first_mem;
    const size_t first = mems[0].first_slot;
    size_t end = first;
    for (size_t i = 0; i < w->step.insn->n_mems; i++) {
        if (!(mems[i].flags & (OOO_MEM_READ | OOO_MEM_WRITE)))
            continue;
        const size_t last =
            mems[i].first_slot + 1u + (mems[i].flags & OOO_MEM_COUNTED ? mems[i].n_elements : 0u);
        end = last > end ? last : end;
    }
    if (end - first > MAX_SAVED_SLOTS)
        end = first + MAX_SAVED_SLOTS;
    for (size_t i = first; i < end; i++)
        w->saved[i - first] = w->step.slots[i - w->step.first_slot];
    w->step.slots = w->saved;
    w->step.first_slot = (uint32_t)first;
}

static void take_event(ooo *self, uint32_t type, const uint64_t *words)
{
    enum { WRITE = 1, WRITEV = 20 }; /* numbers of x86-64 Linux */
    if (type == PIE_EVENT_SIGNAL || type == PIE_EVENT_END)
        flush_waiting(self); /* what comes next, if anything, says nothing of it */
    if (type != PIE_EVENT_SYSCALL)
        return;
    self->core->totals.syscalls++;
    self->core->totals.write_calls += words[1] == WRITE || words[1] == WRITEV;
}

static pie_status ooo_consume(void *instance, const uint64_t *words, size_t n_words,
                              uint64_t cycle_limit, size_t *ret_used, int32_t *ret_reason)
{
    ooo *self = instance;
    const uint64_t *at = words, *const end = words + n_words;
    int32_t reason = PIE_CONSUMED_ALL;
    while (at < end) {
        const uint64_t header = *at;
        const uint32_t argument = pie_record_argument(header);
        switch (pie_record_kind(header)) {
        case PIE_RECORD_BLOCK: {
            const ooo_block *block = self->blocks[argument];
            run_block(self, block, block->n_insns, at + 1, 1);
            break;
        }
        case PIE_RECORD_CUT:
            run_block(self, self->blocks[argument], (uint32_t)at[1], at + 2, 1);
            break;
        case PIE_RECORD_REP:
            run_block(self, self->blocks[argument], 1, at + 3, at[1]);
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
        default:
            break;
        }
        at += pie_record_words(header);
        if (self->core->last_retire > cycle_limit) {
            reason = PIE_CONSUMED_TO_LIMIT;
            break;
        }
    }
    keep_waiting(self);
    *ret_used = (size_t)(at - words);
    *ret_reason = reason;
    return PIE_OK;
}

/* ---- figures ----------------------------------------------------------------------------------
 */

static const pie_counter ooo_counters[] = {
    {"cycles", "cycles", "core clock cycles in user mode"},
    {"instructions", "instructions", "retired; a repeated string instruction is one"},
    {"uops", "uops", "retired uops, fused domain"},
    {"branches", "instructions", "retired branch instructions"},
    {"loads", "accesses", "memory operands read"},
    {"stores", "accesses", "memory operands written"},
    {"syscalls", "calls", "system calls"},
    {"write_calls", "calls", "system calls that write output"},
    {"unknown_forms", "instructions", "executed instructions timed by the fallback"},
    {"topdown_retiring", "slots", "issue slots that retired a uop"},
    {"topdown_bad_speculation", "slots", "issue slots lost to mispredictions"},
    {"topdown_frontend_bound", "slots", "issue slots that the front end left empty"},
    {"topdown_core_bound", "slots", "issue slots lost to execution resources"},
    {"topdown_memory_bound", "slots", "issue slots lost to full load and store buffers"},
    {"ooo.port0", "uops", "executed on port 0"},
    {"ooo.port1", "uops", "executed on port 1"},
    {"ooo.port2", "uops", "executed on port 2"},
    {"ooo.port3", "uops", "executed on port 3"},
    {"ooo.port4", "uops", "executed on port 4"},
    {"ooo.port5", "uops", "executed on port 5"},
    {"ooo.port6", "uops", "executed on port 6"},
    {"ooo.port7", "uops", "executed on port 7"},
    {"ooo.uops_mite", "uops", "from the decoders"},
    {"ooo.uops_dsb", "uops", "from the uop cache"},
    {"ooo.uops_lsd", "uops", "from the loop stream detector"},
    {"ooo.uops_ms", "uops", "from the microcode sequencer"},
    {"ooo.macro_fused", "pairs", "instructions fused with a conditional jump"},
    {"ooo.moves_eliminated", "instructions", "moves without a port"},
    {"ooo.moves_not_eliminated", "instructions", "moves for want of a slot on a port"},
    {"ooo.stack_syncs", "uops", "added when rsp is wanted after push, pop, call or ret"},
    {"ooo.register_merges", "uops", "added to merge ah, bh, ch, dh"},
    {"ooo.forwarded_loads", "loads", "that got their data from the store buffer"},
    {"ooo.forward_failures", "loads", "that waited for a store to reach the cache"},
    {"ooo.alias_4k", "loads", "held up by a store with the same page offset"},
    {"ooo.split_loads", "loads", "over two cache lines"},
    {NULL, NULL, NULL}};

static void ooo_mark(const void *instance, pie_uarch_mark *ret_mark)
{
    const ooo *self = instance;
    *ret_mark = (pie_uarch_mark){.cycles = self->core->last_retire,
                                 .instructions = self->core->totals.instructions,
                                 .uops = self->core->totals.slots};
}

static void ooo_counters_read(const void *instance, uint64_t *ret_values)
{
    const ooo *self = instance;
    const ooo_core *core = self->core;
    const ooo_totals *t = &core->totals;
    const uint64_t slots = core->last_retire * core->params.issue_width;
    /* what is left of the slots: after the last issue the core works off what it has */
    const uint64_t used = t->slots + t->lost_front + t->lost_memory + t->lost_speculation;
    const uint64_t values[] = {core->last_retire,
                               t->instructions,
                               t->slots,
                               t->branches,
                               t->loads,
                               t->stores,
                               t->syscalls,
                               t->write_calls,
                               t->unknown,
                               t->slots,
                               t->lost_speculation,
                               t->lost_front,
                               slots > used ? slots - used : 0,
                               t->lost_memory,
                               t->ports[0],
                               t->ports[1],
                               t->ports[2],
                               t->ports[3],
                               t->ports[4],
                               t->ports[5],
                               t->ports[6],
                               t->ports[7],
                               t->from_mite,
                               t->from_dsb,
                               t->from_lsd,
                               t->from_ms,
                               t->fused_pairs,
                               t->eliminated,
                               t->not_eliminated,
                               t->stack_syncs,
                               t->merges,
                               t->forwards,
                               t->forward_failures,
                               t->aliases,
                               t->splits};
    memcpy(ret_values, values, sizeof values);
}

static pie_status ooo_profile(const void *instance,
                              pie_status (*visit)(void *context, const pie_profile_row *row),
                              void *context)
{
    const ooo *self = instance;
    for (size_t id = 0; id < self->n_blocks; id++) {
        const ooo_block *block = self->blocks[id];
        for (uint32_t i = 0; block && block->executions && i < block->n_insns; i++) {
            if (block->executions[i] == 0)
                continue;
            const pie_profile_row row = {.block_id = (uint32_t)id,
                                         .insn = i,
                                         .executions = block->executions[i],
                                         .cycles = block->cycles[i]};
            const pie_status status = visit(context, &row);
            if (status != PIE_OK)
                return status;
        }
    }
    return PIE_OK;
}

static const char *ooo_unknown_form(const void *instance, size_t index, uint64_t *ret_executions)
{
    const ooo *self = instance;
    for (size_t i = 0; i < self->n_unknown; i++)
        if (self->unknown[i].executions > 0 && index-- == 0) {
            *ret_executions = self->unknown[i].executions;
            return self->unknown[i].form;
        }
    return NULL;
}

/* Blocks first, as only they can fail: @dst is then either ready or as it was. */
static pie_status ooo_copy(void *destination, const void *source)
{
    ooo *dst = destination;
    const ooo *src = source;
    for (size_t id = 0; id < src->n_blocks; id++) {
        const pie_status status = src->blocks[id] ? describe(dst, src->blocks[id]->detail) : PIE_OK;
        if (status != PIE_OK)
            return status;
    }
    for (size_t id = 0; id < dst->n_blocks; id++) {
        ooo_block *to = dst->blocks[id];
        const ooo_block *from = id < src->n_blocks ? src->blocks[id] : NULL;
        if (!to || !to->executions)
            continue;
        for (size_t i = 0; i < 2 * (size_t)to->n_insns; i++) /* executions, then cycles */
            to->executions[i] = from && from->executions ? from->executions[i] : 0;
    }
    for (size_t i = 0; i < dst->n_unknown; i++) {
        dst->unknown[i].executions = 0;
        for (size_t k = 0; k < src->n_unknown; k++)
            if (strcmp(dst->unknown[i].form, src->unknown[k].form) == 0)
                dst->unknown[i].executions = src->unknown[k].executions;
    }
    *dst->core = *src->core;
    dst->waiting = src->waiting;
    dst->expected = src->expected;
    if (dst->waiting.active) {
        point_step(dst, &dst->waiting);
        dst->waiting.step.slots = dst->waiting.saved;
    }
    return PIE_OK;
}

/* ---- tables -----------------------------------------------------------------------------------
 */

static const pie_uarch_trace_ops ooo_trace = {
    .counters = ooo_counters,
    .create = ooo_create,
    .destroy = ooo_destroy,
    .consume = ooo_consume,
    .mark = ooo_mark,
    .counters_read = ooo_counters_read,
    .profile = ooo_profile,
    .copy = ooo_copy,
    .unknown_form = ooo_unknown_form,
};

static const pie_uarch_ops ooo_ops = {
    .style = PIE_UARCH_TRACE,
    .flags = PIE_UARCH_DETERMINISTIC,
    .trace = &ooo_trace,
};

static const pie_plugin ooo_plugin = {
    .kind = PIE_KIND_UARCH,
    .id = "org.pie.ooo",
    .version = "1.0.0",
    .summary = "Out-of-order engine of the Intel Core family; a model.cfg and a table make a core.",
    .licence = "MIT",
    .options = ooo_options,
    .ops = &ooo_ops,
};

PIE_MODULE(&ooo_plugin);
