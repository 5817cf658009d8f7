/* test_guest.c - every end that a guest can come to, every limit, and what it sees of the world. */
#include "guest_support.h"
#include "sandbox_here.h"

#include "pie/trace.h"

#include <elf.h>
#include <signal.h>
#include <sys/syscall.h>

static const char *const static_flags[] = {"-O1", "-static", "-w", NULL};
static const char *const asm_flags[] = {"-nostdlib", "-static", "-Wl,-z,noexecstack",
                                        "-I" PIE_SOURCE "/tests/integration/asm", NULL};

/* ---- sinks ---------------------------------------------------------------------------------- */

typedef struct counter {
    uint64_t n_insns, n_events[16], n_batches, touched_bytes, mapped_bytes, unmapped_bytes;
    uint64_t last_cut;
    uint16_t n_in_block[1 << 16];
    int32_t want; /* answered once @n_insns passes @after */
    uint64_t after;
    pie_status status; /* answered likewise */
} counter;

static pie_status count(void *context, const uint64_t *words, size_t n_words, int32_t *ret_want)
{
    counter *c = context;
    c->n_batches++;
    for (size_t i = 0; i < n_words; i += pie_record_words(words[i])) {
        const uint64_t *record = words + i;
        const uint32_t argument = pie_record_argument(*record);
        switch (pie_record_kind(*record)) {
        case PIE_RECORD_DESCRIBE:
            c->n_in_block[argument & 0xffff] =
                ((const pie_block *)(const void *)(record + 1))->n_insns;
            break;
        case PIE_RECORD_BLOCK:
            c->n_insns += c->n_in_block[argument & 0xffff];
            break;
        case PIE_RECORD_CUT:
            c->n_insns += record[1];
            c->last_cut = record[1];
            break;
        case PIE_RECORD_REP:
            c->n_insns++;
            break;
        default:
            c->n_events[argument & 15]++;
            if (argument == PIE_EVENT_FIRST_TOUCH)
                c->touched_bytes += record[2];
            if (argument == PIE_EVENT_MAP)
                c->mapped_bytes += record[2];
            if (argument == PIE_EVENT_UNMAP)
                c->unmapped_bytes += record[2];
            break;
        }
    }
    if (c->n_insns >= c->after) {
        *ret_want = c->want;
        return c->status;
    }
    return PIE_OK;
}

static void run_program(const char *program, const char *input, const pie_guest_limits *limits,
                        counter *c, pie_guest_result *result)
{
    const pie_trace_sink sink = {c, count};
    const pie_guest_spec spec = {.input = input,
                                 .input_bytes = strlen(input),
                                 .limits = limits ? *limits : support_limits,
                                 .sink = c ? &sink : NULL};
    assert_int_equal(support_run(program, &spec, result), PIE_OK);
}

/* Compile and run, traced, then untraced: both must come to the same end. */
static void run_text(const char *text, const char *input, const pie_guest_limits *limits,
                     pie_guest_result *result)
{
    char *program = support_compile_text(text, "guest", static_flags);
    counter *c = calloc(1, sizeof *c);
    assert_non_null(c);
    pie_guest_result untraced;
    run_program(program, input, limits, c, result);
    run_program(program, input, limits, NULL, &untraced);
    if (result->verdict != PIE_VERDICT_INFRA_ERROR)
        assert_int_equal(c->n_insns, result->instructions);
    assert_int_equal(untraced.verdict, result->verdict);
    assert_int_equal(untraced.instructions, result->instructions);
    assert_int_equal(untraced.startup_instructions, result->startup_instructions);
    assert_int_equal(untraced.branches, result->branches);
    assert_int_equal(untraced.syscalls, result->syscalls);
    assert_int_equal(untraced.peak_bytes, result->peak_bytes);
    assert_string_equal(pie_buf_text(&untraced.output), pie_buf_text(&result->output));
    assert_string_equal(untraced.reason, result->reason);
    assert_string_equal(untraced.function, result->function);
    pie_guest_result_free(&untraced);
    free(c);
    free(program);
}

#define INCLUDES                                                                          \
    "#define _GNU_SOURCE\n#include <errno.h>\n#include <fcntl.h>\n#include <pthread.h>\n" \
    "#include <signal.h>\n#include <stdint.h>\n#include <stdio.h>\n#include <stdlib.h>\n" \
    "#include <string.h>\n#include <sys/mman.h>\n#include <sys/random.h>\n"               \
    "#include <sys/resource.h>\n#include <sys/socket.h>\n#include <sys/stat.h>\n"         \
    "#include <sys/syscall.h>\n#include <sys/sysinfo.h>\n#include <sys/utsname.h>\n"      \
    "#include <sys/wait.h>\n#include <time.h>\n#include <sched.h>\n#include <unistd.h>\n" \
    "#include <x86intrin.h>\n"
