#include <iostream>

int main() {
    int q;
    std::cin >> q;
    while (q-- > 0) {
        int n;
        std::cin >> n;
        long long sum = 0;
        for (int i = 1; i < n; i++)
            if (i % 3 == 0 || i % 5 == 0)
                sum += i;
        std::cout << sum << "\n";
    }
    return 0;
}
