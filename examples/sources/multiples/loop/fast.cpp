#include <iostream>

// Sum of the multiples of d below n.
static long long below(long long n, long long d) {
    const long long k = (n - 1) / d;
    return d * k * (k + 1) / 2;
}

int main() {
    int q;
    std::cin >> q;
    while (q-- > 0) {
        long long n;
        std::cin >> n;
        std::cout << below(n, 3) + below(n, 5) - below(n, 15) << "\n";
    }
    return 0;
}
