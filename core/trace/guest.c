/* guest.c - run one guest program in the tracer.
 *
 * qemu-x86_64 is started in the sandbox with our tracer as its plugin; descriptors: 0 input, 1 and
 * 2 memfds for the output, 3 the ring, 4 the tracer's file, 5 the program. Paths of the last two
 * are /proc/self/fd/N, so that no path of this machine reaches the guest and no character in one
 * can be misread by LD_PRELOAD or by qemu's option parser. */
#include "trace/guest.h"

#include "base/file.h"
#include "sandbox/sandbox.h"
#include "trace/check.h"
#include "trace/ring.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FD_RING = 3,
    FD_TRACER = 4,
    FD_PROGRAM = 5,
    FD_FRAME = 6, /* only with one_frame */
    WAIT_MS = 100,
    STALLED_ROUNDS = 3000, /* of WAIT_MS: a tracer that does nothing for so long is broken */
    DEFAULT_STACK_BYTES = 64 << 20,
    MAX_PROGRAM_BYTES = 1 << 30,
    MAX_CAPTURE_BYTES = 1 << 30
};

#define MAX_ARGS 64
#define HOW_TO_GET_QEMU "install it with: apt-get install qemu-user"

/* ---- the engine ----------------------------------------------------------------------------- */

static char engine_version[128];
static pthread_mutex_t engine_lock = PTHREAD_MUTEX_INITIALIZER;

/* A static qemu cannot load plugins; it is looked for only to say so. */
static char *find_engine(const pie_log *log)
{
    char *path = pie_path_find_program("qemu-x86_64");
    if (path)
        return path;
    char *without_plugins = pie_path_find_program("qemu-x86_64-static");
    if (without_plugins)
        pie_log_error(log, "tracer: %s cannot load plugins; qemu-x86_64 is needed: %s",
                      without_plugins, HOW_TO_GET_QEMU);
    else
        pie_log_error(log, "tracer: qemu-x86_64 is not on PATH; %s", HOW_TO_GET_QEMU);
    free(without_plugins);
    return NULL;
}

const char *pie_guest_engine_version(const pie_log *log)
{
    const char *version = NULL;
    char *path = NULL;
    pie_sandbox_result result = {0};
    pthread_mutex_lock(&engine_lock);
    if (engine_version[0]) {
        version = engine_version;
        goto cleanup;
    }
    path = find_engine(log);
    if (!path)
        goto cleanup;
    const char *const argv[] = {path, "--version", NULL};
    const pie_sandbox_spec spec = {.policy = PIE_SANDBOX_GUEST,
                                   .argv = argv,
                                   .capture = true,
                                   .limits = {.wall_s = 60, .cpu_s = 20}};
    if (pie_sandbox_run(&spec, log, &result) != PIE_OK)
        goto cleanup;
    const char *number = strstr(pie_buf_text(&result.out), "version ");
    char digits[32];
    if (!number || sscanf(number, "version %31[0-9.]", digits) != 1) {
        pie_log_error(log, "tracer: %s --version prints no version; %s", path, HOW_TO_GET_QEMU);
        goto cleanup;
    }
    snprintf(engine_version, sizeof engine_version, "qemu-x86_64 %s", digits);
    version = engine_version;
cleanup:
    pthread_mutex_unlock(&engine_lock);
    pie_sandbox_result_free(&result);
    free(path);
    return version;
}

/* Beside the executable (build tree), above it (tests), or where it is installed. */
static int open_tracer(const pie_log *log)
{
    static const char *const places[] = {
        "libpie-tracer.so", "../libpie-tracer.so", "../lib/pie/libpie-tracer.so",
        "../lib/x86_64-linux-gnu/pie/libpie-tracer.so", "../lib64/pie/libpie-tracer.so"};
    int fd = -1;
    char *folder = pie_path_of_executable();
    for (size_t i = 0; folder && fd < 0 && i < sizeof places / sizeof *places; i++) {
        char *path = pie_path_join(folder, places[i]);
        if (path)
            fd = open(path, O_RDONLY | O_CLOEXEC);
        free(path);
    }
    if (fd < 0)
        pie_log_error(log,
                      "tracer: libpie-tracer.so is not beside pie in %s nor in ../lib/pie; "
                      "build or install all of pie",
                      folder ? folder : "its folder");
    free(folder);
    return fd;
}

/* ---- the program ---------------------------------------------------------------------------- */

