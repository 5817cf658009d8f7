/* worker.c - compiles one program and runs it on its tests. One job at a time.
 *
 *   <- {"do":"measure","job":1,"problem_id":"..","language":"c++","source":"<blob>",
 *       "tests":[{"n":0,"level":0,"weight":1,"public":false}]}
 *   ->
 * {"event":"built","job":1,"verdict":"passed","elf":"..","text_bytes":1,"messages":"<blob>"|null,
 *       "reason":""}                       the job ends here unless the verdict is "passed"
 *   <- {"do":"go","job":1,"cycle_limits":[n|null,..],"all_tests":false}   or {"do":"drop","job":1}
 *   -> {"event":"measured","job":1,"result":{verdict, passed, run, total, tests, difference,
 * counters}}
 */
#include "base/file.h"
#include "dataset/check.h"
#include "dataset/dataset.h"
#include "pipeline/build.h"
#include "pipeline/channel.h"
#include "pipeline/pipeline.h"
#include "pipeline/record.h"
#include "pipeline/simulate.h"
#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEST_FILE_MAX_BYTES = 1 << 30 };

typedef struct worker {
    const pie_pipeline *pipeline;
    pie_channel *channel;
    pie_builder *builder;
    pie_simulator *simulator;
    int32_t check; /* PIE_CHECK_TOKENS .. */
    double tolerance;
    char *checker; /* absolute path of the executable for PIE_CHECK_PROGRAM */
    pie_guest_limits limits;
    char failure[sizeof((pie_guest_result *)0)->reason]; /* why a test could not be run; "" */
} worker;

/* ---- the checker program of check = "program" ---- */

static bool has_suffix(const char *text, const char *suffix)
{
    const size_t n = strlen(text), n_suffix = strlen(suffix);
    return n >= n_suffix && strcmp(text + n - n_suffix, suffix) == 0;
}

/* Compile a checker that is given as source. Every worker makes its own copy. */
static pie_status build_checker(worker *self, const char *path)
{
    const pie_log *log = self->pipeline->log;
    const char *language = has_suffix(path, ".c") ? "c" : "c++";
    pie_buf source = {0}, elf = {0};
    pie_build build = {.elf_fd = -1};
    pie_status status = pie_file_read(path, 16 << 20, log, &source);
    if (status == PIE_OK)
        status =
            pie_builder_run(self->builder, pie_buf_text(&source), source.n, language, log, &build);
    if (status == PIE_OK && build.verdict != PIE_VERDICT_PASSED) {
        pie_log_error(log, "%s: the checker does not compile: %s", path, build.reason);
        status = PIE_ERR_CONFIG;
    }
    if (status == PIE_OK)
        status = pie_file_read_fd(build.elf_fd, path, 256 << 20, log, &elf);
    if (status == PIE_OK) {
        self->checker = pie_strf("%s/checker-%ld", self->pipeline->scratch, (long)getpid());
        if (!self->checker)
            status = pie_log_nomem(log);
        else
            status = pie_file_replace(self->checker, elf.data, elf.n, log);
    }
    if (status == PIE_OK && chmod(self->checker, 0755) != 0)
        status = pie_log_errno(log, self->checker);
    pie_build_free(&build);
    pie_buf_free(&source);
    pie_buf_free(&elf);
    return status;
}

static pie_status prepare_checker(worker *self, const char *path)
{
    if (!path) {
        pie_log_error(self->pipeline->log,
                      "dataset.check = \"program\" needs dataset.checker = \"FILE\"");
        return PIE_ERR_CONFIG;
    }
    if (has_suffix(path, ".c") || has_suffix(path, ".cpp") || has_suffix(path, ".cc"))
        return build_checker(self, path);
    self->checker = realpath(path, NULL);
    return self->checker ? PIE_OK : pie_log_errno(self->pipeline->log, path);
}

