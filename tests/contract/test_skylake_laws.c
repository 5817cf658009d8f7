/* The laws of pie/uarch.h on `skylake`, and the bounds that no core can beat: over made-up runs,
 * random machine code, and chains of instructions whose latency is known. */
#include "contract/random_code.h"
#include "contract/synthetic.h"

#include "ooo/table.h"

#include "base/file.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static model_bench bench;

static int open_bench(void **state)
{
    (void)state;
    bench_open(&bench, PIE_BUILD "/plugins", "skylake");
    return 0;
}

static int close_bench(void **state)
{
    (void)state;
    bench_close(&bench);
    return 0;
}

/* Models that differ in what they keep from one instruction to the next. */
static const char *const variants[] = {
    NULL,
    "lsd = true; jcc_mitigation = false; uop_queue = 28;",
    "rob = 40; scheduler = 20; load_buffer = 9; store_buffer = 8; uop_queue = 17;",
    "without = [ \"predecode\", \"elimination\", \"stack-sync\" ];",
    "without = [ \"ports\", \"latency\" ];",
    "without = [ \"decode\", \"fusion\", \"forwarding\" ];",
    "issue_width = 6; retire_width = 2; decoders = 5; dsb_ways = 1; dsb_sets = 2;",
};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

/* ---- cuts, batches, copies, instances, limits ---- */

static void obeys_the_laws_on_made_up_runs(void **state)
{
    (void)state;
    size_t violations = 0;
    for (size_t i = 0; i < N_VARIANTS; i++) {
        bench_model model;
        bench_configure(&bench, variants[i], &model);
        for (uint64_t seed = 1; seed <= 2; seed++) {
            stream input;
            synthetic_stream(seed + 2 * i, seed == 1 ? 4 : 250, &input);
            violations += laws_check(&model.subject, &input, seed);
            stream_free(&input);
        }
        bench_release(&model);
    }
    assert_int_equal(violations, 0);
}

static void obeys_the_laws_without_a_profile(void **state)
{
    (void)state;
    bench_model model;
    stream input;
    bench_configure(&bench, NULL, &model);
    model.subject.setup.profile = 0;
    synthetic_stream(99, 300, &input);
    assert_int_equal(laws_check(&model.subject, &input, 99), 0);
    stream_free(&input);
    bench_release(&model);
}

static void obeys_the_laws_on_random_code(void **state)
{
    (void)state;
    size_t violations = 0;
    for (uint64_t seed = 1; seed <= N_VARIANTS + 3; seed++) {
        bench_model model;
        tape t;
        bench_configure(&bench, variants[seed % N_VARIANTS], &model);
        model.subject.setup.page_map =
            seed % 3 == 0 ? PIE_PAGE_MAP_ONE_FRAME : PIE_PAGE_MAP_IDENTITY;
        random_run(seed, 40, 150, &t);
        print_message("  random code %" PRIu64 "\n", seed);
        violations += laws_check(&model.subject, &t.out, seed);
        tape_end(&t);
        bench_release(&model);
    }
    assert_int_equal(violations, 0);
}

/* ---- what the table says of an executed stream ---- */

typedef struct table_sum {
    uint64_t instructions, slots, uops, unknown;
} table_sum;

static void no_log(const pie_host *host, int32_t level, const char *text)
{
    (void)host, (void)level, (void)text;
}

/* The sum over the rows of what was executed; a jump behind an instruction that fuses with it is
 * left to the caller: @no_fusion streams are summed only. */
