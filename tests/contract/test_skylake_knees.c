/* Is every part connected? Curves must bend where a parameter says, and bend elsewhere when it is
 * changed; every parameter and every part that `without` names must change the cycles of some code.
 *
 * Two instructions of long latency that share nothing, rdrand and rdseed, tell how far rename gets
 * while the first holds up retirement: with few instructions between them they overlap, with one
 * too many the second begins when the first retires. */
#include "contract/model_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* ---- finding a knee ---- */

/* Cost of a case with @n of something, in cycles. */
typedef double cost_of(const bench_model *model, const void *context, size_t n);

typedef struct curve {
    const bench_model *model;
    cost_of *cost;
    const void *context;
    double known[1024]; /* by n; NaN = not asked yet */
} curve;

static double cost(curve *c, size_t n)
{
    assert_true(n < sizeof c->known / sizeof *c->known);
    if (c->known[n] != c->known[n])
        c->known[n] = c->cost(c->model, c->context, n);
    return c->known[n];
}

/* The largest n in [@from, @to) behind which the curve jumps: the interval is cut in @WAYS and the
 * steepest part kept, to the end. */
static size_t find_jump(const bench_model *model, cost_of *cost_, const void *context, size_t from,
                        size_t to)
{
    enum { WAYS = 6 };
    curve c = {.model = model, .cost = cost_, .context = context};
    for (size_t i = 0; i < sizeof c.known / sizeof *c.known; i++)
        c.known[i] = strtod("nan", NULL);
    while (to - from > 1) {
        const size_t step = (to - from + WAYS - 1) / WAYS;
        size_t steepest = from;
        double most = -1e300;
        for (size_t at = from; at < to; at += step) {
            const size_t end = at + step < to ? at + step : to;
            const double rise = cost(&c, end) - cost(&c, at);
            if (rise > most) {
                most = rise;
                steepest = at;
            }
        }
        const size_t end = steepest + step < to ? steepest + step : to;
        from = steepest;
        to = end;
    }
    return from;
}

/* ---- queues between rename and retirement ---- */

static const char rdrand_rax[] = "480fc7f0", rdseed_rdx[] = "480fc7fa";

/* @context: an instruction in hexadecimal, put @n times between the two. */
static double window_cost(const bench_model *model, const void *context, size_t n)
{
    machine_code code = {0};
    tape t;
    bench_figures f;
    code_hex(&code, rdrand_rax, 1);
    code_hex(&code, context, n);
    code_hex(&code, rdseed_rdx, 1);
    tape_begin(&t);
    tape_execute(&t, tape_place(&t, &code, 0x10000));
    const uint64_t end[] = {0};
    stream_add_record(&t.out, PIE_RECORD_EVENT, PIE_EVENT_END, end, 1);
    bench_run(&model->subject, &t, &f);
    tape_end(&t);
    code_free(&code);
    return (double)f.mark.cycles;
}

