/* From text, files and --set to checked settings: what is taken, what is refused and with which
 * words. */
#include "capture.h"

#include "base/file.h"
#include "config/config.h"
#include "pie/abi_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MODULES PIE_BUILD "/tests/modules"
#define SETS(...)         \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }

static pie_registry *registry;
static capture out;

static int open_all(void **state)
{
    (void)state;
    capture_start(&out);
    if (pie_registry_new(&out.log, &registry) != PIE_OK ||
        pie_registry_add_folder(registry, MODULES "/good", true) != PIE_OK ||
        pie_registry_add_folder(registry, MODULES "/default", true) != PIE_OK)
        return -1;
    return pie_registry_scan(registry) == PIE_OK ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    pie_registry_free(registry);
    capture_end(&out);
    return 0;
}

/* The example of the documentation, with what the test plugins call themselves. */
static const char whole[] =
    "dataset  = { path = \"examples/problems.jsonl\"; tests = \"examples/tests\"; check = "
    "\"tokens\"; };\n"
    "prompt   = { plugin = \"instruction\"; };\n"
    "backend  = { plugin = \"replay\"; path = \"examples/generations.jsonl\"; samples = 8; };\n"
    "compiler = { plugin = \"gcc\"; language = \"c++\"; flags = [ \"-O3\", \"-std=c++17\" ]; };\n"
    "uarch    = { plugin = \"slow-div\"; };\n"
    "metrics  = ( { plugin = \"optimized\"; threshold = 1.10; }, { plugin = \"speedup\"; },\n"
    "             { plugin = \"correct\"; } );\n"
    "time     = \"user\";\n"
    "limits   = { instructions = 10000000000L; memory = 1073741824L; output = 67108864L; "
    "cycles_ratio = 3.0; };\n"
    "run      = { jobs = 2; };\n";

static const char least[] = "dataset = { path = \"p.jsonl\"; tests = \"t\"; };\n"
                            "backend = { plugin = \"replay\"; path = \"g.jsonl\"; };\n";

static pie_status load(const char *text, const char *const *sets, pie_config **ret_config)
{
    const pie_config_source source = {.path = "/conf/run.cfg",
                                      .text = text,
                                      .sets = sets,
                                      .need_backend = true,
                                      .need_dataset = true};
    capture_clear(&out);
    return pie_config_load(&source, registry, &out.log, ret_config);
}

static pie_config *load_good(const char *text, const char *const *sets)
{
    pie_config *config = NULL;
    if (load(text, sets, &config) != PIE_OK)
        fail_msg("refused: %s", pie_buf_text(&out.text));
    assert_int_equal(out.n, 0);
    return config;
}

static char *json_text(const pie_config *config, int32_t which)
{
    json_t *json = pie_config_json(config, which);
    assert_non_null(json);
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(json);
    assert_non_null(text);
    return text;
}

static void assert_same_json(const pie_config *a, const pie_config *b, int32_t which)
{
    char *x = json_text(a, which), *y = json_text(b, which);
    assert_string_equal(x, y); /* the order of keys, too */
    free(x);
    free(y);
}

/* ---- what is taken ---- */

static void the_example_loads(void **state)
{
    (void)state;
    pie_config *config = load_good(whole, NULL);
    const pie_settings *dataset = pie_config_group(config, "dataset");
    assert_string_equal(pie_settings_string(dataset, "path"), "/conf/examples/problems.jsonl");
    assert_string_equal(pie_settings_get(dataset, "path")->where, "/conf/run.cfg:1");
    assert_true(pie_settings_get(dataset, "tolerance")->is_default);
    assert_string_equal(pie_config_backend(config)->info->id, "org.test.replay");
    assert_string_equal(pie_settings_string(pie_config_backend(config)->settings, "path"),
                        "/conf/examples/generations.jsonl");
    assert_int_equal(pie_settings_int(pie_config_plugin_group(config, "backend"), "samples"), 8);
    assert_string_equal(pie_config_uarch(config)->info->id, "org.test.slow-div");
    assert_int_equal(pie_settings_int(pie_config_uarch(config)->settings, "line_cycles"), 3);
    assert_int_equal(pie_config_n_metrics(config), 3);
    assert_true(pie_settings_float(pie_config_metric(config, 0)->settings, "threshold") == 1.10);
    assert_null(pie_config_metric(config, 3));
    assert_true(pie_settings_int(pie_config_group(config, "limits"), "instructions") ==
                10000000000);
    assert_int_equal(pie_settings_int(pie_config_group(config, "run"), "jobs"), 2);
    assert_string_equal(pie_settings_string(pie_config_group(config, ""), "time"), "user");
    const pie_setting *flags = pie_settings_get(pie_config_compiler(config)->settings, "flags");
    assert_int_equal(flags->n, 2);
    assert_string_equal(flags->strings[1], "-std=c++17");
    assert_null(flags->strings[2]);
    pie_config_free(config);
}

