package gguf_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pantryhub/pantry/gguf"
)

func load(t testing.TB, name string, v any) []byte {
	t.Helper()
	src, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if v != nil {
		if err := json.Unmarshal(src, v); err != nil {
			t.Fatal(err)
		}
	}
	return src
}

func read(src []byte) (*gguf.Header, error) {
	return gguf.ReadHeader(bytes.NewReader(src), int64(len(src)))
}

func TestGoldenFiles(t *testing.T) {
	for _, name := range []string{"little.gguf", "big.gguf"} {
		src := load(t, name, nil)
		h, err := read(src)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		checkTensors(t, name, h)
		for key, want := range map[string]float64{"t.u8": 200, "t.i8": -3, "t.u16": 60000, "t.i16": -300, "t.i32": -70000, "t.u64": 1 << 40, "t.i64": -(1 << 40), "t.f32": 0.5, "t.f64": 0.25} {
			if got, ok := h.Float(key); !ok || got != want {
				t.Errorf("%s: %s = %v, %v; want %v", name, key, got, ok, want)
			}
		}
		if v, ok := h.Bool("t.bool"); !v || !ok {
			t.Errorf("%s: t.bool = %v, %v", name, v, ok)
		}
		tokens, err := h.Strings("tokenizer.ggml.tokens")
		if diff := cmp.Diff([]string{"<unk>", "<s>", "</s>", "é"}, tokens); diff != "" || err != nil {
			t.Errorf("%s: tokens %v -want +got\n%s", name, err, diff)
		}
		scores, err := h.Numbers("tokenizer.ggml.scores")
		if diff := cmp.Diff([]float64{0, -1, -2, -3.5}, scores); diff != "" || err != nil {
			t.Errorf("%s: scores %v -want +got\n%s", name, err, diff)
		}
		if n, ok := h.ArrayLen("t.ints"); n != 3 || !ok {
			t.Errorf("%s: t.ints has %d elements, %v", name, n, ok)
		}
	}
}

