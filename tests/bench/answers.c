/* answers.c - how often the answer parser finds the program in recorded replies.
 *
 * usage: answers [FILE.jsonl...]     (default: the recorded replies in
 * $PIE_SHARED/data/aizu/generations)
 *
 * Each row holds raw_replies and generated_answers, the programs that the recorders took out of
 * them. The two are compared after white space has been made equal; every difference is listed. */
#include "dataset/answer.h"

#include <glob.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct counts {
    size_t n, n_found, n_equal, n_bytes;
    double seconds;
} counts;

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Equal but for the amount of white space? */
static bool same_words(const char *a, const char *b)
{
    for (;;) {
        while (is_space(*a))
            a++;
        while (is_space(*b))
            b++;
        if (!*a || !*b)
            return *a == *b;
        while (*a && !is_space(*a) && *a == *b) {
            a++;
            b++;
        }
        if ((*a && !is_space(*a)) || (*b && !is_space(*b)))
            return false;
    }
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int measure_row(const char *path, size_t line, const json_t *row, counts *sum)
{
    const json_t *replies = json_object_get(row, "raw_replies");
    const json_t *recorded = json_object_get(row, "generated_answers");
    for (size_t i = 0; i < json_array_size(replies); i++) {
        const json_t *reply = json_array_get(replies, i);
        const char *want = json_string_value(json_array_get(recorded, i));
        if (!json_is_string(reply))
            continue;
        pie_answer answer;
        const double start = now();
        if (pie_answer_parse(json_string_value(reply), json_string_length(reply), &answer) !=
            PIE_OK)
            return 1;
        sum->seconds += now() - start;
        sum->n_bytes += json_string_length(reply);
        sum->n++;
        sum->n_found += !answer.reason;
        const bool equal = same_words(pie_buf_text(&answer.code), want ? want : "");
        sum->n_equal += equal;
        if (!equal || answer.reason)
            printf("  %s:%zu[%zu]: %s%s%s; %zu bytes, recorded %zu\n", path, line, i, answer.how,
                   answer.reason ? ": " : "", answer.reason ? answer.reason : "", answer.code.n,
                   want ? strlen(want) : 0);
        pie_answer_free(&answer);
    }
    return 0;
}

static int measure_file(const char *path, counts *total)
{
    counts sum = {0};
    char *text = NULL;
    size_t capacity = 0, line = 0;
    FILE *file = fopen(path, "r");
    if (!file) {
        perror(path);
        return 1;
    }
    int failed = 0;
    for (ssize_t n; !failed && (n = getline(&text, &capacity, file)) >= 0;) {
        json_error_t error;
        line++;
        json_t *row = json_loadb(text, (size_t)n, JSON_ALLOW_NUL, &error);
        if (!row) {
            fprintf(stderr, "%s:%zu: %s\n", path, line, error.text);
            failed = 1;
        } else {
            failed = measure_row(path, line, row, &sum);
        }
        json_decref(row);
    }
    printf("%s: %zu replies, a program in %zu, %zu equal to the recorded one\n", path, sum.n,
           sum.n_found, sum.n_equal);
    total->n += sum.n;
    total->n_found += sum.n_found;
    total->n_equal += sum.n_equal;
    total->n_bytes += sum.n_bytes;
    total->seconds += sum.seconds;
    free(text);
    fclose(file);
    return failed;
}

int main(int argc, char **argv)
{
    counts total = {0};
    glob_t found = {0};
    int failed = 0;
    if (argc > 1) {
        for (int i = 1; i < argc; i++)
            failed |= measure_file(argv[i], &total);
    } else {
        char pattern[4096];
        const char *shared = getenv("PIE_SHARED");
        snprintf(pattern, sizeof pattern, "%s/data/aizu/generations/*.jsonl",
                 shared ? shared : PIE_SOURCE "/../shared");
        if (glob(pattern, 0, NULL, &found) != 0) {
            printf("skipped: no recorded replies at %s; set PIE_SHARED\n", pattern);
            return 77;
        }
        for (size_t i = 0; i < found.gl_pathc; i++)
            failed |= measure_file(found.gl_pathv[i], &total);
        globfree(&found);
    }
    printf("all: %zu replies, a program in %zu (%.2f %%), %zu equal to the recorded one (%.2f %%); "
           "%.0f MB/s\n",
           total.n, total.n_found, 100.0 * (double)total.n_found / (double)(total.n ? total.n : 1),
           total.n_equal, 100.0 * (double)total.n_equal / (double)(total.n ? total.n : 1),
           total.seconds > 0 ? 1e-6 * (double)total.n_bytes / total.seconds : 0.0);
    return failed;
}
