package cas

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"

	"github.com/pantryhub/pantry/xet"
)

// chunksOf cuts data into chunks.
func chunksOf(data []byte) [][]byte {
	var c xet.Cutter
	chunks, rest := split(data, c.Cut(nil, data, 0))
	var all [][]byte
	for _, c := range chunks {
		all = append(all, c.data)
	}
	if len(rest) > 0 {
		all = append(all, rest)
	}
	return all
}

// TestFragmentation shuffles the chunks of a stored file. Chunks end where their
// content says so, so the shuffled file has the same ones, but hardly two in a
// row as they are stored: after a while they must be stored anew, in runs, for
// the file to be readable at speed.
func TestFragmentation(t *testing.T) {
	f := newDirFixture(t)
	base := randomBytes(1, 30<<20)
	f.mustIngest(t, base)
	chunks := chunksOf(base)
	chunks = chunks[:len(chunks)-1] // the last one ends with the file, not by its content
	first, rest := chunks[0], chunks[1:]
	rand.New(rand.NewPCG(4, 5)).Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	shuffled := bytes.Join(append([][]byte{first}, rest...), nil)
	before, _ := f.stored(t)
	file := f.mustIngest(t, shuffled)
	after, _ := f.stored(t)

	r, err := f.Open(context.Background(), file.Xet)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(r.file.terms); n > 2*watchedTerms {
		t.Errorf("%d chunks have become %d terms, want about %d", len(chunks), n, watchedTerms)
	}
	grown := after - before
	if grown == 0 || grown > int64(len(shuffled)) {
		t.Errorf("%d of %d bytes were stored anew: want some, not all", grown, len(shuffled))
	}
	if !bytes.Equal(f.readAll(t, file.Xet), shuffled) {
		t.Errorf("the shuffled file reads back differently")
	}
}

func TestFragmentationNeed(t *testing.T) {
	var f fragmentation
	for range watchedTerms - 1 {
		f.add(1)
	}
	if got := f.need(); got != 1 {
		t.Errorf("with too few terms to judge, need = %d, want 1", got)
	}
	f.add(1)
	if got := f.need(); got != 1 {
		t.Errorf("an average of 1 needs a run of %d, want 1", got)
	}
	for range watchedTerms {
		f.add(3)
	}
	if got := f.need(); got != 3 {
		t.Errorf("an average of 3 needs a run of %d, want 3", got)
	}
	f.strict = true
	for range watchedTerms {
		f.add(6)
	}
	if got := f.need(); got != 6 {
		t.Errorf("after a refusal, an average of 6 needs a run of %d, want 6", got)
	}
	for range watchedTerms {
		f.add(8)
	}
	if got := f.need(); got != 1 || f.strict {
		t.Errorf("an average of 8 needs a run of %d, strict %v, want 1 and no longer strict", got, f.strict)
	}
}

// TestLearnedNeighbours finds the rest of a file of several xorbs by its first
// chunk alone.
func TestLearnedNeighbours(t *testing.T) {
	f := newDirFixture(t)
	part := randomBytes(1, 8<<20)
	long := make([]byte, 0, 160<<20)
	for i := 0; len(long) < 130<<20; i++ { // no two chunks alike
		part[i]++
		for j := 0; j < len(part); j += 4096 {
			part[j]++
		}
		long = append(long, part...)
	}
	f.mustIngest(t, long)
	before, objects := f.stored(t)
	if objects < 2 {
		t.Fatalf("%d xorbs, want several", objects)
	}
	f.mustIngest(t, append(long, "more"...))
	if after, _ := f.stored(t); after-before > 200_000 {
		t.Errorf("appending 4 bytes stored %d more", after-before)
	}
}
