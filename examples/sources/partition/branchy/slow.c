#include <stdio.h>
#include <string.h>

static unsigned values[16384], high[16384];
static unsigned state;

static unsigned next(void) {
    state = state * 1664525u + 1013904223u;
    return state >> 16;
}

int main(void) {
    int n, rounds, i;
    unsigned hash = 0;
    long total = 0;
    if (scanf("%d %d %u", &n, &rounds, &state) != 3)
        return 1;
    for (i = 0; i < n; i++)
        values[i] = next();
    while (rounds-- > 0) {
        const unsigned factor = next();
        int n_low = 0, n_high = 0;
        for (i = 0; i < n; i++) {
            if ((values[i] * factor & 65535) < 32768)
                values[n_low++] = values[i];
            else
                high[n_high++] = values[i];
        }
        memcpy(values + n_low, high, (size_t)n_high * sizeof *high);
        total += n_low;
    }
    for (i = 0; i < n; i++)
        hash = 31 * hash + values[i];
    printf("%u %ld\n", hash, total);
    return 0;
}
