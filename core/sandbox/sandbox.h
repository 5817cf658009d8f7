/* sandbox.h - the one way in which pie starts an untrusted process.
 *
 * The process starts in its own process group with: an empty environment but @envp, only the
 * descriptors listed, rlimits, no new privileges, a seccomp allow-list by policy, no core files,
 * and death when pie dies. Nothing is passed through a shell. */
#ifndef PIE_SANDBOX_H
#define PIE_SANDBOX_H

#include "base/buf.h"
#include "base/log.h"

#include <stdbool.h>
#include <sys/types.h>

enum {
    PIE_SANDBOX_TOOL =
        1, /* compilers and their children: files, processes; no network, no ptrace */
    PIE_SANDBOX_GUEST =
        2 /* qemu before the guest starts; the tracer then loads a stricter filter */
};

typedef struct pie_sandbox_fd {
    int from; /* ours */
    int to;   /* number in the child */
} pie_sandbox_fd;

/* 0 = no limit, where that is said. */
typedef struct pie_sandbox_limits {
    uint64_t memory_bytes; /* RLIMIT_AS of each process; 0 = none */
    uint64_t file_bytes;   /* RLIMIT_FSIZE of each file written; 0 = none */
    uint64_t output_bytes; /* captured standard output and error together; 0 = 1 MiB */
    uint32_t processes;    /* live processes and threads of the group, watched; 0 = none */
    uint32_t open_files;   /* RLIMIT_NOFILE; 0 = 64 */
    double cpu_s;          /* of one process; 0 = none */
    double wall_s;         /* last resort, depends on the machine; 0 = none */
} pie_sandbox_limits;

typedef struct pie_sandbox_spec {
    int32_t policy;          /* PIE_SANDBOX_TOOL .. */
    const char *const *argv; /* NULL-terminated; argv[0] is an absolute path */
    const char *const *envp; /* NULL-terminated; NULL = empty environment */
    const char *work_dir;    /* current folder of the child; NULL = "/" . For TOOL the only place
                                where it may write */
    const char *const *read_only_dirs; /* for TOOL, beside the system's; NULL-terminated or NULL */
    const pie_sandbox_fd
        *fds; /* passed on; 0, 1 and 2 not listed here are /dev/null, or captured */
    size_t n_fds;
    bool capture; /* collect 1 and 2 unless listed */
    pie_sandbox_limits limits;
    /* Optional: runs in the caller while the process lives (the consumer of the tracer's ring).
     * Returns when the process is of no more interest: the group is then killed and reaped.
     * wall_s, processes and output_bytes are not watched meanwhile; the rlimits hold. What was
     * written to captured streams is collected afterwards, as far as a pipe holds it (64 KiB). */
    pie_status (*attend)(void *context, pid_t pid, int pidfd);
    void *context;
} pie_sandbox_spec;

enum { /* which limit ended it */
       PIE_SANDBOX_NO_LIMIT = 0,
       PIE_SANDBOX_HIT_CPU = 1,
       PIE_SANDBOX_HIT_WALL = 2,
       PIE_SANDBOX_HIT_OUTPUT = 3,
       PIE_SANDBOX_HIT_FILE = 4,
       PIE_SANDBOX_HIT_PROCESSES = 5,
       PIE_SANDBOX_HIT_SECCOMP = 6
};

typedef struct pie_sandbox_result {
    bool exited; /* else killed by @signal */
    int exit_status, signal;
    int32_t limit; /* PIE_SANDBOX_NO_LIMIT .. */
    double wall_s, cpu_s;
    uint64_t
        peak_rss_bytes; /* at least the caller's own at the start: the kernel counts from fork() */
    pie_buf out, err;   /* captured; the caller frees both with pie_sandbox_result_free */
} pie_sandbox_result;

/* Start, attend, reap; on return no process of the group lives. One call at a time in a process;
 * the child dies with the calling thread. PIE_OK when the process ran, however it ended. PIE_ERR_IO
 * or PIE_ERR_UNAVAILABLE (no such program, no seccomp): logged. A status from attend() is passed
 * on. */
pie_status pie_sandbox_run(const pie_sandbox_spec *spec, const pie_log *log,
                           pie_sandbox_result *ret_result);
void pie_sandbox_result_free(pie_sandbox_result *result);

/* Which protections the kernel offers here, for `pie doctor` and the header of a run. One line
 * each, NULL at the end: "seccomp: yes", "landlock: no (kernel without it)". */
const char *pie_sandbox_protection(size_t index, bool *ret_present);

#endif
