/* metric_run.c - see metric_run.h */
#include "report/metric_run.h"

#include "base/buf.h"
#include "base/file.h"
#include "report/bootstrap.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STEP_CREATE, STEP_OUTPUTS, STEP_PROBLEM, STEP_TOTAL, STEP_INTERVAL, STEP_DESTROY };
static const char *const step_names[] = {"create()", "outputs()",           "problem()",
                                         "total()",  "a bootstrap total()", "destroy()"};

/* Where the report process is, for whoever finds it dead. In shared memory. */
typedef struct report_marker {
    _Atomic uint32_t job; /* + 1; 0: in no metric */
    _Atomic uint32_t step;
    _Atomic uint64_t calls; /* grows with every call and every problem */
} report_marker;

/* ---- in the report process ------------------------------------------------------------------ */

typedef struct running {
    const pie_plugin *plugin;
    const pie_metric_ops *ops;
    const char *id;
    pie_host *host;
    void *self;
    const pie_metric_output *outputs;
    size_t n_outputs, n_columns;
    double *columns;   /* [n_problems][n_columns] */
    double *totals;    /* [n_outputs] */
    double *resampled; /* [n_outputs][n_resamples] */
    double *scratch;   /* [n_outputs] */
    bool intervals;    /* false: total() failed on a resample */
    bool failed;
} running;

typedef struct report_child {
    const pie_metric_job *jobs;
    size_t n_jobs;
    const bool *dropped; /* [n_jobs] */
    const pie_problem_source *source;
    const pie_log *log;
    report_marker *marker;
    running *running;      /* [n_jobs] */
    json_t *failures;      /* of this try */
    json_t *dead_failures; /* of tries that died; kept outside */
    size_t n_resamples;
} report_child;

static const char *job_id(const pie_metric_job *job)
{
    return job->plugin ? job->plugin->id : job->choice->info->id;
}

static void enter(report_child *self, size_t job, uint32_t step)
{
    atomic_store(&self->marker->step, step);
    atomic_store(&self->marker->job, (uint32_t)job + 1);
    atomic_fetch_add(&self->marker->calls, 1);
}

static void leave(report_child *self)
{
    atomic_store(&self->marker->job, 0);
    atomic_fetch_add(&self->marker->calls, 1);
}

static pie_status add_failure(json_t *failures, const char *id, const char *what)
{
    char *line = pie_strf("metric %s: %s; its figures are left out", id, what);
    const int failed = line ? json_array_append_new(failures, json_string(line)) : -1;
    free(line);
    return failed ? PIE_ERR_NOMEM : PIE_OK;
}

