/* stat.c - pie stat: like `perf stat`, on the simulated CPU. */
#include "cli/cli.h"

#include "base/file.h"
#include "cli/annotate.h"
#include "cli/explain.h"
#include "cli/isolate.h"
#include "config/config.h"
#include "pipeline/build.h"
#include "pipeline/record.h"
#include "pipeline/simulate.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
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
    "Two programs: side by side, and the ratio.\n"
    "\n"
    "  --uarch NAME      CPU model (default: as in an empty config; `pie plugin list` names them)\n"
    "  --compiler NAME   compiler plugin (default: gcc)\n"
    "  --flags \"...\"     compiler flags, separated by blanks (default: the plugin's)\n"
    "  --input FILE      standard input of the program; - reads pie's (default: pie's when it is\n"
    "                    a file, else empty)\n"
    "  --profile         the hottest functions and basic blocks too; takes longer\n"
    "  --top N           that many of them, 0 = all (default: 5); implies --profile\n"
    "  --annotate[=NAME] a function instruction by instruction: the hottest, or by name or\n"
    "                    address; implies --profile\n"
    "  --set PATH=VALUE  override one setting, e.g. --set limits.instructions=1000000\n"
    "  --show-output     print what the program prints\n"
    "  --json            one JSON object; everything outside \"host\" is deterministic\n"
    "\n"
    "exit status: 0 done, 1 a program failed, 2 wrong input, 4 something installed is missing\n";

enum { PROGRAMS_MAX = 2, INPUT_MAX_BYTES = 1 << 30, ELF_MAX_BYTES = 1 << 30, TOP_DEFAULT = 5 };

typedef struct stat_command {
    const char *programs[PROGRAMS_MAX];
    size_t n_programs;
    const char *const *args;
    const char *input_path;
    const char **sets;
    bool json, show_output;
    pie_explain_options explain;
    /* filled in as it goes */
    pie_registry *registry;
    pie_config *config;
    pie_builder *builder;
    pie_simulator *simulator;
    char scratch[64];
    pie_buf input;
    pie_stat_run runs[PROGRAMS_MAX];
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

/* The profile needs the program's own bytes, for its symbols. */
static pie_status begin_profile(const stat_command *self, int fd, pie_stat_run *run)
{
    pie_buf elf = {0};
    if (!self->explain.profile)
        return PIE_OK;
    pie_status status = pie_file_read_fd(fd, run->program, ELF_MAX_BYTES, &pie_log_stderr, &elf);
    if (status == PIE_OK)
        status = pie_profile_init(&run->profile, &elf, &pie_log_stderr);
    pie_buf_free(&elf);
    return status;
}

static pie_status run_program(stat_command *self, size_t i)
{
    pie_stat_run *run = &self->runs[i];
    int fd = -1;
    run->program = self->programs[i];
    run->uarch = pie_config_uarch(self->config)->info;
    run->counters = pie_simulator_counters(self->simulator);
    pie_status status = open_program(self, run->program, &fd);
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
        .cycle_limit = UINT64_MAX,
        .profile = self->explain.profile,
        .visit = pie_profile_visit,
        .context = &run->profile};
    struct timespec start, end;
    status = begin_profile(self, fd, run);
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (status == PIE_OK)
        status = pie_simulator_run(self->simulator, &spec, &pie_log_stderr, &run->simulation);
    clock_gettime(CLOCK_MONOTONIC, &end);
    close(fd);
    run->wall_s =
        (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) * 1e-9;
    if (status == PIE_OK && self->explain.profile)
        status = pie_profile_finish(&run->profile, &pie_log_stderr);
    return status;
}

/* ---- printing ---- */

static int print_json(const stat_command *self)
{
    json_t *first = pie_explain_json(&self->runs[0], &self->explain);
    if (self->n_programs == 1)
        return pie_cli_print_json(first);
    const double speedup = pie_explain_speedup(self->runs);
    return pie_cli_print_json(json_pack("{s:[o,o],s:o}", "programs", first,
                                        pie_explain_json(&self->runs[1], &self->explain), "speedup",
                                        speedup > 0 ? json_real(speedup) : json_null()));
}

/* What a run that ended at a limit says about it. */
static void print_limit(const stat_command *self, const pie_stat_run *run, FILE *out)
{
    const int32_t verdict = run->simulation.guest.verdict;
    const char *limit = verdict == PIE_VERDICT_INSTRUCTION_LIMIT ? "instructions"
                        : verdict == PIE_VERDICT_MEMORY_LIMIT    ? "memory"
                        : verdict == PIE_VERDICT_OUTPUT_LIMIT    ? "output"
                                                                 : NULL;
    if (limit)
        fprintf(out, "\n %s reached limits.%s = %lld; --set limits.%s=N changes it\n", run->program,
                limit, (long long)pie_settings_int(pie_config_group(self->config, "limits"), limit),
                limit);
}

