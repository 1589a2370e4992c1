"""Writes ../tables_generated.go: how the reference library sees every code point.

The Rust library takes each of its predicates from another crate with another
version of Unicode (Oniguruma, regex, std, unicode_categories 8.0, normalization
9.0, segmentation 17.0), so the tables are observed, one code point at a time,
through the Python package, and not taken from a Unicode release.

    python tables.py        needs tokenizers 0.23 and regex
"""
import base64
import pathlib
import unicodedata

import regex
from tokenizers import Regex, normalizers, pre_tokenizers

MAX = 0x110000
SCRIPTS = """Han Hiragana Katakana Hangul Bopomofo Thai Lao Khmer Myanmar Tibetan Arabic Hebrew Cyrillic Greek Latin Armenian
Georgian Devanagari Bengali Tamil Telugu Kannada Malayalam Gujarati Gurmukhi Oriya Sinhala Ethiopic Mongolian Common Inherited"""
ALL = [chr(c) for c in range(MAX) if not 0xD800 <= c <= 0xDFFF]


def in_chunks(chars, n=4096):
    for i in range(0, len(chars), n):
        yield chars[i : i + n]


def matched_by(pattern):
    """Code points that an Oniguruma pattern matches."""
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    out = set()
    for part in in_chunks(ALL):
        kept = set()
        for text, _ in split.pre_tokenize_str("".join(part)):
            kept.update(text)
        out.update(ord(c) for c in part if c not in kept)
    return out


def removed_by(pre_tokenizer):
    out = set()
    for part in in_chunks(ALL):
        kept = set()
        for text, _ in pre_tokenizer.pre_tokenize_str("".join(part)):
            kept.update(text)
        out.update(ord(c) for c in part if c not in kept)
    return out


def word_and_space():
    """\\w and \\s of the regex crate, through Whitespace."""
    word, space = set(), set()
    ws = pre_tokenizers.Whitespace()
    for c in ALL:
        # "a" and c: one piece for a word character, "a" alone before a space.
        got = ws.pre_tokenize_str("a" + c + "!")
        texts = [t for t, _ in got]
        if texts == ["a" + c, "!"]:
            word.add(ord(c))
        elif texts == ["a", "!"]:
            space.add(ord(c))
        else:
            assert texts == ["a", c + "!"], (hex(ord(c)), texts)
    return word, space


def isolated_digits():
    out = set()
    digits = pre_tokenizers.Digits(individual_digits=True)
    for c in ALL:
        if len(digits.pre_tokenize_str("a" + c)) == 2:
            out.add(ord(c))
    return out


def emptied_by(normalizer):
    return {ord(c) for c in ALL if normalizer.normalize_str("a" + c + "b") == "ab"}


def ranges(codes):
    out = []
    for c in sorted(codes):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def varint(n):
    b = bytearray()
    while n >= 0x80:
        b.append(n & 0x7F | 0x80)
        n >>= 7
    b.append(n)
    return bytes(b)


def run_lengths(codes):
    """Lengths of the alternating runs outside and inside the set."""
    out, at = b"", 0
    for lo, hi in ranges(codes):
        out += varint(lo - at) + varint(hi + 1 - lo)
        at = hi + 1
    return out


def literal(name, doc, data):
    text = base64.b64encode(data).decode()
    lines = [f"// {name} {doc}", f"const {name} = \"\" +"]
    for i in range(0, max(len(text), 1), 112):
        lines.append('\t"' + text[i : i + 112] + '" +')
    lines[-1] = lines[-1][:-2]
    return "\n".join(lines) + "\n"


def scripts():
    """Numbers the classes of UnicodeScripts; 0 is the one that joins any."""
    us = pre_tokenizers.UnicodeScripts()

    def joined(a, b):
        return len(us.pre_tokenize_str(a + b)) == 1

    def is_any(c):
        return joined("A", c) and joined("\u0410", c)

    heads, out, previous = [], [], None
    for c in ALL:
        if is_any(c):
            k = 0
        elif previous and previous[1] and joined(previous[0], c):
            k = previous[1]
        else:
            k = next((i + 1 for i, h in enumerate(heads) if joined(h, c)), 0)
            if k == 0:
                heads.append(c)
                k = len(heads)
        previous = (c, k)
        if out and out[-1][2] == k and ord(c) == out[-1][1] + 1:
            out[-1][1] = ord(c)
        else:
            out.append([ord(c), ord(c), k])
    assert len(heads) < 255
    return out


