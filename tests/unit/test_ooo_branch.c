/* uarch-models/ooo/branch.c: which branches are foreseen, which not, and how often. */
#include "ooo/branch.h"

#include "pie/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { CODE = 0x401000, OUTER = CODE + 0x400 };

static ooo_branch_unit unit, other;
static uint64_t seed;

static uint32_t chance(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % n;
}

static void start(const ooo_branch_params *params)
{
    assert_null(ooo_branch_check(params));
    ooo_branch_init(&unit, params);
    seed = 88172645463325252u;
}

static int fresh(void **state)
{
    (void)state;
    start(&ooo_branch_skylake);
    return 0;
}

/* Each returns the verdict; the branch is two bytes long and begins at @address. */
static ooo_branch_verdict jcc(uint64_t address, bool taken)
{
    return ooo_branch_execute(&unit, PIE_BRANCH_CONDITIONAL, address + 2,
                              taken ? OOO_TAKEN : OOO_NOT_TAKEN, address - 64);
}
static ooo_branch_verdict go(uint8_t kind, uint64_t address, uint64_t target)
{
    return ooo_branch_execute(&unit, kind, address + 2, OOO_TAKEN, target);
}
static uint32_t miss(ooo_branch_verdict verdict)
{
    return verdict == OOO_BRANCH_DIRECTION || verdict == OOO_BRANCH_TARGET;
}

/* Mispredictions of the last half of @rounds times around a loop of @trips iterations. */
static uint32_t loop(uint32_t trips, uint32_t rounds)
{
    uint32_t n = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        uint32_t now = 0;
        for (uint32_t i = 1; i <= trips; i++)
            now += miss(jcc(CODE, i < trips));
        now += miss(jcc(OUTER, true));
        n += round >= rounds / 2 ? now : 0;
    }
    return n;
}

/* ---- loops ------------------------------------------------------------------------------------
 */

static ooo_branch_params without_loops(void)
{
    ooo_branch_params params = ooo_branch_skylake;
    params.loop_entries = 0;
    return params;
}

static void test_fixed_trip_counts(void **state)
{
    (void)state;
    const ooo_branch_params history = without_loops();
    for (uint32_t trips = 1; trips <= 64; trips++) {
        start(&ooo_branch_skylake);
        assert_int_equal(loop(trips, 4000), 0);
        start(&history);
        assert_in_range(loop(trips, 4000), 0, 4);
    }
    /* longer than history and counter: the exit is never foreseen, all else is */
    start(&ooo_branch_skylake);
    assert_in_range(loop(200, 2000), 990, 1010);
}

static void test_loop_counter_needs_fixed_trips(void **state)
{
    (void)state;
    ooo_branch_params params = ooo_branch_skylake;
    uint32_t n[2] = {0, 0};
    for (int with = 0; with < 2; with++) { /* the body's random branch drowns the history */
        params.loop_entries = with ? 32 : 0;
        start(&params);
        for (uint32_t round = 0; round < 8000; round++) {
            for (uint32_t i = 1; i <= 40; i++) {
                jcc(CODE + 32, chance(2));
                const uint32_t now = miss(jcc(CODE, i < 40));
                n[with] += round >= 4000 ? now : 0;
            }
            jcc(OUTER, true);
        }
    }
    assert_true(n[0] > 3600);
    assert_true(n[1] < 40);
    /* trips that change: nothing to count, at most one miss per exit */
    start(&ooo_branch_skylake);
    uint32_t changing = 0;
    for (uint32_t round = 0; round < 4000; round++) {
        const uint32_t trips = 20 + chance(10);
        for (uint32_t i = 1; i <= trips; i++)
            changing += miss(jcc(CODE, i < trips));
        jcc(OUTER, true);
    }
    assert_in_range(changing, 3000, 5500);
}

static void test_nested_loops(void **state)
{
    (void)state;
    for (uint32_t trips = 2; trips <= 64; trips *= 2) {
        start(&ooo_branch_skylake);
        uint32_t n = 0;
        for (uint32_t round = 0; round < 2000; round++) {
            uint32_t now = 0;
            for (uint32_t j = 1; j <= trips; j++) {
                for (uint32_t i = 1; i <= 6; i++)
                    now += miss(jcc(CODE, i < 6));
                now += miss(jcc(CODE + 64, j < trips));
            }
            now += miss(jcc(OUTER, true));
            n += round >= 1000 ? now : 0;
        }
        assert_in_range(n, 0, 2);
    }
}

