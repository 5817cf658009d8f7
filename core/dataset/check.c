/* check.c */
#include "dataset/check.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int32_t pie_check_mode(const char *name)
{
    static const char *const names[] = {"tokens", "exact", "pie", "program"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return (int32_t)i + PIE_CHECK_TOKENS;
    return 0;
}

/* A run of bytes in one of the two outputs. */
typedef struct span {
    const char *at, *end;
} span;

static size_t length(span s)
{
    return (size_t)(s.end - s.at);
}

static bool equal(span a, span b)
{
    return length(a) == length(b) && (a.at == a.end || memcmp(a.at, b.at, length(a)) == 0);
}

static size_t common_prefix(span a, span b)
{
    size_t n = 0;
    while (a.at + n < a.end && b.at + n < b.end && a.at[n] == b.at[n])
        n++;
    return n;
}

/* ---- what differs ---------------------------------------------------------------------------- */

/* @s as printable ASCII. The byte at @from is always shown. */
static void show(char ret_text[80], span s, size_t from)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;
    if (from > 40) { /* keep some of what stands before the difference */
        memcpy(ret_text, "...", 3);
        n = 3;
        s.at += from - 20;
    }
    for (; s.at < s.end; s.at++) {
        const unsigned char c = (unsigned char)*s.at;
        if (n + 4 + 4 > 80) { /* room for the longest form, the dots and the NUL */
            memcpy(ret_text + n, "...", 3);
            n += 3;
            break;
        }
        const char *short_form = c == '\n' ? "n" : c == '\r' ? "r" : c == '\t' ? "t" : NULL;
        if (c == '\\' || short_form) {
            ret_text[n++] = '\\';
            ret_text[n++] = short_form ? *short_form : '\\';
        } else if (c < 0x20 || c >= 0x7f) {
            const char form[4] = {'\\', 'x', hex[c >> 4], hex[c & 15]};
            memcpy(ret_text + n, form, sizeof form);
            n += sizeof form;
        } else {
            ret_text[n++] = (char)c;
        }
    }
    ret_text[n] = '\0';
}

