/* report.h - from the records of a run to figures and tables. */
#ifndef PIE_REPORT_H
#define PIE_REPORT_H

#include "config/config.h"
#include "store/store.h"

/* The report of one run as the JSON of the contract:
 *   {"fingerprint","config":{...},"summary":[{"metric","name","column","k","value","unit","direction",
 *    "interval":[lo,hi]|null,"rule"}],
 *    "problems":[{"problem_id","src_id","baseline":{"verdict","cycles"},
 *                 "samples":[{"index","verdict","cycles","speedup",..}]}],
 *    "verdicts":{name:count}, "censored":n, "notes":["..."], "incomplete":n}
 * Metric plugins run in a forked report process; one that crashes costs its own figures and is
 * named in "notes". Everything is in dataset order and depends on records only, not on who wrote
 * them when.
 * @fingerprint and @config_json are copied in. New reference in *@ret_report. */
pie_status pie_report_build(pie_store *store, const pie_config *config, const char *fingerprint,
                            const json_t *config_json, const pie_log *log, json_t **ret_report);

enum { PIE_REPORT_TABLE = 1, PIE_REPORT_MARKDOWN = 2, PIE_REPORT_CSV = 3, PIE_REPORT_JSON = 4 };
/* Render to text appended to @out. TABLE is at most 80 columns wide; no colours. */
pie_status pie_report_render(const json_t *report, int32_t format, pie_buf *out);

#endif
