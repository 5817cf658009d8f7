/* tracer.c - installing, the callbacks of the hot path, records and faults.
 *
 * Records are written in the form of pie/trace.h straight into the ring. The record of a block is
 * begun when the block begins, with every slot empty, filled by the callbacks of its accesses, and
 * stays "open" until the next one begins, so that a fault can still turn it into CUT: a chunk is
 * published only when a further block finds no room in it. */
#include "tracer.h"

#include "pie/trace.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SLACK_WORDS = 16, /* kept free behind a record: CUT is a word longer, filling overshoots */
    MIN_REP_LIMIT = 1 << 24, /* iterations; otherwise as many as instructions */
    REGISTER_RDI = 7,
    REGISTER_RSP = 4,
    REGISTER_RIP = 16
};

tracer the_tracer;
#define t the_tracer

/* ---- counting and ending -------------------------------------------------------------------- */

uint64_t tracer_instructions(void)
{
    return (uint64_t)(t.budget - t.left);
}

static size_t insn_at(const block *b, uint64_t pc)
{
    for (size_t i = 0; i < b->n_insns; i++)
        if (b->address + b->offsets[i] == pc)
            return i;
    return b->n_insns;
}

uint64_t tracer_instructions_at(uint64_t pc)
{
    const block *b = t.open;
    return b ? tracer_instructions() - b->n_insns + insn_at(b, pc) : tracer_instructions();
}

static void copy_text(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}

/* @detail: exit status, signal or number of a system call. Every path out of the guest ends here;
 * the last chunk and the result leave together. */
_Noreturn void tracer_finish(int32_t end, int32_t detail, const char *reason)
{
    pie_tracer_result *r = &t.result;
    tracer_close_block();
    if (end == PIE_TRACER_EXITED || end == PIE_TRACER_SIGNALLED) {
        tracer_startup_end();
        tracer_event(PIE_EVENT_END, 1, end == PIE_TRACER_EXITED ? 0 : (uint64_t)detail, 0, 0);
    }
    r->end = end;
    r->exit_status = end == PIE_TRACER_EXITED ? detail : 0;
    r->signal = end == PIE_TRACER_SIGNALLED ? detail : 0;
    r->syscall_number = end == PIE_TRACER_FORBIDDEN ? detail : -1;
    r->instructions = tracer_instructions();
    r->branches = t.branches;
    r->blocks = t.n_blocks;
    if (!r->startup_instructions)
        r->startup_instructions = r->instructions;
    copy_text(r->function, sizeof r->function, t.last ? t.last->function : NULL);
    copy_text(r->reason, sizeof r->reason, reason);
    if (t.ring.control) {
        t.ring.control->result = *r;
        pie_ring_end(&t.ring, t.untraced || !t.chunk ? 0 : (uint32_t)(t.next - t.chunk));
    }
    _exit(0);
}

/* ---- the chunk ------------------------------------------------------------------------------ */

static void begin_chunk(void)
{
    t.chunk = pie_ring_chunk(&t.ring);
    t.chunk_end = t.chunk + PIE_RING_CHUNK_WORDS - SLACK_WORDS;
    t.next = t.base = t.chunk;
    t.end = t.chunk_end;
}

/* Only between records. Without a stream the chunk is written over and over: the hot path is the
 * same, and nothing is published. */
static void flush_chunk(void)
{
    pie_ring_control *control = t.ring.control;
    atomic_fetch_add_explicit(&control->alive, 1, memory_order_relaxed);
    if (!t.untraced && atomic_load_explicit(&control->want, memory_order_relaxed))
        t.untraced = true;
    if (!t.untraced)
        pie_ring_publish(&t.ring, (uint32_t)(t.next - t.chunk));
    begin_chunk();
}

static void need_words(size_t n)
{
    if (t.next + n > t.chunk_end)
        flush_chunk();
}

