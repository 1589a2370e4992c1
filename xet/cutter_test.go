package xet

import (
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"testing"
)

// checkCutter cuts data in pieces of any length, and compares with a Chunker,
// ChunkHash and the standard library. The last chunk is the caller's to end.
func checkCutter(t *testing.T, data []byte, length func() int) {
	t.Helper()
	var want []Cut
	start := 0
	for _, end := range chunkEnds(data, len(data)) {
		want = append(want, Cut{end, ChunkHash(data[start:end])})
		start = end
	}
	var c Cutter
	var cuts []Cut
	start = 0
	for at := 0; at < len(data); {
		n := min(length(), len(data)-at)
		window := slices.Clone(data[start : at+n]) // nothing of the piece before may be needed
		before := len(cuts)
		cuts = c.Cut(cuts, window, at-start)
		for i := before; i < len(cuts); i++ {
			cuts[i].End += start
		}
		if len(cuts) > before {
			start = cuts[len(cuts)-1].End
		}
		at += n
		if half := sha256.Sum256(data[:at]); c.SHA256() != half {
			t.Fatalf("the SHA-256 of %d bytes is %x, want %x", at, c.SHA256(), half)
		}
	}
	if start < len(data) {
		cuts = append(cuts, Cut{len(data), ChunkHash(data[start:])})
	}
	if !slices.Equal(cuts, want) {
		t.Fatalf("chunks of %d bytes are %v, want %v", len(data), cuts, want)
	}
	if sum := c.SHA256(); sum != sha256.Sum256(data) {
		t.Fatalf("the SHA-256 of %d bytes is %x, want %x", len(data), sum, sha256.Sum256(data))
	}
}

// onLess runs a test with all instructions that the processor has, and with less.
func onLess(t *testing.T, run func(t *testing.T)) {
	t.Run("all", run)
	defer func(sha, avx512 bool) { hasSHA, hasAVX512 = sha, avx512 }(hasSHA, hasAVX512)
	hasAVX512 = false
	t.Run("no AVX-512", run)
	hasSHA = false
	t.Run("portable", run)
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
	onLess(t, func(t *testing.T) {
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
			data = slices.Repeat(data, 1+min(int(times), MaxChunk/len(data)))
		}
		length = max(length, uint16(len(data)/8), 1) // each piece is hashed up to its end
		checkCutter(t, data, func() int { return int(length) })
	})
}

// TestLeafTree hashes chunks of every length about a leaf, a group and a step.
func TestLeafTree(t *testing.T) {
	if !hasAVX512 {
		t.Skip("the processor lacks AVX-512")
	}
	data := splitmix(9, MaxChunk)
	tree := new(leafTree)
	check := func(n int) {
		at := 0
		for ; at+groupSize <= n; at += groupSize {
			tree.addGroup(data[at:])
		}
		tree.addRest(data[at:n])
		if got, want := tree.sum(), ChunkHash(data[:n]); got != want {
			t.Fatalf("the hash of %d bytes is %v, want %v", n, got, want)
		}
	}
	for n := leafSize + 1; n < 4*leafSize; n++ {
		check(n)
	}
	for leaves := 2; leaves <= maxLeaves; leaves++ {
		for _, n := range []int{leaves*leafSize - leafBlock - 1, leaves*leafSize - 1, leaves * leafSize} {
			check(n)
		}
	}
}

func BenchmarkCutter(b *testing.B) {
	data := splitmix(1, 512<<10)
	var cuts []Cut
	b.Run("one pass", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			var c Cutter
			cuts = c.Cut(cuts[:0], data, 0)
		}
	})
	b.Run("three passes", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			var c Cutter
			cuts = c.cutPortable(cuts[:0], data, 0)
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
