/* uarch-models/ooo/table.c: what it refuses and with which words, what it reads, which row it
 * finds. */
#include "ooo/table.h"

#include "trace/decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HEADER "form\twhen\tslots\tdec\tms\tsimple\tattr\tfuse\tuops\n"

static char folder[64], path[128];
static char message[1024];

static void keep(const pie_host *host, int32_t level, const char *text)
{
    (void)host;
    assert_int_equal(level, PIE_LOG_ERROR);
    assert_null(strchr(text, '\n'));
    snprintf(message, sizeof message, "%s", text);
}

static const pie_host host = {.log = keep};

static int begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/pie-table-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/t.tsv", folder);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_file(const void *bytes, size_t n)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static pie_status load(const char *text, ooo_table **ret_table)
{
    *message = '\0';
    write_file(text, strlen(text));
    return ooo_table_load(path, &host, ret_table);
}

/* ---- refusals ---- */

static void refuses_what_is_malformed(void **state)
{
    (void)state;
    /* a row whose column @column (from 1) is @cell; refused with @line and @words */
    static const struct {
        int column;
        const char *cell, *words;
    } rows[] = {
        {2, "indxed", "condition"},
        {2, "op=", "condition"},
        {2, "op=1ff", "condition"},
        {2, "same,", "condition"},
        {3, "x", "slots, dec and ms are numbers"},
        {3, "", "slots, dec and ms are numbers"},
        {3, "-1", "slots, dec and ms are numbers"},
        {3, "60001", "slots, dec and ms are numbers"},
        {3, "99999999999999999999999", "slots, dec and ms are numbers"},
        {4, "1.5", "slots, dec and ms are numbers"},
        {5, "0x1", "slots, dec and ms are numbers"},
        {6, "4", "simple decoders left"},
        {6, "", "simple decoders left"},
        {6, "any", "simple decoders left"},
        {7, "eliminable", "not an attribute: 'eliminable'"},
        {7, "elim,what", "not an attribute: 'what'"},
        {7, "blk=", "not an attribute"},
        {7, "blk=1x", "not an attribute"},
        {7, "blk=60001", "not an attribute"},
        {7, "blk=-1", "not an attribute"},
        {7, "rep=5", "not an attribute"},
        {7, "rep=5+0", "not an attribute"},
        {7, "rep=5+65", "not an attribute"},
        {7, "rep=5+8x", "not an attribute"},
        {7, "iter=5+0", "not an attribute"},
        {7, "iter=5+601", "not an attribute"},
        {7, "iter=5+nan", "not an attribute"},
        {7, "iter=60001+1", "not an attribute"},
        {8, "yes", "fuse is -, all, cz or z"},
        {8, "", "fuse is -, all, cz or z"},
        {9, "X1", "not a uop: 'X1'"},
        {9, "E", "not a uop: 'E'"},
        {9, "E8", "not a uop"},
        {9, "E18", "not a uop"},
        {9, "E1 L23[0] e1", "not a uop: 'e1'"},
        {9, "L23[", "not a uop"},
        {9, "L23[]", "not a uop"},
        {9, "L23[8]", "not a uop"},
        {9, "L23[0", "not a uop"},
        {9, "E0!", "not a uop"},
        {9, "E0!60001", "not a uop"},
        {9, "E0:", "not a uop"},
        {9, "E0:q0", "not a uop"},
        {9, "E0:r", "not a uop"},
        {9, "E0:r32", "not a uop"},
        {9, "E0:r0,", "not a uop"},
        {9, "E0:r0@1", "not a uop"},
        {9, "E0:r0+", "not a uop"},
        {9, "E0:r0+60001", "not a uop"},
        {9, "E0>", "not a uop"},
        {9, "E0>m0@1", "not a uop"},
        {9, "E0>x0@1", "not a uop"},
        {9, "E0>r0@", "not a uop"},
        {9, "E0>r0+1", "not a uop"},
        {9, "E0>r0@1:r1", "not a uop"},
        {9, "E0:C1", "not a uop"},
        {9, "E0:r0,r0,r0,r0,r0,r0,r0,r0,r0,r0,r0,r0,r0", "not a uop"},
        {9, "E1\tE1", "nine columns"},
        {9, "E1\r", "not a uop"},
    };
    size_t accepted = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static const char *const good[] = {"ADD_R64_R64", "-", "1", "1", "0", "-", "-", "-", "E1"};
        char text[1024] = "# a comment\n" HEADER "\nNOP\t-\t1\t1\t0\t-\t-\t-\t-\n";
        char where[160];
        ooo_table *table = NULL;
        size_t n = strlen(text);
        for (int column = 1; column <= 9; column++)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%c",
                                  column == rows[i].column ? rows[i].cell : good[column - 1],
                                  column < 9 ? '\t' : '\n');
        const pie_status status = load(text, &table);
        snprintf(where, sizeof where, "%s:5: ", path);
        if (status == PIE_OK) {
            print_message("  ACCEPTED: column %d '%s'\n", rows[i].column, rows[i].cell);
            ooo_table_free(table);
            accepted++;
            continue;
        }
        assert_int_equal(status, PIE_ERR_CONFIG);
        assert_null(table);
        if (strncmp(message, where, strlen(where)) != 0 || !strstr(message, rows[i].words)) {
            print_message("  column %d '%s': %s\n", rows[i].column, rows[i].cell, message);
            accepted++;
        }
    }
    assert_int_equal(accepted, 0);
}

