/* file.c */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REMOVE_TRIES = 50 };

pie_status pie_file_read_fd(int fd, const char *name, size_t max_bytes, const pie_log *log,
                            pie_buf *buf)
{
    const size_t start = buf->n;
    struct stat info;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0 &&
        (uint64_t)info.st_size <= max_bytes && pie_buf_reserve(buf, (size_t)info.st_size) != PIE_OK)
        return pie_log_nomem(log);
    for (;;) {
        if (pie_buf_reserve(buf, 65536) != PIE_OK)
            return pie_log_nomem(log);
        const ssize_t n = read(fd, buf->data + buf->n, buf->capacity - buf->n - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pie_log_errno(log, name);
        if (n == 0)
            break;
        buf->n += (size_t)n;
        buf->data[buf->n] = '\0';
        if (buf->n - start > max_bytes) {
            pie_log_error(log, "%s: longer than %zu bytes", name, max_bytes);
            return PIE_ERR_LIMIT;
        }
    }
    return PIE_OK;
}

pie_status pie_file_read(const char *path, size_t max_bytes, const pie_log *log, pie_buf *buf)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return pie_log_errno(log, path);
    const pie_status status = pie_file_read_fd(fd, path, max_bytes, log, buf);
    close(fd);
    return status;
}

pie_status pie_write_all(int fd, const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n > 0) {
        const ssize_t done = write(fd, at, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return PIE_ERR_IO;
        at += done;
        n -= (size_t)done;
    }
    return PIE_OK;
}

pie_status pie_file_replace(const char *path, const void *bytes, size_t n, const pie_log *log)
{
    char *temporary = pie_strf("%s.XXXXXX", path);
    if (!temporary)
        return pie_log_nomem(log);
    pie_status status = PIE_OK;
    const int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        status = pie_log_errno(log, path);
        free(temporary);
        return status;
    }
    if (pie_write_all(fd, bytes, n) != PIE_OK || fchmod(fd, 0644) != 0 || fsync(fd) != 0)
        status = pie_log_errno(log, path);
    if (close(fd) != 0 && status == PIE_OK)
        status = pie_log_errno(log, path);
    if (status == PIE_OK && rename(temporary, path) != 0)
        status = pie_log_errno(log, path);
    if (status != PIE_OK)
        unlink(temporary);
    free(temporary);
    return status;
}

pie_status pie_folder_make(const char *path, const pie_log *log)
{
    char *copy = strdup(path);
    if (!copy)
        return pie_log_nomem(log);
    pie_status status = PIE_OK;
    for (char *at = copy + 1; status == PIE_OK && *copy; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        const char saved = *at;
        *at = '\0';
        struct stat info;
        if (mkdir(copy, 0777) != 0 && errno != EEXIST)
            status = pie_log_errno(log, copy);
        else if (saved == '\0' && stat(copy, &info) == 0 && !S_ISDIR(info.st_mode)) {
            errno = ENOTDIR;
            status = pie_log_errno(log, copy);
        }
        *at = saved;
        if (saved == '\0')
            break;
    }
    free(copy);
    return status;
}

/* Removes what is in the folder open at @fd, which it closes. */
static pie_status empty_folder(int fd)
{
    DIR *folder = fdopendir(fd);
    if (!folder) {
        close(fd);
        return PIE_ERR_IO;
    }
    pie_status status = PIE_OK;
    for (const struct dirent *entry; status == PIE_OK && (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(fd, entry->d_name, 0) == 0)
            continue;
        const int inner =
            openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (inner < 0)
            status = PIE_ERR_IO;
        else {
            fchmod(inner, 0700);
            status = empty_folder(inner);
        }
        if (status == PIE_OK && unlinkat(fd, entry->d_name, AT_REMOVEDIR) != 0 && errno != ENOENT)
            status = PIE_ERR_IO;
    }
    const int saved = errno;
    closedir(folder);
    errno = saved;
    return status;
}

pie_status pie_folder_remove(const char *path, const pie_log *log)
{
    for (int tries = 1;; tries++) {
        const int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return errno == ENOENT ? PIE_OK : pie_log_errno(log, path);
        if (empty_folder(fd) == PIE_OK && rmdir(path) == 0)
            return PIE_OK;
        /* A process that is being killed may still have put something there. */
        if (errno != ENOTEMPTY || tries == REMOVE_TRIES)
            return pie_log_errno(log, path);
        usleep(10000);
    }
}

char *pie_path_join(const char *folder, const char *name)
{
    if (!folder || !*folder || name[0] == '/')
        return strdup(name);
    const size_t n = strlen(folder);
    return pie_strf("%s%s%s", folder, folder[n - 1] == '/' ? "" : "/", name);
}

char *pie_path_of_executable(void)
{
    char path[4096];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0)
        return NULL;
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    if (!slash)
        return NULL;
    *slash = '\0';
    return strdup(path);
}

static bool is_executable(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0;
}

char *pie_path_find_program(const char *name)
{
    if (strchr(name, '/'))
        return is_executable(name) ? strdup(name) : NULL;
    const char *path = getenv("PATH");
    if (!path || !*path)
        path = "/usr/local/bin:/usr/bin:/bin";
    for (const char *at = path;;) {
        const char *end = strchr(at, ':');
        const size_t n = end ? (size_t)(end - at) : strlen(at);
        char *full = n ? pie_strf("%.*s/%s", (int)n, at, name) : NULL;
        if (full && full[0] == '/' && is_executable(full))
            return full;
        free(full);
        if (!end)
            return NULL;
        at = end + 1;
    }
}

int pie_memfd(const char *name, const void *bytes, size_t n, bool writable)
{
    const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    if (pie_write_all(fd, bytes, n) != PIE_OK || lseek(fd, 0, SEEK_SET) != 0 ||
        (!writable &&
         fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)) {
        const int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}
