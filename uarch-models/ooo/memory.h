/* memory.h - caches, translation, prefetchers and memory below the out-of-order core.
 *
 * The core works through the program in order, but its accesses lie anywhere in time: a young load
 * may begin long before an old one. So tags change in program order, and every line, page and
 * shared unit carries times: when a line arrives, in which cycles a buffer or bus is taken. A young
 * access takes the gaps that older ones left; nobody waits for something that begins later than
 * itself. docs/internals/memory.md has the rules and how to connect it.
 *
 * Times here are those of an access to the first level: a load that begins in cycle c and hits has
 * no extra cycles; one that must wait has `extra` cycles more than the core's own load latency.
 *
 * The state is flat and holds no pointers: a copy is one memcpy. Nothing allocates. */
#ifndef OOO_MEMORY_H
#define OOO_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t ooo_cycle;

/* Who delivered the data. A load that found its line on the way has the level that it comes from.
 */
enum { OOO_LEVEL_L1, OOO_LEVEL_L2, OOO_LEVEL_L3, OOO_LEVEL_DRAM, OOO_N_LEVELS };

/* Which way of a set goes. QLRU: two bits of age per line, as found on Skylake by the authors of
 * nanoBench: L2 QLRU_H00_M1_R2_U1; L3 chooses between QLRU_H11_M1_R0_U0 and a variant that inserts
 * most lines with the oldest age, by duelling sets. */
enum { OOO_REPLACE_LRU, OOO_REPLACE_PLRU, OOO_REPLACE_QLRU_L2, OOO_REPLACE_QLRU_L3 };

typedef struct ooo_cache_params {
    uint32_t bytes, ways; /* of a TLB: bytes = entries */
    uint32_t replacement; /* OOO_REPLACE_* */
} ooo_cache_params;

/* Sources stand at the defaults in memory.c. */
typedef struct ooo_memory_params {
    ooo_cache_params l1d, l1i, l2, l3, dtlb, itlb, stlb;
    double core_ghz, uncore_ghz;
    uint32_t l1_latency; /* smallest load-to-use; what the latencies below include */
    uint32_t l2_latency;
    double l3_core_cycles, l3_uncore_cycles; /* latency = core part + uncore part in its clock */
    double dram_ns;                          /* on top of L3 */
    uint32_t l1_buffers, l2_requests, walkers;
    double l2_slot_cycles, l3_slot_cycles; /* bus from L2, core cycles; from L3, uncore cycles */
    uint32_t l2_fill_slots, l2_write_slots, l3_fill_slots, l3_write_slots; /* per line */
    double dram_gb_s;                                                      /* 10^9 bytes a second */
    uint32_t stlb_latency, walk_latency; /* hit in the second TLB; fixed part of a walk */
    bool l3_hash;                        /* slices by hash; else plain modulo */
    bool translate;                      /* TLBs and page walks */
    bool walk_in_caches;                 /* table entries are read through the caches */
    bool prefetch_l1_next, prefetch_l1_stride, prefetch_l2_stream, prefetch_l2_pair, prefetch_code;
    uint32_t stream_distance, stream_requests; /* lines ahead; at most per access */
    uint32_t fault_around; /* pages that a fault on a file page maps, a power of two */
    /* the operating system's share */
    uint32_t fault_cycles, file_fault_cycles, syscall_cycles;
    double copy_bytes_per_cycle;
} ooo_memory_params;

typedef struct ooo_memory_totals {
    uint64_t l1d_misses, l2_misses, l3_misses; /* lines, demand loads */
    uint64_t l1d_store_misses, l2_store_misses, l3_store_misses;
    uint64_t l1i_misses, l2_code_misses, l3_code_misses;
    uint64_t in_flight; /* loads whose line was on its way */
    uint64_t dtlb_first_misses, dtlb_misses,
        itlb_misses;                   /* first level; both levels; both levels */
    uint64_t page_faults, file_faults; /* file_faults are part of page_faults */
    uint64_t prefetches_l1, prefetches_l2, prefetches_dropped;
    uint64_t lines_read, lines_written; /* DRAM */
    uint64_t l1_writebacks, l2_writebacks, non_temporal_lines;
    uint64_t waited[OOO_N_LEVELS]; /* extra cycles of loads by level; [0]: translation */
} ooo_memory_totals;

