/* The sandbox, with real processes. The program starts itself again in a role (argv[1]) that tries
 * what it should not be able to do; exit status 0 then means that it was able to. */
#include "base/file.h"
#include "sandbox/landlock.h"
#include "sandbox/sandbox.h"
#include "sandbox_here.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { DID_IT = 0, REFUSED = 42, ODD = 43 };

/* ---- roles ---------------------------------------------------------------------------------- */

static int attempt(long result)
{
    return result >= 0 ? DID_IT : errno == EPERM || errno == EACCES ? REFUSED : ODD;
}

static int role_environment(void)
{
    extern char **environ;
    for (char **at = environ; *at; at++)
        puts(*at);
    return 0;
}

static int role_descriptors(void)
{
    for (int fd = 0; fd < 1024; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            printf("%d ", fd);
    }
    return 0;
}

static int role_streams(void)
{
    char byte;
    fputs("to out", stdout);
    fputs("to err", stderr);
    return read(0, &byte, 1) == 0 ? 0 : 1;
}

static int role_flood(void)
{
    static char text[65536];
    memset(text, 'x', sizeof text);
    for (;;) {
        if (write(1, text, sizeof text) < 0)
            return 1;
    }
}

static int role_spin(void)
{
    for (volatile unsigned i = 0;; i++)
        ;
    return 0;
}

static int role_spin_stubbornly(void)
{
    signal(SIGXCPU, SIG_IGN);
    return role_spin();
}

static int role_bomb(void)
{
    for (;;)
        fork();
    return 0;
}

static int role_leave_children(void)
{
    for (int i = 0; i < 3; i++) {
        if (fork() == 0) {
            if (fork() == 0)
                for (;;)
                    pause();
            setsid();
            for (;;)
                pause();
        }
    }
    return 0;
}

static int role_allocate(void)
{
    return malloc(512u << 20) ? DID_IT : REFUSED;
}

static int role_write_big_file(void)
{
    static char text[65536];
    const int fd = open("big", O_CREAT | O_WRONLY, 0600);
    for (int i = 0; i < 64; i++) {
        if (write(fd, text, sizeof text) < 0)
            return 1;
    }
    return 0;
}

static int role_many_files(void)
{
    int n = 0;
    while (open("/dev/null", O_RDONLY) >= 0)
        n++;
    return n;
}

static int role_socket(void)
{
    return attempt(socket(AF_INET, SOCK_STREAM, 0));
}

