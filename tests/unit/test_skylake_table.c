/* Tests of uarch-models/skylake/instructions.tsv against the decoder: the engine reads it, rows are
 * found for what they are meant, and over nearly all encodings the uops of a row name operands that
 * the instruction has, in the roles that they have, and write all that it writes. */
#include "../../uarch-models/ooo/table.c"

#include "trace/decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { ADDRESS = 0x401000 };

typedef struct fixture {
    ooo_table *table;
    pie_decoder *decoder;
} fixture;

static void print_log(const pie_host *host, int32_t level, const char *text)
{
    (void)host;
    (void)level;
    print_message("%s\n", text);
}

static int start(void **state)
{
    static fixture shared;
    static const pie_host host = {.log = print_log};
    if (ooo_table_load(PIE_SOURCE "/uarch-models/skylake/instructions.tsv", &host, &shared.table) !=
            PIE_OK ||
        pie_decoder_new(&shared.decoder) != PIE_OK)
        return -1;
    *state = &shared;
    return 0;
}

static int stop(void **state)
{
    fixture *f = *state;
    ooo_table_free(f->table);
    pie_decoder_free(f->decoder);
    return 0;
}

static size_t parse_hex(const char *text, uint8_t *bytes, size_t capacity)
{
    size_t n = 0;
    unsigned value = 0;
    while (n < capacity && sscanf(text, "%2x", &value) == 1) {
        bytes[n++] = (uint8_t)value;
        text += 2;
        if (!text[-1])
            break;
    }
    return n;
}

static const pie_block *decode(const fixture *f, const uint8_t *bytes, size_t n)
{
    const pie_block *block = NULL;
    assert_int_equal(pie_decode_block(f->decoder, 1, ADDRESS, bytes, n, &block), PIE_OK);
    return block;
}

/* ---- which row ---------------------------------------------------------------------------------
 */

static void finds_the_row_that_is_meant(void **state)
{
    static const struct {
        const char *hex;
        unsigned slots, decoded, n_uops, ports; /* of the first uop, 0 = none */
        uint32_t eliminable;
        uint8_t fuse;
    } cases[] = {
        {"4801d8", 1, 1, 1, 0x63, 0, OOO_FUSE_CZ},    /* add rax, rbx */
        {"4885c0", 1, 1, 1, 0x63, 0, OOO_FUSE_ALL},   /* test rax, rax */
        {"48ffc0", 1, 1, 1, 0x63, 0, OOO_FUSE_Z},     /* inc rax */
        {"31c0", 1, 1, 0, 0, 0, OOO_FUSE_NONE},       /* xor eax, eax */
        {"31d8", 1, 1, 1, 0x63, 0, OOO_FUSE_NONE},    /* xor eax, ebx */
        {"30c0", 1, 1, 1, 0x63, 0, OOO_FUSE_NONE},    /* xor al, al: no idiom */
        {"4889d8", 1, 1, 1, 0x63, OOO_ELIMINABLE, 0}, /* mov rax, rbx */
        {"4889c0", 1, 1, 1, 0x63, 0, 0},              /* mov rax, rax */
        {"0fb6c3", 1, 1, 1, 0x63, OOO_ELIMINABLE, 0}, /* movzx eax, bl */
        {"0fb6c7", 1, 1, 1, 0x63, 0, 0},              /* movzx eax, bh */
        {"400fb6c6", 1, 1, 1, 0x63, 0, 0},            /* movzx eax, sil */
        {"0f28c1", 1, 1, 1, 0x23, OOO_ELIMINABLE, 0}, /* movaps xmm0, xmm1 */
        {"488903", 1, 1, 2, 0x8c, 0, 0},              /* mov [rbx], rax */
        {"48890403", 1, 1, 2, 0x0c, 0, 0},            /* mov [rbx+rax], rax: not port 7 */
        {"480103", 2, 2, 4, 0x0c, 0, 0},              /* add [rbx], rax */
        {"48010403", 3, 2, 4, 0x0c, 0, 0},            /* with an index un-laminated */
        {"c5f35803", 1, 1, 2, 0x0c, 0, 0},            /* vaddsd xmm0, xmm1, [rbx] */
        {"c5f3580403", 2, 1, 2, 0x0c, 0, 0},          /* un-laminated */
        {"48c1e000", 1, 1, 1, 0x41, 0, 0},            /* shl rax, 0 */
        {"66480f6ec0", 1, 1, 1, 0x20, 0, 0},          /* movq xmm0, rax */
        {"8a23", 1, 1, 1, 0x0c, 0, 0},                /* mov ah, [rbx] */
        {"8a03", 1, 1, 2, 0x0c, 0, 0},                /* mov al, [rbx]: merges */
        {"660f74c0", 1, 1, 1, 0x03, 0, 0},            /* pcmpeqb xmm0, xmm0 */
        {"e900000000", 1, 1, 1, 1u << 6, 0, 0},       /* jmp */
        {"7500", 1, 1, 1, 0x41, 0, 0},                /* jnz */
        {"dec1", 1, 1, 1, 0x20, 0, 0},                /* faddp */
    };
    const fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[16];
        const pie_block *block = decode(f, bytes, parse_hex(cases[i].hex, bytes, sizeof bytes));
        const ooo_row *row = ooo_table_find(f->table, block, pie_block_insn(block, 0));
        print_message("  %s\n", cases[i].hex);
        assert_non_null(row);
        assert_int_equal(row->slots, cases[i].slots);
        assert_int_equal(row->decoded, cases[i].decoded);
        assert_int_equal(row->n_uops, cases[i].n_uops);
        if (row->n_uops > 0)
            assert_int_equal(ooo_table_uops(f->table, row)->ports, cases[i].ports);
        assert_int_equal(row->flags & OOO_ELIMINABLE, cases[i].eliminable);
        assert_int_equal(row->fuse, cases[i].fuse);
    }
}

