/* laws.c - see laws.h. */
#include "contract/laws.h"

#include "trace/decode.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_SAMPLES = 40 };

static void *need(void *memory)
{
    if (!memory) {
        fprintf(stderr, "laws: out of memory\n");
        abort();
    }
    return memory;
}

uint64_t law_random(uint64_t *state) /* splitmix64: any seed will do */
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* ---- streams ---- */

void stream_free(stream *stream_)
{
    free(stream_->words);
    *stream_ = (stream){0};
}

void stream_add(stream *to, const uint64_t *words, size_t n)
{
    if (to->n + n > to->capacity) {
        to->capacity = 2 * (to->n + n);
        to->words = need(realloc(to->words, to->capacity * sizeof *words));
    }
    if (n)
        memcpy(to->words + to->n, words, n * sizeof *words);
    to->n += n;
}

void stream_add_record(stream *to, uint32_t kind, uint32_t argument, const uint64_t *words,
                       size_t n)
{
    const uint64_t header = pie_record_header(kind, (uint32_t)n + 1, argument);
    stream_add(to, &header, 1);
    stream_add(to, words, n);
}

void stream_add_description(stream *to, uint32_t id, uint64_t address, const uint8_t *bytes,
                            size_t n)
{
    pie_decoder *decoder = NULL;
    const pie_block *block;
    if (pie_decoder_new(&decoder) != PIE_OK ||
        pie_decode_block(decoder, id, address, bytes, n, &block) != PIE_OK)
        abort();
    stream_add_record(to, PIE_RECORD_DESCRIBE, id, (const uint64_t *)(const void *)block,
                      block->size / 8);
    pie_decoder_free(decoder);
}

/* Offsets of all records, and the end behind them; the caller frees. */
static size_t *record_offsets(const stream *input, size_t *ret_n)
{
    size_t n = 0;
    for (size_t at = 0; at < input->n; at += pie_record_words(input->words[at]))
        n++;
    size_t *offsets = need(calloc(n + 1, sizeof *offsets));
    n = 0;
    for (size_t at = 0; at < input->n; at += pie_record_words(input->words[at]))
        offsets[n++] = at;
    offsets[n] = input->n;
    *ret_n = n;
    return offsets;
}

/* Descriptions of a stream by id; pointers into it. */
typedef struct directory {
    const pie_block **blocks;
    size_t n;
} directory;

static directory describe_all(const stream *input)
{
    directory all = {0};
    for (size_t at = 0; at < input->n; at += pie_record_words(input->words[at])) {
        if (pie_record_kind(input->words[at]) != PIE_RECORD_DESCRIBE)
            continue;
        const size_t id = pie_record_argument(input->words[at]);
        if (id >= all.n) {
            all.blocks = need(realloc(all.blocks, (id + 1) * sizeof *all.blocks));
            for (size_t i = all.n; i <= id; i++)
                all.blocks[i] = NULL;
            all.n = id + 1;
        }
        all.blocks[id] = (const pie_block *)(const void *)&input->words[at + 1];
    }
    return all;
}

/* ---- figures ---- */

typedef struct profile_row {
    uint64_t address, executions, cycles, misses[4];
} profile_row;

typedef struct figures {
    pie_uarch_mark mark;
    uint64_t counters[1024];
    profile_row *rows; /* by address */
    size_t n_rows, capacity;
} figures;

typedef struct gather {
    figures *into;
    const directory *blocks;
} gather;

static pie_status take_row(void *context, const pie_profile_row *row)
{
    const gather *g = context;
    figures *into = g->into;
    if (into->n_rows == into->capacity) {
        into->capacity = 2 * into->capacity + 64;
        into->rows = need(realloc(into->rows, into->capacity * sizeof *into->rows));
    }
    const pie_block *block = g->blocks->blocks[row->block_id];
    into->rows[into->n_rows++] =
        (profile_row){block->address + pie_block_insn(block, row->insn)->offset,
                      row->executions,
                      row->cycles,
                      {row->l1d_misses, row->l2_misses, row->l3_misses, row->branch_misses}};
    return PIE_OK;
}

static int by_address(const void *a, const void *b)
{
    const profile_row *x = a, *y = b;
    return x->address < y->address ? -1 : x->address > y->address;
}

