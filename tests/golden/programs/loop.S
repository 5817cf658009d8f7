# A counted loop over registers: 1000 x 4 instructions, 1000 branches.
    .globl _start
_start:
    xor %ebx, %ebx
    mov $1000, %ecx
1:  lea 3(%rbx,%rcx,2), %rbx
    imul $7, %rbx, %rbx
    dec %ecx
    jnz 1b
    mov $231, %eax
    xor %edi, %edi
    syscall
