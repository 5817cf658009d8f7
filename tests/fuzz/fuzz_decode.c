/* libFuzzer target of core/trace/decode.c: any bytes are described within their bounds, and the
 * tracer's view of the slots is the block's. Any disagreement traps. */
#include "trace/decode.h"

#include <stdlib.h>
#include <string.h>

static void check(int holds)
{
    if (!holds)
        abort();
}

/* Reads all that a model would. */
static size_t check_insn(const pie_block *block, const pie_insn *insn, size_t n_slots)
{
    check(insn->length > 0 && insn->offset < block->n_bytes);
    check(block->strings + insn->form < block->size);
    check(strlen(pie_block_string(block, insn->form)) > 0);
    check(strlen(pie_block_string(block, insn->mnemonic)) > 0);
    check((size_t)insn->first_operand + insn->n_operands <= block->n_operands);
    check((size_t)insn->first_mem + insn->n_mems <= block->n_mems);
    for (size_t i = 0; i < insn->n_operands; i++) {
        const pie_operand *operand = pie_block_operand(block, insn, i);
        check(operand->type >= PIE_OPERAND_REG && operand->type <= PIE_OPERAND_FLAGS);
        check(operand->type != PIE_OPERAND_MEM || operand->mem < insn->n_mems);
        check(operand->reg < 64 || operand->reg == PIE_REG_NONE);
    }
    for (size_t i = 0; i < insn->n_mems; i++) {
        const pie_mem *mem = pie_block_mem(block, insn, i);
        check(mem->first_slot == n_slots);
        n_slots += mem->n_slots;
    }
    return n_slots;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pie_decoder *decoder = NULL;
    const pie_block *block = NULL;
    if (pie_decoder_new(&decoder) != PIE_OK)
        return 0;
    if (pie_decode_block(decoder, 1, 0x401000, data, size, &block) == PIE_OK) {
        size_t n_slots = 0;
        for (size_t i = 0; i < block->n_insns; i++) {
            const pie_insn insn = *pie_block_insn(block, i);
            const size_t before = n_slots;
            n_slots = check_insn(block, &insn, n_slots);
            pie_insn_slots slots;
            pie_decode_slots(decoder, data + insn.offset, size - insn.offset, &slots);
            check(slots.n_slots == n_slots - before);
            check(slots.length == (insn.flags & PIE_INSN_UNDEFINED ? 0 : insn.length));
            check(slots.load0 == 255 || slots.load0 < slots.n_slots);
            check(slots.load1 == 255 || slots.load1 < slots.n_slots);
            check(slots.store0 == 255 || slots.store0 < slots.n_slots);
        }
        check(n_slots == block->n_slots);
    }
    pie_decoder_free(decoder);
    return 0;
}
