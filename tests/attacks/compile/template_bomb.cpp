// verdict: compile_limit
template <int N, int K> struct B {
    static const int v = B<N - 1, 2 * K>::v + B<N - 1, 2 * K + 1>::v;
};
template <int K> struct B<0, K> {
    static const int v = K;
};
int main() { return B<24, 0>::v; }
