/* explain.c - see explain.h */
#include "cli/explain.h"

#include "cli/annotate.h"
#include "pipeline/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLOCK_MHZ = 3500, BAR_WIDTH = 30 };

#define TOPDOWN_PREFIX "topdown_"

/* In the order in which they are shown: what is good, then from front to back. */
static const struct {
    const char *name, *label;
} topdown_rows[] = {{"topdown_retiring", "retiring"},
                    {"topdown_frontend_bound", "front-end bound"},
                    {"topdown_bad_speculation", "bad speculation"},
                    {"topdown_core_bound", "core bound"},
                    {"topdown_memory_bound", "memory bound"}};
enum { N_TOPDOWN = sizeof topdown_rows / sizeof *topdown_rows };

double pie_ratio(double a, double b)
{
    return b > 0 ? a / b : 0.0;
}

const char *pie_grouped(uint64_t value, char text[32])
{
    char digits[24];
    const int n = snprintf(digits, sizeof digits, "%" PRIu64, value);
    int at = 0;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

/* ---- counters ---- */

bool pie_stat_counter(const pie_stat_run *run, const char *name, uint64_t *ret_value)
{
    for (size_t i = 0; i < run->simulation.n_counters; i++)
        if (strcmp(run->counters[i].name, name) == 0) {
            *ret_value = run->simulation.counters[i];
            return true;
        }
    return false;
}

bool pie_counter_is_topdown(const pie_counter *counter)
{
    return strncmp(counter->name, TOPDOWN_PREFIX, sizeof TOPDOWN_PREFIX - 1) == 0;
}

/* "<model>.port<N>": uops that port N executed. */
bool pie_counter_is_port(const pie_counter *counter)
{
    const char *port = strstr(counter->name, ".port");
    const size_t n = port ? strspn(port + 5, "0123456789") : 0;
    return n > 0 && port[5 + n] == '\0';
}

const char *pie_counter_topdown_name(const pie_counter *counter)
{
    return counter->name + sizeof TOPDOWN_PREFIX - 1;
}

static const char *port_number(const pie_counter *counter)
{
    return strrchr(counter->name, 't') + 1;
}

static bool has_ports(const pie_stat_run *run)
{
    for (size_t i = 0; i < run->simulation.n_counters; i++)
        if (pie_counter_is_port(&run->counters[i]))
            return true;
    return false;
}

/* Slots in all, each counted in one row; 0: the model does not count them. */
static uint64_t topdown_of(const pie_stat_run *run, uint64_t values[N_TOPDOWN])
{
    uint64_t sum = 0;
    for (size_t i = 0; i < N_TOPDOWN; i++) {
        values[i] = 0;
        pie_stat_counter(run, topdown_rows[i].name, &values[i]);
        sum += values[i];
    }
    return sum;
}

/* Of all forms together. A model may name them without counting them. */
uint64_t pie_stat_unknown_forms(const pie_stat_run *run)
{
    uint64_t n = 0;
    if (pie_stat_counter(run, "unknown_forms", &n))
        return n;
    for (size_t i = 0; i < run->simulation.n_unknown_forms; i++)
        n += strtoull(strrchr(run->simulation.unknown_forms[i], ' ') + 1, NULL, 10);
    return n;
}

double pie_stat_seconds(const pie_stat_run *run)
{
    const pie_simulation *simulation = &run->simulation;
    return simulation->seconds > 0 ? simulation->seconds
                                   : (double)simulation->cycles / (CLOCK_MHZ * 1e6);
}

double pie_stat_mips(const pie_stat_run *run)
{
    return pie_ratio((double)run->simulation.guest.instructions * 1e-6, run->wall_s);
}

double pie_stat_ipc(const pie_stat_run *run)
{
    return pie_ratio((double)run->simulation.guest.instructions, (double)run->simulation.cycles);
}

double pie_stat_share(const pie_stat_run *run, uint64_t cycles)
{
    return pie_ratio((double)cycles, (double)run->simulation.cycles);
}

double pie_explain_speedup(const pie_stat_run *runs)
{
    const pie_simulation *a = &runs[0].simulation, *b = &runs[1].simulation;
    if (a->guest.verdict != PIE_VERDICT_PASSED || b->guest.verdict != PIE_VERDICT_PASSED)
        return 0;
    return a->seconds > 0 ? pie_ratio(a->seconds, b->seconds)
                          : pie_ratio((double)a->cycles, (double)b->cycles);
}

/* ---- for people ---- */

/* What a counter means here, as `perf stat` says it: against what it is a part of. */
static void print_comment(const pie_stat_run *run, const pie_counter *counter, uint64_t value,
                          FILE *out)
{
    const double instructions = (double)run->simulation.guest.instructions;
    const size_t n = strlen(counter->name);
    uint64_t branches = 0;
    if (strcmp(counter->name, "uops") == 0)
        fprintf(out, "%.2f per cycle, fused domain", pie_stat_share(run, value));
    else if (strcmp(counter->name, "branch_misses") == 0 &&
             pie_stat_counter(run, "branches", &branches))
        fprintf(out, "%.2f %% of the branches", 100 * pie_ratio((double)value, (double)branches));
    else if (n > 7 && strcmp(counter->name + n - 7, "_misses") == 0)
        fprintf(out, "%.2f per 1000 instructions", 1000 * pie_ratio((double)value, instructions));
    else if (strcmp(counter->name, "os_cycles") == 0)
        fprintf(out, "on top, for the operating system: %.1f %%", 100 * pie_stat_share(run, value));
    else
        fputs(counter->help, out);
}

/* Counters that every model may have; cycles and instructions are shown apart. */
static bool is_common(const pie_counter *counter)
{
    return !pie_counter_is_topdown(counter) && !strchr(counter->name, '.') &&
           strcmp(counter->name, "cycles") != 0 && strcmp(counter->name, "instructions") != 0;
}

/* "<model>.<counter>": of one model, or NULL. */
static const char *own_name(const pie_counter *counter)
{
    const char *dot = strchr(counter->name, '.');
    return dot && !pie_counter_is_port(counter) ? dot + 1 : NULL;
}

static void print_figures(const pie_stat_run *run, FILE *out)
{
    const pie_simulation *simulation = &run->simulation;
    char number[32];
    fprintf(out, "%16s  %-15s  %.6f s at %.1f GHz\n", pie_grouped(simulation->cycles, number),
            "cycles", pie_stat_seconds(run), CLOCK_MHZ * 1e-3);
    fprintf(out, "%16s  %-15s  %.2f per cycle\n",
            pie_grouped(simulation->guest.instructions, number), "instructions", pie_stat_ipc(run));
    for (size_t c = 0; c < simulation->n_counters; c++) {
        if (!is_common(&run->counters[c]))
            continue;
        fprintf(out, "%16s  %-15s  ", pie_grouped(simulation->counters[c], number),
                run->counters[c].name);
        print_comment(run, &run->counters[c], simulation->counters[c], out);
        fputs("\n", out);
    }
    if (simulation->startup_seen)
        fprintf(out, "%16s  %-15s  %.1f %% of cycles, before any read of input\n",
                pie_grouped(simulation->startup_cycles, number), "start-up cycles",
                100 * pie_stat_share(run, simulation->startup_cycles));
    fprintf(out, "%16s  %-15s  largest address space\n",
            pie_grouped(simulation->guest.peak_bytes, number), "bytes");
}

/* @ratio: the programs can be compared. */
static void print_pair(uint64_t a, uint64_t b, bool ratio, const char *name, FILE *out)
{
    char first[32], second[32], quotient[32] = "";
    if (ratio && b > 0)
        snprintf(quotient, sizeof quotient, "%.3f", (double)a / (double)b);
    fprintf(out, "%18s %18s %9s  %s\n", pie_grouped(a, first), pie_grouped(b, second), quotient,
            name);
}

static void print_figures_of_two(const pie_stat_run *runs, FILE *out)
{
    const pie_simulation *a = &runs[0].simulation, *b = &runs[1].simulation;
    const bool ratio = pie_explain_speedup(runs) > 0;
    fprintf(out, "%18s %18s %9s\n", "(1)", "(2)", ratio ? "(1)/(2)" : "");
    print_pair(a->cycles, b->cycles, ratio, "cycles", out);
    print_pair(a->guest.instructions, b->guest.instructions, ratio, "instructions", out);
    fprintf(out, "%18.2f %18.2f %9s  instructions per cycle\n", pie_stat_ipc(&runs[0]),
            pie_stat_ipc(&runs[1]), "");
    fprintf(out, "%18.6f %18.6f %9s  seconds at %.1f GHz\n", pie_stat_seconds(&runs[0]),
            pie_stat_seconds(&runs[1]), "", CLOCK_MHZ * 1e-3);
    for (size_t c = 0; c < a->n_counters && c < b->n_counters; c++)
        if (is_common(&runs[0].counters[c]))
            print_pair(a->counters[c], b->counters[c], ratio, runs[0].counters[c].name, out);
    if (a->startup_seen && b->startup_seen)
        print_pair(a->startup_cycles, b->startup_cycles, ratio, "start-up cycles", out);
    print_pair(a->guest.peak_bytes, b->guest.peak_bytes, ratio, "bytes, largest address space",
               out);
}

static void print_own_counters(const pie_stat_run *runs, size_t n_runs, FILE *out)
{
    const bool ratio = n_runs == 2 && pie_explain_speedup(runs) > 0;
    bool is_first = true;
    char number[32];
    for (size_t c = 0; c < runs[0].simulation.n_counters; c++) {
        const pie_counter *counter = &runs[0].counters[c];
        const uint64_t value = runs[0].simulation.counters[c];
        if (!own_name(counter) || (n_runs == 2 && c >= runs[1].simulation.n_counters))
            continue;
        if (is_first)
            fprintf(out, "\n counters of %.*s alone\n\n",
                    (int)(own_name(counter) - counter->name - 1), counter->name);
        is_first = false;
        if (n_runs == 2)
            print_pair(value, runs[1].simulation.counters[c], ratio, own_name(counter), out);
        else
            fprintf(out, "%16s  %-20s  %s\n", pie_grouped(value, number), own_name(counter),
                    counter->help);
    }
}

/* @share of 1 as a bar and a newline; nothing when it rounds to no character. */
static void print_bar(double share, FILE *out)
{
    static const char full[] = "##############################";
    _Static_assert(sizeof full == BAR_WIDTH + 1, "a bar of its full width");
    const int n = share >= 1 ? BAR_WIDTH : (int)(share * BAR_WIDTH + 0.5);
    fprintf(out, "%s%.*s\n", n > 0 ? "  " : "", n, full);
}

static void print_topdown(const pie_stat_run *runs, size_t n_runs, FILE *out)
{
    uint64_t rows[2][N_TOPDOWN] = {{0}}, slots[2] = {0};
    char number[32];
    for (size_t i = 0; i < n_runs; i++) {
        slots[i] = topdown_of(&runs[i], rows[i]);
        if (slots[i] == 0)
            return;
    }
    const uint64_t cycles = runs[0].simulation.cycles;
    const double width = pie_ratio((double)slots[0], (double)cycles);
    fprintf(out, "\n where the issue slots went, %.0f in every cycle\n\n", width);
    if (n_runs == 2)
        fprintf(out, "%18s %18s %18s\n", "(1)", "(2)", "cycles saved");
    for (size_t r = 0; r < N_TOPDOWN; r++) {
        const double share = (double)rows[0][r] / (double)slots[0];
        if (n_runs == 1) {
            fprintf(out, "%16s  %-15s  %5.1f %%", pie_grouped(rows[0][r], number),
                    topdown_rows[r].label, 100 * share);
            print_bar(share, out);
        } else {
            const double saved = ((double)rows[0][r] - (double)rows[1][r]) / width;
            fprintf(out, "%16.1f %% %16.1f %% %18.0f  %s\n", 100 * share,
                    100 * (double)rows[1][r] / (double)slots[1], saved, topdown_rows[r].label);
        }
    }
}

static void print_ports(const pie_stat_run *runs, size_t n_runs, FILE *out)
{
    char number[32];
    if (!has_ports(&runs[0]) || (n_runs == 2 && !has_ports(&runs[1])))
        return;
    fputs("\n uops executed per port and cycle\n\n", out);
    if (n_runs == 2)
        fprintf(out, "%18s %18s\n", "(1)", "(2)");
    for (size_t c = 0; c < runs[0].simulation.n_counters; c++) {
        const pie_counter *counter = &runs[0].counters[c];
        if (!pie_counter_is_port(counter))
            continue;
        const double share = pie_stat_share(&runs[0], runs[0].simulation.counters[c]);
        if (n_runs == 1) {
            fprintf(out, "%16s  port %-10s  %7.2f",
                    pie_grouped(runs[0].simulation.counters[c], number), port_number(counter),
                    share);
            print_bar(share, out);
        } else {
            fprintf(out, "%18.2f %18.2f %9s  port %s\n", share,
                    pie_stat_share(&runs[1], runs[1].simulation.counters[c]), "",
                    port_number(counter));
        }
    }
}

static void print_unknown_forms(const pie_stat_run *run, FILE *out)
{
    char number[32];
    if (pie_stat_unknown_forms(run) == 0 && run->simulation.n_unknown_forms == 0)
        return;
    fprintf(out, "\n timed by a fallback, since %s does not know these forms\n\n",
            run->uarch->short_name);
    for (size_t i = 0; i < run->simulation.n_unknown_forms; i++) {
        const char *form = run->simulation.unknown_forms[i], *blank = strrchr(form, ' ');
        fprintf(out, "%16s  %.*s\n", pie_grouped(strtoull(blank + 1, NULL, 10), number),
                (int)(blank - form), form);
    }
}

size_t pie_first_of(size_t n, size_t top)
{
    return top > 0 && top < n ? top : n;
}

static void print_functions(const pie_stat_run *run, const pie_explain_options *options, FILE *out)
{
    const pie_profile *profile = &run->profile;
    char number[32], executions[32], name[PIE_PROFILE_NAME_BYTES];
    const size_t n = pie_first_of(profile->n_functions, options->top);
    fprintf(out, "\n hottest functions, %zu of %zu\n\n", n, profile->n_functions);
    fprintf(out, "%16s  %6s %16s %6s  %s\n", "cycles", "share", "instructions", "CPI", "function");
    for (size_t i = 0; i < n; i++) {
        const pie_profile_span *span = &profile->functions[i];
        fprintf(out, "%16s  %5.1f%% %16s %6.2f  %s\n", pie_grouped(span->costs.cycles, number),
                100 * pie_stat_share(run, span->costs.cycles),
                pie_grouped(span->costs.executions, executions),
                pie_ratio((double)span->costs.cycles, (double)span->costs.executions),
                pie_profile_function(&profile->insns[span->first], name));
    }
}

static void print_blocks(const pie_stat_run *run, const pie_explain_options *options, FILE *out)
{
    const pie_profile *profile = &run->profile;
    char number[32], executions[32], name[PIE_PROFILE_NAME_BYTES];
    const size_t n = pie_first_of(profile->n_blocks, options->top);
    fprintf(out, "\n hottest basic blocks, %zu of %zu\n\n", n, profile->n_blocks);
    fprintf(out, "%16s  %6s %16s %6s  %s\n", "cycles", "share", "executions", "each", "addresses");
    for (size_t i = 0; i < n; i++) {
        const pie_profile_span *span = &profile->blocks[i];
        const pie_profile_insn *first = &profile->insns[span->first];
        fprintf(
            out, "%16s  %5.1f%% %16s %6.2f  %" PRIx64 "-%" PRIx64 " %s\n",
            pie_grouped(span->costs.cycles, number), 100 * pie_stat_share(run, span->costs.cycles),
            pie_grouped(first->costs.executions, executions),
            pie_ratio((double)span->costs.cycles, (double)first->costs.executions), span->address,
            span->end, pie_profile_name(profile, span->address, name, sizeof name) ? name : "");
    }
}

static void print_profile(const pie_stat_run *run, const pie_explain_options *options, FILE *out)
{
    print_functions(run, options, out);
    print_blocks(run, options, out);
    if (run->profile.cycles != run->simulation.cycles)
        fprintf(out, "\n %.2f %% of the cycles are charged to an instruction\n",
                100 * pie_stat_share(run, run->profile.cycles));
    if (options->annotate)
        pie_annotate_print(run, options, out);
}

static void print_head(const pie_stat_run *run, const char *number, FILE *out)
{
    const pie_guest_result *guest = &run->simulation.guest;
    fprintf(out, " %s%s on %s: %s%s%s%s%s\n", number, run->program, run->uarch->short_name,
            pie_verdict_name(guest->verdict), guest->reason[0] ? ", " : "", guest->reason,
            guest->function[0] ? ", in " : "", guest->function);
}

void pie_explain_print(const pie_stat_run *runs, size_t n_runs, const pie_explain_options *options,
                       FILE *out)
{
    fputs("\n", out);
    print_head(&runs[0], n_runs == 2 ? "(1) " : "", out);
    if (n_runs == 2)
        print_head(&runs[1], "(2) ", out);
    fputs("\n", out);
    if (n_runs == 2)
        print_figures_of_two(runs, out);
    else
        print_figures(&runs[0], out);
    print_topdown(runs, n_runs, out);
    print_ports(runs, n_runs, out);
    print_own_counters(runs, n_runs, out);
    for (size_t i = 0; i < n_runs; i++) {
        const bool has_more = options->profile || runs[i].simulation.n_unknown_forms > 0;
        if (n_runs == 2 && has_more)
            fprintf(out, "\n (%zu) %s\n", i + 1, runs[i].program);
        print_unknown_forms(&runs[i], out);
        if (options->profile)
            print_profile(&runs[i], options, out);
    }
    fputs("\n", out);
    for (size_t i = 0; i < n_runs; i++)
        fprintf(out, " %.3f s on this machine, %.0f million instructions per second\n",
                runs[i].wall_s, pie_stat_mips(&runs[i]));
}
