/* model_bench.h - machine code through a CPU model without a guest: any code, any addresses, any
 * parameters. Everything ends the program when it cannot be done: these are tests. */
#ifndef PIE_TEST_MODEL_BENCH_H
#define PIE_TEST_MODEL_BENCH_H

#include "contract/laws.h"

#include "config/values.h"
#include "registry/registry.h"
#include "trace/decode.h"

/* ---- a model ---- */

typedef struct model_bench {
    pie_registry *registry;
    const pie_plugin_info *info;
    const pie_uarch_trace_ops *ops;
} model_bench;

void bench_open(model_bench *bench, const char *folder, const char *name);
void bench_close(model_bench *bench);

/* The model with parameters of its own: "rob = 64; lsd = true;", NULL = as it is. */
typedef struct bench_model {
    const model_bench *bench;
    pie_settings *settings;
    pie_host *host;
    law_subject subject;
} bench_model;

void bench_configure(const model_bench *bench, const char *parameters, bench_model *ret_model);
void bench_release(bench_model *model);

/* ---- machine code ---- */

typedef struct machine_code {
    uint8_t *bytes;
    size_t n, capacity;
} machine_code;

void code_add(machine_code *to, const uint8_t *bytes, size_t n);
/* "48 03 07 | 90": digits in pairs, spaces and bars are left out; @times over. */
void code_hex(machine_code *to, const char *hex, size_t times);
/* One nop of 1 to 15 bytes. */
void code_nop(machine_code *to, size_t n_bytes);
void code_free(machine_code *code);

/* ---- a tape: code executed, as a stream ---- */

enum { TAPE_MAX_MARKS = 8 };

typedef struct tape_piece {
    const pie_block *block; /* owned */
    uint64_t address;
    bool is_rep;
} tape_piece;

typedef struct tape_section { /* code at a place: pieces one behind the other */
    size_t first, n;
} tape_section;

typedef struct tape {
    stream out;
    pie_decoder *decoder;
    tape_piece *pieces;
    size_t n_pieces;
    uint64_t registers[16];       /* for addresses; rsp follows push, pop, call, ret */
    uint64_t iterations;          /* of repeated string instructions */
    uint64_t seed;                /* not 0: addresses are random, in two pages */
    size_t marks[TAPE_MAX_MARKS]; /* words */
    size_t n_marks;
} tape;

/* Registers as the measured blocks have them: 0x2324000, rsp 0x2324800, rbp 0x23247f0. */
void tape_begin(tape *tape_);
void tape_end(tape *tape_);
/* Describe @code at @address, in as many blocks as it needs. */
tape_section tape_place(tape *tape_, const machine_code *code, uint64_t address);
/* Execute it once, from its first to its last instruction. */
void tape_execute(tape *tape_, tape_section section);
/* The cycles so far are wanted. */
void tape_mark(tape *tape_);

/* ---- figures ---- */

typedef struct bench_figures {
    pie_uarch_mark mark, at[TAPE_MAX_MARKS];
    uint64_t counters[128], counters_at[TAPE_MAX_MARKS][128];
    const pie_counter *names;
} bench_figures;

void bench_run(const law_subject *subject, const tape *tape_, bench_figures *ret_figures);
uint64_t bench_counter(const bench_figures *figures, const char *name);
/* Of the part between marks 0 and 1. */
uint64_t bench_counter_between(const bench_figures *figures, const char *name);

/* "ooo.port0" to "ooo.port7": uops executed, at the end. */
uint64_t bench_port(const bench_figures *figures, size_t port);
uint64_t bench_port_between(const bench_figures *figures, size_t port);

/* Cycles of one copy of @code in a row of copies (@loop: executed again and again at one place), in
 * the steady state: over @copies after as many to warm up. */
double bench_cycles(const bench_model *model, const machine_code *code, bool loop, size_t copies);

#endif
