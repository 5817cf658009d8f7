/* core.c - queue to retirement: rename, ports, execution, memory in the first-level cache. */
#include "core.h"

#include <string.h>

enum { TAKEN_PORTS = 1u << 6, NOT_TAKEN_PORTS = 1u << 6 | 1u << 0 };

#ifdef OOO_OBSERVE
void (*ooo_observe)(const ooo_event *event);
void (*ooo_observe_slot)(ooo_cycle retired);
#endif

static ooo_cycle later(ooo_cycle a, ooo_cycle b)
{
    return a > b ? a : b;
}

void ooo_core_init(ooo_core *core, const ooo_params *params, int32_t page_map)
{
    memset(core, 0, sizeof *core);
    core->params = *params;
    core->page_map = page_map;
    ooo_front_init(core);
}

/* ---- rename: cycles, buffers, counters --------------------------------------------------------
 */

/* 8 bits to 8 bytes of 0 or 1 */
static uint64_t spread(uint8_t ports)
{
    const uint64_t replicated = ports * UINT64_C(0x0101010101010101) & UINT64_C(0x8040201008040201);
    return (replicated + UINT64_C(0x7f7f7f7f7f7f7f7f)) >> 7 & UINT64_C(0x0101010101010101);
}

static uint32_t count_ports(uint8_t ports)
{
    return (uint32_t)(spread(ports) * UINT64_C(0x0101010101010101) >> 56);
}

/* A dispatched uop leaves the scheduler at the end of its cycle, and its port's count one cycle
 * later. */
static void advance_waiting(ooo_core *core, ooo_cycle cycle)
{
    ooo_rename *r = &core->rename;
    for (; r->waiting_seen < cycle; r->waiting_seen++)
        r->waiting -= count_ports(core->dispatched[r->waiting_seen % OOO_HORIZON]);
}

static void advance_counts(ooo_core *core, ooo_cycle cycle)
{
    ooo_rename *r = &core->rename;
    r->counts += r->counts_new;
    r->counts_new = 0;
    for (; r->counts_seen + 1 < cycle; r->counts_seen++) {
        uint8_t *ports = &core->dispatched[r->counts_seen % OOO_HORIZON];
        r->counts -= spread(*ports);
        *ports = 0;
        if (r->counts_seen % 64 == 63) {
            const size_t word = r->counts_seen / 64 % (OOO_HORIZON / 64);
            for (size_t port = 0; port < OOO_N_PORTS; port++)
                core->busy[port][word] = 0;
            core->divider[word] = 0;
        }
    }
}

/* Slots between the last issue and (@cycle, 0) that stay empty: up to @available for want of uops,
 * then for want of room. */
static void count_lost(ooo_core *core, ooo_cycle available, ooo_cycle cycle, bool for_memory)
{
    ooo_rename *r = &core->rename;
    const uint64_t width = core->params.issue_width;
    uint64_t lost = (cycle - r->cycle) * width - r->slot;
    uint64_t front = 0;
    if (available > r->cycle) {
        const ooo_cycle until = available < cycle ? available : cycle;
        front = (until - r->cycle) * width - r->slot;
    }
    core->totals.lost_front += front;
    lost -= front;
    if (for_memory)
        core->totals.lost_memory += lost;
    else
        core->totals.lost_core += lost;
}

/* Vector registers with one name left are free again in a cycle that eliminates no vector move;
 * general ones only when every name is overwritten. */
static void free_single_names(ooo_rename *r)
{
    if (r->n_groups[1] == 0 || r->elim_count[1][0] > 0)
        return;
    for (size_t name = PIE_REG_VEC0; name < 32; name++)
        if (r->group_of[name] && r->group_size[1][r->group_of[name] - 1] == 1) {
            r->group_size[1][r->group_of[name] - 1] = 0;
            r->group_of[name] = 0;
            r->n_groups[1]--;
        }
}

static void start_cycle(ooo_core *core, ooo_cycle cycle)
{
    ooo_rename *r = &core->rename;
    free_single_names(r);
    const ooo_cycle passed = cycle - r->cycle;
    for (size_t file = 0; file < 2; file++) { /* history of move elimination, three cycles deep */
        uint8_t *count = r->elim_count[file], *used = r->elim_used[file];
        used[0] = r->n_groups[file];
        used[2] = passed == 1 ? used[1] : used[0];
        count[1] = passed == 1 ? count[0] : 0;
        count[0] = 0;
    }
    if (passed > 1) /* a cycle without any elimination */
        free_single_names(r);
    for (size_t file = 0; file < 2; file++) {
        r->elim_used[file][1] = r->n_groups[file];
        if (passed > 2)
            r->elim_used[file][2] = r->n_groups[file];
    }
    r->cycle = cycle;
    r->slot = 0;
    advance_waiting(core, cycle);
    advance_counts(core, cycle);
}

/* The first cycle, not before @cycle, in which rename may work at all: room in reorder buffer and
 * scheduler for a full group. */
static ooo_cycle room_for_group(ooo_core *core, ooo_cycle cycle)
{
    const ooo_params *p = &core->params;
    ooo_rename *r = &core->rename;
    const uint32_t kept = p->rob_entries - p->issue_width;
    if (core->n_slots > kept)
        cycle = later(cycle, core->retired[(core->n_slots - kept - 1) % OOO_ROB_RING] + 1);
    advance_waiting(core, cycle);
    while (r->waiting > p->scheduler_entries - p->issue_width)
        advance_waiting(core, ++cycle);
    return cycle;
}

