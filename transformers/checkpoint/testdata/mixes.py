"""Makes mixes.json: the types that llama.cpp's own quantiser gives the tensors
of the files that llamacpp_test.go writes with -llamacpp DIR, in its mixes.

    python mixes.py FOLDER_OF_THE_LIBRARIES DIR    (needs the package gguf)
"""

import ctypes
import glob
import json
import os
import sys

import gguf

libraries, files = sys.argv[1:]


class Parameters(ctypes.Structure):
    """llama_model_quantize_params, of which only the beginning is set."""

    _fields_ = [(name, ctypes.c_int32) for name in ("nthread", "ftype", "output_tensor_type", "token_embedding_type")] + [
        ("rest", ctypes.c_uint8 * 256)
    ]


def load(name):
    return ctypes.CDLL(glob.glob(os.path.join(libraries, name))[0], mode=ctypes.RTLD_GLOBAL)


load("libggml-base.so")
load("libggml.v*.so").ggml_backend_load_all_from_path(libraries.encode())
llama = load("libllama.v*.so")
llama.llama_model_quantize_default_params.restype = Parameters
llama.llama_model_quantize.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(Parameters)]
llama.llama_backend_init()

mixes = {}
for path in sorted(glob.glob(os.path.join(files, "mix-*.gguf"))):
    name = os.path.basename(path)[: -len(".gguf")]
    for mix, ftype in {"Q4_K": 15, "Q5_K": 17}.items():
        p = llama.llama_model_quantize_default_params()
        p.ftype, p.nthread = ftype, 1
        out = os.path.join(files, "quantised.gguf")
        if llama.llama_model_quantize(path.encode(), out.encode(), ctypes.byref(p)) != 0:
            sys.exit(f"{path}: llama.cpp cannot quantise it")
        tensors = gguf.GGUFReader(out).tensors
        mixes.setdefault(name, {})[mix] = {t.name: t.tensor_type.name for t in tensors if len(t.shape) > 1}
        os.remove(out)
with open(os.path.join(os.path.dirname(__file__), "mixes.json"), "w") as f:
    json.dump(mixes, f, indent=0, sort_keys=True)
    f.write("\n")