/* Says that the outputs differ at @at in the actual one; always false, the result of the check. */
static bool differs(pie_difference *ret, span whole_actual, const char *at, span expected,
                    span actual, size_t from)
{
    if (!ret)
        return false;
    ret->line = 1;
    const char *line = whole_actual.at;
    for (const char *c; line < at && (c = memchr(line, '\n', (size_t)(at - line))); line = c + 1)
        ret->line++;
    ret->column = (size_t)(at - line) + 1;
    show(ret->expected, expected, from);
    show(ret->actual, actual, from);
    return false;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Python allows one underscore between two digits. */
static bool is_separator(span s, const char *at, bool underscores)
{
    return underscores && *at == '_' && at > s.at && is_digit(at[-1]) && at + 1 < s.end &&
           is_digit(at[1]);
}

enum {
    MAX_DIGITS = 800,         /* of any double, at most 767 digits decide how it is rounded */
    MAX_EXPONENT = 1000000000 /* beyond any length of text, and far from overflow */
};

/* Whole @s as a decimal number, rounded correctly. The text is first rewritten without its radix
 * point ("1.25" as "125e-2"), because the point is all that strtod() takes from the locale, and to
 * a bounded length, so that no memory is needed. */
static bool parse_decimal(span s, bool underscores, double *ret)
{
    char text[MAX_DIGITS + 32];
    size_t n = 0;
    int64_t exponent = 0;
    bool any = false, point = false, rest = false;
    const char *at = s.at;
    const bool negative = at < s.end && *at == '-';
    if (at < s.end && (*at == '-' || *at == '+'))
        at++;
    for (; at < s.end; at++) {
        if (is_separator(s, at, underscores))
            continue;
        if (*at == '.' && !point) {
            point = true;
            continue;
        }
        if (!is_digit(*at))
            break;
        any = true;
        if (n == MAX_DIGITS) {
            rest = rest || *at != '0';
            exponent += !point;
            continue;
        }
        exponent -= point;
        if (n > 0 || *at != '0')
            text[n++] = *at;
    }
    if (!any)
        return false;
    if (at < s.end && (*at == 'e' || *at == 'E')) {
        at++;
        const bool down = at < s.end && *at == '-';
        if (at < s.end && (*at == '-' || *at == '+'))
            at++;
        int64_t value = 0;
        if (at == s.end || !is_digit(*at))
            return false;
        for (; at < s.end && (is_digit(*at) || is_separator(s, at, underscores)); at++)
            if (*at != '_' && value < MAX_EXPONENT)
                value = value * 10 + (*at - '0');
        exponent += down ? -value : value;
    }
    if (at < s.end)
        return false;
    if (n == 0) {
        *ret = 0.0;
        return true;
    }
    if (rest) { /* what was cut off still decides a tie */
        text[n++] = '1';
        exponent--;
    }
    if (exponent > 99999)
        exponent = 99999;
    if (exponent < -99999)
        exponent = -99999;
    snprintf(text + n, sizeof text - n, "e%" PRId64, exponent);
    const double value = strtod(text, NULL);
    *ret = negative ? -value : value;
    return true;
}

static bool same_word(span s, const char *word)
{
    for (; s.at < s.end && *word; s.at++, word++)
        if ((*s.at | 0x20) != *word)
            return false;
    return s.at == s.end && !*word;
}

static bool is_integer(span s)
{
    if (s.at < s.end && (*s.at == '-' || *s.at == '+'))
        s.at++;
    if (s.at == s.end)
        return false;
    while (s.at < s.end && is_digit(*s.at))
        s.at++;
    return s.at == s.end;
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Takes the next token off @rest; empty at the end. */
static span next_token(span *rest)
{
    while (rest->at < rest->end && is_space(*rest->at))
        rest->at++;
    span token = {rest->at, rest->at};
    while (token.end < rest->end && !is_space(*token.end))
        token.end++;
    rest->at = token.end;
    return token;
}

/* Two integers stay exact: an answer modulo 1000000007 that is off by one is within 1e-6 of the
 * right one, and wrong. */
static bool close_enough(span expected, span actual, double tolerance)
{
    double want, got;
    if (!(tolerance > 0) || (is_integer(expected) && is_integer(actual)) ||
        !parse_decimal(expected, false, &want) || !parse_decimal(actual, false, &got) ||
        !isfinite(want) || !isfinite(got))
        return false;
    const double apart = fabs(want - got);
    return apart <= tolerance || apart <= tolerance * fabs(want);
}

static bool check_tokens(double tolerance, span expected, span actual, pie_difference *ret)
{
    const span whole = actual;
    for (;;) {
        const span want = next_token(&expected), got = next_token(&actual);
        if (!length(want) && !length(got))
            return true;
        if (!equal(want, got) && !close_enough(want, got, tolerance))
            return differs(ret, whole, got.at, want, got, common_prefix(want, got));
    }
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static bool check_exact(span expected, span actual, pie_difference *ret)
{
    if (equal(expected, actual))
        return true;
    const span whole = actual;
    const size_t same = common_prefix(expected, actual);
    expected.at += same;
    actual.at += same;
    return differs(ret, whole, actual.at, expected, actual, 0);
}

/* ---- PIE's own ------------------------------------------------------------------------------- */

/* Bytes of the white space character at @s.at, 0 if it is none; *@ret_breaks: it ends a line. What
 * Python's str.strip() and str.splitlines() take for one, in UTF-8. */
static size_t white_at(span s, bool *ret_breaks)
{
    const unsigned char *c = (const unsigned char *)s.at;
    const size_t n = length(s);
    *ret_breaks = false;
    if (n == 0)
        return 0;
    if (c[0] < 0x80) {
        *ret_breaks = (c[0] >= 0x0a && c[0] <= 0x0d) || (c[0] >= 0x1c && c[0] <= 0x1e);
        if (c[0] == '\r' && n > 1 && c[1] == '\n')
            return 2;
        return *ret_breaks || c[0] == ' ' || c[0] == '\t' || c[0] == 0x1f;
    }
    if (n >= 2 && c[0] == 0xc2 && (c[1] == 0x85 || c[1] == 0xa0)) {
        *ret_breaks = c[1] == 0x85;
        return 2;
    }
    if (n < 3 || c[0] < 0xe1 || c[0] > 0xe3 || (c[1] & 0xc0) != 0x80 || (c[2] & 0xc0) != 0x80)
        return 0;
    const uint32_t code = (c[0] & 0x0fu) << 12 | (c[1] & 0x3fu) << 6 | (c[2] & 0x3fu);
    *ret_breaks = code == 0x2028 || code == 0x2029;
    return *ret_breaks || code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x202f ||
                   code == 0x205f || code == 0x3000
               ? 3
               : 0;
}

static span strip(span s)
{
    bool breaks;
    for (size_t n; (n = white_at(s, &breaks));)
        s.at += n;
    for (size_t n = 1; n <= 3;) {
        const bool is_white = n <= length(s) && white_at((span){s.end - n, s.end}, &breaks) == n;
        s.end -= is_white ? n : 0;
        n = is_white ? 1 : n + 1;
    }
    return s;
}

static span next_line(span *rest)
{
    span line = {rest->at, rest->at};
    bool breaks = false;
    size_t n = 0;
    while (line.end < rest->end) {
        n = white_at((span){line.end, rest->end}, &breaks);
        if (breaks)
            break;
        line.end += n ? n : 1;
    }
    rest->at = line.end + (breaks ? n : 0);
    return line;
}

/* Python's float(): white space around, underscores, inf, infinity and nan are fine. */
static bool parse_python_float(span s, double *ret)
{
    if (length(s) && memchr(s.at, 0x1f, length(s))) /* white space to strip(), but not to float() */
        return false;
    s = strip(s);
    span word = s;
    const bool negative = length(word) > 0 && *word.at == '-';
    if (length(word) > 0 && (*word.at == '-' || *word.at == '+'))
        word.at++;
    if (same_word(word, "inf") || same_word(word, "infinity")) {
        *ret = negative ? -HUGE_VAL : HUGE_VAL;
        return true;
    }
    if (same_word(word, "nan")) {
        *ret = NAN;
        return true;
    }
    return parse_decimal(s, true, ret);
}

/* First byte that is not UTF-8; @s.end if all is. */
static const char *find_bad_utf8(span s)
{
    const unsigned char *at = (const unsigned char *)s.at, *end = (const unsigned char *)s.end;
    while (at < end) {
        if (*at < 0x80) {
            at++;
            continue;
        }
        const size_t n = *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : 2;
        if (*at < 0xc2 || *at > 0xf4 || (size_t)(end - at) < n)
            break;
        /* the second byte also excludes overlong forms, surrogates and what lies above U+10FFFF */
        const unsigned low = *at == 0xe0 ? 0xa0 : *at == 0xf0 ? 0x90 : 0x80;
        const unsigned high = *at == 0xed ? 0x9f : *at == 0xf4 ? 0x8f : 0xbf;
        if (at[1] < low || at[1] > high || (n > 2 && (at[2] & 0xc0) != 0x80) ||
            (n > 3 && (at[3] & 0xc0) != 0x80))
            break;
        at += n;
    }
    return (const char *)at;
}

static span text_span(const char *text)
{
    return (span){text, text + strlen(text)};
}

static bool check_pie(span expected, span actual, pie_difference *ret)
{
    const span whole = actual;
    const char *bad = find_bad_utf8(actual);
    if (bad < actual.end) /* PIE decodes before it compares, and counts a failure as wrong */
        return differs(ret, whole, bad, text_span("(UTF-8)"), (span){bad, actual.end}, 0);
    expected = strip(expected);
    actual = strip(actual);
    if (!length(expected)) /* PIE divides by the number of expected lines: nothing passes */
        return differs(ret, whole, actual.at, text_span("(PIE passes nothing here)"), actual, 0);
    while (length(expected)) {
        const bool present = length(actual) > 0;
        const span want = next_line(&expected), got = next_line(&actual);
        double a, b;
        if (present && (equal(want, got) || (parse_python_float(got, &a) &&
                                             parse_python_float(want, &b) && fabs(a - b) < 1e-3)))
            continue;
        const size_t same = common_prefix(want, got);
        return differs(ret, whole, got.at + same, want, got, same);
    }
    return true;
}

bool pie_check_output(int32_t mode, double tolerance, const char *expected, size_t n_expected,
                      const char *actual, size_t n_actual, pie_difference *ret_difference)
{
    if (n_expected == 0)
        expected = ""; /* NULL is allowed then */
    if (n_actual == 0)
        actual = "";
    const span want = {expected, expected + n_expected}, got = {actual, actual + n_actual};
    if (ret_difference)
        *ret_difference = (pie_difference){0};
    switch (mode) {
    case PIE_CHECK_EXACT:
        return check_exact(want, got, ret_difference);
    case PIE_CHECK_PIE:
        return check_pie(want, got, ret_difference);
    default:
        assert(mode == PIE_CHECK_TOKENS);
        return check_tokens(tolerance, want, got, ret_difference);
    }
}
