/* front.c - predecode, decoders, microcode, uop cache of the reference. See machine.h. */
#include "reference/state.h"

#include <string.h>

/* ---- uop cache: what it knows -----------------------------------------------------------------
 */

static ref_window *find_window(ref_model *model, uint64_t number)
{
    ref_window *set = model->state->front.cache[number % model->params.dsb_sets];
    for (uint32_t i = 0; i < REF_WINDOWS; i++)
        if (set[i].used && set[i].number == number)
            return &set[i];
    return NULL;
}

static ref_window *oldest_of(ref_window *set, const ref_window *but, bool only_lines)
{
    ref_window *oldest = NULL;
    for (uint32_t i = 0; i < REF_WINDOWS; i++)
        if (set[i].used && &set[i] != but && (!only_lines || set[i].lines > 0) &&
            (!oldest || set[i].stamp < oldest->stamp))
            oldest = &set[i];
    return oldest;
}

/* The window that was being decoded is left. */
static void put_window(ref_model *model)
{
    ref_front *f = &model->state->front;
    const ref_params *p = &model->params;
    if (!f->filling.used)
        return;
    const ref_window made = f->filling;
    f->filling.used = false;
    ref_window *set = f->cache[made.number % p->dsb_sets];
    ref_window *at = find_window(model, made.number);
    for (uint32_t i = 0; i < REF_WINDOWS && !at; i++)
        if (!set[i].used)
            at = &set[i];
    if (!at)
        at = oldest_of(set, NULL, false);
    const bool same = at->used && at->number == made.number;
    if (f->filling_bad || made.lines > p->dsb_lines)
        *at = (ref_window){.used = true, .number = made.number};
    else if (same) {
        at->starts |= made.starts;
        at->lines = made.lines > at->lines ? made.lines : at->lines;
    } else
        *at = made;
    at->stamp = ++f->stamp;
    for (;;) {
        uint32_t lines = 0;
        for (uint32_t i = 0; i < REF_WINDOWS; i++)
            lines += set[i].used ? set[i].lines : 0;
        ref_window *oldest = oldest_of(set, at, true);
        if (lines <= p->dsb_ways || !oldest)
            break;
        oldest->used = false;
    }
}

static bool in_cache(ref_model *model, uint64_t address)
{
    const ref_params *p = &model->params;
    const uint64_t number = address / p->dsb_window;
    ref_window *window = find_window(model, number);
    if (!window || !(window->starts >> address % p->dsb_window & 1))
        return false;
    const ref_window *other = find_window(model, number ^ 1);
    return !(p->dsb_both_halves && other && other->lines == 0);
}

static uint32_t cache_entries(const ooo_insn *insn)
{
    return (insn->decoded > 0 ? insn->decoded : 1u) + ((insn->flags & OOO_INSN_TWO_DSB_SLOTS) != 0);
}

static void fill(ref_model *model, const ref_unit *unit)
{
    ref_front *f = &model->state->front;
    const ref_params *p = &model->params;
    const ooo_insn *insn = ref_unit_insn(model, unit)->insn;
    const ooo_insn *last = ref_program(model, unit->first + unit->n_insns - 1)->insn;
    const uint64_t number = unit->address / p->dsb_window;
    if (!f->filling.used || f->filling.number != number) {
        put_window(model);
        f->filling = (ref_window){.used = true, .number = number};
        f->filling_left = 0;
        f->filling_bad = false;
    }
    const uint32_t entries = cache_entries(insn);
    if (insn->microcoded > 0 || entries > f->filling_left) {
        f->filling.lines++;
        f->filling_left = p->dsb_line_uops;
    }
    f->filling_left =
        insn->microcoded > 0 || entries > f->filling_left ? 0 : f->filling_left - entries;
    f->filling.starts |= UINT64_C(1) << unit->address % p->dsb_window;
    if (p->jcc_mitigation && last->flags & OOO_INSN_BRANCH && unit->address / 32 != unit->end / 32)
        f->filling_bad = true;
    if (unit->taken)
        put_window(model);
}

