/* sandbox.c - start, watch and end an untrusted process.
 *
 * All that needs memory or can fail in interesting ways (filter, Landlock rules, pipes) is made
 * before fork(); between fork() and execve() the child makes plain system calls only. A failure
 * there comes back through a close-on-exec pipe as (stage, errno).
 *
 * Nothing survives: the child leads a session and a process group of its own, and the filter
 * refuses setsid and setpgid, so the group holds all descendants. It is killed as a whole; orphans
 * fall to us (PR_SET_CHILD_SUBREAPER) and are reaped by group. If pie itself dies, the kernel kills
 * the child, and for tools, which have children, a watcher process kills the group. */
#include "sandbox/sandbox.h"

#include "sandbox/filter.h"
#include "sandbox/landlock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    DEFAULT_OPEN_FILES = 64,
    DEFAULT_OUTPUT_BYTES = 1 << 20,
    WATCH_INTERVAL_MS = 20, /* between two counts of the group's processes */
    TOOL_STACK_BYTES = 64 << 20,
    GUEST_STACK_BYTES = 8 << 20
};
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1u << 2)
#endif

/* Where the child failed. */
enum {
    STAGE_SESSION,
    STAGE_FILES,
    STAGE_FOLDER,
    STAGE_LIMITS,
    STAGE_PRIVILEGES,
    STAGE_LANDLOCK,
    STAGE_SECCOMP,
    STAGE_EXEC
};
static const char *const stage_names[] = {
    [STAGE_SESSION] = "starting a session",         [STAGE_FILES] = "passing descriptors",
    [STAGE_FOLDER] = "entering the work folder",    [STAGE_LIMITS] = "setting limits",
    [STAGE_PRIVILEGES] = "dropping privileges",     [STAGE_LANDLOCK] = "Landlock",
    [STAGE_SECCOMP] = "loading the seccomp filter", [STAGE_EXEC] = "cannot run it",
};
typedef struct failure {
    int stage, error;
} failure;

enum { MAX_LIMITS = 8 };
typedef struct resource_limit {
    __rlimit_resource_t resource;
    struct rlimit value;
} resource_limit;

/* Everything that the child needs. Descriptors are -1 when absent. */
typedef struct launch {
    const pie_sandbox_spec *spec;
    pie_filter filter;
    resource_limit limits[MAX_LIMITS];
    size_t n_limits;
    int *moved;   /* [n_fds] the child's copies of the descriptors to pass on */
    int rules_fd; /* Landlock */
    int null_fd;
    int report[2];     /* failure pipe */
    int pipes[2][2];   /* captured 1 and 2 */
    int first_free_fd; /* above all numbers that the child is to have */
    pid_t parent;
} launch;

/* ---- the child ------------------------------------------------------------------------------ */

static _Noreturn void give_up(int report_fd, int stage)
{
    const failure what = {stage, errno};
    /* Nobody to tell when this fails too. */
    const ssize_t n = write(report_fd, &what, sizeof what);
    _exit(n < 0 ? 126 : 127);
}

