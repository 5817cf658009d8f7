/* From source to ELF with the real compilers, sandboxed. */
#include <setjmp.h>
#include <stdarg.h>

#include "build_support.h"
#include "sandbox/landlock.h"
#include "sandbox_here.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

static void open_bench(bench *b, const char *settings, const pie_build_limits *limits)
{
    if (!bench_open(b, settings, limits, NULL, &pie_log_stderr))
        fail_msg("%s: status %d", settings, b->status);
}

static void build(bench *b, const char *language, const char *source, pie_build *ret)
{
    assert_int_equal(
        pie_builder_run(b->builder, source, strlen(source), language, &pie_log_stderr, ret),
        PIE_OK);
}

static void assert_verdict(const pie_build *build, int32_t verdict)
{
    if (build->verdict != verdict)
        fail_msg("verdict %d, wanted %d: %s\n%s", build->verdict, verdict, build->reason,
                 pie_buf_text(&build->messages));
    assert_true((build->elf_fd >= 0) == (verdict == PIE_VERDICT_PASSED));
    assert_true((build->reason[0] != '\0') == (verdict != PIE_VERDICT_PASSED));
    assert_null(strchr(build->reason, '\n'));
}

static void expect(bench *b, const char *language, const char *source, int32_t verdict,
                   const char *reason)
{
    pie_build result;
    build(b, language, source, &result);
    assert_verdict(&result, verdict);
    if (!strstr(result.reason, reason))
        fail_msg("\"%s\" is not in \"%s\"", reason, result.reason);
    assert_null(strstr(pie_buf_text(&result.messages), b->scratch));
    assert_null(strstr(pie_buf_text(&result.messages), "root:"));
    pie_build_free(&result);
}

static void digest_of(bench *b, const char *language, const char *source, char ret[PIE_DIGEST_HEX])
{
    pie_build result;
    build(b, language, source, &result);
    assert_verdict(&result, PIE_VERDICT_PASSED);
    pie_digest_hex(&result.elf, ret);
    pie_build_free(&result);
}

static size_t n_entries(const char *folder, const char *prefix)
{
    size_t n = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (const struct dirent *entry; (entry = readdir(d));)
        n += strncmp(entry->d_name, prefix, strlen(prefix)) == 0 && entry->d_name[0] != '.';
    closedir(d);
    return n;
}

#define HELLO_CXX "#include <cstdio>\nint main() { auto text = \"hello\"; std::puts(text); }\n"
#define HELLO_C \
    "#include <stdio.h>\nint main(void) { int class = 0; puts(\"hello\"); return class; }\n"

/* ---- good programs -------------------------------------------------------------------------- */

static void makes_a_program_that_runs(void **state)
{
    (void)state;
    static const char *const settings[] = {"plugin = \"gcc\";", "plugin = \"clang\";",
                                           "plugin = \"gcc\"; link = \"dynamic\";",
                                           "plugin = \"clang\"; link = \"dynamic\";"};
    for (size_t i = 0; i < 8; i++) {
        bench b;
        pie_build result;
        const bool is_c = i >= 4;
        open_bench(&b, settings[i % 4], NULL);
        build(&b, is_c ? "c" : "c++", is_c ? HELLO_C : HELLO_CXX, &result);
        assert_verdict(&result, PIE_VERDICT_PASSED);
        assert_int_equal(result.messages.n, 0);
        assert_true(result.text_bytes > 50 && result.text_bytes < 4u << 20);
        assert_int_equal(write(result.elf_fd, "x", 1), -1); /* sealed */
        pie_digest again;
        assert_int_equal(pie_digest_fd(result.elf_fd, &again), PIE_OK);
        assert_memory_equal(&again, &result.elf, sizeof again);

        const int out = memfd_create("out", 0);
        const pid_t pid = fork();
        if (pid == 0) {
            dup2(out, 1);
            fexecve(result.elf_fd, (char *[]){"program", NULL}, (char *[]){NULL});
            _exit(99);
        }
        int status = 0;
        char text[7] = "";
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(pread(out, text, 6, 0), 6);
        assert_string_equal(text, "hello\n");
        close(out);
        pie_build_free(&result);
        assert_int_equal(n_entries(b.scratch, "work-"), 0);
        bench_close(&b);
    }
}