/* ---- patterns and data ------------------------------------------------------------------------
 */

static uint32_t pattern(const uint8_t *outcomes, uint32_t period)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < 40000; i++) {
        const uint32_t now = miss(jcc(CODE, outcomes[i % period])) + miss(jcc(OUTER, true));
        n += i >= 30000 ? now : 0;
    }
    return n;
}

static void test_periodic_patterns(void **state)
{
    (void)state;
    uint8_t outcomes[64];
    for (uint32_t period = 2; period <= 64; period++)
        for (uint32_t variant = 0; variant < 3; variant++) {
            start(&ooo_branch_skylake);
            seed += 1000u * period + variant;
            for (uint32_t i = 0; i < period; i++)
                outcomes[i] = (uint8_t)(variant == 0 ? i % 2 : chance(2));
            assert_in_range(pattern(outcomes, period), 0, 10);
        }
}

static void test_correlated_branches(void **state)
{
    (void)state;
    uint32_t random = 0, repeated = 0, both = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        const bool a = chance(2), b = chance(2);
        const uint32_t first = miss(jcc(CODE, a)) + miss(jcc(CODE + 32, b));
        const uint32_t same = miss(jcc(CODE + 64, a)), either = miss(jcc(CODE + 96, a != b));
        jcc(OUTER, true);
        if (i >= 50000) {
            random += first;
            repeated += same;
            both += either;
        }
    }
    assert_in_range(random, 45000, 55000);
    assert_in_range(repeated, 0, 500);
    assert_in_range(both, 0, 500);
}

/* Mispredictions per thousand of a branch that is taken @percent of the time. */
static uint32_t biased(uint32_t percent)
{
    uint32_t n = 0;
    fresh(NULL);
    for (uint32_t i = 0; i < 300000; i++) {
        const uint32_t now = miss(jcc(CODE, chance(100) < percent));
        jcc(OUTER, true);
        n += i >= 100000 ? now : 0;
    }
    return n / 200;
}

static void test_random_data(void **state)
{
    (void)state;
    assert_in_range(biased(50), 450, 550);
    assert_in_range(biased(90), 90, 110);
    assert_in_range(biased(10), 90, 110);
    assert_in_range(biased(99), 8, 14);
    assert_int_equal(biased(100), 0);
}

static int compare(const void *a, const void *b)
{
    return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1;
}

static void test_sorted_data(void **state)
{
    (void)state;
    enum { N = 100000 };
    static uint32_t data[N];
    uint32_t n[2] = {0, 0};
    for (int sorted = 0; sorted < 2; sorted++) {
        fresh(NULL);
        for (uint32_t i = 0; i < N; i++)
            data[i] = chance(256);
        if (sorted)
            qsort(data, N, sizeof *data, compare);
        for (uint32_t i = 0; i < N; i++) {
            n[sorted] += miss(jcc(CODE, data[i] >= 128));
            jcc(OUTER, true);
        }
    }
    assert_in_range(n[0], N * 45 / 100, N * 55 / 100);
    assert_in_range(n[1], 1, 10);
}

/* ---- targets ----------------------------------------------------------------------------------
 */

/* Mispredicted indirect branches per thousand; @random or the targets in turn. Calls return. */
static uint32_t indirect(uint8_t kind, uint32_t targets, bool random)
{
    uint32_t n = 0;
    fresh(NULL);
    for (uint32_t i = 0; i < 60000; i++) {
        const uint64_t target = 0x500000 + 96 * (random ? chance(targets) : i % targets);
        const uint32_t now = miss(go(kind, CODE, target));
        n += i >= 20000 ? now : 0;
        if (kind == PIE_BRANCH_CALL_INDIRECT)
            assert_int_not_equal(go(PIE_BRANCH_RETURN, target + 32, CODE + 2), OOO_BRANCH_TARGET);
        else
            go(PIE_BRANCH_JUMP, target + 32, CODE + 64);
        jcc(OUTER, true);
    }
    return n / 40;
}

static void test_virtual_calls(void **state)
{
    (void)state;
    assert_int_equal(indirect(PIE_BRANCH_CALL_INDIRECT, 1, false), 0);
    assert_int_equal(indirect(PIE_BRANCH_CALL_INDIRECT, 4, false), 0);
    assert_in_range(indirect(PIE_BRANCH_CALL_INDIRECT, 64, false), 0, 5);
    assert_in_range(indirect(PIE_BRANCH_CALL_INDIRECT, 4, true), 700, 800);
    assert_in_range(indirect(PIE_BRANCH_CALL_INDIRECT, 64, true), 970, 995);
}

