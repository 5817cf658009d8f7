"""Read two words (at most 100 letters each); print the length of their longest common subsequence."""
ROWS = {"recursive": {"language": "C++", "test_levels": [1, 1, 2, 3]}}


def inputs(random):
    for length in (3, 6, 8, 9):
        yield "\n".join("".join(random.pick("abcd") for _ in range(length)) for _ in range(2)) + "\n"


def answer(text):
    a, b = text.split()
    row = [0] * (len(b) + 1)
    for x in a:
        row = [0] + [0] * len(b) if not row else row
        new = [0]
        for j, y in enumerate(b):
            new.append(row[j] + 1 if x == y else max(row[j + 1], new[j]))
        row = new
    return f"{row[-1]}\n"
