/* What the registry finds, what it refuses and with which words. */
#include "capture.h"

#include "base/file.h"
#include "pie/abi_check.h"
#include "pie/backend.h"
#include "pie/compiler.h"
#include "pie/uarch.h"
#include "registry/probe.h"
#include "registry/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MODULES PIE_BUILD "/tests/modules"

typedef struct fixture {
    capture out;
    pie_registry *registry;
} fixture;

static void fixture_open(fixture *f, const char *folder)
{
    capture_start(&f->out);
    assert_int_equal(pie_registry_new(&f->out.log, &f->registry), PIE_OK);
    if (!folder)
        return;
    assert_int_equal(pie_registry_add_folder(f->registry, folder, true), PIE_OK);
    assert_int_equal(pie_registry_scan(f->registry), PIE_OK);
}

static void fixture_close(fixture *f)
{
    pie_registry_free(f->registry);
    capture_end(&f->out);
}

static char *make_temporary(void)
{
    static char path[] = "/tmp/pie-test-registry-XXXXXX";
    strcpy(path + strlen(path) - 6, "XXXXXX");
    assert_non_null(mkdtemp(path));
    return path;
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char *path = pie_path_join(folder, name);
    assert_int_equal(pie_file_replace(path, text, strlen(text), &pie_log_stderr), PIE_OK);
    free(path);
}

/* ---- what is found ---- */

static void descriptors_come_along_whole(void **state)
{
    (void)state;
    fixture f;
    const pie_plugin_info *info;
    fixture_open(&f, MODULES "/good");
    assert_int_equal(pie_registry_note_count(f.registry), 0);
    assert_int_equal(pie_registry_count(f.registry), 11);
    assert_int_equal(pie_registry_find(f.registry, PIE_KIND_BACKEND, "replay", NULL, &info),
                     PIE_OK);
    assert_string_equal(info->id, "org.test.replay");
    assert_string_equal(info->short_name, "replay");
    assert_string_equal(info->version, "1.0.0");
    assert_string_equal(info->licence, "MIT");
    assert_string_equal(info->path, MODULES "/good/samples.so");
    assert_int_equal(info->capabilities, PIE_BACKEND_CHAT | PIE_BACKEND_OFFLINE);
    assert_null(info->folder);
    const pie_option *option = info->options;
    assert_string_equal(option->name, "path");
    assert_int_equal(option->flags, PIE_OPTION_REQUIRED);
    assert_null(option->fallback);
    assert_string_equal(option[1].choices, "generated_answers|raw_replies");
    assert_string_equal(option[3].fallback, "4");
    assert_true(option[3].min == 1 && option[3].max == 64);
    assert_null(option[10].name);
    assert_int_equal(
        pie_registry_find(f.registry, PIE_KIND_METRIC, "org.test.optimized", NULL, &info), PIE_OK);
    assert_true(info->options[0].max > 1e308); /* infinity survives the way */
    assert_int_equal(pie_registry_find(f.registry, PIE_KIND_UARCH, "noisy", NULL, &info), PIE_OK);
    assert_false(info->deterministic);
    assert_int_equal(info->style, PIE_UARCH_TRACE);
    assert_int_equal(pie_registry_find(f.registry, PIE_KIND_COMPILER, "gcc", NULL, &info), PIE_OK);
    assert_int_equal(info->style, PIE_PRODUCT_ELF);
    assert_true(info->deterministic);
    assert_null(info->unavailable);
    assert_non_null(info->requires);
    /* by kind, then id */
    for (size_t i = 1; i < pie_registry_count(f.registry); i++) {
        const pie_plugin_info *a = pie_registry_at(f.registry, i - 1),
                              *b = pie_registry_at(f.registry, i);
        assert_true(strcmp(a->kind, b->kind) < 0 ||
                    (strcmp(a->kind, b->kind) == 0 && strcmp(a->id, b->id) < 0));
    }
    assert_null(pie_registry_at(f.registry, 11));
    assert_int_equal(f.out.n, 0);
    fixture_close(&f);
}

