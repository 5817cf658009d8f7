/* front.c - fetch to queue: predecode, decoders, microcode sequencer, uop cache, loop detector. */
#include "core.h"

#include <string.h>

static ooo_cycle later(ooo_cycle a, ooo_cycle b)
{
    return a > b ? a : b;
}

void ooo_front_init(ooo_core *core)
{
    ooo_front *f = &core->front;
    memset(f, 0, sizeof *f);
    f->redirected = true;
    f->source = OOO_FROM_MITE;
    f->dsb_left = 0;
}

/* ---- predecode --------------------------------------------------------------------------------
 */

/* Aligned 16-byte windows, one a cycle; an instruction counts in the window where it ends. */
ooo_cycle ooo_front_predecode(ooo_core *core, const ooo_insn *insn)
{
    ooo_front *f = &core->front;
    const ooo_params *p = &core->params;
    if (p->no_predecode)
        return f->predecode_cycle;
    const uint64_t window = (insn->address + insn->length - 1) >> 4;
    if (f->redirected) {
        /* from the uop cache: begins when the cache's last uops have left it */
        f->predecode_cycle = later(f->predecode_cycle, f->dsb_cycle);
        /* a first instruction that crosses: the window where it begins takes a cycle of its own */
        f->predecode_cycle += insn->address >> 4 != window ? 2 : 1;
        f->hidden = f->window_cycles > 0 ? f->window_cycles - 1 : 0;
        f->window_cycles = 1;
        f->predecode_n = 0;
        f->redirected = false;
    } else if (window != f->predecode_window) {
        /* The window was full of instructions and the opcode of the next lies in it: one more cycle
         * is spent on it, though it ends in the next. */
        const bool late = f->predecode_n == p->predecode_width &&
                          (insn->address + insn->opcode_offset) >> 4 == f->predecode_window;
        f->predecode_cycle += 1 + late;
        f->window_cycles += late;
        f->hidden = f->window_cycles - 1;
        f->window_cycles = 1;
        f->predecode_n = 0;
    } else if (f->predecode_n == p->predecode_width) {
        f->predecode_cycle++;
        f->window_cycles++;
        f->predecode_n = 0;
    }
    f->predecode_window = window;
    if (f->predecode_n == 0 && f->n_predecoded >= p->iq_entries - p->predecode_width + 1) {
        /* works only while a full group fits into the instruction queue */
        const uint64_t oldest = f->n_predecoded - (p->iq_entries - p->predecode_width + 1);
        f->predecode_cycle = later(f->predecode_cycle, f->removed[oldest % OOO_IQ_RING] + 1);
    }
    if (insn->flags & OOO_INSN_LCP) {
        const uint32_t stall = 3;
        const uint32_t covered = f->hidden < stall ? f->hidden : stall;
        f->hidden -= covered;
        f->predecode_cycle += stall - covered;
    }
    f->predecode_n++;
    f->n_predecoded++;
    return f->predecode_cycle;
}

/* ---- what the uop cache holds -----------------------------------------------------------------
 */

static uint32_t offset_in(const ooo_params *p, uint64_t address)
{
    return (uint32_t)(address & (p->dsb_window - 1));
}

static ooo_window *find_window(ooo_core *core, uint64_t window)
{
    ooo_window *set = core->front.dsb[window & (core->params.dsb_sets - 1)];
    for (uint32_t i = 0; i < OOO_DSB_ENTRIES; i++)
        if (set[i].address == window + 1)
            return &set[i];
    return NULL;
}

/* Entries of the uop cache that an instruction needs; microcode ends its line. */
static uint32_t cache_entries(const ooo_insn *insn)
{
    const uint32_t n = insn->microcoded && insn->decoded == 0 ? 1 : insn->decoded;
    return (n ? n : 1) + ((insn->flags & OOO_INSN_TWO_DSB_SLOTS) != 0);
}

