/* generator.c - runs the dialogues of prompts and backends. Many samples are in flight at once.
 *
 *   -> {"event":"ready"} or {"event":"failed","status":-2}
 *   <- {"do":"sample","job":1,"problem_id":"..","src_id":"..","language":"c++","description":null,
 *       "source":"<blob>","index":0,"n":8,"public":[{"n":0}]}
 *   -> {"event":"sample","job":1,"code":"<blob>"|null,"how":"fence"|null,"reason":"no code"|null,
 *       "reply":"<blob>"|null,"generation":{..}}
 *   -> {"event":"submit","job":1,"source":"<blob>"}           a dialogue wants a measurement
 *   <-
 * {"do":"submitted","job":1,"verdict":"passed","cycles":1,"source_cycles":2,"test":-1,"output":null,
 *       "messages":null}
 *   -> {"event":"job_failed","job":1,"message":".."}          pie's own failure, or a strict
 * backend's
 */
#include "base/file.h"
#include "dataset/answer.h"
#include "dataset/dataset.h"
#include "pie/prompt.h"
#include "pipeline/channel.h"
#include "pipeline/pipeline.h"
#include "pipeline/record.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
    PUBLIC_TEST_MAX_BYTES = 1 << 20, /* what a prompt sees of a longer one */
    STEPS_MAX = 1000                 /* of one dialogue: a prompt that never stops is broken */
};

/* A step together with what it owns. */
typedef struct sample_step {
    pie_dialogue_step view;
    pie_message *messages;
    char *texts[8]; /* everything else that @view points to */
    size_t n_texts;
    const char *how;
    char reply_digest[PIE_DIGEST_HEX], code_digest[PIE_DIGEST_HEX];
} sample_step;

typedef enum dialogue_state { ASKING, WAITING_FOR_ANSWER, WAITING_FOR_MEASUREMENT } dialogue_state;

/* One sample. */
typedef struct sample_dialogue {
    struct sample_dialogue *next;
    uint64_t job;
    dialogue_state state;
    json_t *request; /* the coordinator's message; strings of @view point into it */
    pie_dialogue view;
    char *source;
    pie_public_test *public_tests;
    pie_dialogue_step *views; /* of @steps, contiguous for the plugin */
    sample_step *steps;
    size_t n_steps;
    /* sums over its requests */
    int64_t attempts, prompt_tokens, completion_tokens;
    bool has_tokens;
    double cost;
    int32_t finish, backend_error;
} sample_dialogue;

typedef struct generator {
    const pie_pipeline *pipeline;
    pie_channel *channel;
    const pie_prompt_ops *prompt;
    const pie_backend_ops *backend;
    void *prompt_self, *backend_self;
    pie_host *prompt_host, *backend_host;
    pie_sampling sampling;      /* configured; fields set by an action win */
    sample_dialogue *dialogues; /* oldest first */
} generator;

/* ---- memory of a dialogue ---- */

static void free_step(sample_step *step)
{
    for (size_t i = 0; i < step->view.n_messages && step->messages; i++)
        free((char *)(uintptr_t)step->messages[i].text);
    free(step->messages);
    for (size_t i = 0; i < step->n_texts; i++)
        free(step->texts[i]);
}

static void free_dialogue(sample_dialogue *self)
{
    if (!self)
        return;
    for (size_t i = 0; i < self->n_steps; i++)
        free_step(&self->steps[i]);
    free(self->steps);
    free(self->views);
    for (size_t i = 0; self->public_tests && i < self->view.n_public_tests; i++) {
        free((char *)(uintptr_t)self->public_tests[i].input);
        free((char *)(uintptr_t)self->public_tests[i].expected);
    }
    free(self->public_tests);
    free(self->source);
    json_decref(self->request);
    free(self);
}

