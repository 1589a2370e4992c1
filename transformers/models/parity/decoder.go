package parity

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Tolerance is how far an output may be from the reference, relative to 1 or,
// for larger outputs, to their size.
const Tolerance = 1e-4

// Decoder is what every decoder can do.
type Decoder interface {
	KVShape() nn.KVShape
	Vocabulary() int
	Forward(ws *nn.Workspace, b *nn.Batch) tensor.Tensor
}

// decoderGolden is golden.json of decoders.py.
type decoderGolden struct {
	Prompt []uint32    `json:"prompt"`
	Rows   []int       `json:"rows"`
	Logits [][]float32 `json:"logits"`
	Greedy []uint32    `json:"greedy"`
	// LengthDependent: the angles depend on the length of the text, so a prompt
	// fed in pieces differs from one fed at once, in the reference too.
	LengthDependent bool `json:"length_dependent"`
}

// Dir is the folder of a tiny checkpoint.
func Dir(name string) string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "testdata", name)
}

// Load opens a tiny checkpoint and reads its golden.json into golden.
func Load(t testing.TB, name string, golden any) *checkpoint.Checkpoint {
	t.Helper()
	c, err := checkpoint.Open(Dir(name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	data, err := os.ReadFile(filepath.Join(Dir(name), "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, golden); err != nil {
		t.Fatal(err)
	}
	return c
}

// Workspace is a workspace of two threads that ends with the test.
func Workspace(t testing.TB) *nn.Workspace {
	pool := kernel.NewPool(2)
	t.Cleanup(pool.Close)
	return nn.NewWorkspace(pool)
}

// Close fails the test if got is not want within Tolerance.
func Close(t testing.TB, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d numbers, want %d", what, len(got), len(want))
	}
	worst, at := 0.0, 0
	for i := range got {
		d := math.Abs(float64(got[i])-float64(want[i])) / max(1, math.Abs(float64(want[i])))
		if d > worst || math.IsNaN(d) {
			worst, at = d, i
		}
		if math.IsNaN(d) {
			break
		}
	}
	if !(worst <= Tolerance) {
		t.Errorf("%s[%d] = %v, want %v (off by %.2g of %d numbers)", what, at, got[at], want[at], worst, len(got))
	}
}

// CheckDecoder checks a decoder built from the tiny checkpoint name against
// the reference: the logits of a prompt, the greedy continuation token for
// token, a prompt fed token by token, several sequences in one batch, and a
// memory in F16.
func CheckDecoder[M Decoder](t *testing.T, name string, build func(json.RawMessage, checkpoint.Weights) (M, error)) {
	t.Helper()
	var golden decoderGolden
	c := Load(t, name, &golden)
	w := c.Weights()
	m, err := build(c.Config, w)
	if err != nil {
		t.Fatal(err)
	}
	if unused := w.Unused(); len(unused) > 0 {
		t.Errorf("tensors %v are not used", unused)
	}
	d := decoderCheck{m: m, ws: Workspace(t), golden: golden}
	t.Run("logits", d.logits)
	t.Run("greedy", d.greedy)
	t.Run("half", d.half)
	if !golden.LengthDependent {
		t.Run("steps", d.steps)
	}
	t.Run("batch", d.batch)
	t.Run("given up", d.givenUp)
	t.Run("allocations", d.allocations)
}

type decoderCheck struct {
	m      Decoder
	ws     *nn.Workspace
	golden decoderGolden
}

// forward runs one sequence and commits it.
func (d *decoderCheck) forward(kv *nn.KV, ids []uint32, all bool) tensor.Tensor {
	d.ws.Arena.Reset()
	b := nn.Batch{Segments: []nn.Segment{{KV: kv, Tokens: ids, AllLogits: all}}}
	y := d.m.Forward(d.ws, &b).Clone()
	b.Commit()
	return y
}

func (d *decoderCheck) exact() *nn.KV { return nn.NewExactKV(d.m.KVShape()) }

func (d *decoderCheck) logits(t *testing.T) {
	y := d.forward(d.exact(), d.golden.Prompt, true)
	for i, row := range d.golden.Rows {
		Close(t, "logits", y.Row(row), d.golden.Logits[i])
	}
	last := d.forward(d.exact(), d.golden.Prompt, false)
	Close(t, "logits of the last token alone", last.Data, y.Row(y.Rows()-1))
}

func (d *decoderCheck) greedy(t *testing.T) {
	if got := d.continuation(d.exact()); !slices.Equal(got, d.golden.Greedy) {
		t.Errorf("greedy continuation\n %v, want\n %v", got, d.golden.Greedy)
	}
}

// half: the usual memory gives the same text, though not the same bits.
func (d *decoderCheck) half(t *testing.T) {
	if got := d.continuation(nn.NewKV(d.m.KVShape())); !slices.Equal(got, d.golden.Greedy) {
		t.Errorf("greedy continuation with keys and values in F16\n %v, want\n %v", got, d.golden.Greedy)
	}
}

func (d *decoderCheck) continuation(kv *nn.KV) []uint32 {
	var got []uint32
	next := d.golden.Prompt
	for range d.golden.Greedy {
		y := d.forward(kv, next, false)
		next = []uint32{argmax(y.Data)}
		got = append(got, next[0])
	}
	return got
}

func argmax(x []float32) uint32 {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return uint32(best)
}

// steps: a prompt fed one token at a time, and in two pieces, gives the logits
// of the prompt fed at once.
func (d *decoderCheck) steps(t *testing.T) {
	if d.golden.Rows == nil {
		t.Fatal("no rows")
	}
	want := d.forward(d.exact(), d.golden.Prompt, true)
	kv := d.exact()
	for i, id := range d.golden.Prompt {
		Close(t, "logits step by step", d.forward(kv, []uint32{id}, false).Data, want.Row(i))
	}
	kv = d.exact()
	d.forward(kv, d.golden.Prompt[:7], false)
	fork := kv.Fork(5)
	Close(t, "logits in two pieces", d.forward(kv, d.golden.Prompt[7:], false).Data, want.Row(want.Rows()-1))
	Close(t, "logits of a fork", d.forward(fork, d.golden.Prompt[5:], false).Data, want.Row(want.Rows()-1))
}

// batch: sequences of different lengths side by side do not see each other.
func (d *decoderCheck) batch(t *testing.T) {
	prompts := [][]uint32{d.golden.Prompt, d.golden.Prompt[3:9], d.golden.Prompt[:1], d.golden.Prompt[5:]}
	var b nn.Batch
	for _, p := range prompts {
		b.Segments = append(b.Segments, nn.Segment{KV: d.exact(), Tokens: p})
	}
	d.ws.Arena.Reset()
	got := d.m.Forward(d.ws, &b).Clone()
	b.Commit()
	next := make([]uint32, len(prompts))
	for i, p := range prompts {
		want := d.forward(d.exact(), p, false)
		Close(t, "logits in a batch", got.Row(i), want.Data)
		next[i] = argmax(want.Data)
		b.Segments[i].Tokens = next[i : i+1]
	}
	if d.golden.LengthDependent {
		return
	}
	d.ws.Arena.Reset()
	got = d.m.Forward(d.ws, &b).Clone()
	for i, p := range prompts {
		want := d.forward(d.exact(), append(slices.Clone(p), next[i]), false)
		Close(t, "logits of a batch's second step", got.Row(i), want.Data)
	}
}

// givenUp: a pass that ended early can be repeated with the same memory.
func (d *decoderCheck) givenUp(t *testing.T) {
	kv := d.exact()
	d.forward(kv, d.golden.Prompt[:5], false)
	b := nn.Batch{Segments: []nn.Segment{{KV: kv, Tokens: d.golden.Prompt[5:]}}}
	CheckGivenUp(t, d.ws, d.m.KVShape().Layers, func() { d.m.Forward(d.ws, &b) })
	fresh := d.exact()
	d.forward(fresh, d.golden.Prompt[:5], false)
	Close(t, "logits after passes that were given up", d.forward(kv, d.golden.Prompt[5:], false).Data, d.forward(fresh, d.golden.Prompt[5:], false).Data)
}

// allocations: a decoded token allocates nothing.
func (d *decoderCheck) allocations(t *testing.T) {
	kv := nn.NewKV(d.m.KVShape())
	b := nn.Batch{Segments: []nn.Segment{{KV: kv, Tokens: d.golden.Prompt}}}
	step := func() {
		d.ws.Arena.Reset()
		d.m.Forward(d.ws, &b)
		b.Commit()
		b.Segments[0].Tokens = d.golden.Prompt[:1]
	}
	step()
	step()
	if n := testing.AllocsPerRun(20, step); n > 0 {
		t.Errorf("a decoded token allocates %v times", n)
	}
}