#define MAIN(body) INCLUDES "int main(int argc, char **argv)\n{\n" body "\n return 0;\n}\n"

/* ---- verdicts ------------------------------------------------------------------------------- */

static void every_end_has_its_verdict(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *output;
        int32_t verdict;
        int exit_status, sig;
        int64_t syscall_number;
    } cases[] = {
        {"returns 0", MAIN("puts(\"fine\");"), "fine\n", PIE_VERDICT_PASSED, 0, 0, -1},
        {"exit status", MAIN("puts(\"x\"); exit(3);"), "x\n", PIE_VERDICT_RUNTIME_ERROR, 3, 0, -1},
        {"_exit loses buffers", MAIN("printf(\"lost\"); _exit(0);"), "", PIE_VERDICT_PASSED, 0, 0,
         -1},
        {"abort", MAIN("puts(\"a\"); fflush(stdout); abort();"), "a\n", PIE_VERDICT_RUNTIME_ERROR,
         0, SIGABRT, -1},
        {"raise", MAIN("raise(SIGTERM);"), "", PIE_VERDICT_RUNTIME_ERROR, 0, SIGTERM, -1},
        {"null pointer", MAIN("*(volatile int *)0 = 1;"), "", PIE_VERDICT_RUNTIME_ERROR, 0, SIGSEGV,
         -1},
        {"wild jump", MAIN("((void (*)(void))64)();"), "", PIE_VERDICT_RUNTIME_ERROR, 0, SIGSEGV,
         -1},
        {"division by zero", MAIN("volatile int z = 0; return 77 / z;"), "",
         PIE_VERDICT_RUNTIME_ERROR, 0, SIGFPE, -1},
        {"illegal instruction", MAIN("__asm__ volatile(\"ud2\");"), "", PIE_VERDICT_RUNTIME_ERROR,
         0, SIGILL, -1},
        {"AVX-512", MAIN("__asm__ volatile(\"vpxorq %zmm0, %zmm0, %zmm0\");"), "",
         PIE_VERDICT_RUNTIME_ERROR, 0, SIGILL, -1},
        {"breakpoint", MAIN("__asm__ volatile(\"int3\");"), "", PIE_VERDICT_RUNTIME_ERROR, 0,
         SIGTRAP, -1},
        {"stack overflow",
         INCLUDES "int f(volatile char *p) { volatile char a[4096]; a[0] = *p; return f(a) + "
                  "a[1]; }\nint main() { char c = 1; return f(&c); }",
         "", PIE_VERDICT_RUNTIME_ERROR, 0, SIGSEGV, -1},
        {"fork", MAIN("return fork() < 0;"), "", PIE_VERDICT_FORBIDDEN_SYSCALL, 0, 0, SYS_clone},
        {"thread",
         INCLUDES "void *f(void *p) { return p; }\nint main() { pthread_t t; return "
                  "pthread_create(&t, 0, f, 0); }",
         "", PIE_VERDICT_FORBIDDEN_SYSCALL, 0, 0, SYS_clone3},
        {"execve", MAIN("execl(\"/bin/true\", \"true\", (char *)0);"), "",
         PIE_VERDICT_FORBIDDEN_SYSCALL, 0, 0, SYS_execve},
        {"socket", MAIN("return socket(AF_INET, SOCK_STREAM, 0) < 0;"), "",
         PIE_VERDICT_FORBIDDEN_SYSCALL, 0, 0, SYS_socket},
        {"kill another", MAIN("return kill(1, SIGKILL) < 0;"), "", PIE_VERDICT_FORBIDDEN_SYSCALL, 0,
         0, SYS_kill},
        {"kill the group", MAIN("return kill(-1, SIGKILL) < 0;"), "", PIE_VERDICT_FORBIDDEN_SYSCALL,
         0, 0, SYS_kill},
        {"ptrace", MAIN("return syscall(SYS_ptrace, 0, 0, 0, 0) < 0;"), "",
         PIE_VERDICT_FORBIDDEN_SYSCALL, 0, 0, SYS_ptrace},
        {"store into the host", MAIN("*(volatile int *)0x7fff00000000 = 1;"), "",
         PIE_VERDICT_TAMPERING, 0, 0, -1},
        {"map over the host",
         MAIN("mmap((void *)0x7fff00000000, 4096, 3, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0);"),
         "", PIE_VERDICT_TAMPERING, 0, 0, -1},
        {"unmap the host", MAIN("munmap((void *)0x555555554000, 4096);"), "", PIE_VERDICT_TAMPERING,
         0, 0, -1},
        {"wait for nobody",
         MAIN("pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER; pthread_mutex_lock(&m); "
              "pthread_mutex_lock(&m);"),
         "", PIE_VERDICT_INSTRUCTION_LIMIT, 0, 0, -1},
        {"pause", MAIN("pause();"), "", PIE_VERDICT_INSTRUCTION_LIMIT, 0, 0, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pie_guest_result result;
        run_text(cases[i].text, "", NULL, &result);
        print_message("  %s: %s\n", cases[i].name, result.reason);
        assert_int_equal(result.verdict, cases[i].verdict);
        assert_int_equal(result.exit_status, cases[i].exit_status);
        assert_int_equal(result.signal, cases[i].sig);
        assert_int_equal(result.syscall_number, cases[i].syscall_number);
        assert_string_equal(pie_buf_text(&result.output), cases[i].output);
        assert_string_equal(pie_buf_text(&result.error_output), "");
        assert_int_equal(result.verdict == PIE_VERDICT_PASSED, result.reason[0] == '\0');
        pie_guest_result_free(&result);
    }
}

