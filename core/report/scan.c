/* scan.c - see scan.h */
#include "report/scan.h"

#include "pipeline/record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 32, NUMBER_MAX_BYTES = 64, TESTS_MAX = 1000000 };

/* @bad stays set once anything is malformed; every function then does nothing. */
typedef struct cursor {
    const char *at, *end;
    bool bad;
} cursor;

static void skip_space(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
        c->at++;
}

/* The next character that is not space; NUL at the end or when bad. */
static char peek(cursor *c)
{
    skip_space(c);
    return c->bad || c->at == c->end ? '\0' : *c->at;
}

static bool take(cursor *c, char wanted)
{
    if (peek(c) != wanted)
        return false;
    c->at++;
    return true;
}

static void expect(cursor *c, char wanted)
{
    if (!take(c, wanted))
        c->bad = true;
}

static pie_slice take_string(cursor *c)
{
    pie_slice slice = {0};
    expect(c, '"');
    if (c->bad)
        return slice;
    const char *start = c->at;
    while (c->at < c->end && *c->at != '"') {
        if (*c->at == '\\') {
            slice.escaped = true;
            c->at++;
        }
        if (c->at < c->end)
            c->at++;
    }
    slice.text = start;
    slice.n = (size_t)(c->at - start);
    expect(c, '"');
    return slice;
}

