# Dies of the second of three divisions.
    .include "guest.inc"
    START
    mov eax, 5
    xor edx, edx
    mov ecx, 1
    div ecx
    xor ecx, ecx
    div ecx
    mov ecx, 1
    div ecx
    EXIT
