"""Writes shapes.json: truncation and padding by the Rust library."""
import json
import pathlib
import sys

sys.argv = ["shapes.py", "none", ""]
import corpus
import make

HERE = pathlib.Path(__file__).parent


def fields(e, top=True):
    h = corpus.START
    for row in [e.ids, e.type_ids, [o for p in e.offsets for o in p], e.special_tokens_mask, e.attention_mask,
                [0 if w is None else w + 1 for w in e.word_ids], [0 if s is None else s + 1 for s in e.sequence_ids]]:
        for n in row:
            h = corpus.fnv(h, n)
        h = corpus.fnv(h, len(row))
    if not top:  # overflow has overflow of its own, all of which the outer list has too
        return f"{h:016x}"
    h = corpus.fnv(h, len(e.overflowing))
    return f"{h:016x}" + "".join(fields(o, False) for o in e.overflowing)


cases = []
for name in ["bert", "roberta", "bart", "llama3", "xlmr", "gpt2", "t5", "albert"]:
    for k, (length, stride, strategy, direction, pair, special, pad) in enumerate([
            (12, 0, "longest_first", "right", False, True, None), (12, 3, "longest_first", "right", False, True, None),
            (12, 3, "longest_first", "left", False, True, dict(direction="left", length=20)), (12, 2, "longest_first", "right", True, True, None),
            (14, 2, "only_first", "right", True, True, dict(length=None, pad_to_multiple_of=8)), (14, 3, "only_second", "right", True, True, dict(length=30)),
            (13, 1, "only_second", "left", True, False, None), (9, 0, "longest_first", "left", True, True, None), (4, 0, "longest_first", "right", True, True, None),
            (8, 1, "longest_first", "right", False, False, dict(pad_to_multiple_of=16))]):
        t = make.load(name)
        t.enable_truncation(length, stride=stride, strategy=strategy, direction=direction)
        if pad is not None:
            t.enable_padding(pad_id=1, pad_type_id=1, pad_token="<pad>", **pad)
        for i in range(12):
            a, b = corpus.string(i * 7), corpus.string(i * 7 + 3)
            try:
                got = fields(t.encode(*([a, b] if pair else [a]), add_special_tokens=special))
            except BaseException as e:  # pyo3 panics are no Exceptions
                got = "error"
            cases.append({"tokenizer": name, "i": i * 7, "length": length, "stride": stride, "strategy": strategy, "left": direction == "left",
                          "pair": pair, "special": special, "pad": pad, "want": got[:96]})
(HERE / "shapes.json").write_text(json.dumps(cases, separators=(",", ":")).replace("},{", "},\n{") + "\n")
print(len(cases), sum(c["want"] == "error" for c in cases))
