package checkpoint_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/transformers/checkpoint"
)

// quantised opens a model and quantises it; made reports whether that was work.
func quantised(t testing.TB, dir string, o checkpoint.LoadOptions) (c *checkpoint.Checkpoint, made bool) {
	t.Helper()
	c, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	o.Begin = func(int64) { made = true }
	unkept, err := c.Quantize(t.Context(), o)
	if err != nil || unkept != nil {
		t.Fatal(unkept, err)
	}
	return c, made
}

// onlyFile is the one file of the cache.
func onlyFile(t *testing.T, cache string) string {
	t.Helper()
	files, err := os.ReadDir(cache)
	if err != nil || len(files) != 1 {
		t.Fatalf("the cache holds %v, %v", files, err)
	}
	return filepath.Join(cache, files[0].Name())
}

// namedLlama are the model types whose GGUF architecture is llama.
var namedLlama = map[string]bool{"llama": true, "mistral": true}

// TestQuantizeOnLoad: a folder that is quantised when it is opened continues a
// prompt as the GGUF file does that is made of it, with the same probabilities.
func TestQuantizeOnLoad(t *testing.T) {
	for _, m := range tinies {
		if !m.typ.Quantised() {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			dir := m.folder(t, readLlamaCpp(t).Seeds[m.name])
			want, wantLogProbs, _ := greedy(t, save(t, dir, checkpoint.GGUFOptions{Type: m.typ}))
			c, _ := quantised(t, dir, checkpoint.LoadOptions{Type: m.typ, Dir: t.TempDir()})
			ids, logProbs, _ := continued(t, c)
			worst, _ := distance(logProbs, wantLogProbs)
			// Llama's queries and keys are in another order in GGUF, so that
			// sums of the same products round differently, and sometimes the
			// bytes of the next layer's input.
			tolerance := 0.0
			if namedLlama[m.kind] {
				tolerance = 0.1
			}
			if !slices.Equal(ids, want) || worst > tolerance {
				t.Errorf("tokens %d, want %d; log probabilities differ by up to %g", ids, want, worst)
			}
		})
	}
}

// TestOnLoadTypes checks which formats matrices get, also of rows that no
// block divides, and that the checkpoint is as large as what is read of it.
func TestOnLoadTypes(t *testing.T) {
	for _, c := range []struct {
		m                      tiny
		asked                  kernel.Type
		matrix, embed, lm_head kernel.Type
	}{
		{tiny{kind: "llama", vocab: "llama2"}, kernel.Q8_0, kernel.Q8_0, kernel.Q8_0, kernel.Q8_0},
		{tiny{kind: "llama", vocab: "llama2"}, kernel.Q4_K, kernel.Q4_K, kernel.Q4_K, kernel.Q6_K},
		{tiny{kind: "llama", vocab: "llama2", config: map[string]any{"tie_word_embeddings": true}}, kernel.Q4_0, kernel.Q4_0, kernel.Q6_K, 0},
	} {
		c.m.name = "m"
		dir := c.m.folder(t, 1)
		got, _ := quantised(t, dir, checkpoint.LoadOptions{Type: c.asked})
		w := got.Weights()
		_, shape, _ := got.Describe("model.embed_tokens.weight")
		vocab := shape[0]
		if m := w.Sub("model.embed_tokens").Linear(vocab, tinyHidden); m.Type != c.embed {
			t.Errorf("%v: the embeddings are %v, want %v", c.asked, m.Type, c.embed)
		}
		if m := w.Sub("model.layers.1.mlp.down_proj").Linear(tinyHidden, tinyFFN); m.Type != c.matrix {
			t.Errorf("%v: a matrix is %v, want %v", c.asked, m.Type, c.matrix)
		}
		if w.Has("lm_head.weight") {
			if m := w.Sub("lm_head").Linear(vocab, tinyHidden); m.Type != c.lm_head {
				t.Errorf("%v: the output layer is %v, want %v", c.asked, m.Type, c.lm_head)
			}
		}
		original, err := checkpoint.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer original.Close()
		if share := float64(got.Bytes) / float64(original.Bytes); share < 0.2 || share > 0.6 {
			t.Errorf("%v: %d of %d bytes are left", c.asked, got.Bytes, original.Bytes)
		}
		if err := w.Err(); err != nil {
			t.Error(err)
		}
	}
}

