package checkpoint_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
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
		{"gpt2", "gpt2", `a model of type "gpt2"`, nil},
		{"llama", "bert", "BPE", nil},
		{"llama", "deepseek", "pre-tokenizer", nil},
		{"llama", "llama3", "activation", map[string]any{"hidden_act": "gelu"}},
		{"llama", "llama3", "attention_bias", map[string]any{"attention_bias": true}},
		{"mistral", "llama2", "sliding window", map[string]any{"sliding_window": 128}},
		{"qwen2", "qwen2", "sliding window", map[string]any{"use_sliding_window": true}},
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
