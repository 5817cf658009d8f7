/* driver.c - one call of the driver makes the program: it runs compiler, assembler and linker
 * itself. */
#include "driver.h"

#include "flags.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STEPS = 12, STEP_ARGUMENTS = 3 };

typedef struct list {
    const char *const *items; /* borrowed from the host until destroy() */
    size_t n;
} list;

/* An argument vector that grows. */
typedef struct arguments {
    const char **argv; /* [capacity + 1] */
    size_t n, capacity;
} arguments;

typedef struct compiler {
    const pie_host *host;
    const pie_driver *driver;
    const char *program_cxx, *program_c;
    list flags, cxx_flags, c_flags, include;
    bool is_static, pch;
    /* The plan handed out last. */
    arguments compile, link;
    char *prepared; /* text of an argument */
    const char *short_argv[MAX_STEPS][STEP_ARGUMENTS];
    const char *source[2], *object[2], *product[2]; /* what steps read and write */
    pie_compile_step steps[MAX_STEPS];
} compiler;

static const char *const none[] = {NULL};

static void complain(const compiler *self, const char *option, const char *flag, const char *reason)
{
    char line[512];
    snprintf(line, sizeof line, "%s: \"%.200s\" %s", option, flag, reason);
    self->host->log(self->host, PIE_LOG_ERROR, line);
}

static pie_status check_flag(const compiler *self, const char *option, const char *flag)
{
    const char *reason = pie_flag_refusal(flag);
    if (!reason)
        return PIE_OK;
    complain(self, option, flag, reason);
    return PIE_ERR_CONFIG;
}

static pie_status get_flags(compiler *self, const char *option, list *ret)
{
    pie_status status = self->host->get_strings(self->host, option, &ret->items, &ret->n);
    for (size_t i = 0; status == PIE_OK && i < ret->n; i++)
        status = check_flag(self, option, ret->items[i]);
    return status;
}

static pie_status get_program(compiler *self, const char *option, const char **ret_name)
{
    const pie_status status = self->host->get_string(self->host, option, ret_name);
    if (status == PIE_OK && (!*ret_name || !**ret_name || **ret_name == '-')) {
        complain(self, option, *ret_name ? *ret_name : "", "is no program");
        return PIE_ERR_CONFIG;
    }
    return status;
}

static pie_status read_options(compiler *self)
{
    const char *link = NULL;
    int32_t pch = 0;
    pie_status status = get_flags(self, "flags", &self->flags);
    if (status == PIE_OK)
        status = get_flags(self, "cxx_flags", &self->cxx_flags);
    if (status == PIE_OK)
        status = get_flags(self, "c_flags", &self->c_flags);
    if (status == PIE_OK)
        status =
            self->host->get_strings(self->host, "include", &self->include.items, &self->include.n);
    if (status == PIE_OK)
        status = get_program(self, "program_cxx", &self->program_cxx);
    if (status == PIE_OK)
        status = get_program(self, "program_c", &self->program_c);
    if (status == PIE_OK)
        status = self->host->get_string(self->host, "link", &link);
    if (status == PIE_OK && self->driver->precompiles)
        status = self->host->get_bool(self->host, "pch", &pch);
    self->is_static = link && strcmp(link, "static") == 0;
    self->pch = pch != 0;
    return status;
}

pie_status pie_driver_create(const pie_host *host, const pie_driver *driver, void **ret_self)
{
    compiler *self = calloc(1, sizeof *self);
    if (!self)
        return PIE_ERR_NOMEM;
    self->host = host;
    self->driver = driver;
    const pie_status status = read_options(self);
    if (status == PIE_OK)
        *ret_self = self;
    else
        pie_driver_destroy(self);
    return status;
}

void pie_driver_destroy(void *self_)
{
    compiler *self = self_;
    if (!self)
        return;
    free(self->compile.argv);
    free(self->link.argv);
    free(self->prepared);
    free(self);
}

/* ---- plans ---------------------------------------------------------------------------------- */

static pie_status add(arguments *to, const char *argument)
{
    if (to->n == to->capacity) {
        const size_t capacity = to->capacity ? 2 * to->capacity : 64;
        const char **argv = realloc(to->argv, (capacity + 1) * sizeof *argv);
        if (!argv)
            return PIE_ERR_NOMEM;
        to->argv = argv;
        to->capacity = capacity;
    }
    to->argv[to->n++] = argument;
    to->argv[to->n] = NULL;
    return PIE_OK;
}

