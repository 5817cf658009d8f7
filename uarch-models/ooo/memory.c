/* memory.c - caches, translation, prefetchers, memory. Rules: docs/internals/memory.md. */
#include "memory.h"

#include <emmintrin.h>
#include <string.h>

enum {
    LINES_PER_PAGE = 64,
    TABLE_LINE_BIT = 39 - OOO_LINE_BITS, /* page tables lie above the guest's addresses */
    FLUSH_CEILING = 33,                  /* pages; above, Linux drops the whole TLB */
    FRACTION = 20,
    DUEL_SETS = 64, /* one in so many sets inserts always in one way, another in the other */
    DUEL_MOST = 1023,
    STREAM_REACH = 2 /* lines: a step further away is no stream */
};
#define DIRTY UINT32_C(0x80000000)
#define PREFETCHED 0x80u /* in from[]: not asked for yet */
#define NO_TIME UINT64_MAX

/* Who asks. */
enum { FOR_LOAD, FOR_STORE, FOR_CODE, FOR_WALK, FOR_PREFETCH };

/* Flights are known by number and kind. */
enum { FLIGHT_L2 = 0, FLIGHT_L3 = 1, FLIGHT_PAGE = 2 };

static ooo_cycle later(ooo_cycle a, ooo_cycle b)
{
    return a > b ? a : b;
}

/* ---- parameters ---------------------------------------------------------------------------------
 */

void ooo_memory_defaults(ooo_memory_params *ret_params)
{
    *ret_params = (ooo_memory_params){
        /* sizes and ways: CPUID dumps in InstLatx64; replacement: uops.info/cache.html */
        .l1d = {32 << 10, 8, OOO_REPLACE_PLRU},
        .l1i = {32 << 10, 8, OOO_REPLACE_PLRU},
        .l2 = {256 << 10, 4, OOO_REPLACE_QLRU_L2},
        .l3 = {8 << 20, 16, OOO_REPLACE_QLRU_L3},
        .dtlb = {64, 4, OOO_REPLACE_PLRU}, /* replacement of TLBs: assumption */
        .itlb = {128, 8, OOO_REPLACE_PLRU},
        .stlb = {1536, 12, OOO_REPLACE_LRU},
        /* the clock that PIE converts with; the ring keeps pace with the core */
        .core_ghz = 3.5,
        .uncore_ghz = 3.5,
        .l1_latency = 4,
        .l2_latency = 12, /* measured, InstLatx64 and 7-cpu */
        /* 42 cycles, 7-cpu i7-6700; the split is an assumption: L2's look-up and the way to the
         * ring run in the core's clock */
        .l3_core_cycles = 14,
        .l3_uncore_cycles = 28,
        .dram_ns = 51,     /* 7-cpu i7-6700: 42 cycles + 51 ns */
        .l1_buffers = 12,  /* Intel's manual */
        .l2_requests = 16, /* the same */
        .walkers = 2,      /* the same */
        /* measured per core and cycle (InstLatx64): L2 read 24 to 25 bytes, write 15 to 19; L3 read
         * 16, write 11 to 15. Written lines pass twice. */
        .l2_slot_cycles = 1.28,
        .l2_fill_slots = 2,
        .l2_write_slots = 1,
        .l3_slot_cycles = 1.33,
        .l3_fill_slots = 3,
        .l3_write_slots = 1,
        .dram_gb_s = 30,   /* measured, two channels of DDR4-2133 (peak 34.1) */
        .stlb_latency = 7, /* 7 to 9 from several sources */
        .walk_latency = 9, /* assumption: what a walk costs beside reading the entry */
        .l3_hash = true,
        .translate = true,
        .walk_in_caches = true,
        .prefetch_l1_next = true,
        .prefetch_l1_stride = true,
        .prefetch_l2_stream = true,
        .prefetch_l2_pair = true,
        .prefetch_code = true, /* assumption: the front end fetches one line ahead */
        .stream_distance = 20, /* Intel's manual */
        .stream_requests = 2,
        .fault_around = 16, /* Linux: fault_around_bytes is 64 KiB */
        /* assumptions: half a microsecond for a fault with its page cleared (published figures go
         * from 0.25 to 1), 0.3 for a system call on Skylake with mitigations (0.1 without) */
        .fault_cycles = 1750,
        .file_fault_cycles = 1750,
        .syscall_cycles = 1050,
        .copy_bytes_per_cycle = 15, /* measured copy rate out of L3 */
    };
}

