/* decode.c - Zydis's view of an instruction, turned into pie's.
 *
 * One instruction at a time: parse() asks Zydis, describe_operands() turns its operands into ours
 * and places the address slots, describe_registers() collects what is read and written,
 * describe_form() names it. pie_decode_slots() stops after the second step, so that the tracer and
 * the block description cannot disagree about slots. Where Zydis and uops.info differ the place
 * says so. */
#include "trace/decode.h"

#include <Zydis/Zydis.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_OPERANDS = ZYDIS_MAX_OPERAND_COUNT,
    MAX_MEMS = 4,
    MAX_NAME = 160,
    NO_SLOT = 255,
    XSAVE_HEADER = 512 /* offset of the header in the area of xsave */
};

/* An instruction as parsed and as described, before it is appended to the block. */
typedef struct insn_view {
    ZydisDecodedInstruction zydis;
    ZydisDecodedOperand zydis_operands[ZYDIS_MAX_OPERAND_COUNT];
    bool is_rep, is_repne;
    pie_insn insn;
    pie_operand operands[MAX_OPERANDS];
    const ZydisDecodedOperand *sources[MAX_OPERANDS]; /* where operands[i] came from */
    pie_mem mems[MAX_MEMS];
    unsigned n_slots;
    char mnemonic[32];
    char form[MAX_NAME];
} insn_view;

typedef struct growing {
    unsigned char *data;
    size_t n, capacity; /* bytes */
} growing;

struct pie_decoder {
    ZydisDecoder zydis;
    insn_view view;
    growing insns, operands, mems, strings, block;
};

/* Mnemonics that share a trait. */
#define M(name) ZYDIS_MNEMONIC_##name
#define IS_ONE_OF(mnemonic, list) is_one_of(mnemonic, list, sizeof(list) / sizeof *(list))

static bool is_one_of(ZydisMnemonic mnemonic, const uint16_t *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == mnemonic)
            return true;
    return false;
}

/* ---- memory --------------------------------------------------------------------------------- */

static pie_status grow(growing *array, size_t n_more)
{
    if (n_more <= array->capacity - array->n)
        return PIE_OK;
    size_t capacity = array->capacity ? array->capacity : 1024;
    while (capacity - array->n < n_more)
        capacity *= 2; /* bounded: a block is PIE_BLOCK_MAX_BYTES long */
    unsigned char *data = realloc(array->data, capacity);
    if (!data)
        return PIE_ERR_NOMEM;
    array->data = data;
    array->capacity = capacity;
    return PIE_OK;
}

static pie_status append(growing *array, const void *bytes, size_t n)
{
    const pie_status status = grow(array, n);
    if (status == PIE_OK && n > 0) {
        memcpy(array->data + array->n, bytes, n);
        array->n += n;
    }
    return status;
}