/* An image that qemu-x86_64 can run: checked here, since qemu's own messages name nothing. */
static pie_status check_program(const pie_buf *program, const pie_log *log)
{
    Elf64_Ehdr header;
    if (program->n < sizeof header || memcmp(program->data, ELFMAG, SELFMAG) != 0) {
        pie_log_error(log, "tracer: the program is not an ELF file");
        return PIE_ERR_DATA;
    }
    memcpy(&header, program->data, sizeof header);
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
        header.e_machine != EM_X86_64) {
        pie_log_error(log,
                      "tracer: the program is for another machine (ELF machine %u, class %u), "
                      "not 64-bit x86-64",
                      header.e_machine, header.e_ident[EI_CLASS]);
        return PIE_ERR_DATA;
    }
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN) {
        pie_log_error(log, "tracer: the file is ELF but no executable (type %u): was it linked?",
                      header.e_type);
        return PIE_ERR_DATA;
    }
    return PIE_OK;
}

static pie_status copy_program(int program_fd, const pie_log *log, int *ret_fd)
{
    pie_buf program = {0};
    struct stat info;
    pie_status status = PIE_ERR_IO;
    if (fstat(program_fd, &info) != 0) {
        status = pie_log_errno(log, "tracer: the program");
        goto cleanup;
    }
    if (info.st_size > MAX_PROGRAM_BYTES) {
        pie_log_error(log, "tracer: the program is larger than 1 GiB");
        status = PIE_ERR_DATA;
        goto cleanup;
    }
    status = pie_buf_reserve(&program, (size_t)info.st_size);
    if (status != PIE_OK)
        goto cleanup;
    while (program.n < (size_t)info.st_size) {
        const ssize_t n = pread(program_fd, program.data + program.n,
                                (size_t)info.st_size - program.n, (off_t)program.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            status = pie_log_errno(log, "tracer: reading the program");
            goto cleanup;
        }
        if (n == 0)
            break;
        program.n += (size_t)n;
    }
    status = check_program(&program, log);
    if (status != PIE_OK)
        goto cleanup;
    const int fd = pie_memfd("program", program.data, program.n, false);
    if (fd < 0)
        status = pie_log_errno(log, "tracer: memfd");
    else
        *ret_fd = fd;
cleanup:
    pie_buf_free(&program);
    return status;
}

/* ---- one run -------------------------------------------------------------------------------- */

typedef struct run {
    const pie_guest_spec *spec;
    const pie_log *log;
    char *engine;
    int tracer_fd, program_fd, input_fd, output_fd, error_fd, ring_fd, frame_fd;
    pie_ring ring;
    pie_stream *stream;
    uint64_t *words; /* private copy of a chunk */
    bool stopped;    /* the sink wants no more */
    bool untraced;   /* the sink wants no stream */
    bool stalled;
    bool ring_forged; /* its control block makes no sense */
} run;

static bool has_died(int pidfd)
{
    struct pollfd poller = {.fd = pidfd, .events = POLLIN};
    return poll(&poller, 1, 0) > 0;
}

/* Copy first, then check: the guest could write the ring in between. */
static pie_status take_chunk(run *r, const uint64_t *words, uint32_t n_words)
{
    int32_t want = PIE_SINK_CONTINUE;
    memcpy(r->words, words, n_words * sizeof *words);
    pie_ring_release(&r->ring);
    if (r->untraced)
        return PIE_OK;
    const pie_status status = pie_stream_feed(r->stream, r->words, n_words, &want);
    if (want == PIE_SINK_STOP)
        r->stopped = true;
    if (want == PIE_SINK_UNTRACED) {
        r->untraced = true;
        atomic_store(&r->ring.control->want, PIE_SINK_UNTRACED);
    }
    return status;
}

/* The consumer: runs in our process while the guest does. */
static pie_status attend(void *context, pid_t pid, int pidfd)
{
    run *r = context;
    uint32_t alive = 0;
    unsigned n_idle = 0;
    bool dead = false;
    (void)pid;
    for (;;) {
        const uint64_t *words;
        uint32_t n_words;
        pie_status status = pie_ring_take(&r->ring, dead ? 0 : WAIT_MS, &words, &n_words);
        if (status == PIE_OK) {
            n_idle = 0;
            status = take_chunk(r, words, n_words);
            if (status != PIE_OK || r->stopped)
                return status;
            continue;
        }
        r->ring_forged = status == PIE_ERR_DATA;
        if (status != PIE_ERR_AGAIN)
            return PIE_OK; /* the end */
        if (dead)
            return PIE_OK;
        dead = has_died(pidfd);
        const uint32_t now = atomic_load(&r->ring.control->alive);
        n_idle = now == alive ? n_idle + 1 : 0;
        alive = now;
        if (n_idle > STALLED_ROUNDS) {
            r->stalled = true;
            return PIE_OK;
        }
    }
}