/* ---- loops in the queue -----------------------------------------------------------------------
 */

/* A taken branch leads to @address: whether the queue replays a loop from there. */
static bool replays(ref_model *model, uint64_t address)
{
    ref_loop *l = &model->state->front.loop;
    const ref_params *p = &model->params;
    const bool again = address == l->address && l->n_uops == l->n_before && !l->spoilt &&
                       l->n_uops <= p->uop_queue;
    if (!again || model->state->front.source != REF_FROM_LOOP)
        l->round = 0;
    l->begins_set = false;
    if (again) {
        uint32_t copies = 1;
        for (size_t i = p->n_lsd_copies; i-- > 0;)
            if (l->n_uops <= p->lsd_copies[i].up_to)
                copies = p->lsd_copies[i].copies;
        l->begins_set = l->round++ % copies == 0;
    }
    l->address = address;
    l->n_before = l->n_uops;
    l->n_uops = 0;
    l->spoilt = false;
    return again;
}

/* ---- the instruction stream -------------------------------------------------------------------
 */

/* The next instruction or pair of the program, and where it comes from. */
static ref_unit follow(ref_model *model)
{
    ref_front *f = &model->state->front;
    const ref_insn *first = ref_program(model, f->next);
    ref_unit unit = {.first = f->next, .n_insns = 1, .address = first->insn->address};
    const ref_insn *last = first;
    if (!first->last && ooo_fuses(first->insn, ref_program(model, f->next + 1)->insn)) {
        unit.n_insns = 2;
        last = ref_program(model, f->next + 1);
    }
    unit.end = last->insn->address + last->insn->length;
    if (!last->last)
        unit.taken = ref_program(model, f->next + unit.n_insns)->insn->address != unit.end;
    unit.by_branch = f->previous_taken;
    unit.moved = !f->started || f->previous_end != unit.address;
    const uint32_t source = f->source;
    const bool elsewhere = !f->started || f->previous_end != unit.address;
    if (source == REF_FROM_LOOP && !elsewhere && f->loop.n_uops >= f->loop.n_before)
        f->loop.spoilt = true; /* longer than its last round */
    else if (source == REF_FROM_LOOP && !elsewhere)
        unit.source = REF_FROM_LOOP;
    if (model->params.lsd && elsewhere && replays(model, unit.address)) {
        unit.source = REF_FROM_LOOP;
        unit.begins_set = f->loop.begins_set;
    }
    if (unit.source != REF_FROM_LOOP && (elsewhere || source != REF_FROM_DECODERS))
        unit.source = in_cache(model, unit.address) ? REF_FROM_CACHE : REF_FROM_DECODERS;
    f->source = unit.source;
    unit.moved |= source != unit.source;
    unit.switched = source != unit.source;
    if (unit.source == REF_FROM_DECODERS)
        fill(model, &unit);
    else {
        f->filling.used = false;
        if (unit.source == REF_FROM_CACHE)
            find_window(model, unit.address / model->params.dsb_window)->stamp = ++f->stamp;
    }
    f->loop.n_uops += first->insn->n_laminated;
    if (unit.source == REF_FROM_DECODERS || first->insn->flags & OOO_INSN_NOT_IN_LSD)
        f->loop.spoilt = true;
    f->started = true;
    f->previous_taken = unit.taken;
    f->previous_end = unit.end;
    f->next += unit.n_insns;
    return unit;
}

/* The unit that is being fetched; NULL at the end of the program. */
static ref_unit *fetched(ref_model *model)
{
    ref_front *f = &model->state->front;
    if (!f->has_unit) {
        if (f->next >= model->n_program)
            return NULL;
        f->unit = follow(model);
        f->has_unit = true;
        f->unit_predecoded = 0;
        f->unit_delivered = 0;
    }
    return &f->unit;
}

