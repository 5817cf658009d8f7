/* expand.c - see expand.h */
#include "expand.h"

#include <stdlib.h>
#include <string.h>

/* Where the arrays of a block are filled; with NULL arrays it only counts. */
typedef struct builder {
    const ooo_table *table;
    const pie_block *detail;
    const ooo_expand_options *options;
    ooo_block *block; /* NULL: count only */
    size_t n_uops, n_uses, n_slots, n_mems;
} builder;

static uint8_t name_of(const pie_operand *operand)
{
    if (operand->flags & PIE_OPERAND_HIGH8)
        return (uint8_t)(OOO_NAME_HIGH8 + (operand->reg & 3));
    return operand->reg;
}

static void add_use(builder *b, uint8_t name, uint16_t cycles)
{
    if (b->block)
        b->block->uses[b->n_uses] =
            (ooo_use){.name = name,
                      .is_x87 = name >= PIE_REG_ST0 && name < PIE_REG_ST0 + 8,
                      .cycles = b->options->latency ? cycles : 0};
    b->n_uses++;
}

static bool is_general(uint8_t reg)
{
    return reg < 16;
}
static bool is_vector(uint8_t reg)
{
    return reg >= PIE_REG_VEC0 && reg < PIE_REG_MM0 + 8;
}

/* What a write to @operand must wait for besides its inputs: the rest of the register, which an 8-
 * or 16-bit write keeps. High bytes are registers of their own. */
static bool keeps_rest(const pie_operand *operand)
{
    return operand->type == PIE_OPERAND_REG && is_general(operand->reg) && operand->bits < 32 &&
           !(operand->flags & PIE_OPERAND_HIGH8);
}

/* The name that a role stands for here; PIE_REG_NONE if it is no register. */
static uint8_t name_of_role(const builder *b, const pie_insn *insn, const ooo_role *role)
{
    const pie_mem *mem =
        (role->kind == OOO_ROLE_BASE || role->kind == OOO_ROLE_INDEX) && role->index < insn->n_mems
            ? pie_block_mem(b->detail, insn, role->index)
            : NULL;
    uint8_t name = PIE_REG_NONE;
    switch (role->kind) {
    case OOO_ROLE_OPERAND:
        if (role->index < insn->n_operands) {
            const pie_operand *operand = pie_block_operand(b->detail, insn, role->index);
            if (operand->type == PIE_OPERAND_REG)
                name = name_of(operand);
        }
        break;
    case OOO_ROLE_CARRY:
        name = PIE_REG_FLAG_C;
        break;
    case OOO_ROLE_SPAZO:
        name = PIE_REG_FLAG_SPAZO;
        break;
    case OOO_ROLE_TEMP:
        name = (uint8_t)(OOO_NAME_TEMP + role->index % OOO_N_TEMPS);
        break;
    case OOO_ROLE_LOADED:
        name = (uint8_t)(OOO_NAME_LOADED + role->index % OOO_N_LOADED);
        break;
    case OOO_ROLE_BASE:
        name = mem ? mem->base : PIE_REG_NONE;
        break;
    case OOO_ROLE_INDEX:
        name = mem ? mem->index : PIE_REG_NONE;
        break;
    default:
        break;
    }
    return name < OOO_N_NAMES && name != PIE_REG_RIP ? name : PIE_REG_NONE;
}

static void add_inputs(builder *b, const pie_insn *insn, const ooo_template *from, ooo_uop *uop)
{
    const size_t first = b->n_uses;
    for (size_t i = 0; i < from->n_inputs; i++) {
        const uint8_t name = name_of_role(b, insn, &from->inputs[i]);
        if (name != PIE_REG_NONE)
            add_use(b, name, from->inputs[i].cycles);
    }
    for (size_t i = 0; i < from->n_outputs; i++) {
        const ooo_role *role = &from->outputs[i];
        if (role->kind != OOO_ROLE_OPERAND || role->index >= insn->n_operands)
            continue;
        const pie_operand *operand = pie_block_operand(b->detail, insn, role->index);
        if (keeps_rest(operand))
            add_use(b, operand->reg, 0);
    }
    uop->n_inputs = (uint8_t)(b->n_uses - first);
}

