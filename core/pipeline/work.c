/* work.c - see work.h */
#include "pipeline/work.h"

#include <stdlib.h>
#include <string.h>

static void free_work(pie_work *work)
{
    if (!work)
        return;
    free(work->id);
    free(work->reference_role);
    free(work->how);
    free(work->reason);
    json_decref(work->generation);
    json_decref(work->build);
    free(work);
}

void pie_work_row_free(pie_work_row *row)
{
    if (!row)
        return;
    for (size_t i = 0; i < row->n_programs; i++)
        free_work(row->programs[i]);
    free(row->programs);
    free(row->problem_id);
    free(row->src_id);
    free(row->description);
    free(row->inputs_digest);
    json_decref(row->tests);
    json_decref(row->public_tests);
    json_decref(row->source_cycles);
    free(row);
}

pie_work *pie_work_add(pie_work_row *row, int32_t role, int64_t index, const char *id)
{
    pie_work **grown = realloc(row->programs, (row->n_programs + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    row->programs = grown;
    pie_work *work = calloc(1, sizeof *work);
    if (!work)
        return NULL;
    work->row = row;
    work->role = role;
    work->index = index;
    work->state = PIE_PROGRAM_WAITING;
    work->id = strdup(id ? id : "");
    if (!work->id) {
        free(work);
        return NULL;
    }
    row->programs[row->n_programs++] = work;
    row->n_open++;
    return work;
}

static json_t *tests_json(const pie_dataset_row *row, bool only_public)
{
    json_t *tests = json_array();
    for (size_t i = 0; tests && i < row->n_tests; i++) {
        const pie_dataset_test *test = &row->tests[i];
        if (only_public && !test->is_public)
            continue;
        json_t *one = json_pack("{s:I,s:i,s:f,s:b}", "n", (json_int_t)test->number, "level",
                                test->level, "weight", test->weight, "public", test->is_public);
        if (!one || json_array_append_new(tests, one) != 0) {
            json_decref(tests);
            return NULL;
        }
    }
    return tests;
}

pie_status pie_work_row_new(const pie_dataset_row *data, const char *language, int64_t n_samples,
                            pie_work_row **ret_row)
{
    pie_work_row *row = calloc(1, sizeof *row);
    if (!row)
        return PIE_ERR_NOMEM;
    row->ordinal = data->ordinal;
    row->language = language;
    row->problem_id = strdup(data->problem_id);
    row->src_id = strdup(data->src_id);
    row->description = data->description ? strdup(data->description) : NULL;
    row->tests = tests_json(data, false);
    row->public_tests = tests_json(data, true);
    bool complete = row->problem_id && row->src_id && row->tests && row->public_tests &&
                    (!data->description || row->description) &&
                    pie_work_add(row, PIE_ROLE_SOURCE, 0, data->src_id);
    if (complete && data->tgt_code)
        complete = pie_work_add(row, PIE_ROLE_TARGET, 0, data->tgt_id);
    for (size_t i = 0; complete && i < data->n_references; i++) {
        pie_work *work = pie_work_add(row, PIE_ROLE_REFERENCE, (int64_t)i, data->references[i].id);
        complete = work;
        if (work && data->references[i].role)
            complete = (work->reference_role = strdup(data->references[i].role));
    }
    for (int64_t i = 0; complete && i < n_samples; i++)
        complete = pie_work_add(row, PIE_ROLE_SAMPLE, i, "");
    if (!complete) {
        pie_work_row_free(row);
        return PIE_ERR_NOMEM;
    }
    *ret_row = row;
    return PIE_OK;
}