/* The others wait until the last replayed uop is issued. */
static bool is_replaying(const ref_front *f)
{
    return f->n_queue > 0 && f->queue[f->n_queue - 1].unit.source == REF_FROM_LOOP;
}

/* ---- predecode --------------------------------------------------------------------------------
 */

static uint64_t window_of(uint64_t address)
{
    return address / 16;
}

void ref_predecode(ref_model *model)
{
    ref_state *s = model->state;
    ref_front *f = &s->front;
    const ref_params *p = &model->params;
    for (;;) {
        const ref_unit *unit = fetched(model);
        if (!unit || unit->source != REF_FROM_DECODERS)
            return;
        const ooo_insn *insn = ref_program(model, unit->first + f->unit_predecoded)->insn;
        const uint64_t ends_in = window_of(insn->address + insn->length - 1);
        if (!f->bound_known) {
            const uint64_t begins_in = window_of(insn->address);
            const uint64_t opcode_in = window_of(insn->address + insn->opcode_offset);
            const bool full = f->n_predecoded_now == p->predecode_width;
            f->bound = f->predecoded;
            if (unit->moved && f->unit_predecoded == 0) {
                if ((f->ms_busy && f->ms_from_cache) || is_replaying(f))
                    return; /* the others are not through yet */
                if (f->cache_cycle > f->bound)
                    f->bound = f->cache_cycle;
                f->bound += begins_in != ends_in ? 2 : 1;
                f->hidden = f->more_of_window;
                f->more_of_window = 0;
            } else if (ends_in != f->previous_window) {
                const bool late = full && opcode_in == f->previous_window;
                f->bound += late ? 2 : 1;
                f->hidden = f->more_of_window + late;
                f->more_of_window = 0;
            } else if (full) {
                f->bound += 1;
                f->more_of_window++;
            }
            if (f->bound > f->predecoded)
                f->n_predecoded_now = 0;
            f->bound_known = true;
            f->stalled = false;
        }
        if (s->cycle < f->bound)
            return;
        if (f->n_predecoded_now == 0 && !f->stalled &&
            f->n_iq_insns > p->instruction_queue - p->predecode_width)
            return;
        if (insn->flags & OOO_INSN_LCP && !f->stalled) {
            const uint64_t hidden = f->hidden < 3 ? f->hidden : 3;
            f->hidden -= hidden;
            f->bound = s->cycle + 3 - hidden;
            f->stalled = true;
            if (s->cycle < f->bound)
                return;
        }
        f->n_predecoded_now++;
        f->predecoded = s->cycle;
        f->previous_window = ends_in;
        f->bound_known = false;
        if (f->unit_predecoded == 0)
            f->iq[f->n_iq++] = (ref_entry){.unit = *unit};
        REF_CHECK(f->n_iq < REF_QUEUE);
        ref_entry *entry = &f->iq[f->n_iq - 1];
        entry->predecoded = s->cycle;
        entry->n_predecoded++;
        f->predecoded_to = unit->first + ++f->unit_predecoded;
        f->predecoded_at[(f->predecoded_to - 1) % REF_QUEUE] = s->cycle;
        f->n_iq_insns++;
        if (f->unit_predecoded == unit->n_insns)
            f->has_unit = false;
    }
}

/* ---- decoders and microcode -------------------------------------------------------------------
 */

static bool has_room(const ref_model *model)
{
    return model->state->front.n_queue + model->params.dsb_width <= model->params.uop_queue;
}

static void enter_queue(ref_model *model, const ref_unit *unit, uint32_t index)
{
    ref_front *f = &model->state->front;
    REF_CHECK(f->n_queue < REF_QUEUE);
    f->queue[f->n_queue++] =
        (ref_laminated){.unit = *unit, .index = index, .entered = model->state->cycle};
}

static uint32_t n_from_decoders(const ooo_insn *insn)
{
    return insn->n_laminated < insn->decoded ? insn->n_laminated : insn->decoded;
}

