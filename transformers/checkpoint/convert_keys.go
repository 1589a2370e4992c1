package checkpoint

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/pantryhub/pantry/internal/kernel"
)

// architectures are GGUF's names of the model types that can be converted.
var architectures = map[string]string{
	"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3",
	"gemma2": "gemma2", "gemma3_text": "gemma3", "phi3": "phi3", "gpt2": "gpt2",
}

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

	SlidingWindow        int      `json:"sliding_window"`
	UseSlidingWindow     *bool    `json:"use_sliding_window"`     // qwen's; nil: as sliding_window says
	SlidingWindowPattern int      `json:"sliding_window_pattern"` // gemma3's
	LayerTypes           []string `json:"layer_types"`

	// Gemma's.
	HiddenActivation      string   `json:"hidden_activation"`
	QueryPreAttnScalar    float64  `json:"query_pre_attn_scalar"`
	AttnLogitSoftcapping  *float64 `json:"attn_logit_softcapping"`
	FinalLogitSoftcapping *float64 `json:"final_logit_softcapping"`
	UseBidirectional      bool     `json:"use_bidirectional_attention"`

	// GPT-2's.
	NPositions                 int     `json:"n_positions"`
	NEmbd                      int     `json:"n_embd"`
	NLayer                     int     `json:"n_layer"`
	NHead                      int     `json:"n_head"`
	NInner                     int     `json:"n_inner"`
	ActivationFunction         string  `json:"activation_function"`
	LayerNormEpsilon           float64 `json:"layer_norm_epsilon"`
	ScaleAttnWeights           bool    `json:"scale_attn_weights"`
	ScaleAttnByInverseLayerIdx bool    `json:"scale_attn_by_inverse_layer_idx"`

	ropeKeys
	LocalTheta     float64         `json:"rope_local_base_freq"` // gemma3's, for layers with a window
	RopeScaling    json.RawMessage `json:"rope_scaling"`
	RopeParameters json.RawMessage `json:"rope_parameters"` // since transformers 5
}

// ropeKeys are the scalings of positions that GGUF has.
type ropeKeys struct {
	Type            string    `json:"rope_type"`
	OldType         string    `json:"type"`
	Theta           float64   `json:"rope_theta"`
	Factor          float64   `json:"factor"`
	Partial         float64   `json:"partial_rotary_factor"`
	Original        int       `json:"original_max_position_embeddings"`
	LowFactor       float64   `json:"low_freq_factor"`
	HighFactor      float64   `json:"high_freq_factor"`
	AttentionFactor float64   `json:"attention_factor"`
	ShortFactor     []float64 `json:"short_factor"`
	LongFactor      []float64 `json:"long_factor"`
}

// keys reads config.json with the defaults of its model type.
func (c *Checkpoint) keys(arch string) (*decoderKeys, error) {
	k := &decoderKeys{RMSNormEps: 1e-6, MaxPositionEmbeddings: 2048, HiddenAct: "silu"}
	softcap := func(v float64) *float64 { return &v }
	switch arch {
	case "gemma2":
		k.HeadDim, k.MaxPositionEmbeddings, k.SlidingWindow, k.TieWordEmbeddings = 256, 8192, 4096, true
		k.AttnLogitSoftcapping, k.FinalLogitSoftcapping = softcap(50), softcap(30)
		k.HiddenActivation, k.QueryPreAttnScalar = "gelu_pytorch_tanh", 256
	case "gemma3":
		k.HeadDim, k.MaxPositionEmbeddings, k.SlidingWindow, k.TieWordEmbeddings = 256, 131072, 4096, true
		k.HiddenActivation, k.QueryPreAttnScalar = "gelu_pytorch_tanh", 256
		k.SlidingWindowPattern, k.LocalTheta, k.Theta = 6, 10000, 1e6
	case "phi3":
		k.RMSNormEps, k.MaxPositionEmbeddings = 1e-5, 4096
	case "gpt2":
		k.TieWordEmbeddings, k.ScaleAttnWeights = true, true
		k.NPositions, k.NEmbd, k.NLayer, k.NHead, k.VocabSize = 1024, 768, 12, 12, 50257
		k.ActivationFunction, k.LayerNormEpsilon = "gelu_new", 1e-5
	}
	if err := json.Unmarshal(c.Config, k); err != nil {
		return nil, fmt.Errorf("%w: config.json: %w", ErrFormat, err)
	}
	if arch == "gpt2" {
		k.HiddenSize, k.NumHiddenLayers, k.NumAttentionHeads = k.NEmbd, k.NLayer, k.NHead
		k.IntermediateSize, k.MaxPositionEmbeddings = cmp.Or(k.NInner, 4*k.NEmbd), k.NPositions
	}
	if err := k.complete(); err != nil {
		return nil, err
	}
	if err := k.mergeRope(); err != nil {
		return nil, err
	}
	return k, k.check(arch)
}

