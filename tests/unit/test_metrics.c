/* test_metrics.c - the metric plugins through their public tables, as any host would call them. */
#include "metric_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
/* cmocka needs the ones above first */
#include <cmocka.h>

/* ---- making rows ---------------------------------------------------------------------------- */

enum { MOST = 16 };

/* A row of at most MOST answers and MOST tests. Cycles 0: wrong output; -1: passed, but cut by the
 * budget; -2: no code. */
typedef struct row_draft {
    pie_row row;
    pie_program source, target, samples[MOST];
    pie_test_info tests[MOST];
    pie_test_run runs[2 + MOST][MOST];
} row_draft;

static pie_program program_of(int32_t role, const char *id, double cycles)
{
    pie_program program = {.role = role, .id = id, .verdict = PIE_VERDICT_PASSED, .cycles = cycles};
    if (cycles == 0)
        program.verdict = PIE_VERDICT_WRONG_OUTPUT;
    if (cycles == -2)
        program.verdict = PIE_VERDICT_NO_CODE;
    program.censored = cycles == -1;
    if (cycles <= 0)
        program.cycles = INFINITY;
    return program;
}

/* @target 0: none unless @target_id. */
static const pie_row *make_row(row_draft *self, double source, const char *target_id, double target,
                               const double *samples, size_t n_samples)
{
    memset(self, 0, sizeof *self);
    self->source = program_of(PIE_ROLE_SOURCE, "source", source);
    self->target = program_of(PIE_ROLE_TARGET, target_id ? target_id : "", target);
    for (size_t i = 0; i < n_samples; i++) {
        self->samples[i] = program_of(PIE_ROLE_SAMPLE, "", samples[i]);
        self->samples[i].index = (int64_t)i;
    }
    self->row = (pie_row){.src_id = "source",
                          .source = &self->source,
                          .target = target_id ? &self->target : NULL,
                          .samples = self->samples,
                          .n_samples = n_samples,
                          .tests = self->tests};
    return &self->row;
}

/* The figure called @name in @column. */
static double figure(const char *metric, const fixture_setting *settings,
                     const pie_problem *problems, size_t n_problems, int64_t max_samples,
                     const char *name, const char *column)
{
    metric_fixture fixture;
    const pie_metric_output *outputs = NULL;
    size_t n = 0;
    double *totals = NULL, found = -12345;
    const pie_status status = fixture_open(&fixture, metric, settings, max_samples);
    if (status != PIE_OK)
        fail_msg("%s: %s", metric, fixture.logged);
    assert_int_equal(fixture_run(&fixture, problems, n_problems, &outputs, &n, &totals), PIE_OK);
    for (size_t i = 0; i < n; i++)
        if (strcmp(outputs[i].name, name) == 0 && strcmp(outputs[i].column, column) == 0)
            found = totals[i];
    if (found == -12345)
        fail_msg("%s has no figure %s %s", metric, name, column);
    free(totals);
    fixture_close(&fixture);
    return found;
}

static double one_row(const char *metric, const fixture_setting *settings, const pie_row *row,
                      const char *name, const char *column)
{
    const pie_problem problem = {.problem_id = "p", .rows = row, .n_rows = 1};
    return figure(metric, settings, &problem, 1, (int64_t)row->n_samples, name, column);
}

static void assert_near(double got, double want)
{
    const bool both_nan = isnan(got) && isnan(want);
    if (!both_nan && !(fabs(got - want) <= 1e-12 * fmax(1, fabs(want))))
        fail_msg("got %.17g, expected %.17g", got, want);
}

/* ---- PIE's rules ---------------------------------------------------------------------------- */

