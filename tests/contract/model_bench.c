/* model_bench.c - see model_bench.h */
#include "contract/model_bench.h"

#include "config/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "model bench: %s\n", what);
        abort();
    }
}

/* ---- a model ---- */

void bench_open(model_bench *bench, const char *folder, const char *name)
{
    const pie_plugin *plugin = NULL;
    *bench = (model_bench){0};
    must(pie_registry_new(&pie_log_stderr, &bench->registry) == PIE_OK &&
             pie_registry_add_folder(bench->registry, folder, true) == PIE_OK &&
             pie_registry_scan(bench->registry) == PIE_OK &&
             pie_registry_find(bench->registry, PIE_KIND_UARCH, name, NULL, &bench->info) ==
                 PIE_OK &&
             pie_plugin_open(bench->info, &pie_log_stderr, &plugin) == PIE_OK,
         "the model cannot be opened");
    bench->ops = ((const pie_uarch_ops *)plugin->ops)->trace;
}

void bench_close(model_bench *bench)
{
    pie_registry_free(bench->registry);
}

static void assign(pie_settings *settings, const pie_option *options, const char *parameters)
{
    pie_tree *tree;
    must(pie_tree_load(NULL, parameters, &pie_log_stderr, &tree) == PIE_OK,
         "parameters are no config text");
    config_setting_t *root = pie_tree_root(tree);
    for (int i = 0; i < config_setting_length(root); i++) {
        const config_setting_t *written = config_setting_get_elem(root, (unsigned)i);
        const pie_option *option = pie_option_find(options, config_setting_name(written));
        pie_place place = {0};
        pie_tree_place(tree, written, &place);
        must(option && pie_settings_assign(settings, option, written, &place, "",
                                           &pie_log_stderr) == PIE_OK,
             parameters);
    }
    pie_tree_free(tree);
}

void bench_configure(const model_bench *bench, const char *parameters, bench_model *ret_model)
{
    bench_model model = {.bench = bench};
    const pie_plugin_info *info = bench->info;
    must(pie_settings_new(info->options, info->folder ? info->folder : "", &model.settings) ==
             PIE_OK,
         "settings");
    if (parameters)
        assign(model.settings, info->options, parameters);
    must(pie_host_new(model.settings, info->short_name, &pie_log_stderr, &model.host) == PIE_OK,
         "host");
    model.subject =
        (law_subject){.ops = bench->ops,
                      .host = model.host,
                      .setup = {.isa = PIE_ISA_X86_64, .profile = 1, .folder = info->folder}};
    *ret_model = model;
}

void bench_release(bench_model *model)
{
    pie_host_free(model->host);
    pie_settings_free(model->settings);
}

/* ---- machine code ---- */

void code_add(machine_code *to, const uint8_t *bytes, size_t n)
{
    if (to->n + n > to->capacity) {
        to->capacity = 2 * (to->n + n);
        to->bytes = realloc(to->bytes, to->capacity);
        must(to->bytes, "no memory");
    }
    if (n > 0)
        memcpy(to->bytes + to->n, bytes, n);
    to->n += n;
}

void code_hex(machine_code *to, const char *hex, size_t times)
{
    const size_t first = to->n;
    while (*hex) {
        unsigned byte = 0;
        if (*hex == ' ' || *hex == '|') {
            hex++;
            continue;
        }
        must(hex[1] && sscanf(hex, "%2x", &byte) == 1, "not hexadecimal");
        code_add(to, &(uint8_t){(uint8_t)byte}, 1);
        hex += 2;
    }
    const size_t n = to->n - first;
    for (size_t i = 1; i < times; i++) {
        if (to->n + n > to->capacity) {
            to->capacity = 2 * (to->n + n);
            to->bytes = realloc(to->bytes, to->capacity);
            must(to->bytes, "no memory");
        }
        memcpy(to->bytes + to->n, to->bytes + first, n);
        to->n += n;
    }
    if (times == 0)
        to->n = first;
}

void code_nop(machine_code *to, size_t n_bytes)
{
    /* nop [rax+rax+0], with as many operand-size prefixes as it takes */
    static const uint8_t longest[] = {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x0f,
                                      0x1f, 0x84, 0,    0,    0,    0,    0};
    static const char *const shorter[] = {
        "", "90", "66 90", "0f 1f 00", "0f1f4000", "0f1f440000", "66 0f1f440000", "0f1f8000000000"};
    must(n_bytes >= 1 && n_bytes <= sizeof longest, "no such nop");
    if (n_bytes < 8)
        code_hex(to, shorter[n_bytes], 1);
    else
        code_add(to, longest + sizeof longest - n_bytes, n_bytes);
}

