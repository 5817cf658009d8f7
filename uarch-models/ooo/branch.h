/* branch.h - the branch prediction unit: directions, targets, returns, branch target buffer.
 *
 * Branches come in program order with their outcome, one call each; there is no wrong path. A call
 * predicts from what is known so far, compares, learns. How Intel predicts is not public: the
 * mechanisms are the published TAGE, ITTAGE and loop predictors (A. Seznec, P. Michaud), the sizes
 * what others measured, or assumptions. docs/internals/branch.md has every rule.
 *
 * The state is flat, so that a copy is one memcpy. */
#ifndef OOO_BRANCH_H
#define OOO_BRANCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    OOO_BRANCH_MAX_BASE = 1 << 14,
    OOO_BRANCH_MAX_TABLES = 8,
    OOO_BRANCH_MAX_ENTRIES = 1 << 11, /* of a table */
    OOO_BRANCH_MAX_HISTORY = 255,     /* taken branches */
    OOO_BRANCH_MAX_INDIRECT = 4,
    OOO_BRANCH_MAX_TARGETS = 1 << 9, /* of an indirect table */
    OOO_BRANCH_MAX_BTB = 1 << 13,
    OOO_BRANCH_MAX_RETURNS = 64,
    OOO_BRANCH_MAX_LOOPS = 64
};

/* Numbers of entries and btb_sets are powers of two; 0 entries of loops, tables or indirect tables
 * leave the part out. */
typedef struct ooo_branch_params {
    /* directions */
    uint32_t base_entries;
    uint32_t tables, table_entries, tag_bits;
    uint32_t history[OOO_BRANCH_MAX_TABLES]; /* taken branches that a table sees, ascending */
    uint32_t loop_entries, loop_limit;       /* limit: iterations of a loop it counts */
    /* targets */
    uint32_t btb_sets, btb_ways;
    uint32_t indirect_tables, indirect_entries;
    uint32_t indirect_history[OOO_BRANCH_MAX_INDIRECT]; /* indices into history, ascending */
    uint32_t return_entries;
} ooo_branch_params;

/* Skylake client; Haswell is taken to be the same. */
extern const ooo_branch_params ooo_branch_skylake;

/* What the front end did with a branch. */
typedef enum ooo_branch_verdict {
    OOO_BRANCH_PREDICTED = 0, /* fetched the right instruction next */
    OOO_BRANCH_REDIRECTED,    /* the BTB did not have it: corrected by the decoders */
    OOO_BRANCH_DIRECTION,     /* mispredicted, corrected by its execution */
    OOO_BRANCH_TARGET         /* the same, an indirect branch or return */
} ooo_branch_verdict;

/* What is known of a branch's outcome. */
enum { OOO_NOT_TAKEN = 0, OOO_TAKEN = 1, OOO_OUTCOME_UNKNOWN = 2 };

typedef struct ooo_direction {
    uint16_t tag;
    int8_t counter; /* -4 .. 3, taken from 0 */
    int8_t useful;  /* 0 .. 3 */
} ooo_direction;

typedef struct ooo_target {
    uint16_t tag;
    int8_t confidence; /* 0 .. 3 */
    int8_t useful;     /* 0 .. 1 */
    uint32_t target;   /* low half */
} ooo_target;

typedef struct ooo_loop {
    uint32_t tag;     /* 0 = free */
    uint16_t trip;    /* times the body's direction came before the last exit; 0 = not known */
    uint16_t current; /* since the last exit */
    uint8_t confidence;
    uint8_t age;
    uint8_t body; /* direction that repeats */
    uint8_t reserved;
} ooo_loop;

typedef struct ooo_branch_unit {
    ooo_branch_params params;
    uint32_t table_shift, target_shift, tag_mask;
    uint32_t random; /* never 0 */
    /* sums of footprints after each of the last 256 taken branches, the youngest at `now`; and what
     * is left of the sum a table's history ago */
    uint64_t history[OOO_BRANCH_MAX_HISTORY + 1], sum; /* sum: history[now] */
    uint64_t left[OOO_BRANCH_MAX_TABLES];
    uint8_t lengths[OOO_BRANCH_MAX_TABLES];
    uint32_t hashes[OOO_BRANCH_MAX_TABLES]; /* of what each table sees */
    uint8_t now, n_hashed;                  /* hashes that are of the present */
    int8_t trust_new;                       /* < 0: a new entry knows better */
    int8_t trust_loops;                     /* >= 0: loops override */
    int16_t failures;                       /* allocations that found no room */
    uint32_t return_top;
    uint64_t returns[OOO_BRANCH_MAX_RETURNS];
    uint8_t base[OOO_BRANCH_MAX_BASE]; /* 0 .. 3, taken from 2; BASE_* in branch.c */
    ooo_loop loops[OOO_BRANCH_MAX_LOOPS];
    ooo_direction tables[OOO_BRANCH_MAX_TABLES][OOO_BRANCH_MAX_ENTRIES];
    ooo_target indirect[OOO_BRANCH_MAX_INDIRECT][OOO_BRANCH_MAX_TARGETS];
    uint32_t btb_tags[OOO_BRANCH_MAX_BTB]; /* 0 = free */
    uint32_t btb_targets[OOO_BRANCH_MAX_BTB];
} ooo_branch_unit;

/* NULL, or what is wrong with @params in a few words: "history: must ascend". */
const char *ooo_branch_check(const ooo_branch_params *params);

/* @params have been checked. */
void ooo_branch_init(ooo_branch_unit *unit, const ooo_branch_params *params);

/* The branch that ends before @end was executed. @kind: PIE_BRANCH_CONDITIONAL .. RETURN (trace.h).
 * @outcome: of a conditional jump; others are always taken. @target: where it went if taken, else
 * anything. With OOO_OUTCOME_UNKNOWN nothing is learnt. */
ooo_branch_verdict ooo_branch_execute(ooo_branch_unit *unit, uint8_t kind, uint64_t end,
                                      uint8_t outcome, uint64_t target);

#endif