static void a_folder_with_model_cfg_is_a_model(void **state)
{
    (void)state;
    fixture f;
    const pie_plugin_info *info, *engine;
    fixture_open(&f, MODULES "/good");
    assert_int_equal(pie_registry_find(f.registry, PIE_KIND_UARCH, "slow-div", NULL, &info),
                     PIE_OK);
    assert_int_equal(pie_registry_find(f.registry, PIE_KIND_UARCH, "fixed-cpi", NULL, &engine),
                     PIE_OK);
    assert_string_equal(info->id, "org.test.slow-div");
    assert_string_equal(info->version, "2.0.0");
    assert_ptr_equal(info->engine, engine);
    assert_string_equal(info->folder, MODULES "/good/slow-div");
    assert_string_equal(info->path, MODULES "/good/slow-div/model.cfg");
    assert_true(info->deterministic);
    /* its parameters are its defaults */
    assert_string_equal(info->options[0].fallback, "[ \"DIV_R64=40\", \"IDIV_R32=30\" ]");
    assert_string_equal(info->options[1].fallback, "3");
    assert_string_equal(info->options[2].fallback, "16");
    assert_string_equal(engine->options[1].fallback, "5");
    const pie_plugin *plugin;
    assert_int_equal(pie_plugin_open(info, &f.out.log, &plugin), PIE_OK);
    assert_string_equal(plugin->id, "org.test.fixed-cpi");
    fixture_close(&f);
}

static void a_plugin_that_lacks_something_lists_with_the_reason(void **state)
{
    (void)state;
    fixture f;
    const pie_plugin_info *info = NULL;
    fixture_open(&f, MODULES "/good");
    assert_int_equal(pie_registry_find(f.registry, PIE_KIND_COMPILER, "rare", "run.cfg:3", &info),
                     PIE_ERR_UNAVAILABLE);
    assert_null(info); /* written on success only */
    assert_true(capture_has(&f.out,
                            "run.cfg:3: org.test.rare cannot be used here: "
                            "pie-test-no-such-program is not on PATH: apt-get install nothing; "
                            "/nonexistent/file cannot be read: make one"));
    assert_int_equal(f.out.n, 1);
    assert_int_equal(pie_registry_lookup(f.registry, PIE_KIND_COMPILER, "rare", NULL, &info),
                     PIE_OK);
    assert_non_null(info->unavailable);
    fixture_close(&f);
}

static void wrong_names_get_the_nearest_and_the_list(void **state)
{
    (void)state;
    fixture f;
    const pie_plugin_info *info;
    fixture_open(&f, MODULES "/good");
    assert_int_equal(pie_registry_find(f.registry, PIE_KIND_METRIC, "sppedup", "run.cfg:9", &info),
                     PIE_ERR_CONFIG);
    assert_true(capture_has(
        &f.out, "run.cfg:9: no metric called 'sppedup' (did you mean 'speedup'?); there "
                "are correct, optimized, speedup"));
    assert_int_equal(pie_registry_find(f.registry, PIE_KIND_UARCH, "speedup", NULL, &info),
                     PIE_ERR_CONFIG);
    assert_true(capture_has(
        &f.out, "no CPU model called 'speedup'; there are fixed-cpi, noisy, null, slow-div"));
    assert_int_equal(pie_registry_find(f.registry, PIE_KIND_PROMPT, "", NULL, &info),
                     PIE_ERR_CONFIG);
    assert_int_equal(f.out.n, 3);
    fixture_close(&f);
}

static void an_ambiguous_short_name_wants_the_id(void **state)
{
    (void)state;
    fixture f;
    const pie_plugin_info *info;
    fixture_open(&f, MODULES "/good");
    assert_int_equal(pie_registry_add_folder(f.registry, MODULES "/ambiguous", true), PIE_OK);
    assert_int_equal(pie_registry_scan(f.registry), PIE_OK); /* reads only what is new */
    assert_int_equal(pie_registry_count(f.registry), 12);
    assert_int_equal(pie_registry_find(f.registry, PIE_KIND_PROMPT, "instruction", NULL, &info),
                     PIE_ERR_CONFIG);
    assert_true(capture_has(&f.out,
                            "'instruction' may be org.other.instruction or org.test.instruction; "
                            "write the whole id"));
    assert_int_equal(
        pie_registry_find(f.registry, PIE_KIND_PROMPT, "org.other.instruction", NULL, &info),
        PIE_OK);
    fixture_close(&f);
}