static void keeps_the_original_unless_faster_and_correct(void **state)
{
    (void)state;
    static const struct {
        const char *claim;
        double cycles, speedup, optimized, correct;
    } cases[] = {{"twice as fast", 500, 2, 100, 100},
                 {"exactly 10 % faster", 1000 / 1.1, 1.1, 100, 100},
                 {"a little less than 10 % faster", 910, 1000.0 / 910, 0, 100},
                 {"slower", 4000, 1, 0, 100},
                 {"equal", 1000, 1, 0, 100},
                 {"wrong, however fast", 0, 1, 0, 0},
                 {"correct, but cut by the budget", -1, 1, 0, 100},
                 {"no code", -2, 1, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        row_draft draft;
        const pie_row *row = make_row(&draft, 1000, NULL, 0, &cases[i].cycles, 1);
        print_message("  %s\n", cases[i].claim);
        assert_near(one_row("speedup", NULL, row, "best@1", "Speedup"), cases[i].speedup);
        assert_near(one_row("optimized", NULL, row, "best@1", "%Opt"), cases[i].optimized);
        assert_near(one_row("correct", NULL, row, "best@1", "%Correct"), cases[i].correct);
    }
}

static void a_ratio_of_11_to_10_counts_as_optimized(void **state)
{
    (void)state;
    for (double unit = 1; unit < 1e15; unit *= 7) {
        row_draft draft;
        const double fast = 10 * unit;
        assert_near(one_row("optimized", NULL, make_row(&draft, 11 * unit, NULL, 0, &fast, 1),
                            "best@1", "%Opt"),
                    100);
    }
}

static void best_at_k_looks_at_the_first_k_in_order(void **state)
{
    (void)state;
    const double samples[] = {-2, 500, 0, 250, 100};
    row_draft draft;
    const pie_row *row = make_row(&draft, 1000, NULL, 0, samples, 5);
    assert_near(one_row("speedup", NULL, row, "best@1", "Speedup"), 1);
    assert_near(one_row("speedup", NULL, row, "best@2", "Speedup"), 2);
    assert_near(one_row("speedup", NULL, row, "best@4", "Speedup"), 4);
    assert_near(one_row("speedup", NULL, row, "best@5", "Speedup"), 10); /* the most there are */
    assert_near(one_row("correct", NULL, row, "best@1", "%Correct"), 0);
    assert_near(one_row("correct", NULL, row, "best@2", "%Correct"), 100);
    const fixture_setting settings[] = {{"k", "[ 3 ]"}, {NULL, NULL}};
    assert_near(one_row("speedup", settings, row, "best@3", "Speedup"), 2);
}

static void a_row_without_measured_source_gains_nothing(void **state)
{
    (void)state;
    const double fast = 1;
    row_draft draft;
    const pie_row *row = make_row(&draft, 0, "t", 10, &fast, 1);
    assert_near(one_row("speedup", NULL, row, "best@1", "Speedup"), 1);
    assert_near(one_row("optimized", NULL, row, "best@1", "%Opt"), 0);
    assert_near(one_row("correct", NULL, row, "best@1", "%Correct"), 100);
    assert_true(isnan(one_row("speedup", NULL, row, "same human", "Speedup")));
}

static void the_humans_target_is_taken_as_it_is(void **state)
{
    (void)state;
    row_draft draft;
    assert_near(one_row("speedup", NULL, make_row(&draft, 1000, "t", 2000, NULL, 0), "same human",
                        "Speedup"),
                0.5);
    assert_near(
        one_row("speedup", NULL, make_row(&draft, 1000, "t", 0, NULL, 0), "same human", "Speedup"),
        1);
    assert_near(
        one_row("correct", NULL, make_row(&draft, 1000, "t", 0, NULL, 0), "same human", "%Correct"),
        0);
    assert_true(isnan(one_row("speedup", NULL, make_row(&draft, 1000, NULL, 0, NULL, 0),
                              "same human", "Speedup")));
    assert_true(isnan(one_row("optimized", NULL, make_row(&draft, 1000, NULL, 0, NULL, 0),
                              "best of all", "%Opt")));
}

static void best_of_all_is_the_fastest_human_with_the_same_tests(void **state)
{
    (void)state;
    row_draft drafts[3];
    pie_row rows[] = {*make_row(&drafts[0], 1000, "a", 500, NULL, 0),
                      *make_row(&drafts[1], 400, "b", 100, NULL, 0),
                      *make_row(&drafts[2], 1000, "c", 1, NULL, 0)};
    rows[2].n_tests = 1; /* other tests: its cycles say nothing about the others */
    const pie_problem problem = {.problem_id = "p", .rows = rows, .n_rows = 3};
    assert_near(figure("speedup", NULL, &problem, 1, 0, "best of all", "Speedup"),
                (10 + 4 + 1000) / 3.0);
    /* a source counts too */
    pie_row two[] = {*make_row(&drafts[0], 1000, "a", 500, NULL, 0),
                     *make_row(&drafts[1], 100, "b", 0, NULL, 0)};
    const pie_problem other = {.problem_id = "p", .rows = two, .n_rows = 2};
    assert_near(figure("speedup", NULL, &other, 1, 0, "best of all", "Speedup"), (10 + 1) / 2.0);
}

static void means_are_over_rows_not_problems(void **state)
{
    (void)state;
    const double fast[] = {500}, faster[] = {100};
    row_draft drafts[3];
    const pie_row two[] = {*make_row(&drafts[0], 1000, NULL, 0, fast, 1),
                           *make_row(&drafts[1], 1000, NULL, 0, fast, 1)};
    const pie_problem problems[] = {
        {.problem_id = "p", .rows = two, .n_rows = 2},
        {.problem_id = "q", .rows = make_row(&drafts[2], 1000, NULL, 0, faster, 1), .n_rows = 1}};
    assert_near(figure("speedup", NULL, problems, 2, 1, "best@1", "Speedup"), (2 + 2 + 10) / 3.0);
    assert_near(figure("speedup", NULL, problems, 2, 1, "best@1", "Geomean"), cbrt(40));
}

static void the_geometric_mean_is_exact_to_the_last_digits(void **state)
{
    (void)state;
    const double ratios[] = {1, 1.0000001, 1.1, 2, 3, 7, 1e3, 123456.789, 1e9, 1e15};
    for (size_t i = 0; i < sizeof ratios / sizeof *ratios; i++) {
        row_draft draft;
        const double fast = 1;
        const double got = one_row("speedup", NULL, make_row(&draft, ratios[i], NULL, 0, &fast, 1),
                                   "best@1", "Geomean");
        if (!(fabs(got / ratios[i] - 1) < 2e-14))
            fail_msg("%.17g became %.17g", ratios[i], got);
    }
}

static void after_startup_counts_the_rest_only(void **state)
{
    (void)state;
    const double fast = 600;
    row_draft draft;
    make_row(&draft, 1000, NULL, 0, &fast, 1);
    draft.row.n_tests = 2;
    for (size_t i = 0; i < 2; i++) {
        draft.runs[0][i] = (pie_test_run){.verdict = PIE_VERDICT_PASSED,
                                          .valid = PIE_VALID_CYCLES | PIE_VALID_STARTUP_CYCLES,
                                          .cycles = 500,
                                          .startup_cycles = 400};
        draft.runs[1][i] = draft.runs[0][i];
        draft.runs[1][i].cycles = 300;
        draft.runs[1][i].startup_cycles = 200;
    }
    draft.source.tests = draft.runs[0];
    draft.samples[0].tests = draft.runs[1];
    assert_near(one_row("speedup", NULL, &draft.row, "best@1", "After start"), 1); /* 200 / 200 */
    draft.runs[1][1].startup_cycles = 250;
    assert_near(one_row("speedup", NULL, &draft.row, "best@1", "After start"), 200.0 / 150);
    draft.runs[1][0].valid = PIE_VALID_CYCLES; /* not known for one test */
    assert_near(one_row("speedup", NULL, &draft.row, "best@1", "After start"), 1);
}

static void several_thresholds_give_a_column_each(void **state)
{
    (void)state;
    const double samples[] = {400};
    row_draft draft;
    const pie_row *row = make_row(&draft, 1000, NULL, 0, samples, 1);
    const fixture_setting settings[] = {{"threshold", "[ 2.5, 2.51, 10 ]"}, {NULL, NULL}};
    assert_near(one_row("optimized", settings, row, "best@1", "%Opt"), 100);
    assert_near(one_row("optimized", settings, row, "best@1", "%Opt 2.51"), 0);
    assert_near(one_row("optimized", settings, row, "best@1", "%Opt 10"), 0);
}

static void share_of_tests_is_that_of_the_best_answer(void **state)
{
    (void)state;
    const double samples[] = {0, 0, -2};
    row_draft draft;
    make_row(&draft, 1000, NULL, 0, samples, 3);
    draft.row.n_tests = 4;
    draft.runs[0][0].verdict = PIE_VERDICT_PASSED;
    for (size_t i = 0; i < 3; i++)
        draft.runs[1][i].verdict = PIE_VERDICT_PASSED;
    draft.samples[0].tests = draft.runs[0];
    draft.samples[1].tests = draft.runs[1];
    const fixture_setting settings[] = {{"accuracy", "true"}, {NULL, NULL}};
    assert_near(one_row("correct", settings, &draft.row, "best@1", "%Tests"), 25);
    assert_near(one_row("correct", settings, &draft.row, "best@3", "%Tests"), 75);
}

static void the_pooled_line_takes_answers_of_other_rows(void **state)
{
    (void)state;
    const double wrong[] = {0}, fast[] = {100};
    row_draft drafts[2];
    const pie_row rows[] = {*make_row(&drafts[0], 1000, NULL, 0, wrong, 1),
                            *make_row(&drafts[1], 400, NULL, 0, fast, 1)};
    const pie_problem problem = {.problem_id = "p", .rows = rows, .n_rows = 2};
    const fixture_setting settings[] = {{"pooled", "true"}, {NULL, NULL}};
    assert_near(figure("speedup", settings, &problem, 1, 1, "best of answers", "Speedup"), 7);
    assert_near(figure("correct", settings, &problem, 1, 1, "best of answers", "%Correct"), 100);
    assert_near(figure("correct", settings, &problem, 1, 1, "best@1", "%Correct"), 50);
}

/* ---- unbiased estimators -------------------------------------------------------------------- */

/* Mean over all subsets of k of n of the greatest value. */
static double brute_force_best(const double *values, unsigned n, unsigned k)
{
    double sum = 0, n_subsets = 0;
    for (unsigned set = 0; set < 1u << n; set++) {
        if ((unsigned)__builtin_popcount(set) != k)
            continue;
        double best = -INFINITY;
        for (unsigned i = 0; i < n; i++)
            if (set >> i & 1)
                best = fmax(best, values[i]);
        sum += best;
        n_subsets++;
    }
    return sum / n_subsets;
}

static void unbiased_forms_equal_the_mean_over_all_subsets(void **state)
{
    (void)state;
    static const double samples[] = {500, 0, 100, -1, 2000, 250, 100, -2, 1000, 333};
    double speedups[10], passed[10];
    for (size_t i = 0; i < 10; i++) {
        speedups[i] = samples[i] > 0 && samples[i] < 1000 ? 1000 / samples[i] : 1;
        passed[i] = samples[i] > 0 || samples[i] == -1;
    }
    for (unsigned n = 1; n <= 10; n++)
        for (unsigned k = 1; k <= n; k++) {
            row_draft draft;
            const pie_row *row = make_row(&draft, 1000, NULL, 0, samples, n);
            char ks[16], pass[16], best[24];
            snprintf(ks, sizeof ks, "[ %u ]", k);
            snprintf(pass, sizeof pass, "pass@%u", k);
            snprintf(best, sizeof best, "any %u of n", k);
            const fixture_setting settings[] = {{"k", ks}, {NULL, NULL}};
            assert_near(one_row("pass-at-k", settings, row, pass, "%Correct"),
                        100 * brute_force_best(passed, n, k));
            assert_near(one_row("best-at-k", settings, row, best, "Speedup"),
                        brute_force_best(speedups, n, k));
        }
}

static void unbiased_forms_ignore_the_order(void **state)
{
    (void)state;
    const double one[] = {500, 0, 100, 2000, 250}, other[] = {0, 250, 2000, 500, 100};
    row_draft drafts[2];
    const pie_row *a = make_row(&drafts[0], 1000, NULL, 0, one, 5),
                  *b = make_row(&drafts[1], 1000, NULL, 0, other, 5);
    assert_true(one_row("best-at-k", NULL, a, "any 2 of n", "Speedup") ==
                one_row("best-at-k", NULL, b, "any 2 of n", "Speedup"));
}

static void unbiased_forms_hold_for_100000_answers(void **state)
{
    (void)state;
    enum { N = 100000 };
    pie_program *samples = calloc(N, sizeof *samples);
    assert_non_null(samples);
    long double sum = 0;
    for (size_t i = 0; i < N; i++) {
        samples[i] = program_of(PIE_ROLE_SAMPLE, "", i % 5 ? 1 + (double)((i * 7919) % N) : 0);
        sum += i % 5 && samples[i].cycles < 1000 ? 1000 / samples[i].cycles : 1;
    }
    row_draft draft;
    make_row(&draft, 1000, NULL, 0, NULL, 0);
    draft.row.samples = samples;
    draft.row.n_samples = N;
    const fixture_setting settings[] = {{"k", "[ 1, 50000, 99999, 100000 ]"}, {NULL, NULL}};
    assert_near(one_row("best-at-k", settings, &draft.row, "any 1 of n", "Speedup"),
                (double)(sum / N));
    assert_near(one_row("best-at-k", settings, &draft.row, "any 100000 of n", "Speedup"), 500);
    const double half = one_row("best-at-k", settings, &draft.row, "any 50000 of n", "Speedup");
    assert_true(half > 250 && half < 500);
    assert_near(one_row("pass-at-k", settings, &draft.row, "pass@1", "%Correct"), 80);
    assert_near(one_row("pass-at-k", settings, &draft.row, "pass@100000", "%Correct"), 100);
    free(samples);
}

static void unbiased_forms_need_k_answers_of_every_row(void **state)
{
    (void)state;
    const double samples[] = {500, 500, 500};
    row_draft drafts[2];
    const pie_row rows[] = {*make_row(&drafts[0], 1000, NULL, 0, samples, 3),
                            *make_row(&drafts[1], 1000, NULL, 0, samples, 2)};
    const pie_problem problem = {.problem_id = "p", .rows = rows, .n_rows = 2};
    assert_true(isnan(figure("pass-at-k", NULL, &problem, 1, 3, "pass@3", "%Correct")));
    assert_true(isnan(figure("best-at-k", NULL, &problem, 1, 3, "any 3 of n", "Speedup")));
    assert_near(figure("pass-at-k", NULL, &problem, 1, 3, "pass@2", "%Correct"), 100);
}

/* ---- tags ----------------------------------------------------------------------------------- */

/* Mean tag of the sources of ten rows whose sources take 100, 200 .. cycles. */
static void tags_are_tenths_of_the_human_solutions(void **state)
{
    (void)state;
    row_draft drafts[10];
    pie_row rows[10];
    char ids[10][8];
    for (size_t i = 0; i < 10; i++) {
        const double samples[] = {1e9};
        rows[i] = *make_row(&drafts[i], 100.0 * (double)(i + 1), NULL, 0, samples, 1);
        snprintf(ids[i], sizeof ids[i], "s%zu", i);
        drafts[i].source.id = ids[i];
    }
    const pie_problem problem = {.problem_id = "p", .rows = rows, .n_rows = 10};
    metric_fixture fixture;
    assert_int_equal(fixture_open(&fixture, "tags", NULL, 1), PIE_OK);
    double labels[10];
    assert_int_equal(fixture.ops->label(fixture.self, &problem, PIE_ROLE_SOURCE, labels, 10),
                     PIE_OK);
    for (size_t i = 0; i < 10; i++)
        assert_near(labels[i], 10.0 - (double)i);
    /* the answers are slower than everybody */
    assert_int_equal(fixture.ops->label(fixture.self, &problem, PIE_ROLE_SAMPLE, labels, 10),
                     PIE_OK);
    assert_near(labels[0], 1);
    assert_int_equal(fixture.ops->label(fixture.self, &problem, PIE_ROLE_TARGET, labels, 10),
                     PIE_OK);
    assert_true(isnan(labels[0]));
    fixture_close(&fixture);
    /* the source is kept where it is better */
    assert_near(figure("tags", NULL, &problem, 1, 1, "best@1", "Tag"), 5.5);
    const fixture_setting settings[] = {{"distribution", "true"}, {NULL, NULL}};
    assert_near(figure("tags", settings, &problem, 1, 1, "best@1", "%Tag 10"), 10);
}

static void equal_solutions_share_the_better_tag_and_an_id_counts_once(void **state)
{
    (void)state;
    row_draft drafts[4];
    const double samples[] = {100, 99};
    pie_row rows[] = {*make_row(&drafts[0], 200, "fast", 100, samples, 2),
                      *make_row(&drafts[1], 200, "fast", 100, samples, 2)};
    drafts[0].source.id = "a";
    drafts[1].source.id = "b";
    const pie_problem problem = {.problem_id = "p", .rows = rows, .n_rows = 2};
    metric_fixture fixture;
    double labels[2];
    assert_int_equal(fixture_open(&fixture, "tags", NULL, 2), PIE_OK);
    /* three solutions (fast, a, b): one is faster than a and b, so 10 - floor(10/3) = 7 */
    assert_int_equal(fixture.ops->label(fixture.self, &problem, PIE_ROLE_SOURCE, labels, 2),
                     PIE_OK);
    assert_near(labels[0], 7);
    assert_near(labels[1], 7);
    assert_int_equal(fixture.ops->label(fixture.self, &problem, PIE_ROLE_TARGET, labels, 2),
                     PIE_OK);
    assert_near(labels[0], 10);
    fixture_close(&fixture);
}

/* ---- the contract --------------------------------------------------------------------------- */

static const char *const all_metrics[] = {"correct", "optimized", "speedup",
                                          "tags",    "pass-at-k", "best-at-k"};

static void multiplicity_is_repetition_and_bits_are_stable(void **state)
{
    (void)state;
    const double some[] = {300, 0, 77}, others[] = {999, 123, -1};
    row_draft drafts[2];
    const pie_problem p = {.problem_id = "p",
                           .rows = make_row(&drafts[0], 1000, "t", 900, some, 3),
                           .n_rows = 1},
                      q = {.problem_id = "q",
                           .rows = make_row(&drafts[1], 500, "u", 50, others, 3),
                           .n_rows = 1};
    const pie_problem repeated[] = {p, p, p, q};
    for (size_t m = 0; m < sizeof all_metrics / sizeof *all_metrics; m++) {
        metric_fixture fixture;
        const pie_metric_output *outputs;
        size_t n;
        double *want = NULL, columns[2 * 256] = {0}, got[64] = {0}, again[64] = {0};
        const uint32_t multiplicity[] = {3, 1};
        print_message("  %s\n", all_metrics[m]);
        assert_int_equal(fixture_open(&fixture, all_metrics[m], NULL, 3), PIE_OK);
        const size_t n_columns = fixture.ops->n_columns(fixture.self);
        assert_true(n_columns <= 256);
        assert_int_equal(fixture_run(&fixture, repeated, 4, &outputs, &n, &want), PIE_OK);
        assert_int_equal(fixture.ops->problem(fixture.self, &p, columns), PIE_OK);
        assert_int_equal(fixture.ops->problem(fixture.self, &q, columns + n_columns), PIE_OK);
        assert_int_equal(fixture.ops->total(fixture.self, columns, multiplicity, 2, got), PIE_OK);
        assert_int_equal(fixture.ops->total(fixture.self, columns, multiplicity, 2, again), PIE_OK);
        assert_memory_equal(got, again, n * sizeof *got);
        for (size_t i = 0; i < n; i++) {
            assert_near(got[i], want[i]);
            assert_true(strlen(outputs[i].rule) > 40);
            assert_true(strlen(outputs[i].rule) < 719); /* was not cut */
        }
        free(want);
        fixture_close(&fixture);
    }
}

static void no_problem_gives_no_figure_and_no_crash(void **state)
{
    (void)state;
    const pie_problem none = {.problem_id = "p"};
    for (size_t m = 0; m < sizeof all_metrics / sizeof *all_metrics; m++)
        for (size_t n_problems = 0; n_problems < 2; n_problems++) {
            metric_fixture fixture;
            const pie_metric_output *outputs;
            size_t n;
            double *totals = NULL;
            assert_int_equal(fixture_open(&fixture, all_metrics[m], NULL, 4), PIE_OK);
            assert_int_equal(fixture_run(&fixture, &none, n_problems, &outputs, &n, &totals),
                             PIE_OK);
            assert_true(n > 0);
            for (size_t i = 0; i < n; i++)
                assert_true(isnan(totals[i]));
            free(totals);
            fixture_close(&fixture);
        }
}

static void refuses_settings_that_make_no_sense(void **state)
{
    (void)state;
    static const struct {
        const char *metric;
        fixture_setting settings[2];
        const char *message;
    } cases[] = {{"speedup", {{"k", "[ 1.5 ]"}, {NULL, NULL}}, "1.5 is not a whole number"},
                 {"pass-at-k", {{"k", "[ 0 ]"}, {NULL, NULL}}, "0 is not a whole number"},
                 {"best-at-k", {{"k", "[ 1, -3 ]"}, {NULL, NULL}}, "-3 is not a whole number"},
                 {"optimized", {{"threshold", "[ ]"}, {NULL, NULL}}, "empty list"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        metric_fixture fixture;
        assert_int_equal(fixture_open(&fixture, cases[i].metric, cases[i].settings, 4),
                         PIE_ERR_CONFIG);
        if (!strstr(fixture.logged, cases[i].message))
            fail_msg("'%s' does not say '%s'", fixture.logged, cases[i].message);
        fixture_close(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_original_unless_faster_and_correct),
        cmocka_unit_test(a_ratio_of_11_to_10_counts_as_optimized),
        cmocka_unit_test(best_at_k_looks_at_the_first_k_in_order),
        cmocka_unit_test(a_row_without_measured_source_gains_nothing),
        cmocka_unit_test(the_humans_target_is_taken_as_it_is),
        cmocka_unit_test(best_of_all_is_the_fastest_human_with_the_same_tests),
        cmocka_unit_test(means_are_over_rows_not_problems),
        cmocka_unit_test(the_geometric_mean_is_exact_to_the_last_digits),
        cmocka_unit_test(after_startup_counts_the_rest_only),
        cmocka_unit_test(several_thresholds_give_a_column_each),
        cmocka_unit_test(share_of_tests_is_that_of_the_best_answer),
        cmocka_unit_test(the_pooled_line_takes_answers_of_other_rows),
        cmocka_unit_test(unbiased_forms_equal_the_mean_over_all_subsets),
        cmocka_unit_test(unbiased_forms_ignore_the_order),
        cmocka_unit_test(unbiased_forms_hold_for_100000_answers),
        cmocka_unit_test(unbiased_forms_need_k_answers_of_every_row),
        cmocka_unit_test(tags_are_tenths_of_the_human_solutions),
        cmocka_unit_test(equal_solutions_share_the_better_tag_and_an_id_counts_once),
        cmocka_unit_test(multiplicity_is_repetition_and_bits_are_stable),
        cmocka_unit_test(no_problem_gives_no_figure_and_no_crash),
        cmocka_unit_test(refuses_settings_that_make_no_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
