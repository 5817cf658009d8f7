/* uarch-models/ooo/expand.c: slots and lamination by the documented rule, registers and their
 * parts, flags, memory operands, the fallback. */
#include "ooo/expand.h"

#include "trace/decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HEADER "form\twhen\tslots\tdec\tms\tsimple\tattr\tfuse\tuops\n"

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };
enum { AH = OOO_NAME_HIGH8, CH, DH, BH };

static void keep(const pie_host *host, int32_t level, const char *text)
{
    (void)host, (void)level;
    print_message("  %s\n", text);
}
static const pie_host host = {.log = keep};

static ooo_table *skylake;
static pie_decoder *decoder;

static int begin(void **state)
{
    (void)state;
    return pie_decoder_new(&decoder) != PIE_OK ||
           ooo_table_load(PIE_SOURCE "/uarch-models/skylake/instructions.tsv", &host, &skylake) !=
               PIE_OK;
}

static int end(void **state)
{
    (void)state;
    ooo_table_free(skylake);
    pie_decoder_free(decoder);
    return 0;
}

static ooo_table *table_of(const char *rows)
{
    char path[] = "/tmp/pie-table-XXXXXX";
    ooo_table *table = NULL;
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    fprintf(file, "%s%s", HEADER, rows);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(ooo_table_load(path, &host, &table), PIE_OK);
    unlink(path);
    return table;
}

/* The block of the code; freed by the caller. */
static ooo_block *expand(const ooo_table *table, const char *hex)
{
    static const ooo_expand_options options = {.profile = true, .latency = true};
    uint8_t bytes[256];
    size_t n = 0;
    const pie_block *description;
    ooo_block *block = NULL;
    for (; *hex; hex += 2 + (hex[2] == ' '))
        bytes[n++] = (uint8_t)strtoul((const char[]){hex[0], hex[1], '\0'}, NULL, 16);
    assert_int_equal(pie_decode_block(decoder, 7, 0x1000, bytes, n, &description), PIE_OK);
    assert_int_equal(ooo_expand(table, description, &options, &block), PIE_OK);
    return block;
}

/* ---- slots ---- */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* docs/internals/ooo.md, "Uops, slots, laminated uops", said once more. @classes: a letter per uop.
 * Uops per slot and whether a slot starts a laminated uop. */
static size_t slots_by_rule(const char *classes, size_t s, size_t dec, size_t ms, size_t *ret_uops,
                            bool *ret_starts)
{
    const size_t u = strlen(classes);
    size_t uop = 0;
    s = s ? s : 1; /* a nop takes a slot */
    for (size_t slot = 0; slot < s; slot++) {
        const size_t uops_left = u - uop, slots_left = s - slot;
        const bool address = uops_left > 0 && (classes[uop] == 'L' || classes[uop] == 'A');
        if (slots_left == 1)
            ret_uops[slot] = uops_left;
        else if (uops_left == 0)
            ret_uops[slot] = 0;
        else
            ret_uops[slot] = address && uops_left > slots_left ? 2 : 1;
        uop += ret_uops[slot];
        ret_starts[slot] = false;
    }
    const size_t n = smaller(dec + ms ? dec + ms : 1, s);
    size_t slot = 0;
    uop = 0;
    for (size_t laminated = 0; laminated < n; laminated++) {
        const size_t slots_left = s - slot, laminated_left = n - laminated;
        const bool address = ret_uops[slot] == 1 && (classes[uop] == 'L' || classes[uop] == 'A');
        size_t takes = laminated_left == 1 ? slots_left : 1;
        if (laminated_left > 1 && address && slots_left > laminated_left)
            takes = 2;
        ret_starts[slot] = true;
        for (; takes > 0; takes--)
            uop += ret_uops[slot++];
    }
    return n;
}