/* Close-on-exec for every descriptor; the ones to keep are copied afterwards, which clears it. */
static int close_all_on_exec(void)
{
    if (syscall(SYS_close_range, 0u, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
        return 0;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return -1;
    for (rlim_t fd = 0; fd < files.rlim_max && fd < (1u << 20); fd++)
        fcntl((int)fd, F_SETFD, FD_CLOEXEC);
    return 0;
}

static bool is_listed(const pie_sandbox_spec *spec, int number)
{
    for (size_t i = 0; i < spec->n_fds; i++) {
        if (spec->fds[i].to == number)
            return true;
    }
    return false;
}

/* Sources first go above all targets, so that no copy destroys the source of another. */
static int pass_descriptors(const launch *l, int *report_fd)
{
    const pie_sandbox_spec *spec = l->spec;
    const int floor = l->first_free_fd;
    *report_fd = fcntl(*report_fd, F_DUPFD_CLOEXEC, floor);
    const int null_fd = fcntl(l->null_fd, F_DUPFD_CLOEXEC, floor);
    int captured[2] = {-1, -1};
    if (*report_fd < 0 || null_fd < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        if (l->pipes[i][1] >= 0 &&
            (captured[i] = fcntl(l->pipes[i][1], F_DUPFD_CLOEXEC, floor)) < 0)
            return -1;
    }
    for (size_t i = 0; i < spec->n_fds; i++) {
        l->moved[i] = fcntl(spec->fds[i].from, F_DUPFD_CLOEXEC, floor);
        if (l->moved[i] < 0)
            return -1;
    }
    if (close_all_on_exec() != 0)
        return -1;
    for (int number = 0; number <= 2; number++) {
        const int stream = number > 0 && captured[number - 1] >= 0 ? captured[number - 1] : null_fd;
        if (!is_listed(spec, number) && dup2(stream, number) < 0)
            return -1;
    }
    for (size_t i = 0; i < spec->n_fds; i++) {
        if (dup2(l->moved[i], spec->fds[i].to) < 0)
            return -1;
    }
    return 0;
}

static int default_signals(void)
{
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action = {.sa_handler = SIG_DFL};
        /* SIGKILL, SIGSTOP and libc's own refuse: they need nothing. */
        sigaction(number, &action, NULL);
    }
    sigset_t none;
    sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL);
}

static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct nothing[_LINUX_CAPABILITY_U32S_3] = {{0}};
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return (int)syscall(SYS_capset, &header, nothing);
}

static _Noreturn void be_the_child(const launch *l)
{
    static const char *const no_environment[] = {NULL};
    const pie_sandbox_spec *spec = l->spec;
    int report_fd = l->report[1];

    if (setsid() < 0)
        give_up(report_fd, STAGE_SESSION);
    if (chdir(spec->work_dir ? spec->work_dir : "/") != 0)
        give_up(report_fd, STAGE_FOLDER);
    /* A tool loses the network twice: no sockets by the filter, and no interfaces where the kernel
     * grants namespaces. */
    const bool own_user = spec->policy == PIE_SANDBOX_TOOL &&
                          unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) == 0;
    if (drop_capabilities() != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        give_up(report_fd, STAGE_PRIVILEGES);
    /* Before descriptors move: a target may have the number of the rules' own. */
    if (l->rules_fd >= 0 && pie_landlock_enter(l->rules_fd) != 0)
        give_up(report_fd, STAGE_LANDLOCK);
    if (pass_descriptors(l, &report_fd) != 0)
        give_up(report_fd, STAGE_FILES);
    umask(077);
    for (size_t i = 0; i < l->n_limits; i++) {
        /* Counted over the whole user where we could not get a user namespace: useless there. */
        if (l->limits[i].resource == RLIMIT_NPROC && !own_user)
            continue;
        if (setrlimit(l->limits[i].resource, &l->limits[i].value) != 0)
            give_up(report_fd, STAGE_LIMITS);
    }
    /* It dies with the thread that started it; if that is already gone, no signal will come. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != l->parent)
        give_up(report_fd, STAGE_SESSION);
    if (default_signals() != 0)
        give_up(report_fd, STAGE_SESSION);
    /* The filter allows little of the above, so it comes last. */
    const struct sock_fprog program = {.len = (unsigned short)l->filter.n,
                                       .filter = l->filter.program};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
        give_up(report_fd, STAGE_SECCOMP);
    execve(spec->argv[0], (char *const *)spec->argv,
           (char *const *)(spec->envp ? spec->envp : no_environment));
    give_up(report_fd, STAGE_EXEC);
}

/* Kills the group of @leader when pie dies, seen by the end of a pipe that only pie holds. */
static _Noreturn void be_the_watcher(int pipe_fd, pid_t leader)
{
    char byte;
    setsid(); /* a signal to pie's group is none of ours */
    prctl(PR_SET_NAME, "pie-watcher", 0, 0, 0);
    if (dup2(pipe_fd, 0) < 0)
        _exit(1);
    if (syscall(SYS_close_range, 1u, ~0u, 0u) != 0) {
        for (int fd = 1; fd < 1024; fd++)
            close(fd);
    }
    while (read(0, &byte, 1) < 0 && errno == EINTR)
        ;
    kill(-leader, SIGKILL);
    _exit(0);
}

