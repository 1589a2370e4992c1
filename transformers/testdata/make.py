"""Makes the small models beside it: python make.py [NAME...]

Needs torch, torchvision, transformers, tokenizers, sentence-transformers,
sentencepiece and pillow (made with 2.15, 0.29, 5.23, 0.23, 6.2, 0.2 and 13.0).
Each folder has a model with its tokenizer and golden.json: inputs and
parameters, with the names of Hugging Face's inference API, and what the Python
pipelines make of them. What transformers 5 dropped (question-answering,
translation, summarization) is done as 4.56 did it.
"""
import json
import shutil
import sys
import warnings

import numpy as np
import PIL.Image
import PIL.ImageDraw
import sentence_transformers as st
import sentencepiece
import torch
import transformers as tf

from small import CORPUS, HERE, byte_bpe, chat_bpe, clip_bpe, folder, spaces_bpe, unigram, wordpiece, write_golden
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
from tiny import randomize
from vision import settle

warnings.filterwarnings("ignore")
BERT = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=64)
ROBERTA = BERT | dict(max_position_embeddings=66, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2)
TEXTS = ["What a lovely day!", "The food was terrible, the service was slow.", "x", "", "Ein naïves Café, 日本 and 👍🏽!",
         "Ada Lovelace wrote the first program in London, and Grace Hopper worked for the navy in New York."]
LONG = " ".join(CORPUS[:8])


def encoder(name, model, tokenizer, seed, cases):
    """Saves an encoder with its tokenizer and the cases of one task."""
    path = folder(name)
    randomize(model, seed).save_pretrained(path)
    tokenizer.save_pretrained(path)
    write_golden(path, cases(path))


def run(task, path, calls, python=lambda parameters: parameters, **load):
    """Cases of a pipeline; python turns inference parameters into the pipeline's."""
    pipe = tf.pipeline(task, model=str(path), device="cpu", **load)
    out = []
    for inputs, parameters in calls:
        result = pipe(*inputs, **python(parameters))
        out.append(dict(task=task, inputs=inputs, parameters=parameters, output=result))
    return out


def classify(path):
    calls = [([text], {}) for text in TEXTS] + [([TEXTS[0]], {"top_k": 1}), ([TEXTS[1]], {"function_to_apply": "none"}),
             ([TEXTS[1]], {"function_to_apply": "sigmoid", "top_k": 2}), ([TEXTS[1]], {"function_to_apply": "softmax"}), ([LONG], {})]
    return run("text-classification", path, calls, lambda p: dict(top_k=None, truncation=True) | p)


def tag(path):
    calls = [([text], {"aggregation_strategy": s}) for s in ("none", "simple", "first", "average", "max") for text in (TEXTS[4], TEXTS[5])]
    calls += [([TEXTS[5]], {"aggregation_strategy": "simple", "ignore_labels": ["PER"]}), ([TEXTS[5]], {"ignore_labels": []}), ([LONG], {}),
              ([LONG], {"aggregation_strategy": "simple", "stride": 8}), ([LONG], {"aggregation_strategy": "average", "stride": 20})]
    return run("token-classification", path, calls)


def best_spans(start, end, allowed, want, longest):
    """decode_spans and select_starts_ends of transformers 4.56."""
    start, end = (np.where(allowed, x, -10000.0) for x in (start, end))
    start, end = (np.exp(x - x.max()) for x in (start, end))
    start, end = start / start.sum(), end / end.sum()
    null = start[0] * end[0]
    start[0] = end[0] = 0
    scores = np.tril(np.triu(np.outer(start, end)), longest - 1)
    order = np.argsort(-scores.flatten(), kind="stable")[:want]
    spans = [divmod(int(i), len(start)) for i in order]
    return null, [(s, e, scores[s, e]) for s, e in spans if allowed[s] and allowed[e]]


