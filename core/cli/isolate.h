/* isolate.h - run a part of a command that has plugin code in it in a child process, so that a
 * crash is one line and an exit code. */
#ifndef PIE_CLI_ISOLATE_H
#define PIE_CLI_ISOLATE_H

/* Forks, returns what @run returned in the child. A child that dies of a signal: one line that
 * names
 * @what, PIE_EXIT_INSTALL. An interrupt ends the child and gives 130 or 143. */
int pie_cli_isolated(const char *what, int (*run)(void *context), void *context);

#endif