static void one_id_in_two_files_is_refused_when_used(void **state)
{
    (void)state;
    fixture f;
    const pie_plugin_info *info;
    fixture_open(&f, MODULES "/twin1");
    assert_int_equal(pie_registry_note_count(f.registry), 1);
    assert_non_null(strstr(pie_registry_note(f.registry, 0), "samples-a.so"));
    assert_non_null(strstr(pie_registry_note(f.registry, 0), "samples-b.so"));
    assert_int_equal(f.out.n, 0); /* no error yet */
    assert_int_equal(pie_registry_find(f.registry, PIE_KIND_METRIC, "speedup", "run.cfg:2", &info),
                     PIE_ERR_ABI);
    assert_true(capture_has(&f.out, "run.cfg:2: two files hold org.test.speedup: " MODULES
                                    "/twin1/samples-a.so and " MODULES "/twin1/samples-b.so"));
    fixture_close(&f);
}

static void the_same_file_by_two_ways_is_one(void **state)
{
    (void)state;
    fixture f;
    char *folder = make_temporary();
    char *link = pie_path_join(folder, "again.so");
    assert_int_equal(symlink(MODULES "/good/samples.so", link), 0);
    fixture_open(&f, MODULES "/good");
    assert_int_equal(pie_registry_add_folder(f.registry, folder, true), PIE_OK);
    assert_int_equal(pie_registry_add_folder(f.registry, MODULES "/good/", true), PIE_OK);
    assert_int_equal(pie_registry_scan(f.registry), PIE_OK);
    assert_int_equal(pie_registry_count(f.registry), 11);
    assert_int_equal(pie_registry_note_count(f.registry), 0);
    fixture_close(&f);
    free(link);
    assert_int_equal(pie_folder_remove(folder, &pie_log_stderr), PIE_OK);
}

static void missing_folders_count_only_when_they_must(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    assert_int_equal(pie_registry_add_folder(f.registry, "/nonexistent", false), PIE_OK);
    assert_int_equal(f.out.n, 0);
    assert_int_equal(pie_registry_add_folder(f.registry, "/nonexistent", true), PIE_ERR_CONFIG);
    assert_true(capture_has(&f.out, "/nonexistent: no such folder of plugins"));
    assert_int_equal(pie_registry_scan(f.registry), PIE_OK);
    assert_int_equal(pie_registry_count(f.registry), 0);
    const pie_plugin_info *info;
    assert_int_equal(pie_registry_find(f.registry, PIE_KIND_METRIC, "speedup", NULL, &info),
                     PIE_ERR_CONFIG);
    assert_true(capture_has(&f.out, "there are none"));
    fixture_close(&f);
}

static void plugin_path_is_searched(void **state)
{
    (void)state;
    fixture f;
    const pie_plugin_info *info;
    assert_int_equal(
        setenv("PIE_PLUGIN_PATH", "/nonexistent::" MODULES "/ambiguous:" MODULES "/good", 1), 0);
    fixture_open(&f, NULL);
    assert_int_equal(pie_registry_add_standard_folders(f.registry), PIE_OK);
    assert_int_equal(pie_registry_scan(f.registry), PIE_OK);
    unsetenv("PIE_PLUGIN_PATH");
    assert_int_equal(
        pie_registry_find(f.registry, PIE_KIND_METRIC, "org.test.speedup", NULL, &info), PIE_OK);
    assert_int_equal(
        pie_registry_find(f.registry, PIE_KIND_PROMPT, "org.other.instruction", NULL, &info),
        PIE_OK);
    fixture_close(&f);
}

/* ---- what is refused ---- */

