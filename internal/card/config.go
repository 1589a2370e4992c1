package card

import (
	"encoding/json"
	"slices"
	"strings"
)

// MaxFile is how large a file that Wanted names may be; the caller leaves
// larger ones out. (A tokenizer_config.json with a long list of added tokens
// reaches 3 MB.)
const MaxFile = 8 << 20

// Wanted lists which of a repository's files Derive looks into.
func Wanted(files []string) []string {
	wanted := []string{
		"config.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "processor_config.json",
		"adapter_config.json", "model_index.json",
	}
	var out []string
	for _, f := range files {
		if slices.Contains(wanted, f) {
			out = append(out, f)
		}
	}
	return out
}

// jsonObject is an object from a file in the repository. Its accessors return
// zero values for what is missing or of another type; a nil object has nothing.
type jsonObject map[string]any

func parseObject(src []byte) jsonObject {
	var o jsonObject
	if len(src) > MaxFile || json.Unmarshal(src, &o) != nil {
		return nil
	}
	return o
}

func (o jsonObject) text(key string) string {
	s, _ := o[key].(string)
	return s
}

func (o jsonObject) object(key string) jsonObject {
	m, _ := o[key].(map[string]any)
	return m
}

func (o jsonObject) texts(key string) []string {
	var out []string
	for _, v := range itemsOf(o[key]) {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// pick copies the keys that are present.
func (o jsonObject) pick(keys ...string) map[string]any {
	out := map[string]any{}
	for _, k := range keys {
		if v, ok := o[k]; ok && v != nil {
			out[k] = v
		}
	}
	return out
}

// specialTokens are what the hub shows of a tokenizer.
func specialTokens() []string {
	return []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}
}

// config builds the "config" field of a model: the parts of its JSON files
// that pages and snippets use.
func (in *Input) config() map[string]any {
	cfg := in.json("config.json")
	out := cfg.pick("architectures", "model_type", "auto_map")
	if q := cfg.object("quantization_config"); q != nil {
		out["quantization_config"] = q.pick("bits", "load_in_4bit", "load_in_8bit", "quant_method", "bnb_4bit_quant_type", "fmt")
	}
	if len(cfg) > 0 || in.has("tokenizer_config.json") {
		keys := append(specialTokens(), "use_default_system_prompt", "chat_template")
		out["tokenizer_config"] = in.json("tokenizer_config.json").pick(keys...)
	}
	if template := in.Contents["chat_template.jinja"]; len(template) > 0 && len(template) <= MaxFile {
		out["chat_template_jinja"] = string(template)
	}
	if template := in.json("processor_config.json").text("chat_template"); template != "" {
		out["processor_config"] = map[string]any{"chat_template": template}
	}
	if adapter := in.json("adapter_config.json"); adapter != nil {
		if _, isPEFT := adapter["peft_type"]; isPEFT {
			out["peft"] = adapter.pick("base_model_name_or_path", "task_type")
		} else {
			out["adapter_transformers"] = adapter.pick("model_name", "model_class")
		}
	}
	if class := in.diffusersClass(); class != "" {
		out["diffusers"] = map[string]any{"_class_name": class}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func (in *Input) diffusersClass() string {
	if s := in.json("model_index.json").text("_class_name"); s != "" {
		return s
	}
	if cfg := in.json("config.json"); cfg.text("_diffusers_version") != "" {
		return cfg.text("_class_name")
	}
	return ""
}

// chatTemplate reports whether the repository has a chat template anywhere.
func (in *Input) chatTemplate() bool {
	return in.json("tokenizer_config.json")["chat_template"] != nil || len(in.Contents["chat_template.jinja"]) > 0 ||
		in.json("processor_config.json").text("chat_template") != "" || (in.GGUF != nil && in.GGUF.ChatTemplate != "")
}

// maskToken is the token that stands for a gap, for fill-mask widgets.
func (in *Input) maskToken() string {
	for _, file := range []string{"tokenizer_config.json", "special_tokens_map.json"} {
		switch v := in.json(file)["mask_token"].(type) {
		case string:
			return v
		case map[string]any: // an AddedToken
			if s, ok := v["content"].(string); ok {
				return s
			}
		}
	}
	switch in.json("config.json").text("model_type") {
	case "bert", "distilbert", "electra", "albert", "mobilebert", "deberta", "deberta-v2", "modernbert":
		return "[MASK]"
	case "roberta", "xlm-roberta", "camembert", "bart", "mbart", "longformer", "mpnet":
		return "<mask>"
	}
	return ""
}

// quantizationTags are the labels of a quantised checkpoint: "4-bit", "gptq".
func (in *Input) quantizationTags() []string {
	cfg := in.json("config.json")
	q := cfg.object("quantization_config")
	if q == nil {
		return nil
	}
	method := strings.ToLower(q.text("quant_method"))
	var out []string
	switch bits, _ := q["bits"].(float64); {
	case q["load_in_4bit"] == true || bits == 4 || method == "mxfp4":
		out = append(out, "4-bit")
	case q["load_in_8bit"] == true || bits == 8 || method == "fp8" || method == "fbgemm_fp8":
		out = append(out, "8-bit")
	case bits == 2 || bits == 3:
		out = append(out, text(int64(bits))+"-bit")
	}
	if method != "" {
		out = append(out, method)
	}
	return out
}
