/* instruction.c - asks once for a faster version of the program, in plain words.
 *
 * The dialogue has one step: ask, then stop with the program that the answer parser found. */
#include "pie/prompt.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct instruction {
    const pie_host *host;          /* borrowed */
    const char *system, *template; /* borrowed */
    char *text;                    /* of the request handed out last */
    char *group;
    pie_message messages[2];
} instruction;

/* ---- the template ---------------------------------------------------------------------------- */

enum { SOURCE, LANGUAGE, DESCRIPTION, N_PLACEHOLDERS };
static const char *const placeholders[N_PLACEHOLDERS] = {"{source}", "{language}", "{description}"};

/* Which placeholder stands at @at; N_PLACEHOLDERS: none. */
static size_t placeholder_at(const char *at)
{
    size_t i = 0;
    while (i < N_PLACEHOLDERS && strncmp(at, placeholders[i], strlen(placeholders[i])) != 0)
        i++;
    return i;
}

/* @template with the placeholders replaced, in fresh memory; NULL = no memory. What is put in is
 * not searched again. */
static char *fill(const char *template, const char *const values[N_PLACEHOLDERS])
{
    char *text = NULL;
    size_t n = 0;
    for (int pass = 0; pass < 2; pass++) { /* first measure, then write */
        n = 0;
        for (const char *at = template; *at;) {
            const size_t which = placeholder_at(at);
            const bool found = which < N_PLACEHOLDERS;
            const char *piece = found ? values[which] : at;
            const size_t n_piece = found ? strlen(piece) : 1;
            if (text)
                memcpy(text + n, piece, n_piece);
            n += n_piece;
            at += found ? strlen(placeholders[which]) : 1;
        }
        if (!text && !(text = malloc(n + 1)))
            return NULL;
    }
    text[n] = '\0';
    return text;
}

/* A name in braces that is no placeholder is a slip of the pen. */
static pie_status check_template(const pie_host *host, const char *template)
{
    char message[256];
    bool has_source = false;
    for (const char *at = template; (at = strchr(at, '{')); at++) {
        const size_t which = placeholder_at(at);
        const size_t n = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz_");
        has_source = has_source || which == SOURCE;
        if (which == N_PLACEHOLDERS && n > 0 && at[n + 1] == '}') {
            snprintf(message, sizeof message,
                     "instruction: template: no placeholder {%.*s}; there are %s, %s and %s",
                     n > 60 ? 60 : (int)n, at + 1, placeholders[SOURCE], placeholders[LANGUAGE],
                     placeholders[DESCRIPTION]);
            host->log(host, PIE_LOG_ERROR, message);
            return PIE_ERR_CONFIG;
        }
    }
    if (has_source)
        return PIE_OK;
    host->log(host, PIE_LOG_ERROR,
              "instruction: template: without {source} the model does not see the program");
    return PIE_ERR_CONFIG;
}

/* ---- the plugin ------------------------------------------------------------------------------ */

static void instruction_destroy(void *instance)
{
    instruction *self = instance;
    if (!self)
        return;
    free(self->text);
    free(self->group);
    free(self);
}

static pie_status instruction_create(const pie_host *host, void **ret_self)
{
    instruction *self = calloc(1, sizeof *self);
    if (!self)
        return PIE_ERR_NOMEM;
    self->host = host;
    pie_status status = host->get_string(host, "system", &self->system);
    if (status == PIE_OK)
        status = host->get_string(host, "template", &self->template);
    if (status == PIE_OK)
        status = check_template(host, self->template ? self->template : "");
    if (status == PIE_OK)
        *ret_self = self;
    else
        instruction_destroy(self);
    return status;
}

static pie_status ask(instruction *self, const pie_dialogue *dialogue, pie_action *ret_action)
{
    const char *values[N_PLACEHOLDERS] = {
        [SOURCE] = dialogue->source,
        [LANGUAGE] = strcmp(dialogue->language, "c") == 0 ? "C" : "C++",
        [DESCRIPTION] = dialogue->description ? dialogue->description : "",
    };
    const size_t n_group = strlen(dialogue->problem_id) + strlen(dialogue->src_id) + 2;
    char *text = fill(self->template, values);
    char *group = malloc(n_group);
    if (!text || !group) {
        free(text);
        free(group);
        return PIE_ERR_NOMEM;
    }
    snprintf(group, n_group, "%s/%s", dialogue->problem_id, dialogue->src_id);
    free(self->text);
    free(self->group);
    self->text = text;
    self->group = group;

    size_t n = 0;
    if (self->system && *self->system)
        self->messages[n++] = (pie_message){PIE_MESSAGE_SYSTEM, self->system};
    self->messages[n++] = (pie_message){PIE_MESSAGE_USER, self->text};
    *ret_action = (pie_action){.type = PIE_ACTION_ASK,
                               .messages = self->messages,
                               .n_messages = n,
                               .prompt_group = self->group, /* every sample asks the same */
                               .best_step = -1};
    return PIE_OK;
}

static pie_status instruction_next(void *instance, const pie_dialogue *dialogue,
                                   pie_action *ret_action)
{
    if (dialogue->n_steps == 0)
        return ask(instance, dialogue, ret_action);
    const pie_dialogue_step *step = &dialogue->steps[0];
    const bool has_code = step->code != NULL;
    *ret_action = (pie_action){.type = PIE_ACTION_STOP,
                               .best_step = has_code ? 0 : -1,
                               .reason = has_code               ? NULL
                                         : step->no_code_reason ? step->no_code_reason
                                         : step->reply          ? "the reply holds no program"
                                                                : "the backend gave no reply"};
    return PIE_OK;
}

static const pie_option instruction_options[] = {
    {.name = "system",
     .type = PIE_OPTION_STRING,
     .fallback = "\"You make C and C++ programs run faster without changing what they do.\"",
     .help = "system message; \"\" sends none"},
    {.name = "template",
     .type = PIE_OPTION_STRING,
     .fallback =
         "\"The {language} program below reads standard input and writes standard output. It is "
         "correct, but slow.\\n\\n"
         "Write a faster version of it. For every valid input the new version must print exactly "
         "what this one prints. A better algorithm, better data structures, cheaper input and "
         "output or a better use of the memory hierarchy are all welcome.\\n\\n"
         "Answer with the whole new program, in {language}, ready to compile, in one fenced code "
         "block. Leave nothing out.\\n\\n"
         "```\\n{source}\\n```\\n\"",
     .help = "user message; {source}, {language} and {description} are replaced"},
    {0},
};

static const pie_prompt_ops instruction_ops = {
    .create = instruction_create,
    .destroy = instruction_destroy,
    .next = instruction_next,
};

static const pie_plugin instruction_plugin = {
    .kind = PIE_KIND_PROMPT,
    .id = "org.pie.instruction",
    .version = "1.0.0",
    .summary = "Asks once, in plain words, for a faster version of the program.",
    .licence = "MIT",
    .options = instruction_options,
    .ops = &instruction_ops,
};

PIE_MODULE(&instruction_plugin);
