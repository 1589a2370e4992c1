"""Renders templates/*.jinja over conversations.json with transformers' apply_chat_template.

usage: make_golden.py > golden.json

{template: {conversation: [text, null] or [null, error]}}; the error is the message of raise_exception, or "" for
any other.
"""
import datetime
import json
import os
import warnings

warnings.filterwarnings("ignore")
import jinja2
import transformers.utils.chat_template_utils as ctu
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

HERE = os.path.dirname(os.path.abspath(__file__))


class Now(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 3, 7, 9, 5, 2)


ctu.datetime = Now
conversations = json.load(open(f"{HERE}/conversations.json"))
tools = json.load(open(f"{HERE}/tools.json"))
tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), bos_token="<s>", eos_token="</s>")
golden = {}
for name in sorted(os.listdir(f"{HERE}/templates")):
    tokenizer.chat_template = open(f"{HERE}/templates/{name}").read()
    rows = golden[name] = {}
    for c in conversations:
        try:
            rows[c["name"]] = [
                tokenizer.apply_chat_template(
                    json.loads(json.dumps(c["messages"])),
                    tools=tools if c.get("tools") else None,
                    documents=c.get("documents"),
                    add_generation_prompt=c.get("add_generation_prompt", False),
                    continue_final_message=c.get("continue_final_message", False),
                    tokenize=False,
                    **c.get("extra", {}),
                ),
                None,
            ]
        except jinja2.exceptions.TemplateError as e:
            rows[c["name"]] = [None, str(e) if type(e) is jinja2.exceptions.TemplateError else ""]
        except Exception as e:
            rows[c["name"]] = [None, ""]
print(json.dumps(golden, ensure_ascii=False, indent=1))
