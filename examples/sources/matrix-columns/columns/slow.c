#include <stdio.h>

unsigned matrix[1024][1024];

int main(void) {
    int rows, columns, r, c;
    unsigned state, mixed = 0, largest = 0;
    if (scanf("%d %d %u", &rows, &columns, &state) != 3)
        return 1;
    for (r = 0; r < rows; r++) {
        for (c = 0; c < columns; c++) {
            state = state * 1664525u + 1013904223u;
            matrix[r][c] = state >> 24;
        }
    }
    for (c = 0; c < columns; c++) {
        unsigned hash = 0;
        for (r = 0; r < rows; r++)
            hash = 31 * hash + matrix[r][c];
        mixed ^= hash;
        if (hash > largest)
            largest = hash;
    }
    printf("%u %u\n", mixed, largest);
    return 0;
}