static void put_window(ooo_core *core)
{
    ooo_front *f = &core->front;
    const ooo_params *p = &core->params;
    if (f->fill_window == 0)
        return;
    const uint64_t window = f->fill_window - 1;
    const bool good = !f->fill_bad && f->fill_lines <= p->dsb_lines;
    ooo_window *set = f->dsb[window & (p->dsb_sets - 1)];
    ooo_window *entry = find_window(core, window);
    f->clock++;
    if (!entry) {
        entry = &set[0];
        for (uint32_t i = 1; i < OOO_DSB_ENTRIES; i++)
            if (entry->address != 0 && (set[i].address == 0 || set[i].used < entry->used))
                entry = &set[i];
        *entry = (ooo_window){.address = window + 1};
    }
    if (good) {
        entry->starts |= f->fill_starts;
        if (f->fill_lines > entry->lines)
            entry->lines = f->fill_lines;
    } else
        *entry = (ooo_window){.address = window + 1}; /* known not to fit */
    entry->used = f->clock;
    f->fill_window = 0;
    for (;;) { /* ways */
        uint64_t lines = 0;
        ooo_window *oldest = NULL;
        for (uint32_t i = 0; i < OOO_DSB_ENTRIES; i++) {
            if (set[i].address == 0 || set[i].lines == 0)
                continue;
            lines += set[i].lines;
            if (&set[i] != entry && (!oldest || set[i].used < oldest->used))
                oldest = &set[i];
        }
        if (lines <= p->dsb_ways || !oldest)
            break;
        *oldest = (ooo_window){0};
    }
}

static bool is_cached(ooo_core *core, uint64_t address)
{
    const ooo_params *p = &core->params;
    const uint64_t window = address >> p->dsb_shift;
    ooo_window *entry = find_window(core, window);
    if (!entry || !(entry->starts >> offset_in(p, address) & 1))
        return false;
    if (p->dsb_both_halves) {
        const ooo_window *other = find_window(core, window ^ 1);
        if (other && other->lines == 0)
            return false;
    }
    entry->used = ++core->front.clock;
    core->front.current_window = window + 1;
    core->front.current_starts = entry->starts;
    return true;
}

/* The same for the next instruction in memory, while the cache delivers: nothing is put into it
 * then, so the window found last is as it was. */
static bool goes_on(ooo_core *core, uint64_t address)
{
    const ooo_params *p = &core->params;
    if (core->front.current_window == (address >> p->dsb_shift) + 1)
        return core->front.current_starts >> offset_in(p, address) & 1;
    return is_cached(core, address);
}

/* Jumps that cross or end on a 32-byte boundary are kept out of the uop cache (erratum SKX102). */
static bool hits_jcc_erratum(const ooo_step *step)
{
    const ooo_insn *last = step->branch ? step->branch : step->insn;
    if (!(last->flags & OOO_INSN_BRANCH))
        return false;
    const uint64_t first = step->insn->address, end = last->address + last->length;
    return first / 32 != end / 32;
}

void ooo_front_structure(ooo_core *core, const ooo_step *step)
{
    ooo_front *f = &core->front;
    const ooo_params *p = &core->params;
    const ooo_insn *insn = step->insn;
    if (p->lsd) {
        f->loop_uops += insn->n_laminated;
        f->loop_bad |= insn->flags & OOO_INSN_NOT_IN_LSD || step->source == OOO_FROM_MITE;
    }
    if (step->source != OOO_FROM_MITE) {
        f->fill_window = 0;
        return;
    }
    const uint64_t window = insn->address >> p->dsb_shift;
    if (f->fill_window != window + 1) {
        put_window(core);
        f->fill_window = window + 1;
        f->fill_starts = 0;
        f->fill_lines = 0;
        f->fill_left = 0;
        f->fill_bad = false;
    }
    const uint32_t entries = cache_entries(insn);
    if (insn->microcoded || entries > f->fill_left) {
        f->fill_lines++;
        f->fill_left = p->dsb_line_uops;
    }
    f->fill_left = insn->microcoded || entries > f->fill_left ? 0 : f->fill_left - entries;
    f->fill_starts |= UINT64_C(1) << offset_in(p, insn->address);
    if (p->jcc_erratum && hits_jcc_erratum(step))
        f->fill_bad = true;
    if (step->taken)
        put_window(core);
}

/* A taken branch goes to @address. True: the queue replays a loop from there, since the same number
 * of uops came the last two times around, none from the decoders. @was: it did so before. */
static bool is_loop_in_queue(ooo_core *core, uint64_t address, bool was)
{
    ooo_front *f = &core->front;
    const ooo_params *p = &core->params;
    f->lsd_boundary = false;
    const bool again = address == f->loop_address && f->loop_uops == f->loop_last_uops &&
                       f->loop_uops <= p->idq_entries && !f->loop_bad;
    if (!again || !was)
        f->loop_round = 0;
    if (again) {
        const uint32_t copies = p->lsd_copies[f->loop_uops & 255];
        f->lsd_boundary = f->loop_round % (copies ? copies : 1) == 0;
        f->loop_round++;
    }
    f->loop_address = address;
    f->loop_last_uops = f->loop_uops;
    f->loop_uops = 0;
    f->loop_bad = false;
    return again;
}

