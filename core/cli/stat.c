/* stat.c - pie stat: like `perf stat`, on the simulated CPU. */
#include "cli/cli.h"

#include "base/file.h"
#include "cli/isolate.h"
#include "config/config.h"
#include "pipeline/build.h"
#include "pipeline/record.h"
#include "pipeline/simulate.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
    "usage: pie stat [OPTION]... PROGRAM [PROGRAM] [-- ARGS]\n"
    "\n"
    "Runs a C or C++ source or an ELF file on the simulated CPU and says where the cycles went.\n"
    "Two programs: both, and the ratio.\n"
    "\n"
    "  --uarch NAME      CPU model (default: as in an empty config; `pie plugin list` names them)\n"
    "  --compiler NAME   compiler plugin (default: gcc)\n"
    "  --flags \"...\"     compiler flags, separated by blanks (default: the plugin's)\n"
    "  --input FILE      standard input of the program; - reads pie's (default: pie's when it is "
    "a\n"
    "                    file, else empty)\n"
    "  --set PATH=VALUE  override one setting, e.g. --set limits.instructions=1000000\n"
    "  --show-output     print what the program prints\n"
    "  --json            one JSON object; everything outside \"host\" is deterministic\n"
    "\n"
    "exit status: 0 done, 1 a program failed, 2 wrong input, 4 something installed is missing\n";

enum { PROGRAMS_MAX = 2, INPUT_MAX_BYTES = 1 << 30, CLOCK_MHZ = 3500 };

typedef struct stat_command {
    const char *programs[PROGRAMS_MAX];
    size_t n_programs;
    const char *const *args;
    const char *input_path;
    const char **sets;
    bool json, show_output;
    /* filled in as it goes */
    pie_registry *registry;
    pie_config *config;
    pie_builder *builder;
    pie_simulator *simulator;
    char scratch[64];
    pie_buf input;
    pie_simulation runs[PROGRAMS_MAX];
    double wall_s[PROGRAMS_MAX];
} stat_command;

/* ---- program to ELF ---- */

static const char *language_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    static const char *const endings[] = {".cpp", ".cc", ".cxx", ".c++", ".C"};
    if (dot && strcmp(dot, ".c") == 0)
        return "c";
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (strcmp(dot, endings[i]) == 0)
            return "c++";
    return NULL;
}

static pie_status prepare_builder(stat_command *self)
{
    if (self->builder)
        return PIE_OK;
    const pie_settings *limits = pie_config_group(self->config, "limits");
    const pie_build_limits build_limits = {
        .memory_bytes = (uint64_t)pie_settings_int(limits, "compile_memory"),
        .output_bytes = (uint64_t)pie_settings_int(limits, "compile_output"),
        .seconds = pie_settings_float(limits, "compile_seconds"),
        .processes = 64};
    return pie_builder_new(pie_config_compiler(self->config), &build_limits, self->scratch,
                           &pie_log_stderr, &self->builder);
}

/* PIE_ERR_LIMIT: it does not compile; what the compiler said was printed. */
static pie_status compile_source(stat_command *self, const char *path, const char *language,
                                 int *ret_fd)
{
    pie_buf source = {0};
    pie_build build = {.elf_fd = -1};
    pie_status status = prepare_builder(self);
    if (status == PIE_OK)
        status = pie_file_read(path, 64 << 20, &pie_log_stderr, &source);
    if (status == PIE_OK)
        status = pie_builder_run(self->builder, pie_buf_text(&source), source.n, language,
                                 &pie_log_stderr, &build);
    if (status == PIE_OK && build.verdict != PIE_VERDICT_PASSED) {
        fwrite(pie_buf_text(&build.messages), 1, build.messages.n, stderr);
        pie_log_error(&pie_log_stderr, "%s: %s: %s", path, pie_verdict_name(build.verdict),
                      build.reason);
        status = PIE_ERR_LIMIT;
    }
    if (status == PIE_OK) {
        *ret_fd = build.elf_fd;
        build.elf_fd = -1;
    }
    pie_build_free(&build);
    pie_buf_free(&source);
    return status;
}

