/* Hostile sources in tests/attacks/compile: each gets the verdict in its first line, from every
 * compiler, and the host is as it was. */
#include <setjmp.h>
#include <stdarg.h>

#include "build_support.h"
#include "pipeline/record.h"
#include "sandbox/landlock.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <sys/wait.h>

#include <cmocka.h>

static const pie_build_limits tight = {
    .memory_bytes = 1u << 30, .output_bytes = 32u << 20, .seconds = 2, .processes = 16};
static const char *const secret = "the canary is alive";

static void attack(bench *b, const char *path, const char *canary)
{
    pie_buf source = {0};
    pie_build result;
    char want[64] = "";
    if (canary)
        assert_int_equal(pie_buf_printf(&source, "#define CANARY \"%s\"\n#line 1\n", canary),
                         PIE_OK);
    const size_t start = source.n;
    assert_int_equal(pie_file_read(path, 1 << 20, &pie_log_stderr, &source), PIE_OK);
    assert_int_equal(sscanf(source.data + start, "// verdict: %63[a-z_]", want), 1);
    assert_int_equal(
        pie_builder_run(b->builder, source.data, source.n, "c++", &pie_log_stderr, &result),
        PIE_OK);
    if (strcmp(pie_verdict_name(result.verdict), want) != 0)
        fail_msg("%s: %s, wanted %s: %s\n%s", path, pie_verdict_name(result.verdict), want,
                 result.reason, pie_buf_text(&result.messages));
    const char *messages = pie_buf_text(&result.messages);
    assert_null(strstr(messages, "root:"));
    assert_null(strstr(messages, secret));
    assert_null(strstr(messages, "can be seen\n"));
    pie_build_free(&result);
    pie_buf_free(&source);
}

static void sources_get_their_verdict(void **state)
{
    (void)state;
    static const char *const settings[] = {"plugin = \"gcc\"; flags = [\"-O1\"];",
                                           "plugin = \"clang\"; flags = [\"-O1\"];"};
    if (pie_landlock_version() == 0) {
        print_message("  skipped: this kernel has no Landlock, so sources can read files\n");
        skip();
    }
    char canary[] = "/tmp/pie-canary.XXXXXX";
    const int fd = mkstemp(canary);
    assert_true(fd >= 0);
    assert_int_equal(pie_write_all(fd, secret, strlen(secret)), PIE_OK);
    close(fd);
    for (size_t s = 0; s < 2; s++) {
        bench b;
        glob_t sources;
        assert_true(bench_open(&b, settings[s], &tight, NULL, &pie_log_stderr));
        assert_int_equal(glob(PIE_SOURCE "/tests/attacks/compile/*.cpp", 0, NULL, &sources), 0);
        assert_true(sources.gl_pathc >= 10);
        for (size_t i = 0; i < sources.gl_pathc; i++)
            attack(&b, sources.gl_pathv[i], strstr(sources.gl_pathv[i], "canary") ? canary : NULL);
        globfree(&sources);
        bench_close(&b);
    }
    pie_buf text = {0};
    assert_int_equal(pie_file_read(canary, 100, &pie_log_stderr, &text), PIE_OK);
    assert_string_equal(pie_buf_text(&text), secret);
    pie_buf_free(&text);
    unlink(canary);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left */
    assert_int_equal(errno, ECHILD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sources_get_their_verdict)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
