# Long straight lines, which qemu cuts where it likes.
    .include "guest.inc"
    START
    lea rbx, [buf]
    mov ebp, 5
1:
    .rept 3000
    nop
    .endr
    .rept 1000
    add eax, ecx
    .endr
    .set i, 0
    .rept 500
    mov [rbx + i], rax
    .set i, i + 8
    .endr
    .set i, 0
    .rept 200
    vpaddd ymm0, ymm0, [rbx + i]
    .set i, i + 32
    .endr
    .rept 100
    push rax
    .endr
    .rept 100
    pop rax
    .endr
    dec ebp
    jnz 1b
    vzeroupper
    EXIT
