#include <stdio.h>

/* The last game in which a square was named: a new game needs no clearing. */
static int board[512][512];

int main(void) {
    int games, moves, i, game;
    unsigned state;
    if (scanf("%d %d %u", &games, &moves, &state) != 3)
        return 1;
    for (game = 1; game <= games; game++) {
        int different = 0;
        for (i = 0; i < moves; i++) {
            int x, y;
            state = state * 1664525u + 1013904223u;
            x = (int)(state >> 23);
            y = (int)(state >> 14 & 511);
            different += board[y][x] != game;
            board[y][x] = game;
        }
        printf("%d\n", different);
    }
    return 0;
}
