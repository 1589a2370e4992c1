"""Trains the small tokenizers of the tests and records what the Rust library
makes of the corpus with them.

    python make.py                 trains all, writes *.json.gz and golden.json
    python make.py train           only trains
    python make.py golden [name…]  only records golden.json
    python make.py strings name FILE [count]    writes a hash per string, to find a difference

needs tokenizers 0.23 and sentencepiece.
"""
import base64
import glob
import gzip
import io
import json
import os
import pathlib
import sys

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import corpus

HERE = pathlib.Path(__file__).parent
COUNT, BLOCK = 100_000, 1000

CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + TAIL
QWEN2 = CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*" + TAIL
UP, LOW = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
GPT4O = (r"[^\r\n\p{L}\p{N}]?" + UP + "*" + LOW + "+" + CONTRACTION + r"?|[^\r\n\p{L}\p{N}]?" + UP + "+" + LOW + "*" + CONTRACTION
         + r"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + TAIL)
TEKKEN = (r"[^\r\n\p{L}\p{N}]?" + UP + "*" + LOW + r"+|[^\r\n\p{L}\p{N}]?" + UP + "+" + LOW + r"*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + TAIL)
CLIP = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
GLM = r"(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
DEEPSEEK = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def text():
    """Real text of this machine, and strings beyond those of the comparison."""
    roots = [os.path.dirname(os.__file__), "/usr/share/common-licenses"]
    size = 0
    for root in roots:
        for path in sorted(glob.glob(root + "/*"))[:400]:
            if os.path.isfile(path) and (path.endswith(".py") or "licenses" in path):
                for line in open(path, encoding="utf-8", errors="ignore"):
                    if line.isascii():
                        size += len(line)
                        yield line
            if size > 1_500_000:
                break
    for i in range(1_000_000, 1_012_000):
        yield corpus.string(i)


TEXT = None


def train(t, trainer):
    global TEXT
    if TEXT is None:
        TEXT = list(text())
    t.train_from_iterator(TEXT, trainer)
    return t


def special(*names):
    return [AddedToken(n, special=True, normalized=False) for n in names]


def byte_bpe(pre, norm=None, post=None, size=1200, ignore_merges=False, specials=("<|endoftext|>",), **kw):
    t = Tokenizer(models.BPE(**kw))
    if norm:
        t.normalizer = norm
    t.pre_tokenizer = pre
    t.decoder = decoders.ByteLevel()
    train(t, trainers.BpeTrainer(vocab_size=size, special_tokens=special(*specials), show_progress=False,
                                 initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    if post:
        t.post_processor = post
    if ignore_merges:
        j = json.loads(t.to_str())
        j["model"]["ignore_merges"] = True
        # Words that no merge makes, as real vocabularies have.
        for w in ["Ġattention", "transformers", "ĠĠĠĠĠĠ", "kokoro"]:
            j["model"]["vocab"].setdefault(w, len(j["model"]["vocab"]))
        t = Tokenizer.from_str(json.dumps(j))
    return t


def seq(*all):
    return pre_tokenizers.Sequence(list(all))


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert=invert)


def template(single, pair, ids):
    return processors.TemplateProcessing(single=single, pair=pair, special_tokens=ids)


def wordpiece(lower, names=("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"), unk="[UNK]", post=None):
    t = Tokenizer(models.WordPiece(unk_token=unk))
    t.normalizer = normalizers.BertNormalizer(lowercase=lower)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    train(t, trainers.WordPieceTrainer(vocab_size=2500, special_tokens=special(*names), show_progress=False, limit_alphabet=1200))
    t.post_processor = post(t) if post else processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return t


def sentencepiece_model(kind, size, **kw):
    model = io.BytesIO()
    global TEXT
    if TEXT is None:
        TEXT = list(text())
    lines = (s.replace("\0", "").replace("\n", " ")[:400] for s in TEXT)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines, model_writer=model, model_type=kind, vocab_size=size, character_coverage=0.98,
        minloglevel=2, num_threads=1, input_sentence_size=12000, shuffle_input_sentence=False, **kw)
    return model.getvalue()


def spm_parts(blob):
    from sentencepiece import sentencepiece_model_pb2 as pb
    m = pb.ModelProto()
    m.ParseFromString(blob)
    return m


def sp_unigram(blob, normalizer, pre, extra=(), shift=0, post=None, byte_fallback=False):
    m = spm_parts(blob)
    vocab = [(p.piece, p.score) for p in m.pieces]
    if extra:
        vocab = list(extra) + vocab[shift:]
    t = Tokenizer(models.Unigram(vocab, unk_id=[v[0] for v in vocab].index("<unk>"), byte_fallback=byte_fallback))
    t.normalizer = normalizer
    t.pre_tokenizer = pre
    t.decoder = decoders.Metaspace()
    if post:
        t.post_processor = post
    return t


def sp_bpe(blob, norm, pre=None, **kw):
    m = spm_parts(blob)
    ids = {p.piece: i for i, p in enumerate(m.pieces)}
    merges = []
    for p in m.pieces:
        if p.type != 1:
            continue
        local = [(p.piece[:k], p.piece[k:]) for k in range(1, len(p.piece)) if p.piece[:k] in ids and p.piece[k:] in ids]
        merges += [(a, b, p.score) for a, b in sorted(local, key=lambda x: (ids[x[0]], ids[x[1]]))]
    merges.sort(key=lambda x: -x[2])
    t = Tokenizer(models.BPE(ids, [(a, b) for a, b, _ in merges], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = norm
    if pre:
        t.pre_tokenizer = pre
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.add_special_tokens(special("<unk>", "<s>", "</s>"))
    t.post_processor = template("<s> $A", "<s> $A <s>:1 $B:1", [("<s>", 1)])
    return t


def write(name, data):
    with open(HERE / name, "wb") as f:
        f.write(gzip.compress(data, 9, mtime=0))


def make():
    nfkc = sentencepiece_model("unigram", 2500, normalization_rule_name="nmt_nfkc", pad_id=3)
    write("unigram.model.gz", nfkc)
    bpe = sentencepiece_model("bpe", 1500, normalization_rule_name="identity", byte_fallback=True, remove_extra_whitespaces=False,
                              split_digits=True, user_defined_symbols=["<|im_start|>", "foo_bar"])
    write("bpe.model.gz", bpe)
    charsmap = spm_parts(nfkc).normalizer_spec.precompiled_charsmap
    pre = lambda: normalizers.Precompiled(charsmap)
    S = lambda *n: normalizers.Sequence(list(n))
    bl = pre_tokenizers.ByteLevel
    out = {}
    out["gpt2"] = byte_bpe(bl(add_prefix_space=False), post=processors.ByteLevel(trim_offsets=False))
    out["roberta"] = byte_bpe(bl(add_prefix_space=False), specials=("<s>", "<pad>", "</s>", "<unk>"),
                              post=processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False))
    out["roberta"].add_special_tokens([AddedToken("<mask>", lstrip=True, special=True, normalized=False)])
    out["bart"] = byte_bpe(bl(add_prefix_space=True), specials=("<s>", "<pad>", "</s>", "<unk>"),
                           post=processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=True))
    out["bart"].add_tokens([AddedToken("newtok", single_word=True), AddedToken("yesterday", lstrip=True, rstrip=True), "  "])
    out["llama3"] = byte_bpe(seq(split(LLAMA3), bl(add_prefix_space=False, use_regex=False)), ignore_merges=True,
                             specials=("<|begin_of_text|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>"),
                             post=processors.Sequence([processors.ByteLevel(trim_offsets=False), template(
                                 "<|begin_of_text|> $A", "<|begin_of_text|> $A <|begin_of_text|>:1 $B:1", [("<|begin_of_text|>", 0)])]))
    out["qwen2"] = byte_bpe(seq(split(QWEN2), bl(add_prefix_space=False, use_regex=False)), norm=normalizers.NFC(),
                            specials=("<|endoftext|>", "<|im_start|>", "<|im_end|>"), post=processors.ByteLevel(trim_offsets=False))
    out["gpt4o"] = byte_bpe(seq(split(GPT4O), bl(add_prefix_space=False, use_regex=False)), post=processors.ByteLevel(trim_offsets=True))
    out["tekken"] = byte_bpe(seq(split(TEKKEN), bl(add_prefix_space=False, use_regex=False)), ignore_merges=True)
    out["glm"] = byte_bpe(seq(split(GLM), bl(add_prefix_space=False, use_regex=False)))
    out["deepseek"] = byte_bpe(seq(split(r"\p{N}{1,3}"), split(r"[一-龥぀-ゟ゠-ヿ]+"), split(DEEPSEEK), bl(add_prefix_space=False, use_regex=False)))
    out["falcon"] = byte_bpe(seq(pre_tokenizers.Punctuation("contiguous"), bl(add_prefix_space=False), pre_tokenizers.Digits(), split("[0-9][0-9][0-9]")))
    out["starcoder"] = byte_bpe(seq(pre_tokenizers.Digits(individual_digits=True), bl(add_prefix_space=False)))
    out["bytenorm"] = byte_bpe(split(r"\s+", "merged_with_next"), norm=S(normalizers.NFKC(), normalizers.ByteLevel()))
    out["clip"] = Tokenizer(models.BPE(continuing_subword_prefix="", end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    out["clip"].normalizer = S(normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase())
    out["clip"].pre_tokenizer = seq(split(CLIP, "removed", True), bl(add_prefix_space=False))
    out["clip"].decoder = decoders.ByteLevel()
    train(out["clip"], trainers.BpeTrainer(vocab_size=1500, end_of_word_suffix="</w>", special_tokens=special("<|startoftext|>", "<|endoftext|>"),
                                           initial_alphabet=bl.alphabet(), show_progress=False))
    out["clip"].post_processor = processors.RobertaProcessing(("<|endoftext|>", 1), ("<|startoftext|>", 0), trim_offsets=False, add_prefix_space=False)
    out["bert"] = wordpiece(True)
    out["bert-cased"] = wordpiece(False)
    out["mpnet"] = wordpiece(True, ("<s>", "<pad>", "</s>", "<unk>", "<mask>", "[UNK]"), post=lambda t: template(
        "<s> $A </s>", "<s> $A </s> </s> $B </s>", [("<s>", 0), ("</s>", 2)]))
    out["mpnet"].add_special_tokens([AddedToken("<mask>", lstrip=True, special=True, normalized=False)])
    out["t5"] = sp_unigram(nfkc, pre(), pre_tokenizers.Metaspace(prepend_scheme="always"), post=template("$A </s>", "$A </s> $B </s>", [("</s>", 2)]))
    out["t5"].add_special_tokens(special("<pad>", "</s>", "<unk>", *[f"<extra_id_{i}>" for i in range(3)]))
    out["xlmr"] = sp_unigram(nfkc, S(pre(), normalizers.Replace(Regex(" {2,}"), " ")), seq(pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()),
                             extra=[("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)], shift=4,
                             post=template("<s> $A </s>", "<s> $A </s> </s> $B </s>", [("<s>", 0), ("</s>", 2)]))
    out["xlmr"].add_special_tokens([AddedToken("<mask>", lstrip=True, special=True, normalized=True), *special("<s>", "</s>")])
    out["albert"] = sp_unigram(nfkc, S(normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(), normalizers.StripAccents(),
                                       normalizers.Lowercase(), pre(), normalizers.Replace(Regex(" {2,}"), " ")),
                               pre_tokenizers.Metaspace(), post=template("<s> $A </s>", "<s>:0 $A:0 </s>:0 $B:1 </s>:1", [("<s>", 1), ("</s>", 2)]))
    out["unifirst"] = sp_unigram(nfkc, S(normalizers.Strip(), normalizers.Nmt(), normalizers.NFD()), pre_tokenizers.Metaspace(prepend_scheme="first"))
    out["uniscripts"] = sp_unigram(nfkc, normalizers.NFKC(), seq(pre_tokenizers.UnicodeScripts(), pre_tokenizers.Metaspace("▁", "never", False)))
    out["llama2"] = sp_bpe(bpe, S(normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")))
    out["llama2"].add_tokens(["newtok"])
    out["llamafirst"] = sp_bpe(bpe, None, pre_tokenizers.Metaspace("▁", "first", False))
    out["gemma"] = sp_bpe(bpe, normalizers.Replace(" ", "▁"), pre_tokenizers.Split(" ", "merged_with_previous"))
    out["gemma"].add_tokens([AddedToken("<bos>", normalized=False), "\n\n", "▁▁"])
    out["wordlevel"] = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    out["wordlevel"].normalizer = S(normalizers.StripAccents(), normalizers.Strip(left=True, right=False))
    out["wordlevel"].pre_tokenizer = pre_tokenizers.Whitespace()
    train(out["wordlevel"], trainers.WordLevelTrainer(vocab_size=1500, special_tokens=special("[UNK]"), show_progress=False))
    out["wordlevel"].add_tokens(["Yesterday"])
    # A BPE of characters: prefix, unknown tokens one by one, odd splits.
    out["charbpe"] = Tokenizer(models.BPE(unk_token="[UNK]", continuing_subword_prefix="##"))
    out["charbpe"].normalizer = S(normalizers.NFD(), normalizers.Lowercase(), normalizers.NFC())
    out["charbpe"].pre_tokenizer = seq(pre_tokenizers.CharDelimiterSplit("_"), split(r"[aeiou]+\b|(?<=\d)x", "merged_with_previous"),
                                       pre_tokenizers.FixedLength(11), split(r"(?:\p{Han}|\p{Thai})(?=\S)", "contiguous"))
    out["charbpe"].decoder = decoders.BPEDecoder("</w>")
    train(out["charbpe"], trainers.BpeTrainer(vocab_size=1500, continuing_subword_prefix="##", special_tokens=special("[UNK]"), show_progress=False,
                                              limit_alphabet=300))
    blob = base64.b64encode(charsmap).decode()
    for name, t in out.items():
        data = t.to_str().replace(blob, "@unigram.model")
        write(name + ".json.gz", data.encode())
    total = sum(p.stat().st_size for p in HERE.glob("*.gz"))
    print(len(out), "tokenizers,", total, "bytes")
    return sorted(out) + ["bpe.model", "unigram.model"]


class Spm:
    """A SentencePiece model with the library's own encoder."""

    def __init__(self, name):
        with gzip.open(HERE / name) as f:
            self.p = sentencepiece.SentencePieceProcessor(model_proto=f.read())

    def hash(self, i):
        h = corpus.START
        ids = self.p.encode(corpus.string(i))
        for id in ids:
            h = corpus.fnv(h, id)
        return corpus.fnv(h, len(ids))


def load(name):
    if name.endswith(".model"):
        return Spm(name + ".gz")
    with gzip.open(HERE / (name + ".json.gz")) as f:
        text = f.read().decode()
    if "@unigram.model" in text:
        with gzip.open(HERE / "unigram.model.gz") as f:
            blob = spm_parts(f.read()).normalizer_spec.precompiled_charsmap
        text = text.replace("@unigram.model", base64.b64encode(blob).decode())
    return Tokenizer.from_str(text)


def hash_of(t, i):
    """What the library makes of string i, as a number."""
    if isinstance(t, Spm):
        return t.hash(i)
    s = corpus.string(i)
    h = corpus.START
    for e in [t.encode(s)] + ([t.encode(s, corpus.string(i + 1))] if i % 16 == 0 else []):
        for id, (start, end), word, kind in zip(e.ids, e.offsets, e.word_ids, e.type_ids):
            h = corpus.fnv(h, id)
            h = corpus.fnv(h, start)
            h = corpus.fnv(h, end)
            h = corpus.fnv(h, (0 if word is None else word + 1) << 8 | kind)
        h = corpus.fnv(h, len(e.ids))
        if i % 8 == 0:
            for b in t.decode(e.ids, skip_special_tokens=i % 3 == 0).encode():
                h = corpus.fnv(h, b)
    return h


def golden(names):
    path = HERE / "golden.json"
    all = json.loads(path.read_text()) if path.exists() else {}
    for name in names:
        t = load(name)
        hashes = []
        for block in range(0, COUNT, BLOCK):
            h = corpus.START
            for i in range(block, block + BLOCK):
                one = hash_of(t, i)
                h = corpus.fnv(corpus.fnv(h, one), one >> 32)
            hashes.append(f"{h:016x}")
        all[name] = "".join(hashes)
        print(name, flush=True)
        path.write_text(json.dumps(all, indent=0, sort_keys=True) + "\n")


if len(sys.argv) > 1 and sys.argv[1] == "strings":
    t = load(sys.argv[2])
    pathlib.Path(sys.argv[3]).write_text("".join(f"{hash_of(t, i):016x}\n" for i in range(int(sys.argv[4]) if len(sys.argv) > 4 else COUNT)))
elif len(sys.argv) > 1 and sys.argv[1] == "golden":
    golden(sys.argv[2:] or sorted(p.name.removesuffix(".gz").removesuffix(".json") for p in HERE.glob("*.gz")))
elif len(sys.argv) > 1 and sys.argv[1] == "train":
    make()
elif len(sys.argv) == 1:
    golden(make())
