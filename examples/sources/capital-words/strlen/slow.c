#include <ctype.h>
#include <stdio.h>
#include <string.h>

int is_vowel(char c) {
    return strchr("aeiou", tolower(c)) != NULL;
}

int main(void) {
    static char line[10001];
    size_t i;
    int vowels = 0;
    if (!fgets(line, sizeof line, stdin))
        return 1;
    for (i = 0; i < strlen(line); i++) {
        if (line[i] == '\n')
            line[i] = 0;
        else if (is_vowel(line[i]))
            vowels++;
        if (i == 0 || line[i - 1] == ' ')
            line[i] = (char)toupper(line[i]);
    }
    printf("%s\n%d\n", line, vowels);
    return 0;
}
