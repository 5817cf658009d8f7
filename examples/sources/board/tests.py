"""Read the number of games, the number of moves per game and a seed. In each game a generator names squares of a board
of 512 x 512; print for each game how many different squares were named."""
ROWS = {"memset": {"language": "C"}}


def inputs(random):
    for games, moves in ((2, 10), (20, 500), (50, 100), (100, 300)):
        yield f"{games} {moves} {random.between(1, 10**9)}\n"


def answer(text):
    games, moves, state = map(int, text.split())
    lines = []
    for _ in range(games):
        named = set()
        for _ in range(moves):
            state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
            named.add(state >> 14)
        lines.append(f"{len(named)}\n")
    return "".join(lines)
