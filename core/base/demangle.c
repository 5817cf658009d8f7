/* demangle.c - the part of the Itanium C++ ABI's mangling that names of functions use. Types are
 * only skipped, so no table of substitutions is needed: a name itself refers to one only in corners
 * that are refused. */
#include "base/demangle.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 64 };

typedef struct reader {
    const char *at;
    char *text;
    size_t size, n;    /* n: characters written, without NUL */
    const char *last;  /* the latest name, for constructors */
    size_t n_last;     /* its length */
    unsigned depth;    /* of recursion */
    unsigned is_muted; /* reading what is not shown */
    bool failed;
} reader;

static void read_name(reader *r);
static void skip_type(reader *r);

static const struct {
    char code[3];
    const char *text;
} operators[] = {
    {"nw", " new"}, {"na", " new[]"}, {"dl", " delete"}, {"da", " delete[]"}, {"pl", "+"},
    {"mi", "-"},    {"ml", "*"},      {"dv", "/"},       {"rm", "%"},         {"an", "&"},
    {"or", "|"},    {"eo", "^"},      {"aS", "="},       {"pL", "+="},        {"mI", "-="},
    {"mL", "*="},   {"dV", "/="},     {"rM", "%="},      {"aN", "&="},        {"oR", "|="},
    {"eO", "^="},   {"ls", "<<"},     {"rs", ">>"},      {"lS", "<<="},       {"rS", ">>="},
    {"eq", "=="},   {"ne", "!="},     {"lt", "<"},       {"gt", ">"},         {"le", "<="},
    {"ge", ">="},   {"ss", "<=>"},    {"nt", "!"},       {"aa", "&&"},        {"oo", "||"},
    {"pp", "++"},   {"mm", "--"},     {"cm", ","},       {"pm", "->*"},       {"pt", "->"},
    {"cl", "()"},   {"ix", "[]"},     {"co", "~"},       {"ng", "-"},         {"ps", "+"},
    {"ad", "&"},    {"de", "*"}};

static void emit(reader *r, const char *text, size_t n)
{
    if (r->is_muted)
        return;
    for (size_t i = 0; i < n && r->n + 1 < r->size; i++)
        r->text[r->n++] = text[i];
    r->text[r->n] = '\0';
}

static void emit_text(reader *r, const char *text)
{
    emit(r, text, strlen(text));
}

static bool take(reader *r, const char *text)
{
    const size_t n = strlen(text);
    if (strncmp(r->at, text, n) != 0)
        return false;
    r->at += n;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "_", "0_", "1A_": the rest of a numbered thing. */
static void skip_number(reader *r)
{
    while (is_digit(*r->at) || (*r->at >= 'A' && *r->at <= 'Z'))
        r->at++;
    r->failed |= !take(r, "_");
}

/* "3foo" */
static void read_source_name(reader *r)
{
    size_t n = 0;
    while (is_digit(*r->at) && n < 10000)
        n = n * 10 + (size_t)(*r->at++ - '0');
    if (n == 0 || strnlen(r->at, n) < n) {
        r->failed = true;
        return;
    }
    r->last = r->at;
    r->n_last = n;
    if (n > 10 && strncmp(r->at, "_GLOBAL__N", 10) == 0)
        emit_text(r, "(anonymous namespace)");
    else
        emit(r, r->at, n);
    r->at += n;
}

static void skip_argument(reader *r)
{
    if (++r->depth > MAX_DEPTH)
        r->failed = true;
    if (r->failed)
        return;
    if (take(r, "J")) {
        while (!r->failed && !take(r, "E"))
            skip_argument(r);
    } else if (take(r, "L")) {
        if (take(r, "_Z"))
            r->failed = true;
        else
            skip_type(r);
        while (is_digit(*r->at) || (*r->at >= 'a' && *r->at <= 'z'))
            r->at++;
        r->failed |= !take(r, "E");
    } else {
        skip_type(r); /* and expressions, X..E, fail there */
    }
    r->depth--;
}

/* "I..E", if there. */
static void skip_arguments(reader *r)
{
    const char *last = r->last;
    const size_t n_last = r->n_last;
    if (!take(r, "I"))
        return;
    r->is_muted++;
    while (!r->failed && !take(r, "E"))
        skip_argument(r);
    r->is_muted--;
    r->last = last; /* vector<int>::vector is called vector */
    r->n_last = n_last;
}

/* "{lambda}", behind "Ul": its parameters, then its number. */
static void read_lambda(reader *r)
{
    r->is_muted++;
    while (!r->failed && !take(r, "E"))
        skip_type(r);
    r->is_muted--;
    skip_number(r);
    emit_text(r, "{lambda}");
}

static void read_operator(reader *r)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (take(r, operators[i].code)) {
            emit_text(r, "operator");
            emit_text(r, operators[i].text);
            return;
        }
    r->failed = true;
}

