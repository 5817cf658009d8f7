"""Read q and q numbers n (at most 90); print the n-th Fibonacci number of each (0, 1, 1, 2, ... from n = 0)."""
ROWS = {"recursive": {"language": "CPP17"}}


def inputs(random):
    for q, top in ((3, 5), (5, 12), (8, 18), (10, 25)):
        numbers = [0] + [random.between(0, top) for _ in range(q - 2)] + [top]
        yield f"{q}\n" + " ".join(map(str, numbers)) + "\n"


def answer(text):
    known = [0, 1]
    for n in map(int, text.split()[1:]):
        while len(known) <= n:
            known.append(known[-1] + known[-2])
    return "".join(f"{known[int(n)]}\n" for n in text.split()[1:])
