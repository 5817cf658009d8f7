/* render.c - the report for people: a table of at most 80 columns, Markdown, CSV. */
#include "report/report_private.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 80, NAME_WIDTH = 15, CELL_WIDTH = 12, CELL_BYTES = 64 };

/* ---- the figures as a grid ------------------------------------------------------------------ */

/* Lines and columns in the order in which the metrics first name them; human lines thus come first.
 */
typedef struct figure_grid {
    const char **lines, **columns;
    size_t n_lines, n_columns;
    const json_t **cells; /* [n_lines][n_columns]; NULL: no such figure */
} figure_grid;

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static size_t find_or_add(const char **names, size_t *n, const char *name)
{
    size_t i = 0;
    while (i < *n && strcmp(names[i], name) != 0)
        i++;
    if (i == *n)
        names[(*n)++] = name;
    return i;
}

static void grid_free(figure_grid *grid)
{
    free(grid->lines);
    free(grid->columns);
    free(grid->cells);
}

static pie_status grid_new(const json_t *summary, figure_grid *ret)
{
    const size_t n = json_array_size(summary);
    figure_grid made = {.lines = calloc(n + 1, sizeof *made.lines),
                        .columns = calloc(n + 1, sizeof *made.columns)};
    size_t i;
    const json_t *figure;
    if (made.lines && made.columns) {
        json_array_foreach(summary, i, figure)
        {
            find_or_add(made.lines, &made.n_lines, text_of(figure, "name"));
            find_or_add(made.columns, &made.n_columns, text_of(figure, "column"));
        }
        made.cells = calloc(made.n_lines * made.n_columns + 1, sizeof *made.cells);
    }
    if (!made.cells) {
        grid_free(&made);
        return PIE_ERR_NOMEM;
    }
    json_array_foreach(summary, i, figure)
    {
        const size_t line = find_or_add(made.lines, &made.n_lines, text_of(figure, "name"));
        const size_t column = find_or_add(made.columns, &made.n_columns, text_of(figure, "column"));
        made.cells[line * made.n_columns + column] = figure;
    }
    *ret = made;
    return PIE_OK;
}

/* 41.4%, 2.07x, 7.25: enough digits to compare, few enough to read. */
static void value_text(double value, const char *unit, char *ret_text, size_t n)
{
    if (strcmp(unit, "%") == 0)
        snprintf(ret_text, n, "%.1f%%", value);
    else if (strcmp(unit, "ratio") == 0)
        snprintf(ret_text, n, value < 100 ? "%.2fx" : "%.0fx", value);
    else
        snprintf(ret_text, n, "%.4g", value);
}

static void cell_text(const json_t *figure, char *ret_text, size_t n)
{
    const json_t *value = json_object_get(figure, "value");
    if (!figure)
        snprintf(ret_text, n, "%s", "");
    else if (json_is_number(value))
        value_text(json_number_value(value), text_of(figure, "unit"), ret_text, n);
    else
        snprintf(ret_text, n, "-");
}

/* "38.2-44.1", without units; "" when there is none. */
static void interval_text(const json_t *figure, char *ret_text, size_t n)
{
    const json_t *interval = json_object_get(figure, "interval");
    *ret_text = '\0';
    if (json_array_size(interval) != 2)
        return;
    const char *unit = text_of(figure, "unit");
    const double low = json_number_value(json_array_get(interval, 0)),
                 high = json_number_value(json_array_get(interval, 1));
    if (strcmp(unit, "%") == 0)
        snprintf(ret_text, n, "%.1f-%.1f", low, high);
    else if (strcmp(unit, "ratio") == 0)
        snprintf(ret_text, n, high < 100 ? "%.2f-%.2f" : "%.0f-%.0f", low, high);
    else
        snprintf(ret_text, n, "%.4g-%.4g", low, high);
}

/* ---- plain text ----------------------------------------------------------------------------- */

/* Bytes that begin a character: what UTF-8 text takes on the screen, near enough. */
static size_t screen_width(const char *text, size_t n)
{
    size_t width = 0;
    for (size_t i = 0; i < n; i++)
        width += ((unsigned char)text[i] & 0xc0) != 0x80;
    return width;
}

/* @text in lines of at most WIDTH, after @label; further lines stand under the first word. */
static pie_status put_wrapped(pie_buf *out, const char *label, const char *text)
{
    const size_t indent = screen_width(label, strlen(label));
    pie_status status = pie_buf_puts(out, label);
    size_t column = indent;
    while (status == PIE_OK && *text) {
        const size_t n = strcspn(text, " "), width = screen_width(text, n);
        if (column > indent && column + 1 + width > WIDTH) {
            status = pie_buf_printf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            status = pie_buf_puts(out, " ");
            column++;
        }
        if (status == PIE_OK)
            status = pie_buf_add(out, text, n);
        column += width;
        text += n;
        text += strspn(text, " ");
    }
    return status == PIE_OK ? pie_buf_puts(out, "\n") : status;
}

