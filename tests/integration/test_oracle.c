/* test_oracle.c - is the stream true?
 *
 * Three independent witnesses. qemu's one-instruction mode: other blocks, no phantoms, no cuts, so
 * the same instructions with the same addresses must come out. ptrace, stepping the native program:
 * the same sequence of instructions, a repeated string instruction counted once. And the assembly
 * guests themselves, which note the addresses that each instruction must have. */
#include "guest_support.h"
#include "sandbox_here.h"
#include "sequence.h"

#include <elf.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/user.h>

#ifndef PIE_SOURCE
#error "the build says where the sources are"
#endif

/* ---- two runs of one program ---------------------------------------------------------------- */

static void trace_program(const char *program, const char *input, bool one_insn_per_block,
                          sequence *s, pie_guest_result *result)
{
    const pie_guest_spec spec = {.input = input,
                                 .input_bytes = strlen(input),
                                 .limits = support_limits,
                                 .one_insn_per_block = one_insn_per_block};
    if (!sequence_trace(program, &spec, s, result))
        fail_msg("%s: %s", program, s->fault);
}

static void same_sequence(const sequence *a, const sequence *b)
{
    char difference[160];
    if (!sequence_same(a, b, difference, sizeof difference))
        fail_msg("%s", difference);
}

/* ---- the native program, stepped ------------------------------------------------------------ */

/* Repeated string instructions trap after every iteration, gathers before a fault of a later lane.
 */
static bool stops_in_between(pid_t pid, uint64_t pc)
{
    uint8_t code[16];
    const long low = ptrace(PTRACE_PEEKTEXT, pid, (void *)(uintptr_t)pc, NULL);
    const long high = ptrace(PTRACE_PEEKTEXT, pid, (void *)(uintptr_t)(pc + 8), NULL);
    bool rep = false;
    size_t i = 0;
    memcpy(code, &low, 8);
    memcpy(code + 8, &high, 8);
    for (; i < 8; i++) {
        if (code[i] == 0xf2 || code[i] == 0xf3)
            rep = true;
        else if (code[i] != 0x66 && code[i] != 0x67 && (code[i] & 0xf0) != 0x40)
            break;
    }
    const uint8_t op = code[i];
    if (i == 0 && op == 0xc4 && (code[3] & 0xfc) == 0x90)
        return true;
    return rep && ((op >= 0xa4 && op <= 0xa7) || (op >= 0xaa && op <= 0xaf));
}

/* Addresses of the instructions that retire natively; the exit status, or 128 + signal. */
static int step_natively(const char *program, const char *input, uint64_t *addresses, size_t *ret_n)
{
    const int input_fd = pie_memfd("input", input, strlen(input), true);
    const int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(input_fd, 0);
        dup2(null_fd, 1);
        personality(ADDR_NO_RANDOMIZE);
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        execl(program, "program", (char *)NULL);
        _exit(127);
    }
    close(input_fd);
    close(null_fd);
    int status, sig = 0, result = -1;
    size_t n = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSTOPPED(status));
    for (;;) {
        struct user_regs_struct before;
        if (ptrace(PTRACE_GETREGS, pid, NULL, &before) != 0)
            break;
        const bool partial = stops_in_between(pid, before.rip);
        const bool delivers = sig != 0;
        if (ptrace(PTRACE_SINGLESTEP, pid, NULL, (void *)(intptr_t)sig) != 0)
            break;
        if (waitpid(pid, &status, 0) != pid)
            break;
        sig = 0;
        if (WIFSTOPPED(status) && WSTOPSIG(status) != SIGTRAP) {
            sig = WSTOPSIG(status); /* the instruction did not retire */
            continue;
        }
        if (WIFSIGNALED(status)) {
            result = 128 + WTERMSIG(status);
            break;
        }
        if (delivers)
            continue; /* at the handler's first instruction now */
        struct user_regs_struct after = {0};
        if (WIFSTOPPED(status))
            ptrace(PTRACE_GETREGS, pid, NULL, &after);
        if (partial && after.rip == before.rip)
            continue;
        if (n < MAX_KEPT)
            addresses[n++] = before.rip;
        if (WIFEXITED(status)) {
            result = WEXITSTATUS(status);
            break;
        }
    }
    if (result < 0) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    *ret_n = n;
    return result;
}

/* ---- assembly guests ------------------------------------------------------------------------ */

static const char *const guests[] = {"scalar",     "stack",        "string",        "sse",
                                     "avx",        "x87",          "branches",      "straight",
                                     "pages",      "selfmod",      "faults",        "system",
                                     "fatal_load", "fatal_divide", "fatal_illegal", "fatal_jump"};

