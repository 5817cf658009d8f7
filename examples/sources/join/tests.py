"""Read n and a step; join the words item<i * step % n> for i from 0 to n - 1 with commas. Print the length of the result,
its hash (from the first character, hash = 31 * hash + character, in 32 bits) and its first 40 characters."""
ROWS = {"plus": {"language": "CPP"}}


def inputs(random):
    for n in (3, 100, 1000, 3000):
        yield f"{n} {random.between(1, 1000)}\n"


def answer(text):
    n, step = map(int, text.split())
    joined = ",".join(f"item{i * step % n}" for i in range(n))
    result = 0
    for byte in joined.encode():
        result = (31 * result + byte) & 0xFFFFFFFF
    return f"{len(joined)} {result}\n{joined[:40]}\n"
