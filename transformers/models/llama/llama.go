// Package llama is Meta's decoder, and every model type that is the same
// network under another name: SmolLM, TinyLlama, Yi, DeepSeek distillations.
//
// Source: Touvron et al. 2023, "LLaMA: Open and Efficient Foundation Language
// Models"; transformers/models/llama/modeling_llama.py.
package llama

import (
	"encoding/json"
	"fmt"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Config is config.json.
type Config struct {
	nn.DecoderConfig
	AttentionBias bool `json:"attention_bias"`
	MLPBias       bool `json:"mlp_bias"`
}

// Model is the network with its output layer.
type Model struct {
	nn.Decoder
	layers []layer
	norm   nn.RMSNorm
	rope   *nn.Rope
}

type layer struct {
	inputNorm         nn.RMSNorm
	attention         nn.SelfAttention
	postAttentionNorm nn.RMSNorm
	mlp               nn.GatedMLP
}

// New builds the network. The error wraps checkpoint.ErrFormat if a tensor is
// missing or mis-shaped.
func New(config json.RawMessage, w checkpoint.Weights) (*Model, error) {
	var c Config
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("llama: %w", err)
	}
	if err := c.Complete(); err != nil {
		return nil, fmt.Errorf("llama: %w", err)
	}
	body := w.Sub("model")
	m := &Model{Decoder: nn.NewDecoder(c.DecoderConfig, w), norm: nn.NewRMSNorm(body.Sub("norm"), c.HiddenSize, c.RMSNormEps)}
	var err error
	if m.rope, err = c.Rope(w, "", 10000); err != nil {
		return nil, fmt.Errorf("llama: %w", err)
	}
	for i := range c.NumHiddenLayers {
		l := body.Layer("layers", i)
		mlp, err := nn.NewGatedMLP(l.Sub("mlp"), c.HiddenSize, c.IntermediateSize, c.HiddenAct, c.MLPBias)
		if err != nil {
			return nil, fmt.Errorf("llama: %w", err)
		}
		attention := nn.NewSelfAttention(l.Sub("self_attn"), c.Attention(), c.HiddenSize, c.AttentionBias)
		if c.AttentionBias {
			attention.O.Bias = l.Vector("self_attn.o_proj.bias", c.HiddenSize)
		}
		m.layers = append(m.layers, layer{
			inputNorm:         nn.NewRMSNorm(l.Sub("input_layernorm"), c.HiddenSize, c.RMSNormEps),
			attention:         attention,
			postAttentionNorm: nn.NewRMSNorm(l.Sub("post_attention_layernorm"), c.HiddenSize, c.RMSNormEps),
			mlp:               mlp,
		})
	}
	return m, w.Err()
}

// Forward runs a batch and returns the logits that it asks for: (outputs,
// vocabulary), valid until the workspace's next pass.
func (m *Model) Forward(ws *nn.Workspace, b *nn.Batch) tensor.Tensor {
	// 1. Token embeddings: (tokens, dim).
	x := m.Embed.Forward(ws, b.Begin())
	angles := m.rope.Angles(ws, b)

	for i := range m.layers {
		l := &m.layers[i]
		mark := ws.Arena.Mark()
		// 2. Attention over normalised inputs, added to the residual stream.
		ws.Add(x, l.attention.Forward(ws, b, i, l.inputNorm.Forward(ws, x), angles))
		// 3. The gated MLP, likewise.
		ws.Add(x, l.mlp.Forward(ws, l.postAttentionNorm.Forward(ws, x)))
		ws.Arena.Release(mark)
	}

	// 4. Only the asked-for tokens go through the last norm and the head.
	x = nn.Select(ws, x, b.Outputs())
	m.norm.ForwardInto(ws, x, x)
	return m.Head.Forward(ws, x)
}