enum {
    OOO_LINE_BITS = 6,
    OOO_PAGE_BITS = 12,
    OOO_MEMORY_TAGS = 152 * 1024, /* lines and TLB entries in all */
    OOO_MEMORY_SETS = 12 * 1024,
    OOO_L1_LINES = 2048 + 16, /* L1D and L1I together: those with a time each */
    OOO_L1_SETS = 64,
    OOO_TLB_SETS = 32,
    OOO_FLIGHTS = 1024,
    OOO_UNITS = 16,
    OOO_UNIT_SPANS = 16,
    OOO_BUS_WORDS = 512,
    OOO_STRIDES = 64,
    OOO_STREAMS = 32,
    OOO_STREAM_WAYS = 4,
    OOO_WC_LINES = 4,
    OOO_PAGE_LEAVES = 32,
    OOO_LEAF_BITS = 15, /* a leaf has a bit for each page of 128 MiB */
    OOO_N_REGIONS = 1 << (39 - OOO_PAGE_BITS - OOO_LEAF_BITS),
    OOO_FILES = 64
};

/* Sets and ways somewhere in the pools. A tag is the line's number above the set bits, plus one;
 * bit 31 is dirty. A set has a word: the order of use (LRU: a nibble per way, latest lowest), tree
 * bits (PLRU), or ages (QLRU: two bits per way). */
typedef struct ooo_cache {
    uint32_t ways, set_bits, stride_bits, replacement;
    uint32_t first_tag, first_set;
    uint32_t slice_bits; /* of the set bits, from a hash */
} ooo_cache;

/* What was used last in a set of L1D. To use it again changes no replacement state, so this is all
 * that most loads look at. */
typedef struct ooo_recent {
    uint64_t line; /* + 1 */
    ooo_cycle ready;
    uint32_t index;        /* of the tag */
    uint8_t dirty;         /* as in the tag */
    uint8_t loads, offset; /* of the line since it came here, ascending */
    uint8_t reserved;
} ooo_recent;

typedef struct ooo_recent_page {
    uint64_t page; /* + 1 */
    ooo_cycle ready;
} ooo_recent_page;

/* A line on its way into L2 or L3, or a page being walked. */
typedef struct ooo_flight {
    uint64_t key; /* + 1 */
    ooo_cycle ready;
    uint64_t level;
} ooo_flight;

/* Units (buffers, walkers), each with the spans of time for which it is taken, in order. */
typedef struct ooo_span {
    ooo_cycle from, until;
} ooo_span;
typedef struct ooo_units {
    uint32_t n;
    uint32_t count[OOO_UNITS];
    ooo_span spans[OOO_UNITS][OOO_UNIT_SPANS];
} ooo_units;

/* A bus as slots of equal length, a bit each. A word that is older than what it is asked for is
 * free. */
typedef struct ooo_bus {
    uint64_t slots_per_cycle, cycles_per_slot; /* 20 bits of fraction */
    struct {
        uint64_t number, taken;
    } words[OOO_BUS_WORDS];
} ooo_bus;

typedef struct ooo_stride {
    uint64_t ip, address;
    int32_t stride;
    uint32_t confidence;
} ooo_stride;

typedef struct ooo_stream {
    uint64_t page; /* + 1 */
    uint32_t used;
    int8_t line, next, direction; /* within the page: last asked for, next to fetch */
    bool far;                     /* the last access was out of reach */
} ooo_stream;

typedef struct ooo_file {
    uint64_t first, end; /* pages */
} ooo_file;

