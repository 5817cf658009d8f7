/* random_code.c - see random_code.h */
#include "contract/random_code.h"

#include <stdlib.h>
#include <string.h>

static size_t random_prefixes(uint64_t *state, uint8_t *bytes)
{
    const uint64_t random = law_random(state);
    size_t n = 0;
    if (random % 4 == 0) { /* VEX: three bytes; R X B inverted, vvvv, L, pp */
        bytes[n++] = 0xc4;
        bytes[n++] = (uint8_t)((random >> 8 & 0xe0) | (1 + (random >> 16) % 3));
        bytes[n++] = (uint8_t)(random >> 24);
        return n;
    }
    if (random >> 8 & 1 && random >> 9 & 1)
        bytes[n++] = 0x66;
    if ((random >> 16) % 8 == 0)
        bytes[n++] = (random >> 20) & 1 ? 0xf2 : 0xf3;
    if ((random >> 24) % 2)
        bytes[n++] = (uint8_t)(0x40 | (random >> 28 & 15));
    switch ((random >> 32) % 8) {
    case 0:
    case 1:
    case 2:
        bytes[n++] = 0x0f;
        break;
    case 3:
        bytes[n++] = 0x0f;
        bytes[n++] = (random >> 40) & 1 ? 0x38 : 0x3a;
        break;
    default:
        break;
    }
    return n;
}

void random_code(uint64_t *state, size_t n_insns, machine_code *to)
{
    pie_decoder *decoder = NULL;
    if (pie_decoder_new(&decoder) != PIE_OK)
        abort();
    while (n_insns > 0) {
        uint8_t bytes[32];
        pie_insn_slots slots;
        size_t n = random_prefixes(state, bytes);
        while (n < 24)
            bytes[n++] = (uint8_t)law_random(state);
        pie_decode_slots(decoder, bytes, 24, &slots);
        if (slots.length == 0 || slots.is_rep ||
            (slots.branch != PIE_BRANCH_NONE && slots.branch != PIE_BRANCH_CONDITIONAL))
            continue;
        code_add(to, bytes, slots.length);
        n_insns--;
    }
    pie_decoder_free(decoder);
}

static void add_cut(tape *t, const pie_block *block, uint64_t *state)
{
    uint64_t words[1 + 1024] = {law_random(state) % block->n_insns};
    for (size_t i = 0; i < block->n_slots; i++)
        words[1 + i] = PIE_NO_ACCESS;
    for (size_t i = 0; i < words[0]; i++) {
        const pie_insn *insn = pie_block_insn(block, i);
        for (size_t k = 0; k < insn->n_mems; k++) {
            const pie_mem *mem = pie_block_mem(block, insn, k);
            if (mem->n_slots > 0) /* of a counted operand: none */
                words[1 + mem->first_slot] =
                    mem->flags & PIE_MEM_COUNTED ? 0 : 0x2324000 + law_random(state) % 8192;
        }
    }
    const uint64_t signal[] = {11};
    stream_add_record(&t->out, PIE_RECORD_CUT, block->id, words, 1u + block->n_slots);
    stream_add_record(&t->out, PIE_RECORD_EVENT, PIE_EVENT_SIGNAL, signal, 1);
}

void random_run(uint64_t seed, size_t n_sections, size_t n_executions, tape *ret_tape)
{
    static const char *const repeated[] = {"f3a4", "f348ab", "f2ae", "f3a6", "f3ad"};
    tape t;
    uint64_t state = seed, address = 0x10000;
    tape_section *sections = calloc(n_sections, sizeof *sections);
    if (!sections)
        abort();
    tape_begin(&t);
    t.seed = seed;
    for (size_t i = 0; i < n_sections; i++) {
        machine_code code = {0};
        if (i % 9 == 4)
            code_hex(&code, repeated[law_random(&state) % 5], 1);
        else
            random_code(&state, 1 + law_random(&state) % 24, &code);
        sections[i] = tape_place(&t, &code, address);
        address += code.n + (law_random(&state) % 4 == 0 ? law_random(&state) % 100 : 0);
        code_free(&code);
    }
    size_t at = 0;
    for (size_t n = 0; n < n_executions; n++) {
        const uint64_t random = law_random(&state);
        at = random % 4 == 0 ? (random >> 8) % n_sections : (at + 1) % n_sections;
        const tape_piece *piece = &t.pieces[sections[at].first];
        t.iterations = (random >> 16) % 40;
        if ((random >> 24) % 40 == 0 && !piece->is_rep)
            add_cut(&t, piece->block, &state);
        else
            tape_execute(&t, sections[at]);
        if ((random >> 32) % 60 == 0) {
            const uint64_t call[] = {random >> 40 & 1, 0, 10};
            stream_add_record(&t.out, PIE_RECORD_EVENT, PIE_EVENT_SYSCALL, call, 3);
        }
    }
    const uint64_t end[] = {0};
    stream_add_record(&t.out, PIE_RECORD_EVENT, PIE_EVENT_END, end, 1);
    free(sections);
    *ret_tape = t;
}