static figures read_figures(const law_subject *subject, const void *instance,
                            const directory *blocks)
{
    figures got = {0};
    subject->ops->mark(instance, &got.mark);
    subject->ops->counters_read(instance, got.counters);
    if (!subject->ops->profile || !subject->setup.profile)
        return got;
    gather g = {&got, blocks};
    subject->ops->profile(instance, take_row, &g);
    if (got.n_rows)
        qsort(got.rows, got.n_rows, sizeof *got.rows, by_address);
    size_t n = 0; /* sum up what is the same instruction */
    for (size_t i = 0; i < got.n_rows; i++) {
        if (n && got.rows[n - 1].address == got.rows[i].address) {
            got.rows[n - 1].executions += got.rows[i].executions;
            got.rows[n - 1].cycles += got.rows[i].cycles;
            for (size_t k = 0; k < 4; k++)
                got.rows[n - 1].misses[k] += got.rows[i].misses[k];
        } else
            got.rows[n++] = got.rows[i];
    }
    got.n_rows = n;
    return got;
}

/* 1 and a line if the figures differ. */
static size_t compare(const law_subject *subject, const char *law, const figures *want,
                      const figures *got)
{
    if (want->mark.cycles != got->mark.cycles ||
        want->mark.instructions != got->mark.instructions || want->mark.uops != got->mark.uops) {
        printf("%s: cycles %" PRIu64 " instead of %" PRIu64 ", instructions %" PRIu64
               " instead of %" PRIu64 "\n",
               law, got->mark.cycles, want->mark.cycles, got->mark.instructions,
               want->mark.instructions);
        return 1;
    }
    for (size_t i = 0; subject->ops->counters[i].name; i++)
        if (want->counters[i] != got->counters[i]) {
            printf("%s: %s is %" PRIu64 " instead of %" PRIu64 "\n", law,
                   subject->ops->counters[i].name, got->counters[i], want->counters[i]);
            return 1;
        }
    if (want->n_rows != got->n_rows ||
        (want->n_rows && memcmp(want->rows, got->rows, want->n_rows * sizeof *want->rows) != 0)) {
        printf("%s: the profile differs\n", law);
        return 1;
    }
    return 0;
}

/* ---- running a model ---- */

static void *create(const law_subject *subject)
{
    void *instance = NULL;
    if (subject->ops->create(subject->host, &subject->setup, &instance) != PIE_OK) {
        fprintf(stderr, "laws: the model cannot be created\n");
        abort();
    }
    return instance;
}

static void feed(const law_subject *subject, void *instance, const uint64_t *words, size_t n)
{
    size_t used = 0;
    int32_t reason = -1;
    /* from memory of exactly this size: a sanitizer sees what reads on */
    uint64_t *copy = need(malloc((n ? n : 1) * sizeof *copy));
    memcpy(copy, words, n * sizeof *copy);
    if (subject->ops->consume(instance, copy, n, UINT64_MAX, &used, &reason) != PIE_OK ||
        used != n || reason != PIE_CONSUMED_ALL) {
        printf("consume: took %zu of %zu words, reason %d\n", used, n, (int)reason);
        abort();
    }
    free(copy);
}

static figures run_whole(const law_subject *subject, const stream *input)
{
    directory blocks = describe_all(input);
    void *instance = create(subject);
    feed(subject, instance, input->words, input->n);
    const figures got = read_figures(subject, instance, &blocks);
    subject->ops->destroy(instance);
    free(blocks.blocks);
    return got;
}

/* ---- the laws ---- */

size_t law_batches(const law_subject *subject, const stream *input, uint64_t seed)
{
    static const char *const names[] = {"batches of one record", "batches of random size"};
    size_t violations = 0, n;
    figures want = run_whole(subject, input), again = run_whole(subject, input);
    violations += compare(subject, "the same stream twice", &want, &again);
    size_t *offsets = record_offsets(input, &n);
    directory blocks = describe_all(input);
    for (int random = 0; random < 2; random++) {
        void *instance = create(subject);
        for (size_t i = 0; i < n;) {
            size_t step = random ? 1 + law_random(&seed) % 17 : 1;
            step = step > n - i ? n - i : step;
            feed(subject, instance, input->words + offsets[i], offsets[i + step] - offsets[i]);
            i += step;
        }
        figures got = read_figures(subject, instance, &blocks);
        violations += compare(subject, names[random], &want, &got);
        free(got.rows);
        subject->ops->destroy(instance);
    }
    free(blocks.blocks);
    free(offsets);
    free(want.rows);
    free(again.rows);
    return violations;
}

