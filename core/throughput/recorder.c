/* recorder.c - see recorder.h */
#include "throughput/recorder.h"

#include "throughput/words.h"

#define NOT_YET UINT32_MAX

typedef struct known {
    size_t at;    /* its DESCRIBE record, in @descriptions */
    uint32_t id;  /* in the guest's stream */
    uint32_t own; /* in ours; NOT_YET */
} known;

struct pie_recorder {
    pie_decoder *decoder;
    pie_words descriptions, stream;
    known *known; /* [n_known], ids ascending */
    size_t n_known, capacity;
    uint32_t first_id, next_id;
    uint64_t n_insns, readings[2];
    size_t ends[2];
    unsigned n_read; /* readings reached */
};

pie_status pie_recorder_new(pie_recorder **ret_recorder)
{
    pie_recorder *recorder = calloc(1, sizeof *recorder);
    if (!recorder)
        return PIE_ERR_NOMEM;
    const pie_status status = pie_decoder_new(&recorder->decoder);
    if (status == PIE_OK)
        *ret_recorder = recorder;
    else
        pie_recorder_free(recorder);
    return status;
}

void pie_recorder_free(pie_recorder *recorder)
{
    if (!recorder)
        return;
    pie_decoder_free(recorder->decoder);
    free(recorder->descriptions.words);
    free(recorder->stream.words);
    free(recorder->known);
    free(recorder);
}

void pie_recorder_reset(pie_recorder *recorder)
{
    recorder->descriptions.n = 0;
    recorder->n_known = 0;
    pie_recorder_begin(recorder, 0, 0, 0);
}

void pie_recorder_begin(pie_recorder *recorder, uint64_t n_first, uint64_t n_last,
                        uint32_t first_id)
{
    for (size_t i = 0; i < recorder->n_known; i++)
        recorder->known[i].own = NOT_YET;
    recorder->stream.n = 0;
    recorder->first_id = recorder->next_id = first_id;
    recorder->n_insns = 0;
    recorder->n_read = 0;
    recorder->readings[0] = n_first;
    recorder->readings[1] = n_last;
}

pie_status pie_recorder_describe(pie_recorder *recorder, const uint64_t *record)
{
    if (recorder->n_known == recorder->capacity) {
        const size_t capacity = recorder->capacity ? recorder->capacity * 2 : 64;
        known *all = realloc(recorder->known, capacity * sizeof *all);
        if (!all)
            return PIE_ERR_NOMEM;
        recorder->known = all;
        recorder->capacity = capacity;
    }
    const size_t n = pie_record_words(record[0]);
    uint64_t *words = pie_words_extend(&recorder->descriptions, n);
    if (!words)
        return PIE_ERR_NOMEM;
    memcpy(words, record, n * sizeof *words);
    recorder->known[recorder->n_known++] = (known){
        .at = recorder->descriptions.n - n, .id = pie_record_argument(record[0]), .own = NOT_YET};
    return PIE_OK;
}

static known *find(const pie_recorder *recorder, uint32_t id)
{
    size_t low = 0, high = recorder->n_known;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (recorder->known[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < recorder->n_known && recorder->known[low].id == id ? &recorder->known[low] : NULL;
}

bool pie_recorder_knows(const pie_recorder *recorder, uint32_t id)
{
    return find(recorder, id) != NULL;
}

/* Describe @block under the next id of ours. */
static pie_status describe(pie_recorder *recorder, const pie_block *block)
{
    if (!pie_words_describe(&recorder->stream, block, recorder->next_id))
        return PIE_ERR_NOMEM;
    recorder->next_id++;
    return PIE_OK;
}

static pie_status add_whole(pie_recorder *recorder, known *entry, const uint64_t *record)
{
    if (entry->own == NOT_YET) {
        entry->own = recorder->next_id;
        const pie_status status =
            describe(recorder, (const void *)(recorder->descriptions.words + entry->at + 1));
        if (status != PIE_OK)
            return status;
    }
    const uint32_t n = pie_record_words(record[0]);
    uint64_t *words = pie_words_extend(&recorder->stream, n);
    if (!words)
        return PIE_ERR_NOMEM;
    memcpy(words, record, n * sizeof *words);
    words[0] = pie_record_header(pie_record_kind(record[0]), n, entry->own);
    return PIE_OK;
}

static size_t first_slot_of(const pie_block *block, size_t insn)
{
    size_t slots = 0;
    for (size_t i = 0; i < insn; i++)
        for (size_t k = 0; k < pie_block_insn(block, i)->n_mems; k++)
            slots += pie_block_mem(block, pie_block_insn(block, i), k)->n_slots;
    return slots;
}

/* Instructions [from, to) of @block as a block of their own: a reading lies inside it. */
static pie_status add_part(pie_recorder *recorder, const pie_block *block, const uint64_t *slots,
                           size_t from, size_t to)
{
    const size_t start = pie_block_insn(block, from)->offset;
    const size_t end = to < block->n_insns ? pie_block_insn(block, to)->offset : block->n_bytes;
    const size_t first = first_slot_of(block, from), n_slots = first_slot_of(block, to) - first;
    const pie_block *part;
    pie_status status = pie_decode_block(recorder->decoder, 0, block->address + start,
                                         pie_block_bytes(block) + start, end - start, &part);
    if (status != PIE_OK)
        return status;
    const uint32_t id = recorder->next_id;
    status = describe(recorder, part);
    if (status != PIE_OK)
        return status;
    uint64_t *words = pie_words_extend(&recorder->stream, 1 + n_slots);
    if (!words)
        return PIE_ERR_NOMEM;
    words[0] = pie_record_header(PIE_RECORD_BLOCK, (uint32_t)(1 + n_slots), id);
    if (n_slots)
        memcpy(words + 1, slots + first, n_slots * sizeof *words);
    return PIE_OK;
}

static void read_here(pie_recorder *recorder)
{
    while (recorder->n_read < 2 && recorder->n_insns == recorder->readings[recorder->n_read])
        recorder->ends[recorder->n_read++] = recorder->stream.n;
}

pie_status pie_recorder_add(pie_recorder *recorder, const uint64_t *record)
{
    known *entry = find(recorder, pie_record_argument(record[0]));
    const pie_block *block = (const void *)(recorder->descriptions.words + entry->at + 1);
    size_t from = 0;
    while (from < block->n_insns && recorder->n_read < 2) {
        const uint64_t left = recorder->readings[recorder->n_read] - recorder->n_insns;
        const size_t rest = block->n_insns - from, n = left < rest ? (size_t)left : rest;
        const pie_status status = n == block->n_insns
                                      ? add_whole(recorder, entry, record)
                                      : add_part(recorder, block, record + 1, from, from + n);
        if (status != PIE_OK)
            return status;
        recorder->n_insns += n;
        from += n;
        read_here(recorder);
    }
    return PIE_OK;
}

bool pie_recorder_is_complete(const pie_recorder *recorder)
{
    return recorder->n_read == 2;
}

void pie_recorder_stream(const pie_recorder *recorder, pie_gauge_stream *ret_stream)
{
    *ret_stream = (pie_gauge_stream){.words = recorder->stream.words,
                                     .first = recorder->ends[0],
                                     .last = recorder->ends[1],
                                     .n_ids = recorder->next_id - recorder->first_id};
}
