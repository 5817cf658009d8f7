/* build.c - see build.h.
 *
 * The same source gives the same bytes in any folder: the compiler runs in the folder of the
 * source, under fixed names, with a fixed environment. Its messages are the same too, since they
 * always come from a compilation without anything prepared: what was prepared is only used when the
 * result is a program and silence. */
#include "pipeline/build.h"

#include "base/file.h"
#include "pie/compiler.h"
#include "pie/verdict.h"
#include "pipeline/elf.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_MESSAGES = 64 * 1024,
    MAX_OUTPUT = 16 << 20, /* of a compiler, before we end it */
    MAX_HEADER = 128,
    MAX_PREPARED = 32, /* headers that one builder keeps an eye on */
    PREPARE_AFTER = 3, /* sources: preparing costs about as much as two compilations */
    OPEN_FILES = 256,
    MAX_READ_ONLY = 64
};

/* A header that sources include first. */
typedef struct prepared {
    const char *language;
    char header[MAX_HEADER];
    unsigned uses;
    bool is_useless; /* nothing to prepare, or it failed */
    char *folder;    /* once it is there */
} prepared;

struct pie_builder {
    const pie_plugin *plugin;
    const pie_compiler_ops *ops;
    pie_host *host;
    void *compiler;
    pie_build_limits limits;
    char *scratch; /* absolute */
    char *version;
    prepared headers[MAX_PREPARED];
    size_t n_headers;
};

/* One process of a compiler and what became of it. */
typedef struct step_run {
    int32_t verdict;
    const char *reason; /* static; NULL: look at the messages */
    pie_buf out, err;
} step_run;

/* ---- one step ------------------------------------------------------------------------------- */

