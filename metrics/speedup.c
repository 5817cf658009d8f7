/* speedup.c - how many times fewer cycles the best answer takes. */
#include "rules.h"

/* Per problem and line: rows counted, sum of speedups, sum of their logarithms; then the same for
 * the part after start-up. */
enum { ROWS, SUM, LOG_SUM, MAIN_ROWS, MAIN_SUM, N_PER_LINE };

typedef struct speedup {
    table_lines lines;
    figure_list figures;
    double *sums; /* scratch of total() */
    bool arithmetic, geometric;
    int32_t after_startup;
} speedup;

/* Natural logarithm and exponential of our own: libm's differ in the last bit between processors,
 * since it picks variants with and without fused multiply-add. Errors stay below 1e-15 relative. */
static const double ln2 = 0.69314718055994530942;

static double ln(double x)
{
    int exponent;
    double m = frexp(x, &exponent); /* [0.5, 1) */
    if (m < 0.70710678118654752440) {
        m *= 2;
        exponent--;
    }
    const double s = (m - 1) / (m + 1), square = s * s; /* |s| < 0.172 */
    double series = 0;
    for (int i = 23; i >= 1; i -= 2)
        series = series * square + 1.0 / i;
    return 2 * s * series + exponent * ln2;
}

static double exponential(double x)
{
    const double whole = floor(x / ln2 + 0.5), rest = x - whole * ln2; /* |rest| < 0.35 */
    double series = 1;
    for (int i = 17; i >= 1; i--)
        series = series * rest / i + 1;
    return ldexp(series, whole > 2000 ? 2000 : whole < -2000 ? -2000 : (int)whole);
}

static void speedup_destroy(void *self)
{
    speedup *metric = self;
    if (!metric)
        return;
    lines_free(&metric->lines);
    figures_free(&metric->figures);
    free(metric->sums);
    free(metric);
}

static void speedup_describe(speedup *self)
{
    for (size_t i = 0; i < self->lines.n; i++) {
        const table_line *line = &self->lines.items[i];
        const char *rest =
            line_clamps(line)
                ? "never below 1, which also stands where no program is correct, where the cycle "
                  "budget cut it, or where the source was not measured"
                : "not clamped; a target that failed counts as 1, a row whose source or target was "
                  "not measured is left out";
        if (self->arithmetic)
            figures_add(&self->figures, line->name, "Speedup", line->k, "ratio",
                        PIE_HIGHER_IS_BETTER,
                        "Arithmetic mean over %s of source cycles / cycles of %s; %s.",
                        line_rows(line), line->who, rest);
        if (self->geometric)
            figures_add(&self->figures, line->name, "Geomean", line->k, "ratio",
                        PIE_HIGHER_IS_BETTER,
                        "Geometric mean over %s of source cycles / cycles of %s; %s.",
                        line_rows(line), line->who, rest);
        if (self->after_startup)
            figures_add(&self->figures, line->name, "After start", line->k, "ratio",
                        PIE_HIGHER_IS_BETTER,
                        "Arithmetic mean over %s of source cycles / cycles of %s, both counted "
                        "from the end of start-up and fastest meant so; %s.",
                        line_rows(line), line->who, rest);
    }
}

static pie_status speedup_create(const pie_host *host, int64_t max_samples, void **ret_self)
{
    speedup *self = calloc(1, sizeof *self);
    if (!self)
        return PIE_ERR_NOMEM;
    const char *mean = NULL;
    pie_status status = lines_new(host, max_samples, &self->lines);
    if (status == PIE_OK)
        status = host->get_string(host, "mean", &mean);
    if (status == PIE_OK)
        status = host->get_bool(host, "after_startup", &self->after_startup);
    if (status == PIE_OK)
        status = figures_new(self->lines.n * 3, &self->figures);
    if (status == PIE_OK)
        status = sums_new(self->lines.n * N_PER_LINE, &self->sums);
    if (status == PIE_OK) {
        self->arithmetic = strcmp(mean, "geometric") != 0;
        self->geometric = strcmp(mean, "arithmetic") != 0;
        speedup_describe(self);
        *ret_self = self;
        self = NULL;
    }
    speedup_destroy(self);
    return status;
}

static pie_status speedup_outputs(void *self, const pie_metric_output **ret_outputs, size_t *ret_n)
{
    const speedup *metric = self;
    *ret_outputs = metric->figures.items;
    *ret_n = metric->figures.n;
    return PIE_OK;
}

