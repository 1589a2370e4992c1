package generate

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"
)

// golden is what transformers made (testdata/make_golden.py).
type golden struct {
	Processors []struct {
		Config json.RawMessage
		IDs    []uint32
		Prompt int
		Scores []float32
		Want   []*float32 // nil: -Inf
	}
	Beams []struct {
		Config json.RawMessage
		Prompt []uint32
		Table  [][]float32
		Other  [][]float32
		Drift  []float32
		Want   []struct {
			IDs   []uint32
			Score float32
		}
	}
}

func readGolden(t *testing.T) golden {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Processors) < 100 || len(g.Beams) < 30 {
		t.Fatalf("only %d processors and %d beams", len(g.Processors), len(g.Beams))
	}
	return g
}

// TestProcessors compares the scores behind all processors with those of
// transformers.
func TestProcessors(t *testing.T) {
	for _, c := range readGolden(t).Processors {
		cfg, err := ReadConfig(c.Config)
		if err != nil {
			t.Fatal(err)
		}
		p := newProcessors(&cfg, len(c.Scores), c.Prompt, cfg.MaxTotal(c.Prompt, 0))
		got := slices.Clone(c.Scores)
		p.process(got, c.IDs, nil)
		if cfg.Samples() {
			s := newSelector(&cfg, 1)
			if total := s.pick(got); total <= 0 {
				t.Errorf("%s: no candidate", c.Config)
			}
			for i := range got {
				got[i] = negInf
			}
			for _, k := range s.candidates {
				got[k.id] = k.score
			}
		}
		for i, want := range c.Want {
			switch {
			case want == nil && !math.IsInf(float64(got[i]), -1), want != nil && math.Abs(float64(got[i]-*want)) > 1e-6*(1+math.Abs(float64(*want))):
				t.Errorf("%s, ids %v: score %d is %v, want %v (nil: -Inf)\nof %v", c.Config, c.IDs, i, got[i], want, c.Scores)
			}
		}
	}
}

// TestBeams compares whole searches over toy logits with transformers'
// generate.
func TestBeams(t *testing.T) {
	for _, c := range readGolden(t).Beams {
		cfg, err := ReadConfig(c.Config)
		if err != nil {
			t.Fatal(err)
		}
		logits := func(ids []uint32) []float32 {
			n := len(ids) - 1
			out := make([]float32, len(c.Drift))
			for i := range out {
				out[i] = c.Table[ids[n]][i] + c.Other[ids[max(n-1, 0)]][i] + c.Drift[i]*float32(n)
			}
			return out
		}
		if cfg.NumBeams == 1 {
			s, err := NewSampler(cfg, SamplerOptions{Vocab: len(c.Drift), Prompt: c.Prompt})
			if err != nil {
				t.Fatal(err)
			}
			for range cfg.MaxNewTokens {
				tok, err := s.Next(logits(s.IDs()))
				if err != nil {
					t.Fatal(err)
				}
				if cfg.EOSTokenID.Contains(tok.ID) {
					break
				}
			}
			if got := s.IDs()[len(c.Prompt):]; !slices.Equal(got, c.Want[0].IDs) {
				t.Errorf("%s: got %v, want %v", c.Config, got, c.Want[0].IDs)
			}
			continue
		}
		b, err := NewBeams(cfg, BeamOptions{Vocab: len(c.Drift), Prompt: c.Prompt})
		if err != nil {
			t.Fatal(err)
		}
		for first := true; !b.Done(); first = false {
			running := b.Running()
			if first {
				running = running[:1]
			}
			var rows [][]float32
			for _, ids := range running {
				rows = append(rows, logits(ids))
			}
			before := make([][]uint32, 0, cfg.NumBeams)
			for _, ids := range b.Running() {
				before = append(before, slices.Clone(ids))
			}
			parents, err := b.Step(rows)
			if err != nil {
				t.Fatal(err)
			}
			for i, ids := range b.Running() {
				if !slices.Equal(ids[:len(ids)-1], before[parents[i]]) {
					t.Fatalf("%s: beam %d does not continue its parent", c.Config, i)
				}
			}
		}
		got := b.Results()
		if len(got) != len(c.Want) {
			t.Fatalf("%s: %d results, want %d", c.Config, len(got), len(c.Want))
		}
		for i, want := range c.Want {
			if !slices.Equal(got[i].IDs, want.IDs) || math.Abs(float64(got[i].Score-want.Score)) > 1e-5*(1+math.Abs(float64(want.Score))) {
				t.Errorf("%s: result %d is %v, want %v", c.Config, i, got[i], want)
			}
		}
	}
}
