/* core.h - one out-of-order core: parameters and state.
 *
 * The core takes instructions in program order and works out, for each, when it is predecoded,
 * decoded or read from the uop cache, issued, dispatched, completed and retired, from times of
 * older instructions only (docs/internals/ooo.md has every rule). Nothing is simulated cycle by
 * cycle; resources are sets of busy cycles or rings of older times.
 *
 * The state is flat, so that a copy is one memcpy. */
#ifndef OOO_CORE_H
#define OOO_CORE_H

#include "expand.h"

typedef uint64_t ooo_cycle;

enum { OOO_N_PORTS = 8 };

/* How uops get their port at rename. */
enum {
    OOO_BIND_COUNTERS = 0, /* the least waiting uops, second least in odd slots */
    OOO_BIND_LOWEST = 1    /* always the lowest port: a baseline */
};

typedef struct ooo_params {
    /* front end */
    uint32_t predecode_width, iq_entries, iq_delay, decoders, idq_entries;
    uint32_t dsb_width, dsb_window, dsb_shift, dsb_lines, dsb_line_uops, dsb_sets, dsb_ways;
    uint32_t ms_width, dsb_ms_stall;
    bool lsd, jcc_erratum, dsb_both_halves, fusible_last;
    uint8_t lsd_copies[256]; /* by uops in the loop: copies of it in the queue at a time */
    /* rename, retire */
    uint32_t issue_width, retire_width, rob_entries, scheduler_entries, load_entries, store_entries,
        integer_registers, vector_registers, elim_integer, elim_vector, dispatch_delay;
    uint32_t binding; /* OOO_BIND_* */
    /* memory in the first-level cache, cycles */
    uint32_t load_latency, load_latency_pointer, load_latency_vector, load_latency_wide;
    uint32_t store_address_latency, forward_latency, forward_failed, alias_penalty, split_penalty;
    /* parts that an ablation leaves out */
    bool no_predecode, no_decode, no_ports, no_latency, no_fusion, no_elimination, no_forwarding,
        no_sync;
} ooo_params;

enum { OOO_FROM_MITE = 0, OOO_FROM_DSB = 1, OOO_FROM_LSD = 2 };

enum {
    OOO_IQ_RING = 64,
    OOO_IDQ_RING = 256,
    OOO_ROB_RING = 1024,
    OOO_BUFFER_RING = 256,
    OOO_STORE_RING = 256,
    OOO_WRITER_RING = 1024,
    OOO_HORIZON = 1 << 17, /* cycles for which port and divider reservations are kept */
    OOO_DSB_SETS = 64,
    OOO_DSB_ENTRIES = 16, /* windows remembered per set */
    OOO_N_GRANULES = 512, /* 8-byte granules of a page */
    OOO_ELIM_GROUPS = 17  /* more than names of a register file */
};

/* One 32-byte window in the uop cache. */
typedef struct ooo_window {
    uint64_t address; /* / window size, + 1; 0 = none */
    uint64_t starts;  /* bit i: an instruction that begins at byte i is in it */
    uint64_t used;    /* for LRU */
    uint64_t lines;   /* ways taken; 0 = cannot be cached */
} ooo_window;

typedef struct ooo_front {
    uint8_t source; /* OOO_FROM_* */
    bool redirected;
    /* predecode */
    ooo_cycle predecode_cycle;
    uint64_t predecode_window; /* address / 16 */
    uint32_t predecode_n, window_cycles, hidden;
    uint64_t n_predecoded;
    ooo_cycle removed[OOO_IQ_RING]; /* when the decoder took an instruction */
    /* decode */
    ooo_cycle decode_cycle;
    uint32_t decoders_left, n_decoded; /* in this group */
    ooo_cycle ms_cycle;                /* of the microcode sequencer's last group */
    /* uop cache delivery */
    ooo_cycle dsb_cycle;
    uint32_t dsb_left, dsb_delivered, line_left, line_slot, last_slot;
    bool dsb_from_start, dsb_second, dsb_delay_before, dsb_delay, line_ends, last_taken;
    uint64_t line_window;
    /* the window that is being decoded, to be put into the uop cache */
    uint64_t fill_window; /* + 1; 0 = none */
    uint64_t fill_starts;
    uint32_t fill_lines, fill_left;
    bool fill_bad;
    uint64_t clock; /* of the LRU */
    /* the window that the cache delivers from */
    uint64_t current_window; /* + 1; 0 = none */
    uint64_t current_starts;
    ooo_window dsb[OOO_DSB_SETS][OOO_DSB_ENTRIES];
    /* queue to rename */
    uint64_t n_queued;
    ooo_cycle queue_left[OOO_IDQ_RING]; /* when a queued uop was issued */
    /* loop stream detector: the loop that may be going on */
    uint64_t loop_address;
    uint32_t loop_uops, loop_last_uops, loop_round;
    bool loop_bad, lsd_boundary; /* boundary: the next instruction begins a round of copies */
} ooo_front;

typedef struct ooo_store {
    uint64_t address, physical;
    ooo_cycle address_ready, data_ready, commit;
    uint32_t bytes;
    bool counts; /* false: made no access */
} ooo_store;

/* Registers are read as they were before an instruction, so its writes wait until it is through. */
enum { OOO_MAX_WRITES = 64 };
typedef struct ooo_late_write {
    ooo_cycle cycle;
    uint8_t name;
} ooo_late_write;

