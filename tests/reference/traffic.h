/* traffic.h - made-up runs over random and over given machine code. */
#ifndef PIE_TESTS_REFERENCE_TRAFFIC_H
#define PIE_TESTS_REFERENCE_TRAFFIC_H

#include "contract/laws.h"

#include <stddef.h>

/* Basic blocks of machine code from elsewhere, mixed in. */
typedef struct traffic_blocks {
    uint8_t (*bytes)[256];
    uint16_t *n_bytes;
    size_t n;
} traffic_blocks;

/* The measured blocks in @folder (dev_5000.tsv); empty when it is not there. */
void traffic_load(const char *folder, traffic_blocks *ret_blocks);
void traffic_free(traffic_blocks *blocks);

/* A run over about @n_blocks blocks: loops, branches taken and not taken, calls, records cut
 * anywhere, events in between, accesses near to each other. A pure function of its arguments.
 * Returns how many different blocks were made. */
size_t traffic_run(uint64_t seed, size_t n_blocks, const traffic_blocks *blocks,
                   stream *ret_stream);

#endif