void code_free(machine_code *code)
{
    free(code->bytes);
    *code = (machine_code){0};
}

/* ---- tape ---- */

void tape_begin(tape *tape_)
{
    *tape_ = (tape){.iterations = 8};
    must(pie_decoder_new(&tape_->decoder) == PIE_OK, "decoder");
    for (size_t i = 0; i < 16; i++)
        tape_->registers[i] = 0x2324000;
    tape_->registers[PIE_REG_RSP] = 0x2324800;
    tape_->registers[PIE_REG_RSP + 1] = 0x23247f0;
}

void tape_end(tape *tape_)
{
    for (size_t i = 0; i < tape_->n_pieces; i++)
        free((void *)(uintptr_t)tape_->pieces[i].block);
    free(tape_->pieces);
    stream_free(&tape_->out);
    pie_decoder_free(tape_->decoder);
}

static void add_piece(tape *tape_, uint64_t address, const uint8_t *bytes, size_t n, bool is_rep)
{
    const pie_block *block;
    const uint32_t id = (uint32_t)tape_->n_pieces + 1;
    must(pie_decode_block(tape_->decoder, id, address, bytes, n, &block) == PIE_OK, "decode");
    stream_add_record(&tape_->out, PIE_RECORD_DESCRIBE, id, (const uint64_t *)(const void *)block,
                      block->size / 8);
    pie_block *kept = malloc(block->size);
    tape_piece *more = realloc(tape_->pieces, (tape_->n_pieces + 1) * sizeof *more);
    must(kept && more, "no memory");
    memcpy(kept, block, block->size);
    tape_->pieces = more;
    more[tape_->n_pieces++] = (tape_piece){kept, address, is_rep};
}

tape_section tape_place(tape *tape_, const machine_code *code, uint64_t address)
{
    enum { MOST_BYTES = 1024, MOST_SLOTS = 400 };
    const tape_section section = {.first = tape_->n_pieces};
    size_t from = 0, at = 0, slots_so_far = 0;
    while (at < code->n) {
        pie_insn_slots slots;
        pie_decode_slots(tape_->decoder, code->bytes + at, code->n - at, &slots);
        const size_t length = slots.length ? slots.length : code->n - at;
        const bool alone = slots.is_rep;
        if (at > from && (alone || at + length - from > MOST_BYTES ||
                          slots_so_far + slots.n_slots > MOST_SLOTS)) {
            add_piece(tape_, address + from, code->bytes + from, at - from, false);
            from = at;
            slots_so_far = 0;
        }
        at += length;
        slots_so_far += slots.n_slots;
        if (alone) {
            add_piece(tape_, address + from, code->bytes + from, at - from, true);
            from = at;
            slots_so_far = 0;
        }
    }
    if (at > from)
        add_piece(tape_, address + from, code->bytes + from, at - from, false);
    return (tape_section){section.first, tape_->n_pieces - section.first};
}

static uint64_t address_of(tape *tape_, const pie_block *block, const pie_insn *insn,
                           const pie_mem *mem)
{
    if (tape_->seed)
        return UINT64_C(0x2324000) + law_random(&tape_->seed) % 2 * 4096 +
               law_random(&tape_->seed) % 64 * 8 + law_random(&tape_->seed) % 16;
    uint64_t address = (uint64_t)mem->displacement;
    if (mem->base < 16)
        address += tape_->registers[mem->base];
    else if (mem->base == PIE_REG_RIP)
        address += block->address + insn->offset + insn->length;
    if (mem->index < 16)
        address += tape_->registers[mem->index] * mem->scale;
    return address & (PIE_GUEST_ADDRESS_LIMIT / 2 - 1);
}

/* A mem and a store at one stack operand: rsp moves behind it. */
static void step_stack(tape *tape_, const pie_mem *mem)
{
    if (mem->flags & PIE_MEM_STACK && !(mem->flags & PIE_MEM_COUNTED))
        tape_->registers[PIE_REG_RSP] +=
            mem->flags & PIE_MEM_WRITE ? (uint64_t)-mem->bytes : (uint64_t)mem->bytes;
}