static void windows_are_as_large_as_said(void **state)
{
    (void)state;
    enum { SLOTS_BEFORE = 16 /* of rdrand */ };
    static const struct {
        const char *parameter, *filler;
        int value, other;       /* as it is, and another one */
        int less_min, less_max; /* knee = value - less; the group rename wants room for, and what is
                                   taken before */
    } cases[] = {
        {"rob", "90", 224, 140, SLOTS_BEFORE, SLOTS_BEFORE + 4},
        {"rob", "90", 224, 300, SLOTS_BEFORE, SLOTS_BEFORE + 4},
        {"scheduler", "488d5801" /* lea rbx,[rax+1] */, 97, 60, 1, 8},
        {"scheduler", "488d5801", 97, 120, 1, 8},
        {"load_buffer", "488b1e" /* mov rbx,[rsi] */, 72, 40, 0, 0},
        {"load_buffer", "488b1e", 72, 100, 0, 0},
        {"store_buffer", "48891f" /* mov [rdi],rbx */, 56, 30, 0, 0},
        {"store_buffer", "48891f", 56, 80, 0, 0},
        {"integer_registers", "488d5901" /* lea rbx,[rcx+1] */, 180, 100, 17, 19},
        {"integer_registers", "488d5901", 180, 120, 17, 19},
        {"vector_registers", "c5e858cb" /* vaddps xmm1,xmm2,xmm3 */, 168, 100, 16, 16},
        {"vector_registers", "c5e858cb", 168, 120, 16, 16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t knees[2];
        for (int other = 0; other < 2; other++) {
            char text[64];
            bench_model model;
            const int value = other ? cases[i].other : cases[i].value;
            snprintf(text, sizeof text, "%s = %d;", cases[i].parameter, cases[i].other);
            bench_configure(&bench, other ? text : NULL, &model);
            knees[other] = find_jump(&model, window_cost, cases[i].filler, 4, 330);
            print_message("  %s %d: %d\n", cases[i].parameter, value, (int)knees[other]);
            const int less = value - (int)knees[other];
            assert_true(less >= cases[i].less_min && less <= cases[i].less_max);
            bench_release(&model);
        }
        assert_int_equal((int)knees[1] - (int)knees[0], cases[i].other - cases[i].value);
    }
}

/* ---- front end ---- */

/* Cycles of an aligned 32-byte window in a loop of @n windows with six uops each and a jump back.
 */
static double uop_cache_cost(const bench_model *model, const void *context, size_t n)
{
    (void)context;
    machine_code code = {0};
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < 4; k++)
            code_nop(&code, 5);
        code_nop(&code, 6);
        code_nop(&code, 6);
    }
    code_hex(&code, "e900000000", 1); /* the target does not matter */
    const double cycles = bench_cycles(model, &code, true, 6);
    code_free(&code);
    return cycles - 1.5 * (double)n; /* four uops a cycle */
}

static void the_uop_cache_holds_1536_uops(void **state)
{
    (void)state;
    static const struct {
        const char *parameters;
        size_t windows;
    } cases[] = {
        {NULL, 256}, {"dsb_ways = 4;", 128}, {"dsb_sets = 16;", 128}, {"dsb_ways = 10;", 320}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench_model model;
        bench_configure(&bench, cases[i].parameters, &model);
        const size_t knee = find_jump(&model, uop_cache_cost, NULL, 60, 400);
        print_message("  %s: %d windows of 6 uops\n",
                      cases[i].parameters ? cases[i].parameters : "as it is", (int)knee);
        /* the jump back has a window of its own */
        assert_int_equal(knee, cases[i].windows - 1);
        bench_release(&model);
    }
}

/* Cycles of a loop of 8 windows with @n uops each: @n - 1 nops of one byte and longer ones. */
static void fill_window(machine_code *code, size_t n, size_t bytes)
{
    size_t left = bytes;
    for (; n > 0; n--) {
        size_t length = left - (n - 1); /* what the others leave, each one byte at least */
        length = length > 9 ? 9 : length;
        if (n > 1 && left - length < n - 1)
            length = 1;
        code_nop(code, length);
        left -= length;
    }
}

/* Cycles of eight windows of @n instructions each, in a loop. */
static double lines_cost(const bench_model *model, const void *context, size_t n)
{
    (void)context;
    machine_code code = {0};
    for (size_t i = 0; i < 8; i++)
        fill_window(&code, n, 32);
    code_hex(&code, "e900000000", 1);
    tape t;
    bench_figures f;
    tape_begin(&t);
    const tape_section section = tape_place(&t, &code, 0x10000);
    for (size_t i = 0; i < 40; i++) {
        if (i == 20)
            tape_mark(&t);
        tape_execute(&t, section);
    }
    tape_mark(&t);
    bench_run(&model->subject, &t, &f);
    tape_end(&t);
    code_free(&code);
    return (double)bench_counter_between(&f, "ooo.uops_mite") /
           (double)(f.at[1].uops - f.at[0].uops);
}

static void a_window_has_three_lines_of_six(void **state)
{
    (void)state;
    static const struct {
        const char *parameters;
        size_t uops;
    } cases[] = {
        {NULL, 18}, {"dsb_lines = 2;", 12}, {"dsb_line_uops = 5;", 15}, {"dsb_lines = 4;", 24}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench_model model;
        bench_configure(&bench, cases[i].parameters, &model);
        const size_t knee = find_jump(&model, lines_cost, NULL, 5, 30);
        print_message("  %s: %d uops in a window\n",
                      cases[i].parameters ? cases[i].parameters : "as it is", (int)knee);
        assert_int_equal(knee, cases[i].uops);
        bench_release(&model);
    }
}

