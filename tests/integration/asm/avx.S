# AVX, AVX2, FMA, F16C: whole vectors, broadcasts, lanes, gathers, masked loads and stores.
    .include "guest.inc"
    .data
    .balign 32
indices:
    .long 0, 8, 16, 24, 32, 40, 48, 56
mask_all:
    .long -1, -1, -1, -1, -1, -1, -1, -1
mask_some:
    .long 0, -1, 0, 0, -1, -1, 0, 0
mask_none:
    .long 0, 0, 0, 0, 0, 0, 0, 0
    START
    lea rbx, [buf]
    T "buf+32", vmovaps ymm0, [rbx + 32]
    T "buf+65", vmovups ymm0, [rbx + 65]
    T "buf+128", vmovdqa ymm0, [rbx + 128]
    T "buf+161", vmovdqu [rbx + 161], ymm0
    T "buf+224", vmovaps [rbx + 224], ymm0
    T "buf+256", vmovntdq [rbx + 256], ymm0
    T "buf+288", vmovntps [rbx + 288], ymm0
    T "buf+320", vmovntdqa ymm0, [rbx + 320]
    T "buf+352", vmovups xmm0, [rbx + 352]
    T "buf+368", vmovss xmm0, [rbx + 368]
    T "buf+372", vmovss [rbx + 372], xmm0
    T "buf+376", vmovsd xmm0, [rbx + 376]
    T "buf+384", vaddps ymm0, ymm1, [rbx + 384]
    T "buf+416", vpaddd ymm0, ymm1, [rbx + 416]
    T "buf+449", vpmulld ymm0, ymm1, [rbx + 449]
    T "buf+512", vfmadd231ps ymm0, ymm1, [rbx + 512]
    T "buf+544", vfmadd213pd ymm0, ymm1, [rbx + 544]
    T "buf+576", vfmadd132sd xmm0, xmm1, [rbx + 576]
    T "buf+584", vfnmadd231ss xmm0, xmm1, [rbx + 584]
    T "buf+588", vbroadcastss ymm0, [rbx + 588]
    T "buf+592", vbroadcastsd ymm0, [rbx + 592]
    T "buf+600", vbroadcastf128 ymm0, [rbx + 600]
    T "buf+616", vbroadcasti128 ymm0, [rbx + 616]
    T "buf+632", vpbroadcastb ymm0, [rbx + 632]
    T "buf+634", vpbroadcastw ymm0, [rbx + 634]
    T "buf+636", vpbroadcastd ymm0, [rbx + 636]
    T "buf+640", vpbroadcastq ymm0, [rbx + 640]
    T "buf+648", vinserti128 ymm0, ymm1, [rbx + 648], 1
    T "buf+664", vinsertf128 ymm0, ymm1, [rbx + 664], 0
    T "buf+680", vextracti128 [rbx + 680], ymm0, 1
    T "buf+696", vextractf128 [rbx + 696], ymm0, 0
    T "buf+712", vpmovzxbw ymm0, [rbx + 712]
    T "buf+728", vpmovzxbd ymm0, [rbx + 728]
    T "buf+736", vpmovsxdq ymm0, [rbx + 736]
    T "buf+752", vcvtph2ps ymm0, [rbx + 752]
    T "buf+768", vcvtps2ph [rbx + 768], ymm0, 0
    T "buf+784", vcvtph2ps xmm0, qword ptr [rbx + 784]
    T "buf+800", vpermd ymm0, ymm1, [rbx + 800]
    T "buf+832", vperm2i128 ymm0, ymm1, [rbx + 832], 0x21
    T "buf+864", vpsllvd ymm0, ymm1, [rbx + 864]
    T "buf+896", vpshufb ymm0, ymm1, [rbx + 896]
    T "buf+928", vblendvps ymm0, ymm1, [rbx + 928], ymm2
    T "buf+960", vdivpd ymm0, ymm1, [rbx + 960]
    T "buf+992", vtestps ymm0, [rbx + 992]
    T "buf+1024", vpslld ymm0, ymm1, [rbx + 1024]
    T "buf+4080", vmovups ymm0, [rbx + 4080]
    T "buf+4081", vmovups [rbx + 4081], ymm0
    T "", vpxor ymm0, ymm0, ymm0
    T "", vzeroupper
    # masked loads: the whole vector; masked stores: one access per enabled lane
    vmovdqa ymm1, [mask_all]
    vmovdqa ymm2, [mask_some]
    vmovdqa ymm3, [mask_none]
    T "buf+2048", vmaskmovps ymm0, ymm1, [rbx + 2048]
    T "buf+2048", vmaskmovps ymm0, ymm2, [rbx + 2048]
    T "buf+2048", vmaskmovps ymm0, ymm3, [rbx + 2048]
    T "buf+2048", vpmaskmovq ymm0, ymm2, [rbx + 2048]
    T "8, buf+2048, buf+2052, buf+2056, buf+2060, buf+2064, buf+2068, buf+2072, buf+2076", vmaskmovps [rbx + 2048], ymm1, ymm0
    T "3, buf+2052, buf+2064, buf+2068, NONE, NONE, NONE, NONE, NONE", vpmaskmovd [rbx + 2048], ymm2, ymm0
    T "0, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE", vmaskmovps [rbx + 2048], ymm3, ymm0
    T "2, buf+2048, buf+2064, NONE, NONE", vmaskmovpd [rbx + 2048], ymm2, ymm0
    T "1, buf+2052, NONE, NONE, NONE", vmaskmovps [rbx + 2048], xmm2, xmm0
    # gathers: one access per enabled lane; they clear their mask
    vmovdqa ymm6, [indices]
    T "8, buf, buf+32, buf+64, buf+96, buf+128, buf+160, buf+192, buf+224", vpgatherdd ymm0, [rbx + ymm6 * 4], ymm1
    T "0, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE", vpgatherdd ymm0, [rbx + ymm6 * 4], ymm1
    T "3, buf+16, buf+64, buf+80, NONE, NONE, NONE, NONE, NONE", vgatherdps ymm0, [rbx + ymm6 * 2], ymm2
    vmovdqa ymm1, [mask_all]
    T "4, buf, buf+64, buf+128, buf+192", vgatherdpd ymm0, [rbx + xmm6 * 8], ymm1
    vpcmpeqd ymm1, ymm1, ymm1
    vpmovzxdq ymm5, xmm6
    T "4, buf, buf+8, buf+16, buf+24", vpgatherqq ymm0, [rbx + ymm5], ymm1
    vpcmpeqd ymm1, ymm1, ymm1
    T "4, buf, buf+8, buf+16, buf+24", vpgatherqd xmm0, [rbx + ymm5], xmm1
    vpcmpeqd ymm1, ymm1, ymm1
    T "2, buf, buf+8", vgatherqpd xmm0, [rbx + xmm5], xmm1
    # a loop around a gather whose mask differs
    mov ecx, 20
1:  vmovd xmm1, ecx
    vpslld xmm1, xmm1, 31
    vpgatherdd xmm0, [rbx + xmm6], xmm1
    dec ecx
    jnz 1b
    vzeroall
    EXIT
