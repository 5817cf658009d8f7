/* guest_support.h - compiling guests and running them, for the tests of the tracer. */
#ifndef PIE_TESTS_GUEST_SUPPORT_H
#define PIE_TESTS_GUEST_SUPPORT_H

#include "base/buf.h"
#include "base/file.h"
#include "trace/guest.h"

#include <fcntl.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

extern char **environ;

/* A folder of this test program for what it compiles; removed by support_end. */
static char support_folder[64];

static inline int support_begin(void **state)
{
    (void)state;
    snprintf(support_folder, sizeof support_folder, "/tmp/pie-guests-XXXXXX");
    return mkdtemp(support_folder) ? 0 : -1;
}

static inline int support_end(void **state)
{
    (void)state;
    return pie_folder_remove(support_folder, &pie_log_stderr) == PIE_OK ? 0 : -1;
}

/* Run a command to its end; its exit status, or -1. */
static inline int support_command(const char *const *argv)
{
    pid_t pid;
    int status;
    if (posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ) != 0)
        return -1;
    if (waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Compile @source (a path, or text when @text) with up to 8 flags into the folder; the path of the
 * program in fresh memory. */
static inline char *support_compile(const char *compiler, const char *source, const char *name,
                                    const char *const *flags)
{
    char *program = pie_path_join(support_folder, name);
    const char *argv[24] = {compiler};
    size_t n = 1;
    for (; flags && *flags && n < 20; flags++)
        argv[n++] = *flags;
    argv[n++] = "-o";
    argv[n++] = program;
    argv[n++] = source;
    argv[n] = NULL;
    assert_non_null(program);
    assert_int_equal(support_command(argv), 0);
    return program;
}

static inline char *support_compile_text(const char *text, const char *name,
                                         const char *const *flags)
{
    char *source = pie_strf("%s/%s.c", support_folder, name);
    assert_non_null(source);
    assert_int_equal(pie_file_replace(source, text, strlen(text), &pie_log_stderr), PIE_OK);
    char *program = support_compile("gcc", source, name, flags);
    free(source);
    return program;
}

/* The guests of the tests, unless the test says otherwise. */
static const pie_guest_limits support_limits = {.instructions = 2000000000,
                                                .memory_bytes = 256u << 20,
                                                .stack_bytes = 8u << 20,
                                                .output_bytes = 1u << 20};

static inline pie_status support_run(const char *program, const pie_guest_spec *base,
                                     pie_guest_result *ret_result)
{
    pie_guest_spec spec = *base;
    spec.program_fd = open(program, O_RDONLY | O_CLOEXEC);
    assert_true(spec.program_fd >= 0);
    const pie_status status = pie_guest_run(&spec, &pie_log_stderr, ret_result);
    close(spec.program_fd);
    return status;
}

#endif
