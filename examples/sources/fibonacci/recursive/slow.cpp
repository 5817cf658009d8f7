#include <iostream>

long long fibonacci(int n) {
    if (n < 2)
        return n;
    return fibonacci(n - 1) + fibonacci(n - 2);
}

int main() {
    int q;
    std::cin >> q;
    while (q-- > 0) {
        int n;
        std::cin >> n;
        std::cout << fibonacci(n) << std::endl;
    }
    return 0;
}