static void test_big_switch(void **state)
{
    (void)state;
    assert_in_range(indirect(PIE_BRANCH_INDIRECT, 200, false), 0, 10);
    assert_in_range(indirect(PIE_BRANCH_INDIRECT, 200, true), 985, 1000);
    /* an interpreter's loop over a fixed program */
    uint32_t n = 0;
    uint8_t program[60];
    fresh(NULL);
    for (size_t i = 0; i < sizeof program; i++)
        program[i] = (uint8_t)chance(12);
    for (uint32_t i = 0; i < 60000; i++) {
        const uint64_t target = 0x500000 + 64u * program[i % sizeof program];
        const uint32_t now = miss(go(PIE_BRANCH_INDIRECT, CODE, target));
        go(PIE_BRANCH_JUMP, target + 16, CODE - 16);
        n += i >= 30000 ? now : 0;
    }
    assert_in_range(n, 0, 150);
}

static void test_targets_are_learnt_anew(void **state)
{
    (void)state;
    static const uint8_t orders[2][4] = {{0, 1, 2, 3}, {0, 2, 1, 3}};
    ooo_branch_params params = ooo_branch_skylake;
    params.indirect_tables = 1; /* that sees the target before */
    params.history[0] = 2;
    start(&params);
    for (int order = 0; order < 2; order++) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < 400; i++) {
            const uint64_t target = 0x500000 + 64u * orders[order][i % 4];
            const uint32_t now = miss(go(PIE_BRANCH_INDIRECT, CODE, target));
            go(PIE_BRANCH_JUMP, target + 16, CODE - 16);
            n += i >= 40 ? now : 0;
        }
        assert_int_equal(n, 0);
    }
}

/* Mispredicted returns of @rounds nests of @depth calls from different places. */
static uint32_t calls(uint32_t depth, uint32_t rounds)
{
    uint32_t n = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        for (uint32_t i = 0; i < depth; i++)
            go(PIE_BRANCH_CALL, CODE + 64 * i, CODE + 64 * (i + 1) - 16);
        for (uint32_t i = depth; i-- > 0;)
            n += miss(go(PIE_BRANCH_RETURN, CODE + 64 * (i + 1), CODE + 64 * i + 2));
    }
    return n;
}

static void test_return_stack(void **state)
{
    (void)state;
    static const uint32_t depths[] = {1, 8, 15, 16, 17, 24, 32};
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
        const uint32_t depth = depths[i];
        fresh(NULL);
        assert_int_equal(calls(depth, 100), depth > 16 ? (depth - 16) * 100 : 0);
    }
    /* a stack of half the size */
    ooo_branch_params params = ooo_branch_skylake;
    params.return_entries = 8;
    start(&params);
    assert_int_equal(calls(9, 100), 100);
}

static void test_return_stack_wraps(void **state)
{
    (void)state;
    calls(16, 1); /* empty, but nothing counts that: the same addresses come round again */
    for (uint32_t i = 16; i-- > 0;)
        assert_int_not_equal(go(PIE_BRANCH_RETURN, CODE + 64 * (i + 1), CODE + 64 * i + 2),
                             OOO_BRANCH_TARGET);
    /* recursion from one place goes on past the end */
    fresh(NULL);
    for (uint32_t i = 0; i < 40; i++)
        go(PIE_BRANCH_CALL, CODE, CODE - 64);
    for (uint32_t i = 0; i < 40; i++)
        assert_int_not_equal(go(PIE_BRANCH_RETURN, CODE + 16, CODE + 2), OOO_BRANCH_TARGET);
}

static void test_call_to_next_instruction(void **state)
{
    (void)state;
    go(PIE_BRANCH_CALL, CODE, 0x500000);
    go(PIE_BRANCH_CALL, 0x500000, 0x500002); /* reads the address, is never returned to */
    assert_int_equal(go(PIE_BRANCH_RETURN, 0x500010, CODE + 2), OOO_BRANCH_REDIRECTED);
}

/* ---- branch target buffer ---------------------------------------------------------------------
 */

