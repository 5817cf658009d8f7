/* vectors.c - the metric plugins against figures that the authors' own code computed.
 *
 * Takes every file in PIE_VECTORS (default tests/data/vectors) whose name begins with one that it
 * knows, names the others, and compares each expected figure within the file's tolerance. What the
 * authors' code does beyond the rules (accuracies between 0 and 1 held against a threshold) is
 * brought into the form of the plugins here; the plugins know nothing of it. */
#include "metric_fixture.h"

#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>

/* ---- comparing ------------------------------------------------------------------------------ */

typedef struct file_tally {
    const char *file;
    double tolerance;
    size_t n_cases, n_figures, n_wrong;
} file_tally;

static void wrong(file_tally *tally, size_t n_case, const char *figure, const char *what)
{
    tally->n_wrong++;
    fprintf(stderr, "%s: case %zu: %s: %s\n", tally->file, n_case, figure, what);
}

/* null is NaN. */
static void compare(file_tally *tally, size_t n_case, const char *figure, const json_t *expected,
                    double got)
{
    tally->n_figures++;
    const double want = json_is_number(expected) ? json_number_value(expected) : NAN;
    const double scale = fabs(want) > 1 ? fabs(want) : 1;
    if ((isnan(want) && isnan(got)) || fabs(want - got) <= tally->tolerance * scale)
        return;
    char what[96];
    snprintf(what, sizeof what, "expected %.17g, got %.17g", want, got);
    wrong(tally, n_case, figure, what);
}

/* ---- PIE's report --------------------------------------------------------------------------- */

/* One case in the plugins' form. */
typedef struct synthetic {
    size_t n_programs, n_generations;
    const json_t *programs;
    double threshold;
    pie_problem *problems;
    size_t n_problems;
    pie_row *rows;          /* grouped by problem */
    pie_program *humans;    /* source and target of each row */
    pie_program *samples;   /* [n_programs][n_generations] */
    size_t *row_of_program; /* where program i stands in @rows */
} synthetic;

enum { MOST_TESTS = 100000 };
/* Tests of a row, and runs of which the first MOST_TESTS passed and the rest failed: an accuracy of
 * p in d is the d runs from MOST_TESTS - p on. */
typedef struct test_pool {
    pie_test_info tests[MOST_TESTS];
    pie_test_run runs[2 * MOST_TESTS];
} test_pool;

static void *must(void *memory)
{
    if (!memory) {
        fprintf(stderr, "vectors: out of memory\n");
        exit(2);
    }
    return memory;
}

static double number_of(const json_t *json)
{
    return json_is_number(json) ? json_number_value(json) : NAN;
}

static const json_t *program_at(const synthetic *self, size_t i)
{
    return json_array_get(self->programs, i);
}

/* The row was missing from the authors' results. */
static bool is_missing(const json_t *program)
{
    return !json_is_number(json_object_get(program, "src"));
}

/* PIE counts no code, and an absent row, as accuracy 0. */
static double accuracy_at(const json_t *program, size_t sample)
{
    const json_t *answer = json_array_get(json_object_get(program, "gen"), sample);
    const double accuracy = number_of(json_array_get(answer, 0));
    return is_missing(program) || isnan(accuracy) ? 0 : accuracy;
}

static double runtime_at(const json_t *program, size_t sample)
{
    const json_t *answer = json_array_get(json_object_get(program, "gen"), sample);
    return is_missing(program) ? NAN : number_of(json_array_get(answer, 1));
}

static void set_measured(pie_program *program, int32_t role, const char *id, double cycles)
{
    *program =
        (pie_program){.role = role, .id = id, .verdict = PIE_VERDICT_PASSED, .cycles = cycles};
    if (isnan(cycles)) {
        program->verdict = PIE_VERDICT_NONE;
        program->cycles = INFINITY;
    }
}

