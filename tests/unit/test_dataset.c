/* test_dataset.c - the JSONL reader: what it takes, what it refuses and how, and how much memory it
 * needs. */
#include "base/file.h"
#include "dataset/dataset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef struct fixture {
    char path[64];
    char messages[4096]; /* one line each */
    pie_log log;
} fixture;

static void keep_message(void *context, int32_t level, const char *line)
{
    fixture *f = context;
    const size_t n = strlen(f->messages);
    (void)level;
    snprintf(f->messages + n, sizeof f->messages - n, "%s\n", line);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    if (!f)
        return -1;
    snprintf(f->path, sizeof f->path, "/tmp/pie-dataset-XXXXXX");
    const int fd = mkstemp(f->path);
    if (fd < 0)
        return -1;
    close(fd);
    f->log = (pie_log){keep_message, f, PIE_LOG_INFO};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    unlink(f->path);
    free(f);
    return 0;
}

static pie_dataset *open_text(fixture *f, const void *text, size_t n)
{
    pie_dataset *dataset = NULL;
    f->messages[0] = '\0';
    assert_int_equal(pie_file_replace(f->path, text, n, &f->log), PIE_OK);
    assert_int_equal(pie_dataset_open(f->path, &f->log, &dataset), PIE_OK);
    return dataset;
}

#define IDS "\"problem_id\":\"p1\",\"src_id\":\"s1\",\"src_code\":\"int main(){}\""

static void reads_every_field(void **state)
{
    fixture *f = *state;
    static const char text[] =
        "{" IDS ",\"tgt_id\":\"t1\",\"tgt_code\":\"int main(){;}\",\"language\":\"GNU C++17\","
        "\"tests\":[3,1,20],\"public_tests\":[20,4,4],\"test_levels\":[2,0,1],\"test_weights\":[0."
        "5,2,0],"
        "\"description\":\"do "
        "it\",\"references\":[{\"id\":\"r1\",\"role\":\"fastest\",\"code\":\"x\"}],"
        "\"cpu_time\":12.5}\n";
    const pie_dataset_row *row = NULL;
    pie_dataset *dataset = open_text(f, text, strlen(text));
    assert_int_equal(pie_dataset_next(dataset, &row), PIE_OK);
    assert_int_equal(row->line, 1);
    assert_int_equal(row->ordinal, 0);
    assert_int_equal(row->n_text, strlen(text) - 1);
    assert_memory_equal(row->text, text, row->n_text);
    assert_string_equal(row->problem_id, "p1");
    assert_string_equal(row->src_id, "s1");
    assert_string_equal(row->src_code, "int main(){}");
    assert_string_equal(row->tgt_id, "t1");
    assert_string_equal(row->tgt_code, "int main(){;}");
    assert_string_equal(row->language, "c++");
    assert_string_equal(row->description, "do it");
    static const pie_dataset_test want[] = {
        {1, 0, false, 2}, {3, 2, false, 0.5}, {4, 0, true, 1}, {20, 1, true, 0}};
    assert_int_equal(row->n_tests, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(row->tests[i].number, want[i].number);
        assert_int_equal(row->tests[i].level, want[i].level);
        assert_int_equal(row->tests[i].is_public, want[i].is_public);
        assert_true(row->tests[i].weight == want[i].weight);
    }
    assert_int_equal(row->n_references, 1);
    assert_string_equal(row->references[0].id, "r1");
    assert_string_equal(row->references[0].role, "fastest");
    assert_string_equal(row->references[0].code, "x");
    assert_int_equal(pie_dataset_next(dataset, &row), PIE_ERR_AGAIN);
    assert_int_equal(pie_dataset_next(dataset, &row), PIE_ERR_AGAIN);
    assert_string_equal(f->messages, "");
    pie_dataset_close(dataset);
}

static void optional_fields_may_be_absent_or_null(void **state)
{
    fixture *f = *state;
    static const char text[] =
        "{" IDS ",\"tests\":[0]}\n"
        "{" IDS ",\"tests\":null,\"public_tests\":[5],\"tgt_id\":null,\"tgt_code\":null,"
        "\"language\":null,\"description\":null,\"references\":null,\"test_levels\":null}\n";
    const pie_dataset_row *row = NULL;
    pie_dataset *dataset = open_text(f, text, strlen(text));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pie_dataset_next(dataset, &row), PIE_OK);
        assert_int_equal(row->ordinal, i);
        assert_null(row->tgt_id);
        assert_null(row->tgt_code);
        assert_null(row->description);
        assert_string_equal(row->language, "c++");
        assert_int_equal(row->n_references, 0);
        assert_int_equal(row->n_tests, 1);
        assert_int_equal(row->tests[0].number, i == 0 ? 0 : 5);
        assert_int_equal(row->tests[0].is_public, i == 1);
        assert_int_equal(row->tests[0].level, 0);
        assert_true(row->tests[0].weight == 1.0);
    }
    pie_dataset_close(dataset);
}

