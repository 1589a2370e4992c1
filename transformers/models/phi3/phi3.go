// Package phi3 is Microsoft's decoder of Phi-3, 3.5 and 4-mini: llama with query, key and
// value in one weight, gate and up in another, and rope scaled for long texts.
//
// Source: Abdin et al. 2024, "Phi-3 Technical Report";
// transformers/models/phi3/modeling_phi3.py.
package phi3

import (
	"encoding/json"
	"fmt"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Config is config.json.
type Config struct{ nn.DecoderConfig }

// rope is the rotation; GGUF stores the factors of LongRoPE as tensors.
func (c *Config) rope(w checkpoint.Weights) (*nn.Rope, error) {
	p, err := c.Parameters("", 10000)
	if err != nil {
		return nil, err
	}
	if p.Type == "yarn" { // an early name
		p.Type = "longrope"
	}
	if w.Has("rope_factors_short.weight") {
		p.Type = "longrope"
		pairs := int(float64(c.HeadDim)*p.PartialRotaryFactor) / 2
		p.ShortFactor = doubles(w.Vector("rope_factors_short.weight", pairs))
		p.LongFactor = doubles(w.Vector("rope_factors_long.weight", pairs))
	}
	return nn.NewRope(p, c.HeadDim, c.MaxPositionEmbeddings)
}

func doubles(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// Model is the network with its output layer.
type Model struct {
	nn.Decoder
	layers []nn.DecoderLayer
	norm   nn.RMSNorm
	rope   *nn.Rope
}

// New builds the network. The error wraps checkpoint.ErrFormat if a tensor is
// missing or mis-shaped.
func New(config json.RawMessage, w checkpoint.Weights) (*Model, error) {
	c := Config{DecoderConfig: nn.DecoderConfig{RMSNormEps: 1e-5}}
	if err := c.Parse(config, &c); err != nil {
		return nil, fmt.Errorf("phi3: %w", err)
	}
	c.LayerPattern(func(int) bool { return c.SlidingWindow > 0 })
	m := &Model{Decoder: nn.NewDecoder(c.DecoderConfig, w)}
	var err error
	if m.rope, err = c.rope(w); err != nil {
		return nil, fmt.Errorf("phi3: %w", err)
	}
	m.Extend(m.rope)
	for i := range c.NumHiddenLayers {
		l := w.Sub("model").Layer("layers", i)
		layer, err := nn.NewDecoderLayer(l, &c.DecoderConfig, c.Attention(i))
		if err != nil {
			return nil, fmt.Errorf("phi3: %w", err)
		}
		m.layers = append(m.layers, layer)
	}
	m.norm = nn.NewRMSNorm(w.Sub("model.norm"), c.HiddenSize, c.RMSNormEps)
	return m, w.Err()
}

// Long reports whether a text of so many tokens is computed with other angles
// than a short one, so that what is remembered of a short one is of no use.
func (m *Model) Long(length int) bool { return m.rope.Long(length) }

// Forward runs a batch and returns the logits that it asks for: (outputs,
// vocabulary), valid until the workspace's next pass.
func (m *Model) Forward(ws *nn.Workspace, b *nn.Batch) tensor.Tensor {
	// 1. Token embeddings (tokens, dim) and the angles of their positions.
	x := m.Embed.Forward(ws, b.Begin())
	angles := m.rope.Angles(ws, b)

	// 2. Layers: attention, then the gated MLP.
	for i := range ws.Layers(len(m.layers)) {
		m.layers[i].Forward(ws, b, i, x, angles)
	}

	// 3. The last norm and the output layer, for the asked-for tokens only.
	return m.Logits(ws, b, &m.norm, x)
}