static size_t speedup_n_columns(void *self)
{
    return ((speedup *)self)->lines.n * N_PER_LINE;
}

static bool was_run(const pie_program *program)
{
    return program->verdict != PIE_VERDICT_NONE && program->verdict != PIE_VERDICT_INFRA_ERROR;
}

/* What the row counts as in the line; NaN: left out. */
static double row_speedup(const table_line *line, const pie_row *row, const row_group *group,
                          cost_of *cost)
{
    const double ratio = ratio_of(row, line_pick(line, row, group, cost), cost);
    if (line_clamps(line))
        return ratio > 1 ? ratio : 1;
    if (!(cost(row, row->source) < INFINITY) || !was_run(row->target))
        return NAN;
    return isnan(ratio) ? 1 : ratio;
}

/* Add the rows' speedups by @cost to the columns that begin at @column. */
static pie_status add_problem(const speedup *self, const pie_problem *problem, cost_of *cost,
                              size_t column, bool with_logs, double *columns)
{
    row_groups groups;
    const pie_status status = groups_new(problem, cost, &groups);
    if (status != PIE_OK)
        return status;
    for (size_t r = 0; r < problem->n_rows; r++) {
        const pie_row *row = &problem->rows[r];
        const row_group *group = &groups.items[groups.of_row[r]];
        for (size_t i = 0; i < self->lines.n; i++) {
            const table_line *line = &self->lines.items[i];
            double *sums = columns + i * N_PER_LINE + column;
            if (!line_counts(line, row, group))
                continue;
            const double gain = row_speedup(line, row, group, cost);
            if (isnan(gain))
                continue;
            sums[ROWS] += 1;
            sums[SUM] += gain;
            if (with_logs)
                sums[LOG_SUM] += ln(gain);
        }
    }
    groups_free(&groups);
    return PIE_OK;
}

static pie_status speedup_problem(void *self, const pie_problem *problem, double *ret_columns)
{
    const speedup *metric = self;
    for (size_t i = 0; i < metric->lines.n * N_PER_LINE; i++)
        ret_columns[i] = 0;
    pie_status status =
        add_problem(metric, problem, cost_whole, ROWS, metric->geometric, ret_columns);
    if (status == PIE_OK && metric->after_startup)
        status = add_problem(metric, problem, cost_main, MAIN_ROWS, false, ret_columns);
    return status;
}

static pie_status speedup_total(void *self, const double *columns, const uint32_t *multiplicity,
                                size_t n_problems, double *ret_totals)
{
    const speedup *metric = self;
    columns_sum(columns, multiplicity, n_problems, metric->lines.n * N_PER_LINE, metric->sums);
    for (size_t i = 0; i < metric->lines.n; i++) {
        const double *sums = metric->sums + i * N_PER_LINE;
        if (metric->arithmetic)
            *ret_totals++ = mean_of(sums[SUM], sums[ROWS]);
        if (metric->geometric)
            *ret_totals++ = sums[ROWS] > 0 ? exponential(mean_of(sums[LOG_SUM], sums[ROWS])) : NAN;
        if (metric->after_startup)
            *ret_totals++ = mean_of(sums[MAIN_SUM], sums[MAIN_ROWS]);
    }
    return PIE_OK;
}

static const pie_metric_ops speedup_ops = {.create = speedup_create,
                                           .destroy = speedup_destroy,
                                           .outputs = speedup_outputs,
                                           .n_columns = speedup_n_columns,
                                           .problem = speedup_problem,
                                           .total = speedup_total};
static const pie_option speedup_options[] = {
    RULES_OPTIONS_LINES,
    {.name = "mean",
     .type = PIE_OPTION_STRING,
     .fallback = "\"both\"",
     .help = "which mean over the rows is given",
     .choices = "arithmetic|geometric|both"},
    {.name = "after_startup",
     .type = PIE_OPTION_BOOL,
     .fallback = "true",
     .help = "also the speedup of the part after start-up, as column After start"},
    {.name = NULL}};
static const pie_plugin speedup_plugin = {
    .kind = PIE_KIND_METRIC,
    .id = "org.pie.speedup",
    .version = "1.0.0",
    .summary = "Speedup: mean of source cycles over cycles of the best answer, never below 1.",
    .licence = "MIT",
    .options = speedup_options,
    .ops = &speedup_ops};
PIE_MODULE(&speedup_plugin);
