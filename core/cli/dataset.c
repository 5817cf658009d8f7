/* dataset.c - pie dataset check: is a dataset whole, and do its programs do what their tests say?
 *
 * One pass over the file, row by row, prints what is found in the order of the file. Compiling and
 * running is left to workers, as everywhere: each streams the file for itself and takes the next
 * row that no other has taken; what it found comes back through one pipe, in messages small enough
 * to be written in one piece. */
#include "dataset/dataset.h"
#include "base/file.h"
#include "cli/cli.h"
#include "config/config.h"
#include "dataset/check.h"
#include "pipeline/build.h"
#include "pipeline/record.h"
#include "trace/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
    "usage: pie dataset check FILE --tests DIR [OPTION]...\n"
    "\n"
    "Reports malformed rows, missing or unreadable test files, and slow programs that do not "
    "compile,\n"
    "fail their own tests or are not deterministic. One line each: FILE:LINE: what.\n"
    "\n"
    "  --tests DIR      folder with <problem_id>/input.<N>.txt and output.<N>.txt (default: the\n"
    "                   config's dataset.tests)\n"
    "  --config CONFIG  compiler, limits and check to use (default: pie's own defaults)\n"
    "  --no-compile     look at the files only; compile and run nothing\n"
    "  --jobs N         programs at a time (default: as many as there are processors)\n"
    "  --limit N        only the first N well-formed rows\n"
    "  --write FILE     write the usable rows, as they stand, to a new file\n"
    "  --json           one JSON object\n"
    "\n"
    "exit status: 0 nothing found, 1 something found, 2 wrong input, 3 some rows could not be "
    "checked,\n"
    "4 something installed is missing or crashed\n";

enum {
    MAX_JOBS = 4096,
    WINDOW = 1024, /* rows that workers may be ahead of the printing */
    TEST_MAX_BYTES = 1 << 30,
    PROGRESS_TERMINAL_MS = 200,
    PROGRESS_OTHER_MS = 5000
};

enum { /* what a row may suffer from */
       FINDING_NONE = 0,
       FINDING_MALFORMED,
       FINDING_MISSING_TEST,
       FINDING_UNREADABLE_TEST,
       FINDING_COMPILE,
       FINDING_FAILS,
       FINDING_NONDETERMINISTIC,
       FINDING_UNCHECKED,
       N_FINDINGS
};
static const struct {
    const char *key, *summary;
} finding_kinds[N_FINDINGS] = {
    [FINDING_MALFORMED] = {"malformed", "malformed"},
    [FINDING_MISSING_TEST] = {"missing_test", "without all their test files"},
    [FINDING_UNREADABLE_TEST] = {"unreadable_test", "with unreadable test files"},
    [FINDING_COMPILE] = {"does_not_compile", "whose program does not compile"},
    [FINDING_FAILS] = {"fails_tests", "whose program fails its own tests"},
    [FINDING_NONDETERMINISTIC] = {"not_deterministic", "whose program is not deterministic"},
    [FINDING_UNCHECKED] = {"unchecked", "that could not be checked"},
};

/* What became of one row. Written to the pipe whole: no longer than PIPE_BUF. */
typedef struct finding {
    uint64_t ordinal; /* of the row; UINT64_MAX: the worker cannot work at all, @status says why */
    int32_t kind;     /* FINDING_NONE .. */
    int32_t status;
    char text[480]; /* one line; "" with FINDING_NONE */
} finding;

/* In memory that parent and workers share. */
typedef struct progress_board {
    _Atomic uint64_t next;    /* ordinal of the next row to take */
    _Atomic uint64_t printed; /* rows that are done with */
    _Atomic uint64_t taken[]; /* [n_jobs] 1 + ordinal of the row at which a worker is */
} progress_board;

typedef struct check_command {
    const char *path, *tests, *config_path, *write_path;
    bool compile, json;
    int64_t limit;
    size_t n_jobs;

    pie_config *config;
    char *scratch;
    progress_board *board;
    size_t board_bytes;
    pid_t *workers; /* [n_jobs] 0 = none */
    int pipe[2], signals;
    sigset_t old_mask;
    finding *window; /* [WINDOW] by ordinal; ready when its ordinal is the row's */
    int signal;      /* that ended the check */

    char message[1024]; /* the malformed row that the reader named last */
    FILE *out;
    char *out_temporary;
    json_t *findings;
    size_t n_rows, n_usable, counts[N_FINDINGS];
    size_t line; /* at which the check is */
    struct timespec start;
    int64_t shown_ms;
    bool is_terminal, line_shown;
} check_command;

