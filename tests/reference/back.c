/* back.c - rename, scheduler, memory, retirement of the reference. See machine.h. */
#include "reference/state.h"

#include <string.h>

static ref_cycle later(ref_cycle a, ref_cycle b)
{
    return a > b ? a : b;
}

static ref_uop *uop_of(ref_state *s, uint64_t number)
{
    return &s->uops[number % REF_UOPS];
}
static ref_store *store_of(ref_state *s, uint64_t number)
{
    return &s->stores[number % REF_STORES];
}

/* ---- values -----------------------------------------------------------------------------------
 */

static void need(ref_state *s, ref_uop *uop, const ref_value *value, uint32_t delay)
{
    if (value->uop == 0) {
        if (value->ready > 0)
            uop->ready = later(uop->ready, value->ready + delay);
        return;
    }
    REF_CHECK(s->n_needs < REF_NEEDS);
    s->needs[s->n_needs++] = (ref_need){
        .consumer = uop->number, .uop = value->uop, .output = value->output, .delay = delay};
    uop->n_pending++;
}

/* Output @output of uop @number will be there at @ready: tell all who wait. */
static void publish(ref_state *s, uint64_t number, uint32_t output, ref_cycle ready)
{
    for (size_t i = 0; i < OOO_N_NAMES; i++)
        if (s->names[i].uop == number && s->names[i].output == output) {
            s->names[i].uop = 0;
            s->names[i].ready = ready;
        }
    for (size_t i = 0; i < s->n_late; i++)
        if (s->late[i].value.uop == number && s->late[i].value.output == output) {
            s->late[i].value.uop = 0;
            s->late[i].value.ready = ready;
        }
    for (size_t i = 0; i < s->n_needs;) {
        const ref_need *n = &s->needs[i];
        if (n->uop != number || n->output != output) {
            i++;
            continue;
        }
        ref_uop *consumer = uop_of(s, n->consumer);
        consumer->ready = later(consumer->ready, ready + n->delay);
        consumer->n_pending--;
        s->needs[i] = s->needs[--s->n_needs];
    }
}

static uint8_t physical_name(const ref_state *s, const ooo_use *use)
{
    if (use->is_x87)
        return (uint8_t)(PIE_REG_ST0 + ((use->name - PIE_REG_ST0 + s->x87_top) & 7));
    return use->name;
}

static void need_name(ref_state *s, ref_uop *uop, uint8_t name, uint32_t delay)
{
    if (name >= OOO_NAME_HIGH8 && name < OOO_NAME_HIGH8 + 4 &&
        !s->own_high[name - OOO_NAME_HIGH8]) {
        name = (uint8_t)(name - OOO_NAME_HIGH8);
        delay++;
    }
    need(s, uop, &s->names[name], delay);
}

/* ---- ports ------------------------------------------------------------------------------------
 */

static uint8_t choose_port(ref_state *s, uint8_t ports, uint32_t place)
{
    if (ports == 0x0c) {
        s->turn = !s->turn;
        return s->turn ? 2 : 3;
    }
    int lowest = -1, second = -1;
    for (int port = 7; port >= 0; port--) {
        if (!(ports >> port & 1))
            continue;
        if (lowest < 0 || s->bound[port] < s->bound[lowest]) {
            second = lowest;
            lowest = port;
        } else if (second < 0 || s->bound[port] < s->bound[second])
            second = port;
    }
    REF_CHECK(lowest >= 0);
    if (second < 0 || s->bound[second] >= s->bound[lowest] + 3)
        second = lowest;
    return (uint8_t)(place % 2 == 0 ? lowest : second);
}

/* ---- rename -----------------------------------------------------------------------------------
 */

static const ooo_use one_cycle = {.name = 0, .cycles = 1};

static ref_slot *new_slot(ref_state *s, uint64_t insn)
{
    REF_CHECK(s->end_slot - s->first_slot < REF_ROB);
    ref_slot *slot = &s->rob[s->end_slot++ % REF_ROB];
    *slot = (ref_slot){.insn = insn, .first_uop = s->n_uops + 1, .issued = s->cycle};
    return slot;
}

static ref_uop *new_uop(ref_model *model, ref_slot *slot, uint8_t class, uint8_t ports,
                        uint32_t place)
{
    ref_state *s = model->state;
    ref_uop *uop = uop_of(s, ++s->n_uops);
    *uop = (ref_uop){.number = s->n_uops,
                     .insn = slot->insn,
                     .class = class,
                     .port = choose_port(s, ports, place),
                     .issued = s->cycle,
                     .earliest = s->cycle + model->params.dispatch_delay,
                     .dispatched = REF_NEVER,
                     .completed = REF_NEVER};
    slot->n_uops++;
    s->bound_now[uop->port]++;
    REF_CHECK(s->n_waiting < REF_WAITING);
    s->waiting[s->n_waiting++] = uop->number;
    s->n_scheduler++;
    return uop;
}

