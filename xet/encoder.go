package xet

import (
	"sync"

	"github.com/pierrec/lz4/v4"
)

// Encoder compresses chunks for a xorb. It remembers whether compression has
// been of use lately, so one Encoder should see the chunks of one file in
// order. It serves one goroutine at a time; the zero value is ready for use.
// Between calls it holds next to no memory.
type Encoder struct {
	untried int  // chunks since one was compressed in full
	futile  bool // compressing that one gained nothing
}

// scratch is what compressing a chunk needs besides the chunk.
type scratch struct {
	lz     lz4.Compressor
	lanes  [MaxChunk]byte // the chunk or a sample, regrouped
	frame  [MaxChunk]byte // the frame being tried
	record []byte
}

// scratches is shared, because many uploads wait for their client most of the
// time and need none meanwhile.
var scratches = sync.Pool{New: func() any { return new(scratch) }}

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
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	h, payload := e.compress(s, chunk)
	return append(h.Append(dst), payload...)
}

// compress returns the smallest form of a chunk. The bytes are the chunk's or
// in s.
func (e *Encoder) compress(s *scratch, chunk []byte) (Header, []byte) {
	stored := Header{Payload: len(chunk), Raw: len(chunk), Scheme: Stored}
	scheme := s.choose(chunk)
	if scheme == Stored && e.futile && e.untried < retryAfter {
		e.untried++
		return stored, chunk
	}
	e.untried = 0
	src := chunk
	switch scheme {
	case Stored:
		scheme = LZ4
	case BG4LZ4:
		src = s.lanes[:len(chunk)]
		group4(src, chunk)
	}
	n := encodeFrame(&s.lz, s.frame[:len(chunk)-1], src)
	e.futile = n == 0
	if e.futile {
		return stored, chunk
	}
	return Header{Payload: n, Raw: len(chunk), Scheme: scheme}, s.frame[:n]
}

// choose predicts the best scheme from a sample of the chunk.
func (s *scratch) choose(chunk []byte) Scheme {
	sample := chunk
	if len(chunk) > sampleSize {
		at := (len(chunk) - sampleSize) / 2 &^ 3 // lanes stay lanes
		sample = chunk[at : at+sampleSize]
	}
	lanes := s.lanes[:len(sample)]
	group4(lanes, sample)
	plain, grouped := s.tryLZ4(sample), s.tryLZ4(lanes)
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
func (s *scratch) tryLZ4(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	n, err := s.lz.CompressBlock(b, s.frame[:len(b)-1])
	if err != nil || n == 0 {
		return len(b)
	}
	return n
}