/* ---- one row, on paper ----------------------------------------------------------------------- */

static void say(finding *ret, int32_t kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void say(finding *ret, int32_t kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(ret->text, sizeof ret->text, format, args);
    va_end(args);
    for (unsigned char *c = (unsigned char *)ret->text; *c; c++)
        if (*c < 0x20 || *c == 0x7f)
            *c = ' ';
    ret->kind = kind;
}

/* The first test file of @row that is missing or cannot be read, and how many are like it. */
static pie_status check_files(const check_command *self, const pie_dataset_row *row, finding *ret)
{
    size_t n_bad = 0;
    for (size_t i = 0; i < 2 * row->n_tests; i++) {
        struct stat info;
        char *path = pie_dataset_test_path(self->tests, row->problem_id, row->tests[i / 2].number,
                                           i % 2 == 1);
        if (!path)
            return pie_log_nomem(&pie_log_stderr);
        const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0 && errno == ENOENT) {
            if (n_bad++ == 0)
                say(ret, FINDING_MISSING_TEST, "test %" PRId64 ": there is no %.200s",
                    row->tests[i / 2].number, path);
        } else if (fd < 0 || fstat(fd, &info) != 0) {
            if (n_bad++ == 0)
                say(ret, FINDING_UNREADABLE_TEST, "test %" PRId64 ": %.200s: %s",
                    row->tests[i / 2].number, path, strerror(errno));
        } else if (!S_ISREG(info.st_mode) || info.st_size > TEST_MAX_BYTES) {
            if (n_bad++ == 0)
                say(ret, FINDING_UNREADABLE_TEST, "test %" PRId64 ": %.200s is %s",
                    row->tests[i / 2].number, path,
                    S_ISREG(info.st_mode) ? "longer than 1 GiB" : "no regular file");
        }
        if (fd >= 0)
            close(fd);
        free(path);
    }
    if (n_bad > 1) {
        const size_t n = strlen(ret->text);
        snprintf(ret->text + n, sizeof ret->text - n, " (and %zu more)", n_bad - 1);
    }
    return PIE_OK;
}

/* ---- one row, run ---------------------------------------------------------------------------- */

typedef struct checker {
    const check_command *command;
    pie_builder *builder;
    const char *language; /* "c++", "c" or "row" */
    int32_t check;
    double tolerance;
    pie_guest_limits limits;
    const pie_log *log;
} checker;

static pie_status read_test(const checker *self, const pie_dataset_row *row, int64_t number,
                            bool output, pie_buf *ret_text)
{
    char *path = pie_dataset_test_path(self->command->tests, row->problem_id, number, output);
    if (!path)
        return pie_log_nomem(self->log);
    const pie_status status = pie_file_read(path, TEST_MAX_BYTES, self->log, ret_text);
    free(path);
    return status;
}

static void judge(const checker *self, int64_t number, const pie_buf *expected,
                  const pie_guest_result *first, const pie_guest_result *second, finding *ret)
{
    pie_difference apart;
    const bool same_output =
        first->output.n == second->output.n &&
        (first->output.n == 0 ||
         memcmp(first->output.data, second->output.data, first->output.n) == 0);
    if (first->verdict == PIE_VERDICT_INFRA_ERROR || second->verdict == PIE_VERDICT_INFRA_ERROR)
        say(ret, FINDING_UNCHECKED, "test %" PRId64 ": could not be run: %s", number,
            first->verdict == PIE_VERDICT_INFRA_ERROR ? first->reason : second->reason);
    else if (first->verdict != second->verdict)
        say(ret, FINDING_NONDETERMINISTIC,
            "test %" PRId64 ": not deterministic: ends as %s and as %s", number,
            pie_verdict_name(first->verdict), pie_verdict_name(second->verdict));
    else if (!same_output)
        say(ret, FINDING_NONDETERMINISTIC,
            "test %" PRId64 ": not deterministic: prints different output", number);
    else if (first->instructions != second->instructions)
        say(ret, FINDING_NONDETERMINISTIC,
            "test %" PRId64 ": not deterministic: executes %" PRIu64 " and %" PRIu64
            " instructions",
            number, first->instructions, second->instructions);
    else if (first->verdict != PIE_VERDICT_PASSED)
        say(ret, FINDING_FAILS, "fails its own test %" PRId64 ": %s: %s", number,
            pie_verdict_name(first->verdict), first->reason);
    else if (self->check != PIE_CHECK_PROGRAM &&
             !pie_check_output(self->check, self->tolerance, pie_buf_text(expected), expected->n,
                               pie_buf_text(&first->output), first->output.n, &apart))
        say(ret, FINDING_FAILS,
            "fails its own test %" PRId64 ": line %zu, column %zu: expected \"%s\", got \"%s\"",
            number, apart.line, apart.column, apart.expected, apart.actual);
}

