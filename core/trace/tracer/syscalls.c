/* syscalls.c - what the guest asks of the system: accounts, limits, refusals.
 *
 * Seen before qemu acts and after it has. Nothing can be skipped here, but the run can end, and
 * requests for memory can be made to fail (interpose.c). What may reach the kernel is the filter's
 * business (answers.c). */
#include "tracer.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define t the_tracer

enum { PAGE = 4096, AT_EMPTY = 0x1000 /* AT_EMPTY_PATH */, MAX_IOVECS = 64 };

static uint64_t page_up(uint64_t n)
{
    return (n + PAGE - 1) / PAGE * PAGE;
}

/* Does the call concern standard input? Its position or size then, so it is no longer start-up. */
static bool names_stdin(int64_t number, const uint64_t *a)
{
    switch (number) {
    case SYS_read:
    case SYS_readv:
    case SYS_pread64:
    case SYS_preadv:
    case SYS_preadv2:
    case SYS_fstat:
    case SYS_lseek:
    case SYS_ioctl:
    case SYS_fcntl:
    case SYS_dup:
    case SYS_dup2:
    case SYS_dup3:
    case SYS_close:
    case SYS_newfstatat:
    case SYS_statx:
    case SYS_fadvise64:
        return (int32_t)a[0] == 0;
    case SYS_mmap:
        return !(a[3] & MAP_ANONYMOUS) && (int32_t)a[4] == 0;
    case SYS_sendfile:
        return true;
    case SYS_poll:
    case SYS_ppoll:
        return a[1] != 0;
    case SYS_select:
    case SYS_pselect6:
        return a[0] != 0;
    default:
        return false;
    }
}

/* Calls that no program needs for computing; to make one is a verdict. Everything else that is not
 * allowed merely fails (docs/internals/guest-environment.md). */
static const char *forbidden_name(int64_t number)
{
    switch (number) {
#define FORBID(name) \
    case SYS_##name: \
        return #name
        FORBID(clone);
        FORBID(fork);
        FORBID(vfork);
        FORBID(clone3);
        FORBID(execve);
        FORBID(execveat);
        FORBID(unshare);
        FORBID(setns);
        FORBID(ptrace);
        FORBID(process_vm_readv);
        FORBID(process_vm_writev);
        FORBID(pidfd_open);
        FORBID(pidfd_send_signal);
        FORBID(pidfd_getfd);
        FORBID(rt_sigqueueinfo);
        FORBID(rt_tgsigqueueinfo);
        FORBID(socket);
        FORBID(socketpair);
        FORBID(connect);
        FORBID(bind);
        FORBID(listen);
        FORBID(accept);
        FORBID(accept4);
        FORBID(sendto);
        FORBID(sendmsg);
        FORBID(sendmmsg);
        FORBID(recvfrom);
        FORBID(recvmsg);
        FORBID(recvmmsg);
        FORBID(shmget);
        FORBID(shmat);
        FORBID(msgget);
        FORBID(semget);
        FORBID(mq_open);
        FORBID(memfd_create);
        FORBID(io_uring_setup);
        FORBID(io_setup);
        FORBID(bpf);
        FORBID(perf_event_open);
        FORBID(userfaultfd);
        FORBID(seccomp);
        FORBID(mount);
        FORBID(umount2);
        FORBID(chroot);
        FORBID(pivot_root);
        FORBID(reboot);
        FORBID(kexec_load);
        FORBID(init_module);
        FORBID(finit_module);
        FORBID(delete_module);
        FORBID(add_key);
        FORBID(request_key);
        FORBID(keyctl);
#undef FORBID
    default:
        return NULL;
    }
}

static _Noreturn void forbid(int64_t number, const char *name)
{
    char reason[sizeof t.result.reason];
    snprintf(reason, sizeof reason, "forbidden system call %s (%lld)", name, (long long)number);
    tracer_finish(PIE_TRACER_FORBIDDEN, (int32_t)number, reason);
}

/* A signal that the program sends: to itself it is the end (abort does so), whatever handler there
 * is; to anything else it is forbidden. */
