# Loads, stores, read-modify-writes and a repeated string store, which is one instruction.
    .bss
    .balign 64
buffer: .skip 4096
    .text
    .globl _start
_start:
    lea buffer(%rip), %rdi
    mov $512, %ecx
    mov $0x0101010101010101, %rax
    cld
    rep stosq
    xor %edx, %edx
    lea buffer(%rip), %rsi
    mov $512, %ecx
1:  add (%rsi), %rdx
    addq $1, (%rsi)
    mov %rdx, (%rsi)
    add $8, %rsi
    dec %ecx
    jnz 1b
    mov $231, %eax
    xor %edi, %edi
    syscall