/* Rows, problems and human programs; samples hold no code yet. */
static void synthetic_new(synthetic *self, const json_t *a_case)
{
    memset(self, 0, sizeof *self);
    self->programs = json_object_get(a_case, "programs");
    self->n_programs = json_array_size(self->programs);
    self->threshold = number_of(json_object_get(a_case, "threshold_accuracy"));
    if (isnan(self->threshold))
        self->threshold = 1;
    const json_t *generations = json_object_get(a_case, "n_generations");
    self->n_generations = json_is_integer(generations) && json_integer_value(generations) > 0
                              ? (size_t)json_integer_value(generations)
                              : 0;
    const size_t n = self->n_programs + 1;
    self->problems = must(calloc(n, sizeof *self->problems));
    self->rows = must(calloc(n, sizeof *self->rows));
    self->humans = must(calloc(2 * n, sizeof *self->humans));
    self->samples = must(calloc(n * (self->n_generations + 1), sizeof *self->samples));
    self->row_of_program = must(calloc(n, sizeof *self->row_of_program));

    size_t n_rows = 0;
    bool *placed = must(calloc(n, sizeof *placed));
    for (size_t first = 0; first < self->n_programs; first++) {
        if (placed[first])
            continue;
        const char *name = json_string_value(json_object_get(program_at(self, first), "problem"));
        pie_problem *problem = &self->problems[self->n_problems++];
        *problem = (pie_problem){.problem_id = name ? name : "", .rows = &self->rows[n_rows]};
        for (size_t i = first; i < self->n_programs; i++) {
            const json_t *program = program_at(self, i);
            const char *other = json_string_value(json_object_get(program, "problem"));
            if (placed[i] || strcmp(other ? other : "", problem->problem_id) != 0)
                continue;
            placed[i] = true;
            self->row_of_program[i] = n_rows;
            pie_row *row = &self->rows[n_rows];
            row->src_id = "";
            row->source = &self->humans[2 * n_rows];
            row->target = &self->humans[2 * n_rows + 1];
            set_measured(&self->humans[2 * n_rows], PIE_ROLE_SOURCE, "",
                         number_of(json_object_get(program, "src")));
            set_measured(&self->humans[2 * n_rows + 1], PIE_ROLE_TARGET, "",
                         number_of(json_object_get(program, "tgt")));
            row->samples = &self->samples[n_rows * self->n_generations];
            row->n_samples = self->n_generations;
            for (size_t s = 0; s < self->n_generations; s++)
                self->samples[n_rows * self->n_generations + s] =
                    (pie_program){.role = PIE_ROLE_SAMPLE,
                                  .id = "",
                                  .index = (int64_t)s,
                                  .verdict = PIE_VERDICT_NO_CODE,
                                  .cycles = INFINITY};
            n_rows++;
            problem->n_rows++;
        }
    }
    free(placed);
}

static void synthetic_free(synthetic *self)
{
    free(self->problems);
    free(self->rows);
    free(self->humans);
    free(self->samples);
    free(self->row_of_program);
}

static pie_program *sample_of(synthetic *self, size_t program, size_t sample)
{
    return &self->samples[self->row_of_program[program] * self->n_generations + sample];
}

static void judge(pie_program *sample, bool passed, double cycles)
{
    sample->verdict = passed ? PIE_VERDICT_PASSED : PIE_VERDICT_WRONG_OUTPUT;
    sample->cycles = passed ? cycles : INFINITY;
}

/* For speed: an answer counts when its accuracy reaches the threshold and it has a run time. */
static void judge_for_speed(synthetic *self)
{
    for (size_t i = 0; i < self->n_programs; i++)
        for (size_t s = 0; s < self->n_generations; s++) {
            const json_t *program = program_at(self, i);
            const double runtime = runtime_at(program, s);
            judge(sample_of(self, i, s),
                  accuracy_at(program, s) >= self->threshold && !isnan(runtime), runtime);
        }
}

/* For correctness PIE asks that the greatest accuracy of the first k *equals* the threshold. */
static void judge_for_correctness(synthetic *self, size_t k)
{
    for (size_t i = 0; i < self->n_programs; i++) {
        const json_t *program = program_at(self, i);
        double greatest = 0;
        for (size_t s = 0; s < k && s < self->n_generations; s++)
            greatest = fmax(greatest, accuracy_at(program, s));
        for (size_t s = 0; s < self->n_generations; s++)
            judge(sample_of(self, i, s),
                  greatest == self->threshold && accuracy_at(program, s) == greatest, 1);
    }
}

/* The least number of tests of which every accuracy of this program is a share; else the closest.
 */
static size_t tests_for(const json_t *program, size_t n_generations)
{
    size_t best = 1;
    double least = INFINITY;
    for (size_t d = 1; d <= MOST_TESTS && least > 1e-11; d++) {
        double error = 0;
        for (size_t s = 0; s < n_generations; s++) {
            const double share = accuracy_at(program, s) * (double)d;
            error = fmax(error, fabs(share - round(share)) / (double)d);
        }
        if (error < least) {
            least = error;
            best = d;
        }
    }
    return best;
}