// TestOnLoadCache: what was quantised once is mapped afterwards, for as long
// as nothing about it changes.
func TestOnLoadCache(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "a", "cache")
	dir := tiny{name: "m", kind: "qwen2", vocab: "qwen2"}.folder(t, 1)
	o := checkpoint.LoadOptions{Type: kernel.Q8_0, Dir: cache}
	c, made := quantised(t, dir, o)
	if !made {
		t.Fatal("the first time is no work")
	}
	want, _, _ := continued(t, c)
	before, err := os.Stat(onlyFile(t, cache))
	if err != nil {
		t.Fatal(err)
	}
	if before.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v", before.Mode())
	}
	c, made = quantised(t, dir, o)
	after, err := os.Stat(onlyFile(t, cache))
	if err != nil {
		t.Fatal(err)
	}
	if made || !os.SameFile(before, after) {
		t.Error("the second time is work")
	}
	if ids, _, _ := continued(t, c); !slices.Equal(ids, want) {
		t.Errorf("mapped, the model says %d, not %d", ids, want)
	}

	weights := filepath.Join(dir, "model.safetensors")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if _, made := quantised(t, link, o); made {
		t.Error("another name of the folder is another model")
	}
	data, err := os.ReadFile(weights)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(weights)
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func() error{
		"its time": func() error { return os.Chtimes(weights, time.Now(), info.ModTime().Add(-time.Second)) },
		"its numbers": func() error {
			if err := os.WriteFile(weights, append(bytes.Clone(data[:len(data)/2]), make([]byte, len(data)-len(data)/2)...), 0o644); err != nil {
				return err
			}
			return os.Chtimes(weights, time.Now(), info.ModTime())
		},
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if _, made := quantised(t, dir, o); !made {
			t.Errorf("a file with %s changed is taken for the same", what)
		}
	}
	o.Type = kernel.Q4_K
	if _, made := quantised(t, dir, o); !made {
		t.Error("another type is taken for the same")
	}
}

// TestDamagedOnLoadCache: a file that is not what was written is made again.
func TestDamagedOnLoadCache(t *testing.T) {
	dir := tiny{name: "m", kind: "llama", vocab: "llama2"}.folder(t, 1)
	o := checkpoint.LoadOptions{Type: kernel.Q8_0, Dir: t.TempDir()}
	c, _ := quantised(t, dir, o)
	want, _, _ := continued(t, c)
	path := onlyFile(t, o.Dir)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := save(t, dir, checkpoint.GGUFOptions{Type: kernel.Q8_0})
	foreign, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	narrow := checkpoint.LoadOptions{Type: kernel.Q4_0, Dir: t.TempDir()}
	quantised(t, dir, narrow)
	another, err := os.ReadFile(onlyFile(t, narrow.Dir))
	if err != nil {
		t.Fatal(err)
	}
	key := strings.TrimSuffix(filepath.Base(path), ".gguf")
	otherKey := strings.TrimSuffix(filepath.Base(onlyFile(t, narrow.Dir)), ".gguf")
	for name, data := range map[string][]byte{
		"empty": nil, "cut in the header": whole[:100], "cut by a byte": whole[:len(whole)-64], "cut in half": whole[:len(whole)/2],
		"zeros": make([]byte, len(whole)), "a model": foreign, "of another type": another,
		"of another type with the key": bytes.Replace(another, []byte(otherKey), []byte(key), 1),
	} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		c, made := quantised(t, dir, o)
		if !made {
			t.Errorf("%s: it is used", name)
		}
		if ids, _, _ := continued(t, c); !slices.Equal(ids, want) {
			t.Errorf("%s: the model says %d, not %d", name, ids, want)
		}
		if again, err := os.ReadFile(onlyFile(t, o.Dir)); err != nil || !bytes.Equal(again, whole) {
			t.Errorf("%s: the file is not made again, %v", name, err)
		}
	}
}

