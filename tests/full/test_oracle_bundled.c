/* test_oracle_bundled.c - is the stream true for every program that pie comes with?
 *
 * Each program runs on the smallest and on the largest input of its problem: traced in blocks,
 * traced in qemu's one-instruction mode, and natively. The two streams must be one sequence of
 * instructions with the same addresses and counts; the outputs must be the native one and the one
 * expected. With aizu and codescope in PIE_SHARED the same for their slow programs, which nobody
 * wrote with a tracer in mind. Two programs at a time, a child process each. */
#include "integration/guest_support.h"
#include "integration/sequence.h"

#include "dataset/check.h"
#include "dataset/dataset.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum {
    MAX_INSTRUCTIONS = 300000000, /* one-instruction mode is slow */
    MAX_FILE_BYTES = 16 << 20,
    NATIVE_SECONDS = 60,
    AT_A_TIME = 2
};

static const pie_guest_limits limits = {.instructions = MAX_INSTRUCTIONS,
                                        .memory_bytes = 1u << 30,
                                        .stack_bytes = 8u << 20,
                                        .output_bytes = MAX_FILE_BYTES};

enum { SMALLEST, LARGEST, N_TESTS };

typedef struct program {
    char *name, *code;
    char *inputs[N_TESTS], *expected[N_TESTS]; /* paths */
    bool is_c;
    bool optional; /* not ours: it may be too long or no program for today's compilers */
} program;

typedef struct programs {
    program *all;
    size_t n;
} programs;

enum { DIED = 0, TRUE_STREAM, SKIPPED, FALSE_STREAM };

/* What a child says, in memory that it shares with its parent. */
typedef struct outcome {
    int what;                                                              /* DIED .. */
    uint64_t instructions, startup_instructions, branches, accesses, reps; /* of true streams */
    char line[320];
} outcome;

static const char *const test_names[] = {"smallest", "largest"};