static bool is_below(const char *path, const char *folder)
{
    const size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static char *folder_of(const char *path, const char *otherwise)
{
    const char *slash = strrchr(path, '/');
    return slash && slash > path ? strndup(path, (size_t)(slash - path)) : strdup(otherwise);
}

/* Where a compiler outside the system's folders has its parts: PREFIX of PREFIX/bin/PROGRAM. */
static pie_status prefix_of(const char *program, char **ret_prefix)
{
    static const char *const system_folders[] = {"/usr", "/bin", "/lib", "/lib64"};
    char *real = realpath(program, NULL);
    if (!real)
        return errno == ENOMEM ? PIE_ERR_NOMEM : PIE_OK;
    for (size_t i = 0; i < sizeof system_folders / sizeof *system_folders; i++) {
        if (is_below(real, system_folders[i])) {
            free(real);
            return PIE_OK;
        }
    }
    char *bin = folder_of(real, "/");
    *ret_prefix = bin ? folder_of(bin, bin) : NULL;
    free(bin);
    free(real);
    return *ret_prefix ? PIE_OK : PIE_ERR_NOMEM;
}

static const char *text_of_limit(int32_t limit)
{
    switch (limit) {
    case PIE_SANDBOX_HIT_CPU:
    case PIE_SANDBOX_HIT_WALL:
        return "the compiler reached its time limit";
    case PIE_SANDBOX_HIT_OUTPUT:
        return "the compiler printed more than its limit";
    case PIE_SANDBOX_HIT_FILE:
        return "the compiler reached the limit of a file's size";
    default:
        return "the compiler reached its limit of processes";
    }
}

/* A driver that catches the fatal signal of its own compiler exits as a shell would. */
static int signal_of(const pie_sandbox_result *result)
{
    if (result->exited)
        return result->exit_status > 128 && result->exit_status < 128 + 64
                   ? result->exit_status - 128
                   : 0;
    return result->signal;
}

static void judge(const pie_sandbox_result *result, double limit_s, step_run *run)
{
    int signal = signal_of(result);
    /* A compiler that catches SIGXCPU fails in other ways while it draws up its report. */
    const bool is_good = result->exited && result->exit_status == 0;
    if (!is_good && limit_s > 0 && result->cpu_s >= limit_s)
        signal = SIGXCPU;
    if (result->limit == PIE_SANDBOX_HIT_SECCOMP) {
        run->verdict = PIE_VERDICT_COMPILE_ERROR;
        run->reason = "the compiler made a forbidden system call";
    } else if (result->limit != PIE_SANDBOX_NO_LIMIT || signal == SIGXCPU || signal == SIGXFSZ) {
        run->verdict = PIE_VERDICT_COMPILE_LIMIT;
        run->reason = text_of_limit(signal == SIGXCPU   ? PIE_SANDBOX_HIT_CPU
                                    : signal == SIGXFSZ ? PIE_SANDBOX_HIT_FILE
                                                        : result->limit);
    } else if (signal == 0) {
        run->verdict = result->exit_status == 0 ? PIE_VERDICT_PASSED : PIE_VERDICT_COMPILE_ERROR;
    } else if (!result->exited && (signal == SIGKILL || signal == SIGTERM)) {
        run->verdict = PIE_VERDICT_INFRA_ERROR; /* none of our limits: somebody else's hand */
        run->reason = "the compiler was killed from outside";
    } else {
        run->verdict = PIE_VERDICT_COMPILE_LIMIT;
        run->reason = "the compiler crashed";
    }
}

/* PIE_ERR_UNAVAILABLE: no such program, not logged. */
static pie_status run_step(const pie_builder *builder, const pie_compile_step *step,
                           const char *work, const char *const *read_only_dirs,
                           const char *prepared_dir, const pie_log *log, step_run *ret_run)
{
    pie_status status = PIE_ERR_UNAVAILABLE;
    const char *read_only[MAX_READ_ONLY + 3];
    const char **argv = NULL;
    char *prefix = NULL, *bin = NULL, *path = NULL;
    size_t n_argv = 0, n_dirs = 0;
    pie_sandbox_result result = {0};

    while (step->argv[n_argv])
        n_argv++;
    char *program = n_argv ? pie_path_find_program(step->argv[0]) : NULL;
    if (!program)
        goto cleanup;
    status = PIE_ERR_NOMEM;
    argv = calloc(n_argv + 1, sizeof *argv);
    bin = folder_of(program, "/");
    path = bin ? pie_strf("PATH=%s:/usr/local/bin:/usr/bin:/bin", bin) : NULL;
    if (!argv || !path || prefix_of(program, &prefix) != PIE_OK)
        goto cleanup;
    memcpy(argv, step->argv, n_argv * sizeof *argv);
    argv[0] = program;
    for (; read_only_dirs && *read_only_dirs && n_dirs < MAX_READ_ONLY; read_only_dirs++)
        read_only[n_dirs++] = *read_only_dirs;
    if (prepared_dir)
        read_only[n_dirs++] = prepared_dir;
    if (prefix)
        read_only[n_dirs++] = prefix;
    read_only[n_dirs] = NULL;

    /* PWD stands in debug information, which must not know the folder; the rest fixes language,
     * dates and time zone. */
    const char *const environment[] = {
        path, "PWD=/proc/self/cwd", "TMPDIR=.", "LC_ALL=C", "SOURCE_DATE_EPOCH=0", "TZ=UTC0", NULL};
    const pie_sandbox_spec spec = {
        .policy = PIE_SANDBOX_TOOL,
        .argv = argv,
        .envp = environment,
        .work_dir = work,
        .read_only_dirs = read_only,
        .capture = true,
        /* Processor time gives the verdict; the wall clock, which a busy machine moves, only ends
         * what sleeps. */
        .limits = {.memory_bytes = builder->limits.memory_bytes,
                   .file_bytes = builder->limits.output_bytes,
                   .output_bytes = MAX_OUTPUT,
                   .processes = builder->limits.processes,
                   .open_files = OPEN_FILES,
                   .cpu_s = builder->limits.seconds,
                   .wall_s = builder->limits.seconds > 0 ? 4 * builder->limits.seconds + 10 : 0}};
    status = pie_sandbox_run(&spec, log, &result);
    if (status == PIE_ERR_UNAVAILABLE)
        status = PIE_ERR_IO; /* it was there; the sandbox has said what is wrong */
    if (status != PIE_OK)
        goto cleanup;
    *ret_run = (step_run){.out = result.out, .err = result.err};
    judge(&result, builder->limits.seconds, ret_run);
cleanup:
    free(program);
    free(argv);
    free(prefix);
    free(bin);
    free(path);
    return status;
}

static void step_run_free(step_run *run)
{
    pie_buf_free(&run->out);
    pie_buf_free(&run->err);
}

static char *make_work_folder(const pie_builder *builder, const char *kind, const pie_log *log)
{
    char *folder = pie_strf("%s/%s-XXXXXX", builder->scratch, kind);
    if (!folder) {
        pie_log_nomem(log);
        return NULL;
    }
    if (!mkdtemp(folder)) {
        pie_log_errno(log, folder);
        free(folder);
        return NULL;
    }
    return folder;
}

/* Write @source as FOLDER/NAME, with a fixed time, which __TIMESTAMP__ prints. */
static pie_status put_source(const char *folder, const char *name, const char *source, size_t n,
                             const pie_log *log)
{
    static const struct timespec times[2] = {{.tv_sec = 0}, {.tv_sec = 0}};
    char *path = pie_path_join(folder, name);
    if (!path)
        return pie_log_nomem(log);
    pie_status status = PIE_OK;
    const int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0 || pie_write_all(fd, source, n) != PIE_OK || futimens(fd, times) != 0)
        status = pie_log_errno(log, path);
    if (fd >= 0)
        close(fd);
    free(path);
    return status;
}

