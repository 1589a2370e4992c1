package transformers_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pantryhub/pantry/transformers"
)

// steps counts what QuantizeProgress is told.
type steps struct {
	files, done  int
	bytes, moved int64
}

func (s *steps) Begin(files int, bytes int64) { s.files, s.bytes = s.files+files, s.bytes+bytes }
func (s *steps) Advance(_ string, n int64)    { s.moved += n }
func (s *steps) Finish(string)                { s.done++ }

// quantised opens a model with Options.Quantize.
func quantised(t *testing.T, dir string, o transformers.Options) *transformers.Model {
	t.Helper()
	o.Threads = 2
	m, err := transformers.Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// says is a greedy continuation.
func says(t *testing.T, m *transformers.Model) string {
	t.Helper()
	p, err := m.TextGeneration()
	if err != nil {
		t.Fatal(err)
	}
	o := p.Defaults()
	o.MaxNewTokens, o.DoSample = 12, false
	out, err := p.Run(t.Context(), "What a day!", o)
	if err != nil {
		t.Fatal(err)
	}
	return out.GeneratedText
}

// TestQuantize: the first time is work that is shown, the second is none; both
// give the same model.
func TestQuantize(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("PANTRY_CACHE", cache)
	var first, second, third steps
	m := quantised(t, "testdata/chat", transformers.Options{Quantize: "q8_0", QuantizeProgress: &first})
	want := says(t, m)
	if err := m.Unkept(); err != nil {
		t.Error(err)
	}
	if first.files != 1 || first.done != 1 || first.bytes == 0 || first.moved != first.bytes {
		t.Errorf("progress %+v", first)
	}
	if got := says(t, quantised(t, "testdata/chat", transformers.Options{Quantize: "Q8_0", QuantizeProgress: &second})); got != want || second != (steps{}) {
		t.Errorf("the second time it says %q, not %q, after %+v", got, want, second)
	}
	files, err := filepath.Glob(filepath.Join(cache, "quantized", "*.gguf"))
	if err != nil || len(files) != 1 {
		t.Errorf("kept %v, %v", files, err)
	}

	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m = quantised(t, "testdata/chat", transformers.Options{Quantize: "Q8_0", QuantizedDir: blocked, QuantizeProgress: &third})
	if got := says(t, m); got != want || m.Unkept() == nil || third.done != 1 {
		t.Errorf("in memory it says %q, not %q, after %+v; %v", got, want, third, m.Unkept())
	}
}

// TestQuantizeWith: adapters are applied over quantised weights, and refused
// where they would have to be added to them.
func TestQuantizeWith(t *testing.T) {
	t.Setenv("PANTRY_CACHE", t.TempDir())
	one := []transformers.AdapterOptions{{Path: "adapter/testdata/one"}}
	plain := says(t, quantised(t, "testdata/chat", transformers.Options{Quantize: "Q8_0"}))
	with := says(t, quantised(t, "testdata/chat", transformers.Options{Quantize: "Q8_0", Adapters: one}))
	if with == plain {
		t.Errorf("the adapter changes nothing: %q", with)
	}
	one[0].Merge = true
	m := quantised(t, "testdata/chat", transformers.Options{Quantize: "Q8_0", Adapters: one})
	if _, err := m.TextGeneration(); err == nil || !strings.Contains(err.Error(), "can be applied, not merged") {
		t.Errorf("merged: %v", err)
	}
	_, err := transformers.Open(t.Context(), "testdata/chat", transformers.Options{Quantize: "Q3_K"})
	if !errors.Is(err, transformers.ErrInput) || !strings.Contains(err.Error(), "Q4_K, Q5_K, Q6_K, Q8_0") {
		t.Errorf("Q3_K: %v", err)
	}
}

// TestQuantizeMiniLM: vectors of a real encoder in Q8_0 point where those in F32
// do.
func TestQuantizeMiniLM(t *testing.T) {
	if testing.Short() {
		t.Skip("runs without -short")
	}
	dir := minilm(t)
	data, err := os.ReadFile("testdata/minilm.json")
	if err != nil {
		t.Fatal(err)
	}
	var lines []struct{ Text string }
	if err := json.Unmarshal(data, &lines); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, l := range lines[:200] {
		texts = append(texts, l.Text)
	}
	vectors := func(m *transformers.Model) [][]float32 {
		p, err := m.FeatureExtraction()
		if err != nil {
			t.Fatal(err)
		}
		v, err := p.Run(t.Context(), texts, transformers.FeatureExtractionParameters{})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	want := vectors(open(t, dir))
	for kind, least := range map[string]struct{ worst, mean float64 }{"Q8_0": {0.998, 0.999}, "Q4_K": {0.97, 0.99}} {
		got := vectors(quantised(t, dir, transformers.Options{Quantize: kind, QuantizedDir: t.TempDir()}))
		worst, mean := 1.0, 0.0
		for i := range want {
			cosine := 0.0
			for j, x := range want[i] {
				cosine += float64(x) * float64(got[i][j])
			}
			mean += cosine / float64(len(want))
			worst = min(worst, cosine)
		}
		t.Logf("%s: the cosine of %d texts is %.5f on average, %.5f at worst", kind, len(texts), mean, worst)
		if !(worst > least.worst && mean > least.mean) || worst > 0.999999 {
			t.Errorf("%s: the cosine is %v on average, %v at worst", kind, mean, worst)
		}
	}
}
