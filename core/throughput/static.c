/* static.c - see static.h */
#include "throughput/static.h"

/* A run of instructions of the block that makes one record. */
typedef struct run {
    uint16_t start, end; /* bytes */
    bool is_rep;         /* one repeated string instruction: taken as one iteration */
} run;

static bool is_rep(const pie_insn *insn)
{
    return insn->flags & (PIE_INSN_REP | PIE_INSN_REPNE);
}

/* Split where REP records must stand. */
static size_t split(const pie_block *block, run *runs)
{
    size_t n = 0;
    for (size_t i = 0; i < block->n_insns; i++) {
        const pie_insn *insn = pie_block_insn(block, i);
        const uint16_t end =
            i + 1u < block->n_insns ? pie_block_insn(block, i + 1)->offset : block->n_bytes;
        if (n == 0 || is_rep(insn) || runs[n - 1].is_rep)
            runs[n++] = (run){.start = insn->offset, .is_rep = is_rep(insn)};
        runs[n - 1].end = end;
    }
    return n;
}

static uint64_t register_value(const pie_tp_plan *plan, uint8_t reg, uint64_t next)
{
    if (reg < 16)
        return plan->registers[reg];
    return reg == PIE_REG_RIP ? next : reg == PIE_REG_NONE ? 0 : PIE_TP_VALUE;
}

static uint64_t address_of(const pie_tp_plan *plan, const pie_mem *mem, uint64_t next)
{
    uint64_t address = register_value(plan, mem->base, next) + (uint64_t)mem->displacement +
                       register_value(plan, mem->index, next) * mem->scale +
                       register_value(plan, mem->segment, next);
    return address % PIE_GUEST_ADDRESS_LIMIT;
}

static void fill_slots(const pie_tp_plan *plan, const pie_block *block, uint64_t *slots)
{
    for (size_t i = 0; i < block->n_insns; i++) {
        const pie_insn *insn = pie_block_insn(block, i);
        const uint64_t next = block->address + insn->offset + insn->length;
        for (size_t k = 0; k < insn->n_mems; k++) {
            const pie_mem *mem = pie_block_mem(block, insn, k);
            const bool is_counted = mem->flags & PIE_MEM_COUNTED;
            for (size_t s = 0; s < mem->n_slots; s++)
                slots[mem->first_slot + s] =
                    is_counted && s == 0 ? mem->n_elements : address_of(plan, mem, next);
        }
    }
}

static pie_status add_execution(const pie_tp_plan *plan, const pie_block *block, const run *r,
                                uint32_t id, pie_words *list)
{
    const size_t n_head = r->is_rep ? 3 : 1, n = n_head + block->n_slots;
    uint64_t *words = pie_words_extend(list, n);
    if (!words)
        return PIE_ERR_NOMEM;
    words[0] = pie_record_header(r->is_rep ? PIE_RECORD_REP : PIE_RECORD_BLOCK, (uint32_t)n, id);
    if (r->is_rep) {
        words[1] = 1;
        words[2] = 0;
    }
    fill_slots(plan, block, words + n_head);
    return PIE_OK;
}

pie_status pie_tp_static_stream(pie_decoder *decoder, const uint8_t *bytes, size_t n_bytes,
                                bool loop, const pie_tp_plan *plan, uint32_t first_id,
                                pie_words *list, pie_gauge_stream *ret_stream)
{
    run runs[PIE_BLOCK_MAX_INSNS];
    const pie_block *block;
    pie_status status = pie_decode_block(decoder, 0, PIE_TP_CODE, bytes, n_bytes, &block);
    if (status != PIE_OK)
        return status;
    const size_t n_runs = split(block, runs);
    pie_gauge_stream stream = {0};
    list->n = 0;
    for (size_t copy = 0; status == PIE_OK && copy < plan->n_last; copy++) {
        if (copy == plan->n_first)
            stream.first = list->n;
        const uint64_t address = PIE_TP_CODE + (loop ? 0 : copy * n_bytes);
        for (size_t i = 0; status == PIE_OK && i < n_runs; i++) {
            const bool is_new = !loop || copy == 0;
            const uint32_t id = first_id + (loop ? (uint32_t)i : stream.n_ids);
            stream.n_ids += is_new;
            status = pie_decode_block(decoder, id, address + runs[i].start, bytes + runs[i].start,
                                      (size_t)(runs[i].end - runs[i].start), &block);
            if (status == PIE_OK && is_new && !pie_words_describe(list, block, id))
                status = PIE_ERR_NOMEM;
            if (status == PIE_OK)
                status = add_execution(plan, block, &runs[i], id, list);
        }
    }
    stream.words = list->words;
    stream.last = list->n;
    *ret_stream = stream;
    return status;
}