/* A fresh last step; NULL = no memory. */
static sample_step *add_step(sample_dialogue *self, int32_t type)
{
    sample_step *grown = realloc(self->steps, (self->n_steps + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    self->steps = grown;
    pie_dialogue_step *views = realloc(self->views, (self->n_steps + 1) * sizeof *views);
    if (!views)
        return NULL;
    self->views = views;
    sample_step *last = &self->steps[self->n_steps++];
    *last = (sample_step){.view = {.type = type, .failed_test = -1}};
    return last;
}

/* Copy of @text, owned by @step. NULL stays NULL. */
static pie_status keep_text(sample_step *step, const char *text, size_t n, const char **ret_text)
{
    if (!text)
        return PIE_OK;
    char *copy = malloc(n + 1);
    if (!copy)
        return PIE_ERR_NOMEM;
    memcpy(copy, text, n);
    copy[n] = '\0';
    step->texts[step->n_texts++] = copy;
    *ret_text = copy;
    return PIE_OK;
}

static pie_status keep_messages(sample_step *step, const pie_message *messages, size_t n)
{
    if (n == 0)
        return PIE_OK;
    step->messages = calloc(n, sizeof *step->messages);
    if (!step->messages)
        return PIE_ERR_NOMEM;
    step->view.messages = step->messages;
    step->view.n_messages = n;
    for (size_t i = 0; i < n; i++) {
        step->messages[i] = (pie_message){messages[i].role, strdup(messages[i].text)};
        if (!step->messages[i].text)
            return PIE_ERR_NOMEM;
    }
    return PIE_OK;
}

/* ---- a new dialogue ---- */

static const char *text_of(const json_t *message, const char *key)
{
    return json_string_value(json_object_get(message, key));
}

static pie_status read_public_tests(const generator *self, sample_dialogue *dialogue)
{
    const json_t *tests = json_object_get(dialogue->request, "public");
    const size_t n = json_array_size(tests);
    if (n == 0)
        return PIE_OK;
    dialogue->public_tests = calloc(n, sizeof *dialogue->public_tests);
    if (!dialogue->public_tests)
        return PIE_ERR_NOMEM;
    dialogue->view.public_tests = dialogue->public_tests;
    dialogue->view.n_public_tests = n;
    for (size_t i = 0; i < n; i++) {
        pie_public_test *test = &dialogue->public_tests[i];
        test->number = json_integer_value(json_object_get(json_array_get(tests, i), "n"));
        const char **const texts[] = {&test->input, &test->expected};
        for (size_t which = 0; which < 2; which++) {
            pie_buf buf = {0};
            char *path = pie_dataset_test_path(self->pipeline->tests_folder,
                                               dialogue->view.problem_id, test->number, which == 1);
            pie_status status =
                path ? pie_file_read(path, PUBLIC_TEST_MAX_BYTES, &pie_log_none, &buf)
                     : PIE_ERR_NOMEM;
            if (status == PIE_ERR_LIMIT) {
                buf.n = PUBLIC_TEST_MAX_BYTES;
                buf.data[buf.n] = '\0';
                status = PIE_OK;
            } else if (status == PIE_ERR_IO) {
                pie_log_error(self->pipeline->log, "%s is not readable", path);
            }
            free(path);
            *texts[which] = pie_buf_steal(&buf);
            if (status != PIE_OK || !*texts[which])
                return status != PIE_OK ? status : PIE_ERR_NOMEM;
        }
    }
    return PIE_OK;
}

/* The run's seed with problem and sample: FNV-1a, then a SplitMix64 finish. */
static uint64_t dialogue_seed(uint64_t seed, const pie_dialogue *dialogue)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ seed;
    const char *const texts[] = {dialogue->problem_id, dialogue->src_id};
    for (size_t i = 0; i < 2; i++)
        for (const char *c = texts[i];; c++) {
            h = (h ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
            if (!*c)
                break;
        }
    h += (uint64_t)dialogue->sample_index * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
    return h ^ h >> 31;
}

static pie_status new_dialogue(generator *self, json_t *request)
{
    sample_dialogue *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return PIE_ERR_NOMEM;
    fresh->request = json_incref(request);
    fresh->job = (uint64_t)json_integer_value(json_object_get(request, "job"));
    fresh->view = (pie_dialogue){
        .problem_id = text_of(request, "problem_id"),
        .src_id = text_of(request, "src_id"),
        .language = text_of(request, "language"),
        .description = text_of(request, "description"),
        .sample_index = json_integer_value(json_object_get(request, "index")),
        .n_samples = json_integer_value(json_object_get(request, "n")),
    };
    const pie_settings *run = pie_config_group(self->pipeline->config, "run");
    fresh->view.seed = dialogue_seed((uint64_t)pie_settings_int(run, "seed"), &fresh->view);
    pie_buf source = {0};
    pie_status status = pie_store_get(self->pipeline->store, text_of(request, "source"),
                                      self->pipeline->log, &source);
    fresh->source = pie_buf_steal(&source);
    fresh->view.source = fresh->source;
    if (status == PIE_OK && !fresh->source)
        status = PIE_ERR_NOMEM;
    if (status == PIE_OK)
        status = read_public_tests(self, fresh);
    if (status != PIE_OK) {
        free_dialogue(fresh);
        return status;
    }
    sample_dialogue **end = &self->dialogues;
    while (*end)
        end = &(*end)->next;
    *end = fresh;
    return PIE_OK;
}

/* ---- ends of a dialogue ---- */

static pie_status put_text(const generator *self, const char *text, size_t n,
                           char ret_hex[PIE_DIGEST_HEX])
{
    pie_digest digest;
    const pie_status status = pie_store_put(self->pipeline->store, text, n, &digest);
    if (status == PIE_OK)
        pie_digest_hex(&digest, ret_hex);
    return status;
}

static void remove_dialogue(generator *self, sample_dialogue *dialogue)
{
    sample_dialogue **at = &self->dialogues;
    while (*at != dialogue)
        at = &(*at)->next;
    *at = dialogue->next;
    free_dialogue(dialogue);
}

static pie_status fail_dialogue(generator *self, sample_dialogue *dialogue, const char *message)
{
    const pie_status status = pie_channel_send(
        self->channel, json_pack("{s:s,s:I,s:o}", "event", "job_failed", "job",
                                 (json_int_t)dialogue->job, "message", pie_json_text(message)));
    remove_dialogue(self, dialogue);
    return status;
}

static const char *finish_name(int32_t finish)
{
    static const char *const names[] = {NULL, "stop", "length", "filter", "other"};
    return finish > 0 && finish < (int32_t)(sizeof names / sizeof *names) ? names[finish] : NULL;
}

static const char *backend_error_name(int32_t error)
{
    static const char *const names[] = {NULL,       "transport",   "rate_limit",       "overloaded",
                                        "server",   "bad_request", "context_overflow", "auth",
                                        "quota",    "filtered",    "bad_body",         "no_answer",
                                        "cancelled"};
    return error > 0 && error < (int32_t)(sizeof names / sizeof *names) ? names[error] : NULL;
}

static const char *role_name(int32_t role)
{
    return role == PIE_MESSAGE_SYSTEM      ? "system"
           : role == PIE_MESSAGE_ASSISTANT ? "assistant"
                                           : "user";
}

/* What was said, for `pie show`: [{"messages":[{"role","text"}],"reply":"<blob>"|null} |
 * {"submitted":"<blob>","verdict":".."}], as a blob. */
static pie_status put_transcript(const generator *self, const sample_dialogue *dialogue,
                                 char ret_hex[PIE_DIGEST_HEX])
{
    json_t *transcript = json_array();
    for (size_t i = 0; i < dialogue->n_steps; i++) {
        const sample_step *step = &dialogue->steps[i];
        if (step->view.type == PIE_STEP_SUBMITTED) {
            json_array_append_new(transcript,
                                  json_pack("{s:s,s:s}", "submitted", step->code_digest, "verdict",
                                            pie_verdict_name(step->view.verdict)));
            continue;
        }
        json_t *messages = json_array();
        for (size_t m = 0; m < step->view.n_messages; m++)
            json_array_append_new(messages,
                                  json_pack("{s:s,s:o}", "role", role_name(step->messages[m].role),
                                            "text", pie_json_text(step->messages[m].text)));
        json_array_append_new(transcript,
                              json_pack("{s:o,s:s?}", "messages", messages, "reply",
                                        step->reply_digest[0] ? step->reply_digest : NULL));
    }
    char *text = transcript ? json_dumps(transcript, JSON_COMPACT) : NULL;
    json_decref(transcript);
    const pie_status status = text ? put_text(self, text, strlen(text), ret_hex) : PIE_ERR_NOMEM;
    free(text);
    return status;
}

/* The sample is complete; @answer is the step whose program counts, NULL = there is none. */
static pie_status finish_dialogue(generator *self, sample_dialogue *dialogue,
                                  const sample_step *answer, const char *reason)
{
    /* The reply that the answer came from. */
    const char *reply = NULL;
    for (size_t i = answer ? (size_t)(answer - dialogue->steps) + 1 : dialogue->n_steps;
         !reply && i-- > 0;)
        if (dialogue->steps[i].reply_digest[0])
            reply = dialogue->steps[i].reply_digest;
    char transcript[PIE_DIGEST_HEX] = "";
    if (put_transcript(self, dialogue, transcript) != PIE_OK)
        return fail_dialogue(self, dialogue, "the dialogue could not be stored");
    json_t *generation = json_pack(
        "{s:I,s:o,s:s?,s:s?,s:I,s:s}", "attempts", (json_int_t)dialogue->attempts, "tokens",
        dialogue->has_tokens ? json_pack("[I,I]", (json_int_t)dialogue->prompt_tokens,
                                         (json_int_t)dialogue->completion_tokens)
                             : json_null(),
        "finish", finish_name(dialogue->finish), "error",
        backend_error_name(dialogue->backend_error), "steps", (json_int_t)dialogue->n_steps,
        "dialogue", transcript);
    const pie_status status = pie_channel_send(
        self->channel,
        json_pack("{s:s,s:I,s:s?,s:s?,s:o,s:s?,s:o}", "event", "sample", "job",
                  (json_int_t)dialogue->job, "code", answer ? answer->code_digest : NULL, "how",
                  answer ? answer->how : NULL, "reason",
                  answer ? json_null() : pie_json_text(reason ? reason : "no program"), "reply",
                  reply, "generation", generation));
    remove_dialogue(self, dialogue);
    return status;
}

/* ---- steps ---- */

static pie_sampling merge_sampling(const pie_sampling *configured, const pie_sampling *asked)
{
    pie_sampling merged = *asked;
    merged.set |= configured->set;
#define TAKE(bit, member)      \
    if (!(asked->set & (bit))) \
    merged.member = configured->member
    TAKE(PIE_SAMPLING_TEMPERATURE, temperature);
    TAKE(PIE_SAMPLING_TOP_P, top_p);
    TAKE(PIE_SAMPLING_TOP_K, top_k);
    TAKE(PIE_SAMPLING_MIN_P, min_p);
    TAKE(PIE_SAMPLING_MAX_TOKENS, max_tokens);
    TAKE(PIE_SAMPLING_SEED, seed);
    TAKE(PIE_SAMPLING_STOP, stop);
    TAKE(PIE_SAMPLING_LOGPROBS, n_logprobs);
    TAKE(PIE_SAMPLING_GRAMMAR, grammar);
#undef TAKE
    return merged;
}

/* PIE_ERR_AGAIN: the backend is full, the dialogue stays as it is. */
static pie_status ask(generator *self, sample_dialogue *dialogue, const pie_action *action)
{
    int64_t n_asked = 0;
    for (size_t i = 0; i < dialogue->n_steps; i++)
        n_asked += dialogue->steps[i].view.type == PIE_STEP_ASKED;
    const pie_request request = {
        .id = dialogue->job,
        .messages = action->messages,
        .n_messages = action->n_messages,
        .prompt = action->prompt,
        .sampling = merge_sampling(&self->sampling, &action->sampling),
        .context = {.problem_id = dialogue->view.problem_id,
                    .src_id = dialogue->view.src_id,
                    .language = dialogue->view.language,
                    .source = dialogue->source,
                    .sample_index = dialogue->view.sample_index,
                    .n_samples = dialogue->view.n_samples,
                    .step = n_asked,
                    .prompt_group = action->prompt_group},
    };
    pie_status status = self->backend->submit(self->backend_self, &request);
    if (status != PIE_OK)
        return status;
    sample_step *last = add_step(dialogue, PIE_STEP_ASKED);
    if (!last)
        return PIE_ERR_NOMEM;
    if (action->prompt) {
        const pie_message raw = {PIE_MESSAGE_USER, action->prompt};
        status = keep_messages(last, &raw, 1);
    } else {
        status = keep_messages(last, action->messages, action->n_messages);
    }
    dialogue->state = WAITING_FOR_ANSWER;
    return status;
}

static pie_status submit(generator *self, sample_dialogue *dialogue, const char *source)
{
    sample_step *last = add_step(dialogue, PIE_STEP_SUBMITTED);
    if (!last)
        return PIE_ERR_NOMEM;
    pie_status status = keep_text(last, source, strlen(source), &last->view.source);
    if (status == PIE_OK)
        status = put_text(self, source, strlen(source), last->code_digest);
    if (status == PIE_OK)
        status = pie_channel_send(self->channel, json_pack("{s:s,s:I,s:s}", "event", "submit",
                                                           "job", (json_int_t)dialogue->job,
                                                           "source", last->code_digest));
    dialogue->state = WAITING_FOR_MEASUREMENT;
    return status;
}

/* The plugin's next action. The dialogue may be gone afterwards. */
static pie_status advance(generator *self, sample_dialogue *dialogue)
{
    for (size_t i = 0; i < dialogue->n_steps; i++)
        dialogue->views[i] = dialogue->steps[i].view;
    dialogue->view.steps = dialogue->views;
    dialogue->view.n_steps = dialogue->n_steps;
    if (dialogue->n_steps >= STEPS_MAX)
        return fail_dialogue(self, dialogue, "the prompt plugin does not come to an end");
    pie_action action = {.best_step = -1};
    if (self->prompt->next(self->prompt_self, &dialogue->view, &action) != PIE_OK)
        return fail_dialogue(self, dialogue, "the prompt plugin failed");
    switch (action.type) {
    case PIE_ACTION_ASK: {
        if (!action.messages == !action.prompt)
            return fail_dialogue(self, dialogue,
                                 "the prompt plugin asked without one form of prompt");
        const pie_status status = ask(self, dialogue, &action);
        return status == PIE_OK || status == PIE_ERR_AGAIN || status == PIE_ERR_NOMEM
                   ? status
                   : fail_dialogue(self, dialogue, "the backend refused the request");
    }
    case PIE_ACTION_SUBMIT:
        if (!action.source)
            return fail_dialogue(self, dialogue, "the prompt plugin submitted nothing");
        return submit(self, dialogue, action.source);
    case PIE_ACTION_STOP: {
        const sample_step *answer = NULL;
        if (action.best_step >= 0 && (size_t)action.best_step < dialogue->n_steps &&
            dialogue->steps[action.best_step].code_digest[0])
            answer = &dialogue->steps[action.best_step];
        return finish_dialogue(self, dialogue, answer, action.reason);
    }
    default:
        return fail_dialogue(self, dialogue, "the prompt plugin returned no action");
    }
}

static sample_dialogue *find_dialogue(const generator *self, uint64_t job)
{
    sample_dialogue *at = self->dialogues;
    while (at && at->job != job)
        at = at->next;
    return at;
}

/* The program in a reply. */
static pie_status read_reply(const generator *self, sample_step *last,
                             const pie_completion *completion)
{
    pie_status status =
        keep_text(last, completion->text, completion->text_bytes, &last->view.reply);
    if (status == PIE_OK)
        status = put_text(self, completion->text, completion->text_bytes, last->reply_digest);
    if (status != PIE_OK)
        return status;
    if (completion->has & PIE_COMPLETION_IS_CODE) {
        last->how = "as given";
        last->view.code = completion->text_bytes ? last->view.reply : NULL;
        last->view.no_code_reason = completion->text_bytes ? NULL : "the answer is empty";
        if (completion->text_bytes)
            memcpy(last->code_digest, last->reply_digest, sizeof last->code_digest);
        return PIE_OK;
    }
    pie_answer answer = {0};
    status = pie_answer_parse(completion->text, completion->text_bytes, &answer);
    if (status != PIE_OK)
        return status;
    last->how = answer.how;
    last->view.no_code_reason = answer.reason;
    if (answer.code.n > 0) {
        status = keep_text(last, answer.code.data, answer.code.n, &last->view.code);
        if (status == PIE_OK)
            status = put_text(self, answer.code.data, answer.code.n, last->code_digest);
    }
    pie_answer_free(&answer);
    return status;
}

static pie_status take_completion(generator *self, const pie_completion *completion)
{
    sample_dialogue *dialogue = find_dialogue(self, completion->id);
    if (!dialogue || dialogue->state != WAITING_FOR_ANSWER)
        return PIE_OK; /* cancelled, or a backend that answers twice */
    sample_step *last = &dialogue->steps[dialogue->n_steps - 1];
    dialogue->attempts += completion->attempts;
    dialogue->finish = completion->finish;
    dialogue->backend_error = completion->error;
    if (completion->has & PIE_COMPLETION_HAS_USAGE) {
        dialogue->has_tokens = true;
        dialogue->prompt_tokens += completion->prompt_tokens;
        dialogue->completion_tokens += completion->completion_tokens;
    }
    last->view.backend_error = completion->error;
    dialogue->state = ASKING;
    if (completion->error == PIE_BACKEND_OK) {
        const pie_status status = read_reply(self, last, completion);
        if (status != PIE_OK)
            return fail_dialogue(self, dialogue, "the reply could not be stored");
    } else if (completion->error == PIE_BACKEND_NO_ANSWER ||
               completion->error == PIE_BACKEND_FILTERED ||
               completion->error == PIE_BACKEND_CONTEXT_OVERFLOW) {
        /* A result: the model gave no program. */
        const pie_status status =
            keep_text(last, completion->message ? completion->message : "no answer",
                      strlen(completion->message ? completion->message : "no answer"),
                      &last->view.no_code_reason);
        if (status != PIE_OK)
            return status;
    } else {
        return fail_dialogue(self, dialogue,
                             completion->message ? completion->message : "the backend failed");
    }
    return PIE_OK;
}

static pie_status take_measurement(generator *self, const json_t *message)
{
    sample_dialogue *dialogue =
        find_dialogue(self, (uint64_t)json_integer_value(json_object_get(message, "job")));
    if (!dialogue || dialogue->state != WAITING_FOR_MEASUREMENT)
        return PIE_OK;
    sample_step *last = &dialogue->steps[dialogue->n_steps - 1];
    pie_dialogue_step *view = &last->view;
    const char *verdict = text_of(message, "verdict"), *output = text_of(message, "output"),
               *messages = text_of(message, "messages");
    view->verdict = verdict ? pie_verdict_of(verdict) : PIE_VERDICT_INFRA_ERROR;
    if (view->verdict == PIE_VERDICT_INFRA_ERROR) /* no dialogue may depend on such luck */
        return fail_dialogue(self, dialogue, "its program could not be measured");
    view->cycles = json_number_value(json_object_get(message, "cycles"));
    view->source_cycles = json_number_value(json_object_get(message, "source_cycles"));
    view->failed_test = json_integer_value(json_object_get(message, "test"));
    dialogue->state = ASKING;
    pie_status status = keep_text(last, output, output ? strlen(output) : 0, &view->failed_output);
    pie_buf text = {0};
    if (status == PIE_OK && messages)
        status = pie_store_get(self->pipeline->store, messages, self->pipeline->log, &text);
    if (status == PIE_OK && messages)
        status = keep_text(last, pie_buf_text(&text), text.n, &view->compiler_messages);
    pie_buf_free(&text);
    return status;
}

/* ---- the process ---- */

static pie_status take_messages(generator *self)
{
    for (;;) {
        json_t *message = NULL;
        pie_status status = pie_channel_receive(self->channel, false, &message);
        if (status != PIE_OK)
            return status == PIE_ERR_AGAIN ? PIE_OK : status;
        const char *what = text_of(message, "do");
        if (what && strcmp(what, "sample") == 0) {
            if (new_dialogue(self, message) != PIE_OK)
                status = pie_channel_send(self->channel,
                                          json_pack("{s:s,s:O,s:s}", "event", "job_failed", "job",
                                                    json_object_get(message, "job"), "message",
                                                    "the dialogue could not start"));
        } else if (what && strcmp(what, "submitted") == 0) {
            status = take_measurement(self, message);
        }
        json_decref(message);
        if (status != PIE_OK)
            return status;
    }
}

/* Let every dialogue that can go on do so, and take what the backend has ready, until nothing
 * moves. */
static pie_status turn(generator *self)
{
    bool full = false, moved = true;
    pie_status status = PIE_OK;
    while (status == PIE_OK && moved) {
        moved = false;
        for (sample_dialogue *at = self->dialogues, *next; status == PIE_OK && at && !full;
             at = next) {
            next = at->next;
            if (at->state != ASKING)
                continue;
            status = advance(self, at);
            if (status == PIE_ERR_AGAIN) {
                full = true;
                status = PIE_OK;
            } else {
                moved = true;
            }
        }
        pie_completion completion;
        while (status == PIE_OK &&
               (status = self->backend->poll(self->backend_self, &completion)) == PIE_OK) {
            status = take_completion(self, &completion);
            moved = true;
            full = false;
        }
        if (status == PIE_ERR_AGAIN)
            status = PIE_OK;
    }
    return status;
}

static pie_status serve(generator *self)
{
    pie_status status = PIE_OK;
    while (status == PIE_OK) {
        int32_t timeout = -1;
        const int backend_fd = self->backend->wait_fd(self->backend_self, &timeout);
        bool waiting = false; /* for an answer, or for room at the backend */
        for (const sample_dialogue *at = self->dialogues; at; at = at->next)
            waiting |= at->state != WAITING_FOR_MEASUREMENT;
        if (!waiting)
            timeout = -1;
        else if (backend_fd < 0 && timeout < 0)
            timeout = 10;
        struct pollfd wait[2] = {{pie_channel_fd(self->channel), POLLIN, 0},
                                 {backend_fd, POLLIN, 0}};
        if (pie_channel_wants_write(self->channel))
            wait[0].events |= POLLOUT;
        if (poll(wait, backend_fd >= 0 && waiting ? 2 : 1, timeout) < 0 && errno != EINTR)
            return PIE_ERR_IO;
        status = pie_channel_flush(self->channel);
        if (status == PIE_OK)
            status = take_messages(self);
        if (status == PIE_OK)
            status = turn(self);
    }
    return status;
}

static void read_sampling(const pie_config *config, pie_sampling *sampling)
{
    const pie_settings *group = pie_config_group(config, "sampling");
    static const struct {
        const char *name;
        uint32_t bit;
    } fields[] = {{"temperature", PIE_SAMPLING_TEMPERATURE},
                  {"top_p", PIE_SAMPLING_TOP_P},
                  {"top_k", PIE_SAMPLING_TOP_K},
                  {"min_p", PIE_SAMPLING_MIN_P},
                  {"max_tokens", PIE_SAMPLING_MAX_TOKENS},
                  {"seed", PIE_SAMPLING_SEED},
                  {"stop", PIE_SAMPLING_STOP}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const pie_setting *setting = pie_settings_get(group, fields[i].name);
        if (setting && setting->is_set)
            sampling->set |= fields[i].bit;
    }
    sampling->temperature = pie_settings_float(group, "temperature");
    sampling->top_p = pie_settings_float(group, "top_p");
    sampling->top_k = pie_settings_int(group, "top_k");
    sampling->min_p = pie_settings_float(group, "min_p");
    sampling->max_tokens = pie_settings_int(group, "max_tokens");
    sampling->seed = pie_settings_int(group, "seed");
    const pie_setting *stop = pie_settings_get(group, "stop");
    sampling->stop = stop ? stop->strings : NULL;
}

static pie_status open_plugins(generator *self)
{
    const pie_pipeline *pipeline = self->pipeline;
    const pie_choice *prompt = pie_config_prompt(pipeline->config),
                     *backend = pie_config_backend(pipeline->config);
    const pie_plugin *plugin = NULL;
    pie_status status = pie_plugin_open(prompt->info, pipeline->log, &plugin);
    if (status == PIE_OK) {
        self->prompt = plugin->ops;
        status = pie_host_new(prompt->settings, prompt->info->short_name, pipeline->log,
                              &self->prompt_host);
    }
    if (status == PIE_OK)
        status = self->prompt->create(self->prompt_host, &self->prompt_self);
    if (status == PIE_OK)
        status = pie_plugin_open(backend->info, pipeline->log, &plugin);
    if (status == PIE_OK) {
        self->backend = plugin->ops;
        status = pie_host_new(backend->settings, backend->info->short_name, pipeline->log,
                              &self->backend_host);
    }
    if (status == PIE_OK)
        status = self->backend->create(self->backend_host, &self->backend_self);
    return status;
}

int pie_generator_main(const pie_pipeline *pipeline, int fd)
{
    generator self = {.pipeline = pipeline};
    if (pie_channel_new(fd, &self.channel) != PIE_OK)
        return 1;
    read_sampling(pipeline->config, &self.sampling);
    pie_status status = open_plugins(&self);
    if (status != PIE_OK)
        pie_channel_send(self.channel, json_pack("{s:s,s:i}", "event", "failed", "status", status));
    else
        status = pie_channel_send(self.channel, json_pack("{s:s}", "event", "ready"));
    if (status == PIE_OK)
        status = serve(&self);
    while (self.dialogues)
        remove_dialogue(&self, self.dialogues);
    if (self.backend_self)
        self.backend->destroy(self.backend_self);
    if (self.prompt_self)
        self.prompt->destroy(self.prompt_self);
    pie_host_free(self.backend_host);
    pie_host_free(self.prompt_host);
    pie_channel_free(self.channel);
    return status == PIE_OK || status == PIE_ERR_CRASHED ? 0 : 1;
}
