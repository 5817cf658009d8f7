# SSE to SSE4.2, MMX: scalar and packed, aligned and not, partial, non-temporal, masked.
    .include "guest.inc"
    START
    lea rbx, [buf]
    T "buf+16", movaps xmm0, [rbx + 16]
    T "buf+17", movups xmm1, [rbx + 17]
    T "buf+32", movdqa xmm2, [rbx + 32]
    T "buf+33", movdqu xmm3, [rbx + 33]
    T "buf+34", lddqu xmm3, [rbx + 34]
    T "buf+48", movaps [rbx + 48], xmm0
    T "buf+65", movups [rbx + 65], xmm0
    T "buf+96", movntdq [rbx + 96], xmm0
    T "buf+112", movntps [rbx + 112], xmm0
    T "buf+128", movntdqa xmm0, [rbx + 128]
    T "buf+144", movss xmm0, [rbx + 144]
    T "buf+148", movss [rbx + 148], xmm0
    T "buf+152", movsd xmm0, [rbx + 152]
    T "buf+160", movsd [rbx + 160], xmm0
    T "buf+168", movq xmm0, [rbx + 168]
    T "buf+176", movq [rbx + 176], xmm0
    T "buf+184", movd xmm0, [rbx + 184]
    T "buf+188", movd [rbx + 188], xmm0
    T "buf+192", movlps xmm0, [rbx + 192]
    T "buf+200", movhps xmm0, [rbx + 200]
    T "buf+208", movlpd [rbx + 208], xmm0
    T "buf+216", movhpd [rbx + 216], xmm0
    T "buf+224", addps xmm0, [rbx + 224]
    T "buf+240", addss xmm0, [rbx + 240]
    T "buf+248", addsd xmm0, [rbx + 248]
    T "buf+256", mulpd xmm0, [rbx + 256]
    T "buf+272", paddd xmm0, [rbx + 272]
    T "buf+288", pshufb xmm0, [rbx + 288]
    T "buf+304", pmulld xmm0, [rbx + 304]
    T "buf+320", cvtsi2sd xmm0, dword ptr [rbx + 320]
    T "buf+328", cvtsi2sd xmm0, qword ptr [rbx + 328]
    T "buf+336", cvttsd2si rax, [rbx + 336]
    T "buf+344", cvtss2sd xmm0, [rbx + 344]
    T "buf+352", cvtps2pd xmm0, [rbx + 352]
    T "buf+360", cvtdq2pd xmm0, [rbx + 360]
    T "buf+368", sqrtsd xmm0, [rbx + 368]
    T "buf+376", ucomisd xmm0, [rbx + 376]
    T "buf+384", pinsrb xmm0, [rbx + 384], 3
    T "buf+386", pinsrw xmm0, [rbx + 386], 3
    T "buf+388", pinsrd xmm0, [rbx + 388], 3
    T "buf+392", pinsrq xmm0, [rbx + 392], 1
    T "buf+400", pextrb [rbx + 400], xmm0, 3
    T "buf+402", pextrw [rbx + 402], xmm0, 3
    T "buf+404", pextrd [rbx + 404], xmm0, 3
    T "buf+408", pextrq [rbx + 408], xmm0, 1
    T "buf+416", insertps xmm0, [rbx + 416], 16
    T "buf+420", extractps [rbx + 420], xmm0, 1
    T "buf+424", pmovzxbw xmm0, [rbx + 424]
    T "buf+432", pmovzxbd xmm0, [rbx + 432]
    T "buf+436", pmovsxbq xmm0, [rbx + 436]
    T "buf+440", movddup xmm0, [rbx + 440]
    T "buf+448", movshdup xmm0, [rbx + 448]
    T "buf+464", pcmpistri xmm0, [rbx + 464], 0
    T "buf+480", pclmulqdq xmm0, [rbx + 480], 0
    T "buf+496", aesenc xmm0, [rbx + 496]
    T "buf+512", roundpd xmm0, [rbx + 512], 0
    T "buf+528", dpps xmm0, [rbx + 528], 255
    T "buf+544", mpsadbw xmm0, [rbx + 544], 0
    T "", pxor xmm0, xmm0
    T "", addps xmm0, xmm1
    # across a page: two pieces, the first counts
    T "buf+4088", movups xmm0, [rbx + 4088]
    T "buf+4090", movups [rbx + 4090], xmm0
    T "buf+4089", movdqu xmm0, [rbx + 4089]
    # masked bytes
    pcmpeqb xmm1, xmm1
    pxor xmm2, xmm2
    lea rdi, [buf + 1024]
    maskmovdqu xmm0, xmm1
    maskmovdqu xmm0, xmm2
    mov eax, 0x80
    movd xmm3, eax
    pslldq xmm3, 5
    maskmovdqu xmm0, xmm3
    # MMX
    T "buf+600", movq mm0, [rbx + 600]
    T "buf+608", movq [rbx + 608], mm0
    T "buf+616", paddd mm0, [rbx + 616]
    T "buf+624", movd mm0, [rbx + 624]
    T "buf+632", movntq [rbx + 632], mm0
    T "buf+640", cvtpi2ps xmm0, [rbx + 640]
    emms
    # control register
    T "buf+648", stmxcsr [rbx + 648]
    T "buf+648", ldmxcsr [rbx + 648]
    EXIT
