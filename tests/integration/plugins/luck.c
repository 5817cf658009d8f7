/* luck.c - plugins that fail once or at the wrong moment, for tests/integration/run_luck.sh: what
 * they do must leave no trace in the records. */
#include "pie/backend.h"
#include "pie/prompt.h"
#include "pie/uarch.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Dies as long as the file @path has fewer than @n bytes, and makes it a byte longer. */
static void die_at_first(const char *path, int64_t n)
{
    struct stat info;
    const int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || fstat(fd, &info) != 0 || info.st_size >= n || write(fd, "x", 1) != 1) {
        close(fd);
        return;
    }
    raise(SIGKILL);
}

/* ---- a prompt that measures the modes of the slow program, and tells what it heard ----
 *
 * The source reads `#ifndef MODE`: "modes" names those to try, by sample, as "0123/0". */

typedef struct probe_prompt {
    const char *modes, *marker;
    char *source, *heard;
} probe_prompt;

static pie_status probe_create(const pie_host *host, void **ret_self)
{
    probe_prompt *self = calloc(1, sizeof *self);
    if (!self)
        return PIE_ERR_NOMEM;
    host->get_string(host, "modes", &self->modes);
    host->get_string(host, "marker", &self->marker);
    *ret_self = self;
    return PIE_OK;
}

static void probe_destroy(void *instance)
{
    probe_prompt *self = instance;
    free(self->source);
    free(self->heard);
    free(self);
}

static pie_status probe_next(void *instance, const pie_dialogue *dialogue, pie_action *ret_action)
{
    probe_prompt *self = instance;
    const char *modes = self->modes;
    for (int64_t i = 0; i < dialogue->sample_index && strchr(modes, '/'); i++)
        modes = strchr(modes, '/') + 1;
    const size_t n_modes = strcspn(modes, "/");
    if (dialogue->n_steps < n_modes) {
        if (self->marker && dialogue->sample_index == 1 && dialogue->n_steps == 1)
            die_at_first(self->marker, 1);
        free(self->source);
        if (asprintf(&self->source, "#define MODE %c\n%s", modes[dialogue->n_steps],
                     dialogue->source) < 0) {
            self->source = NULL;
            return PIE_ERR_NOMEM;
        }
        *ret_action = (pie_action){.type = PIE_ACTION_SUBMIT, .source = self->source};
        return PIE_OK;
    }
    size_t n_bytes;
    free(self->heard);
    FILE *heard = open_memstream(&self->heard, &n_bytes);
    if (!heard)
        return PIE_ERR_NOMEM;
    for (size_t i = 0; i < dialogue->n_steps; i++) {
        const pie_dialogue_step *step = &dialogue->steps[i];
        fprintf(heard, "%c:%d:%lld:%s ", modes[i], step->verdict, (long long)step->failed_test,
                step->failed_output ? step->failed_output : "-");
    }
    fprintf(heard, "\xff");
    fclose(heard);
    *ret_action = (pie_action){.type = PIE_ACTION_STOP, .best_step = -1, .reason = self->heard};
    return PIE_OK;
}

static const pie_option probe_options[] = {
    {.name = "modes", .type = PIE_OPTION_STRING, .flags = PIE_OPTION_REQUIRED, .help = "to try"},
    {.name = "marker",
     .type = PIE_OPTION_PATH,
     .flags = PIE_OPTION_EXECUTION,
     .help = "file: sample 1 kills the process at its second step if it is not there"},
    {.name = NULL}};
static const pie_prompt_ops probe_ops = {
    .create = probe_create, .destroy = probe_destroy, .next = probe_next};
static const pie_plugin probe_plugin = {.kind = PIE_KIND_PROMPT,
                                        .id = "org.pie.test.probe-prompt",
                                        .version = "1.0.0",
                                        .summary = "Tells what its measurements gave; for tests.",
                                        .licence = "MIT",
                                        .options = probe_options,
                                        .ops = &probe_ops};

/* ---- a backend without room at first, whose errors are no UTF-8 ---- */

typedef struct busy_backend {
    int n_refused;
    uint64_t id, index;
} busy_backend;

static pie_status busy_create(const pie_host *host, void **ret_self)
{
    (void)host;
    *ret_self = calloc(1, sizeof(busy_backend));
    return *ret_self ? PIE_OK : PIE_ERR_NOMEM;
}

