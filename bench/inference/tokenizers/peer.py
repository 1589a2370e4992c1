"""The Rust side of the comparison: trains the tokenizers, then encodes on
request. main.go starts it; one JSON object per line each way."""
import glob
import json
import os
import pathlib
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
sys.path.insert(0, sys.argv[2])

import corpus  # of tokenizers/testdata
import tokenizers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

DIR = pathlib.Path(sys.argv[1])
SIZE = 10_000
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def documents(patterns, limit):
    size = 0
    for pattern in patterns:
        for path in sorted(glob.glob(os.path.expanduser(pattern), recursive=True)):
            if os.path.isfile(path) and size < limit:
                text = open(path, encoding="utf-8", errors="ignore").read()
                size += len(text)
                yield text


def texts():
    lib = os.path.dirname(os.__file__)
    english = "\n".join(documents(["/usr/share/common-licenses/*", "~/go/pkg/mod/**/*.md"], 6_000_000))
    code = "\n".join(documents([lib + "/*.py", "~/go/pkg/mod/**/*.go"], 6_000_000))
    mixed = " ".join(corpus.string(i) for i in range(2_000_000, 2_060_000))
    return {"english": english, "code": code, "mixed": mixed}


def train(corpora):
    lines = [line for text in corpora.values() for line in text[:4_000_000].splitlines(keepends=True)]
    out = {}
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)])
    bpe.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=32000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    out["bpe-llama3"] = bpe
    gpt2 = Tokenizer.from_str(bpe.to_str())
    gpt2.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    out["bpe-gpt2"] = gpt2
    wp = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    wp.normalizer = normalizers.BertNormalizer()
    wp.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    wp.train_from_iterator(lines, trainers.WordPieceTrainer(vocab_size=30000, special_tokens=["[UNK]"], show_progress=False))
    out["wordpiece"] = wp
    uni = Tokenizer(models.Unigram())
    uni.normalizer = normalizers.NFKC()
    uni.pre_tokenizer = pre_tokenizers.Metaspace()
    # Only half the alphabets: a unigram model must hold every character it has seen.
    seen = [l[:500] for l in lines[::4] if all(ord(c) < 0x3000 for c in l)]
    uni.train_from_iterator(seen, trainers.UnigramTrainer(vocab_size=16000, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False))
    out["unigram"] = uni
    return out


def prepare():
    all = texts()
    for name, text in all.items():
        docs = [text[i : i + SIZE] for i in range(0, min(len(text), 100 * SIZE), SIZE)]
        (DIR / (name + ".texts.json")).write_text(json.dumps(docs))
    for name, t in train(all).items():
        t.save(str(DIR / (name + ".tokenizer.json")), pretty=False)


if not (DIR / "unigram.tokenizer.json").exists():
    prepare()
print(json.dumps({"ready": tokenizers.__version__}), flush=True)
loaded, docs = {}, {}
for line in sys.stdin:
    r = json.loads(line)
    start = time.process_time()
    t = Tokenizer.from_file(str(DIR / (r["tokenizer"] + ".tokenizer.json")))
    load = time.process_time() - start
    t = loaded.setdefault(r["tokenizer"], t)
    if r["corpus"] not in docs:
        docs[r["corpus"]] = json.loads((DIR / (r["corpus"] + ".texts.json")).read_text())
    all = docs[r["corpus"]]
    count = 0
    start = time.process_time()
    if r["fast"]:
        for d in all:
            count += len(t.encode_batch_fast([d], add_special_tokens=False)[0])
    else:
        for d in all:
            count += len(t.encode(d, add_special_tokens=False))
    print(json.dumps({"seconds": time.process_time() - start, "tokens": count, "load": load}), flush=True)
