/* throughput.c - see throughput.h
 *
 * Blocks go to a guest in batches. Its stream is cut into the streams of the single blocks, and
 * each is timed by a model in fresh state, so that a figure depends on nothing but its block. When
 * the guest dies of a block, a new one goes on behind it. */
#include "throughput/throughput.h"

#include "base/file.h"
#include "throughput/gauge.h"
#include "throughput/recorder.h"
#include "throughput/static.h"
#include "trace/guest.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    MAX_INPUT_BYTES = 64 << 20, /* of one batch */
    /* Instructions of one guest; also iterations of its repeated string instructions. */
    GUEST_INSTRUCTIONS = 16 << 20,
    RUNAWAY_FACTOR = 4 /* times the instructions that a block should execute */
};

extern const char pie_tp_guest_image[] __attribute__((visibility("hidden")));
extern const char pie_tp_guest_image_end[] __attribute__((visibility("hidden")));

/* What the guest's stream says by the address of a block. */
enum { KIND_OTHER, KIND_CODE, KIND_ENTER, KIND_DONE, KIND_GIVE_UP };

/* Leaves the code: jmp *0(%rip), which needs no register and changes nothing. */
static const uint8_t leave[] = {0xff, 0x25, 0, 0, 0, 0};
enum { LEAVE_BYTES = sizeof leave + sizeof(uint64_t) };

typedef struct runner {
    const pie_throughput_spec *spec;
    const pie_log *log;
    pie_throughput_block *blocks;
    size_t n_blocks;
    pie_tp_plan *plans; /* [n_blocks] */
    pie_decoder *decoder;
    pie_recorder *recorder;
    pie_gauge *gauge;
    pie_words synthetic;
    size_t current, end; /* the block that is being run, or is next; end of the batch */
    bool is_inside;      /* entered, and no fault since */
    bool has_entered;    /* this guest has come as far as to enter a block */
    uint64_t n_after;    /* records since its second reading */
    uint64_t signal;     /* the last that the guest got */
    uint8_t *kinds;      /* [n_kinds] by id of the guest's stream */
    size_t n_kinds;
    int program_fd;
} runner;

/* ---- figures -------------------------------------------------------------------------------- */

static pie_status set_figure(runner *r, const pie_gauge_stream *stream)
{
    pie_throughput_block *block = &r->blocks[r->current];
    const pie_tp_plan *plan = &r->plans[r->current];
    uint64_t cycles = 0;
    const pie_status status = pie_gauge_time(r->gauge, stream, &cycles, &block->n_fallbacks);
    if (status != PIE_OK)
        return status;
    block->cycles = (double)cycles / (double)(plan->n_last - plan->n_first);
    r->current++;
    r->is_inside = false;
    r->signal = 0;
    pie_recorder_reset(r->recorder);
    if (r->spec->progress)
        r->spec->progress(r->spec->context, r->current);
    return PIE_OK;
}

static pie_status predict(runner *r, const char *reason)
{
    pie_throughput_block *block = &r->blocks[r->current];
    pie_gauge_stream stream;
    snprintf(block->reason, sizeof block->reason, "%s", reason);
    const pie_status status = pie_tp_static_stream(
        r->decoder, block->bytes, block->n_bytes, r->spec->loop, &r->plans[r->current],
        pie_gauge_first_id(r->gauge), &r->synthetic, &stream);
    return status == PIE_OK ? set_figure(r, &stream) : status;
}

/* The block ran to its end. One record may follow the second reading: the jump back. */
static pie_status conclude(runner *r)
{
    pie_gauge_stream stream;
    if (!r->is_inside || !pie_recorder_is_complete(r->recorder) || r->n_after > 1)
        return predict(r, "a branch leaves it");
    r->blocks[r->current].executed = true;
    pie_recorder_stream(r->recorder, &stream);
    return set_figure(r, &stream);
}

static pie_status give_up(runner *r)
{
    char reason[sizeof r->blocks->reason];
    const char *what = sigdescr_np((int)r->signal);
    snprintf(reason, sizeof reason, "it faults: %s", what ? what : "unknown signal");
    return predict(r, reason);
}

/* ---- the guest's stream --------------------------------------------------------------------- */

static uint8_t kind_of(uint64_t address)
{
    if (address >= PIE_TP_CODE && address < PIE_TP_CODE_END)
        return KIND_CODE;
    return address == PIE_TP_ENTER     ? KIND_ENTER
           : address == PIE_TP_DONE    ? KIND_DONE
           : address == PIE_TP_GIVE_UP ? KIND_GIVE_UP
                                       : KIND_OTHER;
}

