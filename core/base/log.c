/* log.c */
#include "base/log.h"

#include <stdio.h>

enum { LINE_BYTES = 8192 };

static void write_stderr(void *context, int32_t level, const char *line)
{
    (void)context;
    fprintf(stderr, "pie: %s%s\n", level == PIE_LOG_WARNING ? "warning: " : "", line);
}

static void write_nothing(void *context, int32_t level, const char *line)
{
    (void)context, (void)level, (void)line;
}

const pie_log pie_log_stderr = {write_stderr, NULL, PIE_LOG_INFO};
const pie_log pie_log_none = {write_nothing, NULL, PIE_LOG_ERROR};

void pie_log_writev(const pie_log *log, int32_t level, const char *format, va_list args)
{
    if (!log || level > log->level)
        return;
    char line[LINE_BYTES];
    vsnprintf(line, sizeof line, format, args);
    for (unsigned char *c = (unsigned char *)line; *c; c++)
        if (*c < 0x20 || *c == 0x7f)
            *c = ' ';
    log->write(log->context, level, line);
}

void pie_log_write(const pie_log *log, int32_t level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pie_log_writev(log, level, format, args);
    va_end(args);
}