pie_status pie_decoder_new(pie_decoder **ret_decoder)
{
    pie_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return PIE_ERR_NOMEM;
    ZydisDecoderInit(&decoder->zydis, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    /* Not on a Skylake client, where these encodings are long nops or their older selves. */
    ZydisDecoderEnableMode(&decoder->zydis, ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
    ZydisDecoderEnableMode(&decoder->zydis, ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
    ZydisDecoderEnableMode(&decoder->zydis, ZYDIS_DECODER_MODE_WBNOINVD, ZYAN_FALSE);
    /* qemu reads near branches with 66h as AMD does: 16 bits wide. */
    ZydisDecoderEnableMode(&decoder->zydis, ZYDIS_DECODER_MODE_AMD_BRANCHES, ZYAN_TRUE);
    *ret_decoder = decoder;
    return PIE_OK;
}

void pie_decoder_free(pie_decoder *decoder)
{
    if (!decoder)
        return;
    free(decoder->insns.data);
    free(decoder->operands.data);
    free(decoder->mems.data);
    free(decoder->strings.data);
    free(decoder->block.data);
    free(decoder);
}

/* ---- one instruction: parse ----------------------------------------------------------------- */

static bool is_string_instruction(const ZydisDecodedInstruction *zydis)
{
    return zydis->meta.category == ZYDIS_CATEGORY_STRINGOP ||
           zydis->meta.category == ZYDIS_CATEGORY_IOSTRINGOP;
}

/* False: the bytes do not decode, or run on beyond @n. */
static bool parse(const pie_decoder *decoder, const uint8_t *bytes, size_t n, insn_view *view)
{
    if (!ZYAN_SUCCESS(
            ZydisDecoderDecodeFull(&decoder->zydis, bytes, n, &view->zydis, view->zydis_operands)))
        return false;
    if (view->zydis.encoding == ZYDIS_INSTRUCTION_ENCODING_XOP ||
        view->zydis.encoding == ZYDIS_INSTRUCTION_ENCODING_MVEX ||
        view->zydis.meta.category == ZYDIS_CATEGORY_PADLOCK)
        return false; /* only other makers' processors had them */
    view->is_rep = false;
    view->is_repne = false;
    if (is_string_instruction(&view->zydis))
        for (unsigned i = 0; i < view->zydis.raw.prefix_count; i++) {
            const uint8_t prefix = view->zydis.raw.prefixes[i].value;
            if (prefix != 0xf2 && prefix != 0xf3)
                continue;
            view->is_rep = true;
            view->is_repne = prefix == 0xf2; /* the last one counts */
        }
    return true;
}

/* ---- one instruction: registers ------------------------------------------------------------- */

static uint8_t register_of(ZydisRegister zydis)
{
    const ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, zydis);
    const ZydisRegister reg = whole == ZYDIS_REGISTER_NONE ? zydis : whole;
    const uint8_t id = (uint8_t)ZydisRegisterGetId(reg); /* not negative in the classes below */
    switch (ZydisRegisterGetClass(reg)) {
    case ZYDIS_REGCLASS_GPR64:
        return (uint8_t)(PIE_REG_GPR0 + id);
    case ZYDIS_REGCLASS_XMM:
    case ZYDIS_REGCLASS_YMM:
    case ZYDIS_REGCLASS_ZMM:
        return id < 16 ? (uint8_t)(PIE_REG_VEC0 + id) : PIE_REG_OTHER;
    case ZYDIS_REGCLASS_X87:
        return (uint8_t)(PIE_REG_ST0 + id);
    case ZYDIS_REGCLASS_MMX:
        return (uint8_t)(PIE_REG_MM0 + id);
    case ZYDIS_REGCLASS_MASK:
        return id < 6 ? (uint8_t)(PIE_REG_K0 + id) : PIE_REG_OTHER;
    case ZYDIS_REGCLASS_IP:
        return PIE_REG_RIP;
    default:
        break;
    }
    switch (zydis) {
    case ZYDIS_REGISTER_NONE:
        return PIE_REG_NONE;
    case ZYDIS_REGISTER_MXCSR:
        return PIE_REG_MXCSR;
    case ZYDIS_REGISTER_X87STATUS:
        return PIE_REG_X87_STATUS;
    case ZYDIS_REGISTER_X87CONTROL:
        return PIE_REG_X87_CONTROL;
    case ZYDIS_REGISTER_FS:
        return PIE_REG_FS;
    case ZYDIS_REGISTER_GS:
        return PIE_REG_GS;
    default:
        return PIE_REG_OTHER;
    }
}

static bool is_high8(ZydisRegister reg)
{
    return reg == ZYDIS_REGISTER_AH || reg == ZYDIS_REGISTER_CH || reg == ZYDIS_REGISTER_DH ||
           reg == ZYDIS_REGISTER_BH;
}

static uint64_t bit(uint8_t reg)
{
    return reg < 64 ? UINT64_C(1) << reg : 0;
}

/* Flags by renamed group: carry alone, the arithmetic rest together, everything else. */
static uint64_t flag_groups(uint32_t mask)
{
    const uint32_t spazo = (uint32_t)(ZYDIS_CPUFLAG_SF | ZYDIS_CPUFLAG_PF | ZYDIS_CPUFLAG_AF |
                                      ZYDIS_CPUFLAG_ZF | ZYDIS_CPUFLAG_OF);
    const uint32_t carry = (uint32_t)ZYDIS_CPUFLAG_CF;
    uint64_t groups = 0;
    if (mask & carry)
        groups |= bit(PIE_REG_FLAG_C);
    if (mask & spazo)
        groups |= bit(PIE_REG_FLAG_SPAZO);
    if (mask & ~(spazo | carry))
        groups |= bit(PIE_REG_FLAG_D);
    return groups;
}

/* Change of the x87 stack's depth. */
static int8_t x87_push(ZydisMnemonic mnemonic)
{
    static const uint16_t pushes[] = {M(FLD),    M(FILD),    M(FBLD),    M(FLD1),   M(FLDL2T),
                                      M(FLDL2E), M(FLDPI),   M(FLDLG2),  M(FLDLN2), M(FLDZ),
                                      M(FPTAN),  M(FSINCOS), M(FXTRACT), M(FDECSTP)};
    static const uint16_t pops[] = {
        M(FSTP),    M(FSTPNCE), M(FISTP), M(FISTTP),  M(FBSTP),  M(FADDP),   M(FMULP),
        M(FSUBP),   M(FSUBRP),  M(FDIVP), M(FDIVRP),  M(FCOMP),  M(FUCOMP),  M(FCOMIP),
        M(FUCOMIP), M(FICOMP),  M(FYL2X), M(FYL2XP1), M(FPATAN), M(FINCSTP), M(FFREEP)};
    if (IS_ONE_OF(mnemonic, pushes))
        return 1;
    if (IS_ONE_OF(mnemonic, pops))
        return -1;
    return mnemonic == M(FCOMPP) || mnemonic == M(FUCOMPP) ? -2 : 0;
}

/* ---- one instruction: operands and slots ---------------------------------------------------- */

static bool is_xsave_family(ZydisMnemonic mnemonic)
{
    static const uint16_t family[] = {M(XSAVE),    M(XSAVE64),    M(XSAVEC),  M(XSAVEC64),
                                      M(XSAVEOPT), M(XSAVEOPT64), M(XSAVES),  M(XSAVES64),
                                      M(XRSTOR),   M(XRSTOR64),   M(XRSTORS), M(XRSTORS64)};
    return IS_ONE_OF(mnemonic, family);
}

static bool is_compare_string(const ZydisDecodedInstruction *zydis)
{
    return is_string_instruction(zydis) && (zydis->opcode & 0xfe) == 0xa6;
}

/* Names a place, touches nothing that a tracer would see. */
static bool is_hint(const ZydisDecodedInstruction *zydis)
{
    static const uint16_t hints[] = {M(NOP),        M(CLFLUSH),    M(CLFLUSHOPT),  M(CLWB),
                                     M(CLDEMOTE),   M(CLZERO),     M(INVLPG),      M(INVLPGA),
                                     M(INVLPGB),    M(MONITOR),    M(MONITORX),    M(UMONITOR),
                                     M(PREFETCH),   M(PREFETCHW),  M(PREFETCHWT1), M(PREFETCHNTA),
                                     M(PREFETCHT0), M(PREFETCHT1), M(PREFETCHT2)};
    return IS_ONE_OF(zydis->mnemonic, hints) ||
           zydis->meta.isa_set == ZYDIS_ISA_SET_AVX512PF_512; /* gathers that only prefetch */
}

static bool is_prefetch(const ZydisDecodedInstruction *zydis)
{
    return is_hint(zydis) && (zydis->meta.category == ZYDIS_CATEGORY_PREFETCH ||
                              zydis->meta.category == ZYDIS_CATEGORY_PREFETCHWT1);
}

/* Lanes of a store that writes only the elements its mask selects; 0: not such a store. */
static unsigned masked_store_lanes(const insn_view *view, const ZydisDecodedOperand *mem)
{
    if (!(mem->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
        return 0;
    switch (view->zydis.mnemonic) {
    case M(VMASKMOVPS):
    case M(VPMASKMOVD):
        return mem->size / 32u;
    case M(VMASKMOVPD):
    case M(VPMASKMOVQ):
        return mem->size / 64u;
    case M(MASKMOVQ):
    case M(MASKMOVDQU):
    case M(VMASKMOVDQU):
        return mem->size / 8u;
    default:
        return 0;
    }
}

static bool is_masked_load(const insn_view *view, const ZydisDecodedOperand *mem)
{
    const ZydisMnemonic m = view->zydis.mnemonic;
    return (mem->actions & ZYDIS_OPERAND_ACTION_MASK_READ) &&
           (m == M(VMASKMOVPS) || m == M(VMASKMOVPD) || m == M(VPMASKMOVD) || m == M(VPMASKMOVQ));
}

/* As many lanes as the wider of index and data leaves in the vector. */
static unsigned gather_lanes(const insn_view *view, const ZydisDecodedOperand *mem)
{
    static const uint16_t narrow[] = {M(VPGATHERDD),  M(VPGATHERDQ),  M(VGATHERDPS),
                                      M(VGATHERDPD),  M(VPSCATTERDD), M(VPSCATTERDQ),
                                      M(VSCATTERDPS), M(VSCATTERDPD)};
    const unsigned index_bits = IS_ONE_OF(view->zydis.mnemonic, narrow) ? 32 : 64;
    const unsigned data_bits = mem->element_size == 32 ? 32 : 64;
    const unsigned lane = index_bits > data_bits ? index_bits : data_bits;
    const unsigned lanes = view->zydis.avx.vector_length / lane;
    return lanes ? lanes : 1;
}

static pie_mem describe_mem(const insn_view *view, const ZydisDecodedOperand *operand,
                            uint8_t operand_roles)
{
    const ZydisDecodedInstruction *zydis = &view->zydis;
    const ZydisDecodedOperandMem *source = &operand->mem;
    const bool reads = operand_roles & PIE_OPERAND_READ;
    const bool writes = operand_roles & PIE_OPERAND_WRITE;
    pie_mem mem = {.base = register_of(source->base),
                   .index = register_of(source->index),
                   .segment = PIE_REG_NONE,
                   .bytes = (uint16_t)(operand->size / 8),
                   .n_elements = 1,
                   .displacement = source->disp.value};
    const bool has_no_base = (zydis->attributes & ZYDIS_ATTRIB_HAS_SIB) &&
                             zydis->raw.modrm.mod == 0 && zydis->raw.sib.base == 5;
    if (has_no_base && operand->visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT) {
        mem.base = PIE_REG_NONE; /* with 67h and REX.B Zydis 4.0 says r13d, without displacement */
        mem.displacement = zydis->raw.disp.value;
    }
    if (zydis->mnemonic == M(XLAT)) { /* Zydis leaves al out of the address */
        mem.index = PIE_REG_GPR0;
        mem.scale = 1;
    } else if (mem.index != PIE_REG_NONE) {
        mem.scale = source->scale ? source->scale : 1;
    }
    if (source->segment == ZYDIS_REGISTER_FS || source->segment == ZYDIS_REGISTER_GS)
        mem.segment = register_of(source->segment);

    if (source->type == ZYDIS_MEMOP_TYPE_AGEN) {
        mem.flags = PIE_MEM_AGEN;
        mem.bytes = 0;
        mem.segment = PIE_REG_NONE; /* an offset, not a linear address */
        return mem;
    }
    if (is_hint(zydis)) {
        mem.flags = PIE_MEM_HINT;
        if (is_prefetch(zydis))
            mem.bytes = 64; /* Zydis says 1 */
        return mem;
    }
    if (reads)
        mem.flags |= PIE_MEM_READ;
    if (writes)
        mem.flags |= PIE_MEM_WRITE;

    const bool is_stack = operand->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
                          source->segment == ZYDIS_REGISTER_SS;
    if (is_stack) {
        mem.flags |= PIE_MEM_STACK;
        if (writes && mem.base == PIE_REG_RSP)
            mem.displacement = -(int64_t)mem.bytes; /* below rsp as it was before */
    }

    unsigned lanes = masked_store_lanes(view, operand);
    if (source->type == ZYDIS_MEMOP_TYPE_VSIB) {
        lanes = gather_lanes(view, operand);
        mem.flags |= PIE_MEM_COUNTED | PIE_MEM_VSIB | PIE_MEM_MASKED;
        mem.bytes = (uint16_t)(mem.bytes * lanes);
    } else if (lanes > 0) {
        mem.flags |= PIE_MEM_COUNTED | PIE_MEM_MASKED;
    } else if (zydis->mnemonic == M(ENTER)) {
        /* rbp, then for nesting level n the n-1 outer frame pointers and the new one */
        const unsigned level = (unsigned)(zydis->raw.imm[1].value.u & 31);
        lanes = level + 1;
        mem.flags |= PIE_MEM_COUNTED;
        mem.bytes = (uint16_t)(mem.bytes * lanes);
        mem.displacement = -(int64_t)mem.bytes;
    } else if (is_xsave_family(zydis->mnemonic)) {
        lanes = 1;
        mem.flags |= PIE_MEM_COUNTED;
    } else if (is_masked_load(view, operand)) {
        mem.flags |= PIE_MEM_MASKED;
    }
    mem.n_elements = (uint16_t)(lanes ? lanes : 1);
    mem.n_slots = (uint8_t)(mem.flags & PIE_MEM_COUNTED ? mem.n_elements + 1 : 1);
    return mem;
}

/* Legacy SSE that leaves the rest of its destination alone: Zydis then gives the part's width. */
static bool merges_vector(const insn_view *view, const ZydisDecodedOperand *operand)
{
    return view->zydis.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
           ZydisRegisterGetClass(operand->reg.value) == ZYDIS_REGCLASS_XMM && operand->size < 128;
}

/* The destination keeps its value in a case that Zydis does not tell. */
static bool keeps_destination(ZydisMnemonic mnemonic)
{
    return mnemonic == M(BSF) || mnemonic == M(BSR);
}

/* Registers that a string instruction steps are part of its addresses, as uops.info has it. */
static bool is_stepped_pointer(const insn_view *view, const ZydisDecodedOperand *operand)
{
    if (!is_string_instruction(&view->zydis) || operand->type != ZYDIS_OPERAND_TYPE_REGISTER ||
        operand->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN)
        return false;
    const uint8_t reg = register_of(operand->reg.value);
    return reg == PIE_REG_GPR0 + 6 || reg == PIE_REG_GPR0 + 7; /* rsi, rdi */
}

static bool is_left_out(const insn_view *view, const ZydisDecodedOperand *operand)
{
    if (operand->type == ZYDIS_OPERAND_TYPE_UNUSED)
        return true;
    if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
        ZydisRegisterGetClass(operand->reg.value) == ZYDIS_REGCLASS_FLAGS)
        return true; /* comes last, from the masks */
    /* nop's second register is only part of its encoding. */
    if (view->zydis.mnemonic == M(NOP) && operand->id > 0)
        return true;
    return is_stepped_pointer(view, operand);
}

static uint8_t roles(const insn_view *view, const ZydisDecodedOperand *operand)
{
    const ZydisOperandActions actions = operand->actions;
    const ZydisOperandActions conditional =
        ZYDIS_OPERAND_ACTION_CONDREAD | ZYDIS_OPERAND_ACTION_CONDWRITE;
    unsigned flags = 0;
    if (actions & ZYDIS_OPERAND_ACTION_MASK_READ)
        flags |= PIE_OPERAND_READ;
    if (actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
        flags |= PIE_OPERAND_WRITE;
    if (view->zydis.mnemonic == M(BNDLDX) && !actions)
        flags |= PIE_OPERAND_READ; /* Zydis gives the bound tables no action */
    if (view->zydis.mnemonic == M(BNDSTX) && !actions)
        flags |= PIE_OPERAND_WRITE;
    if (actions & conditional)
        flags |= PIE_OPERAND_CONDITIONAL;
    if (operand->visibility != ZYDIS_OPERAND_VISIBILITY_EXPLICIT)
        flags |= PIE_OPERAND_IMPLICIT;
    if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER) {
        const bool may_keep =
            (actions & ZYDIS_OPERAND_ACTION_CONDWRITE) || keeps_destination(view->zydis.mnemonic);
        if ((flags & PIE_OPERAND_WRITE) && (may_keep || merges_vector(view, operand)))
            flags |= PIE_OPERAND_READ;
        if (is_high8(operand->reg.value))
            flags |= PIE_OPERAND_HIGH8;
    }
    return (uint8_t)flags;
}

/* Operands but the flags, memory operands, slots. */
static void describe_operands(insn_view *view)
{
    pie_insn *insn = &view->insn;
    view->n_slots = 0;
    insn->n_operands = 0;
    insn->n_mems = 0;
    for (unsigned i = 0; i < view->zydis.operand_count; i++) {
        const ZydisDecodedOperand *source = &view->zydis_operands[i];
        if (is_left_out(view, source))
            continue;
        pie_operand operand = {
            .reg = PIE_REG_NONE, .flags = roles(view, source), .bits = source->size};
        switch (source->type) {
        case ZYDIS_OPERAND_TYPE_REGISTER:
            operand.type = PIE_OPERAND_REG;
            operand.reg = register_of(source->reg.value);
            break;
        case ZYDIS_OPERAND_TYPE_MEMORY: {
            if (insn->n_mems == MAX_MEMS)
                continue;
            pie_mem mem = describe_mem(view, source, operand.flags);
            operand.type = mem.flags & PIE_MEM_AGEN ? PIE_OPERAND_AGEN : PIE_OPERAND_MEM;
            operand.mem = insn->n_mems;
            if (operand.type == PIE_OPERAND_AGEN)
                operand.flags |= PIE_OPERAND_READ;
            mem.first_slot = (uint16_t)view->n_slots;
            view->n_slots += mem.n_slots;
            view->mems[insn->n_mems++] = mem;
            break;
        }
        case ZYDIS_OPERAND_TYPE_IMMEDIATE:
            operand.type = source->imm.is_relative ? PIE_OPERAND_REL : PIE_OPERAND_IMM;
            break;
        default: /* far pointers do not exist in 64-bit code */
            continue;
        }
        view->sources[insn->n_operands] = source;
        view->operands[insn->n_operands++] = operand;
    }
}

/* uops.info's order and operands where Zydis has others. */
static void mend_operands(insn_view *view)
{
    pie_insn *insn = &view->insn;
    uint8_t base = PIE_REG_FS;
    uint8_t role = PIE_OPERAND_READ;
    switch (view->zydis.mnemonic) {
    case M(RET): /* rsp before rip; both stand behind an immediate */
        for (unsigned i = 0; i + 1 < insn->n_operands; i++)
            if (view->operands[i].reg == PIE_REG_RIP && view->operands[i + 1].reg == PIE_REG_RSP) {
                const pie_operand operand = view->operands[i];
                const ZydisDecodedOperand *source = view->sources[i];
                view->operands[i] = view->operands[i + 1];
                view->sources[i] = view->sources[i + 1];
                view->operands[i + 1] = operand;
                view->sources[i + 1] = source;
                break;
            }
        return;
    case M(RDFSBASE):
        break;
    case M(RDGSBASE):
        base = PIE_REG_GS;
        break;
    case M(WRFSBASE):
        role = PIE_OPERAND_WRITE;
        break;
    case M(WRGSBASE):
        base = PIE_REG_GS;
        role = PIE_OPERAND_WRITE;
        break;
    default:
        return;
    }
    view->sources[insn->n_operands] = NULL; /* Zydis does not list the segment base */
    view->operands[insn->n_operands++] =
        (pie_operand){.type = PIE_OPERAND_REG,
                      .reg = base,
                      .flags = (uint8_t)(role | PIE_OPERAND_IMPLICIT),
                      .bits = 64};
}

static bool is_counted(const pie_mem *mem)
{
    return mem->flags & PIE_MEM_COUNTED;
}

/* Whether qemu reports each operand's access once. Beside what is wider than 8 bytes: scalar FMA
 * and cvtdq2pd load a whole register, a locked neg loads until its exchange succeeds, and
 * instructions that use a segment's descriptor load that too. Seen with qemu 7.2. */
static bool is_one_access(const insn_view *view, const pie_mem *mem)
{
    const ZydisDecodedInstruction *zydis = &view->zydis;
    static const uint16_t others[] = {M(CVTDQ2PD), M(VCVTDQ2PD), M(LAR), M(LSL), M(VERR),
                                      M(VERW),     M(LFS),       M(LGS), M(LSS)};
    const bool touches_segment =
        zydis->operand_count > 0 && view->zydis_operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
        ZydisRegisterGetClass(view->zydis_operands[0].reg.value) == ZYDIS_REGCLASS_SEGMENT;
    return mem->bytes <= 8 && !is_counted(mem) && !touches_segment &&
           zydis->meta.category != ZYDIS_CATEGORY_VFMA &&
           zydis->meta.branch_type != ZYDIS_BRANCH_TYPE_FAR &&
           !(zydis->mnemonic == M(NEG) && (zydis->attributes & ZYDIS_ATTRIB_HAS_LOCK)) &&
           !IS_ONE_OF(zydis->mnemonic, others);
}

static uint8_t branch_kind(const insn_view *view)
{
    const ZydisDecodedInstruction *zydis = &view->zydis;
    const bool is_direct = zydis->operand_count > 0 &&
                           view->zydis_operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
                           view->zydis_operands[0].imm.is_relative;
    switch (zydis->meta.category) {
    case ZYDIS_CATEGORY_COND_BR:
        return is_direct ? PIE_BRANCH_CONDITIONAL : PIE_BRANCH_NONE; /* xend, xtest.. */
    case ZYDIS_CATEGORY_UNCOND_BR:
        if (zydis->mnemonic != M(JMP))
            return PIE_BRANCH_NONE;
        return is_direct ? PIE_BRANCH_JUMP : PIE_BRANCH_INDIRECT;
    case ZYDIS_CATEGORY_CALL:
        return is_direct ? PIE_BRANCH_CALL : PIE_BRANCH_CALL_INDIRECT;
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_SYSRET:
        return PIE_BRANCH_RETURN;
    case ZYDIS_CATEGORY_SYSCALL:
        return PIE_BRANCH_SYSCALL;
    case ZYDIS_CATEGORY_INTERRUPT:
        return zydis->mnemonic == M(INT) ? PIE_BRANCH_SYSCALL : PIE_BRANCH_NONE;
    default:
        return PIE_BRANCH_NONE;
    }
}

static bool names_memory(const insn_view *view)
{
    for (unsigned i = 0; i < view->zydis.operand_count; i++)
        if (view->zydis_operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
            return true;
    return false;
}

void pie_decode_slots(pie_decoder *decoder, const uint8_t *bytes, size_t n_bytes,
                      pie_insn_slots *ret_slots)
{
    pie_insn_slots slots = {.load0 = NO_SLOT, .load1 = NO_SLOT, .store0 = NO_SLOT, .pieces = 1};
    insn_view *view = &decoder->view;
    if (n_bytes == 0 || !parse(decoder, bytes, n_bytes, view)) {
        *ret_slots = slots;
        return;
    }
    slots.length = view->zydis.length;
    slots.is_rep = view->is_rep;
    slots.branch = branch_kind(view);
    if (!names_memory(view)) { /* most instructions; saves half of our time */
        *ret_slots = slots;
        return;
    }
    describe_operands(view);
    slots.n_slots = (uint8_t)view->n_slots;
    for (unsigned i = 0; i < view->insn.n_mems; i++) {
        const pie_mem *mem = &view->mems[i];
        if (mem->n_slots == 0)
            continue;
        const uint8_t slot = (uint8_t)mem->first_slot;
        slots.mode = is_counted(mem) ? PIE_SLOTS_COUNTED : PIE_SLOTS_PLAIN;
        if (is_counted(mem))
            slots.n_elements = mem->n_elements;
        if (mem->flags & PIE_MEM_READ) {
            if (slots.load0 == NO_SLOT)
                slots.load0 = slot;
            else
                slots.load1 = slot;
        }
        if (mem->flags & PIE_MEM_WRITE)
            slots.store0 = slot;
        if (!is_one_access(view, mem))
            slots.pieces = 0;
    }
    if (is_compare_string(&view->zydis)) {
        /* [rsi] is the first operand, but qemu loads [rdi] first */
        const uint8_t first = slots.load0;
        slots.load0 = slots.load1;
        slots.load1 = first;
    }
    if (is_xsave_family(view->zydis.mnemonic)) {
        /* What is stored first depends on the mask in edx:eax, but the first load is always the
         * header's, of xsave and xrstor alike. */
        slots.load0 = 0;
        slots.store0 = NO_SLOT;
        slots.base_offset = XSAVE_HEADER;
    }
    *ret_slots = slots;
}

/* ---- one instruction: what is read and written ---------------------------------------------- */

/* Shifts and rotates by an immediate whose counted bits are 0 leave the flags alone. */
static bool is_shift_by_zero(const insn_view *view)
{
    const ZydisDecodedInstruction *zydis = &view->zydis;
    if (zydis->meta.category != ZYDIS_CATEGORY_SHIFT &&
        zydis->meta.category != ZYDIS_CATEGORY_ROTATE)
        return false;
    if (zydis->raw.imm[0].size != 8)
        return false;
    const unsigned mask = zydis->operand_width == 64 ? 63 : 31;
    return (zydis->raw.imm[0].value.u & mask) == 0;
}

static void describe_flags(insn_view *view)
{
    pie_insn *insn = &view->insn;
    const ZydisDecodedInstruction *zydis = &view->zydis;
    const ZydisDecodedOperand *flags = NULL;
    for (unsigned i = 0; i < zydis->operand_count; i++) {
        const ZydisDecodedOperand *operand = &view->zydis_operands[i];
        if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
            ZydisRegisterGetClass(operand->reg.value) == ZYDIS_REGCLASS_FLAGS)
            flags = operand;
    }
    const bool is_loop_on_zero = zydis->mnemonic == M(LOOPE) || zydis->mnemonic == M(LOOPNE);
    if ((!flags && !is_loop_on_zero) || is_shift_by_zero(view))
        return;
    uint64_t read = 0;
    uint64_t written = 0;
    if (zydis->cpu_flags) {
        const ZydisAccessedFlags *cpu = zydis->cpu_flags;
        read = flag_groups(cpu->tested);
        written = flag_groups(cpu->modified | cpu->set_0 | cpu->set_1);
    }
    if (is_loop_on_zero)
        read |= bit(PIE_REG_FLAG_SPAZO);
    /* A rotate by one defines overflow, which Zydis calls undefined for all rotates. */
    if (zydis->meta.category == ZYDIS_CATEGORY_ROTATE && (zydis->opcode & 0xfe) == 0xd0 &&
        zydis->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT)
        written |= bit(PIE_REG_FLAG_SPAZO);
    if (flags && (flags->actions & ZYDIS_OPERAND_ACTION_CONDWRITE))
        read |= written; /* a count of 0 keeps them */
    insn->regs_read |= read;
    insn->regs_written |= written;

    pie_operand operand = {.type = PIE_OPERAND_FLAGS,
                           .reg = PIE_REG_NONE,
                           .flags = (uint8_t)(PIE_OPERAND_IMPLICIT | (read ? PIE_OPERAND_READ : 0) |
                                              (written ? PIE_OPERAND_WRITE : 0)),
                           .bits = 64};
    if (insn->n_operands < MAX_OPERANDS) {
        view->sources[insn->n_operands] = flags;
        view->operands[insn->n_operands++] = operand;
    }
}

/* Control and status word, which Zydis lists for few of their users. */
static void describe_x87_words(const insn_view *view, uint64_t *read, uint64_t *written)
{
    if (view->zydis.meta.category != ZYDIS_CATEGORY_X87_ALU)
        return;
    switch (view->zydis.mnemonic) {
    case M(FLDCW):
    case M(FLDENV):
    case M(FRSTOR):
    case M(FNINIT):
        *written |= bit(PIE_REG_X87_CONTROL);
        break;
    case M(FNSTSW):
        *read |= bit(PIE_REG_X87_STATUS);
        break;
    case M(FNSTENV):
    case M(FNSAVE):
        *read |= bit(PIE_REG_X87_STATUS) | bit(PIE_REG_X87_CONTROL);
        break;
    default: /* rounding and precision of everything else */
        *read |= bit(PIE_REG_X87_CONTROL);
        break;
    }
}

static bool is_x87_data_push(const pie_insn *insn, ZydisMnemonic mnemonic)
{
    return insn->x87_push == 1 && mnemonic != M(FDECSTP);
}

/* Registers that go by the dozen: fxsave, xrstor, fninit, vzeroall. */
static void describe_state(const insn_view *view, uint64_t *read, uint64_t *written)
{
    const ZydisInstructionAttributes has = view->zydis.attributes;
    const uint64_t vectors = UINT64_C(0xffff) << PIE_REG_VEC0;
    const uint64_t x87 =
        UINT64_C(0xff) << PIE_REG_ST0 | bit(PIE_REG_X87_STATUS) | bit(PIE_REG_X87_CONTROL);
    /* vzeroupper only clears what nobody reads; no processor makes later code wait for it. */
    if (view->zydis.mnemonic == M(VZEROUPPER))
        return;
    if (view->zydis.mnemonic == M(EMMS)) { /* only marks all registers empty */
        *written |= bit(PIE_REG_X87_STATUS);
        return;
    }
    const uint64_t xmm =
        view->zydis.mnemonic == M(VZEROALL) ? vectors : vectors | bit(PIE_REG_MXCSR);
    if (has & ZYDIS_ATTRIB_FPU_STATE_CR)
        *read |= x87;
    if (has & ZYDIS_ATTRIB_FPU_STATE_CW)
        *written |= x87;
    if (has & ZYDIS_ATTRIB_XMM_STATE_CR)
        *read |= xmm;
    if (has & ZYDIS_ATTRIB_XMM_STATE_CW)
        *written |= xmm;
}

static void describe_registers(insn_view *view)
{
    pie_insn *insn = &view->insn;
    const ZydisDecodedInstruction *zydis = &view->zydis;
    uint64_t read = 0;
    uint64_t written = 0;
    if (zydis->mnemonic == M(NOP))
        return; /* names registers and uses none */
    describe_state(view, &read, &written);
    describe_x87_words(view, &read, &written);
    for (unsigned i = 0; i < insn->n_operands; i++) {
        pie_operand *operand = &view->operands[i];
        if (operand->type != PIE_OPERAND_REG)
            continue;
        /* st(0) after a push is the register that was st(7) before it. */
        if (is_x87_data_push(insn, zydis->mnemonic) && operand->reg >= PIE_REG_ST0 &&
            operand->reg <= PIE_REG_ST0 + 7 &&
            (operand->flags & (PIE_OPERAND_READ | PIE_OPERAND_WRITE)) == PIE_OPERAND_WRITE)
            operand->reg = PIE_REG_ST0 + 7;
        if (operand->flags & PIE_OPERAND_READ)
            read |= bit(operand->reg);
        if (operand->flags & PIE_OPERAND_WRITE) {
            written |= bit(operand->reg);
            if (operand->reg < PIE_REG_VEC0 && operand->bits < 32)
                read |= bit(operand->reg); /* the rest of the register stays */
        }
    }
    for (unsigned i = 0; i < insn->n_mems; i++) {
        const pie_mem *mem = &view->mems[i];
        read |= bit(mem->base) | bit(mem->index) | bit(mem->segment);
    }
    if (is_string_instruction(zydis))
        for (unsigned i = 0; i < insn->n_mems; i++)
            written |= bit(view->mems[i].base);
    insn->regs_read |= read;
    insn->regs_written |= written;
}

/* ---- one instruction: its name -------------------------------------------------------------- */

typedef struct name_buf {
    char *text;
    size_t n, capacity;
} name_buf;

static void add_text(name_buf *name, const char *text)
{
    for (; *text && name->n + 1 < name->capacity; text++)
        name->text[name->n++] = (char)(*text >= 'a' && *text <= 'z' ? *text - 'a' + 'A' : *text);
    name->text[name->n] = '\0';
}

static void add_part(name_buf *name, const char *kind, unsigned number)
{
    char text[24];
    if (number)
        snprintf(text, sizeof text, "_%s%u", kind, number);
    else
        snprintf(text, sizeof text, "_%s", kind);
    add_text(name, text);
}

/* XED's name where it is not Zydis's, which is uops.info's as well. */
static const char *mnemonic_of(const ZydisDecodedInstruction *zydis)
{
    const bool is_far = zydis->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
    const bool is_vector = !is_string_instruction(zydis);
    const bool is_wide = (zydis->attributes & ZYDIS_ATTRIB_HAS_REX) && zydis->raw.rex.W;
    const bool is_vex_wide = zydis->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX && zydis->raw.vex.W;
    switch (zydis->mnemonic) {
    case M(CALL):
        return is_far ? "CALL_FAR" : "CALL_NEAR";
    case M(RET):
        return is_far ? "RET_FAR" : "RET_NEAR";
    case M(JMP):
        return is_far ? "JMP_FAR" : "JMP";
    case M(MOVSD):
        return is_vector ? "MOVSD_XMM" : "MOVSD";
    case M(CMPSD):
        return is_vector ? "CMPSD_XMM" : "CMPSD";
    case M(PREFETCH):
        return "PREFETCH_EXCLUSIVE";
    case M(PEXTRW):
        return zydis->opcode_map == ZYDIS_OPCODE_MAP_0F3A ? "PEXTRW_SSE4" : "PEXTRW";
    case M(PCMPESTRI):
        return is_wide ? "PCMPESTRI64" : "PCMPESTRI";
    case M(PCMPESTRM):
        return is_wide ? "PCMPESTRM64" : "PCMPESTRM";
    case M(VPCMPESTRI):
        return is_vex_wide ? "VPCMPESTRI64" : "VPCMPESTRI";
    case M(VPCMPESTRM):
        return is_vex_wide ? "VPCMPESTRM64" : "VPCMPESTRM";
    default: {
        const char *name = ZydisMnemonicGetString(zydis->mnemonic);
        return name ? name : "UNKNOWN";
    }
    }
}

/* Tail of a mnemonic that uops.info's forms carry. */
static void add_variant(name_buf *name, const insn_view *view)
{
    const ZydisDecodedInstruction *zydis = &view->zydis;
    const ZydisDecodedOperand *first = &view->zydis_operands[0];
    const bool is_register = zydis->operand_count > 0 && first->type == ZYDIS_OPERAND_TYPE_REGISTER;
    switch (zydis->mnemonic) {
    case M(MOV): {
        for (unsigned i = 0; i < zydis->operand_count_visible; i++) {
            if (view->zydis_operands[i].type != ZYDIS_OPERAND_TYPE_REGISTER)
                continue;
            const ZydisRegisterClass kind =
                ZydisRegisterGetClass(view->zydis_operands[i].reg.value);
            if (kind == ZYDIS_REGCLASS_CONTROL)
                add_text(name, "_CR");
            else if (kind == ZYDIS_REGCLASS_DEBUG)
                add_text(name, "_DR");
        }
        break;
    }
    case M(PUSH):
    case M(POP): {
        const bool is_plain =
            first->type == ZYDIS_OPERAND_TYPE_MEMORY ||
            (is_register && ZydisRegisterGetClass(first->reg.value) != ZYDIS_REGCLASS_SEGMENT);
        if (!is_plain && zydis->operand_width == 16)
            add_text(name, "_W");
        break;
    }
    case M(ENTER):
    case M(LEAVE):
        if (zydis->operand_width == 16)
            add_text(name, "_W");
        break;
    default:
        break;
    }
    if (zydis->attributes & ZYDIS_ATTRIB_HAS_LOCK && zydis->mnemonic != M(XCHG))
        add_text(name, "_LOCK");
    /* Address forms of lea: base or rip, index (scaled), displacement by its size in the code. */
    for (unsigned i = 0; i < view->insn.n_mems; i++) {
        const pie_mem *mem = &view->mems[i];
        if (!(mem->flags & PIE_MEM_AGEN))
            continue;
        if (mem->base != PIE_REG_NONE)
            add_text(name, mem->base == PIE_REG_RIP ? "_R" : "_B");
        if (mem->index != PIE_REG_NONE)
            add_text(name, mem->scale > 1 ? "_IS" : "_I");
        if (zydis->raw.disp.size > 0)
            add_part(name, "D", zydis->raw.disp.size);
    }
}

static void add_register(name_buf *name, const ZydisDecodedOperand *operand)
{
    static const char *const kinds[ZYDIS_REGCLASS_MAX_VALUE + 1] = {
        [ZYDIS_REGCLASS_GPR8] = "R8",     [ZYDIS_REGCLASS_GPR16] = "R16",
        [ZYDIS_REGCLASS_GPR32] = "R32",   [ZYDIS_REGCLASS_GPR64] = "R64",
        [ZYDIS_REGCLASS_X87] = "ST",      [ZYDIS_REGCLASS_MMX] = "MM",
        [ZYDIS_REGCLASS_XMM] = "XMM",     [ZYDIS_REGCLASS_YMM] = "YMM",
        [ZYDIS_REGCLASS_ZMM] = "ZMM",     [ZYDIS_REGCLASS_TMM] = "TMM",
        [ZYDIS_REGCLASS_SEGMENT] = "SEG", [ZYDIS_REGCLASS_CONTROL] = "CR",
        [ZYDIS_REGCLASS_DEBUG] = "DR",    [ZYDIS_REGCLASS_MASK] = "K",
        [ZYDIS_REGCLASS_BOUND] = "BND"};
    const ZydisRegister reg = operand->reg.value;
    const char *kind = kinds[ZydisRegisterGetClass(reg)];
    /* al of add al, 5 and cl of shl eax, cl are part of the form. */
    if (operand->visibility == ZYDIS_OPERAND_VISIBILITY_IMPLICIT || !kind)
        kind = ZydisRegisterGetString(reg);
    add_part(name, kind, 0);
}

static void add_memory(name_buf *name, const insn_view *view, const pie_operand *operand,
                       const ZydisDecodedOperand *source)
{
    const pie_mem *mem = &view->mems[operand->mem];
    if (mem->flags & PIE_MEM_AGEN)
        return; /* told by the variant */
    if (source->mem.type == ZYDIS_MEMOP_TYPE_VSIB) {
        const ZydisRegisterClass kind = ZydisRegisterGetClass(source->mem.index);
        add_part(name,
                 kind == ZYDIS_REGCLASS_XMM   ? "VSIB_XMM"
                 : kind == ZYDIS_REGCLASS_YMM ? "VSIB_YMM"
                                              : "VSIB_ZMM",
                 0);
        return;
    }
    const bool is_moffs = source->encoding == ZYDIS_OPERAND_ENCODING_DISP16_32_64;
    const unsigned bits = is_prefetch(&view->zydis) ? 512 : source->size;
    add_part(name, is_moffs ? "MOFFS" : "M", bits);
}

static void add_immediate(name_buf *name, const insn_view *view, const ZydisDecodedOperand *source,
                          unsigned *n_immediates)
{
    if (source->visibility == ZYDIS_OPERAND_VISIBILITY_IMPLICIT) {
        add_text(name, "_1"); /* the only one: shift or rotate by one */
        return;
    }
    const unsigned which = *n_immediates < 1 ? 0 : 1;
    add_part(name, source->imm.is_relative ? "REL" : "I", view->zydis.raw.imm[which].size);
    (*n_immediates)++;
}

static void describe_form(insn_view *view)
{
    const ZydisDecodedInstruction *zydis = &view->zydis;
    name_buf mnemonic = {.text = view->mnemonic, .capacity = sizeof view->mnemonic};
    add_text(&mnemonic, mnemonic_of(zydis));

    name_buf form = {.text = view->form, .capacity = sizeof view->form};
    form.text[0] = '\0';
    if (view->is_rep) {
        /* Only cmps and scas look at the zero flag, so only they have two names. */
        const bool looks = zydis->cpu_flags && (zydis->cpu_flags->modified & ZYDIS_CPUFLAG_ZF);
        add_text(&form, !looks ? "REP_" : view->is_repne ? "REPNE_" : "REPE_");
    }
    add_text(&form, view->mnemonic);
    add_variant(&form, view);
    unsigned n_immediates = 0;
    for (unsigned i = 0; i < view->insn.n_operands; i++) {
        const ZydisDecodedOperand *source = view->sources[i];
        if (!source || source->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN)
            continue;
        switch (view->operands[i].type) {
        case PIE_OPERAND_REG:
            add_register(&form, source);
            break;
        case PIE_OPERAND_MEM:
        case PIE_OPERAND_AGEN:
            add_memory(&form, view, &view->operands[i], source);
            break;
        case PIE_OPERAND_IMM:
        case PIE_OPERAND_REL:
            add_immediate(&form, view, source, &n_immediates);
            break;
        default:
            break;
        }
    }
}

/* ---- one instruction: the rest -------------------------------------------------------------- */

static bool is_serialising(ZydisMnemonic mnemonic)
{
    static const uint16_t serialising[] = {
        M(CPUID),  M(SERIALIZE), M(IRET), M(IRETD),  M(IRETQ),  M(RSM),
        M(WRMSR),  M(XSETBV),    M(INVD), M(WBINVD), M(INVLPG), M(INVPCID),
        M(INVEPT), M(INVVPID),   M(LGDT), M(LIDT),   M(LLDT),   M(LTR)};
    return IS_ONE_OF(mnemonic, serialising);
}

static bool is_fence(ZydisMnemonic mnemonic)
{
    return mnemonic == M(MFENCE) || mnemonic == M(LFENCE) || mnemonic == M(SFENCE);
}

static bool is_non_temporal(ZydisMnemonic mnemonic)
{
    static const uint16_t streaming[] = {
        M(MOVNTDQ),  M(MOVNTDQA),   M(MOVNTI),      M(MOVNTPD),    M(MOVNTPS),  M(MOVNTQ),
        M(MOVNTSD),  M(MOVNTSS),    M(VMOVNTDQ),    M(VMOVNTDQA),  M(VMOVNTPD), M(VMOVNTPS),
        M(MASKMOVQ), M(MASKMOVDQU), M(VMASKMOVDQU), M(PREFETCHNTA)};
    return IS_ONE_OF(mnemonic, streaming);
}

static bool may_fault(const insn_view *view)
{
    const ZydisDecodedInstruction *zydis = &view->zydis;
    if (view->n_slots > 0 || (zydis->attributes & ZYDIS_ATTRIB_IS_PRIVILEGED))
        return true;
    static const uint16_t traps[] = {M(DIV), M(IDIV), M(UD0),  M(UD1),
                                     M(UD2), M(INT1), M(INT3), M(INT)};
    if (IS_ONE_OF(zydis->mnemonic, traps))
        return true;
    if (zydis->mnemonic == M(RDTSC) || zydis->mnemonic == M(RDTSCP))
        return false; /* system instructions that every program may use */
    return zydis->meta.category == ZYDIS_CATEGORY_SYSTEM ||
           zydis->meta.category == ZYDIS_CATEGORY_IO ||
           zydis->meta.category == ZYDIS_CATEGORY_IOSTRINGOP ||
           zydis->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX;
}

/* 66h that makes an immediate two bytes long, or 67h an absolute address four: the predecoder has
 * guessed another length. */
static bool has_length_changing_prefix(const insn_view *view)
{
    const ZydisDecodedInstruction *zydis = &view->zydis;
    bool has_66 = false;
    for (unsigned i = 0; i < zydis->raw.prefix_count; i++)
        has_66 = has_66 || zydis->raw.prefixes[i].value == 0x66;
    const bool always_16 = zydis->mnemonic == M(RET) || zydis->mnemonic == M(ENTER) ||
                           zydis->mnemonic == M(EXTRQ) || zydis->mnemonic == M(INSERTQ);
    if (has_66 && zydis->raw.imm[0].size == 16 && !zydis->raw.imm[0].is_relative && !always_16)
        return true;
    const bool is_moffs = zydis->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
                          zydis->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && zydis->opcode >= 0xa0 &&
                          zydis->opcode <= 0xa3;
    return is_moffs && zydis->address_width == 32;
}

static uint32_t register_key_flags(const insn_view *view)
{
    uint32_t flags = 0;
    unsigned n_registers = 0;
    unsigned n_explicit = 0;
    bool same = true;
    uint8_t reg = PIE_REG_NONE;
    uint8_t high8 = 0;
    for (unsigned i = 0; i < view->insn.n_operands; i++) {
        const pie_operand *operand = &view->operands[i];
        if (operand->flags & PIE_OPERAND_IMPLICIT)
            continue;
        const unsigned position = n_explicit++;
        if (operand->type != PIE_OPERAND_REG)
            continue;
        const uint8_t part = operand->flags & PIE_OPERAND_HIGH8;
        if (part && position == 0)
            flags |= PIE_INSN_HIGH8_0;
        if (part && position == 1)
            flags |= PIE_INSN_HIGH8_1;
        if (n_registers++ == 0) {
            reg = operand->reg;
            high8 = part;
        } else if (operand->reg != reg || part != high8) {
            same = false;
        }
    }
    if (same && n_registers >= 2 && reg != PIE_REG_OTHER)
        flags |= PIE_INSN_SAME_REG;
    return flags;
}

static void describe_encoding(insn_view *view, const uint8_t *bytes)
{
    const ZydisDecodedInstruction *zydis = &view->zydis;
    pie_insn *insn = &view->insn;
    unsigned n_prefixes = 0;
    for (unsigned i = 0; i < zydis->raw.prefix_count; i++)
        if ((zydis->raw.prefixes[i].value & 0xf0) != 0x40)
            n_prefixes++;
    insn->n_prefix_bytes = (uint8_t)n_prefixes;
    insn->opcode = zydis->opcode;
    insn->opcode_map = (uint8_t)zydis->opcode_map;
    unsigned opcode_offset = zydis->raw.prefix_count;
    switch (zydis->encoding) {
    case ZYDIS_INSTRUCTION_ENCODING_VEX:
        insn->encoding = PIE_ENCODING_VEX;
        opcode_offset = (unsigned)zydis->raw.vex.offset + zydis->raw.vex.size;
        break;
    case ZYDIS_INSTRUCTION_ENCODING_EVEX:
        insn->encoding = PIE_ENCODING_EVEX;
        opcode_offset = zydis->raw.evex.offset + 4u;
        break;
    case ZYDIS_INSTRUCTION_ENCODING_3DNOW: /* 0F 0F, operands, and the opcode at the end */
        insn->encoding = PIE_ENCODING_3DNOW;
        insn->opcode_map = 1;
        opcode_offset = zydis->length - 1u;
        break;
    default:
        insn->encoding = PIE_ENCODING_LEGACY;
        opcode_offset += insn->opcode_map > 1 ? 2u : insn->opcode_map;
        break;
    }
    insn->opcode_offset = (uint8_t)opcode_offset;
    if (zydis->attributes & ZYDIS_ATTRIB_HAS_MODRM) {
        insn->has_modrm = 1;
        insn->modrm = bytes[zydis->raw.modrm.offset];
    }
    insn->operand_bits = zydis->operand_width;
    insn->address_bits = zydis->address_width;
    insn->imm_bytes = (uint8_t)((zydis->raw.imm[0].size + zydis->raw.imm[1].size) / 8);
    insn->disp_bytes = zydis->raw.disp.size / 8;
}

static uint16_t vector_bits(const insn_view *view)
{
    uint16_t bits = 0;
    if (view->zydis.mnemonic == M(VZEROUPPER) || view->zydis.mnemonic == M(VZEROALL))
        return 256;
    static const uint16_t widths[ZYDIS_REGCLASS_MAX_VALUE + 1] = {[ZYDIS_REGCLASS_MMX] = 64,
                                                                  [ZYDIS_REGCLASS_XMM] = 128,
                                                                  [ZYDIS_REGCLASS_YMM] = 256,
                                                                  [ZYDIS_REGCLASS_ZMM] = 512};
    for (unsigned i = 0; i < view->insn.n_operands; i++) {
        const ZydisDecodedOperand *source = view->sources[i];
        if (!source || source->type != ZYDIS_OPERAND_TYPE_REGISTER)
            continue;
        const uint16_t width = widths[ZydisRegisterGetClass(source->reg.value)];
        if (width > bits)
            bits = width;
    }
    return bits;
}

/* Everything but where its arrays and strings stand in the block. */
static void describe(insn_view *view, uint64_t address, const uint8_t *bytes)
{
    const ZydisDecodedInstruction *zydis = &view->zydis;
    pie_insn *insn = &view->insn;
    memset(insn, 0, sizeof *insn);
    insn->length = zydis->length;
    insn->x87_push = x87_push(zydis->mnemonic);
    describe_encoding(view, bytes);
    describe_operands(view);
    mend_operands(view);
    describe_registers(view);
    describe_flags(view);
    describe_form(view);
    insn->vector_bits = vector_bits(view);

    for (unsigned i = 0; i < insn->n_operands; i++) {
        const ZydisDecodedOperand *source = view->sources[i];
        const uint8_t type = view->operands[i].type;
        if (!source || (type != PIE_OPERAND_IMM && type != PIE_OPERAND_REL))
            continue;
        insn->immediate = source->imm.value.s;
        if (type == PIE_OPERAND_IMM && zydis->raw.imm[0].size > 0 && insn->immediate == 0)
            insn->flags |= PIE_INSN_ZERO_IMM;
        break;
    }

    insn->branch = branch_kind(view);
    if (insn->n_operands > 0 && view->operands[0].type == PIE_OPERAND_REL)
        insn->branch_target = address + insn->length + (uint64_t)insn->immediate;

    insn->flags |= register_key_flags(view);
    const bool is_memory_exchange = zydis->mnemonic == M(XCHG) && insn->n_mems > 0;
    if ((zydis->attributes & ZYDIS_ATTRIB_HAS_LOCK) || is_memory_exchange)
        insn->flags |= PIE_INSN_LOCK;
    if (view->is_rep)
        insn->flags |= PIE_INSN_REP;
    if (view->is_repne)
        insn->flags |= PIE_INSN_REPNE;
    if (has_length_changing_prefix(view))
        insn->flags |= PIE_INSN_LCP;
    if (may_fault(view))
        insn->flags |= PIE_INSN_MAY_FAULT;
    if (is_serialising(zydis->mnemonic))
        insn->flags |= PIE_INSN_SERIALISING;
    if (is_fence(zydis->mnemonic))
        insn->flags |= PIE_INSN_FENCE;
    if (is_non_temporal(zydis->mnemonic))
        insn->flags |= PIE_INSN_NON_TEMPORAL;
    if ((zydis->attributes & ZYDIS_ATTRIB_HAS_REX) && zydis->raw.rex.W)
        insn->flags |= PIE_INSN_REX_W;
}

static void describe_unknown(insn_view *view, size_t n_left)
{
    pie_insn *insn = &view->insn;
    memset(insn, 0, sizeof *insn);
    insn->length = (uint8_t)(n_left < 255 ? n_left : 255);
    insn->flags = PIE_INSN_UNDEFINED | PIE_INSN_MAY_FAULT;
    insn->address_bits = 64;
    insn->operand_bits = 32;
    view->n_slots = 0;
    snprintf(view->mnemonic, sizeof view->mnemonic, "UNKNOWN");
    snprintf(view->form, sizeof view->form, "UNKNOWN");
}

/* ---- the block ------------------------------------------------------------------------------ */

static pie_status append_string(pie_decoder *decoder, const char *text, uint32_t *ret_offset)
{
    const uint32_t offset = (uint32_t)decoder->strings.n;
    const pie_status status = append(&decoder->strings, text, strlen(text) + 1);
    if (status == PIE_OK)
        *ret_offset = offset;
    return status;
}

static pie_status append_insn(pie_decoder *decoder, size_t first_slot)
{
    insn_view *view = &decoder->view;
    pie_insn *insn = &view->insn;
    insn->first_operand = (uint16_t)(decoder->operands.n / sizeof *view->operands);
    insn->first_mem = (uint16_t)(decoder->mems.n / sizeof *view->mems);
    for (unsigned i = 0; i < insn->n_mems; i++)
        view->mems[i].first_slot = (uint16_t)(view->mems[i].first_slot + first_slot);
    pie_status status = append_string(decoder, view->form, &insn->form);
    if (status == PIE_OK)
        status = append_string(decoder, view->mnemonic, &insn->mnemonic);
    if (status == PIE_OK)
        status =
            append(&decoder->operands, view->operands, insn->n_operands * sizeof *view->operands);
    if (status == PIE_OK)
        status = append(&decoder->mems, view->mems, insn->n_mems * sizeof *view->mems);
    if (status == PIE_OK)
        status = append(&decoder->insns, insn, sizeof *insn);
    return status;
}

static size_t padded(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

/* Put @part at the next multiple of 8 and return where. */
static uint32_t place(growing *block, const void *part, size_t n)
{
    const size_t offset = block->n;
    if (n > 0)
        memcpy(block->data + offset, part, n);
    memset(block->data + offset + n, 0, padded(n) - n);
    block->n = offset + padded(n);
    return (uint32_t)offset;
}

static pie_status assemble(pie_decoder *decoder, pie_block *header, const uint8_t *bytes)
{
    growing *block = &decoder->block;
    block->n = 0;
    const size_t size = padded(sizeof *header) + padded(decoder->insns.n) +
                        padded(decoder->operands.n) + padded(decoder->mems.n) +
                        padded(header->n_bytes) + padded(decoder->strings.n);
    const pie_status status = grow(block, size);
    if (status != PIE_OK)
        return status;
    block->n = padded(sizeof *header);
    memset(block->data, 0, block->n);
    header->insns = place(block, decoder->insns.data, decoder->insns.n);
    header->operands = place(block, decoder->operands.data, decoder->operands.n);
    header->mems = place(block, decoder->mems.data, decoder->mems.n);
    header->bytes = place(block, bytes, header->n_bytes);
    header->strings = place(block, decoder->strings.data, decoder->strings.n);
    header->size = (uint32_t)block->n;
    memcpy(block->data, header, sizeof *header);
    return PIE_OK;
}

pie_status pie_decode_block(pie_decoder *decoder, uint32_t id, uint64_t address,
                            const uint8_t *bytes, size_t n_bytes, const pie_block **ret_block)
{
    if (n_bytes == 0 || n_bytes > PIE_BLOCK_MAX_BYTES)
        return PIE_ERR_DATA;
    decoder->insns.n = 0;
    decoder->operands.n = 0;
    decoder->mems.n = 0;
    decoder->strings.n = 0;
    size_t n_insns = 0;
    size_t n_slots = 0;
    size_t offset = 0;
    while (offset < n_bytes) {
        insn_view *view = &decoder->view;
        const size_t n_left = n_bytes - offset;
        size_t length = n_left;
        if (n_insns == PIE_BLOCK_MAX_INSNS)
            return PIE_ERR_DATA;
        if (parse(decoder, bytes + offset, n_left, view)) {
            describe(view, address + offset, bytes + offset);
            length = view->insn.length;
        } else {
            describe_unknown(view, n_left);
        }
        view->insn.offset = (uint16_t)offset;
        const pie_status status = append_insn(decoder, n_slots);
        if (status != PIE_OK)
            return status;
        n_slots += view->n_slots;
        n_insns++;
        offset += length;
    }
    pie_block header = {.isa = PIE_ISA_X86_64,
                        .header_size = sizeof header,
                        .address = address,
                        .id = id,
                        .n_bytes = (uint16_t)n_bytes,
                        .n_insns = (uint16_t)n_insns,
                        .n_operands = (uint16_t)(decoder->operands.n / sizeof(pie_operand)),
                        .n_mems = (uint16_t)(decoder->mems.n / sizeof(pie_mem)),
                        .n_slots = (uint16_t)n_slots,
                        .insn_size = sizeof(pie_insn),
                        .operand_size = sizeof(pie_operand),
                        .mem_size = sizeof(pie_mem)};
    const pie_status status = assemble(decoder, &header, bytes);
    if (status == PIE_OK)
        *ret_block = (const pie_block *)(const void *)decoder->block.data;
    return status;
}