/* A uop that rename puts in: adds up @a and @b into @a. */
static void insert_uop(ref_model *model, uint64_t insn, uint8_t ports, uint32_t place, uint8_t a,
                       uint8_t b)
{
    ref_state *s = model->state;
    ref_slot *slot = new_slot(s, insn);
    ref_uop *uop = new_uop(model, slot, OOO_EXECUTE, ports, place);
    uop->index = UINT32_MAX;
    need(s, uop, &s->names[a], 0);
    if (b != a)
        need(s, uop, &s->names[b], 0);
    uop->outputs = &one_cycle;
    uop->n_outputs = 1;
    slot->integers = 1;
    s->n_integers++;
    s->names[a] = (ref_value){.uop = uop->number};
    s->pointer_loaded &= ~(1u << a);
}

/* The address and size of the access that an L, A or D uop makes. */
static void find_access(ref_model *model, const ref_insn *from, const ooo_mem *mem, uint32_t nth,
                        ref_uop *uop)
{
    (void)model;
    uop->bytes = mem->bytes;
    const uint64_t *slots = &from->slots[mem->first_slot - from->first_slot];
    if (mem->flags & OOO_MEM_COUNTED) {
        const uint64_t n = slots[0] < mem->n_elements ? slots[0] : mem->n_elements;
        if (nth >= n)
            return;
        uop->address = slots[1 + nth];
    } else
        uop->address = slots[0];
    uop->accesses = uop->address != PIE_NO_ACCESS;
}

static void rename_memory(ref_model *model, const ref_insn *from, const ooo_uop *template,
                          ref_uop *uop)
{
    ref_state *s = model->state;
    const ref_params *p = &model->params;
    const ooo_insn *insn = from->insn;
    const ooo_mem *mem = &from->block->mems[insn->first_mem + template->mem];
    if (template->class != OOO_STORE_DATA) {
        if (mem->base != PIE_REG_NONE)
            need(s, uop, &s->names[mem->base], 0);
        if (mem->index != PIE_REG_NONE)
            need(s, uop, &s->names[mem->index], 0);
    }
    if (template->class == OOO_LOAD) {
        if (mem->flags & OOO_MEM_READ)
            find_access(model, from, mem, s->unit_accesses[template->mem][0]++, uop);
        uop->store = s->n_stores;
        uop->load_latency = p->load_latency;
        if (template->flags & OOO_WIDE_LOAD)
            uop->load_latency = p->load_latency_wide;
        else if (template->flags & OOO_VECTOR_LOAD)
            uop->load_latency = p->load_latency_vector;
        else if (mem->flags & OOO_MEM_PLAIN_BASE && mem->base < 16 &&
                 s->pointer_loaded >> mem->base & 1)
            uop->load_latency = p->load_latency_pointer;
        if (template->flags & OOO_WIDE_LOAD)
            uop->forward_more = p->load_latency_wide - p->load_latency;
        else if (template->flags & OOO_VECTOR_LOAD)
            uop->forward_more = p->load_latency_vector - p->load_latency;
        uop->after_repeat = s->n_repeats - ((insn->flags & OOO_INSN_REP) != 0);
        uop->after_store = s->loads_after_store;
        uop->after_slot = s->loads_after_slot;
        if (insn->flags & OOO_INSN_LOCK)
            uop->drains = s->n_stores;
        return;
    }
    if (template->class == OOO_STORE_ADDRESS) {
        if (mem->flags & OOO_MEM_WRITE)
            find_access(model, from, mem, s->unit_accesses[template->mem][1]++, uop);
        *store_of(s, ++s->n_stores) = (ref_store){.address = uop->address,
                                                  .bytes = uop->bytes,
                                                  .accesses = uop->accesses,
                                                  .address_at = REF_NEVER,
                                                  .data_at = REF_NEVER,
                                                  .retired = REF_NEVER,
                                                  .committed = REF_NEVER,
                                                  .through = REF_NEVER};
        if (insn->flags & OOO_INSN_LOCK && insn->block > 0) {
            store_of(s, s->n_stores)->locked_by = uop->number - s->unit_uops;
            store_of(s, s->n_stores)->locked_for = insn->block;
        }
        uop->after_repeat = s->n_repeats - ((insn->flags & OOO_INSN_REP) != 0);
        uop->after_store = s->stores_after_store;
    }
    uop->store = s->n_stores;
}

/* The cycles of a repeated string instruction, behind its last dispatch. */
static ref_cycle repeat_cycles(const ref_insn *from)
{
    const ooo_insn *insn = from->insn;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < insn->n_mems; i++)
        if (from->block->mems[insn->first_mem + i].bytes > bytes)
            bytes = from->block->mems[insn->first_mem + i].bytes;
    if (insn->rep_bytes > 0)
        return insn->rep_start + (from->iterations * bytes + insn->rep_bytes - 1) / insn->rep_bytes;
    const uint32_t hundredths = insn->rep_centicycles > 0 ? insn->rep_centicycles : 100;
    return insn->rep_start + (from->iterations * hundredths + 99) / 100;
}