/* For accuracy: as many tests as the shares need, the first ones passed. */
static void judge_for_accuracy(synthetic *self, const test_pool *pool)
{
    for (size_t i = 0; i < self->n_programs; i++) {
        const json_t *program = program_at(self, i);
        const size_t n_tests = tests_for(program, self->n_generations);
        pie_row *row = &self->rows[self->row_of_program[i]];
        row->tests = pool->tests;
        row->n_tests = n_tests;
        for (size_t s = 0; s < self->n_generations; s++) {
            const double share = fmin(fmax(accuracy_at(program, s), 0), 1);
            const size_t passed = (size_t)round(share * (double)n_tests);
            judge(sample_of(self, i, s), passed == n_tests, 1);
            sample_of(self, i, s)->tests = &pool->runs[MOST_TESTS - passed];
        }
    }
}

/* Figures of one plugin over a case. */
typedef struct plugin_result {
    metric_fixture fixture;
    const pie_metric_output *outputs;
    size_t n;
    double *totals;
} plugin_result;

static void result_new(plugin_result *self, const char *metric, const fixture_setting *settings,
                       const synthetic *data)
{
    memset(self, 0, sizeof *self);
    pie_status status =
        fixture_open(&self->fixture, metric, settings, (int64_t)data->n_generations);
    if (status == PIE_OK)
        status = fixture_run(&self->fixture, data->problems, data->n_problems, &self->outputs,
                             &self->n, &self->totals);
    if (status != PIE_OK) {
        fprintf(stderr, "vectors: metric %s: status %d %s\n", metric, status, self->fixture.logged);
        exit(2);
    }
}

static void result_free(plugin_result *self)
{
    free(self->totals);
    fixture_close(&self->fixture);
}

/* PIE prints shares, the plugins percent. False: no such figure. */
static bool result_get(const plugin_result *self, const char *name, const char *column, double *ret)
{
    for (size_t i = 0; i < self->n; i++)
        if (strcmp(self->outputs[i].name, name) == 0 &&
            strcmp(self->outputs[i].column, column) == 0) {
            *ret = self->totals[i] / (strcmp(self->outputs[i].unit, "%") == 0 ? 100 : 1);
            return true;
        }
    return false;
}

/* Does @key read PREFIX, a whole number, SUFFIX? */
static bool takes_number(const char *key, const char *prefix, long *ret_number,
                         const char **ret_rest)
{
    const size_t n = strlen(prefix);
    char *end;
    if (strncmp(key, prefix, n) != 0)
        return false;
    *ret_number = strtol(key + n, &end, 10);
    *ret_rest = end;
    return end != key + n && *ret_number > 0;
}

typedef struct case_results {
    plugin_result speedup, correct, accuracy;
    synthetic data;
} case_results;

/* A figure of `optimized` for one threshold. */
static bool get_optimized(const case_results *self, const char *name, const char *threshold,
                          double *ret)
{
    char list[64];
    snprintf(list, sizeof list, "[ %s ]", threshold);
    char ks[32];
    long k = 1;
    const char *rest;
    takes_number(name, "best@", &k, &rest);
    snprintf(ks, sizeof ks, "[ %ld ]", k);
    const fixture_setting settings[] = {
        {"threshold", list}, {"pooled", "true"}, {"k", ks}, {NULL, NULL}};
    plugin_result result;
    result_new(&result, "optimized", settings, &self->data);
    const bool found = result_get(&result, name, "%Opt", ret);
    result_free(&result);
    return found;
}

/* The share of rows that PIE calls correct at k. */
static double get_correct(case_results *self, long k)
{
    char ks[32];
    snprintf(ks, sizeof ks, "[ %ld ]", k);
    const fixture_setting settings[] = {{"k", ks}, {NULL, NULL}};
    char name[40];
    snprintf(name, sizeof name, "best@%ld", k);
    double got = NAN;
    plugin_result result;
    judge_for_correctness(&self->data, (size_t)k);
    result_new(&result, "correct", settings, &self->data);
    result_get(&result, name, "%Correct", &got);
    result_free(&result);
    judge_for_speed(&self->data);
    return got;
}

