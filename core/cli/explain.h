/* explain.h - the figures of `pie stat`, for people and as JSON: where the time went. */
#ifndef PIE_CLI_EXPLAIN_H
#define PIE_CLI_EXPLAIN_H

#include "cli/profile.h"
#include "pipeline/simulate.h"

#include <stdio.h>

/* A program after its run. */
typedef struct pie_stat_run {
    const char *program; /* as the user named it */
    const pie_plugin_info *uarch;
    const pie_counter *counters; /* of the CPU model */
    pie_simulation simulation;
    pie_profile profile; /* all zero without --profile */
    double wall_s;
} pie_stat_run;

/* What was asked for. */
typedef struct pie_explain_options {
    size_t top; /* rows of functions and blocks; 0 = all */
    bool profile, annotate;
    const char *symbol; /* to annotate; NULL = the hottest */
} pie_explain_options;

/* One or two programs; two get a column each. 80 columns, but for long names. Errors stay in @out.
 */
void pie_explain_print(const pie_stat_run *runs, size_t n_runs, const pie_explain_options *options,
                       FILE *out);
/* New reference; NULL = no memory. All but "host" is deterministic. */
json_t *pie_explain_json(const pie_stat_run *run, const pie_explain_options *options);
/* Times as fast: the time of @runs[0] over that of @runs[1]; 0 when not both passed, since a ratio
 * means something only when both did their work. */
double pie_explain_speedup(const pie_stat_run *runs);

/* ---- shared by explain.c, explain_json.c and annotate.c ---- */

/* The counter called @name; false: the model has none. */
bool pie_stat_counter(const pie_stat_run *run, const char *name, uint64_t *ret_value);
/* Executions of forms that the model does not know. */
uint64_t pie_stat_unknown_forms(const pie_stat_run *run);
double pie_stat_seconds(const pie_stat_run *run);
double pie_stat_ipc(const pie_stat_run *run);
double pie_stat_mips(const pie_stat_run *run);
/* @cycles of all cycles, 0 to 1. */
double pie_stat_share(const pie_stat_run *run, uint64_t cycles);

bool pie_counter_is_topdown(const pie_counter *counter);
bool pie_counter_is_port(const pie_counter *counter);
/* "retiring" of "topdown_retiring". */
const char *pie_counter_topdown_name(const pie_counter *counter);

double pie_ratio(double a, double b); /* 0 when @b is not above 0 */
/* 1234567 as "1,234,567". */
const char *pie_grouped(uint64_t value, char text[32]);
/* @n, but no more than @top unless that is 0. */
size_t pie_first_of(size_t n, size_t top);

#endif