static table_sum sum_over_table(const tape *t)
{
    const pie_host host = {.log = no_log};
    ooo_table *table = NULL;
    table_sum sum = {0};
    assert_int_equal(
        ooo_table_load(PIE_SOURCE "/uarch-models/skylake/instructions.tsv", &host, &table), PIE_OK);
    for (size_t at = 0; at < t->out.n; at += pie_record_words(t->out.words[at])) {
        const uint64_t header = t->out.words[at];
        const uint32_t kind = pie_record_kind(header);
        if (kind != PIE_RECORD_BLOCK && kind != PIE_RECORD_CUT && kind != PIE_RECORD_REP)
            continue;
        const pie_block *block = t->pieces[pie_record_argument(header) - 1].block;
        const size_t n = kind == PIE_RECORD_CUT ? t->out.words[at + 1] : block->n_insns;
        for (size_t i = 0; i < n; i++) {
            const pie_insn *insn = pie_block_insn(block, i);
            const ooo_row *row = ooo_table_find(table, block, insn);
            sum.instructions++;
            if (!row) {
                sum.unknown++;
                continue;
            }
            sum.slots += row->slots ? row->slots : 1;
            sum.uops += row->n_uops;
        }
    }
    ooo_table_free(table);
    return sum;
}

static uint64_t port_uops(const bench_figures *f)
{
    uint64_t sum = 0;
    for (size_t port = 0; port < 8; port++)
        sum += bench_port(f, port);
    return sum;
}

/* Widths, ports, slots: what holds of every run. */
static void check_bounds(const bench_figures *f, const char *what)
{
    const uint64_t cycles = f->mark.cycles;
    uint64_t slots = 0;
    print_message("  %s: %" PRIu64 " cycles, %" PRIu64 " uops\n", what, cycles, f->mark.uops);
    assert_true(4 * cycles >= f->mark.uops);
    for (size_t port = 0; port < 8; port++)
        assert_true(cycles >= bench_port(f, port));
    static const char *const shares[] = {"topdown_retiring", "topdown_bad_speculation",
                                         "topdown_frontend_bound", "topdown_core_bound",
                                         "topdown_memory_bound"};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        slots += bench_counter(f, shares[i]);
    assert_int_equal(slots, 4 * cycles);
    assert_int_equal(bench_counter(f, "topdown_retiring"), f->mark.uops);
    assert_int_equal(bench_counter(f, "cycles"), cycles);
    assert_int_equal(bench_counter(f, "instructions"), f->mark.instructions);
    /* every slot came from somewhere, but what rename adds and what is split behind the queue */
    assert_true(bench_counter(f, "ooo.uops_mite") + bench_counter(f, "ooo.uops_dsb") +
                    bench_counter(f, "ooo.uops_lsd") + bench_counter(f, "ooo.uops_ms") <=
                f->mark.uops);
}

/* Nothing that the stream does not hold, and all that it holds. */
static void no_run_beats_the_machine(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        bench_model model;
        tape t;
        bench_figures f;
        char name[64];
        snprintf(name, sizeof name, "random run %d", (int)seed);
        bench_configure(&bench, "without = [ \"fusion\" ];", &model);
        random_run(1000 + seed, 60, 400, &t);
        bench_run(&model.subject, &t, &f);
        check_bounds(&f, name);
        const table_sum sum = sum_over_table(&t);
        assert_int_equal(f.mark.instructions, sum.instructions);
        assert_int_equal(bench_counter(&f, "unknown_forms"), sum.unknown);
        const uint64_t added =
            bench_counter(&f, "ooo.stack_syncs") + bench_counter(&f, "ooo.register_merges");
        if (sum.unknown == 0) { /* the fallback's uops are not in the table */
            assert_int_equal(f.mark.uops, sum.slots + added);
            assert_int_equal(port_uops(&f),
                             sum.uops + added - bench_counter(&f, "ooo.moves_eliminated"));
        } else
            assert_true(f.mark.uops >= sum.slots + added + sum.unknown);
        tape_end(&t);
        bench_release(&model);
    }
}

