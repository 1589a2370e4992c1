package checkpoint_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pantryhub/pantry/gguf"
	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/transformers/checkpoint"
)

// save writes a checkpoint as GGUF and returns the file.
func save(t *testing.T, from string, o checkpoint.GGUFOptions) string {
	t.Helper()
	c, err := checkpoint.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := c.SaveGGUF(t.Context(), path, o); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestQuantizeTwice: a GGUF file that holds the folder's own numbers gives, bit
// by bit, the file that the folder gives.
func TestQuantizeTwice(t *testing.T) {
	dir := tiny{name: "llama", kind: "llama", vocab: "llama3"}.folder(t, 1)
	direct, err := os.ReadFile(save(t, dir, checkpoint.GGUFOptions{Type: kernel.Q4_K}))
	if err != nil {
		t.Fatal(err)
	}
	same := save(t, dir, checkpoint.GGUFOptions{Type: kernel.BF16})
	again, err := os.ReadFile(save(t, same, checkpoint.GGUFOptions{Type: kernel.Q4_K}))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(direct, again) {
		t.Errorf("%d bytes from a folder and %d from a GGUF file differ", len(direct), len(again))
	}
}

// TestTypes checks the type of each kind of tensor, and that the progress ends
// at what was begun with.
func TestTypes(t *testing.T) {
	dir := tiny{name: "llama", kind: "llama", vocab: "llama2"}.folder(t, 1)
	for _, c := range []struct{ asked, matrix, embed, output, norm kernel.Type }{
		{kernel.F16, kernel.F16, kernel.F16, kernel.F16, kernel.F32},
		{kernel.Q8_0, kernel.Q8_0, kernel.Q8_0, kernel.Q8_0, kernel.F32},
		{kernel.Q4_0, kernel.Q4_0, kernel.Q4_0, kernel.Q6_K, kernel.F32},
		{kernel.Q4_K, kernel.Q4_K, kernel.Q4_K, kernel.Q6_K, kernel.F32},
	} {
		var total, done int64
		path := save(t, dir, checkpoint.GGUFOptions{Type: c.asked, Begin: func(n int64) { total = n }, Progress: func(n int64) { done += n }})
		if total == 0 || done != total {
			t.Errorf("%v: %d of %d bytes reported", c.asked, done, total)
		}
		got, err := checkpoint.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		for name, want := range map[string]kernel.Type{
			"model.layers.2.self_attn.q_proj.weight": c.matrix, "model.embed_tokens.weight": c.embed,
			"lm_head.weight": c.output, "model.norm.weight": c.norm,
		} {
			if typ, _, ok := got.Describe(name); !ok || typ != want {
				t.Errorf("%v: %s is %v, want %v", c.asked, name, typ, want)
			}
		}
		if template, err := got.ChatTemplate(); err != nil || template != "{{ messages[0].content }}" {
			t.Errorf("chat template %q, %v", template, err)
		}
	}
}

// TestRopeFactors: LongRoPE's factors have to be as many as there are pairs.
func TestRopeFactors(t *testing.T) {
	dir := tiny{name: "m", kind: "phi3", vocab: "llama2", config: map[string]any{
		"rope_scaling": map[string]any{"type": "longrope", "short_factor": ramp(16, 1), "long_factor": ramp(15, 1)}}}.folder(t, 1)
	c, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.SaveGGUF(t.Context(), filepath.Join(t.TempDir(), "m.gguf"), checkpoint.GGUFOptions{Type: kernel.F16})
	if !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), "16 and 15 rope factors, want 16") {
		t.Error(err)
	}
}