static void slots_follow_the_documented_rule(void **state)
{
    (void)state;
    uint64_t random = 88172645463325252u;
    for (int round = 0; round < 400; round++) {
        char classes[16], row[512];
        size_t n_uops, n = 0, want_uops[64];
        bool want_starts[64];
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        const size_t s = random % 8, dec = random >> 8 & 3, ms = random >> 16 & 3;
        n_uops = (random >> 20) % 8;
        n = (size_t)snprintf(row, sizeof row, "ADD_M64_R64\t-\t%zu\t%zu\t%zu\t-\t-\t-\t", s, dec,
                             ms);
        for (size_t i = 0; i < n_uops; i++) {
            classes[i] = "LADE"[random >> (24 + 2 * i) & 3];
            n += (size_t)snprintf(row + n, sizeof row - n, "%s%c5", i ? " " : "", classes[i]);
        }
        classes[n_uops] = '\0';
        snprintf(row + n, sizeof row - n, "%s\n", n_uops ? "" : "-");
        ooo_table *table = table_of(row);
        ooo_block *block = expand(table, "480107");
        const ooo_insn *insn = &block->insns[0];
        const size_t laminated = slots_by_rule(classes, s, dec, ms, want_uops, want_starts);
        assert_int_equal(insn->n_slots, s ? s : 1);
        assert_int_equal(insn->n_uops, n_uops);
        assert_int_equal(insn->n_laminated, laminated);
        assert_int_equal(insn->decoded, dec + ms ? dec : 1);
        for (size_t i = 0; i < insn->n_slots; i++) {
            const ooo_slot *slot = &block->slots[insn->first_slot + i];
            if (slot->n_uops != want_uops[i] || slot->starts != want_starts[i])
                print_message("  '%s' in %zu slots, %zu + %zu: slot %zu has %d, starts %d\n",
                              classes, s, dec, ms, i, slot->n_uops, slot->starts);
            assert_int_equal(slot->n_uops, want_uops[i]);
            assert_int_equal(slot->starts, want_starts[i]);
        }
        free(block);
        ooo_table_free(table);
    }
}

/* What people know of Skylake, through its table: slots, laminated uops. */
static void well_known_instructions_fuse_as_known(void **state)
{
    (void)state;
    static const struct {
        const char *name, *hex, *slots; /* "|2|11": uops per slot; | begins a laminated uop */
    } cases[] = {
        {"add rax,rbx", "4801d8", "|1"},
        {"add rax,[rdi]", "480307", "|2"},
        {"add rax,[rdi+rsi]", "48030437", "|2"},
        {"add [rdi],rax", "480107", "|2|2"},
        {"add [rdi+rsi],rax", "48010437", "|2|11"},
        {"mov [rdi],rax", "488907", "|2"},
        {"mov [rdi+rsi],rax", "48890437", "|2"},
        {"vaddps xmm0,xmm1,[rdi]", "c5f05807", "|2"},
        {"vaddps xmm0,xmm1,[rdi+rsi]", "c5f0580437", "|11"},
        {"addps xmm0,[rdi+rsi]", "0f580437", "|2"},
        {"push rax", "50", "|2"},
        {"pop rax", "58", "|1"},
        {"nop", "90", "|0"},
        {"xor eax,eax", "31c0", "|0"},
        {"xchg rax,rbx", "4893", "|1|1|1"},
        {"call", "e800000000", "|1|2"},
        {"ret", "c3", "|2"},
    };
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char got[64] = "";
        ooo_block *block = expand(skylake, cases[i].hex);
        const ooo_insn *insn = &block->insns[0];
        size_t n = 0;
        for (size_t k = 0; k < insn->n_slots && n + 3 < sizeof got; k++) {
            const ooo_slot *slot = &block->slots[insn->first_slot + k];
            n += (size_t)snprintf(got + n, sizeof got - n, "%s%d", slot->starts ? "|" : "",
                                  slot->n_uops);
        }
        if (strcmp(got, cases[i].slots) != 0)
            print_message("  %s: %s instead of %s\n", cases[i].name, got, cases[i].slots);
        wrong += strcmp(got, cases[i].slots) != 0;
        free(block);
    }
    assert_int_equal(wrong, 0);
}

/* ---- registers ---- */

static bool reads(const ooo_block *block, const ooo_insn *insn, uint8_t name)
{
    for (size_t u = 0; u < insn->n_uops; u++) {
        const ooo_uop *uop = &block->uops[insn->first_uop + u];
        for (size_t i = 0; i < uop->n_inputs; i++)
            if (block->uses[uop->first_use + i].name == name)
                return true;
    }
    return false;
}