void tracer_event(uint32_t type, unsigned n_words, uint64_t a, uint64_t b, uint64_t c)
{
    need_words(4);
    t.next[0] = pie_record_header(PIE_RECORD_EVENT, n_words + 1, type);
    t.next[1] = a;
    t.next[2] = b;
    t.next[3] = c;
    t.next += n_words + 1;
}

void tracer_startup_end(void)
{
    if (t.result.startup_instructions)
        return;
    t.result.startup_instructions = tracer_instructions();
    tracer_event(PIE_EVENT_STARTUP_END, 0, 0, 0, 0);
}

/* ---- open blocks ---------------------------------------------------------------------------- */

void tracer_close_block(void)
{
    if (t.open)
        t.last = t.open;
    t.open = NULL;
}

/* Turn the open record into CUT after @n instructions, or drop it. */
static void cut_open(size_t n, bool drop)
{
    const block *b = t.open;
    uint64_t *record = t.base;
    tracer_close_block();
    t.left += (int64_t)(b->n_insns - n);
    t.branches -= b->n_branches; /* a branch is the last instruction of its block */
    if (drop) {
        t.next = record;
        return;
    }
    if (b->is_rep)
        memset(record + 2, 0xff, b->n_slots * sizeof *record);
    else
        memmove(record + 2, record + 1, b->n_slots * sizeof *record);
    for (size_t i = n < b->n_insns ? b->first_slot[n] : b->n_slots; i < b->n_slots; i++)
        record[2 + i] = PIE_NO_ACCESS;
    record[0] = pie_record_header(PIE_RECORD_CUT, 2u + b->n_slots, b->id);
    record[1] = n;
    t.next = record + 2 + b->n_slots;
}

void tracer_attend_limit(void)
{
    if (t.allowed < 0)
        return;
    const size_t n = (size_t)t.allowed;
    t.allowed = -1;
    if (t.open)
        cut_open(n, n == 0);
    tracer_finish(PIE_TRACER_INSTRUCTION_LIMIT, 0, "instruction limit reached");
}

/* The guest stopped at @pc. When that is inside the open block the block was cut there; otherwise
 * it ran to its end and the fault belongs to what comes next. */
void tracer_interrupted(uint64_t pc, bool by_signal)
{
    const block *b = t.open;
    if (!b)
        return;
    const size_t n = insn_at(b, pc);
    if (t.allowed >= 0 && n >= (size_t)t.allowed)
        tracer_attend_limit();
    t.allowed = -1;
    if (n < b->n_insns)
        cut_open(n, !by_signal && n == 0); /* not executed at all: code changed under it */
    else
        tracer_close_block();
    if (by_signal) {
        t.attention |= ATTENTION_SIGNAL;
        t.end = NULL;
    }
}

/* What happened since the last block began, seen from the start of the next one. */
static void attend(const block *b)
{
    if (t.allowed >= 0)
        tracer_attend_limit();
    /* A host fault that did not come back into the translated code: either a signal, which has been
     * dealt with, or a store into the page of the running block, which qemu then runs again. */
    if (t.attention & ATTENTION_HOST_FAULT && !(b->is_rep && t.open == b))
        tracer_interrupted(b->address, false);
    if (t.attention & ATTENTION_SIGNAL && t.env[REGISTER_RIP] == b->address &&
        t.env[REGISTER_RDI] >= 1 && t.env[REGISTER_RDI] <= 64)
        tracer_event(PIE_EVENT_SIGNAL, 1, t.env[REGISTER_RDI], 0, 0);
    t.attention = 0;
    t.end = t.chunk_end;
}

