/* static.h - the stream of a block that cannot be executed: every address is computed from the
 * registers as they are at the start. */
#ifndef PIE_THROUGHPUT_STATIC_H
#define PIE_THROUGHPUT_STATIC_H

#include "throughput/gauge.h"
#include "throughput/plan.h"
#include "throughput/words.h"

/* Write it to @list, emptied before; *@ret_stream refers to it. Ids from @first_id. PIE_ERR_NOMEM,
 * PIE_ERR_DATA (more instructions than a block can have). */
pie_status pie_tp_static_stream(pie_decoder *decoder, const uint8_t *bytes, size_t n_bytes,
                                bool loop, const pie_tp_plan *plan, uint32_t first_id,
                                pie_words *list, pie_gauge_stream *ret_stream);

#endif
