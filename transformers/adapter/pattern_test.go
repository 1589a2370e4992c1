package adapter

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPatterns: the first pattern that matches counts, and it must match a
// whole number of a path's last parts.
func TestPatterns(t *testing.T) {
	const layer = "model.layers.10.self_attn.q_proj"
	tests := []struct {
		patterns string
		want     int
	}{
		{`null`, 8}, {`{}`, 8}, {`{"q_proj": 1}`, 1}, {`{"proj": 1}`, 8}, {`{"q_proj": 1, "self_attn.q_proj": 2}`, 1},
		{`{"self_attn.q_proj": 2, "q_proj": 1}`, 2}, {`{"k_proj": 1, "[qk]_proj": 3, "q_proj": 1}`, 3}, {`{"layers.0.self_attn.q_proj": 1}`, 8},
		{`{"model.layers.10.self_attn.q_proj": 4}`, 4}, {`{"x.model.layers.10.self_attn.q_proj": 4}`, 8}, {`{"self.attn.q.proj": 5}`, 5},
		{`{"layers.(9|10)..*": 6}`, 6}, {`{"^model.*": 7}`, 7}, {`{"": 1}`, 8}, {`{"a|layers.10.self_attn.q_proj": 9}`, 9},
	}
	for _, tt := range tests {
		for range 5 { // the order is not one of a map
			var p Patterns[int]
			if err := json.Unmarshal([]byte(tt.patterns), &p); err != nil {
				t.Fatalf("%s: %v", tt.patterns, err)
			}
			if got := p.of(layer, 8); got != tt.want {
				t.Errorf("%s: %d, want %d", tt.patterns, got, tt.want)
			}
		}
	}
	for _, bad := range []string{`[]`, `{"(": 1}`, `{"(?=a)": 1}`, `{"a": "x"}`, "{" + strings.Repeat(`"a": 1, `, maxPatterns) + `"b": 1}`} {
		var p Patterns[int]
		if err := json.Unmarshal([]byte(bad), &p); err == nil {
			t.Errorf("%.30s is %v, want an error", bad, p)
		}
	}
}

// FuzzOpen opens adapters with any adapter_config.json and names of tensors: what
// is opened has finite scales and layers whose shapes fit.
func FuzzOpen(f *testing.F) {
	for _, name := range []string{"one", "dora"} {
		config, err := os.ReadFile(filepath.Join("testdata", name, "adapter_config.json"))
		if err != nil {
			f.Fatal(err)
		}
		weights, err := os.ReadFile(filepath.Join("testdata", name, "adapter_model.safetensors"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(config, weights)
		f.Add([]byte(`{"peft_type": "LORA", "r": 0, "lora_alpha": 1e300, "use_rslora": true, "rank_pattern": {"q_proj": 4}, "alpha_pattern": {".*": 2}}`), weights)
	}
	f.Fuzz(func(t *testing.T, config, weights []byte) {
		dir := t.TempDir()
		for name, data := range map[string][]byte{"adapter_config.json": config, "adapter_model.safetensors": weights} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		a, err := Open(dir, "a", true)
		if err != nil {
			return
		}
		defer a.Saved.Close()
		for layer, p := range a.Parts {
			if s := float64(p.Scale); math.IsNaN(s) || math.IsInf(s, 0) {
				t.Errorf("%s is scaled by %v", layer, s)
			}
		}
	})
}
