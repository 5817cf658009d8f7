/* The ELF reader, on this program, on programs made by hand, and on garbage. */
#include <setjmp.h>
#include <stdarg.h>

#include "base/file.h"
#include "pipeline/elf.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct small {
    Elf64_Ehdr header;
    Elf64_Phdr segments[2];
    Elf64_Shdr sections[3];
    unsigned char code[100];
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

/* Every length, and every byte changed: no read outside (the sanitizer sees to that). */
static void survives_damage_anywhere(void **state)
{
    (void)state;
    const small whole = good();
    for (size_t n = 0; n <= sizeof whole; n++) {
        unsigned char *copy = malloc(n ? n : 1); /* of exactly this size */
        pie_elf elf;
        const char *reason = NULL;
        assert_non_null(copy);
        memcpy(copy, &whole, n);
        const pie_status status = pie_elf_read(copy, n, &elf, &reason);
        assert_true(status == PIE_OK || (status == PIE_ERR_DATA && reason));
        assert_true(status == PIE_OK || n < sizeof whole);
        for (size_t at = 0; n == sizeof whole && at < n; at++) {
            for (unsigned value = 0; value < 256; value += 51) {
                memcpy(copy, &whole, n);
                copy[at] = (unsigned char)value;
                (void)pie_elf_read(copy, n, &elf, &reason);
            }
        }
        free(copy);
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
    pie_buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_program),
        cmocka_unit_test(counts_segments_without_sections),
        cmocka_unit_test(refuses_what_is_no_program),
        cmocka_unit_test(survives_damage_anywhere),
        cmocka_unit_test(reads_this_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
