/* replay.c - answers that were recorded before, in PIE's form.
 *
 * The file is JSONL; a row holds problem_id, src_id and the list of answers for that program, of
 * which sample i takes the i-th. It is read once at the start, which names every malformed row;
 * what is kept of it is where each row stands. The rows themselves are read again when they are
 * asked for. */
#include "pie/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_LINE_BYTES = 64 * 1024 * 1024,
    MAX_IN_FLIGHT = 1024,
    MAX_NAMED_ROWS = 20, /* malformed rows that are named before the rest is only counted */
    MESSAGE_BYTES = 512,
    LOAD_FLAGS = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL /* a reply may hold any byte */
};

/* Where a row stands: 24 bytes each, whatever its answers. Sorted by hash. */
typedef struct row_place {
    uint64_t hash;
    uint64_t offset;
    uint32_t n_bytes;
    uint32_t line; /* from 1 */
} row_place;

/* A submitted request; ids are owned. */
typedef struct pending {
    uint64_t id;
    char *problem_id, *src_id;
    int64_t sample_index, step;
    bool is_cancelled;
} pending;

typedef struct replay {
    const pie_host *host; /* borrowed */
    const char *path;     /* borrowed */
    const char *field;    /* borrowed */
    bool is_strict, is_code;
    int fd;
    row_place *places;
    size_t n_places, capacity;
    char *line; /* of the row that was read last */
    size_t line_capacity;
    json_t *row;     /* that row */
    uint64_t row_at; /* its offset */
    pending *queue;  /* [MAX_IN_FLIGHT], a ring */
    size_t queue_at, n_queued;
    char message[MESSAGE_BYTES]; /* of the completion handed out last */
} replay;

