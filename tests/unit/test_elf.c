/* The ELF reader, on this program, on programs made by hand, and on garbage. */
#include <setjmp.h>
#include <stdarg.h>

#include "base/file.h"
#include "pipeline/elf.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_SYMBOLS = 10 };

typedef struct small {
    Elf64_Ehdr header;
    Elf64_Phdr segments[2];
    Elf64_Shdr sections[3];
    unsigned char code[100];
    Elf64_Sym symbols[N_SYMBOLS];
    char strings[64];
} small;

static small good(void)
{
    small s = {0};
    memcpy(s.header.e_ident, ELFMAG, SELFMAG);
    s.header.e_ident[EI_CLASS] = ELFCLASS64;
    s.header.e_ident[EI_DATA] = ELFDATA2LSB;
    s.header.e_machine = EM_X86_64;
    s.header.e_type = ET_EXEC;
    s.header.e_phoff = offsetof(small, segments);
    s.header.e_phentsize = sizeof(Elf64_Phdr);
    s.header.e_phnum = 2;
    s.header.e_shoff = offsetof(small, sections);
    s.header.e_shentsize = sizeof(Elf64_Shdr);
    s.header.e_shnum = 3;
    s.segments[0] = (Elf64_Phdr){.p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = 64};
    s.segments[1] = (Elf64_Phdr){.p_type = PT_LOAD,
                                 .p_flags = PF_R | PF_X,
                                 .p_offset = offsetof(small, code),
                                 .p_filesz = 100};
    s.sections[1] = (Elf64_Shdr){.sh_type = SHT_PROGBITS,
                                 .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
                                 .sh_offset = offsetof(small, code),
                                 .sh_size = 60};
    s.sections[2] = s.sections[1];
    s.sections[2].sh_size = 7;
    return s;
}

static void reads_a_program(void **state)
{
    (void)state;
    small s = good();
    pie_elf elf;
    const char *reason = NULL;
    assert_int_equal(pie_elf_read(&s, sizeof s, &elf, &reason), PIE_OK);
    assert_int_equal(elf.text_bytes, 67);
    assert_false(elf.is_dynamic);
    s.segments[0].p_type = PT_INTERP;
    assert_int_equal(pie_elf_read(&s, sizeof s, &elf, &reason), PIE_OK);
    assert_true(elf.is_dynamic);
}

static void counts_segments_without_sections(void **state)
{
    (void)state;
    small s = good();
    pie_elf elf;
    const char *reason = NULL;
    s.header.e_shnum = 0;
    assert_int_equal(pie_elf_read(&s, sizeof s, &elf, &reason), PIE_OK);
    assert_int_equal(elf.text_bytes, 100);
    s = good();
    s.header.e_shoff = UINT64_MAX - 8;
    assert_int_equal(pie_elf_read(&s, sizeof s, &elf, &reason), PIE_OK);
    assert_int_equal(elf.text_bytes, 100);
    s = good();
    s.sections[1].sh_size = UINT64_MAX; /* damaged ones do not count */
    assert_int_equal(pie_elf_read(&s, sizeof s, &elf, &reason), PIE_OK);
    assert_int_equal(elf.text_bytes, 7);
}

static void refuses_what_is_no_program(void **state)
{
    (void)state;
    pie_elf elf;
    for (int i = 0; i < 9; i++) {
        small s = good();
        const char *reason = NULL;
        size_t n = sizeof s;
        switch (i) {
        case 0:
            s.header.e_ident[1] = 'x';
            break;
        case 1:
            s.header.e_ident[EI_CLASS] = ELFCLASS32;
            break;
        case 2:
            s.header.e_machine = EM_AARCH64;
            break;
        case 3:
            s.header.e_type = ET_REL;
            break;
        case 4:
            s.header.e_phnum = 0;
            break;
        case 5:
            s.header.e_phoff = UINT64_MAX;
            break;
        case 6:
            s.segments[1].p_offset = UINT64_MAX;
            break;
        case 7:
            s.segments[0].p_type = s.segments[1].p_type = PT_NULL;
            break;
        default:
            n = 0;
            break;
        }
        if (pie_elf_read(&s, n, &elf, &reason) != PIE_ERR_DATA)
            fail_msg("case %d was taken", i);
        assert_non_null(reason);
    }
}

