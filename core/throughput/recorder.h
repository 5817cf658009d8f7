/* recorder.h - the stream of one block, made of records of the guest's stream: exactly what a
 * program that held nothing but the block would have sent. Ids are consecutive, every block is
 * described before its use, and records end where the cycles are to be read. */
#ifndef PIE_THROUGHPUT_RECORDER_H
#define PIE_THROUGHPUT_RECORDER_H

#include "throughput/gauge.h"
#include "throughput/plan.h"

#include <stdbool.h>

typedef struct pie_recorder pie_recorder;
pie_status pie_recorder_new(pie_recorder **ret_recorder); /* PIE_ERR_NOMEM */
void pie_recorder_free(pie_recorder *recorder);           /* NULL is allowed */

/* A new block: forget all descriptions. */
void pie_recorder_reset(pie_recorder *recorder);
/* It is entered (again): forget all records, keep the descriptions. Readings after @n_first and
 * @n_last retired instructions; ids from @first_id. */
void pie_recorder_begin(pie_recorder *recorder, uint64_t n_first, uint64_t n_last,
                        uint32_t first_id);

/* All PIE_ERR_NOMEM. A DESCRIBE record; ids must ascend. */
pie_status pie_recorder_describe(pie_recorder *recorder, const uint64_t *record);
bool pie_recorder_knows(const pie_recorder *recorder, uint32_t id);
/* A BLOCK or REP record of a known block; what lies behind the second reading is left out. */
pie_status pie_recorder_add(pie_recorder *recorder, const uint64_t *record);

/* Both readings were reached. */
bool pie_recorder_is_complete(const pie_recorder *recorder);
/* The stream, borrowed until the next call. */
void pie_recorder_stream(const pie_recorder *recorder, pie_gauge_stream *ret_stream);

#endif