/* Cycles of one 16-byte window of @n instructions, never from the uop cache; what comes behind the
 * predecoder is made wide. */
static double predecode_cost(const bench_model *model, const void *context, size_t n)
{
    (void)context;
    machine_code code = {0};
    fill_window(&code, n, 16);
    const double cycles = bench_cycles(model, &code, false, 200);
    code_free(&code);
    return cycles;
}

static void five_instructions_are_predecoded_a_cycle(void **state)
{
    (void)state;
    static const char wide[] = "decoders = 8; issue_width = 8; retire_width = 8; "
                               "instruction_queue = 40;";
    for (int width = 3; width <= 7; width++) {
        char text[160];
        bench_model model;
        snprintf(text, sizeof text, "%s predecode_width = %d;", wide, width);
        bench_configure(&bench, text, &model);
        const size_t knee = find_jump(&model, predecode_cost, NULL, 2, 2 * (size_t)width);
        print_message("  width %d: %d a cycle\n", width, (int)knee);
        assert_int_equal(knee, width);
        assert_true(predecode_cost(&model, NULL, (size_t)width) < 1.01);
        assert_true(predecode_cost(&model, NULL, (size_t)width + 1) > 1.99);
        bench_release(&model);
    }
}

/* One complex instruction (two uops) and @n simple ones, in a row. */
static double decode_cost(const bench_model *model, const void *context, size_t n)
{
    static const char *const complexes[] = {"480fc8", "480fc9", "480fca", "480fcb"};
    (void)context;
    machine_code code = {0};
    for (size_t i = 0; i < 4; i++) {
        code_hex(&code, complexes[i], 1);
        for (size_t k = 0; k < n; k++)
            code_nop(&code, 3);
    }
    const double cycles = bench_cycles(model, &code, false, 100);
    code_free(&code);
    return cycles / 4;
}

static void one_decoder_is_complex_and_three_simple(void **state)
{
    (void)state;
    for (int decoders = 2; decoders <= 5; decoders++) {
        char text[200];
        bench_model model;
        snprintf(text, sizeof text,
                 "issue_width = 10; retire_width = 10; without = [ \"predecode\" ]; decoders = %d;",
                 decoders);
        bench_configure(&bench, text, &model);
        const size_t knee = find_jump(&model, decode_cost, NULL, 0, 6);
        print_message("  %d decoders: %d simple ones beside a complex one\n", decoders, (int)knee);
        assert_int_equal(knee, decoders - 1 < 3 ? decoders - 1 : 3);
        bench_release(&model);
    }
}

/* ---- move elimination ---- */

static void moves_are_eliminated_while_there_are_slots(void **state)
{
    (void)state;
    /* pairs that live on; far from each other, so that only living names count */
    static const char *const general[] = {"4889c3", "4889ca", "4889f7", "4d89c1",
                                          "4d89d3", "4d89e5", "4d89f7"};
    static const char *const vectors[] = {"0f28c8",   "0f28da",   "0f28ec",  "0f28fe",
                                          "450f28c8", "450f28da", "450f28ec"};
    for (uint64_t slots = 0; slots <= 6; slots++) {
        char text[128];
        bench_model model;
        snprintf(text, sizeof text, "elimination_integer = %d; elimination_vector = %d;",
                 (int)slots, (int)slots);
        bench_configure(&bench, slots == 4 ? NULL : text, &model);
        for (int vector = 0; vector < 2; vector++) {
            machine_code code = {0};
            tape t;
            bench_figures f;
            for (size_t i = 0; i < 7; i++) {
                code_hex(&code, vector ? vectors[i] : general[i], 1);
                code_hex(&code, "90", 16);
            }
            tape_begin(&t);
            tape_execute(&t, tape_place(&t, &code, 0x10000));
            bench_run(&model.subject, &t, &f);
            print_message("  %s, %d slots: %d of 7\n", vector ? "vectors" : "general", (int)slots,
                          (int)bench_counter(&f, "ooo.moves_eliminated"));
            assert_int_equal(bench_counter(&f, "ooo.moves_eliminated"), slots);
            tape_end(&t);
            code_free(&code);
        }
        bench_release(&model);
    }
}