static pie_status put_padded(pie_buf *out, const char *text, bool right)
{
    const size_t width = screen_width(text, strlen(text));
    const int pad = width < CELL_WIDTH ? (int)(CELL_WIDTH - width) : 0;
    return pie_buf_printf(out, " %*s%s%*s", right ? pad : 0, "", text, right ? 0 : pad, "");
}

/* One line of the grid: names of columns, values or intervals. */
typedef enum row_kind { ROW_HEADER, ROW_VALUES, ROW_INTERVALS } row_kind;

static pie_status put_grid_row(pie_buf *out, const figure_grid *grid, size_t line, size_t first,
                               size_t last, row_kind kind)
{
    char text[CELL_BYTES];
    bool any = kind != ROW_INTERVALS;
    for (size_t c = first; c < last && !any; c++) {
        interval_text(grid->cells[line * grid->n_columns + c], text, sizeof text);
        any = *text != '\0';
    }
    if (!any)
        return PIE_OK;
    pie_status status = pie_buf_printf(out, "%-*.*s", NAME_WIDTH, NAME_WIDTH,
                                       kind == ROW_VALUES ? grid->lines[line] : "");
    for (size_t c = first; status == PIE_OK && c < last; c++) {
        const json_t *figure = grid->cells[line * grid->n_columns + c];
        if (kind == ROW_HEADER)
            snprintf(text, sizeof text, "%.*s", CELL_WIDTH, grid->columns[c]);
        else if (kind == ROW_VALUES)
            cell_text(figure, text, sizeof text);
        else
            interval_text(figure, text, sizeof text);
        status = put_padded(out, text, true);
    }
    while (out->n > 0 && out->data[out->n - 1] == ' ')
        out->data[--out->n] = '\0';
    return status == PIE_OK ? pie_buf_puts(out, "\n") : status;
}

/* As many columns as fit stand side by side; further ones in blocks below. */
static pie_status put_grid(pie_buf *out, const figure_grid *grid)
{
    enum { PER_BLOCK = (WIDTH - NAME_WIDTH) / (CELL_WIDTH + 1) };
    _Static_assert(PER_BLOCK >= 1, "a block has room for a column");
    pie_status status = PIE_OK;
    for (size_t first = 0; status == PIE_OK && first < grid->n_columns; first += PER_BLOCK) {
        const size_t last =
            first + PER_BLOCK < grid->n_columns ? first + PER_BLOCK : grid->n_columns;
        if (first > 0)
            status = pie_buf_puts(out, "\n");
        if (status == PIE_OK)
            status = put_grid_row(out, grid, 0, first, last, ROW_HEADER);
        for (size_t line = 0; status == PIE_OK && line < grid->n_lines; line++) {
            bool any = false;
            for (size_t c = first; c < last; c++)
                any = any || grid->cells[line * grid->n_columns + c];
            if (any)
                status = put_grid_row(out, grid, line, first, last, ROW_VALUES);
            if (any && status == PIE_OK)
                status = put_grid_row(out, grid, line, first, last, ROW_INTERVALS);
        }
    }
    return status;
}

/* The plugin that a group of the configuration chose, "" if none. */
static const char *plugin_of(const json_t *config, const char *group)
{
    return text_of(json_object_get(config, group), "plugin");
}

static int64_t count_of(const json_t *head, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(head, "counts"), key));
}

static pie_status put_heading(pie_buf *out, const pie_report *report)
{
    const json_t *config = json_object_get(report->head, "config");
    pie_status status = put_wrapped(out, "run          ", report->name);
    static const char *const groups[] = {"backend", "compiler", "uarch"};
    pie_buf line = {0};
    for (size_t i = 0; status == PIE_OK && i < sizeof groups / sizeof *groups; i++)
        if (*plugin_of(config, groups[i]))
            status = pie_buf_printf(&line, "%s%s %s", line.n ? ", " : "", groups[i],
                                    plugin_of(config, groups[i]));
    if (status == PIE_OK && *text_of(config, "time"))
        status = pie_buf_printf(&line, "%stime %s", line.n ? ", " : "", text_of(config, "time"));
    if (status == PIE_OK && line.n)
        status = put_wrapped(out, "measured by  ", pie_buf_text(&line));
    pie_buf_free(&line);
    if (status == PIE_OK)
        status = pie_buf_printf(out, "fingerprint  %.16s\n", text_of(report->head, "fingerprint"));
    if (status == PIE_OK)
        status = pie_buf_printf(
            out, "rows         %" PRId64 " of %" PRId64 " problems, %" PRId64 " answers each\n\n",
            count_of(report->head, "rows"), count_of(report->head, "problems"),
            count_of(report->head, "samples_per_row"));
    return status;
}