/* Exit status 0 = right, 1 = wrong; anything else is the checker's own failure. */
static pie_status run_checker(worker *self, const pie_buf *input, const pie_buf *output,
                              const pie_buf *expected, bool *ret_right)
{
    const pie_log *log = self->pipeline->log;
    char *folder = pie_strf("%s/check-XXXXXX", self->pipeline->scratch);
    char *home = folder
                     ? strndup(self->checker, (size_t)(strrchr(self->checker, '/') - self->checker))
                     : NULL;
    if (!home) {
        free(folder);
        return pie_log_nomem(log);
    }
    if (!mkdtemp(folder)) {
        free(home);
        free(folder);
        return pie_log_errno(log, self->pipeline->scratch);
    }
    const struct {
        const char *name;
        const pie_buf *content;
    } files[] = {{"input", input}, {"output", output}, {"expected", expected}};
    pie_status status = PIE_OK;
    for (size_t i = 0; status == PIE_OK && i < sizeof files / sizeof *files; i++) {
        char *path = pie_path_join(folder, files[i].name);
        status =
            path ? pie_file_replace(path, pie_buf_text(files[i].content), files[i].content->n, log)
                 : pie_log_nomem(log);
        free(path);
    }
    const char *const argv[] = {self->checker, "input", "output", "expected", NULL};
    const char *const read_only[] = {home, NULL};
    const pie_sandbox_spec spec = {
        .policy = PIE_SANDBOX_TOOL,
        .argv = argv,
        .work_dir = folder,
        .read_only_dirs = read_only,
        .capture = true,
        .limits = {
            .memory_bytes = UINT64_C(4) << 30, .file_bytes = 1 << 20, .cpu_s = 60, .wall_s = 120}};
    pie_sandbox_result result = {0};
    if (status == PIE_OK)
        status = pie_sandbox_run(&spec, log, &result);
    if (status == PIE_OK) {
        if (result.exited && result.exit_status <= 1)
            *ret_right = result.exit_status == 0;
        else {
            pie_log_error(log, "the checker %s failed (%s %d)", self->checker,
                          result.exited ? "exit status" : "signal",
                          result.exited ? result.exit_status : result.signal);
            status = PIE_ERR_CRASHED;
        }
    }
    pie_sandbox_result_free(&result);
    pie_folder_remove(folder, log);
    free(home);
    free(folder);
    return status;
}

/* ---- one test ---- */

static pie_status read_test(worker *self, const char *problem_id, int64_t number, bool output,
                            pie_buf *buf)
{
    char *path = pie_dataset_test_path(self->pipeline->tests_folder, problem_id, number, output);
    if (!path)
        return pie_log_nomem(self->pipeline->log);
    const pie_status status = pie_file_read(path, TEST_FILE_MAX_BYTES, self->pipeline->log, buf);
    free(path);
    return status;
}

static json_t *number_or_null(bool known, uint64_t value)
{
    return known ? json_integer((json_int_t)value) : json_null();
}

static json_t *difference_json(int64_t test, const pie_difference *difference)
{
    return json_pack("{s:I,s:I,s:I,s:s,s:s}", "test", (json_int_t)test, "line",
                     (json_int_t)difference->line, "column", (json_int_t)difference->column,
                     "expected", difference->expected, "actual", difference->actual);
}

/* Everything that a record says about one test. */
static json_t *test_json(const json_t *test, int32_t verdict, const pie_simulation *run,
                         uint64_t os_cycles)
{
    const pie_guest_result *guest = &run->guest;
    const bool in_seconds = run->seconds > 0, modelled = !run->censored && !in_seconds;
    return json_pack(
        "{s:O,s:O,s:O,s:O,s:s,s:o,s:o,s:o,s:I,s:I,s:I,s:o,s:i,s:i,s:I,s:s,s:s}", "n",
        json_object_get(test, "n"), "level", json_object_get(test, "level"), "weight",
        json_object_get(test, "weight"), "public", json_object_get(test, "public"), "verdict",
        pie_verdict_name(verdict), "cycles", number_or_null(modelled, run->cycles),
        "startup_cycles", number_or_null(run->startup_seen, run->startup_cycles), "os_cycles",
        number_or_null(modelled, os_cycles), "instructions", (json_int_t)guest->instructions,
        "startup_instructions", (json_int_t)guest->startup_instructions, "peak_bytes",
        (json_int_t)guest->peak_bytes, "seconds",
        in_seconds ? json_real(run->seconds) : json_null(), "exit", guest->exit_status, "signal",
        guest->signal, "syscall", (json_int_t)guest->syscall_number, "function", guest->function,
        "detail", guest->reason);
}

static json_t *unrun_test_json(const json_t *test)
{
    return json_pack("{s:O,s:O,s:O,s:O,s:s}", "n", json_object_get(test, "n"), "level",
                     json_object_get(test, "level"), "weight", json_object_get(test, "weight"),
                     "public", json_object_get(test, "public"), "verdict",
                     pie_verdict_name(PIE_VERDICT_NONE));
}

