# Instructions that cross into the next page, at every offset, as first and as later ones of a block.
    .include "guest.inc"
    START
    lea rbx, [buf]
    mov ebp, 3
    jmp line_1
    .macro LINE n
    .balign 4096
    .skip 4096 - 64, 0x90
line_\n:
    .skip 64 - \n, 0x90
    # 11 bytes, the border after \n of them
    mov qword ptr [rbx + 0x100], 0x11223344
    # and after the border
    add rax, [rbx + 0x108]
    vfmadd231ps ymm0, ymm1, [rbx + 0x110]
    .endm
    .macro LINES n:vararg
    .irp k, \n
    LINE \k
    .endr
    .endm
    LINES 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    # the same as targets, so that the crossing instruction comes first
    .macro HIT n
    .balign 4096
    .skip 4096 - \n, 0x90
hit_\n:
    mov qword ptr [rbx + 0x200], 0x55667788
    jmp after_\n
after_\n:
    .endm
    jmp hit_1
    HIT 1
    jmp hit_3
    HIT 3
    jmp hit_7
    HIT 7
    jmp hit_10
    HIT 10
    # repeated string instruction across the border
    jmp 1f
    .balign 4096
    .skip 4096 - 8, 0x90
1:  nop
    nop
    lea edi, [rbx]
    mov cl, 5
    rep stosb
    dec ebp
    jnz 2f
    vzeroupper
    EXIT
2:  jmp line_1
