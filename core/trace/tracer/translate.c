/* translate.c - from one of qemu's translation blocks (TB) to blocks of the trace.
 *
 * A TB becomes one block, or several: a repeated string instruction is a block of its own, and an
 * instruction that our decoder does not know ends one. The first is announced by the TB's execution
 * callback, the others by callbacks of their first instruction. */
#include "tracer.h"

#include <stdlib.h>
#include <string.h>

#define t the_tracer

enum { MAX_INSN_BYTES = 15, PAGE = 4096 };

/* One TB while it is taken apart. */
typedef struct insn_view {
    struct qemu_plugin_insn *qemu;
    pie_insn_slots slots;
    uint16_t offset, length;
} insn_view;

typedef struct tb_view {
    uint64_t address;
    size_t n;
    uint8_t bytes[PIE_BLOCK_MAX_BYTES];
    insn_view insns[PIE_BLOCK_MAX_INSNS];
} tb_view;

static size_t data_of(const struct qemu_plugin_insn *insn, uint8_t *to, size_t size)
{
    if (t.api >= 3) {
        size_t (*copy)(const struct qemu_plugin_insn *, void *, size_t);
        memcpy(&copy, &t.insn_data, sizeof copy);
        return copy(insn, to, size);
    }
    const void *(*get)(const struct qemu_plugin_insn *);
    memcpy(&get, &t.insn_data, sizeof get);
    const void *data = get(insn);
    if (!data)
        return 0;
    memcpy(to, data, size);
    return size;
}

/* qemu 7.2 leaves an instruction that crosses into the next page in our view, with its bytes cut
 * short, though it took it out of the TB (it comes first in the next one). An undecodable
 * instruction so near the end of a page is taken for such a one: if it is really illegal, then
 * leaving it out loses nothing, as it never retires. */
static bool is_phantom(const insn_view *insn, uint64_t address)
{
    return insn->slots.length == 0 && address % PAGE > PAGE - MAX_INSN_BYTES;
}

static bool view_tb(const struct qemu_plugin_tb *tb, tb_view *view)
{
    const size_t n = qemu_plugin_tb_n_insns(tb);
    size_t offset = 0;
    view->address = qemu_plugin_tb_vaddr(tb);
    view->n = 0;
    for (size_t i = 0; i < n; i++) {
        insn_view *insn = &view->insns[view->n];
        insn->qemu = qemu_plugin_tb_get_insn(tb, i);
        const size_t size = qemu_plugin_insn_size(insn->qemu);
        if (size == 0 || size > MAX_INSN_BYTES || offset + size > sizeof view->bytes ||
            view->n == PIE_BLOCK_MAX_INSNS ||
            qemu_plugin_insn_vaddr(insn->qemu) != view->address + offset ||
            data_of(insn->qemu, view->bytes + offset, size) != size)
            return false;
        pie_decode_slots(t.decoder, view->bytes + offset, size, &insn->slots);
        if (i > 0 && i == n - 1 && is_phantom(insn, view->address + offset))
            break;
        if (insn->slots.length && insn->slots.length != size)
            return false;
        insn->offset = (uint16_t)offset;
        insn->length = (uint16_t)size;
        offset += size;
        view->n++;
    }
    return view->n > 0;
}

/* Is this a branch? Agrees with pie_decode_block, which the consumer checks. */
static bool is_branch(const uint8_t *bytes, size_t n)
{
    size_t i = 0;
    while (i < n &&
           (bytes[i] == 0x66 || bytes[i] == 0x67 || bytes[i] == 0xf2 || bytes[i] == 0xf3 ||
            bytes[i] == 0x2e || bytes[i] == 0x3e || bytes[i] == 0x26 || bytes[i] == 0x36 ||
            bytes[i] == 0x64 || bytes[i] == 0x65 || bytes[i] == 0xf0 || (bytes[i] & 0xf0) == 0x40))
        i++;
    if (i >= n)
        return false;
    const uint8_t opcode = bytes[i];
    if ((opcode & 0xf0) == 0x70 || (opcode & 0xfc) == 0xe0 || opcode == 0xe8 || opcode == 0xe9 ||
        opcode == 0xeb || opcode == 0xc2 || opcode == 0xc3 || opcode == 0xca || opcode == 0xcb)
        return true;
    if (i + 1 >= n)
        return false;
    const unsigned extension = bytes[i + 1] >> 3 & 7;
    if (opcode == 0x0f)
        return (bytes[i + 1] & 0xf0) == 0x80;
    return opcode == 0xff && extension >= 2 && extension <= 5;
}