static bool writes(const ooo_block *block, const ooo_insn *insn, uint8_t name)
{
    for (size_t u = 0; u < insn->n_uops; u++) {
        const ooo_uop *uop = &block->uops[insn->first_uop + u];
        for (size_t i = uop->n_inputs; i < (size_t)uop->n_inputs + uop->n_outputs; i++)
            if (block->uses[uop->first_use + i].name == name)
                return true;
    }
    for (size_t i = 0; i < insn->n_writes; i++)
        if (block->uses[insn->first_write + i].name == name)
            return true;
    return false;
}

static void parts_of_registers(void **state)
{
    (void)state;
    static const struct {
        const char *name, *hex;
        const char *reads, *not_reads, *writes, *not_writes; /* names by letter, see below */
    } cases[] = {
        /* a b c d: rax rbx rcx rdx; A B C D: ah bh ch dh; s: rsp; f: carry; F: the other flags */
        {"mov al,bl keeps rax", "88d8", "ab", "AB", "a", "A"},
        {"mov ax,bx keeps rax", "6689d8", "ab", "", "a", ""},
        {"mov eax,ebx does not", "89d8", "b", "a", "a", ""},
        {"mov ah,bl is a register apart", "88dc", "b", "a", "A", "a"},
        {"mov al,bh", "88f8", "aB", "b", "a", ""},
        {"add ah,ah", "00e4", "A", "a", "AfF", "a"},
        {"movzx eax,ah", "0fb6c4", "A", "a", "a", ""},
        {"add al,1", "0401", "a", "A", "afF", "A"},
        {"inc ecx leaves the carry", "ffc1", "c", "f", "cF", "f"},
        {"adc ecx,ebx", "11d9", "bcf", "F", "cfF", ""},
        {"xor eax,eax reads nothing", "31c0", "", "a", "afF", ""},
        {"sub rcx,rcx too", "4829c9", "", "c", "cfF", ""},
        {"xor al,al does not break", "30c0", "a", "", "afF", ""},
        {"push rbx: rsp is nobody's", "53", "b", "s", "", "s"},
        {"pop rcx", "59", "", "s", "c", "s"},
        {"ret", "c3", "", "s", "", "s"},
        {"add rsp,8", "4883c408", "s", "", "sfF", ""},
        {"lea rax,[rbx+rcx*2]", "488d044b", "bc", "a", "a", "f"},
        {"nop [rax]", "0f1f00", "", "a", "", "a"},
        {"cmovb eax,ebx", "0f42c3", "abf", "F", "a", "f"},
        {"setb cl keeps rcx", "0f92c1", "cf", "F", "c", ""},
        {"mul rbx", "48f7e3", "ab", "", "adfF", ""},
    };
    static const struct {
        char letter;
        uint8_t name;
    } letters[] = {{'a', RAX},
                   {'b', RBX},
                   {'c', RCX},
                   {'d', RDX},
                   {'s', RSP},
                   {'A', AH},
                   {'B', BH},
                   {'C', CH},
                   {'D', DH},
                   {'f', PIE_REG_FLAG_C},
                   {'F', PIE_REG_FLAG_SPAZO}};
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ooo_block *block = expand(skylake, cases[i].hex);
        const ooo_insn *insn = &block->insns[0];
        for (size_t k = 0; k < sizeof letters / sizeof *letters; k++) {
            const char letter = letters[k].letter;
            const bool r = reads(block, insn, letters[k].name);
            const bool w = writes(block, insn, letters[k].name);
            const bool bad = (strchr(cases[i].reads, letter) && !r) ||
                             (strchr(cases[i].not_reads, letter) && r) ||
                             (strchr(cases[i].writes, letter) && !w) ||
                             (strchr(cases[i].not_writes, letter) && w);
            if (bad)
                print_message("  %s: %c is%s read, is%s written\n", cases[i].name, letter,
                              r ? "" : " not", w ? "" : " not");
            wrong += bad;
        }
        free(block);
    }
    assert_int_equal(wrong, 0);
}