static void everything_has_a_default(void **state)
{
    (void)state;
    pie_config *config = load_good(least, NULL);
    assert_string_equal(pie_config_compiler(config)->info->short_name, "gcc");
    assert_string_equal(pie_config_prompt(config)->info->short_name, "instruction");
    assert_string_equal(pie_config_uarch(config)->info->short_name, PIE_DEFAULT_UARCH);
    assert_int_equal(pie_config_n_metrics(config), 3);
    assert_string_equal(pie_config_metric(config, 0)->info->short_name, "optimized");
    assert_string_equal(pie_settings_string(pie_config_group(config, "dataset"), "check"),
                        "tokens");
    assert_string_equal(
        pie_settings_string(pie_config_plugin_group(config, "compiler"), "language"), "c++");
    assert_int_equal(pie_settings_int(pie_config_plugin_group(config, "backend"), "samples"), 1);
    assert_true(pie_settings_float(pie_config_group(config, "limits"), "cycles_ratio") == 3.0);
    const pie_setting *temperature =
        pie_settings_get(pie_config_group(config, "sampling"), "temperature");
    assert_false(temperature->is_set); /* unset is not the same as a default value */
    pie_config_free(config);
}

static void without_a_file_only_what_is_needed_is_there(void **state)
{
    (void)state;
    const pie_config_source source = {.sets =
                                          SETS("uarch.plugin=fixed-cpi", "uarch.line_cycles=7")};
    pie_config *config = NULL;
    capture_clear(&out);
    assert_int_equal(pie_config_load(&source, registry, &out.log, &config), PIE_OK);
    assert_null(pie_config_backend(config));
    assert_null(pie_config_prompt(config));
    assert_int_equal(pie_config_n_metrics(config), 0);
    assert_non_null(pie_config_compiler(config));
    assert_int_equal(pie_settings_int(pie_config_uarch(config)->settings, "line_cycles"), 7);
    assert_false(pie_settings_get(pie_config_group(config, "dataset"), "path")->is_set);
    pie_config_free(config);
    const pie_config_source need = {.need_backend = true, .need_dataset = true};
    assert_int_equal(pie_config_load(&need, registry, &out.log, &config), PIE_ERR_CONFIG);
    assert_true(capture_has(&out, "config: the group 'dataset' is missing"));
    assert_true(capture_has(&out, "config: the group 'backend' is missing"));
}

static void file_set_and_default_give_the_same_form(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *sets[6];
    } ways[] = {
        {"time = \"user\"; limits = { cycles_ratio = 3; instructions = 10000000000L; };\n"
         "compiler = { flags = [ \"-O3\", \"-std=c++17\" ]; plugin = \"org.test.gcc\"; };\n"
         "metrics = ( { threshold = 1.1; plugin = \"optimized\"; }, { plugin = "
         "\"org.test.speedup\"; },\n"
         "{ plugin = \"correct\"; } );\n",
         {NULL}},
        {"",
         {"limits.cycles_ratio=3.00", "time=user", "compiler.plugin=gcc",
          "compiler.flags=[\"-O3\",\"-std=c++17\"]", "metrics.0.threshold=1.10"}},
        {"",
         {"limits.instructions=10000000000L", "time=\"user\"", "metrics.1.plugin=org.test.speedup",
          "limits.cycles_ratio=1", "limits.cycles_ratio=3"}},
        {"uarch = { plugin = \"org.test.skylake\"; };", {"backend.threads=4"}},
    };
    pie_config *want = load_good(least, NULL);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char *text = pie_strf("%s%s", ways[i].text, least);
        pie_config *got = load_good(text, ways[i].sets);
        assert_same_json(want, got, PIE_CONFIG_ALL);
        pie_config_free(got);
        free(text);
    }
    pie_config_free(want);
}

