/* arena.h - memory that is given back all at once. */
#ifndef PIE_REPORT_ARENA_H
#define PIE_REPORT_ARENA_H

#include <stddef.h>

typedef struct pie_arena pie_arena;

pie_arena *pie_arena_new(void); /* NULL: no memory */
void pie_arena_free(pie_arena *arena);
/* Forget everything, keep some of the memory. */
void pie_arena_clear(pie_arena *arena);
/* @n items of @size bytes, zeroed, aligned for anything; never NULL unless memory is out (n = 0
 * too). */
void *pie_arena_take(pie_arena *arena, size_t n, size_t size);
/* Copy of @n bytes with a NUL behind. */
char *pie_arena_text(pie_arena *arena, const char *text, size_t n);

#endif