typedef struct ooo_memory {
    ooo_memory_params params;
    ooo_memory_totals totals;
    ooo_recent recent[OOO_L1_SETS];
    ooo_recent_page recent_page[OOO_TLB_SETS];
    ooo_stride strides[OOO_STRIDES];
    uint32_t l1d_mask, dtlb_mask;
    ooo_cache l1d, l1i, l2, l3, dtlb, itlb, stlb;
    /* extra cycles by level, without waiting */
    ooo_cycle extra[OOO_N_LEVELS];
    ooo_cycle dram_cycles;
    /* latest instruction line and page */
    uint64_t fetch_line, fetch_page; /* + 1 */
    ooo_cycle fetch_ready;
    ooo_units buffers, requests, walkers;
    ooo_bus l2_bus, l3_bus, dram_bus;
    ooo_flight flights[OOO_FLIGHTS];
    ooo_stream streams[OOO_STREAMS];
    uint32_t stream_clock, duel, inserted;
    struct {
        uint64_t line, bytes; /* line + 1; bit per byte */
        ooo_cycle from;
        uint32_t unit;
    } combining[OOO_WC_LINES];
    uint32_t next_combining;
    ooo_cycle ready[OOO_L1_LINES];
    uint8_t from[OOO_L1_LINES]; /* OOO_LEVEL_* that the line came from */
    uint64_t order[OOO_MEMORY_SETS];
    uint32_t tags[OOO_MEMORY_TAGS];
    /* touched pages */
    ooo_file files[OOO_FILES];
    uint32_t n_files, n_leaves;
    uint8_t leaf_of[OOO_N_REGIONS]; /* + 1 */
    uint64_t touched[OOO_PAGE_LEAVES][(1 << OOO_LEAF_BITS) / 64];
} ooo_memory;

/* Skylake client as in an i7-6700 with dual-channel DDR4-2133, at 3.5 GHz. */
void ooo_memory_defaults(ooo_memory_params *ret_params);
/* NULL, or what is wrong with @params in a few words. */
const char *ooo_memory_check(const ooo_memory_params *params);
/* Empty caches, no page touched. @params have passed the check. */
void ooo_memory_init(ooo_memory *memory, const ooo_memory_params *params);

/* ---- events: what the stream says of address space ------------------------------------------- */

/* Pages of files: their lines are in L3 when first touched, and not cleared. */
void ooo_memory_file(ooo_memory *memory, uint64_t address, uint64_t bytes);
/* Fresh or gone: the pages fault again. */
void ooo_memory_map(ooo_memory *memory, uint64_t address, uint64_t bytes);
/* The system touched them for the program; its copy leaves the lines in L2. */
void ooo_memory_touch(ooo_memory *memory, uint64_t address, uint64_t bytes);
/* What the operating system is charged for so far. */
uint64_t ooo_memory_os_cycles(const ooo_memory *memory, uint64_t n_syscalls, uint64_t copied_bytes);

/* ---- accesses -------------------------------------------------------------------------------- */

ooo_cycle ooo_memory_load_slow(ooo_memory *memory, uint64_t address, uint64_t physical,
                               uint32_t bytes, uint64_t ip, ooo_cycle start, uint8_t *ret_level);
ooo_cycle ooo_memory_translate_slow(ooo_memory *memory, uint64_t address, uint64_t physical,
                                    ooo_cycle start);
ooo_cycle ooo_memory_store_slow(ooo_memory *memory, uint64_t physical, uint32_t bytes,
                                ooo_cycle senior, ooo_cycle commit);
ooo_cycle ooo_memory_fetch_slow(ooo_memory *memory, uint64_t address, uint64_t physical,
                                ooo_cycle cycle);
void ooo_memory_prefetch_stride(ooo_memory *memory, uint64_t physical, ooo_cycle start,
                                int64_t stride);
void ooo_memory_prefetch_next(ooo_memory *memory, uint64_t line, ooo_cycle start);

/* What the L1 prefetchers see of a load, whose line is the latest of its set. Next line: when a
 * line is read upwards, three times at least. Stride: from the third equal step of an instruction
 * on. */
