/* external.h - CPU models of style `run`: real hardware, another simulator. Their command lines run
 * sandboxed on a program and an input that already have a verdict. In a worker. */
#ifndef PIE_PIPELINE_EXTERNAL_H
#define PIE_PIPELINE_EXTERNAL_H

#include "base/log.h"
#include "pie/uarch.h"

typedef struct pie_external_spec {
    const pie_uarch_run_ops *ops;
    void *instance;
    const char *scratch; /* private folder for the program and its input */
    int program_fd;
    const void *input;
    size_t input_bytes;
    double seconds; /* wall-clock limit of each step; 0 = none */
} pie_external_spec;

/* *@ret_result borrows from the instance. PIE_ERR_CRASHED: a step failed (logged). */
pie_status pie_external_run(const pie_external_spec *spec, const pie_log *log,
                            pie_run_result *ret_result);

#endif
