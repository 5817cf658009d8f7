/* Machine code as text, with names for addresses. */
#include <setjmp.h>
#include <stdarg.h>

#include "trace/disassemble.h"

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int name(const void *context, uint64_t address, char *text, size_t size)
{
    if (address != 0x401000)
        return 0;
    snprintf(text, size, "%s", (const char *)context);
    return 1;
}

static void says_it_in_intel_syntax(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *want;
    } cases[] = {
        {"\x48\x01\xd8", 3, "add rax, rbx"},
        {"\x48\x8b\x44\x8b\x10", 5, "mov rax, [rbx+rcx*4+0x10]"},
        {"\xe8\xfb\x0f\x00\x00", 5, "call there"}, /* 0x400000 + 5 + 0xffb */
        {"\x75\xfe", 2, "jnz 0x400000"},           /* has no name */
        {"\x8b\x05\xfa\x0f\x00\x00", 6, "mov eax, [there]"},
        {"\xc5\xf5\xfe\xc2", 4, "vpaddd ymm0, ymm1, ymm2"},
        {"\x06", 1, "(bad)"},
        {"\x48", 1, "(bad)"},
        {"", 0, "(bad)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64];
        pie_disassemble(0x400000, cases[i].bytes, cases[i].n, name, "there", text, sizeof text);
        assert_string_equal(text, cases[i].want);
    }
}

static void does_without_names_and_cuts(void **state)
{
    char text[8];
    (void)state;
    pie_disassemble(0x400000, "\x48\x01\xd8", 3, NULL, NULL, text, sizeof text);
    assert_string_equal(text, "add rax");
    text[0] = 'x';
    pie_disassemble(0x400000, "\x90", 1, NULL, NULL, text, 0);
    assert_int_equal(text[0], 'x');
    char line[64];
    pie_disassemble(0x400000, "\xe8\xfb\x0f\x00\x00", 5, NULL, NULL, line, sizeof line);
    assert_string_equal(line, "call 0x401000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_it_in_intel_syntax),
        cmocka_unit_test(does_without_names_and_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