static void print_text(const stat_command *self, FILE *out)
{
    for (size_t i = 0; self->show_output && i < self->n_programs; i++) {
        const pie_guest_result *guest = &self->runs[i].simulation.guest;
        fwrite(pie_buf_text(&guest->output), 1, guest->output.n, out);
        fwrite(pie_buf_text(&guest->error_output), 1, guest->error_output.n, out);
    }
    pie_explain_print(self->runs, self->n_programs, &self->explain, out);
    for (size_t i = 0; i < self->n_programs; i++)
        print_limit(self, &self->runs[i], out);
    if (self->n_programs == 2) {
        const double speedup = pie_explain_speedup(self->runs);
        if (speedup > 0)
            fprintf(out, "\n %s is %.4f times as fast as %s\n", self->programs[1], speedup,
                    self->programs[0]);
        else
            fputs("\n no ratio: not both programs passed\n", out);
    }
    fputs("\n", out);
}

static int print_all(const stat_command *self)
{
    char *text = NULL;
    size_t n = 0;
    if (self->json)
        return print_json(self);
    FILE *out = open_memstream(&text, &n);
    if (!out)
        return pie_exit_of(pie_log_nomem(&pie_log_stderr));
    print_text(self, out);
    const bool is_whole = !ferror(out);
    const int code = fclose(out) == 0 && is_whole ? pie_cli_print_bytes(text, n)
                                                  : pie_exit_of(pie_log_nomem(&pie_log_stderr));
    free(text);
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
    if (status == PIE_OK && self->explain.profile && !pie_simulator_has_profile(self->simulator)) {
        pie_log_error(
            &pie_log_stderr,
            "CPU model %s keeps no profile: leave out --profile, --top and --annotate, or "
            "choose another with --uarch",
            pie_config_uarch(self->config)->info->id);
        status = PIE_ERR_CONFIG;
    }
    for (size_t i = 0; status == PIE_OK && i < self->n_programs; i++)
        status = run_program(self, i);
    return status;
}

/* The code to annotate must have run in one program at least. */
static int check_symbol(const stat_command *self)
{
    if (!self->explain.symbol)
        return PIE_EXIT_DONE;
    for (size_t i = 0; i < self->n_programs; i++)
        if (pie_annotate_find(&self->runs[i].profile, self->explain.symbol))
            return PIE_EXIT_DONE;
    pie_log_error(&pie_log_stderr,
                  "--annotate=%s: no function of that name was executed; --top 0 lists those that "
                  "were",
                  self->explain.symbol);
    return PIE_EXIT_USER;
}

/* In a child: it has compiler and CPU model in it. */
static int run_isolated(void *context)
{
    stat_command *self = context;
    const pie_status status = run_all(self);
    int code = status == PIE_ERR_LIMIT ? PIE_EXIT_FAILED : pie_exit_of(status);
    if (status == PIE_OK) {
        code = pie_exit_worse(print_all(self), check_symbol(self));
        for (size_t i = 0; i < self->n_programs; i++)
            if (self->runs[i].simulation.guest.verdict == PIE_VERDICT_INFRA_ERROR)
                code = pie_exit_worse(code, PIE_EXIT_INSTALL);
            else if (self->runs[i].simulation.guest.verdict != PIE_VERDICT_PASSED)
                code = pie_exit_worse(code, PIE_EXIT_FAILED);
    }
    for (size_t i = 0; i < self->n_programs; i++) {
        pie_simulation_free(&self->runs[i].simulation);
        pie_profile_free(&self->runs[i].profile);
    }
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
    static const struct option longs[] = {
        {"uarch", required_argument, NULL, 'u'}, {"compiler", required_argument, NULL, 'c'},
        {"flags", required_argument, NULL, 'f'}, {"input", required_argument, NULL, 'i'},
        {"set", required_argument, NULL, 's'},   {"profile", no_argument, NULL, 'p'},
        {"top", required_argument, NULL, 't'},   {"annotate", optional_argument, NULL, 'a'},
        {"show-output", no_argument, NULL, 'o'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0}};
    size_t n_sets = 0;
    int64_t top = 0;
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
        case 't':
            if (!pie_cli_number(optarg, &top))
                return pie_cli_usage("stat", "--top takes a whole number, not '%s'", optarg);
            self->explain.top = (size_t)top;
            self->explain.profile = true;
            continue;
        case 'a':
            self->explain.annotate = true;
            self->explain.symbol = optarg;
            self->explain.profile = true;
            continue;
        case 'p':
            self->explain.profile = true;
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
    stat_command self = {.args = n_own < argc ? (const char *const *)&argv[n_own + 1] : NULL,
                         .explain = {.top = TOP_DEFAULT}};
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
