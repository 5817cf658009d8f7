#include <stdio.h>

static unsigned hashes[1024];

/* A row is used as soon as it is known, so the matrix is not stored at all. */
int main(void) {
    int rows, columns, r, c;
    unsigned state, mixed = 0, largest = 0;
    if (scanf("%d %d %u", &rows, &columns, &state) != 3)
        return 1;
    for (r = 0; r < rows; r++) {
        for (c = 0; c < columns; c++) {
            state = state * 1664525u + 1013904223u;
            hashes[c] = 31 * hashes[c] + (state >> 24);
        }
    }
    for (c = 0; c < columns; c++) {
        mixed ^= hashes[c];
        if (hashes[c] > largest)
            largest = hashes[c];
    }
    printf("%u %u\n", mixed, largest);
    return 0;
}
