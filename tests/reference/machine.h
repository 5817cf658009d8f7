/* machine.h - a cycle-driven out-of-order core, the slow reference of uarch-models/ooo.
 *
 * Written from docs/internals/ooo.md, apart from the engine, and as plain as possible: one step is
 * one cycle, queues are queues, and what waits is looked at again every cycle, oldest first. Only
 * the instruction table and the expansion of a block (table.h, expand.h) are shared.
 *
 * One thing is not causal: a division may go before an older one that is not ready if it is done in
 * time. The machine lets it go, keeps a copy of its state from before, and when the older one
 * turns out to be delayed it returns to the copy with a ban on the younger one. */
#ifndef PIE_TESTS_REFERENCE_MACHINE_H
#define PIE_TESTS_REFERENCE_MACHINE_H

#include "expand.h"

#include <stdbool.h>

typedef uint64_t ref_cycle;
#define REF_NEVER UINT64_MAX

/* ---- what is compared ------------------------------------------------------------------------ */

enum { REF_UOP = 1, REF_SLOT = 2 };

/* One unfused uop; or, after its uops, the retirement of a fused-domain slot. */
typedef struct ref_record {
    uint32_t kind;
    uint32_t uop; /* within the instruction; UINT32_MAX: put in by rename */
    uint64_t address;
    uint8_t class, port;
    ref_cycle issued, dispatched, completed, retired;
} ref_record;

/* ---- parameters, named as the engine's options ------------------------------------------------
 */

typedef struct ref_params {
    uint32_t predecode_width, instruction_queue, predecode_delay, decoders, uop_queue;
    uint32_t dsb_width, dsb_window, dsb_lines, dsb_line_uops, dsb_sets, dsb_ways;
    uint32_t ms_width, dsb_ms_stall;
    uint32_t issue_width, retire_width, rob, scheduler, load_buffer, store_buffer;
    uint32_t integer_registers, vector_registers, elimination_integer, elimination_vector;
    uint32_t dispatch_delay;
    uint32_t load_latency, load_latency_pointer, load_latency_vector, load_latency_wide;
    uint32_t store_address_latency, forward_latency, forward_failed, alias_penalty, split_penalty;
    bool fusible_last, dsb_both_halves, jcc_mitigation, lsd, one_frame;
    struct {
        uint32_t up_to, copies;
    } lsd_copies[16];
    size_t n_lsd_copies;
} ref_params;

/* ---- a model ----------------------------------------------------------------------------------
 */

typedef struct ref_model ref_model;

/* Ends the program when there is no memory: this is a test. @table is borrowed. */
ref_model *ref_model_new(const ref_params *params, const ooo_table *table);
void ref_model_free(ref_model *model);
/* Take whole records of a stream (pie/trace.h). */
void ref_model_consume(ref_model *model, const uint64_t *words, size_t n);
/* The stream is over: run until everything has retired. */
void ref_model_finish(ref_model *model);
/* The next record in program order that no return to an earlier state can change. */
bool ref_model_next(ref_model *model, ref_record *ret_record);
/* The instruction at @address as text: form and bytes; borrowed until the next call. */
const char *ref_model_name(ref_model *model, uint64_t address);

#endif
