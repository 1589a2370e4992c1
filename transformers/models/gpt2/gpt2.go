// Package gpt2 is OpenAI's GPT-2 and its many fine-tunes: learned positions,
// layer norms with biases, query, key and value in one weight, and weights
// stored transposed.
//
// Source: Radford et al. 2019, "Language Models are Unsupervised Multitask
// Learners"; transformers/models/gpt2/modeling_gpt2.py.
package gpt2

import (
	"encoding/json"
	"fmt"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Config is config.json.
type Config struct {
	VocabSize                  int     `json:"vocab_size"`
	NPositions                 int     `json:"n_positions"`
	NEmbd                      int     `json:"n_embd"`
	NLayer                     int     `json:"n_layer"`
	NHead                      int     `json:"n_head"`
	NInner                     int     `json:"n_inner"` // 0: 4 · n_embd
	ActivationFunction         string  `json:"activation_function"`
	LayerNormEpsilon           float64 `json:"layer_norm_epsilon"`
	ScaleAttnWeights           bool    `json:"scale_attn_weights"`
	ScaleAttnByInverseLayerIdx bool    `json:"scale_attn_by_inverse_layer_idx"`
	TieWordEmbeddings          bool    `json:"tie_word_embeddings"`
}

// Model is the network with its output layer.
type Model struct {
	nn.Decoder
	positions nn.Embedding
	layers    []layer
	norm      nn.LayerNorm
}

type layer struct {
	norm1, norm2    nn.LayerNorm
	attention       nn.Attention
	query, key, val nn.Linear
	out             nn.Linear
	mlp             nn.MLP
}

// New builds the network. The error wraps checkpoint.ErrFormat if a tensor is
// missing or mis-shaped.
func New(config json.RawMessage, w checkpoint.Weights) (*Model, error) {
	c := Config{VocabSize: 50257, NPositions: 1024, NEmbd: 768, NLayer: 12, NHead: 12, ActivationFunction: "gelu_new",
		LayerNormEpsilon: 1e-5, ScaleAttnWeights: true, TieWordEmbeddings: true}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("gpt2: config.json: %w", err)
	}
	if c.NInner == 0 {
		c.NInner = 4 * c.NEmbd
	}
	shape := nn.DecoderConfig{VocabSize: c.VocabSize, HiddenSize: c.NEmbd, IntermediateSize: c.NInner, NumHiddenLayers: c.NLayer,
		NumAttentionHeads: c.NHead, MaxPositionEmbeddings: c.NPositions}
	if err := shape.Complete(); err != nil {
		return nil, fmt.Errorf("gpt2: %w", err)
	}
	act, err := nn.ActivationOf(c.ActivationFunction)
	if err != nil {
		return nil, fmt.Errorf("gpt2: %w", err)
	}
	body := w.Root("wte.weight", "transformer")
	m := &Model{
		positions: nn.NewEmbedding(body.Sub("wpe"), c.NPositions, c.NEmbd),
		norm:      nn.NewLayerNorm(body.Sub("ln_f"), c.NEmbd, c.LayerNormEpsilon),
	}
	embed := nn.NewEmbedding(body.Sub("wte"), c.VocabSize, c.NEmbd)
	head := embed.Linear()
	if !c.TieWordEmbeddings {
		head = nn.NewLinear(w.Sub("lm_head"), c.NEmbd, c.VocabSize, false)
	}
	m.Decoder = nn.DecoderOf(embed, head, &shape)
	for i := range c.NLayer {
		m.layers = append(m.layers, newLayer(body.Layer("h", i), c, shape.Attention(i), i, act))
	}
	return m, w.Err()
}

func newLayer(w checkpoint.Weights, c Config, a nn.Attention, i int, act nn.Activation) layer {
	if !c.ScaleAttnWeights {
		a.Scale = 1
	}
	if c.ScaleAttnByInverseLayerIdx {
		a.Scale /= float32(i + 1)
	}
	parts := conv1D(w.Sub("attn.c_attn"), c.NEmbd, 3*c.NEmbd).Split(c.NEmbd, c.NEmbd, c.NEmbd)
	return layer{
		norm1:     nn.NewLayerNorm(w.Sub("ln_1"), c.NEmbd, c.LayerNormEpsilon),
		norm2:     nn.NewLayerNorm(w.Sub("ln_2"), c.NEmbd, c.LayerNormEpsilon),
		attention: a,
		query:     parts[0], key: parts[1], val: parts[2],
		out: conv1D(w.Sub("attn.c_proj"), c.NEmbd, c.NEmbd),
		mlp: nn.MLP{Up: conv1D(w.Sub("mlp.c_fc"), c.NEmbd, c.NInner), Down: conv1D(w.Sub("mlp.c_proj"), c.NInner, c.NEmbd), Act: act},
	}
}

// conv1D reads a linear layer whose weight is stored as (in, out).
func conv1D(w checkpoint.Weights, in, out int) nn.Linear {
	return nn.Linear{W: w.Transposed("weight", out, in), Bias: w.Vector("bias", out), LowRank: w.LowRank(out, in)}
}

// Forward runs a batch and returns the logits that it asks for: (outputs,
// vocabulary), valid until the workspace's next pass.
func (m *Model) Forward(ws *nn.Workspace, b *nn.Batch) tensor.Tensor {
	// 1. Token and position embeddings: (tokens, dim).
	x := m.Embed.Forward(ws, b.Begin())
	ws.Add(x, m.positions.Forward(ws, b.Positions()))

	for i := range ws.Layers(len(m.layers)) {
		l := &m.layers[i]
		mark := ws.Arena.Mark()
		// 2. Attention over normalised inputs, added to the residual stream.
		var qkv [3]tensor.Tensor
		nn.ForwardMany(ws, l.norm1.Forward(ws, x), qkv[:], &l.query, &l.key, &l.val)
		a := l.attention.Causal(ws, b, i, qkv[0], qkv[1], qkv[2], nil)
		ws.Add(x, l.out.Forward(ws, a))
		// 3. The MLP, likewise.
		ws.Add(x, l.mlp.Forward(ws, l.norm2.Forward(ws, x)))
		ws.Arena.Release(mark)
	}

	// 4. The last norm and the output layer, for the asked-for tokens only.
	x = nn.Select(ws, x, b.Outputs())
	m.norm.ForwardInto(ws, x, x)
	return m.Head.Forward(ws, x)
}
