/* throughput.c - pie throughput: steady-state cycles of basic blocks, one hex string a line. */
#include "cli/cli.h"

#include "base/file.h"
#include "cli/isolate.h"
#include "pipeline/record.h"
#include "throughput/throughput.h"
#include "trace/guest.h"

#include <ctype.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: pie throughput [OPTION]... [FILE]\n"
    "\n"
    "Cycles that each basic block takes in steady state on the simulated CPU. FILE (default:\n"
    "standard input) has machine code in hex, a block a line; further columns, and what follows\n"
    "a #, are ignored. A first line that names its columns, one of them `hex`, is understood.\n"
    "Prints HEX<TAB>CYCLES in the order of the input, with a third column where the figure is\n"
    "worth less: `static` (not executed; addresses as at the start) or `fallback` (an instruction\n"
    "form that the CPU model does not know).\n"
    "\n"
    "  --uarch NAME      CPU model (default: as in an empty config; `pie plugin list` names them)\n"
    "  --loop            each block ends in a branch to its own start (default: copies of it are\n"
    "                    run back to back)\n"
    "  --column N        the hex stands in column N, from 1\n"
    "  --set PATH=VALUE  override one setting, e.g. --set uarch.idq=64\n"
    "  --json            one JSON object, with the reason where a block could not be executed\n"
    "\n"
    "exit status: 0 done, 2 wrong input, 4 something installed is missing, 5 no block\n";

enum { INPUT_MAX_BYTES = 1 << 30, BLOCKS_MAX = 10000000 };

typedef struct throughput_command {
    const char *path; /* NULL: standard input */
    const char **sets;
    int64_t column; /* from 1; 0 = not given */
    bool loop, json;
    pie_buf text, code;
    char **hex; /* [n_blocks], in @text */
    pie_throughput_block *blocks;
    size_t n_blocks, capacity;
    size_t n_shown; /* blocks reported as done */
    pie_registry *registry;
    pie_config *config;
} throughput_command;

/* ---- input ---- */

static const char *input_name(const throughput_command *self)
{
    return self->path ? self->path : "standard input";
}

/* Field @n of @line, from 0, fields being separated by blanks; NULL: there are not so many. Ends it
 * with a zero; what follows is lost. */
static char *field(char *line, size_t n)
{
    static const char blanks[] = " \t\r";
    char *at = line + strspn(line, blanks);
    for (; n > 0 && *at; n--) {
        at += strcspn(at, blanks);
        at += strspn(at, blanks);
    }
    at[strcspn(at, blanks)] = '\0';
    return *at ? at : NULL;
}

/* A header names its columns: *@ret_column is that of the hex. */
static bool is_header(const char *line, size_t *ret_column)
{
    size_t column = 0;
    for (const char *at = line + strspn(line, " \t"); *at; column++) {
        const size_t n = strcspn(at, " \t\r");
        if (n == 3 && memcmp(at, "hex", 3) == 0) {
            *ret_column = column;
            return true;
        }
        at += n;
        at += strspn(at, " \t\r");
    }
    return false;
}

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* What is wrong with @hex as a block; NULL: nothing, its bytes are appended to @code. */
static const char *parse_hex(const char *hex, pie_buf *code, pie_status *ret_status)
{
    const size_t n = strlen(hex);
    for (size_t i = 0; i < n; i++)
        if (digit(hex[i]) < 0)
            return "is not hex; --column N says where it stands";
    if (n % 2 != 0)
        return "has an odd number of digits";
    if (n / 2 > PIE_THROUGHPUT_MAX_BYTES)
        return "is longer than 4096 bytes";
    for (size_t i = 0; i < n && *ret_status == PIE_OK; i += 2) {
        const uint8_t byte = (uint8_t)(digit(hex[i]) * 16 + digit(hex[i + 1]));
        *ret_status = pie_buf_add(code, &byte, 1);
    }
    return NULL;
}

static pie_status add_block(throughput_command *self, char *hex)
{
    if (self->n_blocks == self->capacity) {
        const size_t capacity = self->capacity ? self->capacity * 2 : 1024;
        char **all = realloc(self->hex, capacity * sizeof *all);
        if (!all)
            return PIE_ERR_NOMEM;
        self->hex = all;
        self->capacity = capacity;
    }
    self->hex[self->n_blocks++] = hex;
    return PIE_OK;
}

