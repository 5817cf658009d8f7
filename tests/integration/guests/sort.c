/* Sorting, searching, strings, the heap. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    const int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

int main(void)
{
    enum { N = 5000 };
    int *values = malloc(N * sizeof *values);
    unsigned state = 1;
    char text[64] = "";
    if (!values)
        return 1;
    for (int i = 0; i < N; i++) {
        state = state * 1103515245u + 12345u;
        values[i] = (int)(state >> 4);
    }
    qsort(values, N, sizeof *values, compare);
    for (int i = 0; i < 10; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%d,", values[i * 500] % 1000);
    char *copy = strdup(text);
    puts(copy);
    printf("%g\n", strtod("1.5e3", NULL));
    free(copy);
    free(values);
    return 0;
}
