/* test_reference.c - the engine against the cycle-driven reference: every uop's port, issue,
 * dispatch and completion, every slot's retirement. */
#include "reference/lockstep.h"
#include "reference/traffic.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static lockstep_setup setup;
static traffic_blocks given;

static bool full;

static uint64_t number_from(const char *variable, uint64_t fallback)
{
    const char *text = getenv(variable);
    return text ? strtoull(text, NULL, 0) : fallback;
}

static void run_random(uint64_t first_seed, size_t n_runs, size_t n_blocks, const char *parameters)
{
    uint64_t n_uops = 0;
    size_t n_made = 0;
    for (uint64_t seed = first_seed; seed < first_seed + n_runs; seed++) {
        stream input;
        n_made += traffic_run(seed, n_blocks, &given, &input);
        lockstep *run = lockstep_begin(&setup, parameters, seed % 4 == 3);
        lockstep_consume(run, input.words, input.n);
        const bool equal = lockstep_end(run, &n_uops);
        stream_free(&input);
        fflush(stdout);
        if (!equal)
            fail_msg("PIE_REFERENCE_SEED=%" PRIu64 " PIE_REFERENCE_RUNS=1 PIE_REFERENCE_BLOCKS=%zu "
                     "PIE_REFERENCE_PARAMETERS='%s' shows it again",
                     seed, n_blocks, parameters ? parameters : "");
    }
    print_message("  %zu runs, %zu blocks, %" PRIu64 " uops\n", n_runs, n_made, n_uops);
}

/* Skylake's parameters. For what went wrong, the environment chooses. */
static void test_random_blocks(void **state)
{
    (void)state;
    run_random(number_from("PIE_REFERENCE_SEED", 1),
               number_from("PIE_REFERENCE_RUNS", full ? 4000 : 400),
               number_from("PIE_REFERENCE_BLOCKS", 60), getenv("PIE_REFERENCE_PARAMETERS"));
}

/* Others: everything small, so that every limit is met; other switches. */
static void test_other_cores(void **state)
{
    static const char *const parameters[] = {
        "scheduler = 20; rob = 40; load_buffer = 10; store_buffer = 8; integer_registers = 60; "
        "vector_registers = 50; uop_queue = 16; instruction_queue = 18;",
        "dsb_window = 64; dsb_lines = 6; dsb_both_halves = false; fusible_last = false; "
        "decoders = 5; jcc_mitigation = false; dsb_ms_stall = 4; predecode_width = 6;",
        "issue_width = 5; retire_width = 8; elimination_integer = 0; elimination_vector = 2; "
        "dsb_width = 4; dsb_sets = 1; dsb_ways = 4; ms_width = 3; dispatch_delay = 3;",
        "lsd = true; lsd_copies = [ \"4:8\", \"8:4\", \"16:2\" ]; uop_queue = 56; decoders = 4;",
        "load_latency = 4; load_latency_vector = 4; store_address_latency = 1; "
        "forward_latency = 1; forward_failed = 0; alias_penalty = 0; split_penalty = 0;"};
    (void)state;
    if (getenv("PIE_REFERENCE_SEED"))
        return;
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
        run_random(1000000 * (i + 1), full ? 1000 : 60, 40, parameters[i]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_blocks),
                                       cmocka_unit_test(test_other_cores)};
    full = argc > 1 && strcmp(argv[1], "--full") == 0;
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
