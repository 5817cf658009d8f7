// verdict: compile_limit
asm(".rept 2000000000\n.byte 1\n.endr");
int main() {}
