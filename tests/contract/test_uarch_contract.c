/* The laws of pie/uarch.h, on the shipped `null` and on the test model `fixed-cpi`; and that the
 * law checker sees a model that breaks them. */
#include "contract/laws.h"
#include "contract/synthetic.h"

#include "base/buf.h"
#include "config/settings.h"
#include "config/values.h"
#include "registry/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct fixture {
    pie_registry *registry;
    pie_settings *settings;
    pie_host *host;
    law_subject subject;
    pie_uarch_trace_ops spoiled; /* a copy that a test may break */
} fixture;

static void open_model(fixture *f, const char *folder, const char *name)
{
    const pie_plugin_info *info;
    const pie_plugin *plugin;
    memset(f, 0, sizeof *f);
    assert_int_equal(pie_registry_new(&pie_log_stderr, &f->registry), PIE_OK);
    assert_int_equal(pie_registry_add_folder(f->registry, folder, true), PIE_OK);
    assert_int_equal(pie_registry_scan(f->registry), PIE_OK);
    assert_int_equal(pie_registry_find(f->registry, PIE_KIND_UARCH, name, NULL, &info), PIE_OK);
    assert_int_equal(pie_plugin_open(info, &pie_log_stderr, &plugin), PIE_OK);
    assert_int_equal(
        pie_settings_new(info->options, info->folder ? info->folder : "", &f->settings), PIE_OK);
    assert_int_equal(pie_host_new(f->settings, info->short_name, &pie_log_stderr, &f->host),
                     PIE_OK);
    const pie_uarch_ops *ops = plugin->ops;
    f->spoiled = *ops->trace;
    f->subject =
        (law_subject){.ops = ops->trace,
                      .host = f->host,
                      .setup = {.isa = PIE_ISA_X86_64, .profile = 1, .folder = info->folder}};
}

static void close_model(fixture *f)
{
    pie_host_free(f->host);
    pie_settings_free(f->settings);
    pie_registry_free(f->registry);
}

static const char good[] = PIE_BUILD "/tests/modules/good";
static const char shipped[] = PIE_BUILD "/plugins";

static void the_laws_hold(const char *folder, const char *name)
{
    fixture f;
    open_model(&f, folder, name);
    for (uint64_t seed = 1; seed <= 8; seed++) {
        stream input;
        synthetic_stream(seed, seed == 1 ? 3 : 60 * seed, &input);
        assert_int_equal(laws_check(&f.subject, &input, seed), 0);
        stream_free(&input);
    }
    f.subject.setup.profile = 0;
    stream input;
    synthetic_stream(99, 300, &input);
    assert_int_equal(laws_check(&f.subject, &input, 99), 0);
    stream_free(&input);
    close_model(&f);
}

static void null_obeys_the_laws(void **state)
{
    (void)state;
    the_laws_hold(shipped, "org.pie.null");
}

static void fixed_cpi_obeys_the_laws(void **state)
{
    (void)state;
    the_laws_hold(good, "fixed-cpi");
}

static void a_model_cfg_obeys_the_laws(void **state)
{
    (void)state;
    the_laws_hold(good, "slow-div");
}

/* ---- figures by hand ---- */

static uint64_t counter(const fixture *f, const void *instance, const char *name)
{
    uint64_t values[64];
    f->subject.ops->counters_read(instance, values);
    for (size_t i = 0; f->subject.ops->counters[i].name; i++)
        if (strcmp(f->subject.ops->counters[i].name, name) == 0)
            return values[i];
    fail_msg("no counter %s", name);
    return 0;
}

static void *run(const fixture *f, const stream *input)
{
    void *instance = NULL;
    size_t used = 0;
    int32_t reason = -1;
    assert_int_equal(f->subject.ops->create(f->host, &f->subject.setup, &instance), PIE_OK);
    assert_int_equal(
        f->subject.ops->consume(instance, input->words, input->n, UINT64_MAX, &used, &reason),
        PIE_OK);
    assert_int_equal(used, input->n);
    return instance;
}

/* add rax,[rdi]; div rcx; push rax; jne -10 */
static const uint8_t loop[] = {0x48, 0x03, 0x07, 0x48, 0xf7, 0xf1, 0x50, 0x75, 0xf7};
static const uint8_t copy_bytes[] = {0xf3, 0xa4}; /* rep movsb */
/* vpgatherdd ymm0,[rax+ymm1*4],ymm2 */
static const uint8_t gather_code[] = {0xc4, 0xe2, 0x6d, 0x90, 0x04, 0x88};

