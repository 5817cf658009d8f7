"""Read n, q, n integers and q ranks; for each rank k print the k-th smallest of the integers (from 1)."""
ROWS = {"sorted-list": {"language": "C++17"}}


def inputs(random):
    for n, q in ((4, 4), (100, 50), (500, 200), (1500, 400)):
        values = [random.between(1, 10**6) for _ in range(n)]
        ranks = [random.between(1, n) for _ in range(q - 1)] + [n]
        yield f"{n} {q}\n" + " ".join(map(str, values)) + "\n" + " ".join(map(str, ranks)) + "\n"


def answer(text):
    n, q, *numbers = map(int, text.split())
    values = sorted(numbers[:n])
    return "".join(f"{values[k - 1]}\n" for k in numbers[n:])