/* ---- where a parameter shows ---- */

/* Code in words: hexadecimal; nopN, a nop of N bytes; wM/N, M nops in N bytes; each with *T, T
 * times over. */
static void build(machine_code *code, const char *text)
{
    char words[512];
    snprintf(words, sizeof words, "%s", text);
    char *save = NULL;
    for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        char *star = strchr(word, '*');
        const unsigned long times = star ? strtoul(star + 1, NULL, 10) : 1;
        if (star)
            *star = '\0';
        for (unsigned long i = 0; i < times; i++) {
            if (strncmp(word, "nop", 3) == 0)
                code_nop(code, strtoul(word + 3, NULL, 10));
            else if (*word == 'w')
                fill_window(code, strtoul(word + 1, NULL, 10),
                            strtoul(strchr(word, '/') + 1, NULL, 10));
            else
                code_hex(code, word, 1);
        }
    }
}

/* How the code is run: copies in a row, around and around, or once from a cold start. */
enum { ROW, LOOP, ONCE };

static double run_case(const char *parameters, const char *text, int how)
{
    machine_code code = {0};
    bench_model model;
    double cycles;
    bench_configure(&bench, parameters, &model);
    build(&code, text);
    if (how == ONCE) {
        tape t;
        bench_figures f;
        const uint64_t end[] = {0};
        tape_begin(&t);
        tape_execute(&t, tape_place(&t, &code, 0x10000));
        stream_add_record(&t.out, PIE_RECORD_EVENT, PIE_EVENT_END, end, 1);
        bench_run(&model.subject, &t, &f);
        cycles = (double)f.mark.cycles;
        tape_end(&t);
    } else
        cycles = bench_cycles(&model, &code, how == LOOP, code.n > 2000 ? 12 : 100);
    code_free(&code);
    bench_release(&model);
    return cycles;
}

/* A jump back at the end of a loop; where to does not matter. */
#define BACK "e900000000"
/* 18 uops in 32 bytes, one with a length-changing prefix: quick only from the uop cache. */
#define FULL_WINDOW "66a93412 90*15 nop6 nop7"

typedef struct effect {
    const char *name, *with, *without; /* parameter; settings that are compared */
    const char *code;
    int how;
    int direction; /* of the cycles from @without to @with: 1 up, -1 down */
} effect;

