# Dies of a jump to nowhere.
    .include "guest.inc"
    START
    mov eax, 64
    push rax
    jmp rax
