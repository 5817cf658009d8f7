/* pie/trace.h - the trace contract: how an executed program is described to a CPU model.
 *
 * A stream of 64-bit words, handed over in batches. A batch holds whole records. The first word of
 * a record is its header:
 *
 *     bits 0..7    kind, PIE_RECORD_*
 *     bits 8..31   length of the record in words, header included
 *     bits 32..63  argument: block id, or event type
 *
 * so a model skips kinds that it does not know. Records, in words after the header:
 *
 *   DESCRIBE  arg = block id. A pie_block (below) with its arrays, flat and pointer-free, padded to
 *             words. Comes before the first use of the id. An id means (address, bytes) and is
 * never reused: changed code gets a new id. Blocks may overlap. BLOCK     arg = block id. All its
 * instructions were executed, in order. Then n_slots address words. CUT       arg = block id. Word
 * 1 = number of instructions that completed (< n_insns); then n_slots address words, those of
 * instructions that did not complete are PIE_NO_ACCESS. A fault or a limit stopped the block. REP
 * arg = block id of a block that is one repeated string instruction. Word 1 = iterations (0 is
 * possible), word 2 = PIE_REP_* flags, then n_slots words: addresses of the first iteration
 * (PIE_NO_ACCESS with 0 iterations). Counts as ONE instruction. Such a block never appears in a
 * BLOCK record. VALUE     arg = operand << 16 | instruction. Word 1 = value. An operand value that
 * the model asked for (PIE_UARCH_WANTS_VALUES), for the BLOCK record that follows. May be absent:
 * then the value is unknown and the model uses its documented default. EVENT     arg = PIE_EVENT_*,
 * then the words listed there.
 *
 * Address slots. Every memory operand that accesses memory owns slots, numbered within the block in
 * program order (pie_mem.first_slot). Without PIE_MEM_COUNTED: one word, the linear address of the
 * access, or PIE_NO_ACCESS. A read-modify-write operand has one slot. With PIE_MEM_COUNTED (gather,
 * masked store, enter, xsave): a word with the number n of accesses that were made, then
 * pie_mem.n_elements words, of which the first min(n, n_elements) are the addresses in order and
 * the others PIE_NO_ACCESS. A masked vector load counts as one access of the whole vector.
 *
 * Borders of blocks mean nothing to timing: straight-line code may be cut anywhere, anew in every
 * run, so a model keeps decode, fusion, uop-cache and retire state across a fall-through. A branch
 * is not taken when the next executed block starts at its end; if the stream ends or a signal comes
 * first, its outcome is unknown and must train nothing.
 *
 * Trust: the core checks every record before a model sees it (known id, length, slot values that
 * are guest addresses), so a model may index by id and slot without checking again.
 */
#ifndef PIE_TRACE_H
#define PIE_TRACE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    PIE_RECORD_DESCRIBE = 1,
    PIE_RECORD_BLOCK = 2,
    PIE_RECORD_CUT = 3,
    PIE_RECORD_REP = 4,
    PIE_RECORD_VALUE = 5,
    PIE_RECORD_EVENT = 6
};

#define PIE_RECORD_MAX_WORDS UINT32_C(0xffffff)

static inline uint64_t pie_record_header(uint32_t kind, uint32_t n_words, uint32_t argument)
{
    return (uint64_t)kind | (uint64_t)n_words << 8 | (uint64_t)argument << 32;
}
static inline uint32_t pie_record_kind(uint64_t header)
{
    return (uint32_t)(header & 0xff);
}
static inline uint32_t pie_record_words(uint64_t header)
{
    return (uint32_t)(header >> 8 & PIE_RECORD_MAX_WORDS);
}
static inline uint32_t pie_record_argument(uint64_t header)
{
    return (uint32_t)(header >> 32);
}

#define PIE_NO_ACCESS UINT64_MAX
/* Every address of the guest lies below (the tracer's own memory lies above). */
#define PIE_GUEST_ADDRESS_LIMIT (UINT64_C(1) << 39)

enum { PIE_REP_BACKWARD = 1u << 0 /* the direction flag was set */ };

enum {
    PIE_EVENT_STARTUP_END = 1,  /* no words. Just before the first system call that names standard
                                   input; at the end of a program that never does. Once per run. */
    PIE_EVENT_SYSCALL = 2,      /* number, bytes copied in (read), bytes copied out (written) */
    PIE_EVENT_MAP = 3,          /* address, bytes: fresh zero pages (mmap, brk growth, mremap) */
    PIE_EVENT_UNMAP = 4,        /* address, bytes: gone; mapped again they fault again */
    PIE_EVENT_FIRST_TOUCH = 5,  /* address, bytes: memory that the system touched for the guest
                                   (buffer of a read or write) */
    PIE_EVENT_CODE_CHANGED = 6, /* address, bytes: code was overwritten */
    PIE_EVENT_SIGNAL = 7,       /* number: a handler of the guest runs next */
    PIE_EVENT_END = 8           /* 0 = exited, else fatal signal. Last record of a complete run. */
};

