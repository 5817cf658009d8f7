/* digest.h - SHA-256 (libcrypto). A digest over several fields takes each with its length in front,
 * so that no two lists of fields give the same bytes. */
#ifndef PIE_BASE_DIGEST_H
#define PIE_BASE_DIGEST_H

#include "pie/plugin.h"

enum { PIE_DIGEST_BYTES = 32, PIE_DIGEST_HEX = 65 /* with NUL */ };

typedef struct pie_digest {
    uint8_t bytes[PIE_DIGEST_BYTES];
} pie_digest;

typedef struct pie_hasher pie_hasher;

/* PIE_ERR_NOMEM. Freed by pie_hasher_free (NULL is allowed). */
pie_status pie_hasher_new(pie_hasher **ret_hasher);
void pie_hasher_free(pie_hasher *hasher);
/* One field: 8 bytes of length (little endian), then the bytes. */
void pie_hasher_field(pie_hasher *hasher, const void *bytes, size_t n);
void pie_hasher_text(pie_hasher *hasher,
                     const char *text); /* NULL counts as a field of its own kind */
void pie_hasher_u64(pie_hasher *hasher, uint64_t value);
/* Bytes without a length, for streaming one long field. */
void pie_hasher_raw(pie_hasher *hasher, const void *bytes, size_t n);
/* PIE_ERR_NOMEM if any step failed. The hasher is fresh again afterwards. */
pie_status pie_hasher_finish(pie_hasher *hasher, pie_digest *ret_digest);

/* Plain SHA-256 of a run of bytes: what sha256sum prints. */
pie_status pie_digest_bytes(const void *bytes, size_t n, pie_digest *ret_digest);
/* Plain SHA-256 of a file from its start; the descriptor's offset is left alone. */
pie_status pie_digest_fd(int fd, pie_digest *ret_digest);

void pie_digest_hex(const pie_digest *digest, char ret_hex[PIE_DIGEST_HEX]);
/* PIE_ERR_DATA unless @hex is exactly 64 hex digits. */
pie_status pie_digest_parse(const char *hex, pie_digest *ret_digest);

#endif
