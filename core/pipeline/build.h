/* build.h - source to ELF through a compiler plugin, sandboxed. In a worker. */
#ifndef PIE_PIPELINE_BUILD_H
#define PIE_PIPELINE_BUILD_H

#include "base/buf.h"
#include "base/digest.h"
#include "config/config.h"
#include "sandbox/sandbox.h"

/* A compiler plugin ready to use: instance, toolchain version, prepared folders. */
typedef struct pie_builder pie_builder;

typedef struct pie_build_limits {
    uint64_t memory_bytes, output_bytes; /* of one process; of any file written */
    double seconds;                      /* wall clock, last resort: verdict compile_limit */
    uint32_t processes;
} pie_build_limits;

/* @scratch: a private folder for work and prepared files; made if absent. It stays the caller's.
 * Runs identify(). PIE_ERR_UNAVAILABLE: compiler not installed, logged with what to do. */
pie_status pie_builder_new(const pie_choice *compiler, const pie_build_limits *limits,
                           const char *scratch, const pie_log *log, pie_builder **ret_builder);
void pie_builder_free(pie_builder *builder);
/* Toolchain version string; borrowed. */
const char *pie_builder_version(const pie_builder *builder);

typedef struct pie_build {
    int32_t verdict;     /* PASSED, COMPILE_ERROR, COMPILE_LIMIT, INFRA_ERROR */
    int elf_fd;          /* sealed memfd with the product, -1 = none; closed by pie_build_free */
    pie_digest elf;      /* digest of the product */
    uint64_t text_bytes; /* size of its executable sections */
    pie_buf messages;    /* what the compiler printed, at most 64 KiB */
    char reason[160];    /* one line: first error or limit; "" */
} pie_build;

/* Compile @source as @language ("c++", "c"). PIE_OK whatever the compiler says. */
pie_status pie_builder_run(pie_builder *builder, const char *source, size_t n_bytes,
                           const char *language, const pie_log *log, pie_build *ret_build);
void pie_build_free(pie_build *build);

#endif