static void refuses_files_that_are_no_tables(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *words;
    } files[] = {
        {"nothing", "", "header"},
        {"comments only", "# nothing\n\n", "header"},
        {"no header", "NOP\t-\t1\t1\t0\t-\t-\t-\t-\n", ":1: the first line must be the header"},
        {"another header", "form what\n", ":1: the first line must be the header"},
        {"header only", HEADER, "row"},
        {"too few columns", HEADER "NOP\t-\t1\t1\t0\t-\t-\t-\n", ":2: a row has nine columns"},
        {"one column", HEADER "NOP\n", ":2: a row has nine columns"},
        {"a form twice",
         HEADER "A\t-\t1\t1\t0\t-\t-\t-\t-\nB\t-\t1\t1\t0\t-\t-\t-\t-\n"
                "A\t-\t1\t1\t0\t-\t-\t-\t-\n",
         ":4: rows of one form must stand together: 'A'"},
    };
    size_t accepted = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        ooo_table *table = NULL;
        const pie_status status = load(files[i].text, &table);
        if (status != PIE_ERR_CONFIG || !strstr(message, files[i].words)) {
            print_message("  %s: status %d, %s\n", files[i].name, (int)status, message);
            accepted++;
        }
        ooo_table_free(table);
    }
    assert_int_equal(accepted, 0);
}

static void refuses_files_that_cannot_be_read(void **state)
{
    (void)state;
    ooo_table *table = NULL;
    char other[128];
    snprintf(other, sizeof other, "%s/none", folder);
    assert_int_equal(ooo_table_load(other, &host, &table), PIE_ERR_CONFIG);
    assert_true(strncmp(message, other, strlen(other)) == 0);
    assert_non_null(strstr(message, "No such file"));
    assert_int_equal(ooo_table_load(folder, &host, &table), PIE_ERR_CONFIG);
    assert_non_null(strstr(message, folder));
    assert_null(table);
    /* nothing behind a NUL byte is lost in silence */
    static const char binary[] = HEADER "NOP\t-\t1\t1\t0\t-\t-\t-\t-\n\0X\n";
    write_file(binary, sizeof binary - 1);
    assert_int_equal(ooo_table_load(path, &host, &table), PIE_ERR_CONFIG);
}

/* ---- contents ---- */

static const pie_block *decode(pie_decoder *decoder, const char *hex)
{
    uint8_t bytes[64];
    const pie_block *block;
    size_t n = 0;
    for (; *hex; hex += 2)
        bytes[n++] = (uint8_t)strtoul((const char[]){hex[0], hex[1], '\0'}, NULL, 16);
    assert_int_equal(pie_decode_block(decoder, 1, 0x1000, bytes, n, &block), PIE_OK);
    return block;
}

