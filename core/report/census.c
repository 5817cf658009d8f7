/* census.c - see census.h */
#include "report/census.h"

#include "report/arena.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* ---- a table from hashes to positions in an array that somebody else holds ---- */

typedef struct positions {
    uint32_t *slots; /* position + 1; 0 = free */
    size_t capacity, n;
} positions;

typedef uint64_t hash_of(const void *context, uint32_t position);

static pie_status positions_reserve(positions *self, hash_of *hash, const void *context)
{
    if (2 * (self->n + 1) <= self->capacity)
        return PIE_OK;
    const size_t capacity = self->capacity ? 2 * self->capacity : 1024;
    uint32_t *slots = calloc(capacity, sizeof *slots);
    if (!slots)
        return PIE_ERR_NOMEM;
    for (uint32_t i = 0; i < self->n; i++) {
        size_t at = hash(context, i) & (capacity - 1);
        while (slots[at])
            at = (at + 1) & (capacity - 1);
        slots[at] = i + 1;
    }
    free(self->slots);
    self->slots = slots;
    self->capacity = capacity;
    return PIE_OK;
}

/* ---- taking records in ---- */

typedef struct census_taker {
    pie_census *census;
    const pie_log *log;
    const char *path; /* of the run folder */
    bool total_time;
    pie_scanned scanned; /* its memory is used for every record */
    pie_buf text;
    size_t rows_capacity, programs_capacity;
    positions row_of_ordinal;
} census_taker;

double pie_scanned_time(const pie_scanned_test *test, bool total_time)
{
    if (!isfinite(test->cycles))
        return test->seconds;
    return total_time ? test->cycles + test->os_cycles : test->cycles;
}

static uint64_t hash_ordinal(const void *context, uint32_t position)
{
    const pie_census *census = context;
    return XXH64(&census->rows[position].ordinal, sizeof census->rows[position].ordinal, 0);
}

static uint64_t hash_slice(const pie_slice *slice, uint64_t seed)
{
    const uint64_t hash = slice->text ? XXH64(slice->text, slice->n, seed) : 0;
    return hash | 1;
}

/* Everything about the outcome that must be the same for the same simulation. */
static uint64_t hash_content(const pie_scanned *scanned)
{
    uint64_t hash = (uint64_t)scanned->verdict;
    for (size_t i = 0; i < scanned->n_tests; i++) {
        const pie_scanned_test *test = &scanned->tests[i];
        const double values[] = {
            (double)test->info.number, (double)test->verdict, test->cycles,
            test->startup_cycles,      test->os_cycles,       test->instructions};
        hash = XXH64(values, sizeof values, hash);
    }
    return hash;
}

static bool same_text(const pie_slice *slice, const char *text, pie_buf *scratch)
{
    if (!slice->escaped)
        return pie_slice_is(slice, text);
    pie_buf_clear(scratch);
    return pie_slice_text(slice, scratch) == PIE_OK && strcmp(pie_buf_text(scratch), text) == 0;
}

static pie_status copy_text(census_taker *self, const pie_slice *slice, const char **ret_text)
{
    pie_buf_clear(&self->text);
    const pie_status status = pie_slice_text(slice, &self->text);
    if (status != PIE_OK)
        return status;
    *ret_text = pie_arena_text(self->census->texts, pie_buf_text(&self->text), self->text.n);
    return *ret_text ? PIE_OK : PIE_ERR_NOMEM;
}

static pie_status add_row(census_taker *self, const pie_scanned *scanned)
{
    pie_census *census = self->census;
    if (census->n_rows == self->rows_capacity) {
        const size_t capacity = self->rows_capacity ? 2 * self->rows_capacity : 256;
        pie_counted_row *rows = realloc(census->rows, capacity * sizeof *rows);
        if (!rows)
            return PIE_ERR_NOMEM;
        census->rows = rows;
        self->rows_capacity = capacity;
    }
    pie_counted_row *row = &census->rows[census->n_rows];
    *row = (pie_counted_row){.ordinal = scanned->row};
    pie_status status = copy_text(self, &scanned->problem_id, &row->problem_id);
    if (status == PIE_OK)
        status = copy_text(self, &scanned->src_id, &row->src_id);
    return status;
}

