/* ring.c - see ring.h.
 *
 * Each side announces that it waits before it looks a last time, the other side changes the counter
 * before it looks at the announcement; both with sequential consistency, so no wake-up is lost. */
#include "trace/ring.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void futex_wait(_Atomic uint32_t *word, uint32_t value, unsigned timeout_ms)
{
    const struct timespec timeout = {.tv_sec = (time_t)(timeout_ms / 1000),
                                     .tv_nsec = (long)(timeout_ms % 1000) * 1000000};
    syscall(SYS_futex, word, FUTEX_WAIT, value, &timeout, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

pie_status pie_ring_map(int fd, pie_ring *ret_ring)
{
    void *memory = mmap(NULL, PIE_RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return PIE_ERR_IO;
    *ret_ring = (pie_ring){.control = memory,
                           .words = (uint64_t *)memory + PIE_RING_PAGE / sizeof(uint64_t)};
    return PIE_OK;
}

pie_status pie_ring_create(int *ret_fd, pie_ring *ret_ring)
{
    pie_status status = PIE_ERR_IO;
    const int fd = memfd_create("pie-ring", MFD_CLOEXEC);
    if (fd < 0)
        return PIE_ERR_IO;
    if (ftruncate(fd, (off_t)PIE_RING_BYTES) == 0)
        status = pie_ring_map(fd, ret_ring);
    if (status == PIE_OK) {
        *ret_fd = fd;
    } else {
        const int error = errno;
        close(fd);
        errno = error;
    }
    return status;
}

void pie_ring_unmap(pie_ring *ring)
{
    if (ring->control)
        munmap(ring->control, PIE_RING_BYTES);
    *ring = (pie_ring){0};
}

uint64_t *pie_ring_chunk(const pie_ring *ring)
{
    return ring->words + (size_t)(ring->position % PIE_RING_CHUNKS) * PIE_RING_CHUNK_WORDS;
}

static void hand_over(pie_ring *ring, uint32_t n_words)
{
    pie_ring_control *control = ring->control;
    control->n_words[ring->position % PIE_RING_CHUNKS] = n_words;
    ring->position++;
    atomic_store(&control->head, ring->position);
    if (atomic_load(&control->consumer_waits))
        futex_wake(&control->head);
}

void pie_ring_publish(pie_ring *ring, uint32_t n_words)
{
    pie_ring_control *control = ring->control;
    hand_over(ring, n_words);
    for (;;) {
        uint32_t tail = atomic_load(&control->tail);
        if (ring->position - tail < PIE_RING_CHUNKS)
            return;
        atomic_store(&control->producer_waits, 1);
        tail = atomic_load(&control->tail);
        if (ring->position - tail >= PIE_RING_CHUNKS)
            futex_wait(&control->tail, tail, 1000);
        atomic_store(&control->producer_waits, 0);
    }
}

void pie_ring_end(pie_ring *ring, uint32_t n_words)
{
    hand_over(ring, n_words | PIE_RING_LAST);
}

pie_status pie_ring_take(pie_ring *ring, unsigned timeout_ms, const uint64_t **ret_words,
                         uint32_t *ret_n_words)
{
    pie_ring_control *control = ring->control;
    if (ring->last)
        return PIE_ERR_LIMIT;
    uint32_t head = atomic_load(&control->head);
    if (head == ring->position) {
        atomic_store(&control->consumer_waits, 1);
        head = atomic_load(&control->head);
        if (head == ring->position) {
            futex_wait(&control->head, head, timeout_ms);
            head = atomic_load(&control->head);
        }
        atomic_store(&control->consumer_waits, 0);
    }
    if (head == ring->position)
        return PIE_ERR_AGAIN;
    const uint32_t word = control->n_words[ring->position % PIE_RING_CHUNKS];
    const uint32_t n_words = word & ~(uint32_t)PIE_RING_LAST;
    if (head - ring->position > PIE_RING_CHUNKS || n_words > PIE_RING_CHUNK_WORDS)
        return PIE_ERR_DATA;
    ring->last = n_words != word;
    *ret_words = pie_ring_chunk(ring);
    *ret_n_words = n_words;
    return PIE_OK;
}

void pie_ring_release(pie_ring *ring)
{
    ring->position++;
    atomic_store(&ring->control->tail, ring->position);
    if (atomic_load(&ring->control->producer_waits))
        futex_wake(&ring->control->tail);
}
