/* interpose.c - functions of libc as qemu sees them.
 *
 * The tracer is preloaded, so qemu's calls of these come here first. Until the plugin is installed
 * they behave as the originals, but for the thread that is never started. */
#include "tracer.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define t the_tracer
#define INTERPOSE __attribute__((visibility("default")))

/* ---- time: from instructions executed. qemu would ask the host's vDSO, which no filter sees ----
 */

INTERPOSE int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    if (!t.installed)
        return (int)syscall(SYS_clock_gettime, clock, ret_time);
    uint64_t ns = answers_time_ns();
    if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE && clock != CLOCK_TAI)
        ns -= PIE_GUEST_EPOCH_NS;
    ret_time->tv_sec = (time_t)(ns / 1000000000);
    ret_time->tv_nsec = (long)(ns % 1000000000);
    return 0;
}

INTERPOSE int clock_getres(clockid_t clock, struct timespec *ret_resolution)
{
    (void)clock;
    if (ret_resolution)
        *ret_resolution = (struct timespec){.tv_nsec = 1};
    return 0;
}

INTERPOSE int gettimeofday(struct timeval *restrict ret_time, void *restrict zone)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *ret_time = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    if (zone)
        memset(zone, 0, sizeof(struct timezone));
    return 0;
}

INTERPOSE time_t time(time_t *ret_time)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret_time)
        *ret_time = now.tv_sec;
    return now.tv_sec;
}

/* ---- who and where the guest is ---- */

INTERPOSE pid_t getpid(void)
{
    return PIE_GUEST_PID;
}

INTERPOSE uid_t getuid(void)
{
    return PIE_GUEST_UID;
}

INTERPOSE uid_t geteuid(void)
{
    return PIE_GUEST_UID;
}

INTERPOSE gid_t getgid(void)
{
    return PIE_GUEST_UID;
}

INTERPOSE gid_t getegid(void)
{
    return PIE_GUEST_UID;
}

INTERPOSE int uname(struct utsname *ret_names)
{
    *ret_names = (struct utsname){.sysname = "Linux",
                                  .nodename = "pie",
                                  .release = "5.10.0",
                                  .version = "#1 SMP",
                                  .machine = "x86_64"};
    return 0;
}

/* ---- threads: qemu's own second one (RCU) has nothing to do while there is one CPU and is not
 * started; so there is no second thread that the filter would have to reach ---- */

INTERPOSE int pthread_create(pthread_t *restrict ret_thread,
                             const pthread_attr_t *restrict attributes, void *(*run)(void *),
                             void *restrict argument)
{
    (void)attributes;
    (void)run;
    (void)argument;
    if (t.installed && t.in_syscall)
        return EAGAIN;
    memset(ret_thread, 0, sizeof *ret_thread);
    return 0;
}

/* ---- memory: what the guest was refused fails here, inside qemu ---- */

INTERPOSE void *mmap64(void *address, size_t n_bytes, int protection, int flags, int fd,
                       off64_t offset)
{
    if (t.refuse_memory) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, address, n_bytes, protection, flags, fd, offset);
}

INTERPOSE void *mremap(void *address, size_t n_old, size_t n_new, int flags, ...)
{
    if (t.refuse_memory) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    va_list args;
    va_start(args, flags);
    void *to = flags & MREMAP_FIXED ? va_arg(args, void *) : NULL;
    va_end(args);
    return (void *)syscall(SYS_mremap, address, n_old, n_new, flags, to);
}

/* qemu gives pages of guest code the guest's own protection, less PROT_WRITE, to notice when code
 * changes. The host never executes them, and the filter lets nothing become executable. */
INTERPOSE int mprotect(void *address, size_t n_bytes, int protection)
{
    if ((uintptr_t)address < PIE_GUEST_ADDRESS_LIMIT)
        protection &= ~PROT_EXEC;
    return (int)syscall(SYS_mprotect, address, n_bytes, protection);
}

/* ---- signals ---- */

typedef int (*sigaction_function)(int, const struct sigaction *, struct sigaction *);

/* SIGSYS stays ours, and every SIGSEGV passes by us first. */
INTERPOSE int sigaction(int sig, const struct sigaction *restrict action,
                        struct sigaction *restrict ret_old)
{
    void *const symbol = dlsym(RTLD_NEXT, "sigaction");
    sigaction_function next;
    memcpy(&next, &symbol, sizeof next);
    if (!symbol) {
        errno = ENOSYS;
        return -1;
    }
    if (sig == SIGSYS && t.begun && action) {
        if (ret_old)
            memset(ret_old, 0, sizeof *ret_old);
        return 0;
    }
    if (!action || !(action->sa_flags & SA_SIGINFO))
        return next(sig, action, ret_old);
    struct sigaction ours = *action;
    sigdelset(&ours.sa_mask, SIGSYS); /* a trap while it is blocked would kill the process */
    if (sig == SIGSEGV) {
        t.qemu_segv = *action;
        ours.sa_sigaction = answers_on_segv;
    }
    return next(sig, &ours, ret_old);
}

/* qemu blocks every signal just before it delivers one to the guest. The guest's rip is then the
 * faulting instruction; outside of system calls every delivery is a fault of the running block. */
static int set_mask(int how, const sigset_t *set, sigset_t *ret_old)
{
    uint64_t mask = 0;
    if (set) {
        memcpy(&mask, set, sizeof mask);
        const bool all = mask & UINT64_C(1) << (SIGKILL - 1) && mask & UINT64_C(1) << (SIGSEGV - 1);
        if (how == SIG_SETMASK && all && t.env && !t.in_syscall)
            tracer_interrupted(t.env[16], true);
        if (how != SIG_UNBLOCK)
            mask &= ~(UINT64_C(1) << (SIGSYS - 1));
    }
    uint64_t old = 0;
    if (syscall(SYS_rt_sigprocmask, how, set ? &mask : NULL, &old, sizeof mask) != 0)
        return errno;
    if (ret_old) {
        memset(ret_old, 0, sizeof *ret_old);
        memcpy(ret_old, &old, sizeof old);
    }
    return 0;
}

INTERPOSE int sigprocmask(int how, const sigset_t *restrict set, sigset_t *restrict ret_old)
{
    const int error = set_mask(how, set, ret_old);
    if (error)
        errno = error;
    return error ? -1 : 0;
}

INTERPOSE int pthread_sigmask(int how, const sigset_t *restrict set, sigset_t *restrict ret_old)
{
    return set_mask(how, set, ret_old);
}

/* qemu ends itself this way, with the signal that ended the guest. */
INTERPOSE int kill(pid_t pid, int sig)
{
    if (!t.installed || sig == 0)
        return (int)syscall(SYS_kill, pid == PIE_GUEST_PID ? syscall(SYS_getpid) : pid, sig);
    switch (sig) {
    case SIGXFSZ:
        tracer_finish(PIE_TRACER_OUTPUT_LIMIT, 0, "output limit reached");
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
        tracer_finish(PIE_TRACER_SIGNALLED, sig, "");
    default:
        tracer_finish(PIE_TRACER_BROKEN, 0, "qemu was killed from outside");
    }
}
