/* decode.h - x86-64 machine code to block descriptions (pie/trace.h), with Zydis.
 *
 * Compiled into the core and into the tracer, so that both agree on address slots. Pure and
 * deterministic; never reads past the bytes given. The naming and slot rules, with their reasons:
 * docs/internals/decoder.md. */
#ifndef PIE_TRACE_DECODE_H
#define PIE_TRACE_DECODE_H

#include "pie/plugin.h"
#include "pie/trace.h"

enum { PIE_BLOCK_MAX_BYTES = 4096 + 16, PIE_BLOCK_MAX_INSNS = 1024 };

typedef struct pie_decoder pie_decoder;
pie_status pie_decoder_new(pie_decoder **ret_decoder); /* PIE_ERR_NOMEM */
void pie_decoder_free(pie_decoder *decoder);           /* NULL is allowed */

/* Describe the instructions in @bytes, all of them. Bytes that do not decode become one instruction
 * "UNKNOWN" that covers the rest, flagged PIE_INSN_UNDEFINED, without operands; its length says 255
 * when more bytes are left than that.
 * *@ret_block is owned by the decoder until its next call; multiple of 8 bytes, 8-aligned.
 * PIE_ERR_DATA: n_bytes is 0 or beyond PIE_BLOCK_MAX_BYTES, or these are more than
 * PIE_BLOCK_MAX_INSNS instructions. PIE_ERR_NOMEM. */
pie_status pie_decode_block(pie_decoder *decoder, uint32_t id, uint64_t address,
                            const uint8_t *bytes, size_t n_bytes, const pie_block **ret_block);

/* What the tracer needs per instruction to fill slots, from the same rules.
 *
 * load0, load1 and store0 name the slot that a callback belongs to: the instruction's loads go to
 * load0 until it is filled and then, when there is a load1, to load1; stores go to store0. 255 =
 * the instruction makes no such accesses, or they do not count (the stores of xsave, the loads of
 * enter): drop those callbacks. PLAIN: the first address seen for a slot stays; later ones are
 * further pieces of the same access. COUNTED: all slots belong to one operand. load0 and store0 are
 * 0 where accesses of that kind count: each one adds 1 to word 0 and, while there is room, its
 * address to the n_elements words behind it. With base_offset the first address, less base_offset,
 * is the address of the operand. */
enum { PIE_SLOTS_NONE = 0, PIE_SLOTS_PLAIN = 1 /* each operand one word */, PIE_SLOTS_COUNTED = 2 };
typedef struct pie_insn_slots {
    uint8_t length; /* bytes; 0 = does not decode */
    uint8_t is_rep; /* repeated string instruction */
    uint8_t mode;   /* PIE_SLOTS_NONE .. */
    uint8_t n_slots;
    uint8_t load0, load1; /* slot, relative to the instruction's first, of its first and second
                             load; 255 none */
    uint8_t store0;       /* same for its store (equal to load0 for read-modify-write) */
    uint8_t pieces; /* 1: one access per operand is one callback; 0: may come in pieces, the first
                       one counts */
    uint16_t n_elements;  /* COUNTED: address words behind the count */
    uint16_t base_offset; /* COUNTED xsave, xrstor: subtract from the first address seen to get the
                            operand's address */
    uint8_t branch;       /* PIE_BRANCH_* */
} pie_insn_slots;
void pie_decode_slots(pie_decoder *decoder, const uint8_t *bytes, size_t n_bytes,
                      pie_insn_slots *ret_slots);

#endif
