/* branch.c - the branch prediction unit; see branch.h. */
#include "branch.h"

#include "pie/trace.h"

#include <string.h>

#define ODD_1 UINT64_C(0x9e3779b97f4a7c15)
#define ODD_2 UINT64_C(0xbf58476d1ce4e5b9)
#define ODD_3 UINT64_C(0x94d049bb133111eb)
#define STEP UINT64_C(0xd6e8feb86659fd93) /* of the history, per taken branch */

enum {
    BTB_GRANULE = 4, /* log2 of the bytes of code that share a set */
    MAX_FAILURES = 1024,
    TRUST = 8,       /* bound of trust_new */
    LOOP_TRUST = 64, /* bound of trust_loops */
    LOOP_CONFIDENT = 3,
    LOOP_AGE = 3
};

const ooo_branch_params ooo_branch_skylake = {
    .base_entries = 8192, /* assumption; 13 address bits */
    .tables = 5,          /* assumption */
    .table_entries = 1024,
    .tag_bits = 11, /* assumption */
    /* 93 taken branches: the longest history found on Haswell to Skylake (Yavarzadeh and others,
     * Half&Half, 2023; from memory); what lies between is the geometric series of TAGE */
    .history = {4, 9, 19, 42, 93},
    .loop_entries = 32, /* assumption; see branch.md */
    .loop_limit = 64,   /* assumption */
    /* 4096 entries, 4 ways, no strict LRU: M. Godbolt, Inside the Ivy Bridge and Haswell BTB */
    .btb_sets = 1024,
    .btb_ways = 4,
    .indirect_tables = 3, /* assumption */
    .indirect_entries = 512,
    .indirect_history = {0, 1, 2}, /* assumption */
    .return_entries = 16           /* H. Wong, Microbenchmarking Return Address Branch Prediction */
};

/* ---- parameters -------------------------------------------------------------------------------
 */

static bool is_power(uint32_t value, uint32_t max)
{
    return value > 1 && value <= max && (value & (value - 1)) == 0;
}

static const char *check_history(const ooo_branch_params *p)
{
    uint32_t before = 0;
    for (uint32_t i = 0; i < p->tables; i++) {
        if (p->history[i] <= before)
            return "history: must ascend";
        if (p->history[i] > OOO_BRANCH_MAX_HISTORY)
            return "history: at most 255 taken branches";
        before = p->history[i];
    }
    for (uint32_t i = 0; i < p->indirect_tables; i++)
        if (p->indirect_history[i] >= p->tables ||
            (i > 0 && p->indirect_history[i] <= p->indirect_history[i - 1]))
            return "indirect_history: must ascend and name a history";
    return NULL;
}

const char *ooo_branch_check(const ooo_branch_params *p)
{
    if (!is_power(p->base_entries, OOO_BRANCH_MAX_BASE))
        return "base_entries: must be a power of two from 2 to 16384";
    if (p->tables > OOO_BRANCH_MAX_TABLES)
        return "tables: at most 8";
    if (!is_power(p->table_entries, OOO_BRANCH_MAX_ENTRIES))
        return "table_entries: must be a power of two from 2 to 2048";
    if (p->tag_bits < 4 || p->tag_bits > 16)
        return "tag_bits: must be 4 to 16";
    if (p->loop_entries > 0 && !is_power(p->loop_entries, OOO_BRANCH_MAX_LOOPS))
        return "loop_entries: must be 0 or a power of two from 2 to 64";
    if (p->loop_limit < 2 || p->loop_limit > UINT16_MAX)
        return "loop_limit: must be 2 to 65535";
    if (!is_power(p->btb_sets, OOO_BRANCH_MAX_BTB) || p->btb_ways < 4 || p->btb_ways > 16 ||
        p->btb_ways % 4 != 0 || p->btb_sets * p->btb_ways > OOO_BRANCH_MAX_BTB)
        return "btb_sets: must be a power of two from 2, with 4, 8, 12 or 16 ways and at most 8192 "
               "entries";
    if (p->indirect_tables > OOO_BRANCH_MAX_INDIRECT)
        return "indirect_tables: at most 4";
    if (!is_power(p->indirect_entries, OOO_BRANCH_MAX_TARGETS))
        return "indirect_entries: must be a power of two from 2 to 512";
    if (!is_power(p->return_entries, OOO_BRANCH_MAX_RETURNS))
        return "return_entries: must be a power of two from 2 to 64";
    return check_history(p);
}