static void the_three_forms_hold_what_they_should(void **state)
{
    (void)state;
    pie_config *config =
        load_good(whole, SETS("run.seed=7", "sampling.temperature=1", "backend.threads=9"));
    char *all = json_text(config, PIE_CONFIG_ALL), *result = json_text(config, PIE_CONFIG_RESULT),
         *print = json_text(config, PIE_CONFIG_FINGERPRINT);
    assert_non_null(strstr(all, "\"jobs\":2"));
    assert_non_null(strstr(all, "\"path\":\"examples/problems.jsonl\"")); /* as written */
    assert_non_null(strstr(all, "\"threads\":9"));
    assert_null(strstr(result, "\"jobs\""));
    assert_null(strstr(result, "problems.jsonl")); /* its digest counts, not its name */
    assert_null(strstr(result, "\"threads\""));
    assert_non_null(
        strstr(result, "\"backend\":{\"plugin\":\"org.test.replay\",\"version\":\"1.0.0\","));
    assert_non_null(strstr(result, "\"temperature\":1.0"));
    assert_non_null(strstr(result, "\"seed\":7"));
    assert_null(strstr(print, "replay"));
    assert_null(strstr(print, "instruction\""));
    assert_null(strstr(print, "speedup"));
    assert_null(strstr(print, "temperature"));
    assert_null(strstr(print, "seed"));
    assert_null(strstr(print, "jobs"));
    assert_non_null(strstr(print, "\"compiler\":{\"plugin\":\"org.test.gcc\",\"version\":\"1.2.0\","
                                  "\"language\":\"c++\",\"flags\":[\"-O3\",\"-std=c++17\"]}"));
    assert_non_null(strstr(
        print, "\"uarch\":{\"plugin\":\"org.test.slow-div\",\"version\":\"2.0.0\",\"engine\":"
               "\"org.test.fixed-cpi\",\"engine_version\":\"1.0.0\","
               "\"cycles_of\":[\"DIV_R64=40\",\"IDIV_R32=30\"],\"line_cycles\":3,"));
    assert_non_null(strstr(print, "\"limits\":{\"instructions\":10000000000,"));
    assert_non_null(strstr(print, "\"check\":\"tokens\""));
    free(all);
    free(result);
    free(print);
    pie_config_free(config);
}

static void the_text_loads_again_from_anywhere(void **state)
{
    (void)state;
    pie_config *config = load_good(
        whole,
        SETS("backend.tags=[\"q\\\"uote\", \"back\\\\slash\", \"line\\nbreak\", \"\\x01\", \"\"]",
             "backend.scale=0.1", "sampling.seed=-5000000000L", "backend.weights=[1e-300, 0.25]",
             "limits.cycles_ratio=100000000.0", "sampling.stop=[]", "backend.strict=true",
             "compiler.include=[\"lib\", \"/abs\"]"));
    char *text = pie_config_text(config);
    assert_non_null(text);
    const pie_config_source source = {
        .path = "/elsewhere/run/run.cfg", .text = text, .need_backend = true, .need_dataset = true};
    pie_config *again = NULL;
    if (pie_config_load(&source, registry, &out.log, &again) != PIE_OK)
        fail_msg("refused: %s\n%s", pie_buf_text(&out.text), text);
    assert_same_json(config, again, PIE_CONFIG_ALL);
    assert_string_equal(pie_settings_string(pie_config_group(again, "dataset"), "path"),
                        "/conf/examples/problems.jsonl");
    char *text_again = pie_config_text(again);
    assert_string_equal(text, text_again);
    free(text);
    free(text_again);
    pie_config_free(again);
    pie_config_free(config);
}

static void secrets_stay_secret(void **state)
{
    (void)state;
    pie_config *config =
        load_good("dataset = { path = \"p\"; tests = \"t\"; };\n"
                  "backend = { plugin = \"replay\"; path = \"g\"; api_key = \"hunter2\"; };\n",
                  NULL);
    assert_string_equal(pie_settings_string(pie_config_backend(config)->settings, "api_key"),
                        "hunter2");
    char *json = json_text(config, PIE_CONFIG_ALL), *text = pie_config_text(config);
    assert_null(strstr(json, "hunter2"));
    assert_null(strstr(json, "api_key"));
    assert_null(strstr(text, "hunter2"));
    free(json);
    free(text);
    pie_config_free(config);
    config = NULL;
    assert_int_equal(load(least, SETS("backend.api_key=hunter2"), &config), PIE_ERR_CONFIG);
    assert_null(config);
    assert_true(
        capture_has(&out, "--set backend.api_key: a secret is not taken from the command line"));
    assert_null(strstr(pie_buf_text(&out.text), "hunter2"));
}

/* ---- what is refused ---- */

