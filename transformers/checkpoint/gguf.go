package checkpoint

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/pantryhub/pantry/gguf"
	"github.com/pantryhub/pantry/internal/kernel"
)

// ggmlFormats are the tensor types that a network can use.
var ggmlFormats = map[gguf.Type]kernel.Type{
	gguf.F32: kernel.F32, gguf.F16: kernel.F16, gguf.BF16: kernel.BF16, gguf.Q8_0: kernel.Q8_0,
	gguf.Q4_0: kernel.Q4_0, gguf.Q4_K: kernel.Q4_K, gguf.Q5_K: kernel.Q5_K, gguf.Q6_K: kernel.Q6_K,
}

// openGGUF maps a GGUF file, renames its tensors and writes the config.json
// that its key/values amount to.
func (c *Checkpoint) openGGUF(path string) error {
	m, err := mapFile(path)
	if err != nil {
		return err
	}
	c.maps = append(c.maps, m)
	c.Bytes = int64(len(m.data))
	h, err := gguf.ReadHeader(m, c.Bytes)
	if err != nil {
		return err
	}
	if h.BigEndian {
		return fmt.Errorf("%w: big-endian GGUF", ErrFormat)
	}
	if n, ok := h.Uint("split.count"); ok && n > 1 {
		return fmt.Errorf("%w: one part of %d; join the parts with llama-gguf-split --merge", ErrFormat, n)
	}
	c.GGUF = h
	if c.Config, err = ggufConfig(h); err != nil {
		return err
	}
	arch, _ := h.Text("general.architecture")
	for _, t := range h.Tensors {
		format, ok := ggmlFormats[t.Type]
		if !ok {
			return fmt.Errorf("%w: tensor %s has ggml type %d; F32, F16, BF16, Q8_0, Q4_0, Q4_K, Q5_K and Q6_K are supported", ErrFormat, t.Name, t.Type)
		}
		shape := make([]int, len(t.Shape))
		for i, d := range t.Shape { // ggml lists the fastest dimension first
			shape[len(shape)-1-i] = int(d)
		}
		if err := c.add(pythonName(arch, t.Name), format, shape, m.data[t.Offset:t.Offset+t.Size]); err != nil {
			return err
		}
	}
	return nil
}

// naming is how an architecture's tensors are called in transformers, by their
// names in GGUF: outside of layers, within, and the path of the list of layers.
type naming struct {
	outer, inner map[string]string
	layers       string
}

// namings are the names by general.architecture. Those of llama serve for all
// that are not listed.
var namings = map[string]naming{
	"llama": llamaNames(nil),
	"gemma2": llamaNames(map[string]string{
		"ffn_norm": "pre_feedforward_layernorm", "post_attention_norm": "post_attention_layernorm", "post_ffw_norm": "post_feedforward_layernorm"}),
	"gemma3": llamaNames(map[string]string{
		"ffn_norm": "pre_feedforward_layernorm", "post_attention_norm": "post_attention_layernorm", "post_ffw_norm": "post_feedforward_layernorm"}),
	"phi3": llamaNames(map[string]string{"attn_qkv": "self_attn.qkv_proj", "ffn_up": "mlp.gate_up_proj"}),
	"gpt2": {
		outer: map[string]string{"token_embd": "wte", "position_embd": "wpe", "output_norm": "ln_f", "output": "lm_head"},
		inner: map[string]string{"attn_norm": "ln_1", "attn_qkv": "attn.c_attn", "attn_output": "attn.c_proj",
			"ffn_norm": "ln_2", "ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj"},
		layers: "h",
	},
}

// llamaNames are llama's names with others for some parts of a layer.
func llamaNames(other map[string]string) naming {
	n := naming{
		outer: map[string]string{"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"},
		inner: map[string]string{
			"attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
			"attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
			"ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
		},
		layers: "model.layers",
	}
	maps.Copy(n.inner, other)
	return n
}

func namingOf(arch string) naming {
	if n, ok := namings[arch]; ok {
		return n
	}
	return namings["llama"]
}

// pythonName is the dotted name of a GGUF tensor in transformers. Names that
// are not known stay.
func pythonName(arch, name string) string {
	stem, suffix, ok := cutLast(name, ".")
	if !ok {
		return name
	}
	n := namingOf(arch)
	if rest, ok := strings.CutPrefix(stem, "blk."); ok {
		layer, part, _ := strings.Cut(rest, ".")
		if known, ok := n.inner[part]; ok {
			return n.layers + "." + layer + "." + known + "." + suffix
		}
		return name
	}
	if known, ok := n.outer[stem]; ok {
		return known + "." + suffix
	}
	return name
}