void ooo_branch_init(ooo_branch_unit *u, const ooo_branch_params *params)
{
    memset(u, 0, sizeof *u);
    u->params = *params;
    u->random = 1;
    u->tag_mask = (1u << params->tag_bits) - 1;
    u->table_shift = 32 - (uint32_t)__builtin_ctz(params->table_entries);
    u->target_shift = 32 - (uint32_t)__builtin_ctz(params->indirect_entries);
    for (uint32_t i = 0; i < params->tables; i++) {
        u->lengths[i] = (uint8_t)params->history[i];
        u->left[i] = 1;
        for (uint32_t k = 0; k < params->history[i]; k++)
            u->left[i] *= STEP;
    }
}

/* ---- history ----------------------------------------------------------------------------------
 */

/* Spreads an address over 32 bits. */
static uint32_t mix(uint64_t value)
{
    value *= ODD_1;
    return (uint32_t)((value ^ value >> 32) * ODD_2 >> 32);
}

/* A taken branch leaves a footprint of where it is and where it goes; older ones are multiplied by
 * STEP each time, so that order and distance count. */
static void push_history(ooo_branch_unit *u, uint64_t last, uint64_t target)
{
    const uint64_t product = last * ODD_1 + target * ODD_3;
    u->sum = u->sum * STEP + (product ^ product >> 32) * ODD_2;
    u->history[++u->now] = u->sum;
    u->n_hashed = 0;
}

/* Of the last history[table] footprints: the sum without what is left of the sum before them. Lasts
 * until the next taken branch. */
static void hash_history(ooo_branch_unit *u, uint32_t tables)
{
    const uint64_t sum = u->sum;
    const uint8_t now = u->now;
    for (uint32_t i = u->n_hashed; i < tables; i++) {
        const uint8_t before = (uint8_t)(now - u->lengths[i]);
        u->hashes[i] = (uint32_t)((sum - u->history[before] * u->left[i]) >> 32);
    }
    u->n_hashed = (uint8_t)tables;
}

/* Where hardware throws dice: Marsaglia's xorshift, a linear feedback shift register that takes
 * many steps at once. */
static uint32_t next_random(ooo_branch_unit *u)
{
    uint32_t x = u->random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return u->random = x;
}

/* @value one up or down, within bounds. */
static int8_t step(int8_t value, bool up, int8_t min, int8_t max)
{
    return (int8_t)(up ? value + (value < max) : value - (value > min));
}

/* ---- branch target buffer ---------------------------------------------------------------------
 */

static uint32_t btb_tag(uint64_t last)
{
    return (uint32_t)last | 1u << 31; /* 31 bits of the address */
}

static uint32_t btb_set(const ooo_branch_unit *u, uint64_t last)
{
    return (uint32_t)(last >> BTB_GRANULE) & (u->params.btb_sets - 1);
}

enum { BTB_NONE = INT32_MAX };

static uint32_t btb_find(const ooo_branch_unit *u, uint64_t last)
{
    const uint32_t first = btb_set(u, last) * u->params.btb_ways, tag = btb_tag(last);
    for (uint32_t i = first; i < first + u->params.btb_ways; i += 4) { /* without jumps inside */
        const uint32_t *tags = &u->btb_tags[i];
        const uint32_t hits = (uint32_t)(tags[0] == tag) | (uint32_t)(tags[1] == tag) << 1 |
                              (uint32_t)(tags[2] == tag) << 2 | (uint32_t)(tags[3] == tag) << 3;
        if (hits)
            return i + (uint32_t)__builtin_ctz(hits);
    }
    return BTB_NONE;
}

/* A taken branch, which btb_find() found at @entry, has an entry from now on. */
static void btb_learn(ooo_branch_unit *u, uint32_t entry, uint64_t last, uint64_t target)
{
    if (entry == BTB_NONE) {
        const uint32_t ways = u->params.btb_ways, first = btb_set(u, last) * ways;
        for (entry = first; entry < first + ways && u->btb_tags[entry] != 0;)
            entry++;
        if (entry == first + ways)
            entry = first + next_random(u) % ways;
        u->btb_tags[entry] = btb_tag(last);
    }
    u->btb_targets[entry] = (uint32_t)target;
}

/* ---- loops ------------------------------------------------------------------------------------
 */

static uint32_t loop_tag(uint64_t last)
{
    return (uint32_t)last | 1u << 31;
}

/* True: the loop's count is known; *@ret_taken is what it says. */
static bool loop_predicts(const ooo_loop *loop, uint64_t last, bool *ret_taken)
{
    if (loop->tag != loop_tag(last) || loop->confidence < LOOP_CONFIDENT)
        return false;
    *ret_taken = (loop->current == loop->trip) != (loop->body != 0);
    return true;
}

