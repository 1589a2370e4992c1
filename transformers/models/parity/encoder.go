package parity

import (
	"encoding/json"
	"testing"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Encoder is what every encoder can do.
type Encoder interface {
	Forward(ws *nn.Workspace, in *nn.Input) tensor.Tensor
}

// encoderGolden is golden.json of encoders.py.
type encoderGolden struct {
	Sequences []struct {
		IDs    []uint32    `json:"ids"`
		Types  []uint32    `json:"types"`
		Rows   []int       `json:"rows"`
		Output [][]float32 `json:"output"`
	} `json:"sequences"`
}

// Build builds an encoder and, for a task, its head; nil for the encoder
// alone.
type Build[M Encoder] func(json.RawMessage, checkpoint.Weights) (M, *nn.Head, error)

// CheckEncoder checks an encoder built from the tiny checkpoint name against
// the reference: each sequence alone, and both in one batch.
func CheckEncoder[M Encoder](t *testing.T, name string, build Build[M]) {
	t.Helper()
	var golden encoderGolden
	c := Load(t, name, &golden)
	w := c.Weights()
	m, head, err := build(c.Config, w)
	if err != nil {
		t.Fatal(err)
	}
	for _, unused := range w.Unused() {
		if unused != "pooler.dense.weight" && unused != "pooler.dense.bias" { // a part of the bare model that no task here reads
			t.Errorf("tensor %s is not used", unused)
		}
	}
	ws := Workspace(t)
	run := func(in *nn.Input) tensor.Tensor {
		ws.Arena.Reset()
		y := m.Forward(ws, in)
		if head != nil {
			y = head.Forward(ws, y, in.Bounds)
		}
		return y.Clone()
	}
	var both nn.Input
	for _, s := range golden.Sequences {
		var one nn.Input
		one.Append(s.IDs, s.Types)
		both.Append(s.IDs, s.Types)
		y := run(&one)
		for i, row := range s.Rows {
			Close(t, "output", y.Row(row), s.Output[i])
		}
	}
	var shape struct {
		Hidden int `json:"num_hidden_layers"`
		Layers int `json:"n_layers"`       // DistilBERT
		BART   int `json:"encoder_layers"` // and as many of the decoder
	}
	if err := json.Unmarshal(c.Config, &shape); err != nil {
		t.Fatal(err)
	}
	CheckGivenUp(t, ws, max(shape.Hidden, shape.Layers, 2*shape.BART), func() { m.Forward(ws, &both) })
	y, first := run(&both), 0
	for _, s := range golden.Sequences {
		for i, row := range s.Rows {
			Close(t, "output in a batch", y.Row(first+row), s.Output[i])
		}
		if head != nil && head.Pooling != nn.PoolTokens {
			first++
		} else {
			first += len(s.IDs)
		}
	}
}
