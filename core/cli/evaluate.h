/* evaluate.h - what `run` and `try` do: measure, then print the report. */
#ifndef PIE_CLI_EVALUATE_H
#define PIE_CLI_EVALUATE_H

#include "config/config.h"
#include "pipeline/pipeline.h"

enum { PIE_PRINT_TABLE = 1, PIE_PRINT_JSON = 2, PIE_PRINT_NOTHING = 3 };
/* Measure what is not recorded yet, print the report (@print); returns an exit code. */
int pie_evaluate(const pie_config_source *source, const pie_run_options *options, int print,
                 pie_run_summary *ret_summary);
/* Count only. */
pie_status pie_evaluate_plan(const pie_config_source *source, const pie_run_options *options,
                             pie_run_summary *ret_summary);

#endif