/* Above the guest's addresses lies qemu's memory, somewhere: the verdict is the same whether the
 * access hit it or nothing. Addresses of which nobody has memory are plain faults. */
static void an_access_above_the_guest_is_tampering(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        int32_t verdict;
    } cases[] = {{"0x7fff00000000", PIE_VERDICT_TAMPERING},
                 {"0x8000000000", PIE_VERDICT_TAMPERING},
                 {"0x555555554000", PIE_VERDICT_TAMPERING},
                 {"0x7ffffffff000 - 8", PIE_VERDICT_TAMPERING},
                 {"0x7fffffffff", PIE_VERDICT_RUNTIME_ERROR},
                 {"0x123456789abcdef0", PIE_VERDICT_RUNTIME_ERROR},
                 {"-8l", PIE_VERDICT_RUNTIME_ERROR}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int store = 0; store < 2; store++) {
            char *text = pie_strf(MAIN("volatile long *p = (volatile long *)(%s); %s;"),
                                  cases[i].address, store ? "*p = 1" : "return *p == 5");
            pie_guest_result result;
            run_text(text, "", NULL, &result);
            print_message("  %s at %s: %s\n", store ? "store" : "load", cases[i].address,
                          result.reason);
            assert_int_equal(result.verdict, cases[i].verdict);
            pie_guest_result_free(&result);
            free(text);
        }
    }
}

static void the_function_that_died_is_named(void **state)
{
    (void)state;
    pie_guest_result result;
    run_text(INCLUDES "__attribute__((noinline)) int culprit(volatile int *p) { return *p; }\n"
                      "int main() { return culprit((int *)8); }",
             "", NULL, &result);
    assert_string_equal(result.function, "culprit");
    pie_guest_result_free(&result);
}

/* ---- limits --------------------------------------------------------------------------------- */

static void the_instruction_limit_is_exact(void **state)
{
    (void)state;
    static const char *const guests[] = {"string", "branches", "stack", "faults"};
    for (size_t g = 0; g < sizeof guests / sizeof *guests; g++) {
        char *source = pie_strf("%s/tests/integration/asm/%s.S", PIE_SOURCE, guests[g]);
        char *program = support_compile("gcc", source, guests[g], asm_flags);
        counter *c = calloc(1, sizeof *c);
        assert_non_null(c);
        pie_guest_result result;
        run_program(program, "", NULL, c, &result);
        const uint64_t total = result.instructions;
        assert_int_equal(result.verdict, PIE_VERDICT_PASSED);
        pie_guest_result_free(&result);
        for (uint64_t limit = 1; limit <= total + 1;
             limit += limit < 12 || limit + 2 > total ? 1 : 7) {
            pie_guest_limits limits = support_limits;
            limits.instructions = limit;
            for (int traced = 0; traced < 2; traced++) {
                memset(c, 0, sizeof *c);
                run_program(program, "", &limits, traced ? c : NULL, &result);
                if (limit < total) {
                    assert_int_equal(result.verdict, PIE_VERDICT_INSTRUCTION_LIMIT);
                    assert_int_equal(result.instructions, limit);
                } else {
                    assert_int_equal(result.verdict, PIE_VERDICT_PASSED);
                    assert_int_equal(result.instructions, total);
                }
                if (traced) {
                    assert_int_equal(c->n_insns, result.instructions);
                    assert_int_equal(c->n_events[PIE_EVENT_END], limit >= total);
                }
                pie_guest_result_free(&result);
            }
        }
        free(c);
        free(program);
        free(source);
    }
}

