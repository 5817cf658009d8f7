# Every instruction that uses the stack by itself.
    .include "guest.inc"
    START
    lea rbx, [buf]
    T "stack-8", push rax
    T "stack-8", pop rax
    T "stack-8", push 5
    T "stack-16", push 0x12345
    T "buf+8, stack-24", push qword ptr [rbx + 8]
    T "buf+16, stack-24", pop qword ptr [rbx + 16]
    T "stack-16", pop rcx
    T "stack-8", pop rcx
    T "stack-8", pushfq
    T "stack-8", popfq
    T "stack-2", pushw ax
    T "stack-2", popw ax
    T "stack-8", call 1f
    jmp 2f
1:  T "stack-8", ret
2:  lea rax, [3f]
    T "stack-8", call rax
    jmp 4f
3:  T "stack-8", ret
    nop
4:  lea rsp, [stack]
    lea rax, [5f]
    mov [rbx + 24], rax
    T "buf+24, stack-8", call [rbx + 24]
    jmp 6f
5:  T "stack-8", ret
6:  lea rax, [7f]
    mov [rbx + 32], rax
    T "buf+32", jmp [rbx + 32]
    nop
7:  push 1
    push 2
    lea rax, [8f]
    push rax
    T "stack-24", ret 16
8:  lea rsp, [stack]
    lea rbp, [stack - 64]
    mov qword ptr [stack - 64], 0
    enter 32, 0
    T "stack-8", leave
    lea rsp, [stack]
    lea rbp, [stack - 64]
    enter 16, 2
    leave
    T "stack-8", push fs
    T "stack-8", pop fs
    EXIT