static void reads_every_part_of_a_row(void **state)
{
    (void)state;
    ooo_table *table = NULL;
    pie_decoder *decoder = NULL;
    assert_int_equal(pie_decoder_new(&decoder), PIE_OK);
    assert_int_equal(
        load("# \xc3\xa4 comment, longer than the header\n\n" HEADER "NOP\t-\t0\t1\t0\t-\t-\t-\t-\n"
             "ADD_R64_R64\t-\t3\t2\t7\t1\telim,blk=60000,serial\tcz\tL23[1]:x0+5,r2>r0@+3,t1 "
             "E0156!21:r0,C,S,t15,m7,b3+2>r31@60000,C,S@2,b0 A7 D4[0]:t1\n"
             "REP_STOSQ\t-\t1\t1\t0\t-\trep=35+32\tall\t-\n"
             "REP_LODSQ\t-\t1\t1\t0\t-\titer=43+2.25\tz\t-", /* no newline at the end */
             &table),
        PIE_OK);
    assert_int_equal(ooo_table_rows(table), 4);
    const pie_block *block = decode(decoder, "4801d8");
    const ooo_row *row = ooo_table_find(table, block, pie_block_insn(block, 0));
    assert_non_null(row);
    assert_string_equal(row->form, "ADD_R64_R64");
    assert_int_equal(row->number, 1);
    assert_int_equal(row->slots, 3);
    assert_int_equal(row->decoded, 2);
    assert_int_equal(row->microcoded, 7);
    assert_int_equal(row->simple, 1);
    assert_int_equal(row->flags, OOO_ELIMINABLE | OOO_SERIALISING);
    assert_int_equal(row->block, 60000);
    assert_int_equal(row->fuse, OOO_FUSE_CZ);
    assert_int_equal(row->n_uops, 4);
    const ooo_template *uop = ooo_table_uops(table, row);
    assert_int_equal(uop[0].class, OOO_LOAD);
    assert_int_equal(uop[0].ports, 1 << 2 | 1 << 3);
    assert_int_equal(uop[0].mem, 1);
    assert_int_equal(uop[0].n_inputs, 2);
    assert_int_equal(uop[0].inputs[0].kind, OOO_ROLE_INDEX);
    assert_int_equal(uop[0].inputs[0].cycles, 5);
    assert_int_equal(uop[0].inputs[1].index, 2);
    assert_int_equal(uop[0].n_outputs, 2);
    assert_int_equal(uop[0].outputs[0].cycles, 3); /* beyond the load's */
    assert_int_equal(uop[0].outputs[1].cycles, 0);
    assert_int_equal(uop[1].ports, 0x63);
    assert_int_equal(uop[1].divider, 21);
    assert_int_equal(uop[1].n_inputs, 6);
    assert_int_equal(uop[1].inputs[3].kind, OOO_ROLE_TEMP);
    assert_int_equal(uop[1].inputs[3].index, 15);
    assert_int_equal(uop[1].inputs[4].kind, OOO_ROLE_LOADED);
    assert_int_equal(uop[1].inputs[5].cycles, 2);
    assert_int_equal(uop[1].n_outputs, 4);
    assert_int_equal(uop[1].outputs[0].index, 31);
    assert_int_equal(uop[1].outputs[0].cycles, 60000);
    assert_int_equal(uop[1].outputs[1].kind, OOO_ROLE_CARRY);
    assert_int_equal(uop[1].outputs[1].cycles, 1); /* what is not written */
    assert_int_equal(uop[1].outputs[2].cycles, 2);
    assert_int_equal(uop[2].class, OOO_STORE_ADDRESS);
    assert_int_equal(uop[2].ports, 1 << 7);
    assert_int_equal(uop[3].class, OOO_STORE_DATA);
    assert_int_equal(uop[3].inputs[0].kind, OOO_ROLE_TEMP);
    block = decode(decoder, "f348ab");
    row = ooo_table_find(table, block, pie_block_insn(block, 0));
    assert_non_null(row);
    assert_int_equal(row->rep_start, 35);
    assert_int_equal(row->rep_bytes, 32);
    assert_int_equal(row->fuse, OOO_FUSE_ALL);
    assert_int_equal(row->flags, OOO_ANY_DECODER);
    block = decode(decoder, "f348ad");
    row = ooo_table_find(table, block, pie_block_insn(block, 0));
    assert_non_null(row);
    assert_int_equal(row->rep_start, 43);
    assert_int_equal(row->rep_centicycles, 225);
    assert_int_equal(row->fuse, OOO_FUSE_Z);
    block = decode(decoder, "4829d8");
    assert_null(ooo_table_find(table, block, pie_block_insn(block, 0)));
    ooo_table_free(table);
    pie_decoder_free(decoder);
}

