// Package mistral is Mistral's decoder: llama with a window, so that a token sees only the
// last few thousand.
//
// Source: Jiang et al. 2023, "Mistral 7B";
// transformers/models/mistral/modeling_mistral.py.
package mistral

import (
	"encoding/json"
	"fmt"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Config is config.json.
type Config struct{ nn.DecoderConfig }

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
	c := Config{DecoderConfig: nn.DecoderConfig{RMSNormEps: 1e-6}}
	if err := c.Parse(config, &c); err != nil {
		return nil, fmt.Errorf("mistral: %w", err)
	}
	c.LayerPattern(func(int) bool { return c.SlidingWindow > 0 })
	m := &Model{Decoder: nn.NewDecoder(c.DecoderConfig, w)}
	var err error
	if m.rope, err = c.Rope(w, "", 10000); err != nil {
		return nil, fmt.Errorf("mistral: %w", err)
	}
	m.Extend(m.rope)
	for i := range c.NumHiddenLayers {
		l := w.Sub("model").Layer("layers", i)
		layer, err := nn.NewDecoderLayer(l, &c.DecoderConfig, c.Attention(i))
		if err != nil {
			return nil, fmt.Errorf("mistral: %w", err)
		}
		m.layers = append(m.layers, layer)
	}
	m.norm = nn.NewRMSNorm(w.Sub("model.norm"), c.HiddenSize, c.RMSNormEps)
	return m, w.Err()
}

// Forward runs a batch and returns the logits that it asks for: (outputs,
// vocabulary), valid until the workspace's next pass.
func (m *Model) Forward(ws *nn.Workspace, b *nn.Batch) tensor.Tensor {
	// 1. Token embeddings (tokens, dim) and the angles of their positions.
	x := m.Embed.Forward(ws, b.Begin())
	angles := m.rope.Angles(ws, b)

	// 2. Layers: attention within the window, then the gated MLP.
	for i := range ws.Layers(len(m.layers)) {
		m.layers[i].Forward(ws, b, i, x, angles)
	}

	// 3. The last norm and the output layer, for the asked-for tokens only.
	return m.Logits(ws, b, &m.norm, x)
}
