/* state.h - what the files of the reference share. Everything that changes from cycle to cycle is
 * one plain struct, so that a copy of it is a copy of the machine. */
#ifndef PIE_TESTS_REFERENCE_STATE_H
#define PIE_TESTS_REFERENCE_STATE_H

#include "reference/machine.h"

enum {
    REF_SLOTS = 80,     /* address words of one instruction */
    REF_PROGRAM = 8192, /* instructions kept: those in flight and those not yet fetched */
    REF_AHEAD = 128,    /* instructions that must be known before a cycle is stepped */
    REF_UOPS = 2048,    /* in flight; this and what follows: rings by number */
    REF_ROB = 1024,
    REF_STORES = 1024,
    REF_WAITING = 1024, /* lists, oldest first */
    REF_NEEDS = 4096,
    REF_REPEATS = 64,
    REF_QUEUE = 256,
    REF_SETS = 64,
    REF_WINDOWS = 16, /* that a set remembers */
    REF_RESERVED = 64,
    REF_BANS = 64,
    REF_SAVED = 48,
    REF_RECORDS = 1 << 16
};

/* Ends the test: a list is too short for what the model does, or the model is at odds with itself.
 */
#define REF_CHECK(condition)                           \
    do {                                               \
        if (!(condition))                              \
            ref_panic(__FILE__, __LINE__, #condition); \
    } while (0)
_Noreturn void ref_panic(const char *file, int line, const char *what);

/* ---- the program ------------------------------------------------------------------------------
 */

typedef struct ref_insn {
    const ooo_block *block;
    const ooo_insn *insn;
    uint64_t slots[REF_SLOTS]; /* its address words, from first_slot of the block on */
    uint32_t first_slot;
    uint64_t iterations;
    bool repeated;
    bool last; /* an event ended the stream behind it: nothing is known of a successor */
} ref_insn;

enum { REF_FROM_DECODERS = 0, REF_FROM_CACHE = 1, REF_FROM_LOOP = 2 };

/* One instruction, or a pair that is handled as one. */
typedef struct ref_unit {
    uint64_t first; /* in the program */
    uint32_t n_insns;
    uint32_t source;
    bool taken;      /* leaves by a taken branch */
    bool by_branch;  /* a taken branch led here */
    bool moved;      /* place or source of the stream changed before it */
    bool switched;   /* its source did */
    bool begins_set; /* of replayed rounds */
    uint64_t address, end;
} ref_unit;

/* ---- front end --------------------------------------------------------------------------------
 */

typedef struct ref_entry { /* of the instruction queue */
    ref_unit unit;
    ref_cycle predecoded; /* its last instruction */
    uint32_t n_predecoded;
} ref_entry;

typedef struct ref_laminated { /* a uop between front end and rename */
    ref_unit unit;
    uint32_t index; /* within the unit */
    ref_cycle entered;
} ref_laminated;

/* What the uop cache knows of a window of code. */
typedef struct ref_window {
    bool used;
    uint64_t number, starts; /* bit i: an instruction that begins at byte i is in it */
    uint32_t lines;          /* 0: it cannot be cached */
    uint64_t stamp;          /* last use */
} ref_window;

/* What the loop detector knows of the code since the last taken branch. */
typedef struct ref_loop {
    uint64_t address;
    uint32_t n_uops, n_before, round; /* laminated uops so far; in the round before */
    bool spoilt, begins_set;
} ref_loop;

typedef struct ref_front {
    uint64_t next; /* instruction of the program to be followed next */
    ref_unit unit; /* the one that is being fetched */
    bool has_unit;
    uint32_t source;
    bool started, previous_taken;
    uint64_t previous_end;

    ref_cycle predecoded; /* when the instruction before was */
    uint32_t n_predecoded_now;
    uint64_t previous_window; /* of 16 bytes */
    uint32_t unit_predecoded;
    bool bound_known, stalled;
    ref_cycle bound;
    uint64_t more_of_window, hidden; /* cycles beyond the first; of the window before, unused */
    uint64_t predecoded_to;          /* instruction of the program */
    ref_cycle predecoded_at[REF_QUEUE];
    ref_entry iq[REF_QUEUE];
    uint32_t n_iq, n_iq_insns;

    ref_cycle next_group;  /* decoders and uop cache may begin a cycle from here on */
    ref_cycle cache_cycle; /* the last one of the cache */
    ref_unit ms_unit;
    uint32_t ms_index;
    ref_cycle ms_at;
    bool ms_busy, ms_from_cache;

    uint32_t unit_delivered; /* uops of the unit that the cache delivers */
    bool line_ends;          /* the next instruction begins another */
    uint32_t line_left, line_place;
    uint64_t line_window;
    bool ended_double; /* the cycle before ended with a two-entry instruction */

    ref_window cache[REF_SETS][REF_WINDOWS];
    uint64_t stamp;
    ref_window filling; /* the window that is being decoded */
    uint32_t filling_left;
    bool filling_bad;

    ref_loop loop;
    ref_laminated queue[REF_QUEUE];
    uint32_t n_queue;
} ref_front;

/* ---- the core ---------------------------------------------------------------------------------
 */

typedef struct ref_value { /* what a name stands for */
    uint64_t uop;          /* its maker; 0: none, or ready is known */
    uint32_t output;
    ref_cycle ready;
    uint64_t alias; /* names with one number (not 0) share a physical register */
} ref_value;

typedef struct ref_need {
    uint64_t consumer, uop;
    uint32_t output, delay;
} ref_need;

enum { REF_NO_CONFLICT = 0, REF_FORWARDED, REF_FAILED, REF_ALIASED };

typedef struct ref_uop {
    uint64_t number; /* from 1, in program order */
    uint64_t insn;   /* of the program */
    uint32_t index;  /* within it; UINT32_MAX: put in by rename */
    uint8_t class, ports, port;
    uint32_t n_pending; /* inputs whose time is not known yet */
    ref_cycle ready;    /* of the other inputs */
    ref_cycle issued, earliest, dispatched, completed;
    uint32_t divider;    /* cycles for which it needs that */
    uint32_t apart, row; /* cycles between two of a row */
    const ooo_use *outputs;
    uint32_t n_outputs;
    ref_cycle complete_from;
    /* memory */
    bool accesses, again; /* again: a split load that needs its port once more */
    uint64_t address;
    uint32_t bytes, load_latency, forward_more;
    uint64_t store;    /* A, D: number of its store, from 1. L: how many are older */
    uint64_t conflict; /* the store that a load waits for */
    uint32_t how;
    ref_cycle data;
    uint64_t after_store;  /* its inputs are not there before the commit of this one; 0: none */
    uint64_t after_slot;   /* the same for a slot's retirement, + 1 */
    uint64_t after_repeat; /* the same for the end of a repetition */
    uint64_t drains;       /* not dispatched before the commit of this store */
    uint64_t repeat;       /* number of the repetition that it belongs to */
    bool results_due;      /* its registers are told when that ends */
} ref_uop;

typedef struct ref_store {
    uint64_t address;
    uint32_t bytes;
    bool accesses;
    ref_cycle address_at, data_at; /* dispatched */
    ref_cycle retired, committed;
    uint64_t locked_by; /* first uop of the locked instruction that it belongs to, else 0 */
    uint32_t locked_for;
    ref_cycle through; /* its second line too */
} ref_store;

typedef struct ref_slot {
    uint64_t insn, first_uop;
    uint32_t n_uops, loads, integers, vectors;
    uint64_t last_store; /* 0: none is complete with this slot */
    ref_cycle issued, complete_from;
} ref_slot;

/* A repeated string instruction. */
typedef struct ref_repeat {
    uint64_t first_uop, last_uop, last_slot;
    uint32_t left; /* uops not dispatched */
    ref_cycle issued, cycles, begins, ends;
} ref_repeat;

#define REF_DIVIDER UINT32_MAX

/* What one uop at a time may have: the divider, or what the instances of a blk= row share. */
typedef struct ref_reserved {
    uint32_t row; /* REF_DIVIDER */
    uint64_t uop;
    ref_cycle until;
} ref_reserved;

typedef struct ref_ban {
    uint64_t younger, older; /* may not go before */
} ref_ban;

typedef struct ref_write {
    uint8_t name;
    ref_value value;
} ref_write;

typedef struct ref_state {
    ref_cycle cycle;
    uint64_t n_records; /* given out so far */
    ref_front front;

    /* rename */
    ref_value names[OOO_N_NAMES];
    bool own_high[4]; /* ah ch dh bh hold a newer value of their own */
    uint32_t pointer_loaded;
    int32_t rsp_offset;
    uint8_t x87_top;
    bool turn;                    /* the next uop for ports 2 and 3 takes 3 */
    bool sync_done, sync_pending; /* the stack engine has seen the unit at the head */
    bool unit_eliminated;
    bool unit_begun;     /* what goes before the unit at the head of the queue is done */
    uint32_t group_left; /* slots of a laminated uop that is longer than a cycle */
    uint32_t unit_slots, unit_uops, unit_accesses[OOO_N_LOADED][2]; /* of it, issued */
    ref_write late[256];                                            /* registers that it writes */
    uint32_t n_late;
    uint32_t bound[8]; /* per port, as rename sees it */
    uint32_t bound_now[8], dispatched_now[8];
    uint32_t eliminated_now[2], eliminated_before[2]; /* [0] integer, [1] vector */
    uint32_t shared_before[2], shared_before2[2];
    uint64_t n_aliases;
    uint64_t n_uops;                         /* the last number given */
    uint32_t n_loads, n_integers, n_vectors; /* in flight */
    uint64_t n_stores_left;                  /* stores that have left the buffer */
    uint64_t n_repeats;                      /* the last number given */
    ref_repeat repeats[REF_REPEATS];
    uint64_t loads_after_store, stores_after_store; /* locks, fences: see ref_uop */
    uint64_t loads_after_slot;

    /* scheduler */
    uint64_t waiting[REF_WAITING];
    uint32_t n_waiting, n_scheduler; /* all; those that have an entry */
    ref_need needs[REF_NEEDS];
    uint32_t n_needs;
    ref_reserved reserved[REF_RESERVED];
    uint32_t n_reserved;
    ref_ban bans[REF_BANS];
    uint32_t n_bans;

    /* memory */
    uint64_t loading[REF_WAITING]; /* loads that wait for a store */
    uint32_t n_loading;
    uint64_t n_stores, n_committed; /* numbers given; with a known commit */
    ref_store stores[REF_STORES];

    /* reorder buffer */
    uint64_t first_slot, end_slot;
    ref_slot rob[REF_ROB];
    ref_cycle retired_at[REF_ROB], last_retired;
    ref_uop uops[REF_UOPS];
} ref_state;

/* ---- the model --------------------------------------------------------------------------------
 */

struct ref_model {
    ref_params params;
    const ooo_table *table;
    ooo_block **blocks; /* by id */
    size_t n_blocks;
    ref_insn *program; /* ring by number */
    uint64_t n_program;
    ref_record *records; /* ring by number */
    uint64_t records_taken;
    ref_state *state;
    ref_state *begin; /* of this cycle, when something may go that should not */
    struct ref_saved {
        ref_reserved reason; /* uop that may turn out to have gone too early */
        uint64_t blamed; /* not 0: returned to already, for this uop; to be returned to once more if
                            that was wrong */
        ref_state *state;
    } saved[REF_SAVED]; /* oldest first */
    uint32_t n_saved;
    uint64_t n_returns;
    char name[256];
};

static inline ref_insn *ref_program(ref_model *model, uint64_t number)
{
    return &model->program[number % REF_PROGRAM];
}
static inline const ref_insn *ref_unit_insn(ref_model *model, const ref_unit *unit)
{
    return ref_program(model, unit->first);
}

/* One cycle's work of each part. */
void ref_rename(ref_model *model);
void ref_commit(ref_model *model);
void ref_retire(ref_model *model);
void ref_dispatch(ref_model *model);
void ref_replay(ref_model *model); /* within rename */
void ref_predecode(ref_model *model);
void ref_decode(ref_model *model);

/* Whether uop @number has been dispatched. */
bool ref_is_dispatched(const ref_state *state, uint64_t number);
/* Whether some uop may pass an older one this cycle that needs the same unit. */
bool ref_may_pass(ref_model *model);
/* Keep the state of the beginning of this cycle as long as @reason lasts. */
void ref_save(ref_model *model, const ref_reserved *reason);
/* Go back to the state kept for @reason; its uop may not go before uop @older again. */
void ref_return(ref_model *model, const ref_reserved *reason, uint64_t older);
void ref_record_add(ref_model *model, const ref_record *record);

#endif