def find_answers(model, tokenizer, question, context, top_k=1, doc_stride=None, max_answer_len=15, max_seq_len=None, handle_impossible_answer=False,
                 align_to_words=True):
    """The question-answering pipeline of transformers 4.56."""
    max_seq_len = max_seq_len or min(tokenizer.model_max_length, 384)
    doc_stride = doc_stride or min(max_seq_len // 2, 128)
    encoded = tokenizer(question, context, truncation="only_second", max_length=max_seq_len, stride=doc_stride, return_token_type_ids=True,
                        return_overflowing_tokens=True, return_offsets_mapping=True)
    answers, null = [], 1e6
    for i, window in enumerate(encoded.encodings):
        inputs = {k: torch.tensor([encoded[k][i]]) for k in tokenizer.model_input_names}
        with torch.no_grad():
            y = model(**inputs)
        allowed = np.array([s == 1 or t == tokenizer.cls_token_id for s, t in zip(window.sequence_ids, window.ids)])
        none, spans = best_spans(y.start_logits[0].numpy(), y.end_logits[0].numpy(), allowed, top_k * 2 + 10 if align_to_words else top_k, max_answer_len)
        null = min(null, none)
        for s, e, score in spans:
            start, end = window.offsets[s][0], window.offsets[e][1]
            if align_to_words:
                try:
                    a, b = (window.word_to_chars(window.token_to_word(t), sequence_index=1) for t in (s, e))
                    start, end = a[0], b[1]
                except Exception:  # tokens that belong to no word
                    pass
            same = [a for a in answers if a["answer"].lower() == context[start:end].lower()]
            if same:
                same[0]["score"] += score
            else:
                answers.append(dict(answer=context[start:end], score=score, start=start, end=end))
    if handle_impossible_answer:
        answers.append(dict(answer="", score=null, start=0, end=0))
    return sorted(answers, key=lambda a: a["score"], reverse=True)[:top_k]


def answer(path):
    model, tokenizer = tf.AutoModelForQuestionAnswering.from_pretrained(path).eval(), tf.AutoTokenizer.from_pretrained(path)
    short = "In Paris the café on the corner, 日本 👍🏽 naïve, is where Ada wrote programs."
    calls = [("Who wrote it?", short, p) for p in ({}, {"top_k": 4}, {"top_k": 3, "align_to_words": False}, {"max_answer_len": 2, "top_k": 3},
                                                    {"handle_impossible_answer": True, "top_k": 30})]
    calls += [("Roof?", LONG, p) for p in ({"top_k": 5}, {"top_k": 3, "max_seq_len": 40, "doc_stride": 10}, {"top_k": 2, "max_seq_len": 30},
                                                            {"handle_impossible_answer": True, "top_k": 60})]
    return [dict(task="question-answering", inputs=[q, c], parameters=p, output=find_answers(model, tokenizer, q, c, **p)) for q, c, p in calls]


def fill(path):
    mask = tf.AutoTokenizer.from_pretrained(path).mask_token
    calls = [([f"The {mask} was low that summer."], p) for p in ({}, {"top_k": 2}, {"targets": ["river", "boats", "sun"]},
                                                               {"targets": ["river", "the", "cat"], "top_k": 2})]
    calls += [([f"In {mask} the café {mask}, naïve."], {"top_k": 3}), ([f"{mask}"], {}), ([f"It was 5 o'clock ,  didn't {mask} ?"], {"top_k": 3})]
    cases = run("fill-mask", path, calls)
    for c in cases:
        if not isinstance(c["output"][0], list):
            c["output"] = [c["output"]]
    return cases


def zero_shot(path):
    calls = [([TEXTS[5]], p) for p in (
        {"candidate_labels": ["computers", "food", "the sea"]}, {"candidate_labels": ["computers", "food", "the sea"], "multi_label": True},
        {"candidate_labels": ["food"]}, {"candidate_labels": ["good", "bad"], "hypothesis_template": "The text is {}, I think."})]
    calls.append(([LONG], calls[0][1]))
    cases = run("zero-shot-classification", path, calls)
    for c in cases:
        c["output"] = [dict(label=label, score=s) for label, s in zip(c["output"]["labels"], c["output"]["scores"])]
    return cases


def rank(path):
    model = st.CrossEncoder(str(path), device="cpu")
    out = []
    for parameters in ({}, {"top_n": 2}, {"return_documents": True}):
        python = {{"top_n": "top_k"}.get(k, k): v for k, v in parameters.items()}
        ranking = [{{"corpus_id": "index"}.get(k, k): v for k, v in r.items()} for r in model.rank("Who wrote it?", TEXTS[:3] + CORPUS[:3], **python)]
        out.append(dict(task="text-ranking", inputs=["Who wrote it?"] + TEXTS[:3] + CORPUS[:3], parameters=parameters, output=ranking))
    return out


def sentences(name, seed, modules, prompts=None, default=None, cases=None, model=tf.BertModel):
    """Saves a model of sentence-transformers and what encode makes of texts."""
    path = folder(name)
    tokenizer = wordpiece(64)
    randomize(model(model.config_class(**BERT, vocab_size=len(tokenizer))), seed).save_pretrained(path)
    tokenizer.save_pretrained(path)
    transformer = Transformer(str(path), max_seq_length=32)
    torch.manual_seed(seed)
    model = st.SentenceTransformer(modules=[transformer] + modules, prompts=prompts, default_prompt_name=default, device="cpu")
    shutil.rmtree(path)
    model.save(str(path))
    model = st.SentenceTransformer(str(path), device="cpu")
    texts, out = TEXTS + [LONG], []
    for parameters in cases or ({}, {"normalize": True}):
        python = {{"normalize": "normalize_embeddings"}.get(k, k): v for k, v in parameters.items()}
        out.append(dict(task="feature-extraction", inputs=texts, parameters=parameters, output=model.encode(texts, **python)))
    vectors = model.encode(texts)
    out.append(dict(task="sentence-similarity", inputs=texts, parameters={}, output=st.util.cos_sim(vectors[0], vectors[1:])[0]))
    write_golden(path, out)


def summarize(path):
    """What SummarizationPipeline and TranslationPipeline of 4.56 do."""
    model, tokenizer = tf.AutoModelForSeq2SeqLM.from_pretrained(path).eval(), tf.AutoTokenizer.from_pretrained(path)
    tasks = getattr(model.config, "task_specific_params", None) or {}
    out = []
    settings = [{"num_beams": 1, "max_new_tokens": 20},
                {"num_beams": 4, "max_new_tokens": 24, "min_new_tokens": 5, "length_penalty": 2.0, "early_stopping": True, "no_repeat_ngram_size": 3},
                {"num_beams": 3, "max_new_tokens": 16, "length_penalty": 0.5, "repetition_penalty": 1.3}]
    calls = [("summarization", "summary_text", "summarization", {}), ("translation", "translation_text", "translation_en_to_de", {"src_lang": "en", "tgt_lang": "de"})]
    for task, key, specific, languages in calls:
        if model.config.model_type == "marian" and task == "summarization":
            continue
        for generate in settings:
            prefix = tasks.get(specific, {}).get("prefix", "")
            texts = [TEXTS[1], TEXTS[4], " ".join(CORPUS[:3])]
            written = []
            for text in texts:
                ids = tokenizer(prefix + text, return_tensors="pt", truncation=True).input_ids
                with torch.no_grad():
                    ids = model.generate(ids, do_sample=False, **generate)
                written.append({key: tokenizer.decode(ids[0], skip_special_tokens=True).strip()})
            out.append(dict(task=task, inputs=texts, parameters=languages | {"generate_parameters": generate}, output=written))
    return out


TEMPLATE = (
    "{% if tools %}<|im_start|>system\n{% for t in tools %}{{ t | tojson }}\n{% endfor %}<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
TOOL = {"type": "function", "function": {"name": "weather", "description": "The weather of a city", "parameters": {
    "type": "object", "properties": {"city": {"type": "string", "description": "Its name"}}, "required": ["city"]}}}


def write(model, tokenizer, prompt, special, parameters):
    """Continues a prompt; with logprobs if asked for, in several ways if asked for."""
    parameters, stops = dict(parameters), parameters.get("stop_strings", [])
    logprobs, full = parameters.pop("logprobs", False), parameters.pop("return_full_text", False)
    ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=special).input_ids
    with torch.no_grad():
        y = model.generate(ids, attention_mask=torch.ones_like(ids), tokenizer=tokenizer, do_sample=False, output_logits=True, return_dict_in_generate=True, **parameters)
    if len(y.sequences) > 1:
        return [dict(generated_text=tokenizer.decode(s[ids.shape[1]:], skip_special_tokens=True)) for s in y.sequences]
    new = y.sequences[0, ids.shape[1]:].tolist()
    text = tokenizer.decode(new, skip_special_tokens=True)
    for stop in stops:  # the API's texts end before the stop string
        text = text.split(stop)[0]
    result = dict(generated_text=(prompt if full else "") + text)
    if logprobs:
        p = [torch.log_softmax(row[0], -1)[t] for row, t in zip(y.logits, new)]
        result["details"] = dict(prompt_tokens=ids.shape[1], generated_tokens=len(new), tokens=[dict(id=t, logprob=v) for t, v in zip(new, p)])
    return result


def generations(path, cases):
    """cases of prompts or conversations."""
    model, tokenizer = tf.AutoModelForCausalLM.from_pretrained(path).eval(), tf.AutoTokenizer.from_pretrained(path)
    out = []
    for case, parameters in cases:
        if isinstance(case, str) and tokenizer.chat_template:
            case = dict(messages=[dict(role="user", content=case)])
        if isinstance(case, str):
            out.append(dict(task="text-generation", inputs=[case], parameters=parameters, output=write(model, tokenizer, case, True, parameters)))
            continue
        prompt = tokenizer.apply_chat_template(case["messages"], tools=case.get("tools"), add_generation_prompt=True, tokenize=False)
        result = write(model, tokenizer, prompt, False, parameters)
        if len(case["messages"]) == 1 and "tools" not in case:
            out.append(dict(task="text-generation", inputs=[case["messages"][0]["content"]], parameters=parameters, output=result))
        out.append(dict(task="chat", chat=case, prompt=prompt, parameters=parameters, output=result))
    return out


def decoder(name, model, tokenizer, seed, cases):
    path = folder(name)
    randomize(model, seed).save_pretrained(path)
    tokenizer.save_pretrained(path)
    write_golden(path, generations(path, cases))


def chat():
    tokenizer = chat_bpe(128, TEMPLATE)
    config = tf.LlamaConfig(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                            max_position_embeddings=256, eos_token_id=tokenizer.eos_token_id, bos_token_id=None, pad_token_id=0)
    talk = [dict(role="system", content=" Be brief. "), dict(role="user", content="Café? 👍🏽"), dict(role="assistant", content="Yes."),
            dict(role="user", content="Where?")]
    decoder("chat", tf.LlamaForCausalLM(config), tokenizer, 60, [
        ("What a day!", {"max_new_tokens": 20, "logprobs": True}), ({"messages": talk}, {"max_new_tokens": 12}),
        ({"messages": talk[1:2], "tools": [TOOL]}, {"max_new_tokens": 12}), ("The weather", {"max_new_tokens": 30, "repetition_penalty": 1.5})])


def continuation():
    tokenizer = chat_bpe(128, None)
    config = tf.GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=4, n_positions=128, bos_token_id=0, eos_token_id=0)
    model = tf.GPT2LMHeadModel(config)
    prompts = [("The river", {"max_new_tokens": 20, "logprobs": True}), ("The river was", {"max_new_tokens": 20, "return_full_text": True}),
               ("naïve 日本 👍🏽", {"max_new_tokens": 24, "no_repeat_ngram_size": 2}), ("The sun", {"max_new_tokens": 12, "num_beams": 4, "length_penalty": 0.7}),
               ("The sun", {"max_new_tokens": 8, "num_beams": 4, "num_return_sequences": 3})]
    decoder("continuation", model, tokenizer, 61, prompts)
    path = HERE / "continuation"
    text = json.loads((path / "golden.json").read_text())[0]["output"]["generated_text"]
    stop = [s for s in (text[i:i + 3] for i in range(4, len(text) - 3)) if text.find(s) > 3 and s.isprintable() and "\ufffd" not in s][0]
    write_golden(path, generations(path, prompts + [("The river", {"max_new_tokens": 20, "stop_strings": [stop, "zzz"]})]))
    sampling(path)


