package xet

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
)

// Encoder compresses chunks for a xorb. It remembers whether compression has
// been of use lately, so one Encoder should see the chunks of one file, more or
// less in order. It is safe for concurrent use; the zero value is ready. Between
// calls it holds next to no memory.
type Encoder struct {
	untried atomic.Int32 // chunks since one was compressed in full
	futile  atomic.Bool  // compressing that one gained nothing
}

// scratch is what compressing a chunk needs besides the chunk.
type scratch struct {
	table  lz4Table
	lanes  [MaxChunk]byte // the chunk or a sample, regrouped
	record [HeaderSize + MaxChunk]byte
	sample [sampleSize]byte // compressed
}

// scratches is shared, because many uploads wait for their client most of the
// time and need none meanwhile.
var scratches = sync.Pool{New: func() any { return new(scratch) }}

const (
	// A sample from the middle of a chunk tells how to compress it, and, while
	// compression is futile, whether to try at all.
	sampleSize = 4 << 10

	// retryAfter bounds the trust in samples: one chunk in so many is
	// compressed in full although its sample promised nothing, because a sample
	// cannot see repetitions that are far apart.
	retryAfter = 16

	// worthwhile is the share of a sample, in percent, that must be saved.
	worthwhile = 2
)

// Record makes the record of a chunk: its header and its bytes, compressed by the
// scheme that makes them smallest. It is written to the start of dst, which must
// have HeaderSize bytes more than the chunk.
func (e *Encoder) Record(dst, chunk []byte) (Header, []byte) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	return e.record(s, dst, chunk)
}

func (e *Encoder) record(s *scratch, dst, chunk []byte) (Header, []byte) {
	h := Header{Payload: len(chunk), Raw: len(chunk), Scheme: Stored}
	if scheme, n := e.compress(s, dst[HeaderSize:HeaderSize+len(chunk)-1], chunk); n > 0 {
		h.Payload, h.Scheme = n, scheme
	} else {
		copy(dst[HeaderSize:], chunk)
	}
	h.Append(dst[:0])
	return h, dst[:HeaderSize+h.Payload]
}

// compress compresses a chunk into dst and returns its size, 0 if that is not
// worth the trouble or does not fit.
func (e *Encoder) compress(s *scratch, dst, chunk []byte) (Scheme, int) {
	sample := chunk
	if len(chunk) > sampleSize {
		at := (len(chunk) - sampleSize) / 2 &^ 3 // lanes stay lanes
		sample = chunk[at : at+sampleSize]
	}
	scheme := LZ4
	if lanesDiffer(sample) {
		scheme = BG4LZ4
	}
	if e.futile.Load() && e.untried.Load() < retryAfter && !s.promising(scheme, sample) {
		e.untried.Add(1)
		return Stored, 0
	}
	e.untried.Store(0)
	n := s.encode(scheme, dst, chunk)
	e.futile.Store(n == 0)
	return scheme, n
}

// promising reports whether a sample shrinks.
func (s *scratch) promising(scheme Scheme, sample []byte) bool {
	room := len(sample) - len(sample)*worthwhile/100
	return s.encode(scheme, s.sample[:room], sample) > 0
}

// encode compresses src into a frame and returns its size, 0 if it does not fit
// into dst.
func (s *scratch) encode(scheme Scheme, dst, src []byte) int {
	hash := hash6
	if scheme == BG4LZ4 {
		hash = hash5
		lanes := s.lanes[:len(src)]
		group4(lanes, src)
		src = lanes
	}
	return encodeFrame(dst, src, func(dst, src []byte) int { return compressBlock(dst, src, &s.table, hash) })
}

// lanesDiffer reports whether the bytes at positions 0, 4, 8 … look unlike those
// at 1, 5, 9 … and so on, as they do in arrays of numbers: then regrouping helps.
// What is compared is how many bits are set in a byte. The measure is that of
// the Rust client, the divergence (in nats) of one lane from all of them.
func lanesDiffer(sample []byte) bool {
	if len(sample) < 64 {
		return false
	}
	var lanes [4][9]uint32
	for quad := sample; len(quad) >= 4; quad = quad[4:] {
		lanes[0][bits.OnesCount8(quad[0])]++
		lanes[1][bits.OnesCount8(quad[1])]++
		lanes[2][bits.OnesCount8(quad[2])]++
		lanes[3][bits.OnesCount8(quad[3])]++
	}
	var all [9]float64
	for j := range all {
		all[j] = float64(1 + lanes[0][j] + lanes[1][j] + lanes[2][j] + lanes[3][j]) // no share may be zero
	}
	size := float64(len(sample) / 4)
	total := 4*size + float64(len(all))
	for _, lane := range lanes {
		divergence := 0.0
		for j, n := range lane {
			if n > 0 {
				share := float64(n) / size
				divergence += share * math.Log(share*total/all[j])
			}
		}
		if divergence > 0.02 {
			return true
		}
	}
	return false
}
