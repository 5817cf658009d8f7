/* optimized.c - %Opt: how often the best answer is correct and faster by a margin. */
#include "rules.h"

typedef struct optimized {
    table_lines lines;
    figure_list figures;
    double *sums; /* scratch of total() */
    double *thresholds;
    size_t n_thresholds;
} optimized;

/* Per problem and line: rows counted, then rows at or above each threshold. */
static size_t per_line(const optimized *self)
{
    return 1 + self->n_thresholds;
}

static void optimized_destroy(void *self)
{
    optimized *metric = self;
    if (!metric)
        return;
    lines_free(&metric->lines);
    figures_free(&metric->figures);
    free(metric->sums);
    free(metric->thresholds);
    free(metric);
}

static pie_status read_thresholds(optimized *self, const pie_host *host)
{
    const double *items;
    size_t n;
    const pie_status status = host->get_floats(host, "threshold", &items, &n);
    if (status != PIE_OK)
        return status;
    if (n == 0) {
        host->log(host, PIE_LOG_ERROR, "threshold: an empty list; leave it out for 1.10");
        return PIE_ERR_CONFIG;
    }
    self->thresholds = calloc(n, sizeof *self->thresholds);
    if (!self->thresholds)
        return PIE_ERR_NOMEM;
    memcpy(self->thresholds, items, n * sizeof *items);
    self->n_thresholds = n;
    return PIE_OK;
}

static void optimized_describe(optimized *self)
{
    for (size_t i = 0; i < self->lines.n; i++) {
        const table_line *line = &self->lines.items[i];
        for (size_t t = 0; t < self->n_thresholds; t++) {
            char column[40] = "%Opt"; /* the first threshold is the one meant by the bare name */
            if (t > 0)
                snprintf(column, sizeof column, "%%Opt %.6g", self->thresholds[t]);
            figures_add(&self->figures, line->name, column, line->k, "%", PIE_HIGHER_IS_BETTER,
                        "Share of %s where source cycles / cycles of %s >= %.6g. Not so where "
                        "no program is correct, where the cycle budget cut it, or where the source "
                        "was not measured.",
                        line_rows(line), line->who, self->thresholds[t]);
        }
    }
}

static pie_status optimized_create(const pie_host *host, int64_t max_samples, void **ret_self)
{
    optimized *self = calloc(1, sizeof *self);
    if (!self)
        return PIE_ERR_NOMEM;
    pie_status status = read_thresholds(self, host);
    if (status == PIE_OK)
        status = lines_new(host, max_samples, &self->lines);
    if (status == PIE_OK)
        status = figures_new(self->lines.n * self->n_thresholds, &self->figures);
    if (status == PIE_OK)
        status = sums_new(self->lines.n * per_line(self), &self->sums);
    if (status == PIE_OK) {
        optimized_describe(self);
        *ret_self = self;
        self = NULL;
    }
    optimized_destroy(self);
    return status;
}

static pie_status optimized_outputs(void *self, const pie_metric_output **ret_outputs,
                                    size_t *ret_n)
{
    const optimized *metric = self;
    *ret_outputs = metric->figures.items;
    *ret_n = metric->figures.n;
    return PIE_OK;
}

static size_t optimized_n_columns(void *self)
{
    const optimized *metric = self;
    return metric->lines.n * per_line(metric);
}

static pie_status optimized_problem(void *self, const pie_problem *problem, double *ret_columns)
{
    const optimized *metric = self;
    row_groups groups;
    const pie_status status = groups_new(problem, cost_whole, &groups);
    if (status != PIE_OK)
        return status;
    for (size_t i = 0; i < metric->lines.n * per_line(metric); i++)
        ret_columns[i] = 0;
    for (size_t r = 0; r < problem->n_rows; r++) {
        const pie_row *row = &problem->rows[r];
        const row_group *group = &groups.items[groups.of_row[r]];
        for (size_t i = 0; i < metric->lines.n; i++) {
            const table_line *line = &metric->lines.items[i];
            double *sums = ret_columns + i * per_line(metric);
            if (!line_counts(line, row, group))
                continue;
            const double ratio = ratio_of(row, line_pick(line, row, group, cost_whole), cost_whole);
            const double speedup = line_clamps(line) && !(ratio > 1) ? 1 : ratio;
            sums[0] += 1;
            for (size_t t = 0; t < metric->n_thresholds; t++)
                sums[1 + t] += speedup >= metric->thresholds[t] ? 1 : 0; /* NaN: not */
        }
    }
    groups_free(&groups);
    return PIE_OK;
}

static pie_status optimized_total(void *self, const double *columns, const uint32_t *multiplicity,
                                  size_t n_problems, double *ret_totals)
{
    const optimized *metric = self;
    columns_sum(columns, multiplicity, n_problems, metric->lines.n * per_line(metric),
                metric->sums);
    for (size_t i = 0; i < metric->lines.n; i++) {
        const double *sums = metric->sums + i * per_line(metric);
        for (size_t t = 0; t < metric->n_thresholds; t++)
            *ret_totals++ = 100 * mean_of(sums[1 + t], sums[0]);
    }
    return PIE_OK;
}

static const pie_metric_ops optimized_ops = {.create = optimized_create,
                                             .destroy = optimized_destroy,
                                             .outputs = optimized_outputs,
                                             .n_columns = optimized_n_columns,
                                             .problem = optimized_problem,
                                             .total = optimized_total};
static const pie_option optimized_options[] = {
    {.name = "threshold",
     .type = PIE_OPTION_FLOAT_LIST,
     .fallback = "[ 1.10 ]",
     .help = "least speedup that counts; several give a column each "
             "(PIE prints 1.1 1.25 1.5 1.75 2 2.5 3 4 5 10)",
     .min = 1,
     .max = 1e9},
    RULES_OPTIONS_LINES,
    {.name = NULL}};
static const pie_plugin optimized_plugin = {
    .kind = PIE_KIND_METRIC,
    .id = "org.pie.optimized",
    .version = "1.0.0",
    .summary = "%Opt: share of rows whose best answer is correct and at least 10 % faster.",
    .licence = "MIT",
    .options = optimized_options,
    .ops = &optimized_ops};
PIE_MODULE(&optimized_plugin);
