/* dataset.c */
#include "dataset/dataset.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CHUNK_BYTES = 256 * 1024,
    MAX_LINE_BYTES = 64 * 1024 * 1024,
    KEEP_LINE_BYTES = 1024 * 1024, /* a longer line gives its memory back */
    MAX_NAME_BYTES = 200
};

struct pie_dataset {
    char *path;
    const pie_log *log; /* borrowed */
    int fd;
    int rewind_errno;
    char *chunk;
    size_t chunk_at, chunk_end;
    bool end_of_file;
    size_t line, n_rows;
    pie_buf text; /* the line */
    json_t *json; /* its content, which the row points into */
    pie_dataset_test *tests;
    size_t tests_capacity;
    pie_dataset_reference *references;
    size_t references_capacity;
    pie_dataset_row row;
};

pie_status pie_dataset_open(const char *path, const pie_log *log, pie_dataset **ret_dataset)
{
    pie_status status = PIE_ERR_NOMEM;
    pie_dataset *dataset = calloc(1, sizeof *dataset);
    if (!dataset)
        return pie_log_nomem(log);
    dataset->log = log;
    dataset->fd = -1;
    dataset->path = strdup(path);
    dataset->chunk = malloc(CHUNK_BYTES);
    if (!dataset->path || !dataset->chunk) {
        pie_log_nomem(log);
        goto cleanup;
    }
    dataset->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (dataset->fd < 0) {
        status = pie_log_errno(log, path);
        goto cleanup;
    }
    *ret_dataset = dataset;
    dataset = NULL;
    status = PIE_OK;
cleanup:
    pie_dataset_close(dataset);
    return status;
}

void pie_dataset_close(pie_dataset *dataset)
{
    if (!dataset)
        return;
    if (dataset->fd >= 0)
        close(dataset->fd);
    json_decref(dataset->json);
    pie_buf_free(&dataset->text);
    free(dataset->tests);
    free(dataset->references);
    free(dataset->chunk);
    free(dataset->path);
    free(dataset);
}

void pie_dataset_rewind(pie_dataset *dataset)
{
    dataset->rewind_errno = lseek(dataset->fd, 0, SEEK_SET) == 0 ? 0 : errno;
    dataset->chunk_at = dataset->chunk_end = 0;
    dataset->end_of_file = false;
    dataset->line = dataset->n_rows = 0;
}