static void tells_the_toolchain(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *words[5];
    } cases[] = {
        {"plugin = \"gcc\";", {"g++ (", "GNU assembler", "GNU ld", "libc.a ", "libstdc++.a "}},
        {"plugin = \"gcc\"; link = \"dynamic\";", {"g++ (", "libc.so.6 ", "libstdc++.so.6 "}},
        {"plugin = \"clang\";", {"clang version", "GNU ld", "libc.a ", "libstdc++.a "}},
        {"plugin = \"gcc\"; program_c = \"no-such-c\";", {"g++ (", "no-such-c: absent"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench b;
        open_bench(&b, cases[i].settings, NULL);
        const char *version = pie_builder_version(b.builder);
        for (size_t k = 0; k < 5 && cases[i].words[k]; k++) {
            if (!strstr(version, cases[i].words[k]))
                fail_msg("\"%s\" is not in \"%s\"", cases[i].words[k], version);
        }
        assert_null(strstr(version, "/usr"));
        assert_null(strchr(version, '\n'));
        bench_close(&b);
    }
}

/* ---- bad programs --------------------------------------------------------------------------- */

static void judges_bad_sources(void **state)
{
    (void)state;
    static const struct {
        const char *source, *reason;
    } cases[] = {
        {"int main() { return 0 }\n", "program.cpp:1:22: error: expected ';'"},
        {"int f() { return 0; }\n", "undefined reference to `main'"},
        {"", "undefined reference to `main'"},
        {"int main() { return undeclared; }\n", "'undeclared' was not declared"},
        {"#include \"program.cpp\"\nint main() {}\n", "error: #include nested depth"},
        {"#include <no/such/header>\n", "no/such/header: No such file"},
        {"#error out of memory\n", "program.cpp:1:2: error: #error out of memory"},
        {"asm(\"nonsense %eax\"); int main() {}\n", "no such instruction"},
        {"template <int N> struct T { enum { v = T<N + 1>::v }; };\nint main() { return T<0>::v; "
         "}\n",
         "template instantiation depth"},
    };
    bench b;
    open_bench(&b, "plugin = \"gcc\";", NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(&b, "c++", cases[i].source, PIE_VERDICT_COMPILE_ERROR, cases[i].reason);
    bench_close(&b);
}

static void reads_no_file_of_the_host(void **state)
{
    (void)state;
    if (pie_landlock_version() == 0) {
        print_message("  skipped: this kernel has no Landlock\n");
        skip();
    }
    static const char *const sources[] = {
        "#include \"/etc/passwd\"\nint main() {}\n",
        "#include </dev/zero>\nint main() {}\n",
        "#include \"/dev/random\"\nint main() {}\n",
        "#include \"/proc/self/environ\"\nint main() {}\n",
        "#include \"../../etc/passwd\"\nint main() {}\n",
        "asm(\".incbin \\\"/etc/passwd\\\"\"); int main() {}\n",
        "asm(\".include \\\"/etc/passwd\\\"\"); int main() {}\n",
        "asm(\".incbin \\\"/dev/zero\\\"\"); int main() {}\n",
        "#if __has_include(\"/etc/passwd\")\n#error it is there\n#endif\n#error done\n",
        "#pragma GCC dependency \"/etc/passwd\"\n#error done\n",
        "#pragma GCC pch_preprocess \"/etc/passwd\"\n#error done\n",
    };
    static const char *const settings[] = {"plugin = \"gcc\";", "plugin = \"clang\";"};
    for (size_t s = 0; s < 2; s++) {
        bench b;
        open_bench(&b, settings[s], NULL);
        for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
            pie_build result;
            build(&b, "c++", sources[i], &result);
            if (result.verdict != PIE_VERDICT_COMPILE_ERROR)
                fail_msg("%s: verdict %d: %s", sources[i], result.verdict, result.reason);
            assert_null(strstr(pie_buf_text(&result.messages), "root:"));
            assert_null(strstr(pie_buf_text(&result.messages), "it is there"));
            pie_build_free(&result);
        }
        bench_close(&b);
    }
}

static char *repeat(const char *head, const char *line, size_t n, const char *tail)
{
    pie_buf text = {0};
    assert_int_equal(pie_buf_puts(&text, head), PIE_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(pie_buf_printf(&text, line, i), PIE_OK);
    assert_int_equal(pie_buf_puts(&text, tail), PIE_OK);
    return pie_buf_steal(&text);
}

static void ends_at_its_limits(void **state)
{
    (void)state;
    const pie_build_limits tight = {
        .memory_bytes = 1u << 30, .output_bytes = 64u << 20, .seconds = 2, .processes = 16};
    static const char *const bomb =
        "template <int N, int K> struct B { static const int v = B<N - 1, 2 * K>::v + B<N - 1, 2 * "
        "K "
        "+ 1>::v; };\ntemplate <int K> struct B<0, K> { static const int v = K; };\nint main() { "
        "return B<24, 0>::v; }\n";
    static const struct {
        const char *source, *reason;
    } cases[] = {
        {bomb, "limit"}, /* time or memory, whichever comes first on this machine */
        {"char a[3000000000] = {1};\nint main() { return a[1]; }\n", "limit of a file's size"},
        {"constexpr int f(int n) { int s = 0; for (int i = 0; i < n; i++) for (int j = 0; j < "
         "200000; "
         "j++) s ^= i * j; return s; }\nconstexpr int x = f(100);\nint main() { return x; }\n",
         ""},
    };
    static const char *const settings[] = {
        "plugin = \"gcc\"; flags = [\"-O1\", \"-fconstexpr-ops-limit=2000000000\", "
        "\"-fconstexpr-loop-limit=2000000000\"];",
        "plugin = \"clang\"; flags = [\"-O1\", \"-fconstexpr-steps=2000000000\"];"};
    for (size_t s = 0; s < 2; s++) {
        bench b;
        open_bench(&b, settings[s], &tight);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            pie_build result;
            build(&b, "c++", cases[i].source, &result);
            if (result.verdict != PIE_VERDICT_COMPILE_LIMIT ||
                !strstr(result.reason, cases[i].reason))
                fail_msg("%s: case %zu: verdict %d: %s\n%s", settings[s], i, result.verdict,
                         result.reason, pie_buf_text(&result.messages));
            assert_int_equal(result.messages.n, 0); /* chance where it was cut */
            pie_build_free(&result);
        }
        bench_close(&b);
    }
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void bears_big_sources_and_floods_of_messages(void **state)
{
    (void)state;
    bench b;
    open_bench(&b, "plugin = \"gcc\"; flags = [\"-O1\"];", NULL);
    char *big = repeat("", "int variable_number_%zu = 1; /* a comment to fill the line */\n", 60000,
                       "int main() { return variable_number_7; }\n");
    assert_true(strlen(big) > 3u << 20);
    expect(&b, "c++", big, PIE_VERDICT_PASSED, "");
    free(big);
    bench_close(&b);

    open_bench(&b, "plugin = \"gcc\"; flags = [\"-fmax-errors=0\"];", NULL);
    char *flood =
        repeat("", "int f%zu() { return an_undeclared_name_which_is_quite_long; }\n", 5000, "");
    pie_build result;
    build(&b, "c++", flood, &result);
    assert_verdict(&result, PIE_VERDICT_COMPILE_ERROR);
    assert_true(result.messages.n > 60000 && result.messages.n <= 65536);
    assert_int_equal(result.messages.data[result.messages.n - 1], '\n');
    pie_build_free(&result);
    free(flood);
    bench_close(&b);
}

static void takes_bytes_that_are_no_text(void **state)
{
    (void)state;
    bench b;
    pie_build result;
    open_bench(&b, "plugin = \"gcc\";", NULL);
    static const char bytes[] = "int main() { return 0; }\n\0\377\0";
    assert_int_equal(
        pie_builder_run(b.builder, bytes, sizeof bytes - 1, "c++", &pie_log_stderr, &result),
        PIE_OK);
    assert_true(result.verdict == PIE_VERDICT_PASSED ||
                result.verdict == PIE_VERDICT_COMPILE_ERROR);
    pie_build_free(&result);
    bench_close(&b);
}

/* ---- the same bytes ------------------------------------------------------------------------- */

/* All that might betray folder, machine, user or time. */
static const char *const betrayer =
    "#include <cassert>\n#include <cstdio>\n#include <vector>\n"
    "namespace { struct hidden { hidden() { std::puts(__FILE__ __DATE__ __TIME__ __TIMESTAMP__); } "
    "} global; }\nstatic int counter = __COUNTER__;\n"
    "int main(int n, char **) { assert(n < 5); auto f = [&](int x) { return x + counter; };\n"
    "std::vector<int> v(10, n); return f(v[3]) + (int)sizeof __FILE__; }\n";

static void gives_the_same_bytes_in_any_folder(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "plugin = \"gcc\";",
        "plugin = \"clang\";",
        "plugin = \"gcc\"; link = \"dynamic\";",
        "plugin = \"gcc\"; flags = [\"-O2\", \"-g\"];",
        "plugin = \"clang\"; flags = [\"-O2\", \"-g\"];",
        "plugin = \"gcc\"; flags = [\"-O2\", \"-flto\"];",
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        char first[PIE_DIGEST_HEX], second[PIE_DIGEST_HEX];
        bench a, b;
        open_bench(&a, settings[i], NULL);
        open_bench(&b, settings[i], NULL);
        digest_of(&a, "c++", betrayer, first);
        sleep(i == 0); /* a second later */
        digest_of(&b, "c++", betrayer, second);
        assert_string_equal(first, second);
        digest_of(&b, "c++", betrayer, second);
        assert_string_equal(first, second);
        assert_string_equal(pie_builder_version(a.builder), pie_builder_version(b.builder));
        bench_close(&a);
        bench_close(&b);
    }
}

static void gives_the_same_messages_in_any_folder(void **state)
{
    (void)state;
    static const char *const sources[] = {
        "int f();\nint main() { return f(); }\n", /* the linker speaks */
        "#include <vector>\nint main() { std::vector<int> v; v.nothing(); }\n",
        "asm(\"nonsense\"); int main() {}\n", /* the assembler speaks */
        "#warning just so\nint main() {}\n",
    };
    static const char *const settings[] = {"plugin = \"gcc\";", "plugin = \"clang\";"};
    for (size_t s = 0; s < 2; s++) {
        bench a, b;
        open_bench(&a, settings[s], NULL);
        open_bench(&b, settings[s], NULL);
        for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
            pie_build first, second;
            build(&a, "c++", sources[i], &first);
            build(&b, "c++", sources[i], &second);
            assert_true(first.messages.n > 0);
            assert_string_equal(pie_buf_text(&first.messages), pie_buf_text(&second.messages));
            assert_string_equal(first.reason, second.reason);
            pie_build_free(&first);
            pie_build_free(&second);
        }
        bench_close(&a);
        bench_close(&b);
    }
}