static pie_status take_description(runner *r, const uint64_t *record)
{
    const uint32_t id = pie_record_argument(record[0]);
    const pie_block *block = (const void *)(record + 1);
    if (id >= r->n_kinds) {
        const size_t n = (size_t)id * 2 + 1024;
        uint8_t *kinds = realloc(r->kinds, n);
        if (!kinds)
            return pie_log_nomem(r->log);
        memset(kinds + r->n_kinds, 0, n - r->n_kinds);
        r->kinds = kinds;
        r->n_kinds = n;
    }
    r->kinds[id] = kind_of(block->address);
    if (r->kinds[id] != KIND_CODE)
        return PIE_OK;
    return pie_recorder_describe(r->recorder, record) == PIE_OK ? PIE_OK : pie_log_nomem(r->log);
}

static uint64_t n_expected(const pie_tp_plan *plan)
{
    return (uint64_t)plan->n_last * plan->n_insns;
}

/* A record of the block's own code. */
static pie_status take_code(runner *r, const uint64_t *record, int32_t *ret_want)
{
    const pie_tp_plan *plan = &r->plans[r->current];
    if (!r->is_inside || !pie_recorder_knows(r->recorder, pie_record_argument(record[0])))
        return PIE_OK;
    if (!pie_recorder_is_complete(r->recorder)) {
        if (pie_recorder_add(r->recorder, record) != PIE_OK)
            return pie_log_nomem(r->log);
        if (!plan->is_endless || !pie_recorder_is_complete(r->recorder))
            return PIE_OK;
        *ret_want = PIE_SINK_STOP;
        return conclude(r);
    }
    if (++r->n_after <= RUNAWAY_FACTOR * n_expected(plan))
        return PIE_OK;
    *ret_want = PIE_SINK_STOP;
    return predict(r, "it does not end");
}

static pie_status take_execution(runner *r, const uint64_t *record, int32_t *ret_want)
{
    const uint32_t id = pie_record_argument(record[0]);
    const pie_tp_plan *plan = &r->plans[r->current];
    switch (r->kinds[id]) {
    case KIND_CODE:
        return take_code(r, record, ret_want);
    case KIND_ENTER:
        pie_recorder_begin(r->recorder, (uint64_t)plan->n_first * plan->n_insns, n_expected(plan),
                           pie_gauge_first_id(r->gauge));
        r->is_inside = r->has_entered = true;
        r->n_after = 0;
        return PIE_OK;
    case KIND_DONE:
        return conclude(r);
    case KIND_GIVE_UP:
        return give_up(r);
    default:
        return PIE_OK;
    }
}

static pie_status take_batch(void *context, const uint64_t *words, size_t n_words,
                             int32_t *ret_want)
{
    runner *r = context;
    pie_status status = PIE_OK;
    for (size_t at = 0; at < n_words && status == PIE_OK && r->current < r->end;
         at += pie_record_words(words[at])) {
        const uint64_t *record = words + at;
        switch (pie_record_kind(record[0])) {
        case PIE_RECORD_DESCRIBE:
            status = take_description(r, record);
            break;
        case PIE_RECORD_BLOCK:
        case PIE_RECORD_REP:
            status = take_execution(r, record, ret_want);
            break;
        case PIE_RECORD_CUT:
            r->is_inside = false;
            break;
        case PIE_RECORD_EVENT:
            if (pie_record_argument(record[0]) == PIE_EVENT_SIGNAL)
                r->signal = record[1];
            break;
        default:
            break;
        }
        if (*ret_want == PIE_SINK_STOP)
            break;
    }
    return status;
}

/* ---- batches -------------------------------------------------------------------------------- */

static size_t n_copies(const runner *r, size_t i)
{
    return r->spec->loop ? 1 : r->plans[i].n_last;
}

static size_t code_bytes(const runner *r, size_t i)
{
    const size_t n = n_copies(r, i) * r->blocks[i].n_bytes + LEAVE_BYTES;
    return (n + PAGE - 1) / PAGE * PAGE;
}

/* The input for the blocks from the current one on, as many as fit; none that is refused. */
static pie_status make_input(runner *r, size_t max_blocks, pie_buf *input)
{
    const uint64_t back = PIE_TP_DONE;
    size_t n = 0, n_bytes = PIE_TP_TABLE_BYTES;
    r->end = r->current;
    while (r->end < r->n_blocks && n < max_blocks && !r->plans[r->end].refuse &&
           (n == 0 || n_bytes + code_bytes(r, r->end) <= MAX_INPUT_BYTES)) {
        n_bytes += code_bytes(r, r->end++);
        n++;
    }
    const pie_status status = pie_buf_reserve(input, n_bytes);
    if (status != PIE_OK)
        return status;
    memset(input->data, 0, n_bytes);
    input->n = n_bytes;
    size_t offset = PIE_TP_TABLE_BYTES;
    for (size_t i = 0; i < n; i++) {
        const pie_throughput_block *block = &r->blocks[r->current + i];
        pie_tp_entry entry = {.address = PIE_TP_CODE + i * PIE_TP_CODE_STEP,
                              .n_bytes = code_bytes(r, r->current + i),
                              .offset = offset};
        memcpy(entry.registers, r->plans[r->current + i].registers, sizeof entry.registers);
        memcpy(input->data + i * sizeof entry, &entry, sizeof entry);
        char *code = input->data + offset;
        for (size_t k = 0; k < n_copies(r, r->current + i); k++, code += block->n_bytes)
            memcpy(code, block->bytes, block->n_bytes);
        memcpy(code, leave, sizeof leave);
        memcpy(code + sizeof leave, &back, sizeof back);
        offset += entry.n_bytes;
    }
    return PIE_OK;
}

