/* index.h - 128-bit key to the place of a record. 32 bytes an entry with the slack of the table. */
#ifndef PIE_PIPELINE_INDEX_H
#define PIE_PIPELINE_INDEX_H

#include "base/digest.h"
#include "store/store.h"

typedef struct pie_key {
    uint64_t words[2]; /* the head of a SHA-256; never both 0 */
} pie_key;

/* Key over @n fields (NULL is a field too). PIE_ERR_NOMEM. */
pie_status pie_key_of(const char *const *fields, size_t n, pie_key *ret_key);

/* All zero is an empty index. */
typedef struct pie_index {
    struct pie_index_entry *entries;
    size_t capacity, n;
} pie_index;

/* The newest place of a key counts. PIE_ERR_NOMEM. */
pie_status pie_index_put(pie_index *index, pie_key key, pie_record_place place);
bool pie_index_get(const pie_index *index, pie_key key, pie_record_place *ret_place);
void pie_index_free(pie_index *index);

#endif