/* Sums of the model's counters over the tests of a program. */
typedef struct counter_totals {
    uint64_t *counters;
    size_t n;
    bool censored;
} counter_totals;

static uint64_t find_counter(const worker *self, const pie_simulation *run, const char *name)
{
    const pie_counter *counters = pie_simulator_counters(self->simulator);
    for (size_t i = 0; i < run->n_counters; i++)
        if (strcmp(counters[i].name, name) == 0)
            return run->counters[i];
    return 0;
}

/* *@ret_difference stays NULL unless this test's output differs. */
static pie_status run_test(worker *self, const char *problem_id, const json_t *test, int program_fd,
                           uint64_t cycle_limit, counter_totals *totals, int32_t *ret_verdict,
                           json_t **ret_test, json_t **ret_difference)
{
    const pie_log *log = self->pipeline->log;
    const int64_t number = json_integer_value(json_object_get(test, "n"));
    pie_buf input = {0}, expected = {0};
    pie_simulation run = {0};
    pie_status status = read_test(self, problem_id, number, false, &input);
    if (status == PIE_OK)
        status = read_test(self, problem_id, number, true, &expected);
    if (status != PIE_OK)
        goto cleanup;
    const pie_simulation_spec spec = {.program_fd = program_fd,
                                      .input = pie_buf_text(&input),
                                      .input_bytes = input.n,
                                      .limits = self->limits,
                                      .cycle_limit = cycle_limit};
    status = pie_simulator_run(self->simulator, &spec, log, &run);
    if (status != PIE_OK)
        goto cleanup;
    int32_t verdict = run.guest.verdict;
    if (verdict == PIE_VERDICT_INFRA_ERROR) { /* no result: the job is done again */
        memcpy(self->failure, run.guest.reason, sizeof self->failure);
        status = PIE_ERR_CRASHED;
        goto cleanup;
    }
    if (verdict == PIE_VERDICT_PASSED) {
        pie_difference difference = {0};
        bool right = false;
        if (self->check == PIE_CHECK_PROGRAM)
            status = run_checker(self, &input, &run.guest.output, &expected, &right);
        else
            right =
                pie_check_output(self->check, self->tolerance, pie_buf_text(&expected), expected.n,
                                 pie_buf_text(&run.guest.output), run.guest.output.n, &difference);
        if (status != PIE_OK)
            goto cleanup;
        if (!right) {
            verdict = PIE_VERDICT_WRONG_OUTPUT;
            if (difference.line > 0) /* a checker program names none */
                *ret_difference = difference_json(number, &difference);
        }
    }
    totals->censored |= run.censored;
    for (size_t i = 0; i < totals->n && i < run.n_counters; i++)
        totals->counters[i] += run.counters[i];
    *ret_verdict = verdict;
    *ret_test = test_json(test, verdict, &run, find_counter(self, &run, "os_cycles"));
    if (!*ret_test)
        status = pie_log_nomem(log);
cleanup:
    pie_simulation_free(&run);
    pie_buf_free(&input);
    pie_buf_free(&expected);
    return status;
}

static json_t *counters_json(const worker *self, const counter_totals *totals)
{
    const pie_counter *counters = pie_simulator_counters(self->simulator);
    json_t *object = json_object();
    for (size_t i = 0; object && i < totals->n; i++)
        json_object_set_new(object, counters[i].name,
                            json_integer((json_int_t)totals->counters[i]));
    return object;
}

