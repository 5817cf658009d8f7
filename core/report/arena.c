/* arena.c - see arena.h */
#include "report/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 1 << 18, ALIGNMENT = 16 };

typedef struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(ALIGNMENT) char bytes[];
} chunk;

struct pie_arena {
    chunk *chunks; /* the one that is being filled comes first */
};

pie_arena *pie_arena_new(void)
{
    return calloc(1, sizeof(pie_arena));
}

void pie_arena_free(pie_arena *arena)
{
    if (!arena)
        return;
    while (arena->chunks) {
        chunk *one = arena->chunks;
        arena->chunks = one->next;
        free(one);
    }
    free(arena);
}

void pie_arena_clear(pie_arena *arena)
{
    while (arena->chunks && arena->chunks->next) {
        chunk *one = arena->chunks;
        arena->chunks = one->next;
        free(one);
    }
    if (arena->chunks)
        arena->chunks->used = 0;
}

void *pie_arena_take(pie_arena *arena, size_t n, size_t size)
{
    if (size && n > (SIZE_MAX - sizeof(chunk) - 2 * (size_t)ALIGNMENT) / size)
        return NULL;
    const size_t bytes = (n * size + ALIGNMENT) & ~(size_t)(ALIGNMENT - 1);
    chunk *head = arena->chunks;
    if (!head || head->size - head->used < bytes) {
        const size_t capacity = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
        head = malloc(sizeof *head + capacity);
        if (!head)
            return NULL;
        *head = (chunk){.next = arena->chunks, .size = capacity};
        arena->chunks = head;
    }
    void *taken = head->bytes + head->used;
    head->used += bytes;
    return memset(taken, 0, bytes);
}

char *pie_arena_text(pie_arena *arena, const char *text, size_t n)
{
    char *copy = n < SIZE_MAX ? pie_arena_take(arena, n + 1, 1) : NULL;
    if (copy && n)
        memcpy(copy, text, n);
    return copy;
}
