# x87, and the instructions that save and restore much state.
    .include "guest.inc"
    START
    lea rbx, [buf]
    fninit
    T "buf+8", fld dword ptr [rbx + 8]
    T "buf+16", fld qword ptr [rbx + 16]
    T "buf+32", fld tbyte ptr [rbx + 32]
    T "buf+48", fild word ptr [rbx + 48]
    T "buf+52", fild dword ptr [rbx + 52]
    T "buf+56", fild qword ptr [rbx + 56]
    T "buf+64", fadd dword ptr [rbx + 64]
    T "buf+72", fmul qword ptr [rbx + 72]
    T "buf+80", fiadd dword ptr [rbx + 80]
    T "buf+84", ficom word ptr [rbx + 84]
    T "buf+88", fcom qword ptr [rbx + 88]
    T "buf+96", fst dword ptr [rbx + 96]
    T "buf+104", fstp qword ptr [rbx + 104]
    T "buf+112", fstp tbyte ptr [rbx + 112]
    T "buf+128", fistp word ptr [rbx + 128]
    T "buf+132", fist dword ptr [rbx + 132]
    T "buf+136", fistp qword ptr [rbx + 136]
    T "buf+144", fisttp dword ptr [rbx + 144]
    T "buf+160", fnstcw [rbx + 160]
    T "buf+160", fldcw [rbx + 160]
    T "buf+162", fnstsw [rbx + 162]
    T "", fnstsw ax
    fldpi
    fld1
    fsin
    fsqrt
    fxch
    fcomip st, st(1)
    fstp st(0)
    fninit
    T "buf+176", fnstenv [rbx + 176]
    T "buf+176", fldenv [rbx + 176]
    T "buf+256", fnsave [rbx + 256]
    T "buf+256", frstor [rbx + 256]
    fld1
    T "buf+400", fbstp [rbx + 400]
    T "buf+400", fbld [rbx + 400]
    fninit
    lea rbx, [buf + 1024]
    fxsave [rbx]
    fxrstor [rbx]
    fxsave64 [rbx]
    fxrstor64 [rbx]
    mov eax, 7
    xor edx, edx
    xsave [rbx]
    mov eax, 7
    xor edx, edx
    xrstor [rbx]
    mov eax, 2
    xsave64 [rbx]
    mov eax, 2
    xrstor64 [rbx]
    xor ecx, ecx
    xgetbv
    EXIT
