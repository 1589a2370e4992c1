"""Writes ggml.bin: floats and what ggml's reference code makes of them.

    python ggml.py path/to/libggml-base.so path/to/libggml-cpu-haswell.so ggml.bin

Little-endian. First n (uint32), n float32 elements and n float32 activations.
Then for each of Q8_0, Q4_0, Q4_K, Q5_K, Q6_K: the elements quantised, those bytes
dequantised (n float32), as many random bytes, those dequantised, and the products
of every 512 quantised elements with as many activations, which ggml quantises.
"""
import ctypes, sys
import numpy as np

lib = ctypes.CDLL(sys.argv[1], mode=ctypes.RTLD_GLOBAL)
cpu = ctypes.CDLL(sys.argv[2])
cpu.ggml_cpu_init()
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
acts = np.random.default_rng(4).standard_normal(len(x)).astype(np.float32)
out = [np.uint32(len(x)).tobytes(), x.tobytes(), acts.tobytes()]
ptr = lambda a: a.ctypes.data_as(ctypes.c_void_p)
n = ctypes.c_int64(len(x))


def products(name, q, row, kind):
    """Dot products of rows of so many bytes with activations quantised as kind."""
    dots = np.zeros(len(x) // 512, np.float32)
    for i in range(len(dots)):
        a = np.zeros(4096, np.uint8)
        getattr(cpu, f"quantize_row_{kind}")(ptr(acts[512 * i :]), ptr(a), ctypes.c_int64(512))
        zero = ctypes.c_size_t(0)
        w = np.concatenate([q[row * i : row * (i + 1)], np.zeros(64, np.uint8)])
        getattr(cpu, f"ggml_vec_dot_{name}_{kind}")(ctypes.c_int(512), ptr(dots[i:]), zero, ptr(w), zero, ptr(a), zero, ctypes.c_int(1))
    return dots


for name, length, size in [("q8_0", 32, 34), ("q4_0", 32, 18), ("q4_K", 256, 144), ("q5_K", 256, 176), ("q6_K", 256, 210)]:
    q = np.zeros(len(x) // length * size, np.uint8)
    getattr(lib, f"quantize_row_{name}_ref")(ptr(x), ptr(q), n)
    y = np.zeros_like(x)
    getattr(lib, f"dequantize_row_{name}")(ptr(q), ptr(y), n)
    out += [q.tobytes(), y.tobytes()]
    dots = products(name, q, 512 // length * size, "q8_0" if length == 32 else "q8_K")
    q = rng.integers(0, 256, size=(len(x) // length, size), dtype=np.uint8)
    for at in {"q8_0": [1], "q4_0": [1], "q4_K": [1, 3], "q5_K": [1, 3], "q6_K": [209]}[name]:
        q[:, at] &= 0xBB  # scales are finite
    getattr(lib, f"dequantize_row_{name}")(ptr(q), ptr(y), n)
    out += [q.tobytes(), y.tobytes(), dots.tobytes()]
with open(sys.argv[3], "wb") as f:
    f.write(b"".join(out))