def sampling(path):
    """Writes sampling.json: how likely transformers draws which token after "The river"."""
    model, tokenizer = tf.AutoModelForCausalLM.from_pretrained(path).eval(), tf.AutoTokenizer.from_pretrained(path)
    ids = tokenizer("The river", return_tensors="pt").input_ids
    off, out = dict(top_k=0, top_p=1.0, temperature=1.0), []
    for settings in (dict(temperature=0.5), dict(temperature=1.7, top_k=7), dict(top_p=0.6), dict(min_p=0.1), dict(typical_p=0.5),
                     dict(temperature=0.8, top_k=40, top_p=0.9, repetition_penalty=1.4), dict(temperature=3.0, repetition_penalty=2.5, min_p=0.2)):
        settings = off | settings
        with torch.no_grad():
            y = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=True, max_new_tokens=1, output_scores=True, return_dict_in_generate=True, **settings)
        p = torch.softmax(y.scores[0][0], -1)
        out.append(dict(prompt="The river", parameters=settings, probabilities={str(i): float(f"{p[i]:.6g}") for i in p.nonzero()[:, 0].tolist()}))
    (path / "sampling.json").write_text("[\n" + ",\n".join(map(json.dumps, out)) + "\n]\n")


def gemma():
    tokenizer = spaces_bpe(128, "{{ bos_token }}{% for m in messages %}<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
                           "{{ m.content | trim }}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}")
    common = dict(vocab_size=len(tokenizer), hidden_size=16, intermediate_size=24, num_attention_heads=2, num_key_value_heads=1, head_dim=8,
                  max_position_embeddings=128, sliding_window=8, bos_token_id=2, eos_token_id=[1, 4], pad_token_id=0)
    talk = [dict(role="user", content="Café? 👍🏽"), dict(role="assistant", content="Yes."), dict(role="user", content=" Where?")]
    cases = [("What a day!", {"max_new_tokens": 20, "logprobs": True}), ({"messages": talk}, {"max_new_tokens": 12}),
             ("The weather", {"max_new_tokens": 24, "repetition_penalty": 1.5, "suppress_tokens": list(range(6, 262))})]  # without the bytes
    decoder("chat-gemma2", tf.Gemma2ForCausalLM(tf.Gemma2Config(**common, num_hidden_layers=2, query_pre_attn_scalar=8)), tokenizer, 62, cases)
    decoder("chat-gemma3", tf.Gemma3ForCausalLM(tf.Gemma3TextConfig(
        **common, num_hidden_layers=3, query_pre_attn_scalar=8, layer_types=["sliding_attention", "full_attention", "sliding_attention"])), tokenizer, 63, cases)


