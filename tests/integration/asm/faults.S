# Faults with a handler: at the first, a middle and the last instruction of a block, before and after
# accesses, in the second half of an access, in a repeated string instruction, in a jump.
    .include "guest.inc"
    .macro HANDLE signal, handler=handler
    mov edi, \signal
    lea rsi, [\handler\()_action]
    xor edx, edx
    mov r10d, 8
    mov eax, 13
    syscall
    test eax, eax
    jnz fail
    .endm
    .data
    .balign 8
alternative_stack:
    .quad signal_stack, 0, 65536
handler_action:
    .quad handler, 0x0c000004, restorer, 0  # SA_ONSTACK | SA_RESTORER | SA_SIGINFO
segv_action:
    .quad segv, 0x0c000004, restorer, 0
    START
    lea rdi, [alternative_stack]
    xor esi, esi
    mov eax, 131
    syscall
    HANDLE 8
    HANDLE 4
    HANDLE 11, segv
    HANDLE 7, segv
    lea rbx, [buf]
    xor r15d, r15d
    # division: first of three in a block, then the last
    mov eax, 100
    xor edx, edx
    mov ecx, 7
    mov esi, 0
    lea r14, [1f]
    div ecx
    xor edx, edx
    div esi
    xor edx, edx
    div ecx
1:  mov eax, 100
    xor edx, edx
    lea r14, [2f]
    mov [rbx], eax
    idiv esi
    mov [rbx + 8], eax
2:  # an overflowing quotient, divisor in memory
    mov rax, -1
    mov edx, 5
    mov dword ptr [rbx + 16], 2
    lea r14, [3f]
    div dword ptr [rbx + 16]
    mov rax, [rbx + 16]
3:  # illegal instruction in the middle and alone
    lea r14, [4f]
    mov rax, [rbx]
    add rax, 1
    ud2
    mov rax, [rbx]
4:  lea r14, [5f]
    jmp 9f
9:  ud2
5:  # loads and stores to nowhere, at several places among good ones
    mov r13d, 64
    lea r14, [6f]
    mov rax, [rbx]
    mov rax, [r13]
    mov rax, [rbx + 8]
6:  lea r14, [7f]
    mov [rbx], rax
    mov [rbx + 8], rax
    mov [r13], rax
7:  lea r14, [8f]
    jmp 9f
9:  mov eax, [r13]
    mov eax, [rbx]
8:  # the load of a read-modify-write in read-only memory succeeds, its store does not
    lea r12, [readonly]
    lea r14, [10f]
    mov rax, [rbx]
    add [r12], rax
    mov rax, [rbx]
10: # the second piece of a vector lies on an unmapped page
    lea r12, [wall]
    lea r14, [11f]
    movups xmm0, [r12 - 16]
    movups xmm0, [r12 - 8]
    movups xmm0, [r12 - 24]
11: lea r14, [12f]
    vmovups ymm0, [rbx]
    vmovups [r12 - 8], ymm0
    vmovups [rbx], ymm0
12: # a push of good memory to a bad stack
    mov r11, rsp
    lea r14, [13f]
    mov rax, [rbx]
    lea rsp, [wall + 4096]
    push qword ptr [rbx]
    nop
13: mov rsp, r11
    # a masked store of nothing before a bad load
    vpxor xmm1, xmm1, xmm1
    lea r14, [14f]
    vmaskmovps [rbx], xmm1, xmm0
    mov rax, [r13]
    mov rax, [rbx]
14: # a gather of which the second lane is bad
    vpcmpeqd xmm1, xmm1, xmm1
    mov eax, 16
    vmovd xmm2, eax
    vpslldq xmm2, xmm2, 4
    lea r12, [wall - 16]
    lea r14, [15f]
    mov rax, [rbx]
    vpgatherdd xmm0, [r12 + xmm2], xmm1
    mov rax, [rbx]
15: # a repeated store that runs into the wall, one that reads from it
    lea rdi, [wall - 24]
    mov ecx, 100
    lea r14, [16f]
    mov rax, [rbx]
    rep stosb
    nop
16: lea rsi, [wall - 24]
    lea rdi, [buf + 64]
    mov ecx, 100
    lea r14, [17f]
    rep movsq
    nop
17: # jumps into nowhere
    lea r14, [18f]
    mov rax, [rbx]
    jmp r13
18: lea r14, [19f]
    lea rax, [buf]
    call rax
19: mov rsp, r11
    lea r14, [20f]
    push 64
    ret
20: mov rsp, r11
    # a loop whose last access leaves the mapped page
    lea rsi, [wall - 64]
    lea r14, [22f]
21: mov rax, [rsi]
    add rdx, rax
    add rsi, 8
    jmp 21b
22: # privileged
    lea r14, [23f]
    mov rax, [rbx]
    hlt
23: cmp r15d, 21
    jne fail
    vzeroupper
    EXIT
fail:
    EXIT 1
# Handlers put the address in r14 into the saved rip and return.
handler:
segv:
    mov rax, [rdx + 40 + 16 * 8]
    mov [rdx + 40 + 16 * 8], r14
    inc qword ptr [rdx + 40 + 7 * 8] # r15 counts
    ret
restorer:
    mov eax, 15
    syscall
    .section .rodata
readonly:
    .quad 5
    .bss
signal_stack:
    .skip 65536
    .balign 4096
    .skip 4096
wall:
