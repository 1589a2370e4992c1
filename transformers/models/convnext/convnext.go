// Package convnext is Facebook's convolutional network in the manner of a
// transformer.
//
// Source: Liu et al. 2022, "A ConvNet for the 2020s";
// transformers/models/convnext/modeling_convnext.py.
package convnext

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
	NumChannels  int     `json:"num_channels"`
	PatchSize    int     `json:"patch_size"`
	HiddenSizes  []int   `json:"hidden_sizes"`
	Depths       []int   `json:"depths"`
	HiddenAct    string  `json:"hidden_act"`
	LayerNormEps float64 `json:"layer_norm_eps"`
}

// innerEps is the ε of all norms but the last.
const innerEps = 1e-6

// Model is the network with its classifier.
type Model struct {
	stem     nn.Conv2D
	stemNorm nn.LayerNorm
	stages   []stage
	norm     nn.LayerNorm
	out      nn.Linear
	channels int
	least    int // pixels on a side that all stages need
}

// stage is a step down in size, except in the first, and blocks.
type stage struct {
	downNorm *nn.LayerNorm
	down     nn.Conv2D
	blocks   []block
}

type block struct {
	depthwise nn.DepthwiseConv2D
	norm      nn.LayerNorm
	mlp       nn.MLP
	scale     []float32 // of each channel; nil: none
}

// New builds the network. The error wraps checkpoint.ErrFormat if a tensor is
// missing or mis-shaped.
func New(config json.RawMessage, w checkpoint.Weights) (*Model, error) {
	c := Config{NumChannels: 3, PatchSize: 4, HiddenSizes: []int{96, 192, 384, 768}, Depths: []int{3, 3, 9, 3}, HiddenAct: "gelu", LayerNormEps: 1e-12}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("convnext: config.json: %w", err)
	}
	if err := nn.CheckStages(c.NumChannels, c.PatchSize, c.HiddenSizes, c.Depths); err != nil {
		return nil, fmt.Errorf("convnext: %w", err)
	}
	act, err := nn.ActivationOf(c.HiddenAct)
	if err != nil {
		return nil, fmt.Errorf("convnext: %w", err)
	}
	body := w.Root("embeddings.patch_embeddings.weight", "convnext")
	first, last := c.HiddenSizes[0], c.HiddenSizes[len(c.HiddenSizes)-1]
	m := &Model{
		stem:     nn.NewConv2D(body.Sub("embeddings.patch_embeddings"), c.NumChannels, first, c.PatchSize, c.PatchSize, 0, true),
		stemNorm: nn.NewLayerNorm(body.Sub("embeddings.layernorm"), first, innerEps),
		norm:     nn.NewLayerNorm(body.Sub("layernorm"), last, c.LayerNormEps),
		out:      nn.NewLinear(w.Sub("classifier"), last, c.Labels(), true),
		channels: c.NumChannels, least: c.PatchSize << (len(c.HiddenSizes) - 1),
	}
	in := first
	for s, size := range c.HiddenSizes {
		l := body.Layer("encoder.stages", s)
		var st stage
		if s > 0 {
			norm := nn.NewLayerNorm(l.Sub("downsampling_layer.0"), in, innerEps)
			st.downNorm = &norm
			st.down = nn.NewConv2D(l.Sub("downsampling_layer.1"), in, size, 2, 2, 0, true)
		}
		for i := range c.Depths[s] {
			b := l.Layer("layers", i)
			st.blocks = append(st.blocks, block{
				depthwise: nn.NewDepthwiseConv2D(b.Sub("dwconv"), size, 7),
				norm:      nn.NewLayerNorm(b.Sub("layernorm"), size, innerEps),
				mlp:       nn.MLP{Up: nn.NewLinear(b.Sub("pwconv1"), size, 4*size, true), Down: nn.NewLinear(b.Sub("pwconv2"), 4*size, size, true), Act: act},
				scale:     b.OptionalVector("layer_scale_parameter", size),
			})
		}
		m.stages = append(m.stages, st)
		in = size
	}
	return m, w.Err()
}

// Forward is the logits of an image (channels, height, width): (1, labels),
// valid until the workspace's next pass.
func (m *Model) Forward(ws *nn.Workspace, pixels tensor.Tensor) (tensor.Tensor, error) {
	if err := nn.CheckPixels(pixels, m.channels, m.least); err != nil {
		return tensor.Tensor{}, err
	}
	// 1. Patches, normalised.
	p := m.stem.Forward(ws, nn.PictureOf(ws, pixels))
	m.stemNorm.ForwardInto(ws, p.X, p.X)
	// 2. Stages: half the size, then blocks added to the residual stream.
	for i := range ws.Layers(len(m.stages)) {
		s := &m.stages[i]
		if s.downNorm != nil {
			s.downNorm.ForwardInto(ws, p.X, p.X)
			p = s.down.Forward(ws, p)
		}
		for j := range ws.Layers(len(s.blocks)) {
			s.blocks[j].forward(ws, p)
		}
	}
	if err := ws.Err(); err != nil { // p may have the shape of an earlier block
		return tensor.Tensor{}, err
	}
	// 3. The mean over all pixels, normalised, goes to the classifier.
	return m.out.Forward(ws, m.norm.Forward(ws, p.Mean(ws))), nil
}

// forward adds the block's contribution to p.
func (b *block) forward(ws *nn.Workspace, p nn.Picture) {
	mark := ws.Arena.Mark()
	x := b.depthwise.Forward(ws, p).X
	b.norm.ForwardInto(ws, x, x)
	x = b.mlp.Forward(ws, x)
	if b.scale != nil {
		nn.ScaleColumns(ws, x, b.scale)
	}
	ws.Add(p.X, x)
	ws.Arena.Release(mark)
}
