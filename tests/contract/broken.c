/* broken.c - modules that pie must refuse, one for each value of BROKEN. What is right about them
 * is the metric below; each case spoils one thing. */
#include "pie/backend.h"
#include "pie/metric.h"
#include "pie/uarch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* macros, since the preprocessor has to compare them */
#define NOT_A_PLUGIN 1
#define WRONG_MAGIC 2
#define OLDER_ABI 3
#define NEWER_ABI 4
#define NO_LIST 5
#define EMPTY_LIST 6
#define UNKNOWN_KIND 7
#define BAD_ID 8
#define NO_VERSION 9
#define NO_SUMMARY 10
#define NO_OPS 11
#define MISSING_FUNCTION 12
#define HALF_A_LABEL 13
#define OPTION_NAME 14
#define OPTION_TYPE 15
#define OPTION_DEFAULT 16
#define OPTION_RANGE 17
#define OPTION_CHOICE 18
#define OPTION_TWICE 19
#define OPTION_RESERVED 20
#define OPTION_HELP 21
#define REQUIREMENT 22
#define SAME_ID 23
#define CRASHES 24
#define HANGS 25
#define EXITS 26
#define UNRESOLVED 27
#define BAD_POINTER 28
#define COUNTER_NAME 29
#define NO_CAPABILITY 30
#define PRINTS 31
#define CONTROL_CHARACTER 32

static pie_status create(const pie_host *host, int64_t max_samples, void **ret_self)
{
    (void)host, (void)max_samples, (void)ret_self;
    return PIE_ERR_UNAVAILABLE;
}

static void destroy(void *self)
{
    (void)self;
}

static pie_status outputs(void *self, const pie_metric_output **ret_outputs, size_t *ret_n)
{
    (void)self, (void)ret_outputs, (void)ret_n;
    return PIE_ERR_UNAVAILABLE;
}

static size_t n_columns(void *self)
{
    (void)self;
    return 1;
}

static pie_status problem(void *self, const pie_problem *problem_, double *ret_columns)
{
    (void)self, (void)problem_, (void)ret_columns;
    return PIE_ERR_UNAVAILABLE;
}

#if BROKEN != MISSING_FUNCTION
static pie_status total(void *self, const double *columns, const uint32_t *multiplicity,
                        size_t n_problems, double *ret_totals)
{
    (void)self, (void)columns, (void)multiplicity, (void)n_problems, (void)ret_totals;
    return PIE_ERR_UNAVAILABLE;
}
#define TOTAL total
#else
#define TOTAL NULL
#endif

const pie_metric_ops metric_ops = {.create = create,
                                   .destroy = destroy,
                                   .outputs = outputs,
                                   .n_columns = n_columns,
                                   .problem = problem,
                                   .total = TOTAL,
                                   .label_name = BROKEN == HALF_A_LABEL ? "tag" : NULL};

/* Names that are good unless the case spoils them. */
#define OR(case_, bad, good) (BROKEN == (case_) ? (bad) : (good))

const pie_option options[] = {
    {.name = OR(OPTION_NAME, "Bad-Name", OR(OPTION_RESERVED, "plugin", "first")),
     .type = OR(OPTION_TYPE, 99, PIE_OPTION_INT),
     .fallback = OR(OPTION_DEFAULT, "many", OR(OPTION_RANGE, "11", "3")),
     .help = OR(OPTION_HELP, NULL, "a number"),
     .min = 1,
     .max = 10},
    {.name = OR(OPTION_TWICE, "first", "second"),
     .type = PIE_OPTION_STRING,
     .fallback = OR(OPTION_CHOICE, "\"c\"", "\"a\""),
     .choices = "a|b",
     .help = "a word"},
    {.name = NULL}};

const pie_requirement needs[] = {{PIE_NEEDS_PROGRAM, "sh", OR(REQUIREMENT, NULL, "a shell")},
                                 {0, NULL, NULL}};

