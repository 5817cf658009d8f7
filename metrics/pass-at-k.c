/* pass-at-k.c - the chance that one of k answers, drawn without replacement, is correct: unbiased,
 * and independent of the order of the answers. */
#include "rules.h"

/* Per problem and k: rows with at least k answers, rows with fewer, sum of pass@k. */
enum { ROWS, SHORT_ROWS, SUM, N_PER_K };

typedef struct pass_at_k {
    int64_t *k;
    size_t n_k;
    figure_list figures;
    double *sums; /* scratch of total() */
} pass_at_k;

static void pass_at_k_destroy(void *self)
{
    pass_at_k *metric = self;
    if (!metric)
        return;
    free(metric->k);
    figures_free(&metric->figures);
    free(metric->sums);
    free(metric);
}

static pie_status pass_at_k_create(const pie_host *host, int64_t max_samples, void **ret_self)
{
    pass_at_k *self = calloc(1, sizeof *self);
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
            snprintf(name, sizeof name, "pass@%lld", (long long)self->k[i]);
            figures_add(&self->figures, name, "%Correct", self->k[i], "%", PIE_HIGHER_IS_BETTER,
                        "Mean over dataset rows of 1 - C(n-c,%lld)/C(n,%lld), n answers of which "
                        "c are correct: unbiased, whatever their order. Given only when every row "
                        "has n >= %lld; a missing answer counts in n.",
                        (long long)self->k[i], (long long)self->k[i], (long long)self->k[i]);
        }
        *ret_self = self;
        self = NULL;
    }
    pass_at_k_destroy(self);
    return status;
}

static pie_status pass_at_k_outputs(void *self, const pie_metric_output **ret_outputs,
                                    size_t *ret_n)
{
    const pass_at_k *metric = self;
    *ret_outputs = metric->figures.items;
    *ret_n = metric->figures.n;
    return PIE_OK;
}

static size_t pass_at_k_n_columns(void *self)
{
    return ((pass_at_k *)self)->n_k * N_PER_K;
}

/* C(n-c,k)/C(n,k) as a product of min(c,k) factors: the binomials themselves overflow. It is the
 * same in c and k, since both count the ways in which two subsets of n miss each other. */
static double pass_chance(int64_t n, int64_t c, int64_t k)
{
    if (n - c < k)
        return 1;
    const int64_t few = c < k ? c : k, many = c < k ? k : c;
    double miss = 1;
    for (int64_t i = 0; i < few; i++)
        miss *= (double)(n - many - i) / (double)(n - i);
    return 1 - miss;
}

static pie_status pass_at_k_problem(void *self, const pie_problem *problem, double *ret_columns)
{
    const pass_at_k *metric = self;
    for (size_t i = 0; i < metric->n_k * N_PER_K; i++)
        ret_columns[i] = 0;
    for (size_t r = 0; r < problem->n_rows; r++) {
        const pie_row *row = &problem->rows[r];
        const int64_t n = (int64_t)row->n_samples;
        int64_t c = 0;
        for (size_t s = 0; s < row->n_samples; s++)
            c += is_correct(&row->samples[s]);
        for (size_t i = 0; i < metric->n_k; i++) {
            double *sums = ret_columns + i * N_PER_K;
            if (n < metric->k[i]) {
                sums[SHORT_ROWS] += 1;
            } else {
                sums[ROWS] += 1;
                sums[SUM] += pass_chance(n, c, metric->k[i]);
            }
        }
    }
    return PIE_OK;
}

static pie_status pass_at_k_total(void *self, const double *columns, const uint32_t *multiplicity,
                                  size_t n_problems, double *ret_totals)
{
    const pass_at_k *metric = self;
    columns_sum(columns, multiplicity, n_problems, metric->n_k * N_PER_K, metric->sums);
    for (size_t i = 0; i < metric->n_k; i++) {
        const double *sums = metric->sums + i * N_PER_K;
        ret_totals[i] = sums[SHORT_ROWS] > 0 ? NAN : 100 * mean_of(sums[SUM], sums[ROWS]);
    }
    return PIE_OK;
}

static const pie_metric_ops pass_at_k_ops = {.create = pass_at_k_create,
                                             .destroy = pass_at_k_destroy,
                                             .outputs = pass_at_k_outputs,
                                             .n_columns = pass_at_k_n_columns,
                                             .problem = pass_at_k_problem,
                                             .total = pass_at_k_total};
static const pie_option pass_at_k_options[] = {RULES_OPTION_K, {.name = NULL}};
static const pie_plugin pass_at_k_plugin = {
    .kind = PIE_KIND_METRIC,
    .id = "org.pie.pass-at-k",
    .version = "1.0.0",
    .summary = "pass@k: unbiased chance that one of k answers is correct.",
    .licence = "MIT",
    .options = pass_at_k_options,
    .ops = &pass_at_k_ops};
PIE_MODULE(&pass_at_k_plugin);
