package generate

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func seeded(cfg Config, seed int64) Config {
	cfg.DoSample, cfg.Seed = true, &seed
	return cfg
}

func randomLogits(r *rand.Rand, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(r.NormFloat64() * 3)
	}
	return out
}

// TestSeedIsPortable: a seed means the same tokens on every machine and in
// every release.
func TestSeedIsPortable(t *testing.T) {
	logits := []float32{1, 2, 3, 0.5, 2.5, -1, 0, 2}
	run := func(sequence int) (ids []uint32) {
		s, err := NewSampler(seeded(DefaultConfig(), 42), SamplerOptions{Vocab: len(logits), Sequence: sequence})
		if err != nil {
			t.Fatal(err)
		}
		for range 16 {
			tok, err := s.Next(slices.Clone(logits))
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, tok.ID)
		}
		return ids
	}
	want := []uint32{6, 7, 1, 1, 1, 7, 7, 2, 4, 7, 2, 4, 2, 2, 4, 3}
	if got := run(0); !slices.Equal(got, want) {
		t.Errorf("seed 42 gave %v, want %v", got, want)
	}
	if slices.Equal(run(0), run(1)) {
		t.Error("two sequences of a request are the same")
	}
}

// TestDistribution: tokens come as often as the softmax says, and never when
// top_k or top_p leave them out.
func TestDistribution(t *testing.T) {
	logits := []float32{0, 1, 2, -1, 0.5}
	for _, kw := range []string{`{}`, `{"temperature": 0.5}`, `{"top_k": 2}`, `{"top_p": 0.7}`, `{"min_p": 0.3}`, `{"typical_p": 0.6}`} {
		cfg := seeded(DefaultConfig(), 1)
		if err := json.Unmarshal([]byte(kw), &cfg); err != nil {
			t.Fatal(err)
		}
		sel := newSelector(&cfg, 1)
		total := sel.pick(logits)
		want := make([]float64, len(logits))
		for _, c := range sel.candidates {
			want[c.id] = float64(c.weight) / total
		}
		s, err := NewSampler(cfg, SamplerOptions{Vocab: len(logits)})
		if err != nil {
			t.Fatal(err)
		}
		const n = 40_000
		got := make([]float64, len(logits))
		for range n {
			tok, err := s.Next(slices.Clone(logits))
			if err != nil {
				t.Fatal(err)
			}
			got[tok.ID] += 1.0 / n
		}
		for i := range want {
			if math.Abs(got[i]-want[i]) > 4*math.Sqrt(want[i]/n) {
				t.Errorf("%s: token %d came %.4f of the time, want %.4f", kw, i, got[i], want[i])
			}
		}
	}
}

