/* report.h - from the records of a run to figures and tables. */
#ifndef PIE_REPORT_H
#define PIE_REPORT_H

#include "config/config.h"
#include "store/store.h"

/* The report of one run. As JSON (PIE_REPORT_JSON; schema: docs/schema/report.schema.json):
 *   {"fingerprint","config":{...},"summary":[{"metric","name","column","k","value","unit","direction",
 *    "interval":[lo,hi]|null,"rule"}],
 *    "counts":{...},"verdicts":{name:count},"censored":n,"incomplete":n,"notes":["..."],
 *    "nondeterminism":[...],
 *    "problems":[{"problem_id","src_id","baseline":{"verdict","cycles",..},"target":{..}|null,
 *                 "references":[..],"samples":[{"index","verdict","cycles","speedup",..}]}]}
 * "problems" can be a million samples long, so it is kept in a compact form and becomes text only
 * when rendered. */
typedef struct pie_report pie_report;

/* Metric plugins run in a forked report process; one that crashes costs its own figures and is
 * named in "notes". Everything is in dataset order and depends on records only, not on who wrote
 * them when.
 * @fingerprint and @config_json are copied in; NULL: not known. PIE_ERR_CONFIG, PIE_ERR_DATA,
 * PIE_ERR_IO (logged), PIE_ERR_NOMEM, PIE_ERR_CRASHED (logged): the report process died outside of
 * any metric. */
pie_status pie_report_build(pie_store *store, const pie_config *config, const char *fingerprint,
                            const json_t *config_json, const pie_log *log, pie_report **ret_report);
void pie_report_free(pie_report *report);

/* All of the report but "problems"; borrowed. */
const json_t *pie_report_json(const pie_report *report);

/* What a command that shows the report tells through its exit status. */
typedef struct pie_report_state {
    bool nondeterministic;
    bool incomplete; /* samples or human programs are missing or infra_error */
    bool empty;      /* nothing was measured */
    bool crashed;    /* a metric crashed, failed or hung */
} pie_report_state;
pie_report_state pie_report_get_state(const pie_report *report);

enum { PIE_REPORT_TABLE = 1, PIE_REPORT_MARKDOWN = 2, PIE_REPORT_CSV = 3, PIE_REPORT_JSON = 4 };
/* Render to text appended to @out. TABLE is at most 80 columns wide; no colours. */
pie_status pie_report_render(const pie_report *report, int32_t format, pie_buf *out);
/* The first line of PIE_REPORT_CSV, with its newline; render leaves it to the caller, so that
 * several runs make one file. */
const char *pie_report_csv_header(void);

#endif