/* One guest. *@ret_reason: why it died of the current block, "" if it did not. */
static pie_status run_guest(runner *r, size_t max_blocks, char *ret_reason, size_t size)
{
    pie_buf input = {0};
    pie_guest_result result = {0};
    const pie_trace_sink sink = {.context = r, .consume = take_batch};
    r->n_kinds = 0;
    r->is_inside = r->has_entered = false;
    pie_recorder_reset(r->recorder);
    pie_status status = make_input(r, max_blocks, &input);
    const pie_guest_spec guest = {.program_fd = r->program_fd,
                                  .input = input.data,
                                  .input_bytes = input.n,
                                  .limits = {.instructions = GUEST_INSTRUCTIONS},
                                  .sink = &sink,
                                  .one_frame = true};
    if (status == PIE_OK)
        status = pie_guest_run(&guest, r->log, &result);
    const bool is_stopped = result.verdict == PIE_VERDICT_NONE; /* by the sink */
    ret_reason[0] = '\0';
    if (status == PIE_OK && !is_stopped && r->current < r->end) {
        snprintf(ret_reason, size, "%.90s", result.reason[0] ? result.reason : "it ended early");
        if (!r->has_entered) { /* no block can be blamed */
            pie_log_error(r->log, "the guest that executes blocks does not start: %s", ret_reason);
            status = PIE_ERR_UNAVAILABLE;
        }
    }
    pie_guest_result_free(&result);
    pie_buf_free(&input);
    return status;
}

/* A guest that dies takes the last part of its trace along at times, so the block that it was seen
 * in is tried alone before it is blamed. */
static pie_status run_blocks(runner *r)
{
    size_t max_blocks = PIE_TP_MAX_BLOCKS;
    pie_status status = PIE_OK;
    while (status == PIE_OK && r->current < r->n_blocks) {
        char reason[96] = "";
        if (r->plans[r->current].refuse) {
            status = predict(r, r->plans[r->current].refuse);
            continue;
        }
        const size_t before = r->current;
        status = run_guest(r, max_blocks, reason, sizeof reason);
        if (status != PIE_OK || !reason[0]) {
            max_blocks = PIE_TP_MAX_BLOCKS;
            continue;
        }
        if (r->end - before == 1) {
            status = predict(r, reason);
            max_blocks = PIE_TP_MAX_BLOCKS;
        } else {
            max_blocks = 1;
        }
    }
    return status;
}

static pie_status make_plans(runner *r)
{
    r->plans = calloc(r->n_blocks + 1, sizeof *r->plans);
    pie_status status = r->plans ? PIE_OK : PIE_ERR_NOMEM;
    for (size_t i = 0; status == PIE_OK && i < r->n_blocks; i++) {
        pie_throughput_block *block = &r->blocks[i];
        block->executed = false;
        block->reason[0] = '\0';
        status =
            pie_tp_plan_make(r->decoder, block->bytes, block->n_bytes, r->spec->loop, &r->plans[i]);
        if (status == PIE_ERR_DATA) {
            pie_log_error(r->log, "block %zu has more than %d instructions", i + 1,
                          PIE_BLOCK_MAX_INSNS);
            status = PIE_ERR_CONFIG;
        }
    }
    return status;
}

pie_status pie_throughput_run(const pie_throughput_spec *spec, pie_throughput_block *blocks,
                              size_t n_blocks, const pie_log *log)
{
    runner r = {.spec = spec, .log = log, .blocks = blocks, .n_blocks = n_blocks, .program_fd = -1};
    pie_status status = pie_gauge_new(spec->uarch, log, &r.gauge);
    if (status != PIE_OK)
        return status;
    r.program_fd = pie_memfd("blocks", pie_tp_guest_image,
                             (size_t)(pie_tp_guest_image_end - pie_tp_guest_image), false);
    if (r.program_fd < 0) {
        status = pie_log_errno(log, "memfd");
        goto cleanup;
    }
    status = pie_decoder_new(&r.decoder);
    if (status == PIE_OK)
        status = pie_recorder_new(&r.recorder);
    if (status == PIE_OK)
        status = make_plans(&r);
    if (status == PIE_ERR_NOMEM)
        pie_log_nomem(log);
    if (status == PIE_OK)
        status = run_blocks(&r);
cleanup:
    if (r.program_fd >= 0)
        close(r.program_fd);
    free(r.synthetic.words);
    free(r.kinds);
    free(r.plans);
    pie_recorder_free(r.recorder);
    pie_decoder_free(r.decoder);
    pie_gauge_free(r.gauge);
    return status;
}