// complete fills in what config.json may leave out.
func (k *decoderKeys) complete() error {
	for name, v := range map[string]int{"vocab_size": k.VocabSize, "hidden_size": k.HiddenSize, "number of attention heads": k.NumAttentionHeads} {
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
	if k.HeadDim <= 0 {
		return fmt.Errorf("%w: config.json has hidden_size %d and %d heads", ErrFormat, k.HiddenSize, k.NumAttentionHeads)
	}
	return nil
}

// mergeRope reads the older and newer spellings, of which the newer may be
// nested by the type of layer.
func (k *decoderKeys) mergeRope() error {
	for _, raw := range []json.RawMessage{k.RopeScaling, k.RopeParameters} {
		if len(raw) == 0 || string(raw) == "null" {
			continue
		}
		var nested struct {
			Full    json.RawMessage `json:"full_attention"`
			Sliding struct {
				Theta float64 `json:"rope_theta"`
			} `json:"sliding_attention"`
		}
		if err := json.Unmarshal(raw, &nested); err != nil {
			return fmt.Errorf("%w: config.json: %w", ErrFormat, err)
		}
		if nested.Full != nil {
			raw = nested.Full
			k.LocalTheta = cmp.Or(nested.Sliding.Theta, k.LocalTheta)
		}
		if err := json.Unmarshal(raw, &k.ropeKeys); err != nil {
			return fmt.Errorf("%w: config.json: %w", ErrFormat, err)
		}
	}
	k.Theta = cmp.Or(k.Theta, 10000)
	k.Type = cmp.Or(k.Type, k.OldType, "default")
	return nil
}

// check refuses what GGUF cannot say.
func (k *decoderKeys) check(arch string) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrConvert}, args...)...)
	}
	switch arch {
	case "gemma2", "gemma3":
		if k.HiddenActivation != "gelu_pytorch_tanh" {
			return refuse("the activation %q", k.HiddenActivation)
		}
		if k.AttentionBias || k.UseBidirectional {
			return refuse("attention_bias and use_bidirectional_attention have no place in it")
		}
		return k.checkGemma(arch, refuse)
	case "gpt2":
		if k.ActivationFunction != "gelu_new" && k.ActivationFunction != "gelu_pytorch_tanh" {
			return refuse("the activation %q", k.ActivationFunction)
		}
		if !k.ScaleAttnWeights || k.ScaleAttnByInverseLayerIdx {
			return refuse("attention that is scaled in another way than by the heads' size")
		}
		return nil
	}
	window := k.SlidingWindow > 0 && k.SlidingWindow < k.MaxPositionEmbeddings
	if k.UseSlidingWindow != nil {
		window = *k.UseSlidingWindow
	}
	switch {
	case k.HiddenAct != "silu":
		return refuse("the activation %q", k.HiddenAct)
	case k.AttentionBias || k.MLPBias:
		return refuse("attention_bias and mlp_bias have no place in it")
	case window && arch != "phi3":
		return refuse("the architecture has no sliding window there")
	case k.Partial != 0 && k.Partial != 1 && arch != "phi3":
		return refuse("partial_rotary_factor %v", k.Partial)
	}
	return nil
}

// checkGemma refuses what llama.cpp does not read from a file but knows:
// which layers have a window, and by what scores are divided.
func (k *decoderKeys) checkGemma(arch string, refuse func(string, ...any) error) error {
	period := map[string]int{"gemma2": 2, "gemma3": 6}[arch]
	sliding := func(i int) bool { return (i+1)%period != 0 }
	for i, kind := range k.LayerTypes {
		if (kind == "sliding_attention") != sliding(i) {
			return refuse("layer %d of %d is %s", i, k.NumHiddenLayers, kind)
		}
	}
	if arch == "gemma3" && k.LayerTypes == nil && k.SlidingWindowPattern != period {
		return refuse("sliding_window_pattern %d", k.SlidingWindowPattern)
	}
	scalar := k.HeadDim
	if layers := map[string]int{"gemma2": 46, "gemma3": 62}[arch]; k.NumHiddenLayers == layers {
		scalar = k.HiddenSize / k.NumAttentionHeads // the 27 B models
	}
	switch {
	case k.QueryPreAttnScalar != float64(scalar):
		return refuse("query_pre_attn_scalar %v", k.QueryPreAttnScalar)
	case arch == "gemma2" && (k.AttnLogitSoftcapping == nil || k.FinalLogitSoftcapping == nil):
		return refuse("gemma2 without caps")
	case arch == "gemma3" && k.AttnLogitSoftcapping != nil:
		return refuse("attn_logit_softcapping %v", *k.AttnLogitSoftcapping)
	case k.SlidingWindow <= 0:
		return refuse("sliding_window %d", k.SlidingWindow)
	}
	return nil
}