static void log_line(const replay *self, int32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void log_line(const replay *self, int32_t level, const char *format, ...)
{
    char text[2 * MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    self->host->log(self->host, level, text);
}

static pie_status log_nomem(const replay *self)
{
    log_line(self, PIE_LOG_ERROR, "replay: out of memory");
    return PIE_ERR_NOMEM;
}

static pie_status log_errno(const replay *self)
{
    log_line(self, PIE_LOG_ERROR, "%s: %s", self->path, strerror(errno));
    return PIE_ERR_IO;
}

/* FNV-1a over both ids, with the NUL between them. Rows with equal hashes are told apart by what
 * they say. */
static uint64_t hash_ids(const char *problem_id, const char *src_id)
{
    const char *const texts[] = {problem_id, src_id};
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < 2; i++)
        for (const char *c = texts[i];; c++) {
            hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
            if (!*c)
                break;
        }
    return hash;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The ids of a row that has been checked. */
static const char *id_of(const json_t *row, const char *key)
{
    return json_string_value(json_object_get(row, key));
}

/* What is wrong with a row, into @ret_what. */
static bool check_row(const replay *self, const json_t *row, char ret_what[MESSAGE_BYTES])
{
    static const char *const ids[] = {"problem_id", "src_id"};
    if (!json_is_object(row)) {
        snprintf(ret_what, MESSAGE_BYTES, "the row must be an object");
        return false;
    }
    for (size_t i = 0; i < 2; i++) {
        const json_t *id = json_object_get(row, ids[i]);
        if (!json_is_string(id) || strlen(json_string_value(id)) != json_string_length(id)) {
            snprintf(ret_what, MESSAGE_BYTES, "%s must be a string without NUL", ids[i]);
            return false;
        }
    }
    const json_t *answers = json_object_get(row, self->field);
    if (!json_is_array(answers)) {
        const char *other = self->is_code ? "raw_replies" : "generated_answers";
        snprintf(ret_what, MESSAGE_BYTES, "%s must be a list of strings%s%s%s", self->field,
                 json_object_get(row, other) ? "; the row has " : "",
                 json_object_get(row, other) ? other : "",
                 json_object_get(row, other) ? ", which the option `field` can name" : "");
        return false;
    }
    for (size_t i = 0; i < json_array_size(answers); i++) {
        const json_t *answer = json_array_get(answers, i);
        if (!json_is_string(answer) && !json_is_null(answer)) {
            snprintf(ret_what, MESSAGE_BYTES, "%s[%zu] must be a string, or null for no answer",
                     self->field, i);
            return false;
        }
    }
    return true;
}

static pie_status add_place(replay *self, row_place place)
{
    if (self->n_places == self->capacity) {
        const size_t capacity = self->capacity ? self->capacity * 2 : 256;
        row_place *places = reallocarray(self->places, capacity, sizeof *places);
        if (!places)
            return log_nomem(self);
        self->places = places;
        self->capacity = capacity;
    }
    self->places[self->n_places++] = place;
    return PIE_OK;
}

static bool is_blank(const char *text, size_t n)
{
    return strspn(text, " \t\r\n") >= n;
}

/* Checks one line and notes where it stands. */
static pie_status index_line(replay *self, const char *text, size_t n, row_place place)
{
    char what[MESSAGE_BYTES];
    json_error_t error;
    pie_status status = PIE_ERR_DATA;
    if (n > MAX_LINE_BYTES) {
        log_line(self, PIE_LOG_ERROR, "%s:%" PRIu32 ": the line is longer than %d MiB", self->path,
                 place.line, MAX_LINE_BYTES >> 20);
        return status;
    }
    json_t *row = json_loadb(text, n, LOAD_FLAGS, &error);
    if (!row && json_error_code(&error) == json_error_out_of_memory) {
        status = log_nomem(self);
    } else if (!row) {
        log_line(self, PIE_LOG_ERROR, "%s:%" PRIu32 ": not JSON: %s (column %d)", self->path,
                 place.line, error.text, error.column);
    } else if (!check_row(self, row, what)) {
        log_line(self, PIE_LOG_ERROR, "%s:%" PRIu32 ": %s", self->path, place.line, what);
    } else {
        place.hash = hash_ids(id_of(row, "problem_id"), id_of(row, "src_id"));
        status = add_place(self, place);
    }
    json_decref(row);
    return status;
}

static pie_status index_file(replay *self)
{
    pie_status status = PIE_OK;
    char *line = NULL;
    size_t capacity = 0, n_malformed = 0;
    uint64_t offset = 0;
    uint32_t number = 0;
    const int fd = dup(self->fd);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    if (!file) {
        status = log_errno(self);
        if (fd >= 0)
            close(fd);
        return status;
    }
    for (ssize_t n; status == PIE_OK && (n = getline(&line, &capacity, file)) >= 0;
         offset += (uint64_t)n) {
        if (number == UINT32_MAX) {
            log_line(self, PIE_LOG_ERROR, "%s: too many lines", self->path);
            status = PIE_ERR_LIMIT;
            break;
        }
        number++;
        size_t skip = number == 1 && n >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
        if (is_blank(line + skip, (size_t)n - skip))
            continue;
        const size_t n_text = (size_t)n - skip;
        status = index_line(self, line + skip, n_text,
                            (row_place){.offset = offset + skip,
                                        .n_bytes = n_text > MAX_LINE_BYTES ? 0 : (uint32_t)n_text,
                                        .line = number});
        if (status == PIE_ERR_DATA && ++n_malformed < MAX_NAMED_ROWS)
            status = PIE_OK;
    }
    if (status == PIE_OK && ferror(file))
        status = log_errno(self);
    if (status == PIE_ERR_DATA)
        log_line(self, PIE_LOG_ERROR, "%s: %d malformed rows; the rest is not read", self->path,
                 MAX_NAMED_ROWS);
    if (status == PIE_OK && n_malformed > 0)
        status = PIE_ERR_DATA;
    free(line);
    fclose(file);
    return status;
}

/* Reads the row at @place into self->row, unless it is there already. */
static pie_status load_row(replay *self, const row_place *place)
{
    char what[MESSAGE_BYTES];
    if (self->row && self->row_at == place->offset)
        return PIE_OK;
    json_decref(self->row);
    self->row = NULL;
    if (place->n_bytes > self->line_capacity) {
        char *line = realloc(self->line, place->n_bytes);
        if (!line)
            return log_nomem(self);
        self->line = line;
        self->line_capacity = place->n_bytes;
    }
    size_t done = 0;
    while (done < place->n_bytes) {
        const ssize_t n = pread(self->fd, self->line + done, place->n_bytes - done,
                                (off_t)(place->offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return log_errno(self);
        if (n == 0)
            break;
        done += (size_t)n;
    }
    json_error_t error;
    json_t *row = json_loadb(self->line, done, LOAD_FLAGS, &error);
    if (!row && json_error_code(&error) == json_error_out_of_memory)
        return log_nomem(self);
    if (!row || !check_row(self, row, what)) {
        log_line(self, PIE_LOG_ERROR, "%s:%" PRIu32 ": changed while it was in use", self->path,
                 place->line);
        json_decref(row);
        return PIE_ERR_DATA;
    }
    self->row = row;
    self->row_at = place->offset;
    return PIE_OK;
}

static int by_hash_then_line(const void *a, const void *b)
{
    const row_place *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->line > y->line) - (x->line < y->line);
}

/* Two rows for one program: which of them would be right? */
static pie_status refuse_doubles(replay *self)
{
    for (size_t i = 0; i + 1 < self->n_places; i++)
        for (size_t j = i + 1; j < self->n_places && self->places[j].hash == self->places[i].hash;
             j++) {
            pie_status status = load_row(self, &self->places[i]);
            if (status != PIE_OK)
                return status;
            json_t *first = json_incref(self->row);
            status = load_row(self, &self->places[j]);
            const bool is_double =
                status == PIE_OK &&
                json_equal(json_object_get(first, "problem_id"),
                           json_object_get(self->row, "problem_id")) &&
                json_equal(json_object_get(first, "src_id"), json_object_get(self->row, "src_id"));
            json_decref(first);
            if (status != PIE_OK)
                return status;
            if (is_double) {
                log_line(self, PIE_LOG_ERROR,
                         "%s:%" PRIu32 ": problem %.200s, source %.200s has a row at line %" PRIu32
                         " already; remove one of the two",
                         self->path, self->places[j].line, id_of(self->row, "problem_id"),
                         id_of(self->row, "src_id"), self->places[i].line);
                return PIE_ERR_DATA;
            }
        }
    return PIE_OK;
}

/* The row of a program into self->row. PIE_ERR_AGAIN: the file has none. */
static pie_status find_row(replay *self, const char *problem_id, const char *src_id)
{
    const uint64_t hash = hash_ids(problem_id, src_id);
    size_t low = 0, high = self->n_places;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (self->places[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < self->n_places && self->places[low].hash == hash; low++) {
        const pie_status status = load_row(self, &self->places[low]);
        if (status != PIE_OK)
            return status;
        if (strcmp(id_of(self->row, "problem_id"), problem_id) == 0 &&
            strcmp(id_of(self->row, "src_id"), src_id) == 0)
            return PIE_OK;
    }
    return PIE_ERR_AGAIN;
}

/* ---- the backend ----------------------------------------------------------------------------- */

static void drop(pending *request)
{
    free(request->problem_id);
    free(request->src_id);
    *request = (pending){0};
}

static void replay_destroy(void *instance)
{
    replay *self = instance;
    if (!self)
        return;
    for (size_t i = 0; i < self->n_queued; i++)
        drop(&self->queue[(self->queue_at + i) % MAX_IN_FLIGHT]);
    free(self->queue);
    json_decref(self->row);
    free(self->line);
    free(self->places);
    if (self->fd >= 0)
        close(self->fd);
    free(self);
}

static pie_status open_file(replay *self)
{
    struct stat info;
    self->fd = open(self->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (self->fd < 0 || fstat(self->fd, &info) != 0)
        return log_errno(self);
    if (S_ISREG(info.st_mode))
        return PIE_OK;
    log_line(self, PIE_LOG_ERROR, "%s: recorded answers must be a regular file", self->path);
    return PIE_ERR_CONFIG;
}

static pie_status replay_create(const pie_host *host, void **ret_self)
{
    pie_status status = PIE_ERR_NOMEM;
    int32_t is_strict = 0;
    replay *self = calloc(1, sizeof *self);
    if (!self)
        return PIE_ERR_NOMEM;
    self->host = host;
    self->fd = -1;
    self->queue = calloc(MAX_IN_FLIGHT, sizeof *self->queue);
    if (!self->queue) {
        status = log_nomem(self);
        goto cleanup;
    }
    status = host->get_string(host, "path", &self->path);
    if (status == PIE_OK)
        status = host->get_string(host, "field", &self->field);
    if (status == PIE_OK)
        status = host->get_bool(host, "strict", &is_strict);
    if (status != PIE_OK)
        goto cleanup;
    if (!self->path || !self->field) {
        log_line(self, PIE_LOG_ERROR, "replay: the option `path` must name the recorded answers");
        status = PIE_ERR_CONFIG;
        goto cleanup;
    }
    self->is_strict = is_strict != 0;
    self->is_code = strcmp(self->field, "generated_answers") == 0;
    status = open_file(self);
    if (status == PIE_OK)
        status = index_file(self);
    if (status != PIE_OK)
        goto cleanup;
    if (self->n_places > 0)
        qsort(self->places, self->n_places, sizeof *self->places, by_hash_then_line);
    status = refuse_doubles(self);
    if (status != PIE_OK)
        goto cleanup;
    *ret_self = self;
    self = NULL;
cleanup:
    replay_destroy(self);
    return status;
}

static pie_status replay_submit(void *instance, const pie_request *request)
{
    replay *self = instance;
    const pie_request_context *context = &request->context;
    if (self->n_queued == MAX_IN_FLIGHT)
        return PIE_ERR_AGAIN;
    pending copy = {.id = request->id,
                    .problem_id = strdup(context->problem_id ? context->problem_id : ""),
                    .src_id = strdup(context->src_id ? context->src_id : ""),
                    .sample_index = context->sample_index,
                    .step = context->step};
    if (!copy.problem_id || !copy.src_id) {
        drop(&copy);
        return log_nomem(self);
    }
    self->queue[(self->queue_at + self->n_queued++) % MAX_IN_FLIGHT] = copy;
    return PIE_OK;
}

/* Fills in the answer to @request, or why there is none. */
static pie_status answer(replay *self, const pending *request, pie_completion *completion)
{
    const json_t *text = NULL;
    const char *why = NULL;
    if (request->is_cancelled) {
        completion->error = PIE_BACKEND_CANCELLED;
        completion->message = "cancelled";
        return PIE_OK;
    }
    const pie_status status = find_row(self, request->problem_id, request->src_id);
    if (status != PIE_OK && status != PIE_ERR_AGAIN)
        return status;
    if (status == PIE_ERR_AGAIN) {
        why = "the file has no row for it";
    } else {
        const json_t *answers = json_object_get(self->row, self->field);
        const int64_t n = (int64_t)json_array_size(answers);
        if (request->sample_index >= 0 && request->sample_index < n)
            text = json_array_get(answers, (size_t)request->sample_index);
        if (!text)
            why = "its row has fewer answers";
        else if (json_is_null(text))
            why = "the answer is null";
        else if (request->step > 0)
            why = "further steps of a dialogue are not recorded";
    }
    completion->attempts = 1;
    if (!why) {
        completion->finish = PIE_FINISH_STOP;
        completion->has = self->is_code ? PIE_COMPLETION_IS_CODE : 0;
        completion->text = json_string_value(text);
        completion->text_bytes = json_string_length(text);
        return PIE_OK;
    }
    snprintf(self->message, sizeof self->message,
             "nothing recorded for problem %.100s, source %.100s, sample %" PRId64 " in %.100s: %s",
             request->problem_id, request->src_id, request->sample_index, self->path, why);
    completion->error = self->is_strict ? PIE_BACKEND_BAD_REQUEST : PIE_BACKEND_NO_ANSWER;
    completion->message = self->message;
    return PIE_OK;
}

static pie_status replay_poll(void *instance, pie_completion *ret_completion)
{
    replay *self = instance;
    if (self->n_queued == 0)
        return PIE_ERR_AGAIN;
    pending *request = &self->queue[self->queue_at];
    pie_completion completion = {.id = request->id};
    const pie_status status = answer(self, request, &completion);
    if (status != PIE_OK)
        return status;
    drop(request);
    self->queue_at = (self->queue_at + 1) % MAX_IN_FLIGHT;
    self->n_queued--;
    *ret_completion = completion;
    return PIE_OK;
}

static pie_status replay_cancel(void *instance, uint64_t id)
{
    replay *self = instance;
    for (size_t i = 0; i < self->n_queued; i++) {
        pending *request = &self->queue[(self->queue_at + i) % MAX_IN_FLIGHT];
        request->is_cancelled = request->is_cancelled || request->id == id;
    }
    return PIE_OK;
}

static int replay_wait_fd(void *instance, int32_t *ret_timeout_ms)
{
    const replay *self = instance;
    *ret_timeout_ms = self->n_queued ? 0 : -1;
    return -1;
}

static const pie_option replay_options[] = {
    {.name = "path",
     .type = PIE_OPTION_PATH,
     .flags = PIE_OPTION_REQUIRED | PIE_OPTION_EXECUTION, /* its content is in run.json */
     .help = "recorded answers, JSONL in PIE's form"},
    {.name = "field",
     .type = PIE_OPTION_STRING,
     .fallback = "\"generated_answers\"",
     .choices = "generated_answers|raw_replies",
     .help = "which list of a row: the programs, or the replies that still hold them"},
    {.name = "strict",
     .type = PIE_OPTION_BOOL,
     .flags = PIE_OPTION_EXECUTION,
     .fallback = "false",
     .help = "a missing row or answer fails the run, instead of counting as incorrect"},
    {0},
};

static const pie_backend_ops replay_ops = {
    .capabilities = PIE_BACKEND_CHAT | PIE_BACKEND_RAW | PIE_BACKEND_SEED | PIE_BACKEND_OFFLINE,
    .create = replay_create,
    .destroy = replay_destroy,
    .submit = replay_submit,
    .poll = replay_poll,
    .cancel = replay_cancel,
    .wait_fd = replay_wait_fd,
};

static const pie_plugin replay_plugin = {
    .kind = PIE_KIND_BACKEND,
    .id = "org.pie.replay",
    .version = "1.0.0",
    .summary = "Answers that were recorded before, from a JSONL file.",
    .licence = "MIT",
    .options = replay_options,
    .ops = &replay_ops,
};

PIE_MODULE(&replay_plugin);