/* Are all of @names, relative to @folder, regular files? */
static bool all_there(const char *folder, const char *const *names)
{
    bool there = true;
    for (; there && names && *names; names++) {
        struct stat info;
        char *path = pie_path_join(folder, *names);
        there = path && lstat(path, &info) == 0 && S_ISREG(info.st_mode);
        free(path);
    }
    return there;
}

/* ---- who the compiler is -------------------------------------------------------------------- */

/* One line of identify()'s output, as it stands in the version. */
static pie_status add_version_line(pie_buf *version, const char *program, const char *line,
                                   const pie_log *log)
{
    struct stat info;
    const char *separator = version->n ? "; " : "";
    if (!line || !*line)
        return pie_buf_printf(version, "%s%s: absent", separator, program);
    if (line[0] != '/')
        return pie_buf_printf(version, "%s%s", separator, line);
    const char *name = strrchr(line, '/') + 1;
    const int fd = open(line, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    pie_digest digest;
    char hex[PIE_DIGEST_HEX];
    pie_status status = PIE_OK;
    if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) ||
        pie_digest_fd(fd, &digest) != PIE_OK)
        status = pie_log_errno(log, line);
    if (fd >= 0)
        close(fd);
    if (status != PIE_OK)
        return status;
    pie_digest_hex(&digest, hex);
    return pie_buf_printf(version, "%s%s %.16s", separator, name, hex);
}

static pie_status identify_step(pie_builder *builder, const pie_compile_plan *plan, size_t i,
                                const char *work, const pie_log *log, pie_buf *version)
{
    const pie_compile_step *step = &plan->steps[i];
    const char *program = step->argv[0] ? step->argv[0] : "compiler";
    step_run run = {0};
    pie_status status = run_step(builder, step, work, plan->read_only_dirs, NULL, log, &run);
    if (status == PIE_ERR_UNAVAILABLE && i > 0)
        return add_version_line(version, program, NULL, log);
    if (status == PIE_ERR_UNAVAILABLE)
        pie_log_error(log, "compiler %s: %s is not on PATH; install it or set compiler.program_cxx",
                      builder->plugin->id, program);
    if (status != PIE_OK)
        return status;
    if (run.out.data)
        run.out.data[strcspn(run.out.data, "\n")] = '\0';
    if (run.verdict != PIE_VERDICT_PASSED && i == 0) {
        pie_log_error(log, "compiler %s: %s does not work: %s", builder->plugin->id, program,
                      run.reason ? run.reason : pie_buf_text(&run.err));
        status = PIE_ERR_UNAVAILABLE;
    } else {
        status = add_version_line(version, program,
                                  run.verdict == PIE_VERDICT_PASSED ? run.out.data : NULL, log);
    }
    step_run_free(&run);
    return status;
}