static void an_endless_loop_ends_at_the_limit(void **state)
{
    (void)state;
    pie_guest_limits limits = support_limits;
    pie_guest_result result;
    limits.instructions = 50000000;
    run_text(MAIN("puts(\"begins\"); fflush(stdout); for (;;) __asm__ volatile(\"\");"), "",
             &limits, &result);
    assert_int_equal(result.verdict, PIE_VERDICT_INSTRUCTION_LIMIT);
    assert_int_equal(result.instructions, limits.instructions);
    assert_string_equal(pie_buf_text(&result.output), "begins\n");
    pie_guest_result_free(&result);

    /* endless by repeated string instructions, which count as one each */
    limits.instructions = 20000000;
    run_text(MAIN("static char b[1 << 20]; for (;;) { void *p = b; long n = sizeof b;"
                  " __asm__ volatile(\"rep stosb\" : \"+D\"(p), \"+c\"(n) : \"a\"(0) : "
                  "\"memory\"); }"),
             "", &limits, &result);
    assert_int_equal(result.verdict, PIE_VERDICT_INSTRUCTION_LIMIT);
    assert_true(result.instructions < 100000);
    pie_guest_result_free(&result);
}

static void output_is_limited_and_kept_to_the_limit(void **state)
{
    (void)state;
    pie_guest_limits limits = support_limits;
    pie_guest_result result;
    limits.output_bytes = 10000;
    run_text(MAIN("for (;;) puts(\"0123456789\");"), "", &limits, &result);
    assert_int_equal(result.verdict, PIE_VERDICT_OUTPUT_LIMIT);
    assert_int_equal(result.output.n, 10000);
    pie_guest_result_free(&result);

    run_text(MAIN("char b[10000]; memset(b, 'x', 10000); return write(1, b, 10000) != 10000;"), "",
             &limits, &result);
    assert_int_equal(result.verdict, PIE_VERDICT_PASSED);
    assert_int_equal(result.output.n, 10000);
    pie_guest_result_free(&result);

    run_text(MAIN("char b[10000]; memset(b, 'x', 10000); write(1, b, 5000); write(2, b, 5001);"),
             "", &limits, &result);
    assert_int_equal(result.verdict, PIE_VERDICT_OUTPUT_LIMIT);
    assert_int_equal(result.output.n, 5000);
    assert_int_equal(result.error_output.n, 5001);
    pie_guest_result_free(&result);

    run_text(
        MAIN("static char b[100000]; struct { void *p; long n; } v[2] = {{b, 100000}, {b, "
             "1}}; syscall(SYS_writev, 1, v, 2); puts(\"more\"); fflush(stdout); puts(\"x\");"),
        "", &limits, &result);
    assert_int_equal(result.verdict, PIE_VERDICT_OUTPUT_LIMIT);
    assert_int_equal(result.output.n, 10000);
    pie_guest_result_free(&result);
}

static void memory_is_limited_the_same_way_each_time(void **state)
{
    (void)state;
    pie_guest_limits limits = support_limits;
    pie_guest_result first, second;
    limits.memory_bytes = 32 << 20;
    const char *text = MAIN("int n = 0; while (malloc(100000)) n++; printf(\"%d\\n\", n); "
                            "return n < 200;");
    run_text(text, "", &limits, &first);
    run_text(text, "", &limits, &second);
    assert_int_equal(first.verdict, PIE_VERDICT_PASSED); /* it coped */
    assert_true(first.peak_bytes <= limits.memory_bytes);
    assert_true(first.peak_bytes > limits.memory_bytes - (1 << 20));
    assert_int_equal(first.instructions, second.instructions);
    assert_string_equal(pie_buf_text(&first.output), pie_buf_text(&second.output));
    pie_guest_result_free(&first);
    pie_guest_result_free(&second);

    run_text(MAIN("for (;;) memset(malloc(1 << 20), 1, 1 << 20);"), "", &limits, &first);
    assert_int_equal(first.verdict, PIE_VERDICT_MEMORY_LIMIT);
    pie_guest_result_free(&first);
    run_text(MAIN("char *p = mmap(0, 1ul << 40, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);"
                  " return p == MAP_FAILED ? 5 : 0;"),
             "", &limits, &first);
    assert_int_equal(first.verdict, PIE_VERDICT_MEMORY_LIMIT);
    pie_guest_result_free(&first);
    run_text(MAIN("char *p = malloc(1 << 20); for (long n = 1 << 20;; n *= 2) if (!(p = realloc(p, "
                  "n))) return 1;"),
             "", &limits, &first);
    assert_int_equal(first.verdict, PIE_VERDICT_MEMORY_LIMIT);
    pie_guest_result_free(&first);
    run_text(MAIN("for (int i = 0; i < 2000; i++) { void *p = mmap(0, 8 << 20, 3, "
                  "MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); if (p == MAP_FAILED) return 1; "
                  "munmap(p, 8 << 20); }"),
             "", &limits, &first);
    assert_int_equal(first.verdict, PIE_VERDICT_PASSED);
    assert_true(first.peak_bytes < 10 << 20);
    pie_guest_result_free(&first);
}