static void tolerates_bom_crlf_and_blank_lines(void **state)
{
    fixture *f = *state;
    static const char text[] =
        "\xef\xbb\xbf{" IDS ",\"tests\":[0]}\r\n\r\n   \n\t\n{" IDS ",\"tests\":[1]}";
    const pie_dataset_row *row = NULL;
    pie_dataset *dataset = open_text(f, text, strlen(text));
    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(pie_dataset_next(dataset, &row), PIE_OK);
        assert_int_equal(row->line, 1);
        assert_int_equal(row->text[0], '{');
        assert_int_equal(row->text[row->n_text - 1], '}');
        assert_int_equal(pie_dataset_next(dataset, &row), PIE_OK);
        assert_int_equal(row->line, 5);
        assert_int_equal(row->ordinal, 1);
        assert_int_equal(row->tests[0].number, 1);
        assert_int_equal(pie_dataset_next(dataset, &row), PIE_ERR_AGAIN);
        pie_dataset_rewind(dataset);
    }
    pie_dataset_close(dataset);
}

static void names_every_malformed_row(void **state)
{
    fixture *f = *state;
#define ROW(rest) "{" IDS "," rest "}"
#define LONG "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    static const struct {
        const char *row, *what;
    } cases[] = {
        {"{", "not a JSON object: "},
        {"nonsense", "not a JSON object: "},
        {"{} {}", "not a JSON object: "},
        {"{\"a\":1,\"a\":2}", "not a JSON object: duplicate object key"},
        {"{\"a\":\"\xff\"}", "not a JSON object: unable to decode byte 0xff"},
        {"{\"a\":\"\\u0000\"}", "not a JSON object: \\u0000 is not allowed"},
        {"[1]", "the row is a list; it must be an object"},
        {"\"a\"", "not a JSON object: "},
        {"7", "not a JSON object: "},
        {"null", "not a JSON object: "},
        {"{}", "problem_id is missing"},
        {"{\"problem_id\":1}", "problem_id is an integer; it must be a string"},
        {"{\"problem_id\":\"\"}", "problem_id is empty"},
        {"{\"problem_id\":\"..\"}", "problem_id \"..\" is no plain file name"},
        {"{\"problem_id\":\".\"}", "problem_id \".\" is no plain file name"},
        {"{\"problem_id\":\"a/b\"}", "problem_id \"a/b\" is no plain file name"},
        {"{\"problem_id\":\"a\\nb\"}", "problem_id \"a b\" is no plain file name"},
        {"{\"problem_id\":\"" LONG LONG LONG "\"}", "is no plain file name (at most 200 bytes"},
        {"{\"problem_id\":\"p\"}", "src_id is missing"},
        {"{\"problem_id\":\"p\",\"src_id\":\"../s\"}", "src_id \"../s\" is no plain file name"},
        {"{\"problem_id\":\"p\",\"src_id\":\"s\"}", "src_code is missing"},
        {"{\"problem_id\":\"p\",\"src_id\":\"s\",\"src_code\":\"\"}", "src_code is empty"},
        {"{\"problem_id\":\"p\",\"src_id\":\"s\",\"src_code\":[]}",
         "src_code is a list; it must be a string"},
        {ROW("\"tgt_code\":false"), "tgt_code is true or false; it must be a string"},
        {ROW("\"tgt_id\":1.5"), "tgt_id is a number with a fraction; it must be a string"},
        {ROW("\"description\":{}"), "description is an object; it must be a string"},
        {ROW("\"language\":\"Python\""), "language \"Python\" is neither C nor C++"},
        {ROW("\"language\":3"), "language is an integer; it must be a string"},
        {ROW("\"x\":0"), "the row has no tests; `tests` must list at least one number"},
        {ROW("\"tests\":[]"), "the row has no tests"},
        {ROW("\"tests\":[],\"public_tests\":[]"), "the row has no tests"},
        {ROW("\"tests\":3"), "tests is an integer; it must be a list"},
        {ROW("\"tests\":[\"1\"]"), "tests[0] is a string; it must be an integer"},
        {ROW("\"tests\":[0,1.0]"), "tests[1] is a number with a fraction; it must be an integer"},
        {ROW("\"tests\":[0,-1]"), "tests[1] is negative"},
        {ROW("\"tests\":[99999999999999999999]"), "not a JSON object: too big integer"},
        {ROW("\"tests\":[2,1,2]"), "tests lists 2 twice"},
        {ROW("\"tests\":[0],\"public_tests\":[null]"),
         "public_tests[0] is null; it must be an integer"},
        {ROW("\"tests\":[0],\"test_levels\":[0,1]"),
         "test_levels has 2 items, tests has 1; they go together"},
        {ROW("\"tests\":[0],\"test_levels\":[-1]"), "test_levels[0] is negative"},
        {ROW("\"tests\":[0],\"test_levels\":[2147483648]"), "test_levels[0] is too large"},
        {ROW("\"public_tests\":[0],\"test_levels\":[0]"), "test_levels has 1 items, tests has 0"},
        {ROW("\"tests\":[0],\"test_weights\":[]"),
         "test_weights has 0 items, tests has 1; they go together"},
        {ROW("\"tests\":[0],\"test_weights\":[-1]"),
         "test_weights[0] must be a number that is not negative"},
        {ROW("\"tests\":[0],\"test_weights\":[\"1\"]"),
         "test_weights[0] must be a number that is not negative"},
        {ROW("\"tests\":[0],\"references\":{}"), "references is an object; it must be a list"},
        {ROW("\"tests\":[0],\"references\":[1]"),
         "references[0] is an integer; it must be an object"},
        {ROW("\"tests\":[0],\"references\":[{\"role\":\"r\",\"code\":\"c\"}]"),
         "references[0].id must be a string"},
        {ROW("\"tests\":[0],\"references\":[{\"id\":\"i\",\"code\":\"c\"}]"),
         "references[0].role must be a string"},
        {ROW("\"tests\":[0],\"references\":[{\"id\":\"i\",\"role\":\"r\"}]"),
         "references[0].code must be a string"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const pie_dataset_row *row = NULL;
        char *text = pie_strf("\n%s\n{" IDS ",\"tests\":[0]}\n", cases[i].row);
        char *prefix = pie_strf("%s:2: ", f->path);
        assert_non_null(text);
        assert_non_null(prefix);
        print_message("  %s\n", cases[i].what);
        pie_dataset *dataset = open_text(f, text, strlen(text));
        assert_int_equal(pie_dataset_next(dataset, &row), PIE_ERR_DATA);
        assert_null(row);
        assert_memory_equal(f->messages, prefix, strlen(prefix));
        if (!strstr(f->messages, cases[i].what))
            fail_msg("got: %s", f->messages);
        assert_ptr_equal(strchr(f->messages, '\n'),
                         f->messages + strlen(f->messages) - 1);   /* one line */
        assert_int_equal(pie_dataset_next(dataset, &row), PIE_OK); /* and goes on */
        assert_int_equal(row->line, 3);
        assert_int_equal(row->ordinal, 0);
        assert_int_equal(pie_dataset_next(dataset, &row), PIE_ERR_AGAIN);
        pie_dataset_close(dataset);
        free(prefix);
        free(text);
    }
}