static ref_repeat *repeat_of(ref_state *s, uint64_t number)
{
    return &s->repeats[number % REF_REPEATS];
}

static void rename_uop(ref_model *model, const ref_unit *unit, const ref_insn *from,
                       const ooo_uop *template, ref_slot *slot, uint32_t place)
{
    ref_state *s = model->state;
    const ooo_insn *insn = from->insn;
    const ooo_use *uses = &from->block->uses[template->first_use];
    uint8_t ports = template->ports;
    const bool jump = insn->flags & OOO_INSN_CONDITIONAL && ports == 0x41;
    if (template->class == OOO_EXECUTE && (unit->n_insns == 2 || jump))
        ports = unit->taken ? 0x40 : 0x41;
    ref_uop *uop = new_uop(model, slot, template->class, ports, place);
    uop->index = s->unit_uops;
    uop->divider = template->divider;
    if (insn->flags & OOO_INSN_REP) {
        uop->repeat = s->n_repeats;
        repeat_of(s, s->n_repeats)->left++;
    }
    if (s->unit_uops == 0) {
        uop->apart = insn->block;
        uop->row = insn->row;
    }
    if (template->class != OOO_EXECUTE)
        rename_memory(model, from, template, uop);
    for (uint32_t i = 0; i < template->n_inputs; i++)
        need_name(s, uop, physical_name(s, &uses[i]), uses[i].cycles);
    uop->outputs = uses + template->n_inputs;
    uop->n_outputs = template->n_outputs;
    for (uint32_t i = 0; i < uop->n_outputs; i++) {
        const uint8_t name = physical_name(s, &uop->outputs[i]);
        const ref_value value = {.uop = uop->number, .output = i};
        if (name >= OOO_NAME_TEMP)
            s->names[name] = value;
        else {
            REF_CHECK(s->n_late < sizeof s->late / sizeof *s->late);
            s->late[s->n_late++] = (ref_write){name, value};
        }
    }
    if (template->flags & OOO_WRITES_INTEGER) {
        slot->integers++;
        s->n_integers++;
    }
    if (template->flags & OOO_WRITES_VECTOR) {
        slot->vectors++;
        s->n_vectors++;
    }
    if (template->class == OOO_LOAD) {
        slot->loads++;
        s->n_loads++;
    }
    if (template->class == OOO_STORE_DATA)
        slot->last_store = uop->store;
    s->unit_uops++;
}

/* @n slots need entries of buffers and register files; all may be taken. */
static bool has_entries(const ref_model *model, const ref_insn *from, const ooo_slot *slots,
                        uint32_t n)
{
    const ref_state *s = model->state;
    const ref_params *p = &model->params;
    const ooo_uop *uops = &from->block->uops[from->insn->first_uop + s->unit_uops];
    uint32_t n_uops = 0, loads = 0, stores = 0, integers = 0, vectors = 0;
    for (uint32_t i = 0; i < n; i++)
        n_uops += slots[i].n_uops;
    for (uint32_t i = 0; i < n_uops; i++) {
        loads += uops[i].class == OOO_LOAD;
        stores += uops[i].class == OOO_STORE_ADDRESS;
        integers += (uops[i].flags & OOO_WRITES_INTEGER) != 0;
        vectors += (uops[i].flags & OOO_WRITES_VECTOR) != 0;
    }
    return (!loads || s->n_loads + loads <= p->load_buffer) &&
           (!stores || s->n_stores - s->n_stores_left + stores <= p->store_buffer) &&
           (!integers || s->n_integers + integers <= p->integer_registers - 17) &&
           (!vectors || s->n_vectors + vectors <= p->vector_registers - 16);
}

static bool eliminate(ref_model *model, const ooo_insn *insn)
{
    ref_state *s = model->state;
    if (!(insn->flags & OOO_INSN_ELIMINABLE))
        return false;
    const uint32_t kind = (insn->flags & OOO_INSN_ELIM_VECTOR) != 0;
    const uint32_t most =
        kind ? model->params.elimination_vector : model->params.elimination_integer;
    if (s->eliminated_now[kind] + s->eliminated_before[kind] + s->shared_before2[kind] >= most)
        return false;
    s->eliminated_now[kind]++;
    if (!kind) {
        s->pointer_loaded &= ~(1u << insn->elim_to);
        if (!(insn->flags & OOO_INSN_ELIM_32))
            s->pointer_loaded |= (s->pointer_loaded >> insn->elim_from & 1) << insn->elim_to;
    }
    ref_value *source = &s->names[insn->elim_from];
    if (source->alias == 0)
        source->alias = ++s->n_aliases;
    s->names[insn->elim_to] = *source;
    return true;
}

