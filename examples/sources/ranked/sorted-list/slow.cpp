#include <cstdio>
#include <iterator>
#include <list>

int main() {
    int n, q;
    if (scanf("%d %d", &n, &q) != 2)
        return 1;
    std::list<int> sorted;
    for (int i = 0; i < n; i++) {
        int value;
        if (scanf("%d", &value) != 1)
            return 1;
        auto place = sorted.begin();
        while (place != sorted.end() && *place < value)
            ++place;
        sorted.insert(place, value);
    }
    for (int i = 0; i < q; i++) {
        int k;
        if (scanf("%d", &k) != 1)
            return 1;
        printf("%d\n", *std::next(sorted.begin(), k - 1));
    }
    return 0;
}