static void the_stack_is_as_large_as_asked(void **state)
{
    (void)state;
    const char *text =
        INCLUDES "int f(int n, char *p) { volatile char a[1000]; a[0] = *p; return n "
                 "? f(n - 1, (char *)a) + a[0] : 0; }\nint main() { char c = 0; "
                 "return f(20000, &c); }";
    pie_guest_limits limits = support_limits;
    pie_guest_result result;
    limits.stack_bytes = 64 << 20;
    run_text(text, "", &limits, &result);
    assert_int_equal(result.verdict, PIE_VERDICT_PASSED);
    pie_guest_result_free(&result);
    limits.stack_bytes = 4 << 20;
    run_text(text, "", &limits, &result);
    assert_int_equal(result.verdict, PIE_VERDICT_RUNTIME_ERROR);
    assert_int_equal(result.signal, SIGSEGV);
    pie_guest_result_free(&result);
}

/* ---- input, output, environment ------------------------------------------------------------- */

static void input_can_be_read_in_every_way(void **state)
{
    (void)state;
    static const char *const texts[] = {
        MAIN("int a, b; if (scanf(\"%d %d\", &a, &b) != 2) return 1; printf(\"%d\\n\", a + b);"),
        MAIN("char t[64] = {0}; int n = read(0, t, 63); int a = atoi(t); printf(\"%d\\n\", a + "
             "atoi(strchr(t, ' ')));"),
        MAIN("struct stat s; fstat(0, &s); char *p = mmap(0, s.st_size, PROT_READ, MAP_PRIVATE, 0, "
             "0); if (p == MAP_FAILED) return 1; printf(\"%d\\n\", atoi(p) + atoi(strchr(p, ' "
             "')));"),
        MAIN("struct stat s; fstat(0, &s); char *p = mmap(0, s.st_size, PROT_READ | PROT_WRITE, "
             "MAP_PRIVATE, 0, 0); if (p == MAP_FAILED) return 1; *strchr(p, ' ') = 0; "
             "printf(\"%d\\n\", atoi(p) + atoi(p + strlen(p) + 1));"),
        MAIN("char t[64]; fgets(t, 64, stdin); rewind(stdin); int a, b; scanf(\"%d%d\", &a, &b); "
             "printf(\"%d\\n\", a + b);"),
        MAIN(
            "fseek(stdin, 0, SEEK_END); long n = ftell(stdin); rewind(stdin); char *t = "
            "calloc(n + 1, 1); fread(t, 1, n, stdin); printf(\"%d\\n\", atoi(t) + atoi(strchr(t, ' "
            "')));")};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        pie_guest_result result;
        run_text(texts[i], "40 2\n", NULL, &result);
        assert_int_equal(result.verdict, PIE_VERDICT_PASSED);
        assert_string_equal(pie_buf_text(&result.output), "42\n");
        assert_true(result.startup_instructions < result.instructions);
        pie_guest_result_free(&result);
    }
    pie_guest_result result;
    run_text(MAIN("puts(\"asks for nothing\");"), "unread", NULL, &result);
    assert_int_equal(result.startup_instructions, result.instructions);
    assert_int_equal(result.write_calls, 1);
    pie_guest_result_free(&result);
}

static void closed_streams_and_other_descriptors_fail(void **state)
{
    (void)state;
    pie_guest_result result;
    run_text(
        MAIN("char c; struct stat s;"
             " close(0); if (read(0, &c, 1) != -1 || errno != EBADF) return 1;"
             " if (fstat(0, &s) != -1 || errno != EBADF) return 2;"
             " for (int fd = 3; fd < 64; fd++) if (read(fd, &c, 1) != -1 || write(fd, &c, 1) != "
             "-1 || fstat(fd, &s) != -1) return 3;"
             " if (dup(1) != -1 || dup2(1, 5) != -1) return 4;"
             " if (write(0, &c, 1) != -1) return 5;"
             " if (open(\"/etc/passwd\", O_RDONLY) != -1 || fopen(\"out.txt\", \"w\")) return 6;"
             " if (readlink(\"/proc/self/exe\", &c, 1) != -1) return 7;"
             " if (unlink(\"/tmp/x\") != -1 || mkdir(\"/tmp/y\", 0700) != -1) return 8;"
             " close(1); if (write(1, \"x\", 1) != -1) return 9;"),
        "input", NULL, &result);
    assert_int_equal(result.exit_status, 0);
    assert_int_equal(result.verdict, PIE_VERDICT_PASSED);
    assert_int_equal(result.output.n, 0);
    pie_guest_result_free(&result);
}