/* Twice, so that a result which is not determined shows. */
static pie_status run_test(const checker *self, const pie_dataset_row *row, int64_t number,
                           int program_fd, finding *ret)
{
    pie_buf input = {0}, expected = {0};
    pie_guest_result results[2] = {{0}, {0}};
    pie_status status = read_test(self, row, number, false, &input);
    if (status == PIE_OK)
        status = read_test(self, row, number, true, &expected);
    for (size_t i = 0; status == PIE_OK && i < 2; i++) {
        const pie_guest_spec spec = {.program_fd = program_fd,
                                     .input = pie_buf_text(&input),
                                     .input_bytes = input.n,
                                     .limits = self->limits};
        status = pie_guest_run(&spec, self->log, &results[i]);
    }
    if (status == PIE_OK)
        judge(self, number, &expected, &results[0], &results[1], ret);
    pie_guest_result_free(&results[0]);
    pie_guest_result_free(&results[1]);
    pie_buf_free(&input);
    pie_buf_free(&expected);
    return status;
}

static pie_status run_row(const checker *self, const pie_dataset_row *row, finding *ret)
{
    pie_build build = {.elf_fd = -1};
    const bool by_row = strcmp(self->language, "row") == 0;
    pie_status status = pie_builder_run(self->builder, row->src_code, strlen(row->src_code),
                                        by_row ? row->language : self->language, self->log, &build);
    if (status == PIE_OK && build.verdict != PIE_VERDICT_PASSED)
        say(ret, build.verdict == PIE_VERDICT_INFRA_ERROR ? FINDING_UNCHECKED : FINDING_COMPILE,
            "does not compile: %s: %s", pie_verdict_name(build.verdict), build.reason);
    for (size_t i = 0; status == PIE_OK && ret->kind == FINDING_NONE && i < row->n_tests; i++)
        status = run_test(self, row, row->tests[i].number, build.elf_fd, ret);
    pie_build_free(&build);
    return status;
}

/* ---- a worker -------------------------------------------------------------------------------- */

static pie_status prepare_checker(const check_command *command, const pie_log *log, checker *self)
{
    const pie_settings *limits = pie_config_group(command->config, "limits");
    const pie_settings *dataset = pie_config_group(command->config, "dataset");
    const pie_build_limits build_limits = {
        .memory_bytes = (uint64_t)pie_settings_int(limits, "compile_memory"),
        .output_bytes = (uint64_t)pie_settings_int(limits, "compile_output"),
        .seconds = pie_settings_float(limits, "compile_seconds"),
        .processes = 64};
    *self = (checker){.command = command,
                      .language = pie_settings_string(
                          pie_config_plugin_group(command->config, "compiler"), "language"),
                      .check = pie_check_mode(pie_settings_string(dataset, "check")),
                      .tolerance = pie_settings_float(dataset, "tolerance"),
                      .limits = {.instructions = (uint64_t)pie_settings_int(limits, "instructions"),
                                 .memory_bytes = (uint64_t)pie_settings_int(limits, "memory"),
                                 .stack_bytes = (uint64_t)pie_settings_int(limits, "stack"),
                                 .output_bytes = (uint64_t)pie_settings_int(limits, "output")},
                      .log = log};
    if (!pie_guest_engine_version(log))
        return PIE_ERR_UNAVAILABLE;
    return pie_builder_new(pie_config_compiler(command->config), &build_limits, command->scratch,
                           log, &self->builder);
}

static pie_status send_finding(const check_command *command, const finding *found)
{
    return pie_write_all(command->pipe[1], found, sizeof *found);
}

