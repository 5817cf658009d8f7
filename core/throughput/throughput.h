/* throughput.h - steady-state cycles of basic blocks on a CPU model of style `trace`.
 *
 * The blocks are executed, thousands in one long-lived guest (guest.S), in the state in which BHive
 * measured; the model gets the ordinary stream of each, and nothing else. docs/throughput.md. */
#ifndef PIE_THROUGHPUT_H
#define PIE_THROUGHPUT_H

#include "config/config.h"

enum { PIE_THROUGHPUT_MAX_BYTES = 4096 };

typedef struct pie_throughput_block {
    const uint8_t *bytes; /* borrowed */
    size_t n_bytes;       /* 1 .. PIE_THROUGHPUT_MAX_BYTES */
    /* filled in */
    double cycles;      /* per execution of the block */
    bool executed;      /* false: predicted from static addresses, @reason says why */
    size_t n_fallbacks; /* instruction forms that the model timed by a fallback */
    char reason[96];    /* "" when executed */
} pie_throughput_block;

typedef struct pie_throughput_spec {
    const pie_choice *uarch;
    bool loop; /* each block ends in a branch to its own start; false: copies back to back */
    void (*progress)(void *context, size_t n_done); /* NULL: none */
    void *context;
} pie_throughput_spec;

/* Every block gets its figure, or none does. PIE_ERR_CONFIG: the model is not of style
 * `trace`, or a block has too many instructions (logged). PIE_ERR_UNAVAILABLE: no qemu.
 * PIE_ERR_CRASHED, PIE_ERR_DATA: the model is broken. PIE_ERR_NOMEM, PIE_ERR_IO. */
pie_status pie_throughput_run(const pie_throughput_spec *spec, pie_throughput_block *blocks,
                              size_t n_blocks, const pie_log *log);

#endif
