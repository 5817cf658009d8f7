/* probe.c - see probe.h. The child writes one JSON object a line: {"plugins": [..]} or {"refused":
 * ".."} per file, in order. A child that dies, or is silent for too long, takes the blame for the
 * file whose line is missing; the next child goes on behind it. */
#include "registry/probe.h"

#include "base/buf.h"
#include "base/file.h"
#include "pie/backend.h"
#include "pie/compiler.h"
#include "pie/uarch.h"
#include "registry/module.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_LINE_BYTES = 16 << 20 };

/* ---- in the child ---- */

/* Exact, and infinities too, which JSON has not. */
static json_t *double_json(double value)
{
    char text[64];
    snprintf(text, sizeof text, "%a", value);
    return json_string(text);
}

static json_t *text_json(const char *text)
{
    return text ? json_string(text) : json_null();
}

static int append(json_t *list, json_t *item)
{
    return item ? json_array_append_new(list, item) : -1;
}

static json_t *options_json(const pie_option *options)
{
    json_t *list = json_array();
    for (; list && options && options->name; options++) {
        json_t *item = json_pack("{s:s, s:i, s:I, s:o, s:s, s:o, s:o, s:o}", "name", options->name,
                                 "type", (int)options->type, "flags", (json_int_t)options->flags,
                                 "default", text_json(options->fallback), "help", options->help,
                                 "choices", text_json(options->choices), "min",
                                 double_json(options->min), "max", double_json(options->max));
        if (append(list, item) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *requires_json(const pie_requirement *requires)
{
    json_t *list = json_array();
    for (; list && requires && requires->type; requires ++) {
        json_t *item = json_pack("{s:i, s:s, s:s}", "type", (int) requires->type, "name",
                                 requires->name, "hint", requires->hint);
        if (append(list, item) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *plugin_json(const pie_plugin *plugin)
{
    int deterministic = 1, style = 0;
    uint32_t capabilities = 0;
    if (strcmp(plugin->kind, PIE_KIND_UARCH) == 0) {
        const pie_uarch_ops *ops = plugin->ops;
        deterministic = (ops->flags & PIE_UARCH_DETERMINISTIC) != 0;
        style = ops->style;
    } else if (strcmp(plugin->kind, PIE_KIND_COMPILER) == 0) {
        const pie_compiler_ops *ops = plugin->ops;
        style = ops->product;
    } else if (strcmp(plugin->kind, PIE_KIND_BACKEND) == 0) {
        const pie_backend_ops *ops = plugin->ops;
        capabilities = ops->capabilities;
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:b, s:I, s:i}", "kind", plugin->kind,
                     "id", plugin->id, "version", plugin->version, "summary", plugin->summary,
                     "licence", text_json(plugin->licence), "options",
                     options_json(plugin->options), "requires", requires_json(plugin->requires),
                     "deterministic", deterministic, "capabilities", (json_int_t)capabilities,
                     "style", style);
}

static json_t *module_json(const char *path)
{
    char message[PIE_MODULE_MESSAGE_BYTES];
    const pie_module *module;
    if (pie_module_load(path, message, &module) != PIE_OK) {
        json_t *refused = json_string(message); /* dlerror may have quoted bytes of the file */
        return json_pack("{s:o}", "refused",
                         refused ? refused : json_string("refused; the reason is no text"));
    }
    json_t *list = json_array();
    for (const pie_plugin *const *plugin = module->plugins; list && *plugin; plugin++)
        if (append(list, plugin_json(*plugin)) != 0) {
            json_decref(list);
            return NULL;
        }
    return json_pack("{s:o}", "plugins", list);
}

static _Noreturn void run_child(int out, const char *const *paths, size_t n_paths, pid_t parent)
{
    setpgid(0, 0); /* so that whatever a module starts can be ended with it */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGPIPE, SIG_IGN);
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2 && null >= 0; fd++)
        if (fd != out)
            dup2(null, fd); /* what a constructor prints is not for the user */
    for (size_t i = 0; i < n_paths; i++) {
        json_t *module = module_json(paths[i]);
        char *text = module ? json_dumps(module, JSON_COMPACT) : NULL;
        if (!text || pie_write_all(out, text, strlen(text)) != PIE_OK ||
            pie_write_all(out, "\n", 1) != PIE_OK)
            _exit(1);
        free(text);
        json_decref(module);
    }
    for (;;)
        pause(); /* the parent ends it: destructors of modules are not run */
}

/* ---- in the parent ---- */

typedef struct reader {
    pid_t pid;
    int fd;
    pie_buf pending; /* read, not yet a whole line */
} reader;

static pie_status child_start(const char *const *paths, size_t n_paths, reader *ret_child)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return PIE_ERR_IO;
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        run_child(ends[1], paths, n_paths, parent);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return PIE_ERR_IO;
    }
    setpgid(pid, pid); /* whoever comes first */
    *ret_child = (reader){.pid = pid, .fd = ends[0]};
    return PIE_OK;
}

/* Ends it if it still lives; @ret_how: how it ended when @was_dead. */
static void child_end(reader *child, char *ret_how, size_t n_how)
{
    int status = 0;
    pid_t reaped = 0;
    if (ret_how) /* it closed its pipe: it is dying, or has only closed it */
        for (int tries = 0; tries < 100 && reaped == 0; tries++) {
            reaped = waitpid(child->pid, &status, WNOHANG);
            if (reaped == 0)
                poll(NULL, 0, 10);
        }
    kill(-child->pid, SIGKILL);
    if (reaped == 0)
        while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
            ;
    if (ret_how && reaped > 0 && WIFSIGNALED(status))
        snprintf(ret_how, n_how, "crashed when loaded (signal %d, %s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else if (ret_how)
        snprintf(ret_how, n_how, "ended the process when loaded (exit status %d)",
                 reaped > 0 ? WEXITSTATUS(status) : -1);
    close(child->fd);
    pie_buf_free(&child->pending);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The next line, borrowed until the next call. PIE_ERR_CRASHED: the child closed its end;
 * PIE_ERR_LIMIT: it took too long. */
static pie_status child_line(reader *child, int timeout_ms, size_t *offset, const char **ret_line)
{
    pie_buf *buf = &child->pending;
    if (*offset > 0) {
        memmove(buf->data, buf->data + *offset, buf->n - *offset);
        buf->n -= *offset;
    }
    *offset = 0;
    const int64_t end = now_ms() + timeout_ms;
    for (size_t seen = 0;;) {
        char *newline = buf->n > seen ? memchr(buf->data + seen, '\n', buf->n - seen) : NULL;
        if (newline) {
            *newline = '\0';
            *offset = (size_t)(newline - buf->data) + 1;
            *ret_line = buf->data;
            return PIE_OK;
        }
        seen = buf->n;
        const int64_t left = end - now_ms();
        if (left <= 0 || buf->n > MAX_LINE_BYTES)
            return PIE_ERR_LIMIT;
        struct pollfd wait = {.fd = child->fd, .events = POLLIN};
        if (poll(&wait, 1, (int)left) <= 0)
            continue;
        if (pie_buf_reserve(buf, 65536) != PIE_OK)
            return PIE_ERR_NOMEM;
        const ssize_t n = read(child->fd, buf->data + buf->n, 65536);
        if (n == 0 || (n < 0 && errno != EINTR))
            return PIE_ERR_CRASHED;
        if (n > 0)
            buf->n += (size_t)n;
    }
}

/* One line of the child to the callbacks. */
static pie_status report_line(const pie_probe *probe, size_t index, const char *line)
{
    json_t *object = json_loads(line, 0, NULL);
    json_t *plugins = json_object_get(object, "plugins");
    const char *refused = json_string_value(json_object_get(object, "refused"));
    pie_status status;
    if (json_is_array(plugins))
        status = probe->found(probe->context, index, plugins);
    else
        status = probe->refused(probe->context, index, PIE_ERR_ABI,
                                refused ? refused : "could not be read: out of memory");
    json_decref(object);
    return status;
}

pie_status pie_probe_run(const pie_probe *probe, const char *const *paths, size_t n_paths)
{
    pie_status status = PIE_OK;
    for (size_t i = 0; i < n_paths && status == PIE_OK;) {
        reader child;
        status = child_start(paths + i, n_paths - i, &child);
        if (status != PIE_OK)
            break;
        char how[160];
        bool is_dead = false;
        size_t offset = 0;
        while (i < n_paths && status == PIE_OK && !is_dead) {
            const char *line;
            const pie_status got = child_line(&child, probe->timeout_ms, &offset, &line);
            if (got == PIE_OK)
                status = report_line(probe, i++, line);
            else if (got == PIE_ERR_NOMEM)
                status = got;
            else {
                is_dead = true;
                if (got == PIE_ERR_LIMIT)
                    snprintf(how, sizeof how, "hung when loaded (no answer for %g s)",
                             probe->timeout_ms / 1000.0);
                child_end(&child, got == PIE_ERR_LIMIT ? NULL : how, sizeof how);
                status = probe->refused(probe->context, i++, PIE_ERR_CRASHED, how);
            }
        }
        if (!is_dead)
            child_end(&child, NULL, 0);
    }
    return status;
}
