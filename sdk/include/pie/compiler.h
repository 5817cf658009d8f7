/* pie/compiler.h - "pie.compiler/1": says how to turn a source into a product.
 *
 * A compiler plugin runs nothing. It returns steps as argument vectors (never shell strings), the
 * core runs each one sandboxed in a private, empty working folder that holds the source under a
 * fixed name. Called in a worker process. */
#ifndef PIE_COMPILER_H
#define PIE_COMPILER_H

#include "pie/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PIE_PRODUCT_ELF = 1, PIE_PRODUCT_LLVM_IR = 2 };

/* One process. Paths in @argv[1..], @reads and @writes are relative to the working folder or
 * absolute; argv[0] is looked up on PATH. Every array ends with NULL. */
typedef struct pie_compile_step {
    const char *const *argv;
    const char *const *reads;  /* must exist before the step */
    const char *const *writes; /* must exist after it, else the step failed */
} pie_compile_step;

/* Owned by the instance; valid until its next call. */
typedef struct pie_compile_plan {
    const pie_compile_step *steps;
    size_t n_steps;
    const char *const
        *read_only_dirs; /* beside the system's, e.g. header libraries; NULL-terminated */
    const char *product; /* path of the result in the working folder; NULL = none */
} pie_compile_plan;

typedef struct pie_compile_request {
    const char *source;       /* file name in the working folder: "program.cpp" or "program.c" */
    const char *language;     /* "c++" or "c" */
    const char *prepared;     /* absolute path of a folder where the steps of prepare() ran before,
                                 read-only now; NULL = none */
    const char *const *flags; /* further flags of this one request, after the configured;
                                 NULL-terminated or NULL */
} pie_compile_request;

typedef struct pie_compiler_ops {
    int32_t product; /* PIE_PRODUCT_ELF .. */
    pie_status (*create)(const pie_host *host, void **ret_self);
    void (*destroy)(void *self);
    /* Steps whose standard outputs, the first line of each, are the toolchain's version string. It
     * keys results: another compiler gives another fingerprint. A line that is the absolute path of
     * a file stands for the file's name and content (the libraries that get linked in). A step
     * whose program is not there counts as "absent", except the first. */
    pie_status (*identify)(void *self, pie_compile_plan *ret_plan);
    /* Optional (NULL): steps, run once per language, header and configuration in a folder of their
     * own, that make later compilations faster without changing a byte of the product (precompiled
     * headers).
     * @header ("bits/stdc++.h") is what the sources to come include first, before anything else but
     * comments. The folder holds an empty file under the source's fixed name. Whoever uses what was
     * prepared must print nothing and succeed: otherwise the source is compiled again without.
     * n_steps 0: nothing to prepare for these. */
    pie_status (*prepare)(void *self, const char *language, const char *header,
                          pie_compile_plan *ret_plan);
    pie_status (*plan)(void *self, const pie_compile_request *request, pie_compile_plan *ret_plan);
} pie_compiler_ops;

#ifdef __cplusplus
}
#endif
#endif