size_t law_copies(const law_subject *subject, const stream *input, uint64_t seed)
{
    if (!subject->ops->copy)
        return 0;
    size_t violations = 0, n;
    figures want = run_whole(subject, input);
    size_t *offsets = record_offsets(input, &n);
    directory blocks = describe_all(input);
    void *used = create(subject); /* an instance that has seen everything already */
    feed(subject, used, input->words, input->n);
    for (int sample = 0; sample < N_SAMPLES; sample++) {
        const size_t at = offsets[sample == 0 ? 0 : law_random(&seed) % (n + 1)];
        void *source = create(subject), *fresh = create(subject);
        feed(subject, source, input->words, at);
        if (subject->ops->copy(fresh, source) != PIE_OK ||
            subject->ops->copy(used, source) != PIE_OK) {
            printf("copy: failed\n");
            violations++;
        }
        void *const instances[] = {fresh, used, source};
        static const char *const names[] = {"copy to a fresh instance", "copy to a used instance",
                                            "the source of a copy"};
        for (size_t i = 0; i < 3; i++) {
            feed(subject, instances[i], input->words + at, input->n - at);
            figures got = read_figures(subject, instances[i], &blocks);
            violations += compare(subject, names[i], &want, &got);
            free(got.rows);
        }
        subject->ops->destroy(source);
        subject->ops->destroy(fresh);
    }
    subject->ops->destroy(used);
    free(blocks.blocks);
    free(offsets);
    free(want.rows);
    return violations;
}

size_t law_instances(const law_subject *subject, const stream *input)
{
    size_t n, violations = 0;
    figures want = run_whole(subject, input);
    size_t *offsets = record_offsets(input, &n);
    directory blocks = describe_all(input);
    void *one = create(subject), *other = create(subject);
    for (size_t i = 0; i < n; i++) { /* the other one lags behind by a step and stops halfway */
        feed(subject, one, input->words + offsets[i], offsets[i + 1] - offsets[i]);
        if (i >= 1 && i < n / 2)
            feed(subject, other, input->words + offsets[i - 1], offsets[i] - offsets[i - 1]);
    }
    figures got = read_figures(subject, one, &blocks);
    violations += compare(subject, "two instances", &want, &got);
    free(got.rows);
    free(want.rows);
    subject->ops->destroy(one);
    subject->ops->destroy(other);
    free(blocks.blocks);
    free(offsets);
    return violations;
}

size_t law_monotone(const law_subject *subject, const stream *input)
{
    size_t violations = 0;
    void *instance = create(subject);
    pie_uarch_mark before = {0};
    for (size_t at = 0; at < input->n && violations == 0;) {
        const size_t n = pie_record_words(input->words[at]);
        pie_uarch_mark mark;
        feed(subject, instance, input->words + at, n);
        subject->ops->mark(instance, &mark);
        if (mark.cycles < before.cycles || mark.instructions < before.instructions ||
            mark.uops < before.uops) {
            printf("monotone: a figure falls at word %zu: cycles %" PRIu64 " after %" PRIu64 "\n",
                   at, mark.cycles, before.cycles);
            violations++;
        }
        before = mark;
        at += n;
    }
    subject->ops->destroy(instance);
    return violations;
}

/* Id of the piece [@from, @to) of a block, described on first use. */
typedef struct piece {
    uint32_t parent, id;
    size_t from, to;
} piece;

typedef struct cutter {
    pie_decoder *decoder;
    stream out;
    piece *pieces;
    size_t n_pieces;
    uint32_t next_id;
} cutter;

static size_t offset_of_insn(const pie_block *block, size_t i)
{
    return i < block->n_insns ? pie_block_insn(block, i)->offset : block->n_bytes;
}

/* Number of slots of the first @n instructions. */
static size_t slots_before(const pie_block *block, size_t n)
{
    size_t slots = 0;
    for (size_t i = 0; i < n; i++) {
        const pie_insn *insn = pie_block_insn(block, i);
        for (size_t k = 0; k < insn->n_mems; k++)
            slots += pie_block_mem(block, insn, k)->n_slots;
    }
    return slots;
}

