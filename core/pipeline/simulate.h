/* simulate.h - one program on one input: the guest in the tracer, its stream in a CPU model. A
 * model of style `run` measures by itself, after the tracer has given the verdict. In a worker. */
#ifndef PIE_PIPELINE_SIMULATE_H
#define PIE_PIPELINE_SIMULATE_H

#include "base/digest.h"
#include "config/config.h"
#include "pie/uarch.h"
#include "trace/guest.h"

typedef struct pie_simulator pie_simulator;

/* Opens the CPU model's module and makes a first instance, so that wrong settings show at once.
 * @scratch: a private folder, used by models of style `run`. */
pie_status pie_simulator_new(const pie_choice *uarch, const char *scratch, const pie_log *log,
                             pie_simulator **ret_simulator);
void pie_simulator_free(pie_simulator *simulator);
/* Ended by name NULL; borrowed. */
const pie_counter *pie_simulator_counters(const pie_simulator *simulator);
/* Does the model tell what it charged to each instruction? */
bool pie_simulator_has_profile(const pie_simulator *simulator);

typedef struct pie_simulation_spec {
    int program_fd;
    const char *const *args; /* after argv[0], NULL-terminated, or NULL */
    const void *input;
    size_t input_bytes;
    pie_guest_limits limits;
    uint64_t cycle_limit; /* the model stops there and the guest runs on; UINT64_MAX = none */
    int32_t page_map;     /* PIE_PAGE_MAP_IDENTITY .. */
    bool profile;
    /* With @profile: called for every static instruction, with the block it is in. */
    pie_status (*visit)(void *context, const pie_block *block, const pie_profile_row *row);
    void *context;
} pie_simulation_spec;

typedef struct pie_simulation {
    pie_guest_result guest;
    uint64_t cycles, startup_cycles; /* of the model; as far as it came when censored */
    uint64_t uops;
    double seconds;     /* instead of cycles, from a model with PIE_UARCH_SECONDS; else 0 */
    bool censored;      /* cycles passed the limit: the true figure is larger */
    bool startup_seen;  /* false: startup_cycles is the whole run or the model stopped before */
    uint64_t *counters; /* in the order of pie_simulator_counters() */
    size_t n_counters;
    char **unknown_forms; /* "FORM count" each, n of them */
    size_t n_unknown_forms;
} pie_simulation;

/* PIE_OK whatever the guest did. PIE_ERR_CRASHED: model and tracer do not agree on the retired
 * instructions (logged): the model is broken. */
pie_status pie_simulator_run(pie_simulator *simulator, const pie_simulation_spec *spec,
                             const pie_log *log, pie_simulation *ret_simulation);
void pie_simulation_free(pie_simulation *simulation);

#endif