/* ---- preparing ------------------------------------------------------------------------------ */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void add_limit(launch *l, __rlimit_resource_t resource, uint64_t soft, uint64_t hard)
{
    struct rlimit now;
    /* More than our own hard limit cannot be given; less is what it then gets. */
    if (getrlimit(resource, &now) == 0 && now.rlim_max != RLIM_INFINITY) {
        soft = soft < now.rlim_max ? soft : now.rlim_max;
        hard = hard < now.rlim_max ? hard : now.rlim_max;
    }
    l->limits[l->n_limits++] = (resource_limit){resource, {.rlim_cur = soft, .rlim_max = hard}};
}

static void list_limits(launch *l)
{
    const pie_sandbox_limits *want = &l->spec->limits;
    const bool tool = l->spec->policy == PIE_SANDBOX_TOOL;
    const uint64_t stack = tool ? TOOL_STACK_BYTES : GUEST_STACK_BYTES;
    const uint64_t files = want->open_files ? want->open_files : DEFAULT_OPEN_FILES;
    add_limit(l, RLIMIT_CORE, 0, 0);
    add_limit(l, RLIMIT_NOFILE, files, files);
    add_limit(l, RLIMIT_STACK, stack,
              stack); /* fixed, so that the host's setting decides nothing */
    if (want->memory_bytes)
        add_limit(l, RLIMIT_AS, want->memory_bytes, want->memory_bytes);
    if (want->file_bytes)
        add_limit(l, RLIMIT_FSIZE, want->file_bytes, want->file_bytes);
    if (want->cpu_s > 0) {
        const uint64_t seconds = want->cpu_s < 1e9 ? (uint64_t)ceil(want->cpu_s) : 1000000000;
        add_limit(l, RLIMIT_CPU, seconds, seconds + 1);
    }
    /* A brake between two counts; the count gives the verdict. */
    if (want->processes)
        add_limit(l, RLIMIT_NPROC, 2 * (uint64_t)want->processes + 64,
                  2 * (uint64_t)want->processes + 64);
}

static pie_status prepare(launch *l, const pie_log *log)
{
    const pie_sandbox_spec *spec = l->spec;
    pie_status status = pie_filter_build(spec->policy, log, &l->filter);
    if (status == PIE_OK)
        status = pie_landlock_rules(spec, log, &l->rules_fd);
    if (status != PIE_OK)
        return status;
    list_limits(l);
    l->first_free_fd = 3;
    for (size_t i = 0; i < spec->n_fds; i++) {
        if (spec->fds[i].to >= l->first_free_fd)
            l->first_free_fd = spec->fds[i].to + 1;
    }
    l->moved = calloc(spec->n_fds ? spec->n_fds : 1, sizeof *l->moved);
    if (!l->moved)
        return pie_log_nomem(log);
    l->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (l->null_fd < 0)
        return pie_log_errno(log, "/dev/null");
    if (pipe2(l->report, O_CLOEXEC) != 0)
        return pie_log_errno(log, "sandbox: pipe");
    for (int i = 0; spec->capture && i < 2; i++) {
        if (is_listed(spec, i + 1))
            continue;
        if (pipe2(l->pipes[i], O_CLOEXEC) != 0 || fcntl(l->pipes[i][0], F_SETFL, O_NONBLOCK) != 0)
            return pie_log_errno(log, "sandbox: pipe");
    }
    return PIE_OK;
}

/* ---- the parent ----------------------------------------------------------------------------- */

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Live processes and threads of a group, from /proc. It stops above @enough: a bomb must not make
 * its own discovery slow. */