// TestUnkeptOnLoad: without a folder to write to, everything works and the
// reason is told.
func TestUnkeptOnLoad(t *testing.T) {
	dir := tiny{name: "m", kind: "llama", vocab: "llama2"}.folder(t, 1)
	kept, _ := quantised(t, dir, checkpoint.LoadOptions{Type: kernel.Q4_K, Dir: t.TempDir()})
	want, _, _ := continued(t, kept)
	for _, cache := range []string{filepath.Join(dir, "config.json", "cache"), filepath.Join(dir, "config.json"), ""} {
		c, err := checkpoint.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		unkept, err := c.Quantize(t.Context(), checkpoint.LoadOptions{Type: kernel.Q4_K, Dir: cache})
		if err != nil || (unkept == nil) != (cache == "") {
			t.Errorf("%q: %v, %v", cache, unkept, err)
		}
		if ids, _, _ := continued(t, c); !slices.Equal(ids, want) {
			t.Errorf("%q: the model says %d, not %d", cache, ids, want)
		}
	}
}

// TestManyOnLoad: several that quantise the same model at once do not disturb
// each other.
func TestManyOnLoad(t *testing.T) {
	dir := tiny{name: "m", kind: "llama", vocab: "llama2"}.folder(t, 1)
	cache := t.TempDir()
	var all sync.WaitGroup
	answers := make([][]uint32, 6)
	for i := range answers {
		all.Go(func() {
			c, err := checkpoint.Open(dir)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if unkept, err := c.Quantize(t.Context(), checkpoint.LoadOptions{Type: kernel.Q8_0, Dir: cache}); err != nil || unkept != nil {
				t.Error(unkept, err)
				return
			}
			answers[i], _, _ = continued(t, c)
		})
	}
	all.Wait()
	for i, ids := range answers {
		if len(ids) != 64 || !slices.Equal(ids, answers[0]) {
			t.Errorf("%d says %d, the first %d", i, ids, answers[0])
		}
	}
	onlyFile(t, cache)
}