static const ooo_row *row_of(const fixture *f, const char *hex)
{
    uint8_t bytes[16];
    const pie_block *block = decode(f, bytes, parse_hex(hex, bytes, sizeof bytes));
    const ooo_row *row = ooo_table_find(f->table, block, pie_block_insn(block, 0));
    assert_non_null(row);
    return row;
}

/* Of the first uop: what it waits for and how long it takes. */
static void has_the_dependencies_that_were_measured(void **state)
{
    static const struct {
        const char *hex;
        unsigned n_inputs, latency;
        uint16_t divider, block;
    } cases[] = {
        {"660f76c0", 0, 1, 0, 0},     /* pcmpeqd xmm0, xmm0: all ones */
        {"c5fd76c0", 0, 1, 0, 0},     /* vpcmpeqd ymm0, ymm0, ymm0 */
        {"c5f576c0", 2, 1, 0, 0},     /* vpcmpeqd ymm0, ymm1, ymm0 */
        {"4819c0", 3, 1, 0, 0},       /* sbb rax, rax waits for rax */
        {"30c0", 2, 1, 0, 0},         /* xor al, al too */
        {"f20f5ec1", 2, 14, 4, 0},    /* divsd of ordinary values */
        {"f20f51c1", 2, 18, 6, 0},    /* sqrtsd */
        {"c5fd51c1", 1, 18, 12, 0},   /* vsqrtpd ymm */
        {"f30f51c1", 2, 12, 3, 0},    /* sqrtss: the same for all values */
        {"48f7f1", 2, 37, 7, 21},     /* div rcx */
        {"c4e3714cc2f0", 1, 1, 0, 1}, /* vpblendvb: one a cycle */
        {"0fba230500", 0, 0, 0, 0},   /* bt dword [rbx], 5: the load waits for the address only */
    };
    const fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        print_message("  %s\n", cases[i].hex);
        const ooo_row *row = row_of(f, cases[i].hex);
        const ooo_template *uop = ooo_table_uops(f->table, row);
        assert_int_equal(uop->n_inputs, cases[i].n_inputs);
        if (cases[i].latency > 0)
            assert_int_equal(uop->outputs[0].cycles, cases[i].latency);
        assert_int_equal(uop->divider, cases[i].divider);
        assert_int_equal(row->block, cases[i].block);
    }
}

static void knows_what_rename_and_microcode_do(void **state)
{
    const fixture *f = *state;
    assert_true(row_of(f, "d9c9")->flags & OOO_SWAPPED); /* fxch */
    assert_int_equal(row_of(f, "480fb1cb")->decoded, 0); /* cmpxchg rbx, rcx: microcode alone */
    assert_int_equal(row_of(f, "480fb1cb")->microcoded, 5);
    assert_int_equal(row_of(f, "48f7f1")->decoded, 4); /* div rcx: first the decoder */
    const ooo_row *movs = row_of(f, "a4");
    unsigned stepped = 0;
    for (size_t i = 0; i < movs->n_uops; i++)
        stepped += ooo_table_uops(f->table, movs)[i].outputs[0].kind == OOO_ROLE_BASE;
    assert_int_equal(stepped, 2);
}