size_t pie_dataset_line(const pie_dataset *dataset)
{
    return dataset->line;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static pie_status malformed(const pie_dataset *dataset, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static pie_status malformed(const pie_dataset *dataset, const char *format, ...)
{
    pie_buf what = {0};
    va_list args;
    va_start(args, format);
    const pie_status status = pie_buf_vprintf(&what, format, args);
    va_end(args);
    if (status == PIE_OK)
        pie_log_error(dataset->log, "%s:%zu: %s", dataset->path, dataset->line,
                      pie_buf_text(&what));
    pie_buf_free(&what);
    return status == PIE_OK ? PIE_ERR_DATA : pie_log_nomem(dataset->log);
}

/* More bytes into an empty chunk. PIE_ERR_AGAIN at the end of the file. */
static pie_status fill_chunk(pie_dataset *dataset)
{
    if (dataset->rewind_errno) {
        errno = dataset->rewind_errno;
        return pie_log_errno(dataset->log, dataset->path);
    }
    ssize_t n = 0;
    if (!dataset->end_of_file)
        do
            n = read(dataset->fd, dataset->chunk, CHUNK_BYTES);
        while (n < 0 && errno == EINTR);
    if (n < 0)
        return pie_log_errno(dataset->log, dataset->path);
    dataset->chunk_at = 0;
    dataset->chunk_end = (size_t)n;
    dataset->end_of_file = n == 0;
    return n == 0 ? PIE_ERR_AGAIN : PIE_OK;
}

/* The next line into dataset->text, without its end. PIE_ERR_AGAIN: there is none. A line that is
 * too long is skipped whole and named. */
static pie_status read_line(pie_dataset *dataset)
{
    bool any = false, too_long = false;
    if (dataset->text.capacity > KEEP_LINE_BYTES)
        pie_buf_free(&dataset->text);
    pie_buf_clear(&dataset->text);
    dataset->line++;
    for (bool complete = false; !complete;) {
        if (dataset->chunk_at == dataset->chunk_end) {
            const pie_status status = fill_chunk(dataset);
            if (status == PIE_ERR_AGAIN && any)
                break; /* the last line has no end */
            if (status != PIE_OK)
                return status;
        }
        const char *start = dataset->chunk + dataset->chunk_at;
        const char *end = memchr(start, '\n', dataset->chunk_end - dataset->chunk_at);
        complete = end != NULL;
        const size_t n = complete ? (size_t)(end - start) : dataset->chunk_end - dataset->chunk_at;
        dataset->chunk_at += n + complete;
        any = true;
        too_long = too_long || n > MAX_LINE_BYTES - dataset->text.n;
        if (!too_long && pie_buf_add(&dataset->text, start, n) != PIE_OK)
            return pie_log_nomem(dataset->log);
    }
    if (too_long)
        return malformed(dataset, "the line is longer than %d MiB", MAX_LINE_BYTES >> 20);
    if (dataset->text.n > 0 && dataset->text.data[dataset->text.n - 1] == '\r')
        dataset->text.data[--dataset->text.n] = '\0';
    return PIE_OK;
}

static bool is_blank(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            return false;
    return true;
}

/* ---- values ---------------------------------------------------------------------------------- */

static const char *kind_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a number with a fraction";
    case JSON_NULL:
        return "null";
    default:
        return "true or false";
    }
}

