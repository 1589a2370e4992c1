// Package gemma3 is the text decoder of Google's Gemma 3: Gemma 2 without the
// caps, with norms over each head's query and key, and five layers with a
// window to each that sees everything, which turn by different angles.
//
// Source: Gemma Team 2025, "Gemma 3 Technical Report";
// transformers/models/gemma3/modeling_gemma3.py.
package gemma3

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Config is config.json of model type gemma3_text.
type Config struct {
	nn.DecoderConfig
	HiddenActivation      string  `json:"hidden_activation"`
	QueryPreAttnScalar    float64 `json:"query_pre_attn_scalar"`
	AttnLogitSoftcapping  float32 `json:"attn_logit_softcapping"`
	FinalLogitSoftcapping float32 `json:"final_logit_softcapping"`
	RopeLocalBaseFreq     float64 `json:"rope_local_base_freq"`   // before transformers 5
	SlidingWindowPattern  int     `json:"sliding_window_pattern"` // every so-manieth layer sees everything
	UseBidirectional      bool    `json:"use_bidirectional_attention"`
}

// Model is the network with its output layer.
type Model struct {
	nn.Decoder
	layers        []nn.SandwichLayer
	sliding       []bool
	norm          nn.RMSNorm
	global, local *nn.Rope
	scale         float32 // of the embeddings
	cap           float32 // of the logits; 0: none
}

// New builds the network. The error wraps checkpoint.ErrFormat if a tensor is
// missing or mis-shaped.
func New(config json.RawMessage, w checkpoint.Weights) (*Model, error) {
	c := Config{
		DecoderConfig:    nn.DecoderConfig{RMSNormEps: 1e-6, HeadDim: 256, TieWordEmbeddings: true, SlidingWindow: 4096},
		HiddenActivation: "gelu_pytorch_tanh", SlidingWindowPattern: 6,
	}
	if err := c.Parse(config, &c); err != nil {
		return nil, fmt.Errorf("gemma3: %w", err)
	}
	if c.UseBidirectional {
		return nil, fmt.Errorf("gemma3: the encoder variant (use_bidirectional_attention) is not supported")
	}
	c.LayerPattern(func(i int) bool { return (i+1)%max(c.SlidingWindowPattern, 1) != 0 })
	m := &Model{
		Decoder: nn.NewDecoder(c.DecoderConfig, w),
		norm:    nn.NewRMSNorm(w.Sub("model.norm"), c.HiddenSize, c.RMSNormEps),
		scale:   float32(math.Sqrt(float64(c.HiddenSize))),
		cap:     c.FinalLogitSoftcapping,
	}
	m.norm.Offset = c.NormOffset()
	if err := m.readRopes(c, w); err != nil {
		return nil, fmt.Errorf("gemma3: %w", err)
	}
	for i := range c.NumHiddenLayers {
		a := c.Attention(i)
		a.Scale = c.QueryScale(c.QueryPreAttnScalar)
		a.SoftCap = c.AttnLogitSoftcapping
		l := w.Sub("model").Layer("layers", i)
		layer, err := nn.NewSandwichLayer(l, &c.DecoderConfig, a, c.HiddenActivation)
		if err != nil {
			return nil, fmt.Errorf("gemma3: %w", err)
		}
		layer.Attention.ReadNorms(l.Sub("self_attn"), c.RMSNormEps, c.NormOffset())
		m.layers = append(m.layers, layer)
		m.sliding = append(m.sliding, c.Sliding(i))
	}
	return m, w.Err()
}

// readRopes: layers that see everything turn slowly and may be scaled; those
// with a window turn as in earlier models and are not.
func (m *Model) readRopes(c Config, w checkpoint.Weights) (err error) {
	if m.global, err = c.Rope(w, "full_attention", 1_000_000); err != nil {
		return err
	}
	local := c
	local.RopeScaling, local.RopeTheta = nil, c.RopeLocalBaseFreq
	m.local, err = local.Rope(w, "sliding_attention", 10000)
	return err
}

// Forward runs a batch and returns the logits that it asks for: (outputs,
// vocabulary), valid until the workspace's next pass.
func (m *Model) Forward(ws *nn.Workspace, b *nn.Batch) tensor.Tensor {
	// 1. Token embeddings (tokens, dim), scaled by √dim, and their angles.
	x := m.Embed.Forward(ws, b.Begin())
	nn.Scale(x, m.scale)
	global, local := m.global.Angles(ws, b), m.local.Angles(ws, b)

	// 2. Layers: attention, then the gated MLP, each between two norms.
	for i := range ws.Layers(len(m.layers)) {
		angles := global
		if m.sliding[i] {
			angles = local
		}
		m.layers[i].Forward(ws, b, i, x, angles)
	}

	// 3. The last norm, the output layer and the cap of the logits.
	logits := m.Logits(ws, b, &m.norm, x)
	nn.SoftCap(logits, m.cap)
	return logits
}
