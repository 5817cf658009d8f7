/* landlock.c - by system call numbers: libc has no wrappers, and the installed header may be older
 * than the kernel, so the rights of newer versions are spelled out here. */
#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rights and scopes by the Landlock version that brought them. */
#define RIGHT_REFER (UINT64_C(1) << 13)     /* 2 */
#define RIGHT_TRUNCATE (UINT64_C(1) << 14)  /* 3 */
#define NET_BIND_CONNECT UINT64_C(3)        /* 4 */
#define RIGHT_IOCTL_DEV (UINT64_C(1) << 15) /* 5 */
#define SCOPE_SOCKET_SIGNAL UINT64_C(3)     /* 6: abstract sockets, signals to other domains */

#define RIGHTS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RIGHTS_EXECUTE LANDLOCK_ACCESS_FS_EXECUTE
#define RIGHTS_WRITE                                                                               \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                               \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |   \
     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM | RIGHT_REFER | RIGHT_TRUNCATE)
/* What a rule about something that is no folder may grant. */
#define RIGHTS_OF_A_FILE                                                                         \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | \
     RIGHT_TRUNCATE | RIGHT_IOCTL_DEV)

/* As the kernel's, with the members that the installed header may lack. */
typedef struct ruleset_attributes {
    uint64_t files, net, scoped;
} ruleset_attributes;

typedef struct path_right {
    const char *path;
    uint64_t rights;
} path_right;

/* Where compilers, their libraries and headers live. Absent ones are passed over. */
static const path_right system_paths[] = {
    {"/usr", RIGHTS_READ | RIGHTS_EXECUTE},
    {"/bin", RIGHTS_READ | RIGHTS_EXECUTE},
    {"/lib", RIGHTS_READ | RIGHTS_EXECUTE},
    {"/lib32", RIGHTS_READ | RIGHTS_EXECUTE},
    {"/lib64", RIGHTS_READ | RIGHTS_EXECUTE},
    {"/etc/ld.so.cache", LANDLOCK_ACCESS_FS_READ_FILE},
    {"/dev/null", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE},
    {"/dev/urandom", LANDLOCK_ACCESS_FS_READ_FILE},
    {NULL, 0}};

int pie_landlock_version(void)
{
    const long version =
        syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version > 0 ? (int)version : 0;
}

static pie_status allow(int rules_fd, const char *path, uint64_t rights, bool optional,
                        const pie_log *log)
{
    pie_status status = PIE_OK;
    const int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        if (optional && (errno == ENOENT || errno == EACCES))
            return PIE_OK;
        return pie_log_errno(log, path);
    }
    struct stat info;
    if (fstat(fd, &info) == 0 && !S_ISDIR(info.st_mode))
        rights &= RIGHTS_OF_A_FILE;
    const struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};
    if (syscall(SYS_landlock_add_rule, rules_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
        status = pie_log_errno(log, path);
    close(fd);
    return status;
}

pie_status pie_landlock_rules(const pie_sandbox_spec *spec, const pie_log *log, int *ret_fd)
{
    const int version = pie_landlock_version();
    if (version == 0) {
        *ret_fd = -1;
        return PIE_OK;
    }
    const bool tool = spec->policy == PIE_SANDBOX_TOOL;
    uint64_t handled = RIGHTS_WRITE | (tool ? RIGHTS_READ | RIGHTS_EXECUTE : 0);
    if (version >= 5)
        handled |= RIGHT_IOCTL_DEV;
    if (version < 3)
        handled &= ~RIGHT_TRUNCATE;
    if (version < 2)
        handled &= ~RIGHT_REFER;
    const ruleset_attributes attributes = {.files = handled,
                                           .net = version >= 4 ? NET_BIND_CONNECT : 0,
                                           .scoped = version >= 6 ? SCOPE_SOCKET_SIGNAL : 0};
    const size_t size = version >= 6   ? sizeof attributes
                        : version >= 4 ? 2 * sizeof attributes.files
                                       : sizeof attributes.files;
    const int rules = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
    if (rules < 0)
        return pie_log_errno(log, "sandbox: landlock_create_ruleset");
    pie_status status = PIE_OK;
    if (tool) { /* a guest gets no rule at all: it changes no file */
        for (const path_right *at = system_paths; status == PIE_OK && at->path; at++)
            status = allow(rules, at->path, at->rights & handled, true, log);
        for (const char *const *at = spec->read_only_dirs; status == PIE_OK && at && *at; at++)
            status = allow(rules, *at, (RIGHTS_READ | RIGHTS_EXECUTE) & handled, false, log);
        if (status == PIE_OK && spec->work_dir)
            status = allow(rules, spec->work_dir, handled & ~RIGHT_IOCTL_DEV, false, log);
    }
    if (status == PIE_OK)
        *ret_fd = rules;
    else
        close(rules);
    return status;
}

int pie_landlock_enter(int rules_fd)
{
    return (int)syscall(SYS_landlock_restrict_self, rules_fd, 0);
}
