/* traffic.c - see traffic.h */
#include "reference/traffic.h"

#include "contract/random_code.h"
#include "trace/decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- instructions -----------------------------------------------------------------------------
 */

enum { R = 1, M = 2, RM = R | M, NONE = 4, VEC = 8, INDEX = 16 /* vsib */ };

/* Prefixes and opcode in hex; W: any REX prefix may come before the opcode bytes that follow, V: a
 * three-byte VEX prefix of this map, pp and L; then modrm: what it may name, /n or any register. */
static const struct form {
    const char *hex;
    uint8_t modrm;
    int8_t extension; /* -1: a register */
    uint8_t immediate;
    uint8_t weight;
} forms[] = {
    /* arithmetic */
    {"W01", RM, -1, 0, 8},
    {"W03", RM, -1, 0, 8},
    {"W2b", RM, -1, 0, 4},
    {"W31", RM, -1, 0, 4},
    {"W33", R, -1, 0, 6},
    {"W11", RM, -1, 0, 3},
    {"W13", RM, -1, 0, 3},
    {"W1b", R, -1, 0, 2},
    {"W39", RM, -1, 0, 6},
    {"W3b", RM, -1, 0, 5},
    {"W85", RM, -1, 0, 6},
    {"W83", RM, 0, 1, 4},
    {"W83", RM, 7, 1, 5},
    {"W81", RM, 7, 4, 3},
    {"W81", RM, 5, 4, 3},
    {"W83", RM, 4, 1, 3},
    {"6681", RM, 0, 2, 3},
    {"66c7", RM, 0, 2, 2},
    {"6605", NONE, 0, 2, 2},
    {"W05", NONE, 0, 4, 2},
    {"W00", RM, -1, 0, 4},
    {"W02", RM, -1, 0, 4},
    {"W38", RM, -1, 0, 3},
    {"W80", RM, 7, 1, 2},
    {"66W01", RM, -1, 0, 3},
    {"66W03", RM, -1, 0, 3},
    {"66W39", RM, -1, 0, 2},
    {"Wff", RM, 0, 0, 4},
    {"Wff", RM, 1, 0, 4},
    {"Wfe", RM, 0, 0, 2},
    {"Wf7", RM, 3, 0, 2},
    {"Wf7", RM, 2, 0, 2},
    {"W0faf", RM, -1, 0, 5},
    {"W69", RM, -1, 4, 2},
    {"Wf7", RM, 4, 0, 3},
    {"Wf7", RM, 5, 0, 2},
    {"Wd3", RM, 4, 0, 2},
    {"Wc1", RM, 4, 1, 3},
    {"Wc1", RM, 7, 1, 2},
    {"Wd1", RM, 0, 0, 2},
    {"W0fa5", RM, -1, 0, 1},
    {"W0fa4", RM, -1, 1, 1},
    {"W0fa3", RM, -1, 0, 2},
    {"W0fb6", RM, -1, 0, 4},
    {"W0fb7", RM, -1, 0, 3},
    {"W0fbe", RM, -1, 0, 3},
    {"W63", RM, -1, 0, 3},
    {"W0f44", RM, -1, 0, 3},
    {"W0f47", RM, -1, 0, 2},
    {"W0f94", RM, 0, 0, 3},
    {"W0f97", RM, 0, 0, 2},
    {"f3W0fb8", RM, -1, 0, 2},
    {"f3W0fbc", RM, -1, 0, 1},
    {"W0fbc", RM, -1, 0, 1},
    {"W0fc8", NONE, 0, 0, 1},
    {"W99", NONE, 0, 0, 2},
    {"W98", NONE, 0, 0, 1},
    {"f8", NONE, 0, 0, 1},
    {"V1f2", RM, -1, 0, 1},
    {"V2f7", RM, -1, 0, 1},
    /* divisions */
    {"Wf7", RM, 6, 0, 6},
    {"Wf7", RM, 7, 0, 5},
    {"66W0f5e", RM, -1, 0, 4},
    {"W0f5e", RM, -1, 0, 4},
    {"f2W0f5e", RM, -1, 0, 5},
    {"f2W0f51", RM, -1, 0, 4},
    {"V15e", RM, -1, 0, 4},
    {"V151", RM, -1, 0, 3},
    {"Wf6", RM, 6, 0, 2},
    {"f3W0f53", RM, -1, 0, 1},
    /* moves */
    {"W89", R, -1, 0, 12},
    {"W89", M, -1, 0, 8},
    {"W8b", M, -1, 0, 12},
    {"W8b", R, -1, 0, 4},
    {"W88", RM, -1, 0, 4},
    {"W8a", RM, -1, 0, 4},
    {"66W89", RM, -1, 0, 3},
    {"66W8b", RM, -1, 0, 3},
    {"Wc7", RM, 0, 4, 4},
    {"Wc6", RM, 0, 1, 2},
    {"Wb8", NONE, 0, 4, 3},
    {"48b8", NONE, 0, 8, 2},
    {"b4", NONE, 0, 1, 2},
    {"b0", NONE, 0, 1, 1},
    {"W8d", M, -1, 0, 6},
    {"W87", RM, -1, 0, 2},
    {"W0fc1", RM, -1, 0, 1},
    {"W0fb1", RM, -1, 0, 1},
    {"W90", NONE, 0, 0, 3},
    {"0f1f", RM, 0, 0, 3},
    {"660f1f", RM, 0, 0, 2},
    {"66669066", NONE, 0, 0, 0},
    /* stack */
    {"W50", NONE, 0, 0, 4},
    {"W53", NONE, 0, 0, 3},
    {"W58", NONE, 0, 0, 4},
    {"W5b", NONE, 0, 0, 3},
    {"6a", NONE, 0, 1, 2},
    {"Wff", M, 6, 0, 2},
    {"W8f", M, 0, 0, 1},
    {"4883ec", NONE, 0, 1, 2},
    {"4883c4", NONE, 0, 1, 2},
    {"4889e5", NONE, 0, 0, 2},
    {"4889ec", NONE, 0, 0, 1},
    {"c9", NONE, 0, 0, 1},
    {"9c", NONE, 0, 0, 1},
    {"9d", NONE, 0, 0, 1},
    {"66W50", NONE, 0, 0, 1},
    {"4889e0", NONE, 0, 0, 1},
    {"668cc9", NONE, 0, 0, 0},
    {"c8100000", NONE, 0, 0, 1},
    {"488b442408", NONE, 0, 0, 2},
    {"4889442410", NONE, 0, 0, 2},
    /* vector */
    {"W0f28", RM, -1, 0, 5},
    {"W0f29", RM, -1, 0, 3},
    {"W0f10", M, -1, 0, 3},
    {"W0f11", M, -1, 0, 3},
    {"f2W0f10", RM, -1, 0, 3},
    {"f2W0f11", M, -1, 0, 2},
    {"f2W0f58", RM, -1, 0, 4},
    {"f2W0f59", RM, -1, 0, 3},
    {"f3W0f2a", RM, -1, 0, 2},
    {"f2W0f2c", RM, -1, 0, 2},
    {"66W0fef", RM, -1, 0, 4},
    {"W0f57", RM, -1, 0, 3},
    {"66W0ffe", RM, -1, 0, 3},
    {"66W0f6f", RM, -1, 0, 4},
    {"66W0f7f", M, -1, 0, 3},
    {"66W0f6e", RM, -1, 0, 2},
    {"66W0f7e", RM, -1, 0, 2},
    {"66W0f70", RM, -1, 1, 2},
    {"66W0f73", R, 2, 1, 1},
    {"66W0f38dc", RM, -1, 0, 1},
    {"66W0f3840", RM, -1, 0, 1},
    {"66W0f3a63", RM, -1, 1, 1},
    {"V158", RM, -1, 0, 4},
    {"V159", RM, -1, 0, 3},
    {"V1fe", RM, -1, 0, 4},
    {"V1ef", RM, -1, 0, 3},
    {"V128", R, -1, 0, 4},
    {"V16f", RM, -1, 0, 4},
    {"V17f", M, -1, 0, 3},
    {"V110", M, -1, 0, 3},
    {"V111", M, -1, 0, 3},
    {"V2b8", RM, -1, 0, 3},
    {"V2a8", RM, -1, 0, 2},
    {"V258", RM, -1, 0, 1},
    {"V290", INDEX, -1, 0, 3},
    {"V292", INDEX, -1, 0, 2},
    {"V293", INDEX, -1, 0, 2},
    {"V28e", M, -1, 0, 2},
    {"V28c", M, -1, 0, 2},
    {"V22e", M, -1, 0, 1},
    {"c5f877", NONE, 0, 0, 1},
    {"c5fc77", NONE, 0, 0, 1},
    {"660ff7", R, -1, 0, 1},
    {"0f6f", RM, -1, 0, 2},
    {"0f7f", M, -1, 0, 1},
    {"0ffe", RM, -1, 0, 2},
    {"0f77", NONE, 0, 0, 1},
    /* x87 */
    {"d9", RM, 0, 0, 3},
    {"dd", M, 0, 0, 3},
    {"db", M, 5, 0, 1},
    {"d9", M, 3, 0, 2},
    {"dd", M, 3, 0, 2},
    {"dd", R, 3, 0, 2},
    {"d8", RM, 0, 0, 3},
    {"d8", RM, 1, 0, 3},
    {"dc", RM, 1, 0, 2},
    {"de", R, 0, 0, 2},
    {"de", R, 1, 0, 2},
    {"d8", RM, 6, 0, 2},
    {"de", R, 7, 0, 2},
    {"d9", R, 1, 0, 4},
    {"d9e8", NONE, 0, 0, 1},
    {"d9ee", NONE, 0, 0, 1},
    {"d9fa", NONE, 0, 0, 1},
    {"d9f7", NONE, 0, 0, 1},
    {"d9fe", NONE, 0, 0, 1},
    {"df", R, 5, 0, 1},
    {"db", M, 0, 0, 1},
    {"da", R, 0, 0, 1},
    {"d9", M, 5, 0, 1},
    {"9b", NONE, 0, 0, 1},
    /* locks, fences, microcode */
    {"f0W01", M, -1, 0, 2},
    {"f0W0fb1", M, -1, 0, 1},
    {"f0W0fc1", M, -1, 0, 1},
    {"f0Wff", M, 0, 0, 1},
    {"W86", M, -1, 0, 1},
    {"0faef0", NONE, 0, 0, 1},
    {"0faee8", NONE, 0, 0, 1},
    {"0faef8", NONE, 0, 0, 1},
    {"0fa2", NONE, 0, 0, 1},
    {"0f31", NONE, 0, 0, 1},
    {"0fae", M, 0, 0, 1},
    {"0fae", M, 4, 0, 1},
    {"0fae", M, 5, 0, 1},
    {"0fae", M, 3, 0, 1},
    {"0f18", M, 1, 0, 1},
    {"a4", NONE, 0, 0, 2},
    {"48ab", NONE, 0, 0, 1},
    {"ac", NONE, 0, 0, 1},
    {"a6", NONE, 0, 0, 1},
    {"0fc7", M, 1, 0, 1},
    {"f0480fc7", M, 1, 0, 1},
    {"f390", NONE, 0, 0, 1},
    {"0f05", NONE, 0, 0, 1},
    {"fc", NONE, 0, 0, 1},
};
enum { N_FORMS = sizeof forms / sizeof *forms };

