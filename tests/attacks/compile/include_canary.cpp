// verdict: compile_error
// The test defines CANARY as the name of a file that it made.
#include CANARY
int main() {}
