"""Makes tiny adapters of the tiny models in ../../models/parity: python make.py

Needs torch, transformers and peft (made with 2.15, 5.23 and 0.21). golden.json
has the logits of the models with the adapters.
"""
import json
import pathlib
import sys

import peft
import torch
import transformers as tf

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parent.parent / "models" / "parity" / "testdata"
sys.path.insert(0, str(MODELS.parent))
from tiny import numbers  # noqa: E402

PROMPT = [49, 38, 3, 88, 37, 45, 57, 41]


def fill(model, seed):
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_" in name or "modules_to_save" in name:
                p.copy_((1 + 0.2 * torch.randn(p.shape, generator=g)).abs() if "magnitude" in name else 0.3 * torch.randn(p.shape, generator=g))


def logits(model, ids=PROMPT):
    with torch.no_grad():
        return numbers(model.eval()(torch.tensor([ids])).logits[0][-1:])[0]


def save(model, name):
    model.save_pretrained(HERE / name)
    (HERE / name / "README.md").unlink(missing_ok=True)
    config = json.loads((HERE / name / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = ""
    (HERE / name / "adapter_config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")


def main():
    golden = dict(prompt=PROMPT)

    def llama():
        return tf.LlamaForCausalLM.from_pretrained(MODELS / "llama")

    one = peft.get_peft_model(llama(), peft.LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"]))
    fill(one, 1)
    save(one, "one")
    golden["one"] = logits(one)
    two = peft.get_peft_model(llama(), peft.LoraConfig(r=3, lora_alpha=6, use_rslora=True, target_modules="all-linear", rank_pattern={"down_proj": 2}, alpha_pattern={"up_proj": 5}))
    fill(two, 2)
    save(two, "two")
    golden["two"] = logits(two)
    both = peft.PeftModel.from_pretrained(llama(), HERE / "one", adapter_name="one")
    both.load_adapter(HERE / "two", adapter_name="two")
    both.base_model.set_adapter(["one", "two"])
    golden["both"] = logits(both)
    golden["none"] = logits(llama())
    dora = peft.get_peft_model(llama(), peft.LoraConfig(r=4, lora_alpha=8, use_dora=True, target_modules=["q_proj", "gate_proj"]))
    fill(dora, 3)
    save(dora, "dora")
    golden["dora"] = logits(dora)
    gpt2 = peft.get_peft_model(tf.GPT2LMHeadModel.from_pretrained(MODELS / "gpt2"), peft.LoraConfig(r=4, target_modules=["c_attn"], fan_in_fan_out=True))
    fill(gpt2, 4)
    save(gpt2, "gpt2")
    golden["gpt2"] = logits(gpt2)
    bert = peft.get_peft_model(tf.BertForSequenceClassification.from_pretrained(MODELS / "bert-sequence"),
                               peft.LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["query", "value"]))
    fill(bert, 5)
    save(bert, "bert")
    with torch.no_grad():
        golden["bert"] = numbers(bert.eval()(torch.tensor([[5, 9, 33, 20, 41]])).logits)[0]
    (HERE / "golden.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