// TestSelection compares the partial selection with sorting everything.
func TestSelection(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		n := 1 + r.IntN(3000)
		cfg := DefaultConfig()
		cfg.TopK, cfg.TopP = r.IntN(n+2), r.Float64()
		logits := randomLogits(r, n)
		if r.IntN(3) == 0 { // many ties
			for i := range logits {
				logits[i] = float32(math.Round(float64(logits[i])))
			}
		}
		s := newSelector(&cfg, 1)
		s.pick(logits)
		sorted := slices.Clone(logits)
		slices.SortFunc(sorted, func(a, b float32) int { return int(math.Copysign(1, float64(b-a))) * b2i(a != b) })
		if k := cfg.TopK; k > 0 && k < n {
			for k < n && sorted[k] == sorted[k-1] {
				k++
			}
			sorted = sorted[:k]
		}
		total := 0.0
		for _, x := range sorted {
			total += math.Exp(float64(x - sorted[0]))
		}
		kept, want := 0.0, 0
		for kept < cfg.TopP*total*(1-1e-12) && want < len(sorted) || want == 0 {
			kept += math.Exp(float64(sorted[want] - sorted[0]))
			want++
		}
		if got := len(s.candidates); got < want-1 || got > want+1 { // the sums round differently
			t.Fatalf("n %d, top_k %d, top_p %v: %d candidates, want %d", n, cfg.TopK, cfg.TopP, got, want)
		}
		for _, c := range s.candidates {
			if c.score < sorted[max(want-2, 0)] && got2(sorted, want, c.score) {
				t.Fatalf("candidate %v is not among the first %d", c, want)
			}
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// got2 tells that a score is less than that of the last candidate and its
// neighbour.
func got2(sorted []float32, want int, score float32) bool {
	return score < sorted[min(want, len(sorted)-1)]
}

func TestLogProbs(t *testing.T) {
	cfg := DefaultConfig()
	cfg.LogProbs, cfg.TopLogProbs, cfg.RepetitionPenalty = true, 3, 5
	logits := []float32{1, 4, 3, 4, 0}
	s, err := NewSampler(cfg, SamplerOptions{Vocab: 5, Prompt: []uint32{1, 3}})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := s.Next(slices.Clone(logits))
	if err != nil {
		t.Fatal(err)
	}
	z := math.Log(math.E + 2*math.Exp(4) + math.Exp(3) + 1)
	if tok.ID != 2 || math.Abs(float64(tok.LogProb.LogProb)-(3-z)) > 1e-6 {
		t.Errorf("chose %+v, want token 2 with log probability %v", tok, 3-z)
	}
	var ids []uint32
	for _, x := range tok.Top {
		ids = append(ids, x.ID)
	}
	if !slices.Equal(ids, []uint32{1, 3, 2}) {
		t.Errorf("the likeliest are %v", tok.Top)
	}
}

func TestBrokenLogits(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		logits []float32
		want   error
	}{
		{[]float32{1, nan, 2}, ErrNotANumber},
		{[]float32{nan, nan}, ErrNotANumber},
		{[]float32{negInf, negInf}, ErrNoToken},
		{nil, ErrNoToken},
	} {
		for _, sample := range []bool{false, true} {
			cfg := seeded(DefaultConfig(), 1)
			cfg.DoSample = sample
			s, err := NewSampler(cfg, SamplerOptions{Vocab: len(c.logits)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Next(slices.Clone(c.logits)); !errors.Is(err, c.want) {
				t.Errorf("%v, sampling %v: got the error %v, want %v", c.logits, sample, err, c.want)
			}
		}
	}
	cfg := seeded(DefaultConfig(), 1)
	s, err := NewSampler(cfg, SamplerOptions{Vocab: 2})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Next([]float32{1, inf}); err == nil {
		t.Error("an infinite logit was sampled")
	}
}

// TestNextAllocatesNothing once it is warm, with everything on.
func TestNextAllocatesNothing(t *testing.T) {
	for _, kw := range []string{
		`{"do_sample": false}`,
		`{"do_sample": true, "top_k": 0, "top_p": 0.9}`,
		`{"do_sample": true, "top_k": 40, "top_p": 0.9, "min_p": 0.01, "typical_p": 0.9, "logprobs": true, "top_logprobs": 5,
		  "repetition_penalty": 1.1, "frequency_penalty": 0.1, "no_repeat_ngram_size": 3, "bad_words_ids": [[1], [2, 3]]}`,
	} {
		cfg := seeded(DefaultConfig(), 1)
		if err := json.Unmarshal([]byte(kw), &cfg); err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(1, 1))
		logits := randomLogits(r, 5000)
		buf := slices.Clone(logits)
		s, err := NewSampler(cfg, SamplerOptions{Vocab: len(logits), Prompt: []uint32{1, 2, 3}})
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() {
			copy(buf, logits)
			if _, err := s.Next(buf); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations per token", kw, n)
		}
	}
}

// TestBeamSampling: beams of a seed are repeatable, differ between seeds, and
// keep to top_k.
func TestBeamSampling(t *testing.T) {
	search := func(seed int64) []Beam {
		cfg := seeded(DefaultConfig(), seed)
		cfg.NumBeams, cfg.NumReturnSequences, cfg.MaxNewTokens, cfg.TopK = 3, 3, 6, 2
		b, err := NewBeams(cfg, BeamOptions{Vocab: 6, Prompt: []uint32{0}})
		if err != nil {
			t.Fatal(err)
		}
		for !b.Done() {
			rows := make([][]float32, 3)
			for i := range rows {
				rows[i] = []float32{0, 3, 3.2, 1, -1, 0}
			}
			if _, err := b.Step(rows); err != nil {
				t.Fatal(err)
			}
		}
		return b.Results()
	}
	a, b, c := search(1), search(1), search(2)
	if !reflect.DeepEqual(a, b) || reflect.DeepEqual(a, c) {
		t.Errorf("seed 1 gave %v and %v, seed 2 %v", a, b, c)
	}
	for _, x := range a {
		if slices.ContainsFunc(x.IDs, func(id uint32) bool { return id != 1 && id != 2 }) {
			t.Errorf("%v has tokens outside of top_k", x)
		}
	}
}

func TestConfig(t *testing.T) {
	c, err := ReadConfig([]byte(`{"eos_token_id": [1, 2], "bos_token_id": 7, "pad_token_id": -1, "top_p": 0.9, "temperature": 0.6,
		"do_sample": true, "early_stopping": "never", "transformers_version": "5.0", "suppress_tokens": null, "encoder_no_repeat_ngram_size": 0,
		"exponential_decay_length_penalty": [3, 1.5], "stop_strings": "x"}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`{"temperature": 0, "max_new_tokens": 5, "top_k": null}`), &c); err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	want.EOSTokenID, want.BOSTokenID, want.TopP, want.Temperature, want.DoSample = IDs{1, 2}, IDs{7}, 0.9, 0, true
	want.EarlyStopping, want.ExponentialDecayLengthPenalty, want.StopStrings, want.MaxNewTokens = EarlyStopNever, &LengthDecay{3, 1.5}, Strings{"x"}, 5
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v\nwant %+v", c, want)
	}
	if c.Samples() {
		t.Error("temperature 0 samples")
	}
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	back := DefaultConfig()
	if err := json.Unmarshal(data, &back); err != nil || !reflect.DeepEqual(back, c) {
		t.Errorf("%s reads as %+v (%v)", data, back, err)
	}
	for _, bad := range []string{
		`{"guidance_scale": 2}`, `{"top_p": 1.5}`, `{"num_beams": 0}`, `{"num_beams": 2, "num_return_sequences": 3}`, `{"stop_strings": [""]}`,
		`{"num_return_sequences": 2}`, `{"repetition_penalty": 0}`, `{"early_stopping": "x"}`, `{"eos_token_id": "x"}`, `[]`, `{"num_beam_groups": 4}`,
		`{"bad_words_ids": [[]]}`, `{"encoder_no_repeat_ngram_size": 3}`,
	} {
		if _, err := ReadConfig([]byte(bad)); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

// TestStopper: however a text is cut into pieces, what comes out is the text
// up to the first stop string, in whole characters.
func TestStopper(t *testing.T) {
	stops := []string{"END", "ENDED", "\n\n", "世界", "aab"}
	texts := map[string][2]string{
		"hello END x":  {"hello ", "END"},
		"EN EEND":      {"EN E", "END"},
		"one\ntwo\n\n": {"one\ntwo", "\n\n"},
		"Grüße, 世界!":   {"Grüße, ", "世界"},
		"世 and 界 🌍":    {"世 and 界 🌍", ""},
		"aaab":         {"a", "aab"},
		"xENDED":       {"x", "ENDED"},
		"ends in EN":   {"ends in EN", ""},
		"":             {"", ""},
		"bad \xe4\xb8": {"bad \ufffd", ""},
	}
	r := rand.New(rand.NewPCG(5, 6))
	for text, want := range texts {
		for range 200 {
			s := NewStopper(stops)
			var out strings.Builder
			done := false
			for rest := text; rest != "" && !done; {
				n := 1 + r.IntN(len(rest))
				var piece string
				piece, done = s.Push(rest[:n])
				if strings.Contains(piece, "\ufffd") {
					t.Fatalf("%q: a piece has half a character: %q", text, piece)
				}
				out.WriteString(piece)
				rest = rest[n:]
			}
			if !done {
				out.WriteString(s.Flush())
			}
			stopped := s.Stopped()
			if want[1] == "ENDED" && stopped == "END" {
				stopped = "ENDED" // the shorter one came first
			}
			if out.String() != want[0] || stopped != want[1] {
				t.Fatalf("%q gave %q and stopped at %q, want %q", text, out.String(), s.Stopped(), want)
			}
			if more, _ := s.Push("more"); done && more != "" {
				t.Fatalf("%q: text came behind the stop string", text)
			}
		}
	}
}

// FuzzConfig: whatever generation_config.json says, it is read or refused, and
// what was read chooses tokens or gives a plain error.
func FuzzConfig(f *testing.F) {
	for _, s := range []string{
		`{"do_sample": true, "temperature": 1e-30, "top_p": 0, "top_k": 1, "min_p": 1, "typical_p": 0.01, "eos_token_id": [0, 99]}`,
		`{"num_beams": 3, "num_return_sequences": 2, "length_penalty": -1e300, "early_stopping": "never", "max_new_tokens": 5}`,
		`{"no_repeat_ngram_size": 1, "bad_words_ids": [[1], [2, 3], [4000000000]], "forced_eos_token_id": 7, "max_length": 4}`,
		`{"exponential_decay_length_penalty": [0, 1e308], "repetition_penalty": 1e-300, "suppress_tokens": [0, 1, 2, 3, 4, 5, 6, 7]}`,
		`{"logit_bias": {"3": 1e38}, "frequency_penalty": -1e38, "top_logprobs": 1000000, "max_new_tokens": 9223372036854775807}`,
		`{"do_sample": true, "num_beams": 2, "max_length": 6, "remove_invalid_values": true, "renormalize_logits": true}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := ReadConfig(data)
		if err != nil {
			return
		}
		logits := []float32{1, -2, 3, 0, 0.5, 2.5, 9, -7}
		if cfg.NumBeams == 1 {
			s, err := NewSampler(cfg, SamplerOptions{Vocab: len(logits), Prompt: []uint32{1, 2}})
			if err != nil {
				t.Fatal(err) // ReadConfig has checked it
			}
			for range 4 {
				tok, err := s.Next(slices.Clone(logits))
				if err != nil {
					return
				}
				if int(tok.ID) >= len(logits) {
					t.Fatalf("chose %d", tok.ID)
				}
			}
			return
		}
		if cfg.NumBeams > 8 {
			return
		}
		b, err := NewBeams(cfg, BeamOptions{Vocab: len(logits), Prompt: []uint32{1, 2}, Context: 6})
		if err != nil {
			return
		}
		for !b.Done() {
			rows := make([][]float32, len(b.Running()))
			for i := range rows {
				rows[i] = slices.Clone(logits)
			}
			if _, err := b.Step(rows); err != nil {
				return
			}
		}
		b.Results()
	})
}

func BenchmarkNext(b *testing.B) {
	for name, kw := range map[string]string{
		"greedy": `{"do_sample": false}`, "plain": `{"top_k": 0}`, "topK": `{"top_k": 50, "top_p": 0.9}`, "topP": `{"top_k": 0, "top_p": 0.9}`,
		"typical": `{"top_k": 0, "typical_p": 0.9}`, "logprobs": `{"do_sample": false, "top_logprobs": 5, "logprobs": true}`,
	} {
		b.Run(name, func(b *testing.B) {
			cfg := seeded(DefaultConfig(), 1)
			if err := json.Unmarshal([]byte(kw), &cfg); err != nil {
				b.Fatal(err)
			}
			logits := randomLogits(rand.New(rand.NewPCG(1, 1)), 151_936)
			buf := slices.Clone(logits)
			s, err := NewSampler(cfg, SamplerOptions{Vocab: len(logits)})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, logits)
				if _, err := s.Next(buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
