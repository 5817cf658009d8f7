# Code that changes: elsewhere, in its own page, in its own block, back and forth; and data beside code.
    .include "guest.inc"
    START
    # mprotect the code pages RWX
    lea rdi, [code]
    mov esi, 8192
    mov edx, 7
    mov eax, 10
    syscall
    test eax, eax
    jnz fail
    # another page's code is changed between calls
    lea rbx, [patched + 1]
    mov ebp, 4
1:  mov [rbx], ebp
    call patched
    cmp eax, ebp
    jne fail
    dec ebp
    jnz 1b
    # back and forth
    mov ebp, 6
2:  mov eax, ebp
    and eax, 1
    mov [rbx], eax
    call patched
    dec ebp
    jnz 2b
    call own
    call own_store_late
    call beside
    EXIT
fail:
    EXIT 1
    .balign 4096
code:
patched:
    mov eax, 0x11111111
    ret
    # the block that runs changes an instruction behind the store
own:
    mov ecx, 3
3:  add edx, 1
    add edx, 2
    mov byte ptr [4f + 2], cl
    add edx, 3
4:  add edx, 0x55
    dec ecx
    jnz 3b
    ret
own_store_late:
    lea rdi, [buf]
    mov rax, [rdi]
    mov [rdi + 8], rax
    add rax, [rdi + 16]
    mov byte ptr [5f + 2], 7
5:  add edx, 0x55
    mov rax, [rdi + 24]
    ret
    # a counter in the page of the code
beside:
    mov ecx, 5
6:  inc dword ptr [counter]
    mov eax, [counter]
    dec ecx
    jnz 6b
    lea rdi, [counter]
    mov ecx, 8
    rep stosb
    ret
counter:
    .quad 0, 0
    .skip 4096
