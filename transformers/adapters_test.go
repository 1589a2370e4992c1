package transformers_test

import (
	"errors"
	"math"
	"path/filepath"
	"testing"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/transformers"
	"github.com/pantryhub/pantry/transformers/checkpoint"
)

// TestAdapterOverGGUF: adapters over a GGUF file, applied or merged, change the
// model as over the folder that it was made of; over quantised weights they
// are applied.
func TestAdapterOverGGUF(t *testing.T) {
	c, err := checkpoint.Open("testdata/chat")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	dir := t.TempDir()
	files := map[kernel.Type]string{}
	for _, format := range []kernel.Type{kernel.F32, kernel.Q8_0} {
		files[format] = filepath.Join(dir, format.String()+".gguf")
		if err := c.SaveGGUF(t.Context(), files[format], checkpoint.GGUFOptions{Type: format}); err != nil {
			t.Fatal(err)
		}
	}
	// Made for a model of the same shape, see adapter/testdata/make.py.
	one, two := transformers.AdapterOptions{Path: "adapter/testdata/one"}, transformers.AdapterOptions{Path: "adapter/testdata/two"}
	merged := transformers.AdapterOptions{Path: one.Path, Merge: true}
	plain := answerWith(t, "testdata/chat")
	for name, adapters := range map[string][]transformers.AdapterOptions{"one": {one}, "two": {two}, "both": {one, two}, "merged": {merged}} {
		want := answerWith(t, "testdata/chat", adapters...)
		change := farthest(want, plain)
		if change < 0.5 {
			t.Fatalf("%s changes next to nothing: %v", name, change)
		}
		if d := farthest(answerWith(t, files[kernel.F32], adapters...), want); d > tolerance {
			t.Errorf("%s over F32: %.2g away from what it is over the folder", name, d)
		}
		if name != "merged" {
			if d := farthest(answerWith(t, files[kernel.Q8_0], adapters...), want); d > change/2 {
				t.Errorf("%s over Q8_0: %.2g away from what it is over the folder, where it changes %.2g", name, d, change)
			}
		}
	}
	m, err := transformers.Open(t.Context(), files[kernel.Q8_0], transformers.Options{Adapters: []transformers.AdapterOptions{merged}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := m.TextGeneration(); !errors.Is(err, checkpoint.ErrFormat) {
		t.Errorf("merged with Q8_0: %v, want %v", err, checkpoint.ErrFormat)
	}
	bert := "adapter/testdata/bert" // has the whole head of its task
	if _, err := transformers.Open(t.Context(), files[kernel.F32], transformers.Options{Adapters: []transformers.AdapterOptions{{Path: bert}}}); !errors.Is(err, transformers.ErrUnsupported) {
		t.Errorf("whole tensors over GGUF: %v, want %v", err, transformers.ErrUnsupported)
	}
}

// answerWith are the log probabilities of all tokens behind a text.
func answerWith(t *testing.T, model string, adapters ...transformers.AdapterOptions) map[uint32]float64 {
	t.Helper()
	m, err := transformers.Open(t.Context(), model, transformers.Options{Threads: 1, Adapters: adapters})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	p, err := m.TextGeneration()
	if err != nil {
		t.Fatal(err)
	}
	o := p.Defaults()
	o.MaxNewTokens, o.TopLogProbs = 1, int(m.Tokenizer().MaxID())+1
	out, err := p.Run(t.Context(), "The river was low", o)
	if err != nil {
		t.Fatal(err)
	}
	all := map[uint32]float64{}
	for _, l := range out.Details.Tokens[0].Top {
		all[l.ID] = float64(l.LogProb)
	}
	return all
}

// farthest is the largest difference of two answers.
func farthest(a, b map[uint32]float64) float64 {
	d := 0.0
	for id := range a {
		d = max(d, math.Abs(a[id]-b[id]))
	}
	if len(a) != len(b) || len(a) < 100 {
		return math.Inf(1)
	}
	return d
}
