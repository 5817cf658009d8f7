/* try.c - pie try SLOW.cpp --tests DIR: one program the whole way, without JSONL. Writes the
 * one-row dataset that `run` would read into a temporary folder and goes the ordinary way. */
#include "cli/cli.h"

#include "base/file.h"
#include "cli/evaluate.h"
#include "pie/abi_check.h"

#include <dirent.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: pie try SLOW --tests DIR [--candidate FILE]... [--config CONFIG] [OPTION]...\n"
    "\n"
    "One program the whole way. DIR holds input.<N>.txt and output.<N>.txt. Prints a line per "
    "program;\n"
    "with --out, `pie show RUN NAME-OF-DIR` says more.\n"
    "\n"
    "  --candidate FILE  a faster program to measure; may be given several times, in order\n"
    "  --config CONFIG   settings, and the backend that is asked when there is no --candidate\n"
    "  --set PATH=VALUE  override one setting\n"
    "  --out RUN         keep the run folder; the same command again goes on there\n"
    "  --json            print the report as JSON\n"
    "  --quiet           no progress line\n"
    "\n"
    "exit status: as of `pie run`; 1 when the slow program itself does not pass its tests\n";

enum { SOURCE_MAX_BYTES = 16 << 20 };

typedef struct try_command {
    const char *slow, *tests, *config, *out;
    const char **candidates, **sets;
    size_t n_candidates, n_sets;
    char *owned[9]; /* --set texts made here */
    size_t n_owned;
    bool json, quiet;
    char folder[64]; /* temporary */
} try_command;

/* Numbers of the tests in the folder, ascending. New reference. */
static json_t *list_tests(const char *folder_path)
{
    DIR *folder = opendir(folder_path);
    if (!folder) {
        pie_log_errno(&pie_log_stderr, folder_path);
        return NULL;
    }
    json_t *numbers = json_array();
    for (const struct dirent *entry; numbers && (entry = readdir(folder));) {
        char text[32] = "";
        int64_t number = 0;
        int end = 0;
        if (sscanf(entry->d_name, "input.%18[0-9].txt%n", text, &end) != 1 ||
            end != (int)strlen(entry->d_name) || !pie_cli_number(text, &number))
            continue;
        size_t at = 0;
        while (at < json_array_size(numbers) &&
               json_integer_value(json_array_get(numbers, at)) < number)
            at++;
        json_array_insert_new(numbers, at, json_integer((json_int_t)number));
    }
    closedir(folder);
    if (json_array_size(numbers) == 0) {
        pie_log_error(&pie_log_stderr, "%s: no tests; it needs input.0.txt, output.0.txt, ..",
                      folder_path);
        json_decref(numbers);
        return NULL;
    }
    return numbers;
}

static pie_status read_source(const char *path, json_t **ret_text)
{
    pie_buf text = {0};
    pie_status status = pie_file_read(path, SOURCE_MAX_BYTES, &pie_log_stderr, &text);
    if (status == PIE_OK) {
        *ret_text = json_stringn(pie_buf_text(&text), text.n);
        if (!*ret_text) {
            pie_log_error(&pie_log_stderr, "%s: not UTF-8 text", path);
            status = PIE_ERR_CONFIG;
        }
    }
    pie_buf_free(&text);
    return status;
}

static pie_status write_row(const try_command *self, const char *name, json_t *row)
{
    char *path = pie_path_join(self->folder, name);
    char *text = row ? json_dumps(row, JSON_COMPACT) : NULL;
    json_decref(row);
    const pie_status status = path && text
                                  ? pie_file_replace(path, text, strlen(text), &pie_log_stderr)
                                  : pie_log_nomem(&pie_log_stderr);
    free(path);
    free(text);
    return status;
}

static pie_status add_set(try_command *self, char *set)
{
    if (!set)
        return pie_log_nomem(&pie_log_stderr);
    self->sets[self->n_sets++] = self->owned[self->n_owned++] = set;
    return PIE_OK;
}