static char *assemble(const char *name)
{
    static const char *const flags[] = {"-nostdlib", "-static", "-Wl,-z,noexecstack",
                                        "-I" PIE_SOURCE "/tests/integration/asm", NULL};
    char *source = pie_strf("%s/tests/integration/asm/%s.S", PIE_SOURCE, name);
    assert_non_null(source);
    char *program = support_compile("gcc", source, name, flags);
    free(source);
    return program;
}

/* The words of the first execution of the instruction at @address, NULL if it never ran. */
static const uint64_t *first_execution(const sequence *s, uint64_t address)
{
    for (size_t i = 0; i < s->n_words;) {
        if (s->words[i] == address)
            return s->words + i + 1;
        if (s->words[i] & EVENT_MARK) {
            static const uint8_t lengths[] = {0, 0, 3, 2, 2, 2, 2, 1, 1};
            i += 1 + lengths[s->words[i] & 15];
            continue;
        }
        /* a repeated instruction has two more words behind its slots: addresses lie above 4 MiB,
         * iterations and flags below */
        i += 2 + s->words[i + 1];
        while (i < s->n_words && s->words[i] < 0x400000)
            i++;
    }
    return NULL;
}

static void expect_noted_addresses(const char *program, const sequence *s)
{
    pie_buf file = {0};
    assert_int_equal(pie_file_read(program, 1 << 24, &pie_log_stderr, &file), PIE_OK);
    Elf64_Ehdr header;
    memcpy(&header, file.data, sizeof header);
    size_t n_checked = 0;
    for (size_t i = 0; i < header.e_shnum; i++) {
        Elf64_Shdr section, names;
        memcpy(&section, file.data + header.e_shoff + i * sizeof section, sizeof section);
        memcpy(&names, file.data + header.e_shoff + header.e_shstrndx * sizeof names, sizeof names);
        if (strcmp(file.data + names.sh_offset + section.sh_name, ".expect") != 0)
            continue;
        const size_t n = section.sh_size / 8;
        uint64_t *words = malloc(section.sh_size + 8);
        assert_non_null(words);
        memcpy(words, file.data + section.sh_offset, section.sh_size);
        size_t n_noted;
        for (size_t at = 0; at + 2 <= n; at += 2 + n_noted, n_checked++) {
            const uint64_t *got = first_execution(s, words[at]);
            const unsigned long address = (unsigned long)words[at];
            const size_t n_slots = words[at + 1] & UINT32_MAX;
            n_noted = n_slots + (words[at + 1] >> 32 ? 2 : 0); /* iterations and flags */
            if (!got)
                fail_msg("%s: the instruction at %#lx never ran", program, address);
            if (got[0] != n_slots)
                fail_msg("%s: the instruction at %#lx has %lu words, not %zu", program, address,
                         (unsigned long)got[0], n_slots);
            for (size_t k = 0; k < n_noted; k++)
                if (got[1 + k] != words[at + 2 + k])
                    fail_msg("%s: the instruction at %#lx, word %zu is %#lx, not %#lx", program,
                             address, k, (unsigned long)got[1 + k],
                             (unsigned long)words[at + 2 + k]);
        }
        free(words);
    }
    if (n_checked)
        print_message("    %zu instructions have the addresses they noted\n", n_checked);
    pie_buf_free(&file);
}

static void assembly_guests_agree_with_every_witness(void **state)
{
    (void)state;
    uint64_t *addresses = malloc(MAX_KEPT * sizeof *addresses);
    assert_non_null(addresses);
    for (size_t i = 0; i < sizeof guests / sizeof *guests; i++) {
        static const char input[] = "some words of input\n";
        sequence blocks, single;
        pie_guest_result result, single_result;
        size_t n;
        char *program = assemble(guests[i]);
        trace_program(program, input, false, &blocks, &result);
        trace_program(program, input, true, &single, &single_result);
        print_message("  %s: %lu instructions, %lu cuts, %lu repeated\n", guests[i],
                      (unsigned long)blocks.n_insns, (unsigned long)blocks.n_cuts,
                      (unsigned long)blocks.n_reps);
        same_sequence(&blocks, &single);
        expect_noted_addresses(program, &blocks);

        const int status = step_natively(program, input, addresses, &n);
        assert_int_equal(status, result.signal ? 128 + result.signal : result.exit_status);
        for (size_t k = 0; k < n && k < blocks.n_addresses; k++)
            if (addresses[k] != blocks.addresses[k])
                fail_msg("instruction %zu: natively %#lx, in the trace %#lx", k,
                         (unsigned long)addresses[k], (unsigned long)blocks.addresses[k]);
        assert_int_equal(n, result.instructions);
        if (strncmp(guests[i], "fatal_", 6) != 0 && strcmp(guests[i], "system") != 0)
            assert_int_equal(result.verdict, PIE_VERDICT_PASSED);

        pie_guest_result_free(&result);
        pie_guest_result_free(&single_result);
        sequence_end(&blocks);
        sequence_end(&single);
        free(program);
    }
    free(addresses);
}

