package gguf_test

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/pantryhub/pantry/gguf"
)

func written(t *testing.T, w *gguf.Writer) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := w.WriteTo(&b)
	if err != nil {
		t.Fatal(err)
	}
	if n != int64(b.Len()) {
		t.Fatalf("WriteTo returned %d, wrote %d bytes", n, b.Len())
	}
	return b.Bytes()
}

func from(p []byte) func(io.Writer) error {
	return func(w io.Writer) error { _, err := w.Write(p); return err }
}

func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + n)
	}
	return p
}

func sample() *gguf.Writer {
	var w gguf.Writer
	w.Set("general.architecture", "llama")
	w.Set("a.uint32", uint32(7))
	w.Set("a.int8", int8(-7))
	w.Set("a.float32", float32(0.5))
	w.Set("a.float64", 1e300)
	w.Set("a.true", true)
	w.Set("a.words", []string{"", "é", "three"})
	w.Set("a.ids", []int32{-1, 0, 1 << 30})
	w.Set("a.scores", []float32{1, -2})
	w.Set("a.flags", []bool{true, false})
	w.Set("a.none", []uint32{})
	w.Add("q", gguf.Q4_K, []int64{256, 3}, from(pattern(432)))
	w.Add("norm", gguf.F32, []int64{5}, from(pattern(20)))
	w.Add("h", gguf.F16, []int64{3, 1}, from(pattern(6)))
	return &w
}

func TestWriterRoundTrip(t *testing.T) {
	file := written(t, sample())
	h, err := read(file)
	if err != nil {
		t.Fatal(err)
	}
	arch, _ := h.Text("general.architecture")
	u, _ := h.Uint("a.uint32")
	i, _ := h.Float("a.int8")
	f, _ := h.Float("a.float32")
	g, _ := h.Float("a.float64")
	yes, _ := h.Bool("a.true")
	words, _ := h.Strings("a.words")
	ids, _ := h.Numbers("a.ids")
	scores, _ := h.Numbers("a.scores")
	flags, _ := h.ArrayLen("a.flags")
	none, ok := h.ArrayLen("a.none")
	got := fmt.Sprintln(arch, u, i, f, g, yes, len(words), words, ids, scores, flags, none, ok)
	want := "llama 7 -7 0.5 1e+300 true 3 [ é three] [-1 0 1.073741824e+09] [1 -2] 2 0 true\n"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, want := range []struct {
		name  string
		shape []int64
		size  int
	}{{"q", []int64{256, 3}, 432}, {"norm", []int64{5}, 20}, {"h", []int64{3, 1}, 6}} {
		x, ok := h.Lookup(want.name)
		if !ok || !slices.Equal(x.Shape, want.shape) || !bytes.Equal(file[x.Offset:x.Offset+x.Size], pattern(want.size)) {
			t.Errorf("tensor %s came back as %+v", want.name, x)
		}
	}
}

func TestWriterCopiesKeys(t *testing.T) {
	first := written(t, sample())
	h, err := read(first)
	if err != nil {
		t.Fatal(err)
	}
	var w gguf.Writer
	w.Copy(h, func(key string) bool { return true })
	for _, x := range h.Tensors {
		w.Add(x.Name, x.Type, x.Shape, from(first[x.Offset:x.Offset+x.Size]))
	}
	if got := written(t, &w); !bytes.Equal(got, first) {
		t.Error("a copy of all keys and tensors is another file")
	}
	var few gguf.Writer
	few.Copy(h, func(key string) bool { return key == "a.words" })
	h, err = read(written(t, &few))
	if err != nil {
		t.Fatal(err)
	}
	if keys := slices.Collect(h.Keys()); !slices.Equal(keys, []string{"a.words"}) {
		t.Errorf("keys %q", keys)
	}
}

func TestWriterRefuses(t *testing.T) {
	for name, fill := range map[string]func(w *gguf.Writer){
		"two keys":     func(w *gguf.Writer) { w.Set("k", true); w.Set("k", false) },
		"int":          func(w *gguf.Writer) { w.Set("k", 1) },
		"alignment":    func(w *gguf.Writer) { w.Set("general.alignment", uint32(64)) },
		"two tensors":  func(w *gguf.Writer) { w.Add("x", gguf.I8, nil, from(pattern(1))); w.Add("x", gguf.I8, nil, nil) },
		"broken block": func(w *gguf.Writer) { w.Add("x", gguf.Q8_0, []int64{33}, from(pattern(34))) },
		"negative":     func(w *gguf.Writer) { w.Add("x", gguf.F32, []int64{-1}, from(nil)) },
		"unknown type": func(w *gguf.Writer) { w.Add("x", gguf.Type(999), []int64{1}, from(nil)) },
		"too short":    func(w *gguf.Writer) { w.Add("x", gguf.F32, []int64{2}, from(pattern(7))) },
		"too long":     func(w *gguf.Writer) { w.Add("x", gguf.F32, []int64{2}, from(pattern(9))) },
	} {
		var w gguf.Writer
		fill(&w)
		if _, err := w.WriteTo(io.Discard); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
