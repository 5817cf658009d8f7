#include <algorithm>
#include <cstdio>
#include <cstring>

int main() {
    char a[101], b[101];
    if (scanf("%100s %100s", a, b) != 2)
        return 1;
    // row[j]: the longest for the letters of a so far and the first j of b
    int row[101] = {0};
    const int n = (int)strlen(b);
    for (const char *p = a; *p; p++) {
        int diagonal = 0;
        for (int j = 1; j <= n; j++) {
            const int above = row[j];
            row[j] = *p == b[j - 1] ? diagonal + 1 : std::max(above, row[j - 1]);
            diagonal = above;
        }
    }
    printf("%d\n", row[n]);
    return 0;
}
