/* tags.c - performance tags 1..10: where a program stands among the human solutions of its problem.
 *
 * PIE gives the fastest 10 % of a problem's solutions 10, the next 10 % 9, and so on; what it
 * leaves open is settled here. The solutions are the correct sources and targets, each id once, of
 * the rows that share problem_id and tests; answers of a language model are measured against that
 * scale and do not move it. With N solutions of which f are strictly faster, the tag is 10 -
 * floor(10 f / N), at least 1: equal programs get equal tags (the better one), the fastest always
 * gets 10, and in a group of fewer than 10 some tags stay unused. */
#include "rules.h"

enum { N_TAGS = 10 };
/* Per problem and line: rows counted, sum of tags, rows with tag 1 .. 10. */
enum { ROWS, SUM, SHARES, N_PER_LINE = SHARES + N_TAGS };

typedef struct tags {
    table_lines lines;
    figure_list figures;
    double *sums; /* scratch of total() */
    int32_t distribution;
} tags;

static void tags_destroy(void *self)
{
    tags *metric = self;
    if (!metric)
        return;
    lines_free(&metric->lines);
    figures_free(&metric->figures);
    free(metric->sums);
    free(metric);
}

/* The fastest of all humans has 10 by definition. */
static bool has_figure(const table_line *line)
{
    return line->kind != LINE_BEST_OF_ALL;
}

static void tags_describe(tags *self)
{
    for (size_t i = 0; i < self->lines.n; i++) {
        const table_line *line = &self->lines.items[i];
        if (!has_figure(line))
            continue;
        const char *rest = line_clamps(line) ? ", or of the source where that is better" : "";
        figures_add(&self->figures, line->name, "Tag", line->k, "tag", PIE_HIGHER_IS_BETTER,
                    "Mean over %s, as far as measured, of the performance tag of %s%s. Tag = 10 - "
                    "floor(10 f/N), at least 1, f of the N human solutions of the problem being "
                    "strictly faster.",
                    line_rows(line), line->who, rest);
        for (int tag = N_TAGS; self->distribution && tag >= 1; tag--) {
            char column[40];
            snprintf(column, sizeof column, "%%Tag %d", tag);
            figures_add(&self->figures, line->name, column, line->k, "%", PIE_NO_DIRECTION,
                        "Share of %s, as far as measured, where the performance tag of %s%s is %d.",
                        line_rows(line), line->who, rest, tag);
        }
    }
}

static pie_status tags_create(const pie_host *host, int64_t max_samples, void **ret_self)
{
    tags *self = calloc(1, sizeof *self);
    if (!self)
        return PIE_ERR_NOMEM;
    pie_status status = lines_new(host, max_samples, &self->lines);
    if (status == PIE_OK)
        status = host->get_bool(host, "distribution", &self->distribution);
    if (status == PIE_OK)
        status = figures_new(self->lines.n * (1 + N_TAGS), &self->figures);
    if (status == PIE_OK)
        status = sums_new(self->lines.n * N_PER_LINE, &self->sums);
    if (status == PIE_OK) {
        tags_describe(self);
        *ret_self = self;
        self = NULL;
    }
    tags_destroy(self);
    return status;
}

static pie_status tags_outputs(void *self, const pie_metric_output **ret_outputs, size_t *ret_n)
{
    const tags *metric = self;
    *ret_outputs = metric->figures.items;
    *ret_n = metric->figures.n;
    return PIE_OK;
}

static size_t tags_n_columns(void *self)
{
    return ((tags *)self)->lines.n * N_PER_LINE;
}

/* ---- the scale of a group ------------------------------------------------------------------- */

typedef struct solution {
    const char *id;
    double cost;
    size_t group;
} solution;

/* The human solutions of all groups: by group, then ascending cost. */
typedef struct tag_scale {
    solution *items;
    size_t n;
} tag_scale;

static int by_group_and_id(const void *a, const void *b)
{
    const solution *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    const int order = strcmp(x->id, y->id);
    return order ? order : (x->cost > y->cost) - (x->cost < y->cost);
}

static int by_group_and_cost(const void *a, const void *b)
{
    const solution *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return (x->cost > y->cost) - (x->cost < y->cost);
}

static pie_status scale_new(const pie_problem *problem, const row_groups *groups, tag_scale *ret)
{
    tag_scale made = {.items = calloc(2 * problem->n_rows + 1, sizeof *made.items)};
    if (!made.items)
        return PIE_ERR_NOMEM;
    for (size_t r = 0; r < problem->n_rows; r++) {
        const pie_row *row = &problem->rows[r];
        const pie_program *humans[] = {row->source, row->target};
        for (size_t i = 0; i < 2; i++) {
            const double cost = cost_whole(row, humans[i]);
            if (humans[i] && cost < INFINITY)
                made.items[made.n++] = (solution){humans[i]->id, cost, groups->of_row[r]};
        }
    }
    qsort(made.items, made.n, sizeof *made.items, by_group_and_id);
    size_t kept = 0;
    for (size_t i = 0; i < made.n; i++) {
        const solution *last = kept ? &made.items[kept - 1] : NULL, *item = &made.items[i];
        if (!last || last->group != item->group || !*item->id || strcmp(last->id, item->id) != 0)
            made.items[kept++] = *item;
    }
    made.n = kept;
    qsort(made.items, made.n, sizeof *made.items, by_group_and_cost);
    *ret = made;
    return PIE_OK;
}

