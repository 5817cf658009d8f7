/* best-at-k.c - the expected speedup of the best of k answers, drawn without replacement: unbiased,
 * and independent of the order of the answers. */
#include "rules.h"

/* Per problem and k: rows with at least k answers, rows with fewer, sum of best@k. */
enum { ROWS, SHORT_ROWS, SUM, N_PER_K };

typedef struct best_at_k {
    int64_t *k;
    size_t n_k;
    figure_list figures;
    double *sums; /* scratch of total() */
} best_at_k;

static void best_at_k_destroy(void *self)
{
    best_at_k *metric = self;
    if (!metric)
        return;
    free(metric->k);
    figures_free(&metric->figures);
    free(metric->sums);
    free(metric);
}

static pie_status best_at_k_create(const pie_host *host, int64_t max_samples, void **ret_self)
{
    best_at_k *self = calloc(1, sizeof *self);
    if (!self)
        return PIE_ERR_NOMEM;
    pie_status status = rules_ks(host, max_samples, &self->k, &self->n_k);
    if (status == PIE_OK)
        status = figures_new(self->n_k, &self->figures);
    if (status == PIE_OK)
        status = sums_new(self->n_k * N_PER_K, &self->sums);
    if (status == PIE_OK) {
        for (size_t i = 0; i < self->n_k; i++) {
            char name[40];
            snprintf(name, sizeof name, "any %lld of n", (long long)self->k[i]);
            figures_add(&self->figures, name, "Speedup", self->k[i], "ratio", PIE_HIGHER_IS_BETTER,
                        "Mean over dataset rows of the expected greatest speedup of %lld answers "
                        "drawn from the row's n without replacement: unbiased, whatever their "
                        "order. 1 stands for an answer that is slower, not correct, or cut by the "
                        "cycle budget, and where the source was not measured. Given only when "
                        "every row has n >= %lld.",
                        (long long)self->k[i], (long long)self->k[i]);
        }
        *ret_self = self;
        self = NULL;
    }
    best_at_k_destroy(self);
    return status;
}

static pie_status best_at_k_outputs(void *self, const pie_metric_output **ret_outputs,
                                    size_t *ret_n)
{
    const best_at_k *metric = self;
    *ret_outputs = metric->figures.items;
    *ret_n = metric->figures.n;
    return PIE_OK;
}

static size_t best_at_k_n_columns(void *self)
{
    return ((best_at_k *)self)->n_k * N_PER_K;
}

static int descending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* @speedups [n] descending. The i-th greatest is the best of the draw when it is drawn and the k-1
 * others come from the n-i lower ones: chance C(n-i,k-1)/C(n,k), by a recurrence from k/n at i = 1,
 * since the binomials overflow. */
static double expected_best(const double *speedups, int64_t n, int64_t k)
{
    double chance = (double)k / (double)n, sum = 0, lost = 0;
    for (int64_t i = 1; i <= n - k + 1; i++) {
        /* Kahan: all terms are positive, and 100,000 of them must not lose digits */
        const double term = chance * speedups[i - 1] - lost, next = sum + term;
        lost = (next - sum) - term;
        sum = next;
        if (i < n)
            chance *= (double)(n - i - k + 1) / (double)(n - i);
    }
    return sum;
}

static pie_status best_at_k_problem(void *self, const pie_problem *problem, double *ret_columns)
{
    const best_at_k *metric = self;
    size_t most = 0;
    for (size_t r = 0; r < problem->n_rows; r++)
        most = problem->rows[r].n_samples > most ? problem->rows[r].n_samples : most;
    double *speedups = calloc(most + 1, sizeof *speedups);
    if (!speedups)
        return PIE_ERR_NOMEM;
    for (size_t i = 0; i < metric->n_k * N_PER_K; i++)
        ret_columns[i] = 0;
    for (size_t r = 0; r < problem->n_rows; r++) {
        const pie_row *row = &problem->rows[r];
        for (size_t s = 0; s < row->n_samples; s++) {
            const double ratio = ratio_of(row, &row->samples[s], cost_whole);
            speedups[s] = ratio > 1 ? ratio : 1;
        }
        qsort(speedups, row->n_samples, sizeof *speedups, descending);
        for (size_t i = 0; i < metric->n_k; i++) {
            double *sums = ret_columns + i * N_PER_K;
            if ((int64_t)row->n_samples < metric->k[i]) {
                sums[SHORT_ROWS] += 1;
            } else {
                sums[ROWS] += 1;
                sums[SUM] += expected_best(speedups, (int64_t)row->n_samples, metric->k[i]);
            }
        }
    }
    free(speedups);
    return PIE_OK;
}

static pie_status best_at_k_total(void *self, const double *columns, const uint32_t *multiplicity,
                                  size_t n_problems, double *ret_totals)
{
    const best_at_k *metric = self;
    columns_sum(columns, multiplicity, n_problems, metric->n_k * N_PER_K, metric->sums);
    for (size_t i = 0; i < metric->n_k; i++) {
        const double *sums = metric->sums + i * N_PER_K;
        ret_totals[i] = sums[SHORT_ROWS] > 0 ? NAN : mean_of(sums[SUM], sums[ROWS]);
    }
    return PIE_OK;
}

static const pie_metric_ops best_at_k_ops = {.create = best_at_k_create,
                                             .destroy = best_at_k_destroy,
                                             .outputs = best_at_k_outputs,
                                             .n_columns = best_at_k_n_columns,
                                             .problem = best_at_k_problem,
                                             .total = best_at_k_total};
static const pie_option best_at_k_options[] = {RULES_OPTION_K, {.name = NULL}};
static const pie_plugin best_at_k_plugin = {
    .kind = PIE_KIND_METRIC,
    .id = "org.pie.best-at-k",
    .version = "1.0.0",
    .summary = "best@k without order: unbiased expected speedup of the best of k answers.",
    .licence = "MIT",
    .options = best_at_k_options,
    .ops = &best_at_k_ops};
PIE_MODULE(&best_at_k_plugin);
