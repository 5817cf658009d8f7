/* C++ names made short, and bad ones left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/demangle.h"

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void says_what_people_write(void **state)
{
    static const struct {
        const char *mangled, *want;
    } cases[] = {
        {"main", "main"},
        {"_Z3fooi", "foo"},
        {"_ZL3foov", "foo"},
        {"_ZN1a1bC2Ei", "a::b::b"},
        {"_ZNK1a1bD0Ev", "a::b::~b"},
        {"_Znwm", "operator new"},
        {"_ZdaPv", "operator delete[]"},
        {"_ZN1aaSERKS_", "a::operator="},
        {"_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector::push_back"},
        {"_ZNSt6vectorIiSaIiEEC1Em", "std::vector::vector"},
        {"_ZStlsISt11char_traitsIcEERSt13basic_ostreamIcT_ES5_c", "std::operator<<"},
        {"_ZNSolsEi", "std::ostream::operator<<"},
        {"_ZSt4sortIPiPFbiiEEvT_S3_T0_", "std::sort"},
        {"_Z1fIJidEEvDpT_", "f"},
        {"_Z1fILi3ELb1EEvv", "f"},
        {"_ZN12_GLOBAL__N_13fooEv", "(anonymous namespace)::foo"},
        {"_ZZ4mainENKUliE_clEi", "main::{lambda}::operator()"},
        {"_ZZ1fiE1n_0", "f::n"},
        {"_ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE6appendEPKc",
         "std::__cxx11::basic_string::append"},
        {"_ZNKSt5ctypeIcE8do_widenB5cxx11Ec", "std::ctype::do_widen"},
        {"_Z3fooi.cold", "foo.cold"},
        {"_ZSt16__introsort_loopIPilEvT_S1_T0_.isra.0", "std::__introsort_loop.isra.0"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        pie_demangle(cases[i].mangled, text, sizeof text);
        assert_string_equal(text, cases[i].want);
    }
}

static void leaves_what_it_cannot_read(void **state)
{
    static const char *const cases[] = {
        "",         "_Z",           "_ZN",       "_ZN3foo", "_Z9foo",    "_Z0v",   "_ZNE",
        "_ZTV1a",   "_ZThn8_N1aD0", "_Z1fIXadE", "_Zv",     "_ZNIiE1aE", "_ZZ1fE", "_Z99999999999a",
        "_ZN1aIiE", "_ZNS0_1aEv",   "_ZN1acvbEv"};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        pie_demangle(cases[i], text, sizeof text);
        assert_string_equal(text, cases[i]);
    }
}

static void stays_within_the_text_and_the_stack(void **state)
{
    char name[4096], text[8];
    (void)state;
    pie_demangle("_ZN12_GLOBAL__N_13fooEv", text, sizeof text);
    assert_string_equal(text, "(anonym");
    pie_demangle("a_long_name", text, sizeof text);
    assert_string_equal(text, "a_long_");
    pie_demangle("_Z3foov", text, 1);
    assert_string_equal(text, "");
    /* templates in templates beyond reason */
    size_t n = (size_t)snprintf(name, sizeof name, "_Z1f");
    while (n + 3 < sizeof name)
        n += (size_t)snprintf(name + n, sizeof name - n, "I1a");
    char whole[sizeof name];
    pie_demangle(name, whole, sizeof whole);
    assert_string_equal(whole, name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_people_write),
        cmocka_unit_test(leaves_what_it_cannot_read),
        cmocka_unit_test(stays_within_the_text_and_the_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
