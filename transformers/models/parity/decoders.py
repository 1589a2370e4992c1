"""Makes the tiny decoders: python decoders.py [NAME...]

Needs torch and transformers (made with 2.15 and 5.23). golden.json has a
prompt, the logits of its every token, and the greedy continuation.
"""
import sys

import torch
import transformers as tf

from tiny import HERE, numbers, randomize, save

COMMON = dict(vocab_size=96, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
              num_key_value_heads=2, max_position_embeddings=128, bos_token_id=1, eos_token_id=95, pad_token_id=0)

MODELS = {
    "llama": lambda: tf.LlamaForCausalLM(tf.LlamaConfig(**COMMON)),
    "llama-llama3": lambda: tf.LlamaForCausalLM(tf.LlamaConfig(**COMMON, attention_bias=True, mlp_bias=True, head_dim=16, rope_parameters=dict(
        rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16))),
    "llama-yarn": lambda: tf.LlamaForCausalLM(tf.LlamaConfig(**COMMON, tie_word_embeddings=True, rope_parameters=dict(
        rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=32))),
    "llama-linear": lambda: tf.LlamaForCausalLM(tf.LlamaConfig(**COMMON, rope_parameters=dict(
        rope_type="linear", rope_theta=10000.0, factor=2.0))),
    "llama-dynamic": lambda: tf.LlamaForCausalLM(tf.LlamaConfig(**COMMON | dict(max_position_embeddings=16), rope_parameters=dict(
        rope_type="dynamic", rope_theta=10000.0, factor=2.0))),
}


def golden(model):
    g = torch.Generator().manual_seed(7)
    prompt = torch.randint(2, 90, (1, 24), generator=g)
    with torch.no_grad():
        logits = model(prompt).logits[0]
        out = model.generate(prompt, max_new_tokens=24, do_sample=False, eos_token_id=None, pad_token_id=0)
    # rows of 4 tokens are enough to see every position's rope and mask
    rows = [0, 1, 11, 23]
    return dict(prompt=prompt[0].tolist(), rows=rows, logits=numbers(logits[rows]), greedy=out[0, prompt.shape[1]:].tolist())


if __name__ == "__main__":
    for i, (name, build) in enumerate(MODELS.items()):
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        torch.manual_seed(i)
        model = randomize(build(), seed=100 + i)
        save(model, HERE / "testdata" / name, golden(model))
