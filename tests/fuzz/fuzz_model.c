/* libFuzzer target of the out-of-order engine, whole: any machine code, run in any order with any
 * addresses, cut anywhere. Two instances take the same run, one in batches of a record and cut
 * between all instructions, and must agree; the bounds of the machine hold. The table is the
 * shipped one, parameters are the engine's.
 *
 * The input: pairs of bytes say what to do (a block, a cut, a repetition, an event, with which
 * addresses); behind the first 0xff as the first of a pair the rest is machine code, cut into
 * blocks at 0x90. */
#include "pie/uarch.h"

#include "trace/decode.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const pie_module pie_module_entry; /* the engine's, linked in */

enum { MAX_BLOCKS = 24, MAX_SLOTS = 256, MAX_STEPS = 400 };

static void check(int holds)
{
    if (!holds)
        abort();
}

/* ---- a host with the engine's defaults ---- */

static const pie_option *find(const pie_host *host, const char *key)
{
    const pie_option *option = host->host_data;
    while (option->name && strcmp(option->name, key) != 0)
        option++;
    check(option->name != NULL);
    return option;
}
static void be_silent(const pie_host *host, int32_t level, const char *text)
{
    (void)host, (void)level, (void)text;
}
static pie_status get_bool(const pie_host *host, const char *key, int32_t *ret)
{
    *ret = strcmp(find(host, key)->fallback, "true") == 0;
    return PIE_OK;
}
static pie_status get_int(const pie_host *host, const char *key, int64_t *ret)
{
    *ret = strtoll(find(host, key)->fallback, NULL, 10);
    return PIE_OK;
}
static pie_status get_float(const pie_host *host, const char *key, double *ret)
{
    *ret = strtod(find(host, key)->fallback, NULL);
    return PIE_OK;
}
static pie_status get_string(const pie_host *host, const char *key, const char **ret)
{
    *ret = strcmp(find(host, key)->name, "table") == 0 ? "instructions.tsv" : "counters";
    return PIE_OK;
}
static pie_status get_strings(const pie_host *host, const char *key, const char *const **ret_items,
                              size_t *ret_n)
{
    (void)host, (void)key;
    *ret_items = NULL;
    *ret_n = 0;
    return PIE_OK;
}
static pie_status get_floats(const pie_host *host, const char *key, const double **ret_items,
                             size_t *ret_n)
{
    (void)host, (void)key;
    *ret_items = NULL;
    *ret_n = 0;
    return PIE_OK;
}

/* ---- a run ---- */

typedef struct words {
    uint64_t *at;
    size_t n, capacity;
} words;

static void add(words *to, uint32_t kind, uint32_t argument, const uint64_t *more, size_t n)
{
    if (to->n + n + 1 > to->capacity) {
        to->capacity = 2 * (to->n + n + 1);
        to->at = realloc(to->at, to->capacity * sizeof *to->at);
        check(to->at != NULL);
    }
    to->at[to->n++] = pie_record_header(kind, (uint32_t)n + 1, argument);
    if (n)
        memcpy(to->at + to->n, more, n * sizeof *more);
    to->n += n;
}

typedef struct code_block {
    pie_block *block;
    uint32_t first_piece; /* id of the piece that is its first instruction */
    bool is_rep;
} code_block;

typedef struct run {
    pie_decoder *decoder;
    code_block blocks[MAX_BLOCKS];
    size_t n_blocks;
    uint32_t first_id, next_id;
    words whole, cut; /* the same, with every instruction a block of its own */
} run;

static pie_block *describe(run *r, words *to, uint32_t id, uint64_t address, const uint8_t *bytes,
                           size_t n)
{
    const pie_block *block;
    check(pie_decode_block(r->decoder, id, address, bytes, n, &block) == PIE_OK);
    pie_block *kept = malloc(block->size);
    check(kept != NULL);
    memcpy(kept, block, block->size);
    add(to, PIE_RECORD_DESCRIBE, id, (const uint64_t *)(const void *)block, block->size / 8);
    return kept;
}

