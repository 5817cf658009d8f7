#include <stdio.h>

int count_bits(unsigned long long number) {
    int count = 0;
    while (number > 0) {
        count += (int)(number % 2);
        number /= 2;
    }
    return count;
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
        bits += count_bits(state);
        if (count_bits(state) % 2 == 1)
            odd++;
    }
    printf("%ld %ld\n", bits, odd);
    return 0;
}