static const effect effects[] = {
    {"predecode_width", "predecode_width = 3;", NULL, "90*16", ROW, 1},
    {"instruction_queue", "instruction_queue = 17;", NULL, "w10/16*10 66a93412 66a93412 nop8", ROW,
     1},
    {"predecode_delay", "predecode_delay = 12;", NULL, "90*16", ONCE, 1},
    {"decoders", "decoders = 2;", NULL, "nop3*16", ROW, 1},
    {"fusible_last", "fusible_last = false;", NULL, "4883c001 4883c101 4883c201 4883c301", ROW, 1},
    {"uop_queue", "uop_queue = 20;", NULL, "480fc7f0 nop15*420", ONCE, 1},
    {"dsb_width", "dsb_width = 3;", NULL, "nop5*4 nop6*2 " BACK, LOOP, 1},
    {"dsb_window", "dsb_window = 64;", NULL, FULL_WINDOW " " FULL_WINDOW " " BACK, LOOP, 1},
    {"dsb_lines", "dsb_lines = 2;", NULL, FULL_WINDOW " " BACK, LOOP, 1},
    {"dsb_line_uops", "dsb_line_uops = 5;", NULL, FULL_WINDOW " " BACK, LOOP, 1},
    {"dsb_sets", "dsb_sets = 2;", NULL, "nop5*120 66a93412 nop5*120 " BACK, LOOP, 1},
    {"dsb_ways", "dsb_ways = 1;", NULL, "nop5*120 66a93412 nop5*120 " BACK, LOOP, 1},
    {"jcc_mitigation", "jcc_mitigation = false;", NULL, "66a93412 nop8*3 90 90 eb00", LOOP, -1},
    {"ms_width", "ms_width = 1;", NULL, "660f3a61c000", ROW, 1},
    {"dsb_ms_stall", "dsb_ms_stall = 16;", NULL, "660f3a61c000 " BACK, LOOP, 1},
    {"lsd", "lsd = true;", NULL, "90*4 " BACK, LOOP, 1},
    {"lsd_copies", "lsd = true; lsd_copies = [ \"16:4\" ];", "lsd = true;", "90*4 " BACK, LOOP, -1},
    {"issue_width", "issue_width = 2;", NULL, "90*4", ROW, 1},
    {"retire_width", "retire_width = 2;", NULL, "90*4", ROW, 1},
    {"rob", "rob = 100;", NULL, "480fc7f0 90*150 480fc7fa", ONCE, 1},
    {"scheduler", "scheduler = 40;", NULL, "480fc7f0 488d5801*60 480fc7fa", ONCE, 1},
    {"load_buffer", "load_buffer = 40;", NULL, "480fc7f0 488b1e*60 480fc7fa", ONCE, 1},
    {"store_buffer", "store_buffer = 30;", NULL, "480fc7f0 48891f*40 480fc7fa", ONCE, 1},
    {"integer_registers", "integer_registers = 60;", NULL, "480fc7f0 488d5901*60 480fc7fa", ONCE,
     1},
    {"vector_registers", "vector_registers = 60;", NULL, "480fc7f0 c5e858cb*60 480fc7fa", ONCE, 1},
    {"elimination_integer", "elimination_integer = 0;", NULL, "4889c3 4889d8", ROW, 1},
    {"elimination_vector", "elimination_vector = 0;", NULL, "0f28c8 0f28c1", ROW, 1},
    {"dispatch_delay", "dispatch_delay = 12;", NULL, "4801c0", ONCE, 1},
    {"port_binding", "port_binding = \"lowest\";", NULL, "4801c0 4801c9 4801d2 4801db", ROW, 1},
    {"load_latency", "load_latency = 9;", NULL, "488b0418", ROW, 1},
    {"load_latency_pointer", "load_latency_pointer = 3;", NULL, "488b00", ROW, -1},
    {"load_latency_vector", "load_latency_vector = 9;", NULL, "f30f7e00 66480f7ec0", ROW, 1},
    {"load_latency_wide", "load_latency_wide = 9;", NULL, "c5fe6f00 c4e1f97ec0", ROW, 1},
    {"store_address_latency", "store_address_latency = 20;", NULL, "488918 488b00", ROW, 1},
    {"forward_latency", "forward_latency = 10;", NULL, "488907 488b07", ROW, 1},
    {"forward_failed", "forward_failed = 20;", NULL, "408807 488b07", ROW, 1},
    {"alias_penalty", "alias_penalty = 30;", NULL, "488918 488b8000100000", ROW, 1},
    {"split_penalty", "split_penalty = 9;", NULL, "488b403c", ROW, 1},
    {"without", "without = [ \"predecode\" ];", NULL, "66a93412 nop4", ROW, -1},
    {"without", "without = [ \"decode\" ];", NULL, "480fc8 480fc9 480fca 480fcb 480fce", ROW, -1},
    {"without", "without = [ \"ports\" ];", NULL, "480fafc3 480fafcb 480fafd3 480faff3 480faffb",
     ROW, -1},
    {"without", "without = [ \"latency\" ];", NULL, "480fafc0", ROW, -1},
    {"without", "without = [ \"fusion\" ];", NULL, "4839c8 7500 90 90 4839c8 7500 90 90 " BACK,
     LOOP, 1},
    {"without", "without = [ \"elimination\" ];", NULL, "4889c3 4889d8", ROW, 1},
    {"without", "without = [ \"forwarding\" ];", NULL, "408807 488b07", ROW, -1},
    {"without", "without = [ \"stack-sync\" ];", NULL, "51 4889e3 58 4889e2", ROW, -1},
};
enum { N_EFFECTS = sizeof effects / sizeof *effects };

static void every_parameter_changes_something(void **state)
{
    (void)state;
    size_t unconnected = 0;
    for (size_t i = 0; i < N_EFFECTS; i++) {
        const effect *e = &effects[i];
        const double without = run_case(e->without, e->code, e->how);
        const double with = run_case(e->with, e->code, e->how);
        const bool holds = e->direction > 0 ? with > without * 1.001 : with < without * 0.999;
        print_message("  %-62s %8.2f -> %8.2f%s\n", e->with, without, with,
                      holds ? "" : "  NOTHING");
        unconnected += !holds;
    }
    assert_int_equal(unconnected, 0);
}

