/* test_reference_traces.c - the engine against the cycle-driven reference on what real programs
 * execute: the bundled slow programs, compiled, in the tracer. Three of them and 300,000 uops; with
 * --full all of them and 10 million. */
#include "integration/guest_support.h"
#include "reference/lockstep.h"
#include "sandbox_here.h"

#include <glob.h>
#include <inttypes.h>

enum { QUICK_UOPS = 300000, FULL_UOPS = 10000000, QUICK_PROGRAMS = 3 };

static lockstep_setup setup;
static bool full;

static const pie_guest_limits limits = {.instructions = 2000000000,
                                        .memory_bytes = 1u << 30,
                                        .stack_bytes = 8u << 20,
                                        .output_bytes = 16u << 20};

typedef struct watched {
    lockstep *run;
    uint64_t most_uops;
    bool equal;
} watched;

static pie_status compare(void *context, const uint64_t *words, size_t n_words, int32_t *ret_want)
{
    watched *w = context;
    w->equal = lockstep_consume(w->run, words, n_words);
    if (!w->equal || lockstep_uops(w->run) >= w->most_uops)
        *ret_want = PIE_SINK_STOP;
    return PIE_OK;
}

/* The last input of the problem that the source at @path belongs to; the caller frees. */
static char *input_of(const char *path, size_t *ret_n)
{
    const char *folder = strstr(path, "sources/") + strlen("sources/");
    char *pattern = pie_strf("%s/examples/tests/%.*s/input.*.txt", PIE_SOURCE,
                             (int)strcspn(folder, "/"), folder);
    assert_non_null(pattern);
    glob_t found;
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    FILE *file = fopen(found.gl_pathv[found.gl_pathc - 1], "r");
    assert_non_null(file);
    enum { MOST = 1 << 24 };
    char *text = malloc(MOST);
    assert_non_null(text);
    *ret_n = fread(text, 1, MOST, file);
    fclose(file);
    globfree(&found);
    free(pattern);
    return text;
}

static void run_program(const char *path, uint64_t most_uops, uint64_t *ret_uops)
{
    const bool is_c = path[strlen(path) - 1] == 'c';
    const char *const flags[] = {is_c ? "-O2" : "-O3", "-w", "-static", "-mavx2", "-mfma", NULL};
    char *program = support_compile(is_c ? "gcc" : "g++", path, "program", flags);
    size_t n_input;
    char *input = input_of(path, &n_input);
    watched w = {.run = lockstep_begin(&setup, NULL, false), .most_uops = most_uops};
    const pie_trace_sink sink = {&w, compare};
    const pie_guest_spec spec = {
        .input = input, .input_bytes = n_input, .limits = limits, .sink = &sink};
    pie_guest_result result;
    assert_int_equal(support_run(program, &spec, &result), PIE_OK);
    pie_guest_result_free(&result);
    const uint64_t before = *ret_uops;
    const bool equal = lockstep_end(w.run, ret_uops) && w.equal;
    print_message("  %s: %" PRIu64 " uops\n", strstr(path, "sources/"), *ret_uops - before);
    free(input);
    free(program);
    fflush(stdout);
    assert_true(equal);
}

static void test_programs(void **state)
{
    (void)state;
    glob_t found;
    uint64_t n_uops = 0;
    assert_int_equal(glob(PIE_SOURCE "/examples/sources/*/*/slow.c*", 0, NULL, &found), 0);
    const size_t n = full ? found.gl_pathc : QUICK_PROGRAMS;
    const uint64_t wanted = full ? FULL_UOPS : QUICK_UOPS;
    for (size_t i = 0; i < n; i++) /* what one leaves the next ones may take */
        run_program(found.gl_pathv[i * found.gl_pathc / n], (wanted - n_uops) / (n - i) + 1,
                    &n_uops);
    globfree(&found);
    print_message("  %" PRIu64 " uops in all\n", n_uops);
    assert_true(n_uops >= wanted);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_programs)};
    full = argc > 1 && strcmp(argv[1], "--full") == 0;
    if (!sandbox_works_here())
        return TEST_SKIPPED;
    lockstep_open(&setup);
    const int failed =
        cmocka_run_group_tests_name("reference on traces", tests, support_begin, support_end);
    lockstep_close(&setup);
    return failed;
}