static void high_bytes_and_merges(void **state)
{
    (void)state;
    static const struct {
        const char *name, *hex;
        unsigned high_reads, high_writes, full_writes; /* bits: a c d b */
    } cases[] = {
        {"mov ah,1", "b401", 0, 1, 0},
        {"mov bh,ch", "88ef", 0, 8, 0},
        {"mov al,1", "b001", 0, 0, 0},
        {"mov ax,1", "66b80100", 1, 0, 1},
        {"mov eax,1", "b801000000", 0, 0, 1},
        {"mov ecx,eax", "89c1", 1, 0, 2},
        {"add al,cl", "00c8", 0, 0, 0},
        {"movzx eax,ah", "0fb6c4", 0, 0, 1},
        {"mov rsi,[rax+rdx*2]", "488b3450", 1 | 4, 0, 0},
        {"nop [rax]", "0f1f00", 0, 0, 0},
        {"push rbx", "53", 8, 0, 0},
        {"xchg rcx,rdx", "4887ca", 2 | 4, 0, 2 | 4},
    };
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ooo_block *block = expand(skylake, cases[i].hex);
        const ooo_insn *insn = &block->insns[0];
        const bool bad = insn->high_reads != cases[i].high_reads ||
                         insn->high_writes != cases[i].high_writes ||
                         insn->full_writes != cases[i].full_writes;
        if (bad)
            print_message("  %s: %x %x %x\n", cases[i].name, insn->high_reads, insn->high_writes,
                          insn->full_writes);
        wrong += bad;
        free(block);
    }
    assert_int_equal(wrong, 0);
}

static void the_stack_pointer(void **state)
{
    (void)state;
    static const struct {
        const char *name, *hex;
        int change;
        uint32_t flags;
    } cases[] = {
        {"push rax", "50", -8, 0},
        {"push 16 bits", "6650", -2, 0},
        {"push rsp", "54", -8, OOO_INSN_RSP_USED},
        {"pop rax", "58", 8, 0},
        {"push [rax]", "ff30", -8, 0},
        {"push [rsp]", "ff3424", -8, OOO_INSN_RSP_USED},
        {"call", "e800000000", -8, 0},
        {"call rax", "ffd0", -8, 0},
        {"ret", "c3", 8, 0},
        {"mov rax,rsp", "4889e0", 0, OOO_INSN_RSP_USED},
        {"mov rsp,rax", "4889c4", 0, OOO_INSN_RSP_WRITTEN},
        {"add rsp,8", "4883c408", 0, OOO_INSN_RSP_USED | OOO_INSN_RSP_WRITTEN},
        {"mov rax,[rsp+8]", "488b442408", 0, OOO_INSN_RSP_USED},
        {"lea rax,[rsp+8]", "488d442408", 0, OOO_INSN_RSP_USED},
        {"mov rax,[rbp]", "488b4500", 0, 0},
        {"nop [rsp]", "0f1f0424", 0, 0},
    };
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ooo_block *block = expand(skylake, cases[i].hex);
        const ooo_insn *insn = &block->insns[0];
        const uint32_t flags = insn->flags & (OOO_INSN_RSP_USED | OOO_INSN_RSP_WRITTEN);
        const bool bad = insn->rsp_change != cases[i].change || flags != cases[i].flags;
        if (bad)
            print_message("  %s: %d, flags %x\n", cases[i].name, insn->rsp_change, flags);
        wrong += bad;
        free(block);
    }
    assert_int_equal(wrong, 0);
}

/* ---- memory ---- */

