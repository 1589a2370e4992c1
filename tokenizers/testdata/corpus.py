"""The corpus of the comparison with the Rust library: corpus_test.go makes the
same strings from the same seed and the same corpus.json."""
import json
import pathlib

MASK = (1 << 64) - 1
DATA = json.loads((pathlib.Path(__file__).parent / "corpus.json").read_text())


class Random:
    """splitmix64."""

    def __init__(self, seed):
        self.state = seed & MASK

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
        return z ^ z >> 31

    def below(self, n):
        return (self.next() >> 33) % n

    def of(self, items):
        return items[self.below(len(items))]


def letters(r, ranges, n):
    out = []
    for _ in range(n):
        lo, hi = r.of(ranges)
        out.append(chr(lo + r.below(hi - lo + 1)))
    return "".join(out)


def segment(r, home):
    kind = r.below(100)
    if kind < 30:
        return letters(r, DATA["scripts"][home], 1 + r.below(8))
    if kind < 55:
        word = r.of(DATA["words"])
        case = r.below(8)
        if case == 0:
            return word.upper()
        if case == 1:
            return word[:1].upper() + word[1:]
        return word
    if kind < 61:
        return "".join(chr(48 + r.below(10)) for _ in range(1 + r.below(7)))
    if kind < 72:
        return r.of(DATA["punctuation"])
    if kind < 77:
        return r.of(DATA["spaces"])
    if kind < 81:
        return letters(r, [[97, 122]], 1) + letters(r, DATA["marks"], 1 + r.below(3))
    if kind < 84:
        return r.of(DATA["emoji"])
    if kind < 88:
        return letters(r, DATA["scripts"][r.below(len(DATA["scripts"]))], 1 + r.below(6))
    if kind < 92:
        c = r.below(0x110000 - 0x800)
        return chr(c if c < 0xD800 else c + 0x800)
    if kind < 94:
        return letters(r, [[0xA0, 0x2FFF]], 1 + r.below(4))
    if kind < 97:
        return r.of(DATA["specials"])
    if kind < 98:
        return chr(97 + r.below(26)) * (1 + r.below(40))
    return r.of(DATA["code"])


def string(i):
    r = Random(i * 0x5851F42D4C957F2D + 0x14057B7EF767814F)
    home = i % len(DATA["scripts"])
    out = []
    for k in range(1 + r.below(10)):
        gap = r.below(10)
        if k > 0 or gap == 9:
            if gap < 7:
                out.append(" ")
            elif gap == 7:
                out.append(r.of(DATA["spaces"]))
        out.append(segment(r, home))
    return "".join(out)


def fnv(h, n):
    for _ in range(4):
        h = ((h ^ n & 0xFF) * 0x100000001B3) & MASK
        n >>= 8
    return h


START = 0xCBF29CE484222325
