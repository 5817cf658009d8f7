/* test_stream.c - the check of the stream: what is true passes unchanged, every lie is found. */
#include "trace/check.h"
#include "trace/ring.h"

#include "pie/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* mov rax, [rbx]; mov [rcx], rdx; jz +0 */
static const uint8_t plain[] = {0x48, 0x8b, 0x03, 0x48, 0x89, 0x11, 0x74, 0x00};
/* rep movsb */
static const uint8_t rep[] = {0xf3, 0xa4};
/* vpgatherdd xmm0, [rbx+xmm2*4], xmm1 */
static const uint8_t gather[] = {0xc4, 0xe2, 0x71, 0x90, 0x04, 0x93};

enum { PLAIN, REP, GATHER };

typedef struct stream_fixture {
    uint64_t in[4096];
    size_t n_in;
    uint64_t out[65536];
    size_t n_out, n_batches;
    int32_t want;
    pie_status status;
    pie_trace_sink sink;
    pie_stream *stream;
} stream_fixture;

static pie_status keep(void *context, const uint64_t *words, size_t n_words, int32_t *ret_want)
{
    stream_fixture *f = context;
    assert_true(f->n_out + n_words <= sizeof f->out / sizeof *f->out);
    memcpy(f->out + f->n_out, words, n_words * sizeof *words);
    f->n_out += n_words;
    f->n_batches++;
    *ret_want = f->want;
    return f->status;
}

static int begin(void **state)
{
    stream_fixture *f = calloc(1, sizeof *f);
    if (!f)
        return -1;
    f->sink = (pie_trace_sink){f, keep};
    if (pie_stream_new(&f->sink, 100, &f->stream) != PIE_OK)
        return -1;
    *state = f;
    return 0;
}

static int end(void **state)
{
    stream_fixture *f = *state;
    pie_stream_free(f->stream);
    free(f);
    return 0;
}

static void put(stream_fixture *f, uint64_t word)
{
    f->in[f->n_in++] = word;
}

static void define(stream_fixture *f, uint32_t id, uint64_t address, const uint8_t *bytes,
                   size_t n_bytes, uint64_t n_insns, uint64_t n_slots, uint64_t n_branches)
{
    const size_t n = 3 + (n_bytes + 7) / 8;
    put(f, pie_record_header(PIE_RECORD_RAW_BLOCK, (uint32_t)n, id));
    put(f, address);
    put(f, n_bytes | n_insns << 16 | n_slots << 32 | n_branches << 48);
    f->in[f->n_in + (n_bytes - 1) / 8] = 0;
    memcpy(f->in + f->n_in, bytes, n_bytes);
    f->n_in += (n_bytes + 7) / 8;
}

static void define_all(stream_fixture *f)
{
    define(f, PLAIN, 0x401000, plain, sizeof plain, 3, 2, 1);
    define(f, REP, 0x401010, rep, sizeof rep, 1, 2, 0);
    define(f, GATHER, 0x401020, gather, sizeof gather, 1, 5, 0);
}

static void record(stream_fixture *f, uint32_t kind, uint32_t argument, uint32_t n,
                   const uint64_t *words)
{
    put(f, pie_record_header(kind, n + 1, argument));
    for (uint32_t i = 0; i < n; i++)
        put(f, words[i]);
}
#define RECORD(f, kind, argument, ...)                                             \
    record((f), (kind), (argument),                                                \
           (uint32_t)(sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)), \
           (const uint64_t[]){__VA_ARGS__})

static pie_status feed(stream_fixture *f)
{
    int32_t want;
    const pie_status status = pie_stream_feed(f->stream, f->in, f->n_in, &want);
    f->n_in = 0;
    return status;
}