/* A parameter that is new stands in the table above, or in a test of its own. */
static void every_parameter_is_in_the_table(void **state)
{
    (void)state;
    static const char *const elsewhere[] = {"table", "dsb_both_halves"};
    size_t missing = 0;
    for (const pie_option *option = bench.info->options; option->name; option++) {
        bool found = false;
        for (size_t i = 0; i < N_EFFECTS; i++)
            found |= strcmp(effects[i].name, option->name) == 0;
        for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
            found |= strcmp(elsewhere[i], option->name) == 0;
        if (!found)
            print_message("  no case for %s\n", option->name);
        missing += !found;
        if (strcmp(option->name, "without") != 0)
            continue;
        /* the parts that its help names */
        char parts[256];
        snprintf(parts, sizeof parts, "%s", strchr(option->help, ':') + 1);
        char *save = NULL;
        for (char *part = strtok_r(parts, " ,", &save); part; part = strtok_r(NULL, " ,", &save)) {
            char quoted[64];
            snprintf(quoted, sizeof quoted, "\"%s\"", part);
            found = false;
            for (size_t i = 0; i < N_EFFECTS; i++)
                found |= strcmp(effects[i].name, "without") == 0 && strstr(effects[i].with, quoted);
            if (!found)
                print_message("  no case for without %s\n", part);
            missing += !found;
        }
    }
    assert_int_equal(missing, 0);
}

/* The second half of a 64-byte line, entered by jumps, beside a first half with too many uops. */
static void both_halves_of_a_line_are_cached_or_none(void **state)
{
    (void)state;
    double cycles[2];
    for (int both = 0; both < 2; both++) {
        bench_model model;
        machine_code first = {0}, second = {0};
        tape t;
        bench_figures f;
        bench_configure(&bench, both ? "dsb_both_halves = true;" : "dsb_both_halves = false;",
                        &model);
        build(&first, "90*30 eb00");
        build(&second, "66a93412 nop8*3 eb00");
        tape_begin(&t);
        const tape_section a = tape_place(&t, &first, 0x10000);
        const tape_section b = tape_place(&t, &second, 0x10020);
        for (size_t i = 0; i < 200; i++) {
            if (i == 100)
                tape_mark(&t);
            tape_execute(&t, i % 4 == 0 ? a : b);
        }
        tape_mark(&t);
        bench_run(&model.subject, &t, &f);
        cycles[both] = (double)(f.at[1].cycles - f.at[0].cycles) / 100;
        tape_end(&t);
        code_free(&first);
        code_free(&second);
        bench_release(&model);
    }
    print_message("  %.2f cycles, with the rule %.2f\n", cycles[0], cycles[1]);
    assert_true(cycles[1] > cycles[0] + 0.5);
}

static void another_table_is_another_core(void **state)
{
    (void)state;
    char folder[] = "/tmp/pie-table-XXXXXX", path[64], parameters[128];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/t.tsv", folder);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs("form\twhen\tslots\tdec\tms\tsimple\tattr\tfuse\tuops\n"
          "IMUL_R64_R64\t-\t1\t1\t0\t-\t-\t-\tE1:r0,r1>r0@11,C@11,S@11\n",
          file);
    assert_int_equal(fclose(file), 0);
    snprintf(parameters, sizeof parameters, "table = \"%s\";", path);
    const double cycles = run_case(parameters, "480fafc0", ROW);
    const double unknown = run_case(parameters, "4801c0*8", ROW);
    unlink(path);
    rmdir(folder);
    assert_true(cycles > 10.99 && cycles < 11.01);
    assert_true(unknown > 7.9); /* the fallback: a chain of eight */
}

/* ---- rules of the front end, exactly ---- */

