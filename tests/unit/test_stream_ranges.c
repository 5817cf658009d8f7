/* test_stream_ranges.c - the tracer's account of mapped memory against a bitmap. */
#include "trace/tracer/ranges.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { N = 200 };

static void agrees_with_a_bitmap(void **state)
{
    (void)state;
    ranges set = {0};
    bool bits[N] = {false};
    uint64_t x = 12345;
    for (int step = 0; step < 20000; step++) {
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const uint64_t start = (x >> 33) % N, end = start + (x >> 50) % (N - start + 1);
        const bool add = x >> 40 & 1;
        uint64_t total = 0, overlap = 0;
        for (uint64_t i = start; i < end; i++)
            overlap += bits[i];
        assert_int_equal(ranges_overlap(&set, start, end), overlap);
        assert_true(add ? ranges_add(&set, start, end) : ranges_remove(&set, start, end));
        for (uint64_t i = start; i < end; i++)
            bits[i] = add;
        for (int i = 0; i < N; i++)
            total += bits[i];
        assert_int_equal(set.total, total);
        for (size_t i = 0; i < set.n; i++) {
            assert_true(set.items[i].start < set.items[i].end);
            if (i > 0) /* disjoint, sorted and merged */
                assert_true(set.items[i - 1].end < set.items[i].start);
        }
    }
    free(set.items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_a_bitmap)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
