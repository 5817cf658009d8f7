// verdict: compile_error
#if __has_include("/etc/passwd") || __has_include("/proc/self/environ")
#error the host can be seen
#endif
#error nothing to be seen