static uint64_t count_group(pid_t group, uint64_t enough)
{
    uint64_t n = 0;
    DIR *folder = opendir("/proc");
    if (!folder)
        return 0;
    for (const struct dirent *entry; n <= enough && (entry = readdir(folder));) {
        char path[32], text[512];
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || strlen(entry->d_name) > 10)
            continue;
        snprintf(path, sizeof path, "%.10s/stat", entry->d_name);
        const int fd = openat(dirfd(folder), path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        const ssize_t size = read(fd, text, sizeof text - 1);
        close(fd);
        if (size <= 0)
            continue;
        text[size] = '\0';
        const char *after_name = strrchr(text, ')');
        char state;
        int pgrp;
        unsigned long long threads;
        if (after_name &&
            sscanf(after_name + 1,
                   " %c %*d %d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %llu",
                   &state, &pgrp, &threads) == 3 &&
            pgrp == group && state != 'Z' && state != 'X')
            n += threads;
    }
    closedir(folder);
    return n;
}

/* Append what is there. Closes the pipe at its end; false: the limit of both is passed. */
static bool drain(int *fd, pie_buf *buf, const pie_buf *other, uint64_t max, pie_status *status)
{
    char piece[16384];
    for (;;) {
        const ssize_t n = read(*fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n <= 0) {
            close_fd(fd);
            return true;
        }
        const uint64_t used = buf->n + other->n;
        const uint64_t room = used < max ? max - used : 0;
        const size_t keep = (uint64_t)n < room ? (size_t)n : (size_t)room;
        if (pie_buf_add(buf, piece, keep) != PIE_OK) {
            *status = PIE_ERR_NOMEM;
            return false;
        }
        if (keep < (size_t)n)
            return false;
    }
}

static bool drain_both(launch *l, pie_sandbox_result *result, pie_status *status)
{
    const uint64_t max =
        l->spec->limits.output_bytes ? l->spec->limits.output_bytes : DEFAULT_OUTPUT_BYTES;
    bool within = true;
    if (l->pipes[0][0] >= 0)
        within = drain(&l->pipes[0][0], &result->out, &result->err, max, status);
    if (within && l->pipes[1][0] >= 0)
        within = drain(&l->pipes[1][0], &result->err, &result->out, max, status);
    return within;
}

/* Until the leader ends or a limit says so. */
static pie_status watch(launch *l, pid_t pid, int pidfd, double start_s, pie_sandbox_result *result)
{
    const pie_sandbox_limits *limits = &l->spec->limits;
    pie_status status = PIE_OK;
    double next_count_s = start_s;
    for (;;) {
        struct pollfd fds[] = {{.fd = pidfd, .events = POLLIN},
                               {.fd = l->pipes[0][0], .events = POLLIN},
                               {.fd = l->pipes[1][0], .events = POLLIN}};
        double wait_s = -1;
        const double time_s = now_s();
        if (limits->wall_s > 0) {
            wait_s = start_s + limits->wall_s - time_s;
            if (wait_s <= 0) {
                result->limit = PIE_SANDBOX_HIT_WALL;
                return PIE_OK;
            }
        }
        if (limits->processes) {
            if (time_s >= next_count_s) {
                if (count_group(pid, limits->processes) > limits->processes) {
                    result->limit = PIE_SANDBOX_HIT_PROCESSES;
                    return PIE_OK;
                }
                next_count_s = time_s + WATCH_INTERVAL_MS / 1e3;
            }
            if (wait_s < 0 || wait_s > WATCH_INTERVAL_MS / 1e3)
                wait_s = WATCH_INTERVAL_MS / 1e3;
        }
        const int wait_ms = wait_s < 0 ? -1 : wait_s > 1e6 ? 1000000000 : (int)ceil(wait_s * 1e3);
        if (poll(fds, 3, wait_ms) < 0 && errno != EINTR)
            return PIE_ERR_IO;
        if (!drain_both(l, result, &status)) {
            if (status == PIE_OK)
                result->limit = PIE_SANDBOX_HIT_OUTPUT;
            return status;
        }
        if (fds[0].revents)
            return PIE_OK;
    }
}

