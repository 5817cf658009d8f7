/* flags.c - see flags.h. First the refusals that deserve a reason, then the kinds that pass. */
#include "flags.h"

#include <stddef.h>
#include <string.h>

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_one_of(const char *text, const char *const *list)
{
    for (; *list; list++) {
        if (strcmp(text, *list) == 0)
            return true;
    }
    return false;
}

static const char *const machine =
    "makes the result depend on the machine; name a processor, such as -march=skylake";
static const char *const runs = "would run other programs or load code into the compiler";
static const char *const files = "names files; the source, its product and their folder are pie's";
static const char *const reports = "writes files or prints what differs from run to run";
static const char *const whole =
    "must be one argument with its value, as in -DNAME or --param=NAME=VALUE";
static const char *const target = "is not for x86-64 ELF programs";

typedef struct refusal {
    const char *prefix, *reason;
} refusal;

static const refusal refusals[] = {
    {"@", "is a file with arguments; write them out"},
    {"-fplugin", runs},
    {"-fpass-plugin", runs},
    {"-fuse-ld", runs},
    {"-fmodule", runs},
    {"-foffload", runs},
    {"-flto=auto", "runs a number of jobs that depends on the machine; use -flto"},
    {"-flto=jobserver", "runs a number of jobs that depends on the machine; use -flto"},
    {"-fself-test", files},
    {"-filelist", files},
    {"-framework", files},
    {"-force_", files},
    {"-final_output", files},
    {"-fprofile", files},
    {"-fauto-profile", files},
    {"-fcs-profile", files},
    {"-fbranch-probabilities", files},
    {"-fthinlto-index", files},
    {"-fbuild-session", files},
    {"-fcoverage", reports},
    {"-ftest-coverage", reports},
    {"-fdump", reports},
    {"-fopt-info", reports},
    {"-fsave-optimization-record", reports},
    {"-fcallgraph-info", reports},
    {"-fstack-usage", reports},
    {"-fdiagnostics-format", reports},
    {"-fcrash", reports},
    {"-ftime-", reports},
    {"-fmem-report", reports},
    {"-fpre-ipa-mem-report", reports},
    {"-fpost-ipa-mem-report", reports},
    {"-fproc-stat-report", reports},
    {"-frandom-seed", "is set by pie"},
    {"-fsyntax-only", "makes no program"},
    {"-fpreprocessed", "is not for sources"},
    {"-mllvm", runs},
    {"-mthread-model", whole},
    {"-meabi", whole},
    {"-m32", target},
    {"-mx32", target},
    {"-m16", target},
    {"-B", runs},
    {"-specs", runs},
    {"--specs", runs},
    {"-wrapper", runs},
    {"-Xclang", runs},
    {"-Xlinker", "hides a flag of the linker; write -Wl,FLAG"},
    {"-Xassembler", "hides a flag of the assembler"},
    {"-Xpreprocessor", "hides a flag of the preprocessor"},
    {"-o", files},
    {"-x", files},
    {"-save-temps", files},
    {"--save-temps", files},
    {"-dump", files},
    {"-include", files},
    {"-imacros", files},
    {"-I", "belongs into the option `include`"},
    {"-i", "belongs into the option `include`"},
    {"-L", "names a folder of libraries; only the system's are used"},
    {"--sysroot", files},
    {"-shared", "makes no program"},
};

/* Flags that pass as they are. */
static const char *const exact[] = {"-O",
                                    "-O0",
                                    "-O1",
                                    "-O2",
                                    "-O3",
                                    "-O4",
                                    "-Os",
                                    "-Oz",
                                    "-Og",
                                    "-Ofast",
                                    "-w",
                                    "-s",
                                    "-g",
                                    "-g0",
                                    "-g1",
                                    "-g2",
                                    "-g3",
                                    "-ansi",
                                    "-pedantic",
                                    "-pedantic-errors",
                                    "-pthread",
                                    "-pipe",
                                    "-trigraphs",
                                    "-pie",
                                    "-no-pie",
                                    "-static",
                                    "-static-pie",
                                    "-static-libgcc",
                                    "-static-libstdc++",
                                    "-rdynamic",
                                    "-nostdlib",
                                    "-nostdlib++",
                                    "-nodefaultlibs",
                                    "-nostartfiles",
                                    "-flto",
                                    "-flto=full",
                                    "-flto=thin",
                                    NULL};

