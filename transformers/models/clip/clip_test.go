package clip_test

import (
	"encoding/json"
	"testing"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/transformers/models/clip"
	"github.com/pantryhub/pantry/transformers/models/parity"
	"github.com/pantryhub/pantry/transformers/nn"
)

func TestParity(t *testing.T) {
	var golden struct {
		Height, Width int
		Texts         [][]uint32
		Products      []float32
	}
	c := parity.Load(t, "clip", &golden)
	w := c.Weights()
	m, err := clip.New(c.Config, w)
	if err != nil {
		t.Fatal(err)
	}
	if unused := w.Unused(); len(unused) > 0 {
		t.Errorf("tensors %v are not used", unused)
	}
	ws := parity.Workspace(t)
	var shape struct {
		Text struct {
			Layers int `json:"num_hidden_layers"`
		} `json:"text_config"`
		Vision struct {
			Layers int `json:"num_hidden_layers"`
		} `json:"vision_config"`
	}
	if err := json.Unmarshal(c.Config, &shape); err != nil {
		t.Fatal(err)
	}
	image, err := m.Image(ws, parity.Pixels(golden.Height, golden.Width))
	if err != nil {
		t.Fatal(err)
	}
	image = image.Clone()
	parity.CheckGivenUp(t, ws, shape.Vision.Layers, func() {
		if _, err := m.Image(ws, parity.Pixels(golden.Height, golden.Width)); err != ws.Err() {
			t.Errorf("the pass returns %v, not %v", err, ws.Err())
		}
	})
	var in nn.Input
	for _, text := range golden.Texts {
		in.Append(text, nil)
	}
	parity.CheckGivenUp(t, ws, shape.Text.Layers, func() { m.Texts(ws, &in) })
	ws.Arena.Reset()
	texts := m.Texts(ws, &in)
	var got []float32
	for i := range texts.Rows() {
		got = append(got, m.LogitScale()*kernel.Dot(image.Data, texts.Row(i)))
	}
	parity.Close(t, "products", got, golden.Products)
}
