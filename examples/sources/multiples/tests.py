"""Read q and q numbers n; for each print the sum of the natural numbers below n that 3 or 5 divides."""
ROWS = {"loop": {"language": "c++"}}


def inputs(random):
    for q, top in ((3, 20), (10, 2000), (20, 20000), (60, 30000)):
        numbers = [1] + [random.between(1, top) for _ in range(q - 1)]
        yield f"{q}\n" + "\n".join(map(str, numbers)) + "\n"


def answer(text):
    def below(n, d):
        k = (n - 1) // d
        return d * k * (k + 1) // 2
    return "".join(f"{below(n, 3) + below(n, 5) - below(n, 15)}\n" for n in map(int, text.split()[1:]))
