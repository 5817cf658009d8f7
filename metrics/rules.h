/* rules.h - what PIE's metrics agree on: what a program costs, which program a line of the table
 * picks for a row of the dataset, and the words for both. Private to this folder; a metric
 * elsewhere needs nothing but pie/metric.h. */
#ifndef PIE_METRICS_RULES_H
#define PIE_METRICS_RULES_H

#include "pie/metric.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- figures: the outputs of a metric, with room for their texts ---------------------------- */

typedef struct figure_text {
    char name[40], column[40], rule[720];
} figure_text;

typedef struct figure_list {
    size_t n, capacity;
    pie_metric_output *items;
    figure_text *texts;
} figure_list;

static inline pie_status figures_new(size_t capacity, figure_list *ret)
{
    figure_list made = {.capacity = capacity};
    made.items = calloc(capacity + 1, sizeof *made.items);
    made.texts = calloc(capacity + 1, sizeof *made.texts);
    if (!made.items || !made.texts) {
        free(made.items);
        free(made.texts);
        return PIE_ERR_NOMEM;
    }
    *ret = made;
    return PIE_OK;
}

static inline void figures_free(figure_list *figures)
{
    free(figures->items);
    free(figures->texts);
    *figures = (struct figure_list){0};
}

/* One more figure; @rule is printf's format. The caller counted right: there is room. */
static inline __attribute__((format(printf, 7, 8))) void figures_add(
    figure_list *figures, const char *name, const char *column, int64_t k, const char *unit,
    int32_t direction, const char *rule, ...)
{
    if (figures->n == figures->capacity)
        return;
    figure_text *text = &figures->texts[figures->n];
    snprintf(text->name, sizeof text->name, "%s", name);
    snprintf(text->column, sizeof text->column, "%s", column);
    va_list args;
    va_start(args, rule);
    vsnprintf(text->rule, sizeof text->rule, rule, args);
    va_end(args);
    figures->items[figures->n++] = (pie_metric_output){.name = text->name,
                                                       .column = text->column,
                                                       .k = k,
                                                       .unit = unit,
                                                       .direction = direction,
                                                       .rule = text->rule};
}

/* ---- k: the option, or 1 2 4 8 .. and the most samples of any row ---------------------------- */

#define RULES_OPTION_K                                                                       \
    {                                                                                        \
        .name = "k", .type = PIE_OPTION_FLOAT_LIST,                                          \
        .help = "whole numbers; unset: 1, 2, 4, 8 .. and the most answers that any row has", \
        .min = 1, .max = 1e9                                                                 \
    }

/* *@ret_k [*@ret_n], to be freed; may be empty. PIE_ERR_CONFIG (logged): an entry is no whole
 * number. */
static inline pie_status rules_ks(const pie_host *host, int64_t max_samples, int64_t **ret_k,
                                  size_t *ret_n)
{
    const double *wanted;
    size_t n_wanted, n = 0;
    const pie_status status = host->get_floats(host, "k", &wanted, &n_wanted);
    if (status != PIE_OK)
        return status;
    int64_t *k = calloc(n_wanted + 66, sizeof *k);
    if (!k)
        return PIE_ERR_NOMEM;
    for (size_t i = 0; i < n_wanted; i++) {
        if (!(wanted[i] >= 1 && wanted[i] <= 1e9) || wanted[i] != floor(wanted[i])) {
            char line[96];
            snprintf(line, sizeof line, "k: %g is not a whole number from 1", wanted[i]);
            host->log(host, PIE_LOG_ERROR, line);
            free(k);
            return PIE_ERR_CONFIG;
        }
        k[n++] = (int64_t)wanted[i];
    }
    if (n_wanted == 0) {
        for (int64_t power = 1; power < max_samples && n < 62; power *= 2)
            k[n++] = power;
        if (max_samples > 0)
            k[n++] = max_samples;
    }
    *ret_k = k;
    *ret_n = n;
    return PIE_OK;
}

/* ---- what a program costs ------------------------------------------------------------------ */

static inline bool is_correct(const pie_program *program)
{
    return program && program->verdict == PIE_VERDICT_PASSED;
}

/* Infinite unless the program is correct and its cycles are known. */
typedef double cost_of(const pie_row *row, const pie_program *program);

