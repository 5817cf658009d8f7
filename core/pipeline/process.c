/* process.c - see process.h */
#include "pipeline/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

pie_status pie_process_start(pie_process *process, int (*main)(const pie_pipeline *, int),
                             const pie_pipeline *pipeline, const sigset_t *signals,
                             const int *close_fds, const pie_log *log)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return pie_log_errno(log, "socketpair");
    fflush(NULL);
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0) {
        const pie_status status = pie_log_errno(log, "fork");
        close(pair[0]);
        close(pair[1]);
        return status;
    }
    if (pid == 0) {
        /* The coordinator decides what an interrupt means. */
        signal(SIGINT, SIG_IGN);
        signal(SIGTERM, SIG_DFL);
        sigprocmask(SIG_SETMASK, signals, NULL);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        close(pair[0]);
        for (const int *fd = close_fds; *fd >= 0; fd++)
            close(*fd);
        _exit(main(pipeline, pair[1]));
    }
    close(pair[1]);
    const pie_status status = pie_channel_new(pair[0], &process->channel);
    process->pid = pid;
    if (status != PIE_OK) {
        close(pair[0]);
        pie_process_end(process, NULL, 0);
    }
    return status;
}

void pie_process_end(pie_process *process, char *ret_how, size_t n_how)
{
    if (ret_how && n_how)
        ret_how[0] = '\0';
    pie_channel_free(process->channel);
    process->channel = NULL;
    if (process->pid <= 0)
        return;
    int status = 0;
    /* A process whose channel broke is about to die of its own cause, which is worth knowing. */
    for (int waited_ms = 0; waitpid(process->pid, &status, WNOHANG) == 0; waited_ms++) {
        if (!ret_how || waited_ms > 200) {
            kill(process->pid, SIGKILL);
            while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR)
                ;
            break;
        }
        usleep(1000);
    }
    process->pid = 0;
    if (ret_how && WIFSIGNALED(status))
        snprintf(ret_how, n_how, "signal %d", WTERMSIG(status));
    else if (ret_how)
        snprintf(ret_how, n_how, "exit status %d", WEXITSTATUS(status));
}