/* Takes rows until the file ends. */
static pie_status work(const check_command *command, size_t me, const checker *self)
{
    pie_dataset *dataset = NULL;
    const pie_dataset_row *row = NULL;
    progress_board *board = command->board;
    pie_status status = pie_dataset_open(command->path, &pie_log_none, &dataset);
    while (status == PIE_OK) {
        finding found = {.ordinal = atomic_fetch_add(&board->next, 1)};
        atomic_store(&board->taken[me], found.ordinal + 1);
        if (command->limit >= 0 && found.ordinal >= (uint64_t)command->limit)
            break;
        while (found.ordinal >= atomic_load(&board->printed) + WINDOW)
            usleep(1000);
        do
            status = pie_dataset_next(dataset, &row);
        while (status == PIE_ERR_DATA || (status == PIE_OK && row->ordinal < found.ordinal));
        if (status == PIE_OK)
            status = check_files(command, row, &found);
        if (status == PIE_OK && found.kind == FINDING_NONE)
            status = run_row(self, row, &found);
        if (status == PIE_OK)
            status = send_finding(command, &found);
    }
    pie_dataset_close(dataset);
    return status == PIE_ERR_AGAIN ? PIE_OK : status;
}

static int worker_main(const check_command *command, size_t me)
{
    checker self = {0};
    /* All workers would complain about the same; one is enough. */
    pie_status status = prepare_checker(command, me == 0 ? &pie_log_stderr : &pie_log_none, &self);
    self.log = &pie_log_stderr;
    if (status == PIE_OK)
        status = work(command, me, &self);
    pie_builder_free(self.builder);
    if (status == PIE_OK)
        return 0;
    const finding failed = {.ordinal = UINT64_MAX, .status = status};
    send_finding(command, &failed);
    return 1;
}

static pie_status start_worker(check_command *self, size_t me)
{
    fflush(NULL);
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0)
        return pie_log_errno(&pie_log_stderr, "fork");
    if (pid == 0) {
        signal(SIGINT, SIG_IGN); /* the parent decides */
        sigprocmask(SIG_SETMASK, &self->old_mask, NULL);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        close(self->pipe[0]);
        _exit(worker_main(self, me));
    }
    self->workers[me] = pid;
    return PIE_OK;
}

static pie_status start_workers(check_command *self)
{
    self->board_bytes = sizeof *self->board + self->n_jobs * sizeof self->board->taken[0];
    self->board =
        mmap(NULL, self->board_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (self->board == MAP_FAILED) {
        self->board = NULL;
        return pie_log_nomem(&pie_log_stderr);
    }
    self->workers = calloc(self->n_jobs, sizeof *self->workers);
    self->window = calloc(WINDOW, sizeof *self->window);
    if (!self->workers || !self->window)
        return pie_log_nomem(&pie_log_stderr);
    for (size_t i = 0; i < WINDOW; i++)
        self->window[i].ordinal = UINT64_MAX;
    if (pipe2(self->pipe, O_CLOEXEC) != 0)
        return pie_log_errno(&pie_log_stderr, "pipe");
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGTERM);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    self->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (self->signals < 0)
        return pie_log_errno(&pie_log_stderr, "signalfd");
    const char *folder = pie_settings_string(pie_config_group(self->config, "run"), "scratch");
    if (!folder)
        folder = getenv("TMPDIR");
    self->scratch = pie_strf("%s/pie-XXXXXX", folder && *folder ? folder : "/tmp");
    if (!self->scratch)
        return pie_log_nomem(&pie_log_stderr);
    if (!mkdtemp(self->scratch)) {
        const pie_status status = pie_log_errno(&pie_log_stderr, self->scratch);
        free(self->scratch);
        self->scratch = NULL;
        return status;
    }
    pie_status status = PIE_OK;
    for (size_t i = 0; status == PIE_OK && i < self->n_jobs; i++)
        status = start_worker(self, i);
    return status;
}

static void stop_workers(check_command *self)
{
    for (size_t i = 0; self->workers && i < self->n_jobs; i++)
        if (self->workers[i] > 0)
            kill(self->workers[i], SIGKILL);
    for (size_t i = 0; self->workers && i < self->n_jobs; i++)
        while (self->workers[i] > 0 && waitpid(self->workers[i], NULL, 0) < 0 && errno == EINTR)
            ;
    if (self->scratch)
        pie_folder_remove(self->scratch, &pie_log_stderr);
}

/* ---- the parent ------------------------------------------------------------------------------ */

static int64_t elapsed_ms(const check_command *self)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)(now.tv_sec - self->start.tv_sec) * 1000 +
           (now.tv_nsec - self->start.tv_nsec) / 1000000;
}

static void hide_progress(check_command *self)
{
    if (self->line_shown)
        fputs("\r\033[K", stderr);
    self->line_shown = false;
}