static pie_status add_all(arguments *to, const char *const *more)
{
    pie_status status = PIE_OK;
    for (; status == PIE_OK && *more; more++)
        status = add(to, *more);
    return status;
}

/* At most @n of a list, up to its NULL: those for the linker, or those that are not. */
static pie_status add_flags(arguments *to, const char *const *flags, size_t n, bool is_cxx,
                            bool for_linker)
{
    pie_status status = PIE_OK;
    for (size_t i = 0; status == PIE_OK && flags && i < n && flags[i]; i++) {
        if (pie_flag_is_for_linker(flags[i]) == for_linker &&
            !pie_flag_is_other_standard(flags[i], is_cxx))
            status = add(to, flags[i]);
    }
    return status;
}

static pie_status add_configured(const compiler *self, arguments *to, const char *const *more,
                                 bool is_cxx, bool for_linker)
{
    const list *own = is_cxx ? &self->cxx_flags : &self->c_flags;
    pie_status status = add_flags(to, own->items, own->n, is_cxx, for_linker);
    if (status == PIE_OK)
        status = add_flags(to, self->flags.items, self->flags.n, is_cxx, for_linker);
    if (status == PIE_OK)
        status = add_flags(to, more, SIZE_MAX, is_cxx, for_linker);
    return status;
}

/* The driver and all flags that decide what a source means: the same for a precompiled header. */
static pie_status begin(const compiler *self, arguments *to, const char *const *more, bool is_cxx)
{
    to->n = 0;
    pie_status status = add(to, is_cxx ? self->program_cxx : self->program_c);
    if (status == PIE_OK)
        status = add_all(to, self->driver->fixed);
    if (status == PIE_OK)
        status = add_configured(self, to, more, is_cxx, false);
    for (size_t i = 0; status == PIE_OK && i < self->include.n; i++) {
        status = add(to, "-I");
        if (status == PIE_OK)
            status = add(to, self->include.items[i]);
    }
    return status;
}

static void hand_out(compiler *self, size_t n_steps, const char *product,
                     pie_compile_plan *ret_plan)
{
    *ret_plan = (pie_compile_plan){.steps = self->steps,
                                   .n_steps = n_steps,
                                   .read_only_dirs = self->include.n ? self->include.items : none,
                                   .product = product};
}

pie_status pie_driver_identify(void *self_, pie_compile_plan *ret_plan)
{
    /* What ends up in the program beside the code of the source. */
    static const char *const static_parts[] = {"-print-file-name=libc.a", "-print-file-name=libm.a",
                                               "-print-file-name=libstdc++.a", NULL};
    static const char *const dynamic_parts[] = {"-print-file-name=libc.so.6",
                                                "-print-file-name=libm.so.6",
                                                "-print-file-name=libstdc++.so.6", NULL};
    compiler *self = self_;
    size_t n = 0;
    const char *(*argv)[STEP_ARGUMENTS] = self->short_argv;
    argv[n][0] = self->program_cxx;
    argv[n++][1] = "--version";
    argv[n][0] = self->program_c;
    argv[n++][1] = "--version";
    for (const char *const *at = self->driver->identity; *at; at++) {
        argv[n][0] = *at;
        argv[n++][1] = "--version";
    }
    for (const char *const *at = self->is_static ? static_parts : dynamic_parts; *at; at++) {
        argv[n][0] = self->program_cxx;
        argv[n++][1] = *at;
    }
    for (size_t i = 0; i < n; i++) {
        argv[i][2] = NULL;
        self->steps[i] = (pie_compile_step){argv[i], none, none};
    }
    hand_out(self, n, NULL, ret_plan);
    return PIE_OK;
}

/* Debug information tells where a declaration came from. */
static bool has_debug(const list *flags)
{
    for (size_t i = 0; i < flags->n; i++) {
        if (pie_flag_is_debug(flags->items[i]))
            return true;
    }
    return false;
}