static void mistakes_are_named_with_file_and_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"limit = { memory = 5; };",
         "/conf/run.cfg:3: unknown key 'limit' (did you mean 'limits'?)"},
        {"colour = 5;",
         "/conf/run.cfg:3: unknown key 'colour'; there are dataset, prompt, sampling, backend"},
        {"limits = {\n memry = 5; };",
         "/conf/run.cfg:4: unknown key 'memry' in limits (did you mean 'memory'?)"},
        {"limits = 5;", "/conf/run.cfg:3: limits must be a group"},
        {"limits = { memory = \"5\"; };", "/conf/run.cfg:3: memory must be an integer"},
        {"limits = { memory = 5.0; };", "/conf/run.cfg:3: memory must be an integer"},
        {"limits = { memory = 5; };",
         "/conf/run.cfg:3: memory = 5 is out of range: it may be 1048576 to"},
        {"limits = { instructions = 5000000000; };",
         "/conf/run.cfg:3: 5000000000 is read wrongly without an L at its end"},
        {"limits = { instructions = 0x1FFFFFFFF; };",
         "/conf/run.cfg:3: 0x1FFFFFFFF is read wrongly"},
        {"limits = { instructions = 0xFFFFFFFF; };", "/conf/run.cfg:3: 0xFFFFFFFF is read wrongly"},
        {"limits = { instructions = 99999999999999999999L; };",
         "/conf/run.cfg:3: 99999999999999999999L is out of range"},
        {"limits = { cycles_ratio = 1.0e999; };",
         "/conf/run.cfg:3: cycles_ratio is no finite number"},
        {"limits = { memory = 2000000; memory = 3; };",
         "/conf/run.cfg:3: duplicate setting name; it stands in this group already"},
        {"time = \"usr\";",
         "/conf/run.cfg:3: time = \"usr\" is not one of user|total (did you mean \"user\"?)"},
        {"time = user;", "/conf/run.cfg:3: syntax error"},
        {"run = { jobs = 2 }", "/conf/run.cfg:3: jobs"}, /* see below: accepted by libconfig */
        {"compiler = { plugin = \"gc\"; };",
         "/conf/run.cfg:3: no compiler called 'gc' (did you mean 'gcc'?); there are gcc, rare"},
        {"compiler = { plugin = \"rare\"; };", "/conf/run.cfg:3: org.test.rare cannot be used "
                                               "here: pie-test-no-such-program is not on PATH"},
        {"compiler = { flag = [ \"-O2\" ]; };",
         "/conf/run.cfg:3: unknown key 'flag' in compiler (did you mean 'flags'?)"},
        {"compiler = { flags = [ 1, 2 ]; };", "/conf/run.cfg:3: flags must be a list of strings"},
        {"compiler = { flags = ( \"a\", 2 ); };",
         "/conf/run.cfg:3: flags must be a list of strings"},
        {"compiler = { plugin = 7; };", "/conf/run.cfg:3: plugin must be a string"},
        {"compiler = { language = \"rust\"; };",
         "/conf/run.cfg:3: language = \"rust\" is not one of c++|c|row"},
        {"metrics = { plugin = \"speedup\"; };",
         "/conf/run.cfg:3: metrics must be a list of groups"},
        {"metrics = ( \"speedup\" );", "/conf/run.cfg:3: metrics.0 must be a group"},
        {"metrics = ( { plugin = \"speedup\"; },\n { threshold = 2; } );",
         "/conf/run.cfg:4: metrics.1.plugin is missing"},
        {"metrics = ( { plugin = \"optimized\"; threshold = 0.5; } );",
         "/conf/run.cfg:3: threshold = 0.5 is out of range: it must be at least 1"},
        {"uarch = { plugin = \"null\"; line_cycles = 3; };",
         "/conf/run.cfg:3: unknown key 'line_cycles' in uarch; there is plugin"},
        {"sampling = { top_p = 1.5; };",
         "/conf/run.cfg:3: top_p = 1.5 is out of range: it may be 0 to 1"},
        {"sampling = { temperature = \"hot\"; };", "/conf/run.cfg:3: temperature must be a number"},
        {"run = { scratch = \"\"; };", "/conf/run.cfg:3: scratch is an empty path"},
        {"sampling = { stop = [ \"\\xff\" ]; };", "/conf/run.cfg:3: stop is not UTF-8"},
        {"sampling = { stop = [ \"a\\x00b\" ]; };", "/conf/run.cfg:3: a string holds a zero byte"},
        {"run = { jobs = ", "/conf/run.cfg:"},
        {"/* never closed", "/conf/run.cfg:3: this comment has no end"},
        {"time = \"open", "/conf/run.cfg:3: this string has no end"},
        {"time = \"\xff\";", "/conf/run.cfg:3: is not UTF-8"},
        {"sampling = { stop = [ 1.5, 2 ]; };",
         "/conf/run.cfg:3: mismatched element type in array; write all numbers of [ ] alike"},
        {"base = \"relative\";", "/conf/run.cfg:3: base must be an absolute path"},
        {"@include \"/nonexistent.cfg\"",
         "/conf/run.cfg:3: /nonexistent.cfg: No such file or directory"},
        {"@include \"/\"", "/conf/run.cfg:3: /: is a folder, not a file"},
        {"@include \"/dev/zero\"", "/conf/run.cfg:3: /dev/zero: is a device or pipe, not a file"},
        {"a = ((((((((((((((((1))))))))))))))));",
         "/conf/run.cfg:3: groups and lists are nested more than 15 deep"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = pie_strf("%s%s\n", least, cases[i].text);
        pie_config *config = NULL;
        const pie_status status = load(text, NULL, &config);
        free(text);
        if (strcmp(cases[i].message, "/conf/run.cfg:3: jobs") == 0) {
            assert_int_equal(status, PIE_OK); /* semicolons may be left out */
            pie_config_free(config);
            continue;
        }
        if (status == PIE_OK || !capture_has(&out, cases[i].message))
            fail_msg("case %zu: %s", i, cases[i].text);
        assert_int_equal(status, strstr(cases[i].message, "cannot be used") ? PIE_ERR_UNAVAILABLE
                                                                            : PIE_ERR_CONFIG);
        assert_null(config); /* written on success only */
    }
}

