/* tracer.h - state and inner interfaces of the tracer, which is loaded into qemu-x86_64 twice over:
 * as its TCG plugin and by LD_PRELOAD, so that it also stands between qemu and libc.
 *
 * One guest, one thread (qemu's own second thread is never started), one tracer: its state is one
 * object with a fixed address, since the callbacks of the hot path have no room for a pointer to
 * it.
 *
 *   tracer.c     installing, the callbacks of the hot path, records, faults
 *   translate.c  from a translation block to blocks, slots and callbacks
 *   syscalls.c   what the guest asks of the system: accounts, limits, refusals
 *   answers.c    system calls answered here (SIGSYS), rdtsc, and the seccomp filter
 *   interpose.c  functions of libc as qemu sees them
 *   ranges.c     a set of address ranges */
#ifndef PIE_TRACER_H
#define PIE_TRACER_H

#include "qemu_plugin.h"
#include "ranges.h"
#include "trace/decode.h"
#include "trace/ring.h"

#include <signal.h>

#define PIE_LIKELY(x) __builtin_expect(!!(x), 1)
#define PIE_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* What the guest sees as its process number; also its thread's. */
enum { PIE_GUEST_PID = 1000, PIE_GUEST_UID = 1000 };
/* Nanoseconds since 1970 when every program starts: 2024-01-01. */
#define PIE_GUEST_EPOCH_NS UINT64_C(1704067200000000000)
/* The guest's clocks: one time stamp per instruction, three a nanosecond. */
enum { PIE_GUEST_INSNS_PER_NS = 3 };

/* How the accesses of one instruction find their words. */
typedef struct access_map {
    uint16_t word; /* of the instruction's first slot, from the start of the record */
    uint8_t mode;  /* PIE_SLOTS_* */
    uint8_t load0, load1, store0; /* relative to @word, 255 = none */
    uint16_t n_elements, base_offset;
    uint8_t counts_stores; /* rep: an iteration ends with its store, else with its last load */
} access_map;

/* One block of the trace: a translation block, or a part of one. Never freed, since translated code
 * refers to it. The head is what the hot path touches. */
typedef struct block {
    uint64_t header;  /* of its BLOCK or REP record */
    uint32_t reserve; /* bytes that must be free; NOT_DESCRIBED sends the first execution to the
                         slow path */
    uint32_t n_words; /* of the record */
    uint16_t n_slots, n_insns;
    uint8_t n_branches, is_rep;
    uint16_t n_counted;      /* count words, to be zeroed */
    const uint16_t *counted; /* [n_counted] their places in the record */

    uint64_t address;
    uint32_t id; /* given at the first execution */
    uint16_t n_bytes;
    uint8_t described, changed; /* changed: other code stood here when it was last translated */
    uint8_t broken;             /* qemu would execute it wrongly */
    const char *function;       /* borrowed from qemu; may be NULL */
    struct block *next;         /* with the same hash of the address */
    const uint8_t *bytes;
    const uint16_t *offsets;    /* [n_insns] of each instruction */
    const uint16_t *first_slot; /* [n_insns] */
    access_map *accesses;       /* [n_insns] */
} block;

#define NOT_DESCRIBED UINT32_MAX

enum { ATTENTION_HOST_FAULT = 1, ATTENTION_SIGNAL = 2 };
enum { BLOCK_BUCKETS = 1 << 14, MAX_BLOCKS = 1 << 18, MAX_AREAS = 128 };

typedef struct area {
    uint64_t address, n_bytes;
} area;

typedef struct tracer {
    /* hot */
    uint64_t *next;    /* where the next record starts */
    uint64_t *base;    /* start of the open record */
    uint64_t *end;     /* of the room in this chunk; NULL sends every block to the slow path */
    const block *open; /* block of the record at @base; NULL when that can no longer be cut */
    int64_t left;      /* instructions until the limit */
    uint64_t branches;

    int64_t budget; /* what @left was at the start */
    int64_t rep_left;
    uint32_t attention; /* ATTENTION_* */
    int64_t allowed;    /* >= 0: the limit lies in the open block, after so many instructions */
    const block *last;  /* executed */
    uint64_t *chunk, *chunk_end;
    pie_ring ring;
    bool installed, begun, filtered, untraced;
    bool in_syscall, refuse_memory;
    /* qemu's CPU state: 16 registers, then rip. Exact at the start of the first block after qemu's
     * main loop, and after a fault; found in the register where generated code keeps it. */
    const uint64_t *env;
    int api;
    void *insn_data; /* qemu_plugin_insn_data; revision 3 changed its arguments */
    pie_decoder *decoder;
    block **buckets; /* [BLOCK_BUCKETS] */
    uint32_t n_translated, n_blocks;

    pie_tracer_result result;
    uint64_t limit_memory, limit_stack, limit_output;
    uint32_t frame_fd; /* descriptor that the guest may map, shared; 0 = none */
    uint64_t slept_ns;
    uint64_t random_state;
    uint64_t brk;  /* 0 = not asked for yet */
    ranges memory; /* without the stack */
    area stack;
    area areas[MAX_AREAS]; /* mapped when the guest starts */
    size_t n_areas;
    uint64_t call[6]; /* arguments of the system call under way */
    struct sigaction qemu_segv;
} tracer;

extern tracer the_tracer __attribute__((visibility("hidden")));

/* ---- tracer.c */
uint64_t tracer_instructions(void);           /* retired, up to the end of the open block */
uint64_t tracer_instructions_at(uint64_t pc); /* before the instruction at @pc in the open block */
void tracer_event(uint32_t type, unsigned n_words, uint64_t a, uint64_t b, uint64_t c);
void tracer_close_block(void);                        /* the open block ran to its end */
void tracer_interrupted(uint64_t pc, bool by_signal); /* the open block was left at @pc */
void tracer_attend_limit(void); /* the instruction limit lies in the open block: end here */
void tracer_startup_end(void);
void tracer_touched_host_memory(void); /* the verdict of an access above the guest's addresses */
_Noreturn void tracer_finish(int32_t end, int32_t detail, const char *reason);
void on_first(unsigned vcpu, void *udata);
void on_block(unsigned vcpu, void *udata);
void on_block_counted(unsigned vcpu, void *udata);
void on_rep(unsigned vcpu, void *udata);
void on_access(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *udata);
void on_piece(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *udata);
void on_general(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *udata);
void on_rep_access(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *udata);
void on_stray(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *udata);

/* ---- translate.c */
void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);

/* ---- syscalls.c */
void on_syscall(qemu_plugin_id_t id, unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2,
                uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8);
void on_syscall_return(qemu_plugin_id_t id, unsigned vcpu, int64_t number, int64_t result);

/* ---- answers.c */
/* Before the first instruction of all: note what is mapped, install the handlers. */
void answers_begin(void);
/* Load a filter: one that only keeps host facts from the dynamic loader, then, before the first
 * instruction of the program itself, the strict one. */
void answers_filter(bool strict);
bool answers_is_mapped(uint64_t address, uint64_t n_bytes); /* in the guest */
uint64_t answers_time_ns(void);                             /* the guest's wall clock */
void answers_on_segv(int signal, siginfo_t *info, void *context);

#endif
