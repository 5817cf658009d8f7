/* Programs are the same bytes with and without a precompiled header, over the sources and recorded
 * answers in PIE_SHARED. By default a sample; PIE_FULL=1 takes all and prints the time saved. */
#include <setjmp.h>
#include <stdarg.h>

#include "build_support.h"
#include "sandbox_here.h"

#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

enum { SAMPLE = 12 };

static const char *const files[] = {"aizu/problems.jsonl",
                                    "codescope/problems.jsonl",
                                    "codescope/memory_baselines.jsonl",
                                    "aizu/generations/gpt4.jsonl",
                                    "aizu/generations/gpt35.jsonl",
                                    "aizu/generations/cot-gpt4.jsonl",
                                    "aizu/generations/cot-gpt35.jsonl"};

static struct sources {
    char **texts;
    size_t n;
} all;

static void add_source(const json_t *text)
{
    const char *source = json_string_value(text);
    if (!source)
        return;
    for (size_t i = 0; i < all.n; i++) {
        if (strcmp(all.texts[i], source) == 0)
            return;
    }
    all.texts = realloc(all.texts, (all.n + 1) * sizeof *all.texts);
    assert_non_null(all.texts);
    all.texts[all.n++] = strdup(source);
}

static bool read_sources(const char *shared)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = pie_strf("%s/data/%s", shared, files[i]), *line = NULL;
        FILE *file = fopen(path, "r");
        size_t capacity = 0, k;
        free(path);
        if (!file)
            return false;
        while (getline(&line, &capacity, file) > 0) {
            json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL), *answer;
            add_source(json_object_get(row, "src_code"));
            add_source(json_object_get(row, "tgt_code"));
            json_array_foreach(json_object_get(row, "generated_answers"), k, answer)
                add_source(answer);
            json_decref(row);
        }
        free(line);
        fclose(file);
    }
    return true;
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double run(bench *b, const char *source, pie_build *ret)
{
    const double start_s = now_s();
    assert_int_equal(
        pie_builder_run(b->builder, source, strlen(source), "c++", &pie_log_stderr, ret), PIE_OK);
    return now_s() - start_s;
}

static void leaves_every_program_as_it_is(void **state)
{
    (void)state;
    const char *full = getenv("PIE_FULL");
    const size_t step = full && *full == '1' ? 1 : all.n / SAMPLE + 1;
    bench with, without;
    double with_s = 0, without_s = 0;
    size_t n = 0, n_passed = 0, n_different = 0;
    assert_true(
        bench_open(&without, "plugin = \"gcc\"; pch = false;", NULL, NULL, &pie_log_stderr));
    assert_true(bench_open(&with, "plugin = \"gcc\";", NULL, NULL, &pie_log_stderr));
    static const char *const common[] = {"iostream", "bits/stdc++.h", "algorithm", "vector"};
    for (size_t i = 0; i < 4 * 3; i++) { /* get them ready: the third source does it */
        char *text = pie_strf("#include <%s>\nint main() {}\n", common[i % 4]);
        pie_build result;
        run(&with, text, &result);
        pie_build_free(&result);
        free(text);
    }
    for (size_t i = 0; i < all.n; i += step) {
        pie_build a, b;
        without_s += run(&without, all.texts[i], &a);
        with_s += run(&with, all.texts[i], &b);
        n++;
        n_passed += a.verdict == PIE_VERDICT_PASSED;
        if (a.verdict != b.verdict || memcmp(&a.elf, &b.elf, sizeof a.elf) != 0 ||
            a.text_bytes != b.text_bytes || strcmp(a.reason, b.reason) != 0 ||
            strcmp(pie_buf_text(&a.messages), pie_buf_text(&b.messages)) != 0) {
            n_different++;
            print_error("source %zu differs: verdicts %d and %d\n%s\n", i, a.verdict, b.verdict,
                        all.texts[i]);
        }
        pie_build_free(&a);
        pie_build_free(&b);
    }
    print_message("%zu sources, %zu compile, %zu differ; %.2f s each without, %.2f s with\n", n,
                  n_passed, n_different, without_s / (double)n, with_s / (double)n);
    assert_true(n >= 10 && n_passed > n / 2);
    assert_int_equal(n_different, 0);
    bench_close(&with);
    bench_close(&without);
}

int main(void)
{
    if (!sandbox_works_here())
        return TEST_SKIPPED;
    const char *shared = getenv("PIE_SHARED");
    if (!read_sources(shared && *shared ? shared : PIE_SOURCE "/../shared")) {
        puts("skipped: no sources in PIE_SHARED");
        return TEST_SKIPPED;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(leaves_every_program_as_it_is)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (size_t i = 0; i < all.n; i++)
        free(all.texts[i]);
    free(all.texts);
    return failed;
}