def seq2seq(name, model, tokenizer, seed):
    path = folder(name)
    randomize(model, seed)
    if hasattr(model, "final_logits_bias"):
        model.final_logits_bias.normal_(generator=torch.Generator().manual_seed(seed))
    model.generation_config.forced_eos_token_id = model.config.eos_token_id if name == "summary" else None
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    write_golden(path, summarize(path))


def bart():
    tokenizer = byte_bpe(96)
    seq2seq("summary", tf.BartForConditionalGeneration(tf.BartConfig(
        vocab_size=len(tokenizer), d_model=16, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=24, decoder_ffn_dim=24, encoder_attention_heads=2,
        decoder_attention_heads=2, max_position_embeddings=96, pad_token_id=1, bos_token_id=0, eos_token_id=2, decoder_start_token_id=2)), tokenizer, 70)


def mt5():
    tokenizer = unigram(96)
    seq2seq("summary-mt5", tf.MT5ForConditionalGeneration(tf.MT5Config(
        vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2, relative_attention_num_buckets=8, relative_attention_max_distance=20,
        pad_token_id=0, eos_token_id=1, decoder_start_token_id=0)), tokenizer, 73)


def t5():
    tokenizer = unigram(96)
    prefixes = {"summarization": {"prefix": "summarize: "}, "translation_en_to_de": {"prefix": "translate English to German: "}}
    seq2seq("prefixed", tf.T5ForConditionalGeneration(tf.T5Config(
        vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2, relative_attention_num_buckets=8, relative_attention_max_distance=20,
        pad_token_id=0, eos_token_id=1, decoder_start_token_id=0, task_specific_params=prefixes)), tokenizer, 71)


