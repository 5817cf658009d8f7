/* check.c - see check.h. The loop over records is on the hot path of every simulation: blocks are
 * looked up by id in one array, their slots tested without branches. */
#include "trace/check.h"

#include "trace/decode.h"
#include "trace/ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_BLOCKS = 1 << 18,  /* descriptions in memory; the tracer keeps to it */
    MAX_ACCESSES = 1 << 20 /* one instruction with a counted operand makes */
};

/* What checking needs of a block. */
typedef struct known_block {
    uint16_t n_insns, n_slots, n_counted;
    uint8_t n_branches, is_rep;
    uint16_t *first_slot; /* [n_insns + 1], then n_counted pairs (slot, elements); owned */
} known_block;

struct pie_stream {
    const pie_trace_sink *sink;
    uint64_t max_instructions;
    pie_decoder *decoder;
    known_block *blocks; /* [n_blocks] */
    size_t n_blocks, capacity;
    uint64_t *describe; /* a DESCRIBE record under construction */
    size_t describe_capacity;
    pie_stream_totals totals;
    int32_t want;
    char fault[120];
};

pie_status pie_stream_new(const pie_trace_sink *sink, uint64_t max_instructions,
                          pie_stream **ret_stream)
{
    pie_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return PIE_ERR_NOMEM;
    stream->sink = sink;
    stream->max_instructions = max_instructions;
    const pie_status status = pie_decoder_new(&stream->decoder);
    if (status == PIE_OK)
        *ret_stream = stream;
    else
        pie_stream_free(stream);
    return status;
}

void pie_stream_free(pie_stream *stream)
{
    if (!stream)
        return;
    for (size_t i = 0; i < stream->n_blocks; i++)
        free(stream->blocks[i].first_slot);
    free(stream->blocks);
    free(stream->describe);
    pie_decoder_free(stream->decoder);
    free(stream);
}

const pie_stream_totals *pie_stream_get_totals(const pie_stream *stream)
{
    return &stream->totals;
}

const char *pie_stream_fault(const pie_stream *stream)
{
    return stream->fault;
}

static pie_status forged(pie_stream *stream, const char *what)
{
    snprintf(stream->fault, sizeof stream->fault, "the trace is forged or broken: %s", what);
    return PIE_ERR_DATA;
}

static pie_status hand_on(pie_stream *stream, const uint64_t *words, size_t n_words)
{
    if (n_words == 0 || !stream->sink || stream->want != PIE_SINK_CONTINUE)
        return PIE_OK;
    return stream->sink->consume(stream->sink->context, words, n_words, &stream->want);
}

/* ---- definitions ---------------------------------------------------------------------------- */

static pie_status know_block(pie_stream *stream, const pie_block *block)
{
    if (stream->n_blocks == stream->capacity) {
        const size_t capacity = stream->capacity ? stream->capacity * 2 : 1024;
        known_block *blocks = realloc(stream->blocks, capacity * sizeof *blocks);
        if (!blocks)
            return PIE_ERR_NOMEM;
        stream->blocks = blocks;
        stream->capacity = capacity;
    }
    known_block known = {.n_insns = block->n_insns, .n_slots = block->n_slots};
    for (size_t i = 0; i < block->n_insns; i++) {
        const pie_insn *insn = pie_block_insn(block, i);
        known.n_branches = (uint8_t)(known.n_branches + (insn->branch != PIE_BRANCH_NONE &&
                                                         insn->branch != PIE_BRANCH_SYSCALL));
        known.is_rep |= (insn->flags & (PIE_INSN_REP | PIE_INSN_REPNE)) != 0;
        for (size_t k = 0; k < insn->n_mems; k++) {
            const pie_mem *mem = pie_block_mem(block, insn, k);
            known.n_counted =
                (uint16_t)(known.n_counted + (mem->n_slots && mem->flags & PIE_MEM_COUNTED));
        }
    }
    if (known.is_rep && known.n_insns != 1)
        return forged(stream, "a repeated string instruction is not alone in its block");
    known.first_slot =
        calloc((size_t)known.n_insns + 1 + (size_t)2 * known.n_counted, sizeof(uint16_t));
    if (!known.first_slot)
        return PIE_ERR_NOMEM;
    uint16_t *counted = known.first_slot + known.n_insns + 1;
    uint16_t slot = 0;
    for (size_t i = 0; i < block->n_insns; i++) {
        const pie_insn *insn = pie_block_insn(block, i);
        known.first_slot[i] = slot;
        for (size_t k = 0; k < insn->n_mems; k++) {
            const pie_mem *mem = pie_block_mem(block, insn, k);
            if (mem->n_slots && mem->flags & PIE_MEM_COUNTED) {
                *counted++ = mem->first_slot;
                *counted++ = mem->n_elements;
            }
            slot = (uint16_t)(slot + mem->n_slots);
        }
    }
    known.first_slot[known.n_insns] = slot;
    stream->blocks[stream->n_blocks++] = known;
    stream->totals.blocks++;
    return PIE_OK;
}