/* Misses per round of @n jumps, @apart bytes, once all have been seen. */
static uint32_t jumps(uint32_t n, uint32_t apart)
{
    uint32_t misses = 0;
    fresh(NULL);
    for (uint32_t round = 0; round < 8; round++)
        for (uint32_t i = 0; i < n; i++) {
            const uint64_t at = 0x400000 + (uint64_t)i * apart;
            const ooo_branch_verdict verdict = go(PIE_BRANCH_JUMP, at, at + apart);
            assert_false(miss(verdict));
            misses += round >= 4 && verdict == OOO_BRANCH_REDIRECTED;
        }
    return misses / 4;
}

static void test_btb_capacity(void **state)
{
    (void)state;
    assert_int_equal(jumps(1024, 16), 0);
    assert_int_equal(jumps(4096, 8), 0);
    assert_int_equal(jumps(4096, 16), 0);
    assert_in_range(jumps(4096, 24), 0, 40); /* measured on Haswell: none */
    assert_in_range(jumps(4096 + 256, 16), 256, 1500);
    assert_in_range(jumps(8192, 16), 4096, 8192);
    assert_int_equal(jumps(2048, 32), 0);
    assert_in_range(jumps(4096, 32), 2000, 4096);
    /* five in a set of four */
    assert_int_equal(jumps(4, 16384), 0);
    assert_in_range(jumps(5, 16384), 1, 3);
    bool missed[5] = {false};
    for (uint32_t i = 0; i < 200; i++) { /* and none of them stays for good */
        const uint64_t at = 0x400000 + (uint64_t)(i % 5) * 16384;
        missed[i % 5] |= go(PIE_BRANCH_JUMP, at, at + 16384) == OOO_BRANCH_REDIRECTED;
    }
    for (uint32_t i = 0; i < 5; i++)
        assert_true(missed[i]);
}

static void test_btb_and_kinds(void **state)
{
    (void)state;
    /* taken and not known: the decoders see where a direct one goes, but not whether it is taken */
    assert_int_equal(go(PIE_BRANCH_JUMP, CODE, 0x500000), OOO_BRANCH_REDIRECTED);
    assert_int_equal(go(PIE_BRANCH_JUMP, CODE, 0x500000), OOO_BRANCH_PREDICTED);
    assert_int_equal(go(PIE_BRANCH_CALL, CODE + 16, 0x500000), OOO_BRANCH_REDIRECTED);
    assert_int_equal(go(PIE_BRANCH_RETURN, 0x500010, CODE + 18), OOO_BRANCH_REDIRECTED);
    assert_int_equal(go(PIE_BRANCH_RETURN, 0x500010, CODE + 18), OOO_BRANCH_TARGET);
    assert_int_equal(go(PIE_BRANCH_INDIRECT, CODE + 32, 0x500000), OOO_BRANCH_TARGET);
    assert_int_equal(go(PIE_BRANCH_INDIRECT, CODE + 32, 0x500000), OOO_BRANCH_PREDICTED);
    assert_int_equal(go(PIE_BRANCH_CALL_INDIRECT, CODE + 48, 0x500000), OOO_BRANCH_TARGET);
    assert_int_equal(jcc(CODE + 64, true), OOO_BRANCH_DIRECTION);
    assert_int_equal(jcc(CODE + 64, true), OOO_BRANCH_PREDICTED);
    assert_int_equal(jcc(CODE + 64, false), OOO_BRANCH_DIRECTION);
    assert_int_equal(jcc(CODE + 80, false), OOO_BRANCH_PREDICTED);
    /* known to be taken, but not any more where it is */
    for (uint32_t i = 0; i < 20; i++)
        jcc(CODE + 96, true);
    assert_int_equal(jcc(CODE + 96, true), OOO_BRANCH_PREDICTED);
    for (uint32_t i = 1; i < 200; i++)
        go(PIE_BRANCH_JUMP, CODE + 96 + 16384u * i, 0x500000);
    assert_int_equal(jcc(CODE + 96, true), OOO_BRANCH_DIRECTION);
    /* 31 bits of an address tell branches apart */
    go(PIE_BRANCH_JUMP, CODE, 0x500000);
    go(PIE_BRANCH_JUMP, CODE + (1u << 30), 0x600000);
    assert_int_equal(go(PIE_BRANCH_JUMP, CODE, 0x500000), OOO_BRANCH_PREDICTED);
    assert_int_equal(go(PIE_BRANCH_JUMP, CODE + (UINT64_C(1) << 31), 0x600000),
                     OOO_BRANCH_REDIRECTED);
    assert_int_equal(go(PIE_BRANCH_JUMP, CODE, 0x500000), OOO_BRANCH_REDIRECTED);
    assert_int_equal(go(PIE_BRANCH_SYSCALL, CODE, 0), OOO_BRANCH_PREDICTED);
}

