package checkpoint

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/tokenizers"
)

// architectures are GGUF's names of the model types that can be converted.
var architectures = map[string]string{"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}

// decoderKeys are the keys of config.json that a GGUF file needs.
type decoderKeys struct {
	VocabSize             int     `json:"vocab_size"`
	HiddenSize            int     `json:"hidden_size"`
	IntermediateSize      int     `json:"intermediate_size"`
	NumHiddenLayers       int     `json:"num_hidden_layers"`
	NumAttentionHeads     int     `json:"num_attention_heads"`
	NumKeyValueHeads      int     `json:"num_key_value_heads"`
	HeadDim               int     `json:"head_dim"`
	HiddenAct             string  `json:"hidden_act"`
	RMSNormEps            float64 `json:"rms_norm_eps"`
	MaxPositionEmbeddings int     `json:"max_position_embeddings"`
	TieWordEmbeddings     bool    `json:"tie_word_embeddings"`
	AttentionBias         bool    `json:"attention_bias"`
	MLPBias               bool    `json:"mlp_bias"`
	SlidingWindow         int     `json:"sliding_window"`
	UseSlidingWindow      *bool   `json:"use_sliding_window"` // qwen's; nil: as sliding_window says

	ropeKeys
	RopeScaling    *ropeKeys `json:"rope_scaling"`
	RopeParameters *ropeKeys `json:"rope_parameters"` // since transformers 5
}

// ropeKeys are the scalings of positions that GGUF has.
type ropeKeys struct {
	Type       string  `json:"rope_type"`
	OldType    string  `json:"type"`
	Theta      float64 `json:"rope_theta"`
	Factor     float64 `json:"factor"`
	Partial    float64 `json:"partial_rotary_factor"`
	Original   int     `json:"original_max_position_embeddings"`
	LowFactor  float64 `json:"low_freq_factor"`
	HighFactor float64 `json:"high_freq_factor"`
}

// convert plans a file from a folder with the names of transformers.
//
// Source: llama.cpp's convert_hf_to_gguf.py.
func (c *Checkpoint) convert(w *ggufWriter) error {
	arch, ok := architectures[c.ModelType()]
	if !ok {
		return fmt.Errorf("%w: a model of type %q; llama, mistral, qwen2 and qwen3 can", ErrConvert, c.ModelType())
	}
	k := decoderKeys{RMSNormEps: 1e-6, MaxPositionEmbeddings: 2048, HiddenAct: "silu"}
	if err := json.Unmarshal(c.Config, &k); err != nil {
		return fmt.Errorf("%w: config.json: %w", ErrFormat, err)
	}
	if err := k.complete(); err != nil {
		return err
	}
	w.Set("general.architecture", arch)
	w.Set("general.name", filepath.Base(c.Dir))
	k.write(w, arch)
	if err := k.writeRope(w, arch); err != nil {
		return err
	}
	if err := tokenizers.ToGGUF(&w.Writer, os.DirFS(c.Dir), k.VocabSize); err != nil {
		return fmt.Errorf("%w: %w", ErrConvert, err)
	}
	template, err := c.ChatTemplate()
	if err != nil {
		return err
	}
	if template != "" {
		w.Set("tokenizer.chat_template", template)
	}
	return c.convertTensors(w, arch, &k)
}

// complete fills in what config.json may leave out and refuses what GGUF
// cannot say.
func (k *decoderKeys) complete() error {
	for name, v := range map[string]int{"vocab_size": k.VocabSize, "hidden_size": k.HiddenSize, "num_attention_heads": k.NumAttentionHeads} {
		if v <= 0 || v > 1<<24 {
			return fmt.Errorf("%w: config.json has %s %d", ErrFormat, name, v)
		}
	}
	if k.NumKeyValueHeads == 0 {
		k.NumKeyValueHeads = k.NumAttentionHeads
	}
	if k.HeadDim == 0 {
		k.HeadDim = k.HiddenSize / k.NumAttentionHeads
	}
	for _, more := range []*ropeKeys{k.RopeScaling, k.RopeParameters} {
		if more == nil {
			continue
		}
		theta := k.Theta
		k.ropeKeys = *more
		k.Theta = cmp.Or(more.Theta, theta)
	}
	if k.HeadDim <= 0 {
		return fmt.Errorf("%w: config.json has hidden_size %d and %d heads", ErrFormat, k.HiddenSize, k.NumAttentionHeads)
	}
	k.Theta = cmp.Or(k.Theta, 10000)
	k.Type = cmp.Or(k.Type, k.OldType, "default")
	window := k.SlidingWindow > 0 && k.SlidingWindow < k.MaxPositionEmbeddings
	if k.UseSlidingWindow != nil {
		window = *k.UseSlidingWindow
	}
	switch {
	case k.HiddenAct != "silu":
		return fmt.Errorf("%w: the activation %q", ErrConvert, k.HiddenAct)
	case k.AttentionBias || k.MLPBias:
		return fmt.Errorf("%w: attention_bias and mlp_bias have no place in it", ErrConvert)
	case window:
		return fmt.Errorf("%w: the architecture has no sliding window there", ErrConvert)
	case k.Partial != 0 && k.Partial != 1:
		return fmt.Errorf("%w: partial_rotary_factor %v", ErrConvert, k.Partial)
	}
	return nil
}

func (k *decoderKeys) write(w *ggufWriter, arch string) {
	for _, n := range []struct {
		key   string
		value int
	}{
		{"vocab_size", k.VocabSize}, {"context_length", k.MaxPositionEmbeddings}, {"embedding_length", k.HiddenSize},
		{"block_count", k.NumHiddenLayers}, {"feed_forward_length", k.IntermediateSize},
		{"attention.head_count", k.NumAttentionHeads}, {"attention.head_count_kv", k.NumKeyValueHeads},
		{"attention.key_length", k.HeadDim}, {"attention.value_length", k.HeadDim}, {"rope.dimension_count", k.HeadDim},
	} {
		w.Set(arch+"."+n.key, uint32(n.value))
	}
	w.Set(arch+".attention.layer_norm_rms_epsilon", float32(k.RMSNormEps))
	w.Set(arch+".rope.freq_base", float32(k.Theta))
}

// writeRope writes the scaling of positions: keys, or for Llama 3 the divisor
// of each frequency as a tensor.
func (k *decoderKeys) writeRope(w *ggufWriter, arch string) error {
	switch k.Type {
	case "default":
	case "linear", "yarn":
		w.Set(arch+".rope.scaling.type", k.Type)
		w.Set(arch+".rope.scaling.factor", float32(k.Factor))
		if k.Original > 0 {
			w.Set(arch+".rope.scaling.original_context_length", uint32(k.Original))
		}
	case "llama3":
		divisors := k.llama3Divisors()
		data := make([]byte, 4*len(divisors))
		kernel.Quantize(kernel.F32, data, divisors)
		m, err := kernel.NewMatrix(kernel.F32, 1, len(divisors), data)
		if err != nil {
			return fmt.Errorf("%w: head_dim %d: %w", ErrFormat, k.HeadDim, err)
		}
		w.add("rope_freqs.weight", entry{matrix: m, shape: []int{len(divisors)}}, kernel.F32, shaping{})
	default:
		return fmt.Errorf("%w: positions scaled by %q", ErrConvert, k.Type)
	}
	return nil
}

func (k *decoderKeys) llama3Divisors() []float32 {
	original := float64(cmp.Or(k.Original, 8192))
	low, high := cmp.Or(k.LowFactor, 1), cmp.Or(k.HighFactor, 4)
	divisors := make([]float32, k.HeadDim/2)
	for i := range divisors {
		wavelength := 2 * math.Pi * math.Pow(k.Theta, 2*float64(i)/float64(k.HeadDim))
		switch {
		case wavelength < original/high:
			divisors[i] = 1
		case wavelength > original/low:
			divisors[i] = float32(k.Factor)
		default:
			smooth := (original/wavelength - low) / (high - low)
			divisors[i] = float32(1 / ((1-smooth)/k.Factor + smooth))
		}
	}
	return divisors
}

// convertTensors plans the weights. Only llama's queries and keys change their
// order, see reorder.
func (c *Checkpoint) convertTensors(w *ggufWriter, arch string, k *decoderKeys) error {
	_, head := c.entries["lm_head.weight"]
	w.tied = k.TieWordEmbeddings || !head
	for _, name := range c.Names() {
		e := c.entries[name]
		theirs, ok := ggufName(name)
		switch {
		case name == "lm_head.weight" && w.tied, strings.HasSuffix(name, "rotary_emb.inv_freq"):
			continue
		case !ok:
			return fmt.Errorf("%w: the tensor %s has no name there", ErrConvert, name)
		}
		var how shaping
		if arch == "llama" && (strings.HasSuffix(name, ".self_attn.q_proj.weight") || strings.HasSuffix(name, ".self_attn.k_proj.weight")) {
			if k.HeadDim%2 != 0 || e.matrix.Rows%k.HeadDim != 0 {
				return fmt.Errorf("%w: %s has %d rows in heads of %d", ErrFormat, name, e.matrix.Rows, k.HeadDim)
			}
			how.order = reorder(k.HeadDim)
		}
		w.add(theirs, e, w.typeOf(theirs, e), how)
	}
	return nil
}

// reorder is the order of llama's query and key rows in GGUF, where the rope
// pairs neighbours: within each head of dim rows, those of the first and the
// second half alternate.
func reorder(dim int) func(i int) int {
	return func(i int) int {
		head, within := i/dim, i%dim
		return head*dim + within%2*(dim/2) + within/2
	}
}

// ggufName is pythonName the other way, for llama and qwen.
func ggufName(name string) (string, bool) {
	stem, suffix, _ := cutLast(name, ".")
	if rest, ok := strings.CutPrefix(stem, "model.layers."); ok {
		layer, part, _ := strings.Cut(rest, ".")
		for theirs, ours := range ggufLayerNames {
			if ours == part && !strings.HasPrefix(theirs, "post_") { // gemma's
				return "blk." + layer + "." + theirs + "." + suffix, true
			}
		}
		return "", false
	}
	for theirs, ours := range ggufNames {
		if ours == stem {
			return theirs + "." + suffix, true
		}
	}
	return "", false
}

// ChatTemplate is the model's chat template, "" if it has none: of the GGUF
// file, or of chat_template.jinja or tokenizer_config.json.
func (c *Checkpoint) ChatTemplate() (string, error) {
	if c.GGUF != nil {
		template, _ := c.GGUF.Text("tokenizer.chat_template")
		return template, nil
	}
	data, err := ReadLimited(os.DirFS(c.Dir), "chat_template.jinja", MaxConfig)
	if !errors.Is(err, fs.ErrNotExist) {
		return string(data), err
	}
	data, err = ReadLimited(os.DirFS(c.Dir), "tokenizer_config.json", MaxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var settings struct {
		ChatTemplate templates `json:"chat_template"`
	}
	if err := json.Unmarshal(data, &settings); err != nil {
		return "", fmt.Errorf("%w: tokenizer_config.json: %w", ErrFormat, err)
	}
	return string(settings.ChatTemplate), nil
}

// templates is a template, or the one named "default" of several.
type templates string

// UnmarshalJSON reads either form.
func (t *templates) UnmarshalJSON(data []byte) error {
	if len(data) == 0 || data[0] != '[' {
		return json.Unmarshal(data, (*string)(t))
	}
	var several []struct{ Name, Template string }
	if err := json.Unmarshal(data, &several); err != nil {
		return err
	}
	for _, one := range several {
		if one.Name == "default" {
			*t = templates(one.Template)
		}
	}
	return nil
}
