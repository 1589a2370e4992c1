"""Golden scores of transformers' logits processors and sequences of its beam search, over toy logits.

usage: make_golden.py > golden.json
"""
import json
import math
import random
import warnings

warnings.filterwarnings("ignore")
import torch
from transformers import GenerationConfig, GenerationMixin, PreTrainedModel
from transformers.configuration_utils import PreTrainedConfig
from transformers.modeling_outputs import CausalLMOutput

torch.manual_seed(7)
rnd = random.Random(7)


class ToyConfig(PreTrainedConfig):
    model_type = "toy"
    vocab_size = 16


class Toy(PreTrainedModel, GenerationMixin):
    """logits of position t = table[x_t] + other[x_{t-1}] + drift * t"""

    config_class = ToyConfig

    def __init__(self, config, table, other, drift):
        super().__init__(config)
        self.table, self.other, self.drift = table, other, drift
        self.p = torch.nn.Parameter(torch.zeros(1))
        self.post_init()

    def _init_weights(self, m):
        pass

    def prepare_inputs_for_generation(self, input_ids, **kw):
        return {"input_ids": input_ids}

    def forward(self, input_ids, **kw):
        prev = torch.cat([input_ids[:, :1], input_ids[:, :-1]], 1)
        t = torch.arange(input_ids.shape[1])[None, :, None]
        return CausalLMOutput(logits=self.table[input_ids] + self.other[prev] + self.drift * t)


def tolist(t):
    return [None if math.isinf(x) else x for x in t.tolist()]


V = 16
out = {"processors": [], "beams": []}
proto = Toy(ToyConfig(), torch.zeros(V, V), torch.zeros(V, V), torch.zeros(V))

PROCESS = [
    {"repetition_penalty": 1.3},
    {"repetition_penalty": 0.7},
    {"no_repeat_ngram_size": 2},
    {"no_repeat_ngram_size": 3},
    {"no_repeat_ngram_size": 1},
    {"bad_words_ids": [[3], [1, 2], [4, 5, 6], [0]]},
    {"min_length": 8},
    {"min_new_tokens": 3},
    {"forced_bos_token_id": 5},
    {"forced_eos_token_id": [0], "max_length": 7},
    {"remove_invalid_values": True},
    {"exponential_decay_length_penalty": [1, 1.3]},
    {"suppress_tokens": [2, 9]},
    {"begin_suppress_tokens": [2, 9]},
    {"begin_suppress_tokens": [2, 9], "forced_bos_token_id": 3},
    {"repetition_penalty": 1.2, "no_repeat_ngram_size": 2, "bad_words_ids": [[7]], "min_new_tokens": 4, "suppress_tokens": [1]},
]
WARP = [
    {"temperature": 0.7, "top_k": 0},
    {"top_k": 5},
    {"top_k": 1},
    {"top_k": 0, "top_p": 0.9},
    {"top_k": 0, "top_p": 0.3},
    {"top_k": 0, "top_p": 0.0},
    {"top_k": 0, "min_p": 0.1},
    {"top_k": 0, "min_p": 1.0},
    {"top_k": 0, "typical_p": 0.5},
    {"top_k": 0, "typical_p": 0.95},
    {"temperature": 1.6, "top_k": 10, "top_p": 0.8, "min_p": 0.05, "typical_p": 0.9, "repetition_penalty": 1.1},
    {"temperature": 0.3, "top_k": 4, "top_p": 0.95},
]
for kw in PROCESS + [dict(w, do_sample=True) for w in WARP]:
    for n in (1, 2, 4, 6, 9):
        prompt = min(2, n)
        ids = [rnd.randrange(6) for _ in range(n)]
        scores = (torch.randn(1, V) * 300).round() / 100
        if rnd.random() < 0.3:
            scores[0, rnd.randrange(V)] = scores[0, rnd.randrange(V)]  # ties
        cfg = dict({"eos_token_id": [0, 11], "max_length": 40, "top_k": 50}, **kw)
        g = GenerationConfig(**cfg)
        g._eos_token_tensor = torch.tensor(g.eos_token_id)
        procs = proto._get_logits_processor(g, input_ids_seq_length=prompt, encoder_input_ids=None, logits_processor=None, device="cpu")
        got = procs(torch.tensor([ids]), scores.clone())
        out["processors"].append({"config": cfg, "ids": ids, "prompt": prompt, "scores": scores[0].tolist(), "want": tolist(got[0])})

BEAMS = [
    {"num_beams": 2},
    {"num_beams": 3, "num_return_sequences": 3},
    {"num_beams": 4, "num_return_sequences": 2, "length_penalty": 2.0},
    {"num_beams": 4, "num_return_sequences": 4, "length_penalty": 0.0},
    {"num_beams": 4, "num_return_sequences": 4, "length_penalty": -1.0},
    {"num_beams": 4, "num_return_sequences": 4, "early_stopping": True},
    {"num_beams": 3, "num_return_sequences": 3, "early_stopping": "never"},
    {"num_beams": 5, "num_return_sequences": 5, "early_stopping": "never", "length_penalty": -0.5},
    {"num_beams": 5, "num_return_sequences": 5, "eos_token_id": [0, 3, 7]},
    {"num_beams": 3, "num_return_sequences": 3, "no_repeat_ngram_size": 2},
    {"num_beams": 3, "num_return_sequences": 3, "repetition_penalty": 1.5},
    {"num_beams": 3, "num_return_sequences": 3, "min_length": 9},
    {"num_beams": 3, "num_return_sequences": 3, "forced_eos_token_id": 0},
    {"num_beams": 3, "num_return_sequences": 3, "bad_words_ids": [[2], [4, 5]], "renormalize_logits": True},
    {"num_beams": 6, "num_return_sequences": 6, "max_new_tokens": 3},
    {"num_beams": 1, "no_repeat_ngram_size": 2},
]
for kw in BEAMS:
    for prompt in ([1], [5, 2, 9]):
        table, other, drift = (torch.randn(V, V) * 150).round() / 100, (torch.randn(V, V) * 100).round() / 100, torch.zeros(V)
        drift[0] = rnd.choice([0.0, 0.05, 0.2])  # the end gets likelier
        cfg = dict({"eos_token_id": [0], "pad_token_id": 0, "max_new_tokens": 12, "use_cache": False, "do_sample": False}, **kw)
        model = Toy(ToyConfig(), table, other, drift)
        got = model.generate(torch.tensor([prompt]), generation_config=GenerationConfig(**cfg), return_dict_in_generate=True, output_scores=True)
        eos = cfg["eos_token_id"]
        seqs = []
        for i, s in enumerate(got.sequences.tolist()):
            new = s[len(prompt):]
            for j, x in enumerate(new):
                if x in eos:
                    new = new[: j + 1]  # behind it comes padding
                    break
            seqs.append({"ids": new, "score": got.sequences_scores[i].item() if cfg.get("num_beams", 1) > 1 else 0})
        out["beams"].append({"config": cfg, "prompt": prompt, "table": table.tolist(), "other": other.tolist(), "drift": drift.tolist(), "want": seqs})


def short(x):
    """Numbers with 7 digits: the inputs have no more than 4."""
    if isinstance(x, float):
        return float(f"{x:.7g}")
    if isinstance(x, dict):
        return {k: short(v) for k, v in x.items()}
    return [short(v) for v in x] if isinstance(x, list) else x


print(json.dumps(short(out)))
