/* filter.c - allow-lists of system calls.
 *
 * Refused calls fail with EPERM, so that a tool which can do without goes on; clone3 fails with
 * ENOSYS, since its flags lie in memory where no filter can look, and libc then uses clone. A call
 * through another ABI (int 0x80, x32) kills the process. */
#include "sandbox/filter.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALLOW(name) SCMP_SYS(name)
enum { END = INT32_MIN };

/* What both policies may do: memory, own state, time, reading files. */
static const int common_calls[] = {
    /* descriptors that are there already, and reading */
    ALLOW(read), ALLOW(readv), ALLOW(pread64), ALLOW(preadv), ALLOW(preadv2), ALLOW(write),
    ALLOW(writev), ALLOW(pwrite64), ALLOW(pwritev), ALLOW(pwritev2), ALLOW(close),
    ALLOW(close_range), ALLOW(lseek), ALLOW(dup), ALLOW(dup2), ALLOW(dup3), ALLOW(pipe),
    ALLOW(pipe2), ALLOW(poll), ALLOW(ppoll), ALLOW(select), ALLOW(pselect6), ALLOW(eventfd2),
    ALLOW(ftruncate), ALLOW(fadvise64), ALLOW(open), ALLOW(openat), ALLOW(stat), ALLOW(lstat),
    ALLOW(fstat), ALLOW(newfstatat), ALLOW(statx), ALLOW(statfs), ALLOW(fstatfs), ALLOW(access),
    ALLOW(faccessat), ALLOW(faccessat2), ALLOW(readlink), ALLOW(readlinkat), ALLOW(getdents),
    ALLOW(getdents64), ALLOW(getcwd), ALLOW(memfd_create),
    /* memory */
    ALLOW(mmap), ALLOW(mprotect), ALLOW(munmap), ALLOW(mremap), ALLOW(madvise), ALLOW(brk),
    ALLOW(msync), ALLOW(mincore), ALLOW(get_mempolicy), ALLOW(membarrier),
    /* threads and processes; clone, kill and prctl by argument, below */
    ALLOW(execve), ALLOW(exit), ALLOW(exit_group), ALLOW(wait4), ALLOW(waitid), ALLOW(futex),
    ALLOW(set_tid_address), ALLOW(set_robust_list), ALLOW(get_robust_list), ALLOW(rseq),
    ALLOW(arch_prctl), ALLOW(sched_yield), ALLOW(sched_getaffinity), ALLOW(sched_getparam),
    ALLOW(sched_getscheduler), ALLOW(getcpu), ALLOW(getpid), ALLOW(getppid), ALLOW(gettid),
    ALLOW(getpgrp), ALLOW(getpgid), ALLOW(getsid), ALLOW(getuid), ALLOW(geteuid), ALLOW(getgid),
    ALLOW(getegid), ALLOW(getresuid), ALLOW(getresgid), ALLOW(getgroups), ALLOW(capget),
    ALLOW(getrlimit), ALLOW(getrusage), ALLOW(times), ALLOW(umask),
    /* signals */
    ALLOW(rt_sigaction), ALLOW(rt_sigprocmask), ALLOW(rt_sigreturn), ALLOW(rt_sigsuspend),
    ALLOW(rt_sigpending), ALLOW(rt_sigtimedwait), ALLOW(sigaltstack), ALLOW(tgkill), ALLOW(tkill),
    ALLOW(pause), ALLOW(restart_syscall), ALLOW(alarm), ALLOW(getitimer), ALLOW(setitimer),
    /* facts and time */
    ALLOW(uname), ALLOW(sysinfo), ALLOW(getrandom), ALLOW(clock_gettime), ALLOW(clock_getres),
    ALLOW(gettimeofday), ALLOW(time), ALLOW(nanosleep), ALLOW(clock_nanosleep), END};

