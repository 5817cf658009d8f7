#include <stdio.h>

int values[5000];

int main(void) {
    int n, i, j;
    long long swaps = 0;
    if (scanf("%d", &n) != 1)
        return 1;
    for (i = 0; i < n; i++)
        if (scanf("%d", &values[i]) != 1)
            return 1;
    for (i = 0; i < n; i++) {
        for (j = 0; j + 1 < n; j++) {
            if (values[j] > values[j + 1]) {
                int swapped = values[j];
                values[j] = values[j + 1];
                values[j + 1] = swapped;
                swaps++;
            }
        }
    }
    printf("%lld\n", swaps);
    return 0;
}
