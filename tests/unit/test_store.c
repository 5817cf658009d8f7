/* test_store.c - the run folder: records survive crashes, blobs are what their names say. */
#include "base/file.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct fixture {
    char folder[32];
    pie_store *store;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/pie-store-XXXXXX");
    if (!mkdtemp(f->folder) || pie_store_open(f->folder, true, &pie_log_none, &f->store) != PIE_OK)
        return -1;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    pie_store_close(f->store);
    pie_folder_remove(f->folder, &pie_log_none);
    free(f);
    return 0;
}

static pie_store_writer *new_writer(fixture *f)
{
    pie_store_writer *writer = NULL;
    assert_int_equal(pie_store_writer_new(f->store, "run", &writer), PIE_OK);
    return writer;
}

static void append(pie_store_writer *writer, int number, pie_record_place *place)
{
    json_t *record =
        json_pack("{s:i,s:s}", "number", number, "text", "tab\t newline\n \"quote\" \xc3\xa9");
    assert_int_equal(pie_store_append(writer, record, place), PIE_OK);
    json_decref(record);
}

typedef struct seen {
    int numbers[64];
    size_t n;
    pie_record_place places[64];
} seen;

static pie_status see(void *context, const char *text, size_t n, const pie_record_place *place)
{
    seen *self = context;
    json_t *record = json_loadb(text, n, 0, NULL);
    assert_non_null(record);
    self->places[self->n] = *place;
    self->numbers[self->n++] = (int)json_integer_value(json_object_get(record, "number"));
    json_decref(record);
    return PIE_OK;
}

static seen scan(fixture *f, size_t want_torn)
{
    seen all = {.n = 0};
    size_t torn = 99;
    assert_int_equal(pie_store_scan(f->store, see, &all, &torn), PIE_OK);
    assert_int_equal(torn, want_torn);
    return all;
}

static char *only_segment(fixture *f)
{
    char *path = pie_path_join(f->folder, "seg");
    DIR *folder = opendir(path);
    char *found = NULL;
    for (const struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_name[0] != '.')
            found = pie_strf("%s/%s", path, entry->d_name);
    closedir(folder);
    free(path);
    assert_non_null(found);
    return found;
}

static void records_come_back_in_order(void **state)
{
    fixture *f = *state;
    pie_store_writer *writer = new_writer(f);
    pie_record_place place;
    for (int i = 0; i < 10; i++)
        append(writer, i, &place);
    json_t *last = NULL; /* readable at once, by the place that append gave */
    assert_int_equal(pie_store_read(f->store, &place, &last), PIE_OK);
    assert_int_equal(json_integer_value(json_object_get(last, "number")), 9);
    json_decref(last);
    const seen all = scan(f, 0);
    assert_int_equal(all.n, 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(all.numbers[i], i);
    json_t *third = NULL;
    assert_int_equal(pie_store_read(f->store, &all.places[3], &third), PIE_OK);
    assert_string_equal(json_string_value(json_object_get(third, "text")),
                        "tab\t newline\n \"quote\" \xc3\xa9");
    json_decref(third);
    pie_store_writer_close(writer);
}

/* A crash can cut the file at any byte: every cut loses the torn record and no other. */
static void any_cut_loses_one_record_at_most(void **state)
{
    fixture *f = *state;
    pie_store_writer *writer = new_writer(f);
    for (int i = 0; i < 3; i++)
        append(writer, i, NULL);
    pie_store_writer_close(writer);
    char *path = only_segment(f);
    pie_buf whole = {0};
    assert_int_equal(pie_file_read(path, 1 << 20, &pie_log_none, &whole), PIE_OK);
    size_t ends[3], n_ends = 0;
    for (size_t i = 0; i < whole.n; i++)
        if (whole.data[i] == '\n')
            ends[n_ends++] = i + 1;
    assert_int_equal(n_ends, 3);
    for (size_t cut = 0; cut <= whole.n; cut++) {
        assert_int_equal(truncate(path, (off_t)cut), 0);
        size_t complete = 0;
        while (complete < 3 && ends[complete] <= cut)
            complete++;
        const bool torn = cut > (complete ? ends[complete - 1] : 0);
        assert_int_equal(scan(f, torn).n, complete);
        assert_int_equal(pie_file_replace(path, whole.data, whole.n, &pie_log_none), PIE_OK);
    }
    pie_buf_free(&whole);
    free(path);
}

static void a_changed_byte_is_noticed(void **state)
{
    fixture *f = *state;
    pie_store_writer *writer = new_writer(f);
    pie_record_place place;
    append(writer, 1, NULL);
    append(writer, 2, &place);
    append(writer, 3, NULL);
    char *path = only_segment(f);
    const int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "9", 1, (off_t)place.offset + 10), 1); /* {"number":2 */
    close(fd);
    const seen all = scan(f, 1);
    assert_int_equal(all.n, 2);
    assert_int_equal(all.numbers[1], 3);
    pie_store_writer_close(writer);
    free(path);
}

