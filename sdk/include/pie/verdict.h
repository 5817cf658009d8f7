/* pie/verdict.h - what became of one test, or of one program over its tests. */
#ifndef PIE_VERDICT_H
#define PIE_VERDICT_H

/* The order is part of the record format: append only. */
enum {
    PIE_VERDICT_NONE = 0,   /* not run: an earlier test failed, or nothing asked for it */
    PIE_VERDICT_PASSED = 1, /* cycles may be censored by the budget, see PIE_VALID_CYCLES */
    PIE_VERDICT_COMPILE_ERROR = 2,
    PIE_VERDICT_COMPILE_LIMIT = 3, /* the compiler reached its time, memory or output limit */
    PIE_VERDICT_WRONG_OUTPUT = 4,
    PIE_VERDICT_RUNTIME_ERROR = 5, /* a fatal signal or a non-zero exit status */
    PIE_VERDICT_INSTRUCTION_LIMIT = 6,
    PIE_VERDICT_MEMORY_LIMIT = 7,
    PIE_VERDICT_OUTPUT_LIMIT = 8,
    PIE_VERDICT_FORBIDDEN_SYSCALL = 9,
    PIE_VERDICT_TAMPERING = 10,   /* the guest touched the tracer's memory or forged its stream */
    PIE_VERDICT_NO_CODE = 11,     /* the reply holds no program */
    PIE_VERDICT_INFRA_ERROR = 12, /* pie's own failure: retried when the run is resumed */
    PIE_N_VERDICTS = 13
};

#endif
