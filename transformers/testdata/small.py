"""Shared by make.py: small tokenizers and models with random weights.

The weights are drawn as in ../models/parity/tiny.py, large enough for every
part to matter; the tokenizers are trained on corpus.txt.
"""
import json
import pathlib
import shutil
import sys

import tokenizers as tk
import transformers as tf
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "models" / "parity"))
CORPUS = (HERE / "corpus.txt").read_text().splitlines()


def wordpiece(length, size=300):
    """The tokenizer of BERT, uncased."""
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    t = tk.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=size, special_tokens=specials, show_progress=False))
    ids = {s: t.token_to_id(s) for s in specials}
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
                                                     special_tokens=[(s, ids[s]) for s in ("[CLS]", "[SEP]")])
    fast = tf.PreTrainedTokenizerFast(tokenizer_object=t, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
                                      mask_token="[MASK]", model_max_length=length,
                                      model_input_names=["input_ids", "token_type_ids", "attention_mask"])
    return fast


def byte_bpe(length, size=330):
    """The tokenizer of RoBERTa and BART."""
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    t = tk.Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=size, special_tokens=specials[:4], show_progress=False,
                                                      initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.add_special_tokens([tk.AddedToken("<mask>", lstrip=True, special=True, normalized=False)])
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    fast = tf.PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
                                      cls_token="<s>", sep_token="</s>", mask_token="<mask>", model_max_length=length)
    return fast


def chat_bpe(length, template, size=330):
    """The tokenizer of a decoder that chats in ChatML."""
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    t = tk.Tokenizer(models.BPE())
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=size, special_tokens=specials, show_progress=False,
                                                      initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    fast = tf.PreTrainedTokenizerFast(tokenizer_object=t, eos_token="<|im_end|>" if template else "<|endoftext|>", pad_token="<|endoftext|>",
                                      model_max_length=length)
    if template:
        fast.chat_template = template
    return fast


def spaces_bpe(length, template, size=400):
    """The tokenizer of Gemma: BPE over text whose spaces are ▁, bytes for what it does not know."""
    specials = ["<pad>", "<eos>", "<bos>", "<unk>", "<end_of_turn>", "<start_of_turn>"]
    t = tk.Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    t.normalizer = normalizers.Replace(" ", "▁")
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    t.train_from_iterator([line.replace(" ", "▁") for line in CORPUS], trainers.BpeTrainer(
        vocab_size=size + 256, special_tokens=specials + [f"<0x{i:02X}>" for i in range(256)], show_progress=False, max_token_length=12))
    state = json.loads(t.to_str())  # the bytes are pieces, not special tokens
    state["added_tokens"] = [a for a in state["added_tokens"] if not a["content"].startswith("<0x")]
    t = tk.Tokenizer.from_str(json.dumps(state))
    t.post_processor = processors.TemplateProcessing(single="<bos> $A", pair="<bos> $A <bos>:1 $B:1", special_tokens=[("<bos>", 2)])
    fast = tf.PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>", model_max_length=length)
    fast.chat_template = template
    return fast


def clip_bpe(length, size=330):
    """The tokenizer of CLIP: lower case, </w> at the end of words."""
    t = tk.Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>"))
    t.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator([line.lower() for line in CORPUS], trainers.BpeTrainer(
        vocab_size=size, end_of_word_suffix="</w>", special_tokens=["<|startoftext|>", "<|endoftext|>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.post_processor = processors.RobertaProcessing(("<|endoftext|>", 1), ("<|startoftext|>", 0), trim_offsets=False, add_prefix_space=False)
    fast = tf.PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<|startoftext|>", eos_token="<|endoftext|>", unk_token="<|endoftext|>",
                                      pad_token="<|endoftext|>", model_max_length=length)
    return fast


def unigram(length, size=250):
    """The tokenizer of T5."""
    t = tk.Tokenizer(models.Unigram())
    t.normalizer = normalizers.NFKC()
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.decoder = decoders.Metaspace()
    t.train_from_iterator(CORPUS, trainers.UnigramTrainer(vocab_size=size, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>",
                                                          show_progress=False))
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    fast = tf.PreTrainedTokenizerFast(tokenizer_object=t, eos_token="</s>", pad_token="<pad>", unk_token="<unk>", model_max_length=length)
    return fast


def folder(name):
    """An empty folder for a model."""
    path = HERE / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def plain(x):
    """Outputs of a pipeline as JSON, floats rounded to what float32 holds."""
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [plain(v) for v in x]
    if hasattr(x, "tolist"):
        return plain(x.tolist())
    return float(f"{x:.7g}") if isinstance(x, float) else x


def write_golden(path, cases):
    """Writes golden.json: cases of task, inputs, parameters and output."""
    lines = ",\n".join(json.dumps(plain(c), ensure_ascii=False) for c in cases)
    (path / "golden.json").write_text("[\n" + lines + "\n]\n")
    for f in path.rglob("*"):  # what no pipeline reads
        if f.name in ("README.md", "special_tokens_map.json"):
            f.unlink()
        elif f.is_file():
            f.chmod(0o644)
    size = sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
    print(f"{path.name}: {len(cases)} cases, {size} bytes", flush=True)
    assert size < 300_000, path