/* What a group of slots needs besides: buffers and registers. */
typedef struct needs {
    uint32_t loads, stores, integer, vector;
} needs;

/* They are freed at retirement or commit. */
static ooo_cycle room_for_needs(const ooo_core *core, const needs *n, ooo_cycle cycle,
                                bool *ret_memory)
{
    const ooo_params *p = &core->params;
    const ooo_cycle start = cycle;
    const uint64_t loads = core->n_loads + n->loads, stores = core->n_stores + n->stores;
    if (n->loads > 0 && loads > p->load_entries)
        for (uint64_t i = loads - n->loads; i < loads; i++)
            if (i >= p->load_entries)
                cycle =
                    later(cycle, core->load_retired[(i - p->load_entries) % OOO_BUFFER_RING] + 1);
    if (n->stores > 0 && stores > p->store_entries)
        for (uint64_t i = stores - n->stores; i < stores; i++)
            if (i >= p->store_entries)
                cycle =
                    later(cycle, core->stores[(i - p->store_entries) % OOO_STORE_RING].commit + 1);
    *ret_memory = cycle > start;
    /* architectural state holds a register each: 16 general ones and flags, 16 vectors */
    const uint32_t integers = p->integer_registers - 17, vectors = p->vector_registers - 16;
    const uint64_t integer = core->n_integer + n->integer, vector = core->n_vector + n->vector;
    if (n->integer > 0 && integer > integers)
        cycle = later(cycle, core->integer_retired[(integer - 1 - integers) % OOO_WRITER_RING] + 1);
    if (n->vector > 0 && vector > vectors)
        cycle = later(cycle, core->vector_retired[(vector - 1 - vectors) % OOO_WRITER_RING] + 1);
    return cycle;
}

static needs needs_of(const ooo_uop *uops, size_t n)
{
    needs sum = {0};
    for (size_t i = 0; i < n; i++) {
        sum.loads += uops[i].class == OOO_LOAD;
        sum.stores += uops[i].class == OOO_STORE_ADDRESS;
        sum.integer += (uops[i].flags & OOO_WRITES_INTEGER) != 0;
        sum.vector += (uops[i].flags & OOO_WRITES_VECTOR) != 0;
    }
    return sum;
}

/* The next issue slot for @n slots that go together. */
static void take_slots(ooo_core *core, ooo_cycle available, uint32_t n, const needs *wanted,
                       ooo_cycle not_before)
{
    ooo_rename *r = &core->rename;
    const ooo_params *p = &core->params;
    bool memory = false;
    ooo_cycle cycle = later(r->cycle, later(available, not_before));
    if (cycle == r->cycle && r->slot > 0 && r->slot + n > p->issue_width)
        cycle++;
    cycle = room_for_needs(core, wanted, cycle, &memory);
    if (cycle > r->cycle || r->slot == 0) {
        cycle = room_for_group(core, cycle);
        if (cycle > r->cycle) {
            count_lost(core, available, cycle, memory);
            start_cycle(core, cycle);
        }
    }
}

/* ---- ports ------------------------------------------------------------------------------------
 */

static uint32_t lowest_count(uint64_t counts, uint32_t ports, uint32_t *ret_count)
{
    uint32_t best = 0, best_count = 256;
    for (uint32_t left = ports; left;) {
        const uint32_t port = 31u - (uint32_t)__builtin_clz(left);
        const uint32_t count = counts >> (8 * port) & 0xff;
        left &= ~(1u << port);
        if (count < best_count) { /* from the top: ties go to the highest port */
            best = port;
            best_count = count;
        }
    }
    *ret_count = best_count;
    return best;
}

/* Ports are bound at rename, by how many uops wait for each: measured and published by the authors
 * of uiCA. */
static uint32_t bind_port(ooo_core *core, uint32_t ports)
{
    ooo_rename *r = &core->rename;
    if ((ports & (ports - 1)) == 0)
        return (uint32_t)__builtin_ctz(ports);
    if (core->params.binding == OOO_BIND_LOWEST)
        return (uint32_t)__builtin_ctz(ports);
    if (ports == 0x0c) { /* loads and plain store addresses take turns */
        r->next_load_port ^= 1;
        return 3u - r->next_load_port;
    }
    uint32_t count, second_count;
    const uint32_t first = lowest_count(r->counts, ports, &count);
    if (r->slot % 2 == 0)
        return first;
    const uint32_t second = lowest_count(r->counts, ports & ~(1u << first), &second_count);
    return second_count >= count + 3 ? first : second;
}

/* First cycle from @cycle in which @port is free; taken. */
static ooo_cycle first_free(const ooo_core *core, uint32_t port, ooo_cycle cycle)
{
    const uint64_t *busy = core->busy[port];
    for (;;) {
        const uint64_t word = ~busy[cycle / 64 % (OOO_HORIZON / 64)] >> (cycle % 64);
        if (word)
            return cycle + (ooo_cycle)__builtin_ctzll(word);
        cycle = (cycle / 64 + 1) * 64;
    }
}

static bool divider_free(const ooo_core *core, ooo_cycle from, uint32_t cycles, ooo_cycle *ret_next)
{
    for (ooo_cycle at = from + cycles; at-- > from;)
        if (core->divider[at / 64 % (OOO_HORIZON / 64)] >> (at % 64) & 1) {
            *ret_next = at + 1;
            return false;
        }
    return true;
}

