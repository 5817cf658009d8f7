/* test_replay.c - the backend `replay` and the prompt `instruction` through their tables, as the
 * host calls them. */
#include "base/buf.h"
#include "base/file.h"
#include "pie/backend.h"
#include "pie/prompt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- a host ---------------------------------------------------------------------------------- */

typedef struct fixture {
    pie_host host;
    const char *options[8][2]; /* name, value; ended by NULL */
    char messages[8192];
    char path[64];
    const pie_backend_ops *replay;
    const pie_prompt_ops *instruction;
} fixture;

static void host_log(const pie_host *host, int32_t level, const char *text)
{
    fixture *f = host->host_data;
    const size_t n = strlen(f->messages);
    (void)level;
    assert_null(strchr(text, '\n'));
    snprintf(f->messages + n, sizeof f->messages - n, "%s\n", text);
}

static pie_status host_get_string(const pie_host *host, const char *key, const char **ret)
{
    const fixture *f = host->host_data;
    *ret = NULL;
    for (size_t i = 0; f->options[i][0]; i++)
        if (strcmp(f->options[i][0], key) == 0)
            *ret = f->options[i][1];
    return PIE_OK;
}

static pie_status host_get_bool(const pie_host *host, const char *key, int32_t *ret)
{
    const char *text;
    host_get_string(host, key, &text);
    *ret = text && strcmp(text, "true") == 0;
    return PIE_OK;
}

