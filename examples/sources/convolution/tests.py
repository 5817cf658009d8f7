"""Read the length of a signal, the length of a kernel (at most 64) and a seed. A generator gives small whole
numbers, first the signal, then the kernel. Print the sum, the least and the largest element of their convolution
(where the kernel lies wholly on the signal). All values are whole, so the order of additions does not matter."""
ROWS = {"reduction": {"language": "c++"}}


def inputs(random):
    for n, k in ((10, 3), (500, 16), (4000, 33), (20000, 64)):
        yield f"{n} {k} {random.between(1, 10**9)}\n"


def answer(text):
    n, k, state = map(int, text.split())
    values = []
    for _ in range(n + k):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        values.append((state >> 16) % 17 - 8)
    signal, kernel = values[:n], values[n:]
    out = [sum(map(int.__mul__, signal[i:i + k], kernel)) for i in range(n - k + 1)]
    return f"{sum(out)} {min(out)} {max(out)}\n"
