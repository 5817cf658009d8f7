# System calls: memory, reading and writing, in a program without libc.
    .include "guest.inc"
    .macro CALL number, a=0, b=0, c=0, d=0, e=0, f=0
    mov edi, \a
    mov rsi, \b
    mov edx, \c
    mov r10d, \d
    mov r8, \e
    mov r9d, \f
    mov eax, \number
    syscall
    .endm
    .data
greeting:
    .ascii "hello\n"
    .balign 8
vectors:
    .quad greeting, 3, greeting + 3, 3
    START
    CALL 9, 0, 65536, 3, 0x22, -1
    mov rbx, rax
    mov [rbx], rax
    mov [rbx + 65528], rax
    # mremap to twice the size, may move
    mov rdi, rbx
    mov esi, 65536
    mov edx, 131072
    mov r10d, 1
    mov eax, 25
    syscall
    mov rbx, rax
    mov [rbx + 131064], rax
    mov rdi, rbx
    mov esi, 131072
    mov eax, 11
    syscall
    # brk: ask, grow, shrink
    xor edi, edi
    mov eax, 12
    syscall
    mov rbx, rax
    lea rdi, [rbx + 10000]
    mov eax, 12
    syscall
    mov [rbx + 9000], rax
    mov rdi, rbx
    mov eax, 12
    syscall
    CALL 0, 0, "offset buf", 100
    mov ebp, eax
    CALL 20, 1, "offset vectors", 2
    CALL 1, 1, "offset buf", 5
    CALL 1, 7, "offset buf", 5
    CALL 0, 3, "offset buf", 5
    mov edi, ebp
    mov eax, 231
    syscall
