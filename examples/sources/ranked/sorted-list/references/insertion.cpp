#include <algorithm>
#include <cstdio>
#include <vector>

int main() {
    int n, q;
    if (scanf("%d %d", &n, &q) != 2)
        return 1;
    std::vector<int> sorted;
    for (int i = 0; i < n; i++) {
        int value;
        if (scanf("%d", &value) != 1)
            return 1;
        sorted.insert(std::lower_bound(sorted.begin(), sorted.end(), value), value);
    }
    for (int i = 0; i < q; i++) {
        int k;
        if (scanf("%d", &k) != 1)
            return 1;
        printf("%d\n", sorted[k - 1]);
    }
    return 0;
}
