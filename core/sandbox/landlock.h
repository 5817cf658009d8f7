/* landlock.h - which files a process may touch, where the kernel has Landlock. Private to the
 * sandbox. */
#ifndef PIE_SANDBOX_LANDLOCK_H
#define PIE_SANDBOX_LANDLOCK_H

#include "sandbox/sandbox.h"

/* Version of the kernel's Landlock, 0 = none. */
int pie_landlock_version(void);

/* Rules of @spec's policy as a descriptor for pie_landlock_enter(); -1 when the kernel has none
 * (then PIE_OK). A folder of the spec that does not exist is PIE_ERR_IO, logged. The caller closes
 * it. */
pie_status pie_landlock_rules(const pie_sandbox_spec *spec, const pie_log *log, int *ret_fd);

/* In the child, after PR_SET_NO_NEW_PRIVS: 0, or -1 with errno. Async-signal-safe. */
int pie_landlock_enter(int rules_fd);

#endif