static pie_status open_program(stat_command *self, const char *path, int *ret_fd)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return pie_log_errno(&pie_log_stderr, path);
    char magic[4] = "";
    const ssize_t n = pread(fd, magic, sizeof magic, 0);
    if (n < 0) {
        const pie_status status = pie_log_errno(&pie_log_stderr, path);
        close(fd);
        return status;
    }
    if (n == (ssize_t)sizeof magic && memcmp(magic,
                                             "\x7f"
                                             "ELF",
                                             sizeof magic) == 0) {
        *ret_fd = fd;
        return PIE_OK;
    }
    close(fd);
    const char *language = language_of(path);
    if (!language) {
        pie_log_error(&pie_log_stderr,
                      "%s: neither an ELF file nor a source called *.c, *.cc or *.cpp", path);
        return PIE_ERR_CONFIG;
    }
    return compile_source(self, path, language, ret_fd);
}

/* ---- running ---- */

static pie_status read_input(stat_command *self)
{
    struct stat info;
    if (self->input_path && strcmp(self->input_path, "-") != 0)
        return pie_file_read(self->input_path, INPUT_MAX_BYTES, &pie_log_stderr, &self->input);
    if (self->input_path || (fstat(STDIN_FILENO, &info) == 0 && S_ISREG(info.st_mode)))
        return pie_file_read_fd(STDIN_FILENO, "standard input", INPUT_MAX_BYTES, &pie_log_stderr,
                                &self->input);
    return PIE_OK;
}

static pie_status run_program(stat_command *self, size_t i)
{
    int fd = -1;
    pie_status status = open_program(self, self->programs[i], &fd);
    if (status != PIE_OK)
        return status;
    const pie_settings *limits = pie_config_group(self->config, "limits");
    const pie_simulation_spec spec = {
        .program_fd = fd,
        .args = self->args,
        .input = pie_buf_text(&self->input),
        .input_bytes = self->input.n,
        .limits = {.instructions = (uint64_t)pie_settings_int(limits, "instructions"),
                   .memory_bytes = (uint64_t)pie_settings_int(limits, "memory"),
                   .stack_bytes = (uint64_t)pie_settings_int(limits, "stack"),
                   .output_bytes = (uint64_t)pie_settings_int(limits, "output")},
        .cycle_limit = UINT64_MAX};
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    status = pie_simulator_run(self->simulator, &spec, &pie_log_stderr, &self->runs[i]);
    clock_gettime(CLOCK_MONOTONIC, &end);
    close(fd);
    self->wall_s[i] =
        (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) * 1e-9;
    return status;
}

/* ---- printing ---- */

static uint64_t counter_of(const stat_command *self, const pie_simulation *run, const char *name)
{
    const pie_counter *counters = pie_simulator_counters(self->simulator);
    for (size_t i = 0; i < run->n_counters; i++)
        if (strcmp(counters[i].name, name) == 0)
            return run->counters[i];
    return 0;
}

static double per(double a, double b)
{
    return b > 0 ? a / b : 0.0;
}

/* Cycles, or seconds of a model that measures those. */
static double time_of(const pie_simulation *run)
{
    return run->seconds > 0 ? run->seconds : (double)run->cycles;
}

static double seconds_of(const pie_simulation *run)
{
    return run->seconds > 0 ? run->seconds : (double)run->cycles / (CLOCK_MHZ * 1e6);
}

static double mips_of(const stat_command *self, size_t i)
{
    return per((double)self->runs[i].guest.instructions * 1e-6, self->wall_s[i]);
}