/* fxch: two names change places. */
static bool swap(ref_state *s, const ooo_insn *insn)
{
    if (!(insn->flags & OOO_INSN_SWAP))
        return false;
    ref_value *a = &s->names[PIE_REG_ST0 + ((insn->elim_to - PIE_REG_ST0 + s->x87_top) & 7)];
    ref_value *b = &s->names[PIE_REG_ST0 + ((insn->elim_from - PIE_REG_ST0 + s->x87_top) & 7)];
    const ref_value kept = *a;
    *a = *b;
    *b = kept;
    return true;
}

/* At the end of a cycle: physical registers with several names. */
static void count_shared(ref_state *s)
{
    for (uint32_t kind = 0; kind < 2; kind++) {
        const size_t first = kind ? PIE_REG_VEC0 : 0, end = kind ? PIE_REG_FLAG_C : 16;
        uint32_t n = 0;
        for (size_t i = first; i < end; i++) {
            size_t others = 0, before = 0;
            if (s->names[i].alias == 0)
                continue;
            for (size_t k = first; k < end; k++)
                if (k != i && s->names[k].alias == s->names[i].alias) {
                    others++;
                    before += k < i;
                }
            if (kind && others == 0 && s->eliminated_now[kind] == 0)
                s->names[i].alias = 0;
            else if (before == 0)
                n++;
        }
        s->shared_before2[kind] = s->shared_before[kind];
        s->shared_before[kind] = n;
        s->eliminated_before[kind] = s->eliminated_now[kind];
        s->eliminated_now[kind] = 0;
    }
}

/* Follows rsp; whether a uop must add up what is pending before @insn. */
static bool syncs_stack(ref_state *s, const ooo_insn *insn)
{
    bool syncs = insn->flags & OOO_INSN_RSP_USED && s->rsp_offset != 0;
    if (syncs)
        s->rsp_offset = 0;
    s->rsp_offset += insn->rsp_change;
    if (s->rsp_offset > 192 || s->rsp_offset < -192) {
        syncs = true;
        s->rsp_offset = 0;
    }
    if (insn->flags & OOO_INSN_RSP_WRITTEN)
        s->rsp_offset = 0;
    return syncs;
}

/* What the whole unit changes, when its last slot is issued. */
static void end_unit(ref_model *model, const ref_unit *unit)
{
    ref_state *s = model->state;
    const ref_insn *from = ref_unit_insn(model, unit);
    const ooo_insn *insn = from->insn;
    for (uint32_t i = 0; i < s->n_late; i++) {
        s->names[s->late[i].name] = s->late[i].value;
        if (s->late[i].name < 16)
            s->pointer_loaded &= ~(1u << s->late[i].name);
    }
    s->n_late = 0;
    for (uint32_t i = 0; i < insn->n_writes; i++) {
        const uint8_t name = physical_name(s, &from->block->uses[insn->first_write + i]);
        s->names[name] = (ref_value){0};
        if (name < 16)
            s->pointer_loaded &= ~(1u << name);
    }
    if (insn->flags & OOO_INSN_POINTER_LOAD && insn->elim_to < 16)
        s->pointer_loaded |= 1u << insn->elim_to;
    for (uint32_t r = 0; r < 4; r++)
        if (insn->high_writes >> r & 1)
            s->own_high[r] = true;
        else if (insn->full_writes >> r & 1)
            s->own_high[r] = false;
    s->x87_top = (uint8_t)((s->x87_top - insn->x87_push) & 7);
    if (insn->flags & OOO_INSN_LOAD_FENCE)
        s->loads_after_slot = s->end_slot;
    if (insn->flags & OOO_INSN_STORE_FENCE)
        s->stores_after_store = s->n_stores;
    if (insn->flags & OOO_INSN_LOCK)
        s->loads_after_store = s->n_stores;
    s->unit_begun = s->sync_done = false;
    s->unit_slots = s->unit_uops = 0;
    memset(s->unit_accesses, 0, sizeof s->unit_accesses);
}

static void end_cycle(ref_state *s)
{
    for (int port = 0; port < 8; port++) {
        s->bound[port] += s->bound_now[port];
        s->bound_now[port] = 0;
    }
    count_shared(s);
}

