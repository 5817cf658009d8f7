/* buf.h - a growable run of bytes, always NUL-terminated after its last byte. */
#ifndef PIE_BASE_BUF_H
#define PIE_BASE_BUF_H

#include "pie/plugin.h"

#include <stdarg.h>
#include <stdbool.h>

/* All zero is an empty buffer. @data may be NULL while @n is 0: use pie_buf_text(). */
typedef struct pie_buf {
    char *data;
    size_t n, capacity;
} pie_buf;

/* PIE_ERR_NOMEM leaves the buffer as it was. */
pie_status pie_buf_reserve(pie_buf *buf, size_t n_more);
pie_status pie_buf_add(pie_buf *buf, const void *bytes, size_t n);
pie_status pie_buf_puts(pie_buf *buf, const char *text);
pie_status pie_buf_printf(pie_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
pie_status pie_buf_vprintf(pie_buf *buf, const char *format, va_list args);
/* Never NULL. */
const char *pie_buf_text(const pie_buf *buf);
/* Keep the memory, drop the content. */
void pie_buf_clear(pie_buf *buf);
void pie_buf_free(pie_buf *buf);
/* The content as a string of its own, to be freed; the buffer is empty afterwards. NULL: no memory.
 */
char *pie_buf_steal(pie_buf *buf);

/* printf into fresh memory; NULL: no memory. */
char *pie_strf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