static void loop_learn(ooo_branch_unit *u, ooo_loop *loop, uint64_t last, bool taken, bool missed)
{
    if (loop->tag != loop_tag(last)) {
        /* a branch that is not foreseen may be a loop's exit */
        if (!missed)
            return;
        if (loop->age > 0)
            loop->age--;
        else
            *loop = (ooo_loop){.tag = loop_tag(last), .age = LOOP_AGE, .body = !taken};
        return;
    }
    if (taken == (loop->body != 0)) {
        loop->current++;
        if (loop->current > loop->trip)
            loop->confidence = 0;
        if (loop->current >= u->params.loop_limit)
            *loop = (ooo_loop){0};
        return;
    }
    if (loop->current == loop->trip && loop->trip > 0) {
        if (loop->confidence < LOOP_CONFIDENT)
            loop->confidence++;
        loop->age = LOOP_AGE;
    } else {
        loop->confidence = 0;
        loop->trip = loop->current;
        if (loop->age > 0)
            loop->age--;
        else
            loop->tag = 0;
    }
    loop->current = 0;
}

/* ---- directions -------------------------------------------------------------------------------
 */

/* A byte of the base: two bits of counter and what is known of the branch. */
enum {
    BASE_COUNTER = 3,
    BASE_SEEN = 1 << 2,
    BASE_DEPTH = 3 /* shift: tables that may have an entry of it; 0: it always went one way */
};

typedef struct lookup {
    uint32_t key;                  /* of the branch */
    uint32_t provider;             /* table + 1; 0: the base */
    ooo_direction *entry, *second; /* of the provider, the next one; NULL: the base */
    bool entry_taken, second_taken, taken, is_new;
} lookup;

/* The index is in the upper bits of the hash, the tag in the lower. */
static ooo_direction *entry_of(ooo_branch_unit *u, uint32_t table, uint32_t key)
{
    return &u->tables[table][(u->hashes[table] ^ key) >> u->table_shift];
}

static void look_up(ooo_branch_unit *u, uint32_t key, uint8_t base, lookup *l)
{
    uint32_t hits = 0;
    const uint32_t depth = base >> BASE_DEPTH;
    if (depth > u->n_hashed)
        hash_history(u, depth);
    const uint32_t mask = u->tag_mask, shift = u->table_shift;
    for (uint32_t i = 0; i < depth; i++) {
        const uint32_t hash = u->hashes[i] ^ key;
        hits |= (uint32_t)(u->tables[i][hash >> shift].tag == (hash & mask)) << i;
    }
    l->key = key;
    l->entry = l->second = NULL;
    l->taken = l->entry_taken = l->second_taken = (base & BASE_COUNTER) >= 2;
    l->is_new = false;
    l->provider = 0;
    if (hits == 0)
        return;
    const uint32_t first = 31u - (uint32_t)__builtin_clz(hits);
    hits &= ~(1u << first);
    l->provider = first + 1;
    l->entry = entry_of(u, first, key);
    l->taken = l->entry_taken = l->entry->counter >= 0;
    if (hits > 0) {
        const uint32_t next = 31u - (uint32_t)__builtin_clz(hits);
        l->second = entry_of(u, next, key);
        l->second_taken = l->second->counter >= 0;
    }
    l->is_new = l->entry->useful == 0 && (l->entry->counter == 0 || l->entry->counter == -1);
    if (l->is_new && u->trust_new >= 0)
        l->taken = l->second_taken;
}

static void count(ooo_direction *entry, bool taken)
{
    entry->counter = step(entry->counter, taken, -4, 3);
}

static void count_base(uint8_t *base, bool taken)
{
    const uint8_t counter = *base & BASE_COUNTER;
    *base = (uint8_t)(*base - counter + step((int8_t)counter, taken, 0, 3));
}

/* Every entry loses half of its use, so that none stays for ever. */
static void age_tables(ooo_branch_unit *u)
{
    for (uint32_t i = 0; i < u->params.tables; i++)
        for (uint32_t k = 0; k < u->params.table_entries; k++)
            u->tables[i][k].useful >>= 1;
}