static void broken_modules_are_notes(void **state)
{
    (void)state;
    static const char *const notes[] = {
        "/not_a_plugin.so: no pie plugin: it exports no 'pie_module_entry'",
        "/wrong_magic.so: 'pie_module_entry' starts with 0x46464646 instead of 0x31454950",
        "/older_abi.so: built for pie ABI 0.0, this pie has ABI 0.1: rebuild the plugin",
        "/newer_abi.so: built for pie ABI 0.2, this pie has ABI 0.1: update pie",
        "/no_list.so: the module holds no plugin",
        "/empty_list.so: the module holds no plugin",
        "/unknown_kind.so: org.example.broken: unknown kind 'pie.oracle/1'; this pie knows "
        "pie.compiler/1",
        "/bad_id.so: plugin 0 of the module: the id is not of the form",
        "/no_version.so: org.example.broken: the version is missing",
        "/no_summary.so: org.example.broken: the summary is missing",
        "/control_character.so: org.example.broken: the summary is missing or no printable line",
        "/no_ops.so: org.example.broken: the table of functions (ops) is missing",
        "/missing_function.so: org.example.broken: the function 'total' of pie.metric/1 is missing",
        "/half_a_label.so: org.example.broken: 'label' and 'label_name' go together",
        "/option_name.so: org.example.broken: name of option 0 is not of the form",
        "/option_type.so: org.example.broken: option 'first' has the unknown type 99",
        "/option_default.so: org.example.broken: option 'first': the default is malformed",
        "/option_range.so: org.example.broken: option 'first': the default is malformed, out of "
        "range",
        "/option_choice.so: org.example.broken: option 'second': the default is malformed",
        "/option_twice.so: org.example.broken: option 'first' stands twice",
        "/option_reserved.so: org.example.broken: option 'plugin' has a name that pie itself uses",
        "/option_help.so: org.example.broken: option 'first' has no line of help",
        "/requirement.so: org.example.broken: requirement 0 has an unknown type, no name or no "
        "hint",
        "/same_id.so: the module holds two plugins with the id org.example.broken",
        "/exits.so: ended the process when loaded (exit status 0)",
        "/unresolved.so: cannot be loaded: undefined symbol: pie_test_no_such_function",
        "/counter_name.so: org.example.broken: counter 1 is neither in pie/counters.h nor named "
        "'broken.<own>'",
        "/no_capability.so: org.example.broken: its capabilities name nothing to ask it",
        "/crashes.so: crashed when loaded (signal 6",
        "/bad_pointer.so: ", /* a sanitizer turns the signal into an exit */
    };
    const size_t n_notes = sizeof notes / sizeof *notes;
    fixture f;
    const pie_plugin_info *info;
    fixture_open(&f, MODULES "/broken");
    assert_int_equal(f.out.n, 0); /* notes, no errors */
    assert_int_equal(pie_registry_note_count(f.registry), n_notes);
    for (size_t i = 0; i < n_notes; i++) {
        bool found = false;
        for (size_t k = 0; k < n_notes; k++) {
            const char *note = pie_registry_note(f.registry, k);
            found = found || strstr(note, notes[i]);
            assert_null(strchr(note, '\n'));
        }
        if (!found)
            fail_msg("no note has \"%s\"", notes[i]);
    }
    /* the modules between and behind the crashing ones were read, and what one prints is not seen
     */
    assert_int_equal(pie_registry_count(f.registry), 1);
    assert_int_equal(pie_registry_find(f.registry, PIE_KIND_METRIC, "broken", NULL, &info), PIE_OK);
    assert_non_null(strstr(info->path, "/prints.so"));
    /* a name whose file is broken says so */
    assert_int_equal(pie_registry_find(f.registry, PIE_KIND_METRIC, "no_ops", "a.cfg:1", &info),
                     PIE_ERR_ABI);
    assert_true(capture_has(&f.out, "a.cfg:1: the metric 'no_ops' is broken: "));
    fixture_close(&f);
}