/* The decoders hand over to the uop cache only behind a taken branch. */
uint8_t ooo_front_source(ooo_core *core, uint64_t address, bool sequential)
{
    ooo_front *f = &core->front;
    const ooo_params *p = &core->params;
    if (p->no_decode)
        return f->source = OOO_FROM_DSB;
    if (f->source == OOO_FROM_LSD) {
        if (sequential && f->loop_uops < f->loop_last_uops)
            return f->source;
        f->source = OOO_FROM_DSB; /* the loop is left; unless it goes round once more */
        f->loop_bad |= sequential;
        if (!sequential && is_loop_in_queue(core, address, true))
            return f->source = OOO_FROM_LSD;
    } else if (p->lsd && !sequential && is_loop_in_queue(core, address, false))
        return f->source = OOO_FROM_LSD;
    if (!sequential) {
        f->source = is_cached(core, address) ? OOO_FROM_DSB : OOO_FROM_MITE;
        f->redirected = true;
    } else if (f->source == OOO_FROM_DSB && !goes_on(core, address)) {
        f->source = OOO_FROM_MITE;
        f->redirected = true;
    }
    return f->source;
}

/* ---- delivery to the queue --------------------------------------------------------------------
 */

/* A source works only while a cache line's uops fit into the queue. */
static ooo_cycle queue_room(const ooo_core *core, ooo_cycle cycle)
{
    const ooo_front *f = &core->front;
    const uint32_t entries = core->params.idq_entries - core->params.dsb_width + 1;
    if (f->n_queued < entries)
        return cycle;
    return later(cycle, f->queue_left[(f->n_queued - entries) % OOO_IDQ_RING]);
}

static void begin_decoded(ooo_core *core, const ooo_step *step, ooo_cycle next)
{
    ooo_front *f = &core->front;
    const ooo_params *p = &core->params;
    const ooo_insn *insn = step->insn;
    ooo_cycle ready = later(step->predecoded, step->branch ? step->branch_predecoded : 0);
    if (insn->fuse != OOO_FUSE_NONE && !step->branch)
        ready = later(ready, next); /* it must see what follows */
    ready += p->iq_delay;
    const bool is_complex = insn->flags & OOO_INSN_COMPLEX;
    if (f->n_decoded > 0 &&
        (ready > f->decode_cycle || f->decoders_left == 0 || is_complex ||
         (insn->fuse != OOO_FUSE_NONE && !p->fusible_last && f->decoders_left == 1))) {
        f->decode_cycle++;
        f->n_decoded = 0;
    }
    if (f->n_decoded == 0) {
        f->decode_cycle = queue_room(core, later(f->decode_cycle, ready));
        f->decoders_left = p->decoders;
    }
    f->removed[step->number % OOO_IQ_RING] = f->decode_cycle;
    if (step->branch)
        f->removed[(step->number + 1) % OOO_IQ_RING] = f->decode_cycle;
    f->n_decoded++;
    f->decoders_left--;
    if (is_complex && insn->simple < f->decoders_left)
        f->decoders_left = insn->simple;
    if (insn->flags & OOO_INSN_BRANCH || step->branch)
        f->decoders_left = 0;
}

static void next_dsb_cycle(ooo_core *core)
{
    ooo_front *f = &core->front;
    f->dsb_cycle = queue_room(core, f->dsb_cycle + 1);
    f->dsb_left = core->params.dsb_width;
    f->dsb_delivered = 0;
    f->dsb_from_start = f->line_slot == 0;
    f->dsb_second = false;
    f->dsb_delay_before = f->dsb_delay;
    f->dsb_delay = false;
}

/* A line is over in the middle of a cycle: what of the next may come in the same cycle. */
static void join_lines(ooo_core *core, const ooo_step *step)
{
    ooo_front *f = &core->front;
    const ooo_params *p = &core->params;
    if (p->dsb_width == 6) {
        const bool same_window = (step->insn->address >> p->dsb_shift) == f->line_window;
        uint32_t limit = f->dsb_left;
        if (same_window) {
            if (f->last_taken && !f->dsb_delay_before)
                limit = 0;
        } else if (f->dsb_from_start) {
            static const uint32_t limits[] = {6, 4, 4, 2, 2, 1, 0};
            limit = limits[f->dsb_delivered < 6 ? f->dsb_delivered : 6];
        } else if (f->last_taken) {
            const bool short_line =
                f->dsb_delivered == 1 || (f->dsb_delivered == 2 && f->last_slot >= 4);
            limit = short_line ? 4 : limit < 2 ? limit : 2;
        }
        f->dsb_left = limit;
    }
    if (f->dsb_second || step->insn->microcoded > 0)
        f->dsb_left = 0;
    f->dsb_second = true;
}