static bool take_word(cursor *c, const char *word)
{
    const size_t n = strlen(word);
    if (peek(c) != word[0] || (size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0)
        return false;
    c->at += n;
    return true;
}

/* Whole numbers, which nearly all are, go without strtod(). */
static double take_number(cursor *c)
{
    char text[NUMBER_MAX_BYTES];
    size_t n = 0;
    bool whole = true;
    double value = 0;
    for (peek(c); !c->bad && c->at < c->end && strchr("+-.0123456789eE", *c->at) && *c->at;) {
        if (n == sizeof text - 1) {
            c->bad = true;
            return 0;
        }
        const char digit = *c->at++;
        text[n++] = digit;
        whole = whole && digit >= '0' && digit <= '9';
        value = value * 10 + (digit - '0');
    }
    text[n] = '\0';
    if (n == 0)
        c->bad = true;
    if (whole && n <= 15)
        return value;
    char *end;
    value = strtod(text, &end);
    if (n == 0 || *end || !isfinite(value))
        c->bad = true;
    return value;
}

/* First call with *@first true. False: the object has ended. */
static bool next_member(cursor *c, bool *first, pie_slice *ret_key)
{
    if (*first) {
        expect(c, '{');
        if (take(c, '}'))
            return false;
    } else if (take(c, '}')) {
        return false;
    } else {
        expect(c, ',');
    }
    *first = false;
    *ret_key = take_string(c);
    expect(c, ':');
    return !c->bad;
}

static bool next_item(cursor *c, bool *first)
{
    if (*first) {
        expect(c, '[');
        if (take(c, ']'))
            return false;
    } else if (take(c, ']')) {
        return false;
    } else {
        expect(c, ',');
    }
    *first = false;
    return !c->bad;
}

static void skip_value(cursor *c, int depth)
{
    bool first = true;
    pie_slice key;
    if (depth > DEPTH_MAX) {
        c->bad = true;
        return;
    }
    switch (peek(c)) {
    case '"':
        take_string(c);
        break;
    case '{':
        while (next_member(c, &first, &key))
            skip_value(c, depth + 1);
        break;
    case '[':
        while (next_item(c, &first))
            skip_value(c, depth + 1);
        break;
    case 't':
        c->bad |= !take_word(c, "true");
        break;
    case 'f':
        c->bad |= !take_word(c, "false");
        break;
    case 'n':
        c->bad |= !take_word(c, "null");
        break;
    default:
        take_number(c);
    }
}

bool pie_slice_is(const pie_slice *slice, const char *text)
{
    return slice->text && slice->n == strlen(text) && memcmp(slice->text, text, slice->n) == 0;
}

/* ---- values that may be null ---- */

static double number_or(cursor *c, double fallback)
{
    return take_word(c, "null") ? fallback : take_number(c);
}

static int64_t integer_of(cursor *c)
{
    const double value = take_number(c);
    if (!(fabs(value) <= 9007199254740992.0) || value != floor(value))
        c->bad = true;
    return c->bad ? 0 : (int64_t)value;
}

static pie_slice string_or_null(cursor *c)
{
    return take_word(c, "null") ? (pie_slice){0} : take_string(c);
}

static int32_t verdict_of(cursor *c)
{
    const pie_slice name = take_string(c);
    for (int32_t i = 0; !c->bad && i < PIE_N_VERDICTS; i++)
        if (pie_slice_is(&name, pie_verdict_name(i)))
            return i;
    c->bad = true;
    return PIE_VERDICT_NONE;
}

static int32_t role_of(cursor *c)
{
    const pie_slice name = take_string(c);
    for (int32_t i = PIE_ROLE_SOURCE; !c->bad && i <= PIE_ROLE_SAMPLE; i++)
        if (pie_slice_is(&name, pie_role_name(i)))
            return i;
    c->bad = true;
    return 0;
}

/* ---- the record ---- */

static void scan_test(cursor *c, pie_scanned_test *test)
{
    *test = (pie_scanned_test){.info.weight = 1,
                               .cycles = INFINITY,
                               .startup_cycles = INFINITY,
                               .os_cycles = INFINITY,
                               .instructions = INFINITY,
                               .peak_bytes = INFINITY,
                               .seconds = INFINITY};
    bool first = true;
    pie_slice key;
    while (next_member(c, &first, &key)) {
        if (pie_slice_is(&key, "n"))
            test->info.number = integer_of(c);
        else if (pie_slice_is(&key, "level"))
            test->info.level = (int32_t)(integer_of(c) & INT32_MAX);
        else if (pie_slice_is(&key, "weight"))
            test->info.weight = number_or(c, 1);
        else if (pie_slice_is(&key, "public"))
            test->info.is_public = peek(c) == 't', skip_value(c, 0);
        else if (pie_slice_is(&key, "verdict"))
            test->verdict = verdict_of(c);
        else if (pie_slice_is(&key, "cycles"))
            test->cycles = number_or(c, INFINITY);
        else if (pie_slice_is(&key, "startup_cycles"))
            test->startup_cycles = number_or(c, INFINITY);
        else if (pie_slice_is(&key, "os_cycles"))
            test->os_cycles = number_or(c, INFINITY);
        else if (pie_slice_is(&key, "instructions"))
            test->instructions = number_or(c, INFINITY);
        else if (pie_slice_is(&key, "peak_bytes"))
            test->peak_bytes = number_or(c, INFINITY);
        else if (pie_slice_is(&key, "seconds"))
            test->seconds = number_or(c, INFINITY);
        else
            skip_value(c, 0);
    }
}

static pie_status scan_tests(cursor *c, pie_scanned *scanned)
{
    if (take_word(c, "null"))
        return PIE_OK;
    scanned->has_tests = true;
    for (bool first = true; next_item(c, &first); scanned->n_tests++) {
        if (scanned->n_tests == TESTS_MAX)
            return PIE_ERR_DATA;
        if (scanned->n_tests == scanned->capacity) {
            const size_t capacity = scanned->capacity ? 2 * scanned->capacity : 16;
            pie_scanned_test *tests = realloc(scanned->tests, capacity * sizeof *tests);
            if (!tests)
                return PIE_ERR_NOMEM;
            scanned->tests = tests;
            scanned->capacity = capacity;
        }
        scan_test(c, &scanned->tests[scanned->n_tests]);
    }
    return PIE_OK;
}

static void scan_build(cursor *c, pie_scanned *scanned)
{
    bool first = true;
    pie_slice key;
    if (take_word(c, "null"))
        return;
    while (next_member(c, &first, &key)) {
        if (pie_slice_is(&key, "text_bytes"))
            scanned->text_bytes = number_or(c, 0);
        else
            skip_value(c, 0);
    }
}

pie_status pie_record_scan(const char *text, size_t n, pie_scanned *scanned)
{
    cursor whole = {.at = text, .end = text + n}, *c = &whole;
    *scanned = (pie_scanned){
        .tests = scanned->tests, .capacity = scanned->capacity, .row = -1, .verdict = -1};
    pie_status status = PIE_OK;
    bool first = true, has_type = false;
    pie_slice key;
    while (status == PIE_OK && next_member(c, &first, &key)) {
        if (pie_slice_is(&key, "type")) {
            const pie_slice type = take_string(c);
            has_type = true;
            scanned->is_result = pie_slice_is(&type, "result");
            if (!scanned->is_result)
                return c->bad ? PIE_ERR_DATA : PIE_OK;
        } else if (pie_slice_is(&key, "row"))
            scanned->row = integer_of(c);
        else if (pie_slice_is(&key, "index"))
            scanned->index = integer_of(c);
        else if (pie_slice_is(&key, "role"))
            scanned->role = role_of(c);
        else if (pie_slice_is(&key, "verdict"))
            scanned->verdict = verdict_of(c);
        else if (pie_slice_is(&key, "problem_id"))
            scanned->problem_id = take_string(c);
        else if (pie_slice_is(&key, "src_id"))
            scanned->src_id = take_string(c);
        else if (pie_slice_is(&key, "id"))
            scanned->id = string_or_null(c);
        else if (pie_slice_is(&key, "reference_role"))
            scanned->reference_role = string_or_null(c);
        else if (pie_slice_is(&key, "source"))
            scanned->source = string_or_null(c);
        else if (pie_slice_is(&key, "key"))
            scanned->key = string_or_null(c);
        else if (pie_slice_is(&key, "build"))
            scan_build(c, scanned);
        else if (pie_slice_is(&key, "tests"))
            status = scan_tests(c, scanned);
        else
            skip_value(c, 0);
    }
    if (status != PIE_OK)
        return status;
    const bool complete = has_type && scanned->row >= 0 && scanned->index >= 0 && scanned->role &&
                          scanned->verdict >= 0 && scanned->problem_id.text && scanned->src_id.text;
    return !c->bad && complete && peek(c) == '\0' ? PIE_OK : PIE_ERR_DATA;
}

void pie_scanned_free(pie_scanned *scanned)
{
    free(scanned->tests);
    *scanned = (pie_scanned){0};
}

/* ---- escapes ---- */

static pie_status add_code_point(uint32_t code, pie_buf *buf)
{
    char bytes[4];
    size_t n = 0;
    if (code < 0x80) {
        bytes[n++] = (char)code;
    } else if (code < 0x800) {
        bytes[n++] = (char)(0xc0 | code >> 6);
        bytes[n++] = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        bytes[n++] = (char)(0xe0 | code >> 12);
        bytes[n++] = (char)(0x80 | (code >> 6 & 0x3f));
        bytes[n++] = (char)(0x80 | (code & 0x3f));
    } else {
        bytes[n++] = (char)(0xf0 | code >> 18);
        bytes[n++] = (char)(0x80 | (code >> 12 & 0x3f));
        bytes[n++] = (char)(0x80 | (code >> 6 & 0x3f));
        bytes[n++] = (char)(0x80 | (code & 0x3f));
    }
    return pie_buf_add(buf, bytes, n);
}

/* Four hex digits at @at; -1: there are none. */
static int64_t hex4(const char *at, const char *end)
{
    int64_t value = 0;
    for (int i = 0; i < 4; i++) {
        const char *digits = "0123456789abcdef0123456789ABCDEF";
        const char *digit = at + i < end && at[i] ? strchr(digits, at[i]) : NULL;
        if (!digit)
            return -1;
        value = value << 4 | ((digit - digits) & 15);
    }
    return value;
}

pie_status pie_slice_text(const pie_slice *slice, pie_buf *buf)
{
    if (!slice->escaped)
        return pie_buf_add(buf, slice->text, slice->n);
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    pie_status status = PIE_OK;
    const char *end = slice->text + slice->n;
    for (const char *at = slice->text; status == PIE_OK && at < end; at++) {
        const char *plain = NULL;
        if (*at != '\\') {
            status = pie_buf_add(buf, at, 1);
        } else if (++at < end && *at && (plain = strchr(from, *at))) {
            status = pie_buf_add(buf, &to[plain - from], 1);
        } else if (at < end && *at == 'u') {
            int64_t code = hex4(at + 1, end);
            at += 4;
            if (code >= 0xd800 && code < 0xdc00 && end - at > 2 && at[1] == '\\' && at[2] == 'u') {
                const int64_t low = hex4(at + 3, end);
                code = low >= 0xdc00 && low < 0xe000
                           ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00)
                           : -1;
                at += 6;
            }
            /* a lone surrogate or NUL has no text form */
            status = code <= 0 || (code >= 0xd800 && code < 0xe000)
                         ? PIE_ERR_DATA
                         : add_code_point((uint32_t)code, buf);
        } else {
            status = PIE_ERR_DATA;
        }
    }
    return status;
}
