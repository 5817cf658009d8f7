/* expand.h - a block description bound to the table: what the core needs of each instruction, flat.
 * Made once per block, at DESCRIBE. */
#ifndef OOO_EXPAND_H
#define OOO_EXPAND_H

#include "table.h"

/* Names that the core keeps a ready time for: pie's registers (x87 ones by their place in the
 * register file), high-byte registers, values between the uops of one instruction. */
enum {
    OOO_NAME_HIGH8 = 64, /* ah ch dh bh */
    OOO_NAME_TEMP = 68,
    OOO_NAME_LOADED = 84,
    OOO_NAME_READY = 92, /* never written, always ready */
    OOO_NAME_SINK = 93,  /* never read */
    OOO_N_NAMES = 96,
    OOO_N_TEMPS = 16,
    OOO_N_LOADED = 8
};

typedef struct ooo_use {
    uint8_t name;
    uint8_t is_x87; /* name is relative to the top of the x87 stack */
    uint16_t cycles;
} ooo_use;

enum {
    OOO_WRITES_INTEGER = 1u << 0,
    OOO_WRITES_VECTOR = 1u << 1,
    OOO_VECTOR_LOAD = 1u << 2,
    OOO_WIDE_LOAD = 1u << 3
};

typedef struct ooo_uop {
    uint8_t class; /* OOO_LOAD .. */
    uint8_t ports;
    uint8_t mem; /* index into the instruction's memory operands */
    uint8_t flags;
    uint8_t n_inputs, n_outputs; /* in the block's uses: inputs, then outputs */
    uint16_t divider;
    uint32_t first_use;
    uint32_t reserved;
} ooo_uop;

/* One fused-domain slot at rename. Slots from one that `starts` up to the next were one uop in the
 * queue (laminated) and are issued in one cycle. */
typedef struct ooo_slot {
    uint8_t n_uops;
    uint8_t starts;
} ooo_slot;

enum {
    OOO_MEM_READ = 1u << 0,
    OOO_MEM_WRITE = 1u << 1,
    OOO_MEM_COUNTED = 1u << 2,
    OOO_MEM_PLAIN_BASE = 1u << 3 /* no index, displacement 0 .. 2047 */
};

typedef struct ooo_mem {
    uint16_t first_slot;
    uint16_t bytes;      /* of one access */
    uint16_t n_elements; /* COUNTED */
    uint8_t flags;
    uint8_t base, index; /* names, PIE_REG_NONE */
    uint8_t reserved[3];
} ooo_mem;

enum {
    OOO_INSN_LCP = 1u << 0,
    OOO_INSN_COMPLEX = 1u << 1, /* only the first decoder takes it */
    OOO_INSN_SERIAL = 1u << 2,
    OOO_INSN_ELIMINABLE = 1u << 3,
    OOO_INSN_ELIM_VECTOR = 1u << 4,
    OOO_INSN_ELIM_32 = 1u << 5, /* the eliminated move takes over less than 64 bits */
    OOO_INSN_RSP_USED = 1u << 6 /* names rsp as something else than the stack */,
    OOO_INSN_RSP_WRITTEN = 1u << 7,
    OOO_INSN_LOCK = 1u << 8,
    OOO_INSN_LOAD_FENCE = 1u << 9,
    OOO_INSN_STORE_FENCE = 1u << 10,
    OOO_INSN_UNKNOWN = 1u << 11,       /* timed by the fallback */
    OOO_INSN_TWO_DSB_SLOTS = 1u << 12, /* a large immediate takes a second slot */
    OOO_INSN_POINTER_LOAD = 1u << 13,  /* a load of a pointer: see fast pointer chasing */
    OOO_INSN_NOT_IN_LSD = 1u << 14,
    OOO_INSN_REP = 1u << 15,
    OOO_INSN_CONDITIONAL = 1u << 16,
    OOO_INSN_BRANCH = 1u << 17, /* anything that may go elsewhere, system calls not */
    OOO_INSN_SWAP = 1u << 18    /* rename exchanges elim_to and elim_from, x87 registers */
};