static void begin_cached(ooo_core *core, const ooo_step *step)
{
    ooo_front *f = &core->front;
    const ooo_params *p = &core->params;
    const ooo_insn *insn = step->insn;
    const uint64_t window = insn->address >> p->dsb_shift;
    if (f->dsb_cycle < f->decode_cycle) { /* from the decoders: starts in the next cycle */
        f->dsb_cycle = f->decode_cycle;
        f->dsb_left = 0;
        f->line_left = 0;
        f->line_ends = true;
    }
    if (insn->microcoded > 0 || f->line_ends || window != f->line_window ||
        cache_entries(insn) > f->line_left) {
        f->line_slot = 0;
        if (f->dsb_left > 0)
            join_lines(core, step);
        f->line_left = p->dsb_line_uops;
        f->line_window = window;
        f->line_ends = false;
    }
}

void ooo_front_begin(ooo_core *core, const ooo_step *step, ooo_cycle next)
{
    if (step->source == OOO_FROM_MITE)
        begin_decoded(core, step, next);
    else if (step->source == OOO_FROM_DSB)
        begin_cached(core, step);
}

/* Of the sequencer's uop @i: a group a cycle, each when there is room for it. */
static ooo_cycle microcode_cycle(ooo_core *core, ooo_cycle first, uint32_t i)
{
    ooo_front *f = &core->front;
    if (i % core->params.ms_width == 0)
        f->ms_cycle = queue_room(core, i == 0 ? first : f->ms_cycle + 1);
    return f->ms_cycle;
}

static ooo_cycle next_cached(ooo_core *core, const ooo_step *step, uint32_t laminated)
{
    ooo_front *f = &core->front;
    const ooo_insn *insn = step->insn;
    const uint32_t from_cache = insn->decoded;
    if (laminated >= from_cache) { /* from the microcode sequencer, after its switch */
        if (laminated == from_cache && from_cache == 0 && f->dsb_left == 0)
            next_dsb_cycle(core);
        core->totals.from_ms++;
        return microcode_cycle(core, f->dsb_cycle + core->params.dsb_ms_stall + 1,
                               laminated - from_cache);
    }
    const bool extra = insn->flags & OOO_INSN_TWO_DSB_SLOTS && laminated + 1 == from_cache;
    if (f->dsb_left == 0 || (extra && f->dsb_left < 2))
        next_dsb_cycle(core);
    f->dsb_left--;
    f->dsb_delivered++;
    f->last_slot = f->line_slot++;
    f->line_left -= f->line_left > 0;
    if (extra) {
        f->line_left -= f->line_left > 0;
        f->dsb_left = 0;
        f->dsb_delay = true;
    }
    core->totals.from_dsb++;
    return f->dsb_cycle;
}

ooo_cycle ooo_front_next(ooo_core *core, const ooo_step *step, uint32_t laminated)
{
    ooo_front *f = &core->front;
    if (core->params.no_decode)
        return 0;
    if (step->source == OOO_FROM_LSD) {
        core->totals.from_lsd++;
        return 0;
    }
    if (step->source == OOO_FROM_DSB)
        return next_cached(core, step, laminated);
    if (laminated < step->insn->decoded) {
        core->totals.from_mite++;
        return f->decode_cycle;
    }
    core->totals.from_ms++;
    return microcode_cycle(core, f->decode_cycle + 2, laminated - step->insn->decoded);
}

void ooo_front_end(ooo_core *core, const ooo_step *step)
{
    ooo_front *f = &core->front;
    const ooo_insn *insn = step->insn;
    f->last_taken = step->taken;
    if (step->taken)
        f->line_ends = true;
    if (step->source == OOO_FROM_LSD) { /* others go on when the last replayed uop is issued */
        f->dsb_cycle = core->rename.cycle - 1;
        f->dsb_left = 0;
    }
    if (insn->microcoded == 0)
        return;
    if (step->source == OOO_FROM_MITE) {
        f->decode_cycle = f->ms_cycle + 1; /* the way back; decoders or cache after that */
        f->decoders_left = 0;
    } else if (step->source == OOO_FROM_DSB) {
        f->dsb_cycle = f->ms_cycle;
        f->dsb_left = 0;
        f->line_ends = true;
    }
}
