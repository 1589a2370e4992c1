package parity

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/nn"
)

// Seq2Seq is what every encoder-decoder can do.
type Seq2Seq interface {
	Decoder
	Encode(ws *nn.Workspace, in *nn.Input) []*nn.Memory
}

// seq2seqGolden is golden.json of seq2seq.py.
type seq2seqGolden struct {
	Begin  []uint32 `json:"begin"`
	EOS    int      `json:"eos"` // never chosen in the reference's output
	Inputs []struct {
		IDs    []uint32    `json:"ids"`
		Rows   []int       `json:"rows"`
		Logits [][]float32 `json:"logits"`
		Greedy []uint32    `json:"greedy"`
	} `json:"inputs"`
}

// CheckSeq2Seq checks an encoder-decoder built from the tiny checkpoint name
// against the reference: the logits of a given beginning, at once and step by
// step, and the greedy output, for inputs alone and in one batch.
func CheckSeq2Seq[M Seq2Seq](t *testing.T, name string, build func(json.RawMessage, checkpoint.Weights) (M, error)) {
	t.Helper()
	var golden seq2seqGolden
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
	var both nn.Input
	for _, in := range golden.Inputs {
		both.Append(in.IDs, nil)
	}
	var shape struct {
		BART int `json:"encoder_layers"`
		T5   int `json:"num_layers"`
	}
	if err := json.Unmarshal(c.Config, &shape); err != nil {
		t.Fatal(err)
	}
	decoders := m.KVShape().Layers
	// the encoder's layers, and those of the decoder for what they look up
	CheckGivenUp(t, ws, max(shape.BART, shape.T5)+decoders, func() { m.Encode(ws, &both) })
	memories := m.Encode(ws, &both)
	kv := nn.NewExactKV(m.KVShape())
	b := nn.Batch{Segments: []nn.Segment{{KV: kv, Tokens: golden.Begin, Memory: memories[0]}}}
	CheckGivenUp(t, ws, decoders, func() { m.Forward(ws, &b) })
	for i, in := range golden.Inputs {
		var one nn.Input
		one.Append(in.IDs, nil)
		ws.Arena.Reset()
		alone := m.Encode(ws, &one)[0]
		for what, memory := range map[string]*nn.Memory{"alone": alone, "in a batch": memories[i]} {
			s := &seq2seqCheck{m: m, ws: ws, memory: memory, kv: nn.NewExactKV(m.KVShape())}
			y := s.forward(golden.Begin)
			for j, row := range in.Rows {
				Close(t, "logits "+what, y[row], in.Logits[j])
			}
			s.kv = nn.NewExactKV(m.KVShape())
			for j, id := range golden.Begin {
				Close(t, "logits step by step "+what, s.forward([]uint32{id})[0], y[j])
			}
			s.kv = nn.NewExactKV(m.KVShape())
			if got := s.greedy(golden, len(in.Greedy)); !slices.Equal(got, in.Greedy) {
				t.Errorf("greedy output %s\n %v, want\n %v", what, got, in.Greedy)
			}
		}
	}
}

type seq2seqCheck struct {
	m      Seq2Seq
	ws     *nn.Workspace
	memory *nn.Memory
	kv     *nn.KV
}

func (s *seq2seqCheck) forward(ids []uint32) [][]float32 {
	s.ws.Arena.Reset()
	b := nn.Batch{Segments: []nn.Segment{{KV: s.kv, Tokens: ids, AllLogits: true, Memory: s.memory}}}
	y := s.m.Forward(s.ws, &b).Clone()
	b.Commit()
	var rows [][]float32
	for i := range y.Rows() {
		rows = append(rows, y.Row(i))
	}
	return rows
}

func (s *seq2seqCheck) greedy(golden seq2seqGolden, n int) []uint32 {
	var got []uint32
	next := golden.Begin[:1]
	for range n {
		y := s.forward(next)[0]
		y[golden.EOS] = -1e30
		next = []uint32{argmax(y)}
		got = append(got, next[0])
	}
	return got
}