/* A compiler also makes processes and changes files; Landlock says which. */
static const int tool_calls[] = {ALLOW(fork),
                                 ALLOW(vfork),
                                 ALLOW(creat),
                                 ALLOW(chdir),
                                 ALLOW(fchdir),
                                 ALLOW(mkdir),
                                 ALLOW(mkdirat),
                                 ALLOW(rmdir),
                                 ALLOW(unlink),
                                 ALLOW(unlinkat),
                                 ALLOW(rename),
                                 ALLOW(renameat),
                                 ALLOW(renameat2),
                                 ALLOW(link),
                                 ALLOW(linkat),
                                 ALLOW(symlink),
                                 ALLOW(symlinkat),
                                 ALLOW(chmod),
                                 ALLOW(fchmod),
                                 ALLOW(fchmodat),
                                 ALLOW(utime),
                                 ALLOW(utimes),
                                 ALLOW(utimensat),
                                 ALLOW(futimesat),
                                 ALLOW(truncate),
                                 ALLOW(fallocate),
                                 ALLOW(fsync),
                                 ALLOW(fdatasync),
                                 ALLOW(sync_file_range),
                                 ALLOW(copy_file_range),
                                 ALLOW(sendfile),
                                 ALLOW(flock),
                                 END};

/* qemu before the guest starts; the tracer adds its own filter, hence seccomp. */
static const int guest_calls[] = {ALLOW(fork), ALLOW(vfork), ALLOW(seccomp), END};

/* Calls of which one argument decides. The low 32 bits of argument @argument under @mask must equal
 * @value; the kernel looks at no more for these. */
typedef struct allow_if {
    int call;
    unsigned argument;
    uint32_t mask, value;
} allow_if;

#define EXACTLY UINT32_MAX
#define NEW_NAMESPACES                                                                            \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
     CLONE_NEWNET)

static const allow_if common_if[] = {
    {SCMP_SYS(clone), 0, NEW_NAMESPACES, 0},
    {SCMP_SYS(kill), 1, EXACTLY, 0},           /* asks whether a process lives */
    {SCMP_SYS(kill), 0, UINT32_C(1) << 31, 0}, /* one process or the own group, never -1 */
    {SCMP_SYS(prlimit64), 0, EXACTLY, 0},      /* of itself; can only lower hard limits */
    {SCMP_SYS(setrlimit), 0, 0, 0},
    {SCMP_SYS(ioctl), 1, EXACTLY, TCGETS},
    {SCMP_SYS(ioctl), 1, EXACTLY, TIOCGWINSZ},
    {SCMP_SYS(ioctl), 1, EXACTLY, FIONREAD},
    {SCMP_SYS(ioctl), 1, EXACTLY, FIOCLEX},
    {SCMP_SYS(ioctl), 1, EXACTLY, FIONCLEX},
    /* all but those that make the kernel send signals to an owner */
    {SCMP_SYS(fcntl), 1, EXACTLY, F_DUPFD},
    {SCMP_SYS(fcntl), 1, EXACTLY, F_DUPFD_CLOEXEC},
    {SCMP_SYS(fcntl), 1, EXACTLY, F_GETFD},
    {SCMP_SYS(fcntl), 1, EXACTLY, F_SETFD},
    {SCMP_SYS(fcntl), 1, EXACTLY, F_GETFL},
    {SCMP_SYS(fcntl), 1, EXACTLY, F_SETFL},
    {SCMP_SYS(fcntl), 1, EXACTLY, F_GETLK},
    {SCMP_SYS(fcntl), 1, EXACTLY, F_SETLK},
    {SCMP_SYS(fcntl), 1, EXACTLY, F_SETLKW},
    {SCMP_SYS(fcntl), 1, EXACTLY, F_GETPIPE_SZ},
    {SCMP_SYS(fcntl), 1, EXACTLY, F_GET_SEALS},
    {SCMP_SYS(fcntl), 1, EXACTLY, F_ADD_SEALS},
    {SCMP_SYS(prctl), 0, EXACTLY, PR_SET_NAME},
    {SCMP_SYS(prctl), 0, EXACTLY, PR_GET_NAME},
    {SCMP_SYS(prctl), 0, EXACTLY, PR_GET_DUMPABLE},
    {SCMP_SYS(prctl), 0, EXACTLY, PR_GET_PDEATHSIG},
    {SCMP_SYS(prctl), 0, EXACTLY, PR_SET_VMA},
    {SCMP_SYS(prctl), 0, EXACTLY, PR_CAPBSET_READ},
    {END, 0, 0, 0}};

