/* store.c - see store.h. Everything is plain files, so that a run folder can be copied, merged and
 * looked at with ordinary tools. */
#include "store/store.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum {
    CHECKSUM_BYTES = 17, /* TAB and 16 hex digits */
    RECORD_MAX_BYTES = 256 << 20,
    SCAN_WINDOW_BYTES = 16 << 20,
    BLOB_MAX_BYTES = 1 << 30
};

struct pie_store {
    char *path;
    const pie_log *log;
    char **segments; /* names in order, of the last scan */
    size_t n_segments;
};

struct pie_store_writer {
    pie_store *store;
    char *path;
    int fd;
    uint32_t segment;
    off_t end; /* of what is written */
    bool torn; /* there are bytes of a failed write before @end */
};

static pie_status in_store(const pie_store *store, const char *name, char **ret_path)
{
    char *path = pie_path_join(store->path, name);
    if (!path)
        return pie_log_nomem(store->log);
    *ret_path = path;
    return PIE_OK;
}

/* Nothing stands in the folder but what pie puts there: a run that was killed before it had written
 * its run.cfg is no stranger's folder. */
static bool is_ours(const char *path)
{
    static const char *const names[] = {".", "..", "seg", "blob", "tmp", "run.cfg", "run.json"};
    DIR *folder = opendir(path);
    if (!folder)
        return false;
    bool ours = true;
    for (const struct dirent *entry; ours && (entry = readdir(folder));) {
        ours = false;
        for (size_t i = 0; !ours && i < sizeof names / sizeof *names; i++)
            ours = strcmp(entry->d_name, names[i]) == 0;
        /* run.cfg.XXXXXX of an interrupted replacement */
        ours = ours || strncmp(entry->d_name, "run.", 4) == 0;
    }
    closedir(folder);
    return ours;
}

/* A run folder has a run.cfg; an empty folder may become one. */
static pie_status check_folder(const char *path, bool create, const pie_log *log)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        if (errno != ENOENT || !create)
            return errno == ENOENT
                       ? (pie_log_error(log, "%s: no such run folder", path), PIE_ERR_CONFIG)
                       : pie_log_errno(log, path);
        return pie_folder_make(path, log);
    }
    if (!S_ISDIR(info.st_mode)) {
        pie_log_error(log, "%s: not a folder", path);
        return PIE_ERR_CONFIG;
    }
    char *config = pie_path_join(path, "run.cfg");
    if (!config)
        return pie_log_nomem(log);
    const bool is_run = access(config, F_OK) == 0;
    free(config);
    if (is_run || (create && is_ours(path)))
        return PIE_OK;
    pie_log_error(log, "%s: not a run folder (it has no run.cfg)%s", path,
                  create ? "; choose another --out" : "");
    return PIE_ERR_CONFIG;
}

pie_status pie_store_open(const char *path, bool create, const pie_log *log, pie_store **ret_store)
{
    pie_status status = check_folder(path, create, log);
    if (status != PIE_OK)
        return status;
    pie_store *store = calloc(1, sizeof *store);
    if (store)
        store->path = strdup(path);
    if (!store || !store->path) {
        free(store);
        return pie_log_nomem(log);
    }
    store->log = log;
    static const char *const folders[] = {"seg", "blob"};
    for (size_t i = 0; create && status == PIE_OK && i < 2; i++) {
        char *folder = NULL;
        status = in_store(store, folders[i], &folder);
        if (status == PIE_OK)
            status = pie_folder_make(folder, log);
        free(folder);
    }
    if (status == PIE_OK)
        *ret_store = store;
    else
        pie_store_close(store);
    return status;
}

static void forget_segments(pie_store *store)
{
    for (size_t i = 0; i < store->n_segments; i++)
        free(store->segments[i]);
    free(store->segments);
    store->segments = NULL;
    store->n_segments = 0;
}

void pie_store_close(pie_store *store)
{
    if (!store)
        return;
    forget_segments(store);
    free(store->path);
    free(store);
}

const char *pie_store_path(const pie_store *store)
{
    return store->path;
}

/* ---- records ---- */

/* Takes @path over. */
static pie_status add_segment(pie_store *store, char *path)
{
    char **grown = path ? realloc(store->segments, (store->n_segments + 1) * sizeof *grown) : NULL;
    if (!grown) {
        free(path);
        return pie_log_nomem(store->log);
    }
    store->segments = grown;
    store->segments[store->n_segments++] = path;
    return PIE_OK;
}