/* First cycle from @cycle that is @distance away from every instance of @row. */
static ooo_cycle first_apart(const ooo_core *core, uint32_t row, uint32_t distance, ooo_cycle cycle)
{
    for (uint32_t i = 0; i < core->n_apart;) {
        const ooo_apart *other = &core->apart[i++];
        if (other->row == row && cycle < other->start + distance &&
            other->start < cycle + distance) {
            cycle = other->start + distance;
            i = 0;
        }
    }
    return cycle;
}

static void keep_apart(ooo_core *core, uint32_t row, uint32_t distance, ooo_cycle start)
{
    for (uint32_t i = 0; i < core->n_apart;) /* over before anything young can begin */
        if (core->apart[i].start + core->apart[i].distance <= core->rename.cycle)
            core->apart[i] = core->apart[--core->n_apart];
        else
            i++;
    if (core->n_apart < OOO_MAX_APART)
        core->apart[core->n_apart++] = (ooo_apart){row, distance, start};
}

static ooo_cycle dispatch(ooo_core *core, uint32_t port, uint32_t divider, uint32_t row,
                          uint32_t distance, ooo_cycle ready)
{
    const ooo_cycle horizon = core->rename.counts_seen + OOO_HORIZON - 256;
    core->totals.ports[port]++;
    if (core->params.no_ports)
        return ready;
    ooo_cycle cycle = first_free(core, port, ready);
    while (divider + distance > 0 && cycle + divider < horizon) {
        ooo_cycle next = distance > 0 ? first_apart(core, row, distance, cycle) : cycle;
        if (next == cycle && divider_free(core, cycle, divider, &next)) {
            for (ooo_cycle at = cycle; at < cycle + divider; at++)
                core->divider[at / 64 % (OOO_HORIZON / 64)] |= UINT64_C(1) << (at % 64);
            break;
        }
        cycle = first_free(core, port, next);
    }
    if (distance > 0)
        keep_apart(core, row, distance, cycle);
    if (cycle + divider >= horizon) /* too far ahead for the reservations: unreserved */
        return cycle;
    core->busy[port][cycle / 64 % (OOO_HORIZON / 64)] |= UINT64_C(1) << (cycle % 64);
    core->dispatched[cycle % OOO_HORIZON] |= (uint8_t)(1u << port);
    core->rename.waiting++;
    core->rename.counts_new += UINT64_C(1) << (8 * port);
    return cycle;
}

/* ---- memory -----------------------------------------------------------------------------------
 */

/* Where the caches and the store buffer see @address. */
static uint64_t physical(const ooo_core *core, uint64_t address)
{
    return core->page_map == PIE_PAGE_MAP_ONE_FRAME ? address & 0xfff : address;
}

/* The youngest older store that shares a byte of the page offset, NULL if none. */
static const ooo_store *store_before(const ooo_core *core, uint64_t address, uint32_t bytes)
{
    uint64_t youngest = 0;
    const uint64_t first = address >> 3, last = (address + bytes - 1) >> 3;
    for (uint64_t at = first; at <= last && at < first + 8; at++) {
        const uint64_t number = core->last_store[at % OOO_N_GRANULES];
        if (number > youngest)
            youngest = number;
    }
    /* older than the ring: long committed */
    if (youngest == 0 || core->n_stores - (youngest - 1) >= OOO_STORE_RING)
        return NULL;
    return &core->stores[(youngest - 1) % OOO_STORE_RING];
}

/* When the data of a load is there, that began at @start and takes @latency from the cache. */
static ooo_cycle load_done(ooo_core *core, uint64_t address, uint32_t bytes, ooo_cycle start,
                           ooo_cycle latency)
{
    const ooo_params *p = &core->params;
    ooo_cycle done = start + latency;
    if ((address & 63) + bytes > 64) {
        done += p->split_penalty;
        core->totals.splits++;
    }
    const ooo_store *store = p->no_forwarding ? NULL : store_before(core, address, bytes);
    if (!store || store->commit <= start)
        return done;
    const uint64_t at = physical(core, address);
    if (at >= store->physical + store->bytes || store->physical >= at + bytes) {
        const uint64_t low = address & 0xfff, store_low = store->address & 0xfff;
        if (at == store->physical || low >= store_low + store->bytes || store_low >= low + bytes)
            return done;
        core->totals.aliases++; /* compared by twelve bits first, then tried again */
        return later(done, store->address_ready + p->alias_penalty);
    }
    if (at < store->physical || at + bytes > store->physical + store->bytes) {
        core->totals.forward_failures++; /* waits for the cache */
        return later(done, store->commit + p->forward_failed);
    }
    core->totals.forwards++;
    /* published: 4 cycles store to load for general registers, 5 for 16 bytes, 6 for 32 */
    const ooo_cycle width = latency > p->load_latency ? latency - p->load_latency : 0;
    return later(done, later(store->address_ready, store->data_ready) + p->forward_latency + width);
}

/* ---- execution --------------------------------------------------------------------------------
 */

typedef struct execution {
    const ooo_step *step;
    const ooo_uop *next;               /* unfused */
    uint32_t n_done;                   /* uops so far */
    uint32_t n_loads;                  /* of the instruction: which element of a gather is next */
    uint64_t store;                    /* number of the store whose data is next */
    uint64_t released;                 /* of the store that goes to the cache next */
    ooo_cycle first_start, last_start; /* dispatch of its first uop, and the latest of any */
    uint32_t n_writes;                 /* in core->writes */
} execution;

static uint8_t name_now(const ooo_core *core, const ooo_use *use)
{
    if (!use->is_x87)
        return use->name;
    return (uint8_t)(PIE_REG_ST0 + ((use->name - PIE_REG_ST0 + core->rename.x87_top) & 7));
}

