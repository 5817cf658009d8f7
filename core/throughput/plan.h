/* plan.h - how a block is to be run: how many copies or iterations, where its cycles are read, with
 * which registers. */
#ifndef PIE_THROUGHPUT_PLAN_H
#define PIE_THROUGHPUT_PLAN_H

#include "throughput/protocol.h"
#include "trace/decode.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct pie_tp_plan {
    size_t n_insns;     /* of the block */
    size_t n_first;     /* executions of it until the first reading of the cycles */
    size_t n_last;      /* and until the second */
    bool is_endless;    /* a loop that no counter of ours ends: its stream must be cut */
    const char *refuse; /* NULL, or why it is not to be executed */
    uint64_t registers[16];
} pie_tp_plan;

/* PIE_ERR_NOMEM; PIE_ERR_DATA: more instructions than a block can have. */
pie_status pie_tp_plan_make(pie_decoder *decoder, const uint8_t *bytes, size_t n_bytes, bool loop,
                            pie_tp_plan *ret_plan);

#endif