/* RLIMIT_FSIZE stands for a full disk: the write comes up short. */
static void a_full_disk_loses_only_what_did_not_fit(void **state)
{
    fixture *f = *state;
    pie_store_writer *writer = new_writer(f);
    pie_record_place place;
    append(writer, 1, NULL);
    append(writer, 2, &place);
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = place.offset + place.bytes + 40;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    json_t *record =
        json_pack("{s:i,s:s}", "number", 3, "text", "does not fit any more, whatever happens");
    assert_int_equal(pie_store_append(writer, record, NULL), PIE_ERR_IO);
    setrlimit(RLIMIT_FSIZE, &old);
    json_decref(record);
    assert_int_equal(scan(f, 0).n, 2);
    append(writer, 4, &place);
    json_t *fourth = NULL;
    const seen all = scan(f, 0);
    assert_int_equal(all.n, 3);
    assert_int_equal(all.numbers[2], 4);
    assert_int_equal(pie_store_read(f->store, &all.places[2], &fourth), PIE_OK);
    assert_int_equal(json_integer_value(json_object_get(fourth, "number")), 4);
    json_decref(fourth);
    pie_store_writer_close(writer);
}

static void folders_of_two_writers_merge_by_copying(void **state)
{
    fixture *f = *state;
    pie_store_writer *one = new_writer(f), *two = new_writer(f);
    append(one, 1, NULL);
    append(two, 2, NULL);
    append(one, 3, NULL);
    pie_store_writer_close(one);
    pie_store_writer_close(two);
    assert_int_equal(scan(f, 0).n, 3);
    pie_store_writer *unused = new_writer(f);
    pie_store_writer_close(unused); /* leaves no empty file behind */
    assert_int_equal(scan(f, 0).n, 3);
}

static void blobs_are_what_their_names_say(void **state)
{
    fixture *f = *state;
    pie_digest digest;
    char hex[PIE_DIGEST_HEX];
    assert_int_equal(pie_store_put(f->store, "a\0b", 3, &digest), PIE_OK);
    assert_int_equal(pie_store_put(f->store, "a\0b", 3, &digest), PIE_OK);
    pie_digest_hex(&digest, hex);
    pie_buf buf = {0};
    assert_int_equal(pie_store_get(f->store, hex, &pie_log_none, &buf), PIE_OK);
    assert_int_equal(buf.n, 3);
    assert_memory_equal(buf.data, "a\0b", 3);
    char *path = pie_strf("%s/blob/%.2s/%s", f->folder, hex, hex);
    assert_int_equal(pie_file_replace(path, "x", 1, &pie_log_none), PIE_OK);
    assert_int_equal(pie_store_get(f->store, hex, &pie_log_none, &buf), PIE_ERR_DATA);
    assert_int_equal(pie_store_get(f->store, "../../etc/passwd", &pie_log_none, &buf),
                     PIE_ERR_DATA);
    hex[0] = hex[0] == '0' ? '1' : '0';
    assert_int_equal(pie_store_get(f->store, hex, &pie_log_none, &buf), PIE_ERR_IO);
    free(path);
    pie_buf_free(&buf);
}

/* A power cut may leave a blob empty or short: putting it again mends it. */
static void a_short_blob_is_written_again(void **state)
{
    fixture *f = *state;
    pie_digest digest;
    pie_buf buf = {0};
    char hex[PIE_DIGEST_HEX], path[160];
    assert_int_equal(pie_store_put(f->store, "content", 7, &digest), PIE_OK);
    pie_digest_hex(&digest, hex);
    snprintf(path, sizeof path, "%s/blob/%.2s/%s", f->folder, hex, hex);
    assert_int_equal(truncate(path, 3), 0);
    assert_int_equal(pie_store_get(f->store, hex, &pie_log_none, &buf), PIE_ERR_DATA);
    assert_int_equal(pie_store_put(f->store, "content", 7, NULL), PIE_OK);
    pie_buf_clear(&buf);
    assert_int_equal(pie_store_get(f->store, hex, &pie_log_none, &buf), PIE_OK);
    assert_string_equal(pie_buf_text(&buf), "content");
    pie_buf_free(&buf);
}

static void a_strangers_folder_is_left_alone(void **state)
{
    fixture *f = *state;
    pie_store *store = NULL;
    char *other = pie_path_join(f->folder, "other"), *file = pie_path_join(other, "thesis.tex");
    assert_int_equal(pie_store_open(other, false, &pie_log_none, &store), PIE_ERR_CONFIG);
    assert_int_equal(pie_folder_make(other, &pie_log_none), PIE_OK);
    assert_int_equal(pie_file_replace(file, "", 0, &pie_log_none), PIE_OK);
    assert_int_equal(pie_store_open(other, true, &pie_log_none, &store), PIE_ERR_CONFIG);
    assert_int_equal(pie_store_open(file, true, &pie_log_none, &store), PIE_ERR_CONFIG);
    assert_null(store);
    free(other), free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records_come_back_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(any_cut_loses_one_record_at_most, setup, teardown),
        cmocka_unit_test_setup_teardown(a_changed_byte_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_loses_only_what_did_not_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(folders_of_two_writers_merge_by_copying, setup, teardown),
        cmocka_unit_test_setup_teardown(blobs_are_what_their_names_say, setup, teardown),
        cmocka_unit_test_setup_teardown(a_short_blob_is_written_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_strangers_folder_is_left_alone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