static void say(outcome *result, int what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void say(outcome *result, int what, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(result->line, sizeof result->line, format, args);
    va_end(args);
    result->what = what;
}

/* ---- one program, in a child process -------------------------------------------------------- */

/* Standard streams from @fds; the wait status, -1 when it could not start. */
static int run_command(const char *const *argv, char *const *environment, const int *fds)
{
    const struct rlimit cpu = {.rlim_cur = NATIVE_SECONDS, .rlim_max = NATIVE_SECONDS};
    int status = -1;
    const pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setrlimit(RLIMIT_CPU, &cpu);
        for (int i = 0; i < 3; i++)
            if (dup2(fds[i], i) < 0)
                _exit(127);
        execvpe(argv[0], (char *const *)(uintptr_t)argv, environment);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

/* Everything in @fd, from its start. */
static bool read_back(int fd, pie_buf *text)
{
    return lseek(fd, 0, SEEK_SET) == 0 &&
           pie_file_read_fd(fd, "output", MAX_FILE_BYTES, &pie_log_stderr, text) == PIE_OK;
}

/* False: @ret_why is the compiler's first error. */
static bool compile(const program *p, const char *source, const char *path, char *ret_why,
                    size_t n_why)
{
    const char *const c[] = {"gcc", "-O3", "-w", "-static", "-o", path, source, "-lm", NULL};
    const char *const cpp[] = {"g++", "-O3", "-std=c++17", "-w", "-static",
                               "-o",  path,  source,       NULL};
    pie_buf said = {0};
    const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int error_fd = pie_memfd("errors", NULL, 0, true);
    const int fds[] = {null_fd, null_fd, error_fd};
    const bool compiled =
        pie_file_replace(source, p->code, strlen(p->code), &pie_log_stderr) == PIE_OK &&
        run_command(p->is_c ? c : cpp, environ, fds) == 0;
    if (!compiled) {
        read_back(error_fd, &said);
        const char *error = strstr(pie_buf_text(&said), "error: ");
        error = error ? error + strlen("error: ") : "no compiler";
        snprintf(ret_why, n_why, "%.*s", (int)strcspn(error, "\n"), error);
    }
    pie_buf_free(&said);
    close(error_fd);
    close(null_fd);
    return compiled;
}

/* Without a sandbox, as its author would have run it. */
static int run_natively(const char *path, const pie_buf *input, pie_buf *output)
{
    const char *const argv[] = {path, NULL};
    char *const environment[] = {NULL};
    const int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    const int fds[] = {pie_memfd("input", input->data, input->n, true),
                       pie_memfd("output", NULL, 0, true), null_fd};
    int status = run_command(argv, environment, fds);
    if (!read_back(fds[1], output))
        status = -1;
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    return status;
}

static bool same_bytes(const pie_buf *a, const pie_buf *b)
{
    return a->n == b->n && memcmp(pie_buf_text(a), pie_buf_text(b), a->n) == 0;
}

/* What differs between the two traced runs but their sequences; NULL = nothing. */
static const char *differs(const pie_guest_result *a, const pie_guest_result *b)
{
    if (a->verdict != b->verdict || a->exit_status != b->exit_status || a->signal != b->signal)
        return "end of the program";
    if (a->instructions != b->instructions)
        return "number of instructions";
    if (a->startup_instructions != b->startup_instructions)
        return "number of start-up instructions";
    if (a->branches != b->branches)
        return "number of branches";
    if (a->syscalls != b->syscalls || a->write_calls != b->write_calls)
        return "number of system calls";
    if (!same_bytes(&a->output, &b->output) || !same_bytes(&a->error_output, &b->error_output))
        return "output";
    return NULL;
}

static bool ended_alike(int status, const pie_guest_result *traced)
{
    if (traced->signal)
        return WIFSIGNALED(status) && WTERMSIG(status) == traced->signal;
    return WIFEXITED(status) && WEXITSTATUS(status) == traced->exit_status;
}

/* Adds to @ret when the stream is true. */
static void judge(const program *p, const char *path, int test, outcome *ret)
{
    char difference[160];
    sequence blocks = {0}, single = {0};
    pie_guest_result result = {0}, single_result = {0};
    pie_buf input = {0}, expected = {0}, native = {0};
    pie_difference wrong;
    int status;

    if (pie_file_read(p->inputs[test], MAX_FILE_BYTES, &pie_log_stderr, &input) != PIE_OK ||
        pie_file_read(p->expected[test], MAX_FILE_BYTES, &pie_log_stderr, &expected) != PIE_OK) {
        say(ret, FALSE_STREAM, "its test cannot be read");
        goto cleanup;
    }
    pie_guest_spec spec = {.input = input.data, .input_bytes = input.n, .limits = limits};
    if (!sequence_trace(path, &spec, &blocks, &result)) {
        say(ret, FALSE_STREAM, "in blocks: %s", blocks.fault);
        goto cleanup;
    }
    if (result.verdict == PIE_VERDICT_INSTRUCTION_LIMIT) {
        say(ret, p->optional ? SKIPPED : FALSE_STREAM, "more than %d million instructions",
            MAX_INSTRUCTIONS / 1000000);
        goto cleanup;
    }
    spec.one_insn_per_block = true;
    if (!sequence_trace(path, &spec, &single, &single_result)) {
        say(ret, FALSE_STREAM, "in single instructions: %s", single.fault);
        goto cleanup;
    }
    if (!sequence_same(&blocks, &single, difference, sizeof difference)) {
        say(ret, FALSE_STREAM, "%s", difference);
        goto cleanup;
    }
    if (differs(&result, &single_result)) {
        say(ret, FALSE_STREAM, "another %s in single instructions",
            differs(&result, &single_result));
        goto cleanup;
    }
    status = run_natively(path, &input, &native);
    if (!ended_alike(status, &result) || !same_bytes(&native, &result.output)) {
        say(ret, FALSE_STREAM, "natively another %s (wait status %#x; traced: exit %d, signal %d)",
            ended_alike(status, &result) ? "output" : "end", (unsigned)status, result.exit_status,
            result.signal);
        goto cleanup;
    }
    if (!pie_check_output(PIE_CHECK_TOKENS, 0, expected.data, expected.n, result.output.data,
                          result.output.n, &wrong)) {
        say(ret, FALSE_STREAM, "line %zu of its output is \"%s\", not \"%s\"", wrong.line,
            wrong.actual, wrong.expected);
        goto cleanup;
    }
    ret->what = TRUE_STREAM;
    ret->instructions += blocks.n_insns;
    ret->startup_instructions += result.startup_instructions;
    ret->branches += blocks.n_branches;
    ret->accesses += blocks.n_accesses;
    ret->reps += blocks.n_reps;
cleanup:
    pie_buf_free(&native);
    pie_buf_free(&expected);
    pie_buf_free(&input);
    pie_guest_result_free(&single_result);
    pie_guest_result_free(&result);
    sequence_end(&single);
    sequence_end(&blocks);
}

static void judge_inputs(const program *p, const char *path, outcome *ret)
{
    char first[sizeof ret->line];
    const char *note = "";
    for (int test = 0; test < N_TESTS; test++) {
        judge(p, path, test, ret);
        if (ret->what == FALSE_STREAM) {
            memcpy(first, ret->line, sizeof first);
            say(ret, FALSE_STREAM, "%s input: %.280s", test_names[test], first);
            return;
        }
        if (ret->what == SKIPPED && test == SMALLEST)
            return;
        if (ret->what == SKIPPED)
            note = "; largest input skipped: too many instructions";
    }
    say(ret, TRUE_STREAM,
        "%lu instructions, %lu before the input, %lu branches, %lu accesses, %lu repeated%s",
        (unsigned long)ret->instructions, (unsigned long)ret->startup_instructions,
        (unsigned long)ret->branches, (unsigned long)ret->accesses, (unsigned long)ret->reps, note);
}

static void compile_and_judge(const program *p, size_t i, outcome *ret)
{
    char why[160];
    char *source = pie_strf("%s/%zu.%s", support_folder, i, p->is_c ? "c" : "cpp");
    char *path = pie_strf("%s/%zu", support_folder, i);
    if (!source || !path)
        say(ret, FALSE_STREAM, "out of memory");
    else if (compile(p, source, path, why, sizeof why))
        judge_inputs(p, path, ret);
    else
        say(ret, p->optional ? SKIPPED : FALSE_STREAM, "does not compile: %s", why);
    if (path)
        unlink(path); /* static programs: 2 MB each */
    free(path);
    free(source);
}

/* ---- many programs -------------------------------------------------------------------------- */

static void programs_free(programs *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->all[i].name);
        free(p->all[i].code);
        for (int test = 0; test < N_TESTS; test++) {
            free(p->all[i].inputs[test]);
            free(p->all[i].expected[test]);
        }
    }
    free(p->all);
}