static json_t *run_json(const stat_command *self, size_t i)
{
    static const char topdown_prefix[] = "topdown_";
    const pie_simulation *run = &self->runs[i];
    const pie_guest_result *guest = &run->guest;
    const pie_counter *counters = pie_simulator_counters(self->simulator);
    json_t *all = json_object(), *topdown = json_object(), *unknown = json_array();
    for (size_t c = 0; c < run->n_counters; c++) {
        const bool is_topdown =
            strncmp(counters[c].name, topdown_prefix, sizeof topdown_prefix - 1) == 0;
        json_object_set_new(is_topdown ? topdown : all,
                            counters[c].name + (is_topdown ? sizeof topdown_prefix - 1 : 0),
                            json_integer((json_int_t)run->counters[c]));
    }
    for (size_t f = 0; f < run->n_unknown_forms; f++)
        json_array_append_new(unknown, pie_json_text(run->unknown_forms[f]));
    return json_pack(
        "{s:o,s:s,s:s,s:I,s:I,s:I,s:f,s:f,s:{s:I,s:I},s:o,s:o,s:I,s:o,s:{s:s,s:i,s:i,s:s,s:s,s:I,s:"
        "I},"
        "s:{s:f,s:f}}",
        "program", pie_json_text(self->programs[i]), "uarch",
        pie_config_uarch(self->config)->info->id, "verdict", pie_verdict_name(guest->verdict),
        "cycles", (json_int_t)run->cycles, "instructions", (json_int_t)guest->instructions, "uops",
        (json_int_t)run->uops, "ipc", per((double)guest->instructions, (double)run->cycles),
        "seconds", seconds_of(run), "startup", "cycles", (json_int_t)run->startup_cycles,
        "instructions", (json_int_t)guest->startup_instructions, "counters", all, "topdown",
        topdown, "unknown_forms", (json_int_t)counter_of(self, run, "unknown_forms"),
        "unknown_form_names", unknown, "guest", "reason", guest->reason, "exit", guest->exit_status,
        "signal", guest->signal, "function", guest->function, "engine",
        pie_guest_engine_version(NULL), "peak_bytes", (json_int_t)guest->peak_bytes, "output_bytes",
        (json_int_t)guest->output.n, "host", "wall_s", self->wall_s[i], "mips", mips_of(self, i));
}

