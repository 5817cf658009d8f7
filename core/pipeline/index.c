/* index.c - open addressing, linear probing; keys are uniform, so their low bits are the hash. */
#include "pipeline/index.h"

#include <stdlib.h>
#include <string.h>

typedef struct pie_index_entry {
    pie_key key;
    pie_record_place place;
} pie_index_entry;

pie_status pie_key_of(const char *const *fields, size_t n, pie_key *ret_key)
{
    pie_hasher *hasher = NULL;
    pie_status status = pie_hasher_new(&hasher);
    if (status != PIE_OK)
        return status;
    for (size_t i = 0; i < n; i++)
        pie_hasher_text(hasher, fields[i]);
    pie_digest digest;
    status = pie_hasher_finish(hasher, &digest);
    pie_hasher_free(hasher);
    if (status != PIE_OK)
        return status;
    memcpy(ret_key->words, digest.bytes, sizeof ret_key->words);
    ret_key->words[0] |= 1; /* 0 marks a free entry */
    return PIE_OK;
}

static pie_index_entry *find(const pie_index *index, pie_key key)
{
    const size_t mask = index->capacity - 1;
    for (size_t i = (size_t)key.words[1] & mask;; i = (i + 1) & mask) {
        pie_index_entry *entry = &index->entries[i];
        if (entry->key.words[0] == 0 || memcmp(&entry->key, &key, sizeof key) == 0)
            return entry;
    }
}

pie_status pie_index_put(pie_index *index, pie_key key, pie_record_place place)
{
    if (2 * (index->n + 1) > index->capacity) {
        pie_index bigger = {.capacity = index->capacity ? 2 * index->capacity : 1024,
                            .n = index->n};
        bigger.entries = calloc(bigger.capacity, sizeof *bigger.entries);
        if (!bigger.entries)
            return PIE_ERR_NOMEM;
        for (size_t i = 0; i < index->capacity; i++)
            if (index->entries[i].key.words[0])
                *find(&bigger, index->entries[i].key) = index->entries[i];
        free(index->entries);
        *index = bigger;
    }
    pie_index_entry *entry = find(index, key);
    index->n += entry->key.words[0] == 0;
    *entry = (pie_index_entry){key, place};
    return PIE_OK;
}

bool pie_index_get(const pie_index *index, pie_key key, pie_record_place *ret_place)
{
    if (index->n == 0)
        return false;
    const pie_index_entry *entry = find(index, key);
    if (entry->key.words[0] == 0)
        return false;
    *ret_place = entry->place;
    return true;
}

void pie_index_free(pie_index *index)
{
    free(index->entries);
    *index = (pie_index){0};
}