def main():
    sets = {
        "upperRuns": ("is \\p{Lu} of Oniguruma.", matched_by(r"\p{Lu}")),
        "lowerRuns": ("is \\p{Ll} of Oniguruma.", matched_by(r"\p{Ll}")),
        "titleRuns": ("is \\p{Lt} of Oniguruma.", matched_by(r"\p{Lt}")),
        "modifierRuns": ("is \\p{Lm} of Oniguruma.", matched_by(r"\p{Lm}")),
        "otherLetterRuns": ("is \\p{Lo} of Oniguruma.", matched_by(r"\p{Lo}")),
        "numberRuns": ("is \\p{N} of Oniguruma.", matched_by(r"\p{N}")),
        "spaceRuns": ("is \\s of Oniguruma.", matched_by(r"\s")),
        "wordRuns": ("is \\w of Oniguruma.", matched_by(r"\w")),
        "digitRuns": ("is \\d of Oniguruma.", matched_by(r"\d")),
        "markRuns": ("is \\p{M} of Oniguruma.", matched_by(r"\p{M}")),
        "punctuationRuns": ("is \\p{P} of Oniguruma.", matched_by(r"\p{P}")),
        "symbolRuns": ("is \\p{S} of Oniguruma.", matched_by(r"\p{S}")),
        "whiteRuns": ("is char::is_whitespace of Rust.", removed_by(pre_tokenizers.WhitespaceSplit())),
        "numericRuns": ("is char::is_numeric of Rust.", isolated_digits()),
        "bertPunctuationRuns": ("is what Punctuation and BertPreTokenizer call punctuation.", removed_by(pre_tokenizers.Punctuation("removed"))),
        "controlRuns": ("is what BertNormalizer drops as control characters.", emptied_by(normalizers.BertNormalizer(True, False, False, False))),
        "accentRuns": ("is what BertNormalizer strips as accents, of decomposed text.",
                       emptied_by(normalizers.BertNormalizer(False, False, True, False))),
        "combiningRuns": ("is what StripAccents strips.", emptied_by(normalizers.StripAccents())),
    }
    word, space = word_and_space()
    sets["regexWordRuns"] = ("is \\w of the regex crate.", word)
    sets["regexSpaceRuns"] = ("is \\s of the regex crate.", space)

    nfd, nfkd, nfc = normalizers.NFD(), normalizers.NFKD(), normalizers.NFC()
    canonical, compatible, moved, pairs = {}, {}, {}, []
    for c in ALL:
        if 0xAC00 <= ord(c) < 0xD7A4:
            continue  # Hangul is arithmetic
        d, k = nfd.normalize_str(c), nfkd.normalize_str(c)
        if d != c:
            canonical[ord(c)] = d
        if k != d:
            compatible[ord(c)] = k
        if nfd.normalize_str("\u0345" + c) != "\u0345" + d or c == "\u0345":
            moved[ord(c)] = unicodedata.combining(c)
            # Decomposing marks take their order from what they become.
            assert moved[ord(c)] or d != c, hex(ord(c))
    for c, d in canonical.items():
        if len(d) < 2:
            continue
        first = nfc.normalize_str(d[:-1])
        if len(first) == 1 and nfc.normalize_str(first + d[-1]) == chr(c):
            pairs.append((ord(first), ord(d[-1]), c))
    moved = {c: v for c, v in moved.items() if v and c not in canonical or v}

    lower = {}
    low = normalizers.Lowercase()
    for c in ALL:
        l = low.normalize_str(c)
        if l != c:
            lower[ord(c)] = l

    go = ["// Code generated by testdata/tables.py; DO NOT EDIT.\n", "package tokenizers\n",
          "// Every table is base64 of varints. Sets are the lengths of alternating runs of\n// code points outside and inside; see classes.go for the readers.\n"]
    for name, (doc, codes) in sets.items():
        go.append(literal(name, doc, run_lengths(codes)))

    def mapping(m):
        data, at = b"", 0
        for c in sorted(m):
            data += varint(c - at) + varint(len(m[c]))
            for x in m[c]:
                data += varint((ord(x) - c) * 2 if ord(x) >= c else (c - ord(x)) * 2 - 1)
            at = c
        return data

    go.append(literal("canonicalMap", "maps a code point to its full canonical decomposition (Unicode 9).", mapping(canonical)))
    go.append(literal("compatibleMap", "maps a code point to its full compatibility decomposition, where it differs.", mapping(compatible)))
    go.append(literal("lowerMap", "maps a code point to its lower case.", mapping(lower)))
    data, at = b"", 0
    for c in sorted(moved):
        data += varint(c - at) + varint(moved[c])
        at = c
    go.append(literal("combiningClassMap", "maps a code point to its canonical combining class, where it is not 0.", data))
    data = b""
    for a, b, c in sorted(pairs):
        data += varint(a) + varint(b) + varint(c)
    go.append(literal("compositionMap", "lists the primary composites: first, second, composite.", data))

    names = ["Control", "CR", "LF", "Extend", "ZWJ", "Prepend", "SpacingMark", "L", "V", "T", "LV", "LVT", "Regional_Indicator"]
    for n in names:
        codes = {ord(c) for c in regex.findall(rf"\p{{Grapheme_Cluster_Break={n}}}", "".join(ALL))}
        go.append(literal("grapheme" + n.replace("_", "") + "Runs", f"has Grapheme_Cluster_Break={n} (Unicode 17).", run_lengths(codes)))
    codes = {ord(c) for c in regex.findall(r"\p{Extended_Pictographic}", "".join(ALL))}
    go.append(literal("graphemePictographicRuns", "is Extended_Pictographic.", run_lengths(codes)))
    for n in ["Consonant", "Linker", "Extend"]:
        codes = {ord(c) for c in regex.findall(rf"\p{{InCB={n}}}", "".join(ALL))}
        go.append(literal(f"conjunct{n}Runs", f"has Indic_Conjunct_Break={n}.", run_lengths(codes)))

    data, at = b"", 0
    for lo, hi, k in scripts():
        data += varint(lo - at) + varint(hi + 1 - lo) + varint(k)
        at = hi + 1
    go.append(literal("scriptMap", "lists gap, length and number of the classes of UnicodeScripts; 0 joins any.", data))

    go.append("// scriptRuns are the scripts of Oniguruma that patterns name.\nvar scriptRuns = map[string]string{")
    for name in sorted(SCRIPTS.split()):
        text = base64.b64encode(run_lengths(matched_by(rf"\p{{{name}}}"))).decode()
        go.append(f'\t"{name.lower()}": "{text}",')
    go.append("}\n")

    path = pathlib.Path(__file__).parent.parent / "tables_generated.go"
    path.write_text("\n".join(go))
    print(path, path.stat().st_size, "bytes;", len(canonical), "canonical,", len(compatible), "compatible,", len(moved), "classes,", len(pairs), "pairs,", len(lower), "lower")


main()
