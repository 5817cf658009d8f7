/* ring.h - shared memory between the tracer inside qemu and the consumer beside the CPU model.
 *
 * A memfd: one control page, then PIE_RING_CHUNKS chunks of words. One producer, one consumer. The
 * producer fills a chunk with whole records and publishes it; the consumer takes chunks in order
 * and gives them back. A side sleeps on a futex only when it finds nothing to do, and is woken only
 * when it sleeps. The guest of the tracer can write all of this: the consumer trusts no value in
 * it. */
#ifndef PIE_TRACE_RING_H
#define PIE_TRACE_RING_H

#include "pie/plugin.h"

#include <stdatomic.h>
#include <stdbool.h>

enum {
    PIE_RING_CHUNKS = 8,
    PIE_RING_CHUNK_WORDS = 32 * 1024, /* smaller ones cost futex calls, larger ones cache */
    PIE_RING_PAGE = 4096,
    PIE_RING_LAST = 1 << 30
};

/* Records between tracer and consumer only; all others are in the form of pie/trace.h.
 * RAW_BLOCK  arg = block id. Words: address; bytes | instructions << 16 | slots << 32 | branches <<
 * 48; then the bytes, padded to words. Becomes DESCRIBE. */
enum { PIE_RECORD_RAW_BLOCK = 0x80 };

/* How the guest ended, as the tracer saw it. */
enum {
    PIE_TRACER_RUNNING = 0, /* it did not end: the tracer died */
    PIE_TRACER_EXITED = 1,
    PIE_TRACER_SIGNALLED = 2,
    PIE_TRACER_INSTRUCTION_LIMIT = 3,
    PIE_TRACER_OUTPUT_LIMIT = 4,
    PIE_TRACER_MEMORY_LIMIT = 5, /* too much code; a refused allocation only sets memory_refused */
    PIE_TRACER_FORBIDDEN = 6,
    PIE_TRACER_TAMPERING = 7,
    PIE_TRACER_BROKEN = 8 /* the tracer found something that it does not understand */
};

typedef struct pie_tracer_result {
    int32_t end; /* PIE_TRACER_RUNNING .. */
    int32_t exit_status, signal;
    uint32_t memory_refused; /* a request for memory was refused */
    int64_t syscall_number;
    uint64_t instructions, startup_instructions, branches, syscalls, write_calls, peak_bytes,
        blocks;
    uint64_t output_bytes, error_bytes; /* written by the guest to 1 and 2 */
    char function[256], reason[160];
} pie_tracer_result;

typedef struct pie_ring_control {
    /* written before the tracer starts */
    uint64_t limit_instructions; /* 0 = none */
    uint64_t limit_memory, limit_stack, limit_output;
    uint32_t frame_fd; /* a page frame that the guest may map, shared; 0 = none */
    /* while it runs */
    _Alignas(64) _Atomic uint32_t head; /* chunks published; a futex */
    _Atomic uint32_t producer_waits;
    _Atomic uint32_t alive; /* changes while the tracer works, also when it publishes nothing */
    _Alignas(64) _Atomic uint32_t tail; /* chunks given back; a futex */
    _Atomic uint32_t consumer_waits;
    _Atomic uint32_t want;             /* PIE_SINK_CONTINUE or PIE_SINK_UNTRACED */
    uint32_t n_words[PIE_RING_CHUNKS]; /* with PIE_RING_LAST in the last chunk of all */
    pie_tracer_result result;          /* valid once the last chunk is published */
} pie_ring_control;
_Static_assert(sizeof(pie_ring_control) <= PIE_RING_PAGE, "the control block is one page");

#define PIE_RING_BYTES \
    ((size_t)PIE_RING_PAGE + (size_t)PIE_RING_CHUNKS * PIE_RING_CHUNK_WORDS * sizeof(uint64_t))

typedef struct pie_ring {
    pie_ring_control *control;
    uint64_t *words;   /* [PIE_RING_CHUNKS][PIE_RING_CHUNK_WORDS] */
    uint32_t position; /* own count of chunks: the shared ones are not to be trusted */
    bool last;         /* consumer: the chunk taken is the last one */
} pie_ring;

/* A new ring; its descriptor, to be closed by the caller, goes to the tracer. PIE_ERR_IO with
 * errno. */
pie_status pie_ring_create(int *ret_fd, pie_ring *ret_ring);
/* Map the ring behind @fd. PIE_ERR_IO with errno. */
pie_status pie_ring_map(int fd, pie_ring *ret_ring);
void pie_ring_unmap(pie_ring *ring); /* all zero is allowed */

/* Producer: the chunk to fill now. */
uint64_t *pie_ring_chunk(const pie_ring *ring);
/* Producer: hand over the current chunk with @n_words; waits until the next one is free. */
void pie_ring_publish(pie_ring *ring, uint32_t n_words);
/* Producer: hand over the last words and say that no more will come. */
void pie_ring_end(pie_ring *ring, uint32_t n_words);

/* Consumer: the next chunk. PIE_ERR_AGAIN: none within @timeout_ms. PIE_ERR_LIMIT: the producer has
 * ended and all was taken. PIE_ERR_DATA: the control block makes no sense. */
pie_status pie_ring_take(pie_ring *ring, unsigned timeout_ms, const uint64_t **ret_words,
                         uint32_t *ret_n_words);
/* Consumer: give the chunk taken back. */
void pie_ring_release(pie_ring *ring);

#endif
