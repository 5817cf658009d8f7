"""Read n and a seed. A generator gives n numbers of 64 bits; print how many bits are set in all of them together and how
many of the numbers have an odd number of them."""
ROWS = {"loop": {"language": "C"}}


def inputs(random):
    for n in (10, 1000, 5000, 20000):
        yield f"{n} {random.between(1, 10**9)}\n"


def answer(text):
    n, state = map(int, text.split())
    bits = odd = 0
    for _ in range(n):
        state ^= state << 13 & 2**64 - 1
        state ^= state >> 7
        state ^= state << 17 & 2**64 - 1
        count = bin(state).count("1")
        bits, odd = bits + count, odd + count % 2
    return f"{bits} {odd}\n"
