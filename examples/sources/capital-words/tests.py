"""Read one line of text (at most 9999 characters). Print it with the first letter of every word in capitals, and the
number of vowels in a second line."""
ROWS = {"strlen": {"language": "C"}}


def inputs(random):
    for length in (20, 300, 2000, 7000):
        line = "".join(random.pick("abcdefghijklmnopqrstuvwxyzaeiou  ") for _ in range(length - 1))
        yield " ".join((line + "z").split()) + "\n"


def answer(text):
    line = text.rstrip("\n")
    return " ".join(word[0].upper() + word[1:] for word in line.split(" ")) + "\n" + str(
        sum(line.count(vowel) for vowel in "aeiou")) + "\n"