static void describe(block *b)
{
    const size_t n_words = (b->n_bytes + 7u) / 8u;
    if (t.n_blocks >= MAX_BLOCKS)
        tracer_finish(PIE_TRACER_MEMORY_LIMIT, 0, "the program makes too much code");
    if (b->broken)
        tracer_finish(PIE_TRACER_BROKEN, 0,
                      "this qemu executes gathers with vector index register 4 wrongly");
    b->id = t.n_blocks++;
    const uint32_t kind = b->is_rep ? PIE_RECORD_REP : PIE_RECORD_BLOCK;
    b->header = pie_record_header(kind, b->n_words, b->id);
    b->described = 1;
    need_words(3 + n_words);
    t.next[0] = pie_record_header(PIE_RECORD_RAW_BLOCK, (uint32_t)(3 + n_words), b->id);
    t.next[1] = b->address;
    t.next[2] = (uint64_t)b->n_bytes | (uint64_t)b->n_insns << 16 | (uint64_t)b->n_slots << 32 |
                (uint64_t)b->n_branches << 48;
    t.next[2 + n_words] = 0;
    memcpy(t.next + 3, b->bytes, b->n_bytes);
    t.next += 3 + n_words;
}

/* The slow path of a block: whatever keeps its record from being begun at t.next at once. */
static __attribute__((noinline)) uint64_t *make_room(block *b)
{
    attend(b);
    tracer_close_block();
    if (b->changed) {
        b->changed = 0;
        tracer_event(PIE_EVENT_CODE_CHANGED, 2, b->address, b->n_bytes, 0);
    }
    if (!b->described)
        describe(b);
    b->reserve = (uint32_t)(b->n_words * sizeof(uint64_t));
    need_words(b->n_words);
    return t.next;
}

/* ---- callbacks of the hot path -------------------------------------------------------------- */

static __attribute__((noinline)) void over_limit(const block *b)
{
    if (t.allowed >= 0)
        return;
    t.allowed = (int64_t)b->n_insns + t.left;
    if (t.allowed == 0)
        tracer_attend_limit(); /* not one instruction of it */
    t.end = NULL;
}

static inline __attribute__((always_inline)) uint64_t *begin_block(block *b)
{
    uint64_t *record = t.next;
    if (PIE_UNLIKELY((uintptr_t)record + b->reserve > (uintptr_t)t.end))
        record = make_room(b);
    t.open = b;
    t.base = record;
    t.next = record + b->n_words;
    t.branches += b->n_branches;
    record[0] = b->header;
    /* most blocks have few slots: four are emptied without a look at their number */
    uint64_t *slots = record + 1;
    for (size_t n = 0;; slots += 4) {
        slots[0] = slots[1] = slots[2] = slots[3] = PIE_NO_ACCESS;
        n += 4;
        if (PIE_LIKELY(n >= b->n_slots))
            break;
        __asm__ volatile(""); /* no call of memset */
    }
    return record;
}

static inline __attribute__((always_inline)) void count_block(const block *b)
{
    t.left -= b->n_insns;
    if (PIE_UNLIKELY(t.left < 0))
        over_limit(b);
}

void on_block(unsigned vcpu, void *udata)
{
    (void)vcpu;
    block *b = udata;
    begin_block(b);
    count_block(b);
}

void on_block_counted(unsigned vcpu, void *udata)
{
    (void)vcpu;
    block *b = udata;
    uint64_t *record = begin_block(b);
    for (size_t i = 0; i < b->n_counted; i++)
        record[b->counted[i]] = 0;
    count_block(b);
}

/* Called before the repeated instruction, and again before every further iteration, which qemu runs
 * as a block of its own: those belong to the record begun first. */
void on_rep(unsigned vcpu, void *udata)
{
    (void)vcpu;
    block *b = udata;
    if (t.open == b) {
        if (PIE_UNLIKELY(t.attention || t.allowed >= 0))
            attend(b);
        if (t.open == b)
            return;
    }
    uint64_t *record = begin_block(b);
    record[1] = record[2] = 0;
    for (size_t i = 0; i < b->n_slots; i++)
        record[3 + i] = PIE_NO_ACCESS;
    count_block(b);
}

__attribute__((noinline, cold)) void tracer_touched_host_memory(void)
{
    if (t.open)
        cut_open(0, true);
    tracer_finish(PIE_TRACER_TAMPERING, 0, "the program touched memory outside its address space");
}