/* How many solutions come before (@group, @cost). */
static size_t solutions_before(const tag_scale *scale, size_t group, double cost)
{
    const solution wanted = {.group = group, .cost = cost};
    size_t low = 0, high = scale->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (by_group_and_cost(&scale->items[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* NaN: the program has no cost, or there is no scale. */
static double tag_of(const pie_row *row, const pie_program *program, const tag_scale *scale,
                     size_t group)
{
    const double cost = cost_whole(row, program);
    const size_t first = solutions_before(scale, group, 0);
    const size_t n = solutions_before(scale, group + 1, 0) - first;
    if (!(cost < INFINITY) || n == 0)
        return NAN;
    const size_t faster = solutions_before(scale, group, cost) - first;
    const size_t tenths = N_TAGS * faster / n;
    return tenths < N_TAGS ? (double)(N_TAGS - tenths) : 1;
}

/* ---- per problem ---------------------------------------------------------------------------- */

/* The tag that the row counts with in the line; NaN: left out. */
static double line_tag(const table_line *line, const pie_row *row, const row_groups *groups,
                       size_t group, const tag_scale *scale)
{
    const row_group *rows = &groups->items[group];
    const double tag = tag_of(row, line_pick(line, row, rows, cost_whole), scale, group);
    if (!line_clamps(line))
        return tag;
    const double source = tag_of(row, row->source, scale, group);
    return tag > source ? tag : source; /* NaN unless the source has one */
}

static pie_status tags_problem(void *self, const pie_problem *problem, double *ret_columns)
{
    const tags *metric = self;
    row_groups groups;
    tag_scale scale = {0};
    pie_status status = groups_new(problem, cost_whole, &groups);
    if (status != PIE_OK)
        return status;
    status = scale_new(problem, &groups, &scale);
    if (status != PIE_OK)
        goto cleanup;
    for (size_t i = 0; i < metric->lines.n * N_PER_LINE; i++)
        ret_columns[i] = 0;
    for (size_t r = 0; r < problem->n_rows; r++) {
        const pie_row *row = &problem->rows[r];
        const size_t group = groups.of_row[r];
        for (size_t i = 0; i < metric->lines.n; i++) {
            const table_line *line = &metric->lines.items[i];
            double *sums = ret_columns + i * N_PER_LINE;
            if (!has_figure(line) || !line_counts(line, row, &groups.items[group]))
                continue;
            const double tag = line_tag(line, row, &groups, group, &scale);
            if (isnan(tag))
                continue;
            sums[ROWS] += 1;
            sums[SUM] += tag;
            sums[SHARES + (size_t)tag - 1] += 1;
        }
    }
cleanup:
    free(scale.items);
    groups_free(&groups);
    return status;
}

static pie_status tags_total(void *self, const double *columns, const uint32_t *multiplicity,
                             size_t n_problems, double *ret_totals)
{
    const tags *metric = self;
    columns_sum(columns, multiplicity, n_problems, metric->lines.n * N_PER_LINE, metric->sums);
    for (size_t i = 0; i < metric->lines.n; i++) {
        const double *sums = metric->sums + i * N_PER_LINE;
        if (!has_figure(&metric->lines.items[i]))
            continue;
        *ret_totals++ = mean_of(sums[SUM], sums[ROWS]);
        for (int tag = N_TAGS; metric->distribution && tag >= 1; tag--)
            *ret_totals++ = 100 * mean_of(sums[SHARES + tag - 1], sums[ROWS]);
    }
    return PIE_OK;
}

/* Per row: the tag of its source, of its target, or of its fastest correct sample. */
static pie_status tags_label(void *self, const pie_problem *problem, int32_t role,
                             double *ret_labels, size_t n_labels)
{
    (void)self;
    row_groups groups;
    tag_scale scale = {0};
    pie_status status = groups_new(problem, cost_whole, &groups);
    if (status != PIE_OK)
        return status;
    status = scale_new(problem, &groups, &scale);
    if (status != PIE_OK)
        goto cleanup;
    for (size_t r = 0; r < n_labels && r < problem->n_rows; r++) {
        const pie_row *row = &problem->rows[r];
        const pie_program *program = NULL;
        if (role == PIE_ROLE_SOURCE)
            program = row->source;
        if (role == PIE_ROLE_TARGET)
            program = row->target;
        for (size_t s = 0; role == PIE_ROLE_SAMPLE && s < row->n_samples; s++)
            program = faster_of(row, program, &row->samples[s], cost_whole);
        ret_labels[r] = tag_of(row, program, &scale, groups.of_row[r]);
    }
cleanup:
    free(scale.items);
    groups_free(&groups);
    return status;
}

static const pie_metric_ops tags_ops = {.create = tags_create,
                                        .destroy = tags_destroy,
                                        .outputs = tags_outputs,
                                        .n_columns = tags_n_columns,
                                        .problem = tags_problem,
                                        .total = tags_total,
                                        .label_name = "performance tag",
                                        .label = tags_label};
static const pie_option tags_options[] = {
    RULES_OPTIONS_LINES,
    {.name = "distribution",
     .type = PIE_OPTION_BOOL,
     .fallback = "false",
     .help = "also the share of rows per tag, as columns %Tag 10 .. %Tag 1"},
    {.name = NULL}};
static const pie_plugin tags_plugin = {
    .kind = PIE_KIND_METRIC,
    .id = "org.pie.tags",
    .version = "1.0.0",
    .summary = "Performance tags 1..10: where programs stand among a problem's human solutions.",
    .licence = "MIT",
    .options = tags_options,
    .ops = &tags_ops};
PIE_MODULE(&tags_plugin);
