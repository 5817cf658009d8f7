/* Checked values of one group, and the host table that a plugin sees. */
#include "capture.h"

#include "config/settings.h"
#include "config/tree.h"
#include "config/values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const pie_option options[] = {
    {.name = "flag", .type = PIE_OPTION_BOOL, .fallback = "true", .help = "h"},
    {.name = "count", .type = PIE_OPTION_INT, .fallback = "5000000000", .help = "h"},
    {.name = "ratio", .type = PIE_OPTION_FLOAT, .fallback = "1", .help = "h"},
    {.name = "word", .type = PIE_OPTION_STRING, .fallback = "\"a b\"", .help = "h"},
    {.name = "file", .type = PIE_OPTION_PATH, .fallback = "data/x.txt", .help = "h"},
    {.name = "words", .type = PIE_OPTION_STRING_LIST, .fallback = "[ \"x\", \"y\" ]", .help = "h"},
    {.name = "numbers", .type = PIE_OPTION_FLOAT_LIST, .fallback = "[ 1, 2.5 ]", .help = "h"},
    {.name = "files", .type = PIE_OPTION_PATH_LIST, .help = "h"},
    {.name = "threads",
     .type = PIE_OPTION_INT,
     .flags = PIE_OPTION_EXECUTION,
     .fallback = "2",
     .help = "h"},
    {.name = "key", .type = PIE_OPTION_STRING, .flags = PIE_OPTION_SECRET, .help = "h"},
    {.name = "unset_int", .type = PIE_OPTION_INT, .help = "h"},
    {.name = "unset_word", .type = PIE_OPTION_STRING, .help = "h"},
    {.name = "must",
     .type = PIE_OPTION_STRING,
     .flags = PIE_OPTION_REQUIRED,
     .help = "what it is for"},
    {.name = NULL}};

static void assert_json(const pie_settings *settings, bool all, const char *want)
{
    json_t *json = pie_settings_json(settings, all);
    char *text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(text, want);
    free(text);
    json_decref(json);
}

/* Assign every member of @text; returns the first status that is not PIE_OK. */
static pie_status assign(pie_settings *settings, const char *text, const pie_log *log)
{
    pie_tree *tree = NULL;
    pie_status status = pie_tree_load("/conf/a.cfg", text, log, &tree);
    assert_int_equal(status, PIE_OK);
    const config_setting_t *root = pie_tree_root(tree);
    for (int i = 0; i < config_setting_length(root) && status == PIE_OK; i++) {
        const config_setting_t *member = config_setting_get_elem(root, (unsigned)i);
        pie_place place;
        pie_tree_place(tree, member, &place);
        status =
            pie_settings_assign(settings, pie_option_find(options, config_setting_name(member)),
                                member, &place, pie_tree_folder(tree), log);
    }
    pie_tree_free(tree);
    return status;
}

static void defaults_fill_everything(void **state)
{
    (void)state;
    pie_settings *settings = NULL;
    assert_int_equal(pie_settings_new(options, "/models/m", &settings), PIE_OK);
    assert_true(pie_settings_bool(settings, "flag"));
    assert_true(pie_settings_int(settings, "count") == 5000000000);
    assert_true(pie_settings_float(settings, "ratio") == 1.0);
    assert_string_equal(pie_settings_string(settings, "word"), "a b");
    assert_string_equal(pie_settings_string(settings, "file"), "/models/m/data/x.txt");
    assert_null(pie_settings_string(settings, "unset_word"));
    assert_null(pie_settings_get(settings, "nothing"));
    const pie_setting *numbers = pie_settings_get(settings, "numbers");
    assert_int_equal(numbers->n, 2);
    assert_true(numbers->numbers[1] == 2.5 && numbers->is_default && numbers->is_set);
    assert_string_equal(numbers->where, "default");
    assert_false(pie_settings_get(settings, "unset_int")->is_set);
    assert_json(settings, true,
                "{\"flag\":true,\"count\":5000000000,\"ratio\":1.0,\"word\":\"a "
                "b\",\"file\":\"data/x.txt\","
                "\"words\":[\"x\",\"y\"],\"numbers\":[1.0,2.5],\"threads\":2}");
    pie_settings_free(settings);
}

static void what_is_written_replaces_the_default(void **state)
{
    (void)state;
    capture out;
    pie_settings *settings = NULL;
    capture_start(&out);
    assert_int_equal(pie_settings_new(options, "", &settings), PIE_OK);
    assert_int_equal(
        assign(
            settings,
            "flag = false; count = 7; ratio = 2; word = \"\"; file = \"../y\"; words = \"one\";\n"
            "numbers = ( 3, 0.5 ); files = [ \"a\", \"/b\" ]; key = \"secret\"; threads = 9;\n"
            "must = \"x\";\n",
            &out.log),
        PIE_OK);
    assert_string_equal(pie_settings_string(settings, "file"), "/conf/../y");
    assert_string_equal(pie_settings_get(settings, "files")->strings[0], "/conf/a");
    assert_string_equal(pie_settings_get(settings, "files")->strings[1], "/b");
    assert_string_equal(pie_settings_get(settings, "threads")->where, "/conf/a.cfg:2");
    assert_json(settings, false,
                "{\"flag\":false,\"count\":7,\"ratio\":2.0,\"word\":\"\",\"file\":\"../"
                "y\",\"words\":[\"one\"],"
                "\"numbers\":[3.0,0.5],\"files\":[\"a\",\"/b\"],\"must\":\"x\"}");
    /* a refused value leaves the old one */
    assert_int_equal(assign(settings, "count = \"x\";", &out.log), PIE_ERR_CONFIG);
    assert_int_equal(pie_settings_int(settings, "count"), 7);
    assert_int_equal(assign(settings, "ratio = -0.0;", &out.log), PIE_OK);
    json_t *json = pie_settings_json(settings, false);
    char *text = json_dumps(json_object_get(json, "ratio"), JSON_ENCODE_ANY);
    assert_string_equal(text, "0.0"); /* one form for one value */
    free(text);
    json_decref(json);
    pie_settings_free(settings);
    capture_end(&out);
}