/* A name is overwritten: it shares its register with no other any more. */
static void leave_group(ooo_core *core, uint8_t name)
{
    ooo_rename *r = &core->rename;
    if (r->group_of[name] == 0)
        return;
    const size_t file = name >= PIE_REG_VEC0;
    uint8_t *size = &r->group_size[file][r->group_of[name] - 1];
    r->group_of[name] = 0;
    if (--*size == 0)
        r->n_groups[file]--;
}

static void write_name(ooo_core *core, uint8_t name, ooo_cycle cycle)
{
    core->ready[name] = cycle;
    leave_group(core, name);
    /* ah of a whole register costs a cycle more */
    const bool has_high = name < 4 && !(core->rename.high_dirty >> name & 1);
    core->ready[has_high ? OOO_NAME_HIGH8 + name : OOO_NAME_SINK] = cycle + 1;
    if (name < 32) /* only the lower half is asked for */
        core->rename.pointer_loaded &= ~(1u << name);
}

static uint64_t address_of(const execution *e, const ooo_mem *mem)
{
    if (!(mem->flags & (OOO_MEM_READ | OOO_MEM_WRITE)))
        return PIE_NO_ACCESS; /* a hint: no slot */
    const uint64_t *slots = e->step->slots + (mem->first_slot - e->step->first_slot);
    if (!(mem->flags & OOO_MEM_COUNTED))
        return slots[0];
    const uint32_t element = e->n_loads;
    return element < mem->n_elements && element < slots[0] ? slots[1 + element] : PIE_NO_ACCESS;
}

static ooo_cycle inputs_ready(const ooo_core *core, const ooo_block *block, const ooo_uop *uop)
{
    ooo_cycle ready = 0;
    const ooo_use *use = block->uses + uop->first_use;
    for (size_t i = 0; i < uop->n_inputs; i++)
        ready = later(ready, core->ready[name_now(core, &use[i])] + use[i].cycles);
    return ready;
}

/* An operand that becomes ready just when the uop could first be picked comes a cycle late: the
 * wake-up missed the pick. */
static ooo_cycle earliest_pick(const ooo_core *core, ooo_cycle ready)
{
    const ooo_cycle first = core->rename.cycle + core->params.dispatch_delay;
    if (ready < first)
        return first;
    return ready <= first + 1 ? ready + 1 : ready;
}

static ooo_cycle load_latency(const ooo_core *core, uint32_t flags, const ooo_mem *mem)
{
    const ooo_params *p = &core->params;
    if (p->no_latency)
        return 0;
    if (flags & OOO_WIDE_LOAD)
        return p->load_latency_wide;
    if (flags & OOO_VECTOR_LOAD)
        return p->load_latency_vector;
    if (mem->flags & OOO_MEM_PLAIN_BASE && mem->base < 16 &&
        core->rename.pointer_loaded >> mem->base & 1)
        return p->load_latency_pointer;
    return p->load_latency;
}

/* The access of a load that was dispatched at @start; returns when its data is there. */
static ooo_cycle access_load(ooo_core *core, uint64_t address, uint32_t bytes, uint32_t port,
                             ooo_cycle start, ooo_cycle latency)
{
    if (address == PIE_NO_ACCESS)
        return start + latency;
    if ((address & 63) + bytes > 64 && !core->params.no_ports) { /* the second line's access */
        const ooo_cycle again = first_free(core, port, start + 1);
        core->busy[port][again / 64 % (OOO_HORIZON / 64)] |= UINT64_C(1) << (again % 64);
    }
    return load_done(core, address, bytes, start, latency);
}

/* A new entry of the store buffer. */
static ooo_store *add_store(ooo_core *core, uint64_t address, uint32_t bytes, ooo_cycle start)
{
    ooo_store *store = &core->stores[core->n_stores++ % OOO_STORE_RING];
    *store = (ooo_store){.address = address,
                         .physical = physical(core, address),
                         .bytes = bytes,
                         .counts = address != PIE_NO_ACCESS,
                         .address_ready = start + core->params.store_address_latency,
                         .data_ready = 0,
                         .commit = UINT64_MAX};
    return store;
}

static void observe(ooo_core *core, const ooo_insn *insn, uint32_t uop, uint8_t class,
                    uint32_t port, ooo_cycle start, ooo_cycle complete)
{
#ifdef OOO_OBSERVE
    if (ooo_observe)
        ooo_observe(&(ooo_event){.address = insn->address,
                                 .uop = uop,
                                 .class = class,
                                 .port = (uint8_t)port,
                                 .issued = core->rename.cycle,
                                 .dispatched = start,
                                 .completed = complete});
#else
    (void)core, (void)insn, (void)uop, (void)class, (void)port, (void)start, (void)complete;
#endif
}