/* ---- laws ------------------------------------------------------------------------------------ */

typedef struct survey {
    const fixture *f;
    size_t n_rows, n_wrong;
    uint8_t seen[1 << 16]; /* by row */
} survey;

static void complain(survey *s, const pie_block *block, const pie_insn *insn, size_t uop,
                     const char *what)
{
    if (s->n_wrong++ < 20)
        print_message("  %s, uop %zu: %s\n", pie_block_string(block, insn->form), uop, what);
}

static bool is_register(const pie_block *block, const pie_insn *insn, size_t i, unsigned roles)
{
    if (i >= insn->n_operands)
        return false;
    const pie_operand *operand = pie_block_operand(block, insn, i);
    return operand->type == PIE_OPERAND_REG && (operand->flags & roles) == roles;
}

static uint64_t flag_of(uint8_t kind)
{
    return UINT64_C(1) << (kind == OOO_ROLE_CARRY ? PIE_REG_FLAG_C : PIE_REG_FLAG_SPAZO);
}

/* What a row's uops have written and loaded so far. */
typedef struct progress {
    uint64_t operands, temps, loaded, stored, flags, stepped;
} progress;

static void check_inputs(survey *s, const pie_block *block, const pie_insn *insn, size_t at,
                         const ooo_template *uop, const progress *before)
{
    for (size_t i = 0; i < uop->n_inputs; i++) {
        const ooo_role *role = &uop->inputs[i];
        const uint64_t bit = UINT64_C(1) << role->index;
        switch (role->kind) {
        case OOO_ROLE_OPERAND:
            if (!is_register(block, insn, role->index, 0))
                complain(s, block, insn, at, "reads an operand that is no register");
            if (before->operands & bit)
                complain(s, block, insn, at, "reads an operand after writing it");
            break;
        case OOO_ROLE_CARRY:
        case OOO_ROLE_SPAZO:
            if (!(insn->regs_read & flag_of(role->kind)))
                complain(s, block, insn, at, "reads a flag that the instruction does not");
            if (before->flags & flag_of(role->kind))
                complain(s, block, insn, at, "reads a flag after writing it");
            break;
        case OOO_ROLE_TEMP:
            if (!(before->temps & bit))
                complain(s, block, insn, at, "reads a temporary before it is written");
            break;
        case OOO_ROLE_LOADED:
            if (!(before->loaded & bit))
                complain(s, block, insn, at, "reads what was not loaded");
            break;
        default:
            if (role->index >= insn->n_mems)
                complain(s, block, insn, at, "names a memory operand that is not there");
        }
    }
}

static void check_outputs(survey *s, const pie_block *block, const pie_insn *insn, size_t at,
                          const ooo_template *uop, progress *after)
{
    for (size_t i = 0; i < uop->n_outputs; i++) {
        const ooo_role *role = &uop->outputs[i];
        const uint64_t bit = UINT64_C(1) << role->index;
        if (role->kind == OOO_ROLE_OPERAND) {
            if (!is_register(block, insn, role->index, PIE_OPERAND_WRITE))
                complain(s, block, insn, at, "writes an operand that the instruction does not");
            after->operands |= bit;
        } else if (role->kind == OOO_ROLE_TEMP) {
            after->temps |= bit;
        } else if (role->kind == OOO_ROLE_BASE) {
            if (role->index >= insn->n_mems ||
                !(insn->regs_written >> pie_block_mem(block, insn, role->index)->base & 1))
                complain(s, block, insn, at, "steps a pointer that the instruction does not");
            after->stepped |= bit;
        } else {
            if (!(insn->regs_written & flag_of(role->kind)))
                complain(s, block, insn, at, "writes a flag that the instruction does not");
            after->flags |= flag_of(role->kind);
        }
    }
}

static void check_memory(survey *s, const pie_block *block, const pie_insn *insn, size_t at,
                         const ooo_template *uop, const ooo_template *next, progress *after)
{
    if (uop->class == OOO_EXECUTE)
        return;
    if (uop->mem >= insn->n_mems) {
        complain(s, block, insn, at, "accesses a memory operand that is not there");
        return;
    }
    const unsigned flags = pie_block_mem(block, insn, uop->mem)->flags;
    if (uop->class == OOO_LOAD) {
        if (!(flags & (PIE_MEM_READ | PIE_MEM_HINT)))
            complain(s, block, insn, at, "loads what is not read");
        after->loaded |= UINT64_C(1) << uop->mem;
        return;
    }
    if (!(flags & PIE_MEM_WRITE))
        complain(s, block, insn, at, "stores what is not written");
    if (uop->class == OOO_STORE_ADDRESS &&
        (!next || next->class != OOO_STORE_DATA || next->mem != uop->mem))
        complain(s, block, insn, at, "a store address without its data behind it");
    after->stored |= UINT64_C(1) << uop->mem;
}