/* Addresses are as in the small program: its code begins at 0x1000. */
static small with_symbols(void)
{
    static const char strings[] = "\0start\0__start\0label\0inner\0data\0bad\tname\0next\0tail";
    small s = good();
    s.header.e_type = ET_DYN;
    s.header.e_entry = 0x1000;
    s.segments[1].p_vaddr = 0x1000;
    s.segments[1].p_memsz = 100;
    s.sections[0] = (Elf64_Shdr){
        .sh_type = SHT_STRTAB, .sh_offset = offsetof(small, strings), .sh_size = sizeof s.strings};
    s.sections[1].sh_addr = 0x1000;
    s.sections[1].sh_size = 100;
    s.sections[2] = (Elf64_Shdr){.sh_type = SHT_SYMTAB,
                                 .sh_offset = offsetof(small, symbols),
                                 .sh_size = sizeof s.symbols,
                                 .sh_entsize = sizeof(Elf64_Sym)};
    memcpy(s.strings, strings, sizeof strings);
    const Elf64_Sym symbols[N_SYMBOLS] = {
        {0},
        {7, ELF64_ST_INFO(STB_LOCAL, STT_FUNC), 0, 1, 0x1000, 16},   /* __start */
        {1, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 1, 0x1000, 16},  /* start: the nicer name */
        {21, ELF64_ST_INFO(STB_LOCAL, STT_NOTYPE), 0, 1, 0x1008, 0}, /* inner: of start */
        {15, ELF64_ST_INFO(STB_LOCAL, STT_NOTYPE), 0, 1, 0x1020, 0}, /* label: up to next */
        {41, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 1, 0x1030, 8},  /* next */
        {32, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 1, 0x1040, 8},  /* bad: a tab */
        {46, ELF64_ST_INFO(STB_LOCAL, STT_NOTYPE), 0, 1, 0x1050,
         0}, /* tail: up to the section's end */
        {1, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, SHN_UNDEF, 0x1060, 8},
        {27, ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), 0, 2, 0x9000, 8}};
    memcpy(s.symbols, symbols, sizeof symbols);
    return s;
}

static void read_symbols(const void *bytes, size_t n)
{
    pie_symbols *symbols = NULL;
    uint64_t bias;
    assert_int_equal(pie_symbols_new(bytes, n, &symbols), PIE_OK);
    for (uint64_t address = 0x1000; address < 0x1100; address += 16) {
        const pie_symbol *symbol = pie_symbols_find(symbols, address);
        assert_true(!symbol || (symbol->address <= address && address < symbol->end));
    }
    (void)pie_symbols_is_entry(symbols, 0x1000, "code", 4, &bias);
    pie_symbols_free(symbols);
}

/* Every length, and every byte changed: no read outside (the sanitizer sees to that). */
static void survives_damage_anywhere(void **state)
{
    (void)state;
    const small whole = with_symbols();
    for (size_t n = 0; n <= sizeof whole; n++) {
        unsigned char *copy = malloc(n ? n : 1); /* of exactly this size */
        pie_elf elf;
        const char *reason = NULL;
        assert_non_null(copy);
        memcpy(copy, &whole, n);
        const pie_status status = pie_elf_read(copy, n, &elf, &reason);
        assert_true(status == PIE_OK || (status == PIE_ERR_DATA && reason));
        assert_true(status == PIE_OK || n < sizeof whole);
        read_symbols(copy, n);
        for (size_t at = 0; n == sizeof whole && at < n; at++) {
            for (unsigned value = 0; value < 256; value += 51) {
                memcpy(copy, &whole, n);
                copy[at] = (unsigned char)value;
                (void)pie_elf_read(copy, n, &elf, &reason);
                read_symbols(copy, n);
            }
        }
        free(copy);
    }
}

static void finds_symbols_by_address(void **state)
{
    static const struct {
        uint64_t address;
        const char *want;
    } cases[] = {{0xfff, NULL},     {0x1000, "start"}, {0x100f, "start"}, {0x1010, NULL},
                 {0x1020, "label"}, {0x102f, "label"}, {0x1030, "next"},  {0x1037, "next"},
                 {0x1038, NULL},    {0x1040, NULL},    {0x1050, "tail"},  {0x1063, "tail"},
                 {0x1064, NULL},    {0x9007, "data"},  {0x9008, NULL},    {UINT64_MAX, NULL}};
    const small s = with_symbols();
    pie_symbols *symbols = NULL;
    (void)state;
    assert_int_equal(pie_symbols_new(&s, sizeof s, &symbols), PIE_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const pie_symbol *symbol = pie_symbols_find(symbols, cases[i].address);
        print_message("  %llx\n", (unsigned long long)cases[i].address);
        if (cases[i].want) {
            assert_non_null(symbol);
            assert_string_equal(symbol->name, cases[i].want);
        } else {
            assert_null(symbol);
        }
    }
    assert_true(pie_symbols_is_code(symbols, 0x1063));
    assert_false(pie_symbols_is_code(symbols, 0x1064));
    assert_false(pie_symbols_is_code(symbols, 0x9000));
    pie_symbols_free(symbols);
}