/* False: more than these tests take. */
static bool add_code(run *r, uint64_t address, const uint8_t *bytes, size_t n)
{
    const pie_block *block;
    if (r->n_blocks == MAX_BLOCKS ||
        pie_decode_block(r->decoder, 1, address, bytes, n, &block) != PIE_OK ||
        block->n_slots > MAX_SLOTS)
        return false;
    for (size_t i = 0; i < block->n_insns; i++) /* a repeated one is alone */
        if (pie_block_insn(block, i)->flags & (PIE_INSN_REP | PIE_INSN_REPNE) && block->n_insns > 1)
            return false;
    code_block *made = &r->blocks[r->n_blocks];
    made->block = describe(r, &r->whole, r->first_id + (uint32_t)r->n_blocks, address, bytes, n);
    made->is_rep = pie_block_insn(made->block, 0)->flags & (PIE_INSN_REP | PIE_INSN_REPNE);
    made->first_piece = r->next_id;
    for (size_t i = 0; i < made->block->n_insns; i++) {
        const pie_insn *insn = pie_block_insn(made->block, i);
        const size_t end = i + 1 < made->block->n_insns ? pie_block_insn(made->block, i + 1)->offset
                                                        : made->block->n_bytes;
        free(describe(r, &r->cut, r->next_id++, address + insn->offset, bytes + insn->offset,
                      end - insn->offset));
    }
    r->n_blocks++;
    return true;
}

static void fill(const pie_block *block, size_t n_insns, uint8_t how, uint64_t *slots)
{
    for (size_t i = 0; i < block->n_slots; i++)
        slots[i] = PIE_NO_ACCESS;
    for (size_t i = 0; i < n_insns; i++) {
        const pie_insn *insn = pie_block_insn(block, i);
        for (size_t k = 0; k < insn->n_mems; k++) {
            const pie_mem *mem = pie_block_mem(block, insn, k);
            if (mem->n_slots == 0)
                continue;
            const uint64_t address = how == 0xff ? PIE_GUEST_ADDRESS_LIMIT - 64
                                                 : how * 61u + i * (how & 7u) + (how & 8u) * 512u;
            if (!(mem->flags & PIE_MEM_COUNTED)) {
                slots[mem->first_slot] = address;
                continue;
            }
            const size_t n = how % (mem->n_elements + 1u);
            slots[mem->first_slot] = n;
            for (size_t e = 0; e < n; e++)
                slots[mem->first_slot + 1u + e] = address + 4 * e;
        }
    }
}

static void add_pieces(run *r, const code_block *from, size_t n_insns, const uint64_t *slots)
{
    size_t slot = 0;
    for (size_t i = 0; i < n_insns; i++) {
        const pie_insn *insn = pie_block_insn(from->block, i);
        size_t n = 0;
        for (size_t k = 0; k < insn->n_mems; k++)
            n += pie_block_mem(from->block, insn, k)->n_slots;
        add(&r->cut, PIE_RECORD_BLOCK, from->first_piece + (uint32_t)i, slots + slot, n);
        slot += n;
    }
}

static void add_step(run *r, uint8_t what, uint8_t how)
{
    const code_block *from = &r->blocks[what % r->n_blocks];
    const pie_block *block = from->block;
    uint64_t record[2 + MAX_SLOTS] = {0};
    if (what % 16 == 15) {
        const uint64_t event[] = {how, 0, 5};
        add(&r->whole, PIE_RECORD_EVENT, 1 + how % 9, event, how % 9 == 0 ? 0 : 3);
        add(&r->cut, PIE_RECORD_EVENT, 1 + how % 9, event, how % 9 == 0 ? 0 : 3);
    } else if (from->is_rep) {
        record[0] = how == 0xfe ? UINT64_C(1) << 20 : how % 50;
        fill(block, record[0] ? 1 : 0, how, record + 2);
        add(&r->whole, PIE_RECORD_REP, block->id, record, 2u + block->n_slots);
        add(&r->cut, PIE_RECORD_REP, from->first_piece, record, 2u + block->n_slots);
    } else if (what % 16 == 14) {
        const uint64_t signal[] = {11};
        record[0] = how % block->n_insns;
        fill(block, record[0], how, record + 1);
        add(&r->whole, PIE_RECORD_CUT, block->id, record, 1u + block->n_slots);
        add(&r->whole, PIE_RECORD_EVENT, PIE_EVENT_SIGNAL, signal, 1);
        add_pieces(r, from, record[0], record + 1);
        add(&r->cut, PIE_RECORD_EVENT, PIE_EVENT_SIGNAL, signal, 1);
    } else {
        fill(block, block->n_insns, how, record);
        add(&r->whole, PIE_RECORD_BLOCK, block->id, record, block->n_slots);
        add_pieces(r, from, block->n_insns, record);
    }
}

/* ---- both ways ---- */

