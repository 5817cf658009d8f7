/* table.c - see table.h */
#include "table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 64 << 20, N_COLUMNS = 9 };

struct ooo_table {
    char *text; /* the file, cut into strings */
    ooo_row *rows;
    uint32_t n_rows, rows_capacity;
    ooo_template *uops;
    uint32_t n_uops, uops_capacity;
    uint32_t *buckets; /* hash of a form -> its first row + 1 */
    uint32_t n_buckets;
};

typedef struct parser {
    const pie_host *host;
    const char *path;
    ooo_table *table;
    uint32_t line;
} parser;

static pie_status refuse(const parser *p, const char *what, const char *text)
{
    char message[1024];
    snprintf(message, sizeof message, "%s:%" PRIu32 ": %s: '%.80s'", p->path, p->line, what, text);
    p->host->log(p->host, PIE_LOG_ERROR, message);
    return PIE_ERR_CONFIG;
}

static uint32_t hash(const char *form)
{
    uint32_t h = 2166136261u;
    for (; *form; form++)
        h = (h ^ (uint8_t)*form) * 16777619u;
    return h;
}

/* ---- a row ---- */

/* Digits at *@text up to @max; moves *@text behind them. False: there are none, or too many. */
static bool number(const char **text, unsigned long max, unsigned long *ret)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    const unsigned long value = strtoul(*text, &end, 10);
    if (value > max)
        return false;
    *text = end;
    *ret = value;
    return true;
}

/* One input ("r1+2") or output ("r0@3", "r0@+1") at *@text. */
static bool role(const char **text, bool is_output, ooo_role *ret_role)
{
    const char *at = *text;
    unsigned long value = 0;
    ooo_role parsed = {.kind = (uint8_t)*at, .cycles = is_output ? 1 : 0};
    if (!*at || !strchr(is_output ? "rCStb" : "rCStmbx", *at))
        return false;
    at++;
    if (parsed.kind != OOO_ROLE_CARRY && parsed.kind != OOO_ROLE_SPAZO) {
        if (!number(&at, 31, &value))
            return false;
        parsed.index = (uint8_t)value;
    }
    if (*at == (is_output ? '@' : '+')) {
        at++;
        at += is_output && *at == '+';
        if (!number(&at, 60000, &value))
            return false;
        parsed.cycles = (uint16_t)value;
    } else if (is_output)
        parsed.cycles = 0; /* none written; the caller knows the default */
    *text = at;
    *ret_role = parsed;
    return true;
}

static bool roles(const char **text, bool is_output, ooo_role *list, uint8_t *ret_n)
{
    uint8_t n = 0;
    do {
        (*text)++; /* ':' or '>' or ',' */
        if (n == OOO_MAX_ROLES || !role(text, is_output, &list[n]))
            return false;
        n++;
    } while (**text == ',');
    *ret_n = n;
    return true;
}

/* "L23[0]:r1>r0@3" */
static bool uop(const char *text, ooo_template *ret_uop)
{
    ooo_template parsed = {.class = (uint8_t)*text};
    unsigned long value;
    if (!*text || !strchr("LADE", *text))
        return false;
    for (text++; *text >= '0' && *text <= '7'; text++)
        parsed.ports |= (uint8_t)(1u << (*text - '0'));
    if (!parsed.ports)
        return false;
    if (*text == '[') {
        text++;
        if (!number(&text, 7, &value) || *text++ != ']')
            return false;
        parsed.mem = (uint8_t)value;
    }
    if (*text == '!') {
        text++;
        if (!number(&text, 60000, &value))
            return false;
        parsed.divider = (uint16_t)value;
    }
    if (*text == ':' && !roles(&text, false, parsed.inputs, &parsed.n_inputs))
        return false;
    if (*text == '>' && !roles(&text, true, parsed.outputs, &parsed.n_outputs))
        return false;
    for (uint8_t i = 0; parsed.class != OOO_LOAD && i < parsed.n_outputs; i++)
        if (parsed.outputs[i].cycles == 0)
            parsed.outputs[i].cycles = 1;
    *ret_uop = parsed;
    return *text == '\0';
}