// TestNarrowMatrix: rows that K blocks do not divide become Q8_0, and those of
// no block F16.
func TestNarrowMatrix(t *testing.T) {
	var w gguf.Writer
	w.Set("general.architecture", "llama")
	wide, narrow := make([]float32, 2*96), make([]float32, 2*20)
	for i := range wide {
		wide[i] = float32(i)
	}
	for name, x := range map[string][]float32{"blk.0.attn_q.weight": wide, "blk.0.attn_k.weight": narrow} {
		data := make([]byte, 4*len(x))
		kernel.Quantize(kernel.F32, data, x)
		w.Add(name, gguf.F32, []int64{int64(len(x) / 2), 2}, func(out io.Writer) error {
			_, err := out.Write(data)
			return err
		})
	}
	var file bytes.Buffer
	if _, err := w.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, "in.gguf", file.Bytes())
	got, err := checkpoint.Open(save(t, filepath.Join(dir, "in.gguf"), checkpoint.GGUFOptions{Type: kernel.Q4_K}))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	for name, want := range map[string]kernel.Type{"model.layers.0.self_attn.q_proj.weight": kernel.Q8_0, "model.layers.0.self_attn.k_proj.weight": kernel.F16} {
		if typ, _, _ := got.Describe(name); typ != want {
			t.Errorf("%s is %v, want %v", name, typ, want)
		}
	}
}