/* ---- registers ------------------------------------------------------------------------------ */

/* Numbers < 64, so that a set of registers is a word. Vector registers are the full register
 * whatever part is named; width and part stand in the operand. */
enum {
    PIE_REG_GPR0 = 0, /* rax rcx rdx rbx rsp rbp rsi rdi r8 .. r15, the encoding's order */
    PIE_REG_RSP = 4,
    PIE_REG_VEC0 = 16,   /* xmm0/ymm0 .. 15 */
    PIE_REG_ST0 = 32,    /* st(0) .. st(7), relative to the top of stack BEFORE the instruction */
    PIE_REG_MM0 = 40,    /* mm0 .. mm7 */
    PIE_REG_FLAG_C = 48, /* carry, renamed apart */
    PIE_REG_FLAG_SPAZO = 49,
    PIE_REG_FLAG_D = 50, /* direction, and other rarely written flags */
    PIE_REG_RIP = 51,
    PIE_REG_MXCSR = 52,
    PIE_REG_X87_STATUS = 53,
    PIE_REG_X87_CONTROL = 54,
    PIE_REG_FS = 55, /* segment bases */
    PIE_REG_GS = 56,
    PIE_REG_OTHER = 57, /* anything else (cs, ds, control registers, xcr0 ...) */
    PIE_REG_K0 = 58,    /* k0 .. k5 would end at 63; no AVX-512 guest exists yet */
    PIE_REG_NONE = 255
};

/* ---- block description ---------------------------------------------------------------------- */

enum { PIE_ISA_X86_64 = 1 };

enum {
    PIE_OPERAND_REG = 1,
    PIE_OPERAND_MEM = 2,
    PIE_OPERAND_IMM = 3,
    PIE_OPERAND_AGEN = 4 /* lea */,
    PIE_OPERAND_REL = 5 /* branch displacement */,
    PIE_OPERAND_FLAGS = 6
};

enum {
    PIE_OPERAND_READ = 1u << 0,
    PIE_OPERAND_WRITE = 1u << 1,
    PIE_OPERAND_IMPLICIT = 1u << 2,    /* not written in assembly (push's rsp, mul's rax) */
    PIE_OPERAND_CONDITIONAL = 1u << 3, /* may not happen (cmov's source, masked) */
    PIE_OPERAND_HIGH8 = 1u << 4        /* ah, ch, dh, bh */
};

/* In uops.info's order: explicit operands as in Intel syntax, then implicit ones; flags last. */
typedef struct pie_operand {
    uint8_t type;  /* PIE_OPERAND_REG .. */
    uint8_t reg;   /* PIE_REG_*; FLAGS: PIE_REG_NONE, see the instruction's flag masks */
    uint8_t flags; /* PIE_OPERAND_READ | .. */
    uint8_t mem;   /* MEM, AGEN: index into the instruction's memory operands */
    uint16_t bits; /* width of this operand */
    uint16_t reserved;
} pie_operand;

enum {
    PIE_MEM_READ = 1u << 0,
    PIE_MEM_WRITE = 1u << 1,
    PIE_MEM_COUNTED = 1u << 2, /* see "Address slots" */
    PIE_MEM_AGEN = 1u << 3,    /* lea and friends: no access, no slot */
    PIE_MEM_STACK = 1u << 4,   /* implicit stack access of push, pop, call, ret, enter, leave */
    PIE_MEM_VSIB = 1u << 5,    /* the index is a vector register: gather */
    PIE_MEM_MASKED = 1u << 6,  /* elements may be left out */
    PIE_MEM_HINT = 1u << 7     /* prefetch, clflush, nop: no access, no slot */
};

typedef struct pie_mem {
    uint8_t base, index; /* PIE_REG_*, PIE_REG_NONE; RIP-relative: base = PIE_REG_RIP */
    uint8_t scale;       /* 1, 2, 4, 8; 0 without index */
    uint8_t segment;     /* PIE_REG_FS, PIE_REG_GS or PIE_REG_NONE */
    uint8_t flags;       /* PIE_MEM_READ | .. */
    uint8_t n_slots;     /* words in the address list */
    uint16_t first_slot; /* within the block */
    uint16_t bytes;      /* of the whole access */
    uint16_t n_elements; /* 1, or lanes of a gather or masked store */
    uint32_t reserved;
    int64_t displacement;
} pie_mem;

enum {
    PIE_ENCODING_LEGACY = 0,
    PIE_ENCODING_VEX = 1,
    PIE_ENCODING_EVEX = 2,
    PIE_ENCODING_3DNOW = 3
};

enum {
    PIE_BRANCH_NONE = 0,
    PIE_BRANCH_CONDITIONAL = 1,
    PIE_BRANCH_JUMP = 2,
    PIE_BRANCH_INDIRECT = 3,
    PIE_BRANCH_CALL = 4,
    PIE_BRANCH_CALL_INDIRECT = 5,
    PIE_BRANCH_RETURN = 6,
    PIE_BRANCH_SYSCALL = 7
};