static void sample_stream(stream *out)
{
    *out = (stream){0};
    stream_add_description(out, 1, 0x1000, loop, sizeof loop);
    const uint64_t slots[] = {0x4000, 0x7ff8};
    stream_add_record(out, PIE_RECORD_BLOCK, 1, slots, 2);
    stream_add_record(out, PIE_RECORD_BLOCK, 1, slots, 2);
    const uint64_t cut[] = {1, 0x4040, PIE_NO_ACCESS};
    stream_add_record(out, PIE_RECORD_CUT, 1, cut, 3);
    stream_add_description(out, 2, 0x2000, copy_bytes, sizeof copy_bytes);
    const uint64_t rep[] = {10, 0, 0x4000, 0x5000}, none[] = {0, 0, PIE_NO_ACCESS, PIE_NO_ACCESS};
    stream_add_record(out, PIE_RECORD_REP, 2, rep, 4);
    stream_add_record(out, PIE_RECORD_REP, 2, none, 4);
    stream_add_description(out, 3, 0x3000, gather_code, sizeof gather_code);
    const uint64_t lanes[] = {2,
                              0x4000,
                              0x4008,
                              PIE_NO_ACCESS,
                              PIE_NO_ACCESS,
                              PIE_NO_ACCESS,
                              PIE_NO_ACCESS,
                              PIE_NO_ACCESS,
                              PIE_NO_ACCESS},
                   masked[] = {0,
                               PIE_NO_ACCESS,
                               PIE_NO_ACCESS,
                               PIE_NO_ACCESS,
                               PIE_NO_ACCESS,
                               PIE_NO_ACCESS,
                               PIE_NO_ACCESS,
                               PIE_NO_ACCESS,
                               PIE_NO_ACCESS};
    stream_add_record(out, PIE_RECORD_BLOCK, 3, lanes, 9);
    stream_add_record(out, PIE_RECORD_BLOCK, 3, masked, 9);
    const uint64_t write_call[] = {1, 0, 5}, read_call[] = {0, 5, 0}, end[] = {0};
    stream_add_record(out, PIE_RECORD_EVENT, PIE_EVENT_SYSCALL, write_call, 3);
    stream_add_record(out, PIE_RECORD_EVENT, PIE_EVENT_SYSCALL, read_call, 3);
    stream_add_record(out, PIE_RECORD_EVENT, PIE_EVENT_END, end, 1);
}

static void null_counts_what_it_says(void **state)
{
    (void)state;
    fixture f;
    stream input;
    open_model(&f, shipped, "org.pie.null");
    sample_stream(&input);
    void *instance = run(&f, &input);
    pie_uarch_mark mark;
    f.subject.ops->mark(instance, &mark);
    assert_int_equal(mark.cycles, 4 + 4 + 1 + 1 + 1 + 1 + 1);
    assert_int_equal(mark.instructions, mark.cycles);
    assert_int_equal(counter(&f, instance, "branches"), 2);
    assert_int_equal(counter(&f, instance, "loads"), 2 + 1 + 10 + 0 + 1 + 0);
    assert_int_equal(counter(&f, instance, "stores"), 2 + 0 + 10 + 0);
    assert_int_equal(counter(&f, instance, "syscalls"), 2);
    assert_int_equal(counter(&f, instance, "write_calls"), 1);
    f.subject.ops->destroy(instance);
    stream_free(&input);
    close_model(&f);
}

typedef struct sum {
    uint64_t executions[4][4], cycles;
    uint32_t last_block;
    pie_status stop_with;
} sum;

static pie_status add_row(void *context, const pie_profile_row *row)
{
    sum *into = context;
    if (into->stop_with != PIE_OK)
        return into->stop_with;
    assert_true(row->block_id >= into->last_block && row->block_id < 4 && row->insn < 4);
    into->last_block = row->block_id;
    into->executions[row->block_id][row->insn] = row->executions;
    into->cycles += row->cycles;
    return PIE_OK;
}

static void profiles_add_up(void **state)
{
    (void)state;
    static const struct {
        const char *folder, *name;
    } models[] = {{shipped, "org.pie.null"}, {good, "fixed-cpi"}, {good, "slow-div"}};
    for (size_t i = 0; i < 3; i++) {
        fixture f;
        stream input;
        sum seen = {.stop_with = PIE_OK}, stopped = {.stop_with = PIE_ERR_LIMIT};
        open_model(&f, models[i].folder, models[i].name);
        sample_stream(&input);
        void *instance = run(&f, &input);
        pie_uarch_mark mark;
        f.subject.ops->mark(instance, &mark);
        assert_int_equal(f.subject.ops->profile(instance, add_row, &seen), PIE_OK);
        assert_int_equal(seen.cycles, mark.cycles);
        assert_int_equal(seen.executions[1][0], 3);
        assert_int_equal(seen.executions[1][3], 2);
        assert_int_equal(seen.executions[2][0], 2);
        assert_int_equal(seen.executions[3][0], 2);
        assert_int_equal(f.subject.ops->profile(instance, add_row, &stopped), PIE_ERR_LIMIT);
        f.subject.ops->destroy(instance);
        stream_free(&input);
        close_model(&f);
    }
}