static pie_status prepare(run *r)
{
    const pie_guest_spec *spec = r->spec;
    const pie_log *log = r->log;
    r->engine = find_engine(log);
    if (!r->engine)
        return PIE_ERR_UNAVAILABLE;
    r->tracer_fd = open_tracer(log);
    if (r->tracer_fd < 0)
        return PIE_ERR_UNAVAILABLE;
    pie_status status = copy_program(spec->program_fd, log, &r->program_fd);
    if (status != PIE_OK)
        return status;
    r->input_fd = pie_memfd("input", spec->input, spec->input_bytes, false);
    r->output_fd = pie_memfd("output", NULL, 0, true);
    r->error_fd = pie_memfd("error", NULL, 0, true);
    if (spec->one_frame)
        r->frame_fd = pie_memfd("frame", (const char[PIE_RING_PAGE]){0}, PIE_RING_PAGE, true);
    if (r->input_fd < 0 || r->output_fd < 0 || r->error_fd < 0 ||
        (spec->one_frame && r->frame_fd < 0))
        return pie_log_errno(log, "tracer: memfd");
    if (pie_ring_create(&r->ring_fd, &r->ring) != PIE_OK)
        return pie_log_errno(log, "tracer: the ring");
    pie_ring_control *control = r->ring.control;
    control->limit_instructions = spec->limits.instructions;
    control->limit_memory = spec->limits.memory_bytes;
    control->limit_output = spec->limits.output_bytes;
    control->limit_stack =
        spec->limits.stack_bytes ? spec->limits.stack_bytes : DEFAULT_STACK_BYTES;
    control->frame_fd = spec->one_frame ? FD_FRAME : 0;
    r->untraced = !spec->sink;
    atomic_store(&control->want, spec->sink ? PIE_SINK_CONTINUE : PIE_SINK_UNTRACED);
    r->words = malloc(PIE_RING_CHUNK_WORDS * sizeof *r->words);
    if (!r->words)
        return pie_log_nomem(log);
    status = pie_stream_new(spec->sink, spec->limits.instructions, &r->stream);
    return status == PIE_ERR_NOMEM ? pie_log_nomem(log) : status;
}

static pie_status start_engine(run *r, pie_sandbox_result *ret_result)
{
    const pie_guest_spec *spec = r->spec;
    char stack[32], preload[64], plugin[64], program[32];
    const char *argv[MAX_ARGS + 24];
    size_t n = 0;
    snprintf(stack, sizeof stack, "%llu", (unsigned long long)r->ring.control->limit_stack);
    snprintf(preload, sizeof preload, "LD_PRELOAD=/proc/self/fd/%d", FD_TRACER);
    snprintf(plugin, sizeof plugin, "/proc/self/fd/%d,ring=%d", FD_TRACER, FD_RING);
    snprintf(program, sizeof program, "/proc/self/fd/%d", FD_PROGRAM);
    const char *const head[] = {
        r->engine, "-U", "LD_PRELOAD", "-cpu",    "Skylake-Client-v4,check=off,-erms,-rdrand",
        "-seed",   "1",  "-0",         "program", "-r",
        "5.10.0",  "-s", stack,        "-plugin", plugin};
    memcpy(argv, head, sizeof head);
    n = sizeof head / sizeof *head;
    if (spec->one_insn_per_block)
        argv[n++] = "-singlestep";
    argv[n++] = program;
    for (size_t i = 0; spec->args && spec->args[i]; i++) {
        if (i == MAX_ARGS) {
            pie_log_error(r->log, "tracer: more than %d arguments for the program", MAX_ARGS);
            return PIE_ERR_CONFIG;
        }
        argv[n++] = spec->args[i];
    }
    argv[n] = NULL;
    const char *const envp[] = {preload, NULL};
    const pie_sandbox_fd fds[] = {{r->input_fd, 0},          {r->output_fd, 1},
                                  {r->error_fd, 2},          {r->ring_fd, FD_RING},
                                  {r->tracer_fd, FD_TRACER}, {r->program_fd, FD_PROGRAM},
                                  {r->frame_fd, FD_FRAME}};
    const pie_sandbox_spec sandbox = {
        .policy = PIE_SANDBOX_GUEST,
        .argv = argv,
        .envp = envp,
        .fds = fds,
        .n_fds = sizeof fds / sizeof *fds - (r->frame_fd < 0),
        /* a byte more than allowed, so that passing the limit can be told from reaching it */
        .limits = {.file_bytes = spec->limits.output_bytes ? spec->limits.output_bytes + 1 : 0},
        .attend = attend,
        .context = r};
    return pie_sandbox_run(&sandbox, r->log, ret_result);
}

