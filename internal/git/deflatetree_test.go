package git

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	klauspost "github.com/klauspost/compress/zlib"
)

// inflateStd inflates with the standard library, not with our own codec.
func inflateStd(t *testing.T, data []byte) []byte {
	t.Helper()
	r, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%x: %v", data, err)
	}
	return out
}

// treePayload is a tree of entries with those names and random ids; some are
// that of the entry before.
func treePayload(rnd *rand.Rand, names ...string) []byte {
	var b []byte
	var oid [20]byte
	for i, name := range names {
		if i%16 != 2 {
			for j := range oid {
				oid[j] = byte(rnd.Uint32())
			}
		}
		b = fmt.Appendf(b, "100644 %s\x00%s", name, oid[:])
	}
	return b
}

func TestDeflateTree(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	// Names of every length, so that matches have every length and distance.
	var growing, shared, random []string
	for n := 1; n <= 255; n++ {
		growing = append(growing, strings.Repeat("x", n))
		shared = append(shared, strings.Repeat("a", n/2)+fmt.Sprint(n)+strings.Repeat("b", n/2))
	}
	for range 3000 {
		random = append(random, strings.Repeat(string(rune('a'+rnd.IntN(3))), rnd.IntN(120))+strings.Repeat("é", rnd.IntN(60)))
	}
	for name, payload := range map[string][]byte{
		"empty":     nil,
		"one":       treePayload(rnd, "README.md"),
		"growing":   treePayload(rnd, growing...),
		"shared":    treePayload(rnd, shared...),
		"random":    treePayload(rnd, random...),
		"long name": treePayload(rnd, "a", strings.Repeat("x", 5000), "b"),
		"truncated": treePayload(rnd, "a", "b")[:40],
		"no entry":  []byte("hello"),
		"NULs":      make([]byte, 1000),
	} {
		if got := inflateStd(t, deflateTree(payload)); !bytes.Equal(got, payload) {
			t.Errorf("%s: %d bytes come back as %d others", name, len(payload), len(got))
		}
	}
}

func TestDeflateTreeIsSmall(t *testing.T) {
	var names []string
	for i := range 2000 {
		names = append(names, fmt.Sprintf("train-%05d.parquet", i))
	}
	payload := treePayload(rand.New(rand.NewPCG(7, 8)), names...)
	var general bytes.Buffer
	w, err := zlib.NewWriterLevel(&general, zlib.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(payload)
	w.Close()
	if got, want := len(deflateTree(payload)), general.Len(); got > want*108/100 {
		t.Errorf("%d bytes, the general fastest level gives %d", got, want)
	}
}

func FuzzDeflateTree(f *testing.F) {
	rnd := rand.New(rand.NewPCG(1, 2))
	f.Add(treePayload(rnd, "a", "a.b", "ab.b", "train-00001.parquet", "train-00002.parquet"))
	f.Add(treePayload(rnd, strings.Repeat("x", 250), strings.Repeat("x", 251)))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if got := inflateStd(t, deflateTree(payload)); !bytes.Equal(got, payload) {
			t.Fatalf("%q comes back as %q", payload, got)
		}
	})
}

// BenchmarkDeflateTree compares with the general levels.
func BenchmarkDeflateTree(b *testing.B) {
	var names []string
	for i := range 20_000 {
		names = append(names, fmt.Sprintf("train-%05d.parquet", i))
	}
	payload := treePayload(rand.New(rand.NewPCG(7, 8)), names...)
	b.Run("tree", func(b *testing.B) {
		b.SetBytes(int64(len(payload)))
		for b.Loop() {
			deflateTree(payload)
		}
	})
	b.Run("general", func(b *testing.B) {
		b.SetBytes(int64(len(payload)))
		w, err := klauspost.NewWriterLevel(io.Discard, klauspost.BestSpeed)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			w.Reset(io.Discard)
			w.Write(payload)
			w.Close()
		}
	})
}