static void add_outputs(builder *b, const pie_insn *insn, const ooo_template *from, ooo_uop *uop)
{
    const size_t first = b->n_uses;
    if (from->class == OOO_LOAD)
        add_use(b, (uint8_t)(OOO_NAME_LOADED + from->mem % OOO_N_LOADED), 0);
    for (size_t i = 0; i < from->n_outputs; i++) {
        const uint8_t name = name_of_role(b, insn, &from->outputs[i]);
        if (name == PIE_REG_NONE)
            continue;
        add_use(b, name, from->outputs[i].cycles);
        if (is_general(name) || name == PIE_REG_FLAG_C || name == PIE_REG_FLAG_SPAZO ||
            (name >= OOO_NAME_HIGH8 && name < OOO_NAME_TEMP))
            uop->flags |= OOO_WRITES_INTEGER;
        else if (is_vector(name))
            uop->flags |= OOO_WRITES_VECTOR;
    }
    uop->n_outputs = (uint8_t)(b->n_uses - first);
}

static bool has_x87_operand(const pie_block *detail, const pie_insn *insn)
{
    for (size_t i = 0; i < insn->n_operands; i++) {
        const pie_operand *operand = pie_block_operand(detail, insn, i);
        if (operand->type == PIE_OPERAND_REG && operand->reg >= PIE_REG_ST0 &&
            operand->reg < PIE_REG_ST0 + 8)
            return true;
    }
    return false;
}

static void add_uop(builder *b, const pie_insn *insn, const ooo_template *from)
{
    ooo_uop uop = {.class = from->class,
                   .ports = from->ports,
                   .mem = from->mem < insn->n_mems ? from->mem : 0,
                   .divider = from->divider,
                   .first_use = (uint32_t)b->n_uses};
    if (from->class != OOO_EXECUTE && insn->n_mems == 0)
        uop.class = OOO_EXECUTE; /* an operand that the description does not have */
    add_inputs(b, insn, from, &uop);
    add_outputs(b, insn, from, &uop);
    if (uop.class == OOO_LOAD && insn->n_mems > 0) {
        const bool wide =
            insn->vector_bits == 256 || pie_block_mem(b->detail, insn, uop.mem)->bytes == 32;
        if (wide)
            uop.flags |= OOO_WIDE_LOAD;
        else if (insn->vector_bits != 0 || has_x87_operand(b->detail, insn))
            uop.flags |= OOO_VECTOR_LOAD;
    }
    if (b->block)
        b->block->uops[b->n_uops] = uop;
    b->n_uops++;
}

/* The documented fallback of a form that the table lacks: loads, one ALU uop from everything read
 * to everything written, stores. */
static void add_fallback_uops(builder *b, const pie_insn *insn)
{
    const uint64_t not_waited = UINT64_C(1) << PIE_REG_RIP;
    for (size_t i = 0; i < insn->n_mems; i++)
        if (pie_block_mem(b->detail, insn, i)->flags & PIE_MEM_READ &&
            pie_block_mem(b->detail, insn, i)->n_slots > 0)
            add_uop(b, insn, &(ooo_template){.class = OOO_LOAD, .ports = 0x0c, .mem = (uint8_t)i});
    ooo_uop uop = {
        .class = OOO_EXECUTE, .ports = 0x63, .first_use = (uint32_t)b->n_uses, .flags = 0};
    size_t first = b->n_uses;
    for (size_t i = 0; i < insn->n_mems && i < OOO_N_LOADED; i++)
        if (pie_block_mem(b->detail, insn, i)->flags & PIE_MEM_READ)
            add_use(b, (uint8_t)(OOO_NAME_LOADED + i), 0);
    for (uint8_t reg = 0; reg < 64; reg++)
        if (insn->regs_read & ~not_waited & UINT64_C(1) << reg)
            add_use(b, reg, 0);
    uop.n_inputs = (uint8_t)(b->n_uses - first);
    first = b->n_uses;
    for (uint8_t reg = 0; reg < 64; reg++)
        if (insn->regs_written & ~not_waited & UINT64_C(1) << reg)
            add_use(b, reg, 1);
    uop.n_outputs = (uint8_t)(b->n_uses - first);
    uop.flags = OOO_WRITES_INTEGER;
    if (b->block)
        b->block->uops[b->n_uops] = uop;
    b->n_uops++;
    for (size_t i = 0; i < insn->n_mems; i++)
        if (pie_block_mem(b->detail, insn, i)->flags & PIE_MEM_WRITE &&
            pie_block_mem(b->detail, insn, i)->n_slots > 0) {
            add_uop(b, insn,
                    &(ooo_template){.class = OOO_STORE_ADDRESS, .ports = 0x8c, .mem = (uint8_t)i});
            add_uop(b, insn,
                    &(ooo_template){.class = OOO_STORE_DATA, .ports = 0x10, .mem = (uint8_t)i});
        }
}

