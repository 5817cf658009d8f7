/* test_recorder.c - the stream of one block out of the guest's: cut where the cycles are read,
 * nothing lost, nothing twice; and how blocks are planned. */
#include "throughput/plan.h"
#include "throughput/recorder.h"
#include "throughput/static.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* mov rax, [rbx]; add rax, 1; mov [rcx], rax; push rdx; inc rsi */
static const uint8_t code[] = {0x48, 0x8b, 0x03, 0x48, 0x83, 0xc0, 0x01,
                               0x48, 0x89, 0x01, 0x52, 0x48, 0xff, 0xc6};
enum { N_INSNS = 5, N_SLOTS = 3 };

typedef struct fixture {
    pie_decoder *decoder;
    pie_recorder *recorder;
    pie_words list;
} fixture;

static int set_up(void **state)
{
    static fixture f;
    f = (fixture){0};
    assert_int_equal(pie_decoder_new(&f.decoder), PIE_OK);
    assert_int_equal(pie_recorder_new(&f.recorder), PIE_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    pie_decoder_free(f->decoder);
    pie_recorder_free(f->recorder);
    free(f->list.words);
    return 0;
}

static void describe(fixture *f, uint32_t id, uint64_t address)
{
    const pie_block *block;
    assert_int_equal(pie_decode_block(f->decoder, id, address, code, sizeof code, &block), PIE_OK);
    assert_int_equal(block->n_insns, N_INSNS);
    assert_int_equal(block->n_slots, N_SLOTS);
    f->list.n = 0;
    assert_true(pie_words_describe(&f->list, block, id));
    assert_int_equal(pie_recorder_describe(f->recorder, f->list.words), PIE_OK);
}

static void execute(const fixture *f, uint32_t id, uint64_t slots)
{
    const uint64_t record[] = {pie_record_header(PIE_RECORD_BLOCK, 1 + N_SLOTS, id), slots + 1,
                               slots + 2, slots + 3};
    assert_int_equal(pie_recorder_add(f->recorder, record), PIE_OK);
}

/* The instructions and slots of words [@from, @to), checked on the way. */
static size_t walk(const uint64_t *words, size_t from, size_t to, uint64_t *slots, size_t *n_slots)
{
    const pie_block *blocks[64] = {NULL};
    size_t n_insns = 0;
    for (size_t at = 0; at < to; at += pie_record_words(words[at])) {
        const uint32_t id = pie_record_argument(words[at]);
        assert_in_range(id, 7, 7 + 63);
        if (pie_record_kind(words[at]) == PIE_RECORD_DESCRIBE) {
            assert_null(blocks[id - 7]); /* no id twice */
            blocks[id - 7] = (const void *)(words + at + 1);
            assert_int_equal(blocks[id - 7]->id, id);
            continue;
        }
        assert_non_null(blocks[id - 7]);
        assert_int_equal(pie_record_words(words[at]), 1u + blocks[id - 7]->n_slots);
        if (at < from)
            continue;
        n_insns += blocks[id - 7]->n_insns;
        for (size_t i = 0; i < blocks[id - 7]->n_slots; i++)
            slots[(*n_slots)++] = words[at + 1 + i];
    }
    return n_insns;
}

static void readings_may_lie_anywhere(void **state)
{
    fixture *f = *state;
    for (uint64_t first = 1; first <= 2 * N_INSNS; first++)
        for (uint64_t last = first; last <= 3 * N_INSNS; last++) {
            pie_gauge_stream stream;
            uint64_t slots[16];
            size_t n_slots = 0;
            pie_recorder_reset(f->recorder);
            describe(f, 100, 0x1000);
            describe(f, 101, 0x1000 + sizeof code);
            pie_recorder_begin(f->recorder, first, last, 7);
            execute(f, 100, 10);
            execute(f, 101, 20);
            execute(f, 100, 30);
            assert_true(pie_recorder_is_complete(f->recorder));
            execute(f, 101, 40); /* behind the second reading: left out */
            pie_recorder_stream(f->recorder, &stream);
            assert_int_equal(walk(stream.words, 0, stream.first, slots, &n_slots), first);
            n_slots = 0;
            assert_int_equal(walk(stream.words, stream.first, stream.last, slots, &n_slots),
                             last - first);
            n_slots = 0;
            assert_int_equal(walk(stream.words, 0, stream.last, slots, &n_slots), last);
            /* slots belong to instructions 0, 2 and 3 of each block */
            static const unsigned slots_before[] = {0, 1, 1, 2, 3};
            assert_int_equal(n_slots, last / N_INSNS * N_SLOTS + slots_before[last % N_INSNS]);
            for (size_t i = 0; i < n_slots; i++)
                assert_int_equal(slots[i], 10 * (1 + i / N_SLOTS) + 1 + i % N_SLOTS);
        }
}

static void entering_again_forgets_what_was_executed(void **state)
{
    fixture *f = *state;
    pie_gauge_stream stream;
    uint64_t slots[16];
    size_t n_slots = 0;
    describe(f, 3, 0x1000);
    pie_recorder_begin(f->recorder, N_INSNS, 2 * N_INSNS, 7);
    execute(f, 3, 10);
    assert_false(pie_recorder_is_complete(f->recorder));
    pie_recorder_begin(f->recorder, N_INSNS, 2 * N_INSNS, 7);
    assert_true(pie_recorder_knows(f->recorder, 3));
    execute(f, 3, 20);
    execute(f, 3, 30);
    pie_recorder_stream(f->recorder, &stream);
    assert_int_equal(walk(stream.words, 0, stream.last, slots, &n_slots), 2 * N_INSNS);
    assert_int_equal(slots[0], 21);
    assert_int_equal(stream.n_ids, 1);
    pie_recorder_reset(f->recorder);
    assert_false(pie_recorder_knows(f->recorder, 3));
}

static void static_addresses_are_those_of_the_registers(void **state)
{
    fixture *f = *state;
    pie_tp_plan plan;
    pie_gauge_stream stream;
    uint64_t slots[2048];
    size_t n_slots = 0;
    assert_int_equal(pie_tp_plan_make(f->decoder, code, sizeof code, false, &plan), PIE_OK);
    plan.n_first = 3;
    plan.n_last = 10;
    assert_int_equal(
        pie_tp_static_stream(f->decoder, code, sizeof code, false, &plan, 7, &f->list, &stream),
        PIE_OK);
    assert_int_equal(stream.n_ids, 10);
    assert_int_equal(walk(stream.words, 0, stream.first, slots, &n_slots), 3 * N_INSNS);
    assert_int_equal(walk(stream.words, stream.first, stream.last, slots, &n_slots), 7 * N_INSNS);
    assert_int_equal(n_slots, 10 * N_SLOTS);
    assert_int_equal(slots[0], PIE_TP_VALUE);
    assert_int_equal(slots[1], PIE_TP_VALUE);
    assert_in_range(slots[2], PIE_TP_RSP - 8, PIE_TP_RSP);
}

static void plans(void **state)
{
    fixture *f = *state;
    pie_tp_plan plan;
    const uint8_t counted[] = {0x48, 0x01, 0xc3, 0x49, 0xff, 0xcf, 0x75, 0xf8};
    const uint8_t used[] = {0x4c, 0x01, 0xfb, 0x49, 0xff, 0xcf, 0x75, 0xf8}; /* add rbx, r15 */
    const uint8_t elsewhere[] = {0x48, 0x01, 0xc3, 0x49, 0xff, 0xcf, 0x75, 0xf9};
    assert_int_equal(pie_tp_plan_make(f->decoder, code, sizeof code, false, &plan), PIE_OK);
    assert_int_equal(plan.n_first, 100);
    assert_int_equal(plan.n_last, 200);
    assert_int_equal(plan.registers[0], PIE_TP_VALUE);
    assert_int_equal(plan.registers[4], PIE_TP_RSP);
    assert_int_equal(plan.registers[5], PIE_TP_RBP);
    assert_null(plan.refuse);

    uint8_t many[181]; /* nops, an odd number: their copies repeat after 16 */
    memset(many, 0x90, sizeof many);
    assert_int_equal(pie_tp_plan_make(f->decoder, many, sizeof many, false, &plan), PIE_OK);
    assert_int_equal((plan.n_last - plan.n_first) % 16, 0);
    assert_true(plan.n_first < 100);
    assert_true(plan.n_first * sizeof many >= 1600);

    assert_int_equal(pie_tp_plan_make(f->decoder, counted, sizeof counted, true, &plan), PIE_OK);
    assert_false(plan.is_endless);
    assert_int_equal(plan.registers[15], plan.n_last);
    assert_int_equal(pie_tp_plan_make(f->decoder, used, sizeof used, true, &plan), PIE_OK);
    assert_true(plan.is_endless);
    assert_int_equal(plan.registers[15], PIE_TP_VALUE);
    assert_int_equal(pie_tp_plan_make(f->decoder, elsewhere, sizeof elsewhere, true, &plan),
                     PIE_OK);
    assert_true(plan.is_endless);
    const uint8_t call[] = {0x0f, 0x05}, undefined[] = {0x06};
    assert_int_equal(pie_tp_plan_make(f->decoder, call, sizeof call, false, &plan), PIE_OK);
    assert_string_equal(plan.refuse, "a system call");
    assert_int_equal(pie_tp_plan_make(f->decoder, undefined, 1, false, &plan), PIE_OK);
    assert_string_equal(plan.refuse, "an undefined instruction");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(readings_may_lie_anywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(entering_again_forgets_what_was_executed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(static_addresses_are_those_of_the_registers, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(plans, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
