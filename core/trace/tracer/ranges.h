/* ranges.h - a set of address ranges, kept sorted, disjoint and merged. */
#ifndef PIE_TRACER_RANGES_H
#define PIE_TRACER_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct range {
    uint64_t start, end;
} range;

typedef struct ranges {
    range *items; /* [n] */
    size_t n, capacity;
    uint64_t total; /* bytes in the set */
} ranges;

/* Both change nothing and return false when there is no memory. An empty range is fine. */
bool ranges_add(ranges *set, uint64_t start, uint64_t end);
bool ranges_remove(ranges *set, uint64_t start, uint64_t end);
/* Bytes of [start, end) in the set. */
uint64_t ranges_overlap(const ranges *set, uint64_t start, uint64_t end);

#endif
