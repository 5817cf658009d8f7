# String instructions: single, repeated, with count 0 and 1, backward, and stopped early.
    .include "guest.inc"
    .data
text:
    .ascii "aaaaaaaaaaaaaaaabaaaaaaaaaaaaaaa"
same:
    .ascii "aaaaaaaaaaaaaaaacaaaaaaaaaaaaaaa"
    START
    .macro POINT from, to, n
    lea rsi, [\from]
    lea rdi, [\to]
    mov ecx, \n
    .endm
    POINT text, buf, 5
    T "buf, text", movsb
    T "buf+1, text+1", movsw
    T "buf+3, text+3", movsd
    T "buf+7, text+7", movsq
    T "buf+15", stosb
    T "buf+16", stosq
    T "text+15", lodsb
    T "text+16", lodsd
    T "buf+24", scasb
    T "text+20, buf+25", cmpsb
    POINT text, buf, 16
    R 16, 0, "buf, text", rep movsb
    POINT text, buf+64, 3
    R 3, 0, "buf+64, text", rep movsq
    POINT text, buf+128, 0
    R 0, 0, "NONE, NONE", rep movsb
    POINT text, buf+128, 1
    R 1, 0, "buf+128, text", rep movsd
    POINT text, buf+256, 7
    R 7, 0, "buf+256", rep stosd
    POINT text, buf+256, 0
    R 0, 0, "NONE", rep stosb
    POINT text, buf+256, 9
    R 9, 0, "text", rep lodsb
    POINT text, buf, 32
    mov eax, 'b'
    mov byte ptr [buf + 16], 'b'
    R 17, 0, "buf", repne scasb
    jnz fail
    POINT text, buf, 5
    mov eax, 'z'
    R 5, 0, "buf", repne scasb
    jz fail
    POINT text, buf, 3
    mov eax, 'z'
    R 1, 0, "buf", repe scasb
    jz fail
    POINT text, same, 32
    R 17, 0, "text, same", repe cmpsb
    jz fail
    POINT text, same, 10
    R 10, 0, "text, same", repe cmpsb
    jnz fail
    POINT text, same, 0
    R 0, 0, "NONE, NONE", repe cmpsb
    POINT text, same, 32
    R 1, 0, "text, same", repne cmpsb
    std
    POINT text+31, buf+131, 32
    R 32, 1, "buf+131, text+31", rep movsb
    POINT text+16, buf+520, 4
    R 4, 1, "buf+520", rep stosq
    POINT text+31, same+31, 32
    R 16, 1, "text+31, same+31", repe cmpsb
    jz fail
    T "text+15, same+15", cmpsb
    cld
    # many iterations and many executions of one instruction
    mov ebp, 50
1:  POINT buf, buf+2048, 200
    rep movsb
    dec ebp
    jnz 1b
    # in the middle of straight-line code, and as its own branch target
    POINT buf, buf+4096, 100
    xor eax, eax
    add eax, 1
    rep stosb
    add eax, 1
    mov ecx, 3
    jmp 2f
    nop
2:  rep stosb
    # 16-bit and 32-bit counters
    POINT buf, buf+4096, 4
    R 4, 0, "buf+4096, buf", addr32 rep movsb
    EXIT
fail:
    EXIT 1