/* Kill the group, reap the leader and all others. @pid is unreaped, so its number is still ours. */
static void end_group(pid_t pid, pie_sandbox_result *result)
{
    int status = 0;
    struct rusage usage = {0};
    kill(-pid, SIGKILL);
    kill(pid, SIGKILL); /* in case it never came to have a group */
    while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR)
        ;
    while (waitpid(-pid, NULL, 0) > 0 || errno == EINTR)
        ;
    result->exited = WIFEXITED(status);
    result->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    result->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    result->cpu_s = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 +
                    (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
    result->peak_rss_bytes = (uint64_t)usage.ru_maxrss * 1024;
}

static int32_t limit_of_signal(int signal, double cpu_s, double cpu_limit_s)
{
    switch (signal) {
    case SIGXCPU:
        return PIE_SANDBOX_HIT_CPU;
    case SIGXFSZ:
        return PIE_SANDBOX_HIT_FILE;
    case SIGSYS:
        return PIE_SANDBOX_HIT_SECCOMP;
    case SIGKILL: /* it ignored SIGXCPU: the hard limit came a second later */
        return cpu_limit_s > 0 && cpu_s >= cpu_limit_s ? PIE_SANDBOX_HIT_CPU : PIE_SANDBOX_NO_LIMIT;
    default:
        return PIE_SANDBOX_NO_LIMIT;
    }
}

static pid_t start_watcher(pid_t leader, int *ret_fd)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return -1;
    const pid_t watcher = fork();
    if (watcher == 0) {
        close(pipe_fds[1]);
        be_the_watcher(pipe_fds[0], leader);
    }
    close(pipe_fds[0]);
    if (watcher < 0)
        close(pipe_fds[1]);
    else
        *ret_fd = pipe_fds[1];
    return watcher;
}

/* Did the child come as far as execve()? */
static pie_status await_exec(launch *l, const pie_log *log)
{
    failure what;
    ssize_t n;
    while ((n = read(l->report[0], &what, sizeof what)) < 0 && errno == EINTR)
        ;
    if (n == 0)
        return PIE_OK;
    if (n != sizeof what || what.stage < 0 || what.stage > STAGE_EXEC) {
        pie_log_error(log, "sandbox: %s: the child failed before it started", l->spec->argv[0]);
        return PIE_ERR_IO;
    }
    pie_log_error(log, "sandbox: %s: %s: %s", l->spec->argv[0], stage_names[what.stage],
                  strerror(what.error));
    const bool missing = what.stage == STAGE_EXEC || what.stage == STAGE_SECCOMP;
    return missing ? PIE_ERR_UNAVAILABLE : PIE_ERR_IO;
}