static void front_end_rules(void **state)
{
    (void)state;
    static const char bare[] = "decoders = 8; issue_width = 8; retire_width = 8; "
                               "instruction_queue = 40;";
    static const struct {
        const char *name, *parameters, *code;
        int how;
        double cycles;
    } cases[] = {
        {"16 bytes a cycle", bare, "nop8 nop8 nop8 nop8", ROW, 2},
        {"a length-changing prefix: 3 cycles", bare, "66b93412 nop4*3", ROW, 4},
        {"two of them", bare, "66b93412 66ba3412 nop4*2", ROW, 7},
        {"no such prefix with 32 bits", bare, "b934120000 nop5 nop6", ROW, 1},
        /* five instructions in a window, the sixth begins there and ends in the next */
        {"its opcode is in the window", bare, "nop3*5 b934120000 nop6*2", ROW, 3},
        {"only its prefix is", bare, "nop3*5 66662e0f1f840000000000 nop6", ROW, 2},
        {"four in the window: no matter", bare, "nop3 nop3 nop3 nop6 nop8 nop9", ROW, 2},
        /* the uop cache, in loops */
        {"six uops of one line", NULL, "90*5 " BACK, LOOP, 1.5},
        {"a wide machine: one line a cycle", "issue_width = 8; retire_width = 8;",
         "nop3 nop3 nop3 " BACK, LOOP, 1},
        {"microcode: 36 uops", NULL, "480fc7f0", ROW, 418},
        {"a branch ends a decode group", bare, "nop6 7500 nop6 7500", ROW, 2},
        {"a pair is one uop", NULL, "4839c8 75fb", LOOP, 1},
        {"taken jumps: one in 2 cycles on one port", NULL, "eb00", LOOP, 1},
        {"not taken ones: two a cycle", "without = [ \"decode\" ];", "7500 7500 7500 7500", ROW, 2},
    };
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double cycles = run_case(cases[i].parameters, cases[i].code, cases[i].how);
        const bool holds = cycles > cases[i].cycles - 0.03 && cycles < cases[i].cycles + 0.03;
        print_message("  %-45s %.2f%s\n", cases[i].name, cycles, holds ? "" : "  WRONG");
        wrong += !holds;
    }
    assert_int_equal(wrong, 0);
}

/* Whether a loop with a jump at each place of a 64-byte line comes from the uop cache. */
static void jumps_at_boundaries_stay_out_of_the_uop_cache(void **state)
{
    (void)state;
    for (int mitigated = 0; mitigated < 2; mitigated++) {
        bench_model model;
        bench_configure(&bench, mitigated ? "jcc_mitigation = true;" : "jcc_mitigation = false;",
                        &model);
        for (int form = 0; form < 3; form++)
            for (size_t at = 18; at <= 40; at++) {
                static const char *const jumps[] = {"eb00", "0f8500000000", "4839c8 75fb"};
                static const size_t lengths[] = {2, 6, 5};
                machine_code code = {0};
                tape t;
                bench_figures f;
                fill_window(&code, 8, at);
                code_hex(&code, jumps[form], 1);
                tape_begin(&t);
                const tape_section section = tape_place(&t, &code, 0x10000);
                for (size_t i = 0; i < 60; i++) {
                    if (i == 30)
                        tape_mark(&t);
                    tape_execute(&t, section);
                }
                tape_mark(&t);
                bench_run(&model.subject, &t, &f);
                const bool touches = at < 32 && at + lengths[form] >= 32;
                const bool decoded = bench_counter_between(&f, "ooo.uops_mite") > 0;
                if (decoded != (mitigated && touches))
                    print_message("  %s at %d: %s\n", jumps[form], (int)at,
                                  decoded ? "decoded" : "cached");
                assert_int_equal(decoded, mitigated && touches);
                tape_end(&t);
                code_free(&code);
            }
        bench_release(&model);
    }
}

/* Cycles from the loop detector's queue are told by its counter. */
static double lsd_cost(const bench_model *model, const void *context, size_t n)
{
    (void)context;
    machine_code code = {0};
    tape t;
    bench_figures f;
    for (size_t i = 0; i + 1 < n; i++)
        code_nop(&code, 6);
    code_hex(&code, BACK, 1);
    tape_begin(&t);
    const tape_section section = tape_place(&t, &code, 0x10000);
    for (size_t i = 0; i < 40; i++) {
        if (i == 20)
            tape_mark(&t);
        tape_execute(&t, section);
    }
    tape_mark(&t);
    bench_run(&model->subject, &t, &f);
    tape_end(&t);
    code_free(&code);
    return (double)(bench_counter_between(&f, "ooo.uops_dsb") +
                    bench_counter_between(&f, "ooo.uops_mite")) /
           (double)(f.at[1].uops - f.at[0].uops);
}