// TestStoppedQuantize: what is stopped leaves nothing behind, and what was
// there stays.
func TestStoppedQuantize(t *testing.T) {
	c, err := checkpoint.Open(tiny{name: "llama", kind: "llama", vocab: "llama3"}.folder(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	dir := t.TempDir()
	write(t, dir, "model.gguf", []byte("old"))
	ctx, stop := context.WithCancel(t.Context())
	err = c.SaveGGUF(ctx, filepath.Join(dir, "model.gguf"), checkpoint.GGUFOptions{Type: kernel.Q8_0, Progress: func(int64) { stop() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("left %v, %v", files, err)
	}
	if old, _ := os.ReadFile(filepath.Join(dir, "model.gguf")); string(old) != "old" {
		t.Errorf("the old file is %q", old)
	}
}

// TestCannotConvert: what a GGUF file cannot say is refused, not left out.
func TestCannotConvert(t *testing.T) {
	for _, c := range []struct {
		kind, vocab, want string
		config            map[string]any
	}{
		{"t5", "gpt2", `a model of type "t5"; gemma2, gemma3_text, gpt2, llama, mistral, phi3, qwen2, qwen3 can`, nil},
		{"llama", "bert", "BPE", nil},
		{"llama", "deepseek", "pre-tokenizer", nil},
		{"llama", "llama3", "activation", map[string]any{"hidden_act": "gelu"}},
		{"llama", "llama3", "attention_bias", map[string]any{"attention_bias": true}},
		{"mistral", "llama2", "sliding window", map[string]any{"sliding_window": 128}},
		{"qwen2", "qwen2", "sliding window", map[string]any{"use_sliding_window": true}},
		{"gemma2", "gemma", "without caps", gemmaConfig(map[string]any{"attn_logit_softcapping": nil})},
		{"gemma2", "gemma", "query_pre_attn_scalar 256", gemmaConfig(map[string]any{"query_pre_attn_scalar": 256})},
		{"gemma2", "gemma", "an output layer of its own", gemmaConfig(map[string]any{"tie_word_embeddings": false})},
		{"gemma2", "gemma", "layer 0 of 4 is full_attention", gemmaConfig(map[string]any{"layer_types": []string{"full_attention", "sliding_attention", "full_attention", "sliding_attention"}})},
		{"gemma3_text", "gemma", "sliding_window_pattern 2", gemmaConfig(map[string]any{"sliding_window_pattern": 2})},
		{"gemma3_text", "gemma", "attn_logit_softcapping 50", gemmaConfig(map[string]any{"attn_logit_softcapping": 50})},
		{"gemma3_text", "gemma", "use_bidirectional_attention", gemmaConfig(map[string]any{"use_bidirectional_attention": true})},
		{"gemma3_text", "gemma", "activation", gemmaConfig(map[string]any{"hidden_activation": "silu"})},
		{"gpt2", "gpt2", "activation", map[string]any{"activation_function": "relu"}},
		{"gpt2", "gpt2", "scaled in another way", map[string]any{"scale_attn_by_inverse_layer_idx": true}},
		{"llama", "llama3", `scaled by "dynamic"`, map[string]any{"rope_scaling": map[string]any{"type": "dynamic", "factor": 2}}},
	} {
		from, err := checkpoint.Open(tiny{name: "m", kind: c.kind, vocab: c.vocab, config: c.config}.folder(t, 1))
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		err = from.SaveGGUF(t.Context(), filepath.Join(t.TempDir(), "m.gguf"), checkpoint.GGUFOptions{Type: kernel.F16})
		if !errors.Is(err, checkpoint.ErrConvert) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %s, %v: %v", c.kind, c.vocab, c.config, err)
		}
	}
}

// TestConvertedEqualsFolder: the GGUF file with the folder's own numbers is the
// same network, whatever the architecture.
func TestConvertedEqualsFolder(t *testing.T) {
	for _, m := range tinies {
		if m.typ != kernel.F16 && m.config == nil {
			continue // tested in F16
		}
		t.Run(m.name, func(t *testing.T) {
			dir := m.folder(t, 1)
			c, err := checkpoint.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			want, wantLogProbs, _ := continued(t, c)
			ids, logProbs, _ := greedy(t, save(t, dir, checkpoint.GGUFOptions{Type: kernel.BF16}))
			worst, _ := distance(logProbs, wantLogProbs)
			if !slices.Equal(ids, want) || !(worst < 2e-3) {
				t.Errorf("tokens %d, the folder's %d; log probabilities differ by up to %g", ids, want, worst)
			}
		})
	}
}

// TestConvertedEnds: every token that ends an answer has its key.
func TestConvertedEnds(t *testing.T) {
	for _, c := range []struct {
		eos, generation, config string // of the tokenizer, of either file
		want                    map[string]uint64
	}{
		{"<|endoftext|>", `[1, 3, 5]`, `1`, map[string]uint64{"eos": 1, "eot": 3, "eom": 5}},
		{"<|endoftext|>", ``, `[3, 1]`, map[string]uint64{"eos": 1, "eot": 3}},
		{"<|endoftext|>", ``, ``, map[string]uint64{"eos": 1}},
		{"", `3`, `1`, map[string]uint64{"eos": 3}},
		{"", ``, `null`, nil},
		{"<|endoftext|>", `[1, 3, 5, 6]`, ``, map[string]uint64{"fail": 0}},
	} {
		config := map[string]any{}
		if c.config != "" {
			config["eos_token_id"] = json.RawMessage(c.config)
		}
		dir := tiny{name: "m", kind: "llama", vocab: "llama3", config: config}.folder(t, 1)
		if c.generation != "" {
			write(t, dir, "generation_config.json", []byte(`{"eos_token_id": `+c.generation+`}`))
		}
		if c.eos != "" {
			write(t, dir, "tokenizer_config.json", []byte(`{"eos_token": "`+c.eos+`"}`))
		}
		from, err := checkpoint.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		path := filepath.Join(t.TempDir(), "m.gguf")
		err = from.SaveGGUF(t.Context(), path, checkpoint.GGUFOptions{Type: kernel.Q8_0})
		if _, fail := c.want["fail"]; fail {
			if !errors.Is(err, checkpoint.ErrConvert) {
				t.Errorf("%+v: %v", c, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := checkpoint.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		for _, key := range []string{"eos", "eot", "eom"} {
			id, have := got.GGUF.Uint("tokenizer.ggml." + key + "_token_id")
			if want, wanted := c.want[key]; have != wanted || id != want {
				t.Errorf("%+v: %s is %d, %v", c, key, id, have)
			}
		}
	}
}

// TestConvertedName: a snapshot in Hugging Face's cache is called after its
// repository, not after its commit.
func TestConvertedName(t *testing.T) {
	model := tiny{name: "m", kind: "llama", vocab: "llama3"}.folder(t, 1)
	for folder, want := range map[string]string{
		"models--ada--chat/snapshots/0123abc": "chat",
		"models--chat/snapshots/0123abc":      "chat",
		"chat/snapshots/7b":                   "7b",
		"chat":                                "chat",
	} {
		dir := filepath.Join(t.TempDir(), folder)
		if err := os.CopyFS(dir, os.DirFS(model)); err != nil {
			t.Fatal(err)
		}
		c, err := checkpoint.Open(save(t, dir, checkpoint.GGUFOptions{Type: kernel.Q8_0}))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got, _ := c.GGUF.Text("general.name"); got != want {
			t.Errorf("%s is called %q, want %q", folder, got, want)
		}
	}
}