static inline __attribute__((always_inline)) void check_address(uint64_t address)
{
    if (PIE_UNLIKELY(address >= PIE_GUEST_ADDRESS_LIMIT))
        tracer_touched_host_memory();
}

void on_access(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *udata)
{
    (void)vcpu;
    (void)info;
    check_address(address);
    t.base[(uintptr_t)udata] = address;
}

/* A wide access may come in pieces, ascending, so that the least address is the first: no branch.
 */
void on_piece(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *udata)
{
    (void)vcpu;
    (void)info;
    check_address(address);
    uint64_t *slot = &t.base[(uintptr_t)udata];
    *slot = *slot < address ? *slot : address;
}

void on_stray(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *udata)
{
    (void)vcpu;
    (void)info;
    (void)udata;
    check_address(address);
}

void on_general(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *udata)
{
    (void)vcpu;
    check_address(address);
    const access_map *map = udata;
    const bool store = qemu_plugin_mem_is_store(info);
    const uint8_t at = store ? map->store0 : map->load0;
    if (at == 255)
        return;
    uint64_t *slot = &t.base[map->word + at];
    if (map->mode == PIE_SLOTS_COUNTED) {
        const uint64_t n = slot[0]++;
        if (n < map->n_elements)
            slot[1 + n] = n == 0 ? address - map->base_offset : address;
    } else if (*slot == PIE_NO_ACCESS) {
        *slot = address;
    } else if (!store && map->load1 != 255 && t.base[map->word + map->load1] == PIE_NO_ACCESS) {
        t.base[map->word + map->load1] = address;
    }
}

/* Record of a rep: header, iterations, flags, slots. An iteration counts when its last access was
 * made, so that one that faults does not. */
void on_rep_access(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *udata)
{
    (void)vcpu;
    check_address(address);
    const access_map *map = udata;
    uint64_t *record = t.base;
    const bool store = qemu_plugin_mem_is_store(info);
    const uint8_t at = store ? map->store0 : map->load0;
    if (at == 255)
        return;
    uint64_t *slot = &record[map->word + at];
    if (*slot == PIE_NO_ACCESS) {
        *slot = address;
        if (map->load1 != 255 && !store)
            return;
    } else if (!store && map->load1 != 255) {
        /* cmps: its loads alternate; word 2 remembers above the flags which one is next */
        uint64_t *second = &record[map->word + map->load1];
        if (*second == PIE_NO_ACCESS) {
            *second = address;
        } else if (!(record[2] >> 32)) {
            if (record[1] == 1 && address < *slot)
                record[2] |= PIE_REP_BACKWARD;
            record[2] |= UINT64_C(1) << 32;
            return;
        }
        record[2] &= UINT32_MAX;
    } else if (record[1] == 1 && address < *slot) {
        record[2] |= PIE_REP_BACKWARD;
    }
    if (store != map->counts_stores)
        return;
    record[1]++;
    if (--t.rep_left < 0) {
        cut_open(0, false);
        tracer_finish(PIE_TRACER_INSTRUCTION_LIMIT, 0,
                      "limit of iterations of repeated string instructions reached");
    }
}

/* ---- the start of the guest ----------------------------------------------------------------- */

/* Before the first block of all. @env comes from the register in which code translated for x86-64
 * hosts keeps it; what lies there must look like the guest's state, or this qemu is another one. */
static __attribute__((used)) void start(unsigned vcpu, void *udata, const uint64_t *env)
{
    (void)vcpu;
    const block *b = udata;
    if (t.env)
        return;
    const uint64_t stack = env[REGISTER_RSP];
    if (env[REGISTER_RIP] != b->address || stack % 16 != 0 || stack >= PIE_GUEST_ADDRESS_LIMIT)
        tracer_finish(PIE_TRACER_BROKEN, 0,
                      "this qemu keeps the state of its CPU in an unknown way");
    t.env = env;
    for (size_t i = 0; i < t.n_areas; i++) {
        const area *a = &t.areas[i];
        tracer_event(PIE_EVENT_MAP, 2, a->address, a->n_bytes, 0);
        /* the stack's size is a limit, not a use: it stays out of the account */
        if (stack >= a->address && stack - a->address <= a->n_bytes)
            t.stack = *a;
        else if (!ranges_add(&t.memory, a->address, a->address + a->n_bytes))
            tracer_finish(PIE_TRACER_BROKEN, 0, "the tracer is out of memory");
    }
    t.result.peak_bytes = t.memory.total;
}

