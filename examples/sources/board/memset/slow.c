#include <stdio.h>
#include <string.h>

int board[512][512];

int main(void) {
    int games, moves, i;
    unsigned state;
    if (scanf("%d %d %u", &games, &moves, &state) != 3)
        return 1;
    while (games-- > 0) {
        int different = 0;
        memset(board, 0, sizeof board);
        for (i = 0; i < moves; i++) {
            int x, y;
            state = state * 1664525u + 1013904223u;
            x = (int)(state >> 23);
            y = (int)(state >> 14 & 511);
            if (board[y][x] == 0)
                different++;
            board[y][x] = 1;
        }
        printf("%d\n", different);
    }
    return 0;
}