/* Runs one unfused uop; returns when it is complete. */
static ooo_cycle run_uop(ooo_core *core, execution *e)
{
    const ooo_params *p = &core->params;
    const ooo_block *block = e->step->block;
    const ooo_insn *insn = e->step->insn;
    const ooo_uop *uop = e->next;
    const ooo_mem *mem = block->mems + insn->first_mem + uop->mem; /* of L, A, D */
    const ooo_use *outputs = block->uses + uop->first_use + uop->n_inputs;
    uint32_t ports = uop->ports;
    if (uop->class == OOO_EXECUTE &&
        (e->step->branch || (insn->flags & OOO_INSN_CONDITIONAL && ports == NOT_TAKEN_PORTS)))
        ports = e->step->taken ? TAKEN_PORTS : NOT_TAKEN_PORTS;
    ooo_cycle ready = inputs_ready(core, block, uop);
    if (uop->class == OOO_LOAD || uop->class == OOO_STORE_ADDRESS) {
        if (mem->base < OOO_N_NAMES)
            ready = later(ready, core->ready[mem->base]);
        if (mem->index < OOO_N_NAMES)
            ready = later(ready, core->ready[mem->index]);
        ready = later(ready, uop->class == OOO_LOAD ? core->loads_from : core->stores_from);
    }
    if (p->no_latency)
        ready = 0;
    ready = earliest_pick(core, ready);
    if (uop->class == OOO_LOAD && insn->flags & OOO_INSN_LOCK)
        ready = later(ready, core->last_commit); /* a locked access drains the store buffer */
    const uint32_t port = bind_port(core, ports);
    const uint32_t distance = e->n_done == 0 ? insn->block : 0;
    const ooo_cycle start = dispatch(core, port, uop->divider, insn->row, distance, ready);
    if (e->n_done == 0)
        e->first_start = start;
    e->last_start = later(e->last_start, start);
    ooo_cycle complete = start + 2, done = start;
    switch (uop->class) {
    case OOO_LOAD:
        done = access_load(core, address_of(e, mem), mem->bytes, port, start,
                           load_latency(core, uop->flags, mem));
        e->n_loads++;
        core->n_loads++;
        break;
    case OOO_STORE_ADDRESS: {
        const ooo_store *store = add_store(core, address_of(e, mem), mem->bytes, start);
        if (mem->flags & OOO_MEM_COUNTED)
            e->n_loads++;
        complete = later(complete, store->address_ready);
        e->store = core->n_stores - 1;
        break;
    }
    case OOO_STORE_DATA: {
        ooo_store *store = &core->stores[e->store % OOO_STORE_RING];
        store->data_ready = start + 1;
        complete = later(complete, store->data_ready);
        break;
    }
    default:
        break;
    }
    for (size_t i = 0; i < uop->n_outputs; i++) {
        const uint8_t name = name_now(core, &outputs[i]);
        const ooo_cycle at = done + outputs[i].cycles;
        if (name >= OOO_NAME_TEMP || (insn->n_uops == 1 && insn->n_slots == 1) ||
            e->n_writes == OOO_MAX_WRITES)
            write_name(core, name, at);
        else
            core->writes[e->n_writes++] = (ooo_late_write){at, name};
        complete = later(complete, at);
    }
    if (insn->block > 0 && e->n_done == 0 && !(insn->flags & OOO_INSN_LOCK))
        complete = later(complete, start + insn->block);
    observe(core, insn, e->n_done, uop->class, port, start, complete);
    e->next++;
    e->n_done++;
    return complete;
}

/* ---- retirement -------------------------------------------------------------------------------
 */

static ooo_cycle retire(ooo_core *core, ooo_cycle complete)
{
    const uint64_t n = core->n_slots++;
    const uint32_t width = core->params.retire_width;
    ooo_cycle cycle = later(complete + 1, core->last_retire);
    if (n >= width)
        cycle = later(cycle, core->retired[(n - width) % OOO_ROB_RING] + 1);
    core->retired[n % OOO_ROB_RING] = cycle;
    core->last_retire = cycle;
    core->totals.slots++;
#ifdef OOO_OBSERVE
    if (ooo_observe_slot)
        ooo_observe_slot(cycle);
#endif
    return cycle;
}

/* Store @number retired at @retired and goes to the cache, one a cycle. */
static void commit(ooo_core *core, uint64_t number, ooo_cycle retired)
{
    ooo_store *store = &core->stores[number % OOO_STORE_RING];
    core->last_commit = later(retired + 1, core->last_commit + 1);
    store->commit = core->last_commit;
    if (!store->counts)
        return;
    const uint64_t first = store->address >> 3, last = (store->address + store->bytes - 1) >> 3;
    for (uint64_t at = first; at <= last && at < first + 8; at++)
        core->last_store[at % OOO_N_GRANULES] = number + 1;
    if ((store->address & 63) + store->bytes > 64)
        core->last_commit++; /* the second line */
}

/* What the uops of a slot held is free from @cycle on. */
static void release(ooo_core *core, execution *e, const ooo_uop *uops, ooo_cycle cycle)
{
    const size_t n = (size_t)(e->next - uops);
    uint64_t load = core->n_loads;
    for (size_t i = 0; i < n; i++)
        load -= uops[i].class == OOO_LOAD;
    for (size_t i = 0; i < n; i++) {
        if (uops[i].class == OOO_LOAD) {
            core->load_retired[load++ % OOO_BUFFER_RING] = cycle;
        } else if (uops[i].class == OOO_STORE_DATA) {
            const ooo_insn *insn = e->step->insn;
            ooo_cycle leaves = cycle;
            if (insn->flags & OOO_INSN_LOCK && insn->block > 0)
                leaves = e->first_start + insn->block - 1; /* holds the line for its time */
            commit(core, e->released++, leaves);
        }
        if (uops[i].flags & OOO_WRITES_INTEGER)
            core->integer_retired[core->n_integer++ % OOO_WRITER_RING] = cycle;
        if (uops[i].flags & OOO_WRITES_VECTOR)
            core->vector_retired[core->n_vector++ % OOO_WRITER_RING] = cycle;
    }
}

/* ---- instructions -----------------------------------------------------------------------------
 */