static bool get_figure(case_results *self, const char *key, double *ret)
{
    static const char threshold[] = ">=speedup_threshold_";
    long k = 0;
    const char *rest = NULL;
    char name[40];
    if (takes_number(key, "mean_accuracy_best@", &k, &rest) && !*rest) {
        snprintf(name, sizeof name, "best@%ld", k);
        return result_get(&self->accuracy, name, "%Tests", ret);
    }
    if (takes_number(key, "mean_speedup_best@", &k, &rest) && !*rest) {
        snprintf(name, sizeof name, "best@%ld", k);
        return result_get(&self->speedup, name, "Speedup", ret);
    }
    if (takes_number(key, "is_correct_best@", &k, &rest) && !*rest) {
        *ret = get_correct(self, k);
        return true;
    }
    if (takes_number(key, "percent_programs_speedup_best@", &k, &rest) &&
        strncmp(rest, threshold, strlen(threshold)) == 0) {
        snprintf(name, sizeof name, "best@%ld", k);
        return get_optimized(self, name, rest + strlen(threshold), ret);
    }
    if (strcmp(key, "fastest_generated_correctness_over_all_submissions") == 0)
        return result_get(&self->correct, "best of answers", "%Correct", ret);
    if (strcmp(key, "fastest_generated_speedup_over_all_submissions") == 0)
        return result_get(&self->speedup, "best of answers", "Speedup", ret);
    if (strcmp(key, "mean_speedup_tgt_over_src") == 0)
        return result_get(&self->speedup, "same human", "Speedup", ret);
    const struct {
        const char *prefix, *name;
    } lines[] = {{"percent_programs_speedup_tgt_over_src", "same human"},
                 {"percent_programs_speedup_fastest_generated_over_src", "best of answers"}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const size_t n = strlen(lines[i].prefix);
        if (strncmp(key, lines[i].prefix, n) == 0 &&
            strncmp(key + n, threshold, strlen(threshold)) == 0)
            return get_optimized(self, lines[i].name, key + n + strlen(threshold), ret);
    }
    return false;
}

static void run_pie_report(file_tally *tally, size_t n_case, const json_t *a_case)
{
    case_results self;
    memset(&self, 0, sizeof self);
    synthetic *data = &self.data;
    synthetic_new(data, a_case);

    char *ks = must(malloc(24 * (data->n_generations + 2)));
    size_t n = (size_t)sprintf(ks, "[ ");
    for (size_t k = 1; k <= data->n_generations; k++)
        n += (size_t)sprintf(ks + n, "%s%zu", k > 1 ? ", " : "", k);
    sprintf(ks + n, " ]");
    const fixture_setting lines[] = {{"k", ks}, {"pooled", "true"}, {NULL, NULL}};
    const fixture_setting shares[] = {{"k", ks}, {"accuracy", "true"}, {NULL, NULL}};
    test_pool *pool = must(calloc(1, sizeof *pool));
    for (size_t i = 0; i < MOST_TESTS; i++) {
        pool->tests[i] = (pie_test_info){.number = (int64_t)i, .weight = 1};
        pool->runs[i].verdict = PIE_VERDICT_PASSED;
        pool->runs[MOST_TESTS + i].verdict = PIE_VERDICT_WRONG_OUTPUT;
    }
    judge_for_accuracy(data, pool);
    result_new(&self.accuracy, "correct", shares, data);
    for (size_t i = 0; i < data->n_programs; i++) /* the other figures need no tests */
        data->rows[i].n_tests = 0;
    judge_for_speed(data);
    result_new(&self.speedup, "speedup", lines, data);
    result_new(&self.correct, "correct", lines, data);

    const char *key;
    json_t *expected;
    json_object_foreach(json_object_get(a_case, "expected"), key, expected)
    {
        double got;
        if (get_figure(&self, key, &got))
            compare(tally, n_case, key, expected, got);
        else
            wrong(tally, n_case, key, "no plugin gives this figure");
    }
    result_free(&self.speedup);
    result_free(&self.correct);
    result_free(&self.accuracy);
    synthetic_free(data);
    free(pool);
    free(ks);
}

/* ---- pass@k --------------------------------------------------------------------------------- */

