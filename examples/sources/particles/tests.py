"""Read n, a number of steps and a seed. n particles have places and speeds from a generator; in every step each
moves by its speed and, when it has left the range from 0 to 99999, its speed changes sign. Print the sum of the
places and how often speeds changed."""
ROWS = {"structs": {"language": "cpp14"}}


def inputs(random):
    for n, steps in ((2, 50), (50, 100), (1000, 60), (2000, 150)):
        yield f"{n} {steps} {random.between(1, 10**9)}\n"


def answer(text):
    n, steps, state = map(int, text.split())
    total = turns = 0
    for _ in range(n):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        place = (state >> 8) % 100000
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        speed = (state >> 8) % 2001 - 1000
        for _ in range(steps):
            place += speed
            if place < 0 or place > 99999:
                speed = -speed
                turns += 1
        total += place
    return f"{total} {turns}\n"