static void names_a_line_that_is_too_long(void **state)
{
    fixture *f = *state;
    pie_buf text = {0};
    const pie_dataset_row *row = NULL;
    assert_int_equal(pie_buf_reserve(&text, (64u << 20) + 1000), PIE_OK);
    memset(text.data, ' ', (64u << 20) + 1);
    text.n = (64u << 20) + 1;
    assert_int_equal(pie_buf_puts(&text, "\n{" IDS ",\"tests\":[0]}\n"), PIE_OK);
    pie_dataset *dataset = open_text(f, text.data, text.n);
    assert_int_equal(pie_dataset_next(dataset, &row), PIE_ERR_DATA);
    assert_non_null(strstr(f->messages, ":1: the line is longer than 64 MiB"));
    assert_int_equal(pie_dataset_next(dataset, &row), PIE_OK);
    assert_int_equal(row->line, 2);
    pie_dataset_close(dataset);

    /* one byte less is a line like any other */
    dataset = open_text(f, text.data + 1, text.n - 1);
    assert_int_equal(pie_dataset_next(dataset, &row), PIE_OK);
    assert_int_equal(row->line, 2);
    pie_dataset_close(dataset);
    pie_buf_free(&text);
}

static void refuses_what_it_cannot_read(void **state)
{
    fixture *f = *state;
    pie_dataset *dataset = NULL;
    const pie_dataset_row *row = NULL;
    assert_int_equal(pie_dataset_open("/nonexistent/problems.jsonl", &f->log, &dataset),
                     PIE_ERR_IO);
    assert_null(dataset);
    assert_string_equal(f->messages, "/nonexistent/problems.jsonl: No such file or directory\n");
    f->messages[0] = '\0';
    assert_int_equal(pie_dataset_open("/tmp", &f->log, &dataset), PIE_OK);
    assert_int_equal(pie_dataset_next(dataset, &row), PIE_ERR_IO);
    assert_string_equal(f->messages, "/tmp: Is a directory\n");
    pie_dataset_close(dataset);
    pie_dataset_close(NULL);
}

