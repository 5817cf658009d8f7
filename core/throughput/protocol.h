/* protocol.h - what the guest that executes blocks (guest.S) and the code that feeds it share. Read
 * by the C compiler and by the assembler's preprocessor.
 *
 * The guest's standard input is a table of entries, ended by one of zero bytes of code, and behind
 * it, at PIE_TP_TABLE_BYTES, the code that the entries name. For each entry it maps the code, sets
 * the registers, jumps in, and waits to be jumped back to at PIE_TP_DONE. The trace says the rest:
 * blocks at the addresses below are its only messages. */
#ifndef PIE_THROUGHPUT_PROTOCOL_H
#define PIE_THROUGHPUT_PROTOCOL_H

/* The guest's own code: far from what blocks compute from 0x2324000. */
#define PIE_TP_GUEST 0x6000000000
#define PIE_TP_GUEST_BYTES 0x1000000 /* with its data and its table: never mapped over */
#define PIE_TP_ENTER 0x6000000800    /* a block of code is entered next */
#define PIE_TP_DONE 0x6000000a00     /* it ran to its end */
#define PIE_TP_GIVE_UP 0x6000000c00  /* it cannot be executed */
#define PIE_TP_TABLE 0x6000800000
#define PIE_TP_TABLE_BYTES 0x61000
#define PIE_TP_MAX_BLOCKS 2048 /* that many entries and the end fit into the table */

/* Code is at PIE_TP_CODE + i * PIE_TP_CODE_STEP: addresses that are never used again, so that no
 * description of one block is taken for another's. */
#define PIE_TP_CODE 0x1000000000
#define PIE_TP_CODE_STEP 0x1000000
#define PIE_TP_CODE_END 0x1800000000

/* The state that BHive measured in. */
#define PIE_TP_VALUE 0x2324000 /* of general registers and of every 8 bytes of data */
#define PIE_TP_RSP 0x2324800
#define PIE_TP_RBP 0x23247f0
#define PIE_TP_MXCSR 0x9fc0 /* flush to zero, denormals are zero, all exceptions masked */

/* Descriptor of the page frame behind all data (pie_guest_spec.one_frame). */
#define PIE_TP_FRAME_FD 6
/* Mapped from the start, since most blocks stay near; any other page when it is touched. */
#define PIE_TP_NEAR_START 0x2320000
#define PIE_TP_NEAR_END 0x2328000
/* Pages that one block may touch beyond those. */
#define PIE_TP_MAX_FAULTS 1024

/* Offsets in an entry of the table. */
#define PIE_TP_ENTRY_BYTES 192
#define PIE_TP_ENTRY_REGISTERS 0 /* 16 words, in the encoding's order */
#define PIE_TP_ENTRY_ADDRESS 128
#define PIE_TP_ENTRY_N_BYTES 136 /* multiple of a page; 0 ends the table */
#define PIE_TP_ENTRY_OFFSET 144  /* in the input */

#ifndef __ASSEMBLER__
#include <stdint.h>

typedef struct pie_tp_entry {
    uint64_t registers[16];
    uint64_t address, n_bytes, offset;
    uint64_t reserved[5];
} pie_tp_entry;
_Static_assert(sizeof(pie_tp_entry) == PIE_TP_ENTRY_BYTES, "guest.S counts on it");
_Static_assert((PIE_TP_MAX_BLOCKS + 1) * PIE_TP_ENTRY_BYTES <= PIE_TP_TABLE_BYTES, "it fits");
#endif
#endif
