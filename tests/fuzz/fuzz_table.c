/* libFuzzer target of uarch-models/ooo/table.c and expand.c: any text is a table or refused with
 * one line that names the place; instructions of any bytes are expanded over it within its bounds.
 * The input: the table, a NUL byte, machine code. */
#include "ooo/expand.h"

#include "trace/decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t n_messages;

static void check(int holds)
{
    if (!holds)
        abort();
}

static void count_message(const pie_host *host, int32_t level, const char *text)
{
    (void)host;
    check(level == PIE_LOG_ERROR && strchr(text, '\n') == NULL);
    check(strncmp(text, "/proc/self/fd/", 14) == 0);
    n_messages++;
}

/* Slots hold all uops; laminated uops all slots. */
static void check_insn(const ooo_block *block, const ooo_insn *insn)
{
    size_t uops = 0, laminated = 0;
    check(insn->n_slots > 0 && insn->n_laminated > 0 && insn->n_laminated <= insn->n_slots);
    for (size_t i = 0; i < insn->n_slots; i++) {
        uops += block->slots[insn->first_slot + i].n_uops;
        laminated += block->slots[insn->first_slot + i].starts;
    }
    check(block->slots[insn->first_slot].starts);
    check(uops == insn->n_uops && laminated == insn->n_laminated);
    for (size_t i = 0; i < insn->n_uops; i++) {
        const ooo_uop *uop = &block->uops[insn->first_uop + i];
        check(uop->ports != 0);
        check(uop->class == OOO_EXECUTE || uop->mem < insn->n_mems);
        for (size_t k = 0; k < (size_t)uop->n_inputs + uop->n_outputs; k++)
            check(block->uses[uop->first_use + k].name < OOO_N_NAMES);
    }
}

static void expand(const ooo_table *table, const uint8_t *code, size_t n)
{
    pie_decoder *decoder = NULL;
    const pie_block *description;
    ooo_block *block = NULL;
    if (pie_decoder_new(&decoder) != PIE_OK)
        return;
    if (pie_decode_block(decoder, 1, 0x401000, code, n, &description) == PIE_OK &&
        ooo_expand(table, description, &(ooo_expand_options){.profile = true, .latency = true},
                   &block) == PIE_OK)
        for (size_t i = 0; i < block->n_insns; i++)
            check_insn(block, &block->insns[i]);
    free(block);
    pie_decoder_free(decoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const pie_host host = {.log = count_message};
    const uint8_t *end = memchr(data, '\0', size);
    const size_t n_text = end ? (size_t)(end - data) : size;
    char path[64];
    ooo_table *table = NULL;
    FILE *file = tmpfile();
    if (!file)
        return 0;
    if (fwrite(data, 1, n_text, file) == n_text && fflush(file) == 0) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fileno(file));
        n_messages = 0;
        const pie_status status = ooo_table_load(path, &host, &table);
        check(status == PIE_OK || status == PIE_ERR_CONFIG);
        check(n_messages == (status != PIE_OK) && (table != NULL) == (status == PIE_OK));
        if (table && size - n_text > 1)
            expand(table, data + n_text + 1, size - n_text - 1);
    }
    ooo_table_free(table);
    fclose(file);
    return 0;
}