/* Every load, store, jump and system call is counted as the do-nothing model counts it. */
static void counts_as_null_counts(void **state)
{
    (void)state;
    model_bench null_bench;
    bench_model model, null_model;
    bench_open(&null_bench, PIE_BUILD "/plugins", "null");
    bench_configure(&null_bench, NULL, &null_model);
    bench_configure(&bench, NULL, &model);
    for (uint64_t seed = 1; seed <= 5; seed++) {
        static const char *const names[] = {"instructions", "branches", "loads",
                                            "stores",       "syscalls", "write_calls"};
        tape t;
        bench_figures f, null_figures;
        random_run(2000 + seed, 40, 300, &t);
        bench_run(&model.subject, &t, &f);
        bench_run(&null_model.subject, &t, &null_figures);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            print_message("  %s\n", names[i]);
            assert_int_equal(bench_counter(&f, names[i]), bench_counter(&null_figures, names[i]));
        }
        tape_end(&t);
    }
    bench_release(&model);
    bench_release(&null_model);
    bench_close(&null_bench);
}

/* ---- one program, summed by hand from the table's text ---- */

/* Column @column (from 1) of the row of @form whose condition is @when. */
static unsigned table_cell(const char *text, const char *form, const char *when, int column,
                           char *ret_uops, size_t size)
{
    char start[128];
    snprintf(start, sizeof start, "\n%s\t%s\t", form, when);
    const char *row = strstr(text, start);
    assert_non_null(row);
    row++;
    for (int i = 1; i < column; i++)
        row = strchr(row, '\t') + 1;
    if (ret_uops)
        snprintf(ret_uops, size, "%.*s", (int)strcspn(row, "\n"), row);
    return (unsigned)strtoul(row, NULL, 10);
}

static void retires_the_sum_of_the_rows(void **state)
{
    (void)state;
    static const struct {
        const char *hex, *form, *when;
    } insns[] = {{"480307", "ADD_R64_M64", "-"},
                 {"48890e", "MOV_M64_R64", "-"},
                 {"480fafd3", "IMUL_R64_R64", "-"},
                 {"c5f0581437", "VADDPS_XMM_XMM_M128", "indexed"},
                 {"0fc8", "BSWAP_R32", "-"},
                 {"90", "NOP", "-"},
                 {"c5f058c2", "VADDPS_XMM_XMM_XMM", "-"},
                 {"48f7f1", "DIV_R64", "-"},
                 {"660f6fc8", "MOVDQA_XMM_XMM", "-"},
                 {"48d3e2", "SHL_R64_CL", "-"},
                 {"488d445301", "LEA_B_IS_D8_R64", "-"}};
    enum { COPIES = 37 };
    pie_buf text = {0};
    uint64_t slots = 0, uops = 0;
    machine_code code = {0};
    tape t;
    bench_model model;
    bench_figures f;
    assert_int_equal(pie_file_read(PIE_SOURCE "/uarch-models/skylake/instructions.tsv", 64 << 20,
                                   &pie_log_stderr, &text),
                     PIE_OK);
    for (size_t i = 0; i < sizeof insns / sizeof *insns; i++) {
        char cell[4096];
        code_hex(&code, insns[i].hex, 1);
        slots += table_cell(text.data, insns[i].form, insns[i].when, 3, NULL, 0);
        table_cell(text.data, insns[i].form, insns[i].when, 9, cell, sizeof cell);
        for (char *save = NULL, *word = strtok_r(cell, " ", &save); word;
             word = strtok_r(NULL, " ", &save))
            uops += strcmp(word, "-") != 0;
    }
    tape_begin(&t);
    const tape_section section = tape_place(&t, &code, 0x10000);
    for (size_t i = 0; i < COPIES; i++)
        tape_execute(&t, section);
    const uint64_t end[] = {0};
    stream_add_record(&t.out, PIE_RECORD_EVENT, PIE_EVENT_END, end, 1);
    bench_configure(&bench, NULL, &model);
    bench_run(&model.subject, &t, &f);
    check_bounds(&f, "a program by hand");
    assert_int_equal(f.mark.uops, COPIES * slots);
    assert_int_equal(port_uops(&f), COPIES * uops - bench_counter(&f, "ooo.moves_eliminated"));
    assert_int_equal(bench_counter(&f, "unknown_forms"), 0);
    bench_release(&model);
    tape_end(&t);
    code_free(&code);
    pie_buf_free(&text);
}