static void required_options_are_missed(void **state)
{
    (void)state;
    capture out;
    pie_settings *settings = NULL;
    capture_start(&out);
    assert_int_equal(pie_settings_new(options, "", &settings), PIE_OK);
    assert_int_equal(pie_settings_complete(settings, "backend", "run.cfg:3", &out.log),
                     PIE_ERR_CONFIG);
    assert_true(capture_has(&out, "run.cfg:3: backend.must is missing: what it is for"));
    assert_int_equal(assign(settings, "must = \"x\";", &out.log), PIE_OK);
    assert_int_equal(pie_settings_complete(settings, "backend", "run.cfg:3", &out.log), PIE_OK);
    pie_settings_free(settings);
    capture_end(&out);
}

static void numbers_survive_as_text(void **state)
{
    (void)state;
    static const double numbers[] = {0.1, 1e-300, 1e300, 123456789012345680.0, 1.0 / 3, 3, 2.5e-8};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        pie_settings *settings = NULL, *again = NULL;
        pie_buf text = {0};
        char *written = pie_strf("ratio = %.17e;", numbers[i]);
        assert_int_equal(pie_settings_new(options, "", &settings), PIE_OK);
        assert_int_equal(pie_settings_new(options, "", &again), PIE_OK);
        assert_int_equal(assign(settings, written, &pie_log_stderr), PIE_OK);
        assert_true(pie_settings_float(settings, "ratio") == numbers[i]);
        assert_int_equal(pie_settings_text(settings, "  ", "word", &text), PIE_OK);
        assert_null(strstr(pie_buf_text(&text), "word ="));
        assert_int_equal(assign(again, pie_buf_text(&text), &pie_log_stderr), PIE_OK);
        assert_true(pie_settings_float(again, "ratio") == numbers[i]);
        assert_true(pie_settings_int(again, "count") == 5000000000);
        pie_buf_free(&text);
        free(written);
        pie_settings_free(settings);
        pie_settings_free(again);
    }
}

static void the_host_gives_what_the_schema_has(void **state)
{
    (void)state;
    capture out;
    pie_settings *settings = NULL;
    pie_host *host = NULL;
    capture_start(&out);
    assert_int_equal(pie_settings_new(options, "/m", &settings), PIE_OK);
    assert_int_equal(pie_host_new(settings, "thing", &out.log, &host), PIE_OK);
    int32_t flag = 0;
    int64_t integer = -1;
    double number = -1;
    const char *text = "old";
    const char *const *items = NULL;
    const double *numbers = NULL;
    size_t n = 99;
    assert_int_equal(host->get_bool(host, "flag", &flag), PIE_OK);
    assert_int_equal(flag, 1);
    assert_int_equal(host->get_int(host, "count", &integer), PIE_OK);
    assert_true(integer == 5000000000);
    assert_int_equal(host->get_float(host, "ratio", &number), PIE_OK);
    assert_true(number == 1.0);
    assert_int_equal(host->get_string(host, "file", &text), PIE_OK);
    assert_string_equal(text, "/m/data/x.txt");
    assert_int_equal(host->get_strings(host, "words", &items, &n), PIE_OK);
    assert_int_equal(n, 2);
    assert_string_equal(items[1], "y");
    assert_int_equal(host->get_floats(host, "numbers", &numbers, &n), PIE_OK);
    assert_true(n == 2 && numbers[1] == 2.5);
    /* unset: nothing, and no error */
    assert_int_equal(host->get_int(host, "unset_int", &integer), PIE_OK);
    assert_int_equal(integer, 0);
    assert_int_equal(host->get_string(host, "unset_word", &text), PIE_OK);
    assert_null(text);
    assert_int_equal(host->get_strings(host, "files", &items, &n), PIE_OK);
    assert_true(n == 0 && items && !items[0]);
    assert_int_equal(out.n, 0);
    /* not in the schema, or of another type: refused and logged */
    integer = 42;
    assert_int_equal(host->get_int(host, "nothing", &integer), PIE_ERR_CONFIG);
    assert_true(
        capture_has(&out, "thing: the plugin asked for its option 'nothing', which is not in its"));
    assert_int_equal(host->get_int(host, "flag", &integer), PIE_ERR_CONFIG);
    assert_true(capture_has(&out, "'flag', which is of another type in its schema"));
    assert_int_equal(host->get_int(host, NULL, &integer), PIE_ERR_CONFIG);
    assert_int_equal(integer, 42);
    assert_int_equal(out.n, 3);
    host->log(host, PIE_LOG_WARNING, "two\nlines");
    assert_true(capture_has(&out, "thing: two lines"));
    host->log(host, 99, "dropped: below every level");
    assert_int_equal(out.n, 4);
    assert_null(host->query(host, "pie.none/1"));
    pie_host_free(host);
    pie_host_free(NULL);
    pie_settings_free(settings);
    capture_end(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_fill_everything),
        cmocka_unit_test(what_is_written_replaces_the_default),
        cmocka_unit_test(required_options_are_missed),
        cmocka_unit_test(numbers_survive_as_text),
        cmocka_unit_test(the_host_gives_what_the_schema_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
