/* test_check.c - the comparators. What PIE's own rule says in each case was worked out by hand from
 * the definitions of Python's str.strip(), str.splitlines() and float(). */
#include "dataset/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool check(int32_t mode, double tolerance, const char *expected, const char *actual,
                  pie_difference *ret)
{
    /* memory of exactly that size, so that reading beyond it is seen */
    const size_t n_expected = strlen(expected), n_actual = strlen(actual);
    char *a = malloc(n_expected + 1), *b = malloc(n_actual + 1);
    assert_non_null(a);
    assert_non_null(b);
    memcpy(a + 1, expected, n_expected);
    memcpy(b + 1, actual, n_actual);
    const bool same = pie_check_output(mode, tolerance, a + 1, n_expected, b + 1, n_actual, ret);
    assert_int_equal(pie_check_output(mode, tolerance, a + 1, n_expected, b + 1, n_actual, NULL),
                     same);
    free(a);
    free(b);
    return same;
}

typedef struct check_case {
    const char *name, *expected, *actual;
    bool same;
} check_case;

static void run_cases(int32_t mode, double tolerance, const check_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pie_difference difference = {.line = 99};
        print_message("  %s\n", cases[i].name);
        assert_int_equal(check(mode, tolerance, cases[i].expected, cases[i].actual, &difference),
                         cases[i].same);
        assert_int_equal(difference.line == 0, cases[i].same);
        assert_int_equal(difference.column == 0, cases[i].same);
    }
}

static void tokens_are_compared_as_text(void **state)
{
    (void)state;
    static const check_case cases[] = {
        {"equal", "1 2\n", "1 2\n", true},
        {"both empty", "", "", true},
        {"empty and blank", "", " \n\t\r\n", true},
        {"white space does not count", "1 2\n3", "  1\t2 \r\n\n3\n\n", true},
        {"lines may be joined", "1\n2", "1 2", true},
        {"a token too few", "1 2 3", "1 2", false},
        {"a token too many", "1 2", "1 2 3", false},
        {"nothing", "1", "", false},
        {"something for nothing", "", "1", false},
        {"joined tokens", "1 2", "12", false},
        {"upper case", "Yes", "YES", false},
        {"the same number in another form", "1", "1.0", false},
        {"leading zero", "7", "07", false},
        {"prefix", "abc", "ab", false},
        {"control character", "a", "a\x01", false},
    };
    run_cases(PIE_CHECK_TOKENS, 0, cases, sizeof cases / sizeof *cases);
}

static void numeric_tokens_may_differ_by_the_tolerance(void **state)
{
    (void)state;
    static const check_case cases[] = {
        {"absolute", "0.5", "0.5000009", true},
        {"absolute, too far", "0.5", "0.500002", false},
        {"relative", "1000000.0", "1000000.9", true},
        {"relative, too far", "1000000.0", "1000001.1", false},
        {"relative to the expected value", "-2000000.5", "-2000000.0", true},
        {"other forms", "1e3", "1000.0000001", true},
        {"no digit before the point", ".5", "0.5", true},
        {"no digit behind the point", "5.", "+5.0", true},
        {"integer against fraction", "3", "3.0000000", true},
        {"two integers are exact", "1000000007", "1000000008", false},
        {"two integers in other forms are exact", "5", "05", false},
        {"huge integers against fractions", "100000000000000000000000000001", "1e29", true},
        {"other words are exact", "abc", "abd", false},
        {"nan is a word", "nan", "nan", true},
        {"nan is no number", "nan", "0.0", false},
        {"inf is no number", "inf", "1e400", false},
        {"overflow equals nothing but its text", "1e400", "2e400", false},
        {"hexadecimal is a word", "0x10", "16.0", false},
        {"underscore is a word", "1_000", "1000.0", false},
        {"comma is a word", "1,5", "1.5", false},
        {"half a number is a word", "1e", "1.0", false},
        {"two points are a word", "1.2.3", "1.2", false},
        {"sign only", "-", "0.0", false},
        {"point only", ".", "0.0", false},
        {"minus zero", "0.0", "-0.0", true},
    };
    run_cases(PIE_CHECK_TOKENS, 1e-6, cases, sizeof cases / sizeof *cases);
}

