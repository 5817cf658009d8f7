/* test_ring.c - the ring between tracer and consumer: order, borders, waiting, and lies. */
#include "trace/ring.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { N_CHUNKS = 3 * PIE_RING_CHUNKS + 3 };

static void hurry_not(unsigned us)
{
    const struct timespec pause = {.tv_nsec = (long)us * 1000};
    if (us)
        nanosleep(&pause, NULL);
}

/* Chunk i has i % 5 + 1 words of value i. */
static _Noreturn void produce(int fd, unsigned pause_us)
{
    pie_ring ring;
    if (pie_ring_map(fd, &ring) != PIE_OK)
        _exit(1);
    for (uint32_t i = 0; i < N_CHUNKS; i++) {
        uint64_t *words = pie_ring_chunk(&ring);
        for (uint32_t k = 0; k <= i % 5; k++)
            words[k] = i;
        hurry_not(pause_us);
        if (i + 1 < N_CHUNKS)
            pie_ring_publish(&ring, i % 5 + 1);
        else
            pie_ring_end(&ring, i % 5 + 1);
    }
    _exit(0);
}

static void run_pair(unsigned producer_pause_us, unsigned consumer_pause_us)
{
    pie_ring ring;
    int fd, status;
    assert_int_equal(pie_ring_create(&fd, &ring), PIE_OK);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        produce(fd, producer_pause_us);
    for (uint32_t i = 0; i < N_CHUNKS; i++) {
        const uint64_t *words;
        uint32_t n;
        pie_status taken;
        do
            taken = pie_ring_take(&ring, 1000, &words, &n);
        while (taken == PIE_ERR_AGAIN);
        assert_int_equal(taken, PIE_OK);
        assert_int_equal(n, i % 5 + 1);
        for (uint32_t k = 0; k < n; k++)
            assert_int_equal(words[k], i);
        hurry_not(consumer_pause_us);
        pie_ring_release(&ring);
    }
    const uint64_t *words;
    uint32_t n;
    assert_int_equal(pie_ring_take(&ring, 0, &words, &n), PIE_ERR_LIMIT);
    assert_int_equal(pie_ring_take(&ring, 0, &words, &n), PIE_ERR_LIMIT);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    pie_ring_unmap(&ring);
    close(fd);
}

static void chunks_arrive_whole_and_in_order(void **state)
{
    (void)state;
    run_pair(0, 0);
}

static void a_fast_producer_waits_for_room(void **state)
{
    (void)state;
    run_pair(0, 1000);
}

static void a_fast_consumer_waits_for_chunks(void **state)
{
    (void)state;
    run_pair(1000, 0);
}

static void an_empty_ring_times_out(void **state)
{
    (void)state;
    pie_ring ring;
    const uint64_t *words;
    uint32_t n;
    int fd;
    assert_int_equal(pie_ring_create(&fd, &ring), PIE_OK);
    assert_int_equal(pie_ring_take(&ring, 0, &words, &n), PIE_ERR_AGAIN);
    assert_int_equal(pie_ring_take(&ring, 5, &words, &n), PIE_ERR_AGAIN);
    pie_ring_unmap(&ring);
    close(fd);
}

static void an_end_without_words_is_an_end(void **state)
{
    (void)state;
    pie_ring consumer, producer;
    const uint64_t *words;
    uint32_t n = 1;
    int fd;
    assert_int_equal(pie_ring_create(&fd, &consumer), PIE_OK);
    assert_int_equal(pie_ring_map(fd, &producer), PIE_OK);
    pie_ring_end(&producer, 0);
    assert_int_equal(pie_ring_take(&consumer, 0, &words, &n), PIE_OK);
    assert_int_equal(n, 0);
    pie_ring_release(&consumer);
    assert_int_equal(pie_ring_take(&consumer, 0, &words, &n), PIE_ERR_LIMIT);
    pie_ring_unmap(&consumer);
    pie_ring_unmap(&producer);
    close(fd);
}

static void impossible_control_blocks_are_refused(void **state)
{
    (void)state;
    pie_ring ring;
    const uint64_t *words;
    uint32_t n;
    int fd;
    assert_int_equal(pie_ring_create(&fd, &ring), PIE_OK);
    ring.control->n_words[0] = PIE_RING_CHUNK_WORDS + 1;
    atomic_store(&ring.control->head, 1);
    assert_int_equal(pie_ring_take(&ring, 0, &words, &n), PIE_ERR_DATA);
    ring.control->n_words[0] = 1;
    atomic_store(&ring.control->head, PIE_RING_CHUNKS + 1);
    assert_int_equal(pie_ring_take(&ring, 0, &words, &n), PIE_ERR_DATA);
    atomic_store(&ring.control->head, UINT32_MAX);
    assert_int_equal(pie_ring_take(&ring, 0, &words, &n), PIE_ERR_DATA);
    pie_ring_unmap(&ring);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_arrive_whole_and_in_order),
        cmocka_unit_test(a_fast_producer_waits_for_room),
        cmocka_unit_test(a_fast_consumer_waits_for_chunks),
        cmocka_unit_test(an_empty_ring_times_out),
        cmocka_unit_test(an_end_without_words_is_an_end),
        cmocka_unit_test(impossible_control_blocks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
