/* bootstrap.c - see bootstrap.h */
#include "report/bootstrap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 1, RESAMPLES_MAX = 1000, RESAMPLES_MIN = 200, DRAWS_MAX = 20000000 };

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t rotate_left(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static uint64_t xoshiro256(uint64_t s[4])
{
    const uint64_t result = rotate_left(s[1] * 5, 7) * 9, shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

void pie_bootstrap_start(pie_bootstrap *bootstrap)
{
    uint64_t seed = SEED;
    for (size_t i = 0; i < 4; i++)
        bootstrap->state[i] = splitmix64(&seed);
}

size_t pie_bootstrap_resamples(size_t n_problems)
{
    if (n_problems < 2)
        return 0;
    const size_t affordable = DRAWS_MAX / n_problems;
    return affordable < RESAMPLES_MIN   ? RESAMPLES_MIN
           : affordable > RESAMPLES_MAX ? RESAMPLES_MAX
                                        : affordable;
}

/* Upper half of a * b. */
static uint64_t multiply_high(uint64_t a, uint64_t b)
{
    const uint64_t a0 = a & UINT32_MAX, a1 = a >> 32, b0 = b & UINT32_MAX, b1 = b >> 32;
    const uint64_t middle = a1 * b0 + (a0 * b0 >> 32);
    return a1 * b1 + (middle >> 32) + ((a0 * b1 + (middle & UINT32_MAX)) >> 32);
}

void pie_bootstrap_draw(pie_bootstrap *bootstrap, size_t n_problems, uint32_t *ret_multiplicity)
{
    memset(ret_multiplicity, 0, n_problems * sizeof *ret_multiplicity);
    for (size_t i = 0; i < n_problems; i++)
        ret_multiplicity[multiply_high(xoshiro256(bootstrap->state), n_problems)]++;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void pie_bootstrap_interval(double *totals, size_t n, double ret_interval[2])
{
    ret_interval[0] = ret_interval[1] = NAN;
    for (size_t i = 0; i < n; i++)
        if (isnan(totals[i]))
            return;
    if (n == 0)
        return;
    const size_t tail = n / 40; /* floor(0.025 n) */
    qsort(totals, n, sizeof *totals, ascending);
    ret_interval[0] = totals[tail];
    ret_interval[1] = totals[n - 1 - tail];
}
