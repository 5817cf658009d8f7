/* work.h - rows and programs in flight, as the coordinator holds them. */
#ifndef PIE_PIPELINE_WORK_H
#define PIE_PIPELINE_WORK_H

#include "dataset/dataset.h"
#include "pie/metric.h"
#include "pipeline/index.h"

#include <jansson.h>

typedef enum pie_program_state {
    PIE_PROGRAM_GENERATING, /* the generator works on it */
    PIE_PROGRAM_WAITING,    /* for its row's source, whose cycles set the budget */
    PIE_PROGRAM_READY,      /* in the queue */
    PIE_PROGRAM_RUNNING,    /* at a worker */
    PIE_PROGRAM_FOLLOWING,  /* another program with the same code or ELF is at a worker */
    PIE_PROGRAM_DONE
} pie_program_state;

/* One program of one row. Texts are blobs, named by digest; "" = none. */
typedef struct pie_work {
    struct pie_work_row *row;
    struct pie_work *next_ready;
    struct pie_work *followers, *next_follower;
    pie_program_state state;
    uint64_t job; /* number in messages */
    int32_t role; /* PIE_ROLE_SOURCE .. */
    int64_t index;
    char *id, *reference_role;
    char code[PIE_DIGEST_HEX], reply[PIE_DIGEST_HEX];
    char *how, *reason;
    json_t *generation, *build;
    pie_key measure_key; /* set once it is built */
    bool has_measure_key;
    bool tried; /* a worker or the generator died over it once */
    struct pie_work
        *probe_of;     /* a measurement that the dialogue of this sample asked for: no record */
    uint64_t asked_by; /* of a probe: the dialogue's job; one that is started again has another */
} pie_work;

typedef struct pie_work_row {
    struct pie_work_row *next;
    size_t ordinal;
    char *problem_id, *src_id, *description;
    const char *language;          /* what the compiler is told; static */
    json_t *tests;                 /* as in records: [{"n","level","weight","public"}] */
    json_t *public_tests;          /* those that a dialogue may see */
    char *inputs_digest;           /* over the inputs of all tests, hex */
    json_t *source_cycles;         /* [n_tests] integers once the source has passed, else NULL */
    bool source_done, source_lost; /* lost: infra_error */
    pie_work **programs;
    size_t n_programs, n_open;
} pie_work_row;

/* A row with one program per role, and @n_samples samples. Sources are not stored yet.
 * @language: what is compiled ("c++", "c"). PIE_ERR_NOMEM. */
pie_status pie_work_row_new(const pie_dataset_row *row, const char *language, int64_t n_samples,
                            pie_work_row **ret_row);
void pie_work_row_free(pie_work_row *row);
/* Another program for @row (a probe); owned by the row. NULL = no memory. */
pie_work *pie_work_add(pie_work_row *row, int32_t role, int64_t index, const char *id);

#endif
