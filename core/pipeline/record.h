/* record.h - the result record: everything known about one program of one row, in one place.
 *
 * The report, the metrics, `show` and resuming all read these and nothing else. JSON, one line:
 *
 *   {"type":"result", "row":0, "problem_id":"..", "src_id":"..",
 *    "role":"source|target|reference|sample", "index":0, "id":"src_id, tgt_id or reference id",
 *    "reference_role":null,
 *    "source":"<sha256 blob>", "reply":"<sha256 blob>"|null, "how":"fence", "reason":null,
 *    "verdict":"passed", "passed":4, "run":4, "total":4,
 *    "build":{"language":"c++","verdict":"passed","elf":"<sha256>"|null,"text_bytes":123,
 *             "messages":"<sha256 blob>"|null,"reason":""}|null,
 *    "key":"<simulation key: ELF, inputs, CPU model, limits, guest; not the expected output>"|null,
 *    "tests":[{"n":0,"level":0,"weight":1,"public":false,"verdict":"passed","cycles":1,"startup_cycles":1,
 *              "os_cycles":0,"instructions":1,"startup_instructions":1,"peak_bytes":1,"seconds":null,
 *              "exit":0,"signal":0,"syscall":-1,"function":"","detail":""}],
 *    "difference":{"test":0,"line":1,"column":1,"expected":"..","actual":".."}|null,
 *    "counters":{name:sum over tests}|null,
 *    "generation":{"attempts":1,"tokens":[10,20]|null,"finish":"stop","error":null,"steps":1,
 *                  "dialogue":"<sha256 blob>"}|null}
 *
 * A number that is not known is null. Numbers are integers below 2^53.
 * The name of a worker, times of day and wall-clock times stand nowhere in it. */
#ifndef PIE_PIPELINE_RECORD_H
#define PIE_PIPELINE_RECORD_H

#include "pie/metric.h"

#include <jansson.h>

/* "passed" .. ; static. */
const char *pie_verdict_name(int32_t verdict);
/* PIE_VERDICT_* or -1. */
int32_t pie_verdict_of(const char *name);
const char *pie_role_name(int32_t role);
int32_t pie_role_of(const char *name);
/* A JSON string of bytes from anywhere (a compiler's messages, a path, a server's reply): what is
 * not UTF-8 becomes '?'. New reference; NULL = no memory, JSON null for a NULL @text. */
json_t *pie_json_text(const char *text);

#endif