/* ---- the longest chain ---- */

/* Each depends on the one before through rax, xmm0 or st(0). Latencies: uops.info and InstLatx64.
 */
typedef struct link {
    const char *hex;
    unsigned cycles;
} link;

static const link integer_links[] = {
    {"480fafc0", 3} /* imul rax, rax */,
    {"4801c0", 1} /* add rax, rax */,
    {"f3480fb8c0", 3} /* popcnt */,
    {"f3480fbdc0", 3} /* lzcnt */,
    {"48d1c8", 1} /* ror rax, 1 */,
    {"480fc8", 2} /* bswap */,
    {"488d0440", 1} /* lea rax,[rax+rax*2] */,
    {"488d444001", 3} /* lea with three parts */,
    {"480fa4d803", 3} /* shld rax,rbx,3 */,
    {"f2480f38f1c0", 3} /* crc32 */,
    {"48f7d8", 1} /* neg */,
    {"480fbcc0", 3} /* bsf */,
    {"c4e2fbf5c0", 3} /* pdep */,
};
static const link vector_links[] = {
    {"f20f58c0", 4} /* addsd */,     {"0f59c0", 4} /* mulps */,      {"660fd4c0", 1} /* paddq */,
    {"660f3840c0", 10} /* pmulld */, {"660f3800c0", 1} /* pshufb */, {"660f38dcc0", 4} /* aesenc */,
    {"c4e2f9b8c0", 4} /* vfmadd */,  {"660f70c01b", 1} /* pshufd */, {"0f5bc0", 4} /* cvtdq2ps */,
    {"660fd5c0", 5} /* pmullw */,
};

static void check_chain(const bench_model *model, const link *links, size_t n, uint64_t seed)
{
    enum { LENGTH = 400 };
    machine_code code = {0};
    uint64_t least = 0;
    tape t;
    bench_figures f;
    for (size_t i = 0; i < LENGTH; i++) {
        const link *link_ = &links[law_random(&seed) % n];
        code_hex(&code, link_->hex, 1);
        least += link_->cycles;
        if (law_random(&seed) % 4 == 0)
            code_hex(&code, "4c01d9", 1); /* add rcx, r11: beside the chain */
    }
    tape_begin(&t);
    tape_execute(&t, tape_place(&t, &code, 0x10000));
    bench_run(&model->subject, &t, &f);
    check_bounds(&f, "a chain");
    assert_true(f.mark.cycles >= least);
    /* nothing else is scarce: the way in and out, and now and then a port that is taken or an
     * operand that comes just when its uop could first be picked */
    assert_true(f.mark.cycles <= least + 40 + least / 8);
    tape_end(&t);
    code_free(&code);
}

static void no_chain_is_shortened(void **state)
{
    (void)state;
    bench_model model;
    bench_configure(&bench, NULL, &model);
    for (size_t i = 0; i < sizeof integer_links / sizeof *integer_links; i++) {
        print_message("  %s\n", integer_links[i].hex);
        check_chain(&model, &integer_links[i], 1, 1);
    }
    for (size_t i = 0; i < sizeof vector_links / sizeof *vector_links; i++) {
        print_message("  %s\n", vector_links[i].hex);
        check_chain(&model, &vector_links[i], 1, 1);
    }
    for (uint64_t seed = 1; seed <= 20; seed++) {
        check_chain(&model, integer_links, sizeof integer_links / sizeof *integer_links, seed);
        check_chain(&model, vector_links, sizeof vector_links / sizeof *vector_links, seed);
    }
    bench_release(&model);
}

