// Package gemma2 is Google's decoder of Gemma 2: norms before and after each
// part, scores and logits capped by a tanh, every other layer with a window.
//
// Source: Gemma Team 2024, "Gemma 2: Improving Open Language Models at a
// Practical Size"; transformers/models/gemma2/modeling_gemma2.py.
package gemma2

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Config is config.json.
type Config struct {
	nn.DecoderConfig
	HiddenActivation      string   `json:"hidden_activation"`
	QueryPreAttnScalar    float64  `json:"query_pre_attn_scalar"`
	AttnLogitSoftcapping  *float32 `json:"attn_logit_softcapping"`  // null: no cap
	FinalLogitSoftcapping *float32 `json:"final_logit_softcapping"` // null: no cap
}

// Model is the network with its output layer.
type Model struct {
	nn.Decoder
	layers []nn.SandwichLayer
	norm   nn.RMSNorm
	rope   *nn.Rope
	scale  float32 // of the embeddings
	cap    float32 // of the logits
}

// New builds the network. The error wraps checkpoint.ErrFormat if a tensor is
// missing or mis-shaped.
func New(config json.RawMessage, w checkpoint.Weights) (*Model, error) {
	c := Config{
		DecoderConfig:    nn.DecoderConfig{RMSNormEps: 1e-6, HeadDim: 256, TieWordEmbeddings: true, SlidingWindow: 4096},
		HiddenActivation: "gelu_pytorch_tanh", AttnLogitSoftcapping: new(float32(50)), FinalLogitSoftcapping: new(float32(30)),
	}
	if err := c.Parse(config, &c); err != nil {
		return nil, fmt.Errorf("gemma2: %w", err)
	}
	c.LayerPattern(func(i int) bool { return i%2 == 0 })
	m := &Model{
		Decoder: nn.NewDecoder(c.DecoderConfig, w),
		norm:    nn.NewRMSNorm(w.Sub("model.norm"), c.HiddenSize, c.RMSNormEps),
		scale:   float32(math.Sqrt(float64(c.HiddenSize))),
	}
	if c.FinalLogitSoftcapping != nil {
		m.cap = *c.FinalLogitSoftcapping
	}
	m.norm.Offset = c.NormOffset()
	var err error
	if m.rope, err = c.Rope(w, "", 10000); err != nil {
		return nil, fmt.Errorf("gemma2: %w", err)
	}
	m.Extend(m.rope)
	for i := range c.NumHiddenLayers {
		a := c.Attention(i)
		a.Scale = c.QueryScale(c.QueryPreAttnScalar)
		if c.AttnLogitSoftcapping != nil {
			a.SoftCap = *c.AttnLogitSoftcapping
		}
		layer, err := nn.NewSandwichLayer(w.Sub("model").Layer("layers", i), &c.DecoderConfig, a, c.HiddenActivation)
		if err != nil {
			return nil, fmt.Errorf("gemma2: %w", err)
		}
		m.layers = append(m.layers, layer)
	}
	return m, w.Err()
}

// Forward runs a batch and returns the logits that it asks for: (outputs,
// vocabulary), valid until the workspace's next pass.
func (m *Model) Forward(ws *nn.Workspace, b *nn.Batch) tensor.Tensor {
	// 1. Token embeddings (tokens, dim), scaled by √dim, and their angles.
	x := m.Embed.Forward(ws, b.Begin())
	nn.Scale(x, m.scale)
	angles := m.rope.Angles(ws, b)

	// 2. Layers: attention, then the gated MLP, each between two norms.
	for i := range ws.Layers(len(m.layers)) {
		m.layers[i].Forward(ws, b, i, x, angles)
	}

	// 3. The last norm, the output layer and the cap of the logits.
	logits := m.Logits(ws, b, &m.norm, x)
	nn.SoftCap(logits, m.cap)
	return logits
}
