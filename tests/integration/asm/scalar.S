# Scalar loads, stores and read-modify-writes of every width; locked ones; divisions; no accesses.
    .include "guest.inc"
    START
    lea rbx, [buf]
    mov ecx, 3
    T "buf+8", mov rax, [rbx + 8]
    T "buf+1", mov al, [rbx + 1]
    T "buf+2", mov ax, [rbx + 2]
    T "buf+4", mov eax, [rbx + 4]
    T "buf+24", mov rax, [rbx + rcx * 8]
    T "buf+32", mov rax, [buf + 32]
    T "buf+40", mov rax, [rip + buf + 40]
    T "buf+48", mov [rbx + 48], rax
    T "buf+49", mov byte ptr [rbx + 49], 7
    T "buf+50", mov word ptr [rbx + 50], 7
    T "buf+52", mov dword ptr [rbx + 52], 7
    T "buf+56", mov qword ptr [rbx + 56], 7
    T "buf+64", movsx eax, byte ptr [rbx + 64]
    T "buf+65", movzx eax, word ptr [rbx + 65]
    T "buf+68", movsxd rax, dword ptr [rbx + 68]
    T "buf+72", movbe rax, [rbx + 72]
    T "buf+80", movbe [rbx + 80], rax
    T "buf+88", add [rbx + 88], rax
    T "buf+96", add rax, [rbx + 96]
    T "buf+97", cmp byte ptr [rbx + 97], 3
    T "buf+98", test word ptr [rbx + 98], 3
    T "buf+100", inc dword ptr [rbx + 100]
    T "buf+104", neg qword ptr [rbx + 104]
    T "buf+112", not qword ptr [rbx + 112]
    T "buf+120", shl qword ptr [rbx + 120], 3
    T "buf+128", sar dword ptr [rbx + 128], cl
    T "buf+136", shld [rbx + 136], rax, 5
    T "buf+144", shrd [rbx + 144], eax, cl
    T "buf+152", rol byte ptr [rbx + 152]
    T "buf+160", adc [rbx + 160], eax
    T "buf+168", sbb rax, [rbx + 168]
    T "buf+176", xadd [rbx + 176], rax
    T "buf+184", lock xadd [rbx + 184], rax
    T "buf+192", xchg [rbx + 192], rax
    T "buf+200", lock add dword ptr [rbx + 200], 1
    T "buf+208", cmpxchg [rbx + 208], rcx
    mov eax, 99
    T "buf+208", cmpxchg [rbx + 208], rcx
    T "buf+216", lock cmpxchg [rbx + 216], ecx
    T "buf+224", cmpxchg8b [rbx + 224]
    mov eax, 99
    T "buf+224", lock cmpxchg8b [rbx + 224]
    T "buf+240", cmpxchg16b [rbx + 240]
    mov eax, 98
    T "buf+240", lock cmpxchg16b [rbx + 240]
    T "buf+256", imul rax, [rbx + 256]
    T "buf+264", imul eax, [rbx + 264], 7
    T "buf+272", mul qword ptr [rbx + 272]
    mov dword ptr [rbx + 280], 3
    mov qword ptr [rbx + 288], 3
    mov eax, 100
    xor edx, edx
    T "buf+280", div dword ptr [rbx + 280]
    mov eax, 100
    xor edx, edx
    T "buf+288", idiv qword ptr [rbx + 288]
    mov eax, 100
    cdq
    mov ecx, 7
    T "", div ecx
    T "buf+300", setz byte ptr [rbx + 300]
    T "buf+304", cmovz rax, [rbx + 304]
    T "buf+312", cmovnz rax, [rbx + 312]
    T "buf+320", popcnt rax, [rbx + 320]
    T "buf+328", tzcnt rax, [rbx + 328]
    T "buf+336", lzcnt rax, [rbx + 336]
    T "buf+344", bsf rax, [rbx + 344]
    T "buf+352", andn rax, rcx, [rbx + 352]
    T "buf+360", bextr rax, [rbx + 360], rcx
    T "buf+368", blsr rax, [rbx + 368]
    T "buf+376", pdep rax, rcx, [rbx + 376]
    T "buf+384", pext rax, rcx, [rbx + 384]
    T "buf+392", rorx rax, [rbx + 392], 3
    T "buf+400", shlx rax, [rbx + 400], rcx
    T "buf+408", mulx rax, rdx, [rbx + 408]
    T "buf+416", bzhi rax, [rbx + 416], rcx
    T "buf+424", crc32 rax, qword ptr [rbx + 424]
    T "buf+432", adcx rax, [rbx + 432]
    T "buf+440", mov ax, cs:[rbx + 440]
    T "buf+448", movnti [rbx + 448], rax
    lea rbx, [buf - 256]
    mov eax, 64
    T "buf-192", xlatb
    lea rbx, [buf]
    T "", lea rax, [rbx + rcx * 4 + 5]
    T "", nop dword ptr [rbx + 8]
    T "", prefetcht0 [rbx + 64]
    T "", prefetchw [rbx + 64]
    T "", clflush [rbx]
    T "", mfence
    T "", lfence
    T "", sfence
    T "", pause
    T "", bswap rax
    T "", xor eax, eax
    T "buf", addr32 mov rax, [ebx]
    # bit strings: the word in which the bit lies, left and right of the operand
    mov eax, 1000
    T "buf+4096+120", bt [rbx + 4096], rax
    mov rax, -1
    T "buf+4096-8", bts [rbx + 4096], rax
    mov eax, 77
    T "buf+4096+8", btr [rbx + 4096], rax
    T "buf+4096+8", lock btc [rbx + 4096], rax
    T "buf+4104", bt qword ptr [rbx + 4104], 5
    T "buf+4112", bts dword ptr [rbx + 4112], 5
    # across a page
    T "buf+4092", mov rax, [rbx + 4092]
    T "buf+4093", mov [rbx + 4093], rax
    T "buf+4094", add [rbx + 4094], eax
    # segment base: fs is 0 without libc; arch_prctl(ARCH_SET_FS, buf + 512)
    mov edi, 0x1002
    lea rsi, [buf + 512]
    mov eax, 158
    syscall
    T "buf+520", mov rax, fs:[8]
    T "buf+528", mov fs:[16], rax
    EXIT