static const pie_plugin *open_plugin(const char *name)
{
    const char *build = getenv("PIE_BUILD");
    char path[4096];
    snprintf(path, sizeof path, "%s/plugins/%s.so", build ? build : PIE_BUILD, name);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        fail_msg("%s", dlerror());
    const pie_module *module = dlsym(handle, PIE_MODULE_SYMBOL);
    assert_non_null(module);
    assert_int_equal(module->magic, PIE_ABI_MAGIC);
    assert_null(module->plugins[1]);
    return module->plugins[0]; /* never unloaded, as in the host */
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    if (!f)
        return -1;
    f->host = (pie_host){
        .host_data = f, .log = host_log, .get_string = host_get_string, .get_bool = host_get_bool};
    snprintf(f->path, sizeof f->path, "/tmp/pie-replay-XXXXXX");
    const int fd = mkstemp(f->path);
    if (fd < 0)
        return -1;
    close(fd);
    f->replay = open_plugin("replay")->ops;
    f->instruction = open_plugin("instruction")->ops;
    f->options[0][0] = "path";
    f->options[0][1] = f->path;
    f->options[1][0] = "field";
    f->options[1][1] = "generated_answers";
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

static pie_status create(fixture *f, const char *text, void **ret_backend)
{
    f->messages[0] = '\0';
    assert_int_equal(pie_file_replace(f->path, text, strlen(text), NULL), PIE_OK);
    return f->replay->create(&f->host, ret_backend);
}

static void submit(fixture *f, void *backend, uint64_t id, const char *problem_id,
                   const char *src_id, int64_t sample)
{
    char ids[2][32]; /* overwritten below: submit() must copy */
    snprintf(ids[0], sizeof ids[0], "%s", problem_id);
    snprintf(ids[1], sizeof ids[1], "%s", src_id);
    const pie_request request = {
        .id = id,
        .prompt = "faster",
        .context = {
            .problem_id = ids[0], .src_id = ids[1], .sample_index = sample, .n_samples = 10}};
    assert_int_equal(f->replay->submit(backend, &request), PIE_OK);
    memset(ids, 0, sizeof ids);
}

#define ROWS                                                                                   \
    "\xef\xbb\xbf{\"problem_id\":\"p1\",\"src_id\":\"s1\",\"generated_answers\":[\"a\",null,"  \
    "\"c\\u0000d\",\"\"],"                                                                     \
    "\"raw_replies\":[\"ra\"]}\r\n"                                                            \
    "\n"                                                                                       \
    "{\"problem_id\":\"p1\",\"src_id\":\"s2\",\"generated_answers\":[\"b\"],\"raw_replies\":[" \
    "\"rb\"]}\n"                                                                               \
    "{\"src_id\":\"s1\",\"problem_id\":\"p2\",\"generated_answers\":[],\"raw_replies\":["      \
    "\"r\xc3\xa4\",\"x\"]}"

static void answers_by_problem_source_and_sample(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *field, *problem_id, *src_id;
        int64_t sample;
        int32_t error;
        const char *text;
        size_t n;
    } cases[] = {
        {"generated_answers", "p1", "s1", 0, PIE_BACKEND_OK, "a", 1},
        {"generated_answers", "p1", "s1", 2, PIE_BACKEND_OK, "c\0d", 3},
        {"generated_answers", "p1", "s1", 3, PIE_BACKEND_OK, "", 0},
        {"generated_answers", "p1", "s2", 0, PIE_BACKEND_OK, "b", 1},
        {"generated_answers", "p1", "s1", 0, PIE_BACKEND_OK, "a", 1},
        {"generated_answers", "p1", "s1", 1, PIE_BACKEND_NO_ANSWER, NULL, 0}, /* null */
        {"generated_answers", "p1", "s1", 4, PIE_BACKEND_NO_ANSWER, NULL, 0}, /* fewer recorded */
        {"generated_answers", "p2", "s1", 0, PIE_BACKEND_NO_ANSWER, NULL, 0}, /* none recorded */
        {"generated_answers", "p3", "s1", 0, PIE_BACKEND_NO_ANSWER, NULL, 0}, /* no row */
        {"generated_answers", "p", "1s1", 0, PIE_BACKEND_NO_ANSWER, NULL,
         0}, /* ids do not run together */
        {"raw_replies", "p1", "s1", 0, PIE_BACKEND_OK, "ra", 2},
        {"raw_replies", "p2", "s1", 0, PIE_BACKEND_OK, "r\xc3\xa4", 3},
        {"raw_replies", "p1", "s1", 1, PIE_BACKEND_NO_ANSWER, NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int strict = 0; strict < 2; strict++) {
            void *backend = NULL;
            pie_completion got;
            int32_t timeout = 5;
            f->options[1][1] = cases[i].field;
            f->options[2][0] = "strict";
            f->options[2][1] = strict ? "true" : "false";
            assert_int_equal(create(f, ROWS, &backend), PIE_OK);
            assert_string_equal(f->messages, "");
            assert_int_equal(f->replay->poll(backend, &got), PIE_ERR_AGAIN);
            assert_int_equal(f->replay->wait_fd(backend, &timeout), -1);
            assert_int_equal(timeout, -1);
            submit(f, backend, 70 + i, cases[i].problem_id, cases[i].src_id, cases[i].sample);
            assert_int_equal(f->replay->wait_fd(backend, &timeout), -1);
            assert_int_equal(timeout, 0);
            assert_int_equal(f->replay->poll(backend, &got), PIE_OK);
            assert_int_equal(got.id, 70 + i);
            if (cases[i].error == PIE_BACKEND_OK) {
                assert_int_equal(got.error, PIE_BACKEND_OK);
                assert_int_equal(got.finish, PIE_FINISH_STOP);
                assert_int_equal(got.has, i < 10 ? PIE_COMPLETION_IS_CODE : 0);
                assert_int_equal(got.text_bytes, cases[i].n);
                assert_memory_equal(got.text, cases[i].text, cases[i].n + 1);
                assert_null(got.message);
            } else {
                char what[128];
                assert_int_equal(got.error,
                                 strict ? PIE_BACKEND_BAD_REQUEST : PIE_BACKEND_NO_ANSWER);
                assert_int_equal(got.finish, 0);
                assert_null(got.text);
                snprintf(what, sizeof what, "problem %s, source %s, sample %d ",
                         cases[i].problem_id, cases[i].src_id, (int)cases[i].sample);
                assert_non_null(strstr(got.message, what));
            }
            assert_int_equal(f->replay->poll(backend, &got), PIE_ERR_AGAIN);
            f->replay->destroy(backend);
        }
}

static void many_are_in_flight(void **state)
{
    fixture *f = *state;
    void *backend = NULL;
    pie_completion got;
    uint64_t n = 0;
    assert_int_equal(create(f, ROWS, &backend), PIE_OK);
    for (int round = 0; round < 3; round++) { /* the queue wraps around */
        const pie_request request = {.prompt = "x",
                                     .context = {.problem_id = "p1", .src_id = "s2"}};
        for (n = 0; n < 100000 && f->replay->submit(backend, &request) == PIE_OK; n++)
            ;
        assert_true(n > 100 && n < 100000); /* PIE_ERR_AGAIN came */
        for (uint64_t i = 0; i < n - (uint64_t)round; i++) {
            assert_int_equal(f->replay->poll(backend, &got), PIE_OK);
            assert_string_equal(got.text, "b");
        }
        while (f->replay->poll(backend, &got) == PIE_OK)
            ;
        submit(f, backend, 1, "p1", "s1", 0);
        assert_int_equal(f->replay->poll(backend, &got), PIE_OK);
    }
    submit(f, backend, 1, "p1", "s1", 0);
    submit(f, backend, 2, "p1", "s2", 0);
    assert_int_equal(f->replay->cancel(backend, 1), PIE_OK);
    assert_int_equal(f->replay->cancel(backend, 99), PIE_OK);
    assert_int_equal(f->replay->poll(backend, &got), PIE_OK);
    assert_int_equal(got.error, PIE_BACKEND_CANCELLED);
    assert_int_equal(f->replay->poll(backend, &got), PIE_OK);
    assert_int_equal(got.id, 2);
    assert_string_equal(got.text, "b");
    submit(f, backend, 3, "p1", "s1", 0);
    f->replay->destroy(backend); /* with one in flight */
    f->replay->destroy(NULL);
}

static void later_steps_are_not_recorded(void **state)
{
    fixture *f = *state;
    void *backend = NULL;
    pie_completion got;
    assert_int_equal(create(f, ROWS, &backend), PIE_OK);
    const pie_request request = {.prompt = "x",
                                 .context = {.problem_id = "p1", .src_id = "s2", .step = 1}};
    assert_int_equal(f->replay->submit(backend, &request), PIE_OK);
    assert_int_equal(f->replay->poll(backend, &got), PIE_OK);
    assert_int_equal(got.error, PIE_BACKEND_NO_ANSWER);
    f->replay->destroy(backend);
}

static void refuses_malformed_files(void **state)
{
    fixture *f = *state;
#define GOOD "{\"problem_id\":\"p\",\"src_id\":\"s\",\"generated_answers\":[\"\"]}\n"
    static const struct {
        const char *text, *what;
    } cases[] = {
        {GOOD "\n{\n", ":3: not JSON: "},
        {GOOD "[]\n", ":2: the row must be an object"},
        {GOOD "{\"src_id\":\"s\",\"generated_answers\":[]}\n", ":2: problem_id must be a string"},
        {"{\"problem_id\":\"p\",\"src_id\":3,\"generated_answers\":[]}",
         ":1: src_id must be a string"},
        {"{\"problem_id\":\"p\\u0000\",\"src_id\":\"s\",\"generated_answers\":[]}",
         ":1: problem_id must be a string"},
        {"{\"problem_id\":\"p\",\"src_id\":\"s\"}",
         ":1: generated_answers must be a list of strings"},
        {"{\"problem_id\":\"p\",\"src_id\":\"s\",\"raw_replies\":[]}",
         "; the row has raw_replies, which the option `field` can name"},
        {"{\"problem_id\":\"p\",\"src_id\":\"s\",\"generated_answers\":\"int main(){}\"}",
         ":1: generated_answers must be a list of strings"},
        {"{\"problem_id\":\"p\",\"src_id\":\"s\",\"generated_answers\":[\"\",{}]}",
         ":1: generated_answers[1] must be a string, or null for no answer"},
        {GOOD "\n\n" GOOD, ":4: problem p, source s has a row at line 1 already"},
        {"{\"problem_id\":\"\xff\"}", ":1: not JSON: unable to decode byte 0xff"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *backend = NULL;
        print_message("  %s\n", cases[i].what);
        assert_int_equal(create(f, cases[i].text, &backend), PIE_ERR_DATA);
        assert_null(backend);
        assert_memory_equal(f->messages, f->path, strlen(f->path));
        if (!strstr(f->messages, cases[i].what))
            fail_msg("got: %s", f->messages);
        assert_ptr_equal(strchr(f->messages, '\n'), f->messages + strlen(f->messages) - 1);
    }
    /* several at once are all named, but not without end */
    void *backend = NULL;
    assert_int_equal(create(f, "{\n" GOOD "]\n", &backend), PIE_ERR_DATA);
    assert_non_null(strstr(f->messages, ":1: not JSON"));
    assert_non_null(strstr(f->messages, ":3: not JSON"));
    char many[200];
    memset(many, '\n', sizeof many);
    for (size_t i = 0; i < sizeof many - 1; i += 2)
        many[i] = '{';
    many[sizeof many - 1] = '\0';
    assert_int_equal(create(f, many, &backend), PIE_ERR_DATA);
    assert_non_null(strstr(f->messages, ":20: not JSON"));
    assert_null(strstr(f->messages, ":21: "));
    assert_non_null(strstr(f->messages, "20 malformed rows; the rest is not read"));
}

static void refuses_what_it_cannot_read(void **state)
{
    fixture *f = *state;
    void *backend = NULL;
    f->options[0][1] = "/nonexistent/answers.jsonl";
    assert_int_equal(f->replay->create(&f->host, &backend), PIE_ERR_IO);
    assert_string_equal(f->messages, "/nonexistent/answers.jsonl: No such file or directory\n");
    f->messages[0] = '\0';
    f->options[0][1] = "/tmp";
    assert_int_equal(f->replay->create(&f->host, &backend), PIE_ERR_CONFIG);
    assert_string_equal(f->messages, "/tmp: recorded answers must be a regular file\n");
    f->messages[0] = '\0';
    f->options[0][1] = NULL;
    assert_int_equal(f->replay->create(&f->host, &backend), PIE_ERR_CONFIG);
    assert_null(backend);
}

static void notices_a_file_that_changes(void **state)
{
    fixture *f = *state;
    void *backend = NULL;
    pie_completion got;
    assert_int_equal(create(f, ROWS, &backend), PIE_OK);
    assert_int_equal(truncate(f->path, 20), 0);
    submit(f, backend, 1, "p1", "s2", 0);
    assert_int_equal(f->replay->poll(backend, &got), PIE_ERR_DATA);
    assert_non_null(strstr(f->messages, ":3: changed while it was in use"));
    f->replay->destroy(backend);
}

/* 100,000 rows: the index holds where they are, not what they say. */
static void finds_its_way_in_a_large_file(void **state)
{
    fixture *f = *state;
    enum { ROWS_N = 100000 };
    void *backend = NULL;
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    for (int i = 0; i < ROWS_N; i++)
        fprintf(file,
                "{\"problem_id\":\"p%d\",\"src_id\":\"s\",\"generated_answers\":[\"answer %d\"]}\n",
                i, i);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(f->replay->create(&f->host, &backend), PIE_OK);
    for (int i = 0; i < ROWS_N; i += 977) {
        char id[32], want[32];
        pie_completion got;
        snprintf(id, sizeof id, "p%d", i);
        snprintf(want, sizeof want, "answer %d", i);
        submit(f, backend, 1, id, "s", 0);
        assert_int_equal(f->replay->poll(backend, &got), PIE_OK);
        assert_string_equal(got.text, want);
    }
    f->replay->destroy(backend);
}

/* ---- instruction ----------------------------------------------------------------------------- */

static void *new_instruction(fixture *f, const char *template, const char *system, pie_status want)
{
    void *prompt = NULL;
    f->messages[0] = '\0';
    f->options[0][0] = "template";
    f->options[0][1] = template;
    f->options[1][0] = "system";
    f->options[1][1] = system;
    assert_int_equal(f->instruction->create(&f->host, &prompt), want);
    assert_int_equal(prompt != NULL, want == PIE_OK);
    return prompt;
}

static void asks_once_and_stops(void **state)
{
    fixture *f = *state;
    pie_action action;
    pie_dialogue dialogue = {.problem_id = "p1",
                             .src_id = "s1",
                             .language = "c++",
                             .source = "int main() { /* {language} */ }"};
    void *prompt =
        new_instruction(f, "{language}: {description}\n{source}{ {x y} {}", "Be quick.", PIE_OK);
    for (int i = 0; i < 2; i++) { /* pure: the same dialogue, the same action */
        assert_int_equal(f->instruction->next(prompt, &dialogue, &action), PIE_OK);
        assert_int_equal(action.type, PIE_ACTION_ASK);
        assert_int_equal(action.n_messages, 2);
        assert_int_equal(action.messages[0].role, PIE_MESSAGE_SYSTEM);
        assert_string_equal(action.messages[0].text, "Be quick.");
        assert_int_equal(action.messages[1].role, PIE_MESSAGE_USER);
        assert_string_equal(action.messages[1].text,
                            "C++: \nint main() { /* {language} */ }{ {x y} {}");
        assert_string_equal(action.prompt_group, "p1/s1");
        assert_null(action.prompt);
        assert_int_equal(action.sampling.set, 0);
    }
    dialogue.language = "c";
    dialogue.description = "Add.";
    assert_int_equal(f->instruction->next(prompt, &dialogue, &action), PIE_OK);
    assert_memory_equal(action.messages[1].text, "C: Add.\n", 8);

    pie_dialogue_step step = {.type = PIE_STEP_ASKED, .reply = "```...", .code = "int main(){}"};
    dialogue.steps = &step;
    dialogue.n_steps = 1;
    assert_int_equal(f->instruction->next(prompt, &dialogue, &action), PIE_OK);
    assert_int_equal(action.type, PIE_ACTION_STOP);
    assert_int_equal(action.best_step, 0);
    assert_null(action.reason);

    step = (pie_dialogue_step){
        .type = PIE_STEP_ASKED, .reply = "no", .no_code_reason = "the model refused"};
    assert_int_equal(f->instruction->next(prompt, &dialogue, &action), PIE_OK);
    assert_int_equal(action.type, PIE_ACTION_STOP);
    assert_int_equal(action.best_step, -1);
    assert_string_equal(action.reason, "the model refused");

    step = (pie_dialogue_step){.type = PIE_STEP_ASKED, .backend_error = PIE_BACKEND_NO_ANSWER};
    assert_int_equal(f->instruction->next(prompt, &dialogue, &action), PIE_OK);
    assert_int_equal(action.best_step, -1);
    assert_string_equal(action.reason, "the backend gave no reply");
    f->instruction->destroy(prompt);

    prompt = new_instruction(f, "{source}", "", PIE_OK);
    dialogue.n_steps = 0;
    assert_int_equal(f->instruction->next(prompt, &dialogue, &action), PIE_OK);
    assert_int_equal(action.n_messages, 1);
    f->instruction->destroy(prompt);
    f->instruction->destroy(NULL);
}

static void refuses_templates_that_cannot_work(void **state)
{
    fixture *f = *state;
    new_instruction(f, "Faster, please: {sources}", NULL, PIE_ERR_CONFIG);
    assert_string_equal(
        f->messages,
        "instruction: template: no placeholder {sources}; there are {source}, {language} "
        "and {description}\n");
    new_instruction(f, "Faster, please.", NULL, PIE_ERR_CONFIG);
    assert_string_equal(
        f->messages,
        "instruction: template: without {source} the model does not see the program\n");
    new_instruction(f, NULL, NULL, PIE_ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_by_problem_source_and_sample, setup, teardown),
        cmocka_unit_test_setup_teardown(many_are_in_flight, setup, teardown),
        cmocka_unit_test_setup_teardown(later_steps_are_not_recorded, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_malformed_files, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_it_cannot_read, setup, teardown),
        cmocka_unit_test_setup_teardown(notices_a_file_that_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_its_way_in_a_large_file, setup, teardown),
        cmocka_unit_test_setup_teardown(asks_once_and_stops, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_templates_that_cannot_work, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