#if BROKEN == COUNTER_NAME
static pie_status uarch_create(const pie_host *host, const pie_uarch_setup *setup, void **ret_self)
{
    (void)host, (void)setup, (void)ret_self;
    return PIE_ERR_UNAVAILABLE;
}
static pie_status consume(void *self, const uint64_t *words, size_t n_words, uint64_t cycle_limit,
                          size_t *ret_used, int32_t *ret_reason)
{
    (void)self, (void)words, (void)n_words, (void)cycle_limit, (void)ret_used, (void)ret_reason;
    return PIE_ERR_UNAVAILABLE;
}
static void mark(const void *self, pie_uarch_mark *ret_mark)
{
    (void)self, (void)ret_mark;
}
static void counters_read(const void *self, uint64_t *ret_values)
{
    (void)self, (void)ret_values;
}
static const pie_counter counters[] = {{"cycles", "cycles", "cycles"},
                                       {"stranger.things", "things", "another's prefix"},
                                       {NULL, NULL, NULL}};
static const pie_uarch_trace_ops trace = {counters,      uarch_create, destroy, consume, mark,
                                          counters_read, NULL,         NULL,    NULL};
static const pie_uarch_ops uarch_ops = {PIE_UARCH_TRACE, PIE_UARCH_DETERMINISTIC, &trace, NULL};
#define OPS &uarch_ops
#define KIND PIE_KIND_UARCH
#elif BROKEN == NO_CAPABILITY
static pie_status backend_create(const pie_host *host, void **ret_self)
{
    (void)host, (void)ret_self;
    return PIE_ERR_UNAVAILABLE;
}
static pie_status submit(void *self, const pie_request *request)
{
    (void)self, (void)request;
    return PIE_ERR_AGAIN;
}
static pie_status poll_answer(void *self, pie_completion *ret_completion)
{
    (void)self, (void)ret_completion;
    return PIE_ERR_AGAIN;
}
static pie_status cancel(void *self, uint64_t id)
{
    (void)self, (void)id;
    return PIE_OK;
}
static int wait_fd(void *self, int32_t *ret_timeout_ms)
{
    (void)self, (void)ret_timeout_ms;
    return -1;
}
static const pie_backend_ops backend_ops = {
    PIE_BACKEND_OFFLINE, backend_create, destroy, submit, poll_answer, cancel, wait_fd, NULL, NULL};
#define OPS &backend_ops
#define KIND PIE_KIND_BACKEND
#else
#define OPS OR(NO_OPS, NULL, (const void *)&metric_ops)
#define KIND OR(UNKNOWN_KIND, "pie.oracle/1", PIE_KIND_METRIC)
#endif

const pie_plugin plugin = {.kind = KIND,
                           .id = OR(BAD_ID, "Org.Example.Bad", "org.example.broken"),
                           .version = OR(NO_VERSION, NULL, "1.0.0"),
                           .summary = OR(NO_SUMMARY, "", OR(CONTROL_CHARACTER, "a\nb", "Spoiled.")),
                           .licence = "MIT",
                           .options = options,
                           .requires = needs,
                           .ops = OPS};

#if BROKEN != NOT_A_PLUGIN
static const pie_plugin *const list[] = {
    OR(EMPTY_LIST, NULL, OR(BAD_POINTER, (const pie_plugin *)8, &plugin)),
    OR(SAME_ID, &plugin, NULL), NULL};
extern __attribute__((visibility("default"))) const pie_module pie_module_entry;
const pie_module pie_module_entry = {
    OR(WRONG_MAGIC, 0x46464646u, PIE_ABI_MAGIC), PIE_ABI_MAJOR,
    (uint16_t)(PIE_ABI_MINOR + OR(NEWER_ABI, 1, OR(OLDER_ABI, -1, 0))), OR(NO_LIST, NULL, list)};
#endif

#if BROKEN == UNRESOLVED
extern int pie_test_no_such_function(void);
int (*const keep_unresolved)(void) = pie_test_no_such_function;
#endif

#if BROKEN == CRASHES || BROKEN == HANGS || BROKEN == EXITS || BROKEN == PRINTS
__attribute__((constructor)) static void when_loaded(void)
{
    if (BROKEN == CRASHES)
        abort();
    if (BROKEN == EXITS)
        _exit(0);
    if (BROKEN == PRINTS) {
        const char noise[] = "noise from a plugin\n";
        if (write(1, noise, strlen(noise)) < 0 || write(2, noise, strlen(noise)) < 0)
            abort();
    }
    while (BROKEN == HANGS)
        pause();
}
#endif