typedef struct ooo_rename {
    ooo_cycle cycle;
    uint32_t slot;
    /* unfused uops that wait, in all and per port (a byte each) */
    uint32_t waiting;
    uint64_t counts, counts_new;
    ooo_cycle waiting_seen, counts_seen;
    uint8_t next_load_port;
    /* move elimination, per register file: moves in this cycle and the last; shared registers at
     * the end of the last cycle [1] and of the one before [2] */
    uint8_t elim_count[2][2], elim_used[2][3];
    uint8_t group_of[OOO_N_NAMES];          /* registers that share: 0 = alone, else group + 1 */
    uint8_t group_size[2][OOO_ELIM_GROUPS]; /* general, vector */
    uint8_t n_groups[2];
    uint8_t high_dirty;
    int32_t rsp_offset;
    uint8_t x87_top;
    uint32_t pointer_loaded; /* bit r: register r was written by a pointer load */
} ooo_rename;

/* What observers of a test see of each unfused uop; see OOO_OBSERVE in core.c. */
typedef struct ooo_event {
    uint64_t address;
    uint32_t uop; /* within the instruction */
    uint8_t class, port;
    ooo_cycle issued, dispatched, completed;
} ooo_event;

typedef struct ooo_totals {
    uint64_t instructions, slots, branches, loads, stores, syscalls, write_calls;
    uint64_t ports[OOO_N_PORTS], eliminated, not_eliminated, unknown, forwards, forward_failures,
        aliases, splits, fused_pairs, merges, stack_syncs;
    uint64_t from_mite, from_dsb, from_lsd, from_ms;
    uint64_t lost_front, lost_core, lost_memory, lost_speculation;
} ooo_totals;

/* When an instance of a row with blk= began. */
enum { OOO_MAX_APART = 256 }; /* the scheduler's largest */
typedef struct ooo_apart {
    uint32_t row, distance;
    ooo_cycle start;
} ooo_apart;

typedef struct ooo_core {
    ooo_params params;
    int32_t page_map;
    ooo_totals totals;
    ooo_front front;
    ooo_rename rename;
    ooo_cycle ready[OOO_N_NAMES];
    ooo_late_write writes[OOO_MAX_WRITES]; /* of the instruction that is being executed */
    /* retirement */
    uint64_t n_slots; /* fused slots so far */
    ooo_cycle retired[OOO_ROB_RING], last_retire;
    uint64_t n_loads, n_stores, n_integer, n_vector;
    ooo_cycle load_retired[OOO_BUFFER_RING];
    ooo_cycle integer_retired[OOO_WRITER_RING], vector_retired[OOO_WRITER_RING];
    ooo_store stores[OOO_STORE_RING];
    uint64_t last_store[OOO_N_GRANULES]; /* number + 1 of the youngest store to a granule */
    ooo_cycle last_commit, loads_from, stores_from;
    /* reservations */
    uint8_t dispatched[OOO_HORIZON];
    uint64_t busy[OOO_N_PORTS][OOO_HORIZON / 64];
    uint64_t divider[OOO_HORIZON / 64];
    ooo_apart apart[OOO_MAX_APART];
    uint32_t n_apart;
} ooo_core;

/* An instruction in its dynamic surroundings. */
typedef struct ooo_step {
    const ooo_block *block;
    const ooo_insn *insn;
    const ooo_insn *branch; /* the conditional jump fused with it, or NULL */
    const uint64_t *slots;  /* address slots of the block, from number first_slot on */
    uint32_t first_slot;
    uint64_t number; /* in the instruction queue; of the branch, one more */
    ooo_cycle predecoded, branch_predecoded;
    uint64_t iterations; /* of a repeated string instruction */
    uint8_t source;      /* OOO_FROM_* */
    bool taken;          /* ends with a taken branch */
    bool boundary;       /* begins a round of a loop in the queue: not in the cycle of the last */
} ooo_step;

/* Front end, in this order for consecutive instructions a, b: structure(a), source(b), predecode(b)
 * when both are decoded, deliver(a). See docs/internals/ooo.md. */
void ooo_front_init(ooo_core *core);
/* a's place in the uop cache; known once its successor is. */
void ooo_front_structure(ooo_core *core, const ooo_step *step);
/* Where the instruction at @address comes from; @sequential: it follows the one before in memory.
 */
uint8_t ooo_front_source(ooo_core *core, uint64_t address, bool sequential);
ooo_cycle ooo_front_predecode(ooo_core *core, const ooo_insn *insn);
/* Delivery of a step: begin, then next for each laminated uop, which says when it enters the queue,
 * then end. @next: when the instruction after it was predecoded, 0 = not known. The caller issues a
 * uop, and notes in queue_left when, before it asks for the next one. */
void ooo_front_begin(ooo_core *core, const ooo_step *step, ooo_cycle next);
ooo_cycle ooo_front_next(ooo_core *core, const ooo_step *step, uint32_t laminated);
void ooo_front_end(ooo_core *core, const ooo_step *step);

void ooo_core_init(ooo_core *core, const ooo_params *params, int32_t page_map);
/* Delivery to retirement of @step. @next_predecoded: as above. Returns the cycle of its retirement.
 */
ooo_cycle ooo_core_execute(ooo_core *core, const ooo_step *step, ooo_cycle next_predecoded);

#ifdef OOO_OBSERVE
extern void (*ooo_observe)(const ooo_event *event);
extern void (*ooo_observe_slot)(ooo_cycle retired); /* of a slot, after its uops */
#endif

#endif
