"""Writes the golden files of this folder. Needs: pip install gguf numpy"""
import json
import os

import numpy as np
from gguf import GGUFEndian, GGUFReader, GGUFWriter
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import quantize

here = os.path.dirname(os.path.abspath(__file__))


def write(name, endian):
    path = os.path.join(here, name)
    w = GGUFWriter(path, "llama", endianess=endian)
    w.add_name("tiny")
    w.add_context_length(2048)
    w.add_uint8("t.u8", 200)
    w.add_int8("t.i8", -3)
    w.add_uint16("t.u16", 60000)
    w.add_int16("t.i16", -300)
    w.add_int32("t.i32", -70000)
    w.add_uint64("t.u64", 1 << 40)
    w.add_int64("t.i64", -(1 << 40))
    w.add_float32("t.f32", 0.5)
    w.add_float64("t.f64", 0.25)
    w.add_bool("t.bool", True)
    w.add_array("t.ints", [1, -2, 3])
    w.add_token_list(["<unk>", "<s>", "</s>", "é"])
    w.add_token_scores([0.0, -1.0, -2.0, -3.5])
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    w.add_chat_template("{{ bos_token }}{{ messages }}")
    w.add_tensor("f32", np.arange(6, dtype=np.float32).reshape(2, 3))
    w.add_tensor("f16", np.arange(4, dtype=np.float16))
    if endian == GGUFEndian.LITTLE:
        q = quantize(np.ones((2, 64), dtype=np.float32), GGMLQuantizationType.Q8_0)
        w.add_tensor("q8_0", q, raw_dtype=GGMLQuantizationType.Q8_0)
        q = quantize(np.ones((1, 32), dtype=np.float32), GGMLQuantizationType.Q4_0)
        w.add_tensor("q4_0", q, raw_dtype=GGMLQuantizationType.Q4_0)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    out = {}
    for t in GGUFReader(path).tensors:
        out[t.name] = {
            "type": t.tensor_type.name,
            "shape": [int(d) for d in t.shape],
            "offset": int(t.data_offset),
            "size": int(t.n_bytes),
        }
    with open(path + ".json", "w") as f:
        json.dump(out, f, indent=1, sort_keys=True)
        f.write("\n")


write("little.gguf", GGUFEndian.LITTLE)
write("big.gguf", GGUFEndian.BIG)
with open(os.path.join(here, "types.json"), "w") as f:
    sizes = {t.name: [int(t), *GGML_QUANT_SIZES[t]] for t in GGML_QUANT_SIZES}
    json.dump(sizes, f, indent=1)
    f.write("\n")