/* A uop that rename adds by itself: one ALU operation on one register. */
static void run_added_uop(ooo_core *core, uint8_t from, uint8_t to, uint32_t ports,
                          const ooo_step *step)
{
    const ooo_cycle ready = earliest_pick(core, core->params.no_latency ? 0 : core->ready[from]);
    const uint32_t port = bind_port(core, ports);
    const ooo_cycle start = dispatch(core, port, 0, 0, 0, ready);
    write_name(core, to, core->params.no_latency ? 0 : start + 1);
    const ooo_cycle complete = start + 2;
    observe(core, step->insn, UINT32_MAX, OOO_EXECUTE, port, start, complete);
    core->integer_retired[core->n_integer++ % OOO_WRITER_RING] = retire(core, complete);
}

/* The full register is wanted and ah (ch, dh, bh) of it is newer: merged first, in a cycle that
 * issues nothing else. */
static void merge_high_bytes(ooo_core *core, const ooo_step *step, ooo_cycle available)
{
    ooo_rename *r = &core->rename;
    uint8_t wanted = step->insn->high_reads & r->high_dirty;
    if (!wanted)
        return;
    if (r->slot > 0)
        available = later(available, r->cycle + 1);
    take_slots(core, available, 1, &(needs){.integer = count_ports(wanted)}, 0);
    r->high_dirty &= (uint8_t)~wanted;
    for (uint8_t reg = 0; reg < 4; reg++) {
        if (!(wanted >> reg & 1))
            continue;
        core->ready[reg] = later(core->ready[reg], core->ready[OOO_NAME_HIGH8 + reg]);
        run_added_uop(core, reg, reg, 0x22, step);
        r->slot++;
        core->totals.merges++;
    }
    r->slot = core->params.issue_width;
}

/* The stack engine keeps rsp's changes by push, pop, call and ret to itself, until somebody else
 * asks for rsp. */
static void sync_stack(ooo_core *core, const ooo_step *step, ooo_cycle available)
{
    ooo_rename *r = &core->rename;
    const ooo_insn *insn = step->insn;
    bool sync = false;
    if (r->rsp_offset != 0 && insn->flags & OOO_INSN_RSP_USED) {
        sync = true;
        r->rsp_offset = 0;
    }
    r->rsp_offset += insn->rsp_change;
    if (r->rsp_offset > 192 || r->rsp_offset < -192) { /* its counter is small */
        sync = true;
        r->rsp_offset = 0;
    }
    if (insn->flags & OOO_INSN_RSP_WRITTEN)
        r->rsp_offset = 0;
    if (!sync || core->params.no_sync)
        return;
    take_slots(core, available, 1, &(needs){.integer = 1}, 0);
    run_added_uop(core, PIE_REG_RSP, PIE_REG_RSP, 0x63, step);
    r->slot++;
    core->totals.stack_syncs++;
}

/* True: the move takes no port, its target is a further name of the source's register. */
static bool eliminate(ooo_core *core, const ooo_insn *insn)
{
    ooo_rename *r = &core->rename;
    const size_t file = (insn->flags & OOO_INSN_ELIM_VECTOR) != 0;
    const uint32_t slots = file ? core->params.elim_vector : core->params.elim_integer;
    const uint32_t taken =
        (uint32_t)r->elim_count[file][0] + r->elim_count[file][1] + r->elim_used[file][2];
    if (core->params.no_elimination || taken >= slots) {
        core->totals.not_eliminated++;
        return false;
    }
    const uint8_t from = insn->elim_from, to = insn->elim_to;
    if (r->group_of[from] == 0 || r->group_of[from] != r->group_of[to]) {
        if (r->group_of[from] == 0) {
            uint8_t group = 0;
            while (r->group_size[file][group] > 0) /* fewer groups than names */
                group++;
            r->group_of[from] = (uint8_t)(group + 1);
            r->group_size[file][group] = 1;
            r->n_groups[file]++;
        }
        const uint8_t group = (uint8_t)(r->group_of[from] - 1);
        leave_group(core, to);
        r->group_of[to] = (uint8_t)(group + 1);
        r->group_size[file][group]++;
    }
    core->ready[to] = core->ready[from];
    if (to < 4)
        core->ready[OOO_NAME_HIGH8 + to] = core->ready[to] + 1;
    if (to < 16) {
        r->pointer_loaded &= ~(1u << to);
        if (from < 16 && !(insn->flags & OOO_INSN_ELIM_32))
            r->pointer_loaded |= (r->pointer_loaded >> from & 1) << to;
    }
    r->elim_count[file][0]++;
    core->totals.eliminated++;
    return true;
}

/* fxch: only names change. */
static bool swap(ooo_core *core, const ooo_insn *insn)
{
    const uint8_t top = core->rename.x87_top;
    ooo_cycle *a = &core->ready[PIE_REG_ST0 + ((insn->elim_to - PIE_REG_ST0 + top) & 7)];
    ooo_cycle *b = &core->ready[PIE_REG_ST0 + ((insn->elim_from - PIE_REG_ST0 + top) & 7)];
    const ooo_cycle ready = *a;
    *a = *b;
    *b = ready;
    return true;
}