static void knows_where_it_was_loaded(void **state)
{
    small s = with_symbols();
    pie_symbols *symbols = NULL;
    uint64_t bias = 7;
    (void)state;
    for (size_t i = 0; i < sizeof s.code; i++)
        s.code[i] = (unsigned char)i;
    assert_int_equal(pie_symbols_new(&s, sizeof s, &symbols), PIE_OK);
    assert_false(pie_symbols_is_entry(symbols, 0x4000001010, s.code, 8, &bias));
    assert_false(pie_symbols_is_entry(symbols, 0x4000001000, s.code + 1, 8, &bias));
    assert_false(pie_symbols_is_entry(symbols, 0x4000001000, s.code, sizeof s.code + 1, &bias));
    assert_int_equal(bias, 7);
    assert_true(pie_symbols_is_entry(symbols, 0x4000001000, s.code, 8, &bias));
    assert_int_equal(bias, 0x4000000000);
    pie_symbols_free(symbols);
    s.header.e_type = ET_EXEC; /* cannot be anywhere else */
    assert_int_equal(pie_symbols_new(&s, sizeof s, &symbols), PIE_OK);
    assert_false(pie_symbols_is_entry(symbols, 0x4000001000, s.code, 8, &bias));
    assert_true(pie_symbols_is_entry(symbols, 0x1000, s.code, 8, &bias));
    assert_int_equal(bias, 0);
    pie_symbols_free(symbols);
}

static void has_no_symbols_in_damaged_tables(void **state)
{
    (void)state;
    for (int i = 0; i < 7; i++) {
        small s = with_symbols();
        pie_symbols *symbols = NULL;
        switch (i) {
        case 0:
            s.sections[2].sh_link = 3;
            break;
        case 1:
            s.sections[2].sh_entsize = 8;
            break;
        case 2:
            s.sections[2].sh_offset = UINT64_MAX - 8;
            break;
        case 3:
            s.sections[0].sh_size = UINT64_MAX;
            break;
        case 4:
            s.sections[0].sh_type = SHT_PROGBITS;
            break;
        case 5:
            s.header.e_shnum = 0;
            break;
        default:
            memset(s.strings, 'x', sizeof s.strings); /* no end */
            break;
        }
        assert_int_equal(pie_symbols_new(&s, sizeof s, &symbols), PIE_OK);
        if (pie_symbols_find(symbols, 0x1000))
            fail_msg("case %d has a symbol", i);
        pie_symbols_free(symbols);
    }
}

static void reads_this_program(void **state)
{
    (void)state;
    pie_buf bytes = {0};
    pie_elf elf;
    const char *reason = NULL;
    assert_int_equal(pie_file_read("/proc/self/exe", 1u << 30, &pie_log_stderr, &bytes), PIE_OK);
    assert_int_equal(pie_elf_read(bytes.data, bytes.n, &elf, &reason), PIE_OK);
    assert_true(elf.is_dynamic);
    assert_true(elf.text_bytes > 1000 && elf.text_bytes < bytes.n);
    pie_symbols *symbols = NULL;
    assert_int_equal(pie_symbols_new(bytes.data, bytes.n, &symbols), PIE_OK);
    const uintptr_t here = (uintptr_t)reads_this_program;
    bool found = false; /* wherever it was loaded: whole pages away */
    for (uint64_t linked = here % 4096; linked < 1 << 24 && !found; linked += 4096) {
        const pie_symbol *symbol = pie_symbols_find(symbols, linked);
        found =
            symbol && symbol->address == linked && strcmp(symbol->name, "reads_this_program") == 0;
    }
    assert_true(found);
    pie_symbols_free(symbols);
    pie_buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_program),
        cmocka_unit_test(counts_segments_without_sections),
        cmocka_unit_test(refuses_what_is_no_program),
        cmocka_unit_test(finds_symbols_by_address),
        cmocka_unit_test(knows_where_it_was_loaded),
        cmocka_unit_test(has_no_symbols_in_damaged_tables),
        cmocka_unit_test(survives_damage_anywhere),
        cmocka_unit_test(reads_this_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