/* 1234567 as "1,234,567". */
static const char *grouped(uint64_t value, char text[32])
{
    char digits[24];
    const int n = snprintf(digits, sizeof digits, "%" PRIu64, value);
    int at = 0;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

static void print_run(const stat_command *self, size_t i, pie_buf *out)
{
    const pie_simulation *run = &self->runs[i];
    const pie_guest_result *guest = &run->guest;
    const pie_counter *counters = pie_simulator_counters(self->simulator);
    char number[32];
    pie_buf_printf(out, "\n %s on %s: %s%s%s\n\n", self->programs[i],
                   pie_config_uarch(self->config)->info->short_name,
                   pie_verdict_name(guest->verdict), guest->reason[0] ? ", " : "", guest->reason);
    pie_buf_printf(out, "%20s  %-18s %.6f s at %.1f GHz\n", grouped(run->cycles, number), "cycles",
                   seconds_of(run), CLOCK_MHZ * 1e-3);
    pie_buf_printf(out, "%20s  %-18s %.2f per cycle\n", grouped(guest->instructions, number),
                   "instructions", per((double)guest->instructions, (double)run->cycles));
    for (size_t c = 0; c < run->n_counters; c++)
        if (strcmp(counters[c].name, "cycles") != 0 &&
            strcmp(counters[c].name, "instructions") != 0)
            pie_buf_printf(out, "%20s  %-18s %s\n", grouped(run->counters[c], number),
                           counters[c].name, counters[c].help);
    if (run->startup_seen)
        pie_buf_printf(out, "%20s  %-18s %.1f %% of the cycles, before the first read of input\n",
                       grouped(run->startup_cycles, number), "start-up cycles",
                       100 * per((double)run->startup_cycles, (double)run->cycles));
    pie_buf_printf(out, "%20s  %-18s largest address space\n", grouped(guest->peak_bytes, number),
                   "bytes");
    for (size_t f = 0; f < run->n_unknown_forms; f++)
        pie_buf_printf(out, "%20s  timed by a fallback: %s\n", "", run->unknown_forms[f]);
    const char *limit = guest->verdict == PIE_VERDICT_INSTRUCTION_LIMIT ? "instructions"
                        : guest->verdict == PIE_VERDICT_MEMORY_LIMIT    ? "memory"
                        : guest->verdict == PIE_VERDICT_OUTPUT_LIMIT    ? "output"
                                                                        : NULL;
    if (limit)
        pie_buf_printf(out, "\n it reached limits.%s = %" PRId64 "; --set limits.%s=N changes it\n",
                       limit, pie_settings_int(pie_config_group(self->config, "limits"), limit),
                       limit);
    pie_buf_printf(out, "\n %.3f s on this machine, %.0f million instructions per second\n",
                   self->wall_s[i], mips_of(self, i));
}

/* A ratio of two programs means something only when both did their work. */
static bool is_comparable(const stat_command *self)
{
    return self->n_programs == 2 && self->runs[0].guest.verdict == PIE_VERDICT_PASSED &&
           self->runs[1].guest.verdict == PIE_VERDICT_PASSED;
}

static int print_all(const stat_command *self)
{
    const double ratio =
        is_comparable(self) ? per(time_of(&self->runs[0]), time_of(&self->runs[1])) : 0;
    if (self->json && self->n_programs == 1)
        return pie_cli_print_json(run_json(self, 0));
    if (self->json)
        return pie_cli_print_json(json_pack("{s:[o,o],s:o}", "programs", run_json(self, 0),
                                            run_json(self, 1), "speedup",
                                            is_comparable(self) ? json_real(ratio) : json_null()));
    pie_buf out = {0};
    for (size_t i = 0; i < self->n_programs; i++) {
        const pie_guest_result *guest = &self->runs[i].guest;
        if (self->show_output) {
            pie_buf_add(&out, guest->output.data, guest->output.n);
            pie_buf_add(&out, guest->error_output.data, guest->error_output.n);
        }
        print_run(self, i, &out);
    }
    if (is_comparable(self))
        pie_buf_printf(&out, "\n %.4f times as fast: %s against %s\n", ratio, self->programs[1],
                       self->programs[0]);
    else if (self->n_programs == 2)
        pie_buf_puts(&out, "\n no ratio: not both programs passed\n");
    pie_buf_puts(&out, "\n");
    const int code = pie_cli_print_bytes(pie_buf_text(&out), out.n);
    pie_buf_free(&out);
    return code;
}

/* ---- the command ---- */

static pie_status run_all(stat_command *self)
{
    const pie_config_source source = {.sets = self->sets};
    pie_status status = pie_cli_config(&source, &pie_log_stderr, &self->registry, &self->config);
    if (status == PIE_OK)
        status = read_input(self);
    if (status == PIE_OK && !pie_guest_engine_version(&pie_log_stderr))
        status = PIE_ERR_UNAVAILABLE;
    if (status == PIE_OK)
        status = pie_simulator_new(pie_config_uarch(self->config), self->scratch, &pie_log_stderr,
                                   &self->simulator);
    for (size_t i = 0; status == PIE_OK && i < self->n_programs; i++)
        status = run_program(self, i);
    return status;
}

/* In a child: it has compiler and CPU model in it. */
static int run_isolated(void *context)
{
    stat_command *self = context;
    const pie_status status = run_all(self);
    int code = status == PIE_ERR_LIMIT ? PIE_EXIT_FAILED : pie_exit_of(status);
    if (status == PIE_OK) {
        code = print_all(self);
        for (size_t i = 0; i < self->n_programs; i++)
            if (self->runs[i].guest.verdict == PIE_VERDICT_INFRA_ERROR)
                code = pie_exit_worse(code, PIE_EXIT_INSTALL);
            else if (self->runs[i].guest.verdict != PIE_VERDICT_PASSED)
                code = pie_exit_worse(code, PIE_EXIT_FAILED);
    }
    for (size_t i = 0; i < self->n_programs; i++)
        pie_simulation_free(&self->runs[i]);
    pie_buf_free(&self->input);
    pie_simulator_free(self->simulator);
    pie_builder_free(self->builder);
    pie_config_free(self->config);
    pie_registry_free(self->registry);
    return code;
}

/* compiler.flags=[...] from a line of flags. NULL = no memory. */
static char *flags_setting(const char *flags)
{
    pie_buf text = {0};
    pie_status status = pie_buf_puts(&text, "compiler.flags=[");
    for (const char *at = flags; status == PIE_OK && *(at += strspn(at, " \t\n"));) {
        const size_t n = strcspn(at, " \t\n");
        status = pie_buf_printf(&text, "%s\"", text.data[text.n - 1] == '[' ? "" : ",");
        for (size_t i = 0; status == PIE_OK && i < n; i++)
            status = pie_buf_printf(&text, at[i] == '"' || at[i] == '\\' ? "\\%c" : "%c", at[i]);
        if (status == PIE_OK)
            status = pie_buf_puts(&text, "\"");
        at += n;
    }
    if (status == PIE_OK)
        status = pie_buf_puts(&text, "]");
    if (status != PIE_OK) {
        pie_buf_free(&text);
        return NULL;
    }
    return pie_buf_steal(&text);
}

/* In the parent: a private scratch folder around the child's work. */
static int run_with_scratch(stat_command *self)
{
    const char *base = getenv("TMPDIR");
    const int n = snprintf(self->scratch, sizeof self->scratch, "%s/pie-XXXXXX",
                           base && base[0] == '/' && strlen(base) < 40 ? base : "/tmp");
    if (n < 0 || (size_t)n >= sizeof self->scratch || !mkdtemp(self->scratch))
        return pie_exit_of(pie_log_errno(&pie_log_stderr, self->scratch));
    const int code = pie_cli_isolated("the CPU model or compiler plugin", run_isolated, self);
    pie_folder_remove(self->scratch, &pie_log_stderr);
    return code;
}

static int parse(stat_command *self, int argc, char **argv, char **owned, size_t *n_owned)
{
    static const struct option longs[] = {{"uarch", required_argument, NULL, 'u'},
                                          {"compiler", required_argument, NULL, 'c'},
                                          {"flags", required_argument, NULL, 'f'},
                                          {"input", required_argument, NULL, 'i'},
                                          {"set", required_argument, NULL, 's'},
                                          {"show-output", no_argument, NULL, 'o'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    size_t n_sets = 0;
    for (int option; (option = getopt_long(argc, argv, "hi:", longs, NULL)) != -1;) {
        char *set = NULL;
        switch (option) {
        case 'u':
            set = pie_strf("uarch.plugin=\"%s\"", optarg);
            break;
        case 'c':
            set = pie_strf("compiler.plugin=\"%s\"", optarg);
            break;
        case 'f':
            set = flags_setting(optarg);
            break;
        case 'i':
            self->input_path = optarg;
            continue;
        case 's':
            self->sets[n_sets++] = optarg;
            continue;
        case 'o':
            self->show_output = true;
            continue;
        case 'j':
            self->json = true;
            continue;
        case 'h':
            return pie_cli_print(help);
        default:
            return PIE_EXIT_USER;
        }
        if (!set)
            return pie_exit_of(pie_log_nomem(&pie_log_stderr));
        self->sets[n_sets++] = owned[(*n_owned)++] = set;
    }
    for (int i = optind; i < argc; i++) {
        if (self->n_programs == PROGRAMS_MAX)
            return pie_cli_usage("stat", "takes one or two programs; arguments follow --");
        self->programs[self->n_programs++] = argv[i];
    }
    if (self->n_programs == 0)
        return pie_cli_usage("stat", "needs a source or an ELF file");
    return -1;
}

int pie_cli_stat(int argc, char **argv)
{
    /* What follows "--" is the guest's, whatever it looks like. */
    int n_own = 1;
    while (n_own < argc && strcmp(argv[n_own], "--") != 0)
        n_own++;
    stat_command self = {.args = n_own < argc ? (const char *const *)&argv[n_own + 1] : NULL};
    char **owned = calloc((size_t)argc + 1, sizeof *owned);
    self.sets = calloc((size_t)argc + 1, sizeof *self.sets);
    size_t n_owned = 0;
    int code = pie_exit_of(PIE_ERR_NOMEM);
    if (owned && self.sets) {
        char *saved = argv[n_own];
        argv[n_own] = NULL;
        code = parse(&self, n_own, argv, owned, &n_owned);
        argv[n_own] = saved;
    }
    if (code < 0)
        code = run_with_scratch(&self);
    for (size_t i = 0; i < n_owned; i++)
        free(owned[i]);
    free(owned);
    free(self.sets);
    return code;
}
