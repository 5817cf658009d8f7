/* profile.h - what a CPU model charged to every instruction of a run, summed up by function and by
 * basic block. For `pie stat`. */
#ifndef PIE_CLI_PROFILE_H
#define PIE_CLI_PROFILE_H

#include "base/buf.h"
#include "base/log.h"
#include "pie/uarch.h"
#include "pipeline/elf.h"

enum { PIE_PROFILE_INSN_BYTES = 15, PIE_PROFILE_NAME_BYTES = 256 };

typedef struct pie_profile_costs {
    uint64_t executions, cycles;
    uint64_t l1d_misses, l2_misses, l3_misses, branch_misses;
} pie_profile_costs;

/* One instruction, wherever the tracer's blocks had it. */
typedef struct pie_profile_insn {
    uint64_t address;
    pie_profile_costs costs;
    const pie_symbol *symbol; /* of the code it is in, NULL = unknown */
    uint8_t length, bytes[PIE_PROFILE_INSN_BYTES];
    bool is_branch, is_outside; /* not in the program's image */
} pie_profile_insn;

/* Neighbouring instructions: a function or a basic block. */
typedef struct pie_profile_span {
    size_t first, n; /* in the profile's instructions */
    uint64_t address, end;
    pie_profile_costs costs; /* executions: of all its instructions together */
} pie_profile_span;

typedef struct pie_profile {
    pie_buf elf; /* the program; @symbols point into it */
    pie_symbols *symbols;
    uint64_t bias; /* address seen - address as linked */
    bool entry_seen;
    pie_profile_insn *insns; /* finished: by address, each once */
    size_t n_insns, capacity;
    pie_profile_span *functions, *blocks; /* finished: the most cycles first */
    size_t n_functions, n_blocks;
    uint64_t cycles; /* charged to all instructions together */
} pie_profile;

/* Takes over @elf, the bytes of the program, also on failure. PIE_ERR_NOMEM (logged). */
pie_status pie_profile_init(pie_profile *profile, pie_buf *elf, const pie_log *log);
void pie_profile_free(pie_profile *profile); /* all zero is allowed */
/* A visit function for pie_simulation_spec: @context is the profile. */
pie_status pie_profile_visit(void *context, const pie_block *block, const pie_profile_row *row);
/* After the last visit: instructions, functions and blocks as documented above.
 *
 * A function is what a symbol covers; without symbols, executed code without a gap. A basic block
 * ends behind a branch and where the number of executions changes, whatever blocks the tracer had:
 * those are cut anywhere. PIE_ERR_NOMEM (logged). */
pie_status pie_profile_finish(pie_profile *profile, const pie_log *log);

/* The code at @address for people: "main+0x1a", or "main" at its start; C++ names are shortened
 * (demangle.h). @profile is the pie_profile, so that this is a pie_name_address
 * (trace/disassemble.h). Returns 0 when there is no symbol. */
int pie_profile_name(const void *profile, uint64_t address, char *text, size_t size);
/* The function that @insn is in, likewise; its address where there is no symbol. */
const char *pie_profile_function(const pie_profile_insn *insn, char text[PIE_PROFILE_NAME_BYTES]);

#endif