static pie_status fail(report_child *self, size_t job, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static pie_status fail(report_child *self, size_t job, const char *format, ...)
{
    pie_buf what = {0};
    va_list args;
    va_start(args, format);
    pie_status status = pie_buf_vprintf(&what, format, args);
    va_end(args);
    self->running[job].failed = true;
    if (status == PIE_OK)
        status = add_failure(self->failures, self->running[job].id, pie_buf_text(&what));
    pie_buf_free(&what);
    return status;
}

static pie_status create_metric(report_child *self, size_t i)
{
    const pie_metric_job *job = &self->jobs[i];
    running *metric = &self->running[i];
    metric->id = job_id(job);
    metric->plugin = job->plugin;
    metric->intervals = true;
    enter(self, i, STEP_CREATE); /* opening runs the module's constructors */
    pie_status status = PIE_OK;
    if (!job->plugin) {
        status = pie_plugin_open(job->choice->info, self->log, &metric->plugin);
        if (status == PIE_OK)
            status = pie_host_new(job->choice->settings, job->choice->info->short_name, self->log,
                                  &metric->host);
    }
    if (status == PIE_OK) {
        metric->ops = metric->plugin->ops;
        status = metric->ops->create(metric->host, self->source->max_samples, &metric->self);
    }
    if (status == PIE_OK) {
        enter(self, i, STEP_OUTPUTS);
        status = metric->ops->outputs(metric->self, &metric->outputs, &metric->n_outputs);
    }
    if (status == PIE_OK)
        metric->n_columns = metric->ops->n_columns(metric->self);
    leave(self);
    if (status != PIE_OK)
        return fail(self, i, "could not be set up (status %d)", (int)status);
    metric->columns =
        calloc(self->source->n_problems + 1, (metric->n_columns + 1) * sizeof(double));
    metric->totals = calloc(metric->n_outputs + 1, sizeof(double));
    metric->scratch = calloc(metric->n_outputs + 1, sizeof(double));
    metric->resampled = calloc(metric->n_outputs + 1, (self->n_resamples + 1) * sizeof(double));
    if (!metric->columns || !metric->totals || !metric->scratch || !metric->resampled)
        return PIE_ERR_NOMEM;
    return PIE_OK;
}

static pie_status reduce_problem(report_child *self, const pie_problem *problem, size_t position)
{
    pie_status status = PIE_OK;
    for (size_t i = 0; status == PIE_OK && i < self->n_jobs; i++) {
        running *metric = &self->running[i];
        if (self->dropped[i] || metric->failed)
            continue;
        enter(self, i, STEP_PROBLEM);
        const pie_status reduced = metric->ops->problem(
            metric->self, problem, metric->columns + position * metric->n_columns);
        leave(self);
        if (reduced != PIE_OK)
            status = fail(self, i, "problem() failed on %s (status %d)", problem->problem_id,
                          (int)reduced);
    }
    return status;
}

static pie_status total_up(report_child *self)
{
    pie_status status = PIE_OK;
    for (size_t i = 0; status == PIE_OK && i < self->n_jobs; i++) {
        running *metric = &self->running[i];
        if (self->dropped[i] || metric->failed)
            continue;
        enter(self, i, STEP_TOTAL);
        const pie_status total = metric->ops->total(metric->self, metric->columns, NULL,
                                                    self->source->n_problems, metric->totals);
        leave(self);
        if (total != PIE_OK)
            status = fail(self, i, "total() failed (status %d)", (int)total);
    }
    return status;
}

/* Every metric on the same resamples. */
static pie_status resample(report_child *self)
{
    const size_t n_problems = self->source->n_problems;
    uint32_t *multiplicity = calloc(n_problems + 1, sizeof *multiplicity);
    if (!multiplicity)
        return PIE_ERR_NOMEM;
    pie_bootstrap bootstrap;
    pie_bootstrap_start(&bootstrap);
    for (size_t b = 0; b < self->n_resamples; b++) {
        pie_bootstrap_draw(&bootstrap, n_problems, multiplicity);
        for (size_t i = 0; i < self->n_jobs; i++) {
            running *metric = &self->running[i];
            if (self->dropped[i] || metric->failed || !metric->intervals)
                continue;
            enter(self, i, STEP_INTERVAL);
            const pie_status total = metric->ops->total(metric->self, metric->columns, multiplicity,
                                                        n_problems, metric->scratch);
            leave(self);
            metric->intervals = total == PIE_OK;
            for (size_t o = 0; o < metric->n_outputs; o++)
                metric->resampled[o * self->n_resamples + b] = metric->scratch[o];
        }
    }
    free(multiplicity);
    return PIE_OK;
}

static json_t *number_json(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *interval_json(const report_child *self, running *metric, size_t output)
{
    double ends[2] = {NAN, NAN};
    if (metric->intervals)
        pie_bootstrap_interval(metric->resampled + output * self->n_resamples, self->n_resamples,
                               ends);
    return isfinite(ends[0]) && isfinite(ends[1]) ? json_pack("[f,f]", ends[0], ends[1])
                                                  : json_null();
}

static const char *direction_name(int32_t direction)
{
    return direction == PIE_HIGHER_IS_BETTER  ? "higher"
           : direction == PIE_LOWER_IS_BETTER ? "lower"
                                              : "none";
}

/* Name of a column. A metric that the config names twice has columns of its own: "%Opt #2". */
static json_t *column_json(const report_child *self, const running *metric, const char *column)
{
    size_t nth = 1;
    for (const running *earlier = self->running; earlier < metric; earlier++)
        nth += earlier->id && strcmp(earlier->id, metric->id) == 0;
    return nth == 1 ? json_string(column) : json_sprintf("%s #%zu", column, nth);
}

/* NULL: a text is missing or no UTF-8, or no memory. */
static json_t *figure_json(const report_child *self, running *metric, size_t i)
{
    const pie_metric_output *output = &metric->outputs[i];
    return json_pack("{s:s,s:s,s:o,s:o,s:o,s:s,s:s,s:o,s:s}", "metric", metric->id, "name",
                     output->name, "column", column_json(self, metric, output->column), "k",
                     output->k ? json_integer(output->k) : json_null(), "value",
                     number_json(metric->totals[i]), "unit", output->unit, "direction",
                     direction_name(output->direction), "interval", interval_json(self, metric, i),
                     "rule", output->rule);
}

static pie_status summarize(report_child *self, json_t *summary)
{
    pie_status status = PIE_OK;
    for (size_t i = 0; status == PIE_OK && i < self->n_jobs; i++) {
        running *metric = &self->running[i];
        if (self->dropped[i] || metric->failed)
            continue;
        json_t *figures = json_array();
        for (size_t o = 0; o < metric->n_outputs && !metric->failed; o++)
            if (json_array_append_new(figures, figure_json(self, metric, o)) != 0)
                status = fail(self, i, "outputs() gave a text that is missing or not UTF-8");
        if (!metric->failed && json_array_extend(summary, figures) != 0)
            status = PIE_ERR_NOMEM;
        json_decref(figures);
    }
    return status;
}

static void destroy_metrics(report_child *self)
{
    for (size_t i = 0; i < self->n_jobs; i++) {
        running *metric = &self->running[i];
        if (metric->self) {
            enter(self, i, STEP_DESTROY);
            metric->ops->destroy(metric->self);
            leave(self);
        }
        pie_host_free(metric->host);
        free(metric->columns);
        free(metric->totals);
        free(metric->scratch);
        free(metric->resampled);
    }
    free(self->running);
}

/* Writes {"status", "summary", "failures"} to @fd. */
static int child_main(report_child *self, int fd)
{
    json_t *summary = json_array();
    self->failures = json_array();
    self->n_resamples = pie_bootstrap_resamples(self->source->n_problems);
    self->running = calloc(self->n_jobs + 1, sizeof *self->running);
    pie_status status = summary && self->failures && self->running ? PIE_OK : PIE_ERR_NOMEM;
    for (size_t i = 0; status == PIE_OK && i < self->n_jobs; i++)
        if (!self->dropped[i])
            status = create_metric(self, i);
    const pie_problem *problem = NULL;
    for (size_t n = 0; status == PIE_OK; n++) {
        atomic_fetch_add(&self->marker->calls, 1);
        status = self->source->next(self->source->context, &problem);
        if (status == PIE_OK && n >= self->source->n_problems)
            status = PIE_ERR_DATA;
        if (status == PIE_OK)
            status = reduce_problem(self, problem, n);
    }
    if (status == PIE_ERR_AGAIN)
        status = total_up(self);
    if (status == PIE_OK)
        status = resample(self);
    if (status == PIE_OK)
        status = summarize(self, summary);
    if (self->running)
        destroy_metrics(self);
    json_t *answer = json_pack("{s:i,s:o,s:o}", "status", (int)status, "summary", summary,
                               "failures", self->failures);
    char *text = answer ? json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    const bool written = text && pie_write_all(fd, text, strlen(text)) == PIE_OK;
    free(text);
    json_decref(answer);
    return written ? 0 : 1;
}

/* ---- outside -------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Everything that the child writes until it ends. PIE_ERR_LIMIT: nothing moved for @hang_ms. */
static pie_status listen(int fd, report_marker *marker, int64_t hang_ms, pie_buf *answer)
{
    uint64_t seen = atomic_load(&marker->calls);
    int64_t since = now_ms();
    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        const int ready = poll(&poll_fd, 1, hang_ms < 1000 ? (int)hang_ms : 1000);
        if (ready < 0 && errno != EINTR)
            return PIE_ERR_IO;
        if (ready > 0) {
            if (pie_buf_reserve(answer, 1 << 16) != PIE_OK)
                return PIE_ERR_NOMEM;
            const ssize_t n = read(fd, answer->data + answer->n, 1 << 16);
            if (n == 0)
                return PIE_OK;
            if (n < 0 && errno != EINTR)
                return PIE_ERR_IO;
            answer->n += n > 0 ? (size_t)n : 0;
        }
        const uint64_t calls = atomic_load(&marker->calls);
        if (ready > 0 || calls != seen) {
            seen = calls;
            since = now_ms();
        } else if (now_ms() - since >= hang_ms) {
            return PIE_ERR_LIMIT;
        }
    }
}

/* A crash is to end the child, whatever handlers and masks it inherits. */
static void reset_signals(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                                  SIGABRT, SIGTERM, SIGINT, SIGPIPE};
    sigset_t none;
    sigemptyset(&none);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static pie_status start_child(report_child *self, pid_t *ret_pid, int *ret_fd)
{
    int fds[2];
    if (pipe(fds) != 0)
        return pie_log_errno(self->log, "pipe of the report process");
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(fds[0]);
        reset_signals();
        if (getppid() != parent || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
            _exit(1); /* standard output belongs to the report, whatever a metric prints */
        _exit(child_main(self, fds[1]));
    }
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return pie_log_errno(self->log, "fork of the report process");
    }
    *ret_pid = pid;
    *ret_fd = fds[0];
    return PIE_OK;
}

