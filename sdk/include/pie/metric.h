/* pie/metric.h - "pie.metric/1": turns verdicts and measurements into figures.
 *
 * A metric sees one problem at a time and reduces it to a fixed number of doubles; totals are a
 * pure function of those, so that pie can stream a million samples and can call total() again for
 * bootstrap intervals and comparisons. Called in the report process. */
#ifndef PIE_METRIC_H
#define PIE_METRIC_H

#include "pie/plugin.h"
#include "pie/verdict.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which columns of a run of one program on one test hold a value. */
enum {
    PIE_VALID_CYCLES = 1u << 0, /* clear for a passed test: censored by the cycle budget */
    PIE_VALID_STARTUP_CYCLES = 1u << 1,
    PIE_VALID_INSTRUCTIONS = 1u << 2,
    PIE_VALID_PEAK_BYTES = 1u << 3
};

/* One program on one test. @cycles is the time that the run's `time` setting chose: user-mode
 * cycles (default), cycles including the operating system's share, or seconds for a CPU model of
 * style `run`. Whole numbers are exact (below 2^53). */
typedef struct pie_test_run {
    int32_t verdict; /* PIE_VERDICT_PASSED .. */
    uint32_t valid;  /* PIE_VALID_CYCLES | .. */
    double cycles, startup_cycles;
    double instructions; /* retired */
    double peak_bytes;   /* largest guest address space */
} pie_test_run;

enum { PIE_ROLE_SOURCE = 1, PIE_ROLE_TARGET = 2, PIE_ROLE_REFERENCE = 3, PIE_ROLE_SAMPLE = 4 };

typedef struct pie_program {
    int32_t role;     /* PIE_ROLE_SOURCE .. */
    int32_t verdict;  /* over all tests: the first one that is not passed, in order of number */
    int32_t censored; /* 1: passed, but the cycles of some test are unknown (cut by the budget) */
    int64_t index;    /* sample index or position in `references`; 0 otherwise */
    const char *id;   /* src_id, tgt_id, reference id; "" for a sample */
    const char *reference_role; /* "expert", ...; NULL unless a reference */
    double text_bytes;          /* size of executable sections; 0 = unknown */
    double cycles; /* sum over tests; infinity unless passed; meaningless when censored */
    const pie_test_run *tests; /* [n_tests] of the row; NULL when it never ran */
} pie_program;

typedef struct pie_test_info {
    int64_t number;
    int32_t level; /* 0 unless the dataset has test_levels */
    int32_t is_public;
    double weight; /* 1 unless given */
} pie_test_info;

/* One row of the dataset: a slow program with its answers. */
typedef struct pie_row {
    const char *src_id;
    const pie_test_info *tests; /* ascending number */
    size_t n_tests;
    const pie_program *source; /* never NULL; its verdict may be anything */
    const pie_program *target; /* NULL if the row has none */
    const pie_program *references;
    size_t n_references;
    const pie_program *samples; /* ascending index, in the order of the answers; a missing answer is
                                   present with verdict PIE_VERDICT_NO_CODE */
    size_t n_samples;
} pie_row;

typedef struct pie_problem {
    const char *problem_id;
    const pie_row *rows; /* all rows of this problem_id, in dataset order */
    size_t n_rows;
} pie_problem;

enum { PIE_HIGHER_IS_BETTER = 1, PIE_LOWER_IS_BETTER = -1, PIE_NO_DIRECTION = 0 };

/* One figure of the report. Constant for an instance. */
typedef struct pie_metric_output {
    const char *name;   /* row of the table: "best@1", "same human" */
    const char *column; /* column of the table: "%Opt" */
    int64_t k;          /* k of best@k or pass@k; 0 = none */
    const char *unit;   /* "%", "ratio", "cycles" */
    int32_t direction;  /* PIE_HIGHER_IS_BETTER .. */
    const char *rule;   /* how it is computed, in words, with the settings in force */
} pie_metric_output;

typedef struct pie_metric_ops {
    /* @max_samples: the most samples of any row of this run (for "1..k" defaults). */
    pie_status (*create)(const pie_host *host, int64_t max_samples, void **ret_self);
    void (*destroy)(void *self);
    /* Figures of total(), borrowed until destroy(). */
    pie_status (*outputs)(void *self, const pie_metric_output **ret_outputs, size_t *ret_n);
    /* Number of doubles per problem, constant for an instance. */
    size_t (*n_columns)(void *self);
    /* Reduce one problem. @ret_columns [n_columns]. Pure. */
    pie_status (*problem)(void *self, const pie_problem *problem, double *ret_columns);
    /* @columns [n_problems][n_columns] row-major; @multiplicity [n_problems] how often each problem
     * counts (bootstrap), NULL = once each. @ret_totals [n_outputs]; NaN = not defined for this
     * data. Pure: the same numbers give the same bits, in whatever process. */
    pie_status (*total)(void *self, const double *columns, const uint32_t *multiplicity,
                        size_t n_problems, double *ret_totals);
    /* Optional (NULL): names of per-row labels this metric can attach, e.g. performance tags.
     * label(): @ret_label [n_rows of the problem], NaN = none. */
    const char *label_name;
    pie_status (*label)(void *self, const pie_problem *problem, int32_t role, double *ret_labels,
                        size_t n_labels);
} pie_metric_ops;

#ifdef __cplusplus
}
#endif
#endif
