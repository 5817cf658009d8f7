# Dies of a load behind good accesses.
    .include "guest.inc"
    START
    lea rbx, [buf]
    mov rax, [rbx]
    mov [rbx + 8], rax
    mov rcx, [64]
    mov rax, [rbx]
    EXIT
