#include <cstdio>

static long long fibonacci(int n) {
    long long a = 0, b = 1;
    while (n-- > 0) {
        const long long sum = a + b;
        a = b;
        b = sum;
    }
    return a;
}

int main() {
    int q, n;
    if (scanf("%d", &q) != 1)
        return 1;
    while (q-- > 0 && scanf("%d", &n) == 1)
        printf("%lld\n", fibonacci(n));
    return 0;
}
