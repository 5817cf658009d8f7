"""Read n and n integers; print the sum of the first i of them for every i from 1 to n, one a line."""
ROWS = {"endl": {"language": "C++", "public_tests": [0]}}


def inputs(random):
    for n in (5, 100, 800, 3000):
        yield f"{n}\n" + " ".join(str(random.between(-10**6, 10**9)) for _ in range(n)) + "\n"


def answer(text):
    total, lines = 0, []
    for value in text.split()[1:]:
        total += int(value)
        lines.append(str(total))
    return "\n".join(lines) + "\n"