/* Numbers of the tests with the smallest and the largest input; the first of equals. */
static void choose_tests(const pie_dataset_row *row, const char *tests, int64_t *ret_numbers)
{
    off_t sizes[N_TESTS] = {0};
    for (size_t i = 0; i < row->n_tests; i++) {
        struct stat file;
        char *path = pie_dataset_test_path(tests, row->problem_id, row->tests[i].number, false);
        assert_non_null(path);
        assert_int_equal(stat(path, &file), 0);
        free(path);
        for (int test = 0; test < N_TESTS; test++)
            if (i == 0 ||
                (test == LARGEST ? file.st_size > sizes[test] : file.st_size < sizes[test])) {
                sizes[test] = file.st_size;
                ret_numbers[test] = row->tests[i].number;
            }
    }
}

static void add_program(programs *to, const pie_dataset_row *row, const char *tests,
                        const char *role, const char *code, bool optional)
{
    int64_t numbers[N_TESTS];
    to->all = realloc(to->all, (to->n + 1) * sizeof *to->all);
    assert_non_null(to->all);
    program *p = &to->all[to->n++];
    *p = (program){.name =
                       pie_strf("%s/%s %s (%s)", row->problem_id, row->src_id, role, row->language),
                   .code = strdup(code),
                   .is_c = strcmp(row->language, "c") == 0,
                   .optional = optional};
    assert_true(p->name && p->code);
    choose_tests(row, tests, numbers);
    for (int test = 0; test < N_TESTS; test++) {
        p->inputs[test] = pie_dataset_test_path(tests, row->problem_id, numbers[test], false);
        p->expected[test] = pie_dataset_test_path(tests, row->problem_id, numbers[test], true);
        assert_true(p->inputs[test] && p->expected[test]);
    }
}

