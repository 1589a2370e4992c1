"""Makes the tiny encoders: python encoders.py [NAME...]

Needs torch and transformers (made with 2.15 and 5.23). One checkpoint for each
architecture and head. golden.json has two sequences of different length and
the outputs for each, computed alone and without padding.
"""
import sys

import torch
import transformers as tf

from tiny import HERE, numbers, randomize, save

COMMON = dict(vocab_size=64, hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
              max_position_embeddings=40, num_labels=3)
DISTIL = dict(vocab_size=64, dim=32, hidden_dim=40, n_layers=2, n_heads=4, max_position_embeddings=40, num_labels=3)
MODERN = COMMON | dict(num_hidden_layers=4, local_attention=8, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2,
                       attention_bias=True, mlp_bias=True, norm_bias=True, classifier_bias=True)

FAMILIES = {
    "bert": ("Bert", tf.BertConfig, COMMON),
    "distilbert": ("DistilBert", tf.DistilBertConfig, DISTIL),
    "roberta": ("Roberta", tf.RobertaConfig, COMMON | dict(type_vocab_size=1)),
    "mpnet": ("MPNet", tf.MPNetConfig, COMMON),
    "modernbert": ("ModernBert", tf.ModernBertConfig, MODERN),
}
TASKS = {
    "model": "Model", "sequence": "ForSequenceClassification", "token": "ForTokenClassification",
    "answer": "ForQuestionAnswering", "mask": "ForMaskedLM",
}


def golden(model, task, typed):
    g = torch.Generator().manual_seed(11)
    sequences = [torch.randint(5, 60, (n,), generator=g).tolist() for n in (19, 7)]
    out = []
    for ids in sequences:
        inputs = dict(input_ids=torch.tensor([ids]))
        types = [0] * (len(ids) // 2) + [1] * (len(ids) - len(ids) // 2) if typed else [0] * len(ids)
        if typed:
            inputs["token_type_ids"] = torch.tensor([types])
        with torch.no_grad():
            y = model(**inputs)
        if task == "model":
            y = y.last_hidden_state[0]
        elif task == "answer":
            y = torch.stack([y.start_logits[0], y.end_logits[0]], dim=-1)
        else:
            y = y.logits[0]
        y = y.reshape(-1, y.shape[-1])
        rows = list(range(y.shape[0])) if y.shape[1] < 8 else sorted({0, y.shape[0] // 2, y.shape[0] - 1})
        out.append(dict(ids=ids, types=types, rows=rows, output=numbers(y[rows])))
    return dict(sequences=out)


if __name__ == "__main__":
    for i, (name, (prefix, config, settings)) in enumerate(FAMILIES.items()):
        for j, (task, suffix) in enumerate(TASKS.items()):
            full = f"{name}-{task}"
            if len(sys.argv) > 1 and full not in sys.argv[1:] and name not in sys.argv[1:]:
                continue
            settings = dict(settings)
            if task == "answer":
                settings["num_labels"] = 2
            if name == "modernbert" and task == "sequence":
                settings["classifier_pooling"] = "mean"
            model = randomize(getattr(tf, prefix + suffix)(config(**settings)), seed=1000 + 10 * i + j)
            save(model, HERE / "testdata" / full, golden(model, task, name == "bert"))