static pie_status busy_submit(void *instance, const pie_request *request)
{
    busy_backend *self = instance;
    if (self->id || self->n_refused++ < 5)
        return PIE_ERR_AGAIN;
    self->n_refused = 0;
    self->id = request->id;
    self->index = (uint64_t)request->context.sample_index;
    return PIE_OK;
}

static pie_status busy_poll(void *instance, pie_completion *ret_completion)
{
    static const char text[] = "int main() {}";
    busy_backend *self = instance;
    if (!self->id)
        return PIE_ERR_AGAIN;
    *ret_completion = (pie_completion){.id = self->id, .attempts = 1};
    if (self->index == 0) {
        ret_completion->text = text;
        ret_completion->text_bytes = sizeof text - 1;
        ret_completion->finish = PIE_FINISH_STOP;
        ret_completion->has = PIE_COMPLETION_IS_CODE;
    } else {
        ret_completion->error = self->index == 1 ? PIE_BACKEND_FILTERED : PIE_BACKEND_BAD_BODY;
        ret_completion->message = "no \xff UTF-8";
    }
    self->id = 0;
    return PIE_OK;
}

static pie_status busy_cancel(void *self, uint64_t id)
{
    (void)self, (void)id;
    return PIE_OK;
}

static int busy_wait(void *self, int32_t *ret_timeout_ms)
{
    (void)self;
    *ret_timeout_ms = -1;
    return -1;
}

static const pie_option busy_options[] = {
    {.name = "path", .type = PIE_OPTION_STRING, .help = "ignored"},
    {.name = "field", .type = PIE_OPTION_STRING, .help = "ignored"},
    {.name = NULL}};
static const pie_backend_ops busy_ops = {.capabilities = PIE_BACKEND_CHAT | PIE_BACKEND_OFFLINE,
                                         .create = busy_create,
                                         .destroy = free,
                                         .submit = busy_submit,
                                         .poll = busy_poll,
                                         .cancel = busy_cancel,
                                         .wait_fd = busy_wait};
static const pie_plugin busy_plugin = {.kind = PIE_KIND_BACKEND,
                                       .id = "org.pie.test.busy-backend",
                                       .version = "1.0.0",
                                       .summary = "Has no room at first; for tests.",
                                       .licence = "MIT",
                                       .options = busy_options,
                                       .ops = &busy_ops};

/* ---- a CPU model that dies over the first two programs that it measures ---- */

static pie_status mortal_create(const pie_host *host, const pie_uarch_setup *setup, void **ret_self)
{
    (void)setup;
    const char *marker = NULL;
    host->get_string(host, "marker", &marker);
    *ret_self = marker ? strdup(marker) : NULL;
    return *ret_self ? PIE_OK : PIE_ERR_NOMEM;
}

static pie_status mortal_plan(void *self, const pie_run_request *request,
                              pie_compile_plan *ret_plan)
{
    static const char *const argv[] = {"wc", "-c", "input", NULL};
    static const char *const none[] = {NULL};
    static const pie_compile_step step = {argv, none, none};
    (void)request;
    die_at_first(self, 2);
    *ret_plan = (pie_compile_plan){.steps = &step, .n_steps = 1, .read_only_dirs = none};
    return PIE_OK;
}

static pie_status mortal_read(void *self, const char *output, size_t n_bytes,
                              pie_run_result *ret_result)
{
    (void)self, (void)n_bytes;
    *ret_result = (pie_run_result){.time = strtod(output, NULL)};
    return PIE_OK;
}

static const pie_option mortal_options[] = {{.name = "marker",
                                             .type = PIE_OPTION_PATH,
                                             .flags = PIE_OPTION_REQUIRED | PIE_OPTION_EXECUTION,
                                             .help = "file with a byte per death"},
                                            {.name = NULL}};
static const pie_counter no_counters[] = {{.name = NULL}};
static const pie_uarch_run_ops mortal_run = {.counters = no_counters,
                                             .create = mortal_create,
                                             .destroy = free,
                                             .plan = mortal_plan,
                                             .read = mortal_read};
static const pie_uarch_ops mortal_ops = {
    .style = PIE_UARCH_RUN, .flags = PIE_UARCH_DETERMINISTIC, .run = &mortal_run};
static const pie_plugin mortal_plugin = {.kind = PIE_KIND_UARCH,
                                         .id = "org.pie.test.mortal-uarch",
                                         .version = "1.0.0",
                                         .summary = "Dies twice; for tests.",
                                         .licence = "MIT",
                                         .options = mortal_options,
                                         .ops = &mortal_ops};

PIE_MODULE(&probe_plugin, &busy_plugin, &mortal_plugin);
