"""Read n (at most 16384), a number of rounds and a seed. A generator gives n values from 0 to 65535 and then, for every
round, a factor. In a round a value is low when value times factor, in 16 bits, is below 32768. The low values move to
the front and the others behind them, each group in its old order. After the last round print the hash of the values
(from the first, hash = 31 * hash + value, in 32 bits) and the sum over the rounds of the numbers of low values."""
ROWS = {"branchy": {"language": "c"}}


def inputs(random):
    for n, rounds in ((5, 2), (1000, 10), (4000, 20), (16000, 40)):
        yield f"{n} {rounds} {random.between(1, 10**9)}\n"


def answer(text):
    n, rounds, state = map(int, text.split())
    numbers = []
    for _ in range(n + rounds):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        numbers.append(state >> 16)
    values, total, result = numbers[:n], 0, 0
    for factor in numbers[n:]:
        low = [value for value in values if value * factor & 32768 == 0]
        values = low + [value for value in values if value * factor & 32768]
        total += len(low)
    for value in values:
        result = (31 * result + value) & 0xFFFFFFFF
    return f"{result} {total}\n"
