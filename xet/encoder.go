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

// scratch is what compressing chunks needs besides them.
type scratch struct {
	slots  [2]slot
	record [HeaderSize + MaxChunk]byte
	sample [sampleSize]byte // compressed
}

// slot has room for a chunk that is being compressed.
type slot struct {
	job    *Job // nil if it is free
	scheme Scheme
	stream lz4Stream
	lanes  [MaxChunk]byte // the chunk or a sample, regrouped
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

	// scant is the saving, in percent, that is so small that the few matches
	// there are get looked for everywhere. Quantised weights save about 1 % in
	// all, and hf_xet finds it.
	scant = 6
)

// Job is a chunk of which a record is made: a header and the bytes, compressed
// by the scheme that makes them smallest.
type Job struct {
	Chunk  []byte
	Head   Header // of the record
	Record []byte // before, room for HeaderSize bytes more than the chunk; then the record
}

// Records makes the records of all chunks that next yields, until that is nil.
// A job may be unfinished while next is called for later ones. Many chunks take
// less time than each on its own.
func (e *Encoder) Records(next func() *Job) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	e.records(s, next)
}

func (e *Encoder) records(s *scratch, next func() *Job) {
	a, b := &s.slots[0], &s.slots[1]
	for e.fill(s, a, next) && e.fill(s, b, next) {
		runBoth(&a.stream, &b.stream)
		for _, slot := range []*slot{a, b} {
			if slot.stream.done() {
				e.finish(slot)
			}
		}
	}
	for _, slot := range []*slot{a, b} {
		if slot.job != nil {
			slot.stream.run()
			e.finish(slot)
		}
	}
}

// fill gives a free slot the next chunk that is worth compressing. It returns
// false if there is none.
func (e *Encoder) fill(s *scratch, slot *slot, next func() *Job) bool {
	for slot.job == nil {
		job := next()
		if job == nil {
			return false
		}
		e.begin(s, slot, job)
	}
	return true
}

// begin begins to compress a chunk, unless that is not worth the trouble.
func (e *Encoder) begin(s *scratch, slot *slot, job *Job) {
	slot.scheme = LZ4
	sample := job.Chunk
	if len(sample) > sampleSize {
		at := (len(sample) - sampleSize) / 2 &^ 3 // lanes stay lanes
		sample = sample[at : at+sampleSize]
	}
	if lanesDiffer(sample) {
		slot.scheme = BG4LZ4
	}
	if e.futile.Load() && e.untried.Load() < retryAfter && !slot.promising(s.sample[:], sample) {
		e.untried.Add(1)
		job.store()
		return
	}
	e.untried.Store(0)
	slot.job = job
	slot.start(frameBlock(job.Record[HeaderSize:HeaderSize+len(job.Chunk)-1]), job.Chunk)
}

// finish makes the record of the slot's chunk and frees the slot.
func (e *Encoder) finish(slot *slot) {
	job := slot.job
	slot.job = nil
	n := slot.stream.finish()
	if n > len(job.Chunk)-len(job.Chunk)*scant/100 {
		slot.start(frameBlock(job.Record[HeaderSize:HeaderSize+len(job.Chunk)-1]), job.Chunk)
		slot.stream.thorough = true
		slot.stream.run()
		n = slot.stream.finish()
	}
	e.futile.Store(n == 0)
	if n == 0 {
		job.store()
		return
	}
	n = closeFrame(job.Record[HeaderSize:], n)
	job.Head = Header{Payload: n, Raw: len(job.Chunk), Scheme: slot.scheme}
	job.close()
}

// store makes the record of a chunk that is not compressed.
func (job *Job) store() {
	job.Head = Header{Payload: len(job.Chunk), Raw: len(job.Chunk), Scheme: Stored}
	copy(job.Record[HeaderSize:], job.Chunk)
	job.close()
}

func (job *Job) close() {
	job.Head.Append(job.Record[:0])
	job.Record = job.Record[:HeaderSize+job.Head.Payload]
}

// promising reports whether a sample shrinks.
func (slot *slot) promising(room, sample []byte) bool {
	slot.start(room[:len(sample)], sample)
	slot.stream.run()
	return slot.stream.finish() > 0
}

// start begins to compress src into the block dst.
func (slot *slot) start(dst, src []byte) {
	if slot.scheme == BG4LZ4 {
		lanes := slot.lanes[:len(src)]
		group4(lanes, src)
		src = lanes
	}
	slot.stream.start(dst, src)
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

// once yields one job.
func once(job *Job) func() *Job {
	return func() *Job {
		next := job
		job = nil
		return next
	}
}
