/* gauge.h - a CPU model that times one stream after another, each from the same fresh state. */
#ifndef PIE_THROUGHPUT_GAUGE_H
#define PIE_THROUGHPUT_GAUGE_H

#include "config/config.h"

typedef struct pie_gauge pie_gauge;

/* The model is made with one frame behind all pages. PIE_ERR_CONFIG: it is not of style `trace`
 * (logged). Whatever opening or creating it says. */
pie_status pie_gauge_new(const pie_choice *uarch, const pie_log *log, pie_gauge **ret_gauge);
void pie_gauge_free(pie_gauge *gauge); /* NULL is allowed */

/* Block ids of the next stream begin here: a model may meet no id twice. */
uint32_t pie_gauge_first_id(const pie_gauge *gauge);
/* A stream that describes @n_ids blocks, with readings at words @first and @last. */
typedef struct pie_gauge_stream {
    const uint64_t *words;
    size_t first, last;
    uint32_t n_ids;
} pie_gauge_stream;
/* *@ret_cycles = between the readings. */
pie_status pie_gauge_time(pie_gauge *gauge, const pie_gauge_stream *stream, uint64_t *ret_cycles,
                          size_t *ret_n_fallbacks);

#endif