/* Every value here is listed in docs/internals/guest-environment.md; to change one is to change
 * PIE_GUEST_ENVIRONMENT. */
static void the_environment_is_fixed(void **state)
{
    (void)state;
    extern char **environ;
    pie_guest_result result;
    setenv("PIE_LEAK", "yes", 1);
    run_text(
        INCLUDES
        "#include <sys/auxv.h>\nextern char **environ;\n"
        "int main(int argc, char **argv) {\n"
        " struct utsname u; uname(&u);\n"
        " printf(\"%s %s %s %s %s\\n\", u.sysname, u.nodename, u.release, u.version, u.machine);\n"
        " printf(\"%d %d %d %d\\n\", (int)getpid(), (int)getppid(), (int)getuid(), "
        "(int)syscall(SYS_gettid));\n"
        " printf(\"%s %s\\n\", argv[0], environ[0] ? environ[0] : \"no environment\");\n"
        " printf(\"%s\\n\", (char *)getauxval(AT_EXECFN));\n"
        " struct timespec t; clock_gettime(CLOCK_REALTIME, &t); printf(\"%ld\\n\", t.tv_sec);\n"
        " printf(\"%ld\\n\", (long)time(0));\n"
        " struct timespec a, b; clock_gettime(CLOCK_MONOTONIC, &a); sleep(3); "
        "clock_gettime(CLOCK_MONOTONIC, &b); printf(\"slept %ld\\n\", (b.tv_sec - a.tv_sec));\n"
        " unsigned long c = __rdtsc(); for (volatile int i = 0; i < 1000; i++); c = __rdtsc() - c; "
        "printf(\"%d\\n\", c > 3000 && c < 9000);\n"
        " unsigned char r[4]; getrandom(r, 4, 0); printf(\"%02x%02x%02x%02x\\n\", r[0], r[1], "
        "r[2], "
        "r[3]);\n"
        " cpu_set_t set; sched_getaffinity(0, sizeof set, &set); printf(\"%d cpus %ld\\n\", "
        "CPU_COUNT(&set), sysconf(_SC_NPROCESSORS_ONLN));\n"
        " struct rlimit l; getrlimit(RLIMIT_STACK, &l); printf(\"stack %lu\\n\", "
        "(long)l.rlim_cur);\n"
        " struct stat s; fstat(0, &s); printf(\"%o %ld %ld %ld %ld\\n\", s.st_mode, "
        "(long)s.st_size, "
        "(long)s.st_ino, (long)s.st_dev, (long)s.st_blksize);\n"
        " fstat(1, &s); printf(\"%o %ld %ld\\n\", s.st_mode, (long)s.st_size, (long)s.st_mtime);\n"
        " struct sysinfo i; sysinfo(&i); printf(\"%lu %lu\\n\", (long)i.totalram, "
        "(long)i.uptime);\n"
        " printf(\"%d\\n\", (int)isatty(1));\n"
        " unsigned x, y, z, w = 0; __asm__(\"cpuid\" : \"=a\"(x), \"=b\"(y), \"=c\"(z), \"=d\"(w) "
        ": "
        "\"a\"(1), \"c\"(0)); printf(\"%x\\n\", x);\n"
        " return 0; }\n",
        "12345", NULL, &result);
    assert_int_equal(result.verdict, PIE_VERDICT_PASSED);
    assert_string_equal(pie_buf_text(&result.output), "Linux pie 5.10.0 #1 SMP x86_64\n"
                                                      "1000 1 1000 1000\n"
                                                      "program no environment\n"
                                                      "/proc/self/fd/5\n"
                                                      "1704067200\n"
                                                      "1704067200\n"
                                                      "slept 3\n"
                                                      "1\n"
                                                      "67ec8e65\n"
                                                      "1 cpus 1\n"
                                                      "stack 8388608\n"
                                                      "100600 5 0 0 4096\n"
                                                      "100600 0 0\n"
                                                      "8589934592 0\n"
                                                      "0\n"
                                                      "506e3\n");
    unsetenv("PIE_LEAK");
    pie_guest_result_free(&result);
}

static void arguments_reach_the_program(void **state)
{
    (void)state;
    char *program = support_compile_text(
        MAIN("for (int i = 0; i < argc; i++) printf(\"[%s]\", argv[i]);"), "args", static_flags);
    static const char *const args[] = {"one", "two words", "", "-x", NULL};
    const pie_guest_spec spec = {.args = args, .limits = support_limits};
    pie_guest_result result;
    assert_int_equal(support_run(program, &spec, &result), PIE_OK);
    assert_string_equal(pie_buf_text(&result.output), "[program][one][two words][][-x]");
    pie_guest_result_free(&result);
    free(program);
}

