/* buf.c */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

pie_status pie_buf_reserve(pie_buf *buf, size_t n_more)
{
    if (n_more >= SIZE_MAX - buf->n)
        return PIE_ERR_NOMEM;
    const size_t need = buf->n + n_more + 1;
    if (need <= buf->capacity)
        return PIE_OK;
    size_t capacity = buf->capacity ? buf->capacity : 64;
    while (capacity < need)
        capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
    char *data = realloc(buf->data, capacity);
    if (!data)
        return PIE_ERR_NOMEM;
    buf->data = data;
    buf->capacity = capacity;
    buf->data[buf->n] = '\0';
    return PIE_OK;
}

pie_status pie_buf_add(pie_buf *buf, const void *bytes, size_t n)
{
    if (n == 0)
        return PIE_OK;
    if (pie_buf_reserve(buf, n) != PIE_OK)
        return PIE_ERR_NOMEM;
    memcpy(buf->data + buf->n, bytes, n);
    buf->n += n;
    buf->data[buf->n] = '\0';
    return PIE_OK;
}

pie_status pie_buf_puts(pie_buf *buf, const char *text)
{
    return pie_buf_add(buf, text, strlen(text));
}

pie_status pie_buf_vprintf(pie_buf *buf, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    pie_status status = n < 0 ? PIE_ERR_DATA : pie_buf_reserve(buf, (size_t)n);
    if (status == PIE_OK) {
        vsnprintf(buf->data + buf->n, (size_t)n + 1, format, again);
        buf->n += (size_t)n;
    }
    va_end(again);
    return status;
}

pie_status pie_buf_printf(pie_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const pie_status status = pie_buf_vprintf(buf, format, args);
    va_end(args);
    return status;
}

const char *pie_buf_text(const pie_buf *buf)
{
    return buf->data ? buf->data : "";
}

void pie_buf_clear(pie_buf *buf)
{
    buf->n = 0;
    if (buf->data)
        buf->data[0] = '\0';
}

void pie_buf_free(pie_buf *buf)
{
    free(buf->data);
    *buf = (pie_buf){0};
}

char *pie_buf_steal(pie_buf *buf)
{
    char *text = buf->data ? buf->data : calloc(1, 1);
    *buf = (pie_buf){0};
    return text;
}

char *pie_strf(const char *format, ...)
{
    pie_buf buf = {0};
    va_list args;
    va_start(args, format);
    const pie_status status = pie_buf_vprintf(&buf, format, args);
    va_end(args);
    if (status != PIE_OK) {
        pie_buf_free(&buf);
        return NULL;
    }
    return buf.data;
}
