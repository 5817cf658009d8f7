/* guest.S - the guest that executes blocks of machine code, thousands in one life.
 *
 * No libc, no stack while a block runs: all registers are the block's. A page that a block touches
 * and that is not there is mapped, onto the one frame that all data shares, and the block begins
 * again; so the last time it is entered it meets no fault. Handlers are left by a jump, never by
 * sigreturn: with SA_NODEFER and an alternate stack there is nothing to return to. */
#include "throughput/protocol.h"

#define SYS_mmap 9
#define SYS_munmap 11
#define SYS_rt_sigaction 13
#define SYS_exit 60
#define SYS_sigaltstack 131
#define PROT_READ 1
#define PROT_WRITE 2
#define PROT_EXEC 4
#define MAP_SHARED 1
#define MAP_PRIVATE 2
#define MAP_FIXED 0x10
#define SIGSEGV 11
#define SIGINFO_ADDRESS 16
#define UCONTEXT_RIP 168
/* SA_SIGINFO, SA_ONSTACK, SA_NODEFER, SA_RESTORER */
#define HANDLER_FLAGS 0x4c000004
#define PAGE 4096

/* [rdi, rdi + rsi) := frame; rax = result */
.macro map_frame
    mov $(PROT_READ | PROT_WRITE), %edx
    mov $(MAP_SHARED | MAP_FIXED), %r10d
    mov $PIE_TP_FRAME_FD, %r8d
    xor %r9d, %r9d
    mov $SYS_mmap, %eax
    syscall
.endm

    .section .text
    .globl _start
_start:
    movabs $PIE_TP_TABLE, %rdi
    mov $PIE_TP_TABLE_BYTES, %esi
    mov $PROT_READ, %edx
    mov $(MAP_PRIVATE | MAP_FIXED), %r10d
    xor %r8d, %r8d
    xor %r9d, %r9d
    mov $SYS_mmap, %eax
    syscall
    cmp %rdi, %rax
    jne broken
    mov %rax, entry(%rip)

    mov $PIE_TP_NEAR_START, %edi
1:  mov $PAGE, %esi
    map_frame
    cmp %rdi, %rax
    jne broken
    add $PAGE, %rdi
    cmp $PIE_TP_NEAR_END, %rdi
    jne 1b

    lea signal_stack(%rip), %rdi
    xor %esi, %esi
    mov $SYS_sigaltstack, %eax
    syscall
    lea signals(%rip), %rbx
2:  movzbl (%rbx), %edi
    test %edi, %edi
    jz next
    lea action(%rip), %rsi
    xor %edx, %edx
    mov $8, %r10d
    mov $SYS_rt_sigaction, %eax
    syscall
    test %eax, %eax
    jnz broken
    inc %rbx
    jmp 2b

broken:
    mov $1, %edi
    mov $SYS_exit, %eax
    syscall

/* ---- the next entry ---- */

next:
    lea stack_end(%rip), %rsp
    mov entry(%rip), %rbx
    mov PIE_TP_ENTRY_N_BYTES(%rbx), %rsi
    xor %edi, %edi
    mov $SYS_exit, %eax
    test %rsi, %rsi
    jnz 3f
    syscall
3:  mov PIE_TP_ENTRY_ADDRESS(%rbx), %rdi
    mov $(PROT_READ | PROT_EXEC), %edx
    mov $(MAP_PRIVATE | MAP_FIXED), %r10d
    xor %r8d, %r8d
    mov PIE_TP_ENTRY_OFFSET(%rbx), %r9
    mov $SYS_mmap, %eax
    syscall
    cmp %rdi, %rax
    jne broken
    mov %rax, target(%rip)
    movl $0, n_faults(%rip)

/* The state of BHive: the frame, the segment bases, x87, SSE, flags; then the registers. */
prepare:
    lea stack_end(%rip), %rsp
    mov $PIE_TP_VALUE, %eax
    wrfsbase %rax
    wrgsbase %rax
    fninit
    ldmxcsr mxcsr(%rip)
    vpbroadcastq value(%rip), %ymm0
    mov $PIE_TP_NEAR_START, %ecx
    lea PAGE(%rcx), %edx
