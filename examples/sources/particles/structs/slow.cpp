#include <cstdio>
#include <vector>

struct particle {
    int place;
    char name[20];
    double mass, charge;
    int speed;
    double history[10];
};

int main() {
    int n, steps;
    unsigned state;
    if (scanf("%d %d %u", &n, &steps, &state) != 3)
        return 1;
    auto random = [&state] { return (int)((state = state * 1664525u + 1013904223u) >> 8); };
    std::vector<particle> particles(n);
    for (particle &p : particles) {
        p.place = random() % 100000;
        p.speed = random() % 2001 - 1000;
    }
    long long turns = 0, total = 0;
    for (int step = 0; step < steps; step++) {
        for (particle &p : particles) {
            p.place += p.speed;
            if (p.place < 0 || p.place > 99999) {
                p.speed = -p.speed;
                turns++;
            }
        }
    }
    for (const particle &p : particles)
        total += p.place;
    printf("%lld %lld\n", total, turns);
    return 0;
}