static void memory_operands(void **state)
{
    (void)state;
    enum { READ = OOO_MEM_READ, WRITE = OOO_MEM_WRITE, PLAIN = OOO_MEM_PLAIN_BASE };
    static const struct {
        const char *name, *hex;
        unsigned flags, bytes, base, index;
    } cases[] = {
        {"mov rax,[rdi]", "488b07", READ | PLAIN, 8, RDI, PIE_REG_NONE},
        {"mov rax,[rdi+2047]", "488b87ff070000", READ | PLAIN, 8, RDI, PIE_REG_NONE},
        {"mov rax,[rdi+2048]", "488b8700080000", READ, 8, RDI, PIE_REG_NONE},
        {"mov rax,[rdi-1]", "488b47ff", READ, 8, RDI, PIE_REG_NONE},
        {"mov rax,[rdi+rsi]", "488b0437", READ, 8, RDI, RSI},
        {"mov [rdi],eax", "8907", WRITE | PLAIN, 4, RDI, PIE_REG_NONE},
        {"add [rdi],al", "0007", READ | WRITE | PLAIN, 1, RDI, PIE_REG_NONE},
        {"lea rax,[rdi+rsi]", "488d0437", 0, 0, RDI, RSI},
        {"nop [rax]", "0f1f00", PLAIN, 0, RAX, PIE_REG_NONE},
        {"prefetcht0 [rax]", "0f1808", PLAIN, 0, RAX, PIE_REG_NONE},
        {"mov rax,[rip]", "488b0500000000", READ | PLAIN, 8, PIE_REG_NONE, PIE_REG_NONE},
        {"vmovups ymm0,[rdi]", "c5fc1007", READ | PLAIN, 32, RDI, PIE_REG_NONE},
        {"vpgatherdd ymm0,[rax+ymm1*4],ymm2", "c4e26d900488", READ | OOO_MEM_COUNTED, 4, RAX,
         PIE_REG_VEC0 + 1},
        {"vpmaskmovd [rdi],ymm1,ymm0", "c4e2758e07", WRITE | OOO_MEM_COUNTED | PLAIN, 4, RDI,
         PIE_REG_NONE},
    };
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ooo_block *block = expand(skylake, cases[i].hex);
        const ooo_mem *mem = &block->mems[block->insns[0].first_mem];
        assert_int_equal(block->insns[0].n_mems, 1);
        /* bytes of what makes no access do not matter */
        const bool bad = mem->flags != cases[i].flags ||
                         (cases[i].bytes && mem->bytes != cases[i].bytes) ||
                         mem->base != cases[i].base || mem->index != cases[i].index;
        if (bad)
            print_message("  %s: flags %x, %d bytes, base %d, index %d\n", cases[i].name,
                          mem->flags, mem->bytes, mem->base, mem->index);
        wrong += bad;
        free(block);
    }
    assert_int_equal(wrong, 0);
}

/* ---- pairs ---- */

static void pairs_fuse_by_condition(void **state)
{
    (void)state;
    static const struct {
        const char *name, *hex;
        const char *conditions; /* hexadecimal digits of the condition codes that fuse */
    } cases[] = {
        {"test eax,eax", "85c0", "0123456789abcdef"},
        {"and eax,ebx", "21d8", "0123456789abcdef"},
        {"test al,1", "a801", "0123456789abcdef"},
        {"cmp eax,ebx", "39d8", "234567cdef"},
        {"add eax,ebx", "01d8", "234567cdef"},
        {"sub eax,1", "83e801", "234567cdef"},
        {"cmp eax,[rdi]", "3b07", "234567cdef"},
        {"cmp [rdi],eax", "3907", "234567cdef"},
        {"inc eax", "ffc0", "45cdef"},
        {"dec rcx", "48ffc9", "45cdef"},
        {"cmp [rdi],1", "833f01", ""},
        {"cmp [rip],eax", "390500000000", "234567cdef"},
        {"add [rdi],eax", "0107", ""},
        {"or eax,eax", "09c0", ""},
        {"xor eax,ebx", "31d8", ""},
        {"neg eax", "f7d8", ""},
        {"adc eax,ebx", "11d8", ""},
        {"mov eax,ebx", "89d8", ""},
    };
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (unsigned condition = 0; condition < 16; condition++)
            for (int near = 0; near < 2; near++) {
                char hex[64];
                snprintf(hex, sizeof hex, near ? "%s0f8%x00000000" : "%s7%x00", cases[i].hex,
                         condition);
                ooo_block *block = expand(skylake, hex);
                const bool want = strchr(cases[i].conditions, "0123456789abcdef"[condition]);
                const bool got = ooo_fuses(&block->insns[0], &block->insns[1]);
                if (got != want)
                    print_message("  %s and condition %x: %s\n", cases[i].name, condition,
                                  got ? "fuse" : "do not fuse");
                wrong += got != want;
                free(block);
            }
    assert_int_equal(wrong, 0);
    /* where the jump stands */
    ooo_block *block = expand(skylake, "39d8 7500 e300 ebfe");
    ooo_insn first = block->insns[0], jump = block->insns[1];
    assert_true(ooo_fuses(&first, &jump));
    assert_false(ooo_fuses(&first, &block->insns[2])); /* jrcxz */
    assert_false(ooo_fuses(&first, &block->insns[3]));
    jump.address++; /* not behind it */
    assert_false(ooo_fuses(&first, &jump));
    first.address = 0x103e;
    jump.address = 0x1040; /* the jump begins a 64-byte line */
    assert_false(ooo_fuses(&first, &jump));
    first.address = 0x103f;
    jump.address = 0x1041;
    assert_true(ooo_fuses(&first, &jump));
    first.address = 0x101e;
    jump.address = 0x1020;
    assert_true(ooo_fuses(&first, &jump));
    free(block);
}