/* Paths go through JSON quoting, which libconfig's strings share for what can stand in a path. */
static char *path_set(const char *key, const char *folder, const char *name)
{
    char *path = name ? pie_path_join(folder, name) : strdup(folder);
    json_t *string = path ? json_string(path) : NULL;
    char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    char *set = quoted ? pie_strf("%s=%s", key, quoted) : NULL;
    free(path);
    free(quoted);
    json_decref(string);
    return set;
}

static pie_status write_dataset(try_command *self)
{
    char *tests = realpath(self->tests, NULL);
    if (!tests)
        return pie_log_errno(&pie_log_stderr, self->tests);
    if (pie_utf8_span(tests, strlen(tests)) != strlen(tests)) {
        pie_log_error(&pie_log_stderr, "%s: a path that is not UTF-8; give it another name", tests);
        free(tests);
        return PIE_ERR_CONFIG;
    }
    char *slash = strrchr(tests, '/');
    const char *problem_id = slash + 1;
    json_t *numbers = NULL, *source = NULL, *answers = json_array();
    pie_status status = answers ? PIE_OK : pie_log_nomem(&pie_log_stderr);
    if (status == PIE_OK && !(numbers = list_tests(tests)))
        status = PIE_ERR_CONFIG;
    if (status == PIE_OK)
        status = read_source(self->slow, &source);
    for (size_t i = 0; status == PIE_OK && i < self->n_candidates; i++) {
        json_t *answer = NULL;
        status = read_source(self->candidates[i], &answer);
        if (status == PIE_OK)
            json_array_append_new(answers, answer);
    }
    const char *dot = strrchr(self->slow, '.');
    bool has_language = false;
    for (size_t k = 0; k < self->n_sets; k++)
        has_language |=
            strncmp(self->sets[k], "compiler.language", strlen("compiler.language")) == 0;
    if (status == PIE_OK && !has_language) /* by its name, as `pie stat` does */
        status = add_set(self, strdup("compiler.language=\"row\""));
    if (status == PIE_OK)
        status =
            write_row(self, "problems.jsonl",
                      json_pack("{s:s,s:s,s:s,s:O,s:O}", "problem_id", problem_id, "src_id", "slow",
                                "language", dot && strcmp(dot, ".c") == 0 ? "C" : "C++", "src_code",
                                source, "tests", numbers));
    if (status == PIE_OK && self->n_candidates > 0)
        status = write_row(self, "answers.jsonl",
                           json_pack("{s:s,s:s,s:O}", "problem_id", problem_id, "src_id", "slow",
                                     "generated_answers", answers));
    *slash = '\0';
    if (status == PIE_OK)
        status = add_set(self, path_set("dataset.path", self->folder, "problems.jsonl"));
    if (status == PIE_OK)
        status = add_set(self, path_set("dataset.tests", *tests ? tests : "/", NULL));
    if (status == PIE_OK && self->n_candidates > 0) {
        status = add_set(self, strdup("backend.plugin=\"replay\""));
        if (status == PIE_OK)
            status = add_set(self, path_set("backend.path", self->folder, "answers.jsonl"));
        if (status == PIE_OK)
            status = add_set(self, pie_strf("backend.samples=%zu", self->n_candidates));
    }
    json_decref(numbers);
    json_decref(source);
    json_decref(answers);
    free(tests);
    return status;
}

/* What `pie show` says: a line per program. */
static int show_programs(const char *run, const char *tests)
{
    char *folder = realpath(tests, NULL);
    if (!folder)
        return pie_exit_of(pie_log_errno(&pie_log_stderr, tests));
    char name[] = "show", *run_copy = strdup(run);
    char *argv[] = {name, run_copy, strrchr(folder, '/') + 1, NULL};
    optind = 0; /* getopt starts anew */
    const int code = run_copy ? pie_cli_show(3, argv) : pie_exit_of(pie_log_nomem(&pie_log_stderr));
    free(run_copy);
    free(folder);
    return code;
}