// TestStoppedOnLoad: what is stopped leaves nothing behind.
func TestStoppedOnLoad(t *testing.T) {
	c, err := checkpoint.Open(tiny{name: "m", kind: "llama", vocab: "llama2"}.folder(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, cache := range []string{t.TempDir(), ""} {
		ctx, stop := context.WithCancel(t.Context())
		unkept, err := c.Quantize(ctx, checkpoint.LoadOptions{Type: kernel.Q8_0, Dir: cache, Progress: func(int64) { stop() }})
		if unkept != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("%v, %v", unkept, err)
		}
		if cache == "" {
			continue
		}
		if files, err := os.ReadDir(cache); err != nil || len(files) != 0 {
			t.Errorf("left %v, %v", files, err)
		}
	}
}

// TestShorterOnLoad: a model that another program cuts short while it is read is
// an error, and leaves nothing behind.
func TestShorterOnLoad(t *testing.T) {
	for _, cache := range []string{t.TempDir(), ""} {
		dir := tiny{name: "m", kind: "llama", vocab: "llama2"}.folder(t, 1)
		c, err := checkpoint.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		o := checkpoint.LoadOptions{Type: kernel.Q8_0, Dir: cache}
		o.Begin = func(int64) {
			if err := os.Truncate(filepath.Join(dir, "model.safetensors"), 4096); err != nil {
				t.Error(err)
			}
		}
		if _, err := c.Quantize(t.Context(), o); !errors.Is(err, checkpoint.ErrFormat) {
			t.Errorf("%q: %v", cache, err)
		}
		if cache == "" {
			continue
		}
		if files, err := os.ReadDir(cache); err != nil || len(files) != 0 {
			t.Errorf("left %v, %v", files, err)
		}
	}
}

// TestNotNumbersOnLoad: weights that are NaN or infinite stay so, or become some
// number; nothing fails.
func TestNotNumbersOnLoad(t *testing.T) {
	dir := tiny{name: "m", kind: "llama", vocab: "llama2"}.folder(t, 1)
	path := filepath.Join(dir, "model.safetensors")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, bits := range []uint16{0x7fc0, 0x7f80, 0xff80} { // NaN, ∞, -∞ among the table's numbers
		binary.LittleEndian.PutUint16(data[len(data)/2&^1+1000*i:], bits)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, typ := range []kernel.Type{kernel.Q8_0, kernel.Q4_0, kernel.Q4_K, kernel.Q5_K, kernel.Q6_K} {
		quantised(t, dir, checkpoint.LoadOptions{Type: typ})
	}
}

// TestCleanOnLoad: what nobody used for long goes when something new comes, but
// no file that was not made here: the folder may be one of models.
func TestCleanOnLoad(t *testing.T) {
	cache := t.TempDir()
	dir := tiny{name: "m", kind: "llama", vocab: "llama2"}.folder(t, 1)
	quantised(t, dir, checkpoint.LoadOptions{Type: kernel.Q4_0, Dir: cache})
	used := onlyFile(t, cache)
	day := 24 * time.Hour
	age := func(path string, by time.Duration) {
		t.Helper()
		if err := os.Chtimes(path, time.Now().Add(-by), time.Now().Add(-by)); err != nil {
			t.Fatal(err)
		}
	}
	old, young := strings.Repeat("0a", 16)+".gguf", strings.Repeat("1b", 16)+".gguf"
	for name, by := range map[string]time.Duration{
		old: 31 * day, young: 29 * day, "." + old + ".1.tmp": 2 * day, "." + young + ".1.tmp": time.Hour,
		"notes.txt": 400 * day, "llama-Q8_0.gguf": 400 * day, "download.tmp": 400 * day,
	} {
		write(t, cache, name, []byte("x"))
		age(filepath.Join(cache, name), by)
	}
	age(used, 40*day)
	quantised(t, dir, checkpoint.LoadOptions{Type: kernel.Q4_0, Dir: cache}) // which makes it young
	quantised(t, dir, checkpoint.LoadOptions{Type: kernel.Q8_0, Dir: cache})
	files, err := os.ReadDir(cache)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	for _, name := range []string{young, "." + young + ".1.tmp", "notes.txt", "llama-Q8_0.gguf", "download.tmp", filepath.Base(used)} {
		if !slices.Contains(names, name) {
			t.Errorf("%s is gone", name)
		}
	}
	if len(names) != 7 {
		t.Errorf("left %v", names)
	}
}

// TestNotOnLoad: a plain format and a model that is quantised already.
func TestNotOnLoad(t *testing.T) {
	dir := tiny{name: "m", kind: "llama", vocab: "llama2"}.folder(t, 1)
	c, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Quantize(t.Context(), checkpoint.LoadOptions{Type: kernel.F16}); !errors.Is(err, checkpoint.ErrConvert) {
		t.Errorf("F16: %v", err)
	}
	cache := t.TempDir()
	if _, made := quantised(t, save(t, dir, checkpoint.GGUFOptions{Type: kernel.Q4_0}), checkpoint.LoadOptions{Type: kernel.Q8_0, Dir: cache}); made {
		t.Error("a Q4_0 file became Q8_0")
	}
	if _, made := quantised(t, save(t, dir, checkpoint.GGUFOptions{Type: kernel.BF16}), checkpoint.LoadOptions{Type: kernel.Q8_0, Dir: cache}); !made {
		t.Error("a BF16 file did not become Q8_0")
	}
}
