# Branches of every kind, loops, jump tables, a jump into the middle of a block and of an instruction.
    .include "guest.inc"
    START
    mov ecx, 100
1:  dec ecx
    jnz 1b
    mov ecx, 10
2:  loop 2b
    mov ecx, 5
3:  test ecx, ecx
    loopne 3b
    jrcxz 4f
    nop
4:  jmp 5f
    nop
5:  call function
    call function
    # both ways of a branch
    mov ecx, 64
6:  test ecx, 1
    jz 7f
    add eax, 3
7:  test ecx, 2
    jnz 8f
    sub eax, 1
8:  dec ecx
    jnz 6b
    # a branch to its own fall-through
    jz 9f
9:  jnz 9f
9:  nop
    # overlapping blocks: enter a straight line at three places
    mov ecx, 3
10: lea rax, [11f]
    lea rdx, [rcx - 1]
    imul rdx, rdx, 3
    add rax, rdx
    jmp rax
11: .byte 0x8d, 0x5b, 0x01
    .byte 0x8d, 0x5b, 0x01
    .byte 0x8d, 0x5b, 0x01
    add ebx, 5
    dec ecx
    jnz 10b
    # a jump table
    xor ecx, ecx
12: jmp [table + rcx * 8]
table_1:
    inc ecx
    jmp 12b
table_2:
    add ecx, 1
    jmp 12b
table_end:
    # one encoding inside another: mov eax, imm32 whose immediate is "inc ecx; dec ecx; nop; nop"
    xor esi, esi
16: .byte 0xb8
17: .byte 0xff, 0xc1, 0xff, 0xc9
    inc esi
    cmp esi, 2
    je 18f
    jmp 17b
18: # tail recursion by ret
    lea rax, [19f]
    push rax
    ret
19: mov ecx, 7
    call recurse
    # cpuid and friends do not end a block
    mov eax, 1
    cpuid
    xor ecx, ecx
    xgetbv
    rdtscp
    EXIT
function:
    add eax, 1
    ret
recurse:
    dec ecx
    jz 1f
    call recurse
1:  ret
    .data
table:
    .quad table_1, table_2, table_1, table_end