/* movsb, rep stosq and the like; not movsd xmm0, xmm1 */
static bool is_string(const char *form)
{
    static const char *const names[] = {"MOVS", "STOS", "LODS", "SCAS", "CMPS"};
    form += strncmp(form, "REP_", 4) == 0     ? 4
            : strncmp(form, "REPE_", 5) == 0  ? 5
            : strncmp(form, "REPNE_", 6) == 0 ? 6
                                              : 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(form, names[i], 4) == 0 && strlen(form) == 5 && strchr("BWDQ", form[4]))
            return true;
    return false;
}

/* All that the instruction writes is written by some uop. Not counted: rsp of stack instructions,
 * rip and status words, for which the engine has its own ways; what only a system call clobbers. */
static void check_complete(survey *s, const pie_block *block, const pie_insn *insn,
                           const progress *done)
{
    const char *form = pie_block_string(block, insn->form);
    for (size_t i = 0; i < insn->n_operands; i++) {
        const pie_operand *operand = pie_block_operand(block, insn, i);
        const bool counts = operand->reg < PIE_REG_FLAG_C && operand->reg != PIE_REG_RSP;
        if (counts && is_register(block, insn, i, PIE_OPERAND_WRITE) &&
            !(done->operands >> i & 1) && strcmp(form, "FTST") != 0 && strcmp(form, "FXAM") != 0)
            complain(s, block, insn, i, "an operand that no uop writes");
    }
    const uint64_t flags = flag_of(OOO_ROLE_CARRY) | flag_of(OOO_ROLE_SPAZO);
    if (insn->regs_written & flags & ~done->flags)
        complain(s, block, insn, 0, "a flag that no uop writes");
    for (size_t i = 0; i < insn->n_mems; i++) {
        const unsigned mem = pie_block_mem(block, insn, i)->flags;
        if (mem & PIE_MEM_WRITE && !(done->stored >> i & 1))
            complain(s, block, insn, i, "memory that no uop stores");
        if (mem & PIE_MEM_READ && !(done->loaded >> i & 1) && strncmp(form, "XSAVE", 5) != 0)
            complain(s, block, insn, i, "memory that no uop loads");
        const uint8_t base = pie_block_mem(block, insn, i)->base;
        if (is_string(form) && insn->regs_written >> base & 1 && !(done->stepped >> i & 1))
            complain(s, block, insn, i, "a pointer that no uop steps");
    }
}

static void check_insn(survey *s, const pie_block *block, const pie_insn *insn)
{
    const ooo_row *row = ooo_table_find(s->f->table, block, insn);
    if (!row)
        return;
    assert_true(row->number < sizeof s->seen);
    s->n_rows += !s->seen[row->number];
    s->seen[row->number] = 1;
    const ooo_template *uops = ooo_table_uops(s->f->table, row);
    progress done = {0};
    for (size_t i = 0; i < row->n_uops; i++) {
        check_inputs(s, block, insn, i, &uops[i], &done);
        check_memory(s, block, insn, i, &uops[i], i + 1 < row->n_uops ? &uops[i + 1] : NULL, &done);
        check_outputs(s, block, insn, i, &uops[i], &done);
    }
    if (row->n_uops > 0)
        check_complete(s, block, insn, &done);
    if (row->slots == 0 || row->decoded + row->microcoded == 0)
        complain(s, block, insn, 0, "takes no slot");
}

static void visit(survey *s, const uint8_t *bytes)
{
    pie_insn_slots slots;
    pie_decode_slots(s->f->decoder, bytes, 15, &slots);
    if (slots.length == 0)
        return;
    const pie_block *block = decode(s->f, bytes, slots.length);
    check_insn(s, block, pie_block_insn(block, 0));
}

