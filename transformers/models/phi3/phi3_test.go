package phi3_test

import (
	"context"
	"slices"
	"testing"

	"github.com/pantryhub/pantry/transformers/generate"
	"github.com/pantryhub/pantry/transformers/models/parity"
	"github.com/pantryhub/pantry/transformers/models/phi3"
)

func TestParity(t *testing.T) {
	for _, name := range []string{"phi3", "phi3-long"} {
		t.Run(name, func(t *testing.T) { parity.CheckDecoder(t, name, phi3.New) })
	}
}

// TestLongPrompt: a prompt that is long for LongRoPE gives the reference's text
// cold, and when a short text with the same beginning is remembered.
func TestLongPrompt(t *testing.T) {
	var golden struct{ Prompt, Greedy []uint32 }
	c := parity.Load(t, "phi3-long", &golden)
	m, err := phi3.New(c.Config, c.Weights())
	if err != nil {
		t.Fatal(err)
	}
	config := generate.DefaultConfig()
	config.MaxNewTokens = len(golden.Greedy)
	e := generate.NewExactEngine(m, 1<<30)
	for _, short := range []int{0, 5} {
		if short > 0 {
			brief := config
			brief.MaxNewTokens = 2
			if _, err := e.Run(context.Background(), parity.Workspace(t), &generate.Request{Prompt: golden.Prompt[:short], Config: brief}); err != nil {
				t.Fatal(err)
			}
		}
		r, err := e.Run(context.Background(), parity.Workspace(t), &generate.Request{Prompt: golden.Prompt, Config: config})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(r[0].IDs, golden.Greedy) {
			t.Errorf("after %d tokens: %v, want %v", short, r[0].IDs, golden.Greedy)
		}
	}
	// Fed in two pieces that the model knows to be one text, as Run does beyond
	// its piece of a prompt, the result is the same as at once.
	if !m.Long(len(golden.Prompt)) || m.Long(5) {
		t.Error("the prompt is not long, or its beginning is")
	}
}