static void true_records_pass_unchanged(void **state)
{
    stream_fixture *f = *state;
    define_all(f);
    const size_t from = f->n_in;
    RECORD(f, PIE_RECORD_EVENT, PIE_EVENT_MAP, 0x400000, 0x2000);
    RECORD(f, PIE_RECORD_BLOCK, PLAIN, 0x5000, 0x6000);
    RECORD(f, PIE_RECORD_CUT, PLAIN, 1, 0x5000, PIE_NO_ACCESS);
    RECORD(f, PIE_RECORD_CUT, PLAIN, 0, PIE_NO_ACCESS, PIE_NO_ACCESS);
    RECORD(f, PIE_RECORD_REP, REP, 7, PIE_REP_BACKWARD, 0x7000, 0x8000);
    RECORD(f, PIE_RECORD_REP, REP, 0, 0, PIE_NO_ACCESS, PIE_NO_ACCESS);
    RECORD(f, PIE_RECORD_BLOCK, GATHER, 2, 0x1000, 0x2000, PIE_NO_ACCESS, PIE_NO_ACCESS);
    RECORD(f, PIE_RECORD_BLOCK, GATHER, 9, 1, 2, 3, 4);
    put(f, pie_record_header(PIE_RECORD_EVENT, 1, PIE_EVENT_STARTUP_END));
    RECORD(f, PIE_RECORD_EVENT, PIE_EVENT_SYSCALL, 231, 0, 0);
    RECORD(f, PIE_RECORD_EVENT, PIE_EVENT_END, 0);
    const size_t n = f->n_in - from;
    uint64_t copy[256];
    memcpy(copy, f->in + from, n * sizeof *copy);
    assert_int_equal(feed(f), PIE_OK);
    assert_string_equal(pie_stream_fault(f->stream), "");

    size_t at = 0;
    for (uint32_t id = 0; id < 3; id++) {
        assert_int_equal(pie_record_kind(f->out[at]), PIE_RECORD_DESCRIBE);
        assert_int_equal(pie_record_argument(f->out[at]), id);
        const pie_block *block = (const pie_block *)(const void *)&f->out[at + 1];
        assert_int_equal(block->id, id);
        at += pie_record_words(f->out[at]);
    }
    assert_int_equal(f->n_out - at, n);
    assert_memory_equal(f->out + at, copy, n * sizeof *copy);

    const pie_stream_totals *totals = pie_stream_get_totals(f->stream);
    assert_int_equal(totals->instructions, 3 + 1 + 0 + 1 + 1 + 1 + 1);
    assert_int_equal(totals->startup_instructions, totals->instructions);
    assert_int_equal(totals->branches, 1);
    assert_int_equal(totals->blocks, 3);
    assert_int_equal(totals->syscalls, 1);
    assert_true(totals->ended);
}

