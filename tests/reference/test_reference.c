/* test_reference.c - the engine against the cycle-driven reference: every uop's port, issue,
 * dispatch and completion, every slot's retirement. */
#include "reference/lockstep.h"
#include "reference/traffic.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static lockstep_setup setup;
static traffic_blocks given;

static uint64_t number_from(const char *variable, uint64_t fallback)
{
    const char *text = getenv(variable);
    return text ? strtoull(text, NULL, 0) : fallback;
}

static void run_random(uint64_t first_seed, size_t n_runs, size_t n_blocks, const char *parameters)
{
    uint64_t n_uops = 0;
    for (uint64_t seed = first_seed; seed < first_seed + n_runs; seed++) {
        stream input;
        traffic_run(seed, n_blocks, &given, &input);
        lockstep *run = lockstep_begin(&setup, parameters, seed % 4 == 3);
        lockstep_consume(run, input.words, input.n);
        const bool equal = lockstep_end(run, &n_uops);
        stream_free(&input);
        fflush(stdout);
        if (!equal)
            fail_msg("seed %" PRIu64 ", %s", seed, parameters ? parameters : "Skylake's parameters");
    }
    print_message("  %zu runs, %" PRIu64 " uops\n", n_runs, n_uops);
}

static void test_random_blocks(void **state)
{
    (void)state;
    run_random(number_from("PIE_REFERENCE_SEED", 1), number_from("PIE_REFERENCE_RUNS", 200),
               number_from("PIE_REFERENCE_BLOCKS", 60), getenv("PIE_REFERENCE_PARAMETERS"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_blocks)};
    const char *shared = getenv("PIE_SHARED");
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/data/bhive", shared ? shared : PIE_SOURCE "/../shared");
    lockstep_open(&setup);
    traffic_load(folder, &given);
    if (given.n == 0)
        print_message("no measured blocks in PIE_SHARED: made-up code only\n");
    const int failed = cmocka_run_group_tests_name("reference", tests, NULL, NULL);
    traffic_free(&given);
    lockstep_close(&setup);
    return failed;
}
