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
    "mistral": lambda: tf.MistralForCausalLM(tf.MistralConfig(**COMMON, sliding_window=6)),
    "qwen2": lambda: tf.Qwen2ForCausalLM(tf.Qwen2Config(**COMMON)),
    "qwen2-window": lambda: tf.Qwen2ForCausalLM(tf.Qwen2Config(**COMMON, use_sliding_window=True, sliding_window=5, max_window_layers=1)),
    "qwen3": lambda: tf.Qwen3ForCausalLM(tf.Qwen3Config(**COMMON, head_dim=16, tie_word_embeddings=True)),
    "gemma2": lambda: tf.Gemma2ForCausalLM(tf.Gemma2Config(**COMMON, head_dim=16, sliding_window=6, query_pre_attn_scalar=12)),
    "gemma3": lambda: tf.Gemma3ForCausalLM(tf.Gemma3TextConfig(**COMMON | dict(num_hidden_layers=3), head_dim=16, sliding_window=6, query_pre_attn_scalar=12,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        rope_parameters=dict(full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1000000.0), sliding_attention=dict(rope_type="default", rope_theta=10000.0)))),
    "phi3": lambda: tf.Phi3ForCausalLM(tf.Phi3Config(**COMMON)),
    "phi3-long": lambda: tf.Phi3ForCausalLM(tf.Phi3Config(**COMMON | dict(hidden_size=64, intermediate_size=24), original_max_position_embeddings=20, rope_parameters=dict(
        rope_type="longrope", rope_theta=10000.0, partial_rotary_factor=0.75, short_factor=[1.0, 1.1, 1.2, 1.3, 1.4, 1.5], long_factor=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        original_max_position_embeddings=20))),
    "gpt2": lambda: tf.GPT2LMHeadModel(tf.GPT2Config(vocab_size=96, n_embd=32, n_layer=2, n_head=4, n_positions=128, bos_token_id=1, eos_token_id=95)),
    "gemma2-uncapped": lambda: tf.Gemma2ForCausalLM(tf.Gemma2Config(**COMMON, head_dim=16, sliding_window=6, query_pre_attn_scalar=12, attn_logit_softcapping=None,
                                                                    final_logit_softcapping=None)),
    "llama-proportional": lambda: tf.LlamaForCausalLM(tf.LlamaConfig(**COMMON, head_dim=16, rope_parameters=dict(
        rope_type="proportional", rope_theta=10000.0, factor=2.0, partial_rotary_factor=0.5))),
}


def golden(model):
    g = torch.Generator().manual_seed(7)
    prompt = torch.randint(2, 90, (1, 24), generator=g)
    with torch.no_grad():
        logits = model(prompt).logits[0]
        out = model.generate(prompt, max_new_tokens=24, do_sample=False, eos_token_id=None, pad_token_id=0)
    # rows of 4 tokens are enough to see every position's rope and mask
    rows = [0, 1, 11, 23]
    # with these a key turns by an angle that depends on how long the text was when it was written
    rope = (getattr(model.config, "rope_parameters", None) or {}).get("rope_type")
    return dict(length_dependent=rope in ("dynamic", "longrope"), prompt=prompt[0].tolist(), rows=rows, logits=numbers(logits[rows]), greedy=out[0, prompt.shape[1]:].tolist())


if __name__ == "__main__":
    for i, (name, build) in enumerate(MODELS.items()):
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        torch.manual_seed(i)
        model = randomize(build(), seed=100 + i)
        save(model, HERE / "testdata" / name, golden(model))
