package generate_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/pantryhub/pantry/transformers/generate"
	"github.com/pantryhub/pantry/transformers/models/llama"
	"github.com/pantryhub/pantry/transformers/models/parity"
	"github.com/pantryhub/pantry/transformers/nn"
	"github.com/pantryhub/pantry/transformers/tensor"
)

type golden struct {
	Prompt []uint32
	Greedy []uint32
}

func tinyLlama(t *testing.T) (*llama.Model, golden, *nn.Workspace) {
	t.Helper()
	var g golden
	c := parity.Load(t, "llama", &g)
	m, err := llama.New(c.Config, c.Weights())
	if err != nil {
		t.Fatal(err)
	}
	return m, g, parity.Workspace(t)
}

func greedy(n int) generate.Config {
	c := generate.DefaultConfig()
	c.MaxNewTokens = n
	return c
}

// TestRun: greedy output is the reference's, alone, in a batch with others, and
// when the prompt is known from an earlier request.
func TestRun(t *testing.T) {
	m, g, ws := tinyLlama(t)
	e := generate.NewEngine(m, 1<<30)
	ctx := context.Background()
	for _, round := range []string{"first", "again"} {
		r, err := e.Run(ctx, ws, &generate.Request{Prompt: g.Prompt, Config: greedy(len(g.Greedy))})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(r[0].IDs, g.Greedy) || r[0].Finish != generate.FinishLength {
			t.Errorf("%s: %v (%s), want %v", round, r[0].IDs, r[0].Finish, g.Greedy)
		}
		if want := map[string]int{"first": 0, "again": len(g.Prompt) - 1}[round]; r[0].Reused != want {
			t.Errorf("%s: %d tokens reused, want %d", round, r[0].Reused, want)
		}
	}
	var requests []*generate.Request
	for n := range 8 {
		requests = append(requests, &generate.Request{Prompt: g.Prompt[:len(g.Prompt)-n], Config: greedy(5 + n)})
	}
	requests[0].Config = greedy(len(g.Greedy))
	together, err := e.Run(ctx, ws, requests...)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(together[0].IDs, g.Greedy) {
		t.Errorf("in a batch: %v, want %v", together[0].IDs, g.Greedy)
	}
	for i, r := range requests {
		alone, err := generate.NewEngine(m, 0).Run(ctx, ws, r)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(alone[0].IDs, together[i].IDs) {
			t.Errorf("request %d: %v alone, %v in a batch", i, alone[0].IDs, together[i].IDs)
		}
	}
}

// TestRunEnds: by the end token, by the caller, by the context's length.
func TestRunEnds(t *testing.T) {
	m, g, ws := tinyLlama(t)
	e := generate.NewEngine(m, 0)
	c := greedy(len(g.Greedy))
	c.EOSTokenID = generate.IDs{g.Greedy[3]}
	want := slices.Index(g.Greedy, g.Greedy[3]) + 1
	r, err := e.Run(context.Background(), ws, &generate.Request{Prompt: g.Prompt, Config: c})
	if err != nil || r[0].Finish != generate.FinishEOS || len(r[0].IDs) != want {
		t.Errorf("end token: %v %v, want %d tokens", r, err, want)
	}
	seen := 0
	r, err = e.Run(context.Background(), ws, &generate.Request{Prompt: g.Prompt, Config: greedy(20),
		Emit: func(generate.Token) bool { seen++; return seen == 2 }})
	if err != nil || r[0].Finish != generate.FinishStop || len(r[0].IDs) != 2 {
		t.Errorf("stopped: %v %v", r, err)
	}
	r, err = e.Run(context.Background(), ws, &generate.Request{Prompt: g.Prompt, Config: generate.DefaultConfig()})
	if err != nil || r[0].Finish != generate.FinishLength || len(r[0].IDs)+len(g.Prompt) != m.MaxPosition() {
		t.Errorf("context: %d tokens, %v, want %d", len(r[0].IDs), err, m.MaxPosition()-len(g.Prompt))
	}
}

// TestRunRefuses what cannot be run, and stops at any token when the context
// ends.
func TestRunRefuses(t *testing.T) {
	m, g, ws := tinyLlama(t)
	e := generate.NewEngine(m, 0)
	ctx := context.Background()
	if _, err := e.Run(ctx, ws, &generate.Request{Config: greedy(1)}); !errors.Is(err, generate.ErrNoPrompt) {
		t.Errorf("no prompt: %v", err)
	}
	if _, err := e.Run(ctx, ws, &generate.Request{Prompt: make([]uint32, 1_000_000), Config: greedy(1)}); !errors.Is(err, generate.ErrPromptTooLong) {
		t.Errorf("a million tokens: %v", err)
	}
	if _, err := e.Run(ctx, ws, &generate.Request{Prompt: []uint32{9999}, Config: greedy(1)}); err == nil {
		t.Error("a token outside of the vocabulary runs")
	}
	ctx, cancel := context.WithCancel(ctx)
	count := 0
	_, err := e.Run(ctx, ws, &generate.Request{Prompt: g.Prompt, Config: greedy(50), Emit: func(generate.Token) bool {
		if count++; count == 3 {
			cancel()
		}
		return false
	}})
	if !errors.Is(err, context.Canceled) || count != 3 {
		t.Errorf("canceled at token %d: %v", count, err)
	}
}