static bool is_power(uint64_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

static uint64_t n_sets(const ooo_cache_params *cache, uint32_t unit)
{
    const uint64_t bytes = (uint64_t)cache->ways * unit;
    return bytes && cache->bytes % bytes == 0 ? cache->bytes / bytes : 0;
}

static uint32_t log2_up(uint64_t n)
{
    uint32_t bits = 0;
    while (UINT64_C(1) << bits < n)
        bits++;
    return bits;
}

/* Tags are compared four at a time; what lies beyond the ways stays 0. */
static uint32_t stride_bits(const ooo_cache_params *cache)
{
    return cache->ways > 4 ? log2_up(cache->ways) : 2;
}

const char *ooo_memory_check(const ooo_memory_params *p)
{
    const struct {
        const ooo_cache_params *cache;
        uint32_t unit, least, most;
        const char *wrong;
    } caches[] = {
        {&p->l1d, 64, 16, OOO_L1_SETS, "l1d: 16, 32 or 64 sets of at most 16 ways"},
        {&p->l1i, 64, 16, OOO_L1_SETS, "l1i: 16, 32 or 64 sets of at most 16 ways"},
        {&p->l2, 64, 64, 16384, "l2: a power of two sets, 64 at least, of at most 16 ways"},
        {&p->l3, 64, 64, 16384, "l3: a power of two sets, 64 at least, of at most 16 ways"},
        {&p->dtlb, 1, 1, OOO_TLB_SETS, "dtlb: 1 to 32 sets, a power of two, of at most 16 ways"},
        {&p->itlb, 1, 1, OOO_TLB_SETS, "itlb: 1 to 32 sets, a power of two, of at most 16 ways"},
        {&p->stlb, 1, 1, 1024, "stlb: 1 to 1024 sets, a power of two, of at most 16 ways"},
    };
    uint64_t tags = 0, sets = 0;
    for (size_t i = 0; i < sizeof caches / sizeof *caches; i++) {
        const ooo_cache_params *c = caches[i].cache;
        const uint64_t n = n_sets(c, caches[i].unit);
        if (c->ways == 0 || c->ways > 16 || !is_power(n) || n < caches[i].least ||
            n > caches[i].most)
            return caches[i].wrong;
        if (c->replacement > OOO_REPLACE_QLRU_L3)
            return "replacement: lru, plru, or qlru";
        if (c->replacement >= OOO_REPLACE_QLRU_L2 && c->ways < 2)
            return "qlru: at least two ways";
        if (c->replacement == OOO_REPLACE_PLRU && !is_power(c->ways))
            return "plru: the number of ways must be a power of two";
        tags += n << stride_bits(c);
        sets += n;
    }
    if (tags > OOO_MEMORY_TAGS || sets > OOO_MEMORY_SETS)
        return "caches: more lines in all than the model has room for (8 MiB of L3, 1 MiB of L2)";
    if (!(p->core_ghz > 0.1 && p->core_ghz < 100 && p->uncore_ghz > 0.1 && p->uncore_ghz < 100))
        return "clocks: 0.1 to 100 GHz";
    const double l3 = p->l3_core_cycles + p->l3_uncore_cycles * p->core_ghz / p->uncore_ghz;
    if (p->l1_latency > p->l2_latency || !(l3 >= p->l2_latency && l3 < 1000))
        return "latencies: L1 at most L2, L2 at most L3, L3 below 1000 cycles";
    if (!(p->dram_ns >= 0 && p->dram_ns < 10000 && p->dram_gb_s >= 0.1 && p->dram_gb_s < 10000))
        return "dram: 0 to 10000 ns, 0.1 to 10000 GB/s";
    if (p->l1_buffers - 1u >= OOO_UNITS || p->l2_requests - 1u >= OOO_UNITS ||
        p->walkers - 1u >= OOO_UNITS)
        return "buffers, requests, walkers: 1 to 16";
    if (!(p->l2_slot_cycles >= 1 && p->l2_slot_cycles <= 256 && p->l3_slot_cycles >= 1 &&
          p->l3_slot_cycles <= 256))
        return "bus slots: 1 to 256 cycles";
    if (p->l2_fill_slots - 1u >= 64 || p->l2_write_slots - 1u >= 64 ||
        p->l3_fill_slots - 1u >= 64 || p->l3_write_slots - 1u >= 64)
        return "bus slots per line: 1 to 64";
    if (p->stlb_latency > 1000 || p->walk_latency > 1000)
        return "translation: at most 1000 cycles";
    if (p->stream_distance - 1u >= 63 || p->stream_requests - 1u >= 63)
        return "streamer: 1 to 63 lines ahead and per access";
    if (!is_power(p->fault_around) || p->fault_around > 512)
        return "fault_around: a power of two of pages, at most 512";
    if (!(p->copy_bytes_per_cycle >= 0.001 && p->copy_bytes_per_cycle < 1e6))
        return "copy rate: 0.001 to 1000000 bytes per cycle";
    return NULL;
}

/* ---- sets and ways ------------------------------------------------------------------------------
 */

static uint64_t initial_order(const ooo_cache *c)
{
    switch (c->replacement) {
    case OOO_REPLACE_LRU:
        return UINT64_C(0xfedcba9876543210);
    case OOO_REPLACE_PLRU:
        return 0;
    default:
        return UINT32_MAX; /* all oldest: taken first */
    }
}

static uint32_t tag_bits(const ooo_cache *c)
{
    return c->set_bits - c->slice_bits;
}

/* Intel's hash of four slices, reverse-engineered by C. Maurice and others (RAID 2015), of address
 * bits 6 .. 38. */
static uint32_t slice_of(uint64_t line)
{
    const uint64_t low = line & (UINT64_C(0x1b5f575440) >> OOO_LINE_BITS);
    const uint64_t high = line & (UINT64_C(0x2eb5faa880) >> OOO_LINE_BITS);
    return (uint32_t)__builtin_parityll(low) | (uint32_t)__builtin_parityll(high) << 1;
}

static uint32_t set_of(const ooo_cache *c, uint64_t line)
{
    const uint32_t bits = tag_bits(c);
    const uint32_t set = (uint32_t)(line & ((UINT64_C(1) << bits) - 1));
    return c->slice_bits ? set | slice_of(line) << bits : set;
}

static uint32_t tag_of(const ooo_cache *c, uint64_t line)
{
    return (uint32_t)(line >> tag_bits(c)) + 1;
}

static uint64_t line_of(const ooo_memory *m, const ooo_cache *c, uint32_t index)
{
    const uint32_t bits = tag_bits(c);
    const uint64_t set = (index - c->first_tag) >> c->stride_bits;
    return (uint64_t)((m->tags[index] & ~DIRTY) - 1) << bits | (set & ((UINT64_C(1) << bits) - 1));
}

/* Bit per way, four at a time: tags equal to @tag, whether dirty or not. */
static uint32_t equal_tags(const uint32_t *tags, uint32_t ways, uint32_t tag)
{
    const __m128i wanted = _mm_set1_epi32((int)tag), clean = _mm_set1_epi32((int)~DIRTY);
    uint32_t found = 0;
    for (uint32_t way = 0; way < ways; way += 4) {
        const __m128i four = _mm_loadu_si128((const __m128i *)(const void *)(tags + way));
        const __m128i equal = _mm_cmpeq_epi32(_mm_and_si128(four, clean), wanted);
        found |= (uint32_t)_mm_movemask_ps(_mm_castsi128_ps(equal)) << way;
    }
    return found;
}

/* Index of the line's tag, 0 when it is not there (index 0 is never used). */
static uint32_t find(const ooo_memory *m, const ooo_cache *c, uint64_t line)
{
    const uint32_t first = c->first_tag + (set_of(c, line) << c->stride_bits);
    const uint32_t found = equal_tags(&m->tags[first], c->ways, tag_of(c, line));
    return found ? first + (uint32_t)__builtin_ctz(found) : 0;
}

/* A nibble per way, the latest lowest: @way comes to the front. */
static uint64_t to_front(uint64_t order, uint32_t way)
{
    const uint64_t ones = UINT64_C(0x1111111111111111);
    const uint64_t differ = order ^ way * ones;
    const uint64_t zero = (differ - ones) & ~differ & (ones << 3); /* lowest is right */
    const uint32_t end = (uint32_t)__builtin_ctzll(zero) + 1;      /* bits up to its nibble */
    const uint64_t moved = end == 64 ? UINT64_MAX : (UINT64_C(1) << end) - 1;
    return (order & ~moved) | (order << 4 & moved) | way;
}

/* The tree's bits on the way to @way point to the other side. */
static uint64_t tree_away(uint64_t tree, uint32_t ways, uint32_t way)
{
    if (ways == 8) { /* the first level's case, at once: nodes 1; 2, 3; 4 .. 7 */
        const uint32_t pair = way >> 1, half = way >> 2;
        const uint64_t mine = UINT64_C(2) | UINT64_C(4) << half | UINT64_C(16) << pair;
        const uint64_t value = (uint64_t)(~way >> 2 & 1) << 1 |
                               (uint64_t)(~way >> 1 & 1) << 2 << half |
                               (uint64_t)(~way & 1) << 4 << pair;
        return (tree & ~mine) | value;
    }
    uint32_t node = 1;
    for (uint32_t half = ways >> 1; half; half >>= 1) {
        const uint32_t right = (way & half) != 0;
        tree = right ? tree & ~(UINT64_C(1) << node) : tree | UINT64_C(1) << node;
        node = 2 * node + right;
    }
    return tree;
}

static uint32_t tree_victim(uint64_t tree, uint32_t ways)
{
    uint32_t node = 1;
    while (node < ways)
        node = 2 * node + (uint32_t)(tree >> node & 1);
    return node - ways;
}

static uint32_t low_bits(uint32_t ways)
{
    return ways == 16 ? UINT32_C(0x55555555) : ((UINT32_C(1) << 2 * ways) - 1) & 0x55555555;
}

/* Somebody must be of the oldest age; the others age with it, @spared excepted. */
static uint32_t age_up(uint32_t ages, uint32_t ways, uint32_t spared)
{
    const uint32_t low = low_bits(ways);
    if (ages & ages >> 1 & low)
        return ages;
    uint32_t of = low, seen = ages;
    if (spared < ways) {
        of &= ~(UINT32_C(1) << 2 * spared);
        seen &= ~(UINT32_C(3) << 2 * spared);
    }
    const uint32_t oldest = seen >> 1 & low ? 2 : seen & low ? 1 : 0;
    return ages + (3 - oldest) * of;
}

static void touch(ooo_memory *m, const ooo_cache *c, uint32_t index)
{
    const uint32_t set = (index - c->first_tag) >> c->stride_bits;
    const uint32_t way = (index - c->first_tag) & ((1u << c->stride_bits) - 1);
    uint64_t *order = &m->order[c->first_set + set];
    const uint32_t ages = (uint32_t)*order;
    switch (c->replacement) {
    case OOO_REPLACE_LRU:
        *order = to_front(*order, way);
        break;
    case OOO_REPLACE_PLRU:
        *order = tree_away(*order, c->ways, way);
        break;
    case OOO_REPLACE_QLRU_L2: /* H00, U1 */
        *order = age_up(ages & ~(UINT32_C(3) << 2 * way), c->ways, way);
        break;
    default: {                                            /* H11, U0 */
        const uint32_t young = ages >> (2 * way + 1) & 1; /* 3, 2 to 1; 1, 0 to 0 */
        *order = age_up((ages & ~(UINT32_C(3) << 2 * way)) | young << 2 * way, c->ways, c->ways);
    }
    }
}

/* The age of a new line in L3: young, or mostly oldest, whichever misses less in the sets that
 * always do the one or the other. */
static uint32_t new_age(ooo_memory *m, uint32_t set)
{
    bool seldom = m->duel > DUEL_MOST / 2;
    const uint32_t duellist = (set ^ set >> 6) % DUEL_SETS; /* strides of pages meet all of them */
    if (duellist == 0) {
        seldom = false;
        m->duel += m->duel < DUEL_MOST;
    } else if (duellist == DUEL_SETS / 2 + 1) {
        seldom = true;
        m->duel -= m->duel > 0;
    }
    return seldom && ++m->inserted % 16 != 0 ? 3 : 1;
}

static uint32_t choose_way(ooo_memory *m, const ooo_cache *c, uint32_t set, const uint32_t *tags)
{
    uint64_t *order = &m->order[c->first_set + set];
    const uint32_t empty_ways = equal_tags(tags, c->ways, 0) & ((1u << c->ways) - 1);
    if (c->replacement >= OOO_REPLACE_QLRU_L2) {
        const uint32_t ages = (uint32_t)*order;
        const uint32_t oldest = ages & ages >> 1 & low_bits(c->ways); /* never 0, see age_up() */
        const bool is_l3 = c->replacement == OOO_REPLACE_QLRU_L3;
        uint32_t way; /* L3 from the left, L2 from the right */
        if (empty_ways)
            way = (uint32_t)(is_l3 ? __builtin_ctz(empty_ways) : 31 - __builtin_clz(empty_ways));
        else
            way = (uint32_t)(is_l3 ? __builtin_ctz(oldest) : 31 - __builtin_clz(oldest)) / 2;
        const uint32_t age = is_l3 ? new_age(m, set) : 1;
        const uint32_t others = ages & ~(UINT32_C(3) << 2 * way);
        *order = age_up(others | age << 2 * way, c->ways, is_l3 ? c->ways : way);
        return way;
    }
    const bool is_lru = c->replacement == OOO_REPLACE_LRU;
    uint32_t way;
    if (empty_ways)
        way = (uint32_t)__builtin_ctz(empty_ways);
    else
        way = is_lru ? (uint32_t)(*order >> 4 * (c->ways - 1) & 15) : tree_victim(*order, c->ways);
    *order = is_lru ? to_front(*order, way) : tree_away(*order, c->ways, way);
    return way;
}

typedef struct victim {
    uint64_t line;
    bool valid, dirty;
} victim;

/* Puts @line, which is not there, in; returns its index. */
static uint32_t place(ooo_memory *m, const ooo_cache *c, uint64_t line, victim *ret_victim)
{
    const uint32_t set = set_of(c, line);
    const uint32_t first = c->first_tag + (set << c->stride_bits);
    const uint32_t index = first + choose_way(m, c, set, &m->tags[first]);
    const uint32_t old = m->tags[index];
    *ret_victim = (victim){.valid = old != 0, .dirty = (old & DIRTY) != 0};
    if (old)
        ret_victim->line = line_of(m, c, index);
    m->tags[index] = tag_of(c, line);
    return index;
}

/* True: it was there and dirty. */
static bool drop(ooo_memory *m, const ooo_cache *c, uint64_t line)
{
    const uint32_t index = find(m, c, line);
    if (!index)
        return false;
    const bool dirty = (m->tags[index] & DIRTY) != 0;
    m->tags[index] = 0;
    if (c->replacement >= OOO_REPLACE_QLRU_L2) {
        const uint32_t way = (index - c->first_tag) & ((1u << c->stride_bits) - 1);
        m->order[c->first_set + set_of(c, line)] |= UINT64_C(3) << 2 * way;
    }
    return dirty;
}

static void empty(ooo_memory *m, const ooo_cache *c)
{
    const uint32_t sets = 1u << c->set_bits;
    memset(&m->tags[c->first_tag], 0, sizeof *m->tags * ((size_t)sets << c->stride_bits));
    for (uint32_t set = 0; set < sets; set++)
        m->order[c->first_set + set] = initial_order(c);
}

/* ---- shared units -------------------------------------------------------------------------------
 */

/* Takes a unit for @length cycles in the first gap from @at on, at *@ret_from; the caller sets the
 * end of the span when it knows better. Without @wait only @at itself will do, else *@ret_from is
 * NO_TIME. NULL also when @at lies before all that is remembered: then nothing is reserved. */
static ooo_span *units_take(ooo_units *u, ooo_cycle at, ooo_cycle length, bool wait,
                            ooo_cycle *ret_from)
{
    ooo_cycle best = NO_TIME;
    uint32_t unit = 0, position = 0;
    for (uint32_t i = 0; i < u->n && best != at; i++) {
        const ooo_span *spans = u->spans[i];
        const uint32_t count = u->count[i];
        uint32_t k = count;
        ooo_cycle from = at;
        while (k > 0 && spans[k - 1].until > at)
            k--;
        for (; k < count && spans[k].from < from + length; k++)
            from = later(from, spans[k].until);
        if (from < best) {
            best = from;
            unit = i;
            position = k;
        }
    }
    *ret_from = best;
    if (best != at && !wait) {
        *ret_from = NO_TIME;
        return NULL;
    }
    ooo_span *spans = u->spans[unit];
    if (u->count[unit] == OOO_UNIT_SPANS) { /* the older half is forgotten */
        enum { HALF = OOO_UNIT_SPANS / 2 };
        if (position < HALF)
            return NULL;
        memmove(spans, spans + HALF, HALF * sizeof *spans);
        u->count[unit] = HALF;
        position -= HALF;
    }
    if (position < u->count[unit])
        memmove(spans + position + 1, spans + position,
                (u->count[unit] - position) * sizeof *spans);
    u->count[unit]++;
    spans[position] = (ooo_span){best, best + length};
    return &spans[position];
}

static uint64_t nearest(double positive)
{
    return (uint64_t)(positive + 0.5);
}

static void bus_init(ooo_bus *bus, double cycles_per_slot)
{
    bus->slots_per_cycle = nearest((1 << FRACTION) / cycles_per_slot);
    bus->cycles_per_slot = nearest((1 << FRACTION) * cycles_per_slot);
}

/* Takes @n slots from @at on; returns @at and what had to be waited. */
static ooo_cycle bus_take(ooo_bus *bus, ooo_cycle at, uint32_t n)
{
    if (at == NO_TIME)
        return at;
    const uint64_t position = at * bus->slots_per_cycle, first = position >> FRACTION;
    uint64_t slot = first;
    for (uint32_t left = n; left;) {
        const uint64_t number = slot / 64;
        uint64_t *known = &bus->words[number % OOO_BUS_WORDS].number;
        uint64_t *taken = &bus->words[number % OOO_BUS_WORDS].taken;
        if (*known > number) /* long ago: nobody knows any more, so it was free */
            return at;
        if (*known < number) {
            *known = number;
            *taken = 0;
        }
        const uint64_t free = ~*taken >> slot % 64;
        if (free == 0) {
            slot = (number + 1) * 64;
            continue;
        }
        slot += (uint64_t)__builtin_ctzll(free);
        *taken |= UINT64_C(1) << slot % 64;
        left--;
        slot++;
    }
    const uint64_t late = slot - first - n;
    if (late == 0)
        return at;
    const uint64_t fraction = position & ((UINT64_C(1) << FRACTION) - 1);
    return at +
           (((late << FRACTION) - fraction) * (bus->cycles_per_slot >> 4) >> (2 * FRACTION - 4));
}

/* ---- lines on their way -------------------------------------------------------------------------
 */

static ooo_flight *flight_of(ooo_memory *m, uint64_t number, uint64_t kind, uint64_t *ret_key)
{
    *ret_key = (number | kind << 40) + 1;
    return &m->flights[*ret_key * UINT64_C(0x9e3779b97f4a7c15) >> 54];
}

static void depart(ooo_memory *m, uint64_t number, uint64_t kind, ooo_cycle ready, uint8_t level)
{
    uint64_t key;
    ooo_flight *flight = flight_of(m, number, kind, &key);
    *flight = (ooo_flight){.key = key, .ready = ready, .level = level};
}

/* When an access at @at finds the line (page) that is in a table already: at once, or when it
 * arrives. If it was asked for later than @at, this access is the one that fetches it, in @own. */
static ooo_cycle arrival(ooo_memory *m, uint64_t number, uint64_t kind, ooo_cycle at,
                         const ooo_cycle own[OOO_N_LEVELS], uint8_t *level)
{
    uint64_t key;
    ooo_flight *flight = flight_of(m, number, kind, &key);
    if (flight->key != key || flight->ready <= at)
        return at;
    if (flight->ready > at + own[flight->level])
        flight->ready = at + own[flight->level];
    *level = (uint8_t)flight->level;
    return flight->ready;
}

/* ---- write-back ---------------------------------------------------------------------------------
 */

static void forget_recent(ooo_memory *m, uint64_t line)
{
    m->recent[line & m->l1d_mask].line = 0;
}

static void write_dram(ooo_memory *m, ooo_cycle at)
{
    m->totals.lines_written++;
    (void)bus_take(&m->dram_bus, at, 1); /* nobody waits for it */
}

/* L3 holds all that the others hold. */
static void leave_l3(ooo_memory *m, const victim *v, ooo_cycle at)
{
    if (!v->valid)
        return;
    bool dirty = v->dirty;
    forget_recent(m, v->line);
    dirty |= drop(m, &m->l1d, v->line);
    dirty |= drop(m, &m->l2, v->line);
    drop(m, &m->l1i, v->line);
    if (m->fetch_line == v->line + 1)
        m->fetch_line = 0;
    if (dirty)
        write_dram(m, at);
}

static void leave_l2(ooo_memory *m, const victim *v, ooo_cycle at)
{
    if (!v->valid || !v->dirty)
        return;
    m->totals.l2_writebacks++;
    (void)bus_take(&m->l3_bus, at, m->params.l3_write_slots);
    const uint32_t index = find(m, &m->l3, v->line);
    if (index)
        m->tags[index] |= DIRTY;
    else
        write_dram(m, at);
}

static void leave_l1(ooo_memory *m, const victim *v, ooo_cycle at)
{
    if (!v->valid || !v->dirty)
        return;
    m->totals.l1_writebacks++;
    (void)bus_take(&m->l2_bus, at, m->params.l2_write_slots);
    uint32_t index = find(m, &m->l2, v->line);
    if (!index) {
        victim next;
        index = place(m, &m->l2, v->line, &next);
        leave_l2(m, &next, at);
    }
    m->tags[index] |= DIRTY;
}

/* ---- L2 and below -------------------------------------------------------------------------------
 */

/* Where a line is: indices in L2 and L3; in L3 only when not in L2. */
typedef struct whereabouts {
    uint32_t l2, l3;
} whereabouts;

static whereabouts look_up(const ooo_memory *m, uint64_t line)
{
    const uint32_t l2 = find(m, &m->l2, line);
    return (whereabouts){.l2 = l2, .l3 = l2 ? 0 : find(m, &m->l3, line)};
}

static ooo_cycle extra_of(const ooo_memory *m, whereabouts where)
{
    return m->extra[where.l2 ? OOO_LEVEL_L2 : where.l3 ? OOO_LEVEL_L3 : OOO_LEVEL_DRAM];
}

/* @line, which L2 lacks, is asked for in @at: comes into L3 and L2. Returns when an access of L2
 * finds it. */
static ooo_cycle fill_l2(ooo_memory *m, uint64_t line, uint32_t index, ooo_cycle at,
                         uint8_t *ret_level)
{
    const ooo_cycle *extra = m->extra;
    const ooo_cycle own[OOO_N_LEVELS] = {0, 0, 0, m->dram_cycles};
    victim v;
    uint8_t level = OOO_LEVEL_L3;
    ooo_cycle there;
    if (index) {
        touch(m, &m->l3, index);
        there = arrival(m, line, FLIGHT_L3, at, own, &level);
    } else {
        level = OOO_LEVEL_DRAM;
        m->totals.lines_read++;
        there = bus_take(&m->dram_bus, at, 1) + m->dram_cycles;
        place(m, &m->l3, line, &v);
        leave_l3(m, &v, there);
        depart(m, line, FLIGHT_L3, there, level);
    }
    there = bus_take(&m->l3_bus, there, m->params.l3_fill_slots) + extra[OOO_LEVEL_L3] -
            extra[OOO_LEVEL_L2];
    place(m, &m->l2, line, &v);
    leave_l2(m, &v, there);
    depart(m, line, FLIGHT_L2, there, level);
    *ret_level = level;
    return there;
}

/* False: no request is free. */
static bool prefetch_l2(ooo_memory *m, uint64_t line, ooo_cycle at)
{
    const whereabouts where = look_up(m, line);
    if (where.l2)
        return true;
    ooo_cycle from;
    ooo_span *span =
        units_take(&m->requests, at, extra_of(m, where) - m->extra[OOO_LEVEL_L2], false, &from);
    if (from == NO_TIME) {
        m->totals.prefetches_dropped++;
        return false;
    }
    m->totals.prefetches_l2++;
    uint8_t level;
    const ooo_cycle there = fill_l2(m, line, where.l3, at, &level);
    if (span)
        span->until = there;
    return true;
}

static ooo_stream *stream_of(ooo_memory *m, uint64_t page)
{
    ooo_stream *set = &m->streams[page % (OOO_STREAMS / OOO_STREAM_WAYS) * OOO_STREAM_WAYS];
    ooo_stream *oldest = set;
    for (ooo_stream *s = set; s < set + OOO_STREAM_WAYS; s++) {
        if (s->page == page + 1)
            return s;
        if (s->used < oldest->used)
            oldest = s;
    }
    *oldest = (ooo_stream){.page = page + 1, .line = -1};
    return oldest;
}

/* The L2 prefetchers see every access of L2 in a page: two in one direction make a stream. */
static void train_l2(ooo_memory *m, uint64_t line, ooo_cycle at, bool missed)
{
    const ooo_memory_params *p = &m->params;
    if (!p->prefetch_l2_stream && !p->prefetch_l2_pair)
        return;
    ooo_stream *s = stream_of(m, line / LINES_PER_PAGE);
    const int32_t here = (int32_t)(line % LINES_PER_PAGE);
    const int32_t step = here - s->line;
    s->used = ++m->stream_clock;
    if (s->line < 0) {
        s->line = (int8_t)here;
        return;
    }
    if (missed && p->prefetch_l2_pair)
        prefetch_l2(m, line ^ 1, at);
    if (step == 0 || !p->prefetch_l2_stream)
        return;
    const bool is_far = step > STREAM_REACH || step < -STREAM_REACH;
    const bool is_second = is_far && s->far;
    s->far = is_far;
    if (is_far) { /* alone, it is somebody else's; again, the stream is there now */
        if (is_second)
            s->line = (int8_t)here;
        return;
    }
    s->line = (int8_t)here;
    const int32_t direction = step > 0 ? 1 : -1;
    if (direction != s->direction || (s->next - here) * direction <= 0)
        s->next = (int8_t)(here + direction);
    s->direction = (int8_t)direction;
    const uint64_t page_line = line - (uint64_t)here;
    const int32_t most = (int32_t)p->stream_distance;
    for (uint32_t left = p->stream_requests; left; s->next = (int8_t)(s->next + direction)) {
        if (s->next < 0 || s->next >= LINES_PER_PAGE || (s->next - here) * direction > most)
            return;
        const uint64_t next = page_line + (uint64_t)s->next;
        if (find(m, &m->l2, next))
            continue;
        if (!prefetch_l2(m, next, at))
            return;
        if (p->prefetch_l2_pair)
            prefetch_l2(m, next ^ 1, at);
        left--;
    }
}

/* @line, which L1 lacks, is asked for in @at. Returns when an access of L1 finds it. */
static ooo_cycle from_l2(ooo_memory *m, uint64_t line, whereabouts where, ooo_cycle at,
                         uint32_t purpose, uint8_t *ret_level)
{
    ooo_memory_totals *t = &m->totals;
    const ooo_cycle *extra = m->extra;
    ooo_cycle there = at;
    uint8_t level = OOO_LEVEL_L2;
    if (where.l2) {
        const ooo_cycle own[OOO_N_LEVELS] = {0, 0, extra[OOO_LEVEL_L3] - extra[OOO_LEVEL_L2],
                                             extra[OOO_LEVEL_DRAM] - extra[OOO_LEVEL_L2]};
        touch(m, &m->l2, where.l2);
        there = arrival(m, line, FLIGHT_L2, at, own, &level);
    } else {
        ooo_cycle from;
        ooo_span *span =
            units_take(&m->requests, at, extra_of(m, where) - extra[OOO_LEVEL_L2], true, &from);
        const uint64_t missed_l3 = where.l3 == 0;
        t->l2_misses += purpose == FOR_LOAD;
        t->l2_store_misses += purpose == FOR_STORE;
        t->l2_code_misses += purpose == FOR_CODE;
        t->l3_misses += purpose == FOR_LOAD ? missed_l3 : 0;
        t->l3_store_misses += purpose == FOR_STORE ? missed_l3 : 0;
        t->l3_code_misses += purpose == FOR_CODE ? missed_l3 : 0;
        there = fill_l2(m, line, where.l3, from, &level);
        if (span)
            span->until = there;
    }
    if (purpose != FOR_WALK)
        train_l2(m, line, at, !where.l2);
    *ret_level = level;
    return bus_take(&m->l2_bus, there, m->params.l2_fill_slots) + extra[OOO_LEVEL_L2];
}

/* ---- L1 -----------------------------------------------------------------------------------------
 */

/* @line through L1D or L1I in @at: when it is there. */
static ooo_cycle through_l1(ooo_memory *m, const ooo_cache *c, uint64_t line, ooo_cycle at,
                            uint32_t purpose, uint8_t *ret_level, uint32_t *ret_index)
{
    uint32_t index = find(m, c, line);
    *ret_index = index;
    *ret_level = OOO_LEVEL_L1;
    if (index) {
        touch(m, c, index);
        const uint8_t level = m->from[index] & 3;
        if (m->ready[index] <= at)
            return at;
        /* asked for later than now: then it is this access that fetches it */
        if (m->ready[index] > at + m->extra[level])
            m->ready[index] = at + m->extra[level];
        m->totals.in_flight += purpose == FOR_LOAD;
        *ret_level = level;
        return m->ready[index];
    }
    ooo_memory_totals *t = &m->totals;
    t->l1d_misses += purpose == FOR_LOAD;
    t->l1d_store_misses += purpose == FOR_STORE;
    t->l1i_misses += purpose == FOR_CODE;
    const whereabouts where = look_up(m, line);
    ooo_cycle from = at;
    ooo_span *span = NULL;
    if (c == &m->l1d) {
        span = units_take(&m->buffers, at, extra_of(m, where), purpose != FOR_PREFETCH, &from);
        if (from == NO_TIME) {
            t->prefetches_dropped++;
            return NO_TIME;
        }
    }
    t->prefetches_l1 += purpose == FOR_PREFETCH;
    const ooo_cycle ready = from_l2(m, line, where, from, purpose, ret_level);
    if (span)
        span->until = ready;
    victim v;
    index = place(m, c, line, &v);
    m->ready[index] = ready;
    m->from[index] = *ret_level;
    if (c == &m->l1d) {
        forget_recent(m, line);
        leave_l1(m, &v, ready);
    }
    *ret_index = index;
    return ready;
}

static void remember(ooo_memory *m, uint64_t line, uint32_t index, uint32_t offset, uint8_t loads)
{
    ooo_recent *recent = &m->recent[line & m->l1d_mask];
    if (recent->line == line + 1) {
        recent->ready = m->ready[index];
        return;
    }
    *recent = (ooo_recent){.line = line + 1,
                           .ready = m->ready[index],
                           .index = index,
                           .dirty = (m->tags[index] & DIRTY) != 0,
                           .loads = loads,
                           .offset = (uint8_t)offset};
}

static void prefetch_l1(ooo_memory *m, uint64_t line, ooo_cycle at)
{
    uint8_t level;
    uint32_t index;
    if (!find(m, &m->l1d, line))
        through_l1(m, &m->l1d, line, at, FOR_PREFETCH, &level, &index);
}

void ooo_memory_prefetch_next(ooo_memory *m, uint64_t line, ooo_cycle start)
{
    if ((line + 1) % LINES_PER_PAGE)
        prefetch_l1(m, line + 1, start);
}

void ooo_memory_prefetch_stride(ooo_memory *m, uint64_t physical, ooo_cycle start, int64_t stride)
{
    const uint64_t next = physical + (uint64_t)stride;
    if (m->params.prefetch_l1_stride && next >> OOO_LINE_BITS != physical >> OOO_LINE_BITS &&
        next >> OOO_PAGE_BITS == physical >> OOO_PAGE_BITS)
        prefetch_l1(m, next >> OOO_LINE_BITS, start);
}

/* ---- pages --------------------------------------------------------------------------------------
 */

/* The bit of @page; beyond so many regions of 128 MiB, the others share the last one's. */
static uint64_t *touched_word(ooo_memory *m, uint64_t page, bool make, uint64_t *ret_bit)
{
    const uint64_t region = page >> OOO_LEAF_BITS & (OOO_N_REGIONS - 1);
    if (m->leaf_of[region] == 0) {
        if (!make)
            return NULL;
        m->n_leaves += m->n_leaves < OOO_PAGE_LEAVES;
        m->leaf_of[region] = (uint8_t)m->n_leaves;
    }
    const uint64_t in_leaf = page & ((1u << OOO_LEAF_BITS) - 1);
    *ret_bit = UINT64_C(1) << in_leaf % 64;
    return &m->touched[m->leaf_of[region] - 1][in_leaf / 64];
}

/* True: for the first time. */
static bool touch_page(ooo_memory *m, uint64_t page)
{
    uint64_t bit;
    uint64_t *word = touched_word(m, page, true, &bit);
    const bool is_first = !(*word & bit);
    *word |= bit;
    return is_first;
}

static const ooo_file *file_of(const ooo_memory *m, uint64_t page)
{
    for (uint32_t i = 0; i < m->n_files; i++)
        if (page >= m->files[i].first && page < m->files[i].end)
            return &m->files[i];
    return NULL;
}

static void warm_l3(ooo_memory *m, uint64_t line)
{
    victim v;
    if (find(m, &m->l3, line))
        return;
    place(m, &m->l3, line, &v);
    leave_l3(m, &v, NO_TIME);
}

/* The kernel's work: takes no user time, but it changes what the caches hold. */
static void first_touch(ooo_memory *m, uint64_t page, uint64_t frame, bool is_code)
{
    const ooo_file *file = file_of(m, page);
    m->totals.page_faults++;
    if (!file && !is_code) {
        for (uint64_t line = frame * LINES_PER_PAGE; line < (frame + 1) * LINES_PER_PAGE; line++) {
            warm_l3(m, line);
            uint32_t index = find(m, &m->l2, line);
            if (!index) {
                victim v;
                index = place(m, &m->l2, line, &v);
                leave_l2(m, &v, NO_TIME);
            }
            m->tags[index] |= DIRTY;
        }
        return;
    }
    m->totals.file_faults++;
    const uint64_t mask = m->params.fault_around - 1;
    uint64_t first = page, end = page + 1;
    if (file) {
        first = later(page & ~mask, file->first);
        end = (page | mask) + 1 < file->end ? (page | mask) + 1 : file->end;
    }
    for (uint64_t at = first; at < end; at++)
        if (touch_page(m, at) || at == page)
            for (uint64_t i = 0; i < LINES_PER_PAGE; i++)
                warm_l3(m, (frame + at - page) * LINES_PER_PAGE + i);
}

static ooo_cycle walk(ooo_memory *m, uint64_t page, ooo_cycle at)
{
    ooo_cycle from, ready;
    ooo_span *span =
        units_take(&m->walkers, at, m->params.walk_latency + m->params.l2_latency, true, &from);
    ready = from + m->params.walk_latency;
    if (m->params.walk_in_caches) {
        uint8_t level;
        uint32_t index;
        const uint64_t line = (UINT64_C(1) << TABLE_LINE_BIT) | page >> 3;
        ready =
            through_l1(m, &m->l1d, line, ready, FOR_WALK, &level, &index) + m->params.l1_latency;
        forget_recent(m, line); /* the set has seen another line last */
    } else {
        ready += m->params.l2_latency;
    }
    if (span)
        span->until = ready;
    return ready;
}

/* When @page is translated. */
static ooo_cycle translate(ooo_memory *m, const ooo_cache *tlb, uint64_t page, uint64_t frame,
                           ooo_cycle at)
{
    const ooo_memory_params *p = &m->params;
    const bool is_code = tlb == &m->itlb;
    const ooo_cycle nominal = p->stlb_latency + p->walk_latency + p->l2_latency;
    const ooo_cycle own[OOO_N_LEVELS] = {nominal, nominal, nominal, nominal};
    uint8_t level;
    victim v;
    ooo_cycle ready = at;
    uint32_t index = find(m, tlb, page);
    if (index) {
        touch(m, tlb, index);
        return arrival(m, page, FLIGHT_PAGE, at, own, &level);
    }
    if (!p->translate) {
        place(m, tlb, page, &v);
        if (touch_page(m, page))
            first_touch(m, page, frame, is_code);
        return at;
    }
    m->totals.dtlb_first_misses += !is_code;
    index = find(m, &m->stlb, page);
    if (index) {
        touch(m, &m->stlb, index);
        ready = later(at + p->stlb_latency, arrival(m, page, FLIGHT_PAGE, at, own, &level));
    } else {
        m->totals.dtlb_misses += !is_code;
        m->totals.itlb_misses += is_code;
        if (touch_page(m, page))
            first_touch(m, page, frame, is_code);
        ready = walk(m, page, at + p->stlb_latency);
        place(m, &m->stlb, page, &v);
    }
    depart(m, page, FLIGHT_PAGE, ready, OOO_LEVEL_L1);
    place(m, tlb, page, &v);
    return ready;
}

static ooo_cycle translate_data(ooo_memory *m, uint64_t page, uint64_t frame, ooo_cycle at)
{
    const ooo_cycle ready = translate(m, &m->dtlb, page, frame, at);
    m->recent_page[page & m->dtlb_mask] = (ooo_recent_page){.page = page + 1, .ready = ready};
    return ready;
}

static void forget_pages(ooo_memory *m, uint64_t first, uint64_t end)
{
    const ooo_cache *tlbs[] = {&m->dtlb, &m->itlb, &m->stlb};
    memset(m->recent_page, 0, sizeof m->recent_page);
    m->fetch_page = 0;
    for (size_t i = 0; i < sizeof tlbs / sizeof *tlbs; i++)
        if (end - first > FLUSH_CEILING)
            empty(m, tlbs[i]);
        else
            for (uint64_t page = first; page < end; page++)
                drop(m, tlbs[i], page);
}

static uint64_t end_page(uint64_t address, uint64_t bytes)
{
    const uint64_t limit = UINT64_C(1) << 39;
    const uint64_t end = address < limit && bytes < limit - address ? address + bytes : limit;
    return (end + (1u << OOO_PAGE_BITS) - 1) >> OOO_PAGE_BITS;
}

static void add_file(ooo_memory *m, uint64_t first, uint64_t end)
{
    if (first < end && m->n_files < OOO_FILES)
        m->files[m->n_files++] = (ooo_file){first, end};
}

void ooo_memory_file(ooo_memory *m, uint64_t address, uint64_t bytes)
{
    add_file(m, address >> OOO_PAGE_BITS, end_page(address, bytes));
}

void ooo_memory_map(ooo_memory *m, uint64_t address, uint64_t bytes)
{
    const uint64_t first = address >> OOO_PAGE_BITS, end = end_page(address, bytes);
    for (uint32_t i = m->n_files; i-- > 0;) { /* what it covers is no file's any more */
        const ooo_file file = m->files[i];
        if (file.end <= first || end <= file.first)
            continue;
        m->files[i] = m->files[--m->n_files];
        add_file(m, file.first, first);
        add_file(m, end, file.end);
    }
    bool any = false;
    for (uint64_t page = first; page < end;) {
        uint64_t bit = 0, *word = touched_word(m, page, false, &bit);
        const uint64_t region_end = ((page >> OOO_LEAF_BITS) + 1) << OOO_LEAF_BITS;
        if (!word) {
            page = region_end;
            continue;
        }
        const uint64_t word_end = (page / 64 + 1) * 64, until = end < word_end ? end : word_end;
        const uint64_t n = until - page;
        const uint64_t bits = n == 64 ? UINT64_MAX : ((UINT64_C(1) << n) - 1) << page % 64;
        any |= (*word & bits) != 0;
        *word &= ~bits;
        page = until;
    }
    if (any)
        forget_pages(m, first, end);
}

void ooo_memory_touch(ooo_memory *m, uint64_t address, uint64_t bytes)
{
    const uint64_t end = end_page(address, bytes);
    for (uint64_t page = address >> OOO_PAGE_BITS; page < end; page++)
        if (touch_page(m, page))
            first_touch(m, page, page, false);
}

uint64_t ooo_memory_os_cycles(const ooo_memory *m, uint64_t n_syscalls, uint64_t copied_bytes)
{
    const ooo_memory_params *p = &m->params;
    const ooo_memory_totals *t = &m->totals;
    return (t->page_faults - t->file_faults) * p->fault_cycles +
           t->file_faults * p->file_fault_cycles + n_syscalls * p->syscall_cycles +
           (uint64_t)((double)copied_bytes / p->copy_bytes_per_cycle);
}

/* ---- accesses -----------------------------------------------------------------------------------
 */

ooo_cycle ooo_memory_load_slow(ooo_memory *m, uint64_t address, uint64_t physical, uint32_t bytes,
                               uint64_t ip, ooo_cycle start, uint8_t *ret_level)
{
    const uint64_t line = physical >> OOO_LINE_BITS, page = address >> OOO_PAGE_BITS;
    const ooo_recent_page *recent = &m->recent_page[page & m->dtlb_mask];
    ooo_cycle at = start, ready;
    uint8_t level;
    uint32_t index;
    if (recent->page != page + 1 || recent->ready > start)
        at = translate_data(m, page, physical >> OOO_PAGE_BITS, start);
    m->totals.waited[OOO_LEVEL_L1] += at - start;
    ready = through_l1(m, &m->l1d, line, at, FOR_LOAD, &level, &index);
    remember(m, line, index, physical & 63, 1);
    ooo_memory_train(m, line, physical, ip, at);
    const uint64_t last = address + bytes - 1;
    if (last >> OOO_LINE_BITS != address >> OOO_LINE_BITS) { /* the second line, maybe page */
        uint8_t second_level;
        const uint64_t second = physical + bytes - 1;
        ooo_cycle second_at = start, second_ready;
        if (last >> OOO_PAGE_BITS != page)
            second_at = translate_data(m, last >> OOO_PAGE_BITS, second >> OOO_PAGE_BITS, start);
        at = later(at, second_at);
        second_ready = through_l1(m, &m->l1d, second >> OOO_LINE_BITS, second_at, FOR_LOAD,
                                  &second_level, &index);
        remember(m, second >> OOO_LINE_BITS, index, 0, 0);
        if (second_ready > ready)
            level = second_level;
        ready = later(ready, second_ready);
    }
    if (level != OOO_LEVEL_L1)
        m->totals.waited[level] += ready > at ? ready - at : 0;
    *ret_level = level;
    return ready - start;
}

ooo_cycle ooo_memory_translate_slow(ooo_memory *m, uint64_t address, uint64_t physical,
                                    ooo_cycle start)
{
    return translate_data(m, address >> OOO_PAGE_BITS, physical >> OOO_PAGE_BITS, start) - start;
}

ooo_cycle ooo_memory_store_slow(ooo_memory *m, uint64_t physical, uint32_t bytes, ooo_cycle senior,
                                ooo_cycle commit)
{
    const uint64_t first = physical >> OOO_LINE_BITS,
                   last = (physical + bytes - 1) >> OOO_LINE_BITS;
    for (uint64_t line = first; line <= last; line++) {
        uint8_t level;
        uint32_t index;
        commit = later(commit, through_l1(m, &m->l1d, line, senior, FOR_STORE, &level, &index));
        m->tags[index] |= DIRTY;
        remember(m, line, index, 0, 0);
        m->recent[line & m->l1d_mask].dirty = 1;
    }
    return commit;
}

/* A line's worth of non-temporal stores goes to memory when it is full or the buffer is wanted. */
static void send_combined(ooo_memory *m, size_t i, ooo_cycle at)
{
    ooo_span *span = &m->buffers.spans[m->combining[i].unit][0];
    const ooo_cycle from = m->combining[i].from;
    /* slots that hold 64 bytes; a part of a line costs the same */
    m->totals.non_temporal_lines++;
    const ooo_cycle sent = bus_take(&m->dram_bus, at, 1);
    m->totals.lines_written++;
    for (uint32_t k = 0; k < m->buffers.count[m->combining[i].unit]; k++)
        if (span[k].from == from)
            span[k].until = sent + m->extra[OOO_LEVEL_L3]; /* until the ring has taken it */
    m->combining[i].line = 0;
}

ooo_cycle ooo_memory_store_non_temporal(ooo_memory *m, uint64_t physical, uint32_t bytes,
                                        ooo_cycle commit)
{
    for (uint64_t left = bytes; left > 0;) {
        const uint64_t line = physical >> OOO_LINE_BITS, offset = physical & 63;
        const uint64_t n = left < 64 - offset ? left : 64 - offset;
        size_t i = 0;
        while (i < OOO_WC_LINES && m->combining[i].line != line + 1)
            i++;
        if (i == OOO_WC_LINES) {
            i = m->next_combining++ % OOO_WC_LINES;
            if (m->combining[i].line)
                send_combined(m, i, commit);
            forget_recent(m, line); /* no cache keeps it */
            bool dirty = drop(m, &m->l1d, line);
            dirty |= drop(m, &m->l2, line);
            dirty |= drop(m, &m->l3, line);
            if (dirty)
                write_dram(m, commit);
            ooo_cycle from;
            ooo_span *span = units_take(&m->buffers, commit, m->extra[OOO_LEVEL_L3], true, &from);
            commit = from;
            m->combining[i].line = line + 1;
            m->combining[i].bytes = 0;
            m->combining[i].from = from;
            m->combining[i].unit =
                span ? (uint32_t)((size_t)(span - &m->buffers.spans[0][0]) / OOO_UNIT_SPANS) : 0;
        }
        m->combining[i].bytes |= (n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1) << offset;
        if (m->combining[i].bytes == UINT64_MAX)
            send_combined(m, i, commit);
        physical += n;
        left -= n;
    }
    return commit;
}

ooo_cycle ooo_memory_drain(ooo_memory *m, ooo_cycle cycle)
{
    ooo_cycle done = cycle;
    for (size_t i = 0; i < OOO_WC_LINES; i++)
        if (m->combining[i].line) {
            send_combined(m, i, cycle);
            done = cycle + m->extra[OOO_LEVEL_L3];
        }
    return done;
}

void ooo_memory_prefetch(ooo_memory *m, uint64_t address, uint64_t physical, uint8_t level,
                         ooo_cycle start)
{
    const uint64_t line = physical >> OOO_LINE_BITS;
    const ooo_cycle at =
        translate_data(m, address >> OOO_PAGE_BITS, physical >> OOO_PAGE_BITS, start);
    if (level == OOO_LEVEL_L1)
        prefetch_l1(m, line, at);
    else
        prefetch_l2(m, line, at);
}

ooo_cycle ooo_memory_fetch_slow(ooo_memory *m, uint64_t address, uint64_t physical, ooo_cycle cycle)
{
    const uint64_t page = address >> OOO_PAGE_BITS, line = physical >> OOO_LINE_BITS;
    ooo_cycle at = cycle;
    uint8_t level;
    uint32_t index;
    if (m->fetch_page != page + 1)
        at = translate(m, &m->itlb, page, physical >> OOO_PAGE_BITS, cycle);
    const ooo_cycle ready = through_l1(m, &m->l1i, line, at, FOR_CODE, &level, &index);
    const bool ahead = level != OOO_LEVEL_L1 || m->from[index] & PREFETCHED;
    m->from[index] &= 3;
    if (m->params.prefetch_code && ahead && (line + 1) % LINES_PER_PAGE &&
        !find(m, &m->l1i, line + 1)) {
        through_l1(m, &m->l1i, line + 1, at, FOR_PREFETCH, &level, &index);
        m->from[index] |= PREFETCHED;
    }
    m->fetch_page = page + 1;
    m->fetch_line = line + 1;
    m->fetch_ready = ready;
    return ready - cycle;
}

/* ---- beginning ----------------------------------------------------------------------------------
 */

void ooo_memory_init(ooo_memory *m, const ooo_memory_params *params)
{
    memset(m, 0, sizeof *m);
    m->params = *params;
    const struct {
        ooo_cache *cache;
        const ooo_cache_params *params;
        uint32_t unit;
    } caches[] = {{&m->l1d, &params->l1d, 64},  {&m->l1i, &params->l1i, 64},
                  {&m->l2, &params->l2, 64},    {&m->l3, &params->l3, 64},
                  {&m->dtlb, &params->dtlb, 1}, {&m->itlb, &params->itlb, 1},
                  {&m->stlb, &params->stlb, 1}};
    uint32_t next_tag = 16, next_set = 0; /* index 0 means none */
    for (size_t i = 0; i < sizeof caches / sizeof *caches; i++) {
        ooo_cache *c = caches[i].cache;
        *c = (ooo_cache){.ways = caches[i].params->ways,
                         .replacement = caches[i].params->replacement,
                         .set_bits = log2_up(n_sets(caches[i].params, caches[i].unit)),
                         .stride_bits = stride_bits(caches[i].params),
                         .first_tag = next_tag,
                         .first_set = next_set};
        if (c == &m->l3 && params->l3_hash)
            c->slice_bits = 2;
        next_tag += 1u << (c->set_bits + c->stride_bits);
        next_set += 1u << c->set_bits;
        empty(m, c);
    }
    m->duel = DUEL_MOST / 2;
    m->l1d_mask = (1u << m->l1d.set_bits) - 1;
    m->dtlb_mask = (1u << m->dtlb.set_bits) - 1;
    const double l3 =
        params->l3_core_cycles + params->l3_uncore_cycles * params->core_ghz / params->uncore_ghz;
    m->dram_cycles = nearest(params->dram_ns * params->core_ghz);
    m->extra[OOO_LEVEL_L2] = params->l2_latency - params->l1_latency;
    m->extra[OOO_LEVEL_L3] = nearest(l3) - params->l1_latency;
    m->extra[OOO_LEVEL_DRAM] = m->extra[OOO_LEVEL_L3] + m->dram_cycles;
    m->buffers.n = params->l1_buffers;
    m->requests.n = params->l2_requests;
    m->walkers.n = params->walkers;
    bus_init(&m->l2_bus, params->l2_slot_cycles);
    bus_init(&m->l3_bus, params->l3_slot_cycles * params->core_ghz / params->uncore_ghz);
    bus_init(&m->dram_bus, 64 / params->dram_gb_s * params->core_ghz);
}