static int role_unix_socket(void)
{
    int pair[2];
    return attempt(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
}

static int role_ptrace(void)
{
    return attempt(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int role_setsid(void)
{
    return fork() == 0 ? attempt(setsid()) : attempt(setpgid(0, getppid()));
}

static int role_unshare(void)
{
    return attempt(unshare(CLONE_NEWUSER));
}

static int role_raise_limit(void)
{
    const struct rlimit more = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    return attempt(setrlimit(RLIMIT_CPU, &more));
}

static int role_forget_parent(void)
{
    return attempt(prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0));
}

static int role_kill_all(void)
{
    return attempt(kill(-1, SIGTERM));
}

static int role_old_abi(void)
{
#ifdef __x86_64__
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory"); /* getpid of i386 */
    return result > 0 ? DID_IT : ODD;
#else
    return ODD;
#endif
}

static int role_abort(void)
{
    abort();
}

static int role_read_secret(void)
{
    return attempt(open("/etc/passwd", O_RDONLY));
}

static int role_write_outside(void)
{
    const char *const path = getenv("OUTSIDE");
    return attempt(open(path ? path : "/", O_CREAT | O_WRONLY, 0600));
}

static int role_write_inside(void)
{
    return attempt(open("inside", O_CREAT | O_WRONLY, 0600));
}

/* fd 7 is a listed descriptor. */
static int role_use_seven(void)
{
    return write(7, "seven", 5) == 5 ? 0 : 1;
}

static int role_wait_for_ever(void)
{
    if (fork() == 0)
        for (;;)
            pause();
    if (write(7, &(pid_t){getpid()}, sizeof(pid_t)) < 0)
        return 1;
    for (;;)
        pause();
}

static const struct role {
    const char *name;
    int (*run)(void);
} roles[] = {
    {"environment", role_environment},
    {"descriptors", role_descriptors},
    {"streams", role_streams},
    {"flood", role_flood},
    {"spin", role_spin},
    {"spin-stubbornly", role_spin_stubbornly},
    {"bomb", role_bomb},
    {"leave-children", role_leave_children},
    {"allocate", role_allocate},
    {"write-big-file", role_write_big_file},
    {"many-files", role_many_files},
    {"socket", role_socket},
    {"unix-socket", role_unix_socket},
    {"ptrace", role_ptrace},
    {"setsid", role_setsid},
    {"unshare", role_unshare},
    {"raise-limit", role_raise_limit},
    {"forget-parent", role_forget_parent},
    {"kill-all", role_kill_all},
    {"old-abi", role_old_abi},
    {"abort", role_abort},
    {"read-secret", role_read_secret},
    {"write-outside", role_write_outside},
    {"write-inside", role_write_inside},
    {"use-seven", role_use_seven},
    {"wait-for-ever", role_wait_for_ever},
};

/* ---- running roles -------------------------------------------------------------------------- */

static struct fixture {
    char self[4096]; /* this program */
    char folder[4096];
    char work[64];
} fixture;

typedef struct job {
    const char *argv[4];
    const char *read_only[2];
    pie_sandbox_spec spec;
    pie_sandbox_result result;
    pie_status status;
} job;

static void set_up(job *j, int32_t policy, const char *role)
{
    *j = (job){.argv = {fixture.self, role, NULL}, .read_only = {fixture.folder, NULL}};
    j->spec = (pie_sandbox_spec){.policy = policy,
                                 .argv = j->argv,
                                 .work_dir = fixture.work,
                                 .read_only_dirs = j->read_only,
                                 .capture = true,
                                 .limits = {.wall_s = 60}};
}

static void run(job *j)
{
    j->status = pie_sandbox_run(&j->spec, &pie_log_stderr, &j->result);
    assert_int_equal(j->status, PIE_OK);
}

static void done(job *j)
{
    pie_sandbox_result_free(&j->result);
}

static void run_role(job *j, const char *role)
{
    set_up(j, PIE_SANDBOX_TOOL, role);
    run(j);
}

static void assert_exit(const job *j, int status)
{
    if (!j->result.exited || j->result.exit_status != status)
        fail_msg("%s: exited %d, status %d, signal %d, wanted status %d; %s", j->argv[1],
                 j->result.exited, j->result.exit_status, j->result.signal, status,
                 pie_buf_text(&j->result.err));
}

/* Is a process of this group left? Zombies count: reaping is part of the promise. */
static bool group_lives(pid_t group)
{
    return kill(-group, 0) == 0;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void reports_how_it_ended(void **state)
{
    (void)state;
    job j;
    set_up(&j, PIE_SANDBOX_TOOL, "x");
    const char *const exit_3[] = {"/bin/sh", "-c", "exit 3", NULL};
    j.spec.argv = exit_3;
    run(&j);
    assert_exit(&j, 3);
    assert_int_equal(j.result.limit, PIE_SANDBOX_NO_LIMIT);
    done(&j);

    run_role(&j, "abort");
    assert_false(j.result.exited);
    assert_int_equal(j.result.signal, SIGABRT);
    assert_int_equal(j.result.limit, PIE_SANDBOX_NO_LIMIT);
    assert_true(j.result.peak_rss_bytes > 0);
    done(&j);
}

static void captures_both_streams_and_gives_an_empty_input(void **state)
{
    (void)state;
    job j;
    run_role(&j, "streams");
    assert_exit(&j, 0);
    assert_string_equal(pie_buf_text(&j.result.out), "to out");
    assert_string_equal(pie_buf_text(&j.result.err), "to err");
    done(&j);

    set_up(&j, PIE_SANDBOX_TOOL, "streams");
    j.spec.capture = false;
    run(&j);
    assert_exit(&j, 0);
    assert_int_equal(j.result.out.n, 0);
    done(&j);
}

static void captures_more_than_a_pipe_holds(void **state)
{
    (void)state;
    job j;
    set_up(&j, PIE_SANDBOX_TOOL, "x");
    const char *const argv[] = {
        "/bin/sh", "-c", "i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done; echo end >&2",
        NULL};
    j.spec.argv = argv;
    run(&j);
    assert_exit(&j, 0);
    assert_int_equal(j.result.out.n, 108890);
    assert_string_equal(j.result.out.data + j.result.out.n - 6, "19999\n");
    assert_string_equal(pie_buf_text(&j.result.err), "end\n");
    done(&j);
}

static void ends_a_flood_of_output_at_the_cap(void **state)
{
    (void)state;
    job j;
    set_up(&j, PIE_SANDBOX_TOOL, "flood");
    j.spec.limits.output_bytes = 100000;
    run(&j);
    assert_int_equal(j.result.limit, PIE_SANDBOX_HIT_OUTPUT);
    assert_int_equal(j.result.out.n, 100000);
    done(&j);
}

static void ends_at_the_wall_clock(void **state)
{
    (void)state;
    job j;
    set_up(&j, PIE_SANDBOX_TOOL, "spin");
    j.spec.limits.wall_s = 0.2;
    run(&j);
    assert_int_equal(j.result.limit, PIE_SANDBOX_HIT_WALL);
    assert_true(j.result.wall_s >= 0.2 && j.result.wall_s < 20);
    done(&j);
}

static void ends_at_the_processor_time(void **state)
{
    (void)state;
    static const char *const names[] = {"spin", "spin-stubbornly"};
    for (size_t i = 0; i < 2; i++) {
        job j;
        set_up(&j, PIE_SANDBOX_TOOL, names[i]);
        j.spec.limits.cpu_s = 0.5; /* rounded up to a second */
        run(&j);
        assert_int_equal(j.result.signal, i == 0 ? SIGXCPU : SIGKILL);
        assert_int_equal(j.result.limit, PIE_SANDBOX_HIT_CPU);
        assert_true(j.result.cpu_s > 0.9 && j.result.cpu_s < 4);
        done(&j);
    }
}

static void limits_memory_files_and_descriptors(void **state)
{
    (void)state;
    job j;
#ifndef __SANITIZE_ADDRESS__ /* whose shadow memory would not fit */
    run_role(&j, "allocate");
    assert_exit(&j, DID_IT); /* the proof that the limit below is what refuses */
    done(&j);
    set_up(&j, PIE_SANDBOX_TOOL, "allocate");
    j.spec.limits.memory_bytes = 256u << 20;
    run(&j);
    assert_exit(&j, REFUSED);
    done(&j);
#endif

    run_role(&j, "write-big-file");
    assert_exit(&j, 0);
    done(&j);
    set_up(&j, PIE_SANDBOX_TOOL, "write-big-file");
    j.spec.limits.file_bytes = 1u << 20;
    run(&j);
    assert_int_equal(j.result.signal, SIGXFSZ);
    assert_int_equal(j.result.limit, PIE_SANDBOX_HIT_FILE);
    done(&j);

    set_up(&j, PIE_SANDBOX_TOOL, "many-files");
    j.spec.limits.open_files = 20;
    run(&j);
    assert_exit(&j, 17);
    done(&j);
    run_role(&j, "many-files");
    assert_exit(&j, 61); /* the default */
    done(&j);
}

static void contains_a_fork_bomb(void **state)
{
    (void)state;
    job j;
    set_up(&j, PIE_SANDBOX_TOOL, "bomb");
    j.spec.limits.processes = 32;
    run(&j);
    assert_int_equal(j.result.limit, PIE_SANDBOX_HIT_PROCESSES);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody was left to us */
    assert_int_equal(errno, ECHILD);
    done(&j);
}

static pie_status note_pid(void *context, pid_t pid, int pidfd)
{
    siginfo_t info;
    *(pid_t *)context = pid;
    return waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOWAIT) == 0 ? PIE_OK : PIE_ERR_IO;
}

static void leaves_no_process_behind(void **state)
{
    (void)state;
    job j;
    pid_t pid = 0;
    set_up(&j, PIE_SANDBOX_TOOL, "leave-children");
    j.spec.attend = note_pid;
    j.spec.context = &pid;
    run(&j);
    assert_exit(&j, 0);
    assert_true(pid > 0);
    assert_false(group_lives(pid));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    done(&j);
    int subreaper = 1;
    prctl(PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0);
    assert_int_equal(subreaper, 0); /* as it was */
}

static void passes_only_the_listed_descriptors(void **state)
{
    (void)state;
    job j;
    const int noise = open("/dev/null", O_RDONLY); /* inheritable, unlisted */
    const int high = fcntl(noise, F_DUPFD, 300);
    assert_true(noise >= 0 && high >= 0);
    run_role(&j, "descriptors");
    assert_string_equal(pie_buf_text(&j.result.out), "0 1 2 ");
    done(&j);

    const int memory = memfd_create("seven", MFD_CLOEXEC);
    const pie_sandbox_fd fds[] = {{memory, 7}, {noise, 5}};
    set_up(&j, PIE_SANDBOX_TOOL, "descriptors");
    j.spec.fds = fds;
    j.spec.n_fds = 2;
    run(&j);
    assert_string_equal(pie_buf_text(&j.result.out), "0 1 2 5 7 ");
    done(&j);
    set_up(&j, PIE_SANDBOX_TOOL, "use-seven");
    j.spec.fds = fds;
    j.spec.n_fds = 1;
    run(&j);
    assert_exit(&j, 0);
    char text[6] = "";
    assert_int_equal(pread(memory, text, 5, 0), 5);
    assert_string_equal(text, "seven");
    done(&j);
    close(memory);
    close(high);
    close(noise);
}

/* Two descriptors that change places, in numbers that the sandbox itself may be using. */
static void passes_descriptors_that_cross(void **state)
{
    (void)state;
    int a = memfd_create("a", MFD_CLOEXEC), b = memfd_create("b", MFD_CLOEXEC);
    assert_true(a >= 0 && b >= 0);
    const pie_sandbox_fd fds[] = {{a, b}, {b, a}, {a, 1}};
    job j;
    char script[64];
    snprintf(script, sizeof script, "echo one >&%d; echo two >&%d; echo three", a, b);
    set_up(&j, PIE_SANDBOX_TOOL, "x");
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    j.spec.argv = argv;
    j.spec.fds = fds;
    j.spec.n_fds = 3;
    run(&j);
    assert_exit(&j, 0);
    char text[64] = "";
    assert_int_equal(pread(b, text, sizeof text - 1, 0), 4); /* number a is now file b */
    assert_string_equal(text, "one\n");
    memset(text, 0, sizeof text);
    assert_true(pread(a, text, sizeof text - 1, 0) > 0);
    assert_string_equal(text, "two\nthree\n");
    assert_int_equal(j.result.out.n, 0); /* 1 is listed, so not captured */
    done(&j);
    close(a);
    close(b);
}

static void gives_only_the_environment_asked_for(void **state)
{
    (void)state;
    job j;
    setenv("PIE_TEST_SECRET", "x", 1);
    run_role(&j, "environment");
    assert_exit(&j, 0);
    assert_string_equal(pie_buf_text(&j.result.out), "");
    done(&j);
    const char *const environment[] = {"A=1", NULL};
    set_up(&j, PIE_SANDBOX_TOOL, "environment");
    j.spec.envp = environment;
    run(&j);
    assert_string_equal(pie_buf_text(&j.result.out), "A=1\n");
    done(&j);
}

static void refuses_what_a_tool_does_not_need(void **state)
{
    (void)state;
    static const char *const names[] = {"socket",  "unix-socket", "ptrace",        "setsid",
                                        "unshare", "raise-limit", "forget-parent", "kill-all"};
    static const int32_t policies[] = {PIE_SANDBOX_TOOL, PIE_SANDBOX_GUEST};
    for (size_t p = 0; p < 2; p++) {
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            job j;
            set_up(&j, policies[p], names[i]);
            j.spec.limits.cpu_s = 20;
            run(&j);
            assert_exit(&j, REFUSED);
            done(&j);
        }
    }
}

static void kills_calls_through_another_abi(void **state)
{
    (void)state;
    job j;
    run_role(&j, "old-abi");
    assert_int_equal(j.result.signal, SIGSYS);
    assert_int_equal(j.result.limit, PIE_SANDBOX_HIT_SECCOMP);
    done(&j);
}

static void keeps_files_out_of_reach(void **state)
{
    (void)state;
    if (pie_landlock_version() == 0) {
        print_message("  skipped: this kernel has no Landlock\n");
        skip();
    }
    job j;
    char outside[128];
    snprintf(outside, sizeof outside, "OUTSIDE=%s.outside", fixture.work);
    const char *const environment[] = {outside, NULL};
    static const int32_t policies[] = {PIE_SANDBOX_TOOL, PIE_SANDBOX_GUEST};
    for (size_t i = 0; i < 2; i++) {
        set_up(&j, policies[i], "write-outside");
        j.spec.envp = environment;
        run(&j);
        assert_exit(&j, REFUSED);
        done(&j);
    }
    run_role(&j, "read-secret");
    assert_exit(&j, REFUSED);
    done(&j);
    run_role(&j, "write-inside");
    assert_exit(&j, DID_IT);
    done(&j);
    set_up(&j, PIE_SANDBOX_GUEST, "write-inside");
    run(&j);
    assert_exit(&j, REFUSED);
    done(&j);
}

static void names_a_program_that_is_not_there(void **state)
{
    (void)state;
    static const struct {
        const char *program;
        pie_status want;
    } cases[] = {{"/no/such/program", PIE_ERR_UNAVAILABLE},
                 {"/etc/passwd", PIE_ERR_UNAVAILABLE},
                 {"relative", PIE_ERR_IO}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        job j;
        set_up(&j, PIE_SANDBOX_TOOL, "x");
        const char *const argv[] = {cases[i].program, NULL};
        j.spec.argv = argv;
        assert_int_equal(pie_sandbox_run(&j.spec, &pie_log_none, &j.result), cases[i].want);
    }
    job j;
    set_up(&j, PIE_SANDBOX_TOOL, "streams");
    j.spec.work_dir = "/no/such/folder";
    assert_int_equal(pie_sandbox_run(&j.spec, &pie_log_none, &j.result), PIE_ERR_IO);
    set_up(&j, 99, "streams");
    assert_int_equal(pie_sandbox_run(&j.spec, &pie_log_none, &j.result), PIE_ERR_IO);
}

static pie_status give_up_at_once(void *context, pid_t pid, int pidfd)
{
    (void)pidfd;
    *(pid_t *)context = pid;
    return PIE_ERR_DATA;
}

static pie_status leave_at_once(void *context, pid_t pid, int pidfd)
{
    (void)pidfd;
    *(pid_t *)context = pid;
    return PIE_OK;
}

static void attends_and_then_ends_the_process(void **state)
{
    (void)state;
    job j;
    pid_t pid = 0;
    set_up(&j, PIE_SANDBOX_GUEST, "spin");
    j.spec.context = &pid;
    j.spec.attend = leave_at_once;
    run(&j);
    assert_int_equal(j.result.signal, SIGKILL);
    assert_int_equal(j.result.limit, PIE_SANDBOX_NO_LIMIT);
    assert_false(group_lives(pid));
    done(&j);

    pid = 0;
    j.spec.attend = give_up_at_once;
    assert_int_equal(pie_sandbox_run(&j.spec, &pie_log_none, &j.result), PIE_ERR_DATA);
    assert_true(pid > 0);
    assert_false(group_lives(pid));

    set_up(&j, PIE_SANDBOX_TOOL, "streams"); /* what it wrote is captured nevertheless */
    j.spec.attend = note_pid;
    j.spec.context = &pid;
    run(&j);
    assert_string_equal(pie_buf_text(&j.result.out), "to out");
    done(&j);
}

/* A process in the middle plays pie and is killed: what it had started must go too. */
static void dies_with_pie(void **state)
{
    (void)state;
    static const int32_t policies[] = {PIE_SANDBOX_TOOL, PIE_SANDBOX_GUEST};
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    for (size_t i = 0; i < 2; i++) {
        int pipe_fds[2];
        pid_t group = 0;
        assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
        const pid_t middle = fork();
        if (middle == 0) {
            const pie_sandbox_fd fds[] = {{pipe_fds[1], 7}};
            job j;
            set_up(&j, policies[i], "wait-for-ever");
            j.spec.fds = fds;
            j.spec.n_fds = 1;
            pie_sandbox_run(&j.spec, &pie_log_stderr, &j.result);
            _exit(1);
        }
        assert_true(middle > 0);
        assert_int_equal(read(pipe_fds[0], &group, sizeof group), sizeof group);
        assert_true(group_lives(group));
        kill(middle, SIGKILL);
        assert_int_equal(waitpid(middle, NULL, 0), middle);
        /* Orphans come to us. A guest makes no children before the tracer forbids it; here it did.
         */
        if (policies[i] == PIE_SANDBOX_GUEST) {
            int status = 0;
            assert_int_equal(waitpid(group, &status, 0), group);
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
            kill(-group, SIGKILL);
        }
        alarm(20); /* a survivor hangs the loop below */
        while (waitpid(-1, NULL, 0) > 0)
            ;
        alarm(0);
        assert_false(group_lives(group));
        close(pipe_fds[0]);
        close(pipe_fds[1]);
    }
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

static void lists_every_protection(void **state)
{
    (void)state;
    size_t n = 0;
    bool present = false;
    for (const char *line; (line = pie_sandbox_protection(n, &present)); n++) {
        assert_non_null(strchr(line, ':'));
        assert_true((strstr(line, ": yes") != NULL) == present);
    }
    assert_true(n >= 4);
}

static int set_up_all(void **state)
{
    (void)state;
    strcpy(fixture.work, "/tmp/pie-test-sandbox.XXXXXX");
    return mkdtemp(fixture.work) ? 0 : -1;
}

static int tear_down_all(void **state)
{
    (void)state;
    return pie_folder_remove(fixture.work, &pie_log_stderr) == PIE_OK ? 0 : -1;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof roles / sizeof *roles; i++) {
        if (strcmp(roles[i].name, argv[1]) == 0) {
            const int status = roles[i].run();
            fflush(NULL);
            return (int)syscall(SYS_exit_group,
                                status); /* a sanitizer's exit could not work in here */
        }
    }
    if (!sandbox_works_here())
        return TEST_SKIPPED;
    if (!realpath("/proc/self/exe", fixture.self))
        return 1;
    strcpy(fixture.folder, fixture.self);
    *strrchr(fixture.folder, '/') = '\0';
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_how_it_ended),
        cmocka_unit_test(captures_both_streams_and_gives_an_empty_input),
        cmocka_unit_test(captures_more_than_a_pipe_holds),
        cmocka_unit_test(ends_a_flood_of_output_at_the_cap),
        cmocka_unit_test(ends_at_the_wall_clock),
        cmocka_unit_test(ends_at_the_processor_time),
        cmocka_unit_test(limits_memory_files_and_descriptors),
        cmocka_unit_test(contains_a_fork_bomb),
        cmocka_unit_test(leaves_no_process_behind),
        cmocka_unit_test(passes_only_the_listed_descriptors),
        cmocka_unit_test(passes_descriptors_that_cross),
        cmocka_unit_test(gives_only_the_environment_asked_for),
        cmocka_unit_test(refuses_what_a_tool_does_not_need),
        cmocka_unit_test(kills_calls_through_another_abi),
        cmocka_unit_test(keeps_files_out_of_reach),
        cmocka_unit_test(names_a_program_that_is_not_there),
        cmocka_unit_test(attends_and_then_ends_the_process),
        cmocka_unit_test(dies_with_pie),
        cmocka_unit_test(lists_every_protection),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