/* ---- slots ---- */

/* Micro-fusion: a load or a store address shares its slot with the uop after it as long as there
 * are more uops than slots; the last slot takes what remains. */
static size_t add_slots(builder *b, const ooo_insn *insn, size_t n_slots, size_t n_laminated)
{
    const ooo_uop *uops = b->block ? b->block->uops + insn->first_uop : NULL;
    ooo_slot *slots = b->block ? b->block->slots + b->n_slots : NULL;
    size_t next = 0, left = insn->n_uops;
    for (size_t i = 0; slots && i < n_slots; i++) {
        size_t n = left > 0;
        if (i + 1 == n_slots)
            n = left;
        else if (left > n_slots - i &&
                 (uops[next].class == OOO_LOAD || uops[next].class == OOO_STORE_ADDRESS))
            n = 2;
        slots[i] = (ooo_slot){.n_uops = (uint8_t)n};
        next += n;
        left -= n;
    }
    /* the same once more for what the decoders hand over as one uop */
    next = 0;
    size_t first_uop = 0;
    for (size_t i = 0; slots && i < n_laminated; i++) {
        slots[next].starts = 1;
        size_t n = 1;
        if (i + 1 == n_laminated)
            n = n_slots - next;
        else if (n_slots - next > n_laminated - i && slots[next].n_uops == 1 &&
                 (uops[first_uop].class == OOO_LOAD || uops[first_uop].class == OOO_STORE_ADDRESS))
            n = 2;
        for (size_t k = 0; k < n; k++)
            first_uop += slots[next + k].n_uops;
        next += n;
    }
    b->n_slots += n_slots;
    return n_slots;
}

/* ---- an instruction ---- */

static void describe_registers(const builder *b, const pie_insn *from, ooo_insn *insn)
{
    for (size_t i = 0; i < from->n_operands; i++) {
        const pie_operand *operand = pie_block_operand(b->detail, from, i);
        if (operand->type != PIE_OPERAND_REG || !is_general(operand->reg))
            continue;
        const bool written = operand->flags & PIE_OPERAND_WRITE;
        const bool read = operand->flags & PIE_OPERAND_READ;
        if (operand->reg == PIE_REG_RSP && !(operand->flags & PIE_OPERAND_IMPLICIT)) {
            if (read || (written && operand->bits < 32))
                insn->flags |= OOO_INSN_RSP_USED;
            if (written)
                insn->flags |= OOO_INSN_RSP_WRITTEN;
        }
        if (operand->reg >= 4)
            continue;
        const uint8_t bit = (uint8_t)(1u << operand->reg);
        if (operand->flags & PIE_OPERAND_HIGH8) {
            if (written) {
                insn->high_writes |= bit;
                insn->flags |= OOO_INSN_NOT_IN_LSD;
            }
        } else if (operand->bits > 8) {
            if (read || (written && operand->bits == 16))
                insn->high_reads |= bit;
            if (written)
                insn->full_writes |= bit;
        }
    }
    for (size_t i = 0; i < from->n_mems; i++) {
        const pie_mem *mem = pie_block_mem(b->detail, from, i);
        if (mem->flags & PIE_MEM_HINT)
            continue;
        if (mem->base < 4)
            insn->high_reads |= (uint8_t)(1u << mem->base);
        if (mem->index < 4)
            insn->high_reads |= (uint8_t)(1u << mem->index);
        if (mem->flags & PIE_MEM_STACK) {
            const int bytes = mem->flags & PIE_MEM_COUNTED ? 8 : mem->bytes;
            insn->rsp_change =
                (int16_t)(insn->rsp_change + (mem->flags & PIE_MEM_WRITE ? -bytes : bytes));
            insn->flags |= OOO_INSN_NOT_IN_LSD;
        } else if (mem->base == PIE_REG_RSP || mem->index == PIE_REG_RSP)
            insn->flags |= OOO_INSN_RSP_USED;
    }
}

