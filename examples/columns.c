/* columns.c - adds up a matrix column by column, across the order in which it lies in memory. See
 * rows.c. */
#include <stdio.h>

enum { SIZE = 512, ROUNDS = 4 };
static unsigned matrix[SIZE * SIZE];
/* Volatile, so that the compiler cannot exchange the loops. */
static volatile unsigned outer_step = 1, inner_step = SIZE;

int main(void)
{
    unsigned state = 1, sum = 0;
    for (unsigned k = 0; k < SIZE * SIZE; k++)
        matrix[k] = state = state * 1664525u + 1013904223u;
    for (unsigned round = 0; round < ROUNDS; round++) {
        const unsigned outer = outer_step, inner = inner_step;
        for (unsigned i = 0; i < SIZE; i++)
            for (unsigned k = 0; k < SIZE; k++)
                sum += matrix[i * outer + k * inner] >> (round & 7);
    }
    printf("%u\n", sum);
    return 0;
}