/* One entry with more history than the provider had, where none of use is in the way. */
static void allocate(ooo_branch_unit *u, const lookup *l, uint8_t *base, bool taken)
{
    uint32_t i = l->provider;
    const uint32_t n = u->params.tables;
    if (i >= n)
        return;
    i += i + 1 < n && next_random(u) & 1; /* not all into the next table */
    if (n > u->n_hashed)
        hash_history(u, n);
    bool found = false;
    for (; i < n && !found; i++) {
        ooo_direction *entry = entry_of(u, i, l->key);
        found = entry->useful == 0;
        if (found)
            *entry = (ooo_direction){.tag = (uint16_t)((u->hashes[i] ^ l->key) & u->tag_mask),
                                     .counter = (int8_t)(taken ? 0 : -1)};
        else
            u->failures++;
    }
    if (i > (uint32_t)*base >> BASE_DEPTH)
        *base = (uint8_t)((*base & (BASE_SEEN | BASE_COUNTER)) | i << BASE_DEPTH);
    if (found && u->failures > 0)
        u->failures--;
    if (u->failures >= MAX_FAILURES) {
        age_tables(u);
        u->failures = 0;
    }
}

static void learn(ooo_branch_unit *u, const lookup *l, uint8_t *base, bool taken, bool missed)
{
    if (l->is_new && l->entry_taken != l->second_taken)
        u->trust_new = step(u->trust_new, l->second_taken == taken, -TRUST, TRUST - 1);
    if (missed && l->taken != taken && !(l->is_new && l->entry_taken == taken))
        allocate(u, l, base, taken);
    if (!l->entry) {
        count_base(base, taken);
        return;
    }
    if (l->entry->useful == 0) { /* not sure of itself: the next one learns, too */
        if (l->second)
            count(l->second, taken);
        else
            count_base(base, taken);
    }
    count(l->entry, taken);
    if (l->entry_taken != l->second_taken)
        l->entry->useful = step(l->entry->useful, l->entry_taken == taken, 0, 3);
}

/* Tables and loops: of branches that go both ways. */
static bool predict_mixed(ooo_branch_unit *u, uint64_t last, uint8_t *base, bool taken)
{
    lookup l;
    const uint32_t key = mix(last);
    look_up(u, key, *base, &l);
    bool direction = l.taken;
    if (u->params.loop_entries > 0) {
        ooo_loop *loop = &u->loops[key & (u->params.loop_entries - 1)];
        bool says;
        if (loop_predicts(loop, last, &says)) {
            if (u->trust_loops >= 0)
                direction = says;
            if (says != l.taken)
                u->trust_loops = step(u->trust_loops, says == taken, -LOOP_TRUST, LOOP_TRUST - 1);
        }
        loop_learn(u, loop, last, taken, l.taken != taken);
    }
    learn(u, &l, base, taken, direction != taken);
    return direction;
}

/* What the direction predictor says; it learns that the branch was @taken. */
static bool predict_direction(ooo_branch_unit *u, uint64_t last, bool taken)
{
    uint8_t *base = &u->base[last & (u->params.base_entries - 1)];
    const uint8_t before = *base;
    if (before >> BASE_DEPTH)
        return predict_mixed(u, last, base, taken);
    const uint8_t counter = before & BASE_COUNTER;
    if (!(before & BASE_SEEN)) { /* the first time tells most */
        *base = BASE_SEEN | (taken ? 3 : 0);
        return counter >= 2;
    }
    if (counter != (taken ? 3 : 0))
        return predict_mixed(u, last, base, taken);
    return taken;
}

static ooo_branch_verdict conditional(ooo_branch_unit *u, uint64_t last, bool taken,
                                      uint64_t target)
{
    const bool direction = predict_direction(u, last, taken);
    if (!taken) /* without an entry, fetch goes straight on in any case */
        return direction && btb_find(u, last) != BTB_NONE ? OOO_BRANCH_DIRECTION
                                                          : OOO_BRANCH_PREDICTED;
    const uint32_t entry = btb_find(u, last);
    const bool same = entry != BTB_NONE && u->btb_targets[entry] == (uint32_t)target;
    btb_learn(u, entry, last, target);
    push_history(u, last, target);
    if (entry == BTB_NONE || !direction)
        return OOO_BRANCH_DIRECTION;
    return same ? OOO_BRANCH_PREDICTED : OOO_BRANCH_REDIRECTED;
}

/* ---- targets ----------------------------------------------------------------------------------
 */

static void allocate_target(ooo_branch_unit *u, ooo_target *const *entries, const uint16_t *tags,
                            uint32_t i, uint32_t target)
{
    const uint32_t n = u->params.indirect_tables;
    if (i >= n)
        return;
    i += i + 1 < n && next_random(u) & 1;
    for (; i < n; i++) {
        if (entries[i]->useful == 0) {
            *entries[i] = (ooo_target){.tag = tags[i], .target = target};
            return;
        }
        entries[i]->useful = 0;
    }
}

/* The entry with the longest history that knows the branch; without one, or when that is unsure,
 * what comes next, in the end the BTB's last target. */
