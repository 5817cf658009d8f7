/* answers.c - system calls answered here instead of by the host, rdtsc, and the seccomp filter.
 *
 * The filter lets through what is harmless and traps the rest: the kernel then delivers SIGSYS,
 * whose handler puts an answer into the register where the caller expects it. Every value is listed
 * in docs/internals/guest-environment.md; a change of one is a new PIE_GUEST_ENVIRONMENT. */
#include "tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define t the_tracer

#define HOST_LIMIT (UINT64_C(1) << 47) /* end of the user's half of the address space */

enum { GUEST_RAM_GIB = 8, CLOCK_TICKS = 100, MAX_RANDOM = 1 << 25 };

/* ---- time ----------------------------------------------------------------------------------- */

static uint64_t since_start_ns(uint64_t n_insns)
{
    return n_insns / PIE_GUEST_INSNS_PER_NS + t.slept_ns;
}

uint64_t answers_time_ns(void)
{
    return PIE_GUEST_EPOCH_NS + since_start_ns(tracer_instructions());
}

static void sleep_for(const struct timespec *time, bool absolute, uint64_t now_ns)
{
    if (!time || time->tv_sec < 0 || time->tv_sec > INT32_MAX)
        return;
    const uint64_t ns = (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
    if (!absolute)
        t.slept_ns += ns;
    else if (ns > now_ns)
        t.slept_ns += ns - now_ns;
}

static bool is_rdtsc(const uint8_t *code, unsigned *ret_length)
{
    *ret_length = code[1] == 0x31 ? 2 : 3;
    return code[0] == 0x0f && (code[1] == 0x31 || (code[1] == 0x01 && code[2] == 0xf9));
}

/* Two kinds come here before qemu sees them: the time stamp counter, which is switched off, and
 * accesses of translated code, of which qemu may or may not come back. */
void answers_on_segv(int signal, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    unsigned length;
    if (info->si_code == SI_KERNEL && t.env &&
        is_rdtsc((const uint8_t *)registers[REG_RIP], &length)) {
        const uint64_t stamp =
            tracer_instructions_at(t.env[16]) + t.slept_ns * PIE_GUEST_INSNS_PER_NS;
        registers[REG_RAX] = (greg_t)(stamp & UINT32_MAX);
        registers[REG_RDX] = (greg_t)(stamp >> 32);
        if (length == 3)
            registers[REG_RCX] = 0;
        registers[REG_RIP] += length;
        return;
    }
    /* Whether something of qemu's is mapped there is chance; the verdict must not be. */
    const uintptr_t address = (uintptr_t)info->si_addr;
    if (t.env && info->si_code > 0 && address >= PIE_GUEST_ADDRESS_LIMIT && address < HOST_LIMIT)
        tracer_touched_host_memory();
    uint64_t *end = t.end;
    t.attention |= ATTENTION_HOST_FAULT;
    t.end = NULL;
    t.qemu_segv.sa_sigaction(signal, info, context);
    /* it returned: the access is simply made again */
    t.attention &= ~(uint32_t)ATTENTION_HOST_FAULT;
    t.end = end;
}

/* ---- answers -------------------------------------------------------------------------------- */

bool answers_is_mapped(uint64_t address, uint64_t n_bytes)
{
    return ranges_overlap(&t.memory, address, address + n_bytes) == n_bytes ||
           (address >= t.stack.address && address + n_bytes <= t.stack.address + t.stack.n_bytes);
}

static uint64_t next_random(void)
{
    uint64_t z = t.random_state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static long answer_random(uint8_t *buffer, uint64_t n)
{
    if (n > MAX_RANDOM)
        n = MAX_RANDOM;
    for (uint64_t i = 0; i < n; i += 8) {
        const uint64_t value = next_random();
        memcpy(buffer + i, &value, n - i < 8 ? n - i : 8);
    }
    return (long)n;
}

/* Standard streams are regular files of no device; the size of the input is true. */
static long answer_stat(int fd, struct stat *ret_stat)
{
    if (fd < 0 || fd > 2)
        return -EBADF;
    const off_t at = lseek(fd, 0, SEEK_CUR);
    if (at < 0)
        return -errno;
    memset(ret_stat, 0, sizeof *ret_stat);
    ret_stat->st_mode = S_IFREG | 0600;
    ret_stat->st_nlink = 1;
    ret_stat->st_uid = ret_stat->st_gid = PIE_GUEST_UID;
    ret_stat->st_blksize = 4096;
    if (fd == 0) {
        ret_stat->st_size = lseek(0, 0, SEEK_END);
        ret_stat->st_blocks = (ret_stat->st_size + 511) / 512;
        lseek(0, at, SEEK_SET);
    }
    return 0;
}

static long answer_limit(uint64_t resource, struct rlimit *ret_limit)
{
    if (!ret_limit)
        return 0; /* sets one: no effect */
    *ret_limit = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    if (resource == RLIMIT_STACK)
        ret_limit->rlim_cur = t.limit_stack;
    else if (resource == RLIMIT_NOFILE)
        *ret_limit = (struct rlimit){64, 64};
    else if (resource == RLIMIT_CORE)
        *ret_limit = (struct rlimit){0, 0};
    return 0;
}

/* The only thread of the guest: nobody wakes it. */
static long answer_futex(const uint64_t *a, uint64_t now_ns)
{
    const unsigned op = (unsigned)a[1] & (unsigned)FUTEX_CMD_MASK;
    if (op == FUTEX_WAKE || op == FUTEX_WAKE_BITSET || op == FUTEX_REQUEUE ||
        op == FUTEX_CMP_REQUEUE)
        return 0;
    if (op != FUTEX_WAIT && op != FUTEX_WAIT_BITSET)
        return -ENOSYS;
    if (a[0] % 4 != 0 || !answers_is_mapped(a[0], 4))
        return -EFAULT;
    if (*(const volatile uint32_t *)(uintptr_t)a[0] != (uint32_t)a[2])
        return -EAGAIN;
    if (!a[3])
        tracer_finish(PIE_TRACER_INSTRUCTION_LIMIT, 0, "the program waits forever");
    const bool wall = a[1] & FUTEX_CLOCK_REALTIME;
    sleep_for((const struct timespec *)(uintptr_t)a[3], op == FUTEX_WAIT_BITSET,
              wall ? PIE_GUEST_EPOCH_NS + now_ns : now_ns);
    return -ETIMEDOUT;
}

static long answer(long number, const uint64_t *a)
{
    const uint64_t now_ns = since_start_ns(tracer_instructions());
    void *const first = (void *)(uintptr_t)a[0];
    switch (number) {
    case SYS_getrandom:
        return answer_random(first, a[1]);
    case SYS_set_tid_address:
    case SYS_gettid:
    case SYS_getpid:
    case SYS_getpgrp:
    case SYS_getpgid:
    case SYS_getsid:
        return PIE_GUEST_PID;
    case SYS_getppid:
        return 1;
    case SYS_getuid:
    case SYS_geteuid:
    case SYS_getgid:
    case SYS_getegid:
        return PIE_GUEST_UID;
    case SYS_newfstatat:
        if (a[3] & AT_EMPTY_PATH && a[1] && !*(const char *)(uintptr_t)a[1])
            return answer_stat((int)a[0], (struct stat *)(uintptr_t)a[2]);
        return -ENOENT;
    case SYS_fstat:
        return answer_stat((int)a[0], (struct stat *)(uintptr_t)a[1]);
    case SYS_statx:
        return -ENOSYS; /* qemu then asks newfstatat */
    case SYS_stat:
    case SYS_lstat:
    case SYS_access:
    case SYS_faccessat:
    case SYS_faccessat2:
    case SYS_readlink:
    case SYS_readlinkat:
    case SYS_getcwd:
        return -ENOENT;
    case SYS_open:
    case SYS_openat:
    case SYS_openat2:
    case SYS_creat:
        return -EACCES;
    case SYS_ioctl:
        return -ENOTTY;
    case SYS_fcntl:
        if (a[0] > 2 || lseek((int)a[0], 0, SEEK_CUR) < 0)
            return -EBADF;
        if ((int)a[1] == F_GETFL)
            return a[0] == 0 ? O_RDONLY : O_WRONLY;
        return (int)a[1] == F_GETFD || (int)a[1] == F_SETFD ? 0 : -EPERM;
    case SYS_uname:
        return uname(first);
    case SYS_sysinfo: {
        struct sysinfo *info = first;
        memset(info, 0, sizeof *info);
        info->totalram = (uint64_t)GUEST_RAM_GIB << 30;
        info->freeram = info->totalram / 2;
        info->procs = 1;
        info->mem_unit = 1;
        return 0;
    }
    case SYS_sched_getaffinity: {
        if (a[1] < 8)
            return -EINVAL;
        const uint64_t one = 1;
        memcpy((void *)(uintptr_t)a[2], &one, sizeof one);
        return sizeof one;
    }
    case SYS_getcpu:
        if (a[0])
            *(unsigned *)first = 0;
        if (a[1])
            *(unsigned *)(uintptr_t)a[1] = 0;
        return 0;
    case SYS_sched_yield:
        return 0;
    case SYS_getrlimit:
        return answer_limit(a[0], (struct rlimit *)(uintptr_t)a[1]);
    case SYS_setrlimit:
        return 0;
    case SYS_prlimit64:
        return answer_limit(a[1], (struct rlimit *)(uintptr_t)a[3]);
    case SYS_getrusage: {
        struct rusage *usage = (struct rusage *)(uintptr_t)a[1];
        memset(usage, 0, sizeof *usage);
        usage->ru_utime.tv_sec = (time_t)(now_ns / 1000000000);
        usage->ru_utime.tv_usec = (suseconds_t)(now_ns % 1000000000 / 1000);
        return 0;
    }
    case SYS_times: {
        const long ticks = (long)(now_ns / (1000000000 / CLOCK_TICKS));
        if (first)
            *(struct tms *)first = (struct tms){.tms_utime = ticks};
        return ticks;
    }
    case SYS_clock_gettime:
        return clock_gettime((clockid_t)a[0], (struct timespec *)(uintptr_t)a[1]);
    case SYS_clock_getres:
        return clock_getres((clockid_t)a[0], (struct timespec *)(uintptr_t)a[1]);
    case SYS_gettimeofday:
        return gettimeofday(first, NULL);
    case SYS_time:
        return time(first);
    case SYS_nanosleep:
        sleep_for(first, false, 0);
        return 0;
    case SYS_clock_nanosleep:
        sleep_for((const struct timespec *)(uintptr_t)a[2], a[1] & TIMER_ABSTIME,
                  a[0] == CLOCK_REALTIME ? PIE_GUEST_EPOCH_NS + now_ns : now_ns);
        return 0;
    case SYS_ppoll: /* qemu makes poll and select of these two */
        if (a[1] != 0)
            return -EPERM;
        sleep_for((const struct timespec *)(uintptr_t)a[2], false, 0);
        return 0;
    case SYS_pselect6:
        if (a[0] != 0)
            return -EPERM;
        sleep_for((const struct timespec *)(uintptr_t)a[4], false, 0);
        return 0;
    case SYS_futex:
        return answer_futex(a, now_ns);
    case SYS_wait4:
    case SYS_waitid:
        return -ECHILD;
    case SYS_close:
        return -EBADF;
    case SYS_membarrier:
        return -ENOSYS;
    default:
        return -EPERM;
    }
}

static void on_sigsys(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    const int saved = errno;
    const uint64_t a[6] = {(uint64_t)r[REG_RDI], (uint64_t)r[REG_RSI], (uint64_t)r[REG_RDX],
                           (uint64_t)r[REG_R10], (uint64_t)r[REG_R8],  (uint64_t)r[REG_R9]};
    r[REG_RAX] = answer(info->si_syscall, a);
    errno = saved;
}

/* ---- the filter ----------------------------------------------------------------------------- */

/* Calls that always pass. */
static const int free_calls[] = {
    SCMP_SYS(munmap),         SCMP_SYS(madvise),      SCMP_SYS(mremap),         SCMP_SYS(brk),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),    SCMP_SYS(exit),
    SCMP_SYS(exit_group),     SCMP_SYS(rseq),         SCMP_SYS(set_robust_list)};

/* What the dynamic loader may not learn of the host. */
static const int host_facts[] = {
    SCMP_SYS(getrandom), SCMP_SYS(set_tid_address), SCMP_SYS(gettid),
    SCMP_SYS(getpid),    SCMP_SYS(getppid),         SCMP_SYS(getuid),
    SCMP_SYS(geteuid),   SCMP_SYS(getgid),          SCMP_SYS(getegid),
    SCMP_SYS(uname),     SCMP_SYS(sysinfo),         SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getcpu),    SCMP_SYS(getrlimit),       SCMP_SYS(prlimit64),
    SCMP_SYS(getrusage), SCMP_SYS(times),           SCMP_SYS(clock_gettime),
    SCMP_SYS(readlink),  SCMP_SYS(readlinkat),      SCMP_SYS(gettimeofday),
    SCMP_SYS(time)};

