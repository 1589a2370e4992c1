package xet

import "github.com/pierrec/lz4/v4"

// Encoder compresses chunks for a xorb. It remembers whether compression has
// been of use lately, so one Encoder should see the chunks of one file in
// order. It serves one goroutine at a time; the zero value is ready for use.
type Encoder struct {
	lz      lz4.Compressor
	lanes   []byte // the chunk or sample, regrouped
	out     []byte // the frame being tried
	untried int    // chunks since one was compressed in full
	futile  bool   // compressing that one gained nothing
}

const (
	// sampleSize bytes from the middle of a chunk tell whether it is worth
	// compressing, and how.
	sampleSize = 4 << 10

	// retryAfter bounds the trust in samples: one chunk in so many is
	// compressed in full although its sample promised nothing, because a sample
	// cannot see repetitions that are far apart.
	retryAfter = 16

	// worthwhile is the share of a sample, in percent, that must be saved.
	worthwhile = 2
)

// Append appends the record of a chunk: its header and its bytes, compressed by
// the scheme that makes them smallest.
func (e *Encoder) Append(dst, chunk []byte) []byte {
	scheme, payload := e.compress(chunk)
	h := Header{Payload: len(payload), Raw: len(chunk), Scheme: scheme}
	return append(h.Append(dst), payload...)
}

// compress returns the smallest form of a chunk. The bytes are valid until the
// next call.
func (e *Encoder) compress(chunk []byte) (Scheme, []byte) {
	best := e.choose(chunk)
	if best == Stored && e.futile && e.untried < retryAfter {
		e.untried++
		return Stored, chunk
	}
	e.untried = 0
	if best == Stored {
		best = LZ4
	}
	src := chunk
	if best == BG4LZ4 {
		e.lanes = grow(e.lanes, len(chunk))
		group4(e.lanes, chunk)
		src = e.lanes
	}
	e.out = grow(e.out, lz4.CompressBlockBound(MaxChunk)+frameOverhead)
	n := encodeFrame(&e.lz, e.out[:len(chunk)-1], src)
	e.futile = n == 0
	if e.futile {
		return Stored, chunk
	}
	return best, e.out[:n]
}

// choose predicts the best scheme from a sample of the chunk.
func (e *Encoder) choose(chunk []byte) Scheme {
	sample := chunk
	if len(chunk) > sampleSize {
		at := (len(chunk) - sampleSize) / 2 &^ 3 // lanes stay lanes
		sample = chunk[at : at+sampleSize]
	}
	e.lanes = grow(e.lanes, len(sample))
	group4(e.lanes, sample)
	plain, grouped := e.tryLZ4(sample), e.tryLZ4(e.lanes)
	limit := len(sample) - len(sample)*worthwhile/100
	switch {
	case plain <= grouped && plain < limit:
		return LZ4
	case grouped < limit:
		return BG4LZ4
	}
	return Stored
}

// tryLZ4 is the size of b when compressed, len(b) if that does not shrink it.
func (e *Encoder) tryLZ4(b []byte) int {
	e.out = grow(e.out, lz4.CompressBlockBound(MaxChunk)+frameOverhead)
	if len(b) == 0 {
		return 0
	}
	n, err := e.lz.CompressBlock(b, e.out[:len(b)-1])
	if err != nil || n == 0 {
		return len(b)
	}
	return n
}