static void show_progress(check_command *self)
{
    const int64_t ms = elapsed_ms(self);
    if (ms - self->shown_ms < (self->is_terminal ? PROGRESS_TERMINAL_MS : PROGRESS_OTHER_MS))
        return;
    self->shown_ms = ms;
    hide_progress(self);
    fprintf(stderr, "%zu rows checked, %zu usable, %.2f rows/s, at line %zu%s", self->n_rows,
            self->n_usable, 1e3 * (double)self->n_rows / (double)ms, self->line,
            self->is_terminal ? "" : "\n");
    self->line_shown = self->is_terminal;
}

/* Findings that have arrived, into the window. */
static pie_status receive(check_command *self)
{
    for (;;) {
        finding found;
        struct pollfd ready = {.fd = self->pipe[0], .events = POLLIN};
        if (poll(&ready, 1, 0) <= 0)
            return PIE_OK;
        const ssize_t n = read(self->pipe[0], &found, sizeof found);
        if (n < 0 && errno == EINTR)
            continue;
        if (n != (ssize_t)sizeof found)
            return PIE_ERR_CRASHED; /* never: messages are written in one piece */
        if (found.ordinal == UINT64_MAX)
            return found.status;
        if (found.ordinal >= self->n_rows) /* the row is still to come */
            self->window[found.ordinal % WINDOW] = found;
    }
}

/* A worker that crashed costs the row at which it was; another takes its place. PIE_ERR_AGAIN: all
 * have come to the end of the file. */
static pie_status replace_dead(check_command *self)
{
    for (size_t i = 0; i < self->n_jobs; i++) {
        int how = 0;
        if (self->workers[i] <= 0 || waitpid(self->workers[i], &how, WNOHANG) == 0)
            continue;
        self->workers[i] = 0;
        const pie_status status = receive(self); /* what it still said */
        if (status != PIE_OK)
            return status;
        if (WIFEXITED(how) && WEXITSTATUS(how) == 0)
            continue; /* at the end of the file */
        char cause[40];
        snprintf(cause, sizeof cause, "%s %d", WIFSIGNALED(how) ? "signal" : "exit status",
                 WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how));
        const uint64_t taken = atomic_exchange(&self->board->taken[i], 0);
        if (taken == 0) {
            pie_log_error(&pie_log_stderr, "a worker crashed (%s) before it could begin", cause);
            return PIE_ERR_CRASHED;
        }
        finding *lost = &self->window[(taken - 1) % WINDOW];
        if (lost->ordinal != taken - 1) {
            *lost = (finding){.ordinal = taken - 1};
            say(lost, FINDING_UNCHECKED, "could not be checked: the worker crashed (%s)", cause);
        }
        const pie_status started = start_worker(self, i);
        if (started != PIE_OK)
            return started;
    }
    for (size_t i = 0; i < self->n_jobs; i++)
        if (self->workers[i] > 0)
            return PIE_OK;
    return PIE_ERR_AGAIN;
}

/* What the workers found in the row @ordinal. PIE_ERR_CRASHED with self->signal: interrupted. */
static pie_status await(check_command *self, uint64_t ordinal, finding *ret)
{
    const finding *slot = &self->window[ordinal % WINDOW];
    pie_status status = receive(self);
    while (status == PIE_OK && slot->ordinal != ordinal) {
        struct pollfd ready[] = {{.fd = self->pipe[0], .events = POLLIN},
                                 {.fd = self->signals, .events = POLLIN}};
        poll(ready, 2, PROGRESS_TERMINAL_MS);
        struct signalfd_siginfo info;
        if (read(self->signals, &info, sizeof info) == (ssize_t)sizeof info) {
            self->signal = (int)info.ssi_signo;
            return PIE_ERR_CRASHED;
        }
        status = receive(self);
        if (status == PIE_OK)
            status = replace_dead(self);
        if (status == PIE_ERR_AGAIN && slot->ordinal != ordinal) {
            pie_log_error(&pie_log_stderr, "%s: changed while it was being checked", self->path);
            status = PIE_ERR_DATA;
        } else if (status == PIE_ERR_AGAIN) {
            status = PIE_OK;
        }
        show_progress(self);
    }
    if (status == PIE_OK)
        *ret = *slot;
    return status;
}