static void all_problems_are_reported_at_once(void **state)
{
    (void)state;
    pie_config *config = NULL;
    assert_int_equal(load("dataset = { tests = 5; chek = \"exact\"; };\n"
                          "backend = { plugin = \"replay\"; threads = 99; };\n"
                          "compiler = { plugin = \"rare\"; };\n"
                          "limits = { memory = true; };\n"
                          "uarch = { plugin = \"nul\"; };\n",
                          SETS("run.jbos=3", "nonsense"), &config),
                     PIE_ERR_CONFIG);
    static const char *const messages[] = {
        "/conf/run.cfg:1: tests must be a path",
        "/conf/run.cfg:1: unknown key 'chek' in dataset (did you mean 'check'?)",
        "/conf/run.cfg:1: dataset.path is missing",
        "/conf/run.cfg:1: dataset.tests is missing",
        "/conf/run.cfg:2: threads = 99 is out of range",
        "/conf/run.cfg:2: backend.path is missing: the answers",
        "/conf/run.cfg:3: org.test.rare cannot be used here",
        "/conf/run.cfg:4: memory must be an integer",
        "/conf/run.cfg:5: no CPU model called 'nul' (did you mean 'null'?)",
        "--set run.jbos: unknown key 'jbos' in run (did you mean 'jobs'?)",
        "--set nonsense: write path.to.key=value",
    };
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
        assert_true(capture_has(&out, messages[i]));
}

static void checks_that_need_two_keys(void **state)
{
    (void)state;
    pie_config *config = NULL;
    assert_int_equal(load(least, SETS("dataset.check=program"), &config), PIE_ERR_CONFIG);
    assert_true(
        capture_has(&out, "--set dataset.check: check = \"program\" needs dataset.checker"));
    assert_int_equal(load(least, SETS("dataset.checker=c.py"), &config), PIE_ERR_CONFIG);
    assert_true(capture_has(&out, "checker has no effect without check = \"program\""));
    assert_int_equal(load(least, SETS("dataset.tolerance=0.1", "dataset.check=exact"), &config),
                     PIE_ERR_CONFIG);
    assert_true(capture_has(&out, "tolerance has an effect with check = \"tokens\" only"));
    config = load_good(least, SETS("dataset.check=program", "dataset.checker=/abs/c.cpp"));
    assert_string_equal(pie_settings_string(pie_config_group(config, "dataset"), "checker"),
                        "/abs/c.cpp");
    pie_config_free(config);
}

/* ---- --set ---- */

static void sets_reach_every_place(void **state)
{
    (void)state;
    pie_config *config = load_good(
        whole, SETS("metrics.0.threshold=1.2", "metrics.3.plugin=speedup",
                    "metrics.1={plugin=\"correct\";}", "compiler.flags=[\"-O2\"]",
                    "backend.model=7", "limits.memory=2147483648L", "sampling.stop=\"one\"",
                    "backend.tags=a b", "dataset.check=exact", "backend.model=a=b"));
    assert_int_equal(pie_config_n_metrics(config), 4);
    assert_true(pie_settings_float(pie_config_metric(config, 0)->settings, "threshold") == 1.2);
    assert_string_equal(pie_config_metric(config, 1)->info->short_name, "correct");
    assert_string_equal(pie_config_metric(config, 3)->info->short_name, "speedup");
    assert_int_equal(pie_settings_get(pie_config_compiler(config)->settings, "flags")->n, 1);
    assert_string_equal(pie_settings_string(pie_config_backend(config)->settings, "model"), "a=b");
    assert_true(pie_settings_int(pie_config_group(config, "limits"), "memory") == 2147483648);
    assert_string_equal(pie_settings_get(pie_config_group(config, "sampling"), "stop")->strings[0],
                        "one");
    assert_string_equal(pie_settings_get(pie_config_backend(config)->settings, "tags")->strings[0],
                        "a b");
    assert_string_equal(pie_settings_get(pie_config_group(config, "dataset"), "check")->where,
                        "--set dataset.check");
    pie_config_free(config);
    config = load_good(least, SETS("backend.model=7"));
    assert_string_equal(pie_settings_string(pie_config_backend(config)->settings, "model"), "7");
    pie_config_free(config);
}