/* As another user, with another host name, environment, umask and limits. */
static void gives_the_same_bytes_to_any_user(void **state)
{
    (void)state;
    char here[PIE_DIGEST_HEX], there[PIE_DIGEST_HEX] = "";
    bench b;
    open_bench(&b, "plugin = \"gcc\";", NULL);
    digest_of(&b, "c++", betrayer, here);
    bench_close(&b);

    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        pie_build result = {.elf_fd = -1};
        if (unshare(CLONE_NEWUTS) == 0)
            (void)!sethostname("elsewhere", 9);
        (void)!setgid(65534);
        (void)!setuid(65534);
        if (access(PIE_BUILD "/plugins/gcc.so", R_OK) != 0)
            _exit(77); /* a build folder that others cannot read */
        setenv("LC_ALL", "de_DE.UTF-8", 1);
        setenv("TZ", "Asia/Tokyo", 1);
        setenv("CPATH", "/tmp", 1);
        setenv("GCC_COLORS", "error=01;31", 1);
        setenv("SOURCE_DATE_EPOCH", "1000000000", 1);
        setenv("COLLECT_GCC_OPTIONS", "-O0", 1);
        umask(0);
        (void)!chdir("/usr");
        if (!bench_open(&b, "plugin = \"gcc\";", NULL, NULL, &pie_log_stderr) ||
            pie_builder_run(b.builder, betrayer, strlen(betrayer), "c++", &pie_log_stderr,
                            &result) != PIE_OK)
            _exit(1);
        pie_digest_hex(&result.elf, there);
        const bool sent = write(pipe_fds[1], there, sizeof there) == sizeof there;
        pie_build_free(&result);
        bench_close(&b);
        _exit(sent ? 0 : 2);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(status, 0);
    assert_int_equal(read(pipe_fds[0], there, sizeof there), sizeof there);
    assert_string_equal(here, there);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void prepares_headers_without_a_trace(void **state)
{
    (void)state;
    static const char *const source =
        "/* first */ // comments\n  #  include <iostream>\n#include "
        "<vector>\n#include <iostream>\nint main() { int n; std::cin >> "
        "n; std::cout << n; }\n";
    char plain[PIE_DIGEST_HEX], other[PIE_DIGEST_HEX];
    bench b;
    open_bench(&b, "plugin = \"gcc\"; pch = false;", NULL);
    for (size_t i = 0; i < 4; i++)
        digest_of(&b, "c++", source, plain);
    assert_int_equal(n_entries(b.scratch, "prepared-"), 0);
    pie_build want;
    static const char *const broken =
        "#include <iostream>\nint main() { std::cout << main << x; }\n";
    build(&b, "c++", broken, &want);
    bench_close(&b);

    open_bench(&b, "plugin = \"gcc\";", NULL);
    for (size_t i = 0; i < 5; i++) {
        digest_of(&b, "c++", source, other);
        assert_string_equal(other, plain);
        assert_int_equal(n_entries(b.scratch, "prepared-") > 0,
                         i >= 2); /* worth it from the third */
    }
    assert_int_equal(n_entries(b.scratch, "prepare-"), 0);
    pie_build got; /* with a header ready, messages are those without */
    build(&b, "c++", broken, &got);
    assert_int_equal(got.verdict, want.verdict);
    assert_string_equal(pie_buf_text(&got.messages), pie_buf_text(&want.messages));
    pie_build_free(&got);
    pie_build_free(&want);

    /* Sources whose start may change the header mean something else with it in front. */
    static const char *const sly[] = {
        "#define _GLIBCXX_ASSERTIONS\n#include <iostream>\n#include <vector>\nint main(int n, char "
        "**) { "
        "std::vector<int> v(3); return v[n]; }\n",
        "#pragma GCC optimize(\"O1\")\n#include <iostream>\nint main() { std::cout << 1; }\n",
        "#define private public\n#include <iostream>\nint main() {}\n",
        "// goes on \\\n#include <iostream>\nint cout; int main() { return cout; }\n",
        "/* *\\\n/ int cout; /* */ \n#include <cstdio>\nint main() { return cout; }\n",
    };
    for (size_t i = 0; i < sizeof sly / sizeof *sly; i++) {
        bench without;
        open_bench(&without, "plugin = \"gcc\"; pch = false;", NULL);
        digest_of(&without, "c++", sly[i], plain);
        digest_of(&b, "c++", sly[i], other);
        assert_string_equal(other, plain);
        bench_close(&without);
    }

    /* A second builder in the same folder finds it ready; a damaged one does no harm. */
    bench second;
    if (!bench_open(&second, "plugin = \"gcc\";", NULL, b.scratch, &pie_log_stderr))
        fail_msg("status %d", second.status);
    digest_of(&second, "c++", source, other);
    digest_of(&b, "c++", source, plain);
    assert_string_equal(other, plain);
    char *command = pie_strf("for f in %s/prepared-*/*.gch; do echo damaged > $f; done", b.scratch);
    const pid_t pid = fork();
    if (pid == 0)
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    digest_of(&second, "c++", source, other);
    assert_string_equal(other, plain);
    free(command);
    bench_close(&second);
    bench_close(&b);
}

/* ---- flags ---------------------------------------------------------------------------------- */

typedef struct collected {
    char text[2048];
} collected;

static void collect(void *context, int32_t level, const char *line)
{
    collected *to = context;
    (void)level;
    const size_t n = strlen(to->text);
    snprintf(to->text + n, sizeof to->text - n, "%s\n", line);
}

static void refuses_flags_that_are_not_the_products(void **state)
{
    (void)state;
    static const char *const refused[] = {"-march=native",
                                          "-mtune=native",
                                          "-mcpu=native",
                                          "native",
                                          "-B/tmp",
                                          "-specs=x",
                                          "--specs=x",
                                          "-wrapper",
                                          "-fplugin=x.so",
                                          "-fplugin-arg-x-y",
                                          "-Wl,-plugin,x.so",
                                          "-Wl,--plugin=x.so",
                                          "-Wl,-z",
                                          "-Wl,",
                                          "-Wl,@x",
                                          "-Wl,-o,x",
                                          "-Wl,-T,x",
                                          "-Wl,-dynamic-linker,/tmp/x",
                                          "-Wl,--build-id=uuid",
                                          "-Wl,--gc-sections,-Map=x",
                                          "-Wa,-ahl=x",
                                          "-Wp,-MD,x",
                                          "-o",
                                          "-ox",
                                          "-x",
                                          "-xc",
                                          "-save-temps",
                                          "--save-temps",
                                          "@file",
                                          "-Xlinker",
                                          "-Xclang",
                                          "-Xassembler",
                                          "-include",
                                          "-I/tmp",
                                          "-isystem",
                                          "-L/tmp",
                                          "-D",
                                          "-U",
                                          "-l",
                                          "--param",
                                          "-shared",
                                          "-m32",
                                          "-fprofile-use=x",
                                          "-fdump-tree-all",
                                          "-flto=8",
                                          "-flto=auto",
                                          "-fuse-ld=gold",
                                          "-frandom-seed=1",
                                          "-MD",
                                          "-E",
                                          "-S",
                                          "-c",
                                          "-v",
                                          "-###",
                                          "--version",
                                          "--help",
                                          "-",
                                          "",
                                          "program.c",
                                          "-mllvm",
                                          "--sysroot=/",
                                          "-dumpbase",
                                          "-fmodules-ts",
                                          "-ftime-report",
                                          "-no-integrated-cpp",
                                          "-T",
                                          "-e"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        collected log_text = {""};
        const pie_log log = {.write = collect, .context = &log_text, .level = PIE_LOG_DEBUG};
        static const char *const keys[] = {"flags", "cxx_flags", "c_flags"};
        char settings[256];
        bench b;
        snprintf(settings, sizeof settings, "plugin = \"%s\"; %s = [\"%s\"];",
                 i % 2 ? "gcc" : "clang", keys[i % 3], refused[i]);
        if (bench_open(&b, settings, NULL, NULL, &log))
            fail_msg("%s was taken", refused[i]);
        assert_int_equal(b.status, PIE_ERR_CONFIG);
        assert_non_null(strstr(log_text.text, refused[i]));
        assert_ptr_equal(strchr(log_text.text, '\n'), log_text.text + strlen(log_text.text) - 1);
        bench_close(&b);
    }
}

static void takes_flags_that_are(void **state)
{
    (void)state;
    char digest[PIE_DIGEST_HEX];
    bench b;
    open_bench(
        &b,
        "plugin = \"gcc\"; flags = [\"-O2\", \"-std=c++20\", \"-std=gnu11\", \"-march=skylake\", "
        "\"-mtune=skylake\", \"-DNAME=3\", \"-UOTHER\", \"-Wall\", \"-Wno-unused\", \"-lm\", "
        "\"-pthread\", \"-fno-strict-aliasing\", \"-funroll-loops\", "
        "\"-Wl,--gc-sections,-z,now\", \"--param=max-unroll-times=4\", \"-w\", \"-s\"];",
        NULL);
    digest_of(&b, "c++",
              "#include <concepts>\n#if __cplusplus < 202002L || NAME != 3\n#error\n#endif\nint "
              "main() {}\n",
              digest);
    digest_of(&b, "c",
              "#if __STDC_VERSION__ != 201112L\n#error\n#endif\n#include <math.h>\nint main(int n, "
              "char **v) { (void)v; return (int)sin(n); }\n",
              digest);
    bench_close(&b);
    open_bench(&b, "plugin = \"gcc\"; cxx_flags = [\"-DCXX\"]; c_flags = [\"-DC\"];", NULL);
    digest_of(&b, "c++", "#if !defined CXX || defined C\n#error\n#endif\nint main() {}\n", digest);
    digest_of(&b, "c", "#if defined CXX || !defined C\n#error\n#endif\nint main(void) {}\n",
              digest);
    bench_close(&b);
}

static void compilers_and_links_differ(void **state)
{
    (void)state;
    static const char *const settings[] = {"plugin = \"gcc\";", "plugin = \"clang\";",
                                           "plugin = \"gcc\"; link = \"dynamic\";",
                                           "plugin = \"gcc\"; flags = [\"-O0\"];"};
    char digests[4][PIE_DIGEST_HEX];
    for (size_t i = 0; i < 4; i++) {
        bench b;
        open_bench(&b, settings[i], NULL);
        digest_of(&b, "c++", HELLO_CXX, digests[i]);
        bench_close(&b);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(digests[i], digests[k]);
    }
}

static void finds_header_libraries(void **state)
{
    (void)state;
    char folder[] = "/tmp/pie-test-include.XXXXXX", digest[PIE_DIGEST_HEX];
    assert_non_null(mkdtemp(folder));
    char *file = pie_strf("%s/lib.hpp", folder);
    char *settings = pie_strf("plugin = \"gcc\"; include = [\"%s\"];", folder);
    assert_int_equal(pie_file_replace(file, "enum { seven = 7 };\n", 20, &pie_log_stderr), PIE_OK);
    bench b;
    open_bench(&b, settings, NULL);
    digest_of(&b, "c++", "#include <lib.hpp>\nint main() { return seven; }\n", digest);
    bench_close(&b);
    pie_folder_remove(folder, &pie_log_stderr);
    assert_false(bench_open(&b, settings, NULL, NULL, &pie_log_none));
    assert_int_equal(b.status, PIE_ERR_CONFIG);
    bench_close(&b);
    free(settings);
    free(file);
}

/* ---- what is missing ------------------------------------------------------------------------ */

static void says_what_is_missing(void **state)
{
    (void)state;
    bench b;
    collected log_text = {""};
    const pie_log log = {.write = collect, .context = &log_text, .level = PIE_LOG_DEBUG};
    assert_false(
        bench_open(&b, "plugin = \"gcc\"; program_cxx = \"no-such-compiler\";", NULL, NULL, &log));
    assert_int_equal(b.status, PIE_ERR_UNAVAILABLE);
    assert_non_null(strstr(log_text.text, "no-such-compiler"));
    bench_close(&b);

    assert_false(bench_open(&b, "plugin = \"gcc\"; program_cxx = \"false\";", NULL, NULL, &log));
    assert_int_equal(b.status, PIE_ERR_UNAVAILABLE);
    bench_close(&b);

    assert_false(bench_open(&b, "plugin = \"gcc\";", NULL, "/dev/null/scratch", &log));
    assert_int_equal(b.status, PIE_ERR_IO);
    assert_non_null(strstr(log_text.text, "/dev/null"));
    bench_close(&b);

    open_bench(&b, "plugin = \"gcc\"; program_c = \"no-such-c\";", NULL);
    pie_build result;
    assert_int_equal(pie_builder_run(b.builder, HELLO_C, strlen(HELLO_C), "c", &log, &result),
                     PIE_OK);
    assert_verdict(&result, PIE_VERDICT_INFRA_ERROR);
    pie_build_free(&result);
    bench_close(&b);
}

int main(void)
{
    if (!sandbox_works_here())
        return TEST_SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_a_program_that_runs),
        cmocka_unit_test(tells_the_toolchain),
        cmocka_unit_test(judges_bad_sources),
        cmocka_unit_test(reads_no_file_of_the_host),
        cmocka_unit_test(ends_at_its_limits),
        cmocka_unit_test(bears_big_sources_and_floods_of_messages),
        cmocka_unit_test(takes_bytes_that_are_no_text),
        cmocka_unit_test(gives_the_same_bytes_in_any_folder),
        cmocka_unit_test(gives_the_same_messages_in_any_folder),
        cmocka_unit_test(gives_the_same_bytes_to_any_user),
        cmocka_unit_test(prepares_headers_without_a_trace),
        cmocka_unit_test(refuses_flags_that_are_not_the_products),
        cmocka_unit_test(takes_flags_that_are),
        cmocka_unit_test(compilers_and_links_differ),
        cmocka_unit_test(finds_header_libraries),
        cmocka_unit_test(says_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
