/* annotate.h - a function, instruction by instruction, with what each was charged. */
#ifndef PIE_CLI_ANNOTATE_H
#define PIE_CLI_ANNOTATE_H

#include "cli/explain.h"

/* The function called options->symbol, the one with the most cycles of that name; without a symbol
 * the hottest. NULL: none was executed. */
const pie_profile_span *pie_annotate_find(const pie_profile *profile, const char *symbol);
void pie_annotate_print(const pie_stat_run *run, const pie_explain_options *options, FILE *out);
/* {"name", "address", "instructions": [..]}, or null when no such function was executed. New
 * reference, NULL = no memory. */
json_t *pie_annotate_json(const pie_stat_run *run, const pie_explain_options *options);

#endif
