/* check.h - the trusted side of the stream: checks what the tracer wrote and hands it to a sink.
 *
 * The guest can write the tracer's memory, so every record is checked before a CPU model sees it:
 * known kind and id, exact length, addresses of the guest, counts in range, totals consistent. Raw
 * block definitions are decoded here and become DESCRIBE records. */
#ifndef PIE_TRACE_CHECK_H
#define PIE_TRACE_CHECK_H

#include "trace/guest.h"

typedef struct pie_stream_totals {
    uint64_t instructions, startup_instructions, branches, blocks, syscalls;
    bool startup_ended, ended; /* STARTUP_END, END seen */
} pie_stream_totals;

typedef struct pie_stream pie_stream;

/* @sink may be NULL: only check and count. @max_instructions: more of them is forged; 0 = no limit.
 * PIE_ERR_NOMEM. */
pie_status pie_stream_new(const pie_trace_sink *sink, uint64_t max_instructions,
                          pie_stream **ret_stream);
void pie_stream_free(pie_stream *stream); /* NULL is allowed */

/* Check @n_words of whole records in memory that nobody else writes and hand them on; *@ret_want is
 * what the sink said last. PIE_ERR_DATA: forged or broken, pie_stream_fault() says how; records
 * before the fault may have been handed on. PIE_ERR_NOMEM. A status of the sink is passed on:
 * pie_stream_fault() is "" then. */
pie_status pie_stream_feed(pie_stream *stream, const uint64_t *words, size_t n_words,
                           int32_t *ret_want);
const pie_stream_totals *pie_stream_get_totals(const pie_stream *stream);
const char *pie_stream_fault(const pie_stream *stream); /* one line, "" = none */

#endif