/* "passed 5000, wrong_output 20" */
static pie_status verdicts_text(const json_t *head, pie_buf *out)
{
    const char *name;
    json_t *count;
    pie_status status = PIE_OK;
    bool first = true;
    json_object_foreach(json_object_get(head, "verdicts"), name, count)
    {
        if (status == PIE_OK)
            status = pie_buf_printf(out, "%s%s %" JSON_INTEGER_FORMAT, first ? "" : ", ", name,
                                    json_integer_value(count));
        first = false;
    }
    const json_int_t censored = json_integer_value(json_object_get(head, "censored"));
    if (status == PIE_OK && censored > 0)
        status = pie_buf_printf(
            out, " (of the passed, %" JSON_INTEGER_FORMAT " cut by the cycle budget)", censored);
    if (status == PIE_OK && first)
        status = pie_buf_puts(out, "none");
    return status;
}

/* The figure whose rule stands for the column: the last that a line with k has, else the last. */
static const json_t *rule_of(const figure_grid *grid, size_t column)
{
    const json_t *last = NULL, *last_with_k = NULL;
    for (size_t line = 0; line < grid->n_lines; line++) {
        const json_t *figure = grid->cells[line * grid->n_columns + column];
        last = figure ? figure : last;
        if (figure && json_is_integer(json_object_get(figure, "k")))
            last_with_k = figure;
    }
    return last_with_k ? last_with_k : last;
}

static pie_status render_table(const pie_report *report, const figure_grid *grid, pie_buf *out)
{
    pie_buf line = {0};
    pie_status status = put_heading(out, report);
    if (status == PIE_OK)
        status = put_grid(out, grid);
    if (status == PIE_OK)
        status = verdicts_text(report->head, &line);
    if (status == PIE_OK && grid->n_lines)
        status = pie_buf_puts(out, "\n");
    if (status == PIE_OK)
        status = put_wrapped(out, "verdicts  ", pie_buf_text(&line));
    size_t i;
    const json_t *note;
    json_array_foreach(json_object_get(report->head, "notes"), i, note)
    {
        if (status == PIE_OK)
            status = put_wrapped(out, "note      ", json_string_value(note));
    }
    for (size_t c = 0; status == PIE_OK && c < grid->n_columns; c++) {
        const json_t *figure = rule_of(grid, c);
        pie_buf_clear(&line);
        status = pie_buf_printf(&line, "%s (%s): %s", grid->columns[c], text_of(figure, "name"),
                                text_of(figure, "rule"));
        if (status == PIE_OK)
            status = put_wrapped(out, "rule      ", pie_buf_text(&line));
    }
    if (status == PIE_OK && count_of(report->head, "problems") > 1 && grid->n_lines)
        status = put_wrapped(out, "          ",
                             "Ranges: 95 % bootstrap interval over problems (docs/metrics.md).");
    pie_buf_free(&line);
    return status;
}

/* ---- Markdown ------------------------------------------------------------------------------- */

/* In a table cell: a bar would end it, a line break too. */
static pie_status put_markdown(pie_buf *out, const char *text)
{
    pie_status status = PIE_OK;
    for (; status == PIE_OK && *text; text++)
        status = *text == '|'    ? pie_buf_puts(out, "\\|")
                 : *text == '\n' ? pie_buf_puts(out, " ")
                                 : pie_buf_add(out, text, 1);
    return status;
}

static pie_status put_markdown_row(pie_buf *out, const figure_grid *grid, size_t line)
{
    char value[CELL_BYTES], interval[CELL_BYTES];
    pie_status status = pie_buf_puts(out, "| ");
    if (status == PIE_OK)
        status = put_markdown(out, grid->lines[line]);
    for (size_t c = 0; status == PIE_OK && c < grid->n_columns; c++) {
        const json_t *figure = grid->cells[line * grid->n_columns + c];
        cell_text(figure, value, sizeof value);
        interval_text(figure, interval, sizeof interval);
        status = pie_buf_printf(out, *interval ? " | %s (%s)" : " | %s%s", value, interval);
    }
    return status == PIE_OK ? pie_buf_puts(out, " |\n") : status;
}