/* Each lie alone, behind true definitions. */
static void every_lie_is_found(void **state)
{
    (void)state;
    const uint64_t above = PIE_GUEST_ADDRESS_LIMIT, none = PIE_NO_ACCESS;
    const struct {
        const char *name;
        uint32_t kind, argument, n;
        uint64_t words[6];
    } lies[] = {
        {"unknown id", PIE_RECORD_BLOCK, 3, 2, {1, 2}},
        {"too short", PIE_RECORD_BLOCK, PLAIN, 1, {1}},
        {"too long", PIE_RECORD_BLOCK, PLAIN, 3, {1, 2, 3}},
        {"address above the guest", PIE_RECORD_BLOCK, PLAIN, 2, {1, above}},
        {"address of the host", PIE_RECORD_BLOCK, PLAIN, 2, {0x7fff12345678, 1}},
        {"almost no access", PIE_RECORD_BLOCK, PLAIN, 2, {1, none - 1}},
        {"cut behind the end", PIE_RECORD_CUT, PLAIN, 3, {3, 1, 2}},
        {"cut with an address too many", PIE_RECORD_CUT, PLAIN, 3, {1, 1, 2}},
        {"repeated as a block", PIE_RECORD_BLOCK, REP, 2, {1, 2}},
        {"block as repeated", PIE_RECORD_REP, PLAIN, 4, {1, 0, 1, 2}},
        {"unknown flags", PIE_RECORD_REP, REP, 4, {1, 2, 1, 2}},
        {"iterations without end", PIE_RECORD_REP, REP, 4, {above, 0, 1, 2}},
        {"count above its addresses", PIE_RECORD_BLOCK, GATHER, 5, {2, 1, none, none, none}},
        {"count below its addresses", PIE_RECORD_BLOCK, GATHER, 5, {1, 1, 2, none, none}},
        {"count of the sky", PIE_RECORD_BLOCK, GATHER, 5, {1 << 21, 1, 2, 3, 4}},
        {"no count", PIE_RECORD_BLOCK, GATHER, 5, {none, 1, 2, 3, 4}},
        {"unknown event", PIE_RECORD_EVENT, 9, 1, {0}},
        {"event 0", PIE_RECORD_EVENT, 0, 1, {0}},
        {"short event", PIE_RECORD_EVENT, PIE_EVENT_MAP, 1, {0}},
        {"map above the guest", PIE_RECORD_EVENT, PIE_EVENT_MAP, 2, {above - 4096, 8192}},
        {"map of everything", PIE_RECORD_EVENT, PIE_EVENT_UNMAP, 2, {4096, UINT64_MAX - 100}},
        {"no such signal", PIE_RECORD_EVENT, PIE_EVENT_SIGNAL, 1, {65}},
        {"ready-made description", PIE_RECORD_DESCRIBE, 3, 2, {1, 2}},
        {"value", PIE_RECORD_VALUE, 0, 1, {1}},
        {"unknown kind", 77, 0, 1, {1}},
        {"definition out of order", PIE_RECORD_RAW_BLOCK, 4, 3, {0x402000, 1, 0x90}},
        {"definition again", PIE_RECORD_RAW_BLOCK, 2, 3, {0x402000, 1 | 1 << 16, 0x90}},
        {"definition without bytes", PIE_RECORD_RAW_BLOCK, 3, 3, {0x402000, 0, 0x90}},
        {"definition of wrong length", PIE_RECORD_RAW_BLOCK, 3, 3, {0x402000, 9 | 1 << 16, 0x90}},
        {"instructions that are not there",
         PIE_RECORD_RAW_BLOCK,
         3,
         3,
         {0x402000, 1 | 2 << 16, 0x90}},
        {"definition above the guest", PIE_RECORD_RAW_BLOCK, 3, 3, {above, 1 | 1 << 16, 0x90}},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        void *fresh = NULL;
        assert_int_equal(begin(&fresh), 0);
        stream_fixture *f = fresh;
        define_all(f);
        assert_int_equal(feed(f), PIE_OK);
        const size_t n_before = f->n_out;
        print_message("  %s\n", lies[i].name);
        record(f, lies[i].kind, lies[i].argument, lies[i].n, lies[i].words);
        assert_int_equal(feed(f), PIE_ERR_DATA);
        assert_string_not_equal(pie_stream_fault(f->stream), "");
        assert_int_equal(f->n_out, n_before); /* the sink never saw it */
        end(&fresh);
    }
}

static void lengths_cannot_lead_out_of_the_batch(void **state)
{
    static const uint32_t lengths[] = {0, 2, PIE_RECORD_MAX_WORDS};
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        void *fresh = NULL;
        assert_int_equal(begin(&fresh), 0);
        stream_fixture *f = fresh;
        put(f, pie_record_header(PIE_RECORD_EVENT, lengths[i], PIE_EVENT_STARTUP_END));
        assert_int_equal(feed(f), PIE_ERR_DATA);
        end(&fresh);
    }
}

static void totals_are_checked(void **state)
{
    stream_fixture *f = *state;
    define_all(f);
    for (int i = 0; i < 33; i++)
        RECORD(f, PIE_RECORD_BLOCK, PLAIN, 1, 2);
    assert_int_equal(feed(f), PIE_OK); /* 99 of 100 */
    RECORD(f, PIE_RECORD_BLOCK, PLAIN, 1, 2);
    assert_int_equal(feed(f), PIE_ERR_DATA);
}