/* Both sides stand in the message, whatever this pie's version is. */
static void files_that_are_no_modules_are_refused_loudly(void **state)
{
    (void)state;
    fixture f;
    char *folder = make_temporary();
    fixture_open(&f, NULL);
    write_file(folder, "text.so", "this is no module\n");
    write_file(folder, "empty.so", "");
    write_file(folder, "short.so", "\177ELF\2\1\1");
    char header[64] = "\177ELF\2\1\1";
    char *path = pie_path_join(folder, "arm.so"), *object = pie_path_join(folder, "object.so"),
         *cut = pie_path_join(folder, "cut.so"), *pipe_path = pie_path_join(folder, "pipe.so"),
         *hidden = pie_path_join(folder, "inner");
    header[16] = 3;         /* ET_DYN */
    header[18] = (char)183; /* EM_AARCH64 */
    assert_int_equal(pie_file_replace(path, header, sizeof header, &f.out.log), PIE_OK);
    header[18] = 62; /* EM_X86_64 */
    assert_int_equal(pie_file_replace(cut, header, sizeof header, &f.out.log), PIE_OK);
    header[16] = 1; /* ET_REL */
    assert_int_equal(pie_file_replace(object, header, sizeof header, &f.out.log), PIE_OK);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_int_equal(mkdir(hidden, 0700), 0);
    static const struct {
        const char *name, *message;
    } cases[] = {
        {"none.so", "none.so: no such file"},
        {"text.so", "text.so: not an ELF file"},
        {"empty.so", "empty.so: not an ELF file"},
        {"short.so", "short.so: the file is cut off"},
        {"arm.so",
         "arm.so: built for another machine (ELF class 2, machine 183); pie needs x86-64"},
        {"object.so", "object.so: an ELF file, but no shared object (type 1)"},
        {"cut.so", "cut.so: cannot be loaded: "},
        {"pipe.so", "pipe.so: not a file but a folder, device or pipe"},
        {"inner", "inner: not a file but a folder, device or pipe"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *file = pie_path_join(folder, cases[i].name);
        capture_clear(&f.out);
        assert_int_equal(pie_registry_check_file(f.registry, file), PIE_ERR_ABI);
        assert_true(capture_has(&f.out, cases[i].message));
        assert_int_equal(f.out.n, 1);
        free(file);
    }
    capture_clear(&f.out);
    assert_int_equal(pie_registry_check_file(f.registry, MODULES "/broken/crashes.so"),
                     PIE_ERR_CRASHED);
    assert_int_equal(f.out.n, 1);
    assert_int_equal(pie_registry_count(f.registry), 0);
    assert_int_equal(pie_registry_check_file(f.registry, MODULES "/good/fixed-cpi.so"), PIE_OK);
    assert_int_equal(pie_registry_count(f.registry), 1);
    assert_int_equal(f.out.n, 1);
    fixture_close(&f);
    free(path);
    free(object);
    free(cut);
    free(pipe_path);
    free(hidden);
    assert_int_equal(pie_folder_remove(folder, &pie_log_stderr), PIE_OK);
}

typedef struct probed {
    size_t n_found, n_refused;
    char why[256];
} probed;

static pie_status on_found(void *context, size_t index, json_t *module)
{
    probed *seen = context;
    assert_int_equal(index, 1);
    assert_true(json_is_array(module));
    seen->n_found++;
    return PIE_OK;
}

static pie_status on_refused(void *context, size_t index, pie_status status, const char *why)
{
    probed *seen = context;
    assert_int_equal(index, 0);
    assert_int_equal(status, PIE_ERR_CRASHED);
    snprintf(seen->why, sizeof seen->why, "%s", why);
    seen->n_refused++;
    return PIE_OK;
}

static void a_module_that_hangs_costs_a_line(void **state)
{
    (void)state;
    probed seen = {0};
    const char *const paths[] = {MODULES "/hanging/hangs.so", MODULES "/good/fixed-cpi.so"};
    const pie_probe probe = {&seen, on_found, on_refused, 300};
    assert_int_equal(pie_probe_run(&probe, paths, 2), PIE_OK);
    assert_int_equal(seen.n_refused, 1);
    assert_int_equal(seen.n_found, 1);
    assert_string_equal(seen.why, "hung when loaded (no answer for 0.3 s)");
}

static void bad_model_cfgs_are_notes_with_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text, *note;
    } cases[] = {
        {"version = \"1\";\nsummary = \"s\";\nengine = \"fixed-cpi\";\n",
         "model.cfg: 'id' is missing"},
        {"id = \"org.x.m\";\nversion = \"1\";\nsummary = \"s\";\nengine = \"fixed-cpy\";\n",
         "model.cfg:4: the engine 'fixed-cpy' is not there, or is broken"},
        {"id = \"org.x.m\"; version = \"1\"; summary = \"s\"; engine = \"fixed-cpi\";\nparameter = "
         "{};\n",
         "model.cfg:2: unknown key 'parameter' in a model.cfg (did you mean 'parameters'?)"},
        {"id = \"org.x.m\"; version = \"1\"; summary = \"s\"; engine = \"fixed-cpi\";\n"
         "parameters = {\n line_cycle = 3; };\n",
         "model.cfg:3: the engine org.test.fixed-cpi has no parameter 'line_cycle' (did you mean "
         "'line_cycles'?)"},
        {"id = \"org.x.m\"; version = \"1\"; summary = \"s\"; engine = \"fixed-cpi\";\n"
         "parameters = {\n line_cycles = 1001; };\n",
         "model.cfg:3: line_cycles = 1001 is out of range: it may be 0 to 1000"},
        {"id = \"org.x.m\"; version = \"1\"; summary = \"s\"; engine = \"fixed-cpi\";\n"
         "parameters = {\n line_cycles = \"x\"; };\n",
         "model.cfg:3: line_cycles must be an integer"},
        {"id = \"m\"; version = \"1\"; summary = \"s\"; engine = \"fixed-cpi\";\n",
         "model.cfg:1: the id must be of the form"},
        {"id = \"org.x.m\";\nversion = 1; summary = \"s\"; engine = \"fixed-cpi\";\n",
         "model.cfg:2: version must be a string"},
        {"id = \"org.x.m\";\nversion = ;\n", "model.cfg:2: syntax error"},
        {"@include \"/dev/zero\"\n", "model.cfg:1: /dev/zero: is a device or pipe, not a file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture f;
        char *folder = make_temporary();
        write_file(folder, "model.cfg", cases[i].text);
        fixture_open(&f, MODULES "/good");
        assert_int_equal(pie_registry_add_folder(f.registry, folder, true), PIE_OK);
        assert_int_equal(pie_registry_scan(f.registry), PIE_OK);
        assert_int_equal(pie_registry_note_count(f.registry), 1);
        if (!strstr(pie_registry_note(f.registry, 0), cases[i].note))
            fail_msg("\"%s\" lacks \"%s\"", pie_registry_note(f.registry, 0), cases[i].note);
        assert_int_equal(pie_registry_count(f.registry), 11);
        assert_int_equal(f.out.n, 0);
        fixture_close(&f);
        assert_int_equal(pie_folder_remove(folder, &pie_log_stderr), PIE_OK);
    }
}