static pie_status take_definition(pie_stream *stream, const uint64_t *record, size_t n_words)
{
    const uint32_t id = pie_record_argument(record[0]);
    if (n_words < 4 || id != stream->n_blocks || id >= MAX_BLOCKS)
        return forged(stream, "a block is defined out of order");
    const uint64_t address = record[1];
    const size_t n_bytes = record[2] & 0xffff, n_insns = record[2] >> 16 & 0xffff,
                 n_slots = record[2] >> 32 & 0xffff, n_branches = record[2] >> 48;
    if (n_bytes == 0 || n_bytes > PIE_BLOCK_MAX_BYTES || n_words != 3 + (n_bytes + 7) / 8 ||
        address > PIE_GUEST_ADDRESS_LIMIT - n_bytes)
        return forged(stream, "a block has an impossible size");
    const pie_block *block;
    pie_status status = pie_decode_block(stream->decoder, id, address,
                                         (const uint8_t *)(record + 3), n_bytes, &block);
    if (status == PIE_ERR_DATA)
        return forged(stream, "a block has too many instructions");
    if (status != PIE_OK)
        return status;
    status = know_block(stream, block);
    if (status != PIE_OK)
        return status;
    const known_block *known = &stream->blocks[id];
    if (known->n_insns != n_insns || known->n_slots != n_slots || known->n_branches != n_branches) {
        snprintf(
            stream->fault, sizeof stream->fault,
            "the trace is forged or broken: the block at 0x%llx does not decode as the tracer says",
            (unsigned long long)address);
        return PIE_ERR_DATA;
    }
    const size_t n_describe = 1 + (block->size + 7u) / 8u;
    if (n_describe > PIE_RECORD_MAX_WORDS)
        return forged(stream, "a block's description is too long");
    if (n_describe > stream->describe_capacity) {
        uint64_t *words = realloc(stream->describe, n_describe * sizeof *words);
        if (!words)
            return PIE_ERR_NOMEM;
        stream->describe = words;
        stream->describe_capacity = n_describe;
    }
    stream->describe[0] = pie_record_header(PIE_RECORD_DESCRIBE, (uint32_t)n_describe, id);
    stream->describe[n_describe - 1] = 0;
    memcpy(stream->describe + 1, block, block->size);
    return hand_on(stream, stream->describe, n_describe);
}

/* ---- records -------------------------------------------------------------------------------- */

/* PIE_NO_ACCESS + 1 is 0. */
static bool are_addresses(const uint64_t *slots, size_t n)
{
    bool bad = false;
    for (size_t i = 0; i < n; i++)
        bad |= slots[i] + 1 > PIE_GUEST_ADDRESS_LIMIT;
    return !bad;
}

/* The counted operands among the first @n_slots. */
static bool are_counts(const known_block *block, const uint64_t *slots, size_t n_slots)
{
    const uint16_t *counted = block->first_slot + block->n_insns + 1;
    for (size_t i = 0; i < block->n_counted; i++, counted += 2) {
        if (counted[0] >= n_slots)
            break;
        const uint64_t n = slots[counted[0]];
        if (n > MAX_ACCESSES)
            return false;
        for (uint64_t k = 0; k < counted[1]; k++)
            if ((slots[counted[0] + 1 + k] == PIE_NO_ACCESS) != (k >= n))
                return false;
    }
    return true;
}

