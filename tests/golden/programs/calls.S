# Recursion: Fibonacci of 15 with calls, returns and the stack; reads one byte of input, writes one line.
    .data
line: .ascii "610\n"
byte: .byte 0
    .text
    .globl _start
fib:
    cmp $2, %edi
    jge 1f
    mov %edi, %eax
    ret
1:  push %rdi
    dec %edi
    call fib
    pop %rdi
    push %rax
    sub $2, %edi
    call fib
    pop %rdx
    add %edx, %eax
    ret
_start:
    mov $15, %edi
    call fib
    mov %eax, %r12d
    xor %eax, %eax
    xor %edi, %edi
    lea byte(%rip), %rsi
    mov $1, %edx
    syscall
    mov $1, %eax
    mov $1, %edi
    lea line(%rip), %rsi
    mov $4, %edx
    syscall
    mov $231, %eax
    xor %edi, %edi
    cmp $610, %r12d
    je 2f
    mov $1, %edi
2:  syscall
