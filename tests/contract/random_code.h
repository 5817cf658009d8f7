/* random_code.h - machine code of random instructions, and made-up runs over it. */
#ifndef PIE_TEST_RANDOM_CODE_H
#define PIE_TEST_RANDOM_CODE_H

#include "contract/model_bench.h"

/* @n_insns instructions that decode, any encoding; no repeated string instructions and no branches
 * but conditional jumps, which a run does not take. Appended. */
void random_code(uint64_t *state, size_t n_insns, machine_code *to);

/* A run over @n_sections pieces of random code, @n_executions times: in order or jumping, with
 * repeated string instructions, cuts and events between. */
void random_run(uint64_t seed, size_t n_sections, size_t n_executions, tape *ret_tape);

#endif
