#include <cstdio>

static char text[1 << 16];

// Whole input at once, digits by hand, one write at the end.
int main() {
    static char out[1 << 16];
    const size_t length = fread(text, 1, sizeof text - 1, stdin);
    text[length] = 0;
    const char *p = text;
    auto number = [&] {
        while (*p == ' ' || *p == '\n')
            p++;
        const bool negative = *p == '-';
        p += negative;
        long long value = 0;
        for (; *p >= '0' && *p <= '9'; p++)
            value = value * 10 + (*p - '0');
        return negative ? -value : value;
    };
    const long long n = number();
    long long sum = 0;
    char *end = out;
    for (long long i = 0; i < n; i++) {
        sum += number();
        char digits[24];
        int n_digits = 0;
        unsigned long long rest = sum < 0 ? -(unsigned long long)sum : (unsigned long long)sum;
        do
            digits[n_digits++] = (char)('0' + rest % 10);
        while (rest /= 10);
        if (sum < 0)
            *end++ = '-';
        while (n_digits > 0)
            *end++ = digits[--n_digits];
        *end++ = '\n';
    }
    fwrite(out, 1, (size_t)(end - out), stdout);
    return 0;
}