static pie_status read_output(int fd, uint64_t n_bytes, uint64_t max_bytes, pie_buf *buf)
{
    const off_t size = lseek(fd, 0, SEEK_END);
    if (size < 0)
        return PIE_ERR_IO;
    uint64_t n = (uint64_t)size;
    n = n > n_bytes ? n_bytes : n;
    n = n > max_bytes ? max_bytes : n;
    const pie_status status = pie_buf_reserve(buf, (size_t)n);
    if (status != PIE_OK)
        return status;
    while (buf->n < n) {
        const ssize_t got = pread(fd, buf->data + buf->n, (size_t)n - buf->n, (off_t)buf->n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? PIE_ERR_IO : PIE_OK;
        buf->n += (size_t)got;
        buf->data[buf->n] = '\0';
    }
    return PIE_OK;
}

/* Text from the tracer's memory: ended and printable, whatever stands there. */
static void copy_text(char *to, size_t size, const char *from)
{
    size_t n = 0;
    for (; n + 1 < size && from[n]; n++)
        to[n] = from[n] >= ' ' && from[n] < 127 ? from[n] : '?';
    to[n] = '\0';
}

static void set_reason(pie_guest_result *result, const char *reason)
{
    copy_text(result->reason, sizeof result->reason, reason);
}

static void judge(const pie_tracer_result *said, pie_guest_result *result)
{
    char text[sizeof result->reason];
    switch (said->end) {
    case PIE_TRACER_EXITED:
        result->exit_status = said->exit_status & 0xff;
        result->verdict = result->exit_status ? PIE_VERDICT_RUNTIME_ERROR : PIE_VERDICT_PASSED;
        if (result->exit_status) {
            snprintf(text, sizeof text, "exit status %d", result->exit_status);
            set_reason(result, text);
        }
        break;
    case PIE_TRACER_SIGNALLED:
        result->verdict = PIE_VERDICT_RUNTIME_ERROR;
        result->signal = said->signal & 0x7f;
        snprintf(text, sizeof text, "killed by signal %d (%s)", result->signal,
                 sigdescr_np(result->signal) ? sigdescr_np(result->signal) : "unknown");
        set_reason(result, text);
        break;
    case PIE_TRACER_INSTRUCTION_LIMIT:
        result->verdict = PIE_VERDICT_INSTRUCTION_LIMIT;
        break;
    case PIE_TRACER_OUTPUT_LIMIT:
        result->verdict = PIE_VERDICT_OUTPUT_LIMIT;
        break;
    case PIE_TRACER_MEMORY_LIMIT:
        result->verdict = PIE_VERDICT_MEMORY_LIMIT;
        break;
    case PIE_TRACER_FORBIDDEN:
        result->verdict = PIE_VERDICT_FORBIDDEN_SYSCALL;
        result->syscall_number = said->syscall_number;
        break;
    case PIE_TRACER_TAMPERING:
        result->verdict = PIE_VERDICT_TAMPERING;
        break;
    default:
        result->verdict = PIE_VERDICT_INFRA_ERROR;
        break;
    }
    if (!result->reason[0] && result->verdict != PIE_VERDICT_PASSED)
        set_reason(result, said->reason);
    if (said->memory_refused && result->verdict == PIE_VERDICT_RUNTIME_ERROR) {
        result->verdict = PIE_VERDICT_MEMORY_LIMIT;
        set_reason(result, "memory limit reached");
    }
    if (result->verdict != PIE_VERDICT_PASSED)
        copy_text(result->function, sizeof result->function, said->function);
}

/* The tracer's account against what was seen of the stream, when all of it was seen. */
static bool is_consistent(const run *r, const pie_tracer_result *said)
{
    const pie_stream_totals *seen = pie_stream_get_totals(r->stream);
    return said->instructions == seen->instructions && said->branches == seen->branches &&
           said->blocks == seen->blocks &&
           (!seen->startup_ended || said->startup_instructions == seen->startup_instructions) &&
           (seen->ended == (said->end == PIE_TRACER_EXITED || said->end == PIE_TRACER_SIGNALLED));
}

static void explain_death(const run *r, const pie_sandbox_result *process, pie_guest_result *result)
{
    pie_buf text = {0};
    char reason[sizeof result->reason];
    result->verdict = PIE_VERDICT_INFRA_ERROR;
    if (r->stalled) {
        set_reason(result, "the tracer made no progress for 300 seconds");
        return;
    }
    if (read_output(r->error_fd, 200, 200, &text) == PIE_OK && text.n > 0)
        text.data[strcspn(text.data, "\n")] = '\0';
    if (process->exited)
        snprintf(reason, sizeof reason, "qemu exited with status %d: %.100s", process->exit_status,
                 pie_buf_text(&text));
    else
        snprintf(reason, sizeof reason, "qemu was killed by signal %d: %.100s", process->signal,
                 pie_buf_text(&text));
    set_reason(result, reason);
    pie_buf_free(&text);
}

static pie_status conclude(run *r, pie_status status, const pie_sandbox_result *process,
                           pie_guest_result *result)
{
    const pie_tracer_result said = r->ring.control->result; /* a copy: it lies in shared memory */
    const pie_stream_totals *seen = pie_stream_get_totals(r->stream);
    const bool forged = status == PIE_ERR_DATA && *pie_stream_fault(r->stream);
    if (status != PIE_OK && !forged)
        return status;
    result->syscall_number = -1;
    result->instructions = seen->instructions;
    result->startup_instructions = seen->startup_instructions;
    result->branches = seen->branches;
    result->syscalls = seen->syscalls;
    result->blocks = seen->blocks;
    if (forged || r->ring_forged) {
        result->verdict = PIE_VERDICT_TAMPERING;
        set_reason(result, forged ? pie_stream_fault(r->stream) : "the trace's ring is forged");
    } else if (r->stopped) {
        result->verdict = PIE_VERDICT_NONE;
        set_reason(result, "stopped");
    } else if (!r->ring.last) {
        explain_death(r, process, result);
    } else {
        result->instructions = said.instructions;
        result->startup_instructions = said.startup_instructions;
        result->branches = said.branches;
        result->syscalls = said.syscalls;
        result->blocks = said.blocks;
        result->write_calls = said.write_calls;
        result->peak_bytes = said.peak_bytes;
        judge(&said, result);
        if (!r->untraced && !is_consistent(r, &said)) {
            result->verdict = PIE_VERDICT_TAMPERING;
            set_reason(result, "the tracer's account does not fit its trace");
        }
    }
    const uint64_t limit =
        r->spec->limits.output_bytes ? r->spec->limits.output_bytes : MAX_CAPTURE_BYTES;
    status = read_output(r->output_fd, r->ring.last ? said.output_bytes : UINT64_MAX, limit,
                         &result->output);
    if (status == PIE_OK)
        status = read_output(r->error_fd, r->ring.last ? said.error_bytes : UINT64_MAX, limit,
                             &result->error_output);
    return status;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

pie_status pie_guest_run(const pie_guest_spec *spec, const pie_log *log,
                         pie_guest_result *ret_result)
{
    run r = {.spec = spec,
             .log = log,
             .tracer_fd = -1,
             .program_fd = -1,
             .input_fd = -1,
             .output_fd = -1,
             .error_fd = -1,
             .ring_fd = -1,
             .frame_fd = -1};
    pie_sandbox_result process = {0};
    pie_guest_result result = {0};
    pie_status status = prepare(&r);
    if (status == PIE_OK) {
        status = start_engine(&r, &process);
        status = conclude(&r, status, &process, &result);
    }
    if (status == PIE_OK) {
        *ret_result = result;
        result = (pie_guest_result){0};
    }
    pie_guest_result_free(&result);
    pie_sandbox_result_free(&process);
    pie_stream_free(r.stream);
    pie_ring_unmap(&r.ring);
    free(r.words);
    free(r.engine);
    const int fds[] = {r.tracer_fd, r.program_fd, r.input_fd, r.output_fd,
                       r.error_fd,  r.ring_fd,    r.frame_fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        close_fd(fds[i]);
    return status;
}

void pie_guest_result_free(pie_guest_result *result)
{
    pie_buf_free(&result->output);
    pie_buf_free(&result->error_output);
    *result = (pie_guest_result){0};
}