/* Every bad line is named, up to a few. */
static pie_status parse_lines(throughput_command *self)
{
    size_t column = self->column ? (size_t)self->column - 1 : 0, n_line = 0, n_bad = 0;
    bool may_be_header = true;
    pie_status status = PIE_OK;
    char *next = self->text.data;
    while (next && status == PIE_OK) {
        char *line = next;
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        n_line++;
        line[strcspn(line, "#")] = '\0';
        if (line[strspn(line, " \t\r")] == '\0')
            continue;
        size_t named = column;
        if (may_be_header && is_header(line, &named)) {
            column = self->column ? column : named;
            may_be_header = false;
            continue;
        }
        may_be_header = false;
        char *hex = field(line, column);
        const char *fault = hex ? parse_hex(hex, &self->code, &status) : "is missing";
        if (fault && ++n_bad <= 10)
            pie_log_error(&pie_log_stderr, "%s:%zu: the code '%.40s' in column %zu %s",
                          input_name(self), n_line, hex ? hex : "", column + 1, fault);
        if (!fault && status == PIE_OK)
            status = add_block(self, hex);
    }
    if (status == PIE_ERR_NOMEM)
        return pie_log_nomem(&pie_log_stderr);
    return n_bad ? PIE_ERR_CONFIG : status;
}

static pie_status read_blocks(throughput_command *self)
{
    pie_status status =
        self->path && strcmp(self->path, "-") != 0
            ? pie_file_read(self->path, INPUT_MAX_BYTES, &pie_log_stderr, &self->text)
            : pie_file_read_fd(STDIN_FILENO, "standard input", INPUT_MAX_BYTES, &pie_log_stderr,
                               &self->text);
    if (status == PIE_OK && self->text.n && strlen(self->text.data) != self->text.n) {
        pie_log_error(&pie_log_stderr, "%s: holds zero bytes; it is no text", input_name(self));
        status = PIE_ERR_CONFIG;
    }
    if (status == PIE_OK)
        status = parse_lines(self);
    if (status != PIE_OK)
        return status;
    self->blocks = calloc(self->n_blocks + 1, sizeof *self->blocks);
    if (!self->blocks)
        return pie_log_nomem(&pie_log_stderr);
    const uint8_t *code = (const uint8_t *)pie_buf_text(&self->code);
    for (size_t i = 0; i < self->n_blocks; i++) {
        const size_t n = strlen(self->hex[i]) / 2;
        self->blocks[i].bytes = code;
        self->blocks[i].n_bytes = n;
        code += n;
    }
    return PIE_OK;
}

/* ---- output ---- */

static void show_progress(void *context, size_t n_done)
{
    throughput_command *self = context;
    if (n_done < self->n_blocks && n_done < self->n_shown + 100)
        return;
    self->n_shown = n_done;
    fprintf(stderr, "\r%zu of %zu blocks%s", n_done, self->n_blocks,
            n_done == self->n_blocks ? "\n" : "");
}

static int print_text(const throughput_command *self)
{
    pie_buf out = {0};
    pie_status status = PIE_OK;
    for (size_t i = 0; status == PIE_OK && i < self->n_blocks; i++) {
        const pie_throughput_block *block = &self->blocks[i];
        status = pie_buf_printf(&out, "%s\t%.2f%s\n", self->hex[i], block->cycles,
                                !block->executed     ? "\tstatic"
                                : block->n_fallbacks ? "\tfallback"
                                                     : "");
    }
    const int code = status == PIE_OK ? pie_cli_print_bytes(pie_buf_text(&out), out.n)
                                      : pie_exit_of(pie_log_nomem(&pie_log_stderr));
    pie_buf_free(&out);
    return code;
}

static int print_json(const throughput_command *self)
{
    json_t *blocks = json_array();
    for (size_t i = 0; i < self->n_blocks; i++) {
        const pie_throughput_block *block = &self->blocks[i];
        json_array_append_new(
            blocks, json_pack("{s:s,s:f,s:b,s:I,s:s}", "hex", self->hex[i], "cycles", block->cycles,
                              "executed", block->executed, "fallback_forms",
                              (json_int_t)block->n_fallbacks, "reason", block->reason));
    }
    return pie_cli_print_json(json_pack("{s:s,s:s,s:o}", "uarch",
                                        pie_config_uarch(self->config)->info->id, "mode",
                                        self->loop ? "loop" : "unrolled", "blocks", blocks));
}