// TestBeamsOfOne: a beam search of one beam is greedy.
func TestBeamsOfOne(t *testing.T) {
	m, g, ws := tinyLlama(t)
	c := greedy(len(g.Greedy))
	c.NumBeams, c.NumReturnSequences = 1, 1
	beams, err := generate.NewExactEngine(m, 0).Beams(context.Background(), ws, &generate.Request{Prompt: g.Prompt, Config: c}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(beams[0].IDs, g.Greedy) {
		t.Errorf("one beam: %v, want %v", beams[0].IDs, g.Greedy)
	}
}

// counting is a model that counts the tokens it runs.
type counting struct {
	generate.Model
	tokens int
}

func (c *counting) Forward(ws *nn.Workspace, b *nn.Batch) tensor.Tensor {
	c.tokens += b.Tokens()
	return c.Model.Forward(ws, b)
}

// TestRunTwins: sequences with one prompt run it once, and each gets what it
// gets alone.
func TestRunTwins(t *testing.T) {
	m, g, ws := tinyLlama(t)
	counted := &counting{Model: m}
	e := generate.NewExactEngine(counted, 0)
	seed := int64(7)
	c := greedy(5)
	c.DoSample, c.Seed = true, &seed
	var requests []*generate.Request
	for i := range 6 {
		requests = append(requests, &generate.Request{Prompt: g.Prompt, Config: c, Number: i})
	}
	requests = append(requests, &generate.Request{Prompt: g.Prompt[:7], Config: c, Number: 6}, &generate.Request{Prompt: g.Prompt, Config: c, Number: 7})
	together, err := e.Run(t.Context(), ws, requests...)
	if err != nil {
		t.Fatal(err)
	}
	// The prompts but for their last tokens, then five tokens of eight sequences; the last is never run.
	if want := len(g.Prompt) - 1 + 6 + 8*5; counted.tokens != want {
		t.Errorf("%d tokens are run, want %d", counted.tokens, want)
	}
	different := map[uint32]bool{}
	for i, r := range requests {
		alone, err := generate.NewExactEngine(m, 0).Run(t.Context(), ws, r)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(alone[0].IDs, together[i].IDs) {
			t.Errorf("sequence %d: %v alone, %v with its twins", i, alone[0].IDs, together[i].IDs)
		}
		different[together[i].IDs[0]] = true
	}
	if len(different) < 2 {
		t.Error("all sequences are alike")
	}
}

// TestRunKeeps: what was run before a generation ended early is not run again.
func TestRunKeeps(t *testing.T) {
	m, g, ws := tinyLlama(t)
	e := generate.NewExactEngine(m, 1<<30)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := e.Run(ctx, ws, &generate.Request{Prompt: g.Prompt, Config: greedy(len(g.Greedy)), Emit: func(generate.Token) bool { cancel(); return false }})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("canceled: %v", err)
	}
	r, err := e.Run(t.Context(), ws, &generate.Request{Prompt: g.Prompt, Config: greedy(len(g.Greedy))})
	if err != nil || r[0].Reused != len(g.Prompt)-1 || !slices.Equal(r[0].IDs, g.Greedy) {
		t.Errorf("%v (%d reused), %v; want %v", r[0].IDs, r[0].Reused, err, g.Greedy)
	}
	if none, err := e.Run(t.Context(), ws); err != nil || len(none) != 0 {
		t.Errorf("no request: %v, %v", none, err)
	}
}

// dynamic is a model whose angles depend on the length of texts over 20
// tokens, and which ends the context behind its first pass.
type dynamic struct {
	generate.Model
	end context.CancelFunc
}

func (dynamic) Stretched(length int) bool { return length > 20 }

func (d dynamic) Forward(ws *nn.Workspace, b *nn.Batch) tensor.Tensor {
	defer d.end()
	return d.Model.Forward(ws, b)
}

// TestRunKeepsNoStretched: the beginning of a long text, of which no more was run,
// is not taken for that of a short one.
func TestRunKeepsNoStretched(t *testing.T) {
	m, g, ws := tinyLlama(t)
	ctx, cancel := context.WithCancel(t.Context())
	e := generate.NewExactEngine(dynamic{m, cancel}, 1<<30)
	requests := []*generate.Request{{Prompt: g.Prompt, Config: greedy(1)}}
	for range 63 { // so that the last pass of the prompt has 8 tokens
		requests = append(requests, &generate.Request{Prompt: g.Prompt[:1], Config: greedy(1)})
	}
	if n := len(g.Prompt); n <= 20 || n-8 > 20 {
		t.Fatalf("a prompt of %d tokens; want one that is long and whose first pass is not", n)
	}
	if _, err := e.Run(ctx, ws, requests...); !errors.Is(err, context.Canceled) {
		t.Fatalf("canceled: %v", err)
	}
	r, err := e.Run(t.Context(), ws, &generate.Request{Prompt: g.Prompt[:20], Config: greedy(1)})
	if err != nil || r[0].Reused != 0 {
		t.Errorf("%d tokens of a long text are reused, %v", r[0].Reused, err)
	}
}
