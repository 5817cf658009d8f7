/* The laws of pie/uarch.h on `skylake`, over what real programs executed: the committed ones and
 * the start of a hello world. */
#include "contract/laws.h"
#include "contract/model_bench.h"
#include "integration/guest_support.h"
#include "sandbox_here.h"

#include <inttypes.h>
#include <sys/mman.h>

typedef struct recording {
    stream kept;
    size_t most; /* words */
} recording;

static pie_status record(void *context, const uint64_t *words, size_t n, int32_t *ret_want)
{
    recording *into = context;
    size_t taken = 0; /* whole records */
    while (taken < n && into->kept.n + taken + pie_record_words(words[taken]) <= into->most)
        taken += pie_record_words(words[taken]);
    stream_add(&into->kept, words, taken);
    *ret_want = taken < n ? PIE_SINK_UNTRACED : PIE_SINK_CONTINUE;
    if (taken < n)
        into->most = into->kept.n; /* nothing more */
    return PIE_OK;
}

static void check_laws(int program, const char *name, size_t most_words)
{
    recording into = {.most = most_words};
    const pie_trace_sink sink = {.context = &into, .consume = record};
    const pie_guest_spec spec = {.program_fd = program, .limits = support_limits, .sink = &sink};
    pie_guest_result result;
    model_bench bench;
    bench_model model;
    pie_uarch_mark mark;
    size_t used = 0;
    int32_t reason;
    void *instance = NULL;
    assert_int_equal(pie_guest_run(&spec, &pie_log_stderr, &result), PIE_OK);
    pie_guest_result_free(&result);
    assert_true(into.kept.n > 100);
    bench_open(&bench, PIE_BUILD "/plugins", "skylake");
    bench_configure(&bench, NULL, &model);
    const law_subject *subject = &model.subject;
    assert_int_equal(laws_check(subject, &into.kept, into.kept.n), 0);
    assert_int_equal(subject->ops->create(subject->host, &subject->setup, &instance), PIE_OK);
    assert_int_equal(
        subject->ops->consume(instance, into.kept.words, into.kept.n, UINT64_MAX, &used, &reason),
        PIE_OK);
    subject->ops->mark(instance, &mark);
    uint64_t executions = 0;
    const char *unknown = subject->ops->unknown_form(instance, 0, &executions);
    print_message("  %s: %" PRIu64 " instructions, %" PRIu64 " cycles\n", name, mark.instructions,
                  mark.cycles);
    if (unknown)
        print_message("  unknown: %s\n", unknown);
    assert_null(unknown);
    assert_true(4 * mark.cycles >= mark.uops);
    subject->ops->destroy(instance);
    bench_release(&model);
    bench_close(&bench);
    stream_free(&into.kept);
}

static void committed_programs(void **state)
{
    (void)state;
    static const char *const names[] = {"calls", "loop", "memory", "vector"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[4096];
        pie_buf hex = {0};
        machine_code program = {0};
        snprintf(path, sizeof path, "%s/tests/golden/programs/%s.hex", PIE_SOURCE, names[i]);
        assert_int_equal(pie_file_read(path, 1 << 20, &pie_log_stderr, &hex), PIE_OK);
        for (char *at = hex.data; *at; at++)
            if (*at == '\n')
                *at = ' ';
        code_hex(&program, hex.data, 1);
        const int fd = memfd_create(names[i], MFD_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, program.bytes, program.n), program.n);
        check_laws(fd, names[i], 60000);
        close(fd);
        code_free(&program);
        pie_buf_free(&hex);
    }
}

static void a_hello_world(void **state)
{
    (void)state;
    static const char *const statically[] = {"-O2", "-static", NULL};
    char *program = support_compile_text("#include <stdio.h>\n"
                                         "int main(void) { return puts(\"hello\") < 0; }\n",
                                         "hello", statically);
    const int fd = open(program, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    check_laws(fd, "hello", 80000);
    close(fd);
    free(program);
}

int main(void)
{
    if (!sandbox_works_here() || !pie_guest_engine_version(&pie_log_stderr))
        return TEST_SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(committed_programs),
        cmocka_unit_test(a_hello_world),
    };
    return cmocka_run_group_tests(tests, support_begin, support_end);
}
