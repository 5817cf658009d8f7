"""Read n; print how many primes are not larger than n, and the largest of them."""
ROWS = {"trial": {"language": "C"}}


def inputs(random):
    for n in (2, 1000, 10000, random.between(55000, 60000)):
        yield f"{n}\n"


def answer(text):
    n = int(text)
    composite = bytearray(n + 1)
    for d in range(2, n + 1):
        composite[2 * d::d] = b"1" * len(range(2 * d, n + 1, d))
    primes = [d for d in range(2, n + 1) if not composite[d]]
    return f"{len(primes)} {primes[-1]}\n"