static void begin_microcode(ref_model *model, const ref_unit *unit, ref_cycle at, bool from_cache)
{
    ref_front *f = &model->state->front;
    f->ms_unit = *unit;
    f->ms_index = n_from_decoders(ref_unit_insn(model, unit)->insn);
    f->ms_at = at;
    f->ms_busy = true;
    f->ms_from_cache = from_cache;
}

static void step_microcode(ref_model *model)
{
    ref_front *f = &model->state->front;
    const uint32_t n = ref_unit_insn(model, &f->ms_unit)->insn->n_laminated;
    if (model->state->cycle < f->ms_at || !has_room(model))
        return;
    for (uint32_t i = 0; i < model->params.ms_width && f->ms_index < n; i++)
        enter_queue(model, &f->ms_unit, f->ms_index++);
    f->ms_at = model->state->cycle + 1;
    if (f->ms_from_cache)
        f->cache_cycle = model->state->cycle;
    if (f->ms_index == n) {
        f->ms_busy = false;
        f->next_group = model->state->cycle + (f->ms_from_cache ? 1 : 2);
    }
}

/* Whether the decoders may take @entry now. */
static bool is_ready(ref_model *model, const ref_entry *entry)
{
    const ref_front *f = &model->state->front;
    const ref_unit *unit = &entry->unit;
    ref_cycle predecoded = entry->predecoded;
    if (entry->n_predecoded < unit->n_insns)
        return false;
    const ref_insn *insn = ref_unit_insn(model, unit);
    if (unit->n_insns == 1 && insn->insn->fuse != OOO_FUSE_NONE && !insn->last) {
        const uint64_t next = unit->first + 1; /* it must see what follows */
        const bool other_source =
            f->has_unit && f->unit.first == next && f->unit.source != REF_FROM_DECODERS;
        if (f->predecoded_to > next)
            predecoded = f->predecoded_at[next % REF_QUEUE];
        else if (!other_source)
            return false;
    }
    return model->state->cycle >= predecoded + model->params.predecode_delay;
}

static void step_decoders(ref_model *model)
{
    ref_front *f = &model->state->front;
    uint32_t decoders = model->params.decoders;
    bool first = true;
    if (f->n_iq == 0 || !is_ready(model, &f->iq[0]) || !has_room(model))
        return;
    while (f->n_iq > 0 && decoders > 0 && is_ready(model, &f->iq[0])) {
        const ref_unit unit = f->iq[0].unit;
        const ooo_insn *insn = ref_unit_insn(model, &unit)->insn;
        const ooo_insn *last = ref_program(model, unit.first + unit.n_insns - 1)->insn;
        if (insn->flags & OOO_INSN_COMPLEX && !first)
            break;
        if (!model->params.fusible_last && insn->fuse != OOO_FUSE_NONE && decoders == 1 && !first)
            break;
        decoders--;
        if (insn->flags & OOO_INSN_COMPLEX && decoders > insn->simple)
            decoders = insn->simple;
        if (last->flags & OOO_INSN_BRANCH)
            decoders = 0;
        for (uint32_t i = 0; i < n_from_decoders(insn); i++)
            enter_queue(model, &unit, i);
        f->n_iq_insns -= unit.n_insns;
        memmove(f->iq, f->iq + 1, --f->n_iq * sizeof *f->iq);
        first = false;
        f->next_group = model->state->cycle + 1;
        if (insn->microcoded > 0) {
            begin_microcode(model, &unit, model->state->cycle + 2, false);
            f->next_group = model->state->cycle + 3;
            break;
        }
    }
}

/* A replayed instruction is there when rename gets to it; the cache or the decoders may go on in
 * that cycle. */
void ref_replay(ref_model *model)
{
    ref_front *f = &model->state->front;
    if (f->n_queue > 0 || f->n_iq > 0 || f->ms_busy)
        return;
    const ref_unit *unit = fetched(model);
    if (!unit || unit->source != REF_FROM_LOOP)
        return;
    for (uint32_t i = 0; i < ref_unit_insn(model, unit)->insn->n_laminated; i++) {
        enter_queue(model, unit, i);
        f->queue[i].entered = 0;
    }
    f->has_unit = false;
}

