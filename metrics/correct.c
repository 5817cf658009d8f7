/* correct.c - %Correct: how often a correct program is among the answers. */
#include "rules.h"

/* Per problem and line: rows counted, rows with a correct program, shares of passed tests. */
enum { ROWS, CORRECT, ACCURACY, N_PER_LINE };

typedef struct correct {
    table_lines lines;
    figure_list figures;
    double *sums; /* scratch of total() */
    int32_t accuracy;
} correct;

static void correct_destroy(void *self)
{
    correct *metric = self;
    if (!metric)
        return;
    lines_free(&metric->lines);
    figures_free(&metric->figures);
    free(metric->sums);
    free(metric);
}

static void correct_describe(correct *self)
{
    for (size_t i = 0; i < self->lines.n; i++) {
        const table_line *line = &self->lines.items[i];
        if (line->kind == LINE_BEST_AT)
            figures_add(&self->figures, line->name, "%Correct", line->k, "%", PIE_HIGHER_IS_BETTER,
                        "Share of dataset rows where any of the first %lld answers is correct: "
                        "built and passed every test, be it cut by the cycle budget. A missing "
                        "answer is not correct.",
                        (long long)line->k);
        else
            figures_add(&self->figures, line->name, "%Correct", 0, "%", PIE_HIGHER_IS_BETTER,
                        "Share of %s where %s is correct: built and passed every test.",
                        line_rows(line), line->who);
        if (!self->accuracy)
            continue;
        char programs[200];
        if (line->kind == LINE_BEST_AT)
            snprintf(programs, sizeof programs, "any of the first %lld answers",
                     (long long)line->k);
        else
            snprintf(programs, sizeof programs, "%s", line->who);
        figures_add(&self->figures, line->name, "%Tests", line->k, "%", PIE_HIGHER_IS_BETTER,
                    "Mean over %s of the greatest share of the row's tests that was passed by %s. "
                    "Tests that did not run (after a failed one, unless the check runs all) count "
                    "as not passed.",
                    line_rows(line), programs);
    }
}

static pie_status correct_create(const pie_host *host, int64_t max_samples, void **ret_self)
{
    correct *self = calloc(1, sizeof *self);
    if (!self)
        return PIE_ERR_NOMEM;
    pie_status status = lines_new(host, max_samples, &self->lines);
    if (status == PIE_OK)
        status = host->get_bool(host, "accuracy", &self->accuracy);
    if (status == PIE_OK)
        status = figures_new(self->lines.n * 2, &self->figures);
    if (status == PIE_OK)
        status = sums_new(self->lines.n * N_PER_LINE, &self->sums);
    if (status == PIE_OK) {
        correct_describe(self);
        *ret_self = self;
        self = NULL;
    }
    correct_destroy(self);
    return status;
}

static pie_status correct_outputs(void *self, const pie_metric_output **ret_outputs, size_t *ret_n)
{
    const correct *metric = self;
    *ret_outputs = metric->figures.items;
    *ret_n = metric->figures.n;
    return PIE_OK;
}

static size_t correct_n_columns(void *self)
{
    return ((correct *)self)->lines.n * N_PER_LINE;
}

static double accuracy_of(const pie_row *row, const pie_program *program)
{
    if (!program || is_correct(program))
        return program ? 1 : 0;
    size_t n_passed = 0;
    for (size_t i = 0; program->tests && i < row->n_tests; i++)
        n_passed += program->tests[i].verdict == PIE_VERDICT_PASSED;
    return n_passed > 0 ? (double)n_passed / (double)row->n_tests : 0;
}

/* The greatest share of tests that a program of the line passes. */
static double line_accuracy(const table_line *line, const pie_row *row, const pie_program *picked)
{
    if (line->kind == LINE_SAME_HUMAN)
        return accuracy_of(row, row->target);
    double best = accuracy_of(row, picked);
    for (size_t i = 0; line->kind == LINE_BEST_AT && i < row->n_samples; i++) {
        if ((int64_t)i == line->k || best >= 1)
            break;
        const double accuracy = accuracy_of(row, &row->samples[i]);
        best = accuracy > best ? accuracy : best;
    }
    return best;
}

static pie_status correct_problem(void *self, const pie_problem *problem, double *ret_columns)
{
    const correct *metric = self;
    row_groups groups;
    const pie_status status = groups_new(problem, cost_whole, &groups);
    if (status != PIE_OK)
        return status;
    for (size_t i = 0; i < metric->lines.n * N_PER_LINE; i++)
        ret_columns[i] = 0;
    for (size_t r = 0; r < problem->n_rows; r++) {
        const pie_row *row = &problem->rows[r];
        const row_group *group = &groups.items[groups.of_row[r]];
        for (size_t i = 0; i < metric->lines.n; i++) {
            const table_line *line = &metric->lines.items[i];
            double *sums = ret_columns + i * N_PER_LINE;
            if (!line_counts(line, row, group))
                continue;
            const pie_program *picked = line_pick(line, row, group, cost_whole);
            sums[ROWS] += 1;
            sums[CORRECT] += picked ? 1 : 0;
            if (metric->accuracy)
                sums[ACCURACY] += line_accuracy(line, row, picked);
        }
    }
    groups_free(&groups);
    return PIE_OK;
}

static pie_status correct_total(void *self, const double *columns, const uint32_t *multiplicity,
                                size_t n_problems, double *ret_totals)
{
    const correct *metric = self;
    columns_sum(columns, multiplicity, n_problems, metric->lines.n * N_PER_LINE, metric->sums);
    for (size_t i = 0; i < metric->lines.n; i++) {
        const double *sums = metric->sums + i * N_PER_LINE;
        *ret_totals++ = 100 * mean_of(sums[CORRECT], sums[ROWS]);
        if (metric->accuracy)
            *ret_totals++ = 100 * mean_of(sums[ACCURACY], sums[ROWS]);
    }
    return PIE_OK;
}

static const pie_metric_ops correct_ops = {.create = correct_create,
                                           .destroy = correct_destroy,
                                           .outputs = correct_outputs,
                                           .n_columns = correct_n_columns,
                                           .problem = correct_problem,
                                           .total = correct_total};
static const pie_option correct_options[] = {
    RULES_OPTIONS_LINES,
    {.name = "accuracy",
     .type = PIE_OPTION_BOOL,
     .fallback = "false",
     .help = "also the mean share of tests passed, as column %Tests"},
    {.name = NULL}};
static const pie_plugin correct_plugin = {
    .kind = PIE_KIND_METRIC,
    .id = "org.pie.correct",
    .version = "1.0.0",
    .summary = "%Correct: share of rows with a correct program among the first k answers.",
    .licence = "MIT",
    .options = correct_options,
    .ops = &correct_ops};
PIE_MODULE(&correct_plugin);