static const allow_if tool_if[] = {{END, 0, 0, 0}};

static const allow_if guest_if[] = {{SCMP_SYS(prctl), 0, EXACTLY, PR_SET_TSC},
                                    {SCMP_SYS(prctl), 0, EXACTLY, PR_GET_TSC},
                                    {SCMP_SYS(prctl), 0, EXACTLY, PR_SET_NO_NEW_PRIVS},
                                    {SCMP_SYS(prctl), 0, EXACTLY, PR_GET_NO_NEW_PRIVS},
                                    {SCMP_SYS(prctl), 0, EXACTLY, PR_SET_SECCOMP},
                                    {SCMP_SYS(prctl), 0, EXACTLY, PR_GET_SECCOMP},
                                    {SCMP_SYS(prctl), 0, EXACTLY, PR_SET_DUMPABLE},
                                    {END, 0, 0, 0}};

static int add_calls(scmp_filter_ctx filter, const int *calls, const allow_if *conditions)
{
    int result = 0;
    for (; result == 0 && *calls != END; calls++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, *calls, 0);
    for (; result == 0 && conditions->call != END; conditions++) {
        const allow_if *c = conditions;
        result = c->mask ? seccomp_rule_add(filter, SCMP_ACT_ALLOW, c->call, 1,
                                            SCMP_CMP(c->argument, SCMP_CMP_MASKED_EQ,
                                                     (scmp_datum_t)c->mask, (scmp_datum_t)c->value))
                         : seccomp_rule_add(filter, SCMP_ACT_ALLOW, c->call, 0);
    }
    return result;
}

/* libseccomp 2.5 hands its program out through a descriptor only. */
static pie_status export_program(scmp_filter_ctx filter, const pie_log *log, pie_filter *ret_filter)
{
    struct sock_filter *program = NULL;
    pie_status status = PIE_ERR_IO;
    const int fd = memfd_create("pie-filter", MFD_CLOEXEC);
    if (fd < 0)
        return pie_log_errno(log, "sandbox: memfd_create");
    const int result = seccomp_export_bpf(filter, fd);
    if (result < 0) {
        errno = -result;
        status = pie_log_errno(log, "sandbox: exporting the seccomp filter");
        goto cleanup;
    }
    const off_t size = lseek(fd, 0, SEEK_END);
    if (size <= 0 || (size_t)size % sizeof *program != 0) {
        pie_log_error(log, "sandbox: the seccomp filter has an impossible size");
        goto cleanup;
    }
    program = malloc((size_t)size);
    if (!program) {
        status = pie_log_nomem(log);
        goto cleanup;
    }
    if (pread(fd, program, (size_t)size, 0) != size) {
        status = pie_log_errno(log, "sandbox: reading the seccomp filter");
        goto cleanup;
    }
    *ret_filter = (pie_filter){program, (size_t)size / sizeof *program};
    program = NULL;
    status = PIE_OK;
cleanup:
    free(program);
    close(fd);
    return status;
}

pie_status pie_filter_build(int32_t policy, const pie_log *log, pie_filter *ret_filter)
{
    const bool tool = policy == PIE_SANDBOX_TOOL;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return pie_log_nomem(log);
    pie_status status = PIE_ERR_UNAVAILABLE;
    /* Whether the kernel takes the program shows when the child loads it; libseccomp's own probe
     * fails where seccomp(2) is not passed on, as under valgrind. */
    seccomp_api_set(3);
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (result == 0) /* a binary search instead of a chain: every call pays for it */
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (result == 0)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (result == 0)
        result = add_calls(filter, common_calls, common_if);
    if (result == 0)
        result = tool ? add_calls(filter, tool_calls, tool_if)
                      : add_calls(filter, guest_calls, guest_if);
    if (result != 0) {
        errno = -result;
        pie_log_errno(log, "sandbox: building the seccomp filter");
        goto cleanup;
    }
    status = export_program(filter, log, ret_filter);
cleanup:
    seccomp_release(filter);
    return status;
}

void pie_filter_free(pie_filter *filter)
{
    free(filter->program);
    *filter = (pie_filter){0};
}
