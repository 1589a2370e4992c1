package llama_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/pantryhub/pantry/transformers/generate"
	"github.com/pantryhub/pantry/transformers/models/llama"
	"github.com/pantryhub/pantry/transformers/models/parity"
)

func TestParity(t *testing.T) {
	for _, name := range []string{"llama", "llama-llama3", "llama-yarn", "llama-linear", "llama-dynamic", "llama-proportional"} {
		t.Run(name, func(t *testing.T) { parity.CheckDecoder(t, name, llama.New) })
	}
}

// TestPastMaxPosition: the rope of a model of 16 positions stretches to twice
// as many. A prompt of 24 is continued as the reference does, also when texts
// with the same beginning are known, up to the 32nd token.
func TestPastMaxPosition(t *testing.T) {
	var golden struct{ Prompt, Greedy []uint32 }
	c := parity.Load(t, "llama-dynamic", &golden)
	m, err := llama.New(c.Config, c.Weights())
	if err != nil {
		t.Fatal(err)
	}
	if m.MaxPosition() != 32 || m.Stretched(16) || !m.Stretched(17) {
		t.Errorf("the model takes %d tokens, and stretches 16: %v, 17: %v", m.MaxPosition(), m.Stretched(16), m.Stretched(17))
	}
	config := generate.DefaultConfig()
	config.MaxNewTokens = len(golden.Greedy)
	room := m.MaxPosition() - len(golden.Prompt)
	e, ws := generate.NewExactEngine(m, 1<<30), parity.Workspace(t)
	for _, known := range []int{0, 10, 20, len(golden.Prompt)} {
		if known > 0 {
			brief := config
			brief.MaxNewTokens = 1
			if _, err := e.Run(t.Context(), ws, &generate.Request{Prompt: golden.Prompt[:known], Config: brief}); err != nil {
				t.Fatal(err)
			}
		}
		r, err := e.Run(t.Context(), ws, &generate.Request{Prompt: golden.Prompt, Config: config})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(r[0].IDs, golden.Greedy[:room]) || r[0].Finish != generate.FinishLength || r[0].Reused != 0 {
			t.Errorf("with %d tokens known: %v (%s, %d reused), want %v", known, r[0].IDs, r[0].Finish, r[0].Reused, golden.Greedy[:room])
		}
	}
	if _, err := e.Run(t.Context(), ws, &generate.Request{Prompt: make([]uint32, 32), Config: config}); !errors.Is(err, generate.ErrPromptTooLong) {
		t.Errorf("32 tokens: %v", err)
	}
}