static void feed(const pie_uarch_trace_ops *ops, void *self, const uint64_t *at, size_t n)
{
    size_t used = 0;
    int32_t reason = -1;
    uint64_t *copy = malloc((n ? n : 1) * sizeof *copy); /* of exactly this size */
    check(copy != NULL);
    memcpy(copy, at, n * sizeof *copy);
    check(ops->consume(self, copy, n, UINT64_MAX, &used, &reason) == PIE_OK);
    check(used == n && reason == PIE_CONSUMED_ALL);
    free(copy);
}

static void compare(const run *r, const pie_uarch_trace_ops *ops, void *one, void *other)
{
    uint64_t a[128] = {0}, b[128] = {0};
    feed(ops, one, r->whole.at, r->whole.n);
    for (size_t at = 0; at < r->cut.n; at += pie_record_words(r->cut.at[at]))
        feed(ops, other, r->cut.at + at, pie_record_words(r->cut.at[at]));
    ops->counters_read(one, a);
    ops->counters_read(other, b);
    check(memcmp(a, b, sizeof a) == 0);
    uint64_t cycles = 0, slots = 0;
    for (size_t i = 0; ops->counters[i].name; i++) {
        if (strcmp(ops->counters[i].name, "cycles") == 0)
            cycles = a[i];
        if (strncmp(ops->counters[i].name, "topdown_", 8) == 0)
            slots += a[i];
        if (strcmp(ops->counters[i].name, "uops") == 0)
            check(4 * cycles >= a[i]);
    }
    check(slots == 4 * cycles);
}

/* Reading the table takes longer than a run, so instances are used again: made as new by copy()
 * from one that has seen nothing. Ids then go on, since one is never used for two blocks. */
typedef struct instances {
    void *fresh, *one, *other;
    uint32_t next_id;
} instances;

static void make_ready(const pie_uarch_trace_ops *ops, const pie_plugin *plugin, instances *kept)
{
    const pie_host host = {(void *)(uintptr_t)plugin->options,
                           be_silent,
                           get_bool,
                           get_int,
                           get_float,
                           get_string,
                           get_strings,
                           get_floats,
                           NULL};
    static pie_host lent; /* until destroy() */
    const pie_uarch_setup setup = {PIE_ISA_X86_64, PIE_PAGE_MAP_IDENTITY, 1, PIE_TABLE_FOLDER};
    void **all[] = {&kept->fresh, &kept->one, &kept->other};
    lent = host;
    if (!kept->fresh || kept->next_id > 50000)
        for (size_t i = 0; i < 3; i++) {
            ops->destroy(*all[i]);
            *all[i] = NULL;
            check(ops->create(&lent, &setup, all[i]) == PIE_OK);
            kept->next_id = 1;
        }
    check(ops->copy(kept->one, kept->fresh) == PIE_OK);
    check(ops->copy(kept->other, kept->fresh) == PIE_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const pie_plugin *plugin = pie_module_entry.plugins[0];
    const pie_uarch_trace_ops *ops = ((const pie_uarch_ops *)plugin->ops)->trace;
    static instances kept;
    make_ready(ops, plugin, &kept);
    run r = {.first_id = kept.next_id, .next_id = kept.next_id + MAX_BLOCKS};
    size_t n_steps = 0;
    while (2 * n_steps + 1 < size && data[2 * n_steps] != 0xff && n_steps < MAX_STEPS)
        n_steps++;
    check(pie_decoder_new(&r.decoder) == PIE_OK);
    uint64_t address = 0x10000;
    for (size_t at = 2 * n_steps + 1; at < size && at < 4096;) {
        const uint8_t *end = memchr(data + at, 0x90, size - at);
        const size_t n = end ? (size_t)(end - data) + 1 - at : size - at;
        if (!add_code(&r, address, data + at, n > 512 ? 512 : n))
            break;
        address += n;
        at += n;
    }
    if (r.n_blocks > 0) {
        const uint64_t end[] = {0};
        for (size_t i = 0; i < n_steps; i++)
            add_step(&r, data[2 * i], data[2 * i + 1]);
        add(&r.whole, PIE_RECORD_EVENT, PIE_EVENT_END, end, 1);
        add(&r.cut, PIE_RECORD_EVENT, PIE_EVENT_END, end, 1);
        compare(&r, ops, kept.one, kept.other);
    }
    kept.next_id = r.next_id;
    for (size_t i = 0; i < r.n_blocks; i++)
        free(r.blocks[i].block);
    free(r.whole.at);
    free(r.cut.at);
    pie_decoder_free(r.decoder);
    return 0;
}
