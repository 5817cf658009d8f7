/* problems.c - see problems.h */
#include "report/problems.h"

#include "report/arena.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct pie_problem_reader {
    pie_store *store;
    const pie_census *census;
    size_t n_samples;
    bool total_time;
    size_t next_row;
    pie_arena *arena; /* of the current problem */
    pie_problem problem;
    pie_buf record, text;
    pie_scanned scanned;
};

/* A row while it is put together. */
typedef struct row_draft {
    pie_row *row;
    pie_test_info *tests; /* NULL until a program that ran names them */
} row_draft;

pie_status pie_problem_reader_new(pie_store *store, const pie_census *census, int64_t n_samples,
                                  bool total_time, pie_problem_reader **ret_reader)
{
    pie_problem_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return PIE_ERR_NOMEM;
    *reader = (pie_problem_reader){.store = store,
                                   .census = census,
                                   .n_samples = n_samples > 0 ? (size_t)n_samples : 0,
                                   .total_time = total_time,
                                   .arena = pie_arena_new()};
    if (!reader->arena) {
        free(reader);
        return PIE_ERR_NOMEM;
    }
    *ret_reader = reader;
    return PIE_OK;
}

void pie_problem_reader_free(pie_problem_reader *reader)
{
    if (!reader)
        return;
    pie_arena_free(reader->arena);
    pie_scanned_free(&reader->scanned);
    pie_buf_free(&reader->record);
    pie_buf_free(&reader->text);
    free(reader);
}

/* "" for null. */
static pie_status copy_text(pie_problem_reader *self, const pie_slice *slice, const char **ret_text)
{
    pie_buf_clear(&self->text);
    const pie_status status = slice->text ? pie_slice_text(slice, &self->text) : PIE_OK;
    if (status != PIE_OK)
        return status;
    *ret_text = pie_arena_text(self->arena, pie_buf_text(&self->text), self->text.n);
    return *ret_text ? PIE_OK : PIE_ERR_NOMEM;
}

static pie_status take_tests(pie_problem_reader *self, row_draft *draft)
{
    const pie_scanned *scanned = &self->scanned;
    draft->tests = pie_arena_take(self->arena, scanned->n_tests, sizeof *draft->tests);
    if (!draft->tests)
        return PIE_ERR_NOMEM;
    for (size_t i = 0; i < scanned->n_tests; i++)
        draft->tests[i] = scanned->tests[i].info;
    draft->row->tests = draft->tests;
    draft->row->n_tests = scanned->n_tests;
    return PIE_OK;
}

static pie_test_run run_of(const pie_scanned_test *test, bool total_time)
{
    pie_test_run run = {.verdict = test->verdict,
                        .cycles = pie_scanned_time(test, total_time),
                        .startup_cycles = test->startup_cycles,
                        .instructions = test->instructions,
                        .peak_bytes = test->peak_bytes};
    double *const values[] = {&run.cycles, &run.startup_cycles, &run.instructions, &run.peak_bytes};
    static const uint32_t bits[] = {PIE_VALID_CYCLES, PIE_VALID_STARTUP_CYCLES,
                                    PIE_VALID_INSTRUCTIONS, PIE_VALID_PEAK_BYTES};
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
        if (isfinite(*values[i]))
            run.valid |= bits[i];
        else
            *values[i] = 0;
    }
    return run;
}

/* The program's runs in the order of the row's tests; one that it has none of stays "none". */
static pie_status take_runs(pie_problem_reader *self, const row_draft *draft, pie_program *program)
{
    const pie_scanned *scanned = &self->scanned;
    const size_t n_tests = draft->row->n_tests;
    pie_test_run *runs = pie_arena_take(self->arena, n_tests, sizeof *runs);
    if (!runs)
        return PIE_ERR_NOMEM;
    for (size_t i = 0; i < n_tests; i++) {
        size_t at = i; /* nearly always: records list the tests in the same order */
        if (at >= scanned->n_tests || scanned->tests[at].info.number != draft->tests[i].number)
            for (at = 0; at < scanned->n_tests; at++)
                if (scanned->tests[at].info.number == draft->tests[i].number)
                    break;
        if (at < scanned->n_tests)
            runs[i] = run_of(&scanned->tests[at], self->total_time);
    }
    program->tests = runs;
    return PIE_OK;
}