/* What goes before @unit. False: it comes in another cycle than the unit. */
static bool begin_unit(ref_model *model, const ref_unit *unit, uint32_t *n)
{
    ref_state *s = model->state;
    const ref_params *p = &model->params;
    const ooo_insn *insn = ref_unit_insn(model, unit)->insn;
    uint32_t merges = 0;
    for (uint32_t r = 0; r < 4; r++)
        merges += insn->high_reads >> r & 1 && s->own_high[r];
    if (merges > 0) {
        if (*n > 0 || s->n_integers + merges > p->integer_registers - 17)
            return false;
        for (uint8_t r = 0; r < 4; r++)
            if (insn->high_reads >> r & 1 && s->own_high[r]) {
                insert_uop(model, unit->first, 0x22, (*n)++, r, (uint8_t)(OOO_NAME_HIGH8 + r));
                s->own_high[r] = false;
            }
        return false;
    }
    if (!s->sync_pending && !s->sync_done)
        s->sync_pending = syncs_stack(s, insn);
    s->sync_done = true;
    if (s->sync_pending) {
        if (s->n_integers + 1 > p->integer_registers - 17)
            return false;
        insert_uop(model, unit->first, 0x63, (*n)++, PIE_REG_RSP, PIE_REG_RSP);
        s->sync_pending = false;
    }
    s->unit_begun = true;
    return true;
}

static void rename_slots(ref_model *model)
{
    ref_state *s = model->state;
    const ref_params *p = &model->params;
    ref_front *f = &s->front;
    if (s->end_slot - s->first_slot > p->rob - p->issue_width ||
        s->n_scheduler > p->scheduler - p->issue_width)
        return;
    uint32_t n = 0;
    while (n < p->issue_width) {
        ref_replay(model);
        if (f->n_queue == 0 || f->queue[0].entered >= s->cycle)
            return;
        const ref_unit unit = f->queue[0].unit;
        const ref_insn *from = ref_unit_insn(model, &unit);
        const ooo_insn *insn = from->insn;
        if (!s->unit_begun && !begin_unit(model, &unit, &n))
            return;
        const ooo_slot *slots = &from->block->slots[insn->first_slot];
        if (s->group_left == 0) {
            if (s->unit_slots == 0 && insn->flags & OOO_INSN_SERIAL && s->first_slot < s->end_slot)
                return;
            if (s->unit_slots == 0 && unit.begins_set && n > 0)
                return;
            uint32_t together = 1;
            while (s->unit_slots + together < insn->n_slots &&
                   !slots[s->unit_slots + together].starts)
                together++;
            if (n > 0 && n + together > p->issue_width)
                return;
            if (!has_entries(model, from, &slots[s->unit_slots], together))
                return;
            s->group_left = together;
        }
        for (; s->group_left > 0 && n < p->issue_width; s->group_left--, n++) {
            ref_slot *slot = new_slot(s, unit.first);
            if (s->unit_slots == 0 && insn->flags & OOO_INSN_REP)
                *repeat_of(s, ++s->n_repeats) = (ref_repeat){.first_uop = s->n_uops + 1,
                                                             .cycles = repeat_cycles(from),
                                                             .issued = REF_NEVER,
                                                             .ends = REF_NEVER};
            if (s->unit_slots == 0)
                s->unit_eliminated = swap(s, insn) || eliminate(model, insn);
            const uint32_t n_uops = s->unit_eliminated ? 0 : slots[s->unit_slots].n_uops;
            for (uint32_t k = 0; k < n_uops; k++)
                rename_uop(model, &unit, from, &from->block->uops[insn->first_uop + s->unit_uops],
                           slot, n);
            s->unit_slots++;
            if (s->unit_slots == insn->n_slots && insn->flags & OOO_INSN_REP) {
                ref_repeat *repeat = repeat_of(s, s->n_repeats);
                repeat->issued = s->cycle;
                repeat->last_uop = s->n_uops;
                repeat->last_slot = s->end_slot - 1;
                slot->complete_from = REF_NEVER;
            }
        }
        if (s->group_left > 0)
            return;
        memmove(f->queue, f->queue + 1, --f->n_queue * sizeof *f->queue);
        if (unit.source == REF_FROM_LOOP) /* others may go on from here */
            f->cache_cycle = s->cycle - 1;
        if (s->unit_slots == insn->n_slots)
            end_unit(model, &unit);
    }
}

void ref_rename(ref_model *model)
{
    ref_state *s = model->state;
    while (s->n_stores_left < s->n_committed &&
           store_of(s, s->n_stores_left + 1)->committed < s->cycle)
        s->n_stores_left++;
    /* what has happened holds nobody */
    if (s->loads_after_store <= s->n_stores_left)
        s->loads_after_store = 0;
    if (s->stores_after_store <= s->n_stores_left)
        s->stores_after_store = 0;
    if (s->loads_after_slot <= s->first_slot)
        s->loads_after_slot = 0;
    rename_slots(model);
    end_cycle(s);
}

/* ---- memory -----------------------------------------------------------------------------------
 */

static bool splits(uint64_t address, uint32_t bytes)
{
    return bytes > 0 && address % 64 + bytes > 64;
}