static void test_never_taken_costs_no_entry(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 4096; i++)
        go(PIE_BRANCH_JUMP, 0x400000 + 16 * i, 0x500000);
    for (uint32_t i = 0; i < 8192; i++)
        assert_int_equal(jcc(0x400008 + 16 * i, false), OOO_BRANCH_PREDICTED);
    for (uint32_t i = 0; i < 4096; i++)
        assert_int_equal(go(PIE_BRANCH_JUMP, 0x400000 + 16 * i, 0x500000), OOO_BRANCH_PREDICTED);
}

/* ---- many branches ----------------------------------------------------------------------------
 */

static void test_aliasing(void **state)
{
    (void)state;
    enum { N = 3000, EASY = 2500, ROUNDS = 60 };
    static uint32_t address[N];
    uint32_t easy = 0, hard = 0;
    for (uint32_t i = 0; i < N; i++)
        address[i] = 0x400000 + 20 * i + chance(12);
    for (uint32_t round = 0; round < ROUNDS; round++)
        for (uint32_t i = 0; i < N; i++) {
            /* ever the same, and beside them some that change each round */
            const bool taken = i < EASY ? i * 2654435761u >> 31 : (round + i) & 1;
            const uint32_t now = miss(jcc(address[i], taken));
            if (round >= ROUNDS / 2)
                *(i < EASY ? &easy : &hard) += now;
        }
    assert_in_range(easy, 0, EASY * (ROUNDS / 2) / 50);             /* 2 % */
    assert_in_range(hard, 0, (N - EASY) * (ROUNDS / 2) * 15 / 100); /* 15 % */
    print_message("  easy %u of %u, alternating %u of %u\n", easy, EASY * ROUNDS / 2, hard,
                  (N - EASY) * ROUNDS / 2);
}

/* Mispredictions per thousand of branches that repeat a pattern of 16, among @noisy random ones, in
 * tables of 64 entries; of the second half, after other branches in the first. */
static uint32_t crowded(uint32_t n_patterns, uint32_t noisy)
{
    uint32_t n = 0, of = 0;
    ooo_branch_params params = ooo_branch_skylake;
    params.table_entries = 64;
    start(&params);
    for (uint32_t half = 0; half < 2; half++)
        for (uint32_t i = 0; i < 20000; i++) {
            for (uint32_t k = 0; k < n_patterns; k++) {
                const uint64_t at = CODE + 4096 * half + 48 * k;
                const uint32_t now = miss(jcc(at, 0x6a3cu >> ((i + 5 * k) % 16) & 1));
                n += half && i >= 5000 ? now : 0;
                of += half && i >= 5000;
            }
            for (uint32_t k = 0; k < noisy; k++)
                jcc(OUTER + 32 + 32 * k, chance(16) == 0);
            jcc(OUTER, true);
        }
    return n * 1000 / of;
}

static void test_crowded_tables(void **state)
{
    (void)state;
    assert_in_range(crowded(4, 0), 0, 2);
    assert_in_range(crowded(8, 1), 0, 30);
    assert_in_range(crowded(4, 3), 0, 180);
}

/* Something of everything; returns a sum over the verdicts. */
static uint64_t program(ooo_branch_unit *u, uint32_t n)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        const uint64_t at = CODE + 16 * chance(3000);
        const uint8_t kind = (uint8_t)(PIE_BRANCH_CONDITIONAL + at / 16 % 6);
        const uint64_t target =
            CODE +
            16 * (kind == PIE_BRANCH_CONDITIONAL || chance(4) ? at / 16 * 7 % 3000 : chance(3000));
        const uint8_t outcome = chance(100) < (at / 16 % 5) * 25 ? OOO_TAKEN : OOO_NOT_TAKEN;
        sum = sum * 31 + (uint64_t)ooo_branch_execute(u, kind, at + 2, outcome, target);
    }
    return sum;
}

