"""Writes a random 1.1 B Llama as GGUF: python random_llama.py TYPE FILE

TYPE is Q4_0, Q4_K or Q8_0. The speed of a network does not depend on its
weights; the shapes are TinyLlama's. Needs numpy and gguf.
"""
import sys

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf import GGUFWriter

LAYERS, DIM, FFN, HEADS, KV_HEADS, VOCABULARY = 22, 2048, 5632, 32, 4, 32000
# numbers and bytes of a block, and where its scales are with a value that makes weights of about 0.02
BLOCKS = {
    T.Q8_0: (32, 34, {0: 0.02 / 73}),
    T.Q4_0: (32, 18, {0: 0.02 / 5}),
    T.Q4_K: (256, 144, {0: 0.02 / 4 / 31, 2: 0.03 / 31}),
}


def main(kind, path):
    w = GGUFWriter(path, "llama")
    w.add_name("random"), w.add_context_length(2048), w.add_embedding_length(DIM), w.add_block_count(LAYERS)
    w.add_feed_forward_length(FFN), w.add_head_count(HEADS), w.add_head_count_kv(KV_HEADS), w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_dimension_count(DIM // HEADS), w.add_rope_freq_base(10000.0), w.add_vocab_size(VOCABULARY)
    tokens = [b"<unk>", b"<s>", b"</s>"] + [b"<0x%02X>" % i for i in range(256)]
    types = [2, 3, 3] + [6] * 256
    tokens += [b"t%d" % i for i in range(VOCABULARY - len(tokens))]
    types += [1] * (VOCABULARY - len(types))
    w.add_tokenizer_model("llama"), w.add_token_list(tokens), w.add_token_scores([0.0] * VOCABULARY), w.add_token_types(types)
    w.add_bos_token_id(1), w.add_eos_token_id(2)
    rng = np.random.default_rng(1)
    length, size, scales = BLOCKS[kind]

    def matrix(name, rows, cols):
        blocks = rng.integers(0, 256, size=(rows * cols // length, size), dtype=np.uint8)
        for at, value in scales.items():
            blocks[:, at:at + 2] = np.frombuffer(np.float16(value).tobytes(), dtype=np.uint8)
        w.add_tensor(name + ".weight", blocks.reshape(rows, cols // length * size), raw_dtype=kind)

    matrix("token_embd", VOCABULARY, DIM), matrix("output", VOCABULARY, DIM)
    ones = np.ones(DIM, np.float32)
    w.add_tensor("output_norm.weight", ones)
    for i in range(LAYERS):
        p = f"blk.{i}."
        w.add_tensor(p + "attn_norm.weight", ones), w.add_tensor(p + "ffn_norm.weight", ones)
        matrix(p + "attn_q", DIM, DIM), matrix(p + "attn_output", DIM, DIM)
        matrix(p + "attn_k", DIM // HEADS * KV_HEADS, DIM), matrix(p + "attn_v", DIM // HEADS * KV_HEADS, DIM)
        matrix(p + "ffn_gate", FFN, DIM), matrix(p + "ffn_up", FFN, DIM), matrix(p + "ffn_down", DIM, FFN)
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()


if __name__ == "__main__":
    main(getattr(T, sys.argv[1]), sys.argv[2])