static void bytes_are_compared_one_by_one(void **state)
{
    (void)state;
    static const check_case cases[] = {
        {"equal", "a\nb\n", "a\nb\n", true},
        {"both empty", "", "", true},
        {"end of the last line", "a\n", "a", false},
        {"CRLF", "a\n", "a\r\n", false},
        {"more", "a", "ab", false},
        {"nothing", "a", "", false},
    };
    run_cases(PIE_CHECK_EXACT, 0, cases, sizeof cases / sizeof *cases);
}

static void pies_own_rule_is_followed(void **state)
{
    (void)state;
    static const check_case cases[] = {
        {"equal", "1\n2\n", "1\n2\n", true},
        {"white space around the whole is stripped", "1\n2", "\n \t1\n2 \n\n", true},
        {"white space within is not", "1 2", "1  2", false},
        {"a trailing blank on an inner line", "a\nb", "a \nb", false},
        {"the same on a number", "1\n2", "1 \n 2", true},
        {"extra output lines are ignored", "1\n2", "1\n2\n3\n4", true},
        {"a missing line is wrong", "1\n2\n3", "1\n2", false},
        {"a wrong line", "1\n2\n3", "1\n9\n3", false},
        {"nothing for something", "1", "", false},
        {"an inner blank line counts", "1\n\n2", "1\n2", false},
        {"CRLF and CR end lines", "1\n2\n3", "1\r\n2\r3", true},
        {"form feed and others end lines too", "1\n2\n3\n4",
         "1\f2\v3\x1c"
         "4",
         true},
        {"unit separator does not", "a\nb",
         "a\x1f"
         "b",
         false},
        {"U+0085, U+2028 and U+2029 end lines", "1\n2\n3\n4",
         "1\xc2\x85"
         "2\xe2\x80\xa8"
         "3\xe2\x80\xa9"
         "4",
         true},
        {"U+00A0 and U+3000 are stripped", "a",
         "\xc2\xa0\xe3\x80\x80"
         "a\xe2\x80\x83",
         true},
        {"other characters are not", "a",
         "\xc3\xa0"
         "a",
         false},
        {"a blank expectation passes nothing", "", "", false},
        {"a blank expectation passes nothing at all", " \n", "1", false},
        {"output that is not UTF-8", "1", "1\n\xff", false},
        {"output that is cut UTF-8", "1", "1\n\xe2\x80", false},
        {"overlong UTF-8", "1", "1\n\xc0\xaf", false},
        {"a surrogate in UTF-8", "1", "1\n\xed\xa0\x80", false},
        {"valid UTF-8", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", true},
        {"within 1e-3", "1.0000", "1.0009", true},
        {"1.001 - 1 is less than 1e-3 in binary", "1", "1.001", true},
        {"0.001 is not less than 1e-3", "0", "0.001", false},
        {"a little more", "1", "1.0011", false},
        {"absolute, never relative", "1000000", "1000000.5", false},
        {"integers too", "1", "1.0", true},
        {"only when the line is one number", "1 1.0", "1 1.0001", false},
        {"exponents", "100000", "1e5", true},
        {"point at either end", ".5", "0.5", true},
        {"underscores between digits", "1000", "1_000", true},
        {"underscores in the exponent", "1e10", "1e1_0", true},
        {"two underscores are none", "1000", "1__000", false},
        {"underscore at the end", "1000", "1000_", false},
        {"underscore by the point", "10.5", "10_.5", false},
        {"blanks around a number", "1\n2\n3", "1\n \t2 \n3", true},
        {"a unit separator behind a number", "5", "5\n\x1f", true},
        {"but not on its line", "5\n6", "5\x1f\n6", false},
        {"sign", "5", "+5", true},
        {"two signs", "5", "++5", false},
        {"blank behind the sign", "-5", "- 5", false},
        {"hexadecimal is no number", "16", "0x10", false},
        {"nan equals itself as text", "nan", "nan", true},
        {"nan differs from NaN", "nan", "NaN", false},
        {"inf minus inf is nan", "inf", "Infinity", false},
        {"inf is far from numbers", "1e308", "inf", false},
        {"infinities of overflow", "1e400", "1e500", false},
        {"both overflow with the same text", "1e400", "1e400", true},
        {"a word", "yes", "no", false},
        {"a suffix makes it a word", "1", "1f", false},
    };
    run_cases(PIE_CHECK_PIE, 0, cases, sizeof cases / sizeof *cases);
    char zeros[3000], one[3000];
    memset(zeros, '0', sizeof zeros);
    snprintf(zeros, 3, "0.");
    zeros[2] = '0';
    zeros[2999] = '\0';
    memcpy(one, zeros, sizeof one);
    one[2998] = '1';
    assert_true(check(PIE_CHECK_PIE, 0, zeros, one, NULL));
    one[1999] = '1';
    assert_true(check(PIE_CHECK_PIE, 0, "0", one, NULL));
    one[3] = '1';
    assert_false(check(PIE_CHECK_PIE, 0, "0", one, NULL));
}

/* More digits than any buffer: what is cut off still decides how a tie is rounded. 9007199254740993
 * lies halfway between two doubles; the first is even. */
static void long_numbers_are_rounded_correctly(void **state)
{
    (void)state;
    char tie[1200], above[1200];
    snprintf(tie, sizeof tie, "9007199254740993.");
    memset(tie + 17, '0', 1000);
    memcpy(tie + 1017, "", 1);
    memcpy(above, tie, sizeof above);
    above[1016] = '1';
    assert_true(check(PIE_CHECK_TOKENS, 1e-300, tie, "9007199254740992.0", NULL));
    assert_true(check(PIE_CHECK_TOKENS, 1e-300, above, "9007199254740994.0", NULL));
    assert_false(check(PIE_CHECK_TOKENS, 1e-300, above, "9007199254740992.0", NULL));
}

static void difference_is_located_and_printable(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int32_t mode;
        const char *expected, *actual;
        size_t line, column;
        const char *shown_expected, *shown_actual;
    } cases[] = {
        {"token", PIE_CHECK_TOKENS, "1 2\n3 4\n", "1 2\n3 50\n", 2, 3, "4", "50"},
        {"token missing", PIE_CHECK_TOKENS, "1 2\n", "1\n", 2, 1, "2", ""},
        {"token missing, no end of line", PIE_CHECK_TOKENS, "1 2\n", "1", 1, 2, "2", ""},
        {"token too many", PIE_CHECK_TOKENS, "1", "1\n\n 9", 3, 2, "", "9"},
        {"byte", PIE_CHECK_EXACT, "ab\ncd\n", "ab\ncx\n", 2, 2, "d\\n", "x\\n"},
        {"byte missing", PIE_CHECK_EXACT, "ab\n", "ab", 1, 3, "\\n", ""},
        {"line", PIE_CHECK_PIE, "1\n\n2 3\n", "\n1\n\n2 4\n", 4, 3, "2 3", "2 4"},
        {"line missing", PIE_CHECK_PIE, "1\n2\n", "1\n\n", 1, 2, "2", ""},
        {"control characters and others", PIE_CHECK_EXACT, "\\\t\x01\x7f", "\xc3\xa4\"", 1, 1,
         "\\\\\\t\\x01\\x7f", "\\xc3\\xa4\""},
        {"long", PIE_CHECK_TOKENS,
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "a",
         "b", 1, 1, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...",
         "b"},
        {"difference far behind", PIE_CHECK_TOKENS,
         "0123456789012345678901234567890123456789012345678901234567890123456789A",
         "0123456789012345678901234567890123456789012345678901234567890123456789B", 1, 1,
         "...01234567890123456789A", "...01234567890123456789B"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pie_difference got;
        print_message("  %s\n", cases[i].name);
        assert_false(check(cases[i].mode, 0, cases[i].expected, cases[i].actual, &got));
        assert_int_equal(got.line, cases[i].line);
        assert_int_equal(got.column, cases[i].column);
        assert_string_equal(got.expected, cases[i].shown_expected);
        assert_string_equal(got.actual, cases[i].shown_actual);
    }
}

static void locale_changes_nothing(void **state)
{
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", NULL};
    bool any = false;
    for (size_t i = 0; names[i] && !any; i++)
        any = setlocale(LC_ALL, names[i]) != NULL;
    if (!any)
        print_message(
            "  no locale with a decimal comma is installed: checked in the C locale only\n");
    assert_true(check(PIE_CHECK_PIE, 0, "1.5", "1.5001", NULL));
    assert_false(check(PIE_CHECK_PIE, 0, "1,5", "1,5001", NULL));
    assert_true(check(PIE_CHECK_TOKENS, 1e-3, "1.5", "1.5001", NULL));
    setlocale(LC_ALL, "C");
}

static void modes_have_names(void **state)
{
    (void)state;
    assert_int_equal(pie_check_mode("tokens"), PIE_CHECK_TOKENS);
    assert_int_equal(pie_check_mode("exact"), PIE_CHECK_EXACT);
    assert_int_equal(pie_check_mode("pie"), PIE_CHECK_PIE);
    assert_int_equal(pie_check_mode("program"), PIE_CHECK_PROGRAM);
    assert_int_equal(pie_check_mode("Tokens"), 0);
    assert_int_equal(pie_check_mode(""), 0);
}

static double seconds_for(int32_t mode, const char *piece, size_t n_bytes)
{
    const size_t n_piece = strlen(piece);
    char *text = malloc(n_bytes);
    struct timespec start, end;
    assert_non_null(text);
    for (size_t i = 0; i < n_bytes; i++)
        text[i] = piece[i % n_piece];
    char *other = malloc(n_bytes);
    assert_non_null(other);
    memcpy(other, text, n_bytes);
    other[n_bytes - 1] ^= 1; /* seen only at the end */
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    pie_difference difference;
    pie_check_output(mode, mode == PIE_CHECK_TOKENS ? 1e-9 : 0, text, n_bytes, other, n_bytes,
                     &difference);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    free(text);
    free(other);
    return (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
}

static void takes_linear_time(void **state)
{
    (void)state;
    static const char *const pieces[] = {"1", "0",  "1.5\n",        " ",   "\n", "\r\n",
                                         "_", "1_", "\xe2\x80\x83", "a b "};
    for (int32_t mode = PIE_CHECK_TOKENS; mode <= PIE_CHECK_PIE; mode++)
        for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
            const double small = seconds_for(mode, pieces[i], 300000);
            const double large = seconds_for(mode, pieces[i], 3000000);
            if (large > 0.2 && large > 40 * small)
                fail_msg("mode %d, \"%s\": %g s for a tenth, %g s for the whole", mode, pieces[i],
                         small, large);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_compared_as_text),
        cmocka_unit_test(numeric_tokens_may_differ_by_the_tolerance),
        cmocka_unit_test(bytes_are_compared_one_by_one),
        cmocka_unit_test(pies_own_rule_is_followed),
        cmocka_unit_test(long_numbers_are_rounded_correctly),
        cmocka_unit_test(difference_is_located_and_printable),
        cmocka_unit_test(locale_changes_nothing),
        cmocka_unit_test(modes_have_names),
        cmocka_unit_test(takes_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
