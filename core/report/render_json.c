/* render_json.c - the report as JSON: a tree for the head, text straight from the census for the
 * problems, one line per sample. */
#include "report/report_private.h"

#include "pipeline/record.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sticky: what follows a failure does nothing. */
typedef struct writer {
    pie_buf *out;
    pie_status status;
} writer;

static void put(writer *self, const char *text)
{
    if (self->status == PIE_OK)
        self->status = pie_buf_puts(self->out, text);
}

static void put_string(writer *self, const char *text)
{
    json_t *string = json_string(text);
    char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    if (!quoted && self->status == PIE_OK)
        self->status = PIE_ERR_NOMEM;
    else
        put(self, quoted);
    free(quoted);
    json_decref(string);
}

pie_status pie_report_number(double value, pie_buf *out)
{
    char text[40];
    if (!isfinite(value))
        return pie_buf_puts(out, "null");
    if (value == floor(value) && fabs(value) < 9007199254740992.0)
        return pie_buf_printf(out, "%" PRId64, (int64_t)value);
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return pie_buf_puts(out, text);
}

static void put_number(writer *self, double value)
{
    if (self->status == PIE_OK)
        self->status = pie_report_number(value, self->out);
}

/* "verdict", "cycles": what source, target, reference and sample have in common. @program NULL: no
 * record. */
static void put_outcome(writer *self, const pie_counted *program)
{
    put(self, "\"verdict\": \"");
    put(self, pie_verdict_name(program ? program->verdict : PIE_VERDICT_NONE));
    put(self, "\", \"cycles\": ");
    put_number(self, program ? program->cycles : INFINITY);
}

static void put_ratios(writer *self, const pie_counted *source, const pie_counted *program)
{
    const bool both = source && program;
    put(self, ", \"speedup\": ");
    put_number(self, both ? pie_report_ratio(source->cycles, program->cycles) : NAN);
    put(self, ", \"speedup_after_startup\": ");
    put_number(self, both ? pie_report_ratio_after_startup(source, program) : NAN);
    put(self, ", \"speedup_user\": ");
    put_number(self, both ? pie_report_ratio(source->user_cycles, program->user_cycles) : NAN);
    put(self, ", \"speedup_total\": ");
    put_number(self, both ? pie_report_ratio(source->total_cycles, program->total_cycles) : NAN);
}

static void put_row(writer *self, const pie_report *report, const pie_counted_row *row)
{
    const pie_census *census = report->census;
    const pie_counted *source = pie_census_find(census, row, PIE_ROLE_SOURCE, 0);
    const pie_counted *target = pie_census_find(census, row, PIE_ROLE_TARGET, 0);
    put(self, "    {\n      \"problem_id\": ");
    put_string(self, row->problem_id);
    put(self, ",\n      \"src_id\": ");
    put_string(self, row->src_id);
    put(self, ",\n      \"baseline\": {");
    put_outcome(self, source);
    put(self, ", \"startup_cycles\": ");
    put_number(self, source ? source->startup_cycles : INFINITY);
    put(self, "},\n      \"target\": ");
    if (target) {
        put(self, "{");
        put_outcome(self, target);
        put_ratios(self, source, target);
        put(self, "}");
    } else {
        put(self, "null");
    }
    put(self, ",\n      \"references\": [");
    bool first = true;
    for (size_t i = 0; i < row->n_programs; i++) {
        const pie_counted *program = &census->programs[row->first + i];
        if (program->role != PIE_ROLE_REFERENCE)
            continue;
        put(self, first ? "\n        {\"index\": " : ",\n        {\"index\": ");
        put_number(self, program->index);
        put(self, ", ");
        put_outcome(self, program);
        put_ratios(self, source, program);
        put(self, "}");
        first = false;
    }
    put(self, first ? "],\n      \"samples\": [" : "\n      ],\n      \"samples\": [");
    for (int64_t i = 0; i < report->n_samples; i++) {
        const pie_counted *sample = pie_census_find(census, row, PIE_ROLE_SAMPLE, i);
        put(self, i ? ",\n        {\"index\": " : "\n        {\"index\": ");
        put_number(self, (double)i);
        put(self, ", ");
        put_outcome(self, sample);
        put_ratios(self, source, sample);
        put(self, sample && sample->censored ? ", \"censored\": true}" : ", \"censored\": false}");
    }
    put(self, report->n_samples ? "\n      ]\n    }" : "]\n    }");
}

pie_status pie_report_json_text(const pie_report *report, pie_buf *out)
{
    writer self = {.out = out};
    char *head = json_dumps(report->head, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    if (!head)
        return PIE_ERR_NOMEM;
    const size_t n = strlen(head);
    head[n - 2] = '\0'; /* "\n}" comes after the problems */
    put(&self, head);
    free(head);
    put(&self, ",\n  \"problems\": [");
    for (size_t i = 0; self.status == PIE_OK && i < report->census->n_rows; i++) {
        put(&self, i ? ",\n" : "\n");
        put_row(&self, report, &report->census->rows[report->dataset_order[i]]);
    }
    put(&self, report->census->n_rows ? "\n  ]\n}\n" : "]\n}\n");
    return self.status;
}