static void a_file_that_changed_is_refused_when_opened(void **state)
{
    (void)state;
    fixture f;
    const pie_plugin_info *info;
    const pie_plugin *plugin = NULL;
    char *folder = make_temporary();
    char *path = pie_path_join(folder, "a.so");
    pie_buf module = {0};
    assert_int_equal(pie_file_read(MODULES "/good/samples.so", 64 << 20, &pie_log_stderr, &module),
                     PIE_OK);
    assert_int_equal(pie_file_replace(path, module.data, module.n, &pie_log_stderr), PIE_OK);
    fixture_open(&f, folder);
    assert_int_equal(pie_registry_find(f.registry, PIE_KIND_METRIC, "speedup", NULL, &info),
                     PIE_OK);
    pie_buf_clear(&module);
    assert_int_equal(
        pie_file_read(MODULES "/good/fixed-cpi.so", 64 << 20, &pie_log_stderr, &module), PIE_OK);
    assert_int_equal(pie_file_replace(path, module.data, module.n, &pie_log_stderr), PIE_OK);
    assert_int_equal(pie_plugin_open(info, &f.out.log, &plugin), PIE_ERR_ABI);
    assert_null(plugin);
    assert_true(capture_has(&f.out, "a.so: no longer holds org.test.speedup 1.0.0"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(pie_plugin_open(info, &f.out.log, &plugin), PIE_ERR_ABI);
    assert_true(capture_has(&f.out, "a.so: no such file"));
    fixture_close(&f);
    pie_buf_free(&module);
    free(path);
    assert_int_equal(pie_folder_remove(folder, &pie_log_stderr), PIE_OK);
}

/* ---- the check by itself ---- */

static void defaults_are_read_as_in_a_config(void **state)
{
    (void)state;
    static const struct {
        int32_t type;
        const char *text;
        size_t n; /* items; 99 = malformed */
    } cases[] = {
        {PIE_OPTION_BOOL, "true", 1},
        {PIE_OPTION_BOOL, "yes", 99},
        {PIE_OPTION_BOOL, "truer", 99},
        {PIE_OPTION_INT, "5000000000", 1},
        {PIE_OPTION_INT, "5000000000L", 1},
        {PIE_OPTION_INT, "0x10", 1},
        {PIE_OPTION_INT, "1.0", 99},
        {PIE_OPTION_INT, "", 99},
        {PIE_OPTION_INT, "99999999999999999999", 99},
        {PIE_OPTION_FLOAT, "1", 1},
        {PIE_OPTION_FLOAT, "1e400", 99},
        {PIE_OPTION_FLOAT, "nan", 99},
        {PIE_OPTION_FLOAT, "0x1p3", 99},
        {PIE_OPTION_FLOAT_LIST, "[ 1, 2.5 ]", 2},
        {PIE_OPTION_FLOAT_LIST, "3", 1},
        {PIE_OPTION_FLOAT_LIST, "[]", 0},
        {PIE_OPTION_FLOAT_LIST, "[ 1, 2", 99},
        {PIE_OPTION_FLOAT_LIST, "[ 1 2 ]", 99},
        {PIE_OPTION_STRING, "\"a b\"", 1},
        {PIE_OPTION_STRING, "bare words", 1},
        {PIE_OPTION_STRING, "\"open", 99},
        {PIE_OPTION_STRING, "\"a\" b", 99},
        {PIE_OPTION_STRING, "\"\\q\"", 99},
        {PIE_OPTION_STRING, "\"\\x41\\n\"", 1},
        {PIE_OPTION_STRING_LIST, "[ \"-O3\", \"x\" ]", 2},
        {PIE_OPTION_STRING_LIST, "-O3", 1},
        {PIE_OPTION_STRING_LIST, "[ -O3 ]", 99},
        {PIE_OPTION_STRING_LIST, "[ \"a\" ] x", 99},
        {PIE_OPTION_PATH_LIST, "( \"a\" )", 1},
        {PIE_OPTION_PATH, NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const pie_option option = {.name = "x", .type = cases[i].type, .fallback = cases[i].text};
        pie_default_item item;
        size_t n = 0;
        pie_status status;
        while ((status = pie_option_default(&option, n, &item)) == PIE_OK)
            n++;
        n = status == PIE_ERR_CONFIG ? 99 : n;
        if (n != cases[i].n)
            fail_msg("\"%s\" gives %zu instead of %zu", cases[i].text ? cases[i].text : "NULL", n,
                     cases[i].n);
    }
    const pie_option escaped = {
        .name = "x", .type = PIE_OPTION_STRING, .fallback = "\"\\x41\\n\\\"\""};
    pie_default_item item;
    assert_int_equal(pie_option_default(&escaped, 0, &item), PIE_OK);
    assert_string_equal(item.string, "A\n\"");
}

static void utf8_is_checked_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t good;
    } cases[] = {{"plain", 5},
                 {"\xc3\xa9", 2},
                 {"\xe2\x82\xac", 3},
                 {"\xf0\x9f\x98\x80", 4},
                 {"a\xff", 1},
                 {"\xc0\xaf", 0},
                 {"\xe0\x80\x80", 0},
                 {"\xed\xa0\x80", 0},
                 {"\xf4\x90\x80\x80", 0},
                 {"\xe2\x82", 0},
                 {"a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", 1},
                 {"ab\xc3", 2},
                 {"", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(pie_utf8_span(cases[i].text, strlen(cases[i].text)), cases[i].good);
}

static void nearest_names_are_near(void **state)
{
    (void)state;
    const char *const names[] = {"limits", "dataset", "sampling", "compiler",
                                 "uarch",  "time",    NULL};
    assert_string_equal(pie_nearest_name("limit", names), "limits");
    assert_string_equal(pie_nearest_name("LIMITS", names), "limits");
    assert_string_equal(pie_nearest_name("datset", names), "dataset");
    assert_string_equal(pie_nearest_name("smapling", names), "sampling"); /* one swap */
    assert_string_equal(pie_nearest_name("tiem", names), "time");
    assert_null(pie_nearest_name("colour", names));
    assert_null(pie_nearest_name("", names));
    assert_null(pie_nearest_name("x", names));
    char *long_name = calloc(1, 100000);
    memset(long_name, 'a', 99999);
    assert_null(pie_nearest_name(long_name, names));
    free(long_name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_come_along_whole),
        cmocka_unit_test(a_folder_with_model_cfg_is_a_model),
        cmocka_unit_test(a_plugin_that_lacks_something_lists_with_the_reason),
        cmocka_unit_test(wrong_names_get_the_nearest_and_the_list),
        cmocka_unit_test(an_ambiguous_short_name_wants_the_id),
        cmocka_unit_test(one_id_in_two_files_is_refused_when_used),
        cmocka_unit_test(the_same_file_by_two_ways_is_one),
        cmocka_unit_test(missing_folders_count_only_when_they_must),
        cmocka_unit_test(plugin_path_is_searched),
        cmocka_unit_test(broken_modules_are_notes),
        cmocka_unit_test(files_that_are_no_modules_are_refused_loudly),
        cmocka_unit_test(a_module_that_hangs_costs_a_line),
        cmocka_unit_test(bad_model_cfgs_are_notes_with_lines),
        cmocka_unit_test(a_file_that_changed_is_refused_when_opened),
        cmocka_unit_test(defaults_are_read_as_in_a_config),
        cmocka_unit_test(utf8_is_checked_exactly),
        cmocka_unit_test(nearest_names_are_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