static ooo_branch_verdict indirect(ooo_branch_unit *u, uint64_t last, uint64_t target)
{
    ooo_target *entries[OOO_BRANCH_MAX_INDIRECT];
    uint16_t tags[OOO_BRANCH_MAX_INDIRECT];
    const uint32_t key = mix(last);
    const uint32_t actual = (uint32_t)target, n = u->params.indirect_tables;
    ooo_target *provider = NULL, *second = NULL;
    uint32_t table = 0;
    const uint32_t hashed = n > 0 ? u->params.indirect_history[n - 1] + 1 : 0;
    if (hashed > u->n_hashed)
        hash_history(u, hashed);
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t hash = u->hashes[u->params.indirect_history[i]] ^ key;
        entries[i] = &u->indirect[i][hash >> u->target_shift];
        tags[i] = (uint16_t)(hash & u->tag_mask);
        if (entries[i]->tag == tags[i]) {
            second = provider;
            provider = entries[i];
            table = i + 1;
        }
    }
    const uint32_t entry = btb_find(u, last);
    const bool known = entry != BTB_NONE;
    const uint32_t before = known ? u->btb_targets[entry] : 0;
    const uint32_t fallback = second ? second->target : before;
    const bool sure = provider && provider->confidence > 0;
    const uint32_t predicted = sure ? provider->target : fallback;
    const bool right = provider && provider->target == actual;
    if (provider) {
        if (right) {
            provider->confidence = step(provider->confidence, true, 0, 3);
            if (fallback != actual)
                provider->useful = 1;
        } else if (provider->confidence > 0) {
            provider->confidence--;
        } else {
            provider->target = actual;
            provider->useful = 0;
        }
    }
    if (predicted != actual && !right)
        allocate_target(u, entries, tags, table, actual);
    btb_learn(u, entry, last, target);
    push_history(u, last, target);
    return known && predicted == actual ? OOO_BRANCH_PREDICTED : OOO_BRANCH_TARGET;
}

/* A ring that keeps no count: what is pushed too much overwrites the oldest, what is popped too
 * much comes round again. */
static void push_return(ooo_branch_unit *u, uint64_t end, uint64_t target)
{
    if (target == end)
        return; /* call to the next instruction: reads the address, no return follows */
    u->return_top = (u->return_top + 1) & (u->params.return_entries - 1);
    u->returns[u->return_top] = end;
}

static ooo_branch_verdict take_return(ooo_branch_unit *u, uint64_t last, uint64_t target)
{
    const uint64_t predicted = u->returns[u->return_top];
    const uint32_t entry = btb_find(u, last);
    u->return_top = (u->return_top - 1) & (u->params.return_entries - 1);
    btb_learn(u, entry, last, target);
    push_history(u, last, target);
    if (predicted != target)
        return OOO_BRANCH_TARGET;
    return entry != BTB_NONE ? OOO_BRANCH_PREDICTED : OOO_BRANCH_REDIRECTED;
}

static ooo_branch_verdict direct(ooo_branch_unit *u, uint64_t last, uint64_t target)
{
    const uint32_t entry = btb_find(u, last);
    const bool same = entry != BTB_NONE && u->btb_targets[entry] == (uint32_t)target;
    btb_learn(u, entry, last, target);
    push_history(u, last, target);
    return same ? OOO_BRANCH_PREDICTED : OOO_BRANCH_REDIRECTED;
}

ooo_branch_verdict ooo_branch_execute(ooo_branch_unit *u, uint8_t kind, uint64_t end,
                                      uint8_t outcome, uint64_t target)
{
    if (outcome == OOO_OUTCOME_UNKNOWN)
        return OOO_BRANCH_PREDICTED;
    const uint64_t last = end - 1; /* of its bytes; tells branches apart as well as the first */
    if (kind == PIE_BRANCH_CONDITIONAL)
        return conditional(u, last, outcome == OOO_TAKEN, target);
    switch (kind) {
    case PIE_BRANCH_INDIRECT:
        return indirect(u, last, target);
    case PIE_BRANCH_CALL_INDIRECT: {
        const ooo_branch_verdict verdict = indirect(u, last, target);
        push_return(u, end, target);
        return verdict;
    }
    case PIE_BRANCH_CALL:
        push_return(u, end, target);
        return direct(u, last, target);
    case PIE_BRANCH_RETURN:
        return take_return(u, last, target);
    case PIE_BRANCH_JUMP:
        return direct(u, last, target);
    default: /* no branch */
        return OOO_BRANCH_PREDICTED;
    }
}
