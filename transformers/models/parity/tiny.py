"""Shared by the scripts that make the tiny checkpoints under testdata.

A tiny checkpoint has the architecture of the real one and random weights that
are large enough for every part to matter: zero biases and unit norms, which a
fresh model has, would hide a missing bias or a wrong norm.
"""
import json
import pathlib
import shutil

import torch

HERE = pathlib.Path(__file__).resolve().parent


def randomize(model, seed, scale=0.25):
    """Draws every parameter that is learned anew."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if not p.requires_grad:  # sinusoids
                continue
            noise = torch.randn(p.shape, generator=g)
            if p.dim() == 1 and ("norm" in name.lower() or "ln" in name.lower()) and name.endswith("weight"):
                p.copy_(1 + 0.2 * noise)
            elif p.dim() <= 1:
                p.copy_(0.2 * noise)
            else:
                p.copy_(scale * noise)
    model.eval()
    return model


def save(model, folder, golden, dtype=torch.float32):
    """Writes config.json, model.safetensors and golden.json to folder."""
    folder = pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model.to(dtype).save_pretrained(folder, safe_serialization=True)
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{folder.name}: {size} bytes")
    assert size < 300_000, folder


def numbers(t):
    """A tensor as nested lists, rounded to what float32 can tell apart."""
    return json.loads(json.dumps(t.detach().float().tolist()), parse_float=lambda s: float(f"{float(s):.7g}"))
