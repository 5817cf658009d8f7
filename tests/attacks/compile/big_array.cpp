// verdict: compile_limit
char a[3000000000] = {1};
int main() { return a[1]; }