static void count_flagged(const throughput_command *self)
{
    size_t n_static = 0, n_fallback = 0;
    for (size_t i = 0; i < self->n_blocks; i++) {
        n_static += !self->blocks[i].executed;
        n_fallback += self->blocks[i].n_fallbacks > 0;
    }
    if (n_static)
        pie_log_warning(&pie_log_stderr,
                        "%zu of %zu blocks could not be executed: predicted from static addresses "
                        "(--json says why)",
                        n_static, self->n_blocks);
    if (n_fallback)
        pie_log_warning(
            &pie_log_stderr, "%zu of %zu blocks have instruction forms that %s does not know",
            n_fallback, self->n_blocks, pie_config_uarch(self->config)->info->short_name);
}

/* ---- the command ---- */

static pie_status run_all(throughput_command *self)
{
    const pie_config_source source = {.sets = self->sets};
    pie_status status = pie_cli_config(&source, &pie_log_stderr, &self->registry, &self->config);
    if (status == PIE_OK)
        status = read_blocks(self);
    if (status != PIE_OK || self->n_blocks == 0)
        return status;
    if (!pie_guest_engine_version(&pie_log_stderr))
        return PIE_ERR_UNAVAILABLE;
    const pie_throughput_spec spec = {.uarch = pie_config_uarch(self->config),
                                      .loop = self->loop,
                                      .progress = isatty(STDERR_FILENO) ? show_progress : NULL,
                                      .context = self};
    return pie_throughput_run(&spec, self->blocks, self->n_blocks, &pie_log_stderr);
}

/* In a child: it has a CPU model in it. */
static int run_isolated(void *context)
{
    throughput_command *self = context;
    const pie_status status = run_all(self);
    int code = pie_exit_of(status);
    if (status == PIE_OK && self->n_blocks == 0) {
        pie_log_error(&pie_log_stderr, "%s: no block in it", input_name(self));
        code = PIE_EXIT_NOTHING;
    } else if (status == PIE_OK) {
        code = self->json ? print_json(self) : print_text(self);
        count_flagged(self);
    }
    free(self->hex);
    free(self->blocks);
    pie_buf_free(&self->text);
    pie_buf_free(&self->code);
    pie_config_free(self->config);
    pie_registry_free(self->registry);
    return code;
}

static int parse(throughput_command *self, int argc, char **argv, char **owned, size_t *n_owned)
{
    static const struct option longs[] = {{"uarch", required_argument, NULL, 'u'},
                                          {"loop", no_argument, NULL, 'l'},
                                          {"column", required_argument, NULL, 'c'},
                                          {"set", required_argument, NULL, 's'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    size_t n_sets = 0;
    for (int option; (option = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        switch (option) {
        case 'u':
            owned[*n_owned] = pie_strf("uarch.plugin=\"%s\"", optarg);
            if (!owned[*n_owned])
                return pie_exit_of(pie_log_nomem(&pie_log_stderr));
            self->sets[n_sets++] = owned[(*n_owned)++];
            break;
        case 'l':
            self->loop = true;
            break;
        case 'c':
            if (!pie_cli_number(optarg, &self->column) || self->column < 1)
                return pie_cli_usage("throughput", "--column takes a number from 1, not '%s'",
                                     optarg);
            break;
        case 's':
            self->sets[n_sets++] = optarg;
            break;
        case 'j':
            self->json = true;
            break;
        case 'h':
            return pie_cli_print(help);
        default:
            return PIE_EXIT_USER;
        }
    }
    if (argc - optind > 1)
        return pie_cli_usage("throughput", "takes one file");
    self->path = optind < argc ? argv[optind] : NULL;
    return -1;
}

int pie_cli_throughput(int argc, char **argv)
{
    throughput_command self = {0};
    char **owned = calloc((size_t)argc + 1, sizeof *owned);
    self.sets = calloc((size_t)argc + 1, sizeof *self.sets);
    size_t n_owned = 0;
    int code = owned && self.sets ? parse(&self, argc, argv, owned, &n_owned)
                                  : pie_exit_of(pie_log_nomem(&pie_log_stderr));
    if (code < 0)
        code = pie_cli_isolated("the CPU model", run_isolated, &self);
    for (size_t i = 0; i < n_owned; i++)
        free(owned[i]);
    free(owned);
    free(self.sets);
    return code;
}