void tape_execute(tape *tape_, tape_section section)
{
    for (size_t p = section.first; p < section.first + section.n; p++) {
        const tape_piece *piece = &tape_->pieces[p];
        const pie_block *block = piece->block;
        uint64_t words[2 + 1024] = {tape_->iterations, 0};
        uint64_t *slots = words + 2;
        must(block->n_slots <= 1024, "too many slots");
        for (size_t i = 0; i < block->n_slots; i++)
            slots[i] = PIE_NO_ACCESS;
        const bool runs = !piece->is_rep || tape_->iterations > 0;
        for (size_t i = 0; runs && i < block->n_insns; i++) {
            const pie_insn *insn = pie_block_insn(block, i);
            for (size_t k = 0; k < insn->n_mems; k++) {
                const pie_mem *mem = pie_block_mem(block, insn, k);
                if (mem->n_slots == 0)
                    continue;
                uint64_t *at = slots + mem->first_slot;
                if (mem->flags & PIE_MEM_COUNTED) {
                    at[0] = mem->n_elements;
                    for (size_t e = 0; e < mem->n_elements; e++)
                        at[1 + e] = address_of(tape_, block, insn, mem) + 8 * e;
                } else
                    at[0] = address_of(tape_, block, insn, mem);
                step_stack(tape_, mem);
            }
        }
        if (piece->is_rep)
            stream_add_record(&tape_->out, PIE_RECORD_REP, block->id, words, 2u + block->n_slots);
        else
            stream_add_record(&tape_->out, PIE_RECORD_BLOCK, block->id, slots, block->n_slots);
    }
}

void tape_mark(tape *tape_)
{
    must(tape_->n_marks < TAPE_MAX_MARKS, "too many marks");
    tape_->marks[tape_->n_marks++] = tape_->out.n;
}

/* ---- figures ---- */

void bench_run(const law_subject *subject, const tape *tape_, bench_figures *ret_figures)
{
    void *instance = NULL;
    bench_figures got = {.names = subject->ops->counters};
    must(subject->ops->create(subject->host, &subject->setup, &instance) == PIE_OK, "create");
    size_t from = 0;
    for (size_t i = 0; i <= tape_->n_marks; i++) {
        const size_t to = i < tape_->n_marks ? tape_->marks[i] : tape_->out.n;
        size_t used = 0;
        int32_t reason;
        must(subject->ops->consume(instance, tape_->out.words + from, to - from, UINT64_MAX, &used,
                                   &reason) == PIE_OK &&
                 used == to - from,
             "consume");
        from = to;
        if (i == tape_->n_marks)
            break;
        subject->ops->mark(instance, &got.at[i]);
        subject->ops->counters_read(instance, got.counters_at[i]);
    }
    subject->ops->mark(instance, &got.mark);
    subject->ops->counters_read(instance, got.counters);
    subject->ops->destroy(instance);
    *ret_figures = got;
}

static size_t counter_index(const bench_figures *figures, const char *name)
{
    size_t i = 0;
    while (figures->names[i].name && strcmp(figures->names[i].name, name) != 0)
        i++;
    must(figures->names[i].name, name);
    return i;
}

uint64_t bench_counter(const bench_figures *figures, const char *name)
{
    return figures->counters[counter_index(figures, name)];
}

uint64_t bench_counter_between(const bench_figures *figures, const char *name)
{
    const size_t i = counter_index(figures, name);
    return figures->counters_at[1][i] - figures->counters_at[0][i];
}

uint64_t bench_port(const bench_figures *figures, size_t port)
{
    char name[32];
    snprintf(name, sizeof name, "ooo.port%zu", port);
    return bench_counter(figures, name);
}

uint64_t bench_port_between(const bench_figures *figures, size_t port)
{
    char name[32];
    snprintf(name, sizeof name, "ooo.port%zu", port);
    return bench_counter_between(figures, name);
}

double bench_cycles(const bench_model *model, const machine_code *code, bool loop, size_t copies)
{
    enum { ADDRESS = 0x10000 };
    tape t;
    bench_figures figures;
    tape_begin(&t);
    machine_code all = {0};
    for (size_t i = 0; i < (loop ? 1 : copies); i++)
        code_add(&all, code->bytes, code->n);
    const tape_section warm = tape_place(&t, &all, ADDRESS);
    const tape_section rest = loop ? warm : tape_place(&t, &all, ADDRESS + all.n);
    for (size_t i = 0; i < (loop ? copies : 1); i++)
        tape_execute(&t, warm);
    tape_mark(&t);
    for (size_t i = 0; i < (loop ? copies : 1); i++)
        tape_execute(&t, rest);
    tape_mark(&t);
    bench_run(&model->subject, &t, &figures);
    code_free(&all);
    tape_end(&t);
    return (double)(figures.at[1].cycles - figures.at[0].cycles) / (double)copies;
}
