#include <algorithm>
#include <iostream>
#include <string>

std::string a, b;

// Length of the longest common subsequence of a[i..] and b[j..].
int common(size_t i, size_t j) {
    if (i == a.size() || j == b.size())
        return 0;
    const int best = std::max(common(i + 1, j), common(i, j + 1));
    return a[i] == b[j] ? std::max(best, 1 + common(i + 1, j + 1)) : best;
}

int main() {
    std::cin >> a >> b;
    std::cout << common(0, 0) << std::endl;
    return 0;
}
