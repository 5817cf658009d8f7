/* store.h - the run folder: append-only records, content-addressed blobs.
 *
 *   RUN/run.cfg      the resolved configuration (read-only after the start)
 *   RUN/seg/<writer> one record a line: JSON object, TAB, checksum (xxh64 of the object's bytes,
 * hex) RUN/blob/xx/<sha256>  sources, replies, diagnostics; records carry digests
 *
 * Writers never share a file, readers never lock: merging is copying files together. A line whose
 * checksum is wrong (a torn last line of a crash) is dropped, and its work is done again. */
#ifndef PIE_STORE_H
#define PIE_STORE_H

#include "base/buf.h"
#include "base/digest.h"
#include "base/log.h"

#include <jansson.h>
#include <stdbool.h>

typedef struct pie_store pie_store;

/* @create: make the folder if it is not there. PIE_ERR_IO, PIE_ERR_NOMEM; PIE_ERR_CONFIG: @path
 * exists and is no run folder (not empty, no run.cfg). Does not read records. */
pie_status pie_store_open(const char *path, bool create, const pie_log *log, pie_store **ret_store);
void pie_store_close(pie_store *store);
const char *pie_store_path(const pie_store *store);

/* ---- records ---- */

/* Where a record stands. */
typedef struct pie_record_place {
    uint64_t offset;
    uint32_t segment; /* index in name order */
    uint32_t bytes;   /* of the JSON object */
} pie_record_place;

typedef struct pie_store_writer pie_store_writer;
/* A new segment file; @name is a hint, made unique. */
pie_status pie_store_writer_new(pie_store *store, const char *name, pie_store_writer **ret_writer);
/* One write(2) per record. @record is borrowed. On PIE_ERR_IO (disk full: logged) nothing of the
 * record will be read. *@ret_place may be NULL; valid until the next scan. */
pie_status pie_store_append(pie_store_writer *writer, const json_t *record,
                            pie_record_place *ret_place);
void pie_store_writer_close(pie_store_writer *writer);

/* All intact records, segments in name order. @visit gets the record's text (not NUL-terminated)
 * and its place; a status other than PIE_OK stops and is returned. *@ret_torn = lines dropped (may
 * be NULL). */
pie_status pie_store_scan(pie_store *store,
                          pie_status (*visit)(void *context, const char *text, size_t n,
                                              const pie_record_place *place),
                          void *context, size_t *ret_torn);
/* Read one record again; new reference. PIE_ERR_DATA if it changed. Places are those of the last
 * scan. */
pie_status pie_store_read(pie_store *store, const pie_record_place *place, json_t **ret_record);
/* Its bytes as they stand in the file, appended. */
pie_status pie_store_read_text(pie_store *store, const pie_record_place *place, pie_buf *buf);
/* Path of a segment of the last scan, NULL if there is none. */
const char *pie_store_segment(const pie_store *store, uint32_t segment);

/* ---- blobs ---- */
/* Idempotent; synced by rename. @ret_digest may be NULL. */
pie_status pie_store_put(pie_store *store, const void *bytes, size_t n, pie_digest *ret_digest);
pie_status pie_store_get(pie_store *store, const char *hex, const pie_log *log, pie_buf *buf);

#endif
