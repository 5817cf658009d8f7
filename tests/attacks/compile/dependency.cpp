// verdict: compile_error
#pragma GCC dependency "/etc/passwd"
#error done
