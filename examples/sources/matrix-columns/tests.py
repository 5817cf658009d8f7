"""Read the numbers of rows and columns (at most 1024 each) and a seed. A generator fills the matrix with numbers
from 0 to 255, row by row. Each column has a hash: from the top, hash = 31 * hash + element, in 32 bits. Print the
exclusive or of all hashes and the largest of them."""
ROWS = {"columns": {"language": "C"}}


def inputs(random):
    for rows, columns in ((3, 4), (100, 64), (250, 300), (700, 512)):
        yield f"{rows} {columns} {random.between(1, 10**9)}\n"


def answer(text):
    rows, columns, state = map(int, text.split())
    hashes = [0] * columns
    for _ in range(rows):
        for c in range(columns):
            state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
            hashes[c] = (31 * hashes[c] + (state >> 24)) & 0xFFFFFFFF
    mixed = 0
    for value in hashes:
        mixed ^= value
    return f"{mixed} {max(hashes)}\n"
