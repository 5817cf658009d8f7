"""Read n. Cards 1 to n lie on a pile, 1 on top. Discard the top card, move the next one below the pile, and so
on until one card is left. Print that card and the sum of place times card over all discarded cards in order
(the first has place 1)."""
ROWS = {"erase": {"language": "C++"}}


def inputs(random):
    for n in (1, 10, 1000, random.between(5500, 6000)):
        yield f"{n}\n"


def answer(text):
    pile, head, total, place = list(range(1, int(text) + 1)), 0, 0, 1
    while len(pile) - head > 1:
        total += place * pile[head]
        pile.append(pile[head + 1])
        place, head = place + 1, head + 2
    return f"{pile[head]} {total}\n"