static void test_unknown_outcome_teaches_nothing(void **state)
{
    (void)state;
    program(&unit, 50000);
    memcpy(&other, &unit, sizeof unit);
    for (uint8_t kind = PIE_BRANCH_CONDITIONAL; kind <= PIE_BRANCH_RETURN; kind++)
        for (uint32_t i = 0; i < 100; i++)
            assert_int_equal(ooo_branch_execute(&unit, kind, CODE + 16 * i, OOO_OUTCOME_UNKNOWN, 0),
                             OOO_BRANCH_PREDICTED);
    assert_memory_equal(&unit, &other, sizeof unit);
}

static void test_copy_goes_on_alike(void **state)
{
    (void)state;
    program(&unit, 200000);
    memcpy(&other, &unit, sizeof unit);
    const uint64_t here = seed, sum = program(&unit, 200000);
    seed = here;
    assert_int_equal(program(&other, 200000), sum);
    assert_memory_equal(&unit, &other, sizeof unit);
}

static void test_same_input_same_state(void **state)
{
    (void)state;
    const uint64_t sum = program(&unit, 200000);
    memcpy(&other, &unit, sizeof unit);
    memset(&unit, 0xa5, sizeof unit);
    fresh(NULL);
    assert_int_equal(program(&unit, 200000), sum);
    assert_memory_equal(&unit, &other, sizeof unit);
    assert_true(sizeof unit < 200000);
}

/* ---- parameters -------------------------------------------------------------------------------
 */