/* A repeated string instruction keeps the machine to itself for its start-up and its data. */
static void run_repetition(ooo_core *core, const execution *e, ooo_cycle *complete)
{
    const ooo_insn *insn = e->step->insn;
    const ooo_block *block = e->step->block;
    uint64_t cycles = insn->rep_start, bytes = 0;
    for (size_t i = 0; i < insn->n_mems; i++)
        if (block->mems[insn->first_mem + i].bytes > bytes)
            bytes = block->mems[insn->first_mem + i].bytes;
    if (insn->rep_bytes > 0)
        cycles += (e->step->iterations * bytes + insn->rep_bytes - 1) / insn->rep_bytes;
    else
        cycles +=
            (e->step->iterations * (insn->rep_centicycles ? insn->rep_centicycles : 100u) + 99) /
            100;
    const ooo_cycle start = later(core->rename.cycle + core->params.dispatch_delay, e->last_start);
    *complete = later(*complete, start + cycles);
    /* its results come at the end: those that wait, and that of a single uop */
    for (uint32_t i = 0; i < e->n_writes; i++)
        core->writes[i].cycle = later(core->writes[i].cycle, start + cycles);
    const ooo_uop *uop = &block->uops[insn->first_uop];
    for (size_t i = 0; insn->n_uops == 1 && i < uop->n_outputs; i++)
        write_name(core, name_now(core, &block->uses[uop->first_use + uop->n_inputs + i]),
                   start + cycles);
    core->loads_from = later(core->loads_from, start + cycles);
    core->stores_from = later(core->stores_from, start + cycles);
}

static void finish_registers(ooo_core *core, const ooo_insn *insn)
{
    ooo_rename *r = &core->rename;
    const uint8_t whole = r->high_dirty & insn->full_writes;
    for (uint8_t reg = 0; whole && reg < 4; reg++) /* ah is a part of the new value again */
        if (whole >> reg & 1)
            core->ready[OOO_NAME_HIGH8 + reg] = core->ready[reg] + 1;
    r->high_dirty = (uint8_t)((r->high_dirty & ~insn->full_writes) | insn->high_writes);
    if (insn->flags & OOO_INSN_POINTER_LOAD)
        r->pointer_loaded |= 1u << insn->elim_to;
    r->x87_top = (uint8_t)((r->x87_top - insn->x87_push) & 7);
}

/* The general way's special cases do not apply. */
static bool has_shape(const ooo_core *core, const ooo_insn *insn)
{
    const ooo_rename *r = &core->rename;
    const int32_t offset = r->rsp_offset + insn->rsp_change;
    return insn->shape.kind != OOO_SHAPE_NONE && !(insn->high_reads & r->high_dirty) &&
           !(insn->flags & OOO_INSN_RSP_USED && r->rsp_offset != 0) && offset <= 192 &&
           offset >= -192 && !core->params.no_latency;
}

static ooo_cycle address_ready(const ooo_core *core, const ooo_shape *shape)
{
    return later(core->ready[shape->base], core->ready[shape->index]);
}

/* An instruction of a fixed shape: what ooo_core_execute() does in general, without loops. */
static ooo_cycle run_shape(ooo_core *core, const ooo_step *step)
{
    const ooo_insn *insn = step->insn;
    const ooo_shape *shape = &insn->shape;
    const uint8_t kind = shape->kind;
    const ooo_mem *mem = step->block->mems + insn->first_mem + shape->mem;
    ooo_rename *r = &core->rename;
    const needs wanted = {.loads = kind == OOO_SHAPE_LOAD || kind == OOO_SHAPE_LOAD_EXECUTE,
                          .stores = kind == OOO_SHAPE_STORE,
                          .integer = shape->n_integer,
                          .vector = shape->n_vector};
    const ooo_cycle available = ooo_front_next(core, step, 0) + 1;
    r->rsp_offset = insn->flags & OOO_INSN_RSP_WRITTEN ? 0 : r->rsp_offset + insn->rsp_change;
    take_slots(core, available, 1, &wanted, step->boundary && r->slot > 0 ? r->cycle + 1 : 0);
    ooo_cycle complete = 0;
    ooo_store *store = NULL;
    const uint64_t address =
        kind == OOO_SHAPE_EXECUTE ? 0 : step->slots[mem->first_slot - step->first_slot];
    uint32_t ports = shape->ports;
    if (kind == OOO_SHAPE_LOAD_EXECUTE) {
        const ooo_cycle ready = later(address_ready(core, shape), core->loads_from);
        const uint32_t port = bind_port(core, shape->memory_ports);
        const ooo_cycle start = dispatch(core, port, 0, 0, 0, earliest_pick(core, ready));
        const ooo_cycle done = access_load(core, address, mem->bytes, port, start,
                                           load_latency(core, shape->flags, mem));
        write_name(core, shape->loaded, done);
        complete = later(start + 2, done);
        observe(core, insn, 0, OOO_LOAD, port, start, complete);
    } else if (kind == OOO_SHAPE_STORE) {
        const ooo_cycle ready = later(address_ready(core, shape), core->stores_from);
        const uint32_t port = bind_port(core, shape->memory_ports);
        const ooo_cycle start = dispatch(core, port, 0, 0, 0, earliest_pick(core, ready));
        store = add_store(core, address, mem->bytes, start);
        complete = later(start + 2, store->address_ready);
        observe(core, insn, 0, OOO_STORE_ADDRESS, port, start, complete);
    }
    ooo_cycle ready = 0;
    for (size_t i = 0; i < OOO_SHAPE_INPUTS; i++)
        ready = later(ready, core->ready[shape->inputs[i]] + shape->late[i]);
    if (kind == OOO_SHAPE_LOAD)
        ready = later(ready, later(address_ready(core, shape), core->loads_from));
    else if (kind != OOO_SHAPE_STORE &&
             (step->branch || (insn->flags & OOO_INSN_CONDITIONAL && ports == NOT_TAKEN_PORTS)))
        ports = step->taken ? TAKEN_PORTS : NOT_TAKEN_PORTS;
    const uint32_t port = bind_port(core, ports);
    const ooo_cycle start = dispatch(core, port, 0, 0, 0, earliest_pick(core, ready));
    ooo_cycle done = start, last = start + 2;
    if (kind == OOO_SHAPE_LOAD)
        done = access_load(core, address, mem->bytes, port, start,
                           load_latency(core, shape->flags, mem));
    if (store)
        store->data_ready = start + 1;
    for (size_t i = 0; i < OOO_SHAPE_OUTPUTS; i++) {
        const ooo_cycle at = done + shape->latency[i];
        write_name(core, shape->outputs[i], at);
        last = later(last, at);
    }
    observe(core, insn, kind > OOO_SHAPE_LOAD,
            kind == OOO_SHAPE_LOAD ? OOO_LOAD
            : store                ? OOO_STORE_DATA
                                   : OOO_EXECUTE,
            port, start, last);
    const ooo_cycle retired = retire(core, later(complete, last));
    if (wanted.loads)
        core->load_retired[core->n_loads++ % OOO_BUFFER_RING] = retired;
    if (store)
        commit(core, core->n_stores - 1, retired);
    for (uint8_t i = 0; i < shape->n_integer; i++)
        core->integer_retired[core->n_integer++ % OOO_WRITER_RING] = retired;
    for (uint8_t i = 0; i < shape->n_vector; i++)
        core->vector_retired[core->n_vector++ % OOO_WRITER_RING] = retired;
    r->slot++;
    core->front.queue_left[core->front.n_queued++ % OOO_IDQ_RING] = r->cycle;
    return retired;
}