static void dynamic_and_position_independent_programs_run(void **state)
{
    (void)state;
    static const char *const flags[][4] = {
        {"-O1", "-w", NULL}, {"-O1", "-w", "-static-pie", NULL}, {"-O1", "-w", "-no-pie", NULL}};
    for (size_t i = 0; i < 3; i++) {
        char *program = support_compile_text(
            MAIN("int n; if (scanf(\"%d\", &n) != 1) return 1; printf(\"%d %d\\n\", n, "
                 "open(\"/etc/passwd\", 0));"),
            "linked", flags[i]);
        pie_guest_result a, b;
        counter *c = calloc(1, sizeof *c);
        assert_non_null(c);
        run_program(program, "7", NULL, c, &a);
        run_program(program, "7", NULL, NULL, &b);
        assert_int_equal(a.verdict, PIE_VERDICT_PASSED);
        assert_string_equal(pie_buf_text(&a.output), "7 -1\n");
        assert_int_equal(a.instructions, b.instructions);
        assert_int_equal(c->n_events[PIE_EVENT_STARTUP_END], 1);
        pie_guest_result_free(&a);
        pie_guest_result_free(&b);
        free(c);
        free(program);
    }
}

static void memory_events_balance(void **state)
{
    (void)state;
    char *source = pie_strf("%s/tests/integration/asm/system.S", PIE_SOURCE);
    char *program = support_compile("gcc", source, "system", asm_flags);
    counter *c = calloc(1, sizeof *c);
    assert_non_null(c);
    pie_guest_result result;
    run_program(program, "hello", NULL, c, &result);
    assert_int_equal(result.exit_status, 5);
    assert_string_equal(pie_buf_text(&result.output), "hello\nhello");
    /* mmap and mremap give 128 KiB in all, which goes; brk gives 10,000 bytes: 3 pages */
    assert_true(c->unmapped_bytes == 131072 + 12288 || c->unmapped_bytes == 65536 + 131072 + 12288);
    assert_int_equal(c->touched_bytes, 5 + 6 + 5);
    assert_int_equal(c->n_events[PIE_EVENT_SYSCALL], result.syscalls);
    pie_guest_result_free(&result);
    free(c);
    free(program);
    free(source);
}

/* ---- the sink's wishes ---------------------------------------------------------------------- */

static void a_sink_can_stop_or_leave_the_guest(void **state)
{
    (void)state;
    char *program = support_compile_text(MAIN("volatile long s = 0; for (long i = 0; i < 3000000; "
                                              "i++) s += i; printf(\"%ld\\n\", s);"),
                                         "long", static_flags);
    counter *c = calloc(1, sizeof *c);
    assert_non_null(c);
    pie_guest_result whole, result;
    c->after = UINT64_MAX;
    run_program(program, "", NULL, c, &whole);
    assert_int_equal(whole.verdict, PIE_VERDICT_PASSED);

    memset(c, 0, sizeof *c);
    c->after = 100000;
    c->want = PIE_SINK_UNTRACED;
    run_program(program, "", NULL, c, &result);
    assert_int_equal(result.verdict, PIE_VERDICT_PASSED);
    assert_int_equal(result.instructions, whole.instructions);
    assert_int_equal(result.branches, whole.branches);
    assert_string_equal(pie_buf_text(&result.output), pie_buf_text(&whole.output));
    assert_true(c->n_insns < whole.instructions / 2);
    pie_guest_result_free(&result);

    memset(c, 0, sizeof *c);
    c->after = 100000;
    c->want = PIE_SINK_STOP;
    run_program(program, "", NULL, c, &result);
    assert_int_equal(result.verdict, PIE_VERDICT_NONE);
    assert_true(c->n_insns < whole.instructions / 2);
    pie_guest_result_free(&result);

    memset(c, 0, sizeof *c);
    c->after = 100000;
    c->status = PIE_ERR_NOMEM;
    const pie_trace_sink sink = {c, count};
    const pie_guest_spec spec = {.limits = support_limits, .sink = &sink};
    assert_int_equal(support_run(program, &spec, &result), PIE_ERR_NOMEM);
    pie_guest_result_free(&whole);
    free(c);
    free(program);
}

/* ---- files that are no programs ------------------------------------------------------------- */

typedef struct lines {
    int n;
    char last[512];
} lines;

static void note(void *context, int32_t level, const char *line)
{
    lines *l = context;
    (void)level;
    l->n++;
    snprintf(l->last, sizeof l->last, "%s", line);
}

