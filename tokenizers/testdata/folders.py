"""Writes folders/*.json.gz: models' folders without tokenizer.json, and what
transformers makes of the first strings of the corpus with them.

    python folders.py        needs transformers 5 and sentencepiece
"""
import base64
import gzip
import json
import pathlib
import sys
import tempfile

sys.argv = ["folders.py", "none", ""]
import corpus
import make
from transformers import AutoTokenizer

HERE = pathlib.Path(__file__).parent
COUNT = 2000


def model_of(name):
    with gzip.open(HERE / (name + ".json.gz")) as f:
        return json.load(f)["model"]


def vocab_txt(name):
    vocab = model_of(name)["vocab"]
    return "".join(t + "\n" for t in sorted(vocab, key=vocab.get)).encode()


def bpe_files(name):
    m = model_of(name)
    lines = [a + " " + b if isinstance(x, list) else x for x in m["merges"] for a, b in [x if isinstance(x, list) else ("", "")]]
    return {"vocab.json": json.dumps(m["vocab"]).encode(), "merges.txt": ("#version: 0.2\n" + "\n".join(lines) + "\n").encode()}


def spm(name):
    with gzip.open(HERE / (name + ".model.gz")) as f:
        return f.read()


def config(**kw):
    return {"tokenizer_config.json": json.dumps(kw).encode()}


def marian_vocab():
    m = make.spm_parts(spm("unigram"))
    pieces = ["</s>", "<unk>"] + [p.piece for p in m.pieces if p.type == 1][:1500] + [">>fr<<", "<pad>"]
    return json.dumps({p: i for i, p in enumerate(pieces)}).encode()


FOLDERS = {
    "bert": {"vocab.txt": vocab_txt("bert"), **config(tokenizer_class="BertTokenizer", model_max_length=512)},
    "bert-cased": {"vocab.txt": vocab_txt("bert-cased"), **config(tokenizer_class="BertTokenizer", do_lower_case=False)},
    "distilbert": {"vocab.txt": vocab_txt("bert"), "config.json": json.dumps({"model_type": "distilbert"}).encode()},
    "mpnet": {"vocab.txt": vocab_txt("mpnet"), **config(tokenizer_class="MPNetTokenizer")},
    "gpt2": {**bpe_files("gpt2"), **config(tokenizer_class="GPT2Tokenizer")},
    "roberta": {**bpe_files("roberta"), **config(tokenizer_class="RobertaTokenizer")},
    "clip": {**bpe_files("clip"), **config(tokenizer_class="CLIPTokenizer")},
    "qwen2": {**bpe_files("gpt2"), **config(tokenizer_class="Qwen2Tokenizer")},
    "t5": {"spiece.model": spm("unigram"), **config(tokenizer_class="T5Tokenizer", extra_ids=3)},
    "xlm-roberta": {"sentencepiece.bpe.model": spm("unigram"), **config(tokenizer_class="XLMRobertaTokenizer")},
    "llama": {"tokenizer.model": spm("bpe"), **config(tokenizer_class="LlamaTokenizer", add_bos_token=True, legacy=False)},
    "marian": {"source.spm": spm("unigram"), "target.spm": spm("unigram"), "vocab.json": marian_vocab(),
               **config(tokenizer_class="MarianTokenizer", source_lang="en", target_lang="fr")},
}


def slow(name, s):
    """What the Python classes with SentencePiece made of a text, before transformers 5 did it with other normalizers."""
    p = make.Spm("unigram.model.gz").p if not hasattr(slow, "p") else slow.p
    slow.p = p
    ids = p.encode(s)
    if name == "t5":
        return ids + [2]
    return [0] + [3 if i == 0 else i + 1 for i in ids] + [2]


def main():
    for name, files in FOLDERS.items():
        with tempfile.TemporaryDirectory() as d:
            for file, data in files.items():
                (pathlib.Path(d) / file).write_bytes(data)
            try:
                texts = [corpus.string(i) for i in range(COUNT)]
                if name in ("t5", "xlm-roberta"):
                    t, ids = None, [[] if "<" in s else slow(name, s) for s in texts]
                else:
                    # <mask> takes the space before it, in the published files if not here.
                    t = AutoTokenizer.from_pretrained(d)
                    ids = [[] if name == "roberta" and "<mask>" in s else t(s)["input_ids"] for s in texts]
            except Exception as e:
                print(name, "FAILED", type(e), str(e)[:300])
                continue
            hashes = []
            for one in ids:
                h = corpus.START
                for id in one:
                    h = corpus.fnv(h, id)
                hashes.append(h >> 48 if one else 0)  # 0: not compared
            out = {"files": {f: "@unigram.model.gz" if b == spm("unigram") else base64.b64encode(b).decode() for f, b in files.items()}, "class": type(t).__name__,
                   "hashes": "".join(f"{h:04x}" for h in hashes)}
            with open(HERE / "folders" / (name + ".json.gz"), "wb") as f:
                f.write(gzip.compress(json.dumps(out).encode(), 9, mtime=0))
            print(name, type(t).__name__)


main()
