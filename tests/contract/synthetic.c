/* synthetic.c - see synthetic.h. */
#include "contract/synthetic.h"

#include "trace/decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CODE(...)                                           \
    (const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]) \
    {                                                       \
        __VA_ARGS__                                         \
    }

static const struct {
    const uint8_t *bytes;
    size_t n;
} code[] = {
    /* add rax,[rdi]; inc rcx; cmp rcx,rdx; jne */
    {CODE(0x48, 0x03, 0x07, 0x48, 0xff, 0xc1, 0x48, 0x39, 0xd1, 0x75, 0xf5)},
    /* push rbp; mov rbp,rsp; mov [rbp-8],rdi; call */
    {CODE(0x55, 0x48, 0x89, 0xe5, 0x48, 0x89, 0x7d, 0xf8, 0xe8, 0x10, 0x00, 0x00, 0x00)},
    /* div rcx; add [rsi],rax; imul rax,rdx; jl */
    {CODE(0x48, 0xf7, 0xf1, 0x48, 0x01, 0x06, 0x48, 0x0f, 0xaf, 0xc2, 0x7c, 0x04)},
    /* lea rax,[rax+rax*2+1]; nop; pop rbp; ret */
    {CODE(0x48, 0x8d, 0x44, 0x40, 0x01, 0x90, 0x5d, 0xc3)},
    /* vpgatherdd ymm0,[rax+ymm1*4],ymm2; vpaddd ymm0,ymm0,[rdx] */
    {CODE(0xc4, 0xe2, 0x6d, 0x90, 0x04, 0x88, 0xc5, 0xfd, 0xfe, 0x02)},
    /* vpmaskmovd [rdi],ymm1,ymm0; vmovups ymm3,[rsi] */
    {CODE(0xc4, 0xe2, 0x75, 0x8e, 0x07, 0xc5, 0xfc, 0x10, 0x1e)},
    /* mov eax,1; syscall */
    {CODE(0xb8, 0x01, 0x00, 0x00, 0x00, 0x0f, 0x05)},
    /* xor eax,eax; jmp */
    {CODE(0x31, 0xc0, 0xeb, 0x02)},
    /* rep movsb */
    {CODE(0xf3, 0xa4)},
};
enum { N_CODE = sizeof code / sizeof *code, SYSCALL = 6, REP = 8 };

static uint64_t data_address(uint64_t *state)
{
    /* few lines and few pages, so that both hits and misses happen */
    return UINT64_C(0x400000) + law_random(state) % 16 * 4096 + law_random(state) % 40 * 8;
}

/* Address words of one execution of the first @n_insns instructions of a block. */
static void fill_slots(const pie_block *block, size_t n_insns, uint64_t *state, uint64_t *slots)
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
                at[0] = data_address(state);
                continue;
            }
            at[0] = law_random(state) % ((uint64_t)mem->n_elements + 1);
            for (size_t e = 0; e < at[0]; e++)
                at[1 + e] = data_address(state);
        }
    }
}

static void add_event(stream *out, uint32_t type, uint64_t a, uint64_t b, uint64_t c, size_t n)
{
    const uint64_t words[] = {a, b, c};
    stream_add_record(out, PIE_RECORD_EVENT, type, words, n);
}

void synthetic_stream(uint64_t seed, size_t n_blocks, stream *ret_stream)
{
    pie_decoder *decoder = NULL;
    uint64_t *blocks[N_CODE] = {NULL}; /* descriptions, in words: their alignment */
    uint64_t address = 0x10000, state = seed;
    stream out = {0};
    if (pie_decoder_new(&decoder) != PIE_OK)
        abort();
    for (uint32_t id = 0; id < N_CODE; id++) { /* one behind the other: fall through is possible */
        const pie_block *block;
        if (pie_decode_block(decoder, id + 1, address, code[id].bytes, code[id].n, &block) !=
            PIE_OK)
            abort();
        blocks[id] = malloc(block->size);
        if (!blocks[id])
            abort();
        memcpy(blocks[id], block, block->size);
        address += code[id].n;
    }
    bool described[N_CODE] = {false}, started = false;
    uint64_t slots[512];
    size_t last = 0;
    for (size_t n = 0; n < n_blocks; n++) {
        const size_t which =
            law_random(&state) % 3 == 0 ? (last + 1) % N_CODE : law_random(&state) % N_CODE;
        const pie_block *block = (const pie_block *)blocks[which];
        const uint32_t id = block->id;
        if (!described[which])
            stream_add_record(&out, PIE_RECORD_DESCRIBE, id, blocks[which], block->size / 8);
        described[which] = true;
        last = which;
        if (law_random(&state) % 16 == 0)
            add_event(&out, PIE_EVENT_MAP, data_address(&state) & ~UINT64_C(4095), 8192, 0, 2);
        if (which == REP) {
            uint64_t words[3 + 8] = {law_random(&state) % 20, 0};
            fill_slots(block, words[0] ? 1 : 0, &state, words + 2);
            stream_add_record(&out, PIE_RECORD_REP, id, words, 2u + block->n_slots);
        } else if (law_random(&state) % 50 == 0) { /* a fault inside, then a handler runs */
            uint64_t words[1 + 512];
            words[0] = law_random(&state) % block->n_insns;
            fill_slots(block, words[0], &state, words + 1);
            stream_add_record(&out, PIE_RECORD_CUT, id, words, 1u + block->n_slots);
            add_event(&out, PIE_EVENT_SIGNAL, 11, 0, 0, 1);
        } else {
            fill_slots(block, block->n_insns, &state, slots);
            if (which == 2) { /* a value of the divisor, sometimes */
                const uint64_t value = law_random(&state);
                if (value % 2)
                    stream_add_record(&out, PIE_RECORD_VALUE, 0, &value, 1);
            }
            stream_add_record(&out, PIE_RECORD_BLOCK, id, slots, block->n_slots);
        }
        if (which == SYSCALL) {
            if (!started)
                add_event(&out, PIE_EVENT_STARTUP_END, 0, 0, 0, 0);
            started = true;
            const bool writes = law_random(&state) % 2;
            add_event(&out, PIE_EVENT_SYSCALL, writes, writes ? 0 : 100, writes ? 100 : 0, 3);
            add_event(&out, PIE_EVENT_FIRST_TOUCH, data_address(&state), 100, 0, 2);
        }
    }
    if (!started)
        add_event(&out, PIE_EVENT_STARTUP_END, 0, 0, 0, 0);
    add_event(&out, PIE_EVENT_END, 0, 0, 0, 1);
    for (size_t i = 0; i < N_CODE; i++)
        free(blocks[i]);
    pie_decoder_free(decoder);
    *ret_stream = out;
}
