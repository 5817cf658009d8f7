#include <stdio.h>
#include <stdlib.h>

static int values[5000], sorted[5000], tree[5001];

static int by_value(const void *a, const void *b) {
    const int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* A Fenwick tree over ranks holds how many values of each rank came before. */
int main(void) {
    int n, i, k;
    long long count = 0;
    if (scanf("%d", &n) != 1)
        return 1;
    for (i = 0; i < n; i++) {
        if (scanf("%d", &values[i]) != 1)
            return 1;
        sorted[i] = values[i];
    }
    qsort(sorted, (size_t)n, sizeof *sorted, by_value);
    for (i = 0; i < n; i++) {
        int low = 0, high = n, not_larger = 0;
        while (low < high) { /* number of sorted values below values[i] */
            const int middle = (low + high) / 2;
            if (sorted[middle] < values[i])
                low = middle + 1;
            else
                high = middle;
        }
        for (k = low + 1; k > 0; k &= k - 1)
            not_larger += tree[k];
        count += i - not_larger;
        for (k = low + 1; k <= n; k += k & -k)
            tree[k]++;
    }
    printf("%lld\n", count);
    return 0;
}