def marian():
    path = folder("translation")
    for i, side in enumerate(("source", "target")):
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS[5 * i:15 + 5 * i]), model_prefix=str(path / side), vocab_size=120, hard_vocab_limit=False,
                                                 bos_id=-1, eos_id=0, unk_id=1, pad_id=-1, normalization_rule_name="identity", minloglevel=2)
        (path / f"{side}.model").rename(path / f"{side}.spm")
        (path / f"{side}.vocab").unlink()
    pieces = ["</s>", "<unk>"]
    for side in ("source", "target"):
        model = sentencepiece.SentencePieceProcessor(str(path / f"{side}.spm"))
        pieces += [p for p in (model.id_to_piece(i) for i in range(model.vocab_size())) if p not in pieces]
    pieces.append("<pad>")
    (path / "vocab.json").write_text(json.dumps({p: i for i, p in enumerate(pieces)}))
    tokenizer = tf.MarianTokenizer(str(path / "source.spm"), str(path / "target.spm"), str(path / "vocab.json"), source_lang="en", target_lang="de", model_max_length=96)
    model = tf.MarianMTModel(tf.MarianConfig(
        vocab_size=len(pieces), d_model=16, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=24, decoder_ffn_dim=24, encoder_attention_heads=2,
        decoder_attention_heads=2, max_position_embeddings=96, pad_token_id=len(pieces) - 1, eos_token_id=0, bos_token_id=None, decoder_start_token_id=len(pieces) - 1,
        forced_eos_token_id=0))
    randomize(model, 72)
    model.final_logits_bias.normal_(generator=torch.Generator().manual_seed(72))
    model.generation_config.bad_words_ids = [[len(pieces) - 1]]
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    write_golden(path, summarize(path))