ooo_cycle ooo_core_execute(ooo_core *core, const ooo_step *step, ooo_cycle next_predecoded)
{
    const ooo_params *p = &core->params;
    const ooo_block *block = step->block;
    const ooo_insn *insn = step->insn;
    ooo_rename *r = &core->rename;
    execution e = {.step = step,
                   .next = block->uops + insn->first_uop,
                   .store = core->n_stores,
                   .released = core->n_stores};
    ooo_front_begin(core, step, next_predecoded);
    core->totals.fused_pairs += step->branch != NULL;
    if (has_shape(core, insn)) {
        const ooo_cycle retired = run_shape(core, step);
        finish_registers(core, insn);
        ooo_front_end(core, step);
        return retired;
    }
    bool eliminated = false;
    uint32_t laminated = 0;
    ooo_cycle retired = core->last_retire;
    for (uint32_t i = 0; i < insn->n_slots; laminated++) {
        const ooo_slot *slot = block->slots + insn->first_slot;
        uint32_t n = 1;
        while (i + n < insn->n_slots && !slot[i + n].starts)
            n++;
        const ooo_cycle available = ooo_front_next(core, step, laminated) + 1;
        if (i == 0) {
            merge_high_bytes(core, step, available);
            sync_stack(core, step, available);
        }
        ooo_cycle not_before = 0;
        if (i == 0 && insn->flags & OOO_INSN_SERIAL)
            not_before = core->last_retire + 1; /* waits until all before it has retired */
        if (i == 0 && step->boundary && r->slot > 0)
            not_before = later(not_before, r->cycle + 1);
        size_t n_uops = 0;
        for (uint32_t k = 0; k < n; k++)
            n_uops += slot[i + k].n_uops;
        const needs wanted = needs_of(e.next, n_uops);
        take_slots(core, available, n < p->issue_width ? n : p->issue_width, &wanted, not_before);
        for (uint32_t k = 0; k < n; k++, i++) {
            if (k > 0 && r->slot >= p->issue_width) /* longer than a group: goes on in the next */
                take_slots(core, r->cycle + 1, 1, &(needs){0}, 0);
            ooo_cycle complete = r->cycle;
            const ooo_uop *first = e.next;
            if (i == 0 && insn->flags & OOO_INSN_ELIMINABLE)
                eliminated = eliminate(core, insn);
            if (i == 0 && insn->flags & OOO_INSN_SWAP)
                eliminated = swap(core, insn);
            for (uint32_t u = 0; u < slot[i].n_uops && !eliminated; u++)
                complete = later(complete, run_uop(core, &e));
            if (i + 1 == insn->n_slots && insn->flags & OOO_INSN_REP)
                run_repetition(core, &e, &complete);
            retired = retire(core, complete);
            release(core, &e, first, retired);
            r->slot++;
        }
        core->front.queue_left[core->front.n_queued++ % OOO_IDQ_RING] = r->cycle;
    }
    r->high_dirty |= insn->high_writes; /* xadd dl, dh: both, in any order */
    for (uint32_t i = 0; i < e.n_writes; i++)
        write_name(core, core->writes[i].name, core->writes[i].cycle);
    for (uint32_t i = 0; i < insn->n_writes; i++) {
        const ooo_use *use = &block->uses[insn->first_write + i];
        write_name(core, name_now(core, use), 0);
    }
    finish_registers(core, insn);
    if (insn->flags & OOO_INSN_LOAD_FENCE)
        core->loads_from = later(core->loads_from, retired);
    if (insn->flags & OOO_INSN_STORE_FENCE)
        core->stores_from = later(core->stores_from, core->last_commit);
    if (insn->flags & OOO_INSN_LOCK)
        core->loads_from = later(core->loads_from, core->last_commit);
    ooo_front_end(core, step);
    return retired;
}
