/* wins.c - a template of a pie plugin: the metric `wins`, the share of rows with an answer that is
 * correct and faster than the slow program.
 *
 * Copy the folder, rename, and replace what is between the create and destroy functions and the
 * tables. The other kinds of plugins look the same with another table: see pie/uarch.h,
 * pie/compiler.h, pie/backend.h and pie/prompt.h. */
#include "pie/metric.h"

#include <stdio.h>
#include <stdlib.h>

/* An instance. There are no globals that change: pie may make several. */
typedef struct wins {
    double margin; /* the `margin` option */
    char rule[80]; /* what pie_metric_output.rule points to */
    pie_metric_output output;
} wins;

/* What is kept of a problem: one double each. */
enum { N_ROWS, N_WINS, N_COLUMNS };

static pie_status wins_create(const pie_host *host, int64_t max_samples, void **ret_self)
{
    (void)max_samples; /* all answers count, however many there are */
    wins *self = calloc(1, sizeof *self);
    if (!self)
        return PIE_ERR_NOMEM;
    const pie_status status = host->get_float(host, "margin", &self->margin);
    if (status != PIE_OK) {
        free(self);
        return status; /* the host has logged why */
    }
    snprintf(self->rule, sizeof self->rule, "some answer passes and is more than %g times as fast",
             self->margin);
    self->output = (pie_metric_output){.name = "any answer",
                                       .column = "%Wins",
                                       .unit = "%",
                                       .direction = PIE_HIGHER_IS_BETTER,
                                       .rule = self->rule};
    *ret_self = self;
    return PIE_OK;
}

static pie_status wins_outputs(void *instance, const pie_metric_output **ret_outputs, size_t *ret_n)
{
    wins *self = instance;
    *ret_outputs = &self->output;
    *ret_n = 1;
    return PIE_OK;
}

static size_t wins_n_columns(void *instance)
{
    (void)instance;
    return N_COLUMNS;
}

static int is_win(const wins *self, const pie_row *row)
{
    if (row->source->verdict != PIE_VERDICT_PASSED)
        return 0; /* nothing to compare with */
    for (size_t i = 0; i < row->n_samples; i++) {
        const pie_program *sample = &row->samples[i];
        if (sample->verdict == PIE_VERDICT_PASSED && !sample->censored &&
            sample->cycles * self->margin < row->source->cycles)
            return 1;
    }
    return 0;
}

static pie_status wins_problem(void *instance, const pie_problem *problem, double *ret_columns)
{
    ret_columns[N_ROWS] = (double)problem->n_rows;
    ret_columns[N_WINS] = 0;
    for (size_t i = 0; i < problem->n_rows; i++)
        ret_columns[N_WINS] += is_win(instance, &problem->rows[i]);
    return PIE_OK;
}

/* Pure: pie calls it again and again with other multiplicities, for intervals and comparisons. */
static pie_status wins_total(void *instance, const double *columns, const uint32_t *multiplicity,
                             size_t n_problems, double *ret_totals)
{
    (void)instance;
    double n_rows = 0, n_wins = 0;
    for (size_t i = 0; i < n_problems; i++) {
        const double times = multiplicity ? multiplicity[i] : 1;
        n_rows += times * columns[i * N_COLUMNS + N_ROWS];
        n_wins += times * columns[i * N_COLUMNS + N_WINS];
    }
    ret_totals[0] = 100 * n_wins / n_rows; /* 0/0 is NaN: not defined */
    return PIE_OK;
}

/* ---- tables ---- */

static const pie_metric_ops wins_ops = {
    .create = wins_create,
    .destroy = free,
    .outputs = wins_outputs,
    .n_columns = wins_n_columns,
    .problem = wins_problem,
    .total = wins_total,
};

static const pie_option wins_options[] = {
    {.name = "margin",
     .type = PIE_OPTION_FLOAT,
     .fallback = "1.0",
     .help = "how many times as fast an answer must be",
     .min = 1,
     .max = 1000},
    {.name = NULL},
};

static const pie_plugin wins_plugin = {
    .kind = PIE_KIND_METRIC,
    .id = "org.example.wins",
    .version = "1.0.0",
    .summary = "%Wins: share of rows with an answer that is correct and faster.",
    .licence = "MIT",
    .options = wins_options,
    .ops = &wins_ops,
};

PIE_MODULE(&wins_plugin);
