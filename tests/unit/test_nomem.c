/* test_nomem.c - every allocation fails once: what the coordinator is made of says so, leaks
 * nothing (seen under sanitizers and valgrind) and works when it is asked again. */
#include "base/file.h"
#include "pipeline/channel.h"
#include "pipeline/index.h"
#include "pipeline/record.h"
#include "pipeline/work.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The linker sends libpie's calls here (tests/unit/CMakeLists.txt). */
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t n);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t n);
char *__wrap_strdup(const char *text);

static long until_failure = -1; /* -1: none fails */

static bool fails(void)
{
    return until_failure >= 0 && until_failure-- == 0;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t n)
{
    return fails() ? NULL : __real_realloc(old, n);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

/* Runs @scenario with its first, second, .. allocation failing, until none is left to fail. */
static void fail_each(pie_status (*scenario)(void))
{
    assert_int_equal(scenario(), PIE_OK);
    for (long n = 0;; n++) {
        until_failure = n;
        const pie_status status = scenario();
        const bool failed = until_failure < 0;
        until_failure = -1;
        if (!failed) {
            assert_int_equal(status, PIE_OK);
            assert_true(n > 0);
            return;
        }
        assert_int_equal(status, PIE_ERR_NOMEM);
    }
}

/* ---- the store ---- */

static const char *folder;

static pie_status visit(void *context, const char *text, size_t n, const pie_record_place *place)
{
    (void)text, (void)n;
    *(pie_record_place *)context = *place;
    return PIE_OK;
}

static pie_status use_store(void)
{
    pie_store *store = NULL;
    pie_store_writer *writer = NULL;
    pie_record_place place;
    pie_digest digest;
    pie_buf blob = {0};
    char hex[PIE_DIGEST_HEX];
    json_t *record = json_pack("{s:s}", "type", "result"), *again = NULL;
    pie_status status = pie_store_open(folder, true, &pie_log_none, &store);
    if (status == PIE_OK)
        status = pie_store_writer_new(store, "run", &writer);
    if (status == PIE_OK)
        status = pie_store_append(writer, record, &place);
    if (status == PIE_OK)
        status = pie_store_scan(store, visit, &place, NULL);
    if (status == PIE_OK)
        status = pie_store_read(store, &place, &again);
    if (status == PIE_OK)
        status = pie_store_put(store, "blob", 4, &digest);
    if (status == PIE_OK) {
        pie_digest_hex(&digest, hex);
        status = pie_store_get(store, hex, &pie_log_none, &blob);
    }
    if (status == PIE_OK)
        assert_true(json_equal(record, again));
    pie_buf_free(&blob);
    json_decref(again);
    json_decref(record);
    pie_store_writer_close(writer);
    pie_store_close(store);
    const long left = until_failure;
    until_failure = -1;
    assert_int_equal(pie_folder_remove(folder, &pie_log_none), PIE_OK);
    until_failure = left;
    return status;
}

static void the_store_says_so(void **state)
{
    (void)state;
    char path[] = "/tmp/pie-nomem-XXXXXX";
    assert_non_null(mkdtemp(path));
    folder = path;
    fail_each(use_store);
}

/* ---- rows in flight ---- */

static pie_status make_row(void)
{
    static const pie_dataset_test tests[] = {{.number = 1, .weight = 1},
                                             {.number = 2, .is_public = true, .weight = 1}};
    static const pie_dataset_reference references[] = {{"r", "human", "int main;"}};
    static const pie_dataset_row data = {.problem_id = "p",
                                         .src_id = "s",
                                         .src_code = "int main;",
                                         .tgt_id = "t",
                                         .tgt_code = "int main;",
                                         .description = "d",
                                         .tests = tests,
                                         .n_tests = 2,
                                         .references = references,
                                         .n_references = 1};
    pie_work_row *row = NULL;
    pie_status status = pie_work_row_new(&data, "c++", 3, &row);
    if (status == PIE_OK) {
        assert_int_equal(row->n_programs, 6);
        assert_int_equal(json_array_size(row->public_tests), 1);
        if (!pie_work_add(row, PIE_ROLE_SAMPLE, 0, ""))
            status = PIE_ERR_NOMEM;
    }
    pie_work_row_free(row);
    return status;
}

static void rows_say_so(void **state)
{
    (void)state;
    fail_each(make_row);
}

/* ---- channel, index, text ---- */

static pie_status send_message(void)
{
    int fds[2];
    pie_channel *a = NULL, *b = NULL;
    json_t *message = NULL;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    pie_status status = pie_channel_new(fds[0], &a);
    if (status != PIE_OK)
        close(fds[0]);
    if (status != PIE_OK || (status = pie_channel_new(fds[1], &b)) != PIE_OK)
        close(fds[1]);
    if (status == PIE_OK)
        status = pie_channel_send(a, json_pack("{s:s}", "event", "ready"));
    if (status == PIE_OK)
        status = pie_channel_receive(b, true, &message);
    json_decref(message);
    pie_channel_free(a);
    pie_channel_free(b);
    return status;
}

static pie_status fill_index(void)
{
    pie_index index = {0};
    pie_record_place place;
    pie_key key;
    pie_status status = PIE_OK;
    char text[16];
    for (int i = 0; status == PIE_OK && i < 600; i++) { /* grows once */
        const char *const fields[] = {text};
        snprintf(text, sizeof text, "%d", i);
        status = pie_key_of(fields, 1, &key);
        if (status == PIE_OK)
            status = pie_index_put(&index, key, (pie_record_place){(uint64_t)i, 0, 0});
        if (status == PIE_OK)
            assert_true(pie_index_get(&index, key, &place) && place.offset == (uint64_t)i);
    }
    pie_index_free(&index);
    return status;
}

static void channel_and_index_say_so(void **state)
{
    (void)state;
    fail_each(send_message);
    fail_each(fill_index);
}

static void any_bytes_become_json(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {{"", ""},
                 {"plain", "plain"},
                 {"\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9"},
                 {"cut \xe2\x82", "cut ??"},
                 {"\xff\xc3\xa9\xfe", "?\xc3\xa9?"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *json = pie_json_text(cases[i].text);
        assert_string_equal(json_string_value(json), cases[i].want);
        json_decref(json);
    }
    assert_true(json_is_null(pie_json_text(NULL)));
    until_failure = 0;
    assert_null(pie_json_text("text"));
    until_failure = -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_store_says_so),
        cmocka_unit_test(rows_say_so),
        cmocka_unit_test(channel_and_index_say_so),
        cmocka_unit_test(any_bytes_become_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
