"""Content for uploads, the same on every run."""

import json
import random
import struct


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that do not compress."""
    return random.Random(seed).randbytes(size)


def safetensors(tensors: dict[str, tuple[str, list[int]]], metadata: dict[str, str] | None = None) -> bytes:
    """A safetensors file of zeros: name -> (dtype, shape)."""
    sizes = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I8": 1}
    header, offset = {}, 0
    if metadata:
        header["__metadata__"] = metadata
    for name, (dtype, shape) in tensors.items():
        count = 1
        for n in shape:
            count *= n
        end = offset + count * sizes[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(offset)


def gguf(architecture: str = "llama", name: str = "tiny", tensors: int = 0) -> bytes:
    """A GGUF v3 header with three key-value pairs."""

    def string(s: str) -> bytes:
        return struct.pack("<Q", len(s)) + s.encode()

    pairs = [
        string("general.architecture") + struct.pack("<I", 8) + string(architecture),
        string("general.name") + struct.pack("<I", 8) + string(name),
        string(f"{architecture}.context_length") + struct.pack("<II", 4, 2048),
    ]
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, len(pairs)) + b"".join(pairs)


def card(**data) -> bytes:
    """A README.md with front matter."""
    lines = [f"{k}: {json.dumps(v)}" for k, v in data.items()]
    return ("---\n" + "\n".join(lines) + "\n---\n\n# Title\n\nBody.\n").encode()
