/* ranges.c - see ranges.h. Linear shifts: a guest has few ranges, merged ones count once. */
#include "ranges.h"

#include <stdlib.h>
#include <string.h>

/* Index of the first range that ends at or after @address. */
static size_t find(const ranges *set, uint64_t address)
{
    size_t low = 0, high = set->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (set->items[middle].end < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Room for two more, so that add and remove cannot fail halfway. */
static bool reserve(ranges *set)
{
    if (set->n + 2 <= set->capacity)
        return true;
    const size_t capacity = set->capacity ? set->capacity * 2 : 64;
    range *items = realloc(set->items, capacity * sizeof *items);
    if (!items)
        return false;
    set->items = items;
    set->capacity = capacity;
    return true;
}

/* Replace @n_old ranges at @at by @n_new. */
static void splice(ranges *set, size_t at, size_t n_old, const range *new_items, size_t n_new)
{
    memmove(set->items + at + n_new, set->items + at + n_old,
            (set->n - at - n_old) * sizeof *set->items);
    if (n_new)
        memcpy(set->items + at, new_items, n_new * sizeof *new_items);
    set->n = set->n - n_old + n_new;
}

uint64_t ranges_overlap(const ranges *set, uint64_t start, uint64_t end)
{
    uint64_t total = 0;
    for (size_t i = find(set, start); i < set->n && set->items[i].start < end; i++) {
        const range *r = &set->items[i];
        const uint64_t from = r->start > start ? r->start : start;
        const uint64_t to = r->end < end ? r->end : end;
        if (to > from)
            total += to - from;
    }
    return total;
}

bool ranges_add(ranges *set, uint64_t start, uint64_t end)
{
    if (start >= end)
        return true;
    if (!reserve(set))
        return false;
    set->total += end - start - ranges_overlap(set, start, end);
    const size_t first = find(set, start);
    range merged = {start, end};
    size_t n_old = 0;
    while (first + n_old < set->n && set->items[first + n_old].start <= end) {
        const range *r = &set->items[first + n_old++];
        merged.start = r->start < merged.start ? r->start : merged.start;
        merged.end = r->end > merged.end ? r->end : merged.end;
    }
    splice(set, first, n_old, &merged, 1);
    return true;
}

bool ranges_remove(ranges *set, uint64_t start, uint64_t end)
{
    if (start >= end)
        return true;
    if (!reserve(set))
        return false;
    set->total -= ranges_overlap(set, start, end);
    size_t first = find(set, start), n_old = 0, n_new = 0;
    range rest[2];
    while (first + n_old < set->n && set->items[first + n_old].start < end) {
        const range *r = &set->items[first + n_old++];
        if (r->start < start)
            rest[n_new++] = (range){r->start, r->end < start ? r->end : start};
        if (r->end > end)
            rest[n_new++] = (range){end, r->end};
    }
    splice(set, first, n_old, rest, n_new);
    return true;
}