static void add_mems(builder *b, const pie_insn *from, ooo_insn *insn)
{
    insn->first_mem = (uint16_t)b->n_mems;
    insn->n_mems = from->n_mems;
    for (size_t i = 0; i < from->n_mems; i++) {
        const pie_mem *mem = pie_block_mem(b->detail, from, i);
        ooo_mem made = {.first_slot = mem->first_slot,
                        .bytes = mem->bytes,
                        .n_elements = mem->n_elements,
                        .base = mem->base < OOO_N_NAMES && mem->base != PIE_REG_RIP ? mem->base
                                                                                    : PIE_REG_NONE,
                        .index = mem->index < OOO_N_NAMES ? mem->index : PIE_REG_NONE};
        if (mem->n_slots > 0) {
            made.flags |= mem->flags & PIE_MEM_READ ? OOO_MEM_READ : 0;
            made.flags |= mem->flags & PIE_MEM_WRITE ? OOO_MEM_WRITE : 0;
            made.flags |= mem->flags & PIE_MEM_COUNTED ? OOO_MEM_COUNTED : 0;
        }
        if (mem->flags & PIE_MEM_COUNTED && mem->n_elements > 1)
            made.bytes = (uint16_t)(mem->bytes / mem->n_elements);
        if (mem->index == PIE_REG_NONE && mem->displacement >= 0 && mem->displacement < 2048)
            made.flags |= OOO_MEM_PLAIN_BASE;
        insn->has_counted |= (made.flags & OOO_MEM_COUNTED) != 0;
        if (!(made.flags & OOO_MEM_COUNTED)) {
            insn->n_reads = (uint8_t)(insn->n_reads + ((made.flags & OOO_MEM_READ) != 0));
            insn->n_writes_mem =
                (uint8_t)(insn->n_writes_mem + ((made.flags & OOO_MEM_WRITE) != 0));
        }
        if (b->block)
            b->block->mems[b->n_mems] = made;
        b->n_mems++;
    }
}

/* Zero idioms and their like: what is written without a uop, ready at once. */
static void add_free_writes(builder *b, const pie_insn *from, ooo_insn *insn)
{
    insn->first_write = (uint32_t)b->n_uses;
    if (insn->n_uops > 0)
        return;
    for (uint8_t reg = 0; reg < 64; reg++)
        if (reg != PIE_REG_RIP && reg != PIE_REG_RSP && from->regs_written & UINT64_C(1) << reg)
            add_use(b, reg, 0);
    insn->n_writes = (uint16_t)(b->n_uses - insn->first_write);
}

/* Loads whose result may be the address of a fast one. */
static bool is_pointer_load(const char *form)
{
    static const char *const forms[] = {"MOV_R64_M64", "MOV_R32_M32", "MOVSXD_R64_M32", "POP_R64"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(form, forms[i]) == 0)
            return true;
    return false;
}

static void set_elimination(const builder *b, const pie_insn *from, ooo_insn *insn)
{
    const pie_operand *to = NULL, *source = NULL;
    for (size_t i = 0; i < from->n_operands; i++) {
        const pie_operand *operand = pie_block_operand(b->detail, from, i);
        if (operand->type != PIE_OPERAND_REG)
            continue;
        if (operand->flags & PIE_OPERAND_WRITE && !to)
            to = operand;
        else if (operand->flags & PIE_OPERAND_READ && !source)
            source = operand;
    }
    if (!to || !source || to->reg == source->reg)
        return;
    insn->flags |= OOO_INSN_ELIMINABLE;
    insn->elim_to = to->reg;
    insn->elim_from = source->reg;
    if (is_vector(to->reg))
        insn->flags |= OOO_INSN_ELIM_VECTOR;
    if (to->bits == 32 || source->bits < 64)
        insn->flags |= OOO_INSN_ELIM_32;
}

static void set_swap(const builder *b, const pie_insn *from, ooo_insn *insn)
{
    if (from->n_operands < 2)
        return;
    insn->flags |= OOO_INSN_SWAP;
    insn->elim_to = pie_block_operand(b->detail, from, 0)->reg;
    insn->elim_from = pie_block_operand(b->detail, from, 1)->reg;
}