#define LOW32 UINT64_C(0xffffffff)

static int add_strict(scmp_filter_ctx filter)
{
    const uint32_t allow = SCMP_ACT_ALLOW;
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof free_calls / sizeof *free_calls; i++)
        result = seccomp_rule_add(filter, allow, free_calls[i], 0);
    static const int of_input[] = {SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64)};
    for (size_t i = 0; result == 0 && i < sizeof of_input / sizeof *of_input; i++)
        result =
            seccomp_rule_add(filter, allow, of_input[i], 1, SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, 0));
    for (uint64_t fd = 0; result == 0 && fd <= 2; fd++) {
        static const int of_all[] = {SCMP_SYS(lseek), SCMP_SYS(close)};
        static const int of_output[] = {SCMP_SYS(write), SCMP_SYS(writev)};
        for (size_t i = 0; result == 0 && i < 2; i++) {
            result = seccomp_rule_add(filter, allow, of_all[i], 1,
                                      SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, fd));
            if (result == 0 && fd > 0)
                result = seccomp_rule_add(filter, allow, of_output[i], 1,
                                          SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, fd));
        }
    }
    /* memory that the host will never execute: anonymous, or the input, which is sealed, or the
     * frame of a guest that has one */
    const uint64_t mappable[] = {LOW32, 0, t.frame_fd};
    for (size_t i = 0; result == 0 && i < (t.frame_fd ? 3 : 2); i++)
        result = seccomp_rule_add(filter, allow, SCMP_SYS(mmap), 2,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
                                  SCMP_A4(SCMP_CMP_MASKED_EQ, LOW32, mappable[i]));
    if (result == 0)
        result = seccomp_rule_add(filter, allow, SCMP_SYS(mprotect), 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (result == 0)
        result = seccomp_rule_add(filter, allow, SCMP_SYS(rt_sigaction), 1,
                                  SCMP_A0(SCMP_CMP_NE, SIGSYS, 0));
    if (result == 0) /* the ring's own */
        result = seccomp_rule_add(filter, allow, SCMP_SYS(futex), 1,
                                  SCMP_A0(SCMP_CMP_GE, PIE_GUEST_ADDRESS_LIMIT, 0));
    return result;
}