static pie_status identify(pie_builder *builder, const pie_log *log)
{
    pie_compile_plan plan = {0};
    pie_buf version = {0};
    pie_status status = builder->ops->identify(builder->compiler, &plan);
    if (status != PIE_OK)
        return status;
    for (const char *const *at = plan.read_only_dirs; at && *at; at++) {
        struct stat info;
        if (stat(*at, &info) != 0 || !S_ISDIR(info.st_mode)) {
            pie_log_error(log, "compiler %s: %s: no such folder", builder->plugin->id, *at);
            return PIE_ERR_CONFIG;
        }
        if (at - plan.read_only_dirs >= MAX_READ_ONLY) {
            pie_log_error(log, "compiler %s: more than %d folders", builder->plugin->id,
                          MAX_READ_ONLY);
            return PIE_ERR_CONFIG;
        }
    }
    char *work = make_work_folder(builder, "work", log);
    if (!work)
        return PIE_ERR_IO;
    for (size_t i = 0; status == PIE_OK && i < plan.n_steps; i++)
        status = identify_step(builder, &plan, i, work, log, &version);
    pie_folder_remove(work, log);
    free(work);
    if (status == PIE_OK && !(builder->version = pie_buf_steal(&version)))
        status = pie_log_nomem(log);
    pie_buf_free(&version);
    return status;
}

pie_status pie_builder_new(const pie_choice *compiler, const pie_build_limits *limits,
                           const char *scratch, const pie_log *log, pie_builder **ret_builder)
{
    pie_builder *builder = calloc(1, sizeof *builder);
    if (!builder)
        return pie_log_nomem(log);
    builder->limits = *limits;
    pie_status status = pie_folder_make(scratch, log);
    if (status == PIE_OK && (!(builder->scratch = realpath(scratch, NULL)) ||
                             access(builder->scratch, W_OK | X_OK) != 0))
        status = pie_log_errno(log, scratch);
    if (status == PIE_OK)
        status = pie_plugin_open(compiler->info, log, &builder->plugin);
    if (status != PIE_OK)
        goto cleanup;
    builder->ops = builder->plugin->ops;
    if (builder->ops->product != PIE_PRODUCT_ELF) {
        pie_log_error(log, "compiler %s makes no ELF programs", builder->plugin->id);
        status = PIE_ERR_UNAVAILABLE;
        goto cleanup;
    }
    status = pie_host_new(compiler->settings, compiler->info->short_name, log, &builder->host);
    if (status == PIE_OK)
        status = builder->ops->create(builder->host, &builder->compiler);
    if (status == PIE_OK)
        status = identify(builder, log);
    if (status == PIE_OK) {
        *ret_builder = builder;
        builder = NULL;
    }
cleanup:
    pie_builder_free(builder);
    return status;
}

void pie_builder_free(pie_builder *builder)
{
    if (!builder)
        return;
    if (builder->compiler)
        builder->ops->destroy(builder->compiler);
    pie_host_free(builder->host);
    for (size_t i = 0; i < builder->n_headers; i++)
        free(builder->headers[i].folder);
    free(builder->scratch);
    free(builder->version);
    free(builder);
}

const char *pie_builder_version(const pie_builder *builder)
{
    return builder->version;
}

/* ---- what can be prepared ------------------------------------------------------------------- */

/* Behind blanks and comments; NULL: a comment that may end elsewhere than it seems. */
static const char *skip_comments(const char *at, const char *end)
{
    const char *const start = at;
    for (;;) {
        while (at < end && *at && strchr(" \t\r\n\f\v", *at))
            at++;
        if (end - at < 2 || at[0] != '/' || (at[1] != '/' && at[1] != '*'))
            break;
        const char *close = at[1] == '/' ? memchr(at, '\n', (size_t)(end - at))
                                         : memmem(at + 2, (size_t)(end - at - 2), "*/", 2);
        if (!close)
            return NULL;
        at = close + (at[1] == '/' ? 1 : 2);
    }
    const size_t n = (size_t)(at - start); /* lines may be joined by backslash or trigraph */
    return memchr(start, '\\', n) || memmem(start, n, "?\?/", 3) ? NULL : at;
}

/* The header of an #include that stands before anything but blanks and comments: then nothing in
 * the source can change what the header means. False: the source begins otherwise. */