static void sends_signal(int64_t number, const uint64_t *a)
{
    const bool tgkill = number == SYS_tgkill;
    const char *name = tgkill ? "tgkill" : number == SYS_kill ? "kill" : "tkill";
    const int32_t target = (int32_t)a[0], thread = tgkill ? (int32_t)a[1] : target;
    const int32_t sig = (int32_t)a[tgkill ? 2 : 1];
    if (sig == 0)
        return; /* merely asks: fails */
    const bool own = (target == PIE_GUEST_PID || (number == SYS_kill && target == 0)) &&
                     (thread == PIE_GUEST_PID || number == SYS_kill);
    if (!own || sig < 0 || sig > 64 || sig == SIGCHLD || sig == SIGURG || sig == SIGWINCH ||
        sig == SIGCONT)
        forbid(number, name);
    tracer_finish(PIE_TRACER_SIGNALLED, sig, "");
}

/* A fixed place above the guest's addresses is qemu's own memory. */
static void check_place(uint64_t address, uint64_t n_bytes)
{
    if (address >= PIE_GUEST_ADDRESS_LIMIT || n_bytes > PIE_GUEST_ADDRESS_LIMIT ||
        address + n_bytes > PIE_GUEST_ADDRESS_LIMIT)
        tracer_finish(PIE_TRACER_TAMPERING, 0,
                      "the program asked for memory outside its address space");
}

/* More of the address space: within the limit or refused, whether it will be touched or not. */
static void ask_for(uint64_t n_more)
{
    if (n_more > t.limit_memory || t.memory.total + n_more > t.limit_memory) {
        t.refuse_memory = true;
        t.result.memory_refused = 1;
    }
}

static void before_memory_call(int64_t number, const uint64_t *a)
{
    const uint64_t n_bytes = page_up(a[1]);
    switch (number) {
    case SYS_mmap:
        if (a[1] > PIE_GUEST_ADDRESS_LIMIT) {
            ask_for(a[1]);
            break;
        }
        if (a[0] >= PIE_GUEST_ADDRESS_LIMIT || a[3] & (MAP_FIXED | MAP_FIXED_NOREPLACE))
            check_place(a[0], n_bytes);
        ask_for(n_bytes - (a[3] & MAP_FIXED ? ranges_overlap(&t.memory, a[0], a[0] + n_bytes) : 0));
        break;
    case SYS_munmap:
    case SYS_mprotect:
    case SYS_madvise:
        check_place(a[0], n_bytes);
        break;
    case SYS_mremap:
        check_place(a[0], n_bytes);
        if (a[3] & MREMAP_FIXED)
            check_place(a[4], page_up(a[2]));
        if (a[2] > PIE_GUEST_ADDRESS_LIMIT)
            ask_for(a[2]);
        else if (page_up(a[2]) > n_bytes)
            ask_for(page_up(a[2]) - n_bytes);
        break;
    case SYS_brk:
        if (t.brk && a[0] > t.brk) {
            if (a[0] > PIE_GUEST_ADDRESS_LIMIT)
                ask_for(a[0]);
            else
                ask_for(page_up(a[0]) - page_up(t.brk));
        }
        break;
    default:
        break;
    }
}

static void gain(uint64_t address, uint64_t n_bytes)
{
    if (n_bytes == 0)
        return;
    tracer_event(PIE_EVENT_MAP, 2, address, n_bytes, 0);
    if (!ranges_add(&t.memory, address, address + n_bytes))
        tracer_finish(PIE_TRACER_BROKEN, 0, "the tracer is out of memory");
    if (t.memory.total > t.result.peak_bytes)
        t.result.peak_bytes = t.memory.total;
}

static void lose(uint64_t address, uint64_t n_bytes)
{
    if (n_bytes == 0)
        return;
    tracer_event(PIE_EVENT_UNMAP, 2, address, n_bytes, 0);
    if (!ranges_remove(&t.memory, address, address + n_bytes))
        tracer_finish(PIE_TRACER_BROKEN, 0, "the tracer is out of memory");
}

