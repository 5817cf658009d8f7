/* log.h - where diagnostics go. The layer that knows the file, line or key logs, once; others pass
 * the status up. */
#ifndef PIE_BASE_LOG_H
#define PIE_BASE_LOG_H

#include "pie/plugin.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

typedef struct pie_log {
    /* One line without newline. */
    void (*write)(void *context, int32_t level, const char *line);
    void *context;
    int32_t level; /* lines above it are dropped: PIE_LOG_INFO shows errors, warnings and infos */
} pie_log;

/* To standard error as "pie: LINE" (errors), "pie: warning: LINE", "pie: LINE" (infos). */
extern const pie_log pie_log_stderr;
/* Drops everything. */
extern const pie_log pie_log_none;

/* NULL @log: dropped. A message is cut at 8 KiB; newlines and control characters become spaces. */
void pie_log_write(const pie_log *log, int32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void pie_log_writev(const pie_log *log, int32_t level, const char *format, va_list args);

#define pie_log_error(log, ...) pie_log_write((log), PIE_LOG_ERROR, __VA_ARGS__)
#define pie_log_warning(log, ...) pie_log_write((log), PIE_LOG_WARNING, __VA_ARGS__)
#define pie_log_info(log, ...) pie_log_write((log), PIE_LOG_INFO, __VA_ARGS__)

/* Log "out of memory" and return PIE_ERR_NOMEM. Inline, so that an analyser sees that it never is
 * PIE_OK. */
static inline pie_status pie_log_nomem(const pie_log *log)
{
    pie_log_error(log, "out of memory");
    return PIE_ERR_NOMEM;
}
/* Log "WHAT: strerror(errno)" and return PIE_ERR_IO. */
static inline pie_status pie_log_errno(const pie_log *log, const char *what)
{
    pie_log_error(log, "%s: %s", what, strerror(errno));
    return PIE_ERR_IO;
}

#endif