static void pipe_can_be_read_once(void **state)
{
    fixture *f = *state;
    static const char text[] = "{" IDS ",\"tests\":[0]}\n";
    char path[64];
    int fds[2];
    pie_dataset *dataset = NULL;
    const pie_dataset_row *row = NULL;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], text, strlen(text)), strlen(text));
    close(fds[1]);
    snprintf(path, sizeof path, "/dev/fd/%d", fds[0]);
    assert_int_equal(pie_dataset_open(path, &f->log, &dataset), PIE_OK);
    assert_int_equal(pie_dataset_next(dataset, &row), PIE_OK);
    pie_dataset_rewind(dataset);
    assert_int_equal(pie_dataset_next(dataset, &row), PIE_ERR_IO);
    assert_non_null(strstr(f->messages, "Illegal seek"));
    pie_dataset_close(dataset);
    close(fds[0]);
}

/* Every byte of a good row, changed and left out: no crash, and never a row with a hole in it. */
static void survives_damaged_rows(void **state)
{
    fixture *f = *state;
    static const char text[] = "{" IDS ",\"language\":\"C\",\"tests\":[1,2],\"test_levels\":[0,1],"
                               "\"references\":[{\"id\":\"i\",\"role\":\"r\",\"code\":\"c\"}]}";
    char damaged[sizeof text];
    for (size_t i = 0; i < sizeof text - 1; i++)
        for (int how = 0; how < 4; how++) {
            memcpy(damaged, text, sizeof text);
            damaged[i] = "\"\0]\xc3"[how];
            const pie_dataset_row *row = NULL;
            pie_dataset *dataset = open_text(f, damaged, how == 3 ? i : sizeof text - 1);
            if (pie_dataset_next(dataset, &row) == PIE_OK) {
                assert_true(row->problem_id && row->src_id && row->src_code && row->language &&
                            row->n_tests > 0);
                for (size_t k = 0; k < row->n_references; k++)
                    assert_true(row->references[k].id && row->references[k].role &&
                                row->references[k].code);
            }
            pie_dataset_close(dataset);
        }
}

static void languages_in_any_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *spelling, *language;
    } cases[] = {
        {"C++", "c++"},
        {"c++", "c++"},
        {"cpp", "c++"},
        {"CPP17", "c++"},
        {"cxx", "c++"},
        {"cc", "c++"},
        {"C++17", "c++"},
        {"C++ 17", "c++"},
        {"GNU C++17", "c++"},
        {"GNU C++20 (64)", "c++"},
        {"g++", "c++"},
        {"GNU G++17 7.3.0", "c++"},
        {"C++ (GCC 9.2.1)", "c++"},
        {"C++14 (GCC 5.4.1)", "c++"},
        {"MS C++", "c++"},
        {"Microsoft Visual C++ 2010", "c++"},
        {"Clang++17 Diagnostics", "c++"},
        {"gnu++17", "c++"},
        {"std=c++17", "c++"},
        {"cpp_17", "c++"},
        {" C++ ", "c++"},
        {"cplusplus", "c++"},
        {"C", "c"},
        {"c", "c"},
        {"C11", "c"},
        {"c99", "c"},
        {"GNU C", "c"},
        {"GNU C11", "c"},
        {"gnu17", "c"},
        {"C (GCC 9.2.1)", "c"},
        {"ANSI C", "c"},
        {"c2x", "c"},
        {"", NULL},
        {" ", NULL},
        {"Python", NULL},
        {"C#", NULL},
        {"Objective-C", NULL},
        {"Objective C", NULL},
        {"CSS", NULL},
        {"Clojure", NULL},
        {"COBOL", NULL},
        {"cuda", NULL},
        {"c+", NULL},
        {"c++++", NULL},
        {"GNU", NULL},
        {"Java", NULL},
        {"D", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = pie_language_of(cases[i].spelling);
        print_message("  \"%s\"\n", cases[i].spelling);
        assert_string_equal(got ? got : "none", cases[i].language ? cases[i].language : "none");
    }
}