/* The sources in @folder/problems.jsonl; without @all_roles only the slow ones. */
static void add_dataset(programs *to, const char *folder, bool all_roles)
{
    const pie_dataset_row *row;
    pie_dataset *dataset;
    pie_status status;
    char *path = pie_path_join(folder, "problems.jsonl"), *tests = pie_path_join(folder, "tests");
    assert_true(path && tests);
    assert_int_equal(pie_dataset_open(path, &pie_log_stderr, &dataset), PIE_OK);
    while ((status = pie_dataset_next(dataset, &row)) == PIE_OK) {
        add_program(to, row, tests, "slow", row->src_code, !all_roles);
        if (!all_roles)
            continue;
        if (row->tgt_code)
            add_program(to, row, tests, "fast", row->tgt_code, false);
        for (size_t i = 0; i < row->n_references; i++)
            add_program(to, row, tests, row->references[i].id, row->references[i].code, false);
    }
    assert_int_equal(status, PIE_ERR_AGAIN);
    pie_dataset_close(dataset);
    free(tests);
    free(path);
}

/* Wait until one of the children @pids has ended and forget it; the others go on. */
static void wait_for_one(pid_t *pids, size_t n)
{
    pid_t pid;
    do
        pid = waitpid(-1, NULL, 0);
    while (pid < 0 && errno == EINTR);
    assert_true(pid > 0);
    for (size_t i = 0; i < n; i++)
        if (pids[i] == pid)
            pids[i] = 0;
}

static void judge_all(const programs *p)
{
    static const char *const words[] = {"DIED", "true", "skipped", "FALSE"};
    size_t n[4] = {0}, n_running = 0, n_started = 0, n_said = 0;
    outcome sum = {0};
    pid_t *pids = calloc(p->n, sizeof *pids);
    outcome *outcomes = mmap(NULL, p->n * sizeof *outcomes, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(pids && outcomes != MAP_FAILED);
    while (n_said < p->n) {
        if (n_started < p->n && n_running < AT_A_TIME) {
            const size_t i = n_started++;
            fflush(NULL);
            pids[i] = fork();
            assert_true(pids[i] >= 0);
            if (pids[i] == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                compile_and_judge(&p->all[i], i, &outcomes[i]);
                _exit(0);
            }
            n_running++;
            continue;
        }
        wait_for_one(pids, n_started);
        n_running--;
        for (; n_said < n_started && pids[n_said] == 0; n_said++) { /* in order */
            const outcome *o = &outcomes[n_said];
            print_message("  %s %s: %s\n", words[o->what], p->all[n_said].name, o->line);
            n[o->what]++;
            sum.instructions += o->instructions;
            sum.accesses += o->accesses;
            sum.reps += o->reps;
        }
    }
    munmap(outcomes, p->n * sizeof *outcomes);
    free(pids);
    print_message("  %zu programs: %zu true, %zu skipped, %zu false; %lu instructions, %lu "
                  "accesses, %lu repeated string instructions\n",
                  p->n, n[TRUE_STREAM], n[SKIPPED], n[FALSE_STREAM] + n[DIED],
                  (unsigned long)sum.instructions, (unsigned long)sum.accesses,
                  (unsigned long)sum.reps);
    assert_int_equal(n[FALSE_STREAM] + n[DIED], 0);
    assert_true(n[TRUE_STREAM] > n[SKIPPED]); /* or it says little */
}

static void the_bundled_examples_have_true_streams(void **state)
{
    (void)state;
    programs p = {0};
    add_dataset(&p, PIE_SOURCE "/examples", true);
    judge_all(&p);
    programs_free(&p);
}

static void judge_shared(const char *name)
{
    programs p = {0};
    const char *shared = getenv("PIE_SHARED");
    char *folder =
        pie_strf("%s/data/%s", shared && *shared ? shared : PIE_SOURCE "/../shared", name);
    char *path = pie_path_join(folder, "problems.jsonl");
    assert_true(folder && path);
    const bool present = access(path, R_OK) == 0;
    if (present)
        add_dataset(&p, folder, false);
    else
        print_message("  skipped: no data/%s in PIE_SHARED\n", name);
    free(path);
    free(folder);
    if (!present)
        skip();
    judge_all(&p);
    programs_free(&p);
}

static void aizu_programs_have_true_streams(void **state)
{
    (void)state;
    judge_shared("aizu");
}

static void codescope_programs_have_true_streams(void **state)
{
    (void)state;
    judge_shared("codescope");
}

int main(void)
{
    if (!pie_guest_engine_version(&pie_log_stderr)) {
        printf("skipped: qemu-x86_64 is not installed\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bundled_examples_have_true_streams),
        cmocka_unit_test(aizu_programs_have_true_streams),
        cmocka_unit_test(codescope_programs_have_true_streams),
    };
    return cmocka_run_group_tests(tests, support_begin, support_end);
}
