/* pie/backend.h - "pie.backend/1": serves completions of a language model.
 *
 * Asynchronous: submit() never blocks; poll() hands out finished answers in any order. One sample
 * per request. Answer i depends only on the request and on its sample index i, whatever else is in
 * flight; requests of one prompt group may share work. Called in the generator process, all calls
 * from one thread. */
#ifndef PIE_BACKEND_H
#define PIE_BACKEND_H

#include "pie/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PIE_MESSAGE_SYSTEM = 1, PIE_MESSAGE_USER = 2, PIE_MESSAGE_ASSISTANT = 3 };

typedef struct pie_message {
    int32_t role;     /* PIE_MESSAGE_SYSTEM .. */
    const char *text; /* UTF-8 */
} pie_message;

/* Which sampling fields the user set. An unset field is not the same as a default value. */
enum {
    PIE_SAMPLING_TEMPERATURE = 1u << 0,
    PIE_SAMPLING_TOP_P = 1u << 1,
    PIE_SAMPLING_TOP_K = 1u << 2,
    PIE_SAMPLING_MIN_P = 1u << 3,
    PIE_SAMPLING_MAX_TOKENS = 1u << 4,
    PIE_SAMPLING_SEED = 1u << 5,
    PIE_SAMPLING_STOP = 1u << 6,
    PIE_SAMPLING_LOGPROBS = 1u << 7,
    PIE_SAMPLING_GRAMMAR = 1u << 8
};

typedef struct pie_sampling {
    uint32_t set; /* PIE_SAMPLING_TEMPERATURE | .. */
    int32_t n_logprobs;
    double temperature, top_p, min_p;
    int64_t top_k, max_tokens, seed;
    const char *const *stop; /* NULL-terminated */
    const char *grammar;     /* GBNF */
} pie_sampling;

/* What the request is for. A backend that generates ignores it; replay looks answers up by it, a
 * rewriting tool works on the source. */
typedef struct pie_request_context {
    const char *problem_id, *src_id;
    const char *language; /* "c++" or "c" */
    const char *source;   /* the slow program */
    int64_t sample_index; /* 0-based, < n_samples */
    int64_t n_samples;
    int64_t step;             /* 0-based number of ASK within the dialogue of this sample */
    const char *prompt_group; /* requests with equal prompts share this; may be NULL */
} pie_request_context;

typedef struct pie_request {
    uint64_t id;                 /* the caller's; unique among requests in flight */
    const pie_message *messages; /* chat form, or NULL */
    size_t n_messages;
    const char *prompt; /* raw form, or NULL; exactly one of the two is given */
    pie_sampling sampling;
    pie_request_context context;
} pie_request;

enum { /* finish reasons */
       PIE_FINISH_STOP = 1,
       PIE_FINISH_LENGTH = 2,
       PIE_FINISH_FILTER = 3,
       PIE_FINISH_OTHER = 4
};

enum { /* error classes; 0 = none */
       PIE_BACKEND_OK = 0,
       PIE_BACKEND_TRANSPORT = 1,
       PIE_BACKEND_RATE_LIMIT = 2,
       PIE_BACKEND_OVERLOADED = 3,
       PIE_BACKEND_SERVER = 4,
       PIE_BACKEND_BAD_REQUEST = 5,
       PIE_BACKEND_CONTEXT_OVERFLOW = 6,
       PIE_BACKEND_AUTH = 7,
       PIE_BACKEND_QUOTA = 8,
       PIE_BACKEND_FILTERED = 9,
       PIE_BACKEND_BAD_BODY = 10,
       PIE_BACKEND_NO_ANSWER =
           11, /* replay: nothing recorded for this sample: counts as incorrect */
       PIE_BACKEND_CANCELLED = 12
};

enum { /* what has been filled in */
       PIE_COMPLETION_HAS_USAGE = 1u << 0,
       PIE_COMPLETION_HAS_LATENCY = 1u << 1,
       PIE_COMPLETION_HAS_COST = 1u << 2,
       PIE_COMPLETION_IS_CODE = 1u << 3 /* @text is the program itself, not a reply to be parsed */
};

/* Owned by the instance; valid until the next poll(), cancel() or destroy(). */
typedef struct pie_completion {
    uint64_t id;
    int32_t error;     /* PIE_BACKEND_OK .. */
    int32_t finish;    /* PIE_FINISH_STOP ..; 0 with an error */
    uint32_t has;      /* PIE_COMPLETION_HAS_USAGE | .. */
    uint32_t attempts; /* requests really sent, >= 1 unless nothing was sent */
    const char *text;  /* the raw reply, bytes as received; NULL with an error */
    size_t text_bytes;
    const char *message; /* with an error: one line; else NULL */
    int64_t prompt_tokens, completion_tokens;
    double latency_s;       /* wall clock: reported, never part of a result */
    double cost;            /* in the unit of the price table */
    const double *logprobs; /* [n_logprobs] natural logarithm per sampled token, or NULL */
    size_t n_logprobs;
} pie_completion;

enum { /* capabilities */
       PIE_BACKEND_CHAT = 1u << 0,
       PIE_BACKEND_RAW = 1u << 1,
       PIE_BACKEND_SEED = 1u << 2, /* honours seeds: same request, same answer */
       PIE_BACKEND_LOGPROBS = 1u << 3,
       PIE_BACKEND_GRAMMAR = 1u << 4,
       PIE_BACKEND_EMBED = 1u << 5,
       PIE_BACKEND_OFFLINE = 1u << 6 /* touches no network and costs nothing */
};

typedef struct pie_backend_ops {
    uint32_t capabilities;
    pie_status (*create)(const pie_host *host, void **ret_self);
    void (*destroy)(void *self); /* drops what is in flight */
    /* Everything in @request is copied before the call returns. PIE_ERR_AGAIN: the backend has
     * enough in flight; submit again after the next poll(). */
    pie_status (*submit)(void *self, const pie_request *request);
    /* One finished answer. PIE_ERR_AGAIN when none is ready. */
    pie_status (*poll)(void *self, pie_completion *ret_completion);
    /* Forget a request; it may still be polled once, with PIE_BACKEND_CANCELLED. Unknown id:
     * PIE_OK. */
    pie_status (*cancel)(void *self, uint64_t id);
    /* A descriptor that polls readable when poll() is worth calling, -1 if it always is;
     * *@ret_timeout_ms = call poll() again after so long anyway, -1 = no need. */
    int (*wait_fd)(void *self, int32_t *ret_timeout_ms);
    /* Optional (NULL without PIE_BACKEND_EMBED): @ret_vector [n_dimensions]. Blocking.
     * embed_dimensions: length of a vector. */
    pie_status (*embed)(void *self, const char *text, float *ret_vector, size_t n_dimensions);
    size_t (*embed_dimensions)(void *self);
} pie_backend_ops;

#ifdef __cplusplus
}
#endif
#endif