func checkTensors(t *testing.T, name string, h *gguf.Header) {
	t.Helper()
	type entry struct {
		Type   string  `json:"type"`
		Shape  []int64 `json:"shape"`
		Offset int64   `json:"offset"`
		Size   int64   `json:"size"`
	}
	want, got := map[string]entry{}, map[string]entry{}
	load(t, name+".json", &want)
	for _, x := range h.Tensors {
		got[x.Name] = entry{x.Type.String(), x.Shape, x.Offset, x.Size}
		if y, ok := h.Lookup(x.Name); !ok || y.Offset != x.Offset {
			t.Errorf("%s: Lookup(%q) = %v, %v", name, x.Name, y, ok)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: -want +got\n%s", name, diff)
	}
}

func TestTypesAgreeWithReference(t *testing.T) {
	var want map[string][3]int64
	load(t, "types.json", &want)
	if len(want) < 30 {
		t.Fatalf("only %d types", len(want))
	}
	for name, w := range want {
		typ := gguf.Type(w[0])
		if elements, size := typ.Block(); elements != w[1] || size != w[2] || typ.String() != name {
			t.Errorf("type %d: %s, blocks of %d in %d bytes; want %s, %d, %d", w[0], typ, elements, size, name, w[1], w[2])
		}
	}
}

func TestSummarize(t *testing.T) {
	src := load(t, "little.gguf", nil)
	h, err := read(src)
	if err != nil {
		t.Fatal(err)
	}
	got, err := gguf.Summarize([]*gguf.Header{h})
	if err != nil {
		t.Fatal(err)
	}
	want := gguf.Summary{Total: 6 + 4 + 128 + 32, Architecture: "llama", ContextLength: 2048, ChatTemplate: "{{ bos_token }}{{ messages }}", BOSToken: "<s>", EOSToken: "</s>", TotalFileSize: int64(len(src))}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// builder writes little-endian files, well-formed or not.
type builder struct{ bytes.Buffer }

func header(version uint32, tensors, keys uint64) *builder {
	b := new(builder)
	b.WriteString("GGUF")
	return b.u32(version).u64(tensors).u64(keys)
}

func (b *builder) u32(v uint32) *builder { b.Write(binary.LittleEndian.AppendUint32(nil, v)); return b }
func (b *builder) u64(v uint64) *builder { b.Write(binary.LittleEndian.AppendUint64(nil, v)); return b }
func (b *builder) str(s string) *builder { b.u64(uint64(len(s))).WriteString(s); return b }

func (b *builder) tensor(name string, typ gguf.Type, offset uint64, shape ...uint64) *builder {
	b.str(name).u32(uint32(len(shape)))
	for _, d := range shape {
		b.u64(d)
	}
	return b.u32(uint32(typ)).u64(offset)
}

// data pads to the alignment and appends n bytes.
func (b *builder) data(n int) []byte {
	for b.Len()%32 != 0 {
		b.WriteByte(0)
	}
	b.Write(make([]byte, n))
	return b.Bytes()
}

func nested(depth int) []byte {
	b := header(3, 0, 1).str("a").u32(9)
	for range depth {
		b.u32(9).u64(1)
	}
	return b.u32(4).u64(0).Bytes()
}

func TestHostileFiles(t *testing.T) {
	tests := []struct {
		name string
		src  []byte
		want string
	}{
		{"empty", nil, "ends early"},
		{"magic", []byte("GGML\x03\x00\x00\x00"), "begins with"},
		{"version 1", header(1, 0, 0).Bytes(), "version 1"},
		{"version 4", header(4, 0, 0).Bytes(), "version 4"},
		{"no counts", []byte("GGUF\x03\x00\x00\x00"), "ends early"},
		{"tensor count", header(3, math.MaxUint64, 0).Bytes(), "tensors"},
		{"key count", header(3, 0, math.MaxUint64).Bytes(), "keys"},
		{"keys missing", header(3, 0, 5).Bytes(), "ends early"},
		{"key length", header(3, 0, 1).u64(math.MaxUint64).Bytes(), "string of"},
		{"string length", header(3, 0, 1).str("a").u32(8).u64(1 << 40).Bytes(), "string of"},
		{"string behind end", header(3, 0, 1).str("a").u32(8).u64(1000).Bytes(), "ends early"},
		{"value type", header(3, 0, 1).str("a").u32(13).u64(0).Bytes(), "value type 13"},
		{"array type", header(3, 0, 1).str("a").u32(9).u32(99).u64(1).Bytes(), "array of type 99"},
		{"array length", header(3, 0, 1).str("a").u32(9).u32(0).u64(math.MaxUint64).Bytes(), "array of"},
		{"array behind end", header(3, 0, 1).str("a").u32(9).u32(10).u64(1000).Bytes(), "ends early"},
		{"string array behind end", header(3, 0, 1).str("a").u32(9).u32(8).u64(1000).str("x").Bytes(), "ends early"},
		{"nesting", nested(9), "nested"},
		{"duplicate key", header(3, 0, 2).str("a").u32(7).str("").Bytes(), "ends early"},
		{"duplicate keys", append(header(3, 0, 2).str("a").u32(4).u32(1).Bytes(), header(3, 0, 0).str("a").u32(4).u32(1).Bytes()[24:]...), "duplicate key"},
		{"alignment 0", header(3, 0, 1).str("general.alignment").u32(4).u32(0).Bytes(), "alignment 0"},
		{"rank", header(3, 1, 0).tensor("a", gguf.F32, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1).data(4), "9 dimensions"},
		{"dimension", header(3, 1, 0).tensor("a", gguf.F32, 0, math.MaxUint64).data(4), "dimension of"},
		{"overflow", header(3, 1, 0).tensor("a", gguf.F32, 0, 1<<40, 1<<40).data(4), "too large"},
		{"overflow beside zero", header(3, 1, 0).tensor("a", gguf.F32, 0, 1<<40, 1<<40, 0).data(4), "too large"},
		{"behind the file", header(3, 1, 0).tensor("a", gguf.F32, 0, 2).data(4), "ends behind"},
		{"offset", header(3, 1, 0).tensor("a", gguf.F32, math.MaxUint64&^31, 1).data(4), "begins behind"},
		{"unaligned", header(3, 1, 0).tensor("a", gguf.F32, 4, 1).data(8), "not aligned"},
		{"partial block", header(3, 1, 0).tensor("a", gguf.Q4_0, 0, 31).data(18), "whole blocks"},
		{"overlap", header(3, 2, 0).tensor("a", gguf.F32, 0, 16).tensor("b", gguf.F32, 32, 1).data(64), "overlap"},
		{"duplicate tensor", header(3, 2, 0).tensor("a", gguf.F32, 0, 1).tensor("a", gguf.F32, 32, 1).data(64), "duplicate tensor"},
		{"impossible count", header(3, 1, 0).tensor("a", gguf.Type(200), 0, 1<<30).data(4), "more parameters"},
	}
	for _, tt := range tests {
		h, err := read(tt.src)
		if !errors.Is(err, gguf.ErrFormat) || !strings.Contains(fmt.Sprint(err), tt.want) {
			t.Errorf("%s: ReadHeader = %v, %v; want an ErrFormat with %q", tt.name, h, err, tt.want)
		}
	}
}

func TestAcceptedFiles(t *testing.T) {
	for name, src := range map[string][]byte{
		"version 2":       header(2, 1, 0).tensor("a", gguf.F32, 0, 1).data(4),
		"no tensors":      header(3, 0, 0).Bytes(),
		"unknown type":    header(3, 1, 0).tensor("a", gguf.Type(200), 0, 16).data(4),
		"nested arrays":   nested(3),
		"any order":       header(3, 2, 0).tensor("a", gguf.F32, 32, 1).tensor("b", gguf.F32, 0, 1).data(64),
		"empty tensor":    header(3, 2, 0).tensor("a", gguf.F32, 0, 0).tensor("b", gguf.F32, 0, 1).data(4),
		"scalar":          header(3, 1, 0).tensor("a", gguf.F32, 0).data(4),
		"odd alignment":   header(3, 0, 1).str("general.alignment").u32(4).u32(48).Bytes(),
		"id out of range": header(3, 0, 2).str("tokenizer.ggml.bos_token_id").u32(4).u32(7).str("tokenizer.ggml.tokens").u32(9).u32(8).u64(1).str("x").Bytes(),
	} {
		h, err := read(src)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := gguf.Summarize([]*gguf.Header{h}); err != nil {
			t.Errorf("%s: Summarize: %v", name, err)
		}
	}
}

// A vocabulary is stepped over, not read, until it is asked for.
func TestVocabularyIsLazy(t *testing.T) {
	const words = 300_000
	b := header(3, 0, 1).str("tokenizer.ggml.tokens").u32(9).u32(8).u64(words)
	for range words {
		b.str("word")
	}
	src := b.Bytes()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	h, err := read(src)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("reading the header allocated %d bytes", n)
	}
	if v, err := h.Strings("tokenizer.ggml.tokens"); len(v) != words || err != nil {
		t.Errorf("Strings = %d words, %v", len(v), err)
	}
}

func BenchmarkReadHeader(b *testing.B) {
	const words = 150_000
	f := header(3, 0, 1).str("tokenizer.ggml.tokens").u32(9).u32(8).u64(words)
	for range words {
		f.str("word")
	}
	src := f.Bytes()
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if _, err := read(src); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzReadHeader(f *testing.F) {
	f.Add(load(f, "little.gguf", nil))
	f.Add(load(f, "big.gguf", nil))
	f.Add(nested(3))
	f.Add(header(2, 1, 0).tensor("a", gguf.Q4_K, 0, 256).data(144))
	f.Fuzz(func(t *testing.T, src []byte) {
		h, err := read(src)
		if err != nil {
			return
		}
		for _, x := range h.Tensors {
			if x.Offset < h.DataAt || x.Offset+max(x.Size, 0) > int64(len(src)) || x.Elements() < 0 {
				t.Fatalf("%+v leaves the file of %d bytes", x, len(src))
			}
		}
		for key := range h.Keys() {
			if _, err := h.Strings(key); err != nil {
				t.Fatalf("Strings(%q): %v", key, err)
			}
			if _, err := h.Numbers(key); err != nil {
				t.Fatalf("Numbers(%q): %v", key, err)
			}
		}
		if s, err := gguf.Summarize([]*gguf.Header{h}); err != nil || s.Total < 0 {
			t.Fatalf("Summarize = %+v, %v", s, err)
		}
	})
}