/* ---- flags ---- */

static void flags_of_instructions(void **state)
{
    (void)state;
    static const uint32_t all = OOO_INSN_LCP | OOO_INSN_COMPLEX | OOO_INSN_SERIAL |
                                OOO_INSN_ELIMINABLE | OOO_INSN_ELIM_VECTOR | OOO_INSN_ELIM_32 |
                                OOO_INSN_LOCK | OOO_INSN_LOAD_FENCE | OOO_INSN_STORE_FENCE |
                                OOO_INSN_UNKNOWN | OOO_INSN_TWO_DSB_SLOTS | OOO_INSN_POINTER_LOAD |
                                OOO_INSN_REP | OOO_INSN_CONDITIONAL | OOO_INSN_BRANCH;
    static const struct {
        const char *name, *hex;
        uint32_t flags;
    } cases[] = {
        {"add rax,rbx", "4801d8", 0},
        {"add ax,0x1234", "66053412", OOO_INSN_LCP},
        {"mov rax,rbx", "4889d8", OOO_INSN_ELIMINABLE},
        {"mov eax,ebx", "89d8", OOO_INSN_ELIMINABLE | OOO_INSN_ELIM_32},
        {"mov rax,rax", "4889c0", 0},
        {"mov ax,bx", "6689d8", 0},
        {"movzx eax,bl", "0fb6c3", OOO_INSN_ELIMINABLE | OOO_INSN_ELIM_32},
        {"movzx eax,sil", "400fb6c6", 0},
        {"movzx eax,bh", "0fb6c7", 0},
        {"movzx eax,bx", "0fb7c3", 0},
        {"movaps xmm0,xmm1", "0f28c1", OOO_INSN_ELIMINABLE | OOO_INSN_ELIM_VECTOR},
        {"vmovdqa ymm0,ymm1", "c5fd6fc1", OOO_INSN_ELIMINABLE | OOO_INSN_ELIM_VECTOR},
        {"mov rax,[rdi]", "488b07", OOO_INSN_POINTER_LOAD},
        {"mov eax,[rdi]", "8b07", OOO_INSN_POINTER_LOAD},
        {"movsxd rax,[rdi]", "486307", OOO_INSN_POINTER_LOAD},
        {"movzx eax,byte [rdi]", "0fb607", 0},
        {"pop rax", "58", OOO_INSN_POINTER_LOAD},
        {"lock add [rdi],rax", "f0480107", OOO_INSN_LOCK | OOO_INSN_COMPLEX},
        {"mfence", "0faef0",
         OOO_INSN_LOAD_FENCE | OOO_INSN_STORE_FENCE | OOO_INSN_COMPLEX | OOO_INSN_SERIAL},
        {"sfence", "0faef8", OOO_INSN_STORE_FENCE | OOO_INSN_COMPLEX},
        {"mov rax,imm64", "48b88877665544332211", OOO_INSN_TWO_DSB_SLOTS},
        {"mov rax,small imm64", "48b80100000000000000", 0},
        {"mov eax,imm32", "b878563412", 0},
        {"mov dword [rdi],imm32", "c70778563412", OOO_INSN_TWO_DSB_SLOTS},
        {"mov dword [rdi],1", "c70701000000", 0},
        {"jne", "7500", OOO_INSN_CONDITIONAL | OOO_INSN_BRANCH},
        {"jmp", "eb00", OOO_INSN_BRANCH},
        {"rep movsb", "f3a4", OOO_INSN_REP | OOO_INSN_COMPLEX},
        {"bytes that do not decode", "06", OOO_INSN_UNKNOWN},
    };
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ooo_block *block = expand(skylake, cases[i].hex);
        const uint32_t flags = block->insns[0].flags & all;
        if (flags != cases[i].flags)
            print_message("  %s: %x instead of %x\n", cases[i].name, flags, cases[i].flags);
        wrong += flags != cases[i].flags;
        free(block);
    }
    assert_int_equal(wrong, 0);
}

/* ---- the fallback ---- */