/* Through memory, through the divider, through what the table's latency leaves out. */
static void other_chains(void **state)
{
    (void)state;
    static const struct {
        const char *name, *hex;
        double least, most;
    } chains[] = {
        {"mov rax,[rax]", "488b00", 4, 4},
        {"mov rax,[rax+rbx]", "488b0418", 5, 5},
        {"mov rax,[rax+4096]", "488b8000100000", 5, 5},
        {"store and load, 8 bytes", "488907 488b07", 4, 5},
        {"store 1 byte, load 8", "408807 488b07", 11, 16},
        {"rbx: push and pop", "53 5b", 4, 6},
        {"divsd", "f20f5ec0", 13, 14},
        {"mulx-like: mul rax", "48f7e0", 3, 4},
        {"adc rax,rax", "4811c0", 1, 1},
        {"cmp; setl; movzx; add", "4839c8 0f9cc0 0fb6c0", 3, 3},
        {"fadd st0,st0", "d8c0", 3, 3},
        {"fmul st0,st0", "d8c8", 5, 5},
        {"xor rax,rax breaks the chain", "480fafc0 4831c0", 1, 1},
        {"mov eax,1 breaks the chain", "480fafc0 b801000000", 1, 1},
        {"mov al,bl keeps it", "480fafc0 88d8", 4, 4},
        {"vpxor xmm0 breaks the chain", "f20f59c0 c5f9efc0", 0.5, 1},
    };
    bench_model model;
    bench_configure(&bench, NULL, &model);
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
        machine_code code = {0};
        code_hex(&code, chains[i].hex, 1);
        const double cycles = bench_cycles(&model, &code, false, 400);
        print_message("  %s: %.2f\n", chains[i].name, cycles);
        assert_true(cycles >= chains[i].least - 0.02 && cycles <= chains[i].most + 0.02);
        code_free(&code);
    }
    bench_release(&model);
}

/* Loads and stores: two and one a cycle, whatever their ports. */
static void memory_ports_are_two_and_one(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        unsigned loads, stores;
    } blocks[] = {{"488b07 488b4f08 488b5710", 3, 0},          {"488907 48894f08", 0, 2},
                  {"488b07 48894f08 488b5710 48034718", 3, 1}, {"48010f 4801570848014710", 3, 3},
                  {"c5fc1007 c5fc104e20 c5fc11 5640", 2, 1},   {"ff37 8f4708", 2, 2}};
    bench_model model;
    bench_configure(&bench, NULL, &model);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        machine_code code = {0};
        code_hex(&code, blocks[i].hex, 1);
        const double cycles = bench_cycles(&model, &code, false, 300);
        print_message("  %s: %.2f\n", blocks[i].hex, cycles);
        assert_true(cycles >= blocks[i].loads / 2.0 - 0.02);
        assert_true(cycles >= blocks[i].stores - 0.02);
        code_free(&code);
    }
    bench_release(&model);
}

/* What a repeated string instruction loads or counts is there when it is through. */
static void repetitions_write_at_their_end(void **state)
{
    (void)state;
    enum { ITERATIONS = 10000, CHAIN = 300 };
    static const struct {
        const char *rep, *link;
        unsigned latency, cycles; /* of a link; of the repetition at least */
    } cases[] = {
        {"f348ad" /* rep lodsq */, "480fafc0" /* imul rax,rax */, 3, 2 * ITERATIONS},
        {"f3aa" /* rep stosb */, "480fafc9" /* imul rcx,rcx */, 3, ITERATIONS / 32},
        {"f348ab" /* rep stosq */, "480fafc9", 3, ITERATIONS / 4},
        {"f348a5" /* rep movsq */, "480fafc9", 3, ITERATIONS / 4},
        {"f2ae" /* repne scasb */, "480fafc9", 3, 2 * ITERATIONS},
        {"f3a6" /* repe cmpsb */, "480f42c0 4883d000" /* cmovc rax,rax; adc rax,0 */, 2,
         2 * ITERATIONS},
        {"f348ab", "488b00" /* mov rax,[rax] */, 4, ITERATIONS / 4},
    };
    const uint64_t end[] = {0};
    bench_model model;
    size_t wrong = 0;
    bench_configure(&bench, NULL, &model);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        machine_code code = {0};
        tape t;
        bench_figures f;
        code_hex(&code, cases[i].rep, 1);
        code_hex(&code, cases[i].link, CHAIN);
        tape_begin(&t);
        t.iterations = ITERATIONS;
        tape_execute(&t, tape_place(&t, &code, 0x10000));
        stream_add_record(&t.out, PIE_RECORD_EVENT, PIE_EVENT_END, end, 1);
        bench_run(&model.subject, &t, &f);
        const uint64_t least = cases[i].cycles + CHAIN * cases[i].latency;
        print_message("  %s: %" PRIu64 " cycles of at least %" PRIu64 "%s\n", cases[i].rep,
                      f.mark.cycles, least, f.mark.cycles < least ? "  WRONG" : "");
        wrong += f.mark.cycles < least;
        tape_end(&t);
        code_free(&code);
    }
    bench_release(&model);
    assert_int_equal(wrong, 0);
}

