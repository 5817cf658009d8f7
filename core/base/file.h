/* file.h - whole files and folders. Paths are as given; messages name them. */
#ifndef PIE_BASE_FILE_H
#define PIE_BASE_FILE_H

#include "base/buf.h"
#include "base/log.h"

#include <sys/types.h>

/* Append the whole file to @buf. PIE_ERR_IO (logged; also for a folder), PIE_ERR_LIMIT when longer
 * than @max_bytes (logged), PIE_ERR_NOMEM. */
pie_status pie_file_read(const char *path, size_t max_bytes, const pie_log *log, pie_buf *buf);
pie_status pie_file_read_fd(int fd, const char *name, size_t max_bytes, const pie_log *log,
                            pie_buf *buf);
/* Write a new version of @path: to a temporary file beside it, synced, then renamed over it. */
pie_status pie_file_replace(const char *path, const void *bytes, size_t n, const pie_log *log);
/* All bytes, through short writes and EINTR. PIE_ERR_IO with errno set. */
pie_status pie_write_all(int fd, const void *bytes, size_t n);
/* Make the folder and its parents; present is fine. */
pie_status pie_folder_make(const char *path, const pie_log *log);
/* Remove a folder and all in it, never following symbolic links. Absent is fine. */
pie_status pie_folder_remove(const char *path, const pie_log *log);
/* "FOLDER/NAME" in fresh memory, or @name alone when it is absolute or @folder is NULL or "". */
char *pie_path_join(const char *folder, const char *name);
/* Folder of the running executable, in fresh memory; NULL: unknown. */
char *pie_path_of_executable(void);
/* First executable file called @name on PATH, in fresh memory; @name with a slash is tried as it
 * is. NULL: not there. */
char *pie_path_find_program(const char *name);
/* A memfd with @n bytes, sealed against change unless @writable; offset 0. -1 with errno. */
int pie_memfd(const char *name, const void *bytes, size_t n, bool writable);

#endif