4:  vmovdqa %ymm0, (%rcx)
    vmovdqa %ymm0, 32(%rcx)
    vmovdqa %ymm0, 64(%rcx)
    vmovdqa %ymm0, 96(%rcx)
    vmovdqa %ymm0, 128(%rcx)
    vmovdqa %ymm0, 160(%rcx)
    vmovdqa %ymm0, 192(%rcx)
    vmovdqa %ymm0, 224(%rcx)
    add $256, %rcx
    cmp %edx, %ecx
    jne 4b
    /* upper halves clean, as a program leaves them that uses SSE only */
    vzeroupper
    .irp i, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movdqa %xmm0, %xmm\i
    .endr
    mov entry(%rip), %rbx
    mov PIE_TP_ENTRY_REGISTERS + 0(%rbx), %rax
    mov PIE_TP_ENTRY_REGISTERS + 8(%rbx), %rcx
    mov PIE_TP_ENTRY_REGISTERS + 16(%rbx), %rdx
    mov PIE_TP_ENTRY_REGISTERS + 40(%rbx), %rbp
    mov PIE_TP_ENTRY_REGISTERS + 48(%rbx), %rsi
    mov PIE_TP_ENTRY_REGISTERS + 56(%rbx), %rdi
    mov PIE_TP_ENTRY_REGISTERS + 64(%rbx), %r8
    mov PIE_TP_ENTRY_REGISTERS + 72(%rbx), %r9
    mov PIE_TP_ENTRY_REGISTERS + 80(%rbx), %r10
    mov PIE_TP_ENTRY_REGISTERS + 88(%rbx), %r11
    mov PIE_TP_ENTRY_REGISTERS + 96(%rbx), %r12
    mov PIE_TP_ENTRY_REGISTERS + 104(%rbx), %r13
    mov PIE_TP_ENTRY_REGISTERS + 112(%rbx), %r14
    mov PIE_TP_ENTRY_REGISTERS + 120(%rbx), %r15
    push $2
    popfq
    jmp enter

    .org PIE_TP_ENTER - PIE_TP_GUEST
enter:
    mov PIE_TP_ENTRY_REGISTERS + 32(%rbx), %rsp
    mov PIE_TP_ENTRY_REGISTERS + 24(%rbx), %rbx
    jmp *target(%rip)

/* ---- where blocks come back to ---- */

    .org PIE_TP_DONE - PIE_TP_GUEST
    jmp advance

    .org PIE_TP_GIVE_UP - PIE_TP_GUEST
give_up:
    jmp advance

advance:
    mov entry(%rip), %rbx
    mov PIE_TP_ENTRY_ADDRESS(%rbx), %rdi
    mov PIE_TP_ENTRY_N_BYTES(%rbx), %rsi
    lea PIE_TP_ENTRY_BYTES(%rbx), %rbx
    mov %rbx, entry(%rip)
    mov $SYS_munmap, %eax
    syscall
    jmp next

/* A page is missing: map it, unless nothing can stand there, and begin again. */
handler:
    cmp $SIGSEGV, %edi
    jne give_up
    mov SIGINFO_ADDRESS(%rsi), %rdi
    cmp UCONTEXT_RIP(%rdx), %rdi /* a jump to nowhere */
    je give_up
    and $-PAGE, %rdi
    mov %rdi, %rax
    shr $39, %rax /* not an address of a guest: to ask for it would end this one */
    jnz give_up
    movabs $PIE_TP_GUEST, %rax
    mov %rdi, %rcx
    sub %rax, %rcx
    cmp $PIE_TP_GUEST_BYTES, %rcx
    jb give_up
    mov entry(%rip), %rbx /* a store into its own code */
    mov %rdi, %rcx
    sub PIE_TP_ENTRY_ADDRESS(%rbx), %rcx
    cmp PIE_TP_ENTRY_N_BYTES(%rbx), %rcx
    jb give_up
    incl n_faults(%rip)
    cmpl $PIE_TP_MAX_FAULTS, n_faults(%rip)
    ja give_up
    mov $PAGE, %esi
    map_frame
    cmp %rdi, %rax
    je prepare
    jmp give_up

restorer: /* never reached: no handler returns */
    ud2

    .section .rodata
    .balign 8
value:
    .quad PIE_TP_VALUE
action:
    .quad handler, HANDLER_FLAGS, restorer, 0
signal_stack:
    .quad alternate_stack, 0, 65536
mxcsr:
    .long PIE_TP_MXCSR
signals: /* SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV */
    .byte 4, 5, 7, 8, 11, 0

    .section .bss
    .balign 64
alternate_stack:
    .skip 65536
    .skip 4096
stack_end:
entry:
    .skip 8
target:
    .skip 8
n_faults:
    .skip 4

    .section .note.GNU-stack, "", @progbits