static pie_status take_block(pie_stream *stream, uint32_t kind, const uint64_t *record,
                             size_t n_words)
{
    const uint32_t id = pie_record_argument(record[0]);
    if (id >= stream->n_blocks)
        return forged(stream, "an unknown block was executed");
    const known_block *block = &stream->blocks[id];
    const size_t n_head = kind == PIE_RECORD_BLOCK ? 1 : kind == PIE_RECORD_CUT ? 2 : 3;
    if (n_words != n_head + block->n_slots)
        return forged(stream, "a record has the wrong length");
    const uint64_t *slots = record + n_head;
    size_t n_slots = block->n_slots, n_insns = block->n_insns;
    if (!are_addresses(slots, n_slots))
        return forged(stream, "an access is outside the address space of the guest");
    if (kind == PIE_RECORD_CUT) {
        if (record[1] >= n_insns)
            return forged(stream, "a block was cut behind its end");
        n_insns = record[1];
        for (size_t i = block->first_slot[n_insns]; i < n_slots; i++)
            if (slots[i] != PIE_NO_ACCESS)
                return forged(stream, "an instruction that did not complete has an address");
        n_slots = block->first_slot[n_insns];
    } else {
        if ((kind == PIE_RECORD_REP) != block->is_rep)
            return forged(stream, "a repeated string instruction has the wrong record");
        if (kind == PIE_RECORD_REP &&
            (record[1] >= PIE_GUEST_ADDRESS_LIMIT || record[2] & ~(uint64_t)PIE_REP_BACKWARD))
            return forged(stream, "a repeated string instruction has impossible iterations");
        stream->totals.branches += block->n_branches;
    }
    if (block->n_counted && !are_counts(block, slots, n_slots))
        return forged(stream, "a count of accesses does not fit its addresses");
    stream->totals.instructions += n_insns;
    if (stream->max_instructions && stream->totals.instructions > stream->max_instructions)
        return forged(stream, "more instructions than the limit allows");
    return PIE_OK;
}

static pie_status take_event(pie_stream *stream, const uint64_t *record, size_t n_words)
{
    static const uint8_t lengths[] = {
        [PIE_EVENT_STARTUP_END] = 1, [PIE_EVENT_SYSCALL] = 4,     [PIE_EVENT_MAP] = 3,
        [PIE_EVENT_UNMAP] = 3,       [PIE_EVENT_FIRST_TOUCH] = 3, [PIE_EVENT_CODE_CHANGED] = 3,
        [PIE_EVENT_SIGNAL] = 2,      [PIE_EVENT_END] = 2};
    const uint32_t type = pie_record_argument(record[0]);
    pie_stream_totals *totals = &stream->totals;
    if (type == 0 || type >= sizeof lengths || n_words != lengths[type])
        return forged(stream, "an event is unknown or has the wrong length");
    switch (type) {
    case PIE_EVENT_STARTUP_END:
        if (totals->startup_ended)
            return forged(stream, "start-up ended twice");
        totals->startup_ended = true;
        totals->startup_instructions = totals->instructions;
        return PIE_OK;
    case PIE_EVENT_SYSCALL:
        totals->syscalls++;
        return PIE_OK;
    case PIE_EVENT_SIGNAL:
    case PIE_EVENT_END:
        totals->ended = type == PIE_EVENT_END;
        return record[1] <= 64 ? PIE_OK : forged(stream, "there is no such signal");
    default:
        return record[1] <= PIE_GUEST_ADDRESS_LIMIT &&
                       record[2] <= PIE_GUEST_ADDRESS_LIMIT - record[1]
                   ? PIE_OK
                   : forged(stream, "an event is outside the address space of the guest");
    }
}

pie_status pie_stream_feed(pie_stream *stream, const uint64_t *words, size_t n_words,
                           int32_t *ret_want)
{
    pie_status status = PIE_OK;
    size_t from = 0, at = 0; /* records of [from, at) are checked and not yet handed on */
    while (at < n_words && status == PIE_OK) {
        const uint64_t *record = words + at;
        const uint32_t kind = pie_record_kind(record[0]);
        const size_t n = pie_record_words(record[0]);
        if (n == 0 || n > n_words - at) {
            status = forged(stream, "a record has an impossible length");
        } else if (stream->totals.ended) {
            status = forged(stream, "records follow the end");
        } else if (kind == PIE_RECORD_BLOCK || kind == PIE_RECORD_CUT || kind == PIE_RECORD_REP) {
            status = take_block(stream, kind, record, n);
        } else if (kind == PIE_RECORD_EVENT) {
            status = take_event(stream, record, n);
        } else if (kind == PIE_RECORD_RAW_BLOCK) {
            status = hand_on(stream, words + from, at - from);
            from = at + n;
            if (status == PIE_OK)
                status = take_definition(stream, record, n);
        } else {
            status = forged(stream, "a record of unknown kind");
        }
        if (status == PIE_OK)
            at += n;
    }
    if (status == PIE_OK)
        status = hand_on(stream, words + from, at - from);
    *ret_want = stream->want;
    return status;
}