static uint32_t plain_flags(const pie_block *detail, const pie_insn *from)
{
    uint32_t flags = 0;
    const char *mnemonic = pie_block_string(detail, from->mnemonic);
    flags |= from->flags & PIE_INSN_LCP ? OOO_INSN_LCP : 0;
    flags |= from->flags & PIE_INSN_LOCK ? OOO_INSN_LOCK : 0;
    flags |= from->flags & PIE_INSN_SERIALISING || from->branch == PIE_BRANCH_SYSCALL
                 ? OOO_INSN_SERIAL
                 : 0;
    if (from->flags & PIE_INSN_FENCE) {
        flags |= strcmp(mnemonic, "SFENCE") != 0 ? OOO_INSN_LOAD_FENCE : 0;
        flags |= strcmp(mnemonic, "LFENCE") != 0 ? OOO_INSN_STORE_FENCE : 0;
        flags |= strcmp(mnemonic, "LFENCE") == 0 ? OOO_INSN_SERIAL : 0;
    }
    if (from->branch != PIE_BRANCH_NONE && from->branch != PIE_BRANCH_SYSCALL)
        flags |= OOO_INSN_BRANCH;
    if (from->branch == PIE_BRANCH_CONDITIONAL)
        flags |= OOO_INSN_CONDITIONAL;
    if (from->flags & (PIE_INSN_REP | PIE_INSN_REPNE) && from->n_mems > 0)
        flags |= OOO_INSN_REP;
    const bool wide = from->immediate < INT32_MIN || from->immediate > INT32_MAX;
    const bool large = from->immediate < INT16_MIN || from->immediate > INT16_MAX;
    if (from->imm_bytes > 0 && (wide || (large && from->n_mems > 0)))
        flags |= OOO_INSN_TWO_DSB_SLOTS;
    if (is_pointer_load(pie_block_string(detail, from->form)))
        flags |= OOO_INSN_POINTER_LOAD;
    return flags;
}

/* The instruction in one of the fixed shapes, if it fits. */
static ooo_shape shape_of(const ooo_block *block, const ooo_insn *insn)
{
    const uint32_t special = OOO_INSN_SERIAL | OOO_INSN_ELIMINABLE | OOO_INSN_SWAP | OOO_INSN_REP |
                             OOO_INSN_LOCK | OOO_INSN_LOAD_FENCE | OOO_INSN_STORE_FENCE |
                             OOO_INSN_UNKNOWN;
    const ooo_uop *uops = block->uops + insn->first_uop;
    ooo_shape shape = {.base = OOO_NAME_READY, .index = OOO_NAME_READY};
    if (insn->flags & special || insn->n_slots != 1 || insn->n_laminated != 1 ||
        insn->microcoded > 0 || insn->decoded != 1 || insn->block > 0 || insn->x87_push != 0 ||
        insn->has_counted || insn->n_uops < 1 || insn->n_uops > 2)
        return (ooo_shape){.kind = OOO_SHAPE_NONE};
    uint8_t kind = OOO_SHAPE_NONE;
    if (insn->n_uops == 1 && uops[0].class == OOO_EXECUTE)
        kind = OOO_SHAPE_EXECUTE;
    else if (insn->n_uops == 1 && uops[0].class == OOO_LOAD)
        kind = OOO_SHAPE_LOAD;
    else if (insn->n_uops == 2 && uops[0].class == OOO_LOAD && uops[1].class == OOO_EXECUTE &&
             uops[0].n_outputs == 1 && uops[0].n_inputs == 0)
        kind = OOO_SHAPE_LOAD_EXECUTE;
    else if (insn->n_uops == 2 && uops[0].class == OOO_STORE_ADDRESS &&
             uops[1].class == OOO_STORE_DATA && uops[0].n_inputs == 0 && uops[0].n_outputs == 0 &&
             uops[1].n_outputs == 0)
        kind = OOO_SHAPE_STORE;
    const ooo_uop *last = &uops[insn->n_uops - 1];
    if (kind == OOO_SHAPE_NONE || last->n_inputs > OOO_SHAPE_INPUTS ||
        last->n_outputs > OOO_SHAPE_OUTPUTS || last->divider > 0)
        return (ooo_shape){.kind = OOO_SHAPE_NONE};
    if (kind != OOO_SHAPE_EXECUTE) {
        const ooo_mem *mem = &block->mems[insn->first_mem + uops[0].mem];
        if (!(mem->flags & (OOO_MEM_READ | OOO_MEM_WRITE)))
            return (ooo_shape){.kind = OOO_SHAPE_NONE}; /* a hint: no slot */
        shape.mem = uops[0].mem;
        if (uops[0].n_outputs > 0)
            shape.loaded = block->uses[uops[0].first_use + uops[0].n_inputs].name;
        shape.memory_ports = uops[0].ports;
        shape.flags = uops[0].flags;
        shape.base = mem->base < OOO_N_NAMES ? mem->base : OOO_NAME_READY;
        shape.index = mem->index < OOO_N_NAMES ? mem->index : OOO_NAME_READY;
    }
    shape.ports = last->ports;
    const ooo_use *uses = block->uses + last->first_use;
    for (size_t i = 0; i < OOO_SHAPE_INPUTS; i++) {
        const bool there = i < last->n_inputs;
        if (there && (uses[i].is_x87 || uses[i].cycles > 255))
            return (ooo_shape){.kind = OOO_SHAPE_NONE};
        shape.inputs[i] = there ? uses[i].name : OOO_NAME_READY;
        shape.late[i] = there ? (uint8_t)uses[i].cycles : 0;
    }
    uses += last->n_inputs;
    for (size_t i = 0; i < OOO_SHAPE_OUTPUTS; i++) {
        const bool there = i < last->n_outputs;
        if (there && (uses[i].is_x87 || uses[i].cycles > 255))
            return (ooo_shape){.kind = OOO_SHAPE_NONE};
        shape.outputs[i] = there ? uses[i].name : OOO_NAME_SINK;
        shape.latency[i] = there ? (uint8_t)uses[i].cycles : 0;
    }
    for (size_t i = 0; i < insn->n_uops; i++) {
        shape.n_integer = (uint8_t)(shape.n_integer + ((uops[i].flags & OOO_WRITES_INTEGER) != 0));
        shape.n_vector = (uint8_t)(shape.n_vector + ((uops[i].flags & OOO_WRITES_VECTOR) != 0));
    }
    shape.kind = kind;
    return shape;
}

