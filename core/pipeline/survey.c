/* survey.c - see survey.h */
#include "pipeline/survey.h"

#include "base/file.h"
#include "pipeline/index.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROBLEMS_SHOWN = 10 };

bool pie_selection_takes(const pie_selection *selection, const pie_dataset_row *row)
{
    if (selection->limit >= 0 && row->ordinal >= (size_t)selection->limit)
        return false;
    if (!selection->only)
        return true;
    const size_t n_problem = strlen(row->problem_id), n_src = strlen(row->src_id);
    for (const char *at = selection->only; *at;) {
        const size_t n = strcspn(at, ",");
        if (n == n_problem && memcmp(at, row->problem_id, n) == 0)
            return true;
        if (n == n_problem + 1 + n_src && memcmp(at, row->problem_id, n_problem) == 0 &&
            at[n_problem] == '/' && memcmp(at + n_problem + 1, row->src_id, n_src) == 0)
            return true;
        at += n + (at[n] == ',');
    }
    return false;
}

typedef struct surveyor {
    const char *path, *tests_folder;
    const pie_log *log;
    pie_hasher *hasher;
    pie_index seen; /* test files already hashed: many rows share a problem's tests */
    size_t n_wrong;
} surveyor;

/* The content of one test file goes into the digest. PIE_ERR_DATA: not readable. */
static pie_status hash_test(surveyor *self, const pie_dataset_row *row, int64_t number, bool output)
{
    char *path = pie_dataset_test_path(self->tests_folder, row->problem_id, number, output);
    if (!path)
        return pie_log_nomem(self->log);
    const char *const fields[] = {path};
    pie_key key = {0};
    pie_record_place place;
    pie_digest digest;
    pie_status status = pie_key_of(fields, 1, &key);
    if (status == PIE_OK && !pie_index_get(&self->seen, key, &place)) {
        const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        status = fd < 0 ? PIE_ERR_DATA : pie_digest_fd(fd, &digest);
        if (fd >= 0)
            close(fd);
        if (status == PIE_OK) {
            pie_hasher_text(self->hasher, row->problem_id);
            pie_hasher_u64(self->hasher, (uint64_t)number << 1 | output);
            pie_hasher_field(self->hasher, digest.bytes, sizeof digest.bytes);
            status = pie_index_put(&self->seen, key, (pie_record_place){0});
        } else if (status == PIE_ERR_IO || status == PIE_ERR_DATA) {
            if (self->n_wrong < PROBLEMS_SHOWN)
                pie_log_error(self->log, "%s:%zu: test %" PRId64 " has no readable %s", self->path,
                              row->line, number, path);
            status = PIE_ERR_DATA;
        }
    }
    free(path);
    return status;
}

static void hash_row(surveyor *self, const pie_dataset_row *row)
{
    const char *const texts[] = {row->problem_id, row->src_id,   row->src_code,   row->tgt_id,
                                 row->tgt_code,   row->language, row->description};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        pie_hasher_text(self->hasher, texts[i]);
    pie_hasher_u64(self->hasher, row->n_tests);
    for (size_t i = 0; i < row->n_tests; i++) {
        const pie_dataset_test *test = &row->tests[i];
        char text[96];
        snprintf(text, sizeof text, "%" PRId64 " %d %d %.17g", test->number, test->level,
                 test->is_public, test->weight);
        pie_hasher_text(self->hasher, text);
    }
    pie_hasher_u64(self->hasher, row->n_references);
    for (size_t i = 0; i < row->n_references; i++) {
        pie_hasher_text(self->hasher, row->references[i].id);
        pie_hasher_text(self->hasher, row->references[i].role);
        pie_hasher_text(self->hasher, row->references[i].code);
    }
}

static pie_status take_row(surveyor *self, const pie_dataset_row *row)
{
    hash_row(self, row);
    pie_status status = PIE_OK;
    for (size_t i = 0; i < 2 * row->n_tests && (status == PIE_OK || status == PIE_ERR_DATA); i++) {
        status = hash_test(self, row, row->tests[i / 2].number, i % 2);
        if (status == PIE_ERR_DATA)
            self->n_wrong++;
    }
    return status == PIE_ERR_DATA ? PIE_OK : status;
}

pie_status pie_survey_take(const char *path, const char *tests_folder,
                           const pie_selection *selection, const pie_log *log,
                           pie_survey *ret_survey)
{
    if (!tests_folder) {
        pie_log_error(log, "dataset.tests is not set: the folder with <problem_id>/input.<N>.txt");
        return PIE_ERR_CONFIG;
    }
    surveyor self = {.path = path, .tests_folder = tests_folder, .log = log};
    pie_survey survey = {0};
    pie_dataset *dataset = NULL;
    pie_status status = pie_hasher_new(&self.hasher);
    if (status == PIE_OK)
        status = pie_dataset_open(path, log, &dataset);
    while (status == PIE_OK) {
        const pie_dataset_row *row = NULL;
        status = pie_dataset_next(dataset, &row);
        if (status == PIE_ERR_DATA) { /* named by the reader */
            self.n_wrong++;
            status = self.n_wrong < PROBLEMS_SHOWN ? PIE_OK : PIE_ERR_DATA;
            continue;
        }
        if (status != PIE_OK)
            break;
        status = take_row(&self, row);
        survey.n_all_rows++;
        if (!pie_selection_takes(selection, row))
            continue;
        survey.n_rows++;
        survey.n_targets += row->tgt_code != NULL;
        survey.n_references += row->n_references;
        survey.n_tests += row->n_tests;
    }
    if (self.n_wrong > 0) {
        pie_log_error(
            log,
            "%s: %zu problems found; `pie dataset check` lists them and --write makes the "
            "usable subset",
            path, self.n_wrong);
        status = PIE_ERR_CONFIG;
    } else if (status == PIE_ERR_AGAIN) {
        status = pie_hasher_finish(self.hasher, &survey.digest);
    }
    pie_dataset_close(dataset);
    pie_hasher_free(self.hasher);
    pie_index_free(&self.seen);
    if (status == PIE_OK)
        *ret_survey = survey;
    return status;
}