static inline void ooo_memory_train(ooo_memory *memory, uint64_t line, uint64_t physical,
                                    uint64_t ip, ooo_cycle start)
{
    ooo_recent *recent = &memory->recent[line & memory->l1d_mask];
    const uint32_t offset = physical & 63;
    if (offset > recent->offset) {
        recent->offset = (uint8_t)offset;
        if (++recent->loads == 3 && memory->params.prefetch_l1_next)
            ooo_memory_prefetch_next(memory, line, start);
    }
    ooo_stride *stride = &memory->strides[(ip ^ ip >> 6) & (OOO_STRIDES - 1)];
    const int64_t step = (int64_t)(physical - stride->address);
    stride->address = physical;
    if (stride->ip == ip && step == stride->stride) {
        if (stride->confidence < 2)
            stride->confidence++;
        else if (step != 0)
            ooo_memory_prefetch_stride(memory, physical, start, step);
    } else {
        stride->ip = ip;
        stride->stride = step >= -2048 && step <= 2048 ? (int32_t)step : 0;
        stride->confidence = 0;
    }
}

/* Load of @bytes at @address, dispatched in @start: cycles beyond a hit in L1D. */
static inline ooo_cycle ooo_memory_load(ooo_memory *memory, uint64_t address, uint64_t physical,
                                        uint32_t bytes, uint64_t ip, ooo_cycle start,
                                        uint8_t *ret_level)
{
    const uint64_t line = physical >> OOO_LINE_BITS, page = address >> OOO_PAGE_BITS;
    const uint32_t offset = physical & 63;
    const ooo_recent *recent = &memory->recent[line & memory->l1d_mask];
    const ooo_recent_page *recent_page = &memory->recent_page[page & memory->dtlb_mask];
    if (recent->line != line + 1 || recent->ready > start || recent_page->page != page + 1 ||
        recent_page->ready > start || offset + bytes > 64)
        return ooo_memory_load_slow(memory, address, physical, bytes, ip, start, ret_level);
    ooo_memory_train(memory, line, physical, ip, start);
    *ret_level = OOO_LEVEL_L1;
    return 0;
}

/* Address of a store known in @start: cycles until it is translated, beyond a hit in the DTLB. */
static inline ooo_cycle ooo_memory_translate(ooo_memory *memory, uint64_t address,
                                             uint64_t physical, ooo_cycle start)
{
    const uint64_t page = address >> OOO_PAGE_BITS;
    const ooo_recent_page *recent = &memory->recent_page[page & memory->dtlb_mask];
    if (recent->page == page + 1 && recent->ready <= start)
        return 0;
    return ooo_memory_translate_slow(memory, address, physical, start);
}

/* Store that may ask for its line from @senior on (retired) and write it in @commit at the
 * earliest: the cycle in which it does, and leaves the store buffer. In program order. */
static inline ooo_cycle ooo_memory_store(ooo_memory *memory, uint64_t physical, uint32_t bytes,
                                         ooo_cycle senior, ooo_cycle commit)
{
    const uint64_t line = physical >> OOO_LINE_BITS;
    const ooo_recent *recent = &memory->recent[line & memory->l1d_mask];
    if (recent->line == line + 1 && recent->dirty && recent->ready <= commit &&
        (physical & 63) + bytes <= 64)
        return commit;
    return ooo_memory_store_slow(memory, physical, bytes, senior, commit);
}

/* Non-temporal store: to memory through a write-combining buffer; the cycle as above. */
ooo_cycle ooo_memory_store_non_temporal(ooo_memory *memory, uint64_t physical, uint32_t bytes,
                                        ooo_cycle commit);
/* All write-combining buffers leave (sfence, mfence, locked accesses). The cycle when they have. */
ooo_cycle ooo_memory_drain(ooo_memory *memory, ooo_cycle cycle);
/* A software prefetch; @level L1 or L2. Takes the load port, waits for nothing. */
void ooo_memory_prefetch(ooo_memory *memory, uint64_t address, uint64_t physical, uint8_t level,
                         ooo_cycle start);

/* Instruction bytes at @address wanted in @cycle: cycles beyond a hit in L1I. */
static inline ooo_cycle ooo_memory_fetch(ooo_memory *memory, uint64_t address, uint64_t physical,
                                         ooo_cycle cycle)
{
    if (memory->fetch_line == (physical >> OOO_LINE_BITS) + 1 && memory->fetch_ready <= cycle &&
        memory->fetch_page == (address >> OOO_PAGE_BITS) + 1)
        return 0;
    return ooo_memory_fetch_slow(memory, address, physical, cycle);
}

#endif
