"""Writes the golden files of this folder. Needs: pip install safetensors numpy ml_dtypes"""
import json
import os

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

here = os.path.dirname(os.path.abspath(__file__))


def path(name):
    return os.path.join(here, name)


def describe(name):
    """Records what the reference implementation reads back."""
    from safetensors import safe_open

    out = {"metadata": None, "tensors": {}}
    with safe_open(path(name), framework="numpy") as f:
        out["metadata"] = f.metadata()
        for key in f.keys():
            view = f.get_slice(key)
            out["tensors"][key] = {"dtype": view.get_dtype(), "shape": view.get_shape()}
    with open(path(name) + ".json", "w") as f:
        json.dump(out, f, indent=1, sort_keys=True)
        f.write("\n")


save_file(
    {
        "f32": np.arange(6, dtype=np.float32).reshape(2, 3),
        "f16": np.arange(4, dtype=np.float16),
        "bf16": np.arange(4, dtype=ml_dtypes.bfloat16).reshape(1, 4),
        "i64": np.arange(2, dtype=np.int64),
        "u8": np.arange(3, dtype=np.uint8),
        "bool": np.array([True, False]),
        "scalar": np.array(7, dtype=np.int32),
        "empty": np.zeros((0, 5), dtype=np.float64),
        "naïve \"name\"": np.zeros((1,), dtype=np.float32),
    },
    path("mixed.safetensors"),
    metadata={"format": "np", "total_parameters": "12"},
)
describe("mixed.safetensors")
save_file({}, path("empty.safetensors"))
describe("empty.safetensors")
