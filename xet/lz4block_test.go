package xet

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pierrec/lz4/v4"
)

// lz4Sources are blocks of every length and of awkward content.
func lz4Sources() [][]byte {
	var sources [][]byte
	for n := range 300 {
		sources = append(sources, splitmix(uint64(n), n), bytes.Repeat([]byte("ab"), n), []byte(strings.Repeat("abcdefgh", 300))[:n])
	}
	for _, data := range kindsOfData() {
		sources = append(sources, data[:min(len(data), MaxChunk)], data[:min(len(data), 70_001)])
	}
	far := slices.Concat([]byte("0123456789abcdefghij"), make([]byte, lz4Window-20), []byte("0123456789abcdefghij"), make([]byte, 60))
	sources = append(sources, far, far[1:], slices.Concat(splitmix(1, 300), splitmix(2, 65_536), splitmix(1, 300), splitmix(3, 100)))
	for n := range 80 { // literals and matches about the lengths that do not fit into a token
		sources = append(sources, slices.Concat(splitmix(1, 100), splitmix(2, n), splitmix(1, 100), splitmix(3, 255+n), splitmix(1, 100)[:n], splitmix(4, 100)))
	}
	rng := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		sources = append(sources, repetitive(rng, rng.IntN(MaxChunk)))
	}
	return sources
}

// repetitive is data of n bytes with random repetitions of any length.
func repetitive(rng *rand.Rand, n int) []byte {
	data := splitmix(rng.Uint64(), 16)
	for len(data) < n {
		length := 1 + int(rng.ExpFloat64()*20)
		if rng.IntN(3) == 0 {
			data = append(data, splitmix(rng.Uint64(), length)...)
			continue
		}
		at := rng.IntN(len(data))
		data = append(data, data[at:min(len(data), at+length)]...)
	}
	return data[:n]
}

// compressed runs a stream in a destination of room bytes and returns the block,
// nil if it does not fit, after a check that nothing behind it was written.
func compressed(t *testing.T, s *lz4Stream, room int, src []byte, run func()) []byte {
	t.Helper()
	const canary = 0xa5
	dst := bytes.Repeat([]byte{canary}, room+64)
	s.start(dst[:room:room], src)
	run()
	n := s.finish()
	if i := slices.IndexFunc(dst[room:], func(b byte) bool { return b != canary }); i >= 0 {
		t.Fatalf("byte %d behind a destination of %d was written", i, room)
	}
	if n == 0 {
		return nil
	}
	return dst[:n]
}

// checkBlock compresses src in every way. All have to give the same block, which
// an independent decoder reads.
func checkBlock(t *testing.T, room int, src []byte, companion *lz4Stream) {
	t.Helper()
	s := new(lz4Stream)
	block := compressed(t, s, room, src, s.runPortable)
	if block != nil {
		got := make([]byte, len(src))
		if m, err := lz4.UncompressBlock(block, got); err != nil || m != len(src) || !bytes.Equal(got, src) {
			t.Fatalf("%d bytes into %d: %d, %v, equal %v", len(src), room, m, err, bytes.Equal(got, src))
		}
	}
	for name, run := range map[string]func(){
		"alone": s.run,
		"first of two": func() {
			for !s.done() && !companion.done() {
				runBoth(s, companion)
			}
			s.run()
		},
		"second of two": func() {
			for !s.done() && !companion.done() {
				runBoth(companion, s)
			}
			s.run()
		},
	} {
		if other := compressed(t, s, room, src, run); !bytes.Equal(other, block) {
			t.Fatalf("%d bytes into %d, %s: a block of %d bytes, portable %d", len(src), room, name, len(other), len(block))
		}
	}
	block = compressed(t, s, room, src, func() { s.thorough = true; s.runPortable() })
	if other := compressed(t, s, room, src, func() { s.thorough = true; s.run() }); !bytes.Equal(other, block) {
		t.Fatalf("%d bytes into %d, thorough: a block of %d bytes, portable %d", len(src), room, len(other), len(block))
	}
}

// TestLZ4Block also runs a second stream, over all sources in turn, beside the one
// that it looks at.
func TestLZ4Block(t *testing.T) {
	sources := lz4Sources()
	companion := new(lz4Stream)
	var around []byte
	for i, src := range sources {
		if companion.done() {
			around = slices.Concat(sources[(i+7)%len(sources)], around[:min(len(around), 100)])
			around = around[:min(len(around), MaxChunk)]
			companion.start(make([]byte, lz4.CompressBlockBound(len(around))+lz4Slack), around)
		}
		bound := lz4.CompressBlockBound(len(src)) + lz4Slack
		checkBlock(t, bound, src, companion)
		s := new(lz4Stream)
		fits := len(compressed(t, s, bound, src, s.run))
		if fits == 0 {
			t.Fatalf("source %d of %d bytes does not fit into the bound", i, len(src))
		}
		for _, room := range []int{0, 1, fits / 3, fits - lz4Slack, fits - 2, fits - 1} {
			if room >= 0 {
				checkBlock(t, room, src, companion)
				if block := compressed(t, s, room, src, s.run); block != nil {
					t.Fatalf("source %d: %d bytes fit into %d", i, len(block), room)
				}
			}
		}
	}
}

func FuzzLZ4Block(f *testing.F) {
	for _, data := range kindsOfData() {
		f.Add(data[:min(len(data), 3000)], uint16(3000), uint16(70))
	}
	f.Fuzz(func(t *testing.T, src []byte, room, times uint16) {
		if len(src) > 0 { // to get past the window
			src = bytes.Repeat(src, 1+min(int(times), MaxChunk/len(src)))
		}
		src = src[:min(len(src), MaxChunk)]
		companion := new(lz4Stream)
		around := splitmix(uint64(times), int(times))
		companion.start(make([]byte, 2*len(around)+lz4Slack), around)
		checkBlock(t, 2*int(room), src, companion)
	})
}