static pie_status take_answer(const pie_buf *text, json_t **ret_answer)
{
    json_t *answer = json_loadb(pie_buf_text(text), text->n, 0, NULL);
    if (!json_is_integer(json_object_get(answer, "status")) ||
        !json_is_array(json_object_get(answer, "summary")) ||
        !json_is_array(json_object_get(answer, "failures"))) {
        json_decref(answer);
        return PIE_ERR_CRASHED;
    }
    *ret_answer = answer;
    return PIE_OK;
}

/* What the dead child was doing, into its failures; its metric is dropped from the next try. */
static pie_status name_culprit(report_child *self, bool *dropped, bool hung, int exit_status)
{
    const uint32_t job = atomic_load(&self->marker->job), step = atomic_load(&self->marker->step);
    char how[64];
    if (hung)
        snprintf(how, sizeof how, "did not come back");
    else if (WIFSIGNALED(exit_status))
        snprintf(how, sizeof how, "crashed with signal %d", WTERMSIG(exit_status));
    else
        snprintf(how, sizeof how, "ended the process with status %d", WEXITSTATUS(exit_status));
    if (job == 0 || job > self->n_jobs || step >= sizeof step_names / sizeof *step_names) {
        pie_log_error(self->log, "the report process %s outside of any metric", how);
        return PIE_ERR_CRASHED;
    }
    dropped[job - 1] = true;
    pie_log_warning(self->log, "metric %s %s in %s; the report goes on without it",
                    job_id(&self->jobs[job - 1]), how, step_names[step]);
    char *what = pie_strf("%s in %s", how, step_names[step]);
    const pie_status status =
        what ? add_failure(self->dead_failures, job_id(&self->jobs[job - 1]), what) : PIE_ERR_NOMEM;
    free(what);
    return status;
}

