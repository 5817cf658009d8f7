#include <algorithm>
#include <cstdio>
#include <vector>

static void convolve(const float *signal, int n, const float *kernel, int k, float *out) {
    for (int i = 0; i + k <= n; i++) {
        float sum = 0;
        for (int j = 0; j < k; j++)
            sum += signal[i + j] * kernel[j];
        out[i] = sum;
    }
}

int main() {
    int n, k;
    unsigned state;
    if (scanf("%d %d %u", &n, &k, &state) != 3)
        return 1;
    auto random = [&state] { return (float)((int)((state = state * 1664525u + 1013904223u) >> 16) % 17 - 8); };
    std::vector<float> signal(n), kernel(k), out(n - k + 1);
    std::generate(signal.begin(), signal.end(), random);
    std::generate(kernel.begin(), kernel.end(), random);
    convolve(signal.data(), n, kernel.data(), k, out.data());
    long long total = 0;
    for (float value : out)
        total += (long long)value;
    printf("%lld %d %d\n", total, (int)*std::min_element(out.begin(), out.end()),
           (int)*std::max_element(out.begin(), out.end()));
    return 0;
}