/* The third argument of start() is rbp as generated code left it. */
__asm__(".text\n"
        ".globl on_first\n"
        ".hidden on_first\n"
        ".type on_first, @function\n"
        "on_first:\n"
        "    mov %rbp, %rdx\n"
        "    jmp start\n"
        ".size on_first, . - on_first\n");

/* Revision 2 (qemu 9.0) refuses plugins of revision 1 and the other way round; qemu reads this
 * before it calls anything. */
__attribute__((visibility("default"))) int qemu_plugin_version = 1;

__attribute__((constructor)) static void choose_api(void)
{
    if (dlsym(RTLD_DEFAULT, "qemu_plugin_num_vcpus"))
        qemu_plugin_version = 2;
}

static bool has_api(void)
{
    return qemu_plugin_register_vcpu_tb_trans_cb && qemu_plugin_register_vcpu_tb_exec_cb &&
           qemu_plugin_register_vcpu_insn_exec_cb && qemu_plugin_register_vcpu_mem_cb &&
           qemu_plugin_register_vcpu_syscall_cb && qemu_plugin_register_vcpu_syscall_ret_cb &&
           qemu_plugin_tb_n_insns && qemu_plugin_tb_vaddr && qemu_plugin_tb_get_insn &&
           qemu_plugin_insn_size && qemu_plugin_insn_vaddr && qemu_plugin_insn_symbol &&
           qemu_plugin_mem_is_store && qemu_plugin_start_code && qemu_plugin_end_code;
}

/* @argv: "ring=FD". Anything but 0 makes qemu give up. */
__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id,
                                                               const struct qemu_info_t *info,
                                                               int argc, char **argv)
{
    int fd = -1;
    for (int i = 0; i < argc; i++)
        if (strncmp(argv[i], "ring=", 5) == 0)
            fd = (int)strtol(argv[i] + 5, NULL, 10);
    if (fd < 0 || strcmp(info->target_name, "x86_64") != 0 || !has_api()) {
        fprintf(stderr, "libpie-tracer: unusable with this qemu, or started by hand\n");
        return -1;
    }
    t.api = info->version.cur;
    t.insn_data = dlsym(RTLD_DEFAULT, "qemu_plugin_insn_data");
    t.buckets = calloc(BLOCK_BUCKETS, sizeof(block *));
    if (!t.insn_data || !t.buckets || pie_decoder_new(&t.decoder) != PIE_OK ||
        pie_ring_map(fd, &t.ring) != PIE_OK) {
        fprintf(stderr, "libpie-tracer: cannot start: out of memory?\n");
        return -1;
    }
    close(fd);
    const pie_ring_control *control = t.ring.control;
    t.budget = INT64_MAX;
    if (control->limit_instructions && control->limit_instructions < INT64_MAX)
        t.budget = (int64_t)control->limit_instructions;
    t.left = t.budget;
    t.rep_left = t.budget > MIN_REP_LIMIT ? t.budget : MIN_REP_LIMIT;
    t.limit_memory = control->limit_memory ? control->limit_memory : UINT64_MAX;
    t.limit_output = control->limit_output ? control->limit_output : UINT64_MAX;
    t.limit_stack = control->limit_stack;
    t.frame_fd = control->frame_fd;
    t.untraced = control->want != 0;
    t.allowed = -1;
    t.random_state = 1;
    begin_chunk();
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
    qemu_plugin_register_vcpu_syscall_ret_cb(id, on_syscall_return);
    t.installed = true;
    return 0;
}