static void the_loop_detector_holds_the_uop_queue(void **state)
{
    (void)state;
    static const struct {
        const char *parameters;
        size_t uops;
    } cases[] = {{"lsd = true; jcc_mitigation = false;", 64},
                 {"lsd = true; jcc_mitigation = false; uop_queue = 56;", 56},
                 {"lsd = true; jcc_mitigation = false; uop_queue = 70;", 70}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench_model model;
        bench_configure(&bench, cases[i].parameters, &model);
        const size_t knee = find_jump(&model, lsd_cost, NULL, 4, 120);
        print_message("  %s: %d uops\n", cases[i].parameters, (int)knee);
        assert_int_equal(knee, cases[i].uops);
        bench_release(&model);
    }
    bench_model off;
    bench_configure(&bench, NULL, &off);
    assert_true(lsd_cost(&off, NULL, 20) > 0.99);
    bench_release(&off);
}

/* Nops of 15 bytes, one a cycle, behind a full reorder buffer: those that wait in the queue when it
 * is free again come four a cycle, the others one. */
static double queue_cost(const bench_model *model, const void *context, size_t n)
{
    (void)context;
    machine_code code = {0};
    tape t;
    bench_figures f;
    code_hex(&code, rdrand_rax, 1);
    for (size_t i = 0; i < n; i++)
        code_nop(&code, 15);
    tape_begin(&t);
    tape_execute(&t, tape_place(&t, &code, 0x10000));
    const uint64_t end[] = {0};
    stream_add_record(&t.out, PIE_RECORD_EVENT, PIE_EVENT_END, end, 1);
    bench_run(&model->subject, &t, &f);
    tape_end(&t);
    code_free(&code);
    return (double)f.mark.cycles;
}

/* How many more instructions wait before rename with a larger queue: told by the cycles saved. */
static void queues_before_rename_hold_what_they_say(void **state)
{
    (void)state;
    static const struct {
        const char *less, *more;
        double entries;
    } cases[] = {{"uop_queue = 24;", "uop_queue = 64;", 40},
                 {"uop_queue = 64;", "uop_queue = 100;", 36},
                 {"instruction_queue = 17;", "instruction_queue = 25;", 8},
                 {"instruction_queue = 25;", "instruction_queue = 40;", 15}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double cycles[2];
        for (int more = 0; more < 2; more++) {
            bench_model model;
            bench_configure(&bench, more ? cases[i].more : cases[i].less, &model);
            cycles[more] = queue_cost(&model, NULL, 900);
            bench_release(&model);
        }
        print_message("  %s to %s %.0f cycles saved\n", cases[i].less, cases[i].more,
                      cycles[0] - cycles[1]);
        /* 16 bytes are predecoded a cycle, a nop has 15 */
        assert_true(cycles[0] - cycles[1] >= cases[i].entries * 15 / 16 - 1);
        assert_true(cycles[0] - cycles[1] <= cases[i].entries * 15 / 16 + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_as_large_as_said),
        cmocka_unit_test(the_uop_cache_holds_1536_uops),
        cmocka_unit_test(a_window_has_three_lines_of_six),
        cmocka_unit_test(five_instructions_are_predecoded_a_cycle),
        cmocka_unit_test(one_decoder_is_complex_and_three_simple),
        cmocka_unit_test(moves_are_eliminated_while_there_are_slots),
        cmocka_unit_test(every_parameter_changes_something),
        cmocka_unit_test(every_parameter_is_in_the_table),
        cmocka_unit_test(both_halves_of_a_line_are_cached_or_none),
        cmocka_unit_test(another_table_is_another_core),
        cmocka_unit_test(front_end_rules),
        cmocka_unit_test(jumps_at_boundaries_stay_out_of_the_uop_cache),
        cmocka_unit_test(the_loop_detector_holds_the_uop_queue),
        cmocka_unit_test(queues_before_rename_hold_what_they_say),
    };
    return cmocka_run_group_tests(tests, open_bench, close_bench);
}
