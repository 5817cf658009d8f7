/* odd.c - parts of the contract that no shipped plugin uses yet: a prompt that measures before it
 * answers, and a CPU model of style `run`. For tests/integration/run_contract.sh. */
#include "pie/prompt.h"
#include "pie/uarch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a prompt: asks, measures the answer, and gives it only when it passed and was not slower
 * ---- */

typedef struct submit_prompt {
    pie_message message;
    char *text;
} submit_prompt;

static pie_status prompt_create(const pie_host *host, void **ret_self)
{
    (void)host;
    *ret_self = calloc(1, sizeof(submit_prompt));
    return *ret_self ? PIE_OK : PIE_ERR_NOMEM;
}

static void prompt_destroy(void *self)
{
    submit_prompt *prompt = self;
    free(prompt->text);
    free(prompt);
}

static pie_status ask(submit_prompt *prompt, const pie_dialogue *dialogue, pie_action *ret_action)
{
    free(prompt->text);
    prompt->text = strdup(dialogue->source);
    if (!prompt->text)
        return PIE_ERR_NOMEM;
    prompt->message = (pie_message){PIE_MESSAGE_USER, prompt->text};
    *ret_action =
        (pie_action){.type = PIE_ACTION_ASK, .messages = &prompt->message, .n_messages = 1};
    return PIE_OK;
}

static pie_status prompt_next(void *self, const pie_dialogue *dialogue, pie_action *ret_action)
{
    if (dialogue->n_steps == 0)
        return ask(self, dialogue, ret_action);
    const pie_dialogue_step *last = &dialogue->steps[dialogue->n_steps - 1];
    if (last->type == PIE_STEP_ASKED && last->code) {
        *ret_action = (pie_action){.type = PIE_ACTION_SUBMIT, .source = last->code};
        return PIE_OK;
    }
    const int good = last->type == PIE_STEP_SUBMITTED && last->verdict == PIE_VERDICT_PASSED &&
                     last->cycles > 0 && last->cycles <= last->source_cycles;
    *ret_action = (pie_action){.type = PIE_ACTION_STOP,
                               .best_step = good ? (int64_t)dialogue->n_steps - 1 : -1,
                               .reason = "the attempt was no better"};
    return PIE_OK;
}

static const pie_prompt_ops prompt_ops = {
    .create = prompt_create, .destroy = prompt_destroy, .next = prompt_next};
static const pie_plugin prompt_plugin = {.kind = PIE_KIND_PROMPT,
                                         .id = "org.pie.test.submit-prompt",
                                         .version = "1.0.0",
                                         .summary = "Measures before it answers; for tests.",
                                         .licence = "MIT",
                                         .ops = &prompt_ops};

/* ---- a CPU model of style run: "cycles" = bytes of the input, as wc counts them ---- */

static pie_status wc_create(const pie_host *host, const pie_uarch_setup *setup, void **ret_self)
{
    (void)host, (void)setup;
    *ret_self = calloc(1, 1);
    return *ret_self ? PIE_OK : PIE_ERR_NOMEM;
}

static pie_status wc_plan(void *self, const pie_run_request *request, pie_compile_plan *ret_plan)
{
    static const char *const argv[] = {"wc", "-c", "input", NULL};
    static const char *const none[] = {NULL};
    static const pie_compile_step step = {argv, none, none};
    (void)self, (void)request;
    *ret_plan = (pie_compile_plan){.steps = &step, .n_steps = 1, .read_only_dirs = none};
    return PIE_OK;
}

static pie_status wc_read(void *self, const char *output, size_t n_bytes,
                          pie_run_result *ret_result)
{
    (void)self;
    char *end = NULL;
    const double bytes = n_bytes ? strtod(output, &end) : -1;
    if (bytes < 0 || end == output)
        return PIE_ERR_DATA;
    *ret_result = (pie_run_result){.time = bytes};
    return PIE_OK;
}

static const pie_counter no_counters[] = {{.name = NULL}};
static const pie_uarch_run_ops wc_run = {.counters = no_counters,
                                         .create = wc_create,
                                         .destroy = free,
                                         .plan = wc_plan,
                                         .read = wc_read};
static const pie_uarch_ops wc_ops = {.style = PIE_UARCH_RUN, .flags = 0, .run = &wc_run};
static const pie_plugin wc_plugin = {.kind = PIE_KIND_UARCH,
                                     .id = "org.pie.test.wc-uarch",
                                     .version = "1.0.0",
                                     .summary = "Cycles are bytes of input; for tests.",
                                     .licence = "MIT",
                                     .ops = &wc_ops};

PIE_MODULE(&prompt_plugin, &wc_plugin);