/* Most instructions are one slot with one of four shapes. Their uops are kept in this form too,
 * with a fixed number of inputs and outputs, so that they run without a loop or a choice. */
enum {
    OOO_SHAPE_NONE = 0,
    OOO_SHAPE_EXECUTE = 1,
    OOO_SHAPE_LOAD = 2,
    OOO_SHAPE_LOAD_EXECUTE = 3,
    OOO_SHAPE_STORE = 4 /* address, then data */
};
enum { OOO_SHAPE_INPUTS = 4, OOO_SHAPE_OUTPUTS = 3 };
typedef struct ooo_shape {
    uint8_t kind;
    uint8_t flags;               /* of the load */
    uint8_t memory_ports;        /* of the load or store address */
    uint8_t ports;               /* of the execution or store data */
    uint8_t base, index;         /* names of the address */
    uint8_t mem, loaded;         /* memory operand; name of what LOAD_EXECUTE loads */
    uint8_t n_integer, n_vector; /* uops that write such a register */
    uint8_t inputs[OOO_SHAPE_INPUTS], late[OOO_SHAPE_INPUTS];
    uint8_t outputs[OOO_SHAPE_OUTPUTS], latency[OOO_SHAPE_OUTPUTS]; /* of a load: beyond its own */
} ooo_shape;

typedef struct ooo_insn {
    uint64_t address;
    uint32_t flags;
    uint8_t length, opcode_offset;
    uint8_t simple;    /* simple decoders usable beside a complex instruction */
    uint8_t fuse;      /* OOO_FUSE_* */
    uint8_t condition; /* of a conditional jump: low four bits of its opcode; 0xff = jrcxz, loop */
    int8_t x87_push;
    uint8_t elim_from, elim_to; /* names */
    uint8_t high_reads;         /* bit r: reads more than 8 bits of a c d b */
    uint8_t high_writes;        /* bit r: writes ah ch dh bh */
    uint8_t full_writes;        /* bit r: overwrites the whole register, or ah with it */
    uint8_t n_mems;
    uint8_t n_reads, n_writes_mem, has_counted; /* memory operands, the counted ones apart */
    int16_t rsp_change;
    uint16_t n_uops, n_slots, n_laminated;
    uint16_t decoded, microcoded; /* laminated uops from decoders, from the microcode sequencer */
    uint16_t block;               /* cycles between two instances, 0 = none */
    uint16_t rep_start, rep_bytes, rep_centicycles;
    uint16_t first_mem, n_writes; /* n_writes: names written without a uop (zero idioms) */
    ooo_shape shape;
    uint32_t first_uop, first_slot, first_write;
    uint32_t row; /* of the table, for `block`; of an unknown form its number */
} ooo_insn;

typedef struct ooo_block {
    uint64_t address;
    uint32_t id, n_insns, n_slots; /* address slots */
    /* of the whole block, if it is plain: no counted operands, no unknown forms */
    uint32_t n_branches, n_reads, n_writes;
    bool is_plain;
    ooo_insn *insns;
    ooo_uop *uops;
    ooo_use *uses;
    ooo_slot *slots;
    ooo_mem *mems;
    uint64_t *executions, *cycles; /* [n_insns] for profiles, else NULL */
    const pie_block *detail;       /* the description, kept for copies and names */
} ooo_block;

typedef struct ooo_expand_options {
    bool profile;
    bool latency; /* false: every latency is 0 (an ablation) */
} ooo_expand_options;

/* Makes one allocation; *@ret_block is freed with free(). PIE_ERR_NOMEM. */
pie_status ooo_expand(const ooo_table *table, const pie_block *description,
                      const ooo_expand_options *options, ooo_block **ret_block);

/* Whether conditional jump @branch fuses with @first before it, wherever they stand. */
bool ooo_fuses(const ooo_insn *first, const ooo_insn *branch);

#endif
