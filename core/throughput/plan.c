/* plan.c - see plan.h */
#include "throughput/plan.h"

/* The cycles are read after 100 and after 200 copies, as one would from two programs. Of a long
 * block fewer copies do: 1600 instructions fill the reorder buffer (224 uops) several times over,
 * so that later ones meet what all following ones meet; but the readings are whole periods apart,
 * after which copies stand at the same addresses modulo 16, the predecoder's window. */
enum { FIRST_COPIES = 100, LAST_COPIES = 200, ENOUGH_INSNS = 1600, WINDOW = 16 };
/* Instructions of a loop. It is translated once, so more of it costs less; its patterns (ports, uop
 * cache lines against the width of rename) are longer. */
enum { LOOP_FULL = 640, LOOP_SPAN = 1920, LOOP_MIN_ITERATIONS = 64 };

static size_t divide_up(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static size_t period(size_t n_bytes)
{
    size_t copies = WINDOW;
    for (; n_bytes % 2 == 0 && copies > 1; n_bytes /= 2)
        copies /= 2;
    return copies;
}

/* "dec REG; jnz START" at the end, and REG named by nothing else: REG can count the iterations, as
 * it did where such loops were measured. */
static bool is_counted(const pie_block *block, unsigned *ret_register)
{
    if (block->n_insns < 2)
        return false;
    const pie_insn *jump = pie_block_insn(block, block->n_insns - 1u);
    const pie_insn *dec = pie_block_insn(block, block->n_insns - 2u);
    const bool is_jnz = jump->branch == PIE_BRANCH_CONDITIONAL &&
                        (jump->opcode_map ? jump->opcode == 0x85 : jump->opcode == 0x75) &&
                        jump->branch_target == block->address;
    const bool is_dec = dec->opcode_map == 0 && dec->opcode == 0xff &&
                        (dec->modrm & 0xf8) == 0xc8 && dec->operand_bits == 64;
    if (!is_jnz || !is_dec)
        return false;
    const unsigned counter = pie_block_operand(block, dec, 0)->reg;
    for (size_t i = 0; i + 2 < block->n_insns; i++) {
        const pie_insn *insn = pie_block_insn(block, i);
        if ((insn->regs_read | insn->regs_written) & UINT64_C(1) << counter)
            return false;
    }
    *ret_register = counter;
    return true;
}

static const char *refusal(const pie_block *block)
{
    for (size_t i = 0; i < block->n_insns; i++) {
        const pie_insn *insn = pie_block_insn(block, i);
        if (insn->flags & PIE_INSN_UNDEFINED)
            return "an undefined instruction";
        if (insn->branch == PIE_BRANCH_SYSCALL)
            return "a system call";
    }
    return NULL;
}

pie_status pie_tp_plan_make(pie_decoder *decoder, const uint8_t *bytes, size_t n_bytes, bool loop,
                            pie_tp_plan *ret_plan)
{
    const pie_block *block;
    const pie_status status = pie_decode_block(decoder, 0, PIE_TP_CODE, bytes, n_bytes, &block);
    if (status != PIE_OK)
        return status;
    pie_tp_plan plan = {.n_insns = block->n_insns, .refuse = refusal(block)};
    for (size_t i = 0; i < 16; i++)
        plan.registers[i] = PIE_TP_VALUE;
    plan.registers[PIE_REG_RSP] = PIE_TP_RSP;
    plan.registers[PIE_REG_RSP + 1] = PIE_TP_RBP;
    unsigned counter = 0;
    if (loop) {
        plan.n_first = divide_up(LOOP_FULL, plan.n_insns);
        if (plan.n_first < LOOP_MIN_ITERATIONS)
            plan.n_first = LOOP_MIN_ITERATIONS;
        plan.n_last = plan.n_first + divide_up(divide_up(LOOP_SPAN, plan.n_insns), 64) * 64;
        plan.is_endless = !is_counted(block, &counter);
        if (!plan.is_endless)
            plan.registers[counter] = plan.n_last;
    } else {
        plan.n_first = FIRST_COPIES;
        plan.n_last = LAST_COPIES;
        if (plan.n_insns * FIRST_COPIES > ENOUGH_INSNS) {
            const size_t copies = period(n_bytes);
            plan.n_first = divide_up(ENOUGH_INSNS, plan.n_insns);
            plan.n_last = plan.n_first + copies * divide_up(ENOUGH_INSNS, plan.n_insns * copies);
        }
    }
    *ret_plan = plan;
    return PIE_OK;
}
