/* evaluate.h - what `run` and `try` do: measure, then print the report. */
#ifndef PIE_CLI_EVALUATE_H
#define PIE_CLI_EVALUATE_H

#include "config/config.h"
#include "pipeline/pipeline.h"

/* Measure what is not recorded yet, print the report; returns an exit code. */
int pie_evaluate(const pie_config_source *source, const pie_run_options *options, bool json);
/* Count only. */
pie_status pie_evaluate_plan(const pie_config_source *source, const pie_run_options *options,
                             pie_run_summary *ret_summary);

#endif