static int measure(try_command *self, const char *run)
{
    const pie_config_source source = {
        .path = self->config, .sets = self->sets, .need_backend = true, .need_dataset = true};
    const pie_run_options options = {.out = run, .limit = -1, .progress = !self->quiet};
    pie_run_summary summary = {0};
    int code =
        pie_evaluate(&source, &options, self->json ? PIE_PRINT_JSON : PIE_PRINT_NOTHING, &summary);
    const bool measured = code == PIE_EXIT_DONE || code == PIE_EXIT_INCOMPLETE;
    if (measured && !self->json)
        code = pie_exit_worse(code, show_programs(run, self->tests));
    if (measured && !summary.baseline_passed) {
        pie_log_error(&pie_log_stderr, "%s does not pass its own tests, so nothing can be compared",
                      self->slow);
        code = pie_exit_worse(code, PIE_EXIT_FAILED);
    }
    return code;
}

static int try_it(try_command *self)
{
    const char *base = getenv("TMPDIR");
    snprintf(self->folder, sizeof self->folder, "%s/pie-try-XXXXXX",
             base && base[0] == '/' && strlen(base) < 40 ? base : "/tmp");
    if (!mkdtemp(self->folder))
        return pie_exit_of(pie_log_errno(&pie_log_stderr, self->folder));
    char *run = self->out ? strdup(self->out) : pie_path_join(self->folder, "run");
    const pie_status status = run ? write_dataset(self) : pie_log_nomem(&pie_log_stderr);
    const int code = status == PIE_OK ? measure(self, run) : pie_exit_of(status);
    free(run);
    pie_folder_remove(self->folder, &pie_log_stderr);
    return code;
}

int pie_cli_try(int argc, char **argv)
{
    static const struct option longs[] = {{"tests", required_argument, NULL, 't'},
                                          {"candidate", required_argument, NULL, 'c'},
                                          {"config", required_argument, NULL, 'f'},
                                          {"set", required_argument, NULL, 's'},
                                          {"out", required_argument, NULL, 'o'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    try_command self = {0};
    self.candidates = calloc((size_t)argc + 1, sizeof *self.candidates);
    self.sets =
        calloc((size_t)argc + 1 + sizeof self.owned / sizeof *self.owned, sizeof *self.sets);
    if (!self.candidates || !self.sets) {
        free(self.candidates);
        free(self.sets);
        return pie_exit_of(pie_log_nomem(&pie_log_stderr));
    }
    int code = -1;
    for (int option; code < 0 && (option = getopt_long(argc, argv, "ho:", longs, NULL)) != -1;) {
        switch (option) {
        case 't':
            self.tests = optarg;
            break;
        case 'c':
            self.candidates[self.n_candidates++] = optarg;
            break;
        case 'f':
            self.config = optarg;
            break;
        case 's':
            self.sets[self.n_sets++] = optarg;
            break;
        case 'o':
            self.out = optarg;
            break;
        case 'j':
            self.json = true;
            break;
        case 'q':
            self.quiet = true;
            break;
        case 'h':
            code = pie_cli_print(help);
            break;
        default:
            code = PIE_EXIT_USER;
        }
    }
    if (code < 0 && argc - optind != 1)
        code = pie_cli_usage("try", "needs one SLOW program");
    if (code < 0 && !self.tests)
        code = pie_cli_usage("try", "needs --tests DIR");
    if (code < 0 && self.n_candidates == 0 && !self.config)
        code = pie_cli_usage("try", "needs --candidate FILE, or --config CONFIG with a backend");
    if (code < 0) {
        self.slow = argv[optind];
        code = try_it(&self);
    }
    for (size_t i = 0; i < self.n_owned; i++)
        free(self.owned[i]);
    free(self.candidates);
    free(self.sets);
    return code;
}