static pie_status read_program(pie_problem_reader *self, const pie_counted *counted,
                               row_draft *draft, pie_program *program)
{
    *program = (pie_program){.role = counted->role,
                             .verdict = counted->verdict,
                             .censored = counted->censored,
                             .index = counted->index,
                             .id = "",
                             .cycles = counted->cycles};
    pie_buf_clear(&self->record);
    pie_status status = pie_store_read_text(self->store, &counted->place, &self->record);
    if (status == PIE_OK)
        status = pie_record_scan(pie_buf_text(&self->record), self->record.n, &self->scanned);
    if (status != PIE_OK)
        return status;
    program->text_bytes = self->scanned.text_bytes;
    if (counted->role != PIE_ROLE_SAMPLE)
        status = copy_text(self, &self->scanned.id, &program->id);
    if (status == PIE_OK && counted->role == PIE_ROLE_REFERENCE)
        status = copy_text(self, &self->scanned.reference_role, &program->reference_role);
    if (status == PIE_OK && self->scanned.has_tests && !draft->tests)
        status = take_tests(self, draft);
    if (status == PIE_OK && self->scanned.has_tests)
        status = take_runs(self, draft, program);
    return status;
}

static pie_status read_row(pie_problem_reader *self, const pie_counted_row *counted, pie_row *row)
{
    const pie_counted *programs = &self->census->programs[counted->first];
    size_t n_references = 0;
    for (size_t i = 0; i < counted->n_programs; i++)
        n_references += programs[i].role == PIE_ROLE_REFERENCE;
    row_draft draft = {.row = row};
    pie_program *humans = pie_arena_take(self->arena, 2 + n_references, sizeof *humans);
    pie_program *samples = pie_arena_take(self->arena, self->n_samples, sizeof *samples);
    if (!humans || !samples)
        return PIE_ERR_NOMEM;
    pie_program *source = humans, *target = humans + 1, *references = humans + 2;
    *source = (pie_program){.role = PIE_ROLE_SOURCE, .id = counted->src_id, .cycles = INFINITY};
    for (size_t i = 0; i < self->n_samples; i++)
        samples[i] = (pie_program){
            .role = PIE_ROLE_SAMPLE, .index = (int64_t)i, .id = "", .cycles = INFINITY};
    *row = (pie_row){.src_id = counted->src_id,
                     .source = source,
                     .references = references,
                     .samples = samples,
                     .n_samples = self->n_samples};
    pie_status status = PIE_OK;
    for (size_t i = 0; status == PIE_OK && i < counted->n_programs; i++) {
        pie_program *program = source;
        if (programs[i].role == PIE_ROLE_TARGET)
            row->target = program = target;
        else if (programs[i].role == PIE_ROLE_REFERENCE)
            program = &references[row->n_references++];
        else if (programs[i].role == PIE_ROLE_SAMPLE)
            program =
                (size_t)programs[i].index < self->n_samples ? &samples[programs[i].index] : NULL;
        if (program)
            status = read_program(self, &programs[i], &draft, program);
    }
    return status;
}

pie_status pie_problem_reader_next(pie_problem_reader *reader, const pie_problem **ret_problem)
{
    const pie_census *census = reader->census;
    const size_t first = reader->next_row;
    if (first == census->n_rows)
        return PIE_ERR_AGAIN;
    size_t n = 1;
    while (first + n < census->n_rows &&
           census->rows[first + n].problem == census->rows[first].problem)
        n++;
    pie_arena_clear(reader->arena);
    pie_row *rows = pie_arena_take(reader->arena, n, sizeof *rows);
    pie_status status = rows ? PIE_OK : PIE_ERR_NOMEM;
    for (size_t i = 0; status == PIE_OK && i < n; i++)
        status = read_row(reader, &census->rows[first + i], &rows[i]);
    if (status != PIE_OK)
        return status;
    reader->next_row = first + n;
    reader->problem =
        (pie_problem){.problem_id = census->rows[first].problem_id, .rows = rows, .n_rows = n};
    *ret_problem = &reader->problem;
    return PIE_OK;
}
