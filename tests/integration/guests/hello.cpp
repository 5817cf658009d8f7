// Stream output and input, formatted both ways.
#include <cstdio>
#include <iostream>
#include <string>

int main()
{
    std::string word;
    long n = 0, sum = 0;
    while (std::cin >> word) {
        n++;
        sum += static_cast<long>(word.size());
    }
    std::cout << "hello " << n << " words" << std::endl;
    std::printf("%ld letters %.3f\n", sum, static_cast<double>(sum) / 3.0);
    return 0;
}