static void test_files_have_paths(void **state)
{
    (void)state;
    char *input = pie_dataset_test_path("tests", "p1", 12, false);
    char *output = pie_dataset_test_path("/t", "p1", 0, true);
    assert_string_equal(input, "tests/p1/input.12.txt");
    assert_string_equal(output, "/t/p1/output.0.txt");
    free(input);
    free(output);
}

/* ---- memory and time ------------------------------------------------------------------------- */

static void write_rows(const char *path, size_t n)
{
    FILE *file = fopen(path, "w");
    char code[2001];
    assert_non_null(file);
    memset(code, 'x', sizeof code - 1);
    code[sizeof code - 1] = '\0';
    for (size_t i = 0; i < n; i++)
        fprintf(file,
                "{\"problem_id\":\"p%zu\",\"src_id\":\"s%zu\",\"src_code\":\"%.*s\",\"tests\":[0,1,"
                "2,3]}\n",
                i, i, 1000 + (int)(i % 1000), code);
    assert_int_equal(fclose(file), 0);
}

static size_t resident_bytes(void)
{
    size_t pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%zu %zu", &pages, &resident), 2);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { KEEPS_FREED_MEMORY = 1 };
#else
enum { KEEPS_FREED_MEMORY = 0 };
#endif

typedef struct usage {
    double seconds;
    size_t peak_bytes;
} usage;

static usage read_rows(fixture *f, size_t n)
{
    usage used = {0};
    struct timespec start, end;
    pie_dataset *dataset = NULL;
    const pie_dataset_row *row = NULL;
    size_t count = 0;
    write_rows(f->path, n);
    assert_int_equal(pie_dataset_open(f->path, &f->log, &dataset), PIE_OK);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    while (pie_dataset_next(dataset, &row) == PIE_OK)
        if (++count % 1000 == 0) {
            const size_t bytes = resident_bytes();
            used.peak_bytes = bytes > used.peak_bytes ? bytes : used.peak_bytes;
        }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    assert_int_equal(count, n);
    pie_dataset_close(dataset);
    used.seconds =
        (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
    return used;
}

static void eighty_thousand_rows_need_no_more_memory(void **state)
{
    fixture *f = *state;
    const usage few = read_rows(f, 8000), many = read_rows(f, 80000);
    print_message("  8,000 rows: %.2f s, %zu KiB; 80,000 rows: %.2f s, %zu KiB\n", few.seconds,
                  few.peak_bytes >> 10, many.seconds, many.peak_bytes >> 10);
    const char *preloaded = getenv("LD_PRELOAD");
    if (KEEPS_FREED_MEMORY || (preloaded && strstr(preloaded, "vgpreload")))
        print_message("  a sanitizer or valgrind keeps freed memory: not compared\n");
    else
        assert_true(many.peak_bytes < few.peak_bytes + (1u << 20));
    assert_true(many.seconds < 40 * few.seconds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_every_field, setup, teardown),
        cmocka_unit_test_setup_teardown(optional_fields_may_be_absent_or_null, setup, teardown),
        cmocka_unit_test_setup_teardown(tolerates_bom_crlf_and_blank_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(names_every_malformed_row, setup, teardown),
        cmocka_unit_test_setup_teardown(names_a_line_that_is_too_long, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_it_cannot_read, setup, teardown),
        cmocka_unit_test_setup_teardown(pipe_can_be_read_once, setup, teardown),
        cmocka_unit_test_setup_teardown(survives_damaged_rows, setup, teardown),
        cmocka_unit_test(languages_in_any_spelling),
        cmocka_unit_test(test_files_have_paths),
        cmocka_unit_test_setup_teardown(eighty_thousand_rows_need_no_more_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