/* Stores leave for the cache in order, one a cycle. */
void ref_commit(ref_model *model)
{
    ref_state *s = model->state;
    if (s->n_committed == s->n_stores)
        return;
    ref_store *store = store_of(s, s->n_committed + 1);
    ref_cycle from = store->retired == REF_NEVER ? REF_NEVER : store->retired + 1;
    if (store->locked_by > 0) { /* holds the line for its time, whether retired or not */
        const ref_cycle began = uop_of(s, store->locked_by)->dispatched;
        from = began == REF_NEVER ? REF_NEVER : began + store->locked_for;
    }
    if (from > s->cycle || (s->n_committed > 0 && store_of(s, s->n_committed)->through >= s->cycle))
        return;
    store->committed = s->cycle;
    store->through = s->cycle + (store->accesses && splits(store->address, store->bytes));
    s->n_committed++;
}

static bool overlap(uint64_t a, uint64_t n_a, uint64_t b, uint64_t n_b)
{
    return a < b + n_b && b < a + n_a;
}

/* Address as caches see it. */
static uint64_t physical(const ref_model *model, uint64_t address)
{
    return model->params.one_frame ? address % 4096 : address;
}

/* Some 8-byte piece of the first 64 bytes of both has one place in a page. */
static bool shares_granule(const ref_store *store, const ref_uop *load)
{
    const uint64_t load_first = load->address / 8,
                   load_last = (load->address + load->bytes - 1) / 8;
    const uint64_t first = store->address / 8, last = (store->address + store->bytes - 1) / 8;
    for (uint64_t i = load_first; i <= load_last && i < load_first + 8; i++)
        for (uint64_t k = first; k <= last && k < first + 8; k++)
            if (i % 512 == k % 512)
                return true;
    return false;
}

static void find_conflict(ref_model *model, ref_uop *load)
{
    ref_state *s = model->state;
    load->how = REF_NO_CONFLICT;
    if (!load->accesses)
        return;
    for (uint64_t number = load->store; number > 0 && number + REF_STORES > load->store + 1;
         number--) {
        const ref_store *store = store_of(s, number);
        if (store->committed <= s->cycle)
            return;
        if (!store->accesses || !shares_granule(store, load))
            continue;
        load->conflict = number;
        const uint64_t from = physical(model, load->address), at = physical(model, store->address);
        if (overlap(from, load->bytes, at, store->bytes))
            load->how =
                from >= at && from + load->bytes <= at + store->bytes ? REF_FORWARDED : REF_FAILED;
        else if (overlap(load->address % 4096, load->bytes, store->address % 4096, store->bytes))
            load->how = REF_ALIASED;
        return;
    }
}

static void finish(ref_state *s, ref_uop *uop, ref_cycle base)
{
    uop->completed = later(uop->dispatched + 2, uop->complete_from);
    if (uop->class == OOO_LOAD)
        uop->completed = later(uop->completed, base);
    uop->data = base;
    uop->results_due = uop->repeat > 0;
    for (uint32_t i = 0; i < uop->n_outputs; i++) {
        const ref_cycle ready = base + uop->outputs[i].cycles;
        uop->completed = later(uop->completed, ready);
        if (!uop->results_due || uop->outputs[i].name >= OOO_NAME_TEMP)
            publish(s, uop->number, i, ready);
    }
}

/* Repetitions whose uops are all under way: their end is known, and when their results come. */
static void end_repeats(ref_model *model)
{
    ref_state *s = model->state;
    for (uint64_t number = s->n_repeats; number > 0 && number + REF_REPEATS > s->n_repeats;
         number--) {
        ref_repeat *repeat = repeat_of(s, number);
        if (repeat->issued == REF_NEVER || repeat->left > 0)
            continue;
        if (repeat->ends == REF_NEVER) {
            repeat->ends = later(repeat->issued + model->params.dispatch_delay, repeat->begins) +
                           repeat->cycles;
            s->rob[repeat->last_slot % REF_ROB].complete_from = repeat->ends;
        }
        if (repeat->last_uop + REF_UOPS <= s->n_uops)
            return;
        for (uint64_t i = repeat->first_uop; i <= repeat->last_uop; i++) {
            ref_uop *uop = uop_of(s, i);
            for (uint32_t k = 0; uop->results_due && k < uop->n_outputs; k++)
                if (uop->outputs[k].name < OOO_NAME_TEMP)
                    publish(s, i, k, later(uop->data + uop->outputs[k].cycles, repeat->ends));
            uop->results_due = false;
        }
    }
}