// ggufName is pythonName the other way.
func ggufName(arch, name string) (string, bool) {
	stem, suffix, _ := cutLast(name, ".")
	n, names, prefix := namingOf(arch), map[string]string(nil), ""
	if rest, ok := strings.CutPrefix(stem, n.layers+"."); ok {
		layer, part, _ := strings.Cut(rest, ".")
		names, stem, prefix = n.inner, part, "blk."+layer+"."
	} else {
		names = n.outer
	}
	for theirs, ours := range names {
		if ours == stem {
			return prefix + theirs + "." + suffix, true
		}
	}
	return "", false
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// ggufConfig is the config.json of a GGUF file. Keys that transformers does
// not have begin with "gguf_".
func ggufConfig(h *gguf.Header) (json.RawMessage, error) {
	arch, _ := h.Text("general.architecture")
	config := map[string]any{"model_type": arch, "gguf": true}
	if arch == "gemma3" {
		config["model_type"] = "gemma3_text"
	}
	names := map[string]string{
		"block_count": "num_hidden_layers", "context_length": "max_position_embeddings", "embedding_length": "hidden_size",
		"feed_forward_length": "intermediate_size", "attention.head_count": "num_attention_heads",
		"attention.head_count_kv": "num_key_value_heads", "attention.key_length": "head_dim",
		"attention.sliding_window": "sliding_window", "vocab_size": "vocab_size",
	}
	if arch == "gpt2" {
		names = map[string]string{"block_count": "n_layer", "context_length": "n_positions", "embedding_length": "n_embd",
			"feed_forward_length": "n_inner", "attention.head_count": "n_head"}
	}
	for key, name := range names {
		if v, ok := h.Uint(arch + "." + key); ok {
			config[name] = v
		}
	}
	for key, name := range map[string]string{
		"attention.layer_norm_rms_epsilon": "rms_norm_eps", "rope.freq_base": "rope_theta",
		"attn_logit_softcapping": "attn_logit_softcapping", "final_logit_softcapping": "final_logit_softcapping",
		"rope.freq_base_swa": "rope_local_base_freq", "attention.layer_norm_epsilon": "layer_norm_epsilon",
	} {
		if v, ok := h.Float(arch + "." + key); ok {
			config[name] = v
		}
	}
	if n, ok := h.ArrayLen("tokenizer.ggml.tokens"); ok {
		config["vocab_size"] = n
	}
	for key, name := range map[string]string{"tokenizer.ggml.bos_token_id": "bos_token_id", "tokenizer.ggml.eos_token_id": "eos_token_id"} {
		if v, ok := h.Uint(key); ok {
			config[name] = v
		}
	}
	if _, window := config["sliding_window"]; arch == "gemma3" && !window {
		config["sliding_window_pattern"] = 1 // every layer sees everything
	}
	_, untied := h.Lookup("output.weight")
	config["tie_word_embeddings"] = !untied
	ggufRope(h, arch, config)
	return json.Marshal(config)
}

// ggufRope adds the rotary positions, which GGUF spreads over several keys.
func ggufRope(h *gguf.Header, arch string, config map[string]any) {
	// The converter reorders the rows of llama's query and key weights for a
	// rope that pairs neighbours; the other architectures keep Python's order.
	config["gguf_rope_interleaved"] = arch == "llama"
	if dim, ok := h.Uint(arch + ".rope.dimension_count"); ok {
		head, ok := h.Uint(arch + ".attention.key_length")
		if !ok {
			heads, _ := h.Uint(arch + ".attention.head_count")
			width, _ := h.Uint(arch + ".embedding_length")
			head = width / max(heads, 1)
		}
		if head > 0 && dim < head {
			config["partial_rotary_factor"] = float64(dim) / float64(head)
		}
	}
	// Files with the factors of LongRoPE as tensors have only these two.
	if n, ok := h.Uint(arch + ".rope.scaling.original_context_length"); ok {
		config["original_max_position_embeddings"] = n
	}
	scaling := map[string]any{}
	if f, ok := h.Float(arch + ".rope.scaling.attn_factor"); ok {
		scaling["attention_factor"] = f
	}
	kind, _ := h.Text(arch + ".rope.scaling.type")
	if factor, ok := h.Float(arch + ".rope.scaling.factor"); ok && kind != "none" && kind != "" {
		scaling["rope_type"], scaling["factor"] = kind, factor
	}
	if len(scaling) > 0 {
		config["rope_scaling"] = scaling
	}
}
