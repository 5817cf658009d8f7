#include <stdio.h>

/* Sums of neighbouring bits, in fields of 2, 4 and 8 bits; the product adds the bytes up. */
static int count_bits(unsigned long long number) {
    number -= number >> 1 & 0x5555555555555555u;
    number = (number & 0x3333333333333333u) + (number >> 2 & 0x3333333333333333u);
    number = (number + (number >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (int)(number * 0x0101010101010101u >> 56);
}

int main(void) {
    int n;
    unsigned long long state;
    long bits = 0, odd = 0;
    if (scanf("%d %llu", &n, &state) != 2)
        return 1;
    while (n-- > 0) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        const int count = count_bits(state);
        bits += count;
        odd += count & 1;
    }
    printf("%ld %ld\n", bits, odd);
    return 0;
}