static void startup_ends_once_and_nothing_follows_the_end(void **state)
{
    stream_fixture *f = *state;
    put(f, pie_record_header(PIE_RECORD_EVENT, 1, PIE_EVENT_STARTUP_END));
    RECORD(f, PIE_RECORD_EVENT, PIE_EVENT_END, 0);
    assert_int_equal(feed(f), PIE_OK);
    RECORD(f, PIE_RECORD_EVENT, PIE_EVENT_SYSCALL, 1, 0, 0);
    assert_int_equal(feed(f), PIE_ERR_DATA);

    void *fresh = NULL;
    assert_int_equal(begin(&fresh), 0);
    f = fresh;
    put(f, pie_record_header(PIE_RECORD_EVENT, 1, PIE_EVENT_STARTUP_END));
    put(f, pie_record_header(PIE_RECORD_EVENT, 1, PIE_EVENT_STARTUP_END));
    assert_int_equal(feed(f), PIE_ERR_DATA);
    end(&fresh);
}

static void the_sink_is_asked_no_more_once_it_declines(void **state)
{
    stream_fixture *f = *state;
    int32_t want;
    define_all(f);
    RECORD(f, PIE_RECORD_BLOCK, PLAIN, 1, 2);
    f->want = PIE_SINK_UNTRACED;
    assert_int_equal(pie_stream_feed(f->stream, f->in, f->n_in, &want), PIE_OK);
    assert_int_equal(want, PIE_SINK_UNTRACED);
    assert_int_equal(f->n_batches, 1);
}

static void a_failing_sink_is_passed_on(void **state)
{
    stream_fixture *f = *state;
    define_all(f);
    f->status = PIE_ERR_NOMEM;
    assert_int_equal(feed(f), PIE_ERR_NOMEM);
    assert_string_equal(pie_stream_fault(f->stream), "");
}

static void a_stream_can_be_checked_without_a_sink(void **state)
{
    (void)state;
    stream_fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(pie_stream_new(NULL, 0, &f->stream), PIE_OK);
    define_all(f);
    RECORD(f, PIE_RECORD_BLOCK, PLAIN, 1, 2);
    assert_int_equal(feed(f), PIE_OK);
    assert_int_equal(pie_stream_get_totals(f->stream)->instructions, 3);
    pie_stream_free(f->stream);
    free(f);
    pie_stream_free(NULL);
}

/* Random words: refused or taken, never worse. */
static void noise_is_survived(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252u;
    for (int round = 0; round < 3000; round++) {
        void *fresh = NULL;
        assert_int_equal(begin(&fresh), 0);
        stream_fixture *f = fresh;
        define_all(f);
        const size_t n_true = f->n_in;
        for (int i = 0; i < 40; i++)
            put(f, 0);
        for (int k = 0; k < 12; k++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            const size_t at = x % (n_true + 40);
            f->in[at] ^= round % 2 ? UINT64_C(1) << (x >> 32 & 63) : x >> 20;
        }
        feed(f);
        end(&fresh);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(true_records_pass_unchanged, begin, end),
        cmocka_unit_test(every_lie_is_found),
        cmocka_unit_test(lengths_cannot_lead_out_of_the_batch),
        cmocka_unit_test_setup_teardown(totals_are_checked, begin, end),
        cmocka_unit_test_setup_teardown(startup_ends_once_and_nothing_follows_the_end, begin, end),
        cmocka_unit_test_setup_teardown(the_sink_is_asked_no_more_once_it_declines, begin, end),
        cmocka_unit_test_setup_teardown(a_failing_sink_is_passed_on, begin, end),
        cmocka_unit_test(a_stream_can_be_checked_without_a_sink),
        cmocka_unit_test(noise_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
