/* pie/prompt.h - "pie.prompt/1": a strategy that turns a problem into candidate programs.
 *
 * One sample of Best@k is one whole dialogue. next() is a PURE function of the dialogue: the same
 * dialogue gives the same action, so that resuming a run is replaying it. Called in the generator
 * process. */
#ifndef PIE_PROMPT_H
#define PIE_PROMPT_H

#include "pie/backend.h"
#include "pie/plugin.h"
#include "pie/verdict.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pie_public_test {
    int64_t number;
    const char *input, *expected; /* UTF-8 is not guaranteed; NUL-terminated */
} pie_public_test;

typedef struct pie_example { /* a training pair found by retrieval, most similar last */
    const char *slow, *fast;
    double similarity;
} pie_example;

/* One step that already happened. */
enum { PIE_STEP_ASKED = 1, PIE_STEP_SUBMITTED = 2 };
typedef struct pie_dialogue_step {
    int32_t type; /* PIE_STEP_ASKED .. */
    /* asked: the messages sent, the raw reply, what the answer parser made of it */
    const pie_message *messages;
    size_t n_messages;
    const char *reply;     /* NULL when the backend failed for good */
    int32_t backend_error; /* PIE_BACKEND_OK .. */
    const char *code;      /* parsed program, NULL = none */
    const char *no_code_reason;
    /* submitted: */
    const char *source;
    int32_t verdict;           /* over the public tests, or over all when none is public */
    int64_t failed_test;       /* number of the first failing PUBLIC test, -1 = none or hidden */
    const char *failed_output; /* its actual output, shortened; NULL */
    const char *compiler_messages; /* NULL when it compiled without any */
    double cycles, source_cycles;  /* over the tests run; 0 = unknown */
    const char *profile; /* JSON text: top-down slots, hottest lines; NULL = not measured */
} pie_dialogue_step;

typedef struct pie_dialogue {
    const char *problem_id, *src_id;
    const char *language;    /* "c++" or "c": what the compiler will be told */
    const char *source;      /* the slow program */
    const char *description; /* of the task; NULL = the dataset has none */
    const pie_public_test *public_tests;
    size_t n_public_tests;
    const pie_example *examples;
    size_t n_examples;
    const pie_dialogue_step *steps; /* oldest first */
    size_t n_steps;
    int64_t sample_index, n_samples;
    uint64_t seed; /* the run's, mixed with problem and sample: the only randomness allowed */
} pie_dialogue;

enum { PIE_ACTION_ASK = 1, PIE_ACTION_SUBMIT = 2, PIE_ACTION_STOP = 3 };
typedef struct pie_action {
    int32_t type; /* PIE_ACTION_ASK .. */
    /* ASK: exactly one of the two forms; sampling set here wins over the configured sampling */
    const pie_message *messages;
    size_t n_messages;
    const char *prompt;
    pie_sampling sampling;
    const char *prompt_group; /* may be NULL */
    /* SUBMIT: measure this program and go on */
    const char *source;
    /* STOP: index into steps of the SUBMIT (or of the ASK whose parsed code) that is the answer of
     * this sample; -1 = there is none, and @reason says why */
    int64_t best_step;
    const char *reason;
} pie_action;

typedef struct pie_prompt_ops {
    pie_status (*create)(const pie_host *host, void **ret_self);
    void (*destroy)(void *self);
    /* *@ret_action is owned by the instance until its next call. */
    pie_status (*next)(void *self, const pie_dialogue *dialogue, pie_action *ret_action);
} pie_prompt_ops;

#ifdef __cplusplus
}
#endif
#endif