/* Position of the record's row, made when it is new. */
static pie_status find_row(census_taker *self, const pie_scanned *scanned, uint32_t *ret_row)
{
    pie_census *census = self->census;
    positions *table = &self->row_of_ordinal;
    pie_status status = positions_reserve(table, hash_ordinal, census);
    if (status != PIE_OK)
        return status;
    size_t at = XXH64(&scanned->row, sizeof scanned->row, 0) & (table->capacity - 1);
    for (; table->slots[at]; at = (at + 1) & (table->capacity - 1)) {
        const pie_counted_row *row = &census->rows[table->slots[at] - 1];
        if (row->ordinal != scanned->row)
            continue;
        if (!same_text(&scanned->problem_id, row->problem_id, &self->text) ||
            !same_text(&scanned->src_id, row->src_id, &self->text)) {
            pie_log_error(self->log,
                          "%s: row %" PRId64 " is %s/%s in one record and %.*s/%.*s in another: "
                          "runs of two datasets were merged",
                          self->path, row->ordinal, row->problem_id, row->src_id,
                          (int)scanned->problem_id.n, scanned->problem_id.text,
                          (int)scanned->src_id.n, scanned->src_id.text);
            return PIE_ERR_CONFIG; /* not a malformed record, which would only be skipped */
        }
        *ret_row = table->slots[at] - 1;
        return PIE_OK;
    }
    if (census->n_rows >= UINT32_MAX - 1)
        return PIE_ERR_LIMIT;
    status = add_row(self, scanned);
    if (status != PIE_OK)
        return status;
    *ret_row = (uint32_t)census->n_rows++;
    table->slots[at] = *ret_row + 1;
    table->n++;
    return PIE_OK;
}

static void add_up(const pie_scanned *scanned, bool total_time, pie_counted *program)
{
    const bool passed = scanned->verdict == PIE_VERDICT_PASSED;
    program->cycles = program->startup_cycles = passed ? 0 : INFINITY;
    program->user_cycles = program->total_cycles = passed ? 0 : INFINITY;
    for (size_t i = 0; i < scanned->n_tests; i++) {
        const pie_scanned_test *test = &scanned->tests[i];
        program->cycles += pie_scanned_time(test, total_time);
        program->startup_cycles += test->startup_cycles;
        program->user_cycles += test->cycles;
        program->total_cycles += test->cycles + test->os_cycles;
    }
    program->censored = passed && !isfinite(program->cycles);
}

static pie_status add_program(census_taker *self, const pie_record_place *place)
{
    pie_census *census = self->census;
    const pie_scanned *scanned = &self->scanned;
    if (scanned->index > INT32_MAX)
        return PIE_ERR_DATA;
    pie_counted program = {.place = *place,
                           .index = (int32_t)scanned->index,
                           .role = (uint8_t)scanned->role,
                           .verdict = (uint8_t)scanned->verdict,
                           .content = hash_content(scanned)};
    pie_status status = find_row(self, scanned, &program.row);
    if (status != PIE_OK)
        return status;
    if (scanned->key.text)
        program.key = hash_slice(&scanned->key, hash_slice(&scanned->problem_id, 0));
    add_up(scanned, self->total_time, &program);
    if (census->n_programs == self->programs_capacity) {
        const size_t capacity = self->programs_capacity ? 2 * self->programs_capacity : 1024;
        pie_counted *programs = realloc(census->programs, capacity * sizeof *programs);
        if (!programs)
            return PIE_ERR_NOMEM;
        census->programs = programs;
        self->programs_capacity = capacity;
    }
    census->programs[census->n_programs++] = program;
    return PIE_OK;
}

static pie_status take_record(void *context, const char *text, size_t n,
                              const pie_record_place *place)
{
    census_taker *self = context;
    pie_status status = pie_record_scan(text, n, &self->scanned);
    if (status == PIE_OK && self->scanned.is_result)
        status = add_program(self, place);
    if (status == PIE_ERR_DATA) {
        self->census->n_malformed++;
        status = PIE_OK;
    }
    return status;
}

