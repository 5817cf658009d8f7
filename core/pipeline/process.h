/* process.h - the coordinator's children: forked, with a channel, dead when the coordinator dies.
 */
#ifndef PIE_PIPELINE_PROCESS_H
#define PIE_PIPELINE_PROCESS_H

#include "pipeline/channel.h"
#include "pipeline/pipeline.h"

#include <signal.h>
#include <sys/types.h>

typedef struct pie_process {
    const char *name; /* "worker 1", for messages */
    pid_t pid;        /* 0 = not running */
    pie_channel *channel;
} pie_process;

/* Fork and run @main in the child, with signals as in @signals and nothing of the coordinator's
 * other descriptors (@close_fds, ended by -1) left open. */
pie_status pie_process_start(pie_process *process, int (*main)(const pie_pipeline *, int),
                             const pie_pipeline *pipeline, const sigset_t *signals,
                             const int *close_fds, const pie_log *log);
/* Kill if it still runs, reap, close. @ret_how (may be NULL): "exit status 1", "signal 11". */
void pie_process_end(pie_process *process, char *ret_how, size_t n_how);

#endif