/* ---- delivery from the uop cache --------------------------------------------------------------
 */

/* What is left of a cycle that has delivered @n entries when a line ends and @unit begins another.
 */
static uint32_t left_after_line(const ref_model *model, const ref_unit *unit, uint32_t n,
                                uint32_t left, bool from_line_start, bool double_before,
                                uint32_t last_place)
{
    const ref_front *f = &model->state->front;
    const uint64_t window = unit->address / model->params.dsb_window;
    uint32_t most = left;
    if (model->params.dsb_width != 6)
        return left;
    if (window == f->line_window) {
        if (unit->by_branch && !double_before)
            most = 0;
    } else if (from_line_start)
        most = n <= 2 ? 4 : n <= 4 ? 2 : n == 5 ? 1 : 0;
    else if (unit->by_branch)
        most = n == 1 || (n == 2 && last_place >= 4) ? 4 : 2;
    return most < left ? most : left;
}

static void step_cache(ref_model *model)
{
    ref_state *s = model->state;
    ref_front *f = &s->front;
    const ref_params *p = &model->params;
    uint32_t left = p->dsb_width, n = 0, last_place = 0;
    bool joined = false, from_line_start = false;
    const bool double_before = f->ended_double;
    if (!has_room(model))
        return;
    for (;;) {
        const ref_unit *unit = fetched(model);
        if (!unit || unit->source != REF_FROM_CACHE)
            return;
        const ooo_insn *insn = ref_unit_insn(model, unit)->insn;
        const uint32_t n_uops = n_from_decoders(insn);
        const uint64_t window = unit->address / p->dsb_window;
        const bool is_double = insn->flags & OOO_INSN_TWO_DSB_SLOTS;
        if (f->unit_delivered == 0 &&
            (unit->by_branch || unit->switched || window != f->line_window || f->line_ends ||
             insn->microcoded > 0 || cache_entries(insn) > f->line_left)) {
            if (n > 0) { /* a line is over in the middle of a cycle */
                if (joined || insn->microcoded > 0)
                    return;
                left = left_after_line(model, unit, n, left, from_line_start, double_before,
                                       last_place);
                if (left == 0)
                    return;
                joined = true;
            }
            f->line_left = p->dsb_line_uops;
            f->line_place = 0;
            f->line_window = window;
            f->line_ends = false;
        }
        while (f->unit_delivered < n_uops) {
            const bool two = is_double && f->unit_delivered + 1 == n_uops;
            if (left == 0 || (two && left < 2))
                return;
            if (n == 0) {
                from_line_start = f->line_place == 0;
                f->ended_double = false;
            }
            enter_queue(model, unit, f->unit_delivered++);
            last_place = f->line_place++;
            f->line_left -= f->line_left > 0;
            n++;
            left--;
            f->next_group = s->cycle + 1;
            f->cache_cycle = s->cycle;
            if (two) {
                f->line_left -= f->line_left > 0;
                f->ended_double = true;
                left = 0;
            }
        }
        f->has_unit = false;
        if (insn->microcoded > 0) {
            f->line_ends = true;
            if (n == 0)
                f->ended_double = false;
            begin_microcode(model, unit, s->cycle + p->dsb_ms_stall + 1, true);
            return;
        }
        if (left == 0)
            return;
    }
}

void ref_decode(ref_model *model)
{
    ref_front *f = &model->state->front;
    if (f->ms_busy)
        step_microcode(model);
    else if (model->state->cycle >= f->next_group) {
        if (f->n_iq > 0)
            step_decoders(model);
        else {
            const ref_unit *unit = fetched(model);
            if (unit && unit->source == REF_FROM_CACHE && !is_replaying(f))
                step_cache(model);
        }
    }
}
