package adapter_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pantryhub/pantry/transformers/adapter"
	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/models/bert"
	"github.com/pantryhub/pantry/transformers/models/gpt2"
	"github.com/pantryhub/pantry/transformers/models/llama"
	"github.com/pantryhub/pantry/transformers/models/parity"
	"github.com/pantryhub/pantry/transformers/nn"
)

type golden struct {
	Prompt                                 []uint32
	None, One, Two, Both, Dora, Gpt2, Bert []float32
}

func read(t *testing.T) (g golden) {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// open opens a tiny model with adapters.
func open(t *testing.T, model string, merge bool, names ...string) *checkpoint.Checkpoint {
	t.Helper()
	c, err := checkpoint.Open(parity.Dir(model))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	var all []*checkpoint.Adapter
	for _, name := range names {
		a, err := adapter.Open(filepath.Join("testdata", name), name, merge)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.Saved.Close() })
		all = append(all, a)
	}
	c, err = c.With(all...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func last(t *testing.T, m parity.Decoder, prompt []uint32, adapters ...int) []float32 {
	t.Helper()
	ws := parity.Workspace(t)
	ws.Adapters = adapters
	b := nn.Batch{Segments: []nn.Segment{{KV: nn.NewExactKV(m.KVShape()), Tokens: prompt}}}
	return m.Forward(ws, &b).Clone().Data
}

// TestApplied: two adapters over one model, chosen by the pass.
func TestApplied(t *testing.T) {
	g := read(t)
	c := open(t, "llama", false, "one", "two")
	m, err := llama.New(c.Config, c.Weights())
	if err != nil {
		t.Fatal(err)
	}
	parity.Close(t, "no adapter", last(t, m, g.Prompt), g.None)
	parity.Close(t, "one", last(t, m, g.Prompt, 0), g.One)
	parity.Close(t, "two (rsLoRA, patterns)", last(t, m, g.Prompt, 1), g.Two)
	parity.Close(t, "both", last(t, m, g.Prompt, 0, 1), g.Both)
}

func TestMerged(t *testing.T) {
	g := read(t)
	for name, want := range map[string][]float32{"one": g.One, "two": g.Two, "dora": g.Dora} {
		c := open(t, "llama", true, name)
		m, err := llama.New(c.Config, c.Weights())
		if err != nil {
			t.Fatal(err)
		}
		parity.Close(t, name, last(t, m, g.Prompt), want)
	}
	c := open(t, "llama", true, "one", "two")
	m, err := llama.New(c.Config, c.Weights())
	if err != nil {
		t.Fatal(err)
	}
	parity.Close(t, "both", last(t, m, g.Prompt), g.Both)
}

// TestGPT2 has query, key and value in one transposed weight.
func TestGPT2(t *testing.T) {
	g := read(t)
	for merge, adapters := range map[bool][]int{true: nil, false: {0}} {
		c := open(t, "gpt2", merge, "gpt2")
		m, err := gpt2.New(c.Config, c.Weights())
		if err != nil {
			t.Fatal(err)
		}
		parity.Close(t, "gpt2", last(t, m, g.Prompt, adapters...), g.Gpt2)
	}
}

// TestSavedModules: an adapter brings the classifier that was trained with it.
func TestSavedModules(t *testing.T) {
	g := read(t)
	c := open(t, "bert-sequence", false, "bert")
	m, head, err := bert.NewSequenceClassifier(c.Config, c.Weights())
	if err != nil {
		t.Fatal(err)
	}
	ws := parity.Workspace(t)
	ws.Adapters = []int{0}
	var in nn.Input
	in.Append([]uint32{5, 9, 33, 20, 41}, nil)
	parity.Close(t, "logits", head.Forward(ws, m.Forward(ws, &in), in.Bounds).Data, g.Bert)
}

// TestRefused: what would change the result and is not computed is an error.
func TestRefused(t *testing.T) {
	weights, err := os.ReadFile("testdata/one/adapter_model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for config, want := range map[string]error{
		`{"peft_type": "IA3"}`:                                         adapter.ErrUnsupported,
		`{"peft_type": "LORA", "r": 4, "bias": "all"}`:                 adapter.ErrUnsupported,
		`{"peft_type": "LORA", "r": 4, "use_dora": true}`:              adapter.ErrUnsupported,
		`{"peft_type": "LORA", "r": 5}`:                                checkpoint.ErrFormat,
		`{"peft_type": "LORA", "r": 4, "layer_replication": [[0, 1]]}`: adapter.ErrUnsupported,
		`not JSON`: checkpoint.ErrFormat,
	} {
		dir := t.TempDir()
		for name, data := range map[string][]byte{"adapter_config.json": []byte(config), "adapter_model.safetensors": weights} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := adapter.Open(dir, "x", false); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", config, err, want)
		}
	}
	c := open(t, "bert-sequence", false, "one")
	if _, _, err := bert.NewSequenceClassifier(c.Config, c.Weights()); err == nil || !strings.Contains(err.Error(), "adapter one") {
		t.Errorf("an adapter of another model: %v", err)
	}
}