// write sets the keys of the network.
func (k *decoderKeys) write(w *ggufWriter, arch string) {
	number := func(key string, value int) { w.Set(arch+"."+key, uint32(value)) }
	number("vocab_size", k.VocabSize)
	number("context_length", k.MaxPositionEmbeddings)
	number("embedding_length", k.HiddenSize)
	number("block_count", k.NumHiddenLayers)
	number("feed_forward_length", k.IntermediateSize)
	number("attention.head_count", k.NumAttentionHeads)
	if arch == "gpt2" {
		w.Set(arch+".attention.layer_norm_epsilon", float32(k.LayerNormEpsilon))
		return
	}
	number("attention.head_count_kv", k.NumKeyValueHeads)
	number("attention.key_length", k.HeadDim)
	number("attention.value_length", k.HeadDim)
	number("rope.dimension_count", k.rotated())
	w.Set(arch+".attention.layer_norm_rms_epsilon", float32(k.RMSNormEps))
	w.Set(arch+".rope.freq_base", float32(k.Theta))
	switch arch {
	case "gemma2", "gemma3":
		number("attention.sliding_window", k.SlidingWindow)
		if k.AttnLogitSoftcapping != nil {
			w.Set(arch+".attn_logit_softcapping", float32(*k.AttnLogitSoftcapping))
		}
		if k.FinalLogitSoftcapping != nil {
			w.Set(arch+".final_logit_softcapping", float32(*k.FinalLogitSoftcapping))
		}
		if arch == "gemma3" {
			w.Set(arch+".rope.freq_base_swa", float32(k.LocalTheta))
		}
	case "phi3":
		number("attention.sliding_window", k.SlidingWindow)
		number("rope.scaling.original_context_length", cmp.Or(k.Original, k.MaxPositionEmbeddings))
	}
}

// rotated is how many numbers of a head the rope turns.
func (k *decoderKeys) rotated() int { return int(float64(k.HeadDim) * cmp.Or(k.Partial, 1)) }

// writeRope writes the scaling of positions: keys, or the divisors of each
// frequency as tensors, of which LongRoPE has two, for short and long texts.
func (k *decoderKeys) writeRope(w *ggufWriter, arch string) error {
	switch {
	case arch == "gpt2" || k.Type == "default":
	case arch == "phi3" && slices.Contains([]string{"longrope", "su", "yarn"}, k.Type): // yarn: an early name
		if n := k.rotated() / 2; len(k.ShortFactor) != n || len(k.LongFactor) != n {
			return fmt.Errorf("%w: config.json has %d and %d rope factors, want %d", ErrFormat, len(k.ShortFactor), len(k.LongFactor), n)
		}
		w.Set(arch+".rope.scaling.attn_factor", float32(k.longFactor()))
		w.addVector("rope_factors_long.weight", floats(k.LongFactor))
		w.addVector("rope_factors_short.weight", floats(k.ShortFactor))
	case k.Type == "linear" || k.Type == "yarn" && arch != "gemma3":
		w.Set(arch+".rope.scaling.type", k.Type)
		w.Set(arch+".rope.scaling.factor", float32(k.Factor))
		if k.Original > 0 && arch != "phi3" {
			w.Set(arch+".rope.scaling.original_context_length", uint32(k.Original))
		}
	case k.Type == "llama3" && arch != "gemma3":
		w.addVector("rope_freqs.weight", k.llama3Divisors())
	default:
		return fmt.Errorf("%w: positions scaled by %q", ErrConvert, k.Type)
	}
	return nil
}

// longFactor is by what LongRoPE multiplies cosine and sine.
func (k *decoderKeys) longFactor() float64 {
	original := float64(cmp.Or(k.Original, k.MaxPositionEmbeddings))
	scale := float64(k.MaxPositionEmbeddings) / original
	switch {
	case k.AttentionFactor != 0:
		return k.AttentionFactor
	case scale <= 1:
		return 1
	}
	return math.Sqrt(1 + math.Log(scale)/math.Log(original))
}

func floats(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
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

// addVector plans a tensor of one dimension in F32.
func (w *ggufWriter) addVector(name string, x []float32) {
	w.add(name, entry{matrix: kernel.MatrixOf(x, 1, len(x)), shape: []int{len(x)}}, kernel.F32, shaping{})
}
