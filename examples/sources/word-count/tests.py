"""Read n and n words; print the number of distinct words, then the most frequent word and how often it
occurs (of several, the first in the order of the alphabet)."""
ROWS = {"map": {"language": "cpp"}}


def inputs(random):
    for n, n_words in ((5, 3), (100, 20), (800, 150), (3000, 600)):
        words = ["".join(chr(97 + random.between(0, 25)) for _ in range(random.between(2, 7))) for _ in range(n_words)]
        yield f"{n}\n" + " ".join(random.pick(words) for _ in range(n)) + "\n"


def answer(text):
    words = text.split()[1:]
    counts = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    word = min(counts, key=lambda word: (-counts[word], word))
    return f"{len(counts)}\n{word} {counts[word]}\n"