static void finds_the_first_row_that_holds(void **state)
{
    (void)state;
    static const struct {
        const char *form, *when, *holds, *fails; /* machine code; NULL = none */
    } cases[] = {
        {"ADD_R8_R8", "high0", "00c4", "00e0"},
        {"ADD_R8_R8", "low0", "00e0", "00c4"},
        {"ADD_R8_R8", "high1", "00e0", "00c4"},
        {"ADD_R8_R8", "low1", "00c4", "00e0"},
        {"ADD_R8_R8", "high0,high1", "00ec", "00c4"},
        {"ADD_R32_I8", "imm0", "83c000", "83c001"},
        {"ADD_R32_I8", "imm1", "83c0ff", "83c000"},
        {"ADD_R64_R64", "same", "4801c0", "4801d8"},
        {"ADD_R64_R64", "op=01", "4801d8", "4803d8"},
        {"ADD_R64_R64", "op=03,same", "4803c0", "4801c0"},
        {"PUSH_R64", "w", "4850", "50"},
        {"XCHG_M64_R64", "lock", "488707", NULL},
        {"ADD_R64_M64", "indexed", "48030437", "480307"},
        {"ADD_M64_R64", "indexed", "48010437", "480107"},
        {"MOVZX_R32_R8", "rex8", "400fb6c6", "0fb6c1"},
        {"MOVZX_R32_R8", "rex8", "410fb6c4", "410fb6c0"},
        {"MOVZX_R32_R8", "rex8", "400fb6c4", "0fb6c4"}, /* spl, ah */
    };
    pie_decoder *decoder = NULL;
    assert_int_equal(pie_decoder_new(&decoder), PIE_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        ooo_table *table = NULL;
        snprintf(text, sizeof text,
                 HEADER "A\t-\t9\t1\t0\t-\t-\t-\t-\n%s\t%s\t2\t1\t0\t-\t-\t-\t-\n"
                        "%s\t-\t1\t1\t0\t-\t-\t-\t-\n%s\t-\t3\t1\t0\t-\t-\t-\t-\n",
                 cases[i].form, cases[i].when, cases[i].form, cases[i].form);
        assert_int_equal(load(text, &table), PIE_OK);
        for (int which = 0; which < 2; which++) {
            const char *hex = which ? cases[i].fails : cases[i].holds;
            if (!hex)
                continue;
            const pie_block *block = decode(decoder, hex);
            const ooo_row *row = ooo_table_find(table, block, pie_block_insn(block, 0));
            print_message("  %s %s: %s\n", cases[i].form, cases[i].when, hex);
            assert_string_equal(pie_block_string(block, pie_block_insn(block, 0)->form),
                                cases[i].form);
            assert_non_null(row);
            assert_int_equal(row->slots, which ? 1 : 2);
        }
        ooo_table_free(table);
    }
    pie_decoder_free(decoder);
}

/* A form whose every row has a condition may have none that holds. */
static void no_row_is_an_answer(void **state)
{
    (void)state;
    ooo_table *table = NULL;
    pie_decoder *decoder = NULL;
    assert_int_equal(pie_decoder_new(&decoder), PIE_OK);
    assert_int_equal(load(HEADER "ADD_R64_R64\tsame\t2\t1\t0\t-\t-\t-\t-\n"
                                 "ADC_R64_R64\t-\t1\t1\t0\t-\t-\t-\t-\n",
                          &table),
                     PIE_OK);
    const pie_block *block = decode(decoder, "4801d8");
    assert_null(ooo_table_find(table, block, pie_block_insn(block, 0)));
    ooo_table_free(table);
    pie_decoder_free(decoder);
}

/* ---- the shipped table ---- */

static void the_shipped_table_is_well_formed(void **state)
{
    (void)state;
    ooo_table *table = NULL;
    assert_int_equal(
        ooo_table_load(PIE_SOURCE "/uarch-models/skylake/instructions.tsv", &host, &table), PIE_OK);
    assert_true(ooo_table_rows(table) > 3500);
    ooo_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_malformed),
        cmocka_unit_test(refuses_files_that_are_no_tables),
        cmocka_unit_test(refuses_files_that_cannot_be_read),
        cmocka_unit_test(reads_every_part_of_a_row),
        cmocka_unit_test(finds_the_first_row_that_holds),
        cmocka_unit_test(no_row_is_an_answer),
        cmocka_unit_test(the_shipped_table_is_well_formed),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
