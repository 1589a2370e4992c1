// Package vit is the Vision Transformer, and DeiT's first form: an image cut
// into patches that are read like words.
//
// Source: Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words";
// transformers/models/vit/modeling_vit.py.
package vit

import (
	"encoding/json"
	"fmt"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Config is config.json.
type Config struct {
	nn.HeadConfig
	HiddenSize        int     `json:"hidden_size"`
	IntermediateSize  int     `json:"intermediate_size"`
	NumHiddenLayers   int     `json:"num_hidden_layers"`
	NumAttentionHeads int     `json:"num_attention_heads"`
	HiddenAct         string  `json:"hidden_act"`
	LayerNormEps      float64 `json:"layer_norm_eps"`
	ImageSize         int     `json:"image_size"`
	PatchSize         int     `json:"patch_size"`
	NumChannels       int     `json:"num_channels"`
}

// Model is the encoder with its classifier.
type Model struct {
	patches nn.Patches
	layers  []nn.EncoderLayer
	norm    nn.LayerNorm
	out     nn.Linear
}

var names = nn.EncoderNames{
	Q: "attention.attention.query", K: "attention.attention.key", V: "attention.attention.value", O: "attention.output.dense",
	AttNorm: "layernorm_before", Up: "intermediate.dense", Down: "output.dense", MLPNorm: "layernorm_after",
}

// New builds the network. The error wraps checkpoint.ErrFormat if a tensor is
// missing or mis-shaped.
func New(config json.RawMessage, w checkpoint.Weights) (*Model, error) {
	c := Config{HiddenSize: 768, IntermediateSize: 3072, NumHiddenLayers: 12, NumAttentionHeads: 12, HiddenAct: "gelu",
		LayerNormEps: 1e-12, ImageSize: 224, PatchSize: 16, NumChannels: 3}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("vit: config.json: %w", err)
	}
	e := nn.EncoderConfig{VocabSize: 1, HiddenSize: c.HiddenSize, IntermediateSize: c.IntermediateSize, NumHiddenLayers: c.NumHiddenLayers,
		NumAttentionHeads: c.NumAttentionHeads, MaxPositionEmbeddings: 1}
	if err := e.Check(); err != nil {
		return nil, fmt.Errorf("vit: %w", err)
	}
	act, err := nn.ActivationOf(c.HiddenAct)
	if err != nil {
		return nil, fmt.Errorf("vit: %w", err)
	}
	body := w.Root("embeddings.cls_token", "vit")
	m := &Model{
		norm: nn.NewLayerNorm(body.Sub("layernorm"), c.HiddenSize, c.LayerNormEps),
		out:  nn.NewLinear(w.Sub("classifier"), c.HiddenSize, c.Labels(), true),
	}
	shape := nn.PatchShape{Channels: c.NumChannels, Image: c.ImageSize, Patch: c.PatchSize, Dim: c.HiddenSize}
	if m.patches, err = nn.NewPatches(body.Sub("embeddings.patch_embeddings.projection"), shape, true); err != nil {
		return nil, fmt.Errorf("vit: %w", err)
	}
	m.patches.Class = body.Vector("embeddings.cls_token", c.HiddenSize)
	m.patches.Positions = body.Tensor("embeddings.position_embeddings", 1, shape.Count()+1, c.HiddenSize).Reshape(shape.Count()+1, c.HiddenSize)
	for i := range c.NumHiddenLayers {
		l := body.Layer("encoder.layer", i)
		layer := nn.NewEncoderLayer(l, names, e.Attention(), c.IntermediateSize, act, c.LayerNormEps)
		m.layers = append(m.layers, layer)
	}
	return m, w.Err()
}

// Forward is the logits of an image (channels, height, width): (1, labels),
// valid until the workspace's next pass.
func (m *Model) Forward(ws *nn.Workspace, pixels tensor.Tensor) (tensor.Tensor, error) {
	// 1. Patches, with the class token before them: (patches+1, dim).
	x, err := m.patches.Forward(ws, pixels)
	if err != nil {
		return x, err
	}
	// 2. Layers: attention and the MLP, each over normalised inputs.
	for i := range ws.Layers(len(m.layers)) {
		m.layers[i].Forward(ws, []int{0, x.Rows()}, x, nil)
	}
	// 3. The class token, normalised, goes to the classifier.
	return m.out.Forward(ws, m.norm.Forward(ws, x.Slice(0, 1))), ws.Err()
}
