#include <algorithm>
#include <cstdio>
#include <vector>

int main() {
    int n, q;
    if (scanf("%d %d", &n, &q) != 2)
        return 1;
    std::vector<int> values(n);
    for (int &value : values)
        if (scanf("%d", &value) != 1)
            return 1;
    std::sort(values.begin(), values.end());
    for (int i = 0; i < q; i++) {
        int k;
        if (scanf("%d", &k) != 1)
            return 1;
        printf("%d\n", values[k - 1]);
    }
    return 0;
}