static void a_config_without_a_dataset_may_say_how_to_check(void **state)
{
    (void)state;
    pie_config *config = NULL;
    const pie_config_source source = {.text = "dataset = { check = \"exact\"; };"};
    assert_int_equal(pie_config_load(&source, registry, &out.log, &config), PIE_OK);
    char *text = pie_config_text(config);
    pie_config *again = NULL;
    const pie_config_source written = {.text = text};
    assert_int_equal(pie_config_load(&written, registry, &out.log, &again), PIE_OK);
    assert_same_json(config, again, PIE_CONFIG_ALL);
    free(text);
    pie_config_free(config);
    pie_config_free(again);
}

static void bad_sets_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *set, *message;
    } cases[] = {
        {"", "--set : write path.to.key=value"},
        {"=5", "--set =5: write path.to.key=value"},
        {"limits", "--set limits: write path.to.key=value"},
        {"limits.memory", "write path.to.key=value"},
        {"limits.memory=5000000000",
         "--set limits.memory: 5000000000 is read wrongly without an L"},
        {"limits.memory=lots", "--set limits.memory: memory must be an integer"},
        {"limit.memory=5", "--set limit.memory: unknown key 'limit' (did you mean 'limits'?)"},
        {"limits.memry=5",
         "--set limits.memry: unknown key 'memry' in limits (did you mean 'memory'?)"},
        {"time.x=5", "--set time.x: 'x' is no key that can be set here"},
        {"metrics.x.threshold=5",
         "--set metrics.x.threshold: 'x' stands for an item of a list: a number "
         "from 0 to 3"},
        {"metrics.9.plugin=speedup", "'9' stands for an item of a list: a number from 0 to 3"},
        {"compiler.flags.0=-O2", "--set compiler.flags.0: '0' is no key that can be set here"},
        {"limits..memory=5", "--set limits..memory: there is no '' to be set"},
        {"compiler.flags=[\"-O2\"", "--set compiler.flags:1: syntax error"},
        {"compiler.flags=[\"-O2\"]; time = 1",
         "--set compiler.flags: one value is expected after '='"},
        {"compiler.flags=[\"a\", 5000000000]", "5000000000 is read wrongly without an L"},
        {"metrics=speedup", "--set metrics: metrics must be a list of groups"},
        {"limits=5", "--set limits: limits must be a group"},
        {"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r=1", "the path is too long"},
        {"backend.model=\xff", "--set backend.model: the value is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pie_config *config = NULL;
        char *text = pie_strf("%stime = \"user\"; compiler = { flags = [ \"-O3\" ]; };", least);
        const pie_status status = load(text, SETS(cases[i].set), &config);
        free(text);
        if (status != PIE_ERR_CONFIG || !capture_has(&out, cases[i].message))
            fail_msg("case %zu: --set %s gives %d", i, cases[i].set, (int)status);
    }
}

/* ---- files ---- */

static char folder[64];

static char *in_folder(const char *name, const char *text)
{
    char *path = pie_path_join(folder, name);
    if (text)
        assert_int_equal(pie_file_replace(path, text, strlen(text), &pie_log_stderr), PIE_OK);
    return path;
}

static pie_status load_file(const char *path, pie_config **ret_config)
{
    const pie_config_source source = {.path = path, .need_backend = true, .need_dataset = true};
    capture_clear(&out);
    return pie_config_load(&source, registry, &out.log, ret_config);
}

