/* The figures of committed blocks, per CPU model: blocks/<model>.csv. PIE_UPDATE_GOLDEN=1 rewrites
 * the figures of the blocks that stand there. */
#include "contract/model_bench.h"

#include "base/file.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { COPIES = 100 };

/* "how,hex,<figures>,assembly" with the figures of now; appended to @out. */
static void add_row(const bench_model *model, const char *row, pie_buf *out)
{
    const char *hex = strchr(row, ',') + 1, *assembly = strrchr(row, ',') + 1;
    const bool is_loop = strncmp(row, "loop,", 5) == 0;
    assert_true(is_loop || strncmp(row, "row,", 4) == 0);
    char *digits = strndup(hex, strcspn(hex, ","));
    assert_non_null(digits);
    machine_code code = {0};
    tape t;
    bench_figures f;
    code_hex(&code, digits, 1);
    tape_begin(&t);
    machine_code all = {0};
    for (size_t i = 0; i < (is_loop ? 1 : COPIES); i++)
        code_add(&all, code.bytes, code.n);
    const tape_section warm = tape_place(&t, &all, 0x10000);
    const tape_section rest = is_loop ? warm : tape_place(&t, &all, 0x10000 + all.n);
    for (size_t i = 0; i < (is_loop ? COPIES : 1); i++)
        tape_execute(&t, warm);
    tape_mark(&t);
    for (size_t i = 0; i < (is_loop ? COPIES : 1); i++)
        tape_execute(&t, rest);
    tape_mark(&t);
    bench_run(&model->subject, &t, &f);
    assert_int_equal(
        pie_buf_printf(out, "%s,%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64, is_loop ? "loop" : "row",
                       digits, f.at[1].cycles - f.at[0].cycles,
                       f.at[1].instructions - f.at[0].instructions, f.at[1].uops - f.at[0].uops),
        PIE_OK);
    for (size_t port = 0; port < 8; port++)
        assert_int_equal(pie_buf_printf(out, ",%" PRIu64, bench_port_between(&f, port)), PIE_OK);
    assert_int_equal(pie_buf_printf(out, ",%s\n", assembly), PIE_OK);
    assert_int_equal(bench_counter(&f, "unknown_forms"), 0);
    tape_end(&t);
    code_free(&all);
    code_free(&code);
    free(digits);
}

static void blocks_have_the_committed_figures(void **state)
{
    static const char path[] = PIE_SOURCE "/tests/golden/blocks/skylake.csv";
    (void)state;
    model_bench bench;
    bench_model model;
    pie_buf text = {0}, now = {0};
    size_t n_rows = 0, wrong = 0;
    bench_open(&bench, PIE_BUILD "/plugins", "skylake");
    bench_configure(&bench, NULL, &model);
    assert_int_equal(pie_file_read(path, 1 << 20, &pie_log_stderr, &text), PIE_OK);
    char *save = NULL;
    for (char *row = strtok_r(text.data, "\n", &save); row; row = strtok_r(NULL, "\n", &save)) {
        const size_t from = now.n;
        if (*row == '#' || strncmp(row, "how,", 4) == 0) {
            assert_int_equal(pie_buf_printf(&now, "%s\n", row), PIE_OK);
            continue;
        }
        add_row(&model, row, &now);
        n_rows++;
        if (strncmp(row, now.data + from, strlen(row)) != 0) {
            print_message("- %s\n+ %s", row, now.data + from);
            wrong++;
        }
    }
    if (getenv("PIE_UPDATE_GOLDEN")) {
        assert_int_equal(pie_file_replace(path, now.data, now.n, &pie_log_stderr), PIE_OK);
        wrong = 0;
    }
    assert_int_equal(wrong, 0);
    assert_true(n_rows >= 100);
    pie_buf_free(&text);
    pie_buf_free(&now);
    bench_release(&model);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_have_the_committed_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
