// verdict: compile_limit
#define A(x) x x x x x x x x x x x x x x x x
#define B(x) A(A(A(x)))
int values[] = {B(B(B(0, )))};
int main() { return values[0]; }
