/* lockstep.h - the engine and the reference over one stream, every uop and slot compared. */
#ifndef PIE_TESTS_REFERENCE_LOCKSTEP_H
#define PIE_TESTS_REFERENCE_LOCKSTEP_H

#include "contract/model_bench.h"
#include "reference/machine.h"

/* Opened once: the engine as compiled into the test, with its observer, and the table. */
typedef struct lockstep_setup {
    pie_plugin_info info;
    model_bench bench;
    ooo_table *table;
} lockstep_setup;

void lockstep_open(lockstep_setup *setup);
void lockstep_close(lockstep_setup *setup);

typedef struct lockstep lockstep;

/* With @parameters as in a model.cfg, NULL = Skylake's. One at a time: the engine's observer is
 * global. */
lockstep *lockstep_begin(const lockstep_setup *setup, const char *parameters, bool one_frame);
/* False: they differ; a table of both timelines around the place was printed. */
bool lockstep_consume(lockstep *run, const uint64_t *words, size_t n);
uint64_t lockstep_uops(const lockstep *run); /* compared so far */
/* The stream is over. *@ret_uops += uops compared. Frees. */
bool lockstep_end(lockstep *run, uint64_t *ret_uops);

#endif