static bool first_include(const char *source, size_t n, char ret_header[MAX_HEADER])
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-./";
    const char *const end = source + n;
    const char *at = skip_comments(source, end);
    if (!at || at == end)
        return false;
    if (*at++ != '#')
        return false;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    if (end - at < 8 || memcmp(at, "include", 7) != 0)
        return false;
    at += 7;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    if (at == end || (*at != '<' && *at != '"'))
        return false;
    const char *close = memchr(at + 1, *at == '<' ? '>' : '"', (size_t)(end - at - 1));
    const size_t length = close ? (size_t)(close - at - 1) : 0;
    if (length == 0 || length >= MAX_HEADER)
        return false;
    memcpy(ret_header, at + 1, length);
    ret_header[length] = '\0';
    return strspn(ret_header, allowed) == length && ret_header[0] != '/' && ret_header[0] != '-' &&
           !strstr(ret_header, "..");
}

/* Folder name by all that decides the content. */
static char *prepared_path(const pie_builder *builder, const pie_compile_plan *plan,
                           const char *language, const char *header)
{
    pie_hasher *hasher = NULL;
    pie_digest digest;
    char hex[PIE_DIGEST_HEX];
    if (pie_hasher_new(&hasher) != PIE_OK)
        return NULL;
    pie_hasher_text(hasher, builder->plugin->id);
    pie_hasher_text(hasher, builder->plugin->version);
    pie_hasher_text(hasher, builder->version);
    pie_hasher_text(hasher, language);
    pie_hasher_text(hasher, header);
    for (size_t i = 0; i < plan->n_steps; i++) {
        for (const char *const *at = plan->steps[i].argv; *at; at++)
            pie_hasher_text(hasher, *at);
        pie_hasher_text(hasher, NULL);
    }
    const pie_status status = pie_hasher_finish(hasher, &digest);
    pie_hasher_free(hasher);
    if (status != PIE_OK)
        return NULL;
    pie_digest_hex(&digest, hex);
    return pie_strf("%s/prepared-%.16s", builder->scratch, hex);
}

/* Run the steps in a folder of their own, then give it its name. PIE_ERR_AGAIN: somebody else is at
 * it. */
static pie_status prepare_folder(const pie_builder *builder, const pie_compile_plan *plan,
                                 const char *language, const char *folder)
{
    pie_status status = PIE_ERR_IO;
    char *work = NULL, *lock_path = pie_strf("%s.lock", folder);
    const int lock = lock_path ? open(lock_path, O_CREAT | O_RDWR | O_CLOEXEC, 0600) : -1;
    if (lock < 0)
        goto cleanup;
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        status = PIE_ERR_AGAIN;
        goto cleanup;
    }
    if (access(folder, F_OK) == 0) { /* done meanwhile */
        status = PIE_OK;
        goto cleanup;
    }
    work = make_work_folder(builder, "prepare", &pie_log_none);
    if (!work)
        goto cleanup;
    const char *source = strcmp(language, "c") == 0 ? "program.c" : "program.cpp";
    status = put_source(work, source, "", 0, &pie_log_none);
    for (size_t i = 0; status == PIE_OK && i < plan->n_steps; i++) {
        step_run run = {0};
        status = run_step(builder, &plan->steps[i], work, plan->read_only_dirs, NULL, &pie_log_none,
                          &run);
        if (status == PIE_OK && (run.verdict != PIE_VERDICT_PASSED || run.out.n || run.err.n ||
                                 !all_there(work, plan->steps[i].writes)))
            status = PIE_ERR_DATA;
        step_run_free(&run);
    }
    if (status == PIE_OK && rename(work, folder) != 0)
        status = PIE_ERR_IO;
    if (status != PIE_OK)
        pie_folder_remove(work, &pie_log_none);
cleanup:
    if (lock >= 0)
        close(lock);
    free(work);
    free(lock_path);
    return status;
}

static prepared *entry_of(pie_builder *builder, const char *language, const char *header)
{
    for (size_t i = 0; i < builder->n_headers; i++) {
        if (strcmp(builder->headers[i].header, header) == 0 &&
            strcmp(builder->headers[i].language, language) == 0)
            return &builder->headers[i];
    }
    if (builder->n_headers == MAX_PREPARED)
        return NULL;
    prepared *entry = &builder->headers[builder->n_headers++];
    entry->language = strcmp(language, "c") == 0 ? "c" : "c++";
    memcpy(entry->header, header, strlen(header) + 1); /* shorter than MAX_HEADER */
    return entry;
}

/* Folder to use for this source, NULL = none. Never an error: it is a matter of speed. Nothing is
 * prepared for the first few sources, and while another worker prepares we go on without. */