static void includes_are_relative_to_their_file(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/pie-test-config-XXXXXX");
    assert_non_null(mkdtemp(folder));
    char *inner = pie_path_join(folder, "inner");
    assert_int_equal(mkdir(inner, 0700), 0);
    char *main_file = in_folder("run.cfg", "# @include \"nowhere\"\n"
                                           "  @include \"inner/backend.cfg\" # and a comment\n"
                                           "dataset = { path = \"p\"; tests = \"t\"; };\n"
                                           "limits = { memory = 1; };\n");
    char *a = in_folder("inner/backend.cfg",
                        "backend = {\n@include \"deep.cfg\"\n path = \"g.jsonl\"; };\n");
    char *b = in_folder("inner/deep.cfg", "\nplugin = \"replay\"; threads = 0;");
    pie_config *config = NULL;
    assert_int_equal(load_file(main_file, &config), PIE_ERR_CONFIG);
    char *inner_line = pie_strf("%s/inner/deep.cfg:2: threads = 0 is out of range", folder);
    char *outer_line = pie_strf("%s/run.cfg:4: memory = 1 is out of range", folder);
    assert_true(capture_has(&out, inner_line));
    assert_true(capture_has(&out, outer_line));
    free(inner_line);
    free(outer_line);
    free(in_folder("inner/deep.cfg", "plugin = \"replay\"; threads = 3;"));
    free(
        in_folder("run.cfg",
                  "@include \"inner/backend.cfg\"\ndataset = { path = \"p\"; tests = \"t\"; };\n"));
    assert_int_equal(load_file(main_file, &config), PIE_OK);
    char *path = pie_strf("%s/inner/g.jsonl", folder);
    assert_string_equal(pie_settings_string(pie_config_backend(config)->settings, "path"), path);
    free(path);
    /* it is recorded relative to the main file, as if it had been written there */
    char *json = json_text(config, PIE_CONFIG_RESULT);
    assert_non_null(strstr(json, "\"path\":\"inner/g.jsonl\""));
    free(json);
    char *text = pie_config_text(config);
    pie_config *again = NULL;
    const pie_config_source source = {
        .path = "/else/where.cfg", .text = text, .need_backend = true};
    assert_int_equal(pie_config_load(&source, registry, &out.log, &again), PIE_OK);
    assert_same_json(config, again, PIE_CONFIG_ALL);
    free(text);
    pie_config_free(again);
    pie_config_free(config);
    free(main_file);
    free(inner);
    free(a);
    free(b);
    assert_int_equal(pie_folder_remove(folder, &pie_log_stderr), PIE_OK);
}

