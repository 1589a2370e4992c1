package transformers_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pantryhub/pantry/transformers"
)

// TestCutShort: a model whose file another program cuts short is an error of each
// pipeline that is built of it, and does not end the program.
func TestCutShort(t *testing.T) {
	for _, tt := range []struct {
		model string
		build func(m *transformers.Model) error
	}{
		{"chat", func(m *transformers.Model) error { _, err := m.TextGeneration(); return err }},
		{"sentence-mpnet", func(m *transformers.Model) error { _, err := m.FeatureExtraction(); return err }},
		{"summary-mt5", func(m *transformers.Model) error { _, err := m.Summarization(); return err }},
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", tt.model))); err != nil {
			t.Fatal(err)
		}
		m := open(t, dir)
		if err := os.Truncate(filepath.Join(dir, "model.safetensors"), 100); err != nil {
			t.Fatal(err)
		}
		if err := tt.build(m); !errors.Is(err, transformers.ErrInternal) {
			t.Errorf("%s: %v, want %v", tt.model, err, transformers.ErrInternal)
		}
	}
}
