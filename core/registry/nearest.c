/* nearest.c - which valid name did the user mean? */
#include "registry/registry.h"

#include <string.h>

enum { MAX_NAME = 64 };

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c == '-' ? '_' : c;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, changes and swaps of neighbours that turn @a into @b; case does not count.
 * MAX_NAME if either is too long. */
static size_t distance(const char *a, const char *b)
{
    const size_t n = strnlen(a, MAX_NAME), m = strnlen(b, MAX_NAME);
    if (n == MAX_NAME || m == MAX_NAME)
        return MAX_NAME;
    size_t rows[3][MAX_NAME];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t k = 0; k <= m; k++)
        last[k] = k;
    for (size_t i = 1; i <= n; i++) {
        row[0] = i;
        for (size_t k = 1; k <= m; k++) {
            const char x = lower(a[i - 1]), y = lower(b[k - 1]);
            row[k] = least(least(last[k], row[k - 1]) + 1, last[k - 1] + (x != y));
            if (i > 1 && k > 1 && x == lower(b[k - 2]) && lower(a[i - 2]) == y)
                row[k] = least(row[k], before[k - 2] + 1);
        }
        size_t *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[m];
}

const char *pie_nearest_name(const char *name, const char *const *names)
{
    const char *nearest = NULL;
    size_t best = 0;
    for (; *names; names++) {
        const size_t n = strlen(name), m = strlen(*names), longer = n > m ? n : m;
        const size_t d = distance(name, *names);
        /* a third of the letters may be wrong, at least one */
        if (d <= (longer < 6 ? 1 + longer / 4 : longer / 3) && d < longer && longer < MAX_NAME &&
            (!nearest || d < best)) {
            nearest = *names;
            best = d;
        }
    }
    return nearest;
}
