/* answer.c
 *
 * The reply is cut into regions, from top to bottom: fenced blocks and the text between them. Each
 * region is read once by a small lexer that knows comments, strings and braces. A region with a
 * main function is a candidate; the best one wins, and among equals the last. */
#include "dataset/answer.h"

#include <string.h>

typedef struct span {
    const char *at, *end;
} span;

static size_t length(span s)
{
    return (size_t)(s.end - s.at);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool is_in(char c, const char *set)
{
    return c && strchr(set, c);
}

static bool starts_with(span s, const char *prefix)
{
    const size_t n = strlen(prefix);
    return length(s) >= n && memcmp(s.at, prefix, n) == 0;
}

static bool equals(span s, const char *text)
{
    return length(s) == strlen(text) && starts_with(s, text);
}

static bool is_one_of(span s, const char *const *words)
{
    for (; *words; words++)
        if (equals(s, *words))
            return true;
    return false;
}

/* Takes the next line off @rest, without its end. False: there is none. */
static bool next_line(span *rest, span *ret_line)
{
    if (rest->at == rest->end)
        return false;
    const char *end = memchr(rest->at, '\n', length(*rest));
    *ret_line = (span){rest->at, end ? end : rest->end};
    rest->at = end ? end + 1 : rest->end;
    return true;
}

static span strip(span s)
{
    while (s.at < s.end && (is_blank(*s.at) || *s.at == '\n'))
        s.at++;
    while (s.at < s.end && (is_blank(s.end[-1]) || s.end[-1] == '\n'))
        s.end--;
    return s;
}

/* ---- the lexer ------------------------------------------------------------------------------- */

/* What is known about a piece of C or C++ after its first bytes. */
typedef struct code_state {
    bool has_main;     /* a definition of main begins in it */
    bool foreign_main; /* `def main(`, `fn main(`, `main(String[] args)`: another language */
    bool in_comment;   /* inside a block comment */
    bool in_head;      /* the text ended in the head of main */
    int64_t depth;     /* open braces */
    span last_word;    /* right before this point, but for white space; empty = none */
    /* A `main` was seen and its parameter list is being read, or has just ended. */
    enum { MAIN_NONE, MAIN_NAMED, MAIN_PARAMETERS, MAIN_BODY } main;
    int64_t parentheses;
    bool main_has_type; /* a word stands in front of it */
} code_state;

static bool is_foreign_keyword(span word)
{
    static const char *const words[] = {"def",      "fn",  "func", "fun",
                                        "function", "sub", "proc", NULL};
    return is_one_of(word, words);
}

static void take_word(code_state *state, span word)
{
    if (state->main == MAIN_PARAMETERS && equals(word, "String")) {
        state->foreign_main = true;
        state->main = MAIN_NONE;
    } else if (state->main == MAIN_BODY) {
        /* `main() try {`, `main(n) int n; {` */
        static const char *const words[] = {"try", "noexcept", "int", "char", NULL};
        state->has_main = state->has_main || is_one_of(word, words);
        state->main = MAIN_NONE;
    } else if (state->main == MAIN_NAMED) {
        state->main = MAIN_NONE;
    }
    if (state->main == MAIN_NONE && equals(word, "main")) {
        if (is_foreign_keyword(state->last_word)) {
            state->foreign_main = true;
        } else {
            state->main = MAIN_NAMED;
            state->main_has_type = length(state->last_word) > 0;
        }
    }
    state->last_word = word;
}

static void take_sign(code_state *state, char c)
{
    state->last_word = (span){NULL, NULL};
    if (c == '{')
        state->depth++;
    else if (c == '}')
        state->depth--;
    switch (state->main) {
    case MAIN_NONE:
        break;
    case MAIN_NAMED:
        state->main = c == '(' ? MAIN_PARAMETERS : MAIN_NONE;
        state->parentheses = 1;
        break;
    case MAIN_PARAMETERS:
        state->parentheses += c == '(' ? 1 : c == ')' ? -1 : 0;
        if (state->parentheses == 0)
            state->main = MAIN_BODY;
        break;
    case MAIN_BODY: /* `main() {`, `main() -> int {`, `main() [[..]] {`; a call is followed by
                       others */
        if (c == '{' || c == '-' || c == '[')
            state->has_main = true;
        state->main = MAIN_NONE;
        break;
    }
}

/* Behind the raw string that begins at the quote @at, or NULL when it is none. */
static const char *skip_raw_string(const char *at, const char *end)
{
    const char *open = at + 1;
    while (open < end && open - at <= 17 && *open != '(' && *open != '"' && *open != '\n')
        open++;
    if (open >= end || *open != '(')
        return NULL;
    const size_t n = (size_t)(open - at) - 1;
    for (const char *c = open; (c = memchr(c, ')', (size_t)(end - c))); c++)
        if ((size_t)(end - c) >= n + 2 && c[n + 1] == '"' && memcmp(c + 1, at + 1, n) == 0)
            return c + n + 2;
    return end;
}

/* Behind the string or character literal that begins at @at; it ends with its line at the latest,
 * so that an apostrophe in prose does no harm. */
static const char *skip_literal(const char *at, const char *end)
{
    const char quote = *at++;
    while (at < end && *at != quote && *at != '\n') {
        if (*at == '\\' && at + 1 < end)
            at += at[1] == '\r' && at + 2 < end ? 2 : 1;
        at++;
    }
    return at < end && *at == quote ? at + 1 : at;
}

/* Reads @text, which may begin in the middle of a block comment. Returns where it stopped:
 * @text.end, or beyond the line when a raw string goes on there and @limit allows it. */
static const char *lex(code_state *state, span text, const char *limit)
{
    const char *at = text.at;
    while (at < text.end) {
        if (state->in_comment) {
            const char *star = memchr(at, '*', (size_t)(text.end - at));
            if (!star)
                return text.end;
            at = star + 1;
            if (at < text.end && *at == '/') {
                state->in_comment = false;
                at++;
            }
        } else if (is_word_char(*at)) {
            span word = {at, at};
            /* an apostrophe between digits separates them */
            while (word.end < text.end && (is_word_char(*word.end) ||
                                           (*word.end == '\'' && *at >= '0' && *at <= '9' &&
                                            word.end + 1 < text.end && is_word_char(word.end[1]))))
                word.end++;
            at = word.end;
            const char *raw = NULL;
            if (at < text.end && *at == '"' && word.end[-1] == 'R' && length(word) <= 3)
                raw = skip_raw_string(at, limit);
            if (raw)
                at = raw;
            else
                take_word(state, word);
        } else if (*at == '"' || *at == '\'') {
            take_sign(state, *at);
            at = skip_literal(at, text.end);
        } else if (*at == '/' && at + 1 < text.end && at[1] == '/') {
            const char *end = memchr(at, '\n', (size_t)(text.end - at));
            at = end ? end : text.end;
        } else if (*at == '/' && at + 1 < text.end && at[1] == '*') {
            state->in_comment = true;
            at += 2;
        } else {
            if (!is_blank(*at) && *at != '\n')
                take_sign(state, *at);
            at++;
        }
    }
    return at;
}

/* The text ends here: a main that was cut off in its head counts when it has a type. */
static void finish(code_state *state)
{
    state->in_head =
        state->main_has_type && (state->main == MAIN_PARAMETERS || state->main == MAIN_BODY);
    state->has_main = state->has_main || state->in_head;
}

/* Does the code end where a program may end? */
static bool is_complete(const code_state *state)
{
    return state->depth <= 0 && !state->in_comment && !state->in_head;
}

/* ---- lines of code --------------------------------------------------------------------------- */

static bool is_directive(span line)
{
    static const char *const names[] = {"include", "define", "pragma", "if",    "ifdef",
                                        "ifndef",  "undef",  "else",   "endif", "elif",
                                        "error",   "line",   NULL};
    if (line.at == line.end || *line.at != '#')
        return false;
    line.at++;
    while (line.at < line.end && is_blank(*line.at))
        line.at++;
    span word = {line.at, line.at};
    while (word.end < line.end && is_word_char(*word.end))
        word.end++;
    return is_one_of(word, names);
}

static bool is_comment(span line)
{
    return starts_with(line, "//") || starts_with(line, "/*");
}

/* Does a program begin with this line? @line is stripped. */
static bool begins_code(span line)
{
    static const char *const words[] = {
        "using",    "template", "typedef",   "struct", "class",  "enum",     "union",   "namespace",
        "static",   "const",    "constexpr", "inline", "extern", "void",     "int",     "long",
        "short",    "bool",     "char",      "float",  "double", "unsigned", "signed",  "auto",
        "std",      "vector",   "string",    "map",    "set",    "int32_t",  "int64_t", "uint32_t",
        "uint64_t", "size_t",   "main",      NULL};
    if (is_directive(line) || is_comment(line))
        return true;
    span word = {line.at, line.at};
    while (word.end < line.end && is_word_char(*word.end))
        word.end++;
    return line.at < line.end && is_in(line.end[-1], ";{})>,") && is_one_of(word, words);
}

/* ---- candidates ------------------------------------------------------------------------------ */

enum { /* from worst to best */
       RANK_NONE = 0,
       RANK_CUT = 1, /* the braces do not close */
       RANK_UNFENCED = 2,
       RANK_FENCED = 3
};

typedef struct candidate {
    span code;
    size_t indent; /* blanks that the fence stands behind, to be taken off each line */
    bool quoted;   /* each line begins with '>' */
    int rank;
    const char *how;
} candidate;

typedef struct search {
    span reply;
    candidate best;
    size_t n_fenced;                  /* fenced candidates */
    bool saw_code, saw_cut, saw_diff; /* code without main; the same, cut off; a diff */
    bool saw_foreign;                 /* code in another language */
} search;

static void offer(search *found, candidate offered)
{
    if (offered.rank >= found->best.rank)
        found->best = offered;
}

/* Where the program in @text begins; NULL: there is no code. Directives are the surest sign: when
 * there are some, what stands before them is prose, but for the comments and code right above. */
static const char *find_start(span text)
{
    span rest = text, line;
    const char *run = NULL, *first = NULL; /* of code so far; of the first such run */
    while (next_line(&rest, &line)) {
        const span bare = strip(line);
        if (begins_code(bare)) {
            run = run ? run : line.at;
            if (is_directive(bare))
                return run;
            if (!first && !is_comment(bare))
                first = run;
        } else if (length(bare)) {
            run = NULL;
        }
    }
    return first;
}

/* Reads the program at the start of @text and returns it without the prose that may follow: behind
 * main, with all braces closed, @ends decides which line is the first that does not belong to it.
 * What follows is not read, so that its apostrophes and braces count for nothing. */
static span read_program(code_state *state, span text, bool (*ends)(span line, span rest))
{
    span rest = text, line, code = {text.at, text.at};
    while (next_line(&rest, &line)) {
        const bool is_inside = state->depth > 0 || state->in_comment || !state->has_main;
        const span bare = strip(line);
        if (!is_inside && length(bare) && ends(bare, rest))
            break;
        const char *stop = lex(state, (span){line.at, rest.at}, text.end);
        if (stop > rest.at) /* a raw string over several lines */
            rest.at = stop;
        if (length(bare))
            code.end = stop;
    }
    finish(state);
    return code;
}

/* Outside fences, a line must look like code to belong to it. @line is stripped. */
static bool ends_unfenced(span line, span rest)
{
    span next = {rest.at, rest.at};
    if (is_directive(line) || is_comment(line) || begins_code(line) || is_in(*line.at, "{}") ||
        is_in(line.end[-1], ";{"))
        return false;
    next_line(&rest, &next); /* the head of a function with a type of its own */
    return !starts_with(strip(next), "{");
}

/* In a closed block all is code, unless the closing fence is that of a later block. */
static bool ends_fenced(span line, span rest)
{
    (void)rest;
    return !is_directive(line) && !is_comment(line) &&
           (is_in(line.end[-1], ".:!?") || starts_with(line, "**") || starts_with(line, "##"));
}

static void offer_text(search *found, span text)
{
    code_state state = {0};
    text.at = find_start(text);
    if (!text.at)
        return;
    const span code = read_program(&state, text, ends_unfenced);
    if (state.has_main) {
        const bool closed = is_complete(&state);
        const span all = strip(found->reply), bare = strip(code);
        const bool is_whole = all.at == bare.at && all.end == bare.end;
        offer(found, (candidate){.code = code,
                                 .rank = closed ? RANK_UNFENCED : RANK_CUT,
                                 .how = !closed    ? "truncated"
                                        : is_whole ? "whole"
                                                   : "unfenced"});
    } else if (state.foreign_main) {
        found->saw_foreign = true;
    } else if (state.depth != 0 || memchr(code.at, ';', length(code))) {
        found->saw_code = true;
        found->saw_cut = found->saw_cut || (state.depth > 0 && text.end == code.end);
    }
}

/* ---- fences ---------------------------------------------------------------------------------- */

typedef struct fence {
    bool is_open;
    char sign;    /* '`' or '~' */
    size_t width; /* how many of them */
    size_t indent;
    bool quoted;
    span language;     /* as written; lower case is up to the reader */
    const char *start; /* of the content */
} fence;

/* @language in lower case, at most 15 bytes; anything longer is unknown. */
static bool is_language(span language, const char *const *names)
{
    char lower[16];
    if (length(language) >= sizeof lower)
        return false;
    for (size_t i = 0; i < length(language); i++)
        lower[i] = (char)(language.at[i] >= 'A' && language.at[i] <= 'Z' ? language.at[i] + 32
                                                                         : language.at[i]);
    return is_one_of((span){lower, lower + length(language)}, names);
}

static bool is_c_language(span language)
{
    static const char *const names[] = {
        "c",     "c++",   "cpp",   "cxx",   "cc",    "h",     "hpp",   "c11", "c17", "c++11",
        "c++14", "c++17", "c++20", "cpp17", "cpp11", "cpp14", "cpp20", "g++", "gcc", NULL};
    return is_language(language, names);
}

static bool is_foreign_language(span language)
{
    static const char *const names[] = {
        "python",   "py",         "python3",  "java",    "javascript", "js",     "typescript",
        "ts",       "rust",       "rs",       "go",      "golang",     "bash",   "sh",
        "shell",    "console",    "text",     "txt",     "plaintext",  "json",   "yaml",
        "xml",      "html",       "css",      "sql",     "kotlin",     "swift",  "ruby",
        "php",      "perl",       "c#",       "cs",      "csharp",     "asm",    "nasm",
        "makefile", "cmake",      "scala",    "haskell", "lua",        "pascal", "fortran",
        "latex",    "tex",        "markdown", "md",      "output",     "input",  "math",
        "llvm",     "pseudocode", NULL};
    return is_language(language, names);
}

static bool is_diff_language(span language)
{
    static const char *const names[] = {"diff", "patch", "udiff", NULL};
    return is_language(language, names);
}

/* Reads the rest of a line behind the opening fence: its language, and the code that some replies
 * begin on the same line. */
static void read_info(fence *open, span info, const char *next)
{
    info = strip(info);
    span word = {info.at, info.at};
    if (word.end < info.end &&
        *word.end == '{') { /* {.cpp} and {cpp}: other dialects of Markdown */
        word.at += 1 + (info.at + 1 < info.end && info.at[1] == '.');
        word.end = word.at;
    }
    while (word.end < info.end && (is_word_char(*word.end) || is_in(*word.end, "+#")))
        word.end++;
    open->start = next;
    open->language = word;
    if (length(word) && *word.at == '#')
        word.end = word.at; /* `#include` right behind the fence */
    const span more = strip((span){word.end, info.end});
    if (length(word) == 0 || is_c_language(word)) {
        const bool is_code = is_directive(more) || is_comment(more) || begins_code(more);
        open->language = word;
        if (is_code)
            open->start = more.at;
    } else if (begins_code(info)) { /* `int main() {` right behind it */
        open->language = (span){info.at, info.at};
        open->start = info.at;
    }
}

/* Number of @sign at the start of @s. */
static size_t count_signs(span s, char sign)
{
    size_t n = 0;
    while (s.at + n < s.end && s.at[n] == sign)
        n++;
    return n;
}

/* The first run of three or more backticks in @line; NULL: none. *@ret_n: how many. */
static const char *find_backticks(span line, size_t *ret_n)
{
    for (const char *at = line.at; (at = memchr(at, '`', (size_t)(line.end - at)));) {
        const size_t n = count_signs((span){at, line.end}, '`');
        *ret_n = n;
        if (n >= 3)
            return at;
        at += n;
        if (at == line.end)
            break;
    }
    return NULL;
}

/* Blanks, quote marks and list bullets that may stand in front of a fence. */
static span skip_margin(span line, bool *ret_quoted)
{
    *ret_quoted = false;
    for (;;) {
        while (line.at < line.end && is_blank(*line.at))
            line.at++;
        if (line.at == line.end || *line.at != '>')
            break;
        *ret_quoted = true;
        line.at++;
    }
    return line;
}

/* Is @at, in a line of code, outside a string? Counts the quotes before it. */
static bool is_outside_string(span line, const char *at)
{
    bool inside = false;
    for (const char *c = line.at; c < at; c++) {
        if (*c == '\\' && inside)
            c++;
        else if (*c == '"')
            inside = !inside;
    }
    return !inside;
}

static void offer_block(search *found, const fence *open, const char *end, bool is_closed)
{
    span block = {open->start, end};
    if (!length(strip(block)))
        return;
    if (is_diff_language(open->language)) {
        found->saw_diff = true;
        return;
    }
    if (is_foreign_language(open->language) &&
        !(is_language(open->language, (const char *const[]){"text", "txt", "plaintext", NULL}))) {
        found->saw_foreign = true;
        return;
    }
    code_state state = {0};
    block = read_program(&state, block, is_closed ? ends_fenced : ends_unfenced);
    if (state.has_main && !state.foreign_main) {
        const bool closed = is_closed || is_complete(&state);
        found->n_fenced++;
        offer(found, (candidate){.code = block,
                                 .indent = open->indent,
                                 .quoted = open->quoted,
                                 .rank = closed ? RANK_FENCED : RANK_CUT,
                                 .how = is_closed ? "fence"
                                        : closed  ? "open_fence"
                                                  : "truncated"});
    } else if (state.foreign_main) {
        found->saw_foreign = true;
    } else if (starts_with(strip(block), "--- ") || starts_with(strip(block), "@@ ")) {
        found->saw_diff = true;
    } else if (is_c_language(open->language) || memchr(block.at, ';', length(block))) {
        found->saw_code = true;
        found->saw_cut = found->saw_cut || !is_closed;
    }
}

static void search_regions(search *found, span reply)
{
    span rest = reply, line;
    fence open = {0};
    const char *text = reply.at; /* where the text outside fences began */
    while (next_line(&rest, &line)) {
        bool quoted;
        const span bare = skip_margin(line, &quoted);
        const size_t n_tildes = count_signs(bare, '~');
        size_t n_ticks = 0;
        const char *ticks = find_backticks(line, &n_ticks);
        if (open.is_open && open.sign == '~') {
            if (n_tildes >= open.width) {
                offer_block(found, &open, line.at, true);
                open.is_open = false;
                text = rest.at;
            }
            continue;
        }
        if (open.is_open) {
            if (!ticks || n_ticks < open.width || !is_outside_string(line, ticks))
                continue;
            offer_block(found, &open, ticks == bare.at ? line.at : ticks, true);
            open.is_open = false;
            text = rest.at;
            /* No program has a line that begins with a fence, so one that names a language opens
             * the next block: the closing one was forgotten. */
            span info = strip((span){ticks + n_ticks, line.end});
            if (ticks != bare.at || !is_c_language(info))
                continue;
        } else if (n_tildes >= 3) {
            offer_text(found, (span){text, line.at});
            open = (fence){.is_open = true,
                           .sign = '~',
                           .width = n_tildes,
                           .quoted = quoted,
                           .indent = quoted ? 0 : (size_t)(bare.at - line.at)};
            read_info(&open, (span){bare.at + n_tildes, line.end}, rest.at);
            continue;
        } else if (!ticks) {
            continue;
        }
        /* An opening fence, at the start of the line or behind prose. */
        if (text < ticks) /* else the fence before ended on this line */
            offer_text(found, (span){text, ticks});
        open = (fence){.is_open = true,
                       .sign = '`',
                       .width = n_ticks,
                       .quoted = quoted,
                       .indent = quoted || ticks != bare.at ? 0 : (size_t)(bare.at - line.at)};
        size_t n_closing;
        const char *closing = find_backticks((span){ticks + n_ticks, line.end}, &n_closing);
        read_info(&open, (span){ticks + n_ticks, closing ? closing : line.end}, rest.at);
        if (closing) { /* the whole block on one line */
            if (open.start == rest.at)
                open.start = ticks + n_ticks;
            offer_block(found, &open, closing, true);
            open.is_open = false;
            text = closing + n_closing;
        }
    }
    if (open.is_open)
        offer_block(found, &open, reply.end, false);
    else
        offer_text(found, (span){text, reply.end});
}

/* ---- the result ------------------------------------------------------------------------------ */

/* Does @text hold @phrase, whatever the case of its ASCII letters? @phrase is in lower case. */
static bool holds(span text, const char *phrase)
{
    const size_t n = strlen(phrase);
    for (; length(text) >= n; text.at++) {
        size_t i = 0;
        while (i < n &&
               (text.at[i] >= 'A' && text.at[i] <= 'Z' ? text.at[i] + 32 : text.at[i]) == phrase[i])
            i++;
        if (i == n)
            return true;
    }
    return false;
}

/* Refusals say so early. */
static bool is_refusal(span reply)
{
    static const char *const phrases[] = {"i'm sorry",
                                          "i am sorry",
                                          "i apologize",
                                          "i cannot",
                                          "i can't",
                                          "i can\xe2\x80\x99t",
                                          "i\xe2\x80\x99m sorry",
                                          "i am unable",
                                          "i'm unable",
                                          "as an ai",
                                          NULL};
    if (length(reply) > 600)
        reply.end = reply.at + 600;
    for (size_t i = 0; phrases[i]; i++)
        if (holds(reply, phrases[i]))
            return true;
    return false;
}

static const char *reason_of(const search *found, span reply)
{
    if (!length(strip(reply)))
        return "the reply is empty";
    if (found->saw_diff)
        return "the reply holds a diff, not a whole program";
    if (found->saw_cut)
        return "the code ends before its main function: the reply was cut off";
    if (found->saw_code)
        return "the code has no main function";
    if (found->saw_foreign)
        return "the code is in another language than C or C++";
    if (is_refusal(reply))
        return "the model refused";
    return "the reply is prose without code";
}

/* The lines of @best without their margin, with plain line ends, and one at the end. */
static pie_status copy_code(const candidate *best, pie_buf *code)
{
    span rest = best->code, line;
    pie_status status = pie_buf_reserve(code, length(rest) + 1);
    while (status == PIE_OK && next_line(&rest, &line)) {
        if (line.end > line.at && line.end[-1] == '\r')
            line.end--;
        size_t margin = 0;
        if (best->quoted) {
            span behind = skip_margin(line, &(bool){false});
            const char *mark = line.at;
            while (mark < behind.at && *mark != '>')
                mark++;
            if (mark < behind.at)
                margin = (size_t)(mark - line.at) + 1 + (mark + 1 < line.end && mark[1] == ' ');
        }
        while (!best->quoted && margin < best->indent && line.at + margin < line.end &&
               is_blank(line.at[margin]))
            margin++;
        line.at += margin;
        status = pie_buf_add(code, line.at, length(line));
        if (status == PIE_OK)
            status = pie_buf_add(code, "\n", 1);
    }
    return status;
}

/* Reasoning models think aloud first; only what follows is the answer. */
static span skip_thoughts(span reply)
{
    static const char open[] = "<think>", close[] = "</think>";
    if (!starts_with(strip(reply), open))
        return reply;
    for (const char *at = reply.at; (at = memchr(at, '<', (size_t)(reply.end - at))); at++)
        if (starts_with((span){at, reply.end}, close))
            return (span){at + strlen(close), reply.end};
    return (span){reply.end, reply.end};
}

pie_status pie_answer_parse(const char *text, size_t n_bytes, pie_answer *ret_answer)
{
    if (n_bytes == 0)
        text = "";
    const span reply = {text, text + n_bytes};
    const span answer = skip_thoughts(reply);
    search found = {.reply = answer};
    pie_answer result = {.how = "none"};
    search_regions(&found, answer);
    if (found.best.rank == RANK_NONE) {
        result.reason = length(strip(reply)) && !length(strip(answer))
                            ? "the reply ends before the model has finished thinking"
                            : reason_of(&found, answer);
        *ret_answer = result;
        return PIE_OK;
    }
    if (copy_code(&found.best, &result.code) != PIE_OK) {
        pie_answer_free(&result);
        return PIE_ERR_NOMEM;
    }
    result.how = found.best.how;
    if (strcmp(result.how, "fence") == 0 && found.n_fenced > 1)
        result.how = "fences";
    *ret_answer = result;
    return PIE_OK;
}

void pie_answer_free(pie_answer *answer)
{
    pie_buf_free(&answer->code);
    *answer = (pie_answer){0};
}