/* ---- parameters ---- */

static uint64_t cycles_of(const char *parameters, const tape *t)
{
    bench_model model;
    bench_figures f;
    bench_configure(&bench, parameters, &model);
    bench_run(&model.subject, t, &f);
    bench_release(&model);
    return f.mark.cycles;
}

/* Leaving out what only delays saves cycles, but for the accidents of scheduling. */
static void leaving_out_a_part_does_not_cost(void **state)
{
    (void)state;
    static const char *const parts[] = {"predecode", "decode",     "ports",
                                        "latency",   "forwarding", "stack-sync"};
    for (uint64_t seed = 1; seed <= 6; seed++) {
        tape t;
        random_run(3000 + seed, 40, 300, &t);
        const uint64_t whole = cycles_of(NULL, &t);
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
            char text[64];
            snprintf(text, sizeof text, "without = [ \"%s\" ];", parts[i]);
            const uint64_t cycles = cycles_of(text, &t);
            print_message("  without %s: %" PRIu64 " instead of %" PRIu64 "\n", parts[i], cycles,
                          whole);
            assert_true(cycles <= whole + whole / 20);
            assert_true(4 * cycles >= t.n_pieces);
        }
        tape_end(&t);
    }
}

/* Each number at its least and greatest, each switch the other way: figures that make sense. */
static void any_parameter_can_be_extreme(void **state)
{
    (void)state;
    tape t;
    random_run(4000, 40, 200, &t);
    const uint64_t usual = cycles_of(NULL, &t);
    for (const pie_option *option = bench.info->options; option->name; option++) {
        for (int high = 0; high < 2; high++) {
            char text[96] = "";
            if (option->type == PIE_OPTION_INT && option->max > 0)
                snprintf(text, sizeof text, "%s = %d;", option->name,
                         (int)(high ? option->max : option->min));
            else if (option->type == PIE_OPTION_BOOL)
                snprintf(text, sizeof text, "%s = %s;", option->name, high ? "true" : "false");
            if (!*text)
                continue;
            const uint64_t cycles = cycles_of(text, &t);
            if (cycles > 40 * usual || cycles < usual / 4)
                print_message("  %s %" PRIu64 " cycles instead of %" PRIu64 "\n", text, cycles,
                              usual);
            assert_true(cycles <= 40 * usual && cycles >= usual / 4);
        }
    }
    tape_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(obeys_the_laws_on_made_up_runs),
        cmocka_unit_test(obeys_the_laws_without_a_profile),
        cmocka_unit_test(obeys_the_laws_on_random_code),
        cmocka_unit_test(no_run_beats_the_machine),
        cmocka_unit_test(counts_as_null_counts),
        cmocka_unit_test(retires_the_sum_of_the_rows),
        cmocka_unit_test(no_chain_is_shortened),
        cmocka_unit_test(other_chains),
        cmocka_unit_test(memory_ports_are_two_and_one),
        cmocka_unit_test(repetitions_write_at_their_end),
        cmocka_unit_test(leaving_out_a_part_does_not_cost),
        cmocka_unit_test(any_parameter_can_be_extreme),
    };
    return cmocka_run_group_tests(tests, open_bench, close_bench);
}
