/* guest.h - run one guest program in the tracer and hand its stream to a sink. */
#ifndef PIE_TRACE_GUEST_H
#define PIE_TRACE_GUEST_H

#include "base/buf.h"
#include "base/log.h"
#include "pie/verdict.h"

#include <stdbool.h>

/* Version of everything fixed about the guest's surroundings (docs/internals/guest-environment.md):
 * part of simulation keys and fingerprints. Any change of a value in it is a new number. */
#define PIE_GUEST_ENVIRONMENT "1"

typedef struct pie_guest_limits {
    uint64_t instructions; /* retired; exact. 0 = none */
    uint64_t memory_bytes; /* guest address space */
    uint64_t stack_bytes;
    uint64_t output_bytes; /* standard output and error together */
} pie_guest_limits;

enum {
    PIE_SINK_CONTINUE = 0,
    PIE_SINK_UNTRACED = 1 /* run on without a stream */,
    PIE_SINK_STOP = 2
};

/* Takes batches of checked whole records (pie/trace.h); runs in the caller's process.
 * Any status but PIE_OK ends the run and is passed on. */
typedef struct pie_trace_sink {
    void *context;
    pie_status (*consume)(void *context, const uint64_t *words, size_t n_words, int32_t *ret_want);
} pie_trace_sink;

typedef struct pie_guest_spec {
    int program_fd;          /* ELF, opened for reading */
    const char *const *args; /* after argv[0]; NULL-terminated or NULL */
    const void *input;       /* standard input */
    size_t input_bytes;
    pie_guest_limits limits;
    const pie_trace_sink *sink; /* NULL: no stream, only verdict and counts */
    bool one_insn_per_block;    /* qemu's one-instruction mode: the oracle of the tests */
    bool one_frame;             /* descriptor 6 is a page frame that it may map, shared; only for
                                   programs of our own */
} pie_guest_spec;

typedef struct pie_guest_result {
    int32_t verdict;        /* PASSED (exit status 0), RUNTIME_ERROR, a limit, FORBIDDEN_SYSCALL,
                               TAMPERING,        INFRA_ERROR */
    int exit_status;        /* when it exited by itself */
    int signal;             /* fatal signal of the guest, else 0 */
    int64_t syscall_number; /* FORBIDDEN_SYSCALL: which, else -1 */
    uint64_t instructions, startup_instructions; /* retired; independent of any CPU model */
    uint64_t branches;                           /* retired branch instructions */
    uint64_t syscalls, write_calls;
    uint64_t peak_bytes;  /* largest guest address space in use */
    uint64_t blocks;      /* distinct blocks described */
    pie_buf output;       /* standard output, up to the limit */
    pie_buf error_output; /* standard error */
    char function[256];   /* symbol of the last block executed when it died, "" = unknown */
    char reason[160];     /* one line for people; "" when passed */
} pie_guest_result;

/* PIE_OK whatever the guest did, the verdict says it. PIE_ERR_UNAVAILABLE: no usable qemu-user
 * (logged with how to get it). PIE_ERR_IO, PIE_ERR_NOMEM. */
pie_status pie_guest_run(const pie_guest_spec *spec, const pie_log *log,
                         pie_guest_result *ret_result);
void pie_guest_result_free(pie_guest_result *result);

/* "qemu-x86_64 7.2.22", what the guest runs on; part of simulation keys. NULL: none found.
 * Borrowed until the process ends. */
const char *pie_guest_engine_version(const pie_log *log);

#endif