void answers_filter(bool strict)
{
    scmp_filter_ctx filter = seccomp_init(strict ? SCMP_ACT_TRAP : SCMP_ACT_ALLOW);
    int result = filter ? 0 : -ENOMEM;
    if (result == 0)
        result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (result == 0 && strict)
        result = add_strict(filter);
    for (size_t i = 0; result == 0 && !strict && i < sizeof host_facts / sizeof *host_facts; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_TRAP, host_facts[i], 0);
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    if (result != 0)
        tracer_finish(PIE_TRACER_BROKEN, 0, "the seccomp filter could not be loaded");
    t.filtered = strict;
}

/* What is mapped below the guest's limit: image, loader, stack. */
static void read_areas(void)
{
    FILE *file = fopen("/proc/self/maps", "re");
    char line[512];
    if (!file)
        tracer_finish(PIE_TRACER_BROKEN, 0, "/proc/self/maps cannot be read");
    while (fgets(line, sizeof line, file)) {
        unsigned long long start, end;
        if (sscanf(line, "%llx-%llx", &start, &end) != 2 || end > PIE_GUEST_ADDRESS_LIMIT)
            continue;
        if (t.n_areas == MAX_AREAS)
            tracer_finish(PIE_TRACER_BROKEN, 0, "the program has too many segments");
        t.areas[t.n_areas++] = (area){start, end - start};
    }
    fclose(file);
}

void answers_begin(void)
{
    struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigfillset(&action.sa_mask);
    read_areas();
    if (sigaction(SIGSYS, &action, NULL) != 0 || prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) != 0)
        tracer_finish(PIE_TRACER_BROKEN, 0, "the time stamp counter cannot be hidden");
    t.begun = true;
}