static uint32_t piece_id(cutter *cut, const pie_block *block, size_t from, size_t to)
{
    for (size_t i = 0; i < cut->n_pieces; i++)
        if (cut->pieces[i].parent == block->id && cut->pieces[i].from == from &&
            cut->pieces[i].to == to)
            return cut->pieces[i].id;
    const size_t start = offset_of_insn(block, from), end = offset_of_insn(block, to);
    const pie_block *described;
    if (pie_decode_block(cut->decoder, cut->next_id, block->address + start,
                         pie_block_bytes(block) + start, end - start, &described) != PIE_OK)
        abort();
    stream_add_record(&cut->out, PIE_RECORD_DESCRIBE, cut->next_id,
                      (const uint64_t *)(const void *)described, described->size / 8);
    cut->pieces = need(realloc(cut->pieces, (cut->n_pieces + 1) * sizeof *cut->pieces));
    cut->pieces[cut->n_pieces++] = (piece){block->id, cut->next_id, from, to};
    return cut->next_id++;
}

void stream_cut(const stream *input, uint64_t seed, bool finely, stream *ret_cut)
{
    directory blocks = describe_all(input);
    cutter cut = {.next_id = (uint32_t)blocks.n};
    if (pie_decoder_new(&cut.decoder) != PIE_OK)
        abort();
    for (size_t at = 0; at < input->n; at += pie_record_words(input->words[at])) {
        const uint64_t header = input->words[at];
        const pie_block *block = pie_record_kind(header) == PIE_RECORD_BLOCK
                                     ? blocks.blocks[pie_record_argument(header)]
                                     : NULL;
        if (!block || block->n_insns < 2) {
            stream_add(&cut.out, input->words + at, pie_record_words(header));
            continue;
        }
        const uint64_t *slots = input->words + at + 1;
        size_t from = 0;
        while (from < block->n_insns) {
            size_t to = finely      ? from + 1
                        : from == 0 ? 1 + law_random(&seed) % (block->n_insns - 1u)
                                    : block->n_insns;
            const size_t first = slots_before(block, from), last = slots_before(block, to);
            const uint32_t id = piece_id(&cut, block, from, to);
            stream_add_record(&cut.out, PIE_RECORD_BLOCK, id, slots + first, last - first);
            from = to;
        }
    }
    pie_decoder_free(cut.decoder);
    free(cut.pieces);
    free(blocks.blocks);
    *ret_cut = cut.out;
}

size_t law_cuts(const law_subject *subject, const stream *input, uint64_t seed)
{
    if (subject->wants_values)
        return 0; /* a value belongs to an instruction of the whole block */
    size_t violations = 0;
    figures want = run_whole(subject, input);
    for (int i = 0; i < 6; i++) {
        stream cut;
        stream_cut(input, seed + (uint64_t)i, i == 0, &cut);
        figures got = run_whole(subject, &cut);
        violations += compare(subject, i == 0 ? "blocks of one instruction" : "blocks cut in two",
                              &want, &got);
        free(got.rows);
        stream_free(&cut);
    }
    free(want.rows);
    return violations;
}

static uint64_t branches_in(const pie_block *block, size_t n_insns)
{
    uint64_t n = 0;
    for (size_t i = 0; i < n_insns; i++) {
        const uint8_t branch = pie_block_insn(block, i)->branch;
        n += branch != PIE_BRANCH_NONE && branch != PIE_BRANCH_SYSCALL;
    }
    return n;
}

