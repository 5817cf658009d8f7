/* isolate.c - see isolate.h */
#include "cli/isolate.h"

#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int pie_cli_isolated(const char *what, int (*run)(void *context), void *context)
{
    sigset_t waited, before;
    sigemptyset(&waited);
    sigaddset(&waited, SIGINT);
    sigaddset(&waited, SIGTERM);
    sigaddset(&waited, SIGCHLD);
    sigprocmask(SIG_BLOCK, &waited, &before);
    fflush(NULL);
    const pid_t parent = getpid(), pid = fork();
    if (pid < 0) {
        const pie_status status = pie_log_errno(&pie_log_stderr, "fork");
        sigprocmask(SIG_SETMASK, &before, NULL);
        return pie_exit_of(status);
    }
    if (pid == 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(PIE_EXIT_INSTALL);
        const int code = run(context);
        fflush(NULL);
        _exit(code);
    }
    /* An interrupt ends the child, not us: the caller has to clean up. */
    int status = 0, interrupt = 0;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        const int number = sigwaitinfo(&waited, NULL);
        if (number == SIGINT || number == SIGTERM) {
            interrupt = number;
            kill(pid, SIGKILL);
        }
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (interrupt)
        return 128 + interrupt;
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    const int number = WTERMSIG(status);
    if (number == SIGINT || number == SIGTERM || number == SIGPIPE) /* not of a plugin's making */
        return 128 + number;
    pie_log_error(&pie_log_stderr, "%s crashed (signal %d)", what, number);
    return PIE_EXIT_INSTALL;
}