/* Headers that take long. Others are not worth the memory. */
static bool is_big_header(const char *header)
{
    static const char *const big[] = {"bits/stdc++.h",
                                      "iostream",
                                      "algorithm",
                                      "array",
                                      "bitset",
                                      "chrono",
                                      "complex",
                                      "deque",
                                      "fstream",
                                      "functional",
                                      "iomanip",
                                      "istream",
                                      "iterator",
                                      "list",
                                      "map",
                                      "memory",
                                      "numeric",
                                      "ostream",
                                      "queue",
                                      "random",
                                      "regex",
                                      "set",
                                      "sstream",
                                      "stack",
                                      "string",
                                      "tuple",
                                      "unordered_map",
                                      "unordered_set",
                                      "utility",
                                      "vector",
                                      NULL};
    for (const char *const *at = big; *at; at++) {
        if (strcmp(header, *at) == 0)
            return true;
    }
    return false;
}

pie_status pie_driver_prepare(void *self_, const char *language, const char *header,
                              pie_compile_plan *ret_plan)
{
    compiler *self = self_;
    if (!self->pch || strcmp(language, "c++") != 0 || !is_big_header(header) ||
        has_debug(&self->flags) || has_debug(&self->cxx_flags)) {
        hand_out(self, 0, NULL, ret_plan);
        return PIE_OK;
    }
    /* The header precedes an empty file, which is what gets precompiled; plan() puts that in front
     * of the source. Its own #include of the header then finds it done. If the driver refuses what
     * was precompiled, it reads the empty file. No search path changes. */
    const char *const rest[] = {"-x",          "c++-header", "-include",        header,
                                "program.cpp", "-o",         "program.cpp.gch", NULL};
    pie_status status = begin(self, &self->compile, NULL, true);
    if (status == PIE_OK)
        status = add_all(&self->compile, rest);
    if (status != PIE_OK)
        return status;
    self->source[0] = "program.cpp";
    self->product[0] = "program.cpp.gch";
    self->steps[0] = (pie_compile_step){self->compile.argv, self->source, self->product};
    hand_out(self, 1, self->product[0], ret_plan);
    return PIE_OK;
}

static pie_status plan_compilation(compiler *self, const pie_compile_request *request, bool is_cxx)
{
    const char *const rest[] = {"-c", request->source, "-o", "program.o", NULL};
    pie_status status = begin(self, &self->compile, request->flags, is_cxx);
    if (status == PIE_OK && request->prepared) {
        const size_t size = strlen(request->prepared) + strlen(request->source) + 2;
        char *path = realloc(self->prepared, size);
        if (!path)
            return PIE_ERR_NOMEM;
        self->prepared = path;
        snprintf(path, size, "%s/%s", request->prepared, request->source);
        const char *const include[] = {"-include", path, NULL};
        status = add_all(&self->compile, include);
    }
    return status == PIE_OK ? add_all(&self->compile, rest) : status;
}

/* With all flags again: many count for both, above all with -flto. */
static pie_status plan_link(compiler *self, const pie_compile_request *request, bool is_cxx)
{
    const char *const rest[] = {
        "program.o", "-o", "program", "-Wl,--build-id=none", self->is_static ? "-static" : NULL,
        NULL};
    pie_status status = begin(self, &self->link, request->flags, is_cxx);
    if (status == PIE_OK)
        status = add_all(&self->link, self->driver->link);
    if (status == PIE_OK)
        status = add_all(&self->link, rest);
    if (status == PIE_OK)
        status = add_configured(self, &self->link, request->flags, is_cxx, true);
    if (status == PIE_OK && !is_cxx)
        status = add(&self->link, "-lm"); /* as C++ always has it */
    return status;
}

pie_status pie_driver_plan(void *self_, const pie_compile_request *request,
                           pie_compile_plan *ret_plan)
{
    compiler *self = self_;
    const bool is_cxx = strcmp(request->language, "c++") == 0;
    if (!is_cxx && strcmp(request->language, "c") != 0) {
        complain(self, "language", request->language, "is none that this compiler takes");
        return PIE_ERR_CONFIG;
    }
    pie_status status = PIE_OK;
    for (const char *const *at = request->flags; status == PIE_OK && at && *at; at++)
        status = check_flag(self, "flags of this request", *at);
    if (status == PIE_OK)
        status = plan_compilation(self, request, is_cxx);
    if (status == PIE_OK)
        status = plan_link(self, request, is_cxx);
    if (status != PIE_OK)
        return status;
    self->source[0] = request->source;
    self->object[0] = "program.o";
    self->product[0] = "program";
    self->steps[0] = (pie_compile_step){self->compile.argv, self->source, self->object};
    self->steps[1] = (pie_compile_step){self->link.argv, self->object, self->product};
    hand_out(self, 2, self->product[0], ret_plan);
    return PIE_OK;
}