/* Loads whose data is on its way: whether it is known by now when it comes. */
static void resolve_loads(ref_model *model)
{
    ref_state *s = model->state;
    const ref_params *p = &model->params;
    for (uint32_t i = 0; i < s->n_loading;) {
        ref_uop *load = uop_of(s, s->loading[i]);
        const ref_store *store = store_of(s, load->conflict);
        ref_cycle at = REF_NEVER;
        if (load->how == REF_FORWARDED) {
            if (store->address_at != REF_NEVER && store->data_at != REF_NEVER)
                at = later(store->address_at + p->store_address_latency, store->data_at + 1) +
                     p->forward_latency + load->forward_more;
        } else if (load->how == REF_FAILED) {
            if (store->committed != REF_NEVER)
                at = store->committed + p->forward_failed;
        } else if (store->address_at != REF_NEVER)
            at = store->address_at + p->store_address_latency + p->alias_penalty;
        if (at == REF_NEVER) {
            i++;
            continue;
        }
        finish(s, load, later(load->data, at));
        memmove(&s->loading[i], &s->loading[i + 1], (--s->n_loading - i) * sizeof *s->loading);
    }
}

/* ---- dispatch ---------------------------------------------------------------------------------
 */

/* Whether it could go in this cycle if its port and its units were free. */
static bool is_ready(ref_state *s, const ref_uop *uop)
{
    ref_cycle ready = uop->ready;
    if (uop->n_pending > 0)
        return false;
    if (uop->after_store > 0) {
        if (s->n_committed < uop->after_store)
            return false;
        ready = later(ready, store_of(s, uop->after_store)->through);
    }
    if (uop->after_repeat > 0 && uop->after_repeat + REF_REPEATS > s->n_repeats) {
        const ref_cycle ends = repeat_of(s, uop->after_repeat)->ends;
        if (ends == REF_NEVER)
            return false;
        ready = later(ready, ends);
    }
    if (uop->after_slot > 0) {
        if (s->first_slot < uop->after_slot)
            return false;
        ready = later(ready, s->retired_at[(uop->after_slot - 1) % REF_ROB]);
    }
    if (ready == uop->earliest || ready == uop->earliest + 1) /* not awake in time */
        ready++;
    if (s->cycle < ready || s->cycle < uop->earliest)
        return false;
    return uop->drains == 0 ||
           (s->n_committed >= uop->drains && store_of(s, uop->drains)->through <= s->cycle);
}

static bool uses_unit(const ref_uop *uop, uint32_t row)
{
    return row == REF_DIVIDER ? uop->divider > 0 : uop->apart > 0 && uop->row == row;
}

bool ref_is_dispatched(const ref_state *s, uint64_t number)
{
    const ref_uop *uop = &s->uops[number % REF_UOPS];
    return number <= s->n_uops && (uop->number != number || uop->dispatched != REF_NEVER);
}

/* Whether some uop may pass an older one this cycle that needs the same unit. */
bool ref_may_pass(ref_model *model)
{
    ref_state *s = model->state;
    for (uint32_t i = 1; i < s->n_waiting; i++) {
        const ref_uop *uop = uop_of(s, s->waiting[i]);
        if (uop->divider + uop->apart == 0 || uop->again || s->cycle < uop->earliest)
            continue;
        for (uint32_t k = 0; k < i; k++) {
            const ref_uop *older = uop_of(s, s->waiting[k]);
            if ((uop->divider > 0 && uses_unit(older, REF_DIVIDER)) ||
                (uop->apart > 0 && uses_unit(older, uop->row)))
                return true;
        }
    }
    return false;
}

/* Whether an older uop that needs the same unit has not gone yet. */
static bool passes_older(ref_state *s, const ref_uop *uop, uint32_t row)
{
    for (uint32_t i = 0; i < s->n_waiting && s->waiting[i] < uop->number; i++)
        if (uop_of(s, s->waiting[i])->dispatched == REF_NEVER &&
            uses_unit(uop_of(s, s->waiting[i]), row))
            return true;
    return false;
}

static bool is_banned(ref_state *s, const ref_uop *uop)
{
    for (uint32_t i = 0; i < s->n_bans; i++)
        if (s->bans[i].younger == uop->number && !ref_is_dispatched(s, s->bans[i].older))
            return true;
    return false;
}

static void reserve(ref_model *model, const ref_uop *uop, uint32_t row, uint32_t cycles)
{
    ref_state *s = model->state;
    REF_CHECK(s->n_reserved < REF_RESERVED);
    s->reserved[s->n_reserved++] =
        (ref_reserved){.row = row, .uop = uop->number, .until = s->cycle + cycles};
    if (passes_older(s, uop, row))
        ref_save(model, &s->reserved[s->n_reserved - 1]);
}

/* Who has a unit that @uop needs, NULL if nobody. */
static const ref_reserved *who_has(const ref_state *s, const ref_uop *uop, bool older)
{
    for (uint32_t i = 0; i < s->n_reserved; i++) {
        const ref_reserved *r = &s->reserved[i];
        if (r->until > s->cycle && uses_unit(uop, r->row) && (r->uop < uop->number) == older)
            return r;
    }
    return NULL;
}