static void refuse(const void *bytes, size_t n, const char *expected)
{
    lines l = {0};
    const pie_log log = {note, &l, PIE_LOG_DEBUG};
    pie_guest_result result;
    const pie_guest_spec spec = {.program_fd = pie_memfd("file", bytes, n, false),
                                 .limits = support_limits};
    assert_int_equal(pie_guest_run(&spec, &log, &result), PIE_ERR_DATA);
    close(spec.program_fd);
    assert_int_equal(l.n, 1);
    if (!strstr(l.last, expected))
        fail_msg("\"%s\" is not in \"%s\"", expected, l.last);
}

static void files_that_are_no_programs_are_refused(void **state)
{
    (void)state;
    char *program = support_compile_text(MAIN("puts(\"runs\");"), "image", static_flags);
    pie_buf image = {0};
    assert_int_equal(pie_file_read(program, 1 << 26, &pie_log_stderr, &image), PIE_OK);
    Elf64_Ehdr *header = (Elf64_Ehdr *)(void *)image.data;

    refuse("", 0, "not an ELF file");
    refuse("#!/bin/sh\necho hello\n", 21, "not an ELF file");
    refuse(image.data, 40, "not an ELF file");
    header->e_machine = EM_AARCH64;
    refuse(image.data, image.n, "another machine");
    header->e_machine = EM_X86_64;
    header->e_ident[EI_CLASS] = ELFCLASS32;
    refuse(image.data, image.n, "another machine");
    header->e_ident[EI_CLASS] = ELFCLASS64;
    header->e_type = ET_REL;
    refuse(image.data, image.n, "no executable");
    header->e_type = ET_EXEC;

    /* without section headers: runs, but has no names */
    header->e_shoff = 0;
    header->e_shnum = header->e_shstrndx = 0;
    pie_guest_spec spec = {.program_fd = pie_memfd("stripped", image.data, image.n, false),
                           .limits = support_limits};
    pie_guest_result result;
    assert_int_equal(pie_guest_run(&spec, &pie_log_stderr, &result), PIE_OK);
    assert_int_equal(result.verdict, PIE_VERDICT_PASSED);
    assert_string_equal(pie_buf_text(&result.output), "runs\n");
    pie_guest_result_free(&result);
    close(spec.program_fd);

    /* program headers cut off: qemu cannot load it, and says so */
    spec.program_fd = pie_memfd("torn", image.data, sizeof *header, false);
    assert_int_equal(pie_guest_run(&spec, &pie_log_stderr, &result), PIE_OK);
    assert_int_equal(result.verdict, PIE_VERDICT_INFRA_ERROR);
    assert_true(result.reason[0]);
    pie_guest_result_free(&result);
    close(spec.program_fd);
    pie_buf_free(&image);
    free(program);
}

static void without_qemu_the_message_says_how_to_get_it(void **state)
{
    (void)state;
    char *path = strdup(getenv("PATH"));
    lines l = {0};
    const pie_log log = {note, &l, PIE_LOG_DEBUG};
    static const char elf[64] = "x";
    pie_guest_result result;
    const pie_guest_spec spec = {.program_fd = pie_memfd("file", elf, sizeof elf, false)};
    assert_non_null(path);
    setenv("PATH", "/nonexistent", 1);
    const pie_status status = pie_guest_run(&spec, &log, &result);
    setenv("PATH", path, 1);
    assert_int_equal(status, PIE_ERR_UNAVAILABLE);
    assert_int_equal(l.n, 1);
    assert_non_null(strstr(l.last, "apt-get install qemu-user"));
    close(spec.program_fd);
    free(path);
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
        cmocka_unit_test(every_end_has_its_verdict),
        cmocka_unit_test(an_access_above_the_guest_is_tampering),
        cmocka_unit_test(the_function_that_died_is_named),
        cmocka_unit_test(the_instruction_limit_is_exact),
        cmocka_unit_test(an_endless_loop_ends_at_the_limit),
        cmocka_unit_test(output_is_limited_and_kept_to_the_limit),
        cmocka_unit_test(memory_is_limited_the_same_way_each_time),
        cmocka_unit_test(the_stack_is_as_large_as_asked),
        cmocka_unit_test(input_can_be_read_in_every_way),
        cmocka_unit_test(closed_streams_and_other_descriptors_fail),
        cmocka_unit_test(the_environment_is_fixed),
        cmocka_unit_test(arguments_reach_the_program),
        cmocka_unit_test(dynamic_and_position_independent_programs_run),
        cmocka_unit_test(memory_events_balance),
        cmocka_unit_test(a_sink_can_stop_or_leave_the_guest),
        cmocka_unit_test(files_that_are_no_programs_are_refused),
        cmocka_unit_test(without_qemu_the_message_says_how_to_get_it),
    };
    return cmocka_run_group_tests(tests, support_begin, support_end);
}
