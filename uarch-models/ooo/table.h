/* table.h - the instruction table of a core: per instruction form its uops, ports, latencies.
 *
 * Text, one row per variant of a form; the columns and their grammar stand in
 * docs/internals/instruction-table.md. The table is read once, at create(); rows are templates over
 * operand numbers, bound to registers by expand.h when a block is described. */
#ifndef OOO_TABLE_H
#define OOO_TABLE_H

#include "pie/trace.h"
#include "pie/uarch.h"

#include <stdbool.h>

enum { OOO_LOAD = 'L', OOO_STORE_ADDRESS = 'A', OOO_STORE_DATA = 'D', OOO_EXECUTE = 'E' };

/* What an input or output of a template uop names. */
enum {
    OOO_ROLE_OPERAND = 'r', /* register operand, index into the instruction's operands */
    OOO_ROLE_CARRY = 'C',
    OOO_ROLE_SPAZO = 'S',
    OOO_ROLE_TEMP = 't',   /* passed between the uops of one instruction */
    OOO_ROLE_LOADED = 'm', /* data of the load of memory operand index */
    OOO_ROLE_BASE = 'b',   /* address registers of memory operand index, as data: lea; as an
                              output the pointer that a string instruction steps */
    OOO_ROLE_INDEX = 'x'
};

typedef struct ooo_role {
    uint8_t kind; /* OOO_ROLE_* */
    uint8_t index;
    uint16_t cycles; /* input: used so many cycles late; output: latency, or beyond the load's */
} ooo_role;

enum { OOO_MAX_ROLES = 12 };

typedef struct ooo_template {
    uint8_t class; /* OOO_LOAD .. */
    uint8_t ports; /* bit p = port p */
    uint8_t mem;   /* memory operand of L, A, D */
    uint8_t n_inputs, n_outputs;
    uint16_t divider; /* cycles for which it occupies the divider */
    ooo_role inputs[OOO_MAX_ROLES], outputs[OOO_MAX_ROLES];
} ooo_template;

/* Conditional jumps that an instruction fuses with. */
enum { OOO_FUSE_NONE = 0, OOO_FUSE_ALL = 1, OOO_FUSE_CZ = 2, OOO_FUSE_Z = 3 };

enum {
    OOO_ELIMINABLE = 1u << 0,
    OOO_SERIALISING = 1u << 1,
    OOO_ANY_DECODER = 1u << 2,
    OOO_SWAPPED = 1u << 3 /* rename exchanges operands 0 and 1: fxch */
};

typedef struct ooo_row {
    const char *form; /* borrowed from the table */
    const char *when; /* conditions, "" = none */
    uint32_t number;  /* of the row, from 0: names a resource that `blk` reserves */
    uint16_t slots, decoded, microcoded;
    uint8_t simple; /* simple decoders usable beside; without OOO_ANY_DECODER */
    uint8_t fuse;   /* OOO_FUSE_* */
    uint32_t flags; /* OOO_ELIMINABLE .. */
    uint16_t block; /* cycles between two instances; 0 = pipelined */
    /* repeated string instructions: start-up cycles, then bytes per cycle, or hundredths of a cycle
     * per iteration */
    uint16_t rep_start, rep_bytes, rep_centicycles;
    uint32_t first_uop, n_uops; /* in ooo_table.uops */
} ooo_row;

typedef struct ooo_table ooo_table;

/* PIE_ERR_CONFIG: the file is not there or a row is malformed; logged with file:line. */
pie_status ooo_table_load(const char *path, const pie_host *host, ooo_table **ret_table);
void ooo_table_free(ooo_table *table);
uint32_t ooo_table_rows(const ooo_table *table);
/* The row for @insn, NULL if the table has none. */
const ooo_row *ooo_table_find(const ooo_table *table, const pie_block *block, const pie_insn *insn);
const ooo_template *ooo_table_uops(const ooo_table *table, const ooo_row *row);

#endif