/* A string of JSON is UTF-8; a message may hold any bytes. */
static json_t *json_of(const char *text)
{
    json_t *value = json_string(text);
    char *plain = value ? NULL : strdup(text);
    if (plain) {
        for (char *c = plain; *c; c++)
            if ((unsigned char)*c >= 0x80)
                *c = '?';
        value = json_string(plain);
    }
    free(plain);
    return value;
}

static pie_status report_json(check_command *self, size_t line, const pie_dataset_row *row,
                              int32_t kind, const char *text)
{
    json_t *item = json_object();
    int failed = json_object_set_new(item, "line", json_integer((json_int_t)line));
    failed |=
        json_object_set_new(item, "problem_id", row ? json_string(row->problem_id) : json_null());
    failed |= json_object_set_new(item, "src_id", row ? json_string(row->src_id) : json_null());
    failed |= json_object_set_new(item, "kind", json_string(finding_kinds[kind].key));
    failed |= json_object_set_new(item, "message", json_of(text));
    failed |= json_array_append_new(self->findings, item);
    return failed ? pie_log_nomem(&pie_log_stderr) : PIE_OK;
}

/* @row is NULL for a malformed one. */
static pie_status report(check_command *self, size_t line, const pie_dataset_row *row, int32_t kind,
                         const char *text)
{
    self->counts[kind]++;
    if (self->json)
        return report_json(self, line, row, kind, text);
    hide_progress(self);
    printf("%s:%zu: ", self->path, line);
    if (row)
        printf("problem %s, source %s: ", row->problem_id, row->src_id);
    printf("%s\n", text);
    return fflush(stdout) == 0 ? PIE_OK : pie_log_errno(&pie_log_stderr, "standard output");
}

static pie_status keep_row(check_command *self, const pie_dataset_row *row)
{
    self->n_usable++;
    if (!self->out)
        return PIE_OK;
    if (fwrite(row->text, 1, row->n_text, self->out) != row->n_text ||
        fputc('\n', self->out) == EOF)
        return pie_log_errno(&pie_log_stderr, self->write_path);
    return PIE_OK;
}

/* The reader names malformed rows through its log. */
static void take_message(void *context, int32_t level, const char *line)
{
    check_command *self = context;
    (void)level;
    snprintf(self->message, sizeof self->message, "%s", line);
}

static pie_status check_row(check_command *self, const pie_dataset_row *row)
{
    finding found = {0};
    pie_status status = check_files(self, row, &found);
    if (status == PIE_OK && found.kind == FINDING_NONE && self->compile)
        status = await(self, row->ordinal, &found);
    if (status != PIE_OK)
        return status;
    self->n_rows++;
    if (self->board)
        atomic_store(&self->board->printed, self->n_rows);
    return found.kind == FINDING_NONE ? keep_row(self, row)
                                      : report(self, row->line, row, found.kind, found.text);
}

static pie_status check_rows(check_command *self)
{
    const pie_log log = {take_message, self, PIE_LOG_ERROR};
    pie_dataset *dataset = NULL;
    const pie_dataset_row *row = NULL;
    pie_status status = pie_dataset_open(self->path, &log, &dataset);
    while (status == PIE_OK && (self->limit < 0 || self->n_rows < (size_t)self->limit)) {
        status = pie_dataset_next(dataset, &row);
        self->line = pie_dataset_line(dataset);
        if (status == PIE_ERR_DATA) {
            char place[4096]; /* that the reader puts in front */
            const int n = snprintf(place, sizeof place, "%s:%zu: ", self->path, self->line);
            const bool has_place = strncmp(self->message, place, (size_t)n) == 0;
            status = report(self, self->line, NULL, FINDING_MALFORMED,
                            self->message + (has_place ? n : 0));
        } else if (status == PIE_OK) {
            status = check_row(self, row);
        } else if (status != PIE_ERR_AGAIN) {
            pie_log_error(&pie_log_stderr, "%s", self->message);
        } else {
            status = PIE_OK;
            break;
        }
        show_progress(self);
    }
    if (!dataset)
        pie_log_error(&pie_log_stderr, "%s", self->message);
    pie_dataset_close(dataset);
    hide_progress(self);
    return status;
}

/* ---- the file that --write makes ------------------------------------------------------------- */