static pie_status add_uops(parser *p, char *text, ooo_row *row)
{
    ooo_table *table = p->table;
    char *save = NULL;
    row->first_uop = table->n_uops;
    if (strcmp(text, "-") == 0)
        return PIE_OK;
    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        if (table->n_uops == table->uops_capacity) {
            const uint32_t n = table->uops_capacity ? 2 * table->uops_capacity : 4096;
            ooo_template *more = realloc(table->uops, n * sizeof *more);
            if (!more)
                return PIE_ERR_NOMEM;
            table->uops = more;
            table->uops_capacity = n;
        }
        if (!uop(word, &table->uops[table->n_uops]))
            return refuse(p, "not a uop", word);
        table->n_uops++;
        row->n_uops++;
    }
    return PIE_OK;
}

static pie_status add_attributes(const parser *p, char *text, ooo_row *row)
{
    char *save = NULL;
    if (strcmp(text, "-") == 0)
        return PIE_OK;
    for (char *word = strtok_r(text, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        unsigned start, bytes;
        double cycles;
        char end;
        if (strcmp(word, "elim") == 0)
            row->flags |= OOO_ELIMINABLE;
        else if (strcmp(word, "swap") == 0)
            row->flags |= OOO_SWAPPED;
        else if (strcmp(word, "serial") == 0)
            row->flags |= OOO_SERIALISING;
        else if (sscanf(word, "blk=%u%c", &start, &end) == 1 && start <= 60000)
            row->block = (uint16_t)start;
        else if (sscanf(word, "rep=%u+%u%c", &start, &bytes, &end) == 2 && start <= 60000 &&
                 bytes > 0 && bytes <= 64) {
            row->rep_start = (uint16_t)start;
            row->rep_bytes = (uint16_t)bytes;
        } else if (sscanf(word, "iter=%u+%lf%c", &start, &cycles, &end) == 2 && start <= 60000 &&
                   cycles > 0 && cycles <= 600) {
            row->rep_start = (uint16_t)start;
            row->rep_centicycles = (uint16_t)(cycles * 100 + 0.5);
        } else
            return refuse(p, "not an attribute", word);
    }
    return PIE_OK;
}

static int condition_number(const char *text, size_t n);

static pie_status check_conditions(const parser *p, const char *text)
{
    for (const char *at = text; *at;) {
        const size_t n = strcspn(at, ",");
        if (condition_number(at, n) < 0 || (at[n] == ',' && at[n + 1] == '\0'))
            return refuse(p, "not a condition", at);
        at += n + (at[n] == ',');
    }
    return PIE_OK;
}

static bool count(const char *text, uint16_t *ret)
{
    unsigned long value;
    if (!number(&text, 60000, &value) || *text)
        return false;
    *ret = (uint16_t)value;
    return true;
}

static pie_status add_row(parser *p, char *line)
{
    static const char *const fuses[] = {"-", "all", "cz", "z"};
    ooo_table *table = p->table;
    char *columns[N_COLUMNS];
    size_t n = 0;
    char *at = line;
    for (; n < N_COLUMNS && at; n++) {
        columns[n] = at;
        at = strchr(at, '\t');
        if (at)
            *at++ = '\0';
    }
    if (n < N_COLUMNS || at || *columns[0] == '\0')
        return refuse(p, "a row has nine columns with tabs between", line);
    ooo_row row = {.form = columns[0],
                   .when = strcmp(columns[1], "-") == 0 ? "" : columns[1],
                   .number = table->n_rows};
    if (!count(columns[2], &row.slots) || !count(columns[3], &row.decoded) ||
        !count(columns[4], &row.microcoded))
        return refuse(p, "slots, dec and ms are numbers", line);
    uint16_t simple = 0;
    if (strcmp(columns[5], "-") == 0)
        row.flags |= OOO_ANY_DECODER;
    else if (!count(columns[5], &simple) || simple > 3)
        return refuse(p, "the simple decoders left are 0 to 3, or -", columns[5]);
    row.simple = (uint8_t)simple;
    size_t fuse = 0;
    while (fuse < sizeof fuses / sizeof *fuses && strcmp(fuses[fuse], columns[7]) != 0)
        fuse++;
    if (fuse == sizeof fuses / sizeof *fuses)
        return refuse(p, "fuse is -, all, cz or z", columns[7]);
    row.fuse = (uint8_t)fuse;
    pie_status status = check_conditions(p, row.when);
    if (status == PIE_OK)
        status = add_attributes(p, columns[6], &row);
    if (status == PIE_OK)
        status = add_uops(p, columns[8], &row);
    if (status != PIE_OK)
        return status;
    if (table->n_rows == table->rows_capacity) {
        const uint32_t capacity = table->rows_capacity ? 2 * table->rows_capacity : 4096;
        ooo_row *more = realloc(table->rows, capacity * sizeof *more);
        if (!more)
            return PIE_ERR_NOMEM;
        table->rows = more;
        table->rows_capacity = capacity;
    }
    table->rows[table->n_rows++] = row;
    return PIE_OK;
}

/* ---- the file ---- */

static pie_status read_text(const char *path, const pie_host *host, char **ret_text)
{
    char message[1024];
    pie_status status = PIE_ERR_NOMEM;
    char *text = NULL;
    FILE *file = fopen(path, "re");
    long size = -1;
    if (file && fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    if (size < 0 || size > MAX_FILE || fseek(file, 0, SEEK_SET) != 0) {
        snprintf(message, sizeof message, "%s: the instruction table cannot be read: %s", path,
                 size > MAX_FILE ? "too large" : strerror(errno));
        host->log(host, PIE_LOG_ERROR, message);
        status = PIE_ERR_CONFIG;
        goto cleanup;
    }
    text = malloc((size_t)size + 1);
    if (!text)
        goto cleanup;
    const size_t n = fread(text, 1, (size_t)size, file);
    text[n] = '\0';
    if (strlen(text) != n) {
        snprintf(message, sizeof message, "%s: not a text: it holds a zero byte", path);
        host->log(host, PIE_LOG_ERROR, message);
        status = PIE_ERR_CONFIG;
        goto cleanup;
    }
    *ret_text = text;
    text = NULL;
    status = PIE_OK;
cleanup:
    free(text);
    if (file)
        fclose(file);
    return status;
}

/* Rows of one form stand together; the first of them is in the buckets. */
static pie_status index_rows(parser *p)
{
    ooo_table *table = p->table;
    table->n_buckets = 1024;
    while (table->n_buckets < 4 * table->n_rows)
        table->n_buckets *= 2;
    table->buckets = calloc(table->n_buckets, sizeof *table->buckets);
    if (!table->buckets)
        return PIE_ERR_NOMEM;
    for (uint32_t i = 0; i < table->n_rows; i++) {
        const char *form = table->rows[i].form;
        if (i > 0 && strcmp(form, table->rows[i - 1].form) == 0)
            continue;
        uint32_t at = hash(form) & (table->n_buckets - 1);
        while (table->buckets[at]) {
            if (strcmp(table->rows[table->buckets[at] - 1].form, form) == 0)
                return refuse(p, "rows of one form must stand together", form);
            at = (at + 1) & (table->n_buckets - 1);
        }
        table->buckets[at] = i + 1;
    }
    return PIE_OK;
}

pie_status ooo_table_load(const char *path, const pie_host *host, ooo_table **ret_table)
{
    ooo_table *table = calloc(1, sizeof *table);
    if (!table)
        return PIE_ERR_NOMEM;
    parser p = {host, path, table, 0};
    bool have_header = false;
    pie_status status = read_text(path, host, &table->text);
    for (char *line = table->text; status == PIE_OK && line && *line;) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        p.line++;
        if (*line != '#' && *line != '\0') {
            if (have_header)
                status = add_row(&p, line);
            else if (strncmp(line, "form\t", 5) == 0)
                have_header = true;
            else
                status = refuse(&p, "the first line must be the header, form and so on", line);
        }
        line = end ? end + 1 : NULL;
    }
    if (status == PIE_OK && table->n_rows == 0)
        status = refuse(&p, have_header ? "the table has no rows" : "the header is missing", "");
    if (status == PIE_OK)
        status = index_rows(&p);
    if (status != PIE_OK) {
        ooo_table_free(table);
        return status;
    }
    *ret_table = table;
    return PIE_OK;
}

void ooo_table_free(ooo_table *table)
{
    if (!table)
        return;
    free(table->text);
    free(table->rows);
    free(table->uops);
    free(table->buckets);
    free(table);
}

uint32_t ooo_table_rows(const ooo_table *table)
{
    return table->n_rows;
}

const ooo_template *ooo_table_uops(const ooo_table *table, const ooo_row *row)
{
    return table->uops + row->first_uop;
}

/* ---- finding a row ---- */

static bool is_indexed(const pie_block *block, const pie_insn *insn)
{
    for (size_t i = 0; i < insn->n_mems; i++)
        if (pie_block_mem(block, insn, i)->index != PIE_REG_NONE)
            return true;
    return false;
}

/* spl, bpl, sil, dil and r12b .. r15b: Skylake does not eliminate movzx from them. */
static bool is_late_byte(const pie_block *block, const pie_insn *insn)
{
    for (size_t i = 0; i < insn->n_operands; i++) {
        const pie_operand *operand = pie_block_operand(block, insn, i);
        if (operand->type == PIE_OPERAND_REG && operand->bits == 8 &&
            !(operand->flags & (PIE_OPERAND_HIGH8 | PIE_OPERAND_IMPLICIT)) &&
            ((operand->reg >= 4 && operand->reg <= 7) ||
             (operand->reg >= 12 && operand->reg <= 15)))
            return true;
    }
    return false;
}

enum { N_CONDITIONS = 11 };
static const char *const conditions[N_CONDITIONS] = {
    "high0", "high1", "low0", "low1", "imm0", "imm1", "same", "w", "lock", "indexed", "rex8"};

/* Number of a condition by name; N_CONDITIONS: "op=HH"; -1: it is none. */
static int condition_number(const char *text, size_t n)
{
    for (int i = 0; i < N_CONDITIONS; i++)
        if (strlen(conditions[i]) == n && memcmp(conditions[i], text, n) == 0)
            return i;
    static const char digits[] = "0123456789abcdefABCDEF";
    if (n == 5 && memcmp(text, "op=", 3) == 0 && memchr(digits, text[3], sizeof digits - 1) &&
        memchr(digits, text[4], sizeof digits - 1))
        return N_CONDITIONS;
    return -1;
}

static bool holds(const char *condition, size_t n, const pie_block *block, const pie_insn *insn)
{
    switch (condition_number(condition, n)) {
    case 0:
        return insn->flags & PIE_INSN_HIGH8_0;
    case 1:
        return insn->flags & PIE_INSN_HIGH8_1;
    case 2:
        return !(insn->flags & PIE_INSN_HIGH8_0);
    case 3:
        return !(insn->flags & PIE_INSN_HIGH8_1);
    case 4:
        return insn->flags & PIE_INSN_ZERO_IMM;
    case 5:
        return !(insn->flags & PIE_INSN_ZERO_IMM);
    case 6:
        return insn->flags & PIE_INSN_SAME_REG;
    case 7:
        return insn->flags & PIE_INSN_REX_W;
    case 8:
        return insn->flags & PIE_INSN_LOCK;
    case 9:
        return is_indexed(block, insn);
    case 10:
        return is_late_byte(block, insn);
    default:
        return strtoul(condition + 3, NULL, 16) == insn->opcode;
    }
}

static bool fits(const ooo_row *row, const pie_block *block, const pie_insn *insn)
{
    for (const char *at = row->when; *at;) {
        const size_t n = strcspn(at, ",");
        if (!holds(at, n, block, insn))
            return false;
        at += n + (at[n] == ',');
    }
    return true;
}

const ooo_row *ooo_table_find(const ooo_table *table, const pie_block *block, const pie_insn *insn)
{
    const char *form = pie_block_string(block, insn->form);
    uint32_t at = hash(form) & (table->n_buckets - 1);
    while (table->buckets[at] && strcmp(table->rows[table->buckets[at] - 1].form, form) != 0)
        at = (at + 1) & (table->n_buckets - 1);
    if (!table->buckets[at])
        return NULL;
    for (uint32_t i = table->buckets[at] - 1;
         i < table->n_rows && strcmp(table->rows[i].form, form) == 0; i++)
        if (fits(&table->rows[i], block, insn))
            return &table->rows[i];
    return NULL;
}