def draw():
    """Two pictures of 60 by 44 pixels."""
    y, x = np.mgrid[0:44, 0:60]
    picture = PIL.Image.fromarray(np.stack([4 * x, 5 * y, 255 - 2 * (x + y)], -1).astype(np.uint8))
    pen = PIL.ImageDraw.Draw(picture)
    pen.ellipse((10, 8, 34, 30), fill=(250, 40, 30))
    pen.line((0, 43, 59, 5), fill=(10, 10, 10), width=3)
    picture.save(HERE / "picture.png")
    picture.save(HERE / "picture.jpg", quality=90)


def picture(name, model, processor, seed, tokenizer=None):
    path = folder(name)
    settle(randomize(model, seed, scale=0.15), seed).save_pretrained(path)
    processor.save_pretrained(path)
    if tokenizer:
        tokenizer.save_pretrained(path)
    files = [str(HERE / f"picture.{e}") for e in ("png", "jpg")]
    if tokenizer:
        cases = run("zero-shot-image-classification", path, [([f], p) for f in files for p in (
            {"candidate_labels": ["a cat", "the sea", "bread"]}, {"candidate_labels": ["red", "blue"], "hypothesis_template": "It is {}."})])
    else:
        cases = run("image-classification", path, [([f], p) for f in files for p in ({}, {"top_k": 2}, {"function_to_apply": "none"}, {"function_to_apply": "sigmoid"})])
    for c in cases:
        c["inputs"] = [f.rsplit("/", 1)[1] for f in c["inputs"]]
    write_golden(path, cases)


def clip():
    tokenizer = clip_bpe(32)
    side = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24)
    model = tf.CLIPModel(tf.CLIPConfig(text_config=dict(**side, vocab_size=len(tokenizer), max_position_embeddings=32, bos_token_id=0, eos_token_id=1, pad_token_id=1),
                                       vision_config=dict(**side, image_size=24, patch_size=8), projection_dim=16))
    picture("clip", model, tf.CLIPImageProcessor(size={"shortest_edge": 24}, crop_size={"height": 24, "width": 24}), 83, tokenizer)


def labels(*names):
    return dict(id2label=dict(enumerate(names)), label2id={n: i for i, n in enumerate(names)})


def bert(cls, **settings):
    tokenizer = wordpiece(64)
    return cls(tf.BertConfig(**BERT, vocab_size=len(tokenizer), **settings)), tokenizer


def roberta(cls, **settings):
    tokenizer = byte_bpe(64)
    return cls(tf.RobertaConfig(**ROBERTA, vocab_size=len(tokenizer), **settings)), tokenizer


def distilbert(cls, **settings):
    tokenizer = wordpiece(64)
    return cls(tf.DistilBertConfig(dim=16, hidden_dim=24, n_layers=2, n_heads=2, max_position_embeddings=64, vocab_size=len(tokenizer), **settings)), tokenizer


def modernbert(cls, **settings):
    tokenizer = byte_bpe(64)
    return cls(tf.ModernBertConfig(hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=2, max_position_embeddings=64, local_attention=8,
                                   vocab_size=len(tokenizer), bos_token_id=0, cls_token_id=0, pad_token_id=1, eos_token_id=2, sep_token_id=2, **settings)), tokenizer


def mpnet(cls, **settings):
    tokenizer = byte_bpe(64)
    return cls(tf.MPNetConfig(**ROBERTA | dict(type_vocab_size=None), vocab_size=len(tokenizer), **settings)), tokenizer


def bart_nli():
    tokenizer = byte_bpe(64)
    return tf.BartForSequenceClassification(tf.BartConfig(
        vocab_size=len(tokenizer), d_model=16, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=24, decoder_ffn_dim=24, encoder_attention_heads=2,
        decoder_attention_heads=2, max_position_embeddings=64, pad_token_id=1, bos_token_id=0, eos_token_id=2, **labels("contradiction", "neutral", "entailment"))), tokenizer