/* ---- programs of compilers ------------------------------------------------------------------ */

static const struct {
    const char *name, *source, *compiler, *flags[6];
} programs[] = {
    {"hello", "hello.cpp", "g++", {"-O2", "-static"}},
    {"sort", "sort.c", "gcc", {"-O3", "-static"}},
    {"sort_pie", "sort.c", "gcc", {"-O0", "-static-pie"}},
    {"sort_dynamic", "sort.c", "gcc", {"-O2"}},
    {"exceptions", "exceptions.cpp", "g++", {"-O2", "-static-pie"}},
    {"simd", "simd.c", "gcc", {"-O3", "-mavx2", "-mfma", "-ffast-math", "-static"}},
};

static void native_output(const char *program, const char *input, pie_buf *output)
{
    const int in = pie_memfd("input", input, strlen(input), false),
              out = pie_memfd("output", NULL, 0, true);
    const pid_t pid = fork();
    if (pid == 0) {
        dup2(in, 0);
        dup2(out, 1);
        execl(program, "program", (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    lseek(out, 0, SEEK_SET);
    assert_int_equal(pie_file_read_fd(out, "output", 1 << 20, &pie_log_stderr, output), PIE_OK);
    close(in);
    close(out);
}

static void compiled_programs_agree_with_single_steps_and_native_output(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        static const char input[] = "the quick brown fox\n";
        sequence blocks, single;
        pie_guest_result result, single_result;
        pie_buf output = {0};
        char *source = pie_strf("%s/tests/integration/guests/%s", PIE_SOURCE, programs[i].source);
        char *program =
            support_compile(programs[i].compiler, source, programs[i].name, programs[i].flags);
        trace_program(program, input, false, &blocks, &result);
        trace_program(program, input, true, &single, &single_result);
        print_message("  %s: %lu instructions, %lu before its input, %zu blocks\n",
                      programs[i].name, (unsigned long)result.instructions,
                      (unsigned long)result.startup_instructions, blocks.n_blocks);
        same_sequence(&blocks, &single);
        assert_int_equal(result.verdict, PIE_VERDICT_PASSED);
        native_output(program, input, &output);
        assert_string_equal(pie_buf_text(&result.output), pie_buf_text(&output));
        pie_buf_free(&output);
        pie_guest_result_free(&result);
        pie_guest_result_free(&single_result);
        sequence_end(&blocks);
        sequence_end(&single);
        free(program);
        free(source);
    }
}

static void two_runs_give_identical_streams(void **state)
{
    (void)state;
    static const struct {
        const char *source, *flags[4];
    } cases[] = {{"hello.cpp", {"-O2", "-static"}}, {"hello.cpp", {"-O2"}}};
    for (size_t i = 0; i < 2; i++) {
        char *source = pie_strf("%s/tests/integration/guests/%s", PIE_SOURCE, cases[i].source);
        char *program = support_compile("g++", source, "twice", cases[i].flags);
        uint64_t hash = 0;
        for (int k = 0; k < 3; k++) {
            sequence s;
            pie_guest_result result;
            trace_program(program, "a b c", false, &s, &result);
            if (k > 0)
                assert_true(s.raw_hash == hash);
            hash = s.raw_hash;
            setenv("PIE_TEST_NOISE", "the environment does not reach the guest", 1);
            pie_guest_result_free(&result);
            sequence_end(&s);
        }
        unsetenv("PIE_TEST_NOISE");
        free(program);
        free(source);
    }
}

int main(void)
{
    if (!sandbox_works_here())
        return TEST_SKIPPED;
    if (!pie_guest_engine_version(&pie_log_stderr)) {
        puts("skipped: qemu-x86_64 is not installed");
        return TEST_SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(assembly_guests_agree_with_every_witness),
        cmocka_unit_test(compiled_programs_agree_with_single_steps_and_native_output),
        cmocka_unit_test(two_runs_give_identical_streams),
    };
    return cmocka_run_group_tests(tests, support_begin, support_end);
}
