/* laws.h - checks the laws of pie/uarch.h on any trace model and any recorded stream.
 *
 * The stream is one complete run, whole records, descriptions included. Every law compares figures:
 * mark, all counters, and the profile summed by address (cutting blocks gives new ids). */
#ifndef PIE_TEST_LAWS_H
#define PIE_TEST_LAWS_H

#include "pie/uarch.h"

#include <stdbool.h>

typedef struct stream {
    uint64_t *words;
    size_t n, capacity;
} stream;

void stream_free(stream *stream_);
/* Append @n words; ends the program when there is no memory (this is a test). */
void stream_add(stream *to, const uint64_t *words, size_t n);
void stream_add_record(stream *to, uint32_t kind, uint32_t argument, const uint64_t *words,
                       size_t n);
/* A DESCRIBE record of machine code. */
void stream_add_description(stream *to, uint32_t id, uint64_t address, const uint8_t *bytes,
                            size_t n);

typedef struct law_subject {
    const pie_uarch_trace_ops *ops;
    const pie_host *host;
    pie_uarch_setup setup;
    bool wants_values; /* VALUE records may change figures */
} law_subject;

/* Each returns the number of violations; every one is printed to standard output. */
size_t law_batches(const law_subject *subject, const stream *input, uint64_t seed);
size_t law_copies(const law_subject *subject, const stream *input, uint64_t seed);
size_t law_instances(const law_subject *subject, const stream *input);
size_t law_monotone(const law_subject *subject, const stream *input);
size_t law_cuts(const law_subject *subject, const stream *input, uint64_t seed);
size_t law_counts(const law_subject *subject, const stream *input);
size_t law_limit(const law_subject *subject, const stream *input, uint64_t seed);
size_t law_unknown_records(const law_subject *subject, const stream *input, uint64_t seed);
/* All of them. */
size_t laws_check(const law_subject *subject, const stream *input, uint64_t seed);

/* Cut every block record at a random instruction, or (@finely) between all of its instructions. */
void stream_cut(const stream *input, uint64_t seed, bool finely, stream *ret_cut);

/* The next of a fixed sequence of random numbers. */
uint64_t law_random(uint64_t *state);

#endif