/* model.cfg says div r64 takes 40 cycles and a new line 3; the engine's defaults are 1 and 5. */
static void a_model_cfg_gives_its_engine_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t div_cycles, line_cycles;
    } models[] = {{"fixed-cpi", 1, 5}, {"slow-div", 40, 3}};
    for (size_t i = 0; i < 2; i++) {
        fixture f;
        stream input = {0};
        pie_uarch_mark mark;
        open_model(&f, good, models[i].name);
        stream_add_description(&input, 1, 0x1000, loop, sizeof loop);
        const uint64_t slots[] = {0x4000, 0x7ff8};
        stream_add_record(&input, PIE_RECORD_BLOCK, 1, slots, 2);
        void *instance = run(&f, &input);
        f.subject.ops->mark(instance, &mark);
        /* the outcome of the branch is not known: nothing is charged for it */
        assert_int_equal(mark.cycles, 3 + models[i].div_cycles + 2 * models[i].line_cycles);
        assert_int_equal(counter(&f, instance, "fixed-cpi.line_changes"), 2);
        uint64_t executions = 0;
        const char *unknown = f.subject.ops->unknown_form(instance, 0, &executions);
        assert_string_equal(unknown, "ADD_R64_M64");
        assert_int_equal(executions, 1);
        f.subject.ops->destroy(instance);
        stream_free(&input);
        close_model(&f);
    }
}

/* ---- the checker can say no ---- */

static int breaks;
static uint64_t calls;
static const pie_uarch_trace_ops *honest;

static pie_status spoiled_consume(void *self, const uint64_t *words, size_t n, uint64_t limit,
                                  size_t *ret_used, int32_t *ret_reason)
{
    calls++;
    if (breaks == 1) /* looks at the limit too late */
        limit = limit == UINT64_MAX ? limit : limit + 40;
    return honest->consume(self, words, n, limit, ret_used, ret_reason);
}

static void spoiled_mark(const void *self, pie_uarch_mark *ret_mark)
{
    honest->mark(self, ret_mark);
    ret_mark->cycles += breaks == 2 ? calls : 0; /* depends on batches */
    ret_mark->cycles = breaks == 3 ? UINT64_MAX - ret_mark->cycles : ret_mark->cycles; /* falls */
    ret_mark->instructions += breaks == 4;
}

static pie_status spoiled_copy(void *dst, const void *src)
{
    const uint64_t extra[] = {pie_record_header(PIE_RECORD_EVENT, 4, PIE_EVENT_SYSCALL), 1, 0, 0};
    size_t used;
    int32_t reason;
    const pie_status status = honest->copy(dst, src);
    return status == PIE_OK ? honest->consume(dst, extra, 4, UINT64_MAX, &used, &reason) : status;
}

static void the_checker_sees_violations(void **state)
{
    (void)state;
    fixture f;
    stream input;
    open_model(&f, good, "fixed-cpi");
    synthetic_stream(5, 200, &input);
    honest = f.subject.ops;
    f.spoiled.consume = spoiled_consume;
    f.spoiled.mark = spoiled_mark;
    f.subject.ops = &f.spoiled;
    breaks = 0;
    assert_int_equal(laws_check(&f.subject, &input, 1), 0);
    breaks = 1;
    assert_true(law_limit(&f.subject, &input, 1) > 0);
    breaks = 2;
    assert_true(law_batches(&f.subject, &input, 1) > 0);
    breaks = 3;
    assert_true(law_monotone(&f.subject, &input) > 0);
    breaks = 4;
    assert_true(law_counts(&f.subject, &input) > 0);
    breaks = 0;
    f.spoiled.copy = spoiled_copy;
    assert_true(law_copies(&f.subject, &input, 1) > 0);
    stream_free(&input);
    close_model(&f);
}

/* A model that charges a cycle per block sees borders where there are none. */
static uint64_t n_blocks_seen;
static pie_status counting_consume(void *self, const uint64_t *words, size_t n, uint64_t limit,
                                   size_t *ret_used, int32_t *ret_reason)
{
    for (size_t at = 0; at < n; at += pie_record_words(words[at]))
        n_blocks_seen += pie_record_kind(words[at]) == PIE_RECORD_BLOCK;
    return honest->consume(self, words, n, limit, ret_used, ret_reason);
}
static pie_status counting_create(const pie_host *host, const pie_uarch_setup *setup,
                                  void **ret_self)
{
    n_blocks_seen = 0;
    return honest->create(host, setup, ret_self);
}
static void counting_mark(const void *self, pie_uarch_mark *ret_mark)
{
    honest->mark(self, ret_mark);
    ret_mark->cycles += n_blocks_seen;
}

static void the_checker_sees_block_borders(void **state)
{
    (void)state;
    fixture f;
    stream input;
    open_model(&f, shipped, "org.pie.null");
    synthetic_stream(5, 50, &input);
    honest = f.subject.ops;
    f.spoiled.create = counting_create;
    f.spoiled.consume = counting_consume;
    f.spoiled.mark = counting_mark;
    f.subject.ops = &f.spoiled;
    assert_true(law_cuts(&f.subject, &input, 1) > 0);
    stream_free(&input);
    close_model(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_obeys_the_laws),
        cmocka_unit_test(fixed_cpi_obeys_the_laws),
        cmocka_unit_test(a_model_cfg_obeys_the_laws),
        cmocka_unit_test(null_counts_what_it_says),
        cmocka_unit_test(profiles_add_up),
        cmocka_unit_test(a_model_cfg_gives_its_engine_parameters),
        cmocka_unit_test(the_checker_sees_violations),
        cmocka_unit_test(the_checker_sees_block_borders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