TAGS = labels("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "MISC")
VIT = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, image_size=24, patch_size=8)
FIVE = labels("cat", "sea", "bread", "hill", "moth", "lamp")
MODELS = {
    "sentiment": lambda: encoder("sentiment", *bert(tf.BertForSequenceClassification, **labels("negative", "neutral", "positive")), 40, classify),
    "topics": lambda: encoder("topics", *roberta(tf.RobertaForSequenceClassification, problem_type="multi_label_classification", **labels("a", "b", "c", "d")), 41, classify),
    "rating": lambda: encoder("rating", *bert(tf.BertForSequenceClassification, problem_type="regression", num_labels=1), 42, classify),
    "names": lambda: encoder("names", *bert(tf.BertForTokenClassification, **TAGS), 43, tag),
    "names-bytes": lambda: encoder("names-bytes", *roberta(tf.RobertaForTokenClassification, **TAGS), 44, tag),
    "answers": lambda: encoder("answers", *bert(tf.BertForQuestionAnswering), 45, answer),
    "answers-bytes": lambda: encoder("answers-bytes", *roberta(tf.RobertaForQuestionAnswering), 46, answer),
    "mask": lambda: encoder("mask", *bert(tf.BertForMaskedLM), 47, fill),
    "mask-bytes": lambda: encoder("mask-bytes", *roberta(tf.RobertaForMaskedLM), 48, fill),
    "entailment": lambda: encoder("entailment", *bert(tf.BertForSequenceClassification, **labels("entailment", "neutral", "contradiction")), 49, zero_shot),
    "entailment-bart": lambda: encoder("entailment-bart", *bart_nli(), 50, zero_shot),
    "ranking": lambda: encoder("ranking", *roberta(tf.RobertaForSequenceClassification, num_labels=1), 51, rank),
    "sentence": lambda: sentences("sentence", 52, [Pooling(16, "mean"), Normalize()]),
    "sentence-dense": lambda: sentences("sentence-dense", 53, [Pooling(16, "cls"), Dense(16, 12)]),
    "sentence-prompts": lambda: sentences("sentence-prompts", 54, [Pooling(16, "max", include_prompt=False)],
                                          prompts={"query": "Where is ", "document": ""}, default="query", cases=({}, {"prompt_name": "document"})),
    "sentiment-distilbert": lambda: encoder("sentiment-distilbert", *distilbert(tf.DistilBertForSequenceClassification, **labels("negative", "positive")), 55, classify),
    "answers-distilbert": lambda: encoder("answers-distilbert", *distilbert(tf.DistilBertForQuestionAnswering), 56, answer),
    "mask-modernbert": lambda: encoder("mask-modernbert", *modernbert(tf.ModernBertForMaskedLM), 57, fill),
    "names-modernbert": lambda: encoder("names-modernbert", *modernbert(tf.ModernBertForTokenClassification, **TAGS), 58, tag),
    "mask-mpnet": lambda: encoder("mask-mpnet", *mpnet(tf.MPNetForMaskedLM), 59, fill),
    "sentence-mpnet": lambda: sentences("sentence-mpnet", 64, [Pooling(16, "mean"), Normalize()], model=tf.MPNetModel),
    "chat": chat, "continuation": continuation, "chat-gemma": gemma, "summary": bart, "prefixed": t5, "summary-mt5": mt5, "translation": marian,
    "pictures": lambda: picture("pictures", tf.ViTForImageClassification(tf.ViTConfig(**VIT, **FIVE)), tf.ViTImageProcessor(size={"height": 24, "width": 24}), 80),
    "pictures-resnet": lambda: picture("pictures-resnet", tf.ResNetForImageClassification(tf.ResNetConfig(
        embedding_size=8, hidden_sizes=[12, 16], depths=[1, 1], **FIVE)), tf.ConvNextImageProcessor(size={"shortest_edge": 32}), 81),
    "pictures-convnext": lambda: picture("pictures-convnext", tf.ConvNextForImageClassification(tf.ConvNextConfig(
        hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, **FIVE)), tf.ConvNextImageProcessor(size={"shortest_edge": 384}), 82),
    "clip": clip,
}

if __name__ == "__main__":
    draw()
    for name, make in MODELS.items():
        if len(sys.argv) == 1 or name in sys.argv[1:]:
            make()
