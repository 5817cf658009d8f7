/* model.c - how fast a CPU model takes a stream: `model UARCH PROGRAM [INPUT [MILLIONS [SKIP]]]`.
 * The first MILLIONS (20) of millions of instructions of the ELF file PROGRAM behind SKIP (0) are
 * recorded in memory, then taken by fresh instances of the model, five times; user time of the
 * best. No guest runs while it is measured. */
#include "base/file.h"
#include "config/values.h"
#include "registry/registry.h"
#include "trace/guest.h"

#include "pie/trace.h"
#include "pie/uarch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct tape {
    uint64_t *words;
    size_t n, capacity;
    uint64_t seen, from, limit; /* instructions, about */
    uint64_t insns_of[1 << 20]; /* by block id */
} tape;

static pie_status record(void *context, const uint64_t *words, size_t n_words, int32_t *ret_want)
{
    tape *to = context;
    for (size_t at = 0; at < n_words; at += pie_record_words(words[at])) {
        const uint64_t *record = words + at;
        const uint32_t id = pie_record_argument(record[0]) & ((1 << 20) - 1);
        const bool describes = pie_record_kind(record[0]) == PIE_RECORD_DESCRIBE;
        if (describes)
            to->insns_of[id] = ((const pie_block *)(const void *)(record + 1))->n_insns;
        else if (pie_record_kind(record[0]) == PIE_RECORD_BLOCK)
            to->seen += to->insns_of[id];
        if (!describes && to->seen < to->from)
            continue;
        const size_t n = pie_record_words(record[0]);
        if (to->n + n > to->capacity) {
            const size_t capacity = 2 * (to->n + n) + 4096;
            uint64_t *more = realloc(to->words, capacity * sizeof *more);
            if (!more)
                return PIE_ERR_NOMEM;
            to->words = more;
            to->capacity = capacity;
        }
        memcpy(to->words + to->n, record, n * sizeof *record);
        to->n += n;
    }
    *ret_want = to->seen >= to->limit ? PIE_SINK_STOP : PIE_SINK_CONTINUE;
    return PIE_OK;
}

static double user_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec * 1e-6;
}

static pie_status run(const pie_uarch_trace_ops *ops, const pie_host *host, const char *folder,
                      const tape *from)
{
    enum { RUNS = 5, BATCH = 1 << 14 };
    double best = 0;
    pie_uarch_mark mark = {0};
    for (int i = 0; i < RUNS; i++) {
        const pie_uarch_setup setup = {.isa = PIE_ISA_X86_64, .folder = folder};
        void *model = NULL;
        pie_status status = ops->create(host, &setup, &model);
        if (status != PIE_OK)
            return status;
        const double start = user_seconds();
        for (size_t at = 0; at < from->n && status == PIE_OK;) {
            size_t n = 0, used = 0;
            int32_t reason;
            while (at + n < from->n && n < BATCH)
                n += pie_record_words(from->words[at + n]);
            status = ops->consume(model, from->words + at, n, UINT64_MAX, &used, &reason);
            at += n;
        }
        const double seconds = user_seconds() - start;
        if (i == 0 || seconds < best)
            best = seconds;
        ops->mark(model, &mark);
        ops->destroy(model);
        if (status != PIE_OK)
            return status;
    }
    printf("%llu instructions, %llu cycles, %.3f s, %.1f million instructions per second, %.1f ns "
           "each\n",
           (unsigned long long)mark.instructions, (unsigned long long)mark.cycles, best,
           (double)mark.instructions / best / 1e6, best * 1e9 / (double)mark.instructions);
    return PIE_OK;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("usage: model UARCH PROGRAM [INPUT [MILLIONS [SKIP]]]\n", stderr);
        return 2;
    }
    pie_registry *registry = NULL;
    const pie_plugin_info *info = NULL;
    const pie_plugin *plugin = NULL;
    pie_settings *settings = NULL;
    pie_host *host = NULL;
    pie_buf input = {0};
    static tape recorded;
    recorded.from = (uint64_t)(argc > 5 ? atoi(argv[5]) : 0) * 1000000;
    recorded.limit = recorded.from + (uint64_t)(argc > 4 ? atoi(argv[4]) : 20) * 1000000;
    const int program = open(argv[2], O_RDONLY | O_CLOEXEC);
    pie_status status = program < 0 ? pie_log_errno(&pie_log_stderr, argv[2]) : PIE_OK;
    if (status == PIE_OK && argc > 3)
        status = pie_file_read(argv[3], 1 << 30, &pie_log_stderr, &input);
    if (status == PIE_OK)
        status = pie_registry_new(&pie_log_stderr, &registry);
    if (status == PIE_OK)
        status = pie_registry_add_folder(registry, PIE_BUILD "/plugins", true);
    if (status == PIE_OK)
        status = pie_registry_scan(registry);
    if (status == PIE_OK)
        status = pie_registry_find(registry, PIE_KIND_UARCH, argv[1], NULL, &info);
    if (status == PIE_OK)
        status = pie_plugin_open(info, &pie_log_stderr, &plugin);
    if (status == PIE_OK)
        status = pie_settings_new(info->options, "", &settings);
    if (status == PIE_OK)
        status = pie_host_new(settings, argv[1], &pie_log_stderr, &host);
    const pie_trace_sink sink = {&recorded, record};
    const pie_guest_spec spec = {.program_fd = program,
                                 .input = pie_buf_text(&input),
                                 .input_bytes = input.n,
                                 .limits = {.memory_bytes = UINT64_C(1) << 30,
                                            .stack_bytes = 64 << 20,
                                            .output_bytes = 64 << 20},
                                 .sink = &sink};
    pie_guest_result result;
    if (status == PIE_OK)
        status = pie_guest_run(&spec, &pie_log_stderr, &result);
    if (status == PIE_OK) {
        pie_guest_result_free(&result);
        const pie_uarch_ops *ops = plugin->ops;
        status = run(ops->trace, host, info->folder, &recorded);
    }
    free(recorded.words);
    pie_buf_free(&input);
    pie_host_free(host);
    pie_settings_free(settings);
    pie_registry_free(registry);
    return status == PIE_OK ? 0 : 1;
}
