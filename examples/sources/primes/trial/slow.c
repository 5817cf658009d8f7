#include <stdio.h>

int is_prime(int n) {
    int d;
    for (d = 2; d * d <= n; d++)
        if (n % d == 0)
            return 0;
    return 1;
}

int main(void) {
    int n, i, count = 0, last = 0;
    if (scanf("%d", &n) != 1)
        return 1;
    for (i = 2; i <= n; i++) {
        if (is_prime(i)) {
            count++;
            last = i;
        }
    }
    printf("%d %d\n", count, last);
    return 0;
}
