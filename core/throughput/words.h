/* words.h - a growable run of words: a stream under construction. */
#ifndef PIE_THROUGHPUT_WORDS_H
#define PIE_THROUGHPUT_WORDS_H

#include "pie/trace.h"

#include <stdlib.h>
#include <string.h>

/* All zero is an empty one; free(words) in the end. */
typedef struct pie_words {
    uint64_t *words;
    size_t n, capacity;
} pie_words;

/* Room for @n more words, which the caller writes. NULL: no memory. */
static inline uint64_t *pie_words_extend(pie_words *list, size_t n)
{
    if (list->capacity - list->n < n) {
        const size_t capacity = (list->n + n) * 2;
        uint64_t *words = realloc(list->words, capacity * sizeof *words);
        if (!words)
            return NULL;
        list->words = words;
        list->capacity = capacity;
    }
    uint64_t *words = list->words + list->n;
    list->n += n;
    return words;
}

/* A DESCRIBE record for @block under the id @id. False: no memory. */
static inline int pie_words_describe(pie_words *list, const pie_block *block, uint32_t id)
{
    const size_t n = 1 + (block->size + 7u) / 8u;
    uint64_t *words = pie_words_extend(list, n);
    if (!words)
        return 0;
    words[0] = pie_record_header(PIE_RECORD_DESCRIBE, (uint32_t)n, id);
    words[n - 1] = 0;
    memcpy(words + 1, block, block->size);
    memcpy((char *)(words + 1) + offsetof(pie_block, id), &id, sizeof id);
    return 1;
}

#endif