/* One try. PIE_ERR_AGAIN: a metric was dropped, try without it. */
static pie_status try_once(report_child *self, bool *dropped, int64_t hang_ms, json_t **ret_answer)
{
    pid_t pid = -1;
    int fd = -1, exit_status = 0;
    pie_buf text = {0};
    memset((void *)self->marker, 0, sizeof *self->marker);
    pie_status status = start_child(self, &pid, &fd);
    if (status != PIE_OK)
        return status;
    status = listen(fd, self->marker, hang_ms, &text);
    const bool hung = status == PIE_ERR_LIMIT;
    if (status != PIE_OK)
        kill(pid, SIGKILL);
    while (waitpid(pid, &exit_status, 0) < 0 && errno == EINTR)
        ;
    close(fd);
    if (status == PIE_OK || hung) {
        const bool ended = !hung && WIFEXITED(exit_status) && WEXITSTATUS(exit_status) == 0;
        status = ended ? take_answer(&text, ret_answer) : PIE_ERR_CRASHED;
        if (status == PIE_ERR_CRASHED) {
            status = name_culprit(self, dropped, hung, exit_status);
            status = status == PIE_OK ? PIE_ERR_AGAIN : status;
        }
    }
    pie_buf_free(&text);
    return status;
}

pie_status pie_metrics_run(const pie_metric_job *jobs, size_t n_jobs,
                           const pie_problem_source *source, int64_t hang_ms, const pie_log *log,
                           json_t **ret_summary, json_t **ret_failures)
{
    bool *dropped = calloc(n_jobs + 1, sizeof *dropped);
    json_t *answer = NULL;
    report_child child = {.jobs = jobs,
                          .n_jobs = n_jobs,
                          .dropped = dropped,
                          .source = source,
                          .log = log,
                          .marker = mmap(NULL, sizeof *child.marker, PROT_READ | PROT_WRITE,
                                         MAP_SHARED | MAP_ANONYMOUS, -1, 0),
                          .dead_failures = json_array()};
    pie_status status = PIE_OK;
    if (!dropped || !child.dead_failures || child.marker == MAP_FAILED)
        status = pie_log_nomem(log);
    if (status == PIE_OK)
        do
            status = try_once(&child, dropped, hang_ms, &answer);
        while (status == PIE_ERR_AGAIN);
    if (status == PIE_OK)
        status = (pie_status)json_integer_value(json_object_get(answer, "status"));
    if (status == PIE_OK &&
        json_array_extend(child.dead_failures, json_object_get(answer, "failures")) != 0)
        status = PIE_ERR_NOMEM;
    if (status == PIE_OK) {
        *ret_summary = json_incref(json_object_get(answer, "summary"));
        *ret_failures = json_incref(child.dead_failures);
    }
    json_decref(answer);
    json_decref(child.dead_failures);
    free(dropped);
    if (child.marker != MAP_FAILED)
        munmap(child.marker, sizeof *child.marker);
    return status;
}
