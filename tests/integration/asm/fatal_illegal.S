# Dies of an illegal instruction.
    .include "guest.inc"
    START
    mov eax, 5
    push rax
    ud2
    pop rax
    EXIT
