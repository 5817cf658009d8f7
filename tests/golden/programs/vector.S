# AVX2 and FMA over 64 lines, with a gather, and an x87 sum.
    .data
    .balign 64
ones: .fill 512, 8, 0x3ff0000000000000
index: .long 0, 8, 16, 24, 32, 40, 48, 56
    .text
    .globl _start
_start:
    lea ones(%rip), %rsi
    vxorpd %ymm0, %ymm0, %ymm0
    mov $128, %ecx
1:  vmovapd (%rsi), %ymm1
    vfmadd231pd (%rsi), %ymm1, %ymm0
    add $32, %rsi
    dec %ecx
    jnz 1b
    lea ones(%rip), %rsi
    vmovdqu index(%rip), %ymm2
    vpcmpeqd %ymm3, %ymm3, %ymm3
    vpgatherdd %ymm3, (%rsi,%ymm2,4), %ymm4
    vzeroupper
    fldz
    mov $16, %ecx
2:  faddl (%rsi)
    add $8, %rsi
    dec %ecx
    jnz 2b
    fstp %st(0)
    mov $231, %eax
    xor %edi, %edi
    syscall