/* With each modrm that selects another form or condition, and immediates of 0 and not 0. */
static void visit_modrms(survey *s, uint8_t *bytes, size_t n)
{
    static const uint8_t modrms[] = {0x03, 0x04, 0x43, 0x44, 0x83, 0x84, 0xc0, 0xc1, 0xc6, 0xc4};
    for (unsigned zero = 0; zero < 2; zero++) {
        memset(bytes + n, zero ? 0 : 1, 15 - n);
        visit(s, bytes);
        for (size_t m = 0; m < sizeof modrms; m++)
            for (unsigned reg = 0; reg < 8; reg++) {
                size_t end = n;
                bytes[end++] = (uint8_t)(modrms[m] | reg << 3);
                if (modrms[m] < 0xc0 && (modrms[m] & 7) == 4)
                    bytes[end++] = 0x8b; /* [rbx+rcx*4] */
                memset(bytes + end, zero ? 0 : 1, 15 - end);
                visit(s, bytes);
            }
    }
}

static void uops_fit_their_instructions(void **state)
{
    static const char *const prefixes[] = {"", "66", "f2", "f3", "f0", "f066"};
    static const char *const escapes[] = {"", "0f", "0f38", "0f3a"};
    static survey s;
    s = (survey){.f = *state};
    uint8_t bytes[32] = {0};
    for (size_t p = 0; p < sizeof prefixes / sizeof *prefixes; p++)
        for (unsigned rex = 0; rex < 3; rex++)
            for (size_t map = 0; map < 4; map++)
                for (unsigned opcode = 0; opcode < 256; opcode++) {
                    size_t n = *prefixes[p] ? parse_hex(prefixes[p], bytes, 4) : 0;
                    if (rex)
                        bytes[n++] = rex == 1 ? 0x48 : 0x40;
                    n += *escapes[map] ? parse_hex(escapes[map], bytes + n, 2) : 0;
                    bytes[n++] = (uint8_t)opcode;
                    visit_modrms(&s, bytes, n);
                }
    for (unsigned p = 0; p < 32; p++) /* pp, L, W, vvvv */
        for (unsigned map = 1; map < 4; map++)
            for (unsigned opcode = 0; opcode < 256; opcode++) {
                const unsigned vvvv = p >> 4 & 1 ? 0xf : 0xd;
                const uint8_t vex[] = {0xc4, (uint8_t)(0xe0 | map),
                                       (uint8_t)((p >> 3 & 1) << 7 | vvvv << 3 | (p & 7)),
                                       (uint8_t)opcode};
                memcpy(bytes, vex, sizeof vex);
                visit_modrms(&s, bytes, sizeof vex);
            }
    print_message("%zu of %" PRIu32 " rows seen\n", s.n_rows, ooo_table_rows(s.f->table));
    assert_int_equal(s.n_wrong, 0);
    assert_true(s.n_rows > 4000);
}

/* ---- measured blocks ------------------------------------------------------------------------- */

static void measured_blocks_need_no_fallback(void **state)
{
    const fixture *f = *state;
    const char *folder = getenv("PIE_SHARED");
    char path[4096];
    snprintf(path, sizeof path, "%s/data/bhive/dev_5000.tsv",
             folder ? folder : PIE_SOURCE "/../shared");
    FILE *file = fopen(path, "re");
    if (!file) {
        print_message("skipped: no PIE_SHARED data (bhive/dev_5000.tsv)\n");
        skip();
    }
    char line[8192];
    size_t n = 0;
    size_t n_missed = 0;
    assert_non_null(fgets(line, sizeof line, file));
    while (fgets(line, sizeof line, file)) {
        uint8_t bytes[PIE_BLOCK_MAX_BYTES];
        char *hex = strchr(line, '\t');
        assert_non_null(hex);
        hex[1 + strcspn(hex + 1, "\t\n")] = '\0';
        const pie_block *block = decode(f, bytes, parse_hex(hex + 1, bytes, sizeof bytes));
        for (size_t i = 0; i < block->n_insns; i++) {
            const pie_insn *insn = pie_block_insn(block, i);
            n++;
            if (ooo_table_find(f->table, block, insn))
                continue;
            n_missed++;
            print_message("  not in the table: %s\n", pie_block_string(block, insn->form));
        }
    }
    fclose(file);
    print_message("%zu instructions\n", n);
    assert_true(n > 10000);
    assert_int_equal(n_missed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_row_that_is_meant),
        cmocka_unit_test(has_the_dependencies_that_were_measured),
        cmocka_unit_test(knows_what_rename_and_microcode_do),
        cmocka_unit_test(uops_fit_their_instructions),
        cmocka_unit_test(measured_blocks_need_no_fallback),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