enum {
    PIE_INSN_LCP = 1u << 0, /* length-changing prefix: 66h with a 16-bit immediate (or 67h moffs) */
    PIE_INSN_LOCK = 1u << 1, /* locked, also xchg with memory */
    PIE_INSN_REP = 1u << 2,  /* repeated string instruction; a block of its own */
    PIE_INSN_REPNE = 1u << 3,
    PIE_INSN_MAY_FAULT = 1u << 4,   /* memory access, division, undefined instruction */
    PIE_INSN_SERIALISING = 1u << 5, /* cpuid and friends */
    PIE_INSN_FENCE = 1u << 6,       /* mfence, lfence, sfence */
    PIE_INSN_UNDEFINED = 1u << 7,   /* does not decode; form "UNKNOWN" */
    PIE_INSN_SAME_REG =
        1u << 8, /* all explicit register operands are the same register, at least 2 */
    PIE_INSN_HIGH8_0 = 1u << 9, /* explicit operand 0 is ah, ch, dh, bh */
    PIE_INSN_HIGH8_1 = 1u << 10,
    PIE_INSN_ZERO_IMM = 1u << 11, /* has an immediate and it is 0 */
    PIE_INSN_REX_W = 1u << 12,
    PIE_INSN_NON_TEMPORAL = 1u << 13
};

typedef struct pie_insn {
    uint16_t offset;        /* of its first byte in the block */
    uint8_t length;         /* bytes */
    uint8_t opcode_offset;  /* of the primary opcode byte within the instruction */
    uint8_t n_prefix_bytes; /* legacy prefixes, REX and VEX not counted */
    uint8_t encoding;       /* PIE_ENCODING_* */
    uint8_t opcode_map;     /* 0 one-byte, 1 0F, 2 0F38, 3 0F3A; as VEX.mmmmm */
    uint8_t opcode;
    uint8_t has_modrm, modrm;
    uint8_t operand_bits; /* effective operand size: 8, 16, 32, 64 */
    uint8_t address_bits; /* 32, 64 */
    uint16_t vector_bits; /* 0, 64, 128, 256 */
    uint8_t imm_bytes, disp_bytes;
    uint32_t flags;  /* PIE_INSN_LCP | .. */
    uint8_t branch;  /* PIE_BRANCH_* */
    int8_t x87_push; /* change of stack depth: fld 1, fstp -1, fcompp -2 */
    uint8_t n_operands, n_mems;
    uint16_t first_operand; /* in the block's operand array */
    uint16_t first_mem;     /* in the block's memory-operand array */
    uint32_t form;          /* offset of its canonical form in the strings: "VPADDD_YMM_YMM_M256" */
    uint32_t mnemonic;      /* offset: "VPADDD" */
    int64_t immediate;      /* sign-extended as the instruction uses it */
    uint64_t branch_target; /* address of a direct branch, else 0 */
    uint64_t regs_read;     /* bit i = PIE_REG i, address registers and flags included */
    uint64_t regs_written;
} pie_insn;

/* Offsets are in bytes from the start of this struct and multiples of 8 (bytes and strings: any).
 * Strides are stored, so that a later layout may grow its structs at the end. */
typedef struct pie_block {
    uint32_t size;        /* bytes of the whole description */
    uint16_t isa;         /* PIE_ISA_X86_64 */
    uint16_t header_size; /* sizeof(pie_block) of the writer */
    uint64_t address;     /* of the first byte, linear */
    uint32_t id;
    uint16_t n_bytes, n_insns;
    uint16_t n_operands, n_mems, n_slots;
    uint16_t insn_size, operand_size, mem_size;     /* strides */
    uint32_t insns, operands, mems, bytes, strings; /* offsets */
} pie_block;

static inline const pie_insn *pie_block_insn(const pie_block *block, size_t i)
{
    return (const pie_insn *)(const void *)((const char *)block + block->insns +
                                            i * block->insn_size);
}
static inline const pie_operand *pie_block_operand(const pie_block *block, const pie_insn *insn,
                                                   size_t i)
{
    return (const pie_operand *)(const void *)((const char *)block + block->operands +
                                               (insn->first_operand + i) * block->operand_size);
}
static inline const pie_mem *pie_block_mem(const pie_block *block, const pie_insn *insn, size_t i)
{
    return (const pie_mem *)(const void *)((const char *)block + block->mems +
                                           (insn->first_mem + i) * block->mem_size);
}
static inline const uint8_t *pie_block_bytes(const pie_block *block)
{
    return (const uint8_t *)block + block->bytes;
}
static inline const char *pie_block_string(const pie_block *block, uint32_t offset)
{
    return (const char *)block + block->strings + offset;
}

#ifdef __cplusplus
}
#endif
#endif