static void add_insn(builder *b, const pie_insn *from, size_t index)
{
    const ooo_row *row =
        from->flags & PIE_INSN_UNDEFINED ? NULL : ooo_table_find(b->table, b->detail, from);
    ooo_insn insn = {.address = b->detail->address + from->offset,
                     .flags = plain_flags(b->detail, from),
                     .length = from->length,
                     .opcode_offset = from->opcode_offset,
                     .x87_push = from->x87_push,
                     .first_uop = (uint32_t)b->n_uops,
                     .first_slot = (uint32_t)b->n_slots,
                     .condition = 0xff};
    /* 0F 80+cc and 70+cc */
    if (insn.flags & OOO_INSN_CONDITIONAL &&
        (from->opcode & 0xf0) == (from->opcode_map ? 0x80 : 0x70))
        insn.condition = from->opcode & 15;
    describe_registers(b, from, &insn);
    add_mems(b, from, &insn);
    if (row) {
        for (size_t i = 0; i < row->n_uops; i++)
            add_uop(b, from, &ooo_table_uops(b->table, row)[i]);
        insn.simple = row->simple;
        insn.fuse = row->fuse;
        insn.block = row->block;
        insn.row = row->number;
        insn.rep_start = row->rep_start;
        insn.rep_bytes = row->rep_bytes;
        insn.rep_centicycles = row->rep_centicycles;
        insn.decoded = row->decoded;
        insn.microcoded = row->microcoded;
        insn.flags |= row->flags & OOO_ANY_DECODER ? 0 : OOO_INSN_COMPLEX;
        insn.flags |= row->flags & OOO_SERIALISING ? OOO_INSN_SERIAL : 0;
        if (row->flags & OOO_ELIMINABLE)
            set_elimination(b, from, &insn);
        if (row->flags & OOO_SWAPPED)
            set_swap(b, from, &insn);
    } else {
        add_fallback_uops(b, from);
        insn.flags |= OOO_INSN_UNKNOWN;
        insn.decoded = 1;
    }
    insn.n_uops = (uint16_t)(b->n_uops - insn.first_uop);
    size_t n_slots = row ? row->slots : (size_t)(insn.n_uops + 1) / 2;
    if (n_slots == 0)
        n_slots = 1;
    if (insn.decoded + insn.microcoded == 0)
        insn.decoded = 1;
    insn.n_laminated = (uint16_t)(insn.decoded + insn.microcoded);
    if (insn.n_laminated > n_slots)
        insn.n_laminated = (uint16_t)n_slots;
    if (insn.microcoded > 0)
        insn.flags |= OOO_INSN_NOT_IN_LSD;
    if (insn.flags & OOO_INSN_POINTER_LOAD)
        insn.elim_to = pie_block_operand(b->detail, from, 0)->reg;
    insn.n_slots = (uint16_t)add_slots(b, &insn, n_slots, insn.n_laminated);
    add_free_writes(b, from, &insn);
    if (b->block) {
        insn.shape = shape_of(b->block, &insn);
        b->block->insns[index] = insn;
    }
}