static void files_that_are_no_configs_are_refused(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/pie-test-config-XXXXXX");
    assert_non_null(mkdtemp(folder));
    static const struct {
        const char *name, *text, *message;
    } cases[] = {
        {"self.cfg", "@include \"self.cfg\"\n", "self.cfg:1: "},
        {"a.cfg", "\n@include \"b.cfg\"\n", "b.cfg:3: "},
        {"bom.cfg", "\xef\xbb\xbftime = \"user\";", "bom.cfg:1: starts with a byte order mark"},
        {"none.cfg", NULL, "none.cfg: No such file or directory"},
        {"crlf.cfg", "time = \"user\";\r\n\r\nlimits = { memory = 1; };\r\n",
         "crlf.cfg:3: memory = 1 is out of range"},
    };
    free(in_folder("b.cfg", "\n\n@include \"./a.cfg\"\n"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pie_config *config = NULL;
        char *path = in_folder(cases[i].name, cases[i].text);
        assert_int_equal(load_file(path, &config), PIE_ERR_CONFIG);
        assert_true(capture_has(&out, cases[i].message));
        if (i < 2)
            assert_true(capture_has(&out, "includes itself"));
        free(path);
    }
    pie_config *config = NULL;
    assert_int_equal(load_file(folder, &config), PIE_ERR_CONFIG);
    assert_true(capture_has(&out, ": is a folder, not a file"));
    assert_int_equal(load_file("/dev/zero", &config), PIE_ERR_CONFIG);
    assert_true(capture_has(&out, "/dev/zero: is a device or pipe, not a file"));
    char *pipe_path = in_folder("pipe.cfg", NULL);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_int_equal(load_file(pipe_path, &config), PIE_ERR_CONFIG);
    assert_true(capture_has(&out, "is a device or pipe, not a file"));
    char *large = in_folder("large.cfg", "#");
    assert_int_equal(truncate(large, 100 << 20), 0);
    assert_int_equal(load_file(large, &config), PIE_ERR_CONFIG);
    assert_true(
        capture_has(&out, "large.cfg: longer than the 1048576 bytes that a config file may have"));
    char *binary = in_folder("binary.cfg", "#");
    assert_int_equal(truncate(binary, 100), 0);
    assert_int_equal(load_file(binary, &config), PIE_ERR_CONFIG);
    assert_true(capture_has(&out, "binary.cfg:1: holds a zero byte"));
    /* thousands of members: quadratic in libconfig */
    pie_buf many = {0};
    for (int i = 0; i < 20000; i++)
        assert_int_equal(pie_buf_printf(&many, "a%d = 1;\n", i), PIE_OK);
    char *crowded = in_folder("crowded.cfg", pie_buf_text(&many));
    assert_int_equal(load_file(crowded, &config), PIE_ERR_CONFIG);
    assert_true(
        capture_has(&out, "crowded.cfg:1001: more than 1000 settings or items in one group"));
    assert_int_equal(out.n, 1);
    /* a chain of includes that doubles at every step */
    for (int i = 0; i < 9; i++) {
        char name[16], text[64];
        snprintf(name, sizeof name, "x%d.cfg", i);
        snprintf(text, sizeof text, "@include \"x%d.cfg\"\n@include \"x%d.cfg\"\n", i + 1, i + 1);
        free(in_folder(name, text));
    }
    free(in_folder("x9.cfg", "# end\n"));
    char *chain = in_folder("x0.cfg", NULL);
    assert_int_equal(load_file(chain, &config), PIE_ERR_CONFIG);
    assert_true(capture_has(&out, "too many files include each other"));
    assert_null(config);
    free(chain);
    free(crowded);
    pie_buf_free(&many);
    free(binary);
    free(large);
    free(pipe_path);
    assert_int_equal(pie_folder_remove(folder, &pie_log_stderr), PIE_OK);
}

static void plugin_folders_of_a_config_are_added(void **state)
{
    (void)state;
    pie_registry *own = NULL;
    const pie_plugin_info *info;
    const char text[] = "plugins = [ \"twin1/../ambiguous\" ];\nnonsense = 1;\n";
    const pie_config_source source = {.path = MODULES "/run.cfg", .text = text};
    assert_int_equal(pie_registry_new(&out.log, &own), PIE_OK);
    capture_clear(&out);
    assert_int_equal(pie_config_add_plugin_folders(&source, own, &out.log), PIE_OK);
    assert_int_equal(out.n, 0);
    assert_int_equal(pie_registry_find(own, PIE_KIND_PROMPT, "instruction", NULL, &info), PIE_OK);
    assert_string_equal(info->id, "org.other.instruction");
    const pie_config_source missing = {.sets = SETS("plugins=/nonexistent")};
    assert_int_equal(pie_config_add_plugin_folders(&missing, own, &out.log), PIE_ERR_CONFIG);
    assert_true(capture_has(&out, "/nonexistent: no such folder of plugins"));
    pie_registry_free(own);
}

/* The list in the ABI check and the schema here must not drift apart. */
static void reserved_names_are_those_of_the_schema(void **state)
{
    (void)state;
    static const struct {
        const char *group, *kind, *option;
    } cases[] = {
        {"compiler", PIE_KIND_COMPILER, "plugin"}, {"compiler", PIE_KIND_COMPILER, "language"},
        {"backend", PIE_KIND_BACKEND, "plugin"},   {"backend", PIE_KIND_BACKEND, "samples"},
        {"uarch", PIE_KIND_UARCH, "plugin"},       {"prompt", PIE_KIND_PROMPT, "plugin"}};
    pie_config *config = load_good(whole, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool is_reserved = false;
        assert_non_null(
            pie_settings_get(pie_config_plugin_group(config, cases[i].group), cases[i].option));
        for (const char *const *name = pie_abi_reserved_options(cases[i].kind); *name; name++)
            is_reserved = is_reserved || strcmp(*name, cases[i].option) == 0;
        assert_true(is_reserved);
    }
    assert_null(pie_abi_reserved_options("pie.oracle/1"));
    pie_config_free(config);
}

static void a_recorded_run_loads_where_it_could_not_run(void **state)
{
    (void)state;
    pie_config *config = NULL;
    const pie_config_source source = {.sets = SETS("compiler.plugin=rare"), .read_only = true};
    assert_int_equal(pie_config_load(&source, registry, &out.log, &config), PIE_OK);
    assert_string_equal(pie_config_compiler(config)->info->short_name, "rare");
    pie_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_loads),
        cmocka_unit_test(everything_has_a_default),
        cmocka_unit_test(without_a_file_only_what_is_needed_is_there),
        cmocka_unit_test(file_set_and_default_give_the_same_form),
        cmocka_unit_test(the_three_forms_hold_what_they_should),
        cmocka_unit_test(the_text_loads_again_from_anywhere),
        cmocka_unit_test(secrets_stay_secret),
        cmocka_unit_test(mistakes_are_named_with_file_and_line),
        cmocka_unit_test(all_problems_are_reported_at_once),
        cmocka_unit_test(checks_that_need_two_keys),
        cmocka_unit_test(sets_reach_every_place),
        cmocka_unit_test(a_config_without_a_dataset_may_say_how_to_check),
        cmocka_unit_test(bad_sets_are_refused),
        cmocka_unit_test(includes_are_relative_to_their_file),
        cmocka_unit_test(files_that_are_no_configs_are_refused),
        cmocka_unit_test(plugin_folders_of_a_config_are_added),
        cmocka_unit_test(reserved_names_are_those_of_the_schema),
        cmocka_unit_test(a_recorded_run_loads_where_it_could_not_run),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
