/* test_base.c - buffers, digests, files. */
#include "base/buf.h"
#include "base/digest.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void buffer_keeps_a_terminator_at_every_size(void **state)
{
    (void)state;
    pie_buf buf = {0};
    assert_string_equal(pie_buf_text(&buf), "");
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(pie_buf_add(&buf, "x", 1), PIE_OK);
        assert_int_equal(strlen(pie_buf_text(&buf)), i + 1);
    }
    pie_buf_clear(&buf);
    assert_string_equal(pie_buf_text(&buf), "");
    assert_int_equal(pie_buf_printf(&buf, "%d-%s", 7, "seven"), PIE_OK);
    assert_string_equal(buf.data, "7-seven");
    assert_int_equal(pie_buf_reserve(&buf, SIZE_MAX - 3), PIE_ERR_NOMEM);
    assert_string_equal(buf.data, "7-seven");
    char *text = pie_buf_steal(&buf);
    assert_string_equal(text, "7-seven");
    assert_null(buf.data);
    free(text);
}

static void digest_is_sha256(void **state)
{
    (void)state;
    /* FIPS 180-2, appendix B.1, and the empty message. */
    static const struct {
        const char *text, *hex;
    } cases[] = {
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pie_digest digest, parsed;
        char hex[PIE_DIGEST_HEX];
        assert_int_equal(pie_digest_bytes(cases[i].text, strlen(cases[i].text), &digest), PIE_OK);
        pie_digest_hex(&digest, hex);
        assert_string_equal(hex, cases[i].hex);
        assert_int_equal(pie_digest_parse(hex, &parsed), PIE_OK);
        assert_memory_equal(&digest, &parsed, sizeof digest);
    }
    pie_digest digest;
    assert_int_equal(pie_digest_parse("abc", &digest), PIE_ERR_DATA);
    assert_int_equal(
        pie_digest_parse("ZZ7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                         &digest),
        PIE_ERR_DATA);
}

static pie_digest digest_of(const char *const *fields, size_t n)
{
    pie_hasher *hasher = NULL;
    pie_digest digest;
    assert_int_equal(pie_hasher_new(&hasher), PIE_OK);
    for (size_t i = 0; i < n; i++)
        pie_hasher_text(hasher, fields[i]);
    assert_int_equal(pie_hasher_finish(hasher, &digest), PIE_OK);
    pie_hasher_free(hasher);
    return digest;
}

static void fields_do_not_run_into_each_other(void **state)
{
    (void)state;
    const pie_digest a = digest_of((const char *const[]){"ab", "c"}, 2),
                     b = digest_of((const char *const[]){"a", "bc"}, 2),
                     c = digest_of((const char *const[]){"ab", NULL}, 2),
                     d = digest_of((const char *const[]){"ab", ""}, 2),
                     again = digest_of((const char *const[]){"ab", "c"}, 2);
    assert_memory_not_equal(&a, &b, sizeof a);
    assert_memory_not_equal(&c, &d, sizeof a);
    assert_memory_equal(&a, &again, sizeof a);
}

static void files_and_folders(void **state)
{
    (void)state;
    char folder[] = "/tmp/pie-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char *deep = pie_path_join(folder, "a/b/c"), *file = pie_path_join(deep, "file");
    assert_int_equal(pie_folder_make(deep, &pie_log_none), PIE_OK);
    assert_int_equal(pie_folder_make(deep, &pie_log_none), PIE_OK);
    assert_int_equal(pie_file_replace(file, "one", 3, &pie_log_none), PIE_OK);
    assert_int_equal(pie_file_replace(file, "second", 6, &pie_log_none), PIE_OK);
    pie_buf buf = {0};
    assert_int_equal(pie_file_read(file, 6, &pie_log_none, &buf), PIE_OK);
    assert_string_equal(buf.data, "second");
    pie_buf_clear(&buf);
    assert_int_equal(pie_file_read(file, 5, &pie_log_none, &buf), PIE_ERR_LIMIT);
    pie_buf_clear(&buf);
    assert_int_equal(pie_file_read(folder, 5, &pie_log_none, &buf), PIE_ERR_IO);
    assert_int_equal(pie_file_read("/nowhere/at/all", 5, &pie_log_none, &buf), PIE_ERR_IO);
    assert_int_equal(pie_folder_make(file, &pie_log_none), PIE_ERR_IO); /* a file is no folder */

    /* Removing never follows a link out of the folder. */
    char *outside = pie_strf("%s-outside", folder), *link = pie_path_join(folder, "link");
    char *kept = pie_path_join(outside, "kept");
    assert_int_equal(pie_folder_make(outside, &pie_log_none), PIE_OK);
    assert_int_equal(pie_file_replace(kept, "", 0, &pie_log_none), PIE_OK);
    assert_int_equal(symlink(outside, link), 0);
    assert_int_equal(pie_folder_remove(folder, &pie_log_none), PIE_OK);
    assert_int_equal(access(folder, F_OK), -1);
    assert_int_equal(access(kept, F_OK), 0);
    assert_int_equal(pie_folder_remove(folder, &pie_log_none), PIE_OK);
    assert_int_equal(pie_folder_remove(outside, &pie_log_none), PIE_OK);
    free(deep), free(file), free(outside), free(link), free(kept);
    pie_buf_free(&buf);
}

static void programs_are_found_on_the_path(void **state)
{
    (void)state;
    char *sh = pie_path_find_program("sh");
    assert_non_null(sh);
    assert_int_equal(sh[0], '/');
    free(sh);
    assert_null(pie_path_find_program("no-such-program-here"));
    assert_null(pie_path_find_program("/tmp")); /* a folder is no program */
    assert_null(pie_path_find_program(""));
}

static void sealed_memory_cannot_be_changed(void **state)
{
    (void)state;
    const int fd = pie_memfd("test", "bytes", 5, false);
    assert_true(fd >= 0);
    char bytes[8] = "";
    assert_int_equal(read(fd, bytes, sizeof bytes), 5);
    assert_string_equal(bytes, "bytes");
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffer_keeps_a_terminator_at_every_size),
        cmocka_unit_test(digest_is_sha256),
        cmocka_unit_test(fields_do_not_run_into_each_other),
        cmocka_unit_test(files_and_folders),
        cmocka_unit_test(programs_are_found_on_the_path),
        cmocka_unit_test(sealed_memory_cannot_be_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