static pie_status open_out(check_command *self)
{
    struct stat in, out;
    if (stat(self->path, &in) == 0 && stat(self->write_path, &out) == 0 &&
        in.st_dev == out.st_dev && in.st_ino == out.st_ino) {
        pie_log_error(&pie_log_stderr,
                      "%s: --write would replace the dataset itself; name another file",
                      self->write_path);
        return PIE_ERR_CONFIG;
    }
    self->out_temporary = pie_strf("%s.XXXXXX", self->write_path);
    if (!self->out_temporary)
        return pie_log_nomem(&pie_log_stderr);
    const int fd = mkostemp(self->out_temporary, O_CLOEXEC);
    if (fd < 0) {
        const pie_status status = pie_log_errno(&pie_log_stderr, self->write_path);
        free(self->out_temporary);
        self->out_temporary = NULL;
        return status;
    }
    self->out = fdopen(fd, "w");
    if (self->out)
        return PIE_OK;
    close(fd);
    return pie_log_nomem(&pie_log_stderr);
}

/* Puts the file in place when all went well; else removes it. */
static pie_status close_out(check_command *self, pie_status status)
{
    if (self->out) {
        bool written = fflush(self->out) == 0 && fchmod(fileno(self->out), 0644) == 0;
        written = fclose(self->out) == 0 && written;
        if (status == PIE_OK && (!written || rename(self->out_temporary, self->write_path) != 0))
            status = pie_log_errno(&pie_log_stderr, self->write_path);
    }
    if (self->out_temporary && (status != PIE_OK || !self->out))
        unlink(self->out_temporary);
    free(self->out_temporary);
    return status;
}

/* ---- the command ----------------------------------------------------------------------------- */

static int print_summary(check_command *self)
{
    const size_t n_rows = self->n_rows + self->counts[FINDING_MALFORMED];
    if (self->json) {
        json_t *counts = json_object();
        for (int32_t i = FINDING_NONE + 1; i < N_FINDINGS; i++)
            json_object_set_new(counts, finding_kinds[i].key,
                                json_integer((json_int_t)self->counts[i]));
        return pie_cli_print_json(json_pack(
            "{s:s,s:I,s:I,s:b,s:o,s:O,s:s?}", "file", self->path, "rows", (json_int_t)n_rows,
            "usable", (json_int_t)self->n_usable, "compiled", self->compile, "counts", counts,
            "findings", self->findings, "written", self->write_path));
    }
    pie_buf text = {0};
    pie_buf_printf(&text, "%s: %zu rows, %zu usable", self->path, n_rows, self->n_usable);
    for (int32_t i = FINDING_NONE + 1; i < N_FINDINGS; i++)
        if (self->counts[i])
            pie_buf_printf(&text, ", %zu %s", self->counts[i], finding_kinds[i].summary);
    if (!self->compile)
        pie_buf_puts(&text, "; nothing was compiled");
    if (self->write_path)
        pie_buf_printf(&text, "; usable rows written to %s", self->write_path);
    pie_buf_puts(&text, "\n");
    const int code = pie_cli_print(pie_buf_text(&text));
    pie_buf_free(&text);
    return code;
}

static int exit_of(const check_command *self)
{
    int code = self->n_usable == self->n_rows && self->counts[FINDING_MALFORMED] == 0
                   ? PIE_EXIT_DONE
                   : PIE_EXIT_FAILED;
    if (self->counts[FINDING_UNCHECKED])
        code = pie_exit_worse(code, PIE_EXIT_INCOMPLETE);
    return code;
}

/* Config and tests folder. The config is needed only for what it says. */
static pie_status prepare(check_command *self, const pie_registry *registry)
{
    if (self->compile || self->config_path) {
        const pie_config_source source = {.path = self->config_path};
        const pie_status status =
            pie_config_load(&source, registry, &pie_log_stderr, &self->config);
        if (status != PIE_OK)
            return status;
        const pie_settings *dataset = pie_config_group(self->config, "dataset");
        if (!self->tests)
            self->tests = pie_settings_string(dataset, "tests");
        if (self->n_jobs == 0)
            self->n_jobs = (size_t)pie_settings_int(pie_config_group(self->config, "run"), "jobs");
        if (self->compile && strcmp(pie_settings_string(dataset, "check"), "program") == 0)
            pie_log_warning(&pie_log_stderr,
                            "check = \"program\": programs are run, their output is not judged");
    }
    if (!self->tests || !*self->tests) {
        pie_log_error(&pie_log_stderr, "no folder of tests; name it with --tests DIR");
        return PIE_ERR_CONFIG;
    }
    struct stat info;
    if (stat(self->tests, &info) != 0)
        return pie_log_errno(&pie_log_stderr, self->tests);
    const long n_processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (self->n_jobs == 0)
        self->n_jobs = n_processors > 0 ? (size_t)n_processors : 1;
    return PIE_OK;
}