pie_status pie_sandbox_run(const pie_sandbox_spec *spec, const pie_log *log,
                           pie_sandbox_result *ret_result)
{
    launch l = {.spec = spec,
                .rules_fd = -1,
                .null_fd = -1,
                .report = {-1, -1},
                .pipes = {{-1, -1}, {-1, -1}},
                .parent = getpid()};
    pie_sandbox_result result = {0};
    int pidfd = -1, watcher_fd = -1, was_subreaper = 0;
    pid_t pid = -1, watcher = -1;
    sigset_t all, before;

    if ((spec->policy != PIE_SANDBOX_TOOL && spec->policy != PIE_SANDBOX_GUEST) || !spec->argv ||
        !spec->argv[0] || spec->argv[0][0] != '/') {
        pie_log_error(log, "sandbox: a known policy and an absolute program path are needed");
        return PIE_ERR_IO;
    }
    prctl(PR_GET_CHILD_SUBREAPER, &was_subreaper, 0, 0, 0);
    pie_status status = prepare(&l, log);
    if (status != PIE_OK)
        goto cleanup;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
        status = pie_log_errno(log, "sandbox: PR_SET_CHILD_SUBREAPER");
        goto cleanup;
    }

    const double start_s = now_s();
    /* Signals wait, so that none of our handlers runs in the child. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0)
        be_the_child(&l);
    const int fork_error = errno;
    close_fd(&l.report[1]); /* only the child may hold these, else their ends never come */
    close_fd(&l.pipes[0][1]);
    close_fd(&l.pipes[1][1]);
    if (pid > 0 && spec->policy == PIE_SANDBOX_TOOL)
        watcher = start_watcher(pid, &watcher_fd);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid < 0) {
        errno = fork_error;
        status = pie_log_errno(log, "sandbox: fork");
        goto cleanup;
    }
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        status = pie_log_errno(log, "sandbox: pidfd_open");
    if (status == PIE_OK)
        status = await_exec(&l, log);
    if (status == PIE_OK) {
        if (spec->attend)
            status = spec->attend(spec->context, pid, pidfd);
        else
            status = watch(&l, pid, pidfd, start_s, &result);
    }
    end_group(pid, &result);
    result.wall_s = now_s() - start_s;
    if (status == PIE_OK && result.limit == PIE_SANDBOX_NO_LIMIT && result.signal)
        result.limit = limit_of_signal(result.signal, result.cpu_s, spec->limits.cpu_s);
    /* All writers are dead: what is left in the pipes ends. */
    if (status == PIE_OK && result.limit != PIE_SANDBOX_HIT_OUTPUT &&
        !drain_both(&l, &result, &status) && status == PIE_OK)
        result.limit = PIE_SANDBOX_HIT_OUTPUT;
    if (status == PIE_ERR_NOMEM)
        pie_log_nomem(log);

cleanup:
    if (watcher > 0) {
        kill(watcher, SIGKILL);
        while (waitpid(watcher, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    prctl(PR_SET_CHILD_SUBREAPER, was_subreaper, 0, 0, 0);
    close_fd(&watcher_fd);
    close_fd(&pidfd);
    close_fd(&l.rules_fd);
    close_fd(&l.null_fd);
    for (int i = 0; i < 2; i++) {
        close_fd(&l.report[i]);
        close_fd(&l.pipes[0][i]);
        close_fd(&l.pipes[1][i]);
    }
    free(l.moved);
    pie_filter_free(&l.filter);
    if (status == PIE_OK)
        *ret_result = result;
    else
        pie_sandbox_result_free(&result);
    return status;
}

void pie_sandbox_result_free(pie_sandbox_result *result)
{
    pie_buf_free(&result->out);
    pie_buf_free(&result->err);
}

/* ---- what there is here --------------------------------------------------------------------- */

/* In a child, since it cannot be undone. */
static bool has_namespaces(void)
{
    int status = 1;
    const pid_t pid = fork();
    if (pid == 0)
        _exit(unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) == 0 ? 0 : 1);
    if (pid < 0)
        return false;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool has_seccomp(void)
{
    const uint32_t action = SECCOMP_RET_KILL_PROCESS;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

const char *pie_sandbox_protection(size_t index, bool *ret_present)
{
    static const char *const always =
        "limits: yes (memory, file size, open files, processor time, processes of the group)";
    const int landlock = index == 1 || index == 2 ? pie_landlock_version() : 0;
    bool present = true;
    const char *line = NULL;
    switch (index) {
    case 0:
        present = has_seccomp();
        line = present ? "seccomp: yes" : "seccomp: no (kernel without CONFIG_SECCOMP_FILTER)";
        break;
    case 1:
        present = landlock > 0;
        line =
            present
                ? "landlock: yes (compilers read system folders only, write their work folder only)"
                : "landlock: no (kernel without it: a compiler can read what its user can)";
        break;
    case 2:
        present = landlock >= 6;
        line = present ? "landlock scopes: yes (no signals to other processes)"
                       : "landlock scopes: no (needs Linux 6.12: a compiler can signal processes "
                         "of its user)";
        break;
    case 3:
        present = has_namespaces();
        line = present ? "namespaces: yes (user, network, ipc of compilers)"
                       : "namespaces: no (not permitted here: seccomp alone denies the network)";
        break;
    case 4:
        line = always;
        break;
    default:
        return NULL;
    }
    *ret_present = present;
    return line;
}