static const char *prepared_for(pie_builder *builder, const char *source, size_t n,
                                const char *language)
{
    char header[MAX_HEADER];
    pie_compile_plan plan = {0};
    if (!builder->ops->prepare || !first_include(source, n, header))
        return NULL;
    prepared *entry = entry_of(builder, language, header);
    if (!entry || entry->is_useless)
        return NULL;
    if (entry->folder)
        return entry->folder;
    entry->uses++;
    if (builder->ops->prepare(builder->compiler, language, header, &plan) != PIE_OK ||
        plan.n_steps == 0) {
        entry->is_useless = true;
        return NULL;
    }
    char *folder = prepared_path(builder, &plan, language, header);
    if (!folder)
        return NULL;
    pie_status status = access(folder, F_OK) == 0 ? PIE_OK : PIE_ERR_AGAIN;
    if (status == PIE_ERR_AGAIN && entry->uses >= PREPARE_AFTER)
        status = prepare_folder(builder, &plan, language, folder);
    if (status == PIE_OK) {
        entry->folder = folder;
        return folder;
    }
    entry->is_useless = status != PIE_ERR_AGAIN;
    free(folder);
    return NULL;
}

/* ---- compiling ------------------------------------------------------------------------------ */

/* Does this line of a driver, assembler or linker tell that a limit was reached? */
static const char *limit_in_line(const char *line, size_t n)
{
    static const struct {
        const char *text, *reason;
    } signs[] = {
        {"CPU time limit exceeded", "the compiler reached its time limit"},
        {"File size limit exceeded", "the compiler reached the limit of a file's size"},
        {"File too large", "the compiler reached the limit of a file's size"},
        {"out of memory", "the compiler reached its memory limit"},
        {"virtual memory exhausted", "the compiler reached its memory limit"},
        {"memory exhausted", "the compiler reached its memory limit"},
        {"annot allocate memory", "the compiler reached its memory limit"},
        {"bad_alloc", "the compiler reached its memory limit"},
        {"signal terminated program", "the compiler crashed"},
        {"internal compiler error", "the compiler crashed"},
        {"ommand failed due to signal", "the compiler crashed"},
        {"unable to execute command", "the compiler crashed"},
        {"PLEASE submit a bug report", "the compiler crashed"},
        {"Resource temporarily unavailable", "the compiler reached its limit of processes"},
    };
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        if (memmem(line, n, signs[i].text, strlen(signs[i].text)))
            return signs[i].reason;
    }
    return NULL;
}

/* Lines about the source begin with its name or with blanks and quote it: they prove nothing, but
 * for the compiler's own crash. */
static const char *limit_in_messages(const pie_buf *messages, const char *source)
{
    const size_t n_source = strlen(source);
    const char *crash = NULL;
    for (const char *at = pie_buf_text(messages); *at;) {
        const size_t n = strcspn(at, "\n");
        const bool of_source = *at == ' ' || *at == '\t' || strncmp(at, source, n_source) == 0;
        if (!of_source) {
            const char *reason = limit_in_line(at, n);
            if (reason && !strstr(reason, "crashed"))
                return reason;
            crash = crash ? crash : reason;
        } else if (memmem(at, n, ": internal compiler error: ", 27)) {
            crash = "the compiler crashed";
        }
        at += n + (at[n] == '\n');
    }
    return crash;
}

/* Does a line tell of this machine instead of the source? Elsewhere the program may well compile.
 * Where there is a line number, it is the source that speaks. */
static const char *machine_in_messages(const pie_buf *messages)
{
    static const char full[] = "No space left on device";
    const size_t n_full = sizeof full - 1;
    for (const char *at = pie_buf_text(messages); *at;) {
        const size_t n = strcspn(at, "\n");
        bool numbered = false;
        for (size_t i = 0; i + 1 < n; i++)
            numbered |= at[i] == ':' && at[i + 1] >= '0' && at[i + 1] <= '9';
        if (!numbered && n >= n_full && memcmp(at + n - n_full, full, n_full) == 0)
            return "there is no space left for the compiler's files";
        if (!numbered && (memmem(at, n, "Killed signal terminated program", 32) ||
                          memmem(at, n, "unable to execute command: Killed", 33)))
            return "the compiler was killed from outside";
        at += n + (at[n] == '\n');
    }
    return NULL;
}