/* ---- putting them in order ---- */

static int by_ordinal(const void *a, const void *b)
{
    const pie_counted_row *x = a, *y = b;
    return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

static int by_problem(const void *a, const void *b)
{
    const pie_counted_row *x = a, *y = b;
    return x->problem != y->problem ? (x->problem > y->problem) - (x->problem < y->problem)
                                    : by_ordinal(a, b);
}

static uint64_t hash_problem(const char *problem_id)
{
    return XXH64(problem_id, strlen(problem_id), 0);
}

/* @context: positions of the rows that came first with their problem. */
typedef struct problem_names {
    const pie_counted_row *rows;
    size_t *first_row;
} problem_names;

static uint64_t hash_first_row(const void *context, uint32_t position)
{
    const problem_names *names = context;
    return hash_problem(names->rows[names->first_row[position]].problem_id);
}

/* Rank of each row's problem by first appearance; rows are in order of the dataset. */
static pie_status rank_problems(pie_census *census)
{
    positions table = {0};
    problem_names names = {.rows = census->rows};
    names.first_row = calloc(census->n_rows + 1, sizeof *names.first_row);
    pie_status status = names.first_row ? PIE_OK : PIE_ERR_NOMEM;
    for (size_t i = 0; status == PIE_OK && i < census->n_rows; i++) {
        pie_counted_row *row = &census->rows[i];
        status = positions_reserve(&table, hash_first_row, &names);
        if (status != PIE_OK)
            break;
        size_t at = hash_problem(row->problem_id) & (table.capacity - 1);
        while (table.slots[at] &&
               strcmp(census->rows[names.first_row[table.slots[at] - 1]].problem_id,
                      row->problem_id) != 0)
            at = (at + 1) & (table.capacity - 1);
        if (!table.slots[at]) {
            names.first_row[table.n++] = i;
            table.slots[at] = (uint32_t)table.n;
        }
        row->problem = table.slots[at] - 1;
    }
    census->n_problems = table.n;
    free(names.first_row);
    free(table.slots);
    return status;
}

/* Rows by problem, then ordinal; programs learn where theirs went. */
static pie_status order_rows(pie_census *census)
{
    uint32_t *moved = calloc(census->n_rows + 1, sizeof *moved);
    if (!moved)
        return PIE_ERR_NOMEM;
    for (size_t i = 0; i < census->n_rows; i++)
        census->rows[i].first = i; /* remembers where it stood */
    if (census->n_rows)
        qsort(census->rows, census->n_rows, sizeof *census->rows, by_ordinal);
    const pie_status status = rank_problems(census);
    if (status == PIE_OK && census->n_rows)
        qsort(census->rows, census->n_rows, sizeof *census->rows, by_problem);
    for (size_t i = 0; i < census->n_rows; i++) {
        moved[census->rows[i].first] = (uint32_t)i;
        census->rows[i].first = 0;
    }
    for (size_t i = 0; i < census->n_programs; i++)
        census->programs[i].row = moved[census->programs[i].row];
    free(moved);
    return status;
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* The same for two records of one program. */
static int compare_program(const pie_counted *x, const pie_counted *y)
{
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    if (x->role != y->role)
        return x->role < y->role ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static bool is_infra(const pie_counted *program)
{
    return program->verdict == PIE_VERDICT_INFRA_ERROR;
}

/* By program; of several records the one that counts comes first, whoever wrote it when. */
static int by_program(const void *a, const void *b)
{
    const pie_counted *x = a, *y = b;
    int order = compare_program(x, y);
    if (!order)
        order = (int)is_infra(x) - (int)is_infra(y);
    if (!order)
        order = compare_u64(x->key, y->key);
    if (!order)
        order = compare_u64(x->content, y->content);
    if (!order)
        order = compare_u64(x->place.segment, y->place.segment);
    return order ? order : compare_u64(x->place.offset, y->place.offset);
}

static int by_simulation(const void *a, const void *b, void *context)
{
    const pie_counted *programs = context;
    const pie_counted *x = &programs[*(const uint32_t *)a], *y = &programs[*(const uint32_t *)b];
    int order = compare_u64(x->key, y->key);
    if (!order)
        order = compare_u64(x->content, y->content);
    return order ? order : (x > y) - (x < y);
}

/* Same simulation, other outcome: the reason why anything is simulated at all is gone. */
static pie_status find_disagreements(pie_census *census)
{
    uint32_t *order = calloc(census->n_programs + 1, sizeof *order);
    if (!order || census->n_programs > UINT32_MAX) {
        free(order);
        return PIE_ERR_NOMEM;
    }
    size_t n = 0;
    for (size_t i = 0; i < census->n_programs; i++)
        if (census->programs[i].key && !is_infra(&census->programs[i]))
            order[n++] = (uint32_t)i;
    qsort_r(order, n, sizeof *order, by_simulation, census->programs);
    for (size_t i = 1; i < n; i++) {
        const pie_counted *a = &census->programs[order[i - 1]], *b = &census->programs[order[i]];
        if (a->key != b->key || a->content == b->content)
            continue;
        if (census->n_disagreements < PIE_DISAGREEMENTS_KEPT)
            census->disagreements[census->n_disagreements] = (pie_disagreement){*a, *b};
        census->n_disagreements++;
    }
    free(order);
    return PIE_OK;
}

/* One entry per program. */
static void drop_repeats(pie_census *census)
{
    size_t kept = 0;
    bool replaced = false; /* already counted for the entry that was kept last */
    for (size_t i = 0; i < census->n_programs; i++) {
        const pie_counted *program = &census->programs[i];
        const pie_counted *last = kept ? &census->programs[kept - 1] : NULL;
        if (!last || compare_program(last, program) != 0) {
            census->programs[kept++] = *program;
            replaced = false;
        } else if (!is_infra(program) && program->key != last->key && !replaced) {
            census->n_replaced++;
            replaced = true;
        }
    }
    census->n_programs = kept;
    for (size_t i = 0; i < kept; i++) {
        const pie_counted *program = &census->programs[i];
        pie_counted_row *row = &census->rows[program->row];
        if (row->n_programs++ == 0)
            row->first = i;
        if (program->role == PIE_ROLE_SAMPLE && program->index >= census->max_samples)
            census->max_samples = program->index + 1;
    }
}

pie_status pie_census_take(pie_store *store, bool total_time, const pie_log *log,
                           pie_census **ret_census)
{
    pie_census *census = calloc(1, sizeof *census);
    census_taker self = {
        .census = census, .log = log, .path = pie_store_path(store), .total_time = total_time};
    pie_status status = PIE_ERR_NOMEM;
    if (census)
        census->texts = pie_arena_new();
    if (census && census->texts)
        status = pie_store_scan(store, take_record, &self, &census->n_torn);
    if (status == PIE_OK)
        status = order_rows(census);
    if (status == PIE_OK) {
        if (census->n_programs)
            qsort(census->programs, census->n_programs, sizeof *census->programs, by_program);
        status = find_disagreements(census);
    }
    if (status == PIE_OK) {
        drop_repeats(census);
        *ret_census = census;
        census = NULL;
    }
    if (status == PIE_ERR_NOMEM)
        pie_log_nomem(log);
    pie_scanned_free(&self.scanned);
    pie_buf_free(&self.text);
    free(self.row_of_ordinal.slots);
    pie_census_free(census);
    return status;
}

void pie_census_free(pie_census *census)
{
    if (!census)
        return;
    pie_arena_free(census->texts);
    free(census->rows);
    free(census->programs);
    free(census);
}

const pie_counted *pie_census_find(const pie_census *census, const pie_counted_row *row,
                                   int32_t role, int64_t index)
{
    size_t low = row->first, high = row->first + row->n_programs;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const pie_counted *program = &census->programs[middle];
        if (program->role == role && program->index == index)
            return program;
        if (program->role < role || (program->role == role && program->index < index))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
