/* external.c - see external.h */
#include "pipeline/external.h"

#include "base/file.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PROGRAM_MAX_BYTES = 1 << 30, STEP_OUTPUT_BYTES = 16 << 20 };

static pie_status write_file(const char *path, const void *bytes, size_t n, mode_t mode,
                             const pie_log *log)
{
    pie_status status = pie_file_replace(path, bytes, n, log);
    if (status == PIE_OK && chmod(path, mode) != 0)
        status = pie_log_errno(log, path);
    return status;
}

static pie_status run_step(const pie_compile_plan *plan, const pie_compile_step *step,
                           const char *folder, double seconds, const pie_log *log, pie_buf *output)
{
    char *program = pie_path_find_program(step->argv[0]);
    if (!program) {
        pie_log_error(log, "'%s' is not installed", step->argv[0]);
        return PIE_ERR_UNAVAILABLE;
    }
    size_t n = 0;
    while (step->argv[n])
        n++;
    const char **argv = calloc(n + 1, sizeof *argv);
    pie_sandbox_result result = {0};
    pie_status status = argv ? PIE_OK : pie_log_nomem(log);
    if (status == PIE_OK) {
        memcpy(argv, step->argv, n * sizeof *argv);
        argv[0] = program;
        const char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", NULL};
        const pie_sandbox_spec spec = {.policy = PIE_SANDBOX_TOOL,
                                       .argv = argv,
                                       .envp = environment,
                                       .work_dir = folder,
                                       .read_only_dirs = plan->read_only_dirs,
                                       .capture = true,
                                       .limits = {.output_bytes = STEP_OUTPUT_BYTES,
                                                  .file_bytes = STEP_OUTPUT_BYTES,
                                                  .wall_s = seconds}};
        status = pie_sandbox_run(&spec, log, &result);
    }
    if (status == PIE_OK && (!result.exited || result.exit_status != 0 || result.limit)) {
        pie_log_error(log, "'%s' failed (%s %d)", step->argv[0],
                      result.exited ? "exit status" : "signal",
                      result.exited ? result.exit_status : result.signal);
        status = PIE_ERR_CRASHED;
    }
    if (status == PIE_OK && pie_buf_add(output, result.out.data, result.out.n) != PIE_OK)
        status = pie_log_nomem(log);
    pie_sandbox_result_free(&result);
    free(argv);
    free(program);
    return status;
}

pie_status pie_external_run(const pie_external_spec *spec, const pie_log *log,
                            pie_run_result *ret_result)
{
    char *folder = pie_strf("%s/external-XXXXXX", spec->scratch);
    if (!folder)
        return pie_log_nomem(log);
    if (!mkdtemp(folder)) {
        const pie_status status = pie_log_errno(log, folder);
        free(folder);
        return status;
    }
    char *program = pie_path_join(folder, "program"), *input = pie_path_join(folder, "input");
    pie_buf elf = {0}, output = {0};
    pie_compile_plan plan = {0};
    pie_status status = program && input ? PIE_OK : pie_log_nomem(log);
    if (status == PIE_OK && lseek(spec->program_fd, 0, SEEK_SET) != 0)
        status = pie_log_errno(log, program);
    if (status == PIE_OK)
        status = pie_file_read_fd(spec->program_fd, program, PROGRAM_MAX_BYTES, log, &elf);
    if (status == PIE_OK)
        status = write_file(program, elf.data, elf.n, 0755, log);
    if (status == PIE_OK)
        status = write_file(input, spec->input, spec->input_bytes, 0644, log);
    const pie_run_request request = {.program = program, .input = input};
    if (status == PIE_OK)
        status = spec->ops->plan(spec->instance, &request, &plan);
    for (size_t i = 0; status == PIE_OK && i < plan.n_steps; i++)
        status = run_step(&plan, &plan.steps[i], folder, spec->seconds, log, &output);
    if (status == PIE_OK)
        status = spec->ops->read(spec->instance, pie_buf_text(&output), output.n, ret_result);
    pie_folder_remove(folder, log);
    pie_buf_free(&elf);
    pie_buf_free(&output);
    free(program);
    free(input);
    free(folder);
    return status;
}
