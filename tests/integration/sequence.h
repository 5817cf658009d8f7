/* sequence.h - a stream as a sequence of instructions, whatever its blocks were.
 *
 * Two runs of a program are the same when their sequences are: per instruction its address and the
 * addresses of its accesses, for a repeated string instruction also iterations and direction;
 * events in between. No assertions here, so that child processes of a test can use it: what is
 * wrong is text. */
#ifndef PIE_TESTS_SEQUENCE_H
#define PIE_TESTS_SEQUENCE_H

#include "base/file.h"
#include "pie/trace.h"
#include "trace/guest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_KEPT = 1 << 20 };

/* Per instruction: address, number of words, words. Events in between: type | EVENT_MARK, words. */
#define EVENT_MARK (UINT64_C(1) << 63)

typedef struct sequence {
    uint64_t **blocks; /* copies of the descriptions by id */
    size_t n_blocks;
    uint64_t *words; /* of the first steps */
    size_t n_words;
    uint64_t *addresses; /* of the first instructions */
    size_t n_addresses;
    uint64_t hash, raw_hash, n_insns, n_branches, n_accesses, n_cuts, n_reps;
    uint64_t n_events[16];
    char fault[256]; /* one line, "" = none */
} sequence;

static inline void sequence_mix(uint64_t *hash, uint64_t value)
{
    *hash = (*hash ^ value) * UINT64_C(0x100000001b3);
    *hash ^= *hash >> 29;
}

static inline void sequence_put(sequence *s, uint64_t word)
{
    if (s->n_words < MAX_KEPT)
        s->words[s->n_words++] = word;
    sequence_mix(&s->hash, word);
}

/* An operand that reads or writes memory has slots, and once its instruction has completed they
 * hold what it accessed. Both modes could drop the same one, so that comparing them shows nothing.
 */
static inline void sequence_check_mem(sequence *s, const pie_block *block, const pie_insn *insn,
                                      const pie_mem *mem, const uint64_t *slots)
{
    const char *what = NULL;
    const bool accesses = (mem->flags & (PIE_MEM_READ | PIE_MEM_WRITE)) &&
                          !(mem->flags & (PIE_MEM_AGEN | PIE_MEM_HINT));
    if (accesses && !mem->n_slots)
        what = "an operand without a slot";
    else if (mem->n_slots && slots[mem->first_slot] == PIE_NO_ACCESS)
        what = "a slot without an access";
    if (what && !s->fault[0])
        snprintf(s->fault, sizeof s->fault, "%s at %#lx has %s",
                 pie_block_string(block, insn->form),
                 (unsigned long)(block->address + insn->offset), what);
}

static inline void sequence_put_insn(sequence *s, const pie_block *block, size_t i,
                                     const uint64_t *slots, bool accesses)
{
    const pie_insn *insn = pie_block_insn(block, i);
    size_t n_slots = 0, first = 0;
    for (size_t k = 0; k < insn->n_mems; k++) {
        const pie_mem *mem = pie_block_mem(block, insn, k);
        if (accesses)
            sequence_check_mem(s, block, insn, mem, slots);
        if (mem->n_slots && n_slots == 0)
            first = mem->first_slot;
        n_slots += mem->n_slots;
    }
    sequence_put(s, block->address + insn->offset);
    sequence_put(s, n_slots);
    for (size_t k = 0; k < n_slots; k++)
        sequence_put(s, slots[first + k]);
    if (s->n_addresses < MAX_KEPT)
        s->addresses[s->n_addresses++] = block->address + insn->offset;
    s->n_insns++;
    s->n_accesses += n_slots;
    s->n_branches += insn->branch != PIE_BRANCH_NONE && insn->branch != PIE_BRANCH_SYSCALL;
}

static inline void sequence_put_event(sequence *s, const uint64_t *record)
{
    const uint32_t type = pie_record_argument(record[0]);
    s->n_events[type & 15]++;
    if (type == PIE_EVENT_CODE_CHANGED)
        return; /* seen per block, so it depends on the blocks */
    sequence_put(s, EVENT_MARK | type);
    for (uint32_t i = 1; i < pie_record_words(record[0]); i++)
        sequence_put(s, record[i]);
}

static inline pie_status sequence_put_description(sequence *s, const uint64_t *record)
{
    const uint32_t id = pie_record_argument(record[0]), n = pie_record_words(record[0]);
    if (id != s->n_blocks) {
        snprintf(s->fault, sizeof s->fault, "block %u described after %zu blocks", id, s->n_blocks);
        return PIE_ERR_DATA;
    }
    uint64_t **blocks = realloc(s->blocks, (s->n_blocks + 1) * sizeof *s->blocks);
    if (!blocks)
        return PIE_ERR_NOMEM;
    s->blocks = blocks;
    uint64_t *copy = malloc(n * sizeof *copy);
    if (!copy)
        return PIE_ERR_NOMEM;
    memcpy(copy, record + 1, (n - 1) * sizeof *record);
    s->blocks[s->n_blocks++] = copy;
    return PIE_OK;
}