static uint8_t digit(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Few registers, so that instructions depend on each other. */
static uint32_t some_register(uint64_t random)
{
    static const uint8_t registers[] = {0, 1, 2, 3, 0, 3, 6, 7, 5, 1, 2, 4};
    return registers[random % sizeof registers];
}

static size_t put_modrm(uint64_t *state, const struct form *form, uint8_t *to)
{
    const uint64_t random = law_random(state);
    const uint8_t reg =
        form->extension >= 0 ? (uint8_t)form->extension : (uint8_t)(some_register(random >> 8) & 7);
    uint8_t rm = (uint8_t)(some_register(random >> 16) & 7);
    size_t n = 0;
    if (form->modrm != INDEX && (form->modrm == R || (form->modrm == RM && random % 5 < 3))) {
        to[n++] = (uint8_t)(0xc0 | reg << 3 | rm);
        return n;
    }
    const uint8_t mode = (uint8_t)((random >> 32) % 3);
    if (form->modrm == INDEX || (random >> 40) % 4 == 0)
        rm = 4;
    to[n++] = (uint8_t)(mode << 6 | reg << 3 | rm);
    uint8_t base = rm;
    if (rm == 4) {
        base = (uint8_t)(some_register(random >> 48) & 7);
        to[n++] =
            (uint8_t)((random >> 56 & 3) << 6 | (some_register(random >> 58) & 7) << 3 | base);
    }
    const size_t displacement = mode == 1 ? 1 : mode == 2 || (mode == 0 && base == 5) ? 4 : 0;
    const uint64_t value = law_random(state) % 4 == 0 ? law_random(state) : law_random(state) & 63;
    for (size_t i = 0; i < displacement; i++)
        to[n++] = (uint8_t)(value >> 8 * i);
    return n;
}

static size_t put_form(uint64_t *state, const struct form *form, uint8_t *to)
{
    size_t n = 0;
    for (const char *c = form->hex; *c;) {
        const uint64_t random = law_random(state);
        if (*c == 'W') {
            if (random % 2)
                to[n++] = (uint8_t)(0x40 | (random >> 8 & 1 ? 8 : 0) |
                                    ((random >> 9) % 5 == 0 ? random >> 16 & 7 : 0));
            c++;
        } else if (*c == 'V') { /* L and vvvv random; W rarely */
            to[n++] = 0xc4;
            to[n++] = (uint8_t)(0xe0 | digit(c[1]));
            to[n++] = (uint8_t)((random % 4 == 0 ? 0x80 : 0) |
                                (0x0f & ~some_register(random >> 8)) << 3 | (random >> 16 & 4) |
                                (c[1] == '2'               ? 1
                                 : (random >> 20) % 3 == 0 ? random >> 24 & 3
                                                           : 1));
            c += 2;
        } else {
            to[n++] = (uint8_t)(digit(c[0]) << 4 | digit(c[1]));
            c += 2;
        }
    }
    if (form->modrm != NONE)
        n += put_modrm(state, form, to + n);
    for (size_t i = 0; i < form->immediate; i++)
        to[n++] = (uint8_t)(law_random(state) % 3 == 0 ? 0 : law_random(state));
    return n;
}

/* ---- code -------------------------------------------------------------------------------------
 */

enum { MAX_CODE = 1024, MAX_INSNS = 96 };

typedef struct code_block {
    uint64_t address;
    uint8_t bytes[MAX_CODE];
    size_t n;
    size_t ends[MAX_INSNS], n_insns; /* of its instructions */
    uint8_t branch;                  /* PIE_BRANCH_* of the last one */
    bool repeated;
    int flavour;
} code_block;

typedef struct maker {
    uint64_t state;
    pie_decoder *decoder;
    const traffic_blocks *given;
    uint32_t total_weight;
    code_block *blocks;
    size_t n_blocks;
    stream out;
    uint32_t next_id;
    struct {
        uint64_t address;
        size_t n;
        uint32_t id;
        pie_block *block;
    } * described;
    size_t n_described, capacity;
    uint64_t pool[16]; /* places of memory that are used often */
} maker;

static uint64_t roll(maker *m, uint64_t n)
{
    return law_random(&m->state) % n;
}

static bool try_add(maker *m, code_block *to, const uint8_t *bytes, size_t n)
{
    pie_insn_slots slots;
    if (to->n_insns == MAX_INSNS || to->n + 16 > MAX_CODE)
        return false;
    pie_decode_slots(m->decoder, bytes, n, &slots);
    if (slots.length == 0 || slots.is_rep || slots.length > n ||
        (slots.branch != PIE_BRANCH_NONE && slots.branch != PIE_BRANCH_SYSCALL))
        return false;
    memcpy(to->bytes + to->n, bytes, slots.length);
    to->n += slots.length;
    to->ends[to->n_insns++] = to->n;
    return true;
}

static void add_random_insn(maker *m, code_block *to, const struct form *favourite)
{
    uint8_t bytes[64];
    for (;;) {
        if (roll(m, 16) == 0) { /* any encoding at all */
            machine_code code = {0};
            random_code(&m->state, 1, &code);
            const bool added = try_add(m, to, code.bytes, code.n);
            code_free(&code);
            if (added || to->n_insns == MAX_INSNS)
                return;
            continue;
        }
        const struct form *form = favourite;
        if (!form || roll(m, 3) == 0) {
            uint32_t at = (uint32_t)roll(m, m->total_weight);
            for (form = forms; at >= form->weight; form++)
                at -= form->weight;
        }
        const size_t n = put_form(&m->state, form, bytes);
        memset(bytes + n, 0, sizeof bytes - n);
        if (try_add(m, to, bytes, n) || to->n_insns == MAX_INSNS || to->n + 16 > MAX_CODE)
            return;
    }
}

static void add_given(maker *m, code_block *to)
{
    const size_t which = roll(m, m->given->n);
    const uint8_t *bytes = m->given->bytes[which];
    for (size_t at = 0, n = m->given->n_bytes[which]; at < n;) {
        const size_t before = to->n;
        if (!try_add(m, to, bytes + at, n - at))
            return;
        at += to->n - before;
    }
}

static void add_last(maker *m, code_block *to)
{
    static const struct {
        const char *hex;
        uint8_t branch;
    } branches[] = {{"7", PIE_BRANCH_CONDITIONAL},
                    {"7", PIE_BRANCH_CONDITIONAL},
                    {"7", PIE_BRANCH_CONDITIONAL},
                    {"0f8", PIE_BRANCH_CONDITIONAL},
                    {"eb", PIE_BRANCH_JUMP},
                    {"e9", PIE_BRANCH_JUMP},
                    {"ffe0", PIE_BRANCH_INDIRECT},
                    {"ff2424", PIE_BRANCH_INDIRECT},
                    {"e8", PIE_BRANCH_CALL},
                    {"ffd1", PIE_BRANCH_CALL_INDIRECT},
                    {"ff13", PIE_BRANCH_CALL_INDIRECT},
                    {"c3", PIE_BRANCH_RETURN},
                    {"e3", PIE_BRANCH_CONDITIONAL},
                    {"e2", PIE_BRANCH_CONDITIONAL}};
    uint8_t bytes[8] = {0};
    size_t n = 0;
    if (roll(m, 5) == 0)
        return;
    const size_t which = roll(m, sizeof branches / sizeof *branches);
    const char *hex = branches[which].hex;
    if (hex[0] == '7')
        bytes[n++] = (uint8_t)(0x70 | roll(m, 16));
    else if (strcmp(hex, "0f8") == 0) {
        bytes[n++] = 0x0f;
        bytes[n++] = (uint8_t)(0x80 | roll(m, 16));
    } else
        for (; *hex; hex += 2)
            bytes[n++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
    if (bytes[0] == 0xe9 || bytes[0] == 0xe8 || bytes[0] == 0x0f)
        n += 4;
    else if (bytes[0] == 0xeb || n == 1)
        n += bytes[0] != 0xc3;
    memcpy(to->bytes + to->n, bytes, n);
    to->n += n;
    to->ends[to->n_insns++] = to->n;
    to->branch = branches[which].branch;
}

static void make_block(maker *m, code_block *to)
{
    static const char *const repeated[] = {"f3a4", "f348a5", "f348ab", "f3aa",
                                           "f2ae", "f3a6",   "f3ad"};
    if (roll(m, 30) == 0) {
        const char *hex = repeated[roll(m, sizeof repeated / sizeof *repeated)];
        for (; *hex; hex += 2)
            to->bytes[to->n++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
        to->ends[to->n_insns++] = to->n;
        to->repeated = true;
        return;
    }
    if (m->given->n > 0 && roll(m, 3) == 0)
        add_given(m, to);
    else {
        const struct form *favourite = roll(m, 3) == 0 ? &forms[roll(m, N_FORMS)] : NULL;
        const size_t n = 1 + (roll(m, 8) == 0 ? roll(m, 60) : roll(m, 12));
        for (size_t i = 0; i < n; i++)
            add_random_insn(m, to, favourite);
    }
    if (to->n_insns == MAX_INSNS) {
        to->n_insns--;
        to->n = to->n_insns > 0 ? to->ends[to->n_insns - 1] : 0;
    }
    add_last(m, to);
    if (to->n_insns == 0)
        add_random_insn(m, to, NULL);
}

/* ---- execution --------------------------------------------------------------------------------
 */

static uint64_t data_address(maker *m)
{
    const uint64_t place = m->pool[roll(m, sizeof m->pool / sizeof *m->pool)];
    switch (roll(m, 8)) {
    case 0:
        return place + roll(m, 16);
    case 1:
        return place - roll(m, 16);
    case 2:
        return place + 4096 * roll(m, 4);
    case 3:
        return place + 4096 * roll(m, 4) + roll(m, 16);
    case 4:
        return UINT64_C(0x400000) + roll(m, 4 * 4096);
    case 5:
        return (place | 63) - roll(m, 8);
    default:
        return place;
    }
}

static void fill_slots(maker *m, const pie_block *block, size_t n_insns, uint64_t *slots)
{
    for (size_t i = 0; i < block->n_slots; i++)
        slots[i] = PIE_NO_ACCESS;
    for (size_t i = 0; i < n_insns; i++) {
        const pie_insn *insn = pie_block_insn(block, i);
        for (size_t k = 0; k < insn->n_mems; k++) {
            const pie_mem *mem = pie_block_mem(block, insn, k);
            if (mem->n_slots == 0)
                continue;
            uint64_t *at = slots + mem->first_slot;
            if (!(mem->flags & PIE_MEM_COUNTED)) {
                at[0] = data_address(m);
                continue;
            }
            at[0] = roll(m, (uint64_t)mem->n_elements + 1);
            for (size_t e = 0; e < at[0]; e++)
                at[1 + e] = data_address(m);
        }
    }
}

/* The description of @n bytes at @at within @code, made when it is not there yet. */
static const pie_block *describe(maker *m, const code_block *code, size_t at, size_t n)
{
    const uint64_t address = code->address + at;
    for (size_t i = 0; i < m->n_described; i++)
        if (m->described[i].address == address && m->described[i].n == n)
            return m->described[i].block;
    if (m->n_described == m->capacity) {
        m->capacity = 2 * m->capacity + 64;
        m->described = realloc(m->described, m->capacity * sizeof *m->described);
        if (!m->described)
            abort();
    }
    const pie_block *made;
    const uint32_t id = m->next_id++;
    if (pie_decode_block(m->decoder, id, address, code->bytes + at, n, &made) != PIE_OK)
        abort();
    pie_block *block = malloc(made->size);
    if (!block)
        abort();
    memcpy(block, made, made->size);
    stream_add_record(&m->out, PIE_RECORD_DESCRIBE, id, (const uint64_t *)(const void *)made,
                      made->size / 8);
    m->described[m->n_described].address = address;
    m->described[m->n_described].n = n;
    m->described[m->n_described].id = id;
    m->described[m->n_described++].block = block;
    return block;
}

static void add_event(maker *m)
{
    static const struct {
        uint32_t type;
        size_t n;
    } events[] = {{PIE_EVENT_SYSCALL, 3},
                  {PIE_EVENT_MAP, 2},
                  {PIE_EVENT_FIRST_TOUCH, 2},
                  {PIE_EVENT_SIGNAL, 1},
                  {PIE_EVENT_UNMAP, 2}};
    const uint64_t words[3] = {0x400000, 4096, 0};
    const size_t which = roll(m, sizeof events / sizeof *events);
    stream_add_record(&m->out, PIE_RECORD_EVENT, events[which].type, words, events[which].n);
}

static void execute(maker *m, const code_block *code)
{
    uint64_t words[2048];
    if (code->repeated) {
        const pie_block *block = describe(m, code, 0, code->n);
        words[0] = roll(m, 4) == 0 ? 0 : roll(m, 100);
        words[1] = roll(m, 8) == 0;
        fill_slots(m, block, words[0] > 0, words + 2);
        stream_add_record(&m->out, PIE_RECORD_REP, block->id, words, 2u + block->n_slots);
        return;
    }
    size_t insn = 0;
    while (insn < code->n_insns) { /* in one piece or several */
        size_t n = code->n_insns - insn;
        if (n > 1 && roll(m, 8) == 0)
            n = 1 + roll(m, n - 1);
        const size_t from = insn > 0 ? code->ends[insn - 1] : 0;
        const pie_block *block = describe(m, code, from, code->ends[insn + n - 1] - from);
        if (block->n_insns != n || block->n_slots > 2000) {
            fprintf(stderr, "traffic: code is not what it was\n");
            abort();
        }
        if (roll(m, 200) == 0) { /* it does not get through */
            words[0] = roll(m, n);
            fill_slots(m, block, words[0], words + 1);
            stream_add_record(&m->out, PIE_RECORD_CUT, block->id, words, 1u + block->n_slots);
            if (roll(m, 4) != 0)
                add_event(m);
            return;
        }
        fill_slots(m, block, n, words);
        stream_add_record(&m->out, PIE_RECORD_BLOCK, block->id, words, block->n_slots);
        insn += n;
        if (roll(m, 300) == 0)
            add_event(m);
    }
}

size_t traffic_run(uint64_t seed, size_t n_blocks, const traffic_blocks *blocks, stream *ret_stream)
{
    maker m = {.state = seed, .given = blocks, .next_id = 1};
    for (size_t i = 0; i < N_FORMS; i++)
        m.total_weight += forms[i].weight;
    if (pie_decoder_new(&m.decoder) != PIE_OK)
        abort();
    for (size_t i = 0; i < sizeof m.pool / sizeof *m.pool; i++)
        m.pool[i] = UINT64_C(0x400000) + roll(&m, 4 * 4096) / (i % 2 ? 1 : 8) * (i % 2 ? 1 : 8);
    m.n_blocks = 1 + roll(&m, n_blocks);
    m.blocks = calloc(m.n_blocks, sizeof *m.blocks);
    if (!m.blocks)
        abort();
    uint64_t address = UINT64_C(0x10000) + roll(&m, 64);
    for (size_t i = 0; i < m.n_blocks; i++) {
        m.blocks[i].address = address;
        make_block(&m, &m.blocks[i]);
        address += m.blocks[i].n;
        if (roll(&m, 4) == 0)
            address += roll(&m, 3) == 0 ? roll(&m, 20000) : roll(&m, 70);
    }
    size_t at = 0, loop_to = 0, rounds = 0;
    for (size_t n = 0; n < n_blocks; n++) {
        const code_block *code = &m.blocks[at];
        execute(&m, code);
        const bool goes_on =
            at + 1 < m.n_blocks && code->address + code->n == m.blocks[at + 1].address;
        const bool may_jump = code->branch != PIE_BRANCH_NONE;
        if (may_jump && rounds > 0) {
            rounds--;
            at = loop_to;
        } else if (goes_on &&
                   (!may_jump || (code->branch == PIE_BRANCH_CONDITIONAL && roll(&m, 3))))
            at++;
        else if (may_jump) {
            at = roll(&m, 3) == 0 ? at
                 : roll(&m, 2)    ? roll(&m, m.n_blocks)
                                  : at - roll(&m, at < 4 ? at + 1 : 4);
            loop_to = at;
            rounds = roll(&m, 3) == 0 ? roll(&m, 30) : 0;
        } else { /* the stream breaks off here */
            if (roll(&m, 4) != 0)
                add_event(&m);
            at = roll(&m, m.n_blocks);
        }
    }
    const uint64_t end[] = {0};
    stream_add_record(&m.out, PIE_RECORD_EVENT, PIE_EVENT_END, end, 1);
    for (size_t i = 0; i < m.n_described; i++)
        free(m.described[i].block);
    free(m.described);
    free(m.blocks);
    pie_decoder_free(m.decoder);
    *ret_stream = m.out;
    return m.n_blocks;
}

/* ---- given blocks -----------------------------------------------------------------------------
 */

void traffic_load(const char *folder, traffic_blocks *ret_blocks)
{
    traffic_blocks all = {0};
    char path[4096], line[8192];
    snprintf(path, sizeof path, "%s/dev_5000.tsv", folder);
    FILE *file = fopen(path, "r");
    all.bytes = calloc(8192, sizeof *all.bytes);
    all.n_bytes = calloc(8192, sizeof *all.n_bytes);
    if (!all.bytes || !all.n_bytes)
        abort();
    while (file && all.n < 8192 && fgets(line, sizeof line, file)) {
        const char *hex = strchr(line, '\t');
        size_t n = 0;
        if (!hex)
            continue;
        for (hex++; n < sizeof *all.bytes && strchr("0123456789abcdef", hex[0]) &&
                    strchr("0123456789abcdef", hex[1]);
             hex += 2)
            all.bytes[all.n][n++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
        all.n_bytes[all.n] = (uint16_t)n;
        all.n += n > 0;
    }
    if (file)
        fclose(file);
    *ret_blocks = all;
}

void traffic_free(traffic_blocks *blocks)
{
    free(blocks->bytes);
    free(blocks->n_bytes);
}
