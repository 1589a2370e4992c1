package parity

import (
	"encoding/json"
	"testing"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Classifier is what every network that classifies images can do.
type Classifier interface {
	Forward(ws *nn.Workspace, pixels tensor.Tensor) (tensor.Tensor, error)
}

// Pixels are those of vision.py: (3, height, width).
func Pixels(height, width int) tensor.Tensor {
	t := tensor.Zeros(3, height, width)
	state := uint32(1)
	for i := range t.Data {
		state = state*1664525 + 1013904223
		t.Data[i] = float32(float64(state)/(1<<31) - 1)
	}
	return t
}

// CheckClassifier checks a network built from the tiny checkpoint name against
// the reference, twice with one workspace.
func CheckClassifier[M Classifier](t *testing.T, name string, build func(json.RawMessage, checkpoint.Weights) (M, error)) {
	t.Helper()
	var golden struct {
		Height, Width int
		Logits        []float32
	}
	c := Load(t, name, &golden)
	w := c.Weights()
	m, err := build(c.Config, w)
	if err != nil {
		t.Fatal(err)
	}
	if unused := w.Unused(); len(unused) > 0 {
		t.Errorf("tensors %v are not used", unused)
	}
	ws := Workspace(t)
	var shape struct {
		Layers int   `json:"num_hidden_layers"`
		Depths []int `json:"depths"`
	}
	if err := json.Unmarshal(c.Config, &shape); err != nil {
		t.Fatal(err)
	}
	for _, blocks := range shape.Depths {
		shape.Layers += blocks
	}
	CheckGivenUp(t, ws, shape.Layers, func() {
		if _, err := m.Forward(ws, Pixels(golden.Height, golden.Width)); err != ws.Err() {
			t.Errorf("the pass returns %v, not %v", err, ws.Err())
		}
	})
	for range 2 {
		ws.Arena.Reset()
		y, err := m.Forward(ws, Pixels(golden.Height, golden.Width))
		if err != nil {
			t.Fatal(err)
		}
		Close(t, "logits", y.Data, golden.Logits)
	}
	if _, err := m.Forward(ws, Pixels(3, 3)); err == nil {
		t.Error("an image of 3×3 pixels is read")
	}
}