/* BLOCK, CUT or REP. */
static inline pie_status sequence_put_block(sequence *s, const uint64_t *record)
{
    const uint32_t kind = pie_record_kind(record[0]), id = pie_record_argument(record[0]);
    const uint32_t n_header = kind == PIE_RECORD_BLOCK ? 1 : kind == PIE_RECORD_CUT ? 2 : 3;
    const pie_block *block =
        id < s->n_blocks ? (const pie_block *)(const void *)s->blocks[id] : NULL;
    if (!block || pie_record_words(record[0]) != n_header + block->n_slots) {
        snprintf(s->fault, sizeof s->fault, "block %u %s (record of kind %u)", id,
                 block ? "with a wrong number of words" : "before its description", kind);
        return PIE_ERR_DATA;
    }
    const size_t n_insns = kind == PIE_RECORD_BLOCK ? block->n_insns
                           : kind == PIE_RECORD_CUT ? record[1]
                                                    : 1;
    const bool accesses = kind != PIE_RECORD_REP || record[1] > 0; /* it made some */
    for (size_t i = 0; i < n_insns; i++)
        sequence_put_insn(s, block, i, record + n_header, accesses);
    s->n_cuts += kind == PIE_RECORD_CUT;
    if (kind == PIE_RECORD_REP) {
        sequence_put(s, record[1]);
        sequence_put(s, record[2]);
        s->n_reps++;
    }
    return PIE_OK;
}

static inline pie_status sequence_consume(void *context, const uint64_t *words, size_t n_words,
                                          int32_t *ret_want)
{
    sequence *s = context;
    pie_status status = PIE_OK;
    (void)ret_want;
    for (size_t at = 0; at < n_words && status == PIE_OK; at += pie_record_words(words[at])) {
        const uint64_t *record = words + at;
        for (uint32_t i = 0; i < pie_record_words(record[0]); i++)
            sequence_mix(&s->raw_hash, record[i]);
        switch (pie_record_kind(record[0])) {
        case PIE_RECORD_DESCRIBE:
            status = sequence_put_description(s, record);
            break;
        case PIE_RECORD_BLOCK:
        case PIE_RECORD_CUT:
        case PIE_RECORD_REP:
            status = sequence_put_block(s, record);
            break;
        case PIE_RECORD_EVENT:
            sequence_put_event(s, record);
            break;
        default:
            snprintf(s->fault, sizeof s->fault, "record of kind %u", pie_record_kind(record[0]));
            status = PIE_ERR_DATA;
        }
    }
    return status;
}

static inline void sequence_end(sequence *s)
{
    for (size_t i = 0; i < s->n_blocks; i++)
        free(s->blocks[i]);
    free(s->blocks);
    free(s->words);
    free(s->addresses);
}

/* Run @program with @base (its program_fd and sink are set here) and take its stream. False:
 * @s->fault says why. To be released in both cases: @s with sequence_end(), @ret_result with
 * pie_guest_result_free(). */
static inline bool sequence_trace(const char *program, const pie_guest_spec *base, sequence *s,
                                  pie_guest_result *ret_result)
{
    *s = (sequence){.words = malloc(MAX_KEPT * sizeof *s->words),
                    .addresses = malloc(MAX_KEPT * sizeof *s->addresses)};
    *ret_result = (pie_guest_result){0};
    const char *fault = NULL;
    pie_status status = PIE_ERR_NOMEM;
    pie_guest_spec spec = *base;
    const pie_trace_sink sink = {s, sequence_consume};
    spec.sink = &sink;
    spec.program_fd = open(program, O_RDONLY | O_CLOEXEC);
    if (spec.program_fd >= 0 && s->words && s->addresses)
        status = pie_guest_run(&spec, &pie_log_stderr, ret_result);
    if (spec.program_fd >= 0)
        close(spec.program_fd);

    if (s->fault[0])
        return false; /* in the stream itself */
    if (status != PIE_OK)
        fault = "it could not be run";
    else if (ret_result->verdict == PIE_VERDICT_TAMPERING)
        fault = "taken for tampering";
    else if (ret_result->verdict == PIE_VERDICT_INFRA_ERROR)
        fault = "infrastructure error";
    else if (ret_result->instructions != s->n_insns)
        fault = "other instructions counted than in the stream";
    else if (ret_result->branches != s->n_branches)
        fault = "other branches counted than in the stream";
    else if (s->n_events[PIE_EVENT_STARTUP_END] != 1)
        fault = "start-up does not end exactly once";
    else if (s->n_events[PIE_EVENT_END] !=
             (ret_result->verdict == PIE_VERDICT_INSTRUCTION_LIMIT ? 0 : 1))
        fault = "the stream does not end exactly once, or ends at the limit";
    if (fault)
        snprintf(s->fault, sizeof s->fault, "%s (status %d) %.90s", fault, (int)status,
                 ret_result->reason);
    return !fault;
}

/* False: how a run in blocks (@a) differs from one in single instructions (@b), one line. */
static inline bool sequence_same(const sequence *a, const sequence *b, char *ret_difference,
                                 size_t n_bytes)
{
    const size_t n = a->n_words < b->n_words ? a->n_words : b->n_words;
    for (size_t i = 0; i < n; i++)
        if (a->words[i] != b->words[i]) {
            snprintf(ret_difference, n_bytes,
                     "word %zu of the sequence: %#lx in blocks, %#lx in single instructions", i,
                     (unsigned long)a->words[i], (unsigned long)b->words[i]);
            return false;
        }
    if (a->n_insns == b->n_insns && a->hash == b->hash)
        return true;
    snprintf(ret_difference, n_bytes,
             "beyond word %zu of the sequence; %lu instructions in blocks, %lu single ones", n,
             (unsigned long)a->n_insns, (unsigned long)b->n_insns);
    return false;
}

#endif
