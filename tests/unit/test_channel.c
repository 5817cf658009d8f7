/* test_channel.c - messages between processes, and the index of keys. */
#include "pipeline/channel.h"
#include "pipeline/index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void pair(pie_channel **a, pie_channel **b)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(pie_channel_new(fds[0], a), PIE_OK);
    assert_int_equal(pie_channel_new(fds[1], b), PIE_OK);
}

/* Far more than a socket buffer holds, before anybody reads: sending never blocks, nothing is lost.
 */
static void sending_never_blocks(void **state)
{
    (void)state;
    pie_channel *a = NULL, *b = NULL;
    pair(&a, &b);
    enum { N = 20000 };
    for (int i = 0; i < N; i++)
        assert_int_equal(
            pie_channel_send(a, json_pack("{s:i,s:s}", "i", i, "text", "some text to fill it")),
            PIE_OK);
    assert_true(pie_channel_wants_write(a));
    for (int i = 0; i < N; i++) {
        json_t *message = NULL;
        pie_status status;
        while ((status = pie_channel_receive(b, false, &message)) == PIE_ERR_AGAIN)
            assert_int_equal(pie_channel_flush(a), PIE_OK);
        assert_int_equal(status, PIE_OK);
        assert_int_equal(json_integer_value(json_object_get(message, "i")), i);
        json_decref(message);
    }
    assert_false(pie_channel_wants_write(a));
    pie_channel_free(a);
    json_t *message = NULL;
    assert_int_equal(pie_channel_receive(b, true, &message), PIE_ERR_CRASHED);
    assert_int_equal(pie_channel_send(b, json_object()), PIE_ERR_CRASHED);
    pie_channel_free(b);
}

static void a_message_may_come_byte_by_byte(void **state)
{
    (void)state;
    int fds[2];
    pie_channel *b = NULL;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(pie_channel_new(fds[1], &b), PIE_OK);
    static const char bytes[] = "\x07\0\0\0{\"a\":1}\x02\0\0\0{}";
    json_t *message = NULL;
    size_t n_messages = 0;
    for (size_t i = 0; i < sizeof bytes - 1; i++) {
        assert_int_equal(write(fds[0], bytes + i, 1), 1);
        if (pie_channel_receive(b, false, &message) == PIE_OK) {
            n_messages++;
            json_decref(message);
        }
    }
    assert_int_equal(n_messages, 2);
    assert_int_equal(write(fds[0], "\xff\xff\xff\x7f", 4), 4);
    assert_int_equal(pie_channel_receive(b, false, &message), PIE_ERR_DATA);
    close(fds[0]);
    pie_channel_free(b);
}

static void index_finds_every_key_and_no_other(void **state)
{
    (void)state;
    pie_index index = {0};
    pie_record_place place;
    pie_key key;
    char text[32];
    enum { N = 5000 };
    for (int i = 0; i < N; i++) {
        snprintf(text, sizeof text, "%d", i);
        const char *const fields[] = {"program", text};
        assert_int_equal(pie_key_of(fields, 2, &key), PIE_OK);
        assert_false(pie_index_get(&index, key, &place));
        assert_int_equal(pie_index_put(&index, key, (pie_record_place){(uint64_t)i, 1, 2}), PIE_OK);
    }
    for (int i = 0; i < N; i++) {
        snprintf(text, sizeof text, "%d", i);
        const char *const fields[] = {"program", text};
        assert_int_equal(pie_key_of(fields, 2, &key), PIE_OK);
        assert_int_equal(pie_index_put(&index, key, (pie_record_place){(uint64_t)i + 7, 1, 2}),
                         PIE_OK);
        assert_true(pie_index_get(&index, key, &place));
        assert_int_equal(place.offset, i + 7); /* the newest counts */
    }
    assert_int_equal(index.n, N);
    pie_index_free(&index);
    assert_false(pie_index_get(&index, key, &place));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sending_never_blocks),
        cmocka_unit_test(a_message_may_come_byte_by_byte),
        cmocka_unit_test(index_finds_every_key_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
