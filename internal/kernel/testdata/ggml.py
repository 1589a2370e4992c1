"""Writes ggml.bin: floats and what ggml's reference code makes of them.

    python ggml.py path/to/libggml-base.so ggml.bin

Little-endian. First n (uint32) and n float32 elements. Then for each of Q8_0,
Q4_0, Q4_K, Q5_K, Q6_K: the elements quantised, those bytes dequantised (n
float32), as many random bytes, and those dequantised.
"""
import ctypes, sys
import numpy as np

lib = ctypes.CDLL(sys.argv[1])
rng = np.random.default_rng(3)
block = lambda f: f.astype(np.float32).reshape(256)
x = np.concatenate([
    block(rng.standard_normal(256) * 0.02),
    block(rng.standard_t(3, 256)),
    block(rng.uniform(0, 1, 256)),
    block(-rng.uniform(1, 2, 256)),
    block(np.where(rng.uniform(size=256) < 0.9, 0, rng.standard_normal(256))),
    block(np.repeat(rng.standard_normal(8), 32)),
    block(np.round(rng.standard_normal(256) * 4) / 4),
    block(np.zeros(256)),
    block(rng.standard_normal(256) * np.exp(rng.standard_normal(256) * 4)),
    block(rng.standard_normal(256) * 1e-18),
])
out = [np.uint32(len(x)).tobytes(), x.tobytes()]
ptr = lambda a: a.ctypes.data_as(ctypes.c_void_p)
n = ctypes.c_int64(len(x))
for name, length, size in [("q8_0", 32, 34), ("q4_0", 32, 18), ("q4_K", 256, 144), ("q5_K", 256, 176), ("q6_K", 256, 210)]:
    q = np.zeros(len(x) // length * size, np.uint8)
    getattr(lib, f"quantize_row_{name}_ref")(ptr(x), ptr(q), n)
    y = np.zeros_like(x)
    getattr(lib, f"dequantize_row_{name}")(ptr(q), ptr(y), n)
    out += [q.tobytes(), y.tobytes()]
    q = rng.integers(0, 256, size=(len(x) // length, size), dtype=np.uint8)
    for at in {"q8_0": [1], "q4_0": [1], "q4_K": [1, 3], "q5_K": [1, 3], "q6_K": [209]}[name]:
        q[:, at] &= 0xBB  # scales are finite
    getattr(lib, f"dequantize_row_{name}")(ptr(q), ptr(y), n)
    out += [q.tobytes(), y.tobytes()]
with open(sys.argv[2], "wb") as f:
    f.write(b"".join(out))