/* All tests of a job in order. A failed test ends it unless @all. */
static pie_status run_tests(worker *self, const json_t *job, const json_t *go, int program_fd,
                            json_t **ret_result)
{
    const json_t *tests = json_object_get(job, "tests"), *test;
    const char *problem_id = json_string_value(json_object_get(job, "problem_id"));
    const bool all = json_is_true(json_object_get(go, "all_tests"));
    const json_t *cycle_limits = json_object_get(go, "cycle_limits");
    json_t *rows = json_array(), *first_difference = NULL;
    counter_totals totals = {0};
    for (const pie_counter *c = pie_simulator_counters(self->simulator); c && c->name; c++)
        totals.n++;
    totals.counters = calloc(totals.n + 1, sizeof *totals.counters);
    int32_t verdict = PIE_VERDICT_PASSED;
    size_t n_passed = 0, n_run = 0, i;
    pie_status status = rows && totals.counters ? PIE_OK : pie_log_nomem(self->pipeline->log);
    for (i = 0; status == PIE_OK && i < json_array_size(tests); i++) {
        test = json_array_get(tests, i);
        json_t *row = NULL, *difference = NULL;
        if (verdict != PIE_VERDICT_PASSED && !all) {
            row = unrun_test_json(test);
        } else {
            const json_t *limit = json_array_get(cycle_limits, i);
            int32_t one = PIE_VERDICT_NONE;
            status =
                run_test(self, problem_id, test, program_fd,
                         json_is_integer(limit) ? (uint64_t)json_integer_value(limit) : UINT64_MAX,
                         &totals, &one, &row, &difference);
            n_run++;
            if (one == PIE_VERDICT_PASSED)
                n_passed++;
            else if (verdict == PIE_VERDICT_PASSED)
                verdict = one;
        }
        if (difference && !first_difference)
            first_difference = difference;
        else
            json_decref(difference);
        if (status == PIE_OK && (!row || json_array_append_new(rows, row) != 0))
            status = pie_log_nomem(self->pipeline->log);
    }
    if (status == PIE_OK) {
        *ret_result = json_pack("{s:s,s:I,s:I,s:I,s:O,s:O?,s:o}", "verdict",
                                pie_verdict_name(verdict), "passed", (json_int_t)n_passed, "run",
                                (json_int_t)n_run, "total", (json_int_t)json_array_size(tests),
                                "tests", rows, "difference", first_difference, "counters",
                                totals.censored ? json_null() : counters_json(self, &totals));
        if (!*ret_result)
            status = pie_log_nomem(self->pipeline->log);
    }
    json_decref(rows);
    json_decref(first_difference);
    free(totals.counters);
    return status;
}

/* ---- one job ---- */

static pie_status compile(worker *self, const json_t *job, pie_build *build)
{
    const pie_pipeline *pipeline = self->pipeline;
    pie_buf source = {0};
    pie_status status = pie_store_get(
        pipeline->store, json_string_value(json_object_get(job, "source")), pipeline->log, &source);
    if (status == PIE_OK)
        status = pie_builder_run(self->builder, pie_buf_text(&source), source.n,
                                 json_string_value(json_object_get(job, "language")), pipeline->log,
                                 build);
    pie_buf_free(&source);
    return status;
}

/* A failure of pie's own: the job is lost, the worker lives. */
static pie_status send_failed(worker *self, const json_t *job, const char *what)
{
    return pie_channel_send(self->channel, json_pack("{s:s,s:O,s:s}", "event", "job_failed", "job",
                                                     json_object_get(job, "job"), "message", what));
}

/* *@ret_goes_on: the program is built and may be run. */
static pie_status send_built(worker *self, const json_t *job, const pie_build *build,
                             bool *ret_goes_on)
{
    char elf[PIE_DIGEST_HEX], messages[PIE_DIGEST_HEX];
    pie_digest digest;
    const bool passed = build->verdict == PIE_VERDICT_PASSED;
    pie_digest_hex(&build->elf, elf);
    if (build->messages.n > 0) {
        if (pie_store_put(self->pipeline->store, build->messages.data, build->messages.n,
                          &digest) != PIE_OK)
            return send_failed(self, job, "what the compiler said could not be stored");
        pie_digest_hex(&digest, messages);
    }
    *ret_goes_on = passed;
    return pie_channel_send(
        self->channel,
        json_pack("{s:s,s:O,s:s,s:s?,s:I,s:s?,s:o}", "event", "built", "job",
                  json_object_get(job, "job"), "verdict", pie_verdict_name(build->verdict), "elf",
                  passed ? elf : NULL, "text_bytes", (json_int_t)build->text_bytes, "messages",
                  build->messages.n ? messages : NULL, "reason", pie_json_text(build->reason)));
}

