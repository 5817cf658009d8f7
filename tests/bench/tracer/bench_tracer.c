/* bench_tracer.c - how fast is the tracer, alone and with a sink that walks its records?
 *
 *   bench_tracer PROGRAM [INPUT [REPEATS [walk|none|singlestep]]]
 *
 * Prints one line per run: instructions, seconds, million instructions per second. */
#include "base/file.h"
#include "trace/guest.h"

#include "pie/trace.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct walker {
    uint64_t n_records[8], n_words, sum;
} walker;

static pie_status walk(void *context, const uint64_t *words, size_t n_words, int32_t *ret_want)
{
    walker *w = context;
    (void)ret_want;
    for (size_t i = 0; i < n_words; i += pie_record_words(words[i])) {
        w->n_records[pie_record_kind(words[i]) & 7]++;
        w->sum = w->sum * 31 + words[i];
    }
    w->n_words += n_words;
    return PIE_OK;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_tracer PROGRAM [INPUT [REPEATS [walk|none|singlestep]]]\n");
        return 2;
    }
    const char *mode = argc > 4 ? argv[4] : "walk";
    const int repeats = argc > 3 ? atoi(argv[3]) : 1;
    pie_buf input = {0};
    const int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        perror(argv[1]);
        return 2;
    }
    if (argc > 2 && pie_file_read(argv[2], 1u << 30, &pie_log_stderr, &input) != PIE_OK)
        return 2;
    for (int i = 0; i < repeats; i++) {
        walker w = {0};
        const pie_trace_sink sink = {&w, walk};
        const pie_guest_spec spec = {.program_fd = fd,
                                     .input = input.data,
                                     .input_bytes = input.n,
                                     .limits = {10000000000u, 1u << 30, 64u << 20, 64u << 20},
                                     .sink = strcmp(mode, "none") == 0 ? NULL : &sink,
                                     .one_insn_per_block = strcmp(mode, "singlestep") == 0};
        pie_guest_result result;
        const double start = now_s();
        const pie_status status = pie_guest_run(&spec, &pie_log_stderr, &result);
        const double seconds = now_s() - start;
        if (status != PIE_OK)
            return 5;
        printf(
            "%llu instructions %.3f s %.0f MIPS verdict %d exit %d signal %d startup %llu "
            "branches %llu syscalls %llu writes %llu peak %llu blocks %llu words %llu sum %016llx "
            "%s%s%s\n",
            (unsigned long long)result.instructions, seconds,
            (double)result.instructions / seconds / 1e6, result.verdict, result.exit_status,
            result.signal, (unsigned long long)result.startup_instructions,
            (unsigned long long)result.branches, (unsigned long long)result.syscalls,
            (unsigned long long)result.write_calls, (unsigned long long)result.peak_bytes,
            (unsigned long long)result.blocks, (unsigned long long)w.n_words,
            (unsigned long long)w.sum, result.reason, *result.function ? " in " : "",
            result.function);
        if (i == 0)
            printf("%.*s%.*s", (int)(result.output.n < 300 ? result.output.n : 300),
                   pie_buf_text(&result.output), (int)result.error_output.n,
                   pie_buf_text(&result.error_output));
        fflush(stdout);
        pie_guest_result_free(&result);
    }
    pie_buf_free(&input);
    close(fd);
    return 0;
}