/* Kinds that pass when something follows. */
static const char *const kinds[] = {
    "-f",     "-m",       "-D",    "-U",      "-W",    "-l",     "-std=",
    "--std=", "--param=", "-ggdb", "-gdwarf", "-gno-", "-gline", "-gcolumn-info",
    NULL};

static const char *const linker_exact[] = {"--gc-sections",
                                           "--as-needed",
                                           "--no-as-needed",
                                           "-s",
                                           "-S",
                                           "--strip-all",
                                           "--strip-debug",
                                           "--start-group",
                                           "--end-group",
                                           "--whole-archive",
                                           "--no-whole-archive",
                                           "--no-undefined",
                                           "--export-dynamic",
                                           "-E",
                                           "-Bstatic",
                                           "-Bdynamic",
                                           "--allow-multiple-definition",
                                           "-O",
                                           "-O0",
                                           "-O1",
                                           "-O2",
                                           "--relax",
                                           "--no-relax",
                                           NULL};
static const char *const linker_kinds[] = {
    "--hash-style=", "--sort-section=", "--wrap=", "--icf=", "--undefined=", "-l", NULL};

static const char *const linker_refused =
    "holds a flag of the linker that is not among those that pass (such as -Wl,--gc-sections or "
    "-Wl,-z,now)";

/* Every piece between the commas of -Wl,A,B */
static bool linker_pieces_pass(const char *pieces)
{
    char piece[128];
    bool is_keyword = false; /* of -z */
    while (*pieces) {
        const size_t n = strcspn(pieces, ",");
        if (n == 0 || n >= sizeof piece)
            return false;
        memcpy(piece, pieces, n);
        piece[n] = '\0';
        pieces += n;
        if (*pieces == ',' && *++pieces == '\0')
            return false;
        if (is_keyword) {
            is_keyword = false;
            if (piece[0] == '-' || piece[0] == '@')
                return false;
            continue;
        }
        bool pass = is_one_of(piece, linker_exact);
        for (const char *const *at = linker_kinds; !pass && *at; at++)
            pass = starts(piece, *at) && piece[strlen(*at)] != '\0';
        if (strcmp(piece, "-z") == 0)
            pass = is_keyword = true;
        if (!pass)
            return false;
    }
    return !is_keyword;
}

const char *pie_flag_refusal(const char *flag)
{
    if (starts(flag, "-m") && strstr(flag, "=native"))
        return machine;
    if (starts(flag, "-Wl,"))
        return flag[4] && linker_pieces_pass(flag + 4) ? NULL : linker_refused;
    if (starts(flag, "-Wa,"))
        return "is for the assembler";
    if (starts(flag, "-Wp,"))
        return starts(flag, "-Wp,-D") && flag[6] && !strchr(flag + 6, ',')
                   ? NULL
                   : "is for the preprocessor; only -Wp,-DNAME passes";
    if (is_one_of(flag, exact))
        return NULL;
    if (flag[0] != '-' && flag[0] != '@')
        return "is no flag";
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (starts(flag, refusals[i].prefix))
            return refusals[i].reason;
    }
    if (starts(flag, "-flto="))
        return "runs several jobs through make; use -flto";
    for (const char *const *at = kinds; *at; at++) {
        if (starts(flag, *at))
            return flag[strlen(*at)] ? NULL : whole;
    }
    if (strcmp(flag, "--param") == 0)
        return whole;
    return "is not of a kind that passes (-O -f -m -D -U -W -std= -l -g --param= -Wl, and some "
           "more)";
}

bool pie_flag_is_for_linker(const char *flag)
{
    return starts(flag, "-l") || starts(flag, "-Wl,");
}

bool pie_flag_is_other_standard(const char *flag, bool is_cxx)
{
    const char *value = starts(flag, "-std=") ? flag + 5 : starts(flag, "--std=") ? flag + 6 : NULL;
    return value && (strstr(value, "++") != NULL) != is_cxx;
}

bool pie_flag_is_debug(const char *flag)
{
    return starts(flag, "-g") && strcmp(flag, "-g0") != 0;
}