size_t law_counts(const law_subject *subject, const stream *input)
{
    directory blocks = describe_all(input);
    uint64_t instructions = 0, branches = 0;
    for (size_t at = 0; at < input->n; at += pie_record_words(input->words[at])) {
        const uint64_t header = input->words[at];
        const uint32_t id = pie_record_argument(header), kind = pie_record_kind(header);
        if (kind != PIE_RECORD_BLOCK && kind != PIE_RECORD_CUT && kind != PIE_RECORD_REP)
            continue;
        const uint64_t done = kind == PIE_RECORD_BLOCK ? blocks.blocks[id]->n_insns
                              : kind == PIE_RECORD_CUT ? input->words[at + 1]
                                                       : 1;
        instructions += done;
        branches += branches_in(blocks.blocks[id], (size_t)done);
    }
    figures got = run_whole(subject, input);
    size_t violations = 0;
    if (got.mark.instructions != instructions) {
        printf("counts: %" PRIu64 " instructions instead of %" PRIu64 "\n", got.mark.instructions,
               instructions);
        violations++;
    }
    for (size_t i = 0; subject->ops->counters[i].name; i++) {
        const char *name = subject->ops->counters[i].name;
        const uint64_t want = strcmp(name, "instructions") == 0 ? instructions
                              : strcmp(name, "branches") == 0   ? branches
                                                                : got.counters[i];
        if (got.counters[i] != want) {
            printf("counts: %s is %" PRIu64 " instead of %" PRIu64 "\n", name, got.counters[i],
                   want);
            violations++;
        }
    }
    free(got.rows);
    free(blocks.blocks);
    return violations;
}

size_t law_limit(const law_subject *subject, const stream *input, uint64_t seed)
{
    size_t n, violations = 0;
    figures want = run_whole(subject, input);
    size_t *offsets = record_offsets(input, &n);
    directory blocks = describe_all(input);
    uint64_t *cycles = need(calloc(n + 1, sizeof *cycles)); /* after each record */
    void *instance = create(subject);
    for (size_t i = 0; i < n; i++) {
        pie_uarch_mark mark;
        feed(subject, instance, input->words + offsets[i], offsets[i + 1] - offsets[i]);
        subject->ops->mark(instance, &mark);
        cycles[i] = mark.cycles;
    }
    subject->ops->destroy(instance);
    for (int sample = 0; sample < N_SAMPLES && want.mark.cycles > 0; sample++) {
        const uint64_t limit = law_random(&seed) % want.mark.cycles;
        size_t first = 0, used = 0;
        int32_t reason = -1;
        while (cycles[first] <= limit)
            first++;
        instance = create(subject);
        if (subject->ops->consume(instance, input->words, input->n, limit, &used, &reason) !=
                PIE_OK ||
            reason != PIE_CONSUMED_TO_LIMIT || used != offsets[first + 1]) {
            printf("limit: %" PRIu64 " cycles: took %zu words instead of %zu, reason %d\n", limit,
                   used, offsets[first + 1], (int)reason);
            violations++;
        } else { /* it can go on as if nothing had happened */
            feed(subject, instance, input->words + used, input->n - used);
            figures got = read_figures(subject, instance, &blocks);
            violations += compare(subject, "going on after a limit", &want, &got);
            free(got.rows);
        }
        subject->ops->destroy(instance);
    }
    free(cycles);
    free(offsets);
    free(blocks.blocks);
    free(want.rows);
    return violations;
}

size_t law_unknown_records(const law_subject *subject, const stream *input, uint64_t seed)
{
    figures want = run_whole(subject, input);
    stream mixed = {0};
    for (size_t at = 0; at < input->n; at += pie_record_words(input->words[at])) {
        const uint64_t noise[3] = {law_random(&seed), 7, UINT64_MAX};
        const uint64_t header = input->words[at];
        if (pie_record_kind(header) == PIE_RECORD_VALUE && !subject->wants_values)
            continue; /* what was not asked for may be absent */
        stream_add(&mixed, input->words + at, pie_record_words(header));
        if (noise[0] % 4 == 0)
            stream_add_record(&mixed, 200, (uint32_t)noise[0], noise, noise[0] % 3);
        if (noise[0] % 9 == 0)
            stream_add_record(&mixed, PIE_RECORD_EVENT, 4000, noise, 2);
    }
    figures got = run_whole(subject, &mixed);
    const size_t violations = compare(subject, "records of unknown kind", &want, &got);
    free(got.rows);
    free(want.rows);
    stream_free(&mixed);
    return violations;
}

size_t laws_check(const law_subject *subject, const stream *input, uint64_t seed)
{
    return law_batches(subject, input, seed) + law_copies(subject, input, seed + 1) +
           law_instances(subject, input) + law_monotone(subject, input) +
           law_cuts(subject, input, seed + 2) + law_counts(subject, input) +
           law_limit(subject, input, seed + 3) + law_unknown_records(subject, input, seed + 4);
}
