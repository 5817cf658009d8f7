#include <stdio.h>

int main(void) {
    static char line[10001];
    /* a letter's place in the alphabet, for both cases, is c & 31 */
    const unsigned vowel_bits = 1u << 1 | 1u << 5 | 1u << 9 | 1u << 15 | 1u << 21;
    int vowels = 0, starts = 1;
    char *p;
    if (!fgets(line, sizeof line, stdin))
        return 1;
    for (p = line; *p && *p != '\n'; p++) {
        const char c = *p;
        vowels += c >= 'A' && (vowel_bits >> (c & 31) & 1);
        if (starts && c >= 'a' && c <= 'z')
            *p = (char)(c - 'a' + 'A');
        starts = c == ' ';
    }
    *p = 0;
    printf("%s\n%d\n", line, vowels);
    return 0;
}
