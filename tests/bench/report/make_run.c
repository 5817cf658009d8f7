/* make_run.c - a synthetic run folder of any size, to see that reports grow in proportion.
 *
 * usage: make_run OUT SAMPLES [SAMPLES_PER_ROW [TESTS]]     (default 8 answers a row, 3 tests)
 *
 * Problems have 8 rows each. The records are what a run writes: a source, a target and the answers
 * of each row; 6 of 8 answers pass, some are cut by the cycle budget. The same arguments give the
 * same folder. */
#include "base/file.h"
#include "pipeline/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static uint64_t mix(uint64_t a, uint64_t b)
{
    const uint64_t both[] = {a, b};
    return XXH64(both, sizeof both, 0);
}

typedef struct run_maker {
    FILE *out;
    pie_buf line;
    int64_t n_tests;
} run_maker;

static void put_test(run_maker *self, int64_t n, const char *verdict, int64_t cycles)
{
    pie_buf_printf(&self->line,
                   "%s{\"n\": %" PRId64 ", \"level\": 0, \"weight\": 1.0, \"public\": false, "
                   "\"verdict\": \"%s\", ",
                   n ? ", " : "", n, verdict);
    if (cycles > 0)
        pie_buf_printf(&self->line,
                       "\"cycles\": %" PRId64 ", \"startup_cycles\": 70000, \"os_cycles\": 90000, ",
                       cycles);
    else
        pie_buf_puts(&self->line,
                     "\"cycles\": null, \"startup_cycles\": null, \"os_cycles\": null, ");
    pie_buf_printf(&self->line,
                   "\"instructions\": %" PRId64 ", \"startup_instructions\": 82179, "
                   "\"peak_bytes\": 8925184, \"seconds\": null, \"exit\": 0, \"signal\": 0, "
                   "\"syscall\": -1, \"function\": \"\", \"detail\": \"\"}",
                   cycles > 0 ? 2 * cycles : 3000000);
}

/* @cycles 0: passed, but cut by the budget; -1: a wrong output. */
static void put_record(run_maker *self, int64_t row, int32_t role, int64_t index, int64_t cycles)
{
    const char *verdict = cycles < 0 ? "wrong_output" : "passed";
    const uint64_t id = mix((uint64_t)row * 64 + (uint64_t)role, (uint64_t)index);
    pie_buf_clear(&self->line);
    pie_buf_printf(&self->line,
                   "{\"type\": \"result\", \"row\": %" PRId64 ", \"problem_id\": \"p%06" PRId64
                   "\", \"src_id\": \"s%09" PRId64 "\", \"role\": \"%s\", \"index\": %" PRId64
                   ", \"id\": \"%s%09" PRId64 "\", \"reference_role\": null, ",
                   row, row / 8, row, pie_role_name(role), index,
                   role == PIE_ROLE_SAMPLE ? "" : pie_role_name(role), row);
    pie_buf_printf(&self->line,
                   "\"source\": \"%064" PRIx64 "\", \"reply\": null, \"how\": \"fence\", "
                   "\"reason\": null, \"verdict\": \"%s\", \"passed\": %d, \"run\": %d, "
                   "\"total\": %d, \"build\": {\"key\": \"%064" PRIx64 "\", \"elf\": \"%064" PRIx64
                   "\", \"text_bytes\": 800000, \"messages\": null, \"compiler\": \"g++ 12.2.0\"}, "
                   "\"key\": \"%064" PRIx64 "\", \"tests\": [",
                   id, verdict, cycles < 0 ? 0 : (int)self->n_tests, (int)self->n_tests,
                   (int)self->n_tests, id + 1, id + 2, id + 3);
    for (int64_t i = 0; i < self->n_tests; i++)
        put_test(self, i, verdict, cycles < 0 ? 5000 : cycles ? cycles + i : 0);
    pie_buf_puts(&self->line, "], \"difference\": null, \"counters\": {\"cycles\": 1}, "
                              "\"generation\": null}");
    fprintf(self->out, "%s\t%016" PRIx64 "\n", pie_buf_text(&self->line),
            (uint64_t)XXH64(pie_buf_text(&self->line), self->line.n, 0));
}

static int write_text(const char *folder, const char *name, const char *text)
{
    char *path = pie_path_join(folder, name);
    const pie_status status =
        path ? pie_file_replace(path, text, strlen(text), &pie_log_stderr) : PIE_ERR_NOMEM;
    free(path);
    return status != PIE_OK;
}

static int64_t number(int argc, char **argv, int i, int64_t fallback)
{
    return argc > i ? strtoll(argv[i], NULL, 10) : fallback;
}

int main(int argc, char **argv)
{
    const int64_t n_samples = number(argc, argv, 2, 0), per_row = number(argc, argv, 3, 8);
    run_maker self = {.n_tests = number(argc, argv, 4, 3)};
    if (n_samples < 1 || per_row < 1 || self.n_tests < 1) {
        fprintf(stderr, "usage: make_run OUT SAMPLES [SAMPLES_PER_ROW [TESTS]]\n");
        return 2;
    }
    char *segments = pie_path_join(argv[1], "seg"), *path = pie_path_join(segments, "synthetic");
    char *config =
        pie_strf("backend = { plugin = \"replay\"; path = \"none.jsonl\"; samples = "
                 "%" PRId64 "; };\nuarch = { plugin = \"null\"; };\nmetrics = ( { plugin "
                 "= \"optimized\"; }, { plugin = \"speedup\"; }, { plugin = \"correct\"; "
                 "} );\n",
                 per_row);
    if (!path || !config || pie_folder_make(segments, &pie_log_stderr) != PIE_OK ||
        write_text(argv[1], "run.cfg", config) ||
        write_text(argv[1], "run.json",
                   "{\"format\": 1, \"fingerprint\": \"synthetic\", \"identity\": {}, \"config\": "
                   "{}, \"protections\": []}\n"))
        return 1;
    self.out = fopen(path, "w");
    if (!self.out) {
        perror(path);
        return 1;
    }
    for (int64_t row = 0, made = 0; made < n_samples; row++) {
        const int64_t source = 1000000 + (int64_t)(mix((uint64_t)row, 1) % 100000000);
        put_record(&self, row, PIE_ROLE_SOURCE, 0, source);
        put_record(&self, row, PIE_ROLE_TARGET, 0, source / (1 + row % 7) + 70001);
        for (int64_t i = 0; i < per_row && made < n_samples; i++, made++) {
            const uint64_t luck = mix((uint64_t)row, (uint64_t)i + 2);
            put_record(&self, row, PIE_ROLE_SAMPLE, i,
                       luck % 8 < 2    ? -1
                       : luck % 8 == 2 ? 0
                                       : source / (int64_t)(1 + luck / 8 % 4) + 70001);
        }
    }
    const int failed = ferror(self.out) | fclose(self.out);
    pie_buf_free(&self.line);
    free(config);
    free(path);
    free(segments);
    return failed ? 1 : 0;
}
