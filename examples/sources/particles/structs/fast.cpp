#include <cstdio>
#include <vector>

// An array for each field in use, and no branch, so that the compiler works on several at once.
static int advance(int *place, int *speed, int n) {
    int turns = 0;
    for (int i = 0; i < n; i++) {
        const int next = place[i] + speed[i];
        const int outside = -(int)((next < 0) | (next > 99999)); // all ones or zero
        place[i] = next;
        speed[i] = (speed[i] ^ outside) - outside;
        turns -= outside;
    }
    return turns;
}

int main() {
    int n, steps;
    unsigned state;
    if (scanf("%d %d %u", &n, &steps, &state) != 3)
        return 1;
    auto random = [&state] { return (int)((state = state * 1664525u + 1013904223u) >> 8); };
    std::vector<int> place(n), speed(n);
    for (int i = 0; i < n; i++) {
        place[i] = random() % 100000;
        speed[i] = random() % 2001 - 1000;
    }
    long long turns = 0, total = 0;
    for (int step = 0; step < steps; step++)
        turns += advance(place.data(), speed.data(), n);
    for (int p : place)
        total += p;
    printf("%lld %lld\n", total, turns);
    return 0;
}