static void dispatch(ref_model *model, ref_uop *uop)
{
    ref_state *s = model->state;
    uop->dispatched = s->cycle;
    if (!(ref_program(model, uop->insn)->insn->flags & OOO_INSN_LOCK))
        uop->complete_from = s->cycle + uop->apart;
    s->dispatched_now[uop->port]++;
    s->n_scheduler--;
    if (uop->divider > 0)
        reserve(model, uop, REF_DIVIDER, uop->divider);
    if (uop->apart > 0)
        reserve(model, uop, uop->row, uop->apart);
    if (uop->repeat > 0) {
        repeat_of(s, uop->repeat)->left--;
        repeat_of(s, uop->repeat)->begins = s->cycle;
    }
    switch (uop->class) {
    case OOO_LOAD:
        uop->again = uop->accesses && splits(uop->address, uop->bytes);
        uop->data = s->cycle + uop->load_latency + (uop->again ? model->params.split_penalty : 0);
        find_conflict(model, uop);
        if (uop->how == REF_NO_CONFLICT)
            finish(s, uop, uop->data);
        else {
            REF_CHECK(s->n_loading < REF_WAITING);
            s->loading[s->n_loading++] = uop->number;
        }
        break;
    case OOO_STORE_ADDRESS:
        store_of(s, uop->store)->address_at = s->cycle;
        uop->complete_from =
            later(uop->complete_from, s->cycle + model->params.store_address_latency);
        finish(s, uop, s->cycle);
        break;
    case OOO_STORE_DATA:
        store_of(s, uop->store)->data_at = s->cycle;
        finish(s, uop, s->cycle);
        break;
    default:
        finish(s, uop, s->cycle);
        break;
    }
}

void ref_dispatch(ref_model *model)
{
    ref_state *s = model->state;
    bool taken[8] = {false};
    uint32_t kept = 0;
    for (int port = 0; port < 8; port++) {
        s->bound[port] -= s->dispatched_now[port]; /* in the cycle before */
        s->dispatched_now[port] = 0;
    }
    for (uint32_t i = 0; i < s->n_reserved;)
        if (s->reserved[i].until <= s->cycle)
            s->reserved[i] = s->reserved[--s->n_reserved];
        else
            i++;
    resolve_loads(model);
    for (uint32_t i = 0; i < s->n_waiting; i++) {
        ref_uop *uop = uop_of(s, s->waiting[i]);
        bool goes = !taken[uop->port] && (uop->again || is_ready(s, uop)) && !is_banned(s, uop);
        if (goes && !uop->again) {
            goes = !who_has(s, uop, true);
            const ref_reserved *younger = who_has(s, uop, false);
            if (goes && younger) { /* which should not have gone */
                const ref_reserved reason = *younger;
                ref_return(model, &reason, uop->number);
                return;
            }
        }
        if (goes) {
            taken[uop->port] = true;
            if (uop->again)
                uop->again = false;
            else
                dispatch(model, uop);
        }
        if (!goes || uop->again)
            s->waiting[kept++] = uop->number;
    }
    s->n_waiting = kept;
    resolve_loads(model);
    end_repeats(model);
}

/* ---- retirement -------------------------------------------------------------------------------
 */

void ref_retire(ref_model *model)
{
    ref_state *s = model->state;
    for (uint32_t n = 0; n < model->params.retire_width && s->first_slot < s->end_slot; n++) {
        const ref_slot *slot = &s->rob[s->first_slot % REF_ROB];
        ref_cycle complete = later(slot->issued, slot->complete_from);
        for (uint32_t i = 0; i < slot->n_uops; i++)
            complete = later(complete, uop_of(s, slot->first_uop + i)->completed);
        if (complete >= s->cycle)
            return;
        const uint64_t address = ref_program(model, slot->insn)->insn->address;
        for (uint32_t i = 0; i < slot->n_uops; i++) {
            const ref_uop *uop = uop_of(s, slot->first_uop + i);
            ref_record_add(model, &(ref_record){.kind = REF_UOP,
                                                .uop = uop->index,
                                                .address = address,
                                                .class = uop->class,
                                                .port = uop->port,
                                                .issued = uop->issued,
                                                .dispatched = uop->dispatched,
                                                .completed = uop->completed});
        }
        ref_record_add(model, &(ref_record){.kind = REF_SLOT,
                                            .address = address,
                                            .issued = slot->issued,
                                            .retired = s->cycle});
        if (slot->last_store > 0)
            for (uint64_t i = slot->last_store;
                 i > 0 && i + REF_STORES > s->n_stores && store_of(s, i)->retired == REF_NEVER; i--)
                store_of(s, i)->retired = s->cycle;
        s->n_loads -= slot->loads;
        s->n_integers -= slot->integers;
        s->n_vectors -= slot->vectors;
        s->last_retired = s->retired_at[s->first_slot++ % REF_ROB] = s->cycle;
    }
}
