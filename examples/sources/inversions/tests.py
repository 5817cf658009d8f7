"""Read n and n integers; print how many pairs stand in the wrong order, that is, the larger one first."""
ROWS = {"all-pairs": {"language": "cpp"}, "bubble": {"language": "C"}}


def inputs(random):
    for n, top in ((6, 5), (200, 1000), (1000, 40), (2400, 10**9)):
        yield f"{n}\n" + " ".join(str(random.between(0, top)) for _ in range(n)) + "\n"


def answer(text):
    """Inserts from the right into a sorted list: those below a value are its inversions."""
    import bisect
    seen, count = [], 0
    for value in reversed([int(word) for word in text.split()[1:]]):
        below = bisect.bisect_left(seen, value)
        count += below
        seen.insert(below, value)
    return f"{count}\n"