static pie_status do_job(worker *self, const json_t *job)
{
    pie_build build = {.elf_fd = -1};
    json_t *answer = NULL, *result = NULL;
    if (compile(self, job, &build) != PIE_OK) {
        pie_build_free(&build);
        return send_failed(self, job, "the compiler could not be run");
    }
    bool goes_on = false;
    pie_status status = send_built(self, job, &build, &goes_on);
    if (status == PIE_OK && goes_on) {
        status = pie_channel_receive(self->channel, true, &answer);
        const char *what = json_string_value(json_object_get(answer, "do"));
        if (status == PIE_OK && what && strcmp(what, "go") == 0) {
            self->failure[0] = '\0';
            if (run_tests(self, job, answer, build.elf_fd, &result) == PIE_OK)
                status = pie_channel_send(self->channel,
                                          json_pack("{s:s,s:O,s:o}", "event", "measured", "job",
                                                    json_object_get(job, "job"), "result", result));
            else
                status = send_failed(self, job,
                                     self->failure[0] ? self->failure : "a test could not be run");
        }
    }
    json_decref(answer);
    pie_build_free(&build);
    return status;
}

/* ---- the process ---- */

/* A limit that the shell set below ours would end compilers and guests in our place, and look like
 * their fault. main() has raised what it may. */
static pie_status check_inherited_limits(const pie_log *log)
{
    static const struct {
        int resource;
        const char *option;
    } limits[] = {{RLIMIT_FSIZE, "-f"}, {RLIMIT_AS, "-v"}, {RLIMIT_DATA, "-d"}, {RLIMIT_CPU, "-t"}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct rlimit inherited;
        if (getrlimit((__rlimit_resource_t)limits[i].resource, &inherited) == 0 &&
            inherited.rlim_cur != RLIM_INFINITY) {
            pie_log_error(log,
                          "the shell limits what pie starts: run it under `ulimit %s unlimited`",
                          limits[i].option);
            return PIE_ERR_UNAVAILABLE;
        }
    }
    return PIE_OK;
}

static pie_status prepare(worker *self)
{
    const pie_config *config = self->pipeline->config;
    const pie_log *log = self->pipeline->log;
    const pie_settings *limits = pie_config_group(config, "limits");
    const pie_settings *dataset = pie_config_group(config, "dataset");
    const pie_build_limits build_limits = {
        .memory_bytes = (uint64_t)pie_settings_int(limits, "compile_memory"),
        .output_bytes = (uint64_t)pie_settings_int(limits, "compile_output"),
        .seconds = pie_settings_float(limits, "compile_seconds"),
        .processes = 64};
    self->limits =
        (pie_guest_limits){.instructions = (uint64_t)pie_settings_int(limits, "instructions"),
                           .memory_bytes = (uint64_t)pie_settings_int(limits, "memory"),
                           .stack_bytes = (uint64_t)pie_settings_int(limits, "stack"),
                           .output_bytes = (uint64_t)pie_settings_int(limits, "output")};
    self->check = pie_check_mode(pie_settings_string(dataset, "check"));
    self->tolerance = pie_settings_float(dataset, "tolerance");
    if (!pie_guest_engine_version(log))
        return PIE_ERR_UNAVAILABLE;
    pie_status status = check_inherited_limits(log);
    if (status == PIE_OK)
        status = pie_builder_new(pie_config_compiler(config), &build_limits,
                                 self->pipeline->scratch, log, &self->builder);
    if (status == PIE_OK)
        status = pie_simulator_new(pie_config_uarch(config), self->pipeline->scratch, log,
                                   &self->simulator);
    if (status == PIE_OK && self->check == PIE_CHECK_PROGRAM)
        status = prepare_checker(self, pie_settings_string(dataset, "checker"));
    return status;
}

int pie_worker_main(const pie_pipeline *pipeline, int fd)
{
    worker self = {.pipeline = pipeline};
    pie_status status = pie_channel_new(fd, &self.channel);
    if (status != PIE_OK)
        return 1;
    status = prepare(&self);
    if (status != PIE_OK) {
        pie_channel_send(self.channel, json_pack("{s:s,s:i}", "event", "failed", "status", status));
    } else {
        status =
            pie_channel_send(self.channel, json_pack("{s:s,s:s,s:s}", "event", "ready", "compiler",
                                                     pie_builder_version(self.builder), "engine",
                                                     pie_guest_engine_version(pipeline->log)));
    }
    while (status == PIE_OK) {
        json_t *message = NULL;
        status = pie_channel_receive(self.channel, true, &message);
        if (status == PIE_OK)
            status = do_job(&self, message);
        json_decref(message);
    }
    if (self.checker && strncmp(self.checker, pipeline->scratch, strlen(pipeline->scratch)) == 0)
        unlink(self.checker);
    free(self.checker);
    pie_simulator_free(self.simulator);
    pie_builder_free(self.builder);
    pie_channel_free(self.channel);
    return 0;
}
