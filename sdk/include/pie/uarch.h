/* pie/uarch.h - "pie.uarch/1": a CPU model.
 *
 * Two styles. `trace`: the model consumes the executed stream (pie/trace.h) and counts cycles; the
 * verdict on the output and the instruction count come from the tracer, in one run. `run`: the
 * plugin names command lines that the core runs sandboxed and reads their results (real hardware,
 * another simulator); the verdict still comes from the tracer.
 *
 * Called in a worker process. A trace model may not read clocks, host addresses, the locale, files
 * after create(), or randomness: the same stream gives the same bits.
 *
 * Laws, checked by the validator: cutting a block in two, any batch size and a copy at any record
 * change no figure; two instances do not see each other; cycles never fall when records are
 * appended; instruction and branch counts equal an independent count. */
#ifndef PIE_UARCH_H
#define PIE_UARCH_H

#include "pie/compiler.h"
#include "pie/counters.h"
#include "pie/plugin.h"
#include "pie/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PIE_UARCH_TRACE = 1, PIE_UARCH_RUN = 2 };

enum {
    PIE_UARCH_DETERMINISTIC = 1u << 0, /* same input, same bits. Without it results are never reused
                                          by key and are marked in every report */
    PIE_UARCH_WANTS_VALUES = 1u << 1,  /* VALUE records for divisions and the like, where known */
    PIE_UARCH_SECONDS = 1u << 2        /* style run: the time is in seconds, not cycles */
};

typedef struct pie_counter {
    const char *name; /* from pie/counters.h, or "<short name>.<own>" */
    const char *unit;
    const char *help;
} pie_counter;

/* Which physical page a virtual one is on. Caches and store forwarding use physical addresses, TLBs
 * and 4K aliasing virtual ones. */
enum { PIE_PAGE_MAP_IDENTITY = 0, PIE_PAGE_MAP_ONE_FRAME = 1 /* every page on one frame */ };

typedef struct pie_uarch_setup {
    int32_t isa;        /* PIE_ISA_X86_64 */
    int32_t page_map;   /* PIE_PAGE_MAP_IDENTITY .. */
    int32_t profile;    /* 1: profile() will be called; a model may count less without */
    const char *folder; /* of the model.cfg, for tables beside it; NULL for a .so model */
} pie_uarch_setup;

/* Running totals at a record boundary: cycles = retirement of the last uop so far, without
 * draining. */
typedef struct pie_uarch_mark {
    uint64_t cycles;
    uint64_t instructions; /* retired */
    uint64_t uops;         /* retired, fused domain; 0 if the model has none */
} pie_uarch_mark;

/* One static instruction in a profile. */
typedef struct pie_profile_row {
    uint32_t block_id;
    uint32_t insn;               /* index in the block */
    uint64_t executions, cycles; /* cycles: from the retirement of the instruction before to its
                                    own, so that the sum over all is the run's */
    uint64_t l1d_misses, l2_misses, l3_misses, branch_misses;
} pie_profile_row;

enum { PIE_CONSUMED_ALL = 0, PIE_CONSUMED_TO_LIMIT = 1 /* cycles passed the limit */ };

typedef struct pie_uarch_trace_ops {
    const pie_counter *counters; /* ended by an entry with name NULL */
    pie_status (*create)(const pie_host *host, const pie_uarch_setup *setup, void **ret_self);
    void (*destroy)(void *self);
    /* Take @n_words of whole records. Stops after the first record that carries the cycles beyond
     * @cycle_limit (UINT64_MAX: none); *@ret_used = words taken, *@ret_reason = PIE_CONSUMED_*.
     * What follows in the stream then does not exist for this run. PIE_ERR_NOMEM, PIE_ERR_DATA (a
     * stream that the model cannot take: logged). The hot path: no allocation but for DESCRIBE. */
    pie_status (*consume)(void *self, const uint64_t *words, size_t n_words, uint64_t cycle_limit,
                          size_t *ret_used, int32_t *ret_reason);
    void (*mark)(const void *self, pie_uarch_mark *ret_mark); /* cheap; at any record boundary */
    void (*counters_read)(const void *self, uint64_t *ret_values); /* in the order of @counters */
    /* Optional (NULL): @visit for every static instruction executed, in order of block id. Stops
     * and returns what @visit returned if not PIE_OK. Only for instances created with profile set.
     */
    pie_status (*profile)(const void *self,
                          pie_status (*visit)(void *context, const pie_profile_row *row),
                          void *context);
    /* Optional (NULL): make @dst, an instance of the same configuration, continue exactly as @src
     * would. Allocates at most for blocks that @dst has not seen. Required of shipped models. */
    pie_status (*copy)(void *dst, const void *src);
    /* Optional (NULL): forms timed by a fallback, one string per index until NULL; borrowed. */
    const char *(*unknown_form)(const void *self, size_t index, uint64_t *ret_executions);
} pie_uarch_trace_ops;

typedef struct pie_run_request {
    const char *program; /* absolute path of the ELF */
    const char *input;   /* absolute path of the test's input */
} pie_run_request;

typedef struct pie_run_result {
    double time;            /* cycles, or seconds with PIE_UARCH_SECONDS */
    const double *counters; /* in the order of @counters; NaN = not read */
} pie_run_result;

typedef struct pie_uarch_run_ops {
    const pie_counter *counters;
    pie_status (*create)(const pie_host *host, const pie_uarch_setup *setup, void **ret_self);
    void (*destroy)(void *self);
    /* Steps to measure one test; owned by the instance until its next call. */
    pie_status (*plan)(void *self, const pie_run_request *request, pie_compile_plan *ret_plan);
    /* Read the figures from the steps' standard outputs, one after the other. */
    pie_status (*read)(void *self, const char *output, size_t n_bytes, pie_run_result *ret_result);
} pie_uarch_run_ops;

typedef struct pie_uarch_ops {
    int32_t style;  /* PIE_UARCH_TRACE: @trace is set; PIE_UARCH_RUN: @run is */
    uint32_t flags; /* PIE_UARCH_DETERMINISTIC | .. */
    const pie_uarch_trace_ops *trace;
    const pie_uarch_run_ops *run;
} pie_uarch_ops;

#ifdef __cplusplus
}
#endif
#endif
