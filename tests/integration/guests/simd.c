/* Loops that a compiler turns into AVX2 and FMA code; gathers and masks by intrinsics. */
#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 1003 };

__attribute__((noinline)) static double dot(const double *a, const double *b, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

__attribute__((noinline)) static void saxpy(float *y, const float *x, float a, int n)
{
    for (int i = 0; i < n; i++)
        y[i] = a * x[i] + y[i];
}

__attribute__((noinline)) static int count(const unsigned char *bytes, int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++)
        sum += bytes[i] > 100;
    return sum;
}

int main(void)
{
    static double a[N], b[N];
    static float x[N], y[N];
    static unsigned char bytes[N];
    static int table[N];
    for (int i = 0; i < N; i++) {
        a[i] = i * 0.5;
        b[i] = N - i;
        x[i] = (float)i;
        y[i] = 1.0f;
        bytes[i] = (unsigned char)(i * 7);
        table[i] = i * i;
    }
    saxpy(y, x, 2.5f, N);
    const __m256i at = _mm256_setr_epi32(1, 50, 3, 900, 5, 6, 777, 8);
    const __m256i picked = _mm256_i32gather_epi32(table, at, 4);
    const __m256i mask = _mm256_cmpgt_epi32(picked, _mm256_set1_epi32(30));
    _mm256_maskstore_epi32(table, mask, picked);
    const __m256i loaded = _mm256_maskload_epi32(table + 1, mask);
    int lanes[8], sum = 0;
    _mm256_storeu_si256((__m256i *)lanes, loaded);
    for (int i = 0; i < 8; i++)
        sum += lanes[i];
    printf("%.3f %.3f %d %d\n", dot(a, b, N), (double)y[N - 1], count(bytes, N), sum);
    return 0;
}