static void after_memory_call(int64_t number, const uint64_t *a, int64_t result)
{
    const uint64_t got = (uint64_t)result;
    if (number == SYS_brk) {
        const uint64_t old = page_up(t.brk), now = page_up(got);
        if (t.brk && now > old)
            gain(old, now - old);
        else if (t.brk && now < old)
            lose(now, old - now);
        t.brk = got;
        return;
    }
    if (result < 0 && result > -PAGE)
        return;
    const uint64_t n_bytes = page_up(a[1]);
    if (number == SYS_mmap) {
        if (got >= PIE_GUEST_ADDRESS_LIMIT)
            tracer_finish(PIE_TRACER_BROKEN, 0, "qemu mapped guest memory above the guest's range");
        gain(got, n_bytes);
    } else if (number == SYS_munmap) {
        lose(a[0], n_bytes);
    } else if (number == SYS_mremap) {
        const uint64_t n_new = page_up(a[2]);
        if (got != a[0]) {
            lose(a[0], n_bytes);
            gain(got, n_new);
        } else if (n_new > n_bytes) {
            gain(got + n_bytes, n_new - n_bytes);
        } else {
            lose(got + n_new, n_bytes - n_new);
        }
    }
}

void on_syscall(qemu_plugin_id_t id, unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2,
                uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
    (void)id;
    (void)vcpu;
    (void)a7;
    (void)a8;
    const uint64_t a[6] = {a1, a2, a3, a4, a5, a6};
    tracer_attend_limit();
    tracer_close_block();
    t.in_syscall = true;
    t.result.syscalls++;
    memcpy(t.call, a, sizeof a);
    if (names_stdin(number, a))
        tracer_startup_end();

    const char *forbidden = forbidden_name(number);
    if (forbidden)
        forbid(number, forbidden);
    switch (number) {
    case SYS_exit:
    case SYS_exit_group:
        tracer_startup_end();
        tracer_event(PIE_EVENT_SYSCALL, 3, (uint64_t)number, 0, 0);
        tracer_finish(PIE_TRACER_EXITED, (int32_t)(a1 & 0xff), "");
    case SYS_kill:
    case SYS_tkill:
    case SYS_tgkill:
        sends_signal(number, a);
        break;
    case SYS_pause:
    case SYS_rt_sigsuspend:
        tracer_finish(PIE_TRACER_INSTRUCTION_LIMIT, 0, "the program waits forever");
    default:
        before_memory_call(number, a);
        break;
    }
}

/* The buffers of a transfer of @n bytes that succeeded, so they can be read. */
static void touch(int64_t number, const uint64_t *a, uint64_t n)
{
    if (number != SYS_readv && number != SYS_writev) {
        tracer_event(PIE_EVENT_FIRST_TOUCH, 2, a[1], n, 0);
        return;
    }
    const struct iovec *vectors = (const struct iovec *)(uintptr_t)a[1];
    for (uint64_t i = 0; i < a[2] && i < MAX_IOVECS && n > 0; i++) {
        const uint64_t length = vectors[i].iov_len < n ? vectors[i].iov_len : n;
        if (length)
            tracer_event(PIE_EVENT_FIRST_TOUCH, 2, (uintptr_t)vectors[i].iov_base, length, 0);
        n -= length;
    }
}

void on_syscall_return(qemu_plugin_id_t id, unsigned vcpu, int64_t number, int64_t result)
{
    (void)id;
    (void)vcpu;
    const uint64_t *a = t.call;
    if (!t.in_syscall)
        return;
    t.in_syscall = false;
    t.refuse_memory = false;

    const bool is_read = number == SYS_read || number == SYS_readv || number == SYS_pread64;
    const bool is_write = number == SYS_write || number == SYS_writev;
    const uint64_t n = result > 0 && (is_read || is_write) ? (uint64_t)result : 0;
    tracer_event(PIE_EVENT_SYSCALL, 3, (uint64_t)number, is_read ? n : 0, is_write ? n : 0);
    if (n > 0)
        touch(number, a, n);
    if (is_write) {
        t.result.write_calls++;
        if ((int32_t)a[0] == 1)
            t.result.output_bytes += n;
        else if ((int32_t)a[0] == 2)
            t.result.error_bytes += n;
        if (t.result.output_bytes + t.result.error_bytes > t.limit_output)
            tracer_finish(PIE_TRACER_OUTPUT_LIMIT, 0, "output limit reached");
    }
    if (number == SYS_mmap || number == SYS_munmap || number == SYS_mremap || number == SYS_brk)
        after_memory_call(number, a, result);
}