/* Value of @key; NULL when it is absent or null, which mean the same. */
static json_t *value_of(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

/* An optional string: *@ret is NULL when it is absent. */
static pie_status take_string(const pie_dataset *dataset, const json_t *object, const char *key,
                              const char **ret)
{
    const json_t *value = value_of(object, key);
    if (value && !json_is_string(value))
        return malformed(dataset, "%s is %s; it must be a string", key, kind_of(value));
    *ret = json_string_value(value);
    return PIE_OK;
}

static pie_status take_filled_string(const pie_dataset *dataset, const json_t *object,
                                     const char *key, const char **ret)
{
    const char *text = NULL;
    const pie_status status = take_string(dataset, object, key, &text);
    if (status != PIE_OK)
        return status;
    if (!text || !*text)
        return malformed(dataset, "%s is %s", key, text ? "empty" : "missing");
    *ret = text;
    return PIE_OK;
}

/* The ids name folders and files. */
static pie_status take_name(const pie_dataset *dataset, const json_t *object, const char *key,
                            const char **ret)
{
    const char *name = NULL;
    const pie_status status = take_filled_string(dataset, object, key, &name);
    if (status != PIE_OK)
        return status;
    bool is_plain = strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
    size_t n = 0;
    for (; name[n]; n++)
        is_plain = is_plain && name[n] != '/' && (unsigned char)name[n] >= 0x20 && name[n] != 0x7f;
    if (!is_plain || n > MAX_NAME_BYTES)
        return malformed(
            dataset,
            "%s \"%.60s%s\" is no plain file name (at most %d bytes, no '/', no control "
            "characters, not \".\" or \"..\")",
            key, name, n > 60 ? "..." : "", MAX_NAME_BYTES);
    *ret = name;
    return PIE_OK;
}

/* An optional list: *@ret is NULL when it is absent. */
static pie_status take_list(const pie_dataset *dataset, const json_t *object, const char *key,
                            const json_t **ret)
{
    const json_t *value = value_of(object, key);
    if (value && !json_is_array(value))
        return malformed(dataset, "%s is %s; it must be a list", key, kind_of(value));
    *ret = value;
    return PIE_OK;
}

/* Room for @n items of @size bytes in *@items. */
static pie_status make_room(void **items, size_t *capacity, size_t n, size_t size,
                            const pie_log *log)
{
    if (n <= *capacity)
        return PIE_OK;
    void *more = reallocarray(*items, n, size);
    if (!more)
        return pie_log_nomem(log);
    *items = more;
    *capacity = n;
    return PIE_OK;
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* Item @i of the list called @key as the number of a test. */
static pie_status take_number(const pie_dataset *dataset, const json_t *list, const char *key,
                              size_t i, int64_t *ret)
{
    const json_t *value = json_array_get(list, i);
    if (!json_is_integer(value))
        return malformed(dataset, "%s[%zu] is %s; it must be an integer", key, i, kind_of(value));
    if (json_integer_value(value) < 0)
        return malformed(dataset, "%s[%zu] is negative", key, i);
    *ret = json_integer_value(value);
    return PIE_OK;
}

static pie_status take_level(const pie_dataset *dataset, const json_t *list, size_t i, int32_t *ret)
{
    int64_t level = 0;
    const pie_status status = take_number(dataset, list, "test_levels", i, &level);
    if (status == PIE_OK && level > INT32_MAX)
        return malformed(dataset, "test_levels[%zu] is too large", i);
    *ret = (int32_t)level;
    return status;
}

static pie_status take_weight(const pie_dataset *dataset, const json_t *list, size_t i, double *ret)
{
    const json_t *value = json_array_get(list, i);
    const double weight = json_number_value(value);
    if (!json_is_number(value) || !isfinite(weight) || weight < 0)
        return malformed(dataset, "test_weights[%zu] must be a number that is not negative", i);
    *ret = weight;
    return PIE_OK;
}

static int by_number(const void *a, const void *b)
{
    const pie_dataset_test *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

/* test_levels and test_weights go with `tests`, item by item. */
static pie_status check_parallel(const pie_dataset *dataset, const json_t *list, const char *key,
                                 const json_t *tests)
{
    if (!list || json_array_size(list) == json_array_size(tests))
        return PIE_OK;
    return malformed(dataset, "%s has %zu items, tests has %zu; they go together", key,
                     json_array_size(list), json_array_size(tests));
}

static pie_status take_tests(pie_dataset *dataset, const json_t *object)
{
    const json_t *tests = NULL, *publics = NULL, *levels = NULL, *weights = NULL;
    pie_status status = take_list(dataset, object, "tests", &tests);
    if (status == PIE_OK)
        status = take_list(dataset, object, "public_tests", &publics);
    if (status == PIE_OK)
        status = take_list(dataset, object, "test_levels", &levels);
    if (status == PIE_OK)
        status = take_list(dataset, object, "test_weights", &weights);
    if (status == PIE_OK)
        status = check_parallel(dataset, levels, "test_levels", tests);
    if (status == PIE_OK)
        status = check_parallel(dataset, weights, "test_weights", tests);
    if (status != PIE_OK)
        return status;
    const size_t n_listed = json_array_size(tests), n_public = json_array_size(publics);
    if (n_listed + n_public == 0)
        return malformed(dataset, "the row has no tests; `tests` must list at least one number");
    void *room = dataset->tests;
    status = make_room(&room, &dataset->tests_capacity, n_listed + n_public, sizeof *dataset->tests,
                       dataset->log);
    dataset->tests = room;
    for (size_t i = 0; status == PIE_OK && i < n_listed; i++) {
        pie_dataset_test *test = &dataset->tests[i];
        *test = (pie_dataset_test){.weight = 1.0};
        status = take_number(dataset, tests, "tests", i, &test->number);
        if (status == PIE_OK && levels)
            status = take_level(dataset, levels, i, &test->level);
        if (status == PIE_OK && weights)
            status = take_weight(dataset, weights, i, &test->weight);
    }
    if (status != PIE_OK)
        return status;
    qsort(dataset->tests, n_listed, sizeof *dataset->tests, by_number);
    for (size_t i = 1; i < n_listed; i++)
        if (dataset->tests[i].number == dataset->tests[i - 1].number)
            return malformed(dataset, "tests lists %" PRId64 " twice", dataset->tests[i].number);

    /* A public test that `tests` does not list is a test all the same. */
    size_t n = n_listed;
    for (size_t i = 0; i < n_public; i++) {
        pie_dataset_test want = {.is_public = true, .weight = 1.0};
        status = take_number(dataset, publics, "public_tests", i, &want.number);
        if (status != PIE_OK)
            return status;
        pie_dataset_test *listed =
            n_listed ? bsearch(&want, dataset->tests, n_listed, sizeof want, by_number) : NULL;
        if (listed)
            listed->is_public = true;
        else
            dataset->tests[n++] = want;
    }
    qsort(dataset->tests, n, sizeof *dataset->tests, by_number);
    size_t kept = 1;
    for (size_t i = 1; i < n; i++) /* public_tests may name one twice */
        if (dataset->tests[i].number != dataset->tests[kept - 1].number)
            dataset->tests[kept++] = dataset->tests[i];
    dataset->row.tests = dataset->tests;
    dataset->row.n_tests = kept;
    return PIE_OK;
}

static pie_status take_references(pie_dataset *dataset, const json_t *object)
{
    const json_t *list = NULL;
    pie_status status = take_list(dataset, object, "references", &list);
    const size_t n = json_array_size(list);
    void *room = dataset->references;
    if (status == PIE_OK)
        status = make_room(&room, &dataset->references_capacity, n, sizeof *dataset->references,
                           dataset->log);
    dataset->references = room;
    for (size_t i = 0; status == PIE_OK && i < n; i++) {
        const json_t *item = json_array_get(list, i);
        pie_dataset_reference *reference = &dataset->references[i];
        if (!json_is_object(item))
            return malformed(dataset,
                             "references[%zu] is %s; it must be an object {id, role, code}", i,
                             kind_of(item));
        reference->id = json_string_value(json_object_get(item, "id"));
        reference->role = json_string_value(json_object_get(item, "role"));
        reference->code = json_string_value(json_object_get(item, "code"));
        const char *missing = !reference->id     ? "id"
                              : !reference->role ? "role"
                              : !reference->code ? "code"
                                                 : NULL;
        if (missing)
            return malformed(dataset, "references[%zu].%s must be a string", i, missing);
    }
    if (status != PIE_OK)
        return status;
    dataset->row.references = dataset->references;
    dataset->row.n_references = n;
    return PIE_OK;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static pie_status parse_row(pie_dataset *dataset, const char *text, size_t n_text)
{
    json_error_t error;
    json_decref(dataset->json);
    dataset->json = json_loadb(text, n_text, JSON_REJECT_DUPLICATES, &error);
    if (!dataset->json && json_error_code(&error) == json_error_out_of_memory)
        return pie_log_nomem(dataset->log);
    if (!dataset->json)
        return malformed(dataset, "not a JSON object: %s (column %d)", error.text, error.column);
    const json_t *json = dataset->json;
    if (!json_is_object(json))
        return malformed(dataset, "the row is %s; it must be an object", kind_of(json));

    dataset->row = (pie_dataset_row){.line = dataset->line, .text = text, .n_text = n_text};
    pie_dataset_row *row = &dataset->row;
    const char *language = NULL;
    pie_status status = take_name(dataset, json, "problem_id", &row->problem_id);
    if (status == PIE_OK)
        status = take_name(dataset, json, "src_id", &row->src_id);
    if (status == PIE_OK)
        status = take_filled_string(dataset, json, "src_code", &row->src_code);
    if (status == PIE_OK)
        status = take_string(dataset, json, "tgt_id", &row->tgt_id);
    if (status == PIE_OK)
        status = take_string(dataset, json, "tgt_code", &row->tgt_code);
    if (status == PIE_OK)
        status = take_string(dataset, json, "description", &row->description);
    if (status == PIE_OK)
        status = take_string(dataset, json, "language", &language);
    if (status != PIE_OK)
        return status;
    row->language = language ? pie_language_of(language) : "c++"; /* PIE's data is C++ */
    if (!row->language)
        return malformed(dataset, "language \"%.40s\" is neither C nor C++", language);
    status = take_tests(dataset, json);
    return status == PIE_OK ? take_references(dataset, json) : status;
}

pie_status pie_dataset_next(pie_dataset *dataset, const pie_dataset_row **ret_row)
{
    for (;;) {
        pie_status status = read_line(dataset);
        if (status != PIE_OK)
            return status;
        const char *text = pie_buf_text(&dataset->text);
        size_t n = dataset->text.n;
        if (dataset->line == 1 && n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
            text += 3;
            n -= 3;
        }
        if (is_blank(text, n))
            continue;
        status = parse_row(dataset, text, n);
        if (status != PIE_OK)
            return status;
        dataset->row.ordinal = dataset->n_rows++;
        *ret_row = &dataset->row;
        return PIE_OK;
    }
}

/* ---- names ----------------------------------------------------------------------------------- */

/* Is @word, of @n bytes, @base with at most a year or version behind it ("cpp17", "c++2a")? */
static bool is_word(const char *word, size_t n, const char *base)
{
    const size_t n_base = strlen(base);
    if (n < n_base || memcmp(word, base, n_base) != 0)
        return false;
    const char *version = word + n_base;
    return n == n_base ||
           (n == n_base + 2 && version[0] >= '0' && version[0] <= '9' &&
            ((version[1] >= '0' && version[1] <= '9') || (version[1] >= 'a' && version[1] <= 'z')));
}

const char *pie_language_of(const char *spelling)
{
    static const char *const qualifiers[] = {"gnu",   "ansi", "iso", "ms",   "microsoft", "visual",
                                             "clang", "gcc",  "std", "lang", "language"};
    static const char *const cpp[] = {"c++", "cpp",   "cxx",     "cc",
                                      "g++", "gnu++", "clang++", "cplusplus"};
    static const char *const c[] = {"c", "gnu"};
    static const char separators[] = " \t\r\n_()[]=,:;";
    char lower[64];
    size_t n = 0;
    for (; spelling[n] && n + 1 < sizeof lower; n++)
        lower[n] =
            (char)(spelling[n] >= 'A' && spelling[n] <= 'Z' ? spelling[n] + 32 : spelling[n]);
    lower[n] = '\0';

    /* The first word that is no mere qualifier decides: "GNU C++17 (64)", "C (GCC 9.2.1)". */
    for (const char *word = lower; *(word += strspn(word, separators));) {
        const size_t n_word = strcspn(word, separators);
        bool is_qualifier = false;
        for (size_t i = 0; i < sizeof qualifiers / sizeof *qualifiers; i++)
            is_qualifier = is_qualifier || (strlen(qualifiers[i]) == n_word &&
                                            memcmp(word, qualifiers[i], n_word) == 0);
        for (size_t i = 0; !is_qualifier && i < sizeof cpp / sizeof *cpp; i++)
            if (is_word(word, n_word, cpp[i]))
                return "c++";
        for (size_t i = 0; !is_qualifier && i < sizeof c / sizeof *c; i++)
            if (is_word(word, n_word, c[i]))
                return "c";
        if (!is_qualifier)
            return NULL;
        word += n_word;
    }
    return NULL;
}

char *pie_dataset_test_path(const char *tests_folder, const char *problem_id, int64_t number,
                            bool output)
{
    return pie_strf("%s/%s/%s.%" PRId64 ".txt", tests_folder, problem_id,
                    output ? "output" : "input", number);
}
