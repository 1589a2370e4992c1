package transformers_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/client"
	"github.com/pantryhub/pantry/hub/hubtest"
	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/internal/wiretest"
	"github.com/pantryhub/pantry/transformers"
	"github.com/pantryhub/pantry/transformers/checkpoint"
)

// ggufForms writes the chat model into dir in several formats.
func ggufForms(t *testing.T, dir string) {
	t.Helper()
	c, err := checkpoint.Open("testdata/chat")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for name, format := range map[string]kernel.Type{"m-F16.gguf": kernel.F16, "m-Q8_0.gguf": kernel.Q8_0, "sub/m-Q4_0.gguf": kernel.Q4_0} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := c.SaveGGUF(t.Context(), path, checkpoint.GGUFOptions{Type: format}); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"mmproj-F16.gguf": "no model", "README.md": "# m", "config.json": `{"model_type": "llama"}`,
		"big-Q6_K-00001-of-00002.gguf": "a part", "big-Q6_K-00002-of-00002.gguf": "a part"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// ggufChoices are ways to name a model of ggufForms behind its folder, and the
// file that they mean.
var ggufChoices = []struct {
	variant, file string
	options       transformers.Options
	err           error
	says          string
}{
	{"", "m-Q8_0.gguf", transformers.Options{}, nil, ""},
	{":f16", "m-F16.gguf", transformers.Options{}, nil, ""},
	{"", "sub/m-Q4_0.gguf", transformers.Options{File: "Q4_0"}, nil, ""},
	{"", "m-F16.gguf", transformers.Options{File: "m-F16.gguf"}, nil, ""},
	{":Q2_K", "", transformers.Options{}, transformers.ErrInput, "none of 4 GGUF models is Q2_K; name one of them:\n  big-Q6_K-00001-of-00002.gguf\n  m-F16.gguf"},
	{":Q6_K", "", transformers.Options{}, transformers.ErrUnsupported, "split into 2 files"},
}

// TestOpenGGUFFolder opens GGUF models of a folder by their names.
func TestOpenGGUFFolder(t *testing.T) {
	dir := t.TempDir()
	ggufForms(t, dir)
	for _, c := range ggufChoices {
		m, err := transformers.Open(t.Context(), dir+c.variant, c.options)
		if !errors.Is(err, c.err) || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q, %q: %v; want %q", c.variant, c.options.File, err, c.says)
		}
		if err == nil {
			checkSameChat(t, m, filepath.Join(dir, c.file))
		}
	}
	if _, err := transformers.Open(t.Context(), filepath.Join(dir, "m-F16.gguf")+":Q8_0", transformers.Options{}); !errors.Is(err, transformers.ErrInput) {
		t.Errorf("a form of a file: %v", err)
	}
}

// checkSameChat closes m, which must answer as the file does.
func checkSameChat(t *testing.T, m *transformers.Model, file string) {
	t.Helper()
	defer m.Close()
	want := open(t, file)
	answers := make([]transformers.TextGenerationOutput, 2)
	for i, m := range []*transformers.Model{m, want} {
		p, err := m.TextGeneration()
		if err != nil {
			t.Fatal(err)
		}
		o := p.Defaults()
		o.MaxNewTokens, o.LogProbs = 12, true // another format has the text, maybe, but other probabilities
		if answers[i], err = p.Run(t.Context(), "What a day!", o); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(answers[1], answers[0]); diff != "" {
		t.Errorf("not the answer of %s: -want +got\n%s", file, diff)
	}
}

// TestOpenGGUFRepository opens GGUF models of a hub's repository: what is
// chosen is downloaded and nothing else, and opens without the hub.
func TestOpenGGUFRepository(t *testing.T) {
	dir := t.TempDir()
	ggufForms(t, dir)
	h := hubtest.Start(t, hubtest.Options{})
	token := h.User("ada", hub.TokenWrite)
	publish(t, wiretest.New(t, h.URL, token), dir)
	for _, c := range ggufChoices {
		cache := t.TempDir()
		var err error
		o := c.options
		if o.Client, err = client.New(client.Options{Endpoint: h.URL, Token: token, CacheDir: cache}); err != nil {
			t.Fatal(err)
		}
		m, err := transformers.Open(t.Context(), "ada/forms"+c.variant, o)
		if !errors.Is(err, c.err) || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q, %q: %v; want %q", c.variant, c.options.File, err, c.says)
		}
		if got := downloaded(t, cache); c.file != "" && !slices.Equal(got, []string{c.file}) || c.file == "" && len(got) > 0 {
			t.Errorf("%q, %q: downloads %q, want %q", c.variant, c.options.File, got, c.file)
		}
		if err != nil {
			continue
		}
		checkSameChat(t, m, filepath.Join(dir, c.file))
		if o.Client, err = client.New(client.Options{Endpoint: h.URL, CacheDir: cache, Offline: true}); err != nil {
			t.Fatal(err)
		}
		if m, err = transformers.Open(t.Context(), "ada/forms"+c.variant, o); err != nil {
			t.Errorf("%q, %q, offline: %v", c.variant, c.options.File, err)
			continue
		}
		checkSameChat(t, m, filepath.Join(dir, c.file))
	}
}

// publish puts the files of dir into ada/forms.
func publish(t *testing.T, wire *wiretest.Client, dir string) {
	t.Helper()
	commit := wiretest.Commit{Summary: "files", Files: map[string][]byte{}, Large: map[string][]byte{}}
	if err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if filepath.Ext(path) == ".gguf" {
			commit.Large[filepath.ToSlash(name)] = data
		} else {
			commit.Files[filepath.ToSlash(name)] = data
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if r, err := wire.Create(t.Context(), "forms"); err != nil || r.Err() != nil {
		t.Fatal(err, r.Err())
	}
	for data := range maps.Values(commit.Large) {
		if err := wire.UploadLFS(t.Context(), "ada/forms", data); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := wire.Commit(t.Context(), "ada/forms", commit); err != nil || r.Err() != nil {
		t.Fatal(err, r.Err())
	}
}

// downloaded lists the files of the snapshots in a cache.
func downloaded(t *testing.T, cache string) []string {
	t.Helper()
	var names []string
	for _, pattern := range []string{"*", "*/*"} {
		found, err := filepath.Glob(filepath.Join(cache, "models--ada--forms", "snapshots", "*", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				_, name, _ := strings.Cut(filepath.ToSlash(path), "/snapshots/")
				_, name, _ = strings.Cut(name, "/")
				names = append(names, name)
			}
		}
	}
	return names
}

// TestOpenPickleRepository: of a repository whose only weights are a pickle
// nothing is downloaded, and the error says the way out.
func TestOpenPickleRepository(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"config.json", "pytorch_model.bin"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h := hubtest.Start(t, hubtest.Options{})
	token := h.User("ada", hub.TokenWrite)
	publish(t, wiretest.New(t, h.URL, token), dir)
	cache := t.TempDir()
	c, err := client.New(client.Options{Endpoint: h.URL, Token: token, CacheDir: cache})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := transformers.Open(t.Context(), "ada/forms", transformers.Options{Client: c}); !errors.Is(err, checkpoint.ErrPickle) {
		t.Errorf("%v, want %v", err, checkpoint.ErrPickle)
	}
	if got := downloaded(t, cache); len(got) > 0 {
		t.Errorf("downloads %q", got)
	}
}