static int run_check(check_command *self)
{
    pie_registry *registry = NULL;
    int code;
    clock_gettime(CLOCK_MONOTONIC, &self->start);
    self->is_terminal = isatty(STDERR_FILENO) == 1;
    self->pipe[0] = self->pipe[1] = self->signals = -1;
    sigprocmask(SIG_BLOCK, NULL, &self->old_mask);
    self->findings = json_array();
    pie_status status = self->findings ? PIE_OK : pie_log_nomem(&pie_log_stderr);
    if (status == PIE_OK && (self->compile || self->config_path))
        status = pie_cli_registry(&pie_log_stderr, &registry);
    if (status == PIE_OK)
        status = prepare(self, registry);
    if (status == PIE_OK && self->write_path)
        status = open_out(self);
    if (status == PIE_OK && self->compile)
        status = start_workers(self);
    if (status == PIE_OK)
        status = check_rows(self);
    stop_workers(self);
    status = close_out(self, status);
    code = status == PIE_OK ? print_summary(self) : pie_exit_of(status);
    if (status == PIE_OK)
        code = pie_exit_worse(code, exit_of(self));
    if (self->signal)
        code = 128 + self->signal;

    sigprocmask(SIG_SETMASK, &self->old_mask, NULL);
    for (size_t i = 0; i < 2; i++)
        if (self->pipe[i] >= 0)
            close(self->pipe[i]);
    if (self->signals >= 0)
        close(self->signals);
    if (self->board)
        munmap(self->board, self->board_bytes);
    free(self->workers);
    free(self->window);
    free(self->scratch);
    json_decref(self->findings);
    pie_config_free(self->config);
    pie_registry_free(registry);
    return code;
}

/* A whole number from @min to @max; -1: it is none. */
static int64_t parse_count(const char *text, int64_t min, int64_t max)
{
    char *end = NULL;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    return errno || end == text || *end || value < min || value > max ? -1 : value;
}

static int check_main(int argc, char **argv)
{
    enum { TESTS = 256, CONFIG, NO_COMPILE, JOBS, LIMIT, WRITE, JSON };
    static const struct option options[] = {{"tests", required_argument, NULL, TESTS},
                                            {"config", required_argument, NULL, CONFIG},
                                            {"no-compile", no_argument, NULL, NO_COMPILE},
                                            {"jobs", required_argument, NULL, JOBS},
                                            {"limit", required_argument, NULL, LIMIT},
                                            {"write", required_argument, NULL, WRITE},
                                            {"json", no_argument, NULL, JSON},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    check_command self = {.compile = true, .limit = -1};
    optind = 1;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        int64_t count;
        switch (option) {
        case TESTS:
            self.tests = optarg;
            break;
        case CONFIG:
            self.config_path = optarg;
            break;
        case NO_COMPILE:
            self.compile = false;
            break;
        case JOBS:
            count = parse_count(optarg, 1, MAX_JOBS);
            if (count < 0)
                return pie_cli_usage("dataset", "--jobs: '%s' is no number from 1 to %d", optarg,
                                     MAX_JOBS);
            self.n_jobs = (size_t)count;
            break;
        case LIMIT:
            self.limit = parse_count(optarg, 0, INT64_MAX);
            if (self.limit < 0)
                return pie_cli_usage("dataset", "--limit: '%s' is no number of rows", optarg);
            break;
        case WRITE:
            self.write_path = optarg;
            break;
        case JSON:
            self.json = true;
            break;
        case 'h':
            return pie_cli_print(help);
        default:
            return PIE_EXIT_USER; /* getopt has named it */
        }
    }
    if (optind + 1 != argc)
        return pie_cli_usage("dataset",
                             optind < argc ? "check takes one file, not also '%s'"
                                           : "check which file?%s",
                             optind < argc ? argv[optind + 1] : "");
    self.path = argv[optind];
    return run_check(&self);
}

int pie_cli_dataset(int argc, char **argv)
{
    if (argc < 2)
        return pie_cli_usage("dataset", "what is to be done? `check` exists");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return pie_cli_print(help);
    if (strcmp(argv[1], "check") == 0)
        return check_main(argc - 1, argv + 1);
    return pie_cli_usage("dataset", "no subcommand '%s'; `check` exists", argv[1]);
}