static void read_unqualified(reader *r)
{
    take(r, "L"); /* internal linkage */
    if (is_digit(*r->at)) {
        read_source_name(r);
    } else if ((*r->at == 'C' || *r->at == 'D') && is_digit(r->at[1])) {
        emit_text(r, *r->at == 'D' ? "~" : "");
        emit(r, r->last, r->n_last);
        r->at += 2;
    } else if (take(r, "Ul")) {
        read_lambda(r);
    } else if (take(r, "Ut")) {
        skip_number(r);
        emit_text(r, "{unnamed}");
    } else {
        read_operator(r);
    }
    while (!r->failed && take(r, "B")) { /* ABI tags: "[abi:cxx11]" */
        r->is_muted++;
        read_source_name(r);
        r->is_muted--;
    }
}

/* "Sa", "St" ... ; false: not here. */
static bool read_abbreviation(reader *r)
{
    static const struct {
        const char *code, *text;
    } known[] = {{"Sa", "allocator"}, {"Sb", "basic_string"}, {"Ss", "string"},
                 {"Si", "istream"},   {"So", "ostream"},      {"Sd", "iostream"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (take(r, known[i].code)) {
            emit_text(r, "std::");
            emit_text(r, known[i].text);
            r->last = known[i].text;
            r->n_last = strlen(known[i].text);
            return true;
        }
    return false;
}

/* Behind "N": components until "E". */
static void read_nested(reader *r)
{
    bool is_first = true;
    while (strchr("rVKRO", *r->at) && *r->at)
        r->at++; /* of the member function */
    while (!r->failed && !take(r, "E")) {
        if (*r->at == 'I') {
            r->failed |= is_first;
            skip_arguments(r);
            continue;
        }
        if (is_first && take(r, "St")) {
            emit_text(r, "std");
        } else if (is_first && *r->at == 'S' && read_abbreviation(r)) {
            ;
        } else if (is_first && r->is_muted && *r->at == 'S' && r->at[1] != 't') {
            r->at++;
            skip_number(r);
        } else if (is_first && r->is_muted && take(r, "T")) {
            skip_number(r);
        } else {
            emit_text(r, is_first ? "" : "::");
            read_unqualified(r);
        }
        is_first = false;
    }
    r->failed |= is_first;
}

/* Behind "Z": a function, and what is local to it. */
static void read_local(reader *r)
{
    read_name(r);
    r->is_muted++;
    while (!r->failed && !take(r, "E"))
        skip_type(r);
    r->is_muted--;
    if (r->failed || take(r, "s") || *r->at == 'd') {
        r->failed |= *r->at == 'd';
        return;
    }
    emit_text(r, "::");
    read_name(r);
    if (take(r, "__"))
        skip_number(r);
    else if (*r->at == '_' && is_digit(r->at[1]))
        r->at += 2;
}

static void read_name(reader *r)
{
    if (++r->depth > MAX_DEPTH)
        r->failed = true;
    if (r->failed)
        return;
    if (take(r, "N")) {
        read_nested(r);
    } else if (take(r, "Z")) {
        read_local(r);
    } else {
        if (take(r, "St"))
            emit_text(r, "std::");
        if (*r->at != 'S' || !read_abbreviation(r))
            read_unqualified(r);
        skip_arguments(r);
    }
    r->depth--;
}

static void skip_types(reader *r)
{
    while (!r->failed && !take(r, "E"))
        skip_type(r);
}

static void skip_type(reader *r)
{
    if (++r->depth > MAX_DEPTH)
        r->failed = true;
    while (!r->failed && *r->at && strchr("rVKPROCG", *r->at))
        r->at++;
    if (r->failed)
        return;
    const char c = *r->at;
    if (c && strchr("vwbcahstijlmxynofdegz", c)) {
        r->at++;
    } else if (take(r, "Dp") || take(r, "Do")) {
        skip_type(r);
    } else if (take(r, "Dv")) {
        skip_number(r);
        skip_type(r);
    } else if (c == 'D' && r->at[1] && strchr("defhisuacn", r->at[1])) {
        r->at += 2;
    } else if (take(r, "F")) {
        skip_types(r);
    } else if (take(r, "A")) {
        skip_number(r);
        skip_type(r);
    } else if (take(r, "M")) {
        skip_type(r);
        skip_type(r);
    } else if (take(r, "T") || (c == 'S' && !strchr("tabsiod", r->at[1]) && take(r, "S"))) {
        skip_number(r);
        skip_arguments(r);
    } else if (c == 'N' || c == 'Z' || c == 'S' || is_digit(c)) {
        read_name(r);
    } else {
        r->failed = true;
    }
    r->depth--;
}

void pie_demangle(const char *name, char *text, size_t size)
{
    reader r = {.at = name, .text = text, .size = size};
    text[0] = '\0';
    if (take(&r, "_Z"))
        read_name(&r);
    else
        r.failed = true;
    if (r.failed || r.is_muted) {
        snprintf(text, size, "%s", name);
        return;
    }
    const char *suffix = strchr(r.at, '.');
    if (suffix)
        emit_text(&r, suffix);
}