/* The first line that says "error", else the first line. */
static void first_error(const pie_buf *messages, char *ret_reason, size_t size)
{
    const char *best = NULL;
    size_t n_best = 0;
    for (const char *at = pie_buf_text(messages); *at;) {
        const size_t n = strcspn(at, "\n");
        const bool is_error = memmem(at, n, "error:", 6) || memmem(at, n, "Error:", 6) ||
                              memmem(at, n, "undefined reference", 19);
        if (n && (!best || is_error)) {
            best = at;
            n_best = n;
        }
        if (is_error)
            break;
        at += n + (at[n] == '\n');
    }
    if (best)
        snprintf(ret_reason, size, "%.*s", (int)(n_best < size ? n_best : size), best);
    else
        snprintf(ret_reason, size, "the compiler failed without a word");
}

static pie_status add_messages(const step_run *run, const char *work, pie_buf *messages)
{
    const pie_buf *const parts[] = {&run->out, &run->err};
    const size_t n_work = strlen(work);
    for (size_t i = 0; i < 2; i++) {
        /* The work folder's name is chance; nearly nothing prints it. */
        const char *at = pie_buf_text(parts[i]), *const end = at + parts[i]->n;
        while (at < end) {
            const char *hit = memmem(at, (size_t)(end - at), work, n_work);
            if (pie_buf_add(messages, at, (size_t)((hit ? hit : end) - at)) != PIE_OK)
                return PIE_ERR_NOMEM;
            if (!hit)
                break;
            at = hit + n_work + (hit + n_work < end && hit[n_work] == '/');
        }
    }
    return PIE_OK;
}

/* Cut at the end of a line. */
static void shorten_messages(pie_buf *messages)
{
    if (messages->n <= MAX_MESSAGES)
        return;
    messages->n = MAX_MESSAGES;
    while (messages->n > 0 && messages->data[messages->n - 1] != '\n')
        messages->n--;
    if (messages->n == 0)
        messages->n = MAX_MESSAGES;
    messages->data[messages->n] = '\0';
}

static void end_with(pie_build *build, int32_t verdict, const char *reason)
{
    build->verdict = verdict;
    snprintf(build->reason, sizeof build->reason, "%s", reason);
    /* Where a limit strikes is chance, and so is what was printed before. */
    if (verdict == PIE_VERDICT_COMPILE_LIMIT || verdict == PIE_VERDICT_INFRA_ERROR)
        pie_buf_clear(&build->messages);
}

/* Take the product over. */
static pie_status keep_product(const pie_builder *builder, const char *work, const char *product,
                               const pie_log *log, pie_build *build)
{
    pie_buf bytes = {0};
    pie_elf elf;
    struct stat info;
    const char *reason = NULL;
    const uint64_t max = builder->limits.output_bytes ? builder->limits.output_bytes : UINT64_MAX;
    pie_status status = PIE_OK;
    char *path = pie_path_join(work, product);
    if (!path)
        return pie_log_nomem(log);
    const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        end_with(build, PIE_VERDICT_COMPILE_ERROR, "the compiler made no program");
    } else if ((uint64_t)info.st_size > max) {
        end_with(build, PIE_VERDICT_COMPILE_LIMIT, text_of_limit(PIE_SANDBOX_HIT_FILE));
    } else if ((status = pie_file_read_fd(fd, product, (size_t)info.st_size, log, &bytes)) ==
               PIE_OK) {
        if (pie_elf_read(bytes.data, bytes.n, &elf, &reason) != PIE_OK) {
            char text[sizeof build->reason];
            snprintf(text, sizeof text, "the product cannot run: %s", reason);
            end_with(build, PIE_VERDICT_COMPILE_ERROR, text);
        } else if ((status = pie_digest_bytes(bytes.data, bytes.n, &build->elf)) == PIE_OK) {
            build->elf_fd = pie_memfd("pie-program", bytes.data, bytes.n, false);
            build->text_bytes = elf.text_bytes;
            if (build->elf_fd < 0)
                status = pie_log_errno(log, "memfd_create");
        }
    }
    if (fd >= 0)
        close(fd);
    free(path);
    pie_buf_free(&bytes);
    return status;
}