static void test_parameters_are_refused(void **state)
{
    (void)state;
    const struct {
        size_t field;
        uint32_t value;
        const char *text;
    } bad[] = {{offsetof(ooo_branch_params, base_entries), 3000, "base_entries"},
               {offsetof(ooo_branch_params, base_entries), 32768, "base_entries"},
               {offsetof(ooo_branch_params, tables), 9, "tables"},
               {offsetof(ooo_branch_params, table_entries), 0, "table_entries"},
               {offsetof(ooo_branch_params, table_entries), 4096, "table_entries"},
               {offsetof(ooo_branch_params, tag_bits), 3, "tag_bits"},
               {offsetof(ooo_branch_params, tag_bits), 17, "tag_bits"},
               {offsetof(ooo_branch_params, history[1]), 4, "history: must ascend"},
               {offsetof(ooo_branch_params, history[0]), 0, "history: must ascend"},
               {offsetof(ooo_branch_params, history[4]), 256, "history: at most"},
               {offsetof(ooo_branch_params, loop_entries), 33, "loop_entries"},
               {offsetof(ooo_branch_params, loop_limit), 1, "loop_limit"},
               {offsetof(ooo_branch_params, btb_sets), 1000, "btb_sets"},
               {offsetof(ooo_branch_params, btb_sets), 4096, "btb_sets"},
               {offsetof(ooo_branch_params, btb_ways), 5, "btb_sets"},
               {offsetof(ooo_branch_params, btb_ways), 0, "btb_sets"},
               {offsetof(ooo_branch_params, indirect_tables), 5, "indirect_tables"},
               {offsetof(ooo_branch_params, indirect_entries), 1024, "indirect_entries"},
               {offsetof(ooo_branch_params, indirect_history[1]), 0, "indirect_history"},
               {offsetof(ooo_branch_params, indirect_history[2]), 5, "indirect_history"},
               {offsetof(ooo_branch_params, return_entries), 12, "return_entries"},
               {offsetof(ooo_branch_params, return_entries), 128, "return_entries"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ooo_branch_params params = ooo_branch_skylake;
        memcpy((char *)&params + bad[i].field, &bad[i].value, sizeof bad[i].value);
        const char *text = ooo_branch_check(&params);
        assert_non_null(text);
        assert_memory_equal(text, bad[i].text, strlen(bad[i].text));
    }
}

static void test_other_sizes(void **state)
{
    (void)state;
    /* the largest of everything */
    ooo_branch_params params = {.base_entries = OOO_BRANCH_MAX_BASE,
                                .tables = OOO_BRANCH_MAX_TABLES,
                                .table_entries = OOO_BRANCH_MAX_ENTRIES,
                                .tag_bits = 16,
                                .history = {3, 6, 12, 24, 48, 96, 192, 255},
                                .loop_entries = OOO_BRANCH_MAX_LOOPS,
                                .loop_limit = 1000,
                                .btb_sets = 512,
                                .btb_ways = 16,
                                .indirect_tables = OOO_BRANCH_MAX_INDIRECT,
                                .indirect_entries = OOO_BRANCH_MAX_TARGETS,
                                .indirect_history = {1, 3, 5, 7},
                                .return_entries = OOO_BRANCH_MAX_RETURNS};
    start(&params);
    program(&unit, 100000);
    assert_int_equal(loop(200, 2000), 0);
    /* nothing but counters */
    params = ooo_branch_skylake;
    params.tables = params.loop_entries = params.indirect_tables = 0;
    start(&params);
    program(&unit, 100000);
    start(&params);
    assert_in_range(loop(10, 2000), 1000, 1000);
    const uint8_t alternating[] = {0, 1};
    assert_in_range(pattern(alternating, 2), 4500, 10000);
    /* the smallest */
    params = (ooo_branch_params){.base_entries = 2,
                                 .tables = 1,
                                 .table_entries = 2,
                                 .tag_bits = 4,
                                 .history = {1},
                                 .loop_limit = 2,
                                 .btb_sets = 2,
                                 .btb_ways = 4,
                                 .indirect_entries = 2,
                                 .return_entries = 2};
    start(&params);
    program(&unit, 100000);
}

/* ---- speed ------------------------------------------------------------------------------------
 */

static void test_speed(void **state)
{
    (void)state;
    enum { N = 2000000 };
    static const char *const names[] = {"never taken", "always taken", "loops of 8",
                                        "90 % taken",  "jump",         "virtual call, return"};
    static uint8_t random[1 << 16];
    for (size_t i = 0; i < sizeof random; i++)
        random[i] = chance(10) > 0;
    for (int what = 0; what < 6; what++) {
        struct timespec begin, end;
        uint32_t sum = 0, n_branches = N;
        ooo_branch_init(&unit, &ooo_branch_skylake);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
        for (uint32_t i = 0; i < N; i++) {
            const uint64_t at = CODE + 16 * (i & 63);
            switch (what) {
            case 0:
            case 1:
                sum += miss(jcc(at, what));
                break;
            case 2:
                sum += miss(jcc(CODE + 16 * (i >> 9 & 63), (i & 7) < 7));
                break;
            case 3:
                sum += miss(jcc(at, random[i * 7 & 65535]));
                break;
            case 4:
                sum += miss(go(PIE_BRANCH_JUMP, at, at + 16));
                break;
            default:
                sum += miss(go(PIE_BRANCH_CALL_INDIRECT, CODE, 0x500000 + 64 * (i & 3)));
                sum += miss(go(PIE_BRANCH_RETURN, 0x500010 + 64 * (i & 3), CODE + 2));
                n_branches = 2 * N;
            }
        }
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
        const double ns =
            (double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec);
        print_message("  %-22s %5.1f ns a branch, %4.1f %% mispredicted\n", names[what],
                      ns / n_branches, 100.0 * sum / n_branches);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_fixed_trip_counts, fresh),
        cmocka_unit_test_setup(test_loop_counter_needs_fixed_trips, fresh),
        cmocka_unit_test_setup(test_nested_loops, fresh),
        cmocka_unit_test_setup(test_periodic_patterns, fresh),
        cmocka_unit_test_setup(test_correlated_branches, fresh),
        cmocka_unit_test_setup(test_random_data, fresh),
        cmocka_unit_test_setup(test_sorted_data, fresh),
        cmocka_unit_test_setup(test_virtual_calls, fresh),
        cmocka_unit_test_setup(test_big_switch, fresh),
        cmocka_unit_test_setup(test_targets_are_learnt_anew, fresh),
        cmocka_unit_test_setup(test_return_stack, fresh),
        cmocka_unit_test_setup(test_return_stack_wraps, fresh),
        cmocka_unit_test_setup(test_call_to_next_instruction, fresh),
        cmocka_unit_test_setup(test_btb_capacity, fresh),
        cmocka_unit_test_setup(test_btb_and_kinds, fresh),
        cmocka_unit_test_setup(test_never_taken_costs_no_entry, fresh),
        cmocka_unit_test_setup(test_aliasing, fresh),
        cmocka_unit_test_setup(test_crowded_tables, fresh),
        cmocka_unit_test_setup(test_unknown_outcome_teaches_nothing, fresh),
        cmocka_unit_test_setup(test_copy_goes_on_alike, fresh),
        cmocka_unit_test_setup(test_same_input_same_state, fresh),
        cmocka_unit_test(test_parameters_are_refused),
        cmocka_unit_test_setup(test_other_sizes, fresh),
        cmocka_unit_test_setup(test_speed, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