static void unknown_forms_fall_back(void **state)
{
    (void)state;
    ooo_table *none = table_of("NOP\t-\t1\t1\t0\t-\t-\t-\t-\n");
    static const struct {
        const char *hex, *classes;
        unsigned slots;
    } cases[] = {{"4801d8", "E", 1},    {"480307", "LE", 1}, {"480107", "LEAD", 2},
                 {"488907", "EAD", 2},  {"06", "E", 1},      {"488d07", "E", 1},
                 {"f348a5", "LEAD", 2}, {"0f1f00", "E", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char classes[16] = "";
        ooo_block *block = expand(none, cases[i].hex);
        const ooo_insn *insn = &block->insns[0];
        for (size_t u = 0; u < insn->n_uops && u < 15; u++)
            classes[u] = (char)block->uops[insn->first_uop + u].class;
        print_message("  %s: %s\n", cases[i].hex, classes);
        assert_string_equal(classes, cases[i].classes);
        assert_int_equal(insn->n_slots, cases[i].slots);
        assert_true(insn->flags & OOO_INSN_UNKNOWN);
        free(block);
    }
    ooo_block *block = expand(none, "480307"); /* add rax,[rdi] */
    assert_true(reads(block, &block->insns[0], RAX));
    assert_true(reads(block, &block->insns[0], OOO_NAME_LOADED));
    assert_true(writes(block, &block->insns[0], RAX));
    assert_true(writes(block, &block->insns[0], PIE_REG_FLAG_C));
    free(block);
    ooo_table_free(none);
}

/* ---- blocks ---- */

static void the_latency_switch_leaves_out_latencies_only(void **state)
{
    (void)state;
    static const uint8_t code[] = {0x48, 0x0f, 0xaf, 0xc3, 0x48, 0x03, 0x07};
    const pie_block *description;
    ooo_block *with = NULL, *without = NULL;
    assert_int_equal(pie_decode_block(decoder, 1, 0x1000, code, sizeof code, &description), PIE_OK);
    assert_int_equal(
        ooo_expand(skylake, description, &(ooo_expand_options){.latency = true}, &with), PIE_OK);
    assert_int_equal(ooo_expand(skylake, description, &(ooo_expand_options){0}, &without), PIE_OK);
    assert_int_equal(with->insns[1].n_uops, without->insns[1].n_uops);
    assert_null(with->executions);
    uint64_t sum_with = 0, sum_without = 0;
    for (size_t u = 0; u < 3; u++) {
        const ooo_uop *uop = &with->uops[u];
        assert_int_equal(uop->n_inputs, without->uops[u].n_inputs);
        assert_int_equal(uop->n_outputs, without->uops[u].n_outputs);
        for (size_t i = 0; i < (size_t)uop->n_inputs + uop->n_outputs; i++) {
            sum_with += with->uses[uop->first_use + i].cycles;
            sum_without += without->uses[uop->first_use + i].cycles;
        }
    }
    assert_true(sum_with > 0);
    assert_int_equal(sum_without, 0);
    free(with);
    free(without);
}

static void a_long_block_is_expanded_whole(void **state)
{
    (void)state;
    char hex[256];
    for (size_t i = 0, n = 0; i < 40; i++)
        n += (size_t)snprintf(hex + n, sizeof hex - n, "%s", i % 2 ? "90" : "4801d8");
    ooo_block *block = expand(skylake, hex);
    assert_int_equal(block->n_insns, 40);
    assert_int_equal(block->id, 7);
    for (size_t i = 0; i < 40; i++) {
        assert_int_equal(block->insns[i].address, 0x1000 + i / 2 * 4 + (i % 2 ? 3 : 0));
        assert_int_equal(block->insns[i].n_uops, i % 2 ? 0 : 1);
        assert_int_equal(block->insns[i].n_slots, 1);
        assert_int_equal(block->executions[i] + block->cycles[i], 0);
    }
    free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_follow_the_documented_rule),
        cmocka_unit_test(well_known_instructions_fuse_as_known),
        cmocka_unit_test(parts_of_registers),
        cmocka_unit_test(high_bytes_and_merges),
        cmocka_unit_test(the_stack_pointer),
        cmocka_unit_test(memory_operands),
        cmocka_unit_test(pairs_fuse_by_condition),
        cmocka_unit_test(flags_of_instructions),
        cmocka_unit_test(unknown_forms_fall_back),
        cmocka_unit_test(the_latency_switch_leaves_out_latencies_only),
        cmocka_unit_test(a_long_block_is_expanded_whole),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