pie_status pie_store_writer_new(pie_store *store, const char *name, pie_store_writer **ret_writer)
{
    pie_store_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return pie_log_nomem(store->log);
    writer->store = store;
    writer->fd = -1;
    /* Random names, so that the folders of several machines can be copied together. */
    uint64_t unique = 0;
    if (getrandom(&unique, sizeof unique, 0) != (ssize_t)sizeof unique)
        unique = (uint64_t)getpid();
    writer->path = pie_strf("%s/seg/%s-%016" PRIx64, store->path, name, unique);
    pie_status status = PIE_OK;
    if (!writer->path)
        status = pie_log_nomem(store->log);
    else {
        writer->fd = open(writer->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (writer->fd < 0)
            status = pie_log_errno(store->log, writer->path);
        else
            status = add_segment(store, strdup(writer->path));
        writer->segment = (uint32_t)store->n_segments - 1;
    }
    if (status == PIE_OK)
        *ret_writer = writer;
    else
        pie_store_writer_close(writer);
    return status;
}

pie_status pie_store_append(pie_store_writer *writer, const json_t *record,
                            pie_record_place *ret_place)
{
    const pie_log *log = writer->store->log;
    char *text = json_dumps(record, JSON_COMPACT | JSON_REAL_PRECISION(17));
    if (!text)
        return pie_log_nomem(log);
    const size_t n = strlen(text);
    char *line = pie_strf("%s%s\t%016" PRIx64 "\n", writer->torn ? "\n" : "", text,
                          (uint64_t)XXH64(text, n, 0));
    free(text);
    if (!line)
        return pie_log_nomem(log);
    const size_t n_line = strlen(line);
    const pie_record_place place = {(uint64_t)writer->end + (writer->torn ? 1 : 0), writer->segment,
                                    (uint32_t)n};
    pie_status status = PIE_OK;
    if (pie_write_all(writer->fd, line, n_line) != PIE_OK) {
        status = pie_log_errno(log, writer->path);
        /* Take the torn bytes back; if even that fails the next record starts on a line of its own.
         */
        if (ftruncate(writer->fd, writer->end) != 0 ||
            lseek(writer->fd, writer->end, SEEK_SET) != writer->end) {
            writer->torn = true;
            writer->end = lseek(writer->fd, 0, SEEK_END);
        }
    } else {
        writer->end = lseek(writer->fd, 0, SEEK_CUR);
        writer->torn = false;
        if (ret_place)
            *ret_place = place;
    }
    free(line);
    return status;
}

void pie_store_writer_close(pie_store_writer *writer)
{
    if (!writer)
        return;
    if (writer->fd >= 0)
        close(writer->fd);
    if (writer->end == 0 && writer->fd >= 0)
        unlink(writer->path); /* nothing was written */
    free(writer->path);
    free(writer);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static pie_status list_segments(pie_store *store)
{
    forget_segments(store);
    char *path = NULL;
    pie_status status = in_store(store, "seg", &path);
    if (status != PIE_OK)
        return status;
    DIR *folder = opendir(path);
    if (!folder) {
        status = errno == ENOENT ? PIE_OK : pie_log_errno(store->log, path);
        free(path);
        return status;
    }
    for (const struct dirent *entry; status == PIE_OK && (entry = readdir(folder));)
        if (entry->d_name[0] != '.')
            status = add_segment(store, pie_strf("%s/%s", path, entry->d_name));
    closedir(folder);
    free(path);
    if (store->n_segments)
        qsort(store->segments, store->n_segments, sizeof *store->segments, by_name);
    return status;
}

/* The JSON part of a line, if its checksum holds. */
static bool check_line(const char *line, size_t n, size_t *ret_n_json)
{
    if (n <= CHECKSUM_BYTES || line[n - CHECKSUM_BYTES] != '\t')
        return false;
    const size_t n_json = n - CHECKSUM_BYTES;
    char want[CHECKSUM_BYTES];
    snprintf(want, sizeof want, "%016" PRIx64, (uint64_t)XXH64(line, n_json, 0));
    if (memcmp(want, line + n_json + 1, sizeof want - 1) != 0)
        return false;
    *ret_n_json = n_json;
    return true;
}

typedef pie_status visit_function(void *context, const char *text, size_t n,
                                  const pie_record_place *place);

static pie_status scan_segment(pie_store *store, uint32_t segment, visit_function *visit,
                               void *context, size_t *torn)
{
    const char *path = store->segments[segment];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return pie_log_errno(store->log, path);
    struct stat info;
    pie_status status = PIE_OK;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0) {
        close(fd);
        return PIE_OK;
    }
    const size_t size = (size_t)info.st_size;
    /* Private, so that a file that grows meanwhile changes nothing below. */
    const char *text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (text == MAP_FAILED)
        return pie_log_errno(store->log, path);
    madvise((void *)(uintptr_t)text, size, MADV_SEQUENTIAL);
    size_t kept = 0; /* where the part begins that may be in memory */
    for (size_t at = 0; status == PIE_OK && at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        const size_t n = end ? (size_t)(end - (text + at)) : size - at;
        size_t n_json = 0;
        if (end && n <= RECORD_MAX_BYTES && check_line(text + at, n, &n_json)) {
            const pie_record_place place = {at, segment, (uint32_t)n_json};
            status = visit(context, text + at, n_json, &place);
        } else if (n > 0) {
            (*torn)++;
        }
        at += n + 1;
        if (at - kept > SCAN_WINDOW_BYTES) { /* what is behind need not stay in memory */
            const size_t behind = at / SCAN_WINDOW_BYTES * SCAN_WINDOW_BYTES;
            madvise((void *)(uintptr_t)text, behind < size ? behind : size, MADV_DONTNEED);
            kept = behind;
        }
    }
    munmap((void *)(uintptr_t)text, size);
    return status;
}

pie_status pie_store_scan(pie_store *store, visit_function *visit, void *context, size_t *ret_torn)
{
    size_t torn = 0;
    pie_status status = list_segments(store);
    for (size_t i = 0; status == PIE_OK && i < store->n_segments; i++)
        status = scan_segment(store, (uint32_t)i, visit, context, &torn);
    if (status == PIE_OK && ret_torn)
        *ret_torn = torn;
    return status;
}

const char *pie_store_segment(const pie_store *store, uint32_t segment)
{
    return segment < store->n_segments ? store->segments[segment] : NULL;
}

static pie_status changed(const pie_store *store, const pie_record_place *place)
{
    pie_log_error(store->log, "%s: the record at byte %" PRIu64 " has changed",
                  pie_store_segment(store, place->segment), place->offset);
    return PIE_ERR_DATA;
}

pie_status pie_store_read_text(pie_store *store, const pie_record_place *place, pie_buf *buf)
{
    const char *path = pie_store_segment(store, place->segment);
    if (!path)
        return PIE_ERR_DATA;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return pie_log_errno(store->log, path);
    pie_status status = PIE_OK;
    if (pie_buf_reserve(buf, place->bytes) != PIE_OK)
        status = pie_log_nomem(store->log);
    for (size_t done = 0; status == PIE_OK && done < place->bytes;) {
        const ssize_t n = pread(fd, buf->data + buf->n + done, place->bytes - done,
                                (off_t)(place->offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            status = pie_log_errno(store->log, path);
        else if (n == 0)
            status = changed(store, place);
        done += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    if (status == PIE_OK) {
        buf->n += place->bytes;
        buf->data[buf->n] = '\0';
    }
    return status;
}

pie_status pie_store_read(pie_store *store, const pie_record_place *place, json_t **ret_record)
{
    pie_buf text = {0};
    pie_status status = pie_store_read_text(store, place, &text);
    if (status == PIE_OK) {
        json_t *record = json_loadb(pie_buf_text(&text), text.n, JSON_ALLOW_NUL, NULL);
        if (record)
            *ret_record = record;
        else
            status = changed(store, place);
    }
    pie_buf_free(&text);
    return status;
}

/* ---- blobs ---- */

pie_status pie_store_put(pie_store *store, const void *bytes, size_t n, pie_digest *ret_digest)
{
    pie_digest digest;
    struct stat info;
    pie_status status = pie_digest_bytes(bytes, n, &digest);
    if (status != PIE_OK)
        return pie_log_nomem(store->log);
    char hex[PIE_DIGEST_HEX];
    pie_digest_hex(&digest, hex);
    char *folder = pie_strf("%s/blob/%.2s", store->path, hex);
    char *path = folder ? pie_strf("%s/%s", folder, hex) : NULL;
    char *temporary = path ? pie_strf("%s.XXXXXX", path) : NULL;
    if (!temporary)
        status = pie_log_nomem(store->log);
    /* A file of another size is what a power cut left of it. */
    else if (stat(path, &info) != 0 || (uint64_t)info.st_size != n) {
        if (mkdir(folder, 0777) != 0 && errno != EEXIST)
            status = pie_log_errno(store->log, folder);
        const int fd = status == PIE_OK ? mkostemp(temporary, O_CLOEXEC) : -1;
        if (status == PIE_OK && fd < 0)
            status = pie_log_errno(store->log, temporary);
        if (fd >= 0) {
            /* No fsync: the rename orders it against a killed process, and content is checked when
             * it is read; a power cut costs at most a sample that is done again. */
            if (pie_write_all(fd, bytes, n) != PIE_OK || fchmod(fd, 0644) != 0 ||
                rename(temporary, path) != 0) {
                status = pie_log_errno(store->log, path);
                unlink(temporary);
            }
            close(fd);
        }
    }
    if (status == PIE_OK && ret_digest)
        *ret_digest = digest;
    free(temporary);
    free(path);
    free(folder);
    return status;
}

pie_status pie_store_get(pie_store *store, const char *hex, const pie_log *log, pie_buf *buf)
{
    pie_digest want, have;
    if (pie_digest_parse(hex, &want) != PIE_OK) {
        pie_log_error(log, "'%.80s' is no digest", hex);
        return PIE_ERR_DATA;
    }
    char *path = pie_strf("%s/blob/%.2s/%s", store->path, hex, hex);
    if (!path)
        return pie_log_nomem(log);
    const size_t start = buf->n;
    pie_status status = pie_file_read(path, BLOB_MAX_BYTES, log, buf);
    if (status == PIE_OK)
        status = pie_digest_bytes(buf->data + start, buf->n - start, &have);
    if (status == PIE_OK && memcmp(&want, &have, sizeof want) != 0) {
        pie_log_error(log, "%s: the content does not match its name", path);
        status = PIE_ERR_DATA;
    }
    free(path);
    return status;
}
