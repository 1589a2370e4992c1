"""Makes the tiny encoder-decoders: python seq2seq.py [NAME...]

Needs torch and transformers (made with 2.15 and 5.23). golden.json has two
inputs of different length; for each the logits of a given beginning of the
output, and the greedy and the beam output.
"""
import sys

import torch
import transformers as tf

from tiny import HERE, numbers, randomize, save

BART = dict(vocab_size=64, d_model=32, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=40, decoder_ffn_dim=40,
            encoder_attention_heads=4, decoder_attention_heads=2, max_position_embeddings=64, scale_embedding=True,
            pad_token_id=1, bos_token_id=0, eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=None)
MARIAN = BART | dict(decoder_start_token_id=1, eos_token_id=0, bos_token_id=None)
T5 = dict(vocab_size=64, d_model=32, d_kv=8, d_ff=40, num_layers=2, num_heads=4, relative_attention_num_buckets=8, relative_attention_max_distance=20,
          pad_token_id=0, eos_token_id=1, decoder_start_token_id=0)

MODELS = {
    "bart": lambda: tf.BartForConditionalGeneration(tf.BartConfig(**BART)),
    "marian": lambda: tf.MarianMTModel(tf.MarianConfig(**MARIAN)),
    "marian-apart": lambda: tf.MarianMTModel(tf.MarianConfig(**MARIAN, share_encoder_decoder_embeddings=False, decoder_vocab_size=56)),
    "t5": lambda: tf.T5ForConditionalGeneration(tf.T5Config(**T5)),
    "t5-gated": lambda: tf.T5ForConditionalGeneration(tf.T5Config(**T5, feed_forward_proj="gated-gelu", tie_word_embeddings=False)),
}


def golden(model):
    g = torch.Generator().manual_seed(13)
    inputs = [torch.randint(5, 50, (n,), generator=g).tolist() for n in (30, 9)]
    begin = [model.config.decoder_start_token_id] + torch.randint(5, 50, (11,), generator=g).tolist()
    out = []
    for ids in inputs:
        x = torch.tensor([ids])
        with torch.no_grad():
            logits = model(input_ids=x, decoder_input_ids=torch.tensor([begin])).logits[0]
            kw = dict(max_new_tokens=16, min_new_tokens=16, do_sample=False, forced_eos_token_id=None)
            greedy = model.generate(x, num_beams=1, **kw)
        rows = [0, 5, 11]
        out.append(dict(ids=ids, rows=rows, logits=numbers(logits[rows]), greedy=greedy[0, 1:].tolist()))
    return dict(begin=begin, eos=model.config.eos_token_id, inputs=out)


if __name__ == "__main__":
    for i, (name, build) in enumerate(MODELS.items()):
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        model = randomize(build(), seed=2000 + i)
        if hasattr(model, "final_logits_bias"):
            model.final_logits_bias.normal_(generator=torch.Generator().manual_seed(i))
        save(model, HERE / "testdata" / name, golden(model))
    if len(sys.argv) == 1 or "bart-sequence" in sys.argv[1:]:
        model = randomize(tf.BartForSequenceClassification(tf.BartConfig(**BART, num_labels=3)), seed=2100)
        g = torch.Generator().manual_seed(17)
        out = []
        for n in (18, 6):
            ids = torch.randint(5, 50, (n,), generator=g).tolist() + [2]
            with torch.no_grad():
                y = model(input_ids=torch.tensor([ids])).logits
            out.append(dict(ids=ids, types=[0] * len(ids), rows=[0], output=numbers(y)))
        save(model, HERE / "testdata" / "bart-sequence", dict(sequences=out))
