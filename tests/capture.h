/* capture.h - a log that keeps its lines, for tests of messages. */
#ifndef PIE_TEST_CAPTURE_H
#define PIE_TEST_CAPTURE_H

#include "base/buf.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

typedef struct capture {
    pie_buf text; /* all lines, each with its newline */
    size_t n;     /* of lines */
    pie_log log;
} capture;

static inline void capture_write(void *context, int32_t level, const char *line)
{
    capture *into = context;
    (void)level;
    into->n++;
    pie_buf_printf(&into->text, "%s\n", line);
}

/* @to must not move afterwards. */
static inline void capture_start(capture *to)
{
    *to = (capture){.log = {capture_write, NULL, PIE_LOG_INFO}};
    to->log.context = to;
}

static inline void capture_clear(capture *of)
{
    pie_buf_clear(&of->text);
    of->n = 0;
}

static inline void capture_end(capture *of)
{
    pie_buf_free(&of->text);
}

static inline int capture_has(const capture *in, const char *part)
{
    if (strstr(pie_buf_text(&in->text), part))
        return 1;
    printf("expected \"%s\" in:\n%s", part, pie_buf_text(&in->text));
    return 0;
}

#endif
