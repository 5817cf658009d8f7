// verdict: compile_error
asm(".incbin \"/dev/zero\"");
int main() {}
