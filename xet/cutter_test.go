package xet

import (
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"testing"
)

// checkCutter cuts data in pieces of any length, and compares with a Chunker and
// the standard library. The last chunk is the caller's to end.
func checkCutter(t *testing.T, data []byte, length func() int) {
	t.Helper()
	want, wantSum := chunkEnds(data, len(data)), sha256.Sum256(data)
	var c Cutter
	var ends []int
	for at := 0; at < len(data); {
		n := min(length(), len(data)-at)
		before := len(ends)
		ends = c.Cut(ends, data[at:at+n])
		for i := before; i < len(ends); i++ {
			ends[i] += at
		}
		if half := sha256.Sum256(data[:at+n]); c.SHA256() != half {
			t.Fatalf("the SHA-256 of %d bytes is %x, want %x", at+n, c.SHA256(), half)
		}
		at += n
	}
	if open := len(data) > 0 && (len(ends) == 0 || ends[len(ends)-1] < len(data)); open {
		ends = append(ends, len(data))
	}
	if !slices.Equal(ends, want) {
		t.Fatalf("chunks of %d bytes end at %v, want %v", len(data), ends, want)
	}
	if sum := c.SHA256(); sum != wantSum {
		t.Fatalf("the SHA-256 of %d bytes is %x, want %x", len(data), sum, wantSum)
	}
}

// withoutSHA runs a test with and without the instructions for SHA-256.
func withoutSHA(t *testing.T, run func(t *testing.T)) {
	t.Run("fast", run)
	t.Run("portable", func(t *testing.T) {
		defer func(had bool) { hasSHA = had }(hasSHA)
		hasSHA = false
		run(t)
	})
}

// unending is data without a place where a chunk could end, so that all have the
// greatest length, and with many, so that all have the least.
func unending() (never, always []byte) {
	var ends [256]bool
	for v := range ends { // of a long run of this byte
		ends[v] = roll(slices.Repeat([]byte{byte(v)}, 2*window)) < cutBelow
	}
	never = slices.Repeat([]byte{byte(slices.Index(ends[:], false))}, 3*MaxChunk+100)
	// No single byte may end chunks; what ends one is repeated then.
	random := splitmix(1, 1<<20)
	end := chunkEnds(random, len(random))[0]
	always = slices.Repeat(random[end-2*window:end], 1000)
	return never, always
}

func TestCutter(t *testing.T) {
	never, always := unending()
	if ends := chunkEnds(always, len(always)); len(ends) < len(always)/(MinChunk+2*window) {
		t.Fatalf("%d chunks in %d bytes that were to have many", len(ends), len(always))
	}
	sources := map[string][]byte{"never": never, "always": always, "empty": nil}
	for kind, data := range kindsOfData() {
		sources[kind] = data
	}
	withoutSHA(t, func(t *testing.T) {
		for kind, data := range sources {
			t.Run(kind, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(7, uint64(len(data))))
				checkCutter(t, data, func() int { return len(data) })
				checkCutter(t, data, func() int { return 64 << 10 })
				checkCutter(t, data, func() int { return 1 + rng.IntN(40_000) })
				for n := range min(300, len(data)) {
					checkCutter(t, data[n:min(len(data), 2*n)], func() int { return 1 + rng.IntN(100) })
				}
			})
		}
	})
}

func FuzzCutter(f *testing.F) {
	never, always := unending()
	for _, data := range [][]byte{never[:1000], always[:1000], splitmix(3, 1000), nil} {
		f.Add(data, uint16(64), uint16(300))
	}
	f.Fuzz(func(t *testing.T, data []byte, length, times uint16) {
		if len(data) > 0 {
			data = slices.Repeat(data, 1+min(int(times), 3*MaxChunk/len(data)))
		}
		length = max(length, uint16(len(data)/64), 1) // each piece is hashed up to its end
		checkCutter(t, data, func() int { return int(length) })
	})
}

func BenchmarkCutter(b *testing.B) {
	data := splitmix(1, 512<<10)
	b.Run("both", func(b *testing.B) {
		var c Cutter
		var ends []int
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			ends = c.Cut(ends[:0], data)
		}
	})
	b.Run("apart", func(b *testing.B) {
		var c Cutter
		var ends []int
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			ends = c.cutPortable(ends[:0], data)
		}
	})
	b.Run("SHA-256", func(b *testing.B) {
		h := sha256.New()
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			h.Write(data)
		}
	})
}
