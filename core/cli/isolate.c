/* isolate.c - see isolate.h */
#include "cli/isolate.h"

#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int pie_cli_isolated(const char *what, int (*run)(void *context), void *context)
{
    fflush(NULL);
    const pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        return pie_exit_of(pie_log_errno(&pie_log_stderr, "fork"));
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(PIE_EXIT_INSTALL);
        const int code = run(context);
        fflush(NULL);
        _exit(code);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    const int number = WTERMSIG(status);
    if (number == SIGINT || number == SIGTERM)
        return 128 + number;
    pie_log_error(&pie_log_stderr, "%s crashed (signal %d)", what, number);
    return PIE_EXIT_INSTALL;
}
