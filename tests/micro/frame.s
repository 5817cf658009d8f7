# frame.s - the program around one microbenchmark.
#
# SETUP once, then (LOOPS x number of command line words) rounds of COPIES x BODY. Run once with no argument and
# once with one, the second run does LOOPS rounds more of the very same code, so the difference in cycles is LOOPS
# rounds and everything else cancels. micro.py writes body.inc, which defines these names; `micro.py --show NAME`
# prints it.
    .intel_syntax noprefix

# A dependent chain that lasts longer than anything else in the reorder buffer.
    .macro CHAIN register
    .rept 12
    sqrtsd \register, xmm12
    .endr
    .endm

    .include "body.inc"

    .globl _start
    .text
_start:
    mov r15, [rsp] # argc
    imul r15, r15, LOOPS
    lea r14, data[rip]
    lea rsp, stack[rip] # its own: benchmarks may move it, and its alignment is always the same

    # Numbers near 1 with long mantissas, so that no division ends early and no chain overflows soon: doubles in
    # xmm12 and 13 and on the x87 stack (a place of which stays free), floats in xmm14 and 15, what serves as
    # either in the others
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    vbroadcastsd ymm\n, both[rip]
    .endr
    vbroadcastsd ymm12, double[rip]
    vmovapd ymm13, ymm12
    vbroadcastss ymm14, float[rip]
    vmovaps ymm15, ymm14
    vzeroupper
    fninit
    .rept 7
    fld qword ptr double[rip]
    .endr
    .irp r, rax, rbx, rdx, rbp, r8, r9, r10, r11, r13
    mov \r, 1
    .endr
    xor r12d, r12d
    mov ecx, 3
    mov rsi, r14
    lea rdi, [r14 + 8192]
    SETUP

    .p2align 6
round:
    .rept COPIES
    BODY
    .endr
    .if OWN_LOOP == 0
    dec r15
    jnz round
    .endif

    mov eax, 60 # exit(0)
    xor edi, edi
    syscall

    .section .rodata
    .p2align 3
both:
    .quad 0x3ff000003f800000 # 1.0000002; as floats 1.0 and 1.875
double:
    .quad 0x3ff000013f80000d
float:
    .long 0x3f80000d

    # data[0] is its own address, for pointer chasing; what follows is 0
    .data
    .p2align 12
data:
    .quad data
    .zero 65536 - 8
    .zero 8192
stack:
    .zero 8192