static pie_status run_plan(const pie_builder *builder, const pie_compile_plan *plan,
                           const char *source, const char *work, const char *prepared_dir,
                           const pie_log *log, pie_build *build)
{
    pie_status status = PIE_OK;
    build->verdict = PIE_VERDICT_PASSED;
    for (size_t i = 0;
         status == PIE_OK && build->verdict == PIE_VERDICT_PASSED && i < plan->n_steps; i++) {
        const pie_compile_step *step = &plan->steps[i];
        step_run run = {0};
        status = run_step(builder, step, work, plan->read_only_dirs, prepared_dir, log, &run);
        if (status != PIE_OK)
            break;
        status = add_messages(&run, work, &build->messages);
        const bool unexplained = run.verdict == PIE_VERDICT_COMPILE_ERROR && !run.reason;
        const char *machine = unexplained ? machine_in_messages(&build->messages) : NULL;
        const char *limit = unexplained ? limit_in_messages(&build->messages, source) : NULL;
        shorten_messages(&build->messages);
        char first[sizeof build->reason];
        first_error(&build->messages, first, sizeof first);
        if (machine)
            end_with(build, PIE_VERDICT_INFRA_ERROR, machine);
        else if (limit)
            end_with(build, PIE_VERDICT_COMPILE_LIMIT, limit);
        else if (run.verdict != PIE_VERDICT_PASSED)
            end_with(build, run.verdict, run.reason ? run.reason : first);
        else if (!all_there(work, step->writes))
            end_with(build, PIE_VERDICT_COMPILE_ERROR, "the compiler made no program");
        step_run_free(&run);
    }
    if (status == PIE_ERR_UNAVAILABLE)
        pie_log_error(log, "compiler %s: %s is not on PATH", builder->plugin->id,
                      plan->steps[0].argv[0]);
    return status;
}

/* PIE_ERR_IO and PIE_ERR_UNAVAILABLE are logged and become the verdict infra_error. */
static pie_status compile(pie_builder *builder, const char *source, size_t n, const char *language,
                          const char *prepared_dir, const pie_log *log, pie_build *build)
{
    const char *name = strcmp(language, "c") == 0 ? "program.c" : "program.cpp";
    const pie_compile_request request = {
        .source = name, .language = language, .prepared = prepared_dir};
    pie_compile_plan plan = {0};
    pie_status status = builder->ops->plan(builder->compiler, &request, &plan);
    if (status != PIE_OK)
        return status;
    char *work = make_work_folder(builder, "work", log);
    status = work ? put_source(work, name, source, n, log) : PIE_ERR_IO;
    if (status == PIE_OK)
        status = run_plan(builder, &plan, name, work, prepared_dir, log, build);
    if (status == PIE_OK && build->verdict == PIE_VERDICT_PASSED)
        status = plan.product ? keep_product(builder, work, plan.product, log, build) : PIE_ERR_ABI;
    if (work)
        pie_folder_remove(work, log);
    free(work);
    if (status == PIE_ERR_IO || status == PIE_ERR_UNAVAILABLE) {
        end_with(build, PIE_VERDICT_INFRA_ERROR, "the compiler could not be run");
        status = PIE_OK;
    }
    return status;
}

pie_status pie_builder_run(pie_builder *builder, const char *source, size_t n_bytes,
                           const char *language, const pie_log *log, pie_build *ret_build)
{
    pie_build build = {.elf_fd = -1};
    const char *prepared_dir = prepared_for(builder, source, n_bytes, language);
    pie_status status = PIE_ERR_AGAIN;
    if (prepared_dir) {
        status = compile(builder, source, n_bytes, language, prepared_dir, &pie_log_none, &build);
        if (status == PIE_OK && (build.verdict != PIE_VERDICT_PASSED || build.messages.n > 0))
            status = PIE_ERR_AGAIN;
        if (status != PIE_OK)
            pie_build_free(&build);
    }
    if (status != PIE_OK)
        status = compile(builder, source, n_bytes, language, NULL, log, &build);
    if (status == PIE_OK)
        *ret_build = build;
    else
        pie_build_free(&build);
    return status;
}

void pie_build_free(pie_build *build)
{
    if (build->elf_fd >= 0)
        close(build->elf_fd);
    pie_buf_free(&build->messages);
    *build = (pie_build){.elf_fd = -1};
}
