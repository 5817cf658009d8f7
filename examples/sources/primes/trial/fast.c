#include <stdio.h>

static char composite[100001];

int main(void) {
    int n, i, k, count = 0, last = 0;
    if (scanf("%d", &n) != 1)
        return 1;
    for (i = 2; i <= n; i++) {
        if (composite[i])
            continue;
        count++;
        last = i;
        if (i <= n / i)
            for (k = i * i; k <= n; k += i)
                composite[k] = 1;
    }
    printf("%d %d\n", count, last);
    return 0;
}
