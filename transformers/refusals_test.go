package transformers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/transformers"
	"github.com/pantryhub/pantry/transformers/checkpoint"
)

// write1 continues a prompt by a few tokens, with the model in a folder or
// file, opened for it.
func write1(ctx context.Context, model, prompt string) (string, error) {
	m, err := transformers.Open(ctx, model, transformers.Options{Threads: 1})
	if err != nil {
		return "", err
	}
	defer m.Close()
	p, err := m.TextGeneration()
	if err != nil {
		return "", err
	}
	o := p.Defaults()
	o.MaxNewTokens = 3
	out, err := p.Run(ctx, prompt, o)
	return out.GeneratedText, err
}

// look classifies a picture.
func look(ctx context.Context, model string, picture []byte) error {
	m, err := transformers.Open(ctx, model, transformers.Options{Threads: 1})
	if err != nil {
		return err
	}
	defer m.Close()
	p, err := m.ImageClassification()
	if err != nil {
		return err
	}
	_, err = p.Run(ctx, bytes.NewReader(picture), transformers.ImageClassificationParameters{})
	return err
}

// TestRefusals is what a program must survive, through the public interface:
// each is an error that says what is wrong, and none a panic.
func TestRefusals(t *testing.T) {
	damaged := func(damage func(t *testing.T, dir string)) func(*testing.T) error {
		return func(t *testing.T) error {
			dir := copyModel(t, "testdata/chat")
			damage(t, dir)
			_, err := write1(t.Context(), dir, "The river")
			return err
		}
	}
	cut := func(t *testing.T, file string, keep func(size int) int) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		write(t, file, data[:keep(len(data))])
	}
	tests := []struct {
		name string
		run  func(t *testing.T) error
		is   error // nil: any
		says string
	}{
		{"a million tokens", func(t *testing.T) error {
			_, err := write1(t.Context(), "testdata/chat", strings.Repeat(" a b", 1<<19))
			return err
		}, transformers.ErrInput, "the prompt is too long: "},
		{"an empty prompt, and no token to begin from", func(t *testing.T) error {
			_, err := write1(t.Context(), "testdata/chat", "")
			return err
		}, transformers.ErrInput, "the prompt has no tokens"},
		{"weights that are NaN", damaged(fillNaN), transformers.ErrNotANumber, "NaN"},
		{"a layer that is missing", damaged(func(t *testing.T, dir string) {
			edit(t, dir+"/config.json", map[string]any{"num_hidden_layers": 3})
		}), checkpoint.ErrFormat, "model.layers.2.input_layernorm.weight is missing"},
		{"a tensor of another shape", damaged(func(t *testing.T, dir string) {
			edit(t, dir+"/config.json", map[string]any{"intermediate_size": 49})
		}), checkpoint.ErrFormat, "mlp.gate_proj.weight has shape [48 32], want (49, 32)"},
		{"weights without their end", damaged(func(t *testing.T, dir string) {
			cut(t, dir+"/model.safetensors", func(n int) int { return n - 1 })
		}), nil, "model.safetensors: "},
		{"weights without most of their header", damaged(func(t *testing.T, dir string) {
			cut(t, dir+"/model.safetensors", func(int) int { return 20 })
		}), nil, "model.safetensors: "},
		{"weights of no bytes", damaged(func(t *testing.T, dir string) {
			cut(t, dir+"/model.safetensors", func(int) int { return 0 })
		}), nil, "model.safetensors: "},
		{"a picture of 10 gigapixels in a kilobyte", func(t *testing.T) error { return look(t.Context(), "testdata/pictures", bomb()) },
			transformers.ErrInput, "100000"},
		{"half a picture", func(t *testing.T) error {
			return look(t.Context(), "testdata/pictures", half(t, "testdata/picture.jpg"))
		},
			transformers.ErrInput, "invalid input: "},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			err := c.run(t)
			if err == nil || c.is != nil && !errors.Is(err, c.is) || errors.Is(err, transformers.ErrInternal) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %.600v, want one that is %v and says %q", err, c.is, c.says)
			}
		})
	}
}

// TestTruncatedGGUF opens a GGUF file that ends at various places.
func TestTruncatedGGUF(t *testing.T) {
	c, err := checkpoint.Open("testdata/chat")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole.gguf")
	if err := c.SaveGGUF(t.Context(), whole, checkpoint.GGUFOptions{Type: kernel.Q8_0}); err != nil {
		t.Fatal(err)
	}
	if _, err := write1(t.Context(), whole, "The river"); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for part := range 16 {
		n := len(data) * part / 16
		file := filepath.Join(dir, fmt.Sprintf("%d.gguf", part))
		write(t, file, data[:n])
		if _, err := write1(t.Context(), file, "The river"); err == nil || errors.Is(err, transformers.ErrInternal) {
			t.Errorf("the first %d bytes of %d: %v", n, len(data), err)
		}
	}
}

// TestInvalidUTF8: bytes that are no text are read as U+FFFD, as Go does when
// it ranges over a string.
func TestInvalidUTF8(t *testing.T) {
	const text = "caf\xe9 \xff\xfe \xf0\x9f river"
	for _, model := range []string{"testdata/chat", "testdata/chat-gemma2"} {
		got, err := write1(t.Context(), model, text)
		if err != nil {
			t.Fatal(err)
		}
		want, err := write1(t.Context(), model, string([]rune(text)))
		if err != nil || got != want {
			t.Errorf("%s: %q is continued as %q; with U+FFFD as %q, %v", model, text, got, want, err)
		}
	}
}