/* ---- a block ---- */

bool ooo_fuses(const ooo_insn *first, const ooo_insn *branch)
{
    if (first->fuse == OOO_FUSE_NONE || !(branch->flags & OOO_INSN_CONDITIONAL) ||
        branch->condition == 0xff || branch->address != first->address + first->length ||
        branch->address % 64 == 0)
        return false;
    /* conditions in pairs, the second negates: o b z be s p l le */
    const unsigned pair = branch->condition >> 1;
    const unsigned allowed[] = {[OOO_FUSE_ALL] = 0xff, [OOO_FUSE_CZ] = 0xce, [OOO_FUSE_Z] = 0xc4};
    return allowed[first->fuse] >> pair & 1;
}

static size_t aligned(size_t n)
{
    return (n + 15) & ~(size_t)15;
}

pie_status ooo_expand(const ooo_table *table, const pie_block *description,
                      const ooo_expand_options *options, ooo_block **ret_block)
{
    builder b = {.table = table, .detail = description, .options = options};
    for (size_t i = 0; i < description->n_insns; i++)
        add_insn(&b, pie_block_insn(description, i), i);
    const size_t n_insns = description->n_insns;
    const size_t sizes[] = {aligned(sizeof(ooo_block)),
                            aligned(n_insns * sizeof(ooo_insn)),
                            aligned(b.n_uops * sizeof(ooo_uop)),
                            aligned(b.n_uses * sizeof(ooo_use)),
                            aligned(b.n_slots * sizeof(ooo_slot)),
                            aligned(b.n_mems * sizeof(ooo_mem)),
                            options->profile ? aligned(2 * n_insns * sizeof(uint64_t)) : 0,
                            aligned(description->size)};
    enum { N_PARTS = sizeof sizes / sizeof *sizes };
    char *parts[N_PARTS];
    size_t total = 0;
    for (size_t i = 0; i < N_PARTS; i++)
        total += sizes[i];
    char *memory = calloc(1, total);
    if (!memory)
        return PIE_ERR_NOMEM;
    for (size_t i = 0, at = 0; i < N_PARTS; at += sizes[i++])
        parts[i] = memory + at;
    ooo_block *block = (void *)parts[0];
    *block = (ooo_block){.address = description->address,
                         .id = description->id,
                         .n_insns = (uint32_t)n_insns,
                         .n_slots = description->n_slots,
                         .insns = (void *)parts[1],
                         .uops = (void *)parts[2],
                         .uses = (void *)parts[3],
                         .slots = (void *)parts[4],
                         .mems = (void *)parts[5]};
    if (options->profile) {
        block->executions = (void *)parts[6];
        block->cycles = block->executions + n_insns;
    }
    memcpy(parts[7], description, description->size);
    block->detail = (void *)parts[7];
    b = (builder){.table = table, .detail = block->detail, .options = options, .block = block};
    for (size_t i = 0; i < n_insns; i++)
        add_insn(&b, pie_block_insn(block->detail, i), i);
    block->is_plain = true;
    for (size_t i = 0; i < n_insns; i++) {
        const ooo_insn *insn = &block->insns[i];
        block->n_branches += (insn->flags & OOO_INSN_BRANCH) != 0;
        block->n_reads += insn->n_reads;
        block->n_writes += insn->n_writes_mem;
        block->is_plain =
            block->is_plain && !insn->has_counted && !(insn->flags & OOO_INSN_UNKNOWN);
    }
    *ret_block = block;
    return PIE_OK;
}