static inline double cost_whole(const pie_row *row, const pie_program *program)
{
    (void)row;
    return is_correct(program) && !program->censored && program->cycles > 0 ? program->cycles
                                                                            : INFINITY;
}

/* The part after start-up. */
static inline double cost_main(const pie_row *row, const pie_program *program)
{
    if (!is_correct(program) || program->censored || !program->tests)
        return INFINITY;
    const uint32_t need = PIE_VALID_CYCLES | PIE_VALID_STARTUP_CYCLES;
    double sum = 0;
    for (size_t i = 0; i < row->n_tests; i++) {
        if ((program->tests[i].valid & need) != need)
            return INFINITY;
        sum += program->tests[i].cycles - program->tests[i].startup_cycles;
    }
    return sum > 0 ? sum : INFINITY;
}

/* Source over program; NaN when one of them has no cost. */
static inline double ratio_of(const pie_row *row, const pie_program *program, cost_of *cost)
{
    const double source = cost(row, row->source);
    const double candidate = cost(row, program);
    return source < INFINITY && candidate < INFINITY ? source / candidate : NAN;
}

/* ---- groups: rows of a problem that run the same tests, whose cycles may be compared ----------
 */

typedef struct row_group {
    const pie_row *row; /* its first */
    bool has_target;
    const pie_program *human;  /* least cost of the correct sources and targets; NULL: none */
    const pie_program *answer; /* the same of the samples */
} row_group;

typedef struct row_groups {
    size_t n;
    row_group *items;
    size_t *of_row;
} row_groups;

static inline const pie_program *faster_of(const pie_row *row, const pie_program *best,
                                           const pie_program *program, cost_of *cost)
{
    if (!is_correct(program))
        return best;
    return !best || cost(row, program) < cost(row, best) ? program : best;
}

static inline bool same_tests(const pie_row *a, const pie_row *b)
{
    if (a->n_tests != b->n_tests)
        return false;
    for (size_t i = 0; i < a->n_tests; i++)
        if (a->tests[i].number != b->tests[i].number)
            return false;
    return true;
}

static inline void groups_free(row_groups *groups)
{
    free(groups->items);
    free(groups->of_row);
}

static inline pie_status groups_new(const pie_problem *problem, cost_of *cost, row_groups *ret)
{
    row_groups made = {.items = calloc(problem->n_rows + 1, sizeof *made.items),
                       .of_row = calloc(problem->n_rows + 1, sizeof *made.of_row)};
    if (!made.items || !made.of_row) {
        groups_free(&made);
        return PIE_ERR_NOMEM;
    }
    for (size_t i = 0; i < problem->n_rows; i++) {
        const pie_row *row = &problem->rows[i];
        size_t g = 0;
        while (g < made.n && !same_tests(row, made.items[g].row))
            g++;
        if (g == made.n)
            made.items[made.n++].row = row;
        row_group *group = &made.items[g];
        made.of_row[i] = g;
        group->has_target |= row->target != NULL;
        group->human = faster_of(row, group->human, row->source, cost);
        group->human = faster_of(row, group->human, row->target, cost);
        for (size_t s = 0; s < row->n_samples; s++)
            group->answer = faster_of(row, group->answer, &row->samples[s], cost);
    }
    *ret = made;
    return PIE_OK;
}

/* ---- lines of the table --------------------------------------------------------------------- */

enum { LINE_SAME_HUMAN, LINE_BEST_OF_ALL, LINE_BEST_AT, LINE_POOLED };

typedef struct table_line {
    int32_t kind;
    int64_t k; /* of LINE_BEST_AT */
    char name[40];
    char who[160]; /* the program that it picks, in words */
} table_line;

typedef struct table_lines {
    size_t n;
    table_line *items;
} table_lines;

#define RULES_OPTIONS_LINES                                                    \
    RULES_OPTION_K,                                                            \
        {.name = "human",                                                      \
         .type = PIE_OPTION_BOOL,                                              \
         .fallback = "true",                                                   \
         .help = "lines for the human programs: same human, best of all"},     \
    {                                                                          \
        .name = "pooled", .type = PIE_OPTION_BOOL, .fallback = "false",        \
        .help = "a line for the best answer to any row of the same problem_id" \
    }