static void run_pass_at_k(file_tally *tally, size_t n_case, const json_t *a_case)
{
    const json_int_t n = json_integer_value(json_object_get(a_case, "n"));
    const json_int_t c = json_integer_value(json_object_get(a_case, "c"));
    const json_int_t k = json_integer_value(json_object_get(a_case, "k"));
    if (n < 0 || n > 10000000 || c < 0 || c > n || k < 1) {
        wrong(tally, n_case, "n, c, k", "not a case of pass@k");
        return;
    }
    pie_program *samples = must(calloc((size_t)n + 1, sizeof *samples));
    for (size_t i = 0; i < (size_t)n; i++) {
        samples[i].role = PIE_ROLE_SAMPLE;
        samples[i].id = "";
        judge(&samples[i], i < (size_t)c, 1);
    }
    const pie_program source = {
        .role = PIE_ROLE_SOURCE, .id = "", .verdict = PIE_VERDICT_PASSED, .cycles = 1};
    const pie_row row = {
        .src_id = "", .source = &source, .samples = samples, .n_samples = (size_t)n};
    pie_problem problem = {.problem_id = "", .rows = &row, .n_rows = 1};
    const synthetic data = {.problems = &problem, .n_problems = 1, .n_generations = (size_t)n};
    char ks[32], name[40];
    snprintf(ks, sizeof ks, "[ %lld ]", (long long)k);
    snprintf(name, sizeof name, "pass@%lld", (long long)k);
    const fixture_setting settings[] = {{"k", ks}, {NULL, NULL}};
    plugin_result result;
    result_new(&result, "pass-at-k", settings, &data);
    double got = NAN;
    result_get(&result, name, "%Correct", &got);
    compare(tally, n_case, "expected", json_object_get(a_case, "expected"), got);
    if (json_object_get(a_case, "exact"))
        compare(tally, n_case, "exact", json_object_get(a_case, "exact"), got);
    result_free(&result);
    free(samples);
}

/* ---- files ---------------------------------------------------------------------------------- */

static const struct {
    const char *prefix;
    void (*run)(file_tally *tally, size_t n_case, const json_t *a_case);
} kinds[] = {{"pie_report", run_pie_report}, {"pass_at_k", run_pass_at_k}};

static int is_json(const struct dirent *entry)
{
    const size_t n = strlen(entry->d_name);
    return n > 5 && strcmp(entry->d_name + n - 5, ".json") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* False: the file is of no kind that is known. */
static bool run_file(const char *folder, const char *name, file_tally *tally)
{
    size_t kind = 0;
    while (kind < sizeof kinds / sizeof *kinds &&
           strncmp(name, kinds[kind].prefix, strlen(kinds[kind].prefix)) != 0)
        kind++;
    if (kind == sizeof kinds / sizeof *kinds)
        return false;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    json_error_t error;
    json_t *file = json_load_file(path, 0, &error);
    const json_t *cases = json_object_get(file, "cases");
    if (!json_is_array(cases)) {
        wrong(tally, 0, "file", file ? "no list of cases" : error.text);
        json_decref(file);
        return true;
    }
    const double tolerance = number_of(json_object_get(file, "tolerance"));
    tally->tolerance = tolerance > 0 ? tolerance : 1e-9;
    size_t i;
    json_t *a_case;
    json_array_foreach(cases, i, a_case)
    {
        kinds[kind].run(tally, i, a_case);
        tally->n_cases++;
    }
    json_decref(file);
    return true;
}

int main(void)
{
    const char *folder = getenv("PIE_VECTORS");
    if (!folder || !*folder)
        folder = PIE_SOURCE "/tests/data/vectors";
    struct dirent **entries;
    const int n = scandir(folder, &entries, is_json, by_name);
    if (n < 0) {
        fprintf(stderr, "vectors: %s: cannot be read; PIE_VECTORS names the folder\n", folder);
        return 2;
    }
    size_t n_known = 0, n_figures = 0, n_wrong = 0;
    for (int i = 0; i < n; i++) {
        file_tally tally = {.file = entries[i]->d_name, .tolerance = 1e-9};
        if (run_file(folder, entries[i]->d_name, &tally)) {
            n_known++;
            printf("%s: %zu cases, %zu figures within %g, %zu wrong\n", tally.file, tally.n_cases,
                   tally.n_figures, tally.tolerance, tally.n_wrong);
        } else {
            printf("%s: skipped, no test knows files of this name\n", tally.file);
        }
        n_figures += tally.n_figures;
        n_wrong += tally.n_wrong;
        free(entries[i]);
    }
    free(entries);
    printf("%zu files, %zu figures, %zu wrong\n", n_known, n_figures, n_wrong);
    if (n_known == 0)
        fprintf(stderr, "vectors: %s holds no file that is known\n", folder);
    return n_wrong > 0 || n_known == 0;
}
