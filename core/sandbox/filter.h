/* filter.h - the seccomp filters of the sandbox's policies, as BPF programs. Private to the
 * sandbox. */
#ifndef PIE_SANDBOX_FILTER_H
#define PIE_SANDBOX_FILTER_H

#include "base/log.h"

#include <linux/filter.h>

typedef struct pie_filter {
    struct sock_filter *program; /* owned */
    size_t n;
} pie_filter;

/* Build the filter of @policy (PIE_SANDBOX_TOOL ..), so that the child only has to load it.
 * PIE_ERR_UNAVAILABLE or PIE_ERR_NOMEM, logged. Freed by pie_filter_free(). */
pie_status pie_filter_build(int32_t policy, const pie_log *log, pie_filter *ret_filter);
void pie_filter_free(pie_filter *filter);

#endif