/* qemu 7.2 takes the vector index register 4 of a gather for "no index", as it is in other
 * instructions, and loads the wrong elements. Better no result than a wrong one. */
static bool is_broken_gather(const uint8_t *bytes, size_t n)
{
    size_t i = 0;
    while (i < n && (bytes[i] == 0x67 || bytes[i] == 0x64 || bytes[i] == 0x65 || bytes[i] == 0x2e ||
                     bytes[i] == 0x3e || bytes[i] == 0x26 || bytes[i] == 0x36))
        i++;
    return n - i >= 6 && bytes[i] == 0xc4 && (bytes[i + 1] & 0x5f) == 0x42 &&
           (bytes[i + 3] & 0xfc) == 0x90 && (bytes[i + 4] & 7) == 4 &&
           (bytes[i + 5] & 0x38) == 0x20;
}

static uint64_t hash_of(uint64_t address)
{
    return (address * UINT64_C(0x9e3779b97f4a7c15)) >> 50; /* 14 bits: BLOCK_BUCKETS */
}

static block *new_block(const tb_view *view, size_t first, size_t n, uint64_t address,
                        size_t n_bytes)
{
    const insn_view *insns = view->insns + first;
    size_t n_slots = 0, n_counted = 0;
    for (size_t i = 0; i < n; i++) {
        n_slots += insns[i].slots.n_slots;
        n_counted += insns[i].slots.mode == PIE_SLOTS_COUNTED;
    }
    const size_t bytes_at = sizeof(block), maps_at = bytes_at + (n_bytes + 7) / 8 * 8,
                 words_at = maps_at + n * sizeof(access_map),
                 size = words_at + (2 * n + n_counted) * sizeof(uint16_t);
    char *memory = calloc(1, size);
    if (!memory)
        tracer_finish(PIE_TRACER_BROKEN, 0, "the tracer is out of memory");
    block *b = (block *)(void *)memory;
    uint16_t *words = (uint16_t *)(void *)(memory + words_at);
    b->address = address;
    b->n_bytes = (uint16_t)n_bytes;
    b->n_insns = (uint16_t)n;
    b->n_slots = (uint16_t)n_slots;
    b->is_rep = insns[0].slots.is_rep;
    b->n_words = (uint32_t)(n_slots + (b->is_rep ? 3 : 1));
    b->reserve = NOT_DESCRIBED;
    b->n_counted = (uint16_t)n_counted;
    b->accesses = (access_map *)(void *)(memory + maps_at);
    memcpy(memory + bytes_at, view->bytes + insns[0].offset, n_bytes);
    b->bytes = (const uint8_t *)memory + bytes_at;
    b->n_branches =
        is_branch(b->bytes + (insns[n - 1].offset - insns[0].offset), insns[n - 1].length);
    b->function = qemu_plugin_insn_symbol(insns[0].qemu);

    uint16_t *offsets = words, *first_slot = words + n, *counted = words + 2 * n;
    size_t slot = 0;
    for (size_t i = 0; i < n; i++) {
        const pie_insn_slots *s = &insns[i].slots;
        const size_t word = slot + (b->is_rep ? 3 : 1);
        offsets[i] = (uint16_t)(insns[i].offset - insns[0].offset);
        first_slot[i] = (uint16_t)slot;
        if (s->mode == PIE_SLOTS_COUNTED)
            *counted++ = (uint16_t)word;
        b->accesses[i] = (access_map){.word = (uint16_t)word,
                                      .mode = s->mode,
                                      .load0 = s->load0,
                                      .load1 = s->load1,
                                      .store0 = s->store0,
                                      .n_elements = s->n_elements,
                                      .base_offset = s->base_offset,
                                      .counts_stores = s->store0 != 255};
        b->broken |= is_broken_gather(b->bytes + offsets[i], insns[i].length);
        slot += s->n_slots;
    }
    b->offsets = offsets;
    b->first_slot = first_slot;
    b->counted = words + 2 * n;
    return b;
}