static inline pie_status lines_new(const pie_host *host, int64_t max_samples, table_lines *ret)
{
    int32_t human, pooled;
    int64_t *k = NULL;
    size_t n_k;
    pie_status status = host->get_bool(host, "human", &human);
    if (status == PIE_OK)
        status = host->get_bool(host, "pooled", &pooled);
    if (status == PIE_OK)
        status = rules_ks(host, max_samples, &k, &n_k);
    if (status != PIE_OK)
        return status;
    table_lines made = {.items = calloc(n_k + 3, sizeof *made.items)};
    if (!made.items) {
        free(k);
        return PIE_ERR_NOMEM;
    }
    if (human) {
        made.items[made.n++] = (table_line){
            .kind = LINE_SAME_HUMAN, .name = "same human", .who = "the row's own human target"};
        made.items[made.n++] = (table_line){
            .kind = LINE_BEST_OF_ALL,
            .name = "best of all",
            .who = "the fastest correct source or target of any row with this problem_id and "
                   "these tests"};
    }
    for (size_t i = 0; i < n_k; i++) {
        table_line *best = &made.items[made.n++];
        best->kind = LINE_BEST_AT;
        best->k = k[i];
        snprintf(best->name, sizeof best->name, "best@%lld", (long long)k[i]);
        if (k[i] == 1)
            snprintf(best->who, sizeof best->who, "the first answer");
        else
            snprintf(best->who, sizeof best->who,
                     "the fastest correct one of the first %lld answers", (long long)k[i]);
    }
    if (pooled)
        made.items[made.n++] = (table_line){
            .kind = LINE_POOLED,
            .name = "best of answers",
            .who = "the fastest correct answer to any row with this problem_id and these "
                   "tests"};
    free(k);
    *ret = made;
    return PIE_OK;
}

static inline void lines_free(table_lines *lines)
{
    free(lines->items);
    *lines = (struct table_lines){0};
}

/* The rows that count in this line, in words. */
static inline const char *line_rows(const table_line *line)
{
    return line->kind == LINE_SAME_HUMAN    ? "dataset rows with a human target"
           : line->kind == LINE_BEST_OF_ALL ? "dataset rows whose problem has a human target"
                                            : "dataset rows";
}

/* Whoever asks for a faster program keeps the original when there is none, so no speedup is
 * below 1. PIE takes the row's own target as it is. */
static inline bool line_clamps(const table_line *line)
{
    return line->kind != LINE_SAME_HUMAN;
}

/* Does the row count in this line? The human lines leave out rows that have no human program. */
static inline bool line_counts(const table_line *line, const pie_row *row, const row_group *group)
{
    return line->kind == LINE_SAME_HUMAN    ? row->target != NULL
           : line->kind == LINE_BEST_OF_ALL ? group->has_target
                                            : true;
}

/* The correct program that the line picks for the row; NULL: none. */
static inline const pie_program *line_pick(const table_line *line, const pie_row *row,
                                           const row_group *group, cost_of *cost)
{
    const pie_program *best = NULL;
    switch (line->kind) {
    case LINE_SAME_HUMAN:
        return is_correct(row->target) ? row->target : NULL;
    case LINE_BEST_OF_ALL:
        return group->human;
    case LINE_POOLED:
        return group->answer;
    default:
        for (size_t i = 0; i < row->n_samples && (int64_t)i < line->k; i++)
            best = faster_of(row, best, &row->samples[i], cost);
        return best;
    }
}

/* ---- totals --------------------------------------------------------------------------------- */

/* [n], zeroed, to be freed. */
static inline pie_status sums_new(size_t n, double **ret_sums)
{
    double *sums = calloc(n + 1, sizeof *sums);
    if (!sums)
        return PIE_ERR_NOMEM;
    *ret_sums = sums;
    return PIE_OK;
}

/* @sums [n_columns]: the columns added up over the problems, in their order, each as often as
 * @multiplicity says. */
static inline void columns_sum(const double *columns, const uint32_t *multiplicity,
                               size_t n_problems, size_t n_columns, double *sums)
{
    for (size_t c = 0; c < n_columns; c++)
        sums[c] = 0;
    for (size_t i = 0; i < n_problems; i++) {
        const double times = multiplicity ? (double)multiplicity[i] : 1.0;
        for (size_t c = 0; c < n_columns; c++)
            sums[c] += times * columns[i * n_columns + c];
    }
}

/* Mean with @count instances; NaN: of nothing. */
static inline double mean_of(double sum, double count)
{
    return count > 0 ? sum / count : NAN;
}

#endif