static pie_status render_markdown(const pie_report *report, const figure_grid *grid, pie_buf *out)
{
    pie_status status = pie_buf_puts(out, "## ");
    if (status == PIE_OK)
        status = put_markdown(out, report->name);
    if (status == PIE_OK)
        status = pie_buf_printf(out,
                                "\n\nFingerprint `%.16s`; %" PRId64 " rows of %" PRId64
                                " problems, %" PRId64 " answers each.\n\n|  |",
                                text_of(report->head, "fingerprint"),
                                count_of(report->head, "rows"), count_of(report->head, "problems"),
                                count_of(report->head, "samples_per_row"));
    for (size_t c = 0; status == PIE_OK && c < grid->n_columns; c++) {
        status = pie_buf_puts(out, " ");
        if (status == PIE_OK)
            status = put_markdown(out, grid->columns[c]);
        if (status == PIE_OK)
            status = pie_buf_puts(out, " |");
    }
    if (status == PIE_OK)
        status = pie_buf_puts(out, "\n|---|");
    for (size_t c = 0; status == PIE_OK && c < grid->n_columns; c++)
        status = pie_buf_puts(out, "---:|");
    if (status == PIE_OK)
        status = pie_buf_puts(out, "\n");
    for (size_t line = 0; status == PIE_OK && line < grid->n_lines; line++)
        status = put_markdown_row(out, grid, line);
    if (status == PIE_OK)
        status = pie_buf_puts(out, "\nVerdicts: ");
    if (status == PIE_OK)
        status = verdicts_text(report->head, out);
    if (status == PIE_OK)
        status = pie_buf_puts(out, ".\n\n");
    size_t i;
    const json_t *note;
    json_array_foreach(json_object_get(report->head, "notes"), i, note)
    {
        if (status == PIE_OK)
            status = pie_buf_printf(out, "- Note: %s.\n", json_string_value(note));
    }
    for (size_t c = 0; status == PIE_OK && c < grid->n_columns; c++) {
        const json_t *figure = rule_of(grid, c);
        status = pie_buf_printf(out, "- %s (%s): %s\n", grid->columns[c], text_of(figure, "name"),
                                text_of(figure, "rule"));
    }
    return status;
}

/* ---- CSV ------------------------------------------------------------------------------------ */

static pie_status put_csv(pie_buf *out, const char *text, char end)
{
    pie_status status = PIE_OK;
    const bool quote = strpbrk(text, ",\"\r\n") != NULL;
    if (quote)
        status = pie_buf_puts(out, "\"");
    for (; status == PIE_OK && *text; text++) {
        if (*text == '"')
            status = pie_buf_puts(out, "\"");
        if (status == PIE_OK)
            status = pie_buf_add(out, text, 1);
    }
    if (status == PIE_OK && quote)
        status = pie_buf_puts(out, "\"");
    return status == PIE_OK ? pie_buf_add(out, &end, 1) : status;
}

/* "" for null. */
static pie_status put_csv_number(pie_buf *out, const json_t *number)
{
    pie_status status = PIE_OK;
    if (json_is_number(number))
        status = pie_report_number(json_number_value(number), out);
    return status == PIE_OK ? pie_buf_puts(out, ",") : status;
}

const char *pie_report_csv_header(void)
{
    return "run,fingerprint,metric,name,column,k,value,unit,direction,interval_low,interval_high,"
           "rule\n";
}

static pie_status render_csv(const pie_report *report, pie_buf *out)
{
    pie_status status = PIE_OK;
    size_t i;
    const json_t *figure;
    json_array_foreach(json_object_get(report->head, "summary"), i, figure)
    {
        const json_t *interval = json_object_get(figure, "interval");
        const char *const before[] = {report->name, text_of(report->head, "fingerprint"),
                                      text_of(figure, "metric"), text_of(figure, "name"),
                                      text_of(figure, "column")};
        for (size_t t = 0; status == PIE_OK && t < sizeof before / sizeof *before; t++)
            status = put_csv(out, before[t], ',');
        if (status == PIE_OK)
            status = put_csv_number(out, json_object_get(figure, "k"));
        if (status == PIE_OK)
            status = put_csv_number(out, json_object_get(figure, "value"));
        if (status == PIE_OK)
            status = put_csv(out, text_of(figure, "unit"), ',');
        if (status == PIE_OK)
            status = put_csv(out, text_of(figure, "direction"), ',');
        if (status == PIE_OK)
            status = put_csv_number(out, json_array_get(interval, 0));
        if (status == PIE_OK)
            status = put_csv_number(out, json_array_get(interval, 1));
        if (status == PIE_OK)
            status = put_csv(out, text_of(figure, "rule"), '\n');
        if (status != PIE_OK)
            return status;
    }
    return status;
}

pie_status pie_report_render(const pie_report *report, int32_t format, pie_buf *out)
{
    if (format == PIE_REPORT_JSON)
        return pie_report_json_text(report, out);
    if (format == PIE_REPORT_CSV)
        return render_csv(report, out);
    figure_grid grid;
    pie_status status = grid_new(json_object_get(report->head, "summary"), &grid);
    if (status != PIE_OK)
        return status;
    status = format == PIE_REPORT_MARKDOWN ? render_markdown(report, &grid, out)
                                           : render_table(report, &grid, out);
    grid_free(&grid);
    return status;
}