/* The block of these instructions, the old one if they were translated before. */
static block *find_block(const tb_view *view, size_t first, size_t n)
{
    const insn_view *last = &view->insns[first + n - 1];
    const size_t offset = view->insns[first].offset;
    const size_t n_bytes = (size_t)last->offset + last->length - offset;
    const uint64_t address = view->address + offset;
    block **bucket = &t.buckets[hash_of(address)];
    bool changed = false, newest = true;
    block **link = bucket;
    for (; *link; link = &(*link)->next) {
        const block *b = *link;
        if (b->address != address)
            continue;
        const size_t common = b->n_bytes < n_bytes ? b->n_bytes : n_bytes;
        const bool differs = memcmp(b->bytes, view->bytes + offset, common) != 0;
        /* the chain is in order of translation, the newest first */
        if (newest)
            changed = differs;
        newest = false;
        if (!differs && b->n_bytes == n_bytes)
            break;
    }
    block *b = *link;
    if (b) {
        *link = b->next;
    } else {
        if (t.n_translated++ >= 2 * MAX_BLOCKS)
            tracer_finish(PIE_TRACER_MEMORY_LIMIT, 0, "the program makes too much code");
        b = new_block(view, first, n, address, n_bytes);
    }
    b->next = *bucket;
    *bucket = b;
    if (changed) {
        b->changed = 1;
        b->reserve = NOT_DESCRIBED;
    }
    return b;
}

static void *as_udata(size_t word)
{
    return (void *)(uintptr_t)word;
}

/* Always for loads and stores both: qemu 7.2 confuses the two when it is asked for one. */
static void register_accesses(const insn_view *insn, access_map *map, bool is_rep)
{
    const pie_insn_slots *s = &insn->slots;
    const bool loads = s->load0 != 255, stores = s->store0 != 255;
    qemu_plugin_mem_cb cb = on_general;
    void *udata = map;
    if (is_rep) {
        cb = on_rep_access;
    } else if (s->length == 0) {
        cb = on_stray;
    } else if (s->mode == PIE_SLOTS_NONE) {
        return;
    } else if (s->mode == PIE_SLOTS_PLAIN && s->load1 == 255 &&
               (!loads || !stores || s->load0 == s->store0)) {
        /* one slot; the store of a read-modify-write has the address of its load */
        cb = s->pieces ? on_access : on_piece;
        udata = as_udata((size_t)map->word + (loads ? s->load0 : s->store0));
    }
    qemu_plugin_register_vcpu_mem_cb(insn->qemu, cb, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW,
                                     udata);
}

void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    static tb_view view; /* 30 KiB; one thread */
    (void)id;
    const uint64_t address = qemu_plugin_tb_vaddr(tb);
    if (!t.filtered) {
        const bool own = address >= qemu_plugin_start_code() && address < qemu_plugin_end_code();
        if (!t.begun)
            answers_begin();
        if (own)
            answers_filter(true);
        else if (!t.env)
            answers_filter(false);
    }
    if (!view_tb(tb, &view))
        tracer_finish(PIE_TRACER_BROKEN, 0, "qemu and the decoder disagree about an instruction");
    for (size_t first = 0; first < view.n;) {
        size_t n = 1;
        if (!view.insns[first].slots.is_rep && view.insns[first].slots.length)
            while (first + n < view.n && !view.insns[first + n].slots.is_rep &&
                   view.insns[first + n - 1].slots.length)
                n++;
        block *b = find_block(&view, first, n);
        const qemu_plugin_exec_cb cb =
            b->is_rep ? on_rep : (b->n_counted ? on_block_counted : on_block);
        if (first == 0 && !t.env)
            qemu_plugin_register_vcpu_tb_exec_cb(tb, on_first, QEMU_PLUGIN_CB_NO_REGS, b);
        if (first == 0 && !b->is_rep)
            qemu_plugin_register_vcpu_tb_exec_cb(tb, cb, QEMU_PLUGIN_CB_NO_REGS, b);
        else
            qemu_plugin_register_vcpu_insn_exec_cb(view.insns[first].qemu, cb,
                                                   QEMU_PLUGIN_CB_NO_REGS, b);
        for (size_t i = 0; i < n; i++)
            register_accesses(&view.insns[first + i], &b->accesses[i], b->is_rep);
        first += n;
    }
}
