// Package resnet is Microsoft's convolutional network with short cuts.
//
// Source: He et al. 2015, "Deep Residual Learning for Image Recognition";
// transformers/models/resnet/modeling_resnet.py.
package resnet

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
	NumChannels            int    `json:"num_channels"`
	EmbeddingSize          int    `json:"embedding_size"`
	HiddenSizes            []int  `json:"hidden_sizes"`
	Depths                 []int  `json:"depths"`
	LayerType              string `json:"layer_type"` // "basic" or "bottleneck"
	HiddenAct              string `json:"hidden_act"`
	DownsampleInFirstStage bool   `json:"downsample_in_first_stage"`
	DownsampleInBottleneck bool   `json:"downsample_in_bottleneck"`
}

// Model is the network with its classifier.
type Model struct {
	stem     nn.Conv2D
	blocks   []block
	act      nn.Activation
	out      nn.Linear
	channels int
}

// block is a few convolutions around which the input takes a short cut.
type block struct {
	convs    []nn.Conv2D
	shortcut *nn.Conv2D // nil: the input itself
}

// reduction is how much narrower the middle of a bottleneck is.
const reduction = 4

// New builds the network. The error wraps checkpoint.ErrFormat if a tensor is
// missing or mis-shaped.
func New(config json.RawMessage, w checkpoint.Weights) (*Model, error) {
	c := Config{NumChannels: 3, EmbeddingSize: 64, HiddenSizes: []int{256, 512, 1024, 2048}, Depths: []int{3, 4, 6, 3},
		LayerType: "bottleneck", HiddenAct: "relu"}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("resnet: config.json: %w", err)
	}
	if err := nn.CheckStages(c.NumChannels, c.EmbeddingSize, c.HiddenSizes, c.Depths); err != nil {
		return nil, fmt.Errorf("resnet: %w", err)
	}
	act, err := nn.ActivationOf(c.HiddenAct)
	if err != nil {
		return nil, fmt.Errorf("resnet: %w", err)
	}
	body := w.Root("embedder.embedder.convolution.weight", "resnet")
	stem := body.Sub("embedder.embedder")
	m := &Model{
		stem: nn.NewConvNorm(stem.Sub("convolution"), stem.Sub("normalization"), c.NumChannels, c.EmbeddingSize, 7, 2, 3),
		act:  act, channels: c.NumChannels,
		out: nn.NewLinear(w.Sub("classifier.1"), c.HiddenSizes[len(c.HiddenSizes)-1], c.Labels(), true),
	}
	in := c.EmbeddingSize
	for s, size := range c.HiddenSizes {
		for i := range c.Depths[s] {
			step := 1
			if i == 0 && (s > 0 || c.DownsampleInFirstStage) {
				step = 2
			}
			m.blocks = append(m.blocks, newBlock(body.Layer("encoder.stages", s).Layer("layers", i), c, in, size, step))
			in = size
		}
	}
	return m, w.Err()
}

func newBlock(w checkpoint.Weights, c Config, in, out, step int) block {
	conv := func(i, in, out, size, step int) nn.Conv2D {
		l := w.Layer("layer", i)
		return nn.NewConvNorm(l.Sub("convolution"), l.Sub("normalization"), in, out, size, step, size/2)
	}
	var b block
	if c.LayerType == "basic" {
		b.convs = []nn.Conv2D{conv(0, in, out, 3, step), conv(1, out, out, 3, 1)}
	} else {
		first, middle := 1, step
		if c.DownsampleInBottleneck {
			first, middle = step, 1
		}
		narrow := max(1, out/reduction)
		b.convs = []nn.Conv2D{conv(0, in, narrow, 1, first), conv(1, narrow, narrow, 3, middle), conv(2, narrow, out, 1, 1)}
	}
	if in != out || step != 1 {
		s := w.Sub("shortcut")
		shortcut := nn.NewConvNorm(s.Sub("convolution"), s.Sub("normalization"), in, out, 1, step, 0)
		b.shortcut = &shortcut
	}
	return b
}

// Forward is the logits of an image (channels, height, width): (1, labels),
// valid until the workspace's next pass.
func (m *Model) Forward(ws *nn.Workspace, pixels tensor.Tensor) (tensor.Tensor, error) {
	if err := nn.CheckPixels(pixels, m.channels, 32); err != nil {
		return tensor.Tensor{}, err
	}
	// 1. The stem: a wide convolution and a pooling, a quarter of the size.
	p := m.stem.Forward(ws, nn.PictureOf(ws, pixels))
	m.act.Apply(ws, p.X)
	p = nn.MaxPool2D(ws, p, 3, 2, 1)
	// 2. Blocks: convolutions, and the input added to what they make of it.
	for i := range ws.Layers(len(m.blocks)) {
		p = m.blocks[i].forward(ws, p, m.act)
	}
	if err := ws.Err(); err != nil { // p may have the shape of an earlier block
		return tensor.Tensor{}, err
	}
	// 3. The mean over all pixels goes to the classifier.
	return m.out.Forward(ws, p.Mean(ws)), nil
}

func (b *block) forward(ws *nn.Workspace, p nn.Picture, act nn.Activation) nn.Picture {
	residual := p
	if b.shortcut != nil {
		residual = b.shortcut.Forward(ws, p)
	}
	for i := range b.convs {
		p = b.convs[i].Forward(ws, p)
		if i < len(b.convs)-1 {
			act.Apply(ws, p.X)
		}
	}
	ws.Add(p.X, residual.X)
	act.Apply(ws, p.X)
	return p
}
