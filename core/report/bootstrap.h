/* bootstrap.h - percentile bootstrap over problems.
 *
 * A resample draws as many problems as there are, with replacement, and recomputes every total. The
 * interval holds the middle 95 % of the totals: of B sorted ones, those at positions floor(0.025 B)
 * and B - 1 - floor(0.025 B), counted from 0. The draws are fixed: xoshiro256** whose state is four
 * outputs of splitmix64 seeded with 1; a draw below n is the upper half of the 128-bit product of n
 * and one output. So the same problems in the same order give the same interval on any machine. */
#ifndef PIE_REPORT_BOOTSTRAP_H
#define PIE_REPORT_BOOTSTRAP_H

#include <stddef.h>
#include <stdint.h>

typedef struct pie_bootstrap {
    uint64_t state[4];
} pie_bootstrap;

void pie_bootstrap_start(pie_bootstrap *bootstrap);
/* How many resamples @n_problems get: 1000, and fewer (200 at least) beyond 20,000 problems, where
 * the intervals are narrow and the work would be much. 0 when there are fewer than 2 problems. */
size_t pie_bootstrap_resamples(size_t n_problems);
/* @ret_multiplicity [n_problems]: how often the next resample holds each problem. */
void pie_bootstrap_draw(pie_bootstrap *bootstrap, size_t n_problems, uint32_t *ret_multiplicity);
/* Sorts @totals [n]; @ret_interval: lower and upper end, both NaN when a total is NaN. */
void pie_bootstrap_interval(double *totals, size_t n, double ret_interval[2]);

#endif
